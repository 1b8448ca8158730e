//! Whether the caller of a request may do what it asks.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::policy::{self, Policy, Principal, Query, Verdict};
use super::{Iam, Role};
use crate::local::cloud::Account;
use crate::local::s3;
use crate::local::signature::Dialect;
use crate::local::wire::{Caller, Fault, Form, Request};

/// One thing that a request does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    /// Such as `s3:GetObject`.
    pub(crate) action: String,
    /// ARN of what it is done to, or `*`.
    pub(crate) resource: String,
}

impl Deed {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into() }
    }
}

/// Lets the account itself do everything, and a role's session what the role's policies allow.
///
/// # Errors
/// `AccessDenied` in AWS's words.
pub(crate) fn authorize(
    account: &Account,
    service: &str,
    dialect: Dialect,
    request: &Request,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let Caller::Role { name, session } = &request.caller else { return Ok(()) };
    let role =
        account.iam.roles.get(name).ok_or_else(|| crate::local::signature::Problem::UnknownKey.fault(dialect))?;
    let caller = Session { account, role, session, now };
    deeds(account, service, request)
        .iter()
        .try_for_each(|deed| caller.may(deed).map_err(|why| denied(&caller, deed, why, dialect)))
}

/// What a role's session may do, for those who ask on their own: `Ok`, or why not in AWS's words.
pub(crate) struct Session<'a> {
    pub(crate) account: &'a Account,
    pub(crate) role: &'a Role,
    pub(crate) session: &'a str,
    pub(crate) now: OffsetDateTime,
}

impl Session<'_> {
    /// Whether the role's own policies, its boundary, and the policy of the resource together allow a deed.
    pub(crate) fn may(&self, deed: &Deed) -> Result<(), &'static str> {
        let facts = self.facts();
        let query = Query { action: &deed.action, resource: &deed.resource, facts: &facts };
        let (grants, boundary) = self.account.iam.grants(self.role);
        let identity = policy::evaluate(&grants, &query);
        let bounded = boundary.map_or(Verdict::Allowed, |document| policy::evaluate(&[document], &query));
        let resource = self.resource_verdict(&query);
        match (identity, bounded, resource) {
            // Who one is may always be asked.
            _ if deed.action == "sts:GetCallerIdentity" => Ok(()),
            (Verdict::Denied, ..) => Err("with an explicit deny in an identity-based policy"),
            (_, _, Verdict::Denied) => Err("with an explicit deny in a resource-based policy"),
            (_, Verdict::Denied, _) => Err("with an explicit deny in a permissions boundary"),
            (Verdict::Allowed, Verdict::Allowed, _) | (_, _, Verdict::Allowed) => Ok(()),
            (Verdict::Allowed, Verdict::NotAllowed, _) => Err("because no permissions boundary allows the"),
            (Verdict::NotAllowed, ..) => Err("because no identity-based policy allows the"),
        }
    }

    fn resource_verdict(&self, query: &Query<'_>) -> Verdict {
        let Some(document) = s3::policy_of(self.account, query.resource) else { return Verdict::NotAllowed };
        let names = [self.arn(), self.role.arn(&self.account.id), self.account.id.clone(), self.root_arn()];
        let principal = Principal { kind: "AWS", names: &names };
        Policy::parse_resource(&document).map_or(Verdict::Denied, |policy| policy.verdict_for(principal, query))
    }

    fn arn(&self) -> String {
        format!("arn:aws:sts::{}:assumed-role/{}/{}", self.account.id, self.role.name, self.session)
    }

    fn root_arn(&self) -> String {
        format!("arn:aws:iam::{}:root", self.account.id)
    }

    /// The condition keys that hold for every request here. The connection counts as encrypted: it stands for one that
    /// is, and never leaves the machine.
    fn facts(&self) -> BTreeMap<String, Vec<String>> {
        let account = self.account;
        let known = [
            ("aws:securetransport", "true".to_owned()),
            ("aws:sourceip", "127.0.0.1".to_owned()),
            ("aws:requestedregion", account.region.clone()),
            ("aws:principalaccount", account.id.clone()),
            ("aws:resourceaccount", account.id.clone()),
            ("aws:principalarn", self.role.arn(&account.id)),
            ("aws:principaltype", "AssumedRole".to_owned()),
            ("aws:userid", format!("{}:{}", self.role.id, self.session)),
            ("aws:currenttime", self.now.format(&Rfc3339).unwrap_or_default()),
            ("aws:epochtime", self.now.unix_timestamp().to_string()),
        ];
        let tags = self
            .role
            .tags
            .iter()
            .map(|(key, value)| (format!("aws:principaltag/{}", key.to_ascii_lowercase()), vec![value.clone()]));
        known.into_iter().map(|(key, value)| (key.to_owned(), vec![value])).chain(tags).collect()
    }
}

fn denied(caller: &Session<'_>, deed: &Deed, why: &str, dialect: Dialect) -> Fault {
    let Deed { action, resource } = deed;
    let resource = if dialect == Dialect::S3 { format!("\"{resource}\"") } else { resource.clone() };
    let why = if why.ends_with("the") { format!("{why} {action} action") } else { why.to_owned() };
    let message =
        format!("User: {} is not authorized to perform: {action} on resource: {resource} {why}", caller.arn());
    match dialect {
        Dialect::Query | Dialect::S3 => Fault::new("AccessDenied", message).with_status(StatusCode::FORBIDDEN),
        Dialect::RestJson => Fault::new("AccessDeniedException", message).with_status(StatusCode::FORBIDDEN),
        Dialect::Json => Fault::new("AccessDeniedException", message),
    }
}

/// What a request does, as far as IAM is concerned.
fn deeds(account: &Account, service: &str, request: &Request) -> Vec<Deed> {
    match service {
        "s3" => s3::deeds(request),
        "lambda" => vec![lambda(account, request)],
        "apigateway" => {
            let resource = format!("arn:aws:apigateway:{}::{}", account.region, request.path);
            vec![Deed::new(format!("apigateway:{}", request.method), resource)]
        }
        "logs" | "ssm" | "cognito-idp" => json(account, service, request),
        _ => vec![form(service, request)],
    }
}

fn form(service: &str, request: &Request) -> Deed {
    let form = Form::of(request);
    let action = form.get("Action").unwrap_or_default();
    // Those of CloudFormation name stacks in many ways; a policy for it has to say `*`.
    let resource = form.get("RoleArn").filter(|_| service == "sts").unwrap_or("*");
    Deed::new(format!("{service}:{action}"), resource)
}

fn json(account: &Account, service: &str, request: &Request) -> Vec<Deed> {
    let body: Value = request.json().unwrap_or_default();
    let action = format!("{service}:{}", request.operation().unwrap_or_default());
    let place = format!("arn:aws:{service}:{}:{}", account.region, account.id);
    let text = |member: &str| body.get(member).and_then(Value::as_str);
    let names = || body.get("Names").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let parameter = |name: &str| {
        if name.starts_with("arn:") {
            name.to_owned()
        } else {
            format!("{place}:parameter/{}", name.trim_start_matches('/'))
        }
    };
    let resources: Vec<String> = match service {
        "ssm" => text("Name").or(text("Path")).into_iter().chain(names()).map(parameter).collect(),
        "logs" => {
            let stream = text("logStreamName").map_or("*".to_owned(), |stream| format!("log-stream:{stream}"));
            text("logGroupName")
                .map(|group| format!("{place}:log-group:{group}:{stream}"))
                .or(text("logGroupIdentifier").map(str::to_owned))
                .into_iter()
                .collect()
        }
        _ => text("UserPoolId").map(|pool| format!("{place}:userpool/{pool}")).into_iter().collect(),
    };
    if resources.is_empty() {
        return vec![Deed::new(action, "*")];
    }
    resources.into_iter().map(|resource| Deed::new(action.clone(), resource)).collect()
}

fn lambda(account: &Account, request: &Request) -> Deed {
    let rest = request.path.strip_prefix("/2015-03-31/functions").unwrap_or_default().trim_start_matches('/');
    let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let action = match (&request.method, rest) {
        (&Method::POST, "invocations") => "InvokeFunction",
        (&Method::GET, "") if name.is_empty() => "ListFunctions",
        (&Method::GET, "") => "GetFunction",
        (&Method::GET, "configuration") => "GetFunctionConfiguration",
        (&Method::POST, "") => "CreateFunction",
        (&Method::DELETE, "") => "DeleteFunction",
        (&Method::PUT, "code") => "UpdateFunctionCode",
        (&Method::PUT, "configuration") => "UpdateFunctionConfiguration",
        // A policy has to allow all of Lambda for what is not listed.
        _ => "*",
    };
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    let resource = match name.as_ref() {
        "" => "*".to_owned(),
        arn if arn.starts_with("arn:") => arn.to_owned(),
        name => format!("arn:aws:lambda:{}:{}:function:{name}", account.region, account.id),
    };
    Deed::new(format!("lambda:{action}"), resource)
}

/// Whether a role's trust policy lets a principal assume it.
pub(crate) fn may_assume(iam: &Iam, role: &str, principal: Principal<'_>) -> bool {
    let Some(role) = iam.roles.get(role) else { return false };
    let facts = BTreeMap::new();
    let query = Query { action: "sts:AssumeRole", resource: "*", facts: &facts };
    Policy::parse_trust(&role.trust).is_ok_and(|policy| policy.verdict_for(principal, &query) == Verdict::Allowed)
}
