//! Rules for parameters: a constraint can be met, and the default meets all of them.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>

use regex::Regex;

use crate::model::Stack;
use crate::model::raw::Parameter;
use crate::similar::closest;

use super::{Complaint, list};

/// The types that are texts or numbers.
const PLAIN: [&str; 5] = ["String", "Number", "List<Number>", "List<String>", "CommaDelimitedList"];

/// What the types begin with whose values CloudFormation looks up:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html>
const LOOKED_UP: [&str; 3] = ["AWS::EC2::", "AWS::Route53::", "AWS::SSM::Parameter::"];

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    stack.parameters.iter().flat_map(|(id, parameter)| check_parameter(id, parameter)).collect()
}

fn check_parameter(id: &str, parameter: &Parameter) -> Vec<Complaint> {
    if let Some(wrong) = wrong_type(id, &parameter.kind.0) {
        return vec![wrong];
    }
    let contradictions = contradictions(id, parameter);
    if !contradictions.is_empty() {
        return contradictions;
    }
    refused_default(id, parameter).into_iter().collect()
}

fn wrong_type(id: &str, kind: &str) -> Option<Complaint> {
    let one = kind.strip_prefix("List<").and_then(|rest| rest.strip_suffix('>')).unwrap_or(kind);
    if PLAIN.contains(&kind) || LOOKED_UP.iter().any(|prefix| one.starts_with(prefix)) {
        return None;
    }
    let message = format!("`{}` is not a type of parameters", kind.escape_debug());
    let help = match closest(kind, PLAIN) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "write `String`, `Number`, `CommaDelimitedList`, or one of AWS's own types".to_owned(),
    };
    Some(Complaint::new(&["parameters", id, "type"], message, help))
}

/// Constraints that no value meets.
fn contradictions(id: &str, parameter: &Parameter) -> Vec<Complaint> {
    let lengths = parameter.min_length.zip(parameter.max_length).is_some_and(|(least, most)| least > most);
    let values = parameter.min_value.zip(parameter.max_value).is_some_and(|(least, most)| least > most);
    let fields = [("minLength", lengths), ("minValue", values)];
    let wrong = fields.into_iter().filter(|(_, contradicts)| *contradicts);
    wrong
        .map(|(field, _)| {
            Complaint::new(&["parameters", id, field], "the least is more than the most", "exchange the two")
        })
        .collect()
}

/// CloudFormation takes the default only if it could be given as well.
fn refused_default(id: &str, parameter: &Parameter) -> Option<Complaint> {
    let default = parameter.default.as_deref()?;
    let kind = parameter.kind.0.as_str();
    // What CloudFormation looks up is constrained by its name or by its value, which is not known here.
    if !PLAIN.contains(&kind) {
        return None;
    }
    let is_list = !["String", "Number"].contains(&kind);
    let items: Vec<&str> = if is_list { default.split(',').map(str::trim).collect() } else { vec![default] };
    let (what, help) =
        items.into_iter().filter(|item| !is_list || !item.is_empty()).find_map(|item| refused(parameter, item))?;
    let message = format!("the default `{}` {what}", default.escape_debug());
    Some(Complaint::new(&["parameters", id, "default"], message, help))
}

/// What is wrong with a value, or with one of a list, and what to do about it.
fn refused(parameter: &Parameter, item: &str) -> Option<(String, String)> {
    let by_type = match parameter.kind.0.as_str() {
        "Number" | "List<Number>" => wrong_number(parameter, item),
        "String" => wrong_length(parameter, item),
        _ => None,
    };
    by_type.or_else(|| unmatched(parameter, item)).or_else(|| not_allowed(parameter, item))
}

fn wrong_number(parameter: &Parameter, item: &str) -> Option<(String, String)> {
    let Some(number) = number(item) else {
        return Some(("is not a number".to_owned(), "write one, or make the type `String`".to_owned()));
    };
    #[expect(clippy::cast_precision_loss, reason = "bounds beyond 2^53 would be compared a little too leniently")]
    let bound = |bound: Option<i64>| bound.map(|bound| bound as f64);
    if bound(parameter.min_value).is_some_and(|least| number < least) {
        return Some(("is less than `minValue`".to_owned(), "change one of the two".to_owned()));
    }
    let is_more = bound(parameter.max_value).is_some_and(|most| number > most);
    is_more.then(|| ("is more than `maxValue`".to_owned(), "change one of the two".to_owned()))
}

/// A number as it is written; texts such as `nan` are none.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn wrong_length(parameter: &Parameter, item: &str) -> Option<(String, String)> {
    let length = u32::try_from(item.chars().count()).unwrap_or(u32::MAX);
    let help = || format!("change one of the two: it has {length} characters");
    if parameter.min_length.is_some_and(|least| length < least) {
        return Some(("is shorter than `minLength`".to_owned(), help()));
    }
    let is_longer = parameter.max_length.is_some_and(|most| length > most);
    is_longer.then(|| ("is longer than `maxLength`".to_owned(), help()))
}

/// CloudFormation's patterns are Java's. What only Java reads is left to it: classes by name, and whatever is not ASCII,
/// mean something else here.
fn unmatched(parameter: &Parameter, item: &str) -> Option<(String, String)> {
    let pattern = parameter.allowed_pattern.as_deref()?;
    if pattern.contains("\\p") || pattern.contains("\\P") || pattern.contains("[[") || !item.is_ascii() {
        return None;
    }
    let whole = Regex::new(&format!("^(?:{pattern})$")).ok()?;
    let help = "change one of the two: the pattern must match the whole value".to_owned();
    (!whole.is_match(item)).then(|| ("does not match `allowedPattern`".to_owned(), help))
}

fn not_allowed(parameter: &Parameter, item: &str) -> Option<(String, String)> {
    let allowed = &parameter.allowed_values;
    let is_number = parameter.kind.0.contains("Number");
    let is_same = |one: &String| one == item || (is_number && number(one).is_some() && number(one) == number(item));
    if allowed.is_empty() || allowed.iter().any(is_same) {
        return None;
    }
    let choice = list(allowed.iter().map(String::as_str));
    Some(("is none of the allowed values".to_owned(), format!("add it to `allowedValues`, or choose from {choice}")))
}
