//! Functions: what they may do, and who may invoke them.

use std::collections::BTreeMap;

use super::api::read_cors;
use super::guard::Guard;
use super::resolve::references;
use super::resources::{Resource, Resources, texts, written};
use super::{Caller, Function, FunctionUrl, Powers};

const ROLE: &str = "AWS::IAM::Role";

/// The functions by logical id.
pub(super) fn functions(resources: &Resources) -> BTreeMap<String, Function> {
    let all = resources.of_type("AWS::Lambda::Function");
    let mut functions: BTreeMap<String, Function> = all
        .map(|(id, function)| (id.to_owned(), Function { powers: powers(resources, function), ..Function::default() }))
        .collect();
    for (_, permission) in resources.of_type("AWS::Lambda::Permission") {
        let id = resources.invoked(&permission.text("FunctionName").unwrap_or_default());
        if let Some(caller) = caller(resources, permission) {
            functions.entry(id).or_default().callers.insert(caller);
        }
    }
    for (_, url) in resources.of_type("AWS::Lambda::Url") {
        let id = resources.invoked(&url.text("TargetFunctionArn").unwrap_or_default());
        functions.entry(id).or_default().url = Some(address(url));
    }
    functions
}

fn powers(resources: &Resources, function: &Resource) -> Powers {
    let named = function.text("Role").unwrap_or_default();
    let Some((id, role)) = resources.get(&named, ROLE) else {
        return Powers { role: Some(named), ..Powers::default() };
    };
    let mut powers = Powers {
        managed: texts(role.get("ManagedPolicyArns")),
        boundary: role.text("PermissionsBoundary"),
        ..Powers::default()
    };
    for policy in role.get("Policies").as_array().into_iter().flatten() {
        match policy.get("PolicyDocument") {
            Some(document) => powers.policy.add(document),
            None => powers.policy.add(policy),
        }
    }
    if role.get("Policies").is_string() {
        powers.policy.add(role.get("Policies"));
    }
    for kind in ["AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"] {
        for (_, policy) in resources.of_type(kind).filter(|(_, policy)| is_about(policy, id)) {
            powers.policy.add(policy.get("PolicyDocument"));
        }
    }
    for managed in std::mem::take(&mut powers.managed) {
        match resources.get(&managed, "AWS::IAM::ManagedPolicy") {
            Some((_, policy)) => powers.policy.add(policy.get("PolicyDocument")),
            None => drop(powers.managed.insert(managed)),
        }
    }
    powers
}

/// Whether a policy that stands by itself is that of a role.
fn is_about(policy: &Resource, role: &str) -> bool {
    let all = texts(policy.get("Roles"));
    let one = policy.text("RoleName");
    all.iter().chain(&one).any(|named| references(named).contains(role))
}

/// Who a permission lets in, unless that is a resource of this template: it has its own place in the matrix.
fn caller(resources: &Resources, permission: &Resource) -> Option<Caller> {
    let source = permission.text("SourceArn");
    let is_own = |source: &String| references(source).iter().any(|name| resources.has(name));
    let principal = permission.text("Principal").unwrap_or_default();
    if source.as_ref().is_some_and(is_own) && principal.ends_with(".amazonaws.com") {
        return None;
    }
    let more = ["SourceAccount", "PrincipalOrgID"].iter().filter_map(|name| permission.text(name));
    let source: Vec<String> = source.into_iter().chain(more).collect();
    let action = permission.text("Action").unwrap_or_default();
    let kind = permission.text("FunctionUrlAuthType");
    Some(Caller {
        principal,
        source: (!source.is_empty()).then(|| source.join(", ")),
        action: [Some(action), kind].into_iter().flatten().collect::<Vec<_>>().join(" "),
    })
}

fn address(url: &Resource) -> FunctionUrl {
    let guard = match url.text("AuthType").as_deref() {
        Some("NONE") => Guard::Public,
        Some("AWS_IAM") => Guard::Iam,
        other => Guard::Unknown { authorization: other.unwrap_or_default().to_owned(), expression: String::new() },
    };
    let cors = url.get("Cors");
    FunctionUrl { guard, cors: written(cors).map(|_| read_cors(cors)) }
}
