//! What is tried at each kind of door.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{ApiKey, Asked, Credential, Door, Must, Plan, Probe};
use crate::access::flaw::Flaw;
use crate::access::matrix::{Matrix, references};

fn plan(resources: &Value) -> Plan {
    Plan::of(&Matrix::of(&json!({ "Resources": resources }), &BTreeMap::new()))
}

fn ours(text: &str) -> Plan {
    Plan::of(&Matrix::of(&serde_json::from_str(text).expect("a synthesized template"), &BTreeMap::new()))
}

/// What is tried at a door that must come to something, in words.
fn tried(plan: &Plan, door: &str, must: fn(&Must) -> bool) -> BTreeSet<String> {
    let own = plan.probes.iter().filter(|probe| probe.door.to_string() == door && must(&probe.must));
    own.map(|probe| probe.what.clone()).collect()
}

fn passes(must: &Must) -> bool {
    *must == Must::Pass
}

fn refused(must: &Must) -> bool {
    matches!(must, Must::BeRefused(_))
}

fn reaches_nothing(must: &Must) -> bool {
    *must == Must::ReachNothing
}

/// An HTTP API with a pool, two clients and these routes.
fn http(routes: &[(&str, Value)], authorizer: Value) -> Value {
    let mut resources = json!({
        "Users": { "Type": "AWS::Cognito::UserPool" },
        "Web": { "Type": "AWS::Cognito::UserPoolClient", "Properties": { "UserPoolId": { "Ref": "Users" } } },
        "Other": { "Type": "AWS::Cognito::UserPoolClient", "Properties": { "UserPoolId": { "Ref": "Users" } } },
        "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "ProtocolType": "HTTP" } },
        "Stage": { "Type": "AWS::ApiGatewayV2::Stage", "Properties": { "ApiId": { "Ref": "Api" }, "StageName": "$default" } },
        "Members": { "Type": "AWS::ApiGatewayV2::Authorizer", "Properties": authorizer },
    });
    for (at, (key, own)) in routes.iter().enumerate() {
        let mut properties = json!({ "ApiId": { "Ref": "Api" }, "RouteKey": key });
        properties.as_object_mut().expect("it is a map").extend(own.as_object().expect("it is a map").clone());
        resources[format!("Route{at}")] = json!({ "Type": "AWS::ApiGatewayV2::Route", "Properties": properties });
    }
    resources
}

fn jwt() -> Value {
    json!({ "ApiId": { "Ref": "Api" }, "AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {
            "Issuer": { "Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Users}" },
            "Audience": [{ "Ref": "Web" }] } })
}

fn guarded() -> Value {
    json!({ "AuthorizationType": "JWT", "AuthorizerId": { "Ref": "Members" } })
}

#[test]
fn a_jwt_route_is_tried_with_every_bad_token() {
    let plan = ours(include_str!("../../../tests/templates/protected-api.json"));
    let door = "GET /protected of Api";
    let expected = ["an ID token of client Web", "an access token of client Web"].map(str::to_owned);
    assert_eq!(tried(&plan, door, passes), BTreeSet::from(expected));
    let bad = tried(&plan, door, refused);
    for flaw in Flaw::ALL {
        let is_tried = bad.contains(&format!("a token that {}", flaw.wrong()));
        assert_eq!(is_tried, !matches!(flaw, Flaw::MissingScope | Flaw::Id), "{flaw} in {bad:?}");
    }
    assert!(bad.contains("no credentials") && bad.contains("a text that is no token"), "{bad:?}");
    let tricks = tried(&plan, door, reaches_nothing);
    for trick in ["method DELETE", "another case", "a slash behind", "a double slash in front", "two dot segments"] {
        assert!(tricks.contains(trick), "{trick} in {tricks:?}");
    }
    let cors = tried(&plan, "CORS of Api", |must| matches!(must, Must::NotShare(_)));
    assert_eq!(cors, BTreeSet::from(["a page of https://evil.example".to_owned()]));
    assert!(plan.left_out.is_empty(), "{:?}", plan.left_out);
}

#[test]
fn each_scope_is_enough_and_none_is_not() {
    let mut route = guarded();
    route["AuthorizationScopes"] = json!(["notes/read", "notes/write"]);
    let plan = plan(&http(&[("GET /notes/{id}", route)], jwt()));
    let door = "GET /notes/{id} of Api";
    let good = tried(&plan, door, passes);
    let expected =
        ["notes/read", "notes/write"].map(|scope| format!("an access token of client Web with scope {scope}"));
    assert_eq!(good, BTreeSet::from(expected));
    let bad = tried(&plan, door, refused);
    for flaw in [Flaw::MissingScope, Flaw::Id] {
        assert!(bad.contains(&format!("a token that {}", flaw.wrong())), "{bad:?}");
    }
    assert!(bad.contains("a token of client Other of user pool Users"), "{bad:?}");
    let probe = plan.probes.iter().find(|probe| passes(&probe.must)).expect("there is one");
    assert_eq!(probe.request.path, "/notes/stackgen-verify");
    assert!(probe.credential.needs_mint(), "only the local cloud gives any scope");
}

#[test]
fn what_a_public_route_takes_is_no_trick() {
    let open = json!({ "AuthorizationType": "NONE" });
    let plan = plan(&http(&[("GET /a", guarded()), ("ANY /{proxy+}", open)], jwt()));
    let tricks = tried(&plan, "GET /a of Api", reaches_nothing);
    assert!(tricks.is_empty(), "the public route takes them all: {tricks:?}");
    let public: Vec<&Probe> = plan.probes.iter().filter(|probe| probe.door.name() == "ANY /{proxy+}").collect();
    let [only] = public.as_slice() else { panic!("{public:?}") };
    assert_eq!((&only.must, &only.credential), (&Must::Pass, &Credential::Nothing));
}

#[test]
fn a_route_that_another_one_shadows_is_left_out() {
    let open = json!({ "AuthorizationType": "NONE" });
    let plan = plan(&http(&[("$default", guarded()), ("ANY /{proxy+}", open)], jwt()));
    assert!(plan.left_out.iter().any(|left| left.door.name() == "$default"), "{:?}", plan.left_out);
}

#[test]
fn writes_are_told_from_reads() {
    let plan = plan(&http(&[("DELETE /a", guarded()), ("GET /a", guarded())], jwt()));
    let writes: BTreeSet<&str> =
        plan.probes.iter().filter(|probe| probe.may_change_data()).map(|probe| probe.door.name()).collect();
    assert_eq!(writes, BTreeSet::from(["DELETE /a"]));
}

#[test]
fn an_iam_route_is_tried_with_bad_signatures() {
    let plan = plan(&http(&[("GET /a", json!({ "AuthorizationType": "AWS_IAM" }))], jwt()));
    let bad = tried(&plan, "GET /a of Api", refused);
    for what in ["no credentials", "a signature of an hour ago", "a signature with another secret", "a user's token"] {
        assert!(bad.contains(what), "{bad:?}");
    }
    assert_eq!(tried(&plan, "GET /a of Api", passes), BTreeSet::from(["a signature".to_owned()]));
}

#[test]
fn a_shared_secret_is_named_and_not_known() {
    let plan = ours(include_str!("../../../tests/templates/notes.json"));
    let good = plan.probes.iter().find(|probe| probe.door.name() == "GET /notes" && passes(&probe.must));
    let Some(Credential::Shared { api, authorizer, secret: Some(secret) }) = good.map(|probe| &probe.credential) else {
        panic!("{good:?}")
    };
    assert_eq!((api.as_str(), authorizer.as_str()), ("Api", "Token"));
    assert_eq!(references(secret), BTreeSet::from(["ApiToken"]), "the secret is known by its name");
    let connect = ours(include_str!("../../../tests/templates/chat.json"));
    let bad = tried(&connect, "$connect of Chat at prod", refused);
    assert_eq!(bad, BTreeSet::from(["a text that is no token".to_owned(), "no credentials".to_owned()]));
    assert!(connect.left_out.iter().any(|left| left.door.name() == "send"), "{:?}", connect.left_out);
}

#[test]
fn an_api_key_is_asked_for_besides() {
    let plan = ours(include_str!("../../../tests/templates/contact.json"));
    let own: Vec<&Probe> = plan.probes.iter().filter(|probe| probe.door.name() == "POST /partners").collect();
    let of_key = |key: ApiKey| own.iter().filter(|probe| probe.api_key == key).collect::<Vec<_>>();
    let asked = |key: ApiKey| of_key(key).iter().map(|probe| probe.must.clone()).collect::<BTreeSet<Must>>();
    let of_guard = Must::BeRefused(Asked::Decision);
    assert_eq!(asked(ApiKey::Missing), BTreeSet::from([of_guard, Must::BeRefused(Asked::ApiKey)]), "it is asked first");
    assert_eq!(asked(ApiKey::Wrong), BTreeSet::from([Must::BeRefused(Asked::ApiKey)]));
    assert!(of_key(ApiKey::Good).iter().any(|probe| probe.must == Must::Pass && probe.may_change_data()));
}

#[test]
fn an_authorizer_of_ours_is_read_by_its_environment() {
    let plan = ours(include_str!("../../../tests/templates/federated.json"));
    let door = "GET / of BasicApi at prod";
    assert_eq!(tried(&plan, door, passes), BTreeSet::from(["an access token of client Web".to_owned()]));
    let bad = tried(&plan, door, refused);
    for flaw in Flaw::ALL.into_iter().filter(|flaw| *flaw != Flaw::MissingScope) {
        assert!(bad.contains(&format!("a token that {}", flaw.wrong())), "{flaw} in {bad:?}");
    }
    let origins = tried(&plan, "CORS of / of BasicApi at prod", |must| matches!(must, Must::Share(_)));
    assert_eq!(origins, BTreeSet::from(["a page of http://localhost:3000".to_owned()]));
}

#[test]
fn groups_keep_others_out() {
    let lambda = json!({ "ApiId": { "Ref": "Api" }, "AuthorizerType": "REQUEST",
        "AuthorizerPayloadFormatVersion": "2.0", "IdentitySource": ["$request.header.Authorization"],
        "AuthorizerUri": { "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Decide.Arn}/invocations" } });
    let mut resources =
        http(&[("GET /a", json!({ "AuthorizationType": "CUSTOM", "AuthorizerId": { "Ref": "Members" } }))], lambda);
    let variables =
        json!({ "USER_POOL_ID": { "Ref": "Users" }, "CLIENT_IDS": { "Ref": "Web" }, "REQUIRED_GROUPS": "admins" });
    resources["Decide"] =
        json!({ "Type": "AWS::Lambda::Function", "Properties": { "Environment": { "Variables": variables } } });
    for group in ["admins", "staff"] {
        let properties = json!({ "UserPoolId": { "Ref": "Users" }, "GroupName": group });
        resources[format!("Group{group}")] = json!({ "Type": "AWS::Cognito::UserPoolGroup", "Properties": properties });
    }
    let plan = plan(&resources);
    let door = "GET /a of Api";
    let good = tried(&plan, door, passes);
    assert_eq!(good, BTreeSet::from(["an access token of client Web, in group admins".to_owned()]));
    let bad = tried(&plan, door, refused);
    assert!(
        bad.contains("a token of a user in no group") && bad.contains("a token of a user in group staff"),
        "{bad:?}"
    );
}

#[test]
fn a_policy_that_denies_all_refuses_good_callers_too() {
    let method = json!({ "Type": "AWS::ApiGateway::Method", "Properties": {
        "RestApiId": { "Ref": "Api" }, "ResourceId": { "Fn::GetAtt": ["Api", "RootResourceId"] },
        "HttpMethod": "GET", "AuthorizationType": "NONE" } });
    let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/GET/" });
    let plan = plan(&json!({
        "Api": { "Type": "AWS::ApiGateway::RestApi", "Properties": { "Policy": { "Statement": [deny] } } },
        "Stage": { "Type": "AWS::ApiGateway::Stage", "Properties": { "RestApiId": { "Ref": "Api" }, "StageName": "prod" } },
        "Get": method,
    }));
    assert_eq!(tried(&plan, "GET / of Api at prod", refused), BTreeSet::from(["no credentials".to_owned()]));
    assert!(tried(&plan, "GET / of Api at prod", passes).is_empty());
}

#[test]
fn a_function_with_an_address_is_tried_there() {
    let url = |kind: &str| {
        let properties = json!({ "TargetFunctionArn": { "Fn::GetAtt": ["F", "Arn"] }, "AuthType": kind });
        plan(
            &json!({ "F": { "Type": "AWS::Lambda::Function" }, "U": { "Type": "AWS::Lambda::Url", "Properties": properties } }),
        )
    };
    let door = Door::Url { function: "F".to_owned(), alias: None }.to_string();
    assert_eq!(tried(&url("NONE"), &door, passes).len(), 1);
    assert!(tried(&url("AWS_IAM"), &door, refused).contains("no credentials"));
}

#[test]
fn the_address_of_an_alias_is_a_door_of_its_own() {
    let url = |target: Value, qualifier: Value| {
        let mut properties = json!({ "TargetFunctionArn": target, "AuthType": "AWS_IAM" });
        properties["Qualifier"] = qualifier;
        plan(&json!({
            "F": { "Type": "AWS::Lambda::Function" },
            "Live": { "Type": "AWS::Lambda::Alias", "Properties": { "FunctionName": { "Ref": "F" }, "Name": "live" } },
            "U": { "Type": "AWS::Lambda::Url", "Properties": properties },
        }))
    };
    let own = || json!({ "Ref": "F" });
    for plan in [url(own(), json!("live")), url(json!({ "Ref": "Live" }), Value::Null)] {
        let door = "address of alias live of function F";
        assert!(tried(&plan, door, refused).contains("no credentials"), "{:?}", plan.probes);
        assert!(tried(&plan, "address of function F", passes).is_empty() && plan.left_out.is_empty());
    }
    let hidden = url(own(), json!({ "Fn::ImportValue": "alias" }));
    assert!(hidden.probes.is_empty());
    assert!(hidden.left_out[0].why.contains("only the deployment knows"), "{:?}", hidden.left_out);
}

#[test]
fn the_address_of_a_function_of_elsewhere_is_left_out_by_name() {
    let arn = "arn:aws:lambda:eu-west-1:111122223333:function:other";
    let properties = json!({ "TargetFunctionArn": arn, "AuthType": "NONE" });
    let plan = plan(&json!({ "U": { "Type": "AWS::Lambda::Url", "Properties": properties } }));
    assert!(plan.probes.is_empty(), "{:?}", plan.probes);
    let [left] = plan.left_out.as_slice() else { panic!("{:?}", plan.left_out) };
    assert_eq!((left.door.name(), left.why.as_str()), (arn, "the function is none of this stack's"));
}

#[test]
fn tokens_of_the_own_pools_are_tried_where_another_issuer_is_asked() {
    let with = |issuer: Value, audience: Value| {
        let mut authorizer = jwt();
        authorizer["JwtConfiguration"] = json!({ "Issuer": issuer, "Audience": [audience] });
        let mut resources = http(&[("GET /a", guarded())], authorizer);
        resources["Strangers"] = json!({ "Type": "AWS::Cognito::UserPool" });
        let client = json!({ "UserPoolId": { "Ref": "Strangers" } });
        resources["Stranger"] = json!({ "Type": "AWS::Cognito::UserPoolClient", "Properties": client });
        let bad = tried(&plan(&resources), "GET /a of Api", refused);
        let of_client = |what: &String| Some(what.strip_prefix("a token of client ")?.split(' ').next()?.to_owned());
        bad.iter().filter_map(of_client).collect::<Vec<_>>()
    };
    let own = || json!({ "Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Users}" });
    let parameter = || json!({ "Ref": "Unknown" });
    assert_eq!(with(own(), json!({ "Ref": "Web" })), ["Other", "Stranger"]);
    assert_eq!(with(json!("https://accounts.example.com"), json!("x")), ["Other", "Stranger", "Web"]);
    assert_eq!(with(own(), json!("x")), ["Other", "Stranger", "Web"]);
    assert_eq!(with(own(), parameter()), ["Stranger"], "it may be any client of the pool");
    assert!(with(parameter(), json!("x")).is_empty(), "it may be any pool");
}

#[test]
fn options_are_tried_where_no_browser_asks() {
    let mut resources = http(&[("GET /a", guarded())], jwt());
    resources["Api"]["Properties"]["CorsConfiguration"] = json!({ "AllowOrigins": ["https://good.example"] });
    let tricks = tried(&plan(&resources), "GET /a of Api", reaches_nothing);
    assert!(tricks.contains("method OPTIONS"), "{tricks:?}");
    let rest = ours(include_str!("../../../tests/templates/federated.json"));
    let of_path = |door: &str| tried(&rest, door, reaches_nothing).contains("method OPTIONS");
    assert!(!of_path("GET / of BasicApi at prod"), "a mock answers there");
}

#[test]
fn pages_are_told_apart_at_the_address_of_a_function() {
    let url = |kind: &str, cors: Value| {
        let mut properties = json!({ "TargetFunctionArn": { "Fn::GetAtt": ["F", "Arn"] }, "AuthType": kind });
        properties["Cors"] = cors;
        let url = json!({ "Type": "AWS::Lambda::Url", "Properties": properties });
        plan(&json!({ "F": { "Type": "AWS::Lambda::Function" }, "U": url }))
    };
    let door = Door::Url { function: "F".to_owned(), alias: None }.to_string();
    let may = |plan: &Plan| tried(plan, &door, |must| matches!(must, Must::Share(_))).len();
    let may_not = |plan: &Plan| tried(plan, &door, |must| matches!(must, Must::NotShare(_))).len();
    let named = url("NONE", json!({ "AllowOrigins": ["https://good.example"] }));
    assert_eq!((may(&named), may_not(&named)), (1, 5));
    let nobody = url("AWS_IAM", Value::Null);
    assert_eq!((may(&nobody), may_not(&nobody)), (0, 1));
    let public = url("NONE", Value::Null);
    assert_eq!((may(&public), may_not(&public)), (0, 0));
}

/// Where browsers ask of an API, with what they say in the question: by door.
fn questions(plan: &Plan) -> BTreeMap<String, (String, Vec<String>)> {
    let own = plan.probes.iter().filter(|probe| matches!(probe.must, Must::Share(_) | Must::NotShare(_)));
    own.map(|probe| {
        let said = probe.request.headers.iter().filter(|(name, _)| name != "origin").map(|(_, value)| value.clone());
        (probe.door.to_string(), (probe.request.path.clone(), said.collect()))
    })
    .collect()
}

#[test]
fn browsers_are_heard_wherever_a_route_takes_their_question() {
    let open = || json!({ "AuthorizationType": "NONE" });
    let routes = [
        ("GET /a", guarded()),
        ("GET /z", guarded()),
        ("ANY /users/{id}", guarded()),
        ("ANY /open", open()),
        ("OPTIONS /asked", open()),
        ("GET /asked", guarded()),
    ];
    let mut resources = http(&routes, jwt());
    let paths = |plan: &Plan| questions(plan).into_iter().map(|(door, (path, _))| (door, path)).collect::<Vec<_>>();
    let owned = |all: &[(&str, &str)]| {
        all.iter().map(|(door, path)| ((*door).to_owned(), (*path).to_owned())).collect::<Vec<_>>()
    };
    let quiet = [("CORS of /users/{id} of Api", "/users/stackgen-verify"), ("CORS of Api", "/a")];
    assert_eq!(paths(&plan(&resources)), owned(&quiet), "what a public function says is its own affair");
    resources["Api"]["Properties"]["CorsConfiguration"] = json!({ "AllowOrigins": ["https://good.example"] });
    let shared = [("CORS of /asked of Api", "/asked"), ("CORS of /open of Api", "/open"), quiet[0], quiet[1]];
    let plan = plan(&resources);
    assert_eq!(paths(&plan), owned(&shared));
    let why = |door: &str| {
        let own =
            plan.probes.iter().find(|probe| probe.door.to_string() == door && matches!(probe.must, Must::Share(_)));
        own.map(|probe| probe.why.clone()).unwrap_or_default()
    };
    assert!(why("CORS of /users/{id} of Api").contains("`ANY /users/{id}`"), "{}", why("CORS of /users/{id} of Api"));
    assert!(!why("CORS of /open of Api").contains("ANY"));
}

#[test]
fn an_api_with_nothing_but_a_default_route_is_asked_as_well() {
    let mut resources = http(&[("$default", guarded())], jwt());
    let asked =
        |resources: &Value| questions(&plan(resources)).into_iter().map(|(door, (path, _))| (door, path)).collect();
    let expected = vec![("CORS of Api".to_owned(), "/stackgen-verify".to_owned())];
    let nobody: Vec<(String, String)> = asked(&resources);
    assert_eq!(nobody, expected);
    resources["Api"]["Properties"]["CorsConfiguration"] = json!({ "AllowOrigins": ["https://good.example"] });
    let named: Vec<(String, String)> = asked(&resources);
    assert_eq!(named, expected);
}

#[test]
fn a_public_route_with_a_parameter_is_asked_about_a_thing_that_is_not_there() {
    let open = || json!({ "AuthorizationType": "NONE" });
    let routes = [
        ("ANY /users/{id}", open()),
        ("ANY /notes/{id}", guarded()),
        ("ANY /open", open()),
        ("GET /orders/{id}", open()),
    ];
    let mut resources = http(&routes, jwt());
    resources["Api"]["Properties"]["CorsConfiguration"] = json!({ "AllowOrigins": ["https://good.example"] });
    let plan = plan(&resources);
    let asked = plan.probes.iter().filter_map(|probe| match &probe.must {
        Must::Share(shared) => Some((probe.request.path.as_str(), shared.of_nothing)),
        _ => None,
    });
    let expected = [
        ("/notes/stackgen-verify", false),
        ("/open", false),
        ("/orders/stackgen-verify", false),
        ("/users/stackgen-verify", true),
    ];
    assert_eq!(asked.collect::<BTreeMap<_, _>>(), BTreeMap::from(expected), "the gateway itself answers at orders");
}

#[test]
fn browsers_say_what_a_page_would_do() {
    let mut resources = http(&[("GET /a", guarded())], jwt());
    let mut said = |cors: Value| {
        resources["Api"]["Properties"]["CorsConfiguration"] = cors;
        questions(&plan(&resources)).remove("CORS of Api").expect("it is asked").1
    };
    let origins = || json!(["https://good.example"]);
    assert_eq!(said(json!({ "AllowOrigins": origins(), "AllowMethods": ["GET", "POST"] })), ["GET"]);
    let named =
        json!({ "AllowOrigins": origins(), "AllowMethods": ["GET", "PUT"], "AllowHeaders": ["X-A", "authorization"] });
    assert_eq!(said(named), ["PUT", "authorization,x-a"]);
    let all = json!({ "AllowOrigins": origins(), "AllowMethods": ["*"], "AllowHeaders": ["*"] });
    assert_eq!(said(all), ["PUT", "x-stackgen-verify"]);
}

#[test]
fn the_paths_of_a_rest_api_are_filled_for_browsers_too() {
    let step = |parent: Value, part: &str| {
        let properties = json!({ "RestApiId": { "Ref": "Api" }, "ParentId": parent, "PathPart": part });
        json!({ "Type": "AWS::ApiGateway::Resource", "Properties": properties })
    };
    let origin = json!({ "method.response.header.Access-Control-Allow-Origin": "'https://good.example'" });
    let answers =
        json!({ "Type": "MOCK", "IntegrationResponses": [{ "StatusCode": "204", "ResponseParameters": origin }] });
    let plan = plan(&json!({
        "Api": { "Type": "AWS::ApiGateway::RestApi" },
        "Stage": { "Type": "AWS::ApiGateway::Stage", "Properties": { "RestApiId": { "Ref": "Api" }, "StageName": "prod" } },
        "Notes": step(json!({ "Fn::GetAtt": ["Api", "RootResourceId"] }), "notes"),
        "Note": step(json!({ "Ref": "Notes" }), "{id}"),
        "Options": { "Type": "AWS::ApiGateway::Method", "Properties": { "RestApiId": { "Ref": "Api" },
            "ResourceId": { "Ref": "Note" }, "HttpMethod": "OPTIONS", "AuthorizationType": "NONE", "Integration": answers } },
    }));
    let (door, (path, _)) = questions(&plan).pop_first().expect("it is asked");
    assert_eq!((door.as_str(), path.as_str()), ("CORS of /notes/{id} of Api at prod", "/notes/stackgen-verify"));
}

/// The only request to an address that must be closed, and what is said where there is none.
fn closed(kind: &str, routes: &[(&str, Value)]) -> (Option<(String, String)>, Vec<String>) {
    let mut resources = http(routes, jwt());
    resources["Api"]["Properties"] = json!({ "ProtocolType": kind, "DisableExecuteApiEndpoint": true });
    let plan = plan(&resources);
    let own: Vec<&Probe> = plan.probes.iter().filter(|probe| probe.must == Must::BeClosed).collect();
    assert!(own.len() <= 1, "{own:?}");
    let request = own.first().map(|probe| (probe.request.method.clone(), probe.request.path.clone()));
    (request, plan.left_out.into_iter().map(|left| left.what).collect())
}

#[test]
fn a_closed_address_is_asked_what_an_open_one_would_answer() {
    let open = || json!({ "AuthorizationType": "NONE" });
    let text = |method: &str, path: &str| Some((method.to_owned(), path.to_owned()));
    let deletes = [("DELETE /a", guarded()), ("GET /z", guarded())];
    assert_eq!(closed("HTTP", &deletes).0, text("GET", "/z"), "what changes nothing comes first");
    assert_eq!(closed("HTTP", &[("DELETE /a", guarded())]).0, text("DELETE", "/a"), "its guard refuses it");
    assert_eq!(
        closed("HTTP", &[("GET /a", open()), ("POST /b", guarded())]).0,
        text("POST", "/b"),
        "a guard tells more"
    );
    assert_eq!(closed("HTTP", &[("$default", guarded())]).0, text("GET", "/stackgen-verify"));
    assert_eq!(closed("HTTP", &[("HEAD /a", open())]).0, text("HEAD", "/a"));
    let (none, left_out) = closed("HTTP", &[("DELETE /a", open())]);
    assert_eq!((none, left_out.len()), (None, 2), "{left_out:?}");
    let socket = closed("WEBSOCKET", &[("$connect", open())]);
    assert_eq!(socket.0, text("GET", "/"));
}

#[test]
fn nothing_is_left_out_without_a_word() {
    let mut resources = http(&[("GET /a", guarded())], jwt());
    resources["Nested"] = json!({ "Type": "AWS::CloudFormation::Stack", "Properties": { "TemplateURL": "x" } });
    resources["Bare"] = json!({ "Type": "AWS::ApiGatewayV2::Api", "Properties": { "ProtocolType": "HTTP" } });
    let document = json!({ "ProtocolType": "HTTP", "Body": { "openapi": "3.0.1", "paths": { "/b": { "get": {} } } } });
    resources["Documented"] = json!({ "Type": "AWS::ApiGatewayV2::Api", "Properties": document });
    let staged = json!({ "ApiId": { "Ref": "Documented" }, "StageName": "$default" });
    resources["DocumentedStage"] = json!({ "Type": "AWS::ApiGatewayV2::Stage", "Properties": staged });
    let foreign = json!({ "ApiId": { "Fn::ImportValue": "api" }, "RouteKey": "GET /c", "AuthorizationType": "NONE" });
    resources["Foreign"] = json!({ "Type": "AWS::ApiGatewayV2::Route", "Properties": foreign });
    let left_out = plan(&resources).left_out;
    for id in ["Nested", "Bare", "Documented"] {
        assert_eq!(left_out.iter().filter(|left| left.door.name() == id).count(), 1, "{id} in {left_out:?}");
    }
    assert!(left_out.iter().any(|left| left.why.contains("another stack")), "{left_out:?}");
}

#[test]
fn no_probe_is_there_twice() {
    for text in [
        include_str!("../../../tests/templates/protected-api.json"),
        include_str!("../../../tests/templates/notes.json"),
        include_str!("../../../tests/templates/contact.json"),
        include_str!("../../../tests/templates/federated.json"),
        include_str!("../../../tests/templates/chat.json"),
    ] {
        let plan = ours(text);
        let distinct: BTreeSet<_> = plan.probes.iter().map(|probe| (probe.door.clone(), probe.what.clone())).collect();
        assert_eq!(distinct.len(), plan.probes.len());
    }
}
