//! What becomes of stacks, of several of them and of those that others use: deployed in part, failed, destroyed, left.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::deploy::{Project, Told, USERS};
use crate::hold::Hold;
use crate::interrupts;
use crate::interrupts::{Running, endpoint};
use crate::project::config;
use crate::tools;

/// A function that needs no cargo.
const FUNCTION: &str = "functions:\n  Hello: { directory: hello }\n";

/// A pool whose id others may take.
const SHARED: &str = "userPools:\n  Users: { removal: destroy }\noutputs:\n  pool: { ref: Users }\n";

/// A parameter that takes a value from another stack.
const TAKER: &str = "resources:\n  Kept:\n    type: AWS::SSM::Parameter\n    properties: { Type: String, Value: { \
                     'Fn::ImportValue': 'a-users:pool' } }\n";

/// The same without it.
const ALONE: &str =
    "resources:\n  Kept:\n    type: AWS::SSM::Parameter\n    properties: { Type: String, Value: alone }\n";

/// A stack that cannot be made.
pub(crate) const BROKEN: &str = "resources:\n  Other:\n    type: AWS::Cognito::UserPoolClient\n    \
                      properties: { UserPoolId: us-east-1_missing }\n";

fn write(project: &Project, stack: &str, text: &str) {
    fs::write(project.path().join(format!("stacks/{stack}.yaml")), text).expect("the folder is ours");
}

/// The document on standard output, whatever came of the command.
fn document(told: &Told) -> Value {
    serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", told.stdout, told.stderr))
}

/// What is said and done about an error in a document.
fn error(document: &Value) -> String {
    document["error"]["message"].as_str().unwrap_or_default().to_owned()
        + " | "
        + document["error"]["help"].as_str().unwrap_or_default()
}

fn s3(project: &Project) -> aws_sdk_s3::Client {
    let config = config(&project.environment());
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build())
}

async fn put(s3: &aws_sdk_s3::Client, bucket: &str, key: &str) {
    let body = ByteStream::from_static(b"content");
    s3.put_object().bucket(bucket).key(key).body(body).send().await.expect("the bucket takes it");
}

async fn keys(s3: &aws_sdk_s3::Client, bucket: &str) -> Vec<String> {
    let listed = s3.list_object_versions().bucket(bucket).send().await.expect("the bucket is there");
    listed.versions().iter().filter_map(|version| version.key()).map(str::to_owned).collect()
}

fn with_function() -> Project {
    let project = Project::with(FUNCTION);
    project.put_program("hello", "#!/bin/sh\n");
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn code_and_templates_of_a_stack_go_with_it_and_those_of_others_stay() {
    let project = with_function();
    project.run("deploy --local").ended(0);
    let bucket = project.json("bootstrap --local")["bucket"].as_str().expect("it has a name").to_owned();
    let s3 = s3(&project);
    assert!(keys(&s3, &bucket).await.iter().any(|key| key.starts_with("code/notes/")), "the code is there");
    for key in ["code/notes-admin/a.zip", "templates/notes/a.json", "templates/notes/a.json"] {
        put(&s3, &bucket, key).await;
    }
    assert_eq!(project.json("destroy --local")["stacks"][0]["left"], json!([]));
    assert_eq!(keys(&s3, &bucket).await, ["code/notes-admin/a.zip"]);
    project.run("deploy --local").ended(0).says("notes was created");

    let toolkit = "resources:\n  Files: { type: AWS::S3::Bucket }\noutputs:\n  BucketName: { ref: Files }\n";
    write(&project, "CDKToolkit", toolkit);
    project.run("deploy --local CDKToolkit").ended(0);
    project.run("destroy --local notes").ended(0).says("nothing is left");
    assert_eq!(keys(&s3, &bucket).await, ["code/notes-admin/a.zip"], "what goes through another bucket now");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_into_the_bucket_while_a_stack_goes_stays() {
    let project = with_function();
    project.run("deploy --local").ended(0);
    let bucket = project.json("bootstrap --local")["bucket"].as_str().expect("it has a name").to_owned();
    let s3 = s3(&project);
    let code = keys(&s3, &bucket).await;
    let hold = Hold::before(&endpoint(&project), "Action=DeleteStack");
    let destroying = Running::through(&hold, &project, "destroy");
    hold.wait();
    // Somebody who makes the stack anew uploads the same code.
    for key in &code {
        put(&s3, &bucket, key).await;
    }
    hold.release();
    destroying.ended().ended(0).says("nothing is left");
    assert_eq!((keys(&s3, &bucket).await, code.len()), (code, 1));
}

/// Resources that stay, each of them hard to remove.
const STUBBORN: &str = "\
resources:
  Users:
    type: AWS::Cognito::UserPool
    properties: { DeletionProtection: ACTIVE }
    deletionPolicy: Retain
  Writers:
    type: AWS::Cognito::UserPoolGroup
    properties: { GroupName: writers, UserPoolId: { Ref: Users } }
    deletionPolicy: Retain
  Web:
    type: AWS::Cognito::UserPoolClient
    properties: { UserPoolId: { Fn::GetAtt: [Users, UserPoolId] } }
    deletionPolicy: Retain
  Table:
    type: AWS::DynamoDB::Table
    properties:
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: 'true'
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
    deletionPolicy: Retain
  Role:
    type: AWS::IAM::Role
    properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Action: 'sts:AssumeRole', Principal: { Service: lambda.amazonaws.com } }]
      ManagedPolicyArns: [arn:aws:iam::aws:policy/ReadOnlyAccess]
      Policies:
        - PolicyName: read
          PolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: Allow, Action: 's3:GetObject', Resource: '*' }] }
    deletionPolicy: Retain
  Value:
    type: AWS::SSM::Parameter
    properties: { Type: String, Value: v }
    deletionPolicy: Retain
  Files:
    type: AWS::S3::Bucket
    properties: { VersioningConfiguration: { Status: Enabled } }
    deletionPolicy: Retain
";

/// Runs a command in a shell that knows the aws CLI and nothing else of the account.
fn shell(project: &Project, command: &str) {
    let python = tools::python(tools::AWS);
    let mut shell = Command::new("sh");
    let aws = python.program("aws").get_program().to_owned();
    let folder = std::path::Path::new(&aws).parent().expect("it lies in a folder").to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    shell.args(["-c", command]).env("PATH", path).env("AWS_PAGER", "").env("AWS_CONFIG_FILE", "/dev/null");
    tools::run(shell.envs(project.environment()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_removes_what_is_left() {
    let project = Project::with(STUBBORN);
    project.run("deploy --local").ended(0);
    let bucket = project.json("bootstrap --local")["bucket"].as_str().expect("it has a name").to_owned();
    let destroyed = project.json("destroy --local");
    let left = destroyed["stacks"][0]["left"].as_array().expect("it is a list").clone();
    assert_eq!(left.len(), 7, "{left:#?}");
    let s3 = s3(&project);
    let mut files = left.iter().filter_map(|left| left["command"].as_str()?.split_once(" s3://")).map(|(_, name)| name);
    put(&s3, files.next_back().expect("the bucket is left"), "kept").await;
    put(&s3, &bucket, "code/notes/a.zip").await;
    let again = project.json("destroy --local");
    let stored = &again["stacks"][0]["left"];
    assert_eq!(stored[0]["what"], format!("1 version below `code/notes/` in bucket `{bucket}`"), "{stored:#}");
    for left in left.iter().chain(stored.as_array().expect("it is a list")) {
        shell(&project, left["command"].as_str().expect("there is one"));
    }
    assert_eq!(project.json("destroy --local")["stacks"][0]["left"], json!([]));
    assert_eq!(keys(&s3, &bucket).await, [""; 0]);
    let buckets = s3.list_buckets().send().await.expect("they are listed");
    let names: Vec<_> = buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, [&bucket], "the one that was left is removed");
}

#[test]
fn what_was_deployed_is_told_beside_what_failed() {
    let project = Project::with(USERS);
    fs::remove_file(project.path().join("stacks/notes.yaml")).expect("it is ours");
    for (stack, text) in [("a", USERS), ("b", BROKEN), ("c", USERS)] {
        write(&project, stack, text);
    }
    let outputs = project.path().join("outputs.json");
    fs::write(&outputs, r#"{ "a": { "pool": "old" }, "c": { "pool": "kept" } }"#).expect("the folder is ours");
    let told = project.run("deploy --local --all --outputs-file outputs.json --output json");
    let document = document(told.ended(1));
    assert_eq!((&document["stacks"][0]["stack"], &document["stacks"][0]["result"]), (&json!("a"), &json!("created")));
    let error = error(&document);
    assert!(
        error.contains("stack `b` was not deployed") && error.contains("`a` is deployed; not tried: `c`"),
        "{error}"
    );
    let written: Value = serde_json::from_slice(&fs::read(&outputs).expect("they are written")).expect("they are JSON");
    assert_eq!(written["a"], document["stacks"][0]["outputs"]);
    assert_eq!(written["c"]["pool"], "kept", "what another stack has given holds still");
    project.run("deploy --local --all").ended(1).says("a is deployed as it is").says("not tried: `c`");
}

#[test]
fn a_file_for_the_answer_is_tried_before_anything_is_done() {
    let project = Project::with(USERS);
    let commands =
        ["deploy --outputs-file", "outputs --outputs-file", "call POST /orders --body-file", "verify --junit"];
    for (command, file) in commands.iter().flat_map(|command| [(command, "nope/answer"), (command, "stacks")]) {
        let told = project.run(&format!("{command} {file} --local"));
        told.ended(2).says(file).says("cannot be written").says("nothing was done");
    }
    assert!(!project.path().join(".stackgen/local").exists(), "the local cloud was not even started");
    project.run("deploy --local --outputs-file /dev/null").ended(0);
}

#[test]
fn a_stack_in_use_is_told_with_the_stacks_to_destroy_as_well() {
    let project = Project::with(TAKER);
    write(&project, "a-users", SHARED);
    write(&project, "b", ALONE);
    project.run("deploy --local --all").ended(0);
    let told = project.run("destroy --local a-users b --output json");
    let document = document(told.ended(1));
    assert_eq!(document["stacks"][0]["stack"], "b", "{document:#}");
    let error = error(&document);
    for words in ["`a-users` is used by others", "`stackgen destroy notes a-users --local`", "`b` is destroyed"] {
        assert!(error.contains(words), "`{words}` is not in {error}");
    }
}

#[test]
fn a_stack_that_takes_from_one_that_is_not_deployed_is_refused_first() {
    let project = Project::with(TAKER);
    write(&project, "a-users", "userPools:\n  Users: { removal: destroy }\n");
    let told = project.run("deploy --local notes");
    told.ended(2).says("takes `a-users:pool` from stack `a-users`, which is not deployed");
    told.says("stackgen deploy a-users notes --local");
    project.run("deploy --local a-users").ended(0);
    project.run("deploy --local notes").ended(2).says("does not export it");
    assert_eq!(project.json("list --local")["stacks"][1]["status"], Value::Null, "nothing was tried");
    write(&project, "a-users", SHARED);
    project.run("deploy --local a-users notes").ended(0);
}

#[test]
fn a_value_is_given_up_by_its_taker_before_its_giver() {
    let project = Project::with(TAKER);
    write(&project, "a-users", SHARED);
    project.run("deploy --local --all").ended(0);
    project.write(ALONE);
    write(&project, "a-users", "userPools:\n  Users: { removal: destroy }\n");
    let deployed = project.json("deploy --local --all");
    let names: Vec<_> = (0..2).filter_map(|at| deployed["stacks"][at]["stack"].as_str()).collect();
    assert_eq!(names, ["notes", "a-users"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_stuck_is_told_with_commands_for_the_same_target() {
    let bucket = |name: &str| {
        format!("  {name}: {{ type: AWS::S3::Bucket, properties: {{ BucketName: {} }} }}\n", name.to_lowercase())
    };
    let project = Project::with(&format!("resources:\n{}{}", bucket("Files"), bucket("More")));
    project.run("deploy --local").ended(0);
    let s3 = s3(&project);
    for name in ["files", "more"] {
        put(&s3, name, "a").await;
    }
    let told = project.run("destroy --local --output json");
    told.ended(1).says("`Files` goes: CloudFormation removes it only when it is empty");
    let error = error(&document(&told));
    let left_behind =
        "`eval \"$(stackgen local env)\"; aws cloudformation delete-stack --stack-name notes --retain-resources ";
    let ids = error.split(left_behind).nth(1).and_then(|rest| rest.split('`').next()).unwrap_or_default();
    let ids: BTreeSet<&str> = ids.split(' ').collect();
    assert_eq!(ids, BTreeSet::from(["Files", "More"]), "{error}");

    project.run("diff --local").ended(0).says("could not be deleted earlier").says("stackgen destroy notes --local");
    let told = project.run("diff --local");
    assert!(!told.stdout.contains("deployed as it is"), "{}", told.stdout);
    project.run("deploy --local --quiet").ended(2).says("stackgen destroy notes --local");
}

#[test]
fn a_change_of_outputs_alone_is_a_change() {
    let project = Project::with(USERS);
    project.run("deploy --local").ended(0);
    project.write(&format!("{USERS}  client: {{ ref: Web }}\n"));
    project.run("diff --local").ended(0).says("other changes").says("notes:client");
    let diff = project.json("diff --local");
    let added = json!([{ "action": "added", "kind": "output", "name": "client", "export": "notes:client" }]);
    assert_eq!(diff["stacks"][0]["others"], added);
    let told = project.run("deploy --local --output json");
    told.ended(0).says("1 change of notes").says("notes:client");
    assert_eq!(document(&told)["stacks"][0]["otherChanges"], added);

    project.write(&format!("tags: {{ team: a }}\n{USERS}  client: {{ ref: Web }}\n"));
    assert_eq!(project.json("diff --local")["stacks"][0]["others"][0]["kind"], "tag");
}

#[test]
fn a_parameter_without_a_value_is_told_before_anything_is_built() {
    let text = "parameters:\n  Stage: { type: String, allowedValues: [beta, live] }\n";
    let project = Project::with(&format!("{text}{USERS}"));
    let told = project.run("deploy --local");
    told.ended(2).says("needs values for parameters: `Stage`").says("`--parameter Stage=VALUE`").says("notes.yaml:2:3");
    assert_eq!(project.json("list --local")["stacks"][0]["status"], Value::Null);
    project.run("deploy --local --parameter Stage=alpha").ended(1).says("--parameter NAME=VALUE");
    project.run("deploy --local --parameter Stage=beta").ended(0);
    project.run("deploy --local").ended(0).says("nothing to change");

    let changed = json!([{ "action": "changed", "kind": "value", "name": "Stage" }]);
    let diff = project.json("diff --local --parameter Stage=live");
    assert_eq!(diff["stacks"][0]["others"], changed, "{diff:#}");
    project.run("diff --local --parameter Stage=live").ended(0).says("other changes").says("Stage");
    project.run("diff --local --parameter Stage=beta").ended(0).says("nothing changes");
}

#[test]
fn who_loses_sight_of_an_operation_is_told_what_goes_on() {
    let gate = "resources:\n  Handle: { type: AWS::CloudFormation::WaitConditionHandle }\n  Gate:\n    \
                type: AWS::CloudFormation::WaitCondition\n    properties: { Handle: { Ref: Handle }, Timeout: '600' }\n";
    let project = Project::with(gate);
    project.run("local env").ended(0);
    std::thread::scope(|scope| {
        let deploying = scope.spawn(|| project.run("deploy --local"));
        interrupts::wait_for(&project, "CREATE_IN_PROGRESS");
        project.run("local stop").ended(0);
        let told = deploying.join().expect("it ends");
        told.ended(1).says("CloudFormation goes on by itself with stack `notes`").says("stackgen list --local");
    });
}
