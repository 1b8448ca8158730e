//! Sign-in by challenges that the pool's own functions make up.

use serde_json::{Map, Value, json};

use crate::cloud::Cloud;
use crate::cognito::challenge::{Answer, Challenge, Kind, round, taken};
use crate::cognito::fault::{self, invalid};
use crate::cognito::sign_in::{Door, Exchanging, Parameters, Visitor, finish, issue, pose_exchange, required};
use crate::cognito::trigger::{self, Call, Subject};
use crate::cognito::user::Status;
use crate::wire::Fault;

/// A function that goes on for ever is stopped here.
const MOST_ROUNDS: usize = 20;

/// Begins. The function that defines challenges says which comes first.
pub(crate) async fn begin(cloud: &Cloud, door: &Door, parameters: &Parameters) -> Result<Value, Fault> {
    let login = required(parameters, "USERNAME")?;
    door.client.check_secret(login, parameters.get("SECRET_HASH").map(String::as_str))?;
    let now = cloud.now().into();
    let visitor = door.read(cloud, |pool| Visitor::new(pool, door, login, now))?;
    let Some(user) = visitor.admitted(cloud).await? else {
        return Err(if door.client.settings.hides_users() { fault::incorrect() } else { fault::no_user() });
    };
    if parameters.get("CHALLENGE_NAME").is_none_or(|name| name != "SRP_A") {
        return advance(cloud, door, &user.username, Vec::new()).await;
    }
    let client_value = required(parameters, "SRP_A")?;
    let rounds = vec![round("SRP_A", true, Value::Null)];
    let verdict = define(cloud, door, &user.username, &rounds).await?;
    if verdict.get("challengeName").is_none_or(|name| name != "PASSWORD_VERIFIER") {
        return Err(unknown_challenge());
    }
    pose_exchange(cloud, door, Exchanging { login, client_value, user: Some(user), custom: Some(rounds) })
}

async fn define(cloud: &Cloud, door: &Door, username: &str, rounds: &[Value]) -> Result<Map<String, Value>, Fault> {
    let request = json!({ "session": rounds, "userNotFound": false });
    let response = json!({ "challengeName": null, "issueTokens": false, "failAuthentication": false });
    ask(cloud, door, username, "DefineAuthChallenge", request, response).await
}

fn unknown_challenge() -> Fault {
    Fault::new("InvalidLambdaResponseException", "DefineAuthChallenge returned no challenge that is known.")
}

/// Goes on after the password was proven.
pub(crate) async fn after_password(
    cloud: &Cloud,
    door: &Door,
    username: &str,
    mut rounds: Vec<Value>,
) -> Result<Value, Fault> {
    rounds.push(round("PASSWORD_VERIFIER", true, Value::Null));
    advance(cloud, door, username, rounds).await
}

/// Asks which challenge is next, and poses it.
async fn advance(cloud: &Cloud, door: &Door, username: &str, rounds: Vec<Value>) -> Result<Value, Fault> {
    if rounds.len() >= MOST_ROUNDS {
        return Err(fault::incorrect());
    }
    let verdict = define(cloud, door, username, &rounds).await?;
    let said = |name: &str| verdict.get(name) == Some(&Value::Bool(true));
    if said("failAuthentication") {
        return Err(fault::incorrect());
    }
    if said("issueTokens") {
        door.read(cloud, |pool| match pool.known_user(username)?.status {
            Status::Unconfirmed => Err(Fault::new("UserNotConfirmedException", "User is not confirmed.")),
            _ => Ok(()),
        })?;
        return finish(cloud, door, username, "TokenGeneration_Authentication").await;
    }
    match verdict.get("challengeName").and_then(Value::as_str) {
        Some("CUSTOM_CHALLENGE") => pose(cloud, door, username, rounds).await,
        _ => Err(unknown_challenge()),
    }
}

async fn pose(cloud: &Cloud, door: &Door, username: &str, rounds: Vec<Value>) -> Result<Value, Fault> {
    let request = json!({ "challengeName": "CUSTOM_CHALLENGE", "session": rounds, "userNotFound": false });
    let response =
        json!({ "publicChallengeParameters": null, "privateChallengeParameters": null, "challengeMetadata": null });
    let made = ask(cloud, door, username, "CreateAuthChallenge", request, response).await?;
    let object = |name: &str| made.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let metadata = made.get("challengeMetadata").cloned().unwrap_or_default();
    let mut public = object("publicChallengeParameters");
    public.insert("USERNAME".to_owned(), json!(username));
    let kind = Kind::Custom { rounds, private: object("privateChallengeParameters"), metadata };
    Ok(issue(cloud, door, username, kind, Value::Object(public)))
}

/// Takes an answer: the function that verifies says whether it is right, the one that defines what that means.
pub(crate) async fn respond(cloud: &Cloud, door: &Door, answer: &Answer) -> Result<Value, Fault> {
    let given = answer.required("ANSWER")?;
    let challenge = taken(cloud, door, answer.session()?, answer.required("USERNAME")?)?;
    let username = challenge.user()?.to_owned();
    let Challenge { kind: Kind::Custom { mut rounds, private, metadata }, .. } = challenge else {
        return Err(fault::no_session());
    };
    let request = json!({ "privateChallengeParameters": private, "challengeAnswer": given, "userNotFound": false });
    let response = json!({ "answerCorrect": false });
    let verdict = ask(cloud, door, &username, "VerifyAuthChallengeResponse", request, response).await?;
    let met = verdict.get("answerCorrect") == Some(&Value::Bool(true));
    rounds.push(round("CUSTOM_CHALLENGE", met, metadata));
    advance(cloud, door, &username, rounds).await
}

async fn ask(
    cloud: &Cloud,
    door: &Door,
    username: &str,
    trigger: &'static str,
    mut request: Value,
    response: Value,
) -> Result<Map<String, Value>, Fault> {
    let call = door.read(cloud, |pool| {
        let user = pool.known_user(username)?;
        request["userAttributes"] = Value::Object(user.event_attributes());
        request["clientMetadata"] = Value::Object(door.metadata.clone());
        let subject = Subject { user, client: &door.client.id, metadata: &door.metadata };
        let source = format!("{trigger}_Authentication");
        Ok(Call::new(pool, trigger, &source, &subject, request, response))
    })?;
    let call = call.ok_or_else(|| invalid("Custom auth lambda trigger is not configured for the user pool."))?;
    trigger::run(cloud, call).await
}
