//! What goes with a stack, what stays, and what is left in its name afterwards.

use serde_json::Value;

use super::aws::{Account, During, Error};
use super::stack::{self, Deployed, Stack};
use crate::template::text;

/// What deleting a stack would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doom {
    /// Resources that go.
    pub goes: Vec<Deployed>,
    /// Resources that stay, because the template says so.
    pub stays: Vec<Deployed>,
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
    Ok(Doom { goes, stays })
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

/// What is still there under the stack's name: retained resources, and log groups that Lambda made again while the
/// stack was going.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn leftovers(account: &Account, stack: &str, stays: &[Deployed]) -> Result<Vec<Leftover>, Error> {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&account.config);
    let prefix = log_group_prefix(stack);
    let mut listed = logs.describe_log_groups().log_group_name_prefix(&prefix).into_paginator().items().send();
    let mut groups = Vec::new();
    while let Some(group) = listed.next().await {
        let group = group.during("logs:DescribeLogGroups", &account.config)?;
        groups.extend(group.log_group_name);
    }
    let is_kept = |name: &String| stays.iter().any(|resource| resource.physical_id == *name);
    let remade = groups.iter().filter(|name| is_of_a_function(name, &prefix) && !is_kept(name));
    Ok(stays.iter().map(retained).chain(remade.map(|name| log_group(name))).collect())
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

fn log_group(name: &str) -> Leftover {
    Leftover {
        what: format!("log group `{name}`"),
        command: format!("aws logs delete-log-group --log-group-name {}", quoted(name)),
    }
}

fn retained(resource: &Deployed) -> Leftover {
    let id = quoted(&resource.physical_id);
    let command = match resource.kind.as_str() {
        "AWS::Cognito::UserPool" => format!("aws cognito-idp delete-user-pool --user-pool-id {id}"),
        "AWS::DynamoDB::Table" => format!("aws dynamodb delete-table --table-name {id}"),
        "AWS::IAM::Role" => format!("aws iam delete-role --role-name {id}"),
        "AWS::Lambda::Function" => format!("aws lambda delete-function --function-name {id}"),
        "AWS::Logs::LogGroup" => format!("aws logs delete-log-group --log-group-name {id}"),
        "AWS::SecretsManager::Secret" => format!("aws secretsmanager delete-secret --secret-id {id}"),
        "AWS::SES::EmailIdentity" => format!("aws sesv2 delete-email-identity --email-identity {id}"),
        "AWS::S3::Bucket" => format!("aws s3 rb --force s3://{}", resource.physical_id),
        kind => format!("aws cloudcontrol delete-resource --type-name {kind} --identifier {id}"),
    };
    Leftover { what: format!("{} `{}` ({})", resource.kind, resource.physical_id, resource.logical_id), command }
}

/// The text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_of_a_function, is_retained, log_group, log_group_prefix, quoted, retained};
    use crate::deploy::stack::Deployed;

    fn resource(kind: &str, physical_id: &str) -> Deployed {
        Deployed {
            logical_id: "Thing".into(),
            physical_id: physical_id.into(),
            kind: kind.into(),
            status: "CREATE_COMPLETE".into(),
        }
    }

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

    #[test]
    fn each_leftover_comes_with_the_command_that_removes_it() {
        let pool = retained(&resource("AWS::Cognito::UserPool", "us-east-1_abc"));
        assert_eq!(pool.command, "aws cognito-idp delete-user-pool --user-pool-id us-east-1_abc");
        let table = retained(&resource("AWS::DynamoDB::Table", "notesTable"));
        assert_eq!(table.command, "aws dynamodb delete-table --table-name notesTable");
        let secret =
            retained(&resource("AWS::SecretsManager::Secret", "arn:aws:secretsmanager:us-east-1:1:secret:t-Ab"));
        let command = "aws secretsmanager delete-secret --secret-id arn:aws:secretsmanager:us-east-1:1:secret:t-Ab";
        assert_eq!(secret.command, command);
        let other = retained(&resource("AWS::SNS::Topic", "arn:aws:sns:us-east-1:1:t"));
        assert!(other.command.contains("--type-name AWS::SNS::Topic"), "{}", other.command);
        let group = log_group("/aws/lambda/notes-Get-1");
        assert_eq!(group.command, "aws logs delete-log-group --log-group-name /aws/lambda/notes-Get-1");
    }

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(quoted(""), "''");
    }
}
