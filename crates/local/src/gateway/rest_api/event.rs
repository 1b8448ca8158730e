//! The events that functions receive.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::{Notes, context};
use crate::gateway::request::{SOURCE_IP, is_hop_by_hop, last, query, trace};

/// The event of a Lambda proxy integration.
pub(super) fn of_proxy(call: &Call, notes: &Notes) -> Value {
    let mut event = base(call, notes);
    for name in ["queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables"] {
        if event[name].as_object().is_some_and(Map::is_empty) {
            event[name] = Value::Null;
        }
    }
    let body = &call.request.body;
    let binary = call.media_type().is_some_and(|kind| call.is_binary(&kind));
    event["isBase64Encoded"] = (binary && !body.is_empty()).into();
    event["body"] = match body.is_empty() {
        true => Value::Null,
        false if binary => STANDARD.encode(body).into(),
        false => String::from_utf8_lossy(body).into_owned().into(),
    };
    event
}

/// The event of a `REQUEST` authorizer: what is empty is an empty object rather than null, and there is no body.
pub(super) fn of_request_authorizer(call: &Call) -> Value {
    let mut event = base(call, &Notes::default());
    event["type"] = "REQUEST".into();
    event["methodArn"] = call.method_arn().into();
    event
}

/// The event of a `TOKEN` authorizer.
pub(super) fn of_token_authorizer(method_arn: &str, token: &str) -> Value {
    json!({ "type": "TOKEN", "methodArn": method_arn, "authorizationToken": token })
}

fn base(call: &Call, notes: &Notes) -> Value {
    let routed = call.bound.routed.as_ref();
    let headers = headers(call);
    let query = query(&call.request.query);
    let parameters = routed.map(|routed| routed.parameters.clone()).unwrap_or_default();
    json!({
        "resource": routed.map(|routed| routed.resource.as_str()),
        "path": call.bound.path,
        "httpMethod": call.request.method.as_str(),
        "headers": last(&headers),
        "multiValueHeaders": headers,
        "queryStringParameters": last(&query),
        "multiValueQueryStringParameters": query,
        "pathParameters": parameters.into_iter().collect::<BTreeMap<_, _>>(),
        "stageVariables": call.bound.stage.variables,
        "requestContext": context::of(call, notes),
    })
}

/// Every header with its values, and those that the gateway adds. The length of the body is the gateway's own business.
fn headers(call: &Call) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let passed = call.request.headers.iter().filter(|(name, _)| {
        let own = ["content-length", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"];
        !is_hop_by_hop(name.as_str()) && !own.contains(&name.as_str())
    });
    for (name, value) in passed {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(spelled(call, name.as_str())).or_default().push(value);
    }
    let before = call.header("x-forwarded-for").map(|before| before + ", ").unwrap_or_default();
    let own = [
        ("X-Forwarded-For", format!("{before}{SOURCE_IP}")),
        ("X-Forwarded-Port", "443".to_owned()),
        ("X-Forwarded-Proto", "https".to_owned()),
    ];
    headers.extend(own.map(|(name, value)| (name.to_owned(), vec![value])));
    headers.entry("X-Amzn-Trace-Id".to_owned()).or_insert_with(|| vec![trace(call.time)]);
    headers
}

/// A header's name as functions see it: as the client wrote it, but for those that the gateway reads itself.
fn spelled(call: &Call, name: &str) -> String {
    match name {
        "authorization" => "Authorization".to_owned(),
        "host" => "Host".to_owned(),
        "user-agent" => "User-Agent".to_owned(),
        "x-amzn-trace-id" => "X-Amzn-Trace-Id".to_owned(),
        name => call.request.spelling.get(name).cloned().unwrap_or_else(|| name.to_owned()),
    }
}
