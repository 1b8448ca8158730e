//! What roles, users and groups may do, and who may assume a role.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::resolve::references;
use super::resources::{Resource, Resources, texts};
use super::{Powers, Principal, PrincipalKind};

const ROLE: &str = "AWS::IAM::Role";
const MANAGED: &str = "AWS::IAM::ManagedPolicy";

/// Properties of roles, users and groups that are read, and those that say nothing about who has their powers.
const READ: &[&str] = &[
    "AssumeRolePolicyDocument",
    "Description",
    "GroupName",
    "Groups",
    "ManagedPolicyArns",
    "Path",
    "PermissionsBoundary",
    "Policies",
    "RoleName",
    "Tags",
    "UserName",
];

/// How policies are given to one kind of principals.
struct Kind {
    kind: PrincipalKind,
    /// Its type.
    resource: &'static str,
    /// The property that names it.
    name: &'static str,
    /// The property by which policies name several of it.
    list: &'static str,
    /// The type of policies of one of it, which name it as it names itself.
    own: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind { kind: PrincipalKind::Role, resource: ROLE, name: "RoleName", list: "Roles", own: "AWS::IAM::RolePolicy" },
    Kind {
        kind: PrincipalKind::User,
        resource: "AWS::IAM::User",
        name: "UserName",
        list: "Users",
        own: "AWS::IAM::UserPolicy",
    },
    Kind {
        kind: PrincipalKind::Group,
        resource: "AWS::IAM::Group",
        name: "GroupName",
        list: "Groups",
        own: "AWS::IAM::GroupPolicy",
    },
];

/// The roles of functions. Each is read once, so that its grants take their room once, however many functions have it.
pub(super) struct Roles<'a> {
    resources: &'a Resources,
    read: BTreeMap<String, Arc<Powers>>,
}

impl<'a> Roles<'a> {
    pub(super) fn of(resources: &'a Resources) -> Self {
        Self { resources, read: BTreeMap::new() }
    }

    /// What whoever has a role may do, by the expression that names it, and its logical id where it is in the template.
    pub(super) fn powers(&mut self, named: &str) -> (Option<String>, Arc<Powers>) {
        let [roles, ..] = &KINDS;
        let resources = self.resources;
        let Some((id, role)) = resources.principal(named, ROLE, roles.name) else {
            return (None, Arc::new(Powers { role: Some(named.to_owned()), ..Powers::default() }));
        };
        let read = self.read.entry(id.to_owned()).or_insert_with(|| Arc::new(powers(resources, roles, id, role)));
        (Some(id.to_owned()), Arc::clone(read))
    }
}

/// The roles, users and groups that no function has, by logical id. Functions must have been read before.
pub(super) fn principals(resources: &Resources) -> BTreeMap<String, Principal> {
    let mut found = BTreeMap::new();
    for kind in &KINDS {
        for (id, principal) in resources.of_type(kind.resource).filter(|(_, one)| !one.is_read()) {
            let powers = powers(resources, kind, id, principal);
            let groups =
                if kind.kind == PrincipalKind::User { groups(resources, id, principal) } else { BTreeSet::new() };
            found.insert(id.to_owned(), Principal { kind: kind.kind, powers, groups });
        }
    }
    note_policies(resources);
    found
}

fn powers(resources: &Resources, kind: &Kind, id: &str, principal: &Resource) -> Powers {
    principal.note();
    let room = resources.room();
    let (boundary, others) = (principal.text("PermissionsBoundary"), principal.others(READ));
    let mut powers = Powers { boundary, others, ..Powers::default() };
    if let Some((_, boundary)) = powers.boundary.as_deref().and_then(|named| managed(resources, named)) {
        powers.within.add(boundary.get("PolicyDocument"), room);
    }
    powers.trust.add(principal.get("AssumeRolePolicyDocument"), room);
    let own = principal.get("Policies");
    match own.as_array() {
        Some(all) => {
            all.iter().for_each(|policy| powers.policy.add(policy.get("PolicyDocument").unwrap_or(policy), room));
        }
        None => powers.policy.add(own, room),
    }
    let name = principal.text(kind.name);
    for policies in ["AWS::IAM::Policy", kind.own, MANAGED] {
        for (_, policy) in resources.of_type(policies) {
            if names(policy, kind).iter().any(|named| stands_for(named, id, name.as_deref())) {
                powers.policy.add(policy.get("PolicyDocument"), room);
            }
        }
    }
    for arn in texts(principal.get("ManagedPolicyArns")) {
        match managed(resources, &arn) {
            Some((_, policy)) => powers.policy.add(policy.get("PolicyDocument"), room),
            None => drop(powers.managed.insert(arn)),
        }
    }
    powers
}

/// The managed policy of the template that an expression stands for.
fn managed<'a>(resources: &'a Resources, named: &'a str) -> Option<(&'a str, &'a Resource)> {
    resources.principal(named, MANAGED, "ManagedPolicyName")
}

/// Whether a resource is a managed policy that says whose it is. One that does not is nobody's until somebody names it.
pub(super) fn is_given(resource: &Resource) -> bool {
    resource.kind == MANAGED && KINDS.iter().any(|kind| !names(resource, kind).is_empty())
}

/// Whom of one kind a policy that stands by itself names.
fn names(policy: &Resource, kind: &Kind) -> BTreeSet<String> {
    let mut all = texts(policy.get(kind.list));
    if policy.kind == kind.own {
        all.extend(policy.text(kind.name));
    }
    all
}

/// Whether a name is that of a principal, or may be.
fn stands_for(named: &str, id: &str, name: Option<&str>) -> bool {
    references(named).contains(id) || Some(named) == name
}

/// The groups of a user.
fn groups(resources: &Resources, id: &str, user: &Resource) -> BTreeSet<String> {
    let mut groups = texts(user.get("Groups"));
    let name = user.text("UserName");
    for (_, addition) in resources.of_type("AWS::IAM::UserToGroupAddition") {
        if texts(addition.get("Users")).iter().any(|named| stands_for(named, id, name.as_deref())) {
            groups.extend(addition.text("GroupName"));
        }
    }
    groups
}

/// Notes the policies that were read in whole: those of which everybody whom they name is in the template, and managed ones
/// that somebody in it has.
fn note_policies(resources: &Resources) {
    let principals = || KINDS.iter().flat_map(|kind| resources.of_type(kind.resource));
    let had: BTreeSet<String> = principals()
        .flat_map(|(_, one)| {
            let boundary = one.text("PermissionsBoundary");
            texts(one.get("ManagedPolicyArns")).into_iter().chain(boundary).collect::<Vec<_>>()
        })
        .filter_map(|named| Some(managed(resources, &named)?.0.to_owned()))
        .collect();
    let types = ["AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::UserPolicy", "AWS::IAM::GroupPolicy", MANAGED];
    for (id, policy) in types.iter().flat_map(|kind| resources.of_type(kind)) {
        let is_known = |kind: &Kind, named: &String| resources.principal(named, kind.resource, kind.name).is_some();
        let of_kind = |kind: &'static Kind| names(policy, kind).into_iter().map(move |named| is_known(kind, &named));
        let known: Vec<bool> = KINDS.iter().flat_map(of_kind).collect();
        if known.iter().all(|known| *known) && (!known.is_empty() || had.contains(id)) {
            policy.note();
        }
    }
    let additions = resources.of_type("AWS::IAM::UserToGroupAddition");
    let [_, users, _] = &KINDS;
    additions
        .filter(|(_, one)| {
            texts(one.get("Users")).iter().all(|named| resources.principal(named, users.resource, users.name).is_some())
        })
        .for_each(|(_, one)| one.note());
}
