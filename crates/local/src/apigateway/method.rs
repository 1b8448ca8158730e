//! Methods: what a resource answers to, and what answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Configuration, RestApi, bad_request, conflict, not_found};
use crate::apigatewayv2::function_arn;
use crate::gateway::http_api::route::VERBS;
use crate::gateway::rest_api::is_offered_template;
use crate::wire::Fault;

/// What a resource answers to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Method {
    pub(crate) http_method: String,
    pub(crate) authorization_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) authorization_scopes: Vec<String>,
    pub(crate) api_key_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_validator_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation_name: Option<String>,
    /// Whether each of these must be there, such as `method.request.header.x`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) request_parameters: BTreeMap<String, bool>,
    /// Models by media type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) request_models: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) method_responses: BTreeMap<String, MethodResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method_integration: Option<Integration>,
}

/// What a client may get.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MethodResponse {
    pub(crate) status_code: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) response_parameters: BTreeMap<String, bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) response_models: BTreeMap<String, String>,
}

/// What answers a method's requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Integration {
    /// `AWS_PROXY`, `AWS`, `HTTP_PROXY` or `MOCK`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) request_parameters: BTreeMap<String, String>,
    /// By media type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) request_templates: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) passthrough_behavior: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_handling: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_in_millis: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_namespace: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cache_key_parameters: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_config: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) integration_responses: BTreeMap<String, IntegrationResponse>,
}

/// What a client gets for one kind of the integration's answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct IntegrationResponse {
    pub(crate) status_code: String,
    /// Which answers it is for; without one it is for all the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) selection_pattern: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) response_parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) response_templates: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_handling: Option<String>,
}

/// What the path of an invocation by API Gateway begins with.
const ACTION: &str = "arn:aws:apigateway:";

impl RestApi {
    /// The method of a resource.
    pub(crate) fn method(&self, resource: &str, method: &str) -> Result<&Method, Fault> {
        self.resource(resource)?.resource_methods.get(method).ok_or_else(no_method)
    }

    /// The method of a resource, to be changed.
    pub(crate) fn method_mut(&mut self, resource: &str, method: &str) -> Result<&mut Method, Fault> {
        self.resource_mut(resource)?.resource_methods.get_mut(method).ok_or_else(no_method)
    }

    /// Gives a resource a new method.
    pub(crate) fn add_method(&mut self, resource: &str, method: Method) -> Result<(), Fault> {
        if self.resource(resource)?.resource_methods.contains_key(&method.http_method) {
            return Err(conflict("Method already exists for this resource"));
        }
        self.put_method(resource, method)
    }

    /// Puts a method in its place, whether it was there or not.
    pub(crate) fn put_method(&mut self, resource: &str, mut method: Method) -> Result<(), Fault> {
        method.settle(&self.live)?;
        self.resource_mut(resource)?.resource_methods.insert(method.http_method.clone(), method);
        Ok(())
    }

    /// Takes a method away.
    pub(crate) fn remove_method(&mut self, resource: &str, method: &str) -> Result<(), Fault> {
        self.method(resource, method)?;
        self.resource_mut(resource)?.resource_methods.remove(method);
        Ok(())
    }
}

impl Method {
    fn settle(&mut self, configuration: &Configuration) -> Result<(), Fault> {
        if self.http_method != "ANY" && !VERBS.contains(&self.http_method.as_str()) {
            return Err(bad_request(format!("Invalid HttpMethod specified {}", self.http_method)));
        }
        self.check_authorization(configuration)?;
        let validator = self.request_validator_id.as_ref().filter(|id| !id.is_empty());
        if let Some(id) = validator.filter(|id| !configuration.validators.contains_key(*id)) {
            return Err(bad_request(format!("Invalid Request Validator identifier specified {id}")));
        }
        if let Some(name) = self.request_models.values().find(|name| !configuration.models.contains_key(*name)) {
            return Err(bad_request(format!("Invalid model identifier specified: {name}")));
        }
        let places = ["method.request.header.", "method.request.path.", "method.request.querystring."];
        let placed =
            |name: &str| places.iter().any(|place| name.strip_prefix(place).is_some_and(|name| !name.is_empty()));
        if let Some(name) = self.request_parameters.keys().find(|name| !placed(name)) {
            return Err(invalid_mapping(name));
        }
        self.check_cache_keys()?;
        let Some(mut integration) = self.method_integration.take() else { return Ok(()) };
        integration.settle(self)?;
        self.method_integration = Some(integration);
        Ok(())
    }

    /// What tells kept answers apart must be a parameter of the method, or one that its integration maps.
    fn check_cache_keys(&self) -> Result<(), Fault> {
        let Some(integration) = &self.method_integration else { return Ok(()) };
        let declared = |name: &String| {
            self.request_parameters.contains_key(name) || integration.request_parameters.contains_key(name)
        };
        match integration.cache_key_parameters.iter().all(declared) {
            true => Ok(()),
            false => Err(bad_request("Invalid cache key parameter specified")),
        }
    }

    fn check_authorization(&mut self, configuration: &Configuration) -> Result<(), Fault> {
        let wanted: &[&str] = match self.authorization_type.as_str() {
            "NONE" | "AWS_IAM" => {
                self.authorizer_id = None;
                return match self.authorization_scopes.is_empty() {
                    true => Ok(()),
                    false => Err(bad_request(
                        "Authorization scopes are only valid for COGNITO_USER_POOLS authorization type",
                    )),
                };
            }
            "CUSTOM" => &["TOKEN", "REQUEST"],
            "COGNITO_USER_POOLS" => &["COGNITO_USER_POOLS"],
            "" => {
                return Err(bad_request(
                    "Invalid authorization type specified. Must be one of [NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS]",
                ));
            }
            other => return Err(bad_request(format!("Invalid authorization type {other} specified"))),
        };
        let authorizer = self.authorizer_id.as_ref().and_then(|id| configuration.authorizers.get(id));
        match authorizer {
            Some(authorizer) if wanted.contains(&authorizer.kind.as_str()) => Ok(()),
            _ => Err(bad_request(
                "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS \
                 requires a valid authorizer.",
            )),
        }
    }
}

impl Integration {
    fn settle(&mut self, method: &Method) -> Result<(), Fault> {
        match self.kind.as_str() {
            "MOCK" => {}
            "AWS" | "AWS_PROXY" => self.check_function()?,
            "HTTP_PROXY" => self.check_endpoint()?,
            "HTTP" => return Err(bad_request("HTTP integrations are not offered by the local cloud; HTTP_PROXY is")),
            other => return Err(bad_request(format!("Invalid integration type specified: {other}"))),
        }
        if self.connection_type.as_deref() == Some("VPC_LINK") {
            return Err(bad_request("VPC links are not offered by the local cloud: it has no networks"));
        }
        if self.credentials.is_some() {
            return Err(bad_request("Credentials of an integration are not offered by the local cloud"));
        }
        if self.timeout_in_millis.is_some_and(|timeout| !(50..=29_000).contains(&timeout)) {
            return Err(bad_request("Timeout should be between 50 ms and 29000 ms"));
        }
        check_templates(&self.request_templates)?;
        self.passthrough_behavior.get_or_insert_with(|| "WHEN_NO_MATCH".to_owned());
        self.integration_responses.values().try_for_each(|response| response.check(method))
    }

    fn check_function(&self) -> Result<(), Fault> {
        let uri = self.uri.as_deref().unwrap_or_default();
        if !uri.starts_with(ACTION) {
            return Err(bad_request("Invalid ARN specified in the request"));
        }
        if self.http_method.as_deref().unwrap_or_default().is_empty() {
            return Err(bad_request("Enumeration value for HttpMethod must be non-empty"));
        }
        match uri.contains(":lambda:path/") && function_arn(uri).is_some() {
            true => Ok(()),
            false => Err(bad_request("the local cloud integrates Lambda functions only, by their invocation path")),
        }
    }

    fn check_endpoint(&self) -> Result<(), Fault> {
        let uri = self.uri.as_deref().unwrap_or_default();
        match uri.starts_with("http://") || uri.starts_with("https://") || uri.starts_with("${stageVariables.") {
            true => Ok(()),
            false => Err(bad_request("Invalid HTTP endpoint specified for URI")),
        }
    }
}

impl IntegrationResponse {
    /// What it maps to must be declared, or a client would never see it.
    fn check(&self, method: &Method) -> Result<(), Fault> {
        check_templates(&self.response_templates)?;
        let declared = method.method_responses.get(&self.status_code);
        let declared = declared.ok_or_else(|| bad_request("Invalid Response status code specified"))?;
        match self.response_parameters.keys().find(|name| !declared.response_parameters.contains_key(*name)) {
            Some(name) => Err(invalid_mapping(name)),
            None => Ok(()),
        }
    }
}

/// Templates are rendered as far as references go; one that needs more is refused rather than rendered wrong.
pub(super) fn check_templates(templates: &BTreeMap<String, String>) -> Result<(), Fault> {
    match templates.values().all(|template| is_offered_template(template)) {
        true => Ok(()),
        false => Err(bad_request(
            "the local cloud renders references such as $context.requestId, but no directives and no $util functions, in mapping templates",
        )),
    }
}

fn invalid_mapping(name: &str) -> Fault {
    bad_request(format!(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression \
         parameter specified: {name}]"
    ))
}

fn no_method() -> Fault {
    not_found("Invalid Method identifier specified")
}
