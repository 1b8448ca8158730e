//! Answers with the caller's claims: what the gateway's authorizer has verified about the token.

use std::convert::Infallible;

use lambda_http::aws_lambda_events::apigw::ApiGatewayRequestAuthorizer;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{CONTENT_TYPE, HeaderValue};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use serde_json::{Value, json};

/// Answers one request: 200 with the claims, or 401 when no authorizer has vouched for the caller.
///
/// # Errors
/// Never: the runtime asks for a `Result`.
pub async fn handle(request: Request) -> Result<Response<Body>, Infallible> {
    Ok(match claims(request.request_context_ref()) {
        Some(claims) => answer(StatusCode::OK, &json!({ "claims": claims })),
        None => answer(StatusCode::UNAUTHORIZED, &json!({ "message": "Unauthorized" })),
    })
}

fn claims(context: Option<&RequestContext>) -> Option<Value> {
    let claims = match context? {
        RequestContext::ApiGatewayV2(context) => json!(context.authorizer.as_ref()?.jwt.as_ref()?.claims),
        RequestContext::ApiGatewayV1(context) => claims_of_payload_1(&context.authorizer)?,
        _ => return None,
    };
    claims.as_object().is_some_and(|claims| !claims.is_empty()).then_some(claims)
}

/// Payload 1.0 puts the claims directly under `authorizer`, whatever else an authorizer adds beside them.
fn claims_of_payload_1(authorizer: &ApiGatewayRequestAuthorizer) -> Option<Value> {
    authorizer.fields.get("claims").cloned()
}

fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reply(event: Value) -> (StatusCode, Value) {
        let request = lambda_http::request::from_str(&event.to_string()).expect("the event is well formed");
        let response = handle(request).await.expect("it always answers");
        let status = response.status();
        (status, serde_json::from_slice(response.body()).expect("the answer is JSON"))
    }

    fn payload_2(authorizer: &Value) -> Value {
        json!({
            "version": "2.0",
            "routeKey": "GET /protected",
            "rawPath": "/protected",
            "rawQueryString": "",
            "headers": { "host": "api.example.com" },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "authorizer": authorizer,
                "domainName": "api.example.com",
                "http": { "method": "GET", "path": "/protected", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test" },
                "requestId": "request",
                "routeKey": "GET /protected",
                "stage": "$default",
                "time": "01/Jan/2026:00:00:00 +0000",
                "timeEpoch": 1767225600000_i64
            },
            "isBase64Encoded": false
        })
    }

    fn payload_1(authorizer: &Value) -> Value {
        json!({
            "version": "1.0",
            "resource": "/protected",
            "path": "/protected",
            "httpMethod": "GET",
            "headers": { "Host": "api.example.com" },
            "multiValueHeaders": { "Host": ["api.example.com"] },
            "queryStringParameters": null,
            "multiValueQueryStringParameters": null,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "authorizer": authorizer,
                "domainName": "api.example.com",
                "httpMethod": "GET",
                "identity": { "sourceIp": "192.0.2.1", "userAgent": "test" },
                "path": "/protected",
                "protocol": "HTTP/1.1",
                "requestId": "request",
                "requestTimeEpoch": 1767225600000_i64,
                "resourcePath": "/protected",
                "stage": "$default"
            },
            "pathParameters": null,
            "stageVariables": null,
            "body": null,
            "isBase64Encoded": false
        })
    }

    #[tokio::test]
    async fn payload_2_claims_are_returned() {
        let authorizer = json!({ "jwt": { "claims": { "sub": "alice", "groups": "[a b]" }, "scopes": null } });
        let (status, body) = reply(payload_2(&authorizer)).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body, json!({ "claims": { "sub": "alice", "groups": "[a b]" } }));
    }

    #[tokio::test]
    async fn payload_1_claims_are_returned() {
        let (status, body) = reply(payload_1(&json!({ "claims": { "sub": "alice" }, "scopes": null }))).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body, json!({ "claims": { "sub": "alice" } }));
    }

    #[tokio::test]
    async fn nobody_gets_in_without_claims() {
        let strangers = [
            payload_2(&Value::Null),
            payload_2(&json!({})),
            payload_2(&json!({ "lambda": { "claims": { "sub": "mallory" } } })),
            payload_2(&json!({ "jwt": { "claims": {}, "scopes": null } })),
            payload_1(&Value::Null),
            payload_1(&json!({ "principalId": "mallory" })),
            payload_1(&json!({ "claims": "sub" })),
            payload_1(&json!({ "claims": {} })),
        ];
        for event in strangers {
            let (status, body) = reply(event).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
            assert_eq!(body, json!({ "message": "Unauthorized" }));
        }
    }
}
