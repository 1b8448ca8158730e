//! JSON Schema, draft 4: what a body is held against.
//!
//! See <https://datatracker.ietf.org/doc/html/draft-fge-json-schema-validation-00>. References lead into the schema itself
//! or to another model of the API; nothing is fetched from anywhere.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use regex::Regex;
use serde_json::{Map, Number, Value};

/// What the references between models begin with.
const MODELS: &str = "https://apigateway.amazonaws.com/restapis/";
/// How deep a value and the references about it are followed.
const DEEPEST: usize = 64;
/// How many schemas are looked at for one value: those that branch into themselves would never end.
const MOST_STEPS: u32 = 100_000;
/// How many mistakes are told of one value. A body may have as many as it has members.
const MOST_MISTAKES: usize = 10;
/// How many characters are told of one step to a mistake. A body's names may be as long as the body.
const LONGEST_STEP: usize = 64;

/// The schemas of an API, by the names of their models.
pub(super) struct Schemas {
    models: BTreeMap<String, Value>,
    /// Schemas that may still be looked at. There is none once one cannot be followed, whatever `not` stands before it.
    steps: Cell<u32>,
    patterns: Patterns,
}

/// The patterns of the schemas, compiled when they are first asked about: a body may ask about each of them as often as
/// it has members. There is nothing for one that cannot be read.
#[derive(Default)]
struct Patterns(RefCell<BTreeMap<String, Option<Regex>>>);

impl Patterns {
    /// A pattern is searched for, not matched as a whole. One that cannot be read matches nothing.
    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut compiled = self.0.borrow_mut();
        if !compiled.contains_key(pattern) {
            compiled.insert(pattern.to_owned(), Regex::new(pattern).ok());
        }
        compiled.get(pattern).and_then(Option::as_ref).is_some_and(|pattern| pattern.is_match(text))
    }
}

/// A schema, and the model that its local references are within.
#[derive(Clone, Copy)]
struct Place<'a> {
    schema: &'a Value,
    root: &'a Value,
}

/// Where a value is within the body: put into words only where something is wrong.
#[derive(Clone, Copy)]
enum At<'a> {
    Root,
    Member(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl At<'_> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(above, name) => {
                above.write(f)?;
                let cut = name.char_indices().nth(LONGEST_STEP).and_then(|(end, _)| name.get(..end));
                match cut {
                    Some(start) => write!(f, "/{start}..."),
                    None => write!(f, "/{name}"),
                }
            }
            Self::Item(above, index) => {
                above.write(f)?;
                write!(f, "/{index}")
            }
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("/"),
            at => at.write(f),
        }
    }
}

/// What is wrong with a value, as far as it is told.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    fn add(&mut self, at: &At<'_>, what: impl fmt::Display) {
        if !self.are_enough() {
            self.0.push(format!("{at}: {what}"));
        }
    }

    fn are_enough(&self) -> bool {
        self.0.len() >= MOST_MISTAKES
    }
}

impl Schemas {
    /// Reads those that are JSON.
    pub(super) fn read(texts: &BTreeMap<String, String>) -> Self {
        let read = |(name, text): (&String, &String)| Some((name.clone(), serde_json::from_str(text).ok()?));
        let models = texts.iter().filter_map(read).collect();
        Self { models, steps: Cell::new(MOST_STEPS), patterns: Patterns::default() }
    }

    /// What is wrong with a value as one of this model; `None` when there is no such model.
    pub(super) fn mistakes(&self, model: &str, value: &Value) -> Option<Vec<String>> {
        let schema = self.models.get(model)?;
        self.steps.set(MOST_STEPS);
        let mut mistakes = Mistakes::default();
        self.check(Place { schema, root: schema }, value, &At::Root, DEEPEST, &mut mistakes);
        if self.steps.get() == 0 {
            mistakes.0.push("the model cannot be followed".to_owned());
        }
        Some(mistakes.0)
    }

    /// Whether nothing that is still to be seen could change what is told.
    fn is_over(&self, mistakes: &Mistakes) -> bool {
        mistakes.are_enough() || self.steps.get() == 0
    }

    fn holds(&self, place: Place<'_>, value: &Value, left: usize) -> bool {
        let mut mistakes = Mistakes::default();
        self.check(place, value, &At::Root, left, &mut mistakes);
        mistakes.0.is_empty()
    }

    fn check(&self, place: Place<'_>, value: &Value, at: &At<'_>, left: usize, mistakes: &mut Mistakes) {
        if mistakes.are_enough() {
            return;
        }
        self.steps.set(if left == 0 { 0 } else { self.steps.get().saturating_sub(1) });
        if self.steps.get() == 0 {
            return;
        }
        let left = left - 1;
        let Some(members) = place.schema.as_object() else { return };
        // Beside a reference nothing else counts.
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            match self.resolve(place.root, reference) {
                Some(target) => self.check(target, value, at, left, mistakes),
                None => self.steps.set(0),
            }
            return;
        }
        for keyword in broken(members, value, &self.patterns) {
            mistakes.add(at, format_args!("fails {keyword}"));
        }
        self.combined(place, value, at, left, mistakes);
        match value {
            Value::Object(object) => self.object(place, (value, object), at, left, mistakes),
            Value::Array(items) => self.array(place, items, at, left, mistakes),
            _ => {}
        }
    }

    fn resolve<'a>(&'a self, root: &'a Value, reference: &str) -> Option<Place<'a>> {
        let (document, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let root = match document {
            "" => root,
            document => self.models.get(document.strip_prefix(MODELS)?.split_once("/models/")?.1)?,
        };
        let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8().ok()?;
        Some(Place { schema: root.pointer(&pointer)?, root })
    }

    fn combined(&self, place: Place<'_>, value: &Value, at: &At<'_>, left: usize, mistakes: &mut Mistakes) {
        let Place { schema, root } = place;
        let list = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
        let holds = |part: &&Value| self.holds(Place { schema: part, root }, value, left);
        for part in list("allOf").into_iter().flatten() {
            self.check(Place { schema: part, root }, value, at, left, mistakes);
        }
        let broken = [
            ("anyOf", list("anyOf").is_some_and(|parts| !parts.iter().any(|part| holds(&part)))),
            ("oneOf", list("oneOf").is_some_and(|parts| parts.iter().filter(holds).count() != 1)),
            ("not", schema.get("not").is_some_and(|part| holds(&part))),
        ];
        for (keyword, _) in broken.iter().filter(|(_, broken)| *broken) {
            mistakes.add(at, format_args!("fails {keyword}"));
        }
    }

    fn object(
        &self,
        place: Place<'_>,
        (whole, object): (&Value, &Map<String, Value>),
        at: &At<'_>,
        left: usize,
        mistakes: &mut Mistakes,
    ) {
        let Place { schema, root } = place;
        let named = |keyword: &str| schema.get(keyword).and_then(Value::as_object);
        for (name, member) in object {
            if self.is_over(mistakes) {
                return;
            }
            let within = At::Member(at, name);
            let own = named("properties").and_then(|properties| properties.get(name));
            let by_pattern = named("patternProperties").into_iter().flatten();
            let by_pattern =
                by_pattern.filter(|(pattern, _)| self.patterns.matches(pattern, name)).map(|(_, schema)| schema);
            let mut about: Vec<&Value> = own.into_iter().chain(by_pattern).collect();
            match schema.get("additionalProperties") {
                Some(Value::Bool(false)) if about.is_empty() => mistakes.add(&within, "is not allowed"),
                Some(further @ Value::Object(_)) if about.is_empty() => about.push(further),
                _ => {}
            }
            for schema in about {
                self.check(Place { schema, root }, member, &within, left, mistakes);
            }
        }
        for (name, needed) in named("dependencies").into_iter().flatten().filter(|(name, _)| object.contains_key(*name))
        {
            match needed {
                Value::Array(names) => {
                    let missing = names.iter().filter_map(Value::as_str).filter(|name| !object.contains_key(*name));
                    missing.for_each(|missing| mistakes.add(at, format_args!("{name} needs {missing}")));
                }
                schema => self.check(Place { schema, root }, whole, at, left, mistakes),
            }
        }
    }

    fn array(&self, place: Place<'_>, items: &[Value], at: &At<'_>, left: usize, mistakes: &mut Mistakes) {
        let Place { schema, root } = place;
        for (index, item) in items.iter().enumerate() {
            if self.is_over(mistakes) {
                return;
            }
            let within = At::Item(at, index);
            let about = match schema.get("items") {
                Some(Value::Array(each)) => each.get(index).or_else(|| schema.get("additionalItems")),
                every => every,
            };
            match about {
                Some(Value::Bool(false)) => mistakes.add(&within, "is not allowed"),
                Some(schema) => self.check(Place { schema, root }, item, &within, left, mistakes),
                None => {}
            }
        }
    }
}

/// The keywords that a value does not keep by itself, without a look at what is within it.
fn broken<'a>(schema: &'a Map<String, Value>, value: &Value, patterns: &Patterns) -> Vec<&'a str> {
    schema
        .iter()
        .filter(|(keyword, argument)| match (keyword.as_str(), value) {
            ("pattern", Value::String(text)) => {
                argument.as_str().is_some_and(|pattern| !patterns.matches(pattern, text))
            }
            _ => !keeps(schema, keyword, argument, value),
        })
        .map(|(keyword, _)| keyword.as_str())
        .collect()
}

fn keeps(schema: &Map<String, Value>, keyword: &str, argument: &Value, value: &Value) -> bool {
    let limit = argument.as_u64();
    let within = |length: usize, most: bool| {
        limit.is_none_or(|limit| if most { length as u64 <= limit } else { length as u64 >= limit })
    };
    let exclusive = |name: &str| schema.get(name) == Some(&Value::Bool(true));
    match (keyword, value) {
        ("type", value) => is_of(argument, value),
        ("enum", value) => argument.as_array().is_none_or(|choices| choices.iter().any(|choice| equal(choice, value))),
        ("required", Value::Object(object)) => {
            let names = argument.as_array().into_iter().flatten().filter_map(Value::as_str);
            names.into_iter().all(|name| object.contains_key(name))
        }
        ("minProperties" | "maxProperties", Value::Object(object)) => within(object.len(), keyword == "maxProperties"),
        ("minItems" | "maxItems", Value::Array(items)) => within(items.len(), keyword == "maxItems"),
        ("uniqueItems", Value::Array(items)) => argument != &Value::Bool(true) || are_unique(items),
        ("minLength" | "maxLength", Value::String(text)) => within(text.chars().count(), keyword == "maxLength"),
        ("minimum", Value::Number(number)) => {
            let (found, least) = (float(number), argument.as_f64());
            least.is_none_or(|least| found > least || !exclusive("exclusiveMinimum") && found >= least)
        }
        ("maximum", Value::Number(number)) => {
            let (found, most) = (float(number), argument.as_f64());
            most.is_none_or(|most| found < most || !exclusive("exclusiveMaximum") && found <= most)
        }
        ("multipleOf", Value::Number(number)) => argument.as_f64().is_none_or(|step| is_multiple(float(number), step)),
        _ => true,
    }
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

fn is_multiple(number: f64, step: f64) -> bool {
    let quotient = number / step;
    (quotient - quotient.round()).abs() < 1e-9
}

/// Draft 4 takes 1.0 for no integer; but JSON does not tell it from 1, so AWS does not either.
fn is_of(types: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap_or_default() {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        _ => false,
    };
    types.as_array().map_or_else(|| is(types), |types| types.iter().any(is))
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (left, right) => left == right,
    }
}

fn are_unique(items: &[Value]) -> bool {
    let mut seen = BTreeSet::new();
    items.iter().all(|item| seen.insert(item.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MOST_MISTAKES, Schemas};

    fn holds(schema: Value, value: Value) -> bool {
        let other = json!({ "type": "integer", "definitions": { "odd": { "enum": [1, 3] } } });
        let texts = [("M", schema), ("Other", other)].map(|(name, schema)| (name.to_owned(), schema.to_string()));
        Schemas::read(&texts.into()).mistakes("M", &value).expect("there is such a model").is_empty()
    }

    #[test]
    fn each_keyword_is_kept_or_broken() {
        let cases = [
            (json!({ "type": "object", "required": ["a"] }), json!({ "a": 1 }), json!({ "b": 1 })),
            (json!({ "type": ["string", "null"] }), json!(null), json!(1)),
            (json!({ "type": "integer" }), json!(1.0), json!(1.5)),
            (json!({ "enum": [1, "a"] }), json!(1.0), json!("b")),
            (json!({ "minimum": 1, "exclusiveMinimum": true }), json!(2), json!(1)),
            (json!({ "maximum": 1 }), json!(1), json!(1.1)),
            (json!({ "multipleOf": 0.1 }), json!(0.3), json!(0.35)),
            (json!({ "minLength": 2, "maxLength": 3 }), json!("äö"), json!("ä")),
            (json!({ "pattern": "b" }), json!("abc"), json!("ac")),
            (json!({ "pattern": "(" }), json!(1), json!("(")),
            (json!({ "properties": { "a": { "type": "number" } } }), json!({ "a": 1 }), json!({ "a": "1" })),
            (
                json!({ "additionalProperties": false, "patternProperties": { "^x": {} } }),
                json!({ "xa": 1 }),
                json!({ "a": 1 }),
            ),
            (json!({ "additionalProperties": { "type": "string" } }), json!({ "a": "b" }), json!({ "a": 1 })),
            (json!({ "minProperties": 1, "maxProperties": 1 }), json!({ "a": 1 }), json!({ "a": 1, "b": 1 })),
            (json!({ "dependencies": { "a": ["b"] } }), json!({ "b": 1 }), json!({ "a": 1 })),
            (json!({ "dependencies": { "a": { "maxProperties": 1 } } }), json!({ "a": 1 }), json!({ "a": 1, "b": 1 })),
            (json!({ "items": { "type": "string" } }), json!(["a"]), json!(["a", 1])),
            (json!({ "items": [{ "type": "string" }], "additionalItems": false }), json!(["a"]), json!(["a", 1])),
            (json!({ "minItems": 1, "uniqueItems": true }), json!([1, 2]), json!([1, 1])),
            (json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }), json!(2), json!(3)),
            (json!({ "anyOf": [{ "type": "string" }, { "minimum": 5 }] }), json!("a"), json!(4)),
            (json!({ "oneOf": [{ "minimum": 1 }, { "minimum": 5 }] }), json!(2), json!(6)),
            (json!({ "not": { "type": "string" } }), json!(1), json!("a")),
            (json!({ "$ref": "#/definitions/a", "definitions": { "a": { "type": "string" } } }), json!("a"), json!(1)),
            (json!({ "$ref": "https://apigateway.amazonaws.com/restapis/abc/models/Other" }), json!(1), json!("a")),
            (
                json!({ "$ref": "https://apigateway.amazonaws.com/restapis/abc/models/Other#/definitions/odd" }),
                json!(3),
                json!(2),
            ),
        ];
        for (schema, kept, broken) in cases {
            assert!(holds(schema.clone(), kept.clone()), "{schema} {kept}");
            assert!(!holds(schema.clone(), broken.clone()), "{schema} {broken}");
        }
    }

    #[test]
    fn a_body_of_mistakes_is_told_in_few_words() {
        let schema = json!({ "type": "object", "additionalProperties": { "$ref": "#" } });
        let texts = [("M".to_owned(), schema.to_string())].into();
        let mistakes = |body: &Value| Schemas::read(&texts).mistakes("M", body).expect("there is such a model");
        let many = json!({ "a": (0..1_000).map(|n| (n.to_string(), json!(n))).collect::<serde_json::Map<_, _>>() });
        assert_eq!(mistakes(&many).len(), MOST_MISTAKES);
        let deep = (0..20).fold(json!(1), |value, _| json!({ "n".repeat(10_000): value }));
        let told = mistakes(&deep);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].len() < 2_000 && told[0].ends_with("...: fails type"), "{told:?}");
        assert_eq!(mistakes(&json!([])), ["/: fails type"]);
        assert_eq!(mistakes(&json!({ "a": { "b": [] } })), ["/a/b: fails type"]);
    }

    #[test]
    fn a_body_of_many_members_has_no_pattern_compiled_anew() {
        let large = format!("^(a|{})$", "[b-y]{0,400}z".repeat(5));
        let schema = json!({ "patternProperties": { large.as_str(): { "items": { "pattern": large } } } });
        let members = (0..5_000).map(|n| (format!("n{n}"), json!(["a"])));
        let mut body: serde_json::Map<_, _> = members.collect();
        body.insert("a".to_owned(), json!(vec!["a"; 5_000]));
        let schemas = Schemas::read(&[("M".to_owned(), schema.to_string())].into());
        assert_eq!(schemas.mistakes("M", &body.into()), Some(Vec::new()));
        assert_eq!(schemas.patterns.0.borrow().len(), 1, "both places have the same one");
    }

    #[test]
    fn a_schema_that_leads_nowhere_or_round_in_circles_lets_nothing_pass() {
        for schema in [
            json!({ "$ref": "#" }),
            json!({ "$ref": "#/definitions/none" }),
            json!({ "$ref": "https://example.com/schema" }),
            json!({ "not": { "$ref": "#" } }),
            json!({ "not": { "$ref": "#/definitions/none" } }),
            json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] }),
        ] {
            assert!(!holds(schema.clone(), json!(1)), "{schema}");
        }
    }
}
