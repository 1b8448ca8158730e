//! Tokens: are they of the form, and did this key sign them?

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::keys::Key;

/// What is wrong with a token, as AWS words it where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invalid(pub(super) String);

fn invalid(reason: &str) -> Invalid {
    Invalid(reason.to_owned())
}

/// What is presented without the name of the scheme, which may be left out.
pub(super) fn bearer(presented: &str) -> &str {
    match presented.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => presented.trim(),
    }
}

/// A token whose signature has not been verified.
#[derive(Debug)]
pub(super) struct Token<'a> {
    algorithm: &'static RsaParameters,
    algorithm_name: &'static str,
    /// Id of the key that it names.
    pub(super) key: String,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Reads a token without believing it.
    pub(super) fn read(text: &'a str) -> Result<Self, Invalid> {
        let segments: Vec<&str> = text.split('.').collect();
        let [header, payload, signature] = segments.as_slice() else {
            return Err(invalid("token contains an invalid number of segments"));
        };
        let header = object(header).ok_or_else(|| invalid("token header could not be decoded"))?;
        let (algorithm_name, algorithm) = algorithm(&header)?;
        let key = header.get("kid").and_then(Value::as_str).ok_or_else(|| invalid("token has no key id"))?.to_owned();
        if header.contains_key("crit") {
            return Err(invalid("token has critical extensions"));
        }
        let (signed, _) = text.rsplit_once('.').unwrap_or_default();
        let signature = URL_SAFE_NO_PAD.decode(signature);
        let signature = signature.map_err(|_| invalid("token signature could not be decoded"))?;
        Ok(Self { algorithm, algorithm_name, key, signed, payload, signature })
    }

    /// Whether the key signed it.
    pub(super) fn verify(&self, key: &Key) -> Result<(), Invalid> {
        if key.algorithm.as_deref().is_some_and(|algorithm| algorithm != self.algorithm_name) {
            return Err(invalid("the key is for another algorithm than the token"));
        }
        RsaPublicKeyComponents { n: &key.modulus, e: &key.exponent }
            .verify(self.algorithm, self.signed.as_bytes(), &self.signature)
            .map_err(|_| invalid("the token signature is invalid"))
    }

    /// What it claims.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, Invalid> {
        object(self.payload).ok_or_else(|| invalid("token claims could not be decoded"))
    }
}

/// RSA only, even where the issuer publishes other keys.
fn algorithm(header: &Map<String, Value>) -> Result<(&'static str, &'static RsaParameters), Invalid> {
    match header.get("alg").and_then(Value::as_str).unwrap_or_default() {
        "RS256" => Ok(("RS256", &RSA_PKCS1_2048_8192_SHA256)),
        "RS384" => Ok(("RS384", &RSA_PKCS1_2048_8192_SHA384)),
        "RS512" => Ok(("RS512", &RSA_PKCS1_2048_8192_SHA512)),
        // The name is the client's word and goes into a header, so only what is plain in it.
        other => {
            let plain: String = other.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
            Err(Invalid(format!("signing method {plain} is invalid")))
        }
    }
}

fn object(segment: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).ok()?).ok()
}

/// The times that a token claims, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    pub(super) expires: f64,
    pub(super) starts: Option<f64>,
    pub(super) issued: Option<f64>,
}

impl Times {
    /// Reads the times of a token, which must say when it ends.
    pub(super) fn read(claims: &Map<String, Value>) -> Result<Self, Invalid> {
        let time = |name: &str| match claims.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| Invalid(format!("{name} is not a number"))),
        };
        let expires = time("exp")?.ok_or_else(|| invalid("the token has no expiry"))?;
        Ok(Self { expires, starts: time("nbf")?, issued: time("iat")? })
    }

    pub(super) fn has_ended(&self, now: OffsetDateTime) -> bool {
        self.expires <= seconds(now)
    }

    pub(super) fn has_not_begun(&self, now: OffsetDateTime) -> bool {
        self.starts.is_some_and(|start| start > seconds(now))
    }

    pub(super) fn is_of_the_future(&self, now: OffsetDateTime) -> bool {
        self.issued.is_some_and(|issued| issued > seconds(now))
    }
}

fn seconds(time: OffsetDateTime) -> f64 {
    (time - OffsetDateTime::UNIX_EPOCH).as_seconds_f64()
}

/// The scopes that a token carries.
pub(super) fn scopes(claims: &Map<String, Value>) -> Vec<String> {
    match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Value::String(list)) => list.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A claim as the gateway prints it: lists look like `[a b]`, objects like `map[a:b]`.
pub(super) fn text(claim: &Value) -> String {
    match claim {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => claim.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(" ")),
        Value::Object(members) => {
            let members: Vec<String> = members.iter().map(|(name, value)| format!("{name}:{}", text(value))).collect();
            format!("map[{}]", members.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Invalid, Token, bearer};

    #[test]
    fn the_scheme_may_be_left_out() {
        assert_eq!(bearer("Bearer a.b.c"), "a.b.c");
        assert_eq!(bearer("bearer  a.b.c "), "a.b.c");
        assert_eq!(bearer("a.b.c"), "a.b.c");
        assert_eq!(bearer("Basic abc"), "Basic abc");
    }

    #[test]
    fn no_input_breaks_the_reader() {
        for token in ["", ".", "..", "...", "%%%.a.b", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "\u{1F600}.\u{0}.x"] {
            assert!(Token::read(token).is_err(), "{token}");
        }
    }

    #[test]
    fn the_name_of_an_algorithm_cannot_forge_a_header() {
        let header = "eyJhbGciOiJhXCJcclxuYiJ9"; // {"alg":"a\"\r\nb"}
        let problem = Token::read(&format!("{header}.e30.e30")).expect_err("it is no RSA algorithm");
        assert_eq!(problem, Invalid("signing method ab is invalid".to_owned()));
    }
}
