//! What AWS refuses in a template before anything is made, in its own words.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::cloudformation::intrinsics::{self, Pseudo, Scope, World, call, complaint, references_in};
use crate::cloudformation::template::{Declared, Section, Template};
use crate::cloudformation::{invalid, resource_type, rules, schema};
use crate::wire::Fault;
use stackgen_template::function::FUNCTIONS;

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

const RESOURCE_MEMBERS: &[&str] = &[
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Description",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// Most resources, and most parameters, outputs and mappings, in one template.
const MOST_RESOURCES: usize = 500;
const MOST_MEMBERS: usize = 200;
const LONGEST_NAME: usize = 255;
const LONGEST_DESCRIPTION: usize = 1024;

/// The macro that needs no function of the account.
pub(super) const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

/// Functions that exist only with the transform `AWS::LanguageExtensions`.
const EXTENSIONS: &[&str] = &["Fn::Length", "Fn::ToJsonString"];

fn format_error(message: impl std::fmt::Display) -> Fault {
    invalid(format!("Template format error: {message}"))
}

/// A template from its JSON form.
pub(super) fn template(mut value: Value) -> Result<Template, Fault> {
    spell_out_attributes(&mut value);
    let Value::Object(mut sections) = value else { return Err(format_error("unsupported structure.")) };
    known_sections(&sections)?;
    version(&sections)?;
    let mut template = Template {
        description: description(sections.remove("Description"))?,
        metadata: sections.remove("Metadata"),
        transforms: transforms(sections.remove("Transform"))?,
        ..Template::default()
    };
    template.resources = resources_of(sections.remove("Resources"))?;
    template.parameters = section(&mut sections, "Parameters", "Parameter")?;
    template.mappings = section(&mut sections, "Mappings", "Mapping")?;
    template.conditions = section(&mut sections, "Conditions", "Condition")?;
    template.outputs = section(&mut sections, "Outputs", "Output")?;
    template.rules = section(&mut sections, "Rules", "Rule")?;
    parameters(&template.parameters)?;
    mappings(&template.mappings)?;
    outputs(&template.outputs)?;
    exports(&template)?;
    functions(&template)?;
    conditions(&template)?;
    dependencies(&template)?;
    Ok(template)
}

/// `{"Fn::GetAtt": "A.B"}` becomes `{"Fn::GetAtt": ["A", "B"]}`.
fn spell_out_attributes(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let (1, Some(argument)) = (members.len(), members.get_mut("Fn::GetAtt")) {
                let parts = argument.as_str().and_then(|text| text.split_once('.'));
                if let Some((resource, attribute)) = parts {
                    *argument = Value::from(vec![resource, attribute]);
                }
            }
            members.values_mut().for_each(spell_out_attributes);
        }
        Value::Array(items) => items.iter_mut().for_each(spell_out_attributes),
        _ => {}
    }
}

fn known_sections(sections: &Section) -> Result<(), Fault> {
    let unknown: Vec<&str> = sections.keys().map(String::as_str).filter(|key| !SECTIONS.contains(key)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("Invalid template property or properties [{}]", unknown.join(", "))))
}

fn version(sections: &Section) -> Result<(), Fault> {
    match sections.get("AWSTemplateFormatVersion").map(|version| intrinsics::text(version).unwrap_or_default()) {
        None => Ok(()),
        Some(version) if version == "2010-09-09" => Ok(()),
        Some(version) => Err(format_error(format!("{version} is not a supported value for AWSTemplateFormatVersion."))),
    }
}

fn description(value: Option<Value>) -> Result<Option<String>, Fault> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= LONGEST_DESCRIPTION => Ok(Some(text)),
        Some(Value::String(_)) => {
            Err(format_error(format!("'Description' length is greater than {LONGEST_DESCRIPTION}.")))
        }
        Some(_) => Err(format_error("Template description must be a string.")),
    }
}

fn transforms(value: Option<Value>) -> Result<Vec<String>, Fault> {
    let named = |value: &Value| value.as_str().or_else(|| value.get("Name")?.as_str()).map(str::to_owned);
    let names = match value {
        None => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(named).collect(),
        Some(one) => named(&one).map(|name| vec![name]),
    };
    names.ok_or_else(|| format_error("Every Transform must be a name or an object with a Name."))
}

/// One section of named members.
fn section(sections: &mut Section, name: &str, member: &str) -> Result<Section, Fault> {
    let members = match sections.remove(name) {
        None => return Ok(Section::new()),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(format_error(format!("Any {name} member must be an object."))),
    };
    if members.len() > MOST_MEMBERS {
        return Err(format_error(format!(
            "Number of {}, {}, is greater than maximum allowed, {MOST_MEMBERS}",
            name.to_lowercase(),
            members.len(),
        )));
    }
    for key in members.keys() {
        member_name(member, key)?;
    }
    no_nulls(name, &members)?;
    Ok(members)
}

fn member_name(member: &str, name: &str) -> Result<(), Fault> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(format_error(format!("{member} name {name} is non alphanumeric.")));
    }
    if name.len() > LONGEST_NAME {
        return Err(format_error(format!("{member} name {name} is longer than {LONGEST_NAME} characters.")));
    }
    Ok(())
}

fn no_nulls(name: &str, members: &Section) -> Result<(), Fault> {
    let Some(path) = null_in(&format!("/{name}"), members) else { return Ok(()) };
    Err(format_error(format!("[{path}] 'null' values are not allowed in templates")))
}

fn null_in(path: &str, members: &Section) -> Option<String> {
    members.iter().find_map(|(key, member)| null_at(format!("{path}/{key}"), member))
}

fn null_at(path: String, value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(path),
        Value::Object(members) => null_in(&path, members),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| null_at(format!("{path}/{index}"), item))
        }
        _ => None,
    }
}

fn resources_of(value: Option<Value>) -> Result<BTreeMap<String, Declared>, Fault> {
    let members = match value {
        None | Some(Value::Null) => Section::new(),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(format_error("Any Resources member must be an object.")),
    };
    if members.is_empty() {
        return Err(format_error("At least one Resources member must be defined."));
    }
    if members.len() > MOST_RESOURCES {
        return Err(format_error(format!(
            "Number of resources, {}, is greater than maximum allowed, {MOST_RESOURCES}",
            members.len(),
        )));
    }
    for name in members.keys() {
        member_name("Resource", name)?;
    }
    no_nulls("Resources", &members)?;
    members.into_iter().map(|(name, member)| Ok((name.clone(), declared(&name, member)?))).collect()
}

fn declared(name: &str, value: Value) -> Result<Declared, Fault> {
    let Value::Object(mut members) = value else {
        return Err(format_error(format!("[/Resources/{name}] resource definition is malformed")));
    };
    let Some(resource_type) = members.remove("Type") else {
        return Err(format_error(format!("[/Resources/{name}] Every Resources object must contain a Type member.")));
    };
    let Value::String(resource_type) = resource_type else {
        return Err(format_error(format!("[/Resources/{name}/Type] Type must be a string")));
    };
    if let Some(unknown) = members.keys().find(|key| !RESOURCE_MEMBERS.contains(&key.as_str())) {
        return Err(invalid(format!("Invalid template resource property '{unknown}'")));
    }
    let properties = match members.remove("Properties") {
        None => Section::new(),
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err(format_error(format!("[/Resources/{name}/Properties] Properties must be an object"))),
    };
    Ok(Declared {
        resource_type,
        properties,
        depends_on: depends_on(name, members.remove("DependsOn"))?,
        condition: text_member(name, "Condition", &mut members)?,
        deletion_policy: policy(name, "DeletionPolicy", &mut members)?,
        update_replace_policy: policy(name, "UpdateReplacePolicy", &mut members)?,
        metadata: members.remove("Metadata"),
    })
}

fn text_member(resource: &str, key: &str, members: &mut Section) -> Result<Option<String>, Fault> {
    match members.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format_error(format!("[/Resources/{resource}/{key}] {key} must be a string"))),
    }
}

fn policy(resource: &str, key: &str, members: &mut Section) -> Result<Option<String>, Fault> {
    let policy = text_member(resource, key, members)?;
    let known = match policy.as_deref() {
        None | Some("Delete" | "Retain" | "Snapshot") => true,
        Some("RetainExceptOnCreate") => key == "DeletionPolicy",
        Some(_) => false,
    };
    if known { Ok(policy) } else { Err(format_error(format!("Unrecognized {key} {}", policy.unwrap_or_default()))) }
}

fn depends_on(resource: &str, value: Option<Value>) -> Result<Vec<String>, Fault> {
    let names = match value {
        None => Some(Vec::new()),
        Some(Value::String(name)) => Some(vec![name]),
        Some(Value::Array(items)) => items.into_iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    };
    names.ok_or_else(|| {
        format_error(format!("[/Resources/{resource}/DependsOn] DependsOn must be a string or a list of strings."))
    })
}

fn parameters(parameters: &Section) -> Result<(), Fault> {
    for (name, parameter) in parameters {
        let Some(kind) = parameter.get("Type").and_then(Value::as_str) else {
            return Err(format_error("Every Parameters object must contain a Type member."));
        };
        let known = matches!(kind, "String" | "Number" | "List<Number>" | "List<String>" | "CommaDelimitedList")
            || kind.starts_with("AWS::")
            || kind.starts_with("List<AWS::");
        if !known {
            return Err(format_error(format!("Unrecognized parameter type: {kind}")));
        }
        let members = parameter.as_object().into_iter().flat_map(Map::keys);
        if let Some(unknown) = members.map(String::as_str).find(|key| !PARAMETER_MEMBERS.contains(key)) {
            return Err(invalid(format!("Invalid template parameter property '{unknown}' of parameter '{name}'")));
        }
    }
    Ok(())
}

const PARAMETER_MEMBERS: &[&str] = &[
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "Default",
    "Description",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
    "Type",
];

fn mappings(mappings: &Section) -> Result<(), Fault> {
    for (name, mapping) in mappings {
        let Value::Object(keys) = mapping else {
            return Err(format_error(format!("Every Mappings member {name} must be a map")));
        };
        if keys.len() > MOST_MEMBERS {
            return Err(format_error(format!(
                "Number of mapping attributes, {}, is greater than maximum allowed, {MOST_MEMBERS}",
                keys.len(),
            )));
        }
        for (key, attributes) in keys {
            let Value::Object(attributes) = attributes else {
                return Err(format_error(format!("Every Mappings member {key} must be a map")));
            };
            if attributes.values().any(Value::is_object) {
                return Err(format_error("Every Mappings attribute must be a String or a List."));
            }
        }
    }
    Ok(())
}

fn outputs(outputs: &Section) -> Result<(), Fault> {
    for (name, output) in outputs {
        let Value::Object(members) = output else {
            return Err(format_error(format!("Every Outputs member {name} must be an object.")));
        };
        if !members.contains_key("Value") {
            return Err(format_error(format!("Output {name} must contain a Value member.")));
        }
        let known = ["Condition", "Description", "Export", "Value"];
        if let Some(unknown) = members.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(invalid(format!("Invalid template output property '{unknown}'")));
        }
    }
    Ok(())
}

/// The names of exports are known before anything is made.
fn exports(template: &Template) -> Result<(), Fault> {
    let malformed = |output: &str, why: &str| Err(format_error(format!("Output {output} is malformed. {why}")));
    for (output, member) in &template.outputs {
        let Some(export) = member.get("Export") else { continue };
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":-".contains(c);
        match export.get("Name") {
            Some(Value::String(name)) if !name.is_empty() && name.chars().all(allowed) => {}
            Some(name @ Value::Object(_)) if depends_on_more(template, name) => {
                return malformed(
                    output,
                    " The Name field of Export must not depend on any resources, imported values, or Fn::GetAZs.",
                );
            }
            Some(Value::Object(_)) => {}
            _ => {
                return malformed(
                    output,
                    "The Name field of every Export member must be specified and consist only of alphanumeric characters, \
                     colons, or hyphens.",
                );
            }
        }
    }
    Ok(())
}

/// Whether a value is known only once something is made or asked for.
fn depends_on_more(template: &Template, value: &Value) -> bool {
    let refers = references_in([value]).iter().any(|it| template.resources.contains_key(&it.name));
    refers || asks(value)
}

fn asks(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, it)| ["Fn::ImportValue", "Fn::GetAZs"].contains(&name.as_str()) || asks(it))
        }
        Value::Array(items) => items.iter().any(asks),
        _ => false,
    }
}

/// The shape of every call, wherever it stands.
fn functions(template: &Template) -> Result<(), Fault> {
    let extended = template.transforms.iter().any(|name| name == LANGUAGE_EXTENSIONS);
    let properties = template.resources.values().flat_map(|resource| resource.properties.values());
    let rest = template.conditions.values().chain(template.outputs.values());
    properties.chain(rest).try_for_each(|value| shapes(value, extended))
}

fn shapes(value: &Value, extended: bool) -> Result<(), Fault> {
    if let Some((name, argument)) = call(value) {
        let known = name == "Ref" || FUNCTIONS.contains(&name);
        if !known || (!extended && EXTENSIONS.contains(&name)) {
            let supported: Vec<&str> = FUNCTIONS.iter().copied().filter(|name| !EXTENSIONS.contains(name)).collect();
            return Err(format_error(format!(
                "Encountered unsupported function: {name} Supported functions are: [{}]",
                supported.join(", "),
            )));
        }
        if let Some(complaint) = complaint(name, argument) {
            return Err(invalid(complaint));
        }
    }
    match value {
        Value::Object(members) => members.values().try_for_each(|member| shapes(member, extended)),
        Value::Array(items) => items.iter().try_for_each(|item| shapes(item, extended)),
        _ => Ok(()),
    }
}

/// Conditions are named where they are used, and refer to parameters only.
fn conditions(template: &Template) -> Result<(), Fault> {
    let resources = template.resources.values();
    let used = resources.filter_map(|resource| resource.condition.as_deref());
    let outputs = template.outputs.values().filter_map(|output| output.get("Condition")?.as_str());
    if let Some(missing) = used.chain(outputs).find(|name| !template.conditions.contains_key(*name)) {
        return Err(format_error(format!(
            "Unresolved condition dependency {missing} in the Resources block of the template"
        )));
    }
    let strangers = strangers(template, template.conditions.values(), &BTreeSet::new());
    if strangers.is_empty() {
        return Ok(());
    }
    Err(format_error(format!(
        "Unresolved dependencies [{}]. Cannot reference resources in the Conditions block of the template",
        strangers.join(", "),
    )))
}

/// Names that are referred to and are neither parameters, pseudo parameters nor among `resources`.
fn strangers<'a>(
    template: &Template,
    values: impl IntoIterator<Item = &'a Value>,
    resources: &BTreeSet<&str>,
) -> Vec<String> {
    let mut found: Vec<String> = references_in(values)
        .into_iter()
        .filter(|reference| {
            let name = reference.name.as_str();
            !(resources.contains(name)
                || (template.parameters.contains_key(name) && reference.attribute.is_none())
                || Pseudo::NAMES.contains(&name))
        })
        .map(|reference| reference.name)
        .collect();
    found.dedup();
    found
}

/// Everything that is referred to is there.
fn dependencies(template: &Template) -> Result<(), Fault> {
    let resources: BTreeSet<&str> = template.resources.keys().map(String::as_str).collect();
    let properties = template.resources.values().flat_map(|resource| resource.properties.values());
    let mut missing = strangers(template, properties, &resources);
    let needed = template.resources.values().flat_map(|resource| &resource.depends_on);
    missing.extend(needed.filter(|name| !resources.contains(name.as_str())).cloned());
    unresolved("Template format error: ", "Resources", missing)?;
    let outputs = strangers(template, template.outputs.values(), &resources);
    unresolved("Template format error: ", "Outputs", outputs)
}

fn unresolved(prefix: &str, block: &str, mut missing: Vec<String>) -> Result<(), Fault> {
    missing.sort();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(", ");
    Err(invalid(format!("{prefix}Unresolved resource dependencies [{names}] in the {block} block of the template")))
}

/// The template that is left when its conditions are known: resources, outputs and branches that hold.
///
/// # Errors
/// `ValidationError` when a condition cannot be told, or when what is left refers to what is not.
pub(super) fn settled(
    template: &Template,
    parameters: &BTreeMap<String, Value>,
    pseudo: &Pseudo,
) -> Result<Template, Fault> {
    let scope = Scope { template, parameters, pseudo, world: &Empty };
    rules::check(&scope, &template.rules)?;
    let mut holds = BTreeMap::new();
    for name in template.conditions.keys() {
        condition(&scope, name, &mut holds, 0).map_err(invalid)?;
    }
    let on = |name: Option<&str>| name.is_none_or(|name| holds.get(name).copied().unwrap_or(false));
    let mut left = template.clone();
    left.resources.retain(|_, resource| on(resource.condition.as_deref()));
    left.outputs.retain(|_, output| on(output.get("Condition").and_then(Value::as_str)));
    for resource in left.resources.values_mut() {
        branches_of(&mut resource.properties, &holds)?;
        resource.depends_on.retain(|name| template.resources.get(name).is_none_or(|it| on(it.condition.as_deref())));
    }
    branches_of(&mut left.outputs, &holds)?;
    still_there(&left)?;
    circles(&left)?;
    Ok(left)
}

/// A world without resources: what conditions see.
struct Empty;

impl World for Empty {
    fn reference(&self, _: &str) -> Option<Value> {
        None
    }

    fn attribute(&self, _: &str, _: &str) -> Option<Value> {
        None
    }

    fn import(&self, _: &str) -> Option<Value> {
        None
    }
}

fn condition(scope: &Scope<'_>, name: &str, holds: &mut BTreeMap<String, bool>, depth: usize) -> Result<bool, String> {
    if let Some(known) = holds.get(name) {
        return Ok(*known);
    }
    let Some(expression) = scope.template.conditions.get(name) else {
        return Err(format!(
            "Template format error: Unresolved condition dependency {name} in the Conditions block of the template"
        ));
    };
    if depth > scope.template.conditions.len() {
        return Err(format!("Template format error: Found circular condition dependency with {name}"));
    }
    let value = scope.condition(expression, &mut |other| condition(scope, other, holds, depth.saturating_add(1)))?;
    holds.insert(name.to_owned(), value);
    Ok(value)
}

fn branches_of(members: &mut Section, holds: &BTreeMap<String, bool>) -> Result<(), Fault> {
    members.values_mut().try_for_each(|member| branches(member, holds))
}

/// Puts the branch that holds in the place of each `Fn::If`.
fn branches(value: &mut Value, holds: &BTreeMap<String, bool>) -> Result<(), Fault> {
    if let Some(("Fn::If", Value::Array(parts))) = call(value) {
        let [Value::String(name), when, otherwise] = parts.as_slice() else { return Ok(()) };
        let Some(taken) = holds.get(name) else {
            return Err(format_error(format!(
                "Unresolved condition dependency {name} in the Resources block of the template"
            )));
        };
        *value = if *taken { when.clone() } else { otherwise.clone() };
        return branches(value, holds);
    }
    match value {
        Value::Object(members) => branches_of(members, holds),
        Value::Array(items) => items.iter_mut().try_for_each(|item| branches(item, holds)),
        _ => Ok(()),
    }
}

fn still_there(template: &Template) -> Result<(), Fault> {
    let resources: BTreeSet<&str> = template.resources.keys().map(String::as_str).collect();
    let properties = template.resources.values().flat_map(|resource| resource.properties.values());
    unresolved("Template format error: ", "Resources", strangers(template, properties, &resources))?;
    unresolved("", "Outputs", strangers(template, template.outputs.values(), &resources))
}

/// Resources in an order in which each comes after what it needs.
///
/// # Errors
/// The resources of a circle.
pub(super) fn ordered(template: &Template) -> Result<Vec<String>, Vec<String>> {
    let mut waiting: BTreeMap<&str, BTreeSet<String>> =
        template.resources.iter().map(|(name, one)| (name.as_str(), one.dependencies(template))).collect();
    let mut order: Vec<String> = Vec::with_capacity(waiting.len());
    let mut placed: BTreeSet<String> = BTreeSet::new();
    while !waiting.is_empty() {
        let ready: Vec<&str> =
            waiting.iter().filter(|(_, needs)| needs.is_subset(&placed)).map(|(name, _)| *name).collect();
        if ready.is_empty() {
            return Err(circle(waiting));
        }
        for name in ready {
            waiting.remove(name);
            placed.insert(name.to_owned());
            order.push(name.to_owned());
        }
    }
    Ok(order)
}

/// What is left when everything is taken away that nothing in the circle needs.
fn circle(mut waiting: BTreeMap<&str, BTreeSet<String>>) -> Vec<String> {
    loop {
        let needed: BTreeSet<String> = waiting.values().flatten().cloned().collect();
        let before = waiting.len();
        waiting.retain(|name, _| needed.contains(*name));
        if waiting.len() == before {
            return waiting.keys().map(|name| (*name).to_owned()).collect();
        }
    }
}

fn circles(template: &Template) -> Result<(), Fault> {
    ordered(template)
        .map(drop)
        .map_err(|names| invalid(format!("Circular dependency between resources: [{}]", names.join(", "))))
}

/// The types are known, and have the attributes that are asked of them.
///
/// # Errors
/// `ValidationError` that names the unknown types.
pub(super) fn types(template: &Template) -> Result<(), Fault> {
    let mut unknown: Vec<&str> = template
        .resources
        .values()
        .map(|resource| resource.resource_type.as_str())
        .filter(|name| resource_type(name).is_none())
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    if !unknown.is_empty() {
        return Err(format_error(format!("Unrecognized resource types: [{}]", unknown.join(", "))));
    }
    let properties = template.resources.values().flat_map(|resource| resource.properties.values());
    let Some((name, attribute)) = unsupported_attribute(template, properties) else { return Ok(()) };
    Err(invalid(format!("Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt")))
}

/// The first attribute that is asked of a resource whose type does not have it.
pub(super) fn unsupported_attribute<'a>(
    template: &Template,
    values: impl IntoIterator<Item = &'a Value>,
) -> Option<(String, String)> {
    references_in(values).into_iter().find_map(|reference| {
        let attribute = reference.attribute.filter(|attribute| !attribute.is_empty())?;
        let resource = template.resources.get(&reference.name)?;
        let schema = schema::of(&resource.resource_type)?;
        (!schema.has_attribute(&attribute)).then_some((reference.name, attribute))
    })
}

/// The capabilities that a template needs, and does not have.
///
/// # Errors
/// `InsufficientCapabilitiesException`, with AWS's space before the colon.
pub(super) fn capabilities(template: &Template, given: &[String]) -> Result<(), Fault> {
    let has = |name: &str| given.iter().any(|one| one == name);
    let identities: Vec<&Declared> = template
        .resources
        .values()
        .filter(|resource| IDENTITIES.iter().any(|(name, _)| *name == resource.resource_type))
        .collect();
    let named = identities.iter().any(|resource| {
        IDENTITIES.iter().any(|(name, member)| {
            *name == resource.resource_type && !member.is_empty() && resource.properties.contains_key(*member)
        })
    });
    let mut needed = Vec::new();
    if named && !has("CAPABILITY_NAMED_IAM") {
        needed.push("CAPABILITY_NAMED_IAM");
    } else if !identities.is_empty() && !has("CAPABILITY_IAM") && !has("CAPABILITY_NAMED_IAM") {
        needed.push("CAPABILITY_IAM");
    }
    if !template.transforms.is_empty() && !has("CAPABILITY_AUTO_EXPAND") {
        needed.push("CAPABILITY_AUTO_EXPAND");
    }
    if needed.is_empty() {
        return Ok(());
    }
    Err(Fault::new("InsufficientCapabilitiesException", format!("Requires capabilities : [{}]", needed.join(", "))))
}

/// The types that need `CAPABILITY_IAM`, and the property that makes it `CAPABILITY_NAMED_IAM`.
pub(super) const IDENTITIES: &[(&str, &str)] = &[
    ("AWS::IAM::AccessKey", ""),
    ("AWS::IAM::Group", "GroupName"),
    ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
    ("AWS::IAM::Policy", ""),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::RolePolicy", ""),
    ("AWS::IAM::User", "UserName"),
    ("AWS::IAM::UserToGroupAddition", ""),
];
