//! Rules for what functions may do with other resources.

use std::collections::BTreeMap;

use crate::model::lambda::{Function, Grant, Granted};
use crate::model::reference::Target;
use crate::model::{Resource, Stack};

use super::Complaint;
use super::lambda::not_a_variable;
use super::words::list;

pub(super) fn check(stack: &Stack, id: &str, function: &Function) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut taken = BTreeMap::new();
    for (index, grant) in function.grants.iter().enumerate() {
        let index = index.to_string();
        let path = ["functions", id, "grants", &index];
        let Some(granted) = grant.granted() else {
            complaints.push(unclear(&path, grant));
            continue;
        };
        complaints.extend(access(&path, grant, granted));
        complaints.extend(stage(stack, &path, granted));
        complaints.extend(variable(&path, (id, function), (grant, granted), &mut taken));
    }
    complaints
}

fn unclear(path: &[&str], grant: &Grant) -> Complaint {
    let said = grant.said();
    let fields = list(said.iter().map(|(field, _)| *field));
    match said.last() {
        Some((last, _)) => {
            let path: Vec<&str> = path.iter().copied().chain([*last]).collect();
            let help = "write one grant for each resource";
            Complaint::new(&path, format!("one grant is about {fields}"), help).at_key()
        }
        None => {
            let help = "add `table`, `secret`, `emailIdentity`, `userPool` or `webSocketApi`";
            Complaint::new(path, "nothing says what the grant is about", help)
        }
    }
}

fn access(path: &[&str], grant: &Grant, granted: Granted<'_>) -> Option<Complaint> {
    let offers = || list(granted.offers().iter().map(|access| access.word()));
    let path: Vec<&str> = path.iter().copied().chain(["access"]).collect();
    if grant.access.0.is_empty() {
        return Some(Complaint::new(&path, "nothing says what the function may do", format!("there is {}", offers())));
    }
    let unknown = grant.access.0.iter().find(|access| !granted.offers().contains(access))?;
    let message = format!("`{}` is nothing that can be done with {}", unknown.word(), what(granted));
    Some(Complaint::new(&path, message, format!("there is {}", offers())))
}

fn what(granted: Granted<'_>) -> String {
    use crate::model::{
        apigatewayv2::WebSocketApi, cognito::UserPool, dynamodb::Table, secretsmanager::Secret, ses::EmailIdentity,
    };
    match granted {
        Granted::Table(_) => format!("a {}", Table::NAME),
        Granted::Secret(_) => format!("a {}", Secret::NAME),
        Granted::EmailIdentity(_) => format!("an {}", EmailIdentity::NAME),
        Granted::UserPool(_) => format!("a {}", UserPool::NAME),
        Granted::WebSocketApi(_) => format!("the connections of a {}", WebSocketApi::NAME),
    }
}

/// Connections belong to a stage, and one variable tells of one.
fn stage(stack: &Stack, path: &[&str], granted: Granted<'_>) -> Option<Complaint> {
    let Granted::WebSocketApi(api) = granted else { return None };
    let path: Vec<&str> = path.iter().copied().chain(["webSocketApi"]).collect();
    let by_hand = "say so by `policies` and `environment` instead";
    let Some(id) = api.id() else {
        return Some(Complaint::new(&path, "the connections of another stack's API cannot be granted", by_hand));
    };
    let declared = stack.web_socket_apis.get(id)?;
    let message = format!("API `{id}` has {} stages, each with connections of its own", declared.stages.len());
    declared.only_stage().is_none().then(|| Complaint::new(&path, message, by_hand))
}

/// A variable tells one thing.
fn variable<'a>(
    path: &[&str],
    (id, function): (&str, &Function),
    (grant, granted): (&Grant, Granted<'a>),
    taken: &mut BTreeMap<String, &'a Target>,
) -> Option<Complaint> {
    let name = grant.variable_for(granted);
    let field = if grant.variable.is_some() { Some("variable") } else { None };
    let path: Vec<&str> = path.iter().copied().chain(field).collect();
    if let Some((message, help)) = not_a_variable(&name) {
        return Some(Complaint::new(&path, message, help));
    }
    if function.environment.contains_key(&name) {
        let message = format!("`{name}` is under `environment` of `{id}` already");
        return Some(Complaint::new(&path, message, "remove it there, or add `variable` with another name here"));
    }
    let target = granted.target();
    let other = taken.insert(name.clone(), target)?;
    let message = format!("`{name}` would tell the function of two things");
    (other != target).then(|| Complaint::new(&path, message, "add `variable` with another name to one of the grants"))
}
