//! What verifying a token costs beside the signature alone, which it cannot do without: it is to stay within a fifth.

use std::hint::black_box;
use std::time::SystemTime;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cognito_authorizer::{Config, KeySet, verify};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;

fn verification(criterion: &mut Criterion) {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
    let n = pair.public_key().modulus().big_endian_without_leading_zero().to_vec();
    let e = pair.public_key().exponent().big_endian_without_leading_zero().to_vec();
    let public = json!({ "kty": "RSA", "kid": "K", "alg": "RS256", "n": encoded(&n), "e": encoded(&e) });
    let keys = KeySet::read(json!({ "keys": [public] }).to_string().as_bytes()).expect("it is a key set");
    let variable = |name: &str| match name {
        "USER_POOL_ID" => Some("us-east-1_Ab1".to_owned()),
        "CLIENT_IDS" => Some("web".to_owned()),
        _ => None,
    };
    let config = Config::read(variable).expect("two variables are enough");
    let now = SystemTime::now();
    let message = message(&config.issuer, now);
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("signing works");
    let token = format!("{message}.{}", encoded(&signature));

    let mut group = criterion.benchmark_group("verify");
    let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
    let parsed = parsed.expect("it is a key");
    group.bench_function("signature alone", |bench| {
        bench.iter(|| parsed.verify_sig(black_box(message.as_bytes()), &signature).expect("it is right"));
    });
    group.bench_function("whole token", |bench| {
        bench.iter(|| verify(black_box(&token), &keys, &config, now).expect("it is good"));
    });
    group.finish();
}

/// Header and payload of an access token as Cognito makes them.
fn message(issuer: &str, now: SystemTime) -> String {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs();
    let header = json!({ "kid": "K", "alg": "RS256" });
    let payload = json!({
        "sub": "11111111-2222-4333-8444-555555555555", "cognito:groups": ["users", "admins"], "iss": issuer,
        "version": 2, "client_id": "web", "origin_jti": "a0000000-0000-4000-8000-000000000001",
        "token_use": "access", "scope": "openid profile email orders/read", "auth_time": now, "exp": now + 3_600,
        "iat": now, "jti": "a0000000-0000-4000-8000-000000000002", "username": "alice"
    });
    format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(payload.to_string().as_bytes()))
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

criterion_group!(benches, verification);
criterion_main!(benches);
