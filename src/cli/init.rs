//! `stackgen init`: a new project.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use stackgen::{project, spec};

use super::output::{bold, dim, green};
use super::scaffold::{self, Error, Names};
use super::{Failure, Outcome, Session};

/// Arguments of `stackgen init`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder of the project; it is made when it is missing. The current folder when absent.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Name of the stack; that of the folder when absent.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Name of the first function, and of its route.
    #[arg(long, value_name = "NAME", default_value = "hello")]
    function: String,
}

impl Arguments {
    /// Writes the project.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let folder = session.start().join(&self.folder);
        let name = self.name.clone().unwrap_or_else(|| name_of(&folder));
        if !project::is_stack_name(&name) {
            return Err(Failure::refused(Error::ProjectName { name }));
        }
        scaffold::check_place(&folder).map_err(Failure::refused)?;
        let names = Names::of(&name, &self.function).map_err(Failure::refused)?;
        let files = scaffold::project(&names, format!("{:#}\n", spec::schema()));
        scaffold::write(&folder, &files).map_err(Failure::refused)?;
        let written: Vec<&String> = files.keys().collect();
        let answer = json!({ "folder": folder, "stack": name, "files": written });
        session.screen.answer(&answer, || self.told(&name, &written));
        Ok(())
    }

    fn told(&self, name: &str, written: &[&String]) -> String {
        let mut lines: Vec<String> = written.iter().map(|file| format!("{} {file}", green("+"))).collect();
        lines.push(String::new());
        lines.push(dim("next:"));
        if self.folder != Path::new(".") {
            lines.push(format!("  {}", bold(format!("cd {}", self.folder.display()))));
        }
        lines.push(format!("  {}", bold(format!("stackgen deploy {name} --local"))));
        lines.join("\n")
    }
}

/// The name of a folder, wherever the path to it comes from.
fn name_of(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
