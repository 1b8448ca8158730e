//! `stackgen check`: every complaint about the stack files, without building or deploying.

use clap::Args;
use serde_json::json;

use super::output::{bold, green};
use super::{Failure, Outcome, Session, plan};

/// Arguments of `stackgen check`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of the stacks; all of the project when absent.
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
}

impl Arguments {
    /// Checks.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names =
            if self.stacks.is_empty() { project.stacks().map_err(Failure::refused)? } else { self.stacks.clone() };
        let planned = plan::synthesize(plan::read(&project, &names)?)?;
        let checked: Vec<_> = planned
            .iter()
            .map(|one| json!({ "stack": one.file.name, "resources": one.template.resources.len() }))
            .collect();
        session.screen.answer(&json!({ "stacks": checked }), || {
            let lines = planned.iter().map(|one| {
                format!("{} {}: {} resources", green("✓"), bold(&one.file.name), one.template.resources.len())
            });
            lines.collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}
