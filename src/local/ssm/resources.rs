//! The CloudFormation resource types of Systems Manager.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Setting;
use crate::local::cloud::Account;
use crate::local::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};
use crate::local::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&ParameterType];

struct ParameterType;

fn refused(fault: Fault) -> Failure {
    Failure(format!("{} (Service: Ssm, Status Code: {})", fault.message, fault.status.as_u16()))
}

impl ResourceType for ParameterType {
    fn name(&self) -> &'static str {
        "AWS::SSM::Parameter"
    }

    fn schema(&self) -> &'static str {
        include_str!("parameter.schema.json")
    }

    fn exists(&self, account: &Account, properties: &Properties) -> bool {
        properties.get("Name").and_then(Value::as_str).is_some_and(|name| account.ssm.get(name).is_some())
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let named = properties.get("Name").and_then(Value::as_str).map(str::to_owned);
        // A made-up name must be legal for a parameter, which a stack called `aws-...` would not give.
        let name = named.unwrap_or_else(|| format!("CFN-{}", context.physical_name(512)));
        set(account, context, &name, properties, Existing::Refuse)
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        set(account, context, physical_id, new, Existing::Overwrite)
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _properties: &Properties,
    ) -> Result<(), Failure> {
        account.ssm.parameters.remove(physical_id);
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Refuse,
    Overwrite,
}

fn set(
    account: &mut Account,
    context: &Context,
    name: &str,
    properties: &Properties,
    existing: Existing,
) -> Result<Provisioned, Failure> {
    let mut setting: Setting =
        serde_json::from_value(Value::Object(properties.clone())).map_err(|error| Failure(error.to_string()))?;
    name.clone_into(&mut setting.name);
    setting.overwrite = existing == Existing::Overwrite;
    let attributes = [("Type", json!(setting.kind)), ("Value", json!(setting.value))];
    account.ssm.set(setting, context.now).map_err(refused)?;
    if let Some(parameter) = account.ssm.parameters.get_mut(name) {
        let own: BTreeMap<String, String> =
            properties.get("Tags").cloned().and_then(|tags| serde_json::from_value(tags).ok()).unwrap_or_default();
        parameter.tags = context.tags.clone().into_iter().chain(own).collect();
    }
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into();
    Ok(Provisioned { physical_id: name.to_owned(), attributes })
}
