//! `stackgen list`: the stacks of the project and what has become of them.

use clap::Args;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use stackgen::deploy::aws::Account;
use stackgen::deploy::stack::{self, Next, Stack};
use stackgen::project::Project;

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
            let accounts = self.accounts(session, &project, &names).await?;
            let look = async |(name, account): (&String, &Account)| {
                let stack = stack::describe(account, name).await?;
                Ok::<_, Failure>(Row { name: name.clone(), target: account.title(), stack })
            };
            answer(session, &try_join_all(names.iter().zip(&accounts).map(look)).await?);
            Ok(())
        })
    }

    /// Where each stack is looked for. Each account is reached once.
    async fn accounts(&self, session: &Session, project: &Project, names: &[String]) -> Outcome<Vec<Account>> {
        let mut reached: Vec<(Target, Account)> = Vec::new();
        let mut accounts = Vec::new();
        for target in self.targets(project, names) {
            let known = reached.iter().find(|(known, _)| *known == target).map(|(_, account)| account.clone());
            let account = match known {
                Some(account) => account,
                None => {
                    let account = target.connect(session, project).await?;
                    session.screen.note(format_args!("{} {}", dim("target:"), account.title()));
                    reached.push((target, account.clone()));
                    account
                }
            };
            accounts.push(account);
        }
        Ok(accounts)
    }

    /// The target that is named, else where the stack was deployed last, else where another one of the project was.
    fn targets(&self, project: &Project, names: &[String]) -> Vec<Target> {
        let known: Vec<_> = names.iter().map(|name| self.target.clone().or_remembered(project, name)).collect();
        let other = known.iter().flatten().next().cloned().unwrap_or_default();
        known.into_iter().map(|target| target.unwrap_or_else(|| other.clone())).collect()
    }
}

/// A stack, and what there is of it where it was looked for.
struct Row {
    name: String,
    target: String,
    stack: Option<Stack>,
}

fn answer(session: &Session, rows: &[Row]) {
    let document: Vec<Value> = rows.iter().map(Row::document).collect();
    session.screen.answer(&json!({ "stacks": document }), || {
        let is_one_target = rows.array_windows().all(|[one, other]| one.target == other.target);
        let mut table = Table::new(["stack", "state", "", if is_one_target { "" } else { "target" }]);
        for row in rows {
            let (state, status) = match &row.stack {
                Some(stack) => (state(stack), dim(&stack.status)),
                None => (dim("not deployed"), String::new()),
            };
            let target = if is_one_target { String::new() } else { dim(&row.target) };
            table.row([bold(&row.name), state, status, target]);
        }
        table.to_string()
    });
}

impl Row {
    fn document(&self) -> Value {
        let (name, target) = (&self.name, &self.target);
        match &self.stack {
            Some(Stack { status, reason, id, .. }) => {
                json!({ "stack": name, "target": target, "status": status, "reason": reason, "id": id })
            }
            None => json!({ "stack": name, "target": target, "status": null }),
        }
    }
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
