//! Request validation: what is wrong with a request before the integration sees it.

use serde_json::Value;

use super::call::{Call, Routed};
use super::refusal::Refusal;
use super::schema::Schemas;

/// Checks what the method's validator asks for: parameters first, then the body.
pub(super) fn check(call: &Call, routed: &Routed) -> Result<(), Refusal> {
    let Some(validator) = &routed.validator else { return Ok(()) };
    if validator.validate_request_parameters {
        check_parameters(call, routed)?;
    }
    match validator.validate_request_body {
        true => check_body(call, routed),
        false => Ok(()),
    }
}

fn check_parameters(call: &Call, routed: &Routed) -> Result<(), Refusal> {
    let required = routed.method.request_parameters.iter().filter(|(_, required)| **required);
    let missing = required.filter_map(|(expression, _)| {
        let rest = expression.strip_prefix("method.request.")?;
        let (place, name) = rest.split_once('.')?;
        let value = match place {
            "header" => call.header(name),
            "path" => call.path_parameter(name),
            "querystring" => call.query_parameter(name),
            _ => None,
        };
        value.is_none_or(|value| value.trim().is_empty()).then(|| name.to_owned())
    });
    let missing: Vec<String> = missing.collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Refusal::BadParameters(missing)),
    }
}

/// The body against the model of its media type. A type without a model passes, as on AWS.
fn check_body(call: &Call, routed: &Routed) -> Result<(), Refusal> {
    let kind = call.media_type().unwrap_or_else(|| "application/json".to_owned());
    let models = &routed.method.request_models;
    let model = models.get(&kind).or_else(|| models.get("$default"));
    let Some(model) = model else { return Ok(()) };
    let body: &[u8] = if call.request.body.is_empty() { b"{}" } else { &call.request.body };
    let body: Value = serde_json::from_slice(body).map_err(|error| Refusal::BadBody(error.to_string()))?;
    // A model without a schema says nothing of what it is for.
    let mistakes = Schemas::read(&routed.schemas).mistakes(model, &body).unwrap_or_default();
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(Refusal::BadBody(format!("[{}]", mistakes.join(", ")))),
    }
}
