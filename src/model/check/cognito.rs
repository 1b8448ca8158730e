//! Rules for user pools and their clients, across fields.

use std::collections::BTreeSet;

use crate::model::Stack;
use crate::model::cognito::{EmailOption, Mfa, MfaMethod, OAuthFlow, UserPool, UserPoolClient};
use crate::similar::closest;

use super::Complaint;
use super::words::list;

/// Scopes that OpenID Connect, or Cognito itself, defines.
pub(super) const STANDARD_SCOPES: [&str; 5] = ["aws.cognito.signin.user.admin", "email", "openid", "phone", "profile"];

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    let pools = stack.user_pools.iter().flat_map(|(id, pool)| check_pool(id, pool));
    let clients = stack.user_pool_clients.iter().flat_map(|(id, client)| check_client(stack, id, client));
    pools.chain(clients).collect()
}

/// Every scope that a token of a pool can hold.
pub(super) fn scopes(pool: &UserPool) -> BTreeSet<String> {
    let own = pool.resource_servers.iter();
    let own = own.flat_map(|(server, it)| it.scopes.keys().map(move |scope| format!("{server}/{scope}")));
    own.chain(STANDARD_SCOPES.map(str::to_owned)).collect()
}

/// What to do about a scope that nothing defines.
pub(super) fn scope_help(scope: &str, known: &BTreeSet<String>, pool: &str) -> String {
    match (closest(scope, known.iter().map(String::as_str)), scope.split_once('/')) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some((server, name))) => {
            format!("declare it: `resourceServers: {{ {server}: {{ scopes: {{ {name}: ... }} }} }}` of `{pool}`")
        }
        (None, None) => format!("there is {}", list(known.iter().map(String::as_str))),
    }
}

fn check_pool(id: &str, pool: &UserPool) -> Vec<Complaint> {
    let at = |field: &str, message: &str, help: &str| Complaint::new(&["userPools", id, field], message, help);
    let mut complaints = Vec::new();
    if !pool.username_attributes.is_empty() && !pool.alias_attributes.is_empty() {
        let message = "a pool cannot have both `usernameAttributes` and `aliasAttributes`";
        complaints.push(at(
            "aliasAttributes",
            message,
            "keep `usernameAttributes` if users sign in with their address",
        ));
    }
    match (pool.mfa, pool.mfa_methods.as_slice()) {
        (Mfa::Off, [_, ..]) => {
            complaints.push(at(
                "mfaMethods",
                "a second factor is never asked for",
                "add `mfa: optional` or `mfa: required`",
            ));
        }
        (Mfa::Optional | Mfa::Required, []) => {
            complaints.push(at("mfa", "no second factor is on offer", "add `mfaMethods: [softwareToken]`"));
        }
        _ => {}
    }
    let sends_itself = pool.email.as_ref().is_none_or(|email| email.source_arn.is_none());
    if pool.mfa_methods.contains(&MfaMethod::Email) && sends_itself {
        let message = "codes by mail need a sender of your own";
        complaints.push(at("mfaMethods", message, "add `email: { sourceArn: ... }` with an SES identity"));
    }
    let by_link = |it: &crate::model::cognito::VerificationMessage| it.default_email_option == EmailOption::Link;
    if pool.verification_message.as_ref().is_some_and(by_link) && pool.domain.is_none() {
        let message = "a link leads to the pool's own pages, and the pool has no domain";
        complaints.push(at(
            "verificationMessage",
            message,
            "add `domain: { prefix: ... }`, or use `defaultEmailOption: code`",
        ));
    }
    complaints.extend(pool_names(id, pool));
    complaints.extend(bounds(id, pool));
    complaints
}

fn pool_names(id: &str, pool: &UserPool) -> Vec<Complaint> {
    let key = |path: &[&str], name: &str, what: &str, help: &str| {
        let message = format!("`{}` cannot be the name of {what}", name.escape_debug());
        Complaint::new(path, message, help).at_key()
    };
    let mut complaints = Vec::new();
    let word =
        |name: &str, max: usize| !name.is_empty() && name.len() <= max && name.chars().all(|c| c.is_ascii_graphic());
    for name in pool.custom_attributes.keys().filter(|name| !word(name, 20) || name.contains(':')) {
        let help = "20 letters, digits and marks at most, without `custom:`";
        complaints.push(key(&["userPools", id, "customAttributes", name], name, "an attribute", help));
    }
    for name in pool.groups.keys().filter(|name| !word(name, 128)) {
        complaints.push(key(
            &["userPools", id, "groups", name],
            name,
            "a group",
            "128 characters at most, and no spaces",
        ));
    }
    for (identifier, server) in &pool.resource_servers {
        let path = ["userPools", id, "resourceServers", identifier];
        if !word(identifier, 256) || identifier.contains(['\\', '"']) {
            complaints.push(key(&path, identifier, "a resource server", "256 characters at most, and no spaces"));
        }
        for name in server.scopes.keys().filter(|name| !word(name, 256) || name.contains(['/', '\\', '"'])) {
            let path = ["userPools", id, "resourceServers", identifier, "scopes", name];
            complaints.push(key(&path, name, "a scope", "256 characters at most, no spaces and no slash"));
        }
    }
    complaints
}

fn bounds(id: &str, pool: &UserPool) -> Vec<Complaint> {
    let wrong = pool.custom_attributes.iter().filter_map(|(name, attribute)| {
        let lengths = attribute.min_length.zip(attribute.max_length).is_some_and(|(min, max)| min > max);
        let values = attribute.min_value.zip(attribute.max_value).is_some_and(|(min, max)| min > max);
        (lengths || values).then_some((name, if lengths { "minLength" } else { "minValue" }))
    });
    wrong
        .map(|(name, field)| {
            let path = ["userPools", id, "customAttributes", name, field];
            Complaint::new(&path, "the least is more than the most", "exchange the two")
        })
        .collect()
}

fn check_client(stack: &Stack, id: &str, client: &UserPoolClient) -> Vec<Complaint> {
    let at = |field: &str, message: String, help: &str| Complaint::new(&["userPoolClients", id, field], message, help);
    let mut complaints = oauth(id, client);
    complaints.extend(client_scopes(stack, id, client));
    if client.identity_providers.is_empty() {
        let message = "nobody vouches for the client's users".to_owned();
        complaints.push(at("identityProviders", message, "write `[COGNITO]` for the pool itself"));
    }
    let redirect = client.default_redirect_uri.as_ref().filter(|uri| !client.callback_urls.contains(uri));
    if redirect.is_some() {
        let message = "the default is none of the `callbackUrls`".to_owned();
        complaints.push(at("defaultRedirectUri", message, "add it to `callbackUrls`"));
    }
    complaints
}

fn oauth(id: &str, client: &UserPoolClient) -> Vec<Complaint> {
    let at = |message: &str, help: &str| Complaint::new(&["userPoolClients", id, "allowedOAuthFlows"], message, help);
    let flows = &client.allowed_oauth_flows;
    let by_page = flows.contains(&OAuthFlow::Code) || flows.contains(&OAuthFlow::Implicit);
    let mut complaints = Vec::new();
    if flows.contains(&OAuthFlow::ClientCredentials) {
        if by_page {
            let help = "declare one client for machines and another one for people";
            complaints.push(at("`clientCredentials` cannot be together with `code` or `implicit`", help));
        }
        if !client.generate_secret {
            complaints.push(at("`clientCredentials` without a secret lets nobody in", "add `generateSecret: true`"));
        }
        if !client.allowed_oauth_scopes.iter().any(|scope| scope.contains('/')) {
            let help = "add `allowedOAuthScopes` with a scope of a resource server, such as `notes/read`";
            complaints.push(at("`clientCredentials` without scopes lets nobody in", help));
        }
    }
    if by_page && client.callback_urls.is_empty() {
        complaints.push(at("users cannot be sent back to the application", "add `callbackUrls`"));
    }
    if by_page && client.allowed_oauth_scopes.is_empty() {
        complaints.push(at("an OAuth flow needs scopes", "add `allowedOAuthScopes: [openid]`"));
    }
    complaints
}

fn client_scopes(stack: &Stack, id: &str, client: &UserPoolClient) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let asks = |scope: &str| client.allowed_oauth_scopes.iter().any(|it| it == scope);
    if client.allowed_oauth_flows.is_empty() && !client.allowed_oauth_scopes.is_empty() {
        let path = ["userPoolClients", id, "allowedOAuthScopes"];
        complaints.push(Complaint::new(
            &path,
            "scopes are asked for in no OAuth flow",
            "add `allowedOAuthFlows: [code]`",
        ));
    }
    if ["email", "phone", "profile"].iter().any(|scope| asks(scope)) && !asks("openid") {
        let path = ["userPoolClients", id, "allowedOAuthScopes"];
        let message = "`email`, `phone` and `profile` come with `openid` only";
        complaints.push(Complaint::new(&path, message, "add `openid`"));
    }
    let Some((pool_id, pool)) = client.user_pool.id().and_then(|id| stack.user_pools.get_key_value(id)) else {
        return complaints;
    };
    let known = scopes(pool);
    for (index, scope) in client.allowed_oauth_scopes.iter().enumerate().filter(|(_, scope)| !known.contains(*scope)) {
        let path = ["userPoolClients", id, "allowedOAuthScopes", &index.to_string()];
        let message = format!("no resource server of `{pool_id}` defines scope `{scope}`");
        complaints.push(Complaint::new(&path, message, scope_help(scope, &known, pool_id)));
    }
    complaints
}
