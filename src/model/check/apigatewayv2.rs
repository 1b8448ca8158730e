//! Rules for HTTP and WebSocket APIs, across fields.

use std::collections::BTreeMap;

use crate::model::apigatewayv2::{
    Authorizer, Cors, HttpApi, JwtAuthorizer, LambdaAuthorizer, PayloadFormat, Route, RouteKey, RouteKeyError,
};
use crate::model::{Stack, Value};

use super::callers::{Callers, Known};
use super::words::list;
use super::{Complaint, cognito};

mod web_socket_api;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    let http = stack.http_apis.iter().flat_map(|(id, api)| check_api(stack, id, api));
    http.chain(web_socket_api::check(stack)).collect()
}

fn check_api(stack: &Stack, id: &str, api: &HttpApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    complaints.extend(route_keys(id, api));
    complaints.extend(api.routes.iter().flat_map(|(key, route)| check_route(stack, (id, api), (key, route))));
    for (name, authorizer) in &api.authorizers {
        let path = ["httpApis", id, "authorizers", name];
        match authorizer {
            Authorizer::Jwt(authorizer) => complaints.extend(jwt(stack, &steps(&path, &["jwt"]), authorizer)),
            Authorizer::Lambda(authorizer) => complaints.extend(lambda(&steps(&path, &["lambda"]), authorizer)),
            Authorizer::Iam(_) => {}
        }
    }
    complaints.extend(api.cors.iter().flat_map(|cors| check_cors(id, api, cors)));
    complaints.extend(api.stages.keys().filter_map(|name| stage_name(id, name)));
    complaints.extend(domain(id, api));
    complaints
}

/// Every key can be one, and no two stand for the same requests.
fn route_keys(id: &str, api: &HttpApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut shapes: BTreeMap<String, &str> = BTreeMap::new();
    for key in api.routes.keys() {
        let path = ["httpApis", id, "routes", key];
        match RouteKey::parse(key) {
            Err(RouteKeyError { message, help }) => complaints.push(Complaint::new(&path, message, help).at_key()),
            Ok(parsed) => {
                if let Some(other) = shapes.insert(parsed.shape(), key) {
                    let message = format!("`{key}` and `{other}` differ only in the name of a parameter");
                    complaints.push(
                        Complaint::new(&path, message, "both match the same requests: keep one of them").at_key(),
                    );
                }
            }
        }
    }
    complaints
}

fn check_route(stack: &Stack, (id, api): (&str, &HttpApi), (key, route): (&str, &Route)) -> Vec<Complaint> {
    let authorizer = route.authorizer.as_deref();
    let callers =
        Callers { section: "httpApis", api: id, key, authorizer, public: route.public, scopes: &route.scopes };
    let known = Known {
        here: api.authorizers.keys().map(String::as_str).collect(),
        elsewhere: authorizer.and_then(|name| elsewhere(stack, name)),
    };
    let mut complaints = callers.check(&known);
    match authorizer.and_then(|name| Some((name, api.authorizers.get(name)?))) {
        Some((name, Authorizer::Lambda(_))) => {
            complaints.extend(callers.scopes_without_tokens(name, "a Lambda authorizer", "a JWT authorizer"));
        }
        Some((name, Authorizer::Iam(_))) => {
            complaints.extend(callers.scopes_without_tokens(name, "an IAM authorizer", "a JWT authorizer"));
        }
        Some((_, Authorizer::Jwt(_))) | None => {}
    }
    complaints.extend(route_scopes(stack, (id, api), (key, route)));
    complaints
}

/// An API of the stack, of either kind, that has an authorizer of that name.
pub(super) fn elsewhere<'a>(stack: &'a Stack, name: &str) -> Option<&'a str> {
    let http = stack.http_apis.iter().filter(|(_, api)| api.authorizers.contains_key(name)).map(|(id, _)| id);
    let rest = stack.rest_apis.iter().filter(|(_, api)| api.authorizers.contains_key(name)).map(|(id, _)| id);
    http.chain(rest).next().map(String::as_str)
}

/// Scopes that no token of the pool can ever hold would keep everyone out.
fn route_scopes(stack: &Stack, (id, api): (&str, &HttpApi), (key, route): (&str, &Route)) -> Vec<Complaint> {
    let Some(Authorizer::Jwt(authorizer)) = route.authorizer.as_ref().and_then(|name| api.authorizers.get(name)) else {
        return Vec::new();
    };
    let pool = authorizer.user_pool.as_ref().and_then(|pool| pool.id());
    let Some((pool_id, pool)) = pool.and_then(|id| stack.user_pools.get_key_value(id)) else { return Vec::new() };
    let known = cognito::scopes(pool);
    let unknown = route.scopes.iter().enumerate().filter(|(_, scope)| !known.contains(*scope));
    unknown
        .map(|(index, scope)| {
            let path = ["httpApis", id, "routes", key, "scopes", &index.to_string()];
            let message = format!("no resource server of `{pool_id}` defines scope `{scope}`");
            Complaint::new(&path, message, cognito::scope_help(scope, &known, pool_id))
        })
        .collect()
}

fn steps<'a>(path: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    path.iter().chain(more).copied().collect()
}

fn lambda(path: &[&str], authorizer: &LambdaAuthorizer) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if authorizer.authorizer_result_ttl_in_seconds > 0 && authorizer.identity_sources.is_empty() {
        complaints
            .push(kept_for_everyone(&steps(path, &["authorizerResultTtlInSeconds"]), "$request.header.Authorization"));
    }
    if authorizer.enable_simple_responses && authorizer.authorizer_payload_format_version == PayloadFormat::V1 {
        let path = steps(path, &["enableSimpleResponses"]);
        let message = "payload format 1.0 has no simple responses";
        complaints.push(Complaint::new(&path, message, "remove it, or `authorizerPayloadFormatVersion`"));
    }
    complaints
}

/// An answer that is kept for nobody in particular would be everybody's.
pub(super) fn kept_for_everyone(path: &[&str], source: &str) -> Complaint {
    let message = "answers would be kept, and nothing tells one caller from another";
    Complaint::new(path, message, format!("add `identitySources: [{source}]`, or write 0"))
}

fn jwt(stack: &Stack, path: &[&str], authorizer: &JwtAuthorizer) -> Vec<Complaint> {
    let here = |message: &str, help: &str| vec![Complaint::new(path, message, help).at_key()];
    let JwtAuthorizer { user_pool, clients, issuer, audience, .. } = authorizer;
    match (user_pool, issuer) {
        (None, None) => {
            here("nothing says whose tokens are trusted", "add `userPool` and `clients`, or `issuer` and `audience`")
        }
        (Some(_), Some(_)) => {
            here("both a `userPool` and an `issuer` are trusted", "keep one: each authorizer trusts one issuer")
        }
        (Some(_), None) if clients.is_empty() => {
            here("tokens of any client of the pool would be trusted", "add `clients` with those that may call")
        }
        (Some(_), None) if !audience.is_empty() => here("a pool's tokens are meant for `clients`", "remove `audience`"),
        (None, Some(_)) if audience.is_empty() => here(
            "tokens that the issuer made for anyone would be trusted",
            "add `audience` with what stands in their `aud`",
        ),
        (None, Some(_)) if !clients.is_empty() => {
            here("`clients` belong to a pool, not to an issuer", "use `audience`")
        }
        (Some(pool), None) => foreign_clients(stack, path, pool.id(), authorizer),
        (None, Some(_)) => Vec::new(),
    }
}

/// A client of another pool gets tokens of another issuer.
fn foreign_clients(stack: &Stack, path: &[&str], pool: Option<&str>, authorizer: &JwtAuthorizer) -> Vec<Complaint> {
    let Some(pool) = pool else { return Vec::new() };
    let clients = authorizer.clients.iter().enumerate();
    let owned = clients.filter_map(|(index, client)| {
        let (id, client) = stack.user_pool_clients.get_key_value(client.id()?)?;
        Some((index, id, client.user_pool.id()?))
    });
    owned
        .filter(|(_, _, owner)| *owner != pool)
        .map(|(index, id, owner)| {
            let index = index.to_string();
            let path: Vec<&str> = path.iter().copied().chain(["clients", &index]).collect();
            let message = format!("client `{id}` belongs to `{owner}`, not to `{pool}`");
            Complaint::new(&path, message, "its tokens have another issuer: give it an authorizer of its own")
        })
        .collect()
}

fn check_cors(id: &str, api: &HttpApi, cors: &Cors) -> Vec<Complaint> {
    let at =
        |field: &str, message: String, help: String| Complaint::new(&["httpApis", id, "cors", field], message, help);
    let mut complaints = Vec::new();
    let any_origin = cors.allow_origins.contains(&Value::from("*"));
    if cors.allow_credentials && any_origin {
        let message = "pages of any origin cannot be allowed to send cookies".to_owned();
        complaints.push(at("allowOrigins", message, "name the origins, or remove `allowCredentials`".to_owned()));
    }
    if cors.allow_origins.is_empty() {
        let help = "add `allowOrigins: [https://example.com]`".to_owned();
        complaints.push(at("", "no origin is allowed".to_owned(), help).at_key());
    }
    let headers = token_headers(api);
    let allowed = |header: &str| cors.allow_headers.iter().any(|it| it == "*" || it.eq_ignore_ascii_case(header));
    if let Some(header) = headers.into_iter().find(|header| !allowed(header)) {
        let message = format!("pages of other origins cannot send their token: `{header}` is not allowed");
        complaints.push(at("allowHeaders", message, format!("add `{header}` to `allowHeaders`")).at_key());
    }
    complaints
}

/// The headers in which the API's routes expect tokens.
fn token_headers(api: &HttpApi) -> Vec<&str> {
    let used = api.routes.values().filter_map(|route| api.authorizers.get(route.authorizer.as_ref()?));
    used.flat_map(Authorizer::headers).collect()
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

fn domain(id: &str, api: &HttpApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let stage = api.custom_domain.as_ref().map(|domain| domain.stage.as_deref().unwrap_or("$default"));
    if let Some(stage) = stage.filter(|stage| !api.stages.contains_key(*stage)) {
        let message = format!("API `{id}` has no stage `{stage}`");
        let help = format!("there is {}", list(api.stages.keys().map(String::as_str)));
        complaints.push(Complaint::new(&["httpApis", id, "customDomain", "stage"], message, help));
    }
    if api.disable_execute_api_endpoint && api.custom_domain.is_none() {
        let path = ["httpApis", id, "disableExecuteApiEndpoint"];
        let message = "the API could not be reached at all";
        complaints.push(Complaint::new(&path, message, "add a `customDomain`, or remove this"));
    }
    complaints
}
