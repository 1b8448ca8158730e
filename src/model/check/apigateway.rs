//! Rules for REST APIs, across fields.

use crate::model::apigateway::{Cors, EndpointType, GatewayResponse, ResponseType, RestApi, Stage};
use crate::model::{Json, Stack};

use super::Complaint;
use super::cors::wrong_origin;
use super::stage::variables;
use super::words::list;

mod route;
mod usage;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    stack.rest_apis.iter().flat_map(|(id, api)| check_api(id, api)).collect()
}

fn check_api(id: &str, api: &RestApi) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    complaints.extend(api.routes.iter().flat_map(|(key, it)| route::check((id, api), (key, it))));
    complaints.extend(api.cors.iter().flat_map(|cors| check_cors(id, cors)));
    complaints.extend(api.gateway_responses.iter().flat_map(|(kind, it)| gateway_response(id, *kind, it)));
    complaints.extend(api.models.iter().flat_map(|(name, model)| check_model(id, name, &model.schema)));
    complaints.extend(api.stages.iter().flat_map(|(name, stage)| check_stage(id, name, stage)));
    complaints.extend(usage::check(id, api));
    complaints.extend(reached(id, api));
    complaints.extend(domain(id, api));
    complaints.extend(base_path(id, api));
    complaints
}

fn check_cors(id: &str, cors: &Cors) -> Vec<Complaint> {
    let path = |field| ["restApis", id, "cors", field];
    let at = |field, message: &str, help: &str| Complaint::new(&path(field), message, help);
    let mut complaints = Vec::new();
    match cors.allow_origins.as_slice() {
        [] => {
            let help = "add `allowOrigins: [https://example.com]`";
            complaints.push(Complaint::new(&["restApis", id, "cors"], "no origin is allowed", help).at_key());
        }
        [only] => {
            let wrong = only.text().and_then(wrong_origin);
            let path = ["restApis", id, "cors", "allowOrigins", "0"];
            complaints.extend(wrong.map(|(message, help)| Complaint::new(&path, message, help)));
        }
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
    complaints
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
        return Some(Complaint::new(&["restApis", id, "models", name], message, "letters and digits only").of_name());
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
    complaints.extend(variables(&["restApis", id, "stages", name, "variables"], &stage.variables));
    complaints
}

/// From where the API is reached, and whether it can be at all.
fn reached(id: &str, api: &RestApi) -> Vec<Complaint> {
    let at = |field: &str, message: &str, help: &str| Complaint::new(&["restApis", id, field], message, help);
    let mut complaints = Vec::new();
    let is_private = api.endpoint_type == EndpointType::Private;
    if !is_private && !api.vpc_endpoint_ids.is_empty() {
        let message = "only a private API is reached by VPC endpoints";
        complaints.push(at("vpcEndpointIds", message, "add `endpointType: private`, or remove them"));
    }
    if is_private && api.custom_domain.is_some() {
        let message = "a private API has no domain that others could reach";
        complaints.push(at("customDomain", message, "remove it, or make the API `regional`"));
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
