//! Rules for WebSocket APIs, across fields.

use crate::model::Stack;
use crate::model::apigatewayv2::web_socket_api::{CONNECT, DEFAULT, DISCONNECT};
use crate::model::apigatewayv2::{ConnectionAuthorizer, MessageRoute, WebSocketApi};
use crate::similar::closest;

use super::super::Complaint;
use super::super::stage::variables;
use super::super::words::list;
use super::mapping;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    stack.web_socket_apis.iter().flat_map(|(id, api)| check_api(id, api)).collect()
}

fn check_api(id: &str, api: &WebSocketApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    complaints.extend(api.authorizers.iter().filter_map(|(name, it)| foreign(id, name, it)));
    for (key, route) in &api.routes {
        complaints.extend(route_key(id, key));
        complaints.extend(unanswerable(id, key, route));
    }
    complaints.extend(api.stages.keys().filter_map(|name| stage_name(id, name)));
    complaints.extend(api.stages.iter().flat_map(|(name, stage)| {
        variables(&["webSocketApis", id, "stages", name, "stageVariables"], &stage.stage_variables)
    }));
    complaints.extend(domain(id, api));
    complaints.extend(api.custom_domain.as_ref().and_then(|domain| mapping("webSocketApis", id, domain)));
    complaints
}

/// A token alone is nothing that a WebSocket API could look at.
fn foreign(id: &str, name: &str, authorizer: &ConnectionAuthorizer) -> Option<Complaint> {
    let ConnectionAuthorizer::Foreign(_) = authorizer else { return None };
    let message = format!("`{name}` cannot decide about connections: WebSocket APIs have `request` and `iam` only");
    let help = "let a function look at the parameters of the request: \
                `request: { function: ..., identitySources: [route.request.querystring.token] }`";
    Some(Complaint::new(&["webSocketApis", id, "authorizers", name], message, help).at_key())
}

fn route_key(id: &str, key: &str) -> Option<Complaint> {
    let known = [CONNECT, DISCONNECT, DEFAULT];
    let path = ["webSocketApis", id, "routes", key];
    let (message, help) = match key {
        key if known.contains(&key) => return None,
        key if key.starts_with('$') => {
            let help = match closest(key, known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are {}; a key of your own begins otherwise", list(known)),
            };
            (format!("there is no route `{}`", key.escape_debug()), help)
        }
        key if key.is_empty() || key.len() > 128 => {
            ("this cannot be the key of a route".to_owned(), "it has 1 to 128 characters".to_owned())
        }
        _ => return None,
    };
    Some(Complaint::new(&path, message, help).at_key())
}

/// Where nobody listens, no answer arrives.
fn unanswerable(id: &str, key: &str, route: &MessageRoute) -> Option<Complaint> {
    let unheard = route.two_way && [CONNECT, DISCONNECT].contains(&key);
    let path = ["webSocketApis", id, "routes", key, "twoWay"];
    let message = format!("what the function behind `{key}` answers cannot reach the client");
    unheard.then(|| Complaint::new(&path, message, "remove it: it is for messages").at_key())
}

fn stage_name(id: &str, name: &str) -> Option<Complaint> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !name.is_empty() && name.len() <= 128 && name.chars().all(allowed) {
        return None;
    }
    let message = format!("`{}` cannot be the name of a stage of a WebSocket API", name.escape_debug());
    let help = "letters, digits, hyphens and underscores, such as `prod`";
    Some(Complaint::new(&["webSocketApis", id, "stages", name], message, help).at_key())
}

fn domain(id: &str, api: &WebSocketApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if let Some(domain) = &api.custom_domain {
        let there = list(api.stages.keys().map(String::as_str));
        let path = ["webSocketApis", id, "customDomain", "stage"];
        match domain.stage.as_deref() {
            Some(stage) if !api.stages.contains_key(stage) => {
                let message = format!("API `{id}` has no stage `{stage}`");
                complaints.push(Complaint::new(&path, message, format!("there is {there}")));
            }
            None if api.only_stage().is_none() => {
                let path = ["webSocketApis", id, "customDomain"];
                let help = format!("add `stage`; there are {there}");
                complaints.push(Complaint::new(&path, "nothing says which stage it leads to", help).at_key());
            }
            _ => {}
        }
    }
    complaints
}
