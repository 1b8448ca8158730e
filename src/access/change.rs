//! What a change of a template means for access, in words and with a verdict.
//!
//! A change is **weakened** where somebody may pass, or something may be done, that could not before; **strengthened**
//! where the contrary is sure; else **neutral**. Each fact has an order of its own, and what cannot be compared counts as
//! weakened, because somebody new may pass. So does whatever cannot be told:
//!
//! | fact | weaker is |
//! |---|---|
//! | guard of a route | `PUBLIC` is the weakest. A token, a function's decision and a signature admit different callers: one in place of another is weaker. So is every change from or to a guard that cannot be told |
//! | issuer, pool, function that decides | another one |
//! | audiences, clients, pools | one more |
//! | scopes, groups: any one of them is enough | one more beside others, or none at all |
//! | scopes of a REST API's Cognito authorizer | also the first one: access tokens pass then, where ID tokens did |
//! | what a request must carry before a function is asked | less, or something else |
//! | seconds for which decisions, answers and tokens are good | more: revoking takes longer |
//! | requests a second, at once | more |
//! | API key, execute-api endpoint, private API, TLS | not needed any more, open, not private, older |
//! | CORS: origins, methods, headers, credentials | one more; `*` is all |
//! | resource policy, what a function, role, user or group may do | allows something that was not allowed, or does not deny what was denied. A statement of which neither can be told: any change |
//! | who may assume a role | one more. A new role that people assume, or that may call an API, whether or not a new function has it |
//! | how long its sessions last, a user's password, what a group of a pool gives, with which rights the gateway calls | any change |
//! | who may invoke a function | one more who is no resource of the stack, or one that passes on what others send to it |
//! | user pool | people may sign up by themselves, a second factor or an attribute's confirmation is not needed, passwords may be weaker, a provider or a way to sign in is added, a function in the flow is another |
//! | stages: which copy of the API each serves, variables that may decide | a copy that is not made by this change, another value. A new stage is held against those that were there |
//! | conditions that cannot be decided | any change: of what they say, and of what depends on them |
//! | parts that are not read: nested stacks, macros, modules, custom resources, OpenAPI documents, and whatever else may say who gets in | any change |
//!
//! A route that comes or goes is judged by the requests that it takes: whoever answered them before, and whoever does
//! after, is found by API Gateway's own rules. A new route that is guarded and takes nobody's requests is neutral.

mod guard;
mod name;
mod plan;
mod pool;
pub(super) mod power;
mod route;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::matrix::{
    Api, Domain, Function, FunctionUrl, Matrix, Powers, Principal, PrincipalKind, Setting, Unseen, readable,
};
use name::Names;
use power::Compared;

/// One change of one fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What it is for access.
    pub verdict: Verdict,
    /// What kind of thing changes.
    pub subject: Subject,
    /// The thing that changes, by the name under which a weakening of it is accepted: `GET /orders`, `Members`,
    /// `function GetNotes`, `cors of Api`, `user pool Users`.
    pub name: String,
    /// The change in words.
    pub words: String,
}

/// What a change is for access. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Somebody may pass, or something may be done, that could not before.
    Weakened,
    /// Neither is sure.
    Neutral,
    /// Fewer may pass, or less may be done.
    Strengthened,
}

/// What kind of thing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// A route.
    Route,
    /// An authorizer.
    Authorizer,
    /// An API as a whole.
    Api,
    /// Which pages of other origins may read answers.
    Cors,
    /// How often something may be called.
    Throttle,
    /// A function.
    Function,
    /// A role, a user or a group.
    Principal,
    /// A user pool.
    UserPool,
    /// A domain name.
    Domain,
    /// Something that is not read.
    Unseen,
}

impl Subject {
    /// A name with what it is a name of. Those that say so already stay as they are.
    fn named(self, name: &str) -> String {
        match self {
            Self::Route => format!("route {name}"),
            Self::Authorizer => format!("authorizer {name}"),
            Self::Api => format!("API {name}"),
            Self::Unseen => format!("unread {name}"),
            Self::Cors | Self::Throttle | Self::Function | Self::Principal | Self::UserPool | Self::Domain => {
                name.to_owned()
            }
        }
    }
}

/// What changes between two matrices, the worst first.
#[must_use]
pub fn changes(old: &Matrix, new: &Matrix) -> Vec<Change> {
    told_apart(Found::of(old, new).changes)
}

/// Gives each thing a name of its own: where two share one, their kinds are told as well, so that who accepts a change of
/// one has not accepted that of the other.
fn told_apart(changes: BTreeSet<Change>) -> Vec<Change> {
    let mut subjects: BTreeMap<String, BTreeSet<Subject>> = BTreeMap::new();
    for change in &changes {
        subjects.entry(change.name.clone()).or_default().insert(change.subject);
    }
    let is_shared = |name: &str| subjects.get(name).is_some_and(|subjects| subjects.len() > 1);
    let named = changes.into_iter().map(|change| match is_shared(&change.name) {
        true => Change { name: change.subject.named(&change.name), ..change },
        false => change,
    });
    // In the order of the names that they have now.
    named.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The changes that weaken access.
pub fn weakened_by(changes: &[Change]) -> impl Iterator<Item = &Change> {
    changes.iter().filter(|change| change.verdict == Verdict::Weakened)
}

/// The changes that were found so far.
struct Found<'a> {
    names: Names,
    compared: Compared<'a>,
    changes: BTreeSet<Change>,
}

impl<'a> Found<'a> {
    fn of(old: &'a Matrix, new: &'a Matrix) -> Self {
        let mut found = Self { names: Names::of(old, new), compared: Compared::default(), changes: BTreeSet::new() };
        found.apis(old, new);
        found.functions(old, new);
        found.principals(old, new);
        found.domains(old, new);
        found.unseen(old, new);
        found.unread(old, new);
        found.conditions(old, new);
        pool::pools(&mut found, old, new);
        plan::plans(&mut found, old, new);
        found
    }

    fn add(&mut self, subject: Subject, name: impl Into<String>, finding: Finding) {
        let Finding { verdict, words } = finding;
        self.changes.insert(Change { verdict, subject, name: name.into(), words });
    }

    fn all(&mut self, subject: Subject, name: &str, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(subject, name, finding));
    }

    /// Whether anything was found about a thing.
    fn tells_of(&self, name: &str) -> bool {
        self.changes.iter().any(|change| change.name == name)
    }

    fn apis(&mut self, old: &'a Matrix, new: &'a Matrix) {
        for (id, api) in &new.apis {
            match old.apis.get(id) {
                Some(before) if before.kind == api.kind => self.api(id, (before, old), (api, new)),
                before => {
                    if before.is_some() {
                        self.add(Subject::Api, id, weakened(format!("API {id} becomes one of another kind")));
                    }
                    route::all_new(self, id, api);
                }
            }
        }
        for id in old.apis.keys().filter(|id| !new.apis.contains_key(*id)) {
            self.add(Subject::Api, id, strengthened(format!("API {id} goes")));
        }
    }

    fn api(&mut self, id: &str, (old, olds): (&'a Api, &'a Matrix), (new, news): (&'a Api, &'a Matrix)) {
        route::routes(self, id, (old, olds), (new, news));
        route::stages(self, id, old, new);
        let cors = format!("cors of {id}");
        for (path, cors_of_path) in &new.cors {
            let base = route::cors_before(old, path);
            let at = if path == "/*" { String::new() } else { format!(" at {path}") };
            if let Some(base) = base {
                self.all(Subject::Cors, &cors, value::cors(&base, cors_of_path, &at));
            }
        }
        let left: Vec<Finding> = route::cors_left_to_functions(old, new);
        if !old.cors.is_empty() && new.cors.is_empty() && left.is_empty() {
            self.add(Subject::Cors, &cors, strengthened("CORS admits no other origin any more"));
        }
        self.all(Subject::Cors, &cors, left);
        self.openness(id, (old, olds), (new, news));
    }

    /// How an API can be reached at all.
    fn openness(&mut self, id: &str, (old, olds): (&'a Api, &Matrix), (new, news): (&'a Api, &Matrix)) {
        let endpoint = value::flag(&old.execute_api_endpoint, &new.execute_api_endpoint, true, |on| {
            let how = if on { "answers" } else { "answers no more" };
            format!("{id} {how} at the address that API Gateway gives it")
        });
        self.all(Subject::Api, id, endpoint);
        let private = value::flag(&old.private, &new.private, false, |on| {
            if on {
                format!("{id} can be reached only from VPCs")
            } else {
                format!("{id} can be reached from the internet")
            }
        });
        self.all(Subject::Api, id, private);
        let policy = power::resource_policy(&mut self.compared, id, old, new);
        self.all(Subject::Api, id, policy);
        self.all(Subject::Api, id, route::key_source(id, old, new));
        if new.document.is_some() && old.document != new.document {
            let words = format!("the OpenAPI document of {id} changes, whose routes are not read");
            self.add(Subject::Unseen, id, weakened(words));
        }
        for domain in new.domains.difference(&old.domains) {
            let is_guarded =
                |matrix: &Matrix, domain: &String| matrix.domains.get(domain).is_some_and(asks_for_certificates);
            let was_open = old.execute_api_endpoint == Setting::Known(true)
                || old.domains.iter().any(|domain| !is_guarded(olds, domain));
            let name = news.domains.get(domain).map_or(domain, |domain| &domain.name);
            let words = format!("{id} answers at {name}");
            let harmless = was_open || is_guarded(news, domain);
            self.add(Subject::Api, id, if harmless { neutral(words) } else { weakened(words) });
        }
    }

    fn functions(&mut self, old: &'a Matrix, new: &'a Matrix) {
        for (id, function) in &new.functions {
            let name = format!("function {id}");
            match old.functions.get(id) {
                Some(before) => {
                    let role = format!("the role of {name}");
                    self.powers((Subject::Function, &name, &role), &before.powers, &function.powers);
                    self.doors(&name, before, function);
                }
                None => {
                    self.all(Subject::Function, &name, power::new_powers(id, &function.powers));
                    self.doors(&name, &Function::default(), function);
                }
            }
        }
    }

    /// What somebody may do, and who else has that. `role` is the role in words.
    fn powers(&mut self, (subject, name, role): (Subject, &str, &str), old: &'a Powers, new: &'a Powers) {
        let powers = power::powers(&mut self.compared, name, old, new);
        self.all(subject, name, powers);
        let trust = power::trust(&mut self.compared, role, old, new);
        self.all(subject, name, trust);
    }

    fn principals(&mut self, old: &'a Matrix, new: &'a Matrix) {
        for (id, principal) in &new.principals {
            self.principal(id, standing(old, id, principal.kind), principal);
        }
        for (id, role) in new.roles.iter().filter(|(id, _)| !is_told_of_functions(id, old, new)) {
            match standing(old, id, role.kind) {
                Some(before) => self.principal(id, Some(before), role),
                None => self.new_role(id, role),
            }
        }
        let is_there = |id: &String| new.principals.contains_key(id) || new.roles.contains_key(id);
        let gone = old.principals.iter().filter(|(id, _)| !is_there(id));
        for (id, principal) in gone.filter(|(_, one)| !power::told(&one.powers).is_empty()) {
            let name = named(id, principal.kind);
            self.add(Subject::Principal, &name, strengthened(format!("{name} goes")));
        }
    }

    fn principal(&mut self, id: &str, old: Option<&'a Principal>, new: &'a Principal) {
        let name = named(id, new.kind);
        let Some(old) = old else {
            return self.all(Subject::Principal, &name, power::new_principal(&name, new));
        };
        self.powers((Subject::Principal, &name, &name), &old.powers, &new.powers);
        let groups = value::admits(
            &old.groups,
            &new.groups,
            |came| format!("{name} is now in group {came}"),
            |went| format!("{name} is in group {went} no more"),
        );
        self.all(Subject::Principal, &name, groups);
    }

    /// A new role of a new function, which tells what it may do: only who else has that is told of the role.
    fn new_role(&mut self, id: &str, role: &Principal) {
        let name = named(id, role.kind);
        let finding = power::new_principal(&name, role).filter(|finding| finding.verdict == Verdict::Weakened);
        self.all(Subject::Principal, &name, finding);
    }

    /// Who reaches a function other than by an API.
    fn doors(&mut self, name: &str, old: &Function, new: &Function) {
        self.all(Subject::Function, name, power::callers(name, &old.callers, &new.callers));
        self.address(name, name, old.url.as_ref(), new.url.as_ref());
        for alias in old.aliases.keys().chain(new.aliases.keys()).collect::<BTreeSet<_>>() {
            let of = format!("alias {} of {name}", readable(alias));
            self.address(name, &of, old.aliases.get(alias), new.aliases.get(alias));
        }
    }

    /// The address of a function, or of one of its aliases: `of` is that in words.
    fn address(&mut self, name: &str, of: &str, old: Option<&FunctionUrl>, new: Option<&FunctionUrl>) {
        let Some(url) = new else {
            if old.is_some() {
                self.add(Subject::Function, name, strengthened(format!("{of} has no address of its own any more")));
            }
            return;
        };
        let who = guard::words(&url.guard);
        match old {
            Some(before) => {
                for finding in guard::compare(&before.guard, &url.guard, &format!("the address of {of}")) {
                    self.add(Subject::Function, name, finding.into());
                }
            }
            None if guard::is_open(&url.guard) => {
                self.add(Subject::Function, name, weakened(format!("{of} gets an address of its own, {who}")));
            }
            None => self.add(Subject::Function, name, neutral(format!("{of} gets an address of its own, {who}"))),
        }
        let Some(old) = old else { return };
        let cors = format!("cors of {name}");
        match (&old.cors, &url.cors) {
            (before, Some(cors_of_url)) => {
                let before = before.clone().unwrap_or_default();
                self.all(Subject::Cors, &cors, value::cors(&before, cors_of_url, ""));
            }
            (Some(_), None) => {
                let words = format!("{of} has no CORS any more, and the headers of its answers are not read");
                self.add(Subject::Cors, &cors, weakened(words));
            }
            (None, None) => {}
        }
    }

    fn domains(&mut self, old: &Matrix, new: &Matrix) {
        for (id, domain) in &new.domains {
            if let Some(before) = old.domains.get(id) {
                let name = format!("domain {}", domain.name);
                self.all(Subject::Domain, &name, domain_changes(before, domain));
            }
        }
    }

    fn unseen(&mut self, old: &Matrix, new: &Matrix) {
        for (id, part) in &new.unseen {
            match old.unseen.get(id) {
                Some(before) if before == part => {}
                Some(_) => {
                    let words = format!("{id} ({}) changes, and what is in it is not seen", part.kind);
                    self.add(Subject::Unseen, id, weakened(words));
                }
                None => {
                    let words = format!("{id} ({}) is new, and what is in it is not seen", part.kind);
                    self.add(Subject::Unseen, id, weakened(words));
                }
            }
        }
        for (id, part) in old.unseen.iter().filter(|(id, _)| !new.unseen.contains_key(*id)) {
            // What it held may be in this template now.
            self.add(
                Subject::Unseen,
                id,
                neutral(format!("{id} ({}) goes, and what was in it is not seen", part.kind)),
            );
        }
    }

    /// Resources of which only a change can be told.
    fn unread(&mut self, old: &Matrix, new: &Matrix) {
        for (id, part) in new.unread.iter().filter(|(id, part)| old.unread.get(*id) != Some(part)) {
            let kind = &part.kind;
            let (opens, was_read) = (!opens_nothing(part, old, new), old.ids.contains(id));
            let finding = match old.unread.get(id) {
                Some(_) => weakened(format!("{id} ({kind}) changes, which is not read")),
                None if was_read && opens => weakened(format!("{id} ({kind}) is not read any more")),
                None if was_read => continue,
                None if opens => weakened(format!("{id} ({kind}) is new, which is not read")),
                None => neutral(format!("{id} ({kind}) is new, which is not read")),
            };
            self.add(Subject::Unseen, id, finding);
        }
        // What goes, or becomes something that is read, may have been in somebody's way.
        for (id, part) in old.unread.iter().filter(|(id, _)| !new.unread.contains_key(*id)) {
            let (kind, bars) = (&part.kind, bars_somebody(part));
            let finding = match new.ids.contains(id) {
                false if bars => weakened(format!("{id} ({kind}) goes, which was not read")),
                false => neutral(format!("{id} ({kind}) goes, which was not read")),
                true if bars => weakened(format!("{id} ({kind}) is read now, and what it said before is not known")),
                true => continue,
            };
            self.add(Subject::Unseen, id, finding);
        }
    }

    /// Conditions that cannot be decided: another one may hold where the old one did not.
    fn conditions(&mut self, old: &Matrix, new: &Matrix) {
        let is_there = |matrix: &Matrix, id: &str| matrix.ids.contains(id);
        let ids: BTreeSet<&String> = old.conditions.keys().chain(new.conditions.keys()).collect();
        for id in ids.into_iter().filter(|id| is_there(old, id) && is_there(new, id)) {
            let (before, after) = (old.conditions.get(id), new.conditions.get(id));
            if before != after {
                let said = |condition: Option<&String>| condition.map_or("nothing".to_owned(), Clone::clone);
                let words = format!("whether {id} is there depends on {} instead of {}", said(after), said(before));
                self.add(Subject::Unseen, id, weakened(words));
            }
        }
        for (name, said) in &new.undecided {
            if old.undecided.get(name).is_some_and(|before| before != said) {
                let words = format!("condition {name} changes, and whether it holds cannot be told");
                self.add(Subject::Unseen, format!("condition {name}"), weakened(words));
            }
        }
    }
}

/// The name of a role, user or group.
fn named(id: &str, kind: PrincipalKind) -> String {
    match kind {
        PrincipalKind::Role => format!("role {id}"),
        PrincipalKind::User => format!("user {id}"),
        PrincipalKind::Group => format!("group {id}"),
    }
}

/// A role, user or group of a matrix, whether or not a function has it.
fn standing<'a>(matrix: &'a Matrix, id: &str, kind: PrincipalKind) -> Option<&'a Principal> {
    let found = matrix.principals.get(id).or_else(|| matrix.roles.get(id));
    found.filter(|principal| principal.kind == kind)
}

/// Whether what changes about a role is told of a function: of one that had it before, or that had another one in place
/// of a new role.
fn is_told_of_functions(role: &str, old: &Matrix, new: &Matrix) -> bool {
    let is_new = standing(old, role, PrincipalKind::Role).is_none();
    let mut having = new.functions.iter().filter(|(_, function)| function.role.as_deref() == Some(role));
    having.any(|(id, function)| old.functions.get(id).is_some_and(|before| is_new || before.role == function.role))
}

/// Whether a new resource lets nobody in before something else leads to it, or it leads to something.
fn opens_nothing(part: &Unseen, old: &Matrix, new: &Matrix) -> bool {
    const INERT: &[&str] = &[
        "AWS::ApiGateway::ApiKey",
        "AWS::ApiGateway::Authorizer",
        "AWS::ApiGatewayV2::Authorizer",
        "AWS::ApiGatewayV2::Integration",
        "AWS::Cognito::IdentityPool",
        "AWS::Cognito::UserPoolGroup",
        "AWS::Cognito::UserPoolResourceServer",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::OIDCProvider",
        "AWS::IAM::SAMLProvider",
        "AWS::Lambda::CodeSigningConfig",
    ];
    match part.kind.as_str() {
        // A key opens what its plan does: what one of elsewhere opens is not known.
        "AWS::ApiGateway::UsagePlanKey" => {
            let plan = part.plan.as_ref().and_then(|id| new.plans.get(id));
            plan.is_some_and(|plan| !plan::opens(plan, old, new))
        }
        kind => INERT.contains(&kind) && !part.is_given,
    }
}

/// Whether a resource that goes may have kept somebody out.
fn bars_somebody(part: &Unseen) -> bool {
    let bars = [
        "AWS::ApiGatewayV2::ApiGatewayManagedOverrides",
        "AWS::ApiGatewayV2::RoutingRule",
        "AWS::Cognito::UserPoolRiskConfigurationAttachment",
        "AWS::IAM::GroupPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::RolePolicy",
        "AWS::IAM::UserPolicy",
        "AWS::Lambda::CodeSigningConfig",
    ];
    bars.contains(&part.kind.as_str()) || part.is_given
}

/// Whether a domain name takes only clients with certificates for certain. An expression for the whole setting may come
/// to nothing.
fn asks_for_certificates(domain: &Domain) -> bool {
    domain.mutual_tls.as_ref().is_some_and(|trusted| !trusted.starts_with("${Fn::"))
}

fn domain_changes(old: &Domain, new: &Domain) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = &new.name;
    match (&old.mutual_tls, &new.mutual_tls) {
        (before, after) if before == after => {}
        (Some(_), None) => findings.push(weakened(format!("{name} takes connections without a client's certificate"))),
        (None, Some(_)) if asks_for_certificates(new) => {
            findings.push(strengthened(format!("{name} asks for a client's certificate")));
        }
        (None, Some(undecided)) => {
            findings.push(neutral(format!("{name} asks for a client's certificate, where {undecided} says so")));
        }
        (Some(before), Some(after)) => {
            findings.push(weakened(format!("{name} trusts the certificates of {after} instead of {before}")));
        }
        (None, None) => {}
    }
    if old.mutual_tls == new.mutual_tls && old.truststore_version != new.truststore_version {
        let said = |version: &Option<String>| version.clone().unwrap_or_else(|| "none in particular".to_owned());
        let (before, after) = (said(&old.truststore_version), said(&new.truststore_version));
        findings.push(weakened(format!("{name} trusts version {after} of its certificates instead of {before}")));
    }
    if old.others != new.others {
        findings.push(weakened(format!("from where {name} is reached, or which APIs, is not as it was and not read")));
    }
    if old.tls != new.tls {
        let tls = |policy: &Option<String>| policy.clone().unwrap_or_else(|| "the default".to_owned());
        let words = format!("{name} takes {} instead of {}", tls(&new.tls), tls(&old.tls));
        let is_newer = old.tls.as_deref() == Some("TLS_1_0") && new.tls.as_deref() == Some("TLS_1_2");
        findings.push(if is_newer { strengthened(words) } else { weakened(words) });
    }
    findings
}

/// What was found about one fact, before it is known whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    verdict: Verdict,
    words: String,
}

fn weakened(words: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Weakened, words: words.into() }
}

fn neutral(words: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Neutral, words: words.into() }
}

fn strengthened(words: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Strengthened, words: words.into() }
}

#[cfg(test)]
mod tests;
