//! Lambda authorizers: a function says whether a request may pass.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::call::Call;
use super::event::{self, Identity, source};
use crate::apigatewayv2::Authorizer;
use crate::cloud::Cloud;
use crate::gateway::decisions::Said;
use crate::gateway::function::{self, Wanted, with_stage_variables};
use crate::gateway::invoked::Invoked;
use crate::gateway::request::told_apart;
use crate::gateway::store::Weighed;
use crate::iam::policy::{self, Policy};

/// How long AWS waits for an authorizer.
const TIMEOUT: Duration = Duration::from_secs(10);

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
pub(in crate::gateway) struct Decision {
    verdict: Verdict,
    principal: Option<String>,
    context: Said,
}

#[derive(Debug, Clone, PartialEq)]
enum Verdict {
    /// Yes or no, for the whole API.
    Simple(bool),
    /// For what a policy document allows.
    Policy(Said),
}

impl Weighed for Decision {
    fn bytes(&self) -> usize {
        let policy = match &self.verdict {
            Verdict::Simple(_) => 0,
            Verdict::Policy(document) => document.bytes(),
        };
        policy + self.context.bytes() + self.principal.as_ref().map_or(0, String::len)
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
    match decision.allows(&call.invoked()) {
        true => Ok(Identity::Function { principal: decision.principal.clone(), context: decision.context.read() }),
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
    let kept = &cloud.gateway().http_decisions;
    let key = key(call, id, authorizer, sources);
    if let Some(decision) = kept.get(&key, authorizer, call.time) {
        return Ok(decision);
    }
    let decision = Arc::new(ask(cloud, call, id, authorizer, sources).await?);
    kept.keep(key, authorizer, &decision, call.time, lifetime);
    Ok(decision)
}

/// What tells this identity from others.
fn key(call: &Call, id: &str, authorizer: &Authorizer, sources: &[String]) -> Vec<String> {
    let place = [call.bound.api.clone(), call.bound.stage.stage_name.clone(), id.to_owned()];
    let named = authorizer.identity_source.iter().zip(sources);
    let identity = named.map(|(source, value)| told_apart(&call.request, source, value.clone()));
    place.into_iter().chain(identity).collect()
}

async fn ask(
    cloud: &Cloud,
    call: &Call,
    id: &str,
    authorizer: &Authorizer,
    sources: &[String],
) -> Result<Decision, Denied> {
    let arn = call.invoked_arn();
    let event = match authorizer.authorizer_payload_format_version.as_deref() {
        Some("1.0") => event::of_authorizer_1(call, &arn, sources),
        _ => event::of_authorizer_2(call, &arn, sources),
    };
    let uri = authorizer.authorizer_uri.as_deref().unwrap_or_default();
    let uri = with_stage_variables(uri, &call.bound.stage.stage_variables);
    let caller = call.bound.arn(&format!("authorizers/{id}"));
    let wanted = Wanted { uri: &uri, caller: &caller, event: &event, timeout: TIMEOUT };
    let result = function::invoke(cloud, wanted).await;
    let result = result.map_err(|problem| Denied::Broken(format!("the authorizer: {}", problem.logged())))?;
    let simple = authorizer.enable_simple_responses == Some(true);
    let result: Option<Value> = serde_json::from_slice(&result).ok();
    let decision = result.as_ref().and_then(|result| Decision::read(result, simple));
    decision.ok_or_else(|| Denied::Broken("the authorizer function gave an answer that is not of the form".to_owned()))
}

impl Decision {
    fn read(result: &Value, simple: bool) -> Option<Self> {
        let verdict = if simple {
            Verdict::Simple(result.get("isAuthorized")?.as_bool()?)
        } else {
            let document = result.get("policyDocument")?;
            Policy::parse_identity(document).ok()?;
            Verdict::Policy(Said::of(document))
        };
        let context = match result.get("context") {
            None | Some(Value::Null) => Said::of(&Map::new().into()),
            Some(context @ Value::Object(_)) => Said::of(context),
            Some(_) => return None,
        };
        let principal = result.get("principalId").and_then(Value::as_str).map(str::to_owned);
        Some(Self { verdict, principal, context })
    }

    fn allows(&self, invoked: &Invoked) -> bool {
        match &self.verdict {
            Verdict::Simple(allowed) => *allowed,
            Verdict::Policy(document) => invoked.judged_by(&document.read()) == policy::Verdict::Allowed,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, Method};
    use serde_json::{Value, json};
    use time::OffsetDateTime;

    use super::{Authorizer, Call, Decision, Invoked, source};
    use crate::apigatewayv2::Stage;
    use crate::gateway::http_api::call::{Bound, Door};
    use crate::wire::{Caller, Request};

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:abc/$default/GET/p";

    fn allows(statement: Value) -> bool {
        let result = json!({ "principalId": "p", "policyDocument": { "Statement": statement } });
        Decision::read(&result, false).expect("it is of the form").allows(&Invoked::plain(ARN))
    }

    /// What tells a request with this query and these values of `x-id` from others.
    fn key(query: &str, values: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static("x-id"), HeaderValue::from_static(value));
        }
        let request = Request {
            id: "i".to_owned(),
            method: Method::GET,
            path: "/".to_owned(),
            query: query.to_owned(),
            headers,
            spelling: Default::default(),
            body: Bytes::new(),
            caller: Caller::Anonymous,
        };
        let bound = Bound {
            account: String::new(),
            region: String::new(),
            door: Door::Api,
            api: "abc".to_owned(),
            domain: String::new(),
            stage: Stage::default(),
            path: "/".to_owned(),
            cors: None,
            route: None,
        };
        let call = Call::new(request, "/".to_owned(), bound, OffsetDateTime::UNIX_EPOCH);
        let identity_source = ["$request.querystring.q", "$request.header.X-Id"].map(str::to_owned).into();
        let authorizer = Authorizer { identity_source, ..Authorizer::default() };
        let sources: Option<Vec<String>> =
            authorizer.identity_source.iter().map(|named| source(&call, named)).collect();
        super::key(&call, "a", &authorizer, &sources.expect("both sources are there"))
    }

    #[test]
    fn every_value_of_a_source_tells_callers_apart() {
        assert_eq!(key("q=a&other=1", &["x"]), key("q=a", &["x"]));
        assert_ne!(key("q=a&q=b", &["x"]), key("q=a,b", &["x"]));
        assert_ne!(key("q=a", &["a", "b"]), key("q=a", &["a,b"]));
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
        assert!(Decision::read(&simple, true).is_some_and(|decision| decision.allows(&Invoked::plain(ARN))));
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
