//! The CloudFormation resource types of IAM.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::policy::Policy;
use super::{Naming, Role};
use crate::local::cloud::Account;
use crate::local::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};
use crate::local::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&RoleType, &PolicyType, &ManagedPolicyType];

struct RoleType;
struct PolicyType;
struct ManagedPolicyType;

/// As CloudFormation passes on what a service says.
fn refused(fault: Fault) -> Failure {
    Failure(format!("{} (Service: Iam, Status Code: {})", fault.message, fault.status.as_u16()))
}

fn text(properties: &Properties, name: &str) -> Option<String> {
    properties.get(name).and_then(Value::as_str).map(str::to_owned)
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
        name: text(properties, name).unwrap_or_else(|| context.physical_name(longest)),
        path: text(properties, "Path"),
        description: text(properties, "Description"),
    }
}

impl ResourceType for RoleType {
    fn name(&self) -> &'static str {
        "AWS::IAM::Role"
    }

    fn schema(&self) -> &'static str {
        include_str!("role.schema.json")
    }

    fn exists(&self, account: &Account, properties: &Properties) -> bool {
        properties.get("RoleName").and_then(Value::as_str).is_some_and(|name| account.iam.roles.contains_key(name))
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let naming = naming(context, properties, "RoleName", 64);
        let name = naming.name.clone();
        account
            .iam
            .create_role(naming, document(properties, "AssumeRolePolicyDocument"), context.now)
            .map_err(refused)?;
        configure(account, context, &name, &Properties::new(), properties)
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let trust = document(new, "AssumeRolePolicyDocument");
        Policy::parse_trust(&trust).map_err(refused)?;
        let role = account.iam.role_mut(physical_id).map_err(refused)?;
        role.trust = trust;
        role.description = text(new, "Description");
        configure(account, context, physical_id, old, new)
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        let Some(role) = account.iam.roles.get_mut(physical_id) else { return Ok(()) };
        // What the template declared goes with the role; what others added keeps it.
        for arn in texts(properties, "ManagedPolicyArns") {
            role.attached.remove(&arn);
        }
        for (name, _) in inline(properties) {
            role.inline.remove(&name);
        }
        account.iam.delete_role(physical_id).map_err(refused)
    }
}

fn inline(properties: &Properties) -> BTreeMap<String, Value> {
    let policies = properties.get("Policies").and_then(Value::as_array);
    let policy = |policy: &Value| {
        let members = policy.as_object()?;
        Some((text(members, "PolicyName")?, document(members, "PolicyDocument")))
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
) -> Result<Provisioned, Failure> {
    let (policies, attached) = (inline(new), texts(new, "ManagedPolicyArns"));
    for (policy, document) in &policies {
        account.iam.put_role_policy(name, policy, document.clone()).map_err(refused)?;
    }
    for arn in &attached {
        account.iam.attach(name, arn).map_err(refused)?;
    }
    let id = account.id.clone();
    let role = account.iam.role_mut(name).map_err(refused)?;
    for policy in inline(old).keys().filter(|policy| !policies.contains_key(*policy)) {
        role.inline.remove(policy);
    }
    for arn in texts(old, "ManagedPolicyArns").iter().filter(|arn| !attached.contains(arn)) {
        role.attached.remove(arn);
    }
    role.boundary = text(new, "PermissionsBoundary");
    role.max_session = seconds(new.get("MaxSessionDuration"));
    role.tags = tags(context, new);
    Ok(provisioned(role, &id))
}

/// A template may write a number as text.
fn seconds(value: Option<&Value>) -> u32 {
    let number = value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    number.and_then(|number| number.try_into().ok()).unwrap_or(3600)
}

fn provisioned(role: &Role, account: &str) -> Provisioned {
    let attributes = [("Arn", json!(role.arn(account))), ("RoleId", json!(role.id))];
    Provisioned {
        physical_id: role.name.clone(),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

/// The stack's tags, and the resource's own, which win.
fn tags(context: &Context, properties: &Properties) -> BTreeMap<String, String> {
    let own = properties.get("Tags").and_then(Value::as_array);
    let pair = |tag: &Value| Some((tag.get("Key")?.as_str()?.to_owned(), tag.get("Value")?.as_str()?.to_owned()));
    context.tags.clone().into_iter().chain(own.into_iter().flatten().filter_map(pair)).collect()
}

impl ResourceType for PolicyType {
    fn name(&self) -> &'static str {
        "AWS::IAM::Policy"
    }

    fn schema(&self) -> &'static str {
        include_str!("policy.schema.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        put_on_roles(account, properties)?;
        Ok(Provisioned { physical_id: context.physical_name(128), ..Provisioned::default() })
    }

    fn update(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        take_from_roles(account, old);
        put_on_roles(account, new)?;
        Ok(Provisioned { physical_id: physical_id.to_owned(), ..Provisioned::default() })
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        _physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        take_from_roles(account, properties);
        Ok(())
    }
}

fn put_on_roles(account: &mut Account, properties: &Properties) -> Result<(), Failure> {
    only_roles(properties)?;
    let roles = texts(properties, "Roles");
    if roles.is_empty() {
        return Err(Failure("At least one of [Groups,Roles,Users] must be non-empty.".to_owned()));
    }
    let name = text(properties, "PolicyName").unwrap_or_default();
    let document = document(properties, "PolicyDocument");
    roles.iter().try_for_each(|role| account.iam.put_role_policy(role, &name, document.clone())).map_err(refused)
}

fn take_from_roles(account: &mut Account, properties: &Properties) {
    let name = text(properties, "PolicyName").unwrap_or_default();
    for role in texts(properties, "Roles") {
        if let Some(role) = account.iam.roles.get_mut(&role) {
            role.inline.remove(&name);
        }
    }
}

/// Groups are not part of this cloud, and users are no part of its stacks; a policy that names one must not seem to work.
fn only_roles(properties: &Properties) -> Result<(), Failure> {
    match ["Users", "Groups"].iter().find_map(|kind| texts(properties, kind).into_iter().next()) {
        Some(name) => Err(Failure(format!(
            "The user or group with name {name} cannot be found: stacks of the local cloud have roles only."
        ))),
        None => Ok(()),
    }
}

impl ResourceType for ManagedPolicyType {
    fn name(&self) -> &'static str {
        "AWS::IAM::ManagedPolicy"
    }

    fn schema(&self) -> &'static str {
        include_str!("managed_policy.schema.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        only_roles(properties)?;
        let naming = naming(context, properties, "ManagedPolicyName", 128);
        let (id, document) = (account.id.clone(), document(properties, "PolicyDocument"));
        let arn = account.iam.create_policy(&id, naming, document, context.now).map_err(refused)?;
        for role in texts(properties, "Roles") {
            account.iam.attach(&role, &arn).map_err(refused)?;
        }
        managed(account, &arn)
    }

    fn update(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        only_roles(new)?;
        let document = document(new, "PolicyDocument");
        Policy::parse_identity(&document).map_err(refused)?;
        let policy = account.iam.policies.get_mut(physical_id).ok_or_else(|| refused(super::no_policy(physical_id)))?;
        if policy.document != document {
            policy.document = document;
            policy.version = policy.version.saturating_add(1);
        }
        detach(account, physical_id, &texts(old, "Roles"));
        for role in texts(new, "Roles") {
            account.iam.attach(&role, physical_id).map_err(refused)?;
        }
        managed(account, physical_id)
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        detach(account, physical_id, &texts(properties, "Roles"));
        if !account.iam.policies.contains_key(physical_id) {
            return Ok(());
        }
        account.iam.delete_policy(physical_id).map_err(refused)
    }
}

fn detach(account: &mut Account, arn: &str, roles: &[String]) {
    for role in roles {
        if let Some(role) = account.iam.roles.get_mut(role) {
            role.attached.remove(arn);
        }
    }
}

fn managed(account: &Account, arn: &str) -> Result<Provisioned, Failure> {
    let policy = account.iam.policies.get(arn).ok_or_else(|| refused(super::no_policy(arn)))?;
    let uses = account.iam.holders(arn);
    let attributes = [
        ("PolicyArn", json!(arn)),
        ("PolicyId", json!(policy.id)),
        ("DefaultVersionId", json!(format!("v{}", policy.version))),
        ("AttachmentCount", json!(uses)),
        ("IsAttachable", json!(true)),
        ("PermissionsBoundaryUsageCount", json!(0)),
        ("CreateDate", json!(policy.created.unix_timestamp().to_string())),
        ("UpdateDate", json!(policy.created.unix_timestamp().to_string())),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into();
    Ok(Provisioned { physical_id: arn.to_owned(), attributes })
}
