//! The messages that carry codes and invitations.

use serde_json::{Map, Value, json};

use crate::cloud::{Account, Cloud};
use crate::cognito::attribute::Attributes;
use crate::cognito::pool::UserPool;
use crate::cognito::settings::PoolSettings;
use crate::cognito::trigger::{self, Call, Subject};
use crate::mail::Message;
use crate::wire::Fault;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Somebody signed up.
    SignUp,
    /// The code of a sign-up is sent again.
    ResendCode,
    /// Somebody forgot the password.
    ForgotPassword,
    /// An administrator made a user.
    AdminCreateUser,
    /// An address is to be proven.
    VerifyUserAttribute,
    /// An address was changed, and is to be proven.
    UpdateUserAttribute,
}

impl Occasion {
    fn name(self) -> &'static str {
        match self {
            Self::SignUp => "SignUp",
            Self::ResendCode => "ResendCode",
            Self::ForgotPassword => "ForgotPassword",
            Self::AdminCreateUser => "AdminCreateUser",
            Self::VerifyUserAttribute => "VerifyUserAttribute",
            Self::UpdateUserAttribute => "UpdateUserAttribute",
        }
    }
}

/// A message before its code is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wording {
    occasion: Occasion,
    subject: String,
    email: String,
    text: String,
}

const CODE: &str = "{####}";
const USERNAME: &str = "{username}";

impl Wording {
    /// As the pool's templates have it.
    fn of_pool(settings: &PoolSettings, occasion: Occasion) -> Self {
        let or = |choices: [&Option<String>; 2], default: &str| {
            choices.into_iter().flatten().next().map_or_else(|| default.to_owned(), Clone::clone)
        };
        let none = None;
        if occasion == Occasion::AdminCreateUser {
            let invitation = &settings.admin_create_user_config.invite_message_template;
            let default = "Your username is {username} and temporary password is {####}.";
            return Self {
                occasion,
                subject: or([&invitation.email_subject, &none], "Your temporary password"),
                email: or([&invitation.email_message, &none], default),
                text: or([&invitation.sms_message, &none], default),
            };
        }
        let template = &settings.verification_message_template;
        let text = or([&template.sms_message, &settings.sms_verification_message], "Your verification code is {####}");
        if by_link(settings, occasion) {
            let default = "Please click the link below to verify your email address. {##Verify Email##}";
            return Self {
                occasion,
                subject: or([&template.email_subject_by_link, &none], "Your verification link"),
                email: or([&template.email_message_by_link, &none], default),
                text,
            };
        }
        Self {
            occasion,
            subject: or([&template.email_subject, &settings.email_verification_subject], "Your verification code"),
            email: or(
                [&template.email_message, &settings.email_verification_message],
                "Your confirmation code is {####}",
            ),
            text,
        }
    }

    /// With what a trigger says instead.
    fn overridden(mut self, response: &Map<String, Value>) -> Self {
        let replace = |slot: &mut String, name: &str| {
            if let Some(text) = response.get(name).and_then(Value::as_str) {
                text.clone_into(slot);
            }
        };
        replace(&mut self.subject, "emailSubject");
        replace(&mut self.email, "emailMessage");
        replace(&mut self.text, "smsMessage");
        self
    }
}

fn by_link(settings: &PoolSettings, occasion: Occasion) -> bool {
    let option = settings.verification_message_template.default_email_option.as_deref();
    option == Some("CONFIRM_WITH_LINK") && matches!(occasion, Occasion::SignUp | Occasion::ResendCode)
}

/// What is known before a trigger may word the message.
#[derive(Debug)]
pub(crate) struct Draft {
    wording: Wording,
    call: Option<Call>,
}

impl Draft {
    /// The pool's own wording, and the trigger that may change it.
    pub(crate) fn new(pool: &UserPool, occasion: Occasion, subject: &Subject<'_>) -> Self {
        let wording = Wording::of_pool(&pool.settings, occasion);
        let source = format!("CustomMessage_{}", occasion.name());
        let username = (occasion == Occasion::AdminCreateUser).then_some(USERNAME);
        let request = json!({
            "userAttributes": subject.user.event_attributes(),
            "codeParameter": CODE,
            "usernameParameter": username,
            "clientMetadata": subject.metadata,
        });
        let response = json!({ "smsMessage": null, "emailMessage": null, "emailSubject": null });
        Self { wording, call: Call::new(pool, "CustomMessage", &source, subject, request, response) }
    }

    /// The pool's own wording, whatever a trigger would say.
    pub(crate) fn unchanged(self) -> Wording {
        self.wording
    }

    /// The message as it will read.
    pub(crate) async fn worded(self, cloud: &Cloud) -> Result<Wording, Fault> {
        let Some(call) = self.call else { return Ok(self.wording) };
        Ok(self.wording.overridden(&trigger::run(cloud, call).await?))
    }
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// `email` or `phone_number`.
    pub(crate) attribute: &'static str,
    address: String,
}

impl Destination {
    /// The user's address for one attribute.
    pub(crate) fn of(attributes: &Attributes, attribute: &str) -> Option<Self> {
        let attribute = match attribute {
            "email" => "email",
            "phone_number" => "phone_number",
            _ => return None,
        };
        let address = attributes.get(attribute).filter(|address| !address.is_empty())?.clone();
        Some(Self { attribute, address })
    }

    fn medium(&self) -> &'static str {
        if self.attribute == "email" { "EMAIL" } else { "SMS" }
    }

    /// As `CodeDeliveryDetails` has it: enough to recognize, too little to learn.
    pub(crate) fn details(&self) -> Value {
        json!({ "Destination": masked(&self.address), "DeliveryMedium": self.medium(), "AttributeName": self.attribute })
    }
}

fn masked(address: &str) -> String {
    let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
    match address.split_once('@') {
        Some((local, domain)) => format!("{}***@{}***", first(local), first(domain)),
        None => {
            let shown = address.chars().count().saturating_sub(4);
            let hidden = "*".repeat(shown.saturating_sub(1));
            format!("+{hidden}{}", address.chars().skip(shown.max(1)).collect::<String>())
        }
    }
}

/// What is filled in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling<'a> {
    /// The code or the temporary password.
    pub(crate) secret: &'a str,
    /// The name that the user signs in with.
    pub(crate) username: &'a str,
    /// Where a link leads, for pools that verify with one.
    pub(crate) link: &'a str,
}

/// Delivers a message to the account's mailbox.
pub(crate) fn deliver(
    account: &mut Account,
    now: time::OffsetDateTime,
    to: &Destination,
    wording: &Wording,
    filling: Filling<'_>,
) {
    let fill = |text: &str| {
        let text = linked(text, filling.link);
        text.replace(CODE, filling.secret).replace(USERNAME, filling.username)
    };
    let (subject, body) = if to.attribute == "email" {
        (fill(&wording.subject), fill(&wording.email))
    } else {
        (String::new(), fill(&wording.text))
    };
    let kind = wording.occasion.name().to_owned();
    account.mail.send(Message {
        to: to.address.clone(),
        subject,
        body: body.into(),
        kind,
        from: None,
        html: None,
        time: now,
    });
}

/// `{##words##}` becomes a link with these words. `{####}`, which looks like one without words, stays.
fn linked(text: &str, link: &str) -> String {
    let Some((before, rest)) = text.split_once("{##") else { return text.to_owned() };
    match rest.split_once("##}") {
        Some(("", after)) => format!("{before}{CODE}{}", linked(after, link)),
        Some((words, after)) => format!("{before}<a href=\"{link}\">{words}</a>{after}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_masked() {
        assert_eq!(masked("alice@example.com"), "a***@e***");
        assert_eq!(masked("+15555550123"), "+*******0123");
        assert_eq!(masked("+12"), "+12");
        assert_eq!(masked(""), "+");
    }

    #[test]
    fn templates_win_over_defaults_and_triggers_over_both() {
        let settings: PoolSettings = serde_json::from_value(json!({
            "EmailVerificationMessage": "older {####}",
            "VerificationMessageTemplate": { "EmailMessage": "newer {####}" },
        }))
        .expect("a pool's settings");
        let wording = Wording::of_pool(&settings, Occasion::SignUp);
        assert_eq!((wording.subject.as_str(), wording.email.as_str()), ("Your verification code", "newer {####}"));
        let response = json!({ "emailMessage": "best {####}", "emailSubject": null });
        let wording = wording.overridden(response.as_object().expect("an object"));
        assert_eq!((wording.subject.as_str(), wording.email.as_str()), ("Your verification code", "best {####}"));
    }

    #[test]
    fn a_link_has_its_words() {
        assert_eq!(linked("a {##b##} c", "http://x"), "a <a href=\"http://x\">b</a> c");
        assert_eq!(linked("a {##b c", "http://x"), "a {##b c");
        assert_eq!(linked("{####} {##b##}", "http://x"), "{####} <a href=\"http://x\">b</a>");
    }
}
