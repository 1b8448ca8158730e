//! The events that functions receive.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-integrations.html>.

use std::collections::BTreeMap;

use http::header::HOST;
use serde_json::{Map, Value, json};

use super::turn::{Kind, Turn};
use crate::gateway::request::{
    SOURCE_IP, epoch_milliseconds, header, is_hop_by_hop, last, log_time, query, titled, trace,
};
use crate::gateway::signer::Signer;

/// What was found out about a client when it connected; it goes with each of its messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Identity {
    /// Nobody asked.
    #[default]
    Unknown,
    /// What a Lambda authorizer said.
    Function(Map<String, Value>),
    /// Who signed the request.
    Signer(Signer),
}

/// The event of a route's function.
pub(super) fn of_integration(turn: &Turn) -> Value {
    let mut event = match &turn.kind {
        Kind::Connect => json!({ "headers": last(&headers(turn)), "multiValueHeaders": headers(turn) }),
        Kind::Message { .. } => json!({}),
        Kind::Disconnect { .. } => json!({ "headers": last(&farewell(turn)), "multiValueHeaders": farewell(turn) }),
    };
    let parameters = query(&turn.client.request.query);
    if turn.kind == Kind::Connect && !parameters.is_empty() {
        event["queryStringParameters"] = last(&parameters);
        event["multiValueQueryStringParameters"] = json!(parameters);
    }
    let variables = &turn.bound.stage.stage_variables;
    if !variables.is_empty() {
        event["stageVariables"] = json!(variables);
    }
    event["requestContext"] = context(turn, &turn.client.identity);
    if let Kind::Message { body, .. } = &turn.kind {
        event["body"] = body.as_str().into();
    }
    event["isBase64Encoded"] = false.into();
    event
}

/// The event of the Lambda authorizer of `$connect`, whose route has this ARN.
pub(super) fn of_authorizer(turn: &Turn, arn: &str) -> Value {
    let mut headers = headers(turn);
    for (name, value) in [("Connection", "upgrade"), ("Upgrade", "websocket"), ("content-length", "0")] {
        headers.insert(name.to_owned(), vec![value.to_owned()]);
    }
    let parameters = query(&turn.client.request.query);
    json!({
        "type": "REQUEST",
        "methodArn": arn,
        "headers": last(&headers),
        "multiValueHeaders": headers,
        "queryStringParameters": last(&parameters),
        "multiValueQueryStringParameters": parameters,
        "stageVariables": turn.bound.stage.stage_variables,
        "requestContext": context(turn, &Identity::Unknown),
    })
}

fn context(turn: &Turn, identity: &Identity) -> Value {
    let Turn { bound, client, .. } = turn;
    let mut context = json!({
        "routeKey": bound.route_key(),
        "eventType": turn.kind.name(),
        "extendedRequestId": turn.id,
        "requestTime": log_time(turn.time),
        "messageDirection": "IN",
        "stage": bound.stage.stage_name,
        "connectedAt": epoch_milliseconds(client.connected),
        "requestTimeEpoch": epoch_milliseconds(turn.time),
        "identity": identity_of(turn, identity),
        "requestId": turn.id,
        "domainName": client.domain,
        "connectionId": client.id,
        "apiId": bound.place.api,
    });
    match &turn.kind {
        Kind::Connect => {}
        Kind::Message { id, .. } => context["messageId"] = id.as_str().into(),
        Kind::Disconnect { code, reason } => {
            context["disconnectStatusCode"] = (*code).into();
            context["disconnectReason"] = reason.as_str().into();
        }
    }
    if let Identity::Function(said) = identity {
        context["authorizer"] = Value::Object(said.clone());
    }
    context
}

fn identity_of(turn: &Turn, identity: &Identity) -> Value {
    let mut of = json!({ "sourceIp": SOURCE_IP });
    if let Some(agent) = turn.client.user_agent() {
        of["userAgent"] = agent.into();
    }
    if let Identity::Signer(signer) = identity {
        for (name, value) in signer.identity() {
            of[name] = value.into();
        }
    }
    of
}

/// Every header of the request for the connection with its values, and those that the gateway adds.
fn headers(turn: &Turn) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let sent = turn.client.request.headers.iter().filter(|(name, _)| !is_hop_by_hop(name.as_str()));
    for (name, value) in sent {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(written(name.as_str())).or_default().push(value);
    }
    let mut add = |name: &str, value: String| drop(headers.insert(name.to_owned(), vec![value]));
    add("X-Amzn-Trace-Id", trace(turn.time));
    add("X-Forwarded-For", SOURCE_IP.to_owned());
    add("X-Forwarded-Port", "443".to_owned());
    add("X-Forwarded-Proto", "https".to_owned());
    headers
}

/// Headers are lower case by the time they are here; clients of WebSockets write them thus.
fn written(name: &str) -> String {
    titled(name).replace("Websocket", "WebSocket")
}

/// A connection that ends has no headers any more but these.
fn farewell(turn: &Turn) -> BTreeMap<String, Vec<String>> {
    let host = header(&turn.client.request.headers, &HOST).unwrap_or_default();
    let headers = [("Host", host.as_str()), ("x-api-key", ""), ("X-Forwarded-For", ""), ("x-restapi", "")];
    headers.map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).into()
}
