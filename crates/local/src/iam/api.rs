//! The wire face of IAM, the query protocol.

mod user;

use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::{ManagedPolicy, NAMESPACE, Naming, Role, no_entity, no_policy, policy};
use crate::cloud::{Account, Cloud};
use crate::wire::{Caller, Fault, Form, Request, Response, query_answer};

/// Documents travel percent-encoded in answers.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    let form = Form::of(&request);
    let action = form.get("Action").unwrap_or_default();
    query_answer(&request.id, NAMESPACE, action, answer(&cloud, &form, &request.caller))
}

fn answer(cloud: &Cloud, form: &Form, caller: &Caller) -> Result<Value, Fault> {
    let action = form.action()?;
    match action {
        "GetUser" if form.get("UserName").is_none() => cloud.read(|account| user::own(account, caller)),
        "GetRole"
        | "ListRoles"
        | "GetRolePolicy"
        | "ListRolePolicies"
        | "ListAttachedRolePolicies"
        | "GetPolicy"
        | "GetPolicyVersion"
        | "ListPolicies"
        | "ListRoleTags"
        | "ListEntitiesForPolicy" => cloud.read(|account| look(account, action, form)),
        "GetUser"
        | "GetUserPolicy"
        | "ListAccessKeys"
        | "ListAttachedUserPolicies"
        | "ListUserPolicies"
        | "ListUsers" => cloud.read(|account| user::look(account, action, form)),
        "CreateRole"
        | "DeleteRole"
        | "UpdateAssumeRolePolicy"
        | "PutRolePolicy"
        | "DeleteRolePolicy"
        | "AttachRolePolicy"
        | "DetachRolePolicy"
        | "CreatePolicy"
        | "DeletePolicy"
        | "PutRolePermissionsBoundary"
        | "DeleteRolePermissionsBoundary"
        | "TagRole"
        | "UntagRole" => cloud.write(|account| change(account, action, form, cloud.now())),
        "AttachUserPolicy" | "CreateAccessKey" | "CreateUser" | "DeleteAccessKey" | "DeleteUser"
        | "DeleteUserPolicy" | "DetachUserPolicy" | "PutUserPolicy" | "UpdateAccessKey" => {
            cloud.write(|account| user::change(account, action, form, cloud.now()))
        }
        other => Err(Fault::unknown_operation("iam", other)),
    }
}

fn look(account: &Account, action: &str, form: &Form) -> Result<Value, Fault> {
    let iam = &account.iam;
    let role = || iam.role(form.required("RoleName")?);
    let policy = || {
        let arn = form.required("PolicyArn")?;
        iam.policies.get(arn).map(|policy| (arn, policy)).ok_or_else(|| no_policy(arn))
    };
    Ok(match action {
        "GetRole" => json!({ "Role": described(role()?, account) }),
        "ListRoles" => {
            let prefix = form.get("PathPrefix").unwrap_or("/");
            let roles = iam.roles.values().filter(|role| role.path.starts_with(prefix));
            json!({ "Roles": roles.map(|role| described(role, account)).collect::<Vec<_>>(), "IsTruncated": false })
        }
        "GetRolePolicy" => inline_policy(role()?, form.required("PolicyName")?)?,
        "ListRolePolicies" => json!({ "PolicyNames": role()?.inline.keys().collect::<Vec<_>>(), "IsTruncated": false }),
        "ListAttachedRolePolicies" => {
            let policies: Vec<Value> = role()?.attached.iter().map(|arn| attached(arn)).collect();
            json!({ "AttachedPolicies": policies, "IsTruncated": false })
        }
        "ListRoleTags" => json!({ "Tags": tags(role()?), "IsTruncated": false }),
        "GetPolicy" => {
            let (arn, policy) = policy()?;
            json!({ "Policy": described_policy(account, arn, policy) })
        }
        "GetPolicyVersion" => {
            let (_, policy) = policy()?;
            json!({ "PolicyVersion": version(policy, form.required("VersionId")?)? })
        }
        "ListEntitiesForPolicy" => {
            let arn = form.required("PolicyArn")?;
            let holders = iam.roles.values().filter(|role| role.attached.contains(arn));
            let roles: Vec<Value> = holders.map(|role| json!({ "RoleName": role.name, "RoleId": role.id })).collect();
            let holders = iam.users.values().filter(|user| user.attached.contains(arn));
            let users: Vec<Value> = holders.map(|user| json!({ "UserName": user.name, "UserId": user.id })).collect();
            json!({ "PolicyRoles": roles, "PolicyUsers": users, "PolicyGroups": [], "IsTruncated": false })
        }
        _ => {
            let policies = iam.policies.iter().map(|(arn, policy)| described_policy(account, arn, policy));
            json!({ "Policies": policies.collect::<Vec<_>>(), "IsTruncated": false })
        }
    })
}

fn change(account: &mut Account, action: &str, form: &Form, now: time::OffsetDateTime) -> Result<Value, Fault> {
    let id = account.id.clone();
    match action {
        "CreateRole" => return create_role(account, form, now),
        "CreatePolicy" => {
            let document = document(form.required("PolicyDocument")?)?;
            let arn = account.iam.create_policy(&id, naming(form, "PolicyName")?, document, now)?;
            let policy = account.iam.policies.get(&arn).ok_or_else(|| no_policy(&arn))?;
            return Ok(json!({ "Policy": described_policy(account, &arn, policy) }));
        }
        "DeletePolicy" => account.iam.delete_policy(form.required("PolicyArn")?)?,
        "DeleteRole" => account.iam.delete_role(form.required("RoleName")?)?,
        "AttachRolePolicy" => account.iam.attach(form.required("RoleName")?, form.required("PolicyArn")?)?,
        "PutRolePolicy" => {
            let document = document(form.required("PolicyDocument")?)?;
            account.iam.put_role_policy(form.required("RoleName")?, form.required("PolicyName")?, document)?;
        }
        _ => change_role(account.iam.role_mut(form.required("RoleName")?)?, action, form)?,
    }
    Ok(Value::Null)
}

fn create_role(account: &mut Account, form: &Form, now: time::OffsetDateTime) -> Result<Value, Fault> {
    let trust = document(form.required("AssumeRolePolicyDocument")?)?;
    let role = account.iam.create_role(naming(form, "RoleName")?, trust, now)?;
    if let Some(seconds) = form.get("MaxSessionDuration") {
        role.max_session =
            seconds.parse().map_err(|_| Fault::new("ValidationError", "MaxSessionDuration is no number"))?;
    }
    role.boundary = form.get("PermissionsBoundary").map(str::to_owned);
    role.tags.extend(tag_pairs(form));
    let role = role.clone();
    Ok(json!({ "Role": described(&role, account) }))
}

fn change_role(role: &mut Role, action: &str, form: &Form) -> Result<(), Fault> {
    let name = role.name.clone();
    match action {
        "UpdateAssumeRolePolicy" => {
            let trust = document(form.required("PolicyDocument")?)?;
            policy::Policy::parse_trust(&trust)?;
            role.trust = trust;
        }
        "DeleteRolePolicy" => {
            let policy = form.required("PolicyName")?;
            role.inline.remove(policy).map(drop).ok_or_else(|| no_inline(&name, policy))?;
        }
        "DetachRolePolicy" => {
            let arn = form.required("PolicyArn")?;
            if !role.attached.remove(arn) {
                return Err(no_policy(arn));
            }
        }
        "PutRolePermissionsBoundary" => role.boundary = Some(form.required("PermissionsBoundary")?.to_owned()),
        "DeleteRolePermissionsBoundary" => {
            role.boundary.take().ok_or_else(|| no_entity(format!("Role {name} has no permissions boundary.")))?;
        }
        "TagRole" => role.tags.extend(tag_pairs(form)),
        _ => form.list("TagKeys").iter().for_each(|key| drop(role.tags.remove(key))),
    }
    Ok(())
}

fn naming(form: &Form, name: &str) -> Result<Naming, Fault> {
    let optional = |name: &str| form.get(name).map(str::to_owned);
    Ok(Naming { name: form.required(name)?.to_owned(), path: optional("Path"), description: optional("Description") })
}

fn tag_pairs(form: &Form) -> Vec<(String, String)> {
    let pair = |tag: &Form| Some((tag.get("Key")?.to_owned(), tag.get("Value").unwrap_or_default().to_owned()));
    form.structures("Tags").iter().filter_map(pair).collect()
}

fn document(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|_| policy::malformed("This policy contains invalid Json"))
}

fn encoded(document: &Value) -> String {
    utf8_percent_encode(&document.to_string(), ENCODED).to_string()
}

fn stamp(time: time::OffsetDateTime) -> String {
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}

fn described(role: &Role, account: &Account) -> Value {
    json!({
        "RoleName": role.name, "RoleId": role.id, "Arn": role.arn(&account.id), "Path": role.path,
        "CreateDate": stamp(role.created), "AssumeRolePolicyDocument": encoded(&role.trust),
        "Description": role.description, "MaxSessionDuration": role.max_session, "Tags": tags(role),
        "PermissionsBoundary": role.boundary.as_ref().map(|arn| json!({
            "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn,
        })),
    })
}

fn tags(role: &Role) -> Vec<Value> {
    role.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

fn inline_policy(role: &Role, name: &str) -> Result<Value, Fault> {
    let document = role.inline.get(name).ok_or_else(|| no_inline(&role.name, name))?;
    Ok(json!({ "RoleName": role.name, "PolicyName": name, "PolicyDocument": encoded(document) }))
}

fn no_inline(role: &str, policy: &str) -> Fault {
    no_entity(format!("The role policy with name {policy} cannot be found on role {role}."))
}

fn attached(arn: &str) -> Value {
    json!({ "PolicyName": arn.rsplit('/').next(), "PolicyArn": arn })
}

fn described_policy(account: &Account, arn: &str, policy: &ManagedPolicy) -> Value {
    let uses = account.iam.holders(arn);
    json!({
        "PolicyName": policy.name, "PolicyId": policy.id, "Arn": arn, "Path": policy.path,
        "DefaultVersionId": format!("v{}", policy.version), "AttachmentCount": uses, "IsAttachable": true,
        "Description": policy.description, "CreateDate": stamp(policy.created), "UpdateDate": stamp(policy.created),
    })
}

fn version(policy: &ManagedPolicy, id: &str) -> Result<Value, Fault> {
    if id != format!("v{}", policy.version) {
        let message = format!("Policy {} version {id} does not exist or is not attachable.", policy.name);
        return Err(Fault::new("NoSuchEntity", message).with_status(StatusCode::NOT_FOUND));
    }
    Ok(json!({
        "Document": encoded(&policy.document), "VersionId": id, "IsDefaultVersion": true,
        "CreateDate": stamp(policy.created),
    }))
}
