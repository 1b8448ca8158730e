//! What a request to IAM does, as far as IAM itself is concerned.

use super::authorize::Deed;
use crate::cloud::Account;
use crate::wire::{Form, Request};

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
    let action = form.get("Action").unwrap_or_default();
    let deed = Deed::new(format!("iam:{action}"), resource.unwrap_or_else(|| "*".to_owned()));
    let policies = ["AttachRolePolicy", "AttachUserPolicy", "DetachRolePolicy", "DetachUserPolicy"];
    let policy = form.get("PolicyArn").filter(|_| policies.contains(&action)).map(str::to_owned);
    let carried = form.get("RoleName").and_then(|name| account.iam.roles.get(name)?.boundary.clone());
    let boundary = match action {
        "CreateRole" | "PutRolePermissionsBoundary" => form.get("PermissionsBoundary").map(str::to_owned),
        _ => carried,
    };
    deed.knowing(POLICY, policy).knowing(BOUNDARY, boundary)
}

/// Condition key of the managed policy that is attached or detached.
pub(crate) const POLICY: &str = "iam:PolicyARN";

/// Condition key of the boundary that is given to a role, or that the role carries.
pub(crate) const BOUNDARY: &str = "iam:PermissionsBoundary";
