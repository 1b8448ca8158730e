//! One user.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use crate::cognito::attribute::{Attributes, NamedValue, listed};
use crate::cognito::fault;
use crate::cognito::federation::Identity;
use crate::cognito::moment::{MINUTE, Moment};
use crate::cognito::srp::Verifier;
use crate::hidden::Hidden;
use crate::wire::Fault;

/// How far a user has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    /// Signed up, not confirmed.
    #[default]
    Unconfirmed,
    /// May sign in.
    Confirmed,
    /// Must choose a new password.
    ResetRequired,
    /// Has a temporary password.
    ForceChangePassword,
    /// Signs in with another identity provider, and has no password here.
    ExternalProvider,
}

impl Status {
    /// As the API spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Confirmed => "CONFIRMED",
            Self::ResetRequired => "RESET_REQUIRED",
            Self::ForceChangePassword => "FORCE_CHANGE_PASSWORD",
            Self::ExternalProvider => "EXTERNAL_PROVIDER",
        }
    }
}

/// One user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub(crate) username: String,
    pub(crate) sub: String,
    pub(crate) attributes: Attributes,
    pub(crate) status: Status,
    pub(crate) enabled: bool,
    pub(crate) created: Moment,
    pub(crate) modified: Moment,
    pub(crate) credential: Option<Verifier>,
    pub(crate) former: Vec<Verifier>,
    /// When the temporary password stops working.
    pub(crate) temporary_until: Option<Moment>,
    pub(crate) codes: BTreeMap<Purpose, Code>,
    /// New values that wait for their code before they count.
    pub(crate) pending: Attributes,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) failures: Failures,
    pub(crate) totp: Totp,
    /// Access tokens without an origin that are older than this are void.
    pub(crate) signed_out: Option<Moment>,
    /// Who the user is to other identity providers.
    pub(crate) identities: Vec<Identity>,
}

/// A user's authenticator app.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Totp {
    /// The shared secret.
    pub(crate) secret: Option<Hidden<Vec<u8>>>,
    /// The user has shown that the app knows the secret.
    pub(crate) verified: bool,
    /// It is asked for at sign-in.
    pub(crate) enabled: bool,
    /// Of several second factors, this one is asked for.
    pub(crate) preferred: bool,
    /// The last time step that was accepted: a code counts once.
    pub(crate) last_step: i64,
}

/// What a code is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// Confirms a sign-up.
    SignUp,
    /// Allows a new password.
    Password,
    /// Proves that an email address is the user's.
    Email,
    /// Proves that a phone number is the user's.
    Phone,
}

/// A code that was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Code {
    digits: Hidden,
    expires: Moment,
    wrong: u32,
    /// The attribute that it was sent to, which it proves.
    pub(crate) proves: String,
}

/// So many wrong codes void it.
const WRONG_CODES: u32 = 5;

impl Code {
    /// A new code of six digits.
    pub(crate) fn new(proves: &str, expires: Moment) -> Self {
        let digits = format!("{:06}", rand::random_range(0..1_000_000));
        Self { digits: digits.into(), expires, wrong: 0, proves: proves.to_owned() }
    }

    /// The digits, for the message only.
    pub(crate) fn digits(&self) -> &str {
        &self.digits
    }
}

/// Wrong passwords in a row.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Failures {
    count: u32,
    locked_until: Moment,
    forgotten: Moment,
}

impl Failures {
    /// So many are free.
    const FREE: u32 = 5;
    const LONGEST: i64 = 15 * MINUTE;

    /// Whether there were none.
    pub(crate) fn none(&self) -> bool {
        self.count == 0
    }

    /// Refuses while the lock holds.
    pub(crate) fn check(&self, now: Moment) -> Result<(), Fault> {
        if now < self.locked_until { Err(fault::not_authorized("Password attempts exceeded")) } else { Ok(()) }
    }

    /// Counts one more. Each beyond the free ones locks twice as long as the one before.
    pub(crate) fn count(&mut self, now: Moment) {
        if now >= self.forgotten {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.forgotten = now.after(Self::LONGEST);
        if let Some(beyond) = self.count.checked_sub(Self::FREE) {
            self.locked_until = now.after((1_i64 << beyond.min(10)).min(Self::LONGEST));
        }
    }
}

impl User {
    /// Takes a code: it must be the right one, in time, and counts once.
    pub(crate) fn take_code(&mut self, purpose: &Purpose, digits: &str, now: Moment) -> Result<Code, Fault> {
        let code = self.codes.get_mut(purpose).ok_or_else(fault::stale_code)?;
        if now >= code.expires {
            return Err(fault::stale_code());
        }
        if code.wrong >= WRONG_CODES {
            return Err(fault::too_many_attempts());
        }
        if !bool::from(code.digits.as_bytes().ct_eq(digits.as_bytes())) {
            code.wrong = code.wrong.saturating_add(1);
            return Err(fault::wrong_code());
        }
        self.codes.remove(purpose).ok_or_else(fault::stale_code)
    }

    /// Gives the user a password for good.
    pub(crate) fn set_password(&mut self, credential: Verifier, remembered: usize) {
        if let Some(former) = self.credential.replace(credential) {
            self.former.insert(0, former);
        }
        self.former.truncate(remembered);
        self.status = Status::Confirmed;
        self.temporary_until = None;
        self.failures = Failures::default();
    }

    /// Changes attributes; an empty value removes one. An address that changes is no longer verified.
    pub(crate) fn set_attributes(&mut self, changes: Attributes, now: Moment) {
        for proven in ["email", "phone_number"] {
            let changed = changes.get(proven).is_some_and(|value| self.attributes.get(proven) != Some(value));
            if changed {
                self.attributes.insert(format!("{proven}_verified"), "false".to_owned());
            }
        }
        for (name, value) in changes {
            if value.is_empty() {
                self.attributes.remove(&format!("{name}_verified"));
                self.attributes.remove(&name);
            } else {
                self.attributes.insert(name, value);
            }
        }
        self.modified = now;
    }

    /// Whether an address is the user's own.
    pub(crate) fn verified(&self, attribute: &str) -> bool {
        self.attributes.contains_key(attribute)
            && self.attributes.get(&format!("{attribute}_verified")).is_some_and(|value| value == "true")
    }

    /// All attributes, `sub` among them.
    pub(crate) fn all_attributes(&self) -> Attributes {
        let mut attributes = self.attributes.clone();
        attributes.insert("sub".to_owned(), self.sub.clone());
        if !self.identities.is_empty() {
            let identities: Value = self.identities.iter().map(Identity::attribute).collect();
            attributes.insert("identities".to_owned(), identities.to_string());
        }
        attributes
    }

    /// The attributes as a trigger's event has them.
    pub(crate) fn event_attributes(&self) -> Map<String, Value> {
        let mut attributes: Map<String, Value> =
            self.all_attributes().into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        attributes.insert("cognito:user_status".to_owned(), json!(self.status.name()));
        attributes
    }

    /// As lists of users have it; only the named attributes, where any are named.
    pub(crate) fn listing(&self, wanted: Option<&[String]>) -> Value {
        let mut value = self.summary();
        value["Attributes"] = json!(self.chosen(wanted));
        value
    }

    /// As `AdminGetUser` has it.
    pub(crate) fn description(&self) -> Value {
        let mut value = self.summary();
        value["UserAttributes"] = json!(self.chosen(None));
        value["UserMFASettingList"] = json!(self.second_factors());
        if self.totp.preferred {
            value["PreferredMfaSetting"] = json!("SOFTWARE_TOKEN_MFA");
        }
        value
    }

    /// The second factors that the user has set up.
    pub(crate) fn second_factors(&self) -> Vec<&'static str> {
        if self.totp.enabled { vec!["SOFTWARE_TOKEN_MFA"] } else { Vec::new() }
    }

    fn chosen(&self, wanted: Option<&[String]>) -> Vec<NamedValue> {
        let mut attributes = self.all_attributes();
        if let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) {
            attributes.retain(|name, _| wanted.contains(name));
        }
        listed(&attributes)
    }

    fn summary(&self) -> Value {
        json!({
            "Username": self.username,
            "Enabled": self.enabled,
            "UserStatus": self.status,
            "UserCreateDate": self.created.json(),
            "UserLastModifiedDate": self.modified.json(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_counts_once_and_in_time() {
        let now = Moment::default();
        let mut user = User::default();
        let code = Code::new("email", now.after(60));
        let digits = code.digits().to_owned();
        user.codes.insert(Purpose::SignUp, code);
        let refused = |result: Result<Code, Fault>| result.err().map(|fault| fault.code);
        let wrong = if digits == "000000" { "000001" } else { "000000" };
        assert_eq!(refused(user.take_code(&Purpose::SignUp, wrong, now)).as_deref(), Some("CodeMismatchException"));
        let late = user.clone().take_code(&Purpose::SignUp, &digits, now.after(61));
        assert_eq!(refused(late).as_deref(), Some("ExpiredCodeException"));
        assert!(user.take_code(&Purpose::SignUp, &digits, now).is_ok());
        assert_eq!(refused(user.take_code(&Purpose::SignUp, &digits, now)).as_deref(), Some("ExpiredCodeException"));
    }

    #[test]
    fn guessing_codes_ends_after_five() {
        let now = Moment::default();
        let mut user = User::default();
        let code = Code::new("email", now.after(60));
        let digits = code.digits().to_owned();
        user.codes.insert(Purpose::Password, code);
        for _ in 0..5 {
            assert!(user.take_code(&Purpose::Password, "x", now).is_err());
        }
        let fault = user.take_code(&Purpose::Password, &digits, now).expect_err("the sixth is refused, right or not");
        assert_eq!(fault.code, "LimitExceededException");
    }

    #[test]
    fn the_lock_grows_and_passes() {
        let mut failures = Failures::default();
        let now = Moment::default().after(1000);
        for _ in 0..4 {
            failures.count(now);
        }
        assert!(failures.check(now).is_ok());
        failures.count(now);
        assert_eq!(failures.check(now).map_err(|fault| fault.message), Err("Password attempts exceeded".to_owned()));
        assert!(failures.check(now.after(1)).is_ok());
        failures.count(now.after(1));
        assert!(failures.check(now.after(2)).is_err());
        assert!(failures.check(now.after(3)).is_ok());
    }
}
