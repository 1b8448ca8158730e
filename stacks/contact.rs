//! The stack of `contact.yaml`, built in Rust.

use serde_json::json;
use stackgen::model::apigateway::{
    ApiKey, CloudWatchRole, LoggingLevel, Model, Period, Quota, RequestAuthorizer, RestApi, Route, Stage, Throttle,
    TokenAuthorizer, UsagePlan,
};
use stackgen::model::lambda::{Access, Function, Grant};
use stackgen::model::raw::{DataRemoval, Output};
use stackgen::model::secretsmanager::{Generate, Secret};
use stackgen::model::ses::EmailIdentity;
use stackgen::model::{Ref, Stack, Value};

use super::findings;

const TOKEN: &str = "method.request.header.authtoken";

/// A contact form that sends mail, behind a token, a throttle and a quota.
pub fn stack() -> Stack {
    let mut stack =
        Stack::default().description("A contact form that sends mail, behind a token, a throttle and a quota.");
    let sender = stack.add("Sender", EmailIdentity::new("sender@example.com"));
    let token = stack.add("ApiToken", token());
    let authorizer = Function::from_crate("functions/token-authorizer").grant(Grant::secret(&token, Access::Read));
    let by_request = authorizer.clone().variable("TOKEN_HEADER", "authtoken");
    let by_token = stack.add("AuthorizeToken", authorizer);
    let by_request = stack.add("AuthorizeRequest", by_request);
    let send = Function::from_crate("functions/send-email")
        .variable("RECIPIENT", &sender)
        .grant(Grant::email_identity(&sender, Access::Send));
    let send = stack.add("SendEmail", send);
    let api = stack.add("Api", api(&by_token, &by_request, &send));
    stack.output("apiUrl", Value::url(&api));
    stack.output("apiTokenArn", Output::from(&token).description("Where the token of the API is kept."));
    let key = Output::from(Value::Ref("ApiPartnerApiKey".to_owned())).description("The id of the partner's API key.");
    stack.output("apiKeyId", key);
    stack.output("region", Value::pseudo("Region"));
    suppress(&mut stack);
    stack
}

fn token() -> Secret {
    Secret::generated(Generate::new(48).exclude_punctuation(true))
        .description("The token that callers of the contact API carry.")
        .removal(DataRemoval::Destroy)
}

fn api(by_token: &Ref<Function>, by_request: &Ref<Function>, send: &Ref<Function>) -> RestApi {
    let text = json!({ "type": "string" });
    let message = json!({
        "type": "object",
        "required": ["subject", "body"],
        "properties": { "subject": text, "body": text, "replyTo": text },
    });
    let route = Route::new(send).accepts("application/json", "Message");
    let plan = UsagePlan::default()
        .throttle(Throttle::new(1.0, 5))
        .quota(Quota::new(100, Period::Day))
        .api_keys(["Partner".to_owned()]);
    RestApi::default()
        .name("contact")
        .authorizer("Token", TokenAuthorizer::new(by_token).name("token-authorizer").identity_source(TOKEN))
        .authorizer("Request", RequestAuthorizer::new(by_request, [TOKEN]).name("request-authorizer"))
        .model("Message", Model::new(message))
        .route("POST /", route.clone().authorizer("Token").throttle(Throttle::new(1.0, 5)))
        .route("POST /partners", route.authorizer("Request").api_key_required())
        .only_stage("prod", Stage::default().throttle(Throttle::new(5.0, 10)).logging_level(LoggingLevel::Error))
        .usage_plan("Partners", plan)
        .api_key("Partner", ApiKey::default())
        .cloud_watch_role(CloudWatchRole::Destroy)
}

/// Findings of checkov and cdk-nag that are as they should be.
fn suppress(stack: &mut Stack) {
    findings::accept(stack, findings::FUNCTIONS);
    findings::accept(stack, findings::ENVIRONMENT);
    findings::accept(stack, findings::LOGS);
    findings::accept(stack, findings::REST_APIS);
    findings::accept(stack, findings::TOKENS);
}
