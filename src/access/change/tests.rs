//! The sentences and verdicts of changes, one fact at a time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

/// A stack with an HTTP API, its authorizers, a function with a role, a table and two user pools. It is changed by
/// pointers into it.
fn template() -> Value {
    let authorizer = |pool: &str, clients: &[&str]| {
        json!({ "Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {
            "ApiId": { "Ref": "Api" },
            "AuthorizerType": "JWT",
            "Name": "jwt",
            "IdentitySource": ["$request.header.Authorization"],
            "JwtConfiguration": {
                "Issuer": { "Fn::Sub": format!("https://cognito-idp.${{AWS::Region}}.amazonaws.com/${{{pool}}}") },
                "Audience": clients.iter().map(|client| json!({ "Ref": client })).collect::<Value>(),
            },
        } })
    };
    json!({ "Resources": {
        "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "ProtocolType": "HTTP", "CorsConfiguration": {
            "AllowOrigins": ["https://app.example"], "AllowMethods": ["GET"], "AllowHeaders": ["Authorization"],
        } } },
        "ApiMembersAuthorizer": authorizer("Users", &["Web"]),
        "ApiStaffAuthorizer": authorizer("Staff", &["Desk"]),
        "ApiTokenAuthorizer": { "Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {
            "ApiId": { "Ref": "Api" },
            "AuthorizerType": "REQUEST",
            "AuthorizerPayloadFormatVersion": "2.0",
            "AuthorizerResultTtlInSeconds": 300,
            "IdentitySource": ["$request.header.Authorization"],
            "AuthorizerUri": { "Fn::Sub":
                "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Decide.Arn}/invocations" },
        } },
        "Stage": { "Type": "AWS::ApiGatewayV2::Stage", "Properties": { "ApiId": { "Ref": "Api" },
            "StageName": "$default",
            "DefaultRouteSettings": { "ThrottlingRateLimit": 100, "ThrottlingBurstLimit": 200 } } },
        "GetOrders": route("GET /orders", "JWT", "ApiMembersAuthorizer", &[]),
        "PostOrders": route("POST /orders", "JWT", "ApiMembersAuthorizer", &["orders/write"]),
        "GetToken": route("GET /token", "CUSTOM", "ApiTokenAuthorizer", &[]),
        "Decide": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["Role", "Arn"] },
            "Environment": { "Variables": { "USER_POOL_ID": { "Ref": "Users" }, "CLIENT_IDS": { "Ref": "Web" },
                "REQUIRED_GROUPS": "admins", "PLAIN": "x" } } } },
        "Role": { "Type": "AWS::IAM::Role", "Properties": {} },
        "GetNotes": { "Type": "AWS::Lambda::Function",
            "Properties": { "Role": { "Fn::GetAtt": ["GetNotesRole", "Arn"] } } },
        "GetNotesRole": { "Type": "AWS::IAM::Role", "Properties": { "Policies": [{ "PolicyDocument": { "Statement": [
            { "Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": { "Fn::GetAtt": ["Notes", "Arn"] } },
        ] } }] } },
        "Notes": { "Type": "AWS::DynamoDB::Table" },
        "Users": { "Type": "AWS::Cognito::UserPool",
            "Properties": { "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true }, "MfaConfiguration": "ON",
                "Policies": { "PasswordPolicy": { "MinimumLength": 12, "RequireNumbers": true } } } },
        "Staff": { "Type": "AWS::Cognito::UserPool" },
        "Web": { "Type": "AWS::Cognito::UserPoolClient", "Properties": { "UserPoolId": { "Ref": "Users" },
            "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"] } },
        "Desk": { "Type": "AWS::Cognito::UserPoolClient", "Properties": { "UserPoolId": { "Ref": "Staff" } } },
    } })
}

fn route(key: &str, kind: &str, authorizer: &str, scopes: &[&str]) -> Value {
    let mut properties = json!({ "ApiId": { "Ref": "Api" }, "RouteKey": key, "AuthorizationType": kind });
    if !authorizer.is_empty() {
        properties["AuthorizerId"] = json!({ "Ref": authorizer });
    }
    if !scopes.is_empty() {
        properties["AuthorizationScopes"] = json!(scopes);
    }
    json!({ "Type": "AWS::ApiGatewayV2::Route", "Properties": properties })
}

fn between(old: &Value, new: &Value) -> Vec<Change> {
    let place = [("AWS::AccountId", "111122223333"), ("AWS::Region", "eu-west-1")];
    let place = place.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let read = |template: &Value| Matrix::of_place(template, &BTreeMap::new(), &place);
    changes(&read(old), &read(new))
}

/// What becomes of the stack when some resources or properties are set, as lines.
fn after(edits: &[(&str, Value)]) -> Vec<String> {
    let (old, mut new) = (template(), template());
    for (pointer, value) in edits {
        set(&mut new["Resources"], pointer, value.clone());
    }
    told(&between(&old, &new))
}

/// The same, the other way round.
fn before(edits: &[(&str, Value)]) -> Vec<String> {
    let (mut old, new) = (template(), template());
    for (pointer, value) in edits {
        set(&mut old["Resources"], pointer, value.clone());
    }
    told(&between(&old, &new))
}

fn set(root: &mut Value, pointer: &str, value: Value) {
    let mut at = root;
    for part in pointer.split('/') {
        at = &mut at[part];
    }
    *at = value;
}

fn told(changes: &[Change]) -> Vec<String> {
    let mark = |verdict| match verdict {
        Verdict::Weakened => '-',
        Verdict::Neutral => '=',
        Verdict::Strengthened => '+',
    };
    changes.iter().map(|change| format!("{} {}: {}", mark(change.verdict), change.name, change.words)).collect()
}

const MEMBERS: &str = "ApiMembersAuthorizer/Properties/JwtConfiguration";

#[test]
fn nothing_changes_where_nothing_does() {
    assert_eq!(after(&[]), [""; 0]);
}

#[test]
fn a_route_becomes_public() {
    let public = [("GetOrders", route("GET /orders", "NONE", "", &[]))];
    assert_eq!(after(&public), ["- GET /orders: GET /orders becomes PUBLIC"]);
    assert_eq!(before(&public), ["+ GET /orders: GET /orders is not PUBLIC any more: a token of user pool Users"]);
}

#[test]
fn scopes_are_alternatives() {
    let scopes = |scopes: &[&str]| [("PostOrders", route("POST /orders", "JWT", "ApiMembersAuthorizer", scopes))];
    assert_eq!(after(&scopes(&[])), ["- POST /orders: scope orders/write no longer needed on POST /orders"]);
    assert_eq!(before(&scopes(&[])), ["+ POST /orders: scope orders/write needed on POST /orders"]);
    let two = scopes(&["orders/write", "orders/read"]);
    assert_eq!(after(&two), ["- POST /orders: scope orders/read is enough on POST /orders now"]);
    assert_eq!(before(&two), ["+ POST /orders: scope orders/read is not enough on POST /orders any more"]);
    assert_eq!(
        after(&scopes(&["orders/read"])),
        [
            "- POST /orders: scope orders/read is enough on POST /orders now",
            "+ POST /orders: scope orders/write is not enough on POST /orders any more",
        ]
    );
}

#[test]
fn another_issuer_lets_in_others() {
    let edit = [(
        "ApiMembersAuthorizer/Properties/JwtConfiguration/Issuer",
        json!({ "Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Staff}" }),
    )];
    let words = "- Members: issuer of Members changes from user pool Users to user pool Staff";
    assert_eq!(after(&edit), [words], "told once, though two routes have it");
}

#[test]
fn one_more_audience_lets_in_others() {
    let edit = [(&*format!("{MEMBERS}/Audience"), json!([{ "Ref": "Web" }, { "Ref": "Desk" }]))];
    assert_eq!(after(&edit), ["- Members: audience of Members now has Desk"]);
    assert_eq!(before(&edit), ["+ Members: audience of Members has Desk no more"]);
}

#[test]
fn decisions_that_are_remembered_for_longer_are_revoked_later() {
    let edit = [("ApiTokenAuthorizer/Properties/AuthorizerResultTtlInSeconds", json!(3600))];
    assert_eq!(after(&edit), ["- Token: TTL of cached decisions 300 s -> 3600 s"]);
    assert_eq!(before(&edit), ["+ Token: TTL of cached decisions 3600 s -> 300 s"]);
}

#[test]
fn the_settings_of_a_function_that_decides_count() {
    let variables = "Decide/Properties/Environment/Variables";
    let edit = |name: &str, value: Value| after(&[(&*format!("{variables}/{name}"), value)]);
    assert_eq!(edit("REQUIRED_GROUPS", json!("")), ["- Token: group admins no longer needed by Token"]);
    assert_eq!(edit("REQUIRED_GROUPS", json!("a, admins")), ["- Token: group a is enough for Token now"]);
    assert_eq!(
        edit("CLIENT_IDS", json!({ "Fn::Sub": "${Web},${Desk}" })),
        ["- Token: client Desk is enough for Token now"]
    );
    assert_eq!(
        edit("USER_POOL_ID", json!({ "Ref": "Staff" })),
        ["- Token: issuer of Token changes from user pool Users to user pool Staff"]
    );
    assert_eq!(edit("TOKEN_USE", json!("any")), ["- Token: Token takes any tokens instead of access ones"]);
    assert_eq!(
        edit("PLAIN", json!("y")),
        ["- Token: variable PLAIN of the function that decides for Token changes: what it means is not known"]
    );
    assert_eq!(edit("RUST_LOG", json!("debug")), [""; 0]);
}

#[test]
fn a_function_that_may_do_more_is_told_of() {
    let mut put = json!({ "PolicyDocument": { "Statement": [
        { "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
          "Resource": { "Fn::GetAtt": ["Notes", "Arn"] } },
    ] } });
    let edit = |policy: &Value| [("GetNotesRole/Properties/Policies", json!([policy]))];
    assert_eq!(after(&edit(&put)), ["- function GetNotes: function GetNotes may now dynamodb:PutItem on Notes"]);
    assert_eq!(before(&edit(&put)), ["+ function GetNotes: function GetNotes may dynamodb:PutItem on Notes no more"]);
    put["PolicyDocument"]["Statement"][0]["Action"] = json!("dynamodb:*");
    assert_eq!(
        after(&edit(&put)).first().map(String::as_str),
        Some("- function GetNotes: function GetNotes may now dynamodb:* on Notes")
    );
    assert_eq!(
        before(&edit(&put)),
        ["+ function GetNotes: function GetNotes may dynamodb:* on Notes no more"],
        "what a wildcard covers is nothing new"
    );
}

#[test]
fn cors_that_admits_every_origin_is_told_of() {
    let cors = "Api/Properties/CorsConfiguration";
    let edit = [(&*format!("{cors}/AllowOrigins"), json!(["*"]))];
    assert_eq!(after(&edit), ["- cors of Api: CORS now admits every origin"]);
    assert_eq!(before(&edit), ["+ cors of Api: CORS admits only https://app.example now"]);
    let edit = [(&*format!("{cors}/AllowCredentials"), json!(true))];
    assert_eq!(after(&edit), ["- cors of Api: CORS now admits cookies of other origins' pages"]);
}

#[test]
fn an_origin_may_be_all_of_a_scheme() {
    let cors = "Api/Properties/CorsConfiguration/AllowOrigins";
    let edit = |origins: &[&str]| [(cors, json!(origins))];
    let app = "https://app.example";
    let wide = edit(&["https://*"]);
    assert_eq!(after(&wide), ["- cors of Api: CORS now admits https://*"]);
    assert_eq!(before(&wide), ["+ cors of Api: CORS admits https://* no more"], "what is named was admitted before");
    let other = "- cors of Api: CORS now admits http://*";
    assert_eq!(after(&edit(&["http://*"])), [other, "+ cors of Api: CORS admits https://app.example no more"]);
    let same = "= cors of Api: CORS admits the same origins, written as";
    let [old, mut new] = [template(), template()].map(|mut it| {
        it["Resources"]["Api"]["Properties"]["CorsConfiguration"]["AllowOrigins"] = json!(["https://*"]);
        it
    });
    new["Resources"]["Api"]["Properties"]["CorsConfiguration"]["AllowOrigins"] = json!(["https://*", app]);
    assert_eq!(told(&between(&old, &new)), [format!("{same} https://*, {app}")]);
}

#[test]
fn throttles_bound() {
    let rate = "Stage/Properties/DefaultRouteSettings/ThrottlingRateLimit";
    let words = "- throttle of Api: requests a second of stage $default of Api 100 -> 500";
    assert_eq!(after(&[(rate, json!(500))]), [words]);
    let none = after(&[("Stage/Properties/DefaultRouteSettings", json!({}))]);
    assert_eq!(none.len(), 2, "{none:?}");
    assert!(none.iter().all(|line| line.starts_with('-') && line.contains("none but the account's")), "{none:?}");
    let own = after(&[("Stage/Properties/RouteSettings", json!({ "GET /orders": { "ThrottlingRateLimit": 900 } }))]);
    assert_eq!(own, ["- throttle of GET /orders: requests a second of GET /orders 100 -> 900"]);
}

#[test]
fn guards_of_two_kinds_cannot_be_compared() {
    let kinds = [
        ("JWT", "ApiMembersAuthorizer", "a token of user pool Users"),
        ("CUSTOM", "ApiTokenAuthorizer", "whom function Decide lets pass"),
        ("AWS_IAM", "", "a signature with AWS keys"),
    ];
    for (old_kind, old_authorizer, old_words) in kinds {
        for (new_kind, new_authorizer, new_words) in kinds {
            let side = |kind, authorizer| {
                let mut template = template();
                template["Resources"]["GetOrders"] = route("GET /orders", kind, authorizer, &[]);
                template
            };
            let told = told(&between(&side(old_kind, old_authorizer), &side(new_kind, new_authorizer)));
            if old_kind == new_kind {
                assert_eq!(told, [""; 0]);
            } else {
                assert_eq!(told, [format!("- GET /orders: GET /orders takes {new_words} instead of {old_words}")]);
            }
        }
    }
}

#[test]
fn what_cannot_be_told_is_weaker() {
    let edit = [("GetOrders/Properties/AuthorizerId", json!({ "Fn::ImportValue": "x" }))];
    let [line] = after(&edit).try_into().expect("one change");
    assert!(
        line.starts_with("- GET /orders: who passes at GET /orders cannot be told any more: UNKNOWN (JWT)"),
        "{line}"
    );
    let [line] = before(&edit).try_into().expect("one change");
    assert!(line.starts_with("- GET /orders: "), "{line}");
    let both = |name: &str| {
        let mut template = template();
        template["Resources"]["GetOrders"]["Properties"]["AuthorizerId"] = json!({ "Fn::ImportValue": name });
        template
    };
    assert_eq!(told(&between(&both("x"), &both("x"))), [""; 0]);
    assert!(told(&between(&both("x"), &both("y")))[0].starts_with('-'));
    let public = route("GET /orders", "NONE", "", &[]);
    let mut open = template();
    open["Resources"]["GetOrders"] = public;
    assert!(told(&between(&open, &both("x")))[0].starts_with('='), "nothing is weaker than PUBLIC");
}

#[test]
fn a_new_route_is_judged_by_what_took_its_requests() {
    let public = ("New", route("GET /new", "NONE", "", &[]));
    assert_eq!(after(std::slice::from_ref(&public)), ["- GET /new: GET /new is new and PUBLIC"]);
    assert_eq!(before(&[public]), ["+ GET /new: GET /new goes"]);
    let guarded = ("New", route("GET /new", "AWS_IAM", "", &[]));
    assert_eq!(after(&[guarded]), ["= GET /new: GET /new is new and takes a signature with AWS keys"]);
    let with_proxy = |extra: &[(&str, Value)]| {
        let mut template = template();
        template["Resources"]["Proxy"] = route("ANY /{proxy+}", "JWT", "ApiMembersAuthorizer", &[]);
        extra.iter().for_each(|(id, route)| template["Resources"][*id] = route.clone());
        template
    };
    let particular = [("New", route("GET /new", "NONE", "", &[]))];
    assert_eq!(
        told(&between(&with_proxy(&[]), &with_proxy(&particular))),
        [
            "- GET /new: GET /new is now taken by GET /new (PUBLIC) instead of ANY /{proxy+} (a token of user pool Users)"
        ]
    );
    let same = [("New", route("GET /new", "JWT", "ApiMembersAuthorizer", &[]))];
    assert_eq!(
        told(&between(&with_proxy(&[]), &with_proxy(&same))),
        ["= GET /new: GET /new is new and takes a token of user pool Users"]
    );
}

#[test]
fn a_route_that_goes_leaves_its_requests_to_others() {
    let with = |routes: &[(&str, Value)]| {
        let mut template = template();
        routes.iter().for_each(|(id, route)| template["Resources"][*id] = route.clone());
        template
    };
    let open = ("Open", route("$default", "NONE", "", &[]));
    let own = ("Own", route("GET /own", "AWS_IAM", "", &[]));
    assert_eq!(
        told(&between(&with(&[open.clone(), own.clone()]), &with(&[open]))),
        ["- GET /own: GET /own is now taken by $default (PUBLIC) instead of GET /own (a signature with AWS keys)"]
    );
    assert_eq!(told(&between(&with(&[own]), &with(&[]))), ["+ GET /own: GET /own goes"]);
}

#[test]
fn another_name_of_a_parameter_is_no_change_of_access() {
    let with = |key: &str| {
        let mut template = template();
        template["Resources"]["One"] = route(key, "JWT", "ApiMembersAuthorizer", &[]);
        template
    };
    let told = told(&between(&with("GET /orders/{id}"), &with("GET /orders/{orderId}")));
    assert!(told.iter().all(|line| line.starts_with('=')), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[test]
fn names_say_which_api_is_meant_where_two_have_them() {
    let other = |kind: &str| {
        let mut template = template();
        template["Resources"]["Other"] = json!({ "Type": "AWS::ApiGatewayV2::Api" });
        template["Resources"]["OtherRoute"] = route("GET /orders", kind, "", &[]);
        template["Resources"]["OtherRoute"]["Properties"]["ApiId"] = json!({ "Ref": "Other" });
        template
    };
    let [change] = between(&other("AWS_IAM"), &other("NONE")).try_into().expect("one change");
    assert_eq!(change.name, "Other GET /orders");
    assert_eq!(change.words, "Other GET /orders becomes PUBLIC");
}

#[test]
fn a_user_pool_decides_who_gets_a_token() {
    let pool = |pointer: &str, value: Value| after(&[(&*format!("Users/Properties/{pointer}"), value)]);
    let line = |words: &str| vec![format!("- user pool Users: {words}")];
    assert_eq!(
        pool("AdminCreateUserConfig/AllowAdminCreateUserOnly", json!(false)),
        line("people may sign up by themselves in user pool Users")
    );
    assert_eq!(pool("MfaConfiguration", json!("OPTIONAL")), line("second factor in user pool Users ON -> OPTIONAL"));
    assert_eq!(
        pool("Policies/PasswordPolicy/MinimumLength", json!(8)),
        line("characters of a password in user pool Users 12 -> 8")
    );
    assert_eq!(
        pool("Policies/PasswordPolicy/RequireNumbers", json!(false)),
        line("passwords of user pool Users need no numbers any more")
    );
    assert_eq!(
        pool("LambdaConfig", json!({ "PreSignUp": { "Fn::GetAtt": ["Decide", "Arn"] } })),
        line("PreSignUp of user pool Users is function Decide instead of none")
    );
    let client = |pointer: &str, value: Value| after(&[(&*format!("Web/Properties/{pointer}"), value)]);
    assert_eq!(
        client("AccessTokenValidity", json!(24)),
        line("access tokens of client Web of user pool Users are good for 3600 s -> 86400 s")
    );
    assert_eq!(
        client("ExplicitAuthFlows", json!(["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH"])),
        line("users of client Web of user pool Users may now sign in by ALLOW_USER_PASSWORD_AUTH")
    );
}

#[test]
fn a_new_client_counts_where_an_authorizer_may_take_every_one() {
    let client = json!({ "Type": "AWS::Cognito::UserPoolClient", "Properties": { "UserPoolId": { "Ref": "Users" } } });
    let with = |variables: Value| {
        let mut template = template();
        template["Resources"]["Decide"]["Properties"]["Environment"]["Variables"] = variables;
        let mut new = template.clone();
        new["Resources"]["App"] = client.clone();
        told(&between(&template, &new))
    };
    let may = "- user pool Users: client App is new, and tokens of every client of user pool Users may count";
    let ours = json!({ "USER_POOL_ID": { "Ref": "Users" }, "CLIENT_IDS": { "Ref": "Web" }, "TOKEN_USE": "access" });
    assert_eq!(with(ours.clone()), ["= user pool Users: client App of user pool Users is new"]);
    let mut more = ours;
    more["STAGE"] = json!("x");
    for others in [more, json!({ "USER_POOL_ID": { "Ref": "Users" }, "CLIENT_IDS": { "Ref": "Web" } }), json!({})] {
        assert_eq!(with(others.clone()), [may], "{others}");
    }
}

#[test]
fn a_pool_that_says_nothing_of_recovery_sends_codes() {
    let by = |name: &str| {
        [(
            "Users/Properties/AccountRecoverySetting",
            json!({ "RecoveryMechanisms": [{ "Name": name, "Priority": 1 }] }),
        )]
    };
    let passwords = "user pool Users: passwords of user pool Users";
    let (email, phone) = ("verified_email", "verified_phone_number");
    assert_eq!(before(&by("admin_only")), [format!("- {passwords} can be replaced by {email}, {phone}")]);
    assert_eq!(after(&by("admin_only")), [format!("+ {passwords} cannot be replaced by {email}, {phone} any more")]);
    assert_eq!(after(&by(email)), [format!("+ {passwords} cannot be replaced by {phone} any more")]);
}

#[test]
fn a_switch_that_cannot_be_told_may_be_on() {
    let only = "Users/Properties/AdminCreateUserConfig/AllowAdminCreateUserOnly";
    let edit = [(only, json!({ "Ref": "Unheard" }))];
    let words = "people may sign up by themselves in user pool Users, where Unheard says so";
    assert_eq!(after(&edit), [format!("- user pool Users: {words}")]);
    assert_eq!(before(&edit), ["+ user pool Users: user pool Users takes no sign-ups"]);
}

#[test]
fn whether_users_are_hidden_may_not_be_told() {
    let with = |said: Value| {
        let mut template = template();
        template["Resources"]["Web"]["Properties"]["PreventUserExistenceErrors"] = said;
        template
    };
    let line = |old: Value, new: Value| told(&between(&with(old), &with(new)));
    let (hidden, legacy, unknown) = (json!("ENABLED"), json!("LEGACY"), json!({ "Ref": "Unheard" }));
    let hides = "client Web of user pool Users hides who is a user";
    assert_eq!(line(Value::Null, legacy.clone()), [""; 0]);
    assert_eq!(line(legacy, hidden.clone()), [format!("+ user pool Users: {hides}")]);
    let words = format!("it is not so any more that {hides}, where Unheard says so");
    assert_eq!(line(hidden.clone(), unknown.clone()), [format!("- user pool Users: {words}")]);
    assert_eq!(line(unknown, hidden), [format!("+ user pool Users: {hides}")]);
}

#[test]
fn doors_beside_the_api_are_told_of() {
    let url = |kind: &str| {
        let properties = json!({ "TargetFunctionArn": { "Ref": "GetNotes" }, "AuthType": kind });
        [("Url", json!({ "Type": "AWS::Lambda::Url", "Properties": properties }))]
    };
    assert_eq!(after(&url("NONE")), ["- function GetNotes: function GetNotes gets an address of its own, PUBLIC"]);
    assert!(after(&url("AWS_IAM"))[0].starts_with('='));
    let permission = [(
        "Let",
        json!({ "Type": "AWS::Lambda::Permission", "Properties": {
        "FunctionName": { "Ref": "GetNotes" }, "Principal": "*", "Action": "lambda:InvokeFunction" } }),
    )];
    assert_eq!(
        after(&permission),
        ["- function GetNotes: function GetNotes may now be invoked by everybody (lambda:InvokeFunction)"]
    );
    let nested = [("Inner", json!({ "Type": "AWS::CloudFormation::Stack", "Properties": { "TemplateURL": "x" } }))];
    assert_eq!(after(&nested), ["- Inner: Inner (AWS::CloudFormation::Stack) is new, and what is in it is not seen"]);
}

#[test]
fn a_rest_method_that_names_scopes_takes_other_tokens() {
    let with = |scopes: &[&str], key: bool| {
        json!({ "Resources": {
            "Rest": { "Type": "AWS::ApiGateway::RestApi" },
            "Users": { "Type": "AWS::Cognito::UserPool" },
            "RestMembersAuthorizer": { "Type": "AWS::ApiGateway::Authorizer", "Properties": {
                "Type": "COGNITO_USER_POOLS", "ProviderARNs": [{ "Fn::GetAtt": ["Users", "Arn"] }] } },
            "Get": { "Type": "AWS::ApiGateway::Method", "Properties": {
                "RestApiId": { "Ref": "Rest" }, "ResourceId": { "Fn::GetAtt": ["Rest", "RootResourceId"] },
                "HttpMethod": "GET", "AuthorizationType": "COGNITO_USER_POOLS", "ApiKeyRequired": key,
                "AuthorizerId": { "Ref": "RestMembersAuthorizer" }, "AuthorizationScopes": scopes } },
        } })
    };
    assert_eq!(
        told(&between(&with(&[], false), &with(&["a/b"], false))),
        ["- GET /: access tokens with scope a/b pass on GET /, where ID tokens did"]
    );
    assert_eq!(
        told(&between(&with(&["a/b"], false), &with(&[], false))),
        ["- GET /: scope a/b no longer needed on GET /: ID tokens pass"]
    );
    assert_eq!(told(&between(&with(&[], true), &with(&[], false))), ["- GET /: GET / needs no API key any more"]);
}

#[test]
fn a_method_at_an_unknown_path_may_take_anything() {
    let method = json!({ "Type": "AWS::ApiGateway::Method", "Properties": { "RestApiId": { "Ref": "Rest" },
        "ResourceId": { "Fn::ImportValue": "x" }, "HttpMethod": "GET", "AuthorizationType": "AWS_IAM" } });
    let old = json!({ "Resources": { "Rest": { "Type": "AWS::ApiGateway::RestApi" } } });
    let mut new = old.clone();
    new["Resources"]["Get"] = method;
    let words = "- GET (Get): GET (Get) comes or goes, and which requests it takes cannot be told";
    assert_eq!(told(&between(&old, &new)), [words]);
    assert_eq!(told(&between(&new, &old)), [words]);
}

#[test]
fn a_resource_policy_that_goes_opens_the_api() {
    let with = |policy: Value| json!({ "Resources": { "Rest": { "Type": "AWS::ApiGateway::RestApi", "Properties": { "Policy": policy } } } });
    let policy = |effect: &str| {
        json!({ "Statement": [
            { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*" },
            { "Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": "b" },
        ] })
    };
    let told_of = |old: Value, new: Value| told(&between(&with(old), &with(new)));
    assert_eq!(told_of(policy("Deny"), Value::Null), ["- Rest: Rest has no resource policy any more"]);
    assert_eq!(
        told_of(policy("Deny"), policy("Allow")),
        ["- Rest: the resource policy of Rest does not deny execute-api:Invoke on b by * any more"]
    );
    assert_eq!(
        told_of(policy("Allow"), policy("Deny")),
        ["+ Rest: the resource policy of Rest denies execute-api:Invoke on b by *"]
    );
}

#[test]
fn a_weakening_has_a_name_to_accept_it_by() {
    let (old, mut new) = (template(), template());
    new["Resources"]["GetOrders"] = route("GET /orders", "NONE", "", &[]);
    new["Resources"]["Api"]["Properties"]["CorsConfiguration"]["AllowOrigins"] = json!(["*"]);
    let found = between(&old, &new);
    assert_eq!(
        weakened_by(&found).map(|change| change.name.as_str()).collect::<Vec<_>>(),
        ["GET /orders", "cors of Api"]
    );
}

#[test]
fn two_things_of_one_name_are_told_apart() {
    let of = |disabled: bool, issuer: &str| {
        json!({ "Resources": {
            "Members": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "DisableExecuteApiEndpoint": disabled } },
            "Tokens": { "Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {
                "Name": "Members", "JwtConfiguration": { "Issuer": issuer, "Audience": ["a"] } } },
            "Get": { "Type": "AWS::ApiGatewayV2::Route", "Properties": {
                "ApiId": { "Ref": "Members" }, "RouteKey": "GET /", "AuthorizationType": "JWT",
                "AuthorizerId": { "Ref": "Tokens" } } },
        } })
    };
    let names =
        |old: Value, new: Value| -> Vec<String> { between(&old, &new).into_iter().map(|change| change.name).collect() };
    let (here, there) = ("https://a.example", "https://b.example");
    assert_eq!(names(of(true, here), of(false, there)), ["authorizer Members", "API Members"]);
    assert_eq!(names(of(true, here), of(true, there)), ["Members"], "where one of them changes, there is no doubt");
}

#[test]
fn every_stack_is_the_same_as_itself() {
    for text in [
        include_str!("../../../tests/templates/chat.json"),
        include_str!("../../../tests/templates/contact.json"),
        include_str!("../../../tests/templates/federated.json"),
        include_str!("../../../tests/templates/notes.json"),
        include_str!("../../../tests/templates/protected-api.json"),
        include_str!("../../../tests/suite/rest/everything.json"),
    ] {
        let template: Value = serde_json::from_str(text).expect("a synthesized template");
        assert_eq!(told(&between(&template, &template)), [""; 0]);
        let from_nothing = between(&json!({}), &template);
        assert!(!from_nothing.is_empty());
    }
}

/// What is found between two templates of these resources, as lines.
fn of(old: &Value, new: &Value) -> Vec<String> {
    told(&between(&json!({ "Resources": old }), &json!({ "Resources": new })))
}

/// The same when one property of a resource is set.
fn of_edit(old: &Value, pointer: &str, value: Value) -> Vec<String> {
    let mut new = old.clone();
    set(&mut new, pointer, value);
    of(old, &new)
}

#[test]
fn a_client_without_a_list_writes_the_standard_attributes() {
    let writes = |old: Value, new: Value| {
        let pool = |attributes: Value| {
            let properties = json!({ "UserPoolId": { "Ref": "Users" }, "WriteAttributes": attributes });
            json!({ "Users": { "Type": "AWS::Cognito::UserPool" },
                "Web": { "Type": "AWS::Cognito::UserPoolClient", "Properties": properties } })
        };
        let lines = of(&pool(old), &pool(new));
        lines.iter().map(|line| line.replace("user pool Users: client Web of user pool Users ", "")).collect::<Vec<_>>()
    };
    assert_eq!(writes(json!([]), json!(["email"])), ["+ may change only the attributes that it names"]);
    assert_eq!(
        writes(json!([]), json!(["email", "custom:role"])),
        ["- may now change the attribute custom:role", "+ may change only the attributes that it names"]
    );
    assert_eq!(writes(json!(["email"]), json!([])), ["- may now change every standard attribute"]);
    assert_eq!(writes(json!(["email", "name"]), json!(["email"])), ["+ may change the attribute name no more"]);
}

fn role(trusted: &Value, action: &str) -> Value {
    json!({ "Type": "AWS::IAM::Role", "Properties": {
        "AssumeRolePolicyDocument": { "Statement":
            [{ "Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole" }] },
        "Policies": [{ "PolicyDocument": { "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }] } }],
    } })
}

#[test]
fn whoever_may_assume_a_role_has_its_powers() {
    let lambda = json!({ "Service": "lambda.amazonaws.com" });
    let with = |role: Value| {
        json!({ "F": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["R", "Arn"] } } },
            "R": role })
    };
    let old = with(role(&lambda, "s3:GetObject"));
    let mut both = old.clone();
    both["R"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] =
        json!({ "Service": "lambda.amazonaws.com", "AWS": "*" });
    let words = "function F: the role of function F may";
    assert_eq!(of(&old, &both), [format!("- {words} now be assumed by everybody (sts:AssumeRole)")]);
    assert_eq!(of(&both, &old), [format!("+ {words} be assumed by everybody (sts:AssumeRole) no more")]);
}

#[test]
fn roles_users_and_groups_of_no_function_count() {
    let service = json!({ "Service": "apigateway.amazonaws.com" });
    let account = json!({ "AWS": "arn:aws:iam::111122223333:root" });
    let cases = [
        (role(&service, "s3:GetObject"), "= role R: role R is new and may s3:GetObject on *"),
        (role(&service, "execute-api:Invoke"), "- role R: role R is new and may execute-api:Invoke on *"),
        (role(&account, "s3:GetObject"), "- role R: role R is new and may s3:GetObject on *"),
    ];
    for (role, line) in cases {
        assert_eq!(of(&json!({}), &json!({ "R": role })), [line]);
    }
    assert_eq!(of(&json!({}), &json!({ "R": role(&service, "logs:PutLogEvents") })), [""; 0], "it only logs");
    let old = json!({ "R": role(&service, "s3:GetObject"), "U": { "Type": "AWS::IAM::User" },
        "G": { "Type": "AWS::IAM::Group" } });
    let may = json!({ "Statement": { "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*" } });
    let policy = |of: &str, names: Value| {
        let mut properties = json!({ "PolicyDocument": may });
        properties[of] = names;
        json!({ "Type": "AWS::IAM::Policy", "Properties": properties })
    };
    for (list, id, name) in [("Roles", "R", "role R"), ("Users", "U", "user U"), ("Groups", "G", "group G")] {
        let lines = of_edit(&old, "P", policy(list, json!([{ "Ref": id }])));
        assert_eq!(lines, [format!("- {name}: {name} may now execute-api:Invoke on *")]);
    }
    assert_eq!(of_edit(&old, "U/Properties/Groups", json!(["admins"])), ["- user U: user U is now in group admins"]);
    let elsewhere = of_edit(&old, "P", policy("Roles", json!(["Admin"])));
    assert_eq!(elsewhere, ["- P: P (AWS::IAM::Policy) is new, which is not read"]);
}

#[test]
fn the_role_of_a_new_function_is_a_role_as_well() {
    let (lambda, everybody) = (json!({ "Service": "lambda.amazonaws.com" }), json!({ "AWS": "*" }));
    let account = json!({ "AWS": "arn:aws:iam::111122223333:root" });
    let function =
        || json!({ "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["R", "Arn"] } } });
    let both = |role: Value| json!({ "F": function(), "R": role });
    let new = |role: Value| of(&json!({}), &both(role));
    let neutral = |action: &str| format!("= function F: function F is new and may {action} on *");
    assert_eq!(
        new(role(&everybody, "s3:*")),
        ["- role R: role R is new and may s3:* on *".to_owned(), neutral("s3:*")]
    );
    assert_eq!(new(role(&lambda, "s3:*")), [neutral("s3:*")], "only the function has it");
    let alone = json!({ "R": role(&account, "s3:GetObject") });
    assert_eq!(of(&alone, &both(role(&account, "s3:GetObject"))), [neutral("s3:GetObject")]);
    assert_eq!(
        of(&alone, &both(role(&everybody, "dynamodb:*"))),
        [
            "- role R: role R may now be assumed by everybody (sts:AssumeRole)".to_owned(),
            "- role R: role R may now dynamodb:* on *".to_owned(),
            neutral("dynamodb:*"),
            "+ role R: role R may s3:GetObject on * no more".to_owned(),
        ]
    );
    // The function that had it goes, and another one has it.
    let with = |id: &str, role: Value| {
        let mut resources = json!({ "R": role });
        resources[id] = function();
        resources
    };
    let other = of(&with("G", role(&lambda, "s3:GetObject")), &with("F", role(&lambda, "s3:*")));
    assert_eq!(other[0], "- role R: role R may now s3:* on *");
    assert_eq!(of(&both(role(&lambda, "s3:*")), &json!({ "R": role(&lambda, "s3:*") })), [""; 0], "it stays");
}

#[test]
fn what_may_say_who_gets_in_and_is_not_read_must_stay() {
    let changed = |kind: &str, property: &str| {
        let with = |value: &str| json!({ "X": { "Type": kind, "Properties": { property: value } } });
        (of(&json!({}), &with("a")), of(&with("a"), &with("b")))
    };
    let cases = [
        ("AWS::Cognito::UserPoolUserToGroupAttachment", "GroupName", '-'),
        ("AWS::Cognito::UserPoolUser", "Username", '-'),
        ("AWS::Cognito::IdentityPool", "AllowUnauthenticatedIdentities", '='),
        ("AWS::Cognito::IdentityPoolRoleAttachment", "Roles", '-'),
        ("AWS::Cognito::UserPoolRiskConfigurationAttachment", "ClientId", '-'),
        ("AWS::ApiGatewayV2::ApiGatewayManagedOverrides", "Route", '-'),
        ("AWS::ApiGatewayV2::RoutingRule", "Actions", '-'),
        ("AWS::ApiGateway::UsagePlanKey", "KeyId", '-'),
    ];
    for (kind, property, new) in cases {
        let (added, edited) = changed(kind, property);
        assert_eq!(added, [format!("{new} X: X ({kind}) is new, which is not read")]);
        assert_eq!(edited, [format!("- X: X ({kind}) changes, which is not read")]);
    }
    for kind in ["AWS::ApiGateway::Deployment", "AWS::ApiGateway::GatewayResponse", "AWS::ApiGateway::Account"] {
        assert_eq!(changed(kind, "Description"), (vec![], vec![]), "{kind} lets nobody in");
    }
    let stage = |kind: &str| {
        let properties = json!({ "ApiId": { "Fn::ImportValue": "x" }, "StageName": kind });
        json!({ "S": { "Type": "AWS::ApiGatewayV2::Stage", "Properties": properties } })
    };
    assert!(of(&stage("a"), &stage("b"))[0].contains("which is not read"), "the API stands elsewhere");
}

#[test]
fn a_managed_policy_that_says_whose_it_is_does_something_by_itself() {
    let policy = |effect: &str, roles: Value| {
        json!({ "P": { "Type": "AWS::IAM::ManagedPolicy", "Properties": { "Roles": roles,
            "PolicyDocument": { "Statement": [{ "Effect": effect, "Action": "*", "Resource": "*" }] } } },
            "R": role(&json!({ "Service": "ecs-tasks.amazonaws.com" }), "s3:*") })
    };
    let with = |effect: &str, name: Value| policy(effect, json!([name]));
    let (own, foreign) = (json!({ "Ref": "R" }), json!("ExistingAdmin"));
    let without = json!({ "R": policy("Allow", json!([]))["R"] });
    let told = |what: &str| format!("- P: P (AWS::IAM::ManagedPolicy) {what}");
    assert_eq!(of(&without, &with("Allow", foreign.clone())), [told("is new, which is not read")]);
    assert_eq!(
        of(&without, &policy("Allow", json!([]))),
        ["= P: P (AWS::IAM::ManagedPolicy) is new, which is not read"],
        "it is nobody's"
    );
    let moved = of(&with("Allow", own.clone()), &with("Allow", foreign.clone()));
    assert!(moved.contains(&told("is not read any more")), "{moved:?}");
    let back = of(&with("Deny", foreign.clone()), &with("Deny", own));
    assert!(back.contains(&told("is read now, and what it said before is not known")), "{back:?}");
    assert_eq!(of(&with("Deny", foreign), &without), [told("goes, which was not read")]);
}

#[test]
fn a_statement_that_may_deny_is_never_taken_for_one_that_allows() {
    let statements = |more: Value| {
        let all = json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }, more]);
        let policy = json!({ "PolicyDocument": { "Statement": all } });
        json!({ "F": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["R", "Arn"] } } },
            "R": { "Type": "AWS::IAM::Role", "Properties": { "Policies": [policy] } } })
    };
    let deny = json!({ "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*" });
    let choice = json!({ "Fn::If": ["IsLive", deny, { "Ref": "AWS::NoValue" }] });
    let effect =
        json!({ "Effect": { "Fn::If": ["IsLive", "Deny", "Allow"] }, "Action": "s3:GetObject", "Resource": "*" });
    for unread in [choice, effect] {
        let (with, without) = (statements(unread), statements(Value::Null));
        for (old, new) in [(&with, &without), (&without, &with)] {
            let lines = of(old, new);
            assert!(
                lines.iter().any(|line| line.starts_with("- function F: a statement of the policies")),
                "{lines:?}"
            );
            assert!(!lines.iter().any(|line| line.starts_with('+')), "{lines:?}");
        }
        assert_eq!(of(&with, &with), [""; 0]);
    }
}

#[test]
fn a_condition_that_cannot_be_decided_is_a_fact() {
    let with = |condition: Option<&str>, value: &str| {
        let mut template = json!({
            "Parameters": { "Stage": { "Type": "String" } },
            "Conditions": {
                "InTest": { "Fn::Equals": [{ "Ref": "Stage" }, value] },
                "OrSo": { "Fn::Or": [{ "Condition": "InTest" }, { "Condition": "InTest" }] },
            },
            "Resources": { "F": { "Type": "AWS::Lambda::Function" }, "Url": { "Type": "AWS::Lambda::Url",
                "Properties": { "TargetFunctionArn": { "Ref": "F" }, "AuthType": "NONE" } } },
        });
        if let Some(condition) = condition {
            template["Resources"]["Url"]["Condition"] = condition.into();
        }
        template
    };
    let line = |old: &Value, new: &Value| told(&between(old, new));
    let tested = with(Some("InTest"), "test");
    assert_eq!(line(&tested, &tested), [""; 0]);
    assert_eq!(
        line(&tested, &with(None, "test")),
        ["- Url: whether Url is there depends on nothing instead of InTest"]
    );
    assert_eq!(
        line(&tested, &with(Some("InTest"), "live")),
        ["- condition InTest: condition InTest changes, and whether it holds cannot be told"]
    );
    let through = line(&with(Some("OrSo"), "test"), &with(Some("OrSo"), "live"));
    assert!(through.iter().any(|line| line.contains("condition OrSo changes")), "{through:?}");
}

#[test]
fn names_are_followed_as_references_are() {
    let function = json!({ "Type": "AWS::Lambda::Function", "Properties": { "FunctionName": "decide",
        "Role": "arn:aws:iam::111122223333:role/app/deciders",
        "Environment": { "Variables": { "REQUIRED_GROUPS": "admins" } } } });
    let uri = |function: Value| {
        let parts =
            json!(["", ["arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/", function, "/invocations"]]);
        json!({ "Type": "AWS::ApiGatewayV2::Authorizer", "Properties": { "ApiId": { "Ref": "Api" },
            "AuthorizerType": "REQUEST", "AuthorizerUri": { "Fn::Join": parts } } })
    };
    let addresses = [
        json!({ "Fn::GetAtt": ["Decide", "Arn"] }),
        json!({ "Fn::Sub": "${Decide.Arn}:live" }),
        json!("arn:aws:lambda:eu-west-1:111122223333:function:decide"),
        json!("arn:aws:lambda:eu-west-1:111122223333:function:decide:live"),
        json!({ "Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:decide" }),
        json!("111122223333:function:decide"),
        json!({ "Fn::If": ["InTest", { "Fn::GetAtt": ["Decide", "Arn"] }, { "Fn::GetAtt": ["Other", "Arn"] }] }),
    ];
    for address in addresses {
        let old = json!({
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "ApiTokenAuthorizer": uri(address.clone()),
            "Route": route("GET /a", "CUSTOM", "ApiTokenAuthorizer", &[]),
            "Decide": function,
        });
        let lines = of_edit(&old, "Decide/Properties/Environment/Variables/REQUIRED_GROUPS", json!(""));
        assert!(lines.iter().any(|line| line.starts_with("- Token: ")), "{address}: {lines:?}");
    }
    let old = json!({
        "Decide": function,
        "R": { "Type": "AWS::IAM::Role", "Properties": { "RoleName": "deciders",
            "PermissionsBoundary": { "Ref": "Boundary" } } },
        "P": { "Type": "AWS::IAM::Policy", "Properties": { "Roles": ["deciders"], "PolicyDocument": {
            "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }] } } },
        "Boundary": { "Type": "AWS::IAM::ManagedPolicy", "Properties": { "PolicyDocument": {
            "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }] } } },
    });
    let statement = "Properties/PolicyDocument/Statement";
    let wide = json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }]);
    assert_eq!(
        of_edit(&old, &format!("P/{statement}"), wide.clone()),
        ["- function Decide: function Decide may now s3:* on *"]
    );
    assert_eq!(
        of_edit(&old, &format!("Boundary/{statement}"), wide),
        ["- function Decide: the policy that bounds function Decide now allows s3:* on *"]
    );
}

#[test]
fn names_are_not_followed_into_other_accounts_and_regions() {
    let with = |address: Value| {
        json!({
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "ApiTokenAuthorizer": { "Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {
                "ApiId": { "Ref": "Api" }, "AuthorizerType": "REQUEST", "AuthorizerUri": address } },
            "Route": route("GET /a", "CUSTOM", "ApiTokenAuthorizer", &[]),
            "Decide": { "Type": "AWS::Lambda::Function", "Properties": { "FunctionName": "decide" } },
        })
    };
    let own = with(json!({ "Fn::GetAtt": ["Decide", "Arn"] }));
    for address in [
        "arn:aws:lambda:eu-west-1:999999999999:function:decide",
        "arn:aws:lambda:us-east-1:111122223333:function:decide",
        "arn:aws:lambda:eu-west-1:${Account}:function:decide",
        "999999999999:function:decide",
    ] {
        let lines = of(&own, &with(json!({ "Fn::Sub": address })));
        assert!(lines[0].starts_with("- Token: Token asks function"), "{address}: {lines:?}");
    }
    let had = |policy: Value, action: &str| {
        json!({
            "F": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["R", "Arn"] } } },
            "R": { "Type": "AWS::IAM::Role", "Properties": { "ManagedPolicyArns": [policy] } },
            "M": { "Type": "AWS::IAM::ManagedPolicy", "Properties": { "ManagedPolicyName": "AdministratorAccess",
                "PolicyDocument": { "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }] } } },
        })
    };
    let own = had(json!("arn:aws:iam::111122223333:policy/app/AdministratorAccess"), "s3:GetObject");
    for foreign in
        ["arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::999999999999:policy/AdministratorAccess"]
    {
        let lines = of(&own, &had(json!(foreign), "s3:GetObject"));
        let expected = "- function F: function F may now do what policy AdministratorAccess allows";
        assert!(lines.contains(&expected.to_owned()), "{lines:?}");
    }
    let more = of(&own, &had(json!("arn:aws:iam::111122223333:policy/app/AdministratorAccess"), "s3:*"));
    assert_eq!(more, ["- function F: function F may now s3:* on *"], "this one is ours");
}

#[test]
fn an_expression_in_place_of_a_whole_setting_may_say_anything() {
    let include =
        |file: &str| json!({ "Fn::Transform": { "Name": "AWS::Include", "Parameters": { "Location": file } } });
    let choice = |setting: &Value| json!({ "Fn::If": ["Undecided", setting, { "Ref": "AWS::NoValue" }] });
    // Where a whole setting stands, and of whom a change is told.
    let http = [
        ("ApiMembersAuthorizer/Properties/JwtConfiguration", "Members"),
        ("Decide/Properties/Environment", "Token"),
        ("Users/Properties/Policies", "user pool Users"),
        ("Users/Properties/AdminCreateUserConfig", "user pool Users"),
        ("Users/Properties/UserPoolAddOns", "user pool Users"),
        ("Web/Properties/TokenValidityUnits", "user pool Users"),
        ("Stage/Properties/DefaultRouteSettings", "throttle of Api"),
        ("Stage/Properties/RouteSettings", "throttle of RouteSettings"),
    ];
    for (pointer, name) in http {
        let was = template()["Resources"].pointer(&format!("/{pointer}")).cloned().unwrap_or_else(|| json!({}));
        for whole in [include("s3://a/b"), choice(&was)] {
            let lines = after(&[(pointer, whole.clone())]);
            assert!(lines.iter().any(|line| line.starts_with(&format!("- {name}: "))), "{pointer}: {lines:?}");
        }
    }
    let mut old = rest(json!({ "Ref": "One" }));
    old["Get"]["Properties"]["Integration"] = json!({ "Type": "MOCK" });
    old["Plan"] = json!({ "Type": "AWS::ApiGateway::UsagePlan", "Properties": {
        "ApiStages": [{ "ApiId": { "Ref": "Rest" }, "Stage": "prod" }],
        "Throttle": { "RateLimit": 10 }, "Quota": { "Limit": 100, "Period": "DAY" } } });
    old["Name"] = json!({ "Type": "AWS::ApiGateway::DomainName", "Properties": { "DomainName": "a.example",
        "MutualTlsAuthentication": { "TruststoreUri": "s3://a/b" } } });
    let others = [
        ("Stage/Properties/MethodSettings", '-', "throttle of Rest"),
        ("Plan/Properties/Throttle", '-', "usage plan Plan"),
        ("Plan/Properties/Quota", '-', "usage plan Plan"),
        ("Name/Properties/MutualTlsAuthentication", '-', "domain a.example"),
        ("Get/Properties/Integration", '-', "GET /"),
    ];
    for (pointer, mark, name) in others {
        let lines = of_edit(&old, pointer, include("s3://a/b"));
        assert!(lines.iter().any(|line| line.starts_with(&format!("{mark} {name}: "))), "{pointer}: {lines:?}");
        let of_one = |file: &str| {
            let mut new = old.clone();
            set(&mut new, pointer, include(file));
            new
        };
        let lines = of(&of_one("s3://a/b"), &of_one("s3://c/d"));
        assert!(lines.iter().any(|line| line.starts_with(&format!("{mark} {name}: "))), "{pointer}: {lines:?}");
    }
    let stage = json!({ "ApiId": { "Ref": "Rest" }, "Stage": "prod", "Throttle": include("s3://a/b") });
    let lines = of_edit(&old, "Plan/Properties/ApiStages", json!([stage]));
    assert!(lines[0].starts_with("- usage plan Plan: requests a second of each key of usage plan Plan on methods"));
}

#[test]
fn a_certificate_that_may_not_be_asked_for_keeps_nobody_out() {
    let trusted = json!({ "TruststoreUri": "s3://a/b" });
    let perhaps = json!({ "Fn::If": ["Undecided", trusted, { "Ref": "AWS::NoValue" }] });
    let with = |certificates: Value| {
        json!({
            "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "DisableExecuteApiEndpoint": true } },
            "Name": { "Type": "AWS::ApiGatewayV2::DomainName", "Properties": { "DomainName": "a.example",
                "MutualTlsAuthentication": certificates } },
        })
    };
    let mapped = |mut resources: Value| {
        resources["Mapping"] = json!({ "Type": "AWS::ApiGatewayV2::ApiMapping", "Properties": {
            "ApiId": { "Ref": "Api" }, "DomainName": { "Ref": "Name" }, "Stage": "$default" } });
        resources
    };
    assert_eq!(of(&with(trusted.clone()), &mapped(with(trusted.clone()))), ["= Api: Api answers at a.example"]);
    assert_eq!(of(&with(perhaps.clone()), &mapped(with(perhaps.clone()))), ["- Api: Api answers at a.example"]);
    assert!(of(&with(Value::Null), &with(trusted))[0].starts_with('+'));
    assert!(of(&with(Value::Null), &with(perhaps))[0].starts_with('='));
}

#[test]
fn an_authorizer_that_is_one_of_two_must_stay_as_it_is() {
    let mut old = template();
    old["Resources"]["GetToken"]["Properties"]["AuthorizerId"] =
        json!({ "Fn::If": ["InTest", { "Ref": "ApiTokenAuthorizer" }, { "Ref": "ApiOtherAuthorizer" }] });
    let mut new = old.clone();
    new["Resources"]["ApiTokenAuthorizer"]["Properties"]["IdentitySource"] = json!([]);
    assert_eq!(
        told(&between(&old, &new)),
        ["- ApiTokenAuthorizer: ApiTokenAuthorizer (AWS::ApiGatewayV2::Authorizer) changes, which is not read"]
    );
}

#[test]
fn a_stage_variable_that_a_guard_names_must_stay() {
    let with = |variables: Value, uri: &str| {
        let mut template = template();
        template["Resources"]["Stage"]["Properties"]["StageVariables"] = variables;
        let address = json!({ "Fn::Sub": uri });
        template["Resources"]["ApiTokenAuthorizer"]["Properties"]["AuthorizerUri"] = address;
        template
    };
    let named = "arn:aws:lambda:eu-west-1:111122223333:function:${!stageVariables.decide}";
    let line = |uri: &str| {
        told(&between(&with(json!({ "decide": "a", "x": "1" }), uri), &with(json!({ "decide": "b", "x": "1" }), uri)))
    };
    assert_eq!(line(named), ["- GET /token: stage variable decide changes, on which GET /token depends"]);
    let depends = |name: &str| format!("- GET /token: stage variable {name} changes, on which GET /token depends");
    assert_eq!(line("${Decide.Arn}"), [depends("decide")], "it may look at them");
    let ours = |decide: &str| {
        let mut template = with(json!({ "decide": decide }), "${Decide.Arn}");
        let variables = &mut template["Resources"]["Decide"]["Properties"]["Environment"]["Variables"];
        variables.as_object_mut().expect("a map").remove("PLAIN");
        template
    };
    assert_eq!(told(&between(&ours("a"), &ours("b"))), [""; 0], "our own authorizers do not look at them");
}

/// A REST API with a route that needs an API key, and a stage that serves this deployment.
fn rest(deployment: Value) -> Value {
    json!({
        "Rest": { "Type": "AWS::ApiGateway::RestApi", "Properties": {} },
        "Get": { "Type": "AWS::ApiGateway::Method", "Properties": {
            "RestApiId": { "Ref": "Rest" }, "ResourceId": { "Fn::GetAtt": ["Rest", "RootResourceId"] },
            "HttpMethod": "GET", "AuthorizationType": "AWS_IAM", "ApiKeyRequired": true } },
        "One": { "Type": "AWS::ApiGateway::Deployment", "Properties": { "RestApiId": { "Ref": "Rest" } } },
        "Stage": { "Type": "AWS::ApiGateway::Stage", "Properties": { "RestApiId": { "Ref": "Rest" },
            "StageName": "prod", "DeploymentId": deployment, "MethodSettings":
                [{ "HttpMethod": "*", "ResourcePath": "/*", "ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 20 }] } },
    })
}

#[test]
fn a_stage_serves_a_copy_that_is_known() {
    let (old, mut new) = (rest(json!({ "Ref": "One" })), rest(json!({ "Ref": "Two" })));
    let one = new.as_object_mut().expect("a map").remove("One").expect("it is there");
    new["Two"] = one;
    assert_eq!(of(&old, &new), [""; 0], "a new copy is what the template says");
    let words = "Rest: stage prod of Rest serves deployment";
    assert_eq!(of(&old, &rest(json!("abc123"))), [format!("- {words} abc123 instead of One, which is not read")]);
    let mut canary = rest(json!({ "Ref": "One" }));
    canary["Stage"]["Properties"]["CanarySetting"] = json!({ "DeploymentId": "abc123" });
    assert!(of(&old, &canary)[0].starts_with("- Rest: the canary of stage prod of Rest serves deployment abc123"));
    let mut both = rest(json!({ "Ref": "Two" }));
    both["Two"] = both["One"].clone();
    let mut back = both.clone();
    back["Stage"]["Properties"]["DeploymentId"] = json!({ "Ref": "One" });
    assert!(of(&both, &back)[0].starts_with('-'), "One was made of another template");
}

#[test]
fn a_deployment_is_a_copy_of_its_own_api() {
    let with = |name: &str, api: &str| {
        let mut resources = json!({
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "Other": { "Type": "AWS::ApiGatewayV2::Api" },
            "Stage": { "Type": "AWS::ApiGatewayV2::Stage",
                "Properties": { "ApiId": { "Ref": "Api" }, "StageName": "prod", "DeploymentId": { "Ref": name } } },
        });
        resources[name] = json!({ "Type": "AWS::ApiGatewayV2::Deployment", "Properties": { "ApiId": { "Ref": api } } });
        resources
    };
    assert_eq!(of(&with("One", "Api"), &with("Two", "Api")), [""; 0]);
    let words = "Api: stage prod of Api serves deployment Two instead of One, which is not read";
    assert_eq!(of(&with("One", "Api"), &with("Two", "Other")), [format!("- {words}")]);
}

#[test]
fn a_new_stage_is_bounded_as_the_others_are() {
    let old = rest(json!({ "Ref": "One" }));
    let second = |limit: Value| {
        let mut new = old.clone();
        new["Second"] = new["Stage"].clone();
        new["Second"]["Properties"]["StageName"] = json!("test");
        new["Second"]["Properties"]["MethodSettings"][0]["ThrottlingRateLimit"] = limit;
        of(&old, &new)
    };
    let words = "- throttle of Rest: requests a second of stage test of Rest 10 ->";
    assert_eq!(second(Value::Null), [format!("{words} none but the account's")]);
    assert_eq!(second(json!(11)), [format!("{words} 11")]);
    assert_eq!(second(json!(9)), [""; 0]);
}

#[test]
fn a_new_stage_leads_where_the_others_do() {
    let old = rest(json!({ "Ref": "One" }));
    let second = |deployment: Value| {
        let mut new = old.clone();
        new["Two"] = new["One"].clone();
        new["Second"] = new["Stage"].clone();
        new["Second"]["Properties"]["StageName"] = json!("test");
        new["Second"]["Properties"]["DeploymentId"] = deployment;
        new
    };
    let words = "- Rest: stage test of Rest is new and serves deployment";
    assert_eq!(of(&old, &second(json!("abc123"))), [format!("{words} abc123, which is not read")]);
    assert_eq!(of(&old, &second(json!({ "Ref": "Two" }))), [""; 0], "it is made of this template");
    assert_eq!(of(&old, &second(json!({ "Ref": "One" }))), [""; 0], "the other stage serves it as well");
    let mut both = old.clone();
    both["Two"] = both["One"].clone();
    assert_eq!(of(&both, &second(json!({ "Ref": "Two" }))), [format!("{words} Two, which is not read")]);
    let mut canary = second(json!({ "Ref": "One" }));
    canary["Second"]["Properties"]["CanarySetting"] = json!({ "DeploymentId": "abc123" });
    assert!(of(&old, &canary)[0].starts_with("- Rest: the canary of stage test of Rest is new and serves"));
}

#[test]
fn a_new_stage_chooses_no_guard_by_its_variables() {
    let uri = json!({ "Fn::Sub": "arn:aws:lambda:eu-west-1:111122223333:function:${!stageVariables.decide}" });
    let mut old = template();
    old["Resources"]["ApiTokenAuthorizer"]["Properties"]["AuthorizerUri"] = uri;
    old["Resources"]["Stage"]["Properties"]["StageVariables"] = json!({ "decide": "a", "x": "1" });
    let second = |variables: Value| {
        let mut new = old.clone();
        new["Resources"]["Second"] = new["Resources"]["Stage"].clone();
        new["Resources"]["Second"]["Properties"]["StageName"] = json!("test");
        new["Resources"]["Second"]["Properties"]["StageVariables"] = variables;
        told(&between(&old, &new))
    };
    let words = "stage variable decide of stage test of Api, which is new, is one on which GET /token depends";
    assert_eq!(second(json!({ "decide": "b", "x": "1" })), [format!("- GET /token: {words}")]);
    assert_eq!(second(json!({ "x": "1" })), [format!("- GET /token: {words}")], "it may be absent");
    assert_eq!(second(json!({ "decide": "a", "x": "1" })), [""; 0]);
}

#[test]
fn a_negative_limit_is_none() {
    let old = rest(json!({ "Ref": "One" }));
    let limit = "Stage/Properties/MethodSettings/0/ThrottlingRateLimit";
    let mut new = old.clone();
    *new.pointer_mut(&format!("/{limit}")).expect("it is there") = json!(-1);
    let words = "throttle of Rest: requests a second of stage prod of Rest";
    assert_eq!(of(&old, &new), [format!("- {words} 10 -> none but the account's")]);
    assert_eq!(of(&new, &old), [format!("+ {words} none but the account's -> 10")]);
}

#[test]
fn keys_that_an_authorizer_brings_are_not_asked_of_callers() {
    let old = rest(json!({ "Ref": "One" }));
    let mut new = old.clone();
    new["Rest"]["Properties"]["ApiKeySourceType"] = json!("AUTHORIZER");
    assert_eq!(of(&old, &new), ["- Rest: Rest takes API keys from the functions that decide, and callers need none"]);
    assert_eq!(of(&new, &old), ["+ Rest: Rest takes API keys from callers only"]);
}

#[test]
fn a_usage_plan_opens_what_asked_for_a_key() {
    let stage = json!({ "ApiId": { "Ref": "Rest" }, "Stage": "prod" });
    let plan = |limit: Value, quota: Value, stages: Value| {
        json!({ "Type": "AWS::ApiGateway::UsagePlan", "Properties": { "ApiStages": stages, "Quota": quota,
            "Throttle": { "RateLimit": limit } } })
    };
    let quota = |limit: u32| json!({ "Limit": limit, "Period": "DAY" });
    let with = |plan: Value| {
        let mut resources = rest(json!({ "Ref": "One" }));
        resources["Plan"] = plan;
        resources
    };
    let opened = with(plan(json!(10), quota(100), json!([stage])));
    let name = "usage plan Plan";
    let new = of(&rest(json!({ "Ref": "One" })), &opened);
    assert_eq!(new, [format!("- {name}: {name} is new, and opens prod of Rest to its keys")]);
    let more = of(&with(plan(json!(10), quota(100), json!([]))), &opened);
    assert_eq!(more, [format!("- {name}: keys of {name} now open prod of Rest")]);
    let often = of(&opened, &with(plan(json!(20), quota(50), json!([stage]))));
    assert_eq!(
        often,
        [
            format!("- {name}: requests a second of each key of {name} 10 -> 20"),
            format!("+ {name}: requests of each key of {name} in a period 100 -> 50"),
        ]
    );
    let from_nothing = of(&json!({}), &opened);
    assert!(from_nothing.contains(&format!("= {name}: {name} is new")), "the API is new as well: {from_nothing:?}");
}

#[test]
fn keys_may_open_what_is_not_read() {
    let with = |api: Value| {
        json!({
            "Plan": { "Type": "AWS::ApiGateway::UsagePlan",
                "Properties": { "ApiStages": [{ "ApiId": api, "Stage": "prod" }] } },
            "Mine": { "Type": "AWS::ApiGateway::UsagePlanKey",
                "Properties": { "UsagePlanId": { "Ref": "Plan" }, "KeyId": "a" } },
        })
    };
    let key = "- Mine: Mine (AWS::ApiGateway::UsagePlanKey) is new, which is not read".to_owned();
    let opened = |at: &str| format!("- usage plan Plan: usage plan Plan is new, and opens prod of {at} to its keys");
    assert_eq!(of(&json!({}), &with(json!("abc123"))), [opened("abc123"), key.clone()]);
    let document = json!({ "Type": "AWS::ApiGateway::RestApi", "Properties": { "Body": { "paths": {} } } });
    let mut new = with(json!({ "Ref": "Rest" }));
    new["Rest"] = document.clone();
    assert_eq!(of(&json!({ "Rest": document }), &new), [opened("Rest"), key]);
    let plain = json!({ "Type": "AWS::ApiGateway::RestApi" });
    new["Rest"] = plain.clone();
    let lines = of(&json!({ "Rest": plain }), &new);
    assert!(lines.iter().all(|line| line.starts_with('=')), "nothing needs a key: {lines:?}");
}

#[test]
fn a_key_opens_what_its_own_plan_does() {
    let plan = |api: Value| {
        json!({ "Type": "AWS::ApiGateway::UsagePlan",
            "Properties": { "ApiStages": [{ "ApiId": api, "Stage": "prod" }] } })
    };
    let old = json!({
        "Guarded": rest(json!({ "Ref": "One" }))["Rest"],
        "Get": { "Type": "AWS::ApiGateway::Method", "Properties": { "RestApiId": { "Ref": "Guarded" },
            "ResourceId": { "Fn::GetAtt": ["Guarded", "RootResourceId"] }, "HttpMethod": "GET", "ApiKeyRequired": true } },
        "Plain": { "Type": "AWS::ApiGateway::RestApi" },
        "Opening": plan(json!({ "Ref": "Guarded" })),
        "Idle": plan(json!({ "Ref": "Plain" })),
        "Elsewhere": plan(json!("abc123")),
        "Inner": { "Type": "AWS::CloudFormation::Stack" },
        "Nested": plan(json!({ "Fn::GetAtt": ["Inner", "Outputs.Api"] })),
    });
    let with = |plan: Value| {
        let properties = json!({ "UsagePlanId": plan, "KeyId": "a" });
        of_edit(&old, "Key", json!({ "Type": "AWS::ApiGateway::UsagePlanKey", "Properties": properties }))
    };
    for (plan, mark) in [
        (json!({ "Ref": "Opening" }), '-'),
        (json!({ "Ref": "Idle" }), '='),
        (json!({ "Ref": "Elsewhere" }), '-'),
        (json!({ "Ref": "Nested" }), '-'),
        (json!("plan99"), '-'),
        (json!({ "Fn::ImportValue": "plan" }), '-'),
    ] {
        let line = format!("{mark} Key: Key (AWS::ApiGateway::UsagePlanKey) is new, which is not read");
        assert_eq!(with(plan.clone()), [line], "{plan}");
    }
}

#[test]
fn other_settings_of_a_pool_must_stay() {
    let pool = |pointer: &str, value: Value| after(&[(&*format!("Users/Properties/{pointer}"), value)]);
    let line = |words: &str| vec![format!("- user pool Users: {words}")];
    let device = json!({ "ChallengeRequiredOnNewDevice": false });
    assert_eq!(
        pool("DeviceConfiguration", device),
        line("DeviceConfiguration of user pool Users changes, which is not read")
    );
    let update = json!({ "AttributesRequireVerificationBeforeUpdate": ["email"] });
    let edit = [("Users/Properties/UserAttributeUpdateSettings", update)];
    assert_eq!(before(&edit), line("user pool Users takes a new email before it is confirmed"));
    assert!(after(&edit)[0].starts_with('+'));
    for harmless in ["UserPoolName", "UserPoolTags", "EmailConfiguration", "Schema"] {
        assert_eq!(pool(harmless, json!("x")), [""; 0], "{harmless}");
    }
    let rotation = [("Web/Properties/RefreshTokenRotation", json!({ "Feature": "ENABLED" }))];
    let words = "RefreshTokenRotation of client Web of user pool Users changes, which is not read";
    assert_eq!(after(&rotation), line(words));
}

#[test]
fn what_a_group_gives_to_its_members_must_stay() {
    let group = |role: &str, words: &str| {
        json!({ "Type": "AWS::Cognito::UserPoolGroup", "Properties": { "UserPoolId": { "Ref": "Users" },
            "GroupName": "admins", "RoleArn": role, "Description": words } })
    };
    let with = |group: Value| json!({ "Users": { "Type": "AWS::Cognito::UserPool" }, "Admins": group });
    let words = "user pool Users: role or precedence of group admins of user pool Users changes";
    assert_eq!(of(&with(group("a", "x")), &with(group("b", "x"))), [format!("- {words}")]);
    assert_eq!(of(&with(group("a", "x")), &with(group("a", "y"))), [""; 0], "that is said to people");
    let new = "= user pool Users: group admins of user pool Users is new";
    assert_eq!(of_edit(&json!({ "Users": { "Type": "AWS::Cognito::UserPool" } }), "Admins", group("a", "x")), [new]);
}

#[test]
fn who_has_powers_and_for_how_long_must_stay() {
    let old = json!({
        "R": role(&json!({ "AWS": "arn:aws:iam::111122223333:root" }), "s3:*"),
        "F": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["Own", "Arn"] } } },
        "Own": role(&json!({ "Service": "lambda.amazonaws.com" }), "s3:*"),
        "U": { "Type": "AWS::IAM::User", "Properties": {} },
    });
    for (pointer, value, line) in [
        ("R/Properties/MaxSessionDuration", json!(43_200), "role R: MaxSessionDuration of role R"),
        (
            "Own/Properties/MaxSessionDuration",
            json!(43_200),
            "function F: MaxSessionDuration of the role of function F",
        ),
        ("U/Properties/LoginProfile", json!({ "Password": "x" }), "user U: LoginProfile of user U"),
    ] {
        assert_eq!(of_edit(&old, pointer, value), [format!("- {line} changes, which is not read")]);
    }
    assert_eq!(of_edit(&old, "R/Properties/Description", json!("x")), [""; 0]);
}

#[test]
fn how_the_gateway_calls_what_answers_must_stay() {
    let words = "- GET /: with which rights GET / calls what answers, or what it asks of that, changes and is not read";
    let mut old = rest(json!({ "Ref": "One" }));
    let address = "arn:aws:apigateway:eu-west-1:sqs:path/111122223333/orders";
    old["Get"]["Properties"]["Integration"] = json!({ "Type": "AWS", "Uri": address, "Credentials": "a",
        "RequestTemplates": { "application/json": "a" } });
    assert_eq!(of_edit(&old, "Get/Properties/Integration/Credentials", json!("b")), [words]);
    let template = "Get/Properties/Integration/RequestTemplates";
    assert_eq!(of_edit(&old, template, json!({ "application/json": "b" })), [words]);
    old["Get"]["Properties"]["Integration"]["Type"] = json!("HTTP");
    assert_eq!(of_edit(&old, template, json!({ "application/json": "b" })), [""; 0], "that is no service of AWS");
    let old = json!({
        "Api": { "Type": "AWS::ApiGatewayV2::Api" },
        "Route": { "Type": "AWS::ApiGatewayV2::Route", "Properties": { "ApiId": { "Ref": "Api" }, "RouteKey": "GET /",
            "AuthorizationType": "AWS_IAM", "Target": { "Fn::Sub": "integrations/${Queue}" } } },
        "Queue": { "Type": "AWS::ApiGatewayV2::Integration", "Properties": { "IntegrationType": "AWS_PROXY",
            "IntegrationSubtype": "SQS-SendMessage", "CredentialsArn": "a", "RequestParameters": { "QueueUrl": "a" } } },
    });
    assert_eq!(of_edit(&old, "Queue/Properties/CredentialsArn", json!("b")), [words]);
    assert_eq!(of_edit(&old, "Queue/Properties/RequestParameters", json!({ "QueueUrl": "b" })), [words]);
    assert_eq!(of_edit(&old, "Queue/Properties/Description", json!("b")), [""; 0]);
}

#[test]
fn another_service_of_aws_cannot_be_compared() {
    let words = "- GET /: with which rights GET / calls what answers, or what it asks of that, changes and is not read";
    let leads = |before: &str, after: &str| format!("= GET /: GET / leads to {after} instead of {before}");
    let mut old = rest(json!({ "Ref": "One" }));
    old["Get"]["Properties"]["Integration"] =
        json!({ "Type": "AWS", "Uri": "arn:aws:apigateway:eu-west-1:dynamodb:action/GetItem", "Credentials": "a" });
    let address = "Get/Properties/Integration/Uri";
    let scan = "arn:aws:apigateway:eu-west-1:dynamodb:action/Scan";
    assert!(of_edit(&old, address, json!(scan)).contains(&words.to_owned()));
    let invoked = |name: &str| {
        let functions = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions";
        json!(format!("{functions}/arn:aws:lambda:eu-west-1:111122223333:function:{name}/invocations"))
    };
    set(&mut old, address, invoked("a"));
    assert!(of_edit(&old, address, invoked("b")).iter().all(|line| line.starts_with('=')), "that is told of functions");
    set(&mut old, "Get/Properties/Integration", json!({ "Type": "HTTP_PROXY", "Uri": "https://a" }));
    assert_eq!(of_edit(&old, address, json!("https://b")), [leads("https://a", "https://b")]);
    let queue = |action: &str| {
        json!({
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "Route": { "Type": "AWS::ApiGatewayV2::Route", "Properties": { "ApiId": { "Ref": "Api" },
                "RouteKey": "GET /", "AuthorizationType": "AWS_IAM", "Target": { "Fn::Sub": "integrations/${Queue}" } } },
            "Queue": { "Type": "AWS::ApiGatewayV2::Integration", "Properties": { "IntegrationType": "AWS_PROXY",
                "IntegrationSubtype": action, "CredentialsArn": "a" } },
        })
    };
    let (send, purge) = ("SQS-SendMessage", "SQS-PurgeQueue");
    assert_eq!(of(&queue(send), &queue(purge)), [words.to_owned(), leads(send, purge)]);
}

#[test]
fn functions_in_the_flow_of_a_pool_are_what_they_were() {
    let with = |version: &str, variable: &str, code: &str| {
        let mut template = template();
        let arn = json!({ "Fn::GetAtt": ["Decide", "Arn"] });
        template["Resources"]["Staff"]["Properties"]["LambdaConfig"] =
            json!({ "PreTokenGenerationConfig": { "LambdaArn": arn, "LambdaVersion": version } });
        template["Resources"]["GetToken"] = route("GET /token", "AWS_IAM", "", &[]);
        template["Resources"]["Decide"]["Properties"]["Environment"]["Variables"]["PLAIN"] = json!(variable);
        template["Resources"]["Decide"]["Properties"]["Handler"] = json!(code);
        template
    };
    let old = with("V1_0", "a", "x");
    let settings = "settings of PreTokenGenerationConfig of user pool Staff change, and are not read";
    assert_eq!(told(&between(&old, &with("V2_0", "a", "x"))), [format!("- user pool Staff: {settings}")]);
    assert_eq!(told(&between(&old, &with("V1_0", "b", "x"))), [format!("- user pool Staff: {settings}")]);
    assert_eq!(
        told(&between(&old, &with("V1_0", "a", "y"))),
        ["= user pool Staff: PreTokenGenerationConfig of user pool Staff runs other code"]
    );
}

#[test]
fn a_trigger_that_comes_after_decides_as_well() {
    let with = |trigger: &str| {
        let mut template = template();
        template["Resources"]["Staff"]["Properties"]["LambdaConfig"][trigger] =
            json!({ "Fn::GetAtt": ["Decide", "Arn"] });
        template
    };
    for (trigger, mark) in [("PostAuthentication", '-'), ("PostConfirmation", '-'), ("CustomMessage", '=')] {
        let gone = told(&between(&with(trigger), &template()));
        let words = format!("user pool Staff: {trigger} of user pool Staff is function none instead of Decide");
        assert_eq!(gone, [format!("{mark} {words}")]);
    }
}

#[test]
fn code_is_more_than_where_it_lies() {
    for (property, value) in [("Handler", json!("x")), ("Runtime", json!("x")), ("Layers", json!(["x"]))] {
        let lines = after(&[(&*format!("Decide/Properties/{property}"), value)]);
        assert_eq!(lines, ["= Token: Token is decided by other code of function Decide, which is not read"]);
    }
}

#[test]
fn a_cognito_authorizer_that_remembers_for_longer_is_weaker() {
    let with = |ttl: Value| {
        json!({
            "Rest": { "Type": "AWS::ApiGateway::RestApi" },
            "RestMembersAuthorizer": { "Type": "AWS::ApiGateway::Authorizer", "Properties": {
                "Type": "COGNITO_USER_POOLS", "ProviderARNs": ["x"], "AuthorizerResultTtlInSeconds": ttl } },
            "Get": { "Type": "AWS::ApiGateway::Method", "Properties": {
                "RestApiId": { "Ref": "Rest" }, "ResourceId": { "Fn::GetAtt": ["Rest", "RootResourceId"] },
                "HttpMethod": "GET", "AuthorizationType": "COGNITO_USER_POOLS",
                "AuthorizerId": { "Ref": "RestMembersAuthorizer" } } },
        })
    };
    let words = "Members: TTL of cached decisions";
    assert_eq!(of(&with(json!(0)), &with(Value::Null)), [format!("- {words} 0 s -> 300 s")]);
    assert_eq!(of(&with(json!(300)), &with(json!(0))), [format!("+ {words} 300 s -> 0 s")]);
}

#[test]
fn other_certificates_are_trusted_in_another_version() {
    let with = |version: Value| {
        json!({ "Name": { "Type": "AWS::ApiGatewayV2::DomainName", "Properties": { "DomainName": "a.example",
            "MutualTlsAuthentication": { "TruststoreUri": "s3://a/b", "TruststoreVersion": version } } } })
    };
    assert_eq!(
        of(&with(json!("1")), &with(json!("2"))),
        ["- domain a.example: a.example trusts version 2 of its certificates instead of 1"]
    );
}

#[test]
fn cors_that_is_left_to_functions_cannot_be_told() {
    let mut template = template();
    template["Resources"]["GetOrders"]["Properties"]["Target"] = json!({ "Fn::Sub": "integrations/${Integration}" });
    template["Resources"]["Integration"] = json!({ "Type": "AWS::ApiGatewayV2::Integration", "Properties": {
        "IntegrationType": "AWS_PROXY", "IntegrationUri": { "Fn::GetAtt": ["GetNotes", "Arn"] } } });
    let mut without = template.clone();
    without["Resources"]["Api"]["Properties"]["CorsConfiguration"] = Value::Null;
    let words = "CORS is left to what is behind the API, which is not read";
    assert_eq!(told(&between(&template, &without)), [format!("- cors of Api: {words}")]);
    let preflight = |kind: &str, guard: &str| {
        let mut resources = rest(json!({ "Ref": "One" }));
        let answer =
            json!([{ "ResponseParameters": { "method.response.header.Access-Control-Allow-Origin": "'https://a'" } }]);
        let address = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/x/invocations";
        let integration = json!({ "Type": kind, "IntegrationResponses": answer, "Uri": address });
        let mut method = resources["Get"].clone();
        method["Properties"]["HttpMethod"] = json!("OPTIONS");
        method["Properties"]["ApiKeyRequired"] = json!(false);
        method["Properties"]["AuthorizationType"] = json!(guard);
        method["Properties"]["Integration"] = integration;
        resources["Options"] = method;
        resources
    };
    let lines = of(&preflight("MOCK", "NONE"), &preflight("AWS_PROXY", "NONE"));
    assert!(lines.contains(&format!("- cors of Rest: {words} at /")), "{lines:?}");
    let lines = of(&preflight("MOCK", "NONE"), &preflight("AWS_PROXY", "AWS_IAM"));
    assert!(lines.iter().any(|line| line.starts_with("+ cors of Rest")), "browsers send no signature: {lines:?}");
}

#[test]
fn a_preflight_whose_template_chooses_the_origin_must_stay() {
    let with = |template: &str| {
        let mut resources = rest(json!({ "Ref": "One" }));
        let mut method = resources["Get"].clone();
        let answer = json!([{ "ResponseParameters": { "method.response.header.Access-Control-Allow-Origin": "'https://a'" },
            "ResponseTemplates": { "application/json": template } }]);
        method["Properties"] = json!({ "RestApiId": { "Ref": "Rest" }, "HttpMethod": "OPTIONS",
            "ResourceId": { "Fn::GetAtt": ["Rest", "RootResourceId"] },
            "Integration": { "Type": "MOCK", "IntegrationResponses": answer } });
        resources["Options"] = method;
        resources
    };
    let choice = |origin: &str| {
        format!(
            "#if($origin == \"{origin}\") #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin) #end"
        )
    };
    assert_eq!(
        of(&with(&choice("https://b")), &with(&choice("https://c"))),
        ["- cors of Rest: CORS is answered by other templates, which are not read at /"]
    );
    assert_eq!(of(&with("{}"), &with("{ }")), [""; 0], "that sets no header");
}

#[test]
fn parts_that_stand_for_others_are_not_seen() {
    for kind in [
        "My::Own::Kind::MODULE",
        "Custom::Thing",
        "AWS::CloudFormation::CustomResource",
        "AWS::CloudFormation::StackSet",
        "AWS::ServiceCatalog::CloudFormationProvisionedProduct",
    ] {
        let with = |value: &str| json!({ "X": { "Type": kind, "Properties": { "A": value } } });
        let lines = of(&with("a"), &with("b"));
        assert_eq!(lines, [format!("- X: X ({kind}) changes, and what is in it is not seen")]);
    }
    for name in ["Fn::Transform", "Fn::ForEach::Routes"] {
        let with = |value: &str| {
            let mut properties =
                json!({ "ApiId": { "Ref": "Api" }, "RouteKey": "GET /a", "AuthorizationType": "AWS_IAM" });
            properties[name] = json!({ "Name": value });
            json!({ "R": { "Type": "AWS::ApiGatewayV2::Route", "Properties": properties } })
        };
        let lines = of(&with("a"), &with("b"));
        assert_eq!(lines, ["- R: R (AWS::ApiGatewayV2::Route) changes, and what is in it is not seen"], "{name}");
    }
}

#[test]
fn another_function_may_do_more_where_less_is_denied() {
    let lambda = json!({ "Service": "lambda.amazonaws.com" });
    let with = |behind: &str| {
        let function = |role: &str| json!({ "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": [role, "Arn"] } } });
        let mut resources = json!({
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "Route": route("GET /a", "AWS_IAM", "", &[]),
            "Integration": { "Type": "AWS::ApiGatewayV2::Integration", "Properties": {
                "IntegrationType": "AWS_PROXY", "IntegrationUri": { "Fn::GetAtt": [behind, "Arn"] } } },
            "Bound": function("BoundRole"), "Free": function("FreeRole"),
            "BoundRole": role(&lambda, "s3:*"), "FreeRole": role(&lambda, "s3:*"),
        });
        resources["Route"]["Properties"]["Target"] = json!({ "Fn::Sub": "integrations/${Integration}" });
        let deny = json!({ "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*" });
        let statements = &mut resources["BoundRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
        statements.as_array_mut().expect("a list").push(deny);
        resources["BoundRole"]["Properties"]["PermissionsBoundary"] = json!("arn:aws:iam::aws:policy/X");
        resources
    };
    let lines = of(&with("Bound"), &with("Free"));
    assert!(
        lines.contains(&"- GET /a: what is behind GET /a is not denied s3:DeleteObject on * any more".to_owned()),
        "{lines:?}"
    );
    assert!(lines.contains(&"- GET /a: what is behind GET /a is not bounded as it was".to_owned()), "{lines:?}");
}

#[test]
fn routes_from_one_function_to_another_are_compared_once() {
    let lambda = json!({ "Service": "lambda.amazonaws.com" });
    let with = |behind: &str| {
        let function = |role: &str| json!({ "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": [role, "Arn"] } } });
        let mut resources = json!({
            "Api": { "Type": "AWS::ApiGatewayV2::Api" },
            "Integration": { "Type": "AWS::ApiGatewayV2::Integration", "Properties": {
                "IntegrationType": "AWS_PROXY", "IntegrationUri": { "Fn::GetAtt": [behind, "Arn"] } } },
            "Reads": function("Reader"), "Writes": function("Writer"),
            "Reader": role(&lambda, "s3:GetObject"), "Writer": role(&lambda, "s3:PutObject"),
        });
        for number in 0..9 {
            let mut route = route(&format!("GET /{number}"), "AWS_IAM", "", &[]);
            route["Properties"]["Target"] = json!({ "Fn::Sub": "integrations/${Integration}" });
            resources[format!("Route{number}")] = route;
        }
        Matrix::of(&json!({ "Resources": resources }), &BTreeMap::new())
    };
    let (old, new) = (with("Reads"), with("Writes"));
    let found = Found::of(&old, &new);
    assert_eq!(found.compared.count(), 1);
    assert_eq!(weakened_by(&changes(&old, &new)).count(), 9, "and told of each route");
}

#[test]
fn a_resource_of_the_stack_is_no_stranger() {
    let old = json!({
        "F": { "Type": "AWS::Lambda::Function" },
        "Api": { "Type": "AWS::ApiGateway::RestApi" },
        "Rule": { "Type": "AWS::Events::Rule" },
        "Alarm": { "Type": "AWS::CloudWatch::Alarm" },
        "Sam": { "Type": "AWS::Serverless::HttpApi" },
        "Foreign": { "Type": "AWS::Events::Rule", "Properties": { "EventBusName": { "Ref": "Bus" } } },
        "Daily": { "Type": "AWS::Scheduler::Schedule" },
        "Log": { "Type": "AWS::Logs::LogGroup" },
        "Open": { "Type": "AWS::ElasticLoadBalancingV2::TargetGroup" },
        "Topic": { "Type": "AWS::SNS::Topic" },
    });
    let with = |service: &str, source: Value| {
        let mut new = old.clone();
        new["Let"] = json!({ "Type": "AWS::Lambda::Permission", "Properties": { "FunctionName": { "Ref": "F" },
            "Action": "lambda:InvokeFunction", "Principal": format!("{service}.amazonaws.com"), "SourceArn": source } });
        of(&old, &new)
    };
    let joined = json!({ "Fn::Join": ["", ["arn:", { "Ref": "AWS::Partition" }, ":execute-api:", { "Ref": "AWS::Region" },
        ":", { "Ref": "AWS::AccountId" }, ":", { "Ref": "Api" }, "/*/GET/"]] });
    assert_eq!(with("apigateway", joined), [""; 0]);
    for (service, own) in [
        ("events", "${Rule.Arn}"),
        ("lambda.alarms.cloudwatch", "${Alarm.Arn}"),
        ("apigateway", "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Sam}/*"),
        ("events", "arn:aws:events:eu-west-1:111122223333:rule/${Rule}"),
        ("scheduler", "arn:aws:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/default/${Daily}"),
        ("logs", "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Log}:*"),
    ] {
        assert_eq!(with(service, json!({ "Fn::Sub": own })), [""; 0], "{own}");
    }
    let either = json!({ "Fn::If": ["Unheard", { "Fn::GetAtt": ["Rule", "Arn"] }, "arn:aws:events:eu-west-1:999999999999:rule/x"] });
    for (service, stranger) in [
        ("elasticloadbalancing", json!({ "Ref": "Open" })),
        ("sns", json!({ "Ref": "Topic" })),
        ("sns", json!({ "Fn::Sub": "arn:aws:sns:${AWS::Region}:${AWS::AccountId}:${F}-events" })),
        ("events", json!({ "Fn::GetAtt": ["Foreign", "Arn"] })),
        ("sns", json!({ "Fn::Sub": "arn:aws:sns:${AWS::Region}:${AWS::AccountId}:${Topic.TopicName}" })),
        ("events", json!("arn:aws:events:eu-west-1:999999999999:rule/x")),
        ("events", json!({ "Fn::Sub": "arn:aws:events:eu-west-1:999999999999:rule/${Rule}" })),
        ("events", json!({ "Fn::Sub": "arn:aws:events:eu-west-1:${AWS::AccountId}:rule/*${Rule}" })),
        ("events", either),
    ] {
        let told = with(service, stranger.clone());
        let words = format!("- function F: function F may now be invoked by {service}.amazonaws.com");
        assert!(told.first().is_some_and(|line| line.starts_with(&words)), "{stranger}: {told:?}");
    }
}

#[test]
fn tags_of_what_is_not_read_let_nobody_in() {
    for kind in ["AWS::ApiGateway::ApiKey", "AWS::Lambda::EventSourceMapping"] {
        let old = json!({ "X": { "Type": kind, "Properties": { "Enabled": true } } });
        assert_eq!(of_edit(&old, "X/Properties/Tags", json!([{ "Key": "a", "Value": "b" }])), [""; 0], "{kind}");
        assert!(of_edit(&old, "X/Properties/Enabled", json!(false))[0].starts_with("- X: "), "{kind}");
    }
}

#[test]
fn addresses_and_permissions_of_aliases_are_their_own() {
    let old = json!({
        "F": { "Type": "AWS::Lambda::Function" },
        "Alias": { "Type": "AWS::Lambda::Alias", "Properties": { "FunctionName": { "Ref": "F" }, "Name": "live" } },
        "Own": { "Type": "AWS::Lambda::Url",
            "Properties": { "TargetFunctionArn": { "Ref": "F" }, "AuthType": "NONE" } },
    });
    let url = json!({ "Type": "AWS::Lambda::Url",
        "Properties": { "TargetFunctionArn": { "Ref": "Alias" }, "AuthType": "NONE" } });
    let qualified = json!({ "Type": "AWS::Lambda::Url",
        "Properties": { "TargetFunctionArn": { "Ref": "F" }, "Qualifier": "live", "AuthType": "NONE" } });
    for url in [url, qualified] {
        let line = "- function F: alias live of function F gets an address of its own, PUBLIC";
        assert_eq!(of_edit(&old, "Url", url), [line]);
    }
    let permission = |function: Value, token: Value| {
        json!({ "Type": "AWS::Lambda::Permission", "Properties": { "FunctionName": function, "EventSourceToken": token,
            "Principal": "alexa-appkit.amazon.com", "Action": "lambda:InvokeFunction" } })
    };
    let with = |permission: Value| {
        let mut new = old.clone();
        new["Let"] = permission;
        new
    };
    let whole = with(permission(json!({ "Ref": "F" }), Value::Null));
    let alias = with(permission(json!({ "Ref": "Alias" }), Value::Null));
    let skill = with(permission(json!({ "Ref": "F" }), json!("skill")));
    for (before, after) in [(&whole, &alias), (&alias, &whole), (&skill, &whole)] {
        assert!(of(before, after)[0].starts_with("- function F: function F may now be invoked by"));
    }
}
