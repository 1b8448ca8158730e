//! Signatures and resource policies: what IAM says of a request.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html>.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use super::call::Call;
use super::context::Identity;
use super::refusal::Refusal;
use crate::cloud::Cloud;
use crate::gateway::request::SOURCE_IP;
use crate::gateway::signer::{self, ACTION, Signer};
use crate::iam::authorize::Deed;
use crate::iam::policy::{Policy, Principal, Query, Verdict};
use crate::signature::{Dialect, Problem};

/// What a client does who has a kept answer replaced by a fresh one.
const RENEWAL: &str = "execute-api:InvalidateCache";

/// Lets everybody pass whom the resource policy, if there is one, allows.
pub(super) fn check_anonymous(cloud: &Cloud, call: &Call) -> Result<(), Refusal> {
    if call.bound.policy.is_none() {
        return Ok(());
    }
    let verdict = verdict(cloud, call, None);
    refuse_denied(call, verdict)?;
    match verdict {
        Verdict::Allowed => Ok(()),
        _ => Err(denied(call, "anonymous", " because no resource-based policy allows the execute-api:Invoke action")),
    }
}

/// Refuses an unnamed caller whom the resource policy denies.
pub(super) fn refuse_denied(call: &Call, verdict: Verdict) -> Result<(), Refusal> {
    match verdict {
        Verdict::Denied => Err(denied(call, "anonymous", " with an explicit deny in a resource-based policy")),
        _ => Ok(()),
    }
}

/// Who signed the request, if IAM lets them invoke the method: their own policies or the resource policy must allow it,
/// and neither may deny it.
pub(super) fn check_signer(cloud: &Cloud, call: &Call) -> Result<Identity, Refusal> {
    let signed = signer::signed(cloud, &call.request, call.time).map_err(|problem| signature(call, problem))?;
    let (signer, own) = cloud.read(|account| {
        let judge = |arn: &str| signer::verdict(account, &signed.caller, &signer::invoking(arn), call.time);
        let own = call.invoked().judged(judge);
        (Signer::of(account, &signed), own)
    });
    let signer = signer.ok_or(Refusal::MissingAuthenticationToken)?;
    let arn = signer.arn.clone();
    match (own, verdict(cloud, call, Some(&arn))) {
        (Verdict::Denied, _) => Err(denied(call, &arn, " with an explicit deny in an identity-based policy")),
        (_, Verdict::Denied) => Err(denied(call, &arn, " with an explicit deny in a resource-based policy")),
        (Verdict::NotAllowed, Verdict::NotAllowed) => {
            Err(denied(call, &arn, " because no identity-based policy allows the execute-api:Invoke action"))
        }
        _ => Ok(Identity::Signer(signer)),
    }
}

/// Lets a client have a kept answer replaced, under the rules for signers. A request that is not signed, or not well, has
/// the resource policy only; what a Lambda authorizer allows does not count.
pub(super) fn check_renewal(cloud: &Cloud, call: &Call) -> Result<(), Refusal> {
    let signed = signer::signed(cloud, &call.request, call.time).ok();
    let (arn, own) = cloud.read(|account| match &signed {
        Some(signed) => {
            let judge = |arn: &str| signer::verdict(account, &signed.caller, &Deed::new(RENEWAL, arn), call.time);
            (signer::arn(account, &signed.caller), call.invoked().judged(judge))
        }
        None => (None, Verdict::NotAllowed),
    });
    match (own, verdict_on(cloud, call, RENEWAL, arn.as_deref())) {
        (Verdict::Allowed, Verdict::Allowed | Verdict::NotAllowed) | (Verdict::NotAllowed, Verdict::Allowed) => Ok(()),
        _ => Err(refused(call, RENEWAL, arn.as_deref().unwrap_or("anonymous"), "")),
    }
}

/// What the resource policy says about a caller who invokes the method, `None` for one without a name.
pub(super) fn verdict(cloud: &Cloud, call: &Call, arn: Option<&str>) -> Verdict {
    verdict_on(cloud, call, ACTION, arn)
}

/// The same about any action. A policy that cannot be read denies.
fn verdict_on(cloud: &Cloud, call: &Call, action: &str, arn: Option<&str>) -> Verdict {
    let Some(text) = &call.bound.policy else { return Verdict::NotAllowed };
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return Verdict::Denied };
    widen(&mut document, &call.bound.arn(""));
    let names: Vec<String> = arn.map_or_else(Vec::new, |arn| principals(&call.bound.account, arn));
    let facts = facts(cloud, call, arn);
    let principal = Principal { kind: "AWS", names: &names };
    let Ok(policy) = Policy::parse_resource(&document) else { return Verdict::Denied };
    call.invoked().judged(|arn| policy.verdict_for(principal, &Query { action, resource: arn, facts: &facts }))
}

/// A signer's ARN, its role's, and its account's, each of which policies may name.
fn principals(account: &str, arn: &str) -> Vec<String> {
    let role = arn
        .split_once(":assumed-role/")
        .and_then(|(_, session)| session.split('/').next())
        .map(|role| format!("arn:aws:iam::{account}:role/{role}"));
    let own = [arn.to_owned(), account.to_owned(), format!("arn:aws:iam::{account}:root")];
    own.into_iter().chain(role).collect()
}

/// Policies may write `execute-api:/stage/GET/path` for what belongs to their own API.
fn widen(document: &mut Value, api: &str) {
    match document {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix("execute-api:/") {
                *text = format!("{api}{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| widen(item, api)),
        Value::Object(members) => {
            let resources = members
                .iter_mut()
                .filter(|(name, _)| matches!(name.as_str(), "Statement" | "Resource" | "NotResource"));
            resources.for_each(|(_, value)| widen(value, api));
        }
        _ => {}
    }
}

/// The condition keys that are known here. The connection counts as encrypted: it stands for one that is, and never
/// leaves the machine.
fn facts(cloud: &Cloud, call: &Call, arn: Option<&str>) -> BTreeMap<String, Vec<String>> {
    let now = cloud.now();
    let known = [
        ("aws:sourceip", Some(SOURCE_IP.to_owned())),
        ("aws:securetransport", Some("true".to_owned())),
        ("aws:requestedregion", Some(call.bound.region.clone())),
        ("aws:currenttime", now.format(&Rfc3339).ok()),
        ("aws:epochtime", Some(now.unix_timestamp().to_string())),
        ("aws:useragent", call.user_agent()),
        ("aws:referer", call.header("referer")),
        ("aws:principalarn", arn.map(str::to_owned)),
        ("aws:principalaccount", arn.map(|_| call.bound.account.clone())),
    ];
    // Requests never come through a network of the account's own.
    let absent = ["aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip"].map(|name| (name, None));
    let all = known.into_iter().chain(absent);
    all.map(|(name, value)| (name.to_owned(), value.into_iter().collect())).collect()
}

fn denied(call: &Call, who: &str, why: &str) -> Refusal {
    refused(call, ACTION, who, why)
}

fn refused(call: &Call, action: &str, who: &str, why: &str) -> Refusal {
    let (account, arn) = (&call.bound.account, call.method_arn());
    let masked = account.char_indices().map(|(at, digit)| if at < 8 { '*' } else { digit }).collect::<String>();
    let arn = arn.replacen(account, &masked, 1);
    Refusal::AccessDenied(format!("User: {who} is not authorized to perform: {action} on resource: {arn}{why}"))
}

/// The refusal of a request that no method takes: REST APIs look for a signature then.
pub(super) fn unsigned(call: &Call) -> Refusal {
    match call.header("authorization") {
        Some(header) if !header.starts_with("AWS4-") => not_a_signature(&header),
        _ => Refusal::MissingAuthenticationToken,
    }
}

fn signature(call: &Call, problem: Problem) -> Refusal {
    if problem == Problem::Missing {
        return unsigned(call);
    }
    let error = match &problem {
        Problem::Incomplete(_) => "IncompleteSignatureException",
        Problem::UnknownKey => "UnrecognizedClientException",
        Problem::ExpiredToken => "ExpiredTokenException",
        _ => "InvalidSignatureException",
    };
    Refusal::Signature(error, problem.fault(Dialect::RestJson).message)
}

/// As AWS words it; the header is told as its hash only, since it may hold a secret.
fn not_a_signature(header: &str) -> Refusal {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, header.as_bytes()));
    let about = format!("(hashed with SHA-256 and encoded with Base64): '{hash}'.");
    let rest = header.split_once(' ').map_or(header, |(_, rest)| rest);
    let message = match rest.split(',').all(|pair| pair.contains('=')) {
        false => format!("Invalid key=value pair (missing equal-sign) in Authorization header {about}"),
        true => format!(
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
             Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either \
             a 'X-Amz-Date' or a 'Date' header. {about}"
        ),
    };
    Refusal::Signature("IncompleteSignatureException", message)
}
