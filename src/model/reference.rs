//! Typed pointers from one resource to another: a pointer to the wrong kind of resource does not compile.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use garde::Validate;
use garde::error::Path;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::value::{CrossStack, Value};
use super::{Declared, Resource};

/// What a pointer points to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A resource of the same stack, by its logical id.
    Local(String),
    /// An output of another stack that holds what CloudFormation's `Ref` (or the ARN) of the resource would give.
    Output(CrossStack),
}

impl Target {
    /// The logical id, if the resource is of the same stack.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Local(id) => Some(id),
            Self::Output(_) => None,
        }
    }
}

macro_rules! pointer {
    ($(#[$doc:meta])* $name:ident, $local:expr, $shown:ident) => {
        $(#[$doc])*
        pub struct $name<T> {
            target: Target,
            kind: PhantomData<fn() -> T>,
        }

        impl<T> $name<T> {
            /// Points to a resource of the same stack, by its logical id.
            pub fn new(id: impl Into<String>) -> Self {
                Self { target: Target::Local(id.into()), kind: PhantomData }
            }

            /// Points to a resource of another stack, by the output that shows it.
            pub fn output(output: CrossStack) -> Self {
                Self { target: Target::Output(output), kind: PhantomData }
            }

            /// What it points to.
            pub fn target(&self) -> &Target {
                &self.target
            }

            /// The logical id, if the resource is of the same stack.
            pub fn id(&self) -> Option<&str> {
                self.target.id()
            }
        }

        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                Self { target: self.target.clone(), kind: PhantomData }
            }
        }

        impl<T> PartialEq for $name<T> {
            fn eq(&self, other: &Self) -> bool {
                self.target == other.target
            }
        }

        impl<T> Eq for $name<T> {}

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.target.fmt(f)
            }
        }

        impl<T> From<&$name<T>> for $name<T> {
            fn from(pointer: &$name<T>) -> Self {
                pointer.clone()
            }
        }

        impl<T> From<&$name<T>> for Value {
            fn from(pointer: &$name<T>) -> Self {
                match &pointer.target {
                    Target::Local(id) => ($local)(id.clone()),
                    Target::Output(output) => Self::Output(output.clone()),
                }
            }
        }

        impl<T> From<$name<T>> for Value {
            fn from(pointer: $name<T>) -> Self {
                Self::from(&pointer)
            }
        }

        impl<'de, T: Resource> Deserialize<'de> for $name<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let target = deserializer.deserialize_str(Pointed { name: T::NAME })?;
                Ok(Self { target, kind: PhantomData })
            }
        }

        impl<T> Serialize for $name<T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Value::from(self).serialize(serializer)
            }
        }

        impl<T: Resource> JsonSchema for $name<T> {
            fn schema_name() -> Cow<'static, str> {
                format!("Reference to a {}", T::NAME).into()
            }

            fn schema_id() -> Cow<'static, str> {
                format!("{}::{}", module_path!(), T::TYPE).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                pointer_schema(T::NAME)
            }
        }

        impl<T: Resource> Validate for $name<T> {
            type Context = Declared;

            fn validate_into(
                &self,
                declared: &Declared,
                parent: &mut dyn FnMut() -> Path,
                report: &mut garde::Report,
            ) {
                let found = match &self.target {
                    Target::Local(id) => declared.expect_kind(id, T::TYPE, T::NAME),
                    Target::Output(output) => declared.$shown::<T>(output),
                };
                if let Err(error) = found {
                    report.append(parent(), error);
                }
            }
        }
    };
}

pointer! {
    /// A pointer to a resource, which CloudFormation's `Ref` resolves: the id of a pool or a client, the name of a function.
    ///
    /// In a stack file it is the logical id, or `{ output: stack.name }` for a resource of another stack.
    Ref, Value::Ref, expect_reference
}

pointer! {
    /// A pointer to a resource by its ARN.
    ///
    /// In a stack file it is the logical id, or `{ output: stack.name }` for the ARN of a resource of another stack.
    Arn, |id| Value::Get { id, attribute: "Arn".to_owned() }, expect_arn
}

impl<T> Ref<T> {
    /// The same resource, by its ARN.
    pub fn arn(&self) -> Arn<T> {
        Arn { target: self.target.clone(), kind: PhantomData }
    }

    /// An attribute of the resource, as a value.
    pub fn get(&self, attribute: impl Into<String>) -> Value {
        match &self.target {
            Target::Local(id) => Value::Get { id: id.clone(), attribute: attribute.into() },
            Target::Output(output) => Value::Output(output.clone()),
        }
    }
}

impl<T> From<&Ref<T>> for Arn<T> {
    fn from(pointer: &Ref<T>) -> Self {
        pointer.arn()
    }
}

impl<T> From<Ref<T>> for Arn<T> {
    fn from(pointer: Ref<T>) -> Self {
        pointer.arn()
    }
}

struct Pointed {
    name: &'static str,
}

impl<'de> Visitor<'de> for Pointed {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the id of a {}, or `{{ output: stack.name }}`", self.name)
    }

    fn visit_str<E>(self, id: &str) -> Result<Target, E> {
        Ok(Target::Local(id.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
        let Imported::Output(output) = Imported::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Target::Output(output))
    }
}

#[derive(Deserialize)]
enum Imported {
    #[serde(rename = "output")]
    Output(CrossStack),
}

fn pointer_schema(name: &str) -> Schema {
    let imported = schemars::json_schema!({
        "type": "object",
        "properties": { "output": { "type": "string", "description": "`stack.name`: an output of another stack." } },
        "required": ["output"],
        "additionalProperties": false
    });
    schemars::json_schema!({
        "description": format!("The id of a {name}, or an output of another stack."),
        "anyOf": [{ "type": "string" }, imported]
    })
}
