//! What the access logs of WebSocket APIs may say of an event.

use serde_json::Value;
use time::OffsetDateTime;

use super::event::Identity;
use super::turn::{Kind, Turn};
use crate::cloud::Cloud;
use crate::gateway::access_log::Log;
use crate::gateway::request::{SOURCE_IP, domain_prefix, epoch_milliseconds, log_time};

/// What is worth a note while an event is treated.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) authorizer_error: Option<String>,
    pub(super) integration_error: Option<String>,
    pub(super) integration_status: Option<u16>,
    pub(super) integration_began: Option<OffsetDateTime>,
    pub(super) integration_ended: Option<OffsetDateTime>,
    /// The gateway's own message where it answered itself.
    pub(super) error: Option<&'static str>,
}

/// Writes an event's line where its stage keeps an access log.
pub(super) fn write(cloud: &Cloud, turn: &Turn, notes: &Notes, status: u16) {
    let Some(settings) = &turn.bound.stage.access_log_settings else { return };
    let stream = format!("{}/{}", turn.bound.place.api, turn.bound.stage.stage_name);
    let destination = settings.destination_arn.as_deref();
    Log { destination, format: settings.format.as_deref(), stream: &stream }
        .write(cloud, |name| variable(name, turn, notes, status));
}

fn variable(name: &str, turn: &Turn, notes: &Notes, status: u16) -> Option<String> {
    match name {
        "authorizer.error" => notes.authorizer_error.clone(),
        "error.message" => notes.error.map(str::to_owned),
        "error.messageString" => notes.error.map(|error| format!("\"{error}\"")),
        "integration.error" | "integrationErrorMessage" => notes.integration_error.clone(),
        "integration.integrationStatus" | "integration.status" | "integrationStatus" => {
            notes.integration_status.map(|status| status.to_string())
        }
        "integration.latency" | "integrationLatency" => {
            Some((notes.integration_ended? - notes.integration_began?).whole_milliseconds().to_string())
        }
        "status" => Some(status.to_string()),
        _ => context(name, turn),
    }
}

/// A `$context` variable of an event, without what has become of it.
pub(super) fn context(name: &str, turn: &Turn) -> Option<String> {
    let Turn { bound, client, .. } = turn;
    let text = |value: &str| Some(value.to_owned());
    match name {
        "accountId" => text(&bound.account),
        "apiId" => text(&bound.place.api),
        "connectedAt" => Some(epoch_milliseconds(client.connected).to_string()),
        "connectionId" => text(&client.id),
        "domainName" => text(&client.domain),
        "domainPrefix" => text(domain_prefix(&client.domain)),
        "eventType" => text(turn.kind.name()),
        "extendedRequestId" | "requestId" => text(&turn.id),
        "identity.sourceIp" => text(SOURCE_IP),
        "identity.userAgent" => client.user_agent(),
        "messageId" => match &turn.kind {
            Kind::Message { id, .. } => text(id),
            _ => None,
        },
        "requestTime" => Some(log_time(turn.time)),
        "requestTimeEpoch" => Some(epoch_milliseconds(turn.time).to_string()),
        "routeKey" => text(bound.route_key()),
        "stage" => text(&bound.stage.stage_name),
        _ => match (&client.identity, name.strip_prefix("identity.")) {
            (Identity::Signer(signer), Some(name)) => signer.said(name),
            (known, _) => said(name.strip_prefix("authorizer.")?, known),
        },
    }
}

fn said(name: &str, identity: &Identity) -> Option<String> {
    let Identity::Function(context) = identity else { return None };
    context.get(name).map(|value| value.as_str().map_or_else(|| Value::to_string(value), str::to_owned))
}
