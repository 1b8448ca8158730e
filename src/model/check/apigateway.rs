//! Rules for REST APIs, across fields.

use std::collections::BTreeMap;

use crate::model::apigateway::{
    Authorizer, Cors, EndpointType, GatewayResponse, ResponseType, RestApi, RouteKey, Segment, Stage,
};
use crate::model::apigatewayv2::RouteKeyError;
use crate::model::{Json, Stack, Value};

use super::Complaint;
use super::apigatewayv2::kept_for_everyone;
use super::words::list;

mod route;
mod usage;

/// The most paths of an API, all that leads to its routes included.
const MOST_PATHS: usize = 300;
/// The most characters of a resource policy.
const LONGEST_POLICY: usize = 8_192;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    stack.rest_apis.iter().flat_map(|(id, api)| check_api(stack, id, api)).collect()
}

fn check_api(stack: &Stack, id: &str, api: &RestApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    complaints.extend(route_keys(id, api));
    complaints.extend(api.routes.iter().flat_map(|(key, it)| route::check(stack, (id, api), (key, it))));
    complaints.extend(api.authorizers.iter().filter_map(|(name, authorizer)| kept(id, name, authorizer)));
    complaints.extend(api.cors.iter().flat_map(|cors| check_cors(id, api, cors)));
    complaints.extend(api.gateway_responses.iter().flat_map(|(kind, it)| gateway_response(id, *kind, it)));
    complaints.extend(api.models.iter().flat_map(|(name, model)| check_model(id, name, &model.schema)));
    complaints.extend(api.stages.iter().flat_map(|(name, stage)| check_stage(id, name, stage)));
    complaints.extend(usage::check(id, api));
    complaints.extend(reached(id, api));
    complaints.extend(domain(id, api));
    complaints.extend(base_path(id, api));
    complaints
}

/// Every key can be one, and its path can stand beside those of the other routes.
fn route_keys(id: &str, api: &RestApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut places = Places::default();
    for key in api.routes.keys() {
        let found = match RouteKey::parse(key) {
            Err(RouteKeyError { message, help }) => Some((message, help)),
            Ok(RouteKey::Default) => Some((
                "a REST API has no `$default` route".to_owned(),
                "write `ANY /{proxy+}`, and `ANY /` for the root".to_owned(),
            )),
            Ok(RouteKey::Path { segments, .. }) => {
                segments.iter().find_map(literal).or_else(|| places.conflict(&segments, key))
            }
        };
        let path = ["restApis", id, "routes", key];
        complaints.extend(found.map(|(message, help)| Complaint::new(&path, message, help).at_key()));
    }
    let paths = api.paths().len();
    if paths > MOST_PATHS {
        let message = format!("`{id}` has {paths} paths, all that leads to its routes included");
        let help = format!("the most is {MOST_PATHS}: make two APIs of it, or have a `{{proxy+}}` take several paths");
        complaints.push(Complaint::new(&["restApis", id, "routes"], message, help).at_key());
    }
    complaints
}

/// REST APIs take fewer characters in a path than HTTP APIs, and no empty step.
fn literal(segment: &Segment) -> Option<(String, String)> {
    let Segment::Literal(text) = segment else { return None };
    if text.is_empty() {
        return Some(("a step of the path is empty".to_owned(), "remove the slash that is too many".to_owned()));
    }
    let wrong = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._:".contains(*c))?;
    let message = format!("`{}` cannot be in a path of a REST API", wrong.escape_debug());
    Some((message, "letters, digits, `-`, `.`, `_` and `:` can".to_owned()))
}

/// The parameter of each place, with the route that brought it.
#[derive(Default)]
struct Places<'a>(BTreeMap<Vec<Segment>, (Segment, &'a str)>);

impl<'a> Places<'a> {
    /// API Gateway refuses `/users/{name}/notes` beside `/users/{id}`, whatever their methods.
    fn conflict(&mut self, segments: &[Segment], key: &'a str) -> Option<(String, String)> {
        for (index, segment) in segments.iter().enumerate().filter(|(_, it)| !matches!(it, Segment::Literal(_))) {
            let before = segments.iter().take(index).cloned().collect();
            let (other, route) = self.0.entry(before).or_insert_with(|| (segment.clone(), key));
            if other != segment {
                let message = format!("`{segment}` stands where `{route}` has `{other}`");
                return Some((message, format!("a REST API has one parameter in a place: write `{other}` here too")));
            }
        }
        None
    }
}

/// An answer that is kept for nobody in particular would be everybody's.
fn kept(id: &str, name: &str, authorizer: &Authorizer) -> Option<Complaint> {
    let Authorizer::Request(request) = authorizer else { return None };
    let path = ["restApis", id, "authorizers", name, "request", "authorizerResultTtlInSeconds"];
    (request.lifetime() > 0 && request.identity_sources.is_empty())
        .then(|| kept_for_everyone(&path, "method.request.header.Authorization"))
}

fn check_cors(id: &str, api: &RestApi, cors: &Cors) -> Vec<Complaint> {
    let path = |field| ["restApis", id, "cors", field];
    let at = |field, message: &str, help: &str| Complaint::new(&path(field), message, help);
    let mut complaints = Vec::new();
    match cors.allow_origins.as_slice() {
        [] => {
            let help = "add `allowOrigins: [https://example.com]`";
            complaints.push(Complaint::new(&["restApis", id, "cors"], "no origin is allowed", help).at_key());
        }
        [only] if cors.allow_credentials && *only == Value::from("*") => {
            let message = "pages of any origin cannot be allowed to send cookies";
            complaints.push(at("allowOrigins", message, "name the origin, or remove `allowCredentials`"));
        }
        [only] => complaints.extend(origin(&path("allowOrigins"), only)),
        _ => {
            let message = "a REST API's own answers cannot choose between several origins";
            complaints.push(at("allowOrigins", message, "keep one, or make it an HTTP API, which can"));
        }
    }
    let lists = [
        ("allowHeaders", &cors.allow_headers),
        ("allowMethods", &cors.allow_methods),
        ("exposeHeaders", &cors.expose_headers),
    ];
    for (field, names) in lists {
        let wrong = names.iter().enumerate().filter(|(_, name)| *name != "*" && !is_header(name));
        complaints.extend(wrong.map(|(index, name)| {
            let message = format!("`{}` cannot stand in a header", name.escape_debug());
            Complaint::new(
                &["restApis", id, "cors", field, &index.to_string()],
                message,
                "write one name in each place",
            )
        }));
    }
    for (key, route) in api.routes.iter().filter(|(key, _)| key.starts_with("OPTIONS ")) {
        let message = format!("browsers send no token with a preflight request: `{key}` would refuse it");
        let help = "remove the route, since `cors` answers such requests, or write `public: true`";
        if route.authorizer.is_some() {
            complaints.push(Complaint::new(&["restApis", id, "routes", key, "authorizer"], message, help));
        }
    }
    complaints
}

/// A scheme, a host and maybe a port: browsers compare the whole text.
fn origin(path: &[&str], origin: &Value) -> Option<Complaint> {
    let text = origin.text().filter(|text| *text != "*")?;
    let parsed = url::Url::parse(text).ok();
    let meant = parsed.as_ref().map(|url| url.origin().ascii_serialization()).filter(|meant| meant != "null");
    let path: Vec<&str> = path.iter().copied().chain(["0"]).collect();
    let message = format!("`{}` is not an origin", text.escape_debug());
    let help = match &meant {
        Some(meant) if meant == text => return None,
        Some(meant) => format!("write `{meant}`: browsers compare the whole text"),
        None => "write a scheme and a host: `https://example.com`".to_owned(),
    };
    Some(Complaint::new(&path, message, help))
}

/// Whether a text can be the name of a header, and stand in a template as it is.
fn is_header(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.!#%&*+^`|~".contains(c))
}

fn gateway_response(id: &str, kind: ResponseType, response: &GatewayResponse) -> Vec<Complaint> {
    let field = |name: &str, message: String, help: String| {
        let path = ["restApis", id, "gatewayResponses", kind.written(), "responseParameters", name];
        Complaint::new(&path, message, help)
    };
    let mut complaints = Vec::new();
    for (name, value) in &response.response_parameters {
        let header = name.strip_prefix("gatewayresponse.header.");
        if !header.is_some_and(is_header) {
            let message = format!("`{}` is not a header of a gateway response", name.escape_debug());
            let header = name.rsplit('.').next().filter(|header| is_header(header)).unwrap_or("X-Request-Id");
            complaints.push(field(name, message, format!("write `gatewayresponse.header.{header}`")).at_key());
            continue;
        }
        if let Some(text) = value.text().filter(|text| !is_mapping(text)) {
            let message =
                format!("`{}` is neither a text in single quotes nor something of the request", text.escape_debug());
            let plain: String = text.chars().filter(|c| *c != '\'' && !c.is_control()).collect();
            complaints.push(field(name, message, format!("write `\"'{plain}'\"`, or `method.request.header.X`")));
        }
    }
    complaints
}

/// `'a text'`, or a part of the request or its context.
fn is_mapping(text: &str) -> bool {
    let quoted = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    let plain = |text: &str| !text.contains('\'') && !text.chars().any(char::is_control);
    quoted.is_some_and(plain)
        || ["method.request.", "context.", "stageVariables."].iter().any(|it| text.starts_with(it))
}

fn check_model(id: &str, name: &str, schema: &Json) -> Option<Complaint> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        let message = format!("`{}` cannot be the name of a model", name.escape_debug());
        return Some(Complaint::new(&["restApis", id, "models", name], message, "letters and digits only").at_key());
    }
    let path = ["restApis", id, "models", name, "schema"];
    let help = "write it as a map: `{ type: object, required: [name] }`";
    (!schema.is_object()).then(|| Complaint::new(&path, "a JSON Schema is a map", help))
}

fn check_stage(id: &str, name: &str, stage: &Stage) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(allowed) {
        let message = format!("`{}` cannot be the name of a stage of a REST API", name.escape_debug());
        let help = "letters, digits, hyphens and underscores; it is the first step of the URL's path";
        complaints.push(Complaint::new(&["restApis", id, "stages", name], message, help).at_key());
    }
    for (variable, value) in &stage.variables {
        let path = ["restApis", id, "stages", name, "variables", variable];
        if variable.is_empty() || !variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message = format!("`{}` cannot be the name of a stage variable", variable.escape_debug());
            complaints.push(Complaint::new(&path, message, "letters, digits and underscores").at_key());
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c);
        if let Some(wrong) = value.text().and_then(|text| text.chars().find(|c| !allowed(*c))) {
            let message = format!("`{}` cannot be in a stage variable", wrong.escape_debug());
            complaints.push(Complaint::new(&path, message, "letters, digits and `-._~:/?#&=,` can"));
        }
    }
    complaints
}

/// From where the API is reached, and whether it can be at all.
fn reached(id: &str, api: &RestApi) -> Vec<Complaint> {
    let at = |field: &str, message: &str, help: &str| Complaint::new(&["restApis", id, field], message, help);
    let mut complaints = Vec::new();
    let is_private = api.endpoint_type == EndpointType::Private;
    if is_private && api.policy.is_empty() {
        let help = "add a `policy` that lets your VPC endpoint call: `condition: { StringEquals: { aws:SourceVpce: vpce-1a2b3c4d } }`";
        complaints.push(at("endpointType", "a private API without a `policy` cannot be deployed", help));
    }
    if !is_private && !api.vpc_endpoint_ids.is_empty() {
        let message = "only a private API is reached by VPC endpoints";
        complaints.push(at("vpcEndpointIds", message, "add `endpointType: private`, or remove them"));
    }
    if is_private && api.custom_domain.is_some() {
        let message = "a private API has no domain that others could reach";
        complaints.push(at("customDomain", message, "remove it, or make the API `regional`"));
    }
    if api.disable_execute_api_endpoint && api.custom_domain.is_none() {
        let message = "the API could not be reached at all";
        complaints.push(at("disableExecuteApiEndpoint", message, "add a `customDomain`, or remove this"));
    }
    let policy = serde_json::to_string(&api.policy).map_or(0, |text| text.len());
    if policy > LONGEST_POLICY {
        let message = format!("the policy has {policy} characters");
        complaints.push(at(
            "policy",
            &message,
            &format!("the most is {LONGEST_POLICY}: name groups of routes with `*`"),
        ));
    }
    complaints
}

fn domain(id: &str, api: &RestApi) -> Option<Complaint> {
    let domain = api.custom_domain.as_ref()?;
    let stages = || list(api.stages.keys().map(String::as_str));
    match &domain.stage {
        Some(stage) if !api.stages.contains_key(stage) => {
            let path = ["restApis", id, "customDomain", "stage"];
            Some(Complaint::new(&path, format!("API `{id}` has no stage `{stage}`"), format!("there is {}", stages())))
        }
        None if api.stages.len() > 1 => {
            let path = ["restApis", id, "customDomain"];
            let message = format!("nothing says which stage of `{id}` the domain leads to");
            Some(Complaint::new(&path, message, format!("add `stage`: there is {}", stages())).at_key())
        }
        _ => None,
    }
}

fn base_path(id: &str, api: &RestApi) -> Option<Complaint> {
    let path = api.custom_domain.as_ref()?.mapping.as_ref()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "$-_.+!*'()".contains(c);
    let wrong = path.chars().find(|c| !allowed(*c))?;
    let message = format!("`{}` cannot be in the path below a domain", wrong.escape_debug());
    let help = "it is one step without slashes, of letters, digits and `$-_.+!*'()`";
    Some(Complaint::new(&["restApis", id, "customDomain", "mapping"], message, help))
}
