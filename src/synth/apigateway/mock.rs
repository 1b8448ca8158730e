//! Answers that the gateway gives by itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::value;
use crate::model::Value as Declared;
use crate::model::apigateway::Mock;
use crate::template::function;

/// An integration that answers by itself. A body of any other content type than JSON is refused with 415: it could not
/// be told what to answer.
pub(super) fn answering(status: u16, headers: &BTreeMap<String, Value>, body: Option<&str>) -> Value {
    let headers: Map<String, Value> = headers.iter().map(|(name, value)| (header(name), value.clone())).collect();
    let mut response = json!({ "StatusCode": status.to_string() });
    if let Some(response) = response.as_object_mut() {
        response.extend((!headers.is_empty()).then(|| ("ResponseParameters".to_owned(), headers.into())));
        response.extend(body.map(|body| ("ResponseTemplates".to_owned(), json!({ "application/json": body }))));
    }
    json!({
        "Type": "MOCK",
        "PassthroughBehavior": "NEVER",
        "RequestTemplates": { "application/json": json!({ "statusCode": status }).to_string() },
        "IntegrationResponses": [response],
    })
}

/// The answers that a method may give: a header that is not declared here is not sent.
pub(super) fn responses(status: u16, headers: &BTreeMap<String, Value>) -> Value {
    let headers: Map<String, Value> = headers.keys().map(|name| (header(name), true.into())).collect();
    let mut response = json!({ "StatusCode": status.to_string() });
    if let Some(response) = response.as_object_mut().filter(|_| !headers.is_empty()) {
        response.insert("ResponseParameters".to_owned(), headers.into());
    }
    json!([response])
}

fn header(name: &str) -> String {
    format!("method.response.header.{name}")
}

/// The headers of an answer.
pub(super) fn headers(mock: &Mock) -> BTreeMap<String, Value> {
    let content_type = ("Content-Type".to_owned(), quoted(&mock.content_type.as_str().into()));
    let content_type = mock.body.is_some().then_some(content_type);
    content_type.into_iter().chain(mock.headers.iter().map(|(name, value)| (name.clone(), quoted(value)))).collect()
}

/// A fixed value of a header, as API Gateway has it.
pub(super) fn quoted(text: &Declared) -> Value {
    match text.text() {
        Some(text) => format!("'{text}'").into(),
        None => function::sub_with("'${Value}'", [("Value", value(text))]),
    }
}
