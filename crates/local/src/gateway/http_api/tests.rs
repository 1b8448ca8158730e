//! APIs made through the control plane and called through the data plane, before an endpoint that echoes.

use axum::Router;
use axum::http::Uri;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::handle;
use crate::apigatewayv2::api;
use crate::cloud::{Account, Cloud};
use crate::gateway::Destination;
use crate::logs;
use crate::wire::{Caller, Request};

/// A cloud with one API that passes `ANY /echo/{rest+}` on to an endpoint.
struct World {
    cloud: Cloud,
    api: String,
    _folder: tempfile::TempDir,
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl World {
    async fn new(stage: Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cloud = Cloud::new(Account::new("us-east-1"), folder.path().to_owned(), "http://127.0.0.1:4599".to_owned());
        let mut world = Self { cloud, api: String::new(), _folder: folder };
        let api = world.create("/v2/apis", json!({ "name": "a", "protocolType": "HTTP" })).await;
        world.api = api["apiId"].as_str().unwrap_or_default().to_owned();
        let target = world.integration(&format!("http://{}/{{rest}}", echo().await)).await;
        world.create_part("routes", json!({ "routeKey": "ANY /echo/{rest+}", "target": target })).await;
        world.create_part("stages", stage).await;
        world
    }

    async fn integration(&self, uri: &str) -> String {
        let integration = json!({ "integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "integrationUri": uri });
        let made = self.create_part("integrations", integration).await;
        format!("integrations/{}", made["integrationId"].as_str().unwrap_or_default())
    }

    async fn control(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request { query: query.to_owned(), ..request(method, path, &[], body.to_string()) };
        let response = api::handle(self.cloud.clone(), request).await;
        let status = response.status();
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn create(&self, path: &str, body: Value) -> Value {
        let (status, made) = self.control(Method::POST, path, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made
    }

    async fn create_part(&self, kind: &str, body: Value) -> Value {
        self.create(&format!("/v2/apis/{}/{kind}", self.api), body).await
    }

    async fn patch(&self, path: &str, body: Value) {
        let (status, made) = self.control(Method::PATCH, &format!("/v2/apis/{}{path}", self.api), &body).await;
        assert_eq!(status, StatusCode::OK, "{made}");
    }

    async fn call_as(&self, api: &str, method: Method, path: &str, headers: &[(&str, &str)]) -> Answered {
        let destination = self.cloud.read(|account| Destination::new(api, path).settled(account));
        let request = request(method, path, headers, String::new());
        let response = handle(self.cloud.clone(), destination, request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        Answered { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    async fn call(&self, path: &str, headers: &[(&str, &str)]) -> Answered {
        self.call_as(&self.api, Method::GET, path, headers).await
    }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Request {
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::try_from(*name).expect("it is a name");
        (name, HeaderValue::from_str(value).expect("it is a value"))
    });
    Request {
        id: "00000000-0000-4000-8000-000000000000".to_owned(),
        method,
        path: path.to_owned(),
        query: String::new(),
        headers: headers.collect(),
        spelling: Default::default(),
        body: Bytes::from(body),
        caller: Caller::Anonymous,
    }
}

/// An endpoint that answers with the path that it is asked for.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it has an address").to_string();
    let router = Router::new().fallback(|uri: Uri| async move { uri.to_string() });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn default_stage() -> Value {
    json!({ "stageName": "$default", "autoDeploy": true })
}

#[tokio::test]
async fn an_endpoint_answers_with_the_words_of_the_path() {
    let world = World::new(default_stage()).await;
    let answer = world.call("/echo/a%20b/c", &[]).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "/a%20b/c"));
    assert!(answer.headers.contains_key("apigw-requestid"));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_unavailable() {
    let world = World::new(default_stage()).await;
    let target = world.integration("http://127.0.0.1:1/").await;
    world.create_part("routes", json!({ "routeKey": "GET /gone", "target": target })).await;
    let answer = world.call("/gone", &[]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body, r#"{"message":"Service Unavailable"}"#);
}

#[tokio::test]
async fn a_stage_serves_what_its_deployment_captured() {
    let world = World::new(json!({ "stageName": "fixed" })).await;
    assert_eq!(world.call("/fixed/echo/x", &[]).await.status, StatusCode::NOT_FOUND);
    let deployment = world.create_part("deployments", json!({ "stageName": "fixed" })).await;
    assert_eq!(world.call("/fixed/echo/x", &[]).await.status, StatusCode::OK);
    let target = world.integration(&format!("http://{}/", echo().await)).await;
    world.create_part("routes", json!({ "routeKey": "GET /new", "target": target })).await;
    assert_eq!(world.call("/fixed/new", &[]).await.status, StatusCode::NOT_FOUND);
    let id = deployment["deploymentId"].as_str().unwrap_or_default();
    let path = format!("/v2/apis/{}/deployments/{id}", world.api);
    let (status, _) = world.control(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a deployment that is served stays");
    world.create_part("deployments", json!({ "stageName": "fixed" })).await;
    assert_eq!(world.call("/fixed/new", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn no_request_says_what_a_deployment_has_captured() {
    let world = World::new(json!({ "stageName": "fixed" })).await;
    let captured = json!({ "routes": {}, "integrations": {}, "authorizers": {} });
    let made = json!({ "stageName": "fixed", "captured": captured });
    let deployment = world.create_part("deployments", made).await;
    assert_eq!(world.call("/fixed/echo/x", &[]).await.status, StatusCode::OK);
    let path = format!("/deployments/{}", deployment["deploymentId"].as_str().unwrap_or_default());
    world.patch(&path, json!({ "description": "new", "captured": captured })).await;
    assert_eq!(world.call("/fixed/echo/x", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_path_that_would_lead_elsewhere_is_refused() {
    let world = World::new(default_stage()).await;
    for path in
        ["/echo/..%2Fadmin", "/echo/a/%2e%2e/b", "/echo/%252e%252e%252fadmin", "/echo/../x", "/echo/percent%25done"]
    {
        let answer = world.call(path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (400, r#"{"message":"Bad Request"}"#), "{path}");
    }
    assert_eq!(world.call("/echo/..a/b..", &[]).await.body, "/..a/b..");
}

#[tokio::test]
async fn what_has_an_arn_has_tags_and_is_named_by_the_whole_of_it() {
    let world = World::new(default_stage()).await;
    world.create("/v2/domainnames", json!({ "domainName": "api.example.com" })).await;
    let path_of = |arn: &str| format!("/v2/tags/{}", arn.replace('/', "%2F"));
    let tags = json!({ "tags": { "team": "blue" } });
    let (api, place) = (&world.api, "arn:aws:apigateway:us-east-1::/");
    let holders =
        [format!("apis/{api}"), format!("apis/{api}/stages/$default"), "domainnames/api.example.com".to_owned()];
    for holder in holders {
        let path = path_of(&format!("{place}{holder}"));
        world.create(&path, tags.clone()).await;
        assert_eq!(world.control(Method::GET, &path, &json!({})).await, (StatusCode::OK, tags.clone()), "{holder}");
        let untagging = format!("{path}?tagKeys=team");
        let untagged = world.control(Method::DELETE, &untagging, &json!({})).await.0;
        assert_eq!(untagged, StatusCode::NO_CONTENT, "{holder}");
        let left = world.control(Method::GET, &path, &json!({})).await.1;
        assert_eq!(left, json!({ "tags": {} }), "{holder}");
        for other in ["x::/", "arn:aws:apigateway:eu-west-1::/"] {
            let path = path_of(&format!("{other}{holder}"));
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let refused = world.control(method, &path, &tags).await.0;
                assert_eq!(refused, StatusCode::NOT_FOUND, "{other}{holder}");
            }
        }
        assert_eq!(world.control(Method::GET, &path, &json!({})).await.1, json!({ "tags": {} }), "{holder}");
    }
}

#[tokio::test]
async fn a_wildcard_domain_serves_the_names_below_it() {
    let world = World::new(default_stage()).await;
    world.create("/v2/domainnames", json!({ "domainName": "*.example.com" })).await;
    let mapping = json!({ "apiId": world.api, "stage": "$default" });
    world.create("/v2/domainnames/*.example.com/apimappings", mapping).await;
    for (domain, expected) in [("a.example.com", StatusCode::OK), ("a.b.example.com", StatusCode::NOT_FOUND)] {
        assert_eq!(world.call_as(domain, Method::GET, "/echo/x", &[]).await.status, expected, "{domain}");
    }
}

#[tokio::test]
async fn a_domain_of_ones_own_leads_to_its_stage() {
    let world = World::new(default_stage()).await;
    world.create("/v2/domainnames", json!({ "domainName": "api.example.com" })).await;
    let mapping = json!({ "apiId": world.api, "stage": "$default", "apiMappingKey": "v1" });
    world.create("/v2/domainnames/api.example.com/apimappings", mapping).await;
    let by_domain = async |path: &str| world.call_as("api.example.com", Method::GET, path, &[]).await.status;
    assert_eq!(by_domain("/v1/echo/x").await, StatusCode::OK);
    assert_eq!(by_domain("/v1x/echo/x").await, StatusCode::NOT_FOUND);
    assert_eq!(by_domain("/echo/x").await, StatusCode::NOT_FOUND);
    world.patch("", json!({ "disableExecuteApiEndpoint": true })).await;
    assert_eq!(world.call("/echo/x", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(by_domain("/v1/echo/x").await, StatusCode::OK);
}

#[tokio::test]
async fn heads_and_bodies_have_limits() {
    let world = World::new(default_stage()).await;
    let answer = world.call("/echo/x", &[("x-long", &"x".repeat(10_300))]).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let destination = Destination::new(&world.api, "/echo/x");
    let request = request(Method::POST, "/echo/x", &[], "x".repeat(10_485_761));
    let response = handle(world.cloud.clone(), destination, request).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_page_may_read_refusals_too() {
    let world = World::new(default_stage()).await;
    let cors = json!({ "allowOrigins": ["https://a.example", "http://*"], "exposeHeaders": ["x-a", "x-b"] });
    world.patch("", json!({ "corsConfiguration": cors })).await;
    let answer = world.call("/nothing", &[("origin", "https://a.example")]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.headers["access-control-allow-origin"], "https://a.example");
    assert_eq!(answer.headers["access-control-expose-headers"], "x-a,x-b");
    let answer = world.call("/nothing", &[("origin", "http://b.example")]).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "http://b.example");
    let answer = world.call("/nothing", &[("origin", "https://b.example")]).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_route_that_takes_a_preflight_request_is_asked() {
    let world = World::new(default_stage()).await;
    let cors = json!({ "allowOrigins": ["*"], "allowMethods": ["GET"], "exposeHeaders": ["x-a"], "maxAge": 60 });
    world.patch("", json!({ "corsConfiguration": cors })).await;
    let route = json!({ "routeKey": "ANY /signed", "authorizationType": "AWS_IAM" });
    world.create_part("routes", route).await;
    world.create_part("routes", json!({ "routeKey": "GET /one" })).await;
    let asking = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
    for (path, status, body) in [
        ("/echo/x", StatusCode::OK, "/x"),
        ("/one", StatusCode::NO_CONTENT, ""),
        ("/signed", StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#),
    ] {
        let answer = world.call_as(&world.api, Method::OPTIONS, path, &asking).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.body, body, "{path}");
        assert_eq!(answer.headers["access-control-allow-methods"], "GET", "{path}");
        assert_eq!(answer.headers["access-control-max-age"], "60", "{path}");
        assert!(!answer.headers.contains_key("access-control-expose-headers"), "{path}");
    }
}

#[tokio::test]
async fn routes_that_cannot_be_guarded_let_nobody_pass() {
    let world = World::new(default_stage()).await;
    let target = world.integration(&format!("http://{}/", echo().await)).await;
    let route = json!({ "routeKey": "GET /signed", "target": target, "authorizationType": "AWS_IAM" });
    world.create_part("routes", route).await;
    assert_eq!(world.call("/signed", &[]).await.status, StatusCode::FORBIDDEN);
    let forged = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, \
                  Signature=0";
    assert_eq!(world.call("/signed", &[("authorization", forged)]).await.status, StatusCode::FORBIDDEN);
    let authorizer = json!({ "authorizerId": "x", "authorizationType": "JWT", "routeKey": "GET /a" });
    let path = format!("/v2/apis/{}/routes", world.api);
    assert_eq!(world.control(Method::POST, &path, &authorizer).await.0, StatusCode::BAD_REQUEST);
    world
        .cloud
        .write(|account| {
            let api = account.apigatewayv2.api_mut(&world.api)?;
            for route in api.live.routes.values_mut() {
                route.authorization_type = Some("NEW".to_owned());
            }
            Ok::<_, crate::wire::Fault>(())
        })
        .expect("the state is changed");
    assert_eq!(world.call("/echo/x", &[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_stage_writes_its_access_log() {
    let mut stage = default_stage();
    stage["accessLogSettings"] = json!({
        "destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:access",
        "format": "$context.httpMethod $context.routeKey $context.status $context.error.message",
    });
    let world = World::new(stage).await;
    world.call("/echo/x", &[]).await;
    world.call("/nothing", &[]).await;
    let mut request = request(Method::POST, "/", &[], json!({ "logGroupName": "access" }).to_string());
    request.headers.insert("x-amz-target", HeaderValue::from_static("Logs_20140328.FilterLogEvents"));
    let answer = logs::api::handle(world.cloud.clone(), request).await;
    let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("it is JSON");
    let lines: Vec<&str> =
        body["events"].as_array().into_iter().flatten().filter_map(|one| one["message"].as_str()).collect();
    assert_eq!(lines, ["GET ANY /echo/{rest+} 200 -", "GET - 404 Not Found"]);
}

#[tokio::test]
async fn what_an_api_holds_obeys_rules() {
    let world = World::new(default_stage()).await;
    let refused = [
        ("routes", json!({ "routeKey": "GET x" }), StatusCode::BAD_REQUEST),
        ("routes", json!({ "routeKey": "ANY /echo/{rest+}" }), StatusCode::CONFLICT),
        ("routes", json!({ "routeKey": "GET /a", "target": "integrations/none" }), StatusCode::BAD_REQUEST),
        ("stages", json!({ "stageName": "a b" }), StatusCode::BAD_REQUEST),
        ("stages", json!({ "stageName": "$default" }), StatusCode::CONFLICT),
        ("integrations", json!({ "integrationType": "MOCK" }), StatusCode::BAD_REQUEST),
        ("authorizers", json!({ "name": "a", "authorizerType": "JWT" }), StatusCode::BAD_REQUEST),
        ("routes", json!([]), StatusCode::BAD_REQUEST),
    ];
    for (kind, body, expected) in refused {
        let (status, answer) = world.control(Method::POST, &format!("/v2/apis/{}/{kind}", world.api), &body).await;
        assert_eq!(status, expected, "{kind} {body}: {answer}");
        assert!(answer["message"].is_string());
    }
    let (_, routes) = world.control(Method::GET, &format!("/v2/apis/{}/routes", world.api), &Value::Null).await;
    let target = routes["items"][0]["target"].as_str().unwrap_or_default().to_owned();
    let (status, _) = world.control(Method::DELETE, &format!("/v2/apis/{}/{target}", world.api), &Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT, "an integration that is used stays");
}
