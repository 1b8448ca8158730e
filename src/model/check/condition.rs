//! Rules for conditions, which CloudFormation decides before it makes anything.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html>

use std::collections::{BTreeMap, BTreeSet};

use crate::model::raw::Condition;
use crate::model::{Json, Stack, Value};

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
        Value::Raw(json) => imports(json).then(|| "what another stack exports".to_owned()),
        _ => value.inside().into_iter().find_map(|(_, value)| imported(value)),
    }
}

fn imports(json: &Json) -> bool {
    match json {
        Json::Array(list) => list.iter().any(imports),
        Json::Object(map) => map.iter().any(|(key, argument)| key == "Fn::ImportValue" || imports(argument)),
        _ => false,
    }
}

/// What each name leads to, as far as that is there.
type Links<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Conditions that need themselves.
fn circles(stack: &Stack) -> Vec<Complaint> {
    let mut needs: Links<'_> =
        stack.conditions.iter().map(|(name, condition)| (name.as_str(), named(condition))).collect();
    needs.values_mut().for_each(|needed| needed.retain(|name| stack.conditions.contains_key(*name)));
    let groups = that_reach_each_other(&needs);
    groups.iter().filter_map(|group| circle(&needs, group)).collect()
}

fn circle(needs: &Links<'_>, group: &[&str]) -> Option<Complaint> {
    let message = match group {
        [one] if needs.get(one).is_some_and(|needed| needed.contains(one)) => {
            format!("condition `{one}` depends on itself")
        }
        [] | [_] => return None,
        [first, second, third, fourth, _, _, ..] => {
            let others = group.len() - 4;
            format!(
                "the conditions `{first}`, `{second}`, `{third}`, `{fourth}` and {others} others depend on each other"
            )
        }
        few => format!("the conditions {} depend on each other", list(few.iter().copied())),
    };
    let help = "take one of the references out of the circle";
    Some(Complaint::new(&["conditions", group.first()?], message, help).at_key())
}

/// All names, in groups of those that reach each other: from each in turn whatever leads there and was in no group before,
/// those first from which a walk came back last. It takes as many steps as there are links, and no stack.
fn that_reach_each_other<'a>(links: &Links<'a>) -> Vec<Vec<&'a str>> {
    let mut back: Links<'a> = BTreeMap::new();
    for (from, to) in links.iter().flat_map(|(from, all)| all.iter().map(move |to| (*from, *to))) {
        back.entry(to).or_default().insert(from);
    }
    let mut seen = BTreeSet::new();
    let mut left: Vec<&str> = Vec::new();
    links.keys().for_each(|name| walk(links, name, &mut seen, &mut left));
    let mut grouped = BTreeSet::new();
    let groups = left.iter().rev().map(|name| {
        let mut group = Vec::new();
        walk(&back, name, &mut grouped, &mut group);
        group.sort_unstable();
        group
    });
    groups.filter(|group| !group.is_empty()).collect()
}

/// Walks on from a name to whatever was not seen, and notes each name when it is left.
fn walk<'a>(links: &Links<'a>, name: &'a str, seen: &mut BTreeSet<&'a str>, left: &mut Vec<&'a str>) {
    let next = |name: &'a str| links.get(name).into_iter().flatten().copied();
    let mut way: Vec<(&'a str, _)> = Vec::new();
    if seen.insert(name) {
        way.push((name, next(name)));
    }
    while let Some((name, open)) = way.last_mut() {
        match open.find(|next| seen.insert(*next)) {
            Some(found) => way.push((found, next(found))),
            None => {
                left.push(*name);
                way.pop();
            }
        }
    }
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
