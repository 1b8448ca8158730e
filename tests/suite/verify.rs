//! `stackgen verify`: it finds nothing where nothing is wrong, and every weakening where something is.
//!
//! The second half is a test of the test: for each kind of weakening, a deployment is weakened behind stackgen's back, and
//! what the probes say then is held against what was done.

mod address;
mod lawful;
mod weakening;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{Project, Told, told};

/// Every door, with the functions behind it.
fn doors() -> Project {
    let project = Project::local_with("protected-api");
    put_echo(&project);
    let yes = project.path().join("yes.json");
    fs::write(&yes, r#"{"isAuthorized": true}"#).expect("the folder is ours");
    let text = include_str!("verify/doors.yaml").replace("{yes}", &yes.display().to_string());
    fs::write(project.stack_file(), text).expect("it is writable");
    project
}

/// Puts a function there that needs no building, as `directory: echo`.
fn put_echo(project: &Project) {
    let folder = project.path().join("echo");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/bootstrap.py");
    fs::create_dir(&folder).expect("the folder is ours");
    fs::copy(script, folder.join("bootstrap")).expect("the folder is ours");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("bootstrap"), executable).expect("the file is ours");
}

fn verify(project: &Project, options: &[&str]) -> Told {
    let mut arguments = vec!["verify", project.stack()];
    arguments.extend(options);
    told(&project.command(&arguments).output().expect("the program runs"))
}

fn count(told: &Told, name: &str) -> u64 {
    told.answer["counts"][name].as_u64().unwrap_or_else(|| panic!("{}\n{}", told.answer, told.said))
}

/// Calls with an outcome, as `ROUTE: WHAT`.
fn with_outcome(told: &Told, outcome: &str) -> Vec<String> {
    let all = told.answer["tried"].as_array().expect("it lists them").iter().filter(|one| one["outcome"] == outcome);
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    all.map(|one| format!("{}: {} {}", text(&one["route"]), text(&one["what"]), text(&one["explanation"]))).collect()
}

/// Fails with all that came out otherwise.
fn assert_proved(told: &Told) {
    let wrong: Vec<String> = ["leaked", "shut", "untold"].iter().flat_map(|name| with_outcome(told, name)).collect();
    assert_eq!((told.code, wrong), (Some(0), Vec::new()), "{}\n{}", told.answer["weakerThanFile"], told.said);
    assert_eq!(told.answer["proved"], true);
}

fn nobody_is_left(project: &Project, pool: &str) {
    let users = project.done(&["user", "list", "--stack", project.stack(), "--pool", pool]);
    assert_eq!(users["users"].as_array().map(Vec::len), Some(0), "{users}");
}

/// Deploys one of the repository's stacks, and verifies it with calls that write.
fn own(stack: &'static str) -> Told {
    let project = Project::local_with(stack);
    project.deploy();
    let verified = verify(&project, &["--write"]);
    assert_proved(&verified);
    assert_eq!(count(&verified, "untold"), 0);
    verified
}

#[test]
fn the_main_job_keeps_what_its_file_says() {
    let project = Project::local();
    project.deploy();
    let file = project.path().join("verify.xml");
    let verified = verify(&project, &["--junit", &file.display().to_string()]);
    assert_proved(&verified);
    assert_eq!((count(&verified, "passed"), count(&verified, "leftOut")), (2, 0));
    assert!(count(&verified, "refused") >= 25, "{}", verified.answer["counts"]);
    nobody_is_left(&project, "Users");
    let junit = fs::read_to_string(&file).expect("it was written");
    assert!(junit.contains("<testsuite name=\"GET /protected of Api\""), "{junit}");
    assert!(!junit.contains("<failure") && !junit.contains("eyJ"), "{junit}");
    let unknown = verify(&project, &["--only", "GET /unknown"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.answer);
    let cors = verify(&project, &["--only", "cors"]);
    assert_eq!((cors.code, count(&cors, "passed"), count(&cors, "refused")), (Some(0), 0, 1));
}

#[test]
fn notes_keep_what_their_file_says() {
    let verified = own("notes");
    assert_eq!(count(&verified, "passed"), 5, "one call with the secret passes at each route");
}

#[test]
fn contact_keeps_what_its_file_says() {
    let verified = own("contact");
    assert_eq!(count(&verified, "passed"), 2);
    let key: Vec<String> =
        with_outcome(&verified, "proved").into_iter().filter(|call| call.contains("API key")).collect();
    assert_eq!(key.len(), 3, "{key:?}");
}

#[test]
fn federated_keeps_what_its_file_says() {
    let verified = own("federated");
    assert_eq!(count(&verified, "passed"), 6, "three routes, and the origin of three");
}

#[test]
fn members_keep_what_their_file_says() {
    let verified = own("members");
    assert_eq!(count(&verified, "passed"), 3, "one call passes at each route");
}

#[test]
fn chat_keeps_what_its_file_says() {
    let verified = own("chat");
    assert_eq!((count(&verified, "passed"), count(&verified, "refused")), (1, 2));
}

#[test]
fn where_nothing_is_tried_nothing_is_proved() {
    let project = Project::local_with("chat");
    project.deploy();
    let junit = project.path().join("verify.xml");
    let nothing = verify(&project, &["--only", "send", "--junit", &junit.display().to_string()]);
    assert_eq!((nothing.code, &nothing.answer["proved"]), (Some(2), &false.into()), "{}", nothing.answer);
    assert_eq!(count(&nothing, "leftOut"), 1);
    let junit = fs::read_to_string(&junit).expect("it was written");
    assert!(junit.contains("<error message=\"there was nothing to try\""), "{junit}");
}

#[test]
fn what_is_not_deployed_has_failed() {
    let project = Project::local();
    project.deploy();
    let added = "  Added:\n    name: added\n    routes: { GET /added: { function: Protected, public: true } }\n";
    project.edit("httpApis:\n", &format!("httpApis:\n{added}"));
    let verified = verify(&project, &["--only", "GET /added"]);
    assert_eq!((verified.code, count(&verified, "failed")), (Some(1), 1), "{}", verified.answer);
    let shut = with_outcome(&verified, "shut");
    assert!(shut.iter().any(|call| call.ends_with("API `Added` is not deployed")), "{shut:?}");
}

#[test]
fn patience_ends_it() {
    let project = Project::local();
    project.deploy();
    project.edit(
        "    name: my-api\n",
        "    name: my-api\n    stages: { $default: { throttle: { rate: 1, burst: 1 } } }\n",
    );
    project.deploy();
    let begin = Instant::now();
    let ended = verify(&project, &["--patience", "2"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!((ended.code, &ended.answer["timedOut"]), (Some(1), &true.into()), "{}", ended.answer);
    assert_eq!(ended.answer["usersLeft"].as_array().map(Vec::len), Some(0));
    nobody_is_left(&project, "Users");
}

#[test]
fn patience_ends_the_preparation_too() {
    let project = Project::local();
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("the loopback interface has free ports");
    let endpoint = format!("http://{}", silent.local_addr().expect("it listens"));
    let mut command = project.command(&["verify", project.stack(), "--patience", "1", "--endpoint-url", &endpoint]);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_REGION", "us-east-1");
    let begin = Instant::now();
    let ended = told(&command.output().expect("the program runs"));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!((ended.code, &ended.answer["timedOut"]), (Some(1), &true.into()), "{}\n{}", ended.answer, ended.said);
    assert_eq!(ended.answer["tried"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_credential_is_read_from_a_file_and_never_told() {
    let project = Project::local_with("chat");
    project.deploy();
    let file = project.path().join("token.txt");
    fs::write(&file, "not-the-token\n").expect("the folder is ours");
    let given = format!("Chat/Token={}", file.display());
    let shut = verify(&project, &["--credential", &given]);
    assert_eq!(shut.code, Some(1), "a wrong credential is no proof of who may pass");
    assert_eq!(with_outcome(&shut, "shut").len(), 1, "{}", shut.answer);
    assert!(!shut.answer.to_string().contains("not-the-token") && !shut.said.contains("not-the-token"));
    let unknown = verify(&project, &["--credential", &format!("Chat/Other={}", file.display())]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.answer);
}
