//! The roles and access keys of an account.

pub(crate) mod api;
pub(crate) mod key;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::local::cloud::Account;
use crate::local::cloudformation::resource::ResourceType;

pub use key::{AccessKey, SessionCredentials};

/// XML namespace of its answers.
pub(crate) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The roles and access keys of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Iam {
    /// The account's own key.
    pub root: AccessKey,
    /// What session keys are derived from.
    pub session_seed: String,
}

impl Iam {
    /// No roles, and keys that nobody else has.
    #[must_use]
    pub fn with_fresh_keys() -> Self {
        Self { root: AccessKey::fresh(), session_seed: key::fresh_secret() }
    }
}

/// Credentials with which `session` acts as `role` until they expire. They need no record: the token tells all, sealed
/// with the account's seed.
#[must_use]
pub fn session_credentials(
    account: &Account,
    role: &str,
    session: &str,
    expires: OffsetDateTime,
) -> SessionCredentials {
    key::seal(&account.iam, &key::Session::of_role(role, session, expires))
}

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[];
