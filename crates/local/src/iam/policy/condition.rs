//! The `Condition` block of a statement.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Truth, has_variable, malformed, matches, object, texts};
use crate::wire::Fault;

/// One operator on one key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    test: Test,
    /// Whether the operator is one of those with `Not`.
    negated: bool,
    set: Set,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

/// How the values of a key with many are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    One,
    Any,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    EqualIgnoringCase,
    Like,
    Number(Order),
    Date(Order),
    Bool,
    Address,
    Null,
    /// Well-formed, but not decided here.
    Undecided,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Reads a `Condition` block.
pub(super) fn parse(block: &Value) -> Result<Vec<Condition>, Fault> {
    let mut conditions = Vec::new();
    for (operator, keys) in object(block)? {
        let (test, negated, set, if_exists) = read_operator(operator)?;
        for (key, values) in object(keys)? {
            let (key, values) = (key.to_ascii_lowercase(), texts(values)?);
            conditions.push(Condition { test, negated, set, if_exists, key, values });
        }
    }
    Ok(conditions)
}

fn read_operator(operator: &str) -> Result<(Test, bool, Set, bool), Fault> {
    let (set, name) = match operator.split_once(':') {
        Some(("ForAnyValue", name)) => (Set::Any, name),
        Some(("ForAllValues", name)) => (Set::All, name),
        _ => (Set::One, operator),
    };
    let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
    let (test, negated) = named(name).ok_or_else(|| malformed(&format!("Invalid Condition type : {operator}.")))?;
    Ok((test, negated, set, if_exists))
}

fn named(name: &str) -> Option<(Test, bool)> {
    Some(match name {
        "StringEquals" => (Test::Equal, false),
        "StringNotEquals" => (Test::Equal, true),
        "StringEqualsIgnoreCase" => (Test::EqualIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (Test::EqualIgnoringCase, true),
        "StringLike" | "ArnLike" | "ArnEquals" => (Test::Like, false),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (Test::Like, true),
        "NumericEquals" => (Test::Number(Order::Equal), false),
        "NumericNotEquals" => (Test::Number(Order::Equal), true),
        "NumericLessThan" => (Test::Number(Order::Less), false),
        "NumericLessThanEquals" => (Test::Number(Order::LessOrEqual), false),
        "NumericGreaterThan" => (Test::Number(Order::Greater), false),
        "NumericGreaterThanEquals" => (Test::Number(Order::GreaterOrEqual), false),
        "DateEquals" => (Test::Date(Order::Equal), false),
        "DateNotEquals" => (Test::Date(Order::Equal), true),
        "DateLessThan" => (Test::Date(Order::Less), false),
        "DateLessThanEquals" => (Test::Date(Order::LessOrEqual), false),
        "DateGreaterThan" => (Test::Date(Order::Greater), false),
        "DateGreaterThanEquals" => (Test::Date(Order::GreaterOrEqual), false),
        "Bool" => (Test::Bool, false),
        "IpAddress" => (Test::Address, false),
        "NotIpAddress" => (Test::Address, true),
        "Null" => (Test::Null, false),
        "BinaryEquals" => (Test::Undecided, false),
        _ => return None,
    })
}

impl Condition {
    /// Whether it holds for what is known of a request.
    pub(super) fn holds(&self, facts: &BTreeMap<String, Vec<String>>) -> Truth {
        let Some(known) = facts.get(&self.key) else { return Truth::Unknown };
        if self.test == Test::Null {
            let wants_absent = self.values.iter().any(|value| value == "true");
            return Truth::of(wants_absent == known.is_empty());
        }
        if known.is_empty() {
            return Truth::of(self.if_exists || self.set == Set::All || (self.negated && self.set == Set::One));
        }
        let each = known.iter().map(|fact| self.test_value(fact));
        match self.set {
            Set::All => each.min(),
            Set::One | Set::Any => each.max(),
        }
        .unwrap_or(Truth::No)
    }

    /// Any of the values for a positive operator, none of them for a negated one.
    fn test_value(&self, fact: &str) -> Truth {
        let any = self.values.iter().map(|value| compare(self.test, value, fact)).max().unwrap_or(Truth::No);
        if self.negated { any.not() } else { any }
    }
}

fn compare(test: Test, value: &str, fact: &str) -> Truth {
    if has_variable(value) {
        return Truth::Unknown;
    }
    match test {
        Test::Equal => Truth::of(value == fact),
        Test::EqualIgnoringCase | Test::Bool => Truth::of(value.eq_ignore_ascii_case(fact)),
        Test::Like => Truth::of(matches(value, fact)),
        Test::Number(order) => ordered(order, value.parse::<f64>().ok(), fact.parse::<f64>().ok()),
        Test::Date(order) => ordered(order, seconds(value), seconds(fact)),
        Test::Address => in_network(value, fact).map_or(Truth::Unknown, Truth::of),
        Test::Null | Test::Undecided => Truth::Unknown,
    }
}

fn ordered(order: Order, value: Option<f64>, fact: Option<f64>) -> Truth {
    let compared = fact.zip(value).and_then(|(fact, value)| fact.partial_cmp(&value));
    compared.map_or(Truth::Unknown, |compared| Truth::of(order.holds(compared)))
}

fn seconds(text: &str) -> Option<f64> {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok().map(|time| time.unix_timestamp() as f64);
    parsed.or_else(|| text.parse().ok())
}

/// Whether an address lies in a network such as `10.0.0.0/8`.
fn in_network(network: &str, address: &str) -> Option<bool> {
    let address: IpAddr = address.parse().ok()?;
    let (base, length) = network.split_once('/').unwrap_or((network, ""));
    let base: IpAddr = base.parse().ok()?;
    let (one, other, width) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => (u128::from(u32::from(base)), u128::from(u32::from(address)), 32),
        (IpAddr::V6(base), IpAddr::V6(address)) => (u128::from(base), u128::from(address), 128),
        _ => return Some(false),
    };
    let length: u32 = if length.is_empty() { width } else { length.parse().ok()? };
    let rest = width.checked_sub(length)?;
    // A shift by the whole width is none: then every address is within.
    Some(one.checked_shr(rest).unwrap_or(0) == other.checked_shr(rest).unwrap_or(0))
}
