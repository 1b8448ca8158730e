//! Tokens that nobody should take, made of good ones.

use serde_json::Value;
use stackgen::deploy::tokens::forge;

/// The claims of a token.
pub(super) fn claims(token: &str) -> Value {
    Value::Object(forge::claims(token).expect("a token has claims"))
}

/// The token with other claims and the signature that it had.
pub(super) fn with_claims(token: &str, claims: &Value) -> String {
    let claims = claims.as_object().expect("claims are an object");
    forge::with_claims(token, claims.clone()).expect("a token has three parts")
}

/// The token with one letter of its signature changed.
pub(super) fn with_broken_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a token has three parts");
    let (first, rest) = signature.split_at(1);
    format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" })
}
