//! HTTP and WebSocket APIs, and domain names.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::guard::{Guard, Reader};
use super::policy::Policy;
use super::resolve::referred;
use super::resolve::spelled;
use super::resources::{Resource, Resources, digest, flag, member, number, texts, written};
use super::{Api, Behind, Cors, Domain, KeySource, Kind, Limits, Route, Setting, Stage};

const API: &str = "AWS::ApiGatewayV2::Api";
const ROUTE: &str = "AWS::ApiGatewayV2::Route";
const STAGE: &str = "AWS::ApiGatewayV2::Stage";
const INTEGRATION: &str = "AWS::ApiGatewayV2::Integration";

/// The HTTP and WebSocket APIs. Routes that are added to an API of elsewhere make an entry for it.
pub(super) fn apis(resources: &Resources) -> BTreeMap<String, Api> {
    let mut apis: BTreeMap<String, Api> =
        resources.of_type(API).map(|(id, api)| (id.to_owned(), declared(api))).collect();
    for (id, api) in resources.of_type(API) {
        if let (Some(entry), Some((key, route))) = (apis.get_mut(id), quick(resources, api)) {
            entry.routes.insert(key, route);
        }
    }
    for (_, route) in resources.of_type(ROUTE) {
        let id = route.owner("ApiId");
        let api = apis.entry(id.clone()).or_insert_with(|| empty(Kind::Http));
        let reader = Reader { resources, api: &id, default_ttl: 0.0, authorizers: "AWS::ApiGatewayV2::Authorizer" };
        let key = route.text("RouteKey").unwrap_or_else(|| "$default".to_owned());
        add(&mut api.routes, key, read(&reader, api.kind, route));
    }
    for (id, deployment) in resources.of_type("AWS::ApiGatewayV2::Deployment") {
        if let Some(api) = apis.get_mut(&deployment.owner("ApiId")) {
            api.deployments.insert(id.to_owned());
        }
    }
    for (_, stage) in resources.of_type(STAGE) {
        add_stage(&mut apis, stage, "ApiId", read_stage(stage));
    }
    for (_, mapping) in resources.of_type("AWS::ApiGatewayV2::ApiMapping") {
        add_domain(&mut apis, mapping, "ApiId");
    }
    apis.values_mut().filter(|api| api.kind == Kind::WebSocket).for_each(open);
    apis
}

/// Adds a stage to its API. One of an API of elsewhere, and the second of one name, which only conditions can tell apart,
/// are left unread.
pub(super) fn add_stage(apis: &mut BTreeMap<String, Api>, stage: &Resource, owner: &str, read: Stage) {
    let name = stage.text("StageName").unwrap_or_default();
    if let Some(api) = apis.get_mut(&stage.owner(owner))
        && !api.stages.contains_key(&name)
    {
        api.stages.insert(name, read);
        stage.note();
    }
}

/// Adds the domain name of a mapping to its API.
pub(super) fn add_domain(apis: &mut BTreeMap<String, Api>, mapping: &Resource, owner: &str) {
    if let Some(api) = apis.get_mut(&mapping.owner(owner)) {
        api.domains.insert(domain(mapping));
        mapping.note();
    }
}

/// An API of which nothing is known but its kind.
pub(super) fn empty(kind: Kind) -> Api {
    Api {
        kind,
        routes: BTreeMap::new(),
        stages: BTreeMap::new(),
        cors: BTreeMap::new(),
        execute_api_endpoint: Setting::Known(true),
        private: Setting::Known(false),
        policy: Policy::default(),
        document: None,
        domains: BTreeSet::new(),
        key_source: Setting::Known(KeySource::Header),
        deployments: BTreeSet::new(),
    }
}

fn declared(api: &Resource) -> Api {
    api.note();
    let is_socket = api.text("ProtocolType").as_deref() == Some("WEBSOCKET");
    let cors = api.get("CorsConfiguration");
    let document = ["Body", "BodyS3Location"].iter().map(|name| api.get(name)).find(|body| !body.is_null());
    Api {
        cors: (!cors.is_null()).then(|| ("/*".to_owned(), read_cors(cors))).into_iter().collect(),
        execute_api_endpoint: not(flag(api.get("DisableExecuteApiEndpoint"), false)),
        document: document.map(|body| digest(&spelled(body))),
        ..empty(if is_socket { Kind::WebSocket } else { Kind::Http })
    }
}

/// The route that an API makes by itself when it is created with a target.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-api.html>
fn quick(resources: &Resources, api: &Resource) -> Option<(String, Route)> {
    let target = api.text("Target")?;
    let is_function = target.contains(":lambda:") || resources.get(&target, "AWS::Lambda::Function").is_some();
    let behind = if is_function { Behind::Function(resources.invoked(&target)) } else { Behind::Other(target) };
    let key = api.text("RouteKey").unwrap_or_else(|| "$default".to_owned());
    Some((key, Route { behind, ..bare(Guard::Public) }))
}

/// A route of which nothing is known but its guard.
fn bare(guard: Guard) -> Route {
    let api_key = Setting::Known(false);
    Route { guard, api_key, behind: Behind::Nothing, call: None, payload: None, only_if: None }
}

/// Adds a route. Where there are two of one key, which only conditions can tell apart, it is not known who passes.
pub(super) fn add(routes: &mut BTreeMap<String, Route>, key: String, route: Route) {
    let merged = match routes.remove(&key) {
        Some(other) => either(other, route),
        None => route,
    };
    routes.insert(key, merged);
}

fn either(one: Route, other: Route) -> Route {
    let guard = if one.guard == other.guard {
        other.guard
    } else {
        let expression = format!("{} or {}", spell(&one.guard), spell(&other.guard));
        Guard::Unknown { authorization: "several".to_owned(), expression }
    };
    let behind = if one.behind == other.behind {
        other.behind
    } else {
        Behind::Other(format!("{} or {}", spell(&one.behind), spell(&other.behind)))
    };
    let api_key = if one.api_key == other.api_key {
        other.api_key
    } else {
        Setting::Unknown { unknown: format!("{} or {}", spell(&one.api_key), spell(&other.api_key)) }
    };
    // It is there for certain where one of the two is.
    let only_if = one.only_if.zip(other.only_if).map(|(one, other)| format!("{one} or {other}"));
    let call = if one.call == other.call { other.call } else { Some(digest(&spell(&(one.call, other.call)))) };
    Route { guard, api_key, behind, call, payload: other.payload, only_if }
}

fn spell(part: &impl Serialize) -> String {
    serde_json::to_string(part).unwrap_or_default()
}

fn read(reader: &Reader<'_>, kind: Kind, route: &Resource) -> Route {
    let is_message = kind == Kind::WebSocket && route.text("RouteKey").as_deref() != Some("$connect");
    let guard = if is_message { Guard::Connected } else { reader.guard(route) };
    route.note();
    let target = route.text("Target").unwrap_or_default();
    let integration = target.strip_prefix("integrations/").and_then(|id| reader.resources.get(id, INTEGRATION));
    let elsewhere = if target.is_empty() { Behind::Nothing } else { Behind::Other(target.clone()) };
    let payload = integration.and_then(|(_, integration)| integration.text("PayloadFormatVersion"));
    Route {
        guard,
        api_key: flag(route.get("ApiKeyRequired"), false),
        behind: integration.map_or(elsewhere, |(_, integration)| behind(reader.resources, integration)),
        call: integration.and_then(|(_, integration)| call(integration)),
        payload,
        only_if: route.only_if.clone(),
    }
}

fn behind(resources: &Resources, integration: &Resource) -> Behind {
    integration.note();
    let address = integration.text("IntegrationUri").or_else(|| integration.text("IntegrationSubtype"));
    match (integration.text("IntegrationType").as_deref(), address) {
        (Some("MOCK"), _) => Behind::Fixed,
        (Some("AWS_PROXY"), Some(address)) if integration.get("IntegrationSubtype").is_null() => {
            Behind::Function(resources.invoked(&address))
        }
        (_, Some(address)) => Behind::Other(address),
        (_, None) => Behind::Nothing,
    }
}

/// With which rights an integration calls, and what it makes of a request to another service of AWS.
fn call(integration: &Resource) -> Option<String> {
    let kind = integration.text("IntegrationType");
    let is_plain = kind.is_none_or(|kind| ["AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"].contains(&&*kind));
    let is_mapped = !is_plain || !integration.get("IntegrationSubtype").is_null();
    let mapping = [
        "IntegrationMethod",
        "IntegrationSubtype",
        "IntegrationUri",
        "RequestParameters",
        "RequestTemplates",
        "TemplateSelectionExpression",
    ];
    let mapping = mapping.into_iter().filter(|_| is_mapped);
    said(mapping.chain(["CredentialsArn"]).map(|name| (name, integration.get(name))))
}

/// Digest of those properties that are there.
pub(super) fn said<'a>(properties: impl Iterator<Item = (&'a str, &'a Value)>) -> Option<String> {
    let there = properties.filter(|(_, value)| !value.is_null());
    let said: Vec<String> = there.map(|(name, value)| format!("{name}: {}", spelled(value))).collect();
    (!said.is_empty()).then(|| digest(&said.join(", ")))
}

/// A WebSocket API without `$connect` lets everybody open a connection.
fn open(api: &mut Api) {
    api.routes.entry("$connect".to_owned()).or_insert_with(|| bare(Guard::Public));
}

fn read_stage(stage: &Resource) -> Stage {
    let limits = |settings: &Value| Limits {
        rate: number(member(settings, "ThrottlingRateLimit")),
        burst: number(member(settings, "ThrottlingBurstLimit")),
        cached: None,
    };
    let own = limits(stage.get("DefaultRouteSettings"));
    let routes = members(stage.get("RouteSettings"), "RouteSettings").into_iter().map(|(key, settings)| {
        let given = limits(settings);
        let (rate, burst) = (given.rate.or_else(|| own.rate.clone()), given.burst.or_else(|| own.burst.clone()));
        (key.to_owned(), unbounded(Limits { rate, burst, cached: None }))
    });
    Stage {
        routes: routes.collect(),
        limits: unbounded(own.clone()),
        variables: variables(stage.get("StageVariables"), ""),
        deployment: deployment(stage.get("DeploymentId")),
        canary: None,
    }
}

/// The members of a map by name. An expression for the whole map stands for one that has this name.
pub(super) fn members<'a>(map: &'a Value, whole: &'a str) -> Vec<(&'a str, &'a Value)> {
    match map {
        Value::Object(members) => members.iter().map(|(name, member)| (name.as_str(), member)).collect(),
        Value::String(_) => vec![(whole, map)],
        _ => Vec::new(),
    }
}

/// Limits of which a negative one is none: only the account's is left.
pub(super) fn unbounded(limits: Limits) -> Limits {
    let is_one = |bound: &Setting<f64>| bound.known().is_none_or(|number| *number >= 0.0);
    Limits { rate: limits.rate.filter(is_one), burst: limits.burst.filter(is_one), cached: limits.cached }
}

/// Digests of a stage's variables, each name after this.
pub(super) fn variables(value: &Value, before: &str) -> BTreeMap<String, String> {
    let said = |value: &Value| digest(&written(value).unwrap_or_default());
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (format!("{before}{name}"), said(value))).collect()
        }
        Value::Null => BTreeMap::new(),
        whole => BTreeMap::from([(format!("{before}*"), said(whole))]),
    }
}

/// Which deployment a stage serves.
pub(super) fn deployment(value: &Value) -> Option<String> {
    let named = written(value)?;
    Some(referred(&named).map_or(named.clone(), str::to_owned))
}

/// What `CorsConfiguration` of an API, or `Cors` of a function URL, allows.
pub(super) fn read_cors(cors: &Value) -> Cors {
    let list = |name: &str| texts(cors.get(name).unwrap_or(&Value::Null));
    let Value::Object(members) = cors else {
        return Cors {
            origins: written(cors).into_iter().collect(),
            credentials: flag(cors, false),
            ..Cors::default()
        };
    };
    let credentials = members.get("AllowCredentials").unwrap_or(&Value::Null);
    Cors {
        origins: list("AllowOrigins"),
        methods: list("AllowMethods"),
        headers: list("AllowHeaders").iter().map(|name| name.to_ascii_lowercase()).collect(),
        credentials: flag(credentials, false),
        template: None,
    }
}

/// The domain names of APIs.
pub(super) fn domains(resources: &Resources) -> BTreeMap<String, Domain> {
    let kinds = ["AWS::ApiGatewayV2::DomainName", "AWS::ApiGateway::DomainName", "AWS::ApiGateway::DomainNameV2"];
    let all = kinds.iter().flat_map(|kind| resources.of_type(kind));
    all.map(|(id, domain)| {
        domain.note();
        let newer = domain.part("/DomainNameConfigurations/0/SecurityPolicy");
        let others = ["Policy", "RoutingMode"].map(|name| spelled(domain.get(name)));
        let read = Domain {
            name: domain.text("DomainName").unwrap_or_default(),
            mutual_tls: written(domain.part("/MutualTlsAuthentication/TruststoreUri")),
            truststore_version: written(domain.part("/MutualTlsAuthentication/TruststoreVersion")),
            tls: domain.text("SecurityPolicy").or_else(|| written(newer)),
            others: digest(&others.join(" ")),
        };
        (id.to_owned(), read)
    })
    .collect()
}

/// The domain name that a mapping is about.
pub(super) fn domain(mapping: &Resource) -> String {
    let named = mapping.text("DomainName").or_else(|| mapping.text("DomainNameArn")).unwrap_or_default();
    referred(&named).unwrap_or(&named).to_owned()
}

pub(super) fn not(setting: Setting<bool>) -> Setting<bool> {
    match setting {
        Setting::Known(flag) => Setting::Known(!flag),
        Setting::Unknown { unknown } => Setting::Unknown { unknown },
    }
}
