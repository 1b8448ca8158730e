//! Domain names of one's own, and which stage of which API each of their paths reaches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Apis, Fault, bad_request, conflict, identifier, not_found};

/// A domain name of one's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DomainName {
    pub(crate) domain_name: String,
    pub(crate) domain_name_configurations: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mutual_tls_authentication: Option<Value>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) mappings: BTreeMap<String, ApiMapping>,
}

/// Which stage the paths below a key reach.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ApiMapping {
    pub(crate) api_id: String,
    pub(crate) stage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_mapping_key: Option<String>,
}

impl DomainName {
    /// Whether one of its paths reaches this API.
    pub(crate) fn serves(&self, api: &str) -> bool {
        self.mappings.values().any(|mapping| mapping.api_id == api)
    }

    /// Its wire form.
    pub(crate) fn wire(&self, region: &str) -> Value {
        json!({
            "domainName": self.domain_name,
            "apiMappingSelectionExpression": "$request.basepath",
            "domainNameConfigurations": [{
                "apiGatewayDomainName": regional_name(&self.domain_name, region),
                "domainNameStatus": "AVAILABLE",
                "endpointType": "REGIONAL",
            }],
            "tags": self.tags,
        })
    }

    fn check(&self) -> Result<(), Fault> {
        if self.mutual_tls_authentication.is_some() {
            return Err(bad_request("MutualTlsAuthentication is not offered by the local cloud"));
        }
        match is_domain(&self.domain_name) {
            true => Ok(()),
            false => Err(bad_request(format!("Invalid domain name {}", self.domain_name))),
        }
    }
}

impl ApiMapping {
    /// Its wire form, id included.
    pub(crate) fn wire(&self, id: &str) -> Value {
        let mut wire = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = wire.as_object_mut() {
            members.insert("apiMappingId".to_owned(), id.into());
        }
        wire
    }
}

/// Whether a text is a domain name, whose first label may be `*`.
pub(crate) fn is_domain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let name = name.strip_prefix("*.").unwrap_or(name);
    !name.is_empty() && name.chars().all(plain)
}

/// The domain that a name is served by: the one of this very name, else the wildcard for all names with this parent.
///
/// See <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-custom-domain-names.html>.
pub(crate) fn serving(name: &str, is_held: impl Fn(&str) -> bool) -> Option<String> {
    if is_held(name) {
        return Some(name.to_owned());
    }
    let wildcard = format!("*.{}", name.split_once('.')?.1);
    is_held(&wildcard).then_some(wildcard)
}

/// The name that a domain's own DNS record would point to.
pub(crate) fn regional_name(domain: &str, region: &str) -> String {
    let label: String = domain.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("d-{label}.execute-api.{region}.amazonaws.com")
}

impl Apis {
    /// Every domain name.
    pub(crate) fn domain_names(&self) -> &BTreeMap<String, DomainName> {
        &self.domain_names
    }

    /// The domain of this name.
    pub(crate) fn domain_name(&self, name: &str) -> Result<&DomainName, Fault> {
        self.domain_names.get(name).ok_or_else(|| no_domain(name))
    }

    /// Makes a domain name.
    pub(crate) fn create_domain_name(&mut self, domain: DomainName) -> Result<(), Fault> {
        domain.check()?;
        if self.domain_names.contains_key(&domain.domain_name) {
            return Err(conflict("The domain name you provided already exists."));
        }
        let domain = DomainName { mappings: BTreeMap::new(), ..domain };
        self.domain_names.insert(domain.domain_name.clone(), domain);
        Ok(())
    }

    /// Changes what a domain name is declared with, its mappings apart.
    pub(crate) fn update_domain_name(&mut self, domain: DomainName) -> Result<(), Fault> {
        domain.check()?;
        let held = self.domain_names.get_mut(&domain.domain_name).ok_or_else(|| no_domain(&domain.domain_name))?;
        *held = DomainName { mappings: std::mem::take(&mut held.mappings), ..domain };
        Ok(())
    }

    /// Removes a domain name with its mappings.
    pub(crate) fn delete_domain_name(&mut self, name: &str) -> Result<(), Fault> {
        self.domain_names.remove(name).map(drop).ok_or_else(|| no_domain(name))
    }

    /// Lets paths of a domain reach a stage: a new mapping, or the one of `id` changed.
    pub(crate) fn map(&mut self, domain: &str, id: Option<&str>, mapping: ApiMapping) -> Result<String, Fault> {
        if !self.api(&mapping.api_id)?.stages.contains_key(&mapping.stage) {
            return Err(bad_request(format!("Invalid stage identifier specified {}", mapping.stage)));
        }
        let id = id.map_or_else(|| identifier(6), str::to_owned);
        let held = self.domain_names.get_mut(domain).ok_or_else(|| no_domain(domain))?;
        if held.mappings.iter().any(|(other, held)| *other != id && held.api_mapping_key == mapping.api_mapping_key) {
            return Err(conflict("ApiMapping key already exists for this domain name"));
        }
        held.mappings.insert(id.clone(), mapping);
        Ok(id)
    }

    /// Removes a mapping.
    pub(crate) fn unmap(&mut self, domain: &str, id: &str) -> Result<(), Fault> {
        let held = self.domain_names.get_mut(domain).ok_or_else(|| no_domain(domain))?;
        held.mappings.remove(id).map(drop).ok_or_else(|| not_found("Invalid API mapping identifier specified"))
    }

    /// Where a path of a domain leads: the mapping with the longest key that the path begins with, and the rest.
    pub(crate) fn mapped<'a, 'p>(&'a self, domain: &str, path: &'p str) -> Option<(&'a ApiMapping, &'p str)> {
        let mappings = self.domain_names.get(domain)?.mappings.values();
        mappings
            .filter_map(|mapping| {
                let key = mapping.api_mapping_key.as_deref().unwrap_or_default();
                below(key, path).map(|rest| (key.len(), mapping, rest))
            })
            .max_by_key(|(length, ..)| *length)
            .map(|(_, mapping, rest)| (mapping, rest))
    }
}

/// What follows a mapping key in a path.
pub(crate) fn below<'p>(key: &str, path: &'p str) -> Option<&'p str> {
    if key.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix('/')?.strip_prefix(key)?;
    match rest {
        "" => Some("/"),
        rest if rest.starts_with('/') => Some(rest),
        _ => None,
    }
}

fn no_domain(name: &str) -> Fault {
    not_found(format!("Invalid domain name identifier specified {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_serves_names_that_have_no_domain_of_their_own() {
        let is_held = |name: &str| ["*.example.com", "api.example.com"].contains(&name);
        for (name, expected) in [
            ("api.example.com", Some("api.example.com")),
            ("other.example.com", Some("*.example.com")),
            ("a.b.example.com", None),
            ("example.com", None),
        ] {
            assert_eq!(serving(name, is_held).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn only_the_first_label_is_a_wildcard() {
        assert!(is_domain("*.example.com") && is_domain("a-b.example.com"));
        for name in ["", "*", "*.", "a.*.com", "**.example.com", "*a.example.com", "a b"] {
            assert!(!is_domain(name), "{name}");
        }
    }
}
