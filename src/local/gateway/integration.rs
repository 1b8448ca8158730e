//! Integrations: what answers a route's requests.

use std::time::Duration;

use http::{HeaderMap, Method};
use reqwest::Client;

use super::access_log::Notes;
use super::answer::{Answer, Refusal, of_function};
use super::call::{Call, Routed};
use super::event::{is_hop_by_hop, of_integration};
use super::function::{self, Problem, with_stage_variables};
use crate::local::apigatewayv2::Integration;
use crate::local::cloud::Cloud;

/// The largest answer of an integration.
const LARGEST: usize = 10_485_760;

/// Lets the route's integration answer.
pub(super) async fn answer(cloud: &Cloud, call: &Call, routed: &Routed, notes: &mut Notes) -> Result<Answer, Refusal> {
    let Some((_, integration)) = &routed.integration else {
        notes.integration_error = Some("the route has no integration".to_owned());
        return Err(Refusal::InternalServerError);
    };
    notes.integration_began = Some(cloud.now());
    let answer = match integration.integration_type.as_str() {
        "AWS_PROXY" => of_lambda(cloud, call, integration, notes).await,
        "HTTP_PROXY" => of_http(cloud, call, routed, integration, notes).await,
        _ => Err(Refusal::InternalServerError),
    };
    notes.integration_ended = Some(cloud.now());
    notes.integration_status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
    answer
}

fn timeout(integration: &Integration) -> Duration {
    Duration::from_millis(integration.timeout_in_millis.unwrap_or(30_000))
}

async fn of_lambda(
    cloud: &Cloud,
    call: &Call,
    integration: &Integration,
    notes: &mut Notes,
) -> Result<Answer, Refusal> {
    let format = integration.payload_format_version.as_deref().unwrap_or("2.0");
    let uri = integration.integration_uri.as_deref().unwrap_or_default();
    let event = of_integration(call, &notes.identity, format);
    let caller = caller(call);
    let result = function::invoke(cloud, call, uri, &caller, &event, timeout(integration)).await;
    let payload = result.map_err(|problem| {
        let (refusal, reason) = match problem {
            Problem::Failed(reason) => (Refusal::InternalServerError, reason),
            Problem::Throttled => (Refusal::ServiceUnavailable, "the function is throttled".to_owned()),
            Problem::TimedOut => (Refusal::ServiceUnavailable, "the function takes too long".to_owned()),
            Problem::EventTooLarge => (Refusal::BodyTooLarge, "the event is too large for a function".to_owned()),
        };
        notes.integration_error = Some(reason);
        refusal
    })?;
    of_function(&payload, format).map_err(|_| {
        notes.integration_error = Some("the function gave an answer that is not of the form".to_owned());
        Refusal::InternalServerError
    })
}

/// The ARN of the route, which the function's policy must let in.
fn caller(call: &Call) -> String {
    let stage = &call.bound.stage.stage_name;
    let route = match call.bound.route_key().split_once(' ') {
        Some((_, path)) => format!("{stage}/{}{path}", call.request.method),
        None => format!("{stage}/$default"),
    };
    call.bound.arn(&route)
}

async fn of_http(
    cloud: &Cloud,
    call: &Call,
    routed: &Routed,
    integration: &Integration,
    notes: &mut Notes,
) -> Result<Answer, Refusal> {
    let Some(client) = cloud.gateway().proxy.get_or_init(client) else { return Err(Refusal::InternalServerError) };
    let request = client
        .request(method(call, integration), address(call, routed, integration))
        .headers(forwarded(&call.request.headers))
        .body(call.request.body.clone());
    let received = tokio::time::timeout(timeout(integration), receive(request)).await;
    let reason = match received {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(reason)) => reason,
        Err(_) => "the endpoint takes too long".to_owned(),
    };
    notes.integration_error = Some(reason);
    Err(Refusal::ServiceUnavailable)
}

fn client() -> Option<Client> {
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().ok()
}

async fn receive(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let mut response = request.send().await.map_err(|error| error.to_string())?;
    let (status, headers) = (response.status(), forwarded(response.headers()));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err("the endpoint's answer is too large".to_owned());
        }
    }
    Ok(Answer { status, headers, body: body.into() })
}

fn method(call: &Call, integration: &Integration) -> Method {
    let method = integration.integration_method.as_deref().unwrap_or("ANY");
    match Method::from_bytes(method.as_bytes()) {
        Ok(method) if method != "ANY" => method,
        _ => call.request.method.clone(),
    }
}

/// The endpoint, with the path's own words in the place of `{name}`, and the query string behind it.
fn address(call: &Call, routed: &Routed, integration: &Integration) -> String {
    let uri = with_stage_variables(integration.integration_uri.as_deref().unwrap_or_default(), call);
    let uri = routed.parameters.iter().fold(uri, |uri, (name, value)| {
        let value = percent_encoding::utf8_percent_encode(value, PATH).to_string();
        uri.replace(&format!("{{{name}}}"), &value)
    });
    match call.request.query.as_str() {
        "" => uri,
        query => format!("{uri}{}{query}", if uri.contains('?') { '&' } else { '?' }),
    }
}

/// What may stand in a path as it is: what RFC 3986 leaves unreserved, and the slashes of greedy parameters.
const PATH: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let about_the_connection = |name: &str| is_hop_by_hop(name) || name == "host" || name == "content-length";
    headers
        .iter()
        .filter(|(name, _)| !about_the_connection(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
