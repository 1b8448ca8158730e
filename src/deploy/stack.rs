//! A deployed stack as CloudFormation describes it, and what its state allows.

use std::collections::{BTreeMap, BTreeSet};

use miette::Diagnostic;
use thiserror::Error;

use super::aws::{Account, During, Error as AwsError};
use crate::assembly::Protection;

/// A stack that exists, or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN, which stays valid after it has been deleted.
    pub id: String,
    /// Its status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has that status, where CloudFormation says so.
    pub reason: Option<String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// The names under which it exports values.
    pub exports: BTreeSet<String>,
    /// Its parameters' values.
    pub parameters: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it is protected against deletion.
    pub protection: Protection,
}

/// A resource of a deployed stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// Its id in the template.
    pub logical_id: String,
    /// Its name or id at the service; empty when it was never made.
    pub physical_id: String,
    /// Its CloudFormation type.
    pub kind: String,
    /// Its status.
    pub status: String,
}

/// What must happen before a stack can be deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is made anew.
    Create,
    /// It is changed.
    Update,
    /// An empty shell of an earlier attempt is removed first, and then it is made anew.
    RemoveShell(Shell),
    /// Something else runs and must end first.
    Wait,
    /// Only a person can decide.
    Refuse(Stuck),
}

/// What an earlier attempt left behind: no resources, only the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// A change set was never executed.
    NeverExecuted,
    /// The first creation failed and was rolled back.
    RolledBack,
}

/// Why a stack cannot be deployed as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stuck {
    /// Its deletion failed halfway.
    DeleteFailed,
    /// Its creation failed, and what was made is still there.
    CreateFailed,
    /// An update failed, and so did the way back.
    RollbackFailed,
    /// A status that this version does not know.
    Unknown,
}

/// A stack in a state from which it cannot be deployed.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// A deletion failed earlier.
    #[error("stack `{stack}` could not be deleted earlier ({status})")]
    #[diagnostic(
        code(stackgen::stack::delete_failed),
        help("finish its removal with `stackgen destroy {stack}{flags}`")
    )]
    DeleteFailed { stack: String, status: String, flags: String },
    /// The first creation failed earlier, and what was made was kept.
    #[error("stack `{stack}` could not be created earlier and still holds resources ({status})")]
    #[diagnostic(code(stackgen::stack::create_failed), help("remove it with `stackgen destroy {stack}{flags}`"))]
    CreateFailed { stack: String, status: String, flags: String },
    /// A rollback failed.
    #[error("an update of stack `{stack}` failed and could not be rolled back ({status})")]
    #[diagnostic(
        code(stackgen::stack::rollback_failed),
        help(
            "mend what the events name, then run `{aws} cloudformation continue-update-rollback --stack-name {stack}`; \
             `--resources-to-skip ID` leaves out what cannot be mended"
        )
    )]
    RollbackFailed { stack: String, status: String, aws: String },
    /// CloudFormation has learnt a new status.
    #[error("stack `{stack}` has status {status}, from which stackgen knows no way on")]
    #[diagnostic(
        code(stackgen::stack::unknown_status),
        help("look at it with `{aws} cloudformation describe-stack-events --stack-name {stack}`")
    )]
    Unknown { stack: String, status: String, aws: String },
    /// AWS refuses.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] AwsError),
}

impl Stack {
    /// What must happen before it can be deployed.
    #[must_use]
    pub fn next(&self) -> Next {
        next(&self.status)
    }

    /// Whether it holds resources, so that there is something to compare with.
    #[must_use]
    pub fn has_resources(&self) -> bool {
        !matches!(self.next(), Next::Create | Next::RemoveShell(_))
    }

    /// Whether nothing runs on it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        is_settled(&self.status)
    }

    /// The refusal in words, with commands that mean the same target: `flags` are those of stackgen, `aws` is how the aws
    /// CLI is called.
    #[must_use]
    pub fn refusal(&self, stuck: Stuck, flags: &str, aws: &str) -> Error {
        let (stack, status) = (self.name.clone(), self.status.clone());
        let (flags, aws) = (flags.to_owned(), aws.to_owned());
        match stuck {
            Stuck::DeleteFailed => Error::DeleteFailed { stack, status, flags },
            Stuck::CreateFailed => Error::CreateFailed { stack, status, flags },
            Stuck::RollbackFailed => Error::RollbackFailed { stack, status, aws },
            Stuck::Unknown => Error::Unknown { stack, status, aws },
        }
    }
}

/// What a status asks for before the stack can be deployed.
#[must_use]
pub fn next(status: &str) -> Next {
    match status {
        "DELETE_COMPLETE" => Next::Create,
        "REVIEW_IN_PROGRESS" => Next::RemoveShell(Shell::NeverExecuted),
        "ROLLBACK_COMPLETE" => Next::RemoveShell(Shell::RolledBack),
        "CREATE_COMPLETE"
        | "UPDATE_COMPLETE"
        | "UPDATE_FAILED"
        | "UPDATE_ROLLBACK_COMPLETE"
        | "IMPORT_COMPLETE"
        | "IMPORT_ROLLBACK_COMPLETE" => Next::Update,
        "DELETE_FAILED" => Next::Refuse(Stuck::DeleteFailed),
        "CREATE_FAILED" | "ROLLBACK_FAILED" => Next::Refuse(Stuck::CreateFailed),
        "UPDATE_ROLLBACK_FAILED" | "IMPORT_ROLLBACK_FAILED" => Next::Refuse(Stuck::RollbackFailed),
        other if !is_settled(other) => Next::Wait,
        _ => Next::Refuse(Stuck::Unknown),
    }
}

/// Whether nothing runs on a stack of that status. A stack in review waits for a person, not for CloudFormation.
#[must_use]
pub fn is_settled(status: &str) -> bool {
    status == "REVIEW_IN_PROGRESS" || !status.ends_with("_IN_PROGRESS")
}

/// Whether an operation that ended so did what was asked.
#[must_use]
pub fn is_success(status: &str) -> bool {
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "DELETE_COMPLETE" | "IMPORT_COMPLETE")
}

/// The stack of that name or ARN; nothing when there is none.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn describe(account: &Account, name: &str) -> Result<Option<Stack>, AwsError> {
    let answer = account.cloudformation.describe_stacks().stack_name(name).send().await;
    let described = match answer.during("cloudformation:DescribeStacks", &account.config) {
        Ok(described) => described,
        Err(error) if error.says_missing() => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(described.stacks().first().map(stack))
}

fn stack(described: &aws_sdk_cloudformation::types::Stack) -> Stack {
    let pair = |key: Option<&str>, value: Option<&str>| Some((key?.to_owned(), value.unwrap_or_default().to_owned()));
    Stack {
        name: described.stack_name().unwrap_or_default().to_owned(),
        id: described.stack_id().unwrap_or_default().to_owned(),
        status: described.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: described.stack_status_reason().map(str::to_owned),
        outputs: described.outputs().iter().filter_map(|o| pair(o.output_key(), o.output_value())).collect(),
        exports: described.outputs().iter().filter_map(|output| output.export_name()).map(str::to_owned).collect(),
        parameters: described
            .parameters()
            .iter()
            .filter_map(|p| pair(p.parameter_key(), p.parameter_value()))
            .collect(),
        tags: described.tags().iter().filter_map(|t| pair(t.key(), t.value())).collect(),
        protection: match described.enable_termination_protection() {
            Some(true) => Protection::On,
            _ => Protection::Off,
        },
    }
}

/// Protects a stack against deletion, or lifts that.
///
/// # Errors
/// When AWS refuses.
pub async fn protect(account: &Account, stack: &str, protection: Protection) -> Result<(), AwsError> {
    let request = account.cloudformation.update_termination_protection().stack_name(stack);
    let answer = request.enable_termination_protection(protection == Protection::On).send().await;
    answer.during("cloudformation:UpdateTerminationProtection", &account.config).map(drop)
}

/// The resources of a stack, those that were deleted left out.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn resources(account: &Account, stack: &str) -> Result<Vec<Deployed>, AwsError> {
    let mut found = Vec::new();
    let mut pages = account.cloudformation.list_stack_resources().stack_name(stack).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.during("cloudformation:ListStackResources", &account.config)?;
        found.extend(page.stack_resource_summaries().iter().map(|summary| Deployed {
            logical_id: summary.logical_resource_id().unwrap_or_default().to_owned(),
            physical_id: summary.physical_resource_id().unwrap_or_default().to_owned(),
            kind: summary.resource_type().unwrap_or_default().to_owned(),
            status: summary.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        }));
    }
    found.retain(|resource| resource.status != "DELETE_COMPLETE");
    Ok(found)
}

/// The template as it was deployed.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn template(account: &Account, stack: &str) -> Result<String, AwsError> {
    let answer = account.cloudformation.get_template().stack_name(stack).send().await;
    Ok(answer.during("cloudformation:GetTemplate", &account.config)?.template_body.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Next, Shell, Stuck, is_settled, next};

    #[test]
    fn every_status_has_a_way_on() {
        let table = [
            ("CREATE_COMPLETE", Next::Update),
            ("CREATE_FAILED", Next::Refuse(Stuck::CreateFailed)),
            ("CREATE_IN_PROGRESS", Next::Wait),
            ("DELETE_COMPLETE", Next::Create),
            ("DELETE_FAILED", Next::Refuse(Stuck::DeleteFailed)),
            ("DELETE_IN_PROGRESS", Next::Wait),
            ("IMPORT_COMPLETE", Next::Update),
            ("IMPORT_IN_PROGRESS", Next::Wait),
            ("IMPORT_ROLLBACK_COMPLETE", Next::Update),
            ("IMPORT_ROLLBACK_FAILED", Next::Refuse(Stuck::RollbackFailed)),
            ("REVIEW_IN_PROGRESS", Next::RemoveShell(Shell::NeverExecuted)),
            ("ROLLBACK_COMPLETE", Next::RemoveShell(Shell::RolledBack)),
            ("ROLLBACK_FAILED", Next::Refuse(Stuck::CreateFailed)),
            ("ROLLBACK_IN_PROGRESS", Next::Wait),
            ("UPDATE_COMPLETE", Next::Update),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Next::Wait),
            ("UPDATE_FAILED", Next::Update),
            ("UPDATE_IN_PROGRESS", Next::Wait),
            ("UPDATE_ROLLBACK_COMPLETE", Next::Update),
            ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Next::Wait),
            ("UPDATE_ROLLBACK_FAILED", Next::Refuse(Stuck::RollbackFailed)),
            ("UPDATE_ROLLBACK_IN_PROGRESS", Next::Wait),
            ("SOMETHING_NEW", Next::Refuse(Stuck::Unknown)),
        ];
        for (status, expected) in table {
            assert_eq!(next(status), expected, "{status}");
        }
    }

    #[test]
    fn a_stack_in_review_is_not_waited_for() {
        assert!(is_settled("REVIEW_IN_PROGRESS"));
        assert!(!is_settled("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
    }
}
