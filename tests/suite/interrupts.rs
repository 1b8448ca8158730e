//! Ctrl-C and SIGTERM in every phase of a deployment: it ends, it says what stands, and the terminal is as it was.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::deploy::{Project, Told, USERS};
use crate::hold::Hold;
use crate::tools::{AWS, python, run};

/// The key of Ctrl-C.
const CTRL_C: &str = "\u{3}";

/// A stack that is being made until somebody tells it to go on, which nobody does.
const GATE: &str = "\
resources:
  Handle: { type: AWS::CloudFormation::WaitConditionHandle }
  Gate:
    type: AWS::CloudFormation::WaitCondition
    properties: { Handle: { Ref: Handle }, Timeout: '600' }
";

/// A function that needs no cargo.
const FUNCTION: &str = "functions:\n  Hello: { directory: hello }\n";

/// A command that runs beside the test.
pub(crate) struct Running {
    child: Child,
    /// What it says to standard error.
    said: NamedTempFile,
}

impl Running {
    /// Deploys or destroys through a wire that holds back requests.
    pub(crate) fn through(hold: &Hold, project: &Project, command: &str) -> Self {
        Self::behind(hold, project, &format!("{command} --yes"))
    }

    /// The same with a command that asks for no consent.
    pub(crate) fn behind(hold: &Hold, project: &Project, command: &str) -> Self {
        let environment = project.json("local env");
        let mut program = project.command(&format!("{command} --endpoint-url {}", hold.endpoint()));
        for (name, value) in environment.as_object().expect("it is an object") {
            program.env(name, value.as_str().expect("it is text"));
        }
        program.env_remove("AWS_ENDPOINT_URL");
        Self::start(program)
    }

    fn start(mut program: Command) -> Self {
        let said = NamedTempFile::new().expect("a temporary file can be made");
        let standard_error = said.reopen().expect("the file is ours");
        program.env("STACKGEN_LOG", "stackgen::cli::interrupts=debug");
        let child = program.stdout(Stdio::piped()).stderr(standard_error).spawn().expect("the program runs");
        Self { child, said }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill runs").success());
    }

    /// Sends a signal, and waits until it has arrived.
    #[track_caller]
    fn interrupt(&self, name: &str) {
        self.signal(name);
        self.says("asked to stop");
    }

    /// Waits until it says these words.
    #[track_caller]
    fn says(&self, words: &str) {
        let begin = Instant::now();
        while !self.said().contains(words) {
            assert!(begin.elapsed() < Duration::from_secs(60), "`{words}` is not in:\n{}", self.said());
            sleep(Duration::from_millis(5));
        }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.said.path()).expect("the file is ours")).into_owned()
    }

    pub(crate) fn ended(mut self) -> Told {
        let begin = Instant::now();
        while self.child.try_wait().expect("it is ours").is_none() {
            if begin.elapsed() > Duration::from_secs(60) {
                self.child.kill().expect("it runs still");
                panic!("it does not end: {}", self.said());
            }
            sleep(Duration::from_millis(10));
        }
        let stderr = self.said();
        Told { stderr, ..Told::of(&self.child.wait_with_output().expect("it is ours")) }
    }
}

/// How a program at a terminal ended.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    code: Option<i32>,
    screen: String,
    sane: bool,
}

impl Shown {
    #[track_caller]
    pub(crate) fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.screen);
        assert!(self.sane, "the terminal was left in disorder: {:?}", self.screen);
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        let plain = self.screen.replace("\r\n", " ").replace("│", " ");
        let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(plain.contains(words), "`{words}` is not in:\n{}", self.screen);
        self
    }
}

/// Runs a command at a terminal: whenever the words are shown, the keys are pressed.
pub(crate) fn at_a_terminal(project: &Project, command: &str, script: &[(&str, &str)]) -> Shown {
    at_a_terminal_with(project, &json!({}), command, script)
}

/// The same with variables for the command.
fn at_a_terminal_with(project: &Project, environment: &Value, command: &str, script: &[(&str, &str)]) -> Shown {
    let mut python = Command::new("python3");
    python.args(["-c", include_str!("terminal.py"), "90", env!("CARGO_BIN_EXE_stackgen")]).args(command.split(' '));
    project.settle(&mut python);
    python.env("TERM", "xterm").env("COLUMNS", "200").env_remove("CI").env_remove("NO_COLOR");
    for (name, value) in environment.as_object().expect("it is an object") {
        python.env(name, value.as_str().expect("it is text"));
    }
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().expect("the tests need Python 3");
    let script = serde_json::to_vec(&json!(script)).expect("it is JSON");
    python.stdin.take().expect("it is piped").write_all(&script).expect("Python listens");
    let output = python.wait_with_output().expect("it is ours");
    serde_json::from_slice(&output.stdout).expect("it tells what came of it")
}

/// A function that needs no cargo, behind a route for users.
const PROTECTED: &str = "\
userPools: { Users: { removal: destroy } }
userPoolClients: { Web: { userPool: Users, authFlows: [userSrp] } }
functions: { Hello: { directory: hello } }
httpApis:
  Api:
    authorizers: { Members: { jwt: { userPool: Users, clients: [Web] } } }
    routes: { GET /protected: { function: Hello, authorizer: Members } }
";

fn with_function(stack: &str) -> Project {
    let project = Project::with(stack);
    project.put_program("hello", "#!/bin/sh\n");
    project
}

/// A project whose build does not end.
fn with_endless_build() -> Project {
    let project = Project::with("functions:\n  Hello: { crate: functions/hello }\n");
    let write = |file: &str, text: &str| {
        let file = project.path().join("functions/hello").join(file);
        fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("the folder is ours");
        fs::write(file, text).expect("the folder is ours");
    };
    write("Cargo.toml", "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    write("src/main.rs", "fn main() {}");
    write("build.rs", "fn main() { std::thread::sleep(std::time::Duration::from_secs(600)) }");
    project
}

#[track_caller]
fn a_build_runs(project: &Project) {
    let begin = Instant::now();
    while build_scripts(project) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "no build begins");
        sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn no_build_runs(project: &Project) {
    let begin = Instant::now();
    while build_scripts(project) > 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "a build goes on");
        sleep(Duration::from_millis(20));
    }
}

fn build_scripts(project: &Project) -> usize {
    let listed = Command::new("ps").args(["-axww", "-o", "args="]).output().expect("every Unix has `ps`");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let folder = project.path().display().to_string();
    listed.lines().filter(|line| line.contains(&folder) && line.contains("build-script-build")).count()
}

fn status(project: &Project) -> String {
    let listed = project.json("list --local");
    listed["stacks"][0]["status"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn during_the_build() {
    let project = with_endless_build();
    let shown = at_a_terminal(&project, "deploy --local", &[("hello v0.1.0", CTRL_C)]);
    shown.ended(1).says("nothing was deployed").says("run the command again");
    no_build_runs(&project);
    fs::remove_dir_all(project.path().join("functions/hello/target")).expect("cargo has begun");
    for (signal, is_first) in [("INT", true), ("TERM", false)] {
        let deploying = Running::start(project.command("deploy --local"));
        a_build_runs(&project);
        if is_first {
            deploying.says("cargo builds Hello");
        }
        deploying.signal(signal);
        deploying.ended().ended(1).says("interrupted while functions were built").says("nothing was deployed");
        no_build_runs(&project);
    }
    let bundling = Running::start(project.command("bundle"));
    a_build_runs(&project);
    bundling.signal("INT");
    bundling.ended().ended(1).says("interrupted while functions were built");
    no_build_runs(&project);
    assert_eq!(status(&project), "none");
}

#[test]
fn while_the_account_is_being_reached() {
    let project = Project::with(USERS);
    let endpoint = endpoint(&project);
    for signal in ["INT", "TERM"] {
        let hold = Hold::before(&endpoint, "GetCallerIdentity");
        let deploying = Running::through(&hold, &project, "deploy");
        hold.wait();
        deploying.signal(signal);
        deploying.ended().ended(1).says("interrupted while the account was being reached").says("nothing was deployed");
    }
}

#[test]
fn while_another_run_has_the_turn() {
    let project = Project::with(USERS);
    let state = project.path().join(".stackgen");
    fs::create_dir_all(&state).expect("the folder is ours");
    let turn = fs::File::create(state.join("deploying.lock")).expect("the folder is ours");
    turn.lock().expect("nobody else has it");
    for (command, signal) in [("deploy --local", "INT"), ("destroy --local", "TERM"), ("bootstrap --local", "INT")] {
        let waiting = Running::start(project.command(command));
        waiting.says("waiting for another stackgen");
        waiting.signal(signal);
        waiting.ended().ended(1).says("interrupted while another stackgen was waited for").says("nothing was done");
    }
    let waiting = Running::start(project.command("deploy --local"));
    waiting.says("waiting for another stackgen");
    turn.unlock().expect("it is ours");
    waiting.ended().ended(0).says("notes was created");
}

#[test]
fn while_the_bucket_is_made_or_removed() {
    let project = Project::with(USERS);
    let endpoint = endpoint(&project);
    let hold = Hold::before(&endpoint, "GetCallerIdentity");
    let making = Running::through(&hold, &project, "bootstrap");
    hold.wait();
    making.signal("INT");
    making.ended().ended(1).says("interrupted while the account was being reached").says("nothing was done");

    project.run("bootstrap --local").ended(0);
    let hold = Hold::before(&endpoint, "?versions");
    let removing = Running::through(&hold, &project, "bootstrap --destroy");
    hold.wait();
    removing.signal("TERM");
    let told = removing.ended();
    told.ended(1)
        .says("interrupted while the bucket was emptied")
        .says("repeat `stackgen bootstrap --destroy --endpoint");

    let hold = Hold::before(&endpoint, "Action=DeleteStack");
    let removing = Running::through(&hold, &project, "bootstrap --destroy");
    hold.wait();
    removing.interrupt("INT");
    removing.signal("INT");
    removing.ended().ended(1).says("left; the bucket is empty, and whether CloudFormation removes it is not known");
    hold.release();
    project.run("bootstrap --destroy --local").ended(0).says("nothing");
}

#[test]
fn while_several_stacks_are_put_in_order() {
    let project = Project::with(USERS);
    fs::write(project.path().join("stacks/a.yaml"), USERS).expect("the folder is ours");
    let hold = Hold::before(&endpoint(&project), "Action=GetTemplate");
    let deploying = Running::through(&hold, &project, "deploy --all");
    hold.wait();
    deploying.signal("INT");
    deploying.ended().ended(1).says("interrupted while the stacks were looked at").says("nothing was deployed");
}

#[test]
fn while_the_bucket_is_looked_for() {
    let project = with_function(FUNCTION);
    let hold = Hold::before(&endpoint(&project), "StackName=CDKToolkit");
    let deploying = Running::through(&hold, &project, "deploy");
    hold.wait();
    deploying.signal("INT");
    deploying.ended().ended(1).says("interrupted while the bucket was looked for").says("is as it was before");
}

#[test]
fn during_the_upload() {
    let project = with_function(FUNCTION);
    project.run("bootstrap --local").ended(0);
    let hold = Hold::before(&endpoint(&project), "PUT /");
    let deploying = Running::through(&hold, &project, "deploy");
    hold.wait();
    deploying.signal("INT");
    deploying.ended().ended(1).says("interrupted while code was uploaded").says("stack `notes` is as it was before");
    assert_eq!(status(&project), "none");
    hold.release();
    project.run("deploy --local").ended(0).says("notes was created");
}

#[test]
fn while_the_change_set_is_worked_out() {
    let project = Project::with(USERS);
    let endpoint = endpoint(&project);
    for signal in ["INT", "TERM"] {
        let hold = Hold::before(&endpoint, "Action=CreateChangeSet");
        let deploying = Running::through(&hold, &project, "deploy");
        hold.wait();
        deploying.interrupt(signal);
        hold.release();
        deploying.ended().ended(1).says("stack `notes` is as it was before").says("the change set is taken back");
        assert_eq!(status(&project), "none", "neither the change set nor the shell of its stack stays");
    }
    project.run("deploy --local").ended(0);
    project.write(&USERS.replace("    removal", "    userPoolName: members\n    removal"));
    let hold = Hold::before(&endpoint, "Action=CreateChangeSet");
    let deploying = Running::through(&hold, &project, "deploy");
    hold.wait();
    deploying.interrupt("INT");
    hold.release();
    deploying.ended().ended(1).says("is as it was before");
    assert_eq!(status(&project), "CREATE_COMPLETE");
}

#[test]
fn twice_while_the_change_set_is_worked_out() {
    let project = Project::with(USERS);
    for form in ["", " --quiet", " --output json"] {
        let hold = Hold::before(&endpoint(&project), "Action=DescribeChangeSet");
        let deploying = Running::through(&hold, &project, &format!("deploy{form}"));
        hold.wait();
        deploying.interrupt("INT");
        deploying.signal("INT");
        let told = deploying.ended();
        told.ended(1).says("left;").says("a change set that was never executed may be there");
        let is_document = serde_json::from_str::<Value>(&told.stdout).is_ok();
        assert_eq!(is_document, form.contains("json"), "{}", told.stdout);
        assert_eq!(status(&project), "REVIEW_IN_PROGRESS");
        hold.release();
    }
    project.run("deploy --local").ended(0).says("never executed").says("notes was created");
}

#[test]
fn at_the_question_for_a_password() {
    let project = with_function(PROTECTED);
    project.run("deploy --local").ended(0);
    // What does not say that it is the local cloud makes no user: somebody has to sign in.
    let elsewhere = Hold::without(&endpoint(&project), "/_stackgen/health");
    let verify = format!("verify --as bob --endpoint-url {}", elsewhere.endpoint());
    let shown = at_a_terminal_with(&project, &project.json("local env"), &verify, &[("Password of bob", CTRL_C)]);
    shown.ended(1).says("interrupted");
}

#[test]
fn at_the_question() {
    let project = Project::with(USERS);
    let environment = project.json("local env");
    let deploy = format!("--quiet deploy --endpoint-url {}", endpoint(&project));
    let shown = at_a_terminal_with(&project, &environment, &deploy, &[("[y/N]", CTRL_C)]);
    shown.ended(1).says("nothing was done").says("the question was interrupted");
    shown.says("2 changes of notes").says("AWS::Cognito::UserPoolClient");
    assert_eq!(status(&project), "none", "the change set went with the question");

    project.run("deploy --local").ended(0);
    let destroy = format!("--quiet destroy --endpoint-url {}", endpoint(&project));
    let shown = at_a_terminal_with(&project, &environment, &destroy, &[("[y/N]", CTRL_C)]);
    shown.ended(1).says("has 2 resources").says("AWS::Cognito::UserPoolClient").says("nothing was done");
    assert_eq!(status(&project), "CREATE_COMPLETE");
}

#[test]
fn during_a_first_creation() {
    let project = Project::with(GATE);
    let shown = at_a_terminal(&project, "deploy --local", &[("Gate", ""), ("is being created", CTRL_C)]);
    shown.ended(1).says("so the stack is being deleted").says("it was cancelled").says("the stack was deleted");
    assert_eq!(status(&project), "none");
    let deploying = Running::start(project.command("deploy --local"));
    wait_for(&project, "CREATE_IN_PROGRESS");
    deploying.signal("TERM");
    deploying.ended().ended(1).says("so the stack is being deleted").says("it was cancelled");
    assert_eq!(status(&project), "none");
}

#[test]
fn during_an_update() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    project.write(&format!("{USERS}{GATE}"));
    let deploying = Running::start(project.command("deploy --local"));
    wait_for(&project, "UPDATE_IN_PROGRESS");
    deploying.signal("INT");
    let told = deploying.ended();
    told.ended(1).says("CloudFormation goes back to what was deployed").says("it was cancelled");
    assert_eq!(status(&project), "UPDATE_ROLLBACK_COMPLETE");
    project.write(USERS);
    project.run("deploy --local").ended(0);
}

/// A REST API with these routes.
fn rest_api(routes: &[&str]) -> String {
    let routes = routes.iter().map(|route| format!("      {route}: {{ mock: {{ status: 200 }}, public: true }}\n"));
    let routes: String = routes.collect();
    format!("restApis:\n  Api:\n    cloudWatchRole: destroy\n    stages: {{ test: {{}} }}\n    routes:\n{routes}")
}

/// An update of a REST API that loses a route, held back before its second step.
fn between_two_steps() -> (Project, Hold, Running) {
    let project = Project::with(&rest_api(&["GET /kept", "GET /old"]));
    project.run("deploy --local").ended(0);
    project.write(&rest_api(&["GET /kept"]));
    // The first shows what changes, the second is the first step's.
    let hold = Hold::after(2, &endpoint(&project), "Action=CreateChangeSet");
    let deploying = Running::through(&hold, &project, "deploy");
    hold.wait();
    (project, hold, deploying)
}

#[test]
fn an_update_that_is_interrupted_between_its_two_steps_goes_on() {
    let (project, hold, deploying) = between_two_steps();
    assert_eq!(status(&project), "UPDATE_COMPLETE");
    deploying.interrupt("INT");
    hold.release();
    let told = deploying.ended();
    told.ended(1).says("two steps:").says("the first of two steps is done: what leaves is out of the REST API");
    let again = project.run("deploy --local");
    again.ended(0).says("notes was changed");
    assert!(!again.stderr.contains("two steps:"), "nothing leaves the API any more: {}", again.stderr);
}

#[test]
fn an_update_that_loses_its_cloud_between_its_two_steps_says_what_is_still_served() {
    let (project, hold, deploying) = between_two_steps();
    project.run("local stop").ended(0);
    hold.release();
    let told = deploying.ended();
    told.ended(1).says("cannot be reached").says("the first of two steps is done").says("which goes on");
}

#[test]
fn an_update_whose_second_step_fails_says_what_is_still_served() {
    let (project, hold, deploying) = between_two_steps();
    let delete = "import boto3\napi = boto3.client('apigateway')\n\
                  api.delete_stage(restApiId=api.get_rest_apis()['items'][0]['id'], stageName='test')";
    let environment = project.json("local env");
    let mut program = python(AWS).program("python");
    for (name, value) in environment.as_object().expect("it is an object") {
        program.env(name, value.as_str().expect("it is text"));
    }
    run(program.args(["-c", delete]));
    hold.release();
    let told = deploying.ended();
    told.ended(1).says("the first of two steps is done").says("its stages serve it until the second is");
}

#[test]
fn twice_during_an_operation_leaves_it_alone() {
    let project = Project::with(GATE);
    let hold = Hold::before(&endpoint(&project), "Action=DeleteStack");
    let deploying = Running::through(&hold, &project, "deploy");
    wait_for(&project, "CREATE_IN_PROGRESS");
    deploying.signal("INT");
    hold.wait();
    deploying.signal("INT");
    deploying.ended().ended(1).says("left; CloudFormation goes on by itself").says("stackgen list");
    assert_eq!(status(&project), "CREATE_IN_PROGRESS");
}

#[test]
fn while_another_operation_is_waited_for() {
    let project = Project::with(GATE);
    let first = Running::start(project.command("deploy --local"));
    wait_for(&project, "CREATE_IN_PROGRESS");
    // Gone without a word, as a lost connection is.
    first.signal("KILL");
    drop(first.ended());
    let second = Running::start(project.command("deploy --local"));
    second.says("is busy (CREATE_IN_PROGRESS)");
    second.signal("INT");
    second.ended().ended(1).says("interrupted while another operation ran on the stack");
    assert_eq!(status(&project), "CREATE_IN_PROGRESS", "what others do goes on");
}

#[test]
fn during_the_destruction() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    let hold = Hold::before(&endpoint(&project), "Action=DeleteStack");
    let destroying = Running::through(&hold, &project, "destroy");
    hold.wait();
    destroying.interrupt("INT");
    hold.release();
    destroying.ended().ended(0).says("is destroyed");
    assert_eq!(status(&project), "none", "what was begun came to its end");

    project.run("deploy --local").ended(0);
    let hold = Hold::before(&endpoint(&project), "Action=DeleteStack");
    let destroying = Running::through(&hold, &project, "destroy");
    hold.wait();
    destroying.interrupt("TERM");
    destroying.signal("TERM");
    destroying.ended().ended(1).says("left; it is not known whether CloudFormation removes stack `notes`");

    let hold = Hold::before(&endpoint(&project), "Action=ListStackResources");
    let destroying = Running::through(&hold, &project, "destroy");
    hold.wait();
    destroying.signal("INT");
    destroying.ended().ended(1).says("stack `notes` is untouched");
}

#[test]
fn while_a_deployment_is_verified() {
    let project = with_function(PROTECTED);
    project.run("deploy --local").ended(0);
    let endpoint = endpoint(&project);
    // While a user is made, while a bad token is, and while the access log is read.
    for (held, signal) in [("AdminSetUserPassword", "INT"), ("MintToken", "TERM"), ("FilterLogEvents", "INT")] {
        let hold = Hold::before(&endpoint, held);
        let verifying = Running::behind(&hold, &project, "verify");
        hold.wait();
        verifying.signal(signal);
        let told = verifying.ended();
        told.ended(1).says("interrupted while routes were tried").says("nothing is left of it");
        let users = project.json("user list --local");
        assert_eq!(users["users"].as_array().map(Vec::len), Some(0), "{held}: {users}");
    }
}

#[test]
fn twice_while_a_deployment_is_verified() {
    let project = with_function(PROTECTED);
    project.run("deploy --local").ended(0);
    let hold = Hold::before(&endpoint(&project), "AdminDeleteUser");
    let verifying = Running::behind(&hold, &project, "verify");
    hold.wait();
    verifying.interrupt("INT");
    verifying.signal("INT");
    verifying.ended().ended(1).says("left; a user whose name begins with `stackgen-verify-` may be left");
}

pub(crate) fn endpoint(project: &Project) -> String {
    project.json("local env")["AWS_ENDPOINT_URL"].as_str().expect("it is text").to_owned()
}

/// Waits until the stack is in this state.
///
/// # Panics
/// When that takes too long, with the state that it is in.
#[track_caller]
pub(crate) fn wait_for(project: &Project, wanted: &str) {
    let begin = Instant::now();
    while status(project) != wanted {
        assert!(begin.elapsed() < Duration::from_secs(60), "the stack is {}", status(project));
        sleep(Duration::from_millis(50));
    }
}
