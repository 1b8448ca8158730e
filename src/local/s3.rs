//! The buckets of an account.

pub(crate) mod api;

use serde::{Deserialize, Serialize};

use crate::local::cloudformation::resource::ResourceType;

/// The buckets of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Buckets {}

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[];

/// Removes contents that no object refers to, left behind by a process that was killed.
pub(crate) fn sweep(_cloud: &crate::local::cloud::Cloud) {}
