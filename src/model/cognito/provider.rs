//! Who vouches for the users of a pool besides the pool itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use derive_setters::Setters;
use garde::Validate;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::UserPool;
use crate::model::ids::Derived;
use crate::model::secretsmanager::SecretText;
use crate::model::{Declared, Ref, Resource, Stack, Value, check, properties};

/// Somebody else who vouches for users of a pool: a company with sign-in pages of its own.
///
/// Exactly one of `google`, `facebook`, `amazon`, `apple`, `saml` and `oidc` says who. Synthesis derives `ProviderType`,
/// `ProviderDetails` and `ProviderName` (`name`, or the provider's id, for `saml` and `oidc`; the others have one name
/// each).
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct IdentityProvider {
    /// The pool whose users it vouches for.
    #[setters(skip)]
    #[garde(dive)]
    pub user_pool: Ref<UserPool>,
    /// The name by which requests choose the provider; its id when absent. Only `saml` and `oidc` have a choice.
    #[serde(default)]
    pub name: Option<String>,
    /// Google.
    #[serde(default)]
    #[setters(skip)]
    #[garde(dive)]
    pub google: Option<Social>,
    /// Facebook.
    #[serde(default)]
    #[setters(skip)]
    #[garde(dive)]
    pub facebook: Option<Facebook>,
    /// Login with Amazon.
    #[serde(default)]
    #[setters(skip)]
    #[garde(dive)]
    pub amazon: Option<Social>,
    /// Sign in with Apple.
    #[serde(default)]
    #[setters(skip)]
    #[garde(dive)]
    pub apple: Option<Apple>,
    /// Any provider that speaks SAML 2.0.
    #[serde(default)]
    #[setters(skip)]
    #[garde(dive)]
    pub saml: Option<Saml>,
    /// Any provider that speaks OpenID Connect.
    #[serde(default)]
    #[setters(skip)]
    #[garde(dive)]
    pub oidc: Option<Oidc>,
    /// Which attribute of the pool is filled from which one of the provider: `email: email`.
    #[serde(default)]
    pub attribute_mapping: BTreeMap<String, String>,
    /// Other names by which requests may choose the provider, such as the domains of its users' addresses.
    #[serde(default)]
    #[garde(length(max = 50), inner(length(min = 1, max = 40)))]
    pub idp_identifiers: Vec<String>,
    /// The condition without which there is no such provider; clients then go without it.
    #[serde(default)]
    #[garde(inner(custom(check::condition)))]
    pub condition: Option<String>,
}

/// Who an identity provider is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Provider<'a> {
    /// Google.
    Google(&'a Social),
    /// Facebook.
    Facebook(&'a Facebook),
    /// Login with Amazon.
    Amazon(&'a Social),
    /// Sign in with Apple.
    Apple(&'a Apple),
    /// Any provider that speaks SAML 2.0.
    Saml(&'a Saml),
    /// Any provider that speaks OpenID Connect.
    Oidc(&'a Oidc),
}

impl Provider<'_> {
    /// Its type as Cognito has it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Google(_) => "Google",
            Self::Facebook(_) => "Facebook",
            Self::Amazon(_) => "LoginWithAmazon",
            Self::Apple(_) => "SignInWithApple",
            Self::Saml(_) => "SAML",
            Self::Oidc(_) => "OIDC",
        }
    }

    /// Whether there may be several of its type, each with a name of its own.
    pub fn is_named(self) -> bool {
        matches!(self, Self::Saml(_) | Self::Oidc(_))
    }

    /// The secret with which the pool proves to it who it is, and the field that names it.
    pub fn secret(&self) -> Option<(&'static str, &SecretText)> {
        match self {
            Self::Google(it) | Self::Amazon(it) => Some(("clientSecret", &it.client_secret)),
            Self::Facebook(it) => Some(("clientSecret", &it.client_secret)),
            Self::Apple(it) => Some(("privateKey", &it.private_key)),
            Self::Oidc(it) => it.client_secret.as_ref().map(|secret| ("clientSecret", secret)),
            Self::Saml(_) => None,
        }
    }
}

impl IdentityProvider {
    fn of(user_pool: Ref<UserPool>) -> Self {
        Self {
            user_pool,
            name: None,
            google: None,
            facebook: None,
            amazon: None,
            apple: None,
            saml: None,
            oidc: None,
            attribute_mapping: BTreeMap::new(),
            idp_identifiers: Vec::new(),
            condition: None,
        }
    }

    /// Google vouches for users of the pool.
    pub fn google(user_pool: impl Into<Ref<UserPool>>, google: Social) -> Self {
        Self { google: Some(google), ..Self::of(user_pool.into()) }
    }

    /// Facebook vouches for users of the pool.
    pub fn facebook(user_pool: impl Into<Ref<UserPool>>, facebook: Facebook) -> Self {
        Self { facebook: Some(facebook), ..Self::of(user_pool.into()) }
    }

    /// Amazon vouches for users of the pool.
    pub fn amazon(user_pool: impl Into<Ref<UserPool>>, amazon: Social) -> Self {
        Self { amazon: Some(amazon), ..Self::of(user_pool.into()) }
    }

    /// Apple vouches for users of the pool.
    pub fn apple(user_pool: impl Into<Ref<UserPool>>, apple: Apple) -> Self {
        Self { apple: Some(apple), ..Self::of(user_pool.into()) }
    }

    /// A provider that speaks SAML vouches for users of the pool.
    pub fn saml(user_pool: impl Into<Ref<UserPool>>, saml: Saml) -> Self {
        Self { saml: Some(saml), ..Self::of(user_pool.into()) }
    }

    /// A provider that speaks OpenID Connect vouches for users of the pool.
    pub fn oidc(user_pool: impl Into<Ref<UserPool>>, oidc: Oidc) -> Self {
        Self { oidc: Some(oidc), ..Self::of(user_pool.into()) }
    }

    /// Fills an attribute of the pool from one of the provider.
    pub fn attribute(mut self, of_the_pool: impl Into<String>, of_the_provider: impl Into<String>) -> Self {
        self.attribute_mapping.insert(of_the_pool.into(), of_the_provider.into());
        self
    }

    /// Everybody that it is said to be, by the field that says so; the checks refuse more or fewer than one.
    pub fn said(&self) -> Vec<(&'static str, Provider<'_>)> {
        let said = [
            ("google", self.google.as_ref().map(Provider::Google)),
            ("facebook", self.facebook.as_ref().map(Provider::Facebook)),
            ("amazon", self.amazon.as_ref().map(Provider::Amazon)),
            ("apple", self.apple.as_ref().map(Provider::Apple)),
            ("saml", self.saml.as_ref().map(Provider::Saml)),
            ("oidc", self.oidc.as_ref().map(Provider::Oidc)),
        ];
        said.into_iter().filter_map(|(field, provider)| Some((field, provider?))).collect()
    }

    /// Who it is; `None` unless exactly one says so.
    pub fn provider(&self) -> Option<Provider<'_>> {
        match self.said().as_slice() {
            [(_, provider)] => Some(*provider),
            _ => None,
        }
    }

    /// The name by which clients and requests know the provider that is declared as `id`.
    pub fn name_of<'a>(&'a self, id: &'a str) -> &'a str {
        match self.provider() {
            Some(provider) if !provider.is_named() => provider.kind(),
            _ => self.name.as_deref().unwrap_or(id),
        }
    }
}

impl Resource for IdentityProvider {
    const TYPE: &'static str = "AWS::Cognito::UserPoolIdentityProvider";
    const NAME: &'static str = "identity provider";
    const ATTRIBUTES: &'static [&'static str] = &[];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.identity_providers
    }

    fn derived(&self, _: &str) -> Vec<Derived> {
        Vec::new()
    }
}

/// How a pool is known to Google or to Amazon; serialized as Cognito's `ProviderDetails`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "snake_case"))]
#[setters(into, strip_option)]
pub struct Social {
    /// The id of the pool there.
    #[setters(skip)]
    #[garde(dive)]
    pub client_id: Value,
    /// Where the pool's secret there is kept.
    #[setters(skip)]
    #[garde(dive)]
    pub client_secret: SecretText,
    /// What the provider is asked to tell: `[openid, email, profile]` of Google, `[profile]` of Amazon.
    #[serde(rename(serialize = "authorize_scopes"), serialize_with = "properties::words")]
    #[garde(length(min = 1))]
    pub scopes: Vec<String>,
}

impl Social {
    /// The pool's id and secret there, and what is asked for.
    pub fn new<S: Into<String>>(
        client_id: impl Into<Value>,
        client_secret: impl Into<SecretText>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        let scopes = scopes.into_iter().map(Into::into).collect();
        Self { client_id: client_id.into(), client_secret: client_secret.into(), scopes }
    }
}

/// How a pool is known to Facebook; serialized as Cognito's `ProviderDetails`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "snake_case"))]
#[setters(into, strip_option)]
pub struct Facebook {
    /// The id of the pool there.
    #[setters(skip)]
    #[garde(dive)]
    pub client_id: Value,
    /// Where the pool's secret there is kept.
    #[setters(skip)]
    #[garde(dive)]
    pub client_secret: SecretText,
    /// What Facebook is asked to tell: `[public_profile, email]`.
    #[serde(rename(serialize = "authorize_scopes"), serialize_with = "properties::words_after_commas")]
    #[garde(length(min = 1))]
    pub scopes: Vec<String>,
    /// The version of its interface, such as `v17.0`; Cognito chooses one when absent.
    #[serde(default)]
    #[garde(inner(custom(check::facebook_version)))]
    pub api_version: Option<String>,
}

/// How a pool is known to Apple; serialized as Cognito's `ProviderDetails`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "snake_case"))]
#[setters(into, strip_option)]
pub struct Apple {
    /// The id of the service there.
    #[garde(dive)]
    pub client_id: Value,
    /// The id of the team there.
    #[garde(dive)]
    pub team_id: Value,
    /// The id of the key there.
    #[garde(dive)]
    pub key_id: Value,
    /// Where the private key is kept.
    #[garde(dive)]
    pub private_key: SecretText,
    /// What Apple is asked to tell: `[email, name]`.
    #[serde(rename(serialize = "authorize_scopes"), serialize_with = "properties::words")]
    #[garde(length(min = 1))]
    pub scopes: Vec<String>,
}

/// How a provider is reached that speaks SAML 2.0; serialized as Cognito's `ProviderDetails`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase"))]
#[setters(into, strip_option)]
pub struct Saml {
    /// Where its metadata is: an https URL.
    #[serde(rename(serialize = "MetadataURL", deserialize = "metadataUrl"))]
    #[garde(inner(custom(check::endpoint)))]
    pub metadata_url: Option<Value>,
    /// Its metadata itself, as XML.
    #[serde(rename(serialize = "MetadataFile"))]
    #[garde(length(min = 1, max = 131_072))]
    pub metadata_file: Option<String>,
    /// Whether users who sign out are signed out there as well.
    #[serde(rename(serialize = "IDPSignout"), serialize_with = "properties::text")]
    pub idp_signout: bool,
    /// Whether users may come from its own pages, without having asked the pool first.
    #[serde(rename(serialize = "IDPInit"), serialize_with = "properties::text")]
    pub idp_init: bool,
    /// Whether it encrypts what it says.
    #[serde(rename(serialize = "EncryptedResponses"), serialize_with = "properties::text")]
    pub encrypted_responses: bool,
    /// Whether requests to it are signed.
    #[serde(rename(serialize = "RequestSigningAlgorithm"), serialize_with = "properties::rsa_sha256")]
    pub signed_requests: bool,
}

/// How a provider is reached that speaks OpenID Connect; serialized as Cognito's `ProviderDetails`.
///
/// Cognito finds the four URLs below `issuer`, unless they are given.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "snake_case"))]
#[setters(into, strip_option)]
pub struct Oidc {
    /// The id of the pool there.
    #[setters(skip)]
    #[garde(dive)]
    pub client_id: Value,
    /// Where the pool's secret there is kept; none for a public client.
    #[serde(default)]
    #[garde(dive)]
    pub client_secret: Option<SecretText>,
    /// The issuer of its tokens: an https URL.
    #[serde(rename(serialize = "oidc_issuer"))]
    #[setters(skip)]
    #[garde(dive)]
    pub issuer: Value,
    /// What the provider is asked to tell; `openid` is among it.
    #[serde(rename(serialize = "authorize_scopes"), serialize_with = "properties::words")]
    #[garde(length(min = 1))]
    pub scopes: Vec<String>,
    /// How attributes are asked for.
    #[serde(default)]
    pub attributes_request_method: RequestMethod,
    /// Where users sign in.
    #[serde(default)]
    #[garde(inner(custom(check::endpoint)))]
    pub authorize_url: Option<Value>,
    /// Where codes are exchanged.
    #[serde(default)]
    #[garde(inner(custom(check::endpoint)))]
    pub token_url: Option<Value>,
    /// Where attributes are asked for.
    #[serde(default)]
    #[garde(inner(custom(check::endpoint)))]
    pub attributes_url: Option<Value>,
    /// Where its keys are.
    #[serde(default)]
    #[garde(inner(custom(check::endpoint)))]
    pub jwks_uri: Option<Value>,
}

impl Oidc {
    /// The pool's id there, the issuer, and what is asked for.
    pub fn new<S: Into<String>>(
        client_id: impl Into<Value>,
        issuer: impl Into<Value>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: None,
            issuer: issuer.into(),
            scopes: scopes.into_iter().map(Into::into).collect(),
            attributes_request_method: RequestMethod::default(),
            authorize_url: None,
            token_url: None,
            attributes_url: None,
            jwks_uri: None,
        }
    }
}

/// How attributes are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequestMethod {
    /// With GET.
    #[default]
    Get,
    /// With POST.
    Post,
}

/// Who may vouch for the users of a client: `COGNITO` is the pool itself, anything else the id of an identity provider
/// of the stack, or the name of one that the stack does not declare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Voucher(String);

impl Voucher {
    /// The pool itself.
    pub fn cognito() -> Self {
        Self("COGNITO".to_owned())
    }

    /// The id or name, as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Voucher {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl From<&str> for Voucher {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// A provider of another stack has no id here: its name is needed.
impl From<&Ref<IdentityProvider>> for Voucher {
    fn from(provider: &Ref<IdentityProvider>) -> Self {
        Self(crate::model::ids::pointed(provider.target()))
    }
}

impl JsonSchema for Voucher {
    fn schema_name() -> Cow<'static, str> {
        "Voucher".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "`COGNITO`, the id of an identity provider of the stack, or the name of another one.",
            "type": "string"
        })
    }
}

impl Stack {
    /// The identity provider that a client of `pool` means, by its id or its name, with its id.
    pub(crate) fn provider_of(&self, pool: &Ref<UserPool>, voucher: &Voucher) -> Option<(&str, &IdentityProvider)> {
        let named =
            |(id, it): &(&String, &IdentityProvider)| it.user_pool == *pool && it.name_of(id) == voucher.as_str();
        let by_id = self.identity_providers.get_key_value(voucher.as_str());
        by_id.or_else(|| self.identity_providers.iter().find(named)).map(|(id, it)| (id.as_str(), it))
    }
}
