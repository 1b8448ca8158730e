//! The resources of a template, their properties worked out.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serializer;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::policy::Room;
use super::resolve::{Known, Resolver, fields, is_macro, references, referred, spelled, text};
use super::{Setting, Unseen, iam};
use crate::template::function::{ACCOUNT_ID, REGION};

/// Types that say who may call what. Others are not worked out, and cost nothing.
const CONCERNED: &[&str] =
    &["AWS::ApiGateway::", "AWS::ApiGatewayV2::", "AWS::Cognito::", "AWS::IAM::", "AWS::Lambda::"];

/// Types that call functions, and that nobody outside has call them: a rule is one only on the bus of the account itself.
const INNER: &[&str] = &[
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::Events::Rule",
    "AWS::Logs::LogGroup",
    "AWS::Scheduler::Schedule",
    // APIs, whose routes SAM makes.
    "AWS::Serverless::Api",
    "AWS::Serverless::HttpApi",
];

/// Services whose ARNs begin with the name of what is theirs, and of nothing else.
const INNER_SERVICES: &[&str] =
    &["cloudwatch", "cognito-idp", "cognito-sync", "events", "execute-api", "lambda", "logs", "scheduler"];

/// Whether somebody else may send what a rule passes on.
fn is_on_another_bus(rule: &Value) -> bool {
    let bus = rule.pointer("/Properties/EventBusName");
    bus.is_some_and(|bus| bus != "default")
}

/// Types whose resources are made of more than the template shows.
const UNSEEN: &[&str] = &[
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::Stack",
    "AWS::CloudFormation::StackSet",
    "AWS::Serverless::",
    "AWS::ServiceCatalog::CloudFormationProvisionedProduct",
    "Custom::",
];

/// How the type of a module ends, which stands for resources of its own.
const MODULE: &str = "::MODULE";

/// Types that let nobody in and keep nobody out: what leads to them, and what they lead to, is told elsewhere.
const HARMLESS: &[&str] = &[
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::ClientCertificate",
    // A deployment publishes the methods, which are read; which one a stage serves is read of the stage.
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::DocumentationPart",
    "AWS::ApiGateway::DocumentationVersion",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::VpcLink",
    "AWS::ApiGatewayV2::Deployment",
    "AWS::ApiGatewayV2::IntegrationResponse",
    "AWS::ApiGatewayV2::Model",
    "AWS::ApiGatewayV2::RouteResponse",
    "AWS::ApiGatewayV2::VpcLink",
    "AWS::Cognito::LogDeliveryConfiguration",
    "AWS::Cognito::ManagedLoginBranding",
    "AWS::Cognito::Terms",
    // Pages let in whom a client lets sign in by them.
    "AWS::Cognito::UserPoolDomain",
    "AWS::Cognito::UserPoolUICustomizationAttachment",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ServerCertificate",
    "AWS::IAM::ServiceLinkedRole",
    "AWS::IAM::VirtualMFADevice",
    // What it stands for is its function; whoever is asked by it is told of with that.
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Version",
];

/// Transforms that rewrite nothing but what is [`UNSEEN`] or has no type. Any other may rewrite everything.
const NARROW: &[&str] = &["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"];

/// The resources of a template that concern access, by logical id. Those whose condition does not hold are left out.
pub(super) struct Resources {
    all: BTreeMap<String, Resource>,
    unseen: BTreeMap<String, Unseen>,
    conditions: BTreeMap<String, String>,
    undecided: BTreeMap<String, String>,
    /// Logical ids of the resources of the types that are [`INNER`].
    inner: BTreeSet<String>,
    /// The account and region that the template is deployed to, as far as they are known.
    place: BTreeMap<String, String>,
    room: Room,
}

/// A resource.
pub(super) struct Resource {
    pub(super) kind: String,
    properties: Value,
    /// The condition under which it is there, where it cannot be told whether that holds.
    pub(super) only_if: Option<String>,
    /// Whether some fact of the matrix was read from it.
    is_read: Cell<bool>,
}

impl Resources {
    pub(super) fn of(template: &Value, known: Known<'_>) -> Self {
        let resolver = Resolver::new(template, known);
        let mut found = Self {
            all: BTreeMap::new(),
            unseen: BTreeMap::new(),
            conditions: BTreeMap::new(),
            undecided: BTreeMap::new(),
            inner: BTreeSet::new(),
            place: place(known),
            room: Room::default(),
        };
        found.transform(template);
        for (id, resource) in template.get("Resources").and_then(Value::as_object).into_iter().flatten() {
            found.add(id, resource, &resolver);
        }
        found.undecided = resolver.undecided();
        if resolver.gave_up() {
            // Whatever changes in it may change who passes.
            let digest = digest(&format!("{template} {:?}", known.parameters));
            let kind = "too large to be worked out".to_owned();
            found.unseen.insert("Template".to_owned(), Unseen::of(kind, digest));
        }
        found
    }

    /// What macros make of a template is known only to them.
    fn transform(&mut self, template: &Value) {
        let names = texts(template.get("Transform").unwrap_or(&Value::Null));
        let macros = template.as_object().into_iter().flatten().filter(|(name, _)| is_macro(name));
        let beside: Vec<String> = macros.map(|(name, said)| format!("{name}: {said}")).collect();
        if names.is_empty() && beside.is_empty() {
            return;
        }
        let is_narrow = beside.is_empty() && names.iter().all(|name| NARROW.contains(&name.as_str()));
        let concerned = if is_narrow { template.get("Globals") } else { template.get("Resources") };
        let said = concerned.map(ToString::to_string).unwrap_or_default();
        let kind = if names.is_empty() { "macro".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") };
        let digest = digest(&[said, beside.join(" ")].join(""));
        self.unseen.insert("Transform".to_owned(), Unseen::of(kind, digest));
    }

    fn add(&mut self, id: &str, resource: &Value, resolver: &Resolver<'_>) {
        let Some(kind) = resource.get("Type").and_then(Value::as_str) else {
            // A loop, or a macro that makes resources.
            let unseen = Unseen::of("resources".to_owned(), digest(&resource.to_string()));
            self.unseen.insert(id.to_owned(), unseen);
            return;
        };
        if INNER.contains(&kind) && !is_on_another_bus(resource) {
            self.inner.insert(id.to_owned());
        }
        let starts = |types: &[&str]| types.iter().any(|one| kind.starts_with(one));
        let (is_unseen, is_concerned) = (starts(UNSEEN) || kind.ends_with(MODULE), starts(CONCERNED));
        if !is_unseen && !is_concerned {
            return;
        }
        let condition = resource.get("Condition").and_then(Value::as_str);
        let holds = condition.map_or(Some(true), |name| resolver.condition(name));
        if holds == Some(false) {
            return;
        }
        let only_if = condition.filter(|_| holds.is_none()).map(str::to_owned);
        let is_told = IS_TOLD_OF_ROUTES.contains(&kind) || HARMLESS.contains(&kind);
        if let Some(condition) = only_if.clone().filter(|_| !is_told) {
            self.conditions.insert(id.to_owned(), condition);
        }
        resolver.was_rewritten();
        let properties = resource.get("Properties").map(|properties| resolver.value(properties)).unwrap_or_default();
        let is_made_by_macro = resolver.was_rewritten()
            || properties.is_string()
            || resource.as_object().is_some_and(|members| members.keys().any(|name| is_macro(name)));
        if is_unseen || is_made_by_macro {
            let said = if is_unseen { spelled(&properties) } else { resource.to_string() };
            self.unseen.insert(id.to_owned(), Unseen::of(kind.to_owned(), digest(&said)));
        }
        if is_concerned {
            let resource =
                Resource { kind: kind.to_owned(), properties, only_if, is_read: Cell::new(is_made_by_macro) };
            self.all.insert(id.to_owned(), resource);
        }
    }

    /// How many grants may still be told.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    pub(super) fn unseen(&self) -> BTreeMap<String, Unseen> {
        self.unseen.clone()
    }

    /// The resources from which nothing was read so far, though they may say who gets in.
    pub(super) fn unread(&self) -> BTreeMap<String, Unseen> {
        let left = self.all.iter().filter(|(_, one)| !one.is_read.get() && !HARMLESS.contains(&one.kind.as_str()));
        let unread = |one: &Resource| Unseen {
            is_given: iam::is_given(one),
            plan: one.text("UsagePlanId").map(|_| one.owner("UsagePlanId")),
            ..Unseen::of(one.kind.clone(), digest(&one.said()))
        };
        left.map(|(id, one)| (id.clone(), unread(one))).collect()
    }

    /// Logical ids of all resources that may say who gets in.
    pub(super) fn ids(&self) -> BTreeSet<String> {
        self.all.keys().chain(self.unseen.keys()).cloned().collect()
    }

    /// The conditions of resources that cannot be decided, by logical id. Those of routes are told of the routes.
    pub(super) fn conditions(&self) -> BTreeMap<String, String> {
        self.conditions.clone()
    }

    /// Digests of what the conditions say that cannot be decided, by name.
    pub(super) fn undecided(&self) -> BTreeMap<String, String> {
        self.undecided.clone()
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

    /// The resource of this logical id, if it is one of this type.
    pub(super) fn get_id(&self, id: &str, kind: &str) -> Option<&Resource> {
        self.all.get(id).filter(|resource| resource.kind == kind)
    }

    /// The resource of this type that has a name of its own, by that name.
    pub(super) fn named<'a>(&'a self, kind: &'a str, property: &str, name: &str) -> Option<(&'a str, &'a Resource)> {
        self.of_type(kind).find(|(_, resource)| resource.text(property).as_deref() == Some(name))
    }

    /// Whether a source of calls is a resource of this template that has its own place in the matrix, or that nobody
    /// outside reaches: itself, or an ARN of this account whose first name is the resource's.
    pub(super) fn is_own(&self, source: &str) -> bool {
        let is_inner = |id: &str| self.all.contains_key(id) || self.inner.contains(id);
        if let Some(id) = referred(source) {
            return is_inner(id);
        }
        match fields(source).as_slice() {
            ["arn", _, service, _, account, end @ ..] if self.is_here(account, ACCOUNT_ID) => {
                INNER_SERVICES.contains(service) && first_name(&end.join(":")).is_some_and(is_inner)
            }
            _ => false,
        }
    }

    /// The role, user, group or policy that an expression stands for: itself, or its name, alone or in its ARN.
    pub(super) fn principal<'a>(
        &'a self,
        expression: &'a str,
        kind: &'a str,
        name: &str,
    ) -> Option<(&'a str, &'a Resource)> {
        self.get(expression, kind).or_else(|| self.named(kind, name, self.name_within(expression)?))
    }

    /// The name in the ARN of a role, user, group or policy of this account, or what is no ARN as it is.
    fn name_within<'a>(&self, expression: &'a str) -> Option<&'a str> {
        match fields(expression).as_slice() {
            ["arn", _, "iam", _, account, named] => {
                self.is_here(account, ACCOUNT_ID).then(|| named.rsplit('/').next())?
            }
            ["arn", ..] => None,
            _ => Some(expression),
        }
    }

    /// Whether an account or a region, by its pseudo parameter, is the one that the template is deployed to. A literal one is
    /// another's unless it is known for ours.
    fn is_here(&self, given: &str, pseudo: &str) -> bool {
        given.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) == Some(pseudo)
            || self.place.get(pseudo).is_some_and(|own| own == given)
    }

    /// The function that an expression stands for: its logical id, or the expression itself. An alias and a version
    /// stand for their function, and so does its name.
    pub(super) fn function(&self, expression: &str) -> String {
        self.qualified(expression).0
    }

    /// The function that an expression stands for, and which version or alias of it.
    pub(super) fn qualified(&self, expression: &str) -> (String, Option<String>) {
        let Some((id, alias)) = VERSIONS.iter().find_map(|kind| self.get(expression, kind)) else {
            return self.declared(expression);
        };
        alias.note();
        let (function, _) = self.declared(&alias.text("FunctionName").unwrap_or_default());
        (function, Some(alias.text("Name").unwrap_or_else(|| id.to_owned())))
    }

    fn declared(&self, expression: &str) -> (String, Option<String>) {
        const FUNCTION: &str = "AWS::Lambda::Function";
        if let Some(id) = referred(expression) {
            return (id.to_owned(), None);
        }
        let (name, qualifier) = self.function_within(expression);
        let found =
            name.and_then(|name| self.get(name, FUNCTION).or_else(|| self.named(FUNCTION, "FunctionName", name)));
        found.map_or_else(|| (expression.to_owned(), None), |(id, _)| (id.to_owned(), qualifier.map(str::to_owned)))
    }

    /// The name of a function of this account and region, alone or in its ARN or the end of that, and its qualifier.
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
    fn function_within<'a>(&self, expression: &'a str) -> (Option<&'a str>, Option<&'a str>) {
        let all = fields(expression);
        let (name, qualifier, is_here) = match all.as_slice() {
            ["arn", _, "lambda", region, account, "function", name, rest @ ..] => {
                (name, rest, self.is_here(region, REGION) && self.is_here(account, ACCOUNT_ID))
            }
            [account, "function", name, rest @ ..] => (name, rest, self.is_here(account, ACCOUNT_ID)),
            [name, rest @ ..] => (name, rest, *name != "arn"),
            [] => return (None, None),
        };
        (is_here.then_some(*name), qualifier.first().copied())
    }

    /// The function in the address under which API Gateway invokes it, or in its ARN.
    pub(super) fn invoked(&self, address: &str) -> String {
        self.function(within(address))
    }

    /// The same, and which version or alias of it.
    pub(super) fn invoked_as(&self, address: &str) -> (String, Option<String>) {
        self.qualified(within(address))
    }

    /// What a version or an alias of a function is.
    pub(super) fn version(&self, function: &str, qualifier: &str) -> String {
        let all = VERSIONS.iter().flat_map(|kind| self.of_type(kind));
        let mut own = all.filter(|(_, one)| self.declared(&one.text("FunctionName").unwrap_or_default()).0 == function);
        let found = own.find(|(id, one)| one.text("Name").map_or(*id == qualifier, |name| name == qualifier));
        found.map_or_else(|| qualifier.to_owned(), |(_, one)| one.said())
    }

    /// What is said of the resources that an expression names, as a digest: nothing where it names none.
    pub(super) fn behind(&self, expression: &str) -> Option<String> {
        let named = references(expression).into_iter().filter_map(|name| self.all.get(name));
        let said: Vec<String> = named.map(Resource::said).collect();
        (!said.is_empty()).then(|| digest(&said.join(" ")))
    }
}

/// The first name in the end of an ARN, unless what stands before it may be anything.
fn first_name(end: &str) -> Option<&str> {
    let (before, rest) = end.split_once("${")?;
    rest.split(['.', '}']).next().filter(|_| !before.contains(['*', '?']))
}

/// What is known of the account and region that a template is deployed to.
fn place(known: Known<'_>) -> BTreeMap<String, String> {
    let all = known.place.iter().chain(known.parameters);
    let own = all.filter(|(name, _)| [ACCOUNT_ID, REGION].contains(&name.as_str()));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What a function can be named by besides itself.
const VERSIONS: [&str; 2] = ["AWS::Lambda::Alias", "AWS::Lambda::Version"];

/// Types whose conditions are told of the routes.
const IS_TOLD_OF_ROUTES: [&str; 2] = ["AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Route"];

/// The ARN in the address under which API Gateway invokes a function.
fn within(address: &str) -> &str {
    let inside = address.split_once(":lambda:path/2015-03-31/functions/").map_or(address, |(_, rest)| rest);
    inside.strip_suffix("/invocations").unwrap_or(inside)
}

impl Resource {
    /// Notes that something was read from it.
    pub(super) fn note(&self) {
        self.is_read.set(true);
    }

    /// Whether something was read from it.
    pub(super) fn is_read(&self) -> bool {
        self.is_read.get()
    }

    /// All that is said of it, but for what is said to people and to whoever pays.
    pub(super) fn said(&self) -> String {
        let mut properties = self.properties.clone();
        if let Some(members) = properties.as_object_mut() {
            members.retain(|name, _| !["Description", "Tags"].contains(&name.as_str()));
        }
        format!("{} {}", self.kind, spelled(&properties))
    }

    /// Digests of its properties but these, by name.
    pub(super) fn others(&self, read: &[&str]) -> BTreeMap<String, String> {
        let members = self.properties.as_object().into_iter().flatten();
        let others = members.filter(|(name, _)| !read.contains(&name.as_str()));
        others.map(|(name, value)| (name.clone(), digest(&spelled(value)))).collect()
    }

    /// Logical id of the resource that a property names, or the expression that names it.
    pub(super) fn owner(&self, property: &str) -> String {
        let named = self.text(property).unwrap_or_default();
        referred(&named).unwrap_or(&named).to_owned()
    }

    /// A property; null where it is absent.
    pub(super) fn get(&self, name: &str) -> &Value {
        self.properties.get(name).unwrap_or(&Value::Null)
    }

    /// A property, or a part of it, by its pointer.
    pub(super) fn part(&self, pointer: &str) -> &Value {
        let mut steps = pointer.split('/').skip(1);
        let first = steps.next().map_or(&Value::Null, |name| self.get(name));
        steps.fold(first, member)
    }

    /// A property in words.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        written(self.get(name))
    }
}

/// A member of a map, or an item of a list; null where it is absent. What is in an expression for the whole is not known:
/// it stands for each of its parts.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    match value {
        Value::String(_) => value,
        Value::Array(items) => name.parse().ok().and_then(|at: usize| items.get(at)).unwrap_or(&Value::Null),
        other => other.get(name).unwrap_or(&Value::Null),
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
