//! Dynamic references: `{{resolve:service:...}}` in a property, which stands for what another service holds.
//!
//! They come to their values only on the way to the service that a resource is of. What a stack keeps and shows is the
//! reference, so that no secret is in a template, an event or a description.

use std::cell::RefCell;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::cloud::Account;
use crate::cloudformation::intrinsics::text;
use crate::cloudformation::resource::Properties;
use crate::cloudformation::template::Template;
use crate::secretsmanager;

const OPEN: &str = "{{resolve:";
const CLOSE: &str = "}}";

/// Whether a text holds a reference.
pub(super) fn refers(text: &str) -> bool {
    text.contains(OPEN)
}

/// Where references are looked up.
#[derive(Clone, Copy)]
pub(super) struct Holders<'a> {
    pub(super) account: &'a Account,
    pub(super) now: OffsetDateTime,
}

impl Holders<'_> {
    /// The properties with every reference replaced by what it stands for.
    ///
    /// # Errors
    /// The first thing that is not there, as AWS words it.
    pub(super) fn resolved(self, properties: &Properties) -> Result<Properties, String> {
        members(properties, &|reference| self.value(reference).map(Some))
    }

    /// The same for properties of the past: what is not there any more stays a reference.
    pub(super) fn resolved_as_far_as_possible(self, properties: &Properties) -> Properties {
        members(properties, &|reference| Ok(self.value(reference).ok())).unwrap_or_else(|_: String| properties.clone())
    }

    fn value(self, reference: &str) -> Result<String, String> {
        match reference.split_once(':') {
            Some(("ssm", rest)) => self.parameter(rest),
            Some(("secretsmanager", rest)) => self.secret(rest),
            _ => Err(malformed(reference)),
        }
    }

    /// `name`, or `name:version`.
    fn parameter(self, reference: &str) -> Result<String, String> {
        let (name, version) = reference.split_once(':').unwrap_or((reference, ""));
        let found = self.account.ssm.get(name).and_then(|held| held.version(version));
        match found {
            Some(held) if held.kind == "SecureString" => {
                Err(format!("Parameters [{name}] referenced by template have types not supported by CloudFormation."))
            }
            Some(held) => Ok(held.value.to_string()),
            None => Err(format!("Unable to fetch parameters [{name}] from parameter store for this account.")),
        }
    }

    /// `id`, then as far as they are given `SecretString`, a key of its JSON, a stage, and a version id.
    fn secret(self, reference: &str) -> Result<String, String> {
        let pieces: Vec<&str> = reference.split(':').collect();
        let length = if reference.starts_with("arn:") { 7 } else { 1 };
        let (id, rest) = pieces.split_at_checked(length).ok_or_else(|| malformed(reference))?;
        let piece = |index: usize| rest.get(index).copied().filter(|piece| !piece.is_empty());
        if rest.len() > 4 || piece(0).is_some_and(|kind| kind != "SecretString") {
            return Err(malformed(reference));
        }
        let whole =
            secretsmanager::text_of(self.account, &id.join(":"), piece(2), piece(3), self.now).map_err(|fault| {
                let (message, status, code) = (fault.message, fault.status.as_u16(), fault.code);
                format!("{message} (Service: AWSSecretsManager; Status Code: {status}; Error Code: {code})")
            })?;
        piece(1).map_or(Ok(whole.clone()), |key| member(&whole, key))
    }
}

/// One value of a secret that is a JSON object.
fn member(secret: &str, key: &str) -> Result<String, String> {
    let object: Map<String, Value> =
        serde_json::from_str(secret).map_err(|_| "Could not parse SecretString JSON".to_owned())?;
    let missing = || "Could not find a value associated with JSONKey in SecretString".to_owned();
    object.get(key).and_then(text).ok_or_else(missing)
}

/// Every reference in the properties, without what stands around it.
pub(super) fn references(properties: &Properties) -> Vec<String> {
    let found = RefCell::new(Vec::new());
    let note = |reference: &str| {
        found.borrow_mut().push(reference.to_owned());
        Ok(None)
    };
    // Nothing is replaced, so that nothing can fail.
    let _unchanged = members(properties, &note);
    found.into_inner()
}

/// The references themselves hold no secret.
fn malformed(reference: &str) -> String {
    format!("Incorrect format is used in the following dynamic reference: [{OPEN}{reference}{CLOSE}]")
}

/// What replaces a reference; none leaves it as it is.
type Replace<'a> = dyn Fn(&str) -> Result<Option<String>, String> + 'a;

fn members(properties: &Properties, replace: &Replace<'_>) -> Result<Properties, String> {
    properties.iter().map(|(name, member)| Ok((name.clone(), value(member, replace)?))).collect()
}

fn value(of: &Value, replace: &Replace<'_>) -> Result<Value, String> {
    Ok(match of {
        Value::String(text) if refers(text) => replaced(text, replace)?.into(),
        Value::Array(items) => items.iter().map(|item| value(item, replace)).collect::<Result<_, _>>()?,
        Value::Object(properties) => members(properties, replace)?.into(),
        other => other.clone(),
    })
}

/// A value that holds what looks like a reference is not read again.
fn replaced(text: &str, replace: &Replace<'_>) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once(OPEN) {
        let Some((reference, after)) = tail.split_once(CLOSE) else { break };
        result.push_str(before);
        match replace(reference)? {
            Some(value) => result.push_str(&value),
            None => result.push_str(&format!("{OPEN}{reference}{CLOSE}")),
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// What is wrong with the places of secure parameters: AWS takes them in a few properties only, none of which belongs to
/// a type that this cloud has.
pub(super) fn misplaced(template: &Template) -> Option<String> {
    let mut places = Vec::new();
    for declared in template.resources.values() {
        for (name, member) in &declared.properties {
            secure(member, &format!("{}/Properties/{name}", declared.resource_type), &mut places);
        }
    }
    (!places.is_empty()).then(|| format!("SSM Secure reference is not supported in: [{}]", places.join(",")))
}

fn secure(value: &Value, place: &str, places: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains("{{resolve:ssm-secure:") => places.push(place.to_owned()),
        Value::Array(items) => items.iter().for_each(|item| secure(item, place, places)),
        Value::Object(members) => {
            for (name, member) in members {
                let deeper = if name.starts_with("Fn::") { place.to_owned() } else { format!("{place}/{name}") };
                secure(member, &deeper, places);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::cloudformation::resource::{Context, ResourceType};

    const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    fn account() -> Account {
        let mut account =
            Account { id: "000000000000".to_owned(), region: "us-east-1".to_owned(), ..Account::default() };
        let mut make = |name: &str, value: &str| {
            let kind: &dyn ResourceType = secretsmanager::RESOURCE_TYPES[0];
            let properties = json!({ "Name": name, "SecretString": value });
            let context = Context { now: NOW, ..Context::sample(name) };
            kind.create(&mut account, &context, properties.as_object().expect("an object")).expect("it is free");
        };
        make("plain", "hush");
        make("json", "{\"user\":\"ann\",\"port\":5432,\"list\":[]}");
        make("sly", "{{resolve:secretsmanager:plain}}");
        for (name, kind) in [("/p", "String"), ("/s", "SecureString")] {
            let setting = serde_json::from_value(json!({ "Name": name, "Value": "v", "Type": kind }));
            account.ssm.set(setting.expect("a setting"), NOW).expect("it is new");
        }
        account
    }

    fn resolved(text: &str) -> Result<String, String> {
        let account = account();
        let arn = secretsmanager::find(&account, "plain", NOW)
            .map(|(name, secret)| secretsmanager::arn(&account, name, secret));
        let text = text.replace("ARN", &arn.expect("it was made"));
        let properties = Map::from_iter([("P".to_owned(), json!([{ "deep": text }]))]);
        let resolved = Holders { account: &account, now: NOW }.resolved(&properties)?;
        Ok(resolved["P"][0]["deep"].as_str().expect("it stays text").to_owned())
    }

    #[test]
    fn references_come_to_their_values() {
        for (text, value) in [
            ("{{resolve:secretsmanager:plain}}", "hush"),
            ("{{resolve:secretsmanager:plain:SecretString}}", "hush"),
            ("{{resolve:secretsmanager:plain:SecretString:::}}", "hush"),
            ("{{resolve:secretsmanager:plain::: AWSCURRENT}}", ""),
            ("{{resolve:secretsmanager:plain:SecretString::AWSCURRENT}}", "hush"),
            ("{{resolve:secretsmanager:ARN:SecretString}}", "hush"),
            ("{{resolve:secretsmanager:json:SecretString:user}}:{{resolve:secretsmanager:json::port}}!", "ann:5432!"),
            ("{{resolve:secretsmanager:sly}}", "{{resolve:secretsmanager:plain}}"),
            ("{{resolve:ssm:/p}} and {{resolve:ssm:/p:1}}", "v and v"),
            ("{{resolve:ssm:/p", "{{resolve:ssm:/p"),
            ("{{other}}", "{{other}}"),
        ] {
            if value.is_empty() {
                assert!(resolved(text).is_err(), "{text}");
            } else {
                assert_eq!(resolved(text).as_deref(), Ok(value), "{text}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_told_without_any_secret() {
        for (text, told) in [
            ("{{resolve:secretsmanager:gone}}", "Secrets Manager can't find the specified secret. (Service"),
            ("{{resolve:secretsmanager:plain:SecretString:key}}", "Could not parse SecretString JSON"),
            ("{{resolve:secretsmanager:json:SecretString:key}}", "Could not find a value associated with JSONKey"),
            ("{{resolve:secretsmanager:json:SecretString:list}}", "Could not find a value associated with JSONKey"),
            ("{{resolve:secretsmanager:plain:SecretBinary}}", "Incorrect format"),
            ("{{resolve:secretsmanager:arn:aws}}", "Incorrect format"),
            ("{{resolve:vault:plain}}", "Incorrect format"),
            ("{{resolve:ssm:/gone}}", "Unable to fetch parameters [/gone]"),
            ("{{resolve:ssm:/p:2}}", "Unable to fetch parameters [/p]"),
            ("{{resolve:ssm:/s}}", "types not supported by CloudFormation"),
        ] {
            let error = resolved(text).expect_err(text);
            assert!(error.contains(told), "{text}: {error}");
            assert!(!error.contains("hush") && !error.contains("ann"), "{error}");
        }
    }

    #[test]
    fn the_past_keeps_what_is_gone() {
        let account = account();
        let properties = Map::from_iter([
            ("A".to_owned(), json!("{{resolve:secretsmanager:gone}}")),
            ("B".to_owned(), json!("{{resolve:ssm:/p}}")),
        ]);
        let resolved = Holders { account: &account, now: NOW }.resolved_as_far_as_possible(&properties);
        assert_eq!(Value::Object(resolved), json!({ "A": "{{resolve:secretsmanager:gone}}", "B": "v" }));
    }
}
