//! Lambda's CloudFormation resource types.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::deployment::{self, Site, ZipFile};
use super::url::{self, FunctionUrl};
use super::{Alias, Functions, Settings, Statement, Target, fault, policy, revision, rules};
use crate::cloud::Account;
use crate::cloudformation::resource::{
    Change, Context, Failure, Kind, NotOffered, Properties, Provisioned, Refused, ResourceType, Tags, Wording, text,
};
use crate::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[
    &FunctionType,
    &PermissionType,
    &VersionType,
    &AliasType,
    &UrlType,
    &NotOffered {
        name: "AWS::Lambda::LayerVersion",
        schema: include_str!("schemas/layer_version.json"),
        reason: "the local cloud has no layers: a function sees this machine's own `/opt`, where none can be put; ship \
                 the files with the function",
    },
];

/// What the handlers call this service.
const SERVICE: &str = "Lambda";

struct FunctionType;
struct PermissionType;
struct VersionType;
struct AliasType;
struct UrlType;

impl Kind for FunctionType {
    const TYPE: &'static str = "AWS::Lambda::Function";
    const SCHEMA: &'static str = include_str!("schemas/function.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let name = text(&new, "FunctionName").map_or_else(|| context.physical_name(64), str::to_owned);
        let target = Target::parse(account, &name)?;
        deployment::create(account, site(context), &target, &new, ZipFile::Source)?;
        let adorned = deployment::adorn(account, &target, tags(context, &new), reserved(&new));
        if let Err(fault) = adorned {
            account.lambda.0.remove(&target.name);
            return Err(fault.into());
        }
        Ok(function(account, &target))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let target = Target::parse(account, physical_id)?;
        let settings = Settings::read(account, &new)?;
        let code = new.get("Code").and_then(Value::as_object).cloned().unwrap_or_default();
        let code = deployment::given_code(account, site(context), &code, ZipFile::Source)?;
        deployment::adorn(account, &target, tags(context, &new), reserved(&new))?;
        deployment::change(account, site(context), &target, |version| {
            version.settings = settings;
            version.code = code;
        })?;
        Ok(function(account, &target))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        account.lambda.0.remove(physical_id);
        Ok(())
    }
}

impl Kind for PermissionType {
    const TYPE: &'static str = "AWS::Lambda::Permission";
    const SCHEMA: &'static str = include_str!("schemas/permission.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let target = named_function(account, &new)?;
        let statement_id = context.physical_name(100);
        let owned = |name: &str| text(&new, name).map(str::to_owned);
        let statement = Statement {
            statement_id: statement_id.clone(),
            principal: owned("Principal").unwrap_or_default(),
            action: owned("Action").unwrap_or_default(),
            source_arn: owned("SourceArn"),
            source_account: owned("SourceAccount"),
            principal_org_id: owned("PrincipalOrgID"),
            event_source_token: owned("EventSourceToken"),
            function_url_auth_type: owned("FunctionUrlAuthType"),
            invoked_via_function_url: new.get("InvokedViaFunctionUrl").and_then(flag),
            qualifier: None,
        };
        policy::add(account, &target, statement)?;
        Ok(Provisioned::named(&statement_id).with("Id", statement_id))
    }

    /// Every property replaces it, so there is nothing to change in place.
    fn update(_: &mut Account, _: &Context, physical_id: &str, _: Change<Properties>) -> Result<Provisioned, Refused> {
        Ok(Provisioned::named(physical_id).with("Id", physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, last: &Properties) -> Result<(), Refused> {
        let target = named_function(account, last)?;
        Ok(policy::remove(account, &target, physical_id)?)
    }
}

impl Kind for VersionType {
    const TYPE: &'static str = "AWS::Lambda::Version";
    const SCHEMA: &'static str = include_str!("schemas/version.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, _: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let target = Target { qualifier: None, ..named_function(account, &new)? };
        let function = Functions::function(account, &target)?;
        if let Some(number) = function.unchanged_version() {
            return Err(Refused::Handler(format!(
                "A version for this Lambda function exists ( {number} ). Modify the function to create a new version."
            )));
        }
        let wanted = text(&new, "CodeSha256");
        let held = function.latest.code.sha256_base64();
        if wanted.is_some_and(|wanted| wanted != held) {
            return Err(Refused::Service(super::invalid(format!(
                "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({held}). Please try again with the \
                 CodeSHA256 in $LATEST.",
                wanted.unwrap_or_default()
            ))));
        }
        let description = text(&new, "Description").map(str::to_owned);
        let number = rules::publish(account, &target, description)?.to_string();
        Ok(version(&Target { qualifier: Some(number), ..target }.arn(account)))
    }

    /// Every property replaces it.
    fn update(_: &mut Account, _: &Context, physical_id: &str, _: Change<Properties>) -> Result<Provisioned, Refused> {
        Ok(version(physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        let target = Target::parse(account, physical_id)?;
        Ok(rules::remove(account, &target)?)
    }
}

impl Kind for AliasType {
    const TYPE: &'static str = "AWS::Lambda::Alias";
    const SCHEMA: &'static str = include_str!("schemas/alias.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, _: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let name = text(&new, "Name").unwrap_or_default().to_owned();
        let target = Target { qualifier: Some(name.clone()), ..named_function(account, &new)? };
        if Functions::function(account, &target)?.aliases.contains_key(&name) {
            let message = format!("Alias already exists: {}", target.arn(account));
            return Err(fault(http::StatusCode::CONFLICT, "ResourceConflictException", message).into());
        }
        put_alias(account, &target, &new)
    }

    fn update(
        account: &mut Account,
        _: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let target = Target::parse(account, physical_id)?;
        put_alias(account, &target, &new)
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        let target = Target::parse(account, physical_id)?;
        if let (Some(function), Some(name)) = (account.lambda.0.get_mut(&target.name), target.qualifier) {
            function.aliases.remove(&name);
            function.urls.remove(&name);
        }
        Ok(())
    }
}

impl Kind for UrlType {
    const TYPE: &'static str = "AWS::Lambda::Url";
    const SCHEMA: &'static str = include_str!("schemas/url.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let named = Target::parse(account, text(&new, "TargetFunctionArn").unwrap_or_default())?;
        let qualifier = text(&new, "Qualifier").map(str::to_owned).or(named.qualifier);
        let target = Target { qualifier, ..named };
        let made = url::create(account, &target, &url_settings(&new), context.now)?;
        Ok(function_url(account, context, &target, &made))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let target = Target::parse(account, physical_id)?;
        let changed = url::replace(account, &target, &url_settings(&new), context.now)?;
        Ok(function_url(account, context, &target, &changed))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        let target = Target::parse(account, physical_id)?;
        Ok(url::delete(account, &target)?)
    }
}

/// The properties of a URL as a request to Lambda has them. CloudFormation may bring numbers and truths as text.
fn url_settings(properties: &Properties) -> Properties {
    let mut settings = properties.clone();
    if let Some(Value::Object(cors)) = settings.get_mut("Cors") {
        if let Some(value) = cors.get_mut("AllowCredentials")
            && let Some(allowed) = flag(value)
        {
            *value = allowed.into();
        }
        if let Some(value) = cors.get_mut("MaxAge")
            && let Some(age) = value.as_str().and_then(|age| age.parse::<i64>().ok())
        {
            *value = age.into();
        }
    }
    settings
}

fn function_url(account: &Account, context: &Context, target: &Target, url: &FunctionUrl) -> Provisioned {
    let arn = target.arn(account);
    let address = url::address(&context.endpoint, url);
    Provisioned::named(&arn).with("FunctionArn", arn).with("FunctionUrl", address)
}

fn put_alias(account: &mut Account, target: &Target, properties: &Properties) -> Result<Provisioned, Refused> {
    let weights = properties.get("RoutingConfig").and_then(|routing| routing.get("AdditionalVersionWeights"));
    let weights = weights.and_then(Value::as_array).into_iter().flatten().filter_map(|weight| {
        Some((weight.get("FunctionVersion")?.as_str()?.to_owned(), weight.get("FunctionWeight")?.as_f64()?))
    });
    let alias = Alias {
        version: text(properties, "FunctionVersion").unwrap_or_default().to_owned(),
        description: text(properties, "Description").unwrap_or_default().to_owned(),
        weights: weights.collect(),
        revision: revision(),
    };
    rules::set_alias(account, target, alias)?;
    let arn = target.arn(account);
    Ok(Provisioned::named(&arn).with("AliasArn", arn))
}

fn function(account: &Account, target: &Target) -> Provisioned {
    Provisioned::named(&target.name)
        .with("Arn", target.arn(account))
        .with("SnapStartResponse", json!({ "ApplyOn": "None", "OptimizationStatus": "Off" }))
        .with("SnapStartResponse.ApplyOn", "None")
        .with("SnapStartResponse.OptimizationStatus", "Off")
}

fn version(arn: &str) -> Provisioned {
    let number = arn.rsplit(':').next().unwrap_or_default();
    Provisioned::named(arn).with("FunctionArn", arn).with("Version", number)
}

fn named_function(account: &Account, properties: &Properties) -> Result<Target, Fault> {
    Target::parse(account, text(properties, "FunctionName").unwrap_or_default())
}

fn site(context: &Context) -> Site<'_> {
    Site { data: &context.data, now: context.now }
}

/// A boolean, also when CloudFormation brings it as text.
fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

fn reserved(properties: &Properties) -> Option<u32> {
    let value = properties.get("ReservedConcurrentExecutions")?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}

/// The function's tags, those of the stack, and those by which AWS marks what a stack made.
fn tags(context: &Context, properties: &Properties) -> BTreeMap<String, String> {
    let mut tags = context.tags_with(&Tags::of(properties));
    for (name, value) in
        [("stack-id", &context.stack_id), ("stack-name", &context.stack_name), ("logical-id", &context.logical_id)]
    {
        tags.insert(format!("aws:cloudformation:{name}"), value.clone());
    }
    tags
}

/// A refusal as Lambda's resource handlers word it.
fn worded(service: &str, fault: &Fault) -> Failure {
    let handler_code = match fault.status.as_u16() {
        404 => "NotFound",
        409 => "AlreadyExists",
        429 => "Throttling",
        500.. => "ServiceInternalError",
        _ => "InvalidRequest",
    };
    Failure::of_handler(service, handler_code, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_a_schema_of_its_type() {
        for kind in RESOURCE_TYPES {
            let schema: Value = serde_json::from_str(kind.schema()).expect("it is JSON");
            assert_eq!(schema["typeName"], kind.name());
            assert_eq!(schema["additionalProperties"], false);
            for list in ["required", "createOnlyProperties", "readOnlyProperties"] {
                for name in schema[list].as_array().into_iter().flatten() {
                    let name = name.as_str().expect("a name").trim_start_matches("/properties/");
                    let name = name.split('/').next().expect("a first part");
                    assert!(schema["properties"].get(name).is_some(), "{}: {name}", kind.name());
                }
            }
        }
    }
}
