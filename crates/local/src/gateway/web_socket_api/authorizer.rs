//! Who may open a connection: the authorization of `$connect`.
//!
//! Decisions are not kept: API Gateway asks a Lambda authorizer for each connection.
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>.

use std::time::Duration;

use serde_json::{Map, Value};

use super::access_log::Notes;
use super::event::{self, Identity};
use super::refusal::Refusal;
use super::turn::{Routed, Turn};
use crate::apigatewayv2::Authorizer;
use crate::cloud::Cloud;
use crate::gateway::function::{self, Problem, Wanted, with_stage_variables};
use crate::gateway::invoked::Invoked;
use crate::gateway::request::query;
use crate::gateway::signer::{self, Signer};
use crate::iam::policy::{Policy, Verdict};

/// How long AWS waits for an authorizer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Who asks for a connection, if the route lets them. A kind of authorization that is not known lets nobody pass.
pub(super) async fn authorize(
    cloud: &Cloud,
    turn: &Turn,
    routed: &Routed,
    notes: &mut Notes,
) -> Result<Identity, Refusal> {
    let kind = routed.route.authorization_type.as_deref().unwrap_or_default();
    match (kind, &routed.authorizer) {
        ("NONE", _) => Ok(Identity::Unknown),
        ("AWS_IAM", _) => signed(cloud, turn).ok_or(Refusal::Forbidden),
        ("CUSTOM", Some((id, authorizer))) if authorizer.authorizer_type == "REQUEST" => {
            let identified = authorizer.identity_source.iter().all(|source| is_there(turn, source));
            if !identified {
                return Err(Refusal::Unauthorized);
            }
            ask(cloud, turn, id, authorizer, notes).await
        }
        _ => Err(Refusal::Forbidden),
    }
}

/// Who signed the request, if they may open a connection.
fn signed(cloud: &Cloud, turn: &Turn) -> Option<Identity> {
    let signed = signer::signed(cloud, &turn.client.request, turn.time).ok()?;
    cloud.read(|account| {
        let verdict = signer::verdict(account, &signed.caller, &signer::invoking(&turn.bound.route_arn()), turn.time);
        Signer::of(account, &signed).filter(|_| verdict == Verdict::Allowed).map(Identity::Signer)
    })
}

async fn ask(
    cloud: &Cloud,
    turn: &Turn,
    id: &str,
    authorizer: &Authorizer,
    notes: &mut Notes,
) -> Result<Identity, Refusal> {
    let arn = turn.bound.route_arn();
    let event = event::of_authorizer(turn, &arn);
    let uri = authorizer.authorizer_uri.as_deref().unwrap_or_default();
    let uri = with_stage_variables(uri, &turn.bound.stage.stage_variables);
    let caller = turn.bound.arn(&format!("authorizers/{id}"));
    let asked = cloud.now();
    let result = function::invoke(cloud, Wanted { uri: &uri, caller: &caller, event: &event, timeout: TIMEOUT }).await;
    if result.as_ref().is_err_and(Problem::says_unauthorized) {
        return Err(Refusal::Unauthorized);
    }
    let decision = result.map_err(|problem| format!("the authorizer: {}", problem.logged())).and_then(|result| {
        let result = serde_json::from_slice(&result).ok();
        let decision = result.as_ref().and_then(Decision::read);
        decision.ok_or_else(|| "the authorizer function gave an answer that is not of the form".to_owned())
    });
    let Decision { document, mut context } = decision.map_err(|reason| {
        notes.authorizer_error = Some(reason);
        Refusal::InternalServerError
    })?;
    if Invoked::plain(arn).judged_by(&document) != Verdict::Allowed {
        return Err(Refusal::Forbidden);
    }
    let latency = i64::try_from((cloud.now() - asked).whole_milliseconds()).unwrap_or_default();
    context.insert("integrationLatency".to_owned(), latency.into());
    Ok(Identity::Function(context))
}

/// What a function decided: for what its policy allows.
#[derive(Debug, Clone, PartialEq)]
struct Decision {
    document: Value,
    /// What it said of the client, and `principalId`.
    context: Map<String, Value>,
}

impl Decision {
    /// Values of the context are passed on as text; lists and objects cannot be.
    fn read(result: &Value) -> Option<Self> {
        let document = result.get("policyDocument")?;
        Policy::parse_identity(document).ok()?;
        let principal = result.get("principalId")?.as_str()?;
        let mut context = Map::from_iter([("principalId".to_owned(), principal.into())]);
        match result.get("context") {
            None | Some(Value::Null) => {}
            Some(Value::Object(said)) => {
                for (name, value) in said {
                    context.insert(name.clone(), as_text(value)?);
                }
            }
            Some(_) => return None,
        }
        Some(Self { document: document.clone(), context })
    }
}

fn as_text(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) | Value::Null => Some(value.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string().into()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether the request holds what an identity source names, and it is not empty.
fn is_there(turn: &Turn, source: &str) -> bool {
    let request = &turn.client.request;
    let value = if let Some(name) = source.strip_prefix("route.request.header.") {
        let values = request.headers.get_all(name.to_ascii_lowercase());
        values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect()
    } else if let Some(name) = source.strip_prefix("route.request.querystring.") {
        query(&request.query).remove(name).map(|values| values.concat()).unwrap_or_default()
    } else if let Some(name) = source.strip_prefix("stageVariables.") {
        turn.bound.stage.stage_variables.get(name).cloned().unwrap_or_default()
    } else {
        let name = source.strip_prefix("context.").unwrap_or_default();
        super::access_log::context(name, turn).unwrap_or_default()
    };
    !value.is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Decision, Invoked, Verdict};

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:abc/prod/$connect";

    fn statement(effect: &str, resource: &str) -> Value {
        let statement = json!({ "Effect": effect, "Action": "execute-api:Invoke", "Resource": resource });
        json!({ "Version": "2012-10-17", "Statement": [statement] })
    }

    #[test]
    fn a_policy_is_for_the_route() {
        let verdict = |effect: &str, resource: &str| Invoked::plain(ARN).judged_by(&statement(effect, resource));
        assert_eq!(verdict("Allow", ARN), Verdict::Allowed);
        assert_eq!(verdict("Allow", "arn:aws:execute-api:*:*:abc/*"), Verdict::Allowed);
        assert_eq!(verdict("Deny", ARN), Verdict::Denied);
        assert_eq!(verdict("Allow", "arn:aws:execute-api:*:*:abc/*/$default"), Verdict::NotAllowed);
    }

    #[test]
    fn a_decision_has_a_principal_a_policy_and_a_flat_context() {
        let result = |context: Value| json!({ "principalId": "p", "policyDocument": statement("Allow", "*"), "context": context });
        let decision = Decision::read(&result(json!({ "n": 1, "t": true, "s": "x" }))).expect("it is of the form");
        let expected = json!({ "principalId": "p", "n": "1", "t": "true", "s": "x" });
        assert_eq!(Value::Object(decision.context), expected);
        for broken in
            [result(json!([])), result(json!({ "a": [] })), json!({ "principalId": "p" }), json!("Unauthorized")]
        {
            assert_eq!(Decision::read(&broken), None, "{broken}");
        }
        assert_eq!(Decision::read(&json!({ "policyDocument": statement("Allow", "*") })), None);
    }
}
