//! How REST APIs execute: the order in which they ask their questions.
//!
//! Whatever the gateway refuses by itself is a [`refusal::Refusal`], which the API's gateway responses may word anew.

mod access_log;
mod answer;
mod api_key;
mod cache;
mod call;
mod cognito;
mod compression;
mod context;
mod event;
mod integration;
mod lambda_authorizer;
mod mapping;
mod policy;
pub(crate) mod refusal;
mod route;
mod schema;
mod validation;

use std::collections::BTreeMap;

use axum::body::Body;
use http::header::HeaderValue;
use time::OffsetDateTime;

pub(super) use self::cache::Caches;
use self::call::{Bound, Call, Routed};
pub(super) use self::lambda_authorizer::Decision;
pub(crate) use self::lambda_authorizer::test as test_authorizer;
pub(crate) use self::mapping::is_offered as is_offered_template;
use self::refusal::Refusal;
use super::Destination;
use super::answer::Answer;
use super::request::{LARGEST_BODY, LARGEST_HEAD, head_size};
use super::throttle::Limit;
use crate::apigateway::Admission;
use crate::cloud::Cloud;
use crate::wire::{Request, Response, spelling};
use context::Identity;

/// What is found out while a request is treated: for events, templates and the access log.
#[derive(Debug, Default)]
struct Notes {
    identity: Identity,
    admission: Option<Admission>,
    /// Where it comes from, for whoever follows the request.
    trace: Option<String>,
    authorizer_error: Option<String>,
    authorizer_status: Option<u16>,
    integration_error: Option<String>,
    integration_status: Option<u16>,
    integration_began: Option<OffsetDateTime>,
    integration_ended: Option<OffsetDateTime>,
    refusal: Option<Refusal>,
    /// How the function spelled the names of its headers, by the name in lower case.
    spelling: BTreeMap<String, String>,
}

/// Answers one request to a REST API.
pub(super) async fn handle(cloud: Cloud, destination: Destination, request: Request) -> Response {
    let bound = cloud.read(|account| Bound::find(account, &destination, request.method.as_str()));
    let Some(bound) = bound else {
        let unserved = Call::unserved(request, destination, cloud.now());
        let notes = Notes::default();
        return response(Refusal::NoStage.answer(&unserved, &notes), &unserved, &notes).await;
    };
    let mut call = Call::new(request, destination.path, bound, cloud.now());
    let mut notes = Notes::default();
    let answer = match treat(&cloud, &mut call, &mut notes).await {
        Ok(answer) => answer,
        Err(refusal) => {
            let answer = refusal.answer(&call, &notes);
            notes.refusal = Some(refusal);
            answer
        }
    };
    access_log::write(&cloud, &call, &notes, &answer);
    response(answer, &call, &notes).await
}

async fn response(answer: Answer, call: &Call, notes: &Notes) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    let own = [
        ("x-amzn-requestid", Some(&call.id)),
        ("x-amz-apigw-id", Some(&call.extended_id)),
        ("x-amzn-trace-id", notes.trace.as_ref().filter(|_| notes.refusal.is_none())),
    ];
    for (name, value) in own {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    *response.extensions_mut() = spelling::for_response(response.headers(), &notes.spelling).await;
    response
}

/// The order in which API Gateway asks its questions.
async fn treat(cloud: &Cloud, call: &mut Call, notes: &mut Notes) -> Result<Answer, Refusal> {
    admit(cloud, call, notes).await?;
    // Not before: a signature is about the body as it came.
    compression::unpack(call)?;
    let routed = routed(call)?;
    validation::check(call, routed)?;
    let answer = cache::answer(cloud, call, routed, notes).await?;
    Ok(compression::packed(answer, call))
}

/// What is asked before anybody looks into the body.
async fn admit(cloud: &Cloud, call: &Call, notes: &mut Notes) -> Result<(), Refusal> {
    check_sizes(call)?;
    let routed = routed(call)?;
    check_limits(cloud, call, routed)?;
    authorize(cloud, call, routed, notes).await?;
    api_key::admit(cloud, call, routed, notes)
}

fn routed(call: &Call) -> Result<&Routed, Refusal> {
    call.bound.routed.as_ref().ok_or_else(|| policy::unsigned(call))
}

fn check_sizes(call: &Call) -> Result<(), Refusal> {
    if head_size(&call.request, &call.path) > LARGEST_HEAD {
        return Err(Refusal::HeadTooLarge);
    }
    match call.request.body.len() > LARGEST_BODY {
        true => Err(Refusal::BodyTooLarge),
        false => Ok(()),
    }
}

/// The limits of the stage. Those of usage plans are [`api_key::admit`]'s.
fn check_limits(cloud: &Cloud, call: &Call, routed: &Routed) -> Result<(), Refusal> {
    let stage = &call.bound.stage;
    let name = routed.setting_key(&call.request.method);
    let settings = [name.as_str(), "*/*"].into_iter().filter_map(|name| stage.method_settings.get(name));
    let limit = settings
        .filter_map(|setting| Limit::stated(setting.throttling_rate_limit, setting.throttling_burst_limit))
        .next();
    let Some(limit) = limit else { return Ok(()) };
    let key = vec![call.bound.api.clone(), stage.stage_name.clone(), name];
    match cloud.gateway().throttles.admit(key, limit, call.time) {
        true => Ok(()),
        false => Err(Refusal::Throttled),
    }
}

/// Finds out who is calling, and whether they may. A kind of authorization that is not known lets nobody pass.
async fn authorize(cloud: &Cloud, call: &Call, routed: &Routed, notes: &mut Notes) -> Result<(), Refusal> {
    match (routed.method.authorization_type.as_str(), &routed.authorizer) {
        ("NONE", _) => policy::check_anonymous(cloud, call),
        ("AWS_IAM", _) => {
            notes.identity = policy::check_signer(cloud, call)?;
            Ok(())
        }
        ("COGNITO_USER_POOLS", Some((_, authorizer))) => {
            notes.identity =
                cognito::authorize(cloud, call, authorizer, &routed.method.authorization_scopes, notes).await?;
            policy::check_anonymous(cloud, call)
        }
        ("CUSTOM", Some((id, authorizer))) => {
            let resource = policy::verdict(cloud, call, None);
            policy::refuse_denied(call, resource)?;
            notes.identity = lambda_authorizer::authorize(cloud, call, (id, authorizer), resource, notes).await?;
            Ok(())
        }
        _ => Err(Refusal::Configuration),
    }
}

#[cfg(test)]
mod tests;
