//! Operations that only look.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cloud::{Account, Cloud};
use crate::cloudformation::api::moment;
use crate::cloudformation::intrinsics::text;
use crate::cloudformation::operations::{named_change_set, stack_name, unknown_change_set, unknown_stack};
use crate::cloudformation::template::{self, Template};
use crate::cloudformation::{
    ChangeSet, Conflict, Definition, Event, Resource, Stack, Status, changes, invalid, source, validate,
};
use crate::wire::{Fault, Form};

/// Most entries in one answer.
const PAGE: usize = 100;

/// Answers an operation that changes nothing.
pub(super) fn answer(account: &Account, action: &str, form: &Form, cloud: &Cloud) -> Result<Value, Fault> {
    match action {
        "DescribeChangeSet" => describe_change_set(account, form),
        "DescribeEvents" => describe_events(account, form),
        "DescribeStackEvents" => describe_stack_events(account, form),
        "DescribeStackResource" => describe_stack_resource(account, form),
        "DescribeStackResources" => describe_stack_resources(account, form),
        "DescribeStacks" => describe_stacks(account, form),
        "GetTemplate" => get_template(account, form),
        "GetTemplateSummary" => get_template_summary(account, form, cloud),
        "ListChangeSets" => list_change_sets(account, form),
        "ListExports" => list_exports(account, form),
        "ListImports" => list_imports(account, form),
        "ListStackResources" => list_stack_resources(account, form),
        "ListStacks" => list_stacks(account, form),
        other => Err(Fault::unknown_operation("cloudformation", other)),
    }
}

/// The stack that a request names, with the wording of most operations that describe one.
fn stack<'a>(account: &'a Account, form: &Form) -> Result<&'a Stack, Fault> {
    let name = stack_name(form)?;
    account.cloudformation.find(name).ok_or_else(|| unknown_id(name))
}

fn unknown_id(name: &str) -> Fault {
    invalid(format!("Stack with id {name} does not exist"))
}

/// One page of a list, under its name and with the token of the next one.
fn page<T>(form: &Form, name: &str, all: Vec<T>, show: impl Fn(T) -> Value) -> Result<Value, Fault> {
    let start: usize = match form.get("NextToken") {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid(format!("Invalid NextToken [{token}]")))?,
    };
    let total = all.len();
    let end = start.saturating_add(PAGE);
    let entries: Vec<Value> = all.into_iter().skip(start).take(PAGE).map(show).collect();
    let next = (end < total).then(|| end.to_string());
    Ok(json!({ name: entries, "NextToken": next }))
}

fn describe_stacks(account: &Account, form: &Form) -> Result<Value, Fault> {
    if form.get("StackName").is_some_and(|name| !name.is_empty()) {
        return Ok(json!({ "Stacks": [shown(stack(account, form)?)] }));
    }
    let mut stacks: Vec<&Stack> =
        account.cloudformation.stacks.values().filter(|stack| stack.status != Status::DeleteComplete).collect();
    stacks.sort_by_key(|stack| std::cmp::Reverse(stack.order));
    page(form, "Stacks", stacks, shown)
}

/// A list that is left out when it is empty.
fn unless_empty(list: Vec<Value>) -> Value {
    if list.is_empty() { Value::Null } else { Value::Array(list) }
}

fn shown(stack: &Stack) -> Value {
    let outputs = stack.outputs.iter().map(|output| {
        json!({
            "OutputKey": output.key,
            "OutputValue": output.value,
            "Description": output.description,
            "ExportName": output.export,
        })
    });
    let capabilities = stack.definition.capabilities.iter().map(|name| name.as_str().into()).collect();
    json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set,
        "Description": stack.description,
        "Parameters": shown_parameters(&stack.definition),
        "CreationTime": moment(stack.created),
        "DeletionTime": stack.deleted.map(moment),
        "LastUpdatedTime": stack.updated.map(moment),
        "RollbackConfiguration": {},
        "StackStatus": stack.status.as_str(),
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": stack.definition.notification_arns,
        "TimeoutInMinutes": stack.timeout_in_minutes,
        "Capabilities": unless_empty(capabilities),
        "Outputs": unless_empty(outputs.collect()),
        "RoleARN": stack.definition.role_arn,
        "Tags": shown_tags(&stack.definition.tags),
        "EnableTerminationProtection": stack.termination_protection,
        "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
    })
}

fn shown_parameters(definition: &Definition) -> Value {
    let all = definition.parameters.iter().map(|(key, parameter)| {
        json!({ "ParameterKey": key, "ParameterValue": parameter.shown(), "ResolvedValue": parameter.resolved })
    });
    unless_empty(all.collect())
}

fn shown_tags(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

fn list_stacks(account: &Account, form: &Form) -> Result<Value, Fault> {
    let wanted = form.list("StackStatusFilter");
    let mut stacks: Vec<&Stack> = account
        .cloudformation
        .stacks
        .values()
        .filter(|stack| wanted.is_empty() || wanted.iter().any(|status| status == stack.status.as_str()))
        .collect();
    stacks.sort_by_key(|stack| std::cmp::Reverse(stack.order));
    page(form, "StackSummaries", stacks, |stack| {
        json!({
            "StackId": stack.id,
            "StackName": stack.name,
            "TemplateDescription": stack.description,
            "CreationTime": moment(stack.created),
            "LastUpdatedTime": stack.updated.map(moment),
            "DeletionTime": stack.deleted.map(moment),
            "StackStatus": stack.status.as_str(),
            "StackStatusReason": stack.reason,
            "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
        })
    })
}

fn describe_stack_events(account: &Account, form: &Form) -> Result<Value, Fault> {
    let name = stack_name(form)?;
    let stack = account.cloudformation.find(name).ok_or_else(|| unknown_stack(name))?;
    let events: Vec<&Event> = stack.events.iter().rev().collect();
    page(form, "StackEvents", events, |event| {
        json!({
            "StackId": stack.id,
            "StackName": stack.name,
            "EventId": event.id,
            "LogicalResourceId": event.logical_id,
            "PhysicalResourceId": event.physical_id,
            "ResourceType": event.resource_type,
            "Timestamp": moment(event.timestamp),
            "ResourceStatus": event.status.as_str(),
            "ResourceStatusReason": event.reason,
            "ResourceProperties": event.properties,
            "ClientRequestToken": event.token,
        })
    })
}

/// The resources that a stack has, without those that are gone.
fn present(stack: &Stack) -> Vec<&Resource> {
    let deleted = stack.status == Status::DeleteComplete;
    stack.resources.values().filter(|one| deleted || one.status != Status::DeleteComplete).collect()
}

fn resource_of(stack: &Stack, one: &Resource, time: &str) -> Value {
    let mut shown = json!({
        "LogicalResourceId": one.logical_id,
        "ResourceType": one.resource_type,
        "ResourceStatus": one.status.as_str(),
        "ResourceStatusReason": one.reason,
        "DriftInformation": { "StackResourceDriftStatus": "NOT_CHECKED" },
    });
    shown[time] = moment(one.updated).into();
    if !one.physical_id.is_empty() {
        shown["PhysicalResourceId"] = one.physical_id.as_str().into();
    }
    if time == "Timestamp" {
        shown["StackId"] = stack.id.as_str().into();
        shown["StackName"] = stack.name.as_str().into();
    }
    shown
}

fn describe_stack_resource(account: &Account, form: &Form) -> Result<Value, Fault> {
    let name = stack_name(form)?;
    let missing = || invalid(format!("Stack '{name}' does not exist"));
    let stack = account.cloudformation.find(name).ok_or_else(missing)?;
    let logical_id = form.required("LogicalResourceId")?;
    let Some(one) = stack.resources.get(logical_id) else {
        return Err(invalid(format!("Resource {logical_id} does not exist for stack {name}")));
    };
    let mut detail = resource_of(stack, one, "LastUpdatedTimestamp");
    detail["StackId"] = stack.id.as_str().into();
    detail["StackName"] = stack.name.as_str().into();
    detail["Metadata"] = one.metadata.as_ref().map(ToString::to_string).into();
    Ok(json!({ "StackResourceDetail": detail }))
}

fn describe_stack_resources(account: &Account, form: &Form) -> Result<Value, Fault> {
    let physical = form.get("PhysicalResourceId");
    let stack = match (form.get("StackName"), physical) {
        (Some(_), _) => stack(account, form)?,
        (None, Some(physical)) => owner(account, physical)?,
        (None, None) => return Err(invalid("Either StackName or PhysicalResourceId must be specified.")),
    };
    let wanted = form.get("LogicalResourceId");
    let resources: Vec<Value> = present(stack)
        .into_iter()
        .filter(|one| wanted.is_none_or(|wanted| wanted == one.logical_id))
        .take(PAGE)
        .map(|one| resource_of(stack, one, "Timestamp"))
        .collect();
    Ok(json!({ "StackResources": resources }))
}

fn owner<'a>(account: &'a Account, physical: &str) -> Result<&'a Stack, Fault> {
    let mut stacks = account.cloudformation.stacks.values();
    let found = stacks.find(|stack| stack.resources.values().any(|one| one.lives() && one.physical_id == physical));
    found.ok_or_else(|| invalid(format!("Stack for {physical} does not exist")))
}

fn list_stack_resources(account: &Account, form: &Form) -> Result<Value, Fault> {
    let stack = stack(account, form)?;
    page(form, "StackResourceSummaries", present(stack), |one| resource_of(stack, one, "LastUpdatedTimestamp"))
}

fn get_template(account: &Account, form: &Form) -> Result<Value, Fault> {
    let body = match form.get("ChangeSetName") {
        Some(_) => {
            let (set_id, _) = named_change_set(account, form)?;
            let set = account.cloudformation.change_sets.get(&set_id).ok_or_else(|| unknown_change_set(&set_id))?;
            &set.definition.template
        }
        None => &stack(account, form)?.definition.template,
    };
    Ok(json!({ "TemplateBody": body, "StagesAvailable": ["Original", "Processed"] }))
}

fn get_template_summary(account: &Account, form: &Form, cloud: &Cloud) -> Result<Value, Fault> {
    let text = match form.get("StackName") {
        Some(_) => {
            let stack = stack(account, form)?;
            if stack.status == Status::ReviewInProgress {
                return Err(invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks."));
            }
            stack.definition.template.clone()
        }
        None => given_template(cloud, form)?,
    };
    let template = template::read(&text)?;
    let types: BTreeSet<&str> = template.resources.values().map(|one| one.resource_type.as_str()).collect();
    let mut summary = requirements(&template);
    summary["ResourceTypes"] = types.into_iter().collect();
    summary["Version"] = "2010-09-09".into();
    summary["Metadata"] = template.metadata.as_ref().map(ToString::to_string).into();
    let parameters = template.parameters.iter().map(|(key, declared)| {
        let mut shown = shown_declaration(key, declared);
        shown["ParameterType"] = declared.get("Type").cloned().unwrap_or_default();
        let allowed = declared.get("AllowedValues").cloned();
        shown["ParameterConstraints"] = allowed.map_or_else(|| json!({}), |values| json!({ "AllowedValues": values }));
        shown
    });
    summary["Parameters"] = parameters.collect();
    Ok(summary)
}

fn given_template(cloud: &Cloud, form: &Form) -> Result<String, Fault> {
    source::template(cloud, form)?.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))
}

pub(super) fn validate_template(cloud: &Cloud, form: &Form) -> Result<Value, Fault> {
    let template = template::read(&given_template(cloud, form)?)?;
    validate::ordered(&template)
        .map_err(|names| invalid(format!("Circular dependency between resources: [{}]", names.join(", "))))?;
    validate::types(&template)?;
    let mut answer = requirements(&template);
    answer["Parameters"] = template.parameters.iter().map(|(key, one)| shown_declaration(key, one)).collect();
    Ok(answer)
}

fn shown_declaration(key: &str, declared: &Value) -> Value {
    json!({
        "ParameterKey": key,
        "DefaultValue": declared.get("Default").and_then(text),
        "NoEcho": declared.get("NoEcho").and_then(text).as_deref() == Some("true"),
        "Description": declared.get("Description"),
    })
}

/// What a template asks of whoever makes a stack from it.
fn requirements(template: &Template) -> Value {
    let types: BTreeSet<&str> = template
        .resources
        .values()
        .map(|one| one.resource_type.as_str())
        .filter(|name| validate::IDENTITIES.iter().any(|(identity, _)| identity == name))
        .collect();
    let named = validate::capabilities(template, &["CAPABILITY_IAM".to_owned(), "CAPABILITY_AUTO_EXPAND".to_owned()]);
    let capability = if named.is_err() { "CAPABILITY_NAMED_IAM" } else { "CAPABILITY_IAM" };
    let reason = || {
        let names: Vec<&str> = types.iter().copied().collect();
        format!("The following resource(s) require capabilities: [{}]", names.join(", "))
    };
    let transforms = template.transforms.iter().map(|name| name.as_str().into()).collect();
    json!({
        "Description": template.description,
        "Capabilities": (!types.is_empty()).then(|| json!([capability])),
        "CapabilitiesReason": (!types.is_empty()).then(reason),
        "DeclaredTransforms": unless_empty(transforms),
    })
}

fn describe_change_set(account: &Account, form: &Form) -> Result<Value, Fault> {
    let (set_id, _) = named_change_set(account, form)?;
    let set = account.cloudformation.change_sets.get(&set_id).ok_or_else(|| unknown_change_set(&set_id))?;
    let values = form.get("IncludePropertyValues") == Some("true");
    let changes: Vec<&Value> = set.changes.iter().collect();
    let mut answer =
        page(form, "Changes", changes, |change| if values { change.clone() } else { changes::without_values(change) })?;
    let reason = set.reason.clone().or_else(|| set.values_warning.clone().filter(|_| values));
    let capabilities = set.definition.capabilities.iter().map(|name| name.as_str().into()).collect();
    let details = json!({
        "ChangeSetName": set.name,
        "ChangeSetId": set.id,
        "StackId": set.stack_id,
        "StackName": set.stack_name,
        "Description": set.description,
        "Parameters": shown_parameters(&set.definition),
        "CreationTime": moment(set.created),
        "ExecutionStatus": set.execution,
        "Status": set.status,
        "StatusReason": reason,
        "NotificationARNs": set.definition.notification_arns,
        "RollbackConfiguration": {},
        "Capabilities": unless_empty(capabilities),
        "Tags": if set.definition.tags.is_empty() { Value::Null } else { shown_tags(&set.definition.tags).into() },
        "IncludeNestedStacks": false,
        "OnStackFailure": set.on_failure,
    });
    if let (Value::Object(answer), Value::Object(details)) = (&mut answer, details) {
        answer.extend(details);
    }
    Ok(answer)
}

/// What validation before the deployment has found about a change set. Of other operations nothing is told here.
///
/// See <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html>.
fn describe_events(account: &Account, form: &Form) -> Result<Value, Fault> {
    if form.get("ChangeSetName").is_none() {
        return Err(invalid(match form.get("StackName").or(form.get("OperationId")) {
            None => "One of ChangeSetName, OperationId or StackName must be specified".to_owned(),
            Some(_) => "the embedded cloud offers DescribeEvents of change sets only".to_owned(),
        }));
    }
    let (set_id, _) = named_change_set(account, form)?;
    let set = account.cloudformation.change_sets.get(&set_id).ok_or_else(|| unknown_change_set(&set_id))?;
    page(form, "OperationEvents", set.conflicts.iter().collect(), |conflict| {
        let Conflict { event_id, logical_id, resource_type, name } = conflict;
        json!({
            "EventId": event_id,
            "EventType": "VALIDATION_ERROR",
            "OperationType": "CREATE_CHANGESET",
            "StackId": set.stack_id,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": name,
            "ResourceType": resource_type,
            "Timestamp": moment(set.created),
            "ValidationFailureMode": "FAIL",
            "ValidationName": "NAME_CONFLICT_VALIDATION",
            "ValidationPath": format!("/Resources/{logical_id}"),
            "ValidationStatus": "FAILED",
            "ValidationStatusReason": format!("Resource of type '{resource_type}' with identifier '{name}' already exists."),
        })
    })
}

fn list_change_sets(account: &Account, form: &Form) -> Result<Value, Fault> {
    let name = stack_name(form)?;
    let stack = account.cloudformation.find(name).ok_or_else(|| unknown_stack(name))?;
    let mut sets: Vec<&ChangeSet> =
        account.cloudformation.change_sets.values().filter(|set| set.stack_id == stack.id).collect();
    sets.sort_by_key(|set| set.order);
    page(form, "Summaries", sets, |set| {
        json!({
            "StackId": set.stack_id,
            "StackName": set.stack_name,
            "ChangeSetId": set.id,
            "ChangeSetName": set.name,
            "ExecutionStatus": set.execution,
            "Status": set.status,
            "StatusReason": set.reason,
            "CreationTime": moment(set.created),
            "Description": set.description,
            "IncludeNestedStacks": false,
        })
    })
}

fn list_exports(account: &Account, form: &Form) -> Result<Value, Fault> {
    let mut exports: Vec<(&str, &str, &Stack)> = account.cloudformation.exports().collect();
    exports.sort_by_key(|(name, _, _)| *name);
    page(
        form,
        "Exports",
        exports,
        |(name, value, stack)| json!({ "ExportingStackId": stack.id, "Name": name, "Value": value }),
    )
}

fn list_imports(account: &Account, form: &Form) -> Result<Value, Fault> {
    let name = form.required("ExportName")?;
    let importers = account.cloudformation.importers(name);
    if importers.is_empty() {
        return Err(invalid(format!("Export '{name}' is not imported by any stack.")));
    }
    page(form, "Imports", importers, Value::from)
}
