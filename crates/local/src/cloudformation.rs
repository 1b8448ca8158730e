//! CloudFormation: stacks, change sets and the engine that executes them.

mod address;
pub(crate) mod api;
mod changes;
mod cidr;
pub(crate) mod deeds;
mod describe;
mod dynamic;
mod engine;
mod handlers;
mod intrinsics;
mod operations;
mod parameters;
pub mod resource;
mod rules;
mod schema;
mod source;
mod template;
mod validate;
pub(super) mod wait;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub use engine::resume;

use crate::cloudformation::parameters::Parameter;
use crate::cloudformation::resource::{Properties, ResourceType};
use crate::hidden::Hidden;
use crate::wire::Fault;
use crate::{apigateway, apigatewayv2, cognito, dynamodb, ecr, iam, lambda, logs, s3, secretsmanager, ses, ssm};

/// How many deleted stacks are kept to be read by their ARN. AWS keeps them for 90 days, but here they are saved with
/// every change of anything.
const DELETED_STACKS: usize = 20;

/// How many events a stack takes along into its next operation.
const OLD_EVENTS: usize = 1000;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&wait::WaitConditionHandle, &wait::WaitCondition];

/// Every resource type that the embedded cloud can provision.
fn resource_types() -> impl Iterator<Item = &'static dyn ResourceType> {
    let services = [
        RESOURCE_TYPES,
        apigateway::RESOURCE_TYPES,
        apigatewayv2::RESOURCE_TYPES,
        cognito::RESOURCE_TYPES,
        dynamodb::RESOURCE_TYPES,
        ecr::RESOURCE_TYPES,
        iam::RESOURCE_TYPES,
        lambda::RESOURCE_TYPES,
        logs::RESOURCE_TYPES,
        s3::RESOURCE_TYPES,
        secretsmanager::RESOURCE_TYPES,
        ses::RESOURCE_TYPES,
        ssm::RESOURCE_TYPES,
        #[cfg(test)]
        resource::things::RESOURCE_TYPES,
    ];
    services.into_iter().flatten().copied()
}

/// The resource type of that name.
fn resource_type(name: &str) -> Option<&'static dyn ResourceType> {
    resource_types().find(|one| one.name() == name)
}

/// The error that AWS gives for nearly everything that is wrong with a request.
fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", message)
}

macro_rules! statuses {
    ($($variant:ident = $text:literal,)*) => {
        /// Where a stack, or a resource of a stack, stands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Status {
            $(#[doc = $text] #[serde(rename = $text)] $variant,)*
        }

        impl Status {
            /// As AWS writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

statuses! {
    CreateComplete = "CREATE_COMPLETE",
    CreateFailed = "CREATE_FAILED",
    CreateInProgress = "CREATE_IN_PROGRESS",
    DeleteComplete = "DELETE_COMPLETE",
    DeleteFailed = "DELETE_FAILED",
    DeleteInProgress = "DELETE_IN_PROGRESS",
    DeleteSkipped = "DELETE_SKIPPED",
    ReviewInProgress = "REVIEW_IN_PROGRESS",
    RollbackComplete = "ROLLBACK_COMPLETE",
    RollbackFailed = "ROLLBACK_FAILED",
    RollbackInProgress = "ROLLBACK_IN_PROGRESS",
    UpdateComplete = "UPDATE_COMPLETE",
    UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateFailed = "UPDATE_FAILED",
    UpdateInProgress = "UPDATE_IN_PROGRESS",
    UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
    UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
}

impl Status {
    /// Whether an operation is under way. A stack in review waits for its user, not for the engine.
    #[must_use]
    pub fn in_progress(self) -> bool {
        self != Self::ReviewInProgress && self.as_str().ends_with("_IN_PROGRESS")
    }
}

/// The stacks and change sets of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stacks {
    /// Stacks by ARN, deleted ones among them.
    stacks: BTreeMap<String, Stack>,
    /// ARNs of the stacks that are not deleted, by name.
    names: BTreeMap<String, String>,
    /// Change sets by ARN, those of deleted stacks among them.
    change_sets: BTreeMap<String, ChangeSet>,
    /// What was told to those who wait.
    signals: wait::Signals,
    /// How many stacks and change sets there ever were: their order.
    made: u64,
}

impl Stacks {
    /// The stack of that name, or of that ARN even when it is deleted.
    fn find(&self, name: &str) -> Option<&Stack> {
        self.stacks.get(self.names.get(name).map_or(name, String::as_str))
    }

    fn find_mut(&mut self, name: &str) -> Option<&mut Stack> {
        self.stacks.get_mut(self.names.get(name).map_or(name, String::as_str))
    }

    /// A change set by its ARN, or by its name within a stack.
    fn change_set(&self, stack: Option<&str>, name: &str) -> Option<&ChangeSet> {
        match stack {
            Some(stack) if !name.starts_with("arn:") => {
                self.change_sets.values().find(|one| one.stack_id == stack && one.name == name)
            }
            _ => self.change_sets.get(name),
        }
    }

    fn next(&mut self) -> u64 {
        self.made = self.made.saturating_add(1);
        self.made
    }

    fn insert(&mut self, stack: Stack) {
        self.names.insert(stack.name.clone(), stack.id.clone());
        self.stacks.insert(stack.id.clone(), stack);
    }

    /// Every export: name, value and the stack that exports it.
    fn exports(&self) -> impl Iterator<Item = (&str, &str, &Stack)> {
        self.stacks.values().filter(|stack| stack.status != Status::DeleteComplete).flat_map(|stack| {
            stack
                .outputs
                .iter()
                .filter_map(move |output| Some((output.export.as_deref()?, output.value.as_str(), stack)))
        })
    }

    /// Names of the stacks that import an export.
    fn importers(&self, export: &str) -> Vec<&str> {
        self.stacks
            .values()
            .filter(|stack| stack.status != Status::DeleteComplete && stack.imports.contains(export))
            .map(|stack| stack.name.as_str())
            .collect()
    }

    /// Takes a deleted stack off its name, and forgets the oldest deleted ones.
    fn retire(&mut self, id: &str) {
        self.names.retain(|_, held| held != id);
        if let Some(stack) = self.stacks.get_mut(id) {
            stack.events.iter_mut().for_each(|event| event.properties = None);
        }
        for set in self.change_sets.values_mut().filter(|set| set.stack_id == id) {
            set.changes.clear();
        }
        let mut deleted: Vec<(u64, String)> = self
            .stacks
            .values()
            .filter(|stack| stack.status == Status::DeleteComplete)
            .map(|stack| (stack.order, stack.id.clone()))
            .collect();
        deleted.sort();
        let surplus = deleted.len().saturating_sub(DELETED_STACKS);
        for (_, old) in deleted.into_iter().take(surplus) {
            self.stacks.remove(&old);
            self.change_sets.retain(|_, set| set.stack_id != old);
        }
    }
}

/// What a stack is made from: what the user hands over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Definition {
    /// The template as it was submitted.
    template: String,
    parameters: BTreeMap<String, Parameter>,
    tags: BTreeMap<String, String>,
    capabilities: Vec<String>,
    notification_arns: Vec<String>,
    role_arn: Option<String>,
}

/// A stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stack {
    id: String,
    name: String,
    order: u64,
    status: Status,
    reason: Option<String>,
    created: OffsetDateTime,
    updated: Option<OffsetDateTime>,
    deleted: Option<OffsetDateTime>,
    definition: Definition,
    description: Option<String>,
    disable_rollback: bool,
    termination_protection: bool,
    timeout_in_minutes: Option<u64>,
    /// The change set that was executed last.
    change_set: Option<String>,
    resources: BTreeMap<String, Resource>,
    outputs: Vec<Output>,
    /// Names of the exports that its template imports.
    imports: BTreeSet<String>,
    events: Vec<Event>,
    /// The operation under way, or the one that failed and can be continued.
    operation: Option<engine::Operation>,
}

impl Stack {
    fn new(id: String, name: String, order: u64, now: OffsetDateTime) -> Self {
        Self {
            id,
            name,
            order,
            status: Status::ReviewInProgress,
            reason: None,
            created: now,
            updated: None,
            deleted: None,
            definition: Definition::default(),
            description: None,
            disable_rollback: false,
            termination_protection: false,
            timeout_in_minutes: None,
            change_set: None,
            resources: BTreeMap::new(),
            outputs: Vec::new(),
            imports: BTreeSet::new(),
            events: Vec::new(),
            operation: None,
        }
    }

    /// Begins an operation.
    fn begin(&mut self, now: OffsetDateTime, operation: engine::Operation, status: Status) {
        let surplus = self.events.len().saturating_sub(OLD_EVENTS);
        self.events.drain(..surplus);
        self.operation = Some(operation);
        self.set_status(now, status, Some("User Initiated".to_owned()));
    }

    fn token(&self) -> Option<String> {
        self.operation.as_ref().and_then(|operation| operation.token.clone())
    }

    /// A moment after every event that there is, so that events have an order and ids of their own.
    fn tick(&self, now: OffsetDateTime) -> OffsetDateTime {
        self.events.last().map_or(now, |last| now.max(last.timestamp.saturating_add(Duration::MICROSECOND)))
    }

    /// Moves the stack to a status, and says so in its events.
    fn set_status(&mut self, now: OffsetDateTime, status: Status, reason: Option<String>) {
        self.status = status;
        self.reason.clone_from(&reason);
        self.events.push(Event {
            id: Uuid::new_v4().to_string(),
            logical_id: self.name.clone(),
            physical_id: self.id.clone(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            timestamp: self.tick(now),
            status,
            reason,
            properties: None,
            token: self.token(),
        });
    }

    /// Records what happens to a physical resource.
    fn note(&mut self, now: OffsetDateTime, resource: &Resource, status: Status, reason: Option<&str>) {
        let timestamp = self.tick(now);
        self.events.push(Event {
            id: format!("{}-{}-{}", resource.logical_id, status.as_str(), api::precise(timestamp)),
            logical_id: resource.logical_id.clone(),
            physical_id: resource.physical_id.clone(),
            resource_type: resource.resource_type.clone(),
            timestamp,
            status,
            reason: reason.map(str::to_owned),
            properties: Some(serde_json::Value::Object(resource.shown().clone()).to_string()),
            token: self.token(),
        });
    }

    /// Records what happens to a resource of the stack, in its events and in the resource itself.
    fn record(&mut self, now: OffsetDateTime, logical_id: &str, status: Status, reason: Option<&str>) {
        let Some(resource) = self.resources.get_mut(logical_id) else { return };
        resource.status = status;
        resource.reason = reason.map(str::to_owned);
        resource.updated = now;
        let resource = resource.clone();
        self.note(now, &resource, status, reason);
    }
}

/// One resource of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Resource {
    logical_id: String,
    /// Empty until it is made.
    physical_id: String,
    resource_type: String,
    status: Status,
    reason: Option<String>,
    updated: OffsetDateTime,
    /// Properties as they were handed to the service.
    properties: Hidden<Properties>,
    /// Properties as they are shown, where a parameter with `NoEcho` went into them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<Properties>,
    attributes: BTreeMap<String, serde_json::Value>,
    /// The stack's tags when it was last provisioned.
    tags: BTreeMap<String, String>,
    deletion_policy: Option<String>,
    update_replace_policy: Option<String>,
    metadata: Option<serde_json::Value>,
    /// What it was made after, so what goes after it.
    depends_on: BTreeSet<String>,
}

impl Resource {
    /// Properties as events and change sets may tell them.
    fn shown(&self) -> &Properties {
        self.shown.as_ref().unwrap_or(&self.properties)
    }

    /// Whether there is something that answers to its physical id.
    fn lives(&self) -> bool {
        !self.physical_id.is_empty() && !matches!(self.status, Status::DeleteComplete | Status::DeleteSkipped)
    }
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Output {
    key: String,
    value: String,
    description: Option<String>,
    export: Option<String>,
}

/// Something that happened to a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Event {
    id: String,
    logical_id: String,
    physical_id: String,
    resource_type: String,
    timestamp: OffsetDateTime,
    status: Status,
    reason: Option<String>,
    /// JSON text.
    properties: Option<String>,
    token: Option<String>,
}

/// A change set.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ChangeSet {
    id: String,
    name: String,
    stack_id: String,
    stack_name: String,
    order: u64,
    created: OffsetDateTime,
    description: Option<String>,
    /// `CREATE_COMPLETE` or `FAILED`.
    status: String,
    reason: Option<String>,
    /// `AVAILABLE`, `UNAVAILABLE`, `OBSOLETE`, `EXECUTE_IN_PROGRESS`, `EXECUTE_COMPLETE` or `EXECUTE_FAILED`.
    execution: String,
    create: bool,
    definition: Definition,
    on_failure: Option<String>,
    changes: Vec<serde_json::Value>,
    /// Why property values cannot be shown in full, told to who asks for them.
    values_warning: Option<String>,
    /// What validation before the deployment has found.
    #[serde(default)]
    conflicts: Vec<Conflict>,
}

/// A resource whose explicit name is taken already.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Conflict {
    event_id: String,
    logical_id: String,
    resource_type: String,
    name: String,
}
