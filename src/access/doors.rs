//! The doors of a stack: its routes, of whatever kind of API, and who decides about each of them.

use std::collections::BTreeMap;

use crate::model::apigateway::{self, CognitoAuthorizer, RequestAuthorizer, RestApi, TokenAuthorizer};
use crate::model::apigatewayv2::web_socket_api::CONNECT;
use crate::model::apigatewayv2::{
    self, ConnectionAuthorizer, HttpApi, JwtAuthorizer, LambdaAuthorizer, RequestAuthorizer as ConnectionRequest,
    WebSocketApi,
};
use crate::model::cognito::UserPool;
use crate::model::lambda::Function;
use crate::model::{Complaint, Ref, Stack};

/// A route that somebody may call, or may not: every route of HTTP and REST APIs, and `$connect` of WebSocket APIs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door<'a> {
    /// The section of the API.
    pub(super) section: &'static str,
    /// The API.
    pub(super) api: &'a str,
    /// The route's key.
    pub(super) key: &'a str,
    /// The authorizer that it names.
    pub(super) authorizer: Option<&'a str>,
    /// Whether it says that anyone may call it.
    pub(super) public: bool,
    /// The scopes that it asks for.
    pub(super) scopes: &'a [String],
    /// The one who decides: the authorizer of its API that has the name.
    pub(super) decides: Option<Decider<'a>>,
}

/// An authorizer, under its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard<'a> {
    /// The section of the API.
    pub(super) section: &'static str,
    /// The API.
    pub(super) api: &'a str,
    /// The name that routes use.
    pub(super) name: &'a str,
    /// What it is.
    pub(super) decider: Decider<'a>,
}

/// Who decides about a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decider<'a> {
    /// An HTTP API, by a signed token.
    Jwt(&'a JwtAuthorizer),
    /// A function, for an HTTP API.
    Lambda(&'a LambdaAuthorizer),
    /// A function, for a REST API, by a token.
    Token(&'a TokenAuthorizer),
    /// A function, for a REST API, by the whole request.
    Request(&'a RequestAuthorizer),
    /// A REST API, by a token of a user pool.
    Cognito(&'a CognitoAuthorizer),
    /// A function, for a WebSocket API.
    Connection(&'a ConnectionRequest),
    /// IAM, by a signature.
    Iam,
    /// Nobody: an authorizer of another kind of API.
    Foreign,
}

impl<'a> Door<'a> {
    /// The way to the route in the stack file.
    pub(super) fn path(&self) -> [&'a str; 4] {
        [self.section, self.api, "routes", self.key]
    }

    /// A complaint about the route itself.
    pub(super) fn complaint(&self, message: impl Into<String>, help: impl Into<String>) -> Complaint {
        Complaint::new(&self.path(), message, help).at_key()
    }

    /// A complaint about one of its fields.
    pub(super) fn at(&self, field: &str, message: impl Into<String>, help: impl Into<String>) -> Complaint {
        Complaint::new(&[self.section, self.api, "routes", self.key, field], message, help)
    }
}

impl<'a> Guard<'a> {
    /// A complaint about one of its fields, or about an element of one: `["identitySources", "0"]`.
    pub(super) fn at(&self, field: &[&str], message: impl Into<String>, help: impl Into<String>) -> Complaint {
        let begin = [self.section, self.api, "authorizers", self.name, self.decider.kind()];
        let path: Vec<&str> = begin.into_iter().chain(field.iter().copied()).collect();
        Complaint::new(&path, message, help)
    }

    /// A complaint about the authorizer as a whole.
    pub(super) fn complaint(&self, message: impl Into<String>, help: impl Into<String>) -> Complaint {
        Complaint::new(&[self.section, self.api, "authorizers", self.name], message, help).at_key()
    }
}

impl<'a> Decider<'a> {
    /// The key by which a stack file says what it is.
    fn kind(self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
            Self::Lambda(_) => "lambda",
            Self::Token(_) => "token",
            Self::Request(_) | Self::Connection(_) => "request",
            Self::Cognito(_) => "cognito",
            Self::Iam | Self::Foreign => "iam",
        }
    }

    /// What it is called in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jwt(_) => "a JWT authorizer",
            Self::Lambda(_) => "a Lambda authorizer",
            Self::Token(_) => "a token authorizer",
            Self::Request(_) | Self::Connection(_) => "a request authorizer",
            Self::Cognito(_) => "a Cognito authorizer",
            Self::Iam => "an IAM authorizer",
            Self::Foreign => "an authorizer of another kind of API",
        }
    }

    /// The function that decides, if one does.
    pub(super) fn function(self) -> Option<&'a Ref<Function>> {
        match self {
            Self::Lambda(it) => Some(&it.function),
            Self::Token(it) => Some(&it.function),
            Self::Request(it) => Some(&it.function),
            Self::Connection(it) => Some(&it.function),
            Self::Jwt(_) | Self::Cognito(_) | Self::Iam | Self::Foreign => None,
        }
    }

    /// Seconds for which an answer is kept, where it can be kept at all.
    pub(super) fn lifetime(self) -> Option<u32> {
        match self {
            Self::Lambda(it) => Some(it.authorizer_result_ttl_in_seconds),
            Self::Token(it) => Some(it.authorizer_result_ttl_in_seconds),
            Self::Request(it) => Some(it.lifetime()),
            Self::Cognito(it) => Some(it.authorizer_result_ttl_in_seconds),
            Self::Jwt(_) | Self::Connection(_) | Self::Iam | Self::Foreign => None,
        }
    }

    /// The pools of the stack whose tokens it trusts; nothing where one of them is not of the stack, or none is a pool.
    pub(super) fn pools(self, stack: &'a Stack) -> Option<Vec<(&'a str, &'a UserPool)>> {
        let declared = |id: Option<&str>| {
            let (id, pool) = stack.user_pools.get_key_value(id?)?;
            Some((id.as_str(), pool))
        };
        let pools: Vec<_> = match self {
            Self::Jwt(jwt) => vec![declared(jwt.user_pool.as_ref()?.id())?],
            Self::Cognito(it) => it.user_pools.iter().map(|pool| declared(pool.id())).collect::<Option<_>>()?,
            _ => return None,
        };
        (!pools.is_empty()).then_some(pools)
    }
}

impl<'a> From<&'a apigatewayv2::Authorizer> for Decider<'a> {
    fn from(authorizer: &'a apigatewayv2::Authorizer) -> Self {
        match authorizer {
            apigatewayv2::Authorizer::Jwt(it) => Self::Jwt(it),
            apigatewayv2::Authorizer::Lambda(it) => Self::Lambda(it),
            apigatewayv2::Authorizer::Iam(_) => Self::Iam,
        }
    }
}

impl<'a> From<&'a apigateway::Authorizer> for Decider<'a> {
    fn from(authorizer: &'a apigateway::Authorizer) -> Self {
        match authorizer {
            apigateway::Authorizer::Token(it) => Self::Token(it),
            apigateway::Authorizer::Request(it) => Self::Request(it),
            apigateway::Authorizer::Cognito(it) => Self::Cognito(it),
            apigateway::Authorizer::Iam(_) => Self::Iam,
        }
    }
}

impl<'a> From<&'a ConnectionAuthorizer> for Decider<'a> {
    fn from(authorizer: &'a ConnectionAuthorizer) -> Self {
        match authorizer {
            ConnectionAuthorizer::Request(it) => Self::Connection(it),
            ConnectionAuthorizer::Iam(_) => Self::Iam,
            ConnectionAuthorizer::Foreign(_) => Self::Foreign,
        }
    }
}

/// Every door of a stack.
pub(super) fn doors(stack: &Stack) -> impl Iterator<Item = Door<'_>> {
    let http = stack.http_apis.iter().flat_map(|(id, api)| of_http_api(id, api));
    let rest = stack.rest_apis.iter().flat_map(|(id, api)| of_rest_api(id, api));
    let sockets = stack.web_socket_apis.iter().filter_map(|(id, api)| of_web_socket_api(id, api));
    http.chain(rest).chain(sockets)
}

/// The doors of an HTTP API.
pub(super) fn of_http_api<'a>(id: &'a str, api: &'a HttpApi) -> impl Iterator<Item = Door<'a>> {
    api.routes.iter().map(move |(key, route)| Door {
        section: "httpApis",
        api: id,
        key,
        authorizer: route.authorizer.as_deref(),
        public: route.public,
        scopes: &route.scopes,
        decides: decider(&api.authorizers, route.authorizer.as_ref()),
    })
}

/// The doors of a REST API.
pub(super) fn of_rest_api<'a>(id: &'a str, api: &'a RestApi) -> impl Iterator<Item = Door<'a>> {
    api.routes.iter().map(move |(key, route)| Door {
        section: "restApis",
        api: id,
        key,
        authorizer: route.authorizer.as_deref(),
        public: route.public,
        scopes: &route.scopes,
        decides: decider(&api.authorizers, route.authorizer.as_ref()),
    })
}

fn of_web_socket_api<'a>(id: &'a str, api: &'a WebSocketApi) -> Option<Door<'a>> {
    let (key, route) = api.routes.get_key_value(CONNECT)?;
    Some(Door {
        section: "webSocketApis",
        api: id,
        key,
        authorizer: route.authorizer.as_deref(),
        public: route.public,
        scopes: &[],
        decides: decider(&api.authorizers, route.authorizer.as_ref()),
    })
}

fn decider<'a, T>(authorizers: &'a BTreeMap<String, T>, name: Option<&String>) -> Option<Decider<'a>>
where
    Decider<'a>: From<&'a T>,
{
    Some(authorizers.get(name?)?.into())
}

/// Every authorizer of a stack.
pub(super) fn guards(stack: &Stack) -> impl Iterator<Item = Guard<'_>> {
    let http = stack.http_apis.iter().flat_map(|(id, api)| named("httpApis", id, &api.authorizers));
    let rest = stack.rest_apis.iter().flat_map(|(id, api)| named("restApis", id, &api.authorizers));
    let sockets = stack.web_socket_apis.iter().flat_map(|(id, api)| named("webSocketApis", id, &api.authorizers));
    http.chain(rest).chain(sockets)
}

fn named<'a, T>(
    section: &'static str,
    api: &'a str,
    authorizers: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = Guard<'a>>
where
    Decider<'a>: From<&'a T>,
{
    authorizers.iter().map(move |(name, authorizer)| Guard { section, api, name, decider: authorizer.into() })
}

/// The authorizers of an API, by its section and id.
pub(super) fn authorizers<'a>(stack: &'a Stack, section: &str, api: &str) -> Vec<&'a str> {
    fn names<T>(authorizers: &BTreeMap<String, T>) -> Vec<&str> {
        authorizers.keys().map(String::as_str).collect()
    }
    let found = match section {
        "httpApis" => stack.http_apis.get(api).map(|api| names(&api.authorizers)),
        "restApis" => stack.rest_apis.get(api).map(|api| names(&api.authorizers)),
        _ => stack.web_socket_apis.get(api).map(|api| names(&api.authorizers)),
    };
    found.unwrap_or_default()
}
