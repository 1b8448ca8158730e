//! The stack of `protected-api.yaml`, built in Rust.

use stackgen::model::apigatewayv2::{HttpApi, JwtAuthorizer, Route};
use stackgen::model::cognito::{
    AccountRecovery, AuthFlow, PasswordPolicy, UserPool, UserPoolClient, UsernameAttribute, VerifiedAttribute, Voucher,
};
use stackgen::model::lambda::Function;
use stackgen::model::raw::{DataRemoval, Suppression};
use stackgen::model::{Stack, Value};

/// A user pool, a JWT-protected HTTP API and the Rust function behind it.
pub fn stack() -> Stack {
    let mut stack =
        Stack::default().description("A user pool, a JWT-protected HTTP API and the Rust function behind it.");
    let users = stack.add("Users", users());
    let web = stack.add(
        "Web",
        UserPoolClient::new(&users)
            .auth_flows([AuthFlow::AdminUserPassword, AuthFlow::UserPassword, AuthFlow::Custom, AuthFlow::UserSrp])
            .identity_providers([Voucher::cognito()]),
    );
    let protected = stack.add("Protected", Function::from_crate("functions/protected"));
    let members = JwtAuthorizer::pool(&users, [&web])
        .name("user-pool-authorizer")
        .identity_source("$request.header.Authorization");
    let api = HttpApi::default()
        .name("my-api")
        .authorizer("Members", members)
        .route("GET /protected", Route::new(&protected).authorizer("Members"));
    let api = stack.add("Api", api);
    stack.output("region", Value::pseudo("Region"));
    stack.output("userPoolId", &users);
    stack.output("userPoolClientId", &web);
    stack.output("apiUrl", Value::url(&api));
    suppress(&mut stack);
    stack
}

fn users() -> UserPool {
    UserPool::default()
        .user_pool_name("my-user-pool")
        .self_sign_up(true)
        .username_attributes([UsernameAttribute::Email])
        .auto_verified_attributes([VerifiedAttribute::Email])
        .password_policy(PasswordPolicy::new(6))
        .account_recovery(AccountRecovery::EmailOnly)
        .removal(DataRemoval::Destroy)
}

/// Findings of checkov and cdk-nag that are as they should be.
fn suppress(stack: &mut Stack) {
    let mut say = |rule: &str, on: &str, reason: &str| stack.suppress(rule, Suppression::new([on], reason));
    say(
        "AwsSolutions-COG1",
        "Users",
        "The tutorial's own password policy; `minimumLength: 12` and the classes of characters make it stronger.",
    );
    say(
        "AwsSolutions-COG2",
        "Users",
        "One factor is enough for what is shown here; `mfa: required` asks for a second one.",
    );
    say("AwsSolutions-COG8", "Users", "Threat protection is paid by the user; `userPoolTier: plus` turns it on.");
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
        "CKV_AWS_158",
        "AWS::Logs::LogGroup",
        "CloudWatch encrypts logs with a key of its own, and what is logged holds no secret.",
    );
}
