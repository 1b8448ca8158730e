//! The order of guards.

use std::collections::{BTreeMap, BTreeSet};

use super::value::{Weaker, admits, demands, listed, number, shown};
use super::{Finding, Verdict, neutral, strengthened, weakened};
use crate::access::matrix::{Cognito, Guard, Jwt, Lambda, Setting, readable};

/// Something that was found about a guard, and whose it is.
pub(super) struct Part {
    pub(super) finding: Finding,
    /// Whether the authorizer as a whole changes, and not only what one route asks.
    pub(super) is_authorizer: bool,
}

impl From<Part> for Finding {
    fn from(part: Part) -> Self {
        part.finding
    }
}

fn of_route(finding: Finding) -> Part {
    Part { finding, is_authorizer: false }
}

/// Whether everybody may pass, as far as is known.
pub(super) fn is_open(guard: &Guard) -> bool {
    matches!(guard, Guard::Public | Guard::Unknown { .. })
}

/// A guard in a few words.
pub(super) fn words(guard: &Guard) -> String {
    match guard {
        Guard::Public => "PUBLIC".to_owned(),
        Guard::Connected => "who is connected".to_owned(),
        Guard::Jwt(jwt) => format!("a token of {}", readable(&jwt.issuer)),
        Guard::Cognito(cognito) => format!("a token of user pool {}", listed(&cognito.pools)),
        Guard::Lambda(lambda) => format!("whom function {} lets pass", readable(&lambda.function)),
        Guard::Iam => "a signature with AWS keys".to_owned(),
        Guard::Unknown { authorization, .. } => format!("UNKNOWN ({})", readable(authorization)),
    }
}

/// What changes between two guards of a route, or of something else with a name.
pub(super) fn compare(old: &Guard, new: &Guard, route: &str) -> Vec<Part> {
    match (old, new) {
        (old, new) if old == new => Vec::new(),
        (Guard::Jwt(old), Guard::Jwt(new)) => jwt(old, new, route),
        (Guard::Cognito(old), Guard::Cognito(new)) => cognito(old, new, route),
        (Guard::Lambda(old), Guard::Lambda(new)) => lambda(old, new, route),
        (_, Guard::Public) => vec![of_route(weakened(format!("{route} becomes PUBLIC")))],
        (Guard::Public, Guard::Unknown { .. }) => {
            vec![of_route(neutral(format!("{route} is not PUBLIC for certain any more: {}", words(new))))]
        }
        (Guard::Public, _) => vec![of_route(strengthened(format!("{route} is not PUBLIC any more: {}", words(new))))],
        (_, Guard::Unknown { expression, .. }) => {
            let said = if expression.is_empty() { String::new() } else { format!(", {}", readable(expression)) };
            vec![of_route(weakened(format!("who passes at {route} cannot be told any more: {}{said}", words(new))))]
        }
        (Guard::Unknown { .. }, _) => {
            let who = words(new);
            vec![of_route(weakened(format!("{route} takes {who}, and who passed before cannot be told")))]
        }
        _ => vec![of_route(weakened(format!("{route} takes {} instead of {}", words(new), words(old))))],
    }
}

/// What is said when a route gets another authorizer, beside what that asks.
fn renamed(old: &str, new: &str, route: &str) -> Option<Part> {
    (old != new).then(|| of_route(neutral(format!("{route} is guarded by {new} instead of {old}"))))
}

/// Whose a change is: that of the authorizer, unless the route has another one now.
fn owned(old: &str, new: &str) -> impl Fn(Finding) -> Part + use<> {
    let is_authorizer = old == new;
    move |finding| Part { finding, is_authorizer }
}

fn jwt(old: &Jwt, new: &Jwt, route: &str) -> Vec<Part> {
    let name = &new.authorizer;
    let own = owned(&old.authorizer, name);
    let mut parts: Vec<Part> = renamed(&old.authorizer, name, route).into_iter().collect();
    if old.issuer == new.issuer {
        parts.extend(audiences(old, new).into_iter().map(&own));
    } else {
        let (before, after) = (readable(&old.issuer), readable(&new.issuer));
        parts.push(own(weakened(format!("issuer of {name} changes from {before} to {after}"))));
    }
    parts.extend(sources(&old.sources, &new.sources, name).map(&own));
    parts.extend(scopes(old, new, route).into_iter().map(of_route));
    parts
}

fn audiences(old: &Jwt, new: &Jwt) -> Vec<Finding> {
    let name = &new.authorizer;
    if old.audiences != new.audiences && (old.audiences.is_empty() || new.audiences.is_empty()) {
        // Without an audience the gateway's answer is not documented.
        return vec![weakened(format!("audience of {name} changes from none to some, or back"))];
    }
    admits(
        &old.audiences,
        &new.audiences,
        |came| format!("audience of {name} now has {came}"),
        |went| format!("audience of {name} has {went} no more"),
    )
}

/// Where a token is looked for. Who has one passes wherever that is; but browsers send cookies along from every page.
fn sources(old: &BTreeSet<String>, new: &BTreeSet<String>, name: &str) -> impl Iterator<Item = Finding> + use<> {
    let is_cookie =
        |sources: &BTreeSet<String>| sources.iter().any(|source| source.to_ascii_lowercase().contains("cookie"));
    let words = format!("{name} looks for the token in {} instead of {}", listed(new), listed(old));
    let worse = is_cookie(new) && !is_cookie(old);
    let found = (old != new).then(|| if worse { weakened(words) } else { neutral(words) });
    found.into_iter()
}

fn scopes(old: &Jwt, new: &Jwt, route: &str) -> Vec<Finding> {
    let (before, after) = (&old.scopes, &new.scopes);
    match (before.is_empty(), after.is_empty()) {
        (true, true) => Vec::new(),
        (true, false) => vec![strengthened(format!("{} needed on {route}", counted(after)))],
        (false, true) => vec![weakened(format!("{} no longer needed on {route}", counted(before)))],
        (false, false) => admits(
            before,
            after,
            |came| format!("scope {came} is enough on {route} now"),
            |went| format!("scope {went} is not enough on {route} any more"),
        ),
    }
}

fn counted(scopes: &BTreeSet<String>) -> String {
    if scopes.len() == 1 {
        format!("scope {}", listed(scopes))
    } else {
        format!("one of the scopes {}", listed(scopes))
    }
}

fn cognito(old: &Cognito, new: &Cognito, route: &str) -> Vec<Part> {
    let name = &new.authorizer;
    let own = owned(&old.authorizer, name);
    let mut parts: Vec<Part> = renamed(&old.authorizer, name, route).into_iter().collect();
    let pools = admits(
        &old.pools,
        &new.pools,
        |came| format!("{name} now takes tokens of user pool {came}"),
        |went| format!("{name} takes tokens of user pool {went} no more"),
    );
    parts.extend(pools.into_iter().map(&own));
    parts.extend(sources(&old.sources, &new.sources, name).map(&own));
    parts.extend(pattern(old.pattern.as_deref(), new.pattern.as_deref(), name).map(&own));
    parts.extend(ttl(&old.ttl, &new.ttl).map(&own));
    parts.extend(rest_scopes(old, new, route).into_iter().map(of_route));
    parts
}

/// A REST API wants ID tokens where a method names no scopes, and access tokens where it does.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enable-cognito-user-pool.html>
fn rest_scopes(old: &Cognito, new: &Cognito, route: &str) -> Vec<Finding> {
    let (before, after) = (&old.scopes, &new.scopes);
    match (before.is_empty(), after.is_empty()) {
        (true, true) => Vec::new(),
        (true, false) => {
            let words = format!("access tokens with {} pass on {route}, where ID tokens did", counted(after));
            vec![weakened(words)]
        }
        (false, true) => vec![weakened(format!("{} no longer needed on {route}: ID tokens pass", counted(before)))],
        (false, false) => admits(
            before,
            after,
            |came| format!("scope {came} is enough on {route} now"),
            |went| format!("scope {went} is not enough on {route} any more"),
        ),
    }
}

/// What a token must look like before it is looked at.
fn pattern(old: Option<&str>, new: Option<&str>, name: &str) -> impl Iterator<Item = Finding> + use<> {
    let finding = match (old, new) {
        (old, new) if old == new => None,
        (None, Some(_)) => Some(strengthened(format!("{name} refuses tokens of another form unseen"))),
        (Some(_), None) => Some(weakened(format!("{name} takes tokens of any form"))),
        _ => Some(weakened(format!("{name} takes tokens of another form"))),
    };
    finding.into_iter()
}

fn lambda(old: &Lambda, new: &Lambda, route: &str) -> Vec<Part> {
    let name = &new.authorizer;
    let own = owned(&old.authorizer, name);
    let mut parts: Vec<Part> = renamed(&old.authorizer, name, route).into_iter().collect();
    let is_other = old.function != new.function;
    if is_other {
        let (before, after) = (readable(&old.function), readable(&new.function));
        parts.push(own(weakened(format!("{name} asks function {after} instead of {before}"))));
    }
    if old.form != new.form {
        let words = format!("{name} asks its function by {} instead of {}", new.form, old.form);
        parts.push(own(weakened(words)));
    }
    let sources = demands(
        &old.sources,
        &new.sources,
        |came| format!("{name} refuses requests without {came} unasked"),
        |went| format!("{name} takes requests without {went}"),
    );
    parts.extend(sources.into_iter().map(&own));
    parts.extend(pattern(old.pattern.as_deref(), new.pattern.as_deref(), name).map(&own));
    parts.extend(ttl(&old.ttl, &new.ttl).map(&own));
    if old.any_of != new.any_of {
        parts.push(own(weakened(format!("the functions that may decide for {name} change, and are not read"))));
    }
    if !is_other {
        parts.extend(environment(old, new).into_iter().map(&own));
    }
    parts
}

/// How long it is remembered who passes.
fn ttl(old: &Setting<f64>, new: &Setting<f64>) -> impl Iterator<Item = Finding> + use<> {
    let words = format!("TTL of cached decisions {} s -> {} s", shown(old), shown(new));
    number(old, new, Weaker::More).map(|verdict| Finding { verdict, words }).into_iter()
}

/// The environment of a function that decides.
fn environment(old: &Lambda, new: &Lambda) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = &new.authorizer;
    for key in keys(&old.settings, &new.settings) {
        let side = |lambda: &Lambda| lambda.settings.get(key).cloned().unwrap_or_default();
        findings.extend(setting(name, key, &side(old), &side(new)));
    }
    for key in keys(&old.others, &new.others) {
        let words =
            format!("variable {key} of the function that decides for {name} changes: what it means is not known");
        findings.push(weakened(words));
    }
    if old.code != new.code {
        let function = readable(&new.function);
        findings.push(neutral(format!("{name} is decided by other code of function {function}, which is not read")));
    }
    findings
}

/// The names whose values differ.
fn keys<'a>(old: &'a BTreeMap<String, String>, new: &'a BTreeMap<String, String>) -> Vec<&'a str> {
    let mut differ: Vec<&str> =
        old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key)).map(String::as_str).collect();
    differ.sort_unstable();
    differ.dedup();
    differ
}

/// What a variable of our own authorizers means. An empty one counts as absent.
fn setting(name: &str, key: &str, old: &str, new: &str) -> Vec<Finding> {
    let set = |text: &str| text.split(' ').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let (before, after): (BTreeSet<String>, BTreeSet<String>) = (set(old), set(new));
    let what = match key {
        "CLIENT_IDS" => "client",
        "REQUIRED_SCOPES" => "scope",
        "REQUIRED_GROUPS" => "group",
        _ => return vec![single(name, key, old, new)],
    };
    match (before.is_empty(), after.is_empty(), what) {
        (true, _, "client") | (_, true, "client") => vec![weakened(format!("clients of {name} cannot be compared"))],
        (true, _, _) => vec![strengthened(format!("{what} {} needed by {name}", listed(&after)))],
        (_, true, _) => vec![weakened(format!("{what} {} no longer needed by {name}", listed(&before)))],
        _ => admits(
            &before,
            &after,
            |came| format!("{what} {came} is enough for {name} now"),
            |went| format!("{what} {went} is not enough for {name} any more"),
        ),
    }
}

fn single(name: &str, key: &str, old: &str, new: &str) -> Finding {
    let (before, after) = (readable(old), readable(new));
    match key {
        "USER_POOL_ID" => weakened(format!("issuer of {name} changes from user pool {before} to user pool {after}")),
        "TOKEN_USE" => {
            let kind = |text: &str| if text.is_empty() { "access".to_owned() } else { text.to_owned() };
            let (before, after) = (kind(old), kind(new));
            let words = format!("{name} takes {after} tokens instead of {before} ones");
            match before.as_str() {
                _ if before == after => neutral(words),
                "any" => strengthened(words),
                _ => weakened(words),
            }
        }
        "LEEWAY_SECONDS" => {
            let seconds = |text: &str| if text.is_empty() { Some(5) } else { text.parse::<u32>().ok() };
            let words = format!("leeway of {name} {before} s -> {after} s");
            match (seconds(old), seconds(new)) {
                (Some(before), Some(after)) if after <= before => strengthened(words),
                _ => weakened(words),
            }
        }
        "TOKEN_HEADER" | "TOKEN_QUERY" | "SIMPLE_RESPONSES" => {
            neutral(format!("{key} of {name} changes from `{before}` to `{after}`"))
        }
        _ => weakened(format!("{key} of {name} changes from `{before}` to `{after}`")),
    }
}

/// The worst that is found.
pub(super) fn worst(parts: &[Part]) -> Option<Verdict> {
    parts.iter().map(|part| part.finding.verdict).min()
}
