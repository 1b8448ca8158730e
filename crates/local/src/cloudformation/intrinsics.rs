//! Intrinsic functions: what they refer to, and what they come to.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::cloudformation::cidr::cidr;
use crate::cloudformation::parameters::MASK;
use crate::cloudformation::template::Template;
use stackgen_template::function::{Piece, pieces};

/// What a change set shows for a value that only its execution can tell.
pub(super) const UNKNOWN: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// The text of every complaint about `Fn::Select`.
pub(super) const SELECT: &str =
    "Template error: Fn::Select requires a list argument with two elements: an integer index and a list";

/// The one member of a value that is a call of a function: its name and its argument.
pub(super) fn call(value: &Value) -> Option<(&str, &Value)> {
    let Value::Object(members) = value else { return None };
    let (name, argument) = members.iter().next()?;
    (members.len() == 1 && (name == "Ref" || name.starts_with("Fn::"))).then_some((name.as_str(), argument))
}

/// A name that a template refers to, and the attribute if it is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) attribute: Option<String>,
}

/// The resource and attribute that an argument of `Fn::GetAtt` names, in its list form or as `A.B`.
pub(super) fn attribute_of(argument: &Value) -> Option<(&str, &Value)> {
    match argument {
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(name), attribute] => Some((name, attribute)),
            _ => None,
        },
        _ => None,
    }
}

/// Every reference in some values, in order, each once.
pub(super) fn references_in<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<Reference> {
    let mut found = Vec::new();
    for value in values {
        collect(value, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn collect(value: &Value, found: &mut Vec<Reference>) {
    match (call(value), value) {
        (Some(("Ref", Value::String(name))), _) => found.push(Reference { name: name.clone(), attribute: None }),
        (Some(("Fn::GetAtt", argument)), _) => {
            if let Some((name, attribute)) = attribute_of(argument) {
                let text = attribute.as_str().unwrap_or_default();
                found.push(Reference { name: name.to_owned(), attribute: Some(text.to_owned()) });
                collect(attribute, found);
            }
        }
        (Some(("Fn::Sub", argument)), _) => collect_sub(argument, found),
        (_, Value::Object(members)) => members.values().for_each(|member| collect(member, found)),
        (_, Value::Array(items)) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn collect_sub(argument: &Value, found: &mut Vec<Reference>) {
    let (text, variables) = match argument {
        Value::String(text) => (text.as_str(), None),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(text), Value::Object(variables)] => (text.as_str(), Some(variables)),
            _ => return,
        },
        _ => return,
    };
    for piece in pieces(text) {
        let Piece::Name(name) = piece else { continue };
        if variables.is_some_and(|variables| variables.contains_key(name)) {
            continue;
        }
        found.push(match name.split_once('.') {
            Some((name, attribute)) => Reference { name: name.to_owned(), attribute: Some(attribute.to_owned()) },
            None => Reference { name: name.to_owned(), attribute: None },
        });
    }
    for variable in variables.into_iter().flat_map(Map::values) {
        collect(variable, found);
    }
}

/// What references come to.
pub(super) trait World {
    /// What `Ref` to a resource returns.
    fn reference(&self, logical_id: &str) -> Option<Value>;

    /// What `Fn::GetAtt` returns.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value>;

    /// What `Fn::ImportValue` returns.
    fn import(&self, export: &str) -> Option<Value>;

    /// A text that was put together, in which addresses of APIs lead to where these answer.
    fn local(&self, text: String) -> String {
        text
    }
}

/// The pseudo parameters.
#[derive(Debug, Clone, Default)]
pub(super) struct Pseudo {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) stack_id: String,
    pub(super) stack_name: String,
    pub(super) notification_arns: Vec<String>,
}

impl Pseudo {
    /// Names of all of them.
    pub(super) const NAMES: &[&str] = &[
        "AWS::AccountId",
        "AWS::NoValue",
        "AWS::NotificationARNs",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    ];

    fn value(&self, name: &str) -> Option<Value> {
        Some(match name {
            "AWS::AccountId" => self.account.as_str().into(),
            "AWS::NotificationARNs" => self.notification_arns.clone().into(),
            "AWS::Partition" => "aws".into(),
            "AWS::Region" => self.region.as_str().into(),
            "AWS::StackId" => self.stack_id.as_str().into(),
            "AWS::StackName" => self.stack_name.as_str().into(),
            "AWS::URLSuffix" => "amazonaws.com".into(),
            _ => return None,
        })
    }
}

/// All that an expression may mention.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) template: &'a Template,
    /// Values of the parameters, as `Ref` returns them.
    pub(super) parameters: &'a BTreeMap<String, Value>,
    pub(super) pseudo: &'a Pseudo,
    pub(super) world: &'a dyn World,
}

/// A value, or none where it is `AWS::NoValue`; or what is wrong, as AWS words it.
type Outcome = Result<Option<Value>, String>;

impl Scope<'_> {
    /// What an expression comes to.
    ///
    /// # Errors
    /// AWS's own sentence.
    pub(super) fn value(&self, expression: &Value) -> Outcome {
        if let Some((name, argument)) = call(expression) {
            return self.function(name, argument);
        }
        Ok(Some(match expression {
            Value::Object(members) => Value::Object(self.members(members)?),
            Value::Array(items) => Value::Array(self.items(items)?),
            scalar => scalar.clone(),
        }))
    }

    /// What the members of a map come to, without those that are `AWS::NoValue`.
    pub(super) fn members(&self, members: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut all = Map::new();
        for (name, member) in members {
            if let Some(value) = self.value(member)? {
                all.insert(name.clone(), value);
            }
        }
        Ok(all)
    }

    /// The same with the parameters as they are shown, which a function may not be able to read.
    pub(super) fn shown_members(&self, members: &Map<String, Value>) -> Map<String, Value> {
        let shown = |member: &Value| self.value(member).unwrap_or_else(|_| Some(MASK.into()));
        members.iter().filter_map(|(name, member)| Some((name.clone(), shown(member)?))).collect()
    }

    fn items(&self, items: &[Value]) -> Result<Vec<Value>, String> {
        items.iter().filter_map(|item| self.value(item).transpose()).collect()
    }

    fn function(&self, name: &str, argument: &Value) -> Outcome {
        match name {
            "Ref" => self.reference(argument.as_str().unwrap_or_default()),
            "Fn::GetAtt" => self.attribute(argument),
            "Fn::Sub" => self.sub(argument),
            "Fn::ImportValue" => self.import(argument),
            "Fn::GetAZs" => self.zones(argument),
            "Fn::Transform" => Err("Fn::Transform is not offered by the embedded cloud".to_owned()),
            _ => {
                let Some(argument) = self.value(argument)? else { return Ok(None) };
                if unknown(&argument) { Ok(Some(UNKNOWN.into())) } else { self.plain(name, &argument).map(Some) }
            }
        }
    }

    /// The functions of nothing but their arguments.
    fn plain(&self, name: &str, argument: &Value) -> Result<Value, String> {
        match name {
            "Fn::Join" => match join(argument)? {
                Value::String(text) => Ok(self.world.local(text).into()),
                other => Ok(other),
            },
            "Fn::Select" => select(argument),
            "Fn::Split" => split(argument),
            "Fn::Cidr" => cidr(argument),
            "Fn::FindInMap" => self.find_in_map(argument),
            "Fn::Base64" => {
                let text =
                    text(argument).ok_or("Template error: every Fn::Base64 object must have a String-typed value.")?;
                Ok(STANDARD.encode(text).into())
            }
            "Fn::Length" => {
                let list = argument.as_array().ok_or("Template error: Fn::Length requires a list")?;
                Ok(list.len().into())
            }
            "Fn::ToJsonString" => Ok(argument.to_string().into()),
            other => Err(format!("Template error: {other} cannot be used here")),
        }
    }

    fn reference(&self, name: &str) -> Outcome {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        self.pseudo
            .value(name)
            .or_else(|| self.parameters.get(name).cloned())
            .or_else(|| self.world.reference(name))
            .map(Some)
            .ok_or_else(|| format!("Template format error: Unresolved resource dependencies [{name}]"))
    }

    fn attribute(&self, argument: &Value) -> Outcome {
        let (name, attribute) = attribute_of(argument).unwrap_or(("", &Value::Null));
        let attribute = self.value(attribute)?.as_ref().and_then(text).unwrap_or_default();
        self.attribute_named(name, &attribute).map(Some)
    }

    fn attribute_named(&self, name: &str, attribute: &str) -> Result<Value, String> {
        self.world.attribute(name, attribute).ok_or_else(|| {
            format!("Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt")
        })
    }

    fn sub(&self, argument: &Value) -> Outcome {
        let nothing = Map::new();
        let (template, variables) = match argument {
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(template), Value::Object(variables)] => (template.as_str(), variables),
                _ => return Err(SUB.to_owned()),
            },
            Value::String(template) => (template.as_str(), &nothing),
            _ => return Err(SUB.to_owned()),
        };
        let mut result = String::with_capacity(template.len());
        for piece in pieces(template) {
            match piece {
                Piece::Text(plain) => result.push_str(plain),
                Piece::Literal(name) => result.push_str(&format!("${{{name}}}")),
                Piece::Name(name) => result.push_str(&self.variable(name, variables)?),
            }
        }
        Ok(Some(if result.contains(UNKNOWN) { UNKNOWN.into() } else { self.world.local(result).into() }))
    }

    fn variable(&self, name: &str, variables: &Map<String, Value>) -> Result<String, String> {
        let value = match (variables.get(name), name.split_once('.')) {
            (Some(expression), _) => self.value(expression)?,
            (None, Some((resource, attribute))) => Some(self.attribute_named(resource, attribute)?),
            (None, None) => self.reference(name)?,
        };
        value.as_ref().and_then(text).ok_or_else(|| {
            format!("Template error: variable {name} in Fn::Sub expression does not resolve to a string")
        })
    }

    fn import(&self, argument: &Value) -> Outcome {
        let Some(name) = self.value(argument)?.as_ref().and_then(text) else { return Err(IMPORT.to_owned()) };
        self.world.import(&name).map(Some).ok_or_else(|| format!("No export named {name} found"))
    }

    fn zones(&self, argument: &Value) -> Outcome {
        let region = self.value(argument)?.as_ref().and_then(text).filter(|region| !region.is_empty());
        let region = region.unwrap_or_else(|| self.pseudo.region.clone());
        Ok(Some(["a", "b", "c"].iter().map(|zone| Value::from(format!("{region}{zone}"))).collect()))
    }

    fn find_in_map(&self, argument: &Value) -> Result<Value, String> {
        let Value::Array(parts) = argument else { return Err(FIND_IN_MAP.to_owned()) };
        let keys: Vec<String> = parts.iter().take(3).filter_map(text).collect();
        let [map, first, second] = keys.as_slice() else { return Err(FIND_IN_MAP.to_owned()) };
        let Some(mapping) = self.template.mappings.get(map) else {
            return Err(format!(
                "Template error: Mapping named '{map}' is not present in the 'Mappings' section of template."
            ));
        };
        let found = mapping.get(first).and_then(|members| members.get(second)).cloned();
        let default = parts.get(3).and_then(|options| options.get("DefaultValue")).cloned();
        found.or(default).ok_or_else(|| format!("Template error: Unable to get mapping for {map}::{first}::{second}"))
    }

    /// Whether a condition holds. `named` looks up other conditions.
    ///
    /// # Errors
    /// AWS's own sentence.
    pub(super) fn condition(
        &self,
        expression: &Value,
        named: &mut dyn FnMut(&str) -> Result<bool, String>,
    ) -> Result<bool, String> {
        if let Some(Value::String(name)) = expression.get("Condition") {
            return named(name);
        }
        match call(expression) {
            Some(("Fn::Equals", Value::Array(sides))) => {
                let sides = self.items(sides)?;
                let [left, right] = sides.as_slice() else { return Err(EQUALS.to_owned()) };
                Ok(text(left).map_or_else(|| left == right, |left| text(right) == Some(left)))
            }
            Some((name @ ("Fn::And" | "Fn::Or" | "Fn::Not"), Value::Array(parts))) => {
                let mut holds = Vec::with_capacity(parts.len());
                for part in parts {
                    holds.push(self.condition(part, named)?);
                }
                Ok(match name {
                    "Fn::And" => holds.iter().all(|one| *one),
                    "Fn::Or" => holds.iter().any(|one| *one),
                    _ => !holds.iter().all(|one| *one),
                })
            }
            _ => match self.value(expression)?.as_ref().and_then(text).as_deref() {
                Some("true") => Ok(true),
                Some("false") => Ok(false),
                _ => Err("Template format error: Every Conditions member must be a boolean function.".to_owned()),
            },
        }
    }
}

const SUB: &str = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a \
                   string as first argument, and an optional second argument to specify a mapping of values to replace \
                   in the string";
const IMPORT: &str =
    "Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string";
const FIND_IN_MAP: &str = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key \
                           and the attribute for return value";
const EQUALS: &str = "Template error: every Fn::Equals object requires a list of 2 string parameters.";
const JOIN: &str = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of \
                    strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.";
const SPLIT: &str = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a \
                     string to be split or a function that returns a string to be split.";

/// What is wrong with the shape of a call, told without knowing any value.
pub(super) fn complaint(name: &str, argument: &Value) -> Option<&'static str> {
    let list = argument.as_array().map(Vec::as_slice);
    let stringlike = |value: &Value| value.is_string() || call(value).is_some();
    match name {
        "Ref" => (!argument.is_string())
            .then_some("Template format error: Every Ref object must have a single String value."),
        "Fn::GetAtt" => attribute_of(argument)
            .filter(|(resource, attribute)| {
                !resource.is_empty() && stringlike(attribute) && attribute.as_str() != Some("")
            })
            .is_none()
            .then_some(
                "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the \
                 resource attribute",
            ),
        "Fn::Select" => (!selects(argument)).then_some(SELECT),
        "Fn::Split" => {
            (!matches!(list, Some([delimiter, text]) if delimiter.is_string() && stringlike(text))).then_some(SPLIT)
        }
        "Fn::Join" => {
            let joins = matches!(list, Some([delimiter, items])
                if delimiter.is_string() && (items.is_array() || call(items).is_some()));
            (!joins).then_some(JOIN)
        }
        "Fn::Sub" => {
            let substitutes = argument.is_string()
                || matches!(list, Some([text, variables]) if text.is_string() && variables.is_object());
            (!substitutes).then_some(SUB)
        }
        "Fn::FindInMap" => (!matches!(list.map(<[Value]>::len), Some(3 | 4))).then_some(FIND_IN_MAP),
        "Fn::Equals" => (list.map(<[Value]>::len) != Some(2)).then_some(EQUALS),
        "Fn::And" => (!matches!(list.map(<[Value]>::len), Some(2..=10))).then_some(
            "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters.",
        ),
        "Fn::Or" => (!matches!(list.map(<[Value]>::len), Some(2..=10))).then_some(
            "Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters.",
        ),
        "Fn::Not" => (list.map(<[Value]>::len) != Some(1))
            .then_some("Template error: every Fn::Not object requires one boolean parameter."),
        "Fn::If" => (!matches!(list, Some([Value::String(_), _, _]))).then_some(
            "Template error: every Fn::If object requires a list of three parameters, the first a condition name.",
        ),
        "Fn::ImportValue" => (!stringlike(argument)).then_some(IMPORT),
        _ => None,
    }
}

fn selects(argument: &Value) -> bool {
    let Value::Array(parts) = argument else { return false };
    let [index, list] = parts.as_slice() else { return false };
    let position = text(index).and_then(|index| index.parse::<usize>().ok());
    match (position, list) {
        (Some(position), Value::Array(items)) => position < items.len(),
        (None, _) if call(index).is_none() => false,
        (_, list) => list.is_array() || call(list).is_some(),
    }
}

fn select(argument: &Value) -> Result<Value, String> {
    let Value::Array(parts) = argument else { return Err(SELECT.to_owned()) };
    let [index, Value::Array(items)] = parts.as_slice() else { return Err(SELECT.to_owned()) };
    let position = text(index).and_then(|index| index.parse::<usize>().ok());
    position.and_then(|position| items.get(position)).cloned().ok_or_else(|| SELECT.to_owned())
}

fn split(argument: &Value) -> Result<Value, String> {
    let Value::Array(parts) = argument else { return Err(SPLIT.to_owned()) };
    match parts.as_slice() {
        [Value::String(delimiter), Value::String(text)] if !delimiter.is_empty() => {
            Ok(text.split(delimiter.as_str()).map(Value::from).collect())
        }
        _ => Err(SPLIT.to_owned()),
    }
}

fn join(argument: &Value) -> Result<Value, String> {
    let Value::Array(parts) = argument else { return Err(JOIN.to_owned()) };
    let [Value::String(delimiter), Value::Array(items)] = parts.as_slice() else { return Err(JOIN.to_owned()) };
    let items: Option<Vec<String>> = items.iter().map(text).collect();
    items.map(|items| items.join(delimiter).into()).ok_or_else(|| JOIN.to_owned())
}

/// A scalar as CloudFormation writes it into a string.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Whether something in a value is not known yet.
pub(super) fn unknown(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(UNKNOWN),
        Value::Array(items) => items.iter().any(unknown),
        Value::Object(members) => members.values().any(unknown),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Nothing;

    impl World for Nothing {
        fn reference(&self, logical_id: &str) -> Option<Value> {
            (logical_id == "Made").then(|| "made-id".into())
        }

        fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
            (logical_id == "Made" && attribute == "Arn.X").then(|| "made-arn".into())
        }

        fn import(&self, _: &str) -> Option<Value> {
            None
        }
    }

    fn value(expression: Value) -> Outcome {
        let mut template = Template::default();
        template.mappings.insert("M".to_owned(), json!({"a": {"b": ["x", "y"]}}));
        let pseudo = Pseudo { region: "us-east-1".to_owned(), account: "000000000000".to_owned(), ..Pseudo::default() };
        let parameters = BTreeMap::from([("P".to_owned(), json!("p")), ("L".to_owned(), json!(["1", "2"]))]);
        Scope { template: &template, parameters: &parameters, pseudo: &pseudo, world: &Nothing }.value(&expression)
    }

    #[test]
    fn functions_come_to_their_values() {
        let cases = [
            (
                json!({"Fn::Sub": "${P}-${AWS::Region}-${!Keep}-${Made.Arn.X}-$"}),
                json!("p-us-east-1-${Keep}-made-arn-$"),
            ),
            (json!({"Fn::Sub": ["${A}${P}", {"A": {"Ref": "Made"}}]}), json!("made-idp")),
            (json!({"Fn::Join": ["-", ["a", 1, {"Ref": "P"}]]}), json!("a-1-p")),
            (json!({"Fn::Join": [",", {"Ref": "L"}]}), json!("1,2")),
            (json!({"Fn::Select": ["1", {"Fn::Split": [",", "a,b"]}]}), json!("b")),
            (json!({"Fn::Select": [0, {"Fn::FindInMap": ["M", "a", "b"]}]}), json!("x")),
            (json!({"Fn::Base64": "hello"}), json!("aGVsbG8=")),
            (json!({"Fn::Select": [2, {"Fn::GetAZs": ""}]}), json!("us-east-1c")),
            (json!({"Fn::Length": {"Ref": "L"}}), json!(2)),
            (json!({"Fn::ToJsonString": {"a": [1]}}), json!("{\"a\":[1]}")),
            (
                json!({"keep": 1, "drop": {"Ref": "AWS::NoValue"}, "list": [{"Ref": "AWS::NoValue"}]}),
                json!({"keep": 1, "list": []}),
            ),
        ];
        for (expression, expected) in cases {
            assert_eq!(value(expression.clone()), Ok(Some(expected)), "{expression}");
        }
    }

    #[test]
    fn what_does_not_resolve_is_told() {
        for (expression, part) in [
            (json!({"Fn::ImportValue": "gone"}), "No export named gone found"),
            (json!({"Fn::FindInMap": ["M", "a", "c"]}), "Unable to get mapping for M::a::c"),
            (json!({"Fn::GetAtt": ["Made", "Nope"]}), "does not support attribute type Nope"),
            (json!({"Fn::Select": [{"Ref": "P"}, ["a"]]}), "Fn::Select requires"),
            (json!({"Fn::Cidr": ["a", 1, 1]}), "no CIDR block"),
        ] {
            let told = value(expression).expect_err(part);
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn what_is_not_known_yet_spreads() {
        let expression = json!({"Fn::Join": ["", ["a", UNKNOWN]]});
        assert_eq!(value(expression), Ok(Some(UNKNOWN.into())));
    }

    #[test]
    fn references_are_found_wherever_they_hide() {
        let found = references_in([&json!({
            "a": [{"Ref": "A"}],
            "b": {"Fn::Sub": ["${B.Arn}${Own}${!No}", {"Own": {"Fn::GetAtt": ["C", "D.E"]}}]},
        })]);
        let told: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.attribute.as_deref())).collect();
        assert_eq!(told, [("A", None), ("B", Some("Arn")), ("C", Some("D.E"))]);
    }
}
