//! The CloudFormation resource types of API Gateway's REST APIs.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde_json::{Map, Value, json};

use super::domain::{BasePathMapping, base_path};
use super::{
    ApiKey, Authorizer, Deployment, DomainName, GatewayResponse, Method, MethodSetting, Model, RequestValidator,
    RestApi, Settings, Stage, UsagePlan, bad_request,
};
use crate::local::apigatewayv2::{declared, regional_name};
use crate::local::cloud::Account;
use crate::local::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};
use crate::local::part::{Part, Parts};
use crate::local::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[
    &RestApiType,
    &ResourceOfApiType,
    &MethodType,
    &PartType::<Authorizer>(PhantomData),
    &PartType::<Model>(PhantomData),
    &PartType::<RequestValidator>(PhantomData),
    &PartType::<GatewayResponse>(PhantomData),
    &PartType::<Deployment>(PhantomData),
    &PartType::<Stage>(PhantomData),
    &AccountType,
    &UsagePlanType,
    &UsagePlanKeyType,
    &ApiKeyType,
    &DomainNameType,
    &BasePathMappingType,
];

/// What CloudFormation must know of a part of an API.
trait PartResource: Part<Api = RestApi> {
    const TYPE: &'static str;
    const SCHEMA: &'static str;
    /// The attribute that holds its id, where there is one.
    const ATTRIBUTE: Option<&'static str>;

    /// The service's own members for these properties.
    fn members(properties: &Properties, context: &Context) -> Result<Map<String, Value>, Fault> {
        Ok(members(properties, context, Self::SCHEMA))
    }

    /// What it asks of the account as a whole.
    fn check(&self, _account: &Account) -> Result<(), Fault> {
        Ok(())
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

struct PartType<P>(PhantomData<fn() -> P>);

impl<P: PartResource> PartType<P> {
    fn provisioned(id: String) -> Provisioned {
        let attributes = P::ATTRIBUTE.map(|name| (name.to_owned(), Value::from(id.as_str())));
        Provisioned { physical_id: id, attributes: attributes.into_iter().collect() }
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
        let part: P = P::members(properties, context).and_then(declared).map_err(failure)?;
        part.check(account).map_err(failure)?;
        let api = account.apigateway.api_mut(text(properties, "RestApiId")).map_err(failure)?;
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
        let part: P = P::members(new, context).and_then(declared).map_err(failure)?;
        part.check(account).map_err(failure)?;
        let api = account.apigateway.api_mut(text(new, "RestApiId")).map_err(failure)?;
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
        let Ok(api) = account.apigateway.api_mut(text(properties, "RestApiId")) else { return Ok(()) };
        if api.part::<P>(physical_id).is_ok() {
            api.remove::<P>(physical_id).map_err(failure)?;
        }
        Ok(())
    }
}

struct RestApiType;

impl RestApiType {
    fn settings(context: &Context, properties: &Properties) -> Result<Settings, Fault> {
        let unoffered = ["Body", "BodyS3Location", "CloneFrom", "FailOnWarnings", "Mode", "Parameters"];
        if let Some(name) = unoffered.iter().find(|name| properties.contains_key(**name)) {
            return Err(bad_request(format!("{name} of an API is not offered by the local cloud")));
        }
        let mut members = members(properties, context, include_str!("schemas/rest-api.json"));
        if let Some(source) = members.remove("apiKeySourceType") {
            members.insert("apiKeySource".to_owned(), source);
        }
        if let Some(policy) = properties.get("Policy") {
            members.insert("policy".to_owned(), text_of(policy).into());
        }
        declared(members)
    }

    fn provisioned(api: &RestApi, id: &str) -> Provisioned {
        let root = api.root.as_str();
        let attributes = [("RestApiId", id), ("RootResourceId", root)];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.into()));
        Provisioned { physical_id: id.to_owned(), attributes: attributes.into() }
    }
}

impl ResourceType for RestApiType {
    fn name(&self) -> &'static str {
        "AWS::ApiGateway::RestApi"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/rest-api.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let settings = Self::settings(context, properties).map_err(failure)?;
        let id = account.apigateway.create(settings, context.now).map_err(failure)?;
        Ok(Self::provisioned(account.apigateway.api(&id).map_err(failure)?, &id))
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
        let api = account.apigateway.api_mut(physical_id).map_err(failure)?;
        api.configure(settings).map_err(failure)?;
        Ok(Self::provisioned(api, physical_id))
    }

    fn delete(&self, account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Failure> {
        match account.apigateway.api(physical_id) {
            Ok(_) => account.apigateway.delete(physical_id).map_err(failure),
            Err(_) => Ok(()),
        }
    }
}

struct ResourceOfApiType;

impl ResourceType for ResourceOfApiType {
    fn name(&self) -> &'static str {
        "AWS::ApiGateway::Resource"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/resource.json")
    }

    fn create(&self, account: &mut Account, _: &Context, properties: &Properties) -> Result<Provisioned, Failure> {
        let api = account.apigateway.api_mut(text(properties, "RestApiId")).map_err(failure)?;
        let id = api.add_resource(text(properties, "ParentId"), text(properties, "PathPart")).map_err(failure)?;
        Ok(identified("ResourceId", id))
    }

    fn update(
        &self,
        _account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _old: &Properties,
        _new: &Properties,
    ) -> Result<Provisioned, Failure> {
        // Every property makes a new one.
        Ok(identified("ResourceId", physical_id.to_owned()))
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        let Ok(api) = account.apigateway.api_mut(text(properties, "RestApiId")) else { return Ok(()) };
        match api.resource(physical_id) {
            Ok(_) => api.remove_resource(physical_id).map_err(failure),
            Err(_) => Ok(()),
        }
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
        (text(properties, "RestApiId"), text(properties, "ResourceId"), text(properties, "HttpMethod"))
    }
}

/// A list of responses as the service keeps it: by status code.
fn by_status(members: &mut Map<String, Value>, name: &str) {
    let Some(Value::Array(responses)) = members.remove(name) else { return };
    let status = |response: &Value| response.get("statusCode").and_then(Value::as_str).unwrap_or_default().to_owned();
    let responses = responses.into_iter().map(|response| (status(&response), response));
    members.insert(name.to_owned(), Value::Object(responses.collect()));
}

impl ResourceType for MethodType {
    fn name(&self) -> &'static str {
        "AWS::ApiGateway::Method"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/method.json")
    }

    fn create(&self, account: &mut Account, _: &Context, properties: &Properties) -> Result<Provisioned, Failure> {
        let method = Self::method(properties).map_err(failure)?;
        let (api, resource, verb) = Self::place(properties);
        account.apigateway.api_mut(api).and_then(|api| api.add_method(resource, method)).map_err(failure)?;
        Ok(Provisioned { physical_id: format!("{api}|{resource}|{verb}"), ..Provisioned::default() })
    }

    fn update(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let method = Self::method(new).map_err(failure)?;
        let (api, resource, _) = Self::place(new);
        account.apigateway.api_mut(api).and_then(|api| api.put_method(resource, method)).map_err(failure)?;
        Ok(Provisioned { physical_id: physical_id.to_owned(), ..Provisioned::default() })
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        _physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        let (api, resource, verb) = Self::place(properties);
        let Ok(api) = account.apigateway.api_mut(api) else { return Ok(()) };
        match api.method(resource, verb) {
            Ok(_) => api.remove_method(resource, verb).map_err(failure),
            Err(_) => Ok(()),
        }
    }
}

struct AccountType;

impl AccountType {
    fn set(account: &mut Account, properties: &Properties) {
        let role = properties.get("CloudWatchRoleArn").and_then(Value::as_str);
        account.apigateway.cloudwatch_role = role.map(str::to_owned);
    }
}

impl ResourceType for AccountType {
    fn name(&self) -> &'static str {
        "AWS::ApiGateway::Account"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/account.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        Self::set(account, properties);
        Ok(identified("Id", context.physical_name(64)))
    }

    fn update(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        Self::set(account, new);
        Ok(identified("Id", physical_id.to_owned()))
    }

    fn delete(&self, _: &mut Account, _: &Context, _: &str, _: &Properties) -> Result<(), Failure> {
        // The setting is the account's, and stays, as on AWS.
        Ok(())
    }
}

struct UsagePlanType;

impl UsagePlanType {
    fn plan(context: &Context, properties: &Properties) -> Result<UsagePlan, Fault> {
        let mut members = members(properties, context, include_str!("schemas/usage-plan.json"));
        let name = members.remove("usagePlanName").unwrap_or_else(|| context.physical_name(128).into());
        members.insert("name".to_owned(), name);
        declared(members)
    }
}

impl ResourceType for UsagePlanType {
    fn name(&self) -> &'static str {
        "AWS::ApiGateway::UsagePlan"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/usage-plan.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let plan = Self::plan(context, properties).map_err(failure)?;
        Ok(identified("Id", account.apigateway.put_usage_plan(None, plan).map_err(failure)?))
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let mut plan = Self::plan(context, new).map_err(failure)?;
        if !new.contains_key("UsagePlanName") {
            plan.name.clone_from(&account.apigateway.usage_plan(physical_id).map_err(failure)?.name);
        }
        Ok(identified("Id", account.apigateway.put_usage_plan(Some(physical_id), plan).map_err(failure)?))
    }

    fn delete(&self, account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Failure> {
        match account.apigateway.usage_plan(physical_id) {
            Ok(_) => account.apigateway.delete_usage_plan(physical_id).map_err(failure),
            Err(_) => Ok(()),
        }
    }
}

struct UsagePlanKeyType;

impl ResourceType for UsagePlanKeyType {
    fn name(&self) -> &'static str {
        "AWS::ApiGateway::UsagePlanKey"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/usage-plan-key.json")
    }

    fn create(&self, account: &mut Account, _: &Context, properties: &Properties) -> Result<Provisioned, Failure> {
        let (plan, key) = (text(properties, "UsagePlanId"), text(properties, "KeyId"));
        account.apigateway.add_plan_key(plan, key).map_err(failure)?;
        Ok(identified("Id", format!("{key}:{plan}")))
    }

    fn update(
        &self,
        _account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _old: &Properties,
        _new: &Properties,
    ) -> Result<Provisioned, Failure> {
        // Every property makes a new one.
        Ok(identified("Id", physical_id.to_owned()))
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        _physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        let (plan, key) = (text(properties, "UsagePlanId"), text(properties, "KeyId"));
        match account.apigateway.usage_plan(plan).is_ok_and(|plan| plan.keys.contains(key)) {
            true => account.apigateway.remove_plan_key(plan, key).map_err(failure),
            false => Ok(()),
        }
    }
}

struct ApiKeyType;

impl ApiKeyType {
    fn key(context: &Context, properties: &Properties) -> Result<ApiKey, Fault> {
        if properties.contains_key("StageKeys") {
            return Err(bad_request("StageKeys of an API key are not offered by the local cloud: use a usage plan"));
        }
        let mut members = members(properties, context, include_str!("schemas/api-key.json"));
        members.remove("generateDistinctId");
        members.entry("name").or_insert_with(|| context.physical_name(128).into());
        declared(members)
    }
}

impl ResourceType for ApiKeyType {
    fn name(&self) -> &'static str {
        "AWS::ApiGateway::ApiKey"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/api-key.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let key = Self::key(context, properties).map_err(failure)?;
        Ok(identified("APIKeyId", account.apigateway.create_api_key(key, context.now).map_err(failure)?))
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let key = Self::key(context, new).map_err(failure)?;
        account.apigateway.update_api_key(physical_id, key, context.now).map_err(failure)?;
        Ok(identified("APIKeyId", physical_id.to_owned()))
    }

    fn delete(&self, account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Failure> {
        match account.apigateway.api_key(physical_id) {
            Ok(_) => account.apigateway.delete_api_key(physical_id).map_err(failure),
            Err(_) => Ok(()),
        }
    }
}

struct DomainNameType;

impl DomainNameType {
    fn domain(context: &Context, properties: &Properties) -> Result<DomainName, Fault> {
        declared(members(properties, context, include_str!("schemas/domain-name.json")))
    }

    fn provisioned(account: &Account, name: &str) -> Provisioned {
        let (region, own) = (&account.region, regional_name(name, &account.region));
        // The zones that AWS keeps for such names; locally no record ever points to them.
        let attributes = [
            ("DistributionDomainName", own.clone()),
            ("DistributionHostedZoneId", "Z2FDTNDATAQYW2".to_owned()),
            ("RegionalDomainName", own),
            ("RegionalHostedZoneId", "Z1UJRXOUMOOFQ8".to_owned()),
            ("DomainNameArn", format!("arn:aws:apigateway:{region}::/domainnames/{name}")),
        ];
        let attributes = attributes.map(|(attribute, value)| (attribute.to_owned(), value.into()));
        Provisioned { physical_id: name.to_owned(), attributes: attributes.into() }
    }
}

impl ResourceType for DomainNameType {
    fn name(&self) -> &'static str {
        "AWS::ApiGateway::DomainName"
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
        let domain = Self::domain(context, properties).map_err(failure)?;
        let name = domain.domain_name.clone();
        account.apigateway.create_domain_name(domain).map_err(failure)?;
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
        let domain = Self::domain(context, new).map_err(failure)?;
        account.apigateway.update_domain_name(domain).map_err(failure)?;
        Ok(Self::provisioned(account, physical_id))
    }

    fn delete(&self, account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Failure> {
        match account.apigateway.domain_name(physical_id) {
            Ok(_) => account.apigateway.delete_domain_name(physical_id).map_err(failure),
            Err(_) => Ok(()),
        }
    }
}

struct BasePathMappingType;

impl BasePathMappingType {
    fn mapping(properties: &Properties) -> BasePathMapping {
        let stage = properties.get("Stage").and_then(Value::as_str).map(str::to_owned);
        BasePathMapping { rest_api_id: text(properties, "RestApiId").to_owned(), stage }
    }

    fn place(properties: &Properties) -> (&str, &str) {
        (text(properties, "DomainName"), base_path(text(properties, "BasePath")))
    }
}

impl ResourceType for BasePathMappingType {
    fn name(&self) -> &'static str {
        "AWS::ApiGateway::BasePathMapping"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/base-path-mapping.json")
    }

    fn create(&self, account: &mut Account, _: &Context, properties: &Properties) -> Result<Provisioned, Failure> {
        let (domain, base) = Self::place(properties);
        account.apigateway.map(domain, base, Self::mapping(properties)).map_err(failure)?;
        Ok(Provisioned { physical_id: format!("{domain}|{base}"), ..Provisioned::default() })
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        self.delete(account, context, physical_id, old)?;
        self.create(account, context, new)
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        _physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        let (domain, base) = Self::place(properties);
        match account.apigateway.domain_name(domain).is_ok_and(|domain| domain.mappings.contains_key(base)) {
            true => account.apigateway.unmap(domain, base).map_err(failure),
            false => Ok(()),
        }
    }
}

/// A resource whose one attribute is its id.
fn identified(attribute: &str, id: String) -> Provisioned {
    let attributes = BTreeMap::from([(attribute.to_owned(), json!(id))]);
    Provisioned { physical_id: id, attributes }
}

/// CloudFormation reports a service's refusal with where it came from.
fn failure(fault: Fault) -> Failure {
    let Fault { status, message, .. } = fault;
    Failure(format!("{message} (Service: ApiGateway, Status Code: {})", status.as_u16()))
}

fn text<'a>(properties: &'a Properties, name: &str) -> &'a str {
    properties.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A document that may be given as an object or as its text.
fn text_of(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}

/// The properties of a resource as the service's own members, with the stack's tags where it can be tagged.
fn members(properties: &Properties, context: &Context, schema: &str) -> Map<String, Value> {
    let mut members = lowered(properties);
    if schema.contains("\"Tags\"") {
        let own = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
        let pair = |tag: &Value| Some((tag.get("Key")?.as_str()?.to_owned(), tag.get("Value")?.clone()));
        let stack = context.tags.iter().map(|(key, value)| (key.clone(), value.as_str().into()));
        members.insert("tags".to_owned(), Value::Object(stack.chain(own.filter_map(pair)).collect()));
    }
    members
}

/// Properties whose keys are the user's own.
const MAPS: [&str; 9] = [
    "Policy",
    "RequestModels",
    "RequestParameters",
    "RequestTemplates",
    "ResponseModels",
    "ResponseParameters",
    "ResponseTemplates",
    "Schema",
    "Variables",
];

/// CloudFormation's names are the service's own with a capital first letter.
fn lowered(properties: &Properties) -> Map<String, Value> {
    properties.iter().map(|(name, value)| (lower_first(name), lowered_value(name, value))).collect()
}

fn lowered_value(name: &str, value: &Value) -> Value {
    match value {
        value if MAPS.contains(&name) => value.clone(),
        // The limits of single methods, by names of the user's own.
        Value::Object(methods) if name == "Throttle" && methods.values().all(Value::is_object) => {
            methods.iter().map(|(key, limits)| (key.clone(), lowered_value("", limits))).collect()
        }
        Value::Object(object) => Value::Object(lowered(object)),
        Value::Array(items) => items.iter().map(|item| lowered_value("", item)).collect(),
        value => value.clone(),
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}
