//! The JSON Schema of stack files, which says of a file what its reader says.
//!
//! The types of the model say most of it. What they cannot say is how a file is read: a text may be written without
//! quotes, where there is nothing an empty list or map is meant, and CloudFormation's own spelling is known.

use std::collections::BTreeSet;

use serde_json::{Map, json};

use crate::model::apigatewayv2::VERBS;
use crate::model::{Json, Stack};

/// What CloudFormation calls what a stack file has another word for: the definition, our word and its.
const SPELLINGS: [(&str, &str, &str); 10] = [
    ("Expression", "ref", "Ref"),
    ("Expression", "get", "Fn::GetAtt"),
    ("Expression", "sub", "Fn::Sub"),
    ("Expression", "if", "Fn::If"),
    ("Expression", "join", "Fn::Join"),
    ("Condition", "equals", "Fn::Equals"),
    ("Condition", "not", "Fn::Not"),
    ("Condition", "and", "Fn::And"),
    ("Condition", "or", "Fn::Or"),
    ("Condition", "condition", "Condition"),
];

/// Sections whose keys are not logical ids, and no names of which CloudFormation asks the same.
const FREE_NAMES: [&str; 2] = ["tags", "suppressions"];

/// The schema.
pub(super) fn schema() -> Json {
    let mut schema = schemars::schema_for!(Stack).to_value();
    let definitions = schema.get("$defs").cloned().unwrap_or_default();
    below(&mut schema, &mut |it| {
        keep_true_default(it, &definitions);
        name_type_of_choices(it);
        take_text_as_written(it);
        take_nothing(it);
    });
    spell_as_cloudformation(&mut schema);
    name_sections(&mut schema);
    name_routes(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), "A stackgen stack".into());
    }
    schema
}

/// Visits every schema inside another one.
fn below(schema: &mut Json, visit: &mut dyn FnMut(&mut Map<String, Json>)) {
    let Some(members) = schema.as_object_mut() else { return };
    for (keyword, member) in members {
        match (keyword.as_str(), member) {
            ("properties" | "$defs", Json::Object(named)) => named.values_mut().for_each(|it| with(it, visit)),
            ("anyOf" | "oneOf" | "prefixItems", Json::Array(list)) => list.iter_mut().for_each(|it| with(it, visit)),
            ("items" | "additionalProperties", one) => with(one, visit),
            _ => {}
        }
    }
}

fn with(schema: &mut Json, visit: &mut dyn FnMut(&mut Map<String, Json>)) {
    below(schema, visit);
    if let Some(members) = schema.as_object_mut() {
        visit(members);
    }
}

/// Takes a default away that is written in CloudFormation's words, as the model is serialized: an editor would write it.
fn keep_true_default(schema: &mut Map<String, Json>, definitions: &Json) {
    let Some(default) = schema.get("default") else { return };
    if default.is_null() || !fits(default, &Json::Object(schema.clone()), definitions) {
        schema.remove("default");
    }
}

/// Whether a default is a value as a stack file has it.
fn fits(value: &Json, schema: &Json, definitions: &Json) -> bool {
    let fits = |schema: &Json| fits(value, schema, definitions);
    let is_one = |schemas: &Json| schemas.as_array().is_some_and(|schemas| schemas.iter().any(fits));
    let has_type = |types: &Json| match types {
        Json::Array(types) => types.iter().any(|it| is_of_type(value, it)),
        one => is_of_type(value, one),
    };
    let Some(keywords) = schema.as_object() else { return schema != &Json::Bool(false) };
    keywords.iter().all(|(keyword, asked)| match keyword.as_str() {
        "$ref" => asked.as_str().and_then(|path| definitions.get(path.rsplit('/').next()?)).is_some_and(fits),
        "type" => has_type(asked),
        "const" => asked == value,
        "enum" => asked.as_array().is_some_and(|choices| choices.contains(value)),
        "anyOf" | "oneOf" => is_one(asked),
        "items" => elements(value).iter().all(|it| self::fits(it, asked, definitions)),
        "additionalProperties" => members_fit(value, keywords, asked, definitions),
        _ => true,
    })
}

fn members_fit(value: &Json, keywords: &Map<String, Json>, others: &Json, definitions: &Json) -> bool {
    let asked = |name: &str| keywords.get("properties").and_then(|it| it.get(name)).unwrap_or(others);
    value.as_object().is_none_or(|members| members.iter().all(|(name, it)| fits(it, asked(name), definitions)))
}

fn elements(value: &Json) -> &[Json] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn is_of_type(value: &Json, name: &Json) -> bool {
    match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}

/// Says beside the choices of what type all of them are, for editors that else complete a key without its colon.
fn name_type_of_choices(schema: &mut Map<String, Json>) {
    let Some(choices) = schema.get("oneOf").and_then(Json::as_array) else { return };
    let types: BTreeSet<&str> = choices.iter().filter_map(|choice| choice.get("type")?.as_str()).collect();
    if let ([only], true) = (types.into_iter().collect::<Vec<_>>().as_slice(), choices.iter().all(has_type)) {
        let only = Json::from(*only);
        schema.insert("type".to_owned(), only);
    }
}

fn has_type(choice: &Json) -> bool {
    choice.get("type").is_some_and(Json::is_string)
}

/// The reader takes `30` and `true` for texts where texts belong, as they are written.
fn take_text_as_written(schema: &mut Map<String, Json>) {
    if !["const", "enum", "pattern", "oneOf"].into_iter().any(|keyword| schema.contains_key(keyword)) {
        also(schema, "string", &["number", "boolean"]);
    }
    let Some(Json::Array(choices)) = schema.get_mut("oneOf") else { return };
    let number = |choice: &Json| choice.get("const")?.as_str()?.parse::<f64>().ok();
    let numbers: Vec<f64> = choices.iter().filter_map(number).collect();
    // Not as a choice: an editor would complete `2` where only `2.0` is meant.
    choices.extend(numbers.iter().map(|it| json!({ "type": "number", "minimum": it, "maximum": it })));
    if !numbers.is_empty() {
        also(schema, "string", &["number"]);
    }
}

/// The reader takes nothing for an empty list or map, which may be one unless something has to be in it.
fn take_nothing(schema: &mut Map<String, Json>) {
    let needs = |keyword| match schema.get(keyword) {
        Some(Json::Array(names)) => !names.is_empty(),
        Some(least) => least != 0,
        None => false,
    };
    let may_be_empty = !["required", "minItems", "minProperties", "oneOf"].into_iter().any(needs);
    if may_be_empty {
        also(schema, "object", &["null"]);
        also(schema, "array", &["null"]);
    }
}

/// Takes other types as well, after the one that editors complete.
fn also(schema: &mut Map<String, Json>, kind: &str, others: &[&str]) {
    let Some(types) = schema.get_mut("type") else { return };
    let mut names: Vec<Json> = types.as_array().cloned().unwrap_or_else(|| vec![types.clone()]);
    if !names.iter().any(|name| name == kind) {
        return;
    }
    for other in others.iter().map(|other| Json::from(*other)) {
        if !names.contains(&other) {
            names.push(other);
        }
    }
    *types = names.into();
}

fn spell_as_cloudformation(schema: &mut Json) {
    for definition in ["Expression", "Condition"] {
        let Some(Json::Array(choices)) = schema.pointer_mut(&format!("/$defs/{definition}/oneOf")) else { continue };
        let argument = |ours: &str| choices.iter().find_map(|choice| choice.pointer(&format!("/properties/{ours}")));
        let spelled = SPELLINGS.iter().filter(|(of, ..)| *of == definition);
        let spelled = spelled.filter_map(|(_, ours, theirs)| Some((format!("^{theirs}$"), argument(ours)?.clone())));
        let spelled: Map<String, Json> = spelled.collect();
        // By patterns, so that editors know these keys and do not complete them.
        choices.push(json!({
            "type": "object", "patternProperties": spelled, "additionalProperties": false,
            "minProperties": 1, "maxProperties": 1
        }));
    }
    if let Some(Json::Array(choices)) = schema.pointer_mut("/$defs/Removal/oneOf") {
        choices.push(json!({ "type": "string", "pattern": "^([Dd]elete|Retain|Snapshot)$" }));
    }
}

fn name_sections(schema: &mut Json) {
    let Some(Json::Object(sections)) = schema.get_mut("properties") else { return };
    let named = sections.iter_mut().filter(|(name, _)| !FREE_NAMES.contains(&name.as_str()));
    for section in named.filter_map(|(_, section)| section.as_object_mut()) {
        if section.contains_key("additionalProperties") {
            section.insert("propertyNames".to_owned(), json!({ "pattern": "^[A-Za-z0-9]{1,255}$" }));
        }
    }
}

fn name_routes(schema: &mut Json) {
    let key = format!("(ANY|{}) /[^ ]*", VERBS.join("|"));
    for (definition, pattern) in [("HttpApi", format!("^(\\$default|{key})$")), ("RestApi", format!("^{key}$"))] {
        let routes = schema.pointer_mut(&format!("/$defs/{definition}/properties/routes"));
        if let Some(routes) = routes.and_then(Json::as_object_mut) {
            routes.insert("propertyNames".to_owned(), json!({ "pattern": pattern }));
        }
    }
}
