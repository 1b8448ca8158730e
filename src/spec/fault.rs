//! Where and why a value does not fit the model.

use std::fmt::{self, Display};
use std::ops::Range;

use serde::de::{Error, Expected, Unexpected};

use crate::access::rules::Severity;
use crate::model::check::list;
use crate::similar::closest;

use super::report::Finding;

/// A value that does not fit, found while the model is read.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where it stands and which node it is, once the reader said so.
    pub(super) culprit: Option<Culprit>,
    pub(super) kind: Kind,
}

/// The node that does not fit.
#[derive(Debug, Clone)]
pub(super) struct Culprit {
    pub(super) node: u32,
    pub(super) place: Range<usize>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A required field is not there.
    Missing(&'static str),
    /// A key, or a word, that is none of those that there are.
    Unknown { what: &'static str, name: String, known: &'static [&'static str] },
    /// Anything else, with what to do.
    Other { message: String, help: Option<String> },
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self { culprit: None, kind }
    }

    /// The same, at a place, unless it has one already.
    pub(super) fn at(mut self, node: u32, place: &Range<usize>) -> Self {
        self.culprit.get_or_insert_with(|| Culprit { node, place: place.clone() });
        self
    }

    /// What is told about it.
    pub(super) fn finding(&self) -> Finding {
        let (message, help) = self.words();
        let place = self.culprit.as_ref().map(|culprit| culprit.place.clone());
        Finding { rule: None, severity: Severity::Error, place, label: None, message, help }
    }

    fn words(&self) -> (String, Option<String>) {
        match &self.kind {
            Kind::Missing(field) => (format!("`{field}` is missing"), Some(format!("add `{field}`"))),
            Kind::Unknown { what, name, known } => {
                let help = match (closest(name, known.iter().copied()), known.is_empty()) {
                    (Some(meant), _) => format!("did you mean `{meant}`?"),
                    (None, true) => "remove it".to_owned(),
                    (None, false) => format!("there are {}", list(known.iter().copied())),
                };
                (format!("unknown {what} `{}`", name.escape_debug()), Some(help))
            }
            Kind::Other { message, help } => (message.clone(), help.clone()),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().0)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    /// A refusal of the model's own: what is wrong and, on a second line, what to do.
    fn custom<T: Display>(words: T) -> Self {
        let words = words.to_string();
        let (message, help) = match words.split_once('\n') {
            Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
            None => (words, None),
        };
        Self::new(Kind::Other { message, help })
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        if let Some((message, help)) = beyond(found, &expected) {
            return Self::new(Kind::Other { message, help: Some(help) });
        }
        let wanted = wanted(&expected);
        let help = remedy(found, &wanted);
        Self::new(Kind::Other { message: format!("{wanted} belongs here, not {}", shown(found)), help: Some(help) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(count: usize, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let wanted = expected.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty()).unwrap_or("more");
        let message = format!("the list has {count} of {wanted} elements");
        Self::new(Kind::Other { message, help: Some(format!("write {wanted}")) })
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown { what: "choice", name: variant.to_owned(), known })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown { what: "field", name: field.to_owned(), known })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is here twice\nkeep one of them"))
    }
}

/// What serde expects, in words.
fn wanted(expected: &str) -> String {
    match expected {
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" | "string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a map".to_owned(),
        integer if bounds(integer).is_some_and(|(least, _)| least == 0) => "a whole number, 0 or more,".to_owned(),
        integer if bounds(integer).is_some() => "a whole number".to_owned(),
        other if other.starts_with("struct ") => "a map of fields".to_owned(),
        other if other.starts_with("enum ") => "one word, or a map with one key,".to_owned(),
        other if other.starts_with("unit variant") => "a word alone".to_owned(),
        other if other.contains("variant") => "a value of its own".to_owned(),
        other => other.to_owned(),
    }
}

/// The least and the most where serde expects an `i64`, a `u8` or the like.
fn bounds(expected: &str) -> Option<(i128, i128)> {
    let bits = expected.get(1..)?.parse().ok().filter(|bits| (8..=64).contains(bits))?;
    let count = 1_i128.checked_shl(bits)?;
    match expected.as_bytes().first()? {
        b'u' => Some((0, count - 1)),
        b'i' => Some((-count / 2, count / 2 - 1)),
        _ => None,
    }
}

/// What is said of a whole number that does not fit. One below zero where none may be says enough by itself.
fn beyond(found: Unexpected<'_>, expected: &str) -> Option<(String, String)> {
    let (least, most) = bounds(expected)?;
    let (number, size) = match found {
        Unexpected::Unsigned(number) => (i128::from(number), "large"),
        Unexpected::Signed(number) if least < 0 => (i128::from(number), "small"),
        _ => return None,
    };
    Some((format!("`{number}` is too {size} here"), format!("write a whole number from {least} to {most}")))
}

fn shown(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(text) if text.chars().count() <= 40 => format!("`{}`", text.escape_debug()),
        Unexpected::Str(_) => "this text".to_owned(),
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Signed(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("`{value}`"),
        // `8.0` is not `8`.
        Unexpected::Float(value) => format!("`{value:?}`"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        other => other.to_string(),
    }
}

fn remedy(found: Unexpected<'_>, wanted: &str) -> String {
    match found {
        Unexpected::Str(text) if wanted == "a list" && text.len() <= 40 => format!("write `[{}]`", text.escape_debug()),
        Unexpected::Str(text) if wanted.starts_with("a whole number") && text.parse::<u64>().is_ok() => {
            "leave out the quotes".to_owned()
        }
        Unexpected::Str(text) if wanted.starts_with("`true`") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "enabled" | "true" => "write `true`".to_owned(),
            "no" | "off" | "disabled" | "false" => "write `false`".to_owned(),
            _ => "write one of the two".to_owned(),
        },
        Unexpected::Unit => format!("write {}, or remove the key", wanted.trim_end_matches(',')),
        _ => format!("write {}", wanted.trim_end_matches(',')),
    }
}
