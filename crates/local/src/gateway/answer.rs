//! What goes back to the client, and how results of functions are read into it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::request::is_hop_by_hop;

/// What goes back to the client.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A result that is not of the form that a function must answer in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed;

/// The headers of an answer in JSON.
pub(super) fn json_headers() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))])
}

/// The status code of a result, a number or its digits.
pub(super) fn status(value: &Value) -> Result<StatusCode, Malformed> {
    let code = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let code = code.and_then(|code| u16::try_from(code).ok()).filter(|code| (200..600).contains(code));
    code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed)
}

/// The `headers` of a result.
pub(super) fn single_headers(value: Option<&Value>) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::new();
    for (name, value) in members(value)? {
        if let Some(value) = text(value)? {
            append(&mut headers, name, &value)?;
        }
    }
    Ok(headers)
}

/// Members of an object that may be left out.
pub(super) fn members(value: Option<&Value>) -> Result<Vec<(&String, &Value)>, Malformed> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(members)) => Ok(members.iter().collect()),
        Some(_) => Err(Malformed),
    }
}

/// Numbers and truth values are taken as text; null stands for no value.
pub(super) fn text(value: &Value) -> Result<Option<String>, Malformed> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(_) | Value::Bool(_) => Ok(Some(value.to_string())),
        Value::Array(_) | Value::Object(_) => Err(Malformed),
    }
}

/// What is about the connection, or the length of the body, is the gateway's own business.
pub(super) fn append(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Malformed> {
    let name = HeaderName::try_from(name).map_err(|_| Malformed)?;
    if is_hop_by_hop(name.as_str()) || name == CONTENT_LENGTH {
        return Ok(());
    }
    headers.append(name, HeaderValue::from_str(value).map_err(|_| Malformed)?);
    Ok(())
}

/// The body of a result as it is written.
pub(super) fn body_text(result: &Map<String, Value>) -> Result<&str, Malformed> {
    match result.get("body") {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Malformed),
    }
}

/// Whether a result says that its body is in base64.
pub(super) fn is_base64(result: &Map<String, Value>) -> Result<bool, Malformed> {
    match result.get("isBase64Encoded") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(encoded)) => Ok(*encoded),
        Some(_) => Err(Malformed),
    }
}

/// The bytes that base64 stands for.
pub(super) fn decoded(text: &str) -> Result<Bytes, Malformed> {
    STANDARD.decode(text).map(Bytes::from).map_err(|_| Malformed)
}
