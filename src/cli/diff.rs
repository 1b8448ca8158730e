//! `stackgen diff`: what a deployment would change, in access first.

use std::collections::BTreeMap;

use clap::Args;
use miette::Diagnostic;
use serde_json::{Value, json};
use stackgen::access::change::{Change, Verdict, weakened_by};
use stackgen::access::rules::Finding;
use stackgen::deploy::aws::Account;
use stackgen::deploy::gate::{self, Comparison};
use stackgen::deploy::stack::{self, Next, Stack};
use stackgen::project::Project;

use super::deploy::{others_table, pair};
use super::failure::Exit;
use super::output::{bold, dim, green, red, yellow};
use super::plan::{self, Planned};
use super::update::{self, Unreadable};
use super::{Failure, Outcome, Session, Step, Table, Target, aws_cli, block_on};

/// Arguments of `stackgen diff`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of the stacks; all of the project when absent.
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
    /// Ends with exit code 3 when access is weakened anywhere.
    #[arg(long)]
    fail_on_weakening: bool,
    /// Value of a template's parameter; one that is not given keeps its deployed value, or its default.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    #[command(flatten)]
    target: Target,
}

/// One stack, compared.
struct Compared {
    stack: String,
    comparison: Comparison,
    /// What keeps it from being deployed as it is, or goes on with it.
    state: Option<String>,
    /// Whether it has code, which is not built to compare.
    has_code: bool,
    /// What the rules of updates refuse, if they can be asked.
    refused: Result<Vec<Finding>, Unreadable>,
}

impl Arguments {
    /// Compares.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = session.stacks(&project, &self.stacks)?;
        let planned = plan::synthesize(plan::read(session, &project, &names)?)?;
        let compared = block_on(self.compare(session, &project, &planned))?;
        let document: Vec<Value> = compared.iter().map(Compared::document).collect();
        session.screen.answer(&json!({ "stacks": document }), || {
            compared.iter().map(Compared::told).collect::<Vec<_>>().join("\n")
        });
        let is_weaker = compared.iter().any(|one| weakens(&one.comparison.access));
        if is_weaker && self.fail_on_weakening { Err(Failure::with(Exit::Weakened)) } else { Ok(()) }
    }

    async fn compare(&self, session: &Session, project: &Project, planned: &[Planned]) -> Outcome<Vec<Compared>> {
        let parameters: BTreeMap<String, String> = self.parameters.iter().cloned().collect();
        let none = vec![Vec::new(); planned.len()];
        let units = plan::units(planned, &none, &parameters)?;
        let step = Step { during: "what is deployed was looked at", stands: "nothing was changed" };
        let work = async {
            let mut compared = Vec::new();
            for (unit, Planned { file, .. }) in units.iter().zip(planned) {
                let target = self.target.clone().or_last(project, &unit.stack);
                let account = target.connect(session, project).await?;
                session.screen.note(format_args!("{} {}", dim("target:"), account.title()));
                let deployed = stack::describe(&account, &unit.stack).await?.filter(Stack::has_resources);
                let state = deployed.as_ref().and_then(|stack| state(stack, &target, &account));
                let comparison = gate::compare(&account, unit, deployed.as_ref()).await?;
                let refused = match &deployed {
                    Some(deployed) => update::found(&account, file, unit, deployed).await?,
                    None => Ok(Vec::new()),
                };
                let has_code = !file.stack.functions.is_empty();
                compared.push(Compared { stack: unit.stack.clone(), comparison, state, has_code, refused });
            }
            Ok(compared)
        };
        session.interrupts().step(step, work).await
    }
}

/// What a deployment would say of the stack's status before all else.
fn state(stack: &Stack, target: &Target, account: &Account) -> Option<String> {
    match stack.next() {
        Next::Wait => {
            Some(format!("stack `{}` is busy ({}); `stackgen deploy` waits for that", stack.name, stack.status))
        }
        Next::Refuse(stuck) => {
            let refusal = stack.refusal(stuck, &target.flags(), &aws_cli::call(target, account));
            let help = refusal.help().map(|help| format!("; {help}"));
            Some(format!("{refusal}{}", help.unwrap_or_default()))
        }
        _ => None,
    }
}

fn weakens(changes: &[Change]) -> bool {
    weakened_by(changes).next().is_some()
}

impl Compared {
    fn document(&self) -> Value {
        let Comparison { access, resources, others, open, is_new } = &self.comparison;
        json!({
            "stack": self.stack,
            "state": self.state,
            "isNew": is_new,
            "weakens": weakens(access),
            "access": access,
            "open": open,
            "resources": resources,
            "others": others,
            "refused": self.refused_document(),
        })
    }

    /// What `deploy` would not do: nothing at all where the deployed template cannot be read.
    fn refused_document(&self) -> Vec<Value> {
        match &self.refused {
            Ok(found) => found.iter().map(update::document).collect(),
            Err(unreadable) => vec![unreadable.document()],
        }
    }

    fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.refused.iter().flatten()
    }

    /// What `deploy` would not do.
    fn refused_words(&self) -> String {
        let name = bold(&self.stack);
        if let Err(unreadable) = &self.refused {
            return format!("{name}: {} {unreadable}\n", red("refused:"));
        }
        let mut table = Table::new(["", "rule", "change"]);
        for finding in self.refusals() {
            table.row([red("refused"), finding.rule.id.to_owned(), finding.complaint.message.clone()]);
        }
        let heading = bold("changes that the rules refuse");
        if table.is_empty() { String::new() } else { format!("{name}: {heading}\n{table}") }
    }

    fn told(&self) -> String {
        let state = self.state.as_ref().map(|state| format!("{} {state}\n", yellow("!")));
        state.unwrap_or_default() + &self.changes()
    }

    fn changes(&self) -> String {
        let Comparison { access, resources, others, open, is_new } = &self.comparison;
        let name = bold(&self.stack);
        if *is_new {
            let open: String = open.iter().map(|words| format!("  {} {words}\n", yellow("open:"))).collect();
            let whole = format!("`stackgen access {}` shows who may call what", self.stack);
            return format!("{name} is not deployed yet: all of it is new. {whole}\n{open}");
        }
        if access.is_empty() && resources.is_empty() && others.is_empty() {
            let but = if self.has_code { "; code is not compared" } else { "" };
            return match self.state {
                None => format!("{} {name} is deployed as it is; nothing changes{but}\n", green("✓")),
                Some(_) => format!("{name}: nothing changes{but}\n"),
            };
        }
        let mut text = if access.is_empty() {
            format!("{} {name}: nothing changes in access\n", green("✓"))
        } else {
            format!("{name}: {}\n{}", bold("changes in access"), access_table(access))
        };
        if !resources.is_empty() {
            let mut table = Table::new(["", "resource", "type"]);
            for one in resources {
                let word = match one.action {
                    "added" => green(one.action),
                    "removed" => red(one.action),
                    _ => yellow(one.action),
                };
                table.row([word, one.logical_id.clone(), dim(&one.kind)]);
            }
            text.push_str(&format!("{name}: {}\n{table}", bold("changes of resources")));
        }
        if !others.is_empty() {
            text.push_str(&format!("{name}: {}\n{}", bold("other changes"), others_table(others)));
        }
        text + &self.refused_words()
    }
}

/// Changes in access for people.
pub(crate) fn access_table(changes: &[Change]) -> String {
    let mut table = Table::new(["", "of", "change"]);
    for change in changes {
        let verdict = match change.verdict {
            Verdict::Weakened => red("weakened"),
            Verdict::Neutral => dim("neutral"),
            Verdict::Strengthened => green("strengthened"),
        };
        table.row([verdict, change.name.clone(), change.words.clone()]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use stackgen::deploy::gate::{self, Comparison};
    use stackgen::template::text;

    use super::{Compared, Unreadable};

    #[test]
    fn a_deployed_template_that_cannot_be_read_is_told_to_programs_too() {
        let cause = text::parse("a: [").expect_err("it is no template");
        let refused = Err(Unreadable { stack: "notes".to_owned(), cause });
        let comparison = Comparison { access: vec![gate::unreadable()], ..Comparison::default() };
        let compared = Compared { stack: "notes".to_owned(), comparison, state: None, has_code: false, refused };
        let document = compared.document();
        let message = document["refused"][0]["message"].as_str().expect("it is refused");
        assert!(message.starts_with("the deployed template of stack `notes` cannot be read"), "{message}");
        assert!(document["refused"][0]["help"].as_str().is_some_and(|help| help.contains("get-template")));
        assert!(compared.told().contains(message), "people and programs are told the same");
    }
}
