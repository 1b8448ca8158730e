//! What a request to IAM does, as far as IAM itself is concerned.

use super::authorize::Deed;
use crate::cloud::Account;
use crate::wire::{Caller, Form, Request};

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
    let action = form.get("Action").unwrap_or_default();
    let resource = match kind(action) {
        Kind::Role => form.get("RoleName").map(role),
        Kind::User => form.get("UserName").or_else(|| own_name(action, &request.caller)).map(user),
        Kind::NewPolicy => form.get("PolicyName").map(policy),
        Kind::Policy => form.get("PolicyArn").map(str::to_owned),
        Kind::Nothing => None,
    };
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

/// What an operation is about. What else the form names besides is not asked for.
enum Kind {
    Role,
    User,
    NewPolicy,
    Policy,
    Nothing,
}

fn kind(action: &str) -> Kind {
    match action {
        "ListPolicies" | "ListRoles" | "ListUsers" => Kind::Nothing,
        "CreatePolicy" => Kind::NewPolicy,
        _ if action.contains("User") || action.contains("AccessKey") => Kind::User,
        _ if action.contains("Role") => Kind::Role,
        _ => Kind::Policy,
    }
}

/// The user whom `GetUser` is about that names none:
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html>. The policy with which AWS lets people look at
/// themselves is for their own ARN alone.
fn own_name<'a>(action: &str, caller: &'a Caller) -> Option<&'a str> {
    match caller {
        Caller::User { name } if action == "GetUser" => Some(name),
        _ => None,
    }
}

/// Condition key of the managed policy that is attached or detached.
pub(crate) const POLICY: &str = "iam:PolicyARN";

/// Condition key of the boundary that is given to a role, or that the role carries.
pub(crate) const BOUNDARY: &str = "iam:PermissionsBoundary";

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;
    use crate::iam::testing::{USER, may, statement};

    fn request(members: &[(&str, &str)]) -> Request {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
        Request {
            id: String::new(),
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            spelling: Default::default(),
            body: Bytes::from(form),
            caller: Caller::Root,
        }
    }

    fn arn(kind: &str, name: &str) -> String {
        format!("arn:aws:iam::000000000000:{kind}/{name}")
    }

    #[test]
    fn who_names_no_user_asks_about_himself() {
        let mut account = Account::new("us-east-1");
        let mut is_let =
            |statements, members: &[(&str, &str)]| may(&mut account, &statements, "iam", &request(members)).is_ok();
        let own = arn("user", USER);
        let on_own = json!([statement("Allow", "iam:GetUser", &own)]);
        let denied = json!([statement("Allow", "*", "*"), statement("Deny", "iam:GetUser", &own)]);
        for more in [&[][..], &[("RoleName", "r")], &[("PolicyArn", "arn:aws:iam::000000000000:policy/p")]] {
            let members: Vec<_> = [("Action", "GetUser")].into_iter().chain(more.iter().copied()).collect();
            assert!(is_let(on_own.clone(), &members), "{members:?}");
            assert!(!is_let(denied.clone(), &members), "{members:?}");
        }
        assert!(!is_let(on_own, &[("Action", "GetUser"), ("UserName", "another")]));
    }

    #[test]
    fn a_deed_is_about_what_its_operation_changes() {
        let account = Account::new("us-east-1");
        let policy = arn("policy", "p");
        let all = [("UserName", "u"), ("RoleName", "r"), ("PolicyName", "n"), ("PolicyArn", policy.as_str())];
        for (action, about) in [
            ("CreateAccessKey", arn("user", "u")),
            ("AttachUserPolicy", arn("user", "u")),
            ("AttachRolePolicy", arn("role", "r")),
            ("UpdateAssumeRolePolicy", arn("role", "r")),
            ("CreatePolicy", arn("policy", "n")),
            ("DeletePolicy", policy.clone()),
            ("ListEntitiesForPolicy", policy.clone()),
            ("ListUsers", "*".to_owned()),
        ] {
            let members: Vec<_> = [("Action", action)].into_iter().chain(all).collect();
            assert_eq!(deed(&account, &request(&members)).resource, about, "{action}");
        }
    }
}
