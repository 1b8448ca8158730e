//! Tables.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Synthesis, properties, removal, value};
use crate::model::dynamodb::{Encryption, GlobalIndex, Key, LocalIndex, Projection, Table};
use crate::template::Resource;

pub(super) fn add(synthesis: &mut Synthesis, id: &str, declared: &Table) {
    let mut resource = Resource::new("AWS::DynamoDB::Table");
    resource.properties = properties(declared);
    resource.properties.extend(derived(declared));
    let policy = removal(declared.removal.into());
    synthesis.resource(id, resource.deletion_policy(policy).update_replace_policy(policy));
}

/// The properties that are shaped otherwise than their fields.
fn derived(declared: &Table) -> Map<String, Value> {
    let mut derived = Map::new();
    let mut set = |name: &str, value: Option<Value>| derived.extend(value.map(|value| (name.to_owned(), value)));
    set("KeySchema", Some(key_schema(&declared.partition_key, declared.sort_key.as_ref())));
    set("AttributeDefinitions", Some(attributes(declared)));
    let billing = if declared.provisioned_throughput.is_some() { "PROVISIONED" } else { "PAY_PER_REQUEST" };
    set("BillingMode", Some(json!(billing)));
    let global = declared.global_secondary_indexes.iter().map(|(name, index)| global_index(name, index));
    set("GlobalSecondaryIndexes", list(global));
    let local = declared.local_secondary_indexes.iter();
    let local = local.map(|(name, index)| local_index(name, index, &declared.partition_key));
    set("LocalSecondaryIndexes", list(local));
    let attribute = declared.time_to_live_attribute.as_ref();
    set("TimeToLiveSpecification", attribute.map(|name| json!({ "AttributeName": name, "Enabled": true })));
    set("StreamSpecification", declared.stream.map(|view| json!({ "StreamViewType": value(&view) })));
    let recovery = json!({ "PointInTimeRecoveryEnabled": declared.point_in_time_recovery });
    set("PointInTimeRecoverySpecification", Some(recovery));
    set("SSESpecification", encryption(&declared.encryption));
    set("ContributorInsightsSpecification", declared.contributor_insights.then(|| json!({ "Enabled": true })));
    derived
}

fn list(items: impl Iterator<Item = Value>) -> Option<Value> {
    let items: Vec<Value> = items.collect();
    (!items.is_empty()).then_some(Value::Array(items))
}

fn key_schema(partition_key: &Key, sort_key: Option<&Key>) -> Value {
    let element = |key: &Key, kind: &str| json!({ "AttributeName": key.name, "KeyType": kind });
    let sort = sort_key.map(|key| element(key, "RANGE"));
    std::iter::once(element(partition_key, "HASH")).chain(sort).collect()
}

/// Each attribute once, however many keys it is part of.
fn attributes(declared: &Table) -> Value {
    let kinds: BTreeMap<_, _> = declared.keys().into_iter().map(|(_, key)| (&key.name, key.kind)).collect();
    let definition = |(name, kind)| json!({ "AttributeName": name, "AttributeType": value(&kind) });
    kinds.into_iter().map(definition).collect()
}

fn global_index(name: &str, index: &GlobalIndex) -> Value {
    let mut entry = properties(index);
    entry.extend(index_entry(name, key_schema(&index.partition_key, index.sort_key.as_ref()), &index.projection));
    Value::Object(entry)
}

fn local_index(name: &str, index: &LocalIndex, partition_key: &Key) -> Value {
    Value::Object(index_entry(name, key_schema(partition_key, Some(&index.sort_key)), &index.projection))
}

fn index_entry(name: &str, keys: Value, projected: &Projection) -> Map<String, Value> {
    let members = [("IndexName", json!(name)), ("KeySchema", keys), ("Projection", projection(projected))];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn projection(projection: &Projection) -> Value {
    match projection {
        Projection::All => json!({ "ProjectionType": "ALL" }),
        Projection::KeysOnly => json!({ "ProjectionType": "KEYS_ONLY" }),
        Projection::Include(names) => json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": names }),
    }
}

fn encryption(encryption: &Encryption) -> Option<Value> {
    match encryption {
        Encryption::AwsOwned => None,
        Encryption::AwsManaged => Some(json!({ "SSEEnabled": true, "SSEType": "KMS" })),
        Encryption::Key(arn) => Some(json!({ "SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": value(arn) })),
    }
}
