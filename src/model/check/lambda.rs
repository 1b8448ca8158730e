//! Rules for functions, across fields.

use std::collections::BTreeMap;

use crate::model::Stack;
use crate::model::lambda::Function;

use super::{Complaint, grant};

/// Environment variables that Lambda itself sets, and refuses to have set.
const RESERVED: [&str; 16] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// The most bytes of a function's environment: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MOST_ENVIRONMENT: usize = 4_096;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    stack.functions.iter().flat_map(|(id, function)| check_function(stack, id, function)).collect()
}

fn check_function(stack: &Stack, id: &str, function: &Function) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    complaints.extend(code(id, function));
    let sources = [("crate", &function.crate_path), ("zip", &function.zip), ("directory", &function.directory)];
    complaints.extend(sources.into_iter().filter_map(|(field, path)| outside(id, field, path.as_deref()?)));
    complaints.extend(function.environment.keys().filter_map(|name| variable(id, name)));
    complaints.extend(too_much(id, function));
    complaints.extend(grant::check(stack, id, function));
    complaints
}

fn code(id: &str, function: &Function) -> Option<Complaint> {
    let sources = [("crate", &function.crate_path), ("zip", &function.zip), ("directory", &function.directory)];
    let mut given = sources.iter().filter(|(_, source)| source.is_some()).map(|(name, _)| *name);
    match (given.next(), given.next()) {
        (None, _) => {
            let help = "add `crate: functions/<name>`, or `zip` or `directory` for code that is built already";
            Some(Complaint::new(&["functions", id], format!("function `{id}` has no code"), help).at_key())
        }
        (Some(first), Some(second)) => {
            let message = format!("function `{id}` has its code from both `{first}` and `{second}`");
            Some(Complaint::new(&["functions", id, second], message, "keep one of them").at_key())
        }
        (Some(source), None) if source != "crate" && function.bin.is_some() => {
            let message = format!("`bin` chooses a binary of a crate, and the code comes from `{source}`");
            Some(Complaint::new(&["functions", id, "bin"], message, "remove it").at_key())
        }
        _ => None,
    }
}

/// A path must start at the project's root and stay inside.
fn outside(id: &str, field: &str, path: &str) -> Option<Complaint> {
    let leaves = path.split(['/', '\\']).any(|step| step == "..");
    let wrong = path.is_empty() || path.starts_with(['/', '\\']) || path.contains([':', '\0']) || leaves;
    let message = format!("`{}` is not a path inside the project", path.escape_debug());
    let help = "write it from the project's root, as in `functions/hello`";
    wrong.then(|| Complaint::new(&["functions", id, field], message, help))
}

fn variable(id: &str, name: &str) -> Option<Complaint> {
    let (message, help) = not_a_variable(name)?;
    Some(Complaint::new(&["functions", id, "environment", name], message, help).at_key())
}

/// Lambda measures the environment as a JSON object. Of a value that is known only when the stack is deployed, and of one
/// that a grant tells, only the name counts here.
fn too_much(id: &str, function: &Function) -> Option<Complaint> {
    let own = function.environment.iter().map(|(name, value)| (name.clone(), value.text().unwrap_or_default()));
    let told = function.grants.iter().filter_map(|grant| Some((grant.variable_for(grant.granted()?), "")));
    let measured: BTreeMap<String, &str> = told.chain(own).collect();
    let bytes = serde_json::to_string(&measured).map_or(0, |text| text.len());
    let message = format!("the environment of `{id}` has {bytes} bytes");
    let help =
        format!("the most is {MOST_ENVIRONMENT}, names included: keep what is long in a file, a table or a secret");
    (bytes > MOST_ENVIRONMENT).then(|| Complaint::new(&["functions", id, "environment"], message, help).at_key())
}

/// Why a name cannot be that of an environment variable, and what to do about it.
pub(super) fn not_a_variable(name: &str) -> Option<(String, &'static str)> {
    if RESERVED.contains(&name) {
        return Some((format!("Lambda sets `{name}` itself"), "give it another name"));
    }
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() >= 2;
    let message = format!("`{}` cannot be an environment variable", name.escape_debug());
    (!fits).then_some((message, "a letter first, then letters, digits and underscores, two at least"))
}
