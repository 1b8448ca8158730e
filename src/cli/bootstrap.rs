//! `stackgen bootstrap`: the bucket through which code is deployed, and what its users must be allowed to do.

use clap::Args;
use miette::Diagnostic;
use serde_json::json;
use stackgen::deploy::aws::Account;
use stackgen::deploy::operation::Operation;
use stackgen::deploy::store::{BOOTSTRAP_STACK, Store};
use stackgen::deploy::{Progress, destroy, stack};
use stackgen::project::Project;
use thiserror::Error;

use super::deploy::{Asks, Bootstrap};
use super::output::{Board, bold, dim, green};
use super::{Failure, Outcome, Session, Step, Target, Turn, block_on, policy};

/// Arguments of `stackgen bootstrap`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Empties and removes our own bucket instead. A bucket of the CDK is never touched.
    #[arg(long)]
    destroy: bool,
    /// Prints the smallest IAM policy with which these stacks, or all, can be deployed, updated and destroyed; makes
    /// nothing. With `--account` and `--region` it needs neither network nor credentials.
    #[arg(long, value_name = "STACK", num_args = 0.., conflicts_with = "destroy")]
    policy: Option<Vec<String>>,
    #[command(flatten)]
    policy_options: policy::Options,
    /// Does not ask. In the local cloud nothing is asked.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    target: Target,
}

const WHILE_REACHING: Step<'static> =
    Step { during: "the account was being reached", stands: "nothing was done; run the command again" };

/// Why the bucket is still there.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// CloudFormation could not remove the stack.
    #[error("stack `{BOOTSTRAP_STACK}` could not be removed ({status})")]
    #[diagnostic(code(stackgen::bootstrap::not_removed), help("repeat {again}"))]
    NotRemoved { status: String, again: String },
}

impl Arguments {
    /// Makes, removes or prints.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        if let Some(stacks) = &self.policy {
            return self.policy_options.print(session, &project, stacks, &self.target);
        }
        block_on(async {
            let _turn = Turn::take(session, &project).await?;
            if self.destroy { self.remove(session, &project).await } else { self.make(session, &project).await }
        })
    }

    fn asks(&self) -> Asks {
        if self.yes || self.target.local { Asks::No } else { Asks::Yes }
    }

    /// The command that goes on removing the bucket.
    fn again(&self) -> String {
        format!("`stackgen bootstrap --destroy{}`", self.target.flags())
    }

    async fn make(&self, session: &Session, project: &Project) -> Outcome {
        let reaching = async {
            let account = self.target.connect(session, project).await?;
            let found = Store::find(&account).await?;
            Ok((account, found))
        };
        let (account, found) = session.interrupts().step(WHILE_REACHING, reaching).await?;
        let existed = found.is_some();
        let board = Board::new(&session.screen);
        let store = match found {
            Some(store) => store,
            None => {
                let bootstrap = Bootstrap { session, account: &account, target: &self.target, board: &board };
                bootstrap.make(self.asks()).await?
            }
        };
        let owner = if store.is_own() { "stackgen" } else { "cdk" };
        let document = json!({ "bucket": store.bucket(), "owner": owner, "existed": existed });
        session.screen.answer(&document, || match (existed, store.is_own()) {
            (true, false) => format!("{} the CDK's bucket {} is used", green("✓"), bold(store.bucket())),
            (true, true) => format!("{} bucket {} is there already", green("✓"), bold(store.bucket())),
            (false, _) => format!("{} bucket {} was made", green("✓"), bold(store.bucket())),
        });
        Ok(())
    }

    async fn remove(&self, session: &Session, project: &Project) -> Outcome {
        let interrupts = session.interrupts();
        let reaching = async {
            let account = self.target.connect(session, project).await?;
            let found = stack::describe(&account, BOOTSTRAP_STACK).await?;
            Ok((account, found))
        };
        let (account, found) = interrupts.step(WHILE_REACHING, reaching).await?;
        let Some(found) = found else {
            session.screen.answer(&json!({ "existed": false }), || {
                format!("{} there is no stack {BOOTSTRAP_STACK}; nothing to remove", green("✓"))
            });
            return Ok(());
        };
        if self.asks() == Asks::Yes {
            let title = account.title();
            session.screen.consent(&format!("Empty and remove the bucket of `{BOOTSTRAP_STACK}` in {title}?"))?;
        }
        let mut objects = 0;
        if let Some(bucket) = found.outputs.get("BucketName") {
            session.screen.note(dim(format_args!("emptying {bucket}")));
            let stands = format!("the bucket is there and may hold objects still; repeat {}", self.again());
            let step = Step { during: "the bucket was emptied", stands: &stands };
            objects = interrupts.step(step, async { Ok(Store::own(bucket).empty(&account).await?) }).await?;
        }
        self.remove_stack(session, &account, &found).await?;
        session.screen.answer(&json!({ "existed": true, "objects": objects }), || {
            format!("{} {BOOTSTRAP_STACK} is removed, with {objects} versions of objects; nothing is left", green("✓"))
        });
        Ok(())
    }

    async fn remove_stack(&self, session: &Session, account: &Account, found: &stack::Stack) -> Outcome {
        let (interrupts, again) = (session.interrupts(), self.again());
        let board = Board::new(&session.screen);
        let operation = Operation::on(account, &found.id).await?;
        board.tell(Progress::Started { stack: found.name.clone(), resources: 2 });
        interrupts
            .stands(format!("the bucket is empty, and whether CloudFormation removes it is not known; repeat {again}"));
        destroy::start(account, &found.id).await.map_err(|error| {
            let refused = format!("the bucket is empty, and stays; repeat {again}");
            if error.is_refusal() { Failure::from(error).standing(&refused) } else { interrupts.lost(error) }
        })?;
        interrupts.stands(format!("the bucket is empty, and CloudFormation goes on removing it; repeat {again}"));
        let ended = operation.follow(&|progress| board.tell(progress), interrupts.token()).await;
        board.clean();
        let status = ended.map_err(|error| interrupts.lost(error))?.status;
        if status == "DELETE_COMPLETE" { Ok(()) } else { Err(Error::NotRemoved { status, again }.into()) }
    }
}
