//! WebSocket APIs: authorizers, routes, integrations, permissions, stages, custom domains.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::apigateway::{authorizer_permission, execution, invocation};
use super::super::lambda::{invoke_permission, retained_for};
use super::super::{Synthesis, properties, value};
use super::{access_log_settings, add_domain, default_settings};
use crate::model::apigateway::cloud_watch_role;
use crate::model::apigatewayv2::{ConnectionAuthorizer, MessageRoute, RequestAuthorizer, Stage, WebSocketApi};
use crate::model::ids;
use crate::template::{Resource, function};

/// What an access log says of an event where the stack does not choose: who, what, how it went, and why it was refused.
/// Nothing of the request's query, since it carries tokens.
const LOG_FIELDS: [(&str, &str); 12] = [
    ("authorizerError", "$context.authorizer.error"),
    ("connectionId", "$context.connectionId"),
    ("error", "$context.error.message"),
    ("eventType", "$context.eventType"),
    ("integrationError", "$context.integrationErrorMessage"),
    ("integrationStatus", "$context.integrationStatus"),
    ("ip", "$context.identity.sourceIp"),
    ("messageId", "$context.messageId"),
    ("requestId", "$context.requestId"),
    ("requestTime", "$context.requestTime"),
    ("routeKey", "$context.routeKey"),
    ("status", "$context.status"),
];

pub(in crate::synth) fn add(synthesis: &mut Synthesis, id: &str, declared: &WebSocketApi) {
    synthesis.resource(id, api(id, declared));
    for (name, authorizer) in &declared.authorizers {
        if let ConnectionAuthorizer::Request(request) = authorizer {
            add_authorizer(synthesis, id, name, request);
        }
    }
    for (key, route) in &declared.routes {
        add_route(synthesis, id, declared, (key, route));
    }
    for (name, stage) in &declared.stages {
        add_stage(synthesis, id, declared, (name, stage));
    }
    if let Some((domain, stage)) = declared.custom_domain.as_ref().zip(declared.domain_stage()) {
        add_domain(synthesis, id, domain, stage);
    }
}

fn api(id: &str, declared: &WebSocketApi) -> Resource {
    let mut resource = Resource::new("AWS::ApiGatewayV2::Api");
    resource.properties = properties(declared);
    let name = declared.name.as_ref().map_or_else(|| Value::from(id), value);
    resource.property("Name", name).property("ProtocolType", "WEBSOCKET")
}

fn add_authorizer(synthesis: &mut Synthesis, api: &str, name: &str, declared: &RequestAuthorizer) {
    let mut resource = Resource::new("AWS::ApiGatewayV2::Authorizer")
        .property("ApiId", function::reference(api))
        .property("AuthorizerType", "REQUEST")
        .property("Name", declared.name.as_deref().unwrap_or(name))
        .property("AuthorizerUri", invocation(&declared.function.arn()));
    if !declared.identity_sources.is_empty() {
        resource = resource.property("IdentitySource", json!(declared.identity_sources));
    }
    let permission = authorizer_permission(api, name, &declared.function.arn());
    synthesis.resource(&ids::authorizer_permission(api, name), permission);
    synthesis.resource(&ids::authorizer(api, name), resource);
}

fn add_route(synthesis: &mut Synthesis, api: &str, declared: &WebSocketApi, (key, route): (&str, &MessageRoute)) {
    let integration = declared.integration(api, route);
    synthesis.resource(&integration, lambda_integration(api, route));
    let permission = invoke_permission(&route.function.arn(), "apigateway.amazonaws.com", execution(api, "*"));
    synthesis.resource(&declared.permission(api, route), permission);
    synthesis.resource(&ids::message_route(api, key), message_route(api, declared, (key, route), &integration));
    if route.two_way {
        let response = Resource::new("AWS::ApiGatewayV2::RouteResponse")
            .property("ApiId", function::reference(api))
            .property("RouteId", function::reference(&ids::message_route(api, key)))
            .property("RouteResponseKey", "$default");
        synthesis.resource(&ids::route_response(api, key), response);
    }
}

/// A route. `AuthorizationType` is always written: API Gateway keeps a removed authorizer otherwise
/// (aws-cloudformation/cloudformation-coverage-roadmap#2184).
fn message_route(
    api: &str,
    declared: &WebSocketApi,
    (key, route): (&str, &MessageRoute),
    integration: &str,
) -> Resource {
    let mut resource = Resource::new("AWS::ApiGatewayV2::Route")
        .property("ApiId", function::reference(api))
        .property("RouteKey", key)
        .property("Target", function::sub(&format!("integrations/${{{integration}}}")));
    let decider = route.authorizer.as_ref().map(|name| (name, declared.authorizers.get(name)));
    resource = match decider {
        None => resource.property("AuthorizationType", "NONE"),
        Some((name, Some(ConnectionAuthorizer::Request(_)))) => resource
            .property("AuthorizationType", "CUSTOM")
            .property("AuthorizerId", function::reference(&ids::authorizer(api, name))),
        // The checks have refused whatever is no authorizer; a door that nobody decided about is shut.
        Some(_) => resource.property("AuthorizationType", "AWS_IAM"),
    };
    if route.two_way {
        resource = resource.property("RouteResponseSelectionExpression", "$default");
    }
    if let Some(name) = &route.operation_name {
        resource = resource.property("OperationName", name.as_str());
    }
    resource
}

fn lambda_integration(api: &str, route: &MessageRoute) -> Resource {
    let mut resource = Resource::new("AWS::ApiGatewayV2::Integration")
        .property("ApiId", function::reference(api))
        .property("IntegrationType", "AWS_PROXY")
        .property("IntegrationMethod", "POST")
        .property("IntegrationUri", invocation(&route.function.arn()));
    if let Some(timeout) = route.timeout_in_millis {
        resource = resource.property("TimeoutInMillis", timeout);
    }
    resource
}

/// A stage. It waits for the routes: a WebSocket API without any cannot be deployed, and a stage cannot name routes that
/// do not exist yet.
fn add_stage(synthesis: &mut Synthesis, api: &str, declared: &WebSocketApi, (name, stage): (&str, &Stage)) {
    let mut resource = Resource::new("AWS::ApiGatewayV2::Stage");
    resource.properties = properties(stage);
    let mut resource = resource
        .property("ApiId", function::reference(api))
        .property("StageName", name)
        .property("DefaultRouteSettings", default_settings(stage));
    resource.depends_on = declared.routes.keys().map(|key| ids::message_route(api, key)).collect();
    let throttled: BTreeMap<_, _> =
        declared.routes.iter().filter_map(|(key, route)| Some((key, properties(&route.throttle?)))).collect();
    if !throttled.is_empty() {
        resource = resource.property("RouteSettings", json!(throttled));
    }
    if stage.access_logs.enabled {
        let logs = ids::access_logs(api, name);
        resource = resource.property("AccessLogSettings", access_log_settings(&logs, stage, &LOG_FIELDS));
        synthesis.resource(&logs, retained_for(stage.access_logs.retention_days));
    }
    if cloud_watch_role(synthesis.stack).is_some() && stage.access_logs.enabled {
        // A stage cannot write logs before the account has the role to do so.
        resource.depends_on.insert(ids::ACCOUNT.to_owned());
    }
    synthesis.resource(&ids::stage(api, name), resource);
}
