//! URLs of APIs in CloudFormation's words, which depend on the kind of the API.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Synthesis;
use crate::model::Stack;
use crate::model::value::ApiUrl;
use crate::template::function;

/// Puts every URL of an API into CloudFormation's words.
pub(super) fn settle(synthesis: &mut Synthesis) {
    let kinds = kinds(synthesis.stack);
    let template = &mut synthesis.template;
    let properties = template.resources.values_mut().flat_map(|resource| resource.properties.values_mut());
    let outputs = template.outputs.values_mut().map(|output| &mut output.value);
    for value in properties.chain(outputs) {
        settle_in(value, &kinds);
    }
}

/// The kinds of APIs that have no `$default` stage, each with the stage that is meant where none is named.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Rest(&'a str),
    WebSocket(&'a str),
}

fn kinds(stack: &Stack) -> BTreeMap<&str, Kind<'_>> {
    let rest =
        stack.rest_apis.iter().filter_map(|(id, api)| Some((id.as_str(), Kind::Rest(api.stages.keys().next()?))));
    let sockets = stack.web_socket_apis.iter();
    let sockets = sockets.filter_map(|(id, api)| Some((id.as_str(), Kind::WebSocket(api.stages.keys().next()?))));
    rest.chain(sockets).collect()
}

fn settle_in(value: &mut Value, kinds: &BTreeMap<&str, Kind<'_>>) {
    match value {
        Value::Object(members) => match members.get(ApiUrl::WRITTEN).and_then(Value::as_array).map(Vec::as_slice) {
            Some([Value::String(api), Value::String(stage)]) => {
                *value = url(api, stage, kinds.get(api.as_str()).copied());
            }
            _ => members.values_mut().for_each(|member| settle_in(member, kinds)),
        },
        Value::Array(items) => items.iter_mut().for_each(|item| settle_in(item, kinds)),
        _ => {}
    }
}

/// HTTP and WebSocket APIs know their own address. A REST API has no attribute that says it: it is put together from the
/// API's id, as API Gateway's documentation has it, and the local cloud puts its own in its place.
fn url(api: &str, stage: &str, kind: Option<Kind<'_>>) -> Value {
    match (kind, stage) {
        (Some(Kind::Rest(only)), "$default") => invoke_url(api, only),
        (Some(Kind::Rest(_)), stage) => invoke_url(api, stage),
        (Some(Kind::WebSocket(only)), "$default") => function::sub(&format!("${{{api}.ApiEndpoint}}/{only}")),
        (None, "$default") => function::get_att(api, "ApiEndpoint"),
        (_, stage) => function::sub(&format!("${{{api}.ApiEndpoint}}/{stage}")),
    }
}

/// The URL of a stage for requests.
pub(super) fn invoke_url(api: &str, stage: &str) -> Value {
    function::sub(&format!("https://${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{stage}"))
}
