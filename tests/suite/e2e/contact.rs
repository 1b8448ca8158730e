//! A contact form: mail behind a token, a throttle and a quota.

use serde_json::{Value, json};
use stackgen::deploy::store::BOOTSTRAP_STACK;

use super::{Cloud, Stage, assert_throttled, at_once, remains};

/// The stack.
pub(super) const STACK: &str = "contact";

/// Runs the list.
pub(super) async fn run(stage: &Stage) {
    if stage.cloud == Cloud::Ministack {
        // ministack asks about any mail as about `*`, and knows no `ses:FromAddress`: no grant on an address covers it.
        let grant = "    grants: [{ emailIdentity: Sender, access: send }]";
        let policy = "    policies: [{ actions: [ses:SendEmail], resources: ['*'] }]";
        stage.project.edit(grant, &format!("{grant}\n{policy}"));
    }
    assert_eq!(stage.project.deploy().answer["stacks"][0]["result"], "created");
    let token = stage.secret("ApiToken").await;
    let mail = json!({ "subject": "Hello", "body": "How are you?", "replyTo": "ann@example.com" });
    nobody_sends_without_the_token(stage, &mail);
    decisions_are_recalled(stage, &token, &mail).await;
    a_mail_is_sent(stage, &token, &mail);
    what_is_no_mail_is_refused(stage, &token);
    partners_need_their_key_as_well(stage, &token, &mail).await;
    who_is_too_fast_is_told_so(stage, &token, &mail);
    who_has_used_up_the_quota_is_told_so(stage, &token, &mail).await;
    assert!(!stage.template().await.contains(&token), "the template holds the token");
    nothing_is_left(stage).await;
}

fn post(stage: &Stage, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
    stage.call("POST", path, headers, Some(body))
}

/// The same, once it is not throttled.
fn patiently(stage: &Stage, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
    for _ in 0..20 {
        let answer = post(stage, path, headers, body);
        if answer["status"] != 429 {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    panic!("POST {path} is throttled for good");
}

fn nobody_sends_without_the_token(stage: &Stage, mail: &Value) {
    let bare = patiently(stage, "/", &[], mail);
    assert_eq!((&bare["status"], &bare["body"]), (&json!(401), &json!({ "message": "Unauthorized" })));
    let wrong = patiently(stage, "/", &[("authtoken", "supersecretvalue")], mail);
    assert_eq!(wrong["status"], 403, "{wrong}");
}

/// Each of the two functions is asked about a token once, whatever it says.
async fn decisions_are_recalled(stage: &Stage, token: &str, mail: &Value) {
    let key = api_key(stage).await;
    for (path, function) in [("/", "AuthorizeToken"), ("/partners", "AuthorizeRequest")] {
        for (token, status) in [(token, 200), ("another", 403)] {
            let before = stage.runs(function).await;
            for _ in 0..3 {
                let answer = patiently(stage, path, &[("authtoken", token), ("x-api-key", &key)], mail);
                assert_eq!(answer["status"], status, "{path}: {answer}");
            }
            assert_eq!(stage.runs(function).await, before + 1, "{function}, {status}");
        }
    }
}

fn a_mail_is_sent(stage: &Stage, token: &str, mail: &Value) {
    let sent = patiently(stage, "/", &[("authtoken", token)], mail);
    assert_eq!(sent["status"], 200, "{sent}");
    assert!(sent["body"]["messageId"].as_str().is_some_and(|id| !id.is_empty()), "{sent}");
    if stage.cloud == Cloud::Embedded {
        let outbox = stage.project.done(&["local", "mail", "sender@example.com"]);
        let last = outbox.as_array().and_then(|all| all.last()).expect("it is in the outbox");
        assert_eq!(last["subject"], "Hello", "{last}");
        assert!(last["body"].as_str().unwrap_or_default().contains("How are you?"), "{last}");
    }
}

fn what_is_no_mail_is_refused(stage: &Stage, token: &str) {
    let header = [("authtoken", token)];
    for wrong in [
        json!({ "subject": "Hello" }),
        json!({ "subject": "Hello\r\nBcc: everyone@example.com", "body": "x" }),
        json!({ "subject": "Hello", "body": "x", "replyTo": "a@example.com,b@example.com" }),
        json!({ "subject": 1, "body": "x" }),
    ] {
        let refused = patiently(stage, "/", &header, &wrong);
        assert_eq!(refused["status"], 400, "{wrong}: {refused}");
    }
}

async fn api_key(stage: &Stage) -> String {
    let id = stage.physical_id("ApiPartnerApiKey").await;
    let key = remains::get(&stage.config, "apigateway", &format!("/apikeys/{id}?includeValue=true")).await;
    key["value"].as_str().expect("it has a value").to_owned()
}

async fn partners_need_their_key_as_well(stage: &Stage, token: &str, mail: &Value) {
    let key = api_key(stage).await;
    assert!(!stage.template().await.contains(&key), "the template holds the key");
    let without = patiently(stage, "/partners", &[("authtoken", token)], mail);
    assert_eq!((&without["status"], &without["body"]), (&json!(403), &json!({ "message": "Forbidden" })));
    let wrong = patiently(stage, "/partners", &[("authtoken", token), ("x-api-key", "0123456789012345678901")], mail);
    assert_eq!(wrong["status"], 403, "{wrong}");
    let bare = patiently(stage, "/partners", &[("x-api-key", &key)], mail);
    assert_eq!(bare["status"], 401, "{bare}");
    let sent = patiently(stage, "/partners", &[("authtoken", token), ("x-api-key", &key)], mail);
    assert_eq!(sent["status"], 200, "{sent}");
}

/// The route takes one request a second, and five at the same moment.
fn who_is_too_fast_is_told_so(stage: &Stage, token: &str, mail: &Value) {
    assert_throttled(&at_once(16, || post(stage, "/", &[("authtoken", token)], mail)));
}

async fn who_has_used_up_the_quota_is_told_so(stage: &Stage, token: &str, mail: &Value) {
    stage.project.edit("quota: { limit: 100, period: day }", "quota: { limit: 2, period: day }");
    stage.project.deploy();
    let key = api_key(stage).await;
    let headers = [("authtoken", token), ("x-api-key", key.as_str())];
    let answers: Vec<Value> = (0..4).map(|_| patiently_within(stage, &headers, mail)).collect();
    let over = answers.last().expect("there are four");
    assert_eq!((&over["status"], &over["body"]), (&json!(429), &json!({ "message": "Limit Exceeded" })), "{answers:?}");
}

/// The same, once nothing but the quota stands in the way.
fn patiently_within(stage: &Stage, headers: &[(&str, &str)], mail: &Value) -> Value {
    for _ in 0..20 {
        let answer = post(stage, "/partners", headers, mail);
        if answer["status"] != 429 || answer["body"]["message"] == "Limit Exceeded" {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    panic!("the partner is throttled for good");
}

async fn nothing_is_left(stage: &Stage) {
    let gone = stage.project.destroy();
    assert_eq!(gone.answer["stacks"], json!([{ "stack": STACK, "existed": true, "left": [] }]));
    assert_eq!(remains::all(&stage.config).await, [format!("stack {BOOTSTRAP_STACK}")]);
}
