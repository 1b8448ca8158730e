//! The CloudFormation resource types of API Gateway's REST APIs.

use serde_json::{Map, Value};

use super::domain::{BasePathMapping, base_path};
use super::{
    ApiKey, Authorizer, Deployment, DomainName, GatewayResponse, Method, MethodSetting, Model, RequestValidator,
    RestApi, Settings, Stage, UsagePlan, bad_request,
};
use crate::apigatewayv2::{declared, regional_name};
use crate::cloud::Account;
use crate::cloudformation::resource::{
    Change, Context, Failure, Kind, Properties, Provisioned, Refused, ResourceType, Wording, text,
};
use crate::part::resources::{PartResource, PartType, Provisions, lowered, members};
use crate::wire::Fault;

/// What the handlers call this service.
const SERVICE: &str = "ApiGateway";

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[
    &RestApiType,
    &ResourceOfApiType,
    &MethodType,
    &PartType::<Authorizer>::NEW,
    &PartType::<Model>::NEW,
    &PartType::<RequestValidator>::NEW,
    &PartType::<GatewayResponse>::NEW,
    &PartType::<Deployment>::NEW,
    &PartType::<Stage>::NEW,
    &AccountType,
    &UsagePlanType,
    &UsagePlanKeyType,
    &ApiKeyType,
    &DomainNameType,
    &BasePathMappingType,
];

impl Provisions for RestApi {
    const PROPERTY: &'static str = "RestApiId";
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = Failure::of;

    fn of<'a>(account: &'a mut Account, id: &str) -> Result<&'a mut Self, Fault> {
        account.apigateway.api_mut(id)
    }
}

impl PartResource for Authorizer {
    const TYPE: &'static str = "AWS::ApiGateway::Authorizer";
    const SCHEMA: &'static str = include_str!("schemas/authorizer.json");
    const ATTRIBUTE: Option<&'static str> = Some("AuthorizerId");
}

impl PartResource for Model {
    const TYPE: &'static str = "AWS::ApiGateway::Model";
    const SCHEMA: &'static str = include_str!("schemas/model.json");
    const ATTRIBUTE: Option<&'static str> = None;

    fn members(properties: &Properties, context: &Context) -> Result<Map<String, Value>, Fault> {
        let mut members = members(properties, context, Self::SCHEMA);
        members.entry("name").or_insert_with(|| context.physical_name(64).replace('-', "").into());
        members.entry("contentType").or_insert_with(|| "application/json".into());
        if let Some(schema) = properties.get("Schema") {
            members.insert("schema".to_owned(), text_of(schema).into());
        }
        Ok(members)
    }
}

impl PartResource for RequestValidator {
    const TYPE: &'static str = "AWS::ApiGateway::RequestValidator";
    const SCHEMA: &'static str = include_str!("schemas/request-validator.json");
    const ATTRIBUTE: Option<&'static str> = Some("RequestValidatorId");
}

impl PartResource for GatewayResponse {
    const TYPE: &'static str = "AWS::ApiGateway::GatewayResponse";
    const SCHEMA: &'static str = include_str!("schemas/gateway-response.json");
    const ATTRIBUTE: Option<&'static str> = Some("Id");
}

impl PartResource for Deployment {
    const TYPE: &'static str = "AWS::ApiGateway::Deployment";
    const SCHEMA: &'static str = include_str!("schemas/deployment.json");
    const ATTRIBUTE: Option<&'static str> = Some("DeploymentId");

    fn members(properties: &Properties, context: &Context) -> Result<Map<String, Value>, Fault> {
        let unoffered = ["StageDescription", "DeploymentCanarySettings"];
        if let Some(name) = unoffered.iter().find(|name| properties.contains_key(**name)) {
            return Err(bad_request(format!(
                "{name} of a deployment is not offered by the local cloud: declare an AWS::ApiGateway::Stage"
            )));
        }
        let mut members = members(properties, context, Self::SCHEMA);
        members.insert("createdDate".to_owned(), context.now.unix_timestamp().into());
        Ok(members)
    }
}

impl PartResource for Stage {
    const TYPE: &'static str = "AWS::ApiGateway::Stage";
    const SCHEMA: &'static str = include_str!("schemas/stage.json");
    const ATTRIBUTE: Option<&'static str> = None;

    fn members(properties: &Properties, context: &Context) -> Result<Map<String, Value>, Fault> {
        if properties.contains_key("CanarySetting") {
            return Err(bad_request("CanarySetting of a stage is not offered by the local cloud"));
        }
        let mut members = members(properties, context, Self::SCHEMA);
        if let Some(log) = members.remove("accessLogSetting") {
            members.insert("accessLogSettings".to_owned(), log);
        }
        if let Some(Value::Array(settings)) = members.remove("methodSettings") {
            let settings = settings.into_iter().map(|setting| (setting_key(&setting), setting));
            members.insert("methodSettings".to_owned(), Value::Object(settings.collect()));
        }
        Ok(members)
    }

    fn check(&self, account: &Account) -> Result<(), Fault> {
        let level = |setting: &MethodSetting| matches!(setting.logging_level.as_deref(), Some("ERROR" | "INFO"));
        let logs = self.access_log_settings.is_some() || self.method_settings.values().any(level);
        match logs && account.apigateway.cloudwatch_role.is_none() {
            true => Err(bad_request("CloudWatch Logs role ARN must be set in account settings to enable logging")),
            false => Ok(()),
        }
    }
}

/// `{resource}/{method}`, slashes of the resource as `~1`.
fn setting_key(setting: &Value) -> String {
    let member = |name: &str| setting.get(name).and_then(Value::as_str).unwrap_or_default();
    let (resource, method) = (member("resourcePath").replace("~1", "/"), member("httpMethod"));
    match resource.trim_start_matches('/') {
        "*" => format!("*/{method}"),
        resource => format!("~1{}/{method}", resource.replace('/', "~1")),
    }
}

struct RestApiType;

impl RestApiType {
    fn settings(context: &Context, properties: &Properties) -> Result<Settings, Fault> {
        let unoffered = ["Body", "BodyS3Location", "CloneFrom", "FailOnWarnings", "Mode", "Parameters"];
        if let Some(name) = unoffered.iter().find(|name| properties.contains_key(**name)) {
            return Err(bad_request(format!("{name} of an API is not offered by the local cloud")));
        }
        let mut members = members(properties, context, Self::SCHEMA);
        if let Some(source) = members.remove("apiKeySourceType") {
            members.insert("apiKeySource".to_owned(), source);
        }
        if let Some(policy) = properties.get("Policy") {
            members.insert("policy".to_owned(), text_of(policy).into());
        }
        declared(members)
    }

    fn provisioned(api: &RestApi, id: &str) -> Provisioned {
        Provisioned::named(id).with("RestApiId", id).with("RootResourceId", api.root.as_str())
    }
}

impl Kind for RestApiType {
    const TYPE: &'static str = "AWS::ApiGateway::RestApi";
    const SCHEMA: &'static str = include_str!("schemas/rest-api.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let id = account.apigateway.create(Self::settings(context, &new)?, context.now)?;
        Ok(Self::provisioned(account.apigateway.api(&id)?, &id))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let settings = Self::settings(context, &new)?;
        let api = account.apigateway.api_mut(physical_id)?;
        api.configure(settings)?;
        Ok(Self::provisioned(api, physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        Ok(account.apigateway.delete(physical_id)?)
    }
}

struct ResourceOfApiType;

impl Kind for ResourceOfApiType {
    const TYPE: &'static str = "AWS::ApiGateway::Resource";
    const SCHEMA: &'static str = include_str!("schemas/resource.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, _: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let api = account.apigateway.api_mut(stated(&new, "RestApiId"))?;
        let id = api.add_resource(stated(&new, "ParentId"), stated(&new, "PathPart"))?;
        Ok(identified("ResourceId", &id))
    }

    /// Every property makes a new one.
    fn update(_: &mut Account, _: &Context, physical_id: &str, _: Change<Properties>) -> Result<Provisioned, Refused> {
        Ok(identified("ResourceId", physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, last: &Properties) -> Result<(), Refused> {
        Ok(account.apigateway.api_mut(stated(last, "RestApiId"))?.remove_resource(physical_id)?)
    }
}

struct MethodType;

impl MethodType {
    fn method(properties: &Properties) -> Result<Method, Fault> {
        let mut members = lowered(properties);
        members.entry("authorizationType").or_insert_with(|| "NONE".into());
        by_status(&mut members, "methodResponses");
        if let Some(Value::Object(mut integration)) = members.remove("integration") {
            if let Some(verb) = integration.remove("integrationHttpMethod") {
                integration.insert("httpMethod".to_owned(), verb);
            }
            by_status(&mut integration, "integrationResponses");
            members.insert("methodIntegration".to_owned(), Value::Object(integration));
        }
        declared(members)
    }

    fn place(properties: &Properties) -> (&str, &str, &str) {
        (stated(properties, "RestApiId"), stated(properties, "ResourceId"), stated(properties, "HttpMethod"))
    }
}

/// A list of responses as the service keeps it: by status code.
fn by_status(members: &mut Map<String, Value>, name: &str) {
    let Some(Value::Array(responses)) = members.remove(name) else { return };
    let status = |response: &Value| response.get("statusCode").and_then(Value::as_str).unwrap_or_default().to_owned();
    let responses = responses.into_iter().map(|response| (status(&response), response));
    members.insert(name.to_owned(), Value::Object(responses.collect()));
}

impl Kind for MethodType {
    const TYPE: &'static str = "AWS::ApiGateway::Method";
    const SCHEMA: &'static str = include_str!("schemas/method.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, _: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let (api, resource, verb) = Self::place(&new);
        account.apigateway.api_mut(api)?.add_method(resource, Self::method(&new)?)?;
        Ok(Provisioned::named(format!("{api}|{resource}|{verb}")))
    }

    fn update(
        account: &mut Account,
        _: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let (api, resource, _) = Self::place(&new);
        account.apigateway.api_mut(api)?.put_method(resource, Self::method(&new)?)?;
        Ok(Provisioned::named(physical_id))
    }

    fn delete(account: &mut Account, _: &Context, _: &str, last: &Properties) -> Result<(), Refused> {
        let (api, resource, verb) = Self::place(last);
        Ok(account.apigateway.api_mut(api)?.remove_method(resource, verb)?)
    }
}

struct AccountType;

impl AccountType {
    fn set(account: &mut Account, properties: &Properties) {
        account.apigateway.cloudwatch_role = text(properties, "CloudWatchRoleArn").map(str::to_owned);
    }
}

impl Kind for AccountType {
    const TYPE: &'static str = "AWS::ApiGateway::Account";
    const SCHEMA: &'static str = include_str!("schemas/account.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        Self::set(account, &new);
        Ok(identified("Id", &context.physical_name(64)))
    }

    fn update(
        account: &mut Account,
        _: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        Self::set(account, &new);
        Ok(identified("Id", physical_id))
    }

    /// The setting is the account's, and stays, as on AWS.
    fn delete(_: &mut Account, _: &Context, _: &str, _: &Properties) -> Result<(), Refused> {
        Ok(())
    }
}

struct UsagePlanType;

impl UsagePlanType {
    fn plan(context: &Context, properties: &Properties) -> Result<UsagePlan, Fault> {
        let mut members = members(properties, context, Self::SCHEMA);
        let name = members.remove("usagePlanName").unwrap_or_else(|| context.physical_name(128).into());
        members.insert("name".to_owned(), name);
        declared(members)
    }
}

impl Kind for UsagePlanType {
    const TYPE: &'static str = "AWS::ApiGateway::UsagePlan";
    const SCHEMA: &'static str = include_str!("schemas/usage-plan.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let plan = Self::plan(context, &new)?;
        Ok(identified("Id", &account.apigateway.put_usage_plan(None, plan)?))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let mut plan = Self::plan(context, &new)?;
        if !new.contains_key("UsagePlanName") {
            plan.name.clone_from(&account.apigateway.usage_plan(physical_id)?.name);
        }
        Ok(identified("Id", &account.apigateway.put_usage_plan(Some(physical_id), plan)?))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        Ok(account.apigateway.delete_usage_plan(physical_id)?)
    }
}

struct UsagePlanKeyType;

impl Kind for UsagePlanKeyType {
    const TYPE: &'static str = "AWS::ApiGateway::UsagePlanKey";
    const SCHEMA: &'static str = include_str!("schemas/usage-plan-key.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, _: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let (plan, key) = (stated(&new, "UsagePlanId"), stated(&new, "KeyId"));
        account.apigateway.add_plan_key(plan, key)?;
        Ok(identified("Id", &format!("{key}:{plan}")))
    }

    /// Every property makes a new one.
    fn update(_: &mut Account, _: &Context, physical_id: &str, _: Change<Properties>) -> Result<Provisioned, Refused> {
        Ok(identified("Id", physical_id))
    }

    fn delete(account: &mut Account, _: &Context, _: &str, last: &Properties) -> Result<(), Refused> {
        Ok(account.apigateway.remove_plan_key(stated(last, "UsagePlanId"), stated(last, "KeyId"))?)
    }
}

struct ApiKeyType;

impl ApiKeyType {
    fn key(context: &Context, properties: &Properties) -> Result<ApiKey, Fault> {
        if properties.contains_key("StageKeys") {
            return Err(bad_request("StageKeys of an API key are not offered by the local cloud: use a usage plan"));
        }
        let mut members = members(properties, context, Self::SCHEMA);
        members.remove("generateDistinctId");
        members.entry("name").or_insert_with(|| context.physical_name(128).into());
        declared(members)
    }
}

impl Kind for ApiKeyType {
    const TYPE: &'static str = "AWS::ApiGateway::ApiKey";
    const SCHEMA: &'static str = include_str!("schemas/api-key.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let key = Self::key(context, &new)?;
        Ok(identified("APIKeyId", &account.apigateway.create_api_key(key, context.now)?))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        account.apigateway.update_api_key(physical_id, Self::key(context, &new)?, context.now)?;
        Ok(identified("APIKeyId", physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        Ok(account.apigateway.delete_api_key(physical_id)?)
    }
}

struct DomainNameType;

impl DomainNameType {
    fn domain(context: &Context, properties: &Properties) -> Result<DomainName, Fault> {
        declared(members(properties, context, Self::SCHEMA))
    }

    fn provisioned(account: &Account, name: &str) -> Provisioned {
        let (region, own) = (&account.region, regional_name(name, &account.region));
        // The zones that AWS keeps for such names; locally no record ever points to them.
        Provisioned::named(name)
            .with("DistributionDomainName", own.clone())
            .with("DistributionHostedZoneId", "Z2FDTNDATAQYW2")
            .with("RegionalDomainName", own)
            .with("RegionalHostedZoneId", "Z1UJRXOUMOOFQ8")
            .with("DomainNameArn", format!("arn:aws:apigateway:{region}::/domainnames/{name}"))
    }
}

impl Kind for DomainNameType {
    const TYPE: &'static str = "AWS::ApiGateway::DomainName";
    const SCHEMA: &'static str = include_str!("schemas/domain-name.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let domain = Self::domain(context, &new)?;
        let name = domain.domain_name.clone();
        account.apigateway.create_domain_name(domain)?;
        Ok(Self::provisioned(account, &name))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        account.apigateway.update_domain_name(Self::domain(context, &new)?)?;
        Ok(Self::provisioned(account, physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        Ok(account.apigateway.delete_domain_name(physical_id)?)
    }
}

struct BasePathMappingType;

impl BasePathMappingType {
    fn mapping(properties: &Properties) -> BasePathMapping {
        let stage = text(properties, "Stage").map(str::to_owned);
        BasePathMapping { rest_api_id: stated(properties, "RestApiId").to_owned(), stage }
    }

    fn place(properties: &Properties) -> (&str, &str) {
        (stated(properties, "DomainName"), base_path(stated(properties, "BasePath")))
    }

    fn map(account: &mut Account, properties: &Properties) -> Result<Provisioned, Refused> {
        let (domain, base) = Self::place(properties);
        account.apigateway.map(domain, base, Self::mapping(properties))?;
        Ok(Provisioned::named(format!("{domain}|{base}")))
    }
}

impl Kind for BasePathMappingType {
    const TYPE: &'static str = "AWS::ApiGateway::BasePathMapping";
    const SCHEMA: &'static str = include_str!("schemas/base-path-mapping.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, _: &Context, new: Properties) -> Result<Provisioned, Refused> {
        Self::map(account, &new)
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { old, new }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        <Self as Kind>::delete(account, context, physical_id, &old)?;
        Self::map(account, &new)
    }

    fn delete(account: &mut Account, _: &Context, _: &str, last: &Properties) -> Result<(), Refused> {
        let (domain, base) = Self::place(last);
        Ok(account.apigateway.unmap(domain, base)?)
    }
}

/// A resource whose one attribute is its id.
fn identified(attribute: &str, id: &str) -> Provisioned {
    Provisioned::named(id).with(attribute, id)
}

/// A property that the schema asks for, or that is as good as absent when it is empty.
fn stated<'a>(properties: &'a Properties, name: &str) -> &'a str {
    text(properties, name).unwrap_or_default()
}

/// A document that may be given as an object or as its text.
fn text_of(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}
