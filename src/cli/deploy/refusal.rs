//! An update that the rules refuse.

use std::fmt;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use stackgen::access::rules::{Finding, Verdict};
use thiserror::Error;

use super::StackFile;

/// All that an update would do against the rules.
#[derive(Debug, Error, Diagnostic)]
#[error("stack `{stack}` was not updated: it is deployed, and cannot become what the file says")]
#[diagnostic(code(stackgen::deploy::refused))]
pub(super) struct Update {
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
    pub(super) fn new(file: &StackFile, found: Vec<Finding>) -> Self {
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
