//! Rules for usage plans and API keys.

use std::collections::BTreeSet;

use crate::model::apigateway::{Period, Quota, RestApi, UsagePlan};
use crate::similar::closest;

use super::super::Complaint;
use super::super::words::list;

pub(super) fn check(id: &str, api: &RestApi) -> Vec<Complaint> {
    api.usage_plans.iter().flat_map(|(name, plan)| check_plan(id, api, name, plan)).collect()
}

fn check_plan(id: &str, api: &RestApi, name: &str, plan: &UsagePlan) -> Vec<Complaint> {
    let path = ["restApis", id, "usagePlans", name];
    let mut complaints = Vec::new();
    complaints.extend(named(&path, "stages", "stage", &plan.stages, &api.stages.keys().collect()));
    complaints.extend(named(&path, "apiKeys", "API key", &plan.api_keys, &api.api_keys.keys().collect()));
    let unknown = plan.routes.keys().filter(|key| !api.routes.contains_key(*key));
    complaints.extend(unknown.map(|key| {
        let path: Vec<&str> = path.into_iter().chain(["routes", key]).collect();
        let message = format!("API `{id}` has no route `{}`", key.escape_debug());
        Complaint::new(&path, message, choice(key, &api.routes.keys().collect(), "routes")).at_key()
    }));
    complaints.extend(plan.quota.and_then(|quota| begins(&path, quota)));
    complaints
}

/// Names of one list that the API does not have, or that stand there twice.
fn named(path: &[&str], field: &str, what: &str, names: &[String], known: &BTreeSet<&String>) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let index = index.to_string();
        let path: Vec<&str> = path.iter().copied().chain([field, &index]).collect();
        if !known.contains(name) {
            let message = format!("the API has no {what} `{}`", name.escape_debug());
            complaints.push(Complaint::new(&path, message, choice(name, known, field)));
        } else if !seen.insert(name) {
            complaints.push(Complaint::new(&path, format!("`{name}` is in the list twice"), "remove one of them"));
        }
    }
    complaints
}

fn choice(name: &str, known: &BTreeSet<&String>, section: &str) -> String {
    let names = || known.iter().map(|name| name.as_str());
    match closest(name, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => format!("declare it under `{section}` of the API"),
        None if known.len() <= 8 => format!("there is {}", list(names())),
        None => format!("see `{section}` of the API"),
    }
}

/// The day on which a period begins must be one that every period has.
fn begins(path: &[&str], quota: Quota) -> Option<Complaint> {
    let (most, period) = match quota.period {
        Period::Day => (0, "day"),
        Period::Week => (6, "week"),
        Period::Month => (27, "month"),
    };
    let path: Vec<&str> = path.iter().copied().chain(["quota", "offset"]).collect();
    let message = format!("a {period} cannot begin at {}", quota.offset);
    let help = if most == 0 { "remove it: a day begins at 0".to_owned() } else { format!("0 to {most} can be said") };
    (quota.offset > most).then(|| Complaint::new(&path, message, help))
}
