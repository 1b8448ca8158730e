//! How a user proves who he is, and gets tokens.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cloud::Cloud;
use crate::cognito::challenge::{Challenge, Kind, Step};
use crate::cognito::fault::{self, invalid, not_authorized};
use crate::cognito::keys;
use crate::cognito::moment::Moment;
use crate::cognito::pool::{Client, UserPool, short_id};
use crate::cognito::settings::Flow;
use crate::cognito::srp::{Exchange, Identity, Verifier};
use crate::cognito::token::{Grant, Overrides, RefreshToken, Scopes, SignIn};
use crate::cognito::trigger::{self, Call, Metadata, Subject};
use crate::cognito::user::{Status, User};
use crate::cognito::{UserPools, custom, mfa};
use crate::wire::Fault;

/// Parameters and challenge responses: text by name.
pub(crate) type Parameters = BTreeMap<String, String>;

/// A request of `InitiateAuth` or `AdminInitiateAuth`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InitiateAuth {
    client_id: String,
    auth_flow: String,
    user_pool_id: Option<String>,
    #[serde(default)]
    auth_parameters: Parameters,
    #[serde(default)]
    client_metadata: Metadata,
}

/// The side from which a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Anybody.
    Public,
    /// Somebody who holds the account's credentials.
    Admin,
}

/// What a sign-in comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yields {
    /// Tokens, in the answer.
    Tokens,
    /// The user's name: the pages hand out tokens later, for a code.
    Name,
}

/// Through which client somebody signs in, with what the client hands on.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) pool: String,
    pub(crate) client: Client,
    pub(crate) metadata: Metadata,
    pub(crate) yields: Yields,
}

impl Door {
    /// The door of a request. An administrator names the pool too, and the client must be of it.
    pub(crate) fn open(
        pools: &UserPools,
        client: &str,
        pool: Option<&str>,
        metadata: Metadata,
        side: Side,
    ) -> Result<Self, Fault> {
        let (found, client) = if side == Side::Admin {
            let pool = pools.pool(pool.ok_or_else(|| invalid("Missing required parameter UserPoolId"))?)?;
            (pool, pool.client(client)?)
        } else {
            pools.client(client)?
        };
        Ok(Self { pool: found.id.clone(), client: client.clone(), metadata, yields: Yields::Tokens })
    }

    /// The door of the pages.
    pub(crate) fn of_pages(pool: &str, client: &Client) -> Self {
        Self { pool: pool.to_owned(), client: client.clone(), metadata: Metadata::new(), yields: Yields::Name }
    }

    /// Looks at the pool.
    pub(crate) fn read<T>(&self, cloud: &Cloud, look: impl FnOnce(&UserPool) -> Result<T, Fault>) -> Result<T, Fault> {
        cloud.read(|account| look(account.cognito.pool(&self.pool)?))
    }

    /// Changes the pool.
    pub(crate) fn write<T>(
        &self,
        cloud: &Cloud,
        change: impl FnOnce(&mut UserPool) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        cloud.write(|account| change(account.cognito.pool_mut(&self.pool)?))
    }

    /// Whose password a user's password is.
    pub(crate) fn identity<'a>(&'a self, username: &'a str) -> Identity<'a> {
        Identity { pool: short_id(&self.pool), user: username }
    }

    /// What somebody who is no user is told.
    fn stranger(&self) -> Fault {
        if self.client.settings.hides_users() { fault::incorrect() } else { fault::no_user() }
    }
}

/// A parameter that must be there.
pub(crate) fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Fault> {
    let value = parameters.get(name).filter(|value| !value.is_empty());
    value.map(String::as_str).ok_or_else(|| invalid(format!("Missing required parameter {name}")))
}

/// Begins to sign somebody in.
pub(crate) async fn initiate(cloud: &Cloud, request: InitiateAuth, side: Side) -> Result<Value, Fault> {
    let InitiateAuth { client_id, auth_flow, user_pool_id, auth_parameters, client_metadata } = request;
    let door = cloud
        .read(|account| Door::open(&account.cognito, &client_id, user_pool_id.as_deref(), client_metadata, side))?;
    let flow = flow(&auth_flow, side)?;
    if !door.client.settings.allows(flow) {
        return Err(closed(flow));
    }
    match flow {
        Flow::UserPassword | Flow::AdminPassword => password(cloud, &door, &auth_parameters).await,
        Flow::Srp => srp(cloud, &door, &auth_parameters).await,
        Flow::Refresh => refresh(cloud, &door, &auth_parameters).await,
        Flow::Custom => custom::begin(cloud, &door, &auth_parameters).await,
    }
}

fn flow(name: &str, side: Side) -> Result<Flow, Fault> {
    match (name, side) {
        ("USER_PASSWORD_AUTH", Side::Public) => Ok(Flow::UserPassword),
        ("ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH", Side::Admin) => Ok(Flow::AdminPassword),
        ("USER_SRP_AUTH", _) => Ok(Flow::Srp),
        ("REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN", _) => Ok(Flow::Refresh),
        ("CUSTOM_AUTH", _) => Ok(Flow::Custom),
        ("USER_AUTH", _) => Err(invalid("USER_AUTH flow not enabled for this client")),
        ("USER_PASSWORD_AUTH" | "ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH", _) => {
            Err(invalid("Initiate Auth method not supported."))
        }
        _ => Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'authFlow' failed to satisfy constraint: Member must satisfy \
             enum value set: [USER_SRP_AUTH, REFRESH_TOKEN_AUTH, REFRESH_TOKEN, CUSTOM_AUTH, ADMIN_NO_SRP_AUTH, \
             USER_PASSWORD_AUTH, ADMIN_USER_PASSWORD_AUTH, USER_AUTH]"
        ))),
    }
}

fn closed(flow: Flow) -> Fault {
    invalid(match flow {
        Flow::UserPassword => "USER_PASSWORD_AUTH flow not enabled for this client",
        Flow::Srp => "USER_SRP_AUTH is not enabled for the client.",
        Flow::Custom => "CUSTOM_AUTH is not enabled for the client.",
        Flow::AdminPassword | Flow::Refresh => "Auth flow not enabled for this client",
    })
}

/// What is known of somebody who wants to sign in.
#[derive(Debug)]
pub(crate) struct Visitor {
    user: Option<User>,
    pre_authentication: Option<Call>,
}

impl Visitor {
    /// Looks somebody up. What already refuses him does so before his password is looked at.
    pub(crate) fn new(pool: &UserPool, door: &Door, login: &str, now: Moment) -> Result<Self, Fault> {
        let user = pool.user(login);
        if let Some(user) = user {
            check_may_try(user, now)?;
        }
        let nobody = User { username: login.to_owned(), ..User::default() };
        let subject = Subject { user: user.unwrap_or(&nobody), client: &door.client.id, metadata: &door.metadata };
        let known = user.map(User::event_attributes).unwrap_or_default();
        let request = json!({
            "userAttributes": known, "validationData": door.metadata, "userNotFound": user.is_none(),
        });
        let source = "PreAuthentication_Authentication";
        let call = Call::new(pool, "PreAuthentication", source, &subject, request, json!({}));
        // The trigger does not learn of names that do not exist, unless the caller does not learn of them either.
        let pre_authentication = call.filter(|_| user.is_some() || door.client.settings.hides_users());
        Ok(Self { user: user.cloned(), pre_authentication })
    }

    /// Asks the trigger, and returns the user.
    pub(crate) async fn admitted(self, cloud: &Cloud) -> Result<Option<User>, Fault> {
        trigger::run_if_any(cloud, self.pre_authentication).await?;
        Ok(self.user)
    }
}

fn check_may_try(user: &User, now: Moment) -> Result<(), Fault> {
    if !user.enabled {
        return Err(fault::disabled());
    }
    if user.status == Status::ResetRequired {
        return Err(Fault::new("PasswordResetRequiredException", "Password reset required for the user"));
    }
    user.failures.check(now)
}

async fn password(cloud: &Cloud, door: &Door, parameters: &Parameters) -> Result<Value, Fault> {
    let login = required(parameters, "USERNAME")?;
    let password = required(parameters, "PASSWORD")?;
    door.client.check_secret(login, parameters.get("SECRET_HASH").map(String::as_str))?;
    by_password(cloud, door, login, password).await
}

/// Signs somebody in who knows the password.
pub(crate) async fn by_password(cloud: &Cloud, door: &Door, login: &str, password: &str) -> Result<Value, Fault> {
    let now = Moment::from(cloud.now());
    let visitor = door.read(cloud, |pool| Visitor::new(pool, door, login, now))?;
    let Some(user) = visitor.admitted(cloud).await? else {
        if let Some(user) = super::migrate::user(cloud, door, login, Some(password)).await? {
            return first_factor(cloud, door, &user).await;
        }
        // As much work as for a user who exists, so that the answer does not come sooner.
        Verifier::new(door.identity(login), password);
        return Err(door.stranger());
    };
    let right = user.credential.as_ref().is_some_and(|known| known.matches(door.identity(&user.username), password));
    record(cloud, door, &user.username, right)?;
    first_factor(cloud, door, &user.username).await
}

/// Counts a right or wrong password.
pub(crate) fn record(cloud: &Cloud, door: &Door, username: &str, right: bool) -> Result<(), Fault> {
    if right && door.read(cloud, |pool| Ok(pool.known_user(username)?.failures.none()))? {
        return Ok(());
    }
    let now = cloud.now().into();
    door.write(cloud, |pool| {
        let user = pool.user_mut(username)?;
        // Guesses that ran side by side are judged one after the other.
        let outcome = user.failures.check(now).and(if right { Ok(()) } else { Err(fault::incorrect()) });
        if right && outcome.is_ok() {
            user.failures = super::user::Failures::default();
        } else if !right {
            user.failures.count(now);
        }
        Ok(outcome)
    })?
}

async fn srp(cloud: &Cloud, door: &Door, parameters: &Parameters) -> Result<Value, Fault> {
    let login = required(parameters, "USERNAME")?;
    let client_value = required(parameters, "SRP_A")?;
    door.client.check_secret(login, parameters.get("SECRET_HASH").map(String::as_str))?;
    let now = Moment::from(cloud.now());
    let visitor = door.read(cloud, |pool| Visitor::new(pool, door, login, now))?;
    let user = visitor.admitted(cloud).await?;
    pose_exchange(cloud, door, Exchanging { login, client_value, user, custom: None })
}

/// What a password exchange begins with.
pub(crate) struct Exchanging<'a> {
    pub(crate) login: &'a str,
    pub(crate) client_value: &'a str,
    pub(crate) user: Option<User>,
    /// The rounds so far, where functions decide what comes next.
    pub(crate) custom: Option<Vec<Value>>,
}

/// Asks for the proof that the client knows the password.
pub(crate) fn pose_exchange(cloud: &Cloud, door: &Door, exchanging: Exchanging<'_>) -> Result<Value, Fault> {
    let Exchanging { login, client_value, user, custom } = exchanging;
    let (user_id, username, verifier) = match user {
        Some(User { username, credential: Some(credential), .. }) => (username.clone(), Some(username), credential),
        Some(user) => (user.username, None, decoy(cloud, door, login)?.1),
        None if door.client.settings.hides_users() => {
            let (user_id, verifier) = decoy(cloud, door, login)?;
            (user_id, None, verifier)
        }
        None => return Err(fault::no_user()),
    };
    let exchange = Exchange::begin(client_value, &verifier).ok_or_else(|| invalid("Invalid SRP_A parameter."))?;
    let public = exchange.public();
    let kind = Kind::Password { user_id: user_id.clone(), exchange: Box::new(exchange), custom };
    let block = STANDARD.encode(rand::random::<[u8; 96]>());
    let now = cloud.now().into();
    let challenge = Challenge::new(door, username, kind, now);
    cloud.challenges().keep(block.clone(), challenge, now);
    Ok(json!({
        "ChallengeName": "PASSWORD_VERIFIER",
        "ChallengeParameters": {
            "SALT": verifier.salt(), "SECRET_BLOCK": block, "SRP_B": public,
            "USERNAME": user_id, "USER_ID_FOR_SRP": user_id,
        },
    }))
}

/// What stands in for a user who does not exist: the same each time, so that asking twice tells nothing.
pub(crate) fn decoy(cloud: &Cloud, door: &Door, login: &str) -> Result<(String, Verifier), Fault> {
    door.read(cloud, |pool| {
        let named = !pool.settings.username_attributes.is_empty();
        let user_id = if named { pool.decoy_id(login).to_string() } else { pool.fold(login) };
        Ok((user_id, Verifier::decoy(&pool.decoy_salt(login))))
    })
}

/// What comes after the password: a new one, a second factor, or tokens.
pub(crate) async fn first_factor(cloud: &Cloud, door: &Door, username: &str) -> Result<Value, Fault> {
    let now = Moment::from(cloud.now());
    let step = door.read(cloud, |pool| after_password(pool, pool.known_user(username)?, now))?;
    match step {
        Step::NewPassword => new_password(cloud, door, username),
        Step::SecondFactor => Ok(mfa::challenge(cloud, door, username)),
        Step::SetUpFactor => Ok(mfa::set_up(cloud, door, username)),
        Step::Done => finish(cloud, door, username, "TokenGeneration_Authentication").await,
    }
}

fn after_password(pool: &UserPool, user: &User, now: Moment) -> Result<Step, Fault> {
    match user.status {
        Status::Unconfirmed => Err(Fault::new("UserNotConfirmedException", "User is not confirmed.")),
        Status::ForceChangePassword if user.temporary_until.is_some_and(|until| now >= until) => {
            Err(not_authorized("Temporary password has expired and must be reset by an administrator."))
        }
        Status::ForceChangePassword => Ok(Step::NewPassword),
        Status::ExternalProvider => Err(fault::incorrect()),
        Status::Confirmed | Status::ResetRequired => mfa::step(pool, user),
    }
}

fn new_password(cloud: &Cloud, door: &Door, username: &str) -> Result<Value, Fault> {
    let (attributes, wanted) = door.read(cloud, |pool| {
        let user = pool.known_user(username)?;
        let schema = pool.settings.attributes();
        let wanted: Vec<String> = schema
            .required()
            .filter(|name| !user.attributes.contains_key(*name))
            .map(|name| format!("userAttributes.{name}"))
            .collect();
        Ok((json!(user.attributes).to_string(), json!(wanted).to_string()))
    })?;
    let parameters = json!({ "USER_ID_FOR_SRP": username, "requiredAttributes": wanted, "userAttributes": attributes });
    Ok(issue(cloud, door, username, Kind::NewPassword, parameters))
}

/// Keeps a challenge, and shapes the answer that poses it.
pub(crate) fn issue(cloud: &Cloud, door: &Door, username: &str, kind: Kind, parameters: Value) -> Value {
    let now = cloud.now().into();
    let name = kind.name();
    let session = super::challenge::session();
    let challenge = Challenge::new(door, Some(username.to_owned()), kind, now);
    cloud.challenges().keep(session.clone(), challenge, now);
    json!({ "ChallengeName": name, "Session": session, "ChallengeParameters": parameters })
}

/// The last step: the triggers, and what the door yields.
pub(crate) async fn finish(cloud: &Cloud, door: &Door, username: &str, source: &str) -> Result<Value, Fault> {
    let call = door.read(cloud, |pool| {
        let subject = Subject { user: pool.known_user(username)?, client: &door.client.id, metadata: &door.metadata };
        let request = json!({
            "userAttributes": subject.user.event_attributes(), "newDeviceUsed": false, "clientMetadata": door.metadata,
        });
        Ok(Call::new(pool, "PostAuthentication", "PostAuthentication_Authentication", &subject, request, json!({})))
    })?;
    trigger::run_if_any(cloud, call).await?;
    if door.yields == Yields::Name {
        return door.read(cloud, |pool| {
            let user = pool.known_user(username)?;
            check_signed_in(user)?;
            Ok(json!({ "Username": user.username }))
        });
    }
    let begun = SignIn::begin(username, &door.client, Moment::from(cloud.now()));
    let result = hand_out(cloud, door, begun, Handing { source, nonce: None }).await?;
    Ok(json!({ "AuthenticationResult": result, "ChallengeParameters": {} }))
}

/// Why tokens are handed out, as the trigger learns it, and what the application wants to find again in them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handing<'a> {
    pub(crate) source: &'a str,
    pub(crate) nonce: Option<&'a str>,
}

/// Tokens for a sign-in that begins.
pub(crate) async fn hand_out(
    cloud: &Cloud,
    door: &Door,
    (token, sign_in): (RefreshToken, SignIn),
    handing: Handing<'_>,
) -> Result<Value, Fault> {
    let username = sign_in.username.clone();
    let overrides = overrides(cloud, door, &username, handing.source, sign_in.scopes.as_ref()).await?;
    let keys = keys::of_pool(cloud, &door.pool).await?;
    let now = Moment::from(cloud.now());
    let claims = door.write(cloud, |pool| {
        let user = pool.known_user(&username)?;
        check_signed_in(user)?;
        let client = pool.client(&door.client.id)?;
        let (origin, auth_time, scopes) = (token.origin, sign_in.auth_time, sign_in.scopes.as_ref());
        let (overrides, nonce) = (&overrides, handing.nonce);
        let claims = Grant { pool, client, user, origin, auth_time, now, overrides, scopes, nonce }.claims();
        pool.sign_ins.retain(|_, known| now < known.expires);
        pool.sign_ins.insert(origin.to_string(), sign_in);
        Ok(claims)
    })?;
    claims.signed(&keys, Some(&token))
}

/// The user may have been switched off while the triggers ran.
pub(crate) fn check_signed_in(user: &User) -> Result<(), Fault> {
    if user.enabled { Ok(()) } else { Err(fault::disabled()) }
}

/// What the `PreTokenGeneration` trigger changes.
pub(crate) async fn overrides(
    cloud: &Cloud,
    door: &Door,
    username: &str,
    source: &str,
    scopes: Option<&Scopes>,
) -> Result<Overrides, Fault> {
    let own = Scopes::from([super::token::SELF_SERVICE.to_owned()]);
    let call = door.read(cloud, |pool| {
        let user = pool.known_user(username)?;
        let groups = pool.groups_of(user);
        let names: Vec<&str> = groups.iter().map(|group| group.group_name.as_str()).collect();
        let roles: Vec<&str> = groups.iter().filter_map(|group| group.role_arn.as_deref()).collect();
        let request = json!({
            "userAttributes": user.event_attributes(),
            "groupConfiguration": {
                "groupsToOverride": names, "iamRolesToOverride": roles, "preferredRole": roles.first(),
            },
            "scopes": scopes.unwrap_or(&own),
            "clientMetadata": door.metadata,
        });
        let response = json!({ "claimsOverrideDetails": null, "claimsAndScopeOverrideDetails": null });
        let subject = Subject { user, client: &door.client.id, metadata: &door.metadata };
        Ok(Call::new(pool, "PreTokenGeneration", source, &subject, request, response))
    })?;
    let Some(call) = call else { return Ok(Overrides::default()) };
    let version = call.version().to_owned();
    Ok(Overrides::read(&version, &trigger::run(cloud, call).await?))
}

async fn refresh(cloud: &Cloud, door: &Door, parameters: &Parameters) -> Result<Value, Fault> {
    if door.client.settings.rotation().is_some() {
        return Err(invalid("Auth flow not enabled for this client"));
    }
    let text = required(parameters, "REFRESH_TOKEN")?;
    let hash = parameters.get("SECRET_HASH").map(String::as_str);
    let result = renewed(cloud, door, text, |client, user| {
        // Cognito takes the name or the `sub`, whichever the client knows.
        client
            .check_secret(&user.username, hash)
            .or_else(|fault| client.check_secret(&user.sub, hash).map_err(|_| fault))
    })
    .await?;
    Ok(json!({ "AuthenticationResult": result, "ChallengeParameters": {} }))
}

/// A request of `GetTokensFromRefreshToken`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetTokens {
    refresh_token: String,
    client_id: String,
    client_secret: Option<String>,
    #[serde(default)]
    client_metadata: Metadata,
}

/// New tokens for a refresh token, and a new refresh token where the client replaces them.
pub(crate) async fn get_tokens(cloud: &Cloud, request: GetTokens) -> Result<Value, Fault> {
    let GetTokens { refresh_token, client_id, client_secret, client_metadata } = request;
    let door = cloud.read(|account| Door::open(&account.cognito, &client_id, None, client_metadata, Side::Public))?;
    check_secret(&door.client, client_secret.as_deref())?;
    let result = renewed(cloud, &door, &refresh_token, |_, _| Ok(())).await?;
    Ok(json!({ "AuthenticationResult": result }))
}

/// Checks a client's secret that is sent as it is.
pub(crate) fn check_secret(client: &Client, secret: Option<&str>) -> Result<(), Fault> {
    use subtle::ConstantTimeEq as _;
    let known = client.secret.as_deref().map_or("", String::as_str);
    if bool::from(known.as_bytes().ct_eq(secret.unwrap_or_default().as_bytes())) {
        return Ok(());
    }
    Err(not_authorized(format!("Unable to verify secret for client {}", client.id)))
}

/// The sign-in that a refresh token stands for, and its user.
fn refreshable<'a>(
    pool: &'a UserPool,
    door: &Door,
    token: &RefreshToken,
    now: Moment,
) -> Result<(&'a SignIn, &'a User), Fault> {
    let sign_in =
        pool.sign_ins.get(&token.origin.to_string()).ok_or_else(|| not_authorized("Invalid Refresh Token"))?;
    if sign_in.client != door.client.id || !sign_in.accepts(token, now) {
        return Err(not_authorized("Invalid Refresh Token"));
    }
    if now >= sign_in.expires {
        return Err(not_authorized("Refresh Token has expired"));
    }
    let user = pool.users.get(&sign_in.username).ok_or_else(|| not_authorized("Invalid Refresh Token"))?;
    check_signed_in(user)?;
    Ok((sign_in, user))
}

/// New tokens for the sign-in that a refresh token stands for.
pub(crate) async fn renewed(
    cloud: &Cloud,
    door: &Door,
    text: &str,
    check: impl FnOnce(&Client, &User) -> Result<(), Fault>,
) -> Result<Value, Fault> {
    let token = RefreshToken::parse(text).ok_or_else(|| not_authorized("Invalid Refresh Token"))?;
    let now = Moment::from(cloud.now());
    let (username, scopes) = door.read(cloud, |pool| {
        let (sign_in, user) = refreshable(pool, door, &token, now)?;
        check(&door.client, user)?;
        Ok((user.username.clone(), sign_in.scopes.clone()))
    })?;
    let scopes = scopes.as_ref();
    let overrides = overrides(cloud, door, &username, "TokenGeneration_RefreshTokens", scopes).await?;
    let keys = keys::of_pool(cloud, &door.pool).await?;
    let grant = |pool: &UserPool| {
        let (sign_in, user) = refreshable(pool, door, &token, now)?;
        let (origin, auth_time, client) = (token.origin, sign_in.auth_time, &door.client);
        let overrides = &overrides;
        Ok(Grant { pool, client, user, origin, auth_time, now, overrides, scopes, nonce: None }.claims())
    };
    let Some(grace) = door.client.settings.rotation() else {
        return door.read(cloud, grant)?.signed(&keys, None);
    };
    let (claims, next) = door.write(cloud, |pool| {
        let claims = grant(pool)?;
        let sign_in =
            pool.sign_ins.get_mut(&token.origin.to_string()).ok_or_else(|| not_authorized("Invalid Refresh Token"))?;
        Ok((claims, sign_in.rotate(token.origin, grace, now)))
    })?;
    claims.signed(&keys, Some(&next))
}

/// A request of `RevokeToken`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RevokeToken {
    token: String,
    client_id: String,
    client_secret: Option<String>,
}

/// Voids a refresh token, and every token that came of it.
pub(crate) fn revoke(pools: &mut UserPools, request: RevokeToken, now: Moment) -> Result<Value, Fault> {
    let unauthorized = || Fault::new("UnauthorizedException", "Invalid client.");
    let (pool, client) = pools.client(&request.client_id).map_err(|_| unauthorized())?;
    check_secret(client, request.client_secret.as_deref()).map_err(|_| unauthorized())?;
    if !client.settings.revocation() {
        let message = "Token revocation is not enabled for this app client.";
        return Err(Fault::new("UnsupportedOperationException", message));
    }
    let pool = pool.id.clone();
    let Some(token) = RefreshToken::parse(&request.token) else {
        return Err(Fault::new("UnsupportedTokenTypeException", "Unsupported token type"));
    };
    let sign_ins = &mut pools.pool_mut(&pool)?.sign_ins;
    let known = sign_ins.get(&token.origin.to_string()).filter(|known| known.accepts(&token, now));
    match known {
        Some(known) if known.client != request.client_id => Err(unauthorized()),
        Some(_) => {
            sign_ins.remove(&token.origin.to_string());
            Ok(json!({}))
        }
        // Revoking what is void already is no error, so that it can be repeated.
        None => Ok(json!({})),
    }
}

impl UserPool {
    /// The id of somebody who is no user.
    fn decoy_id(&self, login: &str) -> Uuid {
        let bytes = self.decoy(login, b"id");
        let bytes: [u8; 16] = std::array::from_fn(|index| bytes.get(index).copied().unwrap_or_default());
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The salt of somebody who is no user.
    fn decoy_salt(&self, login: &str) -> Vec<u8> {
        self.decoy(login, b"salt").into_iter().take(16).collect()
    }

    fn decoy(&self, login: &str, what: &[u8]) -> Vec<u8> {
        use aws_lc_rs::hmac;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.pepper);
        hmac::sign(&key, &[what, self.fold(login).as_bytes()].concat()).as_ref().to_vec()
    }
}
