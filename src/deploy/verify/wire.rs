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
        request.set_uri(url).map_err(|_| "the address cannot be sent".to_owned())?;
        request.set_method(method).map_err(|_| "the method cannot be sent".to_owned())?;
        let agent = ("user-agent".to_owned(), concat!("stackgen/", env!("CARGO_PKG_VERSION")).to_owned());
        for (name, value) in headers.iter().chain([&agent]) {
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
