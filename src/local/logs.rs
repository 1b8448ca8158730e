//! The log groups of an account.

pub(crate) mod api;

use serde::{Deserialize, Serialize};

use crate::local::cloudformation::resource::ResourceType;

/// The log groups of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogGroups {}

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[];

/// Appends lines to a stream of a group, making the stream, and the group too when it is missing, as Lambda does.
pub(crate) fn append(_cloud: &crate::local::cloud::Cloud, _group: &str, _stream: &str, _lines: &[String]) {}

/// Removes events of groups that are gone.
pub(crate) fn sweep(_cloud: &crate::local::cloud::Cloud) {}
