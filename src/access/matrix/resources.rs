//! The resources of a template, their properties worked out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serializer;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::resolve::{Resolver, referred, spelled, text};
use super::{Setting, Unseen};

/// Types that say who may call what. Others are not worked out, and cost nothing.
const CONCERNED: &[&str] =
    &["AWS::ApiGateway::", "AWS::ApiGatewayV2::", "AWS::Cognito::", "AWS::IAM::", "AWS::Lambda::"];

/// Types whose resources are made of more than the template shows.
const UNSEEN: &[&str] = &["AWS::CloudFormation::Stack", "AWS::Serverless::"];

/// Transforms that rewrite nothing but what is [`UNSEEN`] or has no type. Any other may rewrite everything.
const NARROW: &[&str] = &["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"];

/// The resources of a template that concern access, by logical id. Those whose condition does not hold are left out.
pub(super) struct Resources {
    all: BTreeMap<String, Resource>,
    unseen: BTreeMap<String, Unseen>,
}

/// A resource.
pub(super) struct Resource {
    pub(super) kind: String,
    properties: Value,
    /// The condition under which it is there, where it cannot be told whether that holds.
    pub(super) only_if: Option<String>,
}

impl Resources {
    pub(super) fn of(template: &Value, parameters: &BTreeMap<String, String>) -> Self {
        let resolver = Resolver::new(template, parameters);
        let mut found = Self { all: BTreeMap::new(), unseen: BTreeMap::new() };
        found.transform(template);
        for (id, resource) in template.get("Resources").and_then(Value::as_object).into_iter().flatten() {
            found.add(id, resource, &resolver);
        }
        if resolver.gave_up() {
            // Whatever changes in it may change who passes.
            let digest = digest(&format!("{template} {parameters:?}"));
            let kind = "too large to be worked out".to_owned();
            found.unseen.insert("Template".to_owned(), Unseen { kind, digest });
        }
        found
    }

    /// What macros make of a template is known only to them.
    fn transform(&mut self, template: &Value) {
        let names = texts(template.get("Transform").unwrap_or(&Value::Null));
        if names.is_empty() {
            return;
        }
        let is_narrow = names.iter().all(|name| NARROW.contains(&name.as_str()));
        let concerned = if is_narrow { template.get("Globals") } else { template.get("Resources") };
        let said = concerned.map(ToString::to_string).unwrap_or_default();
        let kind = names.into_iter().collect::<Vec<_>>().join(", ");
        self.unseen.insert("Transform".to_owned(), Unseen { kind, digest: digest(&said) });
    }

    fn add(&mut self, id: &str, resource: &Value, resolver: &Resolver<'_>) {
        let Some(kind) = resource.get("Type").and_then(Value::as_str) else {
            // A loop, or a macro that makes resources.
            let unseen = Unseen { kind: "resources".to_owned(), digest: digest(&resource.to_string()) };
            self.unseen.insert(id.to_owned(), unseen);
            return;
        };
        let condition = resource.get("Condition").and_then(Value::as_str);
        let holds = condition.map_or(Some(true), |name| resolver.condition(name));
        if holds == Some(false) {
            return;
        }
        let properties = || resource.get("Properties").map(|properties| resolver.value(properties)).unwrap_or_default();
        let is = |types: &[&str]| types.iter().any(|one| kind.starts_with(one));
        if is(UNSEEN) {
            let digest = digest(&spelled(&properties()));
            self.unseen.insert(id.to_owned(), Unseen { kind: kind.to_owned(), digest });
        } else if is(CONCERNED) {
            let only_if = condition.filter(|_| holds.is_none()).map(str::to_owned);
            let resource = Resource { kind: kind.to_owned(), properties: properties(), only_if };
            self.all.insert(id.to_owned(), resource);
        }
    }

    pub(super) fn unseen(&self) -> BTreeMap<String, Unseen> {
        self.unseen.clone()
    }

    /// The resources of a type, by logical id.
    pub(super) fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Resource)> {
        self.all.iter().filter(move |(_, resource)| resource.kind == kind).map(|(id, resource)| (id.as_str(), resource))
    }

    /// The resource that an expression stands for, if it is one of this type.
    pub(super) fn get<'a>(&'a self, expression: &'a str, kind: &str) -> Option<(&'a str, &'a Resource)> {
        let id = referred(expression)?;
        Some((id, self.all.get(id).filter(|resource| resource.kind == kind)?))
    }

    /// The properties of a resource of this type.
    pub(super) fn get_id(&self, id: &str, kind: &str) -> Option<&Resource> {
        self.all.get(id).filter(|resource| resource.kind == kind)
    }

    /// Whether an expression mentions a resource of this template that concerns access.
    pub(super) fn has(&self, id: &str) -> bool {
        self.all.contains_key(id)
    }

    /// The function that an expression stands for: its logical id, or the expression itself. An alias and a version
    /// stand for their function.
    pub(super) fn function(&self, expression: &str) -> String {
        let qualified = ["AWS::Lambda::Alias", "AWS::Lambda::Version"];
        let named = qualified.iter().find_map(|kind| self.get(expression, kind)?.1.text("FunctionName"));
        let named = named.as_deref().unwrap_or(expression);
        referred(named).unwrap_or(named).to_owned()
    }

    /// The function in the address under which API Gateway invokes it, or in its ARN.
    pub(super) fn invoked(&self, address: &str) -> String {
        let inside = address.split_once(":lambda:path/2015-03-31/functions/").map_or(address, |(_, rest)| rest);
        self.function(inside.strip_suffix("/invocations").unwrap_or(inside))
    }
}

impl Resource {
    /// A property; null where it is absent.
    pub(super) fn get(&self, name: &str) -> &Value {
        self.properties.get(name).unwrap_or(&Value::Null)
    }

    /// A property, or a part of it, by its pointer.
    pub(super) fn part(&self, pointer: &str) -> &Value {
        self.properties.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// A property in words.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        written(self.get(name))
    }
}

/// A value in words; nothing where it is absent.
pub(super) fn written(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| text(value).unwrap_or_else(|| spelled(value)))
}

/// A list of texts, or one. An expression for the whole list is one element.
pub(super) fn texts(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(written).collect(),
        one => written(one).into_iter().collect(),
    }
}

/// Whether something is on; `default` where nothing is said.
pub(super) fn flag(value: &Value, default: bool) -> Setting<bool> {
    match written(value).as_deref() {
        None => Setting::Known(default),
        Some("true") => Setting::Known(true),
        Some("false") => Setting::Known(false),
        Some(other) => Setting::Unknown { unknown: other.to_owned() },
    }
}

/// A number; nothing where none is said.
pub(super) fn number(value: &Value) -> Option<Setting<f64>> {
    let written = written(value)?;
    let number = written.parse().ok().filter(|number: &f64| number.is_finite());
    Some(number.map_or(Setting::Unknown { unknown: written }, Setting::Known))
}

/// A few characters that differ where the text does.
pub(super) fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text)).chars().take(16).collect()
}

/// Writes the names and leaves the digests out: whoever guesses a short secret could tell by its digest.
pub(super) fn names_only<S: Serializer>(digests: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(digests.keys())
}
