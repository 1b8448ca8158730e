//! Values of template parameters.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cloud::Account;
use crate::cloudformation::intrinsics::text;
use crate::cloudformation::invalid;
use crate::cloudformation::template::Template;
use crate::hidden::Hidden;
use crate::wire::Fault;

/// Most bytes in one value.
const LONGEST_VALUE: usize = 4096;

/// What is shown for a value that is not to be shown.
pub(super) const MASK: &str = "****";

/// The value that a stack has for a parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parameter {
    /// As it was given, or the default.
    pub(super) value: Hidden,
    /// What the value names, for parameters that name a Systems Manager parameter.
    pub(super) resolved: Option<Hidden>,
    pub(super) no_echo: bool,
    /// Whether `Ref` returns a list.
    list: bool,
}

impl Parameter {
    /// What `Ref` returns.
    pub(super) fn reference(&self) -> Value {
        let text = self.resolved.as_ref().unwrap_or(&self.value);
        if self.list { text.split(',').map(|item| Value::from(item.trim())).collect() } else { text.as_str().into() }
    }

    /// What `DescribeStacks` shows.
    pub(super) fn shown(&self) -> &str {
        if self.no_echo { MASK } else { &self.value }
    }

    /// What `Ref` returns where it is only shown.
    fn shown_reference(&self) -> Value {
        match (self.no_echo, self.list) {
            (false, _) => self.reference(),
            (true, false) => MASK.into(),
            (true, true) => vec![MASK].into(),
        }
    }
}

/// What a request gives for a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    Value(String),
    /// `UsePreviousValue`.
    Previous,
}

/// What `Ref` returns for each parameter.
pub(super) fn references(parameters: &BTreeMap<String, Parameter>) -> BTreeMap<String, Value> {
    parameters.iter().map(|(name, parameter)| (name.clone(), parameter.reference())).collect()
}

/// The same where it is only shown; none where no parameter hides its value.
pub(super) fn shown_references(parameters: &BTreeMap<String, Parameter>) -> Option<BTreeMap<String, Value>> {
    let shown = |(name, parameter): (&String, &Parameter)| (name.clone(), parameter.shown_reference());
    parameters.values().any(|parameter| parameter.no_echo).then(|| parameters.iter().map(shown).collect())
}

/// Gives every parameter of a template its value.
///
/// # Errors
/// `ValidationError` for one that is missing, unknown or outside of its constraints.
pub(super) fn settle(
    account: &Account,
    template: &Template,
    given: &BTreeMap<String, Given>,
    previous: &BTreeMap<String, Parameter>,
) -> Result<BTreeMap<String, Parameter>, Fault> {
    let unknown = list(given.keys().filter(|name| !template.parameters.contains_key(*name)));
    if !unknown.is_empty() {
        return Err(invalid(format!("Parameters: [{unknown}] do not exist in the template")));
    }
    let mut missing = Vec::new();
    let mut settled = BTreeMap::new();
    for (name, declared) in &template.parameters {
        let value = match given.get(name) {
            Some(Given::Value(value)) => Some(value.clone()),
            Some(Given::Previous) => match previous.get(name) {
                Some(before) => Some(before.value.to_string()),
                None => {
                    return Err(invalid(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter \
                         key not in the previous template"
                    )));
                }
            },
            None => declared.get("Default").and_then(text),
        };
        match value {
            Some(value) => drop(settled.insert(name.clone(), parameter(account, name, declared, value)?)),
            None => missing.push(name),
        }
    }
    if missing.is_empty() {
        return Ok(settled);
    }
    Err(invalid(format!("Parameters: [{}] must have values", list(missing))))
}

fn list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn parameter(account: &Account, name: &str, declared: &Value, value: String) -> Result<Parameter, Fault> {
    if value.len() > LONGEST_VALUE {
        return Err(invalid(format!(
            "1 validation error detected: Value '{value}' at 'parameters.1.member.parameterValue' failed to satisfy \
             constraint: Member must have length less than or equal to {LONGEST_VALUE}"
        )));
    }
    let kind = declared.get("Type").and_then(Value::as_str).unwrap_or_default();
    let nothing = Map::new();
    Constraints { name, kind, declared: declared.as_object().unwrap_or(&nothing) }.check(&value)?;
    let resolved = match kind.strip_prefix("AWS::SSM::Parameter::Value<") {
        Some(_) => Some(stored(account, &value)?),
        None => None,
    };
    let is_list = kind == "CommaDelimitedList" || kind.contains("List<") || kind.ends_with("<CommaDelimitedList>");
    let no_echo = declared.get("NoEcho").and_then(text).as_deref() == Some("true");
    Ok(Parameter { value: value.into(), resolved, no_echo, list: is_list })
}

/// The value of a Systems Manager parameter.
fn stored(account: &Account, name: &str) -> Result<Hidden, Fault> {
    let missing = || invalid(format!("Unable to fetch parameters [{name}] from parameter store for this account."));
    account.ssm.get(name).map(|parameter| parameter.value.clone()).ok_or_else(missing)
}

/// What a template demands of a parameter's value.
struct Constraints<'a> {
    name: &'a str,
    kind: &'a str,
    declared: &'a Map<String, Value>,
}

impl Constraints<'_> {
    fn check(&self, value: &str) -> Result<(), Fault> {
        let many = matches!(self.kind, "CommaDelimitedList" | "List<Number>" | "List<String>");
        let items: Vec<&str> = if many { value.split(',').map(str::trim).collect() } else { vec![value] };
        items.into_iter().try_for_each(|item| self.item(item)).map_err(|reason| self.fault(&reason))
    }

    fn fault(&self, reason: &str) -> Fault {
        match self.declared.get("ConstraintDescription").and_then(Value::as_str) {
            Some(told) => invalid(format!("Parameter '{}' failed to satisfy constraint: {told}", self.name)),
            None => invalid(format!("Parameter '{}' {reason}", self.name)),
        }
    }

    fn item(&self, item: &str) -> Result<(), String> {
        if self.kind.contains("Number") {
            self.number(item)?;
        } else {
            self.length(item)?;
        }
        if let Some(Value::String(pattern)) = self.declared.get("AllowedPattern")
            && is_mismatch(pattern, item)
        {
            return Err(format!("must match pattern {pattern}"));
        }
        let allowed = self.declared.get("AllowedValues").and_then(Value::as_array);
        if allowed.is_some_and(|allowed| !allowed.iter().filter_map(text).any(|one| self.is_same(&one, item))) {
            return Err("must be one of AllowedValues".to_owned());
        }
        Ok(())
    }

    /// Whether two values are one: `1` and `1.0` are where a number is asked for.
    fn is_same(&self, one: &str, other: &str) -> bool {
        one == other || self.kind.contains("Number") && number(one).is_some_and(|one| number(other) == Some(one))
    }

    fn bound(&self, name: &str) -> Option<f64> {
        self.declared.get(name).and_then(text)?.parse().ok()
    }

    fn number(&self, item: &str) -> Result<(), String> {
        let number = number(item).ok_or("must be a number")?;
        if let Some(least) = self.bound("MinValue").filter(|least| number < *least) {
            return Err(format!("must be a number not less than {least}"));
        }
        if let Some(most) = self.bound("MaxValue").filter(|most| number > *most) {
            return Err(format!("must be a number not greater than {most}"));
        }
        Ok(())
    }

    fn length(&self, item: &str) -> Result<(), String> {
        #[expect(clippy::cast_precision_loss, reason = "values are at most 4,096 bytes long")]
        let length = item.chars().count() as f64;
        if let Some(least) = self.bound("MinLength").filter(|least| length < *least) {
            return Err(format!("must contain at least {least} characters"));
        }
        if let Some(most) = self.bound("MaxLength").filter(|most| length > *most) {
            return Err(format!("must contain at most {most} characters"));
        }
        Ok(())
    }
}

/// A number as it is written; texts such as `nan` are none.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether a value does not match a pattern as a whole. CloudFormation's patterns are Java's: what only Java reads, or reads
/// in another way, as classes by name and whatever is not ASCII, is let pass.
fn is_mismatch(pattern: &str, item: &str) -> bool {
    let is_javas = ["\\p", "\\P", "[["].iter().any(|class| pattern.contains(class)) || !item.is_ascii();
    !is_javas && Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|whole| !whole.is_match(item))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settle_one(declared: Value, given: Option<&str>) -> Result<Value, String> {
        let template = Template { parameters: Map::from_iter([("P".to_owned(), declared)]), ..Template::default() };
        let given = given.map(|value| ("P".to_owned(), Given::Value(value.to_owned()))).into_iter().collect();
        settle(&Account::default(), &template, &given, &BTreeMap::new())
            .map(|settled| settled.get("P").map(Parameter::reference).unwrap_or_default())
            .map_err(|fault| fault.message)
    }

    #[test]
    fn values_take_the_shape_of_their_type() {
        assert_eq!(settle_one(json!({"Type": "String", "Default": 5}), None), Ok(json!("5")));
        assert_eq!(settle_one(json!({"Type": "String"}), Some("")), Ok(json!("")));
        assert_eq!(settle_one(json!({"Type": "CommaDelimitedList"}), Some("a, b")), Ok(json!(["a", "b"])));
        assert_eq!(settle_one(json!({"Type": "List<Number>"}), Some("1,2")), Ok(json!(["1", "2"])));
    }

    #[test]
    fn what_only_java_can_tell_is_let_pass() {
        for (pattern, value) in [("(?!x)[a-z]+", "ab"), ("\\p{Punct}+", "$"), ("[[:alpha:]]+", ":"), ("[a-z]+", "é")] {
            let declared = json!({"Type": "String", "AllowedPattern": pattern});
            assert_eq!(settle_one(declared, Some(value)), Ok(json!(value)), "{pattern}");
        }
        let declared = json!({"Type": "Number", "AllowedValues": [1, 2]});
        assert_eq!(settle_one(declared, Some("1.0")), Ok(json!("1.0")));
    }

    #[test]
    fn constraints_hold() {
        let cases = [
            (json!({"Type": "String"}), None, "Parameters: [P] must have values"),
            (json!({"Type": "Number"}), Some("x"), "Parameter 'P' must be a number"),
            (json!({"Type": "Number", "MaxValue": 3}), Some("nan"), "Parameter 'P' must be a number"),
            (json!({"Type": "Number"}), Some("inf"), "Parameter 'P' must be a number"),
            (
                json!({"Type": "Number", "AllowedValues": [1, 2]}),
                Some("1.5"),
                "Parameter 'P' must be one of AllowedValues",
            ),
            (json!({"Type": "Number", "MaxValue": 3}), Some("4"), "Parameter 'P' must be a number not greater than 3"),
            (json!({"Type": "List<Number>"}), Some("1,x"), "Parameter 'P' must be a number"),
            (
                json!({"Type": "String", "MinLength": "2"}),
                Some("é"),
                "Parameter 'P' must contain at least 2 characters",
            ),
            (
                json!({"Type": "String", "AllowedPattern": "[a-z]+"}),
                Some("ab1"),
                "Parameter 'P' must match pattern [a-z]+",
            ),
            (
                json!({"Type": "String", "AllowedValues": ["a", "b"]}),
                Some("c"),
                "Parameter 'P' must be one of AllowedValues",
            ),
            (
                json!({"Type": "String", "AllowedValues": ["a"], "ConstraintDescription": "must be a"}),
                Some("c"),
                "Parameter 'P' failed to satisfy constraint: must be a",
            ),
            (
                json!({"Type": "AWS::SSM::Parameter::Value<String>"}),
                Some("/none"),
                "Unable to fetch parameters [/none] from parameter store for this account.",
            ),
        ];
        for (declared, given, expected) in cases {
            assert_eq!(settle_one(declared, given), Err(expected.to_owned()));
        }
    }
}
