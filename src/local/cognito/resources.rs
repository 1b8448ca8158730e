//! Cognito's CloudFormation resource types.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::local::cloud::Account;
use crate::local::cloudformation::resource::{Context, Failure, Properties, Provisioned, ResourceType};
use crate::local::cognito::control::{Place, cloud_front};
use crate::local::cognito::fault::invalid;
use crate::local::cognito::message::{Draft, Occasion};
use crate::local::cognito::pool::{Client, Domain, Group, ResourceServer, UserPool, random_text};
use crate::local::cognito::provider::Provider;
use crate::local::cognito::settings::{ClientSettings, PoolSettings};
use crate::local::cognito::sign_up::{AdminCreateUser, Invitation, invited};
use crate::local::cognito::trigger::{Metadata, NO_CLIENT, Subject};
use crate::local::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[
    &Resource::<PoolType>::NEW,
    &Resource::<ClientType>::NEW,
    &Resource::<GroupType>::NEW,
    &Resource::<DomainType>::NEW,
    &Resource::<ServerType>::NEW,
    &Resource::<ProviderType>::NEW,
    &Resource::<UserType>::NEW,
    &Resource::<MembershipType>::NEW,
];

/// One of Cognito's types, in Cognito's own terms: what it refuses is a [`Fault`].
trait Rules: Sync {
    const NAME: &'static str;
    const SCHEMA: &'static str;

    fn create(account: &mut Account, context: &Context, properties: &Properties) -> Result<Provisioned, Fault>;

    /// Types whose every property is fixed have nothing to change.
    fn update(_: &mut Account, _: &Context, id: &str, new: &Properties) -> Result<Provisioned, Fault> {
        let _ = new;
        Ok(Provisioned { physical_id: id.to_owned(), ..Provisioned::default() })
    }

    fn delete(account: &mut Account, id: &str, properties: &Properties) -> Result<(), Fault>;
}

/// A type as the engine sees it: what is refused is worded as CloudFormation words it.
struct Resource<R>(std::marker::PhantomData<fn() -> R>);

impl<R> Resource<R> {
    const NEW: Self = Self(std::marker::PhantomData);
}

impl<R: Rules> ResourceType for Resource<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn schema(&self) -> &'static str {
        R::SCHEMA
    }

    fn create(
        &self,
        account: &mut Account,
        context: &Context,
        properties: &Properties,
    ) -> Result<Provisioned, Failure> {
        R::create(account, context, properties).map_err(refused)
    }

    fn update(
        &self,
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        _: &Properties,
        new: &Properties,
    ) -> Result<Provisioned, Failure> {
        R::update(account, context, physical_id, new).map_err(refused)
    }

    fn delete(
        &self,
        account: &mut Account,
        _: &Context,
        physical_id: &str,
        properties: &Properties,
    ) -> Result<(), Failure> {
        match R::delete(account, physical_id, properties) {
            Err(fault) if matches!(fault.code.as_str(), "ResourceNotFoundException" | "UserNotFoundException") => {
                Ok(())
            }
            outcome => outcome.map_err(refused),
        }
    }
}

fn refused(fault: Fault) -> Failure {
    let code = match fault.code.as_str() {
        "ResourceNotFoundException" | "UserNotFoundException" => "NotFound",
        "UsernameExistsException" | "GroupExistsException" | "AliasExistsException" | "DuplicateProviderException" => {
            "AlreadyExists"
        }
        "LimitExceededException" => "ServiceLimitExceeded",
        "InternalErrorException" => "ServiceInternalError",
        _ => "InvalidRequest",
    };
    Failure(format!(
        "Resource handler returned message: \"{} (Service: CognitoIdentityProvider, Status Code: {}, Request ID: {}) (SDK \
         Attempt Count: 1)\" (RequestToken: {}, HandlerErrorCode: {code})",
        fault.message.trim_end(),
        fault.status.as_u16(),
        Uuid::new_v4(),
        Uuid::new_v4(),
    ))
}

/// The properties in a service's own shape.
fn read<T: DeserializeOwned>(properties: &Properties) -> Result<T, Fault> {
    serde_json::from_value(Value::Object(properties.clone())).map_err(|error| invalid(error.to_string()))
}

fn text<'a>(properties: &'a Properties, name: &str) -> &'a str {
    properties.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn pool<'a>(account: &'a mut Account, properties: &Properties) -> Result<&'a mut UserPool, Fault> {
    account.cognito.pool_mut(text(properties, "UserPoolId"))
}

fn provisioned<const N: usize>(id: &str, attributes: [(&str, Value); N]) -> Provisioned {
    let attributes: BTreeMap<String, Value> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Provisioned { physical_id: id.to_owned(), attributes }
}

/// A name for what has none: the logical id and something that no other resource has.
fn generated_name(context: &Context) -> String {
    let random = random_text(12, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    format!("{}-{random}", context.logical_id)
}

struct PoolType;

impl PoolType {
    fn settings(context: &Context, properties: &Properties) -> Result<PoolSettings, Fault> {
        let mut settings: PoolSettings = read(properties)?;
        for (name, value) in &context.tags {
            settings.user_pool_tags.entry(name.clone()).or_insert_with(|| json!(value));
        }
        Ok(settings)
    }

    fn provisioned(pool: &UserPool) -> Provisioned {
        provisioned(
            &pool.id,
            [
                ("Arn", json!(pool.arn)),
                ("ProviderName", json!(pool.provider_name())),
                ("ProviderURL", json!(pool.issuer())),
                ("UserPoolId", json!(pool.id)),
            ],
        )
    }
}

impl Rules for PoolType {
    const NAME: &'static str = "AWS::Cognito::UserPool";
    const SCHEMA: &'static str = include_str!("schemas/user_pool.json");

    fn create(account: &mut Account, context: &Context, properties: &Properties) -> Result<Provisioned, Fault> {
        let mut settings = Self::settings(context, properties)?;
        if settings.name.is_empty() {
            settings.name = generated_name(context);
        }
        let place = Place::of(account);
        Ok(Self::provisioned(account.cognito.create(&place, settings, context.now.into())?))
    }

    fn update(account: &mut Account, context: &Context, id: &str, new: &Properties) -> Result<Provisioned, Fault> {
        let settings = Self::settings(context, new)?;
        Ok(Self::provisioned(account.cognito.update(id, settings, context.now.into())?))
    }

    fn delete(account: &mut Account, id: &str, _: &Properties) -> Result<(), Fault> {
        account.cognito.delete(id)
    }
}

struct ClientType;

impl ClientType {
    fn provisioned(client: &Client) -> Provisioned {
        let secret = client.secret.clone();
        let mut made =
            provisioned(&client.id, [("ClientId", json!(client.id)), ("Name", json!(client.settings.client_name))]);
        made.attributes.extend(secret.map(|secret| ("ClientSecret".to_owned(), json!(secret))));
        made
    }
}

impl Rules for ClientType {
    const NAME: &'static str = "AWS::Cognito::UserPoolClient";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_client.json");

    fn create(account: &mut Account, context: &Context, properties: &Properties) -> Result<Provisioned, Fault> {
        let mut settings: ClientSettings = read(properties)?;
        settings.rest.remove("UserPoolId");
        if settings.client_name.is_empty() {
            settings.client_name = generated_name(context);
        }
        Ok(Self::provisioned(pool(account, properties)?.add_client(settings, context.now.into())?))
    }

    fn update(account: &mut Account, context: &Context, id: &str, new: &Properties) -> Result<Provisioned, Fault> {
        let mut settings: ClientSettings = read(new)?;
        settings.rest.remove("UserPoolId");
        Ok(Self::provisioned(pool(account, new)?.update_client(id, settings, context.now.into())?))
    }

    fn delete(account: &mut Account, id: &str, properties: &Properties) -> Result<(), Fault> {
        pool(account, properties)?.remove_client(id)
    }
}

struct GroupType;

impl Rules for GroupType {
    const NAME: &'static str = "AWS::Cognito::UserPoolGroup";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_group.json");

    fn create(account: &mut Account, context: &Context, properties: &Properties) -> Result<Provisioned, Fault> {
        let now = context.now.into();
        let mut group = Group { created: now, modified: now, ..read(properties)? };
        if group.group_name.is_empty() {
            group.group_name = generated_name(context);
        }
        let group = pool(account, properties)?.add_group(group)?;
        Ok(provisioned(&group.group_name, []))
    }

    fn update(account: &mut Account, context: &Context, id: &str, new: &Properties) -> Result<Provisioned, Fault> {
        let pool = pool(account, new)?;
        let created = pool.group(id)?.created;
        let group = Group { group_name: id.to_owned(), created, modified: context.now.into(), ..read(new)? };
        pool.groups.insert(id.to_owned(), group);
        Ok(provisioned(id, []))
    }

    fn delete(account: &mut Account, id: &str, properties: &Properties) -> Result<(), Fault> {
        pool(account, properties)?.remove_group(id)
    }
}

struct DomainType;

impl DomainType {
    fn provisioned(domain: &str) -> Provisioned {
        provisioned(domain, [("CloudFrontDistribution", json!(cloud_front(domain)))])
    }
}

impl Rules for DomainType {
    const NAME: &'static str = "AWS::Cognito::UserPoolDomain";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_domain.json");

    fn create(account: &mut Account, _: &Context, properties: &Properties) -> Result<Provisioned, Fault> {
        let domain: Domain = read(properties)?;
        let name = domain.domain.clone();
        account.cognito.add_domain(text(properties, "UserPoolId"), domain)?;
        Ok(Self::provisioned(&name))
    }

    fn update(account: &mut Account, _: &Context, id: &str, new: &Properties) -> Result<Provisioned, Fault> {
        pool(account, new)?.domains.insert(id.to_owned(), read(new)?);
        Ok(Self::provisioned(id))
    }

    fn delete(account: &mut Account, id: &str, properties: &Properties) -> Result<(), Fault> {
        pool(account, properties)?.domains.remove(id);
        Ok(())
    }
}

struct ServerType;

impl Rules for ServerType {
    const NAME: &'static str = "AWS::Cognito::UserPoolResourceServer";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_resource_server.json");

    fn create(account: &mut Account, _: &Context, properties: &Properties) -> Result<Provisioned, Fault> {
        let server: ResourceServer = read(properties)?;
        let id = server.identifier.clone();
        pool(account, properties)?.add_resource_server(server)?;
        Ok(provisioned(&id, []))
    }

    fn update(account: &mut Account, _: &Context, id: &str, new: &Properties) -> Result<Provisioned, Fault> {
        let pool = pool(account, new)?;
        pool.resource_server(id)?;
        pool.resource_servers.insert(id.to_owned(), read(new)?);
        Ok(provisioned(id, []))
    }

    fn delete(account: &mut Account, id: &str, properties: &Properties) -> Result<(), Fault> {
        pool(account, properties)?.resource_servers.remove(id);
        Ok(())
    }
}

struct ProviderType;

impl Rules for ProviderType {
    const NAME: &'static str = "AWS::Cognito::UserPoolIdentityProvider";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_identity_provider.json");

    fn create(account: &mut Account, context: &Context, properties: &Properties) -> Result<Provisioned, Fault> {
        let provider: Provider = read(properties)?;
        let name = provider.name.clone();
        pool(account, properties)?.add_provider(provider, context.now.into())?;
        Ok(provisioned(&name, []))
    }

    fn update(account: &mut Account, context: &Context, id: &str, new: &Properties) -> Result<Provisioned, Fault> {
        pool(account, new)?.change_provider(read(new)?, context.now.into())?;
        Ok(provisioned(id, []))
    }

    fn delete(account: &mut Account, id: &str, properties: &Properties) -> Result<(), Fault> {
        pool(account, properties)?.remove_provider(id)
    }
}

struct UserType;

impl Rules for UserType {
    const NAME: &'static str = "AWS::Cognito::UserPoolUser";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_user.json");

    /// As `AdminCreateUser`, without the triggers: a stack operation waits for no function.
    fn create(account: &mut Account, context: &Context, properties: &Properties) -> Result<Provisioned, Fault> {
        let mut request: AdminCreateUser = read(properties)?;
        if request.username.is_empty() {
            request.username = generated_name(context);
        }
        let pool = account.cognito.pool(&request.user_pool_id)?;
        let user = invited(pool, &mut request, context.now.into())?;
        let subject = Subject { user: &user, client: NO_CLIENT, metadata: &Metadata::new() };
        let wording = Draft::new(pool, Occasion::AdminCreateUser, &subject).unchanged();
        let silent = request.message_action.as_deref() == Some("SUPPRESS");
        let username = user.username.clone();
        let invitation = Invitation::in_pool(pool, &request, user, context.now.into())?;
        invitation.store(account, (!silent).then_some(&wording), context.now)?;
        Ok(provisioned(&username, []))
    }

    fn delete(account: &mut Account, id: &str, properties: &Properties) -> Result<(), Fault> {
        pool(account, properties)?.remove_user(id)
    }
}

struct MembershipType;

impl Rules for MembershipType {
    const NAME: &'static str = "AWS::Cognito::UserPoolUserToGroupAttachment";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_user_to_group_attachment.json");

    fn create(account: &mut Account, context: &Context, properties: &Properties) -> Result<Provisioned, Fault> {
        pool(account, properties)?.join(text(properties, "Username"), text(properties, "GroupName"))?;
        Ok(provisioned(&generated_name(context), []))
    }

    fn delete(account: &mut Account, _: &str, properties: &Properties) -> Result<(), Fault> {
        let user = pool(account, properties)?.user_mut(text(properties, "Username"))?;
        user.groups.remove(text(properties, "GroupName"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn context(logical_id: &str) -> Context {
        Context { tags: BTreeMap::from([("team".to_owned(), "blue".to_owned())]), ..Context::sample(logical_id) }
    }

    fn account() -> Account {
        Account { id: "000000000000".to_owned(), region: "us-east-1".to_owned(), ..Account::default() }
    }

    fn properties(value: Value) -> Properties {
        value.as_object().cloned().unwrap_or_default()
    }

    fn made<R: Rules>(account: &mut Account, value: Value) -> Result<Provisioned, String> {
        R::create(account, &context("It"), &properties(value)).map_err(|fault| fault.message)
    }

    #[test]
    fn a_pool_and_its_client_have_the_names_that_aws_gives() {
        let mut account = account();
        let pool = made::<PoolType>(&mut account, json!({})).expect("a pool");
        let id = pool.physical_id.clone();
        assert!(id.starts_with("us-east-1_") && id.len() == 19, "{id}");
        assert_eq!(pool.attributes["Arn"], format!("arn:aws:cognito-idp:us-east-1:000000000000:userpool/{id}"));
        assert_eq!(pool.attributes["ProviderName"], format!("cognito-idp.us-east-1.amazonaws.com/{id}"));
        assert_eq!(pool.attributes["ProviderURL"], format!("https://cognito-idp.us-east-1.amazonaws.com/{id}"));
        let client =
            made::<ClientType>(&mut account, json!({ "UserPoolId": id, "GenerateSecret": true })).expect("a client");
        assert_eq!(client.physical_id.len(), 26);
        assert!(client.physical_id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        assert!(client.attributes["Name"].as_str().is_some_and(|name| name.starts_with("It-")));
        assert!(client.attributes["ClientSecret"].as_str().is_some_and(|secret| secret.len() == 51));
        let pool = account.cognito.pool(&id).expect("the pool is there");
        assert_eq!(pool.description()["UserPoolTags"]["team"], "blue");
    }

    #[test]
    fn a_pool_goes_only_when_nothing_holds_it() {
        let mut account = account();
        let protected = json!({ "DeletionProtection": "ACTIVE" });
        let id = made::<PoolType>(&mut account, protected.clone()).expect("a pool").physical_id;
        let domain = json!({ "UserPoolId": id, "Domain": "my-users" });
        made::<DomainType>(&mut account, domain.clone()).expect("a domain");
        let gone =
            |account: &mut Account| Resource::<PoolType>::NEW.delete(account, &context("It"), &id, &Properties::new());
        assert!(gone(&mut account).is_err_and(|failure| failure.0.contains("deletion protection is activated")));
        PoolType::update(&mut account, &context("It"), &id, &Properties::new()).expect("protection can be lifted");
        assert!(gone(&mut account).is_err_and(|failure| failure.0.contains("domain configured")));
        DomainType::delete(&mut account, "my-users", &properties(domain)).expect("the domain goes");
        assert_eq!(gone(&mut account), Ok(()));
        assert_eq!(gone(&mut account), Ok(()));
    }

    #[test]
    fn what_is_fixed_is_refused_as_cloudformation_words_it() {
        let mut account = account();
        let id = made::<PoolType>(&mut account, json!({})).expect("a pool").physical_id;
        let (old, new) = (Properties::new(), properties(json!({ "UsernameAttributes": ["email"] })));
        let failure = Resource::<PoolType>::NEW.update(&mut account, &context("It"), &id, &old, &new);
        let Failure(reason) = failure.expect_err("user names cannot change");
        assert!(reason.starts_with("Resource handler returned message: \"Updates are not allowed for property"));
        assert!(reason.ends_with("HandlerErrorCode: InvalidRequest)"));
    }

    #[test]
    fn a_provider_is_made_changed_and_removed() {
        let mut account = account();
        let id = made::<PoolType>(&mut account, json!({})).expect("a pool").physical_id;
        let google = |mapping: Value| {
            let details = json!({ "client_id": "c", "client_secret": "s", "authorize_scopes": "openid email" });
            json!({
                "UserPoolId": id, "ProviderName": "Google", "ProviderType": "Google", "ProviderDetails": details,
                "AttributeMapping": mapping,
            })
        };
        let client = json!({ "UserPoolId": id, "SupportedIdentityProviders": ["Google"] });
        let early = made::<ClientType>(&mut account, client.clone());
        assert!(early.is_err_and(|message| message.contains("The provider Google does not exist")));
        let name = made::<ProviderType>(&mut account, google(json!({}))).map(|made| made.physical_id);
        assert_eq!(name.as_deref(), Ok("Google"));
        assert!(made::<ClientType>(&mut account, client).is_ok());
        assert!(made::<ProviderType>(&mut account, google(json!({}))).is_err());
        let new = properties(google(json!({ "email": "email" })));
        ProviderType::update(&mut account, &context("It"), "Google", &new).expect("it changes");
        let known = account.cognito.pool(&id).and_then(|pool| pool.provider("Google")).expect("it is there");
        assert_eq!(known.attribute_mapping["email"], "email");
        let gone =
            |account: &mut Account| Resource::<ProviderType>::NEW.delete(account, &context("It"), "Google", &new);
        assert_eq!((gone(&mut account), gone(&mut account)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_user_joins_a_group_and_is_invited() {
        let mut account = account();
        let id = made::<PoolType>(&mut account, json!({})).expect("a pool").physical_id;
        let user = json!({
            "UserPoolId": id, "Username": "alice", "DesiredDeliveryMediums": ["EMAIL"],
            "UserAttributes": [{ "Name": "email", "Value": "a@example.com" }],
        });
        assert_eq!(made::<UserType>(&mut account, user).map(|user| user.physical_id), Ok("alice".to_owned()));
        assert_eq!(account.mail.messages().len(), 1);
        made::<GroupType>(&mut account, json!({ "UserPoolId": id, "GroupName": "admins" })).expect("a group");
        let membership = json!({ "UserPoolId": id, "Username": "alice", "GroupName": "admins" });
        made::<MembershipType>(&mut account, membership.clone()).expect("a membership");
        let groups = |account: &Account| account.cognito.pool(&id).map(|pool| pool.users["alice"].groups.len()).ok();
        assert_eq!(groups(&account), Some(1));
        MembershipType::delete(&mut account, "x", &properties(membership)).expect("the membership goes");
        assert_eq!(groups(&account), Some(0));
    }

    #[test]
    fn every_schema_is_one_and_knows_its_type() {
        for known in RESOURCE_TYPES {
            let schema: Value = serde_json::from_str(known.schema()).expect("JSON");
            assert_eq!(schema["typeName"], known.name());
            assert_eq!(schema["additionalProperties"], false);
            let fixed = schema["createOnlyProperties"].as_array().cloned().unwrap_or_default();
            for pointer in fixed.iter().filter_map(Value::as_str) {
                assert!(schema.pointer(pointer).is_some(), "{}: {pointer}", known.name());
            }
        }
    }
}
