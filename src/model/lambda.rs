//! Lambda functions.

use std::collections::BTreeMap;

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::iam::Statement;
use super::ids::{self, Derived};
use super::{Declared, Resource, Stack, Value, check, properties};

mod grant;

pub use grant::{Access, AccessList, Grant, Granted};

/// A Lambda function on the `provided.al2023` runtime.
///
/// Its code is one of `crate`, `zip` and `directory`. Synthesis derives `Code` (bucket and key parameters), `Runtime`,
/// `Handler`, `Role` (`<Id>Role`: logs, tracing, `grants`, `policies`, `managedPolicies`), the environment variables of
/// `grants`, the log group (`<Id>LogGroup`, with `logRetentionDays`, deleted with the stack) and `TracingConfig`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
#[schemars(extend("oneOf" = [{ "required": ["crate"] }, { "required": ["zip"] }, { "required": ["directory"] }]))]
pub struct Function {
    /// The crate that is built and deployed, by its folder from the project's root: `functions/protected`.
    #[serde(rename(deserialize = "crate"), skip_serializing)]
    #[setters(skip)]
    pub crate_path: Option<String>,
    /// The binary of the crate, where it has several.
    #[serde(skip_serializing)]
    pub bin: Option<String>,
    /// A zip file whose contents are deployed, packed anew so that equal contents are equal bytes; it holds an executable
    /// `bootstrap`.
    #[serde(skip_serializing)]
    #[setters(skip)]
    pub zip: Option<String>,
    /// A folder that is zipped and deployed; it holds an executable `bootstrap`.
    #[serde(skip_serializing)]
    #[setters(skip)]
    pub directory: Option<String>,
    /// The function's name; CloudFormation makes one up when it is absent.
    #[garde(inner(custom(check::text("a function's name", 1, 64, |c| c.is_ascii_alphanumeric() || "_-".contains(c)))))]
    pub function_name: Option<Value>,
    /// What the function is for.
    #[garde(length(max = 256))]
    pub description: Option<String>,
    /// Memory in MiB; processor time grows with it.
    #[setters(into = false)]
    #[garde(range(min = 128, max = 10_240))]
    pub memory_size: u32,
    /// Seconds after which an invocation is ended.
    #[setters(into = false)]
    #[garde(range(min = 1, max = 900))]
    pub timeout: u32,
    /// The processor that the code is built for.
    #[serde(rename(serialize = "Architectures"), serialize_with = "properties::single")]
    pub architecture: Architecture,
    /// Environment variables; a value may refer to other resources.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub environment: BTreeMap<String, Value>,
    /// MiB of `/tmp`; 512 when absent.
    #[setters(into = false)]
    #[serde(serialize_with = "properties::size")]
    #[garde(range(min = 512, max = 10_240))]
    pub ephemeral_storage: Option<u32>,
    /// Invocations that may run at the same time, taken from the account's pool; 0 stops the function.
    #[setters(into = false)]
    pub reserved_concurrent_executions: Option<u32>,
    /// ARNs of layers.
    #[garde(length(max = 5), dive)]
    pub layers: Vec<Value>,
    /// Days after which log events are deleted.
    #[setters(into = false)]
    #[serde(skip_serializing)]
    #[garde(custom(check::retention))]
    #[schemars(extend("enum" = check::RETENTION))]
    pub log_retention_days: u32,
    /// Whether invocations are traced with X-Ray.
    #[serde(skip_serializing)]
    pub tracing: bool,
    /// What the function may do with other resources of the project; each grant tells it by an environment variable
    /// which one is meant.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub grants: Vec<Grant>,
    /// What the function may do beyond that and writing its own logs.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub policies: Vec<Statement>,
    /// ARNs of managed policies for the function's role.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub managed_policies: Vec<Value>,
}

impl Default for Function {
    fn default() -> Self {
        Self {
            crate_path: None,
            bin: None,
            zip: None,
            directory: None,
            function_name: None,
            description: None,
            memory_size: 128,
            timeout: 10,
            architecture: Architecture::default(),
            environment: BTreeMap::new(),
            ephemeral_storage: None,
            reserved_concurrent_executions: None,
            layers: Vec::new(),
            log_retention_days: 30,
            tracing: false,
            grants: Vec::new(),
            policies: Vec::new(),
            managed_policies: Vec::new(),
        }
    }
}

/// Where the code of a function comes from; paths start at the project's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code<'a> {
    /// A crate that is built, by its folder, and its binary where it has several.
    Crate {
        /// The folder of the crate.
        path: &'a str,
        /// The binary.
        bin: Option<&'a str>,
    },
    /// A zip file, whose contents are packed anew.
    Zip(&'a str),
    /// A folder to zip.
    Directory(&'a str),
}

impl Function {
    /// A function built from a crate, by its folder from the project's root.
    pub fn from_crate(path: impl Into<String>) -> Self {
        Self { crate_path: Some(path.into()), ..Self::default() }
    }

    /// A function from a zip file that holds an executable `bootstrap`.
    pub fn from_zip(path: impl Into<String>) -> Self {
        Self { zip: Some(path.into()), ..Self::default() }
    }

    /// A function from a folder that holds an executable `bootstrap`.
    pub fn from_directory(path: impl Into<String>) -> Self {
        Self { directory: Some(path.into()), ..Self::default() }
    }

    /// Sets one environment variable.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Lets the function do something with another resource.
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grants.push(grant);
        self
    }

    /// Lets the function do what the statement says.
    pub fn policy(mut self, statement: Statement) -> Self {
        self.policies.push(statement);
        self
    }

    /// Where its code comes from; `None` unless exactly one source is given, which the checks refuse.
    pub fn code(&self) -> Option<Code<'_>> {
        match (&self.crate_path, &self.zip, &self.directory) {
            (Some(path), None, None) => Some(Code::Crate { path, bin: self.bin.as_deref() }),
            (None, Some(path), None) => Some(Code::Zip(path)),
            (None, None, Some(path)) => Some(Code::Directory(path)),
            _ => None,
        }
    }
}

/// The processor that a function's code is built for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
pub enum Architecture {
    /// 64-bit Intel and AMD.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm (Graviton).
    #[serde(rename = "arm64")]
    Arm64,
}

impl Resource for Function {
    const TYPE: &'static str = "AWS::Lambda::Function";
    const NAME: &'static str = "function";
    const ATTRIBUTES: &'static [&'static str] = &["Arn"];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.functions
    }

    fn derived(&self, id: &str) -> Vec<Derived> {
        vec![
            Derived::role(ids::role(id)),
            Derived::log_group(ids::log_group(id)),
            Derived::parameter(ids::code_key(id)),
        ]
    }
}
