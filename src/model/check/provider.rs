//! Rules for identity providers, and for the clients that they vouch for.

use std::collections::BTreeMap;

use crate::model::cognito::{
    IdentityProvider, OAuthFlow, Provider, StandardAttribute, UserPool, UserPoolClient, Voucher,
};
use crate::model::secretsmanager::SecretSource;
use crate::model::{Resource, Stack};
use crate::similar::closest;

use super::Complaint;
use super::words::list;

/// Names that Cognito keeps for itself and for the providers that it knows.
const RESERVED: [&str; 5] = ["COGNITO", "Facebook", "Google", "LoginWithAmazon", "SignInWithApple"];

/// What a provider may fill besides the standard attributes.
const FILLED: [&str; 4] = ["email_verified", "phone_number_verified", "sub", "username"];

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    let providers = stack.identity_providers.iter().flat_map(|(id, it)| check_provider(stack, id, it));
    let clients = stack.user_pool_clients.iter().flat_map(|(id, it)| check_client(stack, id, it));
    providers.chain(twice(stack)).chain(clients).collect()
}

fn check_provider(stack: &Stack, id: &str, declared: &IdentityProvider) -> Vec<Complaint> {
    let said = declared.said();
    let [(field, provider)] = said.as_slice() else { return vec![unclear(id, &said)] };
    let mut complaints = Vec::new();
    complaints.extend(name(id, declared, *provider));
    complaints.extend(details(id, *provider));
    complaints.extend(empty_secret(stack, &["identityProviders", id, field], provider));
    if let Some((pool_id, pool)) = declared.user_pool.id().and_then(|id| stack.user_pools.get_key_value(id)) {
        complaints.extend(mapping(id, declared, pool));
        complaints.extend(unmapped(id, declared, (pool_id, pool)));
    }
    complaints
}

fn unclear(id: &str, said: &[(&str, Provider<'_>)]) -> Complaint {
    match said.last() {
        Some((last, _)) => {
            let fields = list(said.iter().map(|(field, _)| *field));
            let message = format!("one provider is said to be {fields}");
            Complaint::new(&["identityProviders", id, last], message, "declare one provider for each").at_key()
        }
        None => {
            let help = "add `google`, `facebook`, `amazon`, `apple`, `saml` or `oidc`";
            Complaint::new(&["identityProviders", id], "nothing says who the provider is", help).at_key()
        }
    }
}

fn name(id: &str, declared: &IdentityProvider, provider: Provider<'_>) -> Option<Complaint> {
    let path = ["identityProviders", id, "name"];
    if !provider.is_named() {
        let message = format!("the only name of this provider is `{}`", provider.kind());
        return declared.name.as_ref().map(|_| Complaint::new(&path, message, "remove it").at_key());
    }
    let name = declared.name_of(id);
    let at = |message: String, help: &str| match declared.name {
        Some(_) => Complaint::new(&path, message, help),
        None => Complaint::new(&["identityProviders", id], message, help).at_key(),
    };
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '_';
    if RESERVED.contains(&name) {
        return Some(at(format!("`{name}` is a name that Cognito gives itself"), "add another `name`"));
    }
    let fits = (3..=32).contains(&name.chars().count()) && name.chars().all(allowed);
    let help = "add a `name` of 3 to 32 characters, without spaces and underscores";
    (!fits).then(|| at(format!("`{}` cannot be the name of a provider", name.escape_debug()), help))
}

fn details(id: &str, provider: Provider<'_>) -> Option<Complaint> {
    match provider {
        Provider::Saml(saml) => {
            let path = ["identityProviders", id, "saml"];
            match (&saml.metadata_url, &saml.metadata_file) {
                (None, None) => {
                    let help = "add `metadataUrl`, or `metadataFile` with the XML itself";
                    Some(Complaint::new(&path, "nothing says how the provider is reached", help).at_key())
                }
                (Some(_), Some(_)) => {
                    let path = ["identityProviders", id, "saml", "metadataFile"];
                    let message = "the provider's metadata is given twice";
                    Some(Complaint::new(&path, message, "keep `metadataUrl`, which follows its changes").at_key())
                }
                _ => None,
            }
        }
        Provider::Oidc(oidc) if !oidc.scopes.iter().any(|scope| scope == "openid") => {
            let path = ["identityProviders", id, "oidc", "scopes"];
            Some(Complaint::new(&path, "without `openid` there is no ID token", "add `openid`"))
        }
        _ => None,
    }
}

/// CloudFormation reads the secret while it makes the provider, which is before anybody could have filled it.
fn empty_secret(stack: &Stack, path: &[&str], provider: &Provider<'_>) -> Option<Complaint> {
    let (field, text) = provider.secret()?;
    let SecretSource::Declared(secret) = &text.source else { return None };
    let id = secret.id()?;
    let empty = stack.secrets.get(id)?.generate.is_none();
    let path: Vec<&str> = path.iter().copied().chain([field]).collect();
    let message = format!("secret `{id}` is still empty when the provider is made");
    let help = "fill a secret beforehand, and name it here: `{ secretId: its-name, key: its-member }`";
    empty.then(|| Complaint::new(&path, message, help))
}

/// What is filled must be an attribute of the pool.
fn mapping(id: &str, declared: &IdentityProvider, pool: &UserPool) -> Vec<Complaint> {
    let standard = StandardAttribute::ALL.map(StandardAttribute::name);
    let custom = pool.custom_attributes.keys().map(|name| format!("custom:{name}"));
    let known: Vec<String> = standard.iter().chain(&FILLED).map(|name| (*name).to_owned()).chain(custom).collect();
    let unknown = declared.attribute_mapping.keys().filter(|name| !known.contains(name));
    unknown
        .map(|name| {
            let help = match (closest(name, known.iter().map(String::as_str)), name.strip_prefix("custom:")) {
                (Some(meant), _) => format!("did you mean `{meant}`?"),
                (None, Some(custom)) => format!("declare `{custom}` under `customAttributes` of the pool"),
                (None, None) => "name a standard attribute, or one of the pool's own as `custom:name`".to_owned(),
            };
            let path = ["identityProviders", id, "attributeMapping", name];
            Complaint::new(&path, format!("the pool has no attribute `{}`", name.escape_debug()), help).at_key()
        })
        .collect()
}

/// Nobody can sign in whose profile lacks what the pool asks of all users.
fn unmapped(id: &str, declared: &IdentityProvider, (pool_id, pool): (&str, &UserPool)) -> Option<Complaint> {
    let required = pool.standard_attributes.iter().filter(|(_, asked)| asked.required).map(|(name, _)| name.name());
    let missing: Vec<&str> = required.filter(|name| !declared.attribute_mapping.contains_key(*name)).collect();
    let first = missing.first()?;
    let path = ["identityProviders", id, "attributeMapping"];
    let message = format!("`{pool_id}` asks all users for {}, which nothing fills", list(missing.iter().copied()));
    Some(Complaint::new(&path, message, format!("add `{first}: ...` with the provider's name for it")).at_key())
}

/// A pool has each provider once.
fn twice(stack: &Stack) -> Vec<Complaint> {
    let mut seen = BTreeMap::new();
    let declared = stack.identity_providers.iter().filter(|(_, it)| it.provider().is_some());
    let repeated =
        declared.filter_map(|(id, it)| Some((id, it, seen.insert((it.user_pool.id()?, it.name_of(id)), id)?)));
    repeated
        .map(|(id, it, other)| {
            let message = format!("`{other}` is `{}` already, for the same pool", it.name_of(id));
            Complaint::new(&["identityProviders", id], message, "keep one of the two").at_key()
        })
        .collect()
}

fn check_client(stack: &Stack, id: &str, client: &UserPoolClient) -> Vec<Complaint> {
    let vouchers = client.identity_providers.iter().enumerate();
    let others: Vec<_> = vouchers.filter(|(_, voucher)| **voucher != Voucher::cognito()).collect();
    let unknown = others.iter().filter_map(|(index, voucher)| unknown(stack, (id, client), *index, voucher));
    let mut complaints: Vec<Complaint> = unknown.collect();
    let pages = [OAuthFlow::Code, OAuthFlow::Implicit];
    if !others.is_empty() && !pages.iter().any(|flow| client.allowed_oauth_flows.contains(flow)) {
        let message = "others vouch for users on the sign-in pages only, and the client does not use them";
        let help = "add `allowedOAuthFlows: [code]`, with `allowedOAuthScopes` and `callbackUrls`";
        complaints.push(Complaint::new(&["userPoolClients", id, "identityProviders"], message, help));
    }
    complaints
}

fn unknown(stack: &Stack, (id, client): (&str, &UserPoolClient), index: usize, voucher: &Voucher) -> Option<Complaint> {
    let index = index.to_string();
    let path = ["userPoolClients", id, "identityProviders", &index];
    let pool = client.user_pool.id()?;
    if let Some((provider, declared)) = stack.provider_of(&client.user_pool, voucher) {
        let message = format!("`{provider}` vouches for users of `{}`, not of `{pool}`", declared.user_pool.id()?);
        let help = format!("declare one with `userPool: {pool}`");
        return (declared.user_pool != client.user_pool).then(|| Complaint::new(&path, message, help));
    }
    if !stack.user_pools.contains_key(pool) || stack.resources.values().any(|raw| raw.kind == IdentityProvider::TYPE) {
        return None;
    }
    let known = || stack.identity_providers.keys().map(String::as_str).chain(["COGNITO"]);
    let help = match closest(voucher.as_str(), known()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "declare it under `identityProviders`, or write `COGNITO` for the pool itself".to_owned(),
    };
    Some(Complaint::new(&path, format!("no identity provider `{}`", voucher.as_str().escape_debug()), help))
}
