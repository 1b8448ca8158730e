//! Pools, clients, domains and resource servers, as their owner makes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cloud::Account;
use crate::cognito::UserPools;
use crate::cognito::attribute::Declared;
use crate::cognito::directory::{InPool, Page};
use crate::cognito::fault::{invalid, missing};
use crate::cognito::moment::Moment;
use crate::cognito::pool::{Domain, ResourceServer, Scope, UserPool, random_text};
use crate::cognito::settings::{ClientSettings, PoolSettings};
use crate::wire::Fault;

/// Where a pool is made.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    region: String,
    account: String,
}

impl Place {
    /// The account's own region.
    pub(crate) fn of(account: &Account) -> Self {
        Self { region: account.region.clone(), account: account.id.clone() }
    }
}

impl UserPools {
    /// Makes a pool. Its keys are begun at once, so that nobody waits for them later.
    pub(crate) fn create(&mut self, place: &Place, settings: PoolSettings, now: Moment) -> Result<&UserPool, Fault> {
        settings.check()?;
        let Place { region, account } = place;
        let short = random_text(9, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
        let id = format!("{region}_{short}");
        let pool = UserPool {
            id: id.clone(),
            arn: format!("arn:aws:cognito-idp:{region}:{account}:userpool/{id}"),
            settings,
            created: now,
            modified: now,
            pepper: rand::random::<[u8; 32]>().into(),
            ..UserPool::default()
        };
        pool.forge.light();
        Ok(self.pools.entry(id).or_insert(pool))
    }

    /// Changes a pool; what is left out goes back to its default.
    pub(crate) fn update(&mut self, id: &str, mut next: PoolSettings, now: Moment) -> Result<&UserPool, Fault> {
        let pool = self.pool_mut(id)?;
        if next.name.is_empty() {
            next.name.clone_from(&pool.settings.name);
        }
        pool.settings.check_successor(&next)?;
        pool.settings = next;
        pool.modified = now;
        Ok(pool)
    }

    /// Removes a pool with all its users.
    pub(crate) fn delete(&mut self, id: &str) -> Result<(), Fault> {
        let pool = self.pool(id)?;
        if pool.settings.deletion_protection.as_deref() == Some("ACTIVE") {
            return Err(invalid(
                "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be \
                 inactivated first.",
            ));
        }
        if !pool.domains.is_empty() {
            return Err(invalid(
                "User pool cannot be deleted. It has a domain configured that should be deleted first.",
            ));
        }
        self.pools.remove(id);
        Ok(())
    }

    /// Gives a pool a domain. A name is used once.
    pub(crate) fn add_domain(&mut self, pool: &str, domain: Domain) -> Result<(), Fault> {
        let is_custom = domain.custom_domain_config.is_some();
        if !is_domain(&domain.domain, is_custom) {
            let message = "1 validation error detected: Value at 'domain' failed to satisfy constraint: Member must satisfy \
                           regular expression pattern: ^[a-z0-9](?:[a-z0-9\\-]{0,61}[a-z0-9])?$";
            return Err(invalid(message));
        }
        let reserved = ["aws", "amazon", "cognito"].into_iter().find(|word| domain.domain.contains(word));
        if let Some(word) = reserved.filter(|_| !is_custom) {
            return Err(invalid(format!("Domain cannot contain reserved word: {word}")));
        }
        if self.pools.values().any(|pool| pool.domains.contains_key(&domain.domain)) {
            return Err(invalid("Domain already associated with another user pool."));
        }
        let custom = |domain: &Domain| domain.custom_domain_config.is_some();
        let pool = self.pool_mut(pool)?;
        if pool.domains.values().any(|known| custom(known) == custom(&domain)) {
            return Err(invalid("User pool already has a domain configured."));
        }
        pool.domains.insert(domain.domain.clone(), domain);
        Ok(())
    }
}

/// A request of `CreateUserPool`.
#[derive(Debug, Deserialize)]
pub(crate) struct CreateUserPool {
    #[serde(rename = "PoolName")]
    name: String,
    #[serde(flatten)]
    settings: Map<String, Value>,
}

fn read<T: serde::de::DeserializeOwned>(settings: Map<String, Value>) -> Result<T, Fault> {
    serde_json::from_value(Value::Object(settings))
        .map_err(|error| Fault::new("SerializationException", error.to_string()))
}

/// Makes a pool.
pub(crate) fn create_pool(account: &mut Account, request: CreateUserPool, now: Moment) -> Result<Value, Fault> {
    let mut settings: PoolSettings = read(request.settings)?;
    settings.name = request.name;
    let place = Place::of(account);
    let pool = account.cognito.create(&place, settings, now)?;
    Ok(json!({ "UserPool": pool.description() }))
}

/// A request that names a pool.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ByPool {
    user_pool_id: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Changes a pool. The schema and what names users stay as they were made.
pub(crate) fn update_pool(pools: &mut UserPools, request: ByPool, now: Moment) -> Result<Value, Fault> {
    let known = pools.pool(&request.user_pool_id)?.settings.clone();
    let mut next: PoolSettings = read(request.rest)?;
    next.schema = known.schema;
    next.username_attributes = known.username_attributes;
    next.alias_attributes = known.alias_attributes;
    next.username_configuration = known.username_configuration;
    next.enabled_mfas = known.enabled_mfas;
    pools.update(&request.user_pool_id, next, now)?;
    Ok(json!({}))
}

/// Removes a pool.
pub(crate) fn delete_pool(pools: &mut UserPools, request: ByPool, _now: Moment) -> Result<Value, Fault> {
    pools.delete(&request.user_pool_id)?;
    Ok(json!({}))
}

/// One pool.
pub(crate) fn describe_pool(pools: &UserPools, request: ByPool, _now: Moment) -> Result<Value, Fault> {
    Ok(json!({ "UserPool": pools.pool(&request.user_pool_id)?.description() }))
}

/// All pools.
pub(crate) fn list_pools(pools: &UserPools, page: Page, _now: Moment) -> Result<Value, Fault> {
    let entry = |pool: &UserPool| {
        json!({
            "Id": pool.id, "Name": pool.settings.name, "LambdaConfig": pool.settings.lambda_config,
            "CreationDate": pool.created.json(), "LastModifiedDate": pool.modified.json(),
        })
    };
    page.answer("UserPools", "NextToken", pools.pools.values().map(entry).collect())
}

/// A pool's second factors.
pub(crate) fn mfa_config(pools: &UserPools, request: ByPool, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool(&request.user_pool_id)?;
    let totp = pool.settings.enabled_mfas.iter().any(|factor| factor == "SOFTWARE_TOKEN_MFA");
    Ok(json!({
        "MfaConfiguration": pool.settings.mfa(), "SoftwareTokenMfaConfiguration": { "Enabled": totp },
    }))
}

/// A request of `SetUserPoolMfaConfig`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SetMfaConfig {
    user_pool_id: String,
    mfa_configuration: Option<String>,
    software_token_mfa_configuration: Option<Map<String, Value>>,
}

/// Sets a pool's second factors.
pub(crate) fn set_mfa_config(pools: &mut UserPools, request: SetMfaConfig, now: Moment) -> Result<Value, Fault> {
    let mut next = pools.pool(&request.user_pool_id)?.settings.clone();
    next.mfa_configuration = request.mfa_configuration.or(next.mfa_configuration);
    if let Some(totp) = request.software_token_mfa_configuration {
        next.enabled_mfas.retain(|factor| factor != "SOFTWARE_TOKEN_MFA");
        if totp.get("Enabled") == Some(&Value::Bool(true)) {
            next.enabled_mfas.push("SOFTWARE_TOKEN_MFA".to_owned());
        }
    }
    let id = request.user_pool_id.clone();
    pools.update(&id, next, now)?;
    mfa_config(pools, ByPool { user_pool_id: id, rest: Map::new() }, now)
}

/// A request of `AddCustomAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AddAttributes {
    user_pool_id: String,
    custom_attributes: Vec<Declared>,
}

/// Gives a pool more attributes of its own.
pub(crate) fn add_attributes(pools: &mut UserPools, request: AddAttributes, now: Moment) -> Result<Value, Fault> {
    let mut next = pools.pool(&request.user_pool_id)?.settings.clone();
    next.schema.extend(request.custom_attributes);
    pools.update(&request.user_pool_id, next, now)?;
    Ok(json!({}))
}

/// Makes a client.
pub(crate) fn create_client(pools: &mut UserPools, request: ByPool, now: Moment) -> Result<Value, Fault> {
    let settings: ClientSettings = read(request.rest)?;
    if settings.client_name.is_empty() {
        return Err(null("clientName"));
    }
    let client = pools.pool_mut(&request.user_pool_id)?.add_client(settings, now)?;
    Ok(json!({ "UserPoolClient": client.description(&request.user_pool_id) }))
}

/// The refusal of a request that leaves out what it must say.
pub(crate) fn null(member: &str) -> Fault {
    invalid(format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

/// A request that names a client.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ByClient {
    user_pool_id: String,
    client_id: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Changes a client.
pub(crate) fn update_client(pools: &mut UserPools, request: ByClient, now: Moment) -> Result<Value, Fault> {
    let next = read(request.rest)?;
    let client = pools.pool_mut(&request.user_pool_id)?.update_client(&request.client_id, next, now)?;
    Ok(json!({ "UserPoolClient": client.description(&request.user_pool_id) }))
}

/// Removes a client.
pub(crate) fn delete_client(pools: &mut UserPools, request: ByClient, _now: Moment) -> Result<Value, Fault> {
    pools.pool_mut(&request.user_pool_id)?.remove_client(&request.client_id)?;
    Ok(json!({}))
}

/// One client.
pub(crate) fn describe_client(pools: &UserPools, request: ByClient, _now: Moment) -> Result<Value, Fault> {
    let client = pools.pool(&request.user_pool_id)?.client(&request.client_id)?;
    Ok(json!({ "UserPoolClient": client.description(&request.user_pool_id) }))
}

/// The clients of a pool.
pub(crate) fn list_clients(pools: &UserPools, request: InPool, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool(&request.user_pool_id)?;
    let clients = pool.clients.values().map(
        |client| json!({ "ClientId": client.id, "UserPoolId": pool.id, "ClientName": client.settings.client_name }),
    );
    request.page.answer("UserPoolClients", "NextToken", clients.collect())
}

/// A request about the tags of a pool.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tagging {
    resource_arn: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

impl Tagging {
    /// The id of the pool. It is named by its whole ARN, since that is what policies are asked about.
    fn pool(&self, account: &Account) -> Result<String, Fault> {
        let id = self.resource_arn.strip_prefix(&pool_arn(account, ""));
        id.map(str::to_owned).ok_or_else(|| invalid(format!("{} is not the ARN of a user pool.", self.resource_arn)))
    }
}

/// The ARN of a pool.
pub(crate) fn pool_arn(account: &Account, id: &str) -> String {
    format!("arn:aws:cognito-idp:{}:{}:userpool/{id}", account.region, account.id)
}

/// The tags of a pool.
pub(crate) fn list_tags(account: &Account, request: &Tagging) -> Result<Value, Fault> {
    Ok(json!({ "Tags": account.cognito.pool(&request.pool(account)?)?.settings.user_pool_tags }))
}

/// Gives a pool more tags.
pub(crate) fn tag(account: &mut Account, request: Tagging) -> Result<Value, Fault> {
    let pool = request.pool(account)?;
    let tags = &mut account.cognito.pool_mut(&pool)?.settings.user_pool_tags;
    tags.extend(request.tags.into_iter().map(|(key, value)| (key, value.into())));
    Ok(json!({}))
}

/// Takes tags from a pool.
pub(crate) fn untag(account: &mut Account, request: &Tagging) -> Result<Value, Fault> {
    let pool = request.pool(account)?;
    let tags = &mut account.cognito.pool_mut(&pool)?.settings.user_pool_tags;
    tags.retain(|key, _| !request.tag_keys.contains(key));
    Ok(json!({}))
}

/// Whether a domain is made of small letters, digits and hyphens within: one label where it is a prefix.
fn is_domain(name: &str, is_custom: bool) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (is_custom || !name.contains('.')) && name.split('.').all(is_label)
}

/// A request about a domain.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ByDomain {
    domain: String,
    user_pool_id: Option<String>,
    custom_domain_config: Option<Value>,
    managed_login_version: Option<i64>,
}

/// Gives a pool a domain.
pub(crate) fn create_domain(pools: &mut UserPools, request: ByDomain, _now: Moment) -> Result<Value, Fault> {
    let ByDomain { domain, user_pool_id, custom_domain_config, managed_login_version } = request;
    let custom = custom_domain_config.is_some();
    let cloud_front = cloud_front(&domain);
    let domain = Domain { domain, custom_domain_config, managed_login_version };
    pools.add_domain(&user_pool_id.ok_or_else(|| null("userPoolId"))?, domain)?;
    Ok(if custom { json!({ "CloudFrontDomain": cloud_front }) } else { json!({}) })
}

/// Takes a domain from a pool.
pub(crate) fn delete_domain(pools: &mut UserPools, request: ByDomain, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool_mut(&request.user_pool_id.ok_or_else(|| null("userPoolId"))?)?;
    pool.domains.remove(&request.domain).ok_or_else(|| invalid("No such domain or user pool exists."))?;
    Ok(json!({}))
}

/// A domain and its pool; empty for one that nobody has.
pub(crate) fn describe_domain(account: &Account, request: ByDomain, _now: Moment) -> Result<Value, Fault> {
    let pools = account.cognito.pools.values();
    let found = pools.filter_map(|pool| Some((pool, pool.domains.get(&request.domain)?))).next();
    let Some((pool, domain)) = found else { return Ok(json!({ "DomainDescription": {} })) };
    let mut description = json!(domain);
    description["UserPoolId"] = json!(pool.id);
    description["AWSAccountId"] = json!(account.id);
    description["CloudFrontDistribution"] = json!(cloud_front(&domain.domain));
    description["Status"] = json!("ACTIVE");
    description["Version"] = json!("1");
    Ok(json!({ "DomainDescription": description }))
}

/// A name such as a distribution would have, the same each time.
pub(crate) fn cloud_front(domain: &str) -> String {
    use sha2::Digest as _;
    let hash = hex::encode(sha2::Sha256::digest(domain));
    format!("d{}.cloudfront.net", hash.get(..13).unwrap_or_default())
}

/// A request about a resource server.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ByServer {
    user_pool_id: String,
    identifier: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    scopes: Vec<Scope>,
}

impl ByServer {
    fn server(self) -> (String, ResourceServer) {
        let Self { user_pool_id, identifier, name, scopes } = self;
        (user_pool_id, ResourceServer { identifier, name, scopes })
    }
}

fn described(pool: &str, server: &ResourceServer) -> Value {
    let mut value = json!(server);
    value["UserPoolId"] = json!(pool);
    json!({ "ResourceServer": value })
}

/// Makes a resource server.
pub(crate) fn create_server(pools: &mut UserPools, request: ByServer, _now: Moment) -> Result<Value, Fault> {
    let (pool, server) = request.server();
    pools.pool_mut(&pool)?.add_resource_server(server.clone())?;
    Ok(described(&pool, &server))
}

/// Changes a resource server.
pub(crate) fn update_server(pools: &mut UserPools, request: ByServer, _now: Moment) -> Result<Value, Fault> {
    let (pool, server) = request.server();
    let known = pools.pool_mut(&pool)?;
    known.resource_server(&server.identifier)?;
    known.resource_servers.insert(server.identifier.clone(), server.clone());
    Ok(described(&pool, &server))
}

/// Removes a resource server.
pub(crate) fn delete_server(pools: &mut UserPools, request: ByServer, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool_mut(&request.user_pool_id)?;
    let gone = pool.resource_servers.remove(&request.identifier);
    gone.map(|_| json!({})).ok_or_else(|| missing(format!("Resource server {} does not exist.", request.identifier)))
}

/// One resource server.
pub(crate) fn describe_server(pools: &UserPools, request: ByServer, _now: Moment) -> Result<Value, Fault> {
    let server = pools.pool(&request.user_pool_id)?.resource_server(&request.identifier)?;
    Ok(described(&request.user_pool_id, server))
}

/// The resource servers of a pool.
pub(crate) fn list_servers(pools: &UserPools, request: InPool, _now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool(&request.user_pool_id)?;
    let servers = pool.resource_servers.values().map(|server| described(&pool.id, server)["ResourceServer"].clone());
    request.page.answer("ResourceServers", "NextToken", servers.collect())
}
