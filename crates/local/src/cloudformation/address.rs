//! Addresses of APIs that templates put together.
//!
//! No attribute of a REST API says where it answers, so templates write
//! `https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/stage`, or the CDK the same as an `Fn::Join`. On this
//! machine that name would lead to AWS, where somebody else's API may answer it. So the address of an API of the account
//! becomes the one under which the local cloud serves it, in outputs and in properties such as environment variables.

use std::collections::BTreeMap;

use crate::cloud::Account;
use crate::cloudformation::Resource;

/// The types of resources whose id begins an address.
const APIS: [&str; 2] = ["AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"];

const SERVICE: &str = ".execute-api.";

/// A text in which every address of an API of the account is the local one. `resources` are those of the stack that is
/// being worked on.
pub(super) fn local(account: &Account, resources: &BTreeMap<String, Resource>, text: String) -> String {
    if !text.contains(SERVICE) {
        return text;
    }
    let region = format!("{}.amazonaws.com", account.region);
    let mut result = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(SERVICE) {
        let address = before.rsplit_once("://").zip(after.strip_prefix(&region));
        match address.filter(|((_, api), _)| is_api(account, resources, api)) {
            Some(((start, api), below)) => {
                let (start, scheme) = start.split_at(start.len() - scheme(start).len());
                result.push_str(start);
                result.push_str(&below_cloud(&account.endpoint, scheme, api));
                rest = below;
            }
            None => {
                result.push_str(before);
                result.push_str(SERVICE);
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

/// The letters at the end of a text.
fn scheme(text: &str) -> &str {
    text.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default()
}

fn below_cloud(endpoint: &str, scheme: &str, api: &str) -> String {
    let endpoint = match (scheme, endpoint.strip_prefix("http://")) {
        ("ws" | "wss", Some(host)) => format!("ws://{host}"),
        _ => endpoint.to_owned(),
    };
    format!("{endpoint}/_aws/execute-api/{api}")
}

fn is_api(account: &Account, resources: &BTreeMap<String, Resource>, id: &str) -> bool {
    let others = account.cloudformation.stacks.values().flat_map(|stack| stack.resources.values());
    resources
        .values()
        .chain(others)
        .any(|one| one.physical_id == id && one.lives() && APIS.contains(&one.resource_type.as_str()))
}
