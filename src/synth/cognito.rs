//! User pools with what belongs to them, and their clients.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::lambda::{invoke_permission, policy, trust};
use super::{Synthesis, properties, removal, value};
use crate::model::Arn;
use crate::model::cognito::{
    AccountRecovery, AttributeType, CustomAttribute, Domain, Email, LambdaConfig, ResourceServer, UserPool,
    UserPoolClient,
};
use crate::model::ids;
use crate::model::lambda::Function;
use crate::template::{Resource, function};

mod provider;

pub(super) use provider::add as add_provider;

pub(super) fn add_pool(synthesis: &mut Synthesis, id: &str, declared: &UserPool) {
    synthesis.resource(id, pool(id, declared));
    if declared.needs_sms_role() {
        synthesis.resource(&ids::sms_role(id), sms_role(declared));
    }
    for (permission, function) in triggered(id, declared) {
        let source = function::get_att(id, "Arn");
        synthesis.resource(&permission, invoke_permission(function, "cognito-idp.amazonaws.com", source));
    }
    for (name, group) in &declared.groups {
        let mut resource = Resource::new("AWS::Cognito::UserPoolGroup");
        resource.properties = properties(group);
        let resource = resource.property("GroupName", name.as_str()).property("UserPoolId", function::reference(id));
        synthesis.resource(&ids::group(id, name), resource);
    }
    for (identifier, server) in &declared.resource_servers {
        synthesis.resource(&ids::resource_server(id, identifier), resource_server(id, identifier, server));
    }
    if let Some(domain) = &declared.domain {
        synthesis.resource(&ids::user_pool_domain(id), pool_domain(id, domain));
    }
}

pub(super) fn add_client(synthesis: &mut Synthesis, id: &str, declared: &UserPoolClient) {
    let mut resource = Resource::new("AWS::Cognito::UserPoolClient");
    resource.properties = properties(declared);
    let uses_pages = !declared.allowed_oauth_flows.is_empty();
    let mut resource = resource.property("AllowedOAuthFlowsUserPoolClient", uses_pages);
    let units = validity_units(declared);
    if !units.is_empty() {
        resource = resource.property("TokenValidityUnits", units);
    }
    let (vouchers, providers) = provider::vouchers(synthesis, declared);
    resource = resource.property("SupportedIdentityProviders", vouchers);
    resource.depends_on = scope_owners(synthesis, declared).into_iter().chain(providers).collect();
    synthesis.resource(id, resource);
}

fn pool(id: &str, declared: &UserPool) -> Resource {
    let mut resource = Resource::new("AWS::Cognito::UserPool");
    resource.properties = properties(declared);
    let policy = removal(declared.removal.into());
    let mut resource = resource.deletion_policy(policy).update_replace_policy(policy);
    resource.properties.extend(derived(id, declared));
    resource
}

/// The properties that are shaped otherwise than their fields.
fn derived(id: &str, declared: &UserPool) -> Map<String, Value> {
    let mut derived = Map::new();
    let mut set = |name: &str, value: Option<Value>| derived.extend(value.map(|value| (name.to_owned(), value)));
    set("AdminCreateUserConfig", Some(admin_create_user(declared)));
    set("UsernameConfiguration", Some(json!({ "CaseSensitive": declared.sign_in_case_sensitive })));
    set("Policies", declared.password_policy.as_ref().map(|policy| json!({ "PasswordPolicy": properties(policy) })));
    set("AccountRecoverySetting", declared.account_recovery.map(recovery));
    set("Schema", schema(declared));
    set("UserAttributeUpdateSettings", verified_updates(declared));
    set("UserPoolAddOns", declared.advanced_security.map(|mode| json!({ "AdvancedSecurityMode": value(&mode) })));
    set("SmsConfiguration", sms(id, declared));
    set("EmailConfiguration", declared.email.as_ref().map(email));
    derived
}

fn admin_create_user(declared: &UserPool) -> Value {
    let mut config = Map::from_iter([("AllowAdminCreateUserOnly".to_owned(), json!(!declared.self_sign_up))]);
    if let Some(message) = &declared.invite_message {
        config.insert("InviteMessageTemplate".to_owned(), Value::Object(properties(message)));
    }
    Value::Object(config)
}

fn recovery(recovery: AccountRecovery) -> Value {
    let mechanism = |(place, name): (usize, &&str)| json!({ "Name": name, "Priority": place + 1 });
    json!({ "RecoveryMechanisms": recovery.mechanisms().iter().enumerate().map(mechanism).collect::<Value>() })
}

fn schema(declared: &UserPool) -> Option<Value> {
    let standard = declared.standard_attributes.iter().map(|(name, attribute)| {
        let mut entry = properties(attribute);
        entry.insert("Name".to_owned(), value(name));
        Value::Object(entry)
    });
    let custom = declared.custom_attributes.iter().map(|(name, attribute)| custom_attribute(name, attribute));
    let entries: Vec<Value> = standard.chain(custom).collect();
    (!entries.is_empty()).then_some(Value::Array(entries))
}

/// Cognito takes the bounds of an attribute as texts.
fn custom_attribute(name: &str, attribute: &CustomAttribute) -> Value {
    let text = |bound: Option<String>| bound.map_or(Value::Null, Value::from);
    let (member, least, most) = match attribute.kind {
        AttributeType::String => (
            "StringAttributeConstraints",
            ("MinLength", attribute.min_length.map(|bound| bound.to_string())),
            ("MaxLength", attribute.max_length.map(|bound| bound.to_string())),
        ),
        _ => (
            "NumberAttributeConstraints",
            ("MinValue", attribute.min_value.map(|bound| bound.to_string())),
            ("MaxValue", attribute.max_value.map(|bound| bound.to_string())),
        ),
    };
    let mut entry = json!({ "Name": name, "AttributeDataType": value(&attribute.kind), "Mutable": attribute.mutable });
    if least.1.is_some() || most.1.is_some() {
        entry[member] = Value::Object(properties(&json!({ (least.0): text(least.1), (most.0): text(most.1) })));
    }
    entry
}

fn verified_updates(declared: &UserPool) -> Option<Value> {
    let attributes = &declared.verify_before_update;
    (!attributes.is_empty()).then(|| json!({ "AttributesRequireVerificationBeforeUpdate": attributes }))
}

fn email(email: &Email) -> Value {
    let account = if email.source_arn.is_some() { "DEVELOPER" } else { "COGNITO_DEFAULT" };
    let mut config = properties(email);
    config.insert("EmailSendingAccount".to_owned(), json!(account));
    Value::Object(config)
}

fn sms(id: &str, declared: &UserPool) -> Option<Value> {
    let mut config = declared.sms.as_ref().map(properties).unwrap_or_default();
    if declared.needs_sms_role() {
        config.insert("SnsCallerArn".to_owned(), function::get_att(&ids::sms_role(id), "Arn"));
        config.insert("ExternalId".to_owned(), external_id(declared));
    }
    (!config.is_empty()).then_some(Value::Object(config))
}

/// Cognito must show this id to take the role, so that nobody else's pool can.
fn external_id(declared: &UserPool) -> Value {
    let own = declared.sms.as_ref().and_then(|sms| sms.external_id.clone());
    own.map_or_else(|| function::reference(function::STACK_NAME), Value::from)
}

fn sms_role(declared: &UserPool) -> Resource {
    let mut trust = trust("cognito-idp.amazonaws.com");
    trust["Condition"] = json!({ "StringEquals": { "sts:ExternalId": external_id(declared) } });
    // A text message goes to a number, which has no ARN; publishing to topics stays forbidden.
    let publish = json!({ "Effect": "Allow", "Action": "sns:Publish", "NotResource": "arn:*:sns:*:*:*" });
    Resource::new("AWS::IAM::Role")
        .property("AssumeRolePolicyDocument", policy([trust]))
        .property("Policies", json!([{ "PolicyName": "messages", "PolicyDocument": policy([publish]) }]))
}

/// The functions that the pool invokes, each once, by the id of the permission that each one needs.
fn triggered<'a>(id: &str, declared: &'a UserPool) -> BTreeMap<String, &'a Arn<Function>> {
    let functions = declared.lambda_config.iter().flat_map(LambdaConfig::functions);
    functions.map(|function| (ids::permission(id, &ids::pointed(function.target())), function)).collect()
}

fn resource_server(pool: &str, identifier: &str, server: &ResourceServer) -> Resource {
    let scope = |(name, description): (&String, &String)| json!({ "ScopeName": name, "ScopeDescription": description });
    Resource::new("AWS::Cognito::UserPoolResourceServer")
        .property("UserPoolId", function::reference(pool))
        .property("Identifier", identifier)
        .property("Name", server.name.as_deref().unwrap_or(identifier))
        .property("Scopes", server.scopes.iter().map(scope).collect::<Value>())
}

fn pool_domain(pool: &str, domain: &Domain) -> Resource {
    let resource = Resource::new("AWS::Cognito::UserPoolDomain").property("UserPoolId", function::reference(pool));
    match domain {
        Domain::Prefix(prefix) => resource.property("Domain", value(prefix)),
        Domain::Custom(custom) => resource
            .property("Domain", value(&custom.name))
            .property("CustomDomainConfig", json!({ "CertificateArn": value(&custom.certificate_arn) })),
    }
}

/// Validities are given in seconds; each one needs to say so.
fn validity_units(declared: &UserPoolClient) -> Map<String, Value> {
    let given = [
        ("AccessToken", declared.access_token_validity),
        ("IdToken", declared.id_token_validity),
        ("RefreshToken", declared.refresh_token_validity),
    ];
    given
        .into_iter()
        .filter(|(_, validity)| validity.is_some())
        .map(|(name, _)| (name.to_owned(), json!("seconds")))
        .collect()
}

/// The resource servers whose scopes a client may ask for: Cognito wants them to exist first.
fn scope_owners(synthesis: &Synthesis, declared: &UserPoolClient) -> BTreeSet<String> {
    let Some(id) = declared.user_pool.id() else { return BTreeSet::new() };
    let Some(pool) = synthesis.stack.user_pools.get(id) else { return BTreeSet::new() };
    let asked = |identifier: &&String| {
        let prefix = format!("{identifier}/");
        declared.allowed_oauth_scopes.iter().any(|scope| scope.starts_with(&prefix))
    };
    pool.resource_servers.keys().filter(asked).map(|identifier| ids::resource_server(id, identifier)).collect()
}
