//! Cognito's CloudFormation resource types.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cloud::Account;
use crate::cloudformation::resource::{
    Change, Context, Failure, Kind, Properties, Provisioned, Refused, ResourceType, Wording, text,
};
use crate::cognito::control::{Place, cloud_front};
use crate::cognito::fault::invalid;
use crate::cognito::message::{Draft, Occasion};
use crate::cognito::pool::{Client, Domain, Group, ResourceServer, UserPool, random_text};
use crate::cognito::provider::Provider;
use crate::cognito::settings::{ClientSettings, PoolSettings};
use crate::cognito::sign_up::{AdminCreateUser, Invitation, invited};
use crate::cognito::trigger::{Metadata, NO_CLIENT, Subject};
use crate::wire::Fault;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] =
    &[&PoolType, &ClientType, &GroupType, &DomainType, &ServerType, &ProviderType, &UserType, &MembershipType];

/// What the handlers call this service.
const SERVICE: &str = "CognitoIdentityProvider";

fn worded(service: &str, fault: &Fault) -> Failure {
    let code = match fault.code.as_str() {
        "ResourceNotFoundException" | "UserNotFoundException" => "NotFound",
        "UsernameExistsException" | "GroupExistsException" | "AliasExistsException" | "DuplicateProviderException" => {
            "AlreadyExists"
        }
        "LimitExceededException" => "ServiceLimitExceeded",
        "InternalErrorException" => "ServiceInternalError",
        _ => "InvalidRequest",
    };
    Failure::of_handler(service, code, fault)
}

/// The properties in a service's own shape.
fn read<T: DeserializeOwned>(properties: &Properties) -> Result<T, Fault> {
    serde_json::from_value(Value::Object(properties.clone())).map_err(|error| invalid(error.to_string()))
}

fn stated<'a>(properties: &'a Properties, name: &str) -> &'a str {
    text(properties, name).unwrap_or_default()
}

fn pool<'a>(account: &'a mut Account, properties: &Properties) -> Result<&'a mut UserPool, Fault> {
    account.cognito.pool_mut(stated(properties, "UserPoolId"))
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
        Provisioned::named(&pool.id)
            .with("Arn", pool.arn.clone())
            .with("ProviderName", pool.provider_name())
            .with("ProviderURL", pool.issuer())
            .with("UserPoolId", pool.id.clone())
    }
}

impl Kind for PoolType {
    const TYPE: &'static str = "AWS::Cognito::UserPool";
    const SCHEMA: &'static str = include_str!("schemas/user_pool.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let mut settings = Self::settings(context, &new)?;
        if settings.name.is_empty() {
            settings.name = generated_name(context);
        }
        let place = Place::of(account);
        Ok(Self::provisioned(account.cognito.create(&place, settings, context.now.into())?))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let settings = Self::settings(context, &new)?;
        Ok(Self::provisioned(account.cognito.update(id, settings, context.now.into())?))
    }

    fn delete(account: &mut Account, _: &Context, id: &str, _: &Properties) -> Result<(), Refused> {
        Ok(account.cognito.delete(id)?)
    }
}

struct ClientType;

impl ClientType {
    fn provisioned(client: &Client) -> Provisioned {
        let made = Provisioned::named(&client.id)
            .with("ClientId", client.id.clone())
            .with("Name", client.settings.client_name.clone());
        match &client.secret {
            Some(secret) => made.with("ClientSecret", secret.as_str()),
            None => made,
        }
    }
}

impl Kind for ClientType {
    const TYPE: &'static str = "AWS::Cognito::UserPoolClient";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_client.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let mut settings: ClientSettings = read(&new)?;
        settings.rest.remove("UserPoolId");
        if settings.client_name.is_empty() {
            settings.client_name = generated_name(context);
        }
        Ok(Self::provisioned(pool(account, &new)?.add_client(settings, context.now.into())?))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let mut settings: ClientSettings = read(&new)?;
        settings.rest.remove("UserPoolId");
        Ok(Self::provisioned(pool(account, &new)?.update_client(id, settings, context.now.into())?))
    }

    fn delete(account: &mut Account, _: &Context, id: &str, last: &Properties) -> Result<(), Refused> {
        Ok(pool(account, last)?.remove_client(id)?)
    }
}

struct GroupType;

impl Kind for GroupType {
    const TYPE: &'static str = "AWS::Cognito::UserPoolGroup";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_group.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let now = context.now.into();
        let mut group = Group { created: now, modified: now, ..read(&new)? };
        if group.group_name.is_empty() {
            group.group_name = generated_name(context);
        }
        let group = pool(account, &new)?.add_group(group)?;
        Ok(Provisioned::named(&group.group_name))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let pool = pool(account, &new)?;
        let created = pool.group(id)?.created;
        let group = Group { group_name: id.to_owned(), created, modified: context.now.into(), ..read(&new)? };
        pool.groups.insert(id.to_owned(), group);
        Ok(Provisioned::named(id))
    }

    fn delete(account: &mut Account, _: &Context, id: &str, last: &Properties) -> Result<(), Refused> {
        Ok(pool(account, last)?.remove_group(id)?)
    }
}

struct DomainType;

impl DomainType {
    fn provisioned(domain: &str) -> Provisioned {
        Provisioned::named(domain).with("CloudFrontDistribution", cloud_front(domain))
    }
}

impl Kind for DomainType {
    const TYPE: &'static str = "AWS::Cognito::UserPoolDomain";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_domain.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, _: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let domain: Domain = read(&new)?;
        let name = domain.domain.clone();
        account.cognito.add_domain(stated(&new, "UserPoolId"), domain)?;
        Ok(Self::provisioned(&name))
    }

    fn update(
        account: &mut Account,
        _: &Context,
        id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        pool(account, &new)?.domains.insert(id.to_owned(), read(&new)?);
        Ok(Self::provisioned(id))
    }

    fn delete(account: &mut Account, _: &Context, id: &str, last: &Properties) -> Result<(), Refused> {
        pool(account, last)?.domains.remove(id);
        Ok(())
    }
}

struct ServerType;

impl Kind for ServerType {
    const TYPE: &'static str = "AWS::Cognito::UserPoolResourceServer";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_resource_server.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, _: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let server: ResourceServer = read(&new)?;
        let id = server.identifier.clone();
        pool(account, &new)?.add_resource_server(server)?;
        Ok(Provisioned::named(&id))
    }

    fn update(
        account: &mut Account,
        _: &Context,
        id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        let pool = pool(account, &new)?;
        pool.resource_server(id)?;
        pool.resource_servers.insert(id.to_owned(), read(&new)?);
        Ok(Provisioned::named(id))
    }

    fn delete(account: &mut Account, _: &Context, id: &str, last: &Properties) -> Result<(), Refused> {
        pool(account, last)?.resource_servers.remove(id);
        Ok(())
    }
}

struct ProviderType;

impl Kind for ProviderType {
    const TYPE: &'static str = "AWS::Cognito::UserPoolIdentityProvider";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_identity_provider.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let provider: Provider = read(&new)?;
        let name = provider.name.clone();
        pool(account, &new)?.add_provider(provider, context.now.into())?;
        Ok(Provisioned::named(&name))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        pool(account, &new)?.change_provider(read(&new)?, context.now.into())?;
        Ok(Provisioned::named(id))
    }

    fn delete(account: &mut Account, _: &Context, id: &str, last: &Properties) -> Result<(), Refused> {
        Ok(pool(account, last)?.remove_provider(id)?)
    }
}

struct UserType;

impl Kind for UserType {
    const TYPE: &'static str = "AWS::Cognito::UserPoolUser";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_user.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    /// As `AdminCreateUser`, without the triggers: a stack operation waits for no function.
    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let mut request: AdminCreateUser = read(&new)?;
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
        Ok(Provisioned::named(&username))
    }

    fn delete(account: &mut Account, _: &Context, id: &str, last: &Properties) -> Result<(), Refused> {
        Ok(pool(account, last)?.remove_user(id)?)
    }
}

struct MembershipType;

impl Kind for MembershipType {
    const TYPE: &'static str = "AWS::Cognito::UserPoolUserToGroupAttachment";
    const SCHEMA: &'static str = include_str!("schemas/user_pool_user_to_group_attachment.json");
    const SERVICE: &'static str = SERVICE;
    const WORDING: Wording = worded;
    type Properties = Properties;

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        pool(account, &new)?.join(stated(&new, "Username"), stated(&new, "GroupName"))?;
        Ok(Provisioned::named(generated_name(context)))
    }

    fn delete(account: &mut Account, _: &Context, _: &str, last: &Properties) -> Result<(), Refused> {
        let user = pool(account, last)?.user_mut(stated(last, "Username"))?;
        user.groups.remove(stated(last, "GroupName"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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

    fn made<K: Kind<Properties = Properties>>(account: &mut Account, value: Value) -> Result<Provisioned, String> {
        K::create(account, &context("It"), properties(value)).map_err(|refused| refused.to_string())
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
            |account: &mut Account| ResourceType::delete(&PoolType, account, &context("It"), &id, &Properties::new());
        assert!(gone(&mut account).is_err_and(|failure| failure.0.contains("deletion protection is activated")));
        ResourceType::update(&PoolType, &mut account, &context("It"), &id, &Properties::new(), &Properties::new())
            .expect("protection can be lifted");
        assert!(gone(&mut account).is_err_and(|failure| failure.0.contains("domain configured")));
        ResourceType::delete(&DomainType, &mut account, &context("It"), "my-users", &properties(domain))
            .expect("the domain goes");
        assert_eq!(gone(&mut account), Ok(()));
        assert_eq!(gone(&mut account), Ok(()));
    }

    #[test]
    fn what_is_fixed_is_refused_as_cloudformation_words_it() {
        let mut account = account();
        let id = made::<PoolType>(&mut account, json!({})).expect("a pool").physical_id;
        let (old, new) = (Properties::new(), properties(json!({ "UsernameAttributes": ["email"] })));
        let failure = ResourceType::update(&PoolType, &mut account, &context("It"), &id, &old, &new);
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
        ResourceType::update(&ProviderType, &mut account, &context("It"), "Google", &new, &new).expect("it changes");
        let known = account.cognito.pool(&id).and_then(|pool| pool.provider("Google")).expect("it is there");
        assert_eq!(known.attribute_mapping["email"], "email");
        let gone = |account: &mut Account| ResourceType::delete(&ProviderType, account, &context("It"), "Google", &new);
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
        ResourceType::delete(&MembershipType, &mut account, &context("It"), "x", &properties(membership))
            .expect("the membership goes");
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
