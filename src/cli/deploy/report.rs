//! What a deployment shows: what will change, what has become of each stack, its outputs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use stackgen::access::change as access;
use stackgen::assembly::Protection;
use stackgen::deploy::aws::Account;
use stackgen::deploy::change_set::{Action, Change, ChangeSet, NameTaken};
use stackgen::deploy::stack::Stack;

use crate::cli::output::{bold, dim, green, red, yellow};
use crate::cli::{Outcome, Session, Table, target};

/// What became of one stack.
#[derive(Debug)]
pub(super) struct Deployed {
    pub(super) access: Vec<access::Change>,
    pub(super) stack: Stack,
    pub(super) outcome: What,
    pub(super) changes: Vec<Change>,
    pub(super) hints: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum What {
    Created,
    Updated,
    Unchanged,
}

pub(super) fn show_changes(session: &Session, change_set: &ChangeSet) {
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

pub(super) fn names_taken(taken: &[NameTaken]) -> String {
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

pub(super) fn answer(session: &Session, account: &Account, deployed: &[Deployed]) {
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
