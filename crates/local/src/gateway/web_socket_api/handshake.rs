//! The opening handshake of RFC 6455, as far as HTTP has a say in it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, Method, StatusCode};

use crate::wire::{Request, Response, text};

/// What RFC 6455 puts behind the client's key.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The one version of the protocol that there is.
const VERSION: &str = "13";

/// The answer to the client's key, which proves that the server has understood what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accept(String);

/// Reads the request for a connection.
///
/// # Errors
/// The refusal of a request that asks for something else.
pub(super) fn read(request: &Request) -> Result<Accept, Box<Response>> {
    let headers = &request.headers;
    if request.method != Method::GET
        || !lists(headers, &CONNECTION, "upgrade")
        || !lists(headers, &UPGRADE, "websocket")
    {
        return Err(Box::new(refused(StatusCode::UPGRADE_REQUIRED, "Upgrade Required")));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return Err(Box::new(refused(StatusCode::UPGRADE_REQUIRED, "Upgrade Required")));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map_or(&b""[..], HeaderValue::as_bytes);
    match STANDARD.decode(key) {
        Ok(random) if random.len() == 16 => Ok(Accept(accept(key))),
        _ => Err(Box::new(refused(StatusCode::BAD_REQUEST, "Bad Request"))),
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    let mut response = text(status, "application/json", format!(r#"{{"message":"{message}"}}"#));
    if status == StatusCode::UPGRADE_REQUIRED {
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
    }
    response
}

/// The protocol is not secret: SHA-1 only shows that nobody answers from a cache.
fn accept(key: &[u8]) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, MAGIC.as_bytes()].concat()))
}

fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(wanted))
}

impl Accept {
    /// The answer that switches protocols. The subprotocol is the one that the function behind `$connect` has chosen, if
    /// the client has offered it.
    pub(super) fn response(self, request: &Request, chosen: Option<&HeaderValue>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&self.0) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        let offered = |chosen: &&HeaderValue| {
            chosen.to_str().is_ok_and(|chosen| lists(&request.headers, &SEC_WEBSOCKET_PROTOCOL, chosen))
        };
        if let Some(chosen) = chosen.filter(offered) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, chosen.clone());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::accept;

    #[test]
    fn a_key_is_answered_as_in_the_rfc() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
