//! Secrets.

use super::{Synthesis, properties, removal};
use crate::model::secretsmanager::Secret;
use crate::template::Resource;

pub(super) fn add(synthesis: &mut Synthesis, id: &str, declared: &Secret) {
    let mut resource = Resource::new("AWS::SecretsManager::Secret");
    resource.properties = properties(declared);
    let policy = removal(declared.removal.into());
    synthesis.resource(id, resource.deletion_policy(policy).update_replace_policy(policy));
}
