//! Three doors that one Lambda authorizer keeps, for the users of a pool.

use serde_json::{Value, json};
use stackgen::deploy::store::BOOTSTRAP_STACK;

use super::{Cloud, Stage, assert_throttled, at_once, forgery, google, remains};
use crate::project::{Told, succeeded, told};

/// The stack.
pub(super) const STACK: &str = "federated";

/// The user.
const ALICE: &str = "alice@example.com";
/// The origin that the stack names where nothing else is said.
const ORIGIN: &str = "http://localhost:3000";

/// A way in: an API, a path, and what callers are told whose token is none.
struct Door {
    api: &'static str,
    path: &'static str,
    refusal: u16,
}

/// HTTP APIs know no way for a function to say 401.
const DOORS: [Door; 3] = [
    Door { api: "BasicApi", path: "/", refusal: 401 },
    Door { api: "BasicApi", path: "/request", refusal: 401 },
    Door { api: "SimpleApi", path: "/", refusal: 403 },
];

/// Runs the list.
pub(super) async fn run(stage: &Stage) {
    if stage.cloud == Cloud::Ministack {
        // ministack has no sign-in pages, and does not know AWS::Cognito::UserPoolIdentityProvider, which the stack
        // leaves out as long as it has no client id of Google's.
        stage
            .project
            .edit("    allowedOAuthFlows: [code]", "    authFlows: [userPassword]\n    allowedOAuthFlows: [code]");
    }
    if stage.cloud == Cloud::Embedded {
        google::keep_secret(stage).await;
    }
    assert_eq!(deploy(stage).answer["stacks"][0]["result"], "created");
    stage.project.done(&["user", "create", ALICE]);
    let access = token(stage, "--access");
    let id = token(stage, "--id");
    for door in &DOORS {
        a_decision_is_recalled(stage, door, &access).await;
        who_has_no_token_is_sent_away(stage, door);
        an_access_token_opens(stage, door, &access);
        what_is_no_access_token_of_ours_does_not(stage, door, &access, &id);
    }
    if stage.cloud == Cloud::Embedded {
        whom_google_vouches_for_may_pass(stage).await;
    }
    browsers_of_one_origin_may_ask(stage);
    assert_eq!(deploy(stage).answer["stacks"][0]["result"], "unchanged");
    who_is_too_fast_is_told_so(stage, &access);
    nothing_is_left(stage).await;
}

/// Deploys the stack, with Google where there is a stand-in for it.
fn deploy(stage: &Stage) -> Told {
    let mut command = stage.project.targeted(&["deploy", STACK, "--yes"]);
    if stage.cloud == Cloud::Embedded {
        command.args(google::CLIENT);
    }
    succeeded(told(&command.output().expect("the program runs")))
}

/// A token of hers: by the sign-in pages where there are any, by her password where there are none.
fn token(stage: &Stage, kind: &str) -> String {
    let mut arguments = vec!["token", ALICE, kind];
    if stage.cloud == Cloud::Embedded && kind == "--access" {
        arguments.extend(["--scope", "openid", "--no-browser"]);
    }
    stage.project.done(&arguments)["token"].as_str().expect("it is a token").to_owned()
}

fn knock(stage: &Stage, door: &Door, token: Option<&str>) -> Value {
    let header = token.map(|token| ("Authorization", token));
    stage.call_api(door.api, "GET", door.path, header.as_slice())
}

fn who_has_no_token_is_sent_away(stage: &Stage, door: &Door) {
    let bare = knock(stage, door, None);
    assert_eq!((&bare["status"], &bare["body"]), (&json!(401), &json!({ "message": "Unauthorized" })), "{bare}");
}

/// The function is asked about a token once, whatever it says.
async fn a_decision_is_recalled(stage: &Stage, door: &Door, access: &str) {
    let before = stage.runs("Authorizer").await;
    for _ in 0..3 {
        assert_eq!(knock(stage, door, Some(access))["status"], 200);
    }
    assert_eq!(stage.runs("Authorizer").await, before + 1, "{} {}", door.api, door.path);
}

fn an_access_token_opens(stage: &Stage, door: &Door, access: &str) {
    for token in [access.to_owned(), format!("Bearer {access}")] {
        let open = knock(stage, door, Some(&token));
        assert_eq!(open["status"], 200, "{} {}: {open}", door.api, door.path);
        assert!(
            open["body"].to_string().contains(forgery::claims(access)["sub"].as_str().expect("it has one")),
            "{open}"
        );
    }
}

fn what_is_no_access_token_of_ours_does_not(stage: &Stage, door: &Door, access: &str, id: &str) {
    let mut mallory = forgery::claims(access);
    mallory["sub"] = json!("mallory");
    let wrong = [
        ("rubbish", "rubbish".to_owned()),
        ("an ID token", id.to_owned()),
        ("tampered signature", forgery::with_broken_signature(access)),
        ("tampered claims", forgery::with_claims(access, &mallory)),
    ];
    for (what, token) in wrong {
        let refused = knock(stage, door, Some(&token));
        assert_eq!(refused["status"], json!(door.refusal), "{what} at {} {}: {refused}", door.api, door.path);
    }
}

/// Who comes from Google is a user of the pool, and is greeted by the name that the pool has given her.
async fn whom_google_vouches_for_may_pass(stage: &Stage) {
    let access = google::access_token(stage, "12345").await;
    assert_eq!(forgery::claims(&access)["username"], "google_12345");
    for door in &DOORS {
        let open = knock(stage, door, Some(&access));
        let greeting = json!({ "message": "Hello, google_12345." });
        assert_eq!((&open["status"], &open["body"]), (&json!(200), &greeting), "{} {}: {open}", door.api, door.path);
    }
    assert!(!stage.template().await.contains(google::CLIENT_SECRET), "the template holds Google's secret");
}

fn browsers_of_one_origin_may_ask(stage: &Stage) {
    // ministack answers preflights of HTTP APIs with 403.
    let doors = if stage.cloud == Cloud::Embedded { &DOORS[..] } else { &DOORS[..2] };
    for door in doors {
        let asked = |origin: &str| {
            let headers = [
                ("Origin", origin),
                ("Access-Control-Request-Method", "GET"),
                ("Access-Control-Request-Headers", "authorization"),
            ];
            stage.call_api(door.api, "OPTIONS", door.path, &headers)
        };
        let answer = asked(ORIGIN);
        assert!([200, 204].iter().any(|status| answer["status"] == *status), "{answer}");
        assert_eq!(answer["headers"]["access-control-allow-origin"], ORIGIN, "{answer}");
        let allowed = answer["headers"]["access-control-allow-headers"].as_str().unwrap_or_default().to_lowercase();
        assert!(allowed.contains("authorization"), "{answer}");
        let stranger = asked("https://evil.example");
        let admitted = &stranger["headers"]["access-control-allow-origin"];
        assert!(*admitted != "*" && *admitted != "https://evil.example", "{stranger}");
    }
    let refused = knock(stage, &DOORS[0], Some("rubbish"));
    if stage.cloud == Cloud::Embedded {
        assert_eq!(refused["headers"]["access-control-allow-origin"], ORIGIN, "a page can read why: {refused}");
    }
}

/// The stack's own limits are for hundreds of callers.
fn who_is_too_fast_is_told_so(stage: &Stage, access: &str) {
    const LIMITS: &str = "throttle: { rate: 1, burst: 1 }";
    stage.project.edit("prod: { loggingLevel: error }", &format!("prod: {{ loggingLevel: error, {LIMITS} }}"));
    stage
        .project
        .edit("    name: simpleAPI\n", &format!("    name: simpleAPI\n    stages: {{ $default: {{ {LIMITS} }} }}\n"));
    deploy(stage);
    // ministack does not throttle HTTP APIs.
    let doors = if stage.cloud == Cloud::Embedded { &DOORS[..] } else { &DOORS[..2] };
    for door in doors {
        assert_throttled(&at_once(8, || knock(stage, door, Some(access))));
    }
}

async fn nothing_is_left(stage: &Stage) {
    let gone = stage.project.destroy();
    assert_eq!(gone.answer["stacks"], json!([{ "stack": STACK, "existed": true, "left": [] }]));
    if stage.cloud == Cloud::Embedded {
        // The stack did not make it, and does not remove it.
        google::remove_secret(stage).await;
    }
    assert_eq!(remains::all(&stage.config).await, [format!("stack {BOOTSTRAP_STACK}")]);
}
