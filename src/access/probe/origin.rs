//! What pages of other origins may do.

use std::collections::BTreeSet;

use super::{ApiKey, Carrier, Credential, Door, Gateway, Must, Place, Plan, Probe, Request, Shared};
use crate::access::matrix::{Cors, FunctionUrl, Guard, Kind};

/// An origin that nobody allows by name.
const EVIL: &str = "https://evil.example";

/// Where browsers ask.
struct Corner<'a> {
    door: Door,
    gateway: Gateway,
    path: &'a str,
}

/// Questions as browsers ask them beforehand, from origins that may and that may not.
pub(super) fn probes(plan: &mut Plan, place: &Place<'_>) {
    match place.api.kind {
        Kind::Http => of_http(plan, place),
        Kind::Rest => {
            for (path, cors) in &place.api.cors {
                allowed(plan, &asked(place, path, path), cors);
            }
        }
        Kind::WebSocket => {}
    }
}

/// The same at the address of a function.
pub(super) fn of_url(plan: &mut Plan, door: &Door, url: &FunctionUrl) {
    let place = Corner { door: door.clone(), gateway: Gateway::Url, path: "/" };
    match &url.cors {
        Some(cors) => allowed(plan, &place, cors),
        None if url.guard == Guard::Iam => nobody(plan, &place),
        // What a public function says to browsers is its own affair.
        None => {}
    }
}

/// The whole of an HTTP API answers alike, so one path is enough.
fn of_http(plan: &mut Plan, place: &Place<'_>) {
    let paths = place.api.routes.keys().filter_map(|key| Some(key.split_once(' ')?.1));
    let Some(path) = paths.min().map(super::path::filled) else { return };
    let asked = asked(place, "/*", &path);
    match place.api.cors.get("/*") {
        Some(cors) => allowed(plan, &asked, cors),
        None => {
            // Without a word about CORS, what a public function answers to OPTIONS is its own affair.
            let taker = place.taker("OPTIONS", &path).and_then(|key| place.api.routes.get(key));
            if taker.is_none_or(|route| route.guard != Guard::Public) {
                nobody(plan, &asked);
            }
        }
    }
}

fn asked<'a>(place: &Place<'_>, named: &str, path: &'a str) -> Corner<'a> {
    let door = Door::Cors { api: place.id.to_owned(), stage: place.stage.to_owned(), path: named.to_owned() };
    Corner { door, gateway: Gateway::of(place.api.kind), path }
}

fn nobody(plan: &mut Plan, place: &Corner<'_>) {
    let bad = Must::NotShare(EVIL.to_owned());
    plan.probes.push(question(place, EVIL, bad, "no other origin is allowed".to_owned()));
}

fn allowed(plan: &mut Plan, place: &Corner<'_>, cors: &Cors) {
    let known = |origin: &&String| !origin.contains("${");
    for origin in cors.origins.iter().filter(|origin| !known(origin)) {
        plan.leave_out(place.door.clone(), format!("origin {origin}"), "what it is, only the deployment knows");
    }
    for allowed in cors.origins.iter().filter(known) {
        let origin = if allowed.contains('*') { allowed.replace('*', "stackgen.example") } else { allowed.clone() };
        let origin = if allowed == "*" { EVIL.to_owned() } else { origin };
        let shared = Shared {
            origin: origin.clone(),
            with_everybody: allowed == "*",
            credentials: cors.credentials,
            methods: cors.methods.clone(),
            headers: cors.headers.clone(),
        };
        let why = "the file allows it, and no more than it says".to_owned();
        plan.probes.push(question(place, &origin, Must::Share(shared), why));
    }
    if cors.origins.iter().all(|origin| known(&origin)) {
        for origin in strangers(&cors.origins) {
            let why = "only whom the file names may read answers".to_owned();
            plan.probes.push(question(place, &origin, Must::NotShare(origin.clone()), why));
        }
    }
}

/// Origins that are not allowed, those first that resemble one which is.
fn strangers(allowed: &BTreeSet<String>) -> BTreeSet<String> {
    let alike = allowed.iter().filter(|origin| !origin.contains('*')).flat_map(|origin| resembling(origin));
    let all = alike.chain([EVIL.to_owned(), "null".to_owned()]);
    all.filter(|origin| !allowed.iter().any(|allowed| matches(allowed, origin))).collect()
}

fn resembling(origin: &str) -> Vec<String> {
    let Some((scheme, host)) = origin.split_once("://") else { return Vec::new() };
    let other = if scheme == "https" { "http" } else { "https" };
    let name = host.split(':').next().unwrap_or(host);
    vec![
        format!("{origin}.evil.example"),
        format!("{scheme}://{name}.evil.example"),
        format!("{scheme}://evil-{host}"),
        format!("{other}://{host}"),
    ]
}

/// `*` is every origin, `https://*` every one of that scheme.
fn matches(allowed: &str, origin: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(start) => origin.starts_with(start),
        None => allowed.eq_ignore_ascii_case(origin),
    }
}

fn question(place: &Corner<'_>, origin: &str, must: Must, why: String) -> Probe {
    let headers = [("origin", origin), ("access-control-request-method", "GET")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Probe {
        door: place.door.clone(),
        gateway: place.gateway,
        request: Request { method: "OPTIONS".to_owned(), path: place.path.to_owned(), query: Vec::new(), headers },
        credential: Credential::Nothing,
        carrier: Carrier::default(),
        api_key: ApiKey::NotAsked,
        must,
        what: format!("a page of {origin}"),
        why,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::strangers;

    fn set(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn strangers_resemble_whom_they_are_not() {
        let all = strangers(&set(&["https://good.example"]));
        for expected in [
            "null",
            "https://evil.example",
            "https://good.example.evil.example",
            "https://evil-good.example",
            "http://good.example",
        ] {
            assert!(all.contains(expected), "{expected} in {all:?}");
        }
        assert!(!all.contains("https://good.example"));
    }

    #[test]
    fn nobody_is_a_stranger_where_all_may() {
        assert!(strangers(&set(&["*"])).is_empty());
        assert_eq!(strangers(&set(&["https://*"])), set(&["null"]));
    }
}
