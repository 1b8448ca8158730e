//! A Lambda authorizer that lets callers pass who know a token: the one that Secrets Manager keeps.
//!
//! `API_TOKEN_SECRET` is the ARN of the secret, whose text is the token. Where a REQUEST event holds the caller's token
//! and how HTTP APIs are answered is said by the variables of [`Settings`].
//!
//! A token that is not the right one is answered by a policy that denies (403), which the gateway caches like one that
//! allows, so that trying it again costs nothing. An event without any token is answered by `Unauthorized` (401).
//!
//! A new secret counts from the first call that presents it, and for others within [`LIMITS`]; after a wrong token only
//! when the pause of these is over. The gateway caches policies by the caller's token, so the old one may pass until the
//! authorizer's result TTL is over too, and one that was tried too early stays refused as long.

mod secret;

use std::time::{Duration, SystemTime};

use authorizer::{Caller, Error, Event, Limits, Question, Settings, Verdict};
use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::Client;
use serde_json::Value;

pub use secret::Secret;

/// How long the secret is remembered: five minutes, an hour when Secrets Manager does not answer; and how long it is not
/// asked again after a token was wrong.
pub const LIMITS: Limits =
    Limits { lifetime: Duration::from_mins(5), outage: Duration::from_hours(1), pause: Duration::from_secs(10) };

/// How long Secrets Manager may take, tries included. The gateway waits ten seconds for an authorizer.
const TIMEOUT: Duration = Duration::from_secs(4);

/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Whom access logs name. The tokens of API Gateway's own examples name the token here: this one stays unsaid.
const PRINCIPAL: &str = "token";

/// The environment lacks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`API_TOKEN_SECRET` is not set: it is the ARN of the secret that holds the token")]
pub struct NoSecret;

/// The authorizer and what it remembers between calls.
pub struct Authorizer {
    settings: Settings,
    secret: Secret,
}

impl Authorizer {
    /// The one that the environment of the function describes.
    ///
    /// # Errors
    /// [`NoSecret`] where the environment names none.
    pub async fn from_environment() -> Result<Self, NoSecret> {
        let variable = |name: &str| std::env::var(name).ok();
        let id = variable("API_TOKEN_SECRET").filter(|id| !id.is_empty()).ok_or(NoSecret)?;
        let timeouts = TimeoutConfig::builder().operation_timeout(TIMEOUT).operation_attempt_timeout(TRY_TIMEOUT);
        let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts.build()).load().await;
        Ok(Self::new(Settings::read(variable), Secret::new(Client::new(&config), id)))
    }

    /// One with these settings that compares with this secret.
    pub fn new(settings: Settings, secret: Secret) -> Self {
        Self { settings, secret }
    }

    /// Answers one event.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] without a token, [`Error::Event`] for what is no authorizer's event, and
    /// [`Error::Unavailable`] where the secret is not known.
    pub async fn answer(&self, event: &Event) -> Result<Value, Error> {
        let question = Question::read(event, &self.settings)?;
        let verdict = match question.token() {
            None => Verdict::Unauthorized,
            Some(token) => match self.secret.is(token, SystemTime::now()).await? {
                true => Verdict::Allow(Caller::new(PRINCIPAL)),
                false => Verdict::Deny(PRINCIPAL.to_owned()),
            },
        };
        question.answer(&verdict)
    }
}
