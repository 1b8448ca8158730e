//! Whatever a pool signs, only claims that hold open the door: two readings of the same payload agree.
//!
//! `cargo +nightly fuzz run cognito_claims`

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cognito_authorizer::{Config, KeySet, verify};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const NOW: u64 = 1_000_000_000;

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).expect("a key can be made"));

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let public = KEY.public_key();
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (n, e) = (public.modulus(), public.exponent());
    let n = number(n.big_endian_without_leading_zero());
    let e = number(e.big_endian_without_leading_zero());
    let key = json!({ "kty": "RSA", "kid": "K", "n": n, "e": e });
    KeySet::read(json!({ "keys": [key] }).to_string().as_bytes()).expect("it is a key set")
});

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let variable = |name: &str| match name {
        "USER_POOL_ID" => Some("us-east-1_Ab1".to_owned()),
        "CLIENT_IDS" => Some("web".to_owned()),
        "TOKEN_USE" => Some("any".to_owned()),
        "REQUIRED_SCOPES" => Some("a/read".to_owned()),
        "LEEWAY_SECONDS" => Some("0".to_owned()),
        _ => None,
    };
    Config::read(variable).expect("the variables are right")
});

fuzz_target!(|payload: &[u8]| {
    // Signing takes a thousand times as long as reading: it is left out for what cannot be read.
    let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(payload) else { return };
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"K"}"#), URL_SAFE_NO_PAD.encode(payload));
    let mut signature = vec![0; KEY.public_modulus_len()];
    KEY.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("signing works");
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(&signature));
    let Ok(verified) = verify(&token, &KEYS, &CONFIG, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)) else { return };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    assert_eq!(text("iss"), CONFIG.issuer);
    let client = if text("token_use") == "id" { "aud" } else { "client_id" };
    assert_eq!((text(client), verified.client_id.as_str()), ("web", "web"));
    assert!(claims["exp"].as_f64().is_some_and(|end| end > NOW as f64));
    assert!(text("scope").split(' ').any(|scope| scope == "a/read"));
});
