//! The wire face of Secrets Manager, JSON 1.1.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::password::Wish;
use super::{
    CURRENT, Making, Sealed, Secret, Version, arn, find, find_mut, fresh_id, invalid, missing_value, removal, sealed,
};
use crate::cloud::{Account, Cloud};
use crate::iam::policy::Policy;
use crate::wire::{Fault, Request, Response, json_answer};

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    json_answer(answer(&cloud, &request))
}

/// The members of all operations together: they agree in name and type.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Input {
    name: String,
    secret_id: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
    version_stages: Option<BTreeSet<String>>,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: bool,
    include_planned_deletion: bool,
    include_deprecated: bool,
    secret_id_list: Vec<String>,
    filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
    resource_policy: String,
    tags: Vec<Tag>,
    tag_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    values: Vec<String>,
}

fn answer(cloud: &Cloud, request: &Request) -> Result<Value, Fault> {
    let operation = request.operation().unwrap_or_default();
    if operation == "GetRandomPassword" {
        return Ok(json!({ "RandomPassword": request.json::<Wish>()?.password()? }));
    }
    let (input, now): (Input, _) = (request.json()?, cloud.now());
    match operation {
        "BatchGetSecretValue" => cloud.read(|account| values(account, &input, now)),
        "CreateSecret" => cloud.write(|account| create(account, input, now)),
        "DeleteSecret" => cloud.write(|account| delete(account, &input, now)),
        "DescribeSecret" => cloud.read(|account| {
            let (name, secret) = find(account, &input.secret_id, now)?;
            let mut described = described(account, name, secret);
            described["VersionIdsToStages"] = json!(stages(secret));
            Ok(described)
        }),
        "GetResourcePolicy" => cloud.read(|account| {
            let (name, secret) = find(account, &input.secret_id, now)?;
            let policy = secret.alive()?.policy.as_ref().map(ToString::to_string);
            Ok(with(identity(account, name, secret), "ResourcePolicy", policy))
        }),
        "GetSecretValue" => cloud.read(|account| value(account, &input, &input.secret_id, now)),
        "ListSecrets" => cloud.read(|account| list(account, &input, now)),
        "ListSecretVersionIds" => cloud.read(|account| version_ids(account, &input, now)),
        "UpdateSecretVersionStage" => cloud.write(|account| restage(account, &input, now)),
        _ => change(cloud, operation, input, now),
    }
}

/// The operations that change one secret and answer who it is.
fn change(cloud: &Cloud, operation: &str, input: Input, now: OffsetDateTime) -> Result<Value, Fault> {
    cloud.write(|account| {
        let mut version = None;
        let secret = match operation {
            "RestoreSecret" => find_mut(account, &input.secret_id, now)?,
            "DeleteResourcePolicy"
            | "PutResourcePolicy"
            | "PutSecretValue"
            | "TagResource"
            | "UntagResource"
            | "UpdateSecret" => {
                find(account, &input.secret_id, now)?.1.alive()?;
                find_mut(account, &input.secret_id, now)?
            }
            other => return Err(Fault::unknown_operation("secretsmanager", other)),
        };
        match operation {
            "RestoreSecret" => secret.removal = None,
            "DeleteResourcePolicy" => secret.policy = None,
            "PutResourcePolicy" => secret.policy = Some(policy(&input.resource_policy)?),
            "TagResource" => secret.tags.extend(input.tags.into_iter().map(|tag| (tag.key, tag.value))),
            "UntagResource" => secret.tags.retain(|key, _| !input.tag_keys.contains(key)),
            "UpdateSecret" => version = update(secret, &input, now)?,
            _ => version = Some(put(secret, &input, now)?),
        }
        let (name, secret) = find(account, &input.secret_id, now)?;
        let identity = with(identity(account, name, secret), "VersionId", version.clone());
        let stages = version.filter(|_| operation == "PutSecretValue");
        let stages = stages.and_then(|id| secret.versions.get(&id)).map(|version| &version.stages);
        Ok(if matches!(operation, "TagResource" | "UntagResource") {
            Value::Null
        } else {
            with(identity, "VersionStages", stages)
        })
    })
}

fn create(account: &mut Account, input: Input, now: OffsetDateTime) -> Result<Value, Fault> {
    let value = sealed(input.secret_string, input.secret_binary)?;
    let id = checked_token(input.client_request_token)?;
    let tags = input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let name = input.name.clone();
    let making = Making { name: input.name, description: input.description, kms_key_id: input.kms_key_id, tags };
    let secret = super::create(account, making, now)?;
    let version = value.is_some().then(|| id.clone());
    if let Some(value) = value {
        secret.put(id, value, [CURRENT.to_owned()].into(), now)?;
    }
    let (name, secret) = find(account, &name, now)?;
    Ok(with(identity(account, name, secret), "VersionId", version))
}

fn put(secret: &mut Secret, input: &Input, now: OffsetDateTime) -> Result<String, Fault> {
    let value = sealed(input.secret_string.clone(), input.secret_binary.clone())?;
    let value = value.ok_or_else(|| invalid("You must provide either SecretString or SecretBinary."))?;
    let id = checked_token(input.client_request_token.clone())?;
    let stages = input.version_stages.clone().unwrap_or_else(|| [CURRENT.to_owned()].into());
    secret.put(id.clone(), value, stages, now)?;
    Ok(id)
}

/// Returns the id of the new version, if the request holds a value.
fn update(secret: &mut Secret, input: &Input, now: OffsetDateTime) -> Result<Option<String>, Fault> {
    let value = sealed(input.secret_string.clone(), input.secret_binary.clone())?;
    if let Some(description) = &input.description {
        secret.description = Some(description.clone());
    }
    if let Some(key) = &input.kms_key_id {
        secret.kms_key_id = Some(key.clone());
    }
    secret.changed = now;
    let Some(value) = value else { return Ok(None) };
    let id = checked_token(input.client_request_token.clone())?;
    secret.put(id.clone(), value, [CURRENT.to_owned()].into(), now)?;
    Ok(Some(id))
}

fn delete(account: &mut Account, input: &Input, now: OffsetDateTime) -> Result<Value, Fault> {
    let at_once = input.force_delete_without_recovery;
    let gone = removal(input.recovery_window_in_days, at_once, now)?;
    let (name, secret) = find(account, &input.secret_id, now)?;
    if !at_once {
        secret.alive()?;
    }
    let (name, identity) = (name.clone(), identity(account, name, secret));
    if at_once {
        account.secretsmanager.secrets.remove(&name);
    } else {
        find_mut(account, &name, now)?.removal = Some(gone);
    }
    Ok(with(identity, "DeletionDate", Some(seconds(gone))))
}

fn restage(account: &mut Account, input: &Input, now: OffsetDateTime) -> Result<Value, Fault> {
    let stage = input.version_stage.as_deref().ok_or_else(|| invalid("You must provide VersionStage."))?;
    find(account, &input.secret_id, now)?.1.alive()?;
    let secret = find_mut(account, &input.secret_id, now)?;
    let holder = secret.versions.iter().find(|(_, version)| version.stages.contains(stage)).map(|(id, _)| id.clone());
    if holder != input.remove_from_version_id && (holder.is_some() || input.remove_from_version_id.is_some()) {
        return Err(invalid(format!(
            "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version {}, \
             so you must explicitly reference that version in RemoveFromVersionId.",
            holder.unwrap_or_default(),
        )));
    }
    match &input.move_to_version_id {
        Some(id) if secret.versions.contains_key(id) => secret.stage(stage, id),
        Some(id) => return Err(missing_value(&format!("VersionId: {id}"))),
        None if stage == CURRENT => {
            return Err(invalid("You can only move staging label AWSCURRENT to a different secret version."));
        }
        None => secret.versions.values_mut().for_each(|version| {
            version.stages.remove(stage);
        }),
    }
    let (name, secret) = find(account, &input.secret_id, now)?;
    Ok(identity(account, name, secret))
}

fn value(account: &Account, input: &Input, id: &str, now: OffsetDateTime) -> Result<Value, Fault> {
    let (name, secret) = find(account, id, now)?;
    let (version_id, version) = secret.alive()?.version(input.version_id.as_deref(), input.version_stage.as_deref())?;
    Ok(opened(identity(account, name, secret), version_id, version))
}

fn opened(mut identity: Value, id: &str, version: &Version) -> Value {
    identity["VersionId"] = json!(id);
    identity["VersionStages"] = json!(version.stages);
    identity["CreatedDate"] = json!(seconds(version.created));
    match &version.value {
        Sealed::Text(text) => identity["SecretString"] = json!(text),
        Sealed::Binary(bytes) => identity["SecretBinary"] = json!(bytes),
    }
    identity
}

fn values(account: &Account, input: &Input, now: OffsetDateTime) -> Result<Value, Fault> {
    let listed = || selected(account, input, now).map(|(name, _)| name.clone()).collect();
    let ids: Vec<String> = if input.secret_id_list.is_empty() { listed() } else { input.secret_id_list.clone() };
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match value(account, &Input::default(), &id, now) {
            Ok(value) => values.push(value),
            Err(fault) => errors.push(json!({ "SecretId": id, "ErrorCode": fault.code, "Message": fault.message })),
        }
    }
    Ok(json!({ "SecretValues": values, "Errors": errors }))
}

fn selected<'a>(
    account: &'a Account,
    input: &'a Input,
    now: OffsetDateTime,
) -> impl Iterator<Item = (&'a String, &'a Secret)> {
    account
        .secretsmanager
        .secrets
        .iter()
        .filter(move |(_, secret)| !secret.is_gone(now))
        .filter(move |(_, secret)| secret.removal.is_none() || input.include_planned_deletion)
        .filter(move |(name, secret)| input.filters.iter().all(|filter| filter.admits(name, secret)))
}

impl Filter {
    /// Each filter names what it looks at; its values are beginnings, and one of them is enough.
    fn admits(&self, name: &str, secret: &Secret) -> bool {
        let description = secret.description.as_deref().unwrap_or_default();
        let texts: Vec<&str> = match self.key.as_str() {
            "name" => vec![name],
            "description" => vec![description],
            "tag-key" => secret.tags.keys().map(String::as_str).collect(),
            "tag-value" => secret.tags.values().map(String::as_str).collect(),
            "all" => {
                let tags = secret.tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
                [name, description].into_iter().chain(tags).collect()
            }
            _ => return false,
        };
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(unwanted) => !texts.iter().any(|text| text.starts_with(unwanted)),
            None => texts.iter().any(|text| text.starts_with(value.as_str())),
        })
    }
}

fn list(account: &Account, input: &Input, now: OffsetDateTime) -> Result<Value, Fault> {
    let all: Vec<Value> = selected(account, input, now)
        .map(|(name, secret)| {
            let mut one = described(account, name, secret);
            one["SecretVersionsToStages"] = json!(stages(secret));
            one
        })
        .collect();
    page(all, "SecretList", input)
}

fn version_ids(account: &Account, input: &Input, now: OffsetDateTime) -> Result<Value, Fault> {
    let (name, secret) = find(account, &input.secret_id, now)?;
    let shown = secret.versions.iter().filter(|(_, version)| input.include_deprecated || !version.stages.is_empty());
    let all: Vec<Value> = shown
        .map(|(id, version)| {
            json!({ "VersionId": id, "VersionStages": version.stages, "CreatedDate": seconds(version.created) })
        })
        .collect();
    let mut page = page(all, "Versions", input)?;
    page["ARN"] = json!(arn(account, name, secret));
    page["Name"] = json!(name);
    Ok(page)
}

fn page(all: Vec<Value>, member: &str, input: &Input) -> Result<Value, Fault> {
    let invalid = |_| Fault::new("InvalidNextTokenException", "The NextToken value is invalid.");
    let offset: usize = input.next_token.as_deref().map_or(Ok(0), |token| token.parse().map_err(invalid))?;
    let end = offset.saturating_add(input.max_results.unwrap_or(100).clamp(1, 100));
    let next = (end < all.len()).then(|| end.to_string());
    let page: Vec<Value> = all.into_iter().take(end).skip(offset).collect();
    Ok(with(json!({ member: page }), "NextToken", next))
}

fn described(account: &Account, name: &str, secret: &Secret) -> Value {
    let tags: Vec<Value> = secret.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let described = with(identity(account, name, secret), "Description", secret.description.as_deref());
    let described = with(described, "KmsKeyId", secret.kms_key_id.as_deref());
    let mut described = with(described, "DeletedDate", secret.removal.map(seconds));
    described["CreatedDate"] = json!(seconds(secret.created));
    described["LastChangedDate"] = json!(seconds(secret.changed));
    described["Tags"] = json!(tags);
    described
}

fn stages(secret: &Secret) -> BTreeMap<&String, &BTreeSet<String>> {
    let staged = secret.versions.iter().filter(|(_, version)| !version.stages.is_empty());
    staged.map(|(id, version)| (id, &version.stages)).collect()
}

fn identity(account: &Account, name: &str, secret: &Secret) -> Value {
    json!({ "ARN": arn(account, name, secret), "Name": name })
}

/// The same with a member, if there is a value for it.
fn with(mut value: Value, member: &str, content: Option<impl serde::Serialize>) -> Value {
    if let Some(content) = content {
        value[member] = json!(content);
    }
    value
}

fn policy(text: &str) -> Result<Value, Fault> {
    let malformed = |message: String| Fault::new("MalformedPolicyDocumentException", message);
    let document: Value = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    Policy::parse_resource(&document).map_err(|fault| malformed(fault.message))?;
    Ok(document)
}

fn checked_token(token: Option<String>) -> Result<String, Fault> {
    match token {
        None => Ok(fresh_id()),
        Some(token) if (32..=64).contains(&token.len()) => Ok(token),
        Some(_) => Err(invalid("ClientRequestToken must be 32-64 characters long.")),
    }
}

fn seconds(moment: OffsetDateTime) -> f64 {
    moment.unix_timestamp() as f64 + f64::from(moment.millisecond()) / 1000.0
}
