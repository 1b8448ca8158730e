//! Function URLs in the local cloud: who gets in, what the function is told, and what `verify` says of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::project::{Project, Told, succeeded, told};
use crate::tools::{AWS, python, run};

/// What calls a URL, signed where there are credentials.
const CALL: &str = r#"
import json, sys, urllib.error, urllib.request
import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

def call(address, credentials=None, headers={}, method="GET"):
    request = AWSRequest(method=method, url=address, headers=dict(headers))
    if credentials:
        SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
    try:
        answer = urllib.request.urlopen(urllib.request.Request(address, method=method, headers=dict(request.headers)))
    except urllib.error.HTTPError as error:
        answer = error
    body = answer.read().decode()
    return {"status": answer.status, "headers": {k.lower(): v for k, v in answer.headers.items()}, "body": body}
"#;

/// Calls a URL unsigned, signed by the account's key and by a key that nobody has; prints status, error and body.
const CALLS: &str = r#"
address = sys.argv[1] + "a%20b?x=1&x=2"
origin = {"Origin": "https://good.example"}
preflight = {**origin, "Access-Control-Request-Method": "GET"}
key = boto3.Session().get_credentials().get_frozen_credentials()
print(json.dumps({
    "unsigned": call(address),
    "signed": call(address, Credentials(key.access_key, key.secret_key, key.token)),
    "wrong": call(address, Credentials("AKIAIOSFODNN7EXAMPLE", "wrong")),
    "shared": call(address, headers=origin),
    "preflight": call(address, headers=preflight, method="OPTIONS"),
    "question": call(sys.argv[1] + "a%3Fb"),
    "escaped": call(sys.argv[1] + "a%252Fb"),
    "broken": call(sys.argv[1] + "a%zz"),
}))
"#;

/// Calls the URLs of a function and of its alias as roles: with no policy, with one of the two actions that a call is,
/// with both, and with none but named by the permissions of the function, then by those of the alias.
const ROLES: &str = r#"
address, alias, function = sys.argv[1:]
iam, sts, client = (boto3.client(name) for name in ("iam", "sts", "lambda"))
account = sts.get_caller_identity()["Account"]
principal = {"AWS": f"arn:aws:iam::{account}:root"}
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]}
url, invoke = "lambda:InvokeFunctionUrl", "lambda:InvokeFunction"

def role(name, *actions):
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    if actions:
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    key = sts.assume_role(RoleArn=made["Arn"], RoleSessionName="session")["Credentials"]
    return made["Arn"], Credentials(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])

def permit(arn, **of):
    client.add_permission(FunctionName=function, StatementId="a", Action=url, Principal=arn, FunctionUrlAuthType="AWS_IAM", **of)
    client.add_permission(FunctionName=function, StatementId="b", Action=invoke, Principal=arn, InvokedViaFunctionUrl=True, **of)

none, one, other, both = (role(f"role-{number}", *actions) for number, actions in enumerate([(), (url,), (invoke,), (url, invoke)]))
named = role("named")
before = call(address, named[1])
permit(named[0])
after, beside = call(address, named[1]), call(alias, named[1])
permit(named[0], Qualifier="live")
told = client.get_function_url_config(FunctionName=function, Qualifier="live")
assert told["FunctionUrl"] == alias and told["FunctionArn"].endswith(":live"), told
print(json.dumps({
    "none": call(address, none[1]), "one": call(address, one[1]), "other": call(address, other[1]),
    "both": call(address, both[1]), "both at the alias": call(alias, both[1]),
    "named before": before, "named": after, "named beside": beside, "named at the alias": call(alias, named[1]),
}))
"#;

/// Gives a function whose file declares none a URL that everybody may call.
const ADD: &str = r#"
import boto3, sys
client = boto3.client("lambda")
name = sys.argv[1]
client.create_function_url_config(FunctionName=name, AuthType="NONE")
client.add_permission(FunctionName=name, StatementId="a", Action="lambda:InvokeFunctionUrl", Principal="*", FunctionUrlAuthType="NONE")
client.add_permission(FunctionName=name, StatementId="b", Action="lambda:InvokeFunction", Principal="*", InvokedViaFunctionUrl=True)
assert [one["AuthType"] for one in client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]] == ["NONE"]
print(client.get_function_url_config(FunctionName=name)["FunctionUrl"])
"#;

/// Takes the second permission away that a URL for everybody needs.
const REVOKE: &str = r#"
import boto3, json, sys
client = boto3.client("lambda")
statements = json.loads(client.get_policy(FunctionName=sys.argv[1])["Policy"])["Statement"]
[second] = [one["Sid"] for one in statements if one["Action"] == "lambda:InvokeFunction"]
client.remove_permission(FunctionName=sys.argv[1], StatementId=second)
"#;

/// A stack with a URL for everybody, one for callers who sign, and a function without any.
fn deployed() -> Project {
    let project = Project::local_with("protected-api");
    let folder = project.path().join("echo");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/bootstrap.py");
    fs::create_dir(&folder).expect("the folder is ours");
    fs::copy(script, folder.join("bootstrap")).expect("the folder is ours");
    fs::set_permissions(folder.join("bootstrap"), fs::Permissions::from_mode(0o755)).expect("the file is ours");
    fs::write(project.stack_file(), include_str!("function_url/stack.yaml")).expect("it is writable");
    project.deploy();
    project
}

fn with_account(project: &Project, script: &str, arguments: &[&str]) -> String {
    let mut program: Command = python(AWS).program("python");
    run(program.args(["-c", script]).args(arguments).envs(project.local_environment()))
}

fn output(project: &Project, name: &str) -> String {
    let outputs = project.done(&["outputs", project.stack()]);
    outputs[project.stack()][name].as_str().unwrap_or_else(|| panic!("{name}: {outputs}")).to_owned()
}

fn calls(project: &Project, name: &str) -> Value {
    let printed = with_account(project, &format!("{CALL}{CALLS}"), &[&output(project, name)]);
    serde_json::from_str(&printed).expect("it prints JSON")
}

fn event(call: &Value) -> Value {
    serde_json::from_str(call["body"].as_str().expect("a body")).expect("the function answers with its event")
}

#[test]
fn a_function_url_lets_in_whom_its_function_lets_in() {
    let project = deployed();
    let open = calls(&project, "open");
    let told = event(&open["unsigned"]);
    assert_eq!(
        (&told["version"], &told["routeKey"], &told["rawPath"]),
        (&"2.0".into(), &"$default".into(), &"/a%20b".into())
    );
    assert_eq!(told["requestContext"]["http"]["path"], "/a b");
    for (called, raw, path) in [("question", "/a%3Fb", "/a?b"), ("escaped", "/a%252Fb", "/a%2Fb")] {
        let told = event(&open[called]);
        assert_eq!((&told["rawPath"], &told["requestContext"]["http"]["path"]), (&raw.into(), &path.into()));
    }
    assert_eq!(open["broken"]["status"], 400);
    assert_eq!(told["queryStringParameters"], serde_json::json!({ "x": "1,2" }));
    assert_eq!(told["requestContext"]["accountId"], "anonymous");
    assert_eq!(told["requestContext"]["stage"], "$default");
    assert_eq!(open["shared"]["headers"]["access-control-allow-origin"], "https://good.example");
    assert_eq!((&open["preflight"]["status"], &open["preflight"]["body"]), (&200.into(), &"".into()));
    assert_eq!(open["preflight"]["headers"]["access-control-allow-methods"], "GET");

    // One of the two permissions is not enough.
    with_account(&project, REVOKE, &[&output(&project, "function")]);
    let refused = &calls(&project, "open")["unsigned"];
    assert_eq!(
        (&refused["status"], &refused["headers"]["x-amzn-errortype"]),
        (&403.into(), &"AccessDeniedException".into())
    );
    let words = "{\"Message\":\"Forbidden. For troubleshooting Function URL authorization issues, see: \
                 https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html\"}";
    assert_eq!(refused["body"], words);

    let signed = calls(&project, "signed");
    for (caller, status) in [("unsigned", 403), ("wrong", 403), ("signed", 200)] {
        assert_eq!(signed[caller]["status"], status, "{caller}: {}", signed[caller]);
    }
    let iam = &event(&signed["signed"])["requestContext"]["authorizer"]["iam"];
    assert!(iam["userArn"].as_str().is_some_and(|arn| arn.ends_with(":root")), "{iam}");
    project.destroy();
}

#[test]
fn a_role_is_let_in_by_its_own_policies_or_by_name() {
    let project = deployed();
    let [signed, alias, function] = ["signed", "alias", "signedFunction"].map(|name| output(&project, name));
    let printed = with_account(&project, &format!("{CALL}{ROLES}"), &[&signed, &alias, &function]);
    let answers: Value = serde_json::from_str(&printed).expect("it prints JSON");
    for (caller, status) in [
        ("none", 403),
        ("one", 403),
        ("other", 403),
        ("both", 200),
        ("both at the alias", 200),
        ("named before", 403),
        ("named", 200),
        ("named beside", 403),
        ("named at the alias", 200),
    ] {
        assert_eq!(answers[caller]["status"], status, "{caller}: {}", answers[caller]);
    }
    let iam = &event(&answers["named"])["requestContext"]["authorizer"]["iam"];
    assert!(iam["userArn"].as_str().is_some_and(|arn| arn.ends_with(":assumed-role/named/session")), "{iam}");
    project.destroy();
}

#[test]
fn verify_calls_function_urls_and_finds_those_that_no_file_declares() {
    let project = deployed();
    let verify =
        || -> Told { told(&project.command(&["verify", project.stack()]).output().expect("the program runs")) };
    let proved = succeeded(verify());
    let tried = proved.answer["tried"].as_array().expect("it lists them");
    let urls = tried.iter().filter(|one| one["route"].as_str().is_some_and(|it| it.starts_with("address of"))).count();
    assert!(urls >= 3, "{}", proved.answer);

    let name = output(&project, "hidden");
    let address = with_account(&project, ADD, &[&name]);
    let found = verify();
    let leaked = found.answer["tried"].as_array().expect("it lists them").iter().find(|one| one["outcome"] == "leaked");
    assert_eq!(found.code, Some(1), "{}", found.answer);
    let url = leaked.and_then(|one| one["url"].as_str()).unwrap_or_else(|| panic!("{}", found.answer));
    assert!(url.starts_with(address.trim().trim_end_matches('/')), "{url}, {address}");
}
