//! The words in which cases say what they expect.

use regex::Regex;
use serde_json::Value;

/// A word that nobody here knows, so a case that cannot be run.
#[derive(Debug, Clone)]
pub(crate) struct Unknown(String);

impl Unknown {
    /// For this reason.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The reason.
    pub(crate) fn reason(&self) -> &str {
        &self.0
    }
}

/// What a case found to be otherwise than expected.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    /// Against claims that must hold.
    pub(crate) hard: Vec<String>,
    /// Against claims that are only reported.
    pub(crate) soft: Vec<String>,
}

impl Findings {
    /// Adds what is otherwise.
    pub(crate) fn add(&mut self, must_hold: bool, finding: String) {
        if must_hold {
            self.hard.push(finding);
        } else {
            self.soft.push(finding);
        }
    }
}

/// Members of a matcher that only say how sure it is.
const REMARKS: [&str; 5] = ["soft", "confidence", "evidence", "note", "measured_claim"];

/// What a value is compared within.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The event that the function received, which `equals_event` refers to.
    pub(crate) event: Option<&'a Value>,
}

impl Scope<'_> {
    /// Compares a value with what is expected of it, and says what is otherwise.
    pub(crate) fn compare(&self, expected: &Value, actual: Option<&Value>) -> Result<Option<String>, Unknown> {
        let Some(matcher) = matcher(expected) else {
            let equal = actual.is_some_and(|actual| equal(expected, actual));
            return Ok((!equal).then(|| format!("expected {expected}, found {}", shown(actual))));
        };
        for (word, argument) in matcher {
            if !REMARKS.contains(&word.as_str()) && !self.holds(word, argument, actual)? {
                return Ok(Some(format!("expected {word} {argument}, found {}", shown(actual))));
            }
        }
        Ok(None)
    }

    fn holds(&self, word: &str, argument: &Value, actual: Option<&Value>) -> Result<bool, Unknown> {
        let text = actual.map(plain);
        let wanted = plain(argument);
        let matches = |test: &dyn Fn(&str) -> bool| text.as_deref().is_some_and(test);
        Ok(match word {
            "absent" => actual.is_none() == truth(argument),
            "present" => actual.is_some_and(|actual| !actual.is_null()) == truth(argument),
            "present_key" => actual.is_some() == truth(argument),
            "absent_or_null" => actual.is_none_or(Value::is_null) == truth(argument),
            "contains" => match actual {
                Some(Value::Array(items)) => items.iter().any(|item| equal(argument, item)),
                _ => matches(&|text| text.contains(&wanted)),
            },
            "not_contains" => !matches(&|text| text.contains(&wanted)),
            "prefix" | "starts_with" => matches(&|text| text.starts_with(&wanted)),
            "suffix" | "ends_with" => matches(&|text| text.ends_with(&wanted)),
            "equals" => actual.is_some_and(|actual| equal(argument, actual)),
            "not" | "not_equals" => !actual.is_some_and(|actual| equal(argument, actual)),
            "regex" => {
                let pattern = Regex::new(&wanted).map_err(|error| Unknown::new(format!("regex {wanted}: {error}")))?;
                matches(&|text| pattern.is_match(text))
            }
            "one_of" => {
                let choices = argument.as_array().ok_or_else(|| Unknown::new("one_of is not a list"))?;
                choices.iter().any(|choice| actual.is_some_and(|actual| equal(choice, actual)))
            }
            "object_contains" => {
                let members = argument.as_object().ok_or_else(|| Unknown::new("object_contains is no object"))?;
                members.iter().all(|(name, expected)| {
                    actual.and_then(|actual| actual.get(name)).is_some_and(|actual| equal(expected, actual))
                })
            }
            "equals_event" => {
                let other = self.event.and_then(|event| lookup(event, &wanted));
                other.is_some_and(|other| text.as_deref() == Some(plain(other).as_str()))
            }
            "type" => is_of_type(actual, &wanted)?,
            _ => return Err(Unknown::new(format!("matcher `{word}`"))),
        })
    }
}

/// The words of an object that is a matcher rather than a literal.
fn matcher(expected: &Value) -> Option<&serde_json::Map<String, Value>> {
    const WORDS: [&str; 17] = [
        "absent",
        "present",
        "present_key",
        "absent_or_null",
        "contains",
        "not_contains",
        "prefix",
        "starts_with",
        "suffix",
        "ends_with",
        "equals",
        "not",
        "not_equals",
        "regex",
        "one_of",
        "object_contains",
        "equals_event",
    ];
    let members = expected.as_object()?;
    let is_type = members.get("type").is_some_and(|kind| kind.as_str().is_some_and(|kind| TYPES.contains(&kind)));
    let known = |word: &String| WORDS.contains(&word.as_str()) || REMARKS.contains(&word.as_str());
    let words = members.keys().any(|word| WORDS.contains(&word.as_str()));
    (is_type && members.len() == 1 || words && members.keys().all(known)).then_some(members)
}

/// The types that `type` may name.
const TYPES: [&str; 8] =
    ["integer-milliseconds", "integer-seconds", "integer", "number", "string", "boolean", "list", "object"];

fn is_of_type(actual: Option<&Value>, name: &str) -> Result<bool, Unknown> {
    let number = actual.and_then(Value::as_u64);
    Ok(match name {
        // Any time after 2001 has thirteen digits in milliseconds, ten in seconds.
        "integer-milliseconds" => {
            number.is_some_and(|number| (1_000_000_000_000..10_000_000_000_000).contains(&number))
        }
        "integer-seconds" => number.is_some_and(|number| (1_000_000_000..10_000_000_000).contains(&number)),
        "integer" => actual.is_some_and(|actual| actual.is_i64() || actual.is_u64()),
        "number" => actual.is_some_and(Value::is_number),
        "string" => actual.is_some_and(Value::is_string),
        "boolean" => actual.is_some_and(Value::is_boolean),
        "list" => actual.is_some_and(Value::is_array),
        "object" => actual.is_some_and(Value::is_object),
        _ => return Err(Unknown::new(format!("type `{name}`"))),
    })
}

fn truth(argument: &Value) -> bool {
    argument != &Value::Bool(false)
}

/// Equal, whether a number is written `1` or `1.0`.
fn equal(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(expected), Value::Number(actual)) => expected.as_f64() == actual.as_f64(),
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len()
                && expected.iter().zip(actual).all(|(expected, actual)| equal(expected, actual))
        }
        (Value::Object(expected), Value::Object(actual)) => {
            expected.len() == actual.len()
                && expected.iter().all(|(name, value)| actual.get(name).is_some_and(|actual| equal(value, actual)))
        }
        (expected, actual) => expected == actual,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn shown(actual: Option<&Value>) -> String {
    let text = actual.map_or_else(|| "nothing".to_owned(), Value::to_string);
    text.chars().take(600).collect()
}

/// The value at a dotted path. Names may hold dots themselves: the longest name that fits counts.
pub(crate) fn lookup<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    let ends = std::iter::once(path.len()).chain(path.rmatch_indices('.').map(|(at, _)| at));
    ends.into_iter().find_map(|end| {
        let (name, rest) = path.split_at(end);
        let inner = match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            value => value.get(name),
        };
        lookup(inner?, rest.strip_prefix('.').unwrap_or(rest))
    })
}

#[test]
fn matchers_tell_right_from_wrong() {
    use serde_json::json;
    let scope = Scope { event: Some(&json!({ "a": { "b.c": "x" } })) };
    let holds = |expected: Value, actual: Option<Value>| {
        scope.compare(&expected, actual.as_ref()).expect("the words are known").is_none()
    };
    assert!(holds(json!({ "equals_event": "a.b.c" }), Some(json!("x"))));
    assert!(!holds(json!({ "equals_event": "a.b" }), Some(json!("x"))));
    assert!(holds(json!({ "absent": true }), None) && !holds(json!({ "absent": true }), Some(json!(null))));
    assert!(holds(json!({ "one_of": [204, 200] }), Some(json!(200))) && !holds(json!({ "one_of": [204] }), None));
    assert!(
        holds(json!({ "regex": "^a+$" }), Some(json!("aa"))) && !holds(json!({ "regex": "^a+$" }), Some(json!("ab")))
    );
    assert!(holds(json!({ "id": "2" }), Some(json!({ "id": "2" }))) && !holds(json!({ "id": "2" }), Some(json!({}))));
    assert!(holds(json!(null), Some(json!(null))) && !holds(json!(null), None));
    assert!(scope.compare(&json!({ "regex": "(" }), None).is_err());
}
