//! The order of what may be done: policies, powers of functions, and who may invoke them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Finding, Verdict, neutral, strengthened, value, weakened};
use crate::access::matrix::{Api, Caller, Grant, Guard, Policy, Powers, Principal, PrincipalKind, readable};

/// What changes in the powers of somebody, such as `function GetNotes`.
pub(super) fn powers<'a>(compared: &mut Compared<'a>, who: &str, old: &'a Powers, new: &'a Powers) -> Vec<Finding> {
    changed(compared, who, (old, new), |_| true)
}

/// The same, as far as grants are told.
fn changed<'a>(
    compared: &mut Compared<'a>,
    who: &str,
    (old, new): (&'a Powers, &'a Powers),
    is_told: fn(&Grant) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    match (&old.role, &new.role) {
        (before, after) if before == after => {}
        (_, Some(role)) => {
            let role = readable(role);
            findings.push(weakened(format!("{who} may do whatever role {role} may, which is not read")));
        }
        (Some(role), None) => {
            let role = readable(role);
            findings.push(weakened(format!("{who} has a role of the stack instead of {role}, which is not read")));
        }
        (None, None) => {}
    }
    let words = |turn, grant: &Grant| match turn {
        Turn::Allowed | Turn::AllowedNoMore if !is_told(grant) => None,
        Turn::Allowed => Some(format!("{who} may now {}", deed(grant))),
        Turn::AllowedNoMore => Some(format!("{who} may {} no more", deed(grant))),
        Turn::DeniedNoMore => Some(format!("{who} is not denied {} any more", deed(grant))),
        Turn::Denied => Some(format!("{who} is denied {}", deed(grant))),
    };
    findings.extend(compared.statements((&old.policy, &new.policy), &format!("the policies of {who}"), words));
    for came in new.managed.difference(&old.managed) {
        findings.push(weakened(format!("{who} may now do what policy {} allows", last(came))));
    }
    for went in old.managed.difference(&new.managed) {
        findings.push(strengthened(format!("{who} has policy {} no more", last(went))));
    }
    findings.extend(boundary(compared, who, old, new));
    findings
}

/// What bounds the policies of somebody.
fn boundary<'a>(compared: &mut Compared<'a>, who: &str, old: &'a Powers, new: &'a Powers) -> Vec<Finding> {
    match (&old.boundary, &new.boundary) {
        (before, after) if before == after => {
            let whose = format!("the policy that bounds {who}");
            compared.statements((&old.within, &new.within), &whose, |turn, grant| Some(said(&whose, turn, grant)))
        }
        (None, Some(boundary)) => vec![strengthened(format!("{who} is bounded by {}", readable(boundary)))],
        _ => vec![weakened(format!("{who} is not bounded as it was"))],
    }
}

/// What changes in what a policy says, in its own words.
fn said(policy: &str, turn: Turn, grant: &Grant) -> String {
    let deed = deed(grant);
    match turn {
        Turn::Allowed => format!("{policy} now allows {deed}"),
        Turn::AllowedNoMore => format!("{policy} allows {deed} no more"),
        Turn::DeniedNoMore => format!("{policy} does not deny {deed} any more"),
        Turn::Denied => format!("{policy} denies {deed}"),
    }
}

/// What changes in who may assume a role, or be a user. `role` is that in words.
pub(super) fn trust<'a>(compared: &mut Compared<'a>, role: &str, old: &'a Powers, new: &'a Powers) -> Vec<Finding> {
    let words = |turn, grant: &Grant| match turn {
        Turn::Allowed => Some(format!("{role} may now be assumed by {}", taker(grant))),
        Turn::AllowedNoMore => Some(format!("{role} may be assumed by {} no more", taker(grant))),
        Turn::DeniedNoMore => Some(format!("{role} is not denied to {} any more", taker(grant))),
        Turn::Denied => Some(format!("{role} is denied to {}", taker(grant))),
    };
    let mut findings = compared.statements((&old.trust, &new.trust), &format!("the trust of {role}"), words);
    findings.extend(value::others(role, &old.others, &new.others));
    findings
}

/// Who takes a role, and under which condition.
fn taker(grant: &Grant) -> String {
    let who = grant.principal.as_deref().unwrap_or("*");
    let who = if who == "*" { "everybody".to_owned() } else { readable(who) };
    let condition = grant.condition.as_ref().map(|condition| format!(" if {}", readable(condition)));
    format!("{who} ({}){}", grant.action, condition.unwrap_or_default())
}

/// A new role, user or group. A role that only services of AWS assume is like that of a function: nobody's powers grow,
/// unless it opens a route that asks for a signature. One that does nothing but write logs is not told.
pub(super) fn new_principal(who: &str, new: &Principal) -> Option<Finding> {
    let may = told(&new.powers);
    let words = if may.is_empty() { String::new() } else { format!(" and may {}", may.join(", ")) };
    let words = format!("{who} is new{words}");
    let is_for_people = new.kind != PrincipalKind::Role || !new.powers.trust.unread.is_empty();
    let is_for_people = is_for_people || new.powers.trust.allowed.iter().any(|grant| !is_service(grant));
    let opens = |grant: &Grant| {
        let action = grant.action.to_ascii_lowercase();
        action.starts_with("all but ") || fits(&action, "execute-api:invoke")
    };
    let opens = new.powers.policy.allowed.iter().any(opens) || !new.powers.policy.unread.is_empty();
    let is_given = !may.is_empty() || !new.groups.is_empty();
    let is_weaker = opens || (is_for_people && is_given);
    is_given.then(|| if is_weaker { weakened(words) } else { neutral(words) })
}

/// Whether only a service of AWS assumes a role by this.
fn is_service(grant: &Grant) -> bool {
    let who = grant.principal.as_deref().unwrap_or("*");
    let is_service = who.ends_with(".amazonaws.com") || who.ends_with(".${AWS::URLSuffix}");
    let action = grant.action.to_ascii_lowercase();
    is_service && who != "cognito-identity.amazonaws.com" && !action.contains("with") && !action.contains('*')
}

/// What a new function may do. It is new, so nobody's powers grow.
pub(super) fn new_powers(function: &str, powers: &Powers) -> Vec<Finding> {
    let told = told(powers);
    let words = if told.is_empty() { String::new() } else { format!(" and may {}", told.join(", ")) };
    vec![neutral(format!("function {function} is new{words}"))]
}

/// What somebody may do, its logs apart.
pub(super) fn told(powers: &Powers) -> Vec<String> {
    let grants = powers.policy.allowed.iter().filter(|grant| !is_logging(grant)).map(deed);
    let unread = powers.policy.unread.iter().map(|statement| format!("do what this says: {}", readable(statement)));
    let managed = powers.managed.iter().map(|policy| format!("do what policy {} allows", last(policy)));
    let role = powers.role.iter().filter(|role| !role.is_empty());
    let role = role.map(|role| format!("do whatever role {} may", readable(role)));
    grants.chain(unread).chain(managed).chain(role).collect()
}

/// What somebody may do that another may not, in words about `who`. Logs are left out: each function has its own.
pub(super) fn more<'a>(compared: &mut Compared<'a>, who: &str, old: &'a Powers, new: &'a Powers) -> Vec<Finding> {
    let findings = changed(compared, who, (old, new), |grant| !is_logging(grant)).into_iter();
    findings.filter(|finding| finding.verdict == Verdict::Weakened).collect()
}

fn is_logging(grant: &Grant) -> bool {
    grant.action.starts_with("logs:")
}

/// A grant in words: `dynamodb:PutItem on Notes`.
fn deed(grant: &Grant) -> String {
    let condition = grant.condition.as_ref().map(|condition| format!(" if {}", readable(condition)));
    let who = grant.principal.as_ref().map(|who| format!(" by {}", readable(who)));
    let (who, condition) = (who.unwrap_or_default(), condition.unwrap_or_default());
    format!("{} on {}{who}{condition}", readable(&grant.action), readable(&grant.resource))
}

/// The name at the end of an ARN.
fn last(arn: &str) -> String {
    readable(arn.rsplit('/').next().unwrap_or(arn))
}

/// What becomes of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Allowed,
    AllowedNoMore,
    Denied,
    DeniedNoMore,
}

impl Turn {
    fn verdict(self) -> Verdict {
        match self {
            Self::Allowed | Self::DeniedNoMore => Verdict::Weakened,
            Self::AllowedNoMore | Self::Denied => Verdict::Strengthened,
        }
    }
}

/// How two policies differ.
enum Difference<'a> {
    /// They say more than can be compared.
    Untold,
    /// The statements of which it is not known whether they allow something or deny it, and what becomes of grants.
    Told(Vec<&'a str>, Vec<(Turn, &'a Grant)>),
}

impl<'a> Difference<'a> {
    /// What differs, where there is room for so many pairs of grants.
    fn of(old: &'a Policy, new: &'a Policy, room: &mut usize) -> Self {
        let [old_allowed, new_allowed, old_denied, new_denied] =
            [&old.allowed, &new.allowed, &old.denied, &new.denied].map(Grants::of);
        let pairs = old_allowed.pairs(&new_allowed).saturating_add(old_denied.pairs(&new_denied));
        let Some(left) = room.checked_sub(pairs) else { return Self::Untold };
        *room = left;
        let turns = [
            (Turn::Allowed, new_allowed.beyond(&old_allowed)),
            (Turn::DeniedNoMore, old_denied.beyond(&new_denied)),
            (Turn::AllowedNoMore, old_allowed.beyond(&new_allowed)),
            (Turn::Denied, new_denied.beyond(&old_denied)),
        ];
        let grants = turns.into_iter().flat_map(|(turn, grants)| grants.into_iter().map(move |grant| (turn, grant)));
        let unread = old.unread.symmetric_difference(&new.unread).map(String::as_str);
        Self::Told(unread.collect(), grants.collect())
    }
}

/// Most pairs of grants, of which one may cover the other, that are looked at in all comparisons together.
const MOST_PAIRS: usize = 10_000_000;

/// The policies that were compared so far, each two of them once: many functions can have one role, and many routes can
/// lead from one function to another.
pub(super) struct Compared<'a> {
    known: BTreeMap<(&'a Policy, &'a Policy), Rc<Difference<'a>>>,
    room: usize,
}

impl Default for Compared<'_> {
    fn default() -> Self {
        Self { known: BTreeMap::new(), room: MOST_PAIRS }
    }
}

impl<'a> Compared<'a> {
    fn difference(&mut self, old: &'a Policy, new: &'a Policy) -> Rc<Difference<'a>> {
        let Self { known, room } = self;
        Rc::clone(known.entry((old, new)).or_insert_with(|| Rc::new(Difference::of(old, new, room))))
    }

    /// What changes in policies, of which `whose` tells whose they are. Grants without words are not told.
    fn statements(
        &mut self,
        (old, new): (&'a Policy, &'a Policy),
        whose: &str,
        words: impl Fn(Turn, &Grant) -> Option<String>,
    ) -> Vec<Finding> {
        if old == new {
            return Vec::new();
        }
        let difference = self.difference(old, new);
        let Difference::Told(unread, grants) = difference.as_ref() else {
            return vec![weakened(format!("{whose} change, and say more than can be compared"))];
        };
        let unread = unread
            .iter()
            .map(|said| weakened(format!("a statement of {whose} changes that is not read: {}", readable(said))));
        let told = grants
            .iter()
            .filter_map(|(turn, grant)| Some(Finding { verdict: turn.verdict(), words: words(*turn, grant)? }));
        unread.chain(told).collect()
    }

    /// How many different comparisons were made.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }
}

/// What a grant is: its action in small letters, since case does not count there, its resource, for whom it is and under
/// which condition.
type Given<'a> = (String, &'a str, Option<&'a str>, Option<&'a str>);

fn given(grant: &Grant) -> Given<'_> {
    let (principal, condition) = (grant.principal.as_deref(), grant.condition.as_deref());
    (grant.action.to_ascii_lowercase(), &grant.resource, principal, condition)
}

/// Grants, ready to be asked what they cover.
struct Grants<'a> {
    all: BTreeMap<Given<'a>, &'a Grant>,
    /// Those of them that are patterns of more than one word.
    wide: Vec<Given<'a>>,
}

impl<'a> Grants<'a> {
    fn of(grants: &'a BTreeSet<Grant>) -> Self {
        let all: BTreeMap<Given<'_>, &Grant> = grants.iter().map(|grant| (given(grant), grant)).collect();
        let is_pattern = |text: &str| text.contains(['*', '?']);
        let is_wide = |(action, resource, ..): &&Given<'_>| {
            is_pattern(action) || (*resource != EVERYTHING && is_pattern(resource))
        };
        Self { wide: all.keys().filter(is_wide).cloned().collect(), all }
    }

    /// How many pairs have to be looked at, one by one, to compare these with others.
    fn pairs(&self, others: &Self) -> usize {
        self.wide.len() * others.all.len() + others.wide.len() * self.all.len()
    }

    /// The grants of which the others say less, or nothing.
    fn beyond(&self, others: &Self) -> Vec<&'a Grant> {
        let beyond = self.all.iter().filter(|(given, _)| !others.cover(given));
        beyond.map(|(_, grant)| *grant).collect()
    }

    /// Whether one of these says as much as another one, or more.
    fn cover(&self, narrow: &Given<'_>) -> bool {
        let (action, resource, principal, condition) = narrow;
        let wider = [*resource, EVERYTHING].into_iter().flat_map(|what| {
            [*principal, EVERYBODY].into_iter().flat_map(move |who| [*condition, None].map(|when| (what, who, when)))
        });
        let mut wider = wider.map(|(what, who, when)| (action.clone(), what, who, when));
        wider.any(|wider| self.all.contains_key(&wider)) || self.wide.iter().any(|wide| covers(wide, narrow))
    }
}

const EVERYTHING: &str = "*";

const EVERYBODY: Option<&str> = Some("*");

fn covers(wide: &Given<'_>, narrow: &Given<'_>) -> bool {
    let whenever = wide.3.is_none() || wide.3 == narrow.3;
    let whoever = wide.2 == EVERYBODY || wide.2 == narrow.2;
    whenever && whoever && fits(&wide.0, &narrow.0) && fits(wide.1, narrow.1)
}

/// Whether a pattern takes all that another one does.
fn fits(wide: &str, narrow: &str) -> bool {
    // What is excepted does not grow with the pattern.
    if wide.starts_with("all but ") || narrow.starts_with("all but ") {
        return wide == narrow || wide == "*";
    }
    matches(wide.as_bytes(), narrow.as_bytes())
}

/// Wildcards, where those of the narrower one are characters like others. In time that is the product of both lengths.
pub(in crate::access) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match (pattern.get(at), text.get(from)) {
            (Some(b'*'), _) => {
                star = Some((at, from));
                at += 1;
            }
            (Some(b'?'), Some(given)) if *given != b'*' => {
                at += 1;
                from += 1;
            }
            (Some(wanted), Some(given)) if wanted == given => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star_at, star_from)) = star else { return false };
                star = Some((star_at, star_from + 1));
                at = star_at + 1;
                from = star_from + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == b'*')
}

/// What changes in the policy of an API.
pub(super) fn resource_policy<'a>(compared: &mut Compared<'a>, api: &str, old: &'a Api, new: &'a Api) -> Vec<Finding> {
    if old.policy == new.policy {
        return Vec::new();
    }
    let signs = |api: &Api| api.routes.values().any(|route| matches!(route.guard, Guard::Iam | Guard::Unknown { .. }));
    match (old.policy.is_empty(), new.policy.is_empty()) {
        // With signatures, what a resource policy allows is allowed beside what the caller's own policies do.
        (true, _) if signs(new) && (!new.policy.allowed.is_empty() || !new.policy.unread.is_empty()) => {
            vec![weakened(format!("{api} gets a resource policy, which lets in callers that sign"))]
        }
        (true, _) => vec![strengthened(format!("{api} gets a resource policy"))],
        (_, true) => vec![weakened(format!("{api} has no resource policy any more"))],
        _ => {
            let whose = format!("the resource policy of {api}");
            compared.statements((&old.policy, &new.policy), &whose, |turn, grant| Some(said(&whose, turn, grant)))
        }
    }
}

/// Who may invoke a function.
pub(super) fn callers(name: &str, old: &BTreeSet<Caller>, new: &BTreeSet<Caller>) -> Vec<Finding> {
    let who = |caller: &Caller| {
        let everybody = caller.principal == "*";
        let principal = if everybody { "everybody".to_owned() } else { readable(&caller.principal) };
        let source = caller.source.as_ref().map(|source| format!(" for {}", readable(source))).unwrap_or_default();
        let at = caller.qualifier.as_ref().map(|alias| format!(" at {}", readable(alias))).unwrap_or_default();
        format!("{principal}{source}{at} ({})", caller.action)
    };
    let came = new.difference(old).map(|caller| weakened(format!("{name} may now be invoked by {}", who(caller))));
    let went =
        old.difference(new).map(|caller| strengthened(format!("{name} may be invoked by {} no more", who(caller))));
    came.chain(went).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(count: usize, action: impl Fn(usize) -> String) -> Policy {
        let grant = |at| Grant { action: action(at), resource: "*".to_owned(), principal: None, condition: None };
        Policy { allowed: (0..count).map(grant).collect(), ..Policy::default() }
    }

    fn told<'a>(compared: &mut Compared<'a>, old: &'a Policy, new: &'a Policy) -> Vec<Finding> {
        compared.statements((old, new), "the policies of it", |_, grant| Some(grant.action.clone()))
    }

    fn compared(old: &Policy, new: &Policy) -> Vec<Finding> {
        told(&mut Compared::default(), old, new)
    }

    #[test]
    fn a_grant_is_covered_for_as_many_and_whenever() {
        let grant = |action: &str, principal: Option<&str>, condition: Option<&str>| Grant {
            action: action.to_owned(),
            resource: "a".to_owned(),
            principal: principal.map(str::to_owned),
            condition: condition.map(str::to_owned),
        };
        let is_covered = |wide: Grant, narrow: Grant| {
            let [wide, narrow] = [wide, narrow].map(|grant| BTreeSet::from([grant]));
            Grants::of(&narrow).beyond(&Grants::of(&wide)).is_empty()
        };
        let everybody = Some("*");
        for action in ["s3:Get", "s3:*"] {
            assert!(is_covered(grant(action, everybody, None), grant("S3:get", Some("x"), Some("c"))), "{action}");
            assert!(!is_covered(grant(action, Some("y"), None), grant("s3:Get", Some("x"), None)), "{action}");
            assert!(!is_covered(grant(action, everybody, Some("c")), grant("s3:Get", Some("x"), None)), "{action}");
        }
        assert!(is_covered(grant("s3:*", None, None), grant("s3:Put", None, None)));
        assert!(!is_covered(grant("s3:Get", None, None), grant("s3:Put", None, None)));
    }

    #[test]
    fn many_grants_are_compared_at_once_or_not_at_all() {
        let plain = |count| grants(count, |at| format!("s3:{at}"));
        assert_eq!(compared(&plain(10_000), &plain(9_999)), [strengthened("s3:9999")]);
        let wide = |count| grants(count, |at| format!("s3:{at}*"));
        assert_eq!(compared(&wide(100), &wide(101)), [], "s3:10* is among them");
        let told = compared(&wide(10_000), &wide(9_999));
        assert_eq!(told, [weakened("the policies of it change, and say more than can be compared")]);
    }

    #[test]
    fn two_policies_are_compared_once() {
        let [old, new] = [2, 3].map(|count| grants(count, |at| format!("s3:{at}")));
        let (same, mut compared) = (old.clone(), Compared::default());
        let first = compared.difference(&old, &new);
        for old in [&old, &same] {
            assert!(Rc::ptr_eq(&first, &compared.difference(old, &new)));
        }
        assert!(!Rc::ptr_eq(&first, &compared.difference(&new, &old)));
        assert_eq!(compared.count(), 2);
    }

    #[test]
    fn all_comparisons_together_have_room_for_so_many_pairs() {
        let wide = |count| grants(count, |at| format!("s3:{at}*"));
        let [one, two, three, four] = [1_700, 1_701, 1_702, 50].map(wide);
        let mut compared = Compared::default();
        assert_eq!(told(&mut compared, &one, &two), [], "s3:170* is among them");
        let too_much = weakened("the policies of it change, and say more than can be compared");
        assert_eq!(told(&mut compared, &one, &three), [too_much], "there were as many before");
        assert_eq!(told(&mut compared, &one, &two), [], "that is known");
        assert_eq!(told(&mut compared, &four, &two).len(), 0, "there is room for fewer");
    }

    #[test]
    fn a_pattern_takes_what_another_does() {
        for (wide, narrow, expected) in [
            ("*", "*", true),
            ("*", "dynamodb:*", true),
            ("dynamodb:*", "dynamodb:getitem", true),
            ("dynamodb:get*", "dynamodb:*", false),
            ("dynamodb:?etItem", "dynamodb:GetItem", true),
            ("dynamodb:?", "dynamodb:*", false),
            ("${Notes.Arn}", "${Notes.Arn}/index/*", false),
            ("${Notes.Arn}*", "${Notes.Arn}/index/*", true),
            ("a*b*c", "axbxxbc", true),
            ("a*b*c", "axbxxb", false),
            ("all but s3:*", "all but s3:GetObject", false),
            ("all but s3:*", "all but s3:*", true),
            ("s3:*", "all but s3:*", false),
            ("", "", true),
        ] {
            assert_eq!(fits(wide, narrow), expected, "{wide} {narrow}");
        }
    }
}
