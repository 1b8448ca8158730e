//! How a user comes by a new password.

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cloud::{Account, Cloud};
use crate::cognito::fault::{self, invalid, not_authorized};
use crate::cognito::message::{self, Destination, Draft, Filling, Occasion, Wording};
use crate::cognito::moment::{HOUR, Moment};
use crate::cognito::pool::{UserPool, short_id};
use crate::cognito::sign_in::{Door, Side};
use crate::cognito::sign_up::{confirmed, login, stranger};
use crate::cognito::srp::{Identity, Verifier};
use crate::cognito::trigger::{Metadata, NO_CLIENT, Subject};
use crate::cognito::user::{Code, Purpose, Status, User};
use crate::wire::Fault;

/// A request of the operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ForgotPassword {
    client_id: String,
    username: String,
    secret_hash: Option<String>,
    #[serde(default)]
    client_metadata: Metadata,
}

/// Sends a code that allows a new password.
pub(crate) async fn forgot(cloud: &Cloud, request: ForgotPassword) -> Result<Value, Fault> {
    let ForgotPassword { client_id, username, secret_hash, client_metadata } = request;
    let door = cloud.read(|account| Door::open(&account.cognito, &client_id, None, client_metadata, Side::Public))?;
    door.client.check_secret(&username, secret_hash.as_deref())?;
    if door.read(cloud, |pool| Ok(pool.user(&username).is_none()))? {
        super::migrate::user(cloud, &door, &username, None).await?;
    }
    let letter = match door.read(cloud, |pool| Ok(Letter::new(pool, &door, &username)))? {
        Ok(letter) => letter,
        // A stranger must not learn who is a user from how recovery fails.
        Err(_) if door.client.settings.hides_users() => {
            return Ok(json!({ "CodeDeliveryDetails": stranger(&door.client, &username)? }));
        }
        Err(fault) => return Err(fault),
    };
    let details = letter.send(cloud).await?;
    Ok(json!({ "CodeDeliveryDetails": details }))
}

/// A code for a new password on its way.
struct Letter {
    pool: String,
    username: String,
    to: Destination,
    draft: Draft,
}

impl Letter {
    fn new(pool: &UserPool, door: &Door, login: &str) -> Result<Self, Fault> {
        let user = pool.known_user(login)?;
        check_recoverable(user)?;
        let subject = Subject { user, client: &door.client.id, metadata: &door.metadata };
        Self::to_user(pool, &subject)
    }

    fn to_user(pool: &UserPool, subject: &Subject<'_>) -> Result<Self, Fault> {
        let user = subject.user;
        let ways =
            pool.settings.recovery().ok_or_else(|| not_authorized("Contact administrator to reset password."))?;
        let to = ways
            .into_iter()
            .filter(|attribute| user.verified(attribute))
            .find_map(|attribute| Destination::of(&user.attributes, attribute))
            .ok_or_else(|| {
                invalid("Cannot reset password for the user as there is no registered/verified email or phone_number")
            })?;
        let draft = Draft::new(pool, Occasion::ForgotPassword, subject);
        Ok(Self { pool: pool.id.clone(), username: user.username.clone(), to, draft })
    }

    async fn send(self, cloud: &Cloud) -> Result<Value, Fault> {
        let Self { pool, username, to, draft } = self;
        let wording = draft.worded(cloud).await?;
        let now = cloud.now();
        cloud.write(|account| store(account, (&pool, &username), &to, &wording, now))?;
        Ok(to.details())
    }
}

fn store(
    account: &mut Account,
    (pool, username): (&str, &str),
    to: &Destination,
    wording: &Wording,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let stored = account.cognito.pool_mut(pool)?;
    let code = Code::new(to.attribute, Moment::from(now).after(HOUR));
    let digits = code.digits().to_owned();
    let login = login(stored, stored.known_user(username)?);
    stored.user_mut(username)?.codes.insert(Purpose::Password, code);
    message::deliver(account, now, to, wording, Filling { secret: &digits, username: &login, link: "" });
    Ok(())
}

fn check_recoverable(user: &User) -> Result<(), Fault> {
    if !user.enabled {
        return Err(fault::disabled());
    }
    if matches!(user.status, Status::ForceChangePassword | Status::ExternalProvider) {
        return Err(not_authorized("User password cannot be reset in the current state."));
    }
    Ok(())
}

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ConfirmForgotPassword {
    client_id: String,
    username: String,
    confirmation_code: String,
    password: String,
    secret_hash: Option<String>,
    #[serde(default)]
    client_metadata: Metadata,
}

/// Sets a new password with the code that was sent.
pub(crate) async fn confirm(cloud: &Cloud, request: ConfirmForgotPassword) -> Result<Value, Fault> {
    let now = Moment::from(cloud.now());
    let (pool, username) = cloud.read(|account| {
        let (pool, client) = account.cognito.client(&request.client_id)?;
        client.check_secret(&request.username, request.secret_hash.as_deref())?;
        let stranger = if client.settings.hides_users() { fault::stale_code() } else { fault::no_user() };
        let user = pool.user(&request.username).filter(|user| user.enabled).ok_or(stranger)?;
        check_recoverable(user)?;
        pool.settings.password_policy().check(&request.password)?;
        check_not_former(pool, user, &request.password)?;
        Ok::<_, Fault>((pool.id.clone(), user.username.clone()))
    })?;
    let verifier = Verifier::new(Identity { pool: short_id(&pool), user: &username }, &request.password);
    let outcome = cloud.write(|account| {
        let stored = account.cognito.pool_mut(&pool)?;
        let remembered = stored.settings.password_policy().password_history_size.unwrap_or_default();
        let user = stored.user_mut(&username)?;
        let code = match user.take_code(&Purpose::Password, &request.confirmation_code, now) {
            Ok(code) => code,
            // A wrong code must be counted, so that what is refused is stored too.
            Err(fault) => return Ok(Err(fault)),
        };
        user.set_password(verifier, remembered);
        user.modified = now;
        // Whoever knew the old password is out.
        stored.sign_out(&username);
        stored.verify_attribute(&username, &code.proves)?;
        Ok::<_, Fault>(Ok(()))
    })?;
    outcome?;
    let (client, metadata) = (&request.client_id, &request.client_metadata);
    confirmed(cloud, "PostConfirmation_ConfirmForgotPassword", &pool, client, &username, metadata).await?;
    Ok(json!({}))
}

/// Refuses a password that the user had before, where the pool remembers.
pub(crate) fn check_not_former(pool: &UserPool, user: &User, password: &str) -> Result<(), Fault> {
    let Some(remembered) = pool.settings.password_policy().password_history_size.filter(|size| *size > 0) else {
        return Ok(());
    };
    let identity = pool.identity(&user.username);
    let known = user.credential.iter().chain(&user.former).take(remembered);
    if known.into_iter().any(|former| former.matches(identity, password)) {
        let message = "Password has been used before. Choose another one.";
        return Err(Fault::new("PasswordHistoryPolicyViolationException", message));
    }
    Ok(())
}

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChangePassword {
    access_token: String,
    previous_password: Option<String>,
    proposed_password: String,
}

/// Changes the own password.
pub(crate) fn change(cloud: &Cloud, request: ChangePassword) -> Result<Value, Fault> {
    let now = Moment::from(cloud.now());
    let bearer = cloud.read(|account| account.cognito.bearer(&request.access_token, now))?;
    let user = cloud.read(|account| {
        let pool = account.cognito.pool(&bearer.pool)?;
        let user = pool.known_user(&bearer.username)?;
        user.failures.check(now).map_err(|_| fault::too_many_attempts())?;
        pool.settings.password_policy().check(&request.proposed_password)?;
        check_not_former(pool, user, &request.proposed_password)?;
        Ok::<_, Fault>(user.clone())
    })?;
    let identity = Identity { pool: short_id(&bearer.pool), user: &user.username };
    let previous = request.previous_password.unwrap_or_default();
    let right = user.credential.as_ref().is_some_and(|known| known.matches(identity, &previous));
    let verifier = Verifier::new(identity, &request.proposed_password);
    cloud.write(|account| {
        let pool = account.cognito.pool_mut(&bearer.pool)?;
        let remembered = pool.settings.password_policy().password_history_size.unwrap_or_default();
        let user = pool.user_mut(&bearer.username)?;
        if !right {
            user.failures.count(now);
            return Ok(Err(fault::incorrect()));
        }
        user.set_password(verifier, remembered);
        user.modified = now;
        Ok::<_, Fault>(Ok(json!({})))
    })?
}

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AdminSetUserPassword {
    user_pool_id: String,
    username: String,
    password: String,
    #[serde(default)]
    permanent: bool,
}

/// Sets a user's password.
pub(crate) fn admin_set(cloud: &Cloud, request: AdminSetUserPassword) -> Result<Value, Fault> {
    let now = Moment::from(cloud.now());
    let username = cloud.read(|account| {
        let pool = account.cognito.pool(&request.user_pool_id)?;
        let user = pool.known_user(&request.username)?;
        if user.status == Status::ExternalProvider {
            return Err(invalid("User is an external user, whose password cannot be set."));
        }
        pool.settings.password_policy().check(&request.password)?;
        check_not_former(pool, user, &request.password)?;
        Ok::<_, Fault>(user.username.clone())
    })?;
    let identity = Identity { pool: short_id(&request.user_pool_id), user: &username };
    let verifier = Verifier::new(identity, &request.password);
    cloud.write(|account| {
        let pool = account.cognito.pool_mut(&request.user_pool_id)?;
        let remembered = pool.settings.password_policy().password_history_size.unwrap_or_default();
        let days = pool.settings.temporary_password_days();
        let user = pool.user_mut(&username)?;
        user.set_password(verifier, remembered);
        user.modified = now;
        if !request.permanent {
            user.status = Status::ForceChangePassword;
            user.temporary_until = Some(now.after(days.saturating_mul(super::moment::DAY)));
        }
        Ok::<_, Fault>(json!({}))
    })
}

/// A request of the operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AdminResetUserPassword {
    user_pool_id: String,
    username: String,
    #[serde(default)]
    client_metadata: Metadata,
}

/// Makes a user's password invalid and sends a code for a new one.
pub(crate) async fn admin_reset(cloud: &Cloud, request: AdminResetUserPassword) -> Result<Value, Fault> {
    let letter = cloud.read(|account| {
        let pool = account.cognito.pool(&request.user_pool_id)?;
        let user = pool.known_user(&request.username)?;
        check_recoverable(user)?;
        if user.status == Status::Unconfirmed {
            return Err(not_authorized("User password cannot be reset in the current state."));
        }
        Letter::to_user(pool, &Subject { user, client: NO_CLIENT, metadata: &request.client_metadata })
    })?;
    letter.send(cloud).await?;
    let now = cloud.now().into();
    cloud.write(|account| {
        let user = account.cognito.pool_mut(&request.user_pool_id)?.user_mut(&request.username)?;
        user.status = Status::ResetRequired;
        user.modified = now;
        Ok::<_, Fault>(json!({}))
    })
}
