//! Every mistake of a stack file, each underlined where it was made.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use thiserror::Error;

/// Whether a key or its value is underlined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Key,
    Value,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub(super) place: Option<Range<usize>>,
    pub(super) label: Option<(Range<usize>, String)>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Finding {
    pub(super) fn new(place: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { place: Some(place), label: None, message: message.into(), help: Some(help.into()) }
    }

    /// A mistake of the file as a whole.
    pub(super) fn whole(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { place: None, label: None, message: message.into(), help: Some(help.into()) }
    }

    /// The same, with another place that has to do with it.
    pub(super) fn and(mut self, place: Range<usize>, label: impl Into<String>) -> Self {
        self.label = Some((place, label.into()));
        self
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

/// Why a stack file cannot be used: every mistake that was found in it.
#[derive(Debug, Error)]
#[error("{}", headline(name, findings))]
pub struct Report {
    name: String,
    file: Arc<NamedSource<String>>,
    findings: Vec<Located>,
}

impl Report {
    pub(super) fn new(name: &str, text: &str, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.place.as_ref().map(|place| (place.start, place.end)));
        findings.dedup();
        let file = Arc::new(NamedSource::new(name, text.to_owned()));
        let located = |finding| Located { file: Arc::clone(&file), finding };
        Self { name: name.to_owned(), findings: findings.into_iter().map(located).collect(), file }
    }

    /// The mistakes, in the order of the file, each with its line and column, counted from 1.
    pub fn findings(&self) -> impl Iterator<Item = (&Finding, Option<(usize, usize)>)> {
        let text = self.file.inner();
        self.findings
            .iter()
            .map(move |it| (&it.finding, it.finding.place.as_ref().and_then(|place| at(text, place.start))))
    }
}

fn at(text: &str, offset: usize) -> Option<(usize, usize)> {
    let before = text.get(..offset)?;
    let line = before.rsplit('\n').next().unwrap_or(before);
    Some((before.matches('\n').count() + 1, line.chars().count() + 1))
}

fn headline(name: &str, findings: &[Located]) -> String {
    match findings {
        [Located { finding: Finding { place: None, message, .. }, .. }] => format!("`{name}`: {message}"),
        [only] => only.finding.message.clone(),
        all => format!("`{name}` has {} mistakes", all.len()),
    }
}

impl Diagnostic for Report {
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
#[derive(Debug, Error)]
#[error("{}", finding.message)]
struct Located {
    file: Arc<NamedSource<String>>,
    finding: Finding,
}

impl Diagnostic for Located {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display + 'a>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.finding.place.as_ref().map(|_| &*self.file as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.finding.place.clone()?;
        // An underline says "here" by itself; a word is needed where there are two of them.
        let word = self.finding.label.as_ref().map(|_| "and again".to_owned());
        let main = LabeledSpan::new_primary_with_span(word, place);
        let other = self.finding.label.clone().map(|(place, label)| LabeledSpan::new_with_span(Some(label), place));
        Some(Box::new(std::iter::once(main).chain(other)))
    }
}
