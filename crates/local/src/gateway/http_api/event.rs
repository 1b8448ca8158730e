//! The events that functions receive.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::call::Call;
use crate::gateway::request::{
    SOURCE_IP, domain_prefix, epoch_milliseconds, header, is_hop_by_hop, last, log_time, query, titled, trace,
};
use crate::gateway::signer::Signer;

/// What an authorizer found out about the caller.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Identity {
    /// Nobody asked.
    #[default]
    Unknown,
    /// A token's claims, and its scopes where the route asks for some.
    Token { claims: Map<String, Value>, scopes: Option<Vec<String>> },
    /// What a Lambda authorizer said.
    Function { principal: Option<String>, context: Map<String, Value> },
    /// Who signed the request.
    Signer(Signer),
}

/// The event of an integration in this payload format.
pub(super) fn of_integration(call: &Call, identity: &Identity, format: &str) -> Value {
    let mut event = match format {
        "1.0" => version_1(call, identity),
        _ => version_2(call, identity),
    };
    add_body(&mut event, call, format == "1.0");
    event
}

/// The event of a Lambda authorizer in format 2.0.
pub(super) fn of_authorizer_2(call: &Call, arn: &str, sources: &[String]) -> Value {
    let mut event = version_2(call, &Identity::Unknown);
    event["type"] = "REQUEST".into();
    event["routeArn"] = arn.into();
    if !sources.is_empty() {
        event["identitySource"] = sources.into();
    }
    event
}

/// The event of a Lambda authorizer in format 1.0.
pub(super) fn of_authorizer_1(call: &Call, arn: &str, sources: &[String]) -> Value {
    let mut event = version_1(call, &Identity::Unknown);
    event["type"] = "REQUEST".into();
    event["methodArn"] = arn.into();
    event["identitySource"] = sources.join(",").into();
    event["authorizationToken"] = sources.join(",").into();
    event
}

fn version_2(call: &Call, identity: &Identity) -> Value {
    let mut event = json!({
        "version": "2.0",
        "routeKey": call.bound.route_key(),
        "rawPath": call.raw_path(),
        "rawQueryString": call.request.query,
        "headers": joined_headers(call),
        "requestContext": context_2(call, identity),
        "isBase64Encoded": false,
    });
    let cookies = cookies(&call.request.headers);
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    let query = query(&call.request.query);
    if !query.is_empty() {
        event["queryStringParameters"] = query.into_iter().map(|(name, values)| (name, values.join(","))).collect();
    }
    if let Some(parameters) = path_parameters(call) {
        event["pathParameters"] = parameters;
    }
    if !call.bound.stage.stage_variables.is_empty() {
        event["stageVariables"] = json!(call.bound.stage.stage_variables);
    }
    event
}

fn context_2(call: &Call, identity: &Identity) -> Value {
    let bound = &call.bound;
    let mut context = json!({
        "accountId": bound.account,
        "apiId": bound.api,
        "domainName": call.domain(),
        "domainPrefix": domain_prefix(&call.domain()),
        "http": {
            "method": call.request.method.as_str(),
            "path": call.decoded_path(),
            "protocol": "HTTP/1.1",
            "sourceIp": SOURCE_IP,
            "userAgent": call.user_agent(),
        },
        "requestId": call.id,
        "routeKey": bound.route_key(),
        "stage": bound.stage.stage_name,
        "time": log_time(call.time),
        "timeEpoch": epoch_milliseconds(call.time),
    });
    let authorizer = match identity {
        Identity::Unknown => return context,
        Identity::Token { claims, scopes } => json!({ "jwt": { "claims": claims, "scopes": scopes } }),
        Identity::Function { context, .. } => json!({ "lambda": context }),
        Identity::Signer(signer) => json!({ "iam": signer.authorizer() }),
    };
    context["authorizer"] = authorizer;
    context
}

fn version_1(call: &Call, identity: &Identity) -> Value {
    let query = query(&call.request.query);
    let headers = titled_headers(call);
    json!({
        "version": "1.0",
        "resource": resource(call),
        "path": call.path,
        "httpMethod": call.request.method.as_str(),
        "headers": last(&headers),
        "multiValueHeaders": headers,
        "queryStringParameters": if query.is_empty() { Value::Null } else { last(&query) },
        "multiValueQueryStringParameters": if query.is_empty() { Value::Null } else { json!(query) },
        "requestContext": context_1(call, identity),
        "pathParameters": path_parameters(call),
        "stageVariables": match &call.bound.stage.stage_variables {
            variables if variables.is_empty() => Value::Null,
            variables => json!(variables),
        },
        "body": Value::Null,
        "isBase64Encoded": false,
    })
}

fn context_1(call: &Call, identity: &Identity) -> Value {
    let bound = &call.bound;
    json!({
        "accountId": bound.account,
        "apiId": bound.api,
        "authorizer": authorizer_1(identity),
        "domainName": call.domain(),
        "domainPrefix": domain_prefix(&call.domain()),
        "extendedRequestId": call.id,
        "httpMethod": call.request.method.as_str(),
        "identity": identity_1(call, identity),
        "path": call.decoded_path(),
        "protocol": "HTTP/1.1",
        "requestId": call.id,
        "requestTime": log_time(call.time),
        "requestTimeEpoch": epoch_milliseconds(call.time),
        "resourceId": bound.route_key(),
        "resourcePath": resource(call),
        "stage": bound.stage.stage_name,
    })
}

fn authorizer_1(identity: &Identity) -> Value {
    match identity {
        Identity::Unknown | Identity::Signer(_) => json!({ "claims": null, "scopes": null }),
        Identity::Token { claims, scopes } => json!({ "claims": claims, "scopes": scopes }),
        Identity::Function { principal, context } => {
            let mut members = context.clone();
            if let Some(principal) = principal {
                members.insert("principalId".to_owned(), principal.as_str().into());
            }
            Value::Object(members)
        }
    }
}

fn identity_1(call: &Call, identity: &Identity) -> Value {
    let mut known = json!({
        "accessKey": null,
        "accountId": null,
        "caller": null,
        "cognitoAmr": null,
        "cognitoAuthenticationProvider": null,
        "cognitoAuthenticationType": null,
        "cognitoIdentityId": null,
        "cognitoIdentityPoolId": null,
        "principalOrgId": null,
        "sourceIp": SOURCE_IP,
        "user": null,
        "userAgent": call.user_agent(),
        "userArn": null,
    });
    if let Identity::Signer(signer) = identity {
        for (name, value) in signer.identity() {
            known[name] = value.into();
        }
    }
    known
}

fn resource(call: &Call) -> &str {
    let key = call.bound.route_key();
    key.split_once(' ').map_or(key, |(_, path)| path)
}

fn path_parameters(call: &Call) -> Option<Value> {
    let parameters = &call.bound.route.as_ref()?.parameters;
    (!parameters.is_empty()).then(|| parameters.iter().map(|(name, value)| (name.clone(), value.as_str())).collect())
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(http::header::COOKIE).iter();
    values
        .flat_map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            text.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// Every header with its values, and those that the gateway adds.
fn headers(call: &Call) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in call.request.headers.iter().filter(|(name, _)| !is_hop_by_hop(name.as_str())) {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.as_str().to_owned()).or_default().push(value);
    }
    let forwarded = headers.entry("x-forwarded-for".to_owned()).or_default();
    forwarded.push(SOURCE_IP.to_owned());
    *forwarded = vec![forwarded.join(", ")];
    headers.insert("x-forwarded-port".to_owned(), vec!["443".to_owned()]);
    headers.insert("x-forwarded-proto".to_owned(), vec!["https".to_owned()]);
    headers.entry("x-amzn-trace-id".to_owned()).or_insert_with(|| vec![trace(call.time)]);
    headers.entry("content-length".to_owned()).or_insert_with(|| vec![call.request.body.len().to_string()]);
    headers
}

fn joined_headers(call: &Call) -> BTreeMap<String, String> {
    let mut headers = headers(call);
    headers.remove("cookie");
    headers.into_iter().map(|(name, values)| (name, values.join(","))).collect()
}

fn titled_headers(call: &Call) -> BTreeMap<String, Vec<String>> {
    headers(call).into_iter().map(|(name, values)| (titled(&name), values)).collect()
}

/// Format 1.0 has a null where there is no body, format 2.0 leaves the member out.
fn add_body(event: &mut Value, call: &Call, null: bool) {
    let body = &call.request.body;
    if body.is_empty() {
        if null {
            event["body"] = Value::Null;
        }
        return;
    }
    let text = arrives_as_text(&call.request.headers).then(|| std::str::from_utf8(body).ok()).flatten();
    event["isBase64Encoded"] = text.is_none().into();
    event["body"] = text.map_or_else(|| STANDARD.encode(body), str::to_owned).into();
}

/// Text, JSON, XML and JavaScript arrive as they are; all else, forms included, in base64.
fn arrives_as_text(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_ENCODING) {
        return false;
    }
    let Some(kind) = header(headers, &CONTENT_TYPE) else { return true };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let plain = ["application/json", "application/xml", "application/javascript"];
    kind.starts_with("text/") || plain.contains(&kind.as_str()) || kind.ends_with("+json") || kind.ends_with("+xml")
}

/// The value of an identity source or of a mapping's left side: a header, a query parameter, a stage variable or a
/// piece of context; `None` when it is absent or empty.
pub(super) fn source(call: &Call, expression: &str) -> Option<String> {
    let found = if let Some(name) = expression.strip_prefix("$request.header.") {
        let values = call.request.headers.get_all(name.to_ascii_lowercase());
        let values: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(","))
    } else if let Some(name) = expression.strip_prefix("$request.querystring.") {
        query(&call.request.query).remove(name).map(|values| values.join(","))
    } else if let Some(name) = expression.strip_prefix("$stageVariables.") {
        call.bound.stage.stage_variables.get(name).cloned()
    } else {
        context_source(call, expression.strip_prefix("$context.")?)
    };
    found.filter(|value| !value.is_empty())
}

fn context_source(call: &Call, name: &str) -> Option<String> {
    Some(match name {
        "accountId" => call.bound.account.clone(),
        "apiId" => call.bound.api.clone(),
        "domainName" => call.domain(),
        "httpMethod" => call.request.method.to_string(),
        "identity.sourceIp" => SOURCE_IP.to_owned(),
        "identity.userAgent" => call.user_agent(),
        "path" => call.decoded_path(),
        "protocol" => "HTTP/1.1".to_owned(),
        "requestId" => call.id.clone(),
        "routeKey" => call.bound.route_key().to_owned(),
        "stage" => call.bound.stage.stage_name.clone(),
        _ => return None,
    })
}
