//! `stackgen check`: every complaint about the stack files, without building or deploying.

mod annotations;
mod sarif;

use clap::{Args, ValueEnum};
use miette::Diagnostic;
use serde_json::{Value, json};
use stackgen::spec::{Finding, Region, Report};
use thiserror::Error;

use super::output::{bold, green};
use super::place::StackFile;
use super::plan::{self, Planned};
use super::{Failure, Outcome, Session};

/// Arguments of `stackgen check`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of the stacks; all of the project when absent.
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
    /// Form of the findings. `sarif` is one SARIF 2.1.0 document for code scanners, `github` one annotation a finding for
    /// GitHub's workflows.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    format: Format,
    /// Ends with exit code 2 where anything is only likely wrong, too.
    #[arg(long)]
    deny_warnings: bool,
}

/// Form of the findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Underlined in the file, for people; what `--output` says.
    Text,
    /// SARIF 2.1.0.
    Sarif,
    /// Annotations of GitHub's workflows.
    Github,
}

/// Why a stack that could be deployed does not pass.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// Warnings are not wanted.
    #[error("warnings are denied, and {count} {} told", if *count == 1 { "was" } else { "were" })]
    #[diagnostic(
        code(stackgen::check::warnings),
        help("mend them, or give the reason under `suppressions`; `stackgen explain RULE` says more")
    )]
    Warnings { count: usize },
}

/// Something that was found, and where: a file and, if it has one, a place in it.
type Found<'a> = (&'a str, &'a Finding, Option<Region>);

impl Arguments {
    /// Checks.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = session.stacks(&project, &self.stacks)?;
        match self.format {
            Format::Text => self.tell(session, plan::read(session, &project, &names)?),
            Format::Sarif | Format::Github => {
                let (files, reports) = plan::sort(&project, &names)?;
                self.hand_over(session, files, &reports)
            }
        }
    }

    /// Answers with what there is in sound stacks; warnings were told when they were read.
    fn tell(&self, session: &Session, files: Vec<StackFile>) -> Outcome {
        let planned = plan::synthesize(files)?;
        session.screen.answer(&document(&planned), || {
            let lines = planned.iter().map(|one| {
                let count = one.template.resources.len();
                let resources = if count == 1 { "resource" } else { "resources" };
                format!("{} {}: {count} {resources}", green("✓"), bold(&one.file.name))
            });
            lines.collect::<Vec<_>>().join("\n")
        });
        self.judge(planned.iter().filter_map(|one| one.file.warnings.as_ref()))
    }

    /// Answers with all findings, for a program.
    fn hand_over(&self, session: &Session, files: Vec<StackFile>, mistakes: &[Report]) -> Outcome {
        let warnings: Vec<Report> = files.iter().filter_map(|file| file.warnings.clone()).collect();
        let found: Vec<Found<'_>> = mistakes.iter().chain(&warnings).flat_map(of_report).collect();
        let text = match self.format {
            Format::Sarif => sarif::document(&found),
            Format::Github | Format::Text => annotations::lines(&found),
        };
        session.screen.answer_as_it_is(&text);
        plan::synthesize(files)?;
        if mistakes.is_empty() { self.judge(warnings.iter()) } else { Err(Failure::refusal_told()) }
    }

    fn judge<'a>(&self, warnings: impl Iterator<Item = &'a Report>) -> Outcome {
        let count = warnings.flat_map(of_report).count();
        if self.deny_warnings && count > 0 { Err(Failure::refused(Error::Warnings { count })) } else { Ok(()) }
    }
}

fn of_report(report: &Report) -> impl Iterator<Item = Found<'_>> {
    report.findings().map(|(finding, region)| (report.name(), finding, region))
}

/// Everything about sound stacks.
fn document(planned: &[Planned]) -> Value {
    let stack = |one: &Planned| {
        let findings: Vec<Value> = one.file.warnings.iter().flat_map(of_report).map(about).collect();
        json!({ "stack": one.file.name, "resources": one.template.resources.len(), "findings": findings })
    };
    json!({ "stacks": planned.iter().map(stack).collect::<Vec<_>>() })
}

fn about((file, finding, region): Found<'_>) -> Value {
    json!({
        "rule": finding.rule().map(|rule| rule.id),
        "severity": finding.severity().word(),
        "message": finding.message(),
        "help": finding.help(),
        "page": finding.rule().map(|rule| rule.page),
        "file": file,
        "line": region.map(|it| it.line),
        "column": region.map(|it| it.column),
    })
}

/// What is wrong, and what to do next, in one text.
fn words(finding: &Finding) -> String {
    match finding.help() {
        Some(help) => format!("{}; {help}", finding.message()),
        None => finding.message().to_owned(),
    }
}
