//! Is this token one of the pool's, for one of our clients, and good now? Pure: the caller brings keys and time.

use std::borrow::Cow;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::config::{Config, TokenUse};
use crate::jwks::KeySet;

/// Longest token that is looked at, in bytes.
const TOKEN_LIMIT: usize = 16 * 1024;

/// Why a token does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is longer than a token of Cognito can be.
    #[error("the token is too long")]
    Length,
    /// It is not three segments of base64url, of which the first two are JSON objects with all that is needed.
    #[error("the token cannot be read")]
    Form,
    /// It is signed with something else than RS256, or not at all.
    #[error("the token is not signed with RS256")]
    Algorithm,
    /// It asks to be understood in a way that nobody here knows (RFC 7515, section 4.1.11).
    #[error("the token has critical extensions")]
    Critical,
    /// Its key is none of the pool's, as far as they are known.
    #[error("the token's key is unknown")]
    Key,
    /// It was not signed with the key that it names.
    #[error("the signature is wrong")]
    Signature,
    /// Somebody else issued it.
    #[error("the token is another issuer's")]
    Issuer,
    /// It is an ID token where access tokens count, or the reverse, or neither.
    #[error("the token is for another use")]
    Use,
    /// It was issued to another client.
    #[error("the token is another client's")]
    Client,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come, or it was issued in the future.
    #[error("the token is not valid yet")]
    Early,
    /// This caller has none of the required scopes.
    #[error("the token has none of the required scopes")]
    Scope(String),
    /// This caller is in none of the required groups.
    #[error("the caller is in none of the required groups")]
    Group(String),
}

/// What a valid token says about its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The user, or the client that acts for itself.
    pub sub: Option<String>,
    /// The user's name.
    pub username: Option<String>,
    /// What the client may do, apart by spaces. ID tokens have none.
    pub scope: Option<String>,
    /// The user's groups.
    pub groups: Vec<String>,
    /// The client that the token was issued to.
    pub client_id: String,
}

impl Claims {
    /// Whom access logs name.
    pub(crate) fn principal(&self) -> String {
        self.sub.clone().unwrap_or_else(|| self.client_id.clone())
    }
}

/// The claims of a token that counts.
///
/// # Errors
/// [`Refusal`] says why it does not.
pub fn verify(token: &str, keys: &KeySet, config: &Config, now: SystemTime) -> Result<Claims, Refusal> {
    let payload = signed(token, keys)?;
    let payload: Payload = serde_json::from_slice(&payload).map_err(|_| Refusal::Form)?;
    payload.check_times(config, now)?;
    if payload.iss != config.issuer {
        return Err(Refusal::Issuer);
    }
    let claims = payload.claims(config)?;
    if !has_one(&config.scopes, claims.scope.iter().flat_map(|scope| scope.split(' '))) {
        return Err(Refusal::Scope(claims.principal()));
    }
    if !has_one(&config.groups, claims.groups.iter().map(String::as_str)) {
        return Err(Refusal::Group(claims.principal()));
    }
    Ok(claims)
}

/// Whether one of those that are wanted is there. Where none is wanted, nobody has to have it.
fn has_one<'a>(wanted: &[String], mut own: impl Iterator<Item = &'a str>) -> bool {
    wanted.is_empty() || own.any(|own| wanted.iter().any(|wanted| wanted == own))
}

/// The payload of a token (RFC 7515, compact) that one of these keys has signed with RS256.
///
/// # Errors
/// [`Refusal`] says why there is none.
pub fn signed(token: &str, keys: &KeySet) -> Result<Vec<u8>, Refusal> {
    if token.len() > TOKEN_LIMIT {
        return Err(Refusal::Length);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Form)?;
    let (header, payload) = message.split_once('.').ok_or(Refusal::Form)?;
    let header = decoded(header)?;
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Refusal::Form)?;
    if header.alg != "RS256" {
        return Err(Refusal::Algorithm);
    }
    if header.crit {
        return Err(Refusal::Critical);
    }
    let (payload, signature) = (decoded(payload)?, decoded(signature)?);
    keys.check(&header.kid, message.as_bytes(), &signature)?;
    Ok(payload)
}

/// A dot, a space, padding or a letter of the other base64 in a segment is none of it.
fn decoded(segment: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Refusal::Form)
}

/// A token's header. Serde refuses a member that is there twice; keys that the header itself brings are not read.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Cow<'a, str>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// Whether a member is there, whatever it is.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// A token's claims, as far as they are read. Serde refuses one that is there twice, or of another type.
#[derive(Deserialize)]
struct Payload {
    iss: String,
    token_use: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    /// Access tokens may be for resource servers, which are nobody here.
    aud: Option<Value>,
    client_id: Option<String>,
    sub: Option<String>,
    username: Option<String>,
    #[serde(rename = "cognito:username")]
    cognito_username: Option<String>,
    scope: Option<String>,
    #[serde(default, rename = "cognito:groups")]
    groups: Vec<String>,
}

impl Payload {
    fn check_times(&self, config: &Config, now: SystemTime) -> Result<(), Refusal> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let leeway = config.leeway.as_secs_f64();
        if self.exp + leeway <= now {
            return Err(Refusal::Expired);
        }
        let is_early = [self.nbf, self.iat].into_iter().flatten().any(|start| start > now + leeway);
        if is_early { Err(Refusal::Early) } else { Ok(()) }
    }

    /// Access tokens name their client in `client_id`, ID tokens in `aud`.
    fn claims(self, config: &Config) -> Result<Claims, Refusal> {
        let client_id = match (self.token_use.as_str(), config.token_use) {
            ("access", TokenUse::Access | TokenUse::Any) => self.client_id,
            ("id", TokenUse::Id | TokenUse::Any) => self.aud.as_ref().and_then(Value::as_str).map(str::to_owned),
            _ => return Err(Refusal::Use),
        };
        let client_id = client_id.filter(|id| config.client_ids.contains(id)).ok_or(Refusal::Client)?;
        let username = self.username.or(self.cognito_username);
        Ok(Claims { sub: self.sub, username, scope: self.scope, groups: self.groups, client_id })
    }
}
