//! The CloudFormation resource types of ECR.

use crate::cloud::Account;
use crate::cloudformation::resource::{Change, Context, Kind, Properties, Provisioned, Refused, ResourceType, text};
use crate::iam::policy::Policy;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&RepositoryType];

struct RepositoryType;

impl Kind for RepositoryType {
    const TYPE: &'static str = "AWS::ECR::Repository";
    const SCHEMA: &'static str = include_str!("repository.schema.json");
    const SERVICE: &'static str = "Ecr";
    type Properties = Properties;

    fn exists(account: &Account, properties: &Properties) -> bool {
        text(properties, "RepositoryName").is_some_and(|name| account.ecr.names.contains(name))
    }

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let named = text(&new, "RepositoryName").map(str::to_owned);
        let name = named.unwrap_or_else(|| context.physical_name(256).to_ascii_lowercase());
        check_policy(&new)?;
        if !account.ecr.names.insert(name.clone()) {
            return Err(Refused::Handler(format!("{name} already exists")));
        }
        Ok(provisioned(account, &name))
    }

    fn update(
        account: &mut Account,
        _: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        check_policy(&new)?;
        Ok(provisioned(account, physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        account.ecr.names.remove(physical_id);
        Ok(())
    }
}

/// The policy of a repository is on the repository itself: it names no resource.
fn check_policy(properties: &Properties) -> Result<(), Refused> {
    match properties.get("RepositoryPolicyText") {
        Some(policy) if policy.is_object() => Ok(Policy::parse_trust(policy).map(drop)?),
        _ => Ok(()),
    }
}

fn provisioned(account: &Account, name: &str) -> Provisioned {
    let Account { id, region, .. } = account;
    Provisioned::named(name)
        .with("Arn", format!("arn:aws:ecr:{region}:{id}:repository/{name}"))
        .with("RepositoryUri", format!("{id}.dkr.ecr.{region}.amazonaws.com/{name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TYPE: &dyn ResourceType = &RepositoryType;

    fn properties(value: &Value) -> Properties {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_name_is_given_once() {
        let (mut account, context) = (Account::new("us-east-1"), Context::sample("Images"));
        let named = properties(&json!({ "RepositoryName": "team/images" }));
        let made = TYPE.create(&mut account, &context, &named).expect("the name is free");
        assert_eq!(made.attributes["Arn"], "arn:aws:ecr:us-east-1:000000000000:repository/team/images");
        assert_eq!(made.attributes["RepositoryUri"], "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/images");
        assert!(TYPE.exists(&account, &named));
        TYPE.create(&mut account, &context, &named).expect_err("the name is taken");
        TYPE.delete(&mut account, &context, &made.physical_id, &named).expect("it is there");
        assert!(!TYPE.exists(&account, &named));
        let unnamed = TYPE.create(&mut account, &context, &Properties::new()).expect("it gets a name");
        assert_eq!(unnamed.physical_id, unnamed.physical_id.to_ascii_lowercase());
    }

    #[test]
    fn a_policy_names_who_and_no_resource() {
        let (mut account, context) = (Account::new("us-east-1"), Context::sample("Images"));
        let statement = json!({ "Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*" });
        let policy = json!({ "RepositoryPolicyText": { "Version": "2012-10-17", "Statement": [statement] } });
        TYPE.create(&mut account, &context, &properties(&policy)).expect_err("it names nobody");
    }
}
