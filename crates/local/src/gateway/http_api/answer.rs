//! What goes back to the client: a function's result, or the gateway's own refusal.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::gateway::answer::{
    Answer, Malformed, append, body_text, decoded, is_base64, json_headers, members, single_headers, status, text,
};

/// Why the gateway answers by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The path cannot be read, or leads out of what the integration offers.
    BadRequest,
    /// No route, no stage, or no API.
    NotFound,
    /// Too many requests for the route's limits.
    TooManyRequests,
    /// No identity, or a wrong one; with the challenge, if there is one.
    Unauthorized(Option<String>),
    /// A known identity that may not; with the challenge, if there is one.
    Forbidden(Option<String>),
    /// The request line and headers are over 10,240 bytes.
    HeadersTooLarge,
    /// The body is larger than 10 MB, or than what a function takes.
    BodyTooLarge,
    /// The integration, or an authorizer, fails.
    InternalServerError,
    /// The integration takes too long.
    ServiceUnavailable,
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn message(&self) -> &'static str {
        match self {
            Self::BadRequest => "Bad Request",
            Self::NotFound => "Not Found",
            Self::TooManyRequests => "Too Many Requests",
            Self::Unauthorized(_) => "Unauthorized",
            Self::Forbidden(_) => "Forbidden",
            Self::HeadersTooLarge => "Request Header Fields Too Large",
            Self::BodyTooLarge => "Request Entity Too Large",
            Self::InternalServerError => "Internal Server Error",
            Self::ServiceUnavailable => "Service Unavailable",
        }
    }

    fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::Unauthorized(Some(challenge)) | Self::Forbidden(Some(challenge)) => {
                HeaderValue::from_str(challenge).ok()
            }
            _ => None,
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut headers = json_headers();
        if let Some(challenge) = refusal.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        let body = format!("{{\"message\":\"{}\"}}", refusal.message());
        Self { status: refusal.status(), headers, body: body.into() }
    }
}

/// The answer that a function's result stands for.
pub(super) fn of_function(payload: &Bytes, format: &str) -> Result<Answer, Malformed> {
    match (format, serde_json::from_slice::<Value>(payload)) {
        ("1.0", Ok(Value::Object(result))) => proxied(&result, Dialect::One),
        ("1.0", _) => Err(Malformed),
        (_, Ok(Value::Object(result))) if result.contains_key("statusCode") => proxied(&result, Dialect::Two),
        (_, Ok(Value::String(text))) => Ok(inferred(text.into())),
        // Whatever has no status code is the body itself, even where it is no JSON.
        _ => Ok(inferred(payload.clone())),
    }
}

fn inferred(body: Bytes) -> Answer {
    Answer { status: StatusCode::OK, headers: json_headers(), body }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Payload format 1.0: headers may have several values.
    One,
    /// Payload format 2.0: cookies are a member of their own.
    Two,
}

fn proxied(result: &Map<String, Value>, dialect: Dialect) -> Result<Answer, Malformed> {
    let status = status(result.get("statusCode").ok_or(Malformed)?)?;
    let mut headers = single_headers(result.get("headers"))?;
    match dialect {
        Dialect::One => add_multi_value_headers(&mut headers, result.get("multiValueHeaders"))?,
        Dialect::Two => add_cookies(&mut headers, result.get("cookies"))?,
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    Ok(Answer { status, headers, body: body(result)? })
}

fn add_multi_value_headers(headers: &mut HeaderMap, value: Option<&Value>) -> Result<(), Malformed> {
    for (name, values) in members(value)? {
        let values = values.as_array().ok_or(Malformed)?;
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            headers.remove(name);
        }
        for value in values {
            append(headers, name, &text(value)?.ok_or(Malformed)?)?;
        }
    }
    Ok(())
}

fn add_cookies(headers: &mut HeaderMap, value: Option<&Value>) -> Result<(), Malformed> {
    let cookies = match value {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(cookies)) => cookies,
        Some(_) => return Err(Malformed),
    };
    cookies.iter().try_for_each(|cookie| {
        let cookie = cookie.as_str().ok_or(Malformed)?;
        headers.append(SET_COOKIE, HeaderValue::from_str(cookie).map_err(|_| Malformed)?);
        Ok(())
    })
}

fn body(result: &Map<String, Value>) -> Result<Bytes, Malformed> {
    let text = body_text(result)?;
    match is_base64(result)? {
        true => decoded(text),
        false => Ok(Bytes::from(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::of_function;
    use crate::gateway::answer::{Answer, Malformed};

    fn answer(payload: &str, format: &str) -> Result<Answer, Malformed> {
        of_function(&Bytes::from(payload.to_owned()), format)
    }

    #[test]
    fn what_has_no_status_code_is_the_body() {
        let headers = r#"{"headers":{"x-a":"1"},"body":"hi"}"#;
        for (payload, body) in [(headers, headers), ("42", "42"), ("\"hi\"", "hi"), ("[1]", "[1]"), ("{oh", "{oh")] {
            let answer = answer(payload, "2.0").expect("it is inferred");
            assert_eq!(answer.body, body, "{payload}");
            assert_eq!(answer.headers["content-type"], "application/json");
            assert_eq!(answer.status, StatusCode::OK);
        }
    }

    #[test]
    fn a_result_of_the_wrong_form_is_malformed() {
        let payloads = [
            r#"{"statusCode":200.5}"#,
            r#"{"statusCode":0}"#,
            r#"{"statusCode":99999}"#,
            r#"{"statusCode":200,"headers":[]}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"b\nc"}}"#,
            r#"{"statusCode":200,"body":"%%","isBase64Encoded":true}"#,
            r#"{"statusCode":200,"isBase64Encoded":"yes"}"#,
        ];
        for payload in payloads {
            assert_eq!(answer(payload, "2.0"), Err(Malformed), "{payload}");
            assert_eq!(answer(payload, "1.0"), Err(Malformed), "{payload}");
        }
        for payload in ["{}", "null", "\"x\"", "{oh", r#"{"statusCode":200,"multiValueHeaders":{"a":"b"}}"#] {
            assert_eq!(answer(payload, "1.0"), Err(Malformed), "{payload}");
        }
    }

    #[test]
    fn cookies_become_headers_of_their_own() {
        let answer = answer(r#"{"statusCode":200,"cookies":["a=1","b=2"]}"#, "2.0").expect("it is well formed");
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
    }

    #[test]
    fn several_values_replace_the_single_one() {
        let payload = r#"{"statusCode":200,"headers":{"x":"0"},"multiValueHeaders":{"X":["1","2"]}}"#;
        let answer = answer(payload, "1.0").expect("it is well formed");
        let values: Vec<_> = answer.headers.get_all("x").iter().collect();
        assert_eq!(values, ["1", "2"]);
    }
}
