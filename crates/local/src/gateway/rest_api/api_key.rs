//! API keys: whose requests are counted, and how many are still free.

use super::Notes;
use super::call::{Call, Routed};
use super::context::Identity;
use super::refusal::Refusal;
use crate::apigateway::Throttle;
use crate::cloud::Cloud;
use crate::gateway::throttle::Limit;
use crate::wire::Fault;

/// Where a client presents its key.
const HEADER: &str = "x-api-key";
/// Where an authorizer says which key counts.
const SAID: &str = "usageIdentifierKey";

/// Where the method asks for a key: finds the plan of the one that is presented, and takes one request of what it grants.
pub(super) fn admit(cloud: &Cloud, call: &Call, routed: &Routed, notes: &mut Notes) -> Result<(), Refusal> {
    if !routed.method.api_key_required {
        return Ok(());
    }
    // The root keeps its slash, as in the CDK's templates: `//GET`.
    let name = |verb: &str| format!("{}/{verb}", routed.resource);
    let (method, own) = (name(call.request.method.as_str()), name(&routed.method.http_method));
    let admission = presented(call, &notes.identity).and_then(|key| {
        let (api, stage) = (&call.bound.api, &call.bound.stage.stage_name);
        cloud.read(|account| account.apigateway.admission(&key, api, stage, [&method, &own]))
    });
    let admission = admission.ok_or(Refusal::InvalidApiKey)?;
    let whose = [admission.plan.clone(), admission.key.clone()];
    let of_method = admission.method_throttle.clone().map(|(name, throttle)| {
        let place = [call.bound.api.clone(), call.bound.stage.stage_name.clone(), name];
        ([&whose[..], &place[..]].concat(), throttle)
    });
    let of_plan = admission.throttle.map(|throttle| (whose.to_vec(), throttle));
    for (key, throttle) in of_method.into_iter().chain(of_plan) {
        if !is_within(cloud, call, key, throttle) {
            return Err(Refusal::Throttled);
        }
    }
    let counted = cloud.write(|account| Ok::<_, Fault>(account.apigateway.count(&admission, call.time)));
    notes.admission = Some(admission);
    match counted {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::QuotaExceeded),
        Err(fault) => {
            tracing::error!(%fault, "a request could not be counted");
            Err(Refusal::Configuration)
        }
    }
}

fn presented(call: &Call, identity: &Identity) -> Option<String> {
    if call.bound.keys_in_header {
        return call.header(HEADER);
    }
    match identity {
        Identity::Function { context, .. } => Some(context.get(SAID)?.as_str()?.to_owned()),
        _ => None,
    }
}

fn is_within(cloud: &Cloud, call: &Call, key: Vec<String>, throttle: Throttle) -> bool {
    let limit = Limit::stated(throttle.rate_limit, throttle.burst_limit);
    limit.is_none_or(|limit| cloud.gateway().throttles.admit(key, limit, call.time))
}
