//! What the access logs of HTTP APIs may say of a request.

use serde_json::Value;
use time::OffsetDateTime;

use super::call::Call;
use super::event::Identity;
use crate::cloud::Cloud;
use crate::gateway::access_log::Log;
use crate::gateway::answer::Answer;
use crate::gateway::request::{SOURCE_IP, log_time};

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
    let stream = format!("{}/{}", call.bound.api, call.bound.stage.stage_name);
    let destination = settings.destination_arn.as_deref();
    let ended = cloud.now();
    Log { destination, format: settings.format.as_deref(), stream: &stream }
        .write(cloud, |name| variable(name, call, notes, answer, ended));
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
        "identity.sourceIp" => text(SOURCE_IP),
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
        "requestTime" => Some(log_time(call.time)),
        "requestTimeEpoch" => Some(call.time.unix_timestamp().to_string()),
        "responseLatency" => Some(milliseconds(call.time, ended)),
        "responseLength" => Some(answer.body.len().to_string()),
        "routeKey" => text(call.bound.route_key()),
        "stage" => text(&call.bound.stage.stage_name),
        "status" => Some(answer.status.as_u16().to_string()),
        _ => match (&notes.identity, name.strip_prefix("identity.")) {
            (Identity::Signer(signer), Some(name)) => signer.said(name),
            (known, _) => identity(name.strip_prefix("authorizer.")?, known),
        },
    }
}

fn identity(name: &str, identity: &Identity) -> Option<String> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match identity {
        Identity::Token { claims, .. } => claims.get(name.strip_prefix("claims.")?).map(plain),
        Identity::Function { principal, .. } if name == "principalId" => principal.clone(),
        Identity::Function { context, .. } => context.get(name).map(plain),
        Identity::Signer(_) | Identity::Unknown => None,
    }
}
