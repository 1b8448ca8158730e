//! A pool and the functions that it invokes do not wait for each other.

use std::collections::BTreeSet;

use super::{Find, Rule, Verdict};
use crate::model::cognito::{LambdaConfig, UserPool};
use crate::model::lambda::{Function, Granted};
use crate::model::{Complaint, Json, Stack, Value};

pub(super) const RULE: Rule = Rule {
    id: "trigger-circle",
    verdict: Verdict::Refused,
    title: "a function that a pool invokes names neither the pool nor anything that is made from it",
    why: "A pool waits for the functions that it invokes, and a function waits for what its environment and its role name. \
          Where these name the pool, or a client of it, neither can be made before the other, and CloudFormation refuses \
          the template (aws/aws-cdk#7016). The events of a pool name it in `userPoolId`.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html",
    good: "\
userPools: { Users: { lambdaConfig: { preSignUp: Decide } } }
functions:
  Decide: { crate: functions/decide }
  Notes: { crate: functions/notes, grants: [{ userPool: Users, access: read }] }
",
    bad: "\
userPools: { Users: { lambdaConfig: { preSignUp: Decide } } }
functions:
  Decide: { crate: functions/decide, grants: [{ userPool: Users, access: read }] }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    stack.user_pools.iter().flat_map(|(id, pool)| of_pool(stack, id, pool)).collect()
}

fn of_pool(stack: &Stack, pool_id: &str, pool: &UserPool) -> Vec<Complaint> {
    let invoked: BTreeSet<&str> =
        pool.lambda_config.iter().flat_map(LambdaConfig::functions).filter_map(|function| function.id()).collect();
    if invoked.is_empty() {
        return Vec::new();
    }
    let made = made_from(stack, pool_id);
    let functions = invoked.into_iter().filter_map(|id| stack.functions.get_key_value(id));
    functions.flat_map(|(id, function)| circles(pool_id, &made, (id, function))).collect()
}

/// The pool, and what cannot be made before it.
fn made_from(stack: &Stack, pool: &str) -> BTreeSet<String> {
    let clients = stack.user_pool_clients.iter().filter(|(_, it)| it.user_pool.id() == Some(pool)).map(|(id, _)| id);
    let providers = stack.identity_providers.iter().filter(|(_, it)| it.user_pool.id() == Some(pool)).map(|(id, _)| id);
    let own = [pool.to_owned(), crate::model::ids::user_pool_domain(pool)];
    own.into_iter().chain(clients.cloned()).chain(providers.cloned()).collect()
}

fn circles(pool: &str, made: &BTreeSet<String>, (id, function): (&str, &Function)) -> Vec<Complaint> {
    let told = |path: &[&str]| {
        let message = format!("pool `{pool}` invokes `{id}`: neither could be made before the other");
        let help = "let another function have the access; the pool's events name the pool in `userPoolId`";
        let path: Vec<&str> = ["functions", id].into_iter().chain(path.iter().copied()).collect();
        Complaint::new(&path, message, help)
    };
    let variables = function.environment.iter().filter(|(_, value)| names(value, made));
    let mut complaints: Vec<_> = variables.map(|(name, _)| told(&["environment", name])).collect();
    for (index, grant) in function.grants.iter().enumerate() {
        if let Some(Granted::UserPool(granted)) = grant.granted()
            && granted.id() == Some(pool)
        {
            complaints.push(told(&["grants", &index.to_string(), "userPool"]));
        }
    }
    for (index, statement) in function.policies.iter().enumerate() {
        let resources = statement.resources.iter().enumerate().filter(|(_, resource)| names(resource, made));
        let (index, resources) = (index.to_string(), resources.map(|(resource, _)| resource.to_string()));
        complaints.extend(resources.map(|resource| told(&["policies", &index, "resources", &resource])));
    }
    complaints
}

/// Whether a value, or one inside it, is one of these.
fn names(value: &Value, ids: &BTreeSet<String>) -> bool {
    match value {
        Value::Ref(id) | Value::Get { id, .. } => ids.contains(id),
        Value::Sub(text) => in_text(text, ids),
        Value::If(_, then, otherwise) => names(then, ids) || names(otherwise, ids),
        Value::Join(_, values) => values.iter().any(|value| names(value, ids)),
        Value::Raw(json) => in_json(json, ids),
        Value::Text(_) | Value::Url(_) | Value::Output(_) => false,
    }
}

/// `${Users}` and `${Users.Arn}`.
fn in_text(text: &str, ids: &BTreeSet<String>) -> bool {
    let named = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.trim());
    named.map(|name| name.split_once('.').map_or(name, |(id, _)| id)).any(|id| ids.contains(id))
}

fn in_json(json: &Json, ids: &BTreeSet<String>) -> bool {
    match json {
        Json::Array(items) => items.iter().any(|item| in_json(item, ids)),
        Json::Object(members) => members.iter().any(|(key, argument)| match (key.as_str(), argument) {
            ("Ref", Json::String(id)) => ids.contains(id),
            ("Fn::GetAtt", Json::String(text)) => ids.contains(text.split('.').next().unwrap_or(text)),
            ("Fn::GetAtt", Json::Array(list)) => list.first().and_then(Json::as_str).is_some_and(|id| ids.contains(id)),
            ("Fn::Sub", Json::String(text)) => in_text(text, ids),
            _ => in_json(argument, ids),
        }),
        _ => false,
    }
}
