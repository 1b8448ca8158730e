//! Rules for user pools and their clients, across fields.

use crate::model::Stack;
use crate::model::cognito::{EmailOption, Mfa, MfaMethod, UserPool, UserPoolClient};

use super::Complaint;

mod attribute;
mod settings;
mod text;

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    let pools = stack.user_pools.iter().flat_map(|(id, pool)| check_pool(id, pool));
    // An override may have put right what does not go together.
    let plain = stack.user_pools.iter().filter(|(id, _)| !stack.overrides.contains_key(*id));
    let pools = pools.chain(plain.flat_map(|(id, pool)| settings::check(id, pool)));
    let clients = stack.user_pool_clients.iter();
    let clients = clients.flat_map(|(id, it)| check_client(id, it).into_iter().chain(attribute::check(stack, id, it)));
    pools.chain(clients).collect()
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
    complaints.extend(text::check(id, pool));
    complaints
}

fn pool_names(id: &str, pool: &UserPool) -> Vec<Complaint> {
    let key = |path: &[&str], name: &str, what: &str, help: &str| {
        let message = format!("`{}` cannot be the name of {what}", name.escape_debug());
        Complaint::new(path, message, help).of_name()
    };
    let mut complaints = Vec::new();
    let word =
        |name: &str, max: usize| !name.is_empty() && name.len() <= max && name.chars().all(|c| c.is_ascii_graphic());
    let visible = |name: &str, max: usize| {
        (1..=max).contains(&name.chars().count()) && !name.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    for name in pool.custom_attributes.keys().filter(|name| !visible(name, 20) || name.contains(':')) {
        let help = "20 letters, digits and marks at most, without `custom:`";
        complaints.push(key(&["userPools", id, "customAttributes", name], name, "an attribute", help));
    }
    // Of any script: <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateGroup.html>
    for name in pool.groups.keys().filter(|name| !visible(name, 128)) {
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

fn check_client(id: &str, client: &UserPoolClient) -> Vec<Complaint> {
    let at = |field: &str, message: String, help: &str| Complaint::new(&["userPoolClients", id, field], message, help);
    let mut complaints = Vec::new();
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
