//! Rules for WebSocket APIs, across fields.

use crate::model::Stack;
use crate::model::apigatewayv2::web_socket_api::{CONNECT, DEFAULT, DISCONNECT};
use crate::model::apigatewayv2::{ConnectionAuthorizer, MessageRoute, WebSocketApi};
use crate::similar::closest;

use super::super::Complaint;
use super::super::words::list;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    stack.web_socket_apis.iter().flat_map(|(id, api)| check_api(id, api)).collect()
}

fn check_api(id: &str, api: &WebSocketApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    complaints.extend(api.authorizers.iter().filter_map(|(name, it)| foreign(id, name, it)));
    complaints.extend(no_connect(id, api));
    for (key, route) in &api.routes {
        complaints.extend(route_key(id, key));
        complaints.extend(match key.as_str() {
            CONNECT => check_connect((id, api), route),
            _ => check_other(id, key, route),
        });
        complaints.extend(unanswerable(id, key, route));
    }
    complaints.extend(api.stages.keys().filter_map(|name| stage_name(id, name)));
    complaints.extend(domain(id, api));
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

/// Without `$connect`, API Gateway lets everyone connect.
fn no_connect(id: &str, api: &WebSocketApi) -> Option<Complaint> {
    if api.routes.contains_key(CONNECT) {
        return None;
    }
    let help = match api.authorizers.keys().next() {
        Some(name) => format!("add `$connect: {{ function: ..., authorizer: {name} }}` under `routes`"),
        None => {
            "add `$connect` under `routes`, with an `authorizer`, or with `public: true` to let anyone in".to_owned()
        }
    };
    let path = ["webSocketApis", id];
    Some(Complaint::new(&path, "nothing says who may connect", help).at_key())
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

fn check_connect((id, api): (&str, &WebSocketApi), route: &MessageRoute) -> Option<Complaint> {
    let path = ["webSocketApis", id, "routes", CONNECT];
    match (&route.authorizer, route.public) {
        (None, false) => {
            let help = match api.authorizers.keys().next() {
                Some(name) => format!("add `authorizer: {name}`, or `public: true` to let anyone in"),
                None => "declare an authorizer under `authorizers` and name it here, or add `public: true`".to_owned(),
            };
            Some(Complaint::new(&path, "nothing says who may connect", help).at_key())
        }
        (Some(name), true) => {
            let help = format!("remove `public` to have `{name}` decide, or `authorizer` to let anyone in");
            Some(Complaint::new(&path, format!("`{CONNECT}` has an authorizer and is public"), help).at_key())
        }
        (Some(name), false) if !api.authorizers.contains_key(name) => Some(no_authorizer((id, api), name)),
        _ => None,
    }
}

fn no_authorizer((id, api): (&str, &WebSocketApi), name: &str) -> Complaint {
    let known = || api.authorizers.keys().map(String::as_str);
    let help = match closest(name, known()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if api.authorizers.is_empty() => format!("declare it under `authorizers` of `{id}`"),
        None => format!("there is {}", list(known())),
    };
    let path = ["webSocketApis", id, "routes", CONNECT, "authorizer"];
    Complaint::new(&path, format!("API `{id}` has no authorizer `{name}`"), help)
}

/// Whoever is connected may send messages to all routes.
fn check_other(id: &str, key: &str, route: &MessageRoute) -> Option<Complaint> {
    let field = match (&route.authorizer, route.public) {
        (Some(_), _) => "authorizer",
        (None, true) => "public",
        (None, false) => return None,
    };
    let path = ["webSocketApis", id, "routes", key, field];
    let message = format!("who may send messages to `{key}` is decided when they connect");
    Some(Complaint::new(&path, message, format!("remove it, and say on `{CONNECT}` who may connect")).at_key())
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
    if api.disable_execute_api_endpoint && api.custom_domain.is_none() {
        let path = ["webSocketApis", id, "disableExecuteApiEndpoint"];
        let message = "the API could not be reached at all";
        complaints.push(Complaint::new(&path, message, "add a `customDomain`, or remove this"));
    }
    complaints
}
