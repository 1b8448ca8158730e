//! Every command with what it is for, and the flags that all of them take. A command's own flags, and what it does, stand
//! in the module of its name.
//!
//! A new command is a module with an `Arguments` struct and a `run` method, one variant of [`Command`] and one arm of
//! [`Command::run`].

mod access;
mod aws_cli;
mod bootstrap;
mod bundle;
mod call;
mod check;
mod completions;
mod deploy;
mod destroy;
mod diff;
mod explain;
mod failure;
mod flawed;
mod init;
mod interrupts;
mod list;
mod local;
mod new;
mod oauth;
mod output;
mod outputs;
mod place;
mod plan;
mod policy;
mod pool;
mod scaffold;
mod session;
mod synth;
mod target;
mod token;
mod turn;
mod update;
mod usage;
mod user;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

pub(crate) use failure::{Failure, Outcome};
pub(crate) use interrupts::{Interrupts, Step};
pub(crate) use output::{Format, Screen, Table};
pub(crate) use session::{Session, block_on};
pub(crate) use target::Target;
pub(crate) use turn::Turn;

/// Deploys secured serverless APIs from one YAML file, to AWS or to a local cloud inside this binary.
///
/// A project is a folder with `stacks/`: one YAML file a stack, named for it. Every command finds the project from the
/// current folder upwards.
#[derive(Debug, Parser)]
#[command(name = "stackgen", version, max_term_width = 100, propagate_version = false)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed or interrupted, 2 refused before anything was done (wrong usage, a \
                        mistake in a stack file, no consent), 3 access would be weakened and nobody accepted that."
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

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows who may call what: every route with its guard, its limits, the function behind it and what that may do.
    ///
    /// `--output markdown` and `--output html` write a page that can be committed and reviewed: equal stacks give equal
    /// pages. `--output json` has every fact.
    Access(access::Arguments),
    /// Makes, or removes, the bucket through which code is deployed; or prints what a deployer must be allowed to do.
    ///
    /// `deploy` makes the bucket when it is missing.
    Bootstrap(bootstrap::Arguments),
    /// Builds functions for AWS, and completes `stackgen.out/` with them: `cdk deploy --app stackgen.out` can take it.
    ///
    /// `synth` alone never builds anything; the CDK then asks for the code.
    Bundle(bundle::Arguments),
    /// Calls a route of a deployed API, with a user's token if you like.
    ///
    /// Ends with exit code 0 when the API answers with 2xx, else with 1.
    Call(call::Arguments),
    /// Checks stack files without deploying or building anything: their shape, and who may call what.
    Check(check::Arguments),
    /// Prints the completion script of a shell.
    Completions(completions::Arguments),
    /// Deploys stacks: builds and uploads their functions, shows what will change, asks, and does it.
    ///
    /// A deployment that would weaken access stops: nobody passes who could not before, unless that is accepted by name.
    Deploy(deploy::Arguments),
    /// Removes deployed stacks, and says what is left of them.
    Destroy(destroy::Arguments),
    /// Compares stacks with what is deployed, and says what changes in access: weakened, strengthened or neutral.
    Diff(diff::Arguments),
    /// Says what a rule of authorization asks for and why, with an example of each kind; without a rule, lists them all.
    Explain(explain::Arguments),
    /// Makes a project: a protected API, the function behind it, and what editors need.
    Init(init::Arguments),
    /// Lists the stacks of the project and what has become of them.
    List(list::Arguments),
    /// The local cloud of this project: runs it in the foreground, or looks after the one in the background.
    Local(local::Arguments),
    /// Makes a function crate below `functions/`.
    New(new::Arguments),
    /// Prints the outputs of a deployed stack.
    Outputs(outputs::Arguments),
    /// Synthesizes stacks to CloudFormation templates in `stackgen.out`, a cloud assembly. Builds nothing.
    Synth(synth::Arguments),
    /// Prints a token of a user, signing in if need be; or one that nobody may take, to see that doors stay shut.
    Token(token::Arguments),
    /// Creates, confirms, lists and deletes users of a deployed user pool.
    #[command(subcommand)]
    User(user::Command),
    /// Tries every door of a deployed stack, and tells whether it keeps what its file says.
    ///
    /// What must come of each call is read from the stack file; the calls go to what is deployed. No body is sent, and no
    /// call that may change data when all is well, unless `--write` says so. In the local cloud a user is made for it and
    /// removed again, and every bad token is tried; elsewhere only tokens are used that `--as` lawfully gives. Exit code 0
    /// means that every call that was made came out as it must.
    Verify(verify::Arguments),
}

impl Command {
    fn run(&self, session: &Session) -> Outcome {
        match self {
            Self::Access(arguments) => arguments.run(session),
            Self::Bootstrap(arguments) => arguments.run(session),
            Self::Bundle(arguments) => arguments.run(session),
            Self::Call(arguments) => arguments.run(session),
            Self::Check(arguments) => arguments.run(session),
            Self::Completions(arguments) => arguments.run(session),
            Self::Deploy(arguments) => arguments.run(session),
            Self::Destroy(arguments) => arguments.run(session),
            Self::Diff(arguments) => arguments.run(session),
            Self::Explain(arguments) => arguments.run(session),
            Self::Init(arguments) => arguments.run(session),
            Self::List(arguments) => arguments.run(session),
            Self::Local(arguments) => arguments.run(session),
            Self::New(arguments) => arguments.run(session),
            Self::Outputs(arguments) => arguments.run(session),
            Self::Synth(arguments) => arguments.run(session),
            Self::Token(arguments) => arguments.run(session),
            Self::User(command) => command.run(session),
            Self::Verify(arguments) => arguments.run(session),
        }
    }
}

impl Cli {
    /// Ends the process when a page is asked of a command that has none.
    fn refuse_pages(&self) {
        let is_page = matches!(self.globals.output, Format::Markdown | Format::Html);
        if is_page && !matches!(self.command, Command::Access(_)) {
            let words = "only `stackgen access` writes Markdown and HTML";
            Self::command().error(ErrorKind::InvalidValue, words).exit();
        }
    }
}

/// Parses the command line, runs the command, and renders what went wrong.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::refuse(error),
    };
    cli.refuse_pages();
    output::log_to_standard_error();
    let session = Session::new(Screen::new(cli.globals.output, cli.globals.quiet), cli.globals.project);
    let outcome = cli.command.run(&session);
    session.screen.end(outcome)
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
