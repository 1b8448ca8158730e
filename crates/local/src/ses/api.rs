//! The wire face of SES, version 2, REST-JSON.

use std::collections::BTreeMap;

use http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::message::{Sending, TemplateContent};
use super::{ConfigurationSet, Identity, Template, ask_for_verification, bad_request, exists, is_address, not_found};
use crate::cloud::{Account, Cloud};
use crate::cloudformation::resource::Tags;
use crate::iam::policy::Policy;
use crate::wire::{Fault, Request, Response, rest_json_answer};

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    rest_json_answer(answer(&cloud, &request))
}

/// The segments of a path after the API's version.
pub(super) fn segments(request: &Request) -> Vec<String> {
    let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    request.path.split('/').filter(|segment| !segment.is_empty()).skip(2).map(decoded).collect()
}

fn answer(cloud: &Cloud, request: &Request) -> Result<Value, Fault> {
    let segments = segments(request);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["outbound-emails"]) => {
            let sending: Sending = read(request)?;
            let id = cloud.write(|account| sending.deliver(account, cloud.now()))?;
            Ok(json!({ "MessageId": id }))
        }
        ("GET", ["account"]) => Ok(json!({
            "ProductionAccessEnabled": true, "SendingEnabled": true, "EnforcementStatus": "HEALTHY",
            "DedicatedIpAutoWarmupEnabled": false,
            "SendQuota": { "Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 0.0 },
        })),
        ("GET", ["identities"]) | ("POST", ["list-identities"]) => {
            cloud.read(|account| list_identities(account, request))
        }
        ("GET", ["configuration-sets"]) | ("POST", ["list-configuration-sets"]) => {
            cloud.read(|account| list_sets(account, request))
        }
        (_, ["identities", path @ ..]) => identities(cloud, request, path),
        (_, ["configuration-sets", path @ ..]) => configuration_sets(cloud, request, path),
        (_, ["templates", path @ ..]) => templates(cloud, request, path),
        _ => Err(unknown(request)),
    }
}

fn unknown(request: &Request) -> Fault {
    Fault::unknown_operation("ses", &format!("{} {}", request.method, request.path))
}

fn read<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Fault> {
    request.json().map_err(|fault| bad_request(fault.message))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Making {
    email_identity: String,
    configuration_set_name: Option<String>,
    #[serde(default)]
    tags: Tags,
}

fn identities(cloud: &Cloud, request: &Request, path: &[&str]) -> Result<Value, Fault> {
    match (&request.method, path) {
        (&Method::POST, []) => {
            let making: Making = read(request)?;
            cloud.write(|account| create(cloud, account, making))
        }
        (&Method::GET, [name]) => cloud.read(|account| Ok(described(name, identity(account, name)?))),
        (&Method::DELETE, [name]) => cloud.write(|account| {
            identity(account, name)?;
            account.ses.identities.remove(*name);
            Ok(json!({}))
        }),
        (&Method::GET, [name, "policies"]) => {
            cloud.read(|account| Ok(json!({ "Policies": policies(identity(account, name)?) })))
        }
        (method @ (&Method::POST | &Method::PUT | &Method::DELETE), [name, "policies", policy]) => {
            let document = if *method == Method::DELETE { None } else { Some(document(request)?) };
            cloud.write(|account| {
                let policies = &mut identity_mut(account, name)?.policies;
                match document {
                    Some(document) => policies.insert((*policy).to_owned(), document),
                    None => policies.remove(*policy),
                };
                Ok(json!({}))
            })
        }
        _ => Err(unknown(request)),
    }
}

/// Older clients ask with `GET` and the query string, newer ones with `POST` and a body.
fn list_identities(account: &Account, request: &Request) -> Result<Value, Fault> {
    let all = account.ses.identities.iter().map(|(name, identity)| {
        json!({
            "IdentityName": name, "IdentityType": kind(name), "SendingEnabled": identity.is_verified(),
            "VerificationStatus": status(identity),
        })
    });
    page(all.collect(), "EmailIdentities", request)
}

fn list_sets(account: &Account, request: &Request) -> Result<Value, Fault> {
    page(account.ses.configuration_sets.keys().map(|name| json!(name)).collect(), "ConfigurationSets", request)
}

/// An address waits for its link to be opened; a domain has no DNS here that could be asked.
fn create(cloud: &Cloud, account: &mut Account, making: Making) -> Result<Value, Fault> {
    let name = making.email_identity;
    let identity =
        Identity { configuration_set: making.configuration_set_name, tags: making.tags.0, ..Identity::verified(&name) };
    account.ses.create(&name, identity)?;
    if is_address(&name) {
        ask_for_verification(account, cloud.endpoint(), &name, cloud.now());
    }
    let identity = self::identity(account, &name)?;
    Ok(json!({
        "IdentityType": kind(&name), "VerifiedForSendingStatus": identity.is_verified(), "DkimAttributes": dkim(identity),
    }))
}

fn identity<'a>(account: &'a Account, name: &str) -> Result<&'a Identity, Fault> {
    account.ses.identities.get(name).ok_or_else(|| missing(name))
}

fn identity_mut<'a>(account: &'a mut Account, name: &str) -> Result<&'a mut Identity, Fault> {
    account.ses.identities.get_mut(name).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Fault {
    not_found(format!("Email identity <{name}> does not exist."))
}

fn kind(name: &str) -> &'static str {
    if is_address(name) { "EMAIL_ADDRESS" } else { "DOMAIN" }
}

fn status(identity: &Identity) -> &'static str {
    if identity.is_verified() { "SUCCESS" } else { "PENDING" }
}

fn dkim(identity: &Identity) -> Value {
    let is_signed = !identity.tokens.is_empty();
    json!({
        "SigningEnabled": is_signed, "Status": if is_signed { "SUCCESS" } else { "NOT_STARTED" },
        "Tokens": identity.tokens, "SigningAttributesOrigin": "AWS_SES",
    })
}

fn described(name: &str, identity: &Identity) -> Value {
    json!({
        "IdentityType": kind(name),
        "VerifiedForSendingStatus": identity.is_verified(),
        "VerificationStatus": status(identity),
        "FeedbackForwardingStatus": identity.forwards_feedback,
        "DkimAttributes": dkim(identity),
        "MailFromAttributes": {
            "MailFromDomain": identity.mail_from, "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
        },
        "Policies": policies(identity),
        "Tags": tags(&identity.tags),
        "ConfigurationSetName": identity.configuration_set,
    })
}

fn policies(identity: &Identity) -> BTreeMap<&String, String> {
    identity.policies.iter().map(|(name, policy)| (name, policy.to_string())).collect()
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// The policy of a request.
fn document(request: &Request) -> Result<Value, Fault> {
    let body: Value = read(request)?;
    let text = body.get("Policy").and_then(Value::as_str).unwrap_or_default();
    let document: Value = serde_json::from_str(text).map_err(|error| bad_request(error.to_string()))?;
    Policy::parse_resource(&document).map_err(|fault| bad_request(fault.message))?;
    Ok(document)
}

fn configuration_sets(cloud: &Cloud, request: &Request, path: &[&str]) -> Result<Value, Fault> {
    let unknown_set = |name: &str| not_found(format!("Configuration set <{name}> does not exist."));
    match (&request.method, path) {
        (&Method::POST, []) => {
            let body: Value = read(request)?;
            let name = body.get("ConfigurationSetName").and_then(Value::as_str).unwrap_or_default().to_owned();
            let sends = body.pointer("/SendingOptions/SendingEnabled") != Some(&Value::Bool(false));
            let tags: Tags = serde_json::from_value(body.get("Tags").cloned().unwrap_or_else(|| json!([])))
                .map_err(|error| bad_request(error.to_string()))?;
            cloud.write(|account| super::resources::create_set(account, &name, ConfigurationSet { sends, tags: tags.0 }))?;
            Ok(json!({}))
        }
        (&Method::GET, [name]) => cloud.read(|account| {
            let set = account.ses.configuration_sets.get(*name).ok_or_else(|| unknown_set(name))?;
            Ok(json!({
                "ConfigurationSetName": name, "SendingOptions": { "SendingEnabled": set.sends }, "Tags": tags(&set.tags),
            }))
        }),
        (&Method::DELETE, [name]) => cloud.write(|account| {
            account.ses.configuration_sets.remove(*name).map(|_| json!({})).ok_or_else(|| unknown_set(name))
        }),
        _ => Err(unknown(request)),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Writing {
    #[serde(default)]
    template_name: String,
    template_content: TemplateContent,
}

fn templates(cloud: &Cloud, request: &Request, path: &[&str]) -> Result<Value, Fault> {
    let unknown_template = |name: &str| not_found(format!("Template {name} does not exist."));
    match (&request.method, path) {
        (&Method::POST, []) => {
            let writing: Writing = read(request)?;
            cloud.write(|account| create_template(account, &writing.template_name, writing.template_content.into()))
        }
        (&Method::PUT, [name]) => {
            let writing: Writing = read(request)?;
            cloud.write(|account| {
                let template = account.ses.templates.get_mut(*name).ok_or_else(|| unknown_template(name))?;
                *template = writing.template_content.into();
                Ok(json!({}))
            })
        }
        (&Method::GET, []) => cloud.read(|account| {
            let all = account.ses.templates.keys().map(|name| json!({ "TemplateName": name }));
            page(all.collect(), "TemplatesMetadata", request)
        }),
        (&Method::GET, [name]) => cloud.read(|account| {
            let Template { subject, text, html } =
                account.ses.templates.get(*name).ok_or_else(|| unknown_template(name))?;
            Ok(json!({
                "TemplateName": name, "TemplateContent": { "Subject": subject, "Text": text, "Html": html },
            }))
        }),
        (&Method::DELETE, [name]) => cloud.write(|account| {
            account.ses.templates.remove(*name).map(|_| json!({})).ok_or_else(|| unknown_template(name))
        }),
        _ => Err(unknown(request)),
    }
}

fn create_template(account: &mut Account, name: &str, template: Template) -> Result<Value, Fault> {
    if account.ses.templates.contains_key(name) {
        return Err(exists(format!("Template {name} already exists")));
    }
    account.ses.templates.insert(name.to_owned(), template);
    Ok(json!({}))
}

fn page(all: Vec<Value>, member: &str, request: &Request) -> Result<Value, Fault> {
    let body: Value = read(request)?;
    if body.get("Filter").is_some_and(|filter| !filter.is_null()) {
        return Err(bad_request("the local cloud does not offer filters of SES"));
    }
    let given = |name: &str| {
        let in_body = body.get(name).filter(|value| !value.is_null());
        let in_body = in_body.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        in_body.or_else(|| request.query_parameter(name)).map(|text| text.parse::<usize>())
    };
    let invalid = |_| bad_request("The NextToken or the PageSize is not valid.");
    let offset = given("NextToken").transpose().map_err(invalid)?.unwrap_or(0);
    let size = given("PageSize").transpose().map_err(invalid)?.unwrap_or(100).clamp(1, 1000);
    let end = offset.saturating_add(size);
    let next = (end < all.len()).then(|| end.to_string());
    let page: Vec<Value> = all.into_iter().take(end).skip(offset).collect();
    Ok(json!({ member: page, "NextToken": next }))
}
