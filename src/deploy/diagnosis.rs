//! Why an operation failed: the first cause, without its echoes.

use super::aws::{Account, Error};
use super::operation::{self, Event};

/// The first thing that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Name of the stack, which may be a nested one.
    pub stack: String,
    /// Id of the resource in the template; absent when the stack failed as a whole.
    pub resource: Option<Culprit>,
    /// CloudFormation's words.
    pub reason: String,
}

/// The resource that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Culprit {
    /// Id in the template.
    pub logical_id: String,
    /// CloudFormation type.
    pub kind: String,
    /// Status, such as `CREATE_FAILED`.
    pub status: String,
}

/// How deep stacks may be nested before we stop looking.
const DEPTH: usize = 8;

/// The first cause among events, oldest first. A resource that was cancelled because of another is an echo, and so is
/// what fails on the way back.
#[must_use]
fn first_cause(events: &[Event]) -> Option<Cause> {
    let failed = |event: &&Event| event.status.ends_with("_FAILED") && !event.is_about_the_stack() && !is_echo(event);
    let culprit = events.iter().find(failed).map(|event| Cause {
        stack: event.stack.clone(),
        resource: Some(Culprit {
            logical_id: event.logical_id.clone(),
            kind: event.kind.clone(),
            status: event.status.clone(),
        }),
        reason: event.reason.clone().unwrap_or_else(|| "CloudFormation gives no reason".to_owned()),
    });
    culprit.or_else(|| stack_level(events))
}

/// A stack can fail without any resource doing so, for example over an output.
fn stack_level(events: &[Event]) -> Option<Cause> {
    // A stack whose exports are in use stays in the status that it had.
    let is_kept = |event: &Event| event.reason.as_deref().is_some_and(|reason| !importers(reason).is_empty());
    let turned = |event: &&Event| {
        let failed = event.status.contains("ROLLBACK") || event.status.ends_with("_FAILED");
        event.is_about_the_stack() && (failed || is_kept(event))
    };
    events.iter().filter(turned).find_map(|event| {
        let reason = event.reason.as_deref()?.trim().trim_end_matches("Rollback requested by user.").trim();
        (!reason.is_empty()).then(|| Cause { stack: event.stack.clone(), resource: None, reason: reason.to_owned() })
    })
}

fn is_echo(event: &Event) -> bool {
    let reason = event.reason.as_deref().unwrap_or_default();
    reason.starts_with("Resource creation cancelled") || reason.starts_with("Resource update cancelled")
}

/// The resources whose removal failed by itself, in the order in which it did.
#[must_use]
pub fn not_removed(events: &[Event]) -> Vec<String> {
    let mut ids = Vec::new();
    let failed = |event: &&Event| event.status == "DELETE_FAILED" && !event.is_about_the_stack();
    for event in events.iter().filter(failed) {
        if !ids.contains(&event.logical_id) {
            ids.push(event.logical_id.clone());
        }
    }
    ids
}

/// The stacks that use an export, as CloudFormation names them when it refuses to delete it.
#[must_use]
pub fn importers(message: &str) -> Vec<String> {
    let Some((_, users)) = message.split_once("cannot be deleted as it is in use by ") else { return Vec::new() };
    let users = users.trim().trim_end_matches('.').replace(" and ", ", ");
    users.split(", ").map(|user| user.trim().to_owned()).filter(|user| !user.is_empty()).collect()
}

/// The first cause, looked for in nested stacks too: there the root only says that the embedded stack failed.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn root_cause(account: &Account, events: &[Event]) -> Result<Option<Cause>, Error> {
    let mut cause = first_cause(events);
    for _ in 0..DEPTH {
        let Some(nested) = cause.as_ref().and_then(|cause| nested_stack(&cause.reason)) else { break };
        let inner = first_cause(&operation::all_events(account, nested).await?);
        if inner.is_none() {
            break;
        }
        cause = inner;
    }
    Ok(cause)
}

/// The ARN in `Embedded stack arn:... was not successfully created: ...`.
fn nested_stack(reason: &str) -> Option<&str> {
    let (arn, rest) = reason.strip_prefix("Embedded stack ")?.split_once(' ')?;
    (arn.starts_with("arn:") && rest.starts_with("was not successfully")).then_some(arn)
}

#[cfg(test)]
mod tests {
    use super::{first_cause, importers, nested_stack, not_removed};
    use crate::deploy::operation::Event;

    fn event(logical_id: &str, kind: &str, status: &str, reason: &str) -> Event {
        Event {
            id: format!("{logical_id}-{status}"),
            stack_id: "arn:stack".into(),
            stack: "notes".into(),
            physical_id: if logical_id == "notes" { "arn:stack".into() } else { String::new() },
            logical_id: logical_id.into(),
            kind: kind.into(),
            status: status.into(),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
        }
    }

    fn about_stack(status: &str, reason: &str) -> Event {
        event("notes", "AWS::CloudFormation::Stack", status, reason)
    }

    #[test]
    fn cancelled_siblings_are_not_the_cause() {
        let events = [
            about_stack("CREATE_IN_PROGRESS", "User Initiated"),
            event("Api", "AWS::ApiGatewayV2::Api", "CREATE_FAILED", "Resource creation cancelled"),
            event("Users", "AWS::Cognito::UserPool", "CREATE_FAILED", "Property validation failure"),
            about_stack("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Api, Users]."),
            event("Role", "AWS::IAM::Role", "DELETE_FAILED", "in use"),
        ];
        let cause = first_cause(&events).expect("something failed");
        assert_eq!(cause.resource.expect("a resource failed").logical_id, "Users");
        assert_eq!(cause.reason, "Property validation failure");
    }

    #[test]
    fn a_stack_can_fail_without_a_resource() {
        let reason = "[Error] /Outputs/O/Value: no such attribute. Rollback requested by user.";
        let cause = first_cause(&[about_stack("ROLLBACK_IN_PROGRESS", reason)]).expect("the stack failed");
        assert_eq!(cause.resource, None);
        assert_eq!(cause.reason, "[Error] /Outputs/O/Value: no such attribute.");
    }

    #[test]
    fn a_success_has_no_cause() {
        assert_eq!(first_cause(&[about_stack("CREATE_COMPLETE", "")]), None);
        assert_eq!(first_cause(&[]), None);
    }

    #[test]
    fn an_export_in_use_is_a_cause_whatever_the_status() {
        // https://github.com/rlister/stax/issues/40 has such an event.
        let reason = "Export notes:pool cannot be deleted as it is in use by b and c";
        let cause = first_cause(&[about_stack("UPDATE_COMPLETE", reason)]).expect("it says why");
        assert_eq!(cause.reason, reason);
        assert_eq!(importers(reason), ["b", "c"]);
        assert_eq!(importers("Export a:x cannot be deleted as it is in use by b, c."), ["b", "c"]);
        assert!(importers("Rate exceeded").is_empty());
    }

    #[test]
    fn each_resource_that_could_not_be_removed_is_named_once() {
        let bucket = |id| event(id, "AWS::S3::Bucket", "DELETE_FAILED", "The bucket is not empty");
        let events = [bucket("A"), bucket("B"), bucket("A"), about_stack("DELETE_FAILED", "[A, B]")];
        assert_eq!(not_removed(&events), ["A", "B"]);
    }

    #[test]
    fn a_nested_stack_is_found_by_its_arn() {
        let reason = "Embedded stack arn:aws:x:stack/a/b was not successfully created: The following";
        assert_eq!(nested_stack(reason), Some("arn:aws:x:stack/a/b"));
        assert_eq!(nested_stack("Embedded stack"), None);
        assert_eq!(nested_stack("Resource handler returned message"), None);
    }
}
