//! The stack of `federated.yaml`, built in Rust.

use stackgen::model::apigateway::{CloudWatchRole, LoggingLevel, RequestAuthorizer, RestApi, TokenAuthorizer};
use stackgen::model::apigatewayv2::{Cors, HttpApi, LambdaAuthorizer};
use stackgen::model::cognito::{
    AccountRecovery, Domain, IdentityProvider, OAuthFlow, PasswordPolicy, Social, UserPool, UserPoolClient,
    UsernameAttribute, VerifiedAttribute, Voucher,
};
use stackgen::model::lambda::Function;
use stackgen::model::raw::{Condition, DataRemoval, Parameter, Suppression};
use stackgen::model::secretsmanager::SecretText;
use stackgen::model::{Ref, Stack, Value, apigateway, apigatewayv2};

use super::findings;

/// Sign-in with a user pool or with Google, and a function that verifies the tokens of a REST and an HTTP API.
pub fn stack() -> Stack {
    let mut stack = Stack::default().description(
        "Sign-in with a user pool or with Google, and a function that verifies the tokens of a REST and an HTTP API.",
    );
    parameters(&mut stack);
    let users = stack.add("Users", users());
    let google = stack.add("Google", google(&users));
    let web = stack.add("Web", web(&users, &google));
    let authorizer = Function::from_crate("functions/cognito-authorizer")
        .variable("USER_POOL_ID", &users)
        .variable("CLIENT_IDS", &web)
        .variable("TOKEN_USE", "access");
    let authorizer = stack.add("Authorizer", authorizer);
    let hello = Function::from_crate("functions/hello").variable("ALLOWED_ORIGIN", parameter("AppOrigin"));
    let hello = stack.add("Hello", hello);
    let basic = stack.add("BasicApi", basic_api(&authorizer, &hello));
    let simple = stack.add("SimpleApi", simple_api(&authorizer, &hello));
    stack.output("basicApiUrl", Value::url(&basic));
    stack.output("simpleApiUrl", Value::url(&simple));
    stack.output("userPoolId", &users);
    stack.output("userPoolClientId", &web);
    stack.output("signInDomain", parameter("UsersDomain"));
    stack.output("region", Value::pseudo("Region"));
    suppress(&mut stack);
    stack
}

fn parameter(name: &str) -> Value {
    Value::Ref(name.to_owned())
}

fn parameters(stack: &mut Stack) {
    let origin = Parameter::default()
        .description("Where the application's pages are; they alone may call the APIs from a browser.")
        .default_value("http://localhost:3000")
        .allowed_pattern("https?://[^/*]+");
    let client = Parameter::default()
        .description("The id that Google knows the user pool by; nobody signs in with Google while it is empty.")
        .default_value("");
    let secret = Parameter::default()
        .description(
            "The secret that holds Google's client secret as its member clientSecret, made before it is needed.",
        )
        .default_value("federated/google");
    stack.parameters.insert("AppOrigin".to_owned(), origin);
    stack.parameters.insert("GoogleClientId".to_owned(), client);
    stack.parameters.insert("GoogleSecretName".to_owned(), secret);
    let without = Condition::Equals(parameter("GoogleClientId"), Value::from(""));
    stack.conditions.insert("WithGoogle".to_owned(), Condition::Not([Box::new(without)]));
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
        .self_sign_up(true)
        .username_attributes([UsernameAttribute::Email])
        .auto_verified_attributes([VerifiedAttribute::Email])
        .password_policy(password)
        .account_recovery(AccountRecovery::EmailOnly)
        .domain(Domain::Prefix(Value::Sub("federated-${AWS::AccountId}".to_owned())))
        .removal(DataRemoval::Destroy)
}

fn google(users: &Ref<UserPool>) -> IdentityProvider {
    let secret = SecretText::existing(parameter("GoogleSecretName")).key("clientSecret");
    let google = Social::new(parameter("GoogleClientId"), secret, ["openid", "email", "profile"]);
    IdentityProvider::google(users, google)
        .condition("WithGoogle")
        .attribute("email", "email")
        .attribute("name", "name")
}

/// Without a secret, since a page cannot keep one: it exchanges its code with PKCE.
fn web(users: &Ref<UserPool>, google: &Ref<IdentityProvider>) -> UserPoolClient {
    UserPoolClient::new(users)
        .allowed_oauth_flows([OAuthFlow::Code])
        .allowed_oauth_scopes(["openid", "email", "profile"].map(str::to_owned))
        .callback_urls([Value::Sub("${AppOrigin}/callback".to_owned())])
        .logout_urls([Value::Sub("${AppOrigin}/".to_owned())])
        .identity_providers([Voucher::cognito(), Voucher::from(google)])
}

fn basic_api(authorizer: &Ref<Function>, hello: &Ref<Function>) -> RestApi {
    let cors = Cors::default()
        .allow_origins([parameter("AppOrigin")])
        .allow_headers(["Authorization".to_owned()])
        .max_age(600);
    RestApi::default()
        .name("basicAPI")
        .authorizer("Token", TokenAuthorizer::new(authorizer))
        .authorizer("Request", RequestAuthorizer::new(authorizer, ["method.request.header.Authorization"]))
        .route("GET /", apigateway::Route::new(hello).authorizer("Token"))
        .route("GET /request", apigateway::Route::new(hello).authorizer("Request"))
        .cors(cors)
        .only_stage("prod", apigateway::Stage::default().logging_level(LoggingLevel::Error))
        .cloud_watch_role(CloudWatchRole::Destroy)
}

fn simple_api(authorizer: &Ref<Function>, hello: &Ref<Function>) -> HttpApi {
    let members = LambdaAuthorizer::new(authorizer, ["$request.header.Authorization"])
        .enable_simple_responses()
        .authorizer_result_ttl_in_seconds(300);
    let cors = Cors::default()
        .allow_origins([parameter("AppOrigin")])
        .allow_methods(["GET".to_owned()])
        .allow_headers(["authorization".to_owned()])
        .max_age(600);
    HttpApi::default()
        .name("simpleAPI")
        .authorizer("Members", members)
        .route("GET /", apigatewayv2::Route::new(hello).authorizer("Members"))
        .cors(cors)
}

/// Findings of checkov and cdk-nag that are as they should be.
fn suppress(stack: &mut Stack) {
    findings::accept(stack, findings::FUNCTIONS);
    findings::accept(stack, findings::ENVIRONMENT);
    findings::accept(stack, findings::LOGS);
    findings::accept(stack, findings::REST_APIS);
    findings::accept(stack, findings::USERS);
    let validators = "Each route has the validator that its own parameters and models need.";
    stack.suppress("AwsSolutions-APIG2", Suppression::new(["BasicApi"], validators));
    let verified = "A function decides instead, which verifies the user pool's tokens itself.";
    stack.suppress("AwsSolutions-COG4", Suppression::new(["BasicApiGet", "BasicApiGetRequest"], verified));
}
