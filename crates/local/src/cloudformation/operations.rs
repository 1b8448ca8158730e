//! Operations that change stacks and change sets.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use regex::Regex;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::cloud::{Account, Cloud};
use crate::cloudformation::changes::{self, Plan};
use crate::cloudformation::engine::{self, Kind, OnFailure, Operation, Previous, Target};
use crate::cloudformation::parameters::{self, Given};
use crate::cloudformation::template::{self, Template};
use crate::cloudformation::{ChangeSet, Definition, Stack, Status, dynamic, invalid, source, validate};
use crate::wire::{Caller, Fault, Form};

const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";
const NO_UPDATES: &str = "No updates are to be performed.";
const NO_TEMPLATE: &str = "Either Template URL or Template Body must be specified.";
const TAKEN: &str = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot \
                     Early Validation errors, use the DescribeEvents API for detailed failure information.";

/// Most change sets of one stack, failed ones included; AWS does not say how many it keeps.
const MOST_CHANGE_SETS: usize = 100;

/// What a request hands over to make a stack from.
struct Submission {
    template: Option<String>,
    previous_template: bool,
    given: BTreeMap<String, Given>,
    tags: Option<BTreeMap<String, String>>,
    capabilities: Vec<String>,
    notification_arns: Option<Vec<String>>,
    role_arn: Option<String>,
    resource_types: Vec<String>,
    token: Option<String>,
}

impl Submission {
    fn of(cloud: &Cloud, form: &Form) -> Result<Self, Fault> {
        let tags = form.structures("Tags");
        let notified = form.list("NotificationARNs");
        Ok(Self {
            template: source::template(cloud, form)?,
            previous_template: flag(form, "UsePreviousTemplate"),
            given: given(form)?,
            tags: (form.get("Tags").is_some() || !tags.is_empty()).then(|| tags.iter().map(tag).collect()),
            capabilities: form.list("Capabilities"),
            notification_arns: (!notified.is_empty()).then_some(notified),
            role_arn: form.get("RoleARN").map(str::to_owned),
            resource_types: form.list("ResourceTypes"),
            token: form.get("ClientRequestToken").map(str::to_owned),
        })
    }

    /// The target that the submission describes, coming from `previous`.
    fn target(&self, account: &Account, stack: &Stack, previous: Option<&Definition>) -> Result<Target, Fault> {
        let text = match (&self.template, previous) {
            (Some(text), _) => text.clone(),
            (None, Some(previous)) if self.previous_template => previous.template.clone(),
            _ => return Err(invalid(NO_TEMPLATE)),
        };
        let template = template::read(&text)?;
        self.allowed(account, &template)?;
        let before = previous.map(|previous| previous.parameters.clone()).unwrap_or_default();
        let definition = Definition {
            template: text,
            parameters: parameters::settle(account, &template, &self.given, &before)?,
            tags: self.tags.clone().or_else(|| Some(previous?.tags.clone())).unwrap_or_default(),
            capabilities: self.capabilities.clone(),
            notification_arns: self
                .notification_arns
                .clone()
                .or_else(|| Some(previous?.notification_arns.clone()))
                .unwrap_or_default(),
            role_arn: self.role_arn.clone().or_else(|| previous?.role_arn.clone()),
        };
        Target::of(template, account, stack, definition)
    }

    fn allowed(&self, account: &Account, template: &Template) -> Result<(), Fault> {
        // Not where they are asked for: the CDK asks for nested stacks with every change set.
        if template.resources.values().any(|one| one.resource_type == "AWS::CloudFormation::Stack") {
            return Err(invalid("the embedded cloud does not offer nested stacks"));
        }
        validate::capabilities(template, &self.capabilities)?;
        if let Some(role) = self.role_arn.as_deref().filter(|role| !role_exists(account, role)) {
            return Err(invalid(format!("Role {role} is invalid or cannot be assumed")));
        }
        if self.resource_types.is_empty() {
            return Ok(());
        }
        let strange = template.resources.values().find(|one| {
            !self.resource_types.iter().any(|allowed| {
                allowed == &one.resource_type
                    || allowed.strip_suffix('*').is_some_and(|prefix| one.resource_type.starts_with(prefix))
            })
        });
        let Some(strange) = strange else { return Ok(()) };
        Err(invalid(format!(
            "Resource type {} is not allowed by parameter ResourceTypes [{}]",
            strange.resource_type,
            self.resource_types.join(", "),
        )))
    }
}

/// Whether a role can be assumed on behalf of a stack.
fn role_exists(account: &Account, arn: &str) -> bool {
    account.iam.role_of(arn).is_some()
}

fn flag(form: &Form, name: &str) -> bool {
    form.get(name) == Some("true")
}

fn tag(form: &Form) -> (String, String) {
    let member = |name: &str| form.get(name).unwrap_or_default().to_owned();
    (member("Key"), member("Value"))
}

fn given(form: &Form) -> Result<BTreeMap<String, Given>, Fault> {
    let mut all = BTreeMap::new();
    for one in form.structures("Parameters") {
        let Some(key) = one.get("ParameterKey") else {
            return Err(invalid("Parameter key must be specified."));
        };
        let value = match (flag(&one, "UsePreviousValue"), one.get("ParameterValue")) {
            (true, _) => Given::Previous,
            (false, value) => Given::Value(value.unwrap_or_default().to_owned()),
        };
        if all.insert(key.to_owned(), value).is_some() {
            return Err(invalid(format!("Duplicate parameter key {key}")));
        }
    }
    Ok(all)
}

/// A name that is the caller's to choose, or an ARN.
fn name<'a>(form: &'a Form, member: &str, pattern: &str) -> Result<&'a str, Fault> {
    let name = form.required(member)?;
    let mut at = member.to_owned();
    if let Some(first) = at.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let constraint = |rule: String| {
        invalid(format!("1 validation error detected: Value '{name}' at '{at}' failed to satisfy constraint: {rule}"))
    };
    let whole = Regex::new(&format!("^(?:{pattern})$")).map_err(|_| constraint("it cannot be read".to_owned()))?;
    if !whole.is_match(name) {
        return Err(constraint(format!("Member must satisfy regular expression pattern: {pattern}")));
    }
    if name.len() > 128 && !name.starts_with("arn:") {
        return Err(constraint("Member must have length less than or equal to 128".to_owned()));
    }
    Ok(name)
}

pub(super) fn stack_name(form: &Form) -> Result<&str, Fault> {
    name(form, "StackName", "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*")
}

fn change_set_name(form: &Form) -> Result<&str, Fault> {
    name(form, "ChangeSetName", "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/]*")
}

/// The wording for a missing stack of most operations that change it; describing has another one.
pub(super) fn unknown_stack(name: &str) -> Fault {
    invalid(format!("Stack [{name}] does not exist"))
}

pub(super) fn unknown_change_set(name: &str) -> Fault {
    Fault::new("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")).with_status(StatusCode::NOT_FOUND)
}

fn arn(account: &Account, kind: &str, name: &str) -> String {
    format!("arn:aws:cloudformation:{}:{}:{kind}/{name}/{}", account.region, account.id, Uuid::new_v4())
}

fn new_stack(account: &mut Account, name: &str, now: OffsetDateTime) -> Stack {
    let order = account.cloudformation.next();
    Stack::new(arn(account, "stack", name), name.to_owned(), order, now)
}

fn updatable(stack: &Stack) -> Result<(), Fault> {
    let ready = [
        Status::CreateComplete,
        Status::CreateFailed,
        Status::UpdateComplete,
        Status::UpdateFailed,
        Status::UpdateRollbackComplete,
    ];
    if ready.contains(&stack.status) {
        return Ok(());
    }
    Err(invalid(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status.as_str())))
}

/// Change sets that were made from what a stack was before.
fn outdate(account: &mut Account, stack_id: &str) {
    for set in account.cloudformation.change_sets.values_mut() {
        if set.stack_id == stack_id && set.execution == "AVAILABLE" {
            "OBSOLETE".clone_into(&mut set.execution);
        }
    }
}

pub(super) fn create_stack(cloud: &Cloud, form: &Form, caller: &Caller) -> Result<Value, Fault> {
    let name = stack_name(form)?;
    let submission = Submission::of(cloud, form)?;
    let on_failure = on_failure(form.get("OnFailure"), flag(form, "DisableRollback"))?;
    let now = cloud.now();
    let stack_id = cloud.write(|account| {
        let mut stack = match account.cloudformation.find(name) {
            Some(stack) if stack.status == Status::ReviewInProgress => stack.clone(),
            Some(_) => return Err(Fault::new("AlreadyExistsException", format!("Stack [{name}] already exists"))),
            None => new_stack(account, name, now),
        };
        let target = submission.target(account, &stack, None)?;
        supported(&target)?;
        changes::plan(account, &stack, None, &target)?;
        validate::types(&target.template)?;
        stack.termination_protection = flag(form, "EnableTerminationProtection");
        stack.timeout_in_minutes = form.get("TimeoutInMinutes").and_then(|minutes| minutes.parse().ok());
        outdate(account, &stack.id);
        begin_creation(&mut stack, target, on_failure, Start { token: submission.token.clone(), caller, now });
        let stack_id = stack.id.clone();
        account.cloudformation.insert(stack);
        Ok(stack_id)
    })?;
    engine::spawn(cloud, stack_id.clone());
    Ok(json!({ "StackId": stack_id }))
}

fn supported(target: &Target) -> Result<(), Fault> {
    match unsupported(target) {
        Some(reason) => Err(invalid(reason)),
        None => Ok(()),
    }
}

/// What a template asks for that cannot be had.
fn unsupported(target: &Target) -> Option<String> {
    unknown_macro(target).or_else(|| dynamic::misplaced(&target.template))
}

/// The embedded cloud expands no macros but AWS's language extensions.
fn unknown_macro(target: &Target) -> Option<String> {
    let name = target.template.transforms.iter().find(|name| *name != validate::LANGUAGE_EXTENSIONS)?;
    let owner = if name.contains("::") { String::new() } else { format!("{}::", target.pseudo.account) };
    Some(format!("No transform named {owner}{name} found."))
}

fn on_failure(text: Option<&str>, disable_rollback: bool) -> Result<OnFailure, Fault> {
    match (text, disable_rollback) {
        (Some(_), true) => Err(invalid("Only one of OnFailure or DisableRollback can be specified.")),
        (Some("DO_NOTHING"), _) | (None, true) => Ok(OnFailure::DoNothing),
        (Some("DELETE"), _) => Ok(OnFailure::Delete),
        (Some("ROLLBACK") | None, _) => Ok(OnFailure::Rollback),
        (Some(other), _) => Err(invalid(format!(
            "1 validation error detected: Value '{other}' at 'onFailure' failed to satisfy constraint: Member must satisfy \
             enum value set: [DELETE, DO_NOTHING, ROLLBACK]"
        ))),
    }
}

/// When and by whom an operation is begun.
struct Start<'a> {
    token: Option<String>,
    caller: &'a Caller,
    now: OffsetDateTime,
}

fn begin_creation(stack: &mut Stack, target: Target, on_failure: OnFailure, start: Start<'_>) {
    stack.disable_rollback = on_failure == OnFailure::DoNothing;
    stack.description = target.template.description;
    stack.definition = target.definition;
    let creation = Operation::creation(on_failure, start.token).on_behalf_of(start.caller);
    stack.begin(start.now, creation, Status::CreateInProgress);
}

fn begin_update(stack: &mut Stack, target: Target, disable_rollback: bool, start: Start<'_>) {
    let previous = Previous {
        definition: std::mem::replace(&mut stack.definition, target.definition),
        description: stack.description.clone(),
        imports: stack.imports.clone(),
    };
    let on_failure = if disable_rollback { OnFailure::DoNothing } else { OnFailure::Rollback };
    let before = stack.operation.take().unwrap_or_default();
    stack.disable_rollback = disable_rollback;
    stack.updated = Some(start.now);
    let update = before.followed_by(previous, on_failure, start.token).on_behalf_of(start.caller);
    stack.begin(start.now, update, Status::UpdateInProgress);
}

pub(super) fn update_stack(cloud: &Cloud, form: &Form, caller: &Caller) -> Result<Value, Fault> {
    let name = stack_name(form)?;
    let submission = Submission::of(cloud, form)?;
    let now = cloud.now();
    let stack_id = cloud.write(|account| {
        let Some(stack) = account.cloudformation.find(name) else { return Err(unknown_stack(name)) };
        updatable(stack)?;
        let (target, plan) = planned(account, stack, &submission)?;
        supported(&target)?;
        if !plan.anything && stack.status != Status::UpdateFailed {
            return Err(invalid(NO_UPDATES));
        }
        let stack_id = stack.id.clone();
        outdate(account, &stack_id);
        if let Some(stack) = account.cloudformation.find_mut(name) {
            let start = Start { token: submission.token.clone(), caller, now };
            begin_update(stack, target, flag(form, "DisableRollback"), start);
        }
        Ok(stack_id)
    })?;
    engine::spawn(cloud, stack_id.clone());
    Ok(json!({ "StackId": stack_id }))
}

fn planned(account: &Account, stack: &Stack, submission: &Submission) -> Result<(Target, Plan), Fault> {
    let target = submission.target(account, stack, Some(&stack.definition))?;
    let before = Target::new(account, stack, stack.definition.clone()).ok();
    let plan = changes::plan(account, stack, before.as_ref(), &target)?;
    validate::types(&target.template)?;
    Ok((target, plan))
}

pub(super) fn delete_stack(cloud: &Cloud, form: &Form, caller: &Caller) -> Result<Value, Fault> {
    let name = stack_name(form)?;
    let retained: BTreeSet<String> = form.list("RetainResources").into_iter().collect();
    let token = form.get("ClientRequestToken").map(str::to_owned);
    let now = cloud.now();
    let begun = cloud.write(|account| {
        let Some(stack) = account.cloudformation.find(name) else { return Ok(None) };
        if !deletable(account, stack, !retained.is_empty())? {
            return Ok(None);
        }
        let stack_id = stack.id.clone();
        if let Some(stack) = account.cloudformation.find_mut(name) {
            let removal = Operation::removal(Kind::Delete, token, retained).on_behalf_of(caller);
            stack.begin(now, removal, Status::DeleteInProgress);
        }
        Ok::<_, Fault>(Some(stack_id))
    })?;
    if let Some(stack_id) = begun {
        engine::spawn(cloud, stack_id);
    }
    Ok(json!({}))
}

/// Whether there is anything to delete.
fn deletable(account: &Account, stack: &Stack, retaining: bool) -> Result<bool, Fault> {
    if matches!(stack.status, Status::DeleteComplete | Status::DeleteInProgress) {
        return Ok(false);
    }
    if stack.termination_protection {
        return Err(invalid(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    let status = stack.status;
    if status.in_progress() && status != Status::CreateInProgress {
        return Err(invalid(format!("Stack [{}] cannot be deleted while in status {}", stack.id, status.as_str())));
    }
    if retaining && status != Status::DeleteFailed {
        return Err(invalid(format!(
            "Invalid operation on stack [{}]. Specify which resources to retain only when the stack is in the DELETE_FAILED \
             state",
            stack.id,
        )));
    }
    for export in stack.outputs.iter().filter_map(|output| output.export.as_deref()) {
        let importers = account.cloudformation.importers(export);
        if !importers.is_empty() {
            return Err(invalid(format!(
                "Export {export} cannot be deleted as it is in use by {}",
                importers.join(", ")
            )));
        }
    }
    Ok(true)
}

pub(super) fn create_change_set(cloud: &Cloud, form: &Form) -> Result<Value, Fault> {
    let name = stack_name(form)?;
    let set_name = change_set_name(form)?;
    let create = match form.get("ChangeSetType").unwrap_or("UPDATE") {
        "CREATE" => true,
        "UPDATE" => false,
        "IMPORT" => return Err(invalid("the embedded cloud does not offer ChangeSetType IMPORT")),
        other => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'changeSetType' failed to satisfy constraint: Member must \
                 satisfy enum value set: [CREATE, UPDATE, IMPORT]"
            )));
        }
    };
    on_failure(form.get("OnStackFailure"), false)?;
    let submission = Submission::of(cloud, form)?;
    let now = cloud.now();
    cloud.write(|account| {
        let stack = subject(account, name, set_name, create, now)?;
        let sets = account.cloudformation.change_sets.values().filter(|set| set.stack_id == stack.id);
        let names: Vec<&str> = sets.map(|set| set.name.as_str()).collect();
        if names.contains(&set_name) {
            return Err(Fault::new("AlreadyExistsException", format!("ChangeSet {set_name} already exists")));
        }
        if names.len() >= MOST_CHANGE_SETS {
            let message = format!("ChangeSet limit exceeded for stack {}", stack.name);
            return Err(Fault::new("LimitExceededException", message));
        }
        let (target, plan) = planned(account, &stack, &submission)?;
        let failure = failure(&stack, create, &target, &plan);
        let set = ChangeSet {
            id: arn(account, "changeSet", set_name),
            name: set_name.to_owned(),
            stack_id: stack.id.clone(),
            stack_name: stack.name.clone(),
            order: account.cloudformation.next(),
            created: now,
            description: form.get("Description").map(str::to_owned),
            status: if failure.is_some() { "FAILED" } else { "CREATE_COMPLETE" }.to_owned(),
            execution: if failure.is_some() { "UNAVAILABLE" } else { "AVAILABLE" }.to_owned(),
            changes: if failure.is_some() { Vec::new() } else { plan.changes },
            reason: failure,
            create,
            definition: target.definition,
            on_failure: form.get("OnStackFailure").map(str::to_owned),
            values_warning: plan.warning,
            conflicts: plan.conflicts,
        };
        let answer = json!({ "Id": set.id, "StackId": stack.id });
        account.cloudformation.change_sets.insert(set.id.clone(), set);
        if account.cloudformation.find(&stack.id).is_none() {
            account.cloudformation.insert(stack);
        }
        Ok(answer)
    })
}

/// The stack that a change set is for; a new one in review where there is none to create.
fn subject(
    account: &mut Account,
    name: &str,
    set_name: &str,
    create: bool,
    now: OffsetDateTime,
) -> Result<Stack, Fault> {
    match account.cloudformation.find(name) {
        Some(stack) if create && stack.status == Status::ReviewInProgress => Ok(stack.clone()),
        Some(_) if create => Err(invalid(format!(
            "Stack [{name}] already exists and cannot be created again with the changeSet [{set_name}]."
        ))),
        Some(stack) => updatable(stack).map(|()| stack.clone()),
        None if create && !name.starts_with("arn:") => {
            let mut stack = new_stack(account, name, now);
            stack.set_status(now, Status::ReviewInProgress, Some("User Initiated".to_owned()));
            Ok(stack)
        }
        None => Err(unknown_stack(name)),
    }
}

/// Why a change set is of no use.
fn failure(stack: &Stack, create: bool, target: &Target, plan: &Plan) -> Option<String> {
    if let Some(reason) = unsupported(target) {
        return Some(reason);
    }
    if !plan.conflicts.is_empty() {
        return Some(TAKEN.to_owned());
    }
    if create || plan.anything || stack.status == Status::UpdateFailed {
        return None;
    }
    Some(if target.template.transforms.is_empty() { NO_CHANGES } else { NO_UPDATES }.to_owned())
}

/// ARNs of the change set that a request names and of its stack.
pub(super) fn named_change_set(account: &Account, form: &Form) -> Result<(String, String), Fault> {
    let set_name = change_set_name(form)?;
    let stacks = &account.cloudformation;
    let stack_id = match form.get("StackName") {
        _ if set_name.starts_with("arn:") => None,
        None => return Err(invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")),
        Some(name) => Some(stacks.find(name).ok_or_else(|| unknown_stack(name))?.id.as_str()),
    };
    let set = stacks.change_set(stack_id, set_name).ok_or_else(|| unknown_change_set(set_name))?;
    Ok((set.id.clone(), set.stack_id.clone()))
}

pub(super) fn execute_change_set(cloud: &Cloud, form: &Form, caller: &Caller) -> Result<Value, Fault> {
    let now = cloud.now();
    let token = form.get("ClientRequestToken").map(str::to_owned);
    let stack_id = cloud.write(|account| {
        let (set_id, stack_id) = named_change_set(account, form)?;
        let Some(set) = account.cloudformation.change_sets.get(&set_id).cloned() else {
            return Err(unknown_change_set(&set_id));
        };
        if set.execution != "AVAILABLE" {
            let status = if set.status == "FAILED" { &set.status } else { &set.execution };
            return Err(Fault::new(
                "InvalidChangeSetStatus",
                format!("ChangeSet [{set_id}] cannot be executed in its current status of [{status}]"),
            ));
        }
        let Some(stack) = account.cloudformation.find(&stack_id) else { return Err(unknown_stack(&stack_id)) };
        if !set.create {
            updatable(stack)?;
        }
        let target = Target::new(account, stack, set.definition.clone())?;
        account.cloudformation.change_sets.retain(|id, other| *id == set_id || other.stack_id != stack_id);
        if let Some(set) = account.cloudformation.change_sets.get_mut(&set_id) {
            "EXECUTE_IN_PROGRESS".clone_into(&mut set.execution);
        }
        let Some(stack) = account.cloudformation.find_mut(&stack_id) else { return Err(unknown_stack(&stack_id)) };
        stack.change_set = Some(set_id);
        stack.updated = Some(now);
        let disable_rollback = flag(form, "DisableRollback");
        if set.create {
            let wanted = set.on_failure.as_deref().filter(|_| !disable_rollback);
            begin_creation(stack, target, on_failure(wanted, disable_rollback)?, Start { token, caller, now });
        } else {
            let disable_rollback = disable_rollback || set.on_failure.as_deref() == Some("DO_NOTHING");
            begin_update(stack, target, disable_rollback, Start { token, caller, now });
        }
        Ok(stack_id)
    })?;
    engine::spawn(cloud, stack_id);
    Ok(json!({}))
}

pub(super) fn delete_change_set(cloud: &Cloud, form: &Form) -> Result<Value, Fault> {
    cloud.write(|account| {
        let set_id = match named_change_set(account, form) {
            Ok((set_id, _)) => set_id,
            // Deleting what is not there is no error.
            Err(fault) if fault.code == "ChangeSetNotFound" => return Ok(json!({})),
            Err(fault) => return Err(fault),
        };
        let running = |set: &ChangeSet| set.execution == "EXECUTE_IN_PROGRESS";
        if account.cloudformation.change_sets.get(&set_id).is_some_and(running) {
            return Err(Fault::new(
                "InvalidChangeSetStatus",
                format!("ChangeSet [{set_id}] cannot be deleted in its current status of [EXECUTE_IN_PROGRESS]"),
            ));
        }
        account.cloudformation.change_sets.remove(&set_id);
        Ok(json!({}))
    })
}

/// Changes a stack that is there.
fn with_stack(
    cloud: &Cloud,
    form: &Form,
    change: impl FnOnce(&mut Stack, OffsetDateTime) -> Result<(), Fault>,
) -> Result<String, Fault> {
    let name = stack_name(form)?;
    let now = cloud.now();
    cloud.write(|account| {
        let Some(stack) = account.cloudformation.find_mut(name) else { return Err(unknown_stack(name)) };
        change(stack, now)?;
        Ok(stack.id.clone())
    })
}

pub(super) fn cancel_update_stack(cloud: &Cloud, form: &Form) -> Result<Value, Fault> {
    with_stack(cloud, form, |stack, _| {
        let running = stack.status == Status::UpdateInProgress;
        let Some(operation) = stack.operation.as_mut().filter(|_| running) else {
            return Err(invalid("CancelUpdateStack cannot be called from current stack status"));
        };
        operation.cancelled = true;
        Ok(())
    })?;
    Ok(json!({}))
}

pub(super) fn continue_update_rollback(cloud: &Cloud, form: &Form, caller: &Caller) -> Result<Value, Fault> {
    let skip: BTreeSet<String> = form.list("ResourcesToSkip").into_iter().collect();
    let token = form.get("ClientRequestToken").map(str::to_owned);
    let stack_id = with_stack(cloud, form, |stack, now| {
        let failed = stack.status == Status::UpdateRollbackFailed;
        let Some(operation) = stack.operation.as_mut().filter(|_| failed) else {
            return Err(invalid(format!(
                "Stack:{} is in {} state and can not continue update rollback.",
                stack.id,
                stack.status.as_str(),
            )));
        };
        let stuck = operation.stuck();
        if let Some(other) = skip.iter().find(|name| !stuck.contains(&name.as_str())) {
            return Err(invalid(format!("Resource {other} cannot be skipped: it is not in UPDATE_FAILED state.")));
        }
        operation.retry_undo(token, skip);
        operation.set_caller(caller);
        stack.set_status(now, Status::UpdateRollbackInProgress, Some("User Initiated".to_owned()));
        Ok(())
    })?;
    engine::spawn(cloud, stack_id);
    Ok(json!({}))
}

pub(super) fn rollback_stack(cloud: &Cloud, form: &Form, caller: &Caller) -> Result<Value, Fault> {
    let token = form.get("ClientRequestToken").map(str::to_owned);
    let stack_id = with_stack(cloud, form, |stack, now| match (stack.status, stack.operation.take()) {
        (Status::CreateFailed, _) => {
            let removal = Operation::removal(Kind::Delete, token, BTreeSet::new()).on_behalf_of(caller);
            stack.begin(now, removal, Status::DeleteInProgress);
            Ok(())
        }
        (Status::UpdateFailed, Some(mut operation)) => {
            operation.retry_undo(token, BTreeSet::new());
            stack.begin(now, operation.on_behalf_of(caller), Status::UpdateRollbackInProgress);
            Ok(())
        }
        (status, _) => {
            Err(invalid(format!("Stack:{} is in {} state and can not be rolled back.", stack.id, status.as_str())))
        }
    })?;
    engine::spawn(cloud, stack_id.clone());
    Ok(json!({ "StackId": stack_id }))
}

pub(super) fn update_termination_protection(cloud: &Cloud, form: &Form) -> Result<Value, Fault> {
    let protection = flag(form, "EnableTerminationProtection");
    let stack_id = with_stack(cloud, form, |stack, _| {
        if stack.status == Status::DeleteComplete || stack.status == Status::DeleteInProgress {
            return Err(invalid(format!(
                "Stack [{}] is in {} state and can not be updated.",
                stack.id,
                stack.status.as_str(),
            )));
        }
        stack.termination_protection = protection;
        Ok(())
    })?;
    Ok(json!({ "StackId": stack_id }))
}

/// Stack policies are not kept; a malformed one is told from a well-formed one all the same.
pub(super) fn set_stack_policy(cloud: &Cloud, form: &Form) -> Result<Value, Fault> {
    let name = stack_name(form)?;
    cloud.read(|account| account.cloudformation.find(name).map(drop).ok_or_else(|| unknown_stack(name)))?;
    let policy = form.get("StackPolicyBody").and_then(|body| serde_json::from_str::<Value>(body).ok());
    if policy.is_none_or(|policy| policy.get("Statement").is_none()) {
        return Err(invalid("Error validating stack policy: Invalid stack policy"));
    }
    Err(invalid("the embedded cloud does not offer stack policies"))
}
