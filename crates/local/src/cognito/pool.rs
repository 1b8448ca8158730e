//! One pool, and what is in it.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cognito::attribute::{Attribute, Attributes};
use crate::cognito::fault::{self, invalid, missing, not_authorized};
use crate::cognito::keys::{Forge, SigningKeys};
use crate::cognito::moment::Moment;
use crate::cognito::provider::Provider;
use crate::cognito::settings::{ClientSettings, PoolSettings, attribute_of};
use crate::cognito::srp::Identity;
use crate::cognito::token::SignIn;
use crate::cognito::user::{Status, User};
use crate::hidden::Hidden;
use crate::wire::Fault;

/// One user pool.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UserPool {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) settings: PoolSettings,
    pub(crate) created: Moment,
    pub(crate) modified: Moment,
    pub(crate) clients: BTreeMap<String, Client>,
    /// By user name, in the pool's one case.
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) domains: BTreeMap<String, Domain>,
    pub(crate) resource_servers: BTreeMap<String, ResourceServer>,
    /// By name.
    pub(crate) providers: BTreeMap<String, Provider>,
    /// By origin.
    pub(crate) sign_ins: BTreeMap<String, SignIn>,
    /// Who is signed in to the pages, by the hash of the browser's cookie.
    pub(crate) visits: BTreeMap<String, Visit>,
    pub(crate) keys: Option<SigningKeys>,
    #[serde(skip)]
    pub(crate) forge: Forge,
    /// Makes up what strangers see in place of a user who does not exist, the same each time.
    pub(crate) pepper: Hidden<[u8; 32]>,
}

/// An application that signs users in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<Hidden>,
    pub(crate) settings: ClientSettings,
    pub(crate) created: Moment,
    pub(crate) modified: Moment,
}

/// A group of users.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Group {
    pub(crate) group_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) precedence: Option<i64>,
    pub(crate) created: Moment,
    pub(crate) modified: Moment,
}

/// Where a pool's sign-in pages are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Domain {
    pub(crate) domain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom_domain_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) managed_login_version: Option<i64>,
}

/// An API that defines scopes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct ResourceServer {
    pub(crate) identifier: String,
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
}

/// Somebody who is signed in to the pages with one browser.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Visit {
    pub(crate) username: String,
    /// With what the user signed in: `COGNITO`, or an identity provider's name.
    pub(crate) provider: String,
    pub(crate) began: Moment,
    pub(crate) expires: Moment,
}

/// One scope.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Scope {
    pub(crate) scope_name: String,
    pub(crate) scope_description: String,
}

impl UserPool {
    /// The region, which the id begins with.
    pub(crate) fn region(&self) -> &str {
        self.id.split_once('_').map_or("", |(region, _)| region)
    }

    /// Who signs this pool's tokens.
    pub(crate) fn issuer(&self) -> String {
        format!("https://{}", self.provider_name())
    }

    /// The pool's name as an identity provider.
    pub(crate) fn provider_name(&self) -> String {
        format!("cognito-idp.{}.amazonaws.com/{}", self.region(), self.id)
    }

    /// Whose password a user's password is.
    pub(crate) fn identity<'a>(&'a self, user: &'a str) -> Identity<'a> {
        Identity { pool: short_id(&self.id), user }
    }

    /// A name in the pool's one case.
    pub(crate) fn fold(&self, name: &str) -> String {
        if self.settings.case_sensitive() { name.to_owned() } else { name.to_lowercase() }
    }

    /// A user, by name, alias or `sub`.
    pub(crate) fn user(&self, login: &str) -> Option<&User> {
        let login = self.fold(login);
        self.users
            .get(&login)
            .or_else(|| self.users.values().find(|user| user.sub == login || self.answers_to(user, &login)))
    }

    /// A user who must be there.
    pub(crate) fn known_user(&self, login: &str) -> Result<&User, Fault> {
        self.user(login).ok_or_else(fault::no_user)
    }

    /// A user who must be there, to change.
    pub(crate) fn user_mut(&mut self, login: &str) -> Result<&mut User, Fault> {
        let username = self.known_user(login)?.username.clone();
        self.users.get_mut(&username).ok_or_else(fault::no_user)
    }

    /// Attributes that serve as names do so at once, aliases when they are verified. What another identity provider says of
    /// somebody makes no name.
    fn answers_to(&self, user: &User, login: &str) -> bool {
        if user.status == Status::ExternalProvider {
            return false;
        }
        let is = |attribute: &String| user.attributes.get(attribute).is_some_and(|value| self.fold(value) == login);
        let alias = |name: &String| (name == "preferred_username" || user.verified(name)) && is(name);
        self.settings.username_attributes.iter().any(is) || self.settings.alias_attributes.iter().any(alias)
    }

    /// A user who does not exist yet, checked against all that the pool demands.
    pub(crate) fn new_user(&self, login: &str, mut attributes: Attributes, now: Moment) -> Result<User, Fault> {
        check_username(login)?;
        let sub = Uuid::new_v4().to_string();
        let username = if self.settings.username_attributes.is_empty() {
            self.check_not_alias(login)?;
            self.fold(login)
        } else {
            let attribute = self.name_attribute(login)?;
            attributes.insert(attribute.to_owned(), login.to_owned());
            sub.clone()
        };
        self.settings.attributes().check_new(&attributes)?;
        self.check_free(login, &attributes)?;
        let (created, modified) = (now, now);
        Ok(User { username, sub, attributes, enabled: true, created, modified, ..User::default() })
    }

    fn name_attribute(&self, login: &str) -> Result<&'static str, Fault> {
        let names = &self.settings.username_attributes;
        attribute_of(login, names).ok_or_else(|| {
            let has = |name: &str| names.iter().any(|known| known == name);
            invalid(match (has("email"), has("phone_number")) {
                (true, true) => "Username should be either an email or a phone number.",
                (true, false) => "Username should be an email.",
                _ => "Username should be a phone number.",
            })
        })
    }

    fn check_not_alias(&self, login: &str) -> Result<(), Fault> {
        let kind = match attribute_of(login, &self.settings.alias_attributes) {
            Some("email") => "email",
            Some(_) => "phone number",
            None => return Ok(()),
        };
        Err(invalid(format!("Username cannot be of {kind} format, since user pool is configured for {kind} alias.")))
    }

    fn check_free(&self, login: &str, attributes: &Attributes) -> Result<(), Fault> {
        let taken = |message: &str| Err(Fault::new("UsernameExistsException", message));
        for name in &self.settings.username_attributes {
            if attributes.get(name).is_some_and(|value| self.user(value).is_some()) {
                return taken(&format!("An account with the given {name} already exists."));
            }
        }
        if self.user(login).is_some() {
            return taken("User already exists");
        }
        let preferred = "preferred_username";
        let alias = attributes.get(preferred).filter(|_| self.settings.alias_attributes.iter().any(|a| a == preferred));
        if alias.is_some_and(|alias| self.user(alias).is_some()) {
            return Err(alias_taken(preferred));
        }
        Ok(())
    }

    /// Another user who already has one of this user's verified aliases.
    pub(crate) fn rival(&self, user: &User, attribute: &str) -> Option<&User> {
        let names = [&self.settings.alias_attributes, &self.settings.username_attributes];
        let unique = names.into_iter().flatten().any(|name| name == attribute);
        let value = self.fold(user.attributes.get(attribute)?);
        let same = |other: &&User| other.username != user.username && self.answers_to(other, &value);
        self.users.values().find(same).filter(|_| unique)
    }

    /// Takes an alias from whoever has it, for a user who proves that it is his.
    pub(crate) fn release_alias(&mut self, username: &str, attribute: &str) -> Result<(), Fault> {
        let rival = self.rival(self.known_user(username)?, attribute).map(|rival| rival.username.clone());
        let alias = self.settings.alias_attributes.iter().any(|name| name == attribute);
        if let Some(rival) = rival.and_then(|rival| self.users.get_mut(&rival)).filter(|_| alias) {
            rival.attributes.insert(format!("{attribute}_verified"), "false".to_owned());
        }
        Ok(())
    }

    /// Marks an address as the user's own. Where it is an alias, nobody else may have it.
    pub(crate) fn verify_attribute(&mut self, username: &str, attribute: &str) -> Result<(), Fault> {
        let user = self.known_user(username)?;
        if self.rival(user, attribute).is_some() {
            return Err(alias_taken(attribute));
        }
        let user = self.user_mut(username)?;
        user.attributes.insert(format!("{attribute}_verified"), "true".to_owned());
        Ok(())
    }

    /// Removes a user and all that he was signed in with.
    pub(crate) fn remove_user(&mut self, login: &str) -> Result<(), Fault> {
        let username = self.known_user(login)?.username.clone();
        self.sign_out(&username);
        self.users.remove(&username);
        Ok(())
    }

    /// Voids all that a user is signed in with.
    pub(crate) fn sign_out(&mut self, username: &str) {
        self.sign_ins.retain(|_, sign_in| sign_in.username != username);
        self.visits.retain(|_, visit| visit.username != username);
    }

    /// A user's groups, the one that counts most first.
    pub(crate) fn groups_of(&self, user: &User) -> Vec<&Group> {
        let mut groups: Vec<&Group> = user.groups.iter().filter_map(|name| self.groups.get(name)).collect();
        groups.sort_by_key(|group| (group.precedence.unwrap_or(i64::MAX), group.group_name.as_str()));
        groups
    }

    /// Scopes that the pool's resource servers define.
    pub(crate) fn scopes(&self) -> Vec<String> {
        let of = |server: &ResourceServer| {
            let scopes = server.scopes.iter();
            scopes.map(|scope| format!("{}/{}", server.identifier, scope.scope_name)).collect::<Vec<_>>()
        };
        self.resource_servers.values().flat_map(of).collect()
    }

    /// A client that must be there.
    pub(crate) fn client(&self, id: &str) -> Result<&Client, Fault> {
        self.clients.get(id).ok_or_else(|| fault::no_client(id))
    }

    /// Adds a client.
    pub(crate) fn add_client(&mut self, settings: ClientSettings, now: Moment) -> Result<&Client, Fault> {
        self.check_client(&settings)?;
        let id = random_text(26, b"abcdefghijklmnopqrstuvwxyz0123456789");
        let secret = settings.generate_secret.then(|| random_text(51, b"abcdefghijklmnopqrstuvwxyz0123456789").into());
        let client = Client { id: id.clone(), secret, settings, created: now, modified: now };
        Ok(self.clients.entry(id).or_insert(client))
    }

    /// Changes a client; what is left out goes back to its default.
    pub(crate) fn update_client(&mut self, id: &str, mut next: ClientSettings, now: Moment) -> Result<&Client, Fault> {
        let known = self.client(id)?;
        next.generate_secret = known.secret.is_some();
        if next.client_name.is_empty() {
            next.client_name.clone_from(&known.settings.client_name);
        }
        self.check_client(&next)?;
        let client = self.clients.get_mut(id).ok_or_else(|| fault::no_client(id))?;
        client.settings = next;
        client.modified = now;
        Ok(client)
    }

    fn check_client(&self, settings: &ClientSettings) -> Result<(), Fault> {
        if let Some(provider) = settings.unknown_provider(&self.providers) {
            return Err(invalid(format!("The provider {provider} does not exist for User Pool {}.", self.id)));
        }
        settings.check(&self.settings.attributes(), &self.scopes())
    }

    /// Removes a client and what it signed in.
    pub(crate) fn remove_client(&mut self, id: &str) -> Result<(), Fault> {
        self.clients.remove(id).ok_or_else(|| fault::no_client(id))?;
        self.sign_ins.retain(|_, sign_in| sign_in.client != id);
        Ok(())
    }

    /// As `DescribeUserPool` has it.
    pub(crate) fn description(&self) -> Value {
        let mut value = json!(self.settings);
        if let Value::Object(members) = &mut value {
            members.remove("Schema");
            members.remove("EnabledMfas");
        }
        value["Id"] = json!(self.id);
        value["Arn"] = json!(self.arn);
        value["Policies"]["PasswordPolicy"] = json!(self.settings.password_policy());
        value["SchemaAttributes"] = self.settings.attributes().iter().map(Attribute::description).collect();
        value["CreationDate"] = self.created.json();
        value["LastModifiedDate"] = self.modified.json();
        value["EstimatedNumberOfUsers"] = json!(self.users.len());
        value["MfaConfiguration"] = json!(self.settings.mfa());
        value["DeletionProtection"] = json!(self.settings.deletion_protection.as_deref().unwrap_or("INACTIVE"));
        for domain in self.domains.values() {
            let member = if domain.custom_domain_config.is_some() { "CustomDomain" } else { "Domain" };
            value[member] = json!(domain.domain);
        }
        value
    }
}

impl Client {
    /// The proof that whoever calls knows the client's secret.
    pub(crate) fn proof(&self, username: &str) -> Option<String> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_ref()?.as_bytes());
        Some(STANDARD.encode(hmac::sign(&key, format!("{username}{}", self.id).as_bytes())))
    }

    /// Checks the proof that the caller knows the client's secret.
    pub(crate) fn check_secret(&self, username: &str, hash: Option<&str>) -> Result<(), Fault> {
        let id = &self.id;
        let unverified = || not_authorized(format!("Unable to verify secret hash for client {id}"));
        match (&self.secret, hash) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(unverified()),
            (Some(_), None) => {
                Err(not_authorized(format!("Client {id} is configured with secret but SECRET_HASH was not received")))
            }
            (Some(secret), Some(hash)) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                let hash = STANDARD.decode(hash).map_err(|_| unverified())?;
                hmac::verify(&key, format!("{username}{id}").as_bytes(), &hash).map_err(|_| unverified())
            }
        }
    }

    /// As `DescribeUserPoolClient` has it.
    pub(crate) fn description(&self, pool: &str) -> Value {
        let mut value = json!(self.settings);
        value["UserPoolId"] = json!(pool);
        value["ClientId"] = json!(self.id);
        if let Some(secret) = &self.secret {
            value["ClientSecret"] = json!(secret);
        }
        value["CreationDate"] = self.created.json();
        value["LastModifiedDate"] = self.modified.json();
        value["RefreshTokenValidity"] = json!(self.settings.refresh_token_validity.unwrap_or(30));
        value["EnableTokenRevocation"] = json!(self.settings.revocation());
        value["AuthSessionValidity"] = json!(self.settings.auth_session_validity.unwrap_or(3));
        value
    }
}

impl Group {
    /// As `GetGroup` has it.
    pub(crate) fn description(&self, pool: &str) -> Value {
        let mut value = json!(self);
        if let Value::Object(members) = &mut value {
            members.remove("Created");
            members.remove("Modified");
        }
        value["UserPoolId"] = json!(pool);
        value["CreationDate"] = self.created.json();
        value["LastModifiedDate"] = self.modified.json();
        value
    }
}

/// What follows the underscore of a pool's id.
pub(crate) fn short_id(id: &str) -> &str {
    id.split_once('_').map_or(id, |(_, short)| short)
}

/// Someone else has it already.
pub(crate) fn alias_taken(attribute: &str) -> Fault {
    Fault::new("AliasExistsException", format!("An account with the given {attribute} already exists."))
}

/// Random characters out of an alphabet.
pub(crate) fn random_text(length: usize, alphabet: &[u8]) -> String {
    let mut random = rand::rng();
    let pick = || alphabet.get(random.random_range(0..alphabet.len())).copied().map_or('a', char::from);
    std::iter::repeat_with(pick).take(length).collect()
}

/// Checks what the service's interface demands of every name.
pub(crate) fn check_username(name: &str) -> Result<(), Fault> {
    let constraint = match name.chars().count() {
        0 => "Member must have length greater than or equal to 1",
        1..=128 if name.chars().any(|c| c.is_whitespace() || c.is_control()) => {
            "Member must satisfy regular expression pattern: [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+"
        }
        1..=128 => return Ok(()),
        _ => "Member must have length less than or equal to 128",
    };
    Err(invalid(format!("1 validation error detected: Value at 'username' failed to satisfy constraint: {constraint}")))
}

impl UserPool {
    /// A group that must be there.
    pub(crate) fn group(&self, name: &str) -> Result<&Group, Fault> {
        self.groups.get(name).ok_or_else(fault::no_group)
    }

    /// Adds a group.
    pub(crate) fn add_group(&mut self, group: Group) -> Result<&Group, Fault> {
        if self.groups.contains_key(&group.group_name) {
            return Err(Fault::new("GroupExistsException", "A group with the name already exists."));
        }
        Ok(self.groups.entry(group.group_name.clone()).or_insert(group))
    }

    /// Removes a group, and its members from it.
    pub(crate) fn remove_group(&mut self, name: &str) -> Result<(), Fault> {
        self.groups.remove(name).ok_or_else(fault::no_group)?;
        for user in self.users.values_mut() {
            user.groups.remove(name);
        }
        Ok(())
    }

    /// Adds a resource server.
    pub(crate) fn add_resource_server(&mut self, server: ResourceServer) -> Result<(), Fault> {
        if self.resource_servers.contains_key(&server.identifier) {
            let message = format!("{} already exists in user pool {}.", server.identifier, self.id);
            return Err(invalid(message));
        }
        self.resource_servers.insert(server.identifier.clone(), server);
        Ok(())
    }

    /// A resource server that must be there.
    pub(crate) fn resource_server(&self, identifier: &str) -> Result<&ResourceServer, Fault> {
        let none = || missing(format!("Resource server {identifier} does not exist."));
        self.resource_servers.get(identifier).ok_or_else(none)
    }

    /// Whether a confirmed user may exist at once: what an administrator or a trigger says is verified counts.
    pub(crate) fn confirm(&mut self, username: &str, now: Moment) -> Result<(), Fault> {
        let user = self.user_mut(username)?;
        user.status = Status::Confirmed;
        user.modified = now;
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn pool(settings: Value) -> UserPool {
        let settings = serde_json::from_value(settings).expect("a pool's settings");
        UserPool { id: "us-east-1_AbCdEfGhI".to_owned(), settings, ..UserPool::default() }
    }

    fn joined(pool: &mut UserPool, login: &str, attributes: &[(&str, &str)]) -> Result<String, String> {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let user = pool.new_user(login, attributes, Moment::default()).map_err(|fault| fault.message)?;
        let username = user.username.clone();
        pool.users.insert(username.clone(), user);
        Ok(username)
    }

    #[test]
    fn an_email_as_a_name_hides_behind_an_id() {
        let mut pool =
            pool(json!({ "UsernameAttributes": ["email"], "UsernameConfiguration": { "CaseSensitive": false } }));
        let name = joined(&mut pool, "Alice@example.com", &[]).expect("a user");
        assert_eq!(pool.user("alice@EXAMPLE.com").map(|user| user.sub.clone()), Some(name));
        assert_eq!(joined(&mut pool, "alice", &[]), Err("Username should be an email.".to_owned()));
        let again = joined(&mut pool, "alice@example.com", &[]);
        assert_eq!(again, Err("An account with the given email already exists.".to_owned()));
    }

    #[test]
    fn an_alias_counts_when_it_is_verified() {
        let mut pool = pool(json!({ "AliasAttributes": ["email"] }));
        joined(&mut pool, "alice", &[("email", "a@example.com")]).expect("a user");
        assert!(pool.user("a@example.com").is_none());
        assert_eq!(pool.verify_attribute("alice", "email"), Ok(()));
        assert!(pool.user("a@example.com").is_some());
        joined(&mut pool, "alan", &[("email", "a@example.com")]).expect("a second user with the same address");
        assert_eq!(pool.verify_attribute("alan", "email").map_err(|f| f.code), Err("AliasExistsException".to_owned()));
        assert!(joined(&mut pool, "b@example.com", &[]).is_err_and(|message| message.contains("email format")));
        assert_eq!(pool.release_alias("alan", "email"), Ok(()));
        assert_eq!(pool.verify_attribute("alan", "email"), Ok(()));
        assert_eq!(pool.user("a@example.com").map(|user| user.username.as_str()), Some("alan"));
    }

    #[test]
    fn a_preferred_name_is_nobody_elses() {
        let mut pool = pool(json!({ "AliasAttributes": ["preferred_username"] }));
        joined(&mut pool, "alice", &[("preferred_username", "al")]).expect("a user");
        for taken in ["al", "alice"] {
            let again = joined(&mut pool, "alan", &[("preferred_username", taken)]);
            assert_eq!(again, Err("An account with the given preferred_username already exists.".to_owned()));
        }
        assert_eq!(joined(&mut pool, "al", &[]), Err("User already exists".to_owned()));
    }

    #[test]
    fn names_are_sensitive_to_case_unless_told_otherwise() {
        let mut strict = pool(json!({}));
        joined(&mut strict, "alice", &[]).expect("a user");
        assert!(joined(&mut strict, "Alice", &[]).is_ok());
        let mut relaxed = pool(json!({ "UsernameConfiguration": { "CaseSensitive": false } }));
        joined(&mut relaxed, "Alice", &[]).expect("a user");
        assert_eq!(joined(&mut relaxed, "aLICE", &[]), Err("User already exists".to_owned()));
    }

    #[test]
    fn a_client_with_a_secret_asks_for_proof() {
        let client = Client { id: "abc".to_owned(), secret: Some("hush".to_owned().into()), ..Client::default() };
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"hush");
        let proof = STANDARD.encode(hmac::sign(&key, b"aliceabc"));
        assert_eq!(client.check_secret("alice", Some(&proof)), Ok(()));
        for wrong in [None, Some(""), Some("AAAA"), Some("not base64")] {
            assert_eq!(
                client.check_secret("alice", wrong).map_err(|f| f.code),
                Err("NotAuthorizedException".to_owned())
            );
        }
        assert!(client.check_secret("bob", Some(&proof)).is_err());
    }
}
