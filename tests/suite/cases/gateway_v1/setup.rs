//! What a case about a REST API needs before anything is sent.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_cloudformation::types::Parameter;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::control;
use crate::cases::Unknown;
use crate::cases::setup::{Standing, World, function, number, permission, text, texts};

/// How many set-ups there are: each has an API key of its own, since those of an account differ.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// The path under which API Gateway invokes functions.
const INVOCATION: &str = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${NAME.Arn}/invocations";

/// An API as a fixture describes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Setup {
    stage: String,
    methods: Vec<Method>,
    authorizer: Option<Authorizer>,
    function: Value,
    /// Properties of the API itself.
    api: Map<String, Value>,
    /// Properties of every integration with the function.
    integration: Map<String, Value>,
    /// Whether the integration passes on to an endpoint.
    endpoint: bool,
    plan: Option<Value>,
    /// The value of the one API key.
    pub(super) key: String,
    key_enabled: bool,
    key_in_plan: bool,
    validator: Option<(bool, bool)>,
    parameters: Vec<String>,
    model: Option<Value>,
    scopes: Vec<String>,
    responses: Vec<Value>,
    preflight: Map<String, Value>,
    /// How the stage keeps answers, where it does.
    cache: Option<Cache>,
}

/// What a stage keeps of its answers.
#[derive(Debug, Clone)]
struct Cache {
    lifetime: u64,
    /// Parameters that tell answers apart, such as `querystring.type`.
    keys: Vec<String>,
    namespace: Option<String>,
    /// Methods that have settings of their own, such as `POST /cached`.
    methods: Vec<String>,
    /// What CloudFormation has no property for: changes of the stage.
    changes: Vec<Value>,
}

/// A method of the API.
#[derive(Debug, Clone)]
struct Method {
    verb: String,
    path: String,
    mock: bool,
    key: bool,
    authorization: Authorization,
    /// Integration responses, where it is no proxy: pattern and status.
    selection: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Authorization {
    Open,
    Iam,
    Guarded,
}

#[derive(Debug, Clone)]
struct Authorizer {
    kind: String,
    source: String,
    expression: Option<String>,
    lifetime: Option<u64>,
    script: Value,
}

impl Authorizer {
    fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            source: "method.request.header.Authorization".to_owned(),
            expression: None,
            lifetime: None,
            script: json!({ "do": "verdict" }),
        }
    }
}

impl Setup {
    /// The set-up of a fixture, with what the case changes of it. Its name says of which kind an authorizer is whose
    /// fixture does not.
    pub(super) fn read(
        name: &str,
        fixture: &Map<String, Value>,
        request: &Map<String, Value>,
    ) -> Result<Self, Unknown> {
        let mut setup = Self {
            stage: called_stage(request),
            function: json!({ "do": "echo" }),
            key: format!("case-key-0123456789-{}", MADE.fetch_add(1, Ordering::Relaxed)),
            key_enabled: true,
            key_in_plan: true,
            ..Self::default()
        };
        let implied = || ["authz_token", "authz_request"].iter().any(|kind| name.starts_with(kind)).then(|| json!({}));
        if let Some(mut described) = fixture.get("authorizer").cloned().or_else(implied) {
            if let (Some(words), Some(members)) = (fixture.get("lambda"), described.as_object_mut()) {
                members.insert("lambda".to_owned(), words.clone());
            }
            setup.authorizer = Some(authorizer(name, &described, &setup.key)?);
        }
        let overridden = request.get("api_override").and_then(Value::as_object).cloned().unwrap_or_default();
        for (member, value) in fixture.iter().chain(&overridden) {
            setup.take(member, value)?;
        }
        if setup.methods.is_empty() {
            return Err(Unknown::new("the set-up names no method"));
        }
        if setup.api.get("ApiKeySourceType").is_some() {
            setup.methods.iter_mut().for_each(|method| method.key = true);
        }
        if let Some(parameters) = request.get("method_params") {
            setup.parameters = texts(parameters)?;
        }
        if let Some(size) = request.get("lambda_body_bytes") {
            let size = usize::try_from(number(size)?).map_err(|error| Unknown::new(error.to_string()))?;
            setup.function = json!({ "do": "return", "value": { "statusCode": 200, "body": "x".repeat(size) } });
        }
        for name in ["lambda_returns", "lambda_returns_raw"] {
            if let Some(value) = request.get(name) {
                let does = if name == "lambda_returns" { "return" } else { "raw" };
                setup.function = json!({ "do": does, "value": value });
            }
        }
        if let (Some(value), Some(authorizer)) = (request.get("authorizer_returns"), &mut setup.authorizer) {
            authorizer.script = json!({ "do": "return", "value": value });
        }
        Ok(setup)
    }

    fn take(&mut self, member: &str, value: &Value) -> Result<(), Unknown> {
        let unknown = || Unknown::new(format!("set-up member `{member}`: {value}"));
        match member {
            "stage" => self.stage = text(value)?,
            "methods" => {
                for words in texts(value)? {
                    self.methods.extend(methods(&words, self.authorizer.is_some())?);
                }
                if self.methods.iter().any(|method| method.authorization == Authorization::Guarded) {
                    self.authorizer.get_or_insert_with(|| Authorizer::new("TOKEN"));
                }
            }
            "authorizer" | "identitySource" | "ttl" | "type" => {}
            "lambda" if self.authorizer.is_some() => {}
            "lambda" => self.function = script(&text(value)?)?,
            "binaryMediaTypes" => drop(self.api.insert("BinaryMediaTypes".to_owned(), value.clone())),
            "minimumCompressionSize" => drop(self.api.insert("MinimumCompressionSize".to_owned(), value.clone())),
            "cache" => self.cache = Some(Cache::read(value)?),
            "apiKeySource" => drop(self.api.insert("ApiKeySourceType".to_owned(), value.clone())),
            "policy" => drop(self.api.insert("Policy".to_owned(), resource_policy(&text(value)?)?)),
            "integration_timeout_ms" => {
                self.integration.insert("TimeoutInMillis".to_owned(), number(value)?.into());
                self.function = json!({ "do": "sleep", "seconds": 3 });
            }
            "integration_method" => drop(self.integration.insert("IntegrationHttpMethod".to_owned(), value.clone())),
            "integration" if text(value)?.starts_with("HTTP_PROXY") => self.endpoint = true,
            "plan" => self.plan = Some(value.clone()),
            "key_enabled" => self.key_enabled = value != &Value::Bool(false),
            "key_in_plan" => self.key_in_plan = value != &Value::Bool(false),
            "validator" => {
                self.validator = match text(value)?.as_str() {
                    "params+body" => Some((true, true)),
                    "params" => Some((true, false)),
                    "body" => Some((false, true)),
                    "none" => None,
                    _ => return Err(unknown()),
                };
            }
            "params" => self.parameters = texts(value)?,
            "model" => self.model = Some(value.clone()),
            "authorizationScopes" => self.scopes = texts(value)?,
            "validation" => {
                let authorizer = self.authorizer.as_mut().ok_or_else(unknown)?;
                authorizer.expression = Some(text(value)?);
            }
            "header" => {
                let authorizer = self.authorizer.as_mut().ok_or_else(unknown)?;
                authorizer.source = format!("method.request.header.{}", text(value)?);
            }
            "gatewayResponses" => {
                for (kind, response) in value.as_object().ok_or_else(unknown)? {
                    self.responses.push(gateway_response(kind, response));
                }
            }
            "headers" | "template" => {
                let response = self.responses.last_mut().ok_or_else(unknown)?;
                match member {
                    "headers" => response["ResponseParameters"] = response_headers(value),
                    _ => response["ResponseTemplates"] = json!({ "application/json": value }),
                }
            }
            "cors" => self.preflight = value.as_object().cloned().ok_or_else(unknown)?,
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// Which of the methods answered, as cases name it: the resource, and where it is asked for its method.
    pub(super) fn served_by(&self, event: &Value, whole: bool) -> String {
        let resource = event["resource"].as_str().unwrap_or_default();
        let verb = event["httpMethod"].as_str().unwrap_or_default();
        let own = self.methods.iter().any(|method| method.path == resource && method.verb == verb);
        match whole {
            true => format!("{resource} {}", if own { verb } else { "ANY" }),
            false => resource.to_owned(),
        }
    }

    /// Deploys it.
    pub(super) async fn stand_up(&self, world: &World, endpoint: Option<&Endpoint>) -> Result<Standing, String> {
        let mut scripts = vec![("function", self.function.clone())];
        if let Some(authorizer) = &self.authorizer {
            scripts.push(("authorizer", authorizer.script.clone()));
        }
        let address = endpoint.map(|endpoint| endpoint.address.clone());
        let template = |journal: &str| (self.template(journal, address.as_deref()), Vec::<Parameter>::new());
        let standing = world.deploy(&scripts, template).await?;
        let changes = self.cache.iter().flat_map(|cache| cache.changes.clone()).collect::<Vec<_>>();
        match changes.is_empty() || control::change_stage(world, &standing.api, &self.stage, changes).await {
            true => Ok(standing),
            false => Err("the settings of the stage are refused".to_owned()),
        }
    }

    /// The stage's name.
    pub(super) fn stage(&self) -> &str {
        &self.stage
    }

    fn template(&self, journal: &str, endpoint: Option<&str>) -> Value {
        let mut sheet = Sheet::default();
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }] });
        sheet.add("Role", "AWS::IAM::Role", json!({ "AssumeRolePolicyDocument": trust }));
        sheet.add("Function", "AWS::Lambda::Function", function(journal, "function", 10));
        sheet.add("Permission", "AWS::Lambda::Permission", permission("Function", "/*/*"));
        let mut api = self.api.clone();
        api.insert("Name".to_owned(), "case".into());
        sheet.add("Api", "AWS::ApiGateway::RestApi", Value::Object(api));
        self.add_authorizer(&mut sheet, journal);
        self.add_validation(&mut sheet);
        for (index, response) in self.responses.iter().enumerate() {
            sheet.add(&format!("Response{index}"), "AWS::ApiGateway::GatewayResponse", of_api(response.clone()));
        }
        for (index, method) in self.methods.iter().enumerate() {
            let resource = sheet.resource(&method.path);
            let properties = self.method(method, resource, endpoint);
            sheet.add(&format!("Method{index}"), "AWS::ApiGateway::Method", properties);
        }
        sheet.deploy(&self.stage, self.cache.as_ref());
        self.add_plan(&mut sheet);
        sheet.template()
    }

    fn add_authorizer(&self, sheet: &mut Sheet, journal: &str) {
        let Some(authorizer) = &self.authorizer else { return };
        let mut properties = json!({ "Name": "guard", "Type": authorizer.kind });
        if !authorizer.source.is_empty() {
            properties["IdentitySource"] = authorizer.source.as_str().into();
        }
        if let Some(expression) = &authorizer.expression {
            properties["IdentityValidationExpression"] = match expression.as_str() {
                "${CLIENT_ID}" => json!({ "Ref": "Client" }),
                expression => expression.into(),
            };
        }
        if let Some(lifetime) = authorizer.lifetime {
            properties["AuthorizerResultTtlInSeconds"] = lifetime.into();
        }
        if authorizer.kind == "COGNITO_USER_POOLS" {
            sheet.add("Pool", "AWS::Cognito::UserPool", json!({}));
            sheet.add("Client", "AWS::Cognito::UserPoolClient", json!({ "UserPoolId": { "Ref": "Pool" } }));
            properties["ProviderARNs"] = json!([{ "Fn::GetAtt": ["Pool", "Arn"] }]);
            sheet.output("Pool");
            sheet.output("Client");
        } else {
            sheet.add("Guard", "AWS::Lambda::Function", function(journal, "authorizer", 10));
            sheet.add("GuardPermission", "AWS::Lambda::Permission", permission("Guard", "/authorizers/*"));
            properties["AuthorizerUri"] = invocation("Guard");
        }
        sheet.add("Authorizer", "AWS::ApiGateway::Authorizer", of_api(properties));
    }

    fn add_validation(&self, sheet: &mut Sheet) {
        if let Some((parameters, body)) = self.validator {
            let validator = json!({ "ValidateRequestParameters": parameters, "ValidateRequestBody": body });
            sheet.add("Validator", "AWS::ApiGateway::RequestValidator", of_api(validator));
        }
        if let Some(schema) = &self.model {
            let model = json!({ "Name": "Input", "ContentType": "application/json", "Schema": schema });
            sheet.add("Model", "AWS::ApiGateway::Model", of_api(model));
        }
    }

    fn method(&self, method: &Method, resource: Value, endpoint: Option<&str>) -> Value {
        let mut properties = json!({
            "ResourceId": resource, "HttpMethod": method.verb, "ApiKeyRequired": method.key,
            "AuthorizationType": "NONE", "Integration": self.integration(method, endpoint),
        });
        match (method.authorization, &self.authorizer) {
            (Authorization::Iam, _) => properties["AuthorizationType"] = "AWS_IAM".into(),
            (Authorization::Guarded, Some(authorizer)) => {
                let kind = if authorizer.kind == "COGNITO_USER_POOLS" { "COGNITO_USER_POOLS" } else { "CUSTOM" };
                properties["AuthorizationType"] = kind.into();
                properties["AuthorizerId"] = json!({ "Ref": "Authorizer" });
                if !self.scopes.is_empty() {
                    properties["AuthorizationScopes"] = json!(self.scopes);
                }
            }
            _ => {}
        }
        if self.validator.is_some() {
            properties["RequestValidatorId"] = json!({ "Ref": "Validator" });
        }
        if self.model.is_some() {
            properties["RequestModels"] = json!({ "application/json": { "Ref": "Model" } });
        }
        let keys = self.cache.iter().flat_map(Cache::keys).map(|key| (key, json!(false)));
        let parameters = self.parameters.iter().map(|name| (format!("method.request.{name}"), json!(true))).chain(keys);
        properties["RequestParameters"] = Value::Object(parameters.collect());
        if !method.selection.is_empty() {
            let codes = method.selection.iter().map(|(_, status)| json!({ "StatusCode": status }));
            properties["MethodResponses"] = codes.collect();
        } else if method.mock {
            let mapped = self.preflight_headers();
            let parameters: Value = mapped.keys().map(|name| (name.clone(), json!(true))).collect();
            properties["MethodResponses"] = json!([{ "StatusCode": "200", "ResponseParameters": parameters }]);
        }
        of_api(properties)
    }

    fn integration(&self, method: &Method, endpoint: Option<&str>) -> Value {
        if method.mock {
            return json!({
                "Type": "MOCK", "RequestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "IntegrationResponses": [{ "StatusCode": "200", "ResponseParameters": self.preflight_headers() }],
            });
        }
        if let Some(address) = endpoint {
            return json!({ "Type": "HTTP_PROXY", "IntegrationHttpMethod": "GET", "Uri": address });
        }
        let kind = if method.selection.is_empty() { "AWS_PROXY" } else { "AWS" };
        let mut integration = json!({ "Type": kind, "IntegrationHttpMethod": "POST", "Uri": invocation("Function") });
        for (name, value) in &self.integration {
            integration[name] = value.clone();
        }
        if let Some(cache) = &self.cache {
            integration["CacheKeyParameters"] = cache.keys().collect();
            integration["CacheNamespace"] = json!(cache.namespace);
            integration.as_object_mut().expect("it is an object").retain(|_, value| !value.is_null());
        }
        if !method.selection.is_empty() {
            let responses = method.selection.iter().map(|(pattern, status)| match pattern.as_str() {
                "" => json!({ "StatusCode": status }),
                pattern => json!({ "StatusCode": status, "SelectionPattern": pattern }),
            });
            integration["IntegrationResponses"] = responses.collect();
        }
        integration
    }

    /// What preflight answers map, where this is about them.
    fn preflight_headers(&self) -> Map<String, Value> {
        const NAMES: [(&str, &str); 4] = [
            ("methods", "Access-Control-Allow-Methods"),
            ("origin", "Access-Control-Allow-Origin"),
            ("headers", "Access-Control-Allow-Headers"),
            ("maxAge", "Access-Control-Max-Age"),
        ];
        let mapped = NAMES.iter().filter_map(|(word, header)| {
            Some((format!("method.response.header.{header}"), self.preflight.get(*word)?.clone()))
        });
        mapped.collect()
    }

    fn add_plan(&self, sheet: &mut Sheet) {
        if !self.methods.iter().any(|method| method.key) && self.api.get("ApiKeySourceType").is_none() {
            return;
        }
        sheet.add("Key", "AWS::ApiGateway::ApiKey", json!({ "Value": self.key, "Enabled": self.key_enabled }));
        let member = |name: &str| self.plan.as_ref().and_then(|plan| plan.get(name));
        let mut plan = json!({ "ApiStages": [{ "ApiId": { "Ref": "Api" }, "Stage": { "Ref": "Stage" } }] });
        if let Some(limit) = member("quota") {
            let period = member("period").cloned().unwrap_or_else(|| "MONTH".into());
            plan["Quota"] = json!({ "Limit": limit, "Period": period });
        }
        if let (Some(rate), Some(burst)) = (member("rate"), member("burst")) {
            plan["Throttle"] = json!({ "RateLimit": rate, "BurstLimit": burst });
        }
        for (method, limits) in member("methods").and_then(Value::as_object).into_iter().flatten() {
            let limits = json!({ "RateLimit": limits["rate"], "BurstLimit": limits["burst"] });
            plan["ApiStages"][0]["Throttle"][method] = limits;
        }
        sheet.add("Plan", "AWS::ApiGateway::UsagePlan", plan);
        if self.key_in_plan {
            let key = json!({ "KeyId": { "Ref": "Key" }, "KeyType": "API_KEY", "UsagePlanId": { "Ref": "Plan" } });
            sheet.add("PlanKey", "AWS::ApiGateway::UsagePlanKey", key);
        }
    }
}

impl Cache {
    fn read(described: &Value) -> Result<Self, Unknown> {
        let mut cache =
            Self { lifetime: 300, keys: Vec::new(), namespace: None, methods: Vec::new(), changes: Vec::new() };
        for (member, value) in described.as_object().into_iter().flatten() {
            match member.as_str() {
                "ttl" => cache.lifetime = number(value)?,
                "keys" => cache.keys = texts(value)?,
                "namespace" => cache.namespace = Some(text(value)?),
                "methods" => cache.methods = texts(value)?,
                "requireAuthorization" => {
                    cache.change("requireAuthorizationForCacheControl", &value.to_string());
                }
                "unauthorized" => cache.change("unauthorizedCacheControlHeaderStrategy", &text(value)?),
                _ => return Err(Unknown::new(format!("member `{member}` of a cache: {value}"))),
            }
        }
        Ok(cache)
    }

    fn change(&mut self, name: &str, value: &str) {
        self.changes.push(json!({ "op": "replace", "path": format!("/*/*/caching/{name}"), "value": value }));
    }

    fn keys(&self) -> impl Iterator<Item = String> {
        self.keys.iter().map(|key| format!("method.request.{key}"))
    }

    /// The settings of the stage: of all methods, and of those that have their own.
    fn settings(&self) -> Value {
        let setting = |verb: &str, path: &str| {
            json!({
                "HttpMethod": verb, "ResourcePath": path, "CachingEnabled": true, "CacheTtlInSeconds": self.lifetime,
            })
        };
        let own = self.methods.iter().filter_map(|method| method.split_once(' '));
        std::iter::once(setting("*", "/*")).chain(own.map(|(verb, path)| setting(verb, path))).collect()
    }
}

/// The stage that a request names, for fixtures that name none.
fn called_stage(request: &Map<String, Value>) -> String {
    let first = request.get("sequence").and_then(|steps| steps[0].get("path"));
    let path = request.get("path").or(first).and_then(Value::as_str).unwrap_or_default();
    path.split('/').nth(1).filter(|stage| !stage.is_empty()).unwrap_or("test").to_owned()
}

fn authorizer(name: &str, described: &Value, key: &str) -> Result<Authorizer, Unknown> {
    if let Some(words) = described.as_str() {
        let mut authorizer = Authorizer::new(words.split([';', ',', ' ']).next().unwrap_or("TOKEN"));
        if words.contains("usageIdentifierKey") {
            authorizer.script["key"] = key.into();
        }
        return Ok(authorizer);
    }
    let members = described.as_object().ok_or_else(|| Unknown::new(format!("authorizer {described}")))?;
    let implied = if name.starts_with("authz_request") { "REQUEST" } else { "TOKEN" };
    let mut authorizer = Authorizer::new(members.get("type").and_then(Value::as_str).unwrap_or(implied));
    if authorizer.kind == "REQUEST" && !members.contains_key("identitySource") {
        (authorizer.source, authorizer.lifetime) = (String::new(), Some(0));
    }
    for (member, value) in members {
        match member.as_str() {
            "type" | "pools" => {}
            "header" => authorizer.source = format!("method.request.header.{}", text(value)?),
            "identitySource" => authorizer.source = text(value)?,
            "ttl" => authorizer.lifetime = value.as_u64(),
            "lambda" => authorizer.script = verdict(&text(value)?)?,
            _ => return Err(Unknown::new(format!("member `{member}` of an authorizer: {value}"))),
        }
    }
    Ok(authorizer)
}

/// What an authorizer's function does, from words such as `Allow only .../GET/lambda-token`.
fn verdict(words: &str) -> Result<Value, Unknown> {
    let mut script = json!({ "do": "verdict" });
    if let Some(path) = words.strip_prefix("Allow only .../") {
        script["always"] = true.into();
        script["only"] = path.into();
    } else if words.starts_with("Allow only event.methodArn") || words.starts_with("records") {
        script["always"] = true.into();
    } else if words.starts_with("fails with") {
        script["fails"] = true.into();
    } else if !words.is_empty() && !words.starts_with("Allow iff token=='allow'") && words != "scripted" {
        return Err(Unknown::new(format!("authorizer function `{words}`")));
    }
    Ok(script)
}

/// What the API itself says of its callers.
fn resource_policy(words: &str) -> Result<Value, Unknown> {
    let everybody = json!("*");
    let somebody = json!({ "AWS": "arn:aws:iam::000000000000:role/somebody" });
    let (effect, principal) = match words {
        "Allow *" => ("Allow", everybody),
        "Deny *" => ("Deny", everybody),
        // There is no matching Allow; an explicit deny is worded longer, and both are taken.
        "Deny * / no matching Allow" | "names somebody else" => ("Allow", somebody),
        _ => return Err(Unknown::new(format!("resource policy `{words}`"))),
    };
    let statement = json!({
        "Effect": effect, "Principal": principal, "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
    });
    Ok(json!({ "Version": "2012-10-17", "Statement": [statement] }))
}

fn script(words: &str) -> Result<Value, Unknown> {
    match words {
        "echo_event" | "scripted" => Ok(json!({ "do": "echo" })),
        "throw" => Ok(json!({ "do": "throw" })),
        _ => Err(Unknown::new(format!("function `{words}`"))),
    }
}

/// The methods that a line such as `GET|POST /nested/{test}` or `GET /path MOCK` stands for.
fn methods(words: &str, guarded: bool) -> Result<Vec<Method>, Unknown> {
    let unknown = || Unknown::new(format!("method `{words}`"));
    let (verbs, rest) = words.split_once(' ').ok_or_else(unknown)?;
    let (path, about) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut authorization = if guarded { Authorization::Guarded } else { Authorization::Open };
    let (mut mock, mut key, mut selection) = (false, false, Vec::new());
    if let Some(responses) = about.strip_prefix("non-proxy Lambda; integration responses ") {
        selection = responses.split(", ").map(selected).collect::<Option<_>>().ok_or_else(unknown)?;
    } else {
        match about.trim_matches(|c| c == '(' || c == ')') {
            "" | "Lambda" => {}
            "MOCK" => mock = true,
            "Lambda proxy" => {}
            "open" => authorization = Authorization::Open,
            "AWS_IAM" => authorization = Authorization::Iam,
            "apiKeyRequired MOCK" => (mock, key) = (true, true),
            "authorizer denies" | "with TOKEN authorizer" => authorization = Authorization::Guarded,
            "generated by CORS config, authorization NONE" => (mock, authorization) = (true, Authorization::Open),
            _ => return Err(unknown()),
        }
    }
    let method = |verb: &str| Method {
        verb: verb.to_owned(),
        path: path.to_owned(),
        mock,
        key,
        authorization,
        selection: selection.clone(),
    };
    Ok(verbs.split('|').map(method).collect())
}

/// `'.+' -> 502` as a pattern and a status.
fn selected(words: &str) -> Option<(String, String)> {
    let (pattern, status) = words.split_once(" -> ")?;
    Some((pattern.trim_matches('\'').to_owned(), status.to_owned()))
}

fn gateway_response(kind: &str, described: &Value) -> Value {
    let mut response = json!({ "ResponseType": kind });
    let mut headers = described.as_object().cloned().unwrap_or_default();
    if let Some(status) = headers.remove("status") {
        response["StatusCode"] = status.to_string().into();
    }
    response["ResponseParameters"] = response_headers(&Value::Object(headers));
    response
}

fn response_headers(headers: &Value) -> Value {
    let headers = headers.as_object().into_iter().flatten();
    headers.map(|(name, value)| (format!("gatewayresponse.header.{name}"), value.clone())).collect()
}

fn invocation(function: &str) -> Value {
    json!({ "Fn::Sub": INVOCATION.replace("NAME", function) })
}

/// The properties of something that belongs to the API.
fn of_api(mut properties: Value) -> Value {
    properties["RestApiId"] = json!({ "Ref": "Api" });
    properties
}

/// A template in the making.
#[derive(Default)]
struct Sheet {
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
    paths: Vec<String>,
}

impl Sheet {
    fn add(&mut self, id: &str, kind: &str, properties: Value) {
        self.resources.insert(id.to_owned(), json!({ "Type": kind, "Properties": properties }));
    }

    fn output(&mut self, id: &str) {
        self.outputs.insert(id.to_owned(), json!({ "Value": { "Ref": id } }));
    }

    /// A reference to the resource of a path, made with those above it if need be.
    fn resource(&mut self, path: &str) -> Value {
        if path == "/" {
            return json!({ "Fn::GetAtt": ["Api", "RootResourceId"] });
        }
        let position = self.paths.iter().position(|known| known == path);
        let index = position.unwrap_or_else(|| {
            let (above, part) = path.rsplit_once('/').expect("a path begins with a slash");
            let parent = self.resource(if above.is_empty() { "/" } else { above });
            self.paths.push(path.to_owned());
            let index = self.paths.len() - 1;
            let properties = of_api(json!({ "ParentId": parent, "PathPart": part }));
            self.add(&format!("Path{index}"), "AWS::ApiGateway::Resource", properties);
            index
        });
        json!({ "Ref": format!("Path{index}") })
    }

    /// Adds a deployment of all that there is so far, and the stage that serves it.
    fn deploy(&mut self, stage: &str, cache: Option<&Cache>) {
        let captured = |id: &&String| ["Method", "Response"].iter().any(|kind| id.starts_with(kind));
        let captured: Vec<String> = self.resources.keys().filter(captured).cloned().collect();
        self.add("Deployment", "AWS::ApiGateway::Deployment", of_api(json!({})));
        self.resources["Deployment"]["DependsOn"] = captured.into();
        let mut stage = json!({ "StageName": stage, "DeploymentId": { "Ref": "Deployment" } });
        if let Some(cache) = cache {
            stage["CacheClusterEnabled"] = true.into();
            stage["CacheClusterSize"] = "0.5".into();
            stage["MethodSettings"] = cache.settings();
        }
        self.add("Stage", "AWS::ApiGateway::Stage", of_api(stage));
        self.output("Api");
    }

    fn template(self) -> Value {
        json!({ "Resources": self.resources, "Outputs": self.outputs })
    }
}

/// An endpoint of somebody else's.
pub(super) struct Endpoint {
    address: String,
    serving: JoinHandle<()>,
}

impl Endpoint {
    /// Starts one, where the set-up has need of it.
    pub(super) async fn start(setup: &Setup) -> Option<Self> {
        if !setup.endpoint {
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port can be had");
        let address = format!("http://{}/", listener.local_addr().expect("it has an address"));
        let serving = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
                              Server: case\r\nContent-Length: 2\r\n\r\nok";
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        Some(Self { address, serving })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
