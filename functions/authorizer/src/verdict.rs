//! What an authorizer decides, and the policy that says so.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Who is denied when nobody is known.
const NOBODY: &str = "nobody";

/// What an authorizer has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The caller may pass.
    Allow(Caller),
    /// This caller is known and may not.
    Deny(String),
    /// The caller is unknown.
    Unauthorized,
}

/// A caller who may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whom access logs name.
    pub principal: String,
    /// What the integration is told, as `requestContext.authorizer`. REST APIs take nothing but plain values.
    pub context: BTreeMap<&'static str, String>,
}

impl Caller {
    /// One of whom no more is known.
    pub fn new(principal: impl Into<String>) -> Self {
        Self { principal: principal.into(), context: BTreeMap::new() }
    }

    /// Tells the integration a value, if there is one.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        self.context.extend(value.map(|value| (name, value.into())));
        self
    }
}

/// The policy that says what was decided about these routes.
pub(crate) fn policy(verdict: &Verdict, routes: &str) -> Value {
    let (effect, principal) = match verdict {
        Verdict::Allow(caller) => ("Allow", caller.principal.as_str()),
        Verdict::Deny(principal) => ("Deny", principal.as_str()),
        Verdict::Unauthorized => ("Deny", NOBODY),
    };
    let statement = json!({ "Action": "execute-api:Invoke", "Effect": effect, "Resource": routes });
    let mut answer = json!({
        "principalId": principal,
        "policyDocument": { "Version": "2012-10-17", "Statement": [statement] },
    });
    if let Verdict::Allow(Caller { context, .. }) = verdict {
        answer["context"] = json!(context);
    }
    answer
}
