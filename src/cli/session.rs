//! What every command gets besides its own arguments.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use miette::Diagnostic;
use stackgen::project::Project;
use thiserror::Error;

use super::{Failure, Interrupts, Outcome, Screen};

/// The screen, and where the project is looked for.
#[derive(Debug)]
pub(crate) struct Session {
    /// The only place that prints.
    pub(crate) screen: Screen,
    start: PathBuf,
    interrupts: OnceLock<Interrupts>,
}

/// Why a command could not run at all.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum Error {
    /// The system gives no threads or no descriptors.
    #[error("the system gives no threads")]
    #[diagnostic(code(stackgen::system), help("too many processes or open files; close some and try again"))]
    Runtime(#[source] std::io::Error),
    /// A task of ours was torn down.
    #[error("a task ended before it was done")]
    #[diagnostic(code(stackgen::system), help("repeat the command with `STACKGEN_LOG=debug` and report what it says"))]
    Task(#[source] tokio::task::JoinError),
    /// The project has no stacks.
    #[error("`stacks/` holds no stack")]
    #[diagnostic(
        code(stackgen::project::empty),
        help("write `stacks/NAME.yaml`, or make a project with `stackgen init`")
    )]
    NoStacks,
    /// It is not clear which stack is meant.
    #[error("this project has several stacks: {names}")]
    #[diagnostic(code(stackgen::project::several), help("name the one that you mean{flag}"))]
    WhichStack { names: String, flag: &'static str },
}

impl Session {
    /// A session that looks for the project from `start` upwards, or from the current folder.
    pub(crate) fn new(screen: Screen, start: Option<PathBuf>) -> Self {
        Self { screen, start: start.unwrap_or_else(|| PathBuf::from(".")), interrupts: OnceLock::new() }
    }

    /// Folder from which the project is looked for.
    pub(crate) fn start(&self) -> &Path {
        &self.start
    }

    /// The project.
    pub(crate) fn project(&self) -> Outcome<Project> {
        Project::discover(&self.start).map_err(Failure::refused)
    }

    /// The stack that is meant: the named one, which must exist, or the only one.
    pub(crate) fn stack(&self, project: &Project, named: Option<&str>, flag: &'static str) -> Outcome<String> {
        if let Some(name) = named {
            project.stack_file(name).map_err(Failure::refused)?;
            return Ok(name.to_owned());
        }
        let mut names = project.stacks().map_err(Failure::refused)?;
        match (names.pop(), names.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(Failure::refused(Error::NoStacks)),
            (Some(last), false) => {
                names.push(last);
                Err(Failure::refused(Error::WhichStack { names: names.join(", "), flag }))
            }
        }
    }

    /// The stacks that are named, or all of the project, of which there must be one.
    pub(crate) fn stacks(&self, project: &Project, named: &[String]) -> Outcome<Vec<String>> {
        if !named.is_empty() {
            return Ok(named.to_vec());
        }
        let names = project.stacks().map_err(Failure::refused)?;
        if names.is_empty() { Err(Failure::refused(Error::NoStacks)) } else { Ok(names) }
    }

    /// ` --stack NAME` in a project that has several, so that a command that is shown can be run as it stands.
    pub(crate) fn stack_flag(&self, name: &str) -> String {
        let is_only = self.project().is_ok_and(|project| project.stacks().is_ok_and(|stacks| stacks.len() == 1));
        if is_only { String::new() } else { format!(" --stack {name}") }
    }

    /// What Ctrl-C and SIGTERM ask for. Without it they end the process at once.
    pub(crate) fn interrupts(&self) -> Interrupts {
        self.interrupts.get_or_init(|| Interrupts::watch(&self.screen)).clone()
    }
}

/// Runs an asynchronous command to its end.
pub(crate) fn block_on<T>(command: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_background();
    outcome
}
