//! What is wrong with a stack: per field, across fields, and across resources. Who may call what is not judged here but by
//! the rules of `access`, each of which can be explained.

use std::fmt;

use garde::Validate;

use super::Stack;

mod api;
mod apigateway;
mod apigatewayv2;
mod arn;
mod cognito;
mod condition;
mod cors;
mod declared;
mod dynamodb;
mod field;
mod grant;
mod lambda;
mod log;
mod names;
mod others;
mod output;
mod parameter;
mod parts;
mod provider;
mod secretsmanager;
mod ses;
mod stage;
mod tag;
mod words;

pub use declared::Declared;
pub use others::Others;
pub use words::list;

pub(super) use field::{
    RETENTION, action, condition, covered, email_identity, endpoint, exists, facebook_version, holds_code,
    holds_invitation, holds_link, key_arn, projected, retention, selection, sid, text,
};
pub(super) use tag::MOST_TAGS;

/// One thing that is wrong with a stack, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The way from the top of the stack file to the culprit: section, id, field, ...
    pub path: Vec<String>,
    /// Whether the key is the culprit, rather than its value.
    pub at_key: bool,
    /// Whether the key is wrong as a name, whatever is below it.
    pub is_of_name: bool,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}

impl Complaint {
    pub(crate) fn new(path: &[&str], message: impl Into<String>, help: impl Into<String>) -> Self {
        let path = path.iter().map(|step| (*step).to_owned()).collect();
        Self { path, at_key: false, is_of_name: false, message: message.into(), help: Some(help.into()) }
    }

    /// The same, where the key is the culprit rather than its value.
    pub(crate) fn at_key(mut self) -> Self {
        self.at_key = true;
        self
    }

    /// The same, where the key is wrong as a name, whatever is below it.
    pub(crate) fn of_name(self) -> Self {
        Self { is_of_name: true, ..self.at_key() }
    }

    /// A complaint about one field; its error holds the message and, on a second line, the help.
    fn about_field(path: &garde::Path, error: &garde::Error) -> Self {
        // The way to a field has no other iterator, and its text cannot be split: keys contain dots.
        // An `Option` is a step without a name.
        let steps = path.__iter().rev().map(|(_, step)| step.to_string());
        let path: Vec<String> = steps.filter(|step| !step.is_empty()).collect();
        let (message, help) = match error.message().split_once('\n') {
            Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
            None => field::bounds(path.last().map_or("", String::as_str), error.message()),
        };
        Self { path, at_key: false, is_of_name: false, message, help }
    }
}

/// Every complaint about a stack that is deployed as `name`.
pub(crate) fn check(stack: &Stack, declared: &Declared) -> Vec<Complaint> {
    let mut complaints = fields(stack, declared);
    complaints.extend(names::stack_name(declared.name()));
    complaints.extend(names::check(stack));
    complaints.extend(parts::check(stack, declared));
    complaints.extend(parameter::check(stack));
    complaints.extend(condition::check(stack, declared));
    complaints.extend(output::check(stack, declared));
    complaints.extend(tag::check(stack));
    complaints.extend(arn::check(stack));
    complaints.extend(log::check(stack));
    complaints.extend(cognito::check(stack));
    complaints.extend(provider::check(stack));
    complaints.extend(secretsmanager::check(stack));
    complaints.extend(dynamodb::check(stack));
    complaints.extend(ses::check(stack));
    complaints.extend(lambda::check(stack));
    complaints.extend(apigatewayv2::check(stack));
    complaints.extend(apigateway::check(stack));
    complaints.sort_by(|a, b| a.path.cmp(&b.path));
    complaints
}

fn fields(stack: &Stack, declared: &Declared) -> Vec<Complaint> {
    let Err(report) = stack.validate_with(declared) else { return Vec::new() };
    report.iter().map(|(path, error)| Complaint::about_field(path, error)).collect()
}
