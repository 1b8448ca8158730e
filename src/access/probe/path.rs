//! Other methods, and paths that look like another one.

use super::{ApiKey, At, Carrier, Credential, Gateway, Must, PLACEHOLDER, Plan, Probe, Request};
use crate::access::matrix::{Guard, Kind};

/// The methods that are tried, those that change nothing first.
pub(super) const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

/// A path in which every parameter has a value that nothing has.
pub(super) fn filled(pattern: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { PLACEHOLDER.to_owned() } else { part.to_owned() };
    pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Calls without credentials that must not come round the guard of a route.
pub(super) fn probes(plan: &mut Plan, at: &At<'_>) {
    let Request { method, path, .. } = &at.request;
    for other in METHODS.into_iter().filter(|other| other != method) {
        // Where a path of a REST API has CORS, questions of browsers are answered there. What an HTTP API answers to them, it
        // answers to browsers only.
        let is_answered = other == "OPTIONS" && has_preflight(at);
        if !is_answered && is_open_to_nobody(at, other, &[path]) {
            plan.probes.push(trick(at, other, path.clone(), format!("method {other}"), METHOD));
        }
    }
    for (words, spelled, meant) in spellings(path) {
        // Whether escapes are undone before a route is chosen is not said anywhere.
        let as_it_stands = spelled.replace('%', "%25");
        if is_open_to_nobody(at, method, &[&spelled, &as_it_stands, &meant]) {
            plan.probes.push(trick(at, method, spelled, words.to_owned(), PATH));
        }
    }
}

const METHOD: &str = "no other method of the path is public";
const PATH: &str = "no other spelling of the path may lead around the guard";

fn has_preflight(at: &At<'_>) -> bool {
    let taker = at.place.taker("OPTIONS", &at.request.path);
    taker.is_some_and(|key| at.place.api.routes.get(key).is_some_and(|route| route.is_preflight(key)))
}

/// Whether no public route takes the request, however its path is read.
fn is_open_to_nobody(at: &At<'_>, method: &str, readings: &[&String]) -> bool {
    let guard = |path: &&String| {
        let key = at.place.taker(method, path)?;
        at.place.api.routes.get(key).map(|route| &route.guard)
    };
    readings.iter().filter_map(guard).all(|guard| !matches!(guard, Guard::Public | Guard::Unknown { .. }))
}

fn trick(at: &At<'_>, method: &str, path: String, what: String, why: &str) -> Probe {
    Probe {
        door: at.door.clone(),
        gateway: if at.place.api.kind == Kind::Rest { Gateway::Rest } else { Gateway::Http },
        request: Request { method: method.to_owned(), path, ..at.request.clone() },
        credential: Credential::Nothing,
        carrier: Carrier::default(),
        api_key: ApiKey::NotAsked,
        must: Must::ReachNothing,
        what,
        why: why.to_owned(),
    }
}

/// Other spellings of a path: what each is called, how it is sent, and what whoever resolves it may read in it.
fn spellings(path: &str) -> Vec<(&'static str, String, String)> {
    let whole = path.to_owned();
    let inner = path.trim_start_matches('/');
    let mut all = vec![
        ("a double slash in front", format!("/{path}"), whole.clone()),
        ("a dot segment", format!("/.{path}"), whole.clone()),
        ("two dot segments", format!("/x/..{path}"), whole.clone()),
        ("an encoded dot segment", format!("/%2e{path}"), whole.clone()),
    ];
    if inner.is_empty() {
        return all;
    }
    all.push(("a slash behind", format!("{path}/"), whole.clone()));
    all.push(("an encoded slash in front", format!("/%2f{inner}"), whole.clone()));
    all.push(("an encoded slash behind", format!("{path}%2f"), whole.clone()));
    if let Some((before, last)) = inner.rsplit_once('/') {
        all.push(("a double slash within", format!("/{before}//{last}"), whole.clone()));
        all.push(("an encoded slash within", format!("/{before}%2f{last}"), whole.clone()));
    }
    if let Some(first) = inner.chars().next().filter(char::is_ascii_alphanumeric) {
        let rest = &inner[first.len_utf8()..];
        all.push(("an encoded letter", format!("/%{:02x}{rest}", first as u32), whole));
    }
    let other_case = other_case(path);
    if other_case != path {
        all.push(("another case", other_case.clone(), other_case));
    }
    all
}

fn other_case(path: &str) -> String {
    let upper = path.to_ascii_uppercase();
    if upper == path { path.to_ascii_lowercase() } else { upper }
}

#[cfg(test)]
mod tests {
    use super::{filled, spellings};

    #[test]
    fn parameters_get_a_value_that_nothing_has() {
        assert_eq!(filled("/notes/{id}/{proxy+}"), "/notes/stackgen-verify/stackgen-verify");
        assert_eq!(filled("/"), "/");
    }

    #[test]
    fn every_spelling_differs_from_the_path() {
        for path in ["/", "/protected", "/notes/all", "/1/2"] {
            let all = spellings(path);
            assert!(all.iter().all(|(_, spelled, _)| spelled != path && spelled.starts_with('/')), "{all:?}");
        }
        let all: Vec<String> = spellings("/notes/all").into_iter().map(|(_, spelled, _)| spelled).collect();
        for expected in ["//notes/all", "/notes/all/", "/notes//all", "/notes%2fall", "/./notes/all", "/NOTES/ALL"] {
            assert!(all.iter().any(|spelled| spelled == expected), "{expected} in {all:?}");
        }
    }
}
