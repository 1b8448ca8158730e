//! CloudFormation: stacks, change sets and the engine that executes them.

pub(crate) mod api;
pub mod resource;

use serde::{Deserialize, Serialize};

/// The stacks and change sets of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stacks {}
