//! `stackgen list`: the stacks of the project and what has become of them.

use clap::Args;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use stackgen::deploy::stack::{self, Next, Stack};

use super::output::{bold, dim, green, red, yellow};
use super::{Failure, Outcome, Session, Table, Target, block_on};

/// Arguments of `stackgen list`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
}

impl Arguments {
    /// Lists.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = project.stacks().map_err(Failure::refused)?;
        block_on(async {
            let last = names
                .iter()
                .map(|name| self.target.clone().or_last(&project, name))
                .find(|target| *target != Target::default());
            let account = last.unwrap_or_else(|| self.target.clone()).connect(session, &project).await?;
            let stacks = try_join_all(names.iter().map(|name| stack::describe(&account, name))).await?;
            session.screen.note(format_args!("{} {}", dim("target:"), account.title()));
            answer(session, &names, &stacks);
            Ok(())
        })
    }
}

fn answer(session: &Session, names: &[String], stacks: &[Option<Stack>]) {
    let rows = || names.iter().zip(stacks);
    let document: Vec<Value> = rows()
        .map(|(name, stack)| match stack {
            Some(stack) => json!({ "stack": name, "status": stack.status, "reason": stack.reason, "id": stack.id }),
            None => json!({ "stack": name, "status": null }),
        })
        .collect();
    session.screen.answer(&json!({ "stacks": document }), || {
        let mut table = Table::new(["stack", "state", ""]);
        for (name, stack) in rows() {
            let (state, status) = match stack {
                Some(stack) => (state(stack), dim(&stack.status)),
                None => (dim("not deployed"), String::new()),
            };
            table.row([bold(name), state, status]);
        }
        table.to_string()
    });
}

/// A stack's state in words.
fn state(stack: &Stack) -> String {
    match stack.next() {
        Next::Update if stack.status.contains("ROLLBACK") => yellow("deployed; the last change was rolled back"),
        Next::Update if stack.status == "UPDATE_FAILED" => red("half changed"),
        Next::Update => green("deployed"),
        Next::Wait => yellow("busy"),
        Next::Create => dim("not deployed"),
        Next::RemoveShell(_) => yellow("empty, of a first attempt"),
        Next::Refuse(_) => red("stuck"),
    }
}
