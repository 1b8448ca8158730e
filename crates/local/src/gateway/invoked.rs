//! What a request asks for, as policies name it.
//!
//! A path has many spellings that lead to one route: with escapes or without, and in REST APIs with a slash at its end.
//! AWS does not say which of them policies are held against. So two count, that of the client and the plain one by which
//! routes are chosen: a denial of either denies, and only what is allowed in both is allowed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::slice;

use serde_json::Value;

use super::request::SOURCE_IP;
use super::signer::ACTION;
use crate::iam::policy::{self, Query, Verdict};

/// The ARN of the route as it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invoked {
    /// As the client spells the path.
    pub(super) spelled: String,
    /// Without escapes, and without the slash that does not count.
    pub(super) plain: String,
}

impl Invoked {
    /// What has one spelling only.
    pub(super) fn plain(arn: impl Into<String>) -> Self {
        let arn = arn.into();
        Self { spelled: arn.clone(), plain: arn }
    }

    /// The verdict on both spellings together.
    pub(super) fn judged(&self, judge: impl Fn(&str) -> Verdict) -> Verdict {
        let spelled = judge(&self.spelled);
        if self.spelled == self.plain {
            return spelled;
        }
        match (spelled, judge(&self.plain)) {
            (Verdict::Denied, _) | (_, Verdict::Denied) => Verdict::Denied,
            (Verdict::Allowed, Verdict::Allowed) => Verdict::Allowed,
            _ => Verdict::NotAllowed,
        }
    }

    /// What the policy says that a Lambda authorizer has answered with. The very ARN that it was asked about stands for
    /// the request, however that is spelled.
    pub(super) fn judged_by(&self, document: &Value) -> Verdict {
        let facts = BTreeMap::from([("aws:sourceip".to_owned(), vec![SOURCE_IP.to_owned()])]);
        self.judged(|arn| {
            let mut document = Cow::Borrowed(document);
            if arn != self.spelled {
                replace(document.to_mut(), &self.spelled, arn);
            }
            let query = Query { action: ACTION, resource: arn, facts: &facts };
            policy::evaluate(slice::from_ref(document.as_ref()), &query)
        })
    }
}

fn replace(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(text) if text == old => new.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, old, new)),
        Value::Object(members) => members.values_mut().for_each(|value| replace(value, old, new)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(spelled: &str, statements: &[(&str, &str, &str)]) -> Verdict {
        let arn = |path: &str| format!("arn:aws:execute-api:us-east-1:000000000000:abc/test/GET/{path}");
        let statements: Vec<Value> = statements
            .iter()
            .map(|(effect, member, path)| {
                json!({ "Effect": effect, "Action": "execute-api:Invoke", (*member): arn(path) })
            })
            .collect();
        let invoked = Invoked { spelled: arn(spelled), plain: arn("a b") };
        invoked.judged_by(&json!({ "Version": "2012-10-17", "Statement": statements }))
    }

    #[test]
    fn no_spelling_gets_around_a_policy() {
        let all = ("Allow", "Resource", "*");
        for spelled in ["a b", "a%20b", "%61%20b", "a%20b/"] {
            assert_eq!(verdict(spelled, &[all, ("Deny", "Resource", "a b")]), Verdict::Denied, "{spelled}");
            assert_eq!(verdict(spelled, &[("Allow", "NotResource", "a b")]), Verdict::NotAllowed, "{spelled}");
            assert_eq!(verdict(spelled, &[all]), Verdict::Allowed, "{spelled}");
        }
        assert_eq!(verdict("a%20b", &[all, ("Deny", "Resource", "a%20*")]), Verdict::Denied);
    }

    #[test]
    fn an_authorizer_may_answer_with_what_it_was_asked_about() {
        assert_eq!(verdict("a%20b", &[("Allow", "Resource", "a%20b")]), Verdict::Allowed);
        assert_eq!(verdict("a%20b", &[("Allow", "Resource", "a%20c")]), Verdict::NotAllowed);
    }
}
