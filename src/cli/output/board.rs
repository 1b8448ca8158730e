//! The live picture of a deployment: a bar for the stack, a line for each resource that is being worked on.
//!
//! Without a terminal it is a log: one line for each thing that is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use stackgen::deploy::operation::Event;
use stackgen::deploy::{Cancellation, Progress};

use super::{Screen, as_shown, bold, dim, green, red, yellow};

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
    /// Resources that are done with, each once: one that is replaced ends twice.
    done: BTreeSet<String>,
    way: Way,
}

/// Whether CloudFormation does what was asked for, or takes it back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Forth,
    /// It was asked to go back, and told so; what it is at still ends forward.
    Turning,
    Back,
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
            Progress::Cancelling { how } => {
                if how == Cancellation::RollBack {
                    state.way = Way::Turning;
                }
                self.log(&format!("{} {}", yellow("!"), cancelling(how)));
            }
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
        (state.done, state.way) = Default::default();
        if self.screen.is_live() {
            // A bar that is given its text before it is part of the drawing shows itself beside it, and stays there.
            let bar = self.drawing.add(ProgressBar::new(u64::try_from(resources).unwrap_or_default()));
            let style = ProgressStyle::with_template("{msg} {bar:32.green} {pos}/{len} {elapsed:.dim}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ "));
            bar.set_message(as_shown(&bold(stack)));
            bar.enable_steady_tick(TICK);
            state.bar = Some(bar);
        }
    }

    fn event(&self, state: &mut State, event: &Event) {
        if event.is_about_the_stack() {
            return self.turn(state, &event.status);
        }
        let what = format!("{} {}", event.logical_id, dim(&event.kind));
        if event.status.ends_with("_IN_PROGRESS") {
            let doing = format!("{} {}", word(&event.status, state.way), dim(&event.kind));
            return self.begin(state, &event.logical_id, &doing);
        }
        self.end(state, &event.logical_id);
        if state.way != Way::Back && state.done.insert(event.logical_id.clone()) {
            state.bar.iter().for_each(|bar| bar.inc(1));
        }
        if event.status.ends_with("_FAILED") {
            let reason = event.reason.as_deref().unwrap_or_default();
            self.log(&format!("{} {what} {}: {reason}", red("✗"), word(&event.status, state.way)));
        } else {
            self.log(&format!("{} {what} {}", green("✓"), word(&event.status, state.way)));
        }
    }

    /// Says once that CloudFormation goes back.
    fn turn(&self, state: &mut State, status: &str) {
        if !status.ends_with("ROLLBACK_IN_PROGRESS") {
            return;
        }
        if state.way == Way::Forth {
            self.log(&format!("{} CloudFormation takes back what it has done", yellow("!")));
        }
        state.way = Way::Back;
    }

    fn begin(&self, state: &mut State, name: &str, doing: &str) {
        if !self.screen.is_live() {
            return;
        }
        let line = state.lines.entry(name.to_owned()).or_insert_with(|| {
            let line = self.drawing.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner:.cyan} {prefix} {msg} {elapsed:.dim}");
            line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            line.set_prefix(name.to_owned());
            line.enable_steady_tick(TICK);
            line
        });
        line.set_message(as_shown(doing));
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
fn word(status: &str, way: Way) -> String {
    match status {
        "UPDATE_IN_PROGRESS" if way == Way::Back => "is being changed back".to_owned(),
        "UPDATE_COMPLETE" if way == Way::Back => "changed back".to_owned(),
        "DELETE_COMPLETE" if way == Way::Back => "removed again".to_owned(),
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
    use stackgen::deploy::operation::Event;
    use stackgen::deploy::{Cancellation, Progress};

    use super::super::Format;
    use super::{Board, Screen, Way, word};

    fn happened(logical_id: &str, status: &str) -> Progress {
        Progress::Event(Event {
            id: String::new(),
            stack_id: "arn".to_owned(),
            stack: "notes".to_owned(),
            logical_id: logical_id.to_owned(),
            physical_id: if logical_id == "notes" { "arn".to_owned() } else { String::new() },
            kind: if logical_id == "notes" { "AWS::CloudFormation::Stack" } else { "AWS::SNS::Topic" }.to_owned(),
            status: status.to_owned(),
            reason: None,
        })
    }

    /// How many resources are done with, and the way on which CloudFormation is then.
    fn after(told: impl IntoIterator<Item = Progress>) -> (usize, Way) {
        let screen = Screen::new(Format::Text, true);
        let board = Board::new(&screen);
        told.into_iter().for_each(|progress| board.tell(progress));
        let state = board.state.into_inner().expect("nobody panics here");
        (state.done.len(), state.way)
    }

    #[test]
    fn what_ends_forward_is_done_until_cloud_formation_goes_back() {
        let topic = || happened("Topic", "UPDATE_COMPLETE");
        assert_eq!(after([topic(), happened("Topic", "DELETE_COMPLETE")]), (1, Way::Forth), "one that is replaced");
        let asked = || Progress::Cancelling { how: Cancellation::RollBack };
        assert_eq!(after([asked(), topic()]), (1, Way::Turning));
        let back = || happened("notes", "UPDATE_ROLLBACK_IN_PROGRESS");
        assert_eq!(after([asked(), back(), topic()]), (0, Way::Back));
        assert_eq!(after([back(), back(), topic()]), (0, Way::Back));
    }

    #[test]
    fn a_status_is_told_in_words() {
        assert_eq!(word("CREATE_COMPLETE", Way::Forth), "created");
        assert_eq!(word("UPDATE_COMPLETE", Way::Back), "changed back");
        assert_eq!(word("IMPORT_ROLLBACK_COMPLETE", Way::Back), "import rollback complete");
    }
}
