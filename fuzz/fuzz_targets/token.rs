//! Whatever a token is, verifying it ends with a refusal: the fuzzer does not have the key.
//!
//! `cargo +nightly fuzz run token`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use stackgen::local::gateway::http_api::jwt;
use time::OffsetDateTime;

/// The public key of the cases.
static KEYS: LazyLock<Value> = LazyLock::new(|| {
    let keys: Value = serde_json::from_str(include_str!("../../tests/cases/jwt_keys.json")).unwrap_or_default();
    let public = keys.pointer("/keys/K1").cloned().unwrap_or_default();
    serde_json::json!({ "keys": [public] })
});

fuzz_target!(|token: &str| {
    let audience = ["client".to_owned()];
    let now = OffsetDateTime::UNIX_EPOCH;
    assert!(jwt::verify(token, &KEYS, "https://issuer.example.com", &audience, now).is_err());
});
