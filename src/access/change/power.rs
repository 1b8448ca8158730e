//! The order of what may be done: policies, powers of functions, and who may invoke them.

use std::collections::BTreeSet;

use super::{Finding, Verdict, neutral, strengthened, value, weakened};
use crate::access::matrix::{Api, Caller, Grant, Guard, Policy, Powers, Principal, PrincipalKind, readable};

/// What changes in the powers of somebody, such as `function GetNotes`.
pub(super) fn powers(who: &str, old: &Powers, new: &Powers) -> Vec<Finding> {
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
    findings.extend(policy(
        (&old.policy, &new.policy),
        &format!("the policies of {who}"),
        |grant| format!("{who} may now {}", deed(grant)),
        |grant| format!("{who} may {} no more", deed(grant)),
        |grant| format!("{who} is not denied {} any more", deed(grant)),
        |grant| format!("{who} is denied {}", deed(grant)),
    ));
    for came in new.managed.difference(&old.managed) {
        findings.push(weakened(format!("{who} may now do what policy {} allows", last(came))));
    }
    for went in old.managed.difference(&new.managed) {
        findings.push(strengthened(format!("{who} has policy {} no more", last(went))));
    }
    findings.extend(boundary(who, old, new));
    findings
}

/// What bounds the policies of somebody.
fn boundary(who: &str, old: &Powers, new: &Powers) -> Vec<Finding> {
    match (&old.boundary, &new.boundary) {
        (before, after) if before == after => policy(
            (&old.within, &new.within),
            &format!("the policy that bounds {who}"),
            |grant| format!("the policy that bounds {who} now allows {}", deed(grant)),
            |grant| format!("the policy that bounds {who} allows {} no more", deed(grant)),
            |grant| format!("the policy that bounds {who} does not deny {} any more", deed(grant)),
            |grant| format!("the policy that bounds {who} denies {}", deed(grant)),
        ),
        (None, Some(boundary)) => vec![strengthened(format!("{who} is bounded by {}", readable(boundary)))],
        _ => vec![weakened(format!("{who} is not bounded as it was"))],
    }
}

/// What changes in who may assume a role, or be a user. `role` is that in words.
pub(super) fn trust(role: &str, old: &Powers, new: &Powers) -> Vec<Finding> {
    let mut findings = policy(
        (&old.trust, &new.trust),
        &format!("the trust of {role}"),
        |grant| format!("{role} may now be assumed by {}", taker(grant)),
        |grant| format!("{role} may be assumed by {} no more", taker(grant)),
        |grant| format!("{role} is not denied to {} any more", taker(grant)),
        |grant| format!("{role} is denied to {}", taker(grant)),
    );
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
/// unless it opens a route that asks for a signature.
/// One that does nothing but write logs is not told.
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
pub(super) fn more(who: &str, old: &Powers, new: &Powers) -> Vec<Finding> {
    let without_logs = |powers: &Powers| {
        let mut powers = powers.clone();
        powers.policy.allowed.retain(|grant| !is_logging(grant));
        powers
    };
    let findings = powers(who, &without_logs(old), &without_logs(new)).into_iter();
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

fn policy(
    (old, new): (&Policy, &Policy),
    whose: &str,
    may: impl Fn(&Grant) -> String,
    may_not: impl Fn(&Grant) -> String,
    not_denied: impl Fn(&Grant) -> String,
    denied: impl Fn(&Grant) -> String,
) -> Vec<Finding> {
    if old == new {
        return Vec::new();
    }
    let came = new.allowed.iter().filter(|grant| !covered(grant, &old.allowed));
    let went = old.allowed.iter().filter(|grant| !covered(grant, &new.allowed));
    let freed = old.denied.iter().filter(|grant| !covered(grant, &new.denied));
    let barred = new.denied.iter().filter(|grant| !covered(grant, &old.denied));
    let came = came.map(|grant| weakened(may(grant)));
    let freed = freed.map(|grant| weakened(not_denied(grant)));
    let went = went.map(|grant| strengthened(may_not(grant)));
    // Whether it allows something or denies it is not known.
    let unread = old.unread.symmetric_difference(&new.unread);
    let unread =
        unread.map(|said| weakened(format!("a statement of {whose} changes that is not read: {}", readable(said))));
    let told = came.chain(freed).chain(went).chain(barred.map(|grant| strengthened(denied(grant))));
    unread.chain(told).collect()
}

/// Whether one of the grants says as much as this one, or more.
fn covered(grant: &Grant, all: &BTreeSet<Grant>) -> bool {
    all.contains(grant) || all.iter().any(|other| covers(other, grant))
}

fn covers(wide: &Grant, narrow: &Grant) -> bool {
    let same = wide.condition.is_none() || wide.condition == narrow.condition;
    let everybody = wide.principal.as_deref() == Some("*") || wide.principal == narrow.principal;
    let action = fits(&wide.action.to_ascii_lowercase(), &narrow.action.to_ascii_lowercase());
    same && everybody && action && fits(&wide.resource, &narrow.resource)
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
pub(super) fn resource_policy(api: &str, old: &Api, new: &Api) -> Vec<Finding> {
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
        _ => policy(
            (&old.policy, &new.policy),
            &format!("the resource policy of {api}"),
            |grant| format!("the resource policy of {api} now allows {}", deed(grant)),
            |grant| format!("the resource policy of {api} allows {} no more", deed(grant)),
            |grant| format!("the resource policy of {api} does not deny {} any more", deed(grant)),
            |grant| format!("the resource policy of {api} denies {}", deed(grant)),
        ),
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
    use super::fits;

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
