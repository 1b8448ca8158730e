//! Invoking functions on behalf of an API.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::apigatewayv2::function_arn;
use crate::cloud::Cloud;
use crate::lambda::api::LARGEST_EVENT;
use crate::{lambda, runtime};

/// The service that functions must let in.
const PRINCIPAL: &str = "apigateway.amazonaws.com";

/// Why a function gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// It does not let the API invoke it, or does not exist: what happened, for the access log.
    Failed(String),
    /// It was invoked and failed: its error as Lambda shapes it.
    Raised(Bytes),
    /// All that may run of it are busy.
    Throttled,
    /// It takes too long.
    TimedOut,
    /// The event is larger than functions take.
    EventTooLarge,
}

/// How an authorizer says that it does not know the caller: by an error of exactly this word.
const UNAUTHORIZED: &str = "Unauthorized";

impl Problem {
    /// Whether an authorizer says that it does not know the caller.
    pub(super) fn says_unauthorized(&self) -> bool {
        let Self::Raised(error) = self else { return false };
        let error: Value = serde_json::from_slice(error).unwrap_or_default();
        error.get("errorMessage").and_then(Value::as_str) == Some(UNAUTHORIZED)
    }

    /// What happened, for the access log.
    pub(super) fn logged(&self) -> String {
        match self {
            Self::Failed(reason) => reason.clone(),
            Self::Raised(_) => "the function failed; its log says why".to_owned(),
            Self::Throttled => "the function is throttled".to_owned(),
            Self::TimedOut => "the function takes too long".to_owned(),
            Self::EventTooLarge => "the event is too large for a function".to_owned(),
        }
    }
}

/// One invocation.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The function's ARN, or an invocation path that holds it.
    pub(super) uri: &'a str,
    /// The ARN on whose behalf it is, which the function's policy must let in.
    pub(super) caller: &'a str,
    /// What the function receives.
    pub(super) event: &'a Value,
    /// How long its result is waited for.
    pub(super) timeout: Duration,
}

/// Invokes a function on behalf of an API, and waits for its result.
pub(super) async fn invoke(cloud: &Cloud, wanted: Wanted<'_>) -> Result<Bytes, Problem> {
    let Wanted { uri, caller, event, timeout } = wanted;
    let arn = function_arn(uri).ok_or_else(|| Problem::Failed(format!("{uri} is not a function")))?.to_owned();
    if !cloud.read(|account| lambda::allows(account, &arn, PRINCIPAL, caller)) {
        return Err(Problem::Failed(format!("{arn} has no permission that lets {caller} invoke it")));
    }
    let event = Bytes::from(event.to_string());
    if event.len() > LARGEST_EVENT {
        return Err(Problem::EventTooLarge);
    }
    // A task of its own: the function runs on where the gateway no longer waits for it, as on AWS.
    let running = cloud.clone();
    let invocation = cloud.tasks().spawn(async move { runtime::invoke(&running, &arn, event).await });
    let result = tokio::time::timeout(timeout, invocation).await.map_err(|_| Problem::TimedOut)?;
    match result {
        Ok(Ok(invocation)) if invocation.function_error.is_none() => Ok(invocation.payload),
        Ok(Ok(invocation)) => Err(Problem::Raised(invocation.payload)),
        Ok(Err(fault)) if fault.code == "TooManyRequestsException" => Err(Problem::Throttled),
        Ok(Err(fault)) => Err(Problem::Failed(fault.to_string())),
        Err(_) => Err(Problem::Failed("the invocation was interrupted".to_owned())),
    }
}

/// Integrations may name functions by `${stageVariables.name}`.
pub(super) fn with_stage_variables(uri: &str, variables: &BTreeMap<String, String>) -> String {
    variables
        .iter()
        .fold(uri.to_owned(), |uri, (name, value)| uri.replace(&format!("${{stageVariables.{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Problem;

    #[test]
    fn only_the_very_word_is_unauthorized() {
        let says = |error: &'static str| Problem::Raised(Bytes::from(error)).says_unauthorized();
        assert!(says(r#"{"errorMessage":"Unauthorized","errorType":"Error"}"#));
        for other in [r#"{"errorMessage":"unauthorized"}"#, r#"{"errorMessage":"Unauthorized "}"#, "", "[]"] {
            assert!(!says(other), "{other}");
        }
    }
}
