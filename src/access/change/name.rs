//! Names under which changes are told and weakenings are accepted: as short as they can be without meaning two things.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::matrix::Matrix;

/// The names of routes and authorizers, each with the APIs that have one of that name.
pub(super) struct Names {
    owners: BTreeMap<String, BTreeSet<String>>,
}

impl Names {
    pub(super) fn of(old: &Matrix, new: &Matrix) -> Self {
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, api) in old.apis.iter().chain(&new.apis) {
            let authorizers = api.routes.values().filter_map(|route| route.guard.authorizer());
            for name in api.routes.keys().map(String::as_str).chain(authorizers) {
                owners.entry(name.to_owned()).or_default().insert(id.clone());
            }
        }
        Self { owners }
    }

    /// A route or authorizer of an API: `GET /orders` where no other API has one of that name, else `Api GET /orders`.
    pub(super) fn of_part(&self, api: &str, part: &str) -> String {
        let is_plain = self.owners.get(part).is_none_or(|owners| owners.len() < 2);
        if is_plain { part.to_owned() } else { format!("{api} {part}") }
    }
}
