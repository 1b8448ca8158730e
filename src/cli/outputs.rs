//! `stackgen outputs`: the outputs of a deployed stack.

use std::path::PathBuf;

use clap::Args;
use miette::Diagnostic;
use serde_json::json;
use stackgen::deploy::stack::{self, Stack};
use stackgen::project::Project;
use thiserror::Error;

use super::deploy::{outputs_table, write_outputs};
use super::output::dim;
use super::target::check_shared;
use super::{Outcome, Session, Target, block_on};

/// Arguments of `stackgen outputs`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the stack; the only one of the project when absent.
    #[arg(value_name = "STACK")]
    stack: Option<String>,
    /// One output, printed alone.
    #[arg(long, value_name = "OUTPUT")]
    only: Option<String>,
    /// File for the outputs, as the CDK writes it: `{"STACK": {"OUTPUT": "VALUE"}}`.
    #[arg(long, value_name = "FILE")]
    outputs_file: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Why there are no outputs.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum Error {
    /// The stack is not deployed.
    #[error("stack `{stack}` is not deployed in {target}")]
    #[diagnostic(code(stackgen::stack::missing), help("deploy it with `stackgen deploy {stack}{flags}`"))]
    NotDeployed { stack: String, target: String, flags: String },
    /// There is no such output.
    #[error("stack `{stack}` has no output `{name}`")]
    #[diagnostic(code(stackgen::output::unknown), help("{help}"))]
    Unknown { stack: String, name: String, help: String },
}

impl Arguments {
    /// Prints.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let name = session.stack(&project, self.stack.as_deref(), "")?;
        self.outputs_file.as_deref().map_or(Ok(()), check_shared)?;
        block_on(async {
            let stack = self.deployed(session, &project, &name).await?;
            if let Some(file) = &self.outputs_file {
                write_outputs(file, std::iter::once(&stack))?;
            }
            let Some(only) = &self.only else {
                session.screen.answer(&json!({ &stack.name: stack.outputs }), || match outputs_table(&stack) {
                    empty if empty.is_empty() => dim("this stack has no outputs"),
                    table => table,
                });
                return Ok(());
            };
            let value = stack.outputs.get(only).ok_or_else(|| unknown(&stack, only))?;
            session.screen.answer(value, || value.clone());
            Ok(())
        })
    }

    async fn deployed(&self, session: &Session, project: &Project, name: &str) -> Outcome<Stack> {
        let target = self.target.clone().or_last(project, name);
        let account = target.connect(session, project).await?;
        let stack = stack::describe(&account, name).await?;
        let missing = || Error::NotDeployed { stack: name.to_owned(), target: account.title(), flags: target.flags() };
        Ok(stack.ok_or_else(missing)?)
    }
}

fn unknown(stack: &Stack, name: &str) -> Error {
    let names = stack.outputs.keys().map(String::as_str);
    let help = match stackgen::similar::closest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
    };
    Error::Unknown { stack: stack.name.clone(), name: name.to_owned(), help }
}
