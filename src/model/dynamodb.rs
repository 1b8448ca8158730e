//! DynamoDB tables.

use std::collections::{BTreeMap, BTreeSet};

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::Derived;
use super::raw::DataRemoval;
use super::{Declared, Resource, Stack, Value, check, properties};

/// A table of items, each found by its key.
///
/// Synthesis derives `KeySchema` (`partitionKey`, `sortKey`), `AttributeDefinitions` (every attribute that a key or an
/// index names), `BillingMode` (`PROVISIONED` where `provisionedThroughput` is given, else `PAY_PER_REQUEST`), the lists
/// of indexes, `TimeToLiveSpecification`, `StreamSpecification`, `PointInTimeRecoverySpecification`,
/// `SSESpecification` (`encryption`), `ContributorInsightsSpecification`, and deletion and replacement policies
/// (`removal`).
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Table {
    /// The table's name; CloudFormation makes one up when it is absent.
    #[serde(default)]
    #[garde(inner(custom(check::text("a table's name", 3, 255, is_name))))]
    pub table_name: Option<Value>,
    /// The attribute that an item is found by, alone or together with the sort key.
    #[serde(skip_serializing)]
    #[setters(skip)]
    #[garde(dive)]
    pub partition_key: Key,
    /// The attribute that orders the items with the same partition key.
    #[serde(default, skip_serializing)]
    #[garde(dive)]
    pub sort_key: Option<Key>,
    /// Other keys by which items are found, by the index's name; can be added one at a time later.
    #[serde(default, skip_serializing)]
    #[garde(length(max = 20), dive)]
    #[schemars(extend("maxProperties" = 20))]
    pub global_secondary_indexes: BTreeMap<String, GlobalIndex>,
    /// Other orders of the items with the same partition key, by the index's name; fixed once the table exists.
    #[serde(default, skip_serializing)]
    #[garde(length(max = 5), dive)]
    #[schemars(extend("maxProperties" = 5))]
    pub local_secondary_indexes: BTreeMap<String, LocalIndex>,
    /// Capacity that is paid for whether it is used or not; the table is paid by the request when absent.
    #[serde(default)]
    #[garde(dive)]
    pub provisioned_throughput: Option<Throughput>,
    /// The most that a table paid by the request may take; no limit of its own when absent.
    #[serde(default)]
    #[garde(dive)]
    pub on_demand_throughput: Option<MaximumThroughput>,
    /// The attribute with the second (counted from 1970) after which an item is deleted.
    #[serde(default, skip_serializing)]
    #[garde(length(min = 1, max = 255))]
    pub time_to_live_attribute: Option<String>,
    /// What a stream of changes tells of each changed item; no stream when absent.
    #[serde(default, skip_serializing)]
    pub stream: Option<StreamView>,
    /// Whether the table can be restored to any second of the last 35 days; on unless turned off.
    #[serde(default = "yes", skip_serializing)]
    pub point_in_time_recovery: bool,
    /// The key that encrypts what the table holds; one that DynamoDB owns, at no cost, when absent.
    #[serde(default, skip_serializing)]
    #[garde(dive)]
    pub encryption: Encryption,
    /// Whether the table refuses to be deleted.
    #[serde(default)]
    pub deletion_protection_enabled: bool,
    /// The price model of storage; the standard one when absent.
    #[serde(default)]
    pub table_class: Option<TableClass>,
    /// Whether CloudWatch shows which keys are used most.
    #[serde(default, skip_serializing)]
    pub contributor_insights: bool,
    /// What happens to the table, and to its items, when it leaves the stack.
    #[serde(default, skip_serializing)]
    pub removal: DataRemoval,
    /// Tags on the table.
    #[serde(default, serialize_with = "properties::tags")]
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
}

impl Table {
    /// A table whose items are found by one attribute.
    pub fn new(partition_key: Key) -> Self {
        Self {
            table_name: None,
            partition_key,
            sort_key: None,
            global_secondary_indexes: BTreeMap::new(),
            local_secondary_indexes: BTreeMap::new(),
            provisioned_throughput: None,
            on_demand_throughput: None,
            time_to_live_attribute: None,
            stream: None,
            point_in_time_recovery: true,
            encryption: Encryption::default(),
            deletion_protection_enabled: false,
            table_class: None,
            contributor_insights: false,
            removal: DataRemoval::default(),
            tags: BTreeMap::new(),
        }
    }

    /// Adds a global secondary index.
    pub fn global_index(mut self, name: impl Into<String>, index: GlobalIndex) -> Self {
        self.global_secondary_indexes.insert(name.into(), index);
        self
    }

    /// Adds a local secondary index.
    pub fn local_index(mut self, name: impl Into<String>, index: LocalIndex) -> Self {
        self.local_secondary_indexes.insert(name.into(), index);
        self
    }

    /// Every attribute that a key of the table or of an index names, with the way to it in a stack file.
    pub fn keys(&self) -> Vec<(Vec<&str>, &Key)> {
        let own = [
            Some((vec!["partitionKey"], &self.partition_key)),
            self.sort_key.as_ref().map(|key| (vec!["sortKey"], key)),
        ];
        let global = self.global_secondary_indexes.iter().flat_map(|(name, index)| {
            let at = |field| vec!["globalSecondaryIndexes", name.as_str(), field];
            [Some((at("partitionKey"), &index.partition_key)), index.sort_key.as_ref().map(|key| (at("sortKey"), key))]
        });
        let local = self.local_secondary_indexes.iter();
        let local =
            local.map(|(name, index)| Some((vec!["localSecondaryIndexes", name.as_str(), "sortKey"], &index.sort_key)));
        own.into_iter().chain(global).chain(local).flatten().collect()
    }

    /// The names of all its indexes.
    pub fn indexes(&self) -> BTreeSet<&str> {
        self.global_secondary_indexes.keys().chain(self.local_secondary_indexes.keys()).map(String::as_str).collect()
    }
}

fn yes() -> bool {
    true
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.-".contains(c)
}

impl Resource for Table {
    const TYPE: &'static str = "AWS::DynamoDB::Table";
    const NAME: &'static str = "table";
    const ATTRIBUTES: &'static [&'static str] = &["Arn", "StreamArn"];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.tables
    }

    fn derived(&self, _: &str) -> Vec<Derived> {
        Vec::new()
    }
}

/// An attribute that is part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The attribute's name.
    #[garde(length(bytes, min = 1, max = 255))]
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: KeyType,
}

impl Key {
    /// An attribute that holds text.
    pub fn string(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: KeyType::String }
    }

    /// An attribute that holds a number.
    pub fn number(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: KeyType::Number }
    }

    /// An attribute that holds bytes.
    pub fn binary(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: KeyType::Binary }
    }
}

/// The type of a key's values; serialized as DynamoDB abbreviates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase"))]
pub enum KeyType {
    /// A text.
    #[serde(rename(serialize = "S"))]
    String,
    /// A number.
    #[serde(rename(serialize = "N"))]
    Number,
    /// Bytes.
    #[serde(rename(serialize = "B"))]
    Binary,
}

/// Another key by which the items of a table are found; serialized as a part of CloudFormation's `GlobalSecondaryIndex`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct GlobalIndex {
    /// The attribute that items are found by.
    #[serde(skip_serializing)]
    #[setters(skip)]
    #[garde(dive)]
    pub partition_key: Key,
    /// The attribute that orders the items with the same partition key.
    #[serde(default, skip_serializing)]
    #[garde(dive)]
    pub sort_key: Option<Key>,
    /// What of each item the index holds.
    #[serde(default, skip_serializing)]
    #[garde(dive)]
    pub projection: Projection,
    /// The index's own capacity; needed where the table has some, and only there.
    #[serde(default)]
    #[garde(dive)]
    pub provisioned_throughput: Option<Throughput>,
    /// The most that the index of a table paid by the request may take.
    #[serde(default)]
    #[garde(dive)]
    pub on_demand_throughput: Option<MaximumThroughput>,
}

impl GlobalIndex {
    /// An index by one attribute, with all that items hold.
    pub fn new(partition_key: Key) -> Self {
        Self {
            partition_key,
            sort_key: None,
            projection: Projection::default(),
            provisioned_throughput: None,
            on_demand_throughput: None,
        }
    }
}

/// Another order of the items with the same partition key.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct LocalIndex {
    /// The attribute that orders the items.
    #[setters(skip)]
    #[garde(dive)]
    pub sort_key: Key,
    /// What of each item the index holds.
    #[serde(default)]
    #[garde(dive)]
    pub projection: Projection,
}

impl LocalIndex {
    /// An order by one attribute, with all that items hold.
    pub fn new(sort_key: Key) -> Self {
        Self { sort_key, projection: Projection::default() }
    }
}

/// What of each item an index holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema, Validate)]
#[garde(context(Declared))]
#[serde(rename_all = "camelCase")]
pub enum Projection {
    /// All of it.
    #[default]
    All,
    /// The keys of the table and of the index.
    KeysOnly,
    /// The keys and the attributes that are named.
    Include(#[garde(custom(check::projected))] Vec<String>),
}

/// Capacity that is paid for whether it is used or not; serialized as CloudFormation's `ProvisionedThroughput`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
pub struct Throughput {
    /// Consistent reads of 4 KB a second.
    #[garde(range(min = 1))]
    pub read_capacity_units: u64,
    /// Writes of 1 KB a second.
    #[garde(range(min = 1))]
    pub write_capacity_units: u64,
}

impl Throughput {
    /// So many reads and writes a second.
    pub fn new(read_capacity_units: u64, write_capacity_units: u64) -> Self {
        Self { read_capacity_units, write_capacity_units }
    }
}

/// The most that may be taken where each request is paid; serialized as CloudFormation's `OnDemandThroughput`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(strip_option)]
pub struct MaximumThroughput {
    /// Read units a second.
    #[garde(range(min = 1))]
    pub max_read_request_units: Option<u64>,
    /// Write units a second.
    #[garde(range(min = 1))]
    pub max_write_request_units: Option<u64>,
}

/// What a stream tells of a changed item; serialized as DynamoDB has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "SCREAMING_SNAKE_CASE"))]
pub enum StreamView {
    /// Its key.
    KeysOnly,
    /// What it is after the change.
    NewImage,
    /// What it was before the change.
    OldImage,
    /// Both.
    NewAndOldImages,
}

/// The key that encrypts what a table holds.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema, Validate)]
#[garde(context(Declared))]
#[serde(rename_all = "camelCase")]
pub enum Encryption {
    /// One that DynamoDB owns, at no cost.
    #[default]
    AwsOwned,
    /// The account's `aws/dynamodb`, whose uses CloudTrail shows.
    AwsManaged,
    /// One of your own, by its ARN; a grant on the table covers the key as well.
    Key(#[garde(custom(check::key_arn))] Value),
}

impl Encryption {
    /// The ARN of the key, if it is one of your own.
    pub fn key(&self) -> Option<&Value> {
        match self {
            Self::Key(arn) => Some(arn),
            Self::AwsOwned | Self::AwsManaged => None,
        }
    }
}

/// The price model of a table's storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "SCREAMING_SNAKE_CASE"))]
pub enum TableClass {
    /// For items that are read and written often.
    Standard,
    /// For items that are kept rather than used.
    StandardInfrequentAccess,
}
