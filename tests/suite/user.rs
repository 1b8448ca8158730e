//! Users of a pool, and how `call` and every other command find the stage, the account and the password that are meant.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use aws_sdk_cognitoidentityprovider::Client;
use serde_json::{Value, json};

use crate::deploy::{Project, Told, USERS, claims};
use crate::hold::Hold;
use crate::interrupts::{Running, at_a_terminal, endpoint};
use crate::network::stranger;
use crate::project::config;

const ALICE: &str = "alice@example.com";
const PASSWORD: &str = "Correct-Horse-7";

/// A pool whose users sign up by themselves, where somebody has just done so.
async fn signed_up() -> Project {
    let open = USERS.replace("  Users:\n", "  Users:\n    selfSignUp: true\n");
    let project = Project::with(&format!("{open}  client: {{ ref: Web }}\n"));
    project.run("deploy --local").ended(0);
    let client = project.json("outputs --local")["notes"]["client"].as_str().expect("it has an id").to_owned();
    let cognito = Client::new(&config(&project.environment()));
    cognito.sign_up().client_id(client).username(ALICE).password(PASSWORD).send().await.expect("she may sign up");
    let given = [("STACKGEN_PASSWORD", PASSWORD)];
    project.run_with(&format!("token {ALICE}"), &given).ended(1).says("has not been confirmed").says("user confirm");
    project
}

/// Where something is kept of a user of the only pool.
pub(crate) fn kept(project: &Project, what: &str, name: &str) -> PathBuf {
    let pool = project.run("outputs --only pool").ended(0).stdout.trim().to_owned();
    project.path().join(".stackgen").join(what).join("notes").join(pool).join(name)
}

/// Lets the tokens that are kept of a user end.
fn expire(project: &Project, name: &str) {
    let file = kept(project, "tokens", name);
    let text = fs::read_to_string(&file).expect("a token is kept");
    let mut tokens: Value = serde_json::from_str(&text).expect("it is JSON");
    tokens["tokens"]["expires"] = json!(0);
    fs::write(&file, tokens.to_string()).expect("the file is ours");
}

fn can_sign_in(project: &Project) {
    project.run_with(&format!("token {ALICE}"), &[("STACKGEN_PASSWORD", PASSWORD)]).ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_confirms_without_a_code() {
    let project = signed_up().await;
    assert_eq!(project.json(&format!("user confirm {ALICE}")), json!({ "user": ALICE, "confirmed": true }));
    can_sign_in(&project);
    let again = project.run(&format!("user confirm {ALICE}"));
    again.ended(1).says("the pool refuses: User cannot be confirmed").says("was not changed");
    project.run("user confirm bob@example.com").ended(1).says("bob@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_confirmed_by_the_code_that_was_sent() {
    let project = signed_up().await;
    let mail = project.json(&format!("local mail {ALICE}"));
    let body = mail[0]["body"].as_str().expect("a code was sent");
    let code: String = body.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(code.len(), 6, "{body}");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    project.run(&format!("user confirm {ALICE} --code {wrong}")).ended(1).says("code");
    let still = project.run_with(&format!("token {ALICE}"), &[("STACKGEN_PASSWORD", PASSWORD)]);
    still.ended(1).says("has not been confirmed");
    project.run(&format!("user confirm {ALICE} --code {code}")).ended(0).says("is confirmed");
    can_sign_in(&project);
}

#[test]
fn a_user_is_made_with_groups_and_attributes() {
    let project = Project::with(&USERS.replace("    removal", "    groups: { admins: {}, authors: {} }\n    removal"));
    project.run("deploy --local").ended(0);
    let made = "--group admins --group authors --attribute given_name=Alice --attribute locale=de";
    project.json(&format!("user create {ALICE} {made}"));
    let claims = claims(&project.run(&format!("token {ALICE}")).ended(0).stdout);
    let mut groups: Vec<&str> =
        claims["cognito:groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    groups.sort_unstable();
    assert_eq!(groups, ["admins", "authors"]);
    assert_eq!((&claims["given_name"], &claims["locale"]), (&json!("Alice"), &json!("de")));
    let listed = project.json("user list");
    assert_eq!(listed["users"][0]["attributes"]["given_name"], "Alice", "{listed}");

    project.run("user create bob@example.com --group nobody").ended(1).says("Group not found");
    project.run("user create bob@example.com --attribute custom:team=blue").ended(1).says("custom:team");
    project.run("user create bob@example.com --attribute team").ended(2).says("NAME=VALUE");
    assert_eq!(project.json("user list")["users"].as_array().map(Vec::len), Some(1), "bob is not left behind");
}

#[test]
fn an_old_token_of_a_client_with_a_secret_is_renewed() {
    let project = Project::with(&USERS.replace("authFlows", "generateSecret: true, authFlows"));
    project.run("deploy --local").ended(0);
    let given = [("STACKGEN_PASSWORD", PASSWORD)];
    project.run_with(&format!("user create {ALICE}"), &given).ended(0);
    let token = format!("token {ALICE}");
    project.run_with(&token, &given).ended(0);
    expire(&project, ALICE);
    let renewed = project.run(&token);
    assert_eq!((renewed.ended(0).stderr.as_str(), &claims(&renewed.stdout)["email"]), ("", &json!(ALICE)));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_token_is_not_renewed_is_told() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    project.run(&format!("user create {ALICE}")).ended(0);
    project.run(&format!("token {ALICE}")).ended(0);
    expire(&project, ALICE);
    let cognito = Client::new(&config(&project.environment()));
    let pool = project.run("outputs --only pool").ended(0).stdout.trim().to_owned();
    let signed_out = cognito.admin_user_global_sign_out().user_pool_id(pool).username(ALICE);
    signed_out.send().await.expect("she may be signed out");
    let again = project.run(&format!("token {ALICE}"));
    again.ended(0).says("is not renewed: `alice@example.com` cannot sign in: Invalid Refresh Token");
}

#[test]
fn a_user_may_be_called_anything() {
    let project = Project::with(&USERS.replace("    usernameAttributes: [email]\n", ""));
    project.run("deploy --local").ended(0);
    for name in ["oauth", "tokens", "zoe"] {
        project.run(&format!("user create {name}")).ended(0);
        project.run(&format!("token {name}")).ended(0);
    }
}

#[test]
fn a_user_whose_password_cannot_be_kept_is_not_left_behind() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    fs::write(project.path().join(".stackgen/passwords"), "in the way").expect("the folder is ours");
    project.run(&format!("user create {ALICE}")).ended(1).says("cannot be written");
    project.run("user list").ended(0).says("there are no users yet");

    let hold = Hold::before(&endpoint(&project), "AdminDeleteUser");
    let creating = Running::behind(&hold, &project, &format!("user create {ALICE}"));
    hold.wait();
    project.run("local stop").ended(0);
    hold.release();
    let told = creating.ended();
    told.ended(1).says("cannot be written").says("a user whose password nobody knows stays").says("cannot be reached");
}

#[test]
fn what_is_kept_goes_with_a_user_by_whatever_name() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    project.run(&format!("user create {ALICE}")).ended(0);
    project.run(&format!("token {ALICE}")).ended(0);
    let own = project.json("user list")["users"][0]["name"].as_str().expect("she has a name").to_owned();
    assert_ne!(own, ALICE);
    let files = ["tokens", "passwords"].map(|what| kept(&project, what, ALICE));
    assert!(files.iter().all(|file| file.exists()), "{files:?}");
    project.run(&format!("user delete {own}")).ended(0);
    assert!(!files.iter().any(|file| file.exists()), "{files:?}");
}

#[test]
fn what_is_destroyed_elsewhere_forgets_nobody_here() {
    let (project, elsewhere) = (Project::with(USERS), Project::with(USERS));
    project.run("deploy --local").ended(0);
    project.run(&format!("user create {ALICE}")).ended(0);
    let password = kept(&project, "passwords", ALICE);
    let there = elsewhere.environment();
    let there: Vec<(&str, &str)> = there.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for told in ["nothing to destroy", "is destroyed"] {
        project.run_with("destroy notes --yes", &there).ended(0).says(told);
        assert!(password.exists(), "{told}");
        project.run(&format!("token {ALICE}")).ended(0);
        elsewhere.run("deploy --local").ended(0);
    }
    project.run("destroy --local").ended(0);
    assert!(!password.exists(), "it goes with the pool");
    assert!(!fs::read_to_string(project.path().join(".stackgen/deployed.json")).expect("it is kept").contains("notes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_was_deleted_is_told() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    let pool = project.run("outputs --only pool").ended(0).stdout.trim().to_owned();
    let cognito = Client::new(&config(&project.environment()));
    cognito.delete_user_pool().user_pool_id(&pool).send().await.expect("it goes");
    for command in ["user list", "token alice@example.com", "user delete alice@example.com"] {
        let told = project.run_with(command, &[("STACKGEN_PASSWORD", PASSWORD)]);
        told.ended(1).says(&format!("User pool {pool} does not exist")).says("`stackgen destroy notes --local`");
    }
}

#[test]
fn a_password_is_text() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    let create = format!("user create {ALICE}");
    let mut program = project.command(&create);
    let output = program.env("STACKGEN_PASSWORD", OsStr::from_bytes(b"Correct-Horse-7\xff")).output();
    Told::of(&output.expect("the program runs")).ended(2).says("`STACKGEN_PASSWORD` is not UTF-8");
    project.run("user list").ended(0).says("there are no users yet");
    fs::write(project.path().join("marked"), format!("\u{feff}{PASSWORD}\r\n")).expect("the folder is ours");
    project.run(&format!("{create} --password-file marked")).ended(0);
    can_sign_in(&project);
}

#[test]
fn a_password_that_nobody_has_given_is_asked_for() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    project.run_with(&format!("user create {ALICE}"), &[("STACKGEN_PASSWORD", PASSWORD)]).ended(0);
    let token = format!("token {ALICE}");
    project.run(&token).ended(2).says("STACKGEN_PASSWORD");
    let question = "Password of alice@example.com";
    at_a_terminal(&project, &token, &[(question, "wrong-Password-1\r")]).ended(1).says("cannot sign in");
    at_a_terminal(&project, &token, &[(question, "Correct-Horse-7\r")]).ended(0).says("eyJ");
}

#[test]
fn the_next_command_names_its_stack_where_there_are_several() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    let given = [("STACKGEN_PASSWORD", PASSWORD)];
    let next = |user: &str, flag: &str| {
        let told = project.run_with(&format!("user create {user}{flag}"), &given);
        told.ended(0).stdout.lines().last().expect("there is one").trim().to_owned()
    };
    assert_eq!(next(ALICE, ""), format!("stackgen token {ALICE}"));
    fs::write(project.path().join("stacks/others.yaml"), USERS).expect("the folder is ours");
    let command = next("bob@example.com", " --stack notes --pool Users");
    assert_eq!(command, "stackgen token bob@example.com --stack notes --pool Users");
    project.run_with(command.trim_start_matches("stackgen "), &given).ended(0).says("eyJ");
    let again = project.run_with("user create bob@example.com --stack notes --pool Users", &given);
    again.ended(1).says(&format!("`{command}`"));
}

/// An API of two stages, each of which answers with its own word.
const STAGES: &str = "\
restApis:
  Api:
    routes:
      GET /stage: { mock: { body: $stageVariables.word, contentType: text/plain }, public: true }
    stages: { blue: { variables: { word: azure } }, red: { variables: { word: scarlet } } }
    cloudWatchRole: destroy
";

#[test]
fn a_call_goes_to_the_stage_that_is_named() {
    let project = Project::with(STAGES);
    project.run("deploy --local").ended(0);
    for (stage, word) in [("blue", "azure"), ("red", "scarlet")] {
        let told = project.run(&format!("call GET /stage --stage {stage}"));
        assert_eq!(told.ended(0).stdout.lines().last(), Some(word));
    }
    project.run("call GET /stage").ended(2).says("has several stages: `blue`, `red`").says("--stage");
    project.run("call GET /stage --stage green").ended(2).says("has no stage `green`").says("`blue`, `red`");
    project.run("call GET /stage --stage red --api Other").ended(2).says("has no API `Other`").says("`Api`");
    project.run("call G/T /stage --stage red").ended(2).says("method `G/T` cannot be sent");
    project.run("call GET /stage --stage red -H (:c").ended(2).says("header `(` cannot be sent");
}

/// AWS's own files, of which a profile names the local cloud.
struct Files {
    project: Project,
    environment: Vec<(&'static str, String)>,
}

impl Files {
    /// What `dev` says of the endpoint, the region and the keys, and that nobody else says anything.
    fn new(profile: impl Fn(&str) -> (String, String)) -> Self {
        let project = Project::with(USERS);
        let said = project.environment();
        let variable = |wanted: &str| {
            said.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone()).expect("it is told")
        };
        let (config, credentials) = profile(&variable("AWS_ENDPOINT_URL"));
        let credentials = credentials
            .replace("{id}", &variable("AWS_ACCESS_KEY_ID"))
            .replace("{secret}", &variable("AWS_SECRET_ACCESS_KEY"));
        let file = |name: &str, text: String| {
            let file = project.path().join(name);
            fs::write(&file, text).expect("the folder is ours");
            file.display().to_string()
        };
        let environment = vec![
            ("AWS_CONFIG_FILE", file("config", config)),
            ("AWS_SHARED_CREDENTIALS_FILE", file("credentials", credentials)),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("HOME", project.path().display().to_string()),
        ];
        Self { project, environment }
    }

    fn run(&self, command: &str) -> Told {
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.project.run_with(command, &environment)
    }
}

fn dev(endpoint: &str) -> (String, String) {
    let config = format!("[profile dev]\nregion = us-east-1\nendpoint_url = {endpoint}\n");
    (config, "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n".to_owned())
}

#[test]
fn a_profile_says_where_how_and_as_whom() {
    let files = Files::new(dev);
    files.run("list --region us-east-1").ended(1).says("there are no AWS credentials here");
    files.run("deploy --profile dev --yes").ended(0).says("notes was created");
    files.run("outputs").ended(0).says("us-east-1_");
    files.run("list --profile dev").ended(0).says("CREATE_COMPLETE");
    files.run("list --profile dev --region eu-central-1").ended(1).says("not 'eu-central-1'");
    files.run("destroy --profile dev --yes").ended(0);
    let told = files.run("destroy --profile dev --yes --output json");
    told.ended(0).says("\"export AWS_REGION=us-east-1 AWS_PROFILE=dev AWS_ENDPOINT_URL=http://127.0.0.1:");
}

#[test]
fn the_environments_keys_do_not_stand_in_for_a_named_profiles_and_its_region_does() {
    let mut files = Files::new(dev);
    files.environment.push(("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()));
    files.environment.push(("AWS_SECRET_ACCESS_KEY", "another account's".to_owned()));
    files.run("deploy --profile dev --yes").ended(0).says("notes was created");
    files.run("list --profile nope").ended(1).says("`nope`");
    files.environment.push(("AWS_REGION", "eu-central-1".to_owned()));
    files.run("list --profile dev").ended(1).says("not 'eu-central-1'");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_without_credentials_leaves_them_to_the_container() {
    let mut files = Files::new(|endpoint| (dev(endpoint).0, String::new()));
    let sts = aws_sdk_sts::Client::new(&config(&files.project.environment()));
    let session = sts.get_session_token().send().await.expect("the account may have one").credentials;
    let session = session.expect("it was asked for");
    let keys = json!({
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "Token": session.session_token,
        "Expiration": "2100-01-01T00:00:00Z",
    })
    .to_string();
    let length = keys.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{keys}");
    files.environment.push(("AWS_CONTAINER_CREDENTIALS_FULL_URI", stranger(answer.into_bytes())));
    files.environment.push(("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()));
    files.environment.push(("AWS_SECRET_ACCESS_KEY", "another account's".to_owned()));
    files.run("deploy --profile dev --yes").ended(0).says("notes was created");
    files.run("list --profile nope").ended(1).says("`nope`");
}

#[test]
fn what_is_wrong_with_a_profile_is_told_with_its_name() {
    let files = Files::new(|endpoint| (dev(endpoint).0, "[other]\naws_access_key_id = {id}\n".to_owned()));
    files.run("list --profile production").ended(1).says("production");
    files.run("list --profile dev").ended(1).says("`dev`");
}
