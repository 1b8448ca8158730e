//! Tokens that nobody signed in for: good ones with any scopes, and ones that are wrong in exactly one thing, with which a
//! project tries its own doors.
//!
//! This is no API of AWS. The claims are those of a sign-in, its `PreTokenGeneration` trigger included; what is wrong is laid
//! over them. Nothing is remembered of such a token: it has no refresh token, and Cognito's own operations do not take it
//! while its client can revoke tokens.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cloud::Cloud;
use crate::cognito::fault::invalid;
use crate::cognito::keys::{self, SigningKeys};
use crate::cognito::moment::{HOUR, Moment};
use crate::cognito::pool::UserPool;
use crate::cognito::settings::STANDARD_SCOPES;
use crate::cognito::sign_in::{Door, Side, check_signed_in, overrides};
use crate::cognito::token::{Grant, Overrides, Scopes, joined};
use crate::cognito::trigger::Metadata;
use crate::cognito::user::{Status, User};
use crate::wire::Fault;

/// A request of the operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct MintToken {
    user_pool_id: String,
    client_id: String,
    username: String,
    token_use: Use,
    /// What an access token allows; that of a sign-in through the API where nothing is said.
    #[serde(default)]
    scopes: Scopes,
    deviation: Option<Deviation>,
}

/// Which of the two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Use {
    Id,
    Access,
}

/// The one thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deviation {
    Expired,
    NotYetValid,
    OtherIssuer,
    OtherAudience,
    NoKid,
    /// The token has every scope of the pool but those that are named; none at all where none are named.
    MissingScope,
}

/// How long ago a token ended, or how far ahead it begins: more than any leeway.
const DISTANCE: i64 = HOUR;

/// The name of a pool, and the id of a client, that nobody can have: those that are made up are random.
const OTHER_POOL: &str = "OtherPool";
const OTHER_CLIENT: &str = "anotherclientofthesamepool";

const NO_SCOPES: &str = "An ID token has no scopes.";

/// Makes a token.
pub(crate) async fn mint(cloud: &Cloud, asked: MintToken) -> Result<Value, Fault> {
    let door = cloud.read(|account| {
        let pool = Some(asked.user_pool_id.as_str());
        Door::open(&account.cognito, &asked.client_id, pool, Metadata::new(), Side::Admin)
    })?;
    let (username, scopes) = door.read(cloud, |pool| {
        let user = pool.known_user(&asked.username)?;
        check_may_have_tokens(user)?;
        Ok((user.username.clone(), asked.granted(pool)?))
    })?;
    let overrides = overrides(cloud, &door, &username, "TokenGeneration_Authentication", scopes.as_ref()).await?;
    let keys = keys::of_pool(cloud, &door.pool).await?;
    let now = cloud.now().into();
    let claims = door.read(cloud, |pool| {
        let user = pool.known_user(&username)?;
        check_may_have_tokens(user)?;
        asked.claims(pool, user, Given { scopes: scopes.as_ref(), overrides: &overrides, now })
    })?;
    Ok(json!({ "Token": asked.signed(&keys, &claims)? }))
}

/// Nobody gets a token here who could not sign in.
fn check_may_have_tokens(user: &User) -> Result<(), Fault> {
    check_signed_in(user)?;
    match user.status {
        Status::Confirmed | Status::ExternalProvider => Ok(()),
        Status::Unconfirmed => Err(Fault::new("UserNotConfirmedException", "User is not confirmed.")),
        Status::ResetRequired | Status::ForceChangePassword => {
            Err(Fault::new("PasswordResetRequiredException", "The user must choose a new password first."))
        }
    }
}

/// What the claims depend on besides pool, client and user.
struct Given<'a> {
    scopes: Option<&'a Scopes>,
    overrides: &'a Overrides,
    now: Moment,
}

impl MintToken {
    /// The scopes of the token; none where it is as after a sign-in through the API.
    fn granted(&self, pool: &UserPool) -> Result<Option<Scopes>, Fault> {
        let mut all: Scopes = pool.scopes().into_iter().collect();
        all.extend(STANDARD_SCOPES.map(ToOwned::to_owned));
        let unknown: Scopes = self.scopes.difference(&all).cloned().collect();
        if !unknown.is_empty() {
            let message = format!("Invalid scope requested: {}", joined(&unknown));
            return Err(Fault::new("ScopeDoesNotExistException", message));
        }
        match (self.token_use, self.deviation) {
            (Use::Access, Some(Deviation::MissingScope)) => Ok(Some(all)),
            (Use::Access, _) => Ok(Some(self.scopes.clone()).filter(|scopes| !scopes.is_empty())),
            (Use::Id, Some(Deviation::MissingScope)) => Err(invalid(NO_SCOPES)),
            (Use::Id, _) if !self.scopes.is_empty() => Err(invalid(NO_SCOPES)),
            (Use::Id, _) => Ok(None),
        }
    }

    fn claims(&self, pool: &UserPool, user: &User, given: Given<'_>) -> Result<Value, Fault> {
        let client = pool.client(&self.client_id)?;
        let Given { scopes, overrides, now } = given;
        let validity = match self.token_use {
            Use::Id => client.settings.validity().id,
            Use::Access => client.settings.validity().access,
        };
        // What has ended was good once: all of its times lie back.
        let issued = if self.deviation == Some(Deviation::Expired) { now.after(-validity - DISTANCE) } else { now };
        let (origin, nonce) = (Uuid::new_v4(), None);
        let grant = Grant { pool, client, user, origin, auth_time: issued, now: issued, overrides, scopes, nonce };
        let mut claims = match self.token_use {
            Use::Id => grant.claims().identity().ok_or_else(|| invalid(NO_SCOPES))?,
            Use::Access => grant.claims().access(),
        };
        self.deviate(&mut claims, pool, now);
        Ok(claims)
    }

    fn deviate(&self, claims: &mut Value, pool: &UserPool, now: Moment) {
        let audience = if self.token_use == Use::Id { "aud" } else { "client_id" };
        match self.deviation {
            Some(Deviation::NotYetValid) => claims["nbf"] = json!(now.after(DISTANCE).seconds()),
            Some(Deviation::OtherIssuer) => {
                let stranger = UserPool { id: format!("{}_{OTHER_POOL}", pool.region()), ..UserPool::default() };
                claims["iss"] = json!(stranger.issuer());
            }
            Some(Deviation::OtherAudience) => claims[audience] = json!(OTHER_CLIENT),
            // A trigger may have added what must be missing.
            Some(Deviation::MissingScope) => {
                let all = claims["scope"].as_str().unwrap_or_default().split(' ');
                let others = all.filter(|scope| !self.scopes.is_empty() && !self.scopes.contains(*scope));
                claims["scope"] = json!(others.collect::<Vec<_>>().join(" "));
            }
            // The times of the one are made so, and of the other it is the header that is wrong.
            Some(Deviation::Expired | Deviation::NoKid) | None => {}
        }
    }

    fn signed(&self, keys: &SigningKeys, claims: &Value) -> Result<String, Fault> {
        let key = match self.token_use {
            Use::Id => &keys.id,
            Use::Access => &keys.access,
        };
        if self.deviation == Some(Deviation::NoKid) { key.sign_nameless(claims) } else { key.sign(claims) }
    }
}
