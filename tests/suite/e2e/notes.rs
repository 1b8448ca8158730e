//! Notes behind a Lambda authorizer, called as their tutorial calls them, and refused as it refuses.

use serde_json::{Value, json};
use stackgen::deploy::store::BOOTSTRAP_STACK;

use super::{Stage, assert_throttled, at_once, remains};

/// The stack.
pub(super) const STACK: &str = "notes";

/// Runs the list.
pub(super) async fn run(stage: &Stage) {
    let deployed = stage.project.deploy();
    assert_eq!(deployed.answer["stacks"][0]["result"], "created");
    let token = stage.secret("ApiToken").await;
    assert!(token.len() >= 32, "nobody guesses it");
    let token = a_token_that_is_changed_counts_at_once(stage, &token).await;
    nobody_gets_in_without_the_token(stage, &token);
    a_note_is_written_read_listed_and_deleted(stage, &token);
    a_request_that_is_wrong_is_told_so(stage, &token);
    what_is_not_there_is_told_apart(stage, &token);
    notes_are_listed_by_the_page(stage, &token);
    the_token_is_nowhere_to_be_read(stage, &token).await;
    assert_eq!(stage.project.deploy().answer["stacks"][0]["result"], "unchanged");
    who_is_too_fast_is_told_so(stage, &token);
    nothing_is_left(stage).await;
}

/// The answer to a request with a token.
fn call(stage: &Stage, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Value {
    let header = token.map(|token| ("authorizationToken", token));
    stage.call(method, path, header.as_slice(), body)
}

/// The new one, while the gateway lets the old one in as long as it recalls what was decided about it.
async fn a_token_that_is_changed_counts_at_once(stage: &Stage, token: &str) -> String {
    let status = |token: &str| call(stage, "GET", "/notes?userId=ann&noteId=1", Some(token), None)["status"].clone();
    assert_eq!(status(token), 404, "the first one is let in");
    let (first, second) = token.split_at(token.len() / 2);
    let new = format!("{second}{first}");
    stage.change_secret("ApiToken", &new).await;
    assert_eq!(status(&new), 404, "the new one is let in");
    assert_eq!(status(token), 404, "the gateway recalls its decision");
    new
}

fn nobody_gets_in_without_the_token(stage: &Stage, token: &str) {
    let path = "/notes?userId=ann&noteId=1";
    let bare = call(stage, "GET", path, None, None);
    assert_eq!(bare["status"], 401, "{bare}");
    assert_eq!(bare["body"], json!({ "message": "Unauthorized" }));
    let other = if token.ends_with('x') { 'y' } else { 'x' };
    let almost = format!("{}{other}", &token[..token.len() - 1]);
    let swapped = token.chars().rev().collect::<String>();
    for wrong in ["abc123", almost.as_str(), swapped.as_str(), "Bearer"] {
        let refused = call(stage, "GET", path, Some(wrong), None);
        assert_eq!(refused["status"], 403, "{wrong}: {refused}");
        assert!(refused["body"]["Message"].as_str().unwrap_or_default().contains("not authorized"), "{refused}");
    }
    // Nobody is told whether a route exists.
    let unknown = call(stage, "GET", "/nothing", Some(token), None);
    assert_eq!(unknown["status"], 403, "{unknown}");
    assert_eq!(unknown["body"], json!({ "message": "Missing Authentication Token" }));
}

fn a_note_is_written_read_listed_and_deleted(stage: &Stage, token: &str) {
    let note = json!({ "userId": "ann", "noteId": "1", "note": "milk" });
    let put = call(stage, "PUT", "/notes", Some(token), Some(&note));
    assert_eq!(put["status"], 200, "the decision that was cached for one route holds for the next: {put}");
    let found = call(stage, "GET", "/notes?userId=ann&noteId=1", Some(token), None);
    assert_eq!(found["status"], 200, "{found}");
    assert_eq!((&found["body"]["userId"], &found["body"]["noteId"]), (&json!("ann"), &json!("1")));
    assert_eq!(found["body"]["note"], "milk");
    assert!(found["body"]["message"].is_string());
    let other = json!({ "userId": "ann", "noteId": "1", "note": "bread" });
    let new = [("authorizationToken", token), ("if-none-match", "*")];
    let refused = stage.call("PUT", "/notes", &new, Some(&other));
    assert_eq!(refused["status"], 412, "a note is not written over by whoever means a new one: {refused}");
    let kept = call(stage, "GET", "/notes?userId=ann&noteId=1", Some(token), None);
    assert_eq!(kept["body"]["note"], "milk");
    let deleted = call(stage, "DELETE", "/notes?userId=ann&noteId=1", Some(token), None);
    assert_eq!(deleted["status"], 204, "{deleted}");
}

fn a_request_that_is_wrong_is_told_so(stage: &Stage, token: &str) {
    for path in ["/notes", "/notes?userId=ann", "/notes?noteId=1"] {
        let answer = call(stage, "GET", path, Some(token), None);
        assert_eq!(answer["status"], 400, "{path}: {answer}");
        assert!(answer["body"]["message"].is_string(), "{answer}");
    }
    let wrong = call(stage, "PUT", "/notes", Some(token), Some(&json!({ "userId": "ann" })));
    assert_eq!(wrong["status"], 400, "{wrong}");
}

fn what_is_not_there_is_told_apart(stage: &Stage, token: &str) {
    for method in ["GET", "DELETE"] {
        let answer = call(stage, method, "/notes?userId=ann&noteId=none", Some(token), None);
        assert_eq!(answer["status"], 404, "{method}: {answer}");
        assert!(answer["body"]["message"].is_string(), "{answer}");
    }
}

fn notes_are_listed_by_the_page(stage: &Stage, token: &str) {
    for (user, note) in [("ann", "1"), ("ann", "2"), ("ann", "3"), ("bob", "1")] {
        let note = json!({ "userId": user, "noteId": note, "note": format!("{user}'s {note}") });
        let put = call(stage, "POST", "/notes", Some(token), Some(&note));
        assert_eq!(put["status"], 200, "{put}");
    }
    let first = call(stage, "GET", "/notes/all?userId=ann&limit=2", Some(token), None);
    assert_eq!(first["status"], 200, "{first}");
    assert_eq!(
        first["body"]["notes"],
        json!([{ "noteId": "1", "note": "ann's 1" }, { "noteId": "2", "note": "ann's 2" }])
    );
    let next = first["body"]["nextToken"].as_str().expect("there is more");
    let second = call(stage, "GET", &format!("/notes/all?userId=ann&limit=2&nextToken={next}"), Some(token), None);
    assert_eq!(second["body"]["notes"], json!([{ "noteId": "3", "note": "ann's 3" }]));
    assert_eq!(second["body"]["nextToken"], Value::Null);
    let other = call(stage, "GET", &format!("/notes/all?userId=bob&nextToken={next}"), Some(token), None);
    assert_eq!(other["body"]["notes"], json!([]), "a page of one user's opens no other's");
}

/// What the functions have logged, and every event and template of CloudFormation, hold the token nowhere.
async fn the_token_is_nowhere_to_be_read(stage: &Stage, token: &str) {
    let logs = stage.logged().await;
    assert!(!logs.is_empty(), "the functions have run");
    assert!(!logs.iter().any(|line| line.contains(token)), "a log holds the token");
    assert!(!stage.template().await.contains(token), "the template holds the token");
}

/// The stack's own limits are for hundreds of callers.
fn who_is_too_fast_is_told_so(stage: &Stage, token: &str) {
    let limits = "test: { loggingLevel: error, throttle: { rate: 1, burst: 1 } }";
    stage.project.edit("test: { loggingLevel: error }", limits);
    stage.project.deploy();
    assert_throttled(&at_once(8, || call(stage, "GET", "/notes?userId=ann&noteId=1", Some(token), None)));
}

async fn nothing_is_left(stage: &Stage) {
    let gone = stage.project.destroy();
    assert_eq!(gone.answer["stacks"], json!([{ "stack": STACK, "existed": true, "left": [] }]));
    assert_eq!(remains::all(&stage.config).await, [format!("stack {BOOTSTRAP_STACK}")]);
}
