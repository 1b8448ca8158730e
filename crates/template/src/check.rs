//! What CloudFormation would refuse in a template, found without asking it.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>

use std::collections::{BTreeMap, BTreeSet};

use miette::Diagnostic;
use serde_json::Value;
use thiserror::Error;

use super::{Resource, Template};

/// Most resources of a template.
pub const MOST_RESOURCES: usize = 500;
/// Most parameters, outputs and mappings of a template, and attributes of a mapping.
pub const MOST_ENTRIES: usize = 200;
/// Most characters of a logical id and of the names of parameters, outputs and mappings.
pub const LONGEST_NAME: usize = 255;
/// Most bytes of a description.
pub const LONGEST_DESCRIPTION: usize = 1_024;
/// Most bytes of a template that is uploaded; one that is sent inline may have [`INLINE_BYTES`].
pub const MOST_BYTES: usize = 1_000_000;
/// Most bytes of a template that is sent with the request.
pub const INLINE_BYTES: usize = 51_200;
/// What belongs to something else that has no more of it, as of an API or a domain, whatever AWS is asked.
const PARTS: [Part; 2] = [
    Part {
        kind: "AWS::ApiGatewayV2::Integration",
        owner: "ApiId",
        what: "integrations of one HTTP API",
        most: 300,
        counts: is_of_http_api,
    },
    Part {
        kind: "AWS::ApiGatewayV2::ApiMapping",
        owner: "DomainName",
        what: "mappings of several steps below one domain",
        most: 200,
        counts: has_several_steps,
    },
];
/// Deepest nesting that is looked into: what is nested deeper is refused.
const DEEPEST: usize = 100;

/// Something that CloudFormation would refuse.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Problem {
    /// A limit of the service is passed.
    #[error("{count} {what}, where CloudFormation takes {most} at most")]
    #[diagnostic(help(
        "split the stack: what another stack needs is an output there and `{{ output: stack.name }}` here"
    ))]
    TooMany { what: &'static str, count: usize, most: usize },
    /// A name that CloudFormation does not take.
    #[error("{what} `{name}` is not 1 to {LONGEST_NAME} letters and digits")]
    #[diagnostic(help("logical ids and names consist of A-Z, a-z and 0-9"))]
    Name { what: &'static str, name: String },
    /// `Ref`, `Fn::GetAtt`, `Fn::Sub` or `DependsOn` names nothing.
    #[error("`{at}` refers to `{name}`, which is not in the template")]
    #[diagnostic(help("declare `{name}`, or correct the name"))]
    Unresolved { at: String, name: String },
    /// `Fn::If` or `Condition` names nothing.
    #[error("`{at}` names the condition `{name}`, which is not in the template")]
    #[diagnostic(help("declare `{name}` under `conditions`"))]
    UnknownCondition { at: String, name: String },
    /// `Fn::FindInMap` names nothing.
    #[error("`{at}` looks for `{key}`, which is in no mapping")]
    #[diagnostic(help("mappings are looked up by their name and two keys"))]
    UnknownMapping { at: String, key: String },
    /// An output that is always there refers to what may not be.
    #[error("`{at}` refers to `{name}`, which is there only under the condition `{condition}`")]
    #[diagnostic(help("give it the same condition, or choose with `if`"))]
    SwitchedOff { at: String, name: String, condition: String },
    /// A resource that is always there needs one that may not be. CloudFormation refuses it only where the condition does not
    /// hold, so a stack for which it holds wherever it is deployed is right.
    #[error("`Resources/{id}` refers to `{name}`, which is there only under the condition `{condition}`")]
    #[diagnostic(help(
        "CloudFormation refuses the stack where that does not hold; give it the same condition, as with \
         `overrides: {{ {id}: {{ condition: {condition} }} }}`"
    ))]
    MayLack { id: String, name: String, condition: String },
    /// Resources wait for each other.
    #[error("{} wait for each other", .0.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "))]
    #[diagnostic(help("take one of the references out of the circle"))]
    Circular(Vec<String>),
    /// A function of CloudFormation is not given what it takes.
    #[error("`{function}` in `{at}` takes {takes}")]
    #[diagnostic(help("see the reference of CloudFormation's intrinsic functions"))]
    Shape { at: String, function: String, takes: &'static str },
    /// A mapping is not two levels of constants.
    #[error("mapping `{name}` is not a map of maps of texts or lists")]
    #[diagnostic(help("a mapping has two levels of keys, no more and no fewer"))]
    Mapping { name: String },
    /// A value is nested too deeply.
    #[error("`{at}` is nested deeper than {DEEPEST} levels")]
    #[diagnostic(help("flatten the value"))]
    TooDeep { at: String },
}

impl Problem {
    /// The section and the name of what refers to something or waits for it: `Resources` and `Queue`. Nothing where it is the
    /// template as a whole, or a name.
    pub fn at(&self) -> Option<(&str, &str)> {
        match self {
            Self::Unresolved { at, .. }
            | Self::UnknownCondition { at, .. }
            | Self::UnknownMapping { at, .. }
            | Self::SwitchedOff { at, .. }
            | Self::Shape { at, .. }
            | Self::TooDeep { at } => at.split_once('/'),
            Self::MayLack { id, .. } => Some(("Resources", id)),
            Self::Circular(ids) => ids.first().map(|id| ("Resources", id.as_str())),
            Self::Name { what: "resource", name } => Some(("Resources", name)),
            Self::Name { what: "parameter", name } => Some(("Parameters", name)),
            Self::TooMany { .. } | Self::Name { .. } | Self::Mapping { .. } => None,
        }
    }

    /// Whether CloudFormation may well take it.
    pub fn is_doubtful(&self) -> bool {
        matches!(self, Self::MayLack { .. })
    }

    /// Whether it is wrong whatever else the template will hold.
    pub fn stands_alone(&self) -> bool {
        matches!(self, Self::SwitchedOff { .. } | Self::Circular(_) | Self::Shape { .. } | Self::TooDeep { .. })
    }
}

impl Template {
    /// Everything in the template that CloudFormation would refuse, sorted; nothing when it is sound.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut check = Check { template: self, found: BTreeSet::new(), waits: BTreeMap::new() };
        check.counts();
        check.parts();
        check.names();
        check.mappings();
        check.resources();
        check.outputs_and_conditions();
        check.circles();
        check.found.into_iter().collect()
    }
}

/// What belongs to something else.
struct Part {
    kind: &'static str,
    /// The property that says whose it is.
    owner: &'static str,
    what: &'static str,
    most: usize,
    /// Whether one of them counts.
    counts: fn(&Template, &Resource) -> bool,
}

struct Check<'a> {
    template: &'a Template,
    found: BTreeSet<Problem>,
    /// What each resource waits for.
    waits: BTreeMap<&'a str, BTreeSet<String>>,
}

/// Where a value stands, and what may be said there.
#[derive(Clone, Copy)]
struct Place<'a> {
    section: &'static str,
    name: &'a str,
    condition: Option<&'a str>,
    /// Whether it counts only under a condition, as an arm of `Fn::If` does.
    is_chosen: bool,
}

impl Place<'_> {
    fn path(&self) -> String {
        format!("{}/{}", self.section, self.name)
    }
}

impl<'a> Check<'a> {
    fn counts(&mut self) {
        let template = self.template;
        self.count("resources", template.resources.len(), MOST_RESOURCES);
        self.count("parameters", template.parameters.len(), MOST_ENTRIES);
        self.count("outputs", template.outputs.len(), MOST_ENTRIES);
        self.count("mappings", template.mappings.len(), MOST_ENTRIES);
        let description = template.description.as_ref().map_or(0, String::len);
        self.count("bytes of description", description, LONGEST_DESCRIPTION);
        let bytes = template.to_json().len();
        self.count("bytes of template", bytes, MOST_BYTES);
    }

    fn count(&mut self, what: &'static str, count: usize, most: usize) {
        if count > most {
            self.found.insert(Problem::TooMany { what, count, most });
        }
    }

    fn parts(&mut self) {
        let template = self.template;
        for part in PARTS {
            let mut owned: BTreeMap<String, usize> = BTreeMap::new();
            let of_kind = template.resources.values().filter(|resource| resource.resource_type == part.kind);
            for resource in of_kind.filter(|resource| (part.counts)(template, resource)) {
                let owner = resource.properties.get(part.owner).map(Value::to_string);
                *owned.entry(owner.unwrap_or_default()).or_default() += 1;
            }
            owned.into_values().for_each(|count| self.count(part.what, count, part.most));
        }
    }

    fn names(&mut self) {
        let template = self.template;
        self.named("resource", template.resources.keys());
        self.named("parameter", template.parameters.keys());
        self.named("output", template.outputs.keys());
        self.named("condition", template.conditions.keys());
        self.named("mapping", template.mappings.keys());
    }

    fn named(&mut self, what: &'static str, names: impl Iterator<Item = &'a String>) {
        let wrong = |name: &&String| {
            name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        self.found.extend(names.filter(wrong).map(|name| Problem::Name { what, name: name.clone() }));
    }

    fn mappings(&mut self) {
        for (name, mapping) in &self.template.mappings {
            let Some(rows) = mapping.as_object().filter(|rows| rows.values().all(is_row)) else {
                self.found.insert(Problem::Mapping { name: name.clone() });
                continue;
            };
            self.count("attributes of a mapping", rows.len(), MOST_ENTRIES);
        }
    }

    fn resources(&mut self) {
        for (id, resource) in &self.template.resources {
            let condition = resource.condition.as_deref();
            let place = Place { section: "Resources", name: id, condition, is_chosen: false };
            self.waits.entry(id).or_default();
            for needed in &resource.depends_on {
                // What is not there is not waited for.
                self.target(Place { is_chosen: true, ..place }, needed, false);
            }
            if let Some(condition) = &resource.condition {
                self.condition(place, condition);
            }
            for value in resource.properties.values().chain(&resource.creation_policy).chain(&resource.update_policy) {
                self.value(place, value, 0);
            }
        }
    }

    fn outputs_and_conditions(&mut self) {
        for (name, output) in &self.template.outputs {
            let condition = output.condition.as_deref();
            let place = Place { section: "Outputs", name, condition, is_chosen: false };
            if let Some(condition) = &output.condition {
                self.condition(place, condition);
            }
            self.value(place, &output.value, 0);
            if let Some(export) = &output.export {
                self.value(place, &export.name, 0);
            }
        }
        for (name, condition) in &self.template.conditions {
            let place = Place { section: "Conditions", name, condition: None, is_chosen: false };
            self.value(place, condition, 0);
        }
    }

    fn value(&mut self, place: Place<'a>, value: &'a Value, depth: usize) {
        if depth > DEEPEST {
            self.found.insert(Problem::TooDeep { at: place.path() });
            return;
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.value(place, item, depth + 1)),
            Value::Object(members) => {
                if let [(name, argument)] = members.iter().collect::<Vec<_>>().as_slice() {
                    self.function(place, name, argument);
                }
                let place = Place { is_chosen: place.is_chosen || members.contains_key("Fn::If"), ..place };
                // The arms of `Fn::If` and the arguments of every other function may hold functions in turn.
                members.values().for_each(|member| self.value(place, member, depth + 1));
            }
            _ => {}
        }
    }

    fn function(&mut self, place: Place<'a>, name: &str, argument: &'a Value) {
        match name {
            "Ref" => match argument.as_str() {
                Some(id) => self.target(place, id, true),
                None => self.shape(place, name, "one name"),
            },
            "Fn::GetAtt" => self.attribute(place, argument),
            "Fn::Sub" => self.substitution(place, argument),
            "Fn::If" => self.choice(place, argument),
            "Condition" => {
                if let (true, Some(condition)) = (place.section == "Conditions", argument.as_str()) {
                    self.condition(place, condition);
                }
            }
            "Fn::FindInMap" => self.look_up(place, argument),
            "Fn::Select" => self.selection(place, argument),
            _ => self.plain(place, name, argument),
        }
    }

    fn attribute(&mut self, place: Place<'a>, argument: &'a Value) {
        let (id, attribute) = match argument {
            Value::String(text) => match text.split_once('.') {
                Some((id, attribute)) => (Some(id), !attribute.is_empty()),
                None => (None, false),
            },
            Value::Array(parts) if parts.len() == 2 => {
                (parts.first().and_then(Value::as_str), parts.get(1) != Some(&Value::from("")))
            }
            _ => (None, false),
        };
        match id {
            Some(id) if attribute && self.template.resources.contains_key(id) => self.target(place, id, false),
            Some(id) if attribute => {
                self.found.insert(Problem::Unresolved { at: place.path(), name: id.to_owned() });
            }
            _ => self.shape(place, "Fn::GetAtt", "the name of a resource and the name of an attribute"),
        }
    }

    fn substitution(&mut self, place: Place<'a>, argument: &'a Value) {
        let (text, own) = match argument {
            Value::String(text) => (Some(text.as_str()), None),
            Value::Array(parts) if parts.len() == 2 => {
                (parts.first().and_then(Value::as_str), parts.get(1).and_then(Value::as_object))
            }
            _ => (None, None),
        };
        let Some(text) = text else { return self.shape(place, "Fn::Sub", "a text, or a text and a map of values") };
        for name in substituted(text) {
            if own.is_some_and(|own| own.contains_key(name)) {
                continue;
            }
            let id = name.split_once('.').map_or(name, |(id, _)| id);
            self.target(place, id, true);
        }
    }

    fn choice(&mut self, place: Place<'a>, argument: &'a Value) {
        match argument.as_array().map(Vec::as_slice) {
            Some([Value::String(condition), _, _]) => self.condition(place, condition),
            _ => self.shape(place, "Fn::If", "the name of a condition and two values"),
        }
    }

    fn look_up(&mut self, place: Place<'a>, argument: &'a Value) {
        let Some([map, first, second, ..]) = argument.as_array().map(Vec::as_slice) else {
            return self.shape(place, "Fn::FindInMap", "the name of a mapping and two keys");
        };
        let mut found = None;
        let mut level = None;
        for (depth, key) in [map, first, second].into_iter().enumerate() {
            // A key that is computed is known only to CloudFormation.
            let Some(key) = key.as_str() else { return };
            level = if depth == 0 {
                self.template.mappings.get(key)
            } else {
                level.and_then(|level: &Value| level.get(key))
            };
            if level.is_none() {
                found = Some(key);
                break;
            }
        }
        if let Some(key) = found {
            self.found.insert(Problem::UnknownMapping { at: place.path(), key: key.to_owned() });
        }
    }

    fn selection(&mut self, place: Place<'a>, argument: &'a Value) {
        let fits = match argument.as_array().map(Vec::as_slice) {
            Some([index, Value::Array(list)]) => position(index).is_none_or(|index| index < list.len()),
            Some([_, Value::Object(_)]) => true,
            _ => false,
        };
        if !fits {
            self.shape(place, "Fn::Select", "an index and a list that has such an element");
        }
    }

    fn plain(&mut self, place: Place<'a>, name: &str, argument: &Value) {
        let count = argument.as_array().map(Vec::len);
        let (fits, takes) = match name {
            "Fn::Equals" => (count == Some(2), "two values"),
            "Fn::Not" => (count == Some(1), "one condition"),
            "Fn::And" | "Fn::Or" => (count.is_some_and(|count| (2..=10).contains(&count)), "two to ten conditions"),
            "Fn::Join" => (count == Some(2), "a text to put between and a list"),
            "Fn::Split" => (count == Some(2), "a text that separates and a text"),
            _ => return,
        };
        if !fits {
            self.shape(place, name, takes);
        }
    }

    fn shape(&mut self, place: Place<'a>, function: &str, takes: &'static str) {
        self.found.insert(Problem::Shape { at: place.path(), function: function.to_owned(), takes });
    }

    /// What a reference leads to must be there, and be there whenever the one that refers is.
    fn target(&mut self, place: Place<'a>, name: &str, parameters: bool) {
        if parameters && (name.starts_with("AWS::") || self.template.parameters.contains_key(name)) {
            return;
        }
        let Some(resource) = self.template.resources.get(name) else {
            self.found.insert(Problem::Unresolved { at: place.path(), name: name.to_owned() });
            return;
        };
        // Of two conditions, the one may well imply the other.
        let is_always = place.condition.is_none() && !place.is_chosen;
        if let Some(condition) = resource.condition.as_ref().filter(|_| is_always) {
            let (name, condition) = (name.to_owned(), condition.clone());
            self.found.insert(match place.section {
                "Resources" => Problem::MayLack { id: place.name.to_owned(), name, condition },
                _ => Problem::SwitchedOff { at: place.path(), name, condition },
            });
        }
        if place.section == "Resources" {
            self.waits.entry(place.name).or_default().insert(name.to_owned());
        }
    }

    fn condition(&mut self, place: Place<'a>, name: &str) {
        if !self.template.conditions.contains_key(name) {
            self.found.insert(Problem::UnknownCondition { at: place.path(), name: name.to_owned() });
        }
    }

    /// Takes away, again and again, what waits for nothing; what remains goes in circles, or waits for those that do.
    fn circles(&mut self) {
        let mut waits = std::mem::take(&mut self.waits);
        if self.template.resources.len() > MOST_RESOURCES {
            // Too many are refused as such, and hostile ones would take this for hours.
            return;
        }
        loop {
            let free: BTreeSet<String> =
                waits.iter().filter(|(_, needed)| needed.is_empty()).map(|(id, _)| (*id).to_owned()).collect();
            if free.is_empty() {
                break;
            }
            waits.retain(|id, _| !free.contains(*id));
            waits.values_mut().for_each(|needed| needed.retain(|id| !free.contains(id)));
        }
        let reached: BTreeMap<&str, BTreeSet<&str>> = waits.keys().map(|id| (*id, needed(&waits, id))).collect();
        for (id, needed) in &reached {
            let is_mutual = |other: &&&str| reached.get(**other).is_some_and(|back| back.contains(id));
            let circle: Vec<String> = needed.iter().filter(is_mutual).map(|other| (*other).to_owned()).collect();
            if !circle.is_empty() {
                self.found.insert(Problem::Circular(circle));
            }
        }
    }
}

/// All that something waits for, directly and through others.
fn needed<'a>(waits: &'a BTreeMap<&str, BTreeSet<String>>, id: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = waits.get(id).into_iter().flatten().map(String::as_str).collect();
    while let Some(id) = next.pop() {
        if found.insert(id) {
            next.extend(waits.get(id).into_iter().flatten().map(String::as_str));
        }
    }
    found
}

/// AWS gives a WebSocket API more integrations, when it is asked.
fn is_of_http_api(template: &Template, integration: &Resource) -> bool {
    let api = integration.properties.get("ApiId").and_then(|api| api.get("Ref")).and_then(Value::as_str);
    let api = api.and_then(|api| template.resources.get(api));
    api.and_then(|api| api.properties.get("ProtocolType")) != Some(&Value::from("WEBSOCKET"))
}

fn has_several_steps(_: &Template, mapping: &Resource) -> bool {
    mapping.properties.get("ApiMappingKey").and_then(Value::as_str).is_some_and(|key| key.contains('/'))
}

fn is_row(row: &Value) -> bool {
    row.as_object().is_some_and(|row| row.values().all(|value| !value.is_object()))
}

/// An index that is written out; one that is computed is `None`.
fn position(index: &Value) -> Option<usize> {
    match index {
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()).or(Some(usize::MAX)),
        Value::String(text) => Some(text.parse().unwrap_or(usize::MAX)),
        _ => None,
    }
}

/// The names in `${...}` of a text, without the escaped `${!...}`.
fn substituted(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.trim()))
        .filter(|name| !name.starts_with('!'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(template: &Value) -> Vec<String> {
        let template = Template::from_json(&template.to_string()).expect("the test writes templates");
        template.problems().iter().map(ToString::to_string).collect()
    }

    fn with(properties: &Value) -> Value {
        json!({
            "Parameters": { "P": { "Type": "String" } },
            "Conditions": { "On": { "Fn::Equals": [{ "Ref": "P" }, "yes"] } },
            "Mappings": { "M": { "A": { "Suffix": "a" } } },
            "Resources": { "A": { "Type": "T", "Properties": properties }, "B": { "Type": "T" } }
        })
    }

    #[test]
    fn a_sound_template_has_no_problem() {
        let properties = json!({
            "One": { "Ref": "P" }, "Two": { "Fn::GetAtt": ["B", "Arn"] }, "Three": { "Fn::Sub": "${B.Arn} ${!Not} ${AWS::Region}" },
            "Four": { "Fn::Sub": ["${Own}", { "Own": { "Ref": "B" } }] }, "Five": { "Fn::If": ["On", 1, { "Ref": "AWS::NoValue" }] },
            "Six": { "Fn::FindInMap": ["M", "A", "Suffix"] }, "Seven": { "Fn::Select": ["0", ["a"]] }
        });
        assert_eq!(problems(&with(&properties)), Vec::<String>::new());
    }

    #[test]
    fn references_to_nothing_are_found_wherever_they_stand() {
        for reference in [
            json!({ "Ref": "Gone" }),
            json!({ "Fn::GetAtt": ["Gone", "Arn"] }),
            json!({ "Fn::GetAtt": "Gone.Arn" }),
            json!({ "Fn::Sub": "x${Gone.Arn}" }),
            json!([{ "Fn::If": ["On", { "Fn::Join": ["", [{ "Ref": "Gone" }]] }, ""] }]),
        ] {
            let found = problems(&with(&json!({ "X": reference })));
            assert_eq!(found, ["`Resources/A` refers to `Gone`, which is not in the template"], "{reference}");
        }
    }

    #[test]
    fn misshapen_functions_are_found() {
        for (function, argument) in [
            ("Fn::Equals", json!(["a"])),
            ("Fn::GetAtt", json!(["B"])),
            ("Fn::Select", json!([100, ["test"]])),
            ("Fn::Select", json!([0, 2])),
            ("Fn::Split", json!({ "Ref": "AWS::Region" })),
            ("Fn::If", json!(["On", 1])),
            ("Fn::Sub", json!(7)),
            ("Ref", json!(["B"])),
        ] {
            let mut value = serde_json::Map::new();
            value.insert(function.to_owned(), argument);
            let found = problems(&with(&json!({ "X": value })));
            assert!(
                found.iter().any(|text| text.starts_with(&format!("`{function}` in `Resources/A` takes"))),
                "{found:?}"
            );
        }
    }

    #[test]
    fn resources_that_wait_for_each_other_are_named() {
        let template = json!({ "Resources": {
            "A": { "Type": "T", "Properties": { "X": { "Ref": "B" } } }, "B": { "Type": "T", "DependsOn": "A" }, "C": { "Type": "T" }
        } });
        assert_eq!(problems(&template), ["`A`, `B` wait for each other"]);
    }

    #[test]
    fn who_only_waits_for_a_circle_is_not_in_it() {
        let template = json!({ "Resources": {
            "Alarm": { "Type": "T", "DependsOn": ["B", "Y"] },
            "B": { "Type": "T", "DependsOn": "C" }, "C": { "Type": "T", "DependsOn": "D" },
            "D": { "Type": "T", "DependsOn": ["B", "X"] },
            "X": { "Type": "T", "DependsOn": "Y" }, "Y": { "Type": "T", "DependsOn": "X" },
        } });
        assert_eq!(problems(&template), ["`B`, `C`, `D` wait for each other", "`X`, `Y` wait for each other"]);
    }

    #[test]
    fn however_many_resources_wait_for_each_other_are_told_soon() {
        let wait = |n: usize| json!({ "Type": "T", "DependsOn": format!("R{}", (n + 1) % 10_000) });
        let all: Value = (0..10_000).map(|n| (format!("R{n}"), wait(n))).collect();
        assert_eq!(problems(&json!({ "Resources": all })), ["10000 resources, where CloudFormation takes 500 at most"]);
    }

    #[test]
    fn limits_are_named() {
        let many = |count: usize| -> Value { (0..count).map(|n| (format!("R{n}"), json!({ "Type": "T" }))).collect() };
        assert_eq!(problems(&json!({ "Resources": many(500) })), Vec::<String>::new());
        assert_eq!(
            problems(&json!({ "Resources": many(501) })),
            ["501 resources, where CloudFormation takes 500 at most"]
        );
    }

    #[test]
    fn what_may_be_switched_off_is_no_output() {
        let mut template = with(&json!({}));
        template["Resources"]["B"]["Condition"] = json!("On");
        template["Outputs"] = json!({ "O": { "Value": { "Ref": "B" } } });
        assert_eq!(problems(&template), ["`Outputs/O` refers to `B`, which is there only under the condition `On`"]);
        template["Outputs"]["O"]["Condition"] = json!("On");
        assert_eq!(problems(&template), Vec::<String>::new());
        template["Conditions"]["OnHere"] = json!({ "Fn::And": [{ "Condition": "On" }, { "Condition": "On" }] });
        template["Outputs"]["O"]["Condition"] = json!("OnHere");
        assert_eq!(problems(&template), Vec::<String>::new(), "of two conditions one may imply the other");
        template["Outputs"]["O"] = json!({ "Value": { "Fn::If": ["On", { "Ref": "B" }, ""] } });
        assert_eq!(problems(&template), Vec::<String>::new());
    }

    #[test]
    fn what_is_always_there_needs_nothing_that_may_be_switched_off() {
        let mut template = with(&json!({ "X": { "Fn::Sub": "${B}" } }));
        template["Resources"]["B"]["Condition"] = json!("On");
        let found = ["`Resources/A` refers to `B`, which is there only under the condition `On`"];
        assert_eq!(problems(&template), found);
        template["Resources"]["A"]["Condition"] = json!("On");
        assert_eq!(problems(&template), Vec::<String>::new());
        let mut template = with(&json!({ "X": { "Fn::If": ["On", { "Fn::Join": ["", [{ "Ref": "B" }]] }, ""] } }));
        template["Resources"]["B"]["Condition"] = json!("On");
        template["Resources"]["A"]["DependsOn"] = json!("B");
        assert_eq!(problems(&template), Vec::<String>::new());
    }

    #[test]
    fn mappings_have_two_levels() {
        for mapping in [json!({ "A": "x" }), json!({ "A": { "S": { "X": "y" } } })] {
            let template = json!({ "Mappings": { "M": mapping }, "Resources": { "A": { "Type": "T" } } });
            assert_eq!(problems(&template), ["mapping `M` is not a map of maps of texts or lists"]);
        }
        let found = problems(&with(&json!({ "X": { "Fn::FindInMap": ["M", "A", "NotValid"] } })));
        assert_eq!(found, ["`Resources/A` looks for `NotValid`, which is in no mapping"]);
    }
}
