//! Sends what a visitor writes to one mailbox, through SES.
//!
//! The request's body is `{subject, body, replyTo?}` as JSON. `SENDER_IDENTITY` is the verified identity that the mail
//! comes from, an address or a domain; `RECIPIENT` is the mailbox. Neither is the visitor's to choose.

mod message;

use std::convert::Infallible;

use aws_config::BehaviorVersion;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, DisplayErrorContext};
use aws_sdk_sesv2::types::{Body as MailBody, Content, Destination, EmailContent, Message as Mail};
use lambda_http::http::StatusCode;
use lambda_http::http::header::{CONTENT_TYPE, HeaderValue};
use lambda_http::{Body, Request, Response};
use serde_json::{Value, json};

pub use message::{Message, Unsendable};

/// A variable that has to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not set")]
pub struct Missing(&'static str);

/// Where mails come from and go to.
pub struct Post {
    client: Client,
    sender: String,
    recipient: String,
}

/// The mail was not sent; why stands in the log.
struct Unsent;

impl Post {
    /// What the environment of the function describes.
    ///
    /// # Errors
    /// [`Missing`] names a variable that is not set.
    pub async fn from_environment() -> Result<Self, Missing> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or(Missing(name));
        let (identity, recipient) = (set("SENDER_IDENTITY")?, set("RECIPIENT")?);
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        Ok(Self::new(Client::new(&config), &identity, recipient))
    }

    /// From an identity to a mailbox.
    pub fn new(client: Client, identity: &str, recipient: impl Into<String>) -> Self {
        Self { client, sender: sender(identity), recipient: recipient.into() }
    }

    /// Answers one request: 200 with the mail's id, 400 with what is wrong with it, or 502.
    ///
    /// # Errors
    /// Never: the runtime asks for a `Result`.
    pub async fn send(&self, request: &Request) -> Result<Response<Body>, Infallible> {
        let message = match Message::read(request.body()) {
            Ok(message) => message,
            Err(unsendable) => {
                return Ok(answer(StatusCode::BAD_REQUEST, &json!({ "message": unsendable.to_string() })));
            }
        };
        Ok(match self.posted(message).await {
            Ok(id) => answer(StatusCode::OK, &json!({ "messageId": id })),
            Err(Unsent) => answer(StatusCode::BAD_GATEWAY, &json!({ "message": "the mail could not be sent" })),
        })
    }

    async fn posted(&self, message: Message) -> Result<Option<String>, Unsent> {
        let reply_to = message.reply_to.clone();
        let mail = mail(message).map_err(|error| unsent(&error))?;
        let send = self.client.send_email().from_email_address(&self.sender);
        let send = send.destination(Destination::builder().to_addresses(&self.recipient).build());
        let send = send.set_reply_to_addresses(reply_to.map(|address| vec![address]));
        let sent = send.content(EmailContent::builder().simple(mail).build()).send().await;
        sent.map(|sent| sent.message_id).map_err(|error| unsent(&error))
    }
}

fn mail(message: Message) -> Result<Mail, BuildError> {
    let text = |data: String| Content::builder().data(data).charset("UTF-8").build();
    let body = MailBody::builder().text(text(message.body)?).build();
    Ok(Mail::builder().subject(text(message.subject)?).body(body).build())
}

/// A domain is no sender, but everyone at it is.
fn sender(identity: &str) -> String {
    if identity.contains('@') { identity.to_owned() } else { format!("no-reply@{identity}") }
}

/// The log has what the visitor is not told.
fn unsent(error: &dyn std::error::Error) -> Unsent {
    eprintln!("the mail could not be sent: {}", DisplayErrorContext(error));
    Unsent
}

fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::sender;

    #[test]
    fn an_identity_is_an_address_or_a_domain() {
        assert_eq!(sender("ann@example.com"), "ann@example.com");
        assert_eq!(sender("example.com"), "no-reply@example.com");
    }
}
