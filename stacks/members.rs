//! The stack of `members.yaml`, built in Rust.

use stackgen::model::apigateway::{CloudWatchRole, CognitoAuthorizer, LoggingLevel, RestApi};
use stackgen::model::apigatewayv2::{HttpApi, IamAuthorizer, LambdaAuthorizer};
use stackgen::model::cognito::{
    AccountRecovery, AuthFlow, PasswordPolicy, UserPool, UserPoolClient, UsernameAttribute, VerifiedAttribute,
};
use stackgen::model::lambda::Function;
use stackgen::model::raw::{DataRemoval, Suppression};
use stackgen::model::{Ref, Stack, Value, apigateway, apigatewayv2};

use super::findings;

/// Three doors, one kept by IAM, one by the policy of a function, and one by Cognito.
pub fn stack() -> Stack {
    let mut stack = Stack::default()
        .description("Three doors, one kept by IAM, one by the policy of a function, and one by Cognito.");
    let users = stack.add("Users", users());
    let web = stack.add("Web", UserPoolClient::new(&users).auth_flows([AuthFlow::UserSrp]));
    // The answer is a policy, which may say more than yes or no, and tells access logs who called.
    let authorizer = Function::from_crate("functions/cognito-authorizer")
        .variable("USER_POOL_ID", &users)
        .variable("CLIENT_IDS", &web)
        .variable("SIMPLE_RESPONSES", "false");
    let authorizer = stack.add("Authorizer", authorizer);
    let hello = stack.add("Hello", Function::from_crate("functions/hello"));
    let protected = stack.add("Protected", Function::from_crate("functions/protected"));
    let api = stack.add("Api", api(&authorizer, &hello));
    let claims = stack.add("Claims", claims(&users, &protected));
    stack.output("apiUrl", Value::url(&api));
    stack.output("claimsUrl", Value::url(&claims));
    stack.output("userPoolId", &users);
    stack.output("userPoolClientId", &web);
    stack.output("region", Value::pseudo("Region"));
    suppress(&mut stack);
    stack
}

fn users() -> UserPool {
    let password = PasswordPolicy {
        require_lowercase: true,
        require_uppercase: true,
        require_numbers: true,
        require_symbols: true,
        ..PasswordPolicy::new(12)
    };
    UserPool::default()
        .username_attributes([UsernameAttribute::Email])
        .auto_verified_attributes([VerifiedAttribute::Email])
        .password_policy(password)
        .account_recovery(AccountRecovery::EmailOnly)
        .removal(DataRemoval::Destroy)
}

fn api(authorizer: &Ref<Function>, hello: &Ref<Function>) -> HttpApi {
    let policy =
        LambdaAuthorizer::new(authorizer, ["$request.header.Authorization"]).authorizer_result_ttl_in_seconds(300);
    HttpApi::default()
        .name("members")
        .authorizer("Signed", IamAuthorizer {})
        .authorizer("Policy", policy)
        .route("GET /worker", apigatewayv2::Route::new(hello).authorizer("Signed"))
        .route("GET /member", apigatewayv2::Route::new(hello).authorizer("Policy"))
}

fn claims(users: &Ref<UserPool>, protected: &Ref<Function>) -> RestApi {
    RestApi::default()
        .name("members-claims")
        .authorizer("Members", CognitoAuthorizer::new([users.arn()]))
        .route("GET /claims", apigateway::Route::new(protected).authorizer("Members"))
        .only_stage("prod", apigateway::Stage::default().logging_level(LoggingLevel::Error))
        .cloud_watch_role(CloudWatchRole::Destroy)
}

/// Findings of checkov and cdk-nag that are as they should be.
fn suppress(stack: &mut Stack) {
    findings::accept(stack, findings::FUNCTIONS);
    findings::accept(stack, findings::LOGS);
    findings::accept(stack, findings::REST_APIS);
    findings::accept(stack, findings::USERS);
    let validators = "Each route has the validator that its own parameters and models need.";
    stack.suppress("AwsSolutions-APIG2", Suppression::new(["Claims"], validators));
    let (rule, _, reason) = findings::ENVIRONMENT[0];
    stack.suppress(rule, Suppression::new(["Authorizer"], reason));
}
