//! The CloudFormation resource types of CloudWatch Logs.

use serde_json::{Value, json};

use super::LogGroup;
use crate::local::cloud::Account;
use crate::local::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};
use crate::local::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&LogGroupType];

struct LogGroupType;

fn refused(fault: Fault) -> Failure {
    Failure(format!("{} (Service: CloudWatchLogs, Status Code: {})", fault.message, fault.status.as_u16()))
}

impl ResourceType for LogGroupType {
    fn name(&self) -> &'static str {
        "AWS::Logs::LogGroup"
    }

    fn schema(&self) -> &'static str {
        include_str!("log_group.schema.json")
    }

    fn exists(&self, account: &Account, properties: &Properties) -> bool {
        properties.get("LogGroupName").and_then(Value::as_str).is_some_and(|name| account.logs.group(name).is_ok())
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let named = properties.get("LogGroupName").and_then(Value::as_str).map(str::to_owned);
        let name = named.unwrap_or_else(|| context.physical_name(512));
        if account.logs.groups.contains_key(&name) {
            let identifier = json!({ "/properties/LogGroupName": name });
            return Err(Failure(format!(
                "Resource of type 'AWS::Logs::LogGroup' with identifier '{identifier}' already exists."
            )));
        }
        account.logs.create(&name, context.now).map_err(refused)?;
        configure(account, context, &name, properties)
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        configure(account, context, physical_id, new)
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _properties: &Properties,
    ) -> Result<(), Failure> {
        // Its events are swept at the next start; nothing refers to them any more.
        account.logs.groups.remove(physical_id);
        Ok(())
    }
}

fn configure(
    account: &mut Account,
    context: &Context,
    name: &str,
    properties: &Properties,
) -> Result<Provisioned, Failure> {
    let group = account.logs.group_mut(name).map_err(refused)?;
    group.retention = None;
    let days = properties.get("RetentionInDays");
    if let Some(days) = days.and_then(|days| days.as_u64().or_else(|| days.as_str()?.parse().ok())) {
        group.retain(u32::try_from(days).unwrap_or(u32::MAX)).map_err(refused)?;
    }
    let text = |name: &str| properties.get(name).and_then(Value::as_str).map(str::to_owned);
    group.class = text("LogGroupClass").unwrap_or_else(|| "STANDARD".to_owned());
    group.kms_key = text("KmsKeyId");
    let own = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let pair = |tag: &Value| Some((tag.get("Key")?.as_str()?.to_owned(), tag.get("Value")?.as_str()?.to_owned()));
    group.tags = context.tags.clone().into_iter().chain(own.filter_map(pair)).collect();
    let arn = format!("{}:*", LogGroup::arn(account, name));
    Ok(Provisioned { physical_id: name.to_owned(), attributes: [("Arn".to_owned(), json!(arn))].into() })
}
