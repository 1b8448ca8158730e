//! Integrations: what answers a route's requests.

use std::time::Duration;

use http::Method;

use super::access_log::Notes;
use super::answer::{Refusal, of_function};
use super::call::{Call, Routed};
use super::event::of_integration;
use crate::apigatewayv2::Integration;
use crate::cloud::Cloud;
use crate::gateway::answer::Answer;
use crate::gateway::endpoint::{Astray, Passed, Silent, address};
use crate::gateway::function::{self, Problem, Wanted, with_stage_variables};
use crate::gateway::request::forwarded;

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
    let uri = uri(call, integration);
    let event = of_integration(call, &notes.identity, format);
    let wanted = Wanted { uri: &uri, caller: &caller(call), event: &event, timeout: timeout(integration) };
    let payload = function::invoke(cloud, wanted).await.map_err(|problem| {
        notes.integration_error = Some(problem.logged());
        match problem {
            Problem::Failed(_) | Problem::Raised(_) => Refusal::InternalServerError,
            Problem::Throttled | Problem::TimedOut => Refusal::ServiceUnavailable,
            Problem::EventTooLarge => Refusal::BodyTooLarge,
        }
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
    let address = address(&uri(call, integration), &routed.parameters, &call.request.query).map_err(|Astray| {
        notes.integration_error = Some("the path has segments of dots".to_owned());
        Refusal::BadRequest
    })?;
    let passed = Passed {
        method: method(call, integration),
        address,
        headers: forwarded(&call.request.headers),
        body: call.request.body.clone(),
    };
    let reason = match cloud.gateway().endpoints.ask(passed, timeout(integration)).await {
        Ok(answer) => return Ok(Answer { headers: forwarded(&answer.headers), ..answer }),
        Err(Silent::Failed(reason)) => reason,
        Err(Silent::TimedOut) => "the endpoint takes too long".to_owned(),
    };
    notes.integration_error = Some(reason);
    Err(Refusal::ServiceUnavailable)
}

fn uri(call: &Call, integration: &Integration) -> String {
    let uri = integration.integration_uri.as_deref().unwrap_or_default();
    with_stage_variables(uri, &call.bound.stage.stage_variables)
}

fn method(call: &Call, integration: &Integration) -> Method {
    let method = integration.integration_method.as_deref().unwrap_or("ANY");
    match Method::from_bytes(method.as_bytes()) {
        Ok(method) if method != "ANY" => method,
        _ => call.request.method.clone(),
    }
}
