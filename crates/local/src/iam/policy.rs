//! IAM's policy language: reading a document, and what it says about one request.
//!
//! What cannot be decided here (a policy variable, a condition on a key that this cloud does not know) never grants
//! and always denies.

mod condition;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::wire::Fault;
use condition::Condition;

/// A policy document that is well-formed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
struct Statement {
    denies: bool,
    actions: Patterns,
    resources: Patterns,
    principals: Option<Principals>,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq)]
enum Patterns {
    In(Vec<String>),
    NotIn(Vec<String>),
}

#[derive(Debug, Clone, PartialEq)]
enum Principals {
    In(Vec<(String, String)>),
    NotIn(Vec<(String, String)>),
}

/// Three-valued: what cannot be decided is neither yes nor no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    No,
    Unknown,
    Yes,
}

impl Truth {
    pub(super) fn of(flag: bool) -> Self {
        if flag { Self::Yes } else { Self::No }
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::Unknown => Self::Unknown,
            Self::No => Self::Yes,
        }
    }
}

/// What somebody wants to do.
#[derive(Debug, Clone)]
pub(crate) struct Query<'a> {
    /// Such as `s3:GetObject`.
    pub(crate) action: &'a str,
    /// ARN of what it is done to, or `*`.
    pub(crate) resource: &'a str,
    /// Condition keys in lower case, with what they hold here. A key that is missing is not known.
    pub(crate) facts: &'a BTreeMap<String, Vec<String>>,
}

/// Who asks, for policies that name principals: kind (`AWS`, `Service`) and value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Principal<'a> {
    pub(crate) kind: &'a str,
    pub(crate) names: &'a [String],
}

/// What policies say about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Some statement allows it and none denies it.
    Allowed,
    /// A statement denies it, whatever else allows it.
    Denied,
    /// No statement speaks of it.
    NotAllowed,
}

/// No real policy nests or repeats beyond this; the text is bounded by the request already.
const MOST_STATEMENTS: usize = 1_000;

impl Policy {
    /// A policy of a role: actions and resources, no principals.
    pub(crate) fn parse_identity(document: &Value) -> Result<Self, Fault> {
        let policy = Self::parse(document)?;
        if policy.statements.iter().any(|statement| statement.principals.is_some()) {
            return Err(malformed("Policy document should not specify a principal."));
        }
        if policy.statements.iter().any(|statement| statement.resources == Patterns::In(vec![])) {
            return Err(malformed("Policy statement must contain resources."));
        }
        Ok(policy)
    }

    /// A trust policy: principals and actions, no resources.
    pub(crate) fn parse_trust(document: &Value) -> Result<Self, Fault> {
        let policy = Self::parse(document)?;
        if policy.statements.iter().any(|statement| statement.principals.is_none()) {
            return Err(malformed("Policy document must specify a principal."));
        }
        if policy.statements.iter().any(|statement| statement.resources != Patterns::In(vec![])) {
            return Err(malformed("Has prohibited field Resource"));
        }
        Ok(policy)
    }

    /// A policy of a resource: principals, actions and resources.
    pub(crate) fn parse_resource(document: &Value) -> Result<Self, Fault> {
        let policy = Self::parse(document)?;
        if policy.statements.iter().any(|statement| statement.principals.is_none()) {
            return Err(malformed("Missing required field Principal"));
        }
        Ok(policy)
    }

    fn parse(document: &Value) -> Result<Self, Fault> {
        let document = object(document)?;
        only(document, &["Version", "Id", "Statement"])?;
        match document.get("Version").map(Value::as_str) {
            None | Some(Some("2012-10-17" | "2008-10-17")) => {}
            Some(_) => return Err(malformed("The policy must contain a valid version string")),
        }
        let statements = document.get("Statement").ok_or_else(|| malformed("Syntax errors in policy."))?;
        let statements: Vec<Statement> =
            one_or_more(statements).iter().map(Statement::parse).collect::<Result<_, _>>()?;
        if statements.is_empty() || statements.len() > MOST_STATEMENTS {
            return Err(malformed("Syntax errors in policy."));
        }
        Ok(Self { statements })
    }

    /// What this policy says about a request, principals left aside.
    fn verdict(&self, query: &Query<'_>) -> Verdict {
        self.judge(query, |_| Truth::Yes)
    }

    /// What this policy says about a request by a principal.
    pub(crate) fn verdict_for(&self, principal: Principal<'_>, query: &Query<'_>) -> Verdict {
        self.judge(query, |statement| statement.names(principal))
    }

    fn judge(&self, query: &Query<'_>, concerns: impl Fn(&Statement) -> Truth) -> Verdict {
        let mut verdict = Verdict::NotAllowed;
        for statement in &self.statements {
            match (statement.denies, statement.applies(query).min(concerns(statement))) {
                (_, Truth::No) | (false, Truth::Unknown) => {}
                (true, _) => return Verdict::Denied,
                (false, Truth::Yes) => verdict = Verdict::Allowed,
            }
        }
        verdict
    }
}

/// What several policies together say. One that is not well-formed denies everything.
pub(crate) fn evaluate(documents: &[Value], query: &Query<'_>) -> Verdict {
    let verdicts = documents
        .iter()
        .map(|document| Policy::parse(document).map_or(Verdict::Denied, |policy| policy.verdict(query)));
    verdicts.fold(Verdict::NotAllowed, |sum, verdict| match (sum, verdict) {
        (Verdict::Denied, _) | (_, Verdict::Denied) => Verdict::Denied,
        (Verdict::Allowed, _) | (_, Verdict::Allowed) => Verdict::Allowed,
        _ => Verdict::NotAllowed,
    })
}

impl Statement {
    fn parse(statement: &Value) -> Result<Self, Fault> {
        let members = object(statement)?;
        only(members, MEMBERS)?;
        let denies = match members.get("Effect").and_then(Value::as_str) {
            Some("Allow") => false,
            Some("Deny") => true,
            _ => return Err(malformed("Syntax errors in policy.")),
        };
        let actions = patterns(members, "Action", "NotAction")?
            .ok_or_else(|| malformed("Policy statement must contain actions."))?;
        if let Patterns::In(names) | Patterns::NotIn(names) = &actions
            && let Some(name) = names.iter().find(|name| *name != "*" && !name.contains(':'))
        {
            return Err(malformed(&format!(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: `{name}`"
            )));
        }
        Ok(Self {
            denies,
            actions,
            resources: patterns(members, "Resource", "NotResource")?.unwrap_or(Patterns::In(vec![])),
            principals: principals(members)?,
            conditions: members.get("Condition").map(condition::parse).transpose()?.unwrap_or_default(),
        })
    }

    fn applies(&self, query: &Query<'_>) -> Truth {
        let action = self
            .actions
            .hold(|pattern| Truth::of(matches(&pattern.to_ascii_lowercase(), &query.action.to_ascii_lowercase())));
        let resource = match &self.resources {
            // Only trust policies have none.
            Patterns::In(patterns) if patterns.is_empty() => Truth::Yes,
            patterns => patterns.hold(|pattern| resource_matches(pattern, query.resource)),
        };
        let conditions = self.conditions.iter().map(|condition| condition.holds(query.facts)).min();
        action.min(resource).min(conditions.unwrap_or(Truth::Yes))
    }

    fn names(&self, principal: Principal<'_>) -> Truth {
        let is_named = |entries: &[(String, String)]| {
            entries.iter().any(|(kind, name)| {
                kind == "*" || (kind == principal.kind && (name == "*" || principal.names.contains(name)))
            })
        };
        match &self.principals {
            None => Truth::No,
            Some(Principals::In(entries)) => Truth::of(is_named(entries)),
            Some(Principals::NotIn(entries)) => Truth::of(!is_named(entries)),
        }
    }
}

const MEMBERS: &[&str] =
    &["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"];

impl Patterns {
    fn hold(&self, matches: impl Fn(&str) -> Truth) -> Truth {
        let any = |patterns: &[String]| patterns.iter().map(|pattern| matches(pattern)).max().unwrap_or(Truth::No);
        match self {
            Self::In(patterns) => any(patterns),
            Self::NotIn(patterns) => any(patterns).not(),
        }
    }
}

fn patterns(members: &Map<String, Value>, positive: &str, negative: &str) -> Result<Option<Patterns>, Fault> {
    match (members.get(positive), members.get(negative)) {
        (Some(_), Some(_)) => Err(malformed("Syntax errors in policy.")),
        (Some(values), None) => Ok(Some(Patterns::In(texts(values)?))),
        (None, Some(values)) => Ok(Some(Patterns::NotIn(texts(values)?))),
        (None, None) => Ok(None),
    }
}

fn principals(members: &Map<String, Value>) -> Result<Option<Principals>, Fault> {
    match (members.get("Principal"), members.get("NotPrincipal")) {
        (Some(_), Some(_)) => Err(malformed("Syntax errors in policy.")),
        (Some(value), None) => Ok(Some(Principals::In(principal_entries(value)?))),
        (None, Some(value)) => Ok(Some(Principals::NotIn(principal_entries(value)?))),
        (None, None) => Ok(None),
    }
}

fn principal_entries(value: &Value) -> Result<Vec<(String, String)>, Fault> {
    if value == "*" {
        return Ok(vec![("*".to_owned(), "*".to_owned())]);
    }
    let mut entries = Vec::new();
    for (kind, names) in object(value)? {
        if !matches!(kind.as_str(), "AWS" | "Service" | "Federated" | "CanonicalUser") {
            return Err(malformed(&format!("Invalid principal in policy: \"{kind}\"")));
        }
        entries.extend(texts(names)?.into_iter().map(|name| (kind.clone(), name)));
    }
    if entries.is_empty() { Err(malformed("Invalid principal in policy")) } else { Ok(entries) }
}

/// Whether a pattern of `*` and `?` matches a whole text. Linear but for one remembered star, so no pattern is slow.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while here < text.len() {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, here));
                at += 1;
            }
            (Some(b'?'), _) => {
                at += 1;
                here += 1;
            }
            (Some(byte), _) if text.get(here) == Some(byte) => {
                at += 1;
                here += 1;
            }
            (_, Some((star_at, eaten))) => {
                star = Some((star_at, eaten + 1));
                at = star_at + 1;
                here = eaten + 1;
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

/// Whether a pattern holds a variable such as `${aws:username}`, which this cloud does not resolve.
pub(super) fn has_variable(pattern: &str) -> bool {
    pattern.contains("${")
}

fn resource_matches(pattern: &str, resource: &str) -> Truth {
    if has_variable(pattern) { Truth::Unknown } else { Truth::of(matches(pattern, resource)) }
}

pub(super) fn object(value: &Value) -> Result<&Map<String, Value>, Fault> {
    value.as_object().ok_or_else(|| malformed("Syntax errors in policy."))
}

fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), Fault> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(malformed(&format!("Syntax errors in policy: unknown member `{name}`"))),
        None => Ok(()),
    }
}

fn one_or_more(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// A string or a list of strings.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, Fault> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(malformed("Syntax errors in policy.")),
    };
    one_or_more(value).iter().map(text).collect()
}

pub(super) fn malformed(message: &str) -> Fault {
    Fault::new("MalformedPolicyDocument", message)
}

/// The few policies of AWS's own that serverless stacks attach. Others can be attached, and grant nothing here.
pub(crate) fn aws_managed(arn: &str) -> Option<Value> {
    const LOGS: &[&str] = &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
    let allow = |actions: &[&str]| {
        Some(
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] }),
        )
    };
    match arn.strip_prefix(super::AWS_MANAGED)? {
        "service-role/AWSLambdaBasicExecutionRole" | "service-role/AmazonAPIGatewayPushToCloudWatchLogs" => allow(LOGS),
        "AWSXRayDaemonWriteAccess" => allow(&["xray:PutTraceSegments", "xray:PutTelemetryRecords"]),
        "AdministratorAccess" => allow(&["*"]),
        "AWSCloudFormationReadOnlyAccess" => allow(&[
            "cloudformation:Describe*",
            "cloudformation:Detect*",
            "cloudformation:EstimateTemplateCost",
            "cloudformation:Get*",
            "cloudformation:List*",
            "cloudformation:ValidateTemplate",
        ]),
        "AmazonS3ReadOnlyAccess" => allow(&["s3:Get*", "s3:List*", "s3:Describe*"]),
        "AmazonSSMReadOnlyAccess" => allow(&["ssm:Describe*", "ssm:Get*", "ssm:List*"]),
        _ => {
            tracing::warn!(arn, "the local cloud does not know what this policy grants: it grants nothing");
            None
        }
    }
}

#[cfg(test)]
mod tests;
