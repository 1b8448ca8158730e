//! A stack as the user declares it: plain typed data, without I/O.
//!
//! Every field is declared once. From that one declaration come the Rust setter, the YAML name (camelCase), the JSON
//! Schema, the range checks and, for a field that is a CloudFormation property, the property itself: serializing a
//! resource gives its properties in PascalCase, where `null`, an empty list and an empty map mean "absent". Fields that
//! are plumbing are not serialized; the doc comment of each struct says what synthesis derives from them.

pub mod apigateway;
pub mod apigatewayv2;
pub mod check;
pub mod cognito;
pub mod duration;
pub mod dynamodb;
pub mod iam;
pub mod ids;
pub mod lambda;
pub mod properties;
pub mod raw;
pub mod reference;
pub mod secretsmanager;
pub mod ses;
pub mod value;

use std::collections::{BTreeMap, BTreeSet};

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

pub use check::{Complaint, Declared, Others};
pub use reference::{Arn, Ref};
pub use value::{CrossStack, Value};

use apigateway::RestApi;
use apigatewayv2::{HttpApi, WebSocketApi};
use cognito::{IdentityProvider, UserPool, UserPoolClient};
use dynamodb::Table;
use lambda::Function;
use raw::{Condition, Output, Override, Parameter, RawResource, Suppression};
use secretsmanager::Secret;
use ses::EmailIdentity;

/// A free-form JSON value, for the places where the model ends.
pub type Json = serde_json::Value;

/// Everything that one stack file declares.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct Stack {
    /// What the stack is for; shown in the CloudFormation console.
    #[garde(length(bytes, max = 1024))]
    pub description: Option<String>,
    /// Tags put on the stack and, by CloudFormation, on all its resources.
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub tags: BTreeMap<String, String>,
    /// Whether CloudFormation refuses to delete the stack. When absent, a deployment leaves this as it is.
    pub termination_protection: Option<bool>,
    /// Values given when the stack is deployed.
    #[garde(dive)]
    pub parameters: BTreeMap<String, Parameter>,
    /// Conditions that resources and outputs may depend on.
    #[garde(dive)]
    pub conditions: BTreeMap<String, Condition>,
    /// Directories of users who can sign in.
    #[garde(dive)]
    pub user_pools: BTreeMap<String, UserPool>,
    /// Others who vouch for the users of a pool.
    #[garde(dive)]
    pub identity_providers: BTreeMap<String, IdentityProvider>,
    /// Applications that sign users in.
    #[garde(dive)]
    pub user_pool_clients: BTreeMap<String, UserPoolClient>,
    /// Secrets that Secrets Manager keeps.
    #[garde(dive)]
    pub secrets: BTreeMap<String, Secret>,
    /// DynamoDB tables.
    #[garde(dive)]
    pub tables: BTreeMap<String, Table>,
    /// Addresses and domains that mail is sent from.
    #[garde(dive)]
    pub email_identities: BTreeMap<String, EmailIdentity>,
    /// Lambda functions.
    #[garde(dive)]
    pub functions: BTreeMap<String, Function>,
    /// HTTP APIs with their routes and authorizers.
    #[garde(dive)]
    pub http_apis: BTreeMap<String, HttpApi>,
    /// REST APIs with their routes, authorizers and usage plans.
    #[garde(dive)]
    pub rest_apis: BTreeMap<String, RestApi>,
    /// WebSocket APIs with their routes and authorizers.
    #[garde(dive)]
    pub web_socket_apis: BTreeMap<String, WebSocketApi>,
    /// Resources of any other type, written as CloudFormation has them.
    #[garde(dive)]
    pub resources: BTreeMap<String, RawResource>,
    /// Changes to what is synthesized for a resource, by logical id; derived resources included.
    #[garde(dive)]
    pub overrides: BTreeMap<String, Override>,
    /// Findings that are as they should be, by the rule: `implicit-flow` of stackgen itself, `CKV_AWS_117` of checkov.
    #[garde(dive)]
    pub suppressions: BTreeMap<String, Suppression>,
    /// Values that the deployed stack shows, and that other stacks may use.
    #[garde(dive)]
    pub outputs: BTreeMap<String, Output>,
    /// Ids that `add` was given twice; a file cannot contain any.
    #[serde(skip)]
    #[schemars(skip)]
    #[setters(skip)]
    repeated: BTreeSet<String>,
}

/// A kind of resource that a stack file has a section for.
pub trait Resource: Sized {
    /// Its CloudFormation type.
    const TYPE: &'static str;
    /// What it is called in messages.
    const NAME: &'static str;
    /// What `{ get: Id.Attribute }` may ask of it.
    const ATTRIBUTES: &'static [&'static str];
    /// The section that holds it.
    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self>;
    /// The logical ids that synthesis derives from one declaration, with what each one is.
    fn derived(&self, id: &str) -> Vec<ids::Derived>;
}

/// One declaration of a stack, whatever its kind.
#[derive(Debug, Clone)]
pub struct Declaration<'a> {
    /// The section of the stack file, as written there.
    pub section: &'static str,
    /// The logical id.
    pub id: &'a str,
    /// The CloudFormation type.
    pub kind: &'a str,
    /// What it is called in messages.
    pub name: &'static str,
    /// What `{ get: Id.Attribute }` may ask of it; `None` where the model cannot know.
    pub attributes: Option<&'static [&'static str]>,
    /// The logical ids that synthesis derives from it.
    pub derived: Vec<ids::Derived>,
}

impl Stack {
    /// Adds a resource under its logical id and returns the pointer that other resources take.
    pub fn add<T: Resource>(&mut self, id: impl Into<String>, resource: T) -> Ref<T> {
        let id = id.into();
        if T::section(self).insert(id.clone(), resource).is_some() {
            self.repeated.insert(id.clone());
        }
        Ref::new(id)
    }

    /// Adds an output.
    pub fn output(&mut self, name: impl Into<String>, output: impl Into<Output>) {
        self.outputs.insert(name.into(), output.into());
    }

    /// Says why what a rule finds is as it should be.
    pub fn suppress(&mut self, rule: impl Into<String>, suppression: Suppression) {
        self.suppressions.insert(rule.into(), suppression);
    }

    /// Calls `each` with every declared resource and parameter, in the order of the sections.
    pub fn visit<'a>(&'a self, each: &mut dyn FnMut(Declaration<'a>)) {
        section("userPools", &self.user_pools, each);
        section("identityProviders", &self.identity_providers, each);
        section("userPoolClients", &self.user_pool_clients, each);
        section("secrets", &self.secrets, each);
        section("tables", &self.tables, each);
        section("emailIdentities", &self.email_identities, each);
        section("functions", &self.functions, each);
        section("httpApis", &self.http_apis, each);
        section("restApis", &self.rest_apis, each);
        section("webSocketApis", &self.web_socket_apis, each);
        self.visit_raw(each);
    }

    fn visit_raw<'a>(&'a self, each: &mut dyn FnMut(Declaration<'a>)) {
        let raw =
            |section, id, kind, name| Declaration { section, id, kind, name, attributes: None, derived: Vec::new() };
        for id in self.parameters.keys() {
            each(Declaration { attributes: Some(&[]), ..raw("parameters", id, "Parameter", "parameter") });
        }
        for (id, resource) in &self.resources {
            each(raw("resources", id, &resource.kind, "raw resource"));
        }
    }

    /// Every complaint about the stack itself, by path. Who may call what is judged by [`crate::access`], which is a layer
    /// above: `synth::synthesize` asks both.
    ///
    /// `name` is the stack's name, by which it is deployed.
    pub fn check(&self, name: &str) -> Vec<Complaint> {
        check::check(self, &Declared::by(self, name))
    }

    /// Ids that `add` was given twice.
    pub(crate) fn repeated(&self) -> impl Iterator<Item = &str> {
        self.repeated.iter().map(String::as_str)
    }
}

fn section<'a, T: Resource>(
    section: &'static str,
    resources: &'a BTreeMap<String, T>,
    each: &mut dyn FnMut(Declaration<'a>),
) {
    for (id, resource) in resources {
        let derived = resource.derived(id);
        each(Declaration { section, id, kind: T::TYPE, name: T::NAME, attributes: Some(T::ATTRIBUTES), derived });
    }
}
