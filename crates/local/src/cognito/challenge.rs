//! Questions that stand between a password and tokens.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::cloud::Cloud;
use crate::cognito::attribute::Attributes;
use crate::cognito::fault::{self, invalid, not_authorized};
use crate::cognito::moment::Moment;
use crate::cognito::pool::UserPool;
use crate::cognito::sign_in::{Door, Parameters, Side, finish, first_factor, record, required};
use crate::cognito::srp::{Exchange, Verifier};
use crate::cognito::user::Status;
use crate::cognito::{custom, mfa};
use crate::hidden::Hidden;
use crate::wire::Fault;

/// What comes after the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The password was temporary.
    NewPassword,
    /// The user's authenticator app is asked.
    SecondFactor,
    /// The user must register an authenticator app first.
    SetUpFactor,
    /// Nothing more: tokens.
    Done,
}

/// A challenge that waits for its answer. It lives in memory only, since it is worth nothing in a few minutes.
#[derive(Debug, Clone)]
pub(crate) struct Challenge {
    pool: String,
    client: String,
    /// Nobody, where a stranger must not learn that there is no such user.
    pub(crate) username: Option<String>,
    pub(crate) kind: Kind,
    expires: Moment,
    used: bool,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// The proof that the client knows the password.
    Password {
        /// The name that went to the client.
        user_id: String,
        /// Our half of the exchange.
        exchange: Box<Exchange>,
        /// The rounds so far, where functions decide what comes next.
        custom: Option<Vec<Value>>,
    },
    /// A password of the user's own.
    NewPassword,
    /// A code of the authenticator app.
    Totp,
    /// An authenticator app.
    SetUpTotp {
        /// The secret that the app was told.
        secret: Option<Hidden<Vec<u8>>>,
        /// The app has shown that it knows it.
        verified: bool,
    },
    /// What a function made up.
    Custom {
        /// The rounds so far.
        rounds: Vec<Value>,
        /// What the function that checks the answer is told.
        private: Map<String, Value>,
        /// What the functions are told of this round later.
        metadata: Value,
    },
}

impl Kind {
    /// As the API names it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Password { .. } => "PASSWORD_VERIFIER",
            Self::NewPassword => "NEW_PASSWORD_REQUIRED",
            Self::Totp => "SOFTWARE_TOKEN_MFA",
            Self::SetUpTotp { .. } => "MFA_SETUP",
            Self::Custom { .. } => "CUSTOM_CHALLENGE",
        }
    }
}

impl Challenge {
    /// A challenge that may be answered for as long as the client says.
    pub(crate) fn new(door: &Door, username: Option<String>, kind: Kind, now: Moment) -> Self {
        let expires = now.after(door.client.settings.challenge_validity());
        Self { pool: door.pool.clone(), client: door.client.id.clone(), username, kind, expires, used: false }
    }

    /// The user, who must be one.
    pub(crate) fn user(&self) -> Result<&str, Fault> {
        self.username.as_deref().ok_or_else(fault::incorrect)
    }
}

/// The name of a new session, which nobody can guess.
pub(crate) fn session() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 48]>())
}

/// All challenges that wait. They are no part of the account: they end with the process, and what undoes a change to the
/// account must not undo them.
#[derive(Debug, Default)]
pub(crate) struct Challenges(Mutex<BTreeMap<String, Challenge>>);

impl Challenges {
    /// So many wait at most; beyond that the oldest are forgotten.
    const MOST: usize = 10_000;

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Challenge>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a challenge under its secret name.
    pub(crate) fn keep(&self, name: String, challenge: Challenge, now: Moment) {
        let mut all = self.all();
        all.retain(|_, known| now < known.expires);
        if all.len() >= Self::MOST {
            let oldest = all.iter().min_by_key(|(_, known)| known.expires).map(|(name, _)| name.clone());
            oldest.and_then(|name| all.remove(&name));
        }
        all.insert(name, challenge);
    }

    /// A challenge of this client, to look at.
    pub(crate) fn look(&self, name: &str, door: &Door, now: Moment) -> Result<Challenge, Fault> {
        self.all().get(name).ok_or_else(fault::no_session)?.checked(door, now).cloned()
    }

    /// A challenge of this client, to answer. It can be answered once.
    pub(crate) fn take(&self, name: &str, door: &Door, now: Moment) -> Result<Challenge, Fault> {
        let mut all = self.all();
        let known = all.get_mut(name).ok_or_else(fault::no_session)?;
        let challenge = known.checked(door, now)?.clone();
        known.used = true;
        Ok(challenge)
    }

    /// A challenge under its secret name alone: for requests that name no client.
    pub(crate) fn take_unbound(&self, name: &str, now: Moment) -> Result<Challenge, Fault> {
        let mut all = self.all();
        let known = all.get_mut(name).filter(|known| !known.used && now < known.expires);
        let known = known.ok_or_else(fault::no_session)?;
        known.used = true;
        Ok(known.clone())
    }

    /// Keeps the next challenge of the same sign-in, and names it.
    pub(crate) fn follow(&self, challenge: Challenge) -> String {
        let name = session();
        self.all().insert(name.clone(), Challenge { used: false, ..challenge });
        name
    }
}

impl Challenge {
    fn checked(&self, door: &Door, now: Moment) -> Result<&Self, Fault> {
        if self.pool != door.pool || self.client != door.client.id {
            return Err(fault::no_session());
        }
        if self.used {
            return Err(not_authorized("Invalid session for the user, session can only be used once."));
        }
        if now >= self.expires {
            return Err(not_authorized("Invalid session for the user, session is expired."));
        }
        Ok(self)
    }

    /// The pool that the user is of.
    pub(crate) fn pool(&self) -> &str {
        &self.pool
    }
}

/// A request of `RespondToAuthChallenge` or `AdminRespondToAuthChallenge`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Respond {
    client_id: String,
    challenge_name: String,
    user_pool_id: Option<String>,
    session: Option<String>,
    #[serde(default)]
    challenge_responses: Parameters,
    #[serde(default)]
    client_metadata: Map<String, Value>,
}

/// An answer to a challenge.
pub(crate) struct Answer {
    pub(crate) session: Option<String>,
    pub(crate) responses: Parameters,
}

impl Answer {
    /// One of the responses, which must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Fault> {
        required(&self.responses, name)
    }

    /// The session, which must be there.
    pub(crate) fn session(&self) -> Result<&str, Fault> {
        self.session.as_deref().ok_or_else(|| invalid("Missing required parameter Session"))
    }
}

/// Takes an answer, and poses the next challenge or hands out tokens.
pub(crate) async fn respond(cloud: &Cloud, request: Respond, side: Side) -> Result<Value, Fault> {
    let Respond { client_id, challenge_name, user_pool_id, session, challenge_responses, client_metadata } = request;
    let door = cloud
        .read(|account| Door::open(&account.cognito, &client_id, user_pool_id.as_deref(), client_metadata, side))?;
    let answer = Answer { session, responses: challenge_responses };
    let login = answer.required("USERNAME")?;
    door.client.check_secret(login, answer.responses.get("SECRET_HASH").map(String::as_str))?;
    match challenge_name.as_str() {
        "PASSWORD_VERIFIER" => password_verifier(cloud, &door, &answer).await,
        "NEW_PASSWORD_REQUIRED" => new_password(cloud, &door, &answer).await,
        "SOFTWARE_TOKEN_MFA" => mfa::respond(cloud, &door, &answer).await,
        "MFA_SETUP" => mfa::respond_set_up(cloud, &door, &answer).await,
        "CUSTOM_CHALLENGE" => custom::respond(cloud, &door, &answer).await,
        name => Err(invalid(format!("Challenge {name} is not offered by the local cloud."))),
    }
}

/// Takes the challenge that an answer is for, if the answer is from its user.
pub(crate) fn taken(cloud: &Cloud, door: &Door, name: &str, login: &str) -> Result<Challenge, Fault> {
    let challenge = cloud.challenges().take(name, door, cloud.now().into())?;
    door.read(cloud, |pool| check_owner(pool, &challenge, login))?;
    Ok(challenge)
}

/// Looks at the challenge that an answer is for, if the answer is from its user.
pub(crate) fn looked_at(cloud: &Cloud, door: &Door, name: &str, login: &str) -> Result<Challenge, Fault> {
    let challenge = cloud.challenges().look(name, door, cloud.now().into())?;
    door.read(cloud, |pool| check_owner(pool, &challenge, login))?;
    Ok(challenge)
}

fn check_owner(pool: &UserPool, challenge: &Challenge, login: &str) -> Result<(), Fault> {
    let told = matches!(&challenge.kind, Kind::Password { user_id, .. } if user_id == login);
    let named = pool.user(login).is_some_and(|user| challenge.username.as_deref() == Some(user.username.as_str()));
    if told || named { Ok(()) } else { Err(fault::no_session()) }
}

async fn password_verifier(cloud: &Cloud, door: &Door, answer: &Answer) -> Result<Value, Fault> {
    let block = answer.required("PASSWORD_CLAIM_SECRET_BLOCK")?;
    let signature = answer.required("PASSWORD_CLAIM_SIGNATURE")?;
    let timestamp = answer.required("TIMESTAMP")?;
    check_timestamp(timestamp)?;
    let challenge = taken(cloud, door, block, answer.required("USERNAME")?)?;
    let Kind::Password { user_id, exchange, custom } = &challenge.kind else { return Err(fault::no_session()) };
    let block = STANDARD.decode(block).map_err(|_| fault::no_session())?;
    let signature = STANDARD.decode(signature).unwrap_or_default();
    let right = exchange.proves(door.identity(user_id), &block, timestamp, &signature);
    let username = challenge.user()?;
    record(cloud, door, username, right)?;
    match custom {
        Some(rounds) => custom::after_password(cloud, door, username, rounds.clone()).await,
        None => first_factor(cloud, door, username).await,
    }
}

/// The proof covers the time, so its form is fixed. The session is what expires, not the client's clock.
fn check_timestamp(timestamp: &str) -> Result<(), Fault> {
    let form = format_description!(
        "[weekday repr:short] [month repr:short] [day padding:none] [hour]:[minute]:[second] UTC [year]"
    );
    let wrong = |_| invalid("TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english.");
    PrimitiveDateTime::parse(timestamp, form).map(|_| ()).map_err(wrong)
}

/// Takes a password of the user's own in the place of a temporary one.
pub(crate) async fn new_password(cloud: &Cloud, door: &Door, answer: &Answer) -> Result<Value, Fault> {
    let password = answer.required("NEW_PASSWORD")?;
    let (session, login) = (answer.session()?, answer.required("USERNAME")?);
    let challenge = looked_at(cloud, door, session, login)?;
    if !matches!(challenge.kind, Kind::NewPassword) {
        return Err(fault::no_session());
    }
    let username = challenge.user()?.to_owned();
    let changes = door.read(cloud, |pool| changes(pool, door, answer, &username, password))?;
    let verifier = Verifier::new(door.identity(&username), password);
    taken(cloud, door, session, login)?;
    let now = cloud.now().into();
    door.write(cloud, |pool| {
        let remembered = pool.settings.password_policy().password_history_size.unwrap_or_default();
        let user = pool.user_mut(&username)?;
        user.set_attributes(changes, now);
        user.set_password(verifier, remembered);
        Ok(())
    })?;
    let step = door.read(cloud, |pool| mfa::step(pool, pool.known_user(&username)?))?;
    match step {
        Step::Done => finish(cloud, door, &username, "TokenGeneration_NewPasswordChallenge").await,
        _ => first_factor(cloud, door, &username).await,
    }
}

/// The attributes that come with a new password, checked like the password itself.
fn changes(pool: &UserPool, door: &Door, answer: &Answer, username: &str, password: &str) -> Result<Attributes, Fault> {
    let user = pool.known_user(username)?;
    if user.status != Status::ForceChangePassword {
        return Err(fault::no_session());
    }
    pool.settings.password_policy().check(password)?;
    let given = answer
        .responses
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("userAttributes.")?.to_owned(), value.clone())));
    let mut changes: Attributes = given.collect();
    // Clients send back all that they were shown; what stays the same is no change.
    changes.retain(|name, value| user.attributes.get(name) != Some(value));
    super::sign_up::check_changes(pool, &door.client, &changes)?;
    let absent = |name: &&str| !user.attributes.contains_key(*name) && changes.get(*name).is_none_or(String::is_empty);
    let schema = pool.settings.attributes();
    if let Some(name) = schema.required().find(absent) {
        return Err(invalid(format!("Invalid attributes given, {name} is missing")));
    }
    super::own::check_free(pool, user, &changes)?;
    Ok(changes)
}

/// What an answer says of itself: the name of the challenge, and whether it was met.
pub(crate) fn round(name: &str, met: bool, metadata: Value) -> Value {
    json!({ "challengeName": name, "challengeResult": met, "challengeMetadata": metadata })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cognito::pool::Client;

    fn door(client: &str) -> Door {
        let client = Client { id: client.to_owned(), ..Client::default() };
        Door::of_pages("us-east-1_A", &client)
    }

    #[test]
    fn a_session_is_for_one_client_one_answer_and_three_minutes() {
        let (now, own, other) = (Moment::default(), door("own"), door("other"));
        let challenges = Challenges::default();
        let challenge = Challenge::new(&own, Some("alice".to_owned()), Kind::NewPassword, now);
        challenges.keep("s".to_owned(), challenge, now);
        let message = |result: Result<Challenge, Fault>| result.map_or_else(|fault| fault.message, |_| String::new());
        assert_eq!(message(challenges.take("t", &own, now)), "Invalid session for the user.");
        assert_eq!(message(challenges.take("s", &other, now)), "Invalid session for the user.");
        assert_eq!(
            message(challenges.take("s", &own, now.after(180))),
            "Invalid session for the user, session is expired."
        );
        assert_eq!(message(challenges.take("s", &own, now)), "");
        assert_eq!(
            message(challenges.take("s", &own, now)),
            "Invalid session for the user, session can only be used once."
        );
    }

    #[test]
    fn the_time_has_one_form() {
        for good in ["Fri Nov 20 11:00:00 UTC 2026", "Sun Nov 1 01:02:03 UTC 2026"] {
            assert_eq!(check_timestamp(good), Ok(()), "{good}");
        }
        for bad in ["", "2026-11-20T11:00:00Z", "Fri Nov 20 11:00:00 CET 2026"] {
            assert!(check_timestamp(bad).is_err(), "{bad}");
        }
    }
}
