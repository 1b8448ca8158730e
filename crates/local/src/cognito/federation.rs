//! Users who sign in with another identity provider.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::cloud::Cloud;
use crate::cognito::UserPools;
use crate::cognito::attribute::{Attributes, Author};
use crate::cognito::fault::{self, invalid};
use crate::cognito::moment::Moment;
use crate::cognito::pool::{UserPool, check_username};
use crate::cognito::provider::Provider;
use crate::cognito::sign_in::{Door, finish};
use crate::cognito::sign_up::{Verdict, confirmed, pre_sign_up};
use crate::cognito::trigger::{self, Subject};
use crate::cognito::user::{Status, User};
use crate::wire::Fault;

/// Who a user is to one identity provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Identity {
    pub(crate) user_id: String,
    pub(crate) provider: String,
    kind: String,
    issuer: Option<String>,
    /// The user came from this provider; otherwise an administrator linked the two.
    pub(crate) primary: bool,
    /// Milliseconds since 1970.
    created: i64,
    /// The claim that must hold `user_id`, where that is not the provider's own name for the user.
    claim: Option<String>,
}

impl Identity {
    /// As tokens have it.
    pub(crate) fn claim(&self) -> Value {
        json!({
            "userId": self.user_id, "providerName": self.provider, "providerType": self.kind, "issuer": self.issuer,
            "primary": self.primary.to_string(), "dateCreated": self.created.to_string(),
        })
    }

    /// As the attribute `identities` has it.
    pub(crate) fn attribute(&self) -> Value {
        json!({
            "userId": self.user_id, "providerName": self.provider, "providerType": self.kind, "issuer": self.issuer,
            "primary": self.primary, "dateCreated": self.created,
        })
    }

    fn is(&self, provider: &str, claim: Option<&str>, value: &str) -> bool {
        self.provider == provider && self.claim.as_deref() == claim && self.user_id == value
    }
}

/// The claims of somebody who comes from a provider.
pub(crate) type Claims = Map<String, Value>;

/// Somebody who comes from a provider.
#[derive(Debug, Clone, PartialEq)]
struct Arrival {
    subject: String,
    attributes: Attributes,
}

impl Arrival {
    fn new(provider: &Provider, claims: &Claims) -> Result<Self, Fault> {
        let claim = provider.subject_claim();
        let subject = claims.get(claim).and_then(text).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| invalid(format!("{} sent no {claim}.", provider.name)))?;
        let mapped = provider.attribute_mapping.iter().filter(|(attribute, _)| *attribute != "username");
        let mapped =
            mapped.filter_map(|(attribute, claim)| Some((attribute.clone(), claims.get(claim).and_then(text)?)));
        Ok(Self { subject, attributes: mapped.collect() })
    }
}

/// A claim as an attribute.
fn text(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(claim.to_string()),
        Value::Array(items) => Some(format!("[{}]", items.iter().filter_map(text).collect::<Vec<_>>().join(", "))),
        Value::Object(_) | Value::Null => None,
    }
}

/// Lets somebody in who comes from a provider, as a user of the pool. Returns the user's name.
pub(crate) async fn arrive(cloud: &Cloud, door: &Door, provider: &Provider, claims: &Claims) -> Result<String, Fault> {
    let now = Moment::from(cloud.now());
    let arrival = Arrival::new(provider, claims)?;
    let known = door.read(cloud, |pool| Ok(resident(pool, provider, claims).map(|user| user.username.clone())))?;
    let Some(username) = known else {
        return settle(cloud, door, provider, &arrival).await;
    };
    door.write(cloud, |pool| refresh(pool, &username, arrival.attributes, now))?;
    finish(cloud, door, &username, "TokenGeneration_HostedAuth").await?;
    Ok(username)
}

/// The user who is meant: one who came from this provider before, or who was linked to it.
fn resident<'a>(pool: &'a UserPool, provider: &Provider, claims: &Claims) -> Option<&'a User> {
    let subject = claims.get(provider.subject_claim()).and_then(text)?;
    let is = |identity: &Identity| match &identity.claim {
        None => identity.is(&provider.name, None, &subject),
        Some(claim) => {
            let value = claims.get(claim).and_then(text).unwrap_or_default();
            !value.is_empty() && identity.is(&provider.name, Some(claim), &value)
        }
    };
    pool.users.values().find(|user| user.identities.iter().any(is))
}

/// Takes over what the provider says now.
fn refresh(pool: &mut UserPool, username: &str, mut attributes: Attributes, now: Moment) -> Result<(), Fault> {
    let schema = pool.settings.attributes();
    let user = pool.user_mut(username)?;
    if !user.enabled {
        return Err(fault::disabled());
    }
    attributes.retain(|name, value| user.attributes.get(name) != Some(value));
    schema.check_changes(&attributes, Author::Administrator)?;
    if !attributes.is_empty() {
        user.set_attributes(attributes, now);
    }
    Ok(())
}

/// Takes somebody in who was never here.
async fn settle(cloud: &Cloud, door: &Door, provider: &Provider, arrival: &Arrival) -> Result<String, Fault> {
    let now = Moment::from(cloud.now());
    let (mut user, call) = door.read(cloud, |pool| {
        let user = new_user(pool, provider, arrival, now)?;
        let subject = Subject { user: &user, client: &door.client.id, metadata: &door.metadata };
        let call = pre_sign_up(pool, "PreSignUp_ExternalProvider", &subject, Vec::new());
        Ok((user, call))
    })?;
    let verdict = Verdict::read(trigger::run_if_any(cloud, call).await?);
    verdict.verify(&mut user);
    let username = user.username.clone();
    door.write(cloud, |pool| {
        // Somebody else may have taken the name while the trigger ran.
        new_user(pool, provider, arrival, now)?;
        let group = pool.provider_group(&provider.name);
        user.groups.extend(Some(group).filter(|group| pool.groups.contains_key(group)));
        pool.users.insert(user.username.clone(), user);
        Ok(())
    })?;
    let source = "PostConfirmation_ConfirmSignUp";
    confirmed(cloud, source, &door.pool, &door.client.id, &username, &door.metadata).await?;
    Ok(username)
}

fn new_user(pool: &UserPool, provider: &Provider, arrival: &Arrival, now: Moment) -> Result<User, Fault> {
    let username = pool.fold(&format!("{}_{}", provider.name, arrival.subject));
    check_username(&username)?;
    // Names that differ in case only are one name in most pools, but two people at their provider.
    if pool.users.contains_key(&username) {
        return Err(Fault::new("UsernameExistsException", "User already exists"));
    }
    let schema = pool.settings.attributes();
    let mut attributes = arrival.attributes.clone();
    let absent: Vec<&str> =
        schema.required().filter(|name| attributes.get(*name).is_none_or(String::is_empty)).collect();
    if !absent.is_empty() {
        return Err(invalid(format!("attributes required: [{}]", absent.join(", "))));
    }
    schema.check_new(&attributes)?;
    for address in ["email", "phone_number"] {
        if attributes.contains_key(address) {
            attributes.entry(format!("{address}_verified")).or_insert_with(|| "false".to_owned());
        }
    }
    let identity = Identity { user_id: arrival.subject.clone(), primary: true, ..identity(provider, now) };
    Ok(User {
        username,
        sub: Uuid::new_v4().to_string(),
        attributes,
        status: Status::ExternalProvider,
        enabled: true,
        created: now,
        modified: now,
        identities: vec![identity],
        ..User::default()
    })
}

fn identity(provider: &Provider, now: Moment) -> Identity {
    Identity {
        provider: provider.name.clone(),
        kind: provider.kind.name().to_owned(),
        issuer: provider.detail("EntityID").map(ToOwned::to_owned),
        created: now.seconds().saturating_mul(1000),
        ..Identity::default()
    }
}

/// A user as a provider knows him.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    provider_name: String,
    #[serde(default)]
    provider_attribute_name: String,
    provider_attribute_value: String,
}

impl Named {
    /// The claim to look at; nothing where it is the provider's own name for a user.
    fn claim(&self) -> Option<&str> {
        let name = self.provider_attribute_name.as_str();
        (!name.is_empty() && name != "Cognito_Subject").then_some(name)
    }
}

/// A request of `AdminLinkProviderForUser`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Link {
    user_pool_id: String,
    destination_user: Named,
    source_user: Named,
}

/// Lets a user sign in with a provider too.
pub(crate) fn link(pools: &mut UserPools, request: Link, now: Moment) -> Result<Value, Fault> {
    let Link { user_pool_id, destination_user, source_user } = request;
    let pool = pools.pool_mut(&user_pool_id)?;
    if source_user.provider_name == "Cognito" {
        return Err(invalid("SourceUser must be a user of an identity provider."));
    }
    let provider = pool.provider(&source_user.provider_name)?.clone();
    let destination = destination(pool, &destination_user)?.username.clone();
    let value = source_user.provider_attribute_value.as_str();
    let is = |user: &&User| user.identities.iter().any(|known| known.is(&provider.name, source_user.claim(), value));
    if let Some(known) = pool.users.values().find(is) {
        return Err(invalid(if known.username == destination {
            "SourceUser is already linked to DestinationUser"
        } else {
            "Merging is not currently supported, provide a SourceUser who has not been merged with another user."
        }));
    }
    let user = pool.user_mut(&destination)?;
    let claim = source_user.claim().map(ToOwned::to_owned);
    user.identities.push(Identity { user_id: value.to_owned(), claim, ..identity(&provider, now) });
    user.modified = now;
    Ok(json!({}))
}

fn destination<'a>(pool: &'a UserPool, named: &Named) -> Result<&'a User, Fault> {
    let value = named.provider_attribute_value.as_str();
    if named.provider_name == "Cognito" {
        return pool.known_user(value);
    }
    let is = |user: &&User| user.identities.iter().any(|known| known.is(&named.provider_name, None, value));
    pool.users.values().find(is).ok_or_else(fault::no_user)
}

/// A request of `AdminDisableProviderForUser`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Unlink {
    user_pool_id: String,
    user: Named,
}

/// Stops a user from signing in with a provider, `Cognito` for the user's own password.
pub(crate) fn unlink(pools: &mut UserPools, request: Unlink, now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool_mut(&request.user_pool_id)?;
    let named = request.user;
    let value = named.provider_attribute_value.as_str();
    if named.provider_name == "Cognito" {
        let user = pool.user_mut(value)?;
        user.credential = None;
        user.modified = now;
        return Ok(json!({}));
    }
    let is = |known: &Identity| known.is(&named.provider_name, named.claim(), value);
    let user = pool.users.values_mut().find(|user| user.identities.iter().any(is)).ok_or_else(fault::no_user)?;
    let came_from_it = user.identities.iter().any(|known| is(known) && known.primary);
    if came_from_it {
        user.enabled = false;
    } else {
        user.identities.retain(|known| !is(known));
    }
    user.modified = now;
    let username = user.username.clone();
    pool.sign_out(&username);
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cognito::pool::tests::pool;

    fn corp(mapping: Value) -> Provider {
        serde_json::from_value(json!({
            "ProviderName": "Corp", "ProviderType": "OIDC", "AttributeMapping": mapping,
        }))
        .expect("a provider")
    }

    fn claims(value: Value) -> Claims {
        value.as_object().cloned().unwrap_or_default()
    }

    fn user(settings: Value, mapping: Value, given: Value) -> Result<User, String> {
        let provider = corp(mapping);
        let arrival = Arrival::new(&provider, &claims(given)).map_err(|fault| fault.message)?;
        new_user(&pool(settings), &provider, &arrival, Moment::default()).map_err(|fault| fault.message)
    }

    #[test]
    fn claims_become_attributes_as_they_are_mapped() {
        let mapping = json!({ "email": "mail", "email_verified": "proven", "custom:roles": "roles", "name": "none" });
        let given = json!({ "sub": 7, "mail": "a@example.com", "proven": true, "roles": ["a", "b"], "other": "x" });
        let schema = json!({ "Schema": [{ "Name": "roles" }] });
        let user = user(schema, mapping, given).expect("a user");
        assert_eq!((user.username.as_str(), user.status), ("Corp_7", Status::ExternalProvider));
        let expected = [("custom:roles", "[a, b]"), ("email", "a@example.com"), ("email_verified", "true")];
        assert_eq!(user.attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(user.identities[0].claim()["primary"], "true");
    }

    #[test]
    fn who_lacks_what_the_pool_needs_stays_out() {
        let required = json!({ "Schema": [{ "Name": "email", "Required": true }] });
        let mapped = json!({ "email": "email" });
        let refused = |outcome: Result<User, String>| outcome.err().unwrap_or_default();
        assert_eq!(refused(user(required, mapped, json!({ "sub": "1" }))), "attributes required: [email]");
        assert_eq!(refused(user(json!({}), json!({}), json!({ "id": "1" }))), "Corp sent no sub.");
        assert!(user(json!({}), json!({}), json!({ "sub": "a b" })).is_err());
    }

    #[test]
    fn an_address_that_is_not_said_to_be_proven_is_not() {
        let given = json!({ "sub": "1", "email": "a@example.com" });
        let user = user(json!({}), json!({ "email": "email" }), given).expect("a user");
        assert_eq!(user.attributes["email_verified"], "false");
    }

    #[test]
    fn two_people_are_never_one_name() {
        let mut pool = pool(json!({ "UsernameConfiguration": { "CaseSensitive": false } }));
        let provider = corp(json!({}));
        let arrival = |sub: &str| Arrival::new(&provider, &claims(json!({ "sub": sub }))).expect("a subject");
        let first = new_user(&pool, &provider, &arrival("AbC"), Moment::default()).expect("a user");
        pool.users.insert(first.username.clone(), first);
        assert!(resident(&pool, &provider, &claims(json!({ "sub": "AbC" }))).is_some());
        assert!(resident(&pool, &provider, &claims(json!({ "sub": "abc" }))).is_none());
        let second = new_user(&pool, &provider, &arrival("abc"), Moment::default());
        assert_eq!(second.map_err(|fault| fault.code).err().as_deref(), Some("UsernameExistsException"));
    }

    #[test]
    fn a_linked_user_is_found_by_the_claim_of_the_link() {
        let mut pools = UserPools::default();
        let mut pool = pool(json!({}));
        let provider = corp(json!({}));
        pool.providers.insert("Corp".to_owned(), provider.clone());
        pool.users.insert("alice".to_owned(), User { username: "alice".to_owned(), enabled: true, ..User::default() });
        let id = pool.id.clone();
        pools.pools.insert(id.clone(), pool);
        let request = || {
            serde_json::from_value(json!({
                "UserPoolId": id,
                "DestinationUser": { "ProviderName": "Cognito", "ProviderAttributeValue": "alice" },
                "SourceUser": { "ProviderName": "Corp", "ProviderAttributeName": "email", "ProviderAttributeValue": "a@x.y" },
            }))
            .expect("a request")
        };
        assert_eq!(link(&mut pools, request(), Moment::default()), Ok(json!({})));
        assert!(link(&mut pools, request(), Moment::default()).is_err());
        let found = |pools: &UserPools, given: Value| {
            resident(&pools.pools[&id], &provider, &claims(given)).map(|user| user.username.clone())
        };
        assert_eq!(found(&pools, json!({ "sub": "1", "email": "a@x.y" })).as_deref(), Some("alice"));
        assert_eq!(found(&pools, json!({ "sub": "a@x.y" })), None);
        let request = serde_json::from_value(json!({
            "UserPoolId": id,
            "User": { "ProviderName": "Corp", "ProviderAttributeName": "email", "ProviderAttributeValue": "a@x.y" },
        }));
        assert_eq!(unlink(&mut pools, request.expect("a request"), Moment::default()), Ok(json!({})));
        assert_eq!(found(&pools, json!({ "sub": "1", "email": "a@x.y" })), None);
    }
}
