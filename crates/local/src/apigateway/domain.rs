//! Domain names of one's own, and which stage of which API each of their base paths reaches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{RestApis, bad_request, conflict, not_found};
use crate::apigatewayv2::{below, is_domain, regional_name};
use crate::wire::Fault;

/// A domain name of one's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DomainName {
    pub(crate) domain_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) regional_certificate_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) security_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mutual_tls_authentication: Option<Value>,
    pub(crate) tags: BTreeMap<String, String>,
    /// By base path; the empty one is for what no other takes.
    pub(crate) mappings: BTreeMap<String, BasePathMapping>,
}

/// What the paths below a base path reach.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct BasePathMapping {
    pub(crate) rest_api_id: String,
    /// Without one the path names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stage: Option<String>,
}

/// What the base path of a mapping without one is called.
const NONE: &str = "(none)";

impl DomainName {
    /// Whether one of its base paths reaches this API.
    pub(crate) fn serves(&self, api: &str) -> bool {
        self.mappings.values().any(|mapping| mapping.rest_api_id == api)
    }

    /// Its wire form.
    pub(crate) fn wire(&self, region: &str) -> Value {
        let mut wire = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = wire.as_object_mut() {
            members.remove("mappings");
            members.insert("domainNameStatus".to_owned(), "AVAILABLE".into());
            members.insert("regionalDomainName".to_owned(), regional_name(&self.domain_name, region).into());
        }
        wire
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

impl BasePathMapping {
    /// Its wire form, the base path included.
    pub(crate) fn wire(&self, base_path: &str) -> Value {
        let shown = if base_path.is_empty() { NONE } else { base_path };
        let mut wire = json!({ "basePath": shown, "restApiId": self.rest_api_id });
        if let Some(stage) = &self.stage {
            wire["stage"] = stage.as_str().into();
        }
        wire
    }
}

/// A base path as it is kept.
pub(crate) fn base_path(text: &str) -> &str {
    if text == NONE { "" } else { text }
}

impl RestApis {
    /// Every domain name.
    pub(crate) fn domain_names(&self) -> &BTreeMap<String, DomainName> {
        &self.domain_names
    }

    /// The domain of this name.
    pub(crate) fn domain_name(&self, name: &str) -> Result<&DomainName, Fault> {
        self.domain_names.get(name).ok_or_else(no_domain)
    }

    /// Makes a domain name.
    pub(crate) fn create_domain_name(&mut self, domain: DomainName) -> Result<(), Fault> {
        domain.check()?;
        if self.domain_names.contains_key(&domain.domain_name) {
            return Err(bad_request("The domain name you provided already exists."));
        }
        let domain = DomainName { mappings: BTreeMap::new(), ..domain };
        self.domain_names.insert(domain.domain_name.clone(), domain);
        Ok(())
    }

    /// Changes what a domain name is declared with, its mappings apart.
    pub(crate) fn update_domain_name(&mut self, domain: DomainName) -> Result<(), Fault> {
        domain.check()?;
        let held = self.domain_names.get_mut(&domain.domain_name).ok_or_else(no_domain)?;
        *held = DomainName { mappings: std::mem::take(&mut held.mappings), ..domain };
        Ok(())
    }

    /// Removes a domain name with its mappings.
    pub(crate) fn delete_domain_name(&mut self, name: &str) -> Result<(), Fault> {
        self.domain_names.remove(name).map(drop).ok_or_else(no_domain)
    }

    /// Lets a base path of a domain reach an API.
    pub(crate) fn map(&mut self, domain: &str, base_path: &str, mapping: BasePathMapping) -> Result<(), Fault> {
        let api = self.api(&mapping.rest_api_id)?;
        if mapping.stage.as_ref().is_some_and(|stage| !api.stages.contains_key(stage)) {
            return Err(bad_request("Invalid stage identifier specified"));
        }
        let held = self.domain_names.get_mut(domain).ok_or_else(no_domain)?;
        if held.mappings.contains_key(base_path) {
            return Err(conflict("Base path already exists for this domain name"));
        }
        held.mappings.insert(base_path.to_owned(), mapping);
        Ok(())
    }

    /// Removes a mapping.
    pub(crate) fn unmap(&mut self, domain: &str, base_path: &str) -> Result<(), Fault> {
        let held = self.domain_names.get_mut(domain).ok_or_else(no_domain)?;
        held.mappings
            .remove(base_path)
            .map(drop)
            .ok_or_else(|| not_found("Invalid base path mapping identifier specified"))
    }

    /// Where a path of a domain leads: the mapping with the longest base path that it begins with, and the rest.
    pub(crate) fn mapped<'a, 'p>(&'a self, domain: &str, path: &'p str) -> Option<(&'a BasePathMapping, &'p str)> {
        let mappings = self.domain_names.get(domain)?.mappings.iter();
        mappings
            .filter_map(|(base, mapping)| below(base, path).map(|rest| (base.len(), mapping, rest)))
            .max_by_key(|(length, ..)| *length)
            .map(|(_, mapping, rest)| (mapping, rest))
    }
}

fn no_domain() -> Fault {
    not_found("Invalid domain name identifier specified")
}
