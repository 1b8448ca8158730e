//! Endpoints of others, which integrations pass requests on to.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;

use super::answer::Answer;

/// The largest answer of an endpoint.
const LARGEST: usize = 10_485_760;

/// What may stand in a path as it is: what RFC 3986 leaves unreserved, and the slashes of greedy parameters.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The connections to endpoints.
#[derive(Debug, Default)]
pub(super) struct Endpoints(OnceLock<Option<Client>>);

/// What is passed on.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) method: Method,
    pub(super) address: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why an endpoint gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Silent {
    /// It cannot be reached, or breaks off: what happened, for the access log.
    Failed(String),
    /// It takes too long.
    TimedOut,
}

impl Endpoints {
    /// Passes a request on, and waits for the answer at most this long.
    pub(super) async fn ask(&self, passed: Passed, timeout: Duration) -> Result<Answer, Silent> {
        let client = self.0.get_or_init(client).as_ref();
        let client = client.ok_or_else(|| Silent::Failed("no client can be made".to_owned()))?;
        let Passed { method, address, headers, body } = passed;
        let request = client.request(method, address).headers(headers).body(body);
        let received = tokio::time::timeout(timeout, receive(request)).await;
        received.map_err(|_| Silent::TimedOut)?.map_err(Silent::Failed)
    }
}

fn client() -> Option<Client> {
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().ok()
}

async fn receive(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let mut response = request.send().await.map_err(|error| error.to_string())?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err("the endpoint's answer is too large".to_owned());
        }
    }
    Ok(Answer { status, headers, body: body.into() })
}

/// An address with values in the place of `{name}`, and a query string behind it.
pub(super) fn address(uri: &str, values: &[(String, String)], query: &str) -> String {
    let uri = values.iter().fold(uri.to_owned(), |uri, (name, value)| {
        uri.replace(&format!("{{{name}}}"), &utf8_percent_encode(value, PATH).to_string())
    });
    match query {
        "" => uri,
        query => format!("{uri}{}{query}", if uri.contains('?') { '&' } else { '?' }),
    }
}
