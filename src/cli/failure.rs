//! What ends a command before it is done.

use std::error::Error;
use std::fmt::{self, Display};

use miette::{Diagnostic, LabeledSpan, Report, Severity, SourceCode};

use super::output::listed;

/// What a command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// What to tell, and the exit code that goes with it. Any diagnostic becomes one through `?`, with exit code 1.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Absent when the command has said everything itself.
    pub(crate) report: Option<Report>,
}

/// Exit codes besides 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something was tried and failed.
    Failed = 1,
    /// Nothing was done: wrong usage, a mistake in a stack file, no consent.
    Refused = 2,
    /// Access would be weakened, and nobody has accepted that. Nothing was done, or what was done before is told.
    Weakened = 3,
}

impl Failure {
    /// Input that is refused before anything was done.
    pub(crate) fn refused(report: impl Into<Report>) -> Self {
        Self { exit: Exit::Refused, report: Some(report.into()) }
    }

    /// A refusal that the command's answer tells already.
    pub(crate) fn refusal_told() -> Self {
        Self { exit: Exit::Refused, report: None }
    }

    /// A failure that the command's answer tells already.
    pub(crate) fn told() -> Self {
        Self::with(Exit::Failed)
    }

    /// An exit code whose reason the command's answer tells already.
    pub(crate) fn with(exit: Exit) -> Self {
        Self { exit, report: None }
    }

    /// The same, which says besides what stands.
    pub(crate) fn standing(mut self, stands: &str) -> Self {
        self.report = self.report.map(|report| {
            let help = report.help().map_or_else(|| stands.to_owned(), |help| format!("{help}\n{stands}"));
            Report::new(Standing { report, help })
        });
        self
    }

    /// A weakening that nobody has accepted.
    pub(crate) fn weakened(report: impl Into<Report>) -> Self {
        Self { exit: Exit::Weakened, report: Some(report.into()) }
    }
}

impl<E: Diagnostic + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: Exit::Failed, report: Some(Report::new(error)) }
    }
}

/// What ended a command that was about several stacks: with what is done to those before, and which were not tried.
pub(crate) fn in_part<'a>(
    failure: Failure,
    (done, names): (&str, &[&str]),
    untried: impl Iterator<Item = &'a str>,
) -> Failure {
    let untried: Vec<&str> = untried.collect();
    let mut stands = Vec::new();
    if !names.is_empty() {
        stands.push(format!("{} {done}", listed(names)));
    }
    if !untried.is_empty() {
        stands.push(format!("not tried: {}", listed(&untried)));
    }
    if stands.is_empty() {
        return failure;
    }
    let mut failure = failure.standing(&stands.join("; "));
    if !names.is_empty() && failure.exit == Exit::Refused {
        failure.exit = Exit::Failed;
    }
    failure
}

/// What ended a command, with more help than it has by itself.
#[derive(Debug)]
struct Standing {
    report: Report,
    help: String,
}

impl Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.report, formatter)
    }
}

impl Error for Standing {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.report.source()
    }
}

impl Diagnostic for Standing {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.report.code()
    }

    fn severity(&self) -> Option<Severity> {
        self.report.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.report.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.report.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        self.report.related()
    }

    fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
        self.report.diagnostic_source()
    }
}

#[cfg(test)]
mod tests {
    use miette::diagnostic;

    use super::Failure;

    #[test]
    fn what_stands_is_said_besides_the_help() {
        let failure = Failure::refused(diagnostic!(code = "a::b", help = "try again", "it is broken"));
        let report = failure.standing("`a` is deployed").report.expect("it says so");
        assert_eq!(report.to_string(), "it is broken");
        assert_eq!(report.code().map(|code| code.to_string()), Some("a::b".to_owned()));
        assert_eq!(report.help().map(|help| help.to_string()), Some("try again\n`a` is deployed".to_owned()));
    }
}
