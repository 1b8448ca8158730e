//! Requests exactly as they are spelled.
//!
//! A URL that is parsed loses its dot segments, and those are what is tried here. So these requests do not go through
//! `reqwest`, but through the client of the SDK, which hands a path on as it is.

use std::time::Duration;

use aws_smithy_http_client::{Connector, default_connector};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use crate::access::probe::answer::Answer;
use crate::deploy::aws::{innermost, is_loopback};

/// How long a connection, and an answer, may take: a function may have to start first.
const CONNECTION: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(40);

/// The largest answer that is looked at.
const LARGEST: usize = 1 << 20;

/// What sends.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    /// To this machine, where neither a proxy nor certificates have a part in it.
    near: SharedHttpConnector,
    far: Option<SharedHttpConnector>,
}

impl Wire {
    pub(super) fn new() -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECTION).read_timeout(ANSWER).build();
        let near = Connector::builder().connector_settings(settings.clone()).build_http();
        Self { near: SharedHttpConnector::new(near), far: default_connector(&settings, None) }
    }

    /// Sends a request without a body. What went wrong is told in words.
    pub(super) async fn send(&self, method: &str, url: &str, headers: &[(String, String)]) -> Result<Answer, String> {
        let far = || self.far.as_ref().ok_or_else(|| "this build speaks no TLS".to_owned());
        let connector = if is_loopback(url) { &self.near } else { far()? };
        let mut request = HttpRequest::new(SdkBody::empty());
        let (address, host) = reached(url);
        request.set_uri(address).map_err(|_| "the address cannot be sent".to_owned())?;
        request.set_method(method).map_err(|_| "the method cannot be sent".to_owned())?;
        let agent = ("user-agent".to_owned(), concat!("stackgen/", env!("CARGO_PKG_VERSION")).to_owned());
        let host = host.map(|host| ("host".to_owned(), host));
        for (name, value) in headers.iter().chain([&agent]).chain(&host) {
            // The value may be a token: it is never repeated.
            let added = request.headers_mut().try_append(name.to_ascii_lowercase(), value.clone());
            added.map_err(|_| format!("header `{name}` cannot be sent"))?;
        }
        let response = connector.call(request).await.map_err(|error| innermost(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers = headers.collect();
        // What follows a switch of protocols is no answer.
        let body = if status == 101 { Vec::new() } else { body(response.into_body()).await? };
        Ok(Answer { status, headers, body })
    }
}

/// The address that a connection is made to, and the name that is asked for there where it is another one. Names under
/// `localhost` are this machine, which not every resolver knows.
fn reached(url: &str) -> (String, Option<String>) {
    let unchanged = || (url.to_owned(), None);
    let Some((scheme, rest)) = url.split_once("://") else { return unchanged() };
    let (host, below) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
    match name.ends_with(".localhost") {
        true => (format!("{scheme}://127.0.0.1{port}{below}"), Some(host.to_owned())),
        false => unchanged(),
    }
}

async fn body(body: SdkBody) -> Result<Vec<u8>, String> {
    let mut stream = ByteStream::new(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.try_next().await.map_err(|error| innermost(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LARGEST {
            break;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::{Wire, reached};

    #[test]
    fn a_name_under_localhost_is_this_machine() {
        let own = |url: &str| reached(url);
        let local = (
            "http://127.0.0.1:4566//a/../b?x=a.localhost".to_owned(),
            Some("a1.execute-api.localhost:4566".to_owned()),
        );
        assert_eq!(own("http://a1.execute-api.localhost:4566//a/../b?x=a.localhost"), local);
        let bare = ("http://127.0.0.1".to_owned(), Some("a.localhost".to_owned()));
        assert_eq!(own("http://a.localhost"), bare);
        for other in
            ["https://a.example/b.localhost", "http://127.0.0.1:1/", "http://evil.localhost.example/", "a.localhost"]
        {
            assert_eq!(own(other), (other.to_owned(), None));
        }
    }

    #[tokio::test]
    async fn who_is_asked_there_hears_the_name() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface has free ports");
        let port = listener.local_addr().expect("it listens").port();
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody calls");
            let mut said = [0; 4096];
            let length = stream.read(&mut said).expect("it is a request");
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("it listens");
            String::from_utf8_lossy(&said[..length]).to_ascii_lowercase()
        });
        let answer = Wire::new().send("GET", &format!("http://api.localhost:{port}/a//b/../c"), &[]).await;
        assert_eq!(answer.map(|answer| answer.status), Ok(204));
        let heard = heard.join().expect("it has heard");
        assert!(heard.starts_with("get /a//b/../c http/1.1\r\n"), "{heard}");
        let names: Vec<&str> = heard.lines().filter(|line| line.starts_with("host:")).collect();
        assert_eq!(names, [format!("host: api.localhost:{port}")]);
    }
}
