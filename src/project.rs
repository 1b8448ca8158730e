//! Where a project keeps its stacks, its functions, its output and its state.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::similar;

/// Why something of a project could not be found or made.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// Neither the folder nor any above it holds `stacks/`.
    #[error("no `stacks/` folder in `{}` or above it", start.display())]
    #[diagnostic(help("go to your project, or make one with `stackgen init`"))]
    NoProject { start: PathBuf },

    /// A stack was named that has no file.
    #[error("no stack `{name}` in `stacks/`")]
    #[diagnostic(help("{help}"))]
    UnknownStack { name: String, help: String },

    /// The name of a stack file cannot be the name of a stack.
    #[error("`{name}` cannot be the name of a stack")]
    #[diagnostic(help("rename `{}`: a letter first, then letters, digits and hyphens, 128 at most", file.display()))]
    StackName { name: String, file: PathBuf },

    /// Two files would make the same stack.
    #[error("two files for stack `{name}`: `{}` and `{}`", first.display(), second.display())]
    #[diagnostic(help("keep one of them"))]
    TwoFiles { name: String, first: PathBuf, second: PathBuf },

    /// A folder cannot be listed.
    #[error("cannot read `{}`", folder.display())]
    #[diagnostic(help("check that the folder exists and that you may read it"))]
    Unreadable { folder: PathBuf, source: io::Error },

    /// A folder cannot be made.
    #[error("cannot make the folder `{}`", folder.display())]
    #[diagnostic(help("check that you may write there"))]
    NotMade { folder: PathBuf, source: io::Error },
}

/// A folder that holds `stacks/`, one file a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The project that `start` lies in: the nearest folder upwards that holds `stacks/`.
    ///
    /// # Errors
    /// When there is none.
    pub fn discover(start: &Path) -> Result<Self, Error> {
        let absolute = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
        absolute
            .ancestors()
            .find(|folder| folder.join("stacks").is_dir())
            .map(|root| Self { root: root.to_owned() })
            .ok_or_else(|| Error::NoProject { start: start.to_owned() })
    }

    /// The folder that holds `stacks/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The names of all stacks, sorted.
    ///
    /// # Errors
    /// When `stacks/` cannot be read, a file's name cannot name a stack, or two files would make the same stack.
    pub fn stacks(&self) -> Result<Vec<String>, Error> {
        Ok(self.stack_files()?.into_iter().map(|(name, _)| name).collect())
    }

    /// The file that describes a stack.
    ///
    /// # Errors
    /// When there is no such stack, or for the reasons of [`Project::stacks`].
    pub fn stack_file(&self, name: &str) -> Result<PathBuf, Error> {
        let files = self.stack_files()?;
        match files.iter().find(|(known, _)| known == name) {
            Some((_, file)) => Ok(file.clone()),
            None => Err(unknown_stack(name, &files)),
        }
    }

    /// Folder of the function crates.
    #[must_use]
    pub fn functions(&self) -> PathBuf {
        self.root.join("functions")
    }

    /// Folder of what is synthesized and bundled.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.root.join("stackgen.out")
    }

    /// Folder of what stackgen remembers between two runs.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join(".stackgen")
    }

    /// Folder of the embedded cloud's account. It holds secrets: make it with [`Project::make_local_data`].
    #[must_use]
    pub fn local_data(&self) -> PathBuf {
        self.state().join("local")
    }

    /// Makes the folder of the embedded cloud's account, for the user's eyes only.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_local_data(&self) -> Result<PathBuf, Error> {
        let folder = self.local_data();
        make_private(&folder).map_err(|source| Error::NotMade { folder: folder.clone(), source })?;
        Ok(folder)
    }

    fn stack_files(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        let folder = self.root.join("stacks");
        let mut files = yaml_files(&folder).map_err(|source| Error::Unreadable { folder, source })?;
        files.sort();
        files.iter().try_for_each(|(name, file)| check_name(name, file))?;
        check_unique(&files)?;
        Ok(files)
    }
}

/// Whether CloudFormation accepts `name` as the name of a stack.
#[must_use]
pub fn is_stack_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

/// A file for the folder of what is synthesized and bundled, before it has its name. A temporary file is for the user alone
/// elsewhere; here it becomes one like any other, for which the umask counts.
pub(crate) fn output_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    readable(&mut tempfile::Builder::new()).tempfile_in(folder)
}

#[cfg(unix)]
fn readable<'a, 'p, 's>(builder: &'a mut tempfile::Builder<'p, 's>) -> &'a mut tempfile::Builder<'p, 's> {
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
}

#[cfg(not(unix))]
fn readable<'a, 'p, 's>(builder: &'a mut tempfile::Builder<'p, 's>) -> &'a mut tempfile::Builder<'p, 's> {
    builder
}

fn yaml_files(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let is_yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if let Some(stem) = file.file_stem().filter(|_| is_yaml && file.is_file()) {
            files.push((stem.to_string_lossy().into_owned(), file.clone()));
        }
    }
    Ok(files)
}

fn check_name(name: &str, file: &Path) -> Result<(), Error> {
    if is_stack_name(name) {
        return Ok(());
    }
    Err(Error::StackName { name: name.to_owned(), file: file.to_owned() })
}

fn check_unique(files: &[(String, PathBuf)]) -> Result<(), Error> {
    match files.array_windows().find(|[(one, _), (other, _)]| one == other) {
        None => Ok(()),
        Some([(name, first), (_, second)]) => {
            Err(Error::TwoFiles { name: name.clone(), first: first.clone(), second: second.clone() })
        }
    }
}

fn unknown_stack(name: &str, files: &[(String, PathBuf)]) -> Error {
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let help = match similar::closest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => format!("describe it in `stacks/{name}.yaml`"),
        None => format!("there is {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    Error::UnknownStack { name: name.to_owned(), help }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::create_dir(folder.path().join("stacks")).expect("the folder is empty");
        for file in files {
            fs::write(folder.path().join("stacks").join(file), "").expect("the folder is writable");
        }
        folder
    }

    #[test]
    fn a_project_is_found_from_within() {
        let folder = project(&[]);
        let inner = folder.path().join("functions/hello/src");
        fs::create_dir_all(&inner).expect("the folder is writable");
        let found = Project::discover(&inner).expect("the project is above");
        assert_eq!(found.root(), folder.path());
        assert_eq!(found.out(), folder.path().join("stackgen.out"));
    }

    #[test]
    fn outside_of_a_project_init_is_offered() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let error = Project::discover(folder.path()).expect_err("there are no stacks");
        assert!(error.help().is_some_and(|help| help.to_string().contains("stackgen init")));
    }

    #[test]
    fn stacks_are_yaml_files_by_name() {
        let folder = project(&["two.yml", "one.yaml", "notes.txt", "one.rs"]);
        let project = Project::discover(folder.path()).expect("it is a project");
        assert_eq!(project.stacks().expect("all names are good"), ["one", "two"]);
        assert!(project.stack_file("two").expect("it is there").ends_with("stacks/two.yml"));
    }

    #[test]
    fn a_mistyped_stack_is_recognized() {
        let folder = project(&["protected-api.yaml"]);
        let project = Project::discover(folder.path()).expect("it is a project");
        let error = project.stack_file("protected-pai").expect_err("there is no such stack");
        assert_eq!(error.help().map(|help| help.to_string()).as_deref(), Some("did you mean `protected-api`?"));
    }

    #[test]
    fn a_stack_has_one_file_with_a_good_name() {
        let twice = project(&["api.yaml", "api.yml"]);
        let twice = Project::discover(twice.path()).expect("it is a project").stacks();
        assert!(matches!(twice, Err(Error::TwoFiles { .. })));
        let bad = project(&["my api.yaml"]);
        let bad = Project::discover(bad.path()).expect("it is a project").stacks();
        assert!(matches!(bad, Err(Error::StackName { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn the_local_account_is_for_the_user_alone() {
        use std::os::unix::fs::PermissionsExt;

        let folder = project(&[]);
        let data =
            Project::discover(folder.path()).expect("it is a project").make_local_data().expect("it is writable");
        let mode = fs::metadata(data).expect("it was made").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
