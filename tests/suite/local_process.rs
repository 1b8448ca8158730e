//! The local cloud as a process: started in the background, killed, started again, stopped, emptied.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ssm::types::ParameterType;
use serde_json::Value;
use tempfile::TempDir;

/// A project without stacks, whose cloud is stopped when the test ends.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::create_dir(folder.path().join("stacks")).expect("it can be made");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackgen"));
        command.arg("local").args(arguments).args(["--output", "json", "--project"]).arg(self.path());
        command.output().expect("the program runs")
    }

    /// The document that a command answers with.
    fn answer(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {text} {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&text).expect("the answer is JSON")
    }

    fn kill(&self) {
        let pid = self.answer(&["status"])["pid"].as_i64().expect("it runs").to_string();
        let killed = Command::new("kill").args(["-9", &pid]).status().expect("kill runs");
        assert!(killed.success());
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.run(&["stop"]);
    }
}

fn client(environment: &Value) -> aws_sdk_ssm::Client {
    let text = |name: &str| environment[name].as_str().expect("it is set").to_owned();
    let credentials = Credentials::new(text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY"), None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(text("AWS_REGION")))
        .endpoint_url(text("AWS_ENDPOINT_URL"))
        // A cloud that is killed does not come back for a retry.
        .retry_config(RetryConfig::disabled())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    aws_sdk_ssm::Client::new(&config)
}

#[test]
fn it_starts_once_stays_and_stops() {
    let project = Project::new();
    assert_eq!(project.answer(&["status"])["running"], false);
    let first = project.answer(&["env"]);
    assert_eq!(project.answer(&["env"]), first, "the one that runs is used");
    assert_eq!(project.answer(&["status"])["running"], true);
    assert_eq!(project.answer(&["mail"]), Value::Array(vec![]));
    let second = project.run(&[]);
    assert_eq!(second.status.code(), Some(1), "another one on the same folder is refused");
    assert!(String::from_utf8_lossy(&second.stdout).contains("another local cloud runs on"));
    assert_eq!(project.answer(&["stop"])["stopped"], true);
    assert_eq!(project.answer(&["status"])["running"], false);
    assert_eq!(project.answer(&["env"]), first, "port and keys stay");
    project.kill();
    assert_eq!(project.answer(&["status"])["running"], false);
    assert_eq!(project.answer(&["env"]), first, "also after a kill");
}

#[test]
fn a_cloud_can_be_found_and_stopped_though_its_note_is_damaged() {
    let project = Project::new();
    let first = project.answer(&["env"]);
    let note = project.path().join(".stackgen/local/server.json");
    std::fs::write(&note, "{").expect("it can be damaged");
    assert_eq!(project.answer(&["status"])["running"], true);
    std::fs::remove_file(&note).expect("it is there again");
    assert_eq!(project.answer(&["stop"])["stopped"], true);
    assert_eq!(project.answer(&["env"]), first);
}

#[test]
fn a_cloud_whose_folder_is_removed_ends() {
    let project = Project::new();
    project.answer(&["env"]);
    let pid = project.answer(&["status"])["pid"].as_i64().expect("it runs");
    std::fs::remove_dir_all(project.path().join(".stackgen")).expect("it can be removed");
    let process = format!("/proc/{pid}/exe");
    let runs = || std::fs::read_link(&process).is_ok();
    for _ in 0..1000 {
        if !runs() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!runs(), "process {pid} has ended");
    assert_eq!(project.answer(&["status"])["running"], false);
}

#[test]
fn two_at_once_start_one_cloud() {
    let project = Project::new();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| project.answer(&["env"]))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[test]
fn a_reset_asks_and_leaves_nothing() {
    let project = Project::new();
    let before = project.answer(&["env"]);
    assert_eq!(project.run(&["reset"]).status.code(), Some(2), "nobody can be asked");
    project.answer(&["reset", "--yes"]);
    assert!(!project.path().join(".stackgen/local").exists());
    assert_ne!(project.answer(&["env"])["AWS_ACCESS_KEY_ID"], before["AWS_ACCESS_KEY_ID"]);
}

#[test]
fn damaged_state_is_told_and_kept() {
    let project = Project::new();
    project.answer(&["env"]);
    project.answer(&["stop"]);
    let state = project.path().join(".stackgen/local/account.json");
    std::fs::write(&state, "{").expect("it can be written");
    let output = project.run(&["env"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("stackgen local reset"), "{text}");
    assert_eq!(std::fs::read_to_string(&state).expect("it is there"), "{");
}

/// Whatever was acknowledged before a kill is there after it, at whichever moment the kill comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill() {
    let project = Project::new();
    let mut acknowledged = 0;
    for round in 0..12_u64 {
        let client = client(&project.answer(&["env"]));
        if acknowledged > 0 {
            let found = client.get_parameter().name("/counter").send().await.expect("it survived");
            let version = found.parameter().map_or(0, aws_sdk_ssm::types::Parameter::version);
            // The write under way may have been saved without its answer.
            assert!((acknowledged..=acknowledged + 1).contains(&version), "{acknowledged} {version}");
            acknowledged = version;
        }
        let writing = tokio::spawn(async move {
            let mut last = acknowledged;
            loop {
                let put = client.put_parameter().name("/counter").value("x".repeat(4000)).overwrite(true);
                match put.r#type(ParameterType::String).send().await {
                    Ok(put) => last = put.version(),
                    Err(_) => return last,
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(40 + round * 37 % 90)).await;
        project.kill();
        acknowledged = writing.await.expect("it does not panic");
        assert!(acknowledged > 0, "something was written before the kill");
    }
}
