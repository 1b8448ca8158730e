//! Secrets, and how other resources are given what they hold.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use derive_setters::Setters;
use garde::Validate;
use garde::error::Path;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::ids::Derived;
use super::raw::DataRemoval;
use super::reference::Target;
use super::{Declared, Ref, Resource, Stack, Value, check, properties};

/// A secret that Secrets Manager keeps.
///
/// Its value never stands in a stack file. With `generate` it is made up when the stack is deployed; without, the secret
/// is made empty and filled by hand. Synthesis derives deletion and replacement policies (`removal`).
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Secret {
    /// The secret's name; CloudFormation makes one up when it is absent.
    #[garde(inner(custom(check::text("a secret's name", 1, 512, is_name))))]
    pub name: Option<Value>,
    /// What the secret is for.
    #[garde(length(max = 2_048))]
    pub description: Option<String>,
    /// How its value is made up when the stack is deployed; it is left empty when absent.
    #[serde(rename(serialize = "GenerateSecretString"))]
    #[garde(dive)]
    pub generate: Option<Generate>,
    /// The ARN of the key that encrypts it; the account's `aws/secretsmanager` when absent. A grant on the secret
    /// covers the key as well.
    #[serde(rename(serialize = "KmsKeyId"))]
    #[garde(inner(custom(check::key_arn)))]
    pub kms_key: Option<Value>,
    /// What happens to the secret when it leaves the stack.
    #[serde(skip_serializing)]
    pub removal: DataRemoval,
    /// Tags on the secret.
    #[serde(serialize_with = "properties::tags")]
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
    /// Takes the place of the value that must not be here, to say so.
    #[serde(rename(deserialize = "secretString"), alias = "value", skip_serializing)]
    #[schemars(skip)]
    #[setters(skip)]
    literal: Refused,
}

impl Secret {
    /// A secret whose value is made up when the stack is deployed.
    pub fn generated(generate: Generate) -> Self {
        Self { generate: Some(generate), ..Self::default() }
    }

    /// The ARN of a secret.
    ///
    /// CloudFormation gives it as the attribute `Id` and by `Ref`. The attribute says what is meant, and is the ARN where
    /// an emulator takes `Ref` for the name too, which names nothing in a policy:
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html>
    pub fn arn(secret: &Ref<Self>) -> Value {
        secret.get("Id")
    }
}

/// What cannot be read: whoever can read the file, its history or the template could read the secret.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Refused;

impl<'de> Deserialize<'de> for Refused {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
        Err(D::Error::custom(
            "a secret's value must not stand in a stack file\n\
             write `generate: {}` to have one made up; or leave both out, and fill it after the deployment with \
             `aws secretsmanager put-secret-value`",
        ))
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/_+=.@-".contains(c)
}

impl Resource for Secret {
    const TYPE: &'static str = "AWS::SecretsManager::Secret";
    const NAME: &'static str = "secret";
    const ATTRIBUTES: &'static [&'static str] = &["Id"];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.secrets
    }

    fn derived(&self, _: &str) -> Vec<Derived> {
        Vec::new()
    }
}

/// How a secret's value is made up; serialized as CloudFormation's `GenerateSecretString`.
#[derive(Debug, Clone, PartialEq, Eq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Generate {
    /// How many characters it has.
    #[serde(rename(serialize = "PasswordLength"))]
    #[setters(into = false)]
    #[garde(range(min = 8, max = 4_096))]
    pub length: u32,
    /// Characters that it never has.
    #[garde(length(max = 4_096))]
    pub exclude_characters: Option<String>,
    /// Whether it has no small letters.
    pub exclude_lowercase: bool,
    /// Whether it has no capital letters.
    pub exclude_uppercase: bool,
    /// Whether it has no digits.
    pub exclude_numbers: bool,
    /// Whether it has no marks, as is convenient where it goes through a shell.
    pub exclude_punctuation: bool,
    /// Whether it may have spaces.
    pub include_space: bool,
    /// Whether it has at least one character of each kind.
    pub require_each_included_type: bool,
    /// A JSON object that the made-up text is added to, such as `{"user": "notes"}`.
    #[garde(length(max = 10_240))]
    pub secret_string_template: Option<String>,
    /// The member of that object which the made-up text becomes.
    #[garde(length(min = 1, max = 10_240))]
    pub generate_string_key: Option<String>,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            length: 32,
            exclude_characters: None,
            exclude_lowercase: false,
            exclude_uppercase: false,
            exclude_numbers: false,
            exclude_punctuation: false,
            include_space: false,
            require_each_included_type: true,
            secret_string_template: None,
            generate_string_key: None,
        }
    }
}

impl Generate {
    /// A text of so many characters.
    pub fn new(length: u32) -> Self {
        Self { length, ..Self::default() }
    }
}

/// What a secret holds, for another resource: it enters neither the stack file nor the template.
///
/// In a stack file it is the id of a secret of the stack, `{ secret: Id, key: name }` for one member of the JSON object
/// that it holds, or `{ secretId: name-or-ARN, key: name }` for a secret that exists already. Serialized, it is the
/// dynamic reference that CloudFormation replaces when it makes the resource.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretText {
    /// The secret.
    pub source: SecretSource,
    /// The member of the JSON object that the secret holds; all that it holds when absent.
    pub key: Option<String>,
}

/// Which secret is meant.
#[derive(Debug, Clone, PartialEq)]
pub enum SecretSource {
    /// One that a stack declares.
    Declared(Ref<Secret>),
    /// One that exists already, by its name or ARN.
    Existing(Value),
}

impl SecretText {
    /// All that a secret of the stack holds.
    pub fn of(secret: impl Into<Ref<Secret>>) -> Self {
        Self { source: SecretSource::Declared(secret.into()), key: None }
    }

    /// All that a secret holds which exists already, by its name or ARN.
    pub fn existing(secret_id: impl Into<Value>) -> Self {
        Self { source: SecretSource::Existing(secret_id.into()), key: None }
    }

    /// One member of the JSON object that the secret holds.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The text of the dynamic reference after the secret's name: `:SecretString:key}}`.
    fn ending(&self) -> String {
        let key = self.key.as_ref().map(|key| format!(":{key}")).unwrap_or_default();
        format!(":SecretString{key}}}}}")
    }

    /// The dynamic reference, as a value.
    pub fn reference(&self) -> Value {
        const BEGIN: &str = "{{resolve:secretsmanager:";
        let source = match &self.source {
            SecretSource::Declared(secret) => Value::from(secret),
            SecretSource::Existing(id) => id.clone(),
        };
        match source {
            Value::Text(id) => Value::Text(format!("{BEGIN}{id}{}", self.ending())),
            Value::Ref(id) => Value::Sub(format!("{BEGIN}${{{id}}}{}", self.ending())),
            other => Value::Join(String::new(), vec![BEGIN.into(), other, self.ending().into()]),
        }
    }
}

impl From<&Ref<Secret>> for SecretText {
    fn from(secret: &Ref<Secret>) -> Self {
        Self::of(secret)
    }
}

impl Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reference().serialize(serializer)
    }
}

/// The long form of a secret's text.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "SecretMember")]
struct Written {
    /// A secret of the stack.
    #[serde(default)]
    secret: Option<Ref<Secret>>,
    /// The name or ARN of a secret that exists already.
    #[serde(default)]
    secret_id: Option<Value>,
    /// The member of the JSON object that the secret holds; all that it holds when absent.
    #[serde(default)]
    key: Option<String>,
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SecretTextVisitor)
    }
}

struct SecretTextVisitor;

impl<'de> Visitor<'de> for SecretTextVisitor {
    type Value = SecretText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a secret, or `{ secret: Id, key: name }`")
    }

    fn visit_str<E>(self, id: &str) -> Result<SecretText, E> {
        Ok(SecretText::of(Ref::new(id)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretText, A::Error> {
        let Written { secret, secret_id, key } = Written::deserialize(MapAccessDeserializer::new(map))?;
        let source = match (secret, secret_id) {
            (Some(secret), None) => SecretSource::Declared(secret),
            (None, Some(id)) => SecretSource::Existing(id),
            _ => {
                let help = "write `secret: Id` for one of the stack, or `secretId: name` for one that exists already";
                return Err(A::Error::custom(format!("exactly one secret belongs here\n{help}")));
            }
        };
        Ok(SecretText { source, key })
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "SecretText".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let written = generator.subschema_for::<Written>();
        schemars::json_schema!({
            "description": "What a secret holds: the id of a secret, or a member of the JSON object in it.",
            "anyOf": [{ "type": "string" }, written]
        })
    }
}

impl Validate for SecretText {
    type Context = Declared;

    fn validate_into(&self, declared: &Declared, parent: &mut dyn FnMut() -> Path, report: &mut garde::Report) {
        match &self.source {
            SecretSource::Declared(secret) => {
                if let Target::Local(id) = secret.target()
                    && let Err(error) = declared.expect_secret(id)
                {
                    report.append(parent(), error);
                }
            }
            SecretSource::Existing(id) => id.validate_into(declared, &mut || parent().join("secretId"), report),
        }
        if self.key.as_deref().is_some_and(|key| key.is_empty() || key.contains([':', '{', '}'])) {
            let error = garde::Error::new("this cannot be the name of a member\nleave out colons and braces");
            report.append(parent().join("key"), error);
        }
    }
}
