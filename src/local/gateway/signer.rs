//! Routes that ask for a signature of AWS's own kind.

use http::request::Parts;

use super::answer::Refusal;
use super::call::Call;
use super::event::Identity;
use super::request_authorizer::{ACTION, route_arn};
use crate::local::cloud::{Account, Cloud};
use crate::local::iam::authorize::{Deed, Session};
use crate::local::signature::{self, Signature, Trust};
use crate::local::wire::{Caller, Request};

/// The service that such signatures are made for.
const SERVICE: &str = "execute-api";

/// Who signed the request. The account's own key may invoke everything, a role what its policies allow.
pub(super) fn authorize(cloud: &Cloud, call: &Call) -> Result<Identity, Refusal> {
    let forbidden = Refusal::Forbidden(None);
    let caller = caller(cloud, call).ok_or_else(|| forbidden.clone())?;
    let account = call.bound.account.clone();
    let arn = match &caller {
        Caller::Anonymous => return Err(forbidden),
        Caller::Root => format!("arn:aws:iam::{account}:root"),
        Caller::Role { name, session } => {
            if !cloud.read(|account| role_may(account, name, session, call)) {
                return Err(forbidden);
            }
            format!("arn:aws:sts::{account}:assumed-role/{name}/{session}")
        }
    };
    Ok(Identity::Signer { arn, account })
}

fn role_may(account: &Account, role: &str, session: &str, call: &Call) -> bool {
    let Some(role) = account.iam.roles.get(role) else { return false };
    Session { account, role, session, now: call.time }.may(&Deed::new(ACTION, route_arn(call))).is_ok()
}

fn caller(cloud: &Cloud, call: &Call) -> Option<Caller> {
    let parts = parts(&call.request)?;
    let signature = Signature::of(&parts).ok()?.filter(|signature| signature.service == SERVICE)?;
    let body = signature::sha256_hex(&call.request.body);
    cloud.read(|account| {
        let trust = Trust { iam: &account.iam, region: &account.region, now: call.time };
        signature.verify(&parts, &body, &trust).ok().map(|verified| verified.caller)
    })
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
