//! What a case needs before anything is sent: its API, deployed to the embedded cloud through CloudFormation.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{Capability, Parameter, StackStatus};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::client::{Received, Sent, send};
use super::{Unknown, modelled};
use crate::support::{Key, TestCloud, archive};

/// Bucket of the one function that all cases share.
pub(crate) const BUCKET: &str = "cases";
/// Key of its archive.
pub(crate) const ARCHIVE: &str = "function.zip";
/// A line of the access log: whose request it is, and what the authorizer found wrong.
pub(crate) const LOG_FORMAT: &str = "$context.requestId $context.authorizer.error";

/// An API as a fixture describes it.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Route keys, each with the scopes that it asks for.
    pub(crate) routes: Vec<(String, Vec<String>)>,
    /// Payload format of the integration.
    pub(crate) payload: String,
    /// Names of the stages.
    pub(crate) stages: Vec<String>,
    /// Variables of every stage.
    pub(crate) variables: Value,
    /// What the integration's function does.
    pub(crate) function: Value,
    /// Seconds that it may take.
    pub(crate) function_timeout: u64,
    /// Milliseconds that the integration waits.
    pub(crate) integration_timeout: Option<u64>,
    /// Whether the API may invoke it.
    pub(crate) permission: bool,
    /// Burst and rate of every route.
    pub(crate) throttle: Option<(Value, Value)>,
    /// CORS configuration, in CloudFormation's names.
    pub(crate) cors: Option<Value>,
    /// Who may call.
    pub(crate) guard: Guard,
    /// Whether the stages log what authorizers find wrong.
    pub(crate) logged: bool,
    /// Whether requests go to a URL of the function instead, which everybody may call.
    pub(crate) function_url: bool,
}

/// Who may call.
#[derive(Debug, Clone)]
pub(crate) enum Guard {
    /// Everybody.
    Open,
    /// Whoever signs.
    Iam,
    /// Bearers of an issuer's tokens.
    Jwt {
        /// Where the token is.
        source: String,
        /// Whose it is.
        issuer: String,
        /// Whom it is for.
        audience: Vec<String>,
    },
    /// Those whom a function lets pass.
    Request {
        /// Where the identity is.
        sources: Vec<String>,
        /// Payload format of the authorizer.
        format: String,
        /// Whether it says yes or no rather than giving a policy.
        simple: bool,
        /// Seconds that its decisions are kept.
        lifetime: u64,
        /// What the function does.
        script: Value,
        /// Whether the API may invoke it.
        permission: bool,
    },
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            payload: "2.0".to_owned(),
            stages: vec!["$default".to_owned()],
            variables: json!({}),
            function: json!({ "do": "echo" }),
            function_timeout: 10,
            integration_timeout: None,
            permission: true,
            throttle: None,
            cors: None,
            guard: Guard::Open,
            logged: false,
            function_url: false,
        }
    }
}

/// A cloud in which cases stand up what they need.
pub(crate) struct World {
    /// The cloud itself.
    pub(crate) cloud: TestCloud,
    journals: TempDir,
    made: std::cell::Cell<usize>,
}

/// An API that stands.
pub(crate) struct Standing {
    /// Id of the API.
    pub(crate) api: String,
    /// What the stack says of itself.
    pub(crate) outputs: BTreeMap<String, String>,
    log: Option<String>,
    journal: PathBuf,
}

impl World {
    /// An empty one, save for the function's archive.
    pub(crate) async fn new() -> Self {
        let cloud = TestCloud::start().await;
        let s3 = aws_sdk_s3::config::Builder::from(&cloud.config()).force_path_style(true).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        s3.create_bucket().bucket(BUCKET).send().await.expect("the bucket can be made");
        let code = s3.put_object().bucket(BUCKET).key(ARCHIVE).body(archive(include_bytes!("bootstrap.py")).into());
        code.send().await.expect("the code can be put");
        let journals = tempfile::tempdir().expect("a temporary folder can be made");
        Self { cloud, journals, made: std::cell::Cell::new(0) }
    }

    fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.cloud.config())
    }

    /// Deploys a set-up; a refusal is the text of what went wrong.
    pub(crate) async fn stand_up(&self, setup: &Setup) -> Result<Standing, String> {
        let mut scripts = vec![("function", setup.function.clone())];
        if let Guard::Request { script: does, .. } = &setup.guard {
            scripts.push(("authorizer", does.clone()));
        }
        self.deploy(&scripts, |place| match modelled::template(setup, place) {
            Some(synthesized) => (synthesized, code_parameters()),
            None => (template(setup, place), Vec::new()),
        })
        .await
    }

    /// Deploys the template that is made for the place of the functions' journals, with what the functions are to do.
    pub(crate) async fn deploy(
        &self,
        scripts: &[(&str, Value)],
        template: impl FnOnce(&str) -> (Value, Vec<Parameter>),
    ) -> Result<Standing, String> {
        let number = self.made.get() + 1;
        self.made.set(number);
        let stack = format!("case-{number}");
        let journal = self.journals.path().join(&stack);
        for (function, does) in scripts {
            script(&journal, function, does);
        }
        let (template, parameters) = template(&journal.to_string_lossy());
        let create = self.cloudformation().create_stack().stack_name(&stack).template_body(template.to_string());
        let create = create.set_parameters(Some(parameters)).capabilities(Capability::CapabilityIam).send().await;
        create.map_err(|error| error.message().unwrap_or("no message").to_owned())?;
        let outputs = self.created(&stack).await?;
        let api = outputs.get("Api").cloned().expect("the stack says which API it has");
        Ok(Standing { api, log: outputs.get("Log").cloned(), outputs, journal })
    }

    /// Waits for a stack and returns its outputs.
    async fn created(&self, stack: &str) -> Result<BTreeMap<String, String>, String> {
        for _ in 0..1_500 {
            let described = self.cloudformation().describe_stacks().stack_name(stack).send().await;
            let described = described.map_err(|error| error.message().unwrap_or("no message").to_owned())?;
            let found = described.stacks().first().expect("the stack is described");
            match found.stack_status() {
                Some(StackStatus::CreateInProgress) => tokio::time::sleep(Duration::from_millis(10)).await,
                Some(StackStatus::CreateComplete) => {
                    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                    let outputs = found.outputs().iter();
                    return Ok(outputs.map(|one| (text(one.output_key()), text(one.output_value()))).collect());
                }
                _ => return Err(self.reasons(stack).await),
            }
        }
        Err(format!("{stack} is not done after 15 seconds"))
    }

    async fn reasons(&self, stack: &str) -> String {
        let events = self.cloudformation().describe_stack_events().stack_name(stack).send().await;
        let events = events.expect("the stack has events");
        let reasons = events.stack_events().iter().filter_map(|event| {
            let id = event.logical_resource_id().unwrap_or_default();
            event.resource_status_reason().map(|reason| format!("{id}: {reason}"))
        });
        reasons.collect::<Vec<_>>().join("\n")
    }

    /// Calls a standing API.
    pub(crate) async fn call(&self, standing: &Standing, sent: &Sent) -> Received {
        let address = self.cloud.endpoint.trim_start_matches("http://");
        send(address, &standing.host(), sent).await
    }

    /// Where a standing API answers.
    pub(crate) fn url(&self, standing: &Standing, path: &str) -> String {
        format!("{}/_aws/execute-api/{}{path}", self.cloud.endpoint, standing.api)
    }

    /// The account's own key.
    pub(crate) fn key(&self) -> Key {
        self.cloud.root()
    }

    /// The key of a session of a new role that may call what is below a standing API.
    pub(crate) fn session(&self, role: &str, standing: &Standing, below: &str) -> Key {
        let resource = format!("arn:aws:execute-api:us-east-1:000000000000:{}/{below}", standing.api);
        self.cloud.session(role, "execute-api:Invoke", &resource)
    }

    /// What the access log of a set-up says of the request of this id.
    pub(crate) async fn logged(&self, standing: &Standing, request: &str) -> Option<String> {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.cloud.config());
        let events = logs.filter_log_events().log_group_name(standing.log.as_ref()?).send().await;
        let events = events.expect("the log can be read");
        let mut messages = events.events().iter().filter_map(|event| event.message());
        messages.find_map(|message| message.strip_prefix(request)).map(|rest| rest.trim().to_owned())
    }

    /// Ends the cloud, the functions' processes with it.
    pub(crate) async fn end(self) {
        self.cloud.stop().await;
    }
}

impl Standing {
    /// The name that clients call: that of the function's URL where there is one.
    fn host(&self) -> String {
        let url = self.outputs.get("Url").and_then(|url| url.trim_end_matches('/').rsplit('/').next());
        match url {
            Some(id) => format!("{id}.lambda-url.localhost"),
            None => format!("{}.execute-api.localhost", self.api),
        }
    }

    /// Every event that one of its functions received.
    pub(crate) fn events(&self, function: &str) -> Vec<Value> {
        let path = self.journal.with_extension(format!("{function}.events"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("an event is JSON")).collect()
    }
}

/// Where a synthesized template finds the code of its function.
fn code_parameters() -> Vec<Parameter> {
    [("AssetBucket", BUCKET), ("FunctionCodeKey", ARCHIVE)]
        .map(|(name, value)| Parameter::builder().parameter_key(name).parameter_value(value).build())
        .to_vec()
}

fn script(journal: &std::path::Path, function: &str, does: &Value) {
    let path = journal.with_extension(format!("{function}.json"));
    std::fs::write(path, does.to_string()).expect("the script can be written");
}

/// The template of a set-up.
fn template(setup: &Setup, journal: &str) -> Value {
    let mut resources = Map::new();
    let mut add = |id: &str, kind: &str, properties: Value, after: &[String]| {
        let mut resource = json!({ "Type": kind, "Properties": properties });
        if !after.is_empty() {
            resource["DependsOn"] = json!(after);
        }
        resources.insert(id.to_owned(), resource);
    };
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
    }] });
    add("Role", "AWS::IAM::Role", json!({ "AssumeRolePolicyDocument": trust }), &[]);
    add("Function", "AWS::Lambda::Function", function(journal, "function", setup.function_timeout), &[]);
    let mut api = json!({ "Name": "case", "ProtocolType": "HTTP" });
    if let Some(cors) = &setup.cors {
        api["CorsConfiguration"] = cors.clone();
    }
    add("Api", "AWS::ApiGatewayV2::Api", api, &[]);
    if setup.permission {
        add("Permission", "AWS::Lambda::Permission", permission("Function", "/*/*"), &[]);
    }
    let mut integration = json!({
        "ApiId": { "Ref": "Api" }, "IntegrationType": "AWS_PROXY", "IntegrationUri": { "Fn::GetAtt": ["Function", "Arn"] },
        "PayloadFormatVersion": setup.payload,
    });
    if let Some(timeout) = setup.integration_timeout {
        integration["TimeoutInMillis"] = timeout.into();
    }
    add("Integration", "AWS::ApiGatewayV2::Integration", integration, &[]);
    let mut authorization = json!({ "AuthorizationType": "NONE" });
    match &setup.guard {
        Guard::Open => {}
        Guard::Iam => authorization["AuthorizationType"] = "AWS_IAM".into(),
        Guard::Jwt { source, issuer, audience } => {
            authorization = json!({ "AuthorizationType": "JWT", "AuthorizerId": { "Ref": "Authorizer" } });
            let authorizer = json!({
                "ApiId": { "Ref": "Api" }, "Name": "tokens", "AuthorizerType": "JWT", "IdentitySource": [source],
                "JwtConfiguration": { "Issuer": issuer, "Audience": audience },
            });
            add("Authorizer", "AWS::ApiGatewayV2::Authorizer", authorizer, &[]);
        }
        Guard::Request { sources, format, simple, lifetime, permission: permitted, .. } => {
            authorization = json!({ "AuthorizationType": "CUSTOM", "AuthorizerId": { "Ref": "Authorizer" } });
            let uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Guard.Arn}/invocations";
            let mut authorizer = json!({
                "ApiId": { "Ref": "Api" }, "Name": "guard", "AuthorizerType": "REQUEST", "IdentitySource": sources,
                "AuthorizerUri": { "Fn::Sub": uri }, "AuthorizerPayloadFormatVersion": format,
                "AuthorizerResultTtlInSeconds": lifetime,
            });
            if *simple {
                authorizer["EnableSimpleResponses"] = true.into();
            }
            add("Guard", "AWS::Lambda::Function", function(journal, "authorizer", 10), &[]);
            add("Authorizer", "AWS::ApiGatewayV2::Authorizer", authorizer, &[]);
            if *permitted {
                add("GuardPermission", "AWS::Lambda::Permission", permission("Guard", "/authorizers/*"), &[]);
            }
        }
    }
    let mut routes = Vec::new();
    for (index, (key, scopes)) in setup.routes.iter().enumerate() {
        let mut route = json!({
            "ApiId": { "Ref": "Api" }, "RouteKey": key,
            "Target": { "Fn::Join": ["/", ["integrations", { "Ref": "Integration" }]] },
        });
        for (name, value) in authorization.as_object().into_iter().flatten() {
            route[name] = value.clone();
        }
        if !scopes.is_empty() {
            route["AuthorizationScopes"] = json!(scopes);
        }
        routes.push(format!("Route{index}"));
        add(&format!("Route{index}"), "AWS::ApiGatewayV2::Route", route, &[]);
    }
    if setup.logged {
        add("Log", "AWS::Logs::LogGroup", json!({}), &[]);
    }
    for (index, name) in setup.stages.iter().enumerate() {
        let mut stage = json!({
            "ApiId": { "Ref": "Api" }, "StageName": name, "AutoDeploy": true, "StageVariables": setup.variables,
        });
        if setup.logged {
            let log = json!({ "DestinationArn": { "Fn::GetAtt": ["Log", "Arn"] }, "Format": LOG_FORMAT });
            stage["AccessLogSettings"] = log;
        }
        if let Some((burst, rate)) = &setup.throttle {
            let limits = json!({ "ThrottlingBurstLimit": burst, "ThrottlingRateLimit": rate });
            let settings = setup.routes.iter().map(|(key, _)| (key.clone(), limits.clone()));
            stage["RouteSettings"] = Value::Object(settings.collect());
        }
        add(&format!("Stage{index}"), "AWS::ApiGatewayV2::Stage", stage, &routes);
    }
    let mut outputs = json!({ "Api": { "Value": { "Ref": "Api" } } });
    if setup.function_url {
        add("Url", "AWS::Lambda::Url", json!({ "TargetFunctionArn": { "Ref": "Function" }, "AuthType": "NONE" }), &[]);
        add(
            "UrlPermission",
            "AWS::Lambda::Permission",
            open("lambda:InvokeFunctionUrl", "FunctionUrlAuthType", "NONE"),
            &[],
        );
        add(
            "UrlInvokePermission",
            "AWS::Lambda::Permission",
            open("lambda:InvokeFunction", "InvokedViaFunctionUrl", "true"),
            &[],
        );
        outputs["Url"] = json!({ "Value": { "Fn::GetAtt": ["Url", "FunctionUrl"] } });
    }
    if setup.logged {
        outputs["Log"] = json!({ "Value": { "Ref": "Log" } });
    }
    json!({ "Resources": resources, "Outputs": outputs })
}

/// A function that does what its script says.
pub(crate) fn function(journal: &str, name: &str, timeout: u64) -> Value {
    json!({
        "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": { "Fn::GetAtt": ["Role", "Arn"] },
        "Code": { "S3Bucket": BUCKET, "S3Key": ARCHIVE }, "Timeout": timeout,
        "Environment": { "Variables": { "CASE_JOURNAL": format!("{journal}.{name}") } },
    })
}

/// What lets the API invoke a function.
pub(crate) fn permission(function: &str, below: &str) -> Value {
    json!({
        "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
        "FunctionName": { "Ref": function },
        "SourceArn": { "Fn::Sub": format!("arn:aws:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Api}}{below}") },
    })
}

/// What lets everybody do something to the function by its URL.
fn open(action: &str, condition: &str, value: &str) -> Value {
    json!({ "Action": action, "Principal": "*", "FunctionName": { "Ref": "Function" }, (condition): value })
}

/// A set-up that a fixture describes. `issuer` is that of tokens, `unreachable` one that nobody serves.
pub(crate) struct Fixtures<'a> {
    /// The `apis` of a document.
    pub(crate) apis: &'a Value,
    /// Where tokens come from.
    pub(crate) issuer: String,
    /// Where nobody listens.
    pub(crate) unreachable: String,
    /// Whom tokens are for.
    pub(crate) client: String,
}

impl Fixtures<'_> {
    /// The set-up of this name.
    pub(crate) fn setup(&self, name: &str) -> Result<Setup, Unknown> {
        self.read(&self.whole(name, 0)?)
    }

    /// The members of a fixture, those of the one that it is like included.
    pub(crate) fn whole(&self, name: &str, depth: usize) -> Result<Map<String, Value>, Unknown> {
        let own = self.apis.get(name).and_then(Value::as_object);
        let own = own.ok_or_else(|| Unknown::new(format!("set-up `{name}`")))?;
        let mut whole = match own.get("as").and_then(Value::as_str) {
            Some(_) if depth > 8 => return Err(Unknown::new(format!("set-up `{name}` is like itself"))),
            Some(base) => self.whole(base, depth + 1)?,
            None => Map::new(),
        };
        for (member, value) in own.iter().filter(|(member, _)| *member != "as") {
            self.put(&mut whole, member, value);
        }
        Ok(whole)
    }

    /// Members that are about the authorizer may stand beside the routes.
    fn put(&self, whole: &mut Map<String, Value>, member: &str, value: &Value) {
        let always = ["identitySource", "ttl", "simple", "format", "type"];
        let guarded = whole.get("authorizer").is_some_and(Value::is_object);
        let about_it = always.contains(&member) || guarded && ["lambda", "lambda_permission"].contains(&member);
        if !about_it {
            whole.insert(member.to_owned(), value.clone());
            return;
        }
        let authorizer = whole.entry("authorizer").or_insert_with(|| json!({}));
        authorizer[member] = value.clone();
        // What stood there before it was known that there is an authorizer is about it too.
        for late in ["lambda", "lambda_permission"] {
            if let Some(value) = whole.remove(late) {
                whole["authorizer"][late] = value;
            }
        }
    }

    fn read(&self, fixture: &Map<String, Value>) -> Result<Setup, Unknown> {
        let mut setup = Setup::default();
        for (member, value) in fixture {
            match member.as_str() {
                "routes" => setup.routes = texts(value)?.iter().map(|route| route_and_scopes(route)).collect(),
                "payload" => setup.payload = text(value)?,
                "stages" => setup.stages = texts(value)?,
                "stageVariables" => setup.variables = value.clone(),
                "lambda" => setup.function = integration_script(&text(value)?)?,
                "function_timeout_s" => setup.function_timeout = number(value)?,
                "integration_timeout_ms" => setup.integration_timeout = Some(number(value)?),
                "lambda_permission" => setup.permission = value != &Value::Bool(false),
                "route_settings" => setup.throttle = Some(limits(value)?),
                "function_url" => setup.function_url = value == &Value::Bool(true),
                "cors" => setup.cors = Some(titled(value)),
                "authorizer" => setup.guard = self.guard(value)?,
                "authorizationType" if value == "AWS_IAM" => setup.guard = Guard::Iam,
                "authorizationType" if value == "NONE" => setup.guard = Guard::Open,
                _ => return Err(Unknown::new(format!("set-up member `{member}`: {value}"))),
            }
        }
        if setup.routes.is_empty() {
            setup.routes.push(("GET /p".to_owned(), Vec::new()));
        }
        Ok(setup)
    }

    fn guard(&self, value: &Value) -> Result<Guard, Unknown> {
        match value {
            Value::String(words) => self.jwt(words),
            Value::Object(members) if members.get("type").is_some_and(|kind| kind == "JWT") => self.jwt_object(members),
            Value::Object(members) => request_guard(members),
            _ => Err(Unknown::new(format!("authorizer {value}"))),
        }
    }

    /// Words such as `jwt, identitySource $request.querystring.param` or `jwt whose issuer is unreachable`.
    fn jwt(&self, words: &str) -> Result<Guard, Unknown> {
        let rest = words.strip_prefix("jwt").ok_or_else(|| Unknown::new(format!("authorizer `{words}`")))?;
        let rest = rest.trim_start_matches([',', ' ']);
        let mut source = "$request.header.Authorization".to_owned();
        let mut issuer = self.issuer.clone();
        if let Some(named) = rest.strip_prefix("identitySource ") {
            source = named.to_owned();
        } else if rest.contains("unreachable") {
            issuer.clone_from(&self.unreachable);
        } else if !rest.is_empty() && !rest.starts_with("(see ") {
            return Err(Unknown::new(format!("authorizer `{words}`")));
        }
        Ok(Guard::Jwt { source, issuer, audience: vec![self.client.clone()] })
    }

    fn jwt_object(&self, members: &Map<String, Value>) -> Result<Guard, Unknown> {
        let placed = |value: &str| value.replace("${ISSUER}", &self.issuer).replace("${CLIENT_ID}", &self.client);
        let mut source = "$request.header.Authorization".to_owned();
        let mut issuer = self.issuer.clone();
        let mut audience = vec![self.client.clone()];
        for (member, value) in members {
            match member.as_str() {
                "type" => {}
                "identitySource" => source = texts(value)?.first().cloned().unwrap_or_default(),
                "issuer" => issuer = placed(&text(value)?),
                "audience" => audience = texts(value)?.iter().map(|value| placed(value)).collect(),
                _ => return Err(Unknown::new(format!("member `{member}` of a JWT authorizer"))),
            }
        }
        Ok(Guard::Jwt { source, issuer, audience })
    }

    /// The authorizer of a case, laid over the one that every case has.
    pub(crate) fn jwt_over(&self, base: &Value, own: &Value) -> Result<Guard, Unknown> {
        let mut members = base.as_object().cloned().unwrap_or_default();
        members.extend(own.as_object().cloned().unwrap_or_default());
        self.jwt_object(&members)
    }
}

/// A Lambda authorizer from the members that describe it.
pub(crate) fn request_guard(members: &Map<String, Value>) -> Result<Guard, Unknown> {
    let words = members.get("lambda").map(text).transpose()?.unwrap_or_else(|| "always allow".to_owned());
    let mut sources = vec!["$request.header.Authorization".to_owned()];
    let mut format = "2.0".to_owned();
    let (mut simple, mut lifetime, mut permission) = (None, 0, true);
    for (member, value) in members {
        match member.as_str() {
            "lambda" => {}
            "type" if value == "REQUEST" => {}
            "identitySource" => sources = texts(value)?,
            "format" => format = text(value)?,
            "simple" => simple = value.as_bool(),
            "ttl" | "resultTtl" => lifetime = number(value)?,
            "lambda_permission" => permission = value != &Value::Bool(false),
            _ => return Err(Unknown::new(format!("member `{member}` of an authorizer: {value}"))),
        }
    }
    // Format 1.0 knows policies only.
    let simple = format != "1.0" && simple.unwrap_or(true);
    let script = authorizer_script(&words, simple)?;
    Ok(Guard::Request { sources, format, simple, lifetime, script, permission })
}

fn integration_script(words: &str) -> Result<Value, Unknown> {
    Ok(match words {
        "echo_event" | "scripted" => json!({ "do": "echo" }),
        "throw" => json!({ "do": "throw" }),
        "sleep" => json!({ "do": "sleep", "seconds": 3 }),
        _ => return Err(Unknown::new(format!("function `{words}`"))),
    })
}

/// What an authorizer's function does, from words such as `allow iff header == '123'`.
fn authorizer_script(words: &str, simple: bool) -> Result<Value, Unknown> {
    let known = words.to_ascii_lowercase();
    let mut script = json!({ "do": "authorize", "simple": simple });
    let quoted = words.split('\'').nth(1);
    if known == "throw" {
        return Ok(json!({ "do": "throw" }));
    } else if known == "sleep" {
        return Ok(json!({ "do": "sleep", "seconds": 12 }));
    } else if known.contains("iff") && quoted.is_some() {
        script["only"] = json!(quoted);
    } else if known.contains("deny unless token") {
        script["needs_token"] = true.into();
    } else if known.contains("only event.routearn") {
        script["narrow"] = true.into();
    } else if known.contains("typed context") {
        script["context"] = typed_context();
    } else if known.contains("deny") {
        script["never"] = true.into();
    } else if known != "scripted" && !known.contains("allow") && !known.contains("records") {
        return Err(Unknown::new(format!("authorizer function `{words}`")));
    }
    Ok(script)
}

/// The context of the example in AWS's own documentation.
fn typed_context() -> Value {
    json!({
        "stringKey": "value", "numberKey": 1, "booleanKey": true, "arrayKey": ["value1", "value2"],
        "mapKey": { "value1": "value2" },
    })
}

/// `GET /secure scopes=[a, b]` as a route key and its scopes.
fn route_and_scopes(route: &str) -> (String, Vec<String>) {
    match route.split_once(" scopes=[") {
        Some((key, scopes)) => {
            let scopes = scopes.trim_end_matches(']').split(',').map(|scope| scope.trim().to_owned());
            (key.to_owned(), scopes.filter(|scope| !scope.is_empty()).collect())
        }
        None => (route.to_owned(), Vec::new()),
    }
}

fn limits(value: &Value) -> Result<(Value, Value), Unknown> {
    let member = |name: &str| value.get(name).cloned().ok_or_else(|| Unknown::new(format!("route_settings {value}")));
    Ok((member("burst")?, member("rate")?))
}

/// Members under CloudFormation's names.
fn titled(value: &Value) -> Value {
    let members = value.as_object().into_iter().flatten().map(|(name, value)| {
        let (first, rest) = name.split_at(1);
        (first.to_ascii_uppercase() + rest, value.clone())
    });
    Value::Object(members.collect())
}

/// A text.
pub(crate) fn text(value: &Value) -> Result<String, Unknown> {
    value.as_str().map(str::to_owned).ok_or_else(|| Unknown::new(format!("a text, not {value}")))
}

/// A list of texts, or a single one.
pub(crate) fn texts(value: &Value) -> Result<Vec<String>, Unknown> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        value => Ok(vec![text(value)?]),
    }
}

/// A number.
pub(crate) fn number(value: &Value) -> Result<u64, Unknown> {
    value.as_u64().ok_or_else(|| Unknown::new(format!("a number, not {value}")))
}
