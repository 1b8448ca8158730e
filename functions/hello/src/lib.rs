//! Greets the caller by the name that the API's authorizer has verified.
//!
//! `ALLOWED_ORIGIN` is the origin whose pages may read the answer, for a REST API, whose functions answer CORS
//! themselves; a preflight is answered by the API. HTTP APIs do both themselves.

use std::convert::Infallible;

use lambda_http::aws_lambda_events::apigw::ApiGatewayRequestAuthorizer;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HeaderValue, InvalidHeaderValue, VARY};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use serde_json::{Value, json};

/// What a caller may be called, best first: claims of ID and access tokens, the context of a Lambda authorizer,
/// whom a policy names, and who signed a request to an IAM route of an HTTP API.
const NAMES: [&str; 8] =
    ["name", "cognito:username", "username", "email", "sub", "client_id", "principalId", "userArn"];

/// The header that lets an origin's pages read the answer.
///
/// # Errors
/// What is no header's value.
pub fn allowed_origin(variable: Option<String>) -> Result<Option<HeaderValue>, InvalidHeaderValue> {
    variable.filter(|origin| !origin.is_empty()).map(HeaderValue::try_from).transpose()
}

/// Answers one request: 200 with a greeting, or 401 when no authorizer has vouched for the caller.
///
/// # Errors
/// Never: the runtime asks for a `Result`.
pub fn handle(request: &Request, origin: Option<&HeaderValue>) -> Result<Response<Body>, Infallible> {
    let mut response = match name(request.request_context_ref()) {
        Some(name) => answer(StatusCode::OK, &format!("Hello, {name}.")),
        None => answer(StatusCode::UNAUTHORIZED, "Unauthorized"),
    };
    if let Some(origin) = origin {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
    }
    Ok(response)
}

fn name(context: Option<&RequestContext>) -> Option<String> {
    let facts = match context? {
        RequestContext::ApiGatewayV1(context) => facts(&context.authorizer),
        RequestContext::ApiGatewayV2(context) => facts(context.authorizer.as_ref()?),
        _ => return None,
    };
    let named = |name: &&str| facts.iter().find_map(|facts| facts[*name].as_str().filter(|text| !text.is_empty()));
    NAMES.iter().find_map(named).map(str::to_owned)
}

/// What is known of the caller: the claims of a token or the signer that the gateway has verified, and what a Lambda
/// authorizer says.
fn facts(authorizer: &ApiGatewayRequestAuthorizer) -> Vec<Value> {
    let own = json!(authorizer.fields);
    let claims = authorizer.jwt.as_ref().map(|jwt| json!(jwt.claims));
    let signer = authorizer.iam.as_ref().map(|iam| json!(iam));
    claims.into_iter().chain(signer).chain([own["claims"].clone(), own]).collect()
}

fn answer(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(event: &Value, origin: Option<&HeaderValue>) -> Response<Body> {
        let request = lambda_http::request::from_str(&event.to_string()).expect("the event is well formed");
        let Ok(response) = handle(&request, origin);
        response
    }

    fn greeting(event: &Value) -> String {
        let body: Value = serde_json::from_slice(reply(event, None).body()).expect("the answer is JSON");
        body["message"].as_str().unwrap_or_default().to_owned()
    }

    fn rest(authorizer: &Value) -> Value {
        json!({
            "resource": "/", "path": "/", "httpMethod": "GET", "headers": {}, "multiValueHeaders": {},
            "requestContext": {
                "httpMethod": "GET", "identity": {}, "requestTimeEpoch": 0, "authorizer": authorizer
            },
            "body": null, "isBase64Encoded": false
        })
    }

    fn http(authorizer: &Value) -> Value {
        json!({
            "version": "2.0", "routeKey": "GET /", "rawPath": "/", "rawQueryString": "", "headers": {},
            "requestContext": {
                "authorizer": authorizer,
                "http": { "method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "" },
                "timeEpoch": 0
            },
            "isBase64Encoded": false
        })
    }

    #[test]
    fn every_authorizer_names_the_caller() {
        assert_eq!(greeting(&rest(&json!({ "principalId": "1", "username": "alice" }))), "Hello, alice.");
        assert_eq!(greeting(&rest(&json!({ "principalId": "token" }))), "Hello, token.");
        assert_eq!(
            greeting(&rest(&json!({ "claims": { "sub": "1", "email": "a@example.com" } }))),
            "Hello, a@example.com."
        );
        assert_eq!(greeting(&http(&json!({ "lambda": { "username": "alice" } }))), "Hello, alice.");
        assert_eq!(greeting(&http(&json!({ "jwt": { "claims": { "sub": "1" }, "scopes": null } }))), "Hello, 1.");
        let signer = json!({ "accessKey": "AKIA", "userArn": "arn:aws:iam::123456789012:user/worker" });
        assert_eq!(greeting(&http(&json!({ "iam": signer }))), "Hello, arn:aws:iam::123456789012:user/worker.");
    }

    #[test]
    fn nobody_is_greeted_without_a_name() {
        let strangers = [
            rest(&Value::Null),
            rest(&json!({})),
            rest(&json!({ "username": "" })),
            rest(&json!({ "username": 1 })),
            http(&Value::Null),
            http(&json!({ "lambda": null })),
        ];
        for stranger in strangers {
            assert_eq!(reply(&stranger, None).status(), StatusCode::UNAUTHORIZED, "{stranger}");
        }
    }

    #[test]
    fn one_origin_may_read_the_answer_and_no_other_by_default() {
        let event = rest(&json!({ "username": "alice" }));
        assert!(!reply(&event, None).headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        let origin = allowed_origin(Some("https://app.example.com".to_owned())).expect("it is a header's value");
        let response = reply(&event, origin.as_ref());
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example.com");
        assert!(allowed_origin(Some("a\r\nb".to_owned())).is_err());
        assert_eq!(allowed_origin(Some(String::new())).ok(), Some(None));
    }
}
