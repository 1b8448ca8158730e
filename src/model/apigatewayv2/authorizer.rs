//! Who decides about a request to an HTTP API.

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::PayloadFormat;
use crate::model::cognito::{UserPool, UserPoolClient};
use crate::model::lambda::Function;
use crate::model::{Declared, Ref, Value};

/// Who decides about a request.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Validate)]
#[garde(context(Declared))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Authorizer {
    /// The gateway, by a signed token.
    Jwt(#[garde(dive)] JwtAuthorizer),
    /// A function, by whatever the request holds.
    Lambda(#[garde(dive)] LambdaAuthorizer),
    /// IAM, by the signature of an AWS key.
    Iam(#[garde(dive)] IamAuthorizer),
}

impl Authorizer {
    /// The function that decides, if one does.
    pub fn function(&self) -> Option<&Ref<Function>> {
        match self {
            Self::Lambda(lambda) => Some(&lambda.function),
            Self::Jwt(_) | Self::Iam(_) => None,
        }
    }

    /// Whether API Gateway has a resource for it; signatures need none.
    pub fn is_resource(&self) -> bool {
        !matches!(self, Self::Iam(_))
    }

    /// What of a request it looks at, as `$request.header.Authorization`.
    pub fn identity_sources(&self) -> Vec<&str> {
        match self {
            Self::Jwt(jwt) => vec![&jwt.identity_source],
            Self::Lambda(lambda) => lambda.identity_sources.iter().map(String::as_str).collect(),
            Self::Iam(_) => Vec::new(),
        }
    }

    /// The headers that a web page must be allowed to send for it.
    pub fn headers(&self) -> Vec<&str> {
        match self {
            Self::Iam(_) => IamAuthorizer::HEADERS.to_vec(),
            _ => self.identity_sources().into_iter().filter_map(|it| it.strip_prefix("$request.header.")).collect(),
        }
    }
}

impl From<JwtAuthorizer> for Authorizer {
    fn from(authorizer: JwtAuthorizer) -> Self {
        Self::Jwt(authorizer)
    }
}

impl From<LambdaAuthorizer> for Authorizer {
    fn from(authorizer: LambdaAuthorizer) -> Self {
        Self::Lambda(authorizer)
    }
}

impl From<IamAuthorizer> for Authorizer {
    fn from(authorizer: IamAuthorizer) -> Self {
        Self::Iam(authorizer)
    }
}

/// Lets requests pass that carry a token which the issuer signed for the audience.
///
/// It is either `userPool` and `clients`, or `issuer` and `audience`. Synthesis derives `AuthorizerType`, `Name` (the
/// authorizer's own where `name` is absent), `IdentitySource` and `JwtConfiguration`; the issuer of a pool is
/// `https://cognito-idp.<region>.amazonaws.com/<pool>`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct JwtAuthorizer {
    /// The name shown in the console; the one that routes use when absent.
    #[garde(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// The pool that issues the tokens.
    #[garde(dive)]
    pub user_pool: Option<Ref<UserPool>>,
    /// The clients of the pool that tokens may be issued to.
    #[schemars(length(max = 50))]
    #[garde(dive)]
    pub clients: Vec<Ref<UserPoolClient>>,
    /// The issuer, if it is no pool of the project: an https URL.
    #[garde(dive)]
    pub issuer: Option<Value>,
    /// Whom tokens of that issuer must be meant for.
    #[schemars(length(max = 50))]
    #[garde(dive)]
    pub audience: Vec<Value>,
    /// Where a request carries its token.
    pub identity_source: String,
}

impl Default for JwtAuthorizer {
    fn default() -> Self {
        Self {
            name: None,
            user_pool: None,
            clients: Vec::new(),
            issuer: None,
            audience: Vec::new(),
            identity_source: "$request.header.Authorization".to_owned(),
        }
    }
}

impl JwtAuthorizer {
    /// Trusts tokens of a pool that were issued to one of the clients.
    pub fn pool<C: Into<Ref<UserPoolClient>>>(
        user_pool: impl Into<Ref<UserPool>>,
        clients: impl IntoIterator<Item = C>,
    ) -> Self {
        let clients = clients.into_iter().map(Into::into).collect();
        Self { user_pool: Some(user_pool.into()), clients, ..Self::default() }
    }

    /// Trusts tokens of any issuer that are meant for the audience.
    pub fn trusting<A: Into<Value>>(issuer: impl Into<Value>, audience: impl IntoIterator<Item = A>) -> Self {
        let audience = audience.into_iter().map(Into::into).collect();
        Self { issuer: Some(issuer.into()), audience, ..Self::default() }
    }
}

/// Lets requests pass that a function takes.
///
/// The function receives the whole request without its body. A request that lacks one of the identity sources is refused
/// without asking. Synthesis derives `AuthorizerUri` and the permission to invoke the function for this authorizer alone.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct LambdaAuthorizer {
    /// The name shown in the console; the one that routes use when absent.
    #[serde(default)]
    #[garde(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// The function that decides.
    #[setters(skip)]
    #[garde(dive)]
    pub function: Ref<Function>,
    /// What a request must hold: `$request.header.X`, `$request.querystring.x`, `$context.x` or `$stageVariables.x`.
    #[serde(default)]
    pub identity_sources: Vec<String>,
    /// The event that the function receives.
    #[serde(default)]
    pub authorizer_payload_format_version: PayloadFormat,
    /// Whether the function answers `{ "isAuthorized": true }` rather than with an IAM policy; with payload format 2.0.
    #[serde(default)]
    #[setters(bool)]
    pub enable_simple_responses: bool,
    /// Seconds for which an answer holds for the same values of the identity sources; 0 asks each time.
    ///
    /// The answer holds for every route of the API, unless `$context.routeKey` is an identity source.
    #[serde(default)]
    #[setters(into = false)]
    #[schemars(range(max = 3_600))]
    pub authorizer_result_ttl_in_seconds: u32,
}

impl LambdaAuthorizer {
    /// Asks a function about requests that hold all of the identity sources.
    pub fn new<S: Into<String>>(
        function: impl Into<Ref<Function>>,
        identity_sources: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            name: None,
            function: function.into(),
            identity_sources: identity_sources.into_iter().map(Into::into).collect(),
            authorizer_payload_format_version: PayloadFormat::default(),
            enable_simple_responses: false,
            authorizer_result_ttl_in_seconds: 0,
        }
    }
}

/// Lets requests pass that are signed with an AWS key which may call the route: `execute-api:Invoke`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, Validate)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields)]
pub struct IamAuthorizer {}

impl IamAuthorizer {
    /// The headers of a signed request.
    pub(crate) const HEADERS: [&str; 4] =
        ["Authorization", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token"];
}
