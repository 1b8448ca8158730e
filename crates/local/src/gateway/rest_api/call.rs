//! One request to a REST API: where it is bound for, and what is known of it before anybody decides about it.

use std::collections::BTreeMap;

use http::Method as Verb;
use http::header::{CONTENT_TYPE, USER_AGENT};
use time::OffsetDateTime;
use uuid::Uuid;

use super::route::{Parameters, select};
use crate::apigateway::{Authorizer, Configuration, GatewayResponse, Method, RequestValidator, Stage};
use crate::cloud::Account;
use crate::gateway::Destination;
use crate::gateway::http_api::request_id;
use crate::gateway::http_api::route::decoded;
use crate::gateway::invoked::Invoked;
use crate::gateway::request::{domain, header, query};
use crate::wire::Request;

/// One request to an API.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) request: Request,
    /// The path as the client meant it, the stage included, still encoded.
    pub(super) path: String,
    pub(super) id: String,
    pub(super) extended_id: String,
    pub(super) time: OffsetDateTime,
    pub(super) bound: Bound,
}

/// What a request is bound for.
#[derive(Debug, Clone, Default)]
pub(super) struct Bound {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) api: String,
    pub(super) stage: Stage,
    /// The path below the stage, still encoded.
    pub(super) path: String,
    pub(super) binary_media_types: Vec<String>,
    /// Bytes from which on bodies are compressed; `None` where answers never are.
    pub(super) minimum_compression_size: Option<usize>,
    /// Whether API keys are in the header rather than said by an authorizer.
    pub(super) keys_in_header: bool,
    pub(super) policy: Option<String>,
    pub(super) gateway_responses: BTreeMap<String, GatewayResponse>,
    /// The method that takes it, if any does.
    pub(super) routed: Option<Routed>,
}

/// A method that takes a request, and what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Routed {
    pub(super) resource_id: String,
    /// Path of the resource, such as `/notes/{id}`.
    pub(super) resource: String,
    pub(super) method: Method,
    pub(super) parameters: Parameters,
    pub(super) authorizer: Option<(String, Authorizer)>,
    pub(super) validator: Option<RequestValidator>,
    /// Schemas of every model by name, where bodies are checked.
    pub(super) schemas: BTreeMap<String, String>,
}

impl Routed {
    fn new(served: &Configuration, resource_id: &str, method: &Method, parameters: Parameters) -> Option<Self> {
        let validator = method.request_validator_id.as_ref().and_then(|id| served.validators.get(id)).cloned();
        let checks_body = validator.as_ref().is_some_and(|validator| validator.validate_request_body);
        let schemas = served.models.iter().filter(|_| checks_body);
        let schemas = schemas.filter_map(|(name, model)| Some((name.clone(), model.schema.clone()?)));
        let authorizer = method.authorizer_id.as_ref();
        Some(Self {
            resource_id: resource_id.to_owned(),
            resource: served.resources.get(resource_id)?.path.clone(),
            method: method.clone(),
            parameters,
            authorizer: authorizer.and_then(|id| served.authorizers.get(id).map(|one| (id.clone(), one.clone()))),
            validator,
            schemas: schemas.collect(),
        })
    }

    /// Under which name a stage keeps settings of this method.
    pub(super) fn setting_key(&self, verb: &Verb) -> String {
        format!("{}/{verb}", self.resource.replace('/', "~1"))
    }
}

impl Bound {
    /// Finds the stage and the method; `None` when there is no such API, or no stage for this path.
    pub(super) fn find(account: &Account, destination: &Destination, verb: &str) -> Option<Self> {
        let (id, stage, path) = addressed(account, destination)?;
        let api = account.apigateway.api(&id).ok()?;
        let stage = api.stages.get(&stage)?;
        let served = api.served_at(stage)?;
        if served.settings.disable_execute_api_endpoint && !destination.api.contains('.') {
            return None;
        }
        let path = format!("/{}", path.trim_start_matches('/'));
        let routed = select(&served.resources, verb, &path)
            .and_then(|(resource, method, parameters)| Routed::new(served, resource, method, parameters));
        Some(Self {
            account: account.id.clone(),
            region: account.region.clone(),
            api: id,
            stage: stage.clone(),
            path,
            binary_media_types: served.settings.binary_media_types.clone(),
            minimum_compression_size: served.settings.minimum_compression_size.and_then(|size| size.try_into().ok()),
            keys_in_header: served.settings.api_key_source.as_deref() != Some("AUTHORIZER"),
            policy: served.settings.policy.clone(),
            gateway_responses: served.gateway_responses.clone(),
            routed,
        })
    }

    /// The ARN of what is below this API.
    pub(super) fn arn(&self, below: &str) -> String {
        let Self { account, region, api, .. } = self;
        format!("arn:aws:execute-api:{region}:{account}:{api}/{below}")
    }
}

/// The API and the stage that a request means, and the path below that stage. A name with dots in it is a domain of
/// one's own, whose mappings know the way.
fn addressed(account: &Account, destination: &Destination) -> Option<(String, String, String)> {
    let (api, stage, path) = if destination.api.contains('.') {
        let (mapping, path) = account.apigateway.mapped(&destination.api, &destination.path)?;
        (&mapping.rest_api_id, mapping.stage.as_deref(), path)
    } else {
        (&destination.api, None, destination.path.as_str())
    };
    if let Some(stage) = stage {
        return Some((api.clone(), stage.to_owned(), path.to_owned()));
    }
    let inner = path.strip_prefix('/')?;
    let (stage, rest) = inner.split_at(inner.find('/').unwrap_or(inner.len()));
    Some((api.clone(), stage.to_owned(), rest.to_owned()))
}

impl Call {
    /// A request with fresh ids.
    pub(super) fn new(request: Request, path: String, bound: Bound, time: OffsetDateTime) -> Self {
        Self { request, path, id: Uuid::new_v4().to_string(), extended_id: request_id(), time, bound }
    }

    /// A request for which there is no API or stage.
    pub(super) fn unserved(request: Request, destination: Destination, time: OffsetDateTime) -> Self {
        let bound = Bound { api: destination.api, ..Bound::default() };
        Self::new(request, destination.path, bound, time)
    }

    /// The name that the client called.
    pub(super) fn domain(&self) -> String {
        domain(&self.request.headers, &self.bound.api, &self.bound.region)
    }

    pub(super) fn user_agent(&self) -> Option<String> {
        header(&self.request.headers, &USER_AGENT)
    }

    /// The media type of the body, without its parameters.
    pub(super) fn media_type(&self) -> Option<String> {
        let kind = header(&self.request.headers, &CONTENT_TYPE)?;
        Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// The ARN of the method as it was called, which authorizers and clients are told.
    pub(super) fn method_arn(&self) -> String {
        let Self { request, bound, .. } = self;
        bound.arn(&format!("{}/{}{}", bound.stage.stage_name, request.method, bound.path))
    }

    /// The method as it was called, for policies: with its path as it is spelled, and as the routes read it.
    pub(super) fn invoked(&self) -> Invoked {
        let Self { request, bound, .. } = self;
        let path = match decoded(bound.path.strip_suffix('/').unwrap_or(&bound.path)) {
            root if root.is_empty() => "/".to_owned(),
            path => path,
        };
        let plain = bound.arn(&format!("{}/{}{path}", bound.stage.stage_name, request.method));
        Invoked { spelled: self.method_arn(), plain }
    }

    /// A header as text, all of its values where it is repeated.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let values = self.request.headers.get_all(name.to_ascii_lowercase());
        let values: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(","))
    }

    /// A parameter of the query string, decoded, the last where it is repeated.
    pub(super) fn query_parameter(&self, name: &str) -> Option<String> {
        query(&self.request.query).remove(name)?.pop()
    }

    /// A variable of the path, still encoded.
    pub(super) fn path_parameter(&self, name: &str) -> Option<String> {
        let parameters = &self.bound.routed.as_ref()?.parameters;
        parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }

    /// Whether a media type is one of those that the API treats as bytes.
    pub(super) fn is_binary(&self, media_type: &str) -> bool {
        self.bound.binary_media_types.iter().any(|own| own == "*/*" || own.eq_ignore_ascii_case(media_type))
    }
}
