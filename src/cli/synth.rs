//! `stackgen synth`: stack files become CloudFormation templates, in a cloud assembly.

use clap::{Args, ValueEnum};
use miette::Diagnostic;
use serde_json::json;
use stackgen::assembly;
use thiserror::Error;

use super::output::{bold, green};
use super::plan::{self, Planned};
use super::{Failure, Outcome, Session};

/// Arguments of `stackgen synth`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of the stacks; all of the project when absent.
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
    /// Form of the templates. A cloud assembly has them as JSON in any case, which other tools read.
    #[arg(long, value_enum, default_value_t = Format::Json, value_name = "FORM")]
    format: Format,
    /// Prints the template of one stack and writes nothing.
    #[arg(long)]
    stdout: bool,
}

/// Form of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Why nothing was synthesized.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// Only one template goes to standard output.
    #[error("`--stdout` prints one template, and there are {count} stacks")]
    #[diagnostic(code(stackgen::synth::several), help("name the stack, or leave `--stdout` out"))]
    Several { count: usize },
}

impl Arguments {
    /// Synthesizes.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = session.stacks(&project, &self.stacks)?;
        if self.stdout && names.len() != 1 {
            return Err(Failure::refused(Error::Several { count: names.len() }));
        }
        let planned = plan::synthesize(plan::read(session, &project, &names)?)?;
        if self.stdout {
            planned.iter().for_each(|one| self.print(session, one));
            return Ok(());
        }
        assembly::write(&project.out(), &plan::assembled(&planned), self.format.into())?;
        let written: Vec<_> =
            planned.iter().map(|one| json!({ "stack": one.file.name, "template": self.file(one) })).collect();
        session.screen.answer(&json!({ "folder": project.out(), "stacks": written }), || {
            let lines = planned
                .iter()
                .map(|one| format!("{} {}: stackgen.out/{}", green("✓"), bold(&one.file.name), self.file(one)));
            lines.collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }

    fn print(&self, session: &Session, planned: &Planned) {
        let text = || match self.format {
            Format::Json => planned.template.to_json(),
            Format::Yaml => planned.template.to_yaml(),
        };
        session.screen.answer(&planned.template, || text().trim_end().to_owned());
    }

    fn file(&self, planned: &Planned) -> String {
        let ending = match self.format {
            Format::Json => "json",
            Format::Yaml => "yaml",
        };
        format!("{}.template.{ending}", planned.file.name)
    }
}

impl From<Format> for assembly::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Yaml => Self::Yaml,
        }
    }
}
