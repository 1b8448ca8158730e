//! Template text into a [`Template`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::cloudformation::{intrinsics, invalid, validate};
use crate::wire::Fault;
use stackgen_template::text;

/// Members of one section, by name.
pub(super) type Section = Map<String, Value>;

/// A template, read and found well-formed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Template {
    pub(super) description: Option<String>,
    pub(super) metadata: Option<Value>,
    pub(super) parameters: Section,
    pub(super) mappings: Section,
    pub(super) conditions: Section,
    pub(super) rules: Section,
    pub(super) resources: BTreeMap<String, Declared>,
    pub(super) outputs: Section,
    /// Names of its transforms.
    pub(super) transforms: Vec<String>,
}

/// One resource as a template declares it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Declared {
    pub(super) resource_type: String,
    pub(super) properties: Section,
    pub(super) depends_on: Vec<String>,
    pub(super) condition: Option<String>,
    pub(super) deletion_policy: Option<String>,
    pub(super) update_replace_policy: Option<String>,
    pub(super) metadata: Option<Value>,
}

impl Declared {
    /// Every resource that must be there before this one: by reference and by `DependsOn`.
    pub(super) fn dependencies(&self, template: &Template) -> BTreeSet<String> {
        let properties = intrinsics::references_in(self.properties.values());
        properties
            .into_iter()
            .map(|reference| reference.name)
            .chain(self.depends_on.iter().cloned())
            .filter(|name| template.resources.contains_key(name))
            .collect()
    }
}

/// Reads a template and checks all that can be told without parameters.
///
/// # Errors
/// `ValidationError`, worded as AWS words it.
pub(super) fn read(text: &str) -> Result<Template, Fault> {
    let value = text::parse(text).map_err(|malformed| invalid(format!("Template format error: {malformed}")))?;
    validate::template(value)
}
