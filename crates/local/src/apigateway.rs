//! The REST APIs of an account: what is declared, and the rules that it must follow.
//!
//! The types have the shape of API Gateway's own wire format, so that one declaration serves the state, the control
//! API and CloudFormation. A stage serves what its deployment captured, never the API as it stands.

pub(crate) mod api;
mod domain;
mod method;
mod part;
mod patch;
mod resources;
mod usage;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::apigatewayv2::{AccessLogSettings, bad_request, conflict, identifier, not_found};
use crate::gateway::Destination;
use crate::iam::policy::Policy;
use crate::wire::Fault;

pub(crate) use domain::DomainName;
pub(crate) use method::{Integration, IntegrationResponse, Method, MethodResponse};
pub(crate) use resources::RESOURCE_TYPES;
pub(crate) use usage::{Admission, ApiKey, Throttle, UsagePlan};

/// The most resources of an API.
const MOST_RESOURCES: usize = 300;

/// The REST APIs of an account, its API keys and usage plans.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RestApis {
    apis: BTreeMap<String, RestApi>,
    domain_names: BTreeMap<String, DomainName>,
    usage_plans: BTreeMap<String, UsagePlan>,
    api_keys: BTreeMap<String, ApiKey>,
    /// Role that API Gateway writes logs with.
    cloudwatch_role: Option<String>,
}

/// One REST API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RestApi {
    pub(crate) created: Option<OffsetDateTime>,
    /// Id of the resource `/`.
    pub(crate) root: String,
    pub(crate) live: Configuration,
    pub(crate) stages: BTreeMap<String, Stage>,
    pub(crate) deployments: BTreeMap<String, Deployment>,
}

/// What a deployment captures of an API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    pub(crate) resources: BTreeMap<String, Resource>,
    pub(crate) authorizers: BTreeMap<String, Authorizer>,
    pub(crate) models: BTreeMap<String, Model>,
    pub(crate) validators: BTreeMap<String, RequestValidator>,
    pub(crate) gateway_responses: BTreeMap<String, GatewayResponse>,
}

/// The declared part of an API itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) binary_media_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_compression_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_key_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint_configuration: Option<Value>,
    /// The resource policy, JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    pub(crate) disable_execute_api_endpoint: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// One segment of the paths of an API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Resource {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_part: Option<String>,
    pub(crate) path: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) resource_methods: BTreeMap<String, Method>,
}

/// Who decides whether a request may pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Authorizer {
    pub(crate) name: String,
    /// `TOKEN`, `REQUEST` or `COGNITO_USER_POOLS`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(rename = "providerARNs", skip_serializing_if = "Vec::is_empty")]
    pub(crate) provider_arns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_credentials: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity_validation_expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_result_ttl_in_seconds: Option<u32>,
}

/// What a body must be like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Model {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) content_type: String,
    /// JSON Schema, draft 4, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<String>,
}

/// Which parts of a request are checked before the integration sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RequestValidator {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) validate_request_body: bool,
    pub(crate) validate_request_parameters: bool,
}

/// How the gateway words a refusal of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct GatewayResponse {
    pub(crate) response_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status_code: Option<String>,
    pub(crate) response_parameters: BTreeMap<String, String>,
    pub(crate) response_templates: BTreeMap<String, String>,
}

/// A configuration that was captured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Deployment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// The stage that is to serve it, made where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stage_name: Option<String>,
    /// Seconds since 1970.
    pub(crate) created_date: i64,
    pub(crate) captured: Configuration,
}

/// A place where a deployment is served.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Stage {
    pub(crate) stage_name: String,
    pub(crate) deployment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_certificate_id: Option<String>,
    pub(crate) cache_cluster_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_cluster_size: Option<String>,
    pub(crate) variables: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) documentation_version: Option<String>,
    /// By `{resource}/{method}`, slashes of the resource as `~1`; `*/*` is for every method.
    pub(crate) method_settings: BTreeMap<String, MethodSetting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_log_settings: Option<AccessLogSettings>,
    pub(crate) tracing_enabled: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// How a stage treats a method.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MethodSetting {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logging_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_trace_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) throttling_burst_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) throttling_rate_limit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) caching_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_ttl_in_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_data_encrypted: Option<bool>,
    /// Whether only who may invalidate the cache gets a fresh answer for the asking; so it is unless this says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) require_authorization_for_cache_control: Option<bool>,
    /// `FAIL_WITH_403`, `SUCCEED_WITH_RESPONSE_HEADER` or `SUCCEED_WITHOUT_RESPONSE_HEADER`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unauthorized_cache_control_header_strategy: Option<String>,
}

impl RestApis {
    /// Makes an API and returns its id.
    pub(crate) fn create(&mut self, settings: Settings, now: OffsetDateTime) -> Result<String, Fault> {
        let root = identifier(10);
        let mut api = RestApi { created: Some(now), root: root.clone(), ..RestApi::default() };
        api.configure(settings)?;
        api.live.resources.insert(root, Resource { path: "/".to_owned(), ..Resource::default() });
        api.live.models = part::built_in_models();
        let id = identifier(10);
        self.apis.insert(id.clone(), api);
        Ok(id)
    }

    /// The API of this id.
    pub(crate) fn api(&self, id: &str) -> Result<&RestApi, Fault> {
        self.apis.get(id).ok_or_else(|| no_api(id))
    }

    /// The API of this id, to be changed.
    pub(crate) fn api_mut(&mut self, id: &str) -> Result<&mut RestApi, Fault> {
        self.apis.get_mut(id).ok_or_else(|| no_api(id))
    }

    /// Whether a request is for one of these APIs.
    pub(crate) fn serves(&self, destination: &Destination) -> bool {
        match destination.api.contains('.') {
            true => self.mapped(&destination.api, &destination.path).is_some(),
            false => self.apis.contains_key(&destination.api),
        }
    }

    /// Every API, by its id.
    pub(crate) fn all(&self) -> &BTreeMap<String, RestApi> {
        &self.apis
    }

    /// Removes an API with all that belongs to it.
    pub(crate) fn delete(&mut self, id: &str) -> Result<(), Fault> {
        self.api(id)?;
        if self.domain_names.values().any(|domain| domain.serves(id)) {
            return Err(bad_request(
                "Deleting API failed. Please remove all base path mappings related to the API in your domains",
            ));
        }
        self.apis.remove(id);
        for plan in self.usage_plans.values_mut() {
            plan.api_stages.retain(|stage| stage.api_id != id);
        }
        Ok(())
    }
}

impl RestApi {
    /// Takes new settings.
    pub(crate) fn configure(&mut self, mut settings: Settings) -> Result<(), Fault> {
        settings.settle()?;
        self.live.settings = settings;
        Ok(())
    }

    /// The configuration that a stage serves.
    pub(crate) fn served_at(&self, stage: &Stage) -> Option<&Configuration> {
        self.deployments.get(&stage.deployment_id).map(|deployment| &deployment.captured)
    }

    /// The resource of this id.
    pub(crate) fn resource(&self, id: &str) -> Result<&Resource, Fault> {
        self.live.resources.get(id).ok_or_else(|| no_resource(id))
    }

    /// The resource of this id, to be changed.
    pub(crate) fn resource_mut(&mut self, id: &str) -> Result<&mut Resource, Fault> {
        self.live.resources.get_mut(id).ok_or_else(|| no_resource(id))
    }

    /// Adds a segment below a resource, and returns the id of the new one.
    pub(crate) fn add_resource(&mut self, parent: &str, path_part: &str) -> Result<String, Fault> {
        check_path_part(path_part)?;
        let above = self.resource(parent)?;
        if above.path.ends_with("+}") {
            return Err(bad_request(format!(
                "Cannot create a child of a resource with a greedy path variable: {}",
                above.path
            )));
        }
        if self.live.resources.len() >= MOST_RESOURCES {
            return Err(limit_exceeded("Maximum number of Resources for this API has been reached"));
        }
        let mut siblings = self.live.resources.values().filter(|one| one.parent_id.as_deref() == Some(parent));
        if let Some(rival) = siblings.find_map(|one| rival(one.path_part.as_deref()?, path_part)) {
            return Err(rival);
        }
        let path = format!("{}/{path_part}", above.path.trim_end_matches('/'));
        let resource = Resource {
            parent_id: Some(parent.to_owned()),
            path_part: Some(path_part.to_owned()),
            path,
            resource_methods: BTreeMap::new(),
        };
        let id = identifier(6);
        self.live.resources.insert(id.clone(), resource);
        Ok(id)
    }

    /// Removes a resource with all that is below it.
    pub(crate) fn remove_resource(&mut self, id: &str) -> Result<(), Fault> {
        if id == self.root {
            return Err(bad_request("Root resource cannot be deleted"));
        }
        self.resource(id)?;
        let mut gone = vec![id.to_owned()];
        while let Some(id) = gone.pop() {
            self.live.resources.remove(&id);
            let below = self.live.resources.iter().filter(|(_, one)| one.parent_id.as_ref() == Some(&id));
            gone.extend(below.map(|(id, _)| id.clone()));
        }
        Ok(())
    }
}

/// Two siblings may neither be equal nor both be variables.
fn rival(held: &str, new: &str) -> Option<Fault> {
    if held == new {
        return Some(conflict("Another resource with the same parent already has this name: ".to_owned() + new));
    }
    let is_variable = |part: &str| part.starts_with('{') && !part.ends_with("+}");
    let is_greedy = |part: &str| part.ends_with("+}");
    let both = is_variable(held) && is_variable(new) || is_greedy(held) && is_greedy(new);
    both.then(|| {
        bad_request(format!(
            "A sibling ({held}) of this resource already has a variable path part -- only one is allowed"
        ))
    })
}

fn check_path_part(part: &str) -> Result<(), Fault> {
    let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
    let (name, further) = match inner {
        Some(name) => (name.strip_suffix('+').unwrap_or(name), "._-"),
        None => (part, "._-:$,~%@!&'()*+;= "),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || further.contains(c);
    match !name.is_empty() && name.chars().all(plain) {
        true => Ok(()),
        false => Err(bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the \
             beginning and the end.",
        )),
    }
}

impl Settings {
    fn settle(&mut self) -> Result<(), Fault> {
        if self.name.is_empty() || self.name.chars().count() > 1024 {
            return Err(bad_request("Invalid API name specified"));
        }
        match self.api_key_source.get_or_insert_with(|| "HEADER".to_owned()).as_str() {
            "HEADER" | "AUTHORIZER" => {}
            other => return Err(bad_request(format!("Invalid API key source specified: {other}"))),
        }
        if self.minimum_compression_size.is_some_and(|size| size > 10_485_760) {
            return Err(bad_request("Invalid minimum compression size, must be between 0 and 10485760"));
        }
        self.settle_endpoint()?;
        self.policy.as_deref().map_or(Ok(()), check_policy)
    }

    fn settle_endpoint(&mut self) -> Result<(), Fault> {
        let configuration = self.endpoint_configuration.get_or_insert_with(|| serde_json::json!({ "types": ["EDGE"] }));
        let types = configuration.get("types").and_then(Value::as_array).cloned().unwrap_or_default();
        let known = |kind: &Value| matches!(kind.as_str(), Some("EDGE" | "REGIONAL"));
        match types.iter().find(|kind| !known(kind)) {
            None => Ok(()),
            Some(kind) if kind == "PRIVATE" => {
                Err(bad_request("PRIVATE endpoints are not offered by the local cloud: it has no networks"))
            }
            Some(kind) => Err(bad_request(format!("Invalid endpoint type {kind}"))),
        }
    }
}

fn check_policy(text: &str) -> Result<(), Fault> {
    let document: Option<Value> = serde_json::from_str(text).ok();
    let document = document.ok_or_else(|| bad_request("Invalid policy document. Please check the policy syntax"))?;
    Policy::parse_resource(&document).map(drop).map_err(|_| {
        bad_request("Invalid policy document. Please check the policy syntax and ensure that Principals are valid.")
    })
}

/// The refusal of a request for more than AWS gives.
pub(crate) fn limit_exceeded(message: impl Into<String>) -> Fault {
    Fault::new("LimitExceededException", message).with_status(http::StatusCode::TOO_MANY_REQUESTS)
}

fn no_api(id: &str) -> Fault {
    not_found(format!("Invalid API identifier specified {id}"))
}

fn no_resource(id: &str) -> Fault {
    not_found(format!("Invalid Resource identifier specified {id}"))
}
