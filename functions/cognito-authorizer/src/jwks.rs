//! The keys that a pool signs with (RFC 7517).

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::verify::Refusal;

/// Most keys of a set that are looked at. A pool has two.
const MOST_KEYS: usize = 32;

/// Sizes of keys that count, in bytes: 2,048 to 4,096 bits (RFC 7518, section 3.3).
const MODULUS: std::ops::RangeInclusive<usize> = 256..=512;

/// Keys for RS256.
#[derive(Clone, Default)]
pub struct KeySet(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: String,
    public: ParsedPublicKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    n: String,
    e: String,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys for anything else are left out, as the RFC asks.
    ///
    /// # Errors
    /// What is not a key set at all.
    pub fn read(json: &[u8]) -> serde_json::Result<Self> {
        let set: Set = serde_json::from_slice(json)?;
        Ok(Self(set.keys.into_iter().take(MOST_KEYS).filter_map(key).collect()))
    }

    /// Whether the key of this id has signed a message. More than one of an id can only be the issuer's mistake: then
    /// each counts.
    ///
    /// # Errors
    /// [`Refusal::Key`] where there is no such key, [`Refusal::Signature`] where it has not.
    pub fn check(&self, id: &str, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let mut keys = self.0.iter().filter(|key| key.id == id).peekable();
        keys.peek().ok_or(Refusal::Key)?;
        match keys.any(|key| key.public.verify_sig(message, signature).is_ok()) {
            true => Ok(()),
            false => Err(Refusal::Signature),
        }
    }
}

fn key(key: Value) -> Option<Key> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let is_for_rs256 = key.kty == "RSA"
        && key.alg.is_none_or(|algorithm| algorithm == "RS256")
        && key.r#use.is_none_or(|purpose| purpose == "sig")
        && key.key_ops.is_none_or(|purposes| purposes.iter().any(|purpose| purpose == "verify"));
    let (n, e) = (URL_SAFE_NO_PAD.decode(key.n).ok()?, URL_SAFE_NO_PAD.decode(key.e).ok()?);
    if !is_for_rs256 || !MODULUS.contains(&n.len()) {
        return None;
    }
    let public = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
    Some(Key { id: key.kid, public })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::KeySet;

    /// A modulus of so many bytes.
    fn modulus(bytes: usize) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(vec![0xc5; bytes])
    }

    fn count(change: Value) -> usize {
        let mut key = json!({ "kty": "RSA", "kid": "K", "alg": "RS256", "use": "sig", "n": modulus(256), "e": "AQAB" });
        for (name, value) in change.as_object().into_iter().flatten() {
            key[name] = value.clone();
        }
        let set = json!({ "keys": [key] }).to_string();
        KeySet::read(set.as_bytes()).expect("it is a set").0.iter().filter(|key| key.id == "K").count()
    }

    #[test]
    fn only_keys_for_rs256_count() {
        assert_eq!(count(json!({})), 1);
        assert_eq!(count(json!({ "alg": null, "use": null })), 1);
        assert_eq!(count(json!({ "key_ops": ["verify"] })), 1);
        let others = [
            json!({ "kty": "EC" }),
            json!({ "kty": "oct" }),
            json!({ "alg": "RS512" }),
            json!({ "use": "enc" }),
            json!({ "key_ops": ["encrypt"] }),
            json!({ "kid": 1 }),
            json!({ "kid": "other" }),
            json!({ "n": modulus(128) }),
            json!({ "n": modulus(1_024) }),
            json!({ "n": "AAAA" }),
            json!({ "n": "%" }),
            json!({ "e": "" }),
        ];
        for other in others {
            assert_eq!(count(other.clone()), 0, "{other}");
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "{}", "[]", "null", r#"{"keys":{}}"#, r#"{"keys":null}"#, "<html>"] {
            assert!(KeySet::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(KeySet::read(br#"{"keys":[1,null,{}]}"#).is_ok());
    }
}
