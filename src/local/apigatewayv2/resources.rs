//! The CloudFormation resource types of API Gateway v2.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde_json::{Map, Value};

use super::domain::{ApiMapping, regional_name};
use super::{
    Api, Authorizer, Deployment, DomainName, Fault, Integration, Route, RouteResponse, Settings, Stage, bad_request,
    declared,
};
use crate::local::cloud::Account;
use crate::local::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};
use crate::local::part::{Part, Parts};

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[
    &ApiType,
    &PartType::<Route>(PhantomData),
    &PartType::<RouteResponse>(PhantomData),
    &PartType::<Integration>(PhantomData),
    &PartType::<Authorizer>(PhantomData),
    &PartType::<Stage>(PhantomData),
    &PartType::<Deployment>(PhantomData),
    &DomainNameType,
    &ApiMappingType,
    &VpcLinkType,
];

/// What CloudFormation must know of a part of an API.
trait PartResource: Part<Api = Api> {
    const TYPE: &'static str;
    const SCHEMA: &'static str;
    /// The attribute that holds its id.
    const ATTRIBUTE: &'static str;
}

impl PartResource for Route {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Route";
    const SCHEMA: &'static str = include_str!("schemas/route.json");
    const ATTRIBUTE: &'static str = "RouteId";
}

impl PartResource for RouteResponse {
    const TYPE: &'static str = "AWS::ApiGatewayV2::RouteResponse";
    const SCHEMA: &'static str = include_str!("schemas/route-response.json");
    const ATTRIBUTE: &'static str = "RouteResponseId";
}

impl PartResource for Integration {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Integration";
    const SCHEMA: &'static str = include_str!("schemas/integration.json");
    const ATTRIBUTE: &'static str = "IntegrationId";
}

impl PartResource for Authorizer {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Authorizer";
    const SCHEMA: &'static str = include_str!("schemas/authorizer.json");
    const ATTRIBUTE: &'static str = "AuthorizerId";
}

impl PartResource for Stage {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Stage";
    const SCHEMA: &'static str = include_str!("schemas/stage.json");
    const ATTRIBUTE: &'static str = "Id";
}

impl PartResource for Deployment {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Deployment";
    const SCHEMA: &'static str = include_str!("schemas/deployment.json");
    const ATTRIBUTE: &'static str = "DeploymentId";
}

struct PartType<P>(PhantomData<fn() -> P>);

impl<P: PartResource> PartType<P> {
    fn provisioned(id: String) -> Provisioned {
        let attributes = BTreeMap::from([(P::ATTRIBUTE.to_owned(), Value::from(id.as_str()))]);
        Provisioned { physical_id: id, attributes }
    }
}

impl<P: PartResource> ResourceType for PartType<P> {
    fn name(&self) -> &'static str {
        P::TYPE
    }

    fn schema(&self) -> &'static str {
        P::SCHEMA
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let part: P = declared(members(properties, context, P::SCHEMA)).map_err(failure)?;
        let api = account.apigatewayv2.api_mut(text(properties, "ApiId")).map_err(failure)?;
        Ok(Self::provisioned(api.add(part).map_err(failure)?))
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let stated = members(new, context, P::SCHEMA);
        let mut part: P = declared(stated.clone()).map_err(failure)?;
        let api: &mut Api = account.apigatewayv2.api_mut(text(new, "ApiId")).map_err(failure)?;
        part.keep(api.part::<P>(physical_id).map_err(failure)?, &stated);
        api.replace(physical_id, part).map_err(failure)?;
        Ok(Self::provisioned(physical_id.to_owned()))
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        let Ok(api) = account.apigatewayv2.api_mut(text(properties, "ApiId")) else { return Ok(()) };
        if api.part::<P>(physical_id).is_ok() {
            api.remove::<P>(physical_id).map_err(failure)?;
        }
        Ok(())
    }
}

struct ApiType;

impl ApiType {
    fn settings(context: &Context, properties: &Properties) -> Result<Settings, Fault> {
        let unoffered =
            ["Body", "BodyS3Location", "Target", "RouteKey", "CredentialsArn", "BasePath", "FailOnWarnings"];
        if let Some(name) = unoffered.iter().find(|name| properties.contains_key(**name)) {
            return Err(bad_request(format!("{name} of an API is not offered by the local cloud")));
        }
        declared(members(properties, context, include_str!("schemas/api.json")))
    }

    fn provisioned(context: &Context, id: &str, is_web_socket: bool) -> Provisioned {
        let attributes = BTreeMap::from([
            ("ApiId".to_owned(), id.into()),
            ("ApiEndpoint".to_owned(), endpoint(&context.endpoint, id, is_web_socket).into()),
        ]);
        Provisioned { physical_id: id.to_owned(), attributes }
    }
}

/// Where an API answers: below the cloud's own URL, since names under `localhost` do not resolve everywhere.
pub(super) fn endpoint(cloud: &str, api: &str, is_web_socket: bool) -> String {
    let cloud = match cloud.strip_prefix("http").filter(|_| is_web_socket) {
        Some(rest) => format!("ws{rest}"),
        None => cloud.to_owned(),
    };
    format!("{cloud}/_aws/execute-api/{api}")
}

impl ResourceType for ApiType {
    fn name(&self) -> &'static str {
        "AWS::ApiGatewayV2::Api"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/api.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let settings = Self::settings(context, properties).map_err(failure)?;
        let id = account.apigatewayv2.create(settings, context.now).map_err(failure)?;
        let is_web_socket = account.apigatewayv2.api(&id).is_ok_and(Api::is_web_socket);
        Ok(Self::provisioned(context, &id, is_web_socket))
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let settings = Self::settings(context, new).map_err(failure)?;
        let api = account.apigatewayv2.api_mut(physical_id).map_err(failure)?;
        api.configure(settings).map_err(failure)?;
        Ok(Self::provisioned(context, physical_id, api.is_web_socket()))
    }

    fn delete(&self, account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Failure> {
        match account.apigatewayv2.api(physical_id) {
            Ok(_) => account.apigatewayv2.delete(physical_id).map_err(failure),
            Err(_) => Ok(()),
        }
    }
}

struct DomainNameType;

impl DomainNameType {
    fn provisioned(account: &Account, name: &str) -> Provisioned {
        let region = &account.region;
        let attributes = BTreeMap::from([
            ("RegionalDomainName".to_owned(), regional_name(name, region).into()),
            // The zone that AWS keeps for API Gateway in us-east-1; locally no record ever points to it.
            ("RegionalHostedZoneId".to_owned(), "Z1UJRXOUMOOFQ8".into()),
            ("DomainNameArn".to_owned(), format!("arn:aws:apigateway:{region}::/domainnames/{name}").into()),
        ]);
        Provisioned { physical_id: name.to_owned(), attributes }
    }
}

impl ResourceType for DomainNameType {
    fn name(&self) -> &'static str {
        "AWS::ApiGatewayV2::DomainName"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/domain-name.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let domain: DomainName = declared(members(properties, context, self.schema())).map_err(failure)?;
        let name = domain.domain_name.clone();
        account.apigatewayv2.create_domain_name(domain).map_err(failure)?;
        Ok(Self::provisioned(account, &name))
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        account
            .apigatewayv2
            .update_domain_name(declared(members(new, context, self.schema())).map_err(failure)?)
            .map_err(failure)?;
        Ok(Self::provisioned(account, physical_id))
    }

    fn delete(&self, account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Failure> {
        match account.apigatewayv2.domain_name(physical_id) {
            Ok(_) => account.apigatewayv2.delete_domain_name(physical_id).map_err(failure),
            Err(_) => Ok(()),
        }
    }
}

struct ApiMappingType;

impl ApiMappingType {
    fn provisioned(id: String) -> Provisioned {
        let attributes = BTreeMap::from([("ApiMappingId".to_owned(), Value::from(id.as_str()))]);
        Provisioned { physical_id: id, attributes }
    }
}

impl ResourceType for ApiMappingType {
    fn name(&self) -> &'static str {
        "AWS::ApiGatewayV2::ApiMapping"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/api-mapping.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let mapping: ApiMapping = declared(members(properties, context, self.schema())).map_err(failure)?;
        let id = account.apigatewayv2.map(text(properties, "DomainName"), None, mapping).map_err(failure)?;
        Ok(Self::provisioned(id))
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let mapping: ApiMapping = declared(members(new, context, self.schema())).map_err(failure)?;
        let id = account.apigatewayv2.map(text(new, "DomainName"), Some(physical_id), mapping).map_err(failure)?;
        Ok(Self::provisioned(id))
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        let domain = text(properties, "DomainName");
        let held = account.apigatewayv2.domain_name(domain);
        if held.is_ok_and(|domain| domain.mappings.contains_key(physical_id)) {
            account.apigatewayv2.unmap(domain, physical_id).map_err(failure)?;
        }
        Ok(())
    }
}

struct VpcLinkType;

impl ResourceType for VpcLinkType {
    fn name(&self) -> &'static str {
        "AWS::ApiGatewayV2::VpcLink"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/vpc-link.json")
    }

    fn create(&self, _: &mut Account, _: &Context, _: &Properties) -> Result<Provisioned, Failure> {
        Err(Failure("VPC links are not offered by the local cloud: it has no networks".to_owned()))
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        _physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        self.create(account, context, new)
    }

    fn delete(&self, _: &mut Account, _: &Context, _: &str, _: &Properties) -> Result<(), Failure> {
        Ok(())
    }
}

/// CloudFormation reports a service's refusal with where it came from.
fn failure(fault: Fault) -> Failure {
    let Fault { status, code, message } = fault;
    let status = status.as_u16();
    Failure(format!("{message} (Service: AmazonApiGatewayV2; Status Code: {status}; Error Code: {code})"))
}

fn text<'a>(properties: &'a Properties, name: &str) -> &'a str {
    properties.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The properties of a resource as the service's own members, with the stack's tags where it can be tagged.
fn members(properties: &Properties, context: &Context, schema: &str) -> Map<String, Value> {
    let mut members = lowered(properties);
    if schema.contains("\"Tags\"") {
        members.insert("tags".to_owned(), tags(properties, context));
    }
    members
}

fn tags(properties: &Properties, context: &Context) -> Value {
    let mut tags: Map<String, Value> =
        context.tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    if let Some(own) = properties.get("Tags").and_then(Value::as_object) {
        tags.extend(own.clone());
    }
    Value::Object(tags)
}

/// CloudFormation's names are the service's own with a capital first letter.
fn lowered(properties: &Properties) -> Map<String, Value> {
    properties.iter().map(|(name, value)| (lower_first(name), lowered_value(name, value))).collect()
}

fn lowered_value(name: &str, value: &Value) -> Value {
    match (name, value) {
        // The keys of these are the user's own.
        ("Tags" | "StageVariables" | "RequestParameters" | "ResponseParameters", value) => value.clone(),
        ("RouteSettings", Value::Object(routes)) => {
            routes.iter().map(|(key, settings)| (key.clone(), lowered_value("", settings))).collect()
        }
        (_, Value::Object(object)) => Value::Object(lowered(object)),
        (_, Value::Array(items)) => items.iter().map(|item| lowered_value("", item)).collect(),
        (_, value) => value.clone(),
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}
