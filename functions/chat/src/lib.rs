//! A chat over WebSockets: `$default` answers with what it was told, `send` passes a text on to another connection.
//!
//! `CHAT_WEB_SOCKET_ENDPOINT` is the URL below which `@connections` is. A message to another one is
//! `{"action": "send", "to": "<connection id>", "text": "..."}`; it arrives as `{"from": "<connection id>", "text": "..."}`.
//! Who is there is not kept: a connection learns its own id from what `$default` answers, and may tell it to others.

use std::convert::Infallible;

use aws_config::BehaviorVersion;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::error::{DisplayErrorContext, SdkError};
use aws_sdk_apigatewaymanagement::primitives::Blob;
use serde::Deserialize;
use serde_json::{Value, json};

/// The most characters that one connection may send to another at once.
const LONGEST: usize = 4_096;

/// The environment lacks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`CHAT_WEB_SOCKET_ENDPOINT` is not set: it is the URL below which `@connections` is")]
pub struct NoEndpoint;

/// One event of a WebSocket API: that a connection opens or ends, or a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Event {
    /// What is known of it.
    pub request_context: Context,
    /// What the client has sent.
    pub body: Option<String>,
}

/// What is known of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Context {
    /// The route that took it.
    pub route_key: String,
    /// `CONNECT`, `MESSAGE` or `DISCONNECT`.
    pub event_type: String,
    /// Whose it is.
    pub connection_id: String,
}

/// A text for another connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Message {
    to: String,
    text: String,
}

/// The chat.
pub struct Chat {
    client: Client,
}

impl Chat {
    /// The one that the environment of the function describes.
    ///
    /// # Errors
    /// [`NoEndpoint`] where the environment names none.
    pub async fn from_environment() -> Result<Self, NoEndpoint> {
        let endpoint = std::env::var("CHAT_WEB_SOCKET_ENDPOINT").ok().filter(|url| !url.is_empty());
        let endpoint = endpoint.ok_or(NoEndpoint)?;
        let config = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(endpoint).load().await;
        Ok(Self::new(Client::new(&config)))
    }

    /// One that reaches others through this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Answers one event. The body goes back to the client where the route is two-way.
    ///
    /// # Errors
    /// Never: the runtime asks for a `Result`.
    pub async fn answer(&self, event: Event) -> Result<Value, Infallible> {
        let Event { request_context: context, body } = event;
        let body = body.unwrap_or_default();
        Ok(match (context.event_type.as_str(), context.route_key.as_str()) {
            ("MESSAGE", "send") => answered(&self.send(&context.connection_id, &body).await),
            ("MESSAGE", _) => answered(&json!({ "connectionId": context.connection_id, "text": body })),
            _ => json!({ "statusCode": 200 }),
        })
    }

    async fn send(&self, from: &str, body: &str) -> Value {
        let Ok(Message { to, text }) = serde_json::from_str(body) else {
            return json!({ "message": "a message has `to` and `text`" });
        };
        if text.chars().count() > LONGEST {
            return json!({ "message": format!("a text has {LONGEST} characters at most") });
        }
        let data = json!({ "from": from, "text": text }).to_string();
        let posted = self.client.post_to_connection().connection_id(to).data(Blob::new(data)).send().await;
        match posted.map_err(SdkError::into_service_error) {
            Ok(_) => json!({ "message": "sent" }),
            Err(error) if error.is_gone_exception() => json!({ "message": "nobody is there" }),
            Err(error) => {
                eprintln!("the message could not be passed on: {}", DisplayErrorContext(&error));
                json!({ "message": "the message could not be passed on" })
            }
        }
    }
}

fn answered(body: &Value) -> Value {
    json!({ "statusCode": 200, "body": body.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat() -> Chat {
        let config = aws_sdk_apigatewaymanagement::Config::builder().behavior_version(BehaviorVersion::latest());
        Chat::new(Client::from_conf(config.endpoint_url("http://127.0.0.1:1").build()))
    }

    async fn reply(route: &str, kind: &str, body: Value) -> Value {
        let context = json!({ "routeKey": route, "eventType": kind, "connectionId": "me=" });
        let event = json!({ "requestContext": context, "body": body, "isBase64Encoded": false });
        let event = serde_json::from_value(event).expect("it is an event");
        let Ok(answer) = chat().answer(event).await;
        assert_eq!(answer["statusCode"], 200);
        answer["body"].as_str().map_or(Value::Null, |body| serde_json::from_str(body).expect("it is JSON"))
    }

    #[tokio::test]
    async fn a_connection_learns_its_id() {
        let expected = json!({ "connectionId": "me=", "text": "hello" });
        assert_eq!(reply("$default", "MESSAGE", json!("hello")).await, expected);
        assert_eq!(reply("$connect", "CONNECT", Value::Null).await, Value::Null);
        assert_eq!(reply("$disconnect", "DISCONNECT", Value::Null).await, Value::Null);
    }

    #[tokio::test]
    async fn a_message_without_an_addressee_goes_nowhere() {
        for body in ["hello", "{}", r#"{"to":1,"text":"x"}"#, r#"{"to":"x"}"#] {
            assert_eq!(
                reply("send", "MESSAGE", json!(body)).await["message"],
                "a message has `to` and `text`",
                "{body}"
            );
        }
        let long = json!({ "to": "x", "text": "ä".repeat(LONGEST + 1) }).to_string();
        assert_eq!(reply("send", "MESSAGE", json!(long)).await["message"], "a text has 4096 characters at most");
    }
}
