//! `call`: whose token is sent, what is sent, and what is made of the answer.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};
use stackgen::deploy::api::{Call, send, signature};
use stackgen::deploy::aws::{Account, Keys, Target};

use crate::deploy::{Project, Told, USERS};
use crate::disk::limited;

/// Two pools, each with a route of its own, and a client of which no route takes tokens.
const TWO: &str = "\
userPools:
  Users: { usernameAttributes: [email], autoVerifiedAttributes: [email], removal: destroy }
  Staff: { usernameAttributes: [email], autoVerifiedAttributes: [email], removal: destroy }
userPoolClients:
  Web: { userPool: Users, authFlows: [userSrp] }
  Desk: { userPool: Staff, authFlows: [userSrp] }
  Back: { userPool: Staff, authFlows: [userSrp] }
functions:
  Echo: { directory: function }
httpApis:
  Api:
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
      Workers: { jwt: { userPool: Staff, clients: [Desk] } }
    routes:
      GET /me: { function: Echo, authorizer: Members }
      GET /desk: { function: Echo, authorizer: Workers }
";

/// An API whose one route answers with the request, and the other with what a file says.
const OPEN: &str = "\
functions:
  Echo: { directory: function }
  Scripted: { directory: function, environment: { BEHAVIOUR: scripted, SCRIPT: '{script}' } }
httpApis:
  Api:
    routes:
      POST /echo: { function: Echo, public: true }
      GET /scripted: { function: Scripted, public: true }
";

fn deployed(stack: &str) -> Project {
    let project = Project::with(stack);
    let script = project.path().join("script.json").display().to_string();
    project.write(&stack.replace("{script}", &script));
    project.put_program("function", include_str!("support/bootstrap.py"));
    project.run("deploy --local").ended(0);
    project
}

#[test]
fn users_of_the_same_name_are_told_apart_by_their_pools() {
    let project = deployed(TWO);
    for pool in ["Users", "Staff"] {
        project.run(&format!("user create carol@example.com --pool {pool}")).ended(0);
    }
    let as_carol = |path: &str| project.run(&format!("call GET {path} --as carol@example.com"));
    as_carol("/me").ended(0);
    as_carol("/desk").ended(0);
    project.run("call GET /me --as carol@example.com --pool Users --client Web").ended(0);
    project.run("call GET /me --as carol@example.com --pool Staff --client Desk").ended(1).says("401");

    project.run("user delete carol@example.com --pool Staff").ended(0);
    fs::remove_dir_all(project.path().join(".stackgen/tokens")).expect("tokens were kept");
    as_carol("/me").ended(0);
    as_carol("/desk").ended(2).says("no password was given");
    project.run("user create carol@example.com --pool Users").ended(1).says("carol@example.com --pool Users`");
}

#[test]
fn an_answer_is_told_whole() {
    let project = deployed(OPEN);
    let answer = |document: &Value| {
        fs::write(project.path().join("script.json"), document.to_string()).expect("the folder is ours");
    };
    answer(&json!({ "statusCode": 200, "cookies": ["a=1", "b=2"], "body": "//4A", "isBase64Encoded": true }));
    let told = project.json("call GET /scripted");
    assert_eq!(told["headers"]["set-cookie"], json!(["a=1", "b=2"]), "{told}");
    assert_eq!((&told["bodyBase64"], told.get("body")), (&json!("//4A"), None), "{told}");
    project.run("call GET /scripted").ended(0).says("3 bytes that are no text").says("--body-file");
    project.run("call GET /scripted --body-file kept").ended(0).says("3 bytes in kept");
    assert_eq!(fs::read(project.path().join("kept")).expect("it is written"), [0xff, 0xfe, 0]);
    let told = project.json("call GET /scripted --body-file kept");
    assert_eq!((&told["bodyFile"], told.get("bodyBase64")), (&json!("kept"), None), "{told}");
    answer(&json!({ "statusCode": 200, "cookies": ["a=1"], "body": "grün" }));
    let told = project.json("call GET /scripted");
    assert_eq!((&told["headers"]["set-cookie"], &told["body"]), (&json!("a=1"), &json!("grün")), "{told}");
}

#[test]
fn a_body_that_its_file_does_not_take_is_told() {
    let project = deployed(OPEN);
    let body = "word ".repeat(500);
    let answer = json!({ "statusCode": 200, "body": body }).to_string();
    fs::write(project.path().join("script.json"), answer).expect("the folder is ours");
    let told = limited(&project, 512, "call GET /scripted --body-file kept", &[]);
    told.ended(1).says("`kept` cannot be written").says("File too large").says("200").says(body.trim_end());
    let told = limited(&project, 512, "call GET /scripted --body-file kept --output json", &[]);
    let document: Value = serde_json::from_str(&told.ended(1).stdout).expect("it is one document");
    assert_eq!((&document["status"], &document["body"]), (&json!(200), &json!(body)), "{document}");
    assert_eq!(document["error"]["message"], "`kept` cannot be written", "{document}");
}

#[test]
fn a_body_comes_from_a_file_or_from_standard_input() {
    let project = deployed(OPEN);
    fs::write(project.path().join("picture"), [0x89, b'P', 0xff, 0]).expect("the folder is ours");
    let sent = project.json("call POST /echo --data @picture");
    assert_eq!(sent["body"]["headers"]["content-type"], "application/octet-stream", "{sent}");
    assert_eq!(sent["body"]["body"], "iVD/AA==");

    let mut program = project.command("call POST /echo --data @- --output json");
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = program.spawn().expect("the program runs");
    let mut input = running.stdin.take().expect("it is piped");
    input.write_all(br#"{"a":1}"#).expect("the program listens");
    drop(input);
    let told = Told::of(&running.wait_with_output().expect("it ends"));
    let sent: Value = serde_json::from_str(&told.ended(0).stdout).expect("it is JSON");
    assert_eq!(sent["body"]["headers"]["content-type"], "application/json", "{sent}");
    assert_eq!(sent["body"]["body"], r#"{"a":1}"#);
}

/// Deletes an API behind CloudFormation's back.
async fn delete(project: &Project, path: &str) {
    let environment = project.environment();
    let said = |wanted: &str| environment.iter().find(|(name, _)| name == wanted).expect("it is told").1.clone();
    let target = Target {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(said("AWS_ENDPOINT_URL")),
        keys: Some(Keys { access_key_id: said("AWS_ACCESS_KEY_ID"), secret_access_key: said("AWS_SECRET_ACCESS_KEY") }),
        ..Target::default()
    };
    let account = Account::connect(&target).await.expect("the cloud answers");
    let url = format!("{}{path}", said("AWS_ENDPOINT_URL"));
    let call = Call { method: "DELETE".to_owned(), path: String::new(), headers: Vec::new(), body: None };
    let headers = signature(&account, "apigateway", &url, &call).await.expect("it can be signed");
    let answer = send(&url, &Call { headers, ..call }).await.expect("the cloud answers");
    assert!((200..300).contains(&answer.status), "{}", String::from_utf8_lossy(&answer.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_behind_the_stacks_back_is_told() {
    let rest = "\
restApis:
  Api:
    routes: { GET /a: { mock: { body: a, contentType: text/plain }, public: true } }
    stages: { only: {} }
    cloudWatchRole: destroy
outputs:
  api: { ref: Api }
";
    let http = format!("{OPEN}outputs:\n  api: {{ ref: Api }}\n");
    for (stack, call, root) in [(rest, "call GET /a", "/restapis"), (&http, "call POST /echo", "/v2/apis")] {
        let project = deployed(stack);
        project.run(call).ended(0);
        let api = project.run("outputs --only api").ended(0).stdout.trim().to_owned();
        delete(&project, &format!("{root}/{api}")).await;
        project
            .run(call)
            .ended(1)
            .says("API `Api` of stack `notes` is not there any more")
            .says("`stackgen destroy notes --local`");
    }
}

#[test]
fn wrong_usage_is_a_document_too() {
    let project = Project::with(USERS);
    let told = project.run("call GET / --nope --output json");
    let document: Value = serde_json::from_str(&told.ended(2).stdout).expect("standard output is one document");
    assert_eq!(document["error"]["code"], "stackgen::usage");
    assert_eq!(document["error"]["message"], "unexpected argument '--nope' found");
    assert!(document["error"]["help"].as_str().is_some_and(|help| help.contains("Usage: stackgen call")), "{document}");
    assert_eq!(told.stderr, "");
    project.run("call GET / --nope").ended(2).says("unexpected argument '--nope'");
    project.run("call --help --output json").ended(0).says("Usage: stackgen call");
}
