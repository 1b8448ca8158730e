//! `stackgen completions`: the completion script of a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use super::{Cli, Outcome, Session};

/// Arguments of `stackgen completions`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

impl Arguments {
    /// Prints the script.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "stackgen", &mut script);
        let answer = Script { shell: self.shell.to_string(), script: String::from_utf8_lossy(&script).into_owned() };
        session.screen.answer(&answer, || answer.script.clone());
        Ok(())
    }
}
