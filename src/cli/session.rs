//! What every command gets besides its own arguments.

use std::future::Future;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use super::{Outcome, Screen};

/// The screen, and where the project is looked for.
#[derive(Debug)]
pub(crate) struct Session {
    /// The only place that prints.
    pub(crate) screen: Screen,
    start: PathBuf,
}

impl Session {
    /// A session that looks for the project from `start` upwards, or from the current folder.
    pub(crate) fn new(screen: Screen, start: Option<PathBuf>) -> Self {
        Self { screen, start: start.unwrap_or_else(|| PathBuf::from(".")) }
    }

    /// Folder from which the project is looked for.
    pub(crate) fn start(&self) -> &Path {
        &self.start
    }
}

/// Why an asynchronous command could not start.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// The system gives no threads or no descriptors.
    #[error("the system gives no threads")]
    #[diagnostic(code(stackgen::system), help("too many processes or open files; close some and try again"))]
    Runtime(#[source] std::io::Error),
}

/// Runs an asynchronous command to its end.
pub(crate) fn block_on<T>(command: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_background();
    outcome
}
