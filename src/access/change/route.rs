//! Routes that change, come and go.

use std::collections::{BTreeMap, BTreeSet};

use super::guard::{compare, is_open, words, worst};
use super::value::{self, flag};
use super::{Finding, Found, Subject, Verdict, neutral, power, strengthened, weakened};
use crate::access::matrix::{Api, Behind, Cors, Kind, Limits, Matrix, Route, readable};
use crate::access::routing::{Request, Routes};

/// The routes of a new API.
pub(super) fn all_new(found: &mut Found, id: &str, api: &Api) {
    for (key, route) in &api.routes {
        if !route.is_preflight(key) {
            let name = found.names.of_part(id, key);
            let finding = new_route(&name, route);
            found.add(Subject::Route, name, finding);
        }
    }
    if api.document.is_some() {
        let words = format!("the OpenAPI document of {id} is new, and its routes are not read");
        found.add(Subject::Unseen, id, weakened(words));
    }
}

fn new_route(name: &str, route: &Route) -> Finding {
    let who = words(&route.guard);
    if is_open(&route.guard) {
        weakened(format!("{name} is new and {who}"))
    } else {
        neutral(format!("{name} is new and takes {who}"))
    }
}

/// The routes of an API that stays.
pub(super) fn routes(found: &mut Found, id: &str, (old, olds): (&Api, &Matrix), (new, news): (&Api, &Matrix)) {
    for (key, route) in &new.routes {
        if let Some(before) = old.routes.get(key) {
            same_route(found, id, key, (before, olds), (route, news));
        }
    }
    let changed: BTreeSet<&str> = old
        .routes
        .keys()
        .filter(|key| !new.routes.contains_key(*key))
        .chain(new.routes.keys().filter(|key| !old.routes.contains_key(*key)))
        .map(String::as_str)
        .collect();
    if changed.is_empty() {
        return;
    }
    if new.kind == Kind::WebSocket {
        return messages(found, id, old, new);
    }
    let [olds, news] = [old, new].map(|api| Routes::new(api.kind, api.routes.keys().map(String::as_str)));
    let Some(requests) = olds.told_apart(&news, &changed) else {
        let words = format!("{id} has more kinds of requests than can be compared");
        return found.add(Subject::Api, id, weakened(words));
    };
    let moves = Moves { id, old, new, olds, news };
    moves.tell(found, &requests, &changed);
}

/// Messages of a WebSocket are guarded by its connection, so what comes and goes moves nobody.
fn messages(found: &mut Found, id: &str, old: &Api, new: &Api) {
    for (key, route) in new.routes.iter().filter(|(key, _)| !old.routes.contains_key(*key)) {
        let name = found.names.of_part(id, key);
        let finding = new_route(&name, route);
        found.add(Subject::Route, name, finding);
    }
    for key in old.routes.keys().filter(|key| !new.routes.contains_key(*key)) {
        let name = found.names.of_part(id, key);
        found.add(Subject::Route, name.clone(), strengthened(format!("{name} goes")));
    }
}

/// A route that is there before and after.
fn same_route(found: &mut Found, id: &str, key: &str, (old, olds): (&Route, &Matrix), (new, news): (&Route, &Matrix)) {
    let name = found.names.of_part(id, key);
    for part in compare(&old.guard, &new.guard, &name) {
        match new.guard.authorizer().filter(|_| part.is_authorizer) {
            Some(authorizer) => {
                let owner = found.names.of_part(id, authorizer);
                found.add(Subject::Authorizer, owner, part.finding);
            }
            None => found.add(Subject::Route, name.clone(), part.finding),
        }
    }
    let findings = api_key(old, new, &name).into_iter().chain(condition(old, new, &name));
    let findings: Vec<Finding> = findings.chain(behind((old, olds), (new, news), &name)).collect();
    found.all(Subject::Route, &name, findings);
}

fn api_key(old: &Route, new: &Route, name: &str) -> Option<Finding> {
    flag(&old.api_key, &new.api_key, false, |needed| {
        if needed { format!("{name} needs an API key") } else { format!("{name} needs no API key any more") }
    })
}

/// Whether a route is there at all depends on something that cannot be told.
fn condition(old: &Route, new: &Route, name: &str) -> Option<Finding> {
    let said = |condition: &Option<String>| condition.as_ref().map_or("nothing".to_owned(), Clone::clone);
    let words =
        || format!("whether {name} is there depends on {} instead of {}", said(&new.only_if), said(&old.only_if));
    (old.only_if != new.only_if).then(|| weakened(words()))
}

/// What answers. Another function is another power behind the same door.
fn behind((old, olds): (&Route, &Matrix), (new, news): (&Route, &Matrix), name: &str) -> Vec<Finding> {
    if old.behind == new.behind {
        return Vec::new();
    }
    let said = |behind: &Behind| match behind {
        Behind::Function(id) => format!("function {}", readable(id)),
        Behind::Fixed => "a fixed answer".to_owned(),
        Behind::Other(address) => readable(address),
        Behind::Nothing => "nothing".to_owned(),
    };
    let mut findings = vec![neutral(format!("{name} leads to {} instead of {}", said(&new.behind), said(&old.behind)))];
    let powers = |behind: &Behind, matrix: &Matrix| match behind {
        Behind::Function(id) => matrix.functions.get(id).map(|function| function.powers.clone()),
        _ => None,
    };
    if let (Some(before), Some(after)) = (powers(&old.behind, olds), powers(&new.behind, news)) {
        let more = power::more(&before, &after);
        findings.extend(more.iter().map(|deed| weakened(format!("what is behind {name} may now {deed}"))));
    }
    findings
}

/// Requests that another route takes, or none.
struct Moves<'a> {
    id: &'a str,
    old: &'a Api,
    new: &'a Api,
    olds: Routes<'a>,
    news: Routes<'a>,
}

impl Moves<'_> {
    /// Tells what became of every route that came or went.
    fn tell(&self, found: &mut Found, requests: &[Request], changed: &BTreeSet<&str>) {
        let mut moved: BTreeMap<(Option<&str>, Option<&str>), &Request> = BTreeMap::new();
        for request in requests {
            let takers = (self.olds.taker(request), self.news.taker(request));
            if takers.0 != takers.1 {
                moved.entry(takers).or_insert(request);
            }
        }
        for ((before, after), request) in &moved {
            let (before, after) = (before.and_then(|key| self.old.routes.get_key_value(key)), after);
            let after = after.and_then(|key| self.new.routes.get_key_value(key));
            self.one(found, before, after, request);
        }
        for key in changed {
            let name = found.names.of_part(self.id, key);
            if found.tells_of(&name) {
                continue;
            }
            let finding = match (self.old.routes.get(*key), self.new.routes.get(*key)) {
                (_, Some(route)) | (Some(route), _) if route.is_preflight(key) => continue,
                _ if !key.contains(" /") && *key != "$default" => {
                    weakened(format!("{name} comes or goes, and which requests it takes cannot be told"))
                }
                (_, None) => {
                    let is_taken = moved.keys().any(|(before, after)| *before == Some(key) && after.is_some());
                    let words = format!("{name} goes");
                    if is_taken { neutral(words) } else { strengthened(words) }
                }
                // What it takes was taken before, or takes a guard: where it matters, it is told above.
                (_, Some(route)) => Finding { verdict: Verdict::Neutral, ..new_route(&name, route) },
            };
            found.add(Subject::Route, name, finding);
        }
    }

    fn one(
        &self,
        found: &mut Found,
        before: Option<(&String, &Route)>,
        after: Option<(&String, &Route)>,
        request: &Request,
    ) {
        let Some((key, route)) = after else { return };
        if route.is_preflight(key) {
            return;
        }
        let name = found.names.of_part(self.id, key);
        let Some((old_key, old_route)) = before else {
            if is_open(&route.guard) {
                let is_new = !self.old.routes.contains_key(key);
                let finding = if is_new { new_route(&name, route) } else { weakened(opened(&name, request, route)) };
                found.add(Subject::Route, name, finding);
            }
            return;
        };
        if !admits_more(old_route, route, &name) {
            return;
        }
        let old_name = found.names.of_part(self.id, old_key);
        let (who, was) = (words(&route.guard), words(&old_route.guard));
        let words = format!("{} is now taken by {name} ({who}) instead of {old_name} ({was})", request.words());
        // Whichever of the two came or went is what a reader of the stack file knows of.
        let is_new = !self.old.routes.contains_key(key);
        found.add(Subject::Route, if is_new { name } else { old_name }, weakened(words));
    }
}

fn opened(name: &str, request: &Request, route: &Route) -> String {
    format!("{} is now taken by {name}, {}", request.words(), words(&route.guard))
}

/// Whether somebody may pass the new route who could not pass the old one.
fn admits_more(old: &Route, new: &Route, name: &str) -> bool {
    let parts = compare(&old.guard, &new.guard, name);
    let key = api_key(old, new, name).map(|finding| finding.verdict);
    worst(&parts) == Some(Verdict::Weakened) || key == Some(Verdict::Weakened)
}

/// The throttles and caches of an API.
pub(super) fn limits(found: &mut Found, id: &str, old: &Api, new: &Api) {
    let only = |api: &'_ Api| (api.stages.len() == 1).then(|| api.stages.values().next().cloned()).flatten();
    for (name, stage) in &new.stages {
        // The only stage is what it was, whatever it is called.
        let Some(before) = old.stages.get(name).cloned().or_else(|| only(old).filter(|_| new.stages.len() == 1)) else {
            continue;
        };
        let of = format!("stage {} of {id}", readable(name));
        found.all(Subject::Throttle, &format!("throttle of {id}"), value::limits(&before.limits, &stage.limits, &of));
        let own: BTreeSet<&String> = before.routes.keys().chain(stage.routes.keys()).collect();
        for key in own {
            let (was, is): (&Limits, &Limits) = (before.limits(key), stage.limits(key));
            // What follows from the stage as a whole is told of that.
            if (was, is) != (&before.limits, &stage.limits) {
                let part = found.names.of_part(id, key);
                found.all(Subject::Throttle, &format!("throttle of {part}"), value::limits(was, is, &part));
            }
        }
    }
}

/// What CORS allowed at a path before, where there was something that a page could read: nothing where the path is new.
pub(super) fn cors_before(old: &Api, path: &str) -> Option<Cors> {
    if let Some(cors) = old.cors.get(path) {
        return Some(cors.clone());
    }
    let paths = || old.routes.iter().filter(|(key, route)| !route.is_preflight(key)).map(|(key, _)| key.as_str());
    let is_there = path == "/*" || paths().any(|key| key.ends_with(&format!(" {path}")));
    let greedy = paths().find(|key| key.ends_with("+}")).and_then(|key| key.split_once(' '));
    match (is_there, greedy) {
        (true, _) => Some(Cors::default()),
        (false, Some((_, greedy))) => Some(old.cors.get(greedy).cloned().unwrap_or_default()),
        (false, None) => None,
    }
}
