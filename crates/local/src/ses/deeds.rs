//! What a request to SES does, as far as IAM is concerned.

use serde_json::Value;

use super::api::segments;
use super::arn;
use super::message::{Sending, bare, display_name};
use crate::cloud::Account;
use crate::iam::authorize::Deed;
use crate::wire::Request;

/// The deeds of a request; none for an operation that is not listed here.
pub(crate) fn deeds(account: &Account, request: &Request) -> Option<Vec<Deed>> {
    let segments = segments(request);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let body: Value = request.json().unwrap_or_default();
    let named = |member: &str| body.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let on = |action: &str, kind: &str, name: &str| vec![Deed::new(format!("ses:{action}"), arn(account, kind, name))];
    let of_all = |action: &str| vec![Deed::new(format!("ses:{action}"), "*")];
    Some(match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["outbound-emails"]) => sending(account, &request.json().unwrap_or_default()),
        ("GET", ["account"]) => of_all("GetAccount"),
        ("POST", ["identities"]) => on("CreateEmailIdentity", "identity", &named("EmailIdentity")),
        ("GET", ["identities"]) | ("POST", ["list-identities"]) => of_all("ListEmailIdentities"),
        ("GET", ["identities", name]) => on("GetEmailIdentity", "identity", name),
        ("DELETE", ["identities", name]) => on("DeleteEmailIdentity", "identity", name),
        ("GET", ["identities", name, "policies"]) => on("GetEmailIdentityPolicies", "identity", name),
        ("POST", ["identities", name, "policies", _]) => on("CreateEmailIdentityPolicy", "identity", name),
        ("PUT", ["identities", name, "policies", _]) => on("UpdateEmailIdentityPolicy", "identity", name),
        ("DELETE", ["identities", name, "policies", _]) => on("DeleteEmailIdentityPolicy", "identity", name),
        ("POST", ["configuration-sets"]) => {
            on("CreateConfigurationSet", "configuration-set", &named("ConfigurationSetName"))
        }
        ("GET", ["configuration-sets"]) | ("POST", ["list-configuration-sets"]) => of_all("ListConfigurationSets"),
        ("GET", ["configuration-sets", name]) => on("GetConfigurationSet", "configuration-set", name),
        ("DELETE", ["configuration-sets", name]) => on("DeleteConfigurationSet", "configuration-set", name),
        ("POST", ["templates"]) => on("CreateEmailTemplate", "template", &named("TemplateName")),
        ("GET", ["templates"]) => of_all("ListEmailTemplates"),
        ("GET", ["templates", name]) => on("GetEmailTemplate", "template", name),
        ("PUT", ["templates", name]) => on("UpdateEmailTemplate", "template", name),
        ("DELETE", ["templates", name]) => on("DeleteEmailTemplate", "template", name),
        _ => return None,
    })
}

/// A message is sent in the name of an identity, and by a configuration set and a template where it names them.
fn sending(account: &Account, sending: &Sending) -> Vec<Deed> {
    let action = if sending.content.raw.is_some() { "ses:SendRawEmail" } else { "ses:SendEmail" };
    let sender = sending.sender().unwrap_or_default();
    let address = bare(&sender);
    let identity = account.ses.sender(address);
    let name = identity.map_or(address, |(name, _)| name.as_str());
    let tags = identity.map(|(_, identity)| identity.tags.clone()).unwrap_or_default();
    let set = sending.configuration_set_name.as_deref();
    let set = set.or_else(|| identity.and_then(|(_, identity)| identity.configuration_set.as_deref()));
    let template = sending.content.template.as_ref().and_then(|template| template.template_name.as_deref());
    let recipients: Vec<String> = sending.recipients().iter().map(|one| bare(one).to_owned()).collect();
    let resources = [("identity", Some(name)), ("configuration-set", set), ("template", template)];
    resources
        .into_iter()
        .filter_map(|(kind, name)| Some(arn(account, kind, name?)))
        .map(|resource| {
            Deed::new(action, resource)
                .knowing("ses:ApiVersion", ["2".to_owned()])
                .knowing("ses:FromAddress", [address.to_owned()])
                .knowing("ses:FromDisplayName", display_name(&sender))
                .knowing("ses:Recipients", recipients.clone())
                .tagged("ses", &tags)
        })
        .collect()
}
