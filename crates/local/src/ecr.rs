//! The image repositories of an account, as far as stacks declare them: those of `cdk bootstrap` do.
//!
//! No function here runs from an image, so nothing is ever in a repository, and there is no API to put it there.

mod resources;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub(crate) use resources::RESOURCE_TYPES;

/// The image repositories of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Repositories {
    /// Their names.
    pub names: BTreeSet<String>,
}
