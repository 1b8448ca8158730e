//! Which tokens count.

use std::time::Duration;

/// Longest difference of clocks that may be configured.
const MOST_LEEWAY: Duration = Duration::from_mins(5);

/// Why the environment describes no authorizer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Misconfigured {
    /// A variable that has no default is not set.
    #[error("`{0}` is not set")]
    Missing(&'static str),
    /// A variable has a value that nobody could obey.
    #[error("`{name}` is `{value}`, which is not {expected}")]
    Unreadable { name: &'static str, value: String, expected: &'static str },
    /// There are no root certificates to trust, or no such address.
    #[error("the pool's keys could never be fetched: {0}")]
    Client(String),
}

/// Which of a pool's tokens are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// Access tokens: what a client may do for its user.
    Access,
    /// ID tokens: who the user is.
    Id,
    /// Both.
    Any,
}

/// Which tokens count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who has to have issued them.
    pub issuer: String,
    /// Where the issuer publishes its keys.
    pub jwks_url: String,
    /// The app clients that they may have been issued to.
    pub client_ids: Vec<String>,
    /// Which of both kinds.
    pub token_use: TokenUse,
    /// Scopes of which one is needed; none is where the list is empty.
    pub scopes: Vec<String>,
    /// Groups of which one is needed; none is where the list is empty.
    pub groups: Vec<String>,
    /// How far clocks may be apart.
    pub leeway: Duration,
}

impl Config {
    /// Reads the variables of an environment.
    ///
    /// # Errors
    /// [`Misconfigured`] says which variable is wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let set = |name: &'static str| variable(name).filter(|value| !value.is_empty());
        let pool = set("USER_POOL_ID").ok_or(Misconfigured::Missing("USER_POOL_ID"))?;
        let issuer = issuer(&pool).ok_or_else(|| unreadable("USER_POOL_ID", &pool, "the id of a user pool"))?;
        let endpoint = set("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER").or_else(|| set("AWS_ENDPOINT_URL"));
        // An emulator's keys are its own, but its tokens are issued as they would be on AWS.
        let place = endpoint.map(|endpoint| format!("{}/{pool}", endpoint.trim_end_matches('/')));
        let jwks_url = format!("{}/.well-known/jwks.json", place.as_ref().unwrap_or(&issuer));
        let client_ids = list(set("CLIENT_IDS"));
        if client_ids.is_empty() {
            return Err(Misconfigured::Missing("CLIENT_IDS"));
        }
        Ok(Self {
            issuer,
            jwks_url,
            client_ids,
            token_use: token_use(set("TOKEN_USE"))?,
            scopes: list(set("REQUIRED_SCOPES")),
            groups: list(set("REQUIRED_GROUPS")),
            leeway: leeway(set("LEEWAY_SECONDS"))?,
        })
    }
}

/// `https://cognito-idp.{region}.amazonaws.com/{pool}`.
fn issuer(pool: &str) -> Option<String> {
    let (region, id) = pool.split_once('_')?;
    let plain = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    let is_pool = plain(region, "-") && plain(id, "");
    is_pool.then(|| format!("https://cognito-idp.{region}.amazonaws.com{suffix}/{pool}"))
}

fn list(value: Option<String>) -> Vec<String> {
    let value = value.unwrap_or_default();
    value.split([',', ' ']).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn token_use(value: Option<String>) -> Result<TokenUse, Misconfigured> {
    match value.as_deref() {
        None | Some("access") => Ok(TokenUse::Access),
        Some("id") => Ok(TokenUse::Id),
        Some("any") => Ok(TokenUse::Any),
        Some(other) => Err(unreadable("TOKEN_USE", other, "`access`, `id` or `any`")),
    }
}

fn leeway(value: Option<String>) -> Result<Duration, Misconfigured> {
    let Some(value) = value else { return Ok(Duration::from_secs(5)) };
    let seconds = value.parse().ok().map(Duration::from_secs).filter(|leeway| *leeway <= MOST_LEEWAY);
    seconds.ok_or_else(|| unreadable("LEEWAY_SECONDS", &value, "a number of seconds up to 300"))
}

fn unreadable(name: &'static str, value: &str, expected: &'static str) -> Misconfigured {
    Misconfigured::Unreadable { name, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Config, Misconfigured, TokenUse};

    fn read(variables: &[(&str, &str)]) -> Result<Config, Misconfigured> {
        let defaults = [("USER_POOL_ID", "eu-west-1_Ab1"), ("CLIENT_IDS", "web")];
        Config::read(|name| {
            let all = variables.iter().chain(&defaults);
            all.clone().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn two_variables_are_enough() {
        let config = read(&[]).expect("they are right");
        assert_eq!(config.issuer, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1");
        assert_eq!(config.jwks_url, format!("{}/.well-known/jwks.json", config.issuer));
        assert_eq!((config.token_use, config.leeway), (TokenUse::Access, Duration::from_secs(5)));
        assert_eq!((config.client_ids.as_slice(), config.scopes.len()), (&["web".to_owned()][..], 0));
    }

    #[test]
    fn an_emulator_has_its_own_keys_and_the_issuer_of_aws() {
        let emulated = [("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/")];
        let config = read(&emulated).expect("they are right");
        assert_eq!(config.jwks_url, "http://127.0.0.1:4566/eu-west-1_Ab1/.well-known/jwks.json");
        assert_eq!(config.issuer, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1");
        let own = [emulated[0], ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://127.0.0.1:1")];
        assert!(read(&own).expect("they are right").jwks_url.starts_with("http://127.0.0.1:1/"));
    }

    #[test]
    fn china_has_an_issuer_of_its_own() {
        let config = read(&[("USER_POOL_ID", "cn-north-1_Ab1")]).expect("they are right");
        assert_eq!(config.issuer, "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Ab1");
    }

    #[test]
    fn lists_are_apart_by_commas_or_spaces() {
        let config = read(&[("CLIENT_IDS", "a,b c, d"), ("REQUIRED_SCOPES", "api/read api/write")]);
        let config = config.expect("they are right");
        assert_eq!(config.client_ids, ["a", "b", "c", "d"]);
        assert_eq!(config.scopes, ["api/read", "api/write"]);
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused() {
        let wrong = [
            ("USER_POOL_ID", ""),
            ("USER_POOL_ID", "Ab1"),
            ("USER_POOL_ID", "evil.example/_x"),
            ("USER_POOL_ID", "eu-west-1_../x"),
            ("CLIENT_IDS", " , "),
            ("TOKEN_USE", "refresh"),
            ("LEEWAY_SECONDS", "-1"),
            ("LEEWAY_SECONDS", "301"),
            ("LEEWAY_SECONDS", "soon"),
        ];
        for (name, value) in wrong {
            assert!(read(&[(name, value)]).is_err(), "{name}={value}");
        }
    }
}
