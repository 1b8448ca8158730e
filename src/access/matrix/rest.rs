//! REST APIs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::api::{add, domain, empty, not};
use super::guard::Reader;
use super::policy::Policy;
use super::resolve::{referred, spelled};
use super::resources::{Resource, Resources, digest, flag, number, texts, written};
use super::{Api, Behind, Cors, Kind, Limits, Route, Stage};

const API: &str = "AWS::ApiGateway::RestApi";
const STEP: &str = "AWS::ApiGateway::Resource";

/// A path has no more steps than this, and a template may go in a circle.
const DEEPEST: usize = 100;

/// The REST APIs. Methods that are added to an API of elsewhere make an entry for it.
pub(super) fn apis(resources: &Resources) -> BTreeMap<String, Api> {
    let mut apis: BTreeMap<String, Api> =
        resources.of_type(API).map(|(id, api)| (id.to_owned(), declared(api))).collect();
    for (method_id, method) in resources.of_type("AWS::ApiGateway::Method") {
        let id = owner(method);
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
    for (_, stage) in resources.of_type("AWS::ApiGateway::Stage") {
        let name = stage.text("StageName").unwrap_or_default();
        if let Some(api) = apis.get_mut(&owner(stage)) {
            api.stages.insert(name, read_stage(stage.get("MethodSettings")));
        }
    }
    // A deployment can make a stage by itself.
    for (_, deployment) in resources.of_type("AWS::ApiGateway::Deployment") {
        if let (Some(api), Some(name)) = (apis.get_mut(&owner(deployment)), deployment.text("StageName")) {
            api.stages.entry(name).or_insert_with(|| read_stage(deployment.part("/StageDescription/MethodSettings")));
        }
    }
    for kind in ["AWS::ApiGateway::BasePathMapping", "AWS::ApiGateway::BasePathMappingV2"] {
        for (_, mapping) in resources.of_type(kind) {
            if let Some(api) = apis.get_mut(&owner(mapping)) {
                api.domains.insert(domain(mapping));
            }
        }
    }
    apis
}

fn declared(api: &Resource) -> Api {
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
        policy: Policy::of(api.get("Policy")),
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

/// What a preflight answer allows: fixed texts in quotes.
fn preflight(method: &Resource) -> Option<Cors> {
    let answer = method.part("/Integration/IntegrationResponses/0/ResponseParameters").as_object()?;
    let header = |name: &str| {
        let wanted = format!("method.response.header.{name}");
        let found = answer.iter().find(|(key, _)| key.eq_ignore_ascii_case(&wanted))?;
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
        credentials: header("Access-Control-Allow-Credentials").is_some_and(|value| value != "false"),
    })
}

/// The settings of a stage's methods. `/*` with `*` is all of them; elsewhere slashes may be written `~1`.
fn read_stage(settings: &Value) -> Stage {
    let mut stage = Stage::default();
    let all = settings.as_array().into_iter().flatten();
    let (general, own): (Vec<_>, Vec<_>) = all.partition(|setting| key(setting).is_none());
    if let Some(setting) = general.first() {
        stage.limits = limits(setting, &Limits::default());
    }
    for setting in own {
        if let Some(key) = key(setting) {
            stage.routes.insert(key, limits(setting, &stage.limits));
        }
    }
    stage
}

fn key(setting: &Value) -> Option<String> {
    let part = |name: &str| setting.get(name).and_then(written);
    let (verb, path) = (part("HttpMethod")?, part("ResourcePath")?);
    let path = if path.contains("~1") { path.trim_start_matches('/').replace("~1", "/") } else { path };
    (verb != "*" || path != "/*").then(|| format!("{verb} {path}"))
}

fn limits(setting: &Value, general: &Limits) -> Limits {
    let part = |name: &str| setting.get(name).unwrap_or(&Value::Null);
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

/// Logical id of the API that a part belongs to, or the expression that names it.
fn owner(part: &Resource) -> String {
    let named = part.text("RestApiId").unwrap_or_default();
    referred(&named).unwrap_or(&named).to_owned()
}
