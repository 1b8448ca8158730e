//! Bad tokens that anybody can make of a good one.
//!
//! Each function returns `None` for what is no token.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicEncryptingKey};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// The subject of a token that was changed: nobody's.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// The parts of a token that nobody has verified.
struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        Some(Self { header, payload, signature })
    }

    /// The header with another algorithm.
    fn header_for(&self, algorithm: &str) -> Option<String> {
        let mut header = decoded(self.header)?;
        header.insert("alg".to_owned(), algorithm.into());
        Some(encoded(Value::Object(header).to_string()))
    }
}

/// The claims of a token, as it says itself. Nobody may trust them.
#[must_use]
pub fn claims(token: &str) -> Option<Map<String, Value>> {
    decoded(token.split('.').nth(1)?)
}

/// The token with these claims, and the signature that it had.
#[must_use]
pub fn with_claims(token: &str, claims: Map<String, Value>) -> Option<String> {
    let Parts { header, signature, .. } = Parts::of(token)?;
    Some(format!("{header}.{}.{signature}", encoded(Value::Object(claims).to_string())))
}

/// The token about somebody else, and the signature that it had.
#[must_use]
pub fn with_other_subject(token: &str) -> Option<String> {
    let mut claims = claims(token)?;
    claims.insert("sub".to_owned(), NOBODY.into());
    with_claims(token, claims)
}

/// The token signed by a key that was made a moment ago, under the name of the one that signed it.
#[must_use]
pub fn with_strange_signature(token: &str) -> Option<String> {
    let (signed, _) = token.rsplit_once('.')?;
    let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
    Some(format!("{signed}.{}", encoded(signature)))
}

/// The token without a signature, which says that it needs none.
#[must_use]
pub fn without_signature(token: &str) -> Option<String> {
    let parts = Parts::of(token)?;
    Some(format!("{}.{}.", parts.header_for("none")?, parts.payload))
}

/// The token signed with HMAC, whose secret is the public key that the token names, as PEM: a verifier that takes the
/// algorithm from the token and hands its library the file of the key falls for it. `keys` is the pool's key set.
#[must_use]
pub fn with_public_secret(token: &str, keys: &Value) -> Option<String> {
    let parts = Parts::of(token)?;
    let kid = decoded(parts.header)?.get("kid")?.clone();
    let key = keys.get("keys")?.as_array()?.iter().find(|key| key.get("kid") == Some(&kid))?;
    let signed = format!("{}.{}", parts.header_for("HS256")?, parts.payload);
    let secret = hmac::Key::new(hmac::HMAC_SHA256, pem(key)?.as_bytes());
    Some(format!("{signed}.{}", encoded(hmac::sign(&secret, signed.as_bytes()))))
}

/// A public key as `openssl pkey -pubout` writes it.
fn pem(key: &Value) -> Option<String> {
    let number = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok();
    let key: PublicEncryptingKey = RsaPublicKeyComponents { n: number("n")?, e: number("e")? }.try_into().ok()?;
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(&key).ok()?;
    let text = BASE64_STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    Some(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")))
}

fn decoded(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::KeyPair as _;
    use serde_json::json;

    use super::*;

    /// A token, and the key set of who signed it.
    fn token() -> (String, Value) {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
        let number = |bytes: &[u8]| encoded(bytes);
        let key = json!({
            "kid": "K", "n": number(n.big_endian_without_leading_zero()), "e": number(e.big_endian_without_leading_zero()),
        });
        let header = encoded(json!({ "kid": "K", "alg": "RS256" }).to_string());
        let signed = format!("{header}.{}", encoded(json!({ "sub": "alice", "exp": 1 }).to_string()));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("it signs");
        (format!("{signed}.{}", encoded(signature)), json!({ "keys": [key] }))
    }

    #[test]
    fn each_forgery_changes_one_thing() {
        let (good, keys) = token();
        let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
        let [header, payload, signature] = parts(&good).try_into().expect("three parts");
        let strange = parts(&with_strange_signature(&good).expect("a token"));
        assert_eq!(strange[..2], [header.clone(), payload.clone()]);
        assert!(strange[2] != signature && strange[2].len() == signature.len());
        let bare = parts(&without_signature(&good).expect("a token"));
        assert_eq!((decoded(&bare[0]).expect("a header")["alg"].as_str(), bare[2].as_str()), (Some("none"), ""));
        assert_eq!(bare[1], payload);
        let tampered = parts(&with_other_subject(&good).expect("a token"));
        assert_eq!((&tampered[0], &tampered[2]), (&header, &signature));
        assert_eq!(claims(&tampered.join(".")).expect("claims")["sub"], NOBODY);
        let confused = parts(&with_public_secret(&good, &keys).expect("a token"));
        assert_eq!(
            decoded(&confused[0]).expect("a header"),
            *json!({ "alg": "HS256", "kid": "K" }).as_object().expect("one")
        );
        let secret = hmac::Key::new(hmac::HMAC_SHA256, pem(&keys["keys"][0]).expect("a key").as_bytes());
        let tag = BASE64_URL_SAFE_NO_PAD.decode(&confused[2]).expect("base64");
        assert!(hmac::verify(&secret, confused[..2].join(".").as_bytes(), &tag).is_ok());
    }

    #[test]
    fn a_public_key_is_written_as_openssl_does() {
        let (_, keys) = token();
        let pem = pem(&keys["keys"][0]).expect("a key");
        let lines: Vec<&str> = pem.lines().collect();
        assert_eq!((lines[0], lines[lines.len() - 1]), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        assert!(lines[1].starts_with("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"), "{pem}");
        assert!(lines[1..lines.len() - 1].iter().all(|line| line.len() <= 64));
    }

    #[test]
    fn what_is_no_token_is_not_forged() {
        for rubbish in ["", ".", "a.b", "a.b.c"] {
            assert!(with_other_subject(rubbish).is_none() && without_signature(rubbish).is_none(), "{rubbish}");
            assert!(with_public_secret(rubbish, &json!({ "keys": [] })).is_none(), "{rubbish}");
        }
    }
}
