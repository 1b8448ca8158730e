//! Rules for access logs, which all kinds of APIs have.

use super::Complaint;

/// "The format must include at least `$context.requestId` or `$context.extendedRequestId`":
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html>
pub(super) fn no_request_id(section: &str, id: &str, stage: &str, format: Option<&str>) -> Option<Complaint> {
    let format = format?;
    let holds_one = ["$context.requestId", "$context.extendedRequestId"].iter().any(|it| format.contains(it));
    let path = [section, id, "stages", stage, "accessLogs", "format"];
    let message = "nothing in the line says which request it is about";
    (!holds_one).then(|| Complaint::new(&path, message, "add `$context.requestId`: API Gateway wants it in each line"))
}
