//! The CloudFormation resource types of DynamoDB.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::store::{Refusal, Store};
use super::table::{Declared, listed};
use super::{arn, localized};
use crate::cloud::Account;
use crate::cloudformation::resource::{Change, Context, Kind, Properties, Provisioned, Refused, ResourceType};
use crate::iam::policy::Policy;
use crate::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&Table];

struct Table;

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        refusal.fault.into()
    }
}

impl Kind for Table {
    const TYPE: &'static str = "AWS::DynamoDB::Table";
    const SCHEMA: &'static str = include_str!("table.schema.json");
    const SERVICE: &'static str = "DynamoDb";
    type Properties = Declared;

    fn exists(account: &Account, properties: &Properties) -> bool {
        let name = properties.get("TableName").and_then(Value::as_str);
        name.is_some_and(|name| account.dynamodb.tables.contains_key(name))
    }

    fn create(account: &mut Account, context: &Context, new: Declared) -> Result<Provisioned, Refused> {
        check(&new)?;
        let name = new.table_name.clone().unwrap_or_else(|| context.physical_name(255));
        super::create(account, &context.store, new.creation(&name, &context.tags_with(&new.tags)))?;
        let settled = new.expire(&context.store, &name);
        if let Err(refusal) = settled {
            context.store.forget(&name)?;
            account.dynamodb.tables.remove(&name);
            return Err(refusal.into());
        }
        provisioned(account, &context.store, &name, &new)
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Declared>,
    ) -> Result<Provisioned, Refused> {
        check(&new)?;
        new.settle(&context.store, physical_id)?;
        tag(&context.store, &arn(account, physical_id), &context.tags_with(&new.tags))?;
        provisioned(account, &context.store, physical_id, &new)
    }

    fn delete(account: &mut Account, context: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        if account.dynamodb.tables.contains_key(physical_id) {
            super::delete(account, &context.store, physical_id)?;
        }
        Ok(())
    }
}

fn check(new: &Declared) -> Result<(), Fault> {
    new.check()?;
    new.policy().map_or(Ok(()), |policy| Policy::parse_resource(&policy).map(drop))
}

/// Takes over what only the account knows, and tells the attributes.
fn provisioned(account: &mut Account, store: &Store, name: &str, new: &Declared) -> Result<Provisioned, Refused> {
    if let Some(table) = account.dynamodb.tables.get_mut(name) {
        table.recovery_days = new.recovery_days();
        table.policy = new.policy();
    }
    let mut described = store.run("DescribeTable", json!({ "TableName": name }))?;
    localized(account, &mut described);
    let table = Provisioned::named(name).with("Arn", arn(account, name));
    let stream = described["Table"]
        .get("LatestStreamArn")
        .filter(|_| described["Table"]["StreamSpecification"]["StreamEnabled"] == true);
    Ok(match stream {
        Some(stream) => table.with("StreamArn", stream.clone()),
        None => table,
    })
}

/// Makes the tags of a table these.
fn tag(store: &Store, arn: &str, wanted: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let held = store.run("ListTagsOfResource", json!({ "ResourceArn": arn }))?;
    let held = held["Tags"].as_array().into_iter().flatten().filter_map(|tag| tag["Key"].as_str());
    let surplus: Vec<&str> = held.filter(|key| !wanted.contains_key(*key)).collect();
    if !surplus.is_empty() {
        store.run("UntagResource", json!({ "ResourceArn": arn, "TagKeys": surplus }))?;
    }
    if !wanted.is_empty() {
        store.run("TagResource", json!({ "ResourceArn": arn, "Tags": listed(wanted) }))?;
    }
    Ok(())
}
