//! From the target options to an account, and the memory of where each stack was deployed last.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use stackgen::deploy::aws::{self, Account, Keys};
use stackgen::deploy::shell::word;
use stackgen::local::access::{self, Home};
use stackgen::project::Project;
use thiserror::Error;

use super::{Failure, Outcome, Session};

/// Where stacks are deployed: AWS, unless told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Target")]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Target {
    /// The local cloud inside this binary; it is started in the background when it does not run.
    #[arg(long, conflicts_with_all = ["profile", "endpoint_url"])]
    pub(crate) local: bool,
    /// Profile of the AWS configuration files.
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// AWS region; from the environment or the profile when absent.
    #[arg(long, value_name = "REGION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// Base URL of something else that speaks AWS's API.
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint_url: Option<String>,
}

/// Why a file could not be written.
#[derive(Debug, Error, Diagnostic)]
enum Error {
    /// The file that an answer is to go into cannot be written, which is found out before anything is done.
    #[error("`{}` cannot be written", path.display())]
    #[diagnostic(
        code(stackgen::file),
        help("nothing was done; make the folder that it is to be in, or check that it may be written")
    )]
    NoPlace { path: PathBuf, source: std::io::Error },
    /// The folder or file cannot be written.
    #[error("`{}` cannot be written", path.display())]
    #[diagnostic(
        code(stackgen::state),
        help("check that it may be written and whether the disk is full; what was there before is whole")
    )]
    Unwritable { path: PathBuf, source: std::io::Error },
}

impl Target {
    /// Connects to the account. `--local` starts the local cloud where none runs.
    pub(crate) async fn connect(&self, session: &Session, project: &Project) -> Outcome<Account> {
        let target = if self.local { self.local_cloud(session, project).await? } else { self.named() };
        Ok(Account::connect(&target).await?)
    }

    /// Whether it can be a local cloud at all, as far as can be told without asking anybody.
    pub(crate) fn may_be_local(&self) -> bool {
        self.local || self.endpoint().is_some_and(|endpoint| aws::is_loopback(&endpoint))
    }

    /// What to call it on the screen before anybody has been asked.
    pub(crate) fn title(&self) -> String {
        match self.endpoint() {
            _ if self.local => "the local cloud".to_owned(),
            Some(endpoint) => format!("`{endpoint}`"),
            None => match &self.profile {
                Some(profile) => format!("AWS by profile `{profile}`"),
                None => "AWS".to_owned(),
            },
        }
    }

    /// The base URL that is named, here or in the environment.
    fn endpoint(&self) -> Option<String> {
        let environment = || std::env::var("AWS_ENDPOINT_URL").ok().filter(|endpoint| !endpoint.is_empty());
        self.endpoint_url.clone().or_else(environment)
    }

    fn named(&self) -> aws::Target {
        aws::Target {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
            keys: None,
        }
    }

    async fn local_cloud(&self, session: &Session, project: &Project) -> Outcome<aws::Target> {
        let (home, named) = (home(project), self.region.clone());
        let start = move || {
            let before = access::running(&home);
            let cloud = access::ensure(&home, named.as_deref());
            cloud.map(|cloud| (before.is_none_or(|before| before.pid != cloud.pid), cloud))
        };
        let (is_new, cloud) = tokio::task::spawn_blocking(start).await.map_err(super::session::Error::Task)??;
        if is_new {
            session.screen.note(format_args!(
                "local cloud started at {}, log in {}",
                cloud.endpoint,
                cloud.log.display()
            ));
        }
        let keys = Keys { access_key_id: cloud.access_key_id, secret_access_key: cloud.secret_access_key.to_string() };
        Ok(aws::Target {
            profile: None,
            region: Some(cloud.region),
            endpoint_url: Some(cloud.endpoint),
            keys: Some(keys),
        })
    }

    /// The options that say the same again, with a space before each.
    pub(crate) fn flags(&self) -> String {
        let named = [("profile", &self.profile), ("region", &self.region), ("endpoint-url", &self.endpoint_url)];
        let named =
            named.iter().filter_map(|(flag, value)| value.as_ref().map(|value| format!(" --{flag} {}", word(value))));
        self.local.then(|| " --local".to_owned()).into_iter().chain(named).collect()
    }

    /// What of it says the same tomorrow: a local cloud that was emptied may be in another region then, and has but one.
    fn lasting(&self) -> Self {
        let region = self.region.clone().filter(|_| !self.local);
        Self { region, ..self.clone() }
    }

    /// This target, or where the stack was deployed last when no target was named.
    pub(crate) fn or_last(self, project: &Project, stack: &str) -> Self {
        self.or_remembered(project, stack).unwrap_or_default()
    }

    /// The same; `None` where no target was named and nobody knows that the stack was deployed.
    pub(crate) fn or_remembered(self, project: &Project, stack: &str) -> Option<Self> {
        let is_named = self != Self::default();
        if is_named { Some(self) } else { recall(project).remove(stack).map(|last| last.lasting()) }
    }
}

/// Where the local cloud of a project lives.
pub(crate) fn home(project: &Project) -> Home {
    Home { data: project.local_data(), project: project.root().to_owned() }
}

fn memory(project: &Project) -> PathBuf {
    project.state().join("deployed.json")
}

fn recall(project: &Project) -> BTreeMap<String, Target> {
    // Without the file, or with one that is damaged, nothing is remembered, and the user names the target.
    fs::read(memory(project)).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Remembers where a stack was deployed, for the commands that use it afterwards.
pub(crate) fn remember(project: &Project, stack: &str, target: &Target) -> Outcome {
    let mut known = recall(project);
    let target = target.lasting();
    if known.get(stack) == Some(&target) {
        return Ok(());
    }
    known.insert(stack.to_owned(), target);
    write_memory(project, &known)
}

/// Forgets that a stack was deployed there; where it is somewhere else, that stays known.
pub(crate) fn forget(project: &Project, stack: &str, target: &Target) -> Outcome {
    let mut known = recall(project);
    if known.get(stack).map(Target::lasting) != Some(target.lasting()) {
        return Ok(());
    }
    known.remove(stack);
    write_memory(project, &known)
}

fn write_memory(project: &Project, known: &BTreeMap<String, Target>) -> Outcome {
    let text = serde_json::to_vec_pretty(known).expect("names and texts can be written as JSON");
    write_private(&memory(project), &text)
}

/// Writes a file that only the user may read, whole or not at all, making its folder for the user alone.
pub(crate) fn write_private(path: &Path, contents: &[u8]) -> Outcome {
    let folder = folder_of(path);
    make_private_folder(folder).map_err(|source| Error::Unwritable { path: path.to_owned(), source })?;
    write_whole(path, contents, 0o600)
}

/// A file that only the user may open, made with its folder where it is not there.
pub(crate) fn private_file(path: &Path) -> Outcome<File> {
    let open = || {
        make_private_folder(folder_of(path))?;
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    };
    Ok(open().map_err(|source| Error::Unwritable { path: path.to_owned(), source })?)
}

/// Refuses a file that cannot be written, before anything is done whose answer is to go into it.
pub(crate) fn check_shared(path: &Path) -> Outcome {
    let tried = match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        // Whoever reads a pipe would take the trial for the end.
        Ok(found) if !found.is_file() => Ok(()),
        Ok(_) => path.canonicalize().and_then(|path| tempfile::tempfile_in(folder_of(&path)).map(drop)),
        Err(_) => tempfile::tempfile_in(folder_of(path)).map(drop),
    };
    tried.map_err(|source| Failure::refused(Error::NoPlace { path: path.to_owned(), source }))
}

/// Writes a file that others may read, whole or not at all. One that is there lets read whom it did; a link is followed, and
/// a device is written to.
pub(crate) fn write_shared(path: &Path, contents: &[u8]) -> Outcome {
    let unwritable = |source| Error::Unwritable { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let mut device = OpenOptions::new().write(true).open(path).map_err(unwritable)?;
            Ok(device.write_all(contents).map_err(unwritable)?)
        }
        Ok(found) => {
            let mode = found.permissions().mode() & 0o777;
            write_whole(&path.canonicalize().map_err(unwritable)?, contents, mode)
        }
        Err(_) => write_whole(path, contents, 0o644),
    }
}

fn write_whole(path: &Path, contents: &[u8], mode: u32) -> Outcome {
    let unwritable = |source| Error::Unwritable { path: path.to_owned(), source };
    let permissions = fs::Permissions::from_mode(mode);
    let mut file =
        tempfile::Builder::new().permissions(permissions).tempfile_in(folder_of(path)).map_err(unwritable)?;
    file.write_all(contents).map_err(unwritable)?;
    file.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}

/// The folder of a file; that of a bare name is the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn the_same_target_can_be_said_again() {
        let target = Target { profile: Some("dev".into()), region: Some("eu-central-1".into()), ..Target::default() };
        assert_eq!(target.flags(), " --profile dev --region eu-central-1");
        let spaced = Target { profile: Some("my dev".into()), ..Target::default() };
        assert_eq!(spaced.flags(), " --profile 'my dev'");
        assert_eq!(Target { local: true, ..Target::default() }.flags(), " --local");
        assert_eq!(Target::default().flags(), "");
    }
}
