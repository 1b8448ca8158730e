//! The rules of authorization: one file each, with its reason, the page that says so, and two examples that are its
//! tests.
//!
//! Most rules look at a stack, and one at the sources of its functions as well. Some look at what an update would do, since
//! that alone is wrong: they are given the deployed template and the next one. Two look at what a stack says about the
//! other rules.
//!
//! A new rule is a file below `rules/` with a `RULE`, and its two lines here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::cognito::UserPool;
use crate::model::dynamodb::Table;
use crate::model::raw::Suppression;
use crate::model::{Complaint, Json, Resource, Stack};

mod answers_shared_between_callers;
mod authorizer_beyond_connect;
mod authorizer_ttl;
mod cache_without_caller;
mod cache_without_identity;
mod cached_narrow_policy;
mod client_of_another_pool;
mod cognito_route_without_scopes;
mod cors_blocks_token;
mod cors_credentials_for_a_scheme;
mod cors_credentials_for_everyone;
mod fixed_limit;
mod function_outlives_gateway;
mod identity_source;
mod implicit_flow;
mod insecure_redirect;
mod issuer_not_https;
mod key_nobody_has;
mod machine_client_incomplete;
mod machine_client_with_pages;
mod needless_suppression;
mod no_token_revocation;
mod oauth_incomplete;
mod oauth_without_domain;
mod old_simple_answers;
mod open_escape_hatch;
mod policy_for_everyone;
mod policy_key_never_there;
mod preflight_behind_any;
mod preflight_behind_authorizer;
mod private_api_without_policy;
mod quota;
mod route_key;
mod same_route_twice;
mod scope_nobody_gets;
mod scopes_without_tokens;
mod several_indexes_at_once;
mod token_validity;
mod tokens_for_anyone;
mod trigger_circle;
mod undecided_route;
mod undeletable_pool;
mod unknown_authorizer;
mod unknown_client_scope;
mod unknown_route_scope;
mod unknown_rule;
mod unreachable_api;
mod unused_authorizer;
mod user_existence_told;
mod user_pool_changed;

/// Every rule, by id.
pub const ALL: &[Rule] = &[
    answers_shared_between_callers::RULE,
    authorizer_beyond_connect::RULE,
    authorizer_ttl::RULE,
    cache_without_caller::RULE,
    cache_without_identity::RULE,
    cached_narrow_policy::RULE,
    client_of_another_pool::RULE,
    cognito_route_without_scopes::RULE,
    cors_blocks_token::RULE,
    cors_credentials_for_a_scheme::RULE,
    cors_credentials_for_everyone::RULE,
    fixed_limit::RULE,
    function_outlives_gateway::RULE,
    identity_source::RULE,
    implicit_flow::RULE,
    insecure_redirect::RULE,
    issuer_not_https::RULE,
    key_nobody_has::RULE,
    machine_client_incomplete::RULE,
    machine_client_with_pages::RULE,
    needless_suppression::RULE,
    no_token_revocation::RULE,
    oauth_incomplete::RULE,
    oauth_without_domain::RULE,
    old_simple_answers::RULE,
    open_escape_hatch::RULE,
    policy_for_everyone::RULE,
    policy_key_never_there::RULE,
    preflight_behind_any::RULE,
    preflight_behind_authorizer::RULE,
    private_api_without_policy::RULE,
    quota::RULE,
    route_key::RULE,
    same_route_twice::RULE,
    scope_nobody_gets::RULE,
    scopes_without_tokens::RULE,
    several_indexes_at_once::RULE,
    token_validity::RULE,
    tokens_for_anyone::RULE,
    trigger_circle::RULE,
    undecided_route::RULE,
    undeletable_pool::RULE,
    unknown_authorizer::RULE,
    unknown_client_scope::RULE,
    unknown_route_scope::RULE,
    unknown_rule::RULE,
    unreachable_api::RULE,
    unused_authorizer::RULE,
    user_existence_told::RULE,
    user_pool_changed::RULE,
];

/// A rule of authorization.
#[derive(Debug)]
pub struct Rule {
    /// Its name: in reports, under `suppressions`, and for `stackgen explain`.
    pub id: &'static str,
    /// What it means when a stack does not keep it.
    pub verdict: Verdict,
    /// What a stack does that keeps it, in one sentence.
    pub title: &'static str,
    /// What happens otherwise.
    pub why: &'static str,
    /// Where AWS, or whoever decides, says so.
    pub page: &'static str,
    /// A part of a stack file that keeps it; [`BESIDE`] is what else is in the file. A rule about updates has two versions
    /// of it, one after the other, with `---` between them.
    pub good: &'static str,
    /// The same, not keeping it.
    pub bad: &'static str,
    find: Find,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// AWS refuses the stack, or it says two things at once: no reason makes it right.
    Refused,
    /// A door stands open, or stays shut. A stack file can give a reason why it is meant so.
    Unsafe,
    /// It is only likely wrong. A stack file can give a reason why it is meant so.
    Doubtful,
}

/// Whether a finding keeps a stack from being deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does.
    Error,
    /// It is told, and that is all.
    Warning,
}

/// How a rule looks for what does not keep it.
#[derive(Debug)]
enum Find {
    /// In a stack.
    Stack(fn(&Stack) -> Vec<Complaint>),
    /// In a stack and the sources of its functions.
    Code(fn(&Stack, &Sources<'_>) -> Vec<Complaint>),
    /// In what an update does: the deployed template, and the next one.
    Change(fn(&Json, &Json) -> Vec<Complaint>),
    /// In what a stack says about the other rules, given all that they found.
    Suppressions(fn(&Said<'_>) -> Vec<Complaint>),
}

/// The source of a crate, by its folder from the project's root; nothing where it cannot be had.
pub type Sources<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What a stack does against a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Where, what is wrong, and what to do next.
    pub complaint: Complaint,
}

impl Rule {
    /// Whether a finding is an error.
    pub fn severity(&self) -> Severity {
        match self.verdict {
            Verdict::Refused | Verdict::Unsafe => Severity::Error,
            Verdict::Doubtful => Severity::Warning,
        }
    }

    /// Whether it is about updates rather than about stacks.
    pub fn is_about_updates(&self) -> bool {
        matches!(self.find, Find::Change(_))
    }

    fn found(&'static self, complaints: Vec<Complaint>) -> impl Iterator<Item = Finding> {
        complaints.into_iter().map(move |complaint| Finding { rule: self, complaint })
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What else is in a stack file of which an example shows a part, where the part does not have the section itself.
pub const BESIDE: &[(&str, &str)] = &[
    ("userPools", "userPools: { Users: {} }"),
    ("userPoolClients", "userPoolClients: { Web: { userPool: Users } }"),
    ("functions", "functions: { Notes: { crate: functions/notes }, Decide: { crate: functions/decide } }"),
];

/// The rule of that id.
pub fn named(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.id == id)
}

/// What a stack does against the rules, but for what it gives a reason for; in the order of the paths.
///
/// What only the source of a function could show is not looked for.
pub fn find(stack: &Stack) -> Vec<Finding> {
    find_with(stack, &|_| None)
}

/// The same, with a look at the sources of the functions where a rule asks for them.
pub fn find_with(stack: &Stack, sources: &Sources<'_>) -> Vec<Finding> {
    let found: Vec<Finding> = ALL.iter().flat_map(|rule| in_stack(rule, stack, sources)).collect();
    let said = Said::of(stack, &found);
    let about_rules = ALL.iter().flat_map(|rule| match rule.find {
        Find::Suppressions(look) => rule.found(look(&said)).collect(),
        Find::Stack(_) | Find::Code(_) | Find::Change(_) => Vec::new(),
    });
    let mut findings: Vec<Finding> = about_rules.collect();
    findings.extend(found.iter().filter(|finding| !said.excuses(finding)).cloned());
    findings.sort_by(|a, b| a.complaint.path.cmp(&b.complaint.path));
    findings
}

fn in_stack(rule: &'static Rule, stack: &Stack, sources: &Sources<'_>) -> Vec<Finding> {
    match rule.find {
        Find::Stack(look) => rule.found(look(stack)).collect(),
        Find::Code(look) => rule.found(look(stack, sources)).collect(),
        Find::Change(_) | Find::Suppressions(_) => Vec::new(),
    }
}

/// Whether a template has resources about whose updates there are rules, so that it is worth looking at what is deployed.
pub fn concern_updates(next: &Json) -> bool {
    [Table::TYPE, UserPool::TYPE].iter().any(|kind| resources(next, kind).next().is_some())
}

/// What an update does against the rules, but for what the stack gives a reason for. Paths begin with `Resources`.
///
/// `deployed` and `next` are templates as JSON; what is no template has nothing against it.
pub fn find_in_update(stack: &Stack, deployed: &Json, next: &Json) -> Vec<Finding> {
    let said = Said::of(stack, &[]);
    let found = ALL.iter().flat_map(|rule| match rule.find {
        Find::Change(look) => rule.found(look(deployed, next)).collect(),
        Find::Stack(_) | Find::Code(_) | Find::Suppressions(_) => Vec::new(),
    });
    found.filter(|finding| !said.excuses(finding)).collect()
}

/// What a stack says about the rules: which of their findings are as they should be.
struct Said<'a> {
    stack: &'a Stack,
    found: &'a [Finding],
    /// What the suppressions name, by rule.
    excused: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The types of what is declared, by id.
    kinds: BTreeMap<&'a str, &'a str>,
}

impl<'a> Said<'a> {
    fn of(stack: &'a Stack, found: &'a [Finding]) -> Self {
        let ours = stack.suppressions.iter().filter(|(rule, _)| Suppression::is_of_ours(rule));
        let named = |it: &'a Suppression| it.resources.iter().map(String::as_str).collect();
        let excused: BTreeMap<&str, BTreeSet<&str>> = ours.map(|(rule, it)| (rule.as_str(), named(it))).collect();
        let mut kinds = BTreeMap::new();
        if !excused.is_empty() {
            stack.visit(&mut |it| kinds.extend([(it.id, it.kind)]));
        }
        Self { stack, found, excused, kinds }
    }

    /// The suppressions of our own rules.
    fn suppressions(&self) -> impl Iterator<Item = (&'a str, &'a Suppression)> {
        let ours = self.stack.suppressions.iter().filter(|(rule, _)| Suppression::is_of_ours(rule));
        ours.map(|(rule, suppression)| (rule.as_str(), suppression))
    }

    fn excuses(&self, finding: &Finding) -> bool {
        let excused = self.excused.get(finding.rule.id).filter(|_| finding.rule.verdict != Verdict::Refused);
        excused.is_some_and(|excused| self.names(finding).iter().any(|name| excused.contains(name.as_ref())))
    }

    /// The names by which a suppression can mean a finding: the id of the declaration that it is in, the type of that, and
    /// what the declaration has under a name of its own, as in `Api.GET /notes`.
    fn names<'f>(&self, finding: &'f Finding) -> Vec<Cow<'f, str>>
    where
        'a: 'f,
    {
        let [_, id, inside @ ..] = finding.complaint.path.as_slice() else { return Vec::new() };
        let part = inside.get(1).map(|name| Cow::from(format!("{id}.{name}")));
        let kind = self.kinds.get(id.as_str()).map(|kind| Cow::from(*kind));
        [Cow::from(id)].into_iter().chain(kind).chain(part).collect()
    }
}

/// The resources of a type in a template, with their properties.
fn resources<'a>(template: &'a Json, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Json)> {
    let resources = template.get("Resources").and_then(Json::as_object).into_iter().flatten();
    let wanted = resources.filter(move |(_, resource)| resource["Type"] == kind);
    wanted.map(|(id, resource)| (id.as_str(), &resource["Properties"]))
}
