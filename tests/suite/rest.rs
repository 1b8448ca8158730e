//! REST APIs and their templates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value as Json, json};
use stackgen::model::apigateway::{
    ApiKey, Authorizer, Cache, CacheSize, CloudWatchRole, CognitoAuthorizer, Cors, CustomDomain, GatewayResponse,
    HttpProxy, IamAuthorizer, LoggingLevel, Mock, Model, Period, PolicyStatement, Quota, RequestAuthorizer,
    ResponseType, RestApi, Route, RouteCache, Stage, Throttle, TokenAuthorizer, UsagePlan,
};
use stackgen::model::apigatewayv2::{self as v2, HttpApi, LambdaAuthorizer};
use stackgen::model::cognito::UserPool;
use stackgen::model::lambda::Function;
use stackgen::model::raw::Override;
use stackgen::model::value::ApiUrl;
use stackgen::model::{Ref, Stack, Value};
use stackgen::synth::synthesize;
use stackgen::template::{Removal, Template};

use crate::tools;

fn template(stack: &Stack) -> Template {
    synthesize("test", stack).expect("the test's stack is sound")
}

fn property(template: &Template, id: &str, path: &str) -> Json {
    let resource = template.resources.get(id).unwrap_or_else(|| panic!("no `{id}` in {:?}", template.resources.keys()));
    json!(resource.properties).pointer(path).cloned().unwrap_or(Json::Null)
}

fn of_type<'a>(template: &'a Template, kind: &str) -> Vec<&'a str> {
    let all = template.resources.iter().filter(|(_, resource)| resource.resource_type == kind);
    all.map(|(id, _)| id.as_str()).collect()
}

/// The system of the notes: a token authorizer before one route of a function.
fn notes() -> Stack {
    let mut stack = Stack::default();
    let get = stack.add("GetNote", Function::from_crate("functions/notes"));
    let decide = stack.add("Authorizer", Function::from_crate("functions/token-authorizer"));
    let token = TokenAuthorizer::new(decide).identity_source("method.request.header.authorizationToken");
    let api = RestApi::default()
        .name("notes")
        .authorizer("Token", token)
        .route("GET /notes", Route::new(get).authorizer("Token"))
        .only_stage("test", Stage::default());
    let api = stack.add("Api", api);
    stack.output("url", Value::url(&api));
    stack
}

#[test]
fn a_path_is_a_resource_for_each_of_its_steps() {
    let mut stack = Stack::default();
    let function = stack.add("F", Function::from_crate("functions/f"));
    let routes = ["GET /", "GET /users", "GET /users/{id}/notes", "ANY /files/{proxy+}"];
    let api = routes.iter().fold(RestApi::default(), |api, key| api.route(*key, Route::new(&function).public()));
    stack.add("Api", api);
    let template = template(&stack);
    let paths = ["ApiPathFiles", "ApiPathFilesAllProxy", "ApiPathUsers", "ApiPathUsersById", "ApiPathUsersByIdNotes"];
    assert_eq!(of_type(&template, "AWS::ApiGateway::Resource"), paths);
    assert_eq!(property(&template, "ApiPathUsers", "/ParentId"), json!({ "Fn::GetAtt": ["Api", "RootResourceId"] }));
    assert_eq!(property(&template, "ApiPathUsersById", "/ParentId"), json!({ "Ref": "ApiPathUsers" }));
    assert_eq!(property(&template, "ApiPathFilesAllProxy", "/PathPart"), "{proxy+}");
    assert_eq!(property(&template, "ApiGet", "/ResourceId"), json!({ "Fn::GetAtt": ["Api", "RootResourceId"] }));
    assert_eq!(property(&template, "ApiGetUsersByIdNotes", "/ResourceId"), json!({ "Ref": "ApiPathUsersByIdNotes" }));
    assert_eq!(of_type(&template, "AWS::Lambda::Permission"), ["ApiFPermission"]);
}

#[test]
fn every_method_says_who_may_call_it() {
    let mut stack = notes();
    let function: Ref<Function> = Ref::new("GetNote");
    let api = stack.rest_apis.get_mut("Api").expect("it was added");
    *api = api
        .clone()
        .authorizer("Members", CognitoAuthorizer::new([Ref::new("Users")]))
        .authorizer("Signed", IamAuthorizer {})
        .route("GET /health", Route::mock(Mock::default()).public())
        .route("GET /mine", Route::new(&function).authorizer("Members"))
        .route("POST /admin", Route::new(&function).authorizer("Signed"));
    stack.add("Users", UserPool::default());
    let template = template(&stack);
    let kind = |id: &str| property(&template, id, "/AuthorizationType");
    assert_eq!(kind("ApiGetNotes"), "CUSTOM");
    assert_eq!(property(&template, "ApiGetNotes", "/AuthorizerId"), json!({ "Ref": "ApiTokenAuthorizer" }));
    assert_eq!(kind("ApiGetMine"), "COGNITO_USER_POOLS");
    assert_eq!(
        property(&template, "ApiMembersAuthorizer", "/ProviderARNs/0"),
        json!({ "Fn::GetAtt": ["Users", "Arn"] })
    );
    assert_eq!(kind("ApiPostAdmin"), "AWS_IAM");
    assert_eq!(property(&template, "ApiPostAdmin", "/AuthorizerId"), Json::Null);
    assert_eq!(kind("ApiGetHealth"), "NONE");
    assert!(!template.resources.contains_key("ApiSignedAuthorizer"));
}

#[test]
fn an_authorizers_function_may_be_invoked_by_this_authorizer_only() {
    let template = template(&notes());
    let source = property(&template, "ApiTokenAuthorizerPermission", "/SourceArn/Fn::Sub");
    let api = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}";
    assert_eq!(source, format!("{api}/authorizers/${{ApiTokenAuthorizer}}"));
    assert_eq!(property(&template, "ApiGetNotePermission", "/SourceArn/Fn::Sub"), format!("{api}/*"));
    let uri = property(&template, "ApiTokenAuthorizer", "/AuthorizerUri/Fn::Sub");
    let path = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions";
    assert_eq!(uri, format!("{path}/${{Authorizer.Arn}}/invocations"));
    assert_eq!(property(&template, "ApiTokenAuthorizer", "/AuthorizerResultTtlInSeconds"), 300);
}

#[test]
fn an_http_api_asks_a_function_or_a_signature_too() {
    let mut stack = Stack::default();
    let function = stack.add("F", Function::from_crate("functions/f"));
    let decides = stack.add("Decides", Function::from_crate("functions/decides"));
    let lambda = LambdaAuthorizer::new(&decides, ["$request.header.Authorization"])
        .enable_simple_responses()
        .authorizer_result_ttl_in_seconds(60);
    let api = HttpApi::default()
        .authorizer("Asked", lambda)
        .authorizer("Signed", IamAuthorizer {})
        .route("GET /a", v2::Route::new(&function).authorizer("Asked"))
        .route("GET /b", v2::Route::new(&function).authorizer("Signed"));
    stack.add("Api", api);
    let template = template(&stack);
    assert_eq!(property(&template, "ApiGetA", "/AuthorizationType"), "CUSTOM");
    assert_eq!(property(&template, "ApiGetA", "/AuthorizerId"), json!({ "Ref": "ApiAskedAuthorizer" }));
    assert_eq!(property(&template, "ApiGetB", "/AuthorizationType"), "AWS_IAM");
    assert_eq!(property(&template, "ApiGetB", "/AuthorizerId"), Json::Null);
    let authorizer = json!(template.resources["ApiAskedAuthorizer"].properties);
    assert_eq!(authorizer["AuthorizerType"], "REQUEST");
    assert_eq!(authorizer["AuthorizerPayloadFormatVersion"], "2.0");
    assert_eq!(authorizer["EnableSimpleResponses"], true);
    assert_eq!(authorizer["IdentitySource"], json!(["$request.header.Authorization"]));
    let source = property(&template, "ApiAskedAuthorizerPermission", "/SourceArn/Fn::Sub");
    assert!(source.as_str().is_some_and(|source| source.ends_with(":${Api}/authorizers/${ApiAskedAuthorizer}")));
}

fn deployment(stack: &Stack) -> String {
    let template = template(stack);
    let deployments = of_type(&template, "AWS::ApiGateway::Deployment");
    let [deployment] = deployments.as_slice() else { panic!("one API has one deployment: {deployments:?}") };
    let stage = property(&template, "ApiTestStage", "/DeploymentId");
    assert_eq!(stage, json!({ "Ref": deployment }), "the stage serves it");
    (*deployment).to_owned()
}

fn changed(change: impl FnOnce(&mut RestApi)) -> Stack {
    let mut stack = notes();
    change(stack.rest_apis.get_mut("Api").expect("it was added"));
    stack
}

#[test]
fn whatever_a_deployment_captures_changes_its_id() {
    let mut renamed = notes();
    renamed.functions.get_mut("GetNote").expect("it was added").function_name = Some("get-note".into());
    let mut overridden = notes();
    let mut change = Override::default();
    change.properties.insert("OperationName".to_owned(), json!("getNote"));
    overridden.overrides.insert("ApiGetNotes".to_owned(), change);
    let function: Ref<Function> = Ref::new("GetNote");
    let stacks = [
        notes(),
        renamed,
        overridden,
        changed(|api| *api = api.clone().route("PUT /notes", Route::new(&function).authorizer("Token"))),
        changed(|api| {
            let Some(Authorizer::Token(token)) = api.authorizers.get_mut("Token") else { panic!("it was added") };
            token.authorizer_result_ttl_in_seconds = 0;
        }),
        changed(|api| api.binary_media_types = vec!["image/png".to_owned()]),
        changed(|api| api.policy = vec![PolicyStatement::allow(["*"])]),
        changed(|api| {
            let readable = GatewayResponse::default().header("X-Why", "no token");
            api.gateway_responses.insert(ResponseType::Unauthorized, readable);
        }),
        changed(|api| *api = api.clone().model("Note", Model::new(json!({ "type": "object" })))),
    ];
    let ids: BTreeSet<String> = stacks.iter().map(deployment).collect();
    assert_eq!(ids.len(), stacks.len(), "{ids:?}");
}

#[test]
fn what_a_deployment_does_not_capture_leaves_its_id() {
    let mut stacks = vec![
        notes(),
        changed(|api| api.description = Some("Notes.".to_owned())),
        changed(|api| {
            let stage = Stage::default().throttle(Throttle::new(1.0, 1));
            api.stages.insert("test".to_owned(), stage);
        }),
    ];
    let mut memory = notes();
    memory.functions.get_mut("GetNote").expect("it was added").memory_size = 512;
    stacks.push(memory);
    let ids: BTreeSet<String> = stacks.iter().map(deployment).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn a_deployment_waits_for_all_that_it_captures() {
    let stack = changed(|api| api.cors = Some(Cors::default().allow_origins([Value::from("https://example.com")])));
    let template = template(&stack);
    let deployment = &template.resources[&deployment(&stack)];
    let waits: Vec<&str> = deployment.depends_on.iter().map(String::as_str).collect();
    let captured = [
        "ApiDefault4xxResponse",
        "ApiDefault5xxResponse",
        "ApiGetNotes",
        "ApiOptionsNotes",
        "ApiPathNotes",
        "ApiTokenAuthorizer",
    ];
    assert_eq!(waits, captured);
}

#[test]
fn preflight_requests_are_answered_before_any_authorizer() {
    let cors = Cors::default().allow_origins([Value::from("https://example.com")]).max_age(600);
    let template = template(&changed(|api| api.cors = Some(cors)));
    assert_eq!(property(&template, "ApiOptionsNotes", "/AuthorizationType"), "NONE");
    assert_eq!(property(&template, "ApiOptionsNotes", "/ApiKeyRequired"), false);
    assert_eq!(property(&template, "ApiOptionsNotes", "/Integration/Type"), "MOCK");
    let headers = property(&template, "ApiOptionsNotes", "/Integration/IntegrationResponses/0/ResponseParameters");
    let expected = json!({
        "method.response.header.Access-Control-Allow-Headers": "'authorizationToken'",
        "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'",
        "method.response.header.Access-Control-Allow-Origin": "'https://example.com'",
        "method.response.header.Access-Control-Max-Age": "'600'",
    });
    assert_eq!(headers, expected);
    for refusal in ["ApiDefault4xxResponse", "ApiDefault5xxResponse"] {
        let headers = property(&template, refusal, "/ResponseParameters");
        assert_eq!(headers, json!({ "gatewayresponse.header.Access-Control-Allow-Origin": "'https://example.com'" }));
    }
}

#[test]
fn nothing_is_open_to_other_origins_unless_it_is_written() {
    let template = template(&notes());
    assert!(of_type(&template, "AWS::ApiGateway::GatewayResponse").is_empty());
    assert!(!template.to_json().contains("Access-Control"));
}

#[test]
fn logs_are_on_and_the_account_has_the_role_for_them() {
    let template = template(&notes());
    let format = property(&template, "ApiTestStage", "/AccessLogSetting/Format");
    let format = format.as_str().expect("logs are on by default");
    assert!(format.contains("$context.requestId") && !format.to_lowercase().contains("header"), "{format}");
    assert!(template.resources["ApiTestStage"].depends_on.contains("ApiGatewayAccount"));
    let role = &template.resources["ApiGatewayCloudWatchRole"];
    assert_eq!(role.deletion_policy, Some(Removal::Retain), "other APIs of the account may be writing with it");
    assert!(!template.to_json().contains("\"Resource\": \"*\""));
}

#[test]
fn the_role_for_logs_is_the_accounts_where_it_has_one() {
    let existing = template(&changed(|api| api.cloud_watch_role = CloudWatchRole::Existing));
    assert!(of_type(&existing, "AWS::ApiGateway::Account").is_empty());
    let leaving = template(&changed(|api| api.cloud_watch_role = CloudWatchRole::Destroy));
    assert_eq!(leaving.resources["ApiGatewayCloudWatchRole"].deletion_policy, Some(Removal::Delete));
    let silent = template(&changed(|api| {
        let stage = api.stages.get_mut("test").expect("it was added");
        stage.access_logs.enabled = false;
    }));
    assert!(of_type(&silent, "AWS::ApiGateway::Account").is_empty());
}

#[test]
fn kept_answers_are_told_apart_by_their_callers() {
    let function: Ref<Function> = Ref::new("GetNote");
    let cache = RouteCache::default().key_parameters(["method.request.querystring.page".to_owned()]);
    let stack = changed(|api| {
        let route = Route::new(&function).authorizer("Token").cache(cache);
        *api = api.clone().route("GET /notes/{id}", route).stage("test", Stage::default().cache(Cache::default()));
    });
    let template = template(&stack);
    let keys = property(&template, "ApiGetNotesById", "/Integration/CacheKeyParameters");
    let expected =
        ["method.request.header.authorizationToken", "method.request.path.id", "method.request.querystring.page"];
    assert_eq!(keys, json!(expected));
    let settings = property(&template, "ApiTestStage", "/MethodSettings");
    assert_eq!(settings[0]["CachingEnabled"], false, "what does not ask for it is not kept");
    assert_eq!(settings[1]["ResourcePath"], "/~1notes~1{id}");
    assert_eq!((&settings[1]["CachingEnabled"], &settings[1]["CacheDataEncrypted"]), (&json!(true), &json!(true)));
}

#[test]
fn the_settings_of_an_any_route_are_those_of_each_verb_that_it_takes() {
    let function: Ref<Function> = Ref::new("GetNote");
    let route = || Route::new(&function).authorizer("Token");
    let throttled = || route().throttle(Throttle::new(5.0, 10));
    let settings = |change: &dyn Fn(RestApi) -> RestApi| {
        let template = template(&changed(|api| *api = change(api.clone())));
        let settings = property(&template, "ApiTestStage", "/MethodSettings");
        let settings = settings.as_array().expect("they are a list").clone();
        let own = settings.into_iter().skip(1).filter(|one| one["ResourcePath"] == "/~1files~1{proxy+}");
        let verb = |one: &Json| one["HttpMethod"].as_str().expect("it has one").to_owned();
        own.map(|one| (verb(&one), one)).collect::<BTreeMap<_, _>>()
    };
    let verbs = |settings: &BTreeMap<String, Json>| settings.keys().cloned().collect::<Vec<_>>().join(" ");
    let all = settings(&|api| api.route("ANY /files/{proxy+}", throttled()));
    assert_eq!(verbs(&all), "DELETE GET HEAD OPTIONS PATCH POST PUT");
    assert!(all.values().all(|one| one["ThrottlingBurstLimit"] == 10), "{all:?}");
    let others = settings(&|api| {
        let api = api.route("ANY /files/{proxy+}", throttled()).route("GET /files/{proxy+}", route());
        RestApi { cors: Some(Cors::default().allow_origins([Value::from("https://example.com")])), ..api }
    });
    assert_eq!(verbs(&others), "DELETE HEAD PATCH POST PUT", "a method of its own has settings of its own");
    let cached = settings(&|api| {
        let route = route().cache(RouteCache::default());
        api.route("ANY /files/{proxy+}", route).stage("test", Stage::default().cache(Cache::default()))
    });
    assert_eq!(verbs(&cached), "GET HEAD", "nobody who writes gets an answer that was kept");
}

#[test]
fn a_rest_apis_url_names_its_stage() {
    let mut stack = notes();
    let url = |template: &Template| json!(template.outputs["url"].value)["Fn::Sub"].clone();
    let expected = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/test";
    assert_eq!(url(&template(&stack)), expected);
    stack.functions.get_mut("GetNote").expect("it was added").environment.insert(
        "SELF".to_owned(),
        Value::Join(String::new(), vec![Value::Url(ApiUrl::from("Api.test".to_owned())), Value::from("/notes")]),
    );
    let template = template(&stack);
    assert_eq!(property(&template, "GetNote", "/Environment/Variables/SELF/Fn::Join/1/0/Fn::Sub"), expected);
    assert!(!template.to_json().contains("Stackgen::"));
}

#[test]
fn an_api_key_is_made_by_api_gateway_and_opens_its_plans_stages() {
    let stack = changed(|api| {
        let plan = UsagePlan::default().quota(Quota::new(1_000, Period::Day)).api_keys(["Partner".to_owned()]);
        *api = api.clone().api_key("Partner", ApiKey::default()).usage_plan("Basic", plan);
        api.routes.get_mut("GET /notes").expect("it was added").api_key_required = true;
    });
    let template = template(&stack);
    assert_eq!(property(&template, "ApiPartnerApiKey", "/Value"), Json::Null);
    assert_eq!(property(&template, "ApiGetNotes", "/ApiKeyRequired"), true);
    let opened = property(&template, "ApiBasicUsagePlan", "/ApiStages");
    assert_eq!(opened, json!([{ "ApiId": { "Ref": "Api" }, "Stage": { "Ref": "ApiTestStage" } }]));
    assert_eq!(
        property(&template, "ApiBasicUsagePlan", "/Quota"),
        json!({ "Limit": 1000, "Offset": 0, "Period": "DAY" })
    );
    assert_eq!(property(&template, "ApiBasicPartnerUsagePlanKey", "/KeyId"), json!({ "Ref": "ApiPartnerApiKey" }));
}

#[test]
fn a_plan_names_a_method_of_the_root_with_two_slashes() {
    let stack = changed(|api| {
        let mut plan = UsagePlan::default().throttle(Throttle::new(5.0, 10));
        plan.routes = ["GET /", "GET /notes"].map(|route| (route.to_owned(), Throttle::new(1.0, 2))).into();
        let root = api.routes["GET /notes"].clone();
        *api = api.clone().route("GET /", root).usage_plan("Basic", plan);
    });
    let limits = property(&template(&stack), "ApiBasicUsagePlan", "/ApiStages/0/Throttle");
    let methods: Vec<&String> = limits.as_object().expect("it has some").keys().collect();
    assert_eq!(methods, ["//GET", "/notes/GET"]);
}

/// A REST API with everything that the model offers, so that each part of it is looked at by others.
fn everything() -> Stack {
    let mut stack = Stack::default().description("A REST API with everything.");
    let users = stack.add("Users", UserPool::default());
    let orders = stack.add("Orders", Function::from_crate("functions/orders"));
    let decide = stack.add("Decide", Function::from_crate("functions/decide"));
    stack.add("Api", everything_api(&users, &orders, &decide));
    stack.output("url", Value::Url(ApiUrl::from("Api.prod".to_owned())));
    stack
}

fn everything_api(users: &Ref<UserPool>, orders: &Ref<Function>, decide: &Ref<Function>) -> RestApi {
    let token = TokenAuthorizer::new(decide).identity_validation_expression("^Bearer .+$");
    let request =
        RequestAuthorizer::new(decide, ["method.request.header.X-Key", "method.request.querystring.key"]).name("asked");
    let order = Model::new(
        json!({ "$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["item"] }),
    );
    let cached =
        RouteCache::default().ttl_in_seconds(60).key_parameters(["method.request.querystring.page".to_owned()]);
    let list = Route::new(orders)
        .authorizer("Token")
        .requires("method.request.querystring.page")
        .cache(cached)
        .throttle(Throttle::new(5.0, 10));
    let place = Route::new(orders)
        .authorizer("Asked")
        .api_key_required()
        .accepts("application/json", "Order")
        .timeout_in_millis(5_000)
        .operation_name("placeOrder");
    let health = Mock::default().body("{\"ok\": true}").header("Cache-Control", "no-store");
    let cors = Cors::default()
        .allow_origins([Value::from("https://example.com")])
        .allow_headers(["Content-Type".to_owned()])
        .expose_headers(["X-Request-Id".to_owned()])
        .allow_credentials(true)
        .max_age(600);
    let plan = UsagePlan {
        routes: BTreeMap::from([("POST /orders".to_owned(), Throttle::new(1.0, 2))]),
        ..UsagePlan::default()
            .description("For partners.")
            .throttle(Throttle::new(10.0, 20))
            .quota(Quota::new(10_000, Period::Month))
            .stages(["prod".to_owned()])
            .api_keys(["Partner".to_owned()])
    };
    RestApi::default()
        .name("everything")
        .description("All at once.")
        .authorizer("Token", token)
        .authorizer("Asked", request)
        .authorizer("Members", CognitoAuthorizer::new([users]))
        .authorizer("Signed", IamAuthorizer {})
        .route("GET /", Route::mock(health).public())
        .route("GET /orders", list)
        .route("POST /orders", place)
        .route("GET /orders/{id}", Route::new(orders).authorizer("Members").scopes(["email".to_owned()]))
        .route("DELETE /orders/{id}", Route::new(orders).authorizer("Signed"))
        .route("ANY /legacy/{proxy+}", Route::http(HttpProxy::new("https://example.com/{proxy}")).authorizer("Token"))
        .model("Order", order)
        .cors(cors)
        .gateway_response(
            ResponseType::Unauthorized,
            GatewayResponse::default()
                .header("WWW-Authenticate", "Bearer")
                .template("application/json", "{\"message\": $context.error.messageString}"),
        )
        .binary_media_types(["image/png".to_owned()])
        .minimum_compression_size(1_024)
        .policy([PolicyStatement::allow(["*"]), PolicyStatement::deny(["*"]).routes(["test/*".to_owned()])])
        .stage("test", Stage::default().description("For trying."))
        .stage(
            "prod",
            Stage {
                variables: BTreeMap::from([("tier".to_owned(), "gold".into())]),
                tags: BTreeMap::from([("stage".to_owned(), "prod".to_owned())]),
                ..Stage::default()
                    .tracing_enabled(true)
                    .metrics_enabled(true)
                    .logging_level(LoggingLevel::Error)
                    .throttle(Throttle::new(100.0, 50))
                    .cache(Cache::default().size(CacheSize::OneAndAHalf))
            },
        )
        .usage_plan("Partners", plan)
        .api_key("Partner", ApiKey::default().description("The partner's."))
        .custom_domain(
            CustomDomain::new(
                "api.example.com",
                "arn:aws:acm:us-east-1:000000000000:certificate/6f3b2d1e-0a4c-4a7e-9d25-7c2f8b1f9f10",
            )
            .mapping("orders")
            .stage("prod"),
        )
}

#[test]
fn a_rest_api_with_everything_is_synthesized_as_it_was() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/rest/everything.json");
    let synthesized = template(&everything()).to_json();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(synthesized, snapbox::Data::read_from(&kept, None).raw());
}

#[test]
fn cfn_lint_has_nothing_to_say() {
    let all = [("notes", notes()), ("everything", everything())];
    tools::lint(all.map(|(name, stack)| (name, template(&stack))));
}
