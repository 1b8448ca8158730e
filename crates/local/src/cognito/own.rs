//! What users do with their own account, by their access token.

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cloud::Cloud;
use crate::cognito::UserPools;
use crate::cognito::attribute::{Attributes, NamedValue, collected, listed};
use crate::cognito::fault::invalid;
use crate::cognito::message::{self, Destination, Draft, Filling, Occasion};
use crate::cognito::moment::{DAY, Moment};
use crate::cognito::pool::{UserPool, alias_taken};
use crate::cognito::sign_up::{check_changes, login};
use crate::cognito::token::Bearer;
use crate::cognito::trigger::{Metadata, Subject};
use crate::cognito::user::{Code, Purpose, User};
use crate::wire::Fault;

/// A request that says no more than who asks.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ByToken {
    access_token: String,
}

/// The own account, as far as the client may read it.
pub(crate) fn get_user(pools: &UserPools, request: ByToken, now: Moment) -> Result<Value, Fault> {
    let bearer = pools.bearer(&request.access_token, now)?;
    let pool = pools.pool(&bearer.pool)?;
    let client = pool.client(&bearer.client)?;
    let user = pool.known_user(&bearer.username)?;
    let mut attributes = user.all_attributes();
    attributes.retain(|name, _| client.settings.reads(name));
    let mut value = json!({ "Username": user.username, "UserAttributes": listed(&attributes) });
    if user.totp.enabled {
        value["UserMFASettingList"] = json!(user.second_factors());
    }
    if user.totp.preferred {
        value["PreferredMfaSetting"] = json!("SOFTWARE_TOKEN_MFA");
    }
    Ok(value)
}

/// Deletes the own account.
pub(crate) fn delete_user(pools: &mut UserPools, request: ByToken, now: Moment) -> Result<Value, Fault> {
    let bearer = pools.bearer(&request.access_token, now)?;
    pools.pool_mut(&bearer.pool)?.remove_user(&bearer.username)?;
    Ok(json!({}))
}

/// Voids all own tokens.
pub(crate) fn global_sign_out(pools: &mut UserPools, request: ByToken, now: Moment) -> Result<Value, Fault> {
    let bearer = pools.bearer(&request.access_token, now)?;
    sign_out(pools.pool_mut(&bearer.pool)?, &bearer.username, now)
}

/// Voids all tokens of a user.
pub(crate) fn sign_out(pool: &mut UserPool, username: &str, now: Moment) -> Result<Value, Fault> {
    let user = pool.user_mut(username)?;
    user.signed_out = Some(now);
    let username = user.username.clone();
    pool.sign_out(&username);
    Ok(json!({}))
}

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteUserAttributes {
    access_token: String,
    user_attribute_names: Vec<String>,
}

/// Removes own attributes.
pub(crate) fn delete_attributes(
    pools: &mut UserPools,
    request: DeleteUserAttributes,
    now: Moment,
) -> Result<Value, Fault> {
    let bearer = pools.bearer(&request.access_token, now)?;
    let pool = pools.pool_mut(&bearer.pool)?;
    let changes: Attributes = request.user_attribute_names.into_iter().map(|name| (name, String::new())).collect();
    check_changes(pool, pool.client(&bearer.client)?, &changes)?;
    check_kept(pool, &changes)?;
    pool.user_mut(&bearer.username)?.set_attributes(changes, now);
    Ok(json!({}))
}

/// Refuses to remove what a user must have.
pub(crate) fn check_kept(pool: &UserPool, changes: &Attributes) -> Result<(), Fault> {
    let schema = pool.settings.attributes();
    let named = pool.settings.username_attributes.iter().map(String::as_str);
    let gone = |name: &&str| changes.get(*name).is_some_and(String::is_empty);
    match schema.required().chain(named).find(gone) {
        Some(name) => Err(invalid(format!("user.{name}: Attribute cannot be deleted.\n"))),
        None => Ok(()),
    }
}

/// Refuses a name or alias that somebody else has.
pub(crate) fn check_free(pool: &UserPool, user: &User, changes: &Attributes) -> Result<(), Fault> {
    let names = pool.settings.username_attributes.iter().map(String::as_str);
    for name in names.chain(["preferred_username"]) {
        let Some(value) = changes.get(name).filter(|value| !value.is_empty()) else { continue };
        let changed = User { attributes: [(name.to_owned(), value.clone())].into(), ..user.clone() };
        if pool.rival(&changed, name).is_some() {
            return Err(alias_taken(name));
        }
    }
    Ok(())
}

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateUserAttributes {
    access_token: String,
    user_attributes: Vec<NamedValue>,
    #[serde(default)]
    client_metadata: Metadata,
}

/// Changes own attributes. A new address gets a code, where the pool verifies addresses.
pub(crate) async fn update_attributes(cloud: &Cloud, request: UpdateUserAttributes) -> Result<Value, Fault> {
    let now = cloud.now();
    let changes = collected(request.user_attributes);
    let bearer = cloud.write(|account| {
        let bearer = account.cognito.bearer(&request.access_token, now.into())?;
        store_changes(account.cognito.pool_mut(&bearer.pool)?, &bearer, changes.clone(), now.into())?;
        Ok::<_, Fault>(bearer)
    })?;
    let mut details = Vec::new();
    for attribute in ["email", "phone_number"] {
        let verifies = |pool: &UserPool| pool.settings.auto_verified_attributes.iter().any(|name| name == attribute);
        let wanted = cloud.read(|account| {
            let pool = account.cognito.pool(&bearer.pool)?;
            let user = pool.known_user(&bearer.username)?;
            Ok::<_, Fault>(verifies(pool) && !user.verified(attribute) || user.pending.contains_key(attribute))
        })?;
        if wanted && changes.get(attribute).is_some_and(|value| !value.is_empty()) {
            let occasion = Occasion::UpdateUserAttribute;
            details.push(send_code(cloud, &bearer, attribute, occasion, &request.client_metadata).await?);
        }
    }
    Ok(json!({ "CodeDeliveryDetailsList": details }))
}

fn store_changes(pool: &mut UserPool, bearer: &Bearer, mut changes: Attributes, now: Moment) -> Result<(), Fault> {
    check_changes(pool, pool.client(&bearer.client)?, &changes)?;
    check_kept(pool, &changes)?;
    check_free(pool, pool.known_user(&bearer.username)?, &changes)?;
    let waits = pool.settings.user_attribute_update_settings.attributes_require_verification_before_update.clone();
    let user = pool.user_mut(&bearer.username)?;
    for name in waits {
        let new =
            changes.get(&name).is_some_and(|value| !value.is_empty() && user.attributes.get(&name) != Some(value));
        if new && let Some(value) = changes.remove(&name) {
            user.pending.insert(name, value);
        }
    }
    user.set_attributes(changes, now);
    Ok(())
}

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetUserAttributeVerificationCode {
    access_token: String,
    attribute_name: String,
    #[serde(default)]
    client_metadata: Metadata,
}

/// Sends a code to an own address.
pub(crate) async fn get_code(cloud: &Cloud, request: GetUserAttributeVerificationCode) -> Result<Value, Fault> {
    let now = cloud.now().into();
    let bearer = cloud.read(|account| account.cognito.bearer(&request.access_token, now))?;
    let occasion = Occasion::VerifyUserAttribute;
    let details = send_code(cloud, &bearer, &request.attribute_name, occasion, &request.client_metadata).await?;
    Ok(json!({ "CodeDeliveryDetails": details }))
}

fn purpose(attribute: &str) -> Result<Purpose, Fault> {
    match attribute {
        "email" => Ok(Purpose::Email),
        "phone_number" => Ok(Purpose::Phone),
        _ => Err(invalid("Attribute cannot be verified.")),
    }
}

async fn send_code(
    cloud: &Cloud,
    bearer: &Bearer,
    attribute: &str,
    occasion: Occasion,
    metadata: &Metadata,
) -> Result<Value, Fault> {
    let purpose = purpose(attribute)?;
    let (to, login, draft) = cloud.read(|account| {
        let pool = account.cognito.pool(&bearer.pool)?;
        let user = pool.known_user(&bearer.username)?;
        let addresses = if user.pending.contains_key(attribute) { &user.pending } else { &user.attributes };
        let to = Destination::of(addresses, attribute)
            .ok_or_else(|| invalid(format!("User does not have a value set for the attribute {attribute}.")))?;
        let draft = Draft::new(pool, occasion, &Subject { user, client: &bearer.client, metadata });
        Ok::<_, Fault>((to, login(pool, user), draft))
    })?;
    let wording = draft.worded(cloud).await?;
    let now: OffsetDateTime = cloud.now();
    cloud.write(|account| {
        let code = Code::new(to.attribute, Moment::from(now).after(DAY));
        let digits = code.digits().to_owned();
        account.cognito.pool_mut(&bearer.pool)?.user_mut(&bearer.username)?.codes.insert(purpose, code);
        message::deliver(account, now, &to, &wording, Filling { secret: &digits, username: &login, link: "" });
        Ok::<_, Fault>(to.details())
    })
}

/// A request of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct VerifyUserAttribute {
    access_token: String,
    attribute_name: String,
    code: String,
}

/// Proves an own address with the code that was sent to it.
pub(crate) fn verify(cloud: &Cloud, request: VerifyUserAttribute) -> Result<Value, Fault> {
    let now = Moment::from(cloud.now());
    let purpose = purpose(&request.attribute_name)?;
    cloud.write(|account| {
        let bearer = account.cognito.bearer(&request.access_token, now)?;
        let pool = account.cognito.pool_mut(&bearer.pool)?;
        let user = pool.user_mut(&bearer.username)?;
        // A wrong code must be counted, so that what is refused is stored too.
        if let Err(fault) = user.take_code(&purpose, &request.code, now) {
            return Ok(Err(fault));
        }
        if let Some(value) = user.pending.remove(&request.attribute_name) {
            user.set_attributes([(request.attribute_name.clone(), value)].into(), now);
        }
        pool.verify_attribute(&bearer.username, &request.attribute_name)?;
        Ok::<_, Fault>(Ok(json!({})))
    })?
}
