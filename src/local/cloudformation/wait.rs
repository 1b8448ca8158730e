//! `AWS::CloudFormation::WaitConditionHandle`: a resource that is nothing but its name.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::local::cloud::Account;
use crate::local::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};

/// A handle without a condition that waits for it, as templates use it for a resource that does nothing.
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

    fn create(&self, _: &mut Account, context: &Context, _: &Properties) -> Result<Provisioned, Failure> {
        let physical_id = format!("{}/{}/{}", context.stack_id, context.logical_id, Uuid::new_v4());
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

    fn delete(&self, _: &mut Account, _: &Context, _: &str, _: &Properties) -> Result<(), Failure> {
        Ok(())
    }
}
