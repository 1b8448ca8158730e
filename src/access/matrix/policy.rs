//! The statements of IAM policies, one action and one resource at a time.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::resolve::spelled;
use super::resources::{digest, texts, written};

/// What a policy, or all policies of a role together, allow and deny.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// What is allowed.
    pub allowed: BTreeSet<Grant>,
    /// What is denied whatever is allowed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub denied: BTreeSet<Grant>,
    /// Statements of which it cannot be told whether they allow something or deny it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unread: BTreeSet<String>,
}

/// Most grants of one policy that are told one by one.
const MOST: usize = 10_000;

/// Most grants of all policies of a template. A statement of a few words can make very many of them.
const MOST_OF_ALL: usize = 100_000;

/// How many grants may still be told of a template.
pub(super) struct Room(Cell<usize>);

impl Default for Room {
    fn default() -> Self {
        Self(Cell::new(MOST_OF_ALL))
    }
}

impl Room {
    /// Takes room for some grants, where there is enough.
    fn take(&self, count: usize) -> bool {
        let left = self.0.get().checked_sub(count);
        self.0.set(left.unwrap_or_else(|| self.0.get()));
        left.is_some()
    }
}

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Such as `dynamodb:GetItem`; with `all but` before it, every action but these.
    pub action: String,
    /// ARN, or an expression for it; with `all but` before it, every resource but these.
    pub resource: String,
    /// Who, in the policy of a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Under which condition.
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

impl Policy {
    /// Reads a policy document, an object or a text that holds one.
    pub(super) fn of(document: &Value, room: &Room) -> Self {
        let mut policy = Self::default();
        policy.add(document, room);
        policy
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.allowed.is_empty() && self.denied.is_empty() && self.unread.is_empty()
    }

    /// Adds what another document says.
    pub(super) fn add(&mut self, document: &Value, room: &Room) {
        match document {
            Value::Null => {}
            Value::Object(members) => match members.get("Statement") {
                Some(Value::Array(statements)) => statements.iter().for_each(|one| self.statement(one, room)),
                Some(one) => self.statement(one, room),
                None => {}
            },
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                Ok(inner @ Value::Object(_)) => self.add(&inner, room),
                _ => self.unreadable(text.clone()),
            },
            other => self.unreadable(spelled(other)),
        }
    }

    /// What cannot be read may allow anything, or be all that denies it.
    fn unreadable(&mut self, expression: String) {
        self.unread.insert(expression);
    }

    fn statement(&mut self, statement: &Value, room: &Room) {
        let Value::Object(members) = statement else { return self.unreadable(spelled(statement)) };
        let part = |name: &str| members.get(name).unwrap_or(&Value::Null);
        let principals = match (part("Principal"), part("NotPrincipal")) {
            (Value::Null, Value::Null) => BTreeSet::from([None]),
            (Value::Null, not) => BTreeSet::from([Some(format!("all but {}", spelled(not)))]),
            (principal, _) => principals(principal).into_iter().map(Some).collect(),
        };
        let condition = written(part("Condition"));
        let actions = all_or_all_but(part("Action"), part("NotAction"));
        let mut resources = all_or_all_but(part("Resource"), part("NotResource"));
        if resources.is_empty() {
            // Who may assume a role is said without a resource.
            resources.insert("*".to_owned());
        }
        let size = actions.len().saturating_mul(resources.len()).saturating_mul(principals.len());
        if actions.is_empty() || self.allowed.len() + self.denied.len() + size > MOST || !room.take(size) {
            return self.unreadable(format!("a statement that is not read ({})", digest(&spelled(statement))));
        }
        let grants = match part("Effect").as_str() {
            Some("Allow") => &mut self.allowed,
            Some("Deny") => &mut self.denied,
            _ => return self.unreadable(spelled(statement)),
        };
        for action in &actions {
            for resource in &resources {
                for principal in &principals {
                    let (action, resource, condition) = (action.clone(), resource.clone(), condition.clone());
                    grants.insert(Grant { action, resource, principal: principal.clone(), condition });
                }
            }
        }
    }
}

fn all_or_all_but(listed: &Value, excepted: &Value) -> BTreeSet<String> {
    if excepted.is_null() {
        return texts(listed);
    }
    let excepted: Vec<String> = texts(excepted).into_iter().collect();
    BTreeSet::from([format!("all but {}", excepted.join(", "))])
}

/// Whom a `Principal` names: `*`, services, accounts and ARNs alike.
pub(super) fn principals(principal: &Value) -> BTreeSet<String> {
    match principal {
        Value::Object(kinds) => kinds.values().flat_map(texts).collect(),
        other => texts(other),
    }
}
