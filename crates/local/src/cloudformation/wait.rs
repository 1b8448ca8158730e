//! `AWS::CloudFormation::WaitConditionHandle` and `WaitCondition`: a stack that waits until somebody tells it to go on.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-waitcondition.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::cloud::{Account, Cloud};
use crate::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};
use crate::wire::{Fault, Response, rest_json_answer};

/// Path under which a handle is told something.
pub(crate) const PATH: &str = "/_aws/cloudformation/signal/";

/// The most signals that a handle keeps; AWS takes as many as a condition counts, and data of 4,096 bytes together.
const MOST_SIGNALS: usize = 1_000;

/// What the handles of an account were told, by the last part of their URL.
pub(super) type Signals = BTreeMap<String, BTreeMap<String, Signal>>;

/// What a handle was told once.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(super) struct Signal {
    status: String,
    unique_id: String,
    data: String,
    reason: String,
}

/// Takes a signal: `PUT` to a handle's URL, which nobody can guess.
pub(crate) fn signal(cloud: &Cloud, handle: &str, body: &[u8]) -> Response {
    let refuse = |message: &str| Fault::new("InvalidRequest", message.to_owned());
    let Ok(signal) = serde_json::from_slice::<Signal>(body) else {
        return refuse("a signal is JSON with Status, UniqueId, Data and Reason").into_rest_json();
    };
    if !matches!(signal.status.as_str(), "SUCCESS" | "FAILURE") {
        return refuse("Status is SUCCESS or FAILURE").into_rest_json();
    }
    rest_json_answer(cloud.write(|account| {
        let known = account.cloudformation.signals.get_mut(handle);
        let known = known.ok_or_else(|| Fault::new("NotFound", "no such handle"))?;
        if known.len() >= MOST_SIGNALS {
            return Err(refuse("the handle was told enough"));
        }
        known.insert(signal.unique_id.clone(), signal);
        Ok(json!({}))
    }))
}

/// Whether a condition that was begun at some time is still open: neither told enough, nor timed out.
pub(super) fn is_open(account: &Account, properties: &Properties, begun: OffsetDateTime, now: OffsetDateTime) -> bool {
    let signals = told(account, properties);
    let failed = signals.is_some_and(|signals| signals.values().any(|signal| signal.status == "FAILURE"));
    let received = signals.map_or(0, BTreeMap::len);
    !failed && received < count(properties) && now < begun + timeout(properties)
}

fn told<'a>(account: &'a Account, properties: &Properties) -> Option<&'a BTreeMap<String, Signal>> {
    account.cloudformation.signals.get(handle_id(properties.get("Handle")?.as_str()?))
}

/// The last part of a handle's URL.
fn handle_id(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

fn count(properties: &Properties) -> usize {
    let count = properties.get("Count").and_then(number).unwrap_or(1);
    usize::try_from(count).unwrap_or_default()
}

/// In seconds; twelve hours at most.
fn timeout(properties: &Properties) -> Duration {
    Duration::seconds(properties.get("Timeout").and_then(number).unwrap_or_default().clamp(0, 43_200))
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// What a condition waits for, and a resource that does nothing where no condition waits for it.
pub(super) struct WaitConditionHandle;

impl ResourceType for WaitConditionHandle {
    fn name(&self) -> &'static str {
        "AWS::CloudFormation::WaitConditionHandle"
    }

    fn schema(&self) -> &'static str {
        r#"{
            "typeName": "AWS::CloudFormation::WaitConditionHandle",
            "properties": { "Id": { "type": "string" } },
            "additionalProperties": false,
            "readOnlyProperties": ["/properties/Id"],
            "primaryIdentifier": ["/properties/Id"]
        }"#
    }

    fn create(&self, account: &mut Account, context: &Context, _: &Properties) -> Result<Provisioned, Failure> {
        let id = Uuid::new_v4().to_string();
        let physical_id = format!("{}{PATH}{id}", context.endpoint);
        account.cloudformation.signals.insert(id, BTreeMap::new());
        Ok(Provisioned { physical_id, attributes: BTreeMap::new() })
    }

    fn update(
        &self,
        _: &mut Account,
        _: &Context,
        physical_id: &str,
        _: &Properties,
        _: &Properties,
    ) -> Result<Provisioned, Failure> {
        Ok(Provisioned { physical_id: physical_id.to_owned(), attributes: BTreeMap::new() })
    }

    fn delete(&self, account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Failure> {
        account.cloudformation.signals.remove(handle_id(physical_id));
        Ok(())
    }
}

/// A resource that is there once its handle was told so often enough. The engine makes it no sooner.
pub(super) struct WaitCondition;

/// Its type.
pub(super) const WAIT_CONDITION: &str = "AWS::CloudFormation::WaitCondition";

impl ResourceType for WaitCondition {
    fn name(&self) -> &'static str {
        WAIT_CONDITION
    }

    fn schema(&self) -> &'static str {
        r#"{
            "typeName": "AWS::CloudFormation::WaitCondition",
            "properties": {
                "Id": { "type": "string" },
                "Handle": { "type": "string" },
                "Timeout": { "type": "string" },
                "Count": { "type": "integer" },
                "Data": { "type": "object" }
            },
            "additionalProperties": false,
            "readOnlyProperties": ["/properties/Id", "/properties/Data"],
            "primaryIdentifier": ["/properties/Id"]
        }"#
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let signals = told(account, properties).cloned().unwrap_or_default();
        if let Some(failed) = signals.values().find(|signal| signal.status == "FAILURE") {
            let (reason, id) = (&failed.reason, &failed.unique_id);
            return Err(Failure(format!("WaitCondition received failed message: '{reason}' for uniqueId: {id}")));
        }
        let expected = count(properties);
        if signals.len() < expected {
            let received = signals.len();
            return Err(Failure(format!(
                "WaitCondition timed out. Received {received} conditions when expecting {expected}"
            )));
        }
        let data: BTreeMap<&String, &String> = signals.iter().map(|(id, signal)| (id, &signal.data)).collect();
        let stack = context.stack_id.replacen(":stack/", ":waitcondition/", 1);
        Ok(Provisioned {
            physical_id: format!("{stack}/{}", context.logical_id),
            attributes: BTreeMap::from([("Data".to_owned(), json!(data).to_string().into())]),
        })
    }

    fn update(
        &self,
        _: &mut Account,
        _: &Context,
        _: &str,
        _: &Properties,
        _: &Properties,
    ) -> Result<Provisioned, Failure> {
        Err(Failure("Update to resource type AWS::CloudFormation::WaitCondition is not supported.".to_owned()))
    }

    fn delete(&self, _: &mut Account, _: &Context, _: &str, _: &Properties) -> Result<(), Failure> {
        Ok(())
    }
}
