//! What a request is known by: the `requestContext` of events, and the `$context` of templates and access logs.

use serde_json::{Map, Value, json};

use super::Notes;
use super::call::Call;
use crate::gateway::request::{SOURCE_IP, domain_prefix, epoch_milliseconds, log_time};
use crate::gateway::signer::Signer;

/// What an authorizer found out about the caller.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Identity {
    /// Nobody asked.
    #[default]
    Unknown,
    /// A token's claims, as text.
    Claims(Map<String, Value>),
    /// What a Lambda authorizer said.
    Function { principal: String, context: Map<String, Value>, latency: i64 },
    /// Who signed the request.
    Signer(Signer),
}

/// What is known of a request.
pub(super) fn of(call: &Call, notes: &Notes) -> Value {
    let bound = &call.bound;
    let routed = bound.routed.as_ref();
    let domain = call.domain();
    let mut context = json!({
        "accountId": bound.account,
        "apiId": bound.api,
        "deploymentId": bound.stage.deployment_id,
        "domainName": domain,
        "domainPrefix": domain_prefix(&domain),
        "extendedRequestId": call.extended_id,
        "httpMethod": call.request.method.as_str(),
        "identity": identity(call, notes),
        "path": call.path,
        "protocol": "HTTP/1.1",
        "requestId": call.id,
        "requestTime": log_time(call.time),
        "requestTimeEpoch": epoch_milliseconds(call.time),
        "resourceId": routed.map(|routed| routed.resource_id.as_str()),
        "resourcePath": routed.map(|routed| routed.resource.as_str()),
        "stage": bound.stage.stage_name,
    });
    if let Some(name) = routed.and_then(|routed| routed.method.operation_name.as_ref()) {
        context["operationName"] = name.as_str().into();
    }
    match &notes.identity {
        Identity::Unknown | Identity::Signer(_) => {}
        Identity::Claims(claims) => context["authorizer"] = json!({ "claims": claims }),
        Identity::Function { principal, context: said, latency } => {
            let mut members = said.clone();
            members.insert("principalId".to_owned(), principal.as_str().into());
            members.insert("integrationLatency".to_owned(), (*latency).into());
            context["authorizer"] = Value::Object(members);
        }
    }
    context
}

fn identity(call: &Call, notes: &Notes) -> Value {
    let mut identity = json!({
        "accessKey": null,
        "accountId": null,
        "caller": null,
        "cognitoAuthenticationProvider": null,
        "cognitoAuthenticationType": null,
        "cognitoIdentityId": null,
        "cognitoIdentityPoolId": null,
        "principalOrgId": null,
        "sourceIp": SOURCE_IP,
        "user": null,
        "userAgent": call.user_agent(),
        "userArn": null,
    });
    if let Identity::Signer(signer) = &notes.identity {
        for (name, value) in signer.identity() {
            identity[name] = value.into();
        }
    }
    if let Some(admission) = &notes.admission {
        identity["apiKey"] = admission.value.as_str().into();
        identity["apiKeyId"] = admission.key.as_str().into();
    }
    identity
}

/// The value at a dotted path, as text.
pub(super) fn lookup(context: &Value, path: &str) -> Option<String> {
    let found = match path.strip_prefix("authorizer.claims.") {
        // The names of claims may hold dots themselves.
        Some(claim) => context.pointer("/authorizer/claims").and_then(|claims| claims.get(claim)),
        None => path.split('.').try_fold(context, |value, name| value.get(name)),
    };
    match found? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}
