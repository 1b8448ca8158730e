//! The attributes that a client may read and write must be those of its pool.

use crate::model::cognito::{StandardAttribute, UserPool, UserPoolClient};
use crate::model::{Resource, Stack};
use crate::similar::closest;

use super::Complaint;

/// What Cognito itself notes of a user: a client may read it, and write none of it.
const NOTED: [&str; 4] = ["email_verified", "identities", "phone_number_verified", "sub"];

pub(super) fn check(stack: &Stack, id: &str, client: &UserPoolClient) -> Vec<Complaint> {
    let pool = client.user_pool.id().and_then(|id| stack.user_pools.get_key_value(id));
    let Some((_, pool)) = pool.filter(|(id, _)| !is_changed(stack, id)) else { return Vec::new() };
    let own: Vec<String> = pool_attributes(pool);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let readable: Vec<&str> = own.iter().copied().chain(NOTED).collect();
    let read = unknown(&["userPoolClients", id, "readAttributes"], &client.read_attributes, &readable);
    read.into_iter()
        .chain(unknown(&["userPoolClients", id, "writeAttributes"], &client.write_attributes, &own))
        .collect()
}

/// Whether something else may have given the pool further attributes.
fn is_changed(stack: &Stack, pool: &str) -> bool {
    stack.overrides.get(pool).is_some_and(|change| change.properties.contains_key("Schema"))
        || stack.resources.values().any(|raw| raw.kind == UserPool::TYPE)
}

fn pool_attributes(pool: &UserPool) -> Vec<String> {
    let standard = StandardAttribute::ALL.map(|attribute| attribute.name().to_owned());
    standard.into_iter().chain(pool.custom_attributes.keys().map(|name| format!("custom:{name}"))).collect()
}

fn unknown(path: &[&str], asked: &[String], known: &[&str]) -> Vec<Complaint> {
    let unknown = asked.iter().enumerate().filter(|(_, name)| !known.contains(&name.as_str()));
    unknown
        .map(|(index, name)| {
            let index = index.to_string();
            let path: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
            if NOTED.contains(&name.as_str()) {
                let message = format!("`{name}` is noted by Cognito itself, and no client writes it");
                return Complaint::new(&path, message, "remove it");
            }
            Complaint::new(&path, format!("the pool has no attribute `{}`", name.escape_debug()), meant(name, known))
        })
        .collect()
}

fn meant(name: &str, known: &[&str]) -> String {
    let Some(custom) = name.strip_prefix("custom:") else {
        return match closest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "name a standard attribute, or one of the pool's own as `custom:name`".to_owned(),
        };
    };
    match closest(custom, known.iter().filter_map(|known| known.strip_prefix("custom:"))) {
        Some(meant) => format!("did you mean `custom:{meant}`?"),
        None => format!("declare `{custom}` under `customAttributes` of the pool"),
    }
}
