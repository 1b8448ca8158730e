//! Whether the caller of a request may do what it asks.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::policy::{self, Policy, Principal, Query, Verdict};
use super::{Iam, Role, User};
use crate::cloud::Account;
use crate::signature::Dialect;
use crate::wire::{Caller, Fault, Request};
use crate::{cloudformation, cognito, dynamodb, lambda, logs, s3, secretsmanager, ses, ssm, sts};

/// One thing that a request does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    /// Such as `s3:GetObject`.
    pub(crate) action: String,
    /// ARN of what it is done to, or `*`.
    pub(crate) resource: String,
    /// What is known of it besides: condition keys in lower case. One without a value is known to be absent.
    facts: BTreeMap<String, Vec<String>>,
}

impl Deed {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), facts: BTreeMap::new() }
    }

    /// The same, with what a condition key holds.
    #[must_use]
    pub(crate) fn knowing(mut self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.facts.insert(key.to_ascii_lowercase(), values.into_iter().collect());
        self
    }

    /// The same, with the tags of what it is done to.
    #[must_use]
    pub(crate) fn tagged(mut self, service: &str, tags: &BTreeMap<String, String>) -> Self {
        for (key, value) in tags {
            for place in ["aws", service] {
                self = self.knowing(&format!("{place}:ResourceTag/{key}"), [value.clone()]);
            }
        }
        self
    }
}

/// Lets the account itself do everything, and a user or a role's session what the policies of it allow.
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
    if matches!(request.caller, Caller::Root | Caller::Anonymous) {
        return Ok(());
    }
    let unknown = || crate::signature::Problem::UnknownKey.fault(dialect);
    let caller = Session::of(account, &request.caller, now).ok_or_else(unknown)?;
    let Some(deeds) = deeds(account, service, request, now) else {
        let deed = Deed::new(format!("{service}:{}", request.operation().unwrap_or("*")), "*");
        return Err(denied(&caller, &deed, Why::NotGranted, dialect));
    };
    deeds.iter().try_for_each(|deed| caller.may(deed).map_err(|why| denied(&caller, deed, why, dialect)))
}

/// What a user or a role's session may do, for those who ask on their own: `Ok`, or why not in AWS's words.
pub(crate) struct Session<'a> {
    pub(crate) account: &'a Account,
    pub(crate) who: Who<'a>,
    pub(crate) now: OffsetDateTime,
}

/// Whose policies count.
#[derive(Clone, Copy)]
pub(crate) enum Who<'a> {
    /// A session of a role, by its name.
    Role(&'a Role, &'a str),
    User(&'a User),
}

/// What the policy of a resource says to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Granted {
    /// Nothing.
    No,
    /// It is denied.
    Denied,
    /// It is granted to the role, as far as the role's boundary lets it.
    ToRole,
    /// It is granted to the session or user itself, or to everybody.
    ToSession,
}

/// Why somebody may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// A policy of their own denies it.
    DeniedByIdentity,
    /// The policy of the resource denies it.
    DeniedByResource,
    /// The boundary denies it.
    DeniedByBoundary,
    /// The boundary does not speak of it.
    NotBounded,
    /// Nothing grants it.
    NotGranted,
}

impl Why {
    /// Whether something denies it, rather than nothing allowing it.
    pub(crate) fn is_explicit(self) -> bool {
        matches!(self, Self::DeniedByIdentity | Self::DeniedByResource | Self::DeniedByBoundary)
    }

    /// As AWS words it about an action.
    fn words(self, action: &str) -> String {
        match self {
            Self::DeniedByIdentity => "with an explicit deny in an identity-based policy".to_owned(),
            Self::DeniedByResource => "with an explicit deny in a resource-based policy".to_owned(),
            Self::DeniedByBoundary => "with an explicit deny in a permissions boundary".to_owned(),
            Self::NotBounded => format!("because no permissions boundary allows the {action} action"),
            Self::NotGranted => format!("because no identity-based policy allows the {action} action"),
        }
    }
}

impl<'a> Session<'a> {
    /// That of a caller; none for the account itself, for nobody, and for one that is gone.
    pub(crate) fn of(account: &'a Account, caller: &'a Caller, now: OffsetDateTime) -> Option<Self> {
        let who = match caller {
            Caller::Root | Caller::Anonymous => return None,
            Caller::Role { name, session } => Who::Role(account.iam.roles.get(name)?, session),
            Caller::User { name } => Who::User(account.iam.users.get(name)?),
        };
        Some(Self { account, who, now })
    }

    /// Whether the own policies, the boundary, and the policy of the resource together allow a deed. The log tells each
    /// question as it could be put to another cloud, one JSON document a line.
    pub(crate) fn may(&self, deed: &Deed) -> Result<(), Why> {
        let mut facts = self.facts();
        facts.extend(deed.facts.clone());
        let query = Query { action: &deed.action, resource: &deed.resource, facts: &facts };
        let verdict = self.verdict(&query);
        tracing::debug!("{}", self.told(&query, verdict));
        verdict
    }

    fn told(&self, query: &Query<'_>, verdict: Result<(), Why>) -> Value {
        let Query { action, resource, facts } = query;
        json!({
            "caller": self.arn(), "action": action, "resource": resource, "context": facts, "allowed": verdict.is_ok(),
        })
    }

    fn verdict(&self, query: &Query<'_>) -> Result<(), Why> {
        let identity = policy::evaluate(&self.grants(), query);
        let bounded = self.boundary().map_or(Verdict::Allowed, |document| policy::evaluate(&[document], query));
        match (identity, bounded, self.granted(query)) {
            (Verdict::Denied, ..) => Err(Why::DeniedByIdentity),
            (_, _, Granted::Denied) => Err(Why::DeniedByResource),
            (_, Verdict::Denied, _) => Err(Why::DeniedByBoundary),
            (Verdict::Allowed, Verdict::Allowed, _)
            | (_, Verdict::Allowed, Granted::ToRole)
            | (_, _, Granted::ToSession) => Ok(()),
            (Verdict::Allowed, ..) | (_, _, Granted::ToRole) => Err(Why::NotBounded),
            (Verdict::NotAllowed, ..) => Err(Why::NotGranted),
        }
    }

    /// The same, as an error in AWS's words.
    ///
    /// # Errors
    /// When it is denied.
    pub(crate) fn ask(&self, deed: &Deed) -> Result<(), String> {
        self.may(deed).map_err(|why| self.refusal(deed, why))
    }

    fn refusal(&self, deed: &Deed, why: Why) -> String {
        let Deed { action, resource, .. } = deed;
        let why = why.words(action);
        format!("User: {} is not authorized to perform: {action} on resource: {resource} {why}", self.arn())
    }

    fn grants(&self) -> Vec<Value> {
        let iam = &self.account.iam;
        match self.who {
            Who::Role(role, _) => iam.granted(&role.inline, &role.attached),
            Who::User(user) => iam.granted(&user.inline, &user.attached),
        }
    }

    /// What bounds the grants. A boundary that is gone bounds everything.
    fn boundary(&self) -> Option<Value> {
        let arn = match self.who {
            Who::Role(role, _) => role.boundary.as_ref(),
            Who::User(user) => user.boundary.as_ref(),
        };
        arn.map(|arn| self.account.iam.managed(arn).unwrap_or_default())
    }

    /// What the policy of the resource says. One that names the whole account leaves the decision to the role's own
    /// policies; one that cannot be read denies.
    fn granted(&self, query: &Query<'_>) -> Granted {
        let Some(document) = policy_of(self.account, query.resource) else { return Granted::No };
        let Ok(policy) = Policy::parse_resource(&document) else { return Granted::Denied };
        let (session, role) = ([self.arn()], [self.principal_arn()]);
        let account = [self.account.id.clone(), self.root_arn()];
        let verdict = |names: &[String]| policy.verdict_for(Principal { kind: "AWS", names }, query);
        let verdicts = [verdict(&session), verdict(&role), verdict(&account)];
        match verdicts {
            _ if verdicts.contains(&Verdict::Denied) => Granted::Denied,
            [Verdict::Allowed, ..] => Granted::ToSession,
            [_, Verdict::Allowed, _] => Granted::ToRole,
            _ => Granted::No,
        }
    }

    pub(crate) fn arn(&self) -> String {
        match self.who {
            Who::Role(role, session) => {
                format!("arn:aws:sts::{}:assumed-role/{}/{session}", self.account.id, role.name)
            }
            Who::User(user) => user.arn(&self.account.id),
        }
    }

    /// The ARN of the role, or of the user itself.
    fn principal_arn(&self) -> String {
        match self.who {
            Who::Role(role, _) => role.arn(&self.account.id),
            Who::User(user) => user.arn(&self.account.id),
        }
    }

    fn root_arn(&self) -> String {
        format!("arn:aws:iam::{}:root", self.account.id)
    }

    /// The condition keys that hold for every request here. The connection counts as encrypted: it stands for one that
    /// is, and never leaves the machine.
    fn facts(&self) -> BTreeMap<String, Vec<String>> {
        let account = self.account;
        let (kind, id, tags) = match self.who {
            Who::Role(role, session) => ("AssumedRole", format!("{}:{session}", role.id), &role.tags),
            Who::User(user) => ("User", user.id.clone(), &user.tags),
        };
        let known = [
            ("aws:securetransport", "true".to_owned()),
            ("aws:sourceip", "127.0.0.1".to_owned()),
            ("aws:requestedregion", account.region.clone()),
            ("aws:principalaccount", account.id.clone()),
            ("aws:resourceaccount", account.id.clone()),
            ("aws:principalarn", self.principal_arn()),
            ("aws:principaltype", kind.to_owned()),
            ("aws:userid", id),
            ("aws:currenttime", self.now.format(&Rfc3339).unwrap_or_default()),
            ("aws:epochtime", self.now.unix_timestamp().to_string()),
        ];
        let tags = tags
            .iter()
            .map(|(key, value)| (format!("aws:principaltag/{}", key.to_ascii_lowercase()), vec![value.clone()]));
        known.into_iter().map(|(key, value)| (key.to_owned(), vec![value])).chain(tags).collect()
    }
}

fn denied(caller: &Session<'_>, deed: &Deed, why: Why, dialect: Dialect) -> Fault {
    let Deed { action, resource, .. } = deed;
    let message = match dialect {
        // SES has words of its own, with quotes of its own.
        _ if action.starts_with("ses:") => {
            format!("User `{}' is not authorized to perform `{action}' on resource `{resource}'", caller.arn())
        }
        Dialect::S3 => caller.refusal(&Deed { resource: format!("\"{resource}\""), ..deed.clone() }, why),
        _ => caller.refusal(deed, why),
    };
    match dialect {
        Dialect::Query | Dialect::S3 => Fault::new("AccessDenied", message).with_status(StatusCode::FORBIDDEN),
        Dialect::RestJson => Fault::new("AccessDeniedException", message).with_status(StatusCode::FORBIDDEN),
        Dialect::Json => Fault::new("AccessDeniedException", message),
    }
}

/// The policy of a resource, for the services that keep one.
fn policy_of(account: &Account, resource: &str) -> Option<Value> {
    match resource.split(':').nth(2)? {
        "dynamodb" => dynamodb::policy_of(account, resource),
        "lambda" => lambda::policy_of(account, resource),
        "s3" => s3::policy_of(account, resource),
        "secretsmanager" => secretsmanager::policy_of(account, resource),
        "ses" => ses::policy_of(account, resource),
        _ => None,
    }
}

/// Whether the policy of a resource lets everybody do a deed, those without a name too.
pub(crate) fn is_open(account: &Account, deed: &Deed) -> bool {
    let Some(document) = policy_of(account, &deed.resource) else { return false };
    let query = Query { action: &deed.action, resource: &deed.resource, facts: &deed.facts };
    let nobody = Principal { kind: "AWS", names: &[] };
    Policy::parse_resource(&document).is_ok_and(|policy| policy.verdict_for(nobody, &query) == Verdict::Allowed)
}

/// What a request does, as far as IAM is concerned; none for an operation that no service lists. Some operations need
/// no permission at all.
fn deeds(account: &Account, service: &str, request: &Request, now: OffsetDateTime) -> Option<Vec<Deed>> {
    match service {
        "apigateway" => Some(vec![apigateway(account, request)]),
        "cloudformation" => Some(cloudformation::deeds::deeds(account, request)),
        "cognito-idp" => cognito::deeds::deeds(account, request),
        "dynamodb" => dynamodb::deeds::deeds(account, request),
        "iam" => Some(vec![super::deeds::deed(account, request)]),
        "lambda" => lambda::deeds::deeds(account, request),
        "logs" => logs::deeds::deeds(account, request),
        "s3" => Some(s3::deeds(account, request)),
        "secretsmanager" => secretsmanager::deeds::deeds(account, request, now),
        "ses" => ses::deeds::deeds(account, request),
        "ssm" => ssm::deeds::deeds(account, request),
        "sts" => sts::deeds(request),
        // The tool's own operations among them: whatever a policy says, no role does them.
        _ => None,
    }
}

/// The path is the one that the operation goes by, however it is spelled. Those of HTTP APIs lose their version.
fn apigateway(account: &Account, request: &Request) -> Deed {
    let segments = request.segments();
    let path = match segments.as_slice() {
        [version, path @ ..] if version == "v2" => path,
        path => path,
    };
    let resource = format!("arn:aws:apigateway:{}::/{}", account.region, path.join("/"));
    Deed::new(format!("apigateway:{}", request.method), resource)
}

/// Whether a role's trust policy lets a principal assume it.
pub(crate) fn may_assume(iam: &Iam, role: &str, principal: Principal<'_>) -> bool {
    let Some(role) = iam.roles.get(role) else { return false };
    let facts = BTreeMap::new();
    let query = Query { action: "sts:AssumeRole", resource: "*", facts: &facts };
    Policy::parse_trust(&role.trust).is_ok_and(|policy| policy.verdict_for(principal, &query) == Verdict::Allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::Table;
    use crate::iam::Naming;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/notes";

    fn statement(effect: &str, action: &str, principal: Option<&str>) -> Value {
        let mut statement = json!({ "Effect": effect, "Action": action, "Resource": "*" });
        if let Some(principal) = principal {
            statement["Principal"] = if principal == "*" { json!("*") } else { json!({ "AWS": principal }) };
        }
        json!({ "Version": "2012-10-17", "Statement": [statement] })
    }

    /// What a role may do to a table: its own policy, its boundary, and the policy of the table.
    fn verdict(own: Option<Value>, boundary: Option<Value>, table: Option<Value>) -> Result<(), Why> {
        let id = "000000000000";
        let mut account = Account { id: id.to_owned(), region: "us-east-1".to_owned(), ..Account::default() };
        let trust = json!({ "Statement": { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*" } });
        let naming = |name: &str| Naming { name: name.to_owned(), ..Naming::default() };
        account.iam.create_role(naming("role"), trust, NOW).expect("it is new");
        if let Some(own) = own {
            account.iam.put_role_policy("role", "own", own).expect("it is well-formed");
        }
        if let Some(boundary) = boundary {
            let arn = account.iam.create_policy(id, naming("bound"), boundary, NOW).expect("it is well-formed");
            account.iam.role_mut("role").expect("it was made").boundary = Some(arn);
        }
        account.dynamodb.tables.insert("notes".to_owned(), Table { policy: table, ..Table::default() });
        let role = account.iam.role("role").expect("it was made");
        let session = Session { account: &account, who: Who::Role(role, "s"), now: NOW };
        session.may(&Deed::new("dynamodb:GetItem", TABLE))
    }

    #[test]
    fn an_api_has_one_arn_however_its_path_is_spelled() {
        let account = Account { region: "us-east-1".to_owned(), ..Account::default() };
        let resource = |path: &str| {
            let request = Request {
                id: String::new(),
                method: http::Method::GET,
                path: path.to_owned(),
                query: String::new(),
                headers: http::HeaderMap::new(),
                spelling: BTreeMap::new(),
                body: bytes::Bytes::new(),
                caller: Caller::Root,
            };
            apigateway(&account, &request).resource
        };
        for path in ["/v2/apis/abc/routes", "/v2//apis/abc/routes/", "/%76%32/apis/%61bc/routes", "/apis/abc/routes"] {
            assert_eq!(resource(path), "arn:aws:apigateway:us-east-1::/apis/abc/routes", "{path}");
        }
        assert_eq!(resource("/v2x/apis"), "arn:aws:apigateway:us-east-1::/v2x/apis");
    }

    #[test]
    fn only_what_is_granted_is_allowed() {
        let allow = |action| Some(statement("Allow", action, None));
        assert_eq!(verdict(None, None, None), Err(Why::NotGranted));
        assert_eq!(verdict(allow("dynamodb:PutItem"), None, None), Err(Why::NotGranted));
        assert_eq!(verdict(allow("dynamodb:Get*"), None, None), Ok(()));
        let deny = verdict(Some(statement("Deny", "*", None)), None, Some(statement("Allow", "*", Some("*"))));
        assert_eq!(deny, Err(Why::DeniedByIdentity));
    }

    #[test]
    fn a_boundary_bounds_what_the_role_and_its_arn_are_granted() {
        let allow = |action| Some(statement("Allow", action, None));
        let outside = Why::NotBounded;
        let role = Some(statement("Allow", "*", Some("arn:aws:iam::000000000000:role/role")));
        let session = Some(statement("Allow", "*", Some("arn:aws:sts::000000000000:assumed-role/role/s")));
        assert_eq!(verdict(allow("*"), allow("dynamodb:*"), None), Ok(()));
        assert_eq!(verdict(allow("*"), allow("s3:*"), None), Err(outside));
        assert_eq!(verdict(None, allow("s3:*"), role.clone()), Err(outside));
        assert_eq!(verdict(None, allow("dynamodb:*"), role), Ok(()));
        assert_eq!(verdict(None, allow("s3:*"), session), Ok(()));
        let deny = verdict(allow("*"), Some(statement("Deny", "*", None)), None);
        assert_eq!(deny, Err(Why::DeniedByBoundary));
    }

    #[test]
    fn the_policy_of_a_resource_grants_to_whom_it_names() {
        let granted =
            |effect: &str, principal: &str| verdict(None, None, Some(statement(effect, "*", Some(principal))));
        assert_eq!(granted("Allow", "*"), Ok(()));
        for principal in ["000000000000", "arn:aws:iam::000000000000:root", "arn:aws:iam::000000000000:role/other"] {
            assert_eq!(granted("Allow", principal), Err(Why::NotGranted), "{principal}");
        }
        for principal in ["*", "000000000000", "arn:aws:iam::000000000000:role/role"] {
            let table = Some(statement("Deny", "*", Some(principal)));
            let denied = verdict(Some(statement("Allow", "*", None)), None, table);
            assert_eq!(denied, Err(Why::DeniedByResource), "{principal}");
        }
    }
}
