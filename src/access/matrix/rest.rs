//! REST APIs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::api::{self, add, add_domain, add_stage, empty, not, read_cors, unbounded, variables};
use super::guard::Reader;
use super::policy::Policy;
use super::resolve::{readable, referred, spelled};
use super::resources::{Resource, Resources, digest, flag, member, number, texts, written};
use super::{Api, Behind, Cors, KeySource, Kind, Limits, Route, Setting, Stage, UsagePlan};
use crate::model::apigatewayv2::VERBS;

const API: &str = "AWS::ApiGateway::RestApi";
const STEP: &str = "AWS::ApiGateway::Resource";

/// A path has no more steps than this, and a template may go in a circle.
const DEEPEST: usize = 100;

/// The REST APIs. Methods that are added to an API of elsewhere make an entry for it.
pub(super) fn apis(resources: &Resources) -> BTreeMap<String, Api> {
    let mut apis: BTreeMap<String, Api> =
        resources.of_type(API).map(|(id, api)| (id.to_owned(), declared(resources, api))).collect();
    for (method_id, method) in resources.of_type("AWS::ApiGateway::Method") {
        method.note();
        let id = method.owner("RestApiId");
        let api = apis.entry(id.clone()).or_insert_with(|| empty(Kind::Rest));
        let reader = Reader { resources, api: &id, default_ttl: 300.0, authorizers: "AWS::ApiGateway::Authorizer" };
        let path = method.text("ResourceId").and_then(|step| path(resources, &step, 0));
        let path = path.map(|path| if path.is_empty() { "/".to_owned() } else { path });
        let verb = method.text("HttpMethod").unwrap_or_default();
        let key = path.as_ref().map_or_else(|| format!("{verb} ({method_id})"), |path| format!("{verb} {path}"));
        let route = read(&reader, method);
        if let Some(cors) = preflight(method).filter(|_| route.is_preflight(&key)) {
            api.cors.insert(path.unwrap_or_default(), cors);
        }
        add(&mut api.routes, key, route);
    }
    for (id, deployment) in resources.of_type("AWS::ApiGateway::Deployment") {
        if let Some(api) = apis.get_mut(&deployment.owner("RestApiId")) {
            api.deployments.insert(id.to_owned());
        }
    }
    for (_, stage) in resources.of_type("AWS::ApiGateway::Stage") {
        let read = Stage {
            variables: stage_variables(stage),
            deployment: api::deployment(stage.get("DeploymentId")),
            canary: api::deployment(stage.part("/CanarySetting/DeploymentId")),
            ..read_stage(stage.get("MethodSettings"))
        };
        add_stage(&mut apis, stage, "RestApiId", read);
    }
    // A deployment can make a stage by itself.
    for (id, deployment) in resources.of_type("AWS::ApiGateway::Deployment") {
        let (api, name) = (apis.get_mut(&deployment.owner("RestApiId")), deployment.text("StageName"));
        if let (Some(api), Some(name)) = (api, name) {
            let read = || Stage {
                variables: variables(deployment.part("/StageDescription/Variables"), ""),
                deployment: Some(id.to_owned()),
                ..read_stage(deployment.part("/StageDescription/MethodSettings"))
            };
            api.stages.entry(name).or_insert_with(read);
        }
    }
    for api in apis.values_mut() {
        let keys: BTreeSet<&String> = api.routes.keys().collect();
        api.stages.values_mut().for_each(|stage| gather(stage, &keys));
    }
    for kind in ["AWS::ApiGateway::BasePathMapping", "AWS::ApiGateway::BasePathMappingV2"] {
        for (_, mapping) in resources.of_type(kind) {
            add_domain(&mut apis, mapping, "RestApiId");
        }
    }
    apis
}

/// The usage plans by logical id.
pub(super) fn plans(resources: &Resources) -> BTreeMap<String, UsagePlan> {
    resources.of_type("AWS::ApiGateway::UsagePlan").map(|(id, plan)| (id.to_owned(), read_plan(plan))).collect()
}

fn read_plan(plan: &Resource) -> UsagePlan {
    plan.note();
    let limits = |throttle: &Value| {
        let part = |name: &str| number(member(throttle, name));
        unbounded(Limits { rate: part("RateLimit"), burst: part("BurstLimit"), cached: None })
    };
    let (mut stages, mut apis) = (BTreeSet::new(), BTreeSet::new());
    let mut methods = BTreeMap::new();
    for opened in plan.get("ApiStages").as_array().into_iter().flatten() {
        let part = |name: &str| written(member(opened, name)).unwrap_or_default();
        let (api, stage) = (part("ApiId"), part("Stage"));
        apis.insert(referred(&api).unwrap_or(&api).to_owned());
        let known = format!("{} of {}", readable(&stage), readable(&api));
        let stage = if opened.is_object() { known } else { spelled(opened) };
        let own = api::members(opened.get("Throttle").unwrap_or(&Value::Null), "methods");
        methods.extend(own.into_iter().map(|(path, throttle)| (format!("{path} at {stage}"), limits(throttle))));
        stages.insert(stage);
    }
    // A list that cannot be told is one stage that is not known.
    let untold = written(plan.get("ApiStages")).filter(|_| plan.get("ApiStages").is_string());
    stages.extend(untold.clone());
    apis.extend(untold);
    let quota = plan.get("Quota");
    let quota = |name: &str| member(quota, name);
    UsagePlan {
        stages,
        apis,
        limits: limits(plan.get("Throttle")),
        methods,
        quota: number(quota("Limit")),
        period: written(quota("Period")).unwrap_or_default(),
    }
}

/// The variables of a stage, and those that its canary has in their place.
fn stage_variables(stage: &Resource) -> BTreeMap<String, String> {
    let mut all = variables(stage.get("Variables"), "");
    all.extend(variables(stage.part("/CanarySetting/StageVariableOverrides"), "canary "));
    all
}

/// Finds the limits of `ANY` methods, which are said of each of its methods: the loosest of them counts, and where all are
/// one, that says it.
fn gather(stage: &mut Stage, keys: &BTreeSet<&String>) {
    for (key, path) in keys.iter().filter_map(|key| Some((*key, key.strip_prefix("ANY ")?))) {
        let methods = VERBS.map(|method| format!("{method} {path}"));
        let taken: Vec<&String> = methods.iter().filter(|method| !keys.contains(method)).collect();
        let all: Vec<Limits> = taken.iter().map(|method| stage.limits(method).clone()).collect();
        let Some(loosest) = all.iter().cloned().reduce(looser) else { continue };
        if taken.iter().all(|method| !stage.routes.contains_key(*method)) {
            continue;
        }
        if all.iter().all(|one| *one == loosest) {
            stage.routes.retain(|key, _| !taken.contains(&key));
        }
        stage.routes.insert(key.clone(), loosest);
    }
}

/// Of two limits what bounds less.
fn looser(one: Limits, other: Limits) -> Limits {
    let most = |one: Setting<f64>, other: Setting<f64>| match (one, other) {
        (Setting::Known(one), Setting::Known(other)) => Setting::Known(one.max(other)),
        (unknown @ Setting::Unknown { .. }, _) | (_, unknown) => unknown,
    };
    let bound = |one: Option<_>, other: Option<_>| one.zip(other).map(|(one, other)| most(one, other));
    let cached = match (one.cached, other.cached) {
        (Some(one), Some(other)) => Some(most(one, other)),
        (one, other) => one.or(other),
    };
    Limits { rate: bound(one.rate, other.rate), burst: bound(one.burst, other.burst), cached }
}

fn declared(resources: &Resources, api: &Resource) -> Api {
    api.note();
    let document = ["Body", "BodyS3Location", "CloneFrom"].iter().map(|name| api.get(name));
    let document = document.filter(|body| !body.is_null()).map(spelled).collect::<Vec<_>>();
    let types = texts(api.part("/EndpointConfiguration/Types"));
    let private = match types.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["PRIVATE"] => Value::Bool(true),
        [] | ["EDGE" | "REGIONAL"] => Value::Bool(false),
        other => Value::String(other.join(", ")),
    };
    Api {
        execute_api_endpoint: not(flag(api.get("DisableExecuteApiEndpoint"), false)),
        private: flag(&private, false),
        policy: Policy::of(api.get("Policy"), resources.room()),
        key_source: match api.text("ApiKeySourceType").as_deref() {
            None | Some("HEADER") => Setting::Known(KeySource::Header),
            Some("AUTHORIZER") => Setting::Known(KeySource::Authorizer),
            Some(unknown) => Setting::Unknown { unknown: unknown.to_owned() },
        },
        document: (!document.is_empty()).then(|| digest(&document.join(" "))),
        ..empty(Kind::Rest)
    }
}

/// The path of a resource: what its parents have, and its own part. That of the root is empty.
fn path(resources: &Resources, step: &str, depth: usize) -> Option<String> {
    if step.ends_with(".RootResourceId}") && referred(step).is_some() {
        return Some(String::new());
    }
    let (_, own) = resources.get(step, STEP).filter(|_| depth < DEEPEST)?;
    let before = path(resources, &own.text("ParentId")?, depth + 1)?;
    Some(format!("{before}/{}", own.text("PathPart")?))
}

fn read(reader: &Reader<'_>, method: &Resource) -> Route {
    Route {
        guard: reader.guard(method),
        api_key: flag(method.get("ApiKeyRequired"), false),
        behind: behind(reader.resources, method),
        call: call(method),
        payload: None,
        only_if: method.only_if.clone(),
    }
}

fn behind(resources: &Resources, method: &Resource) -> Behind {
    let kind = written(method.part("/Integration/Type"));
    match (kind.as_deref(), written(method.part("/Integration/Uri"))) {
        (Some("MOCK"), _) => Behind::Fixed,
        (Some("AWS_PROXY" | "AWS"), Some(address)) if address.contains(":lambda:path/") => {
            Behind::Function(resources.invoked(&address))
        }
        (Some(_), Some(address)) => Behind::Other(address),
        _ => Behind::Nothing,
    }
}

/// With which rights an integration calls, and what it makes of a request to a service of AWS.
fn call(method: &Resource) -> Option<String> {
    let integration = method.get("Integration");
    let kind = written(member(integration, "Type"));
    let is_mapped = kind.is_some_and(|kind| !["AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"].contains(&&*kind));
    let mapping = ["IntegrationHttpMethod", "PassthroughBehavior", "RequestParameters", "RequestTemplates"];
    // Which function is asked is told of that.
    let is_function = written(member(integration, "Uri")).is_some_and(|uri| uri.contains(":lambda:path/"));
    let address = (!is_function).then_some("Uri");
    let mapping = mapping.into_iter().chain(address).filter(|_| is_mapped);
    api::said(mapping.chain(["Credentials"]).map(|name| (name, member(integration, name))))
}

/// What a preflight answer allows: fixed texts in quotes, or whatever its template makes of the request.
fn preflight(method: &Resource) -> Option<Cors> {
    let answers = method.part("/Integration/IntegrationResponses");
    let template = template(answers);
    let parameters = member(member(answers, "0"), "ResponseParameters");
    if parameters.is_string() {
        return Some(Cors { template, ..read_cors(parameters) });
    }
    let answer = parameters.as_object();
    if answer.is_none() && template.is_none() {
        return None;
    }
    let header = |name: &str| {
        let wanted = format!("method.response.header.{name}");
        let found = answer.into_iter().flatten().find(|(key, _)| key.eq_ignore_ascii_case(&wanted))?;
        Some(written(found.1)?.trim_matches('\'').to_owned())
    };
    let list = |name: &str| {
        let whole = header(name).unwrap_or_default();
        whole.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    Some(Cors {
        origins: header("Access-Control-Allow-Origin").into_iter().collect(),
        methods: list("Access-Control-Allow-Methods").into_iter().collect(),
        headers: list("Access-Control-Allow-Headers").iter().map(|name| name.to_ascii_lowercase()).collect(),
        credentials: flag(&header("Access-Control-Allow-Credentials").into(), false),
        template,
    })
}

/// Digest of the templates of answers that can set headers, such as one of several origins, and of all answers but the
/// first one.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html>
fn template(answers: &Value) -> Option<String> {
    let sets_headers = |answer: &&Value| spelled(answer).to_ascii_lowercase().contains("responseoverride");
    let (first, others) = answers.as_array()?.split_first()?;
    let templates = first.get("ResponseTemplates").filter(sets_headers);
    let said: Vec<String> = templates.into_iter().chain(others).map(spelled).collect();
    (!said.is_empty()).then(|| digest(&said.join(" ")))
}

/// The settings of a stage's methods. `/*` with `*` is all of them; elsewhere slashes may be written `~1`. AWS refuses what
/// is said of `ANY`.
fn read_stage(settings: &Value) -> Stage {
    let mut stage = Stage::default();
    if settings.is_string() {
        // An expression for all of them may say anything.
        return Stage { limits: limits(settings, &Limits::default()), ..stage };
    }
    let all = settings.as_array().into_iter().flatten();
    let (general, own): (Vec<_>, Vec<_>) = all.partition(|setting| key(setting).is_none());
    let said = general.first().map(|setting| limits(setting, &Limits::default())).unwrap_or_default();
    for setting in own {
        if let Some(key) = key(setting).filter(|key| !key.starts_with("ANY ")) {
            stage.routes.insert(key, unbounded(limits(setting, &said)));
        }
    }
    stage.limits = unbounded(said);
    stage
}

fn key(setting: &Value) -> Option<String> {
    let part = |name: &str| written(member(setting, name));
    let (verb, path) = (part("HttpMethod")?, part("ResourcePath")?);
    let path = if path.contains("~1") { path.trim_start_matches('/').replace("~1", "/") } else { path };
    (verb != "*" || path != "/*").then(|| format!("{verb} {path}"))
}

fn limits(setting: &Value, general: &Limits) -> Limits {
    let part = |name: &str| member(setting, name);
    // Five minutes where caching is on and nothing else is said.
    let lifetime = || number(part("CacheTtlInSeconds")).or_else(|| number(&Value::from(300)));
    let cached = match written(part("CachingEnabled")).as_deref() {
        None => general.cached.clone(),
        Some("false") => None,
        Some(_) => lifetime(),
    };
    Limits {
        rate: number(part("ThrottlingRateLimit")).or_else(|| general.rate.clone()),
        burst: number(part("ThrottlingBurstLimit")).or_else(|| general.burst.clone()),
        cached,
    }
}
