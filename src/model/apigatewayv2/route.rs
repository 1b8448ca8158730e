//! Route keys: a method and a path.

use std::fmt;

use thiserror::Error;

/// A route key, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKey {
    /// `$default`: whatever no other route matches.
    Default,
    /// A method and a path.
    Path {
        /// The method; `ANY` for all.
        method: String,
        /// What the path is made of; none for `/`.
        segments: Vec<Segment>,
    },
}

/// What stands between two slashes of a route's path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// A text that must be there.
    Literal(String),
    /// `{name}`: any text without a slash.
    Parameter(String),
    /// `{name+}`: all the rest.
    Greedy(String),
}

/// Why a route key is refused; the help says what to write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct RouteKeyError {
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub help: String,
}

/// The methods that a route can be for, and that `ANY` stands for.
pub const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

fn is_method(method: &str) -> bool {
    method == "ANY" || VERBS.contains(&method)
}

impl RouteKey {
    /// Reads `$default`, or a method, one space and a path.
    pub fn parse(key: &str) -> Result<Self, RouteKeyError> {
        if key == "$default" {
            return Ok(Self::Default);
        }
        let Some((method, path)) = key.split_once(' ') else {
            return Err(wrong(format!("`{key}` is not a route"), hint(key)));
        };
        if !is_method(method) {
            return Err(wrong(format!("`{method}` is not a method that a route can have"), method_hint(method)));
        }
        let Some(path) = path.strip_prefix('/') else { return Err(no_slash(method, path)) };
        let segments = segments(path)?;
        Ok(Self::Path { method: method.to_owned(), segments })
    }

    /// The same key without the names of its parameters: two routes that share it cannot be told apart.
    pub fn shape(&self) -> String {
        let Self::Path { method, segments } = self else { return "$default".to_owned() };
        let path: String = segments.iter().map(Segment::shape).map(|shape| format!("/{shape}")).collect();
        format!("{method} {}", if path.is_empty() { "/" } else { &path })
    }
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Path { method, segments } = self else { return f.write_str("$default") };
        write!(f, "{method} ")?;
        if segments.is_empty() {
            return f.write_str("/");
        }
        segments.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::Parameter(name) => write!(f, "{{{name}}}"),
            Self::Greedy(name) => write!(f, "{{{name}+}}"),
        }
    }
}

impl Segment {
    fn shape(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Parameter(_) => "{}",
            Self::Greedy(_) => "{+}",
        }
    }
}

/// What a path is made of, without the slash that it begins with.
fn segments(rest: &str) -> Result<Vec<Segment>, RouteKeyError> {
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let segments = rest.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
    let last = segments.len().saturating_sub(1);
    match segments.iter().take(last).find(|segment| matches!(segment, Segment::Greedy(_))) {
        Some(greedy) => Err(wrong(
            format!("`{greedy}` is not the end of the path"),
            "a greedy parameter takes all the rest: put it last",
        )),
        None => unrepeated(segments),
    }
}

fn unrepeated(segments: Vec<Segment>) -> Result<Vec<Segment>, RouteKeyError> {
    let mut seen = std::collections::BTreeSet::new();
    for segment in &segments {
        let (Segment::Parameter(name) | Segment::Greedy(name)) = segment else { continue };
        if !seen.insert(name) {
            return Err(wrong(
                format!("parameter `{name}` is in the path twice"),
                "give each parameter a name of its own",
            ));
        }
    }
    Ok(segments)
}

fn segment(text: &str) -> Result<Segment, RouteKeyError> {
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let Some(inner) = inner else { return literal(text) };
    match inner.strip_suffix('+') {
        Some(name) => parameter(name).map(Segment::Greedy),
        None => parameter(inner).map(Segment::Parameter),
    }
}

fn literal(text: &str) -> Result<Segment, RouteKeyError> {
    if text.contains(['{', '}']) {
        return Err(wrong(
            format!("`{text}` mixes text and a parameter"),
            "a parameter is all that is between two slashes",
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%".contains(c);
    match text.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(wrong(format!("`{}` cannot be in a path", c.escape_debug()), "encode it with a percent sign")),
        None => Ok(Segment::Literal(text.to_owned())),
    }
}

fn parameter(name: &str) -> Result<String, RouteKeyError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(allowed) {
        return Ok(name.to_owned());
    }
    let better: String = name.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    let help = match better.as_str() {
        "" => "give it a name: `{id}`".to_owned(),
        better => format!("letters, digits and underscores only: `{{{better}}}`"),
    };
    Err(wrong(format!("`{name}` cannot be a parameter's name"), help))
}

fn no_slash(method: &str, path: &str) -> RouteKeyError {
    match path.trim() {
        "$default" => wrong("`$default` has no method", "write `$default` alone: it is for all of them"),
        meant if meant.starts_with('/') => {
            wrong("there is more than one space before the path", format!("write `{method} {meant}`"))
        }
        meant => wrong(format!("path `{path}` does not begin with a slash"), format!("write `/{meant}`")),
    }
}

fn hint(key: &str) -> String {
    match key.trim() {
        "" => "write a method and a path: `GET /notes`".to_owned(),
        path if path.starts_with('/') => format!("say which method: `GET {path}`, or `ANY {path}` for all"),
        path => format!("write a method and a path: `GET /{path}`"),
    }
}

fn method_hint(method: &str) -> String {
    let upper = method.to_uppercase();
    match is_method(&upper) {
        true => format!("methods are in capitals: `{upper}`"),
        false => format!("it can be ANY, {}", VERBS.join(", ")),
    }
}

fn wrong(message: impl Into<String>, help: impl Into<String>) -> RouteKeyError {
    RouteKeyError { message: message.into(), help: help.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_key_is_shown_as_it_was_written() {
        for key in ["$default", "GET /", "ANY /users/{id}", "PUT /files/{proxy+}", "GET /a/"] {
            assert_eq!(RouteKey::parse(key).map(|key| key.to_string()).as_deref(), Ok(key));
        }
    }

    #[test]
    fn a_route_key_is_a_method_one_space_and_a_path() {
        let help = |key| RouteKey::parse(key).map_err(|error| error.help);
        assert_eq!(help("GET  /x"), Err("write `GET /x`".to_owned()));
        assert_eq!(help("GET x"), Err("write `/x`".to_owned()));
        assert_eq!(help("ANY $default"), Err("write `$default` alone: it is for all of them".to_owned()));
    }

    #[test]
    fn a_parameters_name_has_no_dash_and_no_dot() {
        let help = |key| RouteKey::parse(key).map_err(|error| error.help);
        assert_eq!(help("GET /{user-id}"), Err("letters, digits and underscores only: `{user_id}`".to_owned()));
        assert_eq!(help("GET /{a.b}"), Err("letters, digits and underscores only: `{a_b}`".to_owned()));
    }

    #[test]
    fn a_greedy_parameter_is_the_end() {
        assert!(RouteKey::parse("GET /{all+}/more").is_err());
    }

    #[test]
    fn names_of_parameters_do_not_tell_routes_apart() {
        let shape = |key| RouteKey::parse(key).map(|key| key.shape());
        assert_eq!(shape("GET /users/{id}"), shape("GET /users/{name}"));
        assert_ne!(shape("GET /users/{id}"), shape("GET /users/{all+}"));
    }
}
