//! What pages of other origins may do.

use std::collections::{BTreeMap, BTreeSet};

use super::path::filled;
use super::{ApiKey, Carrier, Credential, Door, Gateway, Must, PLACEHOLDER, Place, Plan, Probe, Request, Shared};
use crate::access::matrix::{Cors, FunctionUrl, Guard, Kind};

/// The headers in which a browser says what a page would do.
pub(super) const ASKED_METHOD: &str = "access-control-request-method";
pub(super) const ASKED_HEADERS: &str = "access-control-request-headers";

/// An origin that nobody allows by name.
const EVIL: &str = "https://evil.example";

/// Where browsers ask.
struct Corner {
    door: Door,
    gateway: Gateway,
    path: String,
    /// The guarded route that takes their questions.
    hindrance: Option<String>,
    /// Whether a public route takes them, and its path has a value that nothing has.
    of_nothing: bool,
}

/// Questions as browsers ask them beforehand, from origins that may and that may not.
pub(super) fn probes(plan: &mut Plan, place: &Place<'_>) {
    match place.api.kind {
        Kind::Http => of_http(plan, place),
        Kind::Rest => place.api.cors.iter().for_each(|(path, cors)| of_rest(plan, place, (path, cors))),
        Kind::WebSocket => {}
    }
}

/// The same at the address of a function.
pub(super) fn of_url(plan: &mut Plan, door: &Door, url: &FunctionUrl) {
    let corner =
        Corner { door: door.clone(), gateway: Gateway::Url, path: "/".to_owned(), hindrance: None, of_nothing: false };
    match &url.cors {
        Some(cors) => allowed(plan, &corner, cors),
        None if url.guard == Guard::Iam => nobody(plan, &corner),
        // What a public function says to browsers is its own affair.
        None => {}
    }
}

fn of_rest(plan: &mut Plan, place: &Place<'_>, (path, cors): (&str, &Cors)) {
    if path.is_empty() {
        return plan.leave_out(door(place, ALL), "a path", "what it is, only the deployment knows");
    }
    let corner = corner(place, door(place, path), filled(path));
    allowed(plan, &corner, cors);
}

/// An HTTP API answers alike wherever no route takes the question, so that one such path is enough. Elsewhere the route
/// has its say.
fn of_http(plan: &mut Plan, place: &Place<'_>) {
    for (taker, path) in paths_by_taker(place) {
        let named = taker.and_then(|key| Some(key.split_once(' ')?.1)).unwrap_or(ALL);
        let door = door(place, named);
        let route = taker.and_then(|key| place.api.routes.get(key));
        if let Some(condition) = route.and_then(|route| route.only_if.as_ref()) {
            let why = format!("the route that takes it is there only if {condition}, which the file does not tell");
            plan.leave_out(door, "what browsers ask", why);
            continue;
        }
        let is_guarded = route.is_some_and(|route| route.guard != Guard::Public);
        let hindrance = taker.filter(|_| is_guarded).map(str::to_owned);
        let of_nothing = taker.is_some() && !is_guarded && path.contains(PLACEHOLDER);
        let corner = Corner { hindrance, of_nothing, ..corner(place, door, path) };
        match place.api.cors.get(ALL) {
            Some(cors) => allowed(plan, &corner, cors),
            None if route.is_none() || is_guarded => nobody(plan, &corner),
            // Without a word about CORS, what a public function answers to OPTIONS is its own affair.
            None => {}
        }
    }
}

/// Every path.
const ALL: &str = "/*";

/// The routes that take the questions of browsers, and a path where each does; and one where no route does.
fn paths_by_taker<'a>(place: &'a Place<'_>) -> BTreeMap<Option<&'a str>, String> {
    let keys = || place.api.routes.keys();
    let is_known = |path: &&str| path.starts_with('/') && !path.contains("${");
    let declared = keys().filter_map(|key| Some(key.split_once(' ')?.1)).filter(is_known).map(filled);
    let other = keys().any(|key| key == "$default").then(|| filled("/{stackgen}"));
    let paths: BTreeSet<String> = declared.chain(other).collect();
    let mut takers = BTreeMap::new();
    for path in paths {
        takers.entry(place.taker("OPTIONS", &path)).or_insert(path);
    }
    takers
}

fn door(place: &Place<'_>, path: &str) -> Door {
    Door::Cors { api: place.id.to_owned(), stage: place.stage.to_owned(), path: path.to_owned() }
}

fn corner(place: &Place<'_>, door: Door, path: String) -> Corner {
    Corner { door, gateway: Gateway::of(place.api.kind), path, hindrance: None, of_nothing: false }
}

fn nobody(plan: &mut Plan, corner: &Corner) {
    let bad = Must::NotShare(EVIL.to_owned());
    plan.probes.push(question(corner, &Wish::default(), EVIL, bad, "no other origin is allowed".to_owned()));
}

fn allowed(plan: &mut Plan, corner: &Corner, cors: &Cors) {
    let known = |origin: &&String| !origin.contains("${");
    for origin in cors.origins.iter().filter(|origin| !known(origin)) {
        plan.leave_out(corner.door.clone(), format!("origin {origin}"), "what it is, only the deployment knows");
    }
    let wish = Wish::of(cors);
    for allowed in cors.origins.iter().filter(known) {
        let origin = if allowed.contains('*') { allowed.replace('*', "stackgen.example") } else { allowed.clone() };
        let origin = if allowed == "*" { EVIL.to_owned() } else { origin };
        let must = Must::Share(Shared { of_nothing: corner.of_nothing, ..shared(cors, allowed, &origin) });
        plan.probes.push(question(corner, &wish, &origin, must, why(corner)));
    }
    if cors.origins.iter().all(|origin| known(&origin)) {
        for origin in strangers(&cors.origins) {
            let why = "only whom the file names may read answers".to_owned();
            plan.probes.push(question(corner, &wish, &origin, Must::NotShare(origin.clone()), why));
        }
    }
}

/// What an origin may do that is allowed by this pattern.
fn shared(cors: &Cors, allowed: &str, origin: &str) -> Shared {
    Shared {
        origin: origin.to_owned(),
        with_everybody: allowed == "*",
        credentials: cors.credentials.known().copied(),
        methods: cors.methods.clone(),
        headers: cors.headers.clone(),
        of_nothing: false,
    }
}

fn why(corner: &Corner) -> String {
    match &corner.hindrance {
        None => "the file allows it, and no more than it says".to_owned(),
        Some(key) => format!("the file allows it; but browsers ask `{key}` beforehand, and show no credentials then"),
    }
}

/// What a page says that it would do.
struct Wish {
    method: String,
    headers: Vec<String>,
}

impl Default for Wish {
    fn default() -> Self {
        Self { method: "GET".to_owned(), headers: Vec::new() }
    }
}

impl Wish {
    /// Something for which browsers ask, as far as the file allows any.
    fn of(cors: &Cors) -> Self {
        let some = |name: &str, instead: &str| if name == "*" { instead.to_owned() } else { name.to_owned() };
        let method = methods_to_tell(&cors.methods).next().map_or("GET".to_owned(), |method| some(method, "PUT"));
        let headers = headers_to_tell(&cors.headers).map(|header| some(header, "x-stackgen-verify"));
        Self { method, headers: headers.collect() }
    }
}

/// The methods that browsers must be told of, so that a page can use them.
pub(super) fn methods_to_tell(declared: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    let is_for_all = |method: &str| OF_EVERY_PAGE.iter().any(|own| own.eq_ignore_ascii_case(method));
    headers_to_tell(declared).filter(move |method| !is_for_all(method))
}

/// The headers that browsers must be told of, as far as the file says them.
pub(super) fn headers_to_tell(declared: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    declared.iter().map(String::as_str).filter(|name| !name.contains("${"))
}

/// The methods that browsers let every page use: <https://fetch.spec.whatwg.org/#cors-safelisted-method>.
const OF_EVERY_PAGE: [&str; 3] = ["GET", "HEAD", "POST"];

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

fn question(corner: &Corner, wish: &Wish, origin: &str, must: Must, why: String) -> Probe {
    let mut headers = vec![("origin", origin.to_owned()), (ASKED_METHOD, wish.method.clone())];
    if !wish.headers.is_empty() {
        headers.push((ASKED_HEADERS, wish.headers.join(",")));
    }
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Probe {
        door: corner.door.clone(),
        gateway: corner.gateway,
        request: Request { method: "OPTIONS".to_owned(), path: corner.path.clone(), query: Vec::new(), headers },
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
