//! Requests, answers and errors as every service sees them; the protocols that carry them.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

/// An answer on its way out.
pub type Response = http::Response<axum::body::Body>;

/// A request whose signature has been verified.
#[derive(Debug, Clone)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// Path, still percent-encoded.
    pub path: String,
    /// Query string, without the question mark; empty when there is none.
    pub query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Who signed it.
    pub caller: Caller,
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody: the request carries no signature.
    Anonymous,
    /// The account's own key.
    Root,
    /// A session of a role, such as a function's.
    Role {
        /// Name of the role.
        name: String,
        /// Name of the session.
        session: String,
    },
}

/// An error as a service words it, before a protocol shapes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fault {
    /// HTTP status.
    pub status: StatusCode,
    /// Code, such as `ValidationError`.
    pub code: String,
    /// Message.
    pub message: String,
}

impl Fault {
    /// A client error, status 400.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: code.to_owned(), message: message.into() }
    }

    /// The answer in the JSON protocols.
    #[must_use]
    pub fn into_json(self) -> Response {
        let body = serde_json::json!({ "__type": self.code, "message": self.message }).to_string();
        let mut response = Response::new(axum::body::Body::from(body));
        *response.status_mut() = self.status;
        response
    }
}
