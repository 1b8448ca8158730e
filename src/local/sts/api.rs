//! The wire face of STS, the query protocol.

use serde_json::{Value, json};

use super::NAMESPACE;
use crate::local::cloud::Cloud;
use crate::local::wire::{Caller, Fault, Form, Request, Response, query_answer};

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    let form = Form::of(&request);
    let action = form.get("Action").unwrap_or_default();
    query_answer(&request.id, NAMESPACE, action, answer(&cloud, &request, &form))
}

fn answer(cloud: &Cloud, request: &Request, form: &Form) -> Result<Value, Fault> {
    match form.action()? {
        "GetCallerIdentity" => Ok(caller_identity(cloud, &request.caller)),
        other => Err(Fault::unknown_operation("sts", other)),
    }
}

fn caller_identity(cloud: &Cloud, caller: &Caller) -> Value {
    let account = cloud.read(|account| account.id.clone());
    let (user, arn) = match caller {
        Caller::Root | Caller::Anonymous => (account.clone(), format!("arn:aws:iam::{account}:root")),
        Caller::Role { name, session } => {
            (format!("AROA{name}:{session}"), format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"))
        }
    };
    json!({ "Account": account, "Arn": arn, "UserId": user })
}
