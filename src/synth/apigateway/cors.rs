//! What lets web pages of another origin call a REST API: the answers to their preflight requests, and the headers with
//! which they may read what the gateway itself answers. What a function answers carries the headers that it sets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::{Synthesis, properties};
use super::method::{ANY, protected};
use super::mock::{self, quoted};
use crate::model::apigateway::{Authorizer, Cors, GatewayResponse, ResponseType, RestApi, Route, Segment};
use crate::model::ids;
use crate::template::{Resource, function};

pub(super) fn add(synthesis: &mut Synthesis, api: &str, declared: &RestApi) {
    for (kind, answer) in declared.answers() {
        let resource = answer_of_the_gateway(api, declared.cors.as_ref(), kind, &answer);
        synthesis.resource(&ids::gateway_response(api, kind), resource);
    }
    let Some(cors) = &declared.cors else { return };
    for (path, methods) in declared.preflights() {
        let headers = preflight(declared, cors, &methods);
        synthesis.resource(&ids::preflight(api, &path), answering(api, declared, &path, &headers));
    }
}

/// An answer of the gateway itself, which pages may read wherever they may call.
fn answer_of_the_gateway(api: &str, cors: Option<&Cors>, kind: ResponseType, answer: &GatewayResponse) -> Resource {
    let mut parameters: Map<String, Value> =
        answer.response_parameters.iter().map(|(name, value)| (name.clone(), super::value(value))).collect();
    for (name, value) in cors.into_iter().flat_map(readable) {
        let name = format!("gatewayresponse.header.{name}");
        if !parameters.keys().any(|key| key.eq_ignore_ascii_case(&name)) {
            parameters.insert(name, value);
        }
    }
    let mut resource = Resource::new("AWS::ApiGateway::GatewayResponse");
    resource.properties = properties(answer);
    if !parameters.is_empty() {
        resource = resource.property("ResponseParameters", parameters);
    }
    resource.property("RestApiId", function::reference(api)).property("ResponseType", kind.written())
}

/// An `OPTIONS` method. Browsers send no token with a preflight request, so no authorizer may stand before it.
fn answering(api: &str, declared: &RestApi, path: &[Segment], headers: &BTreeMap<String, Value>) -> Resource {
    protected(api, declared, ("OPTIONS", path), &Route::default().public())
        .property("Integration", mock::answering(204, headers, None))
        .property("MethodResponses", mock::responses(204, headers))
}

/// The headers of every answer that a page may read.
fn readable(cors: &Cors) -> BTreeMap<String, Value> {
    let mut headers = origin(cors);
    if !cors.expose_headers.is_empty() {
        headers.insert("Access-Control-Expose-Headers".to_owned(), quoted(&cors.expose_headers.join(",").into()));
    }
    headers
}

fn origin(cors: &Cors) -> BTreeMap<String, Value> {
    let mut headers = BTreeMap::new();
    headers.extend(cors.allow_origins.first().map(|it| ("Access-Control-Allow-Origin".to_owned(), quoted(it))));
    if cors.allow_credentials {
        headers.insert("Access-Control-Allow-Credentials".to_owned(), quoted(&"true".into()));
    }
    headers
}

fn preflight(declared: &RestApi, cors: &Cors, methods: &BTreeSet<String>) -> BTreeMap<String, Value> {
    let mut headers = origin(cors);
    let mut insert = |name: &str, value: String| headers.insert(name.to_owned(), quoted(&value.into()));
    insert("Access-Control-Allow-Methods", allowed_methods(cors, methods).join(","));
    let allowed = allowed_headers(declared, cors);
    if !allowed.is_empty() {
        insert("Access-Control-Allow-Headers", allowed.join(","));
    }
    if let Some(seconds) = cors.max_age {
        insert("Access-Control-Max-Age", seconds.to_string());
    }
    headers
}

fn allowed_methods(cors: &Cors, methods: &BTreeSet<String>) -> Vec<String> {
    if !cors.allow_methods.is_empty() {
        return cors.allow_methods.clone();
    }
    let every = if methods.contains("ANY") { ANY.map(str::to_owned).to_vec() } else { Vec::new() };
    let own = methods.iter().filter(|method| *method != "ANY").cloned();
    every.into_iter().chain(own).chain(["OPTIONS".to_owned()]).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The headers that are declared and those without which no route can be called: of tokens, signatures and API keys.
/// `*` does not cover `Authorization`.
fn allowed_headers(declared: &RestApi, cors: &Cors) -> Vec<String> {
    let used = declared.routes.values().filter_map(|route| declared.authorizers.get(route.authorizer.as_ref()?));
    let tokens = used.flat_map(Authorizer::headers);
    let key = declared.routes.values().any(|route| route.api_key_required).then_some("X-Api-Key");
    let mut allowed: Vec<String> = Vec::new();
    for header in cors.allow_headers.iter().map(String::as_str).chain(tokens).chain(key) {
        if !allowed.iter().any(|it| it.eq_ignore_ascii_case(header)) {
            allowed.push(header.to_owned());
        }
    }
    allowed
}
