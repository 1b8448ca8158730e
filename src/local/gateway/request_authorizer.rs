//! Lambda authorizers: a function says whether a request may pass.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>.

use std::collections::BTreeMap;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as Wait;

use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};

use super::call::{Call, SOURCE_IP};
use super::event::{self, Identity, source};
use super::function::{self, Problem};
use crate::local::apigatewayv2::Authorizer;
use crate::local::cloud::Cloud;
use crate::local::iam::policy::{self, Policy, Query};

/// How long AWS waits for an authorizer.
const TIMEOUT: Wait = Wait::from_secs(10);
/// What a caller of an API does.
pub(super) const ACTION: &str = "execute-api:Invoke";
/// Where decisions beyond this number are first looked through for old ones.
const MANY: usize = 10_000;

/// Why a request may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    /// It lacks an identity source.
    Unidentified,
    /// The function says no.
    Forbidden,
    /// The function gave no answer that can be understood: what happened, for the access log.
    Broken(String),
}

/// What a function decided.
#[derive(Debug, Clone, PartialEq)]
struct Decision {
    verdict: Verdict,
    principal: Option<String>,
    context: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq)]
enum Verdict {
    /// Yes or no, for the whole API.
    Simple(bool),
    /// For what a policy document allows.
    Policy(Value),
}

/// The decisions that may be used again, by API, stage, authorizer and identity.
#[derive(Debug, Default)]
pub(super) struct Decisions(Mutex<BTreeMap<Vec<String>, Kept>>);

#[derive(Debug, Clone)]
struct Kept {
    decision: Arc<Decision>,
    /// As it was when it decided; a changed one decides anew.
    authorizer: Authorizer,
    until: OffsetDateTime,
}

impl Decisions {
    fn get(&self, key: &[String], authorizer: &Authorizer, now: OffsetDateTime) -> Option<Arc<Decision>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = held.get(key).filter(|kept| now < kept.until && kept.authorizer == *authorizer)?;
        Some(Arc::clone(&kept.decision))
    }

    fn keep(&self, key: Vec<String>, kept: Kept, now: OffsetDateTime) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MANY {
            held.retain(|_, kept| now < kept.until);
        }
        if held.len() < MANY {
            held.insert(key, kept);
        }
    }
}

/// Asks the function of an authorizer, or recalls what it said for the same identity.
pub(super) async fn authorize(
    cloud: &Cloud,
    call: &Call,
    id: &str,
    authorizer: &Authorizer,
) -> Result<Identity, Denied> {
    let sources: Option<Vec<String>> =
        authorizer.identity_source.iter().map(|expression| source(call, expression)).collect();
    let sources = sources.ok_or(Denied::Unidentified)?;
    let decision = decision(cloud, call, id, authorizer, &sources).await?;
    match decision.allows(&route_arn(call)) {
        true => Ok(Identity::Function { principal: decision.principal.clone(), context: decision.context.clone() }),
        false => Err(Denied::Forbidden),
    }
}

async fn decision(
    cloud: &Cloud,
    call: &Call,
    id: &str,
    authorizer: &Authorizer,
    sources: &[String],
) -> Result<Arc<Decision>, Denied> {
    let lifetime = authorizer.authorizer_result_ttl_in_seconds.unwrap_or(0);
    if lifetime == 0 || sources.is_empty() {
        return ask(cloud, call, id, authorizer, sources).await.map(Arc::new);
    }
    let decisions = &cloud.gateway().decisions;
    let mut key = vec![call.bound.api.clone(), call.bound.stage.stage_name.clone(), id.to_owned()];
    key.extend_from_slice(sources);
    if let Some(decision) = decisions.get(&key, authorizer, call.time) {
        return Ok(decision);
    }
    let decision = Arc::new(ask(cloud, call, id, authorizer, sources).await?);
    let until = call.time + Duration::seconds(i64::from(lifetime));
    let kept = Kept { decision: Arc::clone(&decision), authorizer: authorizer.clone(), until };
    decisions.keep(key, kept, call.time);
    Ok(decision)
}

async fn ask(
    cloud: &Cloud,
    call: &Call,
    id: &str,
    authorizer: &Authorizer,
    sources: &[String],
) -> Result<Decision, Denied> {
    let arn = route_arn(call);
    let event = match authorizer.authorizer_payload_format_version.as_deref() {
        Some("1.0") => event::of_authorizer_1(call, &arn, sources),
        _ => event::of_authorizer_2(call, &arn, sources),
    };
    let uri = authorizer.authorizer_uri.as_deref().unwrap_or_default();
    let caller = call.bound.arn(&format!("authorizers/{id}"));
    let result = function::invoke(cloud, call, uri, &caller, &event, TIMEOUT).await.map_err(|problem| {
        Denied::Broken(match problem {
            Problem::Failed(reason) => reason,
            Problem::Throttled => "the authorizer function is throttled".to_owned(),
            Problem::TimedOut => "the authorizer function takes too long".to_owned(),
            Problem::EventTooLarge => "the request is too large for the authorizer function".to_owned(),
        })
    })?;
    let simple = authorizer.enable_simple_responses == Some(true);
    let result: Option<Value> = serde_json::from_slice(&result).ok();
    let decision = result.as_ref().and_then(|result| Decision::read(result, simple));
    decision.ok_or_else(|| Denied::Broken("the authorizer function gave an answer that is not of the form".to_owned()))
}

/// The ARN of the route as it was called, which policies name.
pub(super) fn route_arn(call: &Call) -> String {
    let Call { request, bound, .. } = call;
    bound.arn(&format!("{}/{}{}", bound.stage.stage_name, request.method, bound.path))
}

impl Decision {
    fn read(result: &Value, simple: bool) -> Option<Self> {
        let verdict = if simple {
            Verdict::Simple(result.get("isAuthorized")?.as_bool()?)
        } else {
            let document = result.get("policyDocument")?;
            Policy::parse_identity(document).ok()?;
            Verdict::Policy(document.clone())
        };
        let context = match result.get("context") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(context)) => context.clone(),
            Some(_) => return None,
        };
        let principal = result.get("principalId").and_then(Value::as_str).map(str::to_owned);
        Some(Self { verdict, principal, context })
    }

    fn allows(&self, arn: &str) -> bool {
        match &self.verdict {
            Verdict::Simple(allowed) => *allowed,
            Verdict::Policy(document) => {
                let facts = BTreeMap::from([("aws:sourceip".to_owned(), vec![SOURCE_IP.to_owned()])]);
                let query = Query { action: ACTION, resource: arn, facts: &facts };
                policy::evaluate(slice::from_ref(document), &query) == policy::Verdict::Allowed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Decision;

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:abc/$default/GET/p";

    fn allows(statement: Value) -> bool {
        let result = json!({ "principalId": "p", "policyDocument": { "Statement": statement } });
        Decision::read(&result, false).expect("it is of the form").allows(ARN)
    }

    #[test]
    fn a_deny_wins_and_silence_is_no() {
        let statement = |effect: &str, resource: &str| json!({ "Effect": effect, "Action": "execute-api:Invoke", "Resource": resource });
        assert!(allows(json!([statement("Allow", ARN)])));
        assert!(allows(statement("Allow", "arn:aws:execute-api:*:*:abc/*")));
        assert!(!allows(json!([statement("Allow", "*"), statement("Deny", ARN)])));
        assert!(!allows(json!([statement("Allow", "arn:aws:execute-api:*:*:abc/*/POST/*")])));
        assert!(!allows(json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" })));
        let unknown = json!({ "StringEquals": { "aws:unknown": "x" } });
        assert!(!allows(json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": unknown })));
    }

    #[test]
    fn each_kind_of_answer_is_for_its_own_authorizers() {
        let simple = json!({ "isAuthorized": true, "context": { "a": 1 } });
        assert!(Decision::read(&simple, true).is_some_and(|decision| decision.allows(ARN)));
        assert_eq!(Decision::read(&simple, false), None);
        for broken in
            [json!({ "foo": 1 }), json!(null), json!({ "isAuthorized": "true" }), json!({ "isAuthorized": 1 })]
        {
            assert_eq!(Decision::read(&broken, true), None, "{broken}");
        }
        for statement in [json!("x"), json!([]), json!([{ "Effect": "Allow" }])] {
            assert_eq!(Decision::read(&json!({ "policyDocument": { "Statement": statement } }), false), None);
        }
    }
}
