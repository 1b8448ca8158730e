//! Rules for outputs: the names under which other stacks import them.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/outputs-section-structure.html>

use std::collections::BTreeMap;

use crate::model::raw::Output;
use crate::model::{Stack, Value};

use super::condition::imported;
use super::{Complaint, Declared};

pub(super) fn check(stack: &Stack, declared: &Declared) -> Vec<Complaint> {
    let given = stack.outputs.iter().filter_map(|(name, output)| Some((name, output.export.as_ref()?)));
    let wrong = given.filter_map(|(name, export)| wrong_name(name, export, declared));
    wrong.chain(twice(stack, declared.name())).collect()
}

fn wrong_name(output: &str, export: &Value, declared: &Declared) -> Option<Complaint> {
    let at = |message: String, help: &str| Some(Complaint::new(&["outputs", output, "export"], message, help));
    if let Some(needed) = declared.made_for(export).or_else(|| imported(export)) {
        let message = format!("the name of an export cannot depend on {needed}");
        return at(message, "write a text, or put one together from parameters and pseudo parameters with `sub`");
    }
    let text = export.text()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-".contains(c);
    if !text.is_empty() && text.chars().all(allowed) {
        return None;
    }
    at(format!("`{}` cannot be the name of an export", text.escape_debug()), "letters, digits, colons and hyphens")
}

/// Names are unique in an account and region. Of two outputs that depend on conditions, only one may be there.
fn twice(stack: &Stack, stack_name: &str) -> Vec<Complaint> {
    let mut seen: BTreeMap<String, Vec<(&str, &Output)>> = BTreeMap::new();
    let named = stack.outputs.iter().filter_map(|(name, it)| Some((it.exported_name(stack_name, name)?, name, it)));
    // Those that say nothing have their names by right.
    let (own, given): (Vec<_>, Vec<_>) = named.partition(|(.., output)| output.export.is_none());
    let mut complaints = Vec::new();
    for (export, name, output) in own.into_iter().chain(given) {
        let earlier = seen.entry(export.clone()).or_default();
        if let Some((other, _)) = earlier.iter().find(|(_, other)| are_both_there(output, other)) {
            let message = format!("output `{other}` is exported as `{export}` already");
            complaints.push(Complaint::new(&["outputs", name, "export"], message, "give one of the two another name"));
        }
        earlier.push((name, output));
    }
    complaints
}

fn are_both_there(one: &Output, other: &Output) -> bool {
    one.condition.is_none() || other.condition.is_none() || one.condition == other.condition
}
