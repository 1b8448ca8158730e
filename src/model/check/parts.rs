//! Rules for what every template has: resources at all, raw ones, overrides.

use std::collections::BTreeMap;

use crate::model::raw::Suppression;
use crate::model::{Json, Stack};

use super::{Complaint, Declared};

pub(super) fn check(stack: &Stack, declared: &Declared) -> Vec<Complaint> {
    let mut complaints: Vec<_> = stack.resources.iter().filter_map(|(id, it)| resource_type(id, &it.kind)).collect();
    complaints.extend(stack.overrides.keys().filter_map(|id| overridden(id, declared)));
    let raw = stack.resources.iter().map(|(id, it)| ("resources", id, &it.properties));
    let overrides = stack.overrides.iter().map(|(id, it)| ("overrides", id, &it.properties));
    let names = stack.overrides.iter().flat_map(|(id, it)| it.properties.keys().map(move |name| (id, name)));
    complaints.extend(names.filter_map(|(id, name)| uncapitalized(id, name, declared)));
    complaints.extend(raw.chain(overrides).flat_map(|(section, id, it)| properties(section, id, it, declared)));
    complaints.extend(no_resource(stack).filter(|_| declared.is_whole()));
    complaints.extend(stack.suppressions.iter().flat_map(|(rule, it)| parts_of_resources(rule, it)));
    complaints
}

fn resource_type(id: &str, kind: &str) -> Option<Complaint> {
    let part = |part: &str| part.len() >= 2 && part.chars().all(|c| c.is_ascii_alphanumeric());
    let fits = match kind.split("::").collect::<Vec<_>>().as_slice() {
        ["Custom", name] => part(name),
        [a, b, c] | [a, b, c, "MODULE"] => part(a) && part(b) && part(c),
        _ => false,
    };
    let message = format!("`{}` is not a type of resources", kind.escape_debug());
    let help = "write it as CloudFormation has it: `AWS::SQS::Queue`";
    (!fits).then(|| Complaint::new(&["resources", id, "type"], message, help))
}

/// References of free-form properties that lead nowhere.
fn properties(section: &str, id: &str, properties: &BTreeMap<String, Json>, declared: &Declared) -> Vec<Complaint> {
    let found = properties
        .iter()
        .flat_map(|(name, json)| declared.dangling_in(json).into_iter().map(move |(path, error)| (name, path, error)));
    found
        .map(|(name, path, error)| {
            let begin = [section, id, "properties", name];
            let path: Vec<&str> = begin.into_iter().chain(path.iter().map(String::as_str)).collect();
            let (message, help) = error.message().split_once('\n').unwrap_or((error.message(), ""));
            Complaint::new(&path, message, help)
        })
        .collect()
}

/// Every property of what is synthesized begins with a capital.
fn uncapitalized(id: &str, name: &str, declared: &Declared) -> Option<Complaint> {
    let first = name.chars().next().filter(char::is_ascii_lowercase)?;
    if !declared.is_synthesized(id) {
        return None;
    }
    let message = format!("`{}` is not CloudFormation's spelling", name.escape_debug());
    let help = format!("write `{}{}`", first.to_ascii_uppercase(), &name[1..]);
    Some(Complaint::new(&["overrides", id, "properties", name], message, help).at_key())
}

fn no_resource(stack: &Stack) -> Option<Complaint> {
    let mut any = false;
    stack.visit(&mut |it| any |= it.section != "parameters");
    let help = "declare something under `userPools`, `functions`, `httpApis` or another section";
    (!any).then(|| Complaint::new(&[], "the stack declares no resource", help))
}

fn overridden(id: &str, declared: &Declared) -> Option<Complaint> {
    if id.starts_with("AWS::") {
        return Some(Complaint::new(&["overrides", id], "a pseudo parameter cannot be changed", "remove it").of_name());
    }
    if declared.is_parameter(id) {
        let message = format!("`{id}` is a parameter, and only resources can be changed here");
        return Some(Complaint::new(&["overrides", id], message, "change it under `parameters`").at_key());
    }
    let error = declared.expect(id).err()?;
    let (message, help) = error.message().split_once('\n')?;
    Some(Complaint::new(&["overrides", id], message, help).of_name())
}

/// Checking tools know resources only as wholes.
fn parts_of_resources(rule: &str, suppression: &Suppression) -> Vec<Complaint> {
    let is_part = |name: &str| !Suppression::is_of_ours(rule) && !name.contains("::") && name.contains('.');
    let parts = suppression.resources.iter().enumerate().filter(|(_, name)| is_part(name));
    parts
        .map(|(index, name)| {
            let path = ["suppressions", rule, "resources", &index.to_string()];
            let message = format!("`{rule}` is about whole resources, not about `{}`", name.escape_debug());
            Complaint::new(&path, message, "name the logical id of the resource")
        })
        .collect()
}
