//! `stackgen destroy`: removes stacks, and says what is left.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use miette::Diagnostic;
use serde_json::{Value, json};
use stackgen::assembly::Protection;
use stackgen::deploy::aws::Account;
use stackgen::deploy::change_set::holds_data;
use stackgen::deploy::destroy::{self, Doom, Leftover};
use stackgen::deploy::operation::Operation;
use stackgen::deploy::stack::{self, Deployed, Stack};
use stackgen::deploy::{Progress, diagnosis};
use stackgen::project::Project;
use thiserror::Error;

use super::output::{Board, bold, dim, green, red};
use super::{Failure, Outcome, Session, Step, Table, Target, Turn, block_on, interrupts, plan, target, user};

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
             {stack}`, or with `aws cloudformation update-termination-protection --no-enable-termination-protection \
             --stack-name {stack}`"
        )
    )]
    Protected { stack: String },
    /// CloudFormation could not remove everything.
    #[error("stack `{stack}` could not be removed ({status}): {cause}")]
    #[diagnostic(
        code(stackgen::destroy::failed),
        help(
            "mend the cause and repeat the command; what must stay can be left behind with `aws cloudformation \
             delete-stack --stack-name {stack} --retain-resources{ids}`"
        )
    )]
    Failed { stack: String, status: String, cause: String, ids: String },
    /// The name can be that of no stack.
    #[error("`{name}` is no name of a stack")]
    #[diagnostic(code(stackgen::destroy::name), help("see `stackgen list`"))]
    Name { name: String },
}

/// What became of one stack.
struct Destroyed {
    name: String,
    existed: bool,
    left: Vec<Leftover>,
}

impl Arguments {
    /// Destroys.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = if self.all {
            project.stacks().map_err(Failure::refused)?
        } else if self.stacks.is_empty() {
            vec![session.stack(&project, None, ", or destroy them with `--all`")?]
        } else {
            self.stacks.clone()
        };
        if let Some(name) = names.iter().find(|name| !stackgen::project::is_stack_name(name)) {
            return Err(Failure::refused(Error::Name { name: name.clone() }));
        }
        let _turn = Turn::take(session, &project)?;
        block_on(self.destroy(session, &project, &names))
    }

    async fn destroy(&self, session: &Session, project: &Project, names: &[String]) -> Outcome {
        let interrupts = session.interrupts();
        let step = Step { during: "the account was being reached", stands: "nothing was destroyed" };
        let account = interrupts.step(step, self.target.connect(session, project)).await?;
        session.screen.note(format_args!("{} {}", dim("target:"), account.title()));
        let step = Step { during: "the stacks were looked at", stands: "nothing was destroyed" };
        let stacks = interrupts.step(step, self.in_order(&account, names)).await?;
        let mut destroyed: Vec<Destroyed> = Vec::new();
        for (name, stack) in stacks {
            if interrupts.token().is_cancelled() {
                return Err(between(&destroyed, &name));
            }
            let one = match stack {
                Some(stack) => self.destroy_one(session, &account, &stack).await?,
                None => {
                    let mut left = destroy::leftovers(&account, &name, &Doom::default()).await?;
                    left.extend(destroy::stored(&account, &name).await?);
                    Destroyed { name: name.clone(), existed: false, left }
                }
            };
            target::forget(project, &name)?;
            user::forget(project, &name)?;
            destroyed.push(one);
        }
        answer(session, &destroyed, &self.prelude(&account));
        Ok(())
    }

    /// The stacks, those first that take values from others: CloudFormation refuses to remove what is still used.
    async fn in_order(&self, account: &Account, names: &[String]) -> Outcome<Vec<(String, Option<Stack>)>> {
        let mut found = BTreeMap::new();
        let mut needs = BTreeMap::new();
        for name in names {
            let stack = stack::describe(account, name).await?;
            if let Some(stack) = stack.as_ref().filter(|stack| stack.protection == Protection::On) {
                return Err(Failure::refused(Error::Protected { stack: stack.name.clone() }));
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

    /// What makes the aws CLI look where the stack was.
    fn prelude(&self, account: &Account) -> String {
        if self.target.local {
            return "eval \"$(stackgen local env)\"".to_owned();
        }
        let profile = self.target.profile.as_ref().map(|profile| format!(" AWS_PROFILE={profile}"));
        let endpoint = account.endpoint.as_ref().map(|endpoint| format!(" AWS_ENDPOINT_URL={endpoint}"));
        format!("export AWS_REGION={}{}{}", account.region, profile.unwrap_or_default(), endpoint.unwrap_or_default())
    }

    async fn destroy_one(&self, session: &Session, account: &Account, stack: &Stack) -> Outcome<Destroyed> {
        let interrupts = session.interrupts();
        let step = Step { during: "the stack was looked at", stands: &format!("stack `{}` is untouched", stack.name) };
        let foresee = async { Ok(destroy::foresee(account, stack).await?) };
        let doom = interrupts.step(step, foresee).await?;
        show(session, stack, &doom);
        if !self.yes && !self.target.local {
            session.screen.consent(&format!("Destroy stack `{}` in {}?", stack.name, account.title()))?;
        }
        let board = Board::new(&session.screen);
        let operation = Operation::on(account, &stack.id).await?;
        board.tell(Progress::Started { stack: stack.name.clone(), resources: doom.goes.len() });
        interrupts.stands(format!(
            "CloudFormation goes on removing stack `{0}`; run `stackgen destroy {0}{1}` again to see what is left",
            stack.name,
            self.target.flags()
        ));
        destroy::start(account, &stack.id).await?;
        let ended = operation.follow(&|progress| board.tell(progress), interrupts.token()).await;
        board.clean();
        let ended = ended?;
        if ended.status != "DELETE_COMPLETE" {
            let cause = diagnosis::root_cause(account, &ended.events).await?;
            return Err(failed(stack, ended.status, cause));
        }
        let mut left = destroy::leftovers(account, &stack.name, &doom).await?;
        left.extend(destroy::sweep(account, stack).await?);
        Ok(Destroyed { name: stack.name.clone(), existed: true, left })
    }
}

/// An interruption after some stacks were destroyed and before the next.
fn between(destroyed: &[Destroyed], next: &str) -> Failure {
    let done: Vec<&str> = destroyed.iter().map(|one| one.name.as_str()).collect();
    let stands = interrupts::between(&done, next, "destroyed");
    Step { during: "stacks were destroyed", stands: &stands }.interrupted()
}

fn failed(stack: &Stack, status: String, cause: Option<diagnosis::Cause>) -> Failure {
    let ids =
        cause.as_ref().and_then(|cause| cause.resource.as_ref()).map(|culprit| format!(" {}", culprit.logical_id));
    let cause = cause.map_or_else(
        || "CloudFormation gives no reason".to_owned(),
        |cause| match cause.resource {
            Some(culprit) => format!("`{}` ({}): {}", culprit.logical_id, culprit.kind, cause.reason),
            None => cause.reason,
        },
    );
    Error::Failed { stack: stack.name.clone(), status, cause, ids: ids.unwrap_or_default() }.into()
}

fn show(session: &Session, stack: &Stack, doom: &Doom) {
    let mut table = Table::new(["", "resource", "type", "id"]);
    let row = |word: String, resource: &Deployed| {
        [word, resource.logical_id.clone(), dim(&resource.kind), resource.physical_id.clone()]
    };
    doom.goes.iter().for_each(|resource| table.row(row(red("goes"), resource)));
    doom.stays.iter().for_each(|resource| table.row(row(green("stays"), resource)));
    session.screen.note(format_args!("{} has {} resources:", bold(&stack.name), doom.goes.len() + doom.stays.len()));
    session.screen.note(&table);
    for resource in doom.goes.iter().filter(|resource| holds_data(&resource.kind)) {
        let lost = bold("everything in it is lost");
        session.screen.warn(format_args!("{} `{}` goes: {lost}", resource.kind, resource.logical_id));
    }
}

fn answer(session: &Session, destroyed: &[Destroyed], prelude: &str) {
    let stacks: Vec<Value> = destroyed
        .iter()
        .map(|one| {
            let left: Vec<Value> =
                one.left.iter().map(|left| json!({ "what": left.what, "command": left.command })).collect();
            json!({ "stack": one.name, "existed": one.existed, "left": left })
        })
        .collect();
    session.screen.answer(&json!({ "environment": prelude, "stacks": stacks }), || {
        destroyed.iter().map(|one| told(one, prelude)).collect::<Vec<_>>().join("\n")
    });
}

fn told(one: &Destroyed, prelude: &str) -> String {
    let name = bold(&one.name);
    let mut text = if one.existed {
        format!("{} {name} is destroyed\n", green("✓"))
    } else {
        format!("{} there is no stack {name}; nothing to destroy\n", green("✓"))
    };
    if one.left.is_empty() {
        text.push_str("  nothing is left\n");
        return text;
    }
    text.push_str(&format!("  still there, each with the command that removes it (after `{prelude}`):\n"));
    for left in &one.left {
        text.push_str(&format!("    {}\n      {}\n", left.what, dim(&left.command)));
    }
    text
}
