//! Rules for secrets, across fields.

use std::collections::BTreeMap;

use crate::model::secretsmanager::{Generate, Secret};
use crate::model::{Json, Resource, Stack};

use super::Complaint;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    let generated = stack.secrets.iter().filter_map(|(id, secret)| template(id, secret.generate.as_ref()?));
    generated.chain(literals(stack)).collect()
}

/// The made-up text becomes a member of the template's object.
fn template(id: &str, generate: &Generate) -> Option<Complaint> {
    let path = |field| ["secrets", id, "generate", field];
    match (&generate.secret_string_template, &generate.generate_string_key) {
        (Some(text), Some(_)) => {
            let is_object = serde_json::from_str::<Json>(text).is_ok_and(|json| json.is_object());
            let help = "write one, such as `'{\"user\": \"notes\"}'`";
            let message = "the template is not a JSON object";
            (!is_object).then(|| Complaint::new(&path("secretStringTemplate"), message, help))
        }
        (Some(_), None) => {
            let message = "nothing says which member of the template is made up";
            Some(Complaint::new(&path("secretStringTemplate"), message, "add `generateStringKey`").at_key())
        }
        (None, Some(_)) => {
            let message = "there is no object to add the member to";
            Some(Complaint::new(&path("generateStringKey"), message, "add `secretStringTemplate: '{}'`").at_key())
        }
        (None, None) => None,
    }
}

/// What a section refuses does not come in by the back door either.
fn literals(stack: &Stack) -> Vec<Complaint> {
    let raw = stack.resources.iter().filter(|(_, raw)| raw.kind == Secret::TYPE);
    let raw = raw.map(|(id, raw)| ("resources", id, &raw.properties));
    let is_secret = |id: &String| stack.secrets.contains_key(id) || stack.resources.get(id).is_some_and(is_raw_secret);
    let overrides = stack.overrides.iter().filter(|(id, _)| is_secret(id));
    let overrides = overrides.map(|(id, change)| ("overrides", id, &change.properties));
    raw.chain(overrides).filter(|(.., properties)| holds_literal(properties)).map(literal).collect()
}

fn is_raw_secret(raw: &crate::model::raw::RawResource) -> bool {
    raw.kind == Secret::TYPE
}

fn holds_literal(properties: &BTreeMap<String, Json>) -> bool {
    properties.get("SecretString").is_some_and(Json::is_string)
}

fn literal((section, id, _): (&str, &String, &BTreeMap<String, Json>)) -> Complaint {
    let path = [section, id, "properties", "SecretString"];
    let message = "a secret's value must not stand in a stack file";
    Complaint::new(&path, message, "use `GenerateSecretString`, or fill the secret after the deployment").at_key()
}
