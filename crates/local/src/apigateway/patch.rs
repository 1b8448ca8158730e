//! `PATCH` as API Gateway has it: single members of a thing, by their paths, with values that are always text.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{MethodSetting, bad_request};
use crate::wire::Fault;

/// One change.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Change {
    /// `add`, `replace` or `remove`.
    pub(super) op: String,
    /// JSON pointer of the member.
    pub(super) path: String,
    #[serde(default)]
    pub(super) value: Option<String>,
}

/// The settings of methods, by the names that a change's path has for them.
const SETTINGS: [(&str, &str); 10] = [
    ("metrics/enabled", "metricsEnabled"),
    ("logging/loglevel", "loggingLevel"),
    ("logging/dataTrace", "dataTraceEnabled"),
    ("throttling/burstLimit", "throttlingBurstLimit"),
    ("throttling/rateLimit", "throttlingRateLimit"),
    ("caching/enabled", "cachingEnabled"),
    ("caching/ttlInSeconds", "cacheTtlInSeconds"),
    ("caching/dataEncrypted", "cacheDataEncrypted"),
    ("caching/requireAuthorizationForCacheControl", "requireAuthorizationForCacheControl"),
    ("caching/unauthorizedCacheControlHeaderStrategy", "unauthorizedCacheControlHeaderStrategy"),
];

/// The path by which a change names what a stage sets of a method: the first of all that is set.
pub(super) fn setting_path(method: &str, setting: &MethodSetting) -> String {
    let set = serde_json::to_value(setting).unwrap_or_default();
    let name = SETTINGS.iter().find(|(_, member)| set.get(member).is_some()).map_or("", |(name, _)| *name);
    format!("/{}/{name}", method.replace("~1", "/").trim_start_matches('/'))
}

/// What stands, with some of its members changed.
pub(super) fn patched<T: Serialize + DeserializeOwned>(held: &T, changes: &[Change]) -> Result<T, Fault> {
    let mut whole = serde_json::to_value(held).unwrap_or_default();
    for change in changes {
        whole = applied::<T>(&whole, change)?;
    }
    read(&whole)
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    T::deserialize(value).map_err(|error| bad_request(format!("Invalid patch: {error}")))
}

/// The value with one change made: as text, or where that does not fit as the number or truth value that it stands for.
fn applied<T: DeserializeOwned>(whole: &Value, change: &Change) -> Result<Value, Fault> {
    let text = change.value.clone().unwrap_or_default();
    let readings = [Some(Value::from(text.as_str())), serde_json::from_str(&text).ok()];
    let mut refusal = bad_request(format!("Invalid patch path {}", change.path));
    for reading in readings.into_iter().flatten() {
        let mut candidate = whole.clone();
        set(&mut candidate, change, reading)?;
        match read::<T>(&candidate) {
            Ok(_) => return Ok(candidate),
            Err(fault) => refusal = fault,
        }
    }
    Err(refusal)
}

fn set(whole: &mut Value, change: &Change, value: Value) -> Result<(), Fault> {
    let path = change.path.strip_prefix('/').ok_or_else(|| bad_request("A patch path must begin with a slash"))?;
    if path == "apiStages" {
        return set_api_stage(whole, change);
    }
    let setting =
        SETTINGS.iter().find_map(|(name, member)| Some((path.strip_suffix(name)?.trim_end_matches('/'), *member)));
    let segments: Vec<String> = match setting {
        Some((method, member)) => {
            let method = method.replace("~1", "/");
            vec!["methodSettings".to_owned(), key(&method), member.to_owned()]
        }
        None => path.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect(),
    };
    let Some((last, above)) = segments.split_last() else { return Ok(()) };
    let mut place = whole;
    for segment in above {
        if place.is_null() {
            *place = json!({});
        }
        place = match place {
            Value::Object(members) => members.entry(segment.clone()).or_insert(Value::Null),
            _ => return Err(bad_request(format!("Invalid patch path {}", change.path))),
        };
    }
    // Only lists are named by a path that ends within them, such as `/binaryMediaTypes/image~1png`.
    let is_list = above.last().is_some_and(|name| name == "binaryMediaTypes" || name == "providerARNs");
    match (place, change.op.as_str()) {
        (Value::Null, "remove") => {}
        (place, op) if is_list => {
            let mut items = place.as_array().cloned().unwrap_or_default();
            items.retain(|item| item.as_str() != Some(last));
            if op != "remove" {
                items.push(last.as_str().into());
            }
            *place = items.into();
        }
        (Value::Object(members), "remove") => drop(members.remove(last)),
        (Value::Object(members), "add" | "replace") => drop(members.insert(last.clone(), value)),
        (place @ Value::Null, "add" | "replace") => *place = json!({ last.as_str(): value }),
        _ => return Err(bad_request(format!("Invalid patch operation {} on {}", change.op, change.path))),
    }
    Ok(())
}

/// A method's settings are kept under its path with every slash escaped, and its verb.
fn key(method: &str) -> String {
    match method.rsplit_once('/') {
        Some((path, verb)) if path != "*" => format!("{}/{verb}", path.replace('/', "~1")),
        _ => method.to_owned(),
    }
}

/// `{api}:{stage}` of a usage plan.
fn set_api_stage(whole: &mut Value, change: &Change) -> Result<(), Fault> {
    let value = change.value.as_deref().unwrap_or_default();
    let (api, stage) = value.split_once(':').ok_or_else(|| bad_request(format!("Invalid API stage {value}")))?;
    let mut stages = whole.get("apiStages").and_then(Value::as_array).cloned().unwrap_or_default();
    stages.retain(|held| held["apiId"] != api || held["stage"] != stage);
    if change.op != "remove" {
        stages.push(json!({ "apiId": api, "stage": stage }));
    }
    whole["apiStages"] = stages.into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Change, patched};
    use crate::apigateway::{Settings, Stage, UsagePlan};

    fn change(op: &str, path: &str, value: &str) -> Change {
        Change { op: op.to_owned(), path: path.to_owned(), value: Some(value.to_owned()) }
    }

    #[test]
    fn text_becomes_what_the_member_is() {
        let changes = [
            change("replace", "/name", "1"),
            change("replace", "/disableExecuteApiEndpoint", "true"),
            change("add", "/binaryMediaTypes/image~1png", ""),
            change("replace", "/minimumCompressionSize", "10"),
        ];
        let settings: Settings = patched(&Settings::default(), &changes).expect("they fit");
        assert_eq!((settings.name.as_str(), settings.disable_execute_api_endpoint), ("1", true));
        assert_eq!(settings.binary_media_types, ["image/png"]);
        assert_eq!(settings.minimum_compression_size, Some(10));
        let changes = [change("remove", "/binaryMediaTypes/image~1png", "")];
        let settings: Settings = patched(&settings, &changes).expect("it fits");
        assert!(settings.binary_media_types.is_empty());
        assert!(patched::<Settings>(&settings, &[change("replace", "/minimumCompressionSize", "x")]).is_err());
    }

    #[test]
    fn settings_of_methods_have_paths_of_their_own() {
        let changes = [
            change("replace", "/*/*/throttling/rateLimit", "1.5"),
            change("replace", "/~1notes~1{id}/GET/logging/loglevel", "INFO"),
            change("add", "/variables/name", "value"),
        ];
        let stage: Stage = patched(&Stage::default(), &changes).expect("they fit");
        assert_eq!(stage.method_settings["*/*"].throttling_rate_limit, Some(1.5));
        assert_eq!(stage.method_settings["~1notes~1{id}/GET"].logging_level.as_deref(), Some("INFO"));
        assert_eq!(stage.variables["name"], "value");
    }

    #[test]
    fn stages_of_a_plan_come_and_go() {
        let plan: UsagePlan =
            patched(&UsagePlan::default(), &[change("add", "/apiStages", "a:b"), change("add", "/quota/limit", "3")])
                .expect("they fit");
        assert_eq!(plan.api_stages.len(), 1);
        assert_eq!(plan.quota.as_ref().map(|quota| quota.limit), Some(3));
        let plan: UsagePlan = patched(&plan, &[change("remove", "/apiStages", "a:b")]).expect("it fits");
        assert!(plan.api_stages.is_empty());
    }
}
