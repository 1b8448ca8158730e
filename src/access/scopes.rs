//! The scopes that tokens can hold.

use std::collections::{BTreeMap, BTreeSet};

use super::doors::{Door, doors};
use crate::model::check::list;
use crate::model::cognito::{TriggerVersion, UserPool};
use crate::model::{Json, Stack};
use crate::similar::closest;

/// Scopes that OpenID Connect, or Cognito itself, defines.
pub(super) const STANDARD: [&str; 5] = ["aws.cognito.signin.user.admin", "email", "openid", "phone", "profile"];

const RAW_SERVER: &str = "AWS::Cognito::UserPoolResourceServer";

/// Every scope that something defines, for each pool: its resource servers, and what every pool has.
pub(super) fn defined(stack: &Stack) -> BTreeMap<&str, BTreeSet<String>> {
    stack.user_pools.iter().map(|(id, pool)| (id.as_str(), of_pool(stack, id, pool))).collect()
}

fn of_pool(stack: &Stack, id: &str, pool: &UserPool) -> BTreeSet<String> {
    let own = pool.resource_servers.iter();
    let own = own.flat_map(|(server, it)| it.scopes.keys().map(move |scope| format!("{server}/{scope}")));
    let reference = serde_json::json!({ "Ref": id });
    let raw = stack.resources.values().filter(|raw| raw.kind == RAW_SERVER);
    let raw = raw.filter(|raw| raw.properties.get("UserPoolId") == Some(&reference));
    own.chain(raw.flat_map(|raw| written(&raw.properties))).chain(STANDARD.map(str::to_owned)).collect()
}

/// The scopes of a raw resource server, as far as they are plain texts.
fn written(properties: &BTreeMap<String, Json>) -> Vec<String> {
    let server = properties.get("Identifier").and_then(Json::as_str).unwrap_or_default();
    let scopes = properties.get("Scopes").and_then(Json::as_array).into_iter().flatten();
    scopes.filter_map(|scope| Some(format!("{server}/{}", scope.get("ScopeName")?.as_str()?))).collect()
}

/// The routes that ask for scopes, each with the pools of the stack whose tokens it takes. One is left out where a function
/// writes scopes into the tokens of such a pool: it may give any of them to anyone.
pub(super) fn asking(stack: &Stack) -> impl Iterator<Item = (Door<'_>, Vec<(&str, &UserPool)>)> {
    let asking = doors(stack).filter(|door| !door.scopes.is_empty());
    let with_pools = asking.filter_map(|door| Some((door, door.decides?.pools(stack)?)));
    with_pools.filter(|(_, pools)| !pools.iter().any(|(_, pool)| are_made_up(pool)))
}

/// Whether a function of the pool writes scopes of its own into access tokens, which nobody can foresee.
fn are_made_up(pool: &UserPool) -> bool {
    let config = pool.lambda_config.as_ref().and_then(|config| config.pre_token_generation_config.as_ref());
    config.is_some_and(|config| config.lambda_version != TriggerVersion::V1)
}

/// What to do about a scope that nothing defines.
pub(super) fn help(scope: &str, known: &BTreeSet<String>, pool: &str) -> String {
    match (closest(scope, known.iter().map(String::as_str)), scope.split_once('/')) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some((server, name))) => {
            format!("declare it: `resourceServers: {{ {server}: {{ scopes: {{ {name}: ... }} }} }}` of `{pool}`")
        }
        (None, None) => format!("there is {}", list(known.iter().map(String::as_str))),
    }
}
