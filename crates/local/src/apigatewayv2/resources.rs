//! The CloudFormation resource types of API Gateway v2.

use super::domain::{ApiMapping, regional_name};
use super::{
    Api, Authorizer, Deployment, DomainName, Fault, Integration, Route, RouteResponse, Settings, Stage, bad_request,
    declared,
};
use crate::cloud::Account;
use crate::cloudformation::resource::{
    Change, Context, Failure, Kind, NotOffered, Properties, Provisioned, Refused, ResourceType, Wording, text,
};
use crate::part::resources::{PartResource, PartType, Provisions, members};

/// What the handlers call this service.
const SERVICE: &str = "AmazonApiGatewayV2";

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[
    &ApiType,
    &PartType::<Route>::NEW,
    &PartType::<RouteResponse>::NEW,
    &PartType::<Integration>::NEW,
    &PartType::<Authorizer>::NEW,
    &PartType::<Stage>::NEW,
    &PartType::<Deployment>::NEW,
    &DomainNameType,
    &ApiMappingType,
    &NotOffered {
        name: "AWS::ApiGatewayV2::VpcLink",
        schema: include_str!("schemas/vpc-link.json"),
        reason: "VPC links are not offered by the local cloud: it has no networks",
    },
];

impl Provisions for Api {
    const PROPERTY: &'static str = "ApiId";
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;

    fn of<'a>(account: &'a mut Account, id: &str) -> Result<&'a mut Self, Fault> {
        account.apigatewayv2.api_mut(id)
    }
}

impl PartResource for Route {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Route";
    const SCHEMA: &'static str = include_str!("schemas/route.json");
    const ATTRIBUTE: Option<&'static str> = Some("RouteId");
}

impl PartResource for RouteResponse {
    const TYPE: &'static str = "AWS::ApiGatewayV2::RouteResponse";
    const SCHEMA: &'static str = include_str!("schemas/route-response.json");
    const ATTRIBUTE: Option<&'static str> = Some("RouteResponseId");
}

impl PartResource for Integration {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Integration";
    const SCHEMA: &'static str = include_str!("schemas/integration.json");
    const ATTRIBUTE: Option<&'static str> = Some("IntegrationId");
}

impl PartResource for Authorizer {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Authorizer";
    const SCHEMA: &'static str = include_str!("schemas/authorizer.json");
    const ATTRIBUTE: Option<&'static str> = Some("AuthorizerId");
}

impl PartResource for Stage {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Stage";
    const SCHEMA: &'static str = include_str!("schemas/stage.json");
    const ATTRIBUTE: Option<&'static str> = Some("Id");
}

impl PartResource for Deployment {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Deployment";
    const SCHEMA: &'static str = include_str!("schemas/deployment.json");
    const ATTRIBUTE: Option<&'static str> = Some("DeploymentId");
}

struct ApiType;

impl ApiType {
    fn settings(context: &Context, properties: &Properties) -> Result<Settings, Fault> {
        let unoffered =
            ["Body", "BodyS3Location", "Target", "RouteKey", "CredentialsArn", "BasePath", "FailOnWarnings"];
        if let Some(name) = unoffered.iter().find(|name| properties.contains_key(**name)) {
            return Err(bad_request(format!("{name} of an API is not offered by the local cloud")));
        }
        declared(members(properties, context, Self::SCHEMA))
    }

    fn provisioned(context: &Context, id: &str, is_web_socket: bool) -> Provisioned {
        let endpoint = endpoint(&context.endpoint, id, is_web_socket);
        Provisioned::named(id).with("ApiId", id).with("ApiEndpoint", endpoint)
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

impl Kind for ApiType {
    const TYPE: &'static str = "AWS::ApiGatewayV2::Api";
    const SCHEMA: &'static str = include_str!("schemas/api.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let id = account.apigatewayv2.create(Self::settings(context, &new)?, context.now)?;
        let is_web_socket = account.apigatewayv2.api(&id).is_ok_and(Api::is_web_socket);
        Ok(Self::provisioned(context, &id, is_web_socket))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let settings = Self::settings(context, &new)?;
        let api = account.apigatewayv2.api_mut(physical_id)?;
        api.configure(settings)?;
        Ok(Self::provisioned(context, physical_id, api.is_web_socket()))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        Ok(account.apigatewayv2.delete(physical_id)?)
    }
}

struct DomainNameType;

impl DomainNameType {
    fn domain(context: &Context, properties: &Properties) -> Result<DomainName, Fault> {
        declared(members(properties, context, Self::SCHEMA))
    }

    fn provisioned(account: &Account, name: &str) -> Provisioned {
        let region = &account.region;
        // The zone that AWS keeps for API Gateway in us-east-1; locally no record ever points to it.
        Provisioned::named(name)
            .with("RegionalDomainName", regional_name(name, region))
            .with("RegionalHostedZoneId", "Z1UJRXOUMOOFQ8")
            .with("DomainNameArn", format!("arn:aws:apigateway:{region}::/domainnames/{name}"))
    }
}

impl Kind for DomainNameType {
    const TYPE: &'static str = "AWS::ApiGatewayV2::DomainName";
    const SCHEMA: &'static str = include_str!("schemas/domain-name.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let domain = Self::domain(context, &new)?;
        let name = domain.domain_name.clone();
        account.apigatewayv2.create_domain_name(domain)?;
        Ok(Self::provisioned(account, &name))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        account.apigatewayv2.update_domain_name(Self::domain(context, &new)?)?;
        Ok(Self::provisioned(account, physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        Ok(account.apigatewayv2.delete_domain_name(physical_id)?)
    }
}

struct ApiMappingType;

impl ApiMappingType {
    fn map(
        account: &mut Account,
        context: &Context,
        held: Option<&str>,
        properties: &Properties,
    ) -> Result<Provisioned, Refused> {
        let mapping: ApiMapping = declared(members(properties, context, Self::SCHEMA))?;
        let id = account.apigatewayv2.map(Self::domain(properties), held, mapping)?;
        Ok(Provisioned::named(&id).with("ApiMappingId", id))
    }

    fn domain(properties: &Properties) -> &str {
        text(properties, "DomainName").unwrap_or_default()
    }
}

impl Kind for ApiMappingType {
    const TYPE: &'static str = "AWS::ApiGatewayV2::ApiMapping";
    const SCHEMA: &'static str = include_str!("schemas/api-mapping.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        Self::map(account, context, None, &new)
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        Self::map(account, context, Some(physical_id), &new)
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, last: &Properties) -> Result<(), Refused> {
        Ok(account.apigatewayv2.unmap(Self::domain(last), physical_id)?)
    }
}

/// The handlers of this service are older than most, and say its error's code.
fn worded(service: &str, fault: &Fault) -> Failure {
    let Fault { status, code, message } = fault;
    let status = status.as_u16();
    Failure(format!("{message} (Service: {service}; Status Code: {status}; Error Code: {code})"))
}
