//! Stages of a REST API.

use std::collections::BTreeMap;

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccessLogs, Throttle};
use crate::model::{Declared, Value, check, properties};

/// A stage of a REST API; serialized as the properties of `AWS::ApiGateway::Stage`.
///
/// Synthesis adds `RestApiId`, `StageName`, `DeploymentId`, `MethodSettings` (`throttle`, `metricsEnabled`,
/// `loggingLevel`, `cache`, and the routes' own throttles and caches), `AccessLogSetting` and the log group behind it.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
#[schemars(rename = "RestStage")]
pub struct Stage {
    /// What the stage is for.
    #[garde(length(max = 1_024))]
    pub description: Option<String>,
    /// Variables that functions and templates find in their events.
    #[garde(length(max = 100), dive)]
    #[schemars(extend("maxProperties" = 100))]
    pub variables: BTreeMap<String, Value>,
    /// Whether requests are traced with X-Ray.
    pub tracing_enabled: bool,
    /// How many requests each route takes.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub throttle: Throttle,
    /// Whether CloudWatch has figures for each route.
    #[serde(skip_serializing)]
    pub metrics_enabled: bool,
    /// What API Gateway logs of how it treats requests. Requests themselves are never logged: they carry tokens.
    #[serde(skip_serializing)]
    pub logging_level: LoggingLevel,
    /// A line for each request; on unless turned off.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub access_logs: AccessLogs,
    /// Where the answers of routes that have a `cache` are kept; nowhere when absent. It is paid by the hour.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub cache: Option<Cache>,
    /// Tags on the stage.
    #[serde(serialize_with = "properties::tags")]
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
}

/// What API Gateway logs of how it treats requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "SCREAMING_SNAKE_CASE"))]
pub enum LoggingLevel {
    /// Nothing.
    #[default]
    Off,
    /// What went wrong.
    Error,
    /// Every step.
    Info,
}

/// Where answers are kept.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct Cache {
    /// Its size in GB.
    pub size: CacheSize,
    /// Seconds for which an answer is kept, where a route does not say.
    #[setters(into = false)]
    #[garde(range(max = 3_600))]
    pub ttl_in_seconds: u32,
    /// Whether answers are encrypted.
    pub encrypted: bool,
}

impl Default for Cache {
    fn default() -> Self {
        Self { size: CacheSize::default(), ttl_in_seconds: 300, encrypted: true }
    }
}

/// The sizes that caches have, in GB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are the sizes")]
pub enum CacheSize {
    #[default]
    #[serde(rename = "0.5")]
    Half,
    #[serde(rename = "1.6")]
    OneAndAHalf,
    #[serde(rename = "6.1")]
    Six,
    #[serde(rename = "13.5")]
    Thirteen,
    #[serde(rename = "28.4")]
    TwentyEight,
    #[serde(rename = "58.2")]
    FiftyEight,
    #[serde(rename = "118")]
    Hundred,
    #[serde(rename = "237")]
    TwoHundred,
}
