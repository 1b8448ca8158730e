//! The DynamoDB tables of an account.
//!
//! Items live in a database of their own beside the account's file, so that no write of an item rewrites the account.
//! Which tables there are is told by the account: a table that only one of the two knows is what a kill has left of its
//! creation or its removal, and goes when the cloud starts (`sweep`).

pub(crate) mod api;
pub(crate) mod deeds;
mod resources;
mod store;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cloud::{Account, Cloud};
use crate::wire::Fault;

pub(crate) use resources::RESOURCE_TYPES;
pub(crate) use store::{Refusal, Store};

/// The DynamoDB tables of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tables {
    /// Tables by name.
    pub tables: BTreeMap<String, Table>,
}

/// What the account itself knows of a table; all else is in the database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Table {
    /// Name of the attribute that is its partition key.
    pub partition_key: String,
    /// For how many days it can be brought back to any second; none when it cannot.
    pub recovery_days: Option<u32>,
    /// Who may use it, besides what roles are granted.
    pub policy: Option<Value>,
}

/// ARN of a table.
pub(crate) fn arn(account: &Account, table: &str) -> String {
    format!("{}{table}", place(account))
}

/// What the ARNs of tables start with.
fn place(account: &Account) -> String {
    format!("arn:aws:dynamodb:{}:{}:table/", account.region, account.id)
}

/// The table that an ARN is of or lies within: itself, an index, a stream.
fn table_of<'a>(account: &Account, arn: &'a str) -> Option<&'a str> {
    arn.strip_prefix(&place(account))?.split('/').next()
}

/// The policy of the table that a resource is or belongs to.
pub(crate) fn policy_of(account: &Account, resource: &str) -> Option<Value> {
    account.dynamodb.tables.get(table_of(account, resource)?)?.policy.clone()
}

/// Makes a table.
///
/// # Errors
/// `ResourceInUseException`, `ValidationException`.
fn create(account: &mut Account, store: &Store, request: Value) -> Result<Value, Refusal> {
    let name = text(&request, "TableName").to_owned();
    if account.dynamodb.tables.contains_key(&name) {
        return Err(Fault::new("ResourceInUseException", format!("Table already exists: {name}")).into());
    }
    store.forget(&name)?;
    let keys = request.get("KeySchema").and_then(Value::as_array);
    let partition = keys.into_iter().flatten().find(|key| key["KeyType"] == "HASH");
    let partition_key = partition.map(|key| text(key, "AttributeName").to_owned()).unwrap_or_default();
    let created = store.run("CreateTable", request)?;
    account.dynamodb.tables.insert(name, Table { partition_key, ..Table::default() });
    Ok(created)
}

/// Removes a table with all that it holds.
///
/// # Errors
/// `ResourceNotFoundException`, or `ValidationException` for a table that is protected.
fn delete(account: &mut Account, store: &Store, name: &str) -> Result<Value, Refusal> {
    let deleted = store.run("DeleteTable", json!({ "TableName": name }));
    let is_gone = |refusal: &Refusal| refusal.fault.code == "ResourceNotFoundException";
    match deleted {
        Err(refusal) if !is_gone(&refusal) => Err(refusal),
        // The account could not be saved after the table had gone.
        deleted if account.dynamodb.tables.remove(name).is_some() => Ok(deleted.unwrap_or_else(|_| {
            json!({ "TableDescription": { "TableName": name, "TableStatus": "DELETING", "TableArn": arn(account, name) } })
        })),
        deleted => deleted,
    }
}

/// Region and account of every ARN that the database tells.
const DATABASE: &str = "dynoxide:000000000000:";

/// Puts this account's region and id into the ARNs of an answer.
fn localized(account: &Account, answer: &mut Value) {
    let here = format!("{}:{}:", account.region, account.id);
    renamed(answer, DATABASE, &here);
}

/// Puts the database's own region and id into the ARNs of a request.
fn delocalized(account: &Account, request: &mut Value) {
    let here = format!("{}:{}:", account.region, account.id);
    renamed(request, &here, DATABASE);
}

fn renamed(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => {
            let found = ["arn:aws:dynamodb:", "arn:aws:kms:"]
                .iter()
                .find_map(|service| Some(format!("{service}{to}{}", text.strip_prefix(service)?.strip_prefix(from)?)));
            if let Some(renamed) = found {
                *text = renamed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| renamed(item, from, to)),
        Value::Object(members) => members.values_mut().for_each(|member| renamed(member, from, to)),
        _ => {}
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// How often items whose time is over are removed. On AWS it may take days.
const EXPIRY: Duration = Duration::from_secs(60);

/// Removes what a kill has left half-made or half-removed, and from then on what expires.
pub(crate) fn sweep(cloud: &Cloud) {
    if let Err(refusal) = reconcile(cloud) {
        tracing::error!(%refusal, "the tables cannot be looked through");
    }
    let task = cloud.clone();
    cloud.tasks().spawn(async move {
        while task.stopping().run_until_cancelled(tokio::time::sleep(EXPIRY)).await.is_some() {
            let store = task.store().clone();
            if let Ok(Err(refusal)) = tokio::task::spawn_blocking(move || store.expire()).await {
                tracing::warn!(%refusal, "items whose time is over stay");
            }
        }
    });
}

fn reconcile(cloud: &Cloud) -> Result<(), Refusal> {
    let store = cloud.store();
    let is_unused = cloud.read(|account| account.dynamodb.tables.is_empty()) && !store.is_there();
    if is_unused {
        return Ok(());
    }
    let held = store.tables()?;
    cloud.write(|account| {
        for orphan in held.iter().filter(|name| !account.dynamodb.tables.contains_key(*name)) {
            store.forget(orphan)?;
        }
        account.dynamodb.tables.retain(|name, _| held.contains(name));
        Ok(())
    })
}

#[cfg(test)]
mod tests;
