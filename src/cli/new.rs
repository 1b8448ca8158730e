//! `stackgen new`: a function crate.

use clap::Args;
use serde_json::json;
use stackgen::model::Stack;
use stackgen::project::Project;
use stackgen::spec;

use super::output::{bold, dim, green};
use super::scaffold::{self, Names};
use super::{Failure, Outcome, Session};

/// Arguments of `stackgen new`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the crate, below `functions/`.
    #[arg(value_name = "NAME")]
    name: String,
}

impl Arguments {
    /// Writes the crate, and says what the stack file needs.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = Project::discover(session.start()).map_err(Failure::refused)?;
        let stacks = stacks(&project);
        let names = Names::of("", &self.name).map_err(Failure::refused)?;
        let names = names.with_free_id(|names| stacks.iter().all(|stack| scaffold::is_free_in(stack, names)));
        let files = scaffold::function(&names);
        scaffold::write(project.root(), &files).map_err(Failure::refused)?;
        let written: Vec<&String> = files.keys().collect();
        let declaration = format!("{}: {{ crate: functions/{} }}", names.id, names.name);
        let answer = json!({ "function": names.id, "files": written, "declaration": declaration });
        session.screen.answer(&answer, || {
            let files = written.iter().map(|file| format!("{} {file}\n", green("+"))).collect::<String>();
            let place = dim("in your stack file, under `functions`, and then a route that names it:");
            format!("{files}\n{place}\n  {}", bold(&declaration))
        });
        Ok(())
    }
}

/// The stacks of the project. One with mistakes has to be mended before anything is added to it, and is left out.
fn stacks(project: &Project) -> Vec<Stack> {
    let names = project.stacks().unwrap_or_default();
    let files = names.iter().filter_map(|name| project.stack_file(name).ok());
    files.filter_map(|file| spec::read(&file.to_string_lossy(), &std::fs::read(&file).ok()?).ok()).collect()
}
