//! The CloudFormation resource types of Secrets Manager.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::password::Wish;
use super::{CURRENT, Making, Sealed, arn, find, find_mut, fresh_id, invalid, sealed};
use crate::cloud::Account;
use crate::cloudformation::resource::{Change, Context, Kind, Properties, Provisioned, Refused, ResourceType, Tags};
use crate::iam::policy::Policy;
use crate::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&SecretType, &PolicyType];

struct SecretType;
struct PolicyType;

/// The properties of `AWS::SecretsManager::Secret`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Declared {
    name: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<String>,
    generate_secret_string: Option<Generated>,
    replica_regions: Option<Value>,
    tags: Tags,
}

/// How a secret is generated: alone, or as one member of a JSON object.
#[derive(Debug, PartialEq, Deserialize)]
struct Generated {
    #[serde(flatten)]
    wish: Wish,
    #[serde(rename = "SecretStringTemplate")]
    template: Option<String>,
    #[serde(rename = "GenerateStringKey")]
    key: Option<String>,
}

impl Generated {
    fn value(&self) -> Result<String, Fault> {
        let password = self.wish.password()?;
        let (template, key) = match (&self.template, &self.key) {
            (None, None) => return Ok(password),
            (Some(template), Some(key)) => (template, key),
            _ => return Err(invalid("You must specify both SecretStringTemplate and GenerateStringKey, or neither.")),
        };
        let mut members: Map<String, Value> = serde_json::from_str(template)
            .map_err(|_| invalid("Could not parse SecretStringTemplate JSON: it is not an object."))?;
        members.insert(key.clone(), password.into());
        Ok(Value::Object(members).to_string())
    }
}

impl Declared {
    fn check(&self) -> Result<(), Fault> {
        if self.secret_string.is_some() && self.generate_secret_string.is_some() {
            return Err(invalid("You can't specify both SecretString and GenerateSecretString."));
        }
        if self.replica_regions.as_ref().is_some_and(|regions| *regions != Value::Array(Vec::new())) {
            return Err(invalid("the embedded cloud has one region: ReplicaRegions is not offered"));
        }
        Ok(())
    }

    /// The value to begin with, if there is one.
    fn value(&self) -> Result<Option<Sealed>, Fault> {
        let generated = self.generate_secret_string.as_ref().map(Generated::value).transpose()?;
        sealed(generated.or_else(|| self.secret_string.clone()), None)
    }
}

impl Kind for SecretType {
    const TYPE: &'static str = "AWS::SecretsManager::Secret";
    const SCHEMA: &'static str = include_str!("secret.schema.json");
    const SERVICE: &'static str = "SecretsManager";
    type Properties = Declared;

    fn create(account: &mut Account, context: &Context, new: Declared) -> Result<Provisioned, Refused> {
        new.check()?;
        let value = new.value()?;
        let name = new.name.unwrap_or_else(|| context.short_name());
        let making = Making {
            name: name.clone(),
            description: new.description,
            kms_key_id: new.kms_key_id,
            tags: context.tags_with(&new.tags),
        };
        let secret = super::create(account, making, context.now)?;
        if let Some(value) = value {
            secret.put(fresh_id(), value, [CURRENT.to_owned()].into(), context.now)?;
        }
        provisioned(account, context, &name)
    }

    /// A new value comes with a change of what makes it, and only then.
    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { old, new }: Change<Declared>,
    ) -> Result<Provisioned, Refused> {
        new.check()?;
        let is_new = old.secret_string != new.secret_string || old.generate_secret_string != new.generate_secret_string;
        let value = if is_new { new.value()? } else { None };
        let secret = find_mut(account, physical_id, context.now)?;
        if let Some(value) = value {
            secret.put(fresh_id(), value, [CURRENT.to_owned()].into(), context.now)?;
        }
        secret.description = new.description;
        secret.kms_key_id = new.kms_key_id;
        secret.tags = context.tags_with(&new.tags);
        provisioned(account, context, physical_id)
    }

    /// As with CloudFormation, the name is free at once.
    fn delete(account: &mut Account, context: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        let name = find(account, physical_id, context.now).map(|(name, _)| name.clone());
        if let Ok(name) = name {
            account.secretsmanager.secrets.remove(&name);
        }
        Ok(())
    }
}

fn provisioned(account: &Account, context: &Context, id: &str) -> Result<Provisioned, Refused> {
    let (name, secret) = find(account, id, context.now)?;
    let arn = arn(account, name, secret);
    Ok(Provisioned::named(&arn).with("Id", arn))
}

/// The properties of `AWS::SecretsManager::ResourcePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attached {
    secret_id: String,
    resource_policy: Value,
}

impl Kind for PolicyType {
    const TYPE: &'static str = "AWS::SecretsManager::ResourcePolicy";
    const SCHEMA: &'static str = include_str!("resource_policy.schema.json");
    const SERVICE: &'static str = "SecretsManager";
    type Properties = Attached;

    fn create(account: &mut Account, context: &Context, new: Attached) -> Result<Provisioned, Refused> {
        attach(account, context, new)
    }

    fn update(
        account: &mut Account,
        context: &Context,
        _physical_id: &str,
        Change { new, .. }: Change<Attached>,
    ) -> Result<Provisioned, Refused> {
        attach(account, context, new)
    }

    fn delete(account: &mut Account, context: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        if let Ok(secret) = find_mut(account, physical_id, context.now) {
            secret.policy = None;
        }
        Ok(())
    }
}

fn attach(account: &mut Account, context: &Context, new: Attached) -> Result<Provisioned, Refused> {
    Policy::parse_resource(&new.resource_policy)
        .map_err(|fault| Fault::new("MalformedPolicyDocumentException", fault.message))?;
    find_mut(account, &new.secret_id, context.now)?.policy = Some(new.resource_policy);
    let arn = provisioned(account, context, &new.secret_id)?.physical_id;
    Ok(Provisioned::named(&arn).with("Id", arn))
}
