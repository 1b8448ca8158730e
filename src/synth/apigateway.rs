//! REST APIs: paths, methods, authorizers, refusals, stages, usage plans, custom domains.

use serde_json::{Value, json};

use super::{Synthesis, properties, value};
use crate::model::apigateway::{CustomDomain, EndpointType, Model, PolicyStatement, RestApi, Segment};
use crate::model::ids;
use crate::template::{Resource, function};

mod account;
mod authorizer;
mod cors;
mod deployment;
mod method;
mod mock;
mod stage;
mod usage;

pub(super) use account::add as add_account;
pub(super) use authorizer::{execution, invocation, permission as authorizer_permission};
pub(super) use deployment::add as add_deployments;

pub(super) fn add(synthesis: &mut Synthesis, id: &str, declared: &RestApi) {
    synthesis.resource(id, api(id, declared));
    for (name, it) in &declared.models {
        synthesis.resource(&ids::model(id, name), model(id, name, it));
    }
    for (name, decides) in &declared.authorizers {
        authorizer::add(synthesis, id, name, decides);
    }
    for path in declared.paths().keys().filter(|path| !path.is_empty()) {
        synthesis.resource(&ids::path(id, path), step(id, path));
    }
    for (key, route) in &declared.routes {
        method::add(synthesis, id, declared, (key, route));
    }
    cors::add(synthesis, id, declared);
    for (name, it) in &declared.stages {
        stage::add(synthesis, id, declared, (name, it));
    }
    usage::add(synthesis, id, declared);
    if let Some(domain) = &declared.custom_domain {
        add_domain(synthesis, id, declared, domain);
    }
}

fn api(id: &str, declared: &RestApi) -> Resource {
    let mut resource = Resource::new("AWS::ApiGateway::RestApi");
    resource.properties = properties(declared);
    let name = declared.name.as_ref().map_or_else(|| Value::from(id), value);
    let mut endpoint = json!({ "Types": [declared.endpoint_type] });
    if let Some(endpoint) = endpoint.as_object_mut().filter(|_| !declared.vpc_endpoint_ids.is_empty()) {
        endpoint.insert("VpcEndpointIds".to_owned(), json!(declared.vpc_endpoint_ids));
    }
    let resource = resource.property("Name", name).property("EndpointConfiguration", endpoint);
    match declared.policy.as_slice() {
        [] => resource,
        statements => resource.property("Policy", PolicyStatement::document(statements)),
    }
}

fn model(api: &str, name: &str, declared: &Model) -> Resource {
    let mut resource = Resource::new("AWS::ApiGateway::Model");
    resource.properties = properties(declared);
    resource
        .property("RestApiId", function::reference(api))
        .property("Name", name)
        .property("Schema", declared.schema.clone())
}

/// One step of a path; what is before it is its parent.
fn step(api: &str, path: &[Segment]) -> Resource {
    let (last, parent) = path.split_last().map_or((String::new(), path), |(last, parent)| (last.to_string(), parent));
    Resource::new("AWS::ApiGateway::Resource")
        .property("RestApiId", function::reference(api))
        .property("ParentId", resource_id(api, parent))
        .property("PathPart", last)
}

fn resource_id(api: &str, path: &[Segment]) -> Value {
    match path {
        [] => function::get_att(api, "RootResourceId"),
        path => function::reference(&ids::path(api, path)),
    }
}

fn add_domain(synthesis: &mut Synthesis, api: &str, declared: &RestApi, domain: &CustomDomain) {
    let (kind, certificate) = match declared.endpoint_type {
        EndpointType::Edge => (EndpointType::Edge, "CertificateArn"),
        EndpointType::Regional | EndpointType::Private => (EndpointType::Regional, "RegionalCertificateArn"),
    };
    let name = Resource::new("AWS::ApiGateway::DomainName")
        .property("DomainName", value(&domain.name))
        .property(certificate, value(&domain.certificate_arn))
        .property("EndpointConfiguration", json!({ "Types": [kind] }))
        .property("SecurityPolicy", value(&domain.security_policy));
    synthesis.resource(&ids::domain(api), name);
    let stage = domain.stage.as_ref().or_else(|| declared.stages.keys().next());
    let mut mapping = Resource::new("AWS::ApiGateway::BasePathMapping")
        .property("RestApiId", function::reference(api))
        .property("DomainName", function::reference(&ids::domain(api)));
    if let Some(stage) = stage {
        mapping = mapping.property("Stage", function::reference(&ids::stage(api, stage)));
    }
    if let Some(path) = &domain.mapping {
        mapping = mapping.property("BasePath", path.as_str());
    }
    synthesis.resource(&ids::domain_mapping(api), mapping);
}
