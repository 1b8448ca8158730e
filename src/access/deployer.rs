//! The smallest policy with which stacks can be deployed, updated and destroyed.
//!
//! CloudFormation acts with the rights of whoever calls it, unless it is given a role. So there are two parts: what
//! `stackgen` itself asks of AWS, and what CloudFormation does on its behalf for the resources of the templates.
//! `docs/deployer-policy.md` says how to use it, and where its facts come from.

mod caller;
mod grant;
mod kinds;
mod names;
mod resources;

use std::collections::{BTreeMap, BTreeSet};

use miette::Diagnostic;
use serde::Serialize;
use thiserror::Error;

use crate::template::Template;

pub use grant::Statement;

/// Most characters of a managed policy; IAM does not count white space.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const MOST_CHARACTERS: usize = 6_144;

/// Most managed policies of a role or user, unless AWS has been asked for more.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const MOST_POLICIES: usize = 10;

/// Where stacks are deployed, and what holds for their roles there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Region, such as `eu-central-1`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// Names of the buckets that code goes through, with `*` for what CloudFormation makes up.
    pub buckets: BTreeSet<String>,
    /// ARN of the permissions boundary that every role has to carry there; none where roles need none.
    pub boundary: Option<String>,
}

/// A stack that is to be deployed.
#[derive(Debug, Clone, Copy)]
pub struct Stack<'a> {
    /// Its name.
    pub name: &'a str,
    /// What CloudFormation gets.
    pub template: &'a Template,
    /// Values of the template's parameters; the others have their defaults.
    pub parameters: &'a BTreeMap<String, String>,
}

/// Who gets the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Who calls `stackgen`: all that it asks, and all that CloudFormation does on its behalf.
    Caller,
    /// A service role of CloudFormation: only what CloudFormation does.
    ServiceRole,
}

/// Why a permission cannot be told. Nothing is granted by guessing.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The table has no such type.
    #[error("nothing is known of what CloudFormation needs for `{kind}` (`{id}` of stack `{stack}`)")]
    #[diagnostic(
        code(stackgen::policy::unknown_type),
        help(
            "write its permissions yourself, from `handlers` in `aws cloudformation describe-type --type RESOURCE \
             --type-name {kind}`, and leave stack `{stack}` out here"
        )
    )]
    UnknownType { stack: String, id: String, kind: String },
    /// The type is known, but not what this property needs besides.
    #[error("nothing is known of what CloudFormation needs for `{property}` of `{id}` in stack `{stack}`")]
    #[diagnostic(
        code(stackgen::policy::unknown_property),
        help("write its permissions yourself, or leave the property out of the stack")
    )]
    UnknownProperty { stack: String, id: String, property: String },
    /// What is granted depends on a value that is not known beforehand.
    #[error("`{property}` of `{id}` in stack `{stack}` is not known before the stack is deployed")]
    #[diagnostic(code(stackgen::policy::unknown_name), help("{help}"))]
    UnknownName { stack: String, id: String, property: String, help: String },
    /// The policy would not let anybody make the role.
    #[error("role `{id}` of stack `{stack}` does not carry the permissions boundary `{boundary}`")]
    #[diagnostic(
        code(stackgen::policy::unbounded),
        help(
            "write below `overrides` of stack `{stack}`: `{id}: {{ properties: {{ PermissionsBoundary: {boundary} }} }}`"
        )
    )]
    Unbounded { stack: String, id: String, boundary: String },
}

/// Everything that cannot be told, at once.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("the smallest policy cannot be told")]
#[diagnostic(code(stackgen::policy), help("nothing is granted by guessing"))]
pub struct Refused {
    /// The reasons.
    #[related]
    pub reasons: Vec<Error>,
}

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    /// What it grants.
    pub statement: Vec<Statement>,
}

impl Document {
    fn of(statement: Vec<Statement>) -> Self {
        Self { version: "2012-10-17", statement }
    }

    /// The characters that IAM counts.
    #[must_use]
    pub fn characters(&self) -> usize {
        // Names and ARNs hold no white space, and compact JSON adds none.
        serde_json::to_string(self).map_or(usize::MAX, |text| text.chars().count())
    }
}

/// What the holder has to be granted for the stacks, in as few statements as say exactly that.
///
/// # Errors
/// Everything in the templates whose permissions are not known.
pub fn statements(stacks: &[Stack<'_>], place: &Place, holder: Holder) -> Result<Vec<Statement>, Refused> {
    let mut grants = BTreeSet::new();
    let mut reasons = Vec::new();
    for stack in stacks {
        resources::grants(*stack, place, &mut grants, &mut reasons);
        if holder == Holder::Caller {
            grants.extend(caller::grants(stack, place));
        }
    }
    if reasons.is_empty() { Ok(grant::merged(grants)) } else { Err(Refused { reasons }) }
}

/// The statements in documents that IAM takes as managed policies; one where they fit. A statement that is larger than a
/// document becomes several, each with some of its resources.
#[must_use]
pub fn documents(statements: Vec<Statement>) -> Vec<Document> {
    let mut documents: Vec<Document> = Vec::new();
    for statement in statements.into_iter().flat_map(divided) {
        match documents.last_mut() {
            Some(last) if fits(last, &statement) => last.statement.push(statement),
            _ => documents.push(Document::of(vec![statement])),
        }
    }
    documents
}

/// The statement in as many parts as it takes for each to fit a document.
fn divided(statement: Statement) -> Vec<Statement> {
    let alone = Document::of(vec![statement.clone()]);
    let half = statement.resource.len() / 2;
    if alone.characters() <= MOST_CHARACTERS || half == 0 {
        return vec![statement];
    }
    let part = |name: &str, resource: BTreeSet<String>| {
        let mut part = statement.clone();
        part.sid.push_str(name);
        part.resource = resource;
        divided(part)
    };
    let (first, second) = (statement.resource.iter().take(half), statement.resource.iter().skip(half));
    [part("A", first.cloned().collect()), part("B", second.cloned().collect())].concat()
}

fn fits(document: &Document, statement: &Statement) -> bool {
    let mut larger = document.clone();
    larger.statement.push(statement.clone());
    larger.characters() <= MOST_CHARACTERS
}

/// The partition that a region belongs to.
fn partition(region: &str) -> &'static str {
    match region {
        china if china.starts_with("cn-") => "aws-cn",
        government if government.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests;
