//! What the access logs of REST APIs may say of a request.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::call::Call;
use super::{Notes, context};
use crate::cloud::Cloud;
use crate::gateway::access_log::Log;
use crate::gateway::answer::Answer;

/// Writes a request's line where its stage keeps an access log.
pub(super) fn write(cloud: &Cloud, call: &Call, notes: &Notes, answer: &Answer) {
    let Some(settings) = &call.bound.stage.access_log_settings else { return };
    let stream = format!("{}/{}", call.bound.api, call.bound.stage.stage_name);
    let variables = variables(call, notes, answer, cloud.now());
    Log { destination: settings.destination_arn.as_deref(), format: settings.format.as_deref(), stream: &stream }
        .write(cloud, |name| context::lookup(&variables, name));
}

fn variables(call: &Call, notes: &Notes, answer: &Answer, ended: OffsetDateTime) -> Value {
    let mut variables = context::of(call, notes);
    let milliseconds = |began: OffsetDateTime, ended: OffsetDateTime| {
        i64::try_from((ended - began).whole_milliseconds()).unwrap_or_default()
    };
    let latency = notes.integration_began.zip(notes.integration_ended).map(|(began, ended)| milliseconds(began, ended));
    let further = [
        ("error", notes.refusal.as_ref().map_or(Value::Null, super::Refusal::context)),
        (
            "integration",
            json!({
                "error": notes.integration_error, "latency": latency, "status": notes.integration_status,
                "integrationStatus": notes.integration_status,
            }),
        ),
        ("integrationErrorMessage", json!(notes.integration_error)),
        ("integrationLatency", json!(latency)),
        ("integrationStatus", json!(notes.integration_status)),
        ("authorize", json!({ "error": notes.authorizer_error, "status": notes.authorizer_status })),
        ("responseLatency", json!(milliseconds(call.time, ended))),
        ("responseLength", json!(answer.body.len())),
        ("status", json!(answer.status.as_u16())),
    ];
    for (name, value) in further {
        variables[name] = value;
    }
    if let Some(reason) = &notes.authorizer_error {
        variables["authorizer"]["error"] = reason.as_str().into();
    }
    variables
}
