//! What a REST API's gateway itself answers.

use std::collections::BTreeMap;
use std::fmt;

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Declared, Value};

/// An answer of the gateway itself, such as a refusal; serialized as the properties of `AWS::ApiGateway::GatewayResponse`.
///
/// Where the API has `cors`, synthesis adds the headers that let the page read the answer.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct GatewayResponse {
    /// The status code, instead of the usual one.
    #[serde(serialize_with = "status")]
    #[setters(into = false)]
    #[garde(range(min = 200, max = 599))]
    pub status_code: Option<u16>,
    /// Headers, as API Gateway has them: `gatewayresponse.header.X` is `'a text'`, in single quotes, or
    /// `method.request.header.Y`.
    #[garde(dive)]
    pub response_parameters: BTreeMap<String, Value>,
    /// Bodies by content type, with `$context` variables.
    pub response_templates: BTreeMap<String, String>,
}

impl GatewayResponse {
    /// Adds a header with a fixed value.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.response_parameters.insert(format!("gatewayresponse.header.{name}"), format!("'{value}'").into());
        self
    }

    /// Sets the body for a content type.
    pub fn template(mut self, content_type: impl Into<String>, body: impl Into<String>) -> Self {
        self.response_templates.insert(content_type.into(), body.into());
        self
    }
}

/// CloudFormation takes the status code as a text.
fn status<S: serde::Serializer>(code: &Option<u16>, serializer: S) -> Result<S::Ok, S::Error> {
    code.map(|code| code.to_string()).serialize(serializer)
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.written())
    }
}

/// Complaints name it as a stack file does.
impl garde::error::PathComponentKind for ResponseType {
    fn component_kind() -> garde::error::Kind {
        String::component_kind()
    }
}

macro_rules! response_types {
    ($($(#[doc = $doc:literal])* $name:ident = $written:literal,)*) => {
        /// The kinds of answers that the gateway itself gives.
        ///
        /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
        pub enum ResponseType {
            $($(#[doc = $doc])* #[serde(rename = $written)] $name,)*
        }

        impl ResponseType {
            /// Its name in logical ids.
            pub(crate) fn words(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Its name in API Gateway.
            pub fn written(self) -> &'static str {
                match self {
                    $(Self::$name => $written,)*
                }
            }
        }
    };
}

response_types! {
    /// The authorizer denied the request: 403.
    AccessDenied = "ACCESS_DENIED",
    /// The API is not configured rightly: 500.
    ApiConfigurationError = "API_CONFIGURATION_ERROR",
    /// The authorizer's answer cannot be understood: 500.
    AuthorizerConfigurationError = "AUTHORIZER_CONFIGURATION_ERROR",
    /// The authorizer failed: 500.
    AuthorizerFailure = "AUTHORIZER_FAILURE",
    /// The body does not fit its model: 400.
    BadRequestBody = "BAD_REQUEST_BODY",
    /// A parameter is missing: 400.
    BadRequestParameters = "BAD_REQUEST_PARAMETERS",
    /// Any refusal that has no answer of its own.
    Default4xx = "DEFAULT_4XX",
    /// Any failure that has no answer of its own.
    Default5xx = "DEFAULT_5XX",
    /// The signature has expired: 403.
    ExpiredToken = "EXPIRED_TOKEN",
    /// What is behind the API failed: 504.
    IntegrationFailure = "INTEGRATION_FAILURE",
    /// What is behind the API took too long: 504.
    IntegrationTimeout = "INTEGRATION_TIMEOUT",
    /// The API key is wrong: 403.
    InvalidApiKey = "INVALID_API_KEY",
    /// The signature is wrong: 403.
    InvalidSignature = "INVALID_SIGNATURE",
    /// There is no such route, or no signature: 403.
    MissingAuthenticationToken = "MISSING_AUTHENTICATION_TOKEN",
    /// The quota of the usage plan is used up: 429.
    QuotaExceeded = "QUOTA_EXCEEDED",
    /// The request is too large: 413.
    RequestTooLarge = "REQUEST_TOO_LARGE",
    /// There is no such resource: 404.
    ResourceNotFound = "RESOURCE_NOT_FOUND",
    /// Too many requests: 429.
    Throttled = "THROTTLED",
    /// The request carries no token, or one that the authorizer does not take: 401.
    Unauthorized = "UNAUTHORIZED",
    /// The content type is not supported: 415.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
    /// The web application firewall refused the request: 403.
    WafFiltered = "WAF_FILTERED",
}
