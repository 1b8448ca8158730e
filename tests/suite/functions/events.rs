//! Every event of API Gateway and Cognito that the crate `aws_lambda_events` carries, put to every function.

use std::fs;
use std::path::{Path, PathBuf};

use authorizer::{Error, Event};
use cargo_metadata::MetadataCommand;
use cognito_authorizer::Authorizer;
use serde_json::{Value, json};

use super::bootstrap::Program;

/// An event, by the name of its file.
pub(super) type Fixture = (String, Value);

/// All of them, from the package as it was published.
pub(super) fn fixtures() -> Vec<Fixture> {
    let folder = package("aws_lambda_events").join("src/fixtures");
    let listing = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = listing.map(|entry| entry.expect("the folder can be listed").path()).collect();
    files.sort();
    let fixtures: Vec<Fixture> = files.iter().filter_map(|file| fixture(file)).collect();
    assert!(fixtures.len() >= 50, "the package has {} events", fixtures.len());
    fixtures
}

fn fixture(file: &Path) -> Option<Fixture> {
    let name = file.file_name()?.to_string_lossy().into_owned();
    let wanted = name.starts_with("example-apigw-") || name.starts_with("example-cognito-");
    let text = wanted.then(|| fs::read(file).unwrap_or_else(|error| panic!("{name}: {error}")))?;
    // One was published with a placeholder in the name of its host, which no request can have.
    let text = String::from_utf8_lossy(&text).replace("{dns_suffix}", "amazonaws.com");
    Some((name.clone(), serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))))
}

/// Where cargo has put the source of a dependency.
fn package(name: &str) -> PathBuf {
    // Not `--offline`: the packages of other platforms are listed too, and a build for this one has not fetched them.
    let locked = ["--locked".to_owned()];
    let metadata = MetadataCommand::new().current_dir(env!("CARGO_MANIFEST_DIR")).other_options(locked).exec();
    let metadata = metadata.unwrap_or_else(|error| panic!("the dependencies are not known: {error}"));
    let package = metadata.packages.iter().find(|package| package.name.as_str() == name);
    let manifest = &package.expect("it is a dependency").manifest_path;
    manifest.parent().expect("a manifest lies in a folder").as_std_path().to_owned()
}

/// What an authorizer answers to an event that has no token for it.
pub(super) fn refusal(event: &Value) -> Result<Value, Error> {
    let is_asked = event["type"].is_string() && (event["methodArn"].is_string() || event["routeArn"].is_string());
    match event["version"].as_str() {
        _ if !is_asked => Err(Error::Event),
        Some("2.0") => Ok(json!({ "isAuthorized": false })),
        Some("1.0") => Ok(denied(event["methodArn"].as_str().unwrap_or_default())),
        _ => Err(Error::Unauthorized),
    }
}

fn denied(method: &str) -> Value {
    let stage: Vec<&str> = method.splitn(3, '/').take(2).collect();
    let statement =
        json!({ "Action": "execute-api:Invoke", "Effect": "Deny", "Resource": format!("{}/*", stage.join("/")) });
    json!({
        "principalId": "nobody",
        "policyDocument": { "Version": "2012-10-17", "Statement": [statement] },
    })
}

#[tokio::test]
async fn no_event_opens_the_door_that_cognito_guards() {
    let variable = |name: &str| match name {
        "USER_POOL_ID" => Some("us-east-1_Ab1".to_owned()),
        "CLIENT_IDS" => Some("web".to_owned()),
        "TOKEN_HEADER" => Some("X-None-Of-Them-Has-This".to_owned()),
        // Nobody listens there: the token of the one event that has one cannot be checked.
        "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:1".to_owned()),
        _ => None,
    };
    let authorizer = Authorizer::read(variable).expect("the environment describes one");
    for (name, event) in fixtures() {
        let expected = match event["authorizationToken"].is_string() && event["type"] == "TOKEN" {
            true => Err(Error::Unavailable),
            false => refusal(&event),
        };
        let answer = match serde_json::from_value::<Event>(event) {
            Ok(event) => authorizer.answer(&event).await,
            Err(_) => Err(Error::Event),
        };
        assert_eq!(answer, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_answered_by_every_function_behind_a_route() {
    let environment = [
        ("NOTES_TABLE", "notes"),
        ("SENDER_IDENTITY", "sender@example.com"),
        ("RECIPIENT", "ann@example.com"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let environment = environment.map(|(name, value)| (name, value.to_owned()));
    let functions = [
        ("hello", None, 401),
        ("protected", None, 401),
        ("notes", Some("get-notes"), 400),
        ("notes", Some("put-note"), 400),
        ("notes", Some("list-notes"), 400),
        ("notes", Some("delete-note"), 400),
        ("send-email", None, 400),
    ];
    for (name, binary, status) in functions {
        let program = tokio::task::spawn_blocking(move || Program::build(name, binary)).await.expect("it builds");
        let function = program.start(&environment).await;
        for (file, event) in fixtures().iter().filter(|(_, event)| is_http(event)) {
            let answer = function.invoke(event).await;
            let answer = answer.unwrap_or_else(|error| panic!("{name} {binary:?} {file}: {error}"));
            let expected = if knows_the_caller(name, event) { 200 } else { status };
            assert_eq!(answer["statusCode"], expected, "{name} {binary:?} {file}: {answer}");
            let body = answer["body"].as_str().unwrap_or_default();
            assert!(serde_json::from_str::<Value>(body).is_ok_and(|body| body.is_object()), "{file}: {answer}");
        }
    }
}

/// Whether it is a request to a function behind a route: not an authorizer's, nor an answer, nor a message of a socket.
fn is_http(event: &Value) -> bool {
    let context = &event["requestContext"];
    let has_method = context["http"]["method"].is_string() || event["httpMethod"].is_string();
    event["type"].is_null() && has_method && context["connectionId"].is_null()
}

/// Whether an authorizer has told these functions of a caller. None of the claims in these events is a name.
fn knows_the_caller(function: &str, event: &Value) -> bool {
    let authorizer = &event["requestContext"]["authorizer"];
    match function {
        "protected" => authorizer["jwt"]["claims"].is_object(),
        "hello" => authorizer["principalId"].is_string() || authorizer["iam"]["userArn"].is_string(),
        _ => false,
    }
}
