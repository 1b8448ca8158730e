//! Requests that carry a signature of AWS's own kind.

use http::request::Parts;
use time::OffsetDateTime;

use crate::local::cloud::{Account, Cloud};
use crate::local::iam::authorize::{Deed, Session};
use crate::local::signature::{self, Problem, Signature, Trust};
use crate::local::wire::{Caller, Request};

/// What a caller of an API does.
pub(super) const ACTION: &str = "execute-api:Invoke";
/// The service that such signatures are made for.
const SERVICE: &str = "execute-api";

/// Who signed a request.
pub(super) fn caller(cloud: &Cloud, request: &Request, now: OffsetDateTime) -> Result<Caller, Problem> {
    let parts = parts(request).ok_or(Problem::Missing)?;
    let signature = Signature::of(&parts)?.ok_or(Problem::Missing)?;
    if signature.service != SERVICE {
        let message = format!("Credential should be scoped to correct service: '{SERVICE}'.");
        return Err(Problem::Incomplete(message));
    }
    let body = signature::sha256_hex(&request.body);
    cloud.read(|account| {
        let trust = Trust { iam: &account.iam, region: &account.region, now };
        signature.verify(&parts, &body, &trust).map(|verified| verified.caller)
    })
}

/// Whether a signer may invoke what has this ARN: the account's own key everything, a role what its policies allow.
pub(super) fn may(account: &Account, caller: &Caller, resource: &str, now: OffsetDateTime) -> bool {
    match caller {
        Caller::Anonymous => false,
        Caller::Root => true,
        Caller::Role { name, session } => account
            .iam
            .roles
            .get(name)
            .is_some_and(|role| Session { account, role, session, now }.may(&Deed::new(ACTION, resource)).is_ok()),
    }
}

/// The ARN of a signer.
pub(super) fn arn(account: &Account, caller: &Caller) -> Option<String> {
    match caller {
        Caller::Anonymous => None,
        Caller::Root => Some(format!("arn:aws:iam::{}:root", account.id)),
        Caller::Role { name, session } => Some(format!("arn:aws:sts::{}:assumed-role/{name}/{session}", account.id)),
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
