//! Properties checked against the schemas of the resource types, and what those schemas say about changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use regex::Regex;
use serde_json::{Map, Number, Value};

use crate::cloudformation::dynamic;
use crate::cloudformation::intrinsics::{UNKNOWN, unknown};
use crate::cloudformation::resource::Properties;
use crate::cloudformation::resource_types;

/// How many references of a schema to its own definitions are followed before a value is given up.
const DEEPEST: usize = 96;

/// Types that CloudFormation checks itself, with a wording of its own.
const LEGACY: &[&str] = &["AWS::IAM::Policy", "AWS::SSM::Parameter"];

/// Properties that `Fn::GetAtt` returns though they are written.
const READABLE: &[(&str, &[&str])] = &[("AWS::SSM::Parameter", &["Type", "Value"])];

/// The schema of one resource type.
#[derive(Debug)]
pub(super) struct Schema {
    name: &'static str,
    root: Value,
}

/// The schema of a resource type that the embedded cloud knows.
pub(super) fn of(resource_type: &str) -> Option<&'static Schema> {
    static SCHEMAS: OnceLock<BTreeMap<&'static str, Schema>> = OnceLock::new();
    let all = SCHEMAS.get_or_init(|| {
        resource_types()
            .map(|one| {
                // A schema is part of this program; the test below reads every one of them.
                let root = serde_json::from_str(one.schema()).unwrap_or_default();
                (one.name(), Schema { name: one.name(), root })
            })
            .collect()
    });
    all.get(resource_type)
}

/// Something that is wrong with a property.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Violation {
    /// Where, as a JSON pointer; empty for the properties as a whole.
    pointer: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Missing(String),
    Unknown(String),
    Type { expected: String, found: &'static str },
    Constraint(&'static str),
    Subschemas(usize),
}

impl Schema {
    /// The properties as the service wants them, scalars turned into the type that the schema names.
    ///
    /// # Errors
    /// AWS's sentence about all that is wrong.
    pub(super) fn checked(&self, logical_id: &str, properties: &Properties) -> Result<Properties, String> {
        let mut violations = self.read_only(properties);
        let mut value = Value::Object(properties.clone());
        self.check(&self.root, &mut value, "", 0, &mut violations);
        match value {
            Value::Object(checked) if violations.is_empty() => Ok(checked),
            _ => Err(self.sentence(logical_id, &violations)),
        }
    }

    /// As [`Schema::checked`], for values that are not all known yet: what does not fit stays as it is.
    pub(super) fn coerced(&self, properties: &Properties) -> Properties {
        let mut value = Value::Object(properties.clone());
        self.check(&self.root, &mut value, "", 0, &mut Vec::new());
        match value {
            Value::Object(coerced) => coerced,
            _ => properties.clone(),
        }
    }

    fn sentence(&self, logical_id: &str, violations: &[Violation]) -> String {
        if LEGACY.contains(&self.name) {
            let all: Vec<String> = violations.iter().map(Violation::legacy).collect();
            return format!("Property validation failure: [{}]", all.join(", "));
        }
        let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
        format!("Properties validation failed for resource {logical_id} with message:\n{}", all.join("\n"))
    }

    fn paths(&self, member: &str) -> impl Iterator<Item = &str> {
        let listed = self.root.get(member).and_then(Value::as_array);
        listed.into_iter().flatten().filter_map(Value::as_str).filter_map(|path| path.strip_prefix("/properties/"))
    }

    fn readable(&self) -> &'static [&'static str] {
        READABLE.iter().find(|(name, _)| *name == self.name).map_or(&[], |(_, readable)| readable)
    }

    fn read_only(&self, properties: &Properties) -> Vec<Violation> {
        self.paths("readOnlyProperties")
            .filter(|path| properties.contains_key(*path) && !self.readable().contains(path))
            .map(|path| Violation { pointer: String::new(), kind: Kind::Unknown(path.to_owned()) })
            .collect()
    }

    /// Whether `Fn::GetAtt` offers the attribute.
    pub(super) fn has_attribute(&self, attribute: &str) -> bool {
        let path = attribute.replace('.', "/");
        let under = format!("{path}/");
        self.readable().contains(&attribute)
            || self.paths("readOnlyProperties").any(|one| one == path || path.starts_with(&format!("{one}/")))
            || self.paths("readOnlyProperties").any(|one| one.starts_with(&under))
    }

    /// The properties that give a resource its name, when a user may set them.
    fn names(&self) -> Vec<&str> {
        let read_only: BTreeSet<&str> = self.paths("readOnlyProperties").collect();
        self.paths("primaryIdentifier").filter(|path| !read_only.contains(path)).collect()
    }

    /// The name that a resource gets from its properties, when they give it one.
    pub(super) fn custom_name<'a>(&self, properties: &'a Properties) -> Option<&'a str> {
        match self.names().as_slice() {
            [name] => properties.get(*name)?.as_str(),
            _ => None,
        }
    }

    /// Whether a change of this property replaces the resource.
    pub(super) fn recreates(&self, property: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
        let under = format!("{property}/");
        self.paths("createOnlyProperties").any(|path| {
            path == property
                || path.strip_prefix(&under).is_some_and(|rest| {
                    let step =
                        |value: Option<&Value>| value.and_then(|value| value.pointer(&format!("/{rest}"))).cloned();
                    step(old) != step(new)
                })
        })
    }

    /// Whether going from one set of properties to another replaces the resource.
    pub(super) fn replaces(&self, old: &Properties, new: &Properties) -> bool {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        names.into_iter().any(|name| {
            let (before, after) = (old.get(name), new.get(name));
            before != after && self.recreates(name, before, after)
        })
    }

    /// Whether the type takes tags, so that it gets the stack's.
    pub(super) fn takes_tags(&self) -> bool {
        self.root.pointer("/properties/Tags").is_some()
    }

    /// The schema behind a reference.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let mut current = schema;
        for _ in 0..DEEPEST {
            let Some(pointer) = current.get("$ref").and_then(Value::as_str) else { return current };
            let Some(next) = pointer.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) else { break };
            current = next;
        }
        current
    }

    /// Checks a value in place, and turns its scalars into what the schema asks for.
    fn check(&self, schema: &Value, value: &mut Value, pointer: &str, depth: usize, found: &mut Vec<Violation>) {
        let unsettled = |text: &str| dynamic::refers(text) || text.contains(UNKNOWN);
        if depth > DEEPEST || value.as_str().is_some_and(unsettled) {
            return;
        }
        let schema = self.resolve(schema);
        let mut add = |kind| found.push(Violation { pointer: pointer.to_owned(), kind });
        if let Some(types) = types(schema) {
            coerce(value, &types);
            if !types.iter().any(|name| fits(value, name)) {
                add(Kind::Type {
                    expected: types.iter().map(|name| everit(name)).collect::<Vec<_>>().join(", "),
                    found: found_type(value),
                });
                return;
            }
        }
        for keyword in constraints(schema, value) {
            add(Kind::Constraint(keyword));
        }
        match value {
            Value::Object(members) => self.members(schema, members, pointer, depth, found),
            Value::Array(items) => {
                let Some(item_schema) = schema.get("items") else { return };
                for (index, item) in items.iter_mut().enumerate() {
                    self.check(item_schema, item, &format!("{pointer}/{index}"), depth.saturating_add(1), found);
                }
            }
            _ => {}
        }
        self.combined(schema, value, pointer, depth, found);
    }

    fn members(
        &self,
        schema: &Value,
        members: &mut Map<String, Value>,
        pointer: &str,
        depth: usize,
        found: &mut Vec<Violation>,
    ) {
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                found.push(Violation { pointer: pointer.to_owned(), kind: Kind::Missing(name.to_owned()) });
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        let further = schema.get("additionalProperties");
        for (name, member) in members.iter_mut() {
            let by_pattern = || {
                patterns?.iter().find(|(pattern, _)| matches(pattern, name).unwrap_or(true)).map(|(_, schema)| schema)
            };
            let deeper = format!("{pointer}/{name}");
            match (properties.and_then(|properties| properties.get(name)).or_else(by_pattern), further) {
                (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => {
                    self.check(schema, member, &deeper, depth.saturating_add(1), found);
                }
                (None, Some(Value::Bool(false))) => {
                    found.push(Violation { pointer: pointer.to_owned(), kind: Kind::Unknown(name.clone()) });
                }
                _ => {}
            }
        }
    }

    /// `allOf`, `anyOf` and `oneOf`.
    fn combined(&self, schema: &Value, value: &mut Value, pointer: &str, depth: usize, found: &mut Vec<Violation>) {
        let deeper = depth.saturating_add(1);
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.check(part, value, pointer, deeper, found);
        }
        for keyword in ["anyOf", "oneOf"] {
            let Some(Value::Array(parts)) = schema.get(keyword) else { continue };
            let mut fitting = Vec::new();
            for part in parts {
                let mut candidate = value.clone();
                let mut inner = Vec::new();
                self.check(part, &mut candidate, pointer, deeper, &mut inner);
                if inner.is_empty() {
                    fitting.push(candidate);
                }
            }
            let enough = fitting.len() == 1 || (keyword == "anyOf" && !fitting.is_empty());
            if enough {
                fitting.truncate(1);
                *value = fitting.pop().unwrap_or_default();
            } else if !unknown(value) {
                found.push(Violation { pointer: pointer.to_owned(), kind: Kind::Subschemas(fitting.len()) });
            }
        }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "#{}: ", self.pointer)?;
        match &self.kind {
            Kind::Missing(name) => write!(formatter, "required key [{name}] not found"),
            Kind::Unknown(name) => write!(formatter, "extraneous key [{name}] is not permitted"),
            Kind::Type { expected, found } => write!(formatter, "expected type: {expected}, found: {found}"),
            Kind::Constraint(keyword) => write!(formatter, "failed validation constraint for keyword [{keyword}]"),
            Kind::Subschemas(count) => write!(formatter, "#: {count} subschemas matched instead of one"),
        }
    }
}

impl Violation {
    fn legacy(&self) -> String {
        let Self { pointer, kind } = self;
        match kind {
            Kind::Missing(name) => format!("The property {{{pointer}/{name}}} is required"),
            Kind::Unknown(name) => {
                let place = if pointer.is_empty() { "/" } else { pointer };
                format!("Encountered unsupported properties in {{{place}}}: [{name}]")
            }
            Kind::Type { expected, .. } => {
                format!("Value of property {{{pointer}}} does not match type {{{expected}}}")
            }
            Kind::Constraint(keyword) => format!("Value of property {{{pointer}}} does not satisfy {{{keyword}}}"),
            Kind::Subschemas(_) => format!("Value of property {{{pointer}}} does not match any allowed form"),
        }
    }
}

fn types(schema: &Value) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Value::String(name) => Some(vec![name]),
        Value::Array(names) => Some(names.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

fn fits(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// CloudFormation takes `"5"` for 5, `"true"` for true, and the other way round.
fn coerce(value: &mut Value, types: &[&str]) {
    if types.iter().any(|name| fits(value, name)) {
        return;
    }
    for name in types {
        let turned = match (&*value, *name) {
            (Value::String(text), "integer") => text.parse::<i64>().ok().map(Value::from),
            (Value::Number(number), "integer") => whole(number),
            (Value::String(text), "number") => text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
            (Value::String(text), "boolean") => match text.to_ascii_lowercase().as_str() {
                "true" => Some(true.into()),
                "false" => Some(false.into()),
                _ => None,
            },
            (Value::Number(number), "string") => Some(number.to_string().into()),
            (Value::Bool(flag), "string") => Some(flag.to_string().into()),
            _ => None,
        };
        if let Some(turned) = turned {
            *value = turned;
            return;
        }
    }
}

/// `5.0` as 5.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(number: &Number) -> Option<Value> {
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() < 9e15).then(|| Value::from(float as i64))
}

fn everit(name: &str) -> &str {
    match name {
        "string" => "String",
        "integer" => "Integer",
        "number" => "Number",
        "boolean" => "Boolean",
        "array" => "JSONArray",
        "object" => "JSONObject",
        other => other,
    }
}

fn found_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "BigDecimal",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}

/// The keywords that a value does not satisfy.
fn constraints(schema: &Value, value: &Value) -> Vec<&'static str> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let mut broken = Vec::new();
    if let Some(Value::Array(allowed)) = schema.get("enum")
        && !allowed.contains(value)
    {
        broken.push("enum");
    }
    if schema.get("const").is_some_and(|only| only != value) {
        broken.push("const");
    }
    let (low, high, size) = match value {
        Value::String(text) => ("minLength", "maxLength", length(text.chars().count())),
        Value::Array(items) => ("minItems", "maxItems", length(items.len())),
        Value::Object(members) => ("minProperties", "maxProperties", length(members.len())),
        Value::Number(number) => ("minimum", "maximum", number.as_f64().unwrap_or_default()),
        _ => return broken,
    };
    if bound(low).is_some_and(|least| size < least) {
        broken.push(low);
    }
    if bound(high).is_some_and(|most| size > most) {
        broken.push(high);
    }
    if let (Value::String(text), Some(Value::String(pattern))) = (value, schema.get("pattern"))
        && matches(pattern, text) == Some(false)
    {
        broken.push("pattern");
    }
    if let (Value::Array(items), Some(Value::Bool(true))) = (value, schema.get("uniqueItems")) {
        let distinct: BTreeSet<String> = items.iter().map(ToString::to_string).collect();
        if distinct.len() != items.len() {
            broken.push("uniqueItems");
        }
    }
    broken
}

#[expect(clippy::cast_precision_loss, reason = "templates are at most a megabyte")]
fn length(count: usize) -> f64 {
    count as f64
}

/// Whether a text matches a pattern of a schema; none for a pattern that is beyond the regex engine.
fn matches(pattern: &str, text: &str) -> Option<bool> {
    static PATTERNS: Mutex<BTreeMap<String, Option<Regex>>> = Mutex::new(BTreeMap::new());
    let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    if !patterns.contains_key(pattern) {
        patterns.insert(pattern.to_owned(), Regex::new(pattern).ok());
    }
    patterns.get(pattern)?.as_ref().map(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(schema: Value, properties: Value) -> Result<Value, String> {
        let Value::Object(properties) = properties else { return Err("properties are an object".to_owned()) };
        Schema { name: "T", root: schema }.checked("R", &properties).map(Value::Object)
    }

    fn schema() -> Value {
        json!({
            "properties": {
                "Name": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
                "Size": {"type": "integer", "maximum": 10},
                "On": {"type": "boolean"},
                "Mode": {"type": "string", "enum": ["A", "B"]},
                "Nested": {"$ref": "#/definitions/Nested"},
                "Many": {"type": "array", "items": {"$ref": "#/definitions/Nested"}},
                "Either": {"oneOf": [{"type": "boolean"}, {"type": "array"}]},
                "Arn": {"type": "string"},
            },
            "definitions": {"Nested": {
                "type": "object",
                "properties": {"In": {"type": "string"}},
                "required": ["In"],
                "additionalProperties": false,
            }},
            "required": ["Name"],
            "readOnlyProperties": ["/properties/Arn", "/properties/Endpoint/Address"],
            "createOnlyProperties": ["/properties/Name", "/properties/Nested/In"],
            "primaryIdentifier": ["/properties/Name"],
            "additionalProperties": false,
        })
    }

    #[test]
    fn scalars_take_the_type_of_their_property() {
        let given = json!({"Name": "ab", "Size": "5", "On": "true", "Nested": {"In": 1}});
        let expected = json!({"Name": "ab", "Size": 5, "On": true, "Nested": {"In": "1"}});
        assert_eq!(checked(schema(), given), Ok(expected));
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let cases = [
            (json!({}), "#: required key [Name] not found"),
            (json!({"Name": "ab", "Nmae": 1}), "#: extraneous key [Nmae] is not permitted"),
            (json!({"Name": "ab", "Size": "x"}), "#/Size: expected type: Integer, found: String"),
            (json!({"Name": "ab", "Size": 11}), "#/Size: failed validation constraint for keyword [maximum]"),
            (json!({"Name": "a"}), "#/Name: failed validation constraint for keyword [minLength]"),
            (json!({"Name": "AB"}), "#/Name: failed validation constraint for keyword [pattern]"),
            (json!({"Name": "ab", "Mode": "C"}), "#/Mode: failed validation constraint for keyword [enum]"),
            (
                json!({"Name": "ab", "Many": [{"Inn": ""}]}),
                "#/Many/0: required key [In] not found\n#/Many/0: extraneous key [Inn] is not permitted",
            ),
            (json!({"Name": "ab", "Either": {}}), "#/Either: #: 0 subschemas matched instead of one"),
            (json!({"Name": "ab", "Arn": "x"}), "#: extraneous key [Arn] is not permitted"),
        ];
        for (given, told) in cases {
            let expected = format!("Properties validation failed for resource R with message:\n{told}");
            assert_eq!(checked(schema(), given), Err(expected));
        }
    }

    #[test]
    fn a_schema_tells_attributes_and_replacements() {
        let schema = Schema { name: "T", root: schema() };
        assert!(schema.has_attribute("Arn") && schema.has_attribute("Endpoint.Address"));
        assert!(!schema.has_attribute("Name"));
        let properties = |value: Value| value.as_object().cloned().unwrap_or_default();
        let old = properties(json!({"Name": "a", "Size": 1, "Nested": {"In": "x", "Other": 1}}));
        let resized = properties(json!({"Name": "a", "Size": 2, "Nested": {"In": "x", "Other": 2}}));
        let renamed = properties(json!({"Name": "a", "Size": 1, "Nested": {"In": "y"}}));
        assert!(!schema.replaces(&old, &resized));
        assert!(schema.replaces(&old, &renamed));
        assert_eq!(schema.custom_name(&old), Some("a"));
    }

    #[test]
    fn every_schema_is_well_formed() {
        for one in resource_types() {
            let root: Value = serde_json::from_str(one.schema()).expect("a schema is JSON");
            assert!(root.get("properties").is_some_and(Value::is_object), "{}", one.name());
            assert_eq!(root.get("additionalProperties"), Some(&Value::Bool(false)), "{}", one.name());
        }
    }
}
