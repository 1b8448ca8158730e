//! REST APIs: paths, methods, authorizers, refusals, stages, usage plans, custom domains.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::lambda::{invoke_permission, retained_for};
use super::{Synthesis, properties, value};
use crate::model::apigateway::{
    Authorizer, Backend, CustomDomain, EndpointType, HttpProxy, Mock, RestApi, Route, Segment, Stage, UsagePlan,
    Validates,
};
use crate::model::apigatewayv2::RouteKey;
use crate::model::ids;
use crate::model::lambda::Function;
use crate::model::reference::Target;
use crate::model::{Arn, Value as Declared};
use crate::template::{Resource, function};

mod account;
mod cors;
mod deployment;

pub(super) use account::add as add_account;
pub(super) use deployment::add as add_deployments;

/// What an access log says of a request where the stack does not choose: who, what, how it went, and why it was
/// refused. Nothing of the request's headers, since they carry tokens.
const LOG_FIELDS: [(&str, &str); 13] = [
    ("authorizerError", "$context.authorizer.error"),
    ("error", "$context.error.message"),
    ("errorType", "$context.error.responseType"),
    ("httpMethod", "$context.httpMethod"),
    ("integrationStatus", "$context.integrationStatus"),
    ("ip", "$context.identity.sourceIp"),
    ("path", "$context.path"),
    ("protocol", "$context.protocol"),
    ("requestId", "$context.requestId"),
    ("requestTime", "$context.requestTime"),
    ("resourcePath", "$context.resourcePath"),
    ("responseLength", "$context.responseLength"),
    ("status", "$context.status"),
];

pub(super) fn add(synthesis: &mut Synthesis, id: &str, declared: &RestApi) {
    synthesis.resource(id, api(id, declared));
    for (name, model) in &declared.models {
        let mut resource = Resource::new("AWS::ApiGateway::Model");
        resource.properties = properties(model);
        let resource = resource
            .property("RestApiId", function::reference(id))
            .property("Name", name.as_str())
            .property("Schema", model.schema.clone());
        synthesis.resource(&ids::model(id, name), resource);
    }
    for (name, authorizer) in &declared.authorizers {
        add_authorizer(synthesis, id, name, authorizer);
    }
    for path in declared.paths().keys().filter(|path| !path.is_empty()) {
        synthesis.resource(&ids::path(id, path), step(id, path));
    }
    for (key, route) in &declared.routes {
        add_route(synthesis, id, declared, (key, route));
    }
    cors::add(synthesis, id, declared);
    for (name, stage) in &declared.stages {
        add_stage(synthesis, id, declared, (name, stage));
    }
    add_usage(synthesis, id, declared);
    if let Some(domain) = &declared.custom_domain {
        add_domain(synthesis, id, declared, domain);
    }
}

fn api(id: &str, declared: &RestApi) -> Resource {
    let mut resource = Resource::new("AWS::ApiGateway::RestApi");
    resource.properties = properties(declared);
    let name = declared.name.as_ref().map_or_else(|| Value::from(id), value);
    let mut endpoint = json!({ "Types": [declared.endpoint_type] });
    if let Some(endpoint) = endpoint.as_object_mut().filter(|_| !declared.vpc_endpoint_ids.is_empty()) {
        endpoint.insert("VpcEndpointIds".to_owned(), json!(declared.vpc_endpoint_ids));
    }
    let resource = resource.property("Name", name).property("EndpointConfiguration", endpoint);
    if declared.policy.is_empty() {
        return resource;
    }
    let statements = declared.policy.iter().map(|statement| {
        let mut statement = properties(statement);
        statement.insert("Action".to_owned(), "execute-api:Invoke".into());
        Value::Object(statement)
    });
    resource.property("Policy", super::lambda::policy(statements))
}

/// One step of a path; what is before it is its parent.
fn step(api: &str, path: &[Segment]) -> Resource {
    let (last, parent) = path.split_last().map_or((String::new(), path), |(last, parent)| (last.to_string(), parent));
    Resource::new("AWS::ApiGateway::Resource")
        .property("RestApiId", function::reference(api))
        .property("ParentId", resource_id(api, parent))
        .property("PathPart", last)
}

fn resource_id(api: &str, path: &[Segment]) -> Value {
    match path {
        [] => function::get_att(api, "RootResourceId"),
        path => function::reference(&ids::path(api, path)),
    }
}

fn add_authorizer(synthesis: &mut Synthesis, api: &str, name: &str, declared: &Authorizer) {
    let authorizer = Resource::new("AWS::ApiGateway::Authorizer").property("RestApiId", function::reference(api));
    let own_name = |declared: &Option<String>| declared.clone().unwrap_or_else(|| name.to_owned());
    let mut resource = match declared {
        Authorizer::Token(token) => authorizer
            .property("Type", "TOKEN")
            .property("Name", own_name(&token.name))
            .property("IdentitySource", token.identity_source.as_str())
            .property("AuthorizerResultTtlInSeconds", token.authorizer_result_ttl_in_seconds),
        Authorizer::Request(request) => authorizer
            .property("Type", "REQUEST")
            .property("Name", own_name(&request.name))
            .property("AuthorizerResultTtlInSeconds", request.lifetime()),
        Authorizer::Cognito(cognito) => authorizer
            .property("Type", "COGNITO_USER_POOLS")
            .property("Name", own_name(&cognito.name))
            .property("IdentitySource", cognito.identity_source.as_str())
            .property("ProviderARNs", json!(cognito.user_pools))
            .property("AuthorizerResultTtlInSeconds", cognito.authorizer_result_ttl_in_seconds),
        Authorizer::Iam(_) => return,
    };
    match declared {
        Authorizer::Request(request) if !request.identity_sources.is_empty() => {
            resource = resource.property("IdentitySource", request.identity_sources.join(", "));
        }
        _ => {}
    }
    if let Some(expression) = validation(declared) {
        resource = resource.property("IdentityValidationExpression", expression);
    }
    if let Some(decider) = declared.function() {
        resource = resource.property("AuthorizerUri", invocation(&decider.arn()));
        let permission = authorizer_permission(api, name, &decider.arn());
        synthesis.resource(&ids::authorizer_permission(api, name), permission);
    }
    synthesis.resource(&ids::authorizer(api, name), resource);
}

fn validation(authorizer: &Authorizer) -> Option<&str> {
    match authorizer {
        Authorizer::Token(token) => token.identity_validation_expression.as_deref(),
        Authorizer::Cognito(cognito) => cognito.identity_validation_expression.as_deref(),
        Authorizer::Request(_) | Authorizer::Iam(_) => None,
    }
}

/// The permission of one authorizer, and of nothing else of the API, to invoke its function.
pub(super) fn authorizer_permission(api: &str, name: &str, decider: &Arn<Function>) -> Resource {
    let source = execution(api, &format!("authorizers/${{{}}}", ids::authorizer(api, name)));
    invoke_permission(decider, "apigateway.amazonaws.com", source)
}

/// The ARN of what an API executes.
fn execution(api: &str, what: &str) -> Value {
    function::sub(&format!(
        "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/{what}"
    ))
}

/// How API Gateway is told to invoke a function.
pub(super) fn invocation(target: &Arn<Function>) -> Value {
    const BEFORE: &str = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/";
    match target.target() {
        Target::Local(id) => function::sub(&format!("{BEFORE}${{{id}.Arn}}/invocations")),
        Target::Output(_) => {
            function::sub_with(&format!("{BEFORE}${{Function}}/invocations"), [("Function", value(target))])
        }
    }
}

fn add_route(synthesis: &mut Synthesis, api: &str, declared: &RestApi, (key, route): (&str, &Route)) {
    // The checks have refused whatever has no path and no backend.
    let Ok(RouteKey::Path { method, segments }) = RouteKey::parse(key) else { return };
    let Some(backend) = route.backend() else { return };
    if let Backend::Function(target) = backend {
        let permission = invoke_permission(&target.arn(), "apigateway.amazonaws.com", execution(api, "*"));
        synthesis.resource(&ids::permission(api, &ids::pointed(target.target())), permission);
    }
    if let Some(validates) = route.validates() {
        synthesis.resource(&ids::validator(api, validates), validator(api, validates));
    }
    let mut integration = match backend {
        Backend::Function(target) => json!({
            "Type": "AWS_PROXY",
            "IntegrationHttpMethod": "POST",
            "Uri": invocation(&target.arn()),
        }),
        Backend::Http(proxy) => http_proxy(&method, &segments, proxy),
        Backend::Mock(mock) => mocked(mock.status, &mock_headers(mock), mock_templates(mock)),
    };
    let keys = cache_keys(declared, route, &segments);
    if let Some(integration) = integration.as_object_mut() {
        integration.extend(route.timeout_in_millis.map(|millis| ("TimeoutInMillis".to_owned(), millis.into())));
        if !keys.is_empty() {
            integration.insert("CacheKeyParameters".to_owned(), json!(keys));
        }
    }
    let mut resource = protected(api, declared, (&method, &segments), route).property("Integration", integration);
    if let Backend::Mock(mock) = backend {
        resource = resource.property("MethodResponses", responses(mock.status, &mock_headers(mock)));
    }
    let parameters = parameters(route, &segments, &keys);
    if !parameters.is_empty() {
        resource = resource.property("RequestParameters", json!(parameters));
    }
    synthesis.resource(&ids::route(api, key), resource);
}

/// A method with all that is asked of its caller. `AuthorizationType` is always written, so that nothing is open
/// because a property is absent.
fn protected(api: &str, declared: &RestApi, (method, path): (&str, &[Segment]), route: &Route) -> Resource {
    let mut resource = Resource::new("AWS::ApiGateway::Method")
        .property("RestApiId", function::reference(api))
        .property("ResourceId", resource_id(api, path))
        .property("HttpMethod", method)
        .property("ApiKeyRequired", route.api_key_required);
    let authorizer = route.authorizer.as_deref().and_then(|name| Some((name, declared.authorizers.get(name)?)));
    let kind = match authorizer {
        Some((_, Authorizer::Token(_) | Authorizer::Request(_))) => "CUSTOM",
        Some((_, Authorizer::Cognito(_))) => "COGNITO_USER_POOLS",
        Some((_, Authorizer::Iam(_))) => "AWS_IAM",
        None if route.public => "NONE",
        // The checks have refused this; a door that nobody decided about is shut.
        None => "AWS_IAM",
    };
    resource = resource.property("AuthorizationType", kind);
    if let Some((name, _)) = authorizer.filter(|(_, authorizer)| authorizer.is_resource()) {
        resource = resource.property("AuthorizerId", function::reference(&ids::authorizer(api, name)));
    }
    if !route.scopes.is_empty() {
        resource = resource.property("AuthorizationScopes", json!(route.scopes));
    }
    if let Some(name) = &route.operation_name {
        resource = resource.property("OperationName", name.as_str());
    }
    if let Some(validates) = route.validates() {
        resource = resource.property("RequestValidatorId", function::reference(&ids::validator(api, validates)));
    }
    let models: BTreeMap<_, _> =
        route.request_models.iter().map(|(kind, name)| (kind, body_model(api, declared, name))).collect();
    if models.is_empty() { resource } else { resource.property("RequestModels", json!(models)) }
}

/// `Empty` and `Error` are there in every API.
fn body_model(api: &str, declared: &RestApi, name: &str) -> Value {
    match declared.models.contains_key(name) {
        true => function::reference(&ids::model(api, name)),
        false => name.into(),
    }
}

fn validator(api: &str, validates: Validates) -> Resource {
    let name = match validates {
        Validates::Body => "body",
        Validates::Parameters => "parameters",
        Validates::BodyAndParameters => "body and parameters",
    };
    Resource::new("AWS::ApiGateway::RequestValidator")
        .property("RestApiId", function::reference(api))
        .property("Name", name)
        .property("ValidateRequestBody", validates != Validates::Parameters)
        .property("ValidateRequestParameters", validates != Validates::Body)
}

/// The parameters that API Gateway must know of: those declared, those that are passed on, those that answers are told
/// apart by.
fn parameters(route: &Route, path: &[Segment], keys: &[String]) -> BTreeMap<String, bool> {
    let mut parameters = route.request_parameters.clone();
    for key in keys {
        parameters.entry(key.clone()).or_insert(false);
    }
    if route.http.is_some() {
        for name in path_parameters(path) {
            parameters.insert(format!("method.request.path.{name}"), true);
        }
    }
    parameters
}

fn path_parameters(path: &[Segment]) -> impl Iterator<Item = &str> {
    path.iter().filter_map(|segment| match segment {
        Segment::Parameter(name) | Segment::Greedy(name) => Some(name.as_str()),
        Segment::Literal(_) => None,
    })
}

/// What tells the kept answers of a route apart.
fn cache_keys(declared: &RestApi, route: &Route, path: &[Segment]) -> Vec<String> {
    let Some(cache) = &route.cache else { return Vec::new() };
    let authorizer = route.authorizer.as_ref().and_then(|name| declared.authorizers.get(name));
    let identity = authorizer.into_iter().flat_map(Authorizer::identity_sources);
    let identity = identity.filter(|source| source.starts_with("method.request.")).map(str::to_owned);
    let path = path_parameters(path).map(|name| format!("method.request.path.{name}"));
    let mut keys: Vec<String> = identity.chain(path).chain(cache.key_parameters.iter().cloned()).collect();
    keys.sort();
    keys.dedup();
    keys
}

fn http_proxy(method: &str, path: &[Segment], proxy: &HttpProxy) -> Value {
    let parameters: BTreeMap<String, String> = path_parameters(path)
        .map(|name| (format!("integration.request.path.{name}"), format!("method.request.path.{name}")))
        .collect();
    let mut integration = json!({
        "Type": "HTTP_PROXY",
        "IntegrationHttpMethod": proxy.method.as_deref().unwrap_or(method),
        "Uri": value(&proxy.url),
    });
    if let Some(integration) = integration.as_object_mut().filter(|_| !parameters.is_empty()) {
        integration.insert("RequestParameters".to_owned(), json!(parameters));
    }
    integration
}

/// An integration that answers by itself. A body of any other content type than JSON is refused with 415: it could not
/// be told what to answer.
fn mocked(status: u16, headers: &BTreeMap<String, Value>, templates: Option<Value>) -> Value {
    let headers: Map<String, Value> = headers.iter().map(|(name, value)| (header(name), value.clone())).collect();
    let mut response = json!({ "StatusCode": status.to_string() });
    if let Some(response) = response.as_object_mut() {
        response.extend((!headers.is_empty()).then(|| ("ResponseParameters".to_owned(), headers.into())));
        response.extend(templates.map(|templates| ("ResponseTemplates".to_owned(), templates)));
    }
    json!({
        "Type": "MOCK",
        "PassthroughBehavior": "NEVER",
        "RequestTemplates": { "application/json": json!({ "statusCode": status }).to_string() },
        "IntegrationResponses": [response],
    })
}

/// The answers that a method may give: a header that is not declared here is not sent.
fn responses(status: u16, headers: &BTreeMap<String, Value>) -> Value {
    let headers: Map<String, Value> = headers.keys().map(|name| (header(name), true.into())).collect();
    let mut response = json!({ "StatusCode": status.to_string() });
    if let Some(response) = response.as_object_mut().filter(|_| !headers.is_empty()) {
        response.insert("ResponseParameters".to_owned(), headers.into());
    }
    json!([response])
}

fn header(name: &str) -> String {
    format!("method.response.header.{name}")
}

fn mock_headers(mock: &Mock) -> BTreeMap<String, Value> {
    let content_type = ("Content-Type".to_owned(), quoted(&mock.content_type.as_str().into()));
    let content_type = mock.body.is_some().then_some(content_type);
    content_type.into_iter().chain(mock.headers.iter().map(|(name, value)| (name.clone(), quoted(value)))).collect()
}

fn mock_templates(mock: &Mock) -> Option<Value> {
    mock.body.as_ref().map(|body| json!({ "application/json": body }))
}

/// A fixed value of a header, as API Gateway has it.
fn quoted(text: &Declared) -> Value {
    match text.text() {
        Some(text) => format!("'{text}'").into(),
        None => function::sub_with("'${Value}'", [("Value", value(text))]),
    }
}

fn add_stage(synthesis: &mut Synthesis, api: &str, declared: &RestApi, (name, stage): (&str, &Stage)) {
    let mut resource = Resource::new("AWS::ApiGateway::Stage");
    resource.properties = properties(stage);
    let mut resource = resource
        .property("RestApiId", function::reference(api))
        .property("StageName", name)
        .property("MethodSettings", method_settings(declared, stage));
    if let Some(cache) = &stage.cache {
        resource = resource.property("CacheClusterEnabled", true).property("CacheClusterSize", value(&cache.size));
    }
    if stage.access_logs.enabled {
        let logs = ids::access_logs(api, name);
        let usual = || json!(BTreeMap::from(LOG_FIELDS)).to_string();
        let format = stage.access_logs.format.clone().unwrap_or_else(usual);
        let settings = json!({ "DestinationArn": function::get_att(&logs, "Arn"), "Format": format });
        resource = resource.property("AccessLogSetting", settings);
        synthesis.resource(&logs, retained_for(stage.access_logs.retention_days));
    }
    if crate::model::apigateway::cloud_watch_role(synthesis.stack).is_some() && declared.logs() {
        // A stage cannot write logs before the account has the role to do so.
        resource.depends_on.insert(ids::ACCOUNT.to_owned());
    }
    synthesis.resource(&ids::stage(api, name), resource);
}

/// How a stage treats all routes, and those that are treated otherwise.
fn method_settings(declared: &RestApi, stage: &Stage) -> Value {
    let mut all = properties(&stage.throttle);
    all.insert("ResourcePath".to_owned(), "/*".into());
    all.insert("HttpMethod".to_owned(), "*".into());
    all.insert("MetricsEnabled".to_owned(), stage.metrics_enabled.into());
    all.insert("LoggingLevel".to_owned(), value(&stage.logging_level));
    all.insert("DataTraceEnabled".to_owned(), false.into());
    all.insert("CachingEnabled".to_owned(), false.into());
    let own = declared.routes.iter().filter_map(|(key, route)| route_settings(&all, key, route, stage));
    std::iter::once(Value::Object(all.clone())).chain(own).collect()
}

/// The settings of a route say everything: what they leave out would not be taken from those of all routes.
fn route_settings(all: &Map<String, Value>, key: &str, route: &Route, stage: &Stage) -> Option<Value> {
    let (method, path) = key.split_once(' ')?;
    let cached = stage.cache.as_ref().zip(route.cache.as_ref());
    if route.throttle.is_none() && cached.is_none() {
        return None;
    }
    let mut settings = all.clone();
    settings.insert("ResourcePath".to_owned(), encoded(path).into());
    settings.insert("HttpMethod".to_owned(), method.into());
    settings.extend(route.throttle.iter().flat_map(properties));
    if let Some((cache, own)) = cached {
        settings.insert("CachingEnabled".to_owned(), true.into());
        settings.insert("CacheTtlInSeconds".to_owned(), own.ttl_in_seconds.unwrap_or(cache.ttl_in_seconds).into());
        settings.insert("CacheDataEncrypted".to_owned(), cache.encrypted.into());
    }
    Some(Value::Object(settings))
}

/// A path as the settings of methods have it: all slashes but the first are `~1`, as in a JSON pointer.
fn encoded(path: &str) -> String {
    match path.strip_prefix('/') {
        Some("") | None => "/".to_owned(),
        Some(_) => format!("/{}", path.replace('/', "~1")),
    }
}

fn add_usage(synthesis: &mut Synthesis, api: &str, declared: &RestApi) {
    for (name, key) in &declared.api_keys {
        let mut resource = Resource::new("AWS::ApiGateway::ApiKey");
        resource.properties = properties(key);
        synthesis.resource(&ids::api_key(api, name), resource);
    }
    for (name, plan) in &declared.usage_plans {
        synthesis.resource(&ids::usage_plan(api, name), usage_plan(api, declared, name, plan));
        for key in &plan.api_keys {
            let held = Resource::new("AWS::ApiGateway::UsagePlanKey")
                .property("KeyId", function::reference(&ids::api_key(api, key)))
                .property("KeyType", "API_KEY")
                .property("UsagePlanId", function::reference(&ids::usage_plan(api, name)));
            synthesis.resource(&ids::usage_plan_key(api, name, key), held);
        }
    }
}

fn usage_plan(api: &str, declared: &RestApi, name: &str, plan: &UsagePlan) -> Resource {
    let routes: BTreeMap<String, Value> = plan
        .routes
        .iter()
        .filter_map(|(key, throttle)| {
            let (method, path) = key.split_once(' ')?;
            Some((format!("{path}/{method}"), rates(throttle)))
        })
        .collect();
    let stage = |stage: &str| {
        let mut opened =
            json!({ "ApiId": function::reference(api), "Stage": function::reference(&ids::stage(api, stage)) });
        if let Some(opened) = opened.as_object_mut().filter(|_| !routes.is_empty()) {
            opened.insert("Throttle".to_owned(), json!(routes));
        }
        opened
    };
    let stages: Vec<Value> = declared.stages_of(plan).into_iter().map(stage).collect();
    let mut resource = Resource::new("AWS::ApiGateway::UsagePlan");
    resource.properties = properties(plan);
    resource = resource.property("ApiStages", stages);
    if plan.usage_plan_name.is_none() {
        resource = resource.property("UsagePlanName", name);
    }
    match &plan.throttle {
        Some(throttle) => resource.property("Throttle", rates(throttle)),
        None => resource,
    }
}

fn rates(throttle: &crate::model::apigateway::Throttle) -> Value {
    json!({ "RateLimit": throttle.rate, "BurstLimit": throttle.burst })
}

fn add_domain(synthesis: &mut Synthesis, api: &str, declared: &RestApi, domain: &CustomDomain) {
    let (kind, certificate) = match declared.endpoint_type {
        EndpointType::Edge => (EndpointType::Edge, "CertificateArn"),
        EndpointType::Regional | EndpointType::Private => (EndpointType::Regional, "RegionalCertificateArn"),
    };
    let name = Resource::new("AWS::ApiGateway::DomainName")
        .property("DomainName", value(&domain.name))
        .property(certificate, value(&domain.certificate_arn))
        .property("EndpointConfiguration", json!({ "Types": [kind] }))
        .property("SecurityPolicy", value(&domain.security_policy));
    synthesis.resource(&ids::domain(api), name);
    let stage = domain.stage.as_ref().or_else(|| declared.stages.keys().next());
    let mut mapping = Resource::new("AWS::ApiGateway::BasePathMapping")
        .property("RestApiId", function::reference(api))
        .property("DomainName", function::reference(&ids::domain(api)));
    if let Some(stage) = stage {
        mapping = mapping.property("Stage", function::reference(&ids::stage(api, stage)));
    }
    if let Some(path) = &domain.mapping {
        mapping = mapping.property("BasePath", path.as_str());
    }
    synthesis.resource(&ids::domain_mapping(api), mapping);
}
