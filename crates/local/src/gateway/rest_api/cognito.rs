//! Cognito authorizers: is this token one of the pool's, of the kind that the method asks for, and good now?
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enable-cognito-user-pool.html>.

use regex::Regex;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::Notes;
use super::call::Call;
use super::context::Identity;
use super::refusal::Refusal;
use crate::apigateway::Authorizer;
use crate::cloud::Cloud;
use crate::gateway::token::{Times, Token, bearer, scopes};

/// As REST APIs write the times of a token.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short] [month repr:short] [day] [hour]:[minute]:[second] UTC [year]");

const UNAUTHORIZED: Refusal = Refusal::Unauthorized("Unauthorized");

/// What is wrong with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    /// It was good once.
    Expired,
    /// Anything else: what, for the access log.
    Invalid(String),
}

/// Who presents the token of this call. A method without scopes takes ID tokens, one with scopes access tokens.
pub(super) async fn authorize(
    cloud: &Cloud,
    call: &Call,
    authorizer: &Authorizer,
    wanted: &[String],
    notes: &mut Notes,
) -> Result<Identity, Refusal> {
    let outcome = claims(cloud, call, authorizer, wanted).await;
    notes.authorizer_status = Some(if outcome.is_ok() { 200 } else { 401 });
    outcome.map(|claims| Identity::Claims(told(&claims))).map_err(|problem| match problem {
        Problem::Expired => {
            notes.authorizer_error = Some("the token has expired".to_owned());
            Refusal::Unauthorized("The incoming token has expired")
        }
        Problem::Invalid(reason) => {
            notes.authorizer_error = Some(reason);
            UNAUTHORIZED
        }
    })
}

async fn claims(
    cloud: &Cloud,
    call: &Call,
    authorizer: &Authorizer,
    wanted: &[String],
) -> Result<Map<String, Value>, Problem> {
    let name = authorizer.sources().first().and_then(|source| source.strip_prefix("method.request.header."));
    let presented = name.and_then(|name| call.header(name)).ok_or_else(|| invalid("there is no token"))?;
    let token = Token::read(bearer(&presented)).map_err(|problem| Problem::Invalid(problem.0))?;
    let claims = token.claims().map_err(|problem| Problem::Invalid(problem.0))?;
    let issuer = issuer(cloud, authorizer, &claims).ok_or_else(|| invalid("the token is of none of the pools"))?;
    let keys = cloud.gateway().keys.of(cloud, &issuer, &token.key).await;
    let keys = keys.map_err(|_| invalid("the pool has no keys"))?;
    let key = keys.key(&token.key).ok_or_else(|| invalid("unable to find the key that signed the token"))?;
    token.verify(key).map_err(|problem| Problem::Invalid(problem.0))?;
    check_times(&claims, call.time)?;
    check_use(&claims, authorizer, wanted)?;
    Ok(claims)
}

/// The issuer that a token names, if it is one of the authorizer's pools.
fn issuer(cloud: &Cloud, authorizer: &Authorizer, claims: &Map<String, Value>) -> Option<String> {
    let named = claims.get("iss")?.as_str()?;
    let pools = authorizer.provider_arns.iter().filter_map(|arn| arn.split_once(":userpool/"));
    cloud.read(|account| {
        let mut issuers = pools.filter_map(|(_, id)| Some(account.cognito.pool(id).ok()?.issuer()));
        issuers.find(|issuer| issuer == named)
    })
}

/// Unlike HTTP APIs, these do not look at when a token was issued: all that a pool signs, it signs at that time.
fn check_times(claims: &Map<String, Value>, now: OffsetDateTime) -> Result<(), Problem> {
    let times = Times::read(claims).map_err(|problem| Problem::Invalid(problem.0))?;
    if times.has_ended(now) {
        return Err(Problem::Expired);
    }
    match times.has_not_begun(now) {
        true => Err(invalid("the token is not valid yet")),
        false => Ok(()),
    }
}

fn check_use(claims: &Map<String, Value>, authorizer: &Authorizer, wanted: &[String]) -> Result<(), Problem> {
    let claim = |name: &str| claims.get(name).and_then(Value::as_str);
    if let Some(expression) = &authorizer.identity_validation_expression {
        let audience = claim("aud").ok_or_else(|| invalid("the token has no audience"))?;
        if !matches_whole(expression, audience) {
            return Err(invalid("the audience does not match"));
        }
    }
    let purpose = claim("token_use");
    if wanted.is_empty() {
        return if purpose == Some("id") { Ok(()) } else { Err(invalid("it is not an ID token")) };
    }
    if purpose != Some("access") {
        return Err(invalid("it is not an access token"));
    }
    match scopes(claims).iter().any(|scope| wanted.contains(scope)) {
        true => Ok(()),
        false => Err(invalid("none of the scopes is there")),
    }
}

/// Whether an expression matches a text from its beginning to its end, as Java's `matches` does.
pub(super) fn matches_whole(expression: &str, text: &str) -> bool {
    Regex::new(&format!("^(?:{expression})$")).is_ok_and(|expression| expression.is_match(text))
}

/// The claims as functions get them: text, lists joined by commas, times as words.
fn told(claims: &Map<String, Value>) -> Map<String, Value> {
    let told = claims.iter().filter(|(_, value)| !value.is_null());
    told.map(|(name, value)| (name.clone(), text(name, value).into())).collect()
}

fn text(name: &str, value: &Value) -> String {
    match (name, value) {
        ("exp" | "iat", Value::Number(seconds)) => {
            let time = seconds.as_i64().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
            time.and_then(|time| time.format(TIME).ok()).unwrap_or_else(|| seconds.to_string())
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(items)) => items.iter().map(|item| text("", item)).collect::<Vec<_>>().join(","),
        (_, value) => value.to_string(),
    }
}

fn invalid(reason: &str) -> Problem {
    Problem::Invalid(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};
    use time::OffsetDateTime;

    use super::{Problem, check_times, check_use, matches_whole, told};
    use crate::apigateway::Authorizer;

    fn claims(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).expect("claims are an object")
    }

    #[test]
    fn each_kind_of_token_opens_its_own_methods() {
        let open = |value: Value, wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|scope| (*scope).to_owned()).collect();
            check_use(&claims(value), &Authorizer::default(), &wanted).is_ok()
        };
        assert!(open(json!({ "token_use": "id" }), &[]));
        assert!(!open(json!({ "token_use": "access" }), &[]));
        assert!(!open(json!({}), &[]));
        assert!(open(json!({ "token_use": "access", "scope": "openid my/read" }), &["my/read", "x"]));
        assert!(!open(json!({ "token_use": "access", "scope": "my/reader" }), &["my/read"]));
        assert!(!open(json!({ "token_use": "id", "scope": "my/read" }), &["my/read"]));
    }

    #[test]
    fn a_validation_expression_is_about_the_whole_audience() {
        assert!(matches_whole("a|bc", "bc") && !matches_whole("a|bc", "abc") && !matches_whole("(", "("));
        let authorizer =
            Authorizer { identity_validation_expression: Some("client".to_owned()), ..Authorizer::default() };
        let open = |value: Value| check_use(&claims(value), &authorizer, &[]).is_ok();
        assert!(open(json!({ "token_use": "id", "aud": "client" })));
        assert!(!open(json!({ "token_use": "id", "aud": "client2" })));
        assert!(!open(json!({ "token_use": "id" })));
    }

    #[test]
    fn an_expired_token_is_told_apart() {
        let now = OffsetDateTime::from_unix_timestamp(1_000).expect("it is a time");
        assert_eq!(check_times(&claims(json!({ "exp": 1_001 })), now), Ok(()));
        assert_eq!(check_times(&claims(json!({ "exp": 1_000 })), now), Err(Problem::Expired));
        assert!(matches!(check_times(&claims(json!({ "exp": "x" })), now), Err(Problem::Invalid(_))));
        assert!(matches!(check_times(&claims(json!({ "exp": 2_000, "nbf": 1_001 })), now), Err(Problem::Invalid(_))));
        assert!(matches!(check_times(&claims(json!({})), now), Err(Problem::Invalid(_))));
    }

    #[test]
    fn claims_are_text() {
        let told = told(&claims(json!({ "email_verified": true, "cognito:groups": ["a", "b"], "exp": 0, "x": null })));
        let expected = json!({
            "email_verified": "true", "cognito:groups": "a,b", "exp": "Thu Jan 01 00:00:00 UTC 1970",
        });
        assert_eq!(Value::Object(told), expected);
    }
}
