//! A CloudFormation template as plain, sorted data: equal templates are equal bytes.
//!
//! Values that CloudFormation computes (`Ref`, `Fn::Sub` and the like) are JSON too: [`function`] makes them.

pub mod check;
pub mod function;
mod settle;
pub mod text;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use derive_setters::Setters;
use miette::Diagnostic;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// Why a text is not a template.
#[derive(Debug, Error, Diagnostic)]
#[error("not a CloudFormation template")]
#[diagnostic(help("a template is a JSON object with `Resources`"))]
pub struct Error(#[from] serde_json::Error);

/// A CloudFormation template.
#[derive(Debug, Clone, PartialEq, Setters, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[setters(into, strip_option)]
pub struct Template {
    /// Version of the format.
    #[serde(rename = "AWSTemplateFormatVersion", default = "format_version")]
    #[setters(skip)]
    format_version: String,
    /// What the stack is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Notes for tools; CloudFormation does not look at them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// Macros that rewrite the template before it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Value>,
    /// Values that are given when the stack is deployed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// Checks of the parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, Value>,
    /// Tables of constants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mappings: BTreeMap<String, Value>,
    /// Named truths on which resources and outputs depend.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, Value>,
    /// What the stack consists of, by logical id.
    pub resources: BTreeMap<String, Resource>,
    /// What the stack tells about itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Output>,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            format_version: format_version(),
            description: None,
            metadata: BTreeMap::new(),
            transform: None,
            parameters: BTreeMap::new(),
            rules: BTreeMap::new(),
            mappings: BTreeMap::new(),
            conditions: BTreeMap::new(),
            resources: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }
}

impl Template {
    /// Reads a template back, whoever wrote it.
    ///
    /// # Errors
    /// When the text is not JSON, or not a template.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Ok(serde_json::from_str(text)?)
    }

    /// The template as JSON, indented by two spaces.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("every key of a template is a string");
        text.push('\n');
        text
    }

    /// The template as YAML, with the long names of the functions, which every YAML reader understands.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml::document(&serde_json::to_value(self).expect("every key of a template is a string"))
    }
}

/// A value that is given when the stack is deployed.
#[derive(Debug, Clone, PartialEq, Setters, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[setters(into, strip_option)]
pub struct Parameter {
    /// `String`, `Number`, `CommaDelimitedList` or a type that CloudFormation looks up.
    #[serde(rename = "Type")]
    #[setters(skip)]
    pub parameter_type: String,
    /// What the value is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The value when none is given; without one it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_values: Vec<Value>,
    /// Regular expression of the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_pattern: Option<String>,
    /// What to say when a value is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint_description: Option<String>,
    /// Fewest characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<Value>,
    /// Most characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<Value>,
    /// Smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_value: Option<Value>,
    /// Largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_value: Option<Value>,
    /// Whether the value is masked wherever it would be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_echo: Option<Value>,
}

impl Parameter {
    /// A parameter of a type, such as `String`.
    #[must_use]
    pub fn new(parameter_type: &str) -> Self {
        Self {
            parameter_type: parameter_type.to_owned(),
            description: None,
            default: None,
            allowed_values: Vec::new(),
            allowed_pattern: None,
            constraint_description: None,
            min_length: None,
            max_length: None,
            min_value: None,
            max_value: None,
            no_echo: None,
        }
    }
}

/// One thing that the stack consists of.
#[derive(Debug, Clone, PartialEq, Setters, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[setters(into, strip_option)]
pub struct Resource {
    /// Its type, such as `AWS::Cognito::UserPool`.
    #[serde(rename = "Type")]
    #[setters(skip)]
    pub resource_type: String,
    /// The condition under which it is there at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Logical ids of what must be there first, beside what its properties refer to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", deserialize_with = "one_or_many")]
    pub depends_on: BTreeSet<String>,
    /// What happens to it when it leaves the stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<Removal>,
    /// What happens to the old one when a change replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_replace_policy: Option<Removal>,
    /// What CloudFormation waits for before it calls the resource made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_policy: Option<Value>,
    /// How CloudFormation goes about a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_policy: Option<Value>,
    /// Notes for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// What it shall be like.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
}

impl Resource {
    /// A resource of a type, such as `AWS::Cognito::UserPool`, without properties.
    #[must_use]
    pub fn new(resource_type: &str) -> Self {
        Self {
            resource_type: resource_type.to_owned(),
            condition: None,
            depends_on: BTreeSet::new(),
            deletion_policy: None,
            update_replace_policy: None,
            creation_policy: None,
            update_policy: None,
            metadata: BTreeMap::new(),
            properties: Map::new(),
        }
    }

    /// Sets one property.
    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }
}

/// What happens to a resource that leaves its stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removal {
    /// It is deleted.
    Delete,
    /// It stays, outside of any stack.
    Retain,
    /// It stays, unless the operation that made it fails.
    RetainExceptOnCreate,
    /// It is deleted, and a snapshot stays.
    Snapshot,
}

/// Something that the stack tells about itself.
#[derive(Debug, Clone, PartialEq, Setters, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[setters(into, strip_option)]
pub struct Output {
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The condition under which it is there at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The value.
    #[setters(skip)]
    pub value: Value,
    /// The name under which other stacks import it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<Export>,
}

impl Output {
    /// An output of a value.
    #[must_use]
    pub fn new(value: impl Into<Value>) -> Self {
        Self { description: None, condition: None, value: value.into(), export: None }
    }
}

/// The name under which other stacks import an output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Export {
    /// The name, unique in the account and region.
    pub name: Value,
}

impl Export {
    /// An export under a name.
    #[must_use]
    pub fn new(name: impl Into<Value>) -> Self {
        Self { name: name.into() }
    }
}

/// The only version of the format that CloudFormation knows.
fn format_version() -> String {
    "2010-09-09".to_owned()
}

/// `DependsOn` may be one id or a list of them.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(one) => Ok(BTreeSet::from([one])),
        many => BTreeSet::deserialize(many).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> Template {
        let role =
            Resource::new("AWS::IAM::Role").depends_on(["Users".to_owned()]).deletion_policy(Removal::Retain).property(
                "Statement",
                json!([{ "Version": "2012-10-17", "B": 1, "A": function::get_att("Users", "Arn") }]),
            );
        let mut template = Template::default().description("Yes: \"quotes\", 1_000 and ünïcode");
        template.resources.insert("Role".into(), role);
        template.resources.insert("Users".into(), Resource::new("AWS::Cognito::UserPool"));
        template.parameters.insert("Key".into(), Parameter::new("String").default("no"));
        template.outputs.insert("Id".into(), Output::new(function::reference("Users")).export(Export::new("users-id")));
        template
    }

    #[test]
    fn json_is_sorted_and_ends_with_a_line() {
        let text = template().to_json();
        let places: Vec<_> = ["Parameters", "\"Role\"", "\"A\"", "\"B\"", "\"Users\": {", "Outputs"]
            .map(|part| text.find(part).expect("it was put in"))
            .into();
        assert!(places.is_sorted(), "{text}");
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn what_was_written_is_read_back() {
        assert_eq!(Template::from_json(&template().to_json()).expect("we wrote it"), template());
    }

    #[test]
    fn yaml_says_the_same_as_json() {
        let yaml: Value = serde_yaml::from_str(&template().to_yaml()).expect("we wrote it");
        let json: Value = serde_json::from_str(&template().to_json()).expect("we wrote it");
        assert_eq!(yaml, json);
    }

    #[test]
    fn a_single_dependency_may_be_a_string() {
        let text = json!({ "Resources": { "A": { "Type": "T", "DependsOn": "B" } } }).to_string();
        let template = Template::from_json(&text).expect("CloudFormation accepts it");
        assert!(template.resources["A"].depends_on.contains("B"));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in ["", "[]", "{}", "{\"Resources\": 1}", "{\"Resource\": {}}"] {
            assert!(Template::from_json(text).is_err(), "{text}");
        }
    }
}
