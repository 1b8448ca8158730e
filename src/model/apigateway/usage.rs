//! How much the holders of API keys may call.

use std::collections::BTreeMap;

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Throttle;
use crate::model::{Declared, check, properties};

/// How much the holders of API keys may call; serialized as the properties of `AWS::ApiGateway::UsagePlan`.
///
/// Synthesis adds `ApiStages` and what ties each key to the plan.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct UsagePlan {
    /// The plan's name; the one that it is declared by when absent.
    #[garde(length(min = 1, max = 255))]
    pub usage_plan_name: Option<String>,
    /// What the plan is for.
    #[garde(length(max = 1_024))]
    pub description: Option<String>,
    /// How many requests the holder of a key may send.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub throttle: Option<Throttle>,
    /// How many requests the holder of a key may send in a day, a week or a month.
    #[garde(dive)]
    pub quota: Option<Quota>,
    /// How many requests the holder of a key may send to single routes.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub routes: BTreeMap<String, Throttle>,
    /// The stages that the plan opens; all of the API's when absent.
    #[serde(skip_serializing)]
    pub stages: Vec<String>,
    /// The API keys that belong to the plan.
    #[serde(skip_serializing)]
    pub api_keys: Vec<String>,
    /// Tags on the plan.
    #[serde(serialize_with = "properties::tags")]
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
}

/// How many requests are taken in a day, a week or a month.
#[derive(Debug, Clone, Copy, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into)]
pub struct Quota {
    /// The number of requests.
    #[setters(skip)]
    #[garde(range(min = 1))]
    pub limit: u32,
    /// After how long the count begins anew.
    #[setters(skip)]
    pub period: Period,
    /// The day on which the period begins: 0 to 6 of a week, where 0 is Sunday, or 0 to 27 of a month.
    #[serde(default)]
    #[setters(into = false)]
    pub offset: u32,
}

impl Quota {
    /// So many requests in each period.
    pub fn new(limit: u32, period: Period) -> Self {
        Self { limit, period, offset: 0 }
    }
}

/// After how long the count of requests begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "SCREAMING_SNAKE_CASE"))]
pub enum Period {
    /// Every day.
    Day,
    /// Every week.
    Week,
    /// Every month.
    Month,
}

/// A key that tells one caller from another; serialized as the properties of `AWS::ApiGateway::ApiKey`.
///
/// Its value is made by API Gateway. It is shown by `aws apigateway get-api-key --include-value`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct ApiKey {
    /// The key's name in the account; CloudFormation makes one up when it is absent.
    #[garde(length(min = 1, max = 1_024))]
    pub name: Option<String>,
    /// Whose key it is.
    #[garde(length(max = 1_024))]
    pub description: Option<String>,
    /// Whether the key is taken.
    pub enabled: bool,
    /// Tags on the key.
    #[serde(serialize_with = "properties::tags")]
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
}

impl Default for ApiKey {
    fn default() -> Self {
        Self { name: None, description: None, enabled: true, tags: BTreeMap::new() }
    }
}
