//! Permissions.

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Declared, Json, Value, check};

/// One statement of an IAM policy; serialized as IAM has it.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Statement {
    /// A name for the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(check::sid)))]
    #[schemars(regex(pattern = "^[A-Za-z0-9]*$"))]
    pub sid: Option<String>,
    /// Whether the statement allows or denies; it allows by default.
    #[serde(default)]
    pub effect: Effect,
    /// The actions, such as `dynamodb:GetItem`.
    #[serde(rename(serialize = "Action"))]
    #[garde(length(min = 1), inner(custom(check::action)))]
    pub actions: Vec<String>,
    /// The ARNs of the resources.
    #[serde(rename(serialize = "Resource"))]
    #[garde(length(min = 1), dive)]
    pub resources: Vec<Value>,
    /// When the statement applies, as IAM has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Json>,
}

impl Statement {
    /// Allows `actions` on `resources`.
    pub fn allow<A: Into<String>, R: Into<Value>>(
        actions: impl IntoIterator<Item = A>,
        resources: impl IntoIterator<Item = R>,
    ) -> Self {
        Self {
            sid: None,
            effect: Effect::Allow,
            actions: actions.into_iter().map(Into::into).collect(),
            resources: resources.into_iter().map(Into::into).collect(),
            condition: None,
        }
    }
}

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
pub enum Effect {
    /// The actions are allowed.
    #[default]
    Allow,
    /// The actions are denied, whatever else allows them.
    Deny,
}
