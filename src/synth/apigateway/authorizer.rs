//! Authorizers of REST APIs, and the permissions with which they ask functions.

use serde_json::{Value, json};

use super::super::lambda::invoke_permission;
use super::super::{Synthesis, value};
use crate::model::Arn;
use crate::model::apigateway::Authorizer;
use crate::model::ids;
use crate::model::lambda::Function;
use crate::model::reference::Target;
use crate::template::{Resource, function};

pub(super) fn add(synthesis: &mut Synthesis, api: &str, name: &str, declared: &Authorizer) {
    let authorizer = Resource::new("AWS::ApiGateway::Authorizer").property("RestApiId", function::reference(api));
    let own_name = |declared: &Option<String>| declared.clone().unwrap_or_else(|| name.to_owned());
    let mut resource = match declared {
        Authorizer::Token(token) => authorizer
            .property("Type", "TOKEN")
            .property("Name", own_name(&token.name))
            .property("IdentitySource", token.identity_source.as_str())
            .property("AuthorizerResultTtlInSeconds", token.authorizer_result_ttl_in_seconds),
        Authorizer::Request(request) => authorizer
            .property("Type", "REQUEST")
            .property("Name", own_name(&request.name))
            .property("AuthorizerResultTtlInSeconds", request.lifetime()),
        Authorizer::Cognito(cognito) => authorizer
            .property("Type", "COGNITO_USER_POOLS")
            .property("Name", own_name(&cognito.name))
            .property("IdentitySource", cognito.identity_source.as_str())
            .property("ProviderARNs", json!(cognito.user_pools))
            .property("AuthorizerResultTtlInSeconds", cognito.authorizer_result_ttl_in_seconds),
        Authorizer::Iam(_) => return,
    };
    match declared {
        Authorizer::Request(request) if !request.identity_sources.is_empty() => {
            resource = resource.property("IdentitySource", request.identity_sources.join(", "));
        }
        _ => {}
    }
    if let Some(expression) = validation(declared) {
        resource = resource.property("IdentityValidationExpression", expression);
    }
    if let Some(decider) = declared.function() {
        resource = resource.property("AuthorizerUri", invocation(&decider.arn()));
        let permission = permission(api, name, &decider.arn());
        synthesis.resource(&ids::authorizer_permission(api, name), permission);
    }
    synthesis.resource(&ids::authorizer(api, name), resource);
}

fn validation(authorizer: &Authorizer) -> Option<&str> {
    match authorizer {
        Authorizer::Token(token) => token.identity_validation_expression.as_deref(),
        Authorizer::Cognito(cognito) => cognito.identity_validation_expression.as_deref(),
        Authorizer::Request(_) | Authorizer::Iam(_) => None,
    }
}

/// The permission of one authorizer, and of nothing else of the API, to invoke its function.
pub(in crate::synth) fn permission(api: &str, name: &str, decider: &Arn<Function>) -> Resource {
    let source = execution(api, &format!("authorizers/${{{}}}", ids::authorizer(api, name)));
    invoke_permission(decider, "apigateway.amazonaws.com", source)
}

/// The ARN of what an API executes.
pub(in crate::synth) fn execution(api: &str, what: &str) -> Value {
    function::sub(&format!(
        "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/{what}"
    ))
}

/// How API Gateway is told to invoke a function.
pub(in crate::synth) fn invocation(target: &Arn<Function>) -> Value {
    const BEFORE: &str = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/";
    match target.target() {
        Target::Local(id) => function::sub(&format!("{BEFORE}${{{id}.Arn}}/invocations")),
        Target::Output(_) => {
            function::sub_with(&format!("{BEFORE}${{Function}}/invocations"), [("Function", value(target))])
        }
    }
}
