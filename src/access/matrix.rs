//! The access matrix: every way into a stack, and what each asks of the caller.
//!
//! It is read from a CloudFormation **template**, not from the model: overrides and raw resources count, and what is
//! deployed is read by the very same reader, whoever wrote it. Functions of CloudFormation are worked out as far as can
//! be known without asking an account. What remains is kept as a canonical expression in the notation of `Fn::Sub`:
//! `${Users}` is the resource `Users`, `${Users.Arn}` its ARN, `${AWS::Region}` the region, and `${Fn::If(A, b, c)}` a
//! choice that only a deployment can make. A literal `${` is written `${!`.
//!
//! Nothing is taken for granted: a guard that cannot be told is [`Guard::Unknown`], never public and never guarded. What
//! lies outside of the template, such as the parts of a nested stack, is told by [`Matrix::unseen`].

mod api;
mod function;
mod guard;
mod iam;
mod policy;
mod pool;
mod resolve;
mod resources;
mod rest;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::template::Template;

use resolve::Known;
use resources::Resources;

pub use guard::{Cognito, Guard, Jwt, Lambda};
pub use policy::{Grant, Policy};
pub use pool::{Client, Digests, Pool};
pub(super) use resolve::fields;
pub use resolve::{readable, references};

/// Every way into a stack.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Matrix {
    /// The APIs by logical id; those of another stack, to which this one adds routes, by the expression that names them.
    pub apis: BTreeMap<String, Api>,
    /// The functions by logical id.
    pub functions: BTreeMap<String, Function>,
    /// The user pools by logical id.
    pub pools: BTreeMap<String, Pool>,
    /// The domain names of APIs by logical id.
    pub domains: BTreeMap<String, Domain>,
    /// The usage plans by logical id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<String, UsagePlan>,
    /// The roles, users and groups that no function has, by logical id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub principals: BTreeMap<String, Principal>,
    /// The roles that functions have, by logical id. What they may do is told of the functions.
    #[serde(skip)]
    pub roles: BTreeMap<String, Principal>,
    /// Parts that hold more than the template shows, by logical id.
    pub unseen: BTreeMap<String, Unseen>,
    /// Resources that may say who gets in and that no fact above was read from, by logical id. A page does not list them:
    /// only whether they change can be told.
    #[serde(skip)]
    pub unread: BTreeMap<String, Unseen>,
    /// Logical ids of all resources that may say who gets in.
    #[serde(skip)]
    pub ids: BTreeSet<String>,
    /// The conditions under which resources are there, by logical id, where it cannot be told whether they hold.
    #[serde(skip)]
    pub conditions: BTreeMap<String, String>,
    /// Digests of what the conditions say of which it cannot be told whether they hold, by name.
    #[serde(skip)]
    pub undecided: BTreeMap<String, String>,
}

impl Matrix {
    /// Reads a template as it is deployed or would be. `parameters` are the values that it is deployed with; one that is
    /// absent has its default, or stays an expression. Pseudo parameters may be among them.
    ///
    /// Anything may be given: what is no template has no ways in.
    #[must_use]
    pub fn of(template: &Value, parameters: &BTreeMap<String, String>) -> Self {
        Self::of_place(template, parameters, &BTreeMap::new())
    }

    /// The same, where it is known which account and region a template is deployed to. `place` has pseudo parameters such
    /// as `AWS::AccountId`, by which conditions are decided; elsewhere these stay expressions.
    #[must_use]
    pub fn of_place(template: &Value, parameters: &BTreeMap<String, String>, place: &BTreeMap<String, String>) -> Self {
        let resources = Resources::of(template, Known { parameters, place });
        let mut apis = api::apis(&resources);
        apis.extend(rest::apis(&resources));
        let functions = function::functions(&resources);
        let mut matrix = Self {
            apis,
            roles: function::roles(&functions),
            functions,
            pools: pool::pools(&resources),
            domains: api::domains(&resources),
            plans: rest::plans(&resources),
            principals: iam::principals(&resources),
            unseen: resources.unseen(),
            ids: resources.ids(),
            conditions: resources.conditions(),
            undecided: resources.undecided(),
            ..Self::default()
        };
        matrix.unread = resources.unread();
        matrix
    }

    /// Reads a template that was synthesized.
    #[must_use]
    pub fn of_template(template: &Template, parameters: &BTreeMap<String, String>) -> Self {
        // Every key of a template is a text, so it always has a value.
        Self::of(&serde_json::to_value(template).unwrap_or_default(), parameters)
    }
}

/// A value of a template with its functions worked out as far as can be known; parameters have their defaults, and
/// `AWS::NoValue` is null.
pub(super) fn worked_out(template: &Value, value: &Value) -> Value {
    let nothing = BTreeMap::new();
    resolve::Resolver::new(template, Known { parameters: &nothing, place: &nothing }).value(value)
}

/// A value that a template says, or an expression that only a deployment can work out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Setting<T> {
    /// The value.
    Known(T),
    /// The expression.
    Unknown {
        /// In the notation of `Fn::Sub`.
        unknown: String,
    },
}

impl<T: Default> Default for Setting<T> {
    fn default() -> Self {
        Self::Known(T::default())
    }
}

impl<T> Setting<T> {
    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown { .. } => None,
        }
    }
}

/// An API.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    /// Which kind it is.
    pub kind: Kind,
    /// Its routes by key, such as `GET /notes/{id}`, `$default` or `$connect`. A key whose path cannot be told has no
    /// slash after the method.
    pub routes: BTreeMap<String, Route>,
    /// Its stages by name.
    pub stages: BTreeMap<String, Stage>,
    /// Which pages of other origins may read its answers, by path: `/*` is all of them.
    pub cors: BTreeMap<String, Cors>,
    /// Whether it answers at the address that API Gateway gives it, besides its own domain names.
    pub execute_api_endpoint: Setting<bool>,
    /// Whether it can be reached only from within VPCs.
    pub private: Setting<bool>,
    /// The policy of a REST API, which applies before and beside what the routes ask.
    pub policy: Policy,
    /// Digest of an OpenAPI document that declares more routes, which are not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Logical ids, or names, of the domain names that lead to it.
    pub domains: BTreeSet<String>,
    /// Where an API key is looked for by routes that need one.
    pub key_source: Setting<KeySource>,
    /// Logical ids of its deployments: each is a copy of it.
    #[serde(skip)]
    pub deployments: BTreeSet<String>,
}

/// Where API keys are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeySource {
    /// In the header `X-API-Key` of the request.
    Header,
    /// In what the function answers that decides: callers need not have one.
    Authorizer,
}

/// The kinds of APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// API Gateway v2.
    Http,
    /// API Gateway v1.
    Rest,
    /// API Gateway v2, over WebSockets.
    WebSocket,
}

/// A route of an API.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Who passes.
    pub guard: Guard,
    /// Whether the caller needs an API key as well.
    pub api_key: Setting<bool>,
    /// What answers.
    pub behind: Behind,
    /// Digest of the rights with which the gateway calls that, and of what it makes of a request to another service of AWS.
    #[serde(skip)]
    pub call: Option<String>,
    /// Version of the event that the function gets, where it can be chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Condition of the template under which the route is there, where it cannot be told whether that holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_if: Option<String>,
}

impl Route {
    /// Whether it only tells browsers what is allowed: such a route is public by nature, and answers nothing else.
    #[must_use]
    pub fn is_preflight(&self, key: &str) -> bool {
        key.starts_with("OPTIONS ") && self.behind == Behind::Fixed
    }
}

/// What answers a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Behind {
    /// A function: its logical id, or the expression that names it.
    Function(String),
    /// The gateway itself, with a fixed answer.
    Fixed,
    /// Something else, by its address.
    Other(String),
    /// Nothing that the template tells.
    Nothing,
}

/// A stage of an API.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// What holds for routes that have no limits of their own.
    pub limits: Limits,
    /// Routes with limits of their own, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<String, Limits>,
    /// Digests of its variables by name, which may be secret.
    #[serde(serialize_with = "resources::names_only", skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// The copy of the API that it serves: a logical id, or the expression that names it. The API itself where it is
    /// absent.
    #[serde(skip)]
    pub deployment: Option<String>,
    /// The copy that some of its requests are served by.
    #[serde(skip)]
    pub canary: Option<String>,
}

impl Stage {
    /// What holds for a route.
    #[must_use]
    pub fn limits(&self, route: &str) -> &Limits {
        self.routes.get(route).unwrap_or(&self.limits)
    }
}

/// How often a route may be called, and how long its answers are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests a second; those of the account where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Setting<f64>>,
    /// Requests at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<Setting<f64>>,
    /// Seconds for which answers are kept and given to whoever asks with the same cache key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<Setting<f64>>,
}

/// What callers with certain API keys may do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsagePlan {
    /// The stages that the keys open, such as `prod of Api`.
    pub stages: BTreeSet<String>,
    /// The APIs of those stages: logical ids, or the expressions that name them.
    #[serde(skip)]
    pub apis: BTreeSet<String>,
    /// How often each key may call.
    pub limits: Limits,
    /// The same of single methods, such as `/orders/POST at prod of Api`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub methods: BTreeMap<String, Limits>,
    /// Requests of each key in a period; any number where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Setting<f64>>,
    /// `DAY`, `WEEK` or `MONTH`.
    pub period: String,
}

/// Which pages of other origins may read answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cors {
    /// Origins; `*` is every one.
    pub origins: BTreeSet<String>,
    /// Methods.
    pub methods: BTreeSet<String>,
    /// Headers that a page may send, in lower case.
    pub headers: BTreeSet<String>,
    /// Whether browsers send cookies and let pages read the answers to that.
    pub credentials: Setting<bool>,
    /// Digest of the templates that make the answer's headers, which are not read.
    #[serde(skip)]
    pub template: Option<String>,
}

/// A function.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// What it may do. Functions of one role share it.
    #[serde(serialize_with = "shared")]
    pub powers: Arc<Powers>,
    /// Logical id of its role, where that is in the template.
    #[serde(skip)]
    pub role: Option<String>,
    /// Who may invoke it besides the APIs and resources of this very template.
    pub callers: BTreeSet<Caller>,
    /// Its own address, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<FunctionUrl>,
    /// The addresses of its aliases, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, FunctionUrl>,
}

fn shared<S: Serializer>(powers: &Arc<Powers>, serializer: S) -> Result<S::Ok, S::Error> {
    powers.as_ref().serialize(serializer)
}

/// A role, a user or a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// Which of them.
    pub kind: PrincipalKind,
    /// What it may do.
    pub powers: Powers,
    /// The groups that a user is in.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
}

/// Whoever can have policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PrincipalKind {
    /// Whoever assumes it.
    Role,
    /// Whoever has its keys or its password.
    User,
    /// The users in it.
    Group,
}

/// What a function may do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Powers {
    /// The statements of its role's policies.
    pub policy: Policy,
    /// ARNs of managed policies, which are not read.
    pub managed: BTreeSet<String>,
    /// Its role, where that is not in the template: what it may do is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The policy that bounds what the others may allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    /// What that policy says, where it is in the template.
    #[serde(skip_serializing_if = "Policy::is_empty")]
    pub within: Policy,
    /// Who may assume the role.
    #[serde(skip_serializing_if = "Policy::is_empty")]
    pub trust: Policy,
    /// Digests of the other properties that may say who has these powers, and for how long, by name.
    #[serde(skip)]
    pub others: BTreeMap<String, String>,
}

/// Somebody who may invoke a function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// A service, an account, an ARN, or `*` for everybody.
    pub principal: String,
    /// On whose behalf: an ARN, an account or an organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which doors it opens: an action, and the kind of function URL.
    pub action: String,
    /// Which version or alias of the function, where it is not the function itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
}

/// The address of a function that has one of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionUrl {
    /// Who passes.
    pub guard: Guard,
    /// Which pages of other origins may read its answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

/// A domain name of APIs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Domain {
    /// The name.
    pub name: String,
    /// Where the certificates are kept whose holders may connect; anybody may where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutual_tls: Option<String>,
    /// Which version of these certificates; the one that was there when the name was set up where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truststore_version: Option<String>,
    /// The oldest TLS that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// Digest of what says from where a private name is reached, and which of its APIs.
    #[serde(skip)]
    pub others: String,
}

/// A part of a template that holds more than the template shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unseen {
    /// Its type, such as `AWS::CloudFormation::Stack`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digest of all that the template says of it, which may hold secrets and is not written.
    #[serde(skip)]
    pub digest: String,
    /// Whether it says by itself to whom it is given, as a managed policy may.
    #[serde(skip)]
    pub is_given: bool,
    /// The usage plan that it is a part of, as a key may be: a logical id, or the expression that names it.
    #[serde(skip)]
    pub plan: Option<String>,
}

impl Unseen {
    fn of(kind: String, digest: String) -> Self {
        Self { kind, digest, is_given: false, plan: None }
    }
}

#[cfg(test)]
mod tests;
