//! Who decides about a request to a REST API.

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::IamAuthorizer;
use crate::model::cognito::UserPool;
use crate::model::lambda::Function;
use crate::model::{Arn, Declared, Ref};

/// Who decides about a request.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Validate)]
#[garde(context(Declared))]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RestAuthorizer")]
#[non_exhaustive]
pub enum Authorizer {
    /// A function, by a token that the request carries in one header.
    Token(#[garde(dive)] TokenAuthorizer),
    /// A function, by whatever the request holds.
    Request(#[garde(dive)] RequestAuthorizer),
    /// The gateway, by a token of a user pool.
    Cognito(#[garde(dive)] CognitoAuthorizer),
    /// IAM, by the signature of an AWS key.
    Iam(#[garde(dive)] IamAuthorizer),
}

impl Authorizer {
    /// The function that decides, if one does.
    pub fn function(&self) -> Option<&Ref<Function>> {
        match self {
            Self::Token(token) => Some(&token.function),
            Self::Request(request) => Some(&request.function),
            Self::Cognito(_) | Self::Iam(_) => None,
        }
    }

    /// Whether API Gateway has a resource for it; signatures need none.
    pub fn is_resource(&self) -> bool {
        !matches!(self, Self::Iam(_))
    }

    /// What of a request it looks at, as `method.request.header.Authorization`.
    pub fn identity_sources(&self) -> Vec<&str> {
        match self {
            Self::Token(token) => vec![&token.identity_source],
            Self::Request(request) => request.identity_sources.iter().map(String::as_str).collect(),
            Self::Cognito(cognito) => vec![&cognito.identity_source],
            Self::Iam(_) => Vec::new(),
        }
    }

    /// The headers that a web page must be allowed to send for it.
    pub fn headers(&self) -> Vec<&str> {
        match self {
            Self::Iam(_) => IamAuthorizer::HEADERS.to_vec(),
            _ => {
                self.identity_sources().into_iter().filter_map(|it| it.strip_prefix("method.request.header.")).collect()
            }
        }
    }
}

macro_rules! kinds {
    ($($kind:ident($authorizer:ident),)*) => {
        $(
            impl From<$authorizer> for Authorizer {
                fn from(authorizer: $authorizer) -> Self {
                    Self::$kind(authorizer)
                }
            }
        )*
    };
}

kinds! {
    Token(TokenAuthorizer),
    Request(RequestAuthorizer),
    Cognito(CognitoAuthorizer),
    Iam(IamAuthorizer),
}

/// Lets requests pass whose token a function takes.
///
/// The function receives the token alone, and answers with an IAM policy.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct TokenAuthorizer {
    /// The name shown in the console; the one that routes use when absent.
    #[serde(default)]
    #[garde(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// The function that decides.
    #[setters(skip)]
    #[garde(dive)]
    pub function: Ref<Function>,
    /// The header with the token: `method.request.header.Authorization`.
    #[serde(default = "authorization")]
    pub identity_source: String,
    /// A regular expression that the token must match before the function is asked.
    #[serde(default)]
    #[garde(length(min = 1))]
    pub identity_validation_expression: Option<String>,
    /// Seconds for which an answer holds for the same token; 0 asks each time.
    ///
    /// The answer holds for every route of the API: the function's policy must cover more than the route that was asked for.
    #[serde(default = "five_minutes")]
    #[setters(into = false)]
    #[schemars(range(max = 3_600))]
    pub authorizer_result_ttl_in_seconds: u32,
}

impl TokenAuthorizer {
    /// Asks a function about the token in the header `Authorization`.
    pub fn new(function: impl Into<Ref<Function>>) -> Self {
        Self {
            name: None,
            function: function.into(),
            identity_source: authorization(),
            identity_validation_expression: None,
            authorizer_result_ttl_in_seconds: five_minutes(),
        }
    }
}

/// Lets requests pass that a function takes.
///
/// The function receives the whole request without its body, and answers with an IAM policy. A request that lacks one of
/// the identity sources is refused without asking.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct RequestAuthorizer {
    /// The name shown in the console; the one that routes use when absent.
    #[serde(default)]
    #[garde(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// The function that decides.
    #[setters(skip)]
    #[garde(dive)]
    pub function: Ref<Function>,
    /// What a request must hold: `method.request.header.X`, `method.request.querystring.x`, `stageVariables.x` or
    /// `context.identity.sourceIp`.
    #[serde(default)]
    pub identity_sources: Vec<String>,
    /// Seconds for which an answer holds for the same values of the identity sources; 300 when absent, 0 where there is
    /// no identity source.
    #[serde(default)]
    #[setters(into = false)]
    #[schemars(range(max = 3_600))]
    pub authorizer_result_ttl_in_seconds: Option<u32>,
}

impl RequestAuthorizer {
    /// Asks a function about requests that hold all of the identity sources.
    pub fn new<S: Into<String>>(
        function: impl Into<Ref<Function>>,
        identity_sources: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            name: None,
            function: function.into(),
            identity_sources: identity_sources.into_iter().map(Into::into).collect(),
            authorizer_result_ttl_in_seconds: None,
        }
    }

    /// Seconds for which an answer holds.
    pub fn lifetime(&self) -> u32 {
        let usual = if self.identity_sources.is_empty() { 0 } else { five_minutes() };
        self.authorizer_result_ttl_in_seconds.unwrap_or(usual)
    }
}

/// Lets requests pass that carry a token of a user pool.
///
/// It is an ID token on routes without `scopes`, an access token with one of them on routes with `scopes`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct CognitoAuthorizer {
    /// The name shown in the console; the one that routes use when absent.
    #[serde(default)]
    #[garde(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// The pools whose tokens are trusted.
    #[setters(skip)]
    #[garde(length(min = 1, max = 1_000), dive)]
    pub user_pools: Vec<Arn<UserPool>>,
    /// The header with the token: `method.request.header.Authorization`.
    #[serde(default = "authorization")]
    pub identity_source: String,
    /// A regular expression that the token's `aud` must match.
    #[serde(default)]
    #[garde(length(min = 1))]
    pub identity_validation_expression: Option<String>,
    /// Seconds for which a verified token is taken without being verified again.
    #[serde(default = "five_minutes")]
    #[setters(into = false)]
    #[schemars(range(max = 3_600))]
    pub authorizer_result_ttl_in_seconds: u32,
}

impl CognitoAuthorizer {
    /// Trusts the tokens of the pools, in the header `Authorization`.
    pub fn new<P: Into<Arn<UserPool>>>(user_pools: impl IntoIterator<Item = P>) -> Self {
        Self {
            name: None,
            user_pools: user_pools.into_iter().map(Into::into).collect(),
            identity_source: authorization(),
            identity_validation_expression: None,
            authorizer_result_ttl_in_seconds: five_minutes(),
        }
    }
}

fn authorization() -> String {
    "method.request.header.Authorization".to_owned()
}

fn five_minutes() -> u32 {
    300
}
