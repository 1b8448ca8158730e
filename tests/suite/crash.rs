//! The main job while the local cloud is killed, and while two of it run at once.

use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{Project, STACK, Told, start, told};

/// How often the cloud is killed.
const ROUNDS: u32 = 15;

/// How long a command may go on after its cloud has been killed.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn the_main_job_survives_kills() {
    let project = Project::local();
    project.deploy();
    for round in 0..ROUNDS {
        let pid = pid(&project);
        let under_way = start(deed(&project, round));
        sleep(Duration::from_millis(rand::random_range(0..600)));
        kill(&pid);
        let ended = ended(under_way);
        assert!(matches!(ended.code, Some(0..=2)), "round {round}: {ended:?}");
        it_comes_to_a_final_state(&project, round);
    }
    project.deploy();
    project.done(&["user", "create", "grace@example.com"]);
    let answer = project.done(&["call", "GET", "/protected", "--as", "grace@example.com"]);
    assert_eq!(answer["body"]["claims"]["email"], "grace@example.com");
    assert!(project.processes().iter().any(|process| process.contains("bootstrap")), "{:?}", project.processes());
    assert_eq!(project.destroy().answer["stacks"][0]["left"], Value::Array(Vec::new()));
    nothing_runs_once_it_has_stopped(&project);
}

/// What is under way when the kill comes: updates, sign-ups, calls, the way there and back.
fn deed(project: &Project, round: u32) -> Command {
    match round % 5 {
        0 | 2 => {
            set_memory(project, 128 + 64 * (round + 1));
            project.targeted(&["deploy", STACK])
        }
        1 => project.targeted(&["user", "create", &format!("user{round}@example.com")]),
        3 => project.targeted(&["destroy", STACK]),
        _ => project.targeted(&["deploy", STACK]),
    }
}

fn set_memory(project: &Project, megabytes: u32) {
    let text = std::fs::read_to_string(project.stack_file()).expect("it is there");
    let line = text.lines().find(|line| line.contains("crate: functions/protected")).expect("it is there");
    project.edit(line, &format!("  Protected: {{ crate: functions/protected, memorySize: {megabytes} }}"));
}

fn pid(project: &Project) -> String {
    project.done(&["local", "env"]);
    project.done(&["local", "status"])["pid"].as_i64().expect("it runs").to_string()
}

fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-9", pid]).status().expect("kill runs").success());
}

fn ended(mut child: Child) -> Told {
    let begin = Instant::now();
    while child.try_wait().expect("it is ours").is_none() {
        if begin.elapsed() > PATIENCE {
            child.kill().expect("it runs still");
            panic!("it does not end: {:?}", told(&child.wait_with_output().expect("it is ours")));
        }
        sleep(Duration::from_millis(10));
    }
    told(&child.wait_with_output().expect("it is ours"))
}

/// The cloud starts on what the kill has left, and by itself brings to an end what was under way.
fn it_comes_to_a_final_state(project: &Project, round: u32) {
    let begin = Instant::now();
    loop {
        let listed = project.command(&["list", "--local"]).output().expect("the program runs");
        let listed = told(&listed);
        assert_eq!(listed.code, Some(0), "round {round}: the state cannot be loaded: {listed:?}");
        let status = listed.answer["stacks"][0]["status"].as_str().unwrap_or_default().to_owned();
        if !status.ends_with("_IN_PROGRESS") || status == "REVIEW_IN_PROGRESS" {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "round {round}: the stack stays in {status}");
        sleep(Duration::from_millis(20));
    }
}

fn nothing_runs_once_it_has_stopped(project: &Project) {
    assert_eq!(project.done(&["local", "stop"])["stopped"], true);
    let begin = Instant::now();
    while !project.processes().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", project.processes());
        sleep(Duration::from_millis(50));
    }
}

/// A first deployment, an update, and an update against a removal: whoever comes second waits for the first.
#[test]
fn two_deployments_at_once_both_end_well() {
    let project = Project::local();
    // A first build of the function may take longer than a second deployment is waited for.
    project.deploy();
    project.destroy();
    both_end_well(&project, [project.start_deployment(), project.start_deployment()]);
    set_memory(&project, 512);
    both_end_well(&project, [project.start_deployment(), project.start_deployment()]);
    assert_eq!(project.deploy().answer["stacks"][0]["result"], "unchanged");
    set_memory(&project, 256);
    both_end_well(&project, [project.start_deployment(), start(project.targeted(&["destroy", STACK]))]);
    project.deploy();
    project.destroy();
}

fn both_end_well(project: &Project, two: [Child; 2]) {
    let told = two.map(ended);
    assert!(told.iter().all(|one| one.code == Some(0)), "{told:?}");
    assert_eq!(project.done(&["local", "status"])["running"], true);
    let waited = told.iter().filter(|one| one.said.contains("waiting for another stackgen")).count();
    assert!(waited <= 1, "only the second waits: {told:?}");
}
