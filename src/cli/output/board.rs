//! The live picture of a deployment: a bar for the stack, a line for each resource that is being worked on.
//!
//! Without a terminal it is a log: one line for each thing that is done.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use stackgen::deploy::operation::Event;
use stackgen::deploy::{Cancellation, Progress};

use super::{Screen, bold, dim, green, red, yellow};

/// What is going on, drawn as it changes.
#[derive(Debug)]
pub(crate) struct Board<'a> {
    screen: &'a Screen,
    drawing: MultiProgress,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bar: Option<ProgressBar>,
    lines: BTreeMap<String, ProgressBar>,
}

const TICK: Duration = Duration::from_millis(120);

impl<'a> Board<'a> {
    /// An empty board.
    pub(crate) fn new(screen: &'a Screen) -> Self {
        Self { screen, drawing: MultiProgress::new(), state: Mutex::default() }
    }

    /// Takes in what happened.
    pub(crate) fn tell(&self, progress: Progress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Waiting { stack, status } => {
                self.log(&format!("{} {stack} is busy ({status}); waiting for it to end", yellow("…")));
            }
            Progress::Uploading { name, size } => self.begin(&mut state, &name, &format!("uploading {}", bytes(size))),
            Progress::Uploaded { name } => {
                self.end(&mut state, &name);
                self.log(&format!("{} {name} uploaded", green("✓")));
            }
            Progress::Comparing { stack } => self.begin(&mut state, &stack, "working out what changes"),
            Progress::Started { stack, resources } => self.start(&mut state, &stack, resources),
            Progress::Event(event) => self.event(&mut state, &event),
            Progress::Cancelling { how } => self.log(&format!("{} {}", yellow("!"), cancelling(how))),
            Progress::Ended { .. } => Self::clear(&mut state),
        }
    }

    /// Takes everything off that is still being drawn, such as before a question.
    pub(crate) fn clean(&self) {
        Self::clear(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn clear(state: &mut State) {
        for line in std::mem::take(&mut state.lines).into_values().chain(state.bar.take()) {
            line.finish_and_clear();
        }
    }

    fn start(&self, state: &mut State, stack: &str, resources: usize) {
        Self::clear(state);
        if self.screen.is_live() {
            let bar = ProgressBar::new(u64::try_from(resources).unwrap_or_default());
            let style = ProgressStyle::with_template("{msg} {bar:32.green} {pos}/{len} {elapsed:.dim}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ "));
            bar.set_message(bold(stack));
            let bar = self.drawing.add(bar);
            bar.enable_steady_tick(TICK);
            state.bar = Some(bar);
        }
    }

    fn event(&self, state: &mut State, event: &Event) {
        if event.is_about_the_stack() {
            return;
        }
        let what = format!("{} {}", event.logical_id, dim(&event.kind));
        if event.status.ends_with("_IN_PROGRESS") {
            return self.begin(state, &event.logical_id, &format!("{} {}", word(&event.status), dim(&event.kind)));
        }
        self.end(state, &event.logical_id);
        if let Some(bar) = &state.bar {
            bar.inc(1);
        }
        if event.status.ends_with("_FAILED") {
            let reason = event.reason.as_deref().unwrap_or_default();
            self.log(&format!("{} {what} {}: {reason}", red("✗"), word(&event.status)));
        } else {
            self.log(&format!("{} {what} {}", green("✓"), word(&event.status)));
        }
    }

    fn begin(&self, state: &mut State, name: &str, doing: &str) {
        if !self.screen.is_live() {
            return;
        }
        let line = state.lines.entry(name.to_owned()).or_insert_with(|| {
            let line = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner:.cyan} {prefix} {msg} {elapsed:.dim}");
            line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            line.set_prefix(name.to_owned());
            let line = self.drawing.add(line);
            line.enable_steady_tick(TICK);
            line
        });
        line.set_message(doing.to_owned());
    }

    fn end(&self, state: &mut State, name: &str) {
        if let Some(line) = state.lines.remove(name) {
            line.finish_and_clear();
            self.drawing.remove(&line);
        }
    }

    /// A line that stays. While something is drawn it goes above it.
    fn log(&self, line: &str) {
        if self.screen.is_live() {
            self.drawing.suspend(|| self.screen.note(line));
        } else {
            self.screen.note(line);
        }
    }
}

fn cancelling(how: Cancellation) -> &'static str {
    match how {
        Cancellation::RollBack => {
            "cancelling: CloudFormation goes back to what was deployed (Ctrl-C again leaves it alone)"
        }
        Cancellation::Delete => {
            "a first creation cannot be cancelled, so the stack is being deleted (Ctrl-C again leaves it alone)"
        }
        Cancellation::Discard => "stopping: the change set is taken back first (Ctrl-C again leaves it there)",
        Cancellation::Impossible => "this step cannot be cancelled; it ends by itself (Ctrl-C again leaves it alone)",
    }
}

/// A resource's status in a word or two.
fn word(status: &str) -> String {
    match status {
        "CREATE_IN_PROGRESS" => "is being created".to_owned(),
        "CREATE_COMPLETE" => "created".to_owned(),
        "CREATE_FAILED" => "could not be created".to_owned(),
        "UPDATE_IN_PROGRESS" => "is being changed".to_owned(),
        "UPDATE_COMPLETE" => "changed".to_owned(),
        "UPDATE_FAILED" => "could not be changed".to_owned(),
        "DELETE_IN_PROGRESS" => "is being removed".to_owned(),
        "DELETE_COMPLETE" => "removed".to_owned(),
        "DELETE_FAILED" => "could not be removed".to_owned(),
        "DELETE_SKIPPED" => "left behind".to_owned(),
        other => other.to_lowercase().replace('_', " "),
    }
}

/// A size for people.
fn bytes(size: u64) -> String {
    indicatif::HumanBytes(size).to_string()
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn a_status_is_told_in_words() {
        assert_eq!(word("CREATE_COMPLETE"), "created");
        assert_eq!(word("IMPORT_ROLLBACK_COMPLETE"), "import rollback complete");
    }
}
