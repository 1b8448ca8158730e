//! Values that are known only when a stack is deployed.

use std::borrow::Cow;
use std::fmt;

use garde::Validate;
use garde::error::Path;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::{Declared, Json};

/// A text, or an expression that gives one when the stack is deployed.
///
/// Serialized, it is CloudFormation's own expression, but for a URL.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A plain text: `some text`.
    Text(String),
    /// What CloudFormation's `Ref` gives for a resource, a parameter or a pseudo parameter: `{ ref: Users }`.
    Ref(String),
    /// An attribute of a resource: `{ get: Users.Arn }`.
    Get {
        /// The logical id of the resource.
        id: String,
        /// The attribute's name.
        attribute: String,
    },
    /// A text with `${Id}` and `${Id.Attribute}` in it: `{ sub: "https://${Host}/" }`.
    Sub(String),
    /// The URL of a stage of an API: `{ url: Api }` for the `$default` stage of an HTTP API and the only one of a REST
    /// API, `{ url: Api.beta }` for another one.
    Url(ApiUrl),
    /// An output of another stack: `{ output: stack.name }`, imported as `stack:name`.
    Output(CrossStack),
    /// One of two values: `{ if: [Condition, then, else] }`.
    If(String, Box<Value>, Box<Value>),
    /// Values put together: `{ join: [",", [a, b]] }`.
    Join(String, Vec<Value>),
    /// Any CloudFormation expression, as CloudFormation has it: `{ raw: { "Fn::Select": [0, ...] } }`.
    Raw(Json),
}

/// A stage of an API, by the API's logical id and the stage's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
pub struct ApiUrl {
    /// The logical id of the API.
    pub api: String,
    /// The stage; `$default` where none is named.
    pub stage: String,
}

/// A kind of API, whose stages have URLs.
pub trait Api: super::Resource {}

/// An output of another stack of the project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct CrossStack {
    /// The name of the stack, which is the stem of its file.
    pub stack: String,
    /// The name of the output.
    pub name: String,
}

impl CrossStack {
    /// An output of another stack.
    pub fn new(stack: impl Into<String>, name: impl Into<String>) -> Self {
        Self { stack: stack.into(), name: name.into() }
    }

    /// The name under which the other stack exports the output.
    pub fn export(&self) -> String {
        format!("{}:{}", self.stack, self.name)
    }
}

impl TryFrom<String> for CrossStack {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('.') {
            Some((stack, name)) if !stack.is_empty() && !name.is_empty() => Ok(Self::new(stack, name)),
            _ => Err(format!(
                "`{text}` is not an output of another stack\nwrite `stack.name`: the stack, a dot, the output"
            )),
        }
    }
}

impl From<String> for ApiUrl {
    fn from(text: String) -> Self {
        let (api, stage) = text.split_once('.').unwrap_or((&text, "$default"));
        Self { api: api.to_owned(), stage: stage.to_owned() }
    }
}

impl Value {
    /// The text, if it is known already.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The values that it is made of, each with its place in the list that an expression takes.
    pub(super) fn inside(&self) -> Vec<(usize, &Self)> {
        match self {
            Self::If(_, then, otherwise) => vec![(1, then), (2, otherwise)],
            Self::Join(_, values) => values.iter().enumerate().collect(),
            _ => Vec::new(),
        }
    }

    /// A pseudo parameter of CloudFormation, such as `AWS::Region`.
    pub fn pseudo(name: &str) -> Self {
        Self::Ref(format!("AWS::{name}"))
    }

    /// The URL of the `$default` stage of an HTTP API, or of the only stage of a REST API.
    pub fn url<T: Api>(api: &super::Ref<T>) -> Self {
        match api.target() {
            super::reference::Target::Local(id) => Self::Url(ApiUrl::from(id.clone())),
            super::reference::Target::Output(output) => Self::Output(output.clone()),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// How an expression is written in a stack file: one key says which one it is.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Expression")]
enum Written {
    /// The id of a resource's instance, or the value of a parameter.
    #[serde(alias = "Ref")]
    Ref(String),
    /// An attribute of a resource: `Id.Attribute`.
    #[serde(alias = "Fn::GetAtt")]
    Get(#[schemars(with = "String")] Attribute),
    /// A text with `${Id}` and `${Id.Attribute}` in it.
    #[serde(alias = "Fn::Sub")]
    Sub(String),
    /// The URL of an API, or of one of its stages: `Api` or `Api.stage`.
    Url(#[schemars(with = "String")] ApiUrl),
    /// An output of another stack: `stack.name`.
    Output(#[schemars(with = "String")] CrossStack),
    /// A condition, the value if it holds, and the value if not.
    #[serde(alias = "Fn::If")]
    If(String, Value, Value),
    /// A separator, and the values to put together.
    #[serde(alias = "Fn::Join")]
    Join(String, Vec<Value>),
    /// Any CloudFormation expression, as CloudFormation has it.
    Raw(Json),
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Attribute {
    id: String,
    attribute: String,
}

impl TryFrom<String> for Attribute {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('.') {
            Some((id, attribute)) if !id.is_empty() && !attribute.is_empty() => {
                Ok(Self { id: id.to_owned(), attribute: attribute.to_owned() })
            }
            _ => Err(format!("`{text}` names no attribute\nwrite `Id.Attribute`, as in `Users.Arn`")),
        }
    }
}

impl From<Written> for Value {
    fn from(written: Written) -> Self {
        match written {
            Written::Ref(id) => Self::Ref(id),
            Written::Get(Attribute { id, attribute }) => Self::Get { id, attribute },
            Written::Sub(text) => Self::Sub(text),
            Written::Url(url) => Self::Url(url),
            Written::Output(output) => Self::Output(output),
            Written::If(condition, then, otherwise) => Self::If(condition, Box::new(then), Box::new(otherwise)),
            Written::Join(separator, values) => Self::Join(separator, values),
            Written::Raw(json) => Self::Raw(json),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The hint asks for the text as it is written, so that `1.10` stays what it is.
        deserializer.deserialize_str(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or an expression such as `{ ref: Id }`")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        Written::deserialize(MapAccessDeserializer::new(map)).map(Value::from)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Ref(id) => intrinsic(serializer, "Ref", id),
            Self::Get { id, attribute } => intrinsic(serializer, "Fn::GetAtt", &[id, attribute]),
            Self::Sub(text) => intrinsic(serializer, "Fn::Sub", text),
            Self::Url(url) => url.serialize(serializer),
            Self::Output(output) => intrinsic(serializer, "Fn::ImportValue", &output.export()),
            Self::If(condition, then, otherwise) => intrinsic(serializer, "Fn::If", &(condition, then, otherwise)),
            Self::Join(separator, values) => intrinsic(serializer, "Fn::Join", &(separator, values)),
            Self::Raw(json) => json.serialize(serializer),
        }
    }
}

impl ApiUrl {
    /// What a URL is serialized as. It is no function of CloudFormation: only synthesis knows which kind of API it is
    /// about, and puts it into CloudFormation's words.
    pub(crate) const WRITTEN: &str = "Stackgen::Url";
}

impl Serialize for ApiUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        intrinsic(serializer, Self::WRITTEN, &[&self.api, &self.stage])
    }
}

fn intrinsic<S: Serializer>(serializer: S, name: &str, argument: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, argument)?;
    map.end()
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let expression = generator.subschema_for::<Written>();
        schemars::json_schema!({
            "description": "A text, or an expression that gives one when the stack is deployed.",
            "anyOf": [{ "type": ["string", "number", "boolean"] }, expression]
        })
    }
}

impl Validate for Value {
    type Context = Declared;

    fn validate_into(&self, declared: &Declared, parent: &mut dyn FnMut() -> Path, report: &mut garde::Report) {
        if let Self::Raw(json) = self {
            for (way, error) in declared.dangling_in(json) {
                report.append(way.into_iter().fold(parent().join("raw"), |path, step| path.join(step)), error);
            }
            return;
        }
        for error in declared.dangling_here(self) {
            let path = if matches!(self, Self::If(..)) { parent().join("if").join(0_usize) } else { parent() };
            report.append(path, error);
        }
        for (index, value) in self.inside() {
            let mut path = || match self {
                Self::If(..) => parent().join("if").join(index),
                _ => parent().join("join").join(1_usize).join(index),
            };
            value.validate_into(declared, &mut path, report);
        }
    }
}
