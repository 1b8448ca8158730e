//! What a deployment would change, asked of CloudFormation and told in words; then done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_sdk_cloudformation::operation::create_change_set::builders::CreateChangeSetFluentBuilder;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, EventType, HookFailureMode, OperationEvent, Parameter,
    PolicyAction, Replacement, ResourceAttribute, ResourceChange, Tag,
};
use miette::Diagnostic;
use serde_json::Value;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::aws::{Account, During, Error as AwsError};
use super::stack::{self, Stack};
use super::store::Store;
use super::{Cancellation, Listener, Progress, Unit, store};
use crate::synth::code::ASSET_BUCKET;
use crate::template::check::{INLINE_BYTES, MOST_BYTES};
use crate::template::text;

/// Why a change set could not be had or executed.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// CloudFormation refuses the change set. `resources` are the ids in the template that it names.
    #[error("CloudFormation refuses the changes to stack `{stack}`: {reason}")]
    #[diagnostic(code(stackgen::change_set::failed), help("nothing was changed; mend what it names"))]
    Failed { stack: String, reason: String, resources: Vec<String> },
    /// CloudFormation refuses the values of parameters.
    #[error("CloudFormation refuses the changes to stack `{stack}`: {reason}")]
    #[diagnostic(
        code(stackgen::change_set::parameters),
        help("nothing was changed; give a value with `--parameter NAME=VALUE`")
    )]
    Parameters { stack: String, reason: String },
    /// The template is larger than any that CloudFormation takes.
    #[error("the template of stack `{stack}` has {size} bytes, more than CloudFormation's {MOST_BYTES}")]
    #[diagnostic(code(stackgen::change_set::too_large), help("split the stack into several"))]
    TooLarge { stack: String, size: usize },
    /// Something must go through a bucket, and there is none.
    #[error("stack `{stack}` needs a bucket in this account and region, and there is none")]
    #[diagnostic(code(stackgen::bootstrap::missing), help("make one with `stackgen bootstrap`"))]
    NoBucket { stack: String },
    /// The template is no JSON.
    #[error("the template of stack `{stack}` is no JSON")]
    #[diagnostic(code(stackgen::change_set::template), help("synthesize it again with `stackgen synth {stack}`"))]
    NotJson { stack: String, source: serde_json::Error },
    /// AWS refuses.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] AwsError),
    /// The template cannot be uploaded.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] store::Error),
}

/// What a deployment would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prepared {
    /// Nothing.
    Unchanged,
    /// This.
    Ready(ChangeSet),
    /// Nobody wants to know any more, and nothing of the question is left.
    Cancelled,
}

/// What a change set is made of.
#[derive(Debug, Clone, Copy)]
pub struct Preparation<'a> {
    /// What is to be deployed.
    pub unit: &'a Unit,
    /// The stack as it is, if it is.
    pub deployed: Option<&'a Stack>,
    /// The bucket, if there is one.
    pub store: Option<&'a Store>,
}

/// Changes that CloudFormation is ready to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// ARN of the change set.
    pub id: String,
    /// Name of the stack.
    pub stack: String,
    /// ARN of the stack.
    pub stack_id: String,
    /// Whether the stack does not exist yet.
    pub is_new: bool,
    /// The changes, sorted by what they do.
    pub changes: Vec<Change>,
}

/// One change to one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happens to it.
    pub action: Action,
    /// Id in the template.
    pub logical_id: String,
    /// CloudFormation type.
    pub kind: String,
    /// Names of the properties that change.
    pub because: Vec<String>,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is removed.
    Remove,
    /// It leaves the stack and stays in the account.
    Release,
    /// A new one takes its place.
    Replace,
    /// A new one takes its place, and the old one stays in the account.
    ReplaceAndRelease,
    /// CloudFormation does not know yet whether a new one must take its place.
    MayReplace,
    /// It is changed.
    Modify,
    /// It is added.
    Add,
    /// It exists and joins the stack.
    Import,
}

impl Action {
    /// The action in a word or two.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Remove => "removed",
            Self::Release => "left behind",
            Self::Replace => "replaced",
            Self::ReplaceAndRelease => "replaced, old one left behind",
            Self::MayReplace => "changed, perhaps replaced",
            Self::Modify => "changed",
            Self::Add => "added",
            Self::Import => "taken over",
        }
    }
}

/// Types whose removal loses what users have put into them.
const HOLDS_DATA: &[&str] = &[
    "AWS::Cognito::IdentityPool",
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EFS::FileSystem",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
];

/// The type of a bucket, which CloudFormation removes only when it is empty.
pub const BUCKET: &str = "AWS::S3::Bucket";

/// Whether removing a resource of that type loses what users have put into it.
#[must_use]
pub fn holds_data(kind: &str) -> bool {
    HOLDS_DATA.contains(&kind)
}

/// Types of which no two can have the same name at once, and the property by which a template names one.
const NAMED: &[(&str, &str)] = &[
    ("AWS::CloudWatch::Alarm", "AlarmName"),
    ("AWS::Cognito::UserPoolDomain", "Domain"),
    ("AWS::Cognito::UserPoolGroup", "GroupName"),
    ("AWS::Cognito::UserPoolIdentityProvider", "ProviderName"),
    ("AWS::DynamoDB::Table", "TableName"),
    ("AWS::Events::Rule", "Name"),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::User", "UserName"),
    ("AWS::KMS::Alias", "AliasName"),
    ("AWS::Lambda::Function", "FunctionName"),
    ("AWS::Logs::LogGroup", "LogGroupName"),
    ("AWS::S3::Bucket", "BucketName"),
    ("AWS::SES::ConfigurationSet", "Name"),
    ("AWS::SES::EmailIdentity", "EmailIdentity"),
    ("AWS::SNS::Topic", "TopicName"),
    ("AWS::SQS::Queue", "QueueName"),
    ("AWS::SSM::Parameter", "Name"),
    ("AWS::SecretsManager::Secret", "Name"),
];

/// A resource that must be replaced and keeps its name, which the old one still has: CloudFormation makes the new one
/// first, and so cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTaken {
    /// Id in the template.
    pub logical_id: String,
    /// CloudFormation type.
    pub kind: String,
    /// The property that names it.
    pub property: &'static str,
    /// The name, or the expression that makes it.
    pub name: String,
    /// Whether it is sure that a new one must take its place.
    pub action: Action,
}

impl ChangeSet {
    /// Whether some resource may have to be replaced that can have a name of its own.
    #[must_use]
    pub fn may_replace_named(&self) -> bool {
        self.changes.iter().any(|change| change.naming_property().is_some())
    }

    /// The resources that must be replaced under the name that they have, by the texts of both templates.
    #[must_use]
    pub fn names_taken(&self, deployed: &str, wanted: &str) -> Vec<NameTaken> {
        let [deployed, wanted] = [deployed, wanted].map(|template| text::parse(template).unwrap_or_default());
        let taken = |change: &Change| {
            let property = change.naming_property()?;
            let pointer = format!("/Resources/{}/Properties/{property}", change.logical_id);
            let name = wanted.pointer(&pointer).filter(|name| deployed.pointer(&pointer) == Some(*name))?;
            Some(NameTaken {
                logical_id: change.logical_id.clone(),
                kind: change.kind.clone(),
                property,
                name: name.as_str().map_or_else(|| name.to_string(), str::to_owned),
                action: change.action,
            })
        };
        self.changes.iter().filter_map(taken).collect()
    }
}

impl Change {
    /// The property that would name the resource, if it may have to be replaced.
    fn naming_property(&self) -> Option<&'static str> {
        let replaced = matches!(self.action, Action::Replace | Action::ReplaceAndRelease | Action::MayReplace);
        NAMED.iter().find(|(kind, _)| replaced && *kind == self.kind).map(|(_, property)| *property)
    }

    /// Whether it loses, or may lose, what users have put into the resource.
    #[must_use]
    pub fn loses_data(&self) -> bool {
        holds_data(&self.kind) && matches!(self.action, Action::Remove | Action::Replace | Action::MayReplace)
    }
}

impl Preparation<'_> {
    /// Asks CloudFormation what the deployment would change.
    ///
    /// # Errors
    /// When CloudFormation refuses the template or AWS cannot be asked. A failed change set is removed first: they
    /// would pile up until CloudFormation accepts no more.
    pub async fn ask(
        &self,
        account: &Account,
        listener: Listener<'_>,
        cancel: &CancellationToken,
    ) -> Result<Prepared, Error> {
        let Self { unit, deployed, .. } = *self;
        listener(Progress::Comparing { stack: unit.stack.clone() });
        let request = self.request(account).await?;
        if cancel.is_cancelled() {
            return Ok(Prepared::Cancelled);
        }
        let created = request.send().await.during("cloudformation:CreateChangeSet", &account.config);
        let created = created.map_err(|error| refused(error, unit))?;
        let (id, stack_id) = (created.id.unwrap_or_default(), created.stack_id.unwrap_or_default());
        let waiting = Waiting { account, id: &id, stack_id: &stack_id };
        let (described, changes) = waiting.settled(listener, cancel).await?;
        let cancelled = cancel.is_cancelled();
        if described.status() == Some(&ChangeSetStatus::CreateComplete) && !cancelled {
            let (stack, is_new) = (unit.stack.clone(), deployed.is_none());
            return Ok(Prepared::Ready(ChangeSet { id, stack, stack_id, is_new, changes }));
        }
        let reason = described.status_reason.unwrap_or_default();
        let is_fine = cancelled || says_unchanged(&reason);
        let failed = if is_fine { None } else { Some(failure(account, unit, &id, reason).await) };
        discard_by_id(account, &id, &stack_id, deployed.is_none()).await?;
        match failed {
            Some(failed) => Err(failed),
            None if cancelled => Ok(Prepared::Cancelled),
            None => Ok(Prepared::Unchanged),
        }
    }

    /// The change set, as it is asked for.
    async fn request(&self, account: &Account) -> Result<CreateChangeSetFluentBuilder, Error> {
        let Self { unit, deployed, store } = *self;
        let template = parse(unit)?;
        let request = account
            .cloudformation
            .create_change_set()
            .stack_name(&unit.stack)
            .change_set_name(format!("stackgen-{}", time::OffsetDateTime::now_utc().unix_timestamp_nanos()))
            .change_set_type(if deployed.is_some() { ChangeSetType::Update } else { ChangeSetType::Create })
            .set_parameters(Some(parameters(&template, unit, deployed, store)))
            .set_capabilities(Some(capabilities(&template)))
            .set_tags(Some(
                unit.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect(),
            ));
        if unit.template.len() <= INLINE_BYTES {
            return Ok(request.template_body(&unit.template));
        }
        Ok(request.template_url(upload_template(account, unit, store).await?))
    }
}

fn parse(unit: &Unit) -> Result<Value, Error> {
    if unit.template.len() > MOST_BYTES {
        return Err(Error::TooLarge { stack: unit.stack.clone(), size: unit.template.len() });
    }
    serde_json::from_str(&unit.template).map_err(|source| Error::NotJson { stack: unit.stack.clone(), source })
}

async fn upload_template(account: &Account, unit: &Unit, store: Option<&Store>) -> Result<String, Error> {
    let store = store.ok_or_else(|| Error::NoBucket { stack: unit.stack.clone() })?;
    Ok(store.put_template(account, &unit.stack, &unit.template).await?)
}

/// Whether a failed change set failed only because there is nothing to do. The two wordings go on differently, so only
/// their beginnings count.
fn says_unchanged(reason: &str) -> bool {
    reason.starts_with("The submitted information didn't contain changes")
        || reason.starts_with("No updates are to be performed")
}

/// A change set that CloudFormation is working out.
struct Waiting<'a> {
    account: &'a Account,
    id: &'a str,
    stack_id: &'a str,
}

impl Waiting<'_> {
    /// Polls until the change set is worked out; collects the changes of all pages. One that nobody wants any more has
    /// to be waited for too: CloudFormation deletes none that it is working on.
    async fn settled(
        &self,
        listener: Listener<'_>,
        cancel: &CancellationToken,
    ) -> Result<(DescribeChangeSetOutput, Vec<Change>), AwsError> {
        let mut told = false;
        loop {
            if cancel.is_cancelled() && !told {
                told = true;
                listener(Progress::Cancelling { how: Cancellation::Discard });
            }
            let first = self.page(None).await?;
            if matches!(first.status(), Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress)) {
                self.account.pause(cancel, told).await;
                continue;
            }
            let mut changes = changes_of(&first);
            let mut token = first.next_token().map(str::to_owned);
            while token.is_some() {
                let page = self.page(token).await?;
                changes.extend(changes_of(&page));
                token = page.next_token;
            }
            changes.sort_by(|a, b| (a.action, &a.logical_id).cmp(&(b.action, &b.logical_id)));
            return Ok((first, changes));
        }
    }

    async fn page(&self, token: Option<String>) -> Result<DescribeChangeSetOutput, AwsError> {
        let request = self.account.cloudformation.describe_change_set();
        let request = request.change_set_name(self.id).stack_name(self.stack_id).set_next_token(token);
        request.send().await.during("cloudformation:DescribeChangeSet", &self.account.config)
    }
}

fn changes_of(page: &DescribeChangeSetOutput) -> Vec<Change> {
    page.changes().iter().filter_map(|change| change.resource_change()).map(change).collect()
}

fn change(change: &ResourceChange) -> Change {
    let because: BTreeSet<String> = change
        .details()
        .iter()
        .filter_map(|detail| detail.target())
        .filter_map(|target| target.name().or_else(|| target.attribute().map(ResourceAttribute::as_str)))
        .map(str::to_owned)
        .collect();
    Change {
        action: action(change.action(), change.replacement(), change.policy_action()),
        logical_id: change.logical_resource_id().unwrap_or_default().to_owned(),
        kind: change.resource_type().unwrap_or_default().to_owned(),
        because: because.into_iter().collect(),
    }
}

fn action(action: Option<&ChangeAction>, replacement: Option<&Replacement>, policy: Option<&PolicyAction>) -> Action {
    let kept = matches!(policy, Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain));
    match (action, replacement) {
        (Some(ChangeAction::Add), _) => Action::Add,
        (Some(ChangeAction::Import), _) => Action::Import,
        (Some(ChangeAction::Remove), _) if kept => Action::Release,
        (Some(ChangeAction::Remove), _) => Action::Remove,
        (_, Some(Replacement::True)) if kept => Action::ReplaceAndRelease,
        (_, Some(Replacement::True)) => Action::Replace,
        (_, Some(Replacement::Conditional)) => Action::MayReplace,
        _ => Action::Modify,
    }
}

/// The capabilities that the template makes CloudFormation ask for, and no more.
#[must_use]
pub fn capabilities(template: &Value) -> Vec<Capability> {
    let resources = template.get("Resources").and_then(Value::as_object);
    let of_type = |wanted: &'static str| {
        resources.into_iter().flat_map(|all| all.values()).filter(move |resource| {
            resource.get("Type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with(wanted))
        })
    };
    let mut needed = Vec::new();
    if of_type("AWS::IAM::").any(has_custom_name) {
        needed.push(Capability::CapabilityNamedIam);
    } else if of_type("AWS::IAM::").next().is_some() {
        needed.push(Capability::CapabilityIam);
    }
    if template.get("Transform").is_some() || of_type("AWS::CloudFormation::Stack").next().is_some() {
        needed.push(Capability::CapabilityAutoExpand);
    }
    needed
}

fn has_custom_name(resource: &Value) -> bool {
    let names = ["RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"];
    names.iter().any(|name| resource.pointer(&format!("/Properties/{name}")).is_some())
}

fn parameters(template: &Value, unit: &Unit, deployed: Option<&Stack>, store: Option<&Store>) -> Vec<Parameter> {
    let declared = template.get("Parameters").and_then(Value::as_object).into_iter().flat_map(|all| all.keys());
    let bucket = store.map(|store| store.parameter().to_owned());
    let chosen: BTreeMap<&str, String> = unit
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .chain(bucket.map(|bucket| (ASSET_BUCKET, bucket)))
        .collect();
    declared
        .filter_map(|name| {
            let parameter = Parameter::builder().parameter_key(name);
            match chosen.get(name.as_str()) {
                Some(value) => Some(parameter.parameter_value(value).build()),
                None if deployed?.parameters.contains_key(name) => Some(parameter.use_previous_value(true).build()),
                None => None,
            }
        })
        .collect()
}

/// What CloudFormation says at once about a template or its parameters.
fn refused(error: AwsError, unit: &Unit) -> Error {
    match error {
        AwsError::Service { code, message, .. } if code == "ValidationError" => {
            let stack = unit.stack.clone();
            if message.starts_with("Parameter") {
                return Error::Parameters { stack, reason: message };
            }
            Error::Failed { stack, resources: named_resources(&unit.template, &message), reason: message }
        }
        other => other.into(),
    }
}

/// Why a change set failed: what validation has found, or else the reason that the change set gives.
async fn failure(account: &Account, unit: &Unit, id: &str, reason: String) -> Error {
    let stack = unit.stack.clone();
    let findings = findings(account, id).await;
    if !findings.is_empty() {
        let told: Vec<String> = findings.iter().map(Finding::to_string).collect();
        let resources = findings.into_iter().map(|finding| finding.logical_id).collect();
        return Error::Failed { stack, reason: told.join("\n"), resources };
    }
    let reason = match nested_change_set(&reason) {
        Some(nested) => nested_reason(account, nested).await.unwrap_or(reason),
        None => reason,
    };
    Error::Failed { stack, resources: named_resources(&unit.template, &reason), reason }
}

/// The resources of a template that CloudFormation's words name: by their ids in brackets, in quotes, in a path or after
/// the word `resource`, or by their type.
fn named_resources(template: &str, words: &str) -> Vec<String> {
    let template: Value = serde_json::from_str(template).unwrap_or_default();
    let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == ':';
    let names = |name: &str, before: &[&str]| {
        words.match_indices(name).any(|(at, _)| {
            let (ahead, rest) = (&words[..at], &words[at + name.len()..]);
            !rest.starts_with(is_part) && before.iter().any(|before| ahead.ends_with(before))
        })
    };
    let is_named = |id: &str, kind: &str| {
        names(id, &["[", ", ", "'", "\"", "/Resources/", "resource ", "Resource "])
            || names(kind, &["[", ", ", "'", "\"", " "])
    };
    let kind = |resource: &Value| resource.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned();
    resources.filter(|(id, resource)| is_named(id, &kind(resource))).map(|(id, _)| id.clone()).collect()
}

/// The ARN in `Nested change set arn:... was not successfully created: Currently in FAILED.`
fn nested_change_set(reason: &str) -> Option<&str> {
    reason.strip_prefix("Nested change set ")?.split_once(' ').map(|(arn, _)| arn)
}

async fn nested_reason(account: &Account, id: &str) -> Option<String> {
    let mut id = id.to_owned();
    for _ in 0..8 {
        let described = account.cloudformation.describe_change_set().change_set_name(&id).send().await.ok()?;
        let reason = described.status_reason?;
        match nested_change_set(&reason) {
            Some(nested) => id = nested.to_owned(),
            None => return Some(reason),
        }
    }
    None
}

/// Something that validation before the deployment has found.
struct Finding {
    logical_id: String,
    kind: String,
    /// Where in the template, as a JSON pointer.
    path: String,
    reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { logical_id, kind, path, reason } = self;
        write!(formatter, "`{logical_id}` ({kind})")?;
        match path.strip_prefix(&format!("/Resources/{logical_id}/Properties/")) {
            Some(property) => write!(formatter, ", `{}`: {reason}", property.replace('/', ".")),
            None => write!(formatter, ": {reason}"),
        }
    }
}

/// What validation before the deployment has found: CloudFormation tells it only as events of the change set. Nothing
/// where they cannot be had: the reason of the change set is there in any case.
async fn findings(account: &Account, id: &str) -> Vec<Finding> {
    let mut pages = account.cloudformation.describe_events().change_set_name(id).into_paginator().send();
    let mut found = Vec::new();
    while let Some(Ok(page)) = pages.next().await {
        found.extend(page.operation_events().iter().filter(|event| forbids(event)).map(|event| Finding {
            logical_id: event.logical_resource_id().unwrap_or_default().to_owned(),
            kind: event.resource_type().unwrap_or_default().to_owned(),
            path: event.validation_path().unwrap_or_default().to_owned(),
            reason: event.validation_status_reason().unwrap_or_default().to_owned(),
        }));
    }
    found
}

/// Whether an event is a finding that stands in the way; others only warn.
fn forbids(event: &OperationEvent) -> bool {
    let only_warns = event.validation_failure_mode() == Some(&HookFailureMode::Warn);
    event.event_type() == Some(&EventType::ValidationError) && !only_warns
}

/// Takes a change set back. The stack that it would have created goes with it, or an empty shell would stay.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn discard(account: &Account, change_set: &ChangeSet) -> Result<(), AwsError> {
    discard_by_id(account, &change_set.id, &change_set.stack_id, change_set.is_new).await
}

async fn discard_by_id(account: &Account, id: &str, stack_id: &str, is_new: bool) -> Result<(), AwsError> {
    let cloudformation = &account.cloudformation;
    let gone = cloudformation.delete_change_set().change_set_name(id).stack_name(stack_id).send().await;
    match gone.during("cloudformation:DeleteChangeSet", &account.config) {
        Err(error) if !error.says_missing() => return Err(error),
        _ => (),
    }
    if is_new {
        let gone = cloudformation.delete_stack().stack_name(stack_id).send().await;
        gone.during("cloudformation:DeleteStack", &account.config)?;
    }
    Ok(())
}

/// Starts the changes. Follow them with an operation that was made before.
///
/// # Errors
/// When AWS refuses.
pub async fn execute(account: &Account, change_set: &ChangeSet) -> Result<(), AwsError> {
    let request = account.cloudformation.execute_change_set();
    // A try that is repeated since its answer got lost would be refused without it: the change set is being executed.
    let request = request.set_client_request_token(change_set.id.rsplit('/').next().map(str::to_owned));
    let answer = request.change_set_name(&change_set.id).stack_name(&change_set.stack_id).send().await;
    answer.during("cloudformation:ExecuteChangeSet", &account.config).map(drop)
}

/// Whether what is deployed is `unit` already, found out without a change set, which takes CloudFormation seconds.
///
/// # Errors
/// When AWS cannot be asked.
pub async fn is_deployed(account: &Account, unit: &Unit, deployed: &Stack) -> Result<bool, Error> {
    let parameters_agree =
        unit.parameters.iter().all(|(name, value)| deployed.parameters.get(name).is_some_and(|known| known == value));
    if !stack::is_success(&deployed.status) || !parameters_agree || deployed.tags != unit.tags {
        return Ok(false);
    }
    let template = stack::template(account, &deployed.id).await?;
    Ok(serde_json::from_str::<Value>(&template).is_ok_and(|template| parse(unit).is_ok_and(|ours| ours == template)))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use aws_sdk_cloudformation::types::{Capability, ChangeAction, Parameter, PolicyAction, Replacement};
    use serde_json::json;

    use super::{
        Action, Change, ChangeSet, Finding, action, capabilities, named_resources, nested_change_set, parameters,
        says_unchanged,
    };
    use crate::assembly::Protection;
    use crate::deploy::Unit;
    use crate::deploy::stack::Stack;
    use crate::deploy::store::Store;

    #[test]
    fn both_wordings_of_no_change_are_known_by_their_beginning() {
        assert!(says_unchanged(
            "The submitted information didn't contain changes. Submit different information to create a change set."
        ));
        assert!(says_unchanged("No updates are to be performed."));
        assert!(!says_unchanged(
            "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]."
        ));
        assert!(!says_unchanged(""));
    }

    #[test]
    fn capabilities_are_those_the_template_needs() {
        let role = |properties| json!({ "Resources": { "R": { "Type": "AWS::IAM::Role", "Properties": properties } } });
        assert_eq!(capabilities(&json!({ "Resources": { "T": { "Type": "AWS::SNS::Topic" } } })), []);
        assert_eq!(capabilities(&role(json!({}))), [Capability::CapabilityIam]);
        assert_eq!(capabilities(&role(json!({ "RoleName": "r" }))), [Capability::CapabilityNamedIam]);
        let nested = json!({ "Resources": { "S": { "Type": "AWS::CloudFormation::Stack" } } });
        assert_eq!(capabilities(&nested), [Capability::CapabilityAutoExpand]);
        assert_eq!(capabilities(&json!("no template")), []);
    }

    #[test]
    fn what_is_kept_is_not_called_removed() {
        assert_eq!(action(Some(&ChangeAction::Remove), None, None), Action::Remove);
        assert_eq!(action(Some(&ChangeAction::Remove), None, Some(&PolicyAction::Retain)), Action::Release);
        let modify = Some(&ChangeAction::Modify);
        assert_eq!(action(modify, Some(&Replacement::True), None), Action::Replace);
        assert_eq!(
            action(modify, Some(&Replacement::True), Some(&PolicyAction::ReplaceAndRetain)),
            Action::ReplaceAndRelease
        );
        assert_eq!(action(modify, Some(&Replacement::Conditional), None), Action::MayReplace);
        assert_eq!(action(modify, Some(&Replacement::False), None), Action::Modify);
    }

    #[test]
    fn a_replaced_resource_that_keeps_its_name_is_in_its_own_way() {
        let change = |action, logical_id: &str| Change {
            action,
            logical_id: logical_id.into(),
            kind: "AWS::Lambda::Function".into(),
            because: Vec::new(),
        };
        let changes = [
            change(Action::Replace, "Kept"),
            change(Action::Replace, "Renamed"),
            change(Action::Replace, "Unnamed"),
            change(Action::Modify, "Changed"),
        ];
        let set = ChangeSet {
            id: String::new(),
            stack: String::new(),
            stack_id: String::new(),
            is_new: false,
            changes: changes.to_vec(),
        };
        let template = |renamed: &str| {
            let named = |name: &str| json!({ "Properties": { "FunctionName": name } });
            let unnamed = json!({ "Properties": {} });
            let resources = json!({
                "Kept": named("a"), "Renamed": named(renamed), "Changed": named("c"), "Unnamed": unnamed
            });
            json!({ "Resources": resources }).to_string()
        };
        let taken = set.names_taken(&template("old"), &template("new"));
        assert_eq!(taken.iter().map(|one| (&*one.logical_id, &*one.name)).collect::<Vec<_>>(), [("Kept", "a")]);
        let yaml = "Resources:\n  Kept: { Properties: { FunctionName: a } }";
        assert_eq!(set.names_taken(yaml, &template("new")), taken, "a template may be YAML");
        assert!(set.names_taken("no: template", &template("new")).is_empty());
    }

    #[test]
    fn a_replaced_user_pool_loses_its_users() {
        let change =
            |action, kind: &str| Change { action, logical_id: "Users".into(), kind: kind.into(), because: Vec::new() };
        assert!(change(Action::Replace, "AWS::Cognito::UserPool").loses_data());
        assert!(change(Action::Remove, "AWS::DynamoDB::Table").loses_data());
        assert!(!change(Action::ReplaceAndRelease, "AWS::Cognito::UserPool").loses_data());
        assert!(!change(Action::Modify, "AWS::Cognito::UserPool").loses_data());
        assert!(!change(Action::Replace, "AWS::Lambda::Permission").loses_data());
    }

    #[test]
    fn a_parameter_that_nobody_gives_keeps_its_value() {
        let template = json!({ "Parameters": { "AssetBucket": {}, "CodeKey": {}, "Stage": {}, "New": {} } });
        let unit = Unit { parameters: BTreeMap::from([("CodeKey".to_owned(), "k.zip".to_owned())]), ..Unit::default() };
        let deployed = Stack {
            name: String::new(),
            id: String::new(),
            status: String::new(),
            reason: None,
            outputs: BTreeMap::new(),
            exports: BTreeSet::new(),
            parameters: BTreeMap::from([("Stage".to_owned(), "beta".to_owned())]),
            tags: BTreeMap::new(),
            protection: Protection::Off,
        };
        let own = Store::own("bucket");
        let given = parameters(&template, &unit, Some(&deployed), Some(&own));
        let by_name = |name| given.iter().find(|parameter| parameter.parameter_key() == Some(name));
        assert_eq!(by_name("AssetBucket").and_then(Parameter::parameter_value), Some("bucket"));
        assert_eq!(by_name("CodeKey").and_then(Parameter::parameter_value), Some("k.zip"));
        assert_eq!(by_name("Stage").and_then(Parameter::use_previous_value), Some(true));
        assert_eq!(by_name("New"), None);
    }

    #[test]
    fn the_resources_that_a_refusal_names_are_found() {
        let kind = |kind: &str| json!({ "Type": kind });
        let resources =
            json!({ "Api": kind("AWS::SNS::Topic"), "Apis": kind("AWS::SQS::Queue"), "Odd": kind("A::B::C") });
        let template = json!({ "Resources": resources }).to_string();
        let named = |words| named_resources(&template, words);
        assert_eq!(named("Template format error: Unrecognized resource types: [A::B::C]"), ["Odd"]);
        assert_eq!(named("Circular dependency between resources: [Apis, Odd]"), ["Apis", "Odd"]);
        assert_eq!(named("Template error: resource Api does not support attribute type X in Fn::GetAtt"), ["Api"]);
        assert_eq!(named("Template format error: [/Resources/Apis] resource type A::B is not supported"), ["Apis"]);
        assert!(named("Template may not exceed 1000000 bytes in size. Api").is_empty());
        assert!(named_resources("no template", "resource Api").is_empty());
    }

    #[test]
    fn a_finding_names_the_resource_once() {
        let finding = |path: &str| Finding {
            logical_id: "Users".into(),
            kind: "AWS::Cognito::UserPool".into(),
            path: path.into(),
            reason: "it exists already".into(),
        };
        assert_eq!(finding("/Resources/Users").to_string(), "`Users` (AWS::Cognito::UserPool): it exists already");
        assert_eq!(
            finding("/Resources/Users/Properties/Policies/PasswordPolicy").to_string(),
            "`Users` (AWS::Cognito::UserPool), `Policies.PasswordPolicy`: it exists already"
        );
    }

    #[test]
    fn a_nested_change_set_is_found_by_its_arn() {
        let reason = "Nested change set arn:aws:x was not successfully created: Currently in FAILED.";
        assert_eq!(nested_change_set(reason), Some("arn:aws:x"));
        assert_eq!(nested_change_set("No updates are to be performed."), None);
    }
}
