//! Whatever a token is, verifying it ends with a refusal: the fuzzer does not have the key. And whatever a pool
//! publishes is read without falling over.
//!
//! `cargo +nightly fuzz run cognito_token`

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use cognito_authorizer::{Config, KeySet, verify};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// The public key of the cases.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let keys: Value = serde_json::from_str(include_str!("../../tests/cases/jwt_keys.json")).unwrap_or_default();
    KeySet::read(json!({ "keys": [keys["keys"]["K1"]] }).to_string().as_bytes()).unwrap_or_default()
});

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let variable = |name: &str| match name {
        "USER_POOL_ID" => Some("us-east-1_Ab1".to_owned()),
        "CLIENT_IDS" => Some("web".to_owned()),
        _ => None,
    };
    Config::read(variable).expect("two variables are enough")
});

fuzz_target!(|text: &str| {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    assert!(verify(text, &KEYS, &CONFIG, now).is_err());
    if let Ok(keys) = KeySet::read(text.as_bytes()) {
        assert!(verify(text, &keys, &CONFIG, now).is_err());
    }
});
