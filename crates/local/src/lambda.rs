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
pub(crate) mod url;

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::code::Code;
pub(crate) use self::code::unpacked;
pub(crate) use self::policy::policy_of;
pub use self::policy::{Statement, allows};
pub(crate) use self::resources::RESOURCE_TYPES;
pub use self::rules::Settings;
pub(crate) use self::rules::unreserved_concurrency;
use crate::cloud::{Account, Cloud};
use crate::wire::{Fault, Request};

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
    /// Addresses of its own: that of the function under `$LATEST`, and those of aliases under their names.
    #[serde(default)]
    pub urls: BTreeMap<String, url::FunctionUrl>,
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
    /// Reads `name`, `name:qualifier`, `123456789012:function:name` and ARNs, of functions of this account and region.
    ///
    /// # Errors
    /// `ValidationException` when it is none of them, `AccessDeniedException` for a function of another account,
    /// `ResourceNotFoundException` for one of another region.
    pub fn parse(account: &Account, text: &str) -> Result<Self, Fault> {
        let named = Named::read(text).ok_or_else(|| malformed(text))?;
        if let Some(other) = named.account.filter(|id| *id != account.id) {
            let message =
                format!("the function belongs to the account {other}, which lets nobody of this one invoke it");
            return Err(fault(StatusCode::FORBIDDEN, "AccessDeniedException", message));
        }
        if let Some(other) = named.region.filter(|region| *region != account.region) {
            let here = &account.region;
            return Err(not_found(format!("Functions from '{other}' are not reachable in this region ('{here}')")));
        }
        Ok(Self { name: named.name.to_owned(), qualifier: named.qualifier.map(str::to_owned) })
    }

    /// The function that a request is about, by the name in its path and the qualifier in its query.
    ///
    /// # Errors
    /// As [`Target::parse`]; `InvalidParameterValueException` where both say a qualifier, and not the same.
    pub(crate) fn asked(account: &Account, name: &str, request: &Request) -> Result<Self, Fault> {
        let target = Self::parse(account, name)?;
        let asked = request.query_parameter("Qualifier").filter(|qualifier| !qualifier.is_empty());
        match (&target.qualifier, &asked) {
            (Some(own), Some(asked)) if own != asked => {
                Err(invalid("The derived qualifier from the function name does not match the specified qualifier."))
            }
            _ => Ok(Self { qualifier: asked.or(target.qualifier), ..target }),
        }
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

/// What the name of a function says, whether it means one of this account or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Named<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let rest = match text.strip_prefix("arn:") {
            Some(rest) => rest.split_once(":lambda:").filter(|(partition, _)| is_partition(partition))?.1,
            None => text,
        };
        let (region, rest) = match rest.split_once(':') {
            // Without an account behind it, it is the name of a function that looks like a region.
            Some((region, rest)) if is_region(region) && leading_account(rest).0.is_some() => (Some(region), rest),
            _ => (None, rest),
        };
        let (account, rest) = leading_account(rest);
        let rest = rest.strip_prefix("function:").unwrap_or(rest);
        let (name, qualifier) = match rest.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (rest, None),
        };
        let named = is_name(name, 64)
            && qualifier.is_none_or(|qualifier| qualifier == LATEST || is_name(qualifier, 128))
            // An ARN leaves nothing out.
            && (!text.starts_with("arn:") || account.is_some() && region.is_some());
        named.then_some(Self { region, account, name, qualifier })
    }
}

fn leading_account(text: &str) -> (Option<&str>, &str) {
    let is_account = |id: &str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once(':') {
        Some((id, rest)) if is_account(id) => (Some(id), rest),
        _ => (None, text),
    }
}

fn is_partition(text: &str) -> bool {
    text.starts_with("aws") && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

/// Such as `us-east-1` and `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts.next().unwrap_or_default();
    number.len() == 1
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && parts.clone().count() >= 2
        && parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn malformed(text: &str) -> Fault {
    Fault::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}(-gov)?-[a-z]+-\\d{{1}}:)?\
             (\\d{{12}}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
        ),
    )
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
    use crate::iam::Naming;

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
        let account = account();
        for text in [
            "f",
            "000000000000:function:f",
            "us-east-1:000000000000:function:f",
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            "function:f",
        ] {
            let target = Target::parse(&account, text).expect("it is a name");
            assert_eq!(target, Target { name: "f".to_owned(), qualifier: None }, "{text}");
            let target = Target::parse(&account, &format!("{text}:live")).expect("it is a name");
            assert_eq!(target.qualifier.as_deref(), Some("live"), "{text}");
        }
        let target = Target::parse(&account, "my-api-1:live").expect("it is no region");
        assert_eq!((target.name.as_str(), target.qualifier.as_deref()), ("my-api-1", Some("live")));
        for text in [
            "",
            "a b",
            "f:",
            "f:a:b",
            "ü",
            "arn:aws:lambda:us-east-1:000000000000:function:",
            "arn:aws:lambda:f",
            "arn:x:lambda:us-east-1:000000000000:function:f",
            "arn:aws:s3:us-east-1:000000000000:function:f",
        ] {
            let fault = Target::parse(&account, text).expect_err("it is no name");
            assert_eq!(fault.code, "ValidationException", "{text}");
        }
    }

    #[test]
    fn a_function_of_others_is_none_of_this_account() {
        for (text, code) in [
            ("arn:aws:lambda:us-east-1:111111111111:function:f", "AccessDeniedException"),
            ("111111111111:function:f", "AccessDeniedException"),
            ("111111111111:f", "AccessDeniedException"),
            ("arn:aws:lambda:eu-west-1:000000000000:function:f", "ResourceNotFoundException"),
            ("arn:aws-us-gov:lambda:us-gov-west-1:000000000000:function:f", "ResourceNotFoundException"),
            ("eu-west-1:000000000000:function:f", "ResourceNotFoundException"),
        ] {
            let fault = Target::parse(&account(), text).expect_err("it is another's");
            assert_eq!(fault.code, code, "{text}");
            let message = "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')";
            assert!(!text.contains("eu-west") || fault.message == message, "{fault}");
        }
    }

    #[test]
    fn an_alias_shares_invocations_by_weight() {
        let alias =
            Alias { version: "1".to_owned(), weights: BTreeMap::from([("2".to_owned(), 0.25)]), ..Alias::default() };
        assert_eq!((alias.drawn(0.1), alias.drawn(0.25), alias.drawn(0.99)), ("2", "1", "1"));
    }
}
