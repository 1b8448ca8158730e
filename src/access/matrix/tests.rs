//! What is read out of templates: ours, those of others, and broken ones.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

fn read(resources: &Value) -> Matrix {
    Matrix::of(&json!({ "Resources": resources }), &BTreeMap::new())
}

fn ours(text: &str) -> Matrix {
    Matrix::of(&serde_json::from_str(text).expect("a synthesized template"), &BTreeMap::new())
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// An HTTP API with one route and an authorizer of these properties.
fn http(route: Value, authorizer: Value) -> Guard {
    let mut properties = json!({ "ApiId": { "Ref": "Api" }, "RouteKey": "GET /a" });
    properties.as_object_mut().expect("it is a map").extend(route.as_object().expect("it is a map").clone());
    let matrix = read(&json!({
        "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "ProtocolType": "HTTP" } },
        "Members": { "Type": "AWS::ApiGatewayV2::Authorizer", "Properties": authorizer },
        "Route": { "Type": "AWS::ApiGatewayV2::Route", "Properties": properties },
        "Users": { "Type": "AWS::Cognito::UserPool" },
    }));
    matrix.apis["Api"].routes["GET /a"].guard.clone()
}

#[test]
fn a_route_with_a_jwt_authorizer_is_read_whole() {
    let matrix = ours(include_str!("../../../tests/templates/protected-api.json"));
    let route = &matrix.apis["Api"].routes["GET /protected"];
    let expected = Jwt {
        authorizer: "Members".to_owned(),
        issuer: "https://cognito-idp.${AWS::Region}.amazonaws.com/${Users}".to_owned(),
        audiences: set(&["${Web}"]),
        scopes: BTreeSet::new(),
        sources: set(&["$request.header.Authorization"]),
    };
    assert_eq!(route.guard, Guard::Jwt(expected));
    assert_eq!((&route.behind, route.payload.as_deref()), (&Behind::Function("Protected".to_owned()), Some("2.0")));
    let stage = &matrix.apis["Api"].stages["$default"];
    assert_eq!(stage.limits("GET /protected").rate, Some(Setting::Known(1000.0)));
    let function = &matrix.functions["Protected"];
    assert!(function.callers.is_empty(), "the API is no stranger: {function:?}");
    let grant = function.powers.policy.allowed.first().expect("it logs");
    assert_eq!((grant.action.as_str(), grant.resource.as_str()), ("logs:CreateLogStream", "${ProtectedLogGroup.Arn}"));
    let pool = &matrix.pools["Users"];
    assert_eq!((&pool.self_sign_up, &pool.password_length), (&Setting::Known(true), &Setting::Known(6.0)));
    assert_eq!(pool.clients["Web"].lifetimes["access"], Setting::Known(3600.0));
}

#[test]
fn a_rest_api_with_a_lambda_authorizer_is_read_whole() {
    let matrix = ours(include_str!("../../../tests/templates/notes.json"));
    let api = &matrix.apis["Api"];
    let keys: Vec<_> = api.routes.keys().map(String::as_str).collect();
    assert_eq!(keys, ["DELETE /notes", "GET /notes", "GET /notes/all", "POST /notes", "PUT /notes"]);
    let Guard::Lambda(lambda) = &api.routes["GET /notes"].guard else { panic!("a function decides") };
    assert_eq!((lambda.function.as_str(), lambda.form.as_str()), ("Authorizer", "TOKEN"));
    assert_eq!((lambda.authorizer.as_str(), &lambda.ttl), ("Token", &Setting::Known(300.0)));
    assert_eq!(lambda.settings, BTreeMap::from([("API_TOKEN_SECRET".to_owned(), "${ApiToken.Id}".to_owned())]));
    let powers = &matrix.functions["PutNote"].powers.policy.allowed;
    assert!(powers.iter().any(|grant| grant.action == "dynamodb:PutItem" && grant.resource == "${Notes.Arn}"));
}

#[test]
fn messages_of_a_web_socket_are_guarded_by_its_connection() {
    let matrix = ours(include_str!("../../../tests/templates/chat.json"));
    let chat = &matrix.apis["Chat"];
    assert!(matches!(&chat.routes["$connect"].guard, Guard::Lambda(lambda) if lambda.function == "Authorizer"));
    assert_eq!(chat.routes["send"].guard, Guard::Connected);
    assert_eq!(chat.stages["prod"].limits("send").rate, Some(Setting::Known(10.0)));
    let open = read(&json!({
        "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "ProtocolType": "WEBSOCKET" } },
    }));
    assert_eq!(open.apis["Api"].routes["$connect"].guard, Guard::Public, "without $connect everybody may connect");
}

#[test]
fn preflight_answers_are_cors_and_not_public_routes() {
    let matrix = ours(include_str!("../../../tests/templates/federated.json"));
    let api = &matrix.apis["BasicApi"];
    let cors = &api.cors["/request"];
    assert_eq!((&cors.headers, &cors.credentials), (&set(&["authorization"]), &Setting::Known(false)));
    assert_eq!(cors.origins, set(&["http://localhost:3000"]), "the parameter has a default");
    assert!(api.routes["OPTIONS /request"].is_preflight("OPTIONS /request"));
    assert!(!api.routes["GET /request"].is_preflight("GET /request"));
    assert_eq!(matrix.apis["SimpleApi"].cors["/*"].origins, set(&["http://localhost:3000"]));
}

#[test]
fn cookies_that_only_a_deployment_knows_of_are_not_known() {
    let undecided = || json!({ "Fn::If": ["Unheard", true, false] });
    let of_http = |cors: Value| {
        let api = json!({ "Type": "AWS::ApiGatewayV2::Api", "Properties": { "CorsConfiguration": cors } });
        read(&json!({ "Api": api })).apis["Api"].cors["/*"].credentials.clone()
    };
    let of_rest = |said: Value| {
        let headers = json!({ "method.response.header.Access-Control-Allow-Credentials": said });
        let answers = json!([{ "ResponseParameters": headers }]);
        let matrix = read(&json!({
            "Api": { "Type": "AWS::ApiGateway::RestApi" },
            "Options": { "Type": "AWS::ApiGateway::Method", "Properties": { "RestApiId": { "Ref": "Api" },
                "ResourceId": { "Fn::GetAtt": ["Api", "RootResourceId"] }, "HttpMethod": "OPTIONS",
                "Integration": { "Type": "MOCK", "IntegrationResponses": answers } } },
        }));
        matrix.apis["Api"].cors["/"].credentials.clone()
    };
    for sure in [true, false] {
        assert_eq!(of_http(json!({ "AllowCredentials": sure })), Setting::Known(sure));
        assert_eq!(of_rest(json!(format!("'{sure}'"))), Setting::Known(sure));
    }
    for unsure in [
        of_http(json!({ "AllowCredentials": undecided() })),
        of_http(undecided()),
        of_rest(undecided()),
        of_rest(json!("integration.response.header.x")),
    ] {
        assert!(unsure.known().is_none(), "{unsure:?}");
    }
}

#[test]
fn two_spellings_of_an_issuer_are_one() {
    let authorizer = |issuer: Value| json!({ "JwtConfiguration": { "Issuer": issuer, "Audience": ["a"] }, "IdentitySource": ["x"], "Name": "M" });
    let route = json!({ "AuthorizationType": "JWT", "AuthorizerId": { "Ref": "Members" } });
    let joined = json!(["https://cognito-idp.", { "Ref": "AWS::Region" }, ".amazonaws.com/", { "Ref": "Users" }]);
    let guards = [
        json!({ "Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Users}" }),
        json!({ "Fn::Join": ["", joined] }),
        json!({ "Fn::GetAtt": ["Users", "ProviderURL"] }),
    ]
    .map(|issuer| http(route.clone(), authorizer(issuer)));
    assert_eq!(guards[0], guards[1]);
    assert_eq!(guards[0], guards[2]);
}

#[test]
fn what_guards_a_route_is_never_guessed() {
    let unknown = |route: Value| matches!(http(route, json!({})), Guard::Unknown { .. });
    assert!(unknown(json!({ "AuthorizationType": { "Ref": "Type" } })));
    assert!(unknown(json!({ "AuthorizationType": "JWT", "AuthorizerId": { "Fn::ImportValue": "x" } })));
    assert!(unknown(json!({ "AuthorizationType": "JWT" })));
    assert!(unknown(json!({ "AuthorizationType": "OAUTH" })));
    assert_eq!(http(json!({}), json!({})), Guard::Public);
    assert_eq!(http(json!({ "AuthorizationType": "NONE" }), json!({})), Guard::Public);
    assert_eq!(http(json!({ "AuthorizationType": "AWS_IAM" }), json!({})), Guard::Iam);
}

#[test]
fn conditions_decide_what_is_there() {
    let route = |condition: &str, kind: &str| {
        let properties = json!({ "ApiId": { "Ref": "Api" }, "RouteKey": "GET /a", "AuthorizationType": kind });
        json!({ "Type": "AWS::ApiGatewayV2::Route", "Condition": condition, "Properties": properties })
    };
    let template = json!({
        "Parameters": { "Stage": { "Type": "String" } },
        "Conditions": {
            "IsTest": { "Fn::Equals": [{ "Ref": "Stage" }, "test"] },
            "IsLive": { "Fn::Not": [{ "Condition": "IsTest" }] },
        },
        "Resources": {
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "Open": route("IsTest", "NONE"),
            "Closed": route("IsLive", "AWS_IAM"),
        },
    });
    let guard = |parameters: &[(&str, &str)]| {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Matrix::of(&template, &parameters).apis["Api"].routes["GET /a"].guard.clone()
    };
    assert_eq!(guard(&[("Stage", "test")]), Guard::Public);
    assert_eq!(guard(&[("Stage", "live")]), Guard::Iam);
    assert!(matches!(guard(&[]), Guard::Unknown { .. }), "either may be there");
}

#[test]
fn an_api_that_is_made_with_a_target_has_a_public_route() {
    let matrix = read(&json!({
        "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "Target": { "Fn::GetAtt": ["Open", "Arn"] } } },
        "Open": { "Type": "AWS::Lambda::Function" },
    }));
    let route = &matrix.apis["Api"].routes["$default"];
    assert_eq!((&route.guard, &route.behind), (&Guard::Public, &Behind::Function("Open".to_owned())));
}

#[test]
fn doors_beside_the_apis_are_seen() {
    let matrix = read(&json!({
        "F": { "Type": "AWS::Lambda::Function" },
        "Alias": { "Type": "AWS::Lambda::Alias", "Properties": { "FunctionName": { "Ref": "F" } } },
        "Url": { "Type": "AWS::Lambda::Url",
            "Properties": { "TargetFunctionArn": { "Ref": "Alias" }, "AuthType": "NONE", "Cors": { "AllowOrigins": ["*"] } } },
        "All": { "Type": "AWS::Lambda::Permission", "Properties": { "FunctionName": { "Fn::GetAtt": ["F", "Arn"] },
            "Principal": "*", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE" } },
        "Any": { "Type": "AWS::Lambda::Permission", "Properties": { "FunctionName": { "Ref": "F" },
            "Principal": "apigateway.amazonaws.com", "Action": "lambda:InvokeFunction" } },
        "Nested": { "Type": "AWS::CloudFormation::Stack", "Properties": { "TemplateURL": "https://x" } },
    }));
    let function = &matrix.functions["F"];
    assert_eq!(function.url, None, "the address is that of the alias");
    assert_eq!(function.aliases["Alias"].guard, Guard::Public);
    let principals: Vec<_> = function.callers.iter().map(|caller| caller.principal.as_str()).collect();
    assert_eq!(principals, ["*", "apigateway.amazonaws.com"], "any API of any account is a stranger");
    assert!(matrix.unseen.contains_key("Nested"));
    let role = function.powers.role.as_deref();
    assert_eq!(role, Some(""), "a role that is not in the template may do anything");
}

#[test]
fn policies_beside_a_role_count() {
    let document = json!({ "Statement": { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" } });
    let matrix = read(&json!({
        "F": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["R", "Arn"] } } },
        "R": { "Type": "AWS::IAM::Role",
            "Properties": { "ManagedPolicyArns": [{ "Ref": "M" }, { "Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/X" }] } },
        "P": { "Type": "AWS::IAM::Policy", "Properties": { "Roles": [{ "Ref": "R" }], "PolicyDocument": document } },
        "M": { "Type": "AWS::IAM::ManagedPolicy", "Properties": { "PolicyDocument":
            { "Statement": [{ "Effect": "Deny", "NotAction": "sts:*", "Resource": ["a", "b"] }] } } },
    }));
    let powers = &matrix.functions["F"].powers;
    assert_eq!(powers.managed, set(&["arn:${AWS::Partition}:iam::aws:policy/X"]));
    assert_eq!(powers.policy.allowed.first().map(|grant| grant.action.as_str()), Some("s3:GetObject"));
    let denied: Vec<_> =
        powers.policy.denied.iter().map(|grant| (grant.action.as_str(), grant.resource.as_str())).collect();
    assert_eq!(denied, [("all but sts:*", "a"), ("all but sts:*", "b")]);
    assert_eq!(matrix.unread, BTreeMap::new());
}

#[test]
fn secrets_in_an_environment_are_not_repeated() {
    let matrix = read(&json!({
        "Api": { "Type": "AWS::ApiGatewayV2::Api" },
        "Own": { "Type": "AWS::Lambda::Function",
            "Properties": { "Environment": { "Variables": { "PASSWORD": "hunter2", "CLIENT_IDS": "b,a" } } } },
        "Token": { "Type": "AWS::ApiGatewayV2::Authorizer", "Properties": { "AuthorizerType": "REQUEST",
            "AuthorizerUri": { "Fn::Sub":
                "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Own.Arn}/invocations" } } },
        "Route": { "Type": "AWS::ApiGatewayV2::Route", "Properties": { "ApiId": { "Ref": "Api" }, "RouteKey": "GET /",
            "AuthorizationType": "CUSTOM", "AuthorizerId": { "Ref": "Token" } } },
    }));
    let Guard::Lambda(lambda) = &matrix.apis["Api"].routes["GET /"].guard else { panic!("a function decides") };
    assert_eq!(lambda.settings["CLIENT_IDS"], "a b");
    assert!(lambda.others.contains_key("PASSWORD"));
    let text = serde_json::to_string(&matrix).expect("plain data");
    assert!(text.contains("PASSWORD") && !text.contains("hunter2"));
    assert!(!text.contains(&lambda.others["PASSWORD"]), "a digest tells whether a guess is right");
}

#[test]
fn what_is_too_large_is_told_of() {
    let long = |letter: &str| {
        let long = json!({ "Fn::Join": ["", vec![letter.repeat(1_000); 100]] });
        read(&json!({ "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "Name": long } } }))
    };
    assert_eq!(long("a"), long("a"));
    assert_ne!(long("a").unseen["Template"], long("b").unseen["Template"], "they only look alike");
}

#[test]
fn a_limit_of_every_method_is_that_of_any() {
    let all = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    let limits = |methods: &[(&str, f64)]| {
        let setting = |(method, rate): &(&str, f64)| json!({ "HttpMethod": method, "ResourcePath": "/~1x", "ThrottlingRateLimit": rate });
        let settings: Vec<Value> = methods.iter().map(setting).collect();
        let matrix = read(&json!({
            "Api": { "Type": "AWS::ApiGateway::RestApi" },
            "X": { "Type": "AWS::ApiGateway::Resource", "Properties":
                { "ParentId": { "Fn::GetAtt": ["Api", "RootResourceId"] }, "PathPart": "x" } },
            "Any": { "Type": "AWS::ApiGateway::Method", "Properties":
                { "RestApiId": { "Ref": "Api" }, "ResourceId": { "Ref": "X" }, "HttpMethod": "ANY" } },
            "Stage": { "Type": "AWS::ApiGateway::Stage", "Properties":
                { "RestApiId": { "Ref": "Api" }, "StageName": "prod", "MethodSettings": settings } },
        }));
        let stage = matrix.apis["Api"].stages["prod"].clone();
        let rate = stage.limits("ANY /x").rate.clone();
        (rate, stage.routes.keys().cloned().collect::<Vec<_>>())
    };
    let of = |rates: &[f64]| all.into_iter().zip(rates.iter().copied()).collect::<Vec<_>>();
    assert_eq!(limits(&of(&[5.0; 7])), (Some(Setting::Known(5.0)), vec!["ANY /x".to_owned()]));
    assert_eq!(limits(&of(&[5.0, 5.0, 9.0, 5.0, 5.0, 5.0, 5.0])).0, Some(Setting::Known(9.0)));
    assert_eq!(limits(&of(&[5.0; 6])).0, None, "one method is not bounded");
    assert_eq!(limits(&[("ANY", 5.0)]), (None, vec![]), "AWS refuses that");
}

#[test]
fn a_statement_with_too_many_grants_is_not_read() {
    let names = |count: usize| (0..count).map(|number| format!("s3:{number}")).collect::<Vec<_>>();
    let policy = |count: usize| {
        let statement = json!({ "Effect": "Deny", "Action": names(count), "Resource": names(count) });
        Policy::of(&json!({ "Statement": statement }), &policy::Room::default())
    };
    assert_eq!((policy(100).denied.len(), policy(100).unread.len()), (10_000, 0));
    assert_eq!((policy(101).denied.len(), policy(101).unread.len()), (0, 1));
    assert_ne!(policy(101), policy(102));
}

#[test]
fn a_template_has_room_for_so_many_grants() {
    let names = |of: usize| (0..100).map(|number| format!("s3:{of}{number}")).collect::<Vec<_>>();
    let statement = |of: usize| json!({ "Effect": "Allow", "Action": names(of), "Resource": names(of) });
    let role = |of: usize| {
        let policies = json!([{ "PolicyDocument": { "Statement": statement(of) } }]);
        (format!("R{of:02}"), json!({ "Type": "AWS::IAM::Role", "Properties": { "Policies": policies } }))
    };
    let principals = read(&(0..12).map(role).collect()).principals;
    let told = |one: &Principal| (one.powers.policy.allowed.len(), one.powers.policy.unread.len());
    assert!(principals.values().take(10).all(|one| told(one) == (10_000, 0)));
    assert!(principals.values().skip(10).all(|one| told(one) == (0, 1)));
}

#[test]
fn functions_of_one_role_take_its_room_once() {
    let names = (0..100).map(|number| format!("s3:{number}")).collect::<Vec<_>>();
    let statement = json!({ "Effect": "Allow", "Action": names, "Resource": names });
    let policies = json!([{ "PolicyDocument": { "Statement": statement } }]);
    let function = json!({ "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["R", "Arn"] } } });
    let mut resources: Value = (0..12).map(|number| (format!("F{number}"), function.clone())).collect();
    resources["R"] = json!({ "Type": "AWS::IAM::Role", "Properties": { "Policies": policies } });
    let functions = read(&resources).functions;
    let told = |one: &Function| (one.powers.policy.allowed.len(), one.powers.policy.unread.len());
    assert!(functions.len() == 12 && functions.values().all(|one| told(one) == (10_000, 0)));
}

#[test]
fn plain_stacks_leave_nothing_unread() {
    for text in [
        include_str!("../../../tests/templates/chat.json"),
        include_str!("../../../tests/templates/federated.json"),
        include_str!("../../../tests/templates/notes.json"),
        include_str!("../../../tests/templates/protected-api.json"),
    ] {
        let matrix = ours(text);
        assert_eq!((matrix.unread, matrix.unseen), (BTreeMap::new(), BTreeMap::new()));
    }
    let contact = ours(include_str!("../../../tests/templates/contact.json")).unread;
    let kinds: BTreeSet<&str> = contact.values().map(|part| part.kind.as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["AWS::ApiGateway::ApiKey", "AWS::ApiGateway::UsagePlanKey"]));
}

#[test]
fn anything_may_be_given() {
    let shapes = [
        json!(null),
        json!("no template"),
        json!({ "Resources": [] }),
        json!({ "Resources": { "A": 1, "B": { "Type": 1 }, "C": { "Type": "AWS::ApiGatewayV2::Route" } } }),
        json!({ "Resources": { "A": { "Type": "AWS::ApiGatewayV2::Api", "Properties": [1, 2] } } }),
    ];
    for shape in shapes {
        drop(Matrix::of(&shape, &BTreeMap::new()));
    }
    let kinds = [
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::ApiGatewayV2::Authorizer",
        "AWS::ApiGatewayV2::Stage",
        "AWS::Cognito::UserPool",
        "AWS::Cognito::UserPoolClient",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
    ];
    let values = [json!(1), json!("x"), json!([[]]), json!({ "a": { "b": null } }), json!({ "Fn::If": 1 })];
    let names =
        ["ApiId", "Policies", "MethodSettings", "LambdaConfig", "Integration", "Role", "Roles", "Cors", "Policy"];
    for kind in kinds {
        for value in &values {
            let properties: serde_json::Map<_, _> =
                names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
            drop(read(&json!({ "A": { "Type": kind, "Properties": properties } })));
        }
    }
}
