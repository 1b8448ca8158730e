//! Tokens, good and bad, as cases describe them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use num_bigint::BigUint;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::{Unknown, data_file};

/// What tokens are made from.
pub(crate) struct Mint {
    keys: Value,
    fixtures: Value,
    cases: Vec<Value>,
}

/// A token as it is presented.
pub(crate) struct Coin {
    /// The token; `None` where a case presents none.
    pub(crate) token: Option<String>,
    /// Whether it comes without the name of its scheme.
    pub(crate) bare: bool,
}

impl Mint {
    /// The one whose keys and recipes lie beside the cases.
    pub(crate) fn open() -> Self {
        let recipes = data_file("jwt_cases.json");
        let cases = recipes.get("cases").and_then(Value::as_array).cloned().unwrap_or_default();
        Self { keys: data_file("jwt_keys.json")["keys"].clone(), fixtures: recipes["fixtures"].clone(), cases }
    }

    /// The token of a recipe, for an issuer and a client.
    pub(crate) fn token(&self, recipe: &Value, issuer: &str, client: &str) -> Result<Option<String>, Unknown> {
        let place = Place { issuer, client };
        let base = recipe["base"].as_str().unwrap_or_default();
        match base {
            "none" => return Ok(None),
            "literal" => return Ok(recipe["value"].as_str().map(str::to_owned)),
            _ => {}
        }
        let fixture = |name: &str| self.fixtures.get(name).cloned().unwrap_or_default();
        let mut header = place.merged(&fixture("base_header"), recipe.get("header"))?;
        let claims =
            fixture("base_claims").get(base).cloned().ok_or_else(|| Unknown::new(format!("claims `{base}`")))?;
        let claims = place.merged(&claims, recipe.get("claims"))?;
        if let Some(name) = header.get("jwk").and_then(Value::as_str).and_then(|name| name.strip_prefix("jwk:")) {
            header.insert("jwk".to_owned(), public(&self.keys[name]));
        }
        let sign = recipe.get("sign").cloned().unwrap_or_else(|| fixture("base_sign"));
        if let Some(algorithm) = sign.get("header_alg") {
            header.insert("alg".to_owned(), algorithm.clone());
        }
        let mutations = recipe.get("mutate").and_then(Value::as_array).cloned().unwrap_or_default();
        self.assembled(&header, &claims, &sign, &mutations).map(Some)
    }

    fn assembled(
        &self,
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
        sign: &Value,
        mutations: &[Value],
    ) -> Result<String, Unknown> {
        let dump = |members: &Map<String, Value>| Value::Object(members.clone()).to_string();
        let with = |members: &Map<String, Value>, more: &Value| {
            let mut members = members.clone();
            members.extend(more.as_object().cloned().unwrap_or_default());
            encoded(dump(&members))
        };
        let raw = mutations.iter().find(|mutation| mutation["op"] == "raw_payload");
        let payload = raw.and_then(|mutation| mutation["value"].as_str().map(str::to_owned));
        let head = encoded(dump(header));
        let body = encoded(payload.unwrap_or_else(|| dump(claims)));
        let signature = self.signature(sign, format!("{head}.{body}").as_bytes())?;
        let mut segments = vec![head.clone(), body, encoded(&signature)];
        let mut whole = None;
        for mutation in mutations {
            let number =
                |name: &str| mutation[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
            let value = mutation["value"].as_str().unwrap_or_default();
            let mut bytes = signature.clone();
            match mutation["op"].as_str().unwrap_or_default() {
                "raw_payload" => {}
                "drop_segment" => drop(segments.remove(number("index"))),
                "append_segment" => segments.push(value.to_owned()),
                "set_segment" => value.clone_into(&mut segments[number("index")]),
                "replace_header" => segments[0] = with(header, &mutation["set"]),
                "replace_payload" => segments[1] = with(claims, &mutation["set"]),
                "flip_signature_bit" => {
                    bytes[number("byte")] ^= 1;
                    segments[2] = encoded(&bytes);
                }
                "truncate_signature" => {
                    bytes.truncate(bytes.len() - number("bytes"));
                    segments[2] = encoded(&bytes);
                }
                "zero_signature" => segments[2] = encoded(vec![0; number("bytes")]),
                "swap_signature_with" => {
                    let other = with(claims, &mutation["claims"]);
                    segments[2] = encoded(self.signature(sign, format!("{head}.{other}").as_bytes())?);
                }
                "insert" => whole = Some(format!("{}.{value}{}", segments[0], segments[1..].join("."))),
                "to_flattened_json" => {
                    let [head, body, signature] = segments.as_slice() else { continue };
                    whole = Some(json!({ "protected": head, "payload": body, "signature": signature }).to_string());
                }
                other => return Err(Unknown::new(format!("mutation `{other}`"))),
            }
        }
        Ok(whole.unwrap_or_else(|| segments.join(".")))
    }

    fn signature(&self, sign: &Value, message: &[u8]) -> Result<Vec<u8>, Unknown> {
        let algorithm = sign["alg"].as_str().unwrap_or_default();
        let key = &self.keys[sign["key"].as_str().unwrap_or_default()];
        Ok(match algorithm {
            "none" => Vec::new(),
            "HS256" => {
                let secret = self.secret(sign["secret"].as_str().unwrap_or_default());
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message).as_ref().to_vec()
            }
            "RS256" => rsa(key, &digest::SHA256, message),
            "RS384" => rsa(key, &digest::SHA384, message),
            "RS512" => rsa(key, &digest::SHA512, message),
            "ES256" => {
                let point = [vec![4], bytes(key, "x"), bytes(key, "y")].concat();
                let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &bytes(key, "d"), &point);
                let signature = pair.expect("the key is one of P-256").sign(&SystemRandom::new(), message);
                signature.expect("signing works").as_ref().to_vec()
            }
            "EdDSA" => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&bytes(key, "d")).expect("the key is one of Ed25519");
                pair.sign(message).as_ref().to_vec()
            }
            _ => return Err(Unknown::new(format!("signing with `{algorithm}`"))),
        })
    }

    /// `pem:K1.public` is a key's public half as PEM, `jwk:K1.n` one of its members, all else the secret itself.
    fn secret(&self, secret: &str) -> Vec<u8> {
        if let Some(name) = secret.strip_prefix("pem:").and_then(|name| name.strip_suffix(".public")) {
            return pem(&self.keys[name]).into_bytes();
        }
        match secret.strip_prefix("jwk:").and_then(|name| name.split_once('.')) {
            Some((key, member)) => self.keys[key][member].as_str().unwrap_or_default().as_bytes().to_vec(),
            None => secret.as_bytes().to_vec(),
        }
    }

    /// The key set that an issuer of this variant publishes.
    pub(crate) fn key_set(&self, variant: &str) -> Result<Value, Unknown> {
        let key = |name: &str| public(&self.keys[name]);
        let with = |name: &str, member: &str, value: Option<&str>| {
            let mut key = key(name);
            let members = key.as_object_mut().expect("a key is an object");
            match value {
                Some(value) => drop(members.insert(member.to_owned(), value.into())),
                None => drop(members.remove(member)),
            }
            key
        };
        let secret = json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "OCT1", "alg": "HS256", "use": "sig" });
        let keys = match variant {
            "default" | "custom_uri" | "rotate_K1_then_K1K2" | "jwks_down" | "discovery_down" => {
                vec![key("K1"), key("K2")]
            }
            "single" => vec![key("K1")],
            "with_ec" => vec![key("K1"), key("EC1"), key("ED1"), secret],
            "with_noalg" => vec![key("K1"), with("K3", "alg", None)],
            "use_enc" => vec![with("K1", "use", Some("enc"))],
            "no_use" => vec![with("K1", "use", None)],
            "dup_kid" => vec![key("K1"), with("K2", "kid", Some("K1"))],
            "weak" => vec![key("K1"), key("WEAK")],
            _ => return Err(Unknown::new(format!("key set `{variant}`"))),
        };
        Ok(json!({ "keys": keys }))
    }

    /// The token that a few words describe, such as `scope='openid a/b'` or `id token, no prefix`.
    pub(crate) fn described(&self, words: &str, issuer: &str, client: &str) -> Result<Coin, Unknown> {
        if let Some(case) = self.cases.iter().find(|case| case["id"] == words) {
            let token = self.token(&case["token"], issuer, client)?;
            return Ok(Coin { token, bare: case["present"]["template"] == "{token}" });
        }
        let (recipe, bare) = recipe(words)?;
        Ok(Coin { token: self.token(&recipe, issuer, client)?, bare })
    }
}

/// The recipe that a few words describe, and whether the token goes without its scheme.
fn recipe(words: &str) -> Result<(Value, bool), Unknown> {
    let mut rest = words.to_owned();
    let mut take = |pattern: &str| {
        let pattern = Regex::new(pattern).expect("the pattern is one");
        let found = pattern.captures(&rest)?;
        let groups: Vec<String> =
            found.iter().map(|group| group.map_or_else(String::new, |group| group.as_str().to_owned())).collect();
        rest = pattern.replacen(&rest, 1, " ").into_owned();
        Some(groups)
    };
    let mut claims = Map::new();
    let mut recipe = json!({ "base": "access" });
    let bare = take(r"(?i)no prefix|without (a )?prefix|bare").is_some();
    if take(r"(?i)\bid[ -]token").is_some() {
        recipe["base"] = "id".into();
    }
    if let Some(scope) =
        take(r"scope='([^']*)'").or_else(|| take(r#"scope="([^"]*)""#)).or_else(|| take(r"scope=(\S+)"))
    {
        claims.insert("scope".to_owned(), scope[1].clone().into());
    }
    while let Some(claim) = take(r"claim '?([^\s:]+(?::[^\s:]+)?):(\S+)'?") {
        let value = serde_json::from_str(&claim[2]).unwrap_or_else(|_| claim[2].clone().into());
        claims.insert(claim[1].clone(), value);
    }
    if take(r"(?i)typed claims").is_some() {
        claims.insert("email_verified".to_owned(), true.into());
        claims.insert("cognito:groups".to_owned(), json!(["admin", "poweruser"]));
    }
    if take(r"(?i)expired").is_some() {
        claims.insert("exp".to_owned(), json!({ "$now": -60 }));
    }
    if take(r"(?i)not yet valid|future nbf|nbf in the future").is_some() {
        claims.insert("nbf".to_owned(), json!({ "$now": 3600 }));
    }
    if take(r"(?i)(wrong|other|foreign) (audience|aud|client(_id)?)( id)?").is_some() {
        let name = if recipe["base"] == "id" { "aud" } else { "client_id" };
        claims.insert(name.to_owned(), "somebody-else".into());
    }
    if take(r"(?i)(wrong|other|foreign) (issuer|iss|pool)").is_some() {
        claims.insert("iss".to_owned(), "https://issuer.example".into());
    }
    if take(r"(?i)tampered|bad signature|wrong signature").is_some() {
        recipe["mutate"] = json!([{ "op": "replace_payload", "set": { "sub": "somebody-else" } }]);
    }
    if take(r"(?i)garbage|random string|not[ -]a[ -]token|malformed|opaque").is_some() {
        recipe = json!({ "base": "literal", "value": "not-a-token" });
    } else {
        recipe["claims"] = Value::Object(claims);
    }
    let filler = ["valid", "access", "token", "with", "without", "a", "an", "the", "only", "plus", "and", "has", "of"];
    let unknown = rest.split([' ', ',', ';']).find(|word| !word.is_empty() && !filler.contains(word));
    match unknown {
        Some(word) => Err(Unknown::new(format!("`{word}` in the token `{words}`"))),
        None => Ok((recipe, bare)),
    }
}

/// What the variables of a recipe stand for.
struct Place<'a> {
    issuer: &'a str,
    client: &'a str,
}

impl Place<'_> {
    fn merged(&self, base: &Value, over: Option<&Value>) -> Result<Map<String, Value>, Unknown> {
        let mut members = base.as_object().cloned().unwrap_or_default();
        for (name, value) in over.and_then(Value::as_object).into_iter().flatten() {
            if value.get("$delete").is_some() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        members.into_iter().map(|(name, value)| Ok((name, self.resolved(&value)?))).collect()
    }

    fn resolved(&self, value: &Value) -> Result<Value, Unknown> {
        Ok(match value {
            Value::String(text) => text.replace("${ISSUER}", self.issuer).replace("${CLIENT_ID}", self.client).into(),
            Value::Array(items) => items.iter().map(|item| self.resolved(item)).collect::<Result<Vec<_>, _>>()?.into(),
            Value::Object(members) => match members.iter().next() {
                Some((marker, argument)) if members.len() == 1 && marker.starts_with('$') => {
                    self.marked(marker, argument)?
                }
                _ => {
                    let members = members.iter().map(|(name, value)| Ok((name.clone(), self.resolved(value)?)));
                    Value::Object(members.collect::<Result<Map<_, _>, Unknown>>()?)
                }
            },
            value => value.clone(),
        })
    }

    fn marked(&self, marker: &str, argument: &Value) -> Result<Value, Unknown> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let text = || self.resolved(argument).map(|value| value.as_str().unwrap_or_default().to_owned());
        Ok(match marker {
            "$now" => {
                let seconds = i64::try_from(now.as_secs()).expect("the time fits");
                (seconds + argument.as_i64().unwrap_or_default()).into()
            }
            "$now_float" => (now.as_secs_f64() + argument.as_f64().unwrap_or_default()).into(),
            "$upper_host" => {
                let text = text()?;
                let (scheme, rest) = text.split_once("://").unwrap_or_default();
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                format!("{scheme}://{}/{path}", host.to_uppercase()).into()
            }
            "$swapcase" => {
                let swap = |c: char| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
                text()?.chars().map(swap).collect::<String>().into()
            }
            _ => return Err(Unknown::new(format!("value marker `{marker}`"))),
        })
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(key: &Value, member: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(key[member].as_str().unwrap_or_default()).expect("a key's numbers are base64")
}

fn public(key: &Value) -> Value {
    let names = ["kty", "n", "e", "crv", "x", "y", "kid", "alg", "use"];
    let members = key.as_object().into_iter().flatten().filter(|(name, _)| names.contains(&name.as_str()));
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// A signature after PKCS #1 v1.5, worked out by hand: libraries refuse the weak key that one of the cases needs.
fn rsa(key: &Value, hash: &'static digest::Algorithm, message: &[u8]) -> Vec<u8> {
    let kind = match hash.output_len() {
        32 => 1,
        48 => 2,
        _ => 3,
    };
    let length = u8::try_from(hash.output_len()).expect("a digest is short");
    let name = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, kind];
    let info = [&[0x30, 0x11 + length, 0x30, 0x0d, 0x06, 0x09], &name[..], &[0x05, 0x00, 0x04, length]].concat();
    let info = [&info, digest::digest(hash, message).as_ref()].concat();
    let modulus = bytes(key, "n");
    let padding = vec![0xff; modulus.len() - info.len() - 3];
    let block = [&[0x00, 0x01], &padding[..], &[0x00], &info[..]].concat();
    let number = |bytes: &[u8]| BigUint::from_bytes_be(bytes);
    let signature = number(&block).modpow(&number(&bytes(key, "d")), &number(&modulus)).to_bytes_be();
    [vec![0; modulus.len() - signature.len()], signature].concat()
}

/// A public RSA key as PEM.
fn pem(key: &Value) -> String {
    let number = |member: &str| {
        let bytes = bytes(key, member);
        let sign: &[u8] = if bytes.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
        der(0x02, &[sign, &bytes].concat())
    };
    let numbers = der(0x30, &[number("n"), number("e")].concat());
    let rsa = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let info = der(0x30, &[rsa.to_vec(), der(0x03, &[&[0], &numbers[..]].concat())].concat());
    let text = STANDARD.encode(info);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut encoded = vec![tag];
    if content.len() >= 0x80 {
        encoded.push(0x80 | u8::try_from(length.len()).expect("a length is short"));
    }
    [encoded, length, content.to_vec()].concat()
}
