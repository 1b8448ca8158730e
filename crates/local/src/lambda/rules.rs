//! What a function may be configured as: one reading for CloudFormation's properties and for the API's members, which
//! are the same.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{Alias, Function, Functions, Target, Version, invalid};
use crate::cloud::Account;
use crate::hidden::Hidden;
use crate::iam::authorize::may_assume;
use crate::iam::policy::Principal;
use crate::wire::Fault;

/// Concurrent invocations of all functions of an account.
pub(crate) const ACCOUNT_CONCURRENCY: u32 = 1000;

/// What reservations must leave to the functions that have none.
const UNRESERVED_MINIMUM: u32 = 100;

/// Environment variables that belong to Lambda.
const RESERVED_VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// Settings that would change what a function sees or does, and that this cloud cannot honour.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("CapacityProviderConfig", "it has no managed instances"),
    ("CodeSigningConfigArn", "it has no code signing"),
    ("DeadLetterConfig", "it has neither SQS nor SNS"),
    ("DurableConfig", "it has no durable executions"),
    ("FileSystemConfigs", "it has no EFS"),
    ("ImageConfig", "it runs zip archives, not images"),
    ("KmsKeyArn", "it has no KMS"),
    (
        "Layers",
        "a function sees this machine's own `/opt`, where no layer can be put; ship the files with the function",
    ),
    ("TenancyConfig", "it does not isolate tenants"),
    ("VpcConfig", "it has no VPC"),
];

/// The configuration of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Settings {
    /// What it is for.
    pub description: String,
    /// Such as `provided.al2023`.
    pub runtime: String,
    /// ARN of the execution role.
    pub role: String,
    /// What `_HANDLER` says.
    pub handler: String,
    /// Megabytes; told to the function, not enforced.
    #[serde(deserialize_with = "number")]
    pub memory_size: u32,
    /// Seconds that one invocation may take.
    #[serde(deserialize_with = "number")]
    pub timeout: u32,
    /// `x86_64` or `arm64`.
    pub architectures: Vec<String>,
    /// The user's environment variables.
    pub environment: Hidden<Environment>,
    /// Size of `/tmp`; not enforced.
    pub ephemeral_storage: EphemeralStorage,
    /// Whether X-Ray is told; this cloud has none, but the trace header is passed on.
    pub tracing_config: TracingConfig,
    /// Where and how the function logs.
    pub logging_config: LoggingConfig,
}

/// The user's environment variables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Environment {
    /// By name.
    #[serde(deserialize_with = "texts")]
    pub variables: BTreeMap<String, String>,
}

/// Size of `/tmp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EphemeralStorage {
    /// Megabytes.
    #[serde(deserialize_with = "number")]
    pub size: u32,
}

/// Whether X-Ray is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TracingConfig {
    /// `Active` or `PassThrough`.
    pub mode: String,
}

/// Where and how a function logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LoggingConfig {
    /// `Text` or `JSON`.
    pub log_format: String,
    /// Its own log group, when that is not `/aws/lambda/` and its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
    /// What the function should log; told to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_log_level: Option<String>,
    /// What Lambda logs itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            description: String::new(),
            runtime: String::new(),
            role: String::new(),
            handler: String::new(),
            memory_size: 128,
            timeout: 3,
            architectures: vec!["x86_64".to_owned()],
            environment: Hidden::default(),
            ephemeral_storage: EphemeralStorage::default(),
            tracing_config: TracingConfig::default(),
            logging_config: LoggingConfig::default(),
        }
    }
}

impl Default for EphemeralStorage {
    fn default() -> Self {
        Self { size: 512 }
    }
}

impl Default for TracingConfig {
    fn default() -> Self {
        Self { mode: "PassThrough".to_owned() }
    }
}

impl Default for LoggingConfig {
    fn default() -> Self {
        Self { log_format: "Text".to_owned(), log_group: None, application_log_level: None, system_log_level: None }
    }
}

impl Settings {
    /// Reads and checks a function's configuration. Members that are about other things, such as `Code`, are not
    /// looked at.
    ///
    /// # Errors
    /// Whatever Lambda refuses, and what this cloud cannot honour.
    pub fn read(account: &Account, members: &Map<String, Value>) -> Result<Self, Fault> {
        refuse_what_is_not_offered(members)?;
        let settings: Self = serde_json::from_value(Value::Object(without_nulls(members)))
            .map_err(|error| Fault::new("SerializationException", error.to_string()))?;
        settings.check(account)?;
        Ok(settings)
    }

    /// The configuration with some members replaced, as `UpdateFunctionConfiguration` does it.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn changed(&self, account: &Account, members: &Map<String, Value>) -> Result<Self, Fault> {
        let Ok(Value::Object(mut merged)) = serde_json::to_value(self) else { return Ok(self.clone()) };
        merged.extend(without_nulls(members));
        Self::read(account, &merged)
    }

    fn check(&self, account: &Account) -> Result<(), Fault> {
        if self.runtime.is_empty() || self.handler.is_empty() {
            return Err(invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        }
        within("timeout", self.timeout, 1..=900)?;
        within("memorySize", self.memory_size, 128..=10_240)?;
        within("ephemeralStorage.size", self.ephemeral_storage.size, 512..=10_240)?;
        one_of("tracingConfig.mode", &self.tracing_config.mode, &["Active", "PassThrough"])?;
        one_of("loggingConfig.logFormat", &self.logging_config.log_format, &["JSON", "Text"])?;
        match self.architectures.as_slice() {
            [architecture] => one_of("architectures", architecture, &["x86_64", "arm64"])?,
            _ => return Err(invalid("Exactly one architecture can be given for a function.")),
        }
        check_variables(&self.environment.variables)?;
        check_role(account, &self.role)
    }

    /// The one architecture.
    #[must_use]
    pub fn architecture(&self) -> &str {
        self.architectures.first().map_or("x86_64", String::as_str)
    }

    /// The log group of a function with these settings.
    #[must_use]
    pub fn log_group(&self, function: &str) -> String {
        self.logging_config.log_group.clone().unwrap_or_else(|| format!("/aws/lambda/{function}"))
    }
}

/// What all reservations leave to the functions that have none.
pub(crate) fn unreserved_concurrency(account: &Account) -> u32 {
    let reserved: u32 = account.lambda.0.values().filter_map(|function| function.reserved_concurrency).sum();
    ACCOUNT_CONCURRENCY.saturating_sub(reserved)
}

/// Reserves concurrency for a function, or gives it back.
///
/// # Errors
/// When too little would be left for the others.
pub(super) fn reserve(account: &mut Account, target: &Target, reserved: Option<u32>) -> Result<(), Fault> {
    let missing = target.missing(account);
    let others: u32 = account
        .lambda
        .0
        .iter()
        .filter(|(name, _)| **name != target.name)
        .filter_map(|(_, function)| function.reserved_concurrency)
        .sum();
    let most = (ACCOUNT_CONCURRENCY - UNRESERVED_MINIMUM).saturating_sub(others);
    let function = account.lambda.0.get_mut(&target.name).ok_or(missing)?;
    if reserved.is_some_and(|reserved| reserved > most) {
        return Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{UNRESERVED_MINIMUM}]."
        )));
    }
    function.reserved_concurrency = reserved;
    Ok(())
}

/// Freezes what `$LATEST` is now as a version of its own; the last one, if nothing has changed since.
///
/// # Errors
/// When the function is missing.
pub(super) fn publish(account: &mut Account, target: &Target, description: Option<String>) -> Result<u64, Fault> {
    let missing = target.missing(account);
    let function = account.lambda.0.get_mut(&target.name).ok_or(missing)?;
    if let Some(number) = function.unchanged_version() {
        return Ok(number);
    }
    let number = function.last_version.saturating_add(1);
    let mut version: Version = function.latest.clone();
    if let Some(description) = description {
        version.settings.description = description;
    }
    function.versions.insert(number, version);
    function.last_version = number;
    Ok(number)
}

/// Removes a function with all that hangs on it, or one of its versions.
///
/// # Errors
/// When it is missing, or an alias still points to the version.
pub(super) fn remove(account: &mut Account, target: &Target) -> Result<(), Fault> {
    let function = Functions::function(account, target)?;
    let Some(qualifier) = &target.qualifier else {
        account.lambda.0.remove(&target.name);
        return Ok(());
    };
    if qualifier == super::LATEST {
        return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
    }
    if let Some((alias, _)) = function.aliases.iter().find(|(_, alias)| alias.points_to(qualifier)) {
        let arn = target.arn(account);
        return Err(super::fault(
            http::StatusCode::CONFLICT,
            "ResourceConflictException",
            format!("Aliases reference version {arn}, cannot delete function version {qualifier}: {alias}"),
        ));
    }
    if let (Ok(number), Some(function)) = (qualifier.parse::<u64>(), account.lambda.0.get_mut(&target.name)) {
        function.versions.remove(&number);
    }
    Ok(())
}

/// Makes an alias, or lets it point elsewhere.
///
/// # Errors
/// When the function or a version is missing, or the weights are no shares.
pub(super) fn set_alias(account: &mut Account, target: &Target, alias: Alias) -> Result<(), Fault> {
    let missing = target.missing(account);
    let name = target.qualifier.clone().unwrap_or_default();
    let function = Functions::function(account, target)?;
    let absent =
        std::iter::once(&alias.version).chain(alias.weights.keys()).find(|version| function.version(version).is_none());
    if let Some(version) = absent {
        let version = Target { qualifier: Some(version.clone()), ..target.clone() };
        return Err(version.missing(account));
    }
    let total: f64 = alias.weights.values().sum();
    if alias.weights.values().any(|weight| !(0.0..=1.0).contains(weight)) || total > 1.0 {
        return Err(invalid(
            "Invalid alias routing weights: they must be shares of one, and no more than one together.",
        ));
    }
    account.lambda.0.get_mut(&target.name).ok_or(missing)?.aliases.insert(name, alias);
    Ok(())
}

impl Function {
    /// The version published last, if `$LATEST` has not changed since.
    pub(super) fn unchanged_version(&self) -> Option<u64> {
        let last = self.versions.get(&self.last_version)?;
        (last.revision == self.latest.revision).then_some(self.last_version)
    }
}

fn refuse_what_is_not_offered(members: &Map<String, Value>) -> Result<(), Fault> {
    for (name, reason) in NOT_OFFERED {
        if members.get(*name).is_some_and(|value| !is_empty(value)) {
            return Err(invalid(format!("the local cloud cannot honour `{name}`: {reason}")));
        }
    }
    if members.get("PackageType").is_some_and(|kind| kind == "Image") {
        return Err(invalid("the local cloud runs zip archives, not images: `PackageType` must be `Zip`"));
    }
    let snap_start = members.get("SnapStart").and_then(|snap_start| snap_start.get("ApplyOn"));
    if snap_start.is_some_and(|apply_on| apply_on == "PublishedVersions") {
        let runtime = members.get("Runtime").and_then(Value::as_str).unwrap_or_default();
        return Err(invalid(format!("{runtime} is not supported for SnapStart enabled functions.")));
    }
    Ok(())
}

/// Nothing, or lists and objects that hold nothing, as clients send them to clear a setting.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(members) => members.values().all(|value| is_empty(value) || value.is_boolean()),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn without_nulls(members: &Map<String, Value>) -> Map<String, Value> {
    members.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn within(member: &str, value: u32, range: std::ops::RangeInclusive<u32>) -> Result<(), Fault> {
    if range.contains(&value) {
        return Ok(());
    }
    let (bound, limit) = if value < *range.start() { ("greater", range.start()) } else { ("less", range.end()) };
    Err(Fault::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must \
             have value {bound} than or equal to {limit}"
        ),
    ))
}

fn one_of(member: &str, value: &str, allowed: &[&str]) -> Result<(), Fault> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(Fault::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must \
             satisfy enum value set: [{}]",
            allowed.join(", ")
        ),
    ))
}

fn check_variables(variables: &BTreeMap<String, String>) -> Result<(), Fault> {
    let refused = "Lambda was unable to configure your environment variables because the environment variables you \
                   have provided";
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED_VARIABLES.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "{refused} contains reserved keys that are currently not supported for modification. Reserved keys used \
             in this request: {}",
            reserved.join(", ")
        )));
    }
    if let Some(name) = variables.keys().find(|name| !is_variable(name)) {
        return Err(Fault::new(
            "ValidationException",
            format!(
                "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys \
                 must satisfy constraint: [Member must satisfy regular expression pattern: \
                 [a-zA-Z]([a-zA-Z0-9_])+]: `{name}` does not"
            ),
        ));
    }
    let measured = serde_json::to_string(variables).unwrap_or_default();
    if measured.len() > 4096 {
        return Err(invalid(format!("{refused} exceeded the 4KB limit. String measured: {measured}")));
    }
    match variables.iter().find(|(_, value)| value.contains('\0')) {
        Some((name, _)) => Err(invalid(format!("the environment variable `{name}` holds a null character"))),
        None => Ok(()),
    }
}

fn is_variable(name: &str) -> bool {
    name.len() >= 2
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_role(account: &Account, arn: &str) -> Result<(), Fault> {
    let names = ["lambda.amazonaws.com".to_owned()];
    let lambda = Principal { kind: "Service", names: &names };
    let role = account.iam.role_of(arn).filter(|role| role.arn(&account.id) == arn);
    let assumed = role.filter(|role| may_assume(&account.iam, &role.name, lambda));
    assumed.map(drop).ok_or_else(|| invalid("The role defined for the function cannot be assumed by Lambda."))
}

/// A number, also when CloudFormation brings it as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    number.ok_or_else(|| D::Error::custom(format!("`{value}` is not a whole number in range")))
}

/// Texts, also when CloudFormation brings numbers or booleans.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    BTreeMap::<String, Value>::deserialize(deserializer)?
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            Value::Number(number) => Ok((name, number.to_string())),
            Value::Bool(flag) => Ok((name, flag.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(D::Error::custom(format!("the environment variable `{name}` is not text")))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(changes: Value) -> Result<Settings, Fault> {
        let mut members = json!({
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Role": "arn:aws:iam::000000000000:role/r",
        });
        for (name, value) in changes.as_object().expect("an object") {
            members[name] = value.clone();
        }
        Settings::read(&super::super::tests::account(), members.as_object().expect("an object"))
    }

    #[test]
    fn what_is_absent_has_the_defaults_of_aws() {
        let settings = read(json!({})).expect("it is complete");
        assert_eq!((settings.memory_size, settings.timeout, settings.architecture()), (128, 3, "x86_64"));
        assert_eq!(settings.log_group("f"), "/aws/lambda/f");
    }

    #[test]
    fn texts_and_numbers_are_taken_for_each_other() {
        let settings = read(json!({ "Timeout": "10", "Environment": { "Variables": { "N1": 1, "B1": true } } }));
        let settings = settings.expect("CloudFormation brings such values");
        assert_eq!(settings.timeout, 10);
        assert_eq!(settings.environment.variables["N1"], "1");
        assert_eq!(settings.environment.variables["B1"], "true");
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        for (changes, part) in [
            (
                json!({ "Timeout": 901 }),
                "at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
            ),
            (json!({ "MemorySize": 64 }), "greater than or equal to 128"),
            (
                json!({ "Environment": { "Variables": { "AWS_REGION": "x" } } }),
                "Reserved keys used in this request: AWS_REGION",
            ),
            (json!({ "Environment": { "Variables": { "LONG": "x".repeat(4096) } } }), "exceeded the 4KB limit"),
            (json!({ "Environment": { "Variables": { "1A": "x" } } }), "regular expression"),
            (json!({ "Role": "arn:aws:iam::111111111111:role/r" }), "cannot be assumed by Lambda"),
            (json!({ "Role": "arn:aws:iam::000000000000:role/none" }), "cannot be assumed by Lambda"),
            (json!({ "Role": "arn:aws:iam::000000000000:role/other" }), "cannot be assumed by Lambda"),
            (json!({ "Architectures": ["sparc"] }), "enum value set"),
            (json!({ "Handler": "" }), "mandatory"),
            (json!({ "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"] }), "/opt"),
            (json!({ "PackageType": "Image" }), "not images"),
        ] {
            let fault = read(changes.clone()).expect_err("it is refused");
            assert!(fault.message.contains(part), "{changes}: {fault}");
        }
    }

    #[test]
    fn empty_settings_are_as_good_as_none() {
        read(json!({ "VpcConfig": { "SubnetIds": [], "SecurityGroupIds": [] }, "Layers": [], "KmsKeyArn": "" }))
            .expect("they say nothing");
    }
}
