//! The roles, users, policies and access keys of an account.

pub(crate) mod api;
pub(crate) mod authorize;
pub(crate) mod deeds;
pub(crate) mod key;
pub(crate) mod policy;
mod resources;
#[cfg(test)]
pub(crate) mod testing;
mod user;

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::cloud::Account;
use crate::hidden::Hidden;
use crate::wire::Fault;
use policy::Policy;

pub use key::{AccessKey, SessionCredentials};
pub(crate) use resources::RESOURCE_TYPES;
pub use user::{User, UserKey};

/// XML namespace of its answers.
pub(crate) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The roles, users, policies and access keys of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Iam {
    /// The account's own key.
    pub root: AccessKey,
    /// What session keys are derived from.
    pub session_seed: Hidden,
    /// Roles by name.
    pub roles: BTreeMap<String, Role>,
    /// Users by name.
    pub users: BTreeMap<String, User>,
    /// The account's managed policies by ARN.
    pub policies: BTreeMap<String, ManagedPolicy>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Starts with `AROA`.
    pub id: String,
    /// Name, unique in the account.
    pub name: String,
    /// Path, `/` for most.
    pub path: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who may assume it.
    pub trust: Value,
    /// Longest session in seconds.
    pub max_session: u32,
    /// ARN of the policy that bounds what the others grant.
    pub boundary: Option<String>,
    /// Policies of its own, by name.
    pub inline: BTreeMap<String, Value>,
    /// ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

impl Role {
    /// Its ARN in this account.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:role{}{}", self.path, self.name)
    }
}

/// Most characters of a managed policy, without white space.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const LARGEST_MANAGED: usize = 6_144;

/// A policy that roles and users share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// Starts with `ANPA`.
    pub id: String,
    /// Name.
    pub name: String,
    /// Path, `/` for most.
    pub path: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it grants and denies.
    pub document: Value,
    /// Number of its current version.
    pub version: u32,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

/// A role or policy that is to be made, besides its documents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming {
    pub(crate) name: String,
    pub(crate) path: Option<String>,
    pub(crate) description: Option<String>,
}

impl Iam {
    /// No roles, and keys that nobody else has.
    #[must_use]
    pub fn with_fresh_keys() -> Self {
        Self { root: AccessKey::fresh(), session_seed: key::fresh_secret().into(), ..Self::default() }
    }

    /// A role by its name.
    pub(crate) fn role(&self, name: &str) -> Result<&Role, Fault> {
        self.roles.get(name).ok_or_else(|| no_role(name))
    }

    /// A role by its name, to be changed.
    pub(crate) fn role_mut(&mut self, name: &str) -> Result<&mut Role, Fault> {
        self.roles.get_mut(name).ok_or_else(|| no_role(name))
    }

    /// A role by its ARN.
    #[must_use]
    pub fn role_of(&self, arn: &str) -> Option<&Role> {
        let (head, name) = arn.rsplit_once('/')?;
        let account = arn.split(':').nth(4)?;
        self.roles.get(name).filter(|role| head.starts_with("arn:aws:iam::") && role.arn(account) == arn)
    }

    pub(crate) fn create_role(
        &mut self,
        naming: Naming,
        trust: Value,
        now: OffsetDateTime,
    ) -> Result<&mut Role, Fault> {
        check_name(&naming.name, 64)?;
        Policy::parse_trust(&trust)?;
        if self.roles.contains_key(&naming.name) {
            return Err(exists(format!("Role with name {} already exists.", naming.name)));
        }
        let role = Role {
            id: key::key_id("AROA", &key::random::<16>()),
            name: naming.name.clone(),
            path: checked_path(naming.path)?,
            description: naming.description,
            trust,
            max_session: 3600,
            boundary: None,
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            tags: BTreeMap::new(),
            created: now,
        };
        Ok(self.roles.entry(naming.name).or_insert(role))
    }

    pub(crate) fn delete_role(&mut self, name: &str) -> Result<(), Fault> {
        let role = self.role(name)?;
        if !role.attached.is_empty() {
            return Err(conflict("Cannot delete entity, must detach all policies first."));
        }
        if !role.inline.is_empty() {
            return Err(conflict("Cannot delete entity, must delete policies first."));
        }
        self.roles.remove(name);
        Ok(())
    }

    pub(crate) fn put_role_policy(&mut self, role: &str, name: &str, document: Value) -> Result<(), Fault> {
        check_name(name, 128)?;
        Policy::parse_identity(&document)?;
        self.role_mut(role)?.inline.insert(name.to_owned(), document);
        Ok(())
    }

    pub(crate) fn attach(&mut self, role: &str, arn: &str) -> Result<(), Fault> {
        self.attachable(arn)?;
        self.role_mut(role)?.attached.insert(arn.to_owned());
        Ok(())
    }

    fn attachable(&self, arn: &str) -> Result<(), Fault> {
        if !arn.starts_with(AWS_MANAGED) && !self.policies.contains_key(arn) {
            return Err(no_entity(format!("Policy {arn} does not exist or is not attachable.")));
        }
        Ok(())
    }

    pub(crate) fn create_policy(
        &mut self,
        account: &str,
        naming: Naming,
        document: Value,
        now: OffsetDateTime,
    ) -> Result<String, Fault> {
        check_name(&naming.name, 128)?;
        Policy::parse_identity(&document)?;
        if user::characters(&document) > LARGEST_MANAGED {
            return Err(user::limit(format!("Cannot exceed quota for PolicySize: {LARGEST_MANAGED}")));
        }
        let path = checked_path(naming.path)?;
        let arn = format!("arn:aws:iam::{account}:policy{path}{}", naming.name);
        if self.policies.contains_key(&arn) {
            return Err(exists(format!(
                "A policy called {} already exists. Duplicate names are not allowed.",
                naming.name
            )));
        }
        let id = key::key_id("ANPA", &key::random::<16>());
        let Naming { name, description, .. } = naming;
        let policy = ManagedPolicy { id, name, path, description, document, version: 1, created: now };
        self.policies.insert(arn.clone(), policy);
        Ok(arn)
    }

    pub(crate) fn delete_policy(&mut self, arn: &str) -> Result<(), Fault> {
        if self.holders(arn) > 0 {
            return Err(conflict("Cannot delete a policy attached to entities."));
        }
        self.policies.remove(arn).map(drop).ok_or_else(|| no_policy(arn))
    }

    /// How many roles and users a managed policy is attached to.
    fn holders(&self, arn: &str) -> usize {
        let roles = self.roles.values().filter(|role| role.attached.contains(arn)).count();
        roles + self.users.values().filter(|user| user.attached.contains(arn)).count()
    }

    /// Everything that a role's or user's own and managed policies grant.
    fn granted(&self, inline: &BTreeMap<String, Value>, attached: &BTreeSet<String>) -> Vec<Value> {
        let managed = attached.iter().filter_map(|arn| self.managed(arn));
        inline.values().cloned().chain(managed).collect()
    }

    fn managed(&self, arn: &str) -> Option<Value> {
        self.policies.get(arn).map(|policy| policy.document.clone()).or_else(|| policy::aws_managed(arn))
    }
}

/// What the ARNs of AWS's own policies start with.
const AWS_MANAGED: &str = "arn:aws:iam::aws:policy/";

/// Credentials with which `session` acts as `role` until they expire. They need no record: the token tells all, sealed
/// with the account's seed.
#[must_use]
pub fn session_credentials(
    account: &Account,
    role: &str,
    session: &str,
    expires: OffsetDateTime,
) -> SessionCredentials {
    key::seal(&account.iam, &key::Session::of_role(role, session, expires))
}

pub(crate) fn no_role(name: &str) -> Fault {
    no_entity(format!("The role with name {name} cannot be found."))
}

pub(crate) fn no_policy(arn: &str) -> Fault {
    no_entity(format!("Policy {arn} was not found."))
}

pub(crate) fn no_entity(message: String) -> Fault {
    Fault::new("NoSuchEntity", message).with_status(StatusCode::NOT_FOUND)
}

fn exists(message: String) -> Fault {
    Fault::new("EntityAlreadyExists", message).with_status(StatusCode::CONFLICT)
}

fn conflict(message: &str) -> Fault {
    Fault::new("DeleteConflict", message).with_status(StatusCode::CONFLICT)
}

fn check_name(name: &str, longest: usize) -> Result<(), Fault> {
    let is_legal = |character: char| character.is_ascii_alphanumeric() || "+=,.@_-".contains(character);
    if !name.is_empty() && name.len() <= longest && name.chars().all(is_legal) {
        return Ok(());
    }
    let message = format!(
        "The specified value for a name is invalid: `{name}`. It must contain only alphanumeric characters and/or the following: +=,.@_- and have 1 to {longest} characters"
    );
    Err(Fault::new("ValidationError", message))
}

fn checked_path(path: Option<String>) -> Result<String, Fault> {
    let path = path.unwrap_or_else(|| "/".to_owned());
    let is_legal =
        path.starts_with('/') && path.ends_with('/') && path.len() <= 512 && path.chars().all(|c| c.is_ascii_graphic());
    if is_legal {
        Ok(path)
    } else {
        Err(Fault::new(
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ))
    }
}
