//! The functions of an account: what is deployed, and who may invoke it.

pub(crate) mod api;
mod code;
pub(crate) mod deeds;
mod deployment;
mod policy;
mod resources;
mod rules;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::code::Code;
pub(crate) use self::code::unpacked;
pub use self::policy::{Statement, allows};
pub(crate) use self::resources::RESOURCE_TYPES;
pub use self::rules::Settings;
pub(crate) use self::rules::unreserved_concurrency;
use crate::local::cloud::{Account, Cloud};
use crate::local::wire::Fault;

/// The version that can still change.
pub const LATEST: &str = "$LATEST";

/// The functions of an account, by name.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Functions(pub BTreeMap<String, Function>);

/// One function with everything that hangs on its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Function {
    /// What `$LATEST` is now.
    pub latest: Version,
    /// Published versions, which never change again.
    #[serde(default)]
    pub versions: BTreeMap<u64, Version>,
    /// Number of the version published last; a number is never given twice.
    #[serde(default)]
    pub last_version: u64,
    /// Aliases, by name.
    #[serde(default)]
    pub aliases: BTreeMap<String, Alias>,
    /// The resource policy.
    #[serde(default)]
    pub policy: Vec<Statement>,
    /// How many invocations may run at once, when that is set.
    #[serde(default)]
    pub reserved_concurrency: Option<u32>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Code and settings as they are run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// The configuration.
    pub settings: Settings,
    /// The code.
    pub code: Code,
    /// Changes with every change, so that a process knows whether it is still current.
    pub revision: String,
    /// When that change was.
    #[serde(with = "time::serde::rfc3339")]
    pub modified: OffsetDateTime,
}

/// A name for a version, or for two of them with a share of the invocations each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Alias {
    /// The version, a number or `$LATEST`.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// Other versions, with the share of invocations that they get.
    pub weights: BTreeMap<String, f64>,
    /// Changes with every change.
    pub revision: String,
}

/// A function as a caller names it: by name, by ARN or by a part of the ARN, with or without a qualifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name of the function.
    pub name: String,
    /// Version or alias.
    pub qualifier: Option<String>,
}

/// A version that was found.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// Its function.
    pub function: &'a Function,
    /// `$LATEST` or a number.
    pub number: String,
    /// What it holds.
    pub version: &'a Version,
}

impl Target {
    /// Reads `name`, `name:qualifier`, `123456789012:function:name` and ARNs.
    ///
    /// # Errors
    /// `ValidationException` when it is none of them.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let rest = text.rsplit_once("function:").map_or(text, |(_, rest)| rest);
        let (name, qualifier) = match rest.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (rest, None),
        };
        if !is_name(name, 64) || qualifier.is_some_and(|qualifier| qualifier != LATEST && !is_name(qualifier, 128)) {
            return Err(Fault::new(
                "ValidationException",
                format!(
                    "1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: \
                     Member must satisfy regular expression pattern: \
                     (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}(-gov)?-[a-z]+-\\d{{1}}:)?(\\d{{12}}:)?(function:)?\
                     ([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
                ),
            ));
        }
        Ok(Self { name: name.to_owned(), qualifier: qualifier.map(str::to_owned) })
    }

    /// The same function with the qualifier of a request, if that has one.
    #[must_use]
    pub fn qualified(mut self, qualifier: Option<String>) -> Self {
        self.qualifier = qualifier.or(self.qualifier);
        self
    }

    /// Its ARN, qualified as it was named.
    #[must_use]
    pub fn arn(&self, account: &Account) -> String {
        let arn = arn(account, &self.name);
        match &self.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }

    /// The fault that says that there is no such function.
    #[must_use]
    pub fn missing(&self, account: &Account) -> Fault {
        not_found(format!("Function not found: {}", self.arn(account)))
    }
}

/// ARN of a function.
#[must_use]
pub fn arn(account: &Account, name: &str) -> String {
    format!("arn:aws:lambda:{}:{}:function:{name}", account.region, account.id)
}

impl Functions {
    /// A function, whatever its qualifier.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn function<'a>(account: &'a Account, target: &Target) -> Result<&'a Function, Fault> {
        account.lambda.0.get(&target.name).ok_or_else(|| target.missing(account))
    }

    /// The version that a target means; `draw`, from 0 to 1, decides between the versions of an alias.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn find<'a>(account: &'a Account, target: &Target, draw: f64) -> Result<Found<'a>, Fault> {
        let function = Self::function(account, target)?;
        let qualifier = target.qualifier.as_deref().unwrap_or(LATEST);
        let number = function.aliases.get(qualifier).map_or(qualifier, |alias| alias.drawn(draw));
        let version = function.version(number).ok_or_else(|| target.missing(account))?;
        Ok(Found { function, number: number.to_owned(), version })
    }
}

impl Function {
    /// The version with a number, which may be `$LATEST`.
    #[must_use]
    pub fn version(&self, number: &str) -> Option<&Version> {
        if number == LATEST { Some(&self.latest) } else { self.versions.get(&number.parse().ok()?) }
    }
}

impl Alias {
    /// Whether any invocation gets this version.
    pub(crate) fn points_to(&self, version: &str) -> bool {
        self.version == version || self.weights.contains_key(version)
    }

    /// The version that one invocation gets.
    fn drawn(&self, draw: f64) -> &str {
        let mut passed = 0.0;
        for (version, weight) in &self.weights {
            passed += weight;
            if draw < passed {
                return version;
            }
        }
        &self.version
    }
}

/// Letters, digits, `-` and `_`, as many as AWS allows.
fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Removes what the last run left behind: code that no function uses any more, files of processes that are gone. For
/// the start of a cloud, when nothing else runs.
pub(crate) fn sweep(cloud: &Cloud) {
    let used = cloud.read(|account| {
        let versions = account
            .lambda
            .0
            .values()
            .flat_map(|function| std::iter::once(&function.latest).chain(function.versions.values()));
        versions.map(|version| version.code.sha256.clone()).collect()
    });
    code::forget_unused(cloud.data(), &used);
    // What cannot be removed now is tried again at the next start.
    let _ = std::fs::remove_dir_all(cloud.data().join("lambda/tmp"));
}

/// A revision id that was never given before.
pub(crate) fn revision() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `ResourceNotFoundException`.
pub(crate) fn not_found(message: impl Into<String>) -> Fault {
    fault(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
}

/// `InvalidParameterValueException`.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValueException", message)
}

/// Any other fault.
pub(crate) fn fault(status: StatusCode, code: &str, message: impl Into<String>) -> Fault {
    Fault { status, code: code.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::local::iam::Naming;

    /// An account with the roles `r`, which Lambda may assume, and `other`, which it may not.
    pub(super) fn account() -> Account {
        let mut account = Account::new("us-east-1");
        for (name, service) in [("r", "lambda.amazonaws.com"), ("other", "ec2.amazonaws.com")] {
            let statement = json!({
                "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole",
            });
            let trust = json!({ "Version": "2012-10-17", "Statement": [statement] });
            let naming = Naming { name: name.to_owned(), ..Naming::default() };
            account.iam.create_role(naming, trust, OffsetDateTime::UNIX_EPOCH).expect("it is a role");
        }
        account
    }

    #[test]
    fn a_function_is_named_in_many_ways() {
        for text in ["f", "000000000000:function:f", "arn:aws:lambda:us-east-1:000000000000:function:f", "function:f"] {
            let target = Target::parse(text).expect("it is a name");
            assert_eq!(target, Target { name: "f".to_owned(), qualifier: None }, "{text}");
            let target = Target::parse(&format!("{text}:live")).expect("it is a name");
            assert_eq!(target.qualifier.as_deref(), Some("live"), "{text}");
        }
        for text in ["", "a b", "f:", "f:a:b", "ü", "arn:aws:lambda:us-east-1:000000000000:function:"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_alias_shares_invocations_by_weight() {
        let alias =
            Alias { version: "1".to_owned(), weights: BTreeMap::from([("2".to_owned(), 0.25)]), ..Alias::default() };
        assert_eq!((alias.drawn(0.1), alias.drawn(0.25), alias.drawn(0.99)), ("2", "1", "1"));
    }
}
