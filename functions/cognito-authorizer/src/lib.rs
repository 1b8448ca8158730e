//! A Lambda authorizer that lets callers pass whose token a Cognito user pool has signed, and tells the integration who
//! they are.
//!
//! | variable | what it says |
//! |---|---|
//! | `USER_POOL_ID` | the pool, such as `us-east-1_aBcDeFgHi` |
//! | `CLIENT_IDS` | the app clients whose tokens count, apart by commas or spaces |
//! | `TOKEN_USE` | `access` (the default), `id`, or `any` |
//! | `REQUIRED_SCOPES` | scopes of which an access token needs one |
//! | `REQUIRED_GROUPS` | groups of which the caller has to be in one |
//! | `LEEWAY_SECONDS` | how far the clocks of Cognito and this function may be apart: 5, at most 300 |
//!
//! All are checked by [`verify()`], which is pure. What it decides counts for every route of the API, because the gateway
//! caches it for all of them: where routes need different scopes, give each its own function, or ask for
//! the scopes in the function behind the route, to which they are told.
//!
//! A token that is not valid is answered by `Unauthorized` (401), one without the scope or group by a policy that denies
//! (403). See <https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html>.

mod config;
mod jwks;
mod pool;
mod verify;

use std::time::SystemTime;

use authorizer::{Caller, Error, Event, Question, Settings, Verdict};
use serde_json::Value;

pub use config::{Config, Misconfigured, TokenUse};
pub use jwks::KeySet;
pub use pool::{LIMITS, Pool};
pub use verify::{Claims, Refusal, signed, verify};

/// The authorizer and what it remembers between calls.
pub struct Authorizer {
    settings: Settings,
    config: Config,
    pool: Pool,
}

impl Authorizer {
    /// The one that the environment of the function describes.
    ///
    /// # Errors
    /// [`Misconfigured`] says which variable is wrong.
    pub fn from_environment() -> Result<Self, Misconfigured> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// The one that these variables describe.
    ///
    /// # Errors
    /// [`Misconfigured`] says which variable is wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let config = Config::read(&variable)?;
        let pool = Pool::new(&config.jwks_url)?;
        Ok(Self { settings: Settings::read(variable), config, pool })
    }

    /// Answers one event.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] for a token that is not valid, [`Error::Event`] for what is no authorizer's event, and
    /// [`Error::Unavailable`] where the pool's keys are not known.
    pub async fn answer(&self, event: &Event) -> Result<Value, Error> {
        let question = Question::read(event, &self.settings)?;
        let verdict = match question.token() {
            None => Verdict::Unauthorized,
            Some(token) => verdict(self.verified(token, SystemTime::now()).await?),
        };
        question.answer(&verdict)
    }

    /// Verifies a token with the keys that are known, and again with those that the pool has now where they do not
    /// suffice.
    async fn verified(&self, token: &str, now: SystemTime) -> Result<Result<Claims, Refusal>, Error> {
        match self.pool.fresh(now).map(|keys| verify(token, &keys, &self.config, now)) {
            Some(verified) if verified != Err(Refusal::Key) => Ok(verified),
            _ => {
                self.pool.refresh(now).await;
                let keys = self.pool.usable(now).ok_or(Error::Unavailable)?;
                Ok(verify(token, &keys, &self.config, now))
            }
        }
    }
}

fn verdict(verified: Result<Claims, Refusal>) -> Verdict {
    match verified {
        Ok(claims) => Verdict::Allow(caller(claims)),
        Err(Refusal::Scope(principal) | Refusal::Group(principal)) => Verdict::Deny(principal),
        Err(_) => Verdict::Unauthorized,
    }
}

/// What the integration is told. Names of groups may hold commas, but no spaces.
fn caller(claims: Claims) -> Caller {
    let groups = (!claims.groups.is_empty()).then(|| claims.groups.join(" "));
    Caller::new(claims.principal())
        .with("sub", claims.sub)
        .with("username", claims.username)
        .with("scope", claims.scope)
        .with("groups", groups)
        .with("client_id", Some(claims.client_id))
}
