//! What a deployment shows: what will change, what has become of each stack, its outputs.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};
use stackgen::access::change as access;
use stackgen::assembly::Protection;
use stackgen::deploy::aws::Account;
use stackgen::deploy::change_set::{Action, Change, ChangeSet, NameTaken};
use stackgen::deploy::gate::Other;
use stackgen::deploy::stack::Stack;

use super::bucket::Asks;
use crate::cli::output::{bold, dim, green, red, yellow};
use crate::cli::{Failure, Outcome, Session, Table, target};

/// What became of one stack.
#[derive(Debug)]
pub(super) struct Deployed {
    pub(super) access: Vec<access::Change>,
    pub(super) stack: Stack,
    pub(super) outcome: What,
    pub(super) changes: Vec<Change>,
    pub(super) others: Vec<Other>,
    pub(super) hints: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum What {
    Created,
    Updated,
    Unchanged,
}

/// Shows what will change; whoever is asked to agree sees it in any case.
pub(super) fn show_changes(session: &Session, change_set: &ChangeSet, others: &[Other], asks: Asks) {
    let overview = overview(change_set, others);
    match asks {
        Asks::Yes => session.screen.lay_open(overview),
        Asks::No => session.screen.note(overview),
    }
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

fn overview(change_set: &ChangeSet, others: &[Other]) -> String {
    let count = change_set.changes.len() + others.len();
    let changes = if count == 1 { "change" } else { "changes" };
    let heading = bold(format_args!("{count} {changes} of {}:", change_set.stack));
    let mut text = format!("{heading}\n");
    if !change_set.changes.is_empty() {
        text.push_str(&resources_table(change_set));
    }
    if !others.is_empty() {
        text.push_str(&others_table(others));
    }
    text
}

/// What changes besides resources, for people.
pub(crate) fn others_table(others: &[Other]) -> String {
    let mut table = Table::new(["", "what", "name", "exported as"]);
    for other in others {
        let word = match other.action {
            "added" => green(other.action),
            "removed" => red(other.action),
            _ => yellow(other.action),
        };
        table.row([word, other.kind.to_owned(), other.name.clone(), other.export.clone().unwrap_or_default()]);
    }
    table.without_empty_columns().to_string()
}

fn resources_table(change_set: &ChangeSet) -> String {
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
    table.to_string()
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
    write_beside(Map::new(), file, stacks)
}

/// The same beside what the file says of other stacks: where not all were deployed, those of before hold still.
pub(super) fn write_more_outputs<'a>(file: &Path, stacks: impl Iterator<Item = &'a Stack>) -> Outcome {
    // A file that says something else is written anew, as it is when all goes well; what a device would say may not end.
    let is_file = fs::metadata(file).is_ok_and(|found| found.is_file());
    let before = is_file.then(|| serde_json::from_slice(&fs::read(file).ok()?).ok()).flatten();
    write_beside(before.unwrap_or_default(), file, stacks)
}

fn write_beside<'a>(mut outputs: Map<String, Value>, file: &Path, stacks: impl Iterator<Item = &'a Stack>) -> Outcome {
    outputs.extend(stacks.map(|stack| (stack.name.clone(), json!(stack.outputs))));
    target::write_shared(file, format!("{:#}\n", Value::from(outputs)).as_bytes())
}

pub(super) fn answer(session: &Session, account: &Account, deployed: &[Deployed]) {
    session.screen.answer(&document(account, deployed), || text(deployed));
}

/// The same of what was deployed before something failed.
pub(super) fn answer_in_part(session: &Session, account: &Account, deployed: &[Deployed], failure: Failure) -> Failure {
    session.screen.answer_in_part(document(account, deployed), || text(deployed), failure)
}

fn text(deployed: &[Deployed]) -> String {
    deployed.iter().map(told).collect::<Vec<_>>().join("\n")
}

fn document(account: &Account, deployed: &[Deployed]) -> Value {
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
                "otherChanges": one.others,
                "outputs": one.stack.outputs,
                "tryNext": one.hints,
            })
        })
        .collect();
    json!({
        "account": account.id,
        "region": account.region,
        "endpoint": account.endpoint,
        "stacks": stacks,
    })
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
