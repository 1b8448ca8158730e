//! What ends a command before it is done.

use miette::{Diagnostic, Report};

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
    /// Nothing was done: access would be weakened, and nobody has accepted that.
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
