//! One request to an API: where it is bound for, and what is known of it before anybody decides about it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::header::USER_AGENT;
use time::OffsetDateTime;
use uuid::Uuid;

use super::route::{Parameters, decoded, read, select};
use crate::apigatewayv2::{Apis, Authorizer, Cors, DEFAULT_STAGE, Integration, Route, Stage};
use crate::cloud::Account;
use crate::gateway::Destination;
use crate::gateway::invoked::Invoked;
use crate::gateway::request::{called, header, own_domain};
use crate::gateway::throttle::{Limit, Throttles};
use crate::wire::Request;

/// One request to an API.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) request: Request,
    /// The path as the client meant it, the stage included where it was given, still encoded.
    pub(super) path: String,
    pub(super) id: String,
    pub(super) time: OffsetDateTime,
    pub(super) bound: Bound,
}

/// What a request is bound for.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) door: Door,
    pub(super) api: String,
    /// The name under which AWS serves it.
    pub(super) domain: String,
    pub(super) stage: Stage,
    /// The path below the stage, still encoded.
    pub(super) path: String,
    pub(super) cors: Option<Cors>,
    /// The route that takes it, if any does.
    pub(super) route: Option<Routed>,
}

/// What a request comes in by: it decides how its path is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// An HTTP API: functions are told the path as its routes read it.
    Api,
    /// The URL of a function: it is told the path as it was sent.
    FunctionUrl,
}

/// A route that takes a request, and what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Routed {
    pub(super) route: Route,
    pub(super) parameters: Parameters,
    pub(super) integration: Option<(String, Integration)>,
    pub(super) authorizer: Option<(String, Authorizer)>,
}

impl Bound {
    /// Finds the stage and the route; `None` when there is no such API, or no stage for this path.
    pub(super) fn find(account: &Account, destination: &Destination, method: &str) -> Option<Self> {
        let (id, stage, path) = addressed(&account.apigatewayv2, destination)?;
        let api = account.apigatewayv2.api(id).ok()?;
        let stage = api.stages.get(stage)?;
        let served = api.served_at(stage)?;
        let routes = served.routes.values().map(|route| (route.route_key.as_str(), route));
        let route = select(routes, method, path).map(|(route, parameters)| {
            let integration = route.target.as_deref().and_then(|target| target.strip_prefix("integrations/"));
            let held = |id: &str| served.integrations.get(id).map(|integration| (id.to_owned(), integration.clone()));
            let authorizer = route.authorizer_id.as_deref();
            let decides = |id: &str| served.authorizers.get(id).map(|authorizer| (id.to_owned(), authorizer.clone()));
            Routed {
                route: route.clone(),
                parameters,
                integration: integration.and_then(held),
                authorizer: authorizer.and_then(decides),
            }
        });
        Some(Self {
            account: account.id.clone(),
            region: account.region.clone(),
            door: Door::Api,
            api: id.to_owned(),
            domain: own_domain(id, &account.region),
            stage: stage.clone(),
            path: path.to_owned(),
            cors: served.cors.clone(),
            route,
        })
    }

    /// The route's key; `-` stands for none, as in access logs.
    pub(super) fn route_key(&self) -> &str {
        self.route.as_ref().map_or("-", |routed| routed.route.route_key.as_str())
    }

    /// The ARN of what is below this API.
    pub(super) fn arn(&self, below: &str) -> String {
        let Self { account, region, api, .. } = self;
        format!("arn:aws:execute-api:{region}:{account}:{api}/{below}")
    }
}

/// The API and the stage that a request means, and the path below that stage. A name with dots in it is a domain of
/// one's own, whose mappings know the way; an API's own name leads nowhere where it is disabled.
pub(in crate::gateway) fn addressed<'a>(
    apis: &'a Apis,
    destination: &'a Destination,
) -> Option<(&'a str, &'a str, &'a str)> {
    if destination.api.contains('.') {
        let (mapping, path) = apis.mapped(&destination.api, &destination.path)?;
        return Some((&mapping.api_id, &mapping.stage, path));
    }
    let api = apis.api(&destination.api).ok()?;
    if api.settings.disable_execute_api_endpoint {
        return None;
    }
    match named_stage(&destination.path) {
        Some((name, rest)) if api.stages.contains_key(name) => Some((&destination.api, name, rest)),
        _ => Some((&destination.api, DEFAULT_STAGE, &destination.path)),
    }
}

/// The stage that a path names, if it does, and the path below it.
fn named_stage(path: &str) -> Option<(&str, &str)> {
    let inner = path.strip_prefix('/')?;
    let (name, rest) = match inner.find('/') {
        Some(end) => inner.split_at(end),
        None => (inner, "/"),
    };
    (name != DEFAULT_STAGE).then_some((name, rest))
}

impl Call {
    /// A request with a fresh id.
    pub(super) fn new(request: Request, path: String, bound: Bound, time: OffsetDateTime) -> Self {
        Self { request, path, id: request_id(), time, bound }
    }

    /// The path that payload format 2.0 calls raw: HTTP APIs have read it already.
    pub(super) fn raw_path(&self) -> String {
        match self.bound.door {
            Door::Api => read(&self.path),
            Door::FunctionUrl => self.path.clone(),
        }
    }

    /// The path without its escapes.
    pub(super) fn decoded_path(&self) -> String {
        match self.bound.door {
            Door::Api => read(&self.path),
            Door::FunctionUrl => decoded(&self.path),
        }
    }

    /// The name that the client called.
    pub(super) fn domain(&self) -> String {
        called(&self.request.headers, &self.bound.domain)
    }

    /// The ARN of the route as it was called, which authorizers are told.
    pub(super) fn invoked_arn(&self) -> String {
        let Self { request, bound, .. } = self;
        bound.arn(&format!("{}/{}{}", bound.stage.stage_name, request.method, bound.path))
    }

    /// The route as it was called, for policies: with its path as it is spelled, and as the routes read it.
    pub(super) fn invoked(&self) -> Invoked {
        let Self { request, bound, .. } = self;
        let path = read(&bound.path);
        let plain = bound.arn(&format!("{}/{}{path}", bound.stage.stage_name, request.method));
        Invoked { spelled: self.invoked_arn(), plain }
    }

    /// Whether the limits of the route let one more request pass.
    pub(super) fn is_within_limits(&self, throttles: &Throttles) -> bool {
        let (stage, route) = (&self.bound.stage, self.bound.route_key());
        let Some(limit) = Limit::of_route(stage, route) else { return true };
        let key = vec![self.bound.api.clone(), stage.stage_name.clone(), route.to_owned()];
        throttles.admit(key, limit, self.time)
    }

    pub(super) fn user_agent(&self) -> String {
        header(&self.request.headers, &USER_AGENT).unwrap_or_default()
    }
}

/// Sixteen characters, the last of which is always `=`: eleven bytes in base64.
pub(in crate::gateway) fn request_id() -> String {
    let random = Uuid::new_v4().into_bytes();
    URL_SAFE.encode(random.get(..11).unwrap_or(&random))
}
