//! What is fixed when a pool is made stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{Find, Rule, Verdict};
use crate::model::cognito::{StandardAttribute, UserPool};
use crate::model::{Complaint, Json, Resource};

pub(super) const RULE: Rule = Rule {
    id: "user-pool-changed",
    verdict: Verdict::Unsafe,
    title: "an update leaves alone what is fixed when a user pool is made",
    why: "What users sign in with, whether capitals count in their names, and every attribute that exists are fixed when a \
          pool is made. Cognito refuses to change them, so an update fails, or a new pool is made in place of the old one: \
          without its users, and with another id, so that every token and every application loses its pool. Who wants a new \
          pool gives the reason under `suppressions`, or declares it beside the old one and moves the users.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html",
    good: "\
userPools:
  Users: { usernameAttributes: [email], customAttributes: { plan: {} } }
---
userPools:
  Users: { usernameAttributes: [email], customAttributes: { plan: {}, team: {} } }
",
    bad: "\
userPools:
  Users: { usernameAttributes: [email], customAttributes: { plan: {} } }
---
userPools:
  Users: { usernameAttributes: [email, phoneNumber], customAttributes: { team: {} } }
",
    find: Find::Change(find),
};

fn find(deployed: &Json, next: &Json) -> Vec<Complaint> {
    let deployed: BTreeMap<&str, &Json> = super::resources(deployed, UserPool::TYPE).collect();
    let kept = super::resources(next, UserPool::TYPE).filter_map(|(id, pool)| Some((id, *deployed.get(id)?, pool)));
    kept.flat_map(|(id, old, new)| changed(id, old, new)).collect()
}

fn changed(id: &str, old: &Json, new: &Json) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for property in ["UsernameAttributes", "AliasAttributes"] {
        if words(&old[property]) != words(&new[property]) {
            let message = format!("what users of pool `{id}` sign in with cannot be changed");
            let help = match words(&old[property]).into_iter().collect::<Vec<_>>().join(", ") {
                names if names.is_empty() => format!("the pool has no `{property}`: leave it out"),
                names => format!("leave `{property}` as it is deployed: {names}"),
            };
            complaints.push(told(id, property, message, &help));
        }
    }
    if are_case_sensitive(old) != are_case_sensitive(new) {
        let message = format!("whether capitals count in the names of users of pool `{id}` cannot be changed");
        complaints.push(told(id, "UsernameConfiguration", message, "leave `signInCaseSensitive` as it is deployed"));
    }
    complaints.extend(attributes(id, old, new));
    complaints
}

fn told(id: &str, property: &str, message: String, help: &str) -> Complaint {
    Complaint::new(&["Resources", id, "Properties", property], message, help)
}

fn words(list: &Json) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

/// They are where a pool says nothing.
fn are_case_sensitive(pool: &Json) -> bool {
    pool["UsernameConfiguration"]["CaseSensitive"] != false
}

/// An attribute can be added, but for a standard one, which every pool has from the beginning.
fn attributes(id: &str, old: &Json, new: &Json) -> Vec<Complaint> {
    let (before, after) = (schema(old), schema(new));
    let lost = before.iter().filter(|(name, was)| after.get(*name) != Some(was)).map(|(name, _)| *name);
    let is_standard = |name: &&str| StandardAttribute::ALL.iter().any(|standard| standard.name() == *name);
    let late = after.keys().copied().filter(|name| !before.contains_key(name)).filter(is_standard);
    lost.chain(late)
        .map(|name| {
            let message = format!("attribute `{name}` of pool `{id}` cannot be changed or removed");
            told(id, "Schema", message, "leave it as it is deployed; attributes of the pool's own can be added")
        })
        .collect()
}

fn schema(pool: &Json) -> BTreeMap<&str, &Json> {
    let attributes = pool["Schema"].as_array().into_iter().flatten();
    attributes.filter_map(|attribute| Some((attribute["Name"].as_str()?, attribute))).collect()
}
