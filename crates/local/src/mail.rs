//! The messages that an account has sent.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::hidden::Hidden;

/// A message that AWS would have sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Address or phone number; addresses of a message to many are parted by commas.
    pub to: String,
    /// Subject; empty for a text message.
    pub subject: String,
    /// Text, or HTML where there is no text.
    pub body: Hidden,
    /// What it is for, such as `SignUp` or `ForgotPassword`.
    pub kind: String,
    /// Who sent it; none for what Cognito sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// HTML, where there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<Hidden>,
    /// When it was sent.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
}

impl Message {
    /// Whether it went to this address or phone number.
    #[must_use]
    pub fn is_to(&self, recipient: &str) -> bool {
        self.to.split(", ").any(|to| to == recipient)
    }
}

/// The messages that an account has sent, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mailbox {
    messages: Vec<Message>,
}

/// How many messages are kept.
const KEPT: usize = 1_000;

impl Mailbox {
    /// Adds a message, and forgets the oldest ones beyond a thousand.
    pub fn send(&mut self, message: Message) {
        self.messages.push(message);
        let surplus = self.messages.len().saturating_sub(KEPT);
        self.messages.drain(..surplus);
    }

    /// The messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_thousand_messages_are_kept() {
        let mut mailbox = Mailbox::default();
        for number in 0..=KEPT {
            let (to, subject, body) = (number.to_string(), String::new(), String::new());
            let (kind, time) = ("SignUp".to_owned(), OffsetDateTime::UNIX_EPOCH);
            mailbox.send(Message { to, subject, body: body.into(), kind, from: None, html: None, time });
        }
        assert_eq!(mailbox.messages().len(), KEPT);
        assert_eq!(mailbox.messages()[0].to, "1");
    }
}
