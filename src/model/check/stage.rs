//! Rules for the variables of stages, which all kinds of APIs have.

use std::collections::BTreeMap;

use crate::model::Value;

use super::Complaint;

/// The most characters of a variable's name.
const LONGEST_NAME: usize = 64;
/// The most characters of a variable's value.
const LONGEST_VALUE: usize = 512;

/// What is wrong with the variables under a path.
pub(super) fn variables(path: &[&str], variables: &BTreeMap<String, Value>) -> Vec<Complaint> {
    let wrong = |(name, value): (&String, &Value)| {
        let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        let at_name = wrong_name(name).map(|(message, help)| Complaint::new(&path, message, help).of_name());
        let at_value = value.text().and_then(wrong_value);
        let at_value = at_value.map(|(message, help)| Complaint::new(&path, message, help));
        at_name.into_iter().chain(at_value).collect::<Vec<_>>()
    };
    variables.iter().flat_map(wrong).collect()
}

fn wrong_name(name: &str) -> Option<(String, String)> {
    let length = name.chars().count();
    if length > LONGEST_NAME {
        let message = format!("the name of this stage variable has {length} characters");
        return Some((message, format!("the most is {LONGEST_NAME}: shorten it")));
    }
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let message = || format!("`{}` cannot be the name of a stage variable", name.escape_debug());
    (!fits).then(|| (message(), "letters, digits and underscores".to_owned()))
}

fn wrong_value(text: &str) -> Option<(String, String)> {
    let length = text.chars().count();
    if length > LONGEST_VALUE {
        let message = format!("the value of this stage variable has {length} characters");
        return Some((message, format!("the most is {LONGEST_VALUE}: shorten it, or split it into several variables")));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c);
    let wrong = text.chars().find(|c| !allowed(*c))?;
    let message = format!("`{}` cannot be in a stage variable", wrong.escape_debug());
    Some((message, "letters, digits and `-._~:/?#&=,` can".to_owned()))
}
