//! AWS's own tools drive the embedded cloud, with nothing but what `stackgen local env` prints.

mod data;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::project::{Project, STACK};
use crate::tools::{self, Python, run};

/// The name under which the aws CLI deploys the stack.
const FOREIGN: &str = "foreign";

/// The aws CLI and Python's SDK, as a user of the local cloud runs them.
struct Shell {
    python: Python,
    project: Project,
    environment: Vec<(String, String)>,
}

impl Shell {
    fn new() -> Self {
        let python = tools::python(tools::AWS);
        let project = Project::local();
        let environment = exported(&project);
        Self { python, project, environment }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.python.program(program);
        command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").current_dir(self.project.path());
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_PAGER", "");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the aws CLI; what it prints.
    fn aws(&self, arguments: &[&str]) -> String {
        run(self.command("aws").args(["--output", "json"]).args(arguments))
    }

    /// Runs the aws CLI; the document that it prints.
    fn asked(&self, arguments: &[&str]) -> Value {
        let text = self.aws(arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}"))
    }

    /// Runs the aws CLI, which must fail; what it says.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command("aws").args(arguments).output().expect("the aws CLI runs");
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// A file of the project, for `file://`.
    fn file(&self, name: &str) -> PathBuf {
        self.project.path().join(name)
    }
}

/// The environment as the text that a shell would evaluate.
fn exported(project: &Project) -> Vec<(String, String)> {
    let text = run(&mut project.plain(&["local", "env"]));
    let pair = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    text.lines().map(|line| pair(line).unwrap_or_else(|| panic!("`{line}` sets nothing"))).collect()
}

#[test]
fn the_aws_cli_deploys_and_destroys_with_change_sets_and_waiters() {
    let shell = Shell::new();
    let identity = shell.asked(&["sts", "get-caller-identity"]);
    assert_eq!(identity["Account"], "000000000000");
    let code_key = upload_code(&shell);
    let outputs = deploy(&shell, &code_key);
    let token = sign_in(&shell, &outputs);
    the_route_opens(&outputs["apiUrl"], &token);
    the_function_is_invoked_and_logs(&shell);
    destroy(&shell);
}

/// The function as stackgen has built it, brought to a bucket by the aws CLI. The stack that was deployed for that goes.
fn upload_code(shell: &Shell) -> String {
    shell.project.deploy();
    let assets = fs::read_dir(shell.project.path().join(".stackgen/assets")).expect("the function was built");
    let zips = assets.filter_map(|entry| Some(entry.ok()?.path()));
    let zip = zips.filter(|path| path.extension().is_some_and(|extension| extension == "zip")).last();
    let zip = zip.expect("there is one zip");
    let key = zip.file_name().expect("it has a name").to_string_lossy().into_owned();
    shell.aws(&["s3", "mb", "s3://code"]);
    shell.aws(&["s3", "cp", text(&zip), "s3://code/"]);
    shell.project.destroy();
    key
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

fn deploy(shell: &Shell, code_key: &str) -> Value {
    let template = run(&mut shell.project.plain(&["synth", STACK, "--stdout"]));
    fs::write(shell.file("template.json"), template).expect("the folder is writable");
    let code = format!("ParameterKey=ProtectedCodeKey,ParameterValue={code_key}");
    let of = ["--stack-name", FOREIGN, "--change-set-name", "first"];
    let create = ["cloudformation", "create-change-set", "--change-set-type", "CREATE", "--capabilities"];
    let parameters = ["--parameters", "ParameterKey=AssetBucket,ParameterValue=code", &code];
    let template = ["CAPABILITY_IAM", "--template-body", "file://template.json"];
    let created = shell.asked(&[&create[..], &template, &of, &parameters].concat());
    assert!(created["Id"].as_str().is_some_and(|id| id.contains("changeSet/first/")), "{created}");
    shell.aws(&[&["cloudformation", "wait", "change-set-create-complete"][..], &of].concat());
    let described = shell.asked(&[&["cloudformation", "describe-change-set"][..], &of].concat());
    let count = described["Changes"].as_array().expect("it lists").len();
    assert_eq!(described["ExecutionStatus"], "AVAILABLE");
    shell.aws(&[&["cloudformation", "execute-change-set"][..], &of].concat());
    shell.aws(&["cloudformation", "wait", "stack-create-complete", "--stack-name", FOREIGN]);
    every_resource_was_made(shell, count);
    let stack = &shell.asked(&["cloudformation", "describe-stacks", "--stack-name", FOREIGN])["Stacks"][0];
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE");
    let outputs = stack["Outputs"].as_array().expect("it has outputs").iter();
    let pair =
        |output: &Value| (output["OutputKey"].as_str().unwrap_or_default().to_owned(), output["OutputValue"].clone());
    Value::Object(outputs.map(pair).collect())
}

fn every_resource_was_made(shell: &Shell, count: usize) {
    let events = shell.asked(&["cloudformation", "describe-stack-events", "--stack-name", FOREIGN]);
    let events = events["StackEvents"].as_array().expect("it lists");
    let complete = events.iter().filter(|event| event["ResourceStatus"] == "CREATE_COMPLETE").count();
    assert_eq!(complete, count + 1, "each resource and the stack");
    assert_eq!(events[0]["LogicalResourceId"], FOREIGN, "the newest comes first");
    let first = events.last().expect("there are events");
    assert_eq!(
        (&first["LogicalResourceId"], &first["ResourceStatus"]),
        (&json!(FOREIGN), &json!("REVIEW_IN_PROGRESS"))
    );
}

/// Signs up and in with the aws CLI, then as an administrator; the ID token.
fn sign_in(shell: &Shell, outputs: &Value) -> String {
    let (pool, client) = (output(outputs, "userPoolId"), output(outputs, "userPoolClientId"));
    let (name, password) = ("carol@example.com", "secret");
    let own = ["cognito-idp", "sign-up", "--client-id", client, "--username", name, "--password", password];
    assert_eq!(shell.asked(&own)["UserConfirmed"], false);
    shell.aws(&["cognito-idp", "admin-confirm-sign-up", "--user-pool-id", pool, "--username", name]);
    let user = shell.asked(&["cognito-idp", "admin-get-user", "--user-pool-id", pool, "--username", name]);
    assert_eq!(user["UserStatus"], "CONFIRMED");
    let parameters = format!("USERNAME={name},PASSWORD={password}");
    let asked = ["--client-id", client, "--auth-parameters", &parameters];
    let by_admin =
        ["cognito-idp", "admin-initiate-auth", "--auth-flow", "ADMIN_USER_PASSWORD_AUTH", "--user-pool-id", pool];
    let admin = shell.asked(&[&by_admin[..], &asked].concat());
    assert!(admin["AuthenticationResult"]["RefreshToken"].is_string());
    let by_user = ["cognito-idp", "initiate-auth", "--auth-flow", "USER_PASSWORD_AUTH"];
    let user = shell.asked(&[&by_user[..], &asked].concat());
    let wrong = ["--client-id", client, "--auth-parameters", "USERNAME=carol@example.com,PASSWORD=secreT"];
    assert!(shell.refused(&[&by_user[..], &wrong].concat()).contains("NotAuthorizedException"));
    user["AuthenticationResult"]["IdToken"].as_str().expect("there is one").to_owned()
}

fn output<'a>(outputs: &'a Value, name: &str) -> &'a str {
    outputs[name].as_str().unwrap_or_else(|| panic!("no output `{name}`"))
}

/// The API answers at the address that the stack puts out.
fn the_route_opens(url: &Value, token: &str) {
    let url = format!("{}/protected", url.as_str().expect("it is text"));
    let get = |authorization: Option<String>| {
        let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
        runtime.block_on(async {
            let mut request = reqwest::Client::new().get(&url);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let answer = request.send().await.expect("the API answers");
            (answer.status().as_u16(), answer.json::<Value>().await.expect("it answers with JSON"))
        })
    };
    assert_eq!(get(None), (401, json!({ "message": "Unauthorized" })));
    let (status, body) = get(Some(format!("Bearer {token}")));
    assert_eq!((status, &body["claims"]["email"]), (200, &json!("carol@example.com")));
}

fn the_function_is_invoked_and_logs(shell: &Shell) {
    let (name, group) = (physical_id(shell, "Protected"), physical_id(shell, "ProtectedLogGroup"));
    fs::write(shell.file("event.json"), event().to_string()).expect("the folder is writable");
    let invoke = ["lambda", "invoke", "--function-name", &name, "--payload", "fileb://event.json", "answer.json"];
    let invoked = shell.asked(&invoke);
    assert_eq!((&invoked["StatusCode"], &invoked["FunctionError"]), (&json!(200), &Value::Null));
    let answer = fs::read(shell.file("answer.json")).expect("it was written");
    let answer: Value = serde_json::from_slice(&answer).expect("it is JSON");
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert!(answer["body"].as_str().is_some_and(|body| body.contains("dora")), "{answer}");

    let reports = || {
        let filter = ["logs", "filter-log-events", "--log-group-name", &group, "--filter-pattern", "REPORT"];
        shell.asked(&filter)["events"].as_array().expect("it lists").clone()
    };
    // Lambda writes the log beside the answer.
    let two = (0..20).map(|_| reports()).find(|reports| reports.len() >= 2).expect("both invocations are logged");
    assert!(two[0]["message"].as_str().is_some_and(|line| line.contains("Memory Size: 128 MB")), "{two:?}");
}

fn physical_id(shell: &Shell, logical_id: &str) -> String {
    let of = ["--stack-name", FOREIGN, "--logical-resource-id", logical_id];
    let resource = shell.asked(&[&["cloudformation", "describe-stack-resource"][..], &of].concat());
    resource["StackResourceDetail"]["PhysicalResourceId"].as_str().expect("it has one").to_owned()
}

/// A request of somebody whom an authorizer has vouched for.
fn event() -> Value {
    json!({
        "version": "2.0",
        "routeKey": "GET /protected",
        "rawPath": "/protected",
        "rawQueryString": "",
        "headers": { "host": "api.example.com" },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "authorizer": { "jwt": { "claims": { "sub": "dora" }, "scopes": null } },
            "domainName": "api.example.com",
            "http": { "method": "GET", "path": "/protected", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "t" },
            "requestId": "request",
            "routeKey": "GET /protected",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_i64
        },
        "isBase64Encoded": false
    })
}

fn destroy(shell: &Shell) {
    let id =
        shell.asked(&["cloudformation", "describe-stacks", "--stack-name", FOREIGN])["Stacks"][0]["StackId"].clone();
    let id = id.as_str().expect("it has an ARN");
    shell.aws(&["cloudformation", "delete-stack", "--stack-name", FOREIGN]);
    shell.aws(&["cloudformation", "wait", "stack-delete-complete", "--stack-name", id]);
    let gone = shell.refused(&["cloudformation", "describe-stacks", "--stack-name", FOREIGN]);
    assert!(gone.contains("Stack with id foreign does not exist"), "{gone}");
    let groups = shell.asked(&["logs", "describe-log-groups", "--log-group-name-prefix", "/aws/lambda/foreign"]);
    assert_eq!(groups["logGroups"], json!([]));
    shell.aws(&["s3", "rb", "--force", "s3://code"]);
    assert!(shell.refused(&["s3", "ls", "s3://code"]).contains("NoSuchBucket"));
}

#[test]
fn the_aws_cli_moves_large_files() {
    let shell = Shell::new();
    // Over 8 MB the aws CLI sends parts and asks for ranges.
    let content: Vec<u8> = (0..20_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(shell.file("large"), &content).expect("the folder is writable");
    shell.aws(&["s3", "mb", "s3://files"]);
    shell.aws(&["s3", "cp", "large", "s3://files/some/large"]);
    let listed = shell.aws(&["s3", "ls", "s3://files/some/"]);
    assert!(listed.trim_end().ends_with("20000000 large"), "{listed}");
    assert_eq!(shell.aws(&["s3", "ls", "s3://files"]).trim(), "PRE some/");
    let head = shell.asked(&["s3api", "head-object", "--bucket", "files", "--key", "some/large"]);
    assert!(head["ETag"].as_str().is_some_and(|etag| etag.ends_with("-3\"")), "it came in three parts: {head}");
    shell.aws(&["s3", "cp", "s3://files/some/large", "back"]);
    assert!(fs::read(shell.file("back")).expect("it was written") == content);
    shell.aws(&["s3", "rm", "s3://files/some/large"]);
    shell.aws(&["s3", "rb", "s3://files"]);
    assert_eq!(shell.aws(&["s3", "ls"]).trim(), "");
}

/// pycognito is an independent reading of Cognito's SRP, and of how its tokens are verified.
const SRP: &str = r#"
import boto3, os, requests
from pycognito import Cognito
from pycognito.exceptions import ForceChangePasswordException

idp = boto3.client("cognito-idp")
pool = idp.create_user_pool(PoolName="srp", AutoVerifiedAttributes=["email"])["UserPool"]["Id"]
client = idp.create_user_pool_client(
    UserPoolId=pool, ClientName="web", ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
)["UserPoolClient"]["ClientId"]

idp.admin_create_user(
    UserPoolId=pool, Username="frank", TemporaryPassword="Temporary-1",
    UserAttributes=[{"Name": "email", "Value": "frank@example.com"}],
)
frank = Cognito(pool, client, username="frank")
frank.pool_jwk = requests.get(f"{os.environ['AWS_ENDPOINT_URL']}/{pool}/.well-known/jwks.json", timeout=15).json()
try:
    frank.authenticate(password="Temporary-1")
    raise SystemExit("a temporary password is enough")
except ForceChangePasswordException:
    pass
frank.new_password_challenge("Temporary-1", "Permanent-1")
frank.authenticate(password="Permanent-1")
assert frank.id_claims["email"] == "frank@example.com", frank.id_claims
assert frank.access_claims["username"] == "frank", frank.access_claims
assert idp.get_user(AccessToken=frank.access_token)["Username"] == "frank"
first = frank.access_token
frank.renew_access_token()
assert frank.access_token != first
for wrong in ["permanent-1", ""]:
    try:
        Cognito(pool, client, username="frank").authenticate(password=wrong)
        raise SystemExit("a wrong password is enough")
    except (idp.exceptions.NotAuthorizedException, idp.exceptions.InvalidParameterException):
        pass
users = [user["UserStatus"] for page in idp.get_paginator("list_users").paginate(UserPoolId=pool) for user in page["Users"]]
assert users == ["CONFIRMED"], users
idp.delete_user_pool(UserPoolId=pool)
print("done")
"#;

#[test]
fn pycognito_signs_in_with_srp() {
    let shell = Shell::new();
    assert_eq!(run(shell.command("python").args(["-c", SRP])).trim(), "done");
}
