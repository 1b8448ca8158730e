//! The identity providers of others with which a pool's users may sign in.

use std::collections::BTreeMap;

use quick_xml::events::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cognito::UserPools;
use crate::cognito::directory::InPool;
use crate::cognito::fault::{invalid, missing};
use crate::cognito::moment::Moment;
use crate::cognito::pool::{Group, UserPool};
use crate::hidden::Hidden;
use crate::wire::Fault;

/// How a provider speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// SAML 2.0.
    #[serde(rename = "SAML")]
    Saml,
    /// Facebook.
    Facebook,
    /// Google.
    Google,
    /// Amazon.
    LoginWithAmazon,
    /// Apple.
    SignInWithApple,
    /// OpenID Connect.
    #[default]
    #[serde(rename = "OIDC")]
    Oidc,
}

impl Kind {
    /// As the API spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Saml => "SAML",
            Self::Facebook => "Facebook",
            Self::Google => "Google",
            Self::LoginWithAmazon => "LoginWithAmazon",
            Self::SignInWithApple => "SignInWithApple",
            Self::Oidc => "OIDC",
        }
    }

    /// The claim that names somebody, where the attribute mapping does not say.
    pub(crate) fn subject(self) -> &'static str {
        match self {
            Self::Saml => "NameID",
            Self::Facebook => "id",
            Self::LoginWithAmazon => "user_id",
            Self::Google | Self::SignInWithApple | Self::Oidc => "sub",
        }
    }

    /// Whether there is only one of its kind, which has its name.
    fn is_social(self) -> bool {
        !matches!(self, Self::Saml | Self::Oidc)
    }

    /// The details that must be stated.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Saml => &[],
            Self::SignInWithApple => &["client_id", "team_id", "key_id", "authorize_scopes"],
            Self::Oidc => &["client_id", "attributes_request_method", "oidc_issuer", "authorize_scopes"],
            Self::Facebook | Self::Google | Self::LoginWithAmazon => {
                &["client_id", "client_secret", "authorize_scopes"]
            }
        }
    }

    /// The places that Cognito knows by itself.
    fn places(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Google => &[
                ("attributes_url", "https://people.googleapis.com/v1/people/me?personFields="),
                ("attributes_url_add_attributes", "true"),
                ("authorize_url", "https://accounts.google.com/o/oauth2/v2/auth"),
                ("oidc_issuer", "https://accounts.google.com"),
                ("token_request_method", "POST"),
                ("token_url", "https://www.googleapis.com/oauth2/v4/token"),
            ],
            Self::Facebook => &[
                ("attributes_url", "https://graph.facebook.com/v17.0/me?fields="),
                ("attributes_url_add_attributes", "true"),
                ("authorize_url", "https://www.facebook.com/v17.0/dialog/oauth"),
                ("token_request_method", "GET"),
                ("token_url", "https://graph.facebook.com/v17.0/oauth/access_token"),
            ],
            Self::LoginWithAmazon => &[
                ("attributes_url", "https://api.amazon.com/user/profile"),
                ("attributes_url_add_attributes", "false"),
                ("authorize_url", "https://www.amazon.com/ap/oa"),
                ("token_request_method", "POST"),
                ("token_url", "https://api.amazon.com/auth/o2/token"),
            ],
            Self::SignInWithApple => &[
                ("attributes_url_add_attributes", "false"),
                ("authorize_url", "https://appleid.apple.com/auth/authorize"),
                ("oidc_issuer", "https://appleid.apple.com"),
                ("token_request_method", "POST"),
                ("token_url", "https://appleid.apple.com/auth/token"),
            ],
            Self::Oidc => &[("attributes_url_add_attributes", "false")],
            Self::Saml => &[],
        }
    }
}

/// One identity provider of a pool.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Provider {
    #[serde(rename = "ProviderName")]
    pub(crate) name: String,
    #[serde(rename = "ProviderType")]
    pub(crate) kind: Kind,
    #[serde(rename = "ProviderDetails")]
    pub(crate) details: Hidden<BTreeMap<String, String>>,
    /// Claims by the attribute that they become.
    pub(crate) attribute_mapping: BTreeMap<String, String>,
    pub(crate) idp_identifiers: Vec<String>,
    pub(crate) created: Moment,
    pub(crate) modified: Moment,
}

impl Provider {
    /// One of the details.
    pub(crate) fn detail(&self, name: &str) -> Option<&str> {
        self.details.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The claim that names somebody.
    pub(crate) fn subject_claim(&self) -> &str {
        self.attribute_mapping.get("username").map_or_else(|| self.kind.subject(), String::as_str)
    }

    /// Completes and checks what is declared.
    pub(crate) fn completed(mut self) -> Result<Self, Fault> {
        self.check_name()?;
        for (name, value) in self.kind.places() {
            self.details.entry((*name).to_owned()).or_insert_with(|| (*value).to_owned());
        }
        let absent = self.kind.required().iter().find(|name| self.detail(name).is_none());
        if let Some(name) = absent {
            return Err(invalid(format!("The {name} is missing from the provider details of {}.", self.kind.name())));
        }
        if self.kind == Kind::Oidc && !self.scopes().any(|scope| scope == "openid") {
            return Err(invalid("The authorize_scopes of an OIDC provider must contain openid."));
        }
        if self.kind == Kind::Saml {
            self.read_metadata()?;
        }
        Ok(self)
    }

    /// The scopes that are asked of the provider.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.detail("authorize_scopes").unwrap_or_default().split([' ', ',']).filter(|scope| !scope.is_empty())
    }

    fn check_name(&self) -> Result<(), Fault> {
        if self.kind.is_social() && self.name != self.kind.name() {
            return Err(invalid(format!("The name of a {0} provider must be {0}.", self.kind.name())));
        }
        let plain = |c: char| !c.is_whitespace() && !c.is_control();
        let (length, edge) = (self.name.chars().count(), |c: Option<char>| c == Some('_'));
        let fits = (1..=32).contains(&length) && self.name.chars().all(plain) && !edge(self.name.chars().next());
        if !fits || self.name == "COGNITO" {
            return Err(invalid(format!(
                "1 validation error detected: Value '{}' at 'providerName' failed to satisfy constraint: Member must \
                 satisfy regular expression pattern: [^_][\\p{{L}}\\p{{M}}\\p{{S}}\\p{{N}}\\p{{P}}][^_]+",
                self.name
            )));
        }
        Ok(())
    }

    /// Takes from a SAML provider's metadata who it is and where people sign in.
    fn read_metadata(&mut self) -> Result<(), Fault> {
        let Some(file) = self.detail("MetadataFile") else {
            // A URL is not fetched: nothing leaves this machine.
            return match self.detail("MetadataURL") {
                Some(address) if url::Url::parse(address).is_ok_and(|url| url.scheme() == "https") => Ok(()),
                Some(_) => Err(invalid("The MetadataURL of a SAML provider must be an https URL.")),
                None => Err(invalid("Either MetadataFile or MetadataURL must be provided for a SAML provider.")),
            };
        };
        let metadata = Metadata::read(file).ok_or_else(|| invalid("The MetadataFile is no SAML 2.0 metadata."))?;
        self.details.insert("SSORedirectBindingURI".to_owned(), metadata.sign_on);
        self.details.insert("EntityID".to_owned(), metadata.entity);
        Ok(())
    }

    /// As `DescribeIdentityProvider` has it.
    pub(crate) fn description(&self, pool: &str) -> Value {
        let mut value = json!(self);
        if let Value::Object(members) = &mut value {
            members.remove("Created");
            members.remove("Modified");
        }
        value["UserPoolId"] = json!(pool);
        value["CreationDate"] = self.created.json();
        value["LastModifiedDate"] = self.modified.json();
        value
    }
}

/// What a SAML provider's metadata says.
#[derive(Debug, PartialEq, Eq)]
struct Metadata {
    entity: String,
    sign_on: String,
}

impl Metadata {
    fn read(text: &str) -> Option<Self> {
        let (mut entity, mut sign_on, mut provides) = (None, None, false);
        let mut reader = quick_xml::Reader::from_str(text);
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) | Event::Empty(tag) => {
                    let attribute = |name: &str| {
                        let found = tag.try_get_attribute(name).ok().flatten()?;
                        Some(found.value.into_owned())
                    };
                    match tag.local_name().as_ref() {
                        "EntityDescriptor" => entity = attribute("entityID"),
                        "IDPSSODescriptor" => provides = true,
                        "SingleSignOnService" if sign_on.is_none() => sign_on = attribute("Location"),
                        _ => {}
                    }
                }
                // A document type can name entities, which no metadata needs.
                Event::DocType(_) => return None,
                Event::Eof => break,
                _ => {}
            }
        }
        Some(Self { entity: entity?, sign_on: sign_on.filter(|_| provides)? })
    }
}

impl UserPool {
    /// An identity provider that must be there.
    pub(crate) fn provider(&self, name: &str) -> Result<&Provider, Fault> {
        self.providers.get(name).ok_or_else(|| missing(format!("Identity provider {name} does not exist.")))
    }

    /// The group of everybody who signs in with a provider.
    pub(crate) fn provider_group(&self, name: &str) -> String {
        format!("{}_{name}", self.id)
    }

    /// Adds an identity provider, and the group of those who sign in with it.
    pub(crate) fn add_provider(&mut self, provider: Provider, now: Moment) -> Result<&Provider, Fault> {
        let provider = Provider { created: now, modified: now, ..provider.completed()? };
        self.check_identifiers(&provider)?;
        self.check_mapping(&provider)?;
        let name = provider.name.clone();
        if self.providers.contains_key(&name) {
            let message = format!("A provider with the name {name} already exists in user pool {}.", self.id);
            return Err(Fault::new("DuplicateProviderException", message));
        }
        let group_name = self.provider_group(&name);
        let description = Some(format!("Autogenerated group for users who sign in using {name}"));
        let group =
            Group { group_name: group_name.clone(), description, created: now, modified: now, ..Group::default() };
        self.groups.entry(group_name).or_insert(group);
        Ok(self.providers.entry(name).or_insert(provider))
    }

    /// Changes an identity provider.
    pub(crate) fn change_provider(&mut self, provider: Provider, now: Moment) -> Result<&Provider, Fault> {
        let known = self.provider(&provider.name)?;
        let provider = Provider { kind: known.kind, created: known.created, modified: now, ..provider }.completed()?;
        self.check_identifiers(&provider)?;
        self.check_mapping(&provider)?;
        let name = provider.name.clone();
        self.providers.insert(name.clone(), provider);
        self.provider(&name)
    }

    /// Removes an identity provider. Its users stay, and cannot sign in.
    pub(crate) fn remove_provider(&mut self, name: &str) -> Result<(), Fault> {
        self.provider(name)?;
        self.providers.remove(name);
        let group = self.provider_group(name);
        if self.groups.contains_key(&group) {
            self.remove_group(&group)?;
        }
        Ok(())
    }

    fn check_identifiers(&self, provider: &Provider) -> Result<(), Fault> {
        let others = self.providers.values().filter(|other| other.name != provider.name);
        let taken = others.flat_map(|other| &other.idp_identifiers).find(|id| provider.idp_identifiers.contains(id));
        match taken {
            Some(id) => Err(Fault::new("DuplicateProviderException", format!("Identifier {id} is already in use."))),
            None => Ok(()),
        }
    }

    fn check_mapping(&self, provider: &Provider) -> Result<(), Fault> {
        let schema = self.settings.attributes();
        if provider.attribute_mapping.contains_key("sub") {
            return Err(invalid("Attribute mapping is invalid: sub is given by the user pool alone."));
        }
        let unknown = provider.attribute_mapping.keys().find(|name| *name != "username" && schema.get(name).is_none());
        match unknown {
            Some(name) => {
                Err(invalid(format!("Attribute mapping is invalid: {name} is no attribute of the user pool.")))
            }
            None => Ok(()),
        }
    }
}

/// A request of `CreateIdentityProvider`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Create {
    user_pool_id: String,
    #[serde(flatten)]
    provider: Provider,
}

/// Makes an identity provider.
pub(crate) fn create(pools: &mut UserPools, request: Create, now: Moment) -> Result<Value, Fault> {
    let made = pools.pool_mut(&request.user_pool_id)?.add_provider(request.provider, now)?;
    Ok(json!({ "IdentityProvider": made.description(&request.user_pool_id) }))
}

/// A request of `UpdateIdentityProvider`: what is left out stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Update {
    user_pool_id: String,
    provider_name: String,
    provider_details: Option<BTreeMap<String, String>>,
    attribute_mapping: Option<BTreeMap<String, String>>,
    idp_identifiers: Option<Vec<String>>,
}

/// Changes an identity provider.
pub(crate) fn update(pools: &mut UserPools, request: Update, now: Moment) -> Result<Value, Fault> {
    let pool = pools.pool_mut(&request.user_pool_id)?;
    let mut next = pool.provider(&request.provider_name)?.clone();
    next.details = request.provider_details.map_or(next.details, Hidden::from);
    next.attribute_mapping = request.attribute_mapping.unwrap_or(next.attribute_mapping);
    next.idp_identifiers = request.idp_identifiers.unwrap_or(next.idp_identifiers);
    let changed = pool.change_provider(next, now)?;
    Ok(json!({ "IdentityProvider": changed.description(&request.user_pool_id) }))
}

/// A request that names an identity provider.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ByName {
    user_pool_id: String,
    provider_name: String,
}

/// Removes an identity provider.
pub(crate) fn delete(pools: &mut UserPools, request: ByName, _now: Moment) -> Result<Value, Fault> {
    pools.pool_mut(&request.user_pool_id)?.remove_provider(&request.provider_name)?;
    Ok(json!({}))
}

/// One identity provider.
pub(crate) fn describe(pools: &UserPools, request: ByName, _now: Moment) -> Result<Value, Fault> {
    let provider = pools.pool(&request.user_pool_id)?.provider(&request.provider_name)?;
    Ok(json!({ "IdentityProvider": provider.description(&request.user_pool_id) }))
}

/// A request that names an identity provider by one of its identifiers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ByIdentifier {
    user_pool_id: String,
    idp_identifier: String,
}

/// One identity provider, by one of its identifiers.
pub(crate) fn by_identifier(pools: &UserPools, request: ByIdentifier, _now: Moment) -> Result<Value, Fault> {
    let mut providers = pools.pool(&request.user_pool_id)?.providers.values();
    let found = providers.find(|provider| provider.idp_identifiers.contains(&request.idp_identifier));
    let none = || missing(format!("Identity provider for identifier {} does not exist.", request.idp_identifier));
    Ok(json!({ "IdentityProvider": found.ok_or_else(none)?.description(&request.user_pool_id) }))
}

/// The identity providers of a pool.
pub(crate) fn list(pools: &UserPools, request: InPool, _now: Moment) -> Result<Value, Fault> {
    let entry = |provider: &Provider| {
        json!({
            "ProviderName": provider.name, "ProviderType": provider.kind,
            "CreationDate": provider.created.json(), "LastModifiedDate": provider.modified.json(),
        })
    };
    let providers = pools.pool(&request.user_pool_id)?.providers.values().map(entry).collect();
    request.page.answer("Providers", "NextToken", providers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cognito::pool::tests::pool;

    fn provider(value: Value) -> Provider {
        serde_json::from_value(value).expect("a provider")
    }

    fn refusal(value: Value) -> String {
        provider(value).completed().map_or_else(|fault| fault.message, |_| String::new())
    }

    fn google() -> Value {
        let details = json!({ "client_id": "c", "client_secret": "s", "authorize_scopes": "openid email" });
        json!({ "ProviderName": "Google", "ProviderType": "Google", "ProviderDetails": details })
    }

    #[test]
    fn a_provider_says_what_its_kind_needs() {
        let known = provider(google()).completed().expect("it is whole");
        assert_eq!(known.detail("oidc_issuer"), Some("https://accounts.google.com"));
        let mut renamed = google();
        renamed["ProviderName"] = json!("Giggle");
        assert_eq!(refusal(renamed), "The name of a Google provider must be Google.");
        let mut bare = google();
        bare["ProviderDetails"] = json!({ "client_id": "c", "authorize_scopes": "openid" });
        assert_eq!(refusal(bare), "The client_secret is missing from the provider details of Google.");
        let details = json!({ "client_id": "c", "attributes_request_method": "GET", "oidc_issuer": "https://x", "authorize_scopes": "email" });
        let oidc = json!({ "ProviderName": "Corp", "ProviderType": "OIDC", "ProviderDetails": details });
        assert_eq!(refusal(oidc), "The authorize_scopes of an OIDC provider must contain openid.");
        for name in ["_Corp", "a b", "COGNITO", ""] {
            let saml = json!({ "ProviderName": name, "ProviderType": "SAML" });
            assert!(refusal(saml).contains("providerName"), "{name}");
        }
    }

    #[test]
    fn metadata_says_where_people_sign_in() {
        let metadata = r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:corp">
            <md:IDPSSODescriptor><md:SingleSignOnService Location="https://corp.example/sso"/></md:IDPSSODescriptor>
            </md:EntityDescriptor>"#;
        let saml = |file: &str| json!({ "ProviderName": "Corp", "ProviderType": "SAML", "ProviderDetails": { "MetadataFile": file } });
        let known = provider(saml(metadata)).completed().expect("it is whole");
        assert_eq!(
            (known.detail("EntityID"), known.detail("SSORedirectBindingURI")),
            (Some("urn:corp"), Some("https://corp.example/sso"))
        );
        for broken in ["", "text", "<a/>", "<EntityDescriptor entityID='x'/>", &format!("<!DOCTYPE x>{metadata}")] {
            assert!(!refusal(saml(broken)).is_empty(), "{broken}");
        }
        assert!(refusal(json!({ "ProviderName": "Corp", "ProviderType": "SAML" })).contains("MetadataFile"));
    }

    #[test]
    fn a_provider_has_its_name_and_identifiers_alone() {
        let mut pool = pool(json!({}));
        let now = Moment::default();
        let mut first = google();
        first["IdpIdentifiers"] = json!(["example.com"]);
        assert!(pool.add_provider(provider(first.clone()), now).is_ok());
        assert!(pool.groups.contains_key("us-east-1_AbCdEfGhI_Google"));
        let again = pool.add_provider(provider(first), now).map_err(|fault| fault.code);
        assert_eq!(again.err().as_deref(), Some("DuplicateProviderException"));
        let mapping = |attribute: &str| {
            json!({
                "ProviderName": "Corp", "ProviderType": "SAML", "AttributeMapping": { attribute: "x" },
                "ProviderDetails": { "MetadataURL": "https://corp.example/metadata" },
            })
        };
        for wrong in ["custom:none", "sub"] {
            let refused = pool.add_provider(provider(mapping(wrong)), now);
            assert!(refused.is_err_and(|fault| fault.message.contains(wrong)), "{wrong}");
        }
        assert_eq!(pool.remove_provider("Google"), Ok(()));
        assert!(pool.groups.is_empty());
    }
}
