//! The second factor: codes of an authenticator app.

use aws_lc_rs::hmac;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::cognito::UserPools;
use crate::cognito::challenge::{Answer, Kind, Step, looked_at, taken};
use crate::cognito::fault::{self, invalid};
use crate::cognito::moment::Moment;
use crate::cognito::pool::UserPool;
use crate::cognito::sign_in::{Door, finish, issue};
use crate::cognito::user::{Totp, User};
use crate::wire::Fault;

/// Seconds for which a code is shown.
const STEP: i64 = 30;

/// Whether a second factor is asked for. What cannot be asked here is refused, so that no pool is weaker than on AWS.
pub(crate) fn step(pool: &UserPool, user: &User) -> Result<Step, Fault> {
    let required = pool.settings.mfa() == "ON";
    match (pool.settings.offers_totp(), user.totp.enabled) {
        (true, true) => Ok(Step::SecondFactor),
        (true, false) if required => Ok(Step::SetUpFactor),
        (false, _) if required => {
            Err(invalid("The local cloud has no text messages, and this user pool requires them as a second factor."))
        }
        _ => Ok(Step::Done),
    }
}

/// Asks for a code.
pub(crate) fn challenge(cloud: &Cloud, door: &Door, username: &str) -> Value {
    issue(cloud, door, username, Kind::Totp, json!({ "USER_ID_FOR_SRP": username }))
}

/// Asks the user to register an app.
pub(crate) fn set_up(cloud: &Cloud, door: &Door, username: &str) -> Value {
    let parameters = json!({ "MFAS_CAN_SETUP": "[\"SOFTWARE_TOKEN_MFA\"]", "USER_ID_FOR_SRP": username });
    issue(cloud, door, username, Kind::SetUpTotp { secret: None, verified: false }, parameters)
}

/// Takes a code. A wrong one may be tried again, but counts like a wrong password.
pub(crate) async fn respond(cloud: &Cloud, door: &Door, answer: &Answer) -> Result<Value, Fault> {
    let code = answer.required("SOFTWARE_TOKEN_MFA_CODE")?;
    let (session, login) = (answer.session()?, answer.required("USERNAME")?);
    let challenge = looked_at(cloud, door, session, login)?;
    if !matches!(challenge.kind, Kind::Totp) {
        return Err(fault::no_session());
    }
    let username = challenge.user()?;
    let now = Moment::from(cloud.now());
    let outcome = door.write(cloud, |pool| {
        let user = pool.user_mut(username)?;
        user.failures.check(now)?;
        let outcome = user.totp.take(code, now);
        if outcome.is_err() {
            user.failures.count(now);
        }
        Ok(outcome)
    })?;
    outcome?;
    taken(cloud, door, session, login)?;
    finish(cloud, door, username, "TokenGeneration_Authentication").await
}

/// Goes on after an app was registered.
pub(crate) async fn respond_set_up(cloud: &Cloud, door: &Door, answer: &Answer) -> Result<Value, Fault> {
    let challenge = taken(cloud, door, answer.session()?, answer.required("USERNAME")?)?;
    if !matches!(challenge.kind, Kind::SetUpTotp { verified: true, .. }) {
        return Err(fault::no_session());
    }
    finish(cloud, door, challenge.user()?, "TokenGeneration_Authentication").await
}

impl Totp {
    /// Takes a code of the current step or one beside it, each once.
    fn take(&mut self, code: &str, now: Moment) -> Result<(), Fault> {
        let mismatch = || Fault::new("CodeMismatchException", "Invalid code received for user");
        let secret = self.secret.as_ref().ok_or_else(mismatch)?;
        let current = now.seconds().div_euclid(STEP);
        let known = (current.saturating_sub(1)..=current.saturating_add(1)).find(|step| is_code(secret, *step, code));
        let step = known.ok_or_else(mismatch)?;
        if step <= self.last_step {
            let message = "Your software token has already been used once.";
            return Err(Fault::new("ExpiredCodeException", message));
        }
        self.last_step = step;
        Ok(())
    }
}

fn is_code(secret: &[u8], step: i64, code: &str) -> bool {
    use subtle::ConstantTimeEq as _;
    code_at(secret, step).as_bytes().ct_eq(code.as_bytes()).into()
}

/// RFC 6238 with SHA-1 and six digits, which is what the apps speak.
fn code_at(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let digest = hmac::sign(&key, &step.to_be_bytes());
    let bytes = digest.as_ref();
    let offset = bytes.last().map_or(0, |last| usize::from(last & 0xf));
    let number = bytes.iter().skip(offset).take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// As the apps take a secret.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| (byte >> bit) & 1)).collect();
    let letter = |group: &[u8]| {
        let index = (0..5).fold(0_usize, |index, bit| index * 2 + usize::from(group.get(bit).copied().unwrap_or(0)));
        ALPHABET.get(index).copied().map_or('A', char::from)
    };
    bits.chunks(5).map(letter).collect()
}

/// A request of `AssociateSoftwareToken`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Associate {
    access_token: Option<String>,
    session: Option<String>,
}

/// Makes a secret for an authenticator app.
pub(crate) fn associate(cloud: &Cloud, request: Associate) -> Result<Value, Fault> {
    let now = cloud.now().into();
    let secret: [u8; 32] = rand::random();
    let code = base32(&secret);
    let secret = Some(secret.to_vec().into());
    match (request.access_token, request.session) {
        (Some(token), _) => cloud.write(|account| {
            let bearer = account.cognito.bearer(&token, now)?;
            let user = account.cognito.pool_mut(&bearer.pool)?.user_mut(&bearer.username)?;
            user.totp = Totp { secret, ..Totp::default() };
            Ok(json!({ "SecretCode": code }))
        }),
        (None, Some(session)) => {
            let mut challenge = cloud.challenges().take_unbound(&session, now)?;
            if !matches!(challenge.kind, Kind::SetUpTotp { .. }) {
                return Err(fault::no_session());
            }
            challenge.kind = Kind::SetUpTotp { secret, verified: false };
            Ok(json!({ "SecretCode": code, "Session": cloud.challenges().follow(challenge) }))
        }
        (None, None) => Err(invalid("Missing required parameter AccessToken or Session")),
    }
}

/// A request of `VerifySoftwareToken`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Verify {
    access_token: Option<String>,
    session: Option<String>,
    user_code: String,
}

/// Registers an authenticator app that has shown that it knows its secret.
pub(crate) fn verify(cloud: &Cloud, request: Verify) -> Result<Value, Fault> {
    let now = cloud.now().into();
    match (request.access_token, request.session) {
        (Some(token), _) => cloud.write(|account| {
            let bearer = account.cognito.bearer(&token, now)?;
            let user = account.cognito.pool_mut(&bearer.pool)?.user_mut(&bearer.username)?;
            user.totp.take(&request.user_code, now).map_err(mismatch)?;
            user.totp.verified = true;
            Ok(json!({ "Status": "SUCCESS" }))
        }),
        (None, Some(session)) => verify_in_session(cloud, &session, &request.user_code, now),
        (None, None) => Err(invalid("Missing required parameter AccessToken or Session")),
    }
}

fn mismatch(_: Fault) -> Fault {
    Fault::new("EnableSoftwareTokenMFAException", "Code mismatch")
}

fn verify_in_session(cloud: &Cloud, session: &str, code: &str, now: Moment) -> Result<Value, Fault> {
    let mut challenge = cloud.challenges().take_unbound(session, now)?;
    let Kind::SetUpTotp { secret: Some(secret), .. } = challenge.kind else { return Err(fault::no_session()) };
    let mut totp = Totp { secret: Some(secret), verified: true, enabled: true, ..Totp::default() };
    totp.take(code, now).map_err(mismatch)?;
    challenge.kind = Kind::SetUpTotp { secret: totp.secret.clone(), verified: true };
    let username = challenge.username.clone().ok_or_else(fault::no_session)?;
    cloud.write(|account| {
        account.cognito.pool_mut(challenge.pool())?.user_mut(&username)?.totp = totp;
        Ok::<_, Fault>(())
    })?;
    Ok(json!({ "Status": "SUCCESS", "Session": cloud.challenges().follow(challenge) }))
}

/// What a user wants of one factor.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Preference {
    enabled: bool,
    preferred_mfa: bool,
}

/// A request of `SetUserMFAPreference` or `AdminSetUserMFAPreference`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SetPreference {
    access_token: Option<String>,
    user_pool_id: Option<String>,
    username: Option<String>,
    #[serde(rename = "SoftwareTokenMfaSettings")]
    software_token: Option<Preference>,
    #[serde(rename = "SMSMfaSettings")]
    sms: Option<Preference>,
}

/// Sets what a user is asked for.
pub(crate) fn set_own_preference(pools: &mut UserPools, request: SetPreference, now: Moment) -> Result<Value, Fault> {
    let bearer = pools.bearer(request.access_token.as_deref().unwrap_or_default(), now)?;
    prefer(pools.pool_mut(&bearer.pool)?.user_mut(&bearer.username)?, &request)
}

/// Sets what a user is asked for, by an administrator.
pub(crate) fn set_preference(pools: &mut UserPools, request: SetPreference, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool_mut(request.user_pool_id.as_deref().unwrap_or_default())?;
    prefer(pool.user_mut(request.username.as_deref().unwrap_or_default())?, &request)
}

fn prefer(user: &mut User, request: &SetPreference) -> Result<Value, Fault> {
    if request.sms.as_ref().is_some_and(|sms| sms.enabled) {
        return Err(invalid("User does not have delivery config set to turn on SMS_MFA"));
    }
    if let Some(wanted) = &request.software_token {
        if wanted.enabled && !user.totp.verified {
            return Err(invalid("User has not verified software token mfa"));
        }
        user.totp.enabled = wanted.enabled;
        user.totp.preferred = wanted.enabled && wanted.preferred_mfa;
    }
    Ok(json!({}))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cognito::pool::tests::pool;

    /// What an app shows.
    pub(crate) fn code(secret: &[u8], step: i64) -> String {
        code_at(secret, step)
    }

    /// What an app reads.
    pub(crate) fn unbase32(text: &str) -> Vec<u8> {
        let value = |letter: u8| if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        let bits: Vec<u8> = text.bytes().flat_map(|b| (0..5).rev().map(move |bit| (value(b) >> bit) & 1)).collect();
        bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte * 2 + bit)).collect()
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, shortened to six digits.
        let secret = b"12345678901234567890";
        assert_eq!(code_at(secret, 59 / 30), "287082");
        assert_eq!(code_at(secret, 1_111_111_109 / 30), "081804");
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
    }

    #[test]
    fn a_code_counts_once_and_near_its_time() {
        let secret = b"12345678901234567890".to_vec();
        let now = Moment::default().after(1_111_111_109);
        let mut totp = Totp { secret: Some(secret.into()), ..Totp::default() };
        let code = |result: Result<(), Fault>| result.err().map(|fault| fault.code);
        assert_eq!(code(totp.clone().take("081804", now.after(90))).as_deref(), Some("CodeMismatchException"));
        assert_eq!(totp.take("081804", now), Ok(()));
        assert_eq!(code(totp.take("081804", now)).as_deref(), Some("ExpiredCodeException"));
    }

    #[test]
    fn a_required_factor_that_cannot_be_asked_is_refused() {
        let user = User::default();
        assert!(step(&pool(json!({ "MfaConfiguration": "ON", "SmsConfiguration": {} })), &user).is_err());
        let totp = json!({ "MfaConfiguration": "ON", "EnabledMfas": ["SOFTWARE_TOKEN_MFA"] });
        assert_eq!(step(&pool(totp), &user), Ok(Step::SetUpFactor));
        assert_eq!(step(&pool(json!({})), &user), Ok(Step::Done));
    }
}
