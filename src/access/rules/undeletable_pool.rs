//! What is to go with its stack can go.

use super::{Find, Rule, Verdict};
use crate::model::cognito::UserPool;
use crate::model::raw::{DataRemoval, Removal};
use crate::model::{Complaint, Stack, ids};

pub(super) const RULE: Rule = Rule {
    id: "undeletable-pool",
    verdict: Verdict::Doubtful,
    title: "a pool that goes with its stack can be deleted: nothing protects it, and its domain goes as well",
    why: "Cognito does not delete a pool that still has a domain, nor one with deletion protection. A stack that says \
          `removal: destroy` and keeps either fails to be deleted, and leaves a pool behind that lets its users in.",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain.html",
    good: "\
userPools:
  Users: { domain: { prefix: my-notes }, removal: destroy }
",
    bad: "\
userPools:
  Users: { domain: { prefix: my-notes }, removal: destroy }
overrides:
  UsersDomain: { deletionPolicy: retain }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let going = stack.user_pools.iter().filter(|(_, pool)| pool.removal == DataRemoval::Destroy);
    going.flat_map(|(id, pool)| protected(id, pool).into_iter().chain(keeps_domain(stack, id))).collect()
}

fn protected(id: &str, pool: &UserPool) -> Option<Complaint> {
    let path = ["userPools", id, "deletionProtection"];
    let message = format!("`{id}` is to go with its stack, and refuses to be deleted");
    let help = "remove it, or write `removal: retain`";
    pool.deletion_protection.then(|| Complaint::new(&path, message, help))
}

fn keeps_domain(stack: &Stack, id: &str) -> Option<Complaint> {
    let stays = |policy: Option<Removal>| policy == Some(Removal::Retain);
    let derived = ids::user_pool_domain(id);
    let overridden = stack.overrides.get_key_value(&derived).filter(|(_, it)| stays(it.deletion_policy));
    let overridden = overridden.map(|(id, _)| ("overrides", id));
    let reference = serde_json::json!({ "Ref": id });
    let mut raw = stack.resources.iter().filter(|(_, it)| {
        let is_its_domain =
            it.kind == "AWS::Cognito::UserPoolDomain" && it.properties.get("UserPoolId") == Some(&reference);
        is_its_domain && stays(it.deletion_policy)
    });
    let (section, domain) = overridden.or_else(|| raw.next().map(|(id, _)| ("resources", id)))?;
    let message = format!("`{id}` is to go with its stack, and cannot while it has a domain");
    Some(Complaint::new(&[section, domain, "deletionPolicy"], message, "let the domain go too, or keep the pool"))
}
