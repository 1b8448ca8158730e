//! What a REST API is made of beside its resources: authorizers, models, validators, gateway responses, deployments,
//! stages, each with its own rules.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::method::check_templates;
use super::patch::setting_path;
use super::{
    Authorizer, Deployment, GatewayResponse, MethodSetting, Model, RequestValidator, RestApi, Stage, bad_request,
    conflict, identifier, limit_exceeded, not_found,
};
use crate::apigatewayv2::{function_arn, log_group};
use crate::gateway::http_api::route::VERBS;
use crate::gateway::rest_api::refusal;
use crate::part::{Part, Parts};
use crate::wire::Fault;

/// The most authorizers of an API.
const MOST_AUTHORIZERS: usize = 10;
/// The most stages of an API.
const MOST_STAGES: usize = 10;
/// The most variables of a stage.
const MOST_VARIABLES: usize = 100;
/// The most seconds that a stage keeps answers.
const LONGEST_CACHED: u32 = 3600;
/// The sizes that the cache of a stage may have, in GB.
const CACHE_SIZES: [&str; 8] = ["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"];

impl Parts for RestApi {
    fn missing(kind: &str, id: &str) -> Fault {
        not_found(format!("Invalid {kind} identifier specified {id}"))
    }
}

/// The models that every API has from its beginning.
pub(super) fn built_in_models() -> BTreeMap<String, Model> {
    let draft = "http://json-schema.org/draft-04/schema#";
    let empty = json!({ "$schema": draft, "title": "Empty Schema", "type": "object" });
    let error = json!({
        "$schema": draft, "title": "Error Schema", "type": "object",
        "properties": { "message": { "type": "string" } },
    });
    [("Empty", "This is a default empty schema model", empty), ("Error", "This is a default error schema model", error)]
        .map(|(name, description, schema)| {
            let model = Model {
                name: name.to_owned(),
                description: Some(description.to_owned()),
                content_type: "application/json".to_owned(),
                schema: Some(schema.to_string()),
            };
            (name.to_owned(), model)
        })
        .into()
}

impl Part for Authorizer {
    type Api = RestApi;
    const KIND: &'static str = "Authorizer";
    const ID: &'static str = "id";

    fn parts(api: &RestApi) -> &BTreeMap<String, Self> {
        &api.live.authorizers
    }

    fn parts_mut(api: &mut RestApi) -> &mut BTreeMap<String, Self> {
        &mut api.live.authorizers
    }

    fn new_id(&self) -> String {
        identifier(6)
    }

    fn settle(&mut self, api: &RestApi, id: &str) -> Result<(), Fault> {
        if self.name.is_empty() {
            return Err(bad_request("Authorizer name cannot be empty"));
        }
        if api.live.authorizers.iter().any(|(other, authorizer)| other != id && authorizer.name == self.name) {
            return Err(bad_request(format!(
                "Authorizer name must be unique. Authorizer {} already exists in this RestApi.",
                self.name
            )));
        }
        if !api.live.authorizers.contains_key(id) && api.live.authorizers.len() >= MOST_AUTHORIZERS {
            return Err(limit_exceeded("Maximum number of Authorizers for this API has been reached"));
        }
        if self.authorizer_result_ttl_in_seconds.is_some_and(|seconds| seconds > 3600) {
            return Err(bad_request("Authorizer result TTL must be between 0 and 3600 seconds"));
        }
        if let Some(expression) = &self.identity_validation_expression {
            Regex::new(expression)
                .map_err(|_| bad_request(format!("Invalid identity validation expression {expression}")))?;
        }
        match self.kind.as_str() {
            "TOKEN" => self.check_token(),
            "REQUEST" => self.check_request(),
            "COGNITO_USER_POOLS" => self.check_cognito(),
            _ => Err(bad_request("Invalid authorizer type. Must be one of [TOKEN, REQUEST, COGNITO_USER_POOLS]")),
        }
    }

    fn removable(api: &RestApi, id: &str) -> Result<(), Fault> {
        let mut methods = api.live.resources.values().flat_map(|resource| resource.resource_methods.values());
        match methods.any(|method| method.authorizer_id.as_deref() == Some(id)) {
            true => Err(conflict("Cannot delete authorizer, is referenced in method")),
            false => Ok(()),
        }
    }
}

impl Authorizer {
    /// Seconds that its decisions are kept.
    pub(crate) fn lifetime(&self) -> u32 {
        self.authorizer_result_ttl_in_seconds.unwrap_or(300)
    }

    /// Where it finds what identifies a caller.
    pub(crate) fn sources(&self) -> Vec<&str> {
        let listed = self.identity_source.as_deref().unwrap_or_default();
        listed.split(',').map(str::trim).filter(|source| !source.is_empty()).collect()
    }

    fn check_token(&self) -> Result<(), Fault> {
        self.check_header()?;
        self.check_function()
    }

    fn check_header(&self) -> Result<(), Fault> {
        match self.sources().as_slice() {
            [source] if named(source, &["method.request.header."]) => Ok(()),
            _ => Err(bad_request("Invalid identity source. It must be one header: method.request.header.<name>")),
        }
    }

    fn check_function(&self) -> Result<(), Fault> {
        if self.authorizer_credentials.is_some() {
            return Err(bad_request("Credentials of an authorizer are not offered by the local cloud"));
        }
        let uri = self.authorizer_uri.as_deref().unwrap_or_default();
        match uri.starts_with("arn:aws:apigateway:") && function_arn(uri).is_some() {
            true => Ok(()),
            false => Err(bad_request(format!(
                "Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation."
            ))),
        }
    }

    fn check_request(&self) -> Result<(), Fault> {
        self.check_function()?;
        let kinds = ["method.request.header.", "method.request.querystring.", "context.", "stageVariables."];
        let sources = self.sources();
        if self.lifetime() > 0 && sources.is_empty() {
            return Err(bad_request("Identity source is required when caching is enabled for a REQUEST authorizer"));
        }
        match sources.iter().find(|source| !named(source, &kinds)) {
            Some(source) => Err(bad_request(format!("Invalid identity source expression: {source}"))),
            None => Ok(()),
        }
    }

    fn check_cognito(&self) -> Result<(), Fault> {
        self.check_header()?;
        let is_pool = |arn: &String| arn.starts_with("arn:aws:cognito-idp:") && arn.contains(":userpool/");
        match !self.provider_arns.is_empty() && self.provider_arns.iter().all(is_pool) {
            true => Ok(()),
            false => {
                Err(bad_request("Invalid Cognito User Pool ARN: provider ARNs are required for this authorizer type"))
            }
        }
    }
}

fn named(source: &str, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| source.strip_prefix(kind).is_some_and(|name| !name.is_empty()))
}

impl Part for Model {
    type Api = RestApi;
    const KIND: &'static str = "Model";
    const ID: &'static str = "id";

    fn parts(api: &RestApi) -> &BTreeMap<String, Self> {
        &api.live.models
    }

    fn parts_mut(api: &mut RestApi) -> &mut BTreeMap<String, Self> {
        &mut api.live.models
    }

    fn new_id(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _api: &RestApi, id: &str) -> Result<(), Fault> {
        id.clone_into(&mut self.name);
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(bad_request(format!("Model name must be alphanumeric: {id}")));
        }
        if self.content_type.is_empty() {
            return Err(bad_request("Content type of a model must be specified"));
        }
        let schema = self.schema.as_deref().filter(|text| !text.is_empty());
        match schema.map(serde_json::from_str::<Map<String, Value>>) {
            Some(Err(error)) => Err(bad_request(format!(
                "Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. {error}]"
            ))),
            _ => Ok(()),
        }
    }

    fn removable(api: &RestApi, id: &str) -> Result<(), Fault> {
        let mut methods = api.live.resources.values().flat_map(|resource| resource.resource_methods.values());
        match methods.any(|method| method.request_models.values().any(|name| name == id)) {
            true => Err(conflict(format!("Cannot delete model '{id}', is referenced in method request"))),
            false => Ok(()),
        }
    }
}

impl Part for RequestValidator {
    type Api = RestApi;
    const KIND: &'static str = "Request Validator";
    const ID: &'static str = "id";

    fn parts(api: &RestApi) -> &BTreeMap<String, Self> {
        &api.live.validators
    }

    fn parts_mut(api: &mut RestApi) -> &mut BTreeMap<String, Self> {
        &mut api.live.validators
    }

    fn new_id(&self) -> String {
        identifier(6)
    }

    fn settle(&mut self, _api: &RestApi, _id: &str) -> Result<(), Fault> {
        Ok(())
    }

    fn removable(api: &RestApi, id: &str) -> Result<(), Fault> {
        let mut methods = api.live.resources.values().flat_map(|resource| resource.resource_methods.values());
        match methods.any(|method| method.request_validator_id.as_deref() == Some(id)) {
            true => Err(conflict("Cannot delete request validator, is referenced in method")),
            false => Ok(()),
        }
    }
}

impl Part for GatewayResponse {
    type Api = RestApi;
    const KIND: &'static str = "Gateway Response";
    const ID: &'static str = "responseType";

    fn parts(api: &RestApi) -> &BTreeMap<String, Self> {
        &api.live.gateway_responses
    }

    fn parts_mut(api: &mut RestApi) -> &mut BTreeMap<String, Self> {
        &mut api.live.gateway_responses
    }

    fn new_id(&self) -> String {
        self.response_type.clone()
    }

    fn settle(&mut self, _api: &RestApi, id: &str) -> Result<(), Fault> {
        id.clone_into(&mut self.response_type);
        if refusal::default_status(id).is_none() {
            return Err(bad_request(format!("Invalid response type specified: {id}")));
        }
        let is_code = |code: &String| code.parse::<u16>().is_ok_and(|code| (100..600).contains(&code));
        if self.status_code.as_ref().is_some_and(|code| !is_code(code)) {
            return Err(bad_request("Invalid status code specified"));
        }
        check_templates(&self.response_templates)?;
        let sources = ["'", "method.request.", "context.", "stageVariables."];
        let wrong = |(name, value): &(&String, &String)| {
            !name.starts_with("gatewayresponse.") || !sources.iter().any(|source| value.starts_with(source))
        };
        match self.response_parameters.iter().find(wrong) {
            Some((name, value)) => Err(bad_request(format!("Invalid mapping expression specified: {name}: {value}"))),
            None => Ok(()),
        }
    }
}

impl Part for Deployment {
    type Api = RestApi;
    const KIND: &'static str = "Deployment";
    const ID: &'static str = "id";

    fn parts(api: &RestApi) -> &BTreeMap<String, Self> {
        &api.deployments
    }

    fn parts_mut(api: &mut RestApi) -> &mut BTreeMap<String, Self> {
        &mut api.deployments
    }

    fn new_id(&self) -> String {
        identifier(6)
    }

    fn settle(&mut self, api: &RestApi, id: &str) -> Result<(), Fault> {
        if let Some(old) = api.deployments.get(id) {
            self.captured.clone_from(&old.captured);
            self.created_date = old.created_date;
            return Ok(());
        }
        let mut methods =
            api.live.resources.values().flat_map(|resource| resource.resource_methods.values()).peekable();
        if methods.peek().is_none() {
            return Err(bad_request("The REST API doesn't contain any methods"));
        }
        if methods.any(|method| method.method_integration.is_none()) {
            return Err(bad_request("No integration defined for method"));
        }
        self.captured = api.live.clone();
        Ok(())
    }

    fn removable(api: &RestApi, id: &str) -> Result<(), Fault> {
        match api.stages.values().any(|stage| stage.deployment_id == id) {
            true => Err(bad_request("Active stages pointing to this deployment must be moved or deleted")),
            false => Ok(()),
        }
    }

    fn placed(&self, api: &mut RestApi, id: &str) {
        let Some(name) = &self.stage_name else { return };
        let stage = api.stages.entry(name.clone()).or_default();
        stage.stage_name.clone_from(name);
        id.clone_into(&mut stage.deployment_id);
    }

    fn wire(&self, id: &str) -> Value {
        let mut wire = json!({ "id": id, "createdDate": self.created_date });
        if let Some(description) = &self.description {
            wire["description"] = description.as_str().into();
        }
        wire
    }
}

impl Part for Stage {
    type Api = RestApi;
    const KIND: &'static str = "Stage";
    const ID: &'static str = "stageName";

    fn parts(api: &RestApi) -> &BTreeMap<String, Self> {
        &api.stages
    }

    fn parts_mut(api: &mut RestApi) -> &mut BTreeMap<String, Self> {
        &mut api.stages
    }

    fn new_id(&self) -> String {
        self.stage_name.clone()
    }

    fn settle(&mut self, api: &RestApi, id: &str) -> Result<(), Fault> {
        id.clone_into(&mut self.stage_name);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > 128 || !id.chars().all(plain) {
            return Err(bad_request("Stage name only allows a-zA-Z0-9_-"));
        }
        if !api.stages.contains_key(id) && api.stages.len() >= MOST_STAGES {
            return Err(limit_exceeded("Maximum number of Stages for this API has been reached"));
        }
        if !api.deployments.contains_key(&self.deployment_id) {
            return Err(bad_request("Deployment id does not exist"));
        }
        if self.variables.len() > MOST_VARIABLES {
            return Err(bad_request("Maximum number of stage variables has been reached"));
        }
        self.settle_cache()?;
        self.method_settings.iter().try_for_each(|(method, setting)| check_named(method, setting))?;
        let log = self.access_log_settings.as_ref().map(|log| log.destination_arn.as_deref().unwrap_or_default());
        match log.is_some_and(|arn| log_group(arn).is_none()) {
            true => Err(bad_request(
                "Invalid ARN specified in the request. ARN must be that of a CloudWatch Logs log group",
            )),
            false => Ok(()),
        }
    }

    fn wire(&self, id: &str) -> Value {
        let mut wire = json!(self);
        wire["stageName"] = id.into();
        wire["cacheClusterStatus"] = if self.cache_cluster_enabled { "AVAILABLE" } else { "NOT_AVAILABLE" }.into();
        wire
    }
}

impl Stage {
    fn settle_cache(&mut self) -> Result<(), Fault> {
        if self.cache_cluster_enabled {
            let size = self.cache_cluster_size.get_or_insert_with(|| "0.5".to_owned());
            if !CACHE_SIZES.contains(&size.as_str()) {
                return Err(bad_request(format!("Invalid cache cluster size specified: {size}")));
            }
        }
        self.method_settings.values().try_for_each(MethodSetting::check_cache)
    }
}

/// The settings of a stage are for every method, or for one that is named by its verb: `ANY` has none.
///
/// See <https://github.com/hashicorp/terraform-provider-aws/issues/15855>.
fn check_named(method: &str, setting: &MethodSetting) -> Result<(), Fault> {
    let named = method.rsplit_once('/').is_some_and(|(path, verb)| path != "*" && VERBS.contains(&verb));
    match named || method == "*/*" {
        true => Ok(()),
        false => Err(bad_request(format!("Invalid method setting path: {}", setting_path(method, setting)))),
    }
}

impl MethodSetting {
    fn check_cache(&self) -> Result<(), Fault> {
        if self.cache_ttl_in_seconds.is_some_and(|seconds| seconds > LONGEST_CACHED) {
            return Err(bad_request(format!("Invalid cache TTL, must be between 0 and {LONGEST_CACHED} seconds")));
        }
        match self.unauthorized_cache_control_header_strategy.as_deref() {
            None | Some("FAIL_WITH_403" | "SUCCEED_WITH_RESPONSE_HEADER" | "SUCCEED_WITHOUT_RESPONSE_HEADER") => Ok(()),
            Some(other) => Err(bad_request(format!("Invalid strategy for unauthorized cache control: {other}"))),
        }
    }
}
