//! Addresses and domains that mail is sent from.

use std::collections::BTreeMap;

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::Derived;
use super::{Declared, Resource, Stack, Value, check, properties};

/// An address or a domain that mail is sent from, once its owner has agreed.
///
/// For an address SES sends a mail with a link that must be followed; a domain needs the DNS records that the attributes
/// `DkimDNSTokenName1` and so on tell. Synthesis derives `DkimAttributes`, `DkimSigningAttributes`, `FeedbackAttributes`,
/// `MailFromAttributes` and `ConfigurationSetAttributes`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct EmailIdentity {
    /// The address or the domain.
    #[setters(skip)]
    #[garde(custom(check::email_identity))]
    pub email_identity: Value,
    /// Whether mail is signed, so that others can tell it from forgeries; SES decides when absent.
    #[serde(default, skip_serializing)]
    #[setters(into = false)]
    pub dkim_signing_enabled: Option<bool>,
    /// The length of the key that signs from the next rotation on.
    #[serde(default, skip_serializing)]
    pub next_signing_key_length: Option<SigningKeyLength>,
    /// The subdomain that receives mail which could not be delivered.
    #[serde(default, skip_serializing)]
    #[garde(inner(custom(check::text("a domain", 1, 253, is_domain))))]
    pub mail_from_domain: Option<Value>,
    /// What happens to mail while that subdomain has no MX record.
    #[serde(default, skip_serializing)]
    pub behavior_on_mx_failure: Option<MxFailure>,
    /// Whether complaints and bounces are mailed to the sender; they are when absent.
    #[serde(default, skip_serializing)]
    #[setters(into = false)]
    pub email_forwarding_enabled: Option<bool>,
    /// The configuration set of mail that names none.
    #[serde(default, skip_serializing)]
    #[garde(dive)]
    pub configuration_set: Option<Value>,
    /// Tags on the identity.
    #[serde(default, serialize_with = "properties::tags")]
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
}

impl EmailIdentity {
    /// An address or a domain.
    pub fn new(email_identity: impl Into<Value>) -> Self {
        Self {
            email_identity: email_identity.into(),
            dkim_signing_enabled: None,
            next_signing_key_length: None,
            mail_from_domain: None,
            behavior_on_mx_failure: None,
            email_forwarding_enabled: None,
            configuration_set: None,
            tags: BTreeMap::new(),
        }
    }

    /// The address, if it is known to be one.
    pub fn address(&self) -> Option<&str> {
        self.email_identity.text().filter(|text| text.contains('@'))
    }

    /// The domain, or that of the address, if it is known already.
    pub fn domain(&self) -> Option<&str> {
        self.email_identity.text().map(|text| text.rsplit_once('@').map_or(text, |(_, domain)| domain))
    }
}

impl Resource for EmailIdentity {
    const TYPE: &'static str = "AWS::SES::EmailIdentity";
    const NAME: &'static str = "email identity";
    const ATTRIBUTES: &'static [&'static str] = &[
        "DkimDNSTokenName1",
        "DkimDNSTokenName2",
        "DkimDNSTokenName3",
        "DkimDNSTokenValue1",
        "DkimDNSTokenValue2",
        "DkimDNSTokenValue3",
    ];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.email_identities
    }

    fn derived(&self, _: &str) -> Vec<Derived> {
        Vec::new()
    }
}

/// The length of a key that signs mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum SigningKeyLength {
    /// 1,024 bits.
    #[serde(rename(deserialize = "rsa1024", serialize = "RSA_1024_BIT"))]
    Rsa1024,
    /// 2,048 bits.
    #[serde(rename(deserialize = "rsa2048", serialize = "RSA_2048_BIT"))]
    Rsa2048,
}

/// What happens to mail while the subdomain for undeliverable mail has no MX record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "SCREAMING_SNAKE_CASE"))]
pub enum MxFailure {
    /// It is sent from a subdomain of amazonses.com.
    UseDefaultValue,
    /// It is refused.
    RejectMessage,
}

fn is_domain(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".-".contains(c)
}
