//! Addresses and domains that mail is sent from.

use serde_json::{Map, Value, json};

use super::{Synthesis, properties, value};
use crate::model::ses::EmailIdentity;
use crate::template::Resource;

pub(super) fn add(synthesis: &mut Synthesis, id: &str, declared: &EmailIdentity) {
    let mut resource = Resource::new("AWS::SES::EmailIdentity");
    resource.properties = properties(declared);
    resource.properties.extend(derived(declared));
    synthesis.resource(id, resource);
}

/// The properties that are shaped otherwise than their fields.
fn derived(declared: &EmailIdentity) -> Map<String, Value> {
    let groups = json!({
        "DkimAttributes": { "SigningEnabled": declared.dkim_signing_enabled },
        "DkimSigningAttributes": { "NextSigningKeyLength": value(&declared.next_signing_key_length) },
        "FeedbackAttributes": { "EmailForwardingEnabled": declared.email_forwarding_enabled },
        "MailFromAttributes": {
            "MailFromDomain": value(&declared.mail_from_domain),
            "BehaviorOnMxFailure": value(&declared.behavior_on_mx_failure),
        },
        "ConfigurationSetAttributes": { "ConfigurationSetName": value(&declared.configuration_set) },
    });
    properties(&groups)
}
