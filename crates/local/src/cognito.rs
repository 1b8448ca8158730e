//! The user pools of an account.
//!
//! Requests reach `api::handle`. What decides is synchronous and works on `pool::UserPool`; what calls a trigger or
//! makes keys is a chain of such decisions with an `await` between them: look, call, then change. `hosted` holds the pages on
//! which people sign in and the OAuth 2.0 endpoints, `stand_in` what stands for the identity providers of others.

pub(crate) mod api;
mod attribute;
mod challenge;
mod control;
mod custom;
pub(crate) mod deeds;
mod directory;
mod fault;
mod federation;
pub(crate) mod hosted;
mod keys;
mod message;
mod mfa;
mod migrate;
pub(crate) mod mint;
mod moment;
mod own;
mod password;
mod pool;
mod provider;
mod recovery;
mod resources;
mod settings;
mod sign_in;
mod sign_up;
mod srp;
pub(crate) mod stand_in;
#[cfg(test)]
mod tests;
mod token;
mod trigger;
mod user;
mod well_known;

use std::collections::BTreeMap;

use jsonwebtoken::jwk::JwkSet;
use serde::{Deserialize, Serialize};

use crate::cloud::Account;
use crate::wire::Fault;

pub(crate) use challenge::Challenges;
pub(crate) use hosted::Pages;
pub(crate) use resources::RESOURCE_TYPES;
pub(crate) use well_known::well_known;

use pool::{Client, UserPool};

/// The user pools of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UserPools {
    pools: BTreeMap<String, UserPool>,
}

impl UserPools {
    /// A pool that must be there.
    pub(crate) fn pool(&self, id: &str) -> Result<&UserPool, Fault> {
        self.pools.get(id).ok_or_else(|| fault::no_pool(id))
    }

    /// A pool that must be there, to change.
    pub(crate) fn pool_mut(&mut self, id: &str) -> Result<&mut UserPool, Fault> {
        self.pools.get_mut(id).ok_or_else(|| fault::no_pool(id))
    }

    /// A client that must be there, and its pool.
    pub(crate) fn client(&self, id: &str) -> Result<(&UserPool, &Client), Fault> {
        let found = self.pools.values().find_map(|pool| Some((pool, pool.clients.get(id)?)));
        found.ok_or_else(|| fault::no_client(id))
    }
}

/// The keys of one of the account's own pools, by issuer. `None` when the issuer is somebody else. A pool that has signed
/// nothing yet has no keys: nothing can be from it.
pub(crate) fn key_set(account: &Account, issuer: &str) -> Option<JwkSet> {
    let (_, id) = issuer.rsplit_once('/')?;
    let pool = account.cognito.pool(id).ok().filter(|pool| pool.issuer() == issuer)?;
    Some(pool.keys.as_ref().map_or_else(|| JwkSet { keys: Vec::new() }, keys::SigningKeys::public))
}
