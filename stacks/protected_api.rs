//! The stack of `protected-api.yaml`, built in Rust.

use stackgen::model::apigatewayv2::{HttpApi, JwtAuthorizer, Route};
use stackgen::model::cognito::{
    AccountRecovery, AuthFlow, PasswordPolicy, PoolRemoval, UserPool, UserPoolClient, UsernameAttribute,
    VerifiedAttribute,
};
use stackgen::model::lambda::Function;
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
            .identity_providers(["COGNITO".to_owned()]),
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
        .removal(PoolRemoval::Destroy)
}
