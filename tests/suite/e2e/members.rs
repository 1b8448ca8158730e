//! Three doors: IAM keeps one, a function's policy another, and a user pool the third.

use serde_json::{Value, json};
use stackgen::deploy::api::{self, Call};
use stackgen::deploy::store::BOOTSTRAP_STACK;

use super::{Cloud, Stage, assert_throttled, at_once, forgery, list, remains};
use crate::support::Key;
use crate::tools::Auth;

/// The stack.
pub(super) const STACK: &str = "members";

/// The user.
const ALICE: &str = "alice@example.com";
/// The route that IAM keeps.
const WORKER: &str = "/worker";
/// The route that the function keeps.
const MEMBER: &str = "/member";
/// The route that Cognito keeps.
const CLAIMS: &str = "/claims";

/// What she signs in for.
struct Tokens {
    id: String,
    access: String,
}

/// Runs the list.
pub(super) async fn run(stage: &Stage) {
    assert_eq!(stage.project.deploy().answer["stacks"][0]["result"], "created");
    who_has_a_key_that_may_is_let_in(stage).await;
    stage.project.done(&["user", "create", ALICE]);
    let tokens = Tokens { id: token(stage, "--id"), access: token(stage, "--access") };
    a_decision_is_recalled(stage, &tokens).await;
    nobody_gets_past_the_policy(stage, &tokens);
    her_id_token_opens_the_door_that_cognito_keeps(stage, &tokens);
    nobody_gets_past_cognito(stage, &tokens).await;
    assert_eq!(stage.project.deploy().answer["stacks"][0]["result"], "unchanged");
    an_update_asks_for_a_scope(stage, &tokens);
    who_is_too_fast_is_told_so(stage, &tokens);
    nothing_is_left(stage).await;
}

fn token(stage: &Stage, kind: &str) -> String {
    stage.project.done(&["token", ALICE, kind])["token"].as_str().expect("it is a token").to_owned()
}

fn knock(stage: &Stage, path: &str, token: Option<&str>) -> Value {
    stage.call("GET", path, token.map(|token| ("Authorization", token)).as_slice(), None)
}

async fn who_has_a_key_that_may_is_let_in(stage: &Stage) {
    let api = stage.physical_id("Api").await;
    let [worker, stranger] = [user(stage, "worker").await, user(stage, "stranger").await];
    may_invoke(stage, "worker", &format!("arn:aws:execute-api:us-east-1:*:{api}/$default/GET{WORKER}")).await;
    let unsigned = answer(stage, &api, None).await;
    assert_eq!(unsigned, (403, json!({ "message": "Forbidden" })));
    let signed = answer(stage, &api, Some(&worker)).await;
    let greeting = signed.1["message"].as_str().unwrap_or_default();
    assert!(signed.0 == 200 && greeting.ends_with(":user/worker."), "{signed:?}");
    if stage.auth == Auth::Enforced {
        // ministack looks at a signature, and at what its key may do, only where it looks at who is calling.
        let forged = Key { secret: worker.secret.chars().rev().collect(), ..worker };
        for (who, key) in [("who may not", stranger), ("who has not got the secret", forged)] {
            let refused = answer(stage, &api, Some(&key)).await;
            assert_eq!(refused.0, 403, "{who}: {}", refused.1);
        }
    }
}

/// A new user's key.
async fn user(stage: &Stage, name: &str) -> Key {
    remains::iam(&stage.config, &[("Action", "CreateUser"), ("UserName", name)]).await;
    let made = remains::iam(&stage.config, &[("Action", "CreateAccessKey"), ("UserName", name)]).await;
    let member = |name: &str| {
        let (_, rest) = made.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {made}"));
        rest.split('<').next().unwrap_or_default().to_owned()
    };
    Key { id: member("AccessKeyId"), secret: member("SecretAccessKey"), token: None }
}

async fn may_invoke(stage: &Stage, user: &str, arn: &str) {
    let statement = json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let form = [("Action", "PutUserPolicy"), ("UserName", user), ("PolicyName", "invoke"), ("PolicyDocument", &policy)];
    remains::iam(&stage.config, &form).await;
}

/// What the route that IAM keeps answers to a request with this signature.
async fn answer(stage: &Stage, api: &str, key: Option<&Key>) -> (u16, Value) {
    let endpoint = stage.config.endpoint_url().expect("the configuration is whole");
    let url = format!("{endpoint}/_aws/execute-api/{api}{WORKER}");
    let headers = key.map(|key| key.signature("execute-api", "GET", &url, b"")).unwrap_or_default();
    let call = Call { method: "GET".to_owned(), path: WORKER.to_owned(), headers, body: None };
    let answer = api::send(&url, &call).await.expect("the API answers");
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// The function is asked about a token once, whatever its policy says.
async fn a_decision_is_recalled(stage: &Stage, tokens: &Tokens) {
    for (token, status) in [(tokens.access.as_str(), 200), ("rubbish", 403)] {
        let before = stage.runs("Authorizer").await;
        for _ in 0..3 {
            let answer = knock(stage, MEMBER, Some(token));
            assert_eq!(answer["status"], status, "{answer}");
        }
        assert_eq!(stage.runs("Authorizer").await, before + 1, "{status}");
    }
    let greeted = knock(stage, MEMBER, Some(&format!("Bearer {}", tokens.access)));
    let name = forgery::claims(&tokens.access)["username"].clone();
    let name = name.as_str().expect("an access token names the user");
    assert_eq!(greeted["body"], json!({ "message": format!("Hello, {name}.") }), "{greeted}");
}

fn nobody_gets_past_the_policy(stage: &Stage, tokens: &Tokens) {
    let bare = knock(stage, MEMBER, None);
    assert_eq!((&bare["status"], &bare["body"]), (&json!(401), &json!({ "message": "Unauthorized" })), "{bare}");
    let mut wrong = forged(&tokens.access);
    wrong.push(("an ID token", tokens.id.clone()));
    for (what, token) in wrong {
        let refused = knock(stage, MEMBER, Some(&token));
        assert_eq!((&refused["status"], &refused["body"]), (&json!(403), &json!({ "message": "Forbidden" })), "{what}");
    }
}

/// What is made of a good token and is none.
fn forged(token: &str) -> Vec<(&'static str, String)> {
    let mut mallory = forgery::claims(token);
    mallory["sub"] = json!("mallory");
    vec![
        ("rubbish", "rubbish".to_owned()),
        ("tampered signature", forgery::with_broken_signature(token)),
        ("tampered claims", forgery::with_claims(token, &mallory)),
    ]
}

fn her_id_token_opens_the_door_that_cognito_keeps(stage: &Stage, tokens: &Tokens) {
    for token in [tokens.id.clone(), format!("Bearer {}", tokens.id)] {
        let open = knock(stage, CLAIMS, Some(&token));
        assert_eq!((&open["status"], &open["body"]["claims"]["email"]), (&json!(200), &json!(ALICE)), "{open}");
    }
}

async fn nobody_gets_past_cognito(stage: &Stage, tokens: &Tokens) {
    let mut wrong = forged(&tokens.id);
    wrong.push(("another pool's", list::token_of_another_pool(stage).await));
    if stage.cloud == Cloud::Embedded {
        // ministack takes both kinds of tokens, whether the route asks for a scope or not.
        wrong.push(("an access token", tokens.access.clone()));
    }
    for (what, token) in wrong.iter().map(|(what, token)| (*what, Some(token.as_str()))).chain([("none", None)]) {
        let refused = knock(stage, CLAIMS, token);
        let told = (&refused["status"], &refused["body"]);
        assert_eq!(told, (&json!(401), &json!({ "message": "Unauthorized" })), "{what}: {refused}");
    }
}

/// With a scope, it is the access token that counts.
fn an_update_asks_for_a_scope(stage: &Stage, tokens: &Tokens) {
    let route = "GET /claims: { function: Protected, authorizer: Members";
    stage.project.edit(route, &format!("{route}, scopes: [aws.cognito.signin.user.admin]"));
    stage.project.deploy_accepting("GET /claims");
    let status = |token: &str| knock(stage, CLAIMS, Some(token))["status"].clone();
    assert_eq!((status(&tokens.access), status(&tokens.id)), (json!(200), json!(401)));
}

/// The stack's own limits are for hundreds of callers.
fn who_is_too_fast_is_told_so(stage: &Stage, tokens: &Tokens) {
    const LIMITS: &str = "throttle: { rate: 1, burst: 1 }";
    stage.project.edit("prod: { loggingLevel: error }", &format!("prod: {{ loggingLevel: error, {LIMITS} }}"));
    stage
        .project
        .edit("    name: members\n", &format!("    name: members\n    stages: {{ $default: {{ {LIMITS} }} }}\n"));
    stage.project.deploy();
    assert_throttled(&at_once(8, || knock(stage, CLAIMS, Some(&tokens.access))));
    if stage.cloud == Cloud::Embedded {
        // ministack does not throttle HTTP APIs.
        assert_throttled(&at_once(8, || knock(stage, MEMBER, Some(&tokens.access))));
        assert_throttled(&at_once(8, || stage.call("GET", WORKER, &[], None)));
    }
}

async fn nothing_is_left(stage: &Stage) {
    let gone = stage.project.destroy();
    assert_eq!(gone.answer["stacks"], json!([{ "stack": STACK, "existed": true, "left": [] }]));
    assert_eq!(remains::all(&stage.config).await, [format!("stack {BOOTSTRAP_STACK}")]);
}
