//! Lambda authorizers: a function answers with a policy, which says what its bearer may call.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html>.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::Notes;
use super::call::Call;
use super::cognito::matches_whole;
use super::context::{self, Identity};
use super::event;
use super::refusal::Refusal;
use crate::apigateway::Authorizer;
use crate::cloud::Cloud;
use crate::gateway::decisions::Said;
use crate::gateway::function::{self, Wanted, with_stage_variables};
use crate::gateway::request::told_apart;
use crate::gateway::store::Weighed;
use crate::iam::policy::{Policy, Verdict};

/// How long AWS waits for an authorizer.
const TIMEOUT: Duration = Duration::from_secs(29);
/// What a caller is told whom the function does not know.
const UNAUTHORIZED: &str = "Unauthorized";

/// What a function decided: the whole policy, which is then asked about each request.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::gateway) struct Decision {
    principal: String,
    policy: Said,
    context: Said,
    latency: i64,
}

impl Weighed for Decision {
    fn bytes(&self) -> usize {
        self.principal.len() + self.policy.bytes() + self.context.bytes()
    }
}

/// Why there is no decision.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Undecided {
    /// The function says that it knows no such caller.
    Unauthorized,
    /// It gave no answer that can be understood: what happened, for the access log.
    Broken(String),
}

/// Asks the function of an authorizer, or recalls what it said for the same identity. What the API's own policy says of
/// the caller counts together with what the function says.
pub(super) async fn authorize(
    cloud: &Cloud,
    call: &Call,
    (id, authorizer): (&str, &Authorizer),
    resource: Verdict,
    notes: &mut Notes,
) -> Result<Identity, Refusal> {
    let unauthorized = Refusal::Unauthorized(UNAUTHORIZED);
    let identity = identity(call, authorizer).ok_or_else(|| unauthorized.clone())?;
    let decision = decision(cloud, call, (id, authorizer), identity).await.map_err(|undecided| match undecided {
        Undecided::Unauthorized => unauthorized,
        Undecided::Broken(reason) => {
            notes.authorizer_error = Some(reason);
            Refusal::AuthorizerBroken
        }
    })?;
    let verdict = call.invoked().judged_by(&decision.policy.read());
    notes.authorizer_status = Some(if verdict == Verdict::Allowed { 200 } else { 403 });
    match (verdict, resource) {
        (Verdict::Denied, _) => Err(denied(" with an explicit deny in an identity-based policy")),
        (Verdict::NotAllowed, Verdict::NotAllowed | Verdict::Denied) => Err(denied("")),
        _ => Ok(Identity::Function {
            principal: decision.principal.clone(),
            context: decision.context.read(),
            latency: decision.latency,
        }),
    }
}

fn denied(why: &str) -> Refusal {
    Refusal::AccessDenied(format!("User is not authorized to access this resource{why}"))
}

/// What identifies the caller; `None` when any part of it is missing or not of the form.
fn identity(call: &Call, authorizer: &Authorizer) -> Option<Vec<String>> {
    let context = context::of(call, &Notes::default());
    let sources = authorizer.sources();
    let values: Vec<String> =
        sources.iter().map(|source| source_value(call, &context, source)).collect::<Option<_>>()?;
    let valid = authorizer.kind != "TOKEN"
        || authorizer
            .identity_validation_expression
            .as_ref()
            .is_none_or(|expression| values.first().is_some_and(|token| matches_whole(expression, token)));
    valid.then_some(values)
}

fn source_value(call: &Call, context: &Value, source: &str) -> Option<String> {
    let value = if let Some(name) = source.strip_prefix("method.request.header.") {
        call.header(name)
    } else if let Some(name) = source.strip_prefix("method.request.querystring.") {
        call.query_parameter(name)
    } else if let Some(name) = source.strip_prefix("stageVariables.") {
        call.bound.stage.variables.get(name).cloned()
    } else {
        context::lookup(context, source.strip_prefix("context.")?)
    };
    value.filter(|value| !value.is_empty())
}

/// What tells this identity from others.
fn identity_key(call: &Call, authorizer: &Authorizer, identity: Vec<String>) -> Vec<String> {
    let sources = authorizer.sources().into_iter().zip(identity);
    sources.map(|(source, value)| told_apart(&call.request, source, value)).collect()
}

async fn decision(
    cloud: &Cloud,
    call: &Call,
    (id, authorizer): (&str, &Authorizer),
    identity: Vec<String>,
) -> Result<Arc<Decision>, Undecided> {
    let event = match authorizer.kind.as_str() {
        "TOKEN" => event::of_token_authorizer(&call.method_arn(), identity.first().map_or("", String::as_str)),
        _ => event::of_request_authorizer(call),
    };
    let asked =
        Asked { id, authorizer, api: &call.bound.arn(""), variables: &call.bound.stage.variables, event: &event };
    let lifetime = authorizer.lifetime();
    if lifetime == 0 || identity.is_empty() {
        return ask(cloud, &asked).await.map(Arc::new);
    }
    let kept = &cloud.gateway().rest_decisions;
    let mut key = vec![call.bound.api.clone(), call.bound.stage.stage_name.clone(), id.to_owned()];
    key.extend(identity_key(call, authorizer, identity));
    if let Some(decision) = kept.get(&key, authorizer, call.time) {
        return Ok(decision);
    }
    let decision = Arc::new(ask(cloud, &asked).await?);
    kept.keep(key, authorizer, &decision, call.time, lifetime);
    Ok(decision)
}

/// An authorizer, and what its function is asked.
struct Asked<'a> {
    id: &'a str,
    authorizer: &'a Authorizer,
    /// ARN of the API, with a slash at its end.
    api: &'a str,
    variables: &'a BTreeMap<String, String>,
    event: &'a Value,
}

async fn ask(cloud: &Cloud, asked: &Asked<'_>) -> Result<Decision, Undecided> {
    let began = cloud.now();
    let uri = with_stage_variables(asked.authorizer.authorizer_uri.as_deref().unwrap_or_default(), asked.variables);
    let caller = format!("{}authorizers/{}", asked.api, asked.id);
    let wanted = Wanted { uri: &uri, caller: &caller, event: asked.event, timeout: TIMEOUT };
    let result = function::invoke(cloud, wanted).await.map_err(|problem| match problem.says_unauthorized() {
        true => Undecided::Unauthorized,
        false => Undecided::Broken(format!("the authorizer: {}", problem.logged())),
    })?;
    let result: Option<Value> = serde_json::from_slice(&result).ok();
    let decision = result.as_ref().and_then(|result| Decision::read(result, milliseconds(cloud.now() - began)));
    decision.ok_or_else(|| Undecided::Broken("the authorizer: its answer is not of the form".to_owned()))
}

fn milliseconds(duration: time::Duration) -> i64 {
    i64::try_from(duration.whole_milliseconds()).unwrap_or_default()
}

impl Decision {
    fn read(result: &Value, latency: i64) -> Option<Self> {
        let principal = result.get("principalId")?.as_str()?.to_owned();
        let policy = result.get("policyDocument")?;
        Policy::parse_identity(policy).ok()?;
        let mut context = match result.get("context") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(context)) => scalars(context)?,
            Some(_) => return None,
        };
        match result.get("usageIdentifierKey") {
            None | Some(Value::Null) => {}
            Some(key) => drop(context.insert("usageIdentifierKey".to_owned(), key.as_str()?.into())),
        }
        Some(Self { principal, policy: Said::of(policy), context: Said::of(&context.into()), latency })
    }
}

/// The context as functions get it: text. It may hold no lists and no objects.
fn scalars(context: &Map<String, Value>) -> Option<Map<String, Value>> {
    let text = |value: &Value| match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        Value::Bool(_) | Value::Number(_) => Some(Some(value.to_string())),
        Value::Array(_) | Value::Object(_) => None,
    };
    let mut told = Map::new();
    for (name, value) in context {
        if let Some(text) = text(value)? {
            told.insert(name.clone(), text.into());
        }
    }
    Some(told)
}

/// Tries an authorizer out, without a cache, as `TestInvokeAuthorizer` does.
pub(crate) async fn test(
    cloud: &Cloud,
    api: &str,
    (id, authorizer): (&str, &Authorizer),
    headers: &BTreeMap<String, String>,
) -> Value {
    let began: OffsetDateTime = cloud.now();
    let arn = cloud.read(|account| format!("arn:aws:execute-api:{}:{}:{api}/", account.region, account.id));
    let method_arn = format!("{arn}test-invoke-stage/GET/");
    let header = |source: &&str| {
        let name = source.strip_prefix("method.request.header.")?;
        headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let token = authorizer.sources().first().and_then(header).unwrap_or_default();
    let event = match authorizer.kind.as_str() {
        "TOKEN" => event::of_token_authorizer(&method_arn, &token),
        _ => json!({
            "type": "REQUEST", "methodArn": method_arn, "resource": "/", "path": "/", "httpMethod": "GET",
            "headers": headers, "queryStringParameters": {}, "pathParameters": {}, "stageVariables": {},
            "requestContext": { "apiId": api, "stage": "test-invoke-stage", "httpMethod": "GET", "path": "/" },
        }),
    };
    let asked = Asked { id, authorizer, api: &arn, variables: &BTreeMap::new(), event: &event };
    let outcome = ask(cloud, &asked).await;
    let latency = milliseconds(cloud.now() - began);
    match outcome {
        Ok(decision) => json!({
            "clientStatus": 0, "log": "", "latency": latency, "principalId": decision.principal,
            "policy": decision.policy.text(), "authorization": {}, "claims": decision.context.read::<Value>(),
        }),
        Err(Undecided::Unauthorized) => json!({ "clientStatus": 401, "log": UNAUTHORIZED, "latency": latency }),
        Err(Undecided::Broken(reason)) => json!({ "clientStatus": 500, "log": reason, "latency": latency }),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::*;
    use crate::gateway::invoked::Invoked;
    use crate::gateway::rest_api::call::Bound;
    use crate::wire::{Caller, Request};

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:abc/test/GET/p";

    fn result(effect: &str, resource: &str) -> Value {
        let statement = json!({ "Effect": effect, "Action": "execute-api:Invoke", "Resource": resource });
        json!({ "principalId": "p", "policyDocument": { "Version": "2012-10-17", "Statement": [statement] } })
    }

    #[test]
    fn the_policy_is_asked_about_each_method() {
        let verdict = |effect: &str, resource: &str| {
            let decision = Decision::read(&result(effect, resource), 0).expect("it is of the form");
            Invoked::plain(ARN).judged_by(&decision.policy.read())
        };
        assert_eq!(verdict("Allow", ARN), Verdict::Allowed);
        assert_eq!(verdict("Allow", "arn:aws:execute-api:*:*:abc/*"), Verdict::Allowed);
        assert_eq!(verdict("Allow", "arn:aws:execute-api:*:*:abc/test/POST/*"), Verdict::NotAllowed);
        assert_eq!(verdict("Deny", "*"), Verdict::Denied);
    }

    #[test]
    fn every_value_of_a_source_tells_callers_apart() {
        let source = Some("method.request.querystring.q,method.request.header.X-Id".to_owned());
        let authorizer = Authorizer { kind: "REQUEST".to_owned(), identity_source: source, ..Authorizer::default() };
        let key = |query: &str, headers: &[&'static str]| {
            let mut received = HeaderMap::new();
            for value in headers {
                received.append(HeaderName::from_static("x-id"), HeaderValue::from_static(value));
            }
            let request = Request {
                id: "i".to_owned(),
                method: Method::GET,
                path: "/".to_owned(),
                query: query.to_owned(),
                headers: received,
                spelling: BTreeMap::new(),
                body: Bytes::new(),
                caller: Caller::Anonymous,
            };
            let call = Call::new(request, "/".to_owned(), Bound::default(), OffsetDateTime::UNIX_EPOCH);
            identity_key(&call, &authorizer, identity(&call, &authorizer).expect("both sources are there"))
        };
        assert_eq!(key("q=a&other=1", &["x"]), key("q=a", &["x"]));
        assert_ne!(key("q=a&q=b", &["x"]), key("q=b", &["x"]));
        assert_ne!(key("q=a&q=b", &["x"]), key("q=%5B%22a%22%2C%22b%22%5D", &["x"]));
        assert_ne!(key("q=a", &["a", "b"]), key("q=a", &["a,b"]));
    }

    #[test]
    fn an_answer_of_the_wrong_form_decides_nothing() {
        let with = |name: &str, value: Value| {
            let mut result = result("Allow", "*");
            result[name] = value;
            Decision::read(&result, 0)
        };
        assert!(with("context", json!({ "a": 1, "b": true, "c": "x", "d": null })).is_some());
        for broken in [
            with("principalId", json!(1)),
            with("policyDocument", json!({ "Statement": [{ "Effect": "Allow" }] })),
            with("context", json!({ "a": { "b": 1 } })),
            with("context", json!({ "a": [1] })),
            with("context", json!([])),
            with("usageIdentifierKey", json!(1)),
            Decision::read(&json!({ "foo": "bar" }), 0),
            Decision::read(&json!(null), 0),
        ] {
            assert_eq!(broken, None);
        }
    }

    #[test]
    fn context_is_text() {
        let mut answer = result("Allow", "*");
        answer["context"] = json!({ "number": 1, "truth": true, "nothing": null });
        let context = Decision::read(&answer, 0).expect("it is of the form").context;
        assert_eq!(context.read::<Value>(), json!({ "number": "1", "truth": "true" }));
    }
}
