//! Endpoints of others, which integrations pass requests on to.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Url};

use super::answer::Answer;
use super::keys::is_this_machine;

/// The largest answer of an endpoint.
const LARGEST: usize = 10_485_760;

/// What may stand in a path as it is: what RFC 3986 leaves unreserved, and the slashes of greedy parameters.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The connections to endpoints. Before those on this machine there stands no proxy.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    near: OnceLock<Option<Client>>,
    far: OnceLock<Option<Client>>,
}

/// A path that would lead elsewhere: URLs have their dot segments resolved before they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Astray;

/// What is passed on.
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
        let Passed { method, address, headers, body } = passed;
        let address = Url::parse(&address).map_err(|error| Silent::Failed(format!("{address}: {error}")))?;
        let client = self.client(&address).ok_or_else(|| Silent::Failed("no client can be made".to_owned()))?;
        let request = client.request(method, address).headers(headers).body(body);
        let received = tokio::time::timeout(timeout, receive(request)).await;
        received.map_err(|_| Silent::TimedOut)?.map_err(Silent::Failed)
    }

    fn client(&self, address: &Url) -> Option<&Client> {
        let builder = || Client::builder().redirect(reqwest::redirect::Policy::none());
        match is_this_machine(address) {
            true => self.near.get_or_init(|| builder().no_proxy().build().ok()).as_ref(),
            false => self.far.get_or_init(|| builder().build().ok()).as_ref(),
        }
    }
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
///
/// # Errors
/// When the values make segments of `.` or `..`.
pub(super) fn address(uri: &str, values: &[(String, String)], query: &str) -> Result<String, Astray> {
    let uri = values.iter().fold(uri.to_owned(), |uri, (name, value)| {
        uri.replace(&format!("{{{name}}}"), &utf8_percent_encode(value, PATH).to_string())
    });
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    if path.split(['/', '\\']).any(is_dots) {
        return Err(Astray);
    }
    Ok(match query {
        "" => uri,
        query => format!("{uri}{}{query}", if uri.contains('?') { '&' } else { '?' }),
    })
}

/// Whether a segment is one that URLs resolve, escapes included.
fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::{Astray, address};

    fn filled(uri: &str, value: &str, query: &str) -> Result<String, Astray> {
        address(uri, &[("rest".to_owned(), value.to_owned())], query)
    }

    #[test]
    fn values_are_words_of_the_path_and_nothing_else() {
        let uri = "http://backend/public/{rest}";
        for (value, query, expected) in [
            ("a b/c", "", "http://backend/public/a%20b/c"),
            ("a?b#c", "q=/../x", "http://backend/public/a%3Fb%23c?q=/../x"),
            ("..a/.b/c..", "", "http://backend/public/..a/.b/c.."),
            ("%2e%2e", "", "http://backend/public/%252e%252e"),
            ("a\\..\\b", "", "http://backend/public/a%5C..%5Cb"),
        ] {
            assert_eq!(filled(uri, value, query).as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn no_value_leads_out_of_its_place() {
        for value in ["..", "../admin", "a/../../admin", ".", "a/./b", "a/.."] {
            assert_eq!(filled("http://backend/public/{rest}", value, ""), Err(Astray), "{value}");
        }
        assert_eq!(filled("http://backend/public/.{rest}/x", ".", ""), Err(Astray));
        assert_eq!(filled("http://backend/%2E{rest}", ".", ""), Err(Astray));
    }
}
