//! APIs made through the control plane and called through the data plane, answered by mock integrations.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use time::Duration;

use crate::apigateway::api;
use crate::cloud::{Account, Cloud, Folder};
use crate::gateway::{Destination, handle};
use crate::wire::{Caller, Request};

const KEY: &str = "a-key-of-more-than-twenty-characters";

/// A cloud with one API.
struct World {
    cloud: Cloud,
    api: String,
    root: String,
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl World {
    async fn new(folder: &TempDir, settings: Value) -> Self {
        let mut world = Self { cloud: opened(folder), api: String::new(), root: String::new() };
        let mut members = json!({ "name": "a" });
        for (name, value) in settings.as_object().expect("settings are an object") {
            members[name] = value.clone();
        }
        let api = world.create("/restapis", members).await;
        let text = |name: &str| api[name].as_str().unwrap_or_default().to_owned();
        (world.api, world.root) = (text("id"), text("rootResourceId"));
        world
    }

    async fn control(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let response = api::handle(self.cloud.clone(), request(method, (path, query), &[], body)).await;
        let status = response.status();
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn made(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, made) = self.control(method, path, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{path}: {made}");
        made
    }

    async fn create(&self, path: &str, body: Value) -> Value {
        self.made(Method::POST, path, body).await
    }

    async fn part(&self, kind: &str, body: Value) -> Value {
        self.create(&format!("/restapis/{}/{kind}", self.api), body).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, found) = self.control(Method::GET, path, &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {found}");
        found
    }

    /// Lets a path below the root answer `GET` with a mock, which says in `x-id` which request it answers.
    async fn mock(&self, part: &str, method: Value) {
        let resource = self.part(&format!("resources/{}", self.root), json!({ "pathPart": part })).await;
        let id = resource["id"].as_str().unwrap_or_default();
        let path = format!("/restapis/{}/resources/{id}/methods/GET", self.api);
        let mut members = json!({ "authorizationType": "NONE" });
        for (name, value) in method.as_object().expect("a method is an object") {
            members[name] = value.clone();
        }
        self.made(Method::PUT, &path, members).await;
        let integration = json!({
            "type": "MOCK", "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "cacheKeyParameters": method.get("cacheKeyParameters").cloned().unwrap_or_else(|| json!([])),
        });
        self.made(Method::PUT, &format!("{path}/integration"), integration).await;
        let id = "method.response.header.x-id";
        let (declared, mapped) = (json!({ (id): true }), json!({ (id): "context.requestId" }));
        self.made(Method::PUT, &format!("{path}/responses/200"), json!({ "responseParameters": declared })).await;
        let response = json!({ "responseParameters": mapped });
        self.made(Method::PUT, &format!("{path}/integration/responses/200"), response).await;
    }

    /// Changes the stage `test`.
    async fn change_stage(&self, changes: &[(&str, &str)]) {
        let changes = changes.iter().map(|(path, value)| json!({ "op": "replace", "path": path, "value": value }));
        let changes = json!({ "patchOperations": changes.collect::<Vec<_>>() });
        let path = format!("/restapis/{}/stages/test", self.api);
        let (status, answer) = self.control(Method::PATCH, &path, &changes).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    /// Deploys the API, and lets the stage keep answers for a minute.
    async fn deploy_with_cache(&self) {
        self.deploy().await;
        let changes =
            [("/cacheClusterEnabled", "true"), ("/*/*/caching/enabled", "true"), ("/*/*/caching/ttlInSeconds", "60")];
        self.change_stage(&changes).await;
    }

    /// Which request the answer was made for.
    async fn answered(&self, path: &str, headers: &[(&str, &str)]) -> String {
        let answer = self.call(path, headers).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.headers["x-id"].to_str().expect("it is text").to_owned()
    }

    /// Deploys the API as it stands to the stage `test`.
    async fn deploy(&self) -> String {
        let made = self.part("deployments", json!({ "stageName": "test" })).await;
        made["id"].as_str().unwrap_or_default().to_owned()
    }

    async fn call(&self, path: &str, headers: &[(&str, &str)]) -> Answered {
        self.call_as(&self.api, path, headers).await
    }

    async fn call_as(&self, api: &str, path: &str, headers: &[(&str, &str)]) -> Answered {
        let destination = self.cloud.read(|account| Destination::new(api, path).settled(account));
        let request = request(Method::GET, (path, ""), headers, String::new());
        let response = handle(self.cloud.clone(), destination, request, None).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        Answered { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    async fn status(&self, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.call(path, headers).await.status.as_u16()
    }

    /// A key within a plan for the stage.
    async fn plan(&self, plan: Value) -> (String, String) {
        let mut members = json!({ "name": "p", "apiStages": [{ "apiId": self.api, "stage": "test" }] });
        for (name, value) in plan.as_object().expect("a plan is an object") {
            members[name] = value.clone();
        }
        let key = self.create("/apikeys", json!({ "name": "k", "value": KEY, "enabled": true })).await;
        let plan = self.create("/usageplans", members).await;
        let text = |value: &Value| value["id"].as_str().unwrap_or_default().to_owned();
        let (plan, key) = (text(&plan), text(&key));
        self.create(&format!("/usageplans/{plan}/keys"), json!({ "keyId": key, "keyType": "API_KEY" })).await;
        (plan, key)
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn opened(folder: &TempDir) -> Cloud {
    let held = Folder::open(folder.path()).expect("the folder is free");
    let account: Account = held.account(None).expect("the state can be read");
    Cloud::opened(held, account, "http://127.0.0.1:4599".to_owned())
}

fn request(method: Method, (path, query): (&str, &str), headers: &[(&str, &str)], body: String) -> Request {
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::try_from(*name).expect("it is a name");
        (name, HeaderValue::from_str(value).expect("it is a value"))
    });
    Request {
        id: "00000000-0000-4000-8000-000000000000".to_owned(),
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.collect(),
        spelling: Default::default(),
        body: Bytes::from(body),
        caller: Caller::Anonymous,
    }
}

#[tokio::test]
async fn a_stage_serves_what_its_deployment_captured() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    let (status, _) = world.control(Method::POST, &format!("/restapis/{}/deployments", world.api), &json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "there is nothing to deploy");
    world.mock("a", json!({})).await;
    assert_eq!(world.status("/test/a", &[]).await, 403);
    let first = world.deploy().await;
    assert_eq!(world.status("/test/a", &[]).await, 200);
    world.mock("b", json!({})).await;
    assert_eq!(world.status("/test/b", &[]).await, 403, "the stage serves the old deployment");
    let path = format!("/restapis/{}/deployments/{first}", world.api);
    assert_eq!(world.control(Method::DELETE, &path, &Value::Null).await.0, StatusCode::BAD_REQUEST);
    world.deploy().await;
    assert_eq!(world.status("/test/b", &[]).await, 200);
    assert_eq!(world.control(Method::DELETE, &path, &Value::Null).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_quota_outlives_a_restart() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    world.mock("a", json!({ "apiKeyRequired": true })).await;
    world.deploy().await;
    let (plan, key) = world.plan(json!({ "quota": { "limit": 2, "period": "DAY" } })).await;
    let presented = [("x-api-key", KEY)];
    assert_eq!(world.status("/test/a", &[]).await, 403);
    assert_eq!(world.status("/test/a", &[("x-api-key", "another-key-of-twenty-characters")]).await, 403);
    assert_eq!(world.status("/test/a", &presented).await, 200);
    let World { cloud, api, root } = world;
    drop(cloud);
    let world = World { cloud: opened(&folder), api, root };
    assert_eq!(world.status("/test/a", &presented).await, 200);
    let refused = world.call("/test/a", &presented).await;
    assert_eq!((refused.status.as_u16(), refused.body.as_str()), (429, r#"{"message":"Limit Exceeded"}"#));
    assert_eq!(refused.headers["x-amzn-errortype"], "LimitExceededException");
    let today = world.cloud.now().date();
    let usage = world.get(&format!("/usageplans/{plan}/usage?startDate={today}&endDate={today}")).await;
    assert_eq!(usage["items"][&key], json!([[2, 0]]));
    world.cloud.shift_clock(Duration::days(1));
    assert_eq!(world.status("/test/a", &presented).await, 200);
}

#[tokio::test]
async fn a_stage_has_settings_of_verbs_and_of_everything_but_not_of_any() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    world.mock("a", json!({})).await;
    world.deploy().await;
    let change = async |path: &str| {
        let changes = json!({ "patchOperations": [{ "op": "replace", "path": path, "value": "1" }] });
        world.control(Method::PATCH, &format!("/restapis/{}/stages/test", world.api), &changes).await
    };
    for path in ["/*/*/throttling/burstLimit", "/~1files~1{proxy+}/GET/throttling/burstLimit"] {
        assert_eq!(change(path).await.0, StatusCode::OK, "{path}");
    }
    for (path, named) in [
        ("/~1files~1{proxy+}/ANY/throttling/burstLimit", "/files/{proxy+}/ANY/throttling/burstLimit"),
        ("/~1files/*/throttling/burstLimit", "/files/*/throttling/burstLimit"),
        ("/*/GET/throttling/burstLimit", "/*/GET/throttling/burstLimit"),
        ("/~1files/get/throttling/burstLimit", "/files/get/throttling/burstLimit"),
    ] {
        let (status, answer) = change(path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer["message"], format!("Invalid method setting path: {named}"));
    }
}

#[tokio::test]
async fn a_new_plan_has_no_keys_and_has_counted_nothing() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    let plan = json!({
        "name": "p", "keys": ["another"], "counts": { "another": { "2026-01-01": 5 } },
        "extensions": { "another": { "begins": "2026-01-01", "requests": 5 } },
    });
    let made = world.create("/usageplans", plan).await;
    let held = world.cloud.read(|account| {
        let plan = account.apigateway.usage_plan(made["id"].as_str().unwrap_or_default()).expect("it was made");
        (plan.keys.len(), plan.counts.len(), plan.extensions.len())
    });
    assert_eq!(held, (0, 0, 0));
}

#[tokio::test]
async fn no_spelling_of_a_path_gets_around_a_policy() {
    let folder = folder();
    let statement = |effect: &str, path: &str| json!({ "Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": format!("execute-api:/{path}") });
    let statements = [statement("Allow", "*"), statement("Deny", "test/GET/denied")];
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let world = World::new(&folder, json!({ "policy": policy })).await;
    world.mock("denied", json!({})).await;
    world.mock("open", json!({})).await;
    world.deploy().await;
    for path in ["/test/denied", "/test/denied/", "/test//denied", "/test/%64enied", "/test/%64enied/"] {
        let denied = world.call(path, &[]).await;
        assert_eq!(denied.status, StatusCode::FORBIDDEN, "{path}");
        assert!(denied.body.contains("explicit deny"), "{path}: {}", denied.body);
    }
    for path in ["/test/open", "/test/open/", "/test//open", "/test/%6Fpen", "/test/%6Fpen/"] {
        assert_eq!(world.status(path, &[]).await, 200, "{path}");
    }
}

#[tokio::test]
async fn a_plan_and_a_stage_have_limits_of_their_own() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    world.mock("keyed", json!({ "apiKeyRequired": true })).await;
    world.mock("open", json!({})).await;
    world.deploy().await;
    world.plan(json!({ "throttle": { "rateLimit": 1, "burstLimit": 1 } })).await;
    let presented = [("x-api-key", KEY)];
    assert_eq!(world.status("/test/keyed", &presented).await, 200);
    let refused = world.call("/test/keyed", &presented).await;
    assert_eq!((refused.status.as_u16(), refused.body.as_str()), (429, r#"{"message":"Too Many Requests"}"#));
    let changes = json!({ "patchOperations": [
        { "op": "replace", "path": "/*/*/throttling/burstLimit", "value": "1" },
        { "op": "replace", "path": "/*/*/throttling/rateLimit", "value": "1" },
    ] });
    let path = format!("/restapis/{}/stages/test", world.api);
    assert_eq!(world.control(Method::PATCH, &path, &changes).await.0, StatusCode::OK);
    assert_eq!(world.status("/test/open", &[]).await, 200);
    assert_eq!(world.status("/test/open", &[]).await, 429);
    world.cloud.shift_clock(Duration::seconds(2));
    assert_eq!(world.status("/test/open", &[]).await, 200);
}

#[tokio::test]
async fn a_resource_policy_lets_in_whom_it_names() {
    let folder = folder();
    let statement = |effect: &str, resource: &str| json!({ "Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": resource });
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        statement("Allow", "execute-api:/test/GET/a"), statement("Deny", "execute-api:/*/GET/denied"),
    ] });
    let world = World::new(&folder, json!({ "policy": policy.to_string() })).await;
    for part in ["a", "b", "denied"] {
        world.mock(part, json!({})).await;
    }
    world.deploy().await;
    assert_eq!(world.status("/test/a", &[]).await, 200);
    let silent = world.call("/test/b", &[]).await;
    assert_eq!(
        (silent.status.as_u16(), &silent.headers["x-amzn-errortype"]),
        (403, &"AccessDeniedException".parse().expect("a value"))
    );
    assert!(silent.body.contains("********0000:"), "{}", silent.body);
    assert!(world.call("/test/denied", &[]).await.body.contains("explicit deny"));
}

#[tokio::test]
async fn a_domain_of_ones_own_leads_to_its_stage() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    world.mock("a", json!({})).await;
    world.deploy().await;
    world.create("/domainnames", json!({ "domainName": "api.example.com" })).await;
    let mapping = json!({ "restApiId": world.api, "stage": "test", "basePath": "v1" });
    world.create("/domainnames/api.example.com/basepathmappings", mapping).await;
    let by_domain = async |path: &str| world.call_as("api.example.com", path, &[]).await.status.as_u16();
    assert_eq!(by_domain("/v1/a").await, 200);
    assert_eq!(by_domain("/v1/b").await, 403);
    assert_eq!(by_domain("/v1x/a").await, 404);
    let changes =
        json!({ "patchOperations": [{ "op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true" }] });
    assert_eq!(world.control(Method::PATCH, &format!("/restapis/{}", world.api), &changes).await.0, StatusCode::OK);
    world.deploy().await;
    assert_eq!(world.status("/test/a", &[]).await, 403);
    assert_eq!(by_domain("/v1/a").await, 200);
}

#[tokio::test]
async fn an_authorizer_whose_function_may_not_be_invoked_lets_nobody_pass() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:none";
    let uri = format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations");
    let authorizer = json!({
        "name": "guard", "type": "TOKEN", "authorizerUri": uri, "identitySource": "method.request.header.token",
        "identityValidationExpression": "[a-z]+",
    });
    let id = world.part("authorizers", authorizer).await["id"].clone();
    world.mock("a", json!({ "authorizationType": "CUSTOM", "authorizerId": id })).await;
    world.deploy().await;
    for (headers, status) in
        [(&[][..], 401), (&[("token", "")], 401), (&[("token", "a1")], 401), (&[("token", "abc")], 500)]
    {
        let answer = world.call("/test/a", headers).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}: {}", answer.body);
    }
    assert_eq!(world.call("/test/a", &[("token", "abc")]).await.body, r#"{"message":null}"#);
    let path = format!("/restapis/{}/authorizers/{}", world.api, id.as_str().unwrap_or_default());
    assert_eq!(world.control(Method::DELETE, &path, &Value::Null).await.0, StatusCode::CONFLICT);
    let (status, tried) = world.control(Method::POST, &path, &json!({ "headers": { "token": "abc" } })).await;
    assert_eq!((status, &tried["clientStatus"]), (StatusCode::OK, &json!(500)), "{tried}");
    for (stage, expected) in [("test", StatusCode::ACCEPTED), ("none", StatusCode::NOT_FOUND)] {
        let path = format!("/restapis/{}/stages/{stage}/cache/authorizers", world.api);
        assert_eq!(world.control(Method::DELETE, &path, &Value::Null).await.0, expected, "{stage}");
    }
}

#[tokio::test]
async fn a_stage_keeps_answers_for_their_time() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    world.mock("a", json!({})).await;
    world.deploy().await;
    assert_ne!(world.answered("/test/a", &[]).await, world.answered("/test/a", &[]).await, "nothing is kept unasked");
    world.deploy_with_cache().await;
    let first = world.answered("/test/a", &[]).await;
    assert_eq!(world.answered("/test/a", &[]).await, first);
    let answer = world.call("/test/a", &[]).await;
    assert_ne!(answer.headers["x-amzn-requestid"], answer.headers["x-id"], "each request has an id of its own");
    world.cloud.shift_clock(Duration::seconds(60));
    let second = world.answered("/test/a", &[]).await;
    assert_ne!(second, first, "its time is over");
    let path = format!("/restapis/{}/stages/test/cache/data", world.api);
    assert_eq!(world.control(Method::DELETE, &path, &Value::Null).await.0, StatusCode::ACCEPTED);
    let third = world.answered("/test/a", &[]).await;
    assert_ne!(third, second, "the stage is flushed");
    world.deploy().await;
    let fourth = world.answered("/test/a", &[]).await;
    assert_ne!(fourth, third, "a deployment begins without answers");
    world.change_stage(&[("/cacheClusterSize", "1.6")]).await;
    let fifth = world.answered("/test/a", &[]).await;
    assert_ne!(fifth, fourth, "so does a cache of another size");
    world.change_stage(&[("/~1a/GET/caching/enabled", "false")]).await;
    assert_ne!(world.answered("/test/a", &[]).await, fifth, "the method's own settings count");
}

#[tokio::test]
async fn only_who_may_pass_is_given_a_kept_answer() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    let keys = json!(["method.request.header.who"]);
    let parameters = json!({ "method.request.header.who": false });
    world.mock("keyed", json!({ "apiKeyRequired": true })).await;
    world.mock("own", json!({ "requestParameters": parameters, "cacheKeyParameters": keys })).await;
    world.deploy_with_cache().await;
    world.plan(json!({ "quota": { "limit": 2, "period": "DAY" } })).await;
    let presented = [("x-api-key", KEY)];
    let first = world.answered("/test/keyed", &presented).await;
    assert_eq!(world.status("/test/keyed", &[]).await, 403);
    assert_eq!(world.answered("/test/keyed", &presented).await, first);
    assert_eq!(world.status("/test/keyed", &presented).await, 429, "kept answers count towards the quota");
    let of = async |who: &str| world.answered("/test/own", &[("who", who)]).await;
    let (first, second) = (of("a").await, of("b").await);
    assert_ne!(first, second);
    assert_eq!((of("a").await, of("b").await), (first.clone(), second));
    let nobody = world.answered("/test/own", &[]).await;
    assert_ne!(nobody, first);
    assert_ne!(of("").await, nobody, "an empty value is another than none");
    let both = world.answered("/test/own", &[("who", "a"), ("who", "b")]).await;
    assert_ne!(of("a,b").await, both, "two values are others than one that looks like them");
}

#[tokio::test]
async fn a_fresh_answer_is_for_who_may_have_it() {
    let folder = folder();
    let statement = |action: &str, resource: &str| json!({ "Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource });
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        statement("execute-api:Invoke", "execute-api:/*"),
        statement("execute-api:InvalidateCache", "execute-api:/test/GET/free"),
    ] });
    let world = World::new(&folder, json!({ "policy": policy.to_string() })).await;
    world.mock("a", json!({})).await;
    world.mock("free", json!({})).await;
    world.deploy_with_cache().await;
    let fresh = [("cache-control", "no-transform, Max-Age=0")];
    let first = world.answered("/test/a", &[]).await;
    assert_eq!(world.answered("/test/a", &[("cache-control", "max-age=1")]).await, first);
    let unheard = world.call("/test/a", &fresh).await;
    assert_eq!(unheard.headers["x-id"], first.as_str());
    assert!(unheard.headers["warning"].to_str().expect("it is text").starts_with("199 "));
    let replaced = world.answered("/test/free", &[]).await;
    let free = world.call("/test/free", &fresh).await;
    assert_ne!(free.headers["x-id"], replaced.as_str());
    assert!(!free.headers.contains_key("warning"));
    assert_eq!(free.headers["x-id"], world.answered("/test/free", &[]).await.as_str(), "the fresh one is kept");
    let strategy = "/*/*/caching/unauthorizedCacheControlHeaderStrategy";
    world.change_stage(&[(strategy, "SUCCEED_WITHOUT_RESPONSE_HEADER")]).await;
    let silent = world.call("/test/a", &fresh).await;
    assert_eq!(silent.headers["x-id"], first.as_str());
    assert!(!silent.headers.contains_key("warning"));
    world.change_stage(&[(strategy, "FAIL_WITH_403")]).await;
    let refused = world.call("/test/a", &fresh).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains("execute-api:InvalidateCache"), "{}", refused.body);
    world.change_stage(&[("/*/*/caching/requireAuthorizationForCacheControl", "false")]).await;
    assert_ne!(world.answered("/test/a", &fresh).await, first);
}

#[tokio::test]
async fn a_signature_is_asked_for_and_looked_at() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    world.mock("a", json!({ "authorizationType": "AWS_IAM" })).await;
    world.deploy().await;
    let forged = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, \
                  Signature=0";
    for (path, header, error) in [
        ("/test/a", None, "MissingAuthenticationTokenException"),
        ("/test/a", Some("Bearer abc"), "IncompleteSignatureException"),
        ("/test/a", Some(forged), "IncompleteSignatureException"),
        ("/test/none", None, "MissingAuthenticationTokenException"),
        ("/test/none", Some("Bearer abc"), "IncompleteSignatureException"),
        ("/none/a", None, "ForbiddenException"),
    ] {
        let headers: Vec<(&str, &str)> = header.into_iter().map(|value| ("authorization", value)).collect();
        let answer = world.call(path, &headers).await;
        assert_eq!(answer.status.as_u16(), 403, "{path} {header:?}");
        assert_eq!(answer.headers["x-amzn-errortype"], error, "{path} {header:?}: {}", answer.body);
        assert!(!answer.body.contains("abc"), "what may be a secret is not told: {}", answer.body);
    }
}

#[tokio::test]
async fn an_api_words_its_refusals_itself() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    world.mock("a", json!({})).await;
    let response = json!({
        "statusCode": "404",
        "responseParameters": {
            "gatewayresponse.header.x-literal": "'a'", "gatewayresponse.header.x-header": "method.request.header.X-H",
        },
        "responseTemplates": { "application/json": "{\"m\":$context.error.messageString,\"t\":\"$context.error.responseType\"}" },
    });
    let path = format!("/restapis/{}/gatewayresponses", world.api);
    world.made(Method::PUT, &format!("{path}/MISSING_AUTHENTICATION_TOKEN"), response).await;
    world.made(Method::PUT, &format!("{path}/DEFAULT_4XX"), json!({ "responseParameters": {} })).await;
    world.deploy().await;
    let answer = world.call("/test/none", &[("x-h", "h")]).await;
    assert_eq!(answer.status.as_u16(), 404);
    assert_eq!(answer.body, r#"{"m":"Missing Authentication Token","t":"MISSING_AUTHENTICATION_TOKEN"}"#);
    assert_eq!(
        (&answer.headers["x-literal"], &answer.headers["x-header"]),
        (&HeaderValue::from_static("a"), &HeaderValue::from_static("h"))
    );
    assert_eq!(answer.headers["x-amzn-errortype"], "MissingAuthenticationTokenException");
    let (status, _) = world.control(Method::PUT, &format!("{path}/NONE"), &json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_an_api_holds_obeys_rules() {
    let folder = folder();
    let world = World::new(&folder, json!({})).await;
    world.mock("a", json!({})).await;
    let root = format!("resources/{}", world.root);
    let refused = [
        (root.clone(), json!({ "pathPart": "a" }), StatusCode::CONFLICT),
        (root.clone(), json!({ "pathPart": "a b/c" }), StatusCode::BAD_REQUEST),
        ("authorizers".to_owned(), json!({ "name": "a", "type": "OTHER" }), StatusCode::BAD_REQUEST),
        ("authorizers".to_owned(), json!({ "name": "a", "type": "TOKEN" }), StatusCode::BAD_REQUEST),
        ("models".to_owned(), json!({ "name": "a-b", "contentType": "a/b" }), StatusCode::BAD_REQUEST),
        ("models".to_owned(), json!({ "name": "ab", "contentType": "a/b", "schema": "[" }), StatusCode::BAD_REQUEST),
        ("stages".to_owned(), json!({ "stageName": "s", "deploymentId": "none" }), StatusCode::BAD_REQUEST),
    ];
    for (kind, body, expected) in refused {
        let (status, answer) = world.control(Method::POST, &format!("/restapis/{}/{kind}", world.api), &body).await;
        assert_eq!(status, expected, "{kind} {body}: {answer}");
    }
    let key = world.create("/apikeys", json!({ "name": "k", "value": KEY, "enabled": true })).await;
    let path = format!("/apikeys/{}", key["id"].as_str().unwrap_or_default());
    assert!(world.get(&path).await.get("value").is_none(), "a key is told only where it is asked for");
    assert_eq!(world.get(&format!("{path}?includeValue=true")).await["value"], KEY);
    let (status, _) = world.control(Method::POST, "/apikeys", &json!({ "value": KEY })).await;
    assert_eq!(status, StatusCode::CONFLICT);
}
