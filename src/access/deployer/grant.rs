//! Single grants, and the fewest statements that say the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grant {
    /// What the statement is called that holds it.
    pub(super) purpose: &'static str,
    pub(super) action: &'static str,
    pub(super) resource: String,
    pub(super) condition: Option<Condition>,
    /// What must hold as well. Unlike the values of the condition, those of it are never alternatives.
    pub(super) besides: Option<Condition>,
}

/// What a key of the request must be. Several of them in one statement are alternatives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Condition {
    pub(super) operator: &'static str,
    pub(super) key: &'static str,
    pub(super) value: String,
}

impl Condition {
    pub(super) fn is_true(key: &'static str) -> Self {
        Self { operator: "Bool", key, value: "true".to_owned() }
    }

    pub(super) fn equals(key: &'static str, value: impl Into<String>) -> Self {
        Self { operator: "StringEquals", key, value: value.into() }
    }
}

/// A statement that allows each of its actions on each of its resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// What it is for, unique among all.
    pub sid: String,
    effect: &'static str,
    /// Such as `lambda:CreateFunction`.
    pub action: BTreeSet<&'static str>,
    /// ARNs, with `*` for what is not known beforehand.
    pub resource: BTreeSet<String>,
    /// Operator, key, and the values of which one must hold.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub condition: BTreeMap<&'static str, BTreeMap<&'static str, BTreeSet<String>>>,
}

type Test = (&'static str, &'static str);
type Actions = BTreeSet<&'static str>;
type Resources = BTreeSet<String>;

/// What grants of one statement have in common, apart from actions, resources and the condition's values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Frame {
    purpose: &'static str,
    test: Option<Test>,
    besides: Option<Condition>,
}

/// The fewest statements that allow exactly what the grants do: first the resources of each action are gathered, then
/// the actions that have the same resources, then the values of conditions that are the same otherwise.
pub(super) fn merged(grants: BTreeSet<Grant>) -> Vec<Statement> {
    let mut resources: BTreeMap<(Frame, Option<String>, &'static str), Resources> = BTreeMap::new();
    for Grant { purpose, action, resource, condition, besides } in grants {
        let test = condition.as_ref().map(|condition| (condition.operator, condition.key));
        let value = condition.map(|condition| condition.value);
        resources.entry((Frame { purpose, test, besides }, value, action)).or_default().insert(resource);
    }
    let mut actions: BTreeMap<(Frame, Option<String>, Resources), Actions> = BTreeMap::new();
    for ((frame, value, action), resources) in resources {
        actions.entry((frame, value, resources)).or_default().insert(action);
    }
    let mut values: BTreeMap<(Frame, Resources, Actions), BTreeSet<String>> = BTreeMap::new();
    for ((frame, value, resources), actions) in actions {
        values.entry((frame, resources, actions)).or_default().extend(value);
    }
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let statement = |((frame, resource, action), values): ((Frame, _, _), _)| {
        let number = numbers.entry(frame.purpose).or_default();
        *number += 1;
        let sid = if *number == 1 { frame.purpose.to_owned() } else { format!("{}{number}", frame.purpose) };
        Statement { sid, effect: "Allow", action, resource, condition: conditions(&frame, values) }
    };
    values.into_iter().map(statement).collect()
}

/// Both conditions as IAM has them: all of them must hold.
fn conditions(
    frame: &Frame,
    values: BTreeSet<String>,
) -> BTreeMap<&'static str, BTreeMap<&'static str, BTreeSet<String>>> {
    let condition = frame.test.map(|(operator, key)| (operator, key, values));
    let besides = frame.besides.iter().map(|one| (one.operator, one.key, BTreeSet::from([one.value.clone()])));
    let mut all: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (operator, key, values) in condition.into_iter().chain(besides) {
        all.entry(operator).or_default().insert(key, values);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(action: &'static str, resource: &str, value: Option<&str>) -> Grant {
        let condition = value.map(|value| Condition::equals("k", value));
        Grant { purpose: "P", action, resource: resource.to_owned(), condition, besides: None }
    }

    /// Every triple that the statements allow.
    fn allowed(statements: &[Statement]) -> BTreeSet<(&'static str, String, Option<String>)> {
        let mut all = BTreeSet::new();
        for Statement { action, resource, condition, .. } in statements {
            let values: Vec<Option<String>> = match condition.values().flat_map(BTreeMap::values).next() {
                Some(values) => values.iter().cloned().map(Some).collect(),
                None => vec![None],
            };
            for (action, resource) in action.iter().flat_map(|action| resource.iter().map(move |one| (action, one))) {
                all.extend(values.iter().map(|value| (*action, resource.clone(), value.clone())));
            }
        }
        all
    }

    #[test]
    fn statements_allow_what_the_grants_do_and_nothing_else() {
        let grants: BTreeSet<Grant> = [
            grant("s:A", "1", None),
            grant("s:A", "2", None),
            grant("s:B", "1", None),
            grant("s:B", "2", None),
            grant("s:C", "2", None),
            grant("s:C", "3", Some("x")),
            grant("s:C", "3", Some("y")),
            grant("s:D", "3", Some("x")),
        ]
        .into();
        let wanted = grants
            .iter()
            .map(|one| (one.action, one.resource.clone(), one.condition.as_ref().map(|one| one.value.clone())))
            .collect();
        let statements = merged(grants);
        assert_eq!(allowed(&statements), wanted);
        let sids: BTreeSet<&str> = statements.iter().map(|one| one.sid.as_str()).collect();
        assert_eq!(sids.len(), statements.len(), "{sids:?}");
    }

    #[test]
    fn conditions_that_must_both_hold_are_in_one_statement() {
        let both = |value: &str, other: &str| {
            let besides = Some(Condition::equals("other", other));
            Grant { besides, ..grant("s:A", "1", Some(value)) }
        };
        let statements = merged([both("one", "x"), both("two", "x"), both("one", "y")].into());
        let conditions: Vec<_> =
            statements.iter().map(|one| serde_json::json!(one.condition["StringEquals"])).collect();
        let wanted = [
            serde_json::json!({ "k": ["one", "two"], "other": ["x"] }),
            serde_json::json!({ "k": ["one"], "other": ["y"] }),
        ];
        assert_eq!(conditions, wanted);
    }

    #[test]
    fn stacks_that_differ_in_their_name_only_share_a_statement() {
        let statements = merged([grant("s:A", "*", Some("one")), grant("s:A", "*", Some("two"))].into());
        assert_eq!(statements.len(), 1);
        assert_eq!(statements[0].condition["StringEquals"]["k"], BTreeSet::from(["one".into(), "two".into()]));
    }
}
