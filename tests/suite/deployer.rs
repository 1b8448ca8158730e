//! The policy of `bootstrap --policy` is enough for each of the project's stacks, and no statement of it is too much.
//!
//! CloudFormation acts with the rights of its caller, and the embedded cloud's asks for each of them. ministack decides
//! the same questions with its own evaluator; a running one, with `AUTH=true`, asks by itself for what the program calls, and
//! in the tests for what CloudFormation does.

mod judge;
mod role;
mod schemas;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use serde_json::{Value, json};

use crate::e2e::remains::iam;
use crate::project::{self, Project, STACK, Told, succeeded, told};
use crate::tools::{AWS, Ministack, python, run};

/// A stack, and where a deployer of it is tried.
struct Ground {
    project: Project,
    /// How the account itself reaches it.
    root: Vec<(String, String)>,
    /// How the deployer does.
    deployer: Vec<(String, String)>,
    /// Parameters of the stack.
    options: &'static [&'static str],
    /// The stack file as it is, with code that nobody has to build.
    text: String,
    /// The bucket for code.
    bucket: String,
    emulator: Option<Ministack>,
}

/// The name of the user that deploys.
const DEPLOYER: &str = "deployer";

/// What a deployer did not come through.
#[derive(Debug)]
struct Refused {
    during: &'static str,
    message: String,
}

/// Sets the stage as the account itself: with a deployer that may do nothing yet, and prints its key.
const STAGE: &str = r#"
import boto3, json, sys
bucket, secret = sys.argv[1:]
iam = boto3.client("iam")
iam.create_user(UserName="deployer")
key = iam.create_access_key(UserName="deployer")["AccessKey"]
if bucket:
    boto3.client("s3").delete_bucket_policy(Bucket=bucket)
if secret:
    boto3.client("secretsmanager").create_secret(Name=secret, SecretString='{"clientSecret":"hush"}')
print(json.dumps({"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}))
"#;

impl Ground {
    fn embedded(stack: &'static str, options: &'static [&'static str]) -> Self {
        let project = Project::local_with(stack);
        let (name, filter) = judge::LOG;
        let bootstrap = project.targeted(&["bootstrap", "--yes"]).env(name, filter).output().expect("the program runs");
        succeeded(told(&bootstrap));
        let root = project.local_environment();
        Self::new(project, root, options, None)
    }

    fn ministack(stack: &'static str, emulator: Ministack) -> Self {
        let project = Project::at(stack, &emulator);
        let root = emulator.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self::new(project, root, &[], Some(emulator))
    }

    fn new(
        project: Project,
        root: Vec<(String, String)>,
        options: &'static [&'static str],
        emulator: Option<Ministack>,
    ) -> Self {
        let text = fs::read_to_string(project.stack_file()).expect("it is there");
        let (text, bucket, deployer) = (without_crates(&text), String::new(), Vec::new());
        let mut ground = Self { text, bucket, deployer, project, root, options, emulator };
        fs::create_dir(ground.project.path().join("code")).expect("the folder is ours");
        ground.write(0, "");
        let bootstrap = ground.project.targeted(&["bootstrap", "--yes"]).output().expect("the program runs");
        let bucket = succeeded(told(&bootstrap)).answer["bucket"].as_str().expect("there is one").to_owned();
        // The bucket's policy refuses what comes without TLS, which ministack sees and the embedded cloud overlooks.
        let open = if ground.emulator.is_some() { bucket.as_str() } else { "" };
        let secret = if ground.project.stack() == "federated" { "federated/google" } else { "" };
        let key: Value = serde_json::from_str(&ground.as_root(STAGE, &[open, secret])).expect("it is a document");
        let kept = ground.root.iter().filter(|(name, _)| !name.starts_with("AWS_SE") && name != "AWS_ACCESS_KEY_ID");
        let mut deployer: Vec<(String, String)> = kept.cloned().collect();
        for (name, member) in [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")] {
            deployer.push((name.to_owned(), key[member].as_str().expect("it is text").to_owned()));
        }
        (ground.deployer, ground.bucket) = (deployer, bucket);
        ground
    }

    /// Puts the stack and its code there, each as it is the `number`th time.
    fn write(&self, number: u32, more: &str) {
        let bootstrap = self.project.path().join("code/bootstrap");
        fs::write(&bootstrap, format!("#!/bin/sh\n# {number}\n")).expect("the folder is ours");
        fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        fs::write(self.project.stack_file(), format!("{}{more}", self.text)).expect("the file is ours");
    }

    fn as_root(&self, script: &str, arguments: &[&str]) -> String {
        scripted(script, arguments, &self.root)
    }

    /// The documents of the policy.
    fn policy(&self) -> Vec<Value> {
        let printed = succeeded(self.told_policy(self.options));
        printed.answer["policies"].as_array().expect("it is a list").clone()
    }

    fn told_policy(&self, options: &[&str]) -> Told {
        let mut command = self.project.targeted(&["bootstrap", "--policy", self.project.stack()]);
        told(&command.args(options).output().expect("the program runs"))
    }

    fn grant(&self, documents: &[Value]) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        runtime.block_on(granted(&project::config(&self.root), documents));
    }

    /// What a command comes to for the deployer.
    fn as_deployer(&self, during: &'static str, command: &str) -> Result<(), Refused> {
        let options = if command == "deploy" { self.options } else { &[] };
        let mut program = self.project.command(&[command, self.project.stack(), "--yes"]);
        program.args(options).envs(self.deployer.iter().map(|(name, value)| (name, value)));
        let Told { code, answer, said } = told(&program.output().expect("the program runs"));
        let message = answer["error"]["message"].as_str().map_or(said, str::to_owned);
        if (command, code) == ("destroy", Some(0)) {
            let left = answer["stacks"][0]["left"].as_array().expect("it says what is left");
            assert!(!json!(left).to_string().contains("in bucket"), "{}: {left:?}", self.project.stack());
        }
        if code == Some(0) { Ok(()) } else { Err(Refused { during, message }) }
    }

    /// Makes, changes and removes the stack, with code that the bucket does not hold yet.
    fn lives(&self, number: u32) -> Result<(), Refused> {
        self.write(2 * number, "");
        self.as_deployer("creation", "deploy")?;
        self.write(2 * number + 1, "\ntags: { changed: \"yes\" }\n");
        self.as_deployer("update", "deploy")?;
        self.as_deployer("removal", "destroy")
    }

    /// The account as it is; nothing of ministack, which cannot be asked for it. The embedded cloud is stopped.
    fn account(&self) -> Option<Vec<u8>> {
        self.emulator.is_none().then(|| {
            self.project.done(&["local", "stop"]);
            fs::read(self.state()).expect("it is kept there")
        })
    }

    /// Makes the account what it was, or removes what a deployer had to leave in it. Every operation takes longer the more
    /// there have been before.
    fn reset(&mut self, account: Option<&[u8]>) {
        let Some(account) = account else {
            self.project.destroy();
            return;
        };
        self.project.done(&["local", "stop"]);
        fs::write(self.state(), account).expect("the folder is ours");
        // It may answer on another port now.
        let told = self.project.local_environment();
        let endpoint = told.into_iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").expect("it is told");
        for (_, value) in self.root.iter_mut().chain(&mut self.deployer).filter(|(name, _)| *name == endpoint.0) {
            value.clone_from(&endpoint.1);
        }
    }

    fn state(&self) -> PathBuf {
        self.project.path().join(".stackgen/local/account.json")
    }

    /// Holds the policy to be enough.
    fn suffices(&self, policy: &[Value]) {
        self.grant(policy);
        self.lives(1).unwrap_or_else(|refused| panic!("{}: {refused:?}", self.project.stack()));
    }

    /// Every statement of the policy, and those without which something is refused.
    fn proved(&mut self, policy: &[Value]) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut all, mut proved) = (BTreeSet::new(), BTreeSet::new());
        let account = self.account();
        for (number, sid) in (2..).zip(sids(policy)) {
            self.reset(account.as_deref());
            self.grant(&without(policy, &sid));
            if let Err(Refused { during, message }) = self.lives(number) {
                assert!(is_denial(&message), "without `{sid}`, {during}: {message}");
                proved.insert(sid.clone());
            }
            all.insert(sid);
        }
        let place = if self.emulator.is_some() { "ministack" } else { "the embedded cloud" };
        eprintln!("{} on {place}: {} of {} statements proved", self.project.stack(), proved.len(), all.len());
        (all, proved)
    }

    /// What the embedded cloud asks about a deployer with the policy, and the policies about which another is asked then.
    fn case(&self) -> Case {
        let policy = self.policy();
        self.suffices(&policy);
        let status = self.project.done(&["local", "status"]);
        let questions = judge::questions(Path::new(status["log"].as_str().expect("it has a log")));
        assert!(judge::all_allowed(&questions) && questions.len() > 50, "{}: {questions:#?}", self.project.stack());
        let less = sids(&policy).into_iter().map(|sid| (sid.clone(), without(&policy, &sid)));
        let policies = [("the whole policy".to_owned(), policy.clone())].into_iter().chain(less).collect();
        Case { policies, questions }
    }
}

/// What a judge is asked: the whole policy first, then without each of its statements.
struct Case {
    policies: Vec<(String, Vec<Value>)>,
    questions: Vec<judge::Question>,
}

/// Gives the deployer these policies and no others.
async fn granted(config: &SdkConfig, documents: &[Value]) {
    let user = ("UserName", DEPLOYER);
    let attached = iam(config, &[("Action", "ListAttachedUserPolicies"), user]).await;
    for arn in values(&attached, "PolicyArn") {
        iam(config, &[("Action", "DetachUserPolicy"), user, ("PolicyArn", arn)]).await;
        iam(config, &[("Action", "DeletePolicy"), ("PolicyArn", arn)]).await;
    }
    for (number, document) in documents.iter().enumerate() {
        let (name, document) = (format!("{DEPLOYER}-{number}"), document.to_string());
        let policy = [("Action", "CreatePolicy"), ("PolicyName", &*name), ("PolicyDocument", &*document)];
        let made = iam(config, &policy).await;
        let arn = values(&made, "Arn").next().expect("a policy has one");
        iam(config, &[("Action", "AttachUserPolicy"), user, ("PolicyArn", arn)]).await;
    }
}

/// What elements of this name hold, in an answer of IAM.
fn values<'a>(answer: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let begins = format!("<{name}>");
    let found: Vec<_> = answer.split(&*begins).skip(1).filter_map(|rest| Some(rest.split_once('<')?.0)).collect();
    found.into_iter()
}

/// What a script prints in that environment.
fn scripted(script: &str, arguments: &[&str], environment: &[(String, String)]) -> String {
    let mut program = python(AWS).program("python");
    run(program.args(["-c", script]).args(arguments).envs(environment.iter().map(|(name, value)| (name, value))))
}

/// The stack with code from a folder in the place of crates.
fn without_crates(text: &str) -> String {
    let mut rest = text;
    let mut changed = String::new();
    while let Some((before, after)) = rest.split_once("crate: functions/") {
        let end = after.find(|c: char| ",} \n".contains(c)).unwrap_or(after.len());
        rest = &after[end..];
        if let Some(binary) = rest.strip_prefix(", bin: ") {
            rest = &binary[binary.find([',', ' ', '}']).unwrap_or(binary.len())..];
        }
        changed.push_str(before);
        changed.push_str("directory: code");
    }
    changed + rest
}

fn statements(document: &Value) -> &Vec<Value> {
    document["Statement"].as_array().expect("a document has statements")
}

fn sids(policy: &[Value]) -> Vec<String> {
    let all = policy.iter().flat_map(statements);
    all.map(|statement| statement["Sid"].as_str().expect("each has a name").to_owned()).collect()
}

/// The policy without one of its statements.
fn without(policy: &[Value], sid: &str) -> Vec<Value> {
    let rest = |document: &Value| {
        let kept: Vec<&Value> = statements(document).iter().filter(|statement| statement["Sid"] != sid).collect();
        json!({ "Version": document["Version"], "Statement": kept })
    };
    policy.iter().map(rest).filter(|document| !statements(document).is_empty()).collect()
}

/// Whether it is for want of a right that something failed.
fn is_denial(message: &str) -> bool {
    ["is not authorized to perform", "AWS denies"].iter().any(|words| message.contains(words))
}

/// On the embedded cloud, and by the judgement of ministack on all that the embedded cloud has asked.
#[track_caller]
fn each_statement_is_needed(stack: &'static str, options: &'static [&'static str]) {
    let mut ground = Ground::embedded(stack, options);
    let Case { policies, questions } = ground.case();
    let denied: BTreeSet<String> = judge::denied(&policies, &questions).into_iter().map(str::to_owned).collect();
    let (all, proved) = ground.proved(&policies[0].1);
    assert_eq!(denied, all, "{stack}, by ministack");
    assert_eq!(proved, all, "{stack}, by the embedded cloud");
    eprintln!("{stack}: ministack allowed {} questions, and missed each of {} statements", questions.len(), all.len());
}

#[test]
fn each_statement_for_protected_api_is_needed() {
    each_statement_is_needed(STACK, &[]);
}

#[test]
fn each_statement_for_notes_is_needed() {
    each_statement_is_needed("notes", &[]);
}

#[test]
fn each_statement_for_contact_is_needed() {
    each_statement_is_needed("contact", &[]);
}

#[test]
fn each_statement_for_federated_is_needed() {
    each_statement_is_needed("federated", &["--parameter", "GoogleClientId=google"]);
}

#[test]
fn each_statement_for_chat_is_needed() {
    each_statement_is_needed("chat", &[]);
}

#[test]
fn ministack_deploys_with_the_policy_and_with_no_statement_less() {
    let embedded = Ground::embedded(STACK, &[]);
    let Case { questions, .. } = embedded.case();
    let (ministack, asking) = judge::Asking::start();
    let mut ground = Ground::ministack(STACK, ministack);
    asking.about(&questions, (&embedded.bucket, &ground.bucket));
    let policy = ground.policy();
    ground.suffices(&policy);
    let (all, proved) = ground.proved(&policy);
    assert_eq!(proved, all);
}

const BOUNDARY: &str = "arn:aws:iam::000000000000:policy/bound";

/// Makes the boundary, which allows what the functions do and no more, and another policy.
const BOUND: &str = r#"
import boto3, json
iam = boto3.client("iam")
for name, action in [("bound", "logs:*"), ("other", "*")]:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    iam.create_policy(PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
"#;

/// Tries to make a role of the stack's that can do more, and prints what is denied.
const ESCAPE: &str = r#"
import boto3, botocore, json
iam = boto3.client("iam")
role = {"RoleName": "protected-api-ProtectedRole-X"}
trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:user/deployer"}, "Action": "sts:AssumeRole"}
every = {"Effect": "Allow", "Action": "*", "Resource": "*"}
def document(statement): return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
trust, policy = document(trust), {"PolicyName": "p", "PolicyDocument": document(every)}
policies = "arn:aws:iam::000000000000:policy/"
attempts = {
    "none": lambda: iam.create_role(**role, AssumeRolePolicyDocument=trust),
    "other": lambda: iam.create_role(**role, AssumeRolePolicyDocument=trust, PermissionsBoundary=policies + "other"),
    "bound": lambda: iam.create_role(**role, AssumeRolePolicyDocument=trust, PermissionsBoundary=policies + "bound"),
    "policy": lambda: iam.put_role_policy(**role, **policy),
    "replace": lambda: iam.put_role_permissions_boundary(**role, PermissionsBoundary=policies + "other"),
    "remove": lambda: iam.delete_role_permissions_boundary(**role),
}
denied = []
for name, attempt in attempts.items():
    try:
        attempt()
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
        denied.append(name)
print(json.dumps(denied))
"#;

#[test]
fn with_a_boundary_no_role_is_made_or_changed_without_it() {
    let mut ground = Ground::embedded(STACK, &["--permissions-boundary", BOUNDARY]);
    let refused = ground.told_policy(ground.options);
    let reason =
        format!("role `ProtectedRole` of stack `{STACK}` does not carry the permissions boundary `{BOUNDARY}`");
    assert!(refused.answer.to_string().contains(&reason), "{}\n{}", refused.answer, refused.said);
    ground.as_root(BOUND, &[]);
    let boundary = format!("properties: {{ PermissionsBoundary: \"{BOUNDARY}\" }}");
    ground.text.push_str(&format!("\noverrides:\n  ProtectedRole: {{ {boundary} }}\n"));
    ground.write(0, "");
    let policy = ground.policy();
    ground.options = &[];
    ground.suffices(&policy);
    let denied = scripted(ESCAPE, &[], &ground.deployer);
    assert_eq!(denied.trim(), r#"["none", "other", "replace", "remove"]"#);
}
