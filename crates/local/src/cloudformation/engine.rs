//! The engine: brings a stack from what it is to what its template says, one recorded step at a time.
//!
//! Everything that a step needs to know is in the stack, and each step is one transaction: an operation that was
//! killed goes on from its last step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::cloud::{Account, Cloud};
use crate::cloudformation::address;
use crate::cloudformation::dynamic::Holders;
use crate::cloudformation::handlers::{self, Subject, Verb as Act};
use crate::cloudformation::intrinsics::{Pseudo, Scope, World, call, text};
use crate::cloudformation::resource::{Context, Failure, Properties, Provisioned};
use crate::cloudformation::schema::Schema;
use crate::cloudformation::template::{Declared, Section, Template};
use crate::cloudformation::{
    Definition, Output, Resource, Stack, Status, invalid, parameters, resource_type, schema, template, validate, wait,
};
use crate::dynamodb;
use crate::iam::authorize::Session;
use crate::wire::{Caller, Fault};

/// What an operation is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    #[default]
    Create,
    Update,
    Delete,
}

/// What a failed creation leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OnFailure {
    #[default]
    Rollback,
    Delete,
    DoNothing,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Towards the template.
    #[default]
    Forward,
    /// Back to what an update came from.
    Undo,
    /// Removing what an update, or its undoing, has left over.
    Cleanup,
    /// Removing everything: deletion, and the rollback of a creation.
    Remove,
}

/// An operation on a stack. It lives in the stack, so that it survives the process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) token: Option<String>,
    /// Who began it, with whose rights it acts; none for the account itself.
    caller: Option<Caller>,
    pub(super) on_failure: OnFailure,
    /// What an update came from.
    pub(super) previous: Option<Box<Previous>>,
    /// Resources that a deletion leaves alone, or that the undoing of an update skips.
    pub(super) spared: BTreeSet<String>,
    /// Whether the user has asked for the update to be undone.
    pub(super) cancelled: bool,
    phase: Phase,
    begun: bool,
    started: Vec<String>,
    done: BTreeSet<String>,
    failed: Vec<(Verb, String)>,
    undo: Vec<Undo>,
    /// Entries whose undoing failed.
    stuck: Vec<Undo>,
    /// Physical resources that an update has replaced.
    replaced: Vec<Resource>,
    leftovers: Vec<Leftover>,
    /// Resources that could not be removed.
    undeletable: BTreeSet<String>,
}

impl Operation {
    /// The making of a stack.
    pub(super) fn creation(on_failure: OnFailure, token: Option<String>) -> Self {
        Self { kind: Kind::Create, token, on_failure, ..Self::default() }
    }

    /// Undoes an update, or what is left of it where that failed before.
    pub(super) fn retry_undo(&mut self, token: Option<String>, skip: BTreeSet<String>) {
        self.token = token;
        self.spared = skip;
        self.stuck.reverse();
        self.undo.append(&mut self.stuck);
        self.phase = Phase::Undo;
    }

    /// The update that comes next. One that failed and was left as it is can still be undone together with it.
    pub(super) fn followed_by(self, previous: Previous, on_failure: OnFailure, token: Option<String>) -> Self {
        Self {
            kind: Kind::Update,
            token,
            on_failure,
            previous: self.previous.or_else(|| Some(Box::new(previous))),
            undo: self.undo,
            replaced: self.replaced,
            ..Self::default()
        }
    }

    /// Removes everything that is not `spared`.
    pub(super) fn removal(kind: Kind, token: Option<String>, spared: BTreeSet<String>) -> Self {
        Self { kind, token, spared, phase: Phase::Remove, ..Self::default() }
    }

    /// The same, with the rights of whoever asks for it.
    pub(super) fn on_behalf_of(mut self, caller: &Caller) -> Self {
        self.set_caller(caller);
        self
    }

    pub(super) fn set_caller(&mut self, caller: &Caller) {
        self.caller = Some(caller.clone()).filter(|caller| *caller != Caller::Root);
    }

    /// The resources whose undoing failed.
    pub(super) fn stuck(&self) -> Vec<&str> {
        self.stuck.iter().map(Undo::logical_id).collect()
    }
}

/// What a stack was before an update.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Previous {
    pub(super) definition: Definition,
    pub(super) description: Option<String>,
    pub(super) imports: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Verb {
    Create,
    Update,
}

/// How to take back one step of an update.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Undo {
    Created(String),
    Updated(Box<Resource>),
    Replaced(Box<Resource>),
    /// The service refused, so that nothing changed.
    Refused(Box<Resource>),
}

impl Undo {
    fn logical_id(&self) -> &str {
        match self {
            Self::Created(logical_id) => logical_id,
            Self::Updated(old) | Self::Replaced(old) | Self::Refused(old) => &old.logical_id,
        }
    }
}

/// A physical resource that an update has no more use for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Leftover {
    resource: Resource,
    keep: bool,
    /// Whether the stack still lists it.
    listed: bool,
}

/// Where a stack is to be brought: its template with every parameter and condition settled.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    pub(super) definition: Definition,
    pub(super) template: Template,
    /// Logical ids, each after what it needs.
    pub(super) order: Vec<String>,
    /// What `Ref` returns for each parameter.
    pub(super) parameters: BTreeMap<String, Value>,
    pub(super) pseudo: Pseudo,
}

impl Target {
    /// The target that a definition describes.
    ///
    /// # Errors
    /// `ValidationError` when the template or its conditions do not hold together.
    pub(super) fn new(account: &Account, stack: &Stack, definition: Definition) -> Result<Self, Fault> {
        Self::of(template::read(&definition.template)?, account, stack, definition)
    }

    /// As [`Target::new`], with the template read already.
    pub(super) fn of(
        template: Template,
        account: &Account,
        stack: &Stack,
        definition: Definition,
    ) -> Result<Self, Fault> {
        let pseudo = Pseudo {
            account: account.id.clone(),
            region: account.region.clone(),
            stack_id: stack.id.clone(),
            stack_name: stack.name.clone(),
            notification_arns: definition.notification_arns.clone(),
        };
        let parameters = parameters::references(&definition.parameters);
        let template = validate::settled(&template, &parameters, &pseudo)?;
        let order = validate::ordered(&template)
            .map_err(|names| invalid(format!("Circular dependency between resources: [{}]", names.join(", "))))?;
        Ok(Self { definition, template, order, parameters, pseudo })
    }
}

/// Goes on with every operation that a stop of the process has interrupted.
pub fn resume(cloud: &Cloud) {
    let interrupted: Vec<String> = cloud.read(|account| {
        let stacks = account.cloudformation.stacks.values();
        stacks.filter(|stack| stack.status.in_progress()).map(|stack| stack.id.clone()).collect()
    });
    for stack_id in interrupted {
        spawn(cloud, stack_id);
    }
}

/// Runs a stack's operation to its end, beside the request that asked for it.
///
/// Saving takes longer the more the account holds. So that a deployment into a full account does not take longer than
/// one into an empty one, steps go into one transaction for as long as the last saving took.
pub(super) fn spawn(cloud: &Cloud, stack_id: String) {
    let task = cloud.clone();
    cloud.tasks().spawn(async move {
        let mut run = Run::default();
        let mut saving = Duration::ZERO;
        while !task.stopping().is_cancelled() {
            let (begun, mut stepping) = (Instant::now(), Duration::ZERO);
            let more = task.write(|account| {
                let begun = Instant::now();
                let mut more = step(account, &stack_id, &mut run, Moment::of(&task));
                while more == More::Now && begun.elapsed() < saving {
                    more = step(account, &stack_id, &mut run, Moment::of(&task));
                }
                stepping = begun.elapsed();
                Ok::<_, Fault>(more)
            });
            saving = worthwhile(begun.elapsed().saturating_sub(stepping));
            match more {
                // Whoever polls the stack sees it go on.
                Ok(More::Now) => tokio::task::yield_now().await,
                Ok(More::Later) => tokio::time::sleep(PATIENCE).await,
                Ok(More::Nothing) => break,
                // The disk may be full for a while. Nobody else would ever go on with the operation.
                Err(fault) => {
                    tracing::error!(stack = stack_id, %fault, "a step could not be saved; it is tried again");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    });
}

/// How long the next steps may share one saving, given what the last one took. A saving that is quick is not shared:
/// whoever polls the stack is to see each step.
fn worthwhile(saving: Duration) -> Duration {
    if saving < QUICK { Duration::ZERO } else { saving.min(LONGEST) }
}

/// A saving that nobody has to wait for: an account of some dozens of resources.
const QUICK: Duration = Duration::from_millis(25);

/// The longest that steps may keep others from the account.
const LONGEST: Duration = Duration::from_millis(100);

/// How long an operation rests whose last step could not be saved.
const REST: Duration = Duration::from_secs(1);

/// How long an operation rests that waits for a signal.
const PATIENCE: Duration = Duration::from_millis(50);

/// Whether an operation has more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Nothing,
    Now,
    /// All that is under way waits for a signal.
    Later,
}

/// What a run has worked out and can work out again.
#[derive(Debug, Default)]
pub(super) struct Run {
    target: Option<Target>,
}

/// When and where a step happens.
pub(super) struct Moment {
    pub(super) now: OffsetDateTime,
    pub(super) endpoint: String,
    pub(super) data: PathBuf,
    pub(super) store: dynamodb::Store,
}

impl Moment {
    fn of(cloud: &Cloud) -> Self {
        Self {
            now: cloud.now(),
            endpoint: cloud.endpoint().to_owned(),
            data: cloud.data().to_owned(),
            store: cloud.store().clone(),
        }
    }
}

/// Does one step. Returns whether there is more to do.
pub(super) fn step(account: &mut Account, stack_id: &str, run: &mut Run, moment: Moment) -> More {
    // The stack is taken out for the while, so that a service can be given the whole account.
    let Some(mut stack) = account.cloudformation.stacks.remove(stack_id) else { return More::Nothing };
    if stack.operation.is_none() || !stack.status.in_progress() {
        account.cloudformation.stacks.insert(stack_id.to_owned(), stack);
        return More::Nothing;
    }
    let target = run.target.take().or_else(|| target_of(account, &stack)).unwrap_or_default();
    let more = Step { account, stack: &mut stack, target: &target, moment, waits: false }.advance();
    run.target = Some(target);
    let deleted = stack.status == Status::DeleteComplete;
    account.cloudformation.stacks.insert(stack_id.to_owned(), stack);
    if deleted {
        account.cloudformation.retire(stack_id);
    }
    more
}

/// Deletions need no template; what else runs has a template that was checked when it was submitted.
fn target_of(account: &Account, stack: &Stack) -> Option<Target> {
    Target::new(account, stack, stack.definition.clone()).ok()
}

/// An attribute of a resource that exists.
pub(super) fn attribute(resource: &Resource, name: &str) -> Option<Value> {
    let written = || {
        let schema = schema::of(&resource.resource_type)?;
        schema.has_attribute(name).then(|| resource.properties.get(name)).flatten()
    };
    resource.attributes.get(name).or_else(written).cloned()
}

/// An output from its resolved declaration.
pub(super) fn output(key: &str, declared: &Value) -> Output {
    let member = |pointer: &str| declared.pointer(pointer).and_then(text);
    Output {
        key: key.to_owned(),
        value: member("/Value").unwrap_or_default(),
        description: member("/Description"),
        export: member("/Export/Name"),
    }
}

/// Who holds the explicit name that a new resource would take: the ARN of a stack, or nothing when it is no stack's.
pub(super) fn taken(
    account: &Account,
    stack_id: &str,
    type_name: &str,
    properties: &Properties,
) -> Option<Option<String>> {
    let name = schema::of(type_name)?.custom_name(properties)?;
    let holder = account.cloudformation.stacks.values().find(|stack| {
        stack.id != stack_id
            && stack.status != Status::DeleteComplete
            && stack
                .resources
                .values()
                .any(|one| one.resource_type == type_name && one.lives() && one.physical_id == name)
    });
    match holder {
        Some(stack) => Some(Some(stack.id.clone())),
        None => resource_type(type_name)?.exists(account, properties).then_some(None),
    }
}

/// What references come to while a stack is worked on.
struct Present<'a> {
    account: &'a Account,
    resources: &'a BTreeMap<String, Resource>,
}

impl World for Present<'_> {
    fn reference(&self, logical_id: &str) -> Option<Value> {
        self.resources.get(logical_id).filter(|one| one.lives()).map(|one| one.physical_id.as_str().into())
    }

    fn attribute(&self, logical_id: &str, name: &str) -> Option<Value> {
        self.resources.get(logical_id).filter(|one| one.lives()).and_then(|one| attribute(one, name))
    }

    fn import(&self, export: &str) -> Option<Value> {
        self.account.cloudformation.exports().find(|(name, _, _)| *name == export).map(|(_, value, _)| value.into())
    }

    fn local(&self, text: String) -> String {
        address::local(self.account, self.resources, text)
    }
}

/// What a service says, as the handler of a resource type passes it on.
fn handled(Failure(reason): Failure) -> String {
    let status = reason.rsplit_once("Status Code: ").and_then(|(_, rest)| rest.get(..3));
    let lower = reason.to_ascii_lowercase();
    let code = match status {
        _ if reason.starts_with("Resource handler returned message") => return reason,
        _ if lower.contains("already exists") => "AlreadyExists",
        Some("404") => "NotFound",
        Some("403") => "AccessDenied",
        Some("429") => "Throttling",
        Some(_) => "InvalidRequest",
        None => return reason,
    };
    let token = Uuid::new_v4();
    format!("Resource handler returned message: \"{reason}\" (RequestToken: {token}, HandlerErrorCode: {code})")
}

/// A resource that a handler is about to touch.
#[derive(Clone, Copy)]
struct Touched<'a> {
    logical_id: &'a str,
    resource_type: &'a str,
    properties: &'a Properties,
    /// What an update changes.
    former: Option<&'a Properties>,
    physical_id: Option<&'a str>,
}

impl<'a> Touched<'a> {
    fn of(resource: &'a Resource) -> Self {
        Self {
            logical_id: &resource.logical_id,
            resource_type: &resource.resource_type,
            properties: &resource.properties,
            former: None,
            physical_id: Some(&resource.physical_id),
        }
    }

    /// A resource that is about to have other properties.
    fn changed(resource: &'a Resource, properties: &'a Properties) -> Self {
        Self { properties, former: Some(&resource.properties), ..Self::of(resource) }
    }
}

struct Step<'a> {
    account: &'a mut Account,
    stack: &'a mut Stack,
    target: &'a Target,
    moment: Moment,
    waits: bool,
}

impl Step<'_> {
    fn advance(mut self) -> More {
        let more = match self.operation().phase {
            Phase::Forward => self.forward(),
            Phase::Undo => self.undo(),
            Phase::Cleanup => self.cleanup(),
            Phase::Remove => self.remove(),
        };
        match more {
            false => More::Nothing,
            true if self.waits => More::Later,
            true => More::Now,
        }
    }

    fn operation(&mut self) -> &mut Operation {
        self.stack.operation.get_or_insert_default()
    }

    fn status(&mut self, status: Status, reason: Option<String>) {
        self.stack.set_status(self.moment.now, status, reason);
    }

    fn record(&mut self, logical_id: &str, status: Status, reason: Option<&str>) {
        self.stack.record(self.moment.now, logical_id, status, reason);
    }

    fn context(&self, logical_id: &str) -> Context {
        Context {
            stack_id: self.stack.id.clone(),
            stack_name: self.stack.name.clone(),
            logical_id: logical_id.to_owned(),
            tags: self.stack.definition.tags.clone(),
            endpoint: self.moment.endpoint.clone(),
            data: self.moment.data.clone(),
            store: self.moment.store.clone(),
            now: self.moment.now,
        }
    }

    /// Whose rights count: those of the role that the stack was given, else those of whoever began the operation.
    fn actor(&self) -> Option<Caller> {
        let role = self.stack.definition.role_arn.as_deref().and_then(|arn| arn.rsplit_once('/'));
        let session = "AWSCloudFormation".to_owned();
        let role = role.map(|(_, name)| Caller::Role { name: name.to_owned(), session });
        role.or_else(|| self.stack.operation.as_ref()?.caller.clone())
    }

    /// Whether the actor may do what a handler does, as far as it is known already what that is done to.
    fn authorized(&self, act: Act, resource: &Touched<'_>) -> Result<(), String> {
        let Some(actor) = self.actor() else { return Ok(()) };
        let Some(session) = Session::of(self.account, &actor, self.moment.now) else {
            return Err("The security token included in the request is invalid.".to_owned());
        };
        let subject = Subject {
            account: self.account,
            context: &self.context(resource.logical_id),
            resource_type: resource.resource_type,
            properties: resource.properties,
            former: resource.former,
            physical_id: resource.physical_id,
        };
        let asked = handlers::deeds(act, &subject);
        let refused = asked.iter().try_for_each(|deed| session.ask(deed));
        refused
            .map_err(|reason| handled(Failure(format!("{reason} (Service: {}, Status Code: 403)", subject.service()))))
    }

    fn resolved(&self, members: &Section) -> Result<Section, String> {
        let world = Present { account: self.account, resources: &self.stack.resources };
        let Target { template, parameters, pseudo, .. } = self.target;
        Scope { template, parameters, pseudo, world: &world }.members(members)
    }

    /// The properties of a resource as they may be told, where a parameter hides its value.
    fn shown(&self, declared: &Declared) -> Option<Properties> {
        let Target { template, definition, pseudo, .. } = self.target;
        let parameters = &parameters::shown_references(&definition.parameters)?;
        let world = Present { account: self.account, resources: &self.stack.resources };
        Some(Scope { template, parameters, pseudo, world: &world }.shown_members(&declared.properties))
    }

    // Forward.

    fn forward(&mut self) -> bool {
        if self.operation().cancelled {
            self.cancel_started();
            return self.fall_back(None);
        }
        if !self.operation().begun {
            self.operation().begun = true;
            if let Err(reason) = self.prerequisites() {
                return self.fall_back(Some(reason));
            }
            self.start_ready();
            return true;
        }
        if !self.operation().started.is_empty() {
            match self.next_started() {
                Some(logical_id) => {
                    self.provision(&logical_id);
                    self.start_ready();
                }
                None => self.waits = true,
            }
            return true;
        }
        if !self.operation().failed.is_empty() {
            return self.fall_back(None);
        }
        match self.outputs() {
            Ok(outputs) => self.arrive(outputs),
            Err(reason) => self.fall_back(Some(reason)),
        }
    }

    /// Takes the first of what is under way that does not wait for a signal.
    fn next_started(&mut self) -> Option<String> {
        let started = std::mem::take(&mut self.operation().started);
        let next = started.iter().position(|logical_id| !self.waits_for_signal(logical_id));
        self.operation().started = started;
        next.map(|index| self.operation().started.remove(index))
    }

    fn waits_for_signal(&self, logical_id: &str) -> bool {
        self.stack.resources.get(logical_id).is_some_and(|one| {
            one.resource_type == wait::WAIT_CONDITION
                && one.status == Status::CreateInProgress
                && wait::is_open(self.account, &one.properties, one.updated, self.moment.now)
        })
    }

    /// What must hold before anything is made.
    fn prerequisites(&mut self) -> Result<(), String> {
        let template = &self.target.template;
        for (key, output) in &template.outputs {
            let Some((name, attribute)) = validate::unsupported_attribute(template, [output]) else { continue };
            let type_name = template.resources.get(&name).map(|one| one.resource_type.as_str()).unwrap_or_default();
            return Err(format!(
                "[Error] /Outputs/{key}/Value/Fn::GetAtt: Resource type {type_name} does not support attribute {{{attribute}}}"
            ));
        }
        let mut imports = BTreeSet::new();
        let properties = template.resources.values().flat_map(|one| one.properties.values());
        for value in properties.chain(template.outputs.values()) {
            self.imports_of(value, &mut imports)?;
        }
        self.stack.imports = imports;
        Ok(())
    }

    fn imports_of(&self, value: &Value, found: &mut BTreeSet<String>) -> Result<(), String> {
        if let Some(("Fn::ImportValue", argument)) = call(value) {
            let members = Map::from_iter([("Name".to_owned(), argument.clone())]);
            let name = self.resolved(&members)?.get("Name").and_then(text).unwrap_or_default();
            let world = Present { account: self.account, resources: &self.stack.resources };
            if world.import(&name).is_none() {
                return Err(format!("No export named {name} found"));
            }
            found.insert(name);
            return Ok(());
        }
        match value {
            Value::Object(members) => members.values().try_for_each(|member| self.imports_of(member, found)),
            Value::Array(items) => items.iter().try_for_each(|item| self.imports_of(item, found)),
            _ => Ok(()),
        }
    }

    /// Starts every resource whose dependencies are there.
    fn start_ready(&mut self) {
        let broken = !self.operation().failed.is_empty();
        if broken && self.operation().on_failure != OnFailure::DoNothing {
            return;
        }
        for logical_id in &self.target.order {
            let Some(declared) = self.target.template.resources.get(logical_id) else { continue };
            let needs = declared.dependencies(&self.target.template);
            let operation = self.operation();
            let touched = operation.done.contains(logical_id)
                || operation.started.contains(logical_id)
                || operation.failed.iter().any(|(_, failed)| failed == logical_id);
            if !touched && needs.is_subset(&operation.done) {
                self.start(logical_id, declared);
            }
        }
    }

    fn start(&mut self, logical_id: &str, declared: &Declared) {
        let existing = self.stack.resources.get(logical_id).filter(|one| one.lives()).cloned();
        let resolved = self.resolved(&declared.properties);
        let properties = resolved.as_ref().cloned().unwrap_or_default();
        let Some(old) = existing else {
            let blank = self.blank(logical_id, declared, properties);
            self.stack.resources.insert(logical_id.to_owned(), blank);
            self.record(logical_id, Status::CreateInProgress, None);
            return match resolved {
                Ok(_) => self.operation().started.push(logical_id.to_owned()),
                Err(reason) => self.refused(logical_id, &reason),
            };
        };
        let schema = schema::of(&old.resource_type);
        let after = schema.map_or_else(|| properties.clone(), |schema| schema.coerced(&properties));
        let tags = schema.is_some_and(Schema::takes_tags) && old.tags != self.stack.definition.tags;
        if resolved.is_ok() && after == *old.properties && !tags && old.status != Status::UpdateFailed {
            self.unchanged(logical_id, declared);
            return;
        }
        let replaces = schema.is_some_and(|schema| schema.replaces(&old.properties, &after));
        let reason = "Requested update requires the creation of a new physical resource; hence creating one.";
        self.record(logical_id, Status::UpdateInProgress, replaces.then_some(reason));
        match resolved {
            Ok(_) => self.operation().started.push(logical_id.to_owned()),
            Err(reason) => self.refused(logical_id, &reason),
        }
    }

    fn blank(&self, logical_id: &str, declared: &Declared, properties: Properties) -> Resource {
        Resource {
            logical_id: logical_id.to_owned(),
            physical_id: String::new(),
            resource_type: declared.resource_type.clone(),
            status: Status::CreateInProgress,
            reason: None,
            updated: self.moment.now,
            shown: self.shown(declared).filter(|shown| *shown != properties),
            properties: properties.into(),
            attributes: BTreeMap::new(),
            tags: self.stack.definition.tags.clone(),
            deletion_policy: declared.deletion_policy.clone(),
            update_replace_policy: declared.update_replace_policy.clone(),
            metadata: declared.metadata.clone(),
            depends_on: declared.dependencies(&self.target.template),
        }
    }

    /// A resource that stays as it is takes over what only the stack knows of it.
    fn unchanged(&mut self, logical_id: &str, declared: &Declared) {
        let depends_on = declared.dependencies(&self.target.template);
        let shown = self.shown(declared);
        if let Some(one) = self.stack.resources.get_mut(logical_id) {
            one.deletion_policy.clone_from(&declared.deletion_policy);
            one.update_replace_policy.clone_from(&declared.update_replace_policy);
            one.metadata.clone_from(&declared.metadata);
            one.depends_on = depends_on;
            one.shown = shown.filter(|shown| *shown != *one.properties);
        }
        self.operation().done.insert(logical_id.to_owned());
    }

    /// Makes, changes or replaces one resource.
    fn provision(&mut self, logical_id: &str) {
        let target = self.target;
        let Some(declared) = target.template.resources.get(logical_id) else { return };
        let Some(current) = self.stack.resources.get(logical_id).cloned() else { return };
        let checked =
            self.resolved(&declared.properties).and_then(|properties| match schema::of(&declared.resource_type) {
                Some(schema) => schema.checked(logical_id, &properties),
                None => Ok(properties),
            });
        let outcome = checked.and_then(|properties| match current.status {
            Status::CreateInProgress => self.create(logical_id, declared, properties),
            _ => self.change(declared, &current, properties),
        });
        match outcome {
            Ok(undo) => {
                self.operation().undo.push(undo);
                self.operation().done.insert(logical_id.to_owned());
            }
            Err(reason) => self.refused(logical_id, &reason),
        }
    }

    fn create(&mut self, logical_id: &str, declared: &Declared, properties: Properties) -> Result<Undo, String> {
        let made = self.make(logical_id, declared, &properties)?;
        let mut fresh = self.blank(logical_id, declared, properties);
        fresh.physical_id = made.physical_id;
        fresh.attributes = made.attributes;
        self.stack.resources.insert(logical_id.to_owned(), fresh);
        self.record(logical_id, Status::CreateInProgress, Some("Resource creation Initiated"));
        self.record(logical_id, Status::CreateComplete, None);
        Ok(Undo::Created(logical_id.to_owned()))
    }

    fn make(&mut self, logical_id: &str, declared: &Declared, properties: &Properties) -> Result<Provisioned, String> {
        if let Some(Some(holder)) = taken(self.account, &self.stack.id, &declared.resource_type, properties) {
            let name = schema::of(&declared.resource_type).and_then(|schema| schema.custom_name(properties));
            return Err(format!("{} already exists in stack {holder}", name.unwrap_or_default()));
        }
        let context = self.context(logical_id);
        let Some(kind) = resource_type(&declared.resource_type) else {
            return Err(format!("Unrecognized resource type: {}", declared.resource_type));
        };
        let resource_type = declared.resource_type.as_str();
        let touched = Touched { logical_id, resource_type, properties, former: None, physical_id: None };
        self.authorized(Act::Create, &touched)?;
        let live = self.live(logical_id, &declared.resource_type, properties)?;
        let made = kind.create(self.account, &context, &live).map_err(handled)?;
        let touched = Touched { physical_id: Some(&made.physical_id), ..touched };
        if let Err(reason) = self.authorized(Act::Create, &touched) {
            // What may not be looked at does not stay.
            let _gone = kind.delete(self.account, &context, &made.physical_id, &live);
            return Err(reason);
        }
        Ok(made)
    }

    /// The properties as their service gets them: every dynamic reference has come to its value. They are never kept.
    fn live(&self, logical_id: &str, resource_type: &str, properties: &Properties) -> Result<Properties, String> {
        let live = self.holders().resolved(properties)?;
        match schema::of(resource_type) {
            Some(schema) if live != *properties => schema.checked(logical_id, &live),
            _ => Ok(live),
        }
    }

    /// As [`Step::live`], for what a resource was before.
    fn lived(&self, properties: &Properties) -> Properties {
        self.holders().resolved_as_far_as_possible(properties)
    }

    fn holders(&self) -> Holders<'_> {
        Holders { account: self.account, now: self.moment.now }
    }

    fn change(&mut self, declared: &Declared, old: &Resource, properties: Properties) -> Result<Undo, String> {
        let schema = schema::of(&old.resource_type);
        if schema.is_some_and(|schema| schema.replaces(&old.properties, &properties)) {
            return self.replace(declared, old, properties);
        }
        let context = self.context(&old.logical_id);
        let Some(kind) = resource_type(&old.resource_type) else {
            return Err(format!("Unrecognized resource type: {}", old.resource_type));
        };
        self.authorized(Act::Update, &Touched::changed(old, &properties))?;
        let before = self.lived(&old.properties);
        let after = self.live(&old.logical_id, &old.resource_type, &properties)?;
        let made = kind.update(self.account, &context, &old.physical_id, &before, &after).map_err(handled)?;
        self.settle(declared, old, properties, made);
        self.record(&old.logical_id, Status::UpdateComplete, None);
        Ok(Undo::Updated(Box::new(old.clone())))
    }

    fn replace(&mut self, declared: &Declared, old: &Resource, properties: Properties) -> Result<Undo, String> {
        let custom = schema::of(&old.resource_type).and_then(|schema| schema.custom_name(&properties));
        if custom == Some(old.physical_id.as_str()) {
            return Err(format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {} and update \
                 the stack again.",
                old.physical_id,
            ));
        }
        let made = self.make(&old.logical_id, declared, &properties)?;
        self.settle(declared, old, properties, made);
        self.record(&old.logical_id, Status::UpdateInProgress, Some("Resource creation Initiated"));
        self.record(&old.logical_id, Status::UpdateComplete, None);
        self.operation().replaced.push(old.clone());
        Ok(Undo::Replaced(Box::new(old.clone())))
    }

    fn settle(&mut self, declared: &Declared, old: &Resource, properties: Properties, made: Provisioned) {
        let mut fresh = self.blank(&old.logical_id, declared, properties);
        fresh.physical_id = made.physical_id;
        fresh.attributes = made.attributes;
        self.stack.resources.insert(old.logical_id.clone(), fresh);
    }

    /// Records that a resource failed, and calls off those that are under way beside it.
    fn refused(&mut self, logical_id: &str, reason: &str) {
        self.fail(logical_id, reason);
        if self.operation().on_failure != OnFailure::DoNothing {
            self.cancel_started();
        }
    }

    fn cancel_started(&mut self) {
        for logical_id in std::mem::take(&mut self.operation().started) {
            let creating =
                self.stack.resources.get(&logical_id).is_some_and(|one| one.status == Status::CreateInProgress);
            let reason = if creating { "Resource creation cancelled" } else { "Resource update cancelled" };
            self.fail(&logical_id, reason);
        }
    }

    fn fail(&mut self, logical_id: &str, reason: &str) {
        let Some(one) = self.stack.resources.get(logical_id).cloned() else { return };
        let (verb, status, undo) = match one.status {
            Status::CreateInProgress => (Verb::Create, Status::CreateFailed, Undo::Created(logical_id.to_owned())),
            _ => (Verb::Update, Status::UpdateFailed, Undo::Refused(Box::new(one))),
        };
        self.record(logical_id, status, Some(reason));
        self.operation().failed.push((verb, logical_id.to_owned()));
        self.operation().undo.push(undo);
    }

    /// The outputs, and whether the exports among them may be what they are.
    fn outputs(&self) -> Result<Vec<Output>, String> {
        let resolved = self.resolved(&self.target.template.outputs)?;
        let outputs: Vec<Output> = resolved.iter().map(|(key, declared)| output(key, declared)).collect();
        let stacks = &self.account.cloudformation;
        for name in outputs.iter().filter_map(|one| one.export.as_deref()) {
            if let Some((_, _, holder)) = stacks.exports().find(|(taken, _, _)| *taken == name) {
                return Err(format!("Export with name {name} is already exported by stack {}", holder.name));
            }
        }
        for old in &self.stack.outputs {
            let Some(name) = old.export.as_deref() else { continue };
            let importers = stacks.importers(name);
            let now = outputs.iter().find(|one| one.export.as_deref() == Some(name));
            if importers.is_empty() || now.is_some_and(|now| now.value == old.value) {
                continue;
            }
            let verb = if now.is_some() { "updated" } else { "deleted" };
            return Err(format!("Export {name} cannot be {verb} as it is in use by {}", importers.join(", ")));
        }
        Ok(outputs)
    }

    /// Everything is as the template says.
    fn arrive(&mut self, outputs: Vec<Output>) -> bool {
        self.stack.outputs = outputs;
        self.stack.description.clone_from(&self.target.template.description);
        if self.operation().kind == Kind::Create {
            return self.end(Status::CreateComplete, None);
        }
        let mut leftovers = self.unlisted();
        let replaced = std::mem::take(&mut self.operation().replaced);
        leftovers.extend(replaced.into_iter().rev().map(|resource| {
            let declared = self.target.template.resources.get(&resource.logical_id);
            let policy = declared.and_then(|declared| declared.update_replace_policy.as_deref());
            Leftover { resource, keep: policy == Some("Retain"), listed: false }
        }));
        self.operation().leftovers = leftovers;
        self.operation().phase = Phase::Cleanup;
        self.status(Status::UpdateCompleteCleanupInProgress, None);
        true
    }

    /// Resources of the stack that its template no longer declares, each before what it needs.
    fn unlisted(&self) -> Vec<Leftover> {
        let mut waiting: Vec<&Resource> = self
            .stack
            .resources
            .values()
            .filter(|one| !self.target.template.resources.contains_key(&one.logical_id))
            .collect();
        let mut ordered = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let needed: BTreeSet<&String> = waiting.iter().flat_map(|one| &one.depends_on).collect();
            let (free, held): (Vec<&Resource>, Vec<&Resource>) =
                waiting.iter().partition(|one| !needed.contains(&one.logical_id));
            // A circle cannot be: dependencies were ordered when they were made.
            let (free, held) = if free.is_empty() { (held, Vec::new()) } else { (free, held) };
            ordered.extend(free);
            waiting = held;
        }
        ordered
            .into_iter()
            .map(|one| {
                let keep = matches!(one.deletion_policy.as_deref(), Some("Retain" | "RetainExceptOnCreate"));
                Leftover { resource: one.clone(), keep, listed: true }
            })
            .collect()
    }

    // Back.

    /// Gives an operation up: because of a reason of the stack's own, or of the resources that failed.
    fn fall_back(&mut self, reason: Option<String>) -> bool {
        let told = reason.clone().or_else(|| self.failures());
        let (kind, on_failure) = (self.operation().kind, self.operation().on_failure);
        let sentence = told.as_ref().map(|told| format!("{told}. "));
        match (kind, on_failure) {
            (Kind::Create, OnFailure::DoNothing) => self.end(Status::CreateFailed, sentence),
            (Kind::Create, OnFailure::Delete) => {
                let told = told.map(|told| format!("{told}. Delete requested by user."));
                self.operation().kind = Kind::Delete;
                self.begin_removal(Status::DeleteInProgress, told)
            }
            (Kind::Create, OnFailure::Rollback) => {
                let told = told.map_or_else(
                    || "Rollback requested by user.".to_owned(),
                    |told| format!("{told}. Rollback requested by user."),
                );
                self.begin_removal(Status::RollbackInProgress, Some(told))
            }
            (_, OnFailure::DoNothing) if !self.operation().cancelled => {
                // The operation stays, to be undone or followed by another one.
                self.status(Status::UpdateFailed, sentence);
                self.executed("EXECUTE_FAILED");
                false
            }
            _ => {
                let told =
                    if self.operation().cancelled { Some("User Initiated".to_owned()) } else { reason.or(sentence) };
                self.operation().phase = Phase::Undo;
                self.status(Status::UpdateRollbackInProgress, told);
                true
            }
        }
    }

    fn begin_removal(&mut self, status: Status, reason: Option<String>) -> bool {
        self.stack.deleted = Some(self.moment.now);
        self.operation().phase = Phase::Remove;
        self.status(status, reason);
        true
    }

    /// `The following resource(s) failed to create: [A, B]`, and what failed to update.
    fn failures(&mut self) -> Option<String> {
        let failed = &self.operation().failed;
        let sentences: Vec<String> = [(Verb::Create, "create"), (Verb::Update, "update")]
            .into_iter()
            .filter_map(|(verb, word)| {
                let names: Vec<&str> =
                    failed.iter().filter(|(one, _)| *one == verb).map(|(_, name)| name.as_str()).collect();
                (!names.is_empty())
                    .then(|| format!("The following resource(s) failed to {word}: [{}]", names.join(", ")))
            })
            .collect();
        (!sentences.is_empty()).then(|| sentences.join(". "))
    }

    /// Takes back the last step of an update that is not taken back yet.
    fn undo(&mut self) -> bool {
        let Some(entry) = self.operation().undo.pop() else { return self.undone() };
        match entry {
            Undo::Created(logical_id) => {
                let known = self.operation().leftovers.iter().any(|one| one.resource.logical_id == logical_id);
                if let Some(resource) = self.stack.resources.get(&logical_id).filter(|_| !known).cloned() {
                    let leftover = Leftover { resource, keep: false, listed: true };
                    self.operation().leftovers.push(leftover);
                }
            }
            Undo::Refused(old) => {
                let logical_id = old.logical_id.clone();
                self.record(&logical_id, Status::UpdateInProgress, None);
                self.stack.resources.insert(logical_id.clone(), *old);
                self.record(&logical_id, Status::UpdateComplete, None);
            }
            Undo::Replaced(old) => {
                let logical_id = old.logical_id.clone();
                self.record(&logical_id, Status::UpdateInProgress, None);
                if let Some(resource) = self.stack.resources.insert(logical_id.clone(), *old) {
                    self.operation().leftovers.push(Leftover { resource, keep: false, listed: false });
                }
                self.record(&logical_id, Status::UpdateComplete, None);
            }
            Undo::Updated(old) => self.restore(old),
        }
        true
    }

    fn restore(&mut self, old: Box<Resource>) {
        let logical_id = old.logical_id.clone();
        let Some(current) = self.stack.resources.get(&logical_id).cloned() else { return };
        if !self.operation().spared.contains(&logical_id) {
            self.record(&logical_id, Status::UpdateInProgress, None);
            let mut context = self.context(&logical_id);
            context.tags.clone_from(&old.tags);
            let (from, to) = (self.lived(&current.properties), self.lived(&old.properties));
            let may = self.authorized(Act::Update, &Touched::changed(&current, &old.properties));
            let outcome = may.and_then(|()| match resource_type(&old.resource_type) {
                Some(kind) => kind.update(self.account, &context, &current.physical_id, &from, &to).map_err(handled),
                None => Err(format!("Unrecognized resource type: {}", old.resource_type)),
            });
            if let Err(reason) = outcome {
                self.record(&logical_id, Status::UpdateFailed, Some(&reason));
                self.operation().stuck.push(Undo::Updated(old));
                return;
            }
        }
        self.stack.resources.insert(logical_id.clone(), *old);
        self.record(&logical_id, Status::UpdateComplete, None);
    }

    fn undone(&mut self) -> bool {
        if !self.operation().stuck.is_empty() {
            let names = self.operation().stuck().join(", ");
            let reason = format!("The following resource(s) failed to update: [{names}]. ");
            // The operation stays, to be continued.
            self.status(Status::UpdateRollbackFailed, Some(reason));
            self.executed("EXECUTE_FAILED");
            return false;
        }
        if let Some(previous) = self.operation().previous.take() {
            self.stack.definition = previous.definition;
            self.stack.description = previous.description;
            self.stack.imports = previous.imports;
        }
        self.operation().phase = Phase::Cleanup;
        self.status(Status::UpdateRollbackCompleteCleanupInProgress, None);
        true
    }

    // Away.

    /// Removes one physical resource that an update has left over.
    fn cleanup(&mut self) -> bool {
        if self.operation().leftovers.is_empty() {
            let undone = self.stack.status == Status::UpdateRollbackCompleteCleanupInProgress;
            let status = if undone { Status::UpdateRollbackComplete } else { Status::UpdateComplete };
            let left = !self.operation().undeletable.is_empty() && !undone;
            let reason = left.then(|| "Update successful. One or more resources could not be deleted.".to_owned());
            return self.end(status, reason);
        }
        let Leftover { resource, keep, listed } = self.operation().leftovers.remove(0);
        if self.unmake(&resource, keep).is_err() {
            self.operation().undeletable.insert(resource.logical_id.clone());
        }
        if listed {
            self.stack.resources.remove(&resource.logical_id);
        }
        true
    }

    /// Removes one physical resource and records it. Returns the status that the resource ends in.
    fn unmake(&mut self, resource: &Resource, keep: bool) -> Result<Status, String> {
        let now = self.moment.now;
        if keep {
            self.stack.note(now, resource, Status::DeleteSkipped, None);
            return Ok(Status::DeleteSkipped);
        }
        if !resource.physical_id.is_empty() {
            self.stack.note(now, resource, Status::DeleteInProgress, None);
            let context = self.context(&resource.logical_id);
            if let Some(kind) = resource_type(&resource.resource_type) {
                let properties = self.lived(&resource.properties);
                let may = self.authorized(Act::Delete, &Touched::of(resource));
                let gone = may.and_then(|()| {
                    kind.delete(self.account, &context, &resource.physical_id, &properties).map_err(handled)
                });
                if let Err(reason) = gone {
                    self.stack.note(now, resource, Status::DeleteFailed, Some(&reason));
                    return Err(reason);
                }
            }
        }
        self.stack.note(now, resource, Status::DeleteComplete, None);
        Ok(Status::DeleteComplete)
    }

    /// Removes one resource that nothing else needs any more.
    fn remove(&mut self) -> bool {
        let Some(resource) = self.removable() else { return self.removed() };
        let deleting = self.operation().kind == Kind::Delete;
        let spared = self.operation().spared.contains(&resource.logical_id);
        let keep = match resource.deletion_policy.as_deref() {
            Some("Retain") => resource.lives(),
            Some("RetainExceptOnCreate") => deleting && resource.lives(),
            _ => deleting && spared,
        };
        let logical_id = resource.logical_id.clone();
        let (status, reason) = match self.unmake(&resource, keep || (deleting && spared)) {
            Ok(status) => (status, None),
            Err(reason) => {
                self.operation().undeletable.insert(logical_id.clone());
                (Status::DeleteFailed, Some(reason))
            }
        };
        if let Some(one) = self.stack.resources.get_mut(&logical_id) {
            one.status = status;
            one.reason = reason;
            one.updated = self.moment.now;
        }
        true
    }

    fn removable(&mut self) -> Option<Resource> {
        let undeletable = self.operation().undeletable.clone();
        let present = || {
            let gone = [Status::DeleteComplete, Status::DeleteSkipped];
            self.stack.resources.values().filter(move |one| !gone.contains(&one.status))
        };
        let needed: BTreeSet<&String> = present().flat_map(|one| &one.depends_on).collect();
        present()
            .filter(|one| !needed.contains(&one.logical_id) && !undeletable.contains(&one.logical_id))
            .max_by_key(|one| one.updated)
            .cloned()
    }

    fn removed(&mut self) -> bool {
        let deleting = self.operation().kind == Kind::Delete;
        let names: Vec<String> = self.operation().undeletable.iter().cloned().collect();
        if !names.is_empty() {
            let reason = format!("The following resource(s) failed to delete: [{}]. ", names.join(", "));
            let status = if deleting { Status::DeleteFailed } else { Status::RollbackFailed };
            return self.end(status, Some(reason));
        }
        self.stack.outputs.clear();
        self.stack.imports.clear();
        if !deleting {
            return self.end(Status::RollbackComplete, None);
        }
        self.stack.deleted = Some(self.moment.now);
        self.end(Status::DeleteComplete, None)
    }

    /// The operation is over.
    fn end(&mut self, status: Status, reason: Option<String>) -> bool {
        self.status(status, reason);
        self.stack.operation = None;
        let well = matches!(status, Status::CreateComplete | Status::UpdateComplete);
        self.executed(if well { "EXECUTE_COMPLETE" } else { "EXECUTE_FAILED" });
        false
    }

    /// Notes how the execution of a change set ended.
    fn executed(&mut self, outcome: &str) {
        let sets = self.account.cloudformation.change_sets.values_mut();
        for set in sets.filter(|set| set.stack_id == self.stack.id && set.execution == "EXECUTE_IN_PROGRESS") {
            outcome.clone_into(&mut set.execution);
        }
    }
}
