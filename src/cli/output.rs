//! The only place that prints: answers to standard output, everything else to standard error.
//!
//! A reader that goes away (`| head`) is no failure: what cannot be printed is dropped and the command goes on. An answer
//! that is lost for another reason, such as a full disk, ends the command as a failure after it has done its work, which
//! standard error tells in any form of the answer.

mod board;

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use dialoguer::console::Term;
use dialoguer::theme::SimpleTheme;
use miette::{Diagnostic, GraphicalReportHandler};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;
use tracing_subscriber::EnvFilter;

use super::failure::{Exit, Failure, Outcome};

pub(crate) use board::Board;

/// Form of the answer on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// A page to be committed and reviewed; only `access` has one.
    #[value(hide = true)]
    Markdown,
    /// A page for a browser; only `access` has one.
    #[value(hide = true)]
    Html,
}

/// Where a command tells what it does and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    format: Format,
    quiet: bool,
    /// Whether a question is not worth an answer any more.
    interrupted: Arc<AtomicBool>,
    /// Why an answer could not be printed.
    lost: Arc<OnceLock<std::io::Error>>,
}

/// Why nobody could be asked, or told.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// Consent is needed, and there is no terminal.
    #[error("nobody can be asked: {question}")]
    #[diagnostic(code(stackgen::consent), help("this is no terminal; repeat the command with `--yes` to agree"))]
    NoConsent { question: String },
    /// The answer was no.
    #[error("nothing was done")]
    #[diagnostic(code(stackgen::consent), help("the question was answered with no"))]
    Declined,
    /// Ctrl-C was the answer.
    #[error("nothing was done")]
    #[diagnostic(code(stackgen::interrupted), help("the question was interrupted"))]
    Interrupted,
    /// The terminal went away.
    #[error("the terminal gave no answer")]
    #[diagnostic(code(stackgen::consent), help("repeat the command, with `--yes` to agree"))]
    Closed(#[source] std::io::Error),
    /// A password is needed, and there is no terminal.
    #[error("no password was given")]
    #[diagnostic(
        code(stackgen::password),
        help("set `STACKGEN_PASSWORD`, or name a file with `--password-file`; a terminal would be asked")
    )]
    NoPassword,
    /// The terminal went away.
    #[error("the terminal gave no answer")]
    Unanswered(#[source] dialoguer::Error),
    /// Standard output takes nothing.
    #[error("the answer could not be printed: {reason}")]
    #[diagnostic(
        code(stackgen::answer),
        help("what was done stays done; make room where the output goes, and ask for the answer again")
    )]
    Unprinted { reason: String },
}

/// The fewest columns in which a report can still be read.
const NARROWEST: usize = 40;

/// How often a question looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Green text, where the terminal shows colour.
pub(crate) fn green(text: impl Display) -> String {
    paint(GREEN, text)
}

/// Red text, where the terminal shows colour.
pub(crate) fn red(text: impl Display) -> String {
    paint(RED, text)
}

/// Yellow text, where the terminal shows colour.
pub(crate) fn yellow(text: impl Display) -> String {
    paint(YELLOW, text)
}

/// Bold text, where the terminal shows it.
pub(crate) fn bold(text: impl Display) -> String {
    paint(BOLD, text)
}

/// Dim text, where the terminal shows it.
pub(crate) fn dim(text: impl Display) -> String {
    paint(DIM, text)
}

/// Names in a sentence: each marked, one after the other.
pub(crate) fn listed<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

impl Screen {
    /// A screen for answers of that form.
    pub(crate) fn new(format: Format, quiet: bool) -> Self {
        Self { format, quiet, interrupted: Arc::default(), lost: Arc::default() }
    }

    /// Prints the command's answer: the document, or the text for people. Once a command.
    pub(crate) fn answer(&self, document: &impl Serialize, text: impl FnOnce() -> String) {
        match self.format {
            Format::Json => self.keep(print_document(document)),
            Format::Text | Format::Markdown | Format::Html => self.keep(print(&mut anstream::stdout(), &text())),
        }
    }

    /// Keeps why an answer is lost. Where the reader went away, nobody misses it.
    fn keep(&self, printed: std::io::Result<()>) {
        if let Err(error) = printed
            && error.kind() != ErrorKind::BrokenPipe
        {
            // The first reason is the one to tell.
            let _told = self.lost.set(error);
        }
    }

    /// Prints what was done before something failed, in one answer with that. Once a command.
    pub(crate) fn answer_in_part(
        &self,
        mut document: Value,
        text: impl FnOnce() -> String,
        mut failure: Failure,
    ) -> Failure {
        if let Some(report) = &failure.report {
            document["error"] = self::document(report.as_ref());
        }
        self.answer(&document, text);
        if self.format == Format::Json && self.lost.get().is_none() {
            failure.report = None;
        }
        failure
    }

    /// The form of the answer.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Says what goes on, unless the user wants quiet.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.quiet {
            tell(&line.to_string());
        }
    }

    /// Shows what somebody is about to be asked to agree to, even where the user wants quiet.
    pub(crate) fn lay_open(&self, what: impl Display) {
        tell(&what.to_string());
    }

    /// Says what must not be missed.
    pub(crate) fn warn(&self, line: impl Display) {
        tell(&format!("{} {line}", yellow("warning:")));
    }

    /// Shows what is only likely wrong.
    pub(crate) fn doubt(&self, report: &dyn Diagnostic) {
        tell(&render(report));
    }

    /// Prints an answer that has a form of its own, whatever `--output` says. Once a command.
    pub(crate) fn answer_as_it_is(&self, text: &str) {
        self.keep(print(&mut std::io::stdout(), text));
    }

    /// Whether live progress can be drawn.
    pub(crate) fn is_live(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Whether there is somebody to ask.
    pub(crate) fn can_ask(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks for consent.
    ///
    /// # Errors
    /// When the answer is no, or when there is nobody to ask.
    pub(crate) fn consent(&self, question: &str) -> Outcome {
        if !self.can_ask() {
            return Err(Failure::refused(Error::NoConsent { question: question.to_owned() }));
        }
        let _shown = write!(anstream::stderr(), "{question} [y/N] ");
        let answer = self.line()?;
        let agreed = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
        if agreed { Ok(()) } else { Err(Failure::refused(Error::Declined)) }
    }

    /// Asks for a text to be typed, so that nobody agrees by habit.
    ///
    /// # Errors
    /// When the terminal goes away, or the question is interrupted.
    pub(crate) fn typed(&self, question: &str, expected: &str) -> Outcome<bool> {
        let _shown = write!(anstream::stderr(), "{question} ");
        Ok(self.line()?.trim() == expected)
    }

    /// A line from the terminal, in its usual mode, so that there is nothing to put right afterwards.
    fn line(&self) -> Outcome<String> {
        let read = || {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        };
        Ok(self.beside(read)?.map_err(Error::Closed)?)
    }

    /// What is read from the terminal: beside, so that Ctrl-C ends the waiting.
    fn beside<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let (sender, answer) = mpsc::channel();
        std::thread::spawn(move || {
            // Nobody listens any more when the question was interrupted.
            let _gone = sender.send(read());
        });
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(read) => return Ok(read),
                Err(_) if self.interrupted.load(Ordering::Relaxed) => {
                    tell("\n");
                    return Err(Error::Interrupted);
                }
                Err(_) => (),
            }
        }
    }

    /// Ends every question.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Asks for a password without showing it.
    ///
    /// # Errors
    /// When there is nobody to ask.
    pub(crate) fn password(&self, prompt: &str, repeat: Repeat) -> Outcome<String> {
        if !self.can_ask() {
            return Err(Failure::refused(Error::NoPassword));
        }
        let prompt = prompt.to_owned();
        let ask = move || {
            let question = dialoguer::Password::with_theme(&SimpleTheme).with_prompt(prompt);
            match repeat {
                Repeat::Once => question.interact(),
                Repeat::Twice => question.with_confirmation("Once more", "The two differ").interact(),
            }
        };
        let Ok(answer) = self.beside(ask) else {
            show_what_is_typed();
            return Err(Error::Interrupted.into());
        };
        Ok(answer.map_err(Error::Unanswered)?)
    }

    /// Renders what ended the command, and tells of an answer that was lost.
    pub(crate) fn end(&self, outcome: Outcome) -> ExitCode {
        let mut exit = outcome.err().map(|failure| self.fail(failure));
        if let Some(error) = self.lost.get() {
            tell(&render(&Error::Unprinted { reason: error.to_string() }));
            exit = exit.or(Some(Exit::Failed));
        }
        exit.map_or(ExitCode::SUCCESS, |exit| ExitCode::from(exit as u8))
    }

    /// Renders what ended the command: on standard error where standard output takes no document, or has half of one.
    fn fail(&self, failure: Failure) -> Exit {
        if let Some(report) = &failure.report {
            if self.format == Format::Json && self.lost.get().is_none() {
                self.keep(print_document(&json!({ "error": document(report.as_ref()) })));
            }
            if self.format != Format::Json || self.lost.get().is_some() {
                tell(&render(report.as_ref()));
            }
        }
        failure.exit
    }
}

/// How often a password is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It exists already.
    Once,
    /// It is new, and a slip would lock somebody out.
    Twice,
}

/// Rows under headings, without lines that get in the way of copying.
#[derive(Debug, Clone)]
pub(crate) struct Table<const N: usize> {
    headings: [String; N],
    rows: Vec<[String; N]>,
    is_hidden: [bool; N],
}

impl<const N: usize> Table<N> {
    /// A table with these headings.
    pub(crate) fn new(headings: [&str; N]) -> Self {
        Self { headings: headings.map(dim), rows: Vec::new(), is_hidden: [false; N] }
    }

    /// The same without columns that say nothing in any row.
    pub(crate) fn without_empty_columns(mut self) -> Self {
        self.is_hidden = std::array::from_fn(|at| self.rows.iter().all(|cells| cells[at].is_empty()));
        self
    }

    /// Adds a row. Cells may be painted.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl<const N: usize> Display for Table<N> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = || std::iter::once(&self.headings).chain(&self.rows);
        let mut widths = [0; N];
        for cells in all() {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = shown_width(cell).max(*width);
            }
        }
        for cells in all() {
            let mut line = String::new();
            for ((cell, width), _) in cells.iter().zip(widths).zip(self.is_hidden).filter(|(_, is_hidden)| !is_hidden) {
                line.push_str("  ");
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(shown_width(cell))));
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn shown_width(cell: &str) -> usize {
    anstream::adapter::strip_str(cell).to_string().chars().count()
}

/// Sends the log of the library to standard error when `STACKGEN_LOG` asks for it (`STACKGEN_LOG=stackgen=debug`).
pub(crate) fn log_to_standard_error() {
    if let Ok(filter) = EnvFilter::try_from_env("STACKGEN_LOG") {
        // Where the log cannot be written, on a full disk, saying so could not either, and would panic in a request.
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        log.log_internal_errors(false).init();
    }
}

fn print(stream: &mut impl Write, text: &str) -> std::io::Result<()> {
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    stream.write_all(format!("{text}{end}").as_bytes())?;
    stream.flush()
}

/// Prints to standard error. Where that takes nothing, there is nobody to tell.
fn tell(text: &str) {
    let _gone = print(&mut anstream::stderr(), text);
}

/// Has the terminal show what is typed again, which whoever reads a password puts off.
fn show_what_is_typed() {
    // Where there is no such program, the user's shell does it.
    let _shown = Command::new("stty").arg("echo").status();
}

fn print_document(document: &impl Serialize) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(document).unwrap_or_else(|error| {
        json!({ "error": { "message": format!("the answer cannot be written as JSON: {error}") } }).to_string()
    });
    print(&mut std::io::stdout(), &text)
}

/// Whether standard error shows colour.
fn is_coloured() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// Text for what is drawn past the stream that takes colours out.
fn as_shown(text: &str) -> String {
    if is_coloured() { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() }
}

/// A report as wide as the terminal. Where there is none its lines stay whole, so that a command can be copied from a log.
fn render(report: &dyn Diagnostic) -> String {
    let theme = match (is_coloured(), std::io::stderr().is_terminal()) {
        (true, _) => miette::GraphicalTheme::unicode(),
        (false, true) => miette::GraphicalTheme::unicode_nocolor(),
        (false, false) => miette::GraphicalTheme::none(),
    };
    let width = Term::stderr().size_checked().map(|(_, columns)| usize::from(columns));
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_break_words(false);
    let handler = match width {
        Some(width) => handler.with_width(width.max(NARROWEST)),
        None => handler.with_wrap_lines(false),
    };
    let mut text = String::new();
    match handler.render_report(&mut text, report) {
        Ok(()) => text,
        Err(_) => report.to_string(),
    }
}

fn document(diagnostic: &dyn Diagnostic) -> Value {
    let causes: Vec<String> =
        std::iter::successors(diagnostic.source(), |cause| cause.source()).map(ToString::to_string).collect();
    let related: Vec<Value> = diagnostic.related().into_iter().flatten().map(document).collect();
    json!({
        "message": diagnostic.to_string(),
        "code": diagnostic.code().map(|code| code.to_string()),
        "help": diagnostic.help().map(|help| help.to_string()),
        "places": places(diagnostic),
        "causes": causes,
        "related": related,
    })
}

fn places(diagnostic: &dyn Diagnostic) -> Vec<Value> {
    let Some(source) = diagnostic.source_code() else { return Vec::new() };
    let labels = diagnostic.labels().into_iter().flatten();
    labels
        .filter_map(|label| {
            let contents = source.read_span(label.inner(), 0, 0).ok()?;
            Some(json!({
                "file": contents.name(),
                "line": contents.line() + 1,
                "column": contents.column() + 1,
                "label": label.label(),
            }))
        })
        .collect()
}
