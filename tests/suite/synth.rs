//! Stacks and their templates.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use stackgen::model::apigatewayv2::{
    Cors, CustomDomain, HttpApi, JwtAuthorizer, PayloadFormat, Route, Stage, Throttle,
};
use stackgen::model::cognito::{
    AccountRecovery, AdvancedSecurity, AliasAttribute, Apple, AttributeType, AuthFlow, CustomAttribute,
    CustomUserPoolDomain, DeviceConfiguration, Domain, Email, Facebook, Group, IdentityProvider, InviteMessage,
    LambdaConfig, Mfa, MfaMethod, OAuthFlow, Oidc, PasswordPolicy, ResourceServer, Saml, Sms, Social, Standard,
    StandardAttribute, Tier, UserPool, UserPoolClient, UsernameAttribute, VerificationMessage, VerifiedAttribute,
    Voucher,
};
use stackgen::model::duration::Duration;
use stackgen::model::dynamodb::{
    Encryption, GlobalIndex, Key, LocalIndex, MaximumThroughput, Projection, StreamView, Table, TableClass, Throughput,
};
use stackgen::model::iam::Statement;
use stackgen::model::lambda::{Access, Architecture, Function, Grant};
use stackgen::model::raw::{Condition, Output, Override, Parameter, RawResource};
use stackgen::model::secretsmanager::{Generate, Secret, SecretText};
use stackgen::model::ses::{EmailIdentity, MxFailure, SigningKeyLength};
use stackgen::model::value::ApiUrl;
use stackgen::model::{CrossStack, Json, Ref, Stack, Value};
use stackgen::synth::{Error, synthesize};
use stackgen::template::Template;

use crate::stacks::protected_api;
use crate::{stacks, tools};

fn template(stack: &Stack) -> Template {
    synthesize("test", stack).expect("the test's stack is sound")
}

fn property(template: &Template, id: &str, path: &str) -> Json {
    let resource = template.resources.get(id).unwrap_or_else(|| panic!("no `{id}` in {:?}", template.resources.keys()));
    json!(resource.properties).pointer(path).cloned().unwrap_or(Json::Null)
}

/// A pool, a client, a function and an API with one protected route.
fn protected() -> Stack {
    protected_api::stack()
}

#[test]
fn templates_that_are_checked_in_are_those_of_the_stacks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stacks: Vec<PathBuf> = fs::read_dir(root.join("stacks"))
        .expect("the stacks are there")
        .map(|entry| entry.expect("the stacks are readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    assert!(!stacks.is_empty());
    for path in stacks {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read(&path).expect("the stack is readable");
        let stack = stackgen::spec::read(&path.to_string_lossy(), &text).expect("our stacks are sound");
        let synthesized = synthesize(&name, &stack).expect("our stacks are sound").to_json();
        let kept = root.join(format!("tests/templates/{name}.json"));
        snapbox::assert_data_eq!(synthesized, snapbox::Data::read_from(&kept, None).raw());
    }
}

#[test]
fn yaml_and_rust_give_the_same_bytes() {
    for (name, built) in stacks::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("stacks/{name}.yaml"));
        let yaml = fs::read(&path).expect("the stack is readable");
        let read = stackgen::spec::read(name, &yaml).expect("the stack is sound");
        assert_eq!(template(&read).to_json(), template(&built()).to_json(), "{name}");
    }
}

#[test]
fn a_protected_route_names_its_authorizer_and_a_public_one_says_none() {
    let mut stack = protected();
    let function: Ref<Function> = Ref::new("Protected");
    let api = stack.http_apis.get_mut("Api").expect("the API is there");
    api.routes.insert("GET /health".to_owned(), Route::new(&function).public());
    let template = template(&stack);
    assert_eq!(property(&template, "ApiGetProtected", "/AuthorizationType"), "JWT");
    assert_eq!(property(&template, "ApiGetProtected", "/AuthorizerId"), json!({ "Ref": "ApiMembersAuthorizer" }));
    assert_eq!(property(&template, "ApiGetHealth", "/AuthorizationType"), "NONE");
    assert_eq!(property(&template, "ApiGetHealth", "/AuthorizerId"), Json::Null);
}

#[test]
fn one_permission_serves_all_routes_of_a_function() {
    let mut stack = Stack::default();
    let function = stack.add("F", Function::from_crate("functions/f"));
    let routes =
        (0..50).fold(HttpApi::default(), |api, n| api.route(format!("GET /r{n}"), Route::new(&function).public()));
    stack.add("Api", routes);
    let template = template(&stack);
    let count = |kind: &str| template.resources.values().filter(|resource| resource.resource_type == kind).count();
    assert_eq!(count("AWS::Lambda::Permission"), 1);
    assert_eq!(count("AWS::ApiGatewayV2::Integration"), 1);
    assert_eq!(count("AWS::ApiGatewayV2::Route"), 50);
    let source = property(&template, "ApiFPermission", "/SourceArn/Fn::Sub");
    assert_eq!(source, "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*");
}

#[test]
fn a_function_may_write_its_own_log_and_what_is_declared_and_nothing_else() {
    let mut stack = Stack::default();
    let read = Statement::allow(["dynamodb:GetItem"], ["arn:aws:dynamodb:us-east-1:000000000000:table/notes"]);
    stack.add("F", Function::from_crate("functions/f").policy(read));
    let template = template(&stack);
    let statements = property(&template, "FRole", "/Policies/0/PolicyDocument/Statement");
    let actions: Vec<_> = statements.as_array().into_iter().flatten().map(|statement| &statement["Action"]).collect();
    assert_eq!(json!(actions), json!([["logs:CreateLogStream", "logs:PutLogEvents"], ["dynamodb:GetItem"]]));
    assert_eq!(statements[0]["Resource"], json!({ "Fn::GetAtt": ["FLogGroup", "Arn"] }));
    assert_eq!(property(&template, "FRole", "/ManagedPolicyArns"), Json::Null);
    assert_eq!(property(&template, "F", "/LoggingConfig/LogGroup"), json!({ "Ref": "FLogGroup" }));
}

#[test]
fn no_generated_policy_allows_everything() {
    let text = template(&protected()).to_json();
    assert!(!text.contains("\"*\""), "{text}");
}

#[test]
fn code_enters_by_parameters() {
    let template = template(&protected());
    assert_eq!(property(&template, "Protected", "/Code/S3Key"), json!({ "Ref": "ProtectedCodeKey" }));
    assert_eq!(template.parameters["ProtectedCodeKey"].default, None);
    assert_eq!(template.parameters["AssetBucket"].default, Some(json!("")));
}

#[test]
fn a_throttled_route_exists_before_the_stage_that_names_it() {
    let mut stack = Stack::default();
    let function = stack.add("F", Function::from_crate("functions/f"));
    let route = Route::new(&function).public().throttle(Throttle::new(5.0, 10));
    stack.add("Api", HttpApi::default().route("GET /slow", route));
    let template = template(&stack);
    let settings = property(&template, "ApiDefaultStage", "/RouteSettings");
    assert_eq!(settings, json!({ "GET /slow": { "ThrottlingBurstLimit": 10, "ThrottlingRateLimit": 5.0 } }));
    assert!(template.resources["ApiDefaultStage"].depends_on.contains("ApiGetSlow"));
}

#[test]
fn access_logs_never_hold_tokens() {
    let template = template(&protected());
    let format = property(&template, "ApiDefaultStage", "/AccessLogSettings/Format");
    let format = format.as_str().expect("logs are on by default");
    assert!(format.contains("$context.requestId") && !format.to_lowercase().contains("header"), "{format}");
}

#[test]
fn a_client_waits_for_the_scopes_that_it_asks_for() {
    let mut stack = Stack::default();
    let server = ResourceServer::default().scope("read", "Read orders");
    let users = UserPool::default().resource_server("orders", server).domain(Domain::Prefix("orders-of-all".into()));
    let pool = stack.add("Users", users);
    let client = UserPoolClient::new(&pool)
        .generate_secret(true)
        .allowed_oauth_flows([OAuthFlow::ClientCredentials])
        .allowed_oauth_scopes(["orders/read".to_owned()]);
    stack.add("Machine", client);
    let template = template(&stack);
    assert!(template.resources["Machine"].depends_on.contains("UsersOrdersResourceServer"));
    assert_eq!(property(&template, "Machine", "/AllowedOAuthFlowsUserPoolClient"), true);
    assert_eq!(property(&template, "Users", "/AdminCreateUserConfig/AllowAdminCreateUserOnly"), true);
}

#[test]
fn a_trigger_may_be_invoked_by_its_pool_only() {
    let mut stack = Stack::default();
    let greeter = stack.add("Greeter", Function::from_crate("functions/greeter"));
    stack.add("Users", UserPool::default().lambda_config(LambdaConfig::default().pre_sign_up(greeter.arn())));
    let template = template(&stack);
    assert_eq!(property(&template, "UsersGreeterPermission", "/Principal"), "cognito-idp.amazonaws.com");
    assert_eq!(property(&template, "UsersGreeterPermission", "/SourceArn"), json!({ "Fn::GetAtt": ["Users", "Arn"] }));
    assert_eq!(property(&template, "Users", "/LambdaConfig/PreSignUp"), json!({ "Fn::GetAtt": ["Greeter", "Arn"] }));
}

#[test]
fn other_stacks_are_imported_by_stack_and_output() {
    let mut stack = Stack::default();
    let function = stack.add("F", Function::from_crate("functions/f"));
    let pool: Ref<UserPool> = Ref::output(CrossStack::new("identity", "userPoolId"));
    let client: Ref<UserPoolClient> = Ref::output(CrossStack::new("identity", "clientId"));
    let api = HttpApi::default()
        .authorizer("Members", JwtAuthorizer::pool(pool, [client]))
        .route("GET /", Route::new(&function).authorizer("Members"));
    stack.add("Api", api);
    let template = template(&stack);
    let audience = property(&template, "ApiMembersAuthorizer", "/JwtConfiguration/Audience/0");
    assert_eq!(audience, json!({ "Fn::ImportValue": "identity:clientId" }));
    let issuer = property(&template, "ApiMembersAuthorizer", "/JwtConfiguration/Issuer/Fn::Sub/1/Pool");
    assert_eq!(issuer, json!({ "Fn::ImportValue": "identity:userPoolId" }));
}

#[test]
fn outputs_are_exported_under_the_stacks_name() {
    let template = template(&protected());
    let export = template.outputs["userPoolId"].export.as_ref().map(|export| &export.name);
    assert_eq!(export, Some(&json!({ "Fn::Sub": "${AWS::StackName}:userPoolId" })));
}

#[test]
fn overrides_reach_what_is_derived() {
    let mut stack = protected();
    let mut change = Override::default();
    change.properties.insert("MaxSessionDuration".to_owned(), json!(7200));
    change.properties.insert("Policies".to_owned(), Json::Null);
    stack.overrides.insert("ProtectedRole".to_owned(), change);
    let mut deeper = Override::default();
    deeper.properties.insert("AdminCreateUserConfig".to_owned(), json!({ "AllowAdminCreateUserOnly": true }));
    stack.overrides.insert("Users".to_owned(), deeper);
    let template = template(&stack);
    assert_eq!(property(&template, "ProtectedRole", "/MaxSessionDuration"), 7200);
    assert_eq!(property(&template, "ProtectedRole", "/Policies"), Json::Null);
    assert_eq!(property(&template, "Users", "/AdminCreateUserConfig/AllowAdminCreateUserOnly"), true);
    assert_eq!(property(&template, "Users", "/UserPoolName"), "my-user-pool");
}

#[test]
fn limits_are_refused_by_name() {
    let mut stack = Stack::default();
    for n in 0..501 {
        stack.resources.insert(format!("Queue{n}"), RawResource::new("AWS::SQS::Queue"));
    }
    let Err(Error::Template { problems, .. }) = synthesize("test", &stack) else {
        panic!("501 resources are too many")
    };
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["501 resources, where CloudFormation takes 500 at most"]);
}

#[test]
fn synthesis_twice_is_equal() {
    assert_eq!(template(&protected()).to_json(), template(&protected()).to_json());
}

/// The statements of a function's role after the one about its log.
fn granted(stack: &Stack, function: &str) -> Vec<Json> {
    let statements = property(&template(stack), &format!("{function}Role"), "/Policies/0/PolicyDocument/Statement");
    statements.as_array().into_iter().flatten().skip(1).cloned().collect()
}

fn notes() -> Table {
    Table::new(Key::string("userId")).sort_key(Key::string("noteId"))
}

#[test]
fn a_table_is_paid_by_the_request_kept_and_recoverable_unless_it_says_otherwise() {
    let mut stack = Stack::default();
    stack.add("Notes", notes());
    let template = template(&stack);
    let expected = json!({
        "AttributeDefinitions": [
            { "AttributeName": "noteId", "AttributeType": "S" },
            { "AttributeName": "userId", "AttributeType": "S" },
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": false,
        "KeySchema": [
            { "AttributeName": "userId", "KeyType": "HASH" },
            { "AttributeName": "noteId", "KeyType": "RANGE" },
        ],
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
    });
    assert_eq!(property(&template, "Notes", ""), expected);
    assert_eq!(template.resources["Notes"].deletion_policy, Some(stackgen::template::Removal::Retain));
}

#[test]
fn an_attribute_of_several_keys_is_defined_once() {
    let mut stack = Stack::default();
    let by_note = GlobalIndex::new(Key::string("noteId")).sort_key(Key::number("at")).projection(Projection::KeysOnly);
    let by_time = LocalIndex::new(Key::number("at"));
    stack.add("Notes", notes().global_index("ByNote", by_note).local_index("ByTime", by_time));
    let template = template(&stack);
    let names = property(&template, "Notes", "/AttributeDefinitions");
    let names: Vec<_> = names.as_array().into_iter().flatten().map(|it| &it["AttributeName"]).collect();
    assert_eq!(json!(names), json!(["at", "noteId", "userId"]));
    let local = property(&template, "Notes", "/LocalSecondaryIndexes/0/KeySchema/0/AttributeName");
    assert_eq!(local, "userId", "a local index has the table's own partition key");
}

#[test]
fn a_grant_is_the_exact_actions_on_the_exact_table() {
    let mut stack = Stack::default();
    let table = stack.add("Notes", notes());
    let get = Function::from_crate("functions/notes").grant(Grant::table(&table, Access::Get));
    stack.add("GetNote", get);
    let arn = json!({ "Fn::GetAtt": ["Notes", "Arn"] });
    let expected = json!([{ "Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": [arn] }]);
    assert_eq!(json!(granted(&stack, "GetNote")), expected);
    let variables = property(&template(&stack), "GetNote", "/Environment/Variables");
    assert_eq!(variables, json!({ "NOTES_TABLE": { "Ref": "Notes" } }));
}

#[test]
fn indexes_are_granted_only_to_what_can_use_them() {
    let mut stack = Stack::default();
    let table = notes().global_index("ByNote", GlobalIndex::new(Key::string("noteId")));
    let table = stack.add("Notes", table);
    let function = |access: &[Access]| {
        let grants = access.iter().map(|one| Grant::table(&table, *one).variable("TABLE"));
        grants.fold(Function::from_crate("functions/notes"), Function::grant)
    };
    stack.add("Writer", function(&[Access::Write]));
    stack.add("Reader", function(&[Access::Read]));
    assert_eq!(granted(&stack, "Writer").len(), 1);
    let index = json!({ "Fn::Sub": "${Notes.Arn}/index/ByNote" });
    let reader = granted(&stack, "Reader");
    assert_eq!(reader[1]["Resource"], json!([index]));
    assert_eq!(reader[1]["Action"], json!(["dynamodb:Query", "dynamodb:Scan"]));
}

#[test]
fn a_grant_covers_the_key_and_only_through_its_service() {
    let mut stack = Stack::default();
    let arn = "arn:aws:kms:us-east-1:000000000000:key/6f3b2d1e-0a4c-4a7e-9d25-7c2f8b1f9f10";
    let table = stack.add("Notes", notes().encryption(Encryption::Key(arn.into())));
    let secret = stack.add("ApiToken", Secret::generated(Generate::new(48)).kms_key(arn));
    let function = Function::from_crate("functions/notes")
        .grant(Grant::table(&table, Access::ReadWrite))
        .grant(Grant::secret(&secret, Access::Read));
    stack.add("Both", function);
    let statements = granted(&stack, "Both");
    let through = |statement: &Json| statement["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Sub"].clone();
    assert_eq!(statements[1]["Resource"], json!([arn]));
    assert_eq!(through(&statements[1]), "dynamodb.${AWS::Region}.${AWS::URLSuffix}");
    assert_eq!(statements[3]["Action"], json!(["kms:Decrypt", "kms:DescribeKey"]));
    assert_eq!(through(&statements[3]), "secretsmanager.${AWS::Region}.${AWS::URLSuffix}");
}

#[test]
fn a_secret_is_named_by_its_arn() {
    let mut stack = Stack::default();
    let secret = stack.add("ApiToken", Secret::generated(Generate::new(48)));
    let own = Function::from_crate("functions/token-authorizer").grant(Grant::secret(&secret, Access::Read));
    stack.add("Own", own);
    let arn = json!({ "Fn::GetAtt": ["ApiToken", "Id"] });
    let read = json!([{ "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": [arn] }]);
    assert_eq!(json!(granted(&stack, "Own")), read);
    let told = property(&template(&stack), "Own", "/Environment/Variables");
    assert_eq!(told, json!({ "API_TOKEN_SECRET": arn }));
}

#[test]
fn mail_is_sent_from_one_address() {
    let mut stack = Stack::default();
    let sender = stack.add("Sender", EmailIdentity::new("sender@example.com"));
    let function = Function::from_crate("functions/send-email").grant(Grant::email_identity(&sender, Access::Send));
    stack.add("Mailer", function);
    let expected = json!([{
        "Effect": "Allow",
        "Action": ["ses:SendEmail"],
        "Resource": [{ "Fn::Sub": "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/${Sender}" }],
        "Condition": { "StringEquals": { "ses:FromAddress": { "Ref": "Sender" } } },
    }]);
    assert_eq!(json!(granted(&stack, "Mailer")), expected);
    assert_eq!(
        property(&template(&stack), "Mailer", "/Environment/Variables/SENDER_IDENTITY"),
        json!({ "Ref": "Sender" })
    );
}

#[test]
fn what_another_stack_holds_can_be_granted() {
    let mut stack = Stack::default();
    let table: Ref<Table> = Ref::output(CrossStack::new("storage", "notesTable"));
    let function = Function::from_crate("functions/notes").grant(Grant::table(table, Access::Read));
    stack.add("Reader", function);
    let resource = &granted(&stack, "Reader")[0]["Resource"][0]["Fn::Sub"];
    assert_eq!(resource[0], "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Name}");
    assert_eq!(resource[1]["Name"], json!({ "Fn::ImportValue": "storage:notesTable" }));
    let variable = property(&template(&stack), "Reader", "/Environment/Variables/NOTES_TABLE_TABLE");
    assert_eq!(variable, json!({ "Fn::ImportValue": "storage:notesTable" }));
}

#[test]
fn no_grant_allows_everything() {
    let text = template(&everything()).to_json();
    let resources = text.matches("\"*\"").count();
    assert_eq!(resources, 1, "only X-Ray has no narrower resource:\n{text}");
}

#[test]
fn a_client_secret_enters_the_template_by_reference() {
    let mut stack = Stack::default();
    let users = stack.add("Users", UserPool::default().domain(Domain::Prefix("notes-of-all".into())));
    let secret = SecretText::existing(Value::Ref("SecretName".to_owned())).key("clientSecret");
    stack.parameters.insert("SecretName".to_owned(), Parameter::default());
    let google = Social::new("client-id", secret, ["openid", "email"]);
    let google = stack.add("Search", IdentityProvider::google(&users, google).attribute("email", "email"));
    let client = UserPoolClient::new(&users)
        .identity_providers([Voucher::cognito(), Voucher::from(&google)])
        .allowed_oauth_flows([OAuthFlow::Code])
        .allowed_oauth_scopes(["openid".to_owned()])
        .callback_urls([Value::from("https://example.com/")]);
    stack.add("Web", client);
    let template = template(&stack);
    let details = property(&template, "Search", "/ProviderDetails");
    let reference = "{{resolve:secretsmanager:${SecretName}:SecretString:clientSecret}}";
    assert_eq!(details["client_secret"], json!({ "Fn::Sub": reference }));
    assert_eq!(details["authorize_scopes"], "openid email");
    assert_eq!(property(&template, "Web", "/SupportedIdentityProviders"), json!(["COGNITO", "Google"]));
    assert!(template.resources["Web"].depends_on.contains("Search"));
}

#[test]
fn a_client_goes_without_a_provider_that_is_switched_off() {
    let template = template(&everything());
    let vouchers = property(&template, "Web", "/SupportedIdentityProviders");
    let named = json!({ "Fn::Select": [0, ["Google", { "Ref": "Google" }]] });
    let google = json!({ "Fn::If": ["IsProd", named, { "Ref": "AWS::NoValue" }] });
    assert!(vouchers.as_array().is_some_and(|all| all.contains(&google)), "{vouchers}");
    assert_eq!(template.resources["Google"].condition.as_deref(), Some("IsProd"));
}

/// A stack with everything that the model offers, so that each part of it is looked at by others.
fn everything() -> Stack {
    let mut stack = Stack::default().description("Everything at once.");
    stack.tags.insert("team".to_owned(), "api".to_owned());
    stack.parameters.insert(
        "Stage".to_owned(),
        Parameter::default().default_value("dev").allowed_values(["dev", "prod"].map(str::to_owned)),
    );
    stack
        .conditions
        .insert("IsProd".to_owned(), Condition::Equals(Value::Ref("Stage".to_owned()), Value::from("prod")));
    let greeter = stack.add("Greeter", Function::from_crate("functions/greeter").timeout(5));
    let users = stack.add("Users", every_pool_option(&greeter));
    let providers = every_provider(&mut stack, &users);
    let web = stack.add("Web", every_client_option(&users).identity_providers(providers));
    let machine = UserPoolClient::new(&users)
        .generate_secret(true)
        .allowed_oauth_flows([OAuthFlow::ClientCredentials])
        .allowed_oauth_scopes(["orders/read".to_owned()]);
    stack.add("Machine", machine);
    let grants = every_grant(&mut stack, &users);
    let orders = stack.add("Orders", every_function_option(&users).grants(grants));
    stack.add("Api", every_api_option(&users, &web, &orders));
    stack.output("userPoolId", Output::from(&users).description("The pool."));
    let mut beta = Output::from(Value::Url(ApiUrl { api: "Api".to_owned(), stage: "beta".to_owned() }));
    beta.condition = Some("IsProd".to_owned());
    stack.output("betaUrl", beta);
    stack
}

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/6f3b2d1e-0a4c-4a7e-9d25-7c2f8b1f9f10";

fn every_provider(stack: &mut Stack, users: &Ref<UserPool>) -> Vec<Voucher> {
    let generate = Generate { exclude_punctuation: true, ..Generate::new(64) }
        .secret_string_template("{\"user\": \"orders\"}")
        .generate_string_key("password");
    let secret = stack.add("ApiToken", Secret::generated(generate).name("orders/token").kms_key(KEY));
    let named = || SecretText::existing("orders/google").key("secret");
    let google = Social::new("google-id", named(), ["openid", "email", "profile"]);
    let facebook = Facebook {
        client_id: "facebook-id".into(),
        client_secret: SecretText::of(&secret).key("password"),
        scopes: vec!["public_profile".to_owned(), "email".to_owned()],
        api_version: Some("v17.0".to_owned()),
    };
    let apple = Apple {
        client_id: "com.example.orders".into(),
        team_id: "TEAM123456".into(),
        key_id: "KEY1234567".into(),
        private_key: named(),
        scopes: vec!["email".to_owned(), "name".to_owned()],
    };
    let saml = Saml::default().metadata_url("https://login.example.com/saml").idp_signout(true).signed_requests(true);
    let oidc = Oidc::new("orders", "https://login.example.com", ["openid", "email"]).client_secret(named());
    let providers = [
        ("Google", IdentityProvider::google(users, google).condition("IsProd")),
        ("Facebook", IdentityProvider::facebook(users, facebook)),
        ("Amazon", IdentityProvider::amazon(users, Social::new("amazon-id", named(), ["profile"]))),
        ("Apple", IdentityProvider::apple(users, apple)),
        ("Corp", IdentityProvider::saml(users, saml).name("CorpSso").idp_identifiers(["example.com".to_owned()])),
        ("Partner", IdentityProvider::oidc(users, oidc)),
    ];
    let add = |(id, provider): (&str, IdentityProvider)| {
        Voucher::from(&stack.add(id, provider.attribute("email", "email").attribute("given_name", "given_name")))
    };
    let vouchers: Vec<Voucher> = providers.into_iter().map(add).collect();
    std::iter::once(Voucher::cognito()).chain(vouchers).collect()
}

fn every_table_option() -> Table {
    let by_day = GlobalIndex::new(Key::string("day"))
        .sort_key(Key::number("at"))
        .projection(Projection::Include(vec!["total".to_owned()]))
        .on_demand_throughput(MaximumThroughput::default().max_read_request_units(50));
    Table::new(Key::string("customer"))
        .table_name("orders")
        .sort_key(Key::binary("order"))
        .global_index("ByDay", by_day)
        .local_index("ByTime", LocalIndex::new(Key::number("at")).projection(Projection::KeysOnly))
        .on_demand_throughput(MaximumThroughput::default().max_read_request_units(100).max_write_request_units(50))
        .time_to_live_attribute("expiresAt")
        .stream(StreamView::NewAndOldImages)
        .encryption(Encryption::Key(KEY.into()))
        .deletion_protection_enabled(true)
        .table_class(TableClass::StandardInfrequentAccess)
        .contributor_insights(true)
        .tags([("team".to_owned(), "orders".to_owned())])
}

fn every_grant(stack: &mut Stack, users: &Ref<UserPool>) -> Vec<Grant> {
    let orders = stack.add("OrderTable", every_table_option());
    let counted = Table::new(Key::string("day"))
        .provisioned_throughput(Throughput::new(5, 5))
        .encryption(Encryption::AwsManaged)
        .global_index("ByCount", GlobalIndex::new(Key::number("count")).provisioned_throughput(Throughput::new(1, 1)));
    let counted = stack.add("Counted", counted);
    let sender = EmailIdentity::new("example.com")
        .dkim_signing_enabled(true)
        .next_signing_key_length(SigningKeyLength::Rsa2048)
        .mail_from_domain("mail.example.com")
        .behavior_on_mx_failure(MxFailure::RejectMessage)
        .email_forwarding_enabled(true)
        .configuration_set("orders");
    let sender = stack.add("Sender", sender);
    let token: Ref<Secret> = Ref::new("ApiToken");
    vec![
        Grant::table(&orders, Access::ReadWrite),
        Grant::table(&counted, [Access::Get, Access::Update]),
        Grant::secret(&token, Access::Read),
        Grant::email_identity(&sender, Access::Send),
        Grant::user_pool(users, Access::Manage).variable("POOL"),
    ]
}

fn every_pool_option(greeter: &Ref<Function>) -> UserPool {
    let mut pool = UserPool::default()
        .user_pool_name("everything")
        .self_sign_up(true)
        .username_attributes([UsernameAttribute::Email])
        .auto_verified_attributes([VerifiedAttribute::Email, VerifiedAttribute::PhoneNumber])
        .verify_before_update([VerifiedAttribute::Email])
        .password_policy(PasswordPolicy { require_numbers: true, ..PasswordPolicy::new(12) })
        .account_recovery(AccountRecovery::EmailThenPhone)
        .mfa(Mfa::Optional)
        .mfa_methods([MfaMethod::SoftwareToken, MfaMethod::Sms])
        .lambda_config(LambdaConfig::default().pre_sign_up(greeter.arn()).post_confirmation(greeter.arn()))
        .email(Email::default().reply_to_email_address("help@example.com"))
        .verification_message(
            VerificationMessage::default().email_subject("Welcome").email_message("Your code is {####}"),
        )
        .invite_message(
            InviteMessage::default().email_subject("Join").email_message("{username}, your password is {####}"),
        )
        .sms_authentication_message("Your code is {####}")
        .device_configuration(DeviceConfiguration::default().challenge_required_on_new_device(true))
        .user_pool_tier(Tier::Plus)
        .advanced_security(AdvancedSecurity::Audit)
        .deletion_protection(true)
        .group("admins", Group::default().description("May do more.").precedence(1u32))
        .domain(Domain::Prefix("everything-at-once".into()))
        .resource_server(
            "orders",
            ResourceServer::default().scope("read", "Read orders").scope("write", "Write orders"),
        );
    pool.standard_attributes.insert(StandardAttribute::GivenName, Standard::default());
    pool.custom_attributes.insert("plan".to_owned(), CustomAttribute::default().max_length(20));
    pool.custom_attributes.insert(
        "seats".to_owned(),
        CustomAttribute { kind: AttributeType::Number, ..CustomAttribute::default() }.max_value(99),
    );
    pool
}

fn every_client_option(users: &Ref<UserPool>) -> UserPoolClient {
    UserPoolClient::new(users)
        .client_name("web")
        .auth_flows([AuthFlow::UserSrp])
        .allowed_oauth_flows([OAuthFlow::Code])
        .allowed_oauth_scopes(["openid", "orders/read"].map(str::to_owned))
        .callback_urls([Value::from("https://example.com/callback"), Value::from("http://localhost:3000/callback")])
        .logout_urls([Value::from("https://example.com/goodbye")])
        .access_token_validity(Duration::minutes(30))
        .refresh_token_validity(Duration::days(7))
        .auth_session_validity(5)
}

fn every_function_option(users: &Ref<UserPool>) -> Function {
    Function::from_crate("functions/orders")
        .description("Answers about orders.")
        .memory_size(512)
        .timeout(20)
        .architecture(Architecture::Arm64)
        .variable("USER_POOL", users)
        .variable("STAGE", Value::Ref("Stage".to_owned()))
        .ephemeral_storage(1_024)
        .reserved_concurrent_executions(5)
        .log_retention_days(90)
        .tracing(true)
        .policy(Statement::allow(
            ["s3:GetObject"],
            [Value::Sub("arn:${AWS::Partition}:s3:::orders-${AWS::AccountId}/*".to_owned())],
        ))
}

fn every_api_option(users: &Ref<UserPool>, web: &Ref<UserPoolClient>, orders: &Ref<Function>) -> HttpApi {
    let cors = Cors::default()
        .allow_origins([Value::from("https://example.com")])
        .allow_methods(["GET", "POST"].map(str::to_owned))
        .allow_headers(["authorization".to_owned()])
        .max_age(600);
    let read = Route::new(orders).authorizer("Members").scopes(["orders/read".to_owned()]);
    HttpApi::default()
        .name("everything")
        .cors(cors)
        .authorizer("Members", JwtAuthorizer::pool(users, [web]))
        .authorizer("Partners", JwtAuthorizer::trusting("https://login.example.com/", ["orders"]))
        .route("GET /orders/{id}", read)
        .route("POST /orders", Route::new(orders).authorizer("Partners").timeout_in_millis(5_000))
        .route(
            "GET /health",
            Route::new(orders).public().throttle(Throttle::new(5.0, 10)).payload_format(PayloadFormat::V1),
        )
        .stage("beta", Stage::default().throttle(Throttle::new(50.0, 100)))
        .custom_domain(CustomDomain {
            name: "api.example.com".into(),
            certificate_arn: "arn:aws:acm:us-east-1:000000000000:certificate/6f3b2d1e-0a4c-4a7e-9d25-7c2f8b1f9f10"
                .into(),
            mapping: Some("orders".to_owned()),
            stage: None,
        })
}

/// What a stack cannot have beside the other choice that [`everything`] has made.
fn otherwise() -> Stack {
    let mut stack = Stack::default();
    let role = "arn:aws:iam::000000000000:role/messages";
    let sms = Sms::default().sns_caller_arn(role).external_id("members").sns_region("eu-west-1");
    let domain = CustomUserPoolDomain {
        name: "login.example.com".into(),
        certificate_arn: "arn:aws:acm:us-east-1:000000000000:certificate/6f3b2d1e-0a4c-4a7e-9d25-7c2f8b1f9f10".into(),
    };
    let members = UserPool::default()
        .alias_attributes([AliasAttribute::Email, AliasAttribute::PreferredUsername])
        .sms(sms)
        .domain(Domain::Custom(domain))
        .user_pool_tags([("team".to_owned(), "members".to_owned())]);
    let members = stack.add("Members", members);
    let web = UserPoolClient::new(&members)
        .read_attributes(["email", "given_name"].map(str::to_owned))
        .write_attributes(["given_name".to_owned()]);
    stack.add("Web", web);
    let layered = Function::from_zip("orders.zip")
        .layers([Value::from("arn:aws:lambda:us-east-1:000000000000:layer:tools:3")])
        .managed_policies([Value::from("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")]);
    stack.add("Orders", layered);
    stack
}

#[test]
fn a_pool_sends_text_messages_with_the_role_that_it_is_given() {
    let given = template(&otherwise());
    let sms = property(&given, "Members", "/SmsConfiguration");
    let role = "arn:aws:iam::000000000000:role/messages";
    assert_eq!(sms, json!({ "ExternalId": "members", "SnsCallerArn": role, "SnsRegion": "eu-west-1" }));
    assert!(!given.resources.contains_key("MembersSmsRole"));

    let mut stack = Stack::default();
    stack.add("Members", UserPool::default().sms(Sms::default().external_id("members").sns_region("eu-west-1")));
    let derived = template(&stack);
    let role = json!({ "Fn::GetAtt": ["MembersSmsRole", "Arn"] });
    let sms = property(&derived, "Members", "/SmsConfiguration");
    assert_eq!(sms, json!({ "ExternalId": "members", "SnsCallerArn": role, "SnsRegion": "eu-west-1" }));
    let asked = property(&derived, "MembersSmsRole", "/AssumeRolePolicyDocument/Statement/0/Condition");
    assert_eq!(asked, json!({ "StringEquals": { "sts:ExternalId": "members" } }));
}

#[test]
fn a_pool_may_have_its_pages_at_a_domain_of_its_own() {
    let expected = json!({
        "CustomDomainConfig": {
            "CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/6f3b2d1e-0a4c-4a7e-9d25-7c2f8b1f9f10",
        },
        "Domain": "login.example.com",
        "UserPoolId": { "Ref": "Members" },
    });
    assert_eq!(property(&template(&otherwise()), "MembersDomain", ""), expected);
}

#[test]
fn names_to_sign_in_with_and_tags_are_those_of_the_pool() {
    let template = template(&otherwise());
    assert_eq!(property(&template, "Members", "/AliasAttributes"), json!(["email", "preferred_username"]));
    assert_eq!(property(&template, "Members", "/UsernameAttributes"), Json::Null);
    assert_eq!(property(&template, "Members", "/UserPoolTags"), json!({ "team": "members" }));
}

#[test]
fn a_client_reads_and_writes_the_attributes_that_are_named() {
    let template = template(&otherwise());
    assert_eq!(property(&template, "Web", "/ReadAttributes"), json!(["email", "given_name"]));
    assert_eq!(property(&template, "Web", "/WriteAttributes"), json!(["given_name"]));
}

#[test]
fn layers_belong_to_a_function_and_managed_policies_to_its_role() {
    let template = template(&otherwise());
    let layers = property(&template, "Orders", "/Layers");
    assert_eq!(layers, json!(["arn:aws:lambda:us-east-1:000000000000:layer:tools:3"]));
    let policies = property(&template, "OrdersRole", "/ManagedPolicyArns");
    assert_eq!(policies, json!(["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]));
}

#[test]
fn cfn_lint_has_nothing_to_say() {
    let ours = stacks::ALL.map(|(name, stack)| (name, stack()));
    let all = ours.into_iter().chain([("everything", everything()), ("otherwise", otherwise())]);
    tools::lint(all.map(|(name, stack)| (name, template(&stack))));
}
