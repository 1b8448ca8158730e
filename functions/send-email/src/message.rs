//! What visitors may write, checked before it becomes a mail.

use serde::Deserialize;

/// Longest subject, in characters: a line of a mail has at most 998 (RFC 5322, section 2.1.1), four times as many as
/// anyone reads.
const SUBJECT_LIMIT: usize = 200;

/// Longest body, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Longest address, in characters (RFC 5321, section 4.5.3.1).
const ADDRESS_LIMIT: usize = 254;

/// A mail to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    /// Its subject, one line.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// Whom to answer.
    pub reply_to: Option<String>,
}

/// What is wrong with a message, in words for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// It is not JSON with these members.
    #[error("the body is not {{subject, body, replyTo?}} as JSON: {0}")]
    Form(String),
    /// A member has nothing in it.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// A member is too long.
    #[error("`{0}` is longer than {1}")]
    Long(&'static str, String),
    /// A member would become more than one line of the mail's head, or something else than text.
    #[error("`{0}` has control characters or line breaks")]
    Control(&'static str),
    /// Nobody can be answered there.
    #[error("`replyTo` is not a mail address")]
    Address,
}

impl Message {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`Unsendable`] says what is wrong with it.
    pub fn read(body: &[u8]) -> Result<Self, Unsendable> {
        let message: Self = serde_json::from_slice(body).map_err(|error| Unsendable::Form(error.to_string()))?;
        one_line("subject", &message.subject, SUBJECT_LIMIT)?;
        if message.body.trim().is_empty() {
            return Err(Unsendable::Empty("body"));
        }
        if message.body.len() > BODY_LIMIT {
            return Err(Unsendable::Long("body", format!("{BODY_LIMIT} bytes")));
        }
        if message.body.contains(|c: char| c.is_control() && !['\n', '\r', '\t'].contains(&c)) {
            return Err(Unsendable::Control("body"));
        }
        message.reply_to.as_deref().map_or(Ok(()), address)?;
        Ok(message)
    }
}

/// A line break in a header begins another header, such as `Bcc`. Unicode has line breaks of its own.
fn one_line(name: &'static str, text: &str, limit: usize) -> Result<(), Unsendable> {
    if text.trim().is_empty() {
        return Err(Unsendable::Empty(name));
    }
    if text.chars().count() > limit {
        return Err(Unsendable::Long(name, format!("{limit} characters")));
    }
    let breaks = text.contains(|c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c));
    if breaks { Err(Unsendable::Control(name)) } else { Ok(()) }
}

/// One bare address, without a name, a list, a comment or a quoted part, all of which could say more than one thing.
fn address(text: &str) -> Result<(), Unsendable> {
    one_line("replyTo", text, ADDRESS_LIMIT)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-.".contains(c);
    let dotted = |part: &str| part.split('.').all(|label| !label.is_empty());
    let label = |label: &str| {
        let inside = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        inside && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_address = text.split_once('@').is_some_and(|(local, domain)| {
        local.len() <= 64
            && local.chars().all(plain)
            && dotted(local)
            && dotted(domain)
            && domain.contains('.')
            && domain.split('.').all(label)
    });
    if is_address { Ok(()) } else { Err(Unsendable::Address) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{BODY_LIMIT, Message, Unsendable};

    fn with(name: &str, value: Value) -> Result<Message, Unsendable> {
        let mut message = json!({ "subject": "Hello", "body": "How are you?\r\nFine." });
        message[name] = value;
        Message::read(message.to_string().as_bytes())
    }

    #[test]
    fn a_message_is_read() {
        let message = with("replyTo", json!("ann.lee+x@mail.example.com")).expect("it is fine");
        assert_eq!((message.subject.as_str(), message.reply_to.is_some()), ("Hello", true));
        assert!(with("replyTo", Value::Null).is_ok());
        assert!(with("subject", json!("Grüße ☕")).is_ok());
    }

    #[test]
    fn headers_cannot_be_injected() {
        for end in ["\r\nBcc: x@example.com", "\nBcc: x@example.com", "\rx", "\0", "\u{85}x", "\u{2028}x", "\u{b}x"] {
            assert_eq!(with("subject", json!(format!("Hello{end}"))), Err(Unsendable::Control("subject")), "{end:?}");
            assert!(with("replyTo", json!(format!("a@example.com{end}"))).is_err(), "{end:?}");
        }
        assert_eq!(with("body", json!("a\0b")), Err(Unsendable::Control("body")));
    }

    #[test]
    fn only_one_plain_address_is_answered() {
        let wrong = [
            "",
            " ",
            "a",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a@b.c,d@e.f",
            "a@b.c;d@e.f",
            "Ann <a@b.c>",
            "<a@b.c>",
            "a@@b.c",
            "a b@c.d",
            "a@b c.d",
            "\"a b\"@c.d",
            "a@b..c",
            ".a@b.c",
            "a.@b.c",
            "a@-b.c",
            "a@b-.c",
            "a@[127.0.0.1]",
            "a@b.c (x)",
            "ä@b.c",
        ];
        for address in wrong {
            assert!(with("replyTo", json!(address)).is_err(), "{address}");
        }
    }

    #[test]
    fn sizes_and_types_are_checked() {
        let refused = |name, value| with(name, value).expect_err("it is wrong").to_string();
        assert_eq!(refused("subject", json!(" ")), "`subject` is empty");
        assert_eq!(refused("body", json!("\n")), "`body` is empty");
        assert_eq!(refused("subject", json!("s".repeat(201))), "`subject` is longer than 200 characters");
        assert_eq!(refused("body", json!("b".repeat(BODY_LIMIT + 1))), "`body` is longer than 65536 bytes");
        assert!(refused("subject", json!(["a"])).contains("invalid type"));
        assert!(refused("bcc", json!("x@example.com")).contains("unknown field `bcc`"));
        assert!(Message::read(b"").is_err());
    }
}
