//! `stackgen list`: the stacks of the project and what has become of them.

use clap::Args;
use futures_util::future::join_all;
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
        let rows = block_on(async {
            let targets = self.targets(&project, &names);
            let places = match <[Place; 1]>::try_from(places(session, &project, &targets).await) {
                // Where all are looked for in one place, there is nothing to tell but what is wrong with it.
                Ok([Place { account: Err(failure), .. }]) => return Err(failure),
                Ok(one) => one.into(),
                Err(places) => places,
            };
            let place = |target: &Target| places.iter().find(|place| place.target == *target);
            let rows = names.iter().zip(&targets).filter_map(|(name, target)| Some(row(name, place(target)?)));
            Ok(join_all(rows).await)
        })?;
        answer(session, &rows);
        if rows.iter().all(|row| row.found.is_ok()) { Ok(()) } else { Err(Failure::told()) }
    }

    /// The target that is named, else where the stack was deployed last, else where another one of the project was.
    fn targets(&self, project: &Project, names: &[String]) -> Vec<Target> {
        let known: Vec<_> = names.iter().map(|name| self.target.clone().or_remembered(project, name)).collect();
        let other = known.iter().flatten().next().cloned().unwrap_or_default();
        known.into_iter().map(|target| target.unwrap_or_else(|| other.clone())).collect()
    }
}

/// Where stacks are looked for, or why they cannot be looked for there.
struct Place {
    target: Target,
    account: Outcome<Account>,
}

/// All these targets, each reached once and all at the same time. One that cannot be reached keeps nobody from the others.
async fn places(session: &Session, project: &Project, targets: &[Target]) -> Vec<Place> {
    let mut different: Vec<&Target> = Vec::new();
    for target in targets {
        if !different.contains(&target) {
            different.push(target);
        }
    }
    let reach = async |target: &Target| {
        let account = target.connect(session, project).await;
        if let Ok(account) = &account {
            session.screen.note(format_args!("{} {}", dim("target:"), account.title()));
        }
        Place { target: target.clone(), account }
    };
    join_all(different.into_iter().map(reach)).await
}

/// A stack, and what there is of it where it was looked for.
struct Row {
    name: String,
    target: String,
    found: Result<Option<Stack>, Trouble>,
}

/// Why nobody knows what there is.
struct Trouble {
    message: String,
    help: Option<String>,
}

impl Trouble {
    fn of(failure: &Failure) -> Self {
        let report = failure.report.as_ref();
        let message = report.map(ToString::to_string).unwrap_or_default();
        Self { message, help: report.and_then(|report| report.help()).map(|help| help.to_string()) }
    }
}

async fn row(name: &str, place: &Place) -> Row {
    let name = name.to_owned();
    match &place.account {
        Ok(account) => {
            let found = stack::describe(account, &name).await;
            let found = found.map_err(|error| Trouble::of(&error.into()));
            Row { name, target: account.title(), found }
        }
        Err(failure) => Row { name, target: place.target.title(), found: Err(Trouble::of(failure)) },
    }
}

fn answer(session: &Session, rows: &[Row]) {
    let document: Vec<Value> = rows.iter().map(Row::document).collect();
    session.screen.answer(&json!({ "stacks": document }), || {
        let is_one_target = rows.array_windows().all(|[one, other]| one.target == other.target);
        let mut table = Table::new(["stack", "state", "", if is_one_target { "" } else { "target" }]);
        for row in rows {
            let (state, status) = match &row.found {
                Ok(Some(stack)) => (state(stack), dim(&stack.status)),
                Ok(None) => (dim("not deployed"), String::new()),
                Err(_) => (red("not known"), String::new()),
            };
            let target = if is_one_target { String::new() } else { dim(&row.target) };
            table.row([bold(&row.name), state, status, target]);
        }
        let mut text = table.to_string();
        for row in rows {
            if let Err(Trouble { message, help }) = &row.found {
                let help = help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
                text.push_str(&format!("{} {}: {message}{help}\n", red("✗"), bold(&row.name)));
            }
        }
        text
    });
}

impl Row {
    fn document(&self) -> Value {
        let (name, target) = (&self.name, &self.target);
        match &self.found {
            Ok(Some(Stack { status, reason, id, .. })) => {
                json!({ "stack": name, "target": target, "status": status, "reason": reason, "id": id })
            }
            Ok(None) => json!({ "stack": name, "target": target, "status": null }),
            Err(Trouble { message, help }) => {
                let error = json!({ "message": message, "help": help });
                json!({ "stack": name, "target": target, "status": null, "error": error })
            }
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
