//! Every mistake of a stack file, each underlined where it was made.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, SourceCode};
use thiserror::Error;

use crate::access::rules::{Rule, Severity};

use super::excerpt::Source;

/// How many mistakes of one file are told; whoever has more begins with these.
pub(super) const MAX_FINDINGS: usize = 50;

/// Whether a key or its value is underlined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Key,
    Value,
}

/// One mistake, or what is only likely one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub(super) rule: Option<&'static Rule>,
    pub(super) severity: Severity,
    pub(super) place: Option<Range<usize>>,
    pub(super) label: Option<Box<(Range<usize>, String)>>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Finding {
    pub(super) fn new(place: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            rule: None,
            severity: Severity::Error,
            place: Some(place),
            label: None,
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// A mistake of the file as a whole.
    pub(super) fn whole(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            rule: None,
            severity: Severity::Error,
            place: None,
            label: None,
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// The same, with another place that has to do with it.
    pub(super) fn and(mut self, place: Range<usize>, label: impl Into<String>) -> Self {
        self.label = Some(Box::new((place, label.into())));
        self
    }

    /// The rule of authorization that is not kept; what has none is a mistake of shape.
    pub fn rule(&self) -> Option<&'static Rule> {
        self.rule
    }

    /// Whether it is a mistake.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do next.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// Where something stands in a file; lines and columns are counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The line of the first character.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// The line of the last character.
    pub end_line: usize,
    /// The column after it.
    pub end_column: usize,
}

/// Why a stack file cannot be used: every mistake that was found in it. Or, of a sound one, what is only likely wrong.
#[derive(Debug, Clone, Error)]
#[error("{}", headline(name, findings, *has_more))]
pub struct Report {
    name: String,
    file: Arc<Source>,
    findings: Vec<Located>,
    /// Whether there are more than are told.
    has_more: bool,
}

impl Report {
    pub(super) fn new(name: &str, text: &str, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.place.as_ref().map(|place| (place.start, place.end)));
        findings.dedup();
        let has_more = findings.len() > MAX_FINDINGS;
        findings.truncate(MAX_FINDINGS);
        let file = Arc::new(Source::new(name, text));
        let located = |finding| Located { file: Arc::clone(&file), finding };
        Self { name: name.to_owned(), findings: findings.into_iter().map(located).collect(), file, has_more }
    }

    /// The name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was found, in the order of the file, each with its place, if it has one.
    pub fn findings(&self) -> impl Iterator<Item = (&Finding, Option<Region>)> {
        let text = self.file.text();
        self.findings.iter().map(move |it| (&it.finding, it.finding.place.as_ref().and_then(|it| region(text, it))))
    }
}

fn region(text: &str, place: &Range<usize>) -> Option<Region> {
    let ((line, column), (end_line, end_column)) = (at(text, place.start)?, at(text, place.end)?);
    Some(Region { line, column, end_line, end_column })
}

fn at(text: &str, offset: usize) -> Option<(usize, usize)> {
    let before = text.get(..offset)?;
    let line = before.rsplit('\n').next().unwrap_or(before);
    Some((before.matches('\n').count() + 1, line.chars().count() + 1))
}

fn headline(name: &str, findings: &[Located], has_more: bool) -> String {
    let all = findings.len();
    match findings {
        [Located { finding: Finding { place: None, message, .. }, .. }] => format!("`{name}`: {message}"),
        [only] => only.finding.message.clone(),
        _ if has_more && is_only_likely(findings) => {
            format!("more than {all} things in `{name}` are likely wrong; these are the first")
        }
        _ if has_more => format!("`{name}` has more than {all} mistakes; these are the first"),
        _ if is_only_likely(findings) => format!("{all} things in `{name}` are likely wrong"),
        _ => format!("`{name}` has {all} mistakes"),
    }
}

fn is_only_likely(findings: &[Located]) -> bool {
    findings.iter().all(|it| it.finding.severity() == Severity::Warning)
}

impl Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.only().and_then(Diagnostic::code)
    }

    fn severity(&self) -> Option<miette::Severity> {
        is_only_likely(&self.findings).then_some(miette::Severity::Warning)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.only().and_then(Diagnostic::help)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.only().and_then(Diagnostic::source_code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.only().and_then(Diagnostic::labels)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let many = || Box::new(self.findings.iter().map(|it| it as &dyn Diagnostic));
        self.only().is_none().then(|| many() as Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>)
    }
}

impl Report {
    fn only(&self) -> Option<&Located> {
        match self.findings.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// A mistake with the text that it is in.
#[derive(Debug, Clone, Error)]
#[error("{}", finding.message)]
struct Located {
    file: Arc<Source>,
    finding: Finding,
}

impl Diagnostic for Located {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.rule.map(|rule| Box::new(rule.id) as Box<dyn fmt::Display + 'a>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        (self.finding.severity() == Severity::Warning).then_some(miette::Severity::Warning)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display + 'a>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.finding.place.as_ref().map(|_| &*self.file as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.file.underlined(self.finding.place.as_ref()?);
        // An underline says "here" by itself; a word is needed where there are two of them.
        let word = self.finding.label.as_ref().map(|_| "and again".to_owned());
        let main = LabeledSpan::new_primary_with_span(word, place);
        let underlined = |(place, label)| LabeledSpan::new_with_span(Some(label), self.file.underlined(&place));
        let other = self.finding.label.as_deref().cloned().map(underlined);
        Some(Box::new(std::iter::once(main).chain(other)))
    }
}
