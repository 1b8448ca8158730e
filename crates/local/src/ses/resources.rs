//! The CloudFormation resource types of SES.

use serde::Deserialize;
use serde_json::Value;

use super::{ConfigurationSet, Identity, Template, bad_request, exists};
use crate::cloud::Account;
use crate::cloudformation::resource::{Change, Context, Kind, Properties, Provisioned, Refused, ResourceType, Tags};
use crate::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&ConfigurationSetType, &IdentityType, &TemplateType];

struct ConfigurationSetType;
struct IdentityType;
struct TemplateType;

fn named<'a>(properties: &'a Properties, member: &str) -> &'a str {
    properties.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The properties of `AWS::SES::EmailIdentity`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Declared {
    email_identity: String,
    #[serde(default)]
    configuration_set_attributes: SetAttributes,
    #[serde(default)]
    feedback_attributes: FeedbackAttributes,
    #[serde(default)]
    mail_from_attributes: MailFromAttributes,
    #[serde(default)]
    tags: Tags,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct SetAttributes {
    configuration_set_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct FeedbackAttributes {
    email_forwarding_enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct MailFromAttributes {
    mail_from_domain: Option<String>,
}

impl Kind for IdentityType {
    const TYPE: &'static str = "AWS::SES::EmailIdentity";
    const SCHEMA: &'static str = include_str!("email_identity.schema.json");
    const SERVICE: &'static str = "SesV2";
    type Properties = Declared;

    fn exists(account: &Account, properties: &Properties) -> bool {
        account.ses.identities.contains_key(named(properties, "EmailIdentity"))
    }

    /// Verified from the beginning: the module says why.
    fn create(account: &mut Account, context: &Context, new: Declared) -> Result<Provisioned, Refused> {
        let name = new.email_identity.clone();
        account.ses.create(&name, Identity::verified(&name))?;
        Self::configure(account, context, &name, new)
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Declared>,
    ) -> Result<Provisioned, Refused> {
        Self::configure(account, context, physical_id, new)
    }

    fn delete(account: &mut Account, _context: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        account.ses.identities.remove(physical_id);
        Ok(())
    }
}

impl IdentityType {
    fn configure(account: &mut Account, context: &Context, name: &str, new: Declared) -> Result<Provisioned, Refused> {
        let identity = account.ses.identities.entry(name.to_owned()).or_insert_with(|| Identity::verified(name));
        identity.configuration_set = new.configuration_set_attributes.configuration_set_name;
        identity.forwards_feedback = new.feedback_attributes.email_forwarding_enabled.unwrap_or(true);
        identity.mail_from = new.mail_from_attributes.mail_from_domain;
        identity.tags = context.tags_with(&new.tags);
        let mut made = Provisioned::named(name);
        for number in 1..=3 {
            let token = identity.tokens.get(number - 1);
            let record =
                token.map(|token| (format!("{token}._domainkey.{name}"), format!("{token}.dkim.amazonses.com")));
            let (key, value) = record.unwrap_or_default();
            made = made.with(&format!("DkimDNSTokenName{number}"), key);
            made = made.with(&format!("DkimDNSTokenValue{number}"), value);
        }
        Ok(made)
    }
}

/// The properties of `AWS::SES::ConfigurationSet` that this cloud heeds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DeclaredSet {
    name: Option<String>,
    sending_options: SendingOptions,
    tags: Tags,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct SendingOptions {
    sending_enabled: Option<bool>,
}

impl DeclaredSet {
    fn set(&self, context: &Context) -> ConfigurationSet {
        ConfigurationSet {
            sends: self.sending_options.sending_enabled.unwrap_or(true),
            tags: context.tags_with(&self.tags),
        }
    }
}

/// Makes a configuration set.
pub(super) fn create_set(account: &mut Account, name: &str, set: ConfigurationSet) -> Result<(), Fault> {
    let is_legal = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_legal) {
        return Err(bad_request(format!("Invalid configuration set name <{name}>.")));
    }
    if account.ses.configuration_sets.contains_key(name) {
        return Err(exists(format!("Configuration set <{name}> already exists.")));
    }
    account.ses.configuration_sets.insert(name.to_owned(), set);
    Ok(())
}

impl Kind for ConfigurationSetType {
    const TYPE: &'static str = "AWS::SES::ConfigurationSet";
    const SCHEMA: &'static str = include_str!("configuration_set.schema.json");
    const SERVICE: &'static str = "SesV2";
    type Properties = DeclaredSet;

    fn exists(account: &Account, properties: &Properties) -> bool {
        account.ses.configuration_sets.contains_key(named(properties, "Name"))
    }

    fn create(account: &mut Account, context: &Context, new: DeclaredSet) -> Result<Provisioned, Refused> {
        let name = new.name.clone().unwrap_or_else(|| context.physical_name(64));
        create_set(account, &name, new.set(context))?;
        Ok(Provisioned::named(name))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<DeclaredSet>,
    ) -> Result<Provisioned, Refused> {
        account.ses.configuration_sets.insert(physical_id.to_owned(), new.set(context));
        Ok(Provisioned::named(physical_id))
    }

    fn delete(account: &mut Account, _context: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        account.ses.configuration_sets.remove(physical_id);
        Ok(())
    }
}

/// The properties of `AWS::SES::Template`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DeclaredTemplate {
    template: Parts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Parts {
    template_name: Option<String>,
    subject_part: String,
    text_part: Option<String>,
    html_part: Option<String>,
}

impl Kind for TemplateType {
    const TYPE: &'static str = "AWS::SES::Template";
    const SCHEMA: &'static str = include_str!("template.schema.json");
    const SERVICE: &'static str = "Ses";
    type Properties = DeclaredTemplate;

    fn create(account: &mut Account, context: &Context, new: DeclaredTemplate) -> Result<Provisioned, Refused> {
        let name = new.template.template_name.clone().unwrap_or_else(|| context.physical_name(64));
        if account.ses.templates.contains_key(&name) {
            return Err(exists(format!("Template {name} already exists")).into());
        }
        write(account, &name, new)
    }

    fn update(
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<DeclaredTemplate>,
    ) -> Result<Provisioned, Refused> {
        write(account, physical_id, new)
    }

    fn delete(account: &mut Account, _context: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        account.ses.templates.remove(physical_id);
        Ok(())
    }
}

fn write(account: &mut Account, name: &str, new: DeclaredTemplate) -> Result<Provisioned, Refused> {
    let Parts { subject_part: subject, text_part: text, html_part: html, .. } = new.template;
    account.ses.templates.insert(name.to_owned(), Template { subject, text, html });
    Ok(Provisioned::named(name).with("Id", name))
}
