//! Stages of REST APIs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::lambda::retained_for;
use super::super::{Synthesis, properties, value};
use crate::model::apigateway::{RestApi, Route, Stage, cloud_watch_role};
use crate::model::ids;
use crate::template::{Resource, function};

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

pub(super) fn add(synthesis: &mut Synthesis, api: &str, declared: &RestApi, (name, stage): (&str, &Stage)) {
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
    if cloud_watch_role(synthesis.stack).is_some() && declared.logs() {
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
