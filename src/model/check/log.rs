//! Rules for access logs, which all kinds of APIs have.

use crate::model::Stack;

use super::Complaint;
use super::api::{Api, apis};

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    apis(stack).flat_map(|api| no_request_ids(&api)).collect()
}

fn no_request_ids(api: &Api<'_>) -> Vec<Complaint> {
    let formats = api.stages.iter().filter_map(|stage| Some((stage.name, stage.log_format?)));
    formats.filter_map(|(stage, format)| no_request_id(&[api.section, api.id, "stages", stage], format)).collect()
}

/// "The format must include at least `$context.requestId` or `$context.extendedRequestId`":
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html>
fn no_request_id(stage: &[&str], format: &str) -> Option<Complaint> {
    let holds_one = ["$context.requestId", "$context.extendedRequestId"].iter().any(|it| format.contains(it));
    let path = [stage, &["accessLogs", "format"]].concat();
    let message = "nothing in the line says which request it is about";
    (!holds_one).then(|| Complaint::new(&path, message, "add `$context.requestId`: API Gateway wants it in each line"))
}
