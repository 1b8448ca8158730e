//! What answers a request to a REST API.

use std::collections::BTreeMap;

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Throttle;
use crate::model::lambda::Function;
use crate::model::{Declared, Json, Ref, Value};

/// What answers a request.
///
/// The answer comes from one of `function`, `http` and `mock`. A route names its `authorizer` or says `public: true`.
/// Synthesis derives the method with its integration and its request validator, and the stage's `MethodSettings` from
/// `throttle` and `cache`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
#[schemars(rename = "RestRoute")]
pub struct Route {
    /// The function that answers.
    #[setters(skip)]
    #[garde(dive)]
    pub function: Option<Ref<Function>>,
    /// The server that answers.
    #[setters(skip)]
    #[garde(dive)]
    pub http: Option<HttpProxy>,
    /// A fixed answer of the gateway itself.
    #[setters(skip)]
    #[garde(dive)]
    pub mock: Option<Mock>,
    /// The authorizer of the API that decides who may call the route.
    pub authorizer: Option<String>,
    /// Whether anyone may call the route; then it has no authorizer.
    #[setters(bool)]
    pub public: bool,
    /// Scopes of which the caller's access token must hold one; for Cognito authorizers.
    #[schemars(length(max = 10))]
    pub scopes: Vec<String>,
    /// Whether the caller needs an API key of a usage plan. It tells callers apart; it does not prove who they are.
    #[setters(bool)]
    pub api_key_required: bool,
    /// Parameters that functions and caches know of, and whether a request without one is refused:
    /// `method.request.querystring.userId: true`.
    pub request_parameters: BTreeMap<String, bool>,
    /// Names of the API's `models` by content type; a body that does not fit is refused.
    pub request_models: BTreeMap<String, String>,
    /// How many requests the route takes, instead of the stage's own limit.
    #[garde(dive)]
    pub throttle: Option<Throttle>,
    /// Whether and how answers are kept, on stages that have a `cache`; they are not when absent. Of an `ANY` route, those
    /// to `GET` and `HEAD` are kept.
    #[garde(dive)]
    pub cache: Option<RouteCache>,
    /// Milliseconds after which the gateway gives up; 29,000 when absent.
    #[setters(into = false)]
    #[garde(range(min = 50, max = 29_000))]
    pub timeout_in_millis: Option<u32>,
    /// A name for the operation.
    #[garde(length(max = 64))]
    pub operation_name: Option<String>,
}

/// Where the answer of a route comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Backend<'a> {
    /// A function.
    Function(&'a Ref<Function>),
    /// A server.
    Http(&'a HttpProxy),
    /// The gateway itself.
    Mock(&'a Mock),
}

/// What of a request is looked at before it is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Validates {
    /// Its body.
    Body,
    /// Its parameters.
    Parameters,
    /// Both.
    BodyAndParameters,
}

impl Route {
    /// A route to a function; `authorizer` or `public` must follow.
    pub fn new(function: impl Into<Ref<Function>>) -> Self {
        Self { function: Some(function.into()), ..Self::default() }
    }

    /// A route to a server; `authorizer` or `public` must follow.
    pub fn http(proxy: HttpProxy) -> Self {
        Self { http: Some(proxy), ..Self::default() }
    }

    /// A route with a fixed answer; `authorizer` or `public` must follow.
    pub fn mock(mock: Mock) -> Self {
        Self { mock: Some(mock), ..Self::default() }
    }

    /// Makes the gateway know a parameter, such as `method.request.querystring.userId`, and refuse requests without it.
    pub fn requires(mut self, parameter: impl Into<String>) -> Self {
        self.request_parameters.insert(parameter.into(), true);
        self
    }

    /// Refuses bodies of a content type that do not fit a model of the API.
    pub fn accepts(mut self, content_type: impl Into<String>, model: impl Into<String>) -> Self {
        self.request_models.insert(content_type.into(), model.into());
        self
    }

    /// Where the answer comes from; `None` unless exactly one source is given, which the checks see to.
    pub fn backend(&self) -> Option<Backend<'_>> {
        match (&self.function, &self.http, &self.mock) {
            (Some(function), None, None) => Some(Backend::Function(function)),
            (None, Some(http), None) => Some(Backend::Http(http)),
            (None, None, Some(mock)) => Some(Backend::Mock(mock)),
            _ => None,
        }
    }

    /// What of a request is looked at before it is passed on; `None` where nothing is.
    pub fn validates(&self) -> Option<Validates> {
        match (!self.request_models.is_empty(), self.request_parameters.values().any(|required| *required)) {
            (true, true) => Some(Validates::BodyAndParameters),
            (true, false) => Some(Validates::Body),
            (false, true) => Some(Validates::Parameters),
            (false, false) => None,
        }
    }
}

/// A server that answers; path parameters of the route may stand in the URL.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct HttpProxy {
    /// The server's URL: `https://example.com/{proxy}`.
    #[garde(dive)]
    pub url: Value,
    /// The method that it is called with; the route's own when absent.
    #[serde(default)]
    pub method: Option<String>,
}

impl HttpProxy {
    /// Passes requests to a URL.
    pub fn new(url: impl Into<Value>) -> Self {
        Self { url: url.into(), method: None }
    }
}

/// A fixed answer of the gateway itself.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct Mock {
    /// The status code.
    #[setters(into = false)]
    #[garde(range(min = 200, max = 599))]
    pub status: u16,
    /// Headers.
    #[garde(dive)]
    pub headers: BTreeMap<String, Value>,
    /// The body: a template of API Gateway, in which `$` and `#` have a meaning and all else stands for itself.
    pub body: Option<String>,
    /// What the body is.
    pub content_type: String,
}

impl Default for Mock {
    fn default() -> Self {
        Self { status: 200, headers: BTreeMap::new(), body: None, content_type: "application/json".to_owned() }
    }
}

impl Mock {
    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}

/// How the answers of a route are kept.
///
/// Answers are told apart by the route's path parameters, by what its authorizer looks at, so that nobody is shown an
/// answer that was given to somebody else, and by `keyParameters`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct RouteCache {
    /// Seconds for which an answer is kept, instead of the stage's own time.
    #[setters(into = false)]
    #[garde(range(max = 3_600))]
    pub ttl_in_seconds: Option<u32>,
    /// Parameters that answers depend on as well: `method.request.querystring.page`.
    pub key_parameters: Vec<String>,
}

/// The shape of a body; serialized as the properties of `AWS::ApiGateway::Model`.
///
/// Synthesis adds `RestApiId` and `Name`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
#[schemars(rename = "RestModel")]
pub struct Model {
    /// What the model is for.
    #[serde(default)]
    #[garde(length(max = 1_024))]
    pub description: Option<String>,
    /// The content type of the bodies.
    #[serde(default = "json")]
    #[garde(length(min = 1))]
    pub content_type: String,
    /// A JSON Schema, draft 4.
    #[serde(skip_serializing)]
    pub schema: Json,
}

impl Model {
    /// The shape of JSON bodies, as a JSON Schema of draft 4.
    pub fn new(schema: Json) -> Self {
        Self { description: None, content_type: json(), schema }
    }
}

fn json() -> String {
    "application/json".to_owned()
}
