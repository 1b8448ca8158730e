//! Ctrl-C and SIGTERM: the first one asks a command to come to a good end and to say what stands; the second leaves.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use miette::Diagnostic;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::Exit;
use super::output::listed;
use super::{Failure, Outcome, Screen};

/// What the user, or the system, has asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts {
    token: CancellationToken,
    /// What stands if the process ends this very moment.
    stands: Arc<Mutex<String>>,
}

/// What stands before a command says anything else.
const NOTHING_BEGUN: &str = "nothing was begun";

/// A command that was stopped before it was done.
#[derive(Debug, Error, Diagnostic)]
#[error("interrupted while {during}")]
#[diagnostic(code(stackgen::interrupted), help("{stands}"))]
struct Interrupted {
    during: &'static str,
    stands: String,
}

/// A command that was left at once.
#[derive(Debug, Error, Diagnostic)]
#[error("left; {stands}")]
#[diagnostic(code(stackgen::interrupted))]
struct Left {
    stands: String,
}

/// Something that can be dropped halfway, and what stands then.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// What goes on: `functions were built`.
    pub(crate) during: &'static str,
    /// What stands when it is left, and what to do.
    pub(crate) stands: &'a str,
}

/// How far a command came with its stacks when it was interrupted before `next`, and what to do. `past` is what becomes of
/// each: `deployed`.
pub(crate) fn between(done: &[&str], next: &str, past: &str) -> String {
    let stands = match done {
        [] => format!("nothing was {past}"),
        [only] => format!("`{only}` is {past}, and from `{next}` on nothing was"),
        [others @ .., last] => {
            format!("{} and `{last}` are {past}, and from `{next}` on nothing was", listed(others))
        }
    };
    format!("{stands}; run the command again")
}

impl Step<'_> {
    /// The step was left.
    pub(crate) fn interrupted(&self) -> Failure {
        Interrupted { during: self.during, stands: self.stands.to_owned() }.into()
    }
}

impl Interrupts {
    /// Watches for signals from now on. Where the system gives none, nothing is ever interrupted.
    pub(crate) fn watch(screen: &Screen) -> Self {
        let this = Self { token: CancellationToken::new(), stands: Arc::new(Mutex::new(NOTHING_BEGUN.to_owned())) };
        if let (Ok(ctrl_c), Ok(end)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
            tokio::spawn(this.clone().listen(Signals { ctrl_c, end }, screen.clone()));
        }
        this
    }

    async fn listen(self, mut signals: Signals, screen: Screen) {
        signals.next().await;
        screen.interrupt();
        self.token.cancel();
        tracing::debug!("asked to stop");
        signals.next().await;
        let stands = self.stands.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A line of progress may stand there.
        screen.note("\n");
        screen.end(Err(Left { stands }.into()));
        std::process::exit(Exit::Failed as i32);
    }

    /// Cancelled by the first signal.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Says what stands from now on if the second signal comes.
    pub(crate) fn stands(&self, what: impl Into<String>) {
        *self.stands.lock().unwrap_or_else(PoisonError::into_inner) = what.into();
    }

    /// What ended the following of something that goes on by itself, with what stands.
    pub(crate) fn lost(&self, failure: impl Into<Failure>) -> Failure {
        let stands = self.stands.lock().unwrap_or_else(PoisonError::into_inner).clone();
        failure.into().standing(&stands)
    }

    /// Does a step that can be dropped halfway.
    pub(crate) async fn step<T>(&self, step: Step<'_>, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        self.stands(step.stands);
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(step.interrupted()),
            done = work => done,
        }
    }
}

struct Signals {
    ctrl_c: Signal,
    end: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => (),
            _ = self.end.recv() => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn an_interruption_between_stacks_tells_how_far_it_came() {
        assert_eq!(between(&[], "a", "deployed"), "nothing was deployed; run the command again");
        let one = "`a` is destroyed, and from `b` on nothing was; run the command again";
        assert_eq!(between(&["a"], "b", "destroyed"), one);
        let three = "`a`, `b` and `c` are deployed, and from `d` on nothing was; run the command again";
        assert_eq!(between(&["a", "b", "c"], "d", "deployed"), three);
    }
}
