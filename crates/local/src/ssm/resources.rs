//! The CloudFormation resource types of Systems Manager.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Setting;
use crate::cloud::Account;
use crate::cloudformation::resource::{Change, Context, Kind, Properties, Provisioned, Refused, ResourceType};

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&ParameterType];

struct ParameterType;

/// The properties of `AWS::SSM::Parameter`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Declared {
    #[serde(flatten)]
    setting: Setting,
    #[serde(rename = "Tags")]
    tags: BTreeMap<String, String>,
}

impl Kind for ParameterType {
    const TYPE: &'static str = "AWS::SSM::Parameter";
    const SCHEMA: &'static str = include_str!("parameter.schema.json");
    const SERVICE: &'static str = "Ssm";
    type Properties = Declared;

    fn exists(account: &Account, properties: &Properties) -> bool {
        properties.get("Name").and_then(Value::as_str).is_some_and(|name| account.ssm.get(name).is_some())
    }

    fn create(account: &mut Account, context: &Context, mut new: Declared) -> Result<Provisioned, Refused> {
        if new.setting.name.is_empty() {
            // A made-up name must be legal for a parameter, which a stack called `aws-...` would not give.
            new.setting.name = format!("CFN-{}", context.physical_name(512));
        }
        set(account, context, new)
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { mut new, .. }: Change<Declared>,
    ) -> Result<Provisioned, Refused> {
        physical_id.clone_into(&mut new.setting.name);
        new.setting.overwrite = true;
        set(account, context, new)
    }

    fn delete(account: &mut Account, _context: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        account.ssm.parameters.remove(physical_id);
        Ok(())
    }
}

/// `Fn::GetAtt` reads type and value from the properties, where a dynamic reference is still one.
fn set(account: &mut Account, context: &Context, declared: Declared) -> Result<Provisioned, Refused> {
    let name = declared.setting.name.clone();
    account.ssm.set(declared.setting, context.now)?;
    if let Some(parameter) = account.ssm.parameters.get_mut(&name) {
        parameter.tags = context.tags.clone().into_iter().chain(declared.tags).collect();
    }
    Ok(Provisioned::named(name))
}
