//! Routes that change, come and go.

use std::collections::{BTreeMap, BTreeSet};

use super::guard::{compare, is_open, words, worst};
use super::power::Compared;
use super::value::{self, flag};
use super::{Finding, Found, Subject, Verdict, neutral, power, strengthened, weakened};
use crate::access::matrix::{
    Api, Behind, Cors, Guard, KeySource, Kind, Limits, Matrix, Powers, Route, Setting, Stage, readable,
};
use crate::access::routing::{Request, Routes};

/// The routes of a new API.
pub(super) fn all_new(found: &mut Found<'_>, id: &str, api: &Api) {
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
pub(super) fn routes<'a>(
    found: &mut Found<'a>,
    id: &str,
    (old, olds): (&Api, &'a Matrix),
    (new, news): (&Api, &'a Matrix),
) {
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
fn messages(found: &mut Found<'_>, id: &str, old: &Api, new: &Api) {
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
fn same_route<'a>(
    found: &mut Found<'a>,
    id: &str,
    key: &str,
    (old, olds): (&Route, &'a Matrix),
    (new, news): (&Route, &'a Matrix),
) {
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
    let behind = behind(&mut found.compared, (old, olds), (new, news), &name);
    let findings = api_key(old, new, &name).into_iter().chain(condition(old, new, &name));
    let findings = findings.chain(behind).chain(call(old, new, &name));
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
fn behind<'a>(
    compared: &mut Compared<'a>,
    (old, olds): (&Route, &'a Matrix),
    (new, news): (&Route, &'a Matrix),
    name: &str,
) -> Vec<Finding> {
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
    if let (Some(before), Some(after)) = (powers(&old.behind, olds), powers(&new.behind, news)) {
        findings.extend(power::more(compared, &format!("what is behind {name}"), before, after));
    }
    findings
}

/// What a function may do that answers.
fn powers<'a>(behind: &Behind, matrix: &'a Matrix) -> Option<&'a Powers> {
    match behind {
        Behind::Function(id) => matrix.functions.get(id).map(|function| function.powers.as_ref()),
        _ => None,
    }
}

/// With which rights the gateway calls what answers, and what it asks of it.
fn call(old: &Route, new: &Route, name: &str) -> Option<Finding> {
    let words =
        format!("with which rights {name} calls what answers, or what it asks of that, changes and is not read");
    (new.call.is_some() && old.call != new.call).then(|| weakened(words))
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
    fn tell(&self, found: &mut Found<'_>, requests: &[Request], changed: &BTreeSet<&str>) {
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
        found: &mut Found<'_>,
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

/// The stages of an API: throttles and caches, variables, and the copy of the API that each serves.
pub(super) fn stages(found: &mut Found<'_>, id: &str, old: &Api, new: &Api) {
    let only = |api: &'_ Api| (api.stages.len() == 1).then(|| api.stages.values().next().cloned()).flatten();
    for (name, stage) in &new.stages {
        let of = format!("stage {} of {id}", readable(name));
        // The only stage is what it was, whatever it is called.
        let Some(before) = old.stages.get(name).cloned().or_else(|| only(old).filter(|_| new.stages.len() == 1)) else {
            new_stage(found, id, (old, &of), stage);
            another_way(found, id, (old, new), (&of, stage));
            continue;
        };
        found.all(Subject::Throttle, &format!("throttle of {id}"), value::limits(&before.limits, &stage.limits, &of));
        for (key, was, is) in own_limits(&before, stage) {
            let part = found.names.of_part(id, key);
            found.all(Subject::Throttle, &format!("throttle of {part}"), value::limits(was, is, &part));
        }
        variables(found, id, (old, new), (&before, stage));
        found.all(Subject::Api, id, deployment((old, new), (&before, stage), &of));
    }
}

/// Limits of routes that do not follow from those of the stages.
fn own_limits<'a>(old: &'a Stage, new: &'a Stage) -> Vec<(&'a str, &'a Limits, &'a Limits)> {
    let own: BTreeSet<&String> = old.routes.keys().chain(new.routes.keys()).collect();
    let limits = own.into_iter().map(|key| (key.as_str(), old.limits(key), new.limits(key)));
    limits.filter(|(_, was, is)| (*was, *is) != (&old.limits, &new.limits)).collect()
}

/// A new stage is one more way to the same routes. Where it is bounded less than each of those that were there, it may be
/// called more often.
fn new_stage(found: &mut Found<'_>, id: &str, (old, of): (&Api, &str), new: &Stage) {
    let Some(strictest) = old.stages.values().cloned().reduce(strictest) else { return };
    let weaker = |findings: Vec<Finding>| findings.into_iter().filter(|one| one.verdict == Verdict::Weakened);
    let whole = weaker(value::limits(&strictest.limits, &new.limits, of));
    found.all(Subject::Throttle, &format!("throttle of {id}"), whole);
    for (key, was, is) in own_limits(&strictest, new) {
        let part = found.names.of_part(id, key);
        let of = format!("{part} at {of}");
        found.all(Subject::Throttle, &format!("throttle of {part}"), weaker(value::limits(was, is, &of)));
    }
}

/// A new stage may lead to other copies of the API, and to other guards by its variables.
fn another_way(found: &mut Found<'_>, id: &str, (old, new): (&Api, &Api), (of, stage): (&str, &Stage)) {
    let served: BTreeSet<&String> = old.stages.values().flat_map(|it| [&it.deployment, &it.canary]).flatten().collect();
    let is_fresh = |copy: &String| new.deployments.contains(copy) && !old.deployments.contains(copy);
    let copies = [(&stage.deployment, of.to_owned()), (&stage.canary, format!("the canary of {of}"))];
    for (copy, of) in copies.iter().filter_map(|(copy, of)| Some((copy.as_ref()?, of))) {
        if !served.contains(copy) && !is_fresh(copy) {
            let words = format!("{of} is new and serves deployment {}, which is not read", readable(copy));
            found.add(Subject::Api, id, weakened(words));
        }
    }
    let fewest = old.stages.values().map(|it| differing(it, stage)).min_by_key(BTreeSet::len);
    let names = fewest.unwrap_or_else(|| stage.variables.keys().collect());
    for (name, key) in asking(&names, new.routes.iter()) {
        let part = found.names.of_part(id, key);
        let words = format!("stage variable {name} of {of}, which is new, is one on which {part} depends");
        found.add(Subject::Route, part, weakened(words));
    }
}

/// The names of variables in which two stages differ.
fn differing<'a>(one: &'a Stage, other: &'a Stage) -> BTreeSet<&'a String> {
    let names = one.variables.keys().chain(other.variables.keys());
    names.filter(|name| one.variables.get(*name) != other.variables.get(*name)).collect()
}

fn strictest(one: Stage, other: Stage) -> Stage {
    let least = |one: Option<Setting<f64>>, other: Option<Setting<f64>>| match (one, other) {
        (Some(Setting::Known(one)), Some(Setting::Known(other))) => Some(Setting::Known(one.min(other))),
        (Some(Setting::Unknown { .. }) | None, bound @ Some(Setting::Known(_))) => bound,
        (bound, other) => bound.or(other),
    };
    let limits = |one: &Limits, other: &Limits| Limits {
        rate: least(one.rate.clone(), other.rate.clone()),
        burst: least(one.burst.clone(), other.burst.clone()),
        cached: one
            .cached
            .as_ref()
            .zip(other.cached.as_ref())
            .and_then(|(one, other)| least(Some(one.clone()), Some(other.clone()))),
    };
    let keys: BTreeSet<&String> = one.routes.keys().chain(other.routes.keys()).collect();
    let routes = keys.into_iter().map(|key| (key.clone(), limits(one.limits(key), other.limits(key))));
    Stage { routes: routes.collect(), limits: limits(&one.limits, &other.limits), ..Stage::default() }
}

/// Variables of a stage: guards and what is behind them may name one, and a function that decides is given them all.
fn variables(found: &mut Found<'_>, id: &str, (old, new): (&Api, &Api), (before, after): (&Stage, &Stage)) {
    for (name, key) in asking(&differing(before, after), old.routes.iter().chain(&new.routes)) {
        let part = found.names.of_part(id, key);
        let words = format!("stage variable {name} changes, on which {part} depends");
        found.add(Subject::Route, part, weakened(words));
    }
}

/// Each of these stage variables with the key of each route that it may decide.
fn asking<'a>(
    names: &BTreeSet<&'a String>,
    routes: impl Iterator<Item = (&'a String, &'a Route)>,
) -> Vec<(&'a str, &'a str)> {
    if names.is_empty() {
        return Vec::new();
    }
    let said = |route: &Route| serde_json::to_string(&(&route.guard, &route.behind)).unwrap_or_default();
    // A route says the same to every variable.
    let routes: Vec<(&String, &Route, String)> = routes.map(|(key, route)| (key, route, said(route))).collect();
    let pairs = names.iter().flat_map(|name| routes.iter().map(move |route| (name, route)));
    let asking = pairs.filter(|(name, (_, route, said))| asks_stage(route, said, name));
    asking.map(|(name, (key, ..))| (name.as_str(), key.as_str())).collect()
}

/// Whether a stage variable may decide who passes a route, or what answers. `said` is what the route says of both.
fn asks_stage(route: &Route, said: &str, name: &str) -> bool {
    let plain = name.strip_prefix("canary ").unwrap_or(name);
    let is_named =
        said.contains(&format!("stageVariables.{plain}")) || (plain == "*" && said.contains("stageVariables."));
    let is_given = matches!(&route.guard, Guard::Lambda(lambda)
        if !lambda.form.starts_with("TOKEN") && !lambda.is_ours());
    is_named || is_given
}

/// Which copy of the API a stage serves, and its canary: only a copy that is made by this very change is known to be what
/// the template says.
fn deployment((old, new): (&Api, &Api), (before, after): (&Stage, &Stage), of: &str) -> Vec<Finding> {
    let is_own = |api: &Api, copy: &Option<String>| copy.as_ref().is_none_or(|id| api.deployments.contains(id));
    let is_fresh = |copy: &Option<String>| copy.as_ref().is_none_or(|id| !old.deployments.contains(id));
    let copies = [
        (&before.deployment, &after.deployment, of.to_owned()),
        (&before.canary, &after.canary, format!("the canary of {of}")),
    ];
    let differ =
        copies.into_iter().filter(|(was, is, _)| was != is && !(is_own(old, was) && is_own(new, is) && is_fresh(is)));
    let said = |copy: &Option<String>| copy.as_ref().map_or("the API itself".to_owned(), |copy| readable(copy));
    let told = differ.map(|(was, is, of)| {
        weakened(format!("{of} serves deployment {} instead of {}, which is not read", said(is), said(was)))
    });
    told.collect()
}

/// Where API keys are looked for, as far as some route needs one.
pub(super) fn key_source(id: &str, old: &Api, new: &Api) -> Option<Finding> {
    let is_needed = new.routes.values().any(|route| route.api_key != Setting::Known(false));
    if old.key_source == new.key_source || !is_needed {
        return None;
    }
    Some(match &new.key_source {
        Setting::Known(KeySource::Header) => strengthened(format!("{id} takes API keys from callers only")),
        Setting::Known(KeySource::Authorizer) => {
            weakened(format!("{id} takes API keys from the functions that decide, and callers need none"))
        }
        Setting::Unknown { unknown } => weakened(format!("{id} takes API keys from {}", readable(unknown))),
    })
}

/// Paths of which the gateway says no more who may read the answers, where what is behind it may. While CORS is configured
/// for an HTTP API, the headers of a function's answers do not count.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>
pub(super) fn cors_left_to_functions(old: &Api, new: &Api) -> Vec<Finding> {
    let routes = Routes::new(new.kind, new.routes.keys().map(String::as_str));
    let is_passed_on = |behind: &Behind| matches!(behind, Behind::Function(_) | Behind::Other(_));
    let gone = old.cors.keys().filter(|path| !new.cors.contains_key(*path));
    let told = gone.filter_map(|path| {
        let is_left = if path == "/*" {
            new.routes.values().any(|route| is_passed_on(&route.behind))
        } else {
            let taker = routes.taker(&Request::of(new.kind, "OPTIONS", path)).and_then(|key| new.routes.get(key));
            // Browsers send no token with a preflight: one that is guarded is refused.
            taker.is_some_and(|route| is_passed_on(&route.behind) && is_open(&route.guard))
        };
        let at = if path == "/*" { String::new() } else { format!(" at {path}") };
        is_left.then(|| weakened(format!("CORS is left to what is behind the API, which is not read{at}")))
    });
    told.collect()
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
