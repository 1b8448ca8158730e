//! REST APIs and their templates.

use std::path::Path;

use serde_json::{Value as Json, json};
use stackgen::model::apigateway::{
    ApiKey, Authorizer, CloudWatchRole, CognitoAuthorizer, Cors, IamAuthorizer, Period, Quota, RequestAuthorizer,
    RestApi, Route, Stage, Throttle, TokenAuthorizer, UsagePlan,
};
use stackgen::model::lambda::Function;
use stackgen::model::raw::Override;
use stackgen::model::{Ref, Stack, Value};
use stackgen::synth::synthesize;
use stackgen::template::Template;

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
