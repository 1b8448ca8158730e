//! This repository's own project in a folder for one test, driven through the real program.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::Value;
use tempfile::TempDir;

use crate::tools::Ministack;

/// The stack of the main job.
pub(crate) const STACK: &str = "protected-api";

/// What the user's shell may say about AWS, and must not reach a test.
const FOREIGN: [&str; 8] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "STACKGEN_PASSWORD",
];

/// A copy of the project. Its functions are the repository's own, so that they are built once for all tests.
pub(crate) struct Project {
    folder: TempDir,
    stack: &'static str,
    target: Vec<String>,
    environment: Vec<(String, String)>,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its exit code; none when it was killed.
    pub(crate) code: Option<i32>,
    /// The document on standard output.
    pub(crate) answer: Value,
    /// What it said on standard error.
    pub(crate) said: String,
}

impl Project {
    /// The main job's, deployed to its own local cloud.
    pub(crate) fn local() -> Self {
        Self::local_with(STACK)
    }

    /// One of the repository's stacks, deployed to its own local cloud.
    pub(crate) fn local_with(stack: &'static str) -> Self {
        Self::new(stack, vec!["--local".to_owned()], Vec::new())
    }

    /// One of the repository's stacks, deployed to an emulator, as to any other endpoint.
    pub(crate) fn at(stack: &'static str, ministack: &Ministack) -> Self {
        let target = vec!["--endpoint-url".to_owned(), ministack.endpoint().to_owned()];
        let environment = ministack.environment().into_iter().filter(|(name, _)| *name != "AWS_ENDPOINT_URL");
        Self::new(stack, target, environment.map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn new(stack: &'static str, target: Vec<String>, environment: Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::create_dir(folder.path().join("stacks")).expect("the folder is empty");
        symlink(repository.join("functions"), folder.path().join("functions")).expect("the folder is empty");
        let file = format!("stacks/{stack}.yaml");
        fs::copy(repository.join(&file), folder.path().join(&file)).expect("the folder is writable");
        Self { folder, stack, target, environment }
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The name of its stack.
    pub(crate) fn stack(&self) -> &'static str {
        self.stack
    }

    /// Its stack file.
    pub(crate) fn stack_file(&self) -> PathBuf {
        self.path().join(format!("stacks/{}.yaml", self.stack))
    }

    /// Puts `new` in the place of `old` in the stack file.
    ///
    /// # Panics
    /// When `old` does not stand there exactly once.
    pub(crate) fn edit(&self, old: &str, new: &str) {
        let text = fs::read_to_string(self.stack_file()).expect("it is there");
        assert_eq!(text.matches(old).count(), 1, "`{old}` in\n{text}");
        fs::write(self.stack_file(), text.replace(old, new)).expect("it is writable");
    }

    /// A command of the program, which answers with JSON.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.plain(arguments);
        command.args(["--output", "json"]);
        command
    }

    /// A command of the program, which answers as it does to people.
    pub(crate) fn plain(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackgen"));
        command.args(arguments).arg("--project").arg(self.path());
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// The options that name where it is deployed.
    pub(crate) fn target(&self) -> &[String] {
        &self.target
    }

    /// A command that is told the target, such as `deploy`.
    pub(crate) fn targeted(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.args(&self.target);
        command
    }

    /// Starts a deployment, and does not wait for it.
    pub(crate) fn start_deployment(&self) -> Child {
        start(self.targeted(&["deploy", self.stack, "--yes"]))
    }

    /// Runs a command that must succeed.
    ///
    /// # Panics
    /// When it does not, with all that it said.
    pub(crate) fn done(&self, arguments: &[&str]) -> Value {
        succeeded(told(&self.command(arguments).output().expect("the program runs"))).answer
    }

    /// Deploys the stack, successfully.
    pub(crate) fn deploy(&self) -> Told {
        succeeded(self.try_deploy())
    }

    /// Deploys the stack, successfully, though access to something is weakened.
    pub(crate) fn deploy_accepting(&self, name: &str) -> Told {
        let mut command = self.targeted(&["deploy", self.stack, "--yes", "--accept-weakening", name]);
        succeeded(told(&command.output().expect("the program runs")))
    }

    /// Deploys the stack, whatever comes of it.
    pub(crate) fn try_deploy(&self) -> Told {
        told(&self.targeted(&["deploy", self.stack, "--yes"]).output().expect("the program runs"))
    }

    /// Destroys the stack, successfully.
    pub(crate) fn destroy(&self) -> Told {
        succeeded(told(&self.targeted(&["destroy", self.stack, "--yes"]).output().expect("the program runs")))
    }

    /// The environment in which other programs use the local cloud.
    pub(crate) fn local_environment(&self) -> Vec<(String, String)> {
        let variables = self.done(&["local", "env"]);
        let variables = variables.as_object().expect("it is an object");
        variables.iter().map(|(name, value)| (name.clone(), value.as_str().expect("it is text").to_owned())).collect()
    }

    /// What SDK clients of the local cloud are made from.
    pub(crate) fn local_config(&self) -> SdkConfig {
        config(&self.local_environment())
    }

    /// Processes that run something of this project, the local cloud included.
    pub(crate) fn processes(&self) -> Vec<String> {
        let listed = Command::new("ps").args(["-axww", "-o", "pid=,args="]).output().expect("every Unix has `ps`");
        let folder = self.path().display().to_string();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        listed.lines().filter(|line| line.contains(&folder)).map(str::to_owned).collect()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Nothing runs where the target is an emulator.
        let _stopped = self.command(&["local", "stop"]).output();
    }
}

/// Starts a command, and does not wait for it.
pub(crate) fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs")
}

/// What SDK clients are made from in that environment.
pub(crate) fn config<N: AsRef<str>>(environment: &[(N, String)]) -> SdkConfig {
    let variable = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name.as_ref() == wanted);
        found.map(|(_, value)| value.clone()).expect("the environment is whole")
    };
    let keys = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
    let credentials = Credentials::new(keys.0, keys.1, None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(variable("AWS_REGION")))
        .endpoint_url(variable("AWS_ENDPOINT_URL"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// What a command came to.
///
/// # Panics
/// When the program did.
pub(crate) fn told(output: &Output) -> Told {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked at"), "{said}");
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Told { code: output.status.code(), answer, said }
}

/// The same, once it is known to have succeeded.
///
/// # Panics
/// When the command failed, with all that it said.
pub(crate) fn succeeded(told: Told) -> Told {
    assert_eq!(told.code, Some(0), "{}\n{}", told.answer, told.said);
    told
}
