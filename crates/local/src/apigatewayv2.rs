//! The HTTP and WebSocket APIs of an account: what is declared, and the rules that it must follow.
//!
//! The types have the shape of API Gateway's own wire format, so that one declaration serves the state, the control
//! API and CloudFormation.

pub(crate) mod api;
mod domain;
mod part;
mod quick;
mod resources;

use std::collections::BTreeMap;

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::gateway::Selection;
use crate::wire::Fault;

pub(crate) use domain::{DomainName, below, is_domain, regional_name, serving};
pub(crate) use part::{function_arn, log_group};
pub(crate) use resources::RESOURCE_TYPES;

/// How HTTP APIs select routes; there is no other way.
const HTTP_SELECTION: &str = "$request.method $request.path";
/// The protocols of APIs.
const HTTP: &str = "HTTP";
const WEB_SOCKET: &str = "WEBSOCKET";

/// Name of the stage that needs no segment in the path.
pub(crate) const DEFAULT_STAGE: &str = "$default";

/// The HTTP and WebSocket APIs of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Apis {
    apis: BTreeMap<String, Api>,
    domain_names: BTreeMap<String, DomainName>,
}

/// One HTTP or WebSocket API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Api {
    pub(crate) settings: Settings,
    pub(crate) created: Option<OffsetDateTime>,
    pub(crate) live: Configuration,
    pub(crate) stages: BTreeMap<String, Stage>,
    pub(crate) deployments: BTreeMap<String, Deployment>,
}

/// What a deployment captures of an API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Configuration {
    pub(crate) cors: Option<Cors>,
    pub(crate) routes: BTreeMap<String, Route>,
    pub(crate) integrations: BTreeMap<String, Integration>,
    pub(crate) authorizers: BTreeMap<String, Authorizer>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) route_responses: BTreeMap<String, RouteResponse>,
}

/// The declared part of an API itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) protocol_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cors_configuration: Option<Cors>,
    pub(crate) disable_execute_api_endpoint: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route_selection_expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// Which pages of other origins may read an API's answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Cors {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow_credentials: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow_headers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow_methods: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow_origins: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) expose_headers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<i64>,
}

/// Which requests go where, and who may send them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Route {
    pub(crate) route_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorization_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) authorization_scopes: Vec<String>,
    pub(crate) api_key_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route_response_selection_expression: Option<String>,
}

/// That what a route's function answers goes back to the client of a WebSocket API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RouteResponse {
    pub(crate) route_id: String,
    pub(crate) route_response_key: String,
}

/// What answers a route's requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Integration {
    pub(crate) integration_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) integration_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) integration_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payload_format_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_in_millis: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credentials_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) integration_subtype: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) request_parameters: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) response_parameters: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_config: Option<Value>,
}

/// Who decides whether a request may pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Authorizer {
    pub(crate) authorizer_type: String,
    pub(crate) name: String,
    pub(crate) identity_source: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwt_configuration: Option<JwtConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_payload_format_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_result_ttl_in_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enable_simple_responses: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_credentials_arn: Option<String>,
}

/// Whose tokens an authorizer takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct JwtConfiguration {
    pub(crate) audience: Vec<String>,
    pub(crate) issuer: Option<String>,
}

/// A place where a configuration of an API is served.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Stage {
    pub(crate) stage_name: String,
    pub(crate) auto_deploy: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) default_route_settings: RouteSettings,
    pub(crate) route_settings: BTreeMap<String, RouteSettings>,
    pub(crate) stage_variables: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_log_settings: Option<AccessLogSettings>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// How much traffic a route of a stage takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RouteSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) throttling_burst_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) throttling_rate_limit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detailed_metrics_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_trace_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logging_level: Option<String>,
}

/// Where a stage's access log goes, and what its lines say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AccessLogSettings {
    pub(crate) destination_arn: Option<String>,
    pub(crate) format: Option<String>,
}

/// A configuration that was captured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Deployment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stage_name: Option<String>,
    pub(crate) captured: Configuration,
}

/// Tags by their keys.
type Tags = BTreeMap<String, String>;

impl Apis {
    /// Makes an API and returns its id.
    pub(crate) fn create(&mut self, settings: Settings, now: OffsetDateTime) -> Result<String, Fault> {
        let mut api = Api { created: Some(now), ..Api::default() };
        api.configure(settings)?;
        let id = identifier(10);
        self.apis.insert(id.clone(), api);
        Ok(id)
    }

    /// The API of this id.
    pub(crate) fn api(&self, id: &str) -> Result<&Api, Fault> {
        self.apis.get(id).ok_or_else(|| no_api(id))
    }

    /// The API of this id, to be changed.
    pub(crate) fn api_mut(&mut self, id: &str) -> Result<&mut Api, Fault> {
        self.apis.get_mut(id).ok_or_else(|| no_api(id))
    }

    /// Every API, by its id.
    pub(crate) fn all(&self) -> &BTreeMap<String, Api> {
        &self.apis
    }

    /// The tags of an API, a stage or a domain name.
    pub(crate) fn tags(&self, path: &[&str]) -> Option<&Tags> {
        match path {
            ["apis", id] => Some(&self.apis.get(*id)?.settings.tags),
            ["apis", id, "stages", name] => Some(&self.apis.get(*id)?.stages.get(*name)?.tags),
            ["domainnames", name] => Some(&self.domain_names.get(*name)?.tags),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn tags_mut(&mut self, path: &[&str]) -> Option<&mut Tags> {
        match path {
            ["apis", id] => Some(&mut self.apis.get_mut(*id)?.settings.tags),
            ["apis", id, "stages", name] => Some(&mut self.apis.get_mut(*id)?.stages.get_mut(*name)?.tags),
            ["domainnames", name] => Some(&mut self.domain_names.get_mut(*name)?.tags),
            _ => None,
        }
    }

    /// Removes an API with all that belongs to it.
    pub(crate) fn delete(&mut self, id: &str) -> Result<(), Fault> {
        if self.domain_names.values().any(|domain| domain.serves(id)) {
            return Err(conflict(format!("Cannot delete API '{id}': API mappings refer to it")));
        }
        self.apis.remove(id).map(drop).ok_or_else(|| no_api(id))
    }
}

impl Api {
    /// Takes new settings.
    pub(crate) fn configure(&mut self, mut settings: Settings) -> Result<(), Fault> {
        settings.check()?;
        if settings.protocol_type == HTTP {
            settings.route_selection_expression.get_or_insert_with(|| HTTP_SELECTION.to_owned());
        }
        self.live.cors.clone_from(&settings.cors_configuration);
        self.settings = settings;
        Ok(())
    }

    /// Whether it serves requests of HTTP.
    pub(crate) fn is_http(&self) -> bool {
        self.settings.protocol_type == HTTP
    }

    /// Whether it serves connections rather than requests.
    pub(crate) fn is_web_socket(&self) -> bool {
        self.settings.protocol_type == WEB_SOCKET
    }

    /// What a stage serves: the API as it stands where it deploys by itself, else what its deployment captured.
    pub(crate) fn served_at(&self, stage: &Stage) -> Option<&Configuration> {
        if stage.auto_deploy {
            return Some(&self.live);
        }
        let deployment = stage.deployment_id.as_ref()?;
        self.deployments.get(deployment).map(|deployment| &deployment.captured)
    }
}

impl Settings {
    fn check(&self) -> Result<(), Fault> {
        if self.name.is_empty() || self.name.chars().count() > 128 {
            return Err(bad_request("Name must have between 1 and 128 characters"));
        }
        match self.protocol_type.as_str() {
            HTTP => {}
            WEB_SOCKET => return self.check_web_socket(),
            _ => return Err(bad_request("Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]")),
        }
        self.cors_configuration.as_ref().map_or(Ok(()), Cors::check)
    }

    fn check_web_socket(&self) -> Result<(), Fault> {
        if self.cors_configuration.is_some() {
            return Err(bad_request("CorsConfiguration is not supported for WEBSOCKET APIs"));
        }
        match self.route_selection_expression.as_deref() {
            None => Err(bad_request("RouteSelectionExpression is a required parameter for WEBSOCKET APIs")),
            Some(expression) if Selection::parse(expression).is_none() => {
                Err(bad_request(format!("Invalid RouteSelectionExpression specified: {expression}")))
            }
            Some(_) => Ok(()),
        }
    }
}

impl Cors {
    fn check(&self) -> Result<(), Fault> {
        if self.allow_credentials == Some(true) && self.allow_origins.iter().any(|origin| origin == "*") {
            return Err(bad_request("allow-credentials is not supported for wildcard origin"));
        }
        if self.max_age.is_some_and(|age| !(-1..=86_400).contains(&age)) {
            return Err(bad_request("MaxAge must be between -1 and 86400"));
        }
        match self.allow_origins.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(bad_request(format!("Invalid format for origin {origin}"))),
            None => Ok(()),
        }
    }
}

fn is_origin(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return origin == "*" };
    !scheme.is_empty() && !host.is_empty() && !host.contains('/')
}

/// A declaration from its wire form.
pub(crate) fn declared<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Fault> {
    serde_json::from_value(Value::Object(members))
        .map_err(|error| bad_request(format!("Invalid request body: {error}")))
}

/// A new id, as long as AWS makes them for this kind of thing.
pub(crate) fn identifier(length: usize) -> String {
    let mut random = Uuid::new_v4().as_u128();
    (0..length)
        .map(|_| {
            let digit = u32::try_from(random % 36).unwrap_or_default();
            random /= 36;
            char::from_digit(digit, 36).unwrap_or('0')
        })
        .collect()
}

/// The refusal of a request that breaks a rule.
pub(crate) fn bad_request(message: impl Into<String>) -> Fault {
    Fault::new("BadRequestException", message)
}

/// The refusal of a request that fits with what exists.
pub(crate) fn conflict(message: impl Into<String>) -> Fault {
    Fault { status: StatusCode::CONFLICT, ..Fault::new("ConflictException", message) }
}

/// The refusal of a request for what does not exist.
pub(crate) fn not_found(message: impl Into<String>) -> Fault {
    Fault { status: StatusCode::NOT_FOUND, ..Fault::new("NotFoundException", message) }
}

fn no_api(id: &str) -> Fault {
    not_found(format!("Invalid API identifier specified {id}"))
}
