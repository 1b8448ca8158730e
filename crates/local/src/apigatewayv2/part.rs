//! What an HTTP API is made of: routes, integrations, authorizers, stages, deployments, each with its own rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Api, Authorizer, DEFAULT_STAGE, Deployment, Fault, Integration, Route, RouteResponse, Stage, bad_request, conflict,
    identifier, not_found,
};
use crate::gateway::http_api::route::RouteKey;
use crate::part::{Part, Parts};

impl Parts for Api {
    fn missing(kind: &str, id: &str) -> Fault {
        not_found(format!("Unable to find {kind} by id {id} within the provided API"))
    }
}

/// The route on which a connection of a WebSocket API opens.
const CONNECT: &str = "$connect";
/// The routes of WebSocket APIs that messages cannot select.
const CONNECTION_KEYS: [&str; 3] = [CONNECT, "$disconnect", "$default"];

impl Part for Route {
    type Api = Api;
    const KIND: &'static str = "Route";
    const ID: &'static str = "routeId";

    fn parts(api: &Api) -> &BTreeMap<String, Self> {
        &api.live.routes
    }

    fn parts_mut(api: &mut Api) -> &mut BTreeMap<String, Self> {
        &mut api.live.routes
    }

    fn settle(&mut self, api: &Api, id: &str) -> Result<(), Fault> {
        if api.is_web_socket() {
            self.check_message_key()?;
        } else if RouteKey::parse(&self.route_key).is_none() {
            return Err(bad_request(
                "The provided route key is not formatted properly for HTTP protocol. Format should be \"<HTTP METHOD> \
                 /<RESOURCE PATH>\" or \"$default\"",
            ));
        }
        if api.live.routes.iter().any(|(other, route)| other != id && route.route_key == self.route_key) {
            return Err(conflict(format!("Route with key {} already exists for this API", self.route_key)));
        }
        if self.api_key_required {
            return Err(bad_request("ApiKeyRequired is not currently supported for HTTP APIs"));
        }
        self.settle_target(api)?;
        self.settle_authorization(api)
    }

    fn keep(&mut self, old: &Self, stated: &Map<String, Value>) {
        // An update that does not mention the authorization leaves it attached, see
        // https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2184
        if !stated.contains_key("authorizationType") {
            self.authorization_type.clone_from(&old.authorization_type);
            self.authorizer_id.clone_from(&old.authorizer_id);
        }
    }
}

impl Route {
    /// The keys of WebSocket APIs: the three that are about connections, or what messages select.
    fn check_message_key(&self) -> Result<(), Fault> {
        let key = self.route_key.as_str();
        if key.starts_with('$') && !CONNECTION_KEYS.contains(&key) {
            return Err(bad_request(format!("Invalid route key {key}: reserved are {}", CONNECTION_KEYS.join(", "))));
        }
        if key.is_empty() || key.len() > 128 {
            return Err(bad_request("RouteKey must have between 1 and 128 characters"));
        }
        match self.authorization_type.as_deref() {
            None | Some("NONE") => Ok(()),
            Some("AWS_IAM" | "CUSTOM") if key == CONNECT => Ok(()),
            Some("AWS_IAM" | "CUSTOM") => {
                Err(bad_request("Currently, authorization is restricted to the $connect route only"))
            }
            Some(kind) => Err(bad_request(format!("Invalid AuthorizationType {kind} for a WEBSOCKET API"))),
        }
    }

    fn settle_target(&self, api: &Api) -> Result<(), Fault> {
        let Some(target) = &self.target else { return Ok(()) };
        let integration = target.strip_prefix("integrations/").unwrap_or_default();
        match api.live.integrations.contains_key(integration) {
            true => Ok(()),
            false => Err(bad_request(format!("Invalid target {target}: no such integration in this API"))),
        }
    }

    fn settle_authorization(&mut self, api: &Api) -> Result<(), Fault> {
        let kind = self.authorization_type.get_or_insert_with(|| "NONE".to_owned()).clone();
        if kind != "JWT" && !self.authorization_scopes.is_empty() {
            return Err(bad_request(
                "Invalid Route authorization type specified. Authorization Scopes are only valid for \
                 COGNITO_USER_POOLS and JWT authorization types",
            ));
        }
        let wanted = match kind.as_str() {
            "NONE" | "AWS_IAM" => {
                self.authorizer_id = None;
                return Ok(());
            }
            "JWT" => "JWT",
            "CUSTOM" => "REQUEST",
            _ => return Err(bad_request(format!("Invalid AuthorizationType {kind}"))),
        };
        let id = self.authorizer_id.as_deref().unwrap_or_default();
        match api.live.authorizers.get(id) {
            Some(authorizer) if authorizer.authorizer_type == wanted => Ok(()),
            Some(_) => Err(bad_request(format!("Authorizer {id} is not one for AuthorizationType {kind}"))),
            None => Err(bad_request(format!("Unable to find authorizer {id} for AuthorizationType {kind}"))),
        }
    }
}

impl Part for RouteResponse {
    type Api = Api;
    const KIND: &'static str = "RouteResponse";
    const ID: &'static str = "routeResponseId";

    fn parts(api: &Api) -> &BTreeMap<String, Self> {
        &api.live.route_responses
    }

    fn parts_mut(api: &mut Api) -> &mut BTreeMap<String, Self> {
        &mut api.live.route_responses
    }

    fn settle(&mut self, api: &Api, id: &str) -> Result<(), Fault> {
        if !api.is_web_socket() {
            return Err(bad_request("RouteResponses are not supported for HTTP APIs"));
        }
        api.part::<Route>(&self.route_id)?;
        if self.route_response_key != "$default" {
            return Err(bad_request("RouteResponseKey must be $default"));
        }
        match api.live.route_responses.iter().any(|(other, held)| other != id && held.route_id == self.route_id) {
            true => Err(conflict("RouteResponse with key $default already exists for this route")),
            false => Ok(()),
        }
    }
}

impl Part for Integration {
    type Api = Api;
    const KIND: &'static str = "Integration";
    const ID: &'static str = "integrationId";

    fn parts(api: &Api) -> &BTreeMap<String, Self> {
        &api.live.integrations
    }

    fn parts_mut(api: &mut Api) -> &mut BTreeMap<String, Self> {
        &mut api.live.integrations
    }

    fn settle(&mut self, api: &Api, _id: &str) -> Result<(), Fault> {
        self.refuse_what_is_not_offered()?;
        if api.is_web_socket() {
            return self.settle_for_messages();
        }
        match self.integration_type.as_str() {
            "AWS_PROXY" => self.settle_function()?,
            "HTTP_PROXY" => self.settle_http()?,
            kind => return Err(bad_request(format!("Integration type {kind} is not supported for HTTP APIs"))),
        }
        let timeout = *self.timeout_in_millis.get_or_insert(30_000);
        if !(50..=30_000).contains(&timeout) {
            return Err(bad_request("TimeoutInMillis must be between 50 and 30000"));
        }
        self.connection_type.get_or_insert_with(|| "INTERNET".to_owned());
        Ok(())
    }

    fn removable(api: &Api, id: &str) -> Result<(), Fault> {
        let target = format!("integrations/{id}");
        match api.live.routes.values().find(|route| route.target.as_ref() == Some(&target)) {
            Some(route) => Err(conflict(format!(
                "Cannot delete Integration '{id}'. Active Routes are using this Integration: {}",
                route.route_key
            ))),
            None => Ok(()),
        }
    }
}

impl Integration {
    fn refuse_what_is_not_offered(&self) -> Result<(), Fault> {
        let unoffered = [
            ("ConnectionId", self.connection_id.is_some()),
            ("CredentialsArn", self.credentials_arn.is_some()),
            ("IntegrationSubtype", self.integration_subtype.is_some()),
            ("RequestParameters", !self.request_parameters.is_empty()),
            ("ResponseParameters", !self.response_parameters.is_empty()),
            ("TlsConfig", self.tls_config.is_some()),
        ];
        match unoffered.iter().find(|(_, used)| *used) {
            Some((name, _)) => Err(bad_request(format!("{name} of an integration is not offered by the local cloud"))),
            None => Ok(()),
        }
    }

    /// Integrations of WebSocket APIs are invocation paths, know payload format 1.0 only, and wait a second less.
    fn settle_for_messages(&mut self) -> Result<(), Fault> {
        if self.integration_type != "AWS_PROXY" {
            let kind = &self.integration_type;
            return Err(bad_request(format!(
                "{kind} integrations of WEBSOCKET APIs are not offered by the local cloud"
            )));
        }
        self.integration_method.get_or_insert_with(|| "POST".to_owned());
        self.payload_format_version.get_or_insert_with(|| "1.0".to_owned());
        self.connection_type.get_or_insert_with(|| "INTERNET".to_owned());
        if self.payload_format_version.as_deref() != Some("1.0") {
            return Err(bad_request("PayloadFormatVersion must be 1.0 for WEBSOCKET APIs"));
        }
        if self.timeout_in_millis.is_some_and(|timeout| !(50..=29_000).contains(&timeout)) {
            return Err(bad_request("TimeoutInMillis must be between 50 and 29000"));
        }
        match self.integration_uri.as_deref().and_then(invocation_path) {
            Some(_) => Ok(()),
            None => Err(bad_request("Invalid function invocation path specified for IntegrationUri")),
        }
    }

    fn settle_function(&mut self) -> Result<(), Fault> {
        self.integration_method.get_or_insert_with(|| "POST".to_owned());
        if self.integration_uri.as_deref().and_then(function_arn).is_none() {
            return Err(bad_request("IntegrationUri should be a valid lambda function ARN"));
        }
        match self.payload_format_version.as_deref() {
            Some("1.0" | "2.0") => Ok(()),
            Some(_) => Err(bad_request("PayloadFormatVersion must be 1.0 or 2.0")),
            None => Err(bad_request("PayloadFormatVersion is a required parameter for integration")),
        }
    }

    fn settle_http(&mut self) -> Result<(), Fault> {
        if self.integration_method.is_none() {
            return Err(bad_request("HttpMethod must be specified for HTTP_PROXY integrations"));
        }
        self.payload_format_version.get_or_insert_with(|| "1.0".to_owned());
        let uri = self.integration_uri.as_deref().unwrap_or_default();
        match uri.starts_with("https://") || uri.starts_with("http://") {
            true => Ok(()),
            false => Err(bad_request("Invalid HTTP endpoint specified for URI")),
        }
    }
}

impl Part for Authorizer {
    type Api = Api;
    const KIND: &'static str = "Authorizer";
    const ID: &'static str = "authorizerId";

    fn parts(api: &Api) -> &BTreeMap<String, Self> {
        &api.live.authorizers
    }

    fn parts_mut(api: &mut Api) -> &mut BTreeMap<String, Self> {
        &mut api.live.authorizers
    }

    fn new_id(&self) -> String {
        identifier(6)
    }

    fn settle(&mut self, api: &Api, id: &str) -> Result<(), Fault> {
        if self.name.is_empty() || self.name.len() > 128 {
            return Err(bad_request("Name of an authorizer must have between 1 and 128 characters"));
        }
        if api.live.authorizers.iter().any(|(other, authorizer)| other != id && authorizer.name == self.name) {
            return Err(conflict(format!("Authorizer name {} must be unique", self.name)));
        }
        match self.authorizer_type.as_str() {
            "REQUEST" if api.is_web_socket() => self.check_for_connections(),
            _ if api.is_web_socket() => Err(bad_request("AuthorizerType must be REQUEST for WEBSOCKET APIs")),
            "JWT" => self.check_jwt(),
            "REQUEST" => self.check_request(),
            _ => Err(bad_request("AuthorizerType must be one of [JWT, REQUEST] for HTTP APIs")),
        }
    }

    fn removable(api: &Api, id: &str) -> Result<(), Fault> {
        match api.live.routes.values().find(|route| route.authorizer_id.as_deref() == Some(id)) {
            Some(route) => {
                Err(conflict(format!("Cannot delete authorizer '{id}', is referenced in route: {}", route.route_key)))
            }
            None => Ok(()),
        }
    }
}

impl Authorizer {
    fn check_jwt(&self) -> Result<(), Fault> {
        let Some(jwt) = &self.jwt_configuration else {
            return Err(bad_request("JwtConfiguration is a required parameter for JWT authorizers"));
        };
        if jwt.audience.is_empty() {
            return Err(bad_request("Audience list must not be empty for JWT authorizers"));
        }
        let issuer = jwt.issuer.as_deref().unwrap_or_default();
        if !issuer.starts_with("https://") && !issuer.starts_with("http://") {
            return Err(bad_request(format!("Invalid issuer: {issuer}. Issuer must be an URL")));
        }
        match self.identity_source.as_slice() {
            [source] if is_identity_source(source, &["$request.header.", "$request.querystring."]) => Ok(()),
            _ => Err(bad_request(
                "Invalid IdentitySource for a JWT authorizer: exactly one of $request.header.<name> or \
                 $request.querystring.<name>",
            )),
        }
    }

    /// Authorizers of WebSocket APIs are asked for each connection, and know one form of question and answer.
    fn check_for_connections(&self) -> Result<(), Fault> {
        let for_requests = [
            ("AuthorizerPayloadFormatVersion", self.authorizer_payload_format_version.is_some()),
            ("AuthorizerResultTtlInSeconds", self.authorizer_result_ttl_in_seconds.is_some_and(|ttl| ttl > 0)),
            ("EnableSimpleResponses", self.enable_simple_responses == Some(true)),
        ];
        if let Some((name, _)) = for_requests.iter().find(|(_, stated)| *stated) {
            return Err(bad_request(format!("{name} is not a valid parameter for WEBSOCKET APIs")));
        }
        if self.authorizer_credentials_arn.is_some() {
            return Err(bad_request("AuthorizerCredentialsArn is not offered by the local cloud"));
        }
        if self.authorizer_uri.as_deref().and_then(invocation_path).is_none() {
            return Err(bad_request("AuthorizerUri must be the invocation URI of a Lambda function"));
        }
        let kinds = ["route.request.header.", "route.request.querystring.", "context.", "stageVariables."];
        match self.identity_source.iter().find(|source| !is_identity_source(source, &kinds)) {
            Some(source) => Err(bad_request(format!("Invalid IdentitySource expression: {source}"))),
            None => Ok(()),
        }
    }

    fn check_request(&self) -> Result<(), Fault> {
        if self.authorizer_credentials_arn.is_some() {
            return Err(bad_request("AuthorizerCredentialsArn is not offered by the local cloud"));
        }
        if self.authorizer_uri.as_deref().and_then(function_arn).is_none() {
            return Err(bad_request("AuthorizerUri must be the invocation URI of a Lambda function"));
        }
        match self.authorizer_payload_format_version.as_deref() {
            Some("2.0") => {}
            Some("1.0") if self.enable_simple_responses != Some(true) => {}
            Some("1.0") => {
                return Err(bad_request("EnableSimpleResponses is only valid with AuthorizerPayloadFormatVersion 2.0"));
            }
            _ => return Err(bad_request("AuthorizerPayloadFormatVersion is a required parameter for authorizer")),
        }
        let ttl = self.authorizer_result_ttl_in_seconds.unwrap_or(0);
        if ttl > 3600 {
            return Err(bad_request("AuthorizerResultTtlInSeconds must be between 0 and 3600"));
        }
        if ttl > 0 && self.identity_source.is_empty() {
            return Err(bad_request("Identity source is required when caching is enabled for a REQUEST authorizer"));
        }
        let kinds = ["$request.header.", "$request.querystring.", "$context.", "$stageVariables."];
        match self.identity_source.iter().find(|source| !is_identity_source(source, &kinds)) {
            Some(source) => Err(bad_request(format!("Invalid IdentitySource expression: {source}"))),
            None => Ok(()),
        }
    }
}

fn is_identity_source(source: &str, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| source.strip_prefix(kind).is_some_and(|name| !name.is_empty()))
}

impl Part for Stage {
    type Api = Api;
    const KIND: &'static str = "Stage";
    const ID: &'static str = "stageName";

    fn parts(api: &Api) -> &BTreeMap<String, Self> {
        &api.stages
    }

    fn parts_mut(api: &mut Api) -> &mut BTreeMap<String, Self> {
        &mut api.stages
    }

    fn new_id(&self) -> String {
        self.stage_name.clone()
    }

    fn settle(&mut self, api: &Api, id: &str) -> Result<(), Fault> {
        id.clone_into(&mut self.stage_name);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id == DEFAULT_STAGE && api.is_web_socket() {
            return Err(bad_request("Stage name $default is not supported for WEBSOCKET APIs"));
        }
        if id != DEFAULT_STAGE && (id.is_empty() || id.len() > 128 || !id.chars().all(plain)) {
            return Err(bad_request(
                "Stage name only allows alphanumeric characters, hyphens and underscores, or $default",
            ));
        }
        if let Some(deployment) = &self.deployment_id {
            api.part::<Deployment>(deployment)?;
        }
        if let Some(log) = &self.access_log_settings {
            check_destination(log.destination_arn.as_deref().unwrap_or_default())?;
        }
        let known = |key: &str| api.live.routes.values().any(|route| route.route_key == key);
        match self.route_settings.keys().find(|key| !known(key)) {
            Some(key) => Err(not_found(format!("Unable to find Route by key {key} within the provided RouteSettings"))),
            None => Ok(()),
        }
    }
}

fn check_destination(arn: &str) -> Result<(), Fault> {
    match log_group(arn) {
        Some(_) => Ok(()),
        None => {
            Err(bad_request("Invalid ARN specified in the request. ARN must be that of a CloudWatch Logs log group"))
        }
    }
}

impl Part for Deployment {
    type Api = Api;
    const KIND: &'static str = "Deployment";
    const ID: &'static str = "deploymentId";

    fn parts(api: &Api) -> &BTreeMap<String, Self> {
        &api.deployments
    }

    fn parts_mut(api: &mut Api) -> &mut BTreeMap<String, Self> {
        &mut api.deployments
    }

    fn new_id(&self) -> String {
        identifier(6)
    }

    fn settle(&mut self, api: &Api, id: &str) -> Result<(), Fault> {
        if let Some(stage) = &self.stage_name {
            api.part::<Stage>(stage)?;
        }
        // Never what a request says of it: a deployment holds what the API was.
        let held = api.deployments.get(id);
        self.captured = held.map_or_else(|| api.live.clone(), |held| held.captured.clone());
        Ok(())
    }

    fn removable(api: &Api, id: &str) -> Result<(), Fault> {
        match api.stages.values().any(|stage| stage.deployment_id.as_deref() == Some(id)) {
            true => Err(bad_request("Active stages pointing to this deployment must be moved or deleted")),
            false => Ok(()),
        }
    }

    fn placed(&self, api: &mut Api, id: &str) {
        let stage = self.stage_name.as_ref().and_then(|name| api.stages.get_mut(name));
        if let Some(stage) = stage {
            stage.deployment_id = Some(id.to_owned());
        }
    }

    fn wire(&self, id: &str) -> Value {
        serde_json::json!({
            "deploymentId": id,
            "description": self.description,
            "deploymentStatus": "DEPLOYED",
            "autoDeployed": false,
        })
    }
}

/// The ARN of the function that an invocation path holds; a bare ARN is none.
fn invocation_path(uri: &str) -> Option<&str> {
    function_arn(uri).filter(|arn| *arn != uri)
}

/// The ARN of the function that a URI invokes: the URI itself, or what the invocation path holds.
pub(crate) fn function_arn(uri: &str) -> Option<&str> {
    let arn = match uri.split_once("/functions/") {
        Some((_, arn)) => arn.strip_suffix("/invocations")?,
        None => uri,
    };
    let name = arn.strip_prefix("arn:aws:lambda:")?.split(':').nth(3)?;
    (!name.is_empty()).then_some(arn)
}

/// The log group that an ARN names.
pub(crate) fn log_group(arn: &str) -> Option<&str> {
    let name = arn.strip_prefix("arn:aws:logs:")?.split_once(":log-group:")?.1;
    let name = name.strip_suffix(":*").unwrap_or(name);
    (!name.is_empty()).then_some(name)
}
