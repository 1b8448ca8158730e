//! The CloudFormation resource types of IAM.

use std::collections::BTreeMap;

use serde_json::Value;

use super::policy::Policy;
use super::{Naming, Role};
use crate::cloud::Account;
use crate::cloudformation::resource::{
    Change, Context, Kind, Properties, Provisioned, Refused, ResourceType, Tags, text,
};

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&RoleType, &PolicyType, &ManagedPolicyType];

struct RoleType;
struct PolicyType;
struct ManagedPolicyType;

/// What the handlers call this service.
const SERVICE: &str = "Iam";

fn owned(properties: &Properties, name: &str) -> Option<String> {
    text(properties, name).map(str::to_owned)
}

fn texts(properties: &Properties, name: &str) -> Vec<String> {
    let items = properties.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A document given as an object, or as text that holds one.
fn document(properties: &Properties, name: &str) -> Value {
    match properties.get(name) {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        other => other.cloned().unwrap_or_default(),
    }
}

fn naming(context: &Context, properties: &Properties, name: &str, longest: usize) -> Naming {
    Naming {
        name: owned(properties, name).unwrap_or_else(|| context.physical_name(longest)),
        path: owned(properties, "Path"),
        description: owned(properties, "Description"),
    }
}

impl Kind for RoleType {
    const TYPE: &'static str = "AWS::IAM::Role";
    const SCHEMA: &'static str = include_str!("role.schema.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn exists(account: &Account, properties: &Properties) -> bool {
        text(properties, "RoleName").is_some_and(|name| account.iam.roles.contains_key(name))
    }

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let naming = naming(context, &new, "RoleName", 64);
        let name = naming.name.clone();
        account.iam.create_role(naming, document(&new, "AssumeRolePolicyDocument"), context.now)?;
        configure(account, context, &name, &Properties::new(), &new)
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { old, new }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let trust = document(&new, "AssumeRolePolicyDocument");
        Policy::parse_trust(&trust)?;
        let role = account.iam.role_mut(physical_id)?;
        role.trust = trust;
        role.description = owned(&new, "Description");
        configure(account, context, physical_id, &old, &new)
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, last: &Properties) -> Result<(), Refused> {
        let Some(role) = account.iam.roles.get_mut(physical_id) else { return Ok(()) };
        // What the template declared goes with the role; what others added keeps it.
        for arn in texts(last, "ManagedPolicyArns") {
            role.attached.remove(&arn);
        }
        for (name, _) in inline(last) {
            role.inline.remove(&name);
        }
        Ok(account.iam.delete_role(physical_id)?)
    }
}

fn inline(properties: &Properties) -> BTreeMap<String, Value> {
    let policies = properties.get("Policies").and_then(Value::as_array);
    let policy = |policy: &Value| {
        let members = policy.as_object()?;
        Some((owned(members, "PolicyName")?, document(members, "PolicyDocument")))
    };
    policies.into_iter().flatten().filter_map(policy).collect()
}

/// Brings all but the identity of a role from what the old properties said to what the new ones say. What
/// `AWS::IAM::Policy` and others put there stays.
fn configure(
    account: &mut Account,
    context: &Context,
    name: &str,
    old: &Properties,
    new: &Properties,
) -> Result<Provisioned, Refused> {
    let (policies, attached) = (inline(new), texts(new, "ManagedPolicyArns"));
    for (policy, document) in &policies {
        account.iam.put_role_policy(name, policy, document.clone())?;
    }
    for arn in &attached {
        account.iam.attach(name, arn)?;
    }
    let id = account.id.clone();
    let role = account.iam.role_mut(name)?;
    for policy in inline(old).keys().filter(|policy| !policies.contains_key(*policy)) {
        role.inline.remove(policy);
    }
    for arn in texts(old, "ManagedPolicyArns").iter().filter(|arn| !attached.contains(arn)) {
        role.attached.remove(arn);
    }
    role.boundary = owned(new, "PermissionsBoundary");
    role.max_session = seconds(new.get("MaxSessionDuration"));
    role.tags = context.tags_with(&Tags::of(new));
    Ok(provisioned(role, &id))
}

/// A template may write a number as text.
fn seconds(value: Option<&Value>) -> u32 {
    let number = value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    number.and_then(|number| number.try_into().ok()).unwrap_or(3600)
}

fn provisioned(role: &Role, account: &str) -> Provisioned {
    Provisioned::named(&role.name).with("Arn", role.arn(account)).with("RoleId", role.id.clone())
}

impl Kind for PolicyType {
    const TYPE: &'static str = "AWS::IAM::Policy";
    const SCHEMA: &'static str = include_str!("policy.schema.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        put_on_roles(account, &new)?;
        Ok(Provisioned::named(context.physical_name(128)))
    }

    fn update(
        account: &mut Account,
        _: &Context,
        physical_id: &str,
        Change { old, new }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        take_from_roles(account, &old);
        put_on_roles(account, &new)?;
        Ok(Provisioned::named(physical_id))
    }

    fn delete(account: &mut Account, _: &Context, _: &str, last: &Properties) -> Result<(), Refused> {
        take_from_roles(account, last);
        Ok(())
    }
}

fn put_on_roles(account: &mut Account, properties: &Properties) -> Result<(), Refused> {
    only_roles(properties)?;
    let roles = texts(properties, "Roles");
    if roles.is_empty() {
        return Err(Refused::Handler("At least one of [Groups,Roles,Users] must be non-empty.".to_owned()));
    }
    let name = text(properties, "PolicyName").unwrap_or_default();
    let document = document(properties, "PolicyDocument");
    Ok(roles.iter().try_for_each(|role| account.iam.put_role_policy(role, name, document.clone()))?)
}

fn take_from_roles(account: &mut Account, properties: &Properties) {
    let name = text(properties, "PolicyName").unwrap_or_default();
    for role in texts(properties, "Roles") {
        if let Some(role) = account.iam.roles.get_mut(&role) {
            role.inline.remove(name);
        }
    }
}

/// Groups are not part of this cloud, and users are no part of its stacks; a policy that names one must not seem to work.
fn only_roles(properties: &Properties) -> Result<(), Refused> {
    match ["Users", "Groups"].iter().find_map(|kind| texts(properties, kind).into_iter().next()) {
        Some(name) => Err(Refused::Handler(format!(
            "The user or group with name {name} cannot be found: stacks of the local cloud have roles only."
        ))),
        None => Ok(()),
    }
}

impl Kind for ManagedPolicyType {
    const TYPE: &'static str = "AWS::IAM::ManagedPolicy";
    const SCHEMA: &'static str = include_str!("managed_policy.schema.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        only_roles(&new)?;
        let naming = naming(context, &new, "ManagedPolicyName", 128);
        let (id, document) = (account.id.clone(), document(&new, "PolicyDocument"));
        let arn = account.iam.create_policy(&id, naming, document, context.now)?;
        for role in texts(&new, "Roles") {
            account.iam.attach(&role, &arn)?;
        }
        managed(account, &arn)
    }

    fn update(
        account: &mut Account,
        _: &Context,
        physical_id: &str,
        Change { old, new }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        only_roles(&new)?;
        let document = document(&new, "PolicyDocument");
        Policy::parse_identity(&document)?;
        let policy = account.iam.policies.get_mut(physical_id).ok_or_else(|| super::no_policy(physical_id))?;
        if policy.document != document {
            policy.document = document;
            policy.version = policy.version.saturating_add(1);
        }
        detach(account, physical_id, &texts(&old, "Roles"));
        for role in texts(&new, "Roles") {
            account.iam.attach(&role, physical_id)?;
        }
        managed(account, physical_id)
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, last: &Properties) -> Result<(), Refused> {
        detach(account, physical_id, &texts(last, "Roles"));
        if !account.iam.policies.contains_key(physical_id) {
            return Ok(());
        }
        Ok(account.iam.delete_policy(physical_id)?)
    }
}

fn detach(account: &mut Account, arn: &str, roles: &[String]) {
    for role in roles {
        if let Some(role) = account.iam.roles.get_mut(role) {
            role.attached.remove(arn);
        }
    }
}

fn managed(account: &Account, arn: &str) -> Result<Provisioned, Refused> {
    let policy = account.iam.policies.get(arn).ok_or_else(|| super::no_policy(arn))?;
    let uses = account.iam.holders(arn);
    let created = policy.created.unix_timestamp().to_string();
    Ok(Provisioned::named(arn)
        .with("PolicyArn", arn)
        .with("PolicyId", policy.id.clone())
        .with("DefaultVersionId", format!("v{}", policy.version))
        .with("AttachmentCount", uses)
        .with("IsAttachable", true)
        .with("PermissionsBoundaryUsageCount", 0)
        .with("CreateDate", created.clone())
        .with("UpdateDate", created))
}
