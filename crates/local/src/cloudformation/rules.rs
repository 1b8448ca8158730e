//! `Rules`: what must be true of the parameters before anything is made.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html>

use serde_json::Value;

use crate::cloudformation::intrinsics::{Scope, call};
use crate::cloudformation::invalid;
use crate::cloudformation::template::Section;
use crate::wire::Fault;

/// Checks the rules of a template, whose parameters are known.
///
/// # Errors
/// `ValidationError` with what the rule says of itself. The words around that are ours: AWS's are not on record.
pub(super) fn check(scope: &Scope<'_>, rules: &Section) -> Result<(), Fault> {
    for (name, rule) in rules {
        let applies = rule.get("RuleCondition").map_or(Ok(true), |condition| holds(scope, condition));
        if !applies.map_err(invalid)? {
            continue;
        }
        let Some(assertions) = rule.get("Assertions").and_then(Value::as_array) else {
            return Err(invalid(format!("Template format error: Rule {name} must have a list of Assertions.")));
        };
        for assertion in assertions {
            if !holds(scope, assertion.get("Assert").unwrap_or(&Value::Null)).map_err(invalid)? {
                let description = assertion.get("AssertDescription").and_then(Value::as_str);
                let description = description.unwrap_or("an assertion does not hold");
                return Err(invalid(format!("Rule {name} is not met by the parameters: {description}")));
            }
        }
    }
    Ok(())
}

/// Whether an expression of a rule is true.
fn holds(scope: &Scope<'_>, expression: &Value) -> Result<bool, String> {
    let Some((name, argument)) = call(expression) else { return Err(boolean(expression)) };
    let arguments = argument.as_array().ok_or_else(|| format!("Template error: {name} in Rules requires a list"))?;
    match name {
        "Fn::And" => arguments.iter().try_fold(true, |all, one| Ok(holds(scope, one)? && all)),
        "Fn::Or" => arguments.iter().try_fold(false, |any, one| Ok(holds(scope, one)? || any)),
        "Fn::Not" => arguments.iter().try_fold(true, |all, one| Ok(!holds(scope, one)? && all)),
        "Fn::Equals" => two(scope, name, arguments).map(|(left, right)| left == right),
        "Fn::Contains" => two(scope, name, arguments).map(|(among, wanted)| list(&among).contains(&wanted)),
        "Fn::EachMemberEquals" => {
            two(scope, name, arguments).map(|(all, wanted)| list(&all).iter().all(|one| *one == wanted))
        }
        "Fn::EachMemberIn" => {
            two(scope, name, arguments).map(|(all, among)| list(&all).iter().all(|one| list(&among).contains(one)))
        }
        other => Err(format!("{other} in Rules is not offered by the embedded cloud")),
    }
}

fn boolean(expression: &Value) -> String {
    format!("Template format error: `{expression}` in Rules is no function that is true or false")
}

/// Both arguments of a function, each scalar as text: a parameter's value is text whatever it looks like.
fn two(scope: &Scope<'_>, name: &str, arguments: &[Value]) -> Result<(Value, Value), String> {
    let [first, second] = arguments else { return Err(format!("Template error: {name} in Rules requires two values")) };
    let value = |argument| Ok::<_, String>(plain(scope.value(argument)?.unwrap_or_default()));
    Ok((value(first)?, value(second)?))
}

fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Number(number) => number.to_string().into(),
        Value::Bool(truth) => truth.to_string().into(),
        other => other,
    }
}

/// A list, or one value as a list.
fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}
