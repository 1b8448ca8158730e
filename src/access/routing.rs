//! Which route takes a request, by the rules of API Gateway: for telling who answers what after a route came or went.
//!
//! HTTP APIs take a whole path before a greedy one before `$default`, then literal parts before parameters from the left,
//! then a method before `ANY`
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>). REST APIs go by the parts
//! of the path alone, and leave a request to the next best resource where one lacks the method.

use std::collections::BTreeSet;

use super::matrix::Kind;
use crate::model::apigatewayv2::VERBS;

/// Most kinds of requests that are looked at.
const MOST: usize = 20_000;

/// A request, standing for all that the routes cannot tell apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Request {
    method: String,
    path: Vec<String>,
}

impl Request {
    /// A request as it is sent, its escapes undone. REST APIs do not count slashes before a path, nor one behind it.
    pub(super) fn of(kind: Kind, method: &str, path: &str) -> Self {
        let path = match kind {
            Kind::Rest => path.trim_start_matches('/').strip_suffix('/').unwrap_or(path.trim_start_matches('/')),
            Kind::Http | Kind::WebSocket => path.strip_prefix('/').unwrap_or(path),
        };
        let parts = path.split('/').filter(|_| !path.is_empty());
        Self { method: method.to_owned(), path: parts.map(unescaped).collect() }
    }

    /// The request in words, such as `GET /orders/mine`.
    pub(super) fn words(&self) -> String {
        format!("{} /{}", self.method, self.path.join("/"))
    }
}

/// A part of a path without its escapes; one that has none stays as it is.
fn unescaped(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a route takes.
#[derive(Debug, Clone)]
struct Pattern<'a> {
    key: &'a str,
    /// `None` for `ANY`.
    method: Option<&'a str>,
    /// `None` for `$default`.
    path: Option<Vec<Part<'a>>>,
}

/// What a part of a path must be. The lower goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Literal(&'a str),
    Parameter,
    Greedy,
}

impl<'a> Pattern<'a> {
    /// Reads a route key; nothing when it takes no requests that can be told.
    fn read(key: &'a str) -> Option<Self> {
        if key == "$default" {
            return Some(Self { key, method: None, path: None });
        }
        let (method, path) = key.split_once(' ')?;
        let path = path.strip_prefix('/')?;
        let parts = path.split('/').filter(|part| !part.is_empty()).map(Part::read).collect();
        Some(Self { key, method: (method != "ANY").then_some(method), path: Some(parts) })
    }

    fn takes(&self, request: &Request) -> bool {
        self.method.is_none_or(|method| method == request.method)
            && self.path.as_ref().is_none_or(|parts| follow(parts, &request.path))
    }

    /// The lower, the better it fits.
    fn rank(&self, kind: Kind) -> (u8, Vec<u8>, bool) {
        let Some(parts) = &self.path else { return (2, Vec::new(), true) };
        let is_greedy = kind == Kind::Http && parts.contains(&Part::Greedy);
        let kinds = parts.iter().map(|part| match part {
            Part::Literal(_) => 0,
            Part::Parameter => 1,
            Part::Greedy => 2,
        });
        (u8::from(is_greedy), kinds.collect(), self.method.is_none())
    }
}

impl<'a> Part<'a> {
    fn read(text: &'a str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) if name.ends_with('+') => Self::Greedy,
            Some(_) => Self::Parameter,
            None => Self::Literal(text),
        }
    }
}

fn follow(parts: &[Part<'_>], path: &[String]) -> bool {
    match (parts, path) {
        ([], []) => true,
        ([Part::Greedy, ..], [_, ..]) => true,
        ([Part::Literal(literal), parts @ ..], [first, path @ ..]) => literal == first && follow(parts, path),
        ([Part::Parameter, parts @ ..], [_, path @ ..]) => follow(parts, path),
        _ => false,
    }
}

/// Routes, ready to be asked.
pub(super) struct Routes<'a> {
    patterns: Vec<Pattern<'a>>,
}

impl<'a> Routes<'a> {
    pub(super) fn new(kind: Kind, keys: impl Iterator<Item = &'a str>) -> Self {
        let mut patterns: Vec<Pattern<'a>> = keys.filter_map(Pattern::read).collect();
        patterns.sort_by_cached_key(|pattern| pattern.rank(kind));
        Self { patterns }
    }

    /// The key of the route that takes a request.
    pub(super) fn taker(&self, request: &Request) -> Option<&'a str> {
        self.patterns.iter().find(|pattern| pattern.takes(request)).map(|pattern| pattern.key)
    }

    /// One request of every kind that these routes and some others tell apart, as far as a route of `changed` fits it.
    /// Nothing when there are too many.
    pub(super) fn told_apart(&self, others: &Self, changed: &BTreeSet<&str>) -> Option<Vec<Request>> {
        let all = || self.patterns.iter().chain(&others.patterns);
        let methods = methods(all());
        let mut walk = Walk { other: unnamed(all()), paths: Vec::new(), room: MOST / methods.len().max(1) };
        let open: Vec<Rest<'_>> = all().map(Rest::of).collect();
        let changed: Vec<Rest<'_>> = all().filter(|pattern| changed.contains(pattern.key)).map(Rest::of).collect();
        walk.step(&open, &changed, &mut Vec::new())?;
        let request = |path: &Vec<String>, method: &&str| Request { method: (*method).to_owned(), path: path.clone() };
        Some(walk.paths.iter().flat_map(|path| methods.iter().map(|method| request(path, method))).collect())
    }
}

/// The methods that are named, and one that is not.
fn methods<'a>(patterns: impl Iterator<Item = &'a Pattern<'a>>) -> BTreeSet<&'a str> {
    let mut named: BTreeSet<&str> = patterns.filter_map(|pattern| pattern.method).collect();
    // Who reads of one expects these first.
    let others = ["GET", "POST"].into_iter().chain(VERBS);
    named.extend(others.filter(|method| !named.contains(method)).take(1).collect::<Vec<_>>());
    named
}

/// A part of a path that no route names.
fn unnamed<'a>(patterns: impl Iterator<Item = &'a Pattern<'a>>) -> String {
    let parts = patterns.flat_map(|pattern| pattern.path.as_deref().unwrap_or_default());
    let named: BTreeSet<&Part<'_>> = parts.collect();
    let mut other = "x".to_owned();
    while named.contains(&Part::Literal(&other)) {
        other.push('x');
    }
    other
}

/// What is still to come of a route, below a path that it fits so far.
#[derive(Debug, Clone, Copy)]
enum Rest<'a> {
    /// These parts.
    Parts(&'a [Part<'a>]),
    /// Anything.
    All,
}

impl<'a> Rest<'a> {
    fn of(pattern: &'a Pattern<'a>) -> Self {
        pattern.path.as_deref().map_or(Self::All, Self::Parts)
    }

    /// What is still to come after one more part of a path; nothing when the route does not fit it.
    fn after(self, part: &str) -> Option<Self> {
        match self {
            Self::All | Self::Parts([Part::Greedy, ..]) => Some(Self::All),
            Self::Parts([Part::Literal(own), rest @ ..]) => (*own == part).then_some(Self::Parts(rest)),
            Self::Parts([Part::Parameter, rest @ ..]) => Some(Self::Parts(rest)),
            Self::Parts([]) => None,
        }
    }
}

/// A walk over all paths that can be told apart.
struct Walk {
    /// A part of a path that no route names.
    other: String,
    paths: Vec<Vec<String>>,
    room: usize,
}

impl Walk {
    /// Notes this path and those below it. `open` are the routes that fit so far, `changed` those of them that came or
    /// went.
    fn step(&mut self, open: &[Rest<'_>], changed: &[Rest<'_>], path: &mut Vec<String>) -> Option<()> {
        if changed.is_empty() {
            return Some(());
        }
        self.room = self.room.checked_sub(1)?;
        self.paths.push(path.clone());
        if open.iter().all(|rest| matches!(rest, Rest::All)) {
            // All that lies below is taken as this is.
            return Some(());
        }
        let named = open.iter().filter_map(|rest| match rest {
            Rest::Parts([Part::Literal(literal), ..]) => Some((*literal).to_owned()),
            _ => None,
        });
        let next: BTreeSet<String> = named.chain([self.other.clone()]).collect();
        for part in next {
            // Most parts are named by routes that stay: what else lies below them is of no interest.
            let changed = below(changed, &part);
            let open = if changed.is_empty() { Vec::new() } else { below(open, &part) };
            path.push(part);
            self.step(&open, &changed, path)?;
            path.pop();
        }
        Some(())
    }
}

/// What is still to come of the routes that fit one more part.
fn below<'a>(routes: &[Rest<'a>], part: &str) -> Vec<Rest<'a>> {
    routes.iter().filter_map(|rest| rest.after(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taker(kind: Kind, keys: &[&str], method: &str, path: &str) -> Option<String> {
        let path = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let request = Request { method: method.to_owned(), path };
        Routes::new(kind, keys.iter().copied()).taker(&request).map(str::to_owned)
    }

    #[test]
    fn the_most_particular_route_takes_a_request() {
        let pets = ["$default", "ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/dog/{id}", "GET /pets/dog/1"];
        let http = |method, path| taker(Kind::Http, &pets, method, path);
        assert_eq!(http("GET", "/pets/dog/1").as_deref(), Some("GET /pets/dog/1"));
        assert_eq!(http("GET", "/pets/dog/2").as_deref(), Some("GET /pets/dog/{id}"));
        assert_eq!(http("GET", "/pets/cat/1").as_deref(), Some("GET /pets/{proxy+}"));
        assert_eq!(http("POST", "/test/5").as_deref(), Some("ANY /{proxy+}"));
        assert_eq!(http("GET", "/").as_deref(), Some("$default"));
        assert_eq!(taker(Kind::Http, &["ANY /x", "GET /x"], "GET", "/x").as_deref(), Some("GET /x"));
        assert_eq!(taker(Kind::Http, &["ANY /x/y", "GET /x/{z}"], "GET", "/x/y").as_deref(), Some("ANY /x/y"));
    }

    #[test]
    fn a_rest_resource_without_the_method_leaves_it_to_the_next() {
        let keys = ["POST /a", "ANY /{proxy+}", "GET /a/{b}/c"];
        assert_eq!(taker(Kind::Rest, &keys, "GET", "/a").as_deref(), Some("ANY /{proxy+}"));
        assert_eq!(taker(Kind::Rest, &keys, "GET", "/a/1/c").as_deref(), Some("GET /a/{b}/c"));
        assert_eq!(taker(Kind::Rest, &keys, "GET", "/"), None);
    }

    #[test]
    fn requests_are_told_apart_where_a_route_came() {
        let old = Routes::new(Kind::Http, ["ANY /{proxy+}", "GET /b"].into_iter());
        let new = Routes::new(Kind::Http, ["ANY /{proxy+}", "GET /b", "GET /a/{id}"].into_iter());
        let requests = old.told_apart(&new, &BTreeSet::from(["GET /a/{id}"])).expect("they are few");
        let words: BTreeSet<String> = requests.iter().map(Request::words).collect();
        assert!(words.contains("GET /a/x") && words.contains("POST /a/x"), "{words:?}");
        assert!(!words.contains("GET /b"), "what no changed route fits is of no interest: {words:?}");
        let moved: Vec<_> =
            requests.iter().filter(|one| old.taker(one) != new.taker(one)).map(Request::words).collect();
        assert_eq!(moved, ["GET /a/x"]);
    }

    #[test]
    fn a_default_route_takes_what_nothing_else_does() {
        let old = Routes::new(Kind::Http, ["GET /a", "GET /b/{c}"].into_iter());
        let new = Routes::new(Kind::Http, ["GET /a", "GET /b/{c}", "$default"].into_iter());
        let requests = old.told_apart(&new, &BTreeSet::from(["$default"])).expect("they are few");
        let opened = requests.iter().filter(|one| old.taker(one).is_none());
        assert!(opened.clone().any(|one| one.words() == "POST /a"));
        assert!(opened.clone().any(|one| one.words() == "GET /x"));
        assert!(opened.clone().all(|one| new.taker(one) == Some("$default")));
    }

    #[test]
    fn one_route_among_many_is_found_at_once() {
        let keys: Vec<String> = (0..15_000).map(|at| format!("GET /a{at}/{{id}}")).collect();
        let old = Routes::new(Kind::Http, keys.iter().map(String::as_str));
        let new = Routes::new(Kind::Http, keys.iter().map(String::as_str).chain(["GET /new"]));
        let requests = old.told_apart(&new, &BTreeSet::from(["GET /new"])).expect("they are few");
        let words: BTreeSet<String> = requests.iter().map(Request::words).collect();
        assert!(words.contains("GET /new") && words.len() < 20, "{}", words.len());
    }

    #[test]
    fn too_many_kinds_of_requests_are_not_looked_at() {
        // Each part may be one of four or another: whatever stands before it tells nothing of it.
        let keys = |depth: usize| -> Vec<String> {
            let key = |at: usize, literal: usize| {
                let parts =
                    (0..depth).map(|part| if part == at { literal.to_string() } else { format!("{{p{part}}}") });
                format!("GET /{}", parts.collect::<Vec<_>>().join("/"))
            };
            (0..depth).flat_map(|at| (0..4).map(move |literal| key(at, literal))).collect()
        };
        let asked = |keys: &[String]| {
            let routes = Routes::new(Kind::Http, keys.iter().map(String::as_str));
            let greedy = Routes::new(Kind::Http, ["GET /{a+}"].into_iter());
            routes.told_apart(&greedy, &BTreeSet::from(["GET /{a+}"]))
        };
        assert!(asked(&keys(2)).is_some());
        assert!(asked(&keys(8)).is_none());
    }
}
