//! Requests that carry a signature of AWS's own kind.

use http::request::Parts;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cloud::{Account, Cloud};
use crate::iam::authorize::{Deed, Session};
use crate::iam::policy::Verdict;
use crate::signature::{self, Problem, Signature, Trust};
use crate::wire::{Caller, Request};

/// What a caller of an API does.
pub(super) const ACTION: &str = "execute-api:Invoke";
/// The service that such signatures are made for.
const SERVICE: &str = "execute-api";

/// A signature that holds.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) caller: Caller,
    /// Id of the key that made it.
    pub(super) key: String,
}

/// Who signed a request to an API.
pub(super) fn signed(cloud: &Cloud, request: &Request, now: OffsetDateTime) -> Result<Signed, Problem> {
    signed_for(SERVICE, cloud, request, now)
}

/// Who signed a request that a service answers.
pub(super) fn signed_for(
    service: &str,
    cloud: &Cloud,
    request: &Request,
    now: OffsetDateTime,
) -> Result<Signed, Problem> {
    let parts = parts(request).ok_or(Problem::Missing)?;
    let signature = Signature::of(&parts)?.ok_or(Problem::Missing)?;
    if signature.service != service {
        let message = format!("Credential should be scoped to correct service: '{service}'.");
        return Err(Problem::Incomplete(message));
    }
    let body = signature::sha256_hex(&request.body);
    let key = signature.key_id().to_owned();
    cloud.read(|account| {
        let trust = Trust { iam: &account.iam, region: &account.region, now };
        signature.verify(&parts, &body, &trust).map(|verified| Signed { caller: verified.caller, key })
    })
}

/// What a signer's own policies say about a deed. The account's own key may do everything.
pub(super) fn verdict(account: &Account, caller: &Caller, deed: &Deed, now: OffsetDateTime) -> Verdict {
    if *caller == Caller::Root {
        return Verdict::Allowed;
    }
    let Some(session) = Session::of(account, caller, now) else { return Verdict::NotAllowed };
    match session.may(deed) {
        Ok(()) => Verdict::Allowed,
        Err(why) if why.is_explicit() => Verdict::Denied,
        Err(_) => Verdict::NotAllowed,
    }
}

/// The deed of invoking what has this ARN.
pub(super) fn invoking(arn: &str) -> Deed {
    Deed::new(ACTION, arn)
}

/// The ARN of a signer.
pub(super) fn arn(account: &Account, caller: &Caller) -> Option<String> {
    match caller {
        Caller::Anonymous => None,
        Caller::Root => Some(format!("arn:aws:iam::{}:root", account.id)),
        Caller::Role { name, session } => Some(format!("arn:aws:sts::{}:assumed-role/{name}/{session}", account.id)),
        Caller::User { name } => account.iam.users.get(name).map(|user| user.arn(&account.id)),
    }
}

/// A signer as functions are told of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) account: String,
    pub(super) arn: String,
    /// Id of the key.
    pub(super) key: String,
    /// The id that names nobody else: of the user, of the role with the session's name, or of the account itself.
    pub(super) id: String,
}

impl Signer {
    /// Who made a signature that holds.
    pub(super) fn of(account: &Account, signed: &Signed) -> Option<Self> {
        let id = match &signed.caller {
            Caller::Anonymous => return None,
            Caller::Root => account.id.clone(),
            Caller::Role { name, session } => format!("{}:{session}", account.iam.roles.get(name)?.id),
            Caller::User { name } => account.iam.users.get(name)?.id.clone(),
        };
        let arn = arn(account, &signed.caller)?;
        Some(Self { account: account.id.clone(), arn, key: signed.key.clone(), id })
    }

    /// What REST and WebSocket APIs, and payload format 1.0, have in `requestContext.identity`.
    pub(super) fn identity(&self) -> [(&'static str, &str); 5] {
        [
            ("accessKey", self.key.as_str()),
            ("accountId", self.account.as_str()),
            ("caller", self.id.as_str()),
            ("user", self.id.as_str()),
            ("userArn", self.arn.as_str()),
        ]
    }

    /// One member of that.
    pub(super) fn said(&self, name: &str) -> Option<String> {
        self.identity().into_iter().find(|(own, _)| *own == name).map(|(_, value)| value.to_owned())
    }

    /// What payload format 2.0 has in `requestContext.authorizer.iam`. Nobody here comes through an identity pool, or
    /// belongs to an organization.
    pub(super) fn authorizer(&self) -> Value {
        json!({
            "accessKey": self.key,
            "accountId": self.account,
            "callerId": self.id,
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": self.arn,
            "userId": self.id,
        })
    }
}

/// The head of the request as it was signed.
fn parts(request: &Request) -> Option<Parts> {
    let uri = match request.query.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    let head = http::Request::builder().method(request.method.clone()).uri(uri).body(()).ok()?;
    let (mut parts, ()) = head.into_parts();
    parts.headers.clone_from(&request.headers);
    Some(parts)
}
