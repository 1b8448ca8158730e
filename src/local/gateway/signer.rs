//! Routes that ask for a signature of AWS's own kind.

use http::request::Parts;

use super::answer::Refusal;
use super::call::Call;
use super::event::Identity;
use crate::local::cloud::Cloud;
use crate::local::signature::{self, Signature, Trust};
use crate::local::wire::{Caller, Request};

/// The service that such signatures are made for.
const SERVICE: &str = "execute-api";

/// Who signed the request. The account's own key may invoke everything; what a role may is not known here, so it may
/// nothing.
pub(super) fn authorize(cloud: &Cloud, call: &Call) -> Result<Identity, Refusal> {
    match caller(cloud, call) {
        Some(Caller::Root) => {
            let account = call.bound.account.clone();
            Ok(Identity::Signer { arn: format!("arn:aws:iam::{account}:root"), account })
        }
        _ => Err(Refusal::Forbidden(None)),
    }
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
