//! A table as a template declares it, and the way there from what it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Refusal, Store};
use crate::cloudformation::resource::Tags;
use crate::wire::Fault;

/// The properties of `AWS::DynamoDB::Table`. What the database reads as it is stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Declared {
    pub(super) table_name: Option<String>,
    key_schema: Value,
    attribute_definitions: Value,
    #[serde(rename = "GlobalSecondaryIndexes")]
    indexes: Vec<Index>,
    local_secondary_indexes: Option<Value>,
    billing_mode: Option<String>,
    provisioned_throughput: Option<Value>,
    on_demand_throughput: Option<Value>,
    table_class: Option<String>,
    deletion_protection_enabled: bool,
    stream_specification: Option<Stream>,
    #[serde(rename = "SSESpecification")]
    encryption: Option<Encryption>,
    time_to_live_specification: Option<TimeToLive>,
    point_in_time_recovery_specification: Recovery,
    resource_policy: Option<Policy>,
    kinesis_stream_specification: Option<Value>,
    import_source_specification: Option<Value>,
    pub(super) tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    key_schema: Value,
    projection: Value,
    provisioned_throughput: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stream {
    stream_view_type: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Encryption {
    #[serde(rename = "SSEEnabled")]
    enabled: bool,
    #[serde(rename = "SSEType")]
    kind: Option<String>,
    #[serde(rename = "KMSMasterKeyId")]
    key: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    #[serde(default)]
    attribute_name: String,
    enabled: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Recovery {
    point_in_time_recovery_enabled: bool,
    recovery_period_in_days: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    policy_document: Value,
}

/// For how many days a table can be brought back when nobody says.
pub(super) const RECOVERY_DAYS: u32 = 35;

impl Declared {
    /// What is declared but not part of this cloud.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let beyond = [
            ("KinesisStreamSpecification", self.kinesis_stream_specification.is_some()),
            ("ImportSourceSpecification", self.import_source_specification.is_some()),
        ];
        match beyond.iter().find(|(_, is_declared)| *is_declared) {
            Some((name, _)) => {
                let message = format!("the embedded cloud does not offer {name} of tables");
                Err(Fault::new("ValidationException", message))
            }
            None => Ok(()),
        }
    }

    /// The days of point-in-time recovery; none where it is off.
    pub(super) fn recovery_days(&self) -> Option<u32> {
        let Recovery { point_in_time_recovery_enabled, recovery_period_in_days } =
            self.point_in_time_recovery_specification;
        point_in_time_recovery_enabled.then(|| recovery_period_in_days.unwrap_or(RECOVERY_DAYS))
    }

    /// The policy of the table.
    pub(super) fn policy(&self) -> Option<Value> {
        self.resource_policy.as_ref().map(|policy| policy.policy_document.clone())
    }

    /// The request that makes the table.
    pub(super) fn creation(&self, name: &str, tags: &BTreeMap<String, String>) -> Value {
        let mut request = json!({
            "TableName": name,
            "KeySchema": self.key_schema,
            "AttributeDefinitions": self.attribute_definitions,
            "DeletionProtectionEnabled": self.deletion_protection_enabled,
        });
        let mut set = |member: &str, value: Option<Value>| {
            if let Some(value) = value {
                request[member] = value;
            }
        };
        let indexes: Vec<Value> = self.indexes.iter().map(Index::definition).collect();
        set("GlobalSecondaryIndexes", (!indexes.is_empty()).then(|| json!(indexes)));
        set("LocalSecondaryIndexes", self.local_secondary_indexes.clone());
        set("BillingMode", self.billing_mode.clone().map(Value::from));
        set("ProvisionedThroughput", self.provisioned_throughput.clone());
        set("OnDemandThroughput", self.on_demand_throughput.clone());
        set("TableClass", self.table_class.clone().map(Value::from));
        set("StreamSpecification", self.stream_specification.as_ref().map(|_| self.streaming()));
        set("SSESpecification", self.encryption.as_ref().map(Encryption::definition));
        set("Tags", (!tags.is_empty()).then(|| json!(listed(tags))));
        request
    }

    /// Makes the expiry of a fresh table what is declared.
    pub(super) fn expire(&self, store: &Store, name: &str) -> Result<(), Refusal> {
        let described = store.run("DescribeTimeToLive", json!({ "TableName": name }))?;
        let now = &described["TimeToLiveDescription"];
        let is_on = matches!(now["TimeToLiveStatus"].as_str(), Some("ENABLED" | "ENABLING"));
        let before = now["AttributeName"].as_str().filter(|_| is_on);
        let after = self.time_to_live_specification.as_ref().filter(|wanted| wanted.enabled);
        let after = after.map(|wanted| wanted.attribute_name.as_str());
        if before == after {
            return Ok(());
        }
        let attribute = after.or(before).unwrap_or_default();
        let wanted = json!({ "AttributeName": attribute, "Enabled": after.is_some() });
        store.run("UpdateTimeToLive", json!({ "TableName": name, "TimeToLiveSpecification": wanted })).map(drop)
    }

    /// Brings a table from what it is to what is declared. Looks at the table itself rather than at an older
    /// declaration: after a kill it may be half-way there.
    pub(super) fn settle(&self, store: &Store, name: &str) -> Result<(), Refusal> {
        let table = store.run("DescribeTable", json!({ "TableName": name }))?["Table"].take();
        self.keys_stay(&table)?;
        let changes = [
            self.index_change(&table)?,
            self.throughput_change(&table),
            self.class_change(&table),
            self.protection_change(&table),
        ];
        let changes =
            changes.into_iter().flatten().chain(self.stream_changes(&table)).chain(self.index_throughput(&table));
        for mut change in changes {
            change["TableName"] = name.into();
            store.run("UpdateTable", change)?;
        }
        self.expire(store, name)
    }

    /// AWS replaces a table for another type of a key. The schema cannot say so, since indexes bring attributes as well.
    fn keys_stay(&self, table: &Value) -> Result<(), Fault> {
        let types = |definitions: &Value| -> BTreeMap<String, String> {
            let listed = definitions.as_array().into_iter().flatten();
            let pair =
                |one: &Value| Some((one["AttributeName"].as_str()?.into(), one["AttributeType"].as_str()?.into()));
            listed.filter_map(pair).collect()
        };
        let present = types(&table["AttributeDefinitions"]);
        let changed = types(&self.attribute_definitions)
            .into_iter()
            .find(|(name, kind)| present.get(name).is_some_and(|before| before != kind));
        match changed {
            Some((name, _)) => {
                let message = format!(
                    "the type of `{name}` cannot change in place, and the local cloud does not replace a table for it; give the table another name"
                );
                Err(Fault::new("ValidationException", message))
            }
            None => Ok(()),
        }
    }

    /// The one index that is to be made or removed. DynamoDB takes no two at a time.
    fn index_change(&self, table: &Value) -> Result<Option<Value>, Fault> {
        let present = present_indexes(table);
        let mut steps = Vec::new();
        for (name, index) in &present {
            match self.indexes.iter().find(|declared| declared.index_name == **name) {
                None => steps.push(json!({ "Delete": { "IndexName": name } })),
                Some(declared) if declared.differs(index) => return Err(unchangeable()),
                Some(_) => {}
            }
        }
        let absent = self.indexes.iter().filter(|declared| !present.contains_key(declared.index_name.as_str()));
        steps.extend(absent.map(|declared| json!({ "Create": declared.definition() })));
        match steps.len() {
            0 => Ok(None),
            1 => Ok(Some(json!({
                "AttributeDefinitions": self.attribute_definitions, "GlobalSecondaryIndexUpdates": steps,
            }))),
            _ => Err(Fault::new(
                "LimitExceededException",
                "Cannot perform more than one GSI creation or deletion in a single update",
            )),
        }
    }

    fn index_throughput(&self, table: &Value) -> Option<Value> {
        let present = present_indexes(table);
        let updates: Vec<Value> = self
            .indexes
            .iter()
            .filter_map(|declared| {
                let wanted = declared.provisioned_throughput.as_ref()?;
                let now = present.get(declared.index_name.as_str())?.get("ProvisionedThroughput")?;
                let update = json!({ "IndexName": declared.index_name, "ProvisionedThroughput": wanted });
                (units(now) != units(wanted)).then(|| json!({ "Update": update }))
            })
            .collect();
        (!updates.is_empty()).then(|| json!({ "GlobalSecondaryIndexUpdates": updates }))
    }

    fn throughput_change(&self, table: &Value) -> Option<Value> {
        let now = table.pointer("/BillingModeSummary/BillingMode").and_then(Value::as_str).unwrap_or("PROVISIONED");
        let wanted = self.billing_mode.as_deref().unwrap_or("PROVISIONED");
        let mut change = Map::new();
        if now != wanted {
            change.insert("BillingMode".to_owned(), wanted.into());
        }
        if let Some(throughput) = self.provisioned_throughput.as_ref().filter(|_| wanted == "PROVISIONED")
            && (now != wanted || units(throughput) != units(&table["ProvisionedThroughput"]))
        {
            change.insert("ProvisionedThroughput".to_owned(), throughput.clone());
        }
        if let Some(limits) = &self.on_demand_throughput
            && table.get("OnDemandThroughput") != Some(limits)
        {
            change.insert("OnDemandThroughput".to_owned(), limits.clone());
        }
        (!change.is_empty()).then_some(Value::Object(change))
    }

    fn class_change(&self, table: &Value) -> Option<Value> {
        let now = table.pointer("/TableClassSummary/TableClass").and_then(Value::as_str).unwrap_or("STANDARD");
        let wanted = self.table_class.as_deref().unwrap_or("STANDARD");
        (now != wanted).then(|| json!({ "TableClass": wanted }))
    }

    fn protection_change(&self, table: &Value) -> Option<Value> {
        let is_protected = table["DeletionProtectionEnabled"] == true;
        (is_protected != self.deletion_protection_enabled)
            .then(|| json!({ "DeletionProtectionEnabled": self.deletion_protection_enabled }))
    }

    /// A stream of another view is another stream: the old one ends first.
    fn stream_changes(&self, table: &Value) -> Vec<Value> {
        let now = table.get("StreamSpecification").filter(|stream| stream["StreamEnabled"] == true);
        let now = now.and_then(|stream| stream["StreamViewType"].as_str());
        let wanted = self.stream_specification.as_ref().map(|stream| stream.stream_view_type.as_str());
        if now == wanted {
            return Vec::new();
        }
        let end = now.map(|_| json!({ "StreamSpecification": { "StreamEnabled": false } }));
        let begin = wanted.map(|_| json!({ "StreamSpecification": self.streaming() }));
        end.into_iter().chain(begin).collect()
    }

    fn streaming(&self) -> Value {
        let view = self.stream_specification.as_ref().map(|stream| &stream.stream_view_type);
        json!({ "StreamEnabled": view.is_some(), "StreamViewType": view })
    }
}

impl Index {
    fn definition(&self) -> Value {
        let mut definition = json!({
            "IndexName": self.index_name, "KeySchema": self.key_schema, "Projection": self.projection,
        });
        if let Some(throughput) = &self.provisioned_throughput {
            definition["ProvisionedThroughput"] = throughput.clone();
        }
        definition
    }

    fn differs(&self, present: &Value) -> bool {
        self.key_schema != present["KeySchema"] || projection(&self.projection) != projection(&present["Projection"])
    }
}

impl Encryption {
    fn definition(&self) -> Value {
        let mut definition = json!({ "Enabled": self.enabled });
        if let Some(kind) = &self.kind {
            definition["SSEType"] = json!(kind);
        }
        if let Some(key) = &self.key {
            definition["KMSMasterKeyId"] = json!(key);
        }
        definition
    }
}

fn present_indexes(table: &Value) -> BTreeMap<&str, &Value> {
    let listed = table["GlobalSecondaryIndexes"].as_array();
    listed.into_iter().flatten().filter_map(|index| Some((index["IndexName"].as_str()?, index))).collect()
}

/// What an index projects, whatever the order in which that is written.
fn projection(value: &Value) -> (&str, BTreeSet<&str>) {
    let attributes = value["NonKeyAttributes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    (value["ProjectionType"].as_str().unwrap_or("ALL"), attributes.collect())
}

fn units(throughput: &Value) -> (Option<i64>, Option<i64>) {
    (throughput["ReadCapacityUnits"].as_i64(), throughput["WriteCapacityUnits"].as_i64())
}

fn unchangeable() -> Fault {
    Fault::new(
        "ValidationException",
        "Cannot update GSI's properties other than Provisioned Throughput and Contributor Insights Specification. You \
         can create a new GSI with a different name.",
    )
}

/// Tags as the API lists them.
pub(super) fn listed(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}
