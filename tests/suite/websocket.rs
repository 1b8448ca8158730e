//! WebSocket APIs of the embedded cloud, deployed by CloudFormation and tried by a foreign client (Python's
//! `websockets`) and by AWS's own SDK.

mod model;
pub(crate) mod world;

use serde_json::{Value, json};
use time::Duration;
use world::{Guard, World};

use crate::support::Key;

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_opens_speaks_and_ends() {
    let world = World::new(Guard::Open).await;
    let mut client = world.open("?a=1&a=2", json!({ "headers": { "X-Name": "n" } })).await;
    client.tell(json!({ "send": r#"{"action":"echo","text":"hello"}"# })).await;
    assert_eq!(client.said().await, json!({ "message": r#"{"action":"echo","text":"hello"}"# }));
    client.tell(json!({ "close": 1000 })).await;
    assert_eq!(client.said().await, json!({ "closed": [1000, "that is all"] }));
    let connect = world.event("connect", "CONNECT").await;
    assert_eq!(connect["headers"]["X-Name"], "n");
    assert_eq!(connect["headers"]["Sec-WebSocket-Version"], "13");
    assert_eq!(connect["queryStringParameters"], json!({ "a": "2" }));
    assert_eq!(connect["multiValueQueryStringParameters"], json!({ "a": ["1", "2"] }));
    assert_eq!(keys(&connect["requestContext"]), [COMMON, &[]].concat());
    let message = world.event("socket", "MESSAGE").await;
    assert_eq!(keys(&message), ["body", "isBase64Encoded", "requestContext"]);
    assert_eq!(message["body"], r#"{"action":"echo","text":"hello"}"#);
    assert_eq!(message["requestContext"]["routeKey"], "echo");
    assert_eq!(keys(&message["requestContext"]), sorted([COMMON, &["messageId"]].concat()));
    let disconnect = world.event("socket", "DISCONNECT").await;
    let ended = ["disconnectReason", "disconnectStatusCode"];
    assert_eq!(keys(&disconnect["requestContext"]), sorted([COMMON, &ended].concat()));
    assert_eq!(disconnect["requestContext"]["disconnectStatusCode"], 1000);
    assert_eq!(disconnect["requestContext"]["disconnectReason"], "that is all");
    for member in ["connectionId", "connectedAt", "apiId", "stage", "domainName"] {
        assert_eq!(connect["requestContext"][member], message["requestContext"][member], "{member}");
        assert_eq!(connect["requestContext"][member], disconnect["requestContext"][member], "{member}");
    }
    assert_eq!(world.access_log().await, ["CONNECT $connect 200", "MESSAGE echo 200", "DISCONNECT $disconnect 200"]);
    world.end().await;
}

/// What each event says of its connection.
const COMMON: &[&str] = &[
    "apiId",
    "connectedAt",
    "connectionId",
    "domainName",
    "eventType",
    "extendedRequestId",
    "identity",
    "messageDirection",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "routeKey",
    "stage",
];

fn keys(value: &Value) -> Vec<&str> {
    sorted(value.as_object().expect("it is an object").keys().map(String::as_str).collect())
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorizer_decides_who_connects() {
    let world = World::new(Guard::Request { permitted: true }).await;
    for query in ["", "?token=", "?other=1"] {
        assert_eq!(world.refused(query, json!({})).await.0, 401, "{query}");
    }
    assert!(world.events("guard").is_empty(), "nobody is asked about a request without a token");
    world.script("guard", &json!({ "principalId": "p", "policyDocument": policy("Deny") }));
    let (status, body) = world.refused("?token=a", json!({})).await;
    assert_eq!(status, 403);
    assert!(body.starts_with(r#"{"message": "Forbidden", "connectionId":""#), "{body}");
    for broken in [json!({ "principalId": "p" }), json!("Unauthorized"), json!({ "policyDocument": policy("Allow") })] {
        world.script("guard", &broken);
        assert_eq!(world.refused("?token=a", json!({})).await.0, 500, "{broken}");
    }
    world.script("guard", &json!({ "$do": "throw", "TEXT": "Unauthorized" }));
    assert_eq!(world.refused("?token=a", json!({})).await.0, 401);
    assert!(world.events("connect").is_empty(), "the function behind `$connect` is for those who are let in");
    let context = json!({ "number": 7, "name": "n" });
    world.script("guard", &json!({ "principalId": "p", "policyDocument": policy("Allow"), "context": context }));
    let asked = world.events("guard").len();
    for _ in 0..2 {
        let mut client = world.open("?token=a", json!({})).await;
        client.tell(json!({ "send": "hello" })).await;
        client.leave().await;
    }
    assert_eq!(world.events("guard").len(), asked + 2, "each connection is decided about");
    let event = world.event("guard", "CONNECT").await;
    assert_eq!(event["type"], "REQUEST");
    assert!(event["methodArn"].as_str().is_some_and(|arn| arn.ends_with(&format!("{}/prod/$connect", world.api))));
    assert_eq!(event["queryStringParameters"], json!({ "token": "a" }));
    for (function, kind) in [("connect", "CONNECT"), ("socket", "MESSAGE"), ("socket", "DISCONNECT")] {
        let said = &world.event(function, kind).await["requestContext"]["authorizer"];
        assert_eq!((&said["principalId"], &said["number"], &said["name"]), (&json!("p"), &json!("7"), &json!("n")));
    }
    world.end().await;
}

fn policy(effect: &str) -> Value {
    let statement = json!({ "Effect": effect, "Action": "execute-api:Invoke", "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorizer_that_may_not_be_asked_lets_nobody_in() {
    let world = World::new(Guard::Request { permitted: false }).await;
    world.script("guard", &json!({ "principalId": "p", "policyDocument": policy("Allow") }));
    assert_eq!(world.refused("?token=a", json!({})).await.0, 500);
    assert!(world.events("guard").is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_opens_a_connection() {
    let world = World::new(Guard::Iam).await;
    assert_eq!(world.refused("", json!({})).await.0, 403);
    let forged = Key { secret: "forged".to_owned(), ..world.cloud.root() };
    assert_eq!(world.refused("", json!({ "key": forged })).await.0, 403);
    let other = world.role("other", "execute-api:Invoke", "prod/$default");
    assert_eq!(world.refused("", json!({ "key": other })).await.0, 403);
    world.open("?a=b%20c", json!({ "key": world.cloud.root() })).await.leave().await;
    let caller = world.role("caller", "execute-api:Invoke", "prod/$connect");
    world.open("", json!({ "key": caller })).await.leave().await;
    let identity = &world.event("connect", "CONNECT").await["requestContext"]["identity"];
    assert_eq!(identity["userArn"], "arn:aws:sts::000000000000:assumed-role/caller/session");
    let id = identity["caller"].as_str().unwrap_or_default();
    assert!(id.starts_with("AROA") && id.ends_with(":session") && identity["user"] == id, "{identity}");
    assert_eq!(
        world.refused("/below?a=b", json!({ "key": world.cloud.root() })).await.0,
        403,
        "there is nothing below"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_behind_connect_has_its_say() {
    let world = World::new(Guard::Open).await;
    world.script("connect", &json!({ "statusCode": 402, "body": "no" }));
    assert_eq!(world.refused("", json!({})).await.0, 402);
    world.script("connect", &json!({ "no": "status" }));
    assert_eq!(world.refused("", json!({})).await.0, 502);
    let chosen = json!({ "statusCode": 200, "headers": { "Sec-WebSocket-Protocol": "b" } });
    world.script("connect", &chosen);
    let mut client = world.client("", &json!({ "subprotocols": ["a", "b"] })).await;
    assert_eq!(client.said().await, json!({ "open": "b" }));
    client.leave().await;
    let mut client = world.client("", &json!({ "subprotocols": ["a"] })).await;
    assert_eq!(client.said().await, json!({ "open": null }), "what was not offered is not chosen");
    client.leave().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_to_the_route_that_they_select() {
    let world = World::new(Guard::Open).await;
    let mut client = world.open("", json!({})).await;
    // The two routes about connections are not for messages to select.
    for text in ["hello", "{}", r#"{"action":"other"}"#, r#"{"action":"$connect"}"#, r#"{"action":"$disconnect"}"#] {
        client.tell(json!({ "send": text })).await;
        let event = world.event("socket", "MESSAGE").await;
        assert_eq!((&event["requestContext"]["routeKey"], &event["body"]), (&json!("$default"), &json!(text)));
        world.forget("socket");
    }
    assert_eq!(world.events("connect").len(), 1);
    world.remove_route("$default");
    client.tell(json!({ "send": "hello" })).await;
    client.refused("Forbidden").await;
    client.leave().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_and_what_is_too_much_is_refused() {
    let world = World::new(Guard::Open).await;
    let mut client = world.open("", json!({})).await;
    for does in [r#"{"$do":"throw"}"#, r#"{"$do":"scripted"}"#, r#"{"$do":"echo"}"#] {
        client.tell(json!({ "send": does })).await;
        client.refused("Internal server error").await;
    }
    for _ in 0..2 {
        client.tell(json!({ "send": r#"{"action":"limited"}"# })).await;
    }
    client.refused("Too Many Requests").await;
    client.tell(json!({ "send": r#"{"action":"slow","$do":"sleep","SECONDS":1}"# })).await;
    client.refused("Endpoint request timed out").await;
    world.take_permission_from("Socket");
    client.tell(json!({ "send": "hello" })).await;
    client.refused("Internal server error").await;
    client.leave().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_refused() {
    let world = World::new(Guard::Open).await;
    world.throttle("$connect", 1);
    let client = world.open("", json!({})).await;
    assert_eq!(world.refused("", json!({})).await.0, 429);
    client.leave().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_have_limits() {
    let world = World::new(Guard::Open).await;
    let frame = |size: usize| "x".repeat(size);
    let fragments = |sizes: &[usize]| json!({ "fragments": sizes.iter().map(|size| frame(*size)).collect::<Vec<_>>() });
    let largest = [32 << 10; 4];
    let mut client = world.open("", json!({})).await;
    client.tell(fragments(&largest)).await;
    let event = world.event("socket", "MESSAGE").await;
    assert_eq!(event["body"].as_str().map(str::len), Some(128 << 10));
    client.tell(fragments(&[&largest[..], &[1]].concat())).await;
    assert_eq!(client.said().await["closed"][0], 1009);
    let ends = [
        (json!({ "send": frame((32 << 10) + 1) }), 1009),
        (json!({ "binary": "x" }), 1003),
        // A frame with a reserved bit, and one that is no UTF-8.
        (json!({ "raw": "c1800000000000" }), 1002),
        (json!({ "raw": "818100000000ff" }), 1007),
    ];
    for (order, code) in ends {
        let mut client = world.open("", json!({})).await;
        client.tell(order.clone()).await;
        let said = client.said().await;
        assert_eq!(said["closed"][0], code, "{said}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_idle_or_old_ends() {
    let world = World::new(Guard::Open).await;
    let going_away = json!({ "closed": [1001, "Going away"] });
    let mut idle = world.open("", json!({})).await;
    world.cloud.cloud.shift_clock(Duration::minutes(11));
    assert_eq!(idle.said().await, going_away);
    let event = world.event("socket", "DISCONNECT").await;
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1001);
    let mut busy = world.open("", json!({})).await;
    for _ in 0..13 {
        world.cloud.cloud.shift_clock(Duration::minutes(9));
        busy.tell(json!({ "send": r#"{"action":"echo"}"# })).await;
        busy.said().await;
    }
    world.cloud.cloud.shift_clock(Duration::minutes(9));
    assert_eq!(busy.said().await, going_away);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_what_it_stands_on() {
    let world = World::new(Guard::Open).await;
    let mut cut = world.open("", json!({})).await;
    cut.tell(json!({ "abort": true })).await;
    let event = world.event("socket", "DISCONNECT").await;
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1006);
    let mut orphan = world.open("", json!({})).await;
    world.remove_stage();
    assert_eq!(orphan.said().await, json!({ "closed": [1001, "Going away"] }));
    assert_eq!(world.refused("", json!({})).await.0, 403);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_stops_says_farewell() {
    let world = World::new(Guard::Open).await;
    let mut client = world.open("", json!({})).await;
    let cloud = world.cloud.cloud.clone();
    world.end().await;
    assert!(cloud.tasks().is_empty(), "no connection is given up on");
    assert_eq!(client.said().await, json!({ "closed": [1001, "Going away"] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_reach_clients_by_at_connections() {
    let world = World::new(Guard::Open).await;
    let mut client = world.open("", json!({})).await;
    let event = world.event("connect", "CONNECT").await;
    let id = event["requestContext"]["connectionId"].as_str().expect("it has an id");
    let own = world.cloud.root();
    let may = world.role("may", "execute-api:ManageConnections", "prod/POST/@connections/*");
    assert_eq!(world.manage(&may, "post", id, "hällo").await["status"], 200);
    assert_eq!(client.said().await, json!({ "message": "hällo" }));
    let denied = world.manage(&may, "delete", id, "").await;
    assert_eq!((&denied["status"], &denied["error"]["Code"]), (&json!(403), &json!("AccessDeniedException")));
    let message = denied["error"]["Message"].as_str().unwrap_or_default();
    assert!(message.contains("ManageConnections") && message.ends_with("DELETE/@connections/{connectionId}"));
    let forged = Key { secret: "forged".to_owned(), ..world.cloud.root() };
    assert_eq!(world.manage(&forged, "post", id, "x").await["status"], 403);
    let unsigned = reqwest::get(format!("{}/@connections/{id}", world.https())).await.expect("it answers");
    assert_eq!(
        (unsigned.status().as_u16(), unsigned.headers()["x-amzn-errortype"].as_bytes()),
        (403, &b"MissingAuthenticationTokenException"[..])
    );
    let described = world.manage(&own, "get", id, "").await;
    assert_eq!(described["Identity"]["SourceIp"], "127.0.0.1");
    assert!(described["ConnectedAt"].is_string() && described["LastActiveAt"].is_string(), "{described}");
    let large = world.manage(&own, "large", id, &((128 << 10) + 1).to_string()).await;
    assert_eq!(large["error"]["Code"], "PayloadTooLargeException");
    assert_eq!(world.manage(&own, "large", id, &(128 << 10).to_string()).await["status"], 200);
    assert_eq!(client.said().await["message"].as_str().map(str::len), Some(128 << 10));
    assert_eq!(world.manage(&own, "post", "nonsense", "x").await["error"]["Code"], "BadRequestException");
    assert_eq!(world.manage(&own, "delete", id, "").await["status"], 204);
    assert_eq!(client.said().await["closed"][0], 1000);
    world.event("socket", "DISCONNECT").await;
    for call in ["post", "get", "delete"] {
        let gone = world.manage(&own, call, id, "x").await;
        assert_eq!((&gone["status"], &gone["error"]["Code"]), (&json!(410), &json!("GoneException")), "{call}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_websocket_is_answered_with_one() {
    let world = World::new(Guard::Open).await;
    let get = async |path: &str, headers: &[(&str, &str)]| {
        let request = reqwest::Client::new().get(format!("{}{path}", world.https()));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.expect("it answers").status().as_u16()
    };
    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
    assert_eq!(get("", &[]).await, 426);
    assert_eq!(get("", &[&upgrade[..], &[("sec-websocket-version", "8")]].concat()).await, 426);
    assert_eq!(
        get("", &[&upgrade[..], &[("sec-websocket-version", "13"), ("sec-websocket-key", "x")]].concat()).await,
        400
    );
    assert_eq!(get("x/@connections/a", &[]).await, 403, "there is no such stage");
    world.end().await;
}
