//! What `stackgen deploy` and `destroy` make of CloudFormation's answers: a scripted endpoint answers as AWS was
//! recorded to, and the real program must do what the cases ask of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::process::Output;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

const ARN: &str = "arn:aws:cloudformation:us-east-1:123456789012:stack/notes/11111111-2222-3333-4444-555555555555";
const CHANGE_SET: &str =
    "arn:aws:cloudformation:us-east-1:123456789012:changeSet/c/11111111-2222-3333-4444-555555555555";
const STACK: &str = "userPools:\n  Users:\n    userPoolName: notes\nresources:\n  Topic:\n    type: AWS::SNS::Topic\n";

/// A call that the program made: the action with its parameters.
type Call = BTreeMap<String, String>;

/// What the endpoint answers to one call.
#[derive(Debug, Clone)]
enum Reply {
    /// The inside of the result element.
    Result(String),
    /// An error with its status.
    Error(u16, String, String),
}

/// An endpoint that plays back answers, by action; the last one of an action stays.
#[derive(Debug, Clone, Default)]
struct Script(Arc<Mutex<Played>>);

#[derive(Debug, Default)]
struct Played {
    replies: BTreeMap<String, VecDeque<Reply>>,
    calls: Vec<Call>,
}

impl Script {
    fn on(self, action: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.played(|played| played.replies.insert(action.to_owned(), replies.into_iter().collect()));
        self
    }

    fn played<T>(&self, look: impl FnOnce(&mut Played) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn reply(&self, call: Call) -> Reply {
        self.played(|played| {
            let action = call.get("Action").cloned().unwrap_or_default();
            played.calls.push(call);
            match played.replies.get_mut(&action) {
                Some(replies) if replies.len() > 1 => replies.pop_front(),
                Some(replies) => replies.front().cloned(),
                None => None,
            }
            .unwrap_or(Reply::Result(String::new()))
        })
    }
}

async fn answer(State(script): State<Script>, method: Method, body: String) -> Response {
    if method != Method::POST {
        return StatusCode::OK.into_response();
    }
    let call: Call = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let action = call.get("Action").cloned().unwrap_or_default();
    match script.reply(call) {
        Reply::Result(result) => {
            let xml = format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>");
            ([("content-type", "text/xml")], xml).into_response()
        }
        Reply::Error(status, code, message) => {
            let message = message.replace('<', "&lt;").replace('>', "&gt;");
            let xml = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 </ErrorResponse>"
            );
            let status = StatusCode::from_u16(status).expect("the scripts name real statuses");
            (status, [("content-type", "text/xml")], xml).into_response()
        }
    }
}

/// What came of one run of the program.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    calls: Vec<Call>,
    project: TempDir,
}

impl Run {
    /// The actions that were called, throttled and other repetitions in a row counted once.
    fn actions(&self) -> Vec<&str> {
        let mut actions: Vec<&str> =
            self.calls.iter().filter_map(|call| call.get("Action")).map(String::as_str).collect();
        actions.dedup();
        actions
    }

    fn called(&self, action: &str) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.get("Action").is_some_and(|name| name == action)).collect()
    }

    fn position(&self, action: &str) -> usize {
        let found = self.calls.iter().position(|call| call.get("Action").is_some_and(|name| name == action));
        found.unwrap_or_else(|| panic!("{action} was not called: {:?}\n{}", self.actions(), self.stderr))
    }

    #[track_caller]
    fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}\n{}\n{:?}", self.stdout, self.stderr, self.actions());
        self
    }

    #[track_caller]
    fn says(&self, text: &str) -> &Self {
        // Long lines are wrapped for the reader.
        let told = format!("{} {}", self.stdout, self.stderr);
        let told = told.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ");
        assert!(told.contains(text), "`{text}` is not in:\n{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn never_called(&self, action: &str) -> &Self {
        assert!(self.called(action).is_empty(), "{:?}", self.actions());
        self
    }
}

/// Runs the program in a project with one stack, against a scripted endpoint.
async fn run_with(script: Script, stack: &str, arguments: &[&str]) -> Run {
    let known = script.played(|played| played.replies.contains_key("GetCallerIdentity"));
    let script = if known { script } else { script.on("GetCallerIdentity", [identity()]) };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().fallback(answer).with_state(script.clone());
    let serving: JoinHandle<_> = tokio::spawn(async move { axum::serve(listener, router).await });
    let project = project(stack);
    let output = program(&project, &endpoint, arguments).await;
    serving.abort();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        calls: script.played(|played| std::mem::take(&mut played.calls)),
        project,
    }
}

async fn run(script: Script, arguments: &[&str]) -> Run {
    run_with(script, STACK, arguments).await
}

fn project(stack: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::create_dir(folder.path().join("stacks")).expect("the folder is ours");
    std::fs::write(folder.path().join("stacks/notes.yaml"), stack).expect("the folder is ours");
    folder
}

async fn program(project: &TempDir, endpoint: &str, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_stackgen"));
    program.args(arguments).arg("--endpoint-url").arg(endpoint).arg("--project").arg(project.path());
    program.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    program.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")]);
    program.stdin(std::process::Stdio::null()).output().await.expect("the program runs")
}

/// Who signs, told to the first call.
fn identity() -> Reply {
    result("<Arn>arn:aws:iam::123456789012:root</Arn><UserId>1</UserId><Account>123456789012</Account>")
}

fn result(inside: &str) -> Reply {
    Reply::Result(inside.to_owned())
}

fn refusal(code: &str, message: &str) -> Reply {
    Reply::Error(400, code.to_owned(), message.to_owned())
}

fn missing() -> Reply {
    refusal("ValidationError", "Stack with id notes does not exist")
}

fn throttled() -> Reply {
    let error = expected("CFN-THROTTLE-01", "/error");
    refusal(&text(&error["code"]), &text(&error["message"]))
}

fn stack(status: &str) -> Reply {
    result(&format!(
        "<Stacks><member><StackId>{ARN}</StackId><StackName>notes</StackName><StackStatus>{status}</StackStatus>\
         <CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>"
    ))
}

fn change_set(status: &str, reason: &str) -> Reply {
    result(&format!(
        "<Status>{status}</Status><StatusReason>{reason}</StatusReason><Changes><member><Type>Resource</Type>\
         <ResourceChange><Action>Add</Action><LogicalResourceId>Users</LogicalResourceId>\
         <ResourceType>AWS::Cognito::UserPool</ResourceType></ResourceChange></member></Changes>"
    ))
}

/// Stack events as the API lists them, newest first, from those given oldest first.
fn events(events: &[(&str, &str, &str)]) -> Reply {
    let members = events.iter().enumerate().rev().map(|(number, (id, status, reason))| {
        let (kind, physical) = match *id {
            "notes" => ("AWS::CloudFormation::Stack", ARN),
            "Inner" => ("AWS::CloudFormation::Stack", ""),
            "Topic" => ("AWS::SNS::Topic", ""),
            _ => ("AWS::Cognito::UserPool", ""),
        };
        format!(
            "<member><EventId>e{number}</EventId><StackId>{ARN}</StackId><StackName>notes</StackName>\
             <LogicalResourceId>{id}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
             <ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>\
             <ResourceStatusReason>{reason}</ResourceStatusReason><Timestamp>2026-01-01T00:00:00Z</Timestamp></member>"
        )
    });
    result(&format!("<StackEvents>{}</StackEvents>", members.collect::<String>()))
}

/// What a case says of AWS.
fn expected(id: &str, pointer: &str) -> Value {
    let cases = super::data_file("cfn_cases.json");
    let case = cases["cases"].as_array().into_iter().flatten().find(|case| case["id"] == id);
    let case = case.unwrap_or_else(|| panic!("there is no case {id}"));
    case["expect"].pointer(pointer).unwrap_or_else(|| panic!("{id} has no {pointer}")).clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// A script in which the change set has been made and gets this description.
fn made(script: Script, described: Reply) -> Script {
    script
        .on("CreateChangeSet", [result(&format!("<Id>{CHANGE_SET}</Id><StackId>{ARN}</StackId>"))])
        .on("DescribeChangeSet", [described])
}

/// What DescribeStacks answers to a deployment: the first look is that of the gate, and the next one finds the same.
fn looks(replies: impl IntoIterator<Item = Reply>) -> Vec<Reply> {
    let replies: Vec<Reply> = replies.into_iter().collect();
    replies.first().cloned().into_iter().chain(replies).collect()
}

/// A script of a first deployment that goes through these statuses and has these events.
fn creation(statuses: &[&str], happened: &[(&str, &str, &str)]) -> Script {
    let described = looks(std::iter::once(missing()).chain(statuses.iter().map(|status| stack(status))));
    made(Script::default().on("DescribeStacks", described), change_set("CREATE_COMPLETE", ""))
        .on("DescribeStackEvents", [events(&[]), events(happened)])
}

#[tokio::test]
async fn a_first_deployment_goes_through() {
    let done =
        [("Users", "CREATE_IN_PROGRESS", ""), ("Users", "CREATE_COMPLETE", ""), ("notes", "CREATE_COMPLETE", "")];
    let run = run(creation(&["CREATE_IN_PROGRESS", "CREATE_COMPLETE"], &done), &["deploy", "--yes"]).await;
    run.ended(0).says("notes was created");
    assert_eq!(run.called("CreateChangeSet")[0]["ChangeSetType"], "CREATE");
    assert_eq!(run.called("ExecuteChangeSet").len(), 1);
    assert_eq!(run.stderr.matches("Users AWS::Cognito::UserPool created").count(), 1, "{}", run.stderr);
}

#[tokio::test]
async fn a_change_set_without_changes_is_a_success_and_is_removed() {
    for case in ["CFN-CHANGESET-01", "CFN-CHANGESET-02"] {
        let reason = text(&expected(case, "/describe/StatusReason"));
        let script = Script::default().on("DescribeStacks", [stack("CREATE_COMPLETE")]);
        let run = run(made(script, change_set("FAILED", &reason)), &["deploy", "--yes"]).await;
        run.ended(0).says("nothing to change").never_called("ExecuteChangeSet").never_called("DeleteStack");
        assert_eq!(run.called("DeleteChangeSet").len(), 1, "{case}");
        assert_eq!(run.called("CreateChangeSet")[0]["ChangeSetType"], "UPDATE", "{case}");
    }
}

#[tokio::test]
async fn early_validation_is_told_with_its_findings() {
    let reason = text(&expected("CFN-CHANGESET-28", "/describe/StatusReason"));
    let script = made(Script::default().on("DescribeStacks", [missing()]), change_set("FAILED", &reason)).on(
        "DescribeEvents",
        [result(
            "<OperationEvents><member><EventId>1</EventId><EventType>VALIDATION_ERROR</EventType>\
             <LogicalResourceId>Users</LogicalResourceId><ResourceType>AWS::Cognito::UserPool</ResourceType>\
             <ValidationPath>/Resources/Users/Properties/UserPoolName</ValidationPath>\
             <ValidationStatusReason>it exists already</ValidationStatusReason></member></OperationEvents>",
        )],
    );
    let run = run(script, &["deploy", "--yes"]).await;
    run.ended(1).says("`Users` (AWS::Cognito::UserPool), `UserPoolName`: it exists already");
    run.says("stacks/notes.yaml:").says("nothing was changed").says("run `stackgen deploy notes");
    run.never_called("ExecuteChangeSet");
    assert!(!run.stdout.contains("nothing to change"), "{}", run.stdout);
    assert!(run.position("DeleteStack") > run.position("DeleteChangeSet"), "the empty stack is not left behind");
}

#[tokio::test]
async fn a_taken_name_is_told_apart_from_a_stack_that_is_there() {
    let refused = |message: &str| {
        let script = Script::default().on("DescribeStacks", [missing()]);
        script.on("CreateChangeSet", [refusal("ValidationError", message)])
    };
    let taken = run(refused("[/Resources/Users] my-pool already exists"), &["deploy", "--yes"]).await;
    taken.ended(1).says("Give it another name").says("stacks/notes.yaml:");
    let there = run(refused("Stack [notes] already exists"), &["deploy", "--yes"]).await;
    there.ended(1).says("nothing was changed. Mend it and run `stackgen deploy notes");
}

#[tokio::test]
async fn a_nested_change_set_is_asked_for_the_cause() {
    let root = format!("Nested change set {CHANGE_SET} was not successfully created: Currently in FAILED.");
    let script = Script::default().on("DescribeStacks", [stack("CREATE_COMPLETE")]);
    let script = made(script, change_set("FAILED", &root));
    let script = script.on(
        "DescribeChangeSet",
        [change_set("FAILED", &root), change_set("FAILED", "Template format error: in the nested one")],
    );
    run(script, &["deploy", "--yes"]).await.ended(1).says("Template format error: in the nested one");
}

#[tokio::test]
async fn too_many_change_sets_are_told_as_such() {
    let message = text(&expected("CFN-CHANGESET-30", "/error/message"));
    let code = text(&expected("CFN-CHANGESET-30", "/error/code"));
    let script = Script::default().on("DescribeStacks", [stack("CREATE_COMPLETE")]);
    let script = script.on("CreateChangeSet", [refusal(&code, &message)]);
    run(script, &["deploy", "--yes"]).await.ended(1).says("ChangeSet limit exceeded");
}

#[tokio::test]
async fn a_stack_whose_creation_failed_is_removed_first_after_asking() {
    let rolled_back = || Script::default().on("DescribeStacks", [stack("ROLLBACK_COMPLETE")]);
    let refused = run(rolled_back(), &["deploy"]).await;
    refused.ended(2).says("--yes").never_called("DeleteStack").never_called("CreateChangeSet");

    let statuses = [
        stack("ROLLBACK_COMPLETE"),
        stack("DELETE_IN_PROGRESS"),
        stack("DELETE_COMPLETE"),
        missing(),
        stack("CREATE_COMPLETE"),
    ];
    let script = made(Script::default().on("DescribeStacks", looks(statuses)), change_set("CREATE_COMPLETE", ""));
    let run = run(script, &["deploy", "--yes"]).await;
    run.ended(0).says("notes is in ROLLBACK_COMPLETE").says("must be removed first");
    assert!(run.position("DeleteStack") < run.position("CreateChangeSet"));
    assert_eq!(run.called("CreateChangeSet")[0]["ChangeSetType"], "CREATE");
}

#[tokio::test]
async fn a_stack_in_review_is_removed_without_asking() {
    let statuses = [stack("REVIEW_IN_PROGRESS"), stack("DELETE_COMPLETE"), missing(), stack("CREATE_COMPLETE")];
    let script = made(Script::default().on("DescribeStacks", looks(statuses)), change_set("CREATE_COMPLETE", ""));
    let run = run(script, &["deploy", "--yes"]).await;
    run.ended(0).says("never executed");
    assert!(run.position("DeleteStack") < run.position("CreateChangeSet"));
}

#[tokio::test]
async fn without_consent_nothing_stays_behind() {
    let run = run(creation(&["REVIEW_IN_PROGRESS"], &[]), &["deploy"]).await;
    run.ended(2).says("repeat the command with `--yes`").never_called("ExecuteChangeSet");
    assert!(run.position("DeleteStack") > run.position("DeleteChangeSet"));
}

#[tokio::test]
async fn a_busy_stack_is_waited_for() {
    let statuses = [stack("UPDATE_IN_PROGRESS"), stack("UPDATE_IN_PROGRESS"), stack("UPDATE_COMPLETE")];
    let reason = text(&expected("CFN-CHANGESET-01", "/describe/StatusReason"));
    let script = made(Script::default().on("DescribeStacks", looks(statuses)), change_set("FAILED", &reason));
    let run = run(script, &["deploy", "--yes"]).await;
    run.ended(0).says("notes is busy (UPDATE_IN_PROGRESS)");
    assert!(run.called("DescribeStacks").len() >= 5, "{:?}", run.actions());
}

#[tokio::test]
async fn a_stack_that_can_go_nowhere_is_told_with_the_next_command() {
    for (status, next) in [
        ("UPDATE_ROLLBACK_FAILED", "cloudformation continue-update-rollback --stack-name notes"),
        ("DELETE_FAILED", "stackgen destroy notes --endpoint-url http"),
        ("ROLLBACK_FAILED", "stackgen destroy notes --endpoint-url http"),
    ] {
        let script = Script::default().on("DescribeStacks", [stack(status)]);
        run(script, &["deploy", "--yes"]).await.ended(2).says(status).says(next).never_called("CreateChangeSet");
    }
}

#[tokio::test]
async fn the_first_cause_is_told_with_its_place() {
    let echo = text(&expected("CFN-EVENTS-10", "/events/0/ResourceStatusReason"));
    let reason = text(&expected("CFN-EVENTS-09", "/event/ResourceStatusReason"));
    let happened = [
        ("notes", "CREATE_IN_PROGRESS", "User Initiated"),
        ("Topic", "CREATE_FAILED", echo.as_str()),
        ("Users", "CREATE_FAILED", reason.as_str()),
        ("notes", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Topic, Users]."),
        ("Topic", "DELETE_COMPLETE", ""),
        ("notes", "ROLLBACK_IN_PROGRESS", ""),
        ("notes", "ROLLBACK_COMPLETE", ""),
    ];
    let run = run(creation(&["ROLLBACK_COMPLETE"], &happened), &["deploy", "--yes"]).await;
    run.says("Topic AWS::SNS::Topic removed again");
    assert_eq!(run.stderr.matches("CloudFormation takes back what it has done").count(), 1, "{}", run.stderr);
    run.ended(1).says("`Users` (AWS::Cognito::UserPool) CREATE_FAILED: Property validation failure");
    run.says("stacks/notes.yaml:2:3").says("removed what it had made").says("stackgen deploy notes");
}

#[tokio::test]
async fn a_stack_that_fails_as_a_whole_is_told_so() {
    let reason = text(&expected("CFN-EVENTS-11", "/chronological/2/2"));
    let happened = [("notes", "ROLLBACK_IN_PROGRESS", reason.as_str()), ("notes", "ROLLBACK_COMPLETE", "")];
    let run = run(creation(&["ROLLBACK_COMPLETE"], &happened), &["deploy", "--yes"]).await;
    run.ended(1).says("does not support attribute {Invalid}.");
    assert!(!run.stderr.contains("requested by user"), "{}", run.stderr);
}

#[tokio::test]
async fn a_nested_stack_is_asked_by_its_arn() {
    let nested = "arn:aws:cloudformation:us-east-1:123456789012:stack/inner/1";
    let echo = format!("Embedded stack {nested} was not successfully created: The following resource(s) failed");
    let script = creation(&["ROLLBACK_COMPLETE"], &[]).on(
        "DescribeStackEvents",
        [
            events(&[]),
            events(&[("Inner", "CREATE_FAILED", &echo), ("notes", "ROLLBACK_COMPLETE", "")]),
            events(&[("Topic", "CREATE_FAILED", "the inner cause")]),
        ],
    );
    let run = run(script, &["deploy", "--yes"]).await;
    run.ended(1).says("the inner cause");
    assert_eq!(run.called("DescribeStackEvents").last().map(|call| call["StackName"].as_str()), Some(nested));
}

#[tokio::test]
async fn throttling_is_not_a_missing_stack() {
    let reason = text(&expected("CFN-CHANGESET-01", "/describe/StatusReason"));
    let script = Script::default().on("DescribeStacks", [throttled(), throttled(), stack("CREATE_COMPLETE")]);
    let run = run(made(script, change_set("FAILED", &reason)), &["deploy", "--yes"]).await;
    run.ended(0).says("nothing to change");
    assert_eq!(run.called("CreateChangeSet")[0]["ChangeSetType"], "UPDATE");
    assert_eq!(run.called("DescribeStacks").len(), 4, "twice throttled, then the gate's look and the deployment's");
}

#[tokio::test]
async fn the_first_call_outlasts_throttling_as_the_others_do() {
    let reason = text(&expected("CFN-CHANGESET-01", "/describe/StatusReason"));
    let script =
        made(Script::default().on("DescribeStacks", [stack("CREATE_COMPLETE")]), change_set("FAILED", &reason));
    let script = script.on("GetCallerIdentity", [throttled(), throttled(), throttled(), throttled(), identity()]);
    let run = run(script, &["deploy", "--yes"]).await;
    run.ended(0).says("nothing to change");
    assert_eq!(run.called("GetCallerIdentity").len(), 5);
}

#[tokio::test]
async fn only_the_needed_capability_is_given() {
    let role = |properties: &str| {
        format!(
            "resources:\n  Role:\n    type: AWS::IAM::Role\n    properties:\n      AssumeRolePolicyDocument: {{ \
             Version: '2012-10-17', Statement: [] }}\n{properties}"
        )
    };
    let refused = || creation(&["REVIEW_IN_PROGRESS"], &[]);
    for (stack, capability) in [
        (STACK.to_owned(), None),
        (role(""), Some("CAPABILITY_IAM")),
        (role("      RoleName: mine\n"), Some("CAPABILITY_NAMED_IAM")),
    ] {
        let run = run_with(refused(), &stack, &["deploy"]).await;
        let created = run.called("CreateChangeSet");
        let given: Vec<&String> = created[0]
            .iter()
            .filter(|(name, _)| name.starts_with("Capabilities.member"))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(given, Vec::from_iter(capability));
    }
}

#[tokio::test]
async fn a_large_template_goes_through_the_bucket() {
    let topics: String = (0..400)
        .map(|number| {
            let name = "x".repeat(100);
            format!("  Topic{number}:\n    type: AWS::SNS::Topic\n    properties: {{ DisplayName: {name} }}\n")
        })
        .collect();
    let cdk = result(
        "<Stacks><member><StackId>arn</StackId><StackName>CDKToolkit</StackName><StackStatus>CREATE_COMPLETE\
         </StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime><Outputs><member><OutputKey>BucketName\
         </OutputKey><OutputValue>assets</OutputValue></member></Outputs></member></Stacks>",
    );
    let script =
        creation(&[], &[]).on("DescribeStacks", looks([missing(), cdk.clone(), cdk, stack("CREATE_COMPLETE")]));
    let run = run_with(script, &format!("resources:\n{topics}"), &["deploy", "--yes"]).await;
    run.ended(0);
    let created = run.called("CreateChangeSet")[0];
    assert!(!created.contains_key("TemplateBody"));
    assert!(created["TemplateURL"].contains("/assets/templates/notes/"), "{}", created["TemplateURL"]);
}

#[tokio::test]
async fn a_stack_that_goes_is_followed_by_its_arn() {
    let script = Script::default()
        .on("DescribeStacks", [stack("CREATE_COMPLETE"), stack("DELETE_IN_PROGRESS"), stack("DELETE_COMPLETE")])
        .on("GetTemplate", [result("<TemplateBody>{}</TemplateBody>")])
        .on("DescribeStackEvents", [events(&[]), events(&[("notes", "DELETE_COMPLETE", "")])]);
    let run = run(script, &["destroy", "--yes"]).await;
    run.says("notes has no resources");
    assert_eq!(run.called("DeleteStack")[0]["StackName"], ARN);
    assert!(run.called("DescribeStackEvents").iter().all(|call| call["StackName"] == ARN));
}

#[tokio::test]
async fn what_is_lost_sight_of_is_told_with_what_goes_on() {
    let expired = || refusal("ExpiredToken", "The security token included in the request is expired");
    let script = creation(&["CREATE_IN_PROGRESS"], &[]).on("DescribeStackEvents", [events(&[]), expired()]);
    let lost = run(script, &["deploy", "--yes"]).await;
    lost.ended(1).says("have expired").says("CloudFormation goes on by itself with stack `notes`");

    // The second is what CloudFormation says when somebody has deployed since the change set was made.
    for code in ["AccessDenied", "InvalidChangeSetStatus"] {
        let refused = creation(&[], &[]).on("ExecuteChangeSet", [refusal(code, "no")]);
        let refused = run(refused, &["deploy", "--yes"]).await;
        refused.ended(1).says("`cloudformation:ExecuteChangeSet`").says("nothing was changed; run `stackgen deploy");
        assert!(!refused.stderr.contains("goes on by itself"), "{code}: {}", refused.stderr);
        let token = &refused.called("ExecuteChangeSet")[0]["ClientRequestToken"];
        assert!(CHANGE_SET.ends_with(token.as_str()), "a try that is repeated is known by it: {token}");
    }
    let failing = Reply::Error(500, "InternalFailure".to_owned(), "again".to_owned());
    let unknown = run(creation(&[], &[]).on("ExecuteChangeSet", [failing]), &["deploy", "--yes"]).await;
    unknown.ended(1).says("it is not known whether CloudFormation has begun with stack `notes`");

    let going = || Script::default().on("DescribeStacks", [stack("CREATE_COMPLETE"), stack("DELETE_IN_PROGRESS")]);
    let lost = run(going().on("DescribeStackEvents", [events(&[]), expired()]), &["destroy", "--yes"]).await;
    lost.ended(1).says("have expired").says("CloudFormation goes on removing stack `notes`");
    for (code, message) in [("AccessDenied", "no"), ("ValidationError", "TerminationProtection is enabled")] {
        let refused = run(going().on("DeleteStack", [refusal(code, message)]), &["destroy", "--yes"]).await;
        refused.ended(1).says("`cloudformation:DeleteStack`").says(message).says("stack `notes` is untouched");
    }
    let denied = going().on("DeleteStack", [refusal("AccessDenied", "no")]);
    let denied = run(denied, &["bootstrap", "--destroy", "--yes"]).await;
    denied.ended(1).says("AWS denies `cloudformation:DeleteStack`").says("the bucket is empty, and stays");
}

#[tokio::test]
async fn a_bucket_that_stays_is_told_with_the_command_that_goes_on() {
    let script = Script::default().on("DescribeStacks", [stack("CREATE_COMPLETE"), stack("DELETE_FAILED")]);
    let run = run(script, &["bootstrap", "--destroy", "--yes"]).await;
    run.ended(1).says("could not be removed (DELETE_FAILED)");
    run.says("repeat `stackgen bootstrap --destroy --endpoint-url http");
}

#[tokio::test]
async fn what_is_deployed_and_not_protected_is_remembered() {
    let done = [("notes", "CREATE_COMPLETE", "")];
    let script =
        creation(&["CREATE_COMPLETE"], &done).on("UpdateTerminationProtection", [refusal("AccessDenied", "no")]);
    let run = run_with(script, &format!("terminationProtection: true\n{STACK}"), &["deploy", "--yes"]).await;
    run.ended(1).says("AWS denies `cloudformation:UpdateTerminationProtection`").says("notes was created");
    let known = std::fs::read_to_string(run.project.path().join(".stackgen/deployed.json"));
    assert!(known.is_ok_and(|known| known.contains("endpointUrl")), "the next command goes there");
}

#[tokio::test]
async fn a_stack_in_use_is_told_with_those_that_use_it() {
    let reason = "Export notes:pool cannot be deleted as it is in use by b and c";
    let kept = || Script::default().on("DescribeStacks", [stack("CREATE_COMPLETE")]);
    let refused = kept().on("DeleteStack", [refusal("ValidationError", reason)]);
    let told = kept().on("DescribeStackEvents", [events(&[]), events(&[("notes", "CREATE_COMPLETE", reason)])]);
    for script in [refused, told] {
        let run = run(script, &["destroy", "--yes"]).await;
        run.ended(1).says("stack `notes` is used by others").says("not of this project: `b`, `c`;");
        run.says("then run `stackgen destroy notes --endpoint-url http");
    }
}

#[tokio::test]
async fn only_what_cannot_be_removed_is_left_behind() {
    for (happened, is_left) in [
        (vec![("Topic", "DELETE_FAILED", "it is used"), ("notes", "DELETE_FAILED", "not all went")], true),
        (vec![("notes", "DELETE_FAILED", "the role is gone")], false),
    ] {
        let script = Script::default()
            .on("DescribeStacks", [stack("CREATE_COMPLETE"), stack("DELETE_FAILED")])
            .on("DescribeStackEvents", [events(&[]), events(&happened)]);
        let run = run(script, &["destroy", "--yes"]).await;
        run.ended(1).says("mend the cause and repeat the command");
        assert_eq!(run.stderr.contains("--retain-resources Topic`"), is_left, "{}", run.stderr);
        assert_eq!(run.stderr.contains("--retain-resources"), is_left, "{}", run.stderr);
    }
}

#[tokio::test]
async fn a_stack_that_is_busy_is_destroyed_afterwards() {
    let [busy, done] = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"].map(stack);
    let statuses = [busy.clone(), busy, done.clone(), done, stack("DELETE_COMPLETE"), missing()];
    let run = run(Script::default().on("DescribeStacks", statuses), &["destroy", "--yes", "--output", "json"]).await;
    run.ended(1).says("notes is busy (UPDATE_IN_PROGRESS)");
    assert_eq!(run.called("DeleteStack").len(), 1);
    // The endpoint knows no logs.
    run.says("stack `notes` is destroyed; run `stackgen destroy notes");
    let document: Value = serde_json::from_str(&run.stdout).expect("standard output is one document");
    let left = json!([{ "stack": "notes", "existed": true, "left": null }]);
    assert_eq!(document["stacks"], left, "what is done is told beside what failed: {document:#}");
}

#[tokio::test]
async fn a_stack_is_not_destroyed_without_consent() {
    let script = Script::default()
        .on("DescribeStacks", [stack("CREATE_COMPLETE")])
        .on("GetTemplate", [result("<TemplateBody>{}</TemplateBody>")]);
    run(script, &["destroy"]).await.ended(2).says("Destroy stack `notes`").never_called("DeleteStack");
}

#[tokio::test]
async fn trouble_with_access_is_one_sentence_and_the_next_step() {
    for (code, sentence) in [
        ("ExpiredToken", "the AWS credentials have expired"),
        ("InvalidClientTokenId", "AWS does not accept the credentials"),
        ("AccessDenied", "AWS denies `cloudformation:DescribeStacks`"),
    ] {
        let script = Script::default().on("DescribeStacks", [refusal(code, "no")]);
        run(script, &["deploy", "--yes"]).await.ended(1).says(sentence).says("help:");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_told_so() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let output = program(&project(STACK), &endpoint, &["deploy", "--yes"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot be reached"), "{told}");
}

#[tokio::test]
async fn an_answer_for_programs_is_one_document() {
    let done = [("Users", "CREATE_COMPLETE", ""), ("notes", "CREATE_COMPLETE", "")];
    let run = run(creation(&["CREATE_COMPLETE"], &done), &["deploy", "--yes", "--output", "json"]).await;
    let document: Value = serde_json::from_str(&run.ended(0).stdout).expect("standard output is one document");
    assert_eq!(document["stacks"][0]["result"], "created");
    let failed = super::engine::run(
        Script::default().on("DescribeStacks", [stack("DELETE_FAILED")]),
        &["deploy", "--output", "json"],
    )
    .await;
    let document: Value = serde_json::from_str(&failed.ended(2).stdout).expect("standard output is one document");
    assert_eq!(document["error"]["code"], "stackgen::stack::delete_failed");
}
