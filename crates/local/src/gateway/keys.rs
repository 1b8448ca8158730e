//! The public keys of token issuers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration as Wait;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::cloud::Cloud;
use crate::cognito;

/// How long AWS waits for an issuer.
const TIMEOUT: Wait = Wait::from_millis(1_500);
/// The largest document that AWS takes from an issuer.
const LARGEST: usize = 150_000;
/// How long keys are used before the issuer is asked again.
const FRESH: Duration = Duration::minutes(1);
/// How long keys are used at all while their issuer cannot be reached; AWS keeps them as long.
const STALE: Duration = Duration::hours(2);
/// How soon an issuer is asked again that did not answer, or did not have a key.
const PATIENCE: Duration = Duration::seconds(5);

/// An RSA public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    id: String,
    /// The one algorithm that it is for, where it says so.
    pub(super) algorithm: Option<String>,
    pub(super) modulus: Vec<u8>,
    pub(super) exponent: Vec<u8>,
}

/// The keys that an issuer signs with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeySet(Vec<Key>);

/// Why an issuer's keys are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreachable {
    /// The discovery document could not be had.
    Discovery,
    /// The key set that it names could not be had.
    Keys,
}

impl KeySet {
    /// The keys of a JSON Web Key Set that are RSA and for signatures.
    pub(super) fn read(document: &Value) -> Self {
        let keys = document.get("keys").and_then(Value::as_array);
        Self(keys.into_iter().flatten().filter_map(Key::read).collect())
    }

    pub(super) fn key(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl Key {
    fn read(document: &Value) -> Option<Self> {
        let member = |name: &str| document.get(name).and_then(Value::as_str);
        let number = |name: &str| member(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        if member("kty") != Some("RSA") || member("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        Some(Self {
            id: member("kid")?.to_owned(),
            algorithm: member("alg").map(str::to_owned),
            modulus: number("n")?,
            exponent: number("e")?,
        })
    }
}

/// The key sets that were fetched, by issuer.
#[derive(Debug, Default)]
pub(super) struct KeySets {
    held: Mutex<BTreeMap<String, Slot>>,
    near: OnceLock<Option<Client>>,
    far: OnceLock<Option<Client>>,
}

/// What is known of one issuer, locked while it is asked so that it is asked once.
type Slot = Arc<tokio::sync::Mutex<Known>>;

#[derive(Debug, Default)]
struct Known {
    fetched: Option<Fetched>,
    /// When it last did not answer, and why.
    failed: Option<(OffsetDateTime, Unreachable)>,
}

impl Known {
    /// What can be said without asking the issuer.
    fn answer(&self, key: &str, now: OffsetDateTime) -> Option<Result<Arc<KeySet>, Unreachable>> {
        if let Some(fetched) = self.fetched.as_ref().filter(|fetched| fetched.serves(key, now)) {
            return Some(Ok(Arc::clone(&fetched.keys)));
        }
        let (at, error) = self.failed?;
        (now - at < PATIENCE).then(|| self.stale(now).ok_or(error))
    }

    fn stale(&self, now: OffsetDateTime) -> Option<Arc<KeySet>> {
        let fetched = self.fetched.as_ref().filter(|fetched| now - fetched.at < STALE)?;
        Some(Arc::clone(&fetched.keys))
    }
}

#[derive(Debug, Clone)]
struct Fetched {
    keys: Arc<KeySet>,
    at: OffsetDateTime,
}

impl Fetched {
    fn serves(&self, key: &str, now: OffsetDateTime) -> bool {
        let age = now - self.at;
        let known = self.keys.key(key).is_some();
        if known { age < FRESH } else { age < PATIENCE }
    }
}

impl KeySets {
    /// The keys of an issuer: those of a pool of this account, else those that it publishes, which are fetched again
    /// where `key` is not among them.
    pub(super) async fn of(&self, cloud: &Cloud, issuer: &str, key: &str) -> Result<Arc<KeySet>, Unreachable> {
        if let Some(own) = own_pool(cloud, issuer) {
            return Ok(Arc::new(own));
        }
        let slot = self.slot(issuer);
        let mut known = slot.lock().await;
        if let Some(answer) = known.answer(key, cloud.now()) {
            return answer;
        }
        let fetched = self.fetch(issuer).await;
        // Not before: those who have waited for this answer take it too.
        let now = cloud.now();
        match fetched {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *known = Known { fetched: Some(Fetched { keys: Arc::clone(&keys), at: now }), failed: None };
                Ok(keys)
            }
            Err(error) => {
                known.failed = Some((now, error));
                known.stale(now).ok_or(error)
            }
        }
    }

    fn slot(&self, issuer: &str) -> Slot {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(held.entry(issuer.to_owned()).or_default())
    }

    async fn fetch(&self, issuer: &str) -> Result<KeySet, Unreachable> {
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = self.document(&discovery).await.ok_or(Unreachable::Discovery)?;
        let address = document.get("jwks_uri").and_then(Value::as_str).ok_or(Unreachable::Discovery)?;
        let document = self.document(address).await.ok_or(Unreachable::Keys)?;
        Ok(KeySet::read(&document))
    }

    async fn document(&self, address: &str) -> Option<Value> {
        let address = Url::parse(address).ok()?;
        let client = self.client(&address)?;
        let mut response = client.get(address).send().await.ok()?.error_for_status().ok()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return None;
            }
        }
        serde_json::from_slice(&body).ok()
    }

    /// The client for an address. In clear text only this machine may be asked; there no proxy stands between.
    fn client(&self, address: &Url) -> Option<&Client> {
        let near = is_this_machine(address);
        match address.scheme() {
            "http" if !near => None,
            "http" | "https" if near => self.near.get_or_init(|| client(true)).as_ref(),
            "https" => self.far.get_or_init(|| client(false)).as_ref(),
            _ => None,
        }
    }
}

fn client(near: bool) -> Option<Client> {
    let builder = Client::builder().timeout(TIMEOUT).redirect(Policy::none());
    let builder = if near { builder.no_proxy() } else { builder };
    builder.build().ok()
}

pub(super) fn is_this_machine(address: &Url) -> bool {
    let host = address.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The keys of a pool of this account, which need no network.
fn own_pool(cloud: &Cloud, issuer: &str) -> Option<KeySet> {
    let keys = cloud.read(|account| cognito::key_set(account, issuer))?;
    serde_json::to_value(keys).ok().map(|document| KeySet::read(&document))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_rsa_keys_for_signatures_count() {
        let keys = KeySet::read(&json!({ "keys": [
            { "kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB" },
            { "kty": "RSA", "kid": "b", "n": "AQAB", "e": "AQAB", "use": "enc" },
            { "kty": "EC", "kid": "c", "crv": "P-256", "x": "AQAB", "y": "AQAB" },
            { "kty": "oct", "kid": "d", "k": "AQAB" },
            { "kty": "RSA", "kid": "e", "n": "%", "e": "AQAB" },
            "f", null, 7,
        ] }));
        assert!(keys.key("a").is_some());
        assert!(["b", "c", "d", "e", "f"].iter().all(|id| keys.key(id).is_none()));
    }

    #[test]
    fn an_issuer_that_does_not_answer_is_not_asked_for_a_while() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let keys = Arc::new(KeySet::read(&json!({ "keys": [{ "kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB" }] })));
        let failed = Some((start, Unreachable::Keys));
        let unknown = Known { fetched: None, failed };
        assert_eq!(unknown.answer("a", start), Some(Err(Unreachable::Keys)));
        assert_eq!(unknown.answer("a", start + PATIENCE), None);
        let fetched = |age| Some(Fetched { keys: Arc::clone(&keys), at: start - age });
        let stale = Known { fetched: fetched(FRESH), failed };
        assert_eq!(stale.answer("a", start), Some(Ok(Arc::clone(&keys))), "keys outlive their issuer's silence");
        assert_eq!(stale.answer("a", start + PATIENCE), None, "then it is asked again");
        let gone = Known { fetched: fetched(STALE), failed };
        assert_eq!(gone.answer("a", start), Some(Err(Unreachable::Keys)));
        let fresh = Known { fetched: fetched(Duration::ZERO), failed: None };
        assert_eq!(fresh.answer("a", start), Some(Ok(Arc::clone(&keys))));
        assert_eq!(fresh.answer("b", start + PATIENCE), None);
    }

    #[test]
    fn clear_text_is_for_this_machine_only() {
        for (address, near) in [
            ("http://127.0.0.1:1/x", true),
            ("http://[::1]:1/x", true),
            ("http://localhost/x", true),
            ("http://localhost.example.com/x", false),
            ("http://10.0.0.1/x", false),
            ("http://127.0.0.1@example.com/x", false),
        ] {
            assert_eq!(is_this_machine(&Url::parse(address).expect("it is an address")), near, "{address}");
        }
    }
}
