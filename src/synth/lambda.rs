//! Functions, with the role and the log group that each one has to itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Synthesis, code, properties, value};
use crate::model::Arn;
use crate::model::ids::{self, ASSET_BUCKET, USES_CDK_BUCKET};
use crate::model::lambda::Function;
use crate::template::{Parameter, Removal, Resource, function};

mod grant;

/// The runtime of functions that bring their own `bootstrap`, as Rust does.
const RUNTIME: &str = "provided.al2023";

pub(super) fn add(synthesis: &mut Synthesis, id: &str, declared: &Function) {
    code_parameters(synthesis, id);
    synthesis.resource(&ids::log_group(id), retained_for(declared.log_retention_days));
    let granted = grant::statements(synthesis, declared);
    synthesis.resource(&ids::role(id), role(id, declared, granted));
    let resource = function(synthesis, id, declared);
    synthesis.resource(id, resource);
}

fn function(synthesis: &Synthesis, id: &str, declared: &Function) -> Resource {
    let mut resource = Resource::new("AWS::Lambda::Function");
    resource.properties = properties(declared);
    let mut resource = resource
        .property("Runtime", RUNTIME)
        .property("Handler", "bootstrap")
        .property("Role", function::get_att(&ids::role(id), "Arn"))
        .property("Code", code(id))
        .property(
            "LoggingConfig",
            json!({ "LogFormat": "Text", "LogGroup": function::reference(&ids::log_group(id)) }),
        );
    let variables = environment(synthesis, declared);
    if !variables.is_empty() {
        resource = resource.property("Environment", json!({ "Variables": variables }));
    }
    if declared.tracing {
        resource = resource.property("TracingConfig", json!({ "Mode": "Active" }));
    }
    resource
}

/// What is declared, and what grants tell. The checks have seen to it that no name is in both.
fn environment(synthesis: &Synthesis, declared: &Function) -> BTreeMap<String, Value> {
    let own = declared.environment.iter().map(|(name, text)| (name.clone(), value(text)));
    own.chain(grant::variables(synthesis, declared)).collect()
}

fn code(id: &str) -> Value {
    let bucket = function::if_(
        USES_CDK_BUCKET,
        function::sub(&code::cdk_bucket_of_template()),
        function::reference(ASSET_BUCKET),
    );
    json!({ "S3Bucket": bucket, "S3Key": function::reference(&ids::code_key(id)) })
}

fn code_parameters(synthesis: &mut Synthesis, id: &str) {
    let bucket = Parameter::new("String")
        .default("")
        .description("Bucket of the functions' code; empty means that of CDK's bootstrap.");
    let key = Parameter::new("String").description(format!("Key of the code of function {id}."));
    synthesis.template.parameters.insert(ASSET_BUCKET.to_owned(), bucket);
    synthesis.template.parameters.insert(ids::code_key(id), key);
    let uses_cdk = function::equals(function::reference(ASSET_BUCKET), "");
    synthesis.template.conditions.insert(USES_CDK_BUCKET.to_owned(), uses_cdk);
}

/// A log group. It is a resource of the stack, so that it goes when the stack goes.
pub(super) fn retained_for(days: u32) -> Resource {
    Resource::new("AWS::Logs::LogGroup")
        .deletion_policy(Removal::Delete)
        .update_replace_policy(Removal::Delete)
        .property("RetentionInDays", days)
}

fn role(id: &str, declared: &Function, granted: Vec<Value>) -> Resource {
    let mut statements = vec![json!({
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": function::get_att(&ids::log_group(id), "Arn"),
    })];
    if declared.tracing {
        // X-Ray offers no narrower ARN for these actions.
        statements.push(json!({
            "Effect": "Allow",
            "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
            "Resource": "*",
        }));
    }
    statements.extend(granted);
    statements.extend(declared.policies.iter().map(|statement| Value::Object(properties(statement))));
    let mut role = Resource::new("AWS::IAM::Role")
        .property("AssumeRolePolicyDocument", policy([trust("lambda.amazonaws.com")]))
        .property("Policies", json!([{ "PolicyName": "function", "PolicyDocument": policy(statements) }]));
    if !declared.managed_policies.is_empty() {
        role = role.property("ManagedPolicyArns", json!(declared.managed_policies));
    }
    role
}

/// The permission of a service to invoke a function on behalf of one source.
pub(super) fn invoke_permission(function: &Arn<Function>, principal: &str, source: Value) -> Resource {
    Resource::new("AWS::Lambda::Permission")
        .property("Action", "lambda:InvokeFunction")
        .property("FunctionName", value(function))
        .property("Principal", principal)
        .property("SourceArn", source)
}

/// The statement with which a role lets a service take it.
pub(super) fn trust(service: &str) -> Value {
    json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": service } })
}

pub(super) fn policy(statements: impl IntoIterator<Item = Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.into_iter().collect::<Value>() })
}
