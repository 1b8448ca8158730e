//! Rules for HTTP and WebSocket APIs, across fields.

use crate::model::Stack;
use crate::model::apigatewayv2::{Authorizer, Cors, HttpApi, JwtAuthorizer};

use super::Complaint;
use super::stage::variables;
use super::words::list;

mod web_socket_api;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    let http = stack.http_apis.iter().flat_map(|(id, api)| check_api(id, api));
    http.chain(web_socket_api::check(stack)).collect()
}

fn check_api(id: &str, api: &HttpApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (name, authorizer) in &api.authorizers {
        if let Authorizer::Jwt(authorizer) = authorizer {
            complaints.extend(jwt(&["httpApis", id, "authorizers", name, "jwt"], authorizer));
        }
    }
    complaints.extend(api.cors.as_ref().and_then(|cors| no_origin(id, cors)));
    complaints.extend(api.stages.keys().filter_map(|name| stage_name(id, name)));
    complaints.extend(api.stages.iter().flat_map(|(name, stage)| {
        variables(&["httpApis", id, "stages", name, "stageVariables"], &stage.stage_variables)
    }));
    complaints.extend(domain(id, api));
    complaints
}

/// An authorizer trusts one issuer: a pool with its clients, or another one with its audience.
fn jwt(path: &[&str], authorizer: &JwtAuthorizer) -> Option<Complaint> {
    let JwtAuthorizer { user_pool, clients, issuer, audience, .. } = authorizer;
    let (message, help) = match (user_pool, issuer) {
        (None, None) => {
            ("nothing says whose tokens are trusted", "add `userPool` and `clients`, or `issuer` and `audience`")
        }
        (Some(_), Some(_)) => {
            ("both a `userPool` and an `issuer` are trusted", "keep one: each authorizer trusts one issuer")
        }
        (Some(_), None) if !clients.is_empty() && !audience.is_empty() => {
            ("a pool's tokens are meant for `clients`", "remove `audience`")
        }
        (None, Some(_)) if !audience.is_empty() && !clients.is_empty() => {
            ("`clients` belong to a pool, not to an issuer", "use `audience`")
        }
        _ => return None,
    };
    Some(Complaint::new(path, message, help).at_key())
}

fn no_origin(id: &str, cors: &Cors) -> Option<Complaint> {
    let help = "add `allowOrigins: [https://example.com]`";
    let complaint = || Complaint::new(&["httpApis", id, "cors"], "no origin is allowed", help).at_key();
    cors.allow_origins.is_empty().then(complaint)
}

fn stage_name(id: &str, name: &str) -> Option<Complaint> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name == "$default" || (!name.is_empty() && name.len() <= 128 && name.chars().all(allowed)) {
        return None;
    }
    let message = format!("`{}` cannot be the name of a stage", name.escape_debug());
    let help = "letters, digits, hyphens and underscores, or `$default`";
    Some(Complaint::new(&["httpApis", id, "stages", name], message, help).at_key())
}

fn domain(id: &str, api: &HttpApi) -> Option<Complaint> {
    let domain = api.custom_domain.as_ref()?;
    let stage = domain.stage.as_deref().unwrap_or("$default");
    let path = ["httpApis", id, "customDomain", "stage"];
    let message = format!("API `{id}` has no stage `{stage}`");
    let help = format!("there is {}", list(api.stages.keys().map(String::as_str)));
    (!api.stages.contains_key(stage)).then(|| Complaint::new(&path, message, help))
}
