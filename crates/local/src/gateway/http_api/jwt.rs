//! JWT authorizers: is this token one of the issuer's, for this API, and good now?
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::answer::Refusal;
use super::call::Call;
use super::event::{Identity, source};
use crate::apigatewayv2::{Authorizer, JwtConfiguration};
use crate::cloud::Cloud;
use crate::gateway::keys::{KeySet, Unreachable};
use crate::gateway::token::{Invalid, Times, Token, bearer, scopes, text};

/// Why a token does not open a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// There is none.
    Missing,
    /// It is not valid: what is wrong, as AWS words it where that is known.
    Invalid(String),
    /// It has none of the scopes that the route asks for.
    Scopes,
}

impl Problem {
    /// The gateway's answer on a route with these scopes.
    pub(super) fn refusal(&self, scopes: &[String]) -> Refusal {
        let listed = scopes.join(" ");
        match self {
            Self::Missing => Refusal::Unauthorized(Some("Bearer".to_owned())),
            Self::Invalid(reason) => Refusal::Unauthorized(Some(format!(
                "Bearer scope=\"{listed}\" error=\"invalid_token\" error_description=\"{reason}\""
            ))),
            Self::Scopes => Refusal::Forbidden(Some(format!(
                "Bearer scope=\"{listed}\" error=\"insufficient_scope\" error_description=\"expected scopes: [{listed}]\""
            ))),
        }
    }

    /// As access logs have it.
    pub(super) fn logged(&self, scopes: &[String]) -> String {
        match self {
            Self::Missing => "missing: token not provided".to_owned(),
            Self::Invalid(reason) => format!("invalid_token: {reason}"),
            Self::Scopes => format!("insufficient_scope: expected scopes: [{}]", scopes.join(" ")),
        }
    }
}

impl From<Invalid> for Problem {
    fn from(Invalid(reason): Invalid) -> Self {
        Self::Invalid(reason)
    }
}

/// Who presents the token of this call.
pub(super) async fn authorize(
    cloud: &Cloud,
    call: &Call,
    authorizer: &Authorizer,
    scopes: &[String],
) -> Result<Identity, Problem> {
    let configuration = authorizer.jwt_configuration.as_ref().ok_or_else(|| invalid("no issuer is configured"))?;
    let issuer = configuration.issuer.as_deref().unwrap_or_default();
    let expression = authorizer.identity_source.first().ok_or(Problem::Missing)?;
    let presented = source(call, expression).ok_or(Problem::Missing)?;
    let token = Token::read(bearer(&presented))?;
    let keys = cloud.gateway().keys.of(cloud, issuer, &token.key).await.map_err(unreachable)?;
    let claims = verified(&token, &keys, configuration, call.time)?;
    identity(&claims, scopes)
}

/// The claims of a token that its issuer signed, for one of the audience, and that is good now.
fn verified(
    token: &Token,
    keys: &KeySet,
    configuration: &JwtConfiguration,
    now: OffsetDateTime,
) -> Result<Map<String, Value>, Problem> {
    let key = keys.key(&token.key).ok_or_else(|| invalid("unable to find the key that signed the token"))?;
    token.verify(key)?;
    let claims = token.claims()?;
    check_times(&claims, now)?;
    check_issuer(&claims, configuration.issuer.as_deref().unwrap_or_default())?;
    check_audience(&claims, configuration)?;
    Ok(claims)
}

/// The claims of a token that a JWT authorizer lets pass: the decision alone, without a request around it.
///
/// `jwks` is the issuer's JSON Web Key Set (RFC 7517).
///
/// # Errors
/// Why the token is refused, as access logs have it.
pub fn verify(
    token: &str,
    jwks: &Value,
    issuer: &str,
    audience: &[String],
    now: OffsetDateTime,
) -> Result<Map<String, Value>, String> {
    let configuration = JwtConfiguration { audience: audience.to_vec(), issuer: Some(issuer.to_owned()) };
    Token::read(token)
        .map_err(Problem::from)
        .and_then(|token| verified(&token, &KeySet::read(jwks), &configuration, now))
        .map_err(|problem| problem.logged(&[]))
}

fn invalid(reason: &str) -> Problem {
    Problem::Invalid(reason.to_owned())
}

fn unreachable(what: Unreachable) -> Problem {
    match what {
        Unreachable::Discovery => invalid("OIDC discovery endpoint communication error"),
        Unreachable::Keys => invalid("JWKS communication error"),
    }
}

fn check_times(claims: &Map<String, Value>, now: OffsetDateTime) -> Result<(), Problem> {
    let times = Times::read(claims)?;
    if times.has_ended(now) {
        return Err(invalid("the token has expired"));
    }
    if times.has_not_begun(now) {
        return Err(invalid("the token is not valid yet"));
    }
    match times.is_of_the_future(now) {
        true => Err(invalid("the token was issued in the future")),
        false => Ok(()),
    }
}

fn check_issuer(claims: &Map<String, Value>, issuer: &str) -> Result<(), Problem> {
    match claims.get("iss").and_then(Value::as_str) == Some(issuer) {
        true => Ok(()),
        false => Err(invalid("the issuer of the token does not match the issuer of the authorizer")),
    }
}

/// `client_id`, which Cognito's access tokens have, counts only where there is no `aud`.
fn check_audience(claims: &Map<String, Value>, configuration: &JwtConfiguration) -> Result<(), Problem> {
    let expected =
        |value: &Value| value.as_str().is_some_and(|text| configuration.audience.iter().any(|own| own == text));
    let ours = match claims.get("aud") {
        Some(Value::Array(values)) => values.iter().any(expected),
        Some(value) => expected(value),
        None => claims.get("client_id").is_some_and(expected),
    };
    match ours {
        true => Ok(()),
        false => Err(invalid("the token does not have a valid audience")),
    }
}

fn identity(claims: &Map<String, Value>, wanted: &[String]) -> Result<Identity, Problem> {
    let scopes = (!wanted.is_empty()).then(|| scopes(claims));
    if scopes.as_ref().is_some_and(|scopes| !scopes.iter().any(|scope| wanted.contains(scope))) {
        return Err(Problem::Scopes);
    }
    let texts = claims.iter().filter(|(_, value)| !value.is_null());
    let claims = texts.map(|(name, value)| (name.clone(), text(value).into())).collect();
    Ok(Identity::Token { claims, scopes })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};
    use time::OffsetDateTime;

    use super::{Problem, check_audience, check_times, identity, text};
    use crate::apigatewayv2::JwtConfiguration;
    use crate::gateway::http_api::event::Identity;

    fn claims(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).expect("claims are an object")
    }

    #[test]
    fn aud_decides_where_it_exists() {
        let configuration = JwtConfiguration { audience: vec!["ours".into()], issuer: None };
        let accepted = |value| check_audience(&claims(value), &configuration).is_ok();
        assert!(accepted(json!({ "client_id": "ours" })));
        assert!(accepted(json!({ "aud": ["x", "ours"], "client_id": "x" })));
        assert!(!accepted(json!({ "aud": "x", "client_id": "ours" })));
        assert!(!accepted(json!({ "aud": null, "client_id": "ours" })));
        assert!(!accepted(json!({ "aud": "OURS" })));
        assert!(!accepted(json!({})));
    }

    #[test]
    fn a_token_is_good_from_its_start_to_its_end() {
        let now = OffsetDateTime::from_unix_timestamp(1_000).expect("it is a time");
        let good = |value| check_times(&claims(value), now).is_ok();
        assert!(good(json!({ "exp": 1_001, "nbf": 1_000, "iat": 1_000 })));
        assert!(good(json!({ "exp": 1_000.5 })));
        assert!(!good(json!({ "exp": 1_000 })));
        assert!(!good(json!({ "exp": 2_000, "nbf": 1_001 })));
        assert!(!good(json!({ "exp": 2_000, "iat": 1_001 })));
        assert!(!good(json!({ "exp": "2000" })));
        assert!(!good(json!({})));
    }

    #[test]
    fn claims_are_printed_as_text() {
        let claim = json!(["a", true, 1, null, { "b": ["c"] }]);
        assert_eq!(text(&claim), "[a true 1 <nil> map[b:[c]]]");
        let found = identity(&claims(json!({ "x": null, "y": 1 })), &[]).expect("no scope is asked for");
        let expected = claims(json!({ "y": "1" }));
        assert_eq!(found, Identity::Token { claims: expected, scopes: None });
    }

    #[test]
    fn one_scope_of_several_is_enough_and_must_be_whole() {
        let wanted = ["a/read".to_owned(), "a/write".to_owned()];
        assert!(identity(&claims(json!({ "scope": "openid a/read" })), &wanted).is_ok());
        assert!(identity(&claims(json!({ "scp": ["a/write"] })), &wanted).is_ok());
        assert_eq!(identity(&claims(json!({ "scope": "a/rea" })), &wanted), Err(Problem::Scopes));
        assert_eq!(identity(&claims(json!({})), &wanted), Err(Problem::Scopes));
    }
}
