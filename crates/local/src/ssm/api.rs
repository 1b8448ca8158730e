//! The wire face of Systems Manager, JSON 1.1.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Parameter, Setting, arn, invalid};
use crate::cloud::{Account, Cloud};
use crate::wire::{Fault, Request, Response, json_answer};

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    json_answer(answer(&cloud, &request))
}

/// The members of all operations but `PutParameter`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Input {
    name: String,
    names: Vec<String>,
    path: String,
    recursive: bool,
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
    resource_id: String,
    tags: Vec<Tag>,
    tag_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

fn answer(cloud: &Cloud, request: &Request) -> Result<Value, Fault> {
    let operation = request.operation().unwrap_or_default();
    if operation == "PutParameter" {
        return put(cloud, request);
    }
    let input: Input = request.json()?;
    match operation {
        "GetParameter" => cloud.read(|account| {
            let found = find(account, &input.name, input.with_decryption)?;
            Ok(json!({ "Parameter": found }))
        }),
        "GetParameterHistory" => cloud.read(|account| history(account, &input)),
        "GetParameters" => cloud.read(|account| Ok(get_all(account, &input))),
        "GetParametersByPath" => cloud.read(|account| by_path(account, &input)),
        "DescribeParameters" => cloud.read(|account| {
            let all = account.ssm.parameters.iter().map(|(name, parameter)| metadata(account, name, parameter));
            page(all.collect(), &input)
        }),
        "DeleteParameter" => {
            cloud.write(|account| account.ssm.parameters.remove(&input.name).map(|_| json!({})).ok_or_else(not_found))
        }
        "DeleteParameters" => cloud.write(|account| {
            let (gone, unknown): (Vec<_>, Vec<_>) =
                input.names.iter().partition(|name| account.ssm.parameters.remove(*name).is_some());
            Ok(json!({ "DeletedParameters": gone, "InvalidParameters": unknown }))
        }),
        "ListTagsForResource" => cloud.read(|account| {
            let parameter = account.ssm.get(&input.resource_id).ok_or_else(no_resource)?;
            let tags = parameter.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
            Ok(json!({ "TagList": tags.collect::<Vec<_>>() }))
        }),
        "AddTagsToResource" | "RemoveTagsFromResource" => cloud.write(|account| tag(account, &input)),
        other => Err(Fault::unknown_operation("ssm", other)),
    }
}

fn put(cloud: &Cloud, request: &Request) -> Result<Value, Fault> {
    let setting: Setting = request.json()?;
    let Input { tags, .. } = request.json()?;
    let (name, now) = (setting.name.clone(), cloud.now());
    cloud.write(|account| {
        let (version, tier) =
            account.ssm.set(setting, now).map(|parameter| (parameter.version, parameter.tier.clone()))?;
        if let Some(parameter) = account.ssm.parameters.get_mut(&name) {
            parameter.tags.extend(tags.into_iter().map(|tag| (tag.key, tag.value)));
        }
        Ok(json!({ "Version": version, "Tier": tier }))
    })
}

fn tag(account: &mut Account, input: &Input) -> Result<Value, Fault> {
    let parameter = account.ssm.parameters.get_mut(&input.resource_id).ok_or_else(no_resource)?;
    parameter.tags.extend(input.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())));
    parameter.tags.retain(|key, _| !input.tag_keys.contains(key));
    Ok(json!({}))
}

/// The name and the version of what is asked for by name or ARN; an empty version where none is named.
fn named<'a>(account: &Account, asked: &'a str) -> (Cow<'a, str>, &'a str) {
    let place = arn(account, "");
    let own = asked.strip_prefix(&place);
    let (name, version) = own.unwrap_or(asked).split_once(':').unwrap_or((own.unwrap_or(asked), ""));
    // An ARN does not tell whether the name begins with a slash.
    let has_slash = own.is_some() && account.ssm.get(name).is_none();
    (if has_slash { format!("/{name}").into() } else { name.into() }, version)
}

/// A parameter by name or ARN, in one of its versions.
fn find(account: &Account, asked: &str, decrypt: bool) -> Result<Value, Fault> {
    let (name, version) = named(account, asked);
    let name = name.as_ref();
    let parameter = account.ssm.get(name).ok_or_else(not_found)?;
    let parameter = parameter.version(version).ok_or_else(|| {
        let message =
            format!("Systems Manager could not find version {version} of {name}. Verify the version and try again.");
        Fault::new("ParameterVersionNotFound", message)
    })?;
    Ok(described(account, name, parameter, decrypt))
}

/// Every version of a parameter, the oldest first.
fn history(account: &Account, input: &Input) -> Result<Value, Fault> {
    let (name, _) = named(account, &input.name);
    let parameter = account.ssm.get(&name).ok_or_else(not_found)?;
    let version = |one: &Parameter| {
        let (described, metadata) =
            (described(account, &name, one, input.with_decryption), metadata(account, &name, one));
        let members = [described, metadata].into_iter().filter_map(|value| value.as_object().cloned());
        // The history alone tells no ARN.
        Value::Object(members.flatten().filter(|(member, _)| member != "ARN").collect())
    };
    let versions = parameter.versions().map(version).collect();
    // A page holds up to 50, and that is what a client gets who does not say how many.
    page(
        versions,
        &Input {
            max_results: input.max_results.or(Some(50)),
            next_token: input.next_token.clone(),
            ..Input::default()
        },
    )
}

fn get_all(account: &Account, input: &Input) -> Value {
    let (found, unknown): (Vec<_>, Vec<_>) = input
        .names
        .iter()
        .map(|name| (name, find(account, name, input.with_decryption).ok()))
        .partition(|(_, found)| found.is_some());
    let found: Vec<Value> = found.into_iter().filter_map(|(_, found)| found).collect();
    let unknown: Vec<&String> = unknown.into_iter().map(|(name, _)| name).collect();
    json!({ "Parameters": found, "InvalidParameters": unknown })
}

fn by_path(account: &Account, input: &Input) -> Result<Value, Fault> {
    if !input.path.starts_with('/') {
        return Err(invalid("The parameter path must begin with a slash."));
    }
    let prefix = format!("{}/", input.path.trim_end_matches('/'));
    let is_within = |name: &str| name.strip_prefix(&prefix).is_some_and(|rest| input.recursive || !rest.contains('/'));
    let found = account.ssm.parameters.iter().filter(|(name, _)| is_within(name));
    page(found.map(|(name, parameter)| described(account, name, parameter, input.with_decryption)).collect(), input)
}

fn page(items: Vec<Value>, input: &Input) -> Result<Value, Fault> {
    let offset: usize = match &input.next_token {
        Some(token) => token.parse().map_err(|_| Fault::new("InvalidNextToken", "The specified token isn't valid."))?,
        None => 0,
    };
    let end = offset.saturating_add(input.max_results.unwrap_or(10).clamp(1, 50));
    let next = (end < items.len()).then(|| end.to_string());
    let page: Vec<Value> = items.into_iter().take(end).skip(offset).collect();
    Ok(json!({ "Parameters": page, "NextToken": next }))
}

fn described(account: &Account, name: &str, parameter: &Parameter, decrypt: bool) -> Value {
    let is_hidden = parameter.kind == "SecureString" && !decrypt;
    // Whoever reads without decryption must not mistake what comes for the value.
    let value = if is_hidden {
        STANDARD.encode(format!("encrypted:{name}:{}", parameter.version))
    } else {
        parameter.value.to_string()
    };
    json!({
        "Name": name, "Type": parameter.kind, "Value": value, "Version": parameter.version,
        "LastModifiedDate": seconds(parameter), "ARN": arn(account, name), "DataType": parameter.data_type,
    })
}

fn metadata(account: &Account, name: &str, parameter: &Parameter) -> Value {
    json!({
        "Name": name, "Type": parameter.kind, "Version": parameter.version, "Description": parameter.description,
        "LastModifiedDate": seconds(parameter), "ARN": arn(account, name), "DataType": parameter.data_type,
        "Tier": parameter.tier, "AllowedPattern": parameter.allowed_pattern,
    })
}

fn seconds(parameter: &Parameter) -> f64 {
    parameter.modified.unix_timestamp() as f64 + f64::from(parameter.modified.millisecond()) / 1000.0
}

fn not_found() -> Fault {
    Fault::new("ParameterNotFound", "")
}

fn no_resource() -> Fault {
    Fault::new(
        "InvalidResourceId",
        "The resource ID isn't valid. Verify that you entered the correct ID and try again.",
    )
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_history_is_found_by_name_and_by_arn() {
        let mut account = Account::new("us-east-1");
        for value in ["one", "two"] {
            let (name, kind) = ("/a/b".to_owned(), Some("String".to_owned()));
            let setting = Setting { name, value: value.to_owned(), kind, overwrite: true, ..Setting::default() };
            account.ssm.set(setting, OffsetDateTime::UNIX_EPOCH).expect("it is legal");
        }
        let told = |name: &str| {
            let input = Input { name: name.to_owned(), ..Input::default() };
            history(&account, &input).expect("it is there")["Parameters"].clone()
        };
        let by_name = told("/a/b");
        assert_eq!((&by_name[0]["Value"], &by_name[1]["Value"]), (&json!("one"), &json!("two")));
        assert_eq!(by_name[0].get("ARN"), None);
        assert_eq!(told(&arn(&account, "/a/b")), by_name);
    }
}
