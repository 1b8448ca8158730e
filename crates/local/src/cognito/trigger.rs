//! The functions that a pool calls while it works.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::cloud::Cloud;
use crate::cognito::pool::UserPool;
use crate::cognito::user::User;
use crate::wire::Fault;
use crate::{lambda, runtime};

/// Key-value pairs that a client hands on to the triggers.
pub(crate) type Metadata = Map<String, Value>;

/// Whom a trigger is called about, and for which client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The user, who may not be stored yet.
    pub(crate) user: &'a User,
    /// The client's id.
    pub(crate) client: &'a str,
    /// What the client hands on.
    pub(crate) metadata: &'a Metadata,
}

/// One call to come.
#[derive(Debug)]
pub(crate) struct Call {
    name: &'static str,
    function: String,
    pool_arn: String,
    event: Value,
}

/// How long Cognito waits for a trigger.
const PATIENCE: Duration = Duration::from_secs(5);

/// The client of calls that no client makes.
pub(crate) const NO_CLIENT: &str = "CLIENT_ID_NOT_APPLICABLE";

impl Call {
    /// The call of a trigger, where the pool has one by this name.
    pub(crate) fn new(
        pool: &UserPool,
        name: &'static str,
        source: &str,
        subject: &Subject<'_>,
        request: Value,
        response: Value,
    ) -> Option<Self> {
        let (function, version) = configured(pool, name)?;
        let mut event = json!({
            "version": version,
            "region": pool.region(),
            "userPoolId": pool.id,
            "userName": subject.user.username,
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": subject.client },
            "triggerSource": source,
            "request": request,
            "response": response,
        });
        if let Some(Value::Object(request)) = event.get_mut("request") {
            request
                .retain(|name, value| name != "clientMetadata" || value.as_object().is_some_and(|all| !all.is_empty()));
        }
        Some(Self { name, function, pool_arn: pool.arn.clone(), event })
    }

    /// The version of the event that the pool's owner chose.
    pub(crate) fn version(&self) -> &str {
        self.event.get("version").and_then(Value::as_str).unwrap_or("1")
    }
}

/// The function that is configured, and the version of its event.
fn configured(pool: &UserPool, name: &str) -> Option<(String, String)> {
    let config = &pool.settings.lambda_config;
    let versioned = config.get(&format!("{name}Config"));
    let member = |member: &str| versioned.and_then(|v| v.get(member)).and_then(Value::as_str);
    let version = match member("LambdaVersion") {
        Some("V2_0") => "2",
        Some("V3_0") => "3",
        _ => "1",
    };
    let function = member("LambdaArn").or_else(|| config.get(name).and_then(Value::as_str))?;
    Some((function.to_owned(), version.to_owned()))
}

/// Calls the function and returns the `response` of its answer.
///
/// # Errors
/// `UserLambdaValidationException` when the function fails, `UnexpectedLambdaException` when it cannot be called,
/// `InvalidLambdaResponseException` when its answer is no event.
pub(crate) async fn run(cloud: &Cloud, call: Call) -> Result<Map<String, Value>, Fault> {
    let Call { name, function, pool_arn, event } = call;
    let allowed = cloud.read(|account| lambda::allows(account, &function, "cognito-idp.amazonaws.com", &pool_arn));
    if !allowed {
        return Err(unexpected(name, "AccessDeniedException"));
    }
    let payload = Bytes::from(event.to_string());
    let answering = tokio::time::timeout(PATIENCE, runtime::invoke(cloud, &function, payload)).await;
    let answer =
        answering.map_err(|_| unexpected(name, "TimeoutException"))?.map_err(|fault| unexpected(name, &fault.code))?;
    if answer.function_error.is_some() {
        return Err(Fault::new("UserLambdaValidationException", failed(name, &answer.payload)));
    }
    let unrecognizable = || Fault::new("InvalidLambdaResponseException", "Unrecognizable lambda output");
    let answer: Value = serde_json::from_slice(&answer.payload).map_err(|_| unrecognizable())?;
    match answer.get("response") {
        Some(Value::Object(response)) => Ok(response.clone()),
        _ => Err(unrecognizable()),
    }
}

/// Calls the function, where there is one.
pub(crate) async fn run_if_any(cloud: &Cloud, call: Option<Call>) -> Result<Map<String, Value>, Fault> {
    match call {
        Some(call) => run(cloud, call).await,
        None => Ok(Map::new()),
    }
}

fn unexpected(name: &str, code: &str) -> Fault {
    Fault::new("UnexpectedLambdaException", format!("{name} invocation failed due to error {code}."))
}

/// The function's own words, between ours.
fn failed(name: &str, payload: &[u8]) -> String {
    let error: Value = serde_json::from_slice(payload).unwrap_or_default();
    let message = error.get("errorMessage").and_then(Value::as_str).unwrap_or("Unknown");
    let stop = if message.ends_with('.') { "" } else { "." };
    format!("{name} failed with error {message}{stop}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cognito::pool::tests::pool;

    fn call(config: Value) -> Option<Call> {
        let pool = pool(json!({ "LambdaConfig": config }));
        let subject = Subject { user: &User::default(), client: NO_CLIENT, metadata: &Metadata::new() };
        let request = json!({ "clientMetadata": {}, "userAttributes": {} });
        Call::new(&pool, "PreTokenGeneration", "TokenGeneration_Authentication", &subject, request, json!({}))
    }

    #[test]
    fn a_pool_without_the_trigger_calls_nothing() {
        assert!(call(json!({ "PreSignUp": "arn:aws:lambda:us-east-1:000000000000:function:f" })).is_none());
    }

    #[test]
    fn the_versioned_configuration_wins() {
        let versioned = json!({ "LambdaArn": "new", "LambdaVersion": "V2_0" });
        let call = call(json!({ "PreTokenGeneration": "old", "PreTokenGenerationConfig": versioned })).expect("a call");
        assert_eq!((call.function.as_str(), call.version()), ("new", "2"));
        assert_eq!(call.event["region"], "us-east-1");
        assert!(call.event["request"].get("clientMetadata").is_none());
    }

    #[test]
    fn a_failure_is_told_in_the_functions_words() {
        let words = failed("PreSignUp", br#"{"errorMessage": "not you", "errorType": "Error"}"#);
        assert_eq!(words, "PreSignUp failed with error not you.");
        assert_eq!(failed("PreSignUp", b"garbage"), "PreSignUp failed with error Unknown.");
    }
}
