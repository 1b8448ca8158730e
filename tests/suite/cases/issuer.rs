//! Issuers of tokens, one below each path of a server on the loopback interface.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Unknown;
use super::mint::Mint;

/// The server of every issuer that a case may need.
pub(crate) struct Issuers {
    served: Arc<Served>,
    serving: JoinHandle<()>,
}

struct Served {
    address: String,
    /// An address where nobody listens.
    nobody: String,
    sets: Mutex<BTreeMap<String, Value>>,
    fetches: AtomicUsize,
}

impl Issuers {
    /// Starts the server.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port can be had");
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port can be had");
        let port = |listener: &TcpListener| listener.local_addr().expect("it has an address").port();
        let served = Arc::new(Served {
            // A name rather than a number: it has letters whose case a token can change.
            address: format!("http://localhost:{}", port(&listener)),
            nobody: format!("http://localhost:{}", port(&closed)),
            sets: Mutex::default(),
            fetches: AtomicUsize::new(0),
        });
        drop(closed);
        let router = Router::new().fallback(answer).with_state(Arc::clone(&served));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("serving goes on") });
        Self { served, serving }
    }

    /// The URL of the issuer that publishes this variant of keys.
    pub(crate) fn url(&self, mint: &Mint, variant: &str) -> Result<String, Unknown> {
        let keys = mint.key_set(variant)?;
        if variant == "discovery_down" {
            return Ok(self.unreachable());
        }
        self.served.sets.lock().unwrap_or_else(PoisonError::into_inner).insert(variant.to_owned(), keys);
        Ok(format!("{}/{variant}", self.served.address))
    }

    /// The id of a user pool that publishes this variant of keys, below [`Issuers::endpoint`].
    pub(crate) fn pool(&self, mint: &Mint, variant: &str) -> Result<String, Unknown> {
        self.url(mint, variant)?;
        Ok(format!("us-east-1_{}", variant.replace('_', "0")))
    }

    /// The endpoint of Cognito where such a pool's keys are.
    pub(crate) fn endpoint(&self, variant: &str) -> String {
        match variant {
            "jwks_down" | "discovery_down" => self.served.nobody.clone(),
            _ => self.served.address.clone(),
        }
    }

    /// The URL of an issuer that nobody serves.
    pub(crate) fn unreachable(&self) -> String {
        format!("{}/nobody", self.served.nobody)
    }
}

impl Drop for Issuers {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(served): State<Arc<Served>>, uri: Uri) -> (StatusCode, String) {
    match served.document(uri.path()) {
        Some(document) => (StatusCode::OK, document.to_string()),
        None => (StatusCode::NOT_FOUND, String::new()),
    }
}

impl Served {
    fn document(&self, path: &str) -> Option<Value> {
        let (place, document) = path.strip_prefix('/')?.split_once('/')?;
        // The id of a pool has one underscore only.
        let variant = place.strip_prefix("us-east-1_").map_or(place.to_owned(), |id| id.replace('0', "_"));
        let variant = variant.as_str();
        let keys = self.sets.lock().unwrap_or_else(PoisonError::into_inner).get(variant)?.clone();
        let issuer = format!("{}/{variant}", self.address);
        match (document, variant) {
            (".well-known/openid-configuration", _) => {
                let address = match variant {
                    "jwks_down" => format!("{}/jwks.json", self.nobody),
                    "custom_uri" => format!("{issuer}/keys/v1"),
                    _ => format!("{issuer}/.well-known/jwks.json"),
                };
                Some(json!({ "issuer": issuer, "jwks_uri": address }))
            }
            (".well-known/jwks.json", "custom_uri") => None,
            (".well-known/jwks.json", "rotate_K1_then_K1K2") if self.fetches.fetch_add(1, Ordering::Relaxed) == 0 => {
                Some(json!({ "keys": [keys["keys"][0]] }))
            }
            (".well-known/jwks.json", _) | ("keys/v1", "custom_uri") => Some(keys),
            _ => None,
        }
    }
}
