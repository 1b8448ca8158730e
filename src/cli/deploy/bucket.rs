//! The bucket that code is uploaded through.

use miette::Diagnostic;
use stackgen::deploy::aws::Account;
use stackgen::deploy::change_set::{self, Prepared};
use stackgen::deploy::operation::Operation;
use stackgen::deploy::stack::{self, Next, Stack};
use stackgen::deploy::store::{self, Store};
use stackgen::deploy::{Progress, destroy, diagnosis};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::cli::output::Board;
use crate::cli::{Failure, Outcome, Session, Target, aws_cli};

/// Whether a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Yes,
    No,
}

/// The making of our own bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bootstrap<'a> {
    pub(crate) session: &'a Session,
    pub(crate) account: &'a Account,
    pub(crate) target: &'a Target,
    pub(crate) board: &'a Board<'a>,
}

/// Why there is no bucket.
#[derive(Debug, Error, Diagnostic)]
#[error("stack `{}` could not be made: {cause}", store::BOOTSTRAP_STACK)]
#[diagnostic(
    code(stackgen::bootstrap::failed),
    help(
        "mend the cause; if the stack is still there, remove it with `stackgen bootstrap --destroy{flags}`; then try again"
    )
)]
struct NoBucket {
    cause: String,
    flags: String,
}

impl Bootstrap<'_> {
    /// Makes the stack with the bucket.
    pub(crate) async fn make(&self, asks: Asks) -> Outcome<Store> {
        let unit = store::bootstrap();
        if let Some(stack) = stack::describe(self.account, &unit.stack).await? {
            self.remove_rest(&stack).await?;
        }
        if asks == Asks::Yes {
            self.session.screen.consent(&format!(
                "Code is uploaded through a bucket, and {} has none yet. Make stack `{}` with one?",
                self.account.title(),
                unit.stack
            ))?;
        }
        let listener = |progress| self.board.tell(progress);
        let interrupts = self.session.interrupts();
        interrupts.stands("the stack of the bucket may be half made; the next deployment deals with it");
        let preparation = change_set::Preparation { unit: &unit, deployed: None, store: None };
        let change_set = match preparation.ask(self.account, &listener, interrupts.token()).await? {
            Prepared::Ready(change_set) => change_set,
            Prepared::Cancelled => return Err(self.no_bucket("it was cancelled")),
            Prepared::Unchanged => return Err(self.no_bucket("there is nothing to make")),
        };
        let operation = Operation::on(self.account, &change_set.stack_id).await?;
        self.board.tell(Progress::Started { stack: unit.stack.clone(), resources: change_set.changes.len() });
        let executed = change_set::execute(self.account, &change_set).await;
        executed.map_err(|error| interrupts.lost(error))?;
        let ended = operation.follow(&listener, interrupts.token()).await.map_err(|error| interrupts.lost(error))?;
        if let Some(store) = Store::find(self.account).await?.filter(|_| stack::is_success(&ended.status)) {
            self.board.clean();
            return Ok(store);
        }
        if interrupts.token().is_cancelled() {
            return Err(self.no_bucket("it was cancelled"));
        }
        let cause = diagnosis::root_cause(self.account, &ended.events).await?;
        Err(self.no_bucket(&cause.map_or(ended.status, |cause| cause.reason)))
    }

    /// An earlier attempt that failed holds nothing, and stands in the way.
    async fn remove_rest(&self, stack: &Stack) -> Outcome {
        match stack.next() {
            Next::RemoveShell(_) => {
                let operation = Operation::on(self.account, &stack.id).await?;
                destroy::start(self.account, &stack.id).await?;
                operation.follow(&|progress| self.board.tell(progress), &CancellationToken::new()).await?;
                Ok(())
            }
            Next::Refuse(stuck) => {
                let aws = aws_cli::call(self.target, self.account);
                Err(Failure::refused(stack.refusal(stuck, &self.target.flags(), &aws)))
            }
            _ => Ok(()),
        }
    }

    fn no_bucket(&self, cause: &str) -> Failure {
        self.board.clean();
        NoBucket { cause: cause.to_owned(), flags: self.target.flags() }.into()
    }
}
