//! The commands, through the real program, against a local cloud that it starts by itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::user::kept as kept_of;

/// What the user's shell may say, and must not reach a test.
const FOREIGN: [&str; 12] = [
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_REGION",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "https_proxy",
    "http_proxy",
    "all_proxy",
    "STACKGEN_NEW_PASSWORD",
    "STACKGEN_PASSWORD",
];

/// A project with its own local cloud, which ends with it.
pub(crate) struct Project(TempDir);

/// What came of one command.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Project {
    /// A project with one stack, `notes`.
    pub(crate) fn with(stack: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::create_dir(folder.path().join("stacks")).expect("the folder is ours");
        let project = Self(folder);
        project.write(stack);
        project
    }

    pub(crate) fn write(&self, stack: &str) {
        fs::write(self.path().join("stacks/notes.yaml"), stack).expect("the folder is ours");
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command of the program, in the project and in an environment that says nothing about AWS.
    pub(crate) fn command(&self, command: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_stackgen"));
        program.args(command.split(' '));
        self.settle(&mut program);
        program
    }

    /// Puts a command into the project, and into an environment that says nothing about AWS.
    pub(crate) fn settle(&self, program: &mut Command) {
        program.current_dir(self.path()).stdin(Stdio::null());
        for variable in FOREIGN {
            program.env_remove(variable);
        }
    }

    fn output(&self, command: &str, environment: &[(&str, &str)]) -> Output {
        self.command(command).envs(environment.iter().copied()).output().expect("the program runs")
    }

    pub(crate) fn run(&self, command: &str) -> Told {
        self.run_with(command, &[])
    }

    pub(crate) fn run_with(&self, command: &str, environment: &[(&str, &str)]) -> Told {
        Told::of(&self.output(command, environment))
    }

    /// The document that a command answers with.
    #[track_caller]
    pub(crate) fn json(&self, command: &str) -> Value {
        let told = self.run(&format!("{command} --output json"));
        told.ended(0);
        serde_json::from_str(&told.stdout).expect("standard output is one document")
    }

    /// Where the project's local cloud is, and the account's own key.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let environment = self.json("local env");
        let variables = environment.as_object().expect("it is an object");
        variables.iter().map(|(name, value)| (name.clone(), value.as_str().expect("it is text").to_owned())).collect()
    }

    /// Makes a folder that is the code of a function, and needs no building.
    pub(crate) fn put_program(&self, folder: &str, program: &str) {
        let bootstrap = self.path().join(folder).join("bootstrap");
        fs::create_dir(self.path().join(folder)).expect("the folder is ours");
        fs::write(&bootstrap, program).expect("the folder is ours");
        fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.output("local stop", &[]);
    }
}

impl Told {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    pub(crate) fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "`{text}` is not in:\n{}\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

/// A stack with a pool and a client.
pub(crate) const USERS: &str = "\
userPools:
  Users:
    usernameAttributes: [email]
    autoVerifiedAttributes: [email]
    removal: destroy
userPoolClients:
  Web: { userPool: Users, authFlows: [userSrp] }
outputs:
  pool: { ref: Users }
";

#[test]
fn a_stack_lives_from_deploy_to_destroy() {
    let project = Project::with(USERS);
    let created = project.json("deploy --local --outputs-file outputs.json");
    assert_eq!(created["stacks"][0]["result"], "created");
    let pool = created["stacks"][0]["outputs"]["pool"].as_str().expect("the pool has an id");

    let written = fs::read(project.path().join("outputs.json")).expect("the outputs are written");
    let written: Value = serde_json::from_slice(&written).expect("they are JSON");
    assert_eq!(written, serde_json::json!({ "notes": { "pool": pool } }));

    assert_eq!(project.json("deploy --local")["stacks"][0]["result"], "unchanged");
    assert_eq!(project.json("outputs")["notes"]["pool"], pool, "the target of the last deployment is remembered");
    assert_eq!(project.run("outputs --only pool").ended(0).stdout.trim(), pool);
    project.run("outputs --only pol").ended(1).says("did you mean `pool`?");
    assert_eq!(project.json("list --local")["stacks"][0]["status"], "CREATE_COMPLETE");

    project.write(&USERS.replace("    removal", "    userPoolName: members\n    removal"));
    let updated = project.json("deploy --local");
    assert_eq!(updated["stacks"][0]["result"], "updated");
    assert_eq!(updated["stacks"][0]["changes"][0]["resource"], "Users");

    let destroyed = project.json("destroy --local");
    assert_eq!(destroyed["stacks"][0]["left"], serde_json::json!([]));
    project.run("destroy --local").ended(0).says("nothing to destroy").says("nothing is left");
    project.run("outputs --local").ended(1).says("stackgen deploy notes --local");
}

#[test]
fn what_is_retained_is_told_with_the_command_that_removes_it() {
    let project = Project::with(&USERS.replace("removal: destroy", "removal: retain"));
    let created = project.json("deploy --local");
    let pool = created["stacks"][0]["outputs"]["pool"].as_str().expect("the pool has an id").to_owned();
    let command = format!("aws cognito-idp delete-user-pool --user-pool-id {pool}");
    project.run("destroy --local").ended(0).says("stays").says(&command);
}

#[test]
fn a_user_signs_in_without_the_password_ever_travelling() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    let made = project.json("user create alice@example.com");
    let kept = Path::new(made["passwordFile"].as_str().expect("a password was made up"));
    let secret = fs::read_to_string(kept).expect("it is kept");
    assert_private(kept);

    let id = project.run("token alice@example.com").ended(0).stdout.clone();
    assert_eq!(claims(&id)["email"], "alice@example.com");
    assert_eq!(claims(&id)["token_use"], "id");
    assert_eq!(project.run("token alice@example.com").ended(0).stdout, id, "a token is kept until it ends");
    assert_eq!(claims(&project.run("token alice@example.com --access").stdout)["token_use"], "access");
    assert_private(&kept_of(&project, "tokens", "alice@example.com"));
    let refused = project.run("token alice@example.com --scope notes/read");
    refused.ended(2).says("client `Web` does not have the OAuth flow `code`");

    let again = project.run("user create alice@example.com");
    again.ended(1).says("user `alice@example.com` exists already");
    let listed = project.run("user list");
    assert!(listed.ended(0).stdout.contains("alice@example.com"));
    for told in [&again, &listed] {
        assert!(!told.stdout.contains(secret.trim()) && !told.stderr.contains(secret.trim()), "a secret is shown");
    }

    project.run("user delete alice@example.com").ended(0);
    assert!(!kept.exists(), "the password goes with the user");
    project.run("token alice@example.com").ended(2).says("STACKGEN_PASSWORD");
}

#[test]
fn a_temporary_password_is_replaced_at_the_first_sign_in() {
    for flow in ["userSrp", "userPassword", "adminUserPassword"] {
        let project = Project::with(&USERS.replace("userSrp", flow));
        project.run("deploy --local").ended(0);
        let made = project.json("user create alice@example.com --temporary");
        let kept = Path::new(made["passwordFile"].as_str().expect("a password was made up"));
        let temporary = fs::read_to_string(kept).expect("it is kept");
        let told = project.run("token alice@example.com");
        told.ended(0).says("has a new password");
        assert_eq!(claims(&told.stdout)["email"], "alice@example.com", "{flow}");
        let chosen = fs::read_to_string(kept).expect("it is kept");
        assert_ne!(chosen, temporary);
        assert!(!told.stderr.contains(chosen.trim()) && !told.stderr.contains(temporary.trim()), "a secret is shown");
        fs::remove_dir_all(project.path().join(".stackgen/tokens")).expect("a token was kept");
        project.run("token alice@example.com").ended(0);
    }
}

#[test]
fn a_new_password_comes_from_the_environment_or_a_file() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    let temporary = [("STACKGEN_PASSWORD", "Temporary-1!")];
    for name in ["bob@example.com", "carol@example.com", "dave@example.com"] {
        project.run_with(&format!("user create {name} --temporary"), &temporary).ended(0);
    }
    let weak = [temporary[0], ("STACKGEN_NEW_PASSWORD", "short")];
    project.run_with("token dave@example.com", &weak).ended(1).says("refuses the password");
    let given = [temporary[0], ("STACKGEN_NEW_PASSWORD", "Lasting-Word-2!")];
    project.run_with("token bob@example.com", &given).ended(0);
    fs::write(project.path().join("new"), "Lasting-Word-3!\n").expect("the folder is ours");
    project.run_with("token carol@example.com --new-password-file new", &temporary).ended(0);
    fs::remove_dir_all(project.path().join(".stackgen/tokens")).expect("tokens were kept");
    project.run_with("token carol@example.com", &[("STACKGEN_PASSWORD", "Lasting-Word-3!")]).ended(0);
}

#[test]
fn a_protected_stack_is_not_destroyed() {
    let protected = format!("terminationProtection: true\n{USERS}");
    let project = Project::with(&protected);
    let created = project.json("deploy --local");
    assert_eq!(created["stacks"][0]["terminationProtection"], true);
    project.run("destroy --local").ended(2).says("is protected against deletion").says("terminationProtection: false");
    assert_eq!(project.json("list --local")["stacks"][0]["status"], "CREATE_COMPLETE");

    project.write(USERS);
    project.run("deploy --local").ended(0).says("nothing to change");
    project.run("destroy --local").ended(2).says("is protected");
    project.write(&protected.replace("true", "false"));
    project.run("deploy --local").ended(0).says("is not protected against deletion any more");
    project.run("destroy --local").ended(0).says("is destroyed");
}

#[test]
fn stacks_that_use_others_are_destroyed_before_them() {
    let project = Project::with(USERS);
    let users = "userPools:\n  Users: { removal: destroy }\noutputs:\n  pool: { ref: Users }\n";
    fs::write(project.path().join("stacks/a-users.yaml"), users).expect("the folder is ours");
    let taker = "resources:\n  Kept:\n    type: AWS::SSM::Parameter\n    properties: { Type: String, Value: { \
                 'Fn::ImportValue': 'a-users:pool' } }\n";
    project.write(taker);
    project.run("deploy --local --all").ended(0);
    project.run("destroy --local a-users").ended(1).says("notes");
    let destroyed = project.json("destroy --local --all");
    let names: Vec<&str> = (0..2).filter_map(|at| destroyed["stacks"][at]["stack"].as_str()).collect();
    assert_eq!(names, ["notes", "a-users"]);
}

#[test]
fn a_replacement_that_keeps_its_name_is_told_before_it_fails() {
    let named = "resources:\n  Kept:\n    type: AWS::IAM::Role\n    properties:\n      RoleName: kept\n      Path: /a/\n      \
                 AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: Allow, Action: \
                 'sts:AssumeRole', Principal: { Service: lambda.amazonaws.com } }] }\n";
    let project = Project::with(named);
    project.run("deploy --local").ended(0);
    project.write(&named.replace("/a/", "/b/"));
    let told = project.run("deploy --local");
    told.ended(1).says("two cannot have the same name").says("RoleName").says("custom-named resource");
}

#[test]
fn a_password_comes_from_the_environment_or_a_file() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    let given = [("STACKGEN_PASSWORD", "Correct-Horse-7")];
    project.run_with("user create bob@example.com", &given).ended(0);
    project
        .run_with("token bob@example.com", &[("STACKGEN_PASSWORD", "wrong-Password-1")])
        .ended(1)
        .says("cannot sign in");
    fs::write(project.path().join("password"), "Correct-Horse-7\n").expect("the folder is ours");
    project.run("token bob@example.com --password-file password").ended(0);
    let weak = project.run_with("user create carol@example.com", &[("STACKGEN_PASSWORD", "short")]);
    weak.ended(1).says("the pool refuses the password");
    assert!(!project.run("user list").stdout.contains("carol"), "a user without a password is not left behind");
}

#[test]
fn a_deployment_that_fails_names_cause_and_place() {
    let project = Project::with(
        "userPools:\n  Users: { removal: destroy }\nresources:\n  Other:\n    type: AWS::Cognito::UserPoolClient\n    \
         properties: { UserPoolId: us-east-1_missing }\n",
    );
    let failed = project.run("deploy --local");
    failed.ended(1).says("`Other` (AWS::Cognito::UserPoolClient) CREATE_FAILED").says("stacks/notes.yaml:4:3");
    assert_eq!(project.json("list --local")["stacks"][0]["status"], "ROLLBACK_COMPLETE");

    project.write(USERS);
    project.run("deploy --local").ended(0).says("must be removed first").says("notes was created");
}

#[test]
fn a_local_cloud_stays_in_its_region_without_being_told() {
    let project = Project::with(USERS);
    let pool = project.json("deploy --local --region eu-west-1")["stacks"][0]["outputs"]["pool"].clone();
    assert!(pool.as_str().is_some_and(|id| id.starts_with("eu-west-1_")), "{pool}");
    for command in ["local env", "local mail", "deploy --local", "outputs"] {
        project.run(command).ended(0);
        project.run("local stop").ended(0);
        assert_eq!(project.json("local env")["AWS_REGION"], "eu-west-1", "after `{command}`");
        project.run("local stop").ended(0);
        project.run(command).ended(0);
    }
    let running = project.run("deploy --local --region us-east-1");
    project.run("local stop").ended(0);
    let stopped = project.run("deploy --local --region us-east-1");
    for told in [running, stopped] {
        told.ended(1).says("holds region `eu-west-1`, not `us-east-1`").says("leave out `--region`");
    }
    project.run("local reset --yes").ended(0);
    assert_eq!(project.json("local env")["AWS_REGION"], "us-east-1");
    project.run("outputs").ended(1).says("stackgen deploy notes --local");
}

#[test]
fn each_stack_is_looked_for_where_it_was_deployed() {
    let (project, elsewhere) = (Project::with(USERS), Project::with(USERS));
    fs::write(project.path().join("stacks/another.yaml"), USERS).expect("the folder is ours");
    fs::write(project.path().join("stacks/never.yaml"), USERS).expect("the folder is ours");
    let there = elsewhere.json("local env");
    let of = |name: &str| there[name].as_str().expect("it is set");
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"].map(|name| (name, of(name)));
    let endpoint = of("AWS_ENDPOINT_URL");
    project.run("deploy notes --local").ended(0);
    project.run_with(&format!("deploy another --yes --endpoint-url {endpoint}"), &keys).ended(0);
    let listed = project.run_with("list --output json", &keys);
    let listed: Value = serde_json::from_str(&listed.ended(0).stdout).expect("standard output is one document");
    let stacks = listed["stacks"].as_array().expect("it lists");
    let told: Vec<_> = stacks.iter().map(|one| (one["stack"].as_str(), one["status"].as_str())).collect();
    let created = Some("CREATE_COMPLETE");
    assert_eq!(told, [(Some("another"), created), (Some("never"), None), (Some("notes"), created)]);
    assert!(stacks[0]["target"].as_str().is_some_and(|target| target.ends_with(endpoint)), "{listed}");
    assert_ne!(stacks[0]["target"], stacks[2]["target"]);
    project.run_with("list --quiet", &keys).ended(0).says(endpoint);
    assert!(!project.run("list --local --quiet").ended(0).stdout.contains("target"), "there is only one");

    elsewhere.run("local stop").ended(0);
    let listed = project.run_with("list --output json", &keys);
    let listed: Value = serde_json::from_str(&listed.ended(1).stdout).expect("standard output is one document");
    let stacks = listed["stacks"].as_array().expect("it lists");
    let error = stacks[0]["error"]["message"].as_str().unwrap_or_default();
    assert!(error.contains("cannot be reached"), "{listed:#}");
    assert_eq!((&stacks[2]["stack"], stacks[2]["status"].as_str()), (&Value::from("notes"), created), "{listed:#}");
    project
        .run_with("list", &keys)
        .ended(1)
        .says("CREATE_COMPLETE")
        .says("another: `http://")
        .says("cannot be reached");
}

#[test]
fn mistakes_are_refused_before_anything_is_done() {
    let project = Project::with("userPools:\n  Users: { userPoolNam: x }\n");
    project.run("deploy --local").ended(2).says("userPoolNam");
    project.run("check").ended(2).says("stacks/notes.yaml:2");
    assert!(!project.path().join(".stackgen/local").exists(), "the local cloud was not even started");
    project.write(USERS);
    project.run("deploy note --local").ended(2).says("notes");
    project.run("deploy --local --parameter Stage=beta").ended(2).says("Stage");
    project.write(&format!("parameters:\n  Stage: {{ default: live }}\n{USERS}"));
    project.run("deploy --local --parameter Stge=beta").ended(2).says("did you mean `Stage`?");
    project.run("deploy --local --profile dev").ended(2).says("cannot be used with");
    project.run("call GET protected").ended(2).says("begins with a slash");
}

#[test]
fn a_project_without_stacks_is_told() {
    let project = Project::with(USERS);
    fs::remove_file(project.path().join("stacks/notes.yaml")).expect("the file is ours");
    let of_all = ["deploy --local --all", "destroy --local --all"];
    for command in ["synth", "check", "bundle", "access", "diff --local", "deploy --local"].iter().chain(&of_all) {
        project.run(command).ended(2).says("`stacks/` holds no stack");
    }
}

#[test]
fn without_credentials_the_local_cloud_is_named() {
    let project = Project::with(USERS);
    let home = project.path().to_str().expect("the path is plain");
    let none = [
        ("HOME", home),
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_REGION", "us-east-1"),
    ];
    project.run_with("deploy", &none).ended(1).says("there are no AWS credentials here").says("--local");
}

#[test]
fn the_bucket_is_made_when_it_is_needed_and_can_be_removed() {
    let project = Project::with(USERS);
    let made = project.json("bootstrap --local");
    assert_eq!((&made["existed"], &made["owner"]), (&Value::from(false), &Value::from("stackgen")));
    assert_eq!(project.json("bootstrap --local")["existed"], true);
    assert_eq!(project.json("bootstrap --local --destroy")["existed"], true);
    assert_eq!(project.json("bootstrap --local --destroy")["existed"], false);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let project = Project::with(USERS);
    let mut program = Command::new(env!("CARGO_BIN_EXE_stackgen"));
    let program = program.args(["completions", "bash"]).current_dir(project.path());
    let mut running = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    drop(running.stdout.take());
    let output = running.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a token says.
pub(crate) fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.trim().split('.').nth(1).expect("a token has three parts");
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).expect("it is base64");
    serde_json::from_slice(&claims).expect("it is JSON")
}

fn assert_private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(file), 0o600, "{}", file.display());
    assert_eq!(mode(file.parent().expect("it lies in a folder")), 0o700);
}
