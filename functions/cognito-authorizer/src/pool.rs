//! The pool's keys, fetched when they are needed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authorizer::{Limits, Lost, Remembered};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use crate::config::Misconfigured;
use crate::jwks::KeySet;

/// How long keys are remembered: an hour, a day when Cognito does not answer; and how long it is not asked again after
/// a token named a key that is none of the pool's.
pub const LIMITS: Limits =
    Limits { lifetime: Duration::from_hours(1), outage: Duration::from_hours(24), pause: Duration::from_secs(10) };

/// How long fetching may take. The gateway waits ten seconds for an authorizer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Longest key set that is read, in bytes. A pool's has less than one kB.
const SET_LIMIT: usize = 64 * 1024;

/// Where a pool's keys are published, and what is known of them.
pub struct Pool {
    url: Url,
    client: Client,
    remembered: Remembered<KeySet>,
}

impl Pool {
    /// The pool that publishes its keys there.
    ///
    /// # Errors
    /// [`Misconfigured::Client`] where nothing could ever be fetched.
    pub fn new(url: &str) -> Result<Self, Misconfigured> {
        let url = Url::parse(url).map_err(|error| Misconfigured::Client(format!("{url}: {error}")))?;
        let client = Client::builder()
            .https_only(url.scheme() == "https")
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .build();
        let client = client.map_err(|error| Misconfigured::Client(error.to_string()))?;
        Ok(Self { url, client, remembered: Remembered::new(LIMITS) })
    }

    pub(crate) fn fresh(&self, now: SystemTime) -> Option<Arc<KeySet>> {
        self.remembered.fresh(now)
    }

    pub(crate) fn usable(&self, now: SystemTime) -> Option<Arc<KeySet>> {
        self.remembered.usable(now)
    }

    pub(crate) async fn refresh(&self, now: SystemTime) {
        self.remembered.refresh(now, self.ask()).await;
    }

    async fn ask(&self) -> Result<KeySet, Lost> {
        let body = self.fetch().await;
        let set = body.and_then(|body| KeySet::read(&body).map_err(|error| error.to_string()));
        set.map_err(|reason| {
            eprintln!("the keys at {} cannot be read: {reason}", self.url);
            Lost::Unreachable
        })
    }

    async fn fetch(&self) -> Result<Vec<u8>, String> {
        let mut response = self.client.get(self.url.clone()).send().await.map_err(explained)?;
        if response.status() != StatusCode::OK {
            return Err(format!("status {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(explained)? {
            if body.len() + chunk.len() > SET_LIMIT {
                return Err(format!("they are longer than {SET_LIMIT} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The whole chain of an error: the first of them says little more than that there is one.
fn explained(error: reqwest::Error) -> String {
    let error = error.without_url();
    let first: Option<&dyn std::error::Error> = Some(&error);
    std::iter::successors(first, |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
