//! WebSocket APIs.

use std::collections::{BTreeMap, BTreeSet};

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CustomDomain, IamAuthorizer, PayloadFormat, Stage, Throttle};
use crate::model::apigateway::CloudWatchRole;
use crate::model::ids::{self, Derived};
use crate::model::lambda::Function;
use crate::model::{Declared, Json, Ref, Resource, Stack, Value, check};

/// The routes that are about connections; what messages select has other keys.
pub(crate) const CONNECT: &str = "$connect";
pub(crate) const DISCONNECT: &str = "$disconnect";
pub(crate) const DEFAULT: &str = "$default";

/// A WebSocket API with its authorizers, routes and stages.
///
/// Synthesis derives `ProtocolType`, and a resource for each authorizer (with the permission to invoke its function),
/// route, route response, stage, log group of a stage, custom domain and its mapping, for each function an integration
/// and a Lambda permission. `AuthorizationType` is always written, `NONE` where a route needs none. The ids are in
/// [`ids`]. What functions send to clients they send by `@connections`, which a grant lets them use.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct WebSocketApi {
    /// The API's name; its id when absent, which synthesis fills in.
    #[garde(inner(custom(check::text("an API's name", 1, 128, |_| true))))]
    pub name: Option<Value>,
    /// What the API is for.
    #[garde(length(max = 1_024))]
    pub description: Option<String>,
    /// Where a message says which route it means: `$request.body.action` is the member `action` of a JSON object.
    #[garde(custom(check::selection))]
    pub route_selection_expression: String,
    /// Who decides whether a client may connect, by the name that `$connect` uses.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub authorizers: BTreeMap<String, ConnectionAuthorizer>,
    /// What takes a message, by the key that the message selects; `$default` takes all others. `$connect` is there when a
    /// client connects, and `$disconnect` when it has gone.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub routes: BTreeMap<String, MessageRoute>,
    /// Stages by name, which begins the path; `prod` when none is given.
    #[serde(skip_serializing)]
    #[garde(length(min = 1), dive)]
    #[schemars(extend("minProperties" = 1))]
    pub stages: BTreeMap<String, Stage>,
    /// A domain of your own in front of the API.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub custom_domain: Option<CustomDomain>,
    /// Whether the API answers at its custom domain only.
    pub disable_execute_api_endpoint: bool,
    /// The role with which API Gateway writes the logs of all REST and WebSocket APIs of the account and region.
    #[serde(skip_serializing)]
    pub cloud_watch_role: CloudWatchRole,
    /// Tags on the API.
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
}

impl Default for WebSocketApi {
    fn default() -> Self {
        Self {
            name: None,
            description: None,
            route_selection_expression: "$request.body.action".to_owned(),
            authorizers: BTreeMap::new(),
            routes: BTreeMap::new(),
            stages: BTreeMap::from([("prod".to_owned(), Stage::default())]),
            custom_domain: None,
            disable_execute_api_endpoint: false,
            cloud_watch_role: CloudWatchRole::default(),
            tags: BTreeMap::new(),
        }
    }
}

impl WebSocketApi {
    /// Adds an authorizer under the name that `$connect` uses.
    pub fn authorizer(mut self, name: impl Into<String>, authorizer: impl Into<ConnectionAuthorizer>) -> Self {
        self.authorizers.insert(name.into(), authorizer.into());
        self
    }

    /// Adds a route under its key.
    pub fn route(mut self, key: impl Into<String>, route: MessageRoute) -> Self {
        self.routes.insert(key.into(), route);
        self
    }

    /// Adds a stage, or changes `prod`.
    pub fn stage(mut self, name: impl Into<String>, stage: Stage) -> Self {
        self.stages.insert(name.into(), stage);
        self
    }

    /// Whether a stage writes logs.
    pub(crate) fn logs(&self) -> bool {
        self.stages.values().any(|stage| stage.access_logs.enabled)
    }

    /// The stage that is meant where none is named: the only one.
    pub fn only_stage(&self) -> Option<&str> {
        let mut names = self.stages.keys();
        names.next().filter(|_| names.next().is_none()).map(String::as_str)
    }

    /// The stage that the custom domain leads to.
    pub fn domain_stage(&self) -> Option<&str> {
        self.custom_domain.as_ref()?.stage.as_deref().or_else(|| self.only_stage())
    }

    /// The logical id of the integration that a route invokes.
    pub fn integration(&self, id: &str, route: &MessageRoute) -> String {
        ids::integration(id, &ids::pointed(route.function.target()), PayloadFormat::V2, route.timeout_in_millis)
    }

    /// The logical id of the permission that lets the API invoke a route's function.
    pub fn permission(&self, id: &str, route: &MessageRoute) -> String {
        ids::permission(id, &ids::pointed(route.function.target()))
    }

    fn decided(&self, id: &str) -> Vec<Derived> {
        let asked = self.authorizers.iter().filter(|(_, authorizer)| authorizer.function().is_some());
        let derived = asked.flat_map(|(name, _)| {
            [Derived::authorizer(ids::authorizer(id, name)), Derived::permission(ids::authorizer_permission(id, name))]
        });
        derived.collect()
    }

    fn routed(&self, id: &str) -> BTreeSet<Derived> {
        let integrations = self.routes.values().map(|route| Derived::integration(self.integration(id, route)));
        let permissions = self.routes.values().map(|route| Derived::permission(self.permission(id, route)));
        let routes = self.routes.keys().map(|key| Derived::route(ids::message_route(id, key)));
        let answered = self.routes.iter().filter(|(_, route)| route.two_way);
        let responses = answered.map(|(key, _)| Derived::route_response(ids::route_response(id, key)));
        integrations.chain(permissions).chain(routes).chain(responses).collect()
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

impl crate::model::value::Api for WebSocketApi {}

impl Resource for WebSocketApi {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Api";
    const NAME: &'static str = "WebSocket API";
    const ATTRIBUTES: &'static [&'static str] = &["ApiEndpoint", "ApiId"];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.web_socket_apis
    }

    fn derived(&self, id: &str) -> Vec<Derived> {
        let domain = self.custom_domain.iter().flat_map(|_| Derived::api_domain(id));
        self.decided(id).into_iter().chain(self.routed(id)).chain(self.staged(id)).chain(domain).collect()
    }
}

/// Who decides whether a client may connect.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Validate)]
#[garde(context(Declared))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ConnectionAuthorizer {
    /// A function, by what the request for the connection holds.
    Request(#[garde(dive)] RequestAuthorizer),
    /// IAM, by the signature of an AWS key.
    Iam(#[garde(dive)] IamAuthorizer),
    /// An authorizer of another kind of API. It is read so that the checks can say what to write instead.
    #[doc(hidden)]
    #[serde(rename = "jwt", alias = "token", alias = "lambda", alias = "cognito")]
    #[schemars(skip)]
    Foreign(#[garde(skip)] Json),
}

impl ConnectionAuthorizer {
    /// The function that decides, if one does.
    pub fn function(&self) -> Option<&Ref<Function>> {
        match self {
            Self::Request(request) => Some(&request.function),
            Self::Iam(_) | Self::Foreign(_) => None,
        }
    }
}

impl From<RequestAuthorizer> for ConnectionAuthorizer {
    fn from(authorizer: RequestAuthorizer) -> Self {
        Self::Request(authorizer)
    }
}

impl From<IamAuthorizer> for ConnectionAuthorizer {
    fn from(authorizer: IamAuthorizer) -> Self {
        Self::Iam(authorizer)
    }
}

/// Lets clients connect that a function takes.
///
/// The function receives the headers and the query of the request, and answers with an IAM policy; it is asked for each
/// connection. A request that lacks one of the identity sources is refused without asking. Synthesis derives
/// `AuthorizerUri` and the permission to invoke the function for this authorizer alone.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
#[schemars(rename = "ConnectionRequestAuthorizer")]
pub struct RequestAuthorizer {
    /// The name shown in the console; the one that `$connect` uses when absent.
    #[serde(default)]
    #[garde(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// The function that decides.
    #[setters(skip)]
    #[garde(dive)]
    pub function: Ref<Function>,
    /// What the request must hold: `route.request.header.X`, `route.request.querystring.x`, `context.x` or
    /// `stageVariables.x`. Browsers cannot send headers of their own with a WebSocket.
    #[serde(default)]
    pub identity_sources: Vec<String>,
}

impl RequestAuthorizer {
    /// Asks a function about requests that hold all of the identity sources.
    pub fn new<S: Into<String>>(
        function: impl Into<Ref<Function>>,
        identity_sources: impl IntoIterator<Item = S>,
    ) -> Self {
        let identity_sources = identity_sources.into_iter().map(Into::into).collect();
        Self { name: None, function: function.into(), identity_sources }
    }
}

/// What takes a message, or is told of a connection.
///
/// `$connect` names its `authorizer` or says `public: true`; whoever is connected may send messages to every other route.
/// Synthesis derives the route, with its integration, its route response, and the stage's `RouteSettings` from `throttle`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct MessageRoute {
    /// The function that takes it.
    #[setters(skip)]
    #[garde(dive)]
    pub function: Ref<Function>,
    /// The authorizer of the API that decides who may connect; on `$connect` only.
    #[serde(default)]
    pub authorizer: Option<String>,
    /// Whether anyone may connect; on `$connect` only.
    #[serde(default)]
    #[setters(bool)]
    pub public: bool,
    /// Whether the body that the function answers goes back to the client.
    #[serde(default)]
    #[setters(bool)]
    pub two_way: bool,
    /// How many messages the route takes, instead of the stage's own limit.
    #[serde(default)]
    #[garde(dive)]
    pub throttle: Option<Throttle>,
    /// Milliseconds after which the gateway gives up on the function; 29,000 when absent.
    #[serde(default)]
    #[setters(into = false)]
    #[garde(range(min = 50, max = 29_000))]
    pub timeout_in_millis: Option<u32>,
    /// A name for the operation.
    #[serde(default)]
    #[garde(length(max = 64))]
    pub operation_name: Option<String>,
}

impl MessageRoute {
    /// A route to a function; on `$connect`, `authorizer` or `public` must follow.
    pub fn new(function: impl Into<Ref<Function>>) -> Self {
        Self {
            function: function.into(),
            authorizer: None,
            public: false,
            two_way: false,
            throttle: None,
            timeout_in_millis: None,
            operation_name: None,
        }
    }
}
