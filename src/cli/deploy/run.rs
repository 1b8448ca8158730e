//! The deployment of one stack.

use miette::{Diagnostic, NamedSource, SourceSpan};
use serde_json::Value;
use stackgen::access::change as access;
use stackgen::assembly::Protection;
use stackgen::deploy::aws::{self, Account};
use stackgen::deploy::change_set::{self, ChangeSet, Prepared};
use stackgen::deploy::gate::Other;
use stackgen::deploy::operation::{Ended, Operation};
use stackgen::deploy::stack::{self, Next, Shell, Stack};
use stackgen::deploy::store::{Store, Uploads};
use stackgen::deploy::{Progress, Unit, api, destroy, diagnosis, gate};
use stackgen::synth::code::ASSET_BUCKET;
use stackgen::template::check::INLINE_BYTES;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::bucket::{Asks, Bootstrap};
use super::report::{Deployed, What, names_taken, show_changes};
use super::two_steps::{Part, TWO_STEPS, after_second_step};
use super::{Arguments, Gate};
use crate::cli::output::{Board, bold, green, yellow};
use crate::cli::place::StackFile;
use crate::cli::{Failure, Outcome, Session, Step, aws_cli, update};

/// A deployment that did not come to a good end.
#[derive(Debug, Error, Diagnostic)]
#[error("stack `{stack}` was not deployed: {cause}")]
#[diagnostic(code(stackgen::deploy::failed))]
struct Failed {
    stack: String,
    cause: String,
    #[source_code]
    source_code: NamedSource<String>,
    #[label("this")]
    place: Option<SourceSpan>,
    #[help]
    help: String,
}

/// Changes that CloudFormation does not work out.
#[derive(Debug, Error, Diagnostic)]
#[error("CloudFormation refuses the changes to stack `{stack}`: {reason}")]
#[diagnostic(code(stackgen::change_set::failed))]
struct Refused {
    stack: String,
    reason: String,
    #[source_code]
    source_code: NamedSource<String>,
    #[label(collection, "this")]
    places: Vec<SourceSpan>,
    #[help]
    help: String,
}

/// The deployment of one stack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) session: &'a Session,
    pub(super) account: &'a Account,
    pub(super) board: &'a Board<'a>,
    pub(super) file: &'a StackFile,
    pub(super) unit: &'a Unit,
    /// What of the deployment this is.
    pub(super) part: Part,
    pub(super) gate: Gate<'a>,
    /// The changes in access that were agreed to.
    pub(super) agreed: &'a [access::Change],
    /// What changes besides access and resources.
    pub(super) others: &'a [Other],
}

impl Run<'_> {
    pub(super) async fn deploy(&self) -> Outcome<Deployed> {
        let existing = self.ready().await?;
        if let Some(stack) = &existing
            && self
                .untouched("the stack was looked at", change_set::is_deployed(self.account, self.unit, stack))
                .await?
        {
            return self.unchanged(stack.clone()).await;
        }
        if let Some(stack) = &existing {
            self.keep_rules_of_updates(stack).await?;
        }
        let store = self.store().await?;
        if let Some(store) = &store {
            let listener = |progress| self.board.tell(progress);
            let uploads = if existing.is_some() { Uploads::Missing } else { Uploads::All };
            let publish = store.publish(self.account, (&self.unit.assets, uploads), &listener);
            self.untouched("code was uploaded", publish).await?;
        }
        let first = self.first_step(existing.as_ref()).await?;
        let prepared = self.prepare(existing.as_ref(), store.as_ref()).await?;
        match (prepared, existing) {
            (Prepared::Ready(change_set), existing) => {
                self.agree(&change_set, first.as_ref()).await?;
                let stack = match first {
                    Some(first) => {
                        change_set::discard(self.account, &change_set).await?;
                        self.in_two_steps(&first, existing.as_ref(), store.as_ref()).await?
                    }
                    None => self.carry_out(&change_set).await?,
                };
                Ok(self.deployed(&change_set, stack).await)
            }
            (Prepared::Unchanged, Some(stack)) => self.unchanged(stack).await,
            (Prepared::Unchanged, None) => {
                Err(self.failed("CloudFormation finds nothing to create", None, NOTHING_DONE))
            }
            (Prepared::Cancelled, _) => Err(self.never_touched("CloudFormation worked out what changes")),
        }
    }

    /// Refuses an update that the rules refuse, before anything is uploaded or changed.
    async fn keep_rules_of_updates(&self, existing: &Stack) -> Outcome {
        let found = update::found(self.account, self.file, self.unit, existing);
        update::refuse(self.file, self.untouched("the stack was looked at", found).await?)
    }

    /// Protects the stack against deletion, or lifts that, where the stack file says something about it.
    pub(super) async fn protect(&self, stack: &mut Stack) -> Outcome {
        let Some(wanted) = self.unit.protection.filter(|wanted| *wanted != stack.protection) else { return Ok(()) };
        stack::protect(self.account, &stack.id, wanted).await?;
        stack.protection = wanted;
        let told = match wanted {
            Protection::On => "is protected against deletion",
            Protection::Off => "is not protected against deletion any more",
        };
        self.session.screen.note(format_args!("{} {} {told}", green("✓"), bold(&stack.name)));
        Ok(())
    }

    /// Tells of resources that CloudFormation will not be able to replace.
    async fn warn_of_names(&self, change_set: &ChangeSet) -> Outcome {
        if change_set.is_new || !change_set.may_replace_named() {
            return Ok(());
        }
        let deployed = stack::template(self.account, &change_set.stack_id).await?;
        let taken = change_set.names_taken(&deployed, &self.unit.template);
        if !taken.is_empty() {
            self.session.screen.warn(names_taken(&taken));
        }
        Ok(())
    }

    /// A step that leaves the stack as it is, wherever it is interrupted.
    pub(super) async fn untouched<T, E: Into<Failure>>(
        &self,
        during: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Outcome<T> {
        let stands = self.as_it_was();
        self.session.interrupts().step(Step { during, stands: &stands }, async { work.await.map_err(Into::into) }).await
    }

    fn never_touched(&self, during: &'static str) -> Failure {
        Step { during, stands: &self.as_it_was() }.interrupted()
    }

    /// What stands before anything was done to the stack.
    fn as_it_was(&self) -> String {
        let again = self.again();
        format!("stack `{}` is as it was before; run {again}: what is uploaded already stays", self.unit.stack)
    }

    pub(super) fn again(&self) -> String {
        format!("`stackgen deploy {}{}`", self.unit.stack, self.arguments.target.flags())
    }

    pub(super) async fn prepare(&self, existing: Option<&Stack>, store: Option<&Store>) -> Outcome<Prepared> {
        let listener = |progress| self.board.tell(progress);
        let interrupts = self.session.interrupts();
        interrupts.stands(format!(
            "{}; a change set that was never executed may be there; {} goes on",
            self.part.stands(),
            self.again()
        ));
        let preparation = change_set::Preparation { unit: self.unit, deployed: existing, store };
        let prepared = preparation.ask(self.account, &listener, interrupts.token()).await;
        self.board.clean();
        prepared.map_err(|error| self.refused(error))
    }

    /// CloudFormation does not work the changes out, with what it names underlined.
    fn refused(&self, error: change_set::Error) -> Failure {
        let change_set::Error::Failed { stack, reason, resources } = error else { return self.before_execution(error) };
        let remedy = if !resources.is_empty() && reason.contains("already exists") {
            "Give it another name, or none, or remove what has it; then run"
        } else {
            "Mend it and run"
        };
        let help = format!("{}. {remedy} {}", self.part.stands(), self.again());
        let places = resources.iter().filter_map(|logical_id| self.file.place(logical_id)).collect();
        Refused { stack, reason, source_code: self.file.source(), places, help }.into()
    }

    /// What fails before a change set is executed, with what an earlier step has left.
    pub(super) fn before_execution(&self, error: impl Into<Failure>) -> Failure {
        match self.part {
            Part::Whole | Part::First => error.into(),
            Part::Second => {
                let stands = format!("{}; run {}, which goes on", self.part.stands(), self.again());
                error.into().standing(&stands)
            }
        }
    }

    /// The stack, once it can be deployed to; nothing when it is to be made.
    async fn ready(&self) -> Outcome<Option<Stack>> {
        loop {
            let look = self.untouched("the stack was looked at", stack::describe(self.account, &self.unit.stack));
            let Some(stack) = look.await? else { return Ok(None) };
            match stack.next() {
                Next::Create => return Ok(None),
                Next::Update => return Ok(Some(stack)),
                Next::Refuse(stuck) => {
                    return Err(Failure::refused(stack.refusal(stuck, &self.arguments.target.flags(), &self.aws())));
                }
                Next::Wait => self.wait(&stack).await?,
                Next::RemoveShell(shell) => self.remove_shell(&stack, shell).await?,
            }
        }
    }

    /// Waits for what somebody else does to the stack. It is theirs, and so is its cancelling.
    async fn wait(&self, stack: &Stack) -> Outcome {
        self.board.tell(Progress::Waiting { stack: stack.name.clone(), status: stack.status.clone() });
        let operation = Operation::on(self.account, &stack.id).await?;
        let theirs = CancellationToken::new();
        self.untouched("another operation ran on the stack", self.follow(operation, &theirs)).await.map(drop)
    }

    async fn remove_shell(&self, stack: &Stack, shell: Shell) -> Outcome {
        let why = match shell {
            Shell::NeverExecuted => "a change set that was never executed left it behind, empty",
            Shell::RolledBack => "its first creation failed and left an empty stack, which must be removed first",
        };
        let screen = &self.session.screen;
        screen.note(format_args!("{} {} is in {}: {why}", yellow("!"), bold(&stack.name), stack.status));
        if shell == Shell::RolledBack {
            self.consent("Remove it?")?;
        }
        let operation = Operation::on(self.account, &stack.id).await?;
        destroy::start(self.account, &stack.id).await?;
        let stands = format!("the empty stack of an earlier attempt is being removed; run {}", self.again());
        let step = Step { during: "an empty stack was removed", stands: &stands };
        let never = CancellationToken::new();
        let removing = self.follow(operation, &never);
        let ended = self.session.interrupts().step(step, removing).await?;
        if stack::is_success(&ended.status) {
            return Ok(());
        }
        let cause = diagnosis::root_cause(self.account, &ended.events).await?;
        Err(self.failed("the empty stack of an earlier attempt could not be removed", cause, &ended.status))
    }

    /// The bucket, made on the first deployment that needs one.
    async fn store(&self) -> Outcome<Option<Store>> {
        let needed = !self.unit.assets.is_empty() || self.unit.template.len() > INLINE_BYTES;
        if !needed && !self.unit.template.contains(ASSET_BUCKET) {
            return Ok(None);
        }
        match self.untouched("the bucket was looked for", Store::find(self.account)).await? {
            None if needed => {
                let target = &self.arguments.target;
                let bootstrap = Bootstrap { session: self.session, account: self.account, target, board: self.board };
                bootstrap.make(self.asks()).await.map(Some)
            }
            found => Ok(found),
        }
    }

    /// Shows what will be done and has it agreed to; takes the change set back where it is not.
    async fn agree(&self, change_set: &ChangeSet, first: Option<&Unit>) -> Outcome {
        show_changes(self.session, change_set, self.others, self.asks());
        if first.is_some() {
            self.session.screen.note(format_args!("{} {TWO_STEPS}", yellow("two steps:")));
        }
        let agreed = self.is_agreed(change_set).await;
        if agreed.is_err() {
            change_set::discard(self.account, change_set).await?;
        }
        agreed
    }

    async fn is_agreed(&self, change_set: &ChangeSet) -> Outcome {
        self.warn_of_names(change_set).await?;
        self.still_agreed(change_set).await?;
        let verb = if change_set.is_new { "Create" } else { "Change" };
        self.consent(&format!("{verb} stack `{}` in {}?", change_set.stack, self.account.title()))?;
        if self.session.interrupts().token().is_cancelled() {
            return Err(self.never_touched("nothing was changed yet"));
        }
        Ok(())
    }

    async fn deployed(&self, change_set: &ChangeSet, stack: Stack) -> Deployed {
        let outcome = if change_set.is_new { What::Created } else { What::Updated };
        let hints = self.hints(&stack).await;
        let (access, changes, others) = (self.agreed.to_vec(), change_set.changes.clone(), self.others.to_vec());
        Deployed { access, outcome, changes, others, hints, stack }
    }

    /// Has CloudFormation make the changes, and follows it to the end.
    pub(super) async fn carry_out(&self, change_set: &ChangeSet) -> Outcome<Stack> {
        let interrupts = self.session.interrupts();
        let operation = Operation::on(self.account, &change_set.stack_id).await;
        let operation = operation.map_err(|error| self.before_execution(error))?;
        let started = Progress::Started { stack: change_set.stack.clone(), resources: change_set.changes.len() };
        self.board.tell(started);
        let look = format!("see what became of it with `stackgen list{}`", self.arguments.target.flags());
        let stack = &change_set.stack;
        interrupts.stands(format!("it is not known whether CloudFormation has begun with stack `{stack}`; {look}"));
        change_set::execute(self.account, change_set).await.map_err(|error| self.not_begun(error))?;
        interrupts.stands(format!("CloudFormation goes on by itself with stack `{stack}`; {look}"));
        let cancel = interrupts.token();
        let ended = self.follow(operation, cancel).await.map_err(|failure| interrupts.lost(failure))?;
        if !stack::is_success(&ended.status) || (!change_set.is_new && ended.status == "DELETE_COMPLETE") {
            let cause = diagnosis::root_cause(self.account, &ended.events).await;
            let cause = cause.map_err(|error| interrupts.lost(error))?;
            if cancel.is_cancelled() {
                // What is said of the stack as a whole is only what the cancelling led to.
                return Err(self.cancelled(cause.filter(|cause| cause.resource.is_some()), &ended.status));
            }
            return Err(self.failed("CloudFormation gives no reason", cause, &ended.status));
        }
        if ended.status == "DELETE_COMPLETE" {
            return Err(self.cancelled(None, &ended.status));
        }
        let stack = stack::describe(self.account, &change_set.stack_id).await;
        let stack = stack.map_err(|error| interrupts.lost(error))?;
        stack.ok_or_else(|| self.failed("it is gone", None, "DELETE_COMPLETE"))
    }

    /// CloudFormation did not take the change set, or its answer got lost.
    fn not_begun(&self, error: aws::Error) -> Failure {
        if error.is_refusal() {
            let stands = format!("{}; run {}", self.part.stands(), self.again());
            return Failure::from(error).standing(&stands);
        }
        self.session.interrupts().lost(error)
    }

    /// Compares access again, now that the change set is there: CloudFormation does not execute it any more when somebody
    /// else deploys in between.
    pub(super) async fn still_agreed(&self, change_set: &ChangeSet) -> Outcome {
        if change_set.is_new {
            return Ok(());
        }
        let comparing = async {
            let deployed = stack::describe(self.account, &change_set.stack_id).await?;
            gate::compare(self.account, self.unit, deployed.as_ref()).await
        };
        let compared = comparing.await.map_err(|error| self.before_execution(error))?;
        let fresh: Vec<access::Change> =
            compared.access.into_iter().filter(|change| !self.agreed.contains(change)).collect();
        self.gate.judge(&self.unit.stack, &fresh, self.part.stands())
    }

    async fn follow(&self, operation: Operation<'_>, cancel: &CancellationToken) -> Outcome<Ended> {
        let ended = operation.follow(&|progress| self.board.tell(progress), cancel).await;
        self.board.clean();
        Ok(ended?)
    }

    async fn unchanged(&self, stack: Stack) -> Outcome<Deployed> {
        let hints = self.hints(&stack).await;
        let (access, changes, others) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Deployed { access, stack, outcome: What::Unchanged, changes, others, hints })
    }

    /// Whether a person must agree. In the local cloud nothing is at stake.
    fn asks(&self) -> Asks {
        if self.arguments.yes || self.arguments.target.local { Asks::No } else { Asks::Yes }
    }

    fn consent(&self, question: &str) -> Outcome {
        match self.asks() {
            Asks::No => Ok(()),
            Asks::Yes => self.session.screen.consent(question),
        }
    }

    /// How the aws CLI is called for the same target.
    fn aws(&self) -> String {
        aws_cli::call(&self.arguments.target, self.account)
    }

    pub(super) fn failed(&self, otherwise: &str, cause: Option<diagnosis::Cause>, status: &str) -> Failure {
        self.ended("Mend the cause and run", (otherwise, cause), status)
    }

    fn cancelled(&self, cause: Option<diagnosis::Cause>, status: &str) -> Failure {
        self.ended("Run", ("it was cancelled", cause), status)
    }

    fn ended(&self, next: &str, (otherwise, cause): (&str, Option<diagnosis::Cause>), status: &str) -> Failure {
        let place = cause
            .as_ref()
            .and_then(|cause| cause.resource.as_ref())
            .and_then(|culprit| self.file.place(&culprit.logical_id));
        let cause = cause.map_or_else(
            || otherwise.to_owned(),
            |cause| match cause.resource {
                Some(culprit) => {
                    format!("`{}` ({}) {}: {}", culprit.logical_id, culprit.kind, culprit.status, cause.reason)
                }
                None => cause.reason,
            },
        );
        let help = after_second_step(self.part, status, &self.again())
            .unwrap_or_else(|| self.next_command(next).after(status));
        Failed { stack: self.unit.stack.clone(), cause, source_code: self.file.source(), place, help }.into()
    }

    fn next_command<'s>(&'s self, next: &'s str) -> NextCommand<'s> {
        NextCommand { next, stack: &self.unit.stack, flags: self.arguments.target.flags(), aws: self.aws() }
    }

    /// What can be tried with the deployed stack: exact commands.
    async fn hints(&self, stack: &Stack) -> Vec<String> {
        let template: Value = serde_json::from_str(&self.unit.template).unwrap_or_default();
        let Some(api) = api::apis(&template).into_iter().next() else { return Vec::new() };
        let mut routes = api.routes.iter().filter_map(|route| Some((route, route.key.strip_prefix("GET ")?)));
        let Some((route, path)) = routes.next() else { return Vec::new() };
        let mut hints = Vec::new();
        let has_users =
            matches!(route.asks, api::Asks::Token | api::Asks::Scopes) && self.file.stack.user_pools.len() == 1;
        let which = self.session.stack_flag(&stack.name);
        if has_users {
            hints.push(format!("stackgen user create alice@example.com{which}"));
            hints.push(format!("stackgen call GET {path} --as alice@example.com{which}"));
        } else if route.asks == api::Asks::Custom {
            hints.push(format!("stackgen call GET {path} --header '{}: TOKEN'{which}", route.header));
        } else {
            hints.push(format!("stackgen call GET {path}{which}"));
        }
        if let Ok(resources) = stack::resources(self.account, &stack.id).await
            && let Some(stage) = api.stage(None).ok().or(api.stages.first().map(String::as_str))
            && let Ok(base) = api::base_url(self.account, &stack.name, (&api, stage), &resources).await
        {
            hints.push(format!("curl -i '{base}{path}'"));
        }
        hints
    }
}

/// The status of a stack to which nothing was done.
pub(super) const NOTHING_DONE: &str = "";

/// What the next command after a bad end is made of.
struct NextCommand<'a> {
    /// What is done before it, if anything is.
    next: &'a str,
    stack: &'a str,
    flags: String,
    aws: String,
}

impl NextCommand<'_> {
    /// What CloudFormation did about a failure, and the next command.
    fn after(&self, status: &str) -> String {
        let Self { next, stack, flags, aws } = self;
        let again = format!("`stackgen deploy {stack}{flags}`");
        match status {
            "ROLLBACK_COMPLETE" => {
                format!("CloudFormation removed what it had made. {next} {again}; it removes the empty stack first")
            }
            "UPDATE_ROLLBACK_COMPLETE" => {
                format!("CloudFormation went back to what was deployed before. {next} {again}")
            }
            "DELETE_COMPLETE" => format!("the stack was deleted. Run {again} to create it"),
            "ROLLBACK_FAILED" | "DELETE_FAILED" | "CREATE_FAILED" => {
                format!("some of it is still there. Remove it with `stackgen destroy {stack}{flags}`")
            }
            "UPDATE_ROLLBACK_FAILED" => format!(
                "CloudFormation could not go back either. Mend the cause, then run `{aws} cloudformation \
                 continue-update-rollback --stack-name {stack}`"
            ),
            NOTHING_DONE => "nothing was changed".to_owned(),
            other => format!("the stack is in {other}. {next} {again}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NextCommand;

    #[test]
    fn each_bad_end_names_the_next_command() {
        let after = |status: &str| {
            let (flags, aws) = (" --profile dev".to_owned(), "aws --region eu-central-1 --profile dev".to_owned());
            NextCommand { next: "Mend the cause and run", stack: "notes", flags, aws }.after(status)
        };
        for status in ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"] {
            assert!(after(status).contains("stackgen deploy notes --profile dev"), "{status}");
        }
        assert!(after("ROLLBACK_FAILED").contains("`stackgen destroy notes --profile dev`"));
        let back =
            "`aws --region eu-central-1 --profile dev cloudformation continue-update-rollback --stack-name notes`";
        assert!(after("UPDATE_ROLLBACK_FAILED").contains(back));
        let cancelled = NextCommand { next: "Run", stack: "notes", flags: String::new(), aws: String::new() };
        assert!(cancelled.after("UPDATE_ROLLBACK_COMPLETE").ends_with("before. Run `stackgen deploy notes`"));
    }
}
