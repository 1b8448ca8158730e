//! The Systems Manager parameters of an account.

pub(crate) mod api;

use serde::{Deserialize, Serialize};

use crate::local::cloudformation::resource::ResourceType;

/// The Systems Manager parameters of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {}

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[];
