//! HTTP and WebSocket APIs.

use std::collections::{BTreeMap, BTreeSet};

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{self, Derived};
use super::lambda::Function;
use super::{Declared, Ref, Resource, Stack, Value, check};

mod authorizer;
mod route;
pub(crate) mod web_socket_api;

pub use authorizer::{Authorizer, IamAuthorizer, JwtAuthorizer, LambdaAuthorizer};
pub use route::{RouteKey, RouteKeyError, Segment, VERBS};
pub use web_socket_api::{ConnectionAuthorizer, MessageRoute, RequestAuthorizer, WebSocketApi};

/// An HTTP API with its authorizers, routes and stages.
///
/// Synthesis derives `ProtocolType`, and a resource for each authorizer, route, stage, log group of a stage, custom
/// domain and its mapping, for each function an integration (one for each way of invoking it) and a Lambda permission.
/// `AuthorizationType` is always written, `NONE` where a route is public. The ids are in [`ids`].
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct HttpApi {
    /// The API's name; its id when absent, which synthesis fills in.
    #[garde(inner(custom(check::text("an API's name", 1, 128, |_| true))))]
    pub name: Option<Value>,
    /// What the API is for.
    #[garde(length(max = 1_024))]
    pub description: Option<String>,
    /// Who decides about a request, by the name that routes use.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub authorizers: BTreeMap<String, Authorizer>,
    /// What answers a request, by method and path: `GET /users/{id}`, `ANY /files/{proxy+}`, `$default`.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub routes: BTreeMap<String, Route>,
    /// Which web pages of other origins may call the API; none when absent.
    #[serde(rename(serialize = "CorsConfiguration"))]
    #[garde(dive)]
    pub cors: Option<Cors>,
    /// Stages by name; `$default`, which has no name in its URL, when none is given.
    #[serde(skip_serializing)]
    #[garde(length(min = 1), dive)]
    pub stages: BTreeMap<String, Stage>,
    /// The event that functions receive, where a route does not say.
    #[serde(skip_serializing)]
    pub payload_format: PayloadFormat,
    /// A domain of your own in front of the API.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub custom_domain: Option<CustomDomain>,
    /// Whether the API answers at its custom domain only.
    pub disable_execute_api_endpoint: bool,
    /// Tags on the API.
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
}

impl Default for HttpApi {
    fn default() -> Self {
        Self {
            name: None,
            description: None,
            authorizers: BTreeMap::new(),
            routes: BTreeMap::new(),
            cors: None,
            stages: BTreeMap::from([("$default".to_owned(), Stage::default())]),
            payload_format: PayloadFormat::default(),
            custom_domain: None,
            disable_execute_api_endpoint: false,
            tags: BTreeMap::new(),
        }
    }
}

impl HttpApi {
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

    /// Adds a stage, or changes `$default`.
    pub fn stage(mut self, name: impl Into<String>, stage: Stage) -> Self {
        self.stages.insert(name.into(), stage);
        self
    }

    /// The event that a route's function receives.
    pub fn payload_format_of(&self, route: &Route) -> PayloadFormat {
        route.payload_format.unwrap_or(self.payload_format)
    }

    /// The logical id of the integration that a route invokes.
    pub fn integration(&self, id: &str, route: &Route) -> String {
        let format = self.payload_format_of(route);
        ids::integration(id, &ids::pointed(route.function.target()), format, route.timeout_in_millis)
    }

    /// The logical id of the permission that lets the API invoke a route's function.
    pub fn permission(&self, id: &str, route: &Route) -> String {
        ids::permission(id, &ids::pointed(route.function.target()))
    }

    fn decided(&self, id: &str) -> Vec<Derived> {
        let mut derived = Vec::new();
        for (name, authorizer) in &self.authorizers {
            if authorizer.is_resource() {
                derived.push(Derived::authorizer(ids::authorizer(id, name)));
            }
            if authorizer.function().is_some() {
                derived.push(Derived::permission(ids::authorizer_permission(id, name)));
            }
        }
        derived
    }

    fn routed(&self, id: &str) -> BTreeSet<Derived> {
        let integrations = self.routes.values().map(|route| Derived::integration(self.integration(id, route)));
        let permissions = self.routes.values().map(|route| Derived::permission(self.permission(id, route)));
        let routes = self.routes.keys().map(|key| Derived::route(ids::route(id, key)));
        integrations.chain(permissions).chain(routes).collect()
    }

    fn staged(&self, id: &str) -> Vec<Derived> {
        let mut derived = Vec::new();
        for (name, stage) in &self.stages {
            derived.push(Derived::stage(ids::stage(id, name)));
            if stage.access_logs.enabled {
                derived.push(Derived::log_group(ids::access_logs(id, name)));
            }
        }
        derived
    }
}

impl Resource for HttpApi {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Api";
    const NAME: &'static str = "HTTP API";
    const ATTRIBUTES: &'static [&'static str] = &["ApiEndpoint", "ApiId"];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.http_apis
    }

    fn derived(&self, id: &str) -> Vec<Derived> {
        let domain = self.custom_domain.iter().flat_map(|_| Derived::api_domain(id));
        self.decided(id).into_iter().chain(self.routed(id)).chain(self.staged(id)).chain(domain).collect()
    }
}

impl super::value::Api for HttpApi {}

/// What answers a request.
///
/// A route names its `authorizer` or says `public: true`. Synthesis derives the route, with its integration, and the
/// stage's `RouteSettings` from `throttle`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct Route {
    /// The function that answers.
    #[setters(skip)]
    #[garde(dive)]
    pub function: Ref<Function>,
    /// The authorizer of the API that decides who may call the route.
    #[serde(default)]
    pub authorizer: Option<String>,
    /// Whether anyone may call the route; then it has no authorizer.
    #[serde(default)]
    #[setters(bool)]
    pub public: bool,
    /// Scopes of which the caller's token must hold one.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub scopes: Vec<String>,
    /// How many requests the route takes, instead of the stage's own limit.
    #[serde(default)]
    #[garde(dive)]
    pub throttle: Option<Throttle>,
    /// Milliseconds after which the gateway gives up on the function; 30,000 when absent.
    #[serde(default)]
    #[setters(into = false)]
    #[garde(range(min = 50, max = 30_000))]
    pub timeout_in_millis: Option<u32>,
    /// The event that the function receives, instead of the API's own choice.
    #[serde(default)]
    pub payload_format: Option<PayloadFormat>,
    /// A name for the operation.
    #[serde(default)]
    #[garde(length(max = 64))]
    pub operation_name: Option<String>,
}

impl Route {
    /// A route to a function; `authorizer` or `public` must follow.
    pub fn new(function: impl Into<Ref<Function>>) -> Self {
        Self {
            function: function.into(),
            authorizer: None,
            public: false,
            scopes: Vec::new(),
            throttle: None,
            timeout_in_millis: None,
            payload_format: None,
            operation_name: None,
        }
    }
}

/// How many requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Requests a second, on average.
    #[serde(rename(deserialize = "rate", serialize = "ThrottlingRateLimit"))]
    #[garde(range(min = 0.0, max = 10_000.0))]
    pub rate: f64,
    /// Requests at the same moment.
    #[serde(rename(deserialize = "burst", serialize = "ThrottlingBurstLimit"))]
    #[garde(range(max = 5_000))]
    pub burst: u32,
}

impl Throttle {
    /// So many requests a second, and so many at the same moment.
    pub fn new(rate: f64, burst: u32) -> Self {
        Self { rate, burst }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self { rate: 1_000.0, burst: 1_000 }
    }
}

/// The event that a function receives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
pub enum PayloadFormat {
    /// The one that REST APIs send as well.
    #[serde(rename = "1.0")]
    V1,
    /// The shorter one of HTTP APIs.
    #[default]
    #[serde(rename = "2.0")]
    V2,
}

/// Which web pages of other origins may call an API; serialized as CloudFormation's `CorsConfiguration`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Cors {
    /// Origins, such as `https://example.com`, or `*`.
    #[garde(dive)]
    pub allow_origins: Vec<Value>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Headers that requests may carry, or `*`.
    pub allow_headers: Vec<String>,
    /// Headers of responses that the page may read.
    pub expose_headers: Vec<String>,
    /// Seconds for which the browser remembers the answer.
    #[setters(into = false)]
    #[garde(range(min = -1, max = 86_400))]
    pub max_age: Option<i32>,
    /// Whether requests carry cookies.
    pub allow_credentials: bool,
}

/// A stage of an API; serialized as the properties of `AWS::ApiGatewayV2::Stage`.
///
/// Synthesis adds `ApiId`, `StageName`, `DefaultRouteSettings` (`throttle`, `detailedMetricsEnabled`), `RouteSettings`
/// (the routes' own throttles), `AccessLogSettings` and the log group behind it.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Stage {
    /// What the stage is for.
    #[garde(length(max = 1_024))]
    pub description: Option<String>,
    /// Whether a change is served at once.
    pub auto_deploy: bool,
    /// Variables that functions find in their events.
    #[garde(length(max = 100), dive)]
    pub stage_variables: BTreeMap<String, Value>,
    /// How many requests each route takes.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub throttle: Throttle,
    /// Whether CloudWatch has figures for each route.
    #[serde(skip_serializing)]
    pub detailed_metrics_enabled: bool,
    /// A line for each request; on unless turned off.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub access_logs: AccessLogs,
    /// Tags on the stage.
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            description: None,
            auto_deploy: true,
            stage_variables: BTreeMap::new(),
            throttle: Throttle::default(),
            detailed_metrics_enabled: false,
            access_logs: AccessLogs::default(),
            tags: BTreeMap::new(),
        }
    }
}

/// A line for each request.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct AccessLogs {
    /// Whether there are any.
    pub enabled: bool,
    /// Days after which they are deleted.
    #[setters(into = false)]
    #[garde(custom(check::retention))]
    #[schemars(extend("enum" = check::RETENTION))]
    pub retention_days: u32,
    /// The line, with `$context` variables; a JSON line with the usual ones when absent.
    #[garde(length(min = 1, max = 3_072))]
    pub format: Option<String>,
}

impl Default for AccessLogs {
    fn default() -> Self {
        Self { enabled: true, retention_days: 30, format: None }
    }
}

/// A domain of your own in front of an API.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct CustomDomain {
    /// The name of the domain.
    #[garde(dive)]
    pub name: Value,
    /// The ARN of its certificate, which must be in the API's region.
    #[garde(dive)]
    pub certificate_arn: Value,
    /// The path below the domain; none when absent.
    #[serde(default)]
    #[garde(length(max = 300))]
    pub mapping: Option<String>,
    /// The stage that it leads to; `$default` when absent, and the only one of a WebSocket API.
    #[serde(default)]
    pub stage: Option<String>,
}
