//! Lambda's CloudFormation resource types.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::deployment::{self, Site, ZipFile};
use super::{Alias, Functions, Settings, Statement, Target, fault, policy, revision, rules};
use crate::local::cloud::Account;
use crate::local::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};
use crate::local::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[
    &FunctionType,
    &PermissionType,
    &VersionType,
    &AliasType,
    &NotOffered {
        name: "AWS::Lambda::LayerVersion",
        schema: include_str!("schemas/layer_version.json"),
        reason: "the local cloud has no layers: a function sees this machine's own `/opt`, where none can be put; ship \
                 the files with the function",
    },
    &NotOffered {
        name: "AWS::Lambda::Url",
        schema: include_str!("schemas/url.json"),
        reason: "the local cloud serves no function URLs; put an HTTP API before the function",
    },
];

struct FunctionType;
struct PermissionType;
struct VersionType;
struct AliasType;

/// A type that is known and refused, so that its stack fails with a reason instead of doing half of what it says.
struct NotOffered {
    name: &'static str,
    schema: &'static str,
    reason: &'static str,
}

impl ResourceType for FunctionType {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Function"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/function.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let name = text(properties, "FunctionName").map_or_else(|| context.physical_name(64), str::to_owned);
        let target = Target::parse(&name).map_err(refused)?;
        deployment::create(account, site(context), &target, properties, ZipFile::Source).map_err(refused)?;
        let adorned = deployment::adorn(account, &target, tags(context, properties), reserved(properties));
        if let Err(fault) = adorned {
            account.lambda.0.remove(&target.name);
            return Err(refused(fault));
        }
        Ok(function(account, &target))
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let target = Target::parse(physical_id).map_err(refused)?;
        let settings = Settings::read(account, new).map_err(refused)?;
        let code = new.get("Code").and_then(Value::as_object).cloned().unwrap_or_default();
        let code = deployment::given_code(account, site(context), &code, ZipFile::Source).map_err(refused)?;
        deployment::adorn(account, &target, tags(context, new), reserved(new)).map_err(refused)?;
        deployment::change(account, site(context), &target, |version| {
            version.settings = settings;
            version.code = code;
        })
        .map_err(refused)?;
        Ok(function(account, &target))
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _properties: &Properties,
    ) -> Result<(), Failure> {
        account.lambda.0.remove(physical_id);
        Ok(())
    }
}

impl ResourceType for PermissionType {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Permission"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/permission.json")
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let target = named_function(properties)?;
        let statement_id = context.physical_name(100);
        let owned = |name: &str| text(properties, name).map(str::to_owned);
        let statement = Statement {
            statement_id: statement_id.clone(),
            principal: owned("Principal").unwrap_or_default(),
            action: owned("Action").unwrap_or_default(),
            source_arn: owned("SourceArn"),
            source_account: owned("SourceAccount"),
            principal_org_id: owned("PrincipalOrgID"),
            event_source_token: owned("EventSourceToken"),
            function_url_auth_type: owned("FunctionUrlAuthType"),
            invoked_via_function_url: properties.get("InvokedViaFunctionUrl").and_then(flag),
            qualifier: None,
        };
        policy::add(account, &target, statement).map_err(refused)?;
        Ok(provisioned(&statement_id, &[("Id", &statement_id)]))
    }

    fn update(
        &self,
        _account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _old: &Properties,
        _new: &Properties,
    ) -> Result<Provisioned, Failure> {
        // Every property replaces it, so there is nothing to change in place.
        Ok(provisioned(physical_id, &[("Id", physical_id)]))
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        let target = named_function(properties)?;
        match policy::remove(account, &target, physical_id) {
            Err(fault) if fault.code != "ResourceNotFoundException" => Err(refused(fault)),
            _ => Ok(()),
        }
    }
}

impl ResourceType for VersionType {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Version"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/version.json")
    }

    fn create(
        &self,
        account: &mut Account,
        _context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let target = Target { qualifier: None, ..named_function(properties)? };
        let function = Functions::function(account, &target).map_err(refused)?;
        if let Some(number) = function.unchanged_version() {
            return Err(Failure(format!(
                "A version for this Lambda function exists ( {number} ). Modify the function to create a new version."
            )));
        }
        let wanted = text(properties, "CodeSha256");
        let held = function.latest.code.sha256_base64();
        if wanted.is_some_and(|wanted| wanted != held) {
            return Err(refused(super::invalid(format!(
                "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({held}). Please try again with the \
                 CodeSHA256 in $LATEST.",
                wanted.unwrap_or_default()
            ))));
        }
        let description = text(properties, "Description").map(str::to_owned);
        let number = rules::publish(account, &target, description).map_err(refused)?.to_string();
        let arn = target.qualified(Some(number.clone())).arn(account);
        Ok(provisioned(&arn, &[("FunctionArn", &arn), ("Version", &number)]))
    }

    fn update(
        &self,
        _account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _old: &Properties,
        _new: &Properties,
    ) -> Result<Provisioned, Failure> {
        let number = physical_id.rsplit(':').next().unwrap_or_default();
        Ok(provisioned(physical_id, &[("FunctionArn", physical_id), ("Version", number)]))
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _properties: &Properties,
    ) -> Result<(), Failure> {
        absent_is_fine(Target::parse(physical_id).and_then(|target| rules::remove(account, &target)))
    }
}

impl ResourceType for AliasType {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Alias"
    }

    fn schema(&self) -> &'static str {
        include_str!("schemas/alias.json")
    }

    fn create(
        &self,
        account: &mut Account,
        _context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        let name = text(properties, "Name").unwrap_or_default().to_owned();
        let target = Target { qualifier: Some(name.clone()), ..named_function(properties)? };
        if Functions::function(account, &target).map_err(refused)?.aliases.contains_key(&name) {
            let message = format!("Alias already exists: {}", target.arn(account));
            return Err(refused(fault(http::StatusCode::CONFLICT, "ResourceConflictException", message)));
        }
        put_alias(account, &target, properties)
    }

    fn update(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _old: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        put_alias(account, &Target::parse(physical_id).map_err(refused)?, new)
    }

    fn delete(
        &self,
        account: &mut Account,
        _context: &Context,
        physical_id: &str,
        _properties: &Properties,
    ) -> Result<(), Failure> {
        let target = Target::parse(physical_id).map_err(refused)?;
        if let (Some(function), Some(name)) = (account.lambda.0.get_mut(&target.name), target.qualifier) {
            function.aliases.remove(&name);
        }
        Ok(())
    }
}

impl ResourceType for NotOffered {
    fn name(&self) -> &'static str {
        self.name
    }

    fn schema(&self) -> &'static str {
        self.schema
    }

    fn create(&self, _: &mut Account, _: &Context, _: &Properties) -> Result<Provisioned, Failure> {
        Err(Failure(self.reason.to_owned()))
    }

    fn update(
        &self,
        _: &mut Account,
        _: &Context,
        _: &str,
        _: &Properties,
        _: &Properties,
    ) -> Result<Provisioned, Failure> {
        Err(Failure(self.reason.to_owned()))
    }

    fn delete(&self, _: &mut Account, _: &Context, _: &str, _: &Properties) -> Result<(), Failure> {
        Ok(())
    }
}

fn put_alias(account: &mut Account, target: &Target, properties: &Properties) -> Result<Provisioned, Failure> {
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
    rules::set_alias(account, target, alias).map_err(refused)?;
    let arn = target.arn(account);
    Ok(provisioned(&arn, &[("AliasArn", &arn)]))
}

fn function(account: &Account, target: &Target) -> Provisioned {
    let mut provisioned = provisioned(&target.name, &[("Arn", &target.arn(account))]);
    provisioned
        .attributes
        .insert("SnapStartResponse".to_owned(), json!({ "ApplyOn": "None", "OptimizationStatus": "Off" }));
    provisioned.attributes.insert("SnapStartResponse.ApplyOn".to_owned(), json!("None"));
    provisioned.attributes.insert("SnapStartResponse.OptimizationStatus".to_owned(), json!("Off"));
    provisioned
}

fn provisioned(physical_id: &str, attributes: &[(&str, &str)]) -> Provisioned {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    Provisioned { physical_id: physical_id.to_owned(), attributes }
}

fn named_function(properties: &Properties) -> Result<Target, Failure> {
    Target::parse(text(properties, "FunctionName").unwrap_or_default()).map_err(refused)
}

fn site(context: &Context) -> Site<'_> {
    Site { data: &context.data, now: context.now }
}

fn text<'a>(properties: &'a Properties, name: &str) -> Option<&'a str> {
    properties.get(name).and_then(Value::as_str)
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
    let mut tags = context.tags.clone();
    let own = properties.get("Tags").and_then(Value::as_array).into_iter().flatten().filter_map(|tag| {
        let value = tag.get("Value").and_then(Value::as_str).unwrap_or_default();
        Some((tag.get("Key")?.as_str()?.to_owned(), value.to_owned()))
    });
    tags.extend(own);
    for (name, value) in
        [("stack-id", &context.stack_id), ("stack-name", &context.stack_name), ("logical-id", &context.logical_id)]
    {
        tags.insert(format!("aws:cloudformation:{name}"), value.clone());
    }
    tags
}

fn absent_is_fine(outcome: Result<(), Fault>) -> Result<(), Failure> {
    match outcome {
        Err(fault) if fault.code != "ResourceNotFoundException" => Err(refused(fault)),
        _ => Ok(()),
    }
}

/// A refusal as Lambda's resource handlers word it.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn refused(fault: Fault) -> Failure {
    let handler_code = match fault.status.as_u16() {
        404 => "NotFound",
        409 => "AlreadyExists",
        429 => "Throttling",
        500.. => "ServiceInternalError",
        _ => "InvalidRequest",
    };
    Failure(format!(
        "Resource handler returned message: \"{} (Service: Lambda, Status Code: {}, Request ID: {}) (SDK Attempt Count: \
         1)\" (RequestToken: {}, HandlerErrorCode: {handler_code})",
        fault.message,
        fault.status.as_u16(),
        Uuid::new_v4(),
        Uuid::new_v4(),
    ))
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
