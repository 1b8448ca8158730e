//! Rules for conditions, which CloudFormation decides before it makes anything.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html>

use std::collections::{BTreeMap, BTreeSet};

use crate::model::raw::Condition;
use crate::model::{Stack, Value};

use super::words::list;
use super::{Complaint, Declared};

pub(super) fn check(stack: &Stack, declared: &Declared) -> Vec<Complaint> {
    let mut complaints = circles(stack);
    for (name, condition) in &stack.conditions {
        compared(condition, &mut vec!["conditions".to_owned(), name.clone()], &mut |path, value| {
            complaints.extend(too_early(path, value, declared));
        });
    }
    complaints
}

/// Calls `each` with every value that a condition compares, and the way there.
fn compared(condition: &Condition, path: &mut Vec<String>, each: &mut dyn FnMut(&[String], &Value)) {
    let mut below = |step: &str, index: usize, then: &mut dyn FnMut(&mut Vec<String>)| {
        path.extend([step.to_owned(), index.to_string()]);
        then(path);
        path.truncate(path.len() - 2);
    };
    match condition {
        Condition::Equals(left, right) => {
            below("equals", 0, &mut |path| each(path, left));
            below("equals", 1, &mut |path| each(path, right));
        }
        Condition::Not([inner]) => below("not", 0, &mut |path| compared(inner, path, each)),
        Condition::And(inner) | Condition::Or(inner) => {
            let step = if matches!(condition, Condition::And(_)) { "and" } else { "or" };
            for (index, inner) in inner.iter().enumerate() {
                below(step, index, &mut |path| compared(inner, path, each));
            }
        }
        Condition::Condition(_) => {}
    }
}

fn too_early(path: &[String], value: &Value, declared: &Declared) -> Option<Complaint> {
    let needed = declared.made_for(value).or_else(|| imported(value))?;
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let help = "conditions are decided before anything is made: compare parameters, or `AWS::Region` and the like";
    Some(Complaint::new(&path, format!("a condition cannot depend on {needed}"), help))
}

/// What another stack exports, in words. CloudFormation does not take it in conditions and in names of exports.
pub(super) fn imported(value: &Value) -> Option<String> {
    match value {
        Value::Output(output) => Some(format!("`{}.{}` of another stack", output.stack, output.name)),
        _ => value.inside().into_iter().find_map(|(_, value)| imported(value)),
    }
}

/// Conditions that need themselves.
fn circles(stack: &Stack) -> Vec<Complaint> {
    let needs: BTreeMap<&str, BTreeSet<&str>> =
        stack.conditions.iter().map(|(name, condition)| (name.as_str(), named(condition))).collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> = needs.keys().map(|name| (*name, reached(&needs, name))).collect();
    let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|found| found.contains(to));
    let in_circles = needs.keys().filter(|name| reaches(name, name));
    in_circles
        .map(|name| {
            let circle: Vec<&str> =
                needs.keys().copied().filter(|other| reaches(name, other) && reaches(other, name)).collect();
            let message = match circle.as_slice() {
                [_] => format!("condition `{name}` depends on itself"),
                circle => format!("the conditions {} depend on each other", list(circle.iter().copied())),
            };
            Complaint::new(&["conditions", name], message, "take one of the references out of the circle").at_key()
        })
        .collect()
}

/// What a condition needs, and what that needs in turn.
fn reached<'a>(needs: &BTreeMap<&'a str, BTreeSet<&'a str>>, name: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = vec![name];
    while let Some(next) = open.pop() {
        for needed in needs.get(next).into_iter().flatten().copied() {
            if needs.contains_key(needed) && found.insert(needed) {
                open.push(needed);
            }
        }
    }
    found
}

/// The conditions that a condition names.
fn named(condition: &Condition) -> BTreeSet<&str> {
    match condition {
        Condition::Equals(left, right) => [left, right].into_iter().flat_map(chosen_by).collect(),
        Condition::Not([inner]) => named(inner),
        Condition::And(inner) | Condition::Or(inner) => inner.iter().flat_map(named).collect(),
        Condition::Condition(name) => BTreeSet::from([name.as_str()]),
    }
}

fn chosen_by(value: &Value) -> Vec<&str> {
    let own = match value {
        Value::If(name, ..) => Some(name.as_str()),
        _ => None,
    };
    own.into_iter().chain(value.inside().into_iter().flat_map(|(_, value)| chosen_by(value))).collect()
}
