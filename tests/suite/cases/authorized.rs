//! What HTTP APIs do with signatures and Lambda authorizers beyond the cases: AWS's own SDK signs.

use serde_json::{Value, json};

use super::client::Sent;
use super::setup::{Guard, Setup, Standing, World};
use crate::support::Key;
use crate::tools;

fn routes(guard: Guard) -> Setup {
    let routes = ["GET /a", "GET /b"].map(|key| (key.to_owned(), Vec::new())).to_vec();
    Setup { routes, guard, ..Setup::default() }
}

fn guarded(lifetime: u64, format: &str, sources: &[&str], permission: bool) -> Setup {
    routes(Guard::Request {
        sources: sources.iter().map(|source| (*source).to_owned()).collect(),
        format: format.to_owned(),
        simple: false,
        lifetime,
        script: json!({ "do": "authorize", "simple": false, "narrow": true, "context": { "tenant": "t", "n": 1 } }),
        permission,
    })
}

async fn get(world: &World, standing: &Standing, path: &str, token: &str) -> (u64, String) {
    let headers = vec![("x-token".to_owned(), token.to_owned())];
    let sent = Sent { method: "GET".to_owned(), target: path.to_owned(), headers, ..Sent::default() };
    let received = world.call(standing, &sent).await;
    (received.status, received.text())
}

/// A request that botocore signs; its status.
async fn signed(world: &World, standing: &Standing, key: &Key, path: &str) -> String {
    const SIGNED: &str = r#"
import json, sys, urllib.error, urllib.request
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
url, key = sys.argv[1], json.loads(sys.argv[2])
request = AWSRequest("GET", url)
SigV4Auth(Credentials(key["id"], key["secret"], key["token"]), "execute-api", "us-east-1").add_auth(request)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    print(opener.open(urllib.request.Request(url, headers=dict(request.headers))).status)
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"#;
    let arguments = [world.url(standing, path), key.to_string()];
    let signing = tokio::task::spawn_blocking(move || {
        let mut command = tools::python(tools::AWS).program("python");
        tools::run(command.args(["-c", SIGNED]).args(arguments))
    });
    signing.await.expect("it is signed").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_by_the_sdk_opens_an_iam_route() {
    let world = World::new().await;
    let standing = world.stand_up(&routes(Guard::Iam)).await.expect("it stands");
    let forbidden = r#"403 {"message":"Forbidden"}"#;
    assert_eq!(signed(&world, &standing, &world.key(), "/a?x=%2F%20b&a=1").await, "200");
    let forged = Key { secret: "forged".to_owned(), ..world.key() };
    assert_eq!(signed(&world, &standing, &forged, "/a").await, forbidden);
    let caller = world.session("caller", &standing, "$default/GET/a");
    assert_eq!(signed(&world, &standing, &caller, "/a").await, "200");
    assert_eq!(signed(&world, &standing, &caller, "/b").await, forbidden, "the role may call `/a` only");
    let events = standing.events("function");
    assert_eq!(events.len(), 2, "the function is for those who are let in");
    let iam = &events[1]["requestContext"]["authorizer"]["iam"];
    assert_eq!(iam["userArn"], "arn:aws:sts::000000000000:assumed-role/caller/session");
    assert_eq!((&iam["accountId"], &iam["accessKey"]), (&json!("000000000000"), &json!(caller.id)));
    let id = iam["callerId"].as_str().unwrap_or_default();
    assert!(id.starts_with("AROA") && id.ends_with(":session") && iam["userId"] == id, "{iam}");
    assert!(iam["cognitoIdentity"].is_null() && iam["principalOrgId"].is_null());
    let own = &events[0]["requestContext"]["authorizer"]["iam"];
    assert_eq!((&own["callerId"], &own["accessKey"]), (&json!("000000000000"), &json!(world.key().id)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_decision_that_is_kept_shuts_the_next_route() {
    let world = World::new().await;
    let kept = world.stand_up(&guarded(300, "2.0", &["$request.header.x-token"], true)).await.expect("it stands");
    assert_eq!(get(&world, &kept, "/a", "one").await.0, 200);
    assert_eq!(get(&world, &kept, "/b", "one").await, (403, r#"{"message":"Forbidden"}"#.to_owned()));
    assert_eq!(get(&world, &kept, "/b", "two").await.0, 200, "another identity is asked about");
    assert_eq!(kept.events("authorizer").len(), 2);
    let sources = ["$request.header.x-token", "$context.routeKey"];
    let by_route = world.stand_up(&guarded(300, "2.0", &sources, true)).await.expect("it stands");
    for path in ["/a", "/b", "/a", "/b"] {
        assert_eq!(get(&world, &by_route, path, "one").await.0, 200, "{path}");
    }
    assert_eq!(by_route.events("authorizer").len(), 2, "once for each route");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorizers_context_reaches_the_function_in_each_format() {
    let world = World::new().await;
    for format in ["1.0", "2.0"] {
        let mut setup = guarded(0, format, &["$request.header.x-token"], true);
        setup.payload = format.to_owned();
        let standing = world.stand_up(&setup).await.expect("it stands");
        for _ in 0..2 {
            assert_eq!(get(&world, &standing, "/a", "one").await.0, 200);
        }
        let asked = standing.events("authorizer");
        assert_eq!(asked.len(), 2, "nothing is kept");
        let token = if format == "1.0" { json!("one") } else { json!(["one"]) };
        assert_eq!((&asked[0]["version"], &asked[0]["identitySource"]), (&json!(format), &token));
        let authorizer = &standing.events("function")[0]["requestContext"]["authorizer"];
        let expected: Value = match format {
            "1.0" => json!({ "tenant": "t", "n": 1, "principalId": "caller" }),
            _ => json!({ "lambda": { "tenant": "t", "n": 1 } }),
        };
        assert_eq!(*authorizer, expected);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorizer_that_may_not_be_invoked_is_an_error_of_the_gateway() {
    let world = World::new().await;
    let standing = world.stand_up(&guarded(0, "2.0", &["$request.header.x-token"], false)).await.expect("it stands");
    assert_eq!(get(&world, &standing, "/a", "one").await, (500, r#"{"message":"Internal Server Error"}"#.to_owned()));
    assert_eq!(get(&world, &standing, "/a", "").await.0, 401, "a missing token is found first");
    assert!(standing.events("authorizer").is_empty() && standing.events("function").is_empty());
    world.end().await;
}
