//! Cross-origin resource sharing: what pages of other origins may do.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderName, HeaderValue, ORIGIN,
};
use http::{HeaderMap, Method};

use crate::apigatewayv2::Cors;
use crate::wire::Request;

/// Whether a browser asks beforehand what it may send.
pub(super) fn is_preflight(request: &Request) -> bool {
    request.method == Method::OPTIONS
        && request.headers.contains_key(ORIGIN)
        && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Adds what answers such a question.
fn add_preflight(headers: &mut HeaderMap, cors: &Cors) {
    add_list(headers, ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods);
    add_list(headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers);
    if let Some(age) = cors.max_age {
        headers.insert(ACCESS_CONTROL_MAX_AGE, age.into());
    }
}

/// Gives an answer the API's own headers in place of whatever the integration said.
pub(super) fn apply(cors: &Cors, request: &Request, headers: &mut HeaderMap) {
    let foreign: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in foreign {
        headers.remove(name);
    }
    if !add_origin(headers, cors, request) {
        return;
    }
    match is_preflight(request) {
        true => add_preflight(headers, cors),
        false => add_list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers),
    }
}

/// Names the origin where it is allowed, and says whether it is.
fn add_origin(headers: &mut HeaderMap, cors: &Cors, request: &Request) -> bool {
    let Some(origin) = request.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()) else { return false };
    let Some(allowed) = cors.allow_origins.iter().find(|allowed| matches(allowed, origin)) else { return false };
    let named = if allowed == "*" { "*" } else { origin };
    let Ok(value) = HeaderValue::from_str(named) else { return false };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
    if cors.allow_credentials == Some(true) {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    true
}

/// `*` is every origin, `https://*` every one of that scheme.
fn matches(allowed: &str, origin: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(start) => origin.starts_with(start),
        None => allowed.eq_ignore_ascii_case(origin),
    }
}

fn add_list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if let Ok(value) = HeaderValue::from_str(&values.join(","))
        && !values.is_empty()
    {
        headers.insert(name, value);
    }
}
