//! A message on its way out: what it says, who sends it, who gets it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Template, bad_request, not_found};
use crate::cloud::Account;
use crate::hidden::Hidden;
use crate::mail::Message;
use crate::wire::Fault;

/// The request of `SendEmail`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Sending {
    pub(super) from_email_address: Option<String>,
    pub(super) destination: Destination,
    reply_to_addresses: Vec<String>,
    pub(super) content: Content,
    pub(super) configuration_set_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

/// One of three ways to say something.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Content {
    simple: Option<Simple>,
    pub(super) raw: Option<Raw>,
    pub(super) template: Option<Templated>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Text,
    body: Body,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Header {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Text>,
    html: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Raw {
    data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Templated {
    pub(super) template_name: Option<String>,
    template_content: Option<TemplateContent>,
    template_data: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TemplateContent {
    subject: Option<String>,
    text: Option<String>,
    html: Option<String>,
}

impl From<TemplateContent> for Template {
    fn from(content: TemplateContent) -> Self {
        Self { subject: content.subject.unwrap_or_default(), text: content.text, html: content.html }
    }
}

/// What a message says, once it is known.
struct Letter {
    subject: String,
    text: Option<String>,
    html: Option<String>,
}

/// Most recipients of one message.
const MOST_RECIPIENTS: usize = 50;
/// Most bytes of one message.
const LARGEST: usize = 40 << 20;

impl Sending {
    /// Everybody who gets it.
    pub(super) fn recipients(&self) -> Vec<String> {
        let Destination { to_addresses, cc_addresses, bcc_addresses } = &self.destination;
        let named: Vec<String> = to_addresses.iter().chain(cc_addresses).chain(bcc_addresses).cloned().collect();
        match self.envelope() {
            Some(headers) if named.is_empty() => ["to", "cc", "bcc"]
                .into_iter()
                .filter_map(|name| headers.get(name))
                .flat_map(|list| list.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
                .collect(),
            _ => named,
        }
    }

    /// Who sends it: display name and all.
    pub(super) fn sender(&self) -> Option<String> {
        self.from_email_address.clone().or_else(|| self.envelope()?.get("from").map(str::to_owned))
    }

    /// The headers of a message that comes whole.
    fn envelope(&self) -> Option<Headers> {
        let raw = STANDARD.decode(&self.content.raw.as_ref()?.data).ok()?;
        Some(Headers::of(&String::from_utf8_lossy(&raw)))
    }

    /// Puts the message into the mailbox, and answers its id.
    pub(super) fn deliver(&self, account: &mut Account, now: OffsetDateTime) -> Result<String, Fault> {
        let sender = self.sender().ok_or_else(|| bad_request("Missing required header 'From'."))?;
        let recipients = self.recipients();
        check_recipients(&recipients)?;
        for one in recipients.iter().chain([&sender]).chain(&self.reply_to_addresses) {
            check_address(one)?;
        }
        let set = check_sender(account, &sender, self.configuration_set_name.as_deref())?;
        check_configuration_set(account, set.as_deref())?;
        let Letter { subject, text, html } = self.letter(account)?;
        if [&text, &html].into_iter().flatten().map(String::len).sum::<usize>() > LARGEST {
            return Err(bad_request("Message length is more than 41943040 bytes long."));
        }
        let body = text.or_else(|| html.clone()).unwrap_or_default();
        let to = recipients.iter().map(|one| bare(one)).collect::<Vec<_>>().join(", ");
        let kind = "Email".to_owned();
        let (body, html) = (body.into(), html.map(Hidden::from));
        account.mail.send(Message { to, subject, body, kind, from: Some(sender), html, time: now });
        Ok(format!("{:016x}-{}-000000", now.unix_timestamp_nanos() / 1_000_000, Uuid::new_v4()))
    }

    fn letter(&self, account: &Account) -> Result<Letter, Fault> {
        let Content { simple, raw, template } = &self.content;
        match (simple, raw, template) {
            (Some(simple), None, None) => simple.letter(),
            (None, Some(raw), None) => raw.letter(),
            (None, None, Some(template)) => template.letter(account),
            _ => Err(bad_request("Exactly one of Simple, Raw and Template must be given as the content of a message.")),
        }
    }
}

impl Simple {
    fn letter(&self) -> Result<Letter, Fault> {
        one_line("Subject", &self.subject.data)?;
        for header in &self.headers {
            one_line(&header.name, &header.value)?;
        }
        let data = |text: &Option<Text>| text.as_ref().map(|text| text.data.clone());
        let (text, html) = (data(&self.body.text), data(&self.body.html));
        if text.is_none() && html.is_none() {
            return Err(bad_request("The message has neither text nor HTML."));
        }
        Ok(Letter { subject: self.subject.data.clone(), text, html })
    }
}

impl Raw {
    fn letter(&self) -> Result<Letter, Fault> {
        let raw = STANDARD.decode(&self.data).map_err(|_| bad_request("The raw message is not base64."))?;
        let text = String::from_utf8_lossy(&raw);
        let subject = Headers::of(&text).get("subject").unwrap_or_default().to_owned();
        let body = split(&text).map(|(_, body)| body.to_owned());
        Ok(Letter { subject, text: Some(body.unwrap_or_default()), html: None })
    }
}

impl Templated {
    fn letter(&self, account: &Account) -> Result<Letter, Fault> {
        let template = match (&self.template_content, &self.template_name) {
            (Some(content), _) => content.clone().into(),
            (None, Some(name)) => account
                .ses
                .templates
                .get(name)
                .cloned()
                .ok_or_else(|| not_found(format!("Template {name} does not exist.")))?,
            (None, None) => return Err(bad_request("The message names no template.")),
        };
        let data: Value = serde_json::from_str(self.template_data.as_deref().unwrap_or("{}"))
            .map_err(|_| bad_request("The template data is not JSON."))?;
        let subject = filled(&template.subject, &data);
        one_line("Subject", &subject)?;
        let fill = |text: Option<String>| text.map(|text| filled(&text, &data));
        Ok(Letter { subject, text: fill(template.text), html: fill(template.html) })
    }
}

/// A template with the values of its data. Places without a value stay empty.
fn filled(template: &str, data: &Value) -> String {
    let mut result = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, inside, after)) = place(rest) {
        result.push_str(before);
        let value = inside.split('.').try_fold(data, |value, name| value.get(name.trim()));
        match value {
            Some(Value::String(text)) => result.push_str(text),
            None | Some(Value::Null) => {}
            Some(other) => result.push_str(&other.to_string()),
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

/// The first `{{place}}` of a text, what comes before it and what after.
fn place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (inside, after) = rest.split_once("}}")?;
    Some((before, inside.trim(), after))
}

/// The headers of a message, by name in lower case; long ones unfolded.
struct Headers(Vec<(String, String)>);

impl Headers {
    fn of(message: &str) -> Self {
        let head = split(message).map_or(message, |(head, _)| head);
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in head.lines() {
            match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
                (true, Some((_, value)), _) => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                (false, _, Some((name, value))) => {
                    headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
                _ => {}
            }
        }
        Self(headers)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Head and body of a message.
fn split(message: &str) -> Option<(&str, &str)> {
    message.split_once("\r\n\r\n").or_else(|| message.split_once("\n\n"))
}

/// The address of `Name <address>`.
pub(super) fn bare(address: &str) -> &str {
    match address.rsplit_once('<') {
        Some((_, rest)) => rest.trim_end_matches('>').trim(),
        None => address.trim(),
    }
}

/// The name of `Name <address>`.
pub(super) fn display_name(address: &str) -> Option<String> {
    let (name, _) = address.rsplit_once('<')?;
    let name = name.trim().trim_matches('"');
    (!name.is_empty()).then(|| name.to_owned())
}

fn check_recipients(recipients: &[String]) -> Result<(), Fault> {
    match recipients.len() {
        0 => Err(bad_request("Destination is required: the message has no recipients.")),
        1..=MOST_RECIPIENTS => Ok(()),
        _ => Err(bad_request(format!("Recipient count exceeds {MOST_RECIPIENTS}."))),
    }
}

/// Whoever could break the line could write headers of his own.
fn one_line(name: &str, value: &str) -> Result<(), Fault> {
    if value.chars().chain(name.chars()).any(char::is_control) {
        return Err(bad_request(format!(
            "Control characters are not allowed in the header '{}'.",
            name.escape_debug()
        )));
    }
    Ok(())
}

fn check_address(address: &str) -> Result<(), Fault> {
    one_line("address", address)?;
    let plain = bare(address);
    let (local, domain) = plain.rsplit_once('@').ok_or_else(|| bad_request("Missing final '@domain'"))?;
    if local.is_empty() || domain.is_empty() || plain.contains([' ', ',', '<', '>']) || !plain.is_ascii() {
        return Err(bad_request(format!("Illegal address: {address}")));
    }
    Ok(())
}

/// The sender's identity has to be verified. Answers the configuration set that the message goes by.
fn check_sender(account: &Account, sender: &str, set: Option<&str>) -> Result<Option<String>, Fault> {
    let address = bare(sender);
    match account.ses.sender(address) {
        Some((_, identity)) if identity.is_verified() => {
            Ok(set.map(str::to_owned).or_else(|| identity.configuration_set.clone()))
        }
        _ => {
            let region = account.region.to_ascii_uppercase();
            Err(Fault::new(
                "MessageRejected",
                format!(
                    "Email address is not verified. The following identities failed the check in region {region}: {address}"
                ),
            ))
        }
    }
}

fn check_configuration_set(account: &Account, name: Option<&str>) -> Result<(), Fault> {
    let Some(name) = name else { return Ok(()) };
    match account.ses.configuration_sets.get(name) {
        None => Err(not_found(format!("Configuration set <{name}> does not exist."))),
        Some(set) if !set.sends => Err(Fault::new(
            "SendingPausedException",
            format!("Email sending is disabled for the configuration set <{name}>."),
        )),
        Some(_) => Ok(()),
    }
}
