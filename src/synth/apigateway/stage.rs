//! Stages of REST APIs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::super::lambda::retained_for;
use super::super::{Synthesis, properties, value};
use super::method::ANY;
use crate::model::apigateway::{RestApi, Route, RouteKey, Segment, Stage, cloud_watch_role};
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

/// The verbs whose answers an `ANY` route keeps: nobody who writes is answered with what another one was told.
const READING: [&str; 2] = ["GET", "HEAD"];

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
    let methods = Methods::of(declared);
    let own = declared.routes.iter().flat_map(|(key, route)| route_settings(&all, &methods, (key, route), stage));
    std::iter::once(Value::Object(all.clone())).chain(own).collect()
}

/// The settings of a route say everything: what they leave out would not be taken from those of all routes.
fn route_settings(
    all: &Map<String, Value>,
    methods: &Methods,
    (key, route): (&str, &Route),
    stage: &Stage,
) -> Vec<Value> {
    let Some((method, path)) = key.split_once(' ') else { return Vec::new() };
    let cached = stage.cache.as_ref().zip(route.cache.as_ref());
    if route.throttle.is_none() && cached.is_none() {
        return Vec::new();
    }
    let mut throttled = all.clone();
    throttled.insert("ResourcePath".to_owned(), encoded(path).into());
    throttled.extend(route.throttle.iter().flat_map(properties));
    let settings = |verb: &str| {
        let kept = method != "ANY" || READING.contains(&verb);
        let cached = cached.filter(|_| kept);
        if route.throttle.is_none() && cached.is_none() {
            return None;
        }
        let mut settings = throttled.clone();
        settings.insert("HttpMethod".to_owned(), verb.into());
        if let Some((cache, own)) = cached {
            settings.insert("CachingEnabled".to_owned(), true.into());
            settings.insert("CacheTtlInSeconds".to_owned(), own.ttl_in_seconds.unwrap_or(cache.ttl_in_seconds).into());
            settings.insert("CacheDataEncrypted".to_owned(), cache.encrypted.into());
        }
        Some(Value::Object(settings))
    };
    methods.taken(key, method).into_iter().filter_map(settings).collect()
}

/// The methods that each path has of its own, those that answer preflight requests among them.
struct Methods(BTreeMap<Vec<Segment>, BTreeSet<String>>);

impl Methods {
    fn of(declared: &RestApi) -> Self {
        let mut own = declared.paths();
        for path in declared.preflights().into_keys() {
            own.entry(path).or_default().insert("OPTIONS".to_owned());
        }
        Self(own)
    }

    /// The verbs that a route takes. A stage knows no settings of `ANY`, see
    /// <https://github.com/hashicorp/terraform-provider-aws/issues/15855>: they are those of each verb for which its path
    /// has no method of its own.
    fn taken<'a>(&self, key: &str, method: &'a str) -> Vec<&'a str> {
        let Ok(RouteKey::Path { segments, .. }) = RouteKey::parse(key) else { return Vec::new() };
        if method != "ANY" {
            return vec![method];
        }
        let own = self.0.get(&segments);
        ANY.into_iter().filter(|verb| !own.is_some_and(|own| own.contains(*verb))).collect()
    }
}

/// A path as the settings of methods have it: all slashes but the first are `~1`, as in a JSON pointer.
fn encoded(path: &str) -> String {
    match path.strip_prefix('/') {
        Some("") | None => "/".to_owned(),
        Some(_) => format!("/{}", path.replace('/', "~1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::apigatewayv2::Throttle;

    #[test]
    fn many_routes_take_no_time() {
        let many = 3_000;
        let route = Route::default().throttle(Throttle::new(1.0, 1));
        let add = |api: RestApi, number| api.route(format!("ANY /r{number}"), route.clone());
        let declared = (0..many).fold(RestApi::default(), add);
        let settings = method_settings(&declared, &Stage::default());
        assert_eq!(settings.as_array().map(Vec::len), Some(1 + many * ANY.len()));
    }
}
