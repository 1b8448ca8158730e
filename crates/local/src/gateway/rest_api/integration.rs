//! Integrations: what answers a method's requests.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method as Verb, StatusCode};
use regex::Regex;
use serde_json::Value;
use uuid::Uuid;

use super::answer::{of_function, remapped};
use super::call::{Call, Routed};
use super::mapping::{self, Place};
use super::refusal::Refusal;
use super::{Notes, context, event};
use crate::apigateway::{Integration, IntegrationResponse};
use crate::cloud::Cloud;
use crate::gateway::answer::{Answer, json_headers};
use crate::gateway::endpoint::{Astray, Passed, Silent, address};
use crate::gateway::function::{self, Problem, Wanted, with_stage_variables};
use crate::gateway::http_api::route::decoded;
use crate::gateway::request::{forwarded, trace};

/// Lets the method's integration answer.
pub(super) async fn answer(cloud: &Cloud, call: &Call, routed: &Routed, notes: &mut Notes) -> Result<Answer, Refusal> {
    let Some(integration) = &routed.method.method_integration else { return Err(Refusal::Configuration) };
    notes.integration_began = Some(cloud.now());
    let answer = match integration.kind.as_str() {
        "AWS_PROXY" => of_proxy(cloud, call, integration, notes).await,
        "AWS" => of_lambda(cloud, call, integration, notes).await,
        "HTTP_PROXY" => of_http(cloud, call, routed, integration, notes).await,
        "MOCK" => of_mock(call, integration, notes),
        _ => Err(Refusal::Configuration),
    };
    notes.integration_ended = Some(cloud.now());
    notes.integration_status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
    answer
}

fn timeout(integration: &Integration) -> Duration {
    Duration::from_millis(integration.timeout_in_millis.unwrap_or(29_000))
}

fn uri(call: &Call, integration: &Integration) -> String {
    with_stage_variables(integration.uri.as_deref().unwrap_or_default(), &call.bound.stage.variables)
}

async fn of_proxy(cloud: &Cloud, call: &Call, integration: &Integration, notes: &mut Notes) -> Result<Answer, Refusal> {
    let event = event::of_proxy(call, notes);
    let payload = match invoke(cloud, call, integration, &event, notes).await? {
        Ok(payload) => payload,
        Err(_) => return Err(Refusal::Malformed),
    };
    notes.trace = Some(traced(call));
    let Ok((answer, spelling)) = of_function(&payload, call) else {
        notes.integration_error = Some("the function gave an answer that is not of the form".to_owned());
        return Err(Refusal::Malformed);
    };
    notes.spelling = spelling;
    Ok(answer)
}

/// The result of the integration's function, or its error as Lambda shapes it.
async fn invoke(
    cloud: &Cloud,
    call: &Call,
    integration: &Integration,
    event: &Value,
    notes: &mut Notes,
) -> Result<Result<Bytes, Bytes>, Refusal> {
    // Lambda takes invocations by POST only, whatever the method's own verb.
    if integration.http_method.as_deref() != Some("POST") {
        notes.integration_error = Some("functions are invoked by POST only".to_owned());
        return Err(Refusal::Configuration);
    }
    let (uri, caller) = (uri(call, integration), caller(call));
    let wanted = Wanted { uri: &uri, caller: &caller, event, timeout: timeout(integration) };
    function::invoke(cloud, wanted).await.map(Ok).or_else(|problem| {
        notes.integration_error = Some(problem.logged());
        match problem {
            Problem::Raised(error) => Ok(Err(error)),
            Problem::Failed(_) | Problem::Throttled => Err(Refusal::Configuration),
            Problem::TimedOut => Err(Refusal::IntegrationTimeout),
            Problem::EventTooLarge => Err(Refusal::EventTooLarge),
        }
    })
}

/// The ARN of the method, which the function's policy must let in.
fn caller(call: &Call) -> String {
    let resource = call.bound.routed.as_ref().map_or("", |routed| routed.resource.as_str());
    let path = resource.split('/').map(|part| if part.starts_with('{') { "*" } else { part });
    let path = path.collect::<Vec<_>>().join("/");
    call.bound.arn(&format!("{}/{}{path}", call.bound.stage.stage_name, call.request.method))
}

/// What a client is told of the trace: its own root, where it named one.
fn traced(call: &Call) -> String {
    let named = call.header("x-amzn-trace-id").unwrap_or_default();
    let root = named.split(';').map(str::trim).find(|part| part.starts_with("Root=")).map(str::to_owned);
    let parent = Uuid::new_v4().simple().to_string();
    let parent = parent.get(..16).unwrap_or_default().to_owned();
    format!("{};Parent={parent};Sampled=0", root.unwrap_or_else(|| trace(call.time)))
}

async fn of_lambda(
    cloud: &Cloud,
    call: &Call,
    integration: &Integration,
    notes: &mut Notes,
) -> Result<Answer, Refusal> {
    let request = mapped_request(call, integration, notes)?;
    let event: Value = match request.trim() {
        "" => serde_json::json!({}),
        text => serde_json::from_str(text).map_err(|_| Refusal::Configuration)?,
    };
    let (payload, message) = match invoke(cloud, call, integration, &event, notes).await? {
        Ok(payload) => (payload, String::new()),
        Err(error) => {
            let shaped: Value = serde_json::from_slice(&error).unwrap_or_default();
            let message = shaped.get("errorMessage").and_then(Value::as_str).unwrap_or_default().to_owned();
            (error, message)
        }
    };
    mapped_response(call, integration, notes, &message, payload)
}

fn of_mock(call: &Call, integration: &Integration, notes: &Notes) -> Result<Answer, Refusal> {
    let request = mapped_request(call, integration, notes)?;
    let request: Value = serde_json::from_str(&request).map_err(|_| Refusal::Configuration)?;
    let status = request.get("statusCode").and_then(Value::as_u64).ok_or(Refusal::Configuration)?;
    mapped_response(call, integration, notes, &status.to_string(), Bytes::new())
}

/// What the integration receives: the body through the template of its media type, or as it is.
fn mapped_request(call: &Call, integration: &Integration, notes: &Notes) -> Result<String, Refusal> {
    let kind = call.media_type().unwrap_or_else(|| "application/json".to_owned());
    let templates = &integration.request_templates;
    let template = templates.get(&kind);
    let passes = match integration.passthrough_behavior.as_deref() {
        Some("NEVER") => false,
        Some("WHEN_NO_TEMPLATES") => templates.is_empty(),
        _ => true,
    };
    match template {
        Some(template) => {
            let context = context::of(call, notes);
            Ok(mapping::render(template, &Place { call, context: &context, input: &call.request.body }))
        }
        None if passes => Ok(String::from_utf8_lossy(&call.request.body).into_owned()),
        None => Err(Refusal::UnsupportedMediaType),
    }
}

/// What the client receives: by the response whose pattern fits the outcome, else by the one without a pattern.
fn mapped_response(
    call: &Call,
    integration: &Integration,
    notes: &Notes,
    outcome: &str,
    payload: Bytes,
) -> Result<Answer, Refusal> {
    let response = selected(integration, outcome).ok_or(Refusal::Configuration)?;
    let context = context::of(call, notes);
    let place = Place { call, context: &context, input: &payload };
    let template = response.response_templates.first_key_value().filter(|(_, template)| !template.is_empty());
    let mut headers = json_headers();
    if let Some(kind) = template.and_then(|(kind, _)| HeaderValue::from_str(kind).ok()) {
        headers.insert(CONTENT_TYPE, kind);
    }
    for (name, expression) in &response.response_parameters {
        let name = name.strip_prefix("method.response.header.").and_then(|name| HeaderName::try_from(name).ok());
        let value = mapping::parameter(expression, &place).and_then(|value| HeaderValue::from_str(&value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    let body = template.map_or_else(|| payload.clone(), |(_, template)| mapping::render(template, &place).into());
    let status = response.status_code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    Ok(Answer { status: status.ok_or(Refusal::Configuration)?, headers, body })
}

fn selected<'a>(integration: &'a Integration, outcome: &str) -> Option<&'a IntegrationResponse> {
    let pattern = |response: &'a IntegrationResponse| response.selection_pattern.as_deref().unwrap_or_default();
    let fits = |response: &&'a IntegrationResponse| {
        let pattern = pattern(response);
        !pattern.is_empty() && Regex::new(&format!("^(?s:{pattern})$")).is_ok_and(|pattern| pattern.is_match(outcome))
    };
    let responses = &integration.integration_responses;
    let default = || responses.values().find(|response| pattern(response).is_empty());
    responses.values().find(fits).or_else(default)
}

async fn of_http(
    cloud: &Cloud,
    call: &Call,
    routed: &Routed,
    integration: &Integration,
    notes: &mut Notes,
) -> Result<Answer, Refusal> {
    let passed = passed(call, routed, integration, notes).map_err(|Astray| {
        notes.integration_error = Some("the path has segments of dots".to_owned());
        Refusal::Astray
    })?;
    match cloud.gateway().endpoints.ask(passed, timeout(integration)).await {
        Ok(answer) => Ok(Answer { headers: remapped(&answer.headers), ..answer }),
        Err(Silent::Failed(reason)) => {
            notes.integration_error = Some(reason);
            Err(Refusal::IntegrationFailure)
        }
        Err(Silent::TimedOut) => {
            notes.integration_error = Some("the endpoint takes too long".to_owned());
            Err(Refusal::IntegrationTimeout)
        }
    }
}

/// The request as the endpoint gets it: the client's, with what is mapped laid over it.
fn passed(call: &Call, routed: &Routed, integration: &Integration, notes: &Notes) -> Result<Passed, Astray> {
    let context = context::of(call, notes);
    let place = Place { call, context: &context, input: &call.request.body };
    let mut headers: HeaderMap = forwarded(&call.request.headers);
    let (mut path, mut query) = (Vec::new(), call.request.query.clone());
    for (target, expression) in &integration.request_parameters {
        let Some(value) = mapping::parameter(expression, &place) else { continue };
        if let Some(name) = target.strip_prefix("integration.request.path.") {
            // It is encoded already, and will be again.
            path.push((name.to_owned(), decoded(&value)));
        } else if let Some(name) = target.strip_prefix("integration.request.querystring.") {
            let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, &value).finish();
            query = if query.is_empty() { pair } else { format!("{query}&{pair}") };
        } else if let Some(name) = target.strip_prefix("integration.request.header.")
            && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value))
        {
            headers.insert(name, value);
        }
    }
    let verb = integration.http_method.as_deref().unwrap_or(&routed.method.http_method);
    let method = Verb::from_bytes(verb.as_bytes()).ok().filter(|method| *method != "ANY");
    Ok(Passed {
        method: method.unwrap_or_else(|| call.request.method.clone()),
        address: address(&uri(call, integration), &path, &query)?,
        headers,
        body: call.request.body.clone(),
    })
}
