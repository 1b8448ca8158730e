//! The wire face of CloudFormation, the query protocol.

use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::cloud::Cloud;
use crate::cloudformation::{describe, operations};
use crate::wire::{Caller, Fault, Form, Request, Response, query_answer};

const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    let form = Form::of(&request);
    let action = form.get("Action").unwrap_or_default();
    query_answer(&request.id, NAMESPACE, action, answer(&cloud, &form, &request.caller))
}

fn answer(cloud: &Cloud, form: &Form, caller: &Caller) -> Result<Value, Fault> {
    match form.action()? {
        "CancelUpdateStack" => operations::cancel_update_stack(cloud, form),
        "ContinueUpdateRollback" => operations::continue_update_rollback(cloud, form, caller),
        "CreateChangeSet" => operations::create_change_set(cloud, form),
        "CreateStack" => operations::create_stack(cloud, form, caller),
        "DeleteChangeSet" => operations::delete_change_set(cloud, form),
        "DeleteStack" => operations::delete_stack(cloud, form, caller),
        "ExecuteChangeSet" => operations::execute_change_set(cloud, form, caller),
        "RollbackStack" => operations::rollback_stack(cloud, form, caller),
        "SetStackPolicy" => operations::set_stack_policy(cloud, form),
        "UpdateStack" => operations::update_stack(cloud, form, caller),
        "UpdateTerminationProtection" => operations::update_termination_protection(cloud, form),
        "ValidateTemplate" => describe::validate_template(cloud, form),
        other => cloud.read(|account| describe::answer(account, other, form, cloud)),
    }
}

/// A moment as CloudFormation writes it.
pub(super) fn moment(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.format(form).unwrap_or_default()
}

/// A moment to the microsecond, which tells events apart.
pub(super) fn precise(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    at.format(form).unwrap_or_default()
}
