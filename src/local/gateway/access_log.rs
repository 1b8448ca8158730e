//! Access logs: one line a request, as the stage's format says.

use serde_json::Value;
use time::OffsetDateTime;

use super::answer::Answer;
use super::call::Call;
use super::event::Identity;
use crate::local::apigatewayv2::log_group;
use crate::local::cloud::Cloud;
use crate::local::logs;

/// What is worth a note while a request is treated.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) identity: Identity,
    pub(super) authorizer_error: Option<String>,
    pub(super) integration_error: Option<String>,
    pub(super) integration_status: Option<u16>,
    pub(super) integration_began: Option<OffsetDateTime>,
    pub(super) integration_ended: Option<OffsetDateTime>,
    /// The gateway's own message where it answered itself.
    pub(super) error: Option<&'static str>,
}

/// Writes a request's line where its stage keeps an access log.
pub(super) fn write(cloud: &Cloud, call: &Call, notes: &Notes, answer: &Answer) {
    let Some(settings) = &call.bound.stage.access_log_settings else { return };
    let Some(group) = settings.destination_arn.as_deref().and_then(log_group) else { return };
    let ended = cloud.now();
    let format = settings.format.as_deref().unwrap_or_default();
    let line = render(format, |name| variable(name, call, notes, answer, ended));
    logs::append(cloud, group, &format!("{}/{}", call.bound.api, call.bound.stage.stage_name), &[line]);
}

/// A format with its `$context` variables replaced; those without a value become `-`.
fn render(format: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut line = String::with_capacity(format.len());
    let mut rest = format;
    while let Some((before, after)) = rest.split_once("$context.") {
        line.push_str(before);
        let name = name(after);
        line.push_str(&escaped(&value(name).unwrap_or_else(|| "-".to_owned())));
        rest = after.get(name.len()..).unwrap_or_default();
    }
    line.push_str(rest);
    line
}

/// The name at the start of a text. Claims such as `cognito:groups` hold colons within them.
fn name(text: &str) -> &str {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':'));
    let name = text.split(ends).next().unwrap_or_default();
    name.trim_end_matches(['.', ':'])
}

/// What clients send must neither end a line nor leave the quotes around it.
fn escaped(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

fn variable(name: &str, call: &Call, notes: &Notes, answer: &Answer, ended: OffsetDateTime) -> Option<String> {
    let text = |value: &str| Some(value.to_owned());
    let milliseconds = |began: OffsetDateTime, ended: OffsetDateTime| (ended - began).whole_milliseconds().to_string();
    match name {
        "accountId" => text(&call.bound.account),
        "apiId" => text(&call.bound.api),
        "authorizer.error" => notes.authorizer_error.clone(),
        "dataProcessed" => Some(call.request.body.len().saturating_add(answer.body.len()).to_string()),
        "domainName" => Some(call.domain()),
        "domainPrefix" => call.domain().split('.').next().map(str::to_owned),
        "error.message" => notes.error.map(str::to_owned),
        "error.messageString" => notes.error.map(|error| format!("\"{error}\"")),
        "extendedRequestId" | "requestId" => text(&call.id),
        "httpMethod" => text(call.request.method.as_str()),
        "identity.sourceIp" => text(call.source_ip()),
        "identity.userAgent" => Some(call.user_agent()).filter(|agent| !agent.is_empty()),
        "integration.error" | "integrationErrorMessage" => notes.integration_error.clone(),
        "integration.integrationStatus" | "integration.status" | "integrationStatus" => {
            notes.integration_status.map(|status| status.to_string())
        }
        "integration.latency" | "integrationLatency" => {
            Some(milliseconds(notes.integration_began?, notes.integration_ended?))
        }
        "path" => text(&call.path),
        "protocol" => text("HTTP/1.1"),
        "requestTime" => Some(call.log_time()),
        "requestTimeEpoch" => Some(call.time.unix_timestamp().to_string()),
        "responseLatency" => Some(milliseconds(call.time, ended)),
        "responseLength" => Some(answer.body.len().to_string()),
        "routeKey" => text(call.bound.route_key()),
        "stage" => text(&call.bound.stage.stage_name),
        "status" => Some(answer.status.as_u16().to_string()),
        _ => identity(name.strip_prefix("authorizer.")?, &notes.identity),
    }
}

fn identity(name: &str, identity: &Identity) -> Option<String> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match identity {
        Identity::Token { claims, .. } => claims.get(name.strip_prefix("claims.")?).map(plain),
        Identity::Function { principal, .. } if name == "principalId" => principal.clone(),
        Identity::Function { context, .. } => context.get(name).map(plain),
        Identity::Signer { .. } | Identity::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn variables_are_replaced_and_nothing_else() {
        let value = |name: &str| (name == "a.b" || name == "claims.cognito:groups").then(|| "x".to_owned());
        assert_eq!(render("$context.a.b: $context.c. $a {$context.a.b}", value), "x: -. $a {x}");
        assert_eq!(render("$context.claims.cognito:groups:$context.", value), "x:-");
    }

    #[test]
    fn a_value_cannot_forge_a_line() {
        let line = render(r#"{"agent":"$context.a"}"#, |_| Some("x\",\"status\":\"200\"}\nforged".to_owned()));
        assert_eq!(line, r#"{"agent":"x\",\"status\":\"200\"}\nforged"}"#);
    }
}
