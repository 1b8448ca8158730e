//! Methods of REST APIs: what answers, what is looked at before, and who may call.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::lambda::invoke_permission;
use super::super::{Synthesis, value};
use super::authorizer::{execution, invocation};
use super::{mock, resource_id};
use crate::model::apigateway::{Authorizer, Backend, HttpProxy, RestApi, Route, RouteKey, Segment, Validates};
pub(super) use crate::model::apigatewayv2::VERBS as ANY;
use crate::model::ids;
use crate::template::{Resource, function};

pub(super) fn add(synthesis: &mut Synthesis, api: &str, declared: &RestApi, (key, route): (&str, &Route)) {
    // The checks have refused whatever has no path and no backend.
    let Ok(RouteKey::Path { method, segments }) = RouteKey::parse(key) else { return };
    let Some(backend) = route.backend() else { return };
    if let Backend::Function(target) = backend {
        let permission = invoke_permission(&target.arn(), "apigateway.amazonaws.com", execution(api, "*"));
        synthesis.resource(&ids::permission(api, &ids::pointed(target.target())), permission);
    }
    if let Some(validates) = route.validates() {
        synthesis.resource(&ids::validator(api, validates), validator(api, validates));
    }
    let keys = cache_keys(declared, route, &segments);
    let mut resource = protected(api, declared, (&method, &segments), route)
        .property("Integration", integration(backend, (&method, &segments), route, &keys));
    if let Backend::Mock(mock) = backend {
        resource = resource.property("MethodResponses", mock::responses(mock.status, &mock::headers(mock)));
    }
    let parameters = parameters(route, &segments, &keys);
    if !parameters.is_empty() {
        resource = resource.property("RequestParameters", json!(parameters));
    }
    synthesis.resource(&ids::route(api, key), resource);
}

fn integration(backend: Backend, (method, path): (&str, &[Segment]), route: &Route, keys: &[String]) -> Value {
    let mut integration = match backend {
        Backend::Function(target) => {
            json!({ "Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": invocation(&target.arn()) })
        }
        Backend::Http(proxy) => http_proxy(method, path, proxy),
        Backend::Mock(mock) => mock::answering(mock.status, &mock::headers(mock), mock.body.as_deref()),
    };
    if let Some(integration) = integration.as_object_mut() {
        integration.extend(route.timeout_in_millis.map(|millis| ("TimeoutInMillis".to_owned(), millis.into())));
        integration.extend((!keys.is_empty()).then(|| ("CacheKeyParameters".to_owned(), json!(keys))));
    }
    integration
}

/// A method with all that is asked of its caller. `AuthorizationType` is always written, so that nothing is open
/// because a property is absent.
pub(super) fn protected(api: &str, declared: &RestApi, (method, path): (&str, &[Segment]), route: &Route) -> Resource {
    let mut resource = Resource::new("AWS::ApiGateway::Method")
        .property("RestApiId", function::reference(api))
        .property("ResourceId", resource_id(api, path))
        .property("HttpMethod", method)
        .property("ApiKeyRequired", route.api_key_required);
    let authorizer = route.authorizer.as_deref().and_then(|name| Some((name, declared.authorizers.get(name)?)));
    let kind = match authorizer {
        Some((_, Authorizer::Token(_) | Authorizer::Request(_))) => "CUSTOM",
        Some((_, Authorizer::Cognito(_))) => "COGNITO_USER_POOLS",
        Some((_, Authorizer::Iam(_))) => "AWS_IAM",
        None if route.public => "NONE",
        // The checks have refused this; a door that nobody decided about is shut.
        None => "AWS_IAM",
    };
    resource = resource.property("AuthorizationType", kind);
    if let Some((name, _)) = authorizer.filter(|(_, authorizer)| authorizer.is_resource()) {
        resource = resource.property("AuthorizerId", function::reference(&ids::authorizer(api, name)));
    }
    if !route.scopes.is_empty() {
        resource = resource.property("AuthorizationScopes", json!(route.scopes));
    }
    if let Some(name) = &route.operation_name {
        resource = resource.property("OperationName", name.as_str());
    }
    if let Some(validates) = route.validates() {
        resource = resource.property("RequestValidatorId", function::reference(&ids::validator(api, validates)));
    }
    let models: BTreeMap<_, _> =
        route.request_models.iter().map(|(kind, name)| (kind, body_model(api, declared, name))).collect();
    if models.is_empty() { resource } else { resource.property("RequestModels", json!(models)) }
}

/// `Empty` and `Error` are there in every API.
fn body_model(api: &str, declared: &RestApi, name: &str) -> Value {
    match declared.models.contains_key(name) {
        true => function::reference(&ids::model(api, name)),
        false => name.into(),
    }
}

fn validator(api: &str, validates: Validates) -> Resource {
    let name = match validates {
        Validates::Body => "body",
        Validates::Parameters => "parameters",
        Validates::BodyAndParameters => "body and parameters",
    };
    Resource::new("AWS::ApiGateway::RequestValidator")
        .property("RestApiId", function::reference(api))
        .property("Name", name)
        .property("ValidateRequestBody", validates != Validates::Parameters)
        .property("ValidateRequestParameters", validates != Validates::Body)
}

/// The parameters that API Gateway must know of: those declared, those that are passed on, those that answers are told
/// apart by.
fn parameters(route: &Route, path: &[Segment], keys: &[String]) -> BTreeMap<String, bool> {
    let mut parameters = route.request_parameters.clone();
    for key in keys {
        parameters.entry(key.clone()).or_insert(false);
    }
    if route.http.is_some() {
        for name in path_parameters(path) {
            parameters.insert(format!("method.request.path.{name}"), true);
        }
    }
    parameters
}

fn path_parameters(path: &[Segment]) -> impl Iterator<Item = &str> {
    path.iter().filter_map(|segment| match segment {
        Segment::Parameter(name) | Segment::Greedy(name) => Some(name.as_str()),
        Segment::Literal(_) => None,
    })
}

/// What tells the kept answers of a route apart.
fn cache_keys(declared: &RestApi, route: &Route, path: &[Segment]) -> Vec<String> {
    let Some(cache) = &route.cache else { return Vec::new() };
    let authorizer = route.authorizer.as_ref().and_then(|name| declared.authorizers.get(name));
    let identity = authorizer.into_iter().flat_map(Authorizer::identity_sources);
    let identity = identity.filter(|source| source.starts_with("method.request.")).map(str::to_owned);
    let path = path_parameters(path).map(|name| format!("method.request.path.{name}"));
    let mut keys: Vec<String> = identity.chain(path).chain(cache.key_parameters.iter().cloned()).collect();
    keys.sort();
    keys.dedup();
    keys
}

fn http_proxy(method: &str, path: &[Segment], proxy: &HttpProxy) -> Value {
    let parameters: BTreeMap<String, String> = path_parameters(path)
        .map(|name| (format!("integration.request.path.{name}"), format!("method.request.path.{name}")))
        .collect();
    let mut integration = json!({
        "Type": "HTTP_PROXY",
        "IntegrationHttpMethod": proxy.method.as_deref().unwrap_or(method),
        "Uri": value(&proxy.url),
    });
    if let Some(integration) = integration.as_object_mut().filter(|_| !parameters.is_empty()) {
        integration.insert("RequestParameters".to_owned(), json!(parameters));
    }
    integration
}
