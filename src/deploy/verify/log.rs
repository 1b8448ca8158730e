//! What the access logs of stages say of requests: whether what lies behind a route was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::Client;
use serde_json::Value;

use super::service;
use crate::access::matrix::Kind;
use crate::access::probe::answer::{Log, plain};
use crate::deploy::api::{self, Call};
use crate::deploy::aws::{Account, During as _};

/// How far clocks may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// An access log that names requests and the statuses of integrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccessLog {
    group: String,
    /// The member of a line that holds the request's id.
    id: String,
    /// The member that holds the status of the integration.
    status: String,
}

impl AccessLog {
    /// The access log of a stage, where it has one that is of use; or why that cannot be told, in words.
    pub(super) async fn of(account: &Account, kind: Kind, (api, stage): (&str, &str)) -> Result<Option<Self>, String> {
        let path = match kind {
            Kind::Rest => format!("/restapis/{api}/stages/{stage}"),
            Kind::Http | Kind::WebSocket => format!("/v2/apis/{api}/stages/{}", stage.replace('$', "%24")),
        };
        let url = format!("{}{path}", service(account, "apigateway"));
        let call = Call { method: "GET".to_owned(), path: String::new(), headers: Vec::new(), body: None };
        let failed = |why: String| format!("stage `{stage}` cannot be asked for its access log: {why}");
        let headers = api::signature(account, "apigateway", &url, &call).await;
        let call = Call { headers: headers.map_err(|error| failed(error.to_string()))?, ..call };
        let answer = api::send(&url, &call).await.map_err(|error| failed(error.to_string()))?;
        if answer.status != 200 {
            let said = plain(&String::from_utf8_lossy(&answer.body), 200);
            return Err(failed(format!("{} {said}", answer.status)));
        }
        Ok(Self::read(&serde_json::from_slice(&answer.body).unwrap_or_default()))
    }

    /// Reads what the gateway says of a stage.
    pub(super) fn read(stage: &Value) -> Option<Self> {
        let settings = stage.get("accessLogSettings")?;
        let (_, group) = settings.get("destinationArn")?.as_str()?.split_once(":log-group:")?;
        let format: BTreeMap<String, Value> = serde_json::from_str(settings.get("format")?.as_str()?).ok()?;
        let member = |wanted: &[&str]| {
            let found = format.iter().find(|(_, value)| value.as_str().is_some_and(|value| wanted.contains(&value)));
            found.map(|(name, _)| name.clone())
        };
        Some(Self {
            group: group.trim_end_matches(":*").to_owned(),
            id: member(&["$context.requestId"])?,
            status: member(&[
                "$context.integrationStatus",
                "$context.integration.status",
                "$context.integration.integrationStatus",
            ])?,
        })
    }

    /// What it says of all requests since a moment, until all that are wanted are among them. What went wrong is told in
    /// words.
    pub(super) async fn since(
        &self,
        account: &Account,
        start: SystemTime,
        wanted: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Log>, String> {
        let start = start.checked_sub(SKEW).and_then(|start| start.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let start = i64::try_from(start.as_millis()).unwrap_or_default();
        let client = Client::new(&account.config);
        let request = client.filter_log_events().log_group_name(&self.group).start_time(start);
        let mut pages = request.into_paginator().send();
        let mut said = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.during("logs:FilterLogEvents", &account.config).map_err(|error| error.to_string())?;
            let lines = page.events().iter().filter_map(|event| event.message());
            said.extend(lines.filter_map(|line| self.line(line)));
            if wanted.iter().all(|id| said.contains_key(*id)) {
                break;
            }
        }
        Ok(said)
    }

    fn line(&self, line: &str) -> Option<(String, Log)> {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = |name: &String| match line.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let is_reached = text(&self.status).is_some_and(|status| !matches!(status.as_str(), "" | "-"));
        Some((text(&self.id)?, if is_reached { Log::Reached } else { Log::NotReached }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{AccessLog, Log};

    fn stage(format: &str) -> serde_json::Value {
        let destination = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/api/logs:*";
        json!({ "accessLogSettings": { "destinationArn": destination, "format": format } })
    }

    #[test]
    fn a_log_tells_what_was_reached() {
        let format =
            r#"{"id":"$context.requestId","behind":"$context.integrationStatus","ip":"$context.identity.sourceIp"}"#;
        let log = AccessLog::read(&stage(format)).expect("it has both");
        assert_eq!(log.group, "/aws/api/logs");
        let line = |text: &str| log.line(text);
        assert_eq!(line(r#"{"id":"a","behind":"200"}"#), Some(("a".to_owned(), Log::Reached)));
        assert_eq!(line(r#"{"id":"a","behind":401}"#), Some(("a".to_owned(), Log::Reached)));
        assert_eq!(line(r#"{"id":"a","behind":"-"}"#), Some(("a".to_owned(), Log::NotReached)));
        assert_eq!(line("127.0.0.1 - -"), None);
    }

    #[test]
    fn a_log_that_names_no_integration_is_of_no_use() {
        for format in [r#"{"id":"$context.requestId"}"#, "$context.requestId $context.integrationStatus", ""] {
            assert_eq!(AccessLog::read(&stage(format)), None, "{format}");
        }
        assert_eq!(AccessLog::read(&json!({})), None);
    }
}
