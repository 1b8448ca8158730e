//! A command line that says nothing that can be done.

use std::ffi::OsString;
use std::process::ExitCode;

use miette::Diagnostic;
use thiserror::Error;

use super::{Failure, Format, Screen};

/// Why nothing can be done.
#[derive(Debug, PartialEq, Eq, Error, Diagnostic)]
#[error("{message}")]
#[diagnostic(code(stackgen::usage), help("{help}"))]
struct Error {
    message: String,
    help: String,
}

/// Tells what is wrong, in the form that was asked for; or what was asked for, such as the help.
pub(super) fn refuse(error: clap::Error) -> ExitCode {
    if !error.use_stderr() || !asks_for_json(std::env::args_os()) {
        error.exit();
    }
    Screen::new(Format::Json, true).end(Err(Failure::refused(Error::of(&error.render().to_string()))))
}

/// Whether `--output json` is among the arguments: they could not be parsed.
fn asks_for_json(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let mut before = OsString::new();
    for argument in arguments.into_iter().take_while(|argument| argument != "--") {
        if argument == "--output=json" || (before == "--output" && argument == "json") {
            return true;
        }
        before = argument;
    }
    false
}

impl Error {
    /// The first paragraph says what is wrong, the others what would be right.
    fn of(told: &str) -> Self {
        let (message, help) = told.split_once("\n\n").unwrap_or((told, ""));
        let message = message.strip_prefix("error: ").unwrap_or(message);
        Self { message: message.trim().to_owned(), help: help.trim().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, asks_for_json};

    #[test]
    fn json_is_asked_for_by_the_flag() {
        let asks = |line: &str| asks_for_json(line.split(' ').map(Into::into));
        assert!(asks("stackgen call --output json --nope"));
        assert!(asks("stackgen --output=json"));
        assert!(!asks("stackgen call --output text json"));
        assert!(!asks("stackgen call -- --output json"));
    }

    #[test]
    fn what_is_wrong_comes_before_what_would_be_right() {
        let told = "error: unexpected argument '-x' found\n\nUsage: stackgen list\n\nFor more, try '--help'.\n";
        let error = Error::of(told);
        assert_eq!(error.message, "unexpected argument '-x' found");
        assert_eq!(error.help, "Usage: stackgen list\n\nFor more, try '--help'.");
    }
}
