//! The secrets of an account.

pub(crate) mod api;
pub(crate) mod deeds;
mod password;
mod resources;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::cloud::Account;
use crate::hidden::Hidden;
use crate::wire::Fault;

pub(crate) use resources::RESOURCE_TYPES;

/// The secrets of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// Secrets by name.
    pub secrets: BTreeMap<String, Secret>,
}

/// A secret. Its values are kept as they are: the state is its owner's alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// The six characters that its ARN ends with, so that a policy on a deleted secret does not open a new one.
    pub suffix: String,
    /// What it is for.
    pub description: Option<String>,
    /// The key that would encrypt it.
    pub kms_key_id: Option<String>,
    /// Its values by version id.
    pub versions: BTreeMap<String, Version>,
    /// Who may use it, besides what roles are granted.
    pub policy: Option<Value>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub changed: OffsetDateTime,
    /// When it goes for good, once it has been deleted.
    #[serde(with = "time::serde::rfc3339::option")]
    pub removal: Option<OffsetDateTime>,
}

/// One value of a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The value.
    pub value: Sealed,
    /// What it is called, such as `AWSCURRENT`.
    pub stages: BTreeSet<String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

/// What a secret holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Sealed {
    /// Text.
    Text(Hidden),
    /// Bytes, in base64.
    Binary(Hidden),
}

/// The stage of the value that is in use.
pub(crate) const CURRENT: &str = "AWSCURRENT";
/// The stage of the value that was in use before.
const PREVIOUS: &str = "AWSPREVIOUS";

/// Most bytes of a value.
const LARGEST: usize = 65_536;
/// Most versions that are kept; those without a stage go first.
const MOST_VERSIONS: usize = 100;

/// A secret that is to be made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Making {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Secret {
    /// The version of an id or else of a stage, with its id. Neither means the current one.
    pub(crate) fn version(&self, id: Option<&str>, stage: Option<&str>) -> Result<(&String, &Version), Fault> {
        let wanted = stage.or(id.is_none().then_some(CURRENT));
        let found = self.versions.iter().find(|(key, version)| {
            id.is_none_or(|id| id == *key) && wanted.is_none_or(|stage| version.stages.contains(stage))
        });
        found.ok_or_else(|| match (id, wanted) {
            (Some(id), None) => missing_value(&format!("VersionId: {id}")),
            (_, stage) => missing_value(&format!("staging label: {}", stage.unwrap_or_default())),
        })
    }

    /// Adds a value under these stages, which others lose. The same id with the same value is no change.
    pub(crate) fn put(
        &mut self,
        id: String,
        value: Sealed,
        stages: BTreeSet<String>,
        now: OffsetDateTime,
    ) -> Result<(), Fault> {
        if let Some(known) = self.versions.get(&id) {
            if known.value == value {
                return Ok(());
            }
            let message = format!(
                "You can't use ClientRequestToken {id} because that value is already in use for a version of this secret."
            );
            return Err(Fault::new("ResourceExistsException", message));
        }
        self.versions.insert(id.clone(), Version { value, stages: BTreeSet::new(), created: now });
        for stage in stages {
            self.stage(&stage, &id);
        }
        self.changed = now;
        self.forget_surplus();
        Ok(())
    }

    /// Gives a stage to a version, which then alone has it. What was current becomes the previous one.
    fn stage(&mut self, stage: &str, id: &str) {
        let mut before = None;
        for (key, version) in &mut self.versions {
            if version.stages.remove(stage) {
                before = Some(key.clone());
            }
        }
        if let Some(version) = self.versions.get_mut(id) {
            version.stages.insert(stage.to_owned());
        }
        match before {
            Some(before) if stage == CURRENT && before != id => self.stage(PREVIOUS, &before),
            _ => {}
        }
    }

    fn forget_surplus(&mut self) {
        while self.versions.len() > MOST_VERSIONS {
            let loose = self.versions.iter().filter(|(_, version)| version.stages.is_empty());
            let Some(oldest) = loose.min_by_key(|(_, version)| version.created).map(|(id, _)| id.clone()) else {
                break;
            };
            self.versions.remove(&oldest);
        }
    }

    /// The secret as long as it is not marked for deletion.
    pub(crate) fn alive(&self) -> Result<&Self, Fault> {
        if self.removal.is_none() { Ok(self) } else { Err(marked()) }
    }
}

/// The value of a request: text or base64, but not both.
pub(crate) fn sealed(text: Option<String>, binary: Option<String>) -> Result<Option<Sealed>, Fault> {
    let value = match (text, binary) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                "You can't specify both a binary secret value and a string secret value in the same secret.",
            ));
        }
        (Some(text), None) => Sealed::Text(text.into()),
        (None, Some(binary)) => Sealed::Binary(binary.into()),
        (None, None) => return Ok(None),
    };
    let size = match &value {
        Sealed::Text(text) => text.len(),
        Sealed::Binary(binary) => binary.len() / 4 * 3,
    };
    if size > LARGEST { Err(invalid("The secret value is larger than 65536 bytes.")) } else { Ok(Some(value)) }
}

/// ARN of a secret.
pub(crate) fn arn(account: &Account, name: &str, secret: &Secret) -> String {
    format!("{}{name}-{}", place(account), secret.suffix)
}

/// What the ARNs of secrets start with.
fn place(account: &Account) -> String {
    format!("arn:aws:secretsmanager:{}:{}:secret:", account.region, account.id)
}

/// Finds a secret by its name, its ARN, or its ARN without the six random characters.
pub(crate) fn find<'a>(account: &'a Account, id: &str, now: OffsetDateTime) -> Result<(&'a String, &'a Secret), Fault> {
    let rest = id.strip_prefix(&place(account));
    let secrets = || account.secretsmanager.secrets.iter().filter(move |(_, secret)| !secret.is_gone(now));
    let whole =
        || secrets().find(|(name, secret)| rest.is_some_and(|rest| rest == format!("{name}-{}", secret.suffix)));
    let named = || secrets().find(|(name, _)| *name == rest.unwrap_or(id));
    whole().or_else(named).ok_or_else(missing)
}

/// As [`find`], to be changed.
pub(crate) fn find_mut<'a>(account: &'a mut Account, id: &str, now: OffsetDateTime) -> Result<&'a mut Secret, Fault> {
    let name = find(account, id, now)?.0.clone();
    account.secretsmanager.secrets.get_mut(&name).ok_or_else(missing)
}

impl Secret {
    fn is_gone(&self, now: OffsetDateTime) -> bool {
        self.removal.is_some_and(|removal| removal <= now)
    }
}

/// Makes a secret, without a value.
pub(crate) fn create(account: &mut Account, making: Making, now: OffsetDateTime) -> Result<&mut Secret, Fault> {
    check_name(&making.name)?;
    account.secretsmanager.secrets.retain(|_, secret| !secret.is_gone(now));
    if let Some(known) = account.secretsmanager.secrets.get(&making.name) {
        let name = &making.name;
        return Err(if known.removal.is_some() {
            Fault::new(
                "InvalidRequestException",
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            )
        } else {
            Fault::new(
                "ResourceExistsException",
                format!("The operation failed because the secret {name} already exists."),
            )
        });
    }
    let secret = Secret {
        suffix: password::suffix(),
        description: making.description,
        kms_key_id: making.kms_key_id,
        versions: BTreeMap::new(),
        policy: None,
        tags: making.tags,
        created: now,
        changed: now,
        removal: None,
    };
    Ok(account.secretsmanager.secrets.entry(making.name).or_insert(secret))
}

/// The policy of the secret of an ARN.
pub(crate) fn policy_of(account: &Account, resource: &str) -> Option<Value> {
    let rest = resource.strip_prefix(&place(account))?;
    let mut secrets = account.secretsmanager.secrets.iter();
    secrets.find(|(name, secret)| rest == format!("{name}-{}", secret.suffix))?.1.policy.clone()
}

/// The text of a secret, for a reference in a template: by stage, version id, or neither.
pub(crate) fn text_of(
    account: &Account,
    id: &str,
    stage: Option<&str>,
    version: Option<&str>,
    now: OffsetDateTime,
) -> Result<String, Fault> {
    let (_, version) = find(account, id, now)?.1.alive()?.version(version, stage)?;
    match &version.value {
        Sealed::Text(text) => Ok(text.to_string()),
        Sealed::Binary(_) => Err(invalid("The secret holds bytes, not text.")),
    }
}

/// An id for a version.
fn fresh_id() -> String {
    Uuid::new_v4().to_string()
}

/// When a secret that is deleted now goes for good.
fn removal(days: Option<i64>, at_once: bool, now: OffsetDateTime) -> Result<OffsetDateTime, Fault> {
    match (days, at_once) {
        (Some(_), true) => {
            Err(invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."))
        }
        (None, true) => Ok(now),
        (days, false) => match days.unwrap_or(30) {
            days @ 7..=30 => Ok(now + Duration::days(days)),
            _ => Err(invalid("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")),
        },
    }
}

fn check_name(name: &str) -> Result<(), Fault> {
    let is_legal = |character: char| character.is_ascii_alphanumeric() || "-/_+=.@!".contains(character);
    if (1..=512).contains(&name.len()) && name.chars().all(is_legal) {
        return Ok(());
    }
    let message =
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
    Err(Fault::new("ValidationException", message))
}

fn missing() -> Fault {
    Fault::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn missing_value(what: &str) -> Fault {
    let message = format!("Secrets Manager can't find the specified secret value for {what}");
    Fault::new("ResourceNotFoundException", message)
}

fn marked() -> Fault {
    Fault::new(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

#[cfg(test)]
mod tests;
