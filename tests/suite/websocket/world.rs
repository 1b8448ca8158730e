//! A cloud with one WebSocket API, and clients of it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_cloudformation::types::{Capability, StackStatus};
use serde_json::{Value, json};
use stackgen::local::wire::Fault;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::{Key, TestCloud, bootstrap_archive};
use crate::tools;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/websocket");
/// A line of the access log.
const LOG_FORMAT: &str = "$context.eventType $context.routeKey $context.status";

/// Who may connect.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guard {
    /// Everybody.
    Open,
    /// Whoever signs.
    Iam,
    /// Those whom a function lets pass, by the query parameter `token`.
    Request {
        /// Whether the API may ask it.
        permitted: bool,
    },
}

/// A cloud with one WebSocket API: `echo` answers, `limited` takes one message, `slow` waits for half a second.
pub(crate) struct World {
    pub(crate) cloud: TestCloud,
    pub(crate) api: String,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new(guard: Guard) -> Self {
        let cloud = TestCloud::start().await;
        let s3 = aws_sdk_s3::Client::new(&cloud.config());
        s3.create_bucket().bucket("code").send().await.expect("the bucket can be made");
        let archive = s3.put_object().bucket("code").key("function.zip").body(bootstrap_archive().into());
        archive.send().await.expect("the archive can be put");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut world = Self { cloud, api: String::new(), folder };
        world.script("connect", &json!({ "statusCode": 200 }));
        world.script("guard", &Value::Null);
        world.api = world.deploy(&world.template(guard).to_string()).await;
        world
    }

    async fn deploy(&self, template: &str) -> String {
        let cloudformation = aws_sdk_cloudformation::Client::new(&self.cloud.config());
        let create = cloudformation.create_stack().stack_name("chat").template_body(template);
        create.capabilities(Capability::CapabilityIam).send().await.expect("the stack is begun");
        for _ in 0..1_000 {
            let described = cloudformation.describe_stacks().stack_name("chat").send().await.expect("it is there");
            let stack = &described.stacks()[0];
            match stack.stack_status() {
                Some(StackStatus::CreateInProgress) => tokio::time::sleep(Duration::from_millis(10)).await,
                Some(StackStatus::CreateComplete) => {
                    let endpoint = stack.outputs()[0].output_value().expect("it is put out");
                    assert!(endpoint.starts_with("ws://127.0.0.1:"), "{endpoint}");
                    return endpoint.rsplit('/').next().unwrap_or_default().to_owned();
                }
                _ => {
                    let events = cloudformation.describe_stack_events().stack_name("chat").send().await;
                    let events = events.expect("it has events");
                    let reasons: Vec<_> =
                        events.stack_events().iter().filter_map(|event| event.resource_status_reason()).collect();
                    panic!("{reasons:?}");
                }
            }
        }
        panic!("the stack is not done after 10 seconds");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a function answers from now on.
    pub(crate) fn script(&self, function: &str, answer: &Value) {
        std::fs::write(self.path(&format!("{function}.json")), answer.to_string()).expect("the folder is writable");
    }

    /// Every event that a function has received.
    pub(crate) fn events(&self, function: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(&format!("{function}.events"))).unwrap_or_default();
        // The last line may be in the making.
        text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub(crate) fn forget(&self, function: &str) {
        std::fs::remove_file(self.path(&format!("{function}.events"))).expect("there were events");
    }

    /// The latest event of a kind, as soon as there is one.
    pub(crate) async fn event(&self, function: &str, kind: &str) -> Value {
        for _ in 0..1_000 {
            let found = self.events(function).into_iter().rfind(|event| event["requestContext"]["eventType"] == kind);
            match found {
                Some(event) => return event,
                None => tokio::time::sleep(PATIENCE / 1_000).await,
            }
        }
        panic!("no {kind} among {:?}", self.events(function));
    }

    /// The lines of the access log, one for each of the three events of a connection.
    pub(crate) async fn access_log(&self) -> Vec<String> {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.cloud.config());
        let mut lines = Vec::new();
        for _ in 0..1_000 {
            let events = logs.filter_log_events().log_group_name("access").send().await.expect("the log can be read");
            lines = events.events().iter().filter_map(|event| event.message().map(str::to_owned)).collect();
            if lines.len() >= 3 {
                break;
            }
            tokio::time::sleep(PATIENCE / 1_000).await;
        }
        lines
    }

    /// The URL of the stage for requests.
    pub(crate) fn https(&self) -> String {
        format!("{}/_aws/execute-api/{}/prod", self.cloud.endpoint, self.api)
    }

    /// A client that asks for a connection.
    pub(crate) async fn client(&self, query: &str, options: &Value) -> Client {
        let url = format!("{}{query}", self.https()).replacen("http", "ws", 1);
        Client::start(url, options.to_string()).await
    }

    /// A client that is connected.
    pub(crate) async fn open(&self, query: &str, options: Value) -> Client {
        let mut client = self.client(query, &options).await;
        assert_eq!(client.said().await, json!({ "open": null }));
        client
    }

    /// With which status and body a client is refused.
    pub(crate) async fn refused(&self, query: &str, options: Value) -> (u64, String) {
        let said = self.client(query, &options).await.said().await;
        let status = said["refused"][0].as_u64().unwrap_or_else(|| panic!("{said}"));
        (status, said["refused"][1].as_str().unwrap_or_default().to_owned())
    }

    /// A call to `@connections` with AWS's own SDK; its status, its outcome, its error.
    pub(crate) async fn manage(&self, key: &Key, call: &str, connection: &str, data: &str) -> Value {
        let environment = [
            ("AWS_ACCESS_KEY_ID", key.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", key.secret.clone()),
            ("AWS_SESSION_TOKEN", key.token.clone().unwrap_or_default()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ];
        let environment: Vec<_> = environment.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let arguments = [self.https(), call.to_owned(), connection.to_owned(), data.to_owned()];
        let calling = tokio::task::spawn_blocking(move || {
            let mut command = tools::python(tools::AWS).program("python");
            command.env_remove("AWS_SESSION_TOKEN").envs(environment);
            tools::run(command.arg(format!("{FOLDER}/manage.py")).args(arguments))
        });
        serde_json::from_str(&calling.await.expect("the call has an outcome")).expect("it is JSON")
    }

    /// The key of a session of a role that may do one thing with this API.
    pub(crate) fn role(&self, name: &str, action: &str, below: &str) -> Key {
        let resource = format!("arn:aws:execute-api:us-east-1:000000000000:{}/{below}", self.api);
        self.cloud.session(name, action, &resource)
    }

    /// Something that a template would change, changed by API Gateway's own API.
    fn change(&self, method: reqwest::Method, path: &str, body: Value) {
        let key = self.cloud.root();
        let url = format!("{}/v2/apis/{}{path}", self.cloud.endpoint, self.api);
        let script = r#"
import json, sys, urllib.request
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
method, url, body, key = sys.argv[1:5]
key = json.loads(key)
request = AWSRequest(method, url, data=body)
SigV4Auth(Credentials(key["id"], key["secret"]), "apigateway", "us-east-1").add_auth(request)
sent = urllib.request.Request(url, body.encode(), dict(request.headers), method=method)
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sent).read().decode())
"#;
        let mut command = tools::python(tools::AWS).program("python");
        tools::run(command.args(["-c", script, method.as_str(), &url, &body.to_string(), &key.to_string()]));
    }

    pub(crate) fn remove_route(&self, key: &str) {
        let id = self.physical(&format!("Route{}", key.trim_start_matches('$')));
        self.change(reqwest::Method::DELETE, &format!("/routes/{id}"), json!({}));
    }

    pub(crate) fn remove_stage(&self) {
        self.change(reqwest::Method::DELETE, "/stages/prod", json!({}));
    }

    /// Lets a route have so many events at once, and no more for a long time.
    pub(crate) fn throttle(&self, key: &str, burst: u32) {
        let limits = json!({ "throttlingBurstLimit": burst, "throttlingRateLimit": 0.001 });
        self.change(reqwest::Method::PATCH, "/stages/prod", json!({ "routeSettings": { key: limits } }));
    }

    /// Nobody may invoke a function any more.
    pub(crate) fn take_permission_from(&self, function: &str) {
        let id = self.physical(function);
        let emptied = self.cloud.cloud.write(|account| {
            let function = account.lambda.0.get_mut(&id);
            let function = function.ok_or_else(|| Fault::new("None", "there is no such function"))?;
            function.policy.clear();
            Ok::<_, Fault>(())
        });
        emptied.expect("it is saved");
    }

    fn physical(&self, logical: &str) -> String {
        let config = self.cloud.config();
        let logical = logical.to_owned();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let client = aws_sdk_cloudformation::Client::new(&config);
                let found = client.describe_stack_resource().stack_name("chat").logical_resource_id(logical);
                let found = found.send().await.expect("it is there");
                found.stack_resource_detail().and_then(|it| it.physical_resource_id()).unwrap_or_default().to_owned()
            })
        })
    }

    pub(crate) async fn end(self) {
        self.cloud.stop().await;
    }

    fn template(&self, guard: Guard) -> Value {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }] });
        let mut resources = json!({
            "Role": { "Type": "AWS::IAM::Role", "Properties": { "AssumeRolePolicyDocument": trust } },
            "Access": { "Type": "AWS::Logs::LogGroup", "Properties": { "LogGroupName": "access" } },
            "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": {
                "Name": "chat", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action",
            } },
        });
        for (id, behaviour) in [("Connect", "scripted"), ("Socket", "socket"), ("Guard", "scripted")] {
            resources[id] = self.function(id, behaviour);
        }
        for id in ["Connect", "Socket"] {
            resources[format!("{id}Permission")] = permission(id, "*");
            resources[format!("{id}Integration")] = integration(id, None);
        }
        resources["SlowIntegration"] = integration("Socket", Some(500));
        let mut connect = json!({});
        match guard {
            Guard::Open => {}
            Guard::Iam => connect["AuthorizationType"] = "AWS_IAM".into(),
            Guard::Request { permitted } => {
                connect = json!({ "AuthorizationType": "CUSTOM", "AuthorizerId": { "Ref": "Authorizer" } });
                resources["Authorizer"] = json!({ "Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {
                    "ApiId": { "Ref": "Api" }, "Name": "guard", "AuthorizerType": "REQUEST",
                    "AuthorizerUri": invocation("Guard"), "IdentitySource": ["route.request.querystring.token"],
                } });
                if permitted {
                    resources["GuardPermission"] = permission("Guard", "authorizers/*");
                }
            }
        }
        let routes = [
            ("$connect", "Connect", connect),
            ("$disconnect", "Socket", json!({})),
            ("$default", "Socket", json!({})),
            ("echo", "Socket", json!({ "RouteResponseSelectionExpression": "$default" })),
            ("limited", "Socket", json!({})),
            ("slow", "Slow", json!({})),
        ];
        let mut ids = Vec::new();
        for (key, target, more) in routes {
            let id = format!("Route{}", key.trim_start_matches('$'));
            let mut route = json!({
                "ApiId": { "Ref": "Api" }, "RouteKey": key, "AuthorizationType": "NONE",
                "Target": { "Fn::Sub": format!("integrations/${{{target}Integration}}") },
            });
            for (name, value) in more.as_object().into_iter().flatten() {
                route[name] = value.clone();
            }
            resources[&id] = json!({ "Type": "AWS::ApiGatewayV2::Route", "Properties": route });
            ids.push(id);
        }
        resources["Answer"] = json!({ "Type": "AWS::ApiGatewayV2::RouteResponse", "Properties": {
            "ApiId": { "Ref": "Api" }, "RouteId": { "Ref": "Routeecho" }, "RouteResponseKey": "$default",
        } });
        let limit = json!({ "ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 0.001 });
        resources["Stage"] = json!({ "Type": "AWS::ApiGatewayV2::Stage", "DependsOn": ids, "Properties": {
            "ApiId": { "Ref": "Api" }, "StageName": "prod", "AutoDeploy": true, "RouteSettings": { "limited": limit },
            "AccessLogSettings": { "DestinationArn": { "Fn::GetAtt": ["Access", "Arn"] }, "Format": LOG_FORMAT },
        } });
        json!({ "Resources": resources, "Outputs": { "Endpoint": { "Value": { "Fn::GetAtt": ["Api", "ApiEndpoint"] } } } })
    }

    fn function(&self, id: &str, behaviour: &str) -> Value {
        let place = self.path(&id.to_lowercase()).to_string_lossy().into_owned();
        let variables = json!({
            "BEHAVIOUR": behaviour, "SCRIPT": format!("{place}.json"), "EVENTS": format!("{place}.events"),
        });
        json!({ "Type": "AWS::Lambda::Function", "Properties": {
            "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": { "Fn::GetAtt": ["Role", "Arn"] },
            "Code": { "S3Bucket": "code", "S3Key": "function.zip" }, "Timeout": 10,
            "Environment": { "Variables": variables },
        } })
    }
}

fn permission(function: &str, below: &str) -> Value {
    let source = format!("arn:aws:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Api}}/{below}");
    json!({ "Type": "AWS::Lambda::Permission", "Properties": {
        "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
        "FunctionName": { "Ref": function }, "SourceArn": { "Fn::Sub": source },
    } })
}

fn integration(function: &str, timeout: Option<u32>) -> Value {
    let mut properties = json!({
        "ApiId": { "Ref": "Api" }, "IntegrationType": "AWS_PROXY", "IntegrationUri": invocation(function),
    });
    if let Some(timeout) = timeout {
        properties["TimeoutInMillis"] = timeout.into();
    }
    json!({ "Type": "AWS::ApiGatewayV2::Integration", "Properties": properties })
}

fn invocation(function: &str) -> Value {
    let path = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions";
    json!({ "Fn::Sub": format!("{path}/${{{function}.Arn}}/invocations") })
}

/// A foreign client, one connection.
pub(crate) struct Client {
    _process: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Client {
    pub(crate) async fn start(url: String, options: String) -> Self {
        let python = tokio::task::spawn_blocking(|| tools::python(tools::AWS).program("python"));
        let mut command = Command::from(python.await.expect("the client can be set up"));
        command.arg(format!("{FOLDER}/client.py")).args([url, options]).kill_on_drop(true);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python runs");
        let orders = process.stdin.take().expect("it is piped");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Self { _process: process, orders, lines }
    }

    /// The next thing that it says.
    pub(crate) async fn said(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("it says something in time");
        let line = line.expect("its output can be read").expect("it says something before it ends");
        serde_json::from_str(&line).expect("it speaks JSON")
    }

    /// Tells it to do something.
    pub(crate) async fn tell(&mut self, order: Value) {
        let line = format!("{order}\n");
        self.orders.write_all(line.as_bytes()).await.expect("it listens");
    }

    /// The gateway itself answers so.
    pub(crate) async fn refused(&mut self, message: &str) {
        let said = self.said().await;
        let text = said["message"].as_str().unwrap_or_else(|| panic!("{said}"));
        let frame: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(frame["message"], message, "{text}");
        assert!(frame["connectionId"].is_string() && frame["requestId"].is_string(), "{text}");
    }

    /// Ends the connection.
    pub(crate) async fn leave(mut self) {
        self.tell(json!({ "close": 1000 })).await;
        assert_eq!(self.said().await["closed"][0], 1000);
    }
}
