//! The Systems Manager parameters of an account.

pub(crate) mod api;
pub(crate) mod deeds;
mod resources;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::cloud::Account;
use crate::hidden::Hidden;
use crate::wire::Fault;
pub(crate) use resources::RESOURCE_TYPES;

/// The Systems Manager parameters of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {
    /// Parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
}

/// A parameter. Secure ones are kept as they are: the state is its owner's alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Value.
    pub value: Hidden,
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// Grows by one with each change.
    pub version: u64,
    /// What it is for.
    pub description: Option<String>,
    /// Regular expression that values must match.
    pub allowed_pattern: Option<String>,
    /// `text` for most.
    pub data_type: String,
    /// `Standard` for most.
    pub tier: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When the value was set.
    #[serde(with = "time::serde::rfc3339")]
    pub modified: OffsetDateTime,
    /// What it was before, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Parameter>,
}

/// How many versions of a parameter are kept:
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html>.
const VERSIONS: usize = 100;

impl Parameter {
    /// Its versions, the oldest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Self> {
        self.former.iter().chain([self])
    }

    /// The version of this number; the latest where none is named.
    pub(crate) fn version(&self, number: &str) -> Option<&Self> {
        if number.is_empty() {
            return Some(self);
        }
        let number: u64 = number.parse().ok()?;
        self.versions().find(|one| one.version == number)
    }

    /// The versions that are kept once another one follows.
    fn succeeded(&self) -> Vec<Self> {
        let latest = Self { former: Vec::new(), ..self.clone() };
        let all: Vec<Self> = self.former.iter().cloned().chain([latest]).collect();
        let surplus = (all.len() + 1).saturating_sub(VERSIONS);
        all.into_iter().skip(surplus).collect()
    }
}

/// A parameter that is to be set.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
    #[serde(rename = "Type")]
    pub(crate) kind: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) allowed_pattern: Option<String>,
    pub(crate) data_type: Option<String>,
    pub(crate) tier: Option<String>,
    pub(crate) overwrite: bool,
}

/// The largest value of a standard parameter.
const LARGEST: usize = 4096;
/// The largest value of an advanced parameter.
const LARGEST_ADVANCED: usize = 8192;

impl Parameters {
    /// A parameter by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.parameters.get(name)
    }

    /// Sets a parameter, and answers its version.
    pub(crate) fn set(&mut self, setting: Setting, now: OffsetDateTime) -> Result<&Parameter, Fault> {
        check_name(&setting.name)?;
        let known = self.parameters.get(&setting.name);
        if known.is_some() && !setting.overwrite {
            let message = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
            return Err(Fault::new("ParameterAlreadyExists", message));
        }
        let kind = setting.kind.clone().or_else(|| known.map(|known| known.kind.clone()));
        let kind = kind.ok_or_else(|| invalid("A parameter type is required when you create a parameter."))?;
        if !matches!(kind.as_str(), "String" | "StringList" | "SecureString") {
            return Err(invalid(format!(
                "1 validation error detected: Value '{kind}' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]"
            )));
        }
        let tier = setting.tier.clone().unwrap_or_else(|| "Standard".to_owned());
        check_value(&setting, &tier)?;
        let parameter = Parameter {
            version: known.map_or(1, |known| known.version.saturating_add(1)),
            tags: known.map(|known| known.tags.clone()).unwrap_or_default(),
            value: setting.value.into(),
            kind,
            description: setting.description,
            allowed_pattern: setting.allowed_pattern,
            data_type: setting.data_type.unwrap_or_else(|| "text".to_owned()),
            tier,
            modified: now,
            former: known.map(Parameter::succeeded).unwrap_or_default(),
        };
        let entry = self.parameters.entry(setting.name).insert_entry(parameter);
        Ok(entry.into_mut())
    }
}

/// ARN of a parameter, in which a leading slash does not show twice.
pub(crate) fn arn(account: &Account, name: &str) -> String {
    format!("arn:aws:ssm:{}:{}:parameter/{}", account.region, account.id, name.trim_start_matches('/'))
}

fn check_name(name: &str) -> Result<(), Fault> {
    let is_legal = |character: char| character.is_ascii_alphanumeric() || "_.-/".contains(character);
    if name.is_empty() || name.len() > 1011 || !name.chars().all(is_legal) {
        return Err(invalid(
            "Parameter name must be a fully qualified name made of letters, digits and the symbols . - _ /",
        ));
    }
    let reserved = name.trim_start_matches('/').to_ascii_lowercase();
    if reserved.starts_with("aws") || reserved.starts_with("ssm") {
        return Err(invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive)."));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(invalid("Parameter name must be a fully qualified name."));
    }
    if name.matches('/').count() > 15 {
        return Err(Fault::new("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of 15 levels."));
    }
    Ok(())
}

fn check_value(setting: &Setting, tier: &str) -> Result<(), Fault> {
    if setting.value.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.",
        ));
    }
    let largest = if tier == "Standard" { LARGEST } else { LARGEST_ADVANCED };
    if setting.value.len() > largest {
        let message = format!("{tier} tier parameters support a maximum parameter value of {largest} characters.");
        return Err(invalid(message));
    }
    let Some(pattern) = &setting.allowed_pattern else { return Ok(()) };
    let pattern = regex::Regex::new(pattern).map_err(|_| {
        Fault::new("InvalidAllowedPatternException", "The request doesn't meet the regular expression requirement.")
    })?;
    if pattern.is_match(&setting.value) {
        return Ok(());
    }
    let message = format!("Parameter value, cannot be validated against allowedPattern: {pattern}");
    Err(Fault::new("ParameterPatternMismatchException", message))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}
