//! What a request to Secrets Manager does, as far as IAM is concerned.

use serde_json::Value;
use time::OffsetDateTime;

use super::{arn, find, place};
use crate::cloud::Account;
use crate::iam::authorize::Deed;
use crate::wire::Request;

/// Operations on one secret, whose action has the same name.
const ON_ONE: &[&str] = &[
    "DeleteResourcePolicy",
    "DeleteSecret",
    "DescribeSecret",
    "GetResourcePolicy",
    "GetSecretValue",
    "ListSecretVersionIds",
    "PutResourcePolicy",
    "PutSecretValue",
    "RestoreSecret",
    "TagResource",
    "UntagResource",
    "UpdateSecret",
    "UpdateSecretVersionStage",
];

/// The deeds of a request; none for an operation that is not listed here.
pub(crate) fn deeds(account: &Account, request: &Request, now: OffsetDateTime) -> Option<Vec<Deed>> {
    let body: Value = request.json().unwrap_or_default();
    let operation = request.operation().unwrap_or_default();
    let text = |member: &str| body.get(member).and_then(Value::as_str);
    let on = |operation: &str, id: &str| {
        let stage = text("VersionStage")
            .map(str::to_owned)
            .or((operation == "GetSecretValue").then(|| super::CURRENT.to_owned()));
        let tags = find(account, id, now).map(|(_, secret)| secret.tags.clone()).unwrap_or_default();
        Deed::new(format!("secretsmanager:{operation}"), resource(account, id, now))
            .knowing("secretsmanager:SecretId", [resource(account, id, now)])
            .knowing("secretsmanager:VersionId", text("VersionId").map(str::to_owned))
            .knowing("secretsmanager:VersionStage", stage)
            .tagged("secretsmanager", &tags)
    };
    Some(match operation {
        known if ON_ONE.contains(&known) => vec![on(known, text("SecretId").unwrap_or_default())],
        "CreateSecret" => {
            let name = text("Name").unwrap_or_default();
            let resource = format!("{}{name}", place(account));
            vec![Deed::new("secretsmanager:CreateSecret", resource).knowing("secretsmanager:Name", [name.to_owned()])]
        }
        // Each value needs its own permission, besides that for asking for many.
        "BatchGetSecretValue" => {
            let ids =
                body.get("SecretIdList").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let mut deeds: Vec<Deed> = ids.map(|id| on("GetSecretValue", id)).collect();
            if deeds.is_empty() {
                deeds.push(Deed::new("secretsmanager:GetSecretValue", "*"));
                deeds.push(Deed::new("secretsmanager:ListSecrets", "*"));
            }
            deeds.push(Deed::new("secretsmanager:BatchGetSecretValue", "*"));
            deeds
        }
        "GetRandomPassword" | "ListSecrets" => vec![Deed::new(format!("secretsmanager:{operation}"), "*")],
        _ => return None,
    })
}

/// ARN of the secret that an id means; for one that is not there, what the id says.
fn resource(account: &Account, id: &str, now: OffsetDateTime) -> String {
    match find(account, id, now) {
        Ok((name, secret)) => arn(account, name, secret),
        Err(_) if id.starts_with("arn:") => id.to_owned(),
        Err(_) => format!("{}{id}", place(account)),
    }
}
