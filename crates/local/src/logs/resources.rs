//! The CloudFormation resource types of CloudWatch Logs.

use serde_json::json;

use super::LogGroup;
use crate::cloud::Account;
use crate::cloudformation::resource::{
    Change, Context, Kind, Properties, Provisioned, Refused, ResourceType, Tags, text,
};

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&LogGroupType];

struct LogGroupType;

impl Kind for LogGroupType {
    const TYPE: &'static str = "AWS::Logs::LogGroup";
    const SCHEMA: &'static str = include_str!("log_group.schema.json");
    const SERVICE: &'static str = "CloudWatchLogs";
    type Properties = Properties;

    fn exists(account: &Account, properties: &Properties) -> bool {
        text(properties, "LogGroupName").is_some_and(|name| account.logs.group(name).is_ok())
    }

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let name = text(&new, "LogGroupName").map_or_else(|| context.physical_name(512), str::to_owned);
        if account.logs.groups.contains_key(&name) {
            let identifier = json!({ "/properties/LogGroupName": name });
            return Err(Refused::Handler(format!(
                "Resource of type 'AWS::Logs::LogGroup' with identifier '{identifier}' already exists."
            )));
        }
        account.logs.create(&name, context.now)?;
        configure(account, context, &name, &new)
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        configure(account, context, physical_id, &new)
    }

    /// Its events are swept at the next start; nothing refers to them any more.
    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        account.logs.groups.remove(physical_id);
        Ok(())
    }
}

fn configure(
    account: &mut Account,
    context: &Context,
    name: &str,
    properties: &Properties,
) -> Result<Provisioned, Refused> {
    let group = account.logs.group_mut(name)?;
    group.retention = None;
    let days = properties.get("RetentionInDays");
    if let Some(days) = days.and_then(|days| days.as_u64().or_else(|| days.as_str()?.parse().ok())) {
        group.retain(u32::try_from(days).unwrap_or(u32::MAX))?;
    }
    group.class = text(properties, "LogGroupClass").unwrap_or("STANDARD").to_owned();
    group.kms_key = text(properties, "KmsKeyId").map(str::to_owned);
    group.tags = context.tags_with(&Tags::of(properties));
    let arn = format!("{}:*", LogGroup::arn(account, name));
    Ok(Provisioned::named(name).with("Arn", arn))
}
