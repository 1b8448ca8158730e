//! What the gateway answers by itself.

use axum::body::Body;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::wire::Response;

/// Why the gateway answers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request for a connection lacks an identity source.
    Unauthorized,
    /// No such stage or route, or a caller who may not.
    Forbidden,
    /// Too many requests for the route's limits.
    TooManyRequests,
    /// The request line and headers are over 10,240 bytes.
    HeadersTooLarge,
    /// An authorizer fails, or a function may not be invoked.
    InternalServerError,
    /// A function fails, or answers in a form that is none.
    BadGateway,
    /// A function takes too long.
    TimedOut,
    /// The function behind `$connect` says so.
    Function(StatusCode),
}

/// Whom a refusal is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addressee<'a> {
    pub(super) connection: &'a str,
    pub(super) request: &'a str,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::Function(status) => status,
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::TooManyRequests => "Too Many Requests",
            Self::HeadersTooLarge => "Request Header Fields Too Large",
            Self::InternalServerError | Self::BadGateway => "Internal server error",
            Self::TimedOut => "Endpoint request timed out",
            Self::Function(status) => status.canonical_reason().unwrap_or("Forbidden"),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Unauthorized => "UnauthorizedException",
            Self::TooManyRequests => "TooManyRequestsException",
            Self::InternalServerError | Self::BadGateway | Self::TimedOut => "InternalServerErrorException",
            Self::Forbidden | Self::HeadersTooLarge | Self::Function(_) => "ForbiddenException",
        }
    }

    /// The message that an open connection receives, in the very spacing of API Gateway.
    pub(super) fn frame(self, to: Addressee<'_>) -> String {
        let Addressee { connection, request } = to;
        let message = self.message();
        format!(r#"{{"message": "{message}", "connectionId":"{connection}", "requestId":"{request}"}}"#)
    }

    /// The answer to a request for a connection.
    pub(super) fn response(self, to: Option<Addressee<'_>>) -> Response {
        let body = to.map_or_else(|| format!(r#"{{"message":"{}"}}"#, self.message()), |to| self.frame(to));
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.kind()));
        if let Some(id) = to.and_then(|to| HeaderValue::from_str(to.request).ok()) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }
}
