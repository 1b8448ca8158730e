//! A stack becomes a CloudFormation template. Pure: equal stacks give equal templates.
//!
//! Each service has its file: what a declaration becomes, with all the plumbing that nobody should have to write
//! (roles, permissions, integrations, log groups).

mod apigateway;
mod apigatewayv2;
pub mod code;
mod cognito;
mod dynamodb;
mod lambda;
mod secretsmanager;
mod ses;
mod url;

use std::collections::BTreeMap;

use miette::Diagnostic;
use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::access::rules::{self, Severity};
use crate::model::raw::{self, Override, RawResource, Suppression};
use crate::model::{Complaint, Stack};
use crate::template::check::Problem;
use crate::template::{Export, Output, Parameter, Removal, Resource, Template, function};

/// Why a stack has no template.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// The stack itself is wrong; a stack that was read from a file has been checked already.
    #[error("stack `{stack}` cannot be synthesized: {}", list(.complaints))]
    #[diagnostic(help("correct the declarations that are named"))]
    Stack { stack: String, complaints: Vec<Complaint> },
    /// CloudFormation would refuse what the stack becomes: a limit, or a mistake in a raw resource or an override.
    #[error("CloudFormation would refuse the template of `{stack}`")]
    Template {
        stack: String,
        #[related]
        problems: Vec<Problem>,
    },
}

/// The template of a stack.
///
/// `name` is the name under which it is deployed.
///
/// # Errors
/// When the stack's own checks complain, or when CloudFormation would refuse the template.
pub fn synthesize(name: &str, stack: &Stack) -> Result<Template, Error> {
    let mut complaints = stack.check(name);
    complaints.extend(refusals(stack));
    if !complaints.is_empty() {
        return Err(Error::Stack { stack: name.to_owned(), complaints });
    }
    let template = Synthesis::of(stack);
    let mut problems = template.problems();
    problems.retain(|problem| !problem.is_doubtful());
    if problems.is_empty() { Ok(template) } else { Err(Error::Template { stack: name.to_owned(), problems }) }
}

/// What CloudFormation would refuse of the template, whether or not the stack's own checks complain.
pub(crate) fn problems(stack: &Stack) -> Vec<Problem> {
    Synthesis::of(stack).problems()
}

/// What the rules of authorization refuse.
fn refusals(stack: &Stack) -> impl Iterator<Item = Complaint> {
    let refused = rules::find(stack).into_iter().filter(|finding| finding.rule.severity() == Severity::Error);
    refused.map(|finding| finding.complaint)
}

/// A template in the making.
struct Synthesis<'a> {
    stack: &'a Stack,
    template: Template,
}

impl<'a> Synthesis<'a> {
    fn of(stack: &'a Stack) -> Template {
        let mut synthesis = Self { stack, template: Template::default() };
        synthesis.template.description.clone_from(&stack.description);
        synthesis.parameters();
        synthesis.conditions();
        synthesis.services();
        synthesis.raw_resources();
        synthesis.overrides();
        synthesis.suppressions();
        synthesis.outputs();
        url::settle(&mut synthesis);
        apigateway::add_deployments(&mut synthesis);
        synthesis.template
    }

    fn services(&mut self) {
        let stack = self.stack;
        stack.user_pools.iter().for_each(|(id, pool)| cognito::add_pool(self, id, pool));
        stack.identity_providers.iter().for_each(|(id, provider)| cognito::add_provider(self, id, provider));
        stack.user_pool_clients.iter().for_each(|(id, client)| cognito::add_client(self, id, client));
        stack.secrets.iter().for_each(|(id, secret)| secretsmanager::add(self, id, secret));
        stack.tables.iter().for_each(|(id, table)| dynamodb::add(self, id, table));
        stack.email_identities.iter().for_each(|(id, identity)| ses::add(self, id, identity));
        stack.functions.iter().for_each(|(id, function)| lambda::add(self, id, function));
        stack.http_apis.iter().for_each(|(id, api)| apigatewayv2::add(self, id, api));
        stack.web_socket_apis.iter().for_each(|(id, api)| apigatewayv2::add_web_socket_api(self, id, api));
        stack.rest_apis.iter().for_each(|(id, api)| apigateway::add(self, id, api));
        apigateway::add_account(self);
    }

    fn resource(&mut self, id: &str, resource: Resource) {
        self.template.resources.insert(id.to_owned(), resource);
    }

    fn parameters(&mut self) {
        for (name, declared) in &self.stack.parameters {
            self.template.parameters.insert(name.clone(), parameter(declared));
        }
    }

    fn conditions(&mut self) {
        for (name, condition) in &self.stack.conditions {
            self.template.conditions.insert(name.clone(), value(condition));
        }
    }

    fn raw_resources(&mut self) {
        for (id, raw) in &self.stack.resources {
            self.resource(id, raw_resource(raw));
        }
    }

    /// Changes what was synthesized. The checks have seen to it that there is a resource to change.
    fn overrides(&mut self) {
        for (id, change) in &self.stack.overrides {
            if let Some(resource) = self.template.resources.get_mut(id) {
                apply(resource, change);
            }
        }
    }

    /// Says in the metadata of resources which findings of checking tools are as they should be. The rules are in the order
    /// of their names.
    fn suppressions(&mut self) {
        for (rule, suppression) in self.stack.suppressions.iter().filter(|(rule, _)| !Suppression::is_of_ours(rule)) {
            let covered = |(id, resource): &(&String, &mut Resource)| suppression.covers(id, &resource.resource_type);
            for (_, resource) in self.template.resources.iter_mut().filter(covered) {
                suppress(&mut resource.metadata, rule, &suppression.reason);
            }
        }
    }

    fn outputs(&mut self) {
        for (name, declared) in &self.stack.outputs {
            let export = declared.export.as_ref().map_or_else(|| export_name(name), value);
            let mut output = Output::new(value(&declared.value)).export(Export::new(export));
            output.description.clone_from(&declared.description);
            output.condition.clone_from(&declared.condition);
            self.template.outputs.insert(name.clone(), output);
        }
    }
}

/// The name under which `{ output: stack.name }` of another stack finds an output.
fn export_name(output: &str) -> Value {
    function::sub(&format!("${{{}}}:{output}", function::STACK_NAME))
}

fn parameter(declared: &raw::Parameter) -> Parameter {
    let present = |text: &Option<String>| text.clone().map(Value::from);
    let mut parameter = Parameter::new(&declared.kind.0);
    parameter.default = present(&declared.default);
    parameter.description.clone_from(&declared.description);
    parameter.allowed_values = declared.allowed_values.iter().cloned().map(Value::from).collect();
    parameter.allowed_pattern.clone_from(&declared.allowed_pattern);
    parameter.constraint_description.clone_from(&declared.constraint_description);
    parameter.min_length = declared.min_length.map(Value::from);
    parameter.max_length = declared.max_length.map(Value::from);
    parameter.min_value = declared.min_value.map(Value::from);
    parameter.max_value = declared.max_value.map(Value::from);
    parameter.no_echo = declared.no_echo.then_some(Value::Bool(true));
    parameter
}

fn raw_resource(raw: &RawResource) -> Resource {
    let mut resource = Resource::new(&raw.kind);
    resource.properties = raw.properties.clone().into_iter().collect();
    resource.condition.clone_from(&raw.condition);
    resource.depends_on = raw.depends_on.iter().cloned().collect();
    resource.deletion_policy = raw.deletion_policy.map(removal);
    resource.update_replace_policy = raw.update_replace_policy.map(removal);
    resource.metadata = raw.metadata.clone();
    resource
}

fn apply(resource: &mut Resource, change: &Override) {
    merge(&mut resource.properties, &change.properties);
    resource.condition = change.condition.clone().or(resource.condition.take());
    resource.depends_on.extend(change.depends_on.iter().cloned());
    resource.deletion_policy = change.deletion_policy.map(removal).or(resource.deletion_policy);
    resource.update_replace_policy = change.update_replace_policy.map(removal).or(resource.update_replace_policy);
    resource.metadata.extend(change.metadata.clone());
}

fn suppress(metadata: &mut BTreeMap<String, Value>, rule: &str, reason: &str) {
    let (tool, list, why) = match rule.starts_with("CKV") {
        true => ("checkov", "skip", "comment"),
        false => ("cdk_nag", "rules_to_suppress", "reason"),
    };
    let entry = json!({ "id": rule, (why): reason });
    let said = metadata.entry(tool.to_owned()).or_insert_with(|| json!({ (list): [] }));
    if let Some(Value::Array(entries)) = said.get_mut(list) {
        entries.push(entry);
    }
}

/// Maps are merged, anything else is replaced, `null` removes. CloudFormation's functions are maps of one member, and
/// are replaced as a whole.
fn merge<'a>(target: &mut Map<String, Value>, change: impl IntoIterator<Item = (&'a String, &'a Value)>) {
    for (name, value) in change {
        match (target.get_mut(name), value) {
            (_, Value::Null) => drop(target.remove(name)),
            (Some(Value::Object(old)), Value::Object(new)) if !is_function(old) && !is_function(new) => merge(old, new),
            _ => drop(target.insert(name.clone(), value.clone())),
        }
    }
}

fn is_function(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.keys().all(|name| name == "Ref" || name.starts_with("Fn::"))
}

fn removal(removal: raw::Removal) -> Removal {
    match removal {
        raw::Removal::Destroy => Removal::Delete,
        raw::Removal::Retain => Removal::Retain,
        raw::Removal::Snapshot => Removal::Snapshot,
    }
}

/// The CloudFormation properties of a declaration: what is absent in it is absent in them.
fn properties(declared: &impl Serialize) -> Map<String, Value> {
    match value(declared) {
        Value::Object(mut map) => {
            map.retain(|_, value| present(value));
            map
        }
        _ => Map::new(),
    }
}

/// Drops `null`, empty lists and empty maps from within a value, and tells whether anything is left of it.
fn present(value: &mut Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => {
            for item in &mut *items {
                present(item);
            }
            !items.is_empty()
        }
        Value::Object(members) => {
            members.retain(|_, member| present(member));
            !members.is_empty()
        }
        _ => true,
    }
}

fn value(declared: &impl Serialize) -> Value {
    serde_json::to_value(declared).expect("every key of the model is a string")
}

fn list(complaints: &[Complaint]) -> String {
    complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
