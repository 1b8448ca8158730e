//! Signed requests of the query protocol, and their answers as JSON values.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use crate::support::TestCloud;

/// An answer of CloudFormation.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// Its media type.
    pub(super) content_type: String,
    /// The answer as it came.
    pub(super) xml: String,
    /// What the operation returns, or the error.
    pub(super) body: Value,
}

impl Answer {
    /// A member of the result, or of the error.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.body.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    /// The code of the error.
    pub(super) fn code(&self) -> String {
        self.text("Code").unwrap_or_default()
    }

    /// The message of the error.
    pub(super) fn message(&self) -> String {
        self.text("Message").unwrap_or_default()
    }

    /// Puts a short word in the place of a long text in the message.
    pub(super) fn replace(&mut self, long: &str, short: &str) {
        let message = self.message().replace(long, short);
        self.body["Message"] = message.into();
    }
}

/// Sends one request.
pub(super) async fn call(cloud: &TestCloud, action: &str, parameters: &[(&str, &str)]) -> Answer {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action).append_pair("Version", "2010-05-15").extend_pairs(parameters);
    let body = form.finish();
    let content = ("content-type", "application/x-www-form-urlencoded");
    let url = format!("{}/", cloud.endpoint);
    let mut request = reqwest::Client::new().post(&url).header(content.0, content.1);
    for (name, value) in signature(cloud, &url, content, &body) {
        request = request.header(name, value);
    }
    let answer = request.body(body).send().await.expect("the cloud answers");
    let status = answer.status().as_u16();
    let header = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = header.unwrap_or_default().to_owned();
    let xml = answer.text().await.expect("the answer is text");
    let body = content_of(&read(&xml), action);
    Answer { status, content_type, xml, body }
}

fn signature(cloud: &TestCloud, url: &str, header: (&str, &str), body: &str) -> Vec<(String, String)> {
    let identity = Credentials::new(&cloud.key.id, cloud.key.secret.as_str(), None, None, "test").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("cloudformation")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .expect("all parameters are there")
        .into();
    let request = SignableRequest::new("POST", url, std::iter::once(header), SignableBody::Bytes(body.as_bytes()));
    let (instructions, _) = sign(request.expect("the request is whole"), &parameters).expect("it signs").into_parts();
    instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn content_of(root: &Value, action: &str) -> Value {
    let result = root.get(format!("{action}Result")).or_else(|| root.get("Error"));
    result.cloned().unwrap_or_default()
}

/// An element that is not read to its end: its name, its children and its text.
#[derive(Default)]
struct Open {
    name: String,
    children: Vec<(String, Value)>,
    text: String,
}

/// An element as a value: text, or a map of its children, or a list of those called `member`.
fn read(xml: &str) -> Value {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Open::default()];
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                open.push(Open { name, ..Open::default() });
            }
            Event::Text(text) => {
                open.last_mut().expect("the root is open").text.push_str(&text.xml10_content());
            }
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().expect("a reference to a character");
                let text = character.map(String::from);
                let text = text.or_else(|| Some(resolve_predefined_entity(&reference)?.to_owned()));
                open.last_mut().expect("the root is open").text.push_str(&text.expect("an entity that XML knows"));
            }
            Event::End(_) => {
                let Open { name, children, text } = open.pop().expect("what ends was open");
                let value = value_of(children, text);
                open.last_mut().expect("the root is open").children.push((name, value));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let Open { children, .. } = open.swap_remove(0);
    children.into_iter().next().map(|(_, value)| value).unwrap_or_default()
}

fn value_of(children: Vec<(String, Value)>, text: String) -> Value {
    match children.first() {
        None => Value::String(text),
        Some((name, _)) if name == "member" => children.into_iter().map(|(_, value)| value).collect(),
        Some(_) => Value::Object(children.into_iter().collect::<Map<_, _>>()),
    }
}
