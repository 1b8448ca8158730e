//! Function URLs: an address of a function beside every API. They speak payload format 2.0, and have one route.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>.

use axum::body::Body;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::answer::of_function;
use super::call::{Bound, Call, Routed};
use super::cors;
use super::event::{Identity, of_integration};
use crate::local::apigatewayv2::{Cors, DEFAULT_STAGE, Route, Stage};
use crate::local::cloud::{Account, Cloud};
use crate::local::gateway::Destination;
use crate::local::gateway::answer::{Answer, json_headers};
use crate::local::gateway::signer::{self, Signer};
use crate::local::iam::authorize::Deed;
use crate::local::iam::policy::Verdict;
use crate::local::lambda::url::Found;
use crate::local::lambda::{AtUrl, Target, admits};
use crate::local::runtime;
use crate::local::signature::{Dialect, Problem};
use crate::local::wire::{Request, Response};

/// The largest event that a function takes.
const LARGEST: usize = 6_291_456;
/// The service that signatures are made for.
const SERVICE: &str = "lambda";
/// What a caller needs: both of them since October 2025.
const ASKED: [&str; 2] = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];

/// What is told to whom nobody let in.
const FORBIDDEN: &str = "Forbidden. For troubleshooting Function URL authorization issues, see: \
                         https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";

/// Why a URL answers by itself.
struct Refusal {
    status: StatusCode,
    error: &'static str,
    message: String,
}

/// Answers one request to a function URL.
pub(in crate::local::gateway) async fn handle(cloud: Cloud, destination: Destination, request: Request) -> Response {
    let found = cloud.read(|account| {
        let found = account.lambda.behind(&destination.api)?;
        let bound = bound(account, &found, &destination);
        Some((found, bound))
    });
    let Some((found, bound)) = found else {
        return response(refused(StatusCode::FORBIDDEN, "AccessDeniedException", "Forbidden").into());
    };
    let call = Call::new(request, destination.path, bound, cloud.now());
    let mut answer = match call.bound.cors.is_some() && cors::is_preflight(&call.request) {
        true => Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::new() },
        false => treat(&cloud, &call, &found).await.unwrap_or_else(Into::into),
    };
    if let Some(cors) = &call.bound.cors {
        cors::apply(cors, &call.request, &mut answer.headers);
    }
    response(answer)
}

async fn treat(cloud: &Cloud, call: &Call, found: &Found) -> Result<Answer, Refusal> {
    let identity = authorize(cloud, call, found)?;
    let event = Bytes::from(of_integration(call, &identity, "2.0").to_string());
    if event.len() > LARGEST {
        let message = format!("Request must be smaller than {LARGEST} bytes for the InvokeFunction operation");
        return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message));
    }
    let invoked = runtime::call(cloud, runtime::Call::new(found.target.clone(), event)).await;
    match invoked {
        Ok(invocation) if invocation.function_error.is_none() => {
            of_function(&invocation.payload, "2.0").map_err(|_| broken())
        }
        Err(fault) if fault.code == "TooManyRequestsException" => {
            Err(refused(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate Exceeded."))
        }
        Ok(_) | Err(_) => Err(broken()),
    }
}

/// The one route of a URL. A kind of authorization that is not known lets nobody pass.
fn bound(account: &Account, found: &Found, destination: &Destination) -> Bound {
    let settings = &found.url.settings;
    let is_open = settings.auth_type == "NONE";
    let route = Route {
        route_key: "$default".to_owned(),
        authorization_type: Some(settings.auth_type.clone()),
        ..Route::default()
    };
    let given = settings.cors.as_ref().map(|given| Cors {
        allow_credentials: given.allow_credentials,
        allow_headers: given.allow_headers.clone(),
        allow_methods: given.allow_methods.clone(),
        allow_origins: given.allow_origins.clone(),
        expose_headers: given.expose_headers.clone(),
        max_age: given.max_age,
    });
    Bound {
        account: if is_open { "anonymous".to_owned() } else { account.id.clone() },
        region: account.region.clone(),
        api: destination.api.clone(),
        domain: format!("{}.lambda-url.{}.on.aws", destination.api, account.region),
        stage: Stage { stage_name: DEFAULT_STAGE.to_owned(), ..Stage::default() },
        path: destination.path.clone(),
        cors: given,
        route: Some(Routed { route, parameters: Vec::new(), integration: None, authorizer: None }),
    }
}

/// Who is calling, if the function lets them.
fn authorize(cloud: &Cloud, call: &Call, found: &Found) -> Result<Identity, Refusal> {
    let kind = found.url.settings.auth_type.as_str();
    let forbidden = || refused(StatusCode::FORBIDDEN, "AccessDeniedException", FORBIDDEN);
    if kind == "NONE" {
        let is_open = cloud.read(|account| {
            let asked = |action: &&str| admits(account, &found.target, &AtUrl { action, kind, caller: None });
            ASKED.iter().all(asked)
        });
        return if is_open { Ok(Identity::Unknown) } else { Err(forbidden()) };
    }
    let signed = signer::signed_for(SERVICE, cloud, &call.request, call.time).map_err(|problem| match problem {
        Problem::Missing => forbidden(),
        wrong => refused(StatusCode::FORBIDDEN, "InvalidSignatureException", wrong.fault(Dialect::RestJson).message),
    })?;
    cloud.read(|account| {
        let arn = signer::arn(account, &signed.caller);
        let may = |action: &&str| {
            let deed = deed(account, &found.target, action, kind);
            match signer::verdict(account, &signed.caller, &deed, call.time) {
                Verdict::Allowed => true,
                Verdict::Denied => false,
                Verdict::NotAllowed => admits(account, &found.target, &AtUrl { action, kind, caller: arn.as_deref() }),
            }
        };
        let signer = Signer::of(account, &signed).filter(|_| ASKED.iter().all(may));
        signer.map(Identity::Signer).ok_or_else(forbidden)
    })
}

fn deed(account: &Account, target: &Target, action: &str, kind: &str) -> Deed {
    let deed = Deed::new(action, target.arn(account));
    match action {
        "lambda:InvokeFunctionUrl" => deed.knowing("lambda:FunctionUrlAuthType", [kind.to_owned()]),
        _ => deed.knowing("lambda:InvokedViaFunctionUrl", ["true".to_owned()]),
    }
}

fn refused(status: StatusCode, error: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, error, message: message.into() }
}

/// The function failed, or answered in no form that is one.
fn broken() -> Refusal {
    refused(StatusCode::BAD_GATEWAY, "InternalFailure", "Internal Server Error")
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut headers: HeaderMap = json_headers();
        headers.insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(refusal.error));
        let body = serde_json::json!({ "Message": refusal.message }).to_string();
        Self { status: refusal.status, headers, body: body.into() }
    }
}

fn response(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}
