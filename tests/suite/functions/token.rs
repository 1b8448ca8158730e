//! The authorizer that compares with a secret, as the program that Lambda runs, and a Secrets Manager that the test
//! holds in its hand.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::bootstrap::{Bootstrap, Program};
use super::events::{fixtures, refusal};

const API: &str = "arn:aws:execute-api:us-east-1:123456789012:abc123";

/// What Secrets Manager answers, and how often it was asked.
struct Held {
    answer: (StatusCode, Value),
    asked: usize,
}

struct SecretsManager {
    endpoint: String,
    held: Arc<Mutex<Held>>,
    serving: JoinHandle<()>,
}

impl SecretsManager {
    async fn with(secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port can be had");
        let endpoint = format!("http://{}", listener.local_addr().expect("it has an address"));
        let held = Arc::new(Mutex::new(Held { answer: secret_value(secret), asked: 0 }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&held));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("serving goes on") });
        Self { endpoint, held, serving }
    }

    fn answers(&self, answer: (StatusCode, Value)) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).answer = answer;
    }

    fn asked(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).asked
    }
}

impl Drop for SecretsManager {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(held): State<Arc<Mutex<Held>>>) -> (StatusCode, String) {
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    held.asked += 1;
    (held.answer.0, held.answer.1.to_string())
}

fn secret_value(secret: &str) -> (StatusCode, Value) {
    (StatusCode::OK, json!({ "ARN": "arn", "Name": "token", "SecretString": secret }))
}

fn fault(name: &str) -> (StatusCode, Value) {
    (StatusCode::BAD_REQUEST, json!({ "__type": name, "message": "no" }))
}

async fn started(manager: &SecretsManager, more: &[(&'static str, &str)]) -> Bootstrap {
    let program = tokio::task::spawn_blocking(|| Program::build("token-authorizer", None)).await.expect("it builds");
    let mut environment = vec![
        ("API_TOKEN_SECRET", "arn:aws:secretsmanager:us-east-1:123456789012:secret:token".to_owned()),
        ("AWS_ENDPOINT_URL", manager.endpoint.clone()),
    ];
    environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    program.start(&environment).await
}

/// `Allow` or `Deny`, or the message of the error.
async fn verdict(function: &Bootstrap, event: Value) -> String {
    match function.invoke(&event).await {
        Ok(policy) => policy["policyDocument"]["Statement"][0]["Effect"].as_str().unwrap_or_default().to_owned(),
        Err(error) => error["errorMessage"].as_str().unwrap_or_default().to_owned(),
    }
}

fn event(token: &str) -> Value {
    json!({ "type": "TOKEN", "authorizationToken": token, "methodArn": format!("{API}/test/GET/notes") })
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_knows_the_secret_passes() {
    let manager = SecretsManager::with("hunter2\n").await;
    let function = started(&manager, &[]).await;
    let answer = function.invoke(&event("hunter2")).await.expect("it is a policy");
    let statement = json!({ "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": format!("{API}/test/*/*") });
    assert_eq!(answer["policyDocument"]["Statement"], json!([statement]));
    assert!(!answer.to_string().contains("hunter2"), "the token is not the principal: {answer}");
    for wrong in ["hunter", "hunter24", "HUNTER2", "Basic hunter2", "\n", "hunter2,hunter2"] {
        let expected = if wrong.trim().is_empty() { "Unauthorized" } else { "Deny" };
        assert_eq!(verdict(&function, event(wrong)).await, expected, "{wrong}");
    }
    assert_eq!(verdict(&function, event("Bearer hunter2")).await, "Allow");
    assert_eq!(manager.asked(), 2, "once for the secret, once for all wrong tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_counts_at_once_and_the_old_one_no_more() {
    let manager = SecretsManager::with("old").await;
    let function = started(&manager, &[]).await;
    assert_eq!(verdict(&function, event("old")).await, "Allow");
    manager.answers(secret_value("new"));
    assert_eq!(verdict(&function, event("new")).await, "Allow");
    assert_eq!(verdict(&function, event("old")).await, "Deny");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_outlived_but_not_a_revocation() {
    let manager = SecretsManager::with("abc123").await;
    let function = started(&manager, &[]).await;
    assert_eq!(verdict(&function, event("abc123")).await, "Allow");
    manager.answers(fault("InternalServiceError"));
    assert_eq!(verdict(&function, event("wrong")).await, "Deny");
    assert_eq!(verdict(&function, event("abc123")).await, "Allow");

    let manager = SecretsManager::with("abc123").await;
    let function = started(&manager, &[]).await;
    assert_eq!(verdict(&function, event("abc123")).await, "Allow");
    manager.answers(fault("ResourceNotFoundException"));
    assert_eq!(verdict(&function, event("wrong")).await, "the caller cannot be checked now");
    assert_eq!(verdict(&function, event("abc123")).await, "the caller cannot be checked now");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_passes_without_a_secret() {
    let manager = SecretsManager::with("").await;
    let function = started(&manager, &[]).await;
    for token in ["", "abc123", "null"] {
        assert_ne!(verdict(&function, event(token)).await, "Allow", "{token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_opens_the_door_that_a_token_guards() {
    let manager = SecretsManager::with("abc123").await;
    let function = started(&manager, &[("TOKEN_HEADER", "X-None-Of-Them-Has-This")]).await;
    for (name, event) in fixtures() {
        if event["type"] == "TOKEN" {
            assert_eq!(verdict(&function, event).await, "Deny", "{name}");
            continue;
        }
        let answer = function.invoke(&event).await;
        match (answer, refusal(&event)) {
            (Ok(answer), Ok(expected)) => assert_eq!(answer, expected, "{name}"),
            (Err(error), Err(authorizer::Error::Unauthorized)) => assert_eq!(error["errorMessage"], "Unauthorized"),
            (Err(error), Err(_)) => assert_ne!(error["errorMessage"], "Unauthorized", "{name}: {error}"),
            (answer, expected) => panic!("{name}: {answer:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_api_presents_its_token_where_it_is_configured() {
    let manager = SecretsManager::with("headerValue1").await;
    let function = started(&manager, &[("TOKEN_HEADER", "headerauth1")]).await;
    let fixtures = fixtures();
    let named = |name: &str| {
        let found = fixtures.iter().find(|(file, _)| file == name);
        found.unwrap_or_else(|| panic!("there is no {name}")).1.clone()
    };
    for rest in
        ["example-apigw-custom-auth-request-type-request.json", "example-apigw-v2-custom-authorizer-v1-request.json"]
    {
        assert_eq!(verdict(&function, named(rest)).await, "Allow", "{rest}");
    }
    let manager = SecretsManager::with("value").await;
    let function = started(&manager, &[("TOKEN_QUERY", "parameter2")]).await;
    let socket = named("example-apigw-v2-custom-authorizer-websocket-request.json");
    assert_eq!(verdict(&function, socket).await, "Allow");
    let http = named("example-apigw-v2-custom-authorizer-v2-request.json");
    let answer = function.invoke(&http).await;
    assert_eq!(answer.map(|answer| answer["isAuthorized"].clone()), Ok(json!(true)));
    let function = started(&manager, &[("TOKEN_QUERY", "parameter2"), ("SIMPLE_RESPONSES", "false")]).await;
    assert_eq!(verdict(&function, http).await, "Allow");
}
