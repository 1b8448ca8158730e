//! Rules for HTTP and WebSocket APIs, across fields.

use crate::model::Stack;
use crate::model::apigatewayv2::{Authorizer, Cors, CustomDomain, HttpApi, JwtAuthorizer, VERBS};

use super::Complaint;
use super::cors::{is_scheme, wrong_origin};
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
    complaints.extend(api.cors.iter().flat_map(|cors| check_cors(id, cors)));
    complaints.extend(api.stages.keys().filter_map(|name| stage_name(id, name)));
    complaints.extend(api.stages.iter().flat_map(|(name, stage)| {
        variables(&["httpApis", id, "stages", name, "stageVariables"], &stage.stage_variables)
    }));
    complaints.extend(domain(id, api));
    complaints.extend(api.custom_domain.as_ref().and_then(|domain| mapping("httpApis", id, domain)));
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

fn check_cors(id: &str, cors: &Cors) -> Vec<Complaint> {
    let origins = cors.allow_origins.iter().enumerate().filter_map(|(index, it)| Some((index, it.text()?)));
    let origins = origins.filter(|(_, text)| !is_any_of_a_scheme(text));
    let origins = origins.filter_map(|(index, text)| Some((index, wrong_origin(text)?)));
    let origins = origins.map(|(index, (message, help))| {
        Complaint::new(&["httpApis", id, "cors", "allowOrigins", &index.to_string()], message, help)
    });
    let methods = cors.allow_methods.iter().enumerate();
    let methods = methods.filter(|(_, method)| *method != "*" && !VERBS.contains(&method.as_str()));
    let methods = methods.map(|(index, method)| {
        let path = ["httpApis", id, "cors", "allowMethods", &index.to_string()];
        let message = format!("no route can have the method `{}`", method.escape_debug());
        let upper = method.to_uppercase();
        let help = match VERBS.contains(&upper.as_str()) {
            true => format!("methods are in capitals: `{upper}`"),
            false => format!("there are {} and `*`", VERBS.map(|verb| format!("`{verb}`")).join(", ")),
        };
        Complaint::new(&path, message, help)
    });
    no_origin(id, cors).into_iter().chain(origins).chain(methods).collect()
}

/// `https://*`: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>
fn is_any_of_a_scheme(origin: &str) -> bool {
    origin.strip_suffix("://*").is_some_and(is_scheme)
}

/// The path below a domain has no slash where nothing is beside it:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mappings.html>
fn mapping(section: &str, id: &str, domain: &CustomDomain) -> Option<Complaint> {
    let path = domain.mapping.as_deref()?;
    let meant: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let meant = meant.join("/");
    if path == meant {
        return None;
    }
    let message = format!("`{}` is not a path below a domain", path.escape_debug());
    let help = match meant.as_str() {
        "" => "remove it: without one, the API is at the root".to_owned(),
        meant => format!("write `{meant}`"),
    };
    Some(Complaint::new(&[section, id, "customDomain", "mapping"], message, help))
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
