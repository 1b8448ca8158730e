//! What an update would do, worked out before anything is done.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::cloud::Account;
use crate::cloudformation::engine::Target;
use crate::cloudformation::intrinsics::{Reference, Scope, UNKNOWN, World, references_in, unknown};
use crate::cloudformation::resource::Properties;
use crate::cloudformation::schema::Schema;
use crate::cloudformation::template::{Declared, Section};
use crate::cloudformation::{Conflict, Output, Resource, Stack, address, engine, invalid, parameters, schema};
use crate::wire::Fault;

/// What a change set is about to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// As `DescribeChangeSet` shows them, property values included.
    pub(super) changes: Vec<Value>,
    /// Whether outputs or tags change, or any resource.
    pub(super) anything: bool,
    /// Why values cannot be shown in full.
    pub(super) warning: Option<String>,
    /// The resources whose explicit names are taken.
    pub(super) conflicts: Vec<Conflict>,
}

/// What becomes of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Added,
    Kept,
    Modified,
    /// Modified, and perhaps replaced: only its execution can tell.
    Conditional,
    Replaced,
}

/// Works out what bringing a stack to its target would do.
///
/// # Errors
/// `ValidationError` when the template cannot be resolved, or changes the type of a resource.
pub(super) fn plan(account: &Account, stack: &Stack, before: Option<&Target>, target: &Target) -> Result<Plan, Fault> {
    same_types(stack, target)?;
    let mut planner = Planner { account, stack, before, target, fates: BTreeMap::new(), plan: Plan::default() };
    for logical_id in &target.order {
        planner.resource(logical_id)?;
    }
    planner.removals();
    planner.plan.anything = !planner.plan.changes.is_empty()
        || planner.outputs_change()?
        || stack.definition.tags != target.definition.tags;
    let order = |change: &Value| {
        let place =
            |name: &str| change.pointer(&format!("/ResourceChange/{name}")).and_then(Value::as_str).map(str::to_owned);
        (place("LogicalResourceId"), place("Action"))
    };
    planner.plan.changes.sort_by_key(order);
    Ok(planner.plan)
}

fn same_types(stack: &Stack, target: &Target) -> Result<(), Fault> {
    let changed: Vec<&str> = target
        .template
        .resources
        .iter()
        .filter(|(name, declared)| {
            stack.resources.get(*name).is_some_and(|old| old.lives() && old.resource_type != declared.resource_type)
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
        changed.join(", "),
    )))
}

/// What references come to before anything is done.
struct Foreseen<'a> {
    account: &'a Account,
    stack: &'a Stack,
    fates: &'a BTreeMap<String, Fate>,
    missing: RefCell<BTreeSet<String>>,
}

impl World for Foreseen<'_> {
    fn reference(&self, logical_id: &str) -> Option<Value> {
        match self.fates.get(logical_id) {
            Some(Fate::Kept | Fate::Modified) => {
                self.stack.resources.get(logical_id).map(|old| old.physical_id.as_str().into())
            }
            _ => Some(UNKNOWN.into()),
        }
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        match self.fates.get(logical_id) {
            Some(Fate::Kept | Fate::Modified) => {
                self.stack.resources.get(logical_id).and_then(|old| engine::attribute(old, attribute))
            }
            _ => Some(UNKNOWN.into()),
        }
    }

    fn import(&self, export: &str) -> Option<Value> {
        let found = self.account.cloudformation.exports().find(|(name, _, _)| *name == export);
        if found.is_none() {
            self.missing.borrow_mut().insert(export.to_owned());
        }
        Some(found.map_or_else(|| UNKNOWN.into(), |(_, value, _)| value.into()))
    }

    fn local(&self, text: String) -> String {
        address::local(self.account, &self.stack.resources, text)
    }
}

struct Planner<'a> {
    account: &'a Account,
    stack: &'a Stack,
    before: Option<&'a Target>,
    target: &'a Target,
    fates: BTreeMap<String, Fate>,
    plan: Plan,
}

impl Planner<'_> {
    fn resolved(&mut self, logical_id: &str, members: &Section) -> Result<Section, Fault> {
        let world =
            Foreseen { account: self.account, stack: self.stack, fates: &self.fates, missing: RefCell::default() };
        let scope = Scope {
            template: &self.target.template,
            parameters: &self.target.parameters,
            pseudo: &self.target.pseudo,
            world: &world,
        };
        let resolved = scope.members(members).map_err(invalid)?;
        if let Some(name) = world.missing.into_inner().first() {
            self.plan.warning.get_or_insert_with(|| {
                format!(
                    "[WARN] --include-property-values option can return incomplete ChangeSet data because: ChangeSet \
                     creation failed for resource [{logical_id}] because: No export named {name} found"
                )
            });
        }
        Ok(resolved)
    }

    /// Properties as a change set may tell them.
    fn shown(&self, declared: &Declared, after: &Properties) -> Properties {
        let target = self.target;
        let Some(parameters) = parameters::shown_references(&target.definition.parameters) else {
            return after.clone();
        };
        let world =
            Foreseen { account: self.account, stack: self.stack, fates: &self.fates, missing: RefCell::default() };
        Scope { template: &target.template, parameters: &parameters, pseudo: &target.pseudo, world: &world }
            .shown_members(&declared.properties)
    }

    fn resource(&mut self, logical_id: &str) -> Result<(), Fault> {
        let target = self.target;
        let Some(declared) = target.template.resources.get(logical_id) else { return Ok(()) };
        let resolved = self.resolved(logical_id, &declared.properties)?;
        let schema = schema::of(&declared.resource_type);
        let after = schema.map_or_else(|| resolved.clone(), |schema| schema.coerced(&resolved));
        let fate = match self.stack.resources.get(logical_id).filter(|old| old.lives()) {
            None => self.add(logical_id, declared, &after),
            Some(old) => self.modify(declared, old, &after),
        };
        self.fates.insert(logical_id.to_owned(), fate);
        Ok(())
    }

    fn add(&mut self, logical_id: &str, declared: &Declared, after: &Properties) -> Fate {
        let resource_type = &declared.resource_type;
        if let Some(name) = schema::of(resource_type).and_then(|schema| schema.custom_name(after))
            && engine::taken(self.account, &self.stack.id, resource_type, after).is_some()
        {
            self.plan.conflicts.push(Conflict {
                event_id: Uuid::new_v4().to_string(),
                logical_id: logical_id.to_owned(),
                resource_type: resource_type.clone(),
                name: name.to_owned(),
            });
        }
        self.plan.changes.push(json!({
            "Type": "Resource",
            "ResourceChange": {
                "Action": "Add",
                "LogicalResourceId": logical_id,
                "ResourceType": declared.resource_type,
                "Scope": [],
                "Details": [],
                "AfterContext": context(&self.shown(declared, after), declared.metadata.as_ref()),
            },
        }));
        Fate::Added
    }

    fn modify(&mut self, declared: &Declared, old: &Resource, after: &Properties) -> Fate {
        let shown = self.shown(declared, after);
        let details = self.details(declared, old, Next { after, shown: &shown });
        if details.is_empty() {
            return Fate::Kept;
        }
        let recreation = |strength: &str, sure: bool| {
            details.iter().any(|detail| {
                let is = |pointer: &str, text: &str| detail.pointer(pointer).and_then(Value::as_str) == Some(text);
                is("/Target/RequiresRecreation", strength) && (!sure || is("/Evaluation", "Static"))
            })
        };
        let (replacement, fate) = if recreation("Always", true) {
            ("True", Fate::Replaced)
        } else if recreation("Always", false) || recreation("Conditionally", false) {
            ("Conditional", Fate::Conditional)
        } else {
            ("False", Fate::Modified)
        };
        let mut change = json!({
            "Action": "Modify",
            "LogicalResourceId": old.logical_id,
            "PhysicalResourceId": old.physical_id,
            "ResourceType": old.resource_type,
            "Replacement": replacement,
            "Scope": scope_of(&details),
            "Details": details,
            "BeforeContext": context(old.shown(), old.metadata.as_ref()),
            "AfterContext": context(&shown, declared.metadata.as_ref()),
        });
        if fate != Fate::Modified {
            let keeps = matches!(declared.update_replace_policy.as_deref(), Some("Retain"));
            change["PolicyAction"] = if keeps { "ReplaceAndRetain" } else { "ReplaceAndDelete" }.into();
        }
        self.plan.changes.push(json!({ "Type": "Resource", "ResourceChange": change }));
        fate
    }

    fn details(&self, declared: &Declared, old: &Resource, Next { after, shown }: Next<'_>) -> Vec<Value> {
        let nothing = Section::new();
        let raw_before = self
            .before
            .and_then(|before| before.template.resources.get(&old.logical_id))
            .map_or(&nothing, |before| &before.properties);
        let names: BTreeSet<&String> = old.properties.keys().chain(after.keys()).collect();
        let mut details = Vec::new();
        for name in names {
            let property = Property {
                name,
                raw_before: raw_before.get(name),
                raw_after: declared.properties.get(name),
                before: old.properties.get(name),
                after: after.get(name),
                shown_before: old.shown().get(name),
                shown_after: shown.get(name),
            };
            details.extend(self.property(&old.resource_type, &property));
        }
        details.extend(attribute_details(declared, old));
        let stack_tags =
            schema::of(&old.resource_type).is_some_and(Schema::takes_tags) && old.tags != self.target.definition.tags;
        if stack_tags && !details.iter().any(|detail| detail.pointer("/Target/Attribute") == Some(&json!("Tags"))) {
            details.push(detail(
                json!({"Attribute": "Tags", "RequiresRecreation": "Never"}),
                "Static",
                "DirectModification",
                None,
            ));
        }
        details
    }

    fn property(&self, resource_type: &str, property: &Property<'_>) -> Vec<Value> {
        let certain = property.after.is_none_or(|after| !unknown(after));
        let target = property.target(resource_type);
        let mut details = Vec::new();
        for reference in references_in(property.raw_after) {
            if let Some((evaluation, source, entity)) = self.cause(&reference, property.before == property.after) {
                details.push(detail(target.clone(), evaluation, source, Some(entity)));
            }
        }
        if certain && property.before == property.after {
            // An attribute of a changed resource may change; anything else has the value that it had.
            details.retain(|detail| detail.get("ChangeSource") == Some(&json!("ResourceAttribute")));
            return details;
        }
        let indirect = details.iter().any(|one| one.get("ChangeSource") == Some(&json!("ParameterReference")));
        if indirect {
            details.push(detail(target, "Dynamic", "DirectModification", None));
        } else if details.is_empty() || property.raw_before != property.raw_after {
            details.insert(0, detail(target, "Static", "DirectModification", None));
        }
        details
    }

    /// Why a reference makes the property that holds it change.
    fn cause(&self, reference: &Reference, same: bool) -> Option<(&'static str, &'static str, String)> {
        let name = &reference.name;
        let fate = self.fates.get(name);
        match (&reference.attribute, fate) {
            (None, Some(Fate::Replaced)) => Some(("Static", "ResourceReference", name.clone())),
            (None, Some(Fate::Conditional)) => Some(("Dynamic", "ResourceReference", name.clone())),
            (Some(attribute), Some(Fate::Replaced | Fate::Conditional | Fate::Modified)) => {
                Some(("Dynamic", "ResourceAttribute", format!("{name}.{attribute}")))
            }
            (None, None) if !same => {
                let value = self.target.parameters.get(name)?;
                let before = self.before.and_then(|before| before.parameters.get(name))?;
                (value != before).then(|| ("Static", "ParameterReference", name.clone()))
            }
            _ => None,
        }
    }

    fn removals(&mut self) {
        for (logical_id, old) in &self.stack.resources {
            if self.target.template.resources.contains_key(logical_id) || !old.lives() {
                continue;
            }
            let keeps = matches!(old.deletion_policy.as_deref(), Some("Retain" | "RetainExceptOnCreate"));
            self.plan.changes.push(json!({
                "Type": "Resource",
                "ResourceChange": {
                    "Action": "Remove",
                    "LogicalResourceId": logical_id,
                    "PhysicalResourceId": old.physical_id,
                    "ResourceType": old.resource_type,
                    "PolicyAction": if keeps { "Retain" } else { "Delete" },
                    "Scope": [],
                    "Details": [],
                    "BeforeContext": context(old.shown(), old.metadata.as_ref()),
                },
            }));
        }
    }

    fn outputs_change(&mut self) -> Result<bool, Fault> {
        let target = self.target;
        let resolved = self.resolved("Outputs", &target.template.outputs)?;
        let outputs: Vec<Output> = resolved.iter().map(|(key, output)| engine::output(key, output)).collect();
        Ok(outputs != self.stack.outputs)
    }
}

/// The properties that a resource is about to have, and as they may be told.
#[derive(Clone, Copy)]
struct Next<'a> {
    after: &'a Properties,
    shown: &'a Properties,
}

/// One property before and after.
struct Property<'a> {
    name: &'a str,
    raw_before: Option<&'a Value>,
    raw_after: Option<&'a Value>,
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    shown_before: Option<&'a Value>,
    shown_after: Option<&'a Value>,
}

impl Property<'_> {
    fn target(&self, resource_type: &str) -> Value {
        if self.name == "Tags" {
            return json!({"Attribute": "Tags", "RequiresRecreation": "Never"});
        }
        let recreates =
            schema::of(resource_type).is_some_and(|schema| schema.recreates(self.name, self.before, self.after));
        let mut target = json!({
            "Attribute": "Properties",
            "Name": self.name,
            "Path": format!("/Properties/{}", self.name),
            "RequiresRecreation": if recreates { "Always" } else { "Never" },
            "AttributeChangeType": match (self.before, self.after) {
                (None, _) => "Add",
                (_, None) => "Remove",
                _ => "Modify",
            },
        });
        for (member, value) in [("BeforeValue", self.shown_before), ("AfterValue", self.shown_after)] {
            if let Some(value) = value {
                target[member] = value.as_str().map_or_else(|| value.to_string(), str::to_owned).into();
            }
        }
        target
    }
}

fn detail(target: Value, evaluation: &str, source: &str, entity: Option<String>) -> Value {
    let mut detail = json!({"Target": target, "Evaluation": evaluation, "ChangeSource": source});
    if let Some(entity) = entity {
        detail["CausingEntity"] = entity.into();
    }
    detail
}

/// Changes beside the properties.
fn attribute_details(declared: &Declared, old: &Resource) -> Vec<Value> {
    let attributes = [
        ("DeletionPolicy", declared.deletion_policy != old.deletion_policy),
        ("Metadata", declared.metadata != old.metadata),
        ("UpdateReplacePolicy", declared.update_replace_policy != old.update_replace_policy),
    ];
    attributes
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(name, _)| {
            detail(json!({"Attribute": name, "RequiresRecreation": "Never"}), "Static", "DirectModification", None)
        })
        .collect()
}

fn scope_of(details: &[Value]) -> BTreeSet<&str> {
    details.iter().filter_map(|detail| detail.pointer("/Target/Attribute").and_then(Value::as_str)).collect()
}

fn context(properties: &Properties, metadata: Option<&Value>) -> String {
    let mut all = Map::from_iter([("Properties".to_owned(), Value::Object(properties.clone()))]);
    if let Some(metadata) = metadata {
        all.insert("Metadata".to_owned(), metadata.clone());
    }
    Value::Object(all).to_string()
}

/// A change as it is shown to who did not ask for property values.
pub(super) fn without_values(change: &Value) -> Value {
    let mut change = change.clone();
    if let Some(Value::Object(resource)) = change.get_mut("ResourceChange") {
        resource.remove("BeforeContext");
        resource.remove("AfterContext");
        let details = resource.get_mut("Details").and_then(Value::as_array_mut);
        for target in details.into_iter().flatten().filter_map(|detail| detail.get_mut("Target")?.as_object_mut()) {
            for member in ["Path", "BeforeValue", "AfterValue", "AttributeChangeType"] {
                target.remove(member);
            }
        }
    }
    change
}
