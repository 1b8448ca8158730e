//! Access keys: the account's own, and those of sessions.

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Iam;
use crate::hidden::Hidden;
use crate::wire::Caller;

/// A long-lived pair of access key id and secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// Starts with `AKIA`.
    pub id: String,
    /// The secret.
    pub secret: Hidden,
}

impl AccessKey {
    /// A key that nobody else has.
    #[must_use]
    pub fn fresh() -> Self {
        Self { id: key_id("AKIA", &random::<16>()), secret: fresh_secret().into() }
    }
}

/// Credentials that expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCredentials {
    /// Starts with `ASIA`.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: Hidden,
    /// Goes along with each request.
    pub session_token: Hidden,
    /// When they stop working.
    pub expires: OffsetDateTime,
}

/// What a session token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Role and session name; none for a session of the account itself.
    role: Option<(String, String)>,
    /// Seconds since 1970.
    expires: i64,
    /// Makes two tokens of one session differ.
    nonce: String,
}

impl Session {
    pub(crate) fn of_role(role: &str, session: &str, expires: OffsetDateTime) -> Self {
        Self { role: Some((role.to_owned(), session.to_owned())), ..Self::of_root(expires) }
    }

    pub(crate) fn of_root(expires: OffsetDateTime) -> Self {
        let nonce = URL_SAFE_NO_PAD.encode(random::<16>());
        Self { role: None, expires: expires.unix_timestamp(), nonce }
    }

    pub(crate) fn caller(&self) -> Caller {
        match &self.role {
            Some((name, session)) => Caller::Role { name: name.clone(), session: session.clone() },
            None => Caller::Root,
        }
    }

    pub(crate) fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires <= now.unix_timestamp()
    }
}

/// Credentials whose token holds the session.
pub(crate) fn seal(iam: &Iam, session: &Session) -> SessionCredentials {
    let payload = serde_json::to_vec(session).unwrap_or_default();
    let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(&payload), URL_SAFE_NO_PAD.encode(mac(iam, "token", &payload)));
    let AccessKey { id, secret } = derived(iam, &payload);
    let expires = OffsetDateTime::from_unix_timestamp(session.expires).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    SessionCredentials { access_key_id: id, secret_access_key: secret, session_token: token.into(), expires }
}

/// The session of a token that this account sealed, and the key that belongs to it.
pub(crate) fn unseal(iam: &Iam, token: &str) -> Option<(Session, AccessKey)> {
    let (payload, tag) = token.split_once('.')?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(&key(iam), &labelled("token", &payload), &tag).ok()?;
    let session = serde_json::from_slice(&payload).ok()?;
    Some((session, derived(iam, &payload)))
}

fn derived(iam: &Iam, payload: &[u8]) -> AccessKey {
    let secret = STANDARD.encode(mac(iam, "secret", payload).as_ref());
    AccessKey { id: key_id("ASIA", mac(iam, "id", payload).as_ref()), secret: secret.into() }
}

fn mac(iam: &Iam, label: &str, payload: &[u8]) -> hmac::Tag {
    hmac::sign(&key(iam), &labelled(label, payload))
}

fn key(iam: &Iam) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, iam.session_seed.as_bytes())
}

fn labelled(label: &str, payload: &[u8]) -> Vec<u8> {
    [label.as_bytes(), b"\n", payload].concat()
}

/// Sixteen characters of AWS's alphabet after a prefix.
pub(crate) fn key_id(prefix: &str, bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let characters = bytes.iter().take(16).map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    prefix.chars().chain(characters).collect()
}

/// Forty characters.
pub(crate) fn fresh_secret() -> String {
    STANDARD.encode(random::<30>())
}

/// Bytes from the system's generator.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system's random generator works once the process runs");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    #[test]
    fn a_token_opens_to_its_session_and_key() {
        let iam = Iam::with_fresh_keys();
        let now = OffsetDateTime::now_utc();
        let sealed = seal(&iam, &Session::of_role("r", "s", now + Duration::hours(1)));
        let (session, key) = unseal(&iam, &sealed.session_token).expect("it is ours");
        assert_eq!(session.caller(), Caller::Role { name: "r".to_owned(), session: "s".to_owned() });
        assert_eq!((key.id, key.secret), (sealed.access_key_id, sealed.secret_access_key));
        assert!(!session.is_expired(now) && session.is_expired(now + Duration::hours(2)));
    }

    #[test]
    fn a_foreign_or_changed_token_does_not_open() {
        let iam = Iam::with_fresh_keys();
        let token = seal(&iam, &Session::of_root(OffsetDateTime::now_utc())).session_token;
        assert!(unseal(&Iam::with_fresh_keys(), &token).is_none());
        for broken in ["", ".", "a.b", &token[1..], &token[..token.len() - 2]] {
            assert!(unseal(&iam, broken).is_none(), "{broken}");
        }
    }
}
