//! What goes with a stack, what stays, and what is left in its name afterwards.

mod remedy;

use aws_sdk_s3::types::ObjectIdentifier;
use serde_json::Value;

use super::aws::{Account, During, Error};
use super::stack::{self, Deployed, Stack};
use super::store::{self, Store};
use crate::synth::code::ASSET_BUCKET;
use crate::template::text;

/// What deleting a stack would do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Doom {
    /// Resources that go.
    pub goes: Vec<Deployed>,
    /// Resources that stay, because the template says so.
    pub stays: Vec<Deployed>,
    /// The template as it is deployed; null where it cannot be read.
    template: Value,
}

/// Something that is still there after a stack was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// What it is, in words.
    pub what: String,
    /// The command that removes it.
    pub command: String,
}

/// What deleting the stack would do.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn foresee(account: &Account, stack: &Stack) -> Result<Doom, Error> {
    let (resources, template) =
        tokio::try_join!(stack::resources(account, &stack.id), stack::template(account, &stack.id))?;
    // A template that cannot be read tells us nothing here; what is left is listed afterwards all the same.
    let template = text::parse(&template).unwrap_or_default();
    let made = resources.into_iter().filter(|resource| !resource.physical_id.is_empty());
    let (stays, goes) = made.partition(|resource| is_retained(&template, &resource.logical_id));
    Ok(Doom { goes, stays, template })
}

fn is_retained(template: &Value, logical_id: &str) -> bool {
    let policy = template.get("Resources").and_then(|all| all.get(logical_id)).and_then(|r| r.get("DeletionPolicy"));
    matches!(policy.and_then(Value::as_str), Some("Retain" | "RetainExceptOnCreate" | "Snapshot"))
}

/// Asks CloudFormation to delete the stack. Follow it with an operation on the stack's ARN, made before.
///
/// # Errors
/// When AWS refuses.
pub async fn start(account: &Account, stack_id: &str) -> Result<(), Error> {
    let answer = account.cloudformation.delete_stack().stack_name(stack_id).send().await;
    answer.during("cloudformation:DeleteStack", &account.config).map(drop)
}

/// What is still there under the name of a stack: retained resources, and log groups that Lambda made again while the
/// stack was going.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn leftovers(account: &Account, stack: &str, doom: &Doom) -> Result<Vec<Leftover>, Error> {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&account.config);
    let prefix = log_group_prefix(stack);
    let mut listed = logs.describe_log_groups().log_group_name_prefix(&prefix).into_paginator().items().send();
    let mut groups = Vec::new();
    while let Some(group) = listed.next().await {
        let group = group.during("logs:DescribeLogGroups", &account.config)?;
        groups.extend(group.log_group_name);
    }
    let is_kept = |name: &String| doom.stays.iter().any(|resource| resource.physical_id == *name);
    let remade = groups.iter().filter(|name| is_of_a_function(name, &prefix) && !is_kept(name));
    Ok(remedy::retained(doom).into_iter().chain(remade.map(|name| remedy::log_group(name))).collect())
}

/// The code and the templates that a stack has in the bucket.
#[derive(Debug, Default)]
pub struct Stored(Vec<Folder>);

/// What is in a folder of a bucket, or why that is not known.
#[derive(Debug)]
struct Folder {
    store: Store,
    path: String,
    versions: Result<Vec<ObjectIdentifier>, Error>,
}

/// Notes the code and the templates of a stack while it is there: whatever comes to lie beside them once it is gone belongs
/// to somebody who makes it anew.
///
/// # Errors
/// When AWS cannot be asked whether there is a bucket.
pub async fn note(account: &Account, stack: &Stack) -> Result<Stored, Error> {
    let mut noted = Vec::new();
    let named = stack.parameters.get(ASSET_BUCKET);
    for store in buckets(account, named).await? {
        for path in store::folders(&stack.name) {
            match store.versions(account, &path).await {
                // Whoever may not look and deploys no code has put nothing there either.
                Err(Error::Denied { .. }) if named.is_none() => (),
                versions => noted.push(Folder { store: store.clone(), path, versions }),
            }
        }
    }
    Ok(Stored(noted))
}

/// Removes from the bucket what was noted of a stack that is gone, and tells what it could not remove. Each stack has folders
/// of its own there, and Lambda keeps a copy of what a retained function runs.
pub async fn sweep(account: &Account, stored: Stored) -> Vec<Leftover> {
    let mut left = Vec::new();
    for Folder { store, path, versions } in stored.0 {
        let removed = match versions {
            Ok(versions) => store.remove(account, versions).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = removed {
            let what = format!("what is below `{path}` in bucket `{}`: {error}", store.bucket());
            left.push(Leftover { what, command: remedy::empty(store.bucket(), &path) });
        }
    }
    left
}

/// What lies in the bucket under the name of a stack that is not there.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn stored(account: &Account, stack: &str) -> Result<Vec<Leftover>, Error> {
    let mut left = Vec::new();
    for store in buckets(account, None).await? {
        for folder in store::folders(stack) {
            match store.versions(account, &folder).await {
                // Whoever may not look may not have put anything there either.
                Err(Error::Denied { .. }) => (),
                Ok(versions) if versions.is_empty() => (),
                Ok(versions) => left.push(remedy::folder(store.bucket(), &folder, versions.len())),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(left)
}

/// The buckets that a stack may have used: the one that deployments go through now, and the one that it was deployed through
/// last. Whoever may not look for the first has put nothing into it.
async fn buckets(account: &Account, named: Option<&String>) -> Result<Vec<Store>, Error> {
    let found = match Store::find(account).await {
        Err(Error::Denied { .. }) => None,
        found => found?,
    };
    let is_other = |name: &&String| !name.is_empty() && found.as_ref().is_none_or(|found| found.bucket() != *name);
    let other = named.filter(is_other).map(|name| Store::own(name));
    Ok(found.into_iter().chain(other).collect())
}

/// Functions without a name of their own are named for the stack.
fn log_group_prefix(stack: &str) -> String {
    format!("/aws/lambda/{stack}-")
}

/// Whether the rest of the name is what CloudFormation makes up for a function, `Id-Suffix`. With more hyphens it
/// belongs to a stack whose name only begins like this one.
fn is_of_a_function(group: &str, prefix: &str) -> bool {
    group.strip_prefix(prefix).is_some_and(|rest| rest.matches('-').count() <= 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_of_a_function, is_retained, log_group_prefix};

    #[test]
    fn what_the_template_retains_stays() {
        let template = json!({ "Resources": {
            "Users": { "Type": "AWS::Cognito::UserPool", "DeletionPolicy": "Retain" },
            "Staff": { "Type": "AWS::Cognito::UserPool", "DeletionPolicy": "RetainExceptOnCreate" },
            "Api": { "Type": "AWS::ApiGatewayV2::Api", "DeletionPolicy": "Delete" },
        } });
        assert!(is_retained(&template, "Users"));
        assert!(is_retained(&template, "Staff"));
        assert!(!is_retained(&template, "Api"));
        assert!(!is_retained(&template, "Missing"));
        assert!(!is_retained(&json!(null), "Users"));
    }

    #[test]
    fn a_stack_whose_name_begins_alike_keeps_its_log_groups() {
        let is_ours = |group| is_of_a_function(group, &log_group_prefix("notes"));
        assert!(is_ours("/aws/lambda/notes-Get-1A2B3C"));
        assert!(!is_ours("/aws/lambda/notes-admin-Get-1A2B3C"));
        assert!(!is_ours("/aws/lambda/notebook-Get-1A2B3C"));
    }
}
