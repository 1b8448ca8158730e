//! Tokens that nobody should take.

use std::fs;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::project::Project;

/// The claims of a token.
pub(super) fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).expect("a token has three parts");
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).expect("its parts are base64");
    serde_json::from_slice(&json).expect("they hold JSON")
}

/// The token with other claims and the signature that it had.
pub(super) fn with_claims(token: &str, claims: &Value) -> String {
    let (header, rest) = token.split_once('.').expect("a token has three parts");
    let (_, signature) = rest.split_once('.').expect("a token has three parts");
    format!("{header}.{}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// The token with one letter of its signature changed.
pub(super) fn with_broken_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a token has three parts");
    let (first, rest) = signature.split_at(1);
    format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" })
}

/// The token with other claims, signed as its pool would: the embedded cloud's keys lie in its state.
pub(super) fn resigned(project: &Project, token: &str, claims: &Value) -> String {
    let state = fs::read(project.path().join(".stackgen/local/account.json")).expect("the cloud has state");
    let state: Value = serde_json::from_slice(&state).expect("its state is JSON");
    let kid = part(token, 0)["kid"].clone();
    let key = private_key(&state, &kid).expect("the pool's key is in the state");
    let pair = KeyPair::from_pkcs8(&BASE64_STANDARD.decode(key).expect("it is base64")).expect("it is a key");
    let unsigned = with_claims(token, claims);
    let (signed, _) = unsigned.rsplit_once('.').expect("a token has three parts");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("it signs");
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn private_key<'a>(state: &'a Value, kid: &Value) -> Option<&'a str> {
    match state {
        Value::Object(members) if members.get("kid") == Some(kid) => members.get("pkcs8").and_then(Value::as_str),
        Value::Object(members) => members.values().find_map(|value| private_key(value, kid)),
        Value::Array(items) => items.iter().find_map(|value| private_key(value, kid)),
        _ => None,
    }
}
