//! Functions: what they may do, and who may invoke them.

use std::collections::{BTreeMap, BTreeSet};

use super::api::read_cors;
use super::guard::Guard;
use super::iam::Roles;
use super::resources::{Resource, Resources, written};
use super::{Caller, Function, FunctionUrl, Principal, PrincipalKind};

/// The functions by logical id.
pub(super) fn functions(resources: &Resources) -> BTreeMap<String, Function> {
    let all = resources.of_type("AWS::Lambda::Function");
    let mut roles = Roles::of(resources);
    let mut functions: BTreeMap<String, Function> = all
        .map(|(id, function)| {
            function.note();
            let (role, powers) = roles.powers(&function.text("Role").unwrap_or_default());
            (id.to_owned(), Function { powers, role, ..Function::default() })
        })
        .collect();
    for (_, permission) in resources.of_type("AWS::Lambda::Permission") {
        permission.note();
        let (id, qualifier) = resources.invoked_as(&permission.text("FunctionName").unwrap_or_default());
        if let Some(caller) = caller(resources, permission) {
            functions.entry(id).or_default().callers.insert(Caller { qualifier, ..caller });
        }
    }
    for (_, url) in resources.of_type("AWS::Lambda::Url") {
        let (id, alias) = resources.invoked_as(&url.text("TargetFunctionArn").unwrap_or_default());
        let function = functions.entry(id).or_default();
        // A second one of the same, which only conditions can tell apart, is left unread.
        match url.text("Qualifier").or(alias) {
            None if function.url.is_none() => function.url = Some(address(url)),
            Some(alias) if !function.aliases.contains_key(&alias) => {
                function.aliases.insert(alias, address(url));
            }
            _ => {}
        }
    }
    functions
}

/// The roles that functions have, by logical id.
pub(super) fn roles(functions: &BTreeMap<String, Function>) -> BTreeMap<String, Principal> {
    let role = |function: &Function| Principal {
        kind: PrincipalKind::Role,
        powers: function.powers.as_ref().clone(),
        groups: BTreeSet::new(),
    };
    let mut roles = BTreeMap::new();
    for (id, function) in functions.values().filter_map(|function| Some((function.role.clone()?, function))) {
        roles.entry(id).or_insert_with(|| role(function));
    }
    roles
}

/// Who a permission lets in, unless that is a resource of this template which has its own place in the matrix, or which
/// nobody outside reaches. A load balancer, a topic or a bucket of the stack passes on what others send to it.
fn caller(resources: &Resources, permission: &Resource) -> Option<Caller> {
    let source = permission.text("SourceArn");
    let principal = permission.text("Principal").unwrap_or_default();
    if source.as_deref().is_some_and(|source| resources.is_own(source)) && principal.ends_with(".amazonaws.com") {
        return None;
    }
    let more = ["SourceAccount", "PrincipalOrgID", "EventSourceToken"].iter().filter_map(|name| permission.text(name));
    let source: Vec<String> = source.into_iter().chain(more).collect();
    let action = permission.text("Action").unwrap_or_default();
    let kind = permission.text("FunctionUrlAuthType");
    let by_url = permission.text("InvokedViaFunctionUrl").filter(|by_url| by_url != "false");
    let by_url = by_url.map(|_| "by its address".to_owned());
    Some(Caller {
        principal,
        source: (!source.is_empty()).then(|| source.join(", ")),
        action: [Some(action), kind, by_url].into_iter().flatten().collect::<Vec<_>>().join(" "),
        qualifier: None,
    })
}

fn address(url: &Resource) -> FunctionUrl {
    url.note();
    let guard = match url.text("AuthType").as_deref() {
        Some("NONE") => Guard::Public,
        Some("AWS_IAM") => Guard::Iam,
        other => Guard::Unknown { authorization: other.unwrap_or_default().to_owned(), expression: String::new() },
    };
    let cors = url.get("Cors");
    FunctionUrl { guard, cors: written(cors).map(|_| read_cors(cors)) }
}
