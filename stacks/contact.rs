//! The stack of `contact.yaml`, built in Rust.

use serde_json::json;
use stackgen::model::apigateway::{
    ApiKey, CloudWatchRole, LoggingLevel, Model, Period, Quota, RequestAuthorizer, RestApi, Route, Stage, Throttle,
    TokenAuthorizer, UsagePlan,
};
use stackgen::model::lambda::{Access, Function, Grant};
use stackgen::model::raw::{DataRemoval, Output, Suppression};
use stackgen::model::secretsmanager::{Generate, Secret};
use stackgen::model::ses::EmailIdentity;
use stackgen::model::{Ref, Stack, Value};

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
    let mut say = |rule: &str, on: &str, reason: &str| stack.suppress(rule, Suppression::new([on], reason));
    say("AwsSolutions-APIG2", "Api", "Each route has the validator that its own parameters and models need.");
    say(
        "AwsSolutions-APIG3",
        "AWS::ApiGateway::Stage",
        "A firewall is paid by the month and configured for an account; throttles and authorizers come first.",
    );
    say(
        "AwsSolutions-COG4",
        "AWS::ApiGateway::Method",
        "A function decides instead, about a token that is not a user pool's.",
    );
    say(
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:*]",
        "ApiGatewayCloudWatchRole",
        "API Gateway takes a role for the logs of the account's APIs only if it may write to all of its log groups.",
    );
    say(
        "AwsSolutions-SMG4",
        "ApiToken",
        "Callers have to be told of a new token, so it is changed by hand and not by a schedule.",
    );
    say(
        "CKV_AWS_115",
        "AWS::Lambda::Function",
        "Concurrency is bounded by the API's throttle; a reservation would take it from the account's other functions.",
    );
    say(
        "CKV_AWS_116",
        "AWS::Lambda::Function",
        "Whoever calls waits for the answer and is told of a failure; nothing is invoked asynchronously.",
    );
    say(
        "CKV_AWS_117",
        "AWS::Lambda::Function",
        "The functions reach nothing inside a VPC, and IAM decides what they reach outside.",
    );
    say(
        "CKV_AWS_120",
        "AWS::ApiGateway::Stage",
        "Answers belong to one caller and change with every write; a cache is paid by the hour.",
    );
    say("CKV_AWS_149", "ApiToken", "Secrets Manager encrypts with the account's own key, and IAM decides who reads.");
    say(
        "CKV_AWS_158",
        "AWS::Logs::LogGroup",
        "CloudWatch encrypts logs with a key of its own, and what is logged holds no secret.",
    );
    say(
        "CKV_AWS_173",
        "AWS::Lambda::Function",
        "Environment variables name resources and hold no secret; Lambda encrypts them with a key of its own.",
    );
    say("CKV_AWS_73", "AWS::ApiGateway::Stage", "X-Ray is paid by the trace; `tracingEnabled` turns it on.");
}
