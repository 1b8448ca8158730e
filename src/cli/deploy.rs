//! `stackgen deploy`: from stack files to running stacks.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::Serialize;
use serde_json::{Value, json};
use stackgen::access::change as access;
use stackgen::assembly::Protection;
use stackgen::deploy::aws::Account;
use stackgen::deploy::change_set::{self, Action, Change, ChangeSet, NameTaken, Prepared};
use stackgen::deploy::gate::Comparison;
use stackgen::deploy::operation::{Ended, Operation};
use stackgen::deploy::stack::{self, Next, Shell, Stack};
use stackgen::deploy::store::{self, Store};
use stackgen::deploy::{Progress, Unit, api, destroy, diagnosis, gate, steps};
use stackgen::project::Project;
use stackgen::template::text;
use stackgen::{assembly, bundle};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::diff::access_table;
use super::output::{Board, bold, dim, green, red, yellow};
use super::place::StackFile;
use super::plan::{self, Planned};
use super::{Failure, Interrupts, Outcome, Session, Step, Table, Target, Turn, block_on, target, update};

/// Arguments of `stackgen deploy`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of the stacks; the only one of the project when absent.
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
    /// All stacks of the project, each after those whose outputs it takes.
    #[arg(long, conflicts_with = "stacks")]
    all: bool,
    /// Does not ask before it changes anything. Deployments to the local cloud never ask.
    #[arg(long, short)]
    yes: bool,
    /// Accepts that access to this is weakened: a route such as `GET /orders`, or what `stackgen diff` names. With
    /// several stacks the name has its stack before it, as in `notes:GET /orders`. `--yes` does not accept it, and the
    /// local cloud asks for it too.
    #[arg(long = "accept-weakening", value_name = "NAME")]
    accepted: Vec<String>,
    /// Value of a template's parameter; one that is not given keeps its deployed value, or its default.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// File for the outputs, as the CDK writes it: `{"STACK": {"OUTPUT": "VALUE"}}`.
    #[arg(long, value_name = "FILE")]
    outputs_file: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// `NAME=VALUE` in two.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() { Err("the name before `=` is empty".to_owned()) } else { Ok((name.into(), value.into())) }
}

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

/// Access would be weakened.
#[derive(Debug, Error, Diagnostic)]
#[error("stack `{stack}` was not deployed: access would be weakened at {names}")]
#[diagnostic(code(stackgen::deploy::weakened), help("nothing was changed. To accept it, add {flags}"))]
struct Weakened {
    stack: String,
    names: String,
    flags: String,
}

/// What became of one stack.
#[derive(Debug)]
struct Deployed {
    access: Vec<access::Change>,
    stack: Stack,
    outcome: What,
    changes: Vec<Change>,
    hints: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum What {
    Created,
    Updated,
    Unchanged,
}

impl Arguments {
    /// Deploys.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = if self.all {
            project.stacks().map_err(Failure::refused)?
        } else if self.stacks.is_empty() {
            vec![session.stack(&project, None, ", or deploy them with `--all`")?]
        } else {
            self.stacks.clone()
        };
        let planned = plan::synthesize(plan::read(session, &project, &names)?)?;
        let _turn = Turn::take(session, &project)?;
        block_on(self.deploy(session, &project, planned))
    }

    async fn deploy(&self, session: &Session, project: &Project, planned: Vec<Planned>) -> Outcome {
        let (account, built) = self.reach_and_build(session, project, &planned).await?;
        if !self.target.local {
            assembly::write(&project.out(), &plan::assembled_with_code(&planned, &built), assembly::Format::Json)?;
        }
        let parameters = self.parameters.iter().cloned().collect();
        let units = plan::units(&planned, &built, &parameters)?;
        session.screen.note(format_args!("{} {}", dim("target:"), account.title()));
        let board = Board::new(&session.screen);
        let naming = Naming::of(&units);
        let gate = Gate { arguments: self, session, account: &account, naming };
        let agreed = gate.pass(&units).await?;
        let mut deployed = Vec::new();
        for ((planned, unit), agreed) in planned.iter().zip(&units).zip(&agreed) {
            if session.interrupts().token().is_cancelled() {
                return Err(between(&deployed, &unit.stack));
            }
            let file = &planned.file;
            let run = Run { arguments: self, session, account: &account, board: &board, file, unit, gate, agreed };
            let one = run.deploy().await;
            board.clean();
            let mut one = one?;
            run.protect(&mut one.stack).await?;
            deployed.push(one);
            target::remember(project, &unit.stack, &self.target)?;
        }
        if let Some(file) = &self.outputs_file {
            write_outputs(file, deployed.iter().map(|one| &one.stack))?;
        }
        answer(session, &account, &deployed);
        Ok(())
    }

    /// Builds the functions while the account is being reached.
    async fn reach_and_build(
        &self,
        session: &Session,
        project: &Project,
        planned: &[Planned],
    ) -> Outcome<(Account, Vec<Vec<bundle::Asset>>)> {
        let purpose = if self.target.local { bundle::Purpose::Local } else { bundle::Purpose::Deploy };
        let interrupts = session.interrupts();
        let is_built = Cell::new(false);
        let building = async {
            let built = plan::bundle(session, project, planned, purpose).await;
            is_built.set(true);
            built
        };
        let reaching = async {
            tokio::select! {
                account = self.target.connect(session, project) => account,
                // While functions are built, it is the build that is interrupted.
                () = left_alone(&interrupts, &is_built) => Err(REACHING.interrupted()),
            }
        };
        tokio::try_join!(reaching, building)
    }
}

/// Ends when the user interrupts and nothing is being built any more.
async fn left_alone(interrupts: &Interrupts, is_built: &Cell<bool>) {
    interrupts.token().cancelled().await;
    if !is_built.get() {
        std::future::pending::<()>().await;
    }
}

/// An interruption after some stacks were deployed and before the next.
fn between(deployed: &[Deployed], next: &str) -> Failure {
    let done: Vec<String> = deployed.iter().map(|one| format!("`{}`", one.stack.name)).collect();
    let stands = format!("{} is deployed, and from `{next}` on nothing was; run the command again", done.join(", "));
    Step { during: "stacks were deployed", stands: &stands }.interrupted()
}

const REACHING: Step<'static> =
    Step { during: "the account was being reached", stands: "nothing was deployed; run the command again" };

/// What stops deployments that would weaken access.
#[derive(Debug, Clone, Copy)]
struct Gate<'a> {
    arguments: &'a Arguments,
    session: &'a Session,
    account: &'a Account,
    naming: Naming,
}

/// How a thing whose access is weakened is named when that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// By its name alone.
    Plain,
    /// With its stack: what is accepted for one stack is not accepted for another that has a thing of the same name.
    WithStack,
}

impl Naming {
    fn of(units: &[Unit]) -> Self {
        if units.len() > 1 { Self::WithStack } else { Self::Plain }
    }

    fn name(self, stack: &str, change: &access::Change) -> String {
        match self {
            Self::Plain => change.name.clone(),
            Self::WithStack => format!("{stack}:{}", change.name),
        }
    }

    /// The names of what is weakened and not accepted, each once.
    fn unaccepted(self, stack: &str, changes: &[access::Change], accepted: &[String]) -> BTreeSet<String> {
        let names = access::weakened_by(changes).map(|change| self.name(stack, change));
        names.filter(|name| !accepted.contains(name)).collect()
    }
}

impl Gate<'_> {
    /// Compares all stacks with what is deployed before anything is done to any of them. Returns the changes in access
    /// that were agreed to, stack by stack.
    async fn pass(&self, units: &[Unit]) -> Outcome<Vec<Vec<access::Change>>> {
        let mut agreed = Vec::new();
        let mut names = BTreeSet::new();
        for unit in units {
            let stands = "nothing was changed; run the command again";
            let step = Step { during: "access was compared with what is deployed", stands };
            let compared = self.session.interrupts().step(step, self.compare(unit)).await?;
            self.tell(&unit.stack, &compared);
            self.judge(&unit.stack, &compared.access)?;
            names.extend(compared.access.iter().map(|change| self.naming.name(&unit.stack, change)));
            agreed.push(compared.access);
        }
        for name in self.arguments.accepted.iter().filter(|name| !names.contains(*name)) {
            self.session.screen.warn(format_args!("`--accept-weakening {}` accepts nothing", quoted(name)));
        }
        Ok(agreed)
    }

    async fn compare(&self, unit: &Unit) -> Outcome<Comparison> {
        let deployed = stack::describe(self.account, &unit.stack).await?.filter(Stack::has_resources);
        Ok(gate::compare(self.account, unit, deployed.as_ref()).await?)
    }

    fn tell(&self, stack: &str, compared: &Comparison) {
        let screen = &self.session.screen;
        if !compared.access.is_empty() {
            screen.note(format_args!("{}", bold(format_args!("changes in access to {stack}:"))));
            screen.note(access_table(&compared.access));
        }
        for open in &compared.open {
            screen.note(format_args!("{} {open}", yellow("open:")));
        }
    }

    /// Lets pass what weakens nothing and what is accepted by name, by a flag or on the terminal.
    fn judge(&self, stack: &str, changes: &[access::Change]) -> Outcome {
        let mut names = self.naming.unaccepted(stack, changes, &self.arguments.accepted);
        if self.session.screen.can_ask() {
            let is_accepted = |name: &str| {
                let question = format!("{} is weakened. Type its name to accept that:", bold(name));
                self.session.screen.typed(&question, name)
            };
            while let Some(name) = names.first() {
                if !is_accepted(name)? {
                    break;
                }
                names.pop_first();
            }
        }
        if names.is_empty() { Ok(()) } else { Err(Failure::weakened(Weakened::at(stack, &names))) }
    }
}

impl Weakened {
    fn at(stack: &str, names: &BTreeSet<String>) -> Self {
        let join = |words: Vec<String>, between: &str| words.join(between);
        Self {
            stack: stack.to_owned(),
            names: join(names.iter().map(|name| format!("`{name}`")).collect(), ", "),
            flags: join(names.iter().map(|name| format!("`--accept-weakening {}`", quoted(name))).collect(), " "),
        }
    }
}

/// A text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The deployment of one stack.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    arguments: &'a Arguments,
    session: &'a Session,
    account: &'a Account,
    board: &'a Board<'a>,
    file: &'a StackFile,
    unit: &'a Unit,
    gate: Gate<'a>,
    /// The changes in access that were agreed to.
    agreed: &'a [access::Change],
}

impl Run<'_> {
    async fn deploy(&self) -> Outcome<Deployed> {
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
            let publish = store.publish(self.account, &self.unit.assets, &listener);
            self.untouched("code was uploaded", publish).await?;
        }
        let prepared = self.prepare(existing.as_ref(), store.as_ref()).await?;
        match (prepared, existing) {
            (Prepared::Ready(change_set), existing) => {
                self.execute(&change_set, existing.as_ref(), store.as_ref()).await
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
    async fn protect(&self, stack: &mut Stack) -> Outcome {
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
    async fn untouched<T, E: Into<Failure>>(
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

    fn again(&self) -> String {
        format!("`stackgen deploy {}{}`", self.unit.stack, self.arguments.target.flags())
    }

    async fn prepare(&self, existing: Option<&Stack>, store: Option<&Store>) -> Outcome<Prepared> {
        let listener = |progress| self.board.tell(progress);
        let interrupts = self.session.interrupts();
        interrupts.stands(format!(
            "a change set that was never executed may be there, and changes nothing; {} goes on",
            self.again()
        ));
        let preparation = change_set::Preparation { unit: self.unit, deployed: existing, store };
        let prepared = preparation.ask(self.account, &listener, interrupts.token()).await;
        self.board.clean();
        Ok(prepared?)
    }

    /// The stack, once it can be deployed to; nothing when it is to be made.
    async fn ready(&self) -> Outcome<Option<Stack>> {
        loop {
            let look = self.untouched("the stack was looked at", stack::describe(self.account, &self.unit.stack));
            let Some(stack) = look.await? else { return Ok(None) };
            match stack.next() {
                Next::Create => return Ok(None),
                Next::Update => return Ok(Some(stack)),
                Next::Refuse(stuck) => return Err(stack.refusal(stuck).into()),
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
        let needed = !self.unit.assets.is_empty() || self.unit.template.len() > change_set::INLINE_LIMIT;
        if !needed && !self.unit.template.contains(change_set::BUCKET_PARAMETER) {
            return Ok(None);
        }
        match Store::find(self.account).await? {
            None if needed => {
                let bootstrap = Bootstrap { session: self.session, account: self.account, board: self.board };
                bootstrap.make(self.asks()).await.map(Some)
            }
            found => Ok(found),
        }
    }

    async fn execute(
        &self,
        change_set: &ChangeSet,
        existing: Option<&Stack>,
        store: Option<&Store>,
    ) -> Outcome<Deployed> {
        show_changes(self.session, change_set);
        self.warn_of_names(change_set).await?;
        if let Err(weaker) = self.still_agreed(change_set).await {
            change_set::discard(self.account, change_set).await?;
            return Err(weaker);
        }
        let interrupts = self.session.interrupts();
        let verb = if change_set.is_new { "Create" } else { "Change" };
        let agreed =
            self.consent(&format!("{verb} stack `{}` in {}?", change_set.stack, self.account.title())).and_then(|()| {
                if interrupts.token().is_cancelled() {
                    Err(self.never_touched("nothing was changed yet"))
                } else {
                    Ok(())
                }
            });
        if let Err(declined) = agreed {
            change_set::discard(self.account, change_set).await?;
            return Err(declined);
        }
        let stack = match self.first_step(existing).await? {
            Some(unit) => {
                change_set::discard(self.account, change_set).await?;
                self.session.screen.note(format_args!("{} {FIRST_STEP}", yellow("two steps:")));
                let first = Run { unit: &unit, ..*self }.step(existing, store).await?;
                match self.step(first.as_ref().or(existing), store).await? {
                    Some(stack) => stack,
                    None => return Err(self.half_done()),
                }
            }
            None => self.carry_out(change_set).await?,
        };
        let outcome = if change_set.is_new { What::Created } else { What::Updated };
        let hints = self.hints(&stack).await;
        let access = self.agreed.to_vec();
        Ok(Deployed { access, outcome, changes: change_set.changes.clone(), hints, stack })
    }

    /// What has to be deployed before the stack itself, so that nothing stays open that is removed.
    async fn first_step(&self, existing: Option<&Stack>) -> Outcome<Option<Unit>> {
        let Some(existing) = existing else { return Ok(None) };
        let deployed = self.untouched("the stack was looked at", stack::template(self.account, &existing.id)).await?;
        let (Ok(deployed), Ok(wanted)) = (text::parse(&deployed), serde_json::from_str::<Value>(&self.unit.template))
        else {
            return Ok(None);
        };
        let first = steps::first(&deployed, &wanted);
        Ok(first.map(|template| Unit { template: template.to_string(), ..self.unit.clone() }))
    }

    /// One of two steps; nothing when there is nothing to do in it.
    async fn step(&self, existing: Option<&Stack>, store: Option<&Store>) -> Outcome<Option<Stack>> {
        match self.prepare(existing, store).await? {
            Prepared::Ready(change_set) => {
                if let Err(weaker) = self.still_agreed(&change_set).await {
                    change_set::discard(self.account, &change_set).await?;
                    return Err(weaker);
                }
                self.carry_out(&change_set).await.map(Some)
            }
            Prepared::Unchanged => Ok(None),
            Prepared::Cancelled => Err(self.half_done()),
        }
    }

    fn half_done(&self) -> Failure {
        let stands = format!("stages of REST APIs serve what they did before; run {}, which goes on", self.again());
        Step { during: "two steps were made of the deployment", stands: &stands }.interrupted()
    }

    /// Has CloudFormation make the changes, and follows it to the end.
    async fn carry_out(&self, change_set: &ChangeSet) -> Outcome<Stack> {
        let interrupts = self.session.interrupts();
        let operation = Operation::on(self.account, &change_set.stack_id).await?;
        let started = Progress::Started { stack: change_set.stack.clone(), resources: change_set.changes.len() };
        self.board.tell(started);
        interrupts.stands(format!(
            "CloudFormation goes on by itself with stack `{}`; see what became of it with `stackgen list{}`",
            change_set.stack,
            self.arguments.target.flags()
        ));
        change_set::execute(self.account, change_set).await?;
        let cancel = interrupts.token();
        let ended = self.follow(operation, cancel).await?;
        if !stack::is_success(&ended.status) || (!change_set.is_new && ended.status == "DELETE_COMPLETE") {
            let cause = diagnosis::root_cause(self.account, &ended.events).await?;
            if cancel.is_cancelled() {
                // What is said of the stack as a whole is only what the cancelling led to.
                let cause = cause.filter(|cause| cause.resource.is_some());
                return Err(self.failed("it was cancelled", cause, &ended.status));
            }
            return Err(self.failed("CloudFormation gives no reason", cause, &ended.status));
        }
        if ended.status == "DELETE_COMPLETE" {
            return Err(self.failed("it was cancelled", None, &ended.status));
        }
        let stack = stack::describe(self.account, &change_set.stack_id).await?;
        stack.ok_or_else(|| self.failed("it is gone", None, "DELETE_COMPLETE"))
    }

    /// Compares access again, now that the change set is there: CloudFormation does not execute it any more when somebody
    /// else deploys in between.
    async fn still_agreed(&self, change_set: &ChangeSet) -> Outcome {
        if change_set.is_new {
            return Ok(());
        }
        let deployed = stack::describe(self.account, &change_set.stack_id).await?;
        let compared = gate::compare(self.account, self.unit, deployed.as_ref()).await?;
        let fresh: Vec<access::Change> =
            compared.access.into_iter().filter(|change| !self.agreed.contains(change)).collect();
        self.gate.judge(&self.unit.stack, &fresh)
    }

    async fn follow(&self, operation: Operation<'_>, cancel: &CancellationToken) -> Outcome<Ended> {
        let ended = operation.follow(&|progress| self.board.tell(progress), cancel).await;
        self.board.clean();
        Ok(ended?)
    }

    async fn unchanged(&self, stack: Stack) -> Outcome<Deployed> {
        let hints = self.hints(&stack).await;
        Ok(Deployed { access: Vec::new(), stack, outcome: What::Unchanged, changes: Vec::new(), hints })
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

    fn failed(&self, otherwise: &str, cause: Option<diagnosis::Cause>, status: &str) -> Failure {
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
        let help = after_failure(&self.unit.stack, status, &self.arguments.target.flags());
        Failed { stack: self.unit.stack.clone(), cause, source_code: self.file.source(), place, help }.into()
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
        let only = self.session.project().and_then(|project| Ok(project.stacks()?.len() == 1)).unwrap_or_default();
        let which = if only { String::new() } else { format!(" --stack {}", stack.name) };
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

const NOTHING_DONE: &str = "";

const FIRST_STEP: &str =
    "what leaves a REST API goes first, then the API is deployed anew; in one step it would stay open";

/// What CloudFormation did about a failure, and the next command.
fn after_failure(stack: &str, status: &str, flags: &str) -> String {
    let again = format!("`stackgen deploy {stack}{flags}`");
    match status {
        "ROLLBACK_COMPLETE" => format!(
            "CloudFormation removed what it had made. Mend the cause and run {again}; it removes the empty stack first"
        ),
        "UPDATE_ROLLBACK_COMPLETE" => {
            format!("CloudFormation went back to what was deployed before. Mend the cause and run {again}")
        }
        "DELETE_COMPLETE" => format!("the stack was deleted. Run {again} to create it"),
        "ROLLBACK_FAILED" | "DELETE_FAILED" | "CREATE_FAILED" => {
            format!("some of it is still there. Remove it with `stackgen destroy {stack}{flags}`")
        }
        "UPDATE_ROLLBACK_FAILED" => format!(
            "CloudFormation could not go back either. Mend the cause, then run `aws cloudformation \
             continue-update-rollback --stack-name {stack}`"
        ),
        NOTHING_DONE => "nothing was changed".to_owned(),
        other => format!("the stack is in {other}. Mend the cause and run {again}"),
    }
}

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
    pub(crate) board: &'a Board<'a>,
}

/// Why there is no bucket.
#[derive(Debug, Error, Diagnostic)]
#[error("stack `{}` could not be made: {cause}", store::BOOTSTRAP_STACK)]
#[diagnostic(
    code(stackgen::bootstrap::failed),
    help("mend the cause; if the stack is still there, remove it with `stackgen bootstrap --destroy`; then try again")
)]
struct NoBucket {
    cause: String,
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
        change_set::execute(self.account, &change_set).await?;
        let ended = operation.follow(&listener, interrupts.token()).await?;
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
            Next::Refuse(stuck) => Err(stack.refusal(stuck).into()),
            _ => Ok(()),
        }
    }

    fn no_bucket(&self, cause: &str) -> Failure {
        self.board.clean();
        NoBucket { cause: cause.to_owned() }.into()
    }
}

fn show_changes(session: &Session, change_set: &ChangeSet) {
    let mut table = Table::new(["", "resource", "type", "because of"]);
    for change in &change_set.changes {
        let word = change.action.word();
        let word = match change.action {
            Action::Add | Action::Import => green(word),
            Action::Modify => yellow(word),
            _ => red(word),
        };
        table.row([word, change.logical_id.clone(), dim(&change.kind), change.because.join(", ")]);
    }
    session
        .screen
        .note(format_args!("{}", bold(format_args!("{} changes of {}:", change_set.changes.len(), change_set.stack))));
    session.screen.note(&table);
    for change in change_set.changes.iter().filter(|change| change.loses_data()) {
        session.screen.warn(format_args!(
            "{} `{}` is {}: {}",
            change.kind,
            change.logical_id,
            change.action.word(),
            bold("everything in it is lost")
        ));
    }
}

fn names_taken(taken: &[NameTaken]) -> String {
    let mut table = Table::new(["resource", "type", "named by", "name"]);
    for one in taken {
        table.row([bold(&one.logical_id), dim(&one.kind), one.property.to_owned(), one.name.clone()]);
    }
    let sure = taken.iter().any(|one| one.action != Action::MayReplace);
    let outlook = if sure { "will fail and be rolled back" } else { "may fail and be rolled back" };
    format!(
        "CloudFormation makes a new resource before it removes the old one, and two cannot have the same name. This \
         {outlook}: change the name as well, or leave it out\n{table}"
    )
}

/// The outputs as the CDK writes them, whole or not at all.
pub(crate) fn write_outputs<'a>(file: &Path, stacks: impl Iterator<Item = &'a Stack>) -> Outcome {
    let document: BTreeMap<&str, &BTreeMap<String, String>> =
        stacks.map(|stack| (stack.name.as_str(), &stack.outputs)).collect();
    let mut text = serde_json::to_string_pretty(&document).expect("names and texts can be written as JSON");
    text.push('\n');
    target::write_shared(file, text.as_bytes())
}

fn answer(session: &Session, account: &Account, deployed: &[Deployed]) {
    let stacks: Vec<Value> = deployed
        .iter()
        .map(|one| {
            let changes: Vec<Value> = one
                .changes
                .iter()
                .map(|change| {
                    json!({
                        "resource": change.logical_id,
                        "type": change.kind,
                        "action": change.action.word(),
                        "because": change.because,
                        "losesData": change.loses_data(),
                    })
                })
                .collect();
            json!({
                "stack": one.stack.name,
                "result": one.outcome,
                "status": one.stack.status,
                "terminationProtection": one.stack.protection == Protection::On,
                "access": one.access,
                "changes": changes,
                "outputs": one.stack.outputs,
                "tryNext": one.hints,
            })
        })
        .collect();
    let document = json!({
        "account": account.id,
        "region": account.region,
        "endpoint": account.endpoint,
        "stacks": stacks,
    });
    session.screen.answer(&document, || deployed.iter().map(told).collect::<Vec<_>>().join("\n"));
}

fn told(one: &Deployed) -> String {
    let name = bold(&one.stack.name);
    let mut text = match one.outcome {
        What::Created => format!("{} {name} was created\n", green("✓")),
        What::Updated => format!("{} {name} was changed\n", green("✓")),
        What::Unchanged => format!("{} {name} is deployed as it is; nothing to change\n", green("✓")),
    };
    text.push_str(&outputs_table(&one.stack));
    if !one.hints.is_empty() {
        text.push_str(&format!("\n{}\n", dim("Try next:")));
        one.hints.iter().for_each(|hint| text.push_str(&format!("  {hint}\n")));
    }
    text
}

/// The outputs of a stack for people.
pub(crate) fn outputs_table(stack: &Stack) -> String {
    let mut table = Table::new(["output", "value"]);
    stack.outputs.iter().for_each(|(name, value)| table.row([name.clone(), value.clone()]));
    if table.is_empty() { String::new() } else { table.to_string() }
}

#[cfg(test)]
mod tests {
    use stackgen::access::change::{Change, Subject, Verdict};
    use stackgen::deploy::Unit;

    use super::{Naming, after_failure, pair, quoted};

    #[test]
    fn one_of_several_stacks_is_not_weakened_in_the_name_of_another() {
        let (verdict, subject) = (Verdict::Weakened, Subject::Route);
        let change = Change { verdict, subject, name: "GET /orders".to_owned(), words: String::new() };
        let left = |units: &[&str], accepted: &str| {
            let units: Vec<Unit> =
                units.iter().map(|stack| Unit { stack: (*stack).to_owned(), ..Unit::default() }).collect();
            let naming = Naming::of(&units);
            let left = naming.unaccepted("notes", std::slice::from_ref(&change), &[accepted.to_owned()]);
            left.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(left(&["notes"], "GET /orders"), [""; 0]);
        assert_eq!(left(&["notes", "shop"], "notes:GET /orders"), [""; 0]);
        for other in ["GET /orders", "shop:GET /orders"] {
            assert_eq!(left(&["notes", "shop"], other), ["notes:GET /orders"], "{other}");
        }
    }

    #[test]
    fn a_name_is_one_word_to_a_shell() {
        assert_eq!(quoted("GET /orders"), "'GET /orders'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }

    #[test]
    fn a_parameter_is_a_name_and_a_value() {
        assert_eq!(pair("Stage=a=b"), Ok(("Stage".to_owned(), "a=b".to_owned())));
        assert_eq!(pair("Stage="), Ok(("Stage".to_owned(), String::new())));
        assert!(pair("Stage").is_err());
        assert!(pair("=x").is_err());
    }

    #[test]
    fn each_bad_end_names_the_next_command() {
        for status in ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"] {
            assert!(after_failure("notes", status, " --local").contains("stackgen deploy notes --local"), "{status}");
        }
        assert!(after_failure("notes", "ROLLBACK_FAILED", "").contains("`stackgen destroy notes`"));
        assert!(after_failure("notes", "UPDATE_ROLLBACK_FAILED", "").contains("continue-update-rollback"));
    }
}
