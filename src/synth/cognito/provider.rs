//! Who vouches for the users of a pool besides the pool itself.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::{Synthesis, properties, value};
use crate::model::cognito::{IdentityProvider, Provider, UserPoolClient};
use crate::template::{Resource, function};

pub(in crate::synth) fn add(synthesis: &mut Synthesis, id: &str, declared: &IdentityProvider) {
    // The checks have seen to it that there is one.
    let Some(provider) = declared.provider() else { return };
    let mut resource = Resource::new("AWS::Cognito::UserPoolIdentityProvider")
        .property("UserPoolId", value(&declared.user_pool))
        .property("ProviderName", declared.name_of(id))
        .property("ProviderType", provider.kind())
        .property("ProviderDetails", details(provider));
    if !declared.attribute_mapping.is_empty() {
        resource = resource.property("AttributeMapping", json!(declared.attribute_mapping));
    }
    if !declared.idp_identifiers.is_empty() {
        resource = resource.property("IdpIdentifiers", json!(declared.idp_identifiers));
    }
    resource.condition.clone_from(&declared.condition);
    synthesis.resource(id, resource);
}

fn details(provider: Provider<'_>) -> Map<String, Value> {
    match provider {
        Provider::Google(it) | Provider::Amazon(it) => properties(it),
        Provider::Facebook(it) => properties(it),
        Provider::Apple(it) => properties(it),
        Provider::Saml(it) => properties(it),
        Provider::Oidc(it) => properties(it),
    }
}

/// A name that is known only when a resource is there. `DependsOn` cannot name what a condition may switch off, and
/// what `Ref` gives for a provider is not always its name.
fn waiting(name: &str, id: &str) -> Value {
    function::select(0, json!([name, function::reference(id)]))
}

/// The names of those who vouch for a client's users, and the ids of those among them that must exist first.
pub(super) fn vouchers(synthesis: &Synthesis, client: &UserPoolClient) -> (Value, BTreeSet<String>) {
    let mut waits = BTreeSet::new();
    let name = |voucher| {
        let Some((id, provider)) = synthesis.stack.provider_of(&client.user_pool, voucher) else {
            return json!(voucher.as_str());
        };
        let name = provider.name_of(id);
        match &provider.condition {
            Some(condition) => function::if_(condition, waiting(name, id), function::reference("AWS::NoValue")),
            None => {
                waits.insert(id.to_owned());
                json!(name)
            }
        }
    };
    (client.identity_providers.iter().map(name).collect(), waits)
}
