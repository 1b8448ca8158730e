//! What every template has, and the places where the model ends: raw resources and overrides.

use std::collections::BTreeMap;
use std::fmt;

use derive_setters::Setters;
use garde::Validate;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{Declared, Json, Value};

/// A value given when the stack is deployed; serialized as CloudFormation has it.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Parameter {
    /// `String`, `Number`, `CommaDelimitedList` or one of AWS's own types; `String` when absent.
    #[serde(rename(deserialize = "type", serialize = "Type"))]
    pub kind: ParameterType,
    /// The value where none is given.
    #[setters(rename = "default_value")]
    #[garde(length(bytes, max = 4_096))]
    pub default: Option<String>,
    /// The values that are allowed.
    pub allowed_values: Vec<String>,
    /// A regular expression that the value must match as a whole.
    pub allowed_pattern: Option<String>,
    /// What a refused value is answered with.
    pub constraint_description: Option<String>,
    /// What the parameter is for.
    #[garde(length(max = 4_000))]
    pub description: Option<String>,
    /// Fewest characters.
    #[setters(into = false)]
    pub min_length: Option<u32>,
    /// Most characters.
    #[setters(into = false)]
    pub max_length: Option<u32>,
    /// The smallest number.
    #[setters(into = false)]
    pub min_value: Option<i64>,
    /// The largest number.
    #[setters(into = false)]
    pub max_value: Option<i64>,
    /// Whether the value is hidden wherever CloudFormation would show it.
    pub no_echo: bool,
}

/// The type of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ParameterType(pub String);

impl Default for ParameterType {
    fn default() -> Self {
        Self("String".to_owned())
    }
}

impl From<&str> for ParameterType {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// A condition; serialized as CloudFormation's own expression.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// The two values are equal.
    #[serde(rename(serialize = "Fn::Equals"), alias = "Fn::Equals")]
    Equals(Value, Value),
    /// The condition in it does not hold.
    #[serde(rename(serialize = "Fn::Not"), alias = "Fn::Not")]
    Not([Box<Condition>; 1]),
    /// All of them hold.
    #[serde(rename(serialize = "Fn::And"), alias = "Fn::And")]
    And(Vec<Condition>),
    /// One of them holds.
    #[serde(rename(serialize = "Fn::Or"), alias = "Fn::Or")]
    Or(Vec<Condition>),
    /// Another condition of the stack holds.
    #[serde(rename(serialize = "Condition"), alias = "Condition")]
    Condition(String),
}

/// A resource as CloudFormation has it; only `properties` goes through unread, save for references.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct RawResource {
    /// The CloudFormation type, such as `AWS::SQS::Queue`.
    #[serde(rename(deserialize = "type", serialize = "Type"))]
    pub kind: String,
    /// The properties, in CloudFormation's own spelling.
    #[serde(default)]
    pub properties: BTreeMap<String, Json>,
    /// The condition without which the resource is not made.
    #[serde(default)]
    #[garde(inner(custom(super::check::condition)))]
    pub condition: Option<String>,
    /// Logical ids of what must exist before.
    #[serde(default)]
    #[garde(inner(custom(super::check::exists)))]
    pub depends_on: Vec<String>,
    /// What happens to the resource when it leaves the stack.
    #[serde(default)]
    pub deletion_policy: Option<Removal>,
    /// What happens to the old resource when it is replaced.
    #[serde(default)]
    pub update_replace_policy: Option<Removal>,
    /// Metadata, as it is.
    #[serde(default)]
    pub metadata: BTreeMap<String, Json>,
}

impl RawResource {
    /// A resource of a CloudFormation type.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            properties: BTreeMap::new(),
            condition: None,
            depends_on: Vec::new(),
            deletion_policy: None,
            update_replace_policy: None,
            metadata: BTreeMap::new(),
        }
    }
}

/// Changes to a synthesized resource, by its logical id.
///
/// Synthesis merges `properties` into the resource's own: maps are merged, anything else is replaced, `null` removes.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Override {
    /// Properties in CloudFormation's own spelling; `null` removes one.
    pub properties: BTreeMap<String, Json>,
    /// The condition without which the resource is not made.
    #[garde(inner(custom(super::check::condition)))]
    pub condition: Option<String>,
    /// Logical ids of what must exist before, besides what is needed anyway.
    #[garde(inner(custom(super::check::exists)))]
    pub depends_on: Vec<String>,
    /// What happens to the resource when it leaves the stack.
    pub deletion_policy: Option<Removal>,
    /// What happens to the old resource when it is replaced.
    pub update_replace_policy: Option<Removal>,
    /// Metadata, as it is.
    pub metadata: BTreeMap<String, Json>,
}

/// A finding of a rule that is as it should be, and why.
///
/// A rule in small letters is one of stackgen's own. The others are those of checking tools, for which synthesis writes it
/// into the metadata of each resource: below `checkov` for rules that begin with `CKV`, below `cdk_nag` for all others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// Logical ids of the resources, derived ones included, or types that stand for all resources of that type. For
    /// stackgen's own rules they are ids of what is declared, alone or with the name of a part: `Api.GET /notes`.
    #[garde(length(min = 1), inner(custom(super::check::covered)))]
    pub resources: Vec<String>,
    /// Why it is as it should be.
    #[garde(length(min = 10, max = 500))]
    pub reason: String,
}

impl Suppression {
    /// Says why a finding on resources, or on all resources of a type, is as it should be.
    pub fn new<S: Into<String>>(resources: impl IntoIterator<Item = S>, reason: impl Into<String>) -> Self {
        Self { resources: resources.into_iter().map(Into::into).collect(), reason: reason.into() }
    }

    /// Whether a rule is one of stackgen's own, by how its name is written.
    pub fn is_of_ours(rule: &str) -> bool {
        !rule.is_empty() && rule.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    }

    /// Whether it is about a resource.
    pub fn covers(&self, id: &str, kind: &str) -> bool {
        self.resources.iter().any(|it| it == id || it == kind)
    }
}

/// What happens to a resource when it leaves the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
pub enum Removal {
    /// It is deleted, with all that it holds.
    #[serde(rename(serialize = "Delete"), alias = "Delete", alias = "delete")]
    Destroy,
    /// It stays, and is no longer managed.
    #[serde(alias = "Retain")]
    Retain,
    /// It is deleted after a snapshot, where its type can make one.
    #[serde(alias = "Snapshot")]
    Snapshot,
}

/// What happens to something that holds data when it leaves the stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DataRemoval {
    /// It stays, with all that it holds.
    #[default]
    Retain,
    /// It is deleted, with all that it holds.
    Destroy,
}

impl From<DataRemoval> for Removal {
    fn from(removal: DataRemoval) -> Self {
        match removal {
            DataRemoval::Retain => Self::Retain,
            DataRemoval::Destroy => Self::Destroy,
        }
    }
}

/// A value that the deployed stack shows, and that other stacks may use.
///
/// In a stack file it is the value alone, or a map with `value` and what else there is to say. Synthesis exports it as
/// `<stack>:<name>`, or as `export` says.
#[derive(Debug, Clone, PartialEq, Setters, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[setters(into, strip_option)]
pub struct Output {
    /// The value.
    #[garde(dive)]
    pub value: Value,
    /// What the value is.
    #[garde(length(max = 1_024))]
    pub description: Option<String>,
    /// The name to export it under, instead of `<stack>:<name>`.
    #[garde(dive)]
    pub export: Option<Value>,
    /// The condition without which there is no such output.
    #[garde(inner(custom(super::check::condition)))]
    pub condition: Option<String>,
}

impl Output {
    /// The name under which a stack exports it as its output `name`; `${...}` stands for what is known only to those who
    /// deploy. Nothing where no text says it.
    pub(super) fn exported_name(&self, stack: &str, name: &str) -> Option<String> {
        match &self.export {
            None => Some(format!("{stack}:{name}")),
            Some(Value::Text(text)) => Some(text.clone()),
            Some(Value::Sub(text)) => Some(text.replace("${AWS::StackName}", stack)),
            Some(_) => None,
        }
    }
}

impl<T: Into<Value>> From<T> for Output {
    fn from(value: T) -> Self {
        Self { value: value.into(), description: None, export: None, condition: None }
    }
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(OutputVisitor)
    }
}

/// The long form of an output.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DescribedOutput")]
struct Described {
    /// The value.
    value: Value,
    /// What the value is.
    #[serde(default)]
    #[schemars(length(max = 1_024))]
    description: Option<String>,
    /// The name to export it under, instead of `<stack>:<name>`.
    #[serde(default)]
    export: Option<Value>,
    /// The condition without which there is no such output.
    #[serde(default)]
    condition: Option<String>,
}

struct OutputVisitor;

impl<'de> Visitor<'de> for OutputVisitor {
    type Value = Output;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, an expression such as `{ ref: Id }`, or `{ value: ..., description: ... }`")
    }

    fn visit_str<E>(self, text: &str) -> Result<Output, E> {
        Ok(Output::from(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Output, A::Error> {
        let first = map.next_key::<String>()?;
        let described = first.as_deref().is_none_or(|key| DESCRIBED.contains(&key));
        let map = serde::de::value::MapAccessDeserializer::new(Resumed { first, map });
        if !described {
            return Value::deserialize(Expression(map)).map(Output::from);
        }
        let Described { value, description, export, condition } = Described::deserialize(map)?;
        Ok(Output { value, description, export, condition })
    }
}

const DESCRIBED: [&str; 4] = ["value", "description", "export", "condition"];

/// A map whose first key has been looked at.
struct Resumed<A> {
    first: Option<String>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Resumed<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(StrDeserializer::new(&key)).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Gives a [`Value`] the map that it would have found itself.
struct Expression<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Expression<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl JsonSchema for Output {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Output".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Value>();
        let described = generator.subschema_for::<Described>();
        schemars::json_schema!({
            "description": "A value that the deployed stack shows, and that other stacks may use.",
            "anyOf": [value, described]
        })
    }
}

impl Validate for Condition {
    type Context = Declared;

    fn validate_into(
        &self,
        declared: &Declared,
        parent: &mut dyn FnMut() -> garde::error::Path,
        report: &mut garde::Report,
    ) {
        match self {
            Self::Equals(left, right) => {
                for (index, value) in [left, right].into_iter().enumerate() {
                    value.validate_into(declared, &mut || parent().join("equals").join(index), report);
                }
            }
            Self::Not([condition]) => {
                condition.validate_into(declared, &mut || parent().join("not").join(0_usize), report);
            }
            Self::And(conditions) => nested(conditions, declared, &mut || parent().join("and"), report),
            Self::Or(conditions) => nested(conditions, declared, &mut || parent().join("or"), report),
            Self::Condition(name) => {
                if let Err(error) = declared.expect_condition(name) {
                    report.append(parent(), error);
                }
            }
        }
    }
}

fn nested(
    conditions: &[Condition],
    declared: &Declared,
    parent: &mut dyn FnMut() -> garde::error::Path,
    report: &mut garde::Report,
) {
    for (index, condition) in conditions.iter().enumerate() {
        condition.validate_into(declared, &mut || parent().join(index), report);
    }
}
