//! What a request to IAM does, as far as IAM itself is concerned.

use super::authorize::Deed;
use crate::local::cloud::Account;
use crate::local::wire::{Form, Request};

/// The deed of a request: every operation is an action of the same name.
pub(super) fn deed(account: &Account, request: &Request) -> Deed {
    let form = Form::of(request);
    let role = |name: &str| {
        let known = account.iam.roles.get(name).map(|role| role.arn(&account.id));
        known.unwrap_or_else(|| format!("arn:aws:iam::{}:role/{name}", account.id))
    };
    let policy = |name: &str| format!("arn:aws:iam::{}:policy/{name}", account.id);
    let user = |name: &str| {
        let known = account.iam.users.get(name).map(|user| user.arn(&account.id));
        known.unwrap_or_else(|| format!("arn:aws:iam::{}:user/{name}", account.id))
    };
    let resource = form.get("RoleName").map(role);
    let resource = resource.or_else(|| form.get("UserName").map(user));
    let resource = resource.or_else(|| form.get("PolicyArn").map(str::to_owned));
    let resource = resource.or_else(|| form.get("PolicyName").map(policy));
    Deed::new(format!("iam:{}", form.get("Action").unwrap_or_default()), resource.unwrap_or_else(|| "*".to_owned()))
}
