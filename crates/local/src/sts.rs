//! The Security Token Service: who is calling.

pub(crate) mod api;

use crate::iam::authorize::Deed;
use crate::wire::{Form, Request};

/// XML namespace of its answers.
pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What a request to STS does, as far as IAM is concerned; none for an operation that is not listed here. Who one is may
/// always be asked.
pub(crate) fn deeds(request: &Request) -> Option<Vec<Deed>> {
    let form = Form::of(request);
    match form.get("Action")? {
        "GetCallerIdentity" | "GetSessionToken" => Some(Vec::new()),
        action @ "AssumeRole" => {
            let role = form.get("RoleArn").unwrap_or_default();
            Some(vec![Deed::new(format!("sts:{action}"), role)])
        }
        _ => None,
    }
}
