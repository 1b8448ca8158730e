//! What the gateway answers by itself, and how an API words it anew.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::call::Call;
use super::mapping::{self, Place};
use super::{Notes, context};
use crate::apigateway::GatewayResponse;
use crate::gateway::answer::{Answer, json_headers};

/// The types of gateway responses, each with the status that it has unless the API says otherwise.
const TYPES: [(&str, Option<u16>); 21] = [
    ("ACCESS_DENIED", Some(403)),
    ("API_CONFIGURATION_ERROR", Some(500)),
    ("AUTHORIZER_CONFIGURATION_ERROR", Some(500)),
    ("AUTHORIZER_FAILURE", Some(500)),
    ("BAD_REQUEST_BODY", Some(400)),
    ("BAD_REQUEST_PARAMETERS", Some(400)),
    ("DEFAULT_4XX", None),
    ("DEFAULT_5XX", None),
    ("EXPIRED_TOKEN", Some(403)),
    ("INTEGRATION_FAILURE", Some(504)),
    ("INTEGRATION_TIMEOUT", Some(504)),
    ("INVALID_API_KEY", Some(403)),
    ("INVALID_SIGNATURE", Some(403)),
    ("MISSING_AUTHENTICATION_TOKEN", Some(403)),
    ("QUOTA_EXCEEDED", Some(429)),
    ("REQUEST_TOO_LARGE", Some(413)),
    ("RESOURCE_NOT_FOUND", Some(404)),
    ("THROTTLED", Some(429)),
    ("UNAUTHORIZED", Some(401)),
    ("UNSUPPORTED_MEDIA_TYPE", Some(415)),
    ("WAF_FILTERED", Some(403)),
];

/// What a response says that an API does not word itself.
pub(crate) const DEFAULT_TEMPLATE: &str = "{\"message\":$context.error.messageString}";

/// The types of gateway responses.
pub(crate) fn types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(name, _)| *name)
}

/// The status of a type of gateway response; the two defaults have none of their own.
pub(crate) fn default_status(name: &str) -> Option<Option<u16>> {
    TYPES.iter().find(|(own, _)| *own == name).map(|(_, status)| *status)
}

/// Why the gateway answers by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such API, or no such stage.
    NoStage,
    /// No method takes the request, or one that asks for a signature gets none.
    MissingAuthenticationToken,
    /// There is a signature, or what looks like one, that does not count: the error's name and its words.
    Signature(&'static str, String),
    /// The identity that an authorizer needs is missing or wrong: the words.
    Unauthorized(&'static str),
    /// A policy does not let the caller in: the words.
    AccessDenied(String),
    /// An authorizer gives no answer that can be understood.
    AuthorizerBroken,
    /// No key, or one that does not open the stage.
    InvalidApiKey,
    /// A limit of the stage or of a usage plan.
    Throttled,
    /// The quota of a usage plan.
    QuotaExceeded,
    /// These parameters are missing.
    BadParameters(Vec<String>),
    /// The body is not as its model has it: what is wrong.
    BadBody(String),
    /// The path would lead out of what the integration offers.
    Astray,
    /// The integration takes no body of this media type.
    UnsupportedMediaType,
    /// The request line and headers are over 10,240 bytes.
    HeadTooLarge,
    /// The body is over 10 MB, which no gateway response words anew.
    BodyTooLarge,
    /// The event is larger than functions take.
    EventTooLarge,
    /// The API is not configured so that it can work.
    Configuration,
    /// The integration's answer is not of the form.
    Malformed,
    /// The integration's endpoint cannot be reached.
    IntegrationFailure,
    /// The integration takes too long.
    IntegrationTimeout,
}

/// How a refusal is worded unless the API says otherwise.
struct Wording {
    /// Its type of gateway response; empty where only a default can word it anew.
    kind: &'static str,
    status: u16,
    error: &'static str,
    message: Option<String>,
    /// What stands before the message in the body, quirks included.
    before: &'static str,
}

impl Wording {
    fn new(kind: &'static str, status: u16, error: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status, error, message: Some(message.into()), before: "{\"message\":" }
    }

    /// What comes from behind the gateway has a space after the colon.
    fn from_behind(kind: &'static str, status: u16, error: &'static str, message: &str) -> Self {
        Self { before: "{\"message\": ", ..Self::new(kind, status, error, message) }
    }

    fn message_string(&self) -> String {
        self.message.as_ref().map_or_else(|| "null".to_owned(), |message| Value::from(message.as_str()).to_string())
    }
}

impl Refusal {
    fn wording(&self) -> Wording {
        let internal = "InternalServerErrorException";
        match self {
            Self::NoStage => Wording::new("", 403, "ForbiddenException", "Forbidden"),
            Self::MissingAuthenticationToken => Wording::new(
                "MISSING_AUTHENTICATION_TOKEN",
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ),
            Self::Signature(error, message) => Wording::new("INVALID_SIGNATURE", 403, error, message.as_str()),
            Self::Unauthorized(message) => Wording::new("UNAUTHORIZED", 401, "UnauthorizedException", *message),
            Self::AccessDenied(message) => Wording {
                before: "{\"Message\":",
                ..Wording::new("ACCESS_DENIED", 403, "AccessDeniedException", message.as_str())
            },
            Self::AuthorizerBroken => Wording {
                message: None,
                ..Wording::new("AUTHORIZER_CONFIGURATION_ERROR", 500, "AuthorizerConfigurationException", "")
            },
            Self::InvalidApiKey => Wording::new("INVALID_API_KEY", 403, "ForbiddenException", "Forbidden"),
            Self::Throttled => Wording::new("THROTTLED", 429, "TooManyRequestsException", "Too Many Requests"),
            Self::QuotaExceeded => Wording::new("QUOTA_EXCEEDED", 429, "LimitExceededException", "Limit Exceeded"),
            Self::BadParameters(names) => {
                let message = format!("Missing required request parameters: [{}]", names.join(", "));
                Wording::new("BAD_REQUEST_PARAMETERS", 400, "BadRequestException", message)
            }
            Self::BadBody(_) => Wording::new("BAD_REQUEST_BODY", 400, "BadRequestException", "Invalid request body"),
            Self::Astray => Wording::new("", 400, "BadRequestException", "Bad Request"),
            Self::UnsupportedMediaType => {
                Wording::new("UNSUPPORTED_MEDIA_TYPE", 415, "UnsupportedMediaTypeException", "Unsupported Media Type")
            }
            Self::HeadTooLarge => {
                Wording::new("", 431, "RequestHeaderFieldsTooLarge", "Request Header Fields Too Large")
            }
            Self::BodyTooLarge | Self::EventTooLarge => {
                Wording::from_behind("REQUEST_TOO_LARGE", 413, "BadRequestException", "Request Too Long")
            }
            Self::Configuration => {
                Wording::from_behind("API_CONFIGURATION_ERROR", 500, internal, "Internal server error")
            }
            Self::Malformed => Wording::from_behind("", 502, internal, "Internal server error"),
            Self::IntegrationFailure => {
                Wording::from_behind("INTEGRATION_FAILURE", 504, internal, "Network error communicating with endpoint")
            }
            Self::IntegrationTimeout => {
                Wording::from_behind("INTEGRATION_TIMEOUT", 504, internal, "Endpoint request timed out")
            }
        }
    }

    /// `$context.error`, for templates and access logs.
    pub(super) fn context(&self) -> Value {
        let wording = self.wording();
        let validation = match self {
            Self::BadBody(reason) => reason.as_str(),
            _ => "",
        };
        json!({
            "message": wording.message,
            "messageString": wording.message_string(),
            "responseType": wording.response_type(),
            "validationErrorString": validation,
        })
    }

    /// The answer to the client, as the API words it.
    pub(super) fn answer(&self, call: &Call, notes: &Notes) -> Answer {
        if *self == Self::BodyTooLarge {
            return too_large();
        }
        let wording = self.wording();
        let mut context = context::of(call, notes);
        context["error"] = self.context();
        let place = Place { call, context: &context, input: &call.request.body };
        let own = wording.own(call);
        let (kind, body) = own.and_then(|own| templated(own, &place)).unwrap_or_else(|| {
            ("application/json".to_owned(), format!("{}{}}}", wording.before, wording.message_string()))
        });
        let mut headers = json_headers();
        if let Ok(kind) = HeaderValue::from_str(&kind) {
            headers.insert(CONTENT_TYPE, kind);
        }
        headers.insert("x-amzn-errortype", HeaderValue::from_static(wording.error));
        if let Some(own) = own {
            add_headers(&mut headers, own, &place);
        }
        let status = own.and_then(|own| own.status_code.as_ref()?.parse().ok()).unwrap_or(wording.status);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer { status, headers, body: body.into() }
    }
}

impl Wording {
    fn default_type(&self) -> &'static str {
        if self.status < 500 { "DEFAULT_4XX" } else { "DEFAULT_5XX" }
    }

    fn response_type(&self) -> &'static str {
        if self.kind.is_empty() { self.default_type() } else { self.kind }
    }

    /// The response that the API has for it: its own, else the default of its class.
    fn own<'a>(&self, call: &'a Call) -> Option<&'a GatewayResponse> {
        let responses = &call.bound.gateway_responses;
        responses.get(self.kind).or_else(|| responses.get(self.default_type()))
    }
}

/// The media type and the body that an API has for a refusal: of the type that the client accepts, else JSON, else any.
fn templated(own: &GatewayResponse, place: &Place<'_>) -> Option<(String, String)> {
    let accepted = place.call.header("accept").unwrap_or_default();
    let accepted = accepted.split([',', ';']).next().unwrap_or_default().trim();
    let templates = &own.response_templates;
    let found = templates.get_key_value(accepted).or_else(|| templates.get_key_value("application/json"));
    let (kind, template) = found.or_else(|| templates.first_key_value())?;
    Some((kind.clone(), mapping::render(template, place)))
}

fn add_headers(headers: &mut HeaderMap, own: &GatewayResponse, place: &Place<'_>) {
    for (name, expression) in &own.response_parameters {
        let name = name.strip_prefix("gatewayresponse.header.").and_then(|name| HeaderName::try_from(name).ok());
        let value = mapping::parameter(expression, place).and_then(|value| HeaderValue::from_str(&value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
}

/// The one refusal that comes from before the API.
fn too_large() -> Answer {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
    let body = Bytes::from_static(b"HTTP content length exceeded 10485760 bytes.");
    Answer { status: StatusCode::PAYLOAD_TOO_LARGE, headers, body }
}
