//! Users: long-lived keys with policies of their own, such as those of a deployer.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::key::{self, AccessKey};
use super::policy::Policy;
use super::{Iam, Naming, check_name, checked_path, conflict, exists, no_entity};
use crate::wire::{Caller, Fault};

/// Most keys of a user.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MOST_KEYS: usize = 2;

/// Most characters of all of a user's own policies, without white space; managed ones have more room.
const LARGEST_INLINE: usize = 2_048;

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Starts with `AIDA`.
    pub id: String,
    /// Name, unique in the account.
    pub name: String,
    /// Path, `/` for most.
    pub path: String,
    /// ARN of the policy that bounds what the others grant.
    pub boundary: Option<String>,
    /// Policies of its own, by name.
    pub inline: BTreeMap<String, Value>,
    /// ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// Keys, oldest first.
    pub keys: Vec<UserKey>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

/// A key of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserKey {
    /// Id and secret.
    pub key: AccessKey,
    /// Whether it may be signed with.
    pub active: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

impl User {
    /// Its ARN in this account.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:user{}{}", self.path, self.name)
    }

    pub(super) fn create_key(&mut self, now: OffsetDateTime) -> Result<&UserKey, Fault> {
        if self.keys.len() >= MOST_KEYS {
            return Err(limit(format!("Cannot exceed quota for AccessKeysPerUser: {MOST_KEYS}")));
        }
        self.keys.push(UserKey { key: AccessKey::fresh(), active: true, created: now });
        self.keys.last().ok_or_else(|| no_user(&self.name))
    }

    pub(super) fn key_mut(&mut self, id: &str) -> Result<&mut UserKey, Fault> {
        self.keys.iter_mut().find(|held| held.key.id == id).ok_or_else(|| no_key(id))
    }

    pub(super) fn delete_key(&mut self, id: &str) -> Result<(), Fault> {
        self.key_mut(id)?;
        self.keys.retain(|held| held.key.id != id);
        Ok(())
    }

    pub(super) fn put_policy(&mut self, name: &str, document: Value) -> Result<(), Fault> {
        check_name(name, 128)?;
        Policy::parse_identity(&document)?;
        let others = self.inline.iter().filter(|(other, _)| *other != name).map(|(_, document)| document);
        if others.chain([&document]).map(characters).sum::<usize>() > LARGEST_INLINE {
            return Err(limit(format!(
                "Maximum policy size of {LARGEST_INLINE} bytes exceeded for user {}",
                self.name
            )));
        }
        self.inline.insert(name.to_owned(), document);
        Ok(())
    }
}

impl Iam {
    /// A user by its name.
    pub(crate) fn user(&self, name: &str) -> Result<&User, Fault> {
        self.users.get(name).ok_or_else(|| no_user(name))
    }

    pub(super) fn user_mut(&mut self, name: &str) -> Result<&mut User, Fault> {
        self.users.get_mut(name).ok_or_else(|| no_user(name))
    }

    pub(super) fn create_user(&mut self, naming: Naming, now: OffsetDateTime) -> Result<&mut User, Fault> {
        check_name(&naming.name, 64)?;
        if self.users.contains_key(&naming.name) {
            return Err(exists(format!("User with name {} already exists.", naming.name)));
        }
        let user = User {
            id: key::key_id("AIDA", &key::random::<16>()),
            name: naming.name.clone(),
            path: checked_path(naming.path)?,
            boundary: None,
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            keys: Vec::new(),
            tags: BTreeMap::new(),
            created: now,
        };
        Ok(self.users.entry(naming.name).or_insert(user))
    }

    pub(super) fn delete_user(&mut self, name: &str) -> Result<(), Fault> {
        let user = self.user(name)?;
        if !user.keys.is_empty() {
            return Err(conflict("Cannot delete entity, must delete access keys first."));
        }
        if !user.attached.is_empty() {
            return Err(conflict("Cannot delete entity, must detach all policies first."));
        }
        if !user.inline.is_empty() {
            return Err(conflict("Cannot delete entity, must delete policies first."));
        }
        self.users.remove(name);
        Ok(())
    }

    pub(super) fn attach_to_user(&mut self, name: &str, arn: &str) -> Result<(), Fault> {
        self.attachable(arn)?;
        self.user_mut(name)?.attached.insert(arn.to_owned());
        Ok(())
    }

    /// Whose long-lived key that is.
    pub(crate) fn holder(&self, key_id: &str) -> Option<(Caller, &AccessKey)> {
        if self.root.id == key_id {
            return Some((Caller::Root, &self.root));
        }
        self.users.values().find_map(|user| {
            let held = user.keys.iter().find(|held| held.active && held.key.id == key_id)?;
            Some((Caller::User { name: user.name.clone() }, &held.key))
        })
    }
}

/// The characters of a document that IAM counts: all but white space.
pub(super) fn characters(document: &Value) -> usize {
    document.to_string().chars().filter(|character| !character.is_whitespace()).count()
}

pub(super) fn limit(message: String) -> Fault {
    Fault::new("LimitExceeded", message).with_status(StatusCode::CONFLICT)
}

fn no_user(name: &str) -> Fault {
    no_entity(format!("The user with name {name} cannot be found."))
}

fn no_key(id: &str) -> Fault {
    no_entity(format!("The Access Key with id {id} cannot be found."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn with_user() -> Iam {
        let mut iam = Iam::with_fresh_keys();
        iam.create_user(Naming { name: "ann".to_owned(), ..Naming::default() }, NOW).expect("it is new");
        iam
    }

    #[test]
    fn a_key_names_its_user_while_it_is_active() {
        let mut iam = with_user();
        let id = iam.user_mut("ann").and_then(|user| user.create_key(NOW).map(|held| held.key.id.clone()));
        let id = id.expect("it is the first");
        let caller = |iam: &Iam| iam.holder(&id).map(|(caller, _)| caller);
        assert_eq!(caller(&iam), Some(Caller::User { name: "ann".to_owned() }));
        iam.user_mut("ann").and_then(|user| user.key_mut(&id).map(|held| held.active = false)).expect("it is there");
        assert_eq!(caller(&iam), None);
        assert_eq!(iam.holder(&iam.root.id).map(|(caller, _)| caller), Some(Caller::Root));
    }

    #[test]
    fn a_user_has_two_keys_and_goes_after_them() {
        let mut iam = with_user();
        let user = iam.user_mut("ann").expect("it was made");
        for _ in 0..MOST_KEYS {
            user.create_key(NOW).expect("there is room");
        }
        assert!(user.create_key(NOW).is_err_and(|fault| fault.code == "LimitExceeded"));
        assert!(iam.delete_user("ann").is_err_and(|fault| fault.code == "DeleteConflict"));
        let user = iam.user_mut("ann").expect("it is there still");
        for id in user.keys.iter().map(|held| held.key.id.clone()).collect::<Vec<_>>() {
            user.delete_key(&id).expect("it is there");
        }
        iam.delete_user("ann").expect("nothing holds it");
    }

    #[test]
    fn its_own_policies_are_small() {
        let mut iam = with_user();
        let user = iam.user_mut("ann").expect("it was made");
        let allow = |actions: usize| {
            let actions: Vec<String> = (0..actions).map(|number| format!("s3:Action{number:04}")).collect();
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })
        };
        user.put_policy("one", allow(60)).expect("it is small");
        assert!(user.put_policy("two", allow(60)).is_err_and(|fault| fault.code == "LimitExceeded"));
        user.put_policy("one", allow(100)).expect("it takes its own place");
    }
}
