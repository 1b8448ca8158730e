//! `stackgen destroy`: removes stacks, and says what is left.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use miette::Diagnostic;
use serde_json::{Value, json};
use stackgen::assembly::Protection;
use stackgen::deploy::aws::{self, Account};
use stackgen::deploy::change_set::{BUCKET, holds_data};
use stackgen::deploy::destroy::{self, Doom, Leftover, Stored};
use stackgen::deploy::operation::{Ended, Operation};
use stackgen::deploy::stack::{self, Deployed, Stack};
use stackgen::deploy::{Progress, diagnosis};
use stackgen::project::Project;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::failure::in_part;
use super::output::{Board, bold, dim, green, listed, red};
use super::{Failure, Outcome, Session, Step, Table, Target, Turn, aws_cli, block_on, interrupts, plan, pool, target};

/// Arguments of `stackgen destroy`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of the stacks; the only one of the project when absent. A stack whose file is gone can be named too.
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
    /// All stacks of the project, each before those whose outputs it takes.
    #[arg(long, conflicts_with = "stacks")]
    all: bool,
    /// Does not ask. In the local cloud nothing is asked.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    target: Target,
}

/// Why a stack is still there.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// It is protected.
    #[error("stack `{stack}` is protected against deletion")]
    #[diagnostic(
        code(stackgen::destroy::protected),
        help(
            "nothing was destroyed; lift it by `terminationProtection: false` in the stack file and `stackgen deploy \
             {stack}{flags}`, or with `{aws} cloudformation update-termination-protection \
             --no-enable-termination-protection --stack-name {stack}`"
        )
    )]
    Protected { stack: String, flags: String, aws: String },
    /// CloudFormation could not remove everything.
    #[error("stack `{stack}` could not be removed ({status}): {cause}")]
    #[diagnostic(code(stackgen::destroy::failed), help("mend the cause and repeat the command{left_behind}"))]
    Failed { stack: String, status: String, cause: String, left_behind: String },
    /// Others take values from it.
    #[error("stack `{stack}` is used by others: {cause}")]
    #[diagnostic(code(stackgen::destroy::used), help("{help}"))]
    Used { stack: String, cause: String, help: String },
    /// The name can be that of no stack.
    #[error("`{name}` is no name of a stack")]
    #[diagnostic(code(stackgen::destroy::name), help("see `stackgen list`"))]
    Name { name: String },
}

/// What became of one stack.
struct Destroyed {
    name: String,
    existed: bool,
    /// What is left of it; nothing while that is not known.
    left: Option<Vec<Leftover>>,
}

/// A stack that was destroyed just now: its name, and what there was of it.
struct Gone {
    stack: String,
    doom: Doom,
    stored: Stored,
}

/// Where stacks are destroyed.
#[derive(Clone, Copy)]
struct Place<'a> {
    session: &'a Session,
    project: &'a Project,
    account: &'a Account,
}

impl Arguments {
    /// Destroys.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = if self.all {
            session.stacks(&project, &[])?
        } else if self.stacks.is_empty() {
            vec![session.stack(&project, None, ", or destroy them with `--all`")?]
        } else {
            self.stacks.clone()
        };
        if let Some(name) = names.iter().find(|name| !stackgen::project::is_stack_name(name)) {
            return Err(Failure::refused(Error::Name { name: name.clone() }));
        }
        block_on(async {
            let _turn = Turn::take(session, &project).await?;
            self.destroy(session, &project, &names).await
        })
    }

    async fn destroy(&self, session: &Session, project: &Project, names: &[String]) -> Outcome {
        let interrupts = session.interrupts();
        let step = Step { during: "the account was being reached", stands: "nothing was destroyed" };
        let account = interrupts.step(step, self.target.connect(session, project)).await?;
        session.screen.note(format_args!("{} {}", dim("target:"), account.title()));
        let step = Step { during: "the stacks were looked at", stands: "nothing was destroyed" };
        let stacks = interrupts.step(step, self.in_order(&account, names)).await?;
        let prelude = aws_cli::prelude(&self.target, &account);
        let place = Place { session, project, account: &account };
        let mut destroyed: Vec<Destroyed> = Vec::new();
        for (at, (name, stack)) in stacks.iter().enumerate() {
            if interrupts.token().is_cancelled() {
                return Err(answer_in_part(session, &destroyed, &prelude, between(&destroyed, name)));
            }
            if let Err(failure) = self.take(place, (name, stack.as_ref()), &mut destroyed).await {
                let rest = stacks[at + 1..].iter().map(|(name, _)| name.as_str());
                // Of one whose rests are not known the failure tells.
                let known = destroyed.iter().filter(|one| one.left.is_some());
                let names: Vec<&str> = known.map(|one| one.name.as_str()).collect();
                let failure = in_part(failure, ("is destroyed", &names), rest);
                return Err(answer_in_part(session, &destroyed, &prelude, failure));
            }
        }
        answer(session, &destroyed, &prelude);
        Ok(())
    }

    /// Destroys one of the stacks, if it is there, and looks what is left of it. One that is gone counts as destroyed,
    /// though something may fail afterwards.
    async fn take(
        &self,
        place: Place<'_>,
        (name, stack): (&str, Option<&Stack>),
        destroyed: &mut Vec<Destroyed>,
    ) -> Outcome {
        let gone = match stack {
            Some(stack) => self.destroy_one(place, stack).await?,
            None => None,
        };
        let existed = gone.is_some();
        let forgotten = match &gone {
            Some(gone) => forget_users(place.project, name, &gone.doom),
            None => Ok(()),
        };
        let (left, looked) = match self.look(place, name, gone).await {
            Ok(left) => (Some(left), Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        if existed || left.is_some() {
            destroyed.push(Destroyed { name: name.to_owned(), existed, left });
            target::forget(place.project, name, &self.target)?;
        }
        looked.and(forgotten)
    }

    /// What is left in the name of a stack that was destroyed just now, or that was not there.
    async fn look(&self, place: Place<'_>, name: &str, gone: Option<Gone>) -> Outcome<Vec<Leftover>> {
        let state = if gone.is_some() { "is destroyed" } else { "is not there" };
        let stands = format!(
            "stack `{name}` {state}; run `stackgen destroy {name}{}` again to see what is left",
            self.target.flags()
        );
        let interrupts = place.session.interrupts();
        let looking = async {
            let left = match gone {
                Some(gone) => left_of(place.account, gone).await,
                None => left_in_the_name(place.account, name).await,
            };
            left.map_err(|error| interrupts.lost(error))
        };
        if interrupts.token().is_cancelled() {
            // The destruction was interrupted already and came to its end; so does this.
            interrupts.stands(stands);
            return looking.await;
        }
        interrupts.step(Step { during: "what is left was looked for", stands: &stands }, looking).await
    }

    /// The stacks, those first that take values from others: CloudFormation refuses to remove what is still used.
    async fn in_order(&self, account: &Account, names: &[String]) -> Outcome<Vec<(String, Option<Stack>)>> {
        let mut found = BTreeMap::new();
        let mut needs = BTreeMap::new();
        for name in names {
            let stack = stack::describe(account, name).await?;
            if let Some(stack) = stack.as_ref().filter(|stack| stack.protection == Protection::On) {
                let (flags, aws) = (self.target.flags(), aws_cli::call(&self.target, account));
                return Err(Failure::refused(Error::Protected { stack: stack.name.clone(), flags, aws }));
            }
            let imports = match &stack {
                Some(stack) => plan::imports_of_text(&stack::template(account, &stack.id).await?),
                None => BTreeSet::new(),
            };
            needs.insert(name.clone(), imports);
            found.insert(name.clone(), stack);
        }
        // What is deployed cannot go in a circle; if it seems so, CloudFormation says what it thinks of it.
        let mut order = plan::ordered(&needs).unwrap_or_else(|_| names.to_vec());
        order.reverse();
        Ok(order.into_iter().filter_map(|name| found.remove_entry(&name)).collect())
    }

    /// The stack once nothing runs on it; nothing when it is gone by then.
    async fn settled(&self, session: &Session, account: &Account, stack: &Stack) -> Outcome<Option<Stack>> {
        let mut stack = stack.clone();
        while !stack.is_settled() {
            let stands = format!("another operation goes on with stack `{}`; it was not destroyed", stack.name);
            let step = Step { during: "another operation ran on the stack", stands: &stands };
            let board = Board::new(&session.screen);
            board.tell(Progress::Waiting { stack: stack.name.clone(), status: stack.status.clone() });
            let theirs = CancellationToken::new();
            let waiting = async {
                let operation = Operation::on(account, &stack.id).await?;
                Ok(operation.follow(&|progress| board.tell(progress), &theirs).await?)
            };
            let waited = session.interrupts().step(step, waiting).await;
            board.clean();
            waited?;
            match stack::describe(account, &stack.id).await? {
                Some(now) if now.status != "DELETE_COMPLETE" => stack = now,
                _ => return Ok(None),
            }
        }
        Ok(Some(stack))
    }

    /// Destroys a stack, and returns it with what there was of it; nothing when somebody else has destroyed it by then.
    async fn destroy_one(&self, place: Place<'_>, stack: &Stack) -> Outcome<Option<Gone>> {
        let Place { session, account, .. } = place;
        let interrupts = session.interrupts();
        let Some(stack) = &self.settled(session, account, stack).await? else { return Ok(None) };
        let step = Step { during: "the stack was looked at", stands: &format!("stack `{}` is untouched", stack.name) };
        let foreseen = async { Ok(tokio::try_join!(destroy::foresee(account, stack), destroy::note(account, stack))?) };
        let (doom, stored) = interrupts.step(step, foreseen).await?;
        let asks = !self.yes && !self.target.local;
        if asks {
            session.screen.lay_open(overview(stack, &doom));
        } else {
            session.screen.note(overview(stack, &doom));
        }
        warn(session, &doom);
        if asks {
            session.screen.consent(&format!("Destroy stack `{}` in {}?", stack.name, account.title()))?;
        }
        let board = Board::new(&session.screen);
        let operation = Operation::on(account, &stack.id).await?;
        board.tell(Progress::Started { stack: stack.name.clone(), resources: doom.goes.len() });
        let name = &stack.name;
        let again = format!("run `stackgen destroy {name}{}` again to see what is left", self.target.flags());
        interrupts.stands(format!("it is not known whether CloudFormation removes stack `{name}`; {again}"));
        destroy::start(account, &stack.id).await.map_err(|error| self.not_begun(place, stack, error))?;
        interrupts.stands(format!("CloudFormation goes on removing stack `{name}`; {again}"));
        let ended = operation.follow(&|progress| board.tell(progress), interrupts.token()).await;
        board.clean();
        let ended = ended.map_err(|error| interrupts.lost(error))?;
        if ended.status != "DELETE_COMPLETE" {
            let cause = diagnosis::root_cause(account, &ended.events).await.map_err(|error| interrupts.lost(error))?;
            return Err(self.failed(place, stack, &ended, cause));
        }
        Ok(Some(Gone { stack: stack.name.clone(), doom, stored }))
    }

    /// CloudFormation did not take the deletion, or its answer got lost.
    fn not_begun(&self, place: Place<'_>, stack: &Stack, error: aws::Error) -> Failure {
        let cause = error.to_string();
        if !diagnosis::importers(&cause).is_empty() {
            return self.used(place.project, stack, cause).into();
        }
        let untouched = format!("stack `{}` is untouched", stack.name);
        if error.is_refusal() {
            Failure::from(error).standing(&untouched)
        } else {
            place.session.interrupts().lost(error)
        }
    }

    /// Others take values from the stack. Those that are not of this project may be anybody's in the account.
    fn used(&self, project: &Project, stack: &Stack, cause: String) -> Error {
        let (mut own, foreign): (Vec<_>, Vec<_>) =
            diagnosis::importers(&cause).into_iter().partition(|name| project.stack_file(name).is_ok());
        own.push(stack.name.clone());
        let command = format!("`stackgen destroy {}{}`", own.join(" "), self.target.flags());
        let help = if foreign.is_empty() {
            format!("destroy them as well, with {command}")
        } else {
            let names = listed(&foreign);
            format!(
                "not of this project: {names}; whoever has it must let it take the value no more, then run {command}"
            )
        };
        Error::Used { stack: stack.name.clone(), cause, help }
    }

    fn failed(&self, place: Place<'_>, stack: &Stack, ended: &Ended, cause: Option<diagnosis::Cause>) -> Failure {
        let cause = cause.map_or_else(
            || "CloudFormation gives no reason".to_owned(),
            |cause| match cause.resource {
                Some(culprit) => format!("`{}` ({}): {}", culprit.logical_id, culprit.kind, cause.reason),
                None => cause.reason,
            },
        );
        if !diagnosis::importers(&cause).is_empty() {
            return self.used(place.project, stack, cause).into();
        }
        let left_behind = self.left_behind(place.account, stack, ended);
        Error::Failed { stack: stack.name.clone(), status: ended.status.clone(), cause, left_behind }.into()
    }

    /// How to go on without what cannot be removed. CloudFormation takes that of stacks in one status only:
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html>.
    fn left_behind(&self, account: &Account, stack: &Stack, ended: &Ended) -> String {
        let ids = diagnosis::not_removed(&ended.events);
        if ids.is_empty() || ended.status != "DELETE_FAILED" {
            return String::new();
        }
        let (aws, name, ids) = (aws_cli::call(&self.target, account), &stack.name, ids.join(" "));
        format!(
            "; what must stay can be left behind with `{aws} cloudformation delete-stack --stack-name {name} \
             --retain-resources {ids}`"
        )
    }
}

/// Forgets the users of the pools that went with a stack. Pools that stay have theirs still, and so has a stack of the same
/// name in another account.
fn forget_users(project: &Project, name: &str, doom: &Doom) -> Outcome {
    let pools = doom.goes.iter().filter(|resource| resource.kind == "AWS::Cognito::UserPool");
    pool::forget_users(project, name, pools.map(|pool| pool.physical_id.as_str()))
}

/// What is left of a stack that was destroyed just now.
async fn left_of(account: &Account, Gone { stack, doom, stored }: Gone) -> Result<Vec<Leftover>, aws::Error> {
    let stored = destroy::sweep(account, stored).await;
    let mut left = destroy::leftovers(account, &stack, &doom).await?;
    left.extend(stored);
    Ok(left)
}

/// What there is in the name of a stack that is not there.
async fn left_in_the_name(account: &Account, name: &str) -> Result<Vec<Leftover>, aws::Error> {
    let mut left = destroy::leftovers(account, name, &Doom::default()).await?;
    left.extend(destroy::stored(account, name).await?);
    Ok(left)
}

/// An interruption after some stacks were destroyed and before the next.
fn between(destroyed: &[Destroyed], next: &str) -> Failure {
    let done: Vec<&str> = destroyed.iter().map(|one| one.name.as_str()).collect();
    let stands = interrupts::between(&done, next, "destroyed");
    Step { during: "stacks were destroyed", stands: &stands }.interrupted()
}

/// What will go and what will stay.
fn overview(stack: &Stack, doom: &Doom) -> String {
    let mut table = Table::new(["", "resource", "type", "id"]);
    let row = |word: String, resource: &Deployed| {
        [word, resource.logical_id.clone(), dim(&resource.kind), resource.physical_id.clone()]
    };
    doom.goes.iter().for_each(|resource| table.row(row(red("goes"), resource)));
    doom.stays.iter().for_each(|resource| table.row(row(green("stays"), resource)));
    let count = doom.goes.len() + doom.stays.len();
    if count == 0 {
        return format!("{} has no resources", bold(&stack.name));
    }
    let resources = if count == 1 { "resource" } else { "resources" };
    format!("{} has {count} {resources}:\n{table}", bold(&stack.name))
}

fn warn(session: &Session, doom: &Doom) {
    for resource in &doom.goes {
        let what = if holds_data(&resource.kind) {
            bold("everything in it is lost")
        } else if resource.kind == BUCKET {
            "CloudFormation removes it only when it is empty".to_owned()
        } else {
            continue;
        };
        session.screen.warn(format_args!("{} `{}` goes: {what}", resource.kind, resource.logical_id));
    }
}

fn answer(session: &Session, destroyed: &[Destroyed], prelude: &str) {
    session.screen.answer(&document(destroyed, prelude), || text(destroyed, prelude));
}

/// The same of what was destroyed before something failed.
fn answer_in_part(session: &Session, destroyed: &[Destroyed], prelude: &str, failure: Failure) -> Failure {
    if destroyed.is_empty() {
        return failure;
    }
    session.screen.answer_in_part(document(destroyed, prelude), || text(destroyed, prelude), failure)
}

fn text(destroyed: &[Destroyed], prelude: &str) -> String {
    destroyed.iter().map(|one| told(one, prelude)).collect::<Vec<_>>().join("\n")
}

fn document(destroyed: &[Destroyed], prelude: &str) -> Value {
    let stacks: Vec<Value> = destroyed
        .iter()
        .map(|one| {
            let told = |left: &Leftover| json!({ "what": left.what, "command": left.command });
            let left: Option<Vec<Value>> = one.left.as_ref().map(|left| left.iter().map(told).collect());
            json!({ "stack": one.name, "existed": one.existed, "left": left })
        })
        .collect();
    json!({ "environment": prelude, "stacks": stacks })
}

fn told(one: &Destroyed, prelude: &str) -> String {
    let name = bold(&one.name);
    let mut text = if one.existed {
        format!("{} {name} is destroyed\n", green("✓"))
    } else {
        format!("{} there is no stack {name}; nothing to destroy\n", green("✓"))
    };
    let Some(left) = &one.left else {
        text.push_str("  what is left of it is not known\n");
        return text;
    };
    if left.is_empty() {
        text.push_str("  nothing is left\n");
        return text;
    }
    text.push_str(&format!("  still there, each with the command that removes it (after `{prelude}`):\n"));
    for left in left {
        text.push_str(&format!("    {}\n      {}\n", left.what, dim(&left.command)));
    }
    text
}
