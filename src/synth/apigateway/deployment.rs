//! What the stages of a REST API serve: a deployment, which is a copy of the API as it was when it was made.
//!
//! CloudFormation makes a new one only for a new logical id. So the id is a digest of all that the copy holds, as the
//! template has it: overrides and raw resources included, and whatever of the functions and pools changes their ARNs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::Synthesis;
use crate::model::ids;
use crate::template::{Resource, Template, function};

/// The types of resources that a deployment copies.
const COPIED: [&str; 6] = [
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
    "AWS::ApiGateway::Resource",
];

/// Properties of the API itself that are served only after a deployment.
const OF_THE_API: [&str; 8] = [
    "ApiKeySourceType",
    "BinaryMediaTypes",
    "Body",
    "BodyS3Location",
    "DisableExecuteApiEndpoint",
    "EndpointConfiguration",
    "MinimumCompressionSize",
    "Policy",
];

/// Properties whose change replaces a resource, by its type: the ARN that was copied is then that of nothing.
const REPLACING: [(&str, &[&str]); 2] = [
    ("AWS::Cognito::UserPool", &["AliasAttributes", "UsernameAttributes", "UsernameConfiguration"]),
    ("AWS::Lambda::Function", &["FunctionName"]),
];

/// Adds the deployment of each API, and has the API's stages serve it. It comes after overrides, which it captures.
pub(in crate::synth) fn add(synthesis: &mut Synthesis) {
    for (api, declared) in &synthesis.stack.rest_apis {
        let copied = copied(&synthesis.template, api);
        let deployment = ids::deployment(api, &content(&synthesis.template, api, &copied));
        let resource = Resource::new("AWS::ApiGateway::Deployment")
            .depends_on(copied.into_keys().map(str::to_owned).collect::<BTreeSet<_>>())
            .property("RestApiId", function::reference(api));
        for stage in declared.stages.keys() {
            if let Some(stage) = synthesis.template.resources.get_mut(&ids::stage(api, stage)) {
                stage.properties.entry("DeploymentId").or_insert_with(|| function::reference(&deployment));
            }
        }
        synthesis.resource(&deployment, resource);
    }
}

fn copied<'a>(template: &'a Template, api: &str) -> BTreeMap<&'a str, &'a Resource> {
    let of_api = |resource: &Resource| resource.properties.get("RestApiId") == Some(&function::reference(api));
    let all = template.resources.iter().filter(|(_, it)| COPIED.contains(&it.resource_type.as_str()) && of_api(it));
    all.map(|(id, resource)| (id.as_str(), resource)).collect()
}

fn content(template: &Template, api: &str, copied: &BTreeMap<&str, &Resource>) -> String {
    let own = template.resources.get(api).map(|it| chosen(it, &OF_THE_API));
    let parts: BTreeMap<_, _> = copied.iter().map(|(id, it)| (id, json!([it.resource_type, it.properties]))).collect();
    let mut named = Vec::new();
    parts.values().for_each(|part| names(part, &mut named));
    named.sort_unstable();
    named.dedup();
    let behind: BTreeMap<_, _> = named
        .into_iter()
        .filter_map(|id| {
            let resource = template.resources.get(id)?;
            let (_, replacing) = REPLACING.iter().find(|(kind, _)| *kind == resource.resource_type)?;
            Some((id, chosen(resource, replacing)))
        })
        .collect();
    json!([own, parts, behind]).to_string()
}

fn chosen<'a>(resource: &'a Resource, properties: &[&str]) -> BTreeMap<&'a str, &'a Value> {
    let all = resource.properties.iter().filter(|(name, _)| properties.contains(&name.as_str()));
    all.map(|(name, value)| (name.as_str(), value)).collect()
}

/// Whatever could be a logical id that a value refers to.
fn names<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => {
            found.push(text);
            let inside = text.split("${").skip(1).filter_map(|rest| rest.split(['}', '.']).next());
            found.extend(inside);
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Object(members) => members.values().for_each(|member| names(member, found)),
        _ => {}
    }
}
