//! One after the other: two runs that change the deployment of a project at once would each take the other's change
//! set for a leftover.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use miette::Diagnostic;
use stackgen::project::Project;
use thiserror::Error;

use super::output::dim;
use super::session::Error as SessionError;
use super::target::private_file;
use super::{Outcome, Session, Step};

/// The right to change what a project has deployed, until it is dropped or the process ends.
#[derive(Debug)]
#[must_use = "it is given back at once"]
pub(crate) struct Turn {
    _lock: File,
}

const WHILE_WAITING: Step<'static> =
    Step { during: "another stackgen was waited for", stands: "nothing was done; run the command again" };

/// Why it never came.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// The file system knows no locks.
    #[error("`{}` cannot be locked", path.display())]
    #[diagnostic(code(stackgen::state), help("keep the project on a file system that knows locks"))]
    Unlockable { path: PathBuf, source: std::io::Error },
}

impl Turn {
    /// Takes it. While another run has it, this one waits, says so, and can be interrupted.
    pub(crate) async fn take(session: &Session, project: &Project) -> Outcome<Self> {
        let path = project.state().join("deploying.lock");
        let lock = private_file(&path)?;
        let unlockable = |source| Error::Unlockable { path, source };
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                // Before anything is said, or a signal that answers it could come too early.
                let interrupts = session.interrupts();
                session.screen.note(dim("waiting for another stackgen that changes what this project has deployed"));
                let waiting = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
                let waiting = async { Ok(waiting.await.map_err(SessionError::Task)?.map_err(unlockable)?) };
                Ok(Self { _lock: interrupts.step(WHILE_WAITING, waiting).await? })
            }
            Err(TryLockError::Error(source)) => Err(unlockable(source).into()),
        }
    }
}
