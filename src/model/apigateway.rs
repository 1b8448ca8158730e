//! REST APIs.

use std::collections::{BTreeMap, BTreeSet};

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{self, Derived};
use super::{Declared, Resource, Stack, Value, check, properties};

mod authorizer;
mod policy;
mod response;
mod route;
mod stage;
mod usage;

pub use super::apigatewayv2::{AccessLogs, Cors, IamAuthorizer, RouteKey, Segment, Throttle};
pub use authorizer::{Authorizer, CognitoAuthorizer, RequestAuthorizer, TokenAuthorizer};
pub use policy::PolicyStatement;
pub use response::{GatewayResponse, ResponseType};
pub use route::{Backend, HttpProxy, Mock, Model, Route, RouteCache, Validates};
pub use stage::{Cache, CacheSize, LoggingLevel, Stage};
pub use usage::{ApiKey, Period, Quota, UsagePlan};

/// A REST API with its authorizers, routes, stages and usage plans.
///
/// Synthesis derives a resource for each step of a path, a method for each route, `AuthorizationType` always (`NONE`
/// where a route is public), the preflight methods and the headers of refusals that `cors` asks for, a Lambda permission
/// for each function and for each authorizer's function, a log group for each stage, the account's role for logs, and a
/// deployment whose id changes with whatever it captures. The ids are in [`ids`].
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct RestApi {
    /// The API's name; its id when absent, which synthesis fills in.
    #[garde(inner(custom(check::text("an API's name", 1, 1_024, |_| true))))]
    pub name: Option<Value>,
    /// What the API is for.
    #[garde(length(max = 1_024))]
    pub description: Option<String>,
    /// Who decides about a request, by the name that routes use.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub authorizers: BTreeMap<String, Authorizer>,
    /// What answers a request, by method and path: `GET /users/{id}`, `ANY /files/{proxy+}`.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub routes: BTreeMap<String, Route>,
    /// Which web pages of another origin may call the API; none when absent. One origin, since a REST API's refusals
    /// cannot choose between several.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub cors: Option<Cors>,
    /// The shapes of bodies, by the name that routes use.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub models: BTreeMap<String, Model>,
    /// What the gateway itself answers, by the kind of the answer.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub gateway_responses: BTreeMap<ResponseType, GatewayResponse>,
    /// Content types whose bodies are bytes: functions receive them in base64.
    pub binary_media_types: Vec<String>,
    /// Bytes from which on answers are compressed; none are when absent.
    #[setters(into = false)]
    #[garde(range(max = 10_485_760))]
    pub minimum_compression_size: Option<u32>,
    /// Stages by name; `prod` when none is given.
    #[serde(skip_serializing)]
    #[garde(length(min = 1), dive)]
    #[schemars(extend("minProperties" = 1))]
    pub stages: BTreeMap<String, Stage>,
    /// How much the holders of API keys may call, by name.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub usage_plans: BTreeMap<String, UsagePlan>,
    /// API keys by name. Their values are made by API Gateway and are in no template.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub api_keys: BTreeMap<String, ApiKey>,
    /// Where a request carries its API key.
    #[serde(rename(serialize = "ApiKeySourceType"))]
    pub api_key_source: ApiKeySource,
    /// From where the API is reached.
    #[serde(skip_serializing)]
    pub endpoint_type: EndpointType,
    /// The VPC endpoints from which a private API is reached.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub vpc_endpoint_ids: Vec<Value>,
    /// Who may call the API at all, before any authorizer is asked; everyone when absent.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub policy: Vec<PolicyStatement>,
    /// A domain of your own in front of the API.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub custom_domain: Option<CustomDomain>,
    /// Whether the API answers at its custom domain only.
    pub disable_execute_api_endpoint: bool,
    /// The role with which API Gateway writes the logs of all REST APIs of the account and region.
    #[serde(skip_serializing)]
    pub cloud_watch_role: CloudWatchRole,
    /// Tags on the API.
    #[serde(serialize_with = "properties::tags")]
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
}

impl Default for RestApi {
    fn default() -> Self {
        Self {
            name: None,
            description: None,
            authorizers: BTreeMap::new(),
            routes: BTreeMap::new(),
            cors: None,
            models: BTreeMap::new(),
            gateway_responses: BTreeMap::new(),
            binary_media_types: Vec::new(),
            minimum_compression_size: None,
            stages: BTreeMap::from([("prod".to_owned(), Stage::default())]),
            usage_plans: BTreeMap::new(),
            api_keys: BTreeMap::new(),
            api_key_source: ApiKeySource::default(),
            endpoint_type: EndpointType::default(),
            vpc_endpoint_ids: Vec::new(),
            policy: Vec::new(),
            custom_domain: None,
            disable_execute_api_endpoint: false,
            cloud_watch_role: CloudWatchRole::default(),
            tags: BTreeMap::new(),
        }
    }
}

impl RestApi {
    /// Adds an authorizer under the name that routes use.
    pub fn authorizer(mut self, name: impl Into<String>, authorizer: impl Into<Authorizer>) -> Self {
        self.authorizers.insert(name.into(), authorizer.into());
        self
    }

    /// Adds a route under its method and path.
    pub fn route(mut self, key: impl Into<String>, route: Route) -> Self {
        self.routes.insert(key.into(), route);
        self
    }

    /// Adds a stage, or changes `prod`.
    pub fn stage(mut self, name: impl Into<String>, stage: Stage) -> Self {
        self.stages.insert(name.into(), stage);
        self
    }

    /// Has one stage only, under a name of its own.
    pub fn only_stage(mut self, name: impl Into<String>, stage: Stage) -> Self {
        self.stages = BTreeMap::from([(name.into(), stage)]);
        self
    }

    /// Adds the shape of a body under the name that routes use.
    pub fn model(mut self, name: impl Into<String>, model: Model) -> Self {
        self.models.insert(name.into(), model);
        self
    }

    /// Changes what the gateway itself answers.
    pub fn gateway_response(mut self, kind: ResponseType, response: GatewayResponse) -> Self {
        self.gateway_responses.insert(kind, response);
        self
    }

    /// Adds a usage plan.
    pub fn usage_plan(mut self, name: impl Into<String>, plan: UsagePlan) -> Self {
        self.usage_plans.insert(name.into(), plan);
        self
    }

    /// Adds an API key.
    pub fn api_key(mut self, name: impl Into<String>, key: ApiKey) -> Self {
        self.api_keys.insert(name.into(), key);
        self
    }

    /// The paths of all routes and all that leads to them, each with the methods that its own routes have; `/`, which
    /// is the empty path, only where it has a route.
    pub fn paths(&self) -> BTreeMap<Vec<Segment>, BTreeSet<String>> {
        let mut paths: BTreeMap<Vec<Segment>, BTreeSet<String>> = BTreeMap::new();
        for key in self.routes.keys() {
            let Ok(RouteKey::Path { method, segments }) = RouteKey::parse(key) else { continue };
            for end in 1..segments.len() {
                paths.entry(segments.iter().take(end).cloned().collect()).or_default();
            }
            paths.entry(segments).or_default().insert(method);
        }
        paths
    }

    /// The paths whose preflight requests the gateway answers: those of `cors` that have no `OPTIONS` route of their own.
    pub fn preflights(&self) -> BTreeMap<Vec<Segment>, BTreeSet<String>> {
        let mut paths = if self.cors.is_some() { self.paths() } else { BTreeMap::new() };
        paths.retain(|_, methods| !methods.is_empty() && !methods.contains("OPTIONS"));
        paths
    }

    /// The answers of the gateway that are not what they would be by themselves: those declared, and all refusals where
    /// `cors` has them readable.
    pub fn answers(&self) -> BTreeMap<ResponseType, GatewayResponse> {
        let mut answers = self.gateway_responses.clone();
        if self.cors.is_some() {
            answers.entry(ResponseType::Default4xx).or_default();
            answers.entry(ResponseType::Default5xx).or_default();
        }
        answers
    }

    /// Whether any stage writes logs.
    pub fn logs(&self) -> bool {
        self.stages.values().any(|stage| stage.access_logs.enabled || stage.logging_level != LoggingLevel::Off)
    }

    /// The stages that a usage plan is about.
    pub fn stages_of<'a>(&'a self, plan: &'a UsagePlan) -> Vec<&'a str> {
        match plan.stages.is_empty() {
            true => self.stages.keys().map(String::as_str).collect(),
            false => plan.stages.iter().map(String::as_str).collect(),
        }
    }

    fn routed(&self, id: &str) -> BTreeSet<Derived> {
        let paths = self.paths().into_keys().filter(|path| !path.is_empty());
        let paths = paths.map(|path| Derived::path(ids::path(id, &path)));
        let methods = self.routes.keys().map(|key| Derived::method(ids::route(id, key)));
        let preflights = self.preflights().into_keys().map(|path| Derived::method(ids::preflight(id, &path)));
        let functions = self.routes.values().filter_map(|route| route.function.as_ref());
        let permissions =
            functions.map(|function| Derived::permission(ids::permission(id, &ids::pointed(function.target()))));
        let validators =
            self.routes.values().filter_map(|route| Some(Derived::validator(ids::validator(id, route.validates()?))));
        let models = self.models.keys().map(|name| Derived::model(ids::model(id, name)));
        paths.chain(methods).chain(preflights).chain(permissions).chain(validators).chain(models).collect()
    }

    fn decided(&self, id: &str) -> Vec<Derived> {
        let mut derived = Vec::new();
        for (name, authorizer) in &self.authorizers {
            if authorizer.is_resource() {
                derived.push(Derived::rest_authorizer(ids::authorizer(id, name)));
            }
            if authorizer.function().is_some() {
                derived.push(Derived::permission(ids::authorizer_permission(id, name)));
            }
        }
        derived
    }

    fn staged(&self, id: &str) -> Vec<Derived> {
        let mut derived = Vec::new();
        for (name, stage) in &self.stages {
            derived.push(Derived::rest_stage(ids::stage(id, name)));
            if stage.access_logs.enabled {
                derived.push(Derived::log_group(ids::access_logs(id, name)));
            }
        }
        derived
    }

    fn planned(&self, id: &str) -> Vec<Derived> {
        let keys = self.api_keys.keys().map(|name| Derived::api_key(ids::api_key(id, name)));
        let plans = self.usage_plans.keys().map(|name| Derived::usage_plan(ids::usage_plan(id, name)));
        let held = self.usage_plans.iter().flat_map(|(plan, it)| {
            it.api_keys.iter().map(move |key| Derived::usage_plan_key(ids::usage_plan_key(id, plan, key)))
        });
        keys.chain(plans).chain(held).collect()
    }
}

impl Resource for RestApi {
    const TYPE: &'static str = "AWS::ApiGateway::RestApi";
    const NAME: &'static str = "REST API";
    const ATTRIBUTES: &'static [&'static str] = &["RestApiId", "RootResourceId"];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.rest_apis
    }

    fn derived(&self, id: &str) -> Vec<Derived> {
        let answers = self.answers().into_keys().map(|kind| Derived::gateway_response(ids::gateway_response(id, kind)));
        let domain = self.custom_domain.iter().flat_map(|_| Derived::rest_domain(id));
        let parts = self.decided(id).into_iter().chain(self.routed(id)).chain(self.staged(id)).chain(self.planned(id));
        parts.chain(answers).chain(domain).collect()
    }
}

/// The role with which API Gateway writes logs, as the APIs of a stack want it; `None` where none of them needs one.
///
/// There is one for an account and region, so one API that wants it kept is enough to keep it.
pub(crate) fn cloud_watch_role(stack: &Stack) -> Option<CloudWatchRole> {
    let rest = stack.rest_apis.values().filter(|api| api.logs()).map(|api| api.cloud_watch_role);
    let sockets = stack.web_socket_apis.values().filter(|api| api.logs()).map(|api| api.cloud_watch_role);
    rest.chain(sockets).filter(|role| *role != CloudWatchRole::Existing).min()
}

/// The role with which API Gateway writes logs: a setting of the account and region, not of one API.
///
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CloudWatchRole {
    /// The stack sets one, which stays when the stack is deleted: other APIs may be writing their logs with it.
    #[default]
    Retain,
    /// The stack sets one, which goes with the stack; whatever other APIs there are write no logs from then on.
    Destroy,
    /// The account has one already.
    Existing,
}

/// Where a request carries its API key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "SCREAMING_SNAKE_CASE"))]
pub enum ApiKeySource {
    /// In the header `x-api-key`.
    #[default]
    Header,
    /// The Lambda authorizer finds it out and answers with `usageIdentifierKey`.
    Authorizer,
}

/// From where an API is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "SCREAMING_SNAKE_CASE"))]
pub enum EndpointType {
    /// From anywhere, in its region.
    #[default]
    Regional,
    /// From anywhere, over CloudFront.
    Edge,
    /// From VPC endpoints only; then it has a `policy`.
    Private,
}

/// A domain of your own in front of a REST API.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
#[schemars(rename = "RestCustomDomain")]
pub struct CustomDomain {
    /// The name of the domain.
    #[garde(dive)]
    pub name: Value,
    /// The ARN of its certificate: in the API's region, or in us-east-1 for an edge API.
    #[garde(dive)]
    pub certificate_arn: Value,
    /// The path below the domain; none when absent.
    #[serde(default)]
    #[garde(length(max = 300))]
    pub mapping: Option<String>,
    /// The stage that it leads to; the API's only one when absent.
    #[serde(default)]
    pub stage: Option<String>,
    /// The oldest version of TLS that is spoken.
    #[serde(default)]
    pub security_policy: SecurityPolicy,
}

impl CustomDomain {
    /// A domain with its certificate.
    pub fn new(name: impl Into<Value>, certificate_arn: impl Into<Value>) -> Self {
        let (name, certificate_arn) = (name.into(), certificate_arn.into());
        Self { name, certificate_arn, mapping: None, stage: None, security_policy: SecurityPolicy::default() }
    }
}

/// The oldest version of TLS that a domain speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum SecurityPolicy {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "TLS_1_2")]
    Tls12,
    /// TLS 1.0, which is broken; for clients that know nothing else.
    #[serde(rename = "TLS_1_0")]
    Tls10,
}

impl super::value::Api for RestApi {}
