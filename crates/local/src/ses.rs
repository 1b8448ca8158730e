//! The Simple Email Service: who may send, and what was sent.
//!
//! Nothing leaves the machine: a message that SES would take goes to the account's mailbox, which `stackgen local mail`
//! shows. Only a verified identity may send. An identity that a stack makes is verified at once, since nobody stands by
//! to confirm it; so is a domain, for want of its DNS. An address that the API makes waits until the link in the message
//! to it is opened. The sandbox, whose recipients have to be verified too, is not simulated.

pub(crate) mod api;
pub(crate) mod deeds;
mod message;
mod resources;

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cloud::{Account, Cloud};
use crate::hidden::Hidden;
use crate::mail::Message;
use crate::signature;
use crate::wire::{self, Fault, Response};

pub(crate) use resources::RESOURCE_TYPES;

/// Identities, configuration sets and templates.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ses {
    /// Identities by address or domain.
    pub identities: BTreeMap<String, Identity>,
    /// Configuration sets by name.
    pub configuration_sets: BTreeMap<String, ConfigurationSet>,
    /// Templates by name.
    pub templates: BTreeMap<String, Template>,
}

/// An address or a domain that messages come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// What the link that verifies it ends with; none once it is verified.
    pub pending: Option<Hidden>,
    /// Three names in the DNS of a domain.
    pub tokens: Vec<String>,
    /// The configuration set of messages that name none.
    pub configuration_set: Option<String>,
    /// Whether complaints are forwarded.
    pub forwards_feedback: bool,
    /// The domain of bounces.
    pub mail_from: Option<String>,
    /// Who may send in its name, besides what roles are granted: documents by name.
    pub policies: BTreeMap<String, Value>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// How messages are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationSet {
    /// Whether anything is sent at all.
    pub sends: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A message with places to fill in, such as `{{name}}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Template {
    /// Subject.
    pub subject: String,
    /// Text.
    pub text: Option<String>,
    /// HTML.
    pub html: Option<String>,
}

/// Where the links lead that verify addresses.
pub(crate) const VERIFY: &str = "/_aws/ses/verify/";

impl Ses {
    /// The identity that lets an address send: its own, else that of its domain or of one that holds it.
    fn sender(&self, address: &str) -> Option<(&String, &Identity)> {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase())?;
        let holders = domain.match_indices('.').filter_map(|(at, _)| domain.get(at + 1..));
        [address, &domain].into_iter().chain(holders).find_map(|name| self.identities.get_key_value(name))
    }

    /// Makes an identity, verified already or waiting for its link to be opened.
    fn create(&mut self, name: &str, identity: Identity) -> Result<&mut Identity, Fault> {
        check_identity(name)?;
        if self.identities.contains_key(name) {
            return Err(exists(format!("Email identity {name} already exist.")));
        }
        Ok(self.identities.entry(name.to_owned()).or_insert(identity))
    }
}

impl Identity {
    /// A verified identity.
    fn verified(name: &str) -> Self {
        let tokens = if is_address(name) { Vec::new() } else { (0..3).map(|_| token()).collect() };
        Self { tokens, forwards_feedback: true, ..Self::default() }
    }

    fn is_verified(&self) -> bool {
        self.pending.is_none()
    }
}

/// Asks the owner of an address to open a link.
fn ask_for_verification(account: &mut Account, endpoint: &str, address: &str, now: OffsetDateTime) {
    let Some(identity) = account.ses.identities.get_mut(address) else { return };
    let token = token();
    let body = format!(
        "We have received a request to authorize this email address for use with Amazon SES. If you requested this \
         verification, open this link: {endpoint}{VERIFY}{token}"
    );
    identity.pending = Some(token.into());
    account.mail.send(Message {
        to: address.to_owned(),
        subject: "Amazon Web Services - Email Address Verification Request".to_owned(),
        body: body.into(),
        kind: "EmailIdentity".to_owned(),
        from: Some("no-reply-aws@amazon.com".to_owned()),
        html: None,
        time: now,
    });
}

/// Answers a link that verifies an address.
pub(crate) fn verify(cloud: &Cloud, token: &str) -> Response {
    let verified = cloud.write(|account| {
        let waits = |identity: &&mut Identity| {
            identity.pending.as_deref().is_some_and(|pending| signature::is_equal(pending, token))
        };
        let identity = account.ses.identities.values_mut().find(waits);
        identity.map(|identity| identity.pending = None).ok_or_else(|| not_found("the link is not known".to_owned()))
    });
    match verified {
        Ok(()) => wire::text(StatusCode::OK, "text/plain; charset=utf-8", "The address is verified.\n"),
        Err(fault) => {
            wire::text(fault.status, "text/plain; charset=utf-8", "The link is used up, or was never sent.\n")
        }
    }
}

/// ARN of an identity.
fn arn(account: &Account, kind: &str, name: &str) -> String {
    format!("arn:aws:ses:{}:{}:{kind}/{name}", account.region, account.id)
}

/// The policies of the identity of an ARN, as one.
pub(crate) fn policy_of(account: &Account, resource: &str) -> Option<Value> {
    let name = resource.strip_prefix(&arn(account, "identity", ""))?;
    let policies = &account.ses.identities.get(name)?.policies;
    let statements = policies.values().filter_map(|policy| policy.get("Statement"));
    let statements: Vec<Value> = statements
        .flat_map(|statement| statement.as_array().cloned().unwrap_or_else(|| vec![statement.clone()]))
        .collect();
    (!statements.is_empty()).then(|| json!({ "Version": "2012-10-17", "Statement": statements }))
}

fn is_address(name: &str) -> bool {
    name.contains('@')
}

fn check_identity(name: &str) -> Result<(), Fault> {
    let is_plain = name.len() <= 320 && name.chars().all(|character| character.is_ascii_graphic());
    let (local, domain) = name.rsplit_once('@').unwrap_or(("x", name));
    let labels = domain.split('.').collect::<Vec<_>>();
    let is_label = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
    };
    if is_plain && !local.is_empty() && labels.len() > 1 && labels.iter().all(is_label) {
        return Ok(());
    }
    Err(bad_request(format!("Invalid email identity <{name}>: it is neither an email address nor a domain.")))
}

/// Text that nobody guesses.
fn token() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn bad_request(message: impl Into<String>) -> Fault {
    Fault::new("BadRequestException", message)
}

fn not_found(message: String) -> Fault {
    Fault::new("NotFoundException", message).with_status(StatusCode::NOT_FOUND)
}

fn exists(message: String) -> Fault {
    Fault::new("AlreadyExistsException", message)
}

#[cfg(test)]
mod tests;
