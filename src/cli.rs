//! Every command and flag, with its documentation. What a command does stands in the module of its name.
//!
//! A new command is a module with an `Arguments` struct and a `run` method, one variant of [`Command`] and one arm of
//! [`Command::run`].

mod completions;
mod failure;
mod local;
mod output;
mod session;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub(crate) use failure::{Failure, Outcome};
pub(crate) use output::{Format, Screen, Table};
pub(crate) use session::{Session, block_on};

/// Deploys secured serverless APIs from one YAML file, to AWS or to a local cloud inside this binary.
///
/// A project is a folder with `stacks/`: one YAML file a stack, named for it. Every command finds the project from the
/// current folder upwards.
#[derive(Debug, Parser)]
#[command(name = "stackgen", version, max_term_width = 100, propagate_version = false)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 refused before anything was done (wrong usage, a mistake in a \
                        stack file, no consent)."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Globals {
    /// Folder of the project, or one below it; the current folder when absent.
    #[arg(long, global = true, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Form of the answer on standard output. `json` prints one document; progress stays on standard error.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    output: Format,
    /// Says nothing but the answer and errors.
    #[arg(long, short, global = true)]
    quiet: bool,
}

/// Where stacks are deployed: AWS, unless told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct Target {
    /// The local cloud inside this binary; it is started in the background when it does not run.
    #[arg(long, conflicts_with_all = ["profile", "endpoint_url"])]
    pub(crate) local: bool,
    /// Profile of the AWS configuration files.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// AWS region; from the environment or the profile when absent.
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Base URL of something else that speaks AWS's API.
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the completion script of a shell.
    Completions(completions::Arguments),
    /// The local cloud of this project: runs it in the foreground, or looks after the one in the background.
    Local(local::Arguments),
}

impl Command {
    fn run(&self, session: &Session) -> Outcome {
        match self {
            Self::Completions(arguments) => arguments.run(session),
            Self::Local(arguments) => arguments.run(session),
        }
    }
}

/// Parses the command line, runs the command, and renders what went wrong.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    output::log_to_standard_error();
    let session = Session::new(Screen::new(cli.globals.output, cli.globals.quiet), cli.globals.project);
    match cli.command.run(&session) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => session.screen.fail(failure),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
