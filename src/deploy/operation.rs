//! One operation on a stack, followed event by event until it has ended.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::aws::{Account, During, Error};
use super::{Cancellation, Listener, Progress, stack};

/// One stack event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its own id.
    pub id: String,
    /// ARN of the stack.
    pub stack_id: String,
    /// Name of the stack.
    pub stack: String,
    /// Id of the resource in the template.
    pub logical_id: String,
    /// Id of the resource at its service.
    pub physical_id: String,
    /// CloudFormation type of the resource.
    pub kind: String,
    /// New status.
    pub status: String,
    /// Why, where CloudFormation says so.
    pub reason: Option<String>,
}

impl Event {
    /// Whether it is about the stack itself and not one of its resources, of which a nested stack may be one.
    #[must_use]
    pub fn is_about_the_stack(&self) -> bool {
        self.kind == "AWS::CloudFormation::Stack"
            && (self.physical_id == self.stack_id || self.logical_id == self.stack)
    }
}

/// How an operation ended, and all that happened until then, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The stack's last status.
    pub status: String,
    /// What happened.
    pub events: Vec<Event>,
}

/// An operation that is about to start: it knows which events are older than itself.
#[derive(Debug)]
pub struct Operation<'a> {
    account: &'a Account,
    stack_id: String,
    seen: BTreeSet<String>,
}

impl<'a> Operation<'a> {
    /// Remembers the stack's latest event. The ARN is what finds the events of a stack that is being deleted.
    ///
    /// # Errors
    /// When AWS cannot be asked.
    pub async fn on(account: &'a Account, stack_id: &str) -> Result<Self, Error> {
        let mut operation = Self { account, stack_id: stack_id.to_owned(), seen: BTreeSet::new() };
        let (page, _) = operation.page(None).await?;
        operation.seen = page.into_iter().map(|event| event.id).collect();
        Ok(operation)
    }

    /// Follows the operation to its end.
    ///
    /// # Errors
    /// When AWS cannot be asked.
    pub async fn follow(mut self, listener: Listener<'_>, cancel: &CancellationToken) -> Result<Ended, Error> {
        let mut events = Vec::new();
        let mut cancelled = false;
        loop {
            let described = stack::describe(self.account, &self.stack_id).await?;
            let status = described.map_or_else(|| "DELETE_COMPLETE".to_owned(), |stack| stack.status);
            for event in self.news().await? {
                listener(Progress::Event(event.clone()));
                events.push(event);
            }
            if stack::is_settled(&status) {
                listener(Progress::Ended { stack: stack_name(&self.stack_id), status: status.clone() });
                return Ok(Ended { status, events });
            }
            if cancel.is_cancelled() && !cancelled {
                cancelled = true;
                listener(Progress::Cancelling { how: self.cancel(&status).await? });
            }
            self.account.pause(cancel, cancelled).await;
        }
    }

    async fn cancel(&self, status: &str) -> Result<Cancellation, Error> {
        let how = cancellation(status);
        let cloudformation = &self.account.cloudformation;
        let asked = match how {
            Cancellation::RollBack => {
                let answer = cloudformation.cancel_update_stack().stack_name(&self.stack_id).send().await;
                answer.during("cloudformation:CancelUpdateStack", &self.account.config).map(drop)
            }
            Cancellation::Delete => {
                let answer = cloudformation.delete_stack().stack_name(&self.stack_id).send().await;
                answer.during("cloudformation:DeleteStack", &self.account.config).map(drop)
            }
            Cancellation::Impossible | Cancellation::Discard => Ok(()),
        };
        match asked {
            // The update was quicker than the question.
            Err(error) if error.has_code("ValidationError") => Ok(Cancellation::Impossible),
            asked => asked.map(|()| how),
        }
    }

    /// The events that were not there at the last look, oldest first. CloudFormation lists the newest first, so the
    /// first known one ends the search.
    async fn news(&mut self) -> Result<Vec<Event>, Error> {
        let mut news = Vec::new();
        let mut token = None;
        loop {
            let (page, next) = self.page(token).await?;
            let is_known = |event: &Event| self.seen.contains(&event.id);
            let reached = page.iter().any(is_known);
            news.extend(page.into_iter().take_while(|event| !is_known(event)));
            if reached || next.is_none() {
                break;
            }
            token = next;
        }
        news.reverse();
        self.seen.extend(news.iter().map(|event| event.id.clone()));
        Ok(news)
    }

    async fn page(&self, token: Option<String>) -> Result<(Vec<Event>, Option<String>), Error> {
        page(self.account, &self.stack_id, token).await
    }
}

/// All events of a stack, oldest first.
///
/// # Errors
/// When AWS cannot be asked.
pub(crate) async fn all_events(account: &Account, stack_id: &str) -> Result<Vec<Event>, Error> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let (page, next) = page(account, stack_id, token).await?;
        all.extend(page);
        token = next;
        if token.is_none() {
            break;
        }
    }
    all.reverse();
    Ok(all)
}

async fn page(account: &Account, id: &str, token: Option<String>) -> Result<(Vec<Event>, Option<String>), Error> {
    let answer = account.cloudformation.describe_stack_events().stack_name(id).set_next_token(token).send().await;
    match answer.during("cloudformation:DescribeStackEvents", &account.config) {
        Ok(page) => Ok((page.stack_events().iter().map(event).collect(), page.next_token)),
        Err(error) if error.says_missing() => Ok((Vec::new(), None)),
        Err(error) => Err(error),
    }
}

fn event(event: &aws_sdk_cloudformation::types::StackEvent) -> Event {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Event {
        id: text(event.event_id()),
        stack_id: text(event.stack_id()),
        stack: text(event.stack_name()),
        logical_id: text(event.logical_resource_id()),
        physical_id: text(event.physical_resource_id()),
        kind: text(event.resource_type()),
        status: text(event.resource_status().map(aws_sdk_cloudformation::types::ResourceStatus::as_str)),
        reason: event.resource_status_reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
    }
}

/// What can be asked of CloudFormation while a stack has that status. The first creation knows no cancelling.
fn cancellation(status: &str) -> Cancellation {
    match status {
        "UPDATE_IN_PROGRESS" => Cancellation::RollBack,
        "CREATE_IN_PROGRESS" => Cancellation::Delete,
        _ => Cancellation::Impossible,
    }
}

/// The name in a stack's ARN.
fn stack_name(stack_id: &str) -> String {
    stack_id.split('/').nth(1).unwrap_or(stack_id).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Cancellation, Event, cancellation, stack_name};

    #[test]
    fn an_update_rolls_back_and_a_creation_is_deleted() {
        assert_eq!(cancellation("UPDATE_IN_PROGRESS"), Cancellation::RollBack);
        assert_eq!(cancellation("CREATE_IN_PROGRESS"), Cancellation::Delete);
        assert_eq!(cancellation("ROLLBACK_IN_PROGRESS"), Cancellation::Impossible);
        assert_eq!(cancellation("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), Cancellation::Impossible);
    }

    #[test]
    fn a_nested_stack_is_a_resource() {
        let own = Event {
            kind: "AWS::CloudFormation::Stack".into(),
            stack: "a".into(),
            stack_id: "arn:a".into(),
            ..Event::default()
        };
        assert!(Event { physical_id: "arn:a".into(), ..own.clone() }.is_about_the_stack());
        assert!(!Event { physical_id: "arn:b".into(), logical_id: "Inner".into(), ..own }.is_about_the_stack());
    }

    #[test]
    fn a_stack_is_named_in_its_arn() {
        assert_eq!(stack_name("arn:aws:cloudformation:us-east-1:1:stack/protected-api/uuid"), "protected-api");
        assert_eq!(stack_name("plain"), "plain");
    }
}
