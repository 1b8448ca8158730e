//! Function URLs: an address of a function beside every API. They speak payload format 2.0, and have one route.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>.

use axum::body::Body;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use time::OffsetDateTime;

use super::answer::of_function;
use super::call::{Bound, Call, Door, Routed};
use super::cors;
use super::event::{Identity, of_integration};
use super::route::has_escapes_only;
use crate::apigatewayv2::{Cors, DEFAULT_STAGE, Route, Stage};
use crate::cloud::{Account, Cloud};
use crate::gateway::Destination;
use crate::gateway::answer::{Answer, json_headers};
use crate::gateway::signer::{self, Signer};
use crate::iam::authorize::{Deed, is_open};
use crate::iam::policy::Verdict;
use crate::lambda::api::LARGEST_EVENT;
use crate::lambda::deeds::URL_AUTH_TYPE;
use crate::lambda::url::Found;
use crate::runtime;
use crate::signature::{Dialect, Problem};
use crate::wire::{Caller, Request, Response};

/// The service that signatures are made for.
const SERVICE: &str = "lambda";
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
pub(in crate::gateway) async fn handle(cloud: Cloud, destination: Destination, request: Request) -> Response {
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
    if !has_escapes_only(&call.path) {
        return Err(refused(StatusCode::BAD_REQUEST, "BadRequestException", "Bad Request"));
    }
    let identity = authorize(cloud, call, found)?;
    let event = Bytes::from(of_integration(call, &identity, "2.0").to_string());
    if event.len() > LARGEST_EVENT {
        let message = format!("Request must be smaller than {LARGEST_EVENT} bytes for the InvokeFunction operation");
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
        door: Door::FunctionUrl,
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
    let forbidden = || refused(StatusCode::FORBIDDEN, "AccessDeniedException", FORBIDDEN);
    if found.url.settings.auth_type == "NONE" {
        let is_open = cloud.read(|account| deeds(account, found).iter().all(|deed| is_open(account, deed)));
        return if is_open { Ok(Identity::Unknown) } else { Err(forbidden()) };
    }
    let signed = signer::signed_for(SERVICE, cloud, &call.request, call.time).map_err(|problem| match problem {
        Problem::Missing => forbidden(),
        wrong => refused(StatusCode::FORBIDDEN, "InvalidSignatureException", wrong.fault(Dialect::RestJson).message),
    })?;
    cloud.read(|account| {
        let may_call = lets_in(account, found, &signed.caller, call.time);
        let signer = Signer::of(account, &signed).filter(|_| may_call);
        signer.map(Identity::Signer).ok_or_else(forbidden)
    })
}

/// Whether a signer's own policies and that of the function together allow all that a call does.
fn lets_in(account: &Account, found: &Found, caller: &Caller, now: OffsetDateTime) -> bool {
    let may = |deed: &Deed| signer::verdict(account, caller, deed, now) == Verdict::Allowed;
    deeds(account, found).iter().all(may)
}

/// What a call does: both of them since October 2025.
fn deeds(account: &Account, found: &Found) -> [Deed; 2] {
    let (function, kind) = (found.target.arn(account), found.url.settings.auth_type.clone());
    [
        Deed::new("lambda:InvokeFunctionUrl", function.clone()).knowing(URL_AUTH_TYPE, [kind]),
        Deed::new("lambda:InvokeFunction", function).knowing("lambda:InvokedViaFunctionUrl", ["true".to_owned()]),
    ]
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::iam::Naming;
    use crate::lambda::url::{FunctionUrl, UrlSettings};
    use crate::lambda::{Statement, Target, testing};
    use crate::wire::Fault;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const BOTH: [&str; 2] = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];
    const ROLE: &str = "arn:aws:iam::000000000000:role/caller";

    fn allow(actions: &[&str]) -> Option<Value> {
        let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        Some(json!({ "Version": "2012-10-17", "Statement": [statement] }))
    }

    /// What a function's policy lets a principal do.
    fn permissions(principal: &str, actions: &[&str]) -> Vec<Statement> {
        let permission = |action: &&str| Statement {
            statement_id: (*action).to_owned(),
            principal: principal.to_owned(),
            action: (*action).to_owned(),
            ..Statement::default()
        };
        actions.iter().map(permission).collect()
    }

    fn found(kind: &str) -> Found {
        let settings = UrlSettings { auth_type: kind.to_owned(), ..UrlSettings::default() };
        let url = FunctionUrl { id: "x".to_owned(), settings, created: NOW, modified: NOW };
        Found { target: Target { name: "f".to_owned(), qualifier: None }, url }
    }

    /// Whether the role `caller` is let in: by its own policy, within its boundary, and by the policy of the function.
    fn is_let_in(own: Option<Value>, boundary: Option<Value>, policy: Vec<Statement>) -> bool {
        let deployed = testing::deployed(&json!({}));
        let prepared = deployed.cloud.write(|account| {
            let trust = json!({ "Statement": { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*" } });
            let naming = |name: &str| Naming { name: name.to_owned(), ..Naming::default() };
            account.iam.create_role(naming("caller"), trust, NOW)?;
            if let Some(own) = own {
                account.iam.put_role_policy("caller", "own", own)?;
            }
            if let Some(boundary) = boundary {
                let id = account.id.clone();
                let arn = account.iam.create_policy(&id, naming("bound"), boundary, NOW)?;
                account.iam.role_mut("caller")?.boundary = Some(arn);
            }
            if let Some(function) = account.lambda.0.get_mut("f") {
                function.policy = policy;
            }
            Ok::<_, Fault>(())
        });
        prepared.expect("nothing of it is refused");
        let caller = Caller::Role { name: "caller".to_owned(), session: "s".to_owned() };
        deployed.cloud.read(|account| lets_in(account, &found("AWS_IAM"), &caller, NOW))
    }

    #[test]
    fn a_permission_for_the_account_leaves_the_decision_to_the_callers_own_policies() {
        for account in ["000000000000", "arn:aws:iam::000000000000:root"] {
            assert!(!is_let_in(None, None, permissions(account, &BOTH)), "{account}");
            assert!(is_let_in(allow(&BOTH), None, permissions(account, &BOTH)), "{account}");
        }
    }

    #[test]
    fn a_permission_for_a_role_is_for_its_sessions() {
        assert!(is_let_in(None, None, permissions(ROLE, &BOTH)));
        let session = "arn:aws:sts::000000000000:assumed-role/caller/s";
        assert!(is_let_in(None, None, permissions(session, &BOTH)));
        assert!(!is_let_in(None, None, permissions("arn:aws:iam::000000000000:role/other", &BOTH)));
    }

    #[test]
    fn a_boundary_bounds_what_the_role_is_permitted() {
        assert!(!is_let_in(None, allow(&["s3:*"]), permissions(ROLE, &BOTH)));
        assert!(is_let_in(None, allow(&["lambda:*"]), permissions(ROLE, &BOTH)));
        assert!(!is_let_in(allow(&BOTH), allow(&["s3:*"]), Vec::new()));
    }

    #[test]
    fn a_signer_needs_both_actions_from_wherever_they_come() {
        for action in BOTH {
            assert!(!is_let_in(allow(&[action]), None, Vec::new()), "{action}");
            assert!(!is_let_in(None, None, permissions(ROLE, &[action])), "{action}");
        }
        assert!(is_let_in(allow(&[BOTH[0]]), None, permissions(ROLE, &[BOTH[1]])));
        let denied = json!({ "Statement": { "Effect": "Deny", "Action": "*", "Resource": "*" } });
        assert!(!is_let_in(Some(denied), None, permissions("*", &BOTH)));
    }

    #[test]
    fn nobody_is_let_in_by_a_permission_that_asks_for_more_than_it_is_told() {
        let narrowed = |narrow: fn(Statement) -> Statement| {
            let statements = permissions("*", &BOTH).into_iter().map(narrow).collect();
            is_let_in(None, None, statements)
        };
        assert!(narrowed(|whole| whole));
        assert!(!narrowed(|whole| Statement { source_account: Some("000000000000".to_owned()), ..whole }));
        assert!(!narrowed(|whole| Statement { function_url_auth_type: Some("NONE".to_owned()), ..whole }));
        assert!(!narrowed(|whole| Statement { invoked_via_function_url: Some(false), ..whole }));
    }
}
