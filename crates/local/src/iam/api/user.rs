//! Operations on users.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{attached, document, encoded, naming, stamp, tag_pairs};
use crate::cloud::Account;
use crate::iam::user::{User, UserKey};
use crate::iam::{no_entity, no_policy};
use crate::wire::{Caller, Fault, Form};

/// Operations that look at users.
pub(super) fn look(account: &Account, action: &str, form: &Form) -> Result<Value, Fault> {
    let user = || account.iam.user(form.required("UserName")?);
    Ok(match action {
        "GetUser" => json!({ "User": described(user()?, account) }),
        "ListUsers" => {
            let prefix = form.get("PathPrefix").unwrap_or("/");
            let users = account.iam.users.values().filter(|user| user.path.starts_with(prefix));
            json!({ "Users": users.map(|user| described(user, account)).collect::<Vec<_>>(), "IsTruncated": false })
        }
        "GetUserPolicy" => {
            let (user, name) = (user()?, form.required("PolicyName")?);
            let document = user.inline.get(name).ok_or_else(|| no_inline(&user.name, name))?;
            json!({ "UserName": user.name, "PolicyName": name, "PolicyDocument": encoded(document) })
        }
        "ListUserPolicies" => json!({ "PolicyNames": user()?.inline.keys().collect::<Vec<_>>(), "IsTruncated": false }),
        "ListAttachedUserPolicies" => {
            let policies: Vec<Value> = user()?.attached.iter().map(|arn| attached(arn)).collect();
            json!({ "AttachedPolicies": policies, "IsTruncated": false })
        }
        _ => {
            let user = user()?;
            let keys: Vec<Value> = user.keys.iter().map(|held| metadata(user, held)).collect();
            json!({ "AccessKeyMetadata": keys, "IsTruncated": false })
        }
    })
}

/// Who asks, where a request names no user.
pub(super) fn own(account: &Account, caller: &Caller) -> Result<Value, Fault> {
    match caller {
        Caller::User { name } => Ok(json!({ "User": described(account.iam.user(name)?, account) })),
        Caller::Root => {
            let arn = format!("arn:aws:iam::{}:root", account.id);
            Ok(json!({ "User": { "UserId": account.id, "Arn": arn, "CreateDate": stamp(OffsetDateTime::UNIX_EPOCH) } }))
        }
        Caller::Anonymous | Caller::Role { .. } => {
            Err(Fault::new("ValidationError", "Must specify userName when calling with non-User credentials"))
        }
    }
}

/// Operations that change users.
pub(super) fn change(account: &mut Account, action: &str, form: &Form, now: OffsetDateTime) -> Result<Value, Fault> {
    match action {
        "CreateUser" => {
            let user = account.iam.create_user(naming(form, "UserName")?, now)?;
            user.boundary = form.get("PermissionsBoundary").map(str::to_owned);
            user.tags.extend(tag_pairs(form));
            let user = user.clone();
            return Ok(json!({ "User": described(&user, account) }));
        }
        "DeleteUser" => account.iam.delete_user(form.required("UserName")?)?,
        "AttachUserPolicy" => account.iam.attach_to_user(form.required("UserName")?, form.required("PolicyArn")?)?,
        _ => return change_user(account.iam.user_mut(form.required("UserName")?)?, action, form, now),
    }
    Ok(Value::Null)
}

fn change_user(user: &mut User, action: &str, form: &Form, now: OffsetDateTime) -> Result<Value, Fault> {
    match action {
        "CreateAccessKey" => {
            let held = user.create_key(now)?.clone();
            let mut key = metadata(user, &held);
            key["SecretAccessKey"] = json!(held.key.secret);
            return Ok(json!({ "AccessKey": key }));
        }
        "UpdateAccessKey" => {
            let held = user.key_mut(form.required("AccessKeyId")?)?;
            held.active = match form.required("Status")? {
                "Active" => true,
                "Inactive" => false,
                other => return Err(Fault::new("ValidationError", format!("Status must not be {other}"))),
            };
        }
        "DeleteAccessKey" => user.delete_key(form.required("AccessKeyId")?)?,
        "PutUserPolicy" => {
            user.put_policy(form.required("PolicyName")?, document(form.required("PolicyDocument")?)?)?;
        }
        "DeleteUserPolicy" => {
            let name = form.required("PolicyName")?;
            user.inline.remove(name).map(drop).ok_or_else(|| no_inline(&user.name, name))?;
        }
        _ => {
            let arn = form.required("PolicyArn")?;
            if !user.attached.remove(arn) {
                return Err(no_policy(arn));
            }
        }
    }
    Ok(Value::Null)
}

fn described(user: &User, account: &Account) -> Value {
    let tags: Vec<Value> = user.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    json!({
        "UserName": user.name, "UserId": user.id, "Arn": user.arn(&account.id), "Path": user.path,
        "CreateDate": stamp(user.created), "Tags": tags,
        "PermissionsBoundary": user.boundary.as_ref().map(|arn| json!({
            "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn,
        })),
    })
}

/// A key without its secret, which is told once.
fn metadata(user: &User, held: &UserKey) -> Value {
    let status = if held.active { "Active" } else { "Inactive" };
    json!({
        "UserName": user.name, "AccessKeyId": held.key.id, "Status": status, "CreateDate": stamp(held.created),
    })
}

fn no_inline(user: &str, policy: &str) -> Fault {
    no_entity(format!("The user policy with name {policy} cannot be found on user {user}."))
}
