//! URLs of APIs in CloudFormation's words, which depend on the kind of the API.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Synthesis;
use crate::model::Stack;
use crate::model::value::ApiUrl;
use crate::template::function;

/// Puts every URL of an API into CloudFormation's words.
pub(super) fn settle(synthesis: &mut Synthesis) {
    let stages = only_stages(synthesis.stack);
    let template = &mut synthesis.template;
    let properties = template.resources.values_mut().flat_map(|resource| resource.properties.values_mut());
    let outputs = template.outputs.values_mut().map(|output| &mut output.value);
    for value in properties.chain(outputs) {
        settle_in(value, &stages);
    }
}

/// The REST APIs, each with the stage that is meant where none is named.
fn only_stages(stack: &Stack) -> BTreeMap<&str, &str> {
    let named = stack.rest_apis.iter().filter_map(|(id, api)| Some((id.as_str(), api.stages.keys().next()?.as_str())));
    named.collect()
}

fn settle_in(value: &mut Value, rest: &BTreeMap<&str, &str>) {
    match value {
        Value::Object(members) => match members.get(ApiUrl::WRITTEN).and_then(Value::as_array).map(Vec::as_slice) {
            Some([Value::String(api), Value::String(stage)]) => {
                *value = url(api, stage, rest.get(api.as_str()).copied());
            }
            _ => members.values_mut().for_each(|member| settle_in(member, rest)),
        },
        Value::Array(items) => items.iter_mut().for_each(|item| settle_in(item, rest)),
        _ => {}
    }
}

/// An HTTP API knows its own address. A REST API has no attribute that says it: it is put together from the API's id, as
/// API Gateway's documentation has it, and the local cloud puts its own in its place.
fn url(api: &str, stage: &str, rest: Option<&str>) -> Value {
    match (rest, stage) {
        (Some(only), "$default") => invoke_url(api, only),
        (Some(_), stage) => invoke_url(api, stage),
        (None, "$default") => function::get_att(api, "ApiEndpoint"),
        (None, stage) => function::sub(&format!("${{{api}.ApiEndpoint}}/{stage}")),
    }
}

fn invoke_url(api: &str, stage: &str) -> Value {
    function::sub(&format!("https://${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{stage}"))
}
