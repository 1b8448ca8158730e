//! How HTTP APIs execute: the order in which they ask their questions.

mod access_log;
mod answer;
mod call;
mod cors;
mod event;
pub(super) mod function_url;
mod integration;
pub mod jwt;
mod request_authorizer;
pub(crate) mod route;

use axum::body::Body;
use http::header::HeaderValue;
use http::{HeaderMap, StatusCode};

use self::access_log::Notes;
use self::answer::Refusal;
use self::call::{Bound, Call, Routed};
pub(super) use self::call::{addressed, request_id};
use self::event::Identity;
pub(super) use self::request_authorizer::Decision;
use self::request_authorizer::Denied;
use self::route::is_readable;
use super::Destination;
use super::answer::Answer;
use super::request::{LARGEST_BODY, LARGEST_HEAD, head_size};
use super::signer::{self, Signer};
use crate::cloud::Cloud;
use crate::iam::policy::Verdict;
use crate::wire::{Request, Response};

/// Answers one request to an HTTP API.
pub(super) async fn handle(cloud: Cloud, destination: Destination, request: Request) -> Response {
    let bound = cloud.read(|account| Bound::find(account, &destination, request.method.as_str()));
    let Some(bound) = bound else {
        return response(Refusal::NotFound.into(), &request_id());
    };
    let call = Call::new(request, destination.path, bound, cloud.now());
    let mut notes = Notes::default();
    let mut answer = treat(&cloud, &call, &mut notes).await.unwrap_or_else(|refusal| {
        notes.error = Some(refusal.message());
        refusal.into()
    });
    if let Some(cors) = &call.bound.cors {
        cors::apply(cors, &call.request, &mut answer.headers);
    }
    access_log::write(&cloud, &call, &notes, &answer);
    response(answer, &call.id)
}

fn response(answer: Answer, request_id: &str) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("apigw-requestid", id);
    }
    response
}

/// The order in which API Gateway asks its questions.
async fn treat(cloud: &Cloud, call: &Call, notes: &mut Notes) -> Result<Answer, Refusal> {
    check_sizes(call)?;
    if !is_readable(&call.path) {
        return Err(Refusal::BadRequest);
    }
    let Some(routed) = &call.bound.route else { return unrouted(call) };
    if !call.is_within_limits(&cloud.gateway().throttles) {
        return Err(Refusal::TooManyRequests);
    }
    notes.identity = authorize(cloud, call, routed, notes).await?;
    integration::answer(cloud, call, routed, notes).await
}

/// With CORS, the gateway answers a preflight request itself where no route takes it. `ANY` and `$default` do, and their
/// authorizers are asked: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>.
fn unrouted(call: &Call) -> Result<Answer, Refusal> {
    match call.bound.cors.is_some() && cors::is_preflight(&call.request) {
        true => Ok(Answer { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: bytes::Bytes::new() }),
        false => Err(Refusal::NotFound),
    }
}

fn check_sizes(call: &Call) -> Result<(), Refusal> {
    if head_size(&call.request, &call.path) > LARGEST_HEAD {
        return Err(Refusal::HeadersTooLarge);
    }
    match call.request.body.len() > LARGEST_BODY {
        true => Err(Refusal::BodyTooLarge),
        false => Ok(()),
    }
}

/// Who is calling, if the route lets them pass. A kind of authorization that is not known lets nobody pass.
async fn authorize(cloud: &Cloud, call: &Call, routed: &Routed, notes: &mut Notes) -> Result<Identity, Refusal> {
    let route = &routed.route;
    let kind = route.authorization_type.as_deref().unwrap_or_default();
    match (kind, &routed.authorizer) {
        ("NONE", _) => Ok(Identity::Unknown),
        ("AWS_IAM", _) => signed(cloud, call).ok_or(Refusal::Forbidden(None)),
        ("JWT", Some((_, authorizer))) if authorizer.authorizer_type == "JWT" => {
            let scopes = &route.authorization_scopes;
            jwt::authorize(cloud, call, authorizer, scopes).await.map_err(|problem| {
                notes.authorizer_error = Some(problem.logged(scopes));
                problem.refusal(scopes)
            })
        }
        ("CUSTOM", Some((id, authorizer))) if authorizer.authorizer_type == "REQUEST" => {
            request_authorizer::authorize(cloud, call, id, authorizer).await.map_err(|denied| denial(denied, notes))
        }
        _ => Err(Refusal::Forbidden(None)),
    }
}

/// Who signed the request, if they may invoke the route.
fn signed(cloud: &Cloud, call: &Call) -> Option<Identity> {
    let signed = signer::signed(cloud, &call.request, call.time).ok()?;
    cloud.read(|account| {
        let judge = |arn: &str| signer::verdict(account, &signed.caller, &signer::invoking(arn), call.time);
        let is_allowed = call.invoked().judged(judge) == Verdict::Allowed;
        Signer::of(account, &signed).filter(|_| is_allowed).map(Identity::Signer)
    })
}

fn denial(denied: Denied, notes: &mut Notes) -> Refusal {
    match denied {
        Denied::Unidentified => Refusal::Unauthorized(None),
        Denied::Forbidden => Refusal::Forbidden(None),
        Denied::Broken(reason) => {
            notes.authorizer_error = Some(reason);
            Refusal::InternalServerError
        }
    }
}

#[cfg(test)]
mod tests;
