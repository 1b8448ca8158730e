//! Route keys, and which of them a request matches.

use percent_encoding::percent_decode_str;

/// What a route answers, such as `GET /notes/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RouteKey<'a> {
    /// `$default`: whatever no other route takes.
    Default,
    /// A method and a path.
    Path {
        /// `None` for `ANY`.
        method: Option<&'a str>,
        /// What the segments of the path must be.
        segments: Vec<Segment<'a>>,
    },
}

/// What one segment of a path must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment<'a> {
    /// Exactly this.
    Literal(&'a str),
    /// Anything, under this name.
    Parameter(&'a str),
    /// Anything, and all that follows, under this name.
    Greedy(&'a str),
}

/// Values that a path gives to a route's parameters, decoded.
pub(crate) type Parameters = Vec<(String, String)>;

/// The methods that `ANY` stands for.
pub(crate) const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

impl<'a> RouteKey<'a> {
    /// Reads a route key; `None` when it is not one.
    pub(crate) fn parse(key: &'a str) -> Option<Self> {
        if key == "$default" {
            return Some(Self::Default);
        }
        let (method, path) = key.split_once(' ')?;
        if method != "ANY" && !VERBS.contains(&method) {
            return None;
        }
        let segments = segments(path.strip_prefix('/')?)?;
        Some(Self::Path { method: (method != "ANY").then_some(method), segments })
    }

    /// The parameters of a request that this route matches.
    fn matches(&self, method: &str, path: &[&str]) -> Option<Parameters> {
        match self {
            Self::Default => Some(Parameters::new()),
            Self::Path { method: own, segments } => {
                own.is_none_or(|own| own == method).then(|| parameters(segments, path)).flatten()
            }
        }
    }

    /// The lower, the better it matches: whole paths before greedy ones before `$default`, then literal segments
    /// before parameters, from the left, then a method before `ANY`.
    fn rank(&self) -> (u8, Vec<u8>, bool) {
        let Self::Path { method, segments } = self else { return (2, Vec::new(), true) };
        let greedy = segments.iter().any(|segment| matches!(segment, Segment::Greedy(_)));
        let kinds = segments.iter().map(|segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Parameter(_) => 1,
            Segment::Greedy(_) => 2,
        });
        (u8::from(greedy), kinds.collect(), method.is_none())
    }
}

fn segments(path: &str) -> Option<Vec<Segment<'_>>> {
    if path.is_empty() {
        return Some(Vec::new());
    }
    let segments: Vec<Segment<'_>> = path.split('/').map(segment).collect::<Option<_>>()?;
    let (_, before) = segments.split_last()?;
    let early = before.iter().any(|segment| matches!(segment, Segment::Greedy(_)));
    (!early && !repeats(&segments)).then_some(segments)
}

fn segment(text: &str) -> Option<Segment<'_>> {
    let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
        return (!text.is_empty() && !text.contains(['{', '}'])).then_some(Segment::Literal(text));
    };
    let (name, segment): (_, fn(_) -> _) = match inner.strip_suffix('+') {
        Some(name) => (name, Segment::Greedy),
        None => (inner, Segment::Parameter),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then(|| segment(name))
}

fn repeats(segments: &[Segment<'_>]) -> bool {
    let mut names: Vec<&str> = segments
        .iter()
        .filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter(name) | Segment::Greedy(name) => Some(*name),
        })
        .collect();
    names.sort_unstable();
    names.windows(2).any(|pair| matches!(pair, [left, right] if left == right))
}

fn parameters(segments: &[Segment<'_>], path: &[&str]) -> Option<Parameters> {
    let mut parameters = Parameters::new();
    let mut rest = path;
    for segment in segments {
        let (first, after) = rest.split_first()?;
        match segment {
            Segment::Literal(literal) => {
                if read(first) != *literal {
                    return None;
                }
            }
            Segment::Parameter(_) if first.is_empty() => return None,
            Segment::Parameter(name) => parameters.push(((*name).to_owned(), read(first))),
            Segment::Greedy(_) if rest == [""] => return None,
            Segment::Greedy(name) => {
                parameters.push(((*name).to_owned(), read(&rest.join("/"))));
                return Some(parameters);
            }
        }
        rest = after;
    }
    rest.is_empty().then_some(parameters)
}

/// The path of a request as HTTP APIs read it: it ends at an escaped question mark, and its escapes are undone twice.
///
/// Captures of live APIs: <https://github.com/hotsock/voker/pull/8>.
pub(super) fn read(path: &str) -> String {
    decoded(&decoded(meant(path)))
}

/// What counts of a path that is still encoded.
fn meant(path: &str) -> &str {
    let end = path.to_ascii_lowercase().find("%3f");
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

/// Whether a path can be read: what looks like an escape must be one, also once the escapes are undone.
pub(super) fn is_readable(path: &str) -> bool {
    has_escapes_only(path) && has_escapes_only(&decoded(meant(path)))
}

/// Whether what looks like an escape is one.
pub(super) fn has_escapes_only(path: &str) -> bool {
    let mut escapes = path.split('%').skip(1);
    escapes.all(|after| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

/// A path without its escapes.
pub(crate) fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// The best of these routes for a request, with the parameters that its path gives. The path is that below the stage,
/// still encoded. A method that no policy could name is taken by no route.
pub(crate) fn select<'r, T>(
    routes: impl Iterator<Item = (&'r str, T)>,
    method: &str,
    path: &str,
) -> Option<(T, Parameters)> {
    let path = meant(path);
    let path = path.strip_prefix('/').unwrap_or(path);
    let path: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
    let routes = routes.filter(|_| VERBS.contains(&method));
    routes
        .filter_map(|(key, route)| {
            let key = RouteKey::parse(key)?;
            let parameters = key.matches(method, &path)?;
            Some((key.rank(), route, parameters))
        })
        .min_by(|(left, ..), (right, ..)| left.cmp(right))
        .map(|(_, route, parameters)| (route, parameters))
}

#[cfg(test)]
mod tests {
    use super::{RouteKey, is_readable, read, select};

    fn selected(routes: &[&str], method: &str, path: &str) -> Option<(String, Vec<(String, String)>)> {
        select(routes.iter().map(|key| (*key, (*key).to_owned())), method, path)
    }

    fn key(routes: &[&str], method: &str, path: &str) -> Option<String> {
        selected(routes, method, path).map(|(key, _)| key)
    }

    const PETS: [&str; 5] =
        ["$default", "ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/dog/{id}", "GET /pets/dog/1"];

    #[test]
    fn the_most_specific_route_wins() {
        assert_eq!(key(&PETS, "GET", "/pets/dog/1").as_deref(), Some("GET /pets/dog/1"));
        assert_eq!(key(&PETS, "GET", "/pets/dog/2").as_deref(), Some("GET /pets/dog/{id}"));
        assert_eq!(key(&PETS, "GET", "/pets/cat/1").as_deref(), Some("GET /pets/{proxy+}"));
        assert_eq!(key(&PETS, "POST", "/test/5").as_deref(), Some("ANY /{proxy+}"));
        assert_eq!(key(&PETS, "GET", "/").as_deref(), Some("$default"));
    }

    #[test]
    fn a_method_goes_before_any_on_the_same_path() {
        assert_eq!(key(&["ANY /x", "GET /x"], "GET", "/x").as_deref(), Some("GET /x"));
        assert_eq!(key(&["ANY /x", "GET /x"], "PUT", "/x").as_deref(), Some("ANY /x"));
        assert_eq!(key(&["ANY /x/y", "GET /x/{z}"], "GET", "/x/y").as_deref(), Some("ANY /x/y"));
    }

    #[test]
    fn any_stands_for_the_methods_that_policies_can_name() {
        for method in ["get", "Delete", "TRACE", "QUERY", "ANY", "*"] {
            assert_eq!(key(&["ANY /x", "$default"], method, "/x"), None, "{method}");
        }
    }

    #[test]
    fn the_wrong_method_does_not_shadow_a_greedy_route() {
        assert_eq!(key(&["POST /a/b", "GET /{proxy+}"], "GET", "/a/b").as_deref(), Some("GET /{proxy+}"));
    }

    #[test]
    fn parameters_are_decoded_and_hold_at_least_a_character() {
        let (_, parameters) = selected(&["GET /a/{b}/{c+}"], "GET", "/a/x%20y/1/%E2%98%95").expect("it matches");
        assert_eq!(parameters, [("b".into(), "x y".into()), ("c".into(), "1/☕".into())]);
        assert_eq!(key(&["GET /a/{b}"], "GET", "/a/"), None);
        assert_eq!(key(&["GET /a/{b+}"], "GET", "/a/"), None);
        assert_eq!(key(&["GET /a"], "GET", "/a/"), None);
    }

    #[test]
    fn escapes_are_undone_twice_and_a_question_mark_ends_the_path() {
        let read = |path: &str| is_readable(path).then(|| read(path));
        for (path, expected) in [
            ("/a/b", Some("/a/b")),
            ("/a%20b", Some("/a b")),
            ("/a%3Fb", Some("/a")),
            ("/a%25b", None),
            ("/a%zz", None),
            ("/a%2", None),
            ("/a%23b", Some("/a#b")),
            ("/a%2Fb", Some("/a/b")),
            ("/%CE%BB-%E4%B8%96%E7%95%8C", Some("/λ-世界")),
            ("/a%252Fb", Some("/a/b")),
            ("/a%253Fb", Some("/a?b")),
            ("/a%2525b", Some("/a%b")),
        ] {
            assert_eq!(read(path).as_deref(), expected, "{path}");
        }
        assert_eq!(key(&["GET /a", "$default"], "GET", "/%2561%3Fb").as_deref(), Some("GET /a"));
    }

    #[test]
    fn what_is_no_route_key_is_refused() {
        for key in
            ["GET", "GET x", "get /x", "FETCH /x", "GET /{a+}/b", "GET /{a}/{a}", "GET /{}", "GET /x{a}", "GET //"]
        {
            assert_eq!(RouteKey::parse(key), None, "{key}");
        }
    }
}
