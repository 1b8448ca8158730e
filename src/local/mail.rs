//! The messages that an account has sent.

use serde::{Deserialize, Serialize};

/// The messages that an account has sent.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mailbox {}
