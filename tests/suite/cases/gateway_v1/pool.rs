//! Tokens of a user pool: those of the mint, signed anew with the pool's own key, which lies in the cloud's state.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::cases::Unknown;
use crate::cases::mint::Mint;
use crate::cases::setup::{Standing, World};

/// What the header of a request holds for the token that a few words describe.
pub(super) async fn token(
    world: &World,
    standing: &Standing,
    mint: &Mint,
    words: &str,
) -> Result<Option<String>, Unknown> {
    let output = |name: &str| standing.outputs.get(name).ok_or_else(|| Unknown::new("the set-up has no user pool"));
    let (pool, client) = (output("Pool")?, output("Client")?);
    let known = documents(world, pool).await;
    let issuer = known["issuer"].as_str().expect("the pool says who it is");
    let coin = mint.described(words, issuer, client)?;
    let Some(token) = coin.token else { return Ok(None) };
    let state = std::fs::read(world.cloud.cloud.data().join("account.json")).expect("the cloud has state");
    let state: Value = serde_json::from_slice(&state).expect("its state is JSON");
    let kid = &known["kid"];
    let key = private_key(&state, kid).expect("the pool's key is in the state");
    let signed = signed(&token, kid, key);
    Ok(Some(if coin.bare { signed } else { format!("Bearer {signed}") }))
}

/// The pool's issuer, and the id of its first key, which is made now at the latest.
async fn documents(world: &World, pool: &str) -> Value {
    let document = async |name: &str| -> Value {
        let url = format!("{}/{pool}/.well-known/{name}", world.cloud.endpoint);
        let answer = reqwest::get(url).await.expect("the cloud answers");
        answer.json().await.expect("the document is JSON")
    };
    let keys = document("jwks.json").await;
    let configuration = document("openid-configuration").await;
    json!({ "issuer": configuration["issuer"], "kid": keys["keys"][0]["kid"] })
}

/// A token with the same claims, under the pool's key. What is no token stays as it is.
fn signed(token: &str, kid: &Value, key: &str) -> String {
    let [_, claims, _] = token.split('.').collect::<Vec<_>>()[..] else { return token.to_owned() };
    let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "kid": kid, "alg": "RS256" }).to_string());
    let text = format!("{header}.{claims}");
    let pair = KeyPair::from_pkcs8(&BASE64_STANDARD.decode(key).expect("it is base64")).expect("it is a key");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("it signs");
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn private_key<'a>(state: &'a Value, kid: &Value) -> Option<&'a str> {
    match state {
        Value::Object(members) if members.get("kid") == Some(kid) => members.get("pkcs8").and_then(Value::as_str),
        Value::Object(members) => members.values().find_map(|value| private_key(value, kid)),
        Value::Array(items) => items.iter().find_map(|value| private_key(value, kid)),
        _ => None,
    }
}
