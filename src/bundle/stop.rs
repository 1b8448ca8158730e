//! How a build is stopped from outside.

use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stops the build that runs, and any that would begin after it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    running: Option<Running>,
}

/// A cargo that has not been waited for, so that its process id is still its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pid: u32,
    led: Led,
}

/// Whether cargo leads a process group of its own, which ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Led {
    /// It belongs to the terminal's group, so that Ctrl-C reaches all that it started.
    ByTheTerminal,
    /// Nobody else tells what it started.
    ByItself,
}

impl Running {
    pub(super) fn new(cargo: &Child, led: Led) -> Self {
        Self { pid: cargo.id(), led }
    }

    #[cfg(unix)]
    fn end(self) {
        use rustix::process::{Pid, Signal, kill_process, kill_process_group};

        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return };
        // One that has just ended by itself is what was wanted.
        let _gone = match self.led {
            Led::ByTheTerminal => kill_process(pid, Signal::TERM),
            Led::ByItself => kill_process_group(pid, Signal::TERM),
        };
    }

    #[cfg(not(unix))]
    fn end(self) {}
}

impl Stop {
    /// Stops.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        if let Some(running) = state.running {
            running.end();
        }
    }

    /// Whether it was stopped.
    pub(super) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Takes note of what runs, or of nothing before it is waited for.
    pub(super) fn watch(&self, running: Option<Running>) {
        let mut state = self.state();
        state.running = running;
        if let Some(running) = running.filter(|_| state.stopped) {
            running.end();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
