//! What the rules say of an update: `deploy` refuses it for that, and `diff` tells of it.

use std::fmt;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use serde_json::{Value, json};
use stackgen::access::rules::{self, Finding, Verdict};
use stackgen::deploy::Unit;
use stackgen::deploy::aws::Account;
use stackgen::deploy::stack::{self, Stack};
use stackgen::template::text;
use thiserror::Error;

use super::place::StackFile;
use super::{Failure, Outcome};

/// What an update of a stack would do against the rules.
pub(crate) async fn found(
    account: &Account,
    file: &StackFile,
    unit: &Unit,
    deployed: &Stack,
) -> Outcome<Result<Vec<Finding>, Unreadable>> {
    let next: Value = serde_json::from_str(&unit.template).unwrap_or_default();
    if !rules::concern_updates(&next) {
        return Ok(Ok(Vec::new()));
    }
    let template = stack::template(account, &deployed.id).await?;
    Ok(against_the_rules(file, &template, &next))
}

fn against_the_rules(file: &StackFile, deployed: &str, next: &Value) -> Result<Vec<Finding>, Unreadable> {
    match text::parse(deployed) {
        Ok(deployed) => Ok(rules::find_in_update(&file.stack, &deployed, next)),
        Err(cause) => Err(Unreadable { stack: file.name.clone(), cause }),
    }
}

/// Refuses an update for what was found, if anything was.
pub(crate) fn refuse(file: &StackFile, found: Result<Vec<Finding>, Unreadable>) -> Outcome {
    let found = found.map_err(Failure::refused)?;
    if found.is_empty() { Ok(()) } else { Err(Failure::refused(Update::new(file, found))) }
}

/// A finding for a program.
pub(crate) fn document(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule.id,
        "resource": finding.complaint.path.get(1),
        "message": finding.complaint.message,
        "help": finding.complaint.help,
        "page": finding.rule.page,
    })
}

/// What is deployed cannot be compared with anything.
#[derive(Debug, Error, Diagnostic)]
#[error("the deployed template of stack `{stack}` cannot be read, so nobody can tell what an update would do: {cause}")]
#[diagnostic(
    code(stackgen::deploy::unreadable),
    help(
        "nothing was changed. `aws cloudformation get-template --stack-name {stack}` shows it; deploy one that can be read"
    )
)]
pub(crate) struct Unreadable {
    pub(super) stack: String,
    pub(super) cause: text::Malformed,
}

impl Unreadable {
    /// It for a program, in the form of a finding, but of no rule.
    pub(crate) fn document(&self) -> Value {
        let help = self.help().map(|help| help.to_string());
        json!({ "rule": null, "resource": null, "message": self.to_string(), "help": help, "page": null })
    }
}

/// All that an update would do against the rules.
#[derive(Debug, Error, Diagnostic)]
#[error("stack `{stack}` was not updated: it is deployed, and cannot become what the file says")]
#[diagnostic(code(stackgen::deploy::refused))]
struct Update {
    stack: String,
    #[related]
    changes: Vec<Change>,
}

/// One of them, where its resource comes from.
#[derive(Debug, Error)]
#[error("{}", finding.complaint.message)]
struct Change {
    finding: Finding,
    source_code: NamedSource<String>,
    place: Option<SourceSpan>,
}

impl Update {
    /// What was found, each underlined in the stack file.
    fn new(file: &StackFile, found: Vec<Finding>) -> Self {
        let changes = found.into_iter().map(|finding| {
            let place = finding.complaint.path.get(1).and_then(|id| file.place(id));
            Change { finding, source_code: file.source(), place }
        });
        Self { stack: file.name.clone(), changes: changes.collect() }
    }
}

impl Diagnostic for Change {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.finding.rule.id))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.finding.complaint.help.as_deref()?;
        let rule = self.finding.rule;
        Some(Box::new(match rule.verdict {
            Verdict::Refused => help.to_owned(),
            _ => format!("{help}; if it is meant so, say why under `suppressions: {{ {}: ... }}`", rule.id),
        }))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.map(|_| &self.source_code as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_primary_with_span(None, self.place?);
        Some(Box::new(std::iter::once(label)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{StackFile, against_the_rules};

    const TEXT: &str = "userPools:\n  Users: { usernameAttributes: [email] }\n";

    fn told(deployed: &str) -> Result<Vec<&'static str>, String> {
        let stack = stackgen::spec::read("stacks/notes.yaml", TEXT.as_bytes()).expect("it is sound");
        let (name, path) = ("notes".to_owned(), "stacks/notes.yaml".to_owned());
        let file = StackFile { name, path, text: TEXT.to_owned(), stack, warnings: None };
        let properties = json!({ "UsernameAttributes": ["email"] });
        let next = json!({ "Resources": { "Users": { "Type": "AWS::Cognito::UserPool", "Properties": properties } } });
        let found = against_the_rules(&file, deployed, &next).map_err(|unreadable| unreadable.to_string())?;
        Ok(found.iter().map(|finding| finding.rule.id).collect())
    }

    #[test]
    fn a_deployed_template_may_be_yaml() {
        let yaml = |attribute: &str| {
            let properties = format!("{{ UsernameAttributes: [{attribute}], UserPoolName: !Sub 'a' }}");
            format!("Resources:\n  Users: {{ Type: AWS::Cognito::UserPool, Properties: {properties} }}\n")
        };
        assert_eq!(told(&yaml("phone_number")), Ok(vec!["user-pool-changed"]));
        assert_eq!(told(&yaml("email")), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        for deployed in ["a: [", "{", "{\"A\": 1, \"A\": 2}"] {
            let told = told(deployed).expect_err("it is no template");
            assert!(told.starts_with("the deployed template of stack `notes` cannot be read"), "{told}");
        }
    }
}
