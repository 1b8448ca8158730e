//! Requests, answers and errors as every service sees them; the protocols that carry them.
//!
//! A service's `api::handle` finds the operation ([`Request::operation`], [`Form::action`] or method and path), runs it
//! to a `Result<Value, Fault>`, and lets one of [`json_answer`], [`query_answer`], [`rest_json_answer`] shape it.

mod form;
pub(crate) mod spelling;
pub(crate) mod xml;

use std::collections::BTreeMap;
use std::fmt;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use form::Form;
pub(crate) use form::lower_first;

/// An answer on its way out.
pub type Response = http::Response<Body>;

/// A request whose signature has been verified.
#[derive(Clone)]
pub struct Request {
    /// A fresh UUID, answered as `x-amzn-requestid`.
    pub id: String,
    /// HTTP method.
    pub method: Method,
    /// Path, still percent-encoded.
    pub path: String,
    /// Query string, without the question mark; empty when there is none.
    pub query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// How the client spelled the names of its headers, by the name in lower case, where that is known.
    pub spelling: BTreeMap<String, String>,
    /// The whole body.
    pub body: Bytes,
    /// Who signed it.
    pub caller: Caller,
}

/// Its path, its headers and its body may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Request").field("id", &self.id).field("method", &self.method).finish_non_exhaustive()
    }
}

impl Request {
    /// The operation that the JSON protocols name in `X-Amz-Target`: the part after the last dot.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.header("x-amz-target")?.rsplit('.').next()
    }

    /// A header as text; the first one where it is repeated.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The segments of the path, each without its escapes: one that holds an escaped slash is one all the same.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        let decode = |segment: &str| percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned();
        self.path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
    }

    /// The body read as JSON; an empty body counts as `{}`.
    ///
    /// # Errors
    /// `SerializationException` when it is not JSON or not of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| Fault::new("SerializationException", error.to_string()))
    }

    /// Every query parameter, decoded, in order.
    #[must_use]
    pub fn query_parameters(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// One query parameter, decoded.
    #[must_use]
    pub fn query_parameter(&self, name: &str) -> Option<String> {
        self.query_parameters().into_iter().find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A user with a key of its own.
    User {
        /// Name of the user.
        name: String,
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

    /// The same error with another HTTP status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// An operation that this cloud does not know.
    #[must_use]
    pub fn unknown_operation(service: &str, operation: &str) -> Self {
        let message = format!("the local cloud does not offer {service}:{operation}");
        Self::new("UnknownOperationException", message).with_status(StatusCode::NOT_IMPLEMENTED)
    }

    /// The answer in the JSON 1.0 and 1.1 protocols.
    #[must_use]
    pub fn into_json(self) -> Response {
        let body = json!({ "__type": self.code, "message": self.message });
        let mut response = text(self.status, "application/x-amz-json-1.1", body.to_string());
        response.headers_mut().insert("x-amzn-errortype", header_value(&self.code));
        response
    }

    /// The answer in the REST-JSON protocol (Lambda, API Gateway).
    #[must_use]
    pub fn into_rest_json(self) -> Response {
        let side = if self.status.is_server_error() { "Service" } else { "User" };
        let body = json!({ "Type": side, "message": self.message, "Message": self.message });
        let mut response = text(self.status, "application/json", body.to_string());
        response.headers_mut().insert("x-amzn-errortype", header_value(&self.code));
        response
    }

    /// The answer in the query protocol.
    #[must_use]
    pub fn into_query(self, request_id: &str, namespace: &str) -> Response {
        let side = if self.status.is_server_error() { "Receiver" } else { "Sender" };
        let content = json!({
            "Error": { "Type": side, "Code": self.code, "Message": self.message },
            "RequestId": request_id,
        });
        text(self.status, "text/xml", xml::document("ErrorResponse", Some(namespace), &content, xml::Lists::Member))
    }

    /// The answer in the form of the query protocol that EC2 alone has.
    #[must_use]
    pub fn into_ec2(self, request_id: &str) -> Response {
        let error = json!({ "Error": { "Code": self.code, "Message": self.message } });
        let content = json!({ "Errors": error, "RequestID": request_id });
        text(self.status, "text/xml", xml::document("Response", None, &content, xml::Lists::Flat))
    }

    /// The answer in the REST-XML protocol (S3).
    #[must_use]
    pub fn into_rest_xml(self, request_id: &str, resource: &str) -> Response {
        let content = json!({
            "Code": self.code, "Message": self.message, "Resource": resource, "RequestId": request_id,
        });
        text(self.status, "application/xml", xml::document("Error", None, &content, xml::Lists::Flat))
    }
}

/// A change that could not be saved, so did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state could not be saved: {0}")]
pub struct Unsaved(pub String);

impl From<Unsaved> for Fault {
    fn from(unsaved: Unsaved) -> Self {
        Self::new("InternalFailure", unsaved.to_string()).with_status(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The answer of an operation in the JSON protocols.
pub fn json_answer(outcome: Result<impl Serialize, Fault>) -> Response {
    shaped(outcome, "application/x-amz-json-1.1").unwrap_or_else(Fault::into_json)
}

/// The answer of an operation in the REST-JSON protocol, with status 200. `Null` makes an empty body.
pub fn rest_json_answer(outcome: Result<impl Serialize, Fault>) -> Response {
    shaped(outcome, "application/json").unwrap_or_else(Fault::into_rest_json)
}

/// The answer of an operation in the query protocol: objects become elements, lists become `<member>` elements, `Null`
/// members are left out.
#[must_use]
pub fn query_answer(request_id: &str, namespace: &str, action: &str, outcome: Result<Value, Fault>) -> Response {
    match outcome {
        Ok(result) => query_success(request_id, namespace, action, &result),
        Err(fault) => fault.into_query(request_id, namespace),
    }
}

fn query_success(request_id: &str, namespace: &str, action: &str, result: &Value) -> Response {
    let name = format!("{action}Response");
    let content = json!({ format!("{action}Result"): result });
    let mut document = xml::document(&name, Some(namespace), &content, xml::Lists::Member);
    // The result comes first: the SDK for Rust reads no further than to its end.
    let end = document.rfind("</").unwrap_or(document.len());
    document.insert_str(end, &format!("<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"));
    text(StatusCode::OK, "text/xml", document)
}

/// An answer with a body of text.
#[must_use]
pub fn text(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn shaped(outcome: Result<impl Serialize, Fault>, content_type: &'static str) -> Result<Response, Fault> {
    let value = serde_json::to_value(outcome?).map_err(|error| Fault::new("InternalFailure", error.to_string()))?;
    let body = if value.is_null() { String::new() } else { value.to_string() };
    Ok(text(StatusCode::OK, content_type, body))
}

/// Text as a header value, `?` in place of what no header may hold.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    let printable: String = text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    HeaderValue::from_str(&printable).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Adds `x-amzn-requestid` to an answer that has none.
pub(crate) fn identify(mut response: Response, request_id: &str) -> Response {
    let name = HeaderName::from_static("x-amzn-requestid");
    response.headers_mut().entry(name).or_insert_with(|| header_value(request_id));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_answer_wraps_its_result_and_leaves_out_what_is_null() {
        let result = json!({ "Arn": "a<b", "Tags": [{ "Key": "k" }], "None": null });
        let outcome = xml::document("GetResponse", Some("urn:x"), &json!({ "GetResult": result }), xml::Lists::Member);
        let expected = "<GetResponse xmlns=\"urn:x\"><GetResult><Arn>a&lt;b</Arn><Tags><member><Key>k</Key></member>\
                        </Tags></GetResult></GetResponse>";
        assert!(outcome.ends_with(expected), "{outcome}");
    }

    #[test]
    fn a_header_value_never_fails() {
        assert_eq!(header_value("a\r\nb"), "a??b");
    }
}
