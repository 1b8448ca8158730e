//! What the policy of a REST API says of a request, whoever sends it.

use crate::access::matrix::{Grant, Policy};
use crate::access::probe::Request;

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stance {
    /// There is none, or it lets everybody pass to the guard.
    Silent,
    /// It denies the request to everybody.
    Denies,
    /// That depends on what the file does not tell.
    Unsure,
}

impl Stance {
    pub(super) fn of(policy: &Policy, stage: &str, request: &Request) -> Self {
        let called = format!("{stage}/{}{}", request.method, request.path);
        let is_about = |grant: &&Grant| is_about(grant, &called);
        let is_for_all = |grant: &&Grant| grant.principal.as_deref() == Some("*") && grant.condition.is_none();
        if policy.denied.iter().filter(is_about).any(|grant| is_for_all(&grant)) {
            return Self::Denies;
        }
        let is_doubtful = policy.denied.iter().any(|grant| is_about(&grant)) || !policy.unread.is_empty();
        let is_allowed = policy.allowed.iter().filter(is_about).any(|grant| is_for_all(&grant));
        if policy.is_empty() || (is_allowed && !is_doubtful) { Self::Silent } else { Self::Unsure }
    }
}

/// Whether a grant may be about a call, such as `prod/GET/notes`.
fn is_about(grant: &Grant, called: &str) -> bool {
    let action = grant.action.as_str();
    let is_action = action.starts_with("all but ") || fits(&action.to_ascii_lowercase(), "execute-api:invoke");
    let resource = grant.resource.as_str();
    let below = resource.split_once('/').map_or(resource, |(_, below)| below);
    is_action && (resource.starts_with("all but ") || fits(below, called))
}

/// Whether a text has the form of a pattern with `*` and `?`. What a `*` stands for grows only when the rest does not fit,
/// so that no pattern takes long.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((before, taken)) = star else { return false };
                star = Some((before, taken + 1));
                (at, from) = (before + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{Request, Stance, fits};
    use crate::access::matrix::Matrix;

    fn stance(statements: Value) -> Stance {
        let api =
            json!({ "Type": "AWS::ApiGateway::RestApi", "Properties": { "Policy": { "Statement": statements } } });
        let matrix = Matrix::of(&json!({ "Resources": { "Api": api } }), &BTreeMap::new());
        let request = Request { method: "GET".to_owned(), path: "/notes".to_owned(), ..Request::default() };
        Stance::of(&matrix.apis["Api"].policy, "prod", &request)
    }

    #[test]
    fn what_is_denied_to_all_is_known() {
        let allow = json!({ "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*" });
        let deny = |resource: &str| json!({ "Effect": "Deny", "Principal": { "AWS": "*" }, "Action": "execute-api:*", "Resource": resource });
        assert_eq!(stance(json!([])), Stance::Silent);
        assert_eq!(stance(json!([allow])), Stance::Silent);
        assert_eq!(stance(json!([allow, deny("execute-api:/prod/GET/notes")])), Stance::Denies);
        assert_eq!(stance(json!([allow, deny("execute-api:/*/GET/n*")])), Stance::Denies);
        assert_eq!(stance(json!([allow, deny("execute-api:/prod/PUT/*")])), Stance::Silent);
    }

    #[test]
    fn conditions_are_not_guessed() {
        let allow = json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": { "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } } });
        assert_eq!(stance(json!([allow])), Stance::Unsure);
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [("*", ""), ("a*", "abc"), ("*c", "abc"), ("a*b*c", "aXbbYc"), ("a?c", "abc"), ("", "")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", ""), ("a*", "ba"), ("a?c", "ac"), ("a*b", "abc"), ("", "a")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        assert!(!fits(&"*a".repeat(1_000), &"b".repeat(10_000)), "and soon");
    }
}
