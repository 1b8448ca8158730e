//! The wire face of DynamoDB and its streams, JSON 1.0.

use http::StatusCode;
use serde_json::{Map, Value, json};
use time::Duration;

use super::store::OPERATIONS;
use super::table::RECOVERY_DAYS;
use super::{Refusal, Table, delocalized, localized, table_of, text};
use crate::cloud::{Account, Cloud};
use crate::iam::policy::Policy;
use crate::signature::sha256_hex;
use crate::wire::{self, Fault, Request, Response};

/// Answers one request, beside the other tasks: a scan may take its time.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    let answering = tokio::task::spawn_blocking(move || answer(&cloud, &request)).await;
    let outcome = answering.unwrap_or_else(|error| {
        let message = "the local cloud failed on this request; its log says more";
        tracing::error!(%error, "DynamoDB");
        Err(Fault::new("InternalServerError", message).with_status(StatusCode::INTERNAL_SERVER_ERROR).into())
    });
    match outcome {
        Ok(answer) => wire::text(StatusCode::OK, JSON, answer.to_string()),
        Err(Refusal { fault, body }) => wire::text(fault.status, JSON, body.to_string()),
    }
}

const JSON: &str = "application/x-amz-json-1.0";

/// Operations whose answers hold ARNs. Those about items hold the user's own text, which stays as it is.
const WITH_ARNS: &[&str] =
    &["CreateTable", "DeleteTable", "DescribeStream", "DescribeTable", "ListStreams", "UpdateTable"];

fn answer(cloud: &Cloud, request: &Request) -> Result<Value, Refusal> {
    let operation = request.operation().unwrap_or_default();
    let mut input: Value = request.json().map_err(|_| unreadable())?;
    cloud.read(|account| named(account, &mut input))?;
    let stream = text(&input, "StreamArn").to_owned();
    for member in ["ShardId", "ExclusiveStartShardId"] {
        if input.get(member).is_some_and(|shard| *shard == shard_of(&stream)) {
            input[member] = held_shard_of(&stream).into();
        }
    }
    let mut answer = perform(cloud, operation, input)?;
    let shards = answer.pointer_mut("/StreamDescription/Shards").and_then(Value::as_array_mut);
    for shard in shards.into_iter().flatten() {
        shard["ShardId"] = shard_of(&stream).into();
    }
    if WITH_ARNS.contains(&operation) {
        cloud.read(|account| localized(account, &mut answer));
    }
    Ok(answer)
}

/// The one shard of a stream, by a name as long as clients expect.
fn shard_of(stream: &str) -> String {
    let mark: String = sha256_hex(stream.as_bytes()).chars().take(8).collect();
    format!("shardId-{:020}-{mark}", 1)
}

/// What the database calls it.
fn held_shard_of(stream: &str) -> String {
    let table = stream.split("table/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    format!("shardId-00000001-{table}")
}

fn unreadable() -> Refusal {
    let fault = Fault::new("SerializationException", "");
    Refusal { fault, body: json!({ "__type": "com.amazon.coral.service#SerializationException" }) }
}

fn perform(cloud: &Cloud, operation: &str, input: Value) -> Result<Value, Refusal> {
    let store = cloud.store();
    match operation {
        "CreateTable" => cloud.write(|account| super::create(account, store, input)),
        "DeleteTable" => cloud.write(|account| super::delete(account, store, text(&input, "TableName"))),
        "UpdateTable" => {
            one_index(&input)?;
            store.run(operation, input)
        }
        "DescribeContinuousBackups" => cloud.read(|account| backups(cloud, account, &input)),
        "UpdateContinuousBackups" => cloud.write(|account| update_backups(cloud, account, &input)),
        "GetResourcePolicy" => cloud.read(|account| policy(account, &input)),
        "PutResourcePolicy" => cloud.write(|account| put_policy(account, &input)),
        "DeleteResourcePolicy" => cloud.write(|account| {
            table_mut(account, text(&input, "ResourceArn"))?.policy = None;
            Ok(json!({}))
        }),
        "DescribeLimits" => Ok(json!({
            "AccountMaxReadCapacityUnits": 80_000, "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000, "TableMaxWriteCapacityUnits": 40_000,
        })),
        "DescribeEndpoints" => {
            let address = cloud.endpoint().trim_start_matches("http://");
            Ok(json!({ "Endpoints": [{ "Address": address, "CachePeriodInMinutes": 1440 }] }))
        }
        known if OPERATIONS.contains(&known) => store.run(known, input),
        other => Err(Fault::unknown_operation("dynamodb", other).into()),
    }
}

/// Members that name a stream by its ARN.
const STREAMS: &[&str] = &["StreamArn", "ExclusiveStartStreamArn"];

/// Brings every way of naming a table to the one that the database knows.
fn named(account: &Account, input: &mut Value) -> Result<(), Refusal> {
    rename(account, input, "TableName")?;
    if let Some(Value::String(arn)) = input.get("ResourceArn") {
        name_of(account, arn)?;
    }
    for member in STREAMS {
        let Some(stream) = input.get_mut(*member) else { continue };
        let arn = stream.as_str().unwrap_or_default();
        table_of(account, arn).ok_or_else(|| no_resource(arn))?;
        delocalized(account, stream);
    }
    if let Some(Value::Object(tables)) = input.get_mut("RequestItems") {
        let given = std::mem::take(tables).into_iter();
        *tables = given.map(|(table, items)| Ok((name_of(account, &table)?, items))).collect::<Result<_, Refusal>>()?;
    }
    let items = input.get_mut("TransactItems").and_then(Value::as_array_mut).into_iter().flatten();
    let mut kinds = items.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    kinds.try_for_each(|kind| rename(account, kind, "TableName"))
}

/// Puts the name of a table into the place of its ARN.
fn rename(account: &Account, input: &mut Value, member: &str) -> Result<(), Refusal> {
    if let Some(Value::String(given)) = input.get_mut(member) {
        *given = name_of(account, given)?;
    }
    Ok(())
}

/// The name of a table, given as that or as an ARN of this account. What lies within the table, such as an index, does not
/// stand for it: a role may be granted one without the other.
fn name_of(account: &Account, given: &str) -> Result<String, Refusal> {
    if !given.starts_with("arn:") {
        return Ok(given.to_owned());
    }
    let table = table_of(account, given).filter(|table| given.ends_with(&format!(":table/{table}")));
    table.map(str::to_owned).ok_or_else(|| no_resource(given))
}

fn no_resource(arn: &str) -> Refusal {
    not_found(format!("Requested resource not found: ResourceArn: {arn} not found"))
}

fn not_found(message: String) -> Refusal {
    Fault::new("ResourceNotFoundException", message).into()
}

/// DynamoDB makes or removes one index at a time.
fn one_index(input: &Value) -> Result<(), Fault> {
    let updates = input.get("GlobalSecondaryIndexUpdates").and_then(Value::as_array);
    let online = updates.into_iter().flatten().filter(|update| update.get("Update").is_none());
    if online.count() < 2 {
        return Ok(());
    }
    Err(Fault::new(
        "LimitExceededException",
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    ))
}

fn table<'a>(account: &'a Account, name: &str) -> Result<&'a Table, Refusal> {
    account.dynamodb.tables.get(name).ok_or_else(|| not_found(format!("Table not found: {name}")))
}

/// The table of an ARN as the database tells it.
fn table_mut<'a>(account: &'a mut Account, arn: &str) -> Result<&'a mut Table, Refusal> {
    let name = arn.split("table/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(arn).to_owned();
    let missing = || not_found(format!("Requested resource not found: ResourceArn: {name} not found"));
    account.dynamodb.tables.get_mut(&name).ok_or_else(missing)
}

fn backups(cloud: &Cloud, account: &Account, input: &Value) -> Result<Value, Refusal> {
    let table = table(account, text(input, "TableName"))?;
    let recovery = match table.recovery_days {
        None => json!({ "PointInTimeRecoveryStatus": "DISABLED" }),
        Some(days) => {
            let now = cloud.now();
            let earliest = now - Duration::days(i64::from(days));
            json!({
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": days,
                "EarliestRestorableDateTime": earliest.unix_timestamp(),
                "LatestRestorableDateTime": now.unix_timestamp(),
            })
        }
    };
    Ok(json!({ "ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery,
    } }))
}

fn update_backups(cloud: &Cloud, account: &mut Account, input: &Value) -> Result<Value, Refusal> {
    let name = text(input, "TableName");
    table(account, name)?;
    let wanted = &input["PointInTimeRecoverySpecification"];
    let days = wanted["RecoveryPeriodInDays"].as_u64().and_then(|days| u32::try_from(days).ok());
    let is_on = wanted["PointInTimeRecoveryEnabled"] == true;
    if let Some(table) = account.dynamodb.tables.get_mut(name) {
        table.recovery_days = is_on.then(|| days.unwrap_or(RECOVERY_DAYS));
    }
    backups(cloud, account, input)
}

fn policy(account: &Account, input: &Value) -> Result<Value, Refusal> {
    let arn = text(input, "ResourceArn");
    let name = arn.split("table/").nth(1).unwrap_or(arn);
    let policy = table(account, name)?.policy.as_ref().ok_or_else(|| {
        let message = format!("Resource-based policy not found for the provided ResourceArn: {arn}");
        Refusal::from(Fault::new("PolicyNotFoundException", message))
    })?;
    Ok(json!({ "Policy": policy.to_string(), "RevisionId": revision(policy) }))
}

fn put_policy(account: &mut Account, input: &Value) -> Result<Value, Refusal> {
    let invalid = |message: String| Fault::new("ValidationException", message);
    let document: Value =
        serde_json::from_str(text(input, "Policy")).map_err(|error| invalid(format!("Invalid policy: {error}")))?;
    Policy::parse_resource(&document).map_err(|fault| invalid(fault.message))?;
    let revision = revision(&document);
    table_mut(account, text(input, "ResourceArn"))?.policy = Some(document);
    Ok(json!({ "RevisionId": revision }))
}

/// Tells one policy from another.
fn revision(policy: &Value) -> String {
    sha256_hex(policy.to_string().as_bytes()).chars().take(16).collect()
}
