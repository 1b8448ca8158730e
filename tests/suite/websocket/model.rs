//! WebSocket APIs and their templates.

use serde_json::{Value as Json, json};
use stackgen::model::apigateway::CloudWatchRole;
use stackgen::model::apigatewayv2::{
    AccessLogs, CustomDomain, HttpApi, IamAuthorizer, MessageRoute, RequestAuthorizer, Route, Stage, Throttle,
    WebSocketApi,
};
use stackgen::model::lambda::{Access, Function, Grant};
use stackgen::model::{Ref, Stack, Value};
use stackgen::synth::synthesize;
use stackgen::template::Template;

use crate::tools;

fn template(stack: &Stack) -> Template {
    synthesize("test", stack).expect("the test's stack is sound")
}

fn property(template: &Template, id: &str, path: &str) -> Json {
    let resource = template.resources.get(id).unwrap_or_else(|| panic!("no `{id}` in {:?}", template.resources.keys()));
    json!(resource.properties).pointer(path).cloned().unwrap_or(Json::Null)
}

/// A chat that a function guards.
fn guarded() -> Stack {
    let mut stack = Stack::default();
    let talk = stack.add("Talk", Function::from_crate("functions/chat"));
    let decide = stack.add("Authorizer", Function::from_crate("functions/token-authorizer"));
    let api = WebSocketApi::default()
        .authorizer("Token", RequestAuthorizer::new(decide, ["route.request.querystring.token"]))
        .route("$connect", MessageRoute::new(&talk).authorizer("Token"))
        .route("$default", MessageRoute::new(&talk).two_way())
        .route("send", MessageRoute::new(&talk).throttle(Throttle::new(5.0, 10)).timeout_in_millis(1_000));
    let chat = stack.add("Chat", api);
    stack.output("url", Value::url(&chat));
    stack
}

#[test]
fn only_connect_asks_who_is_there() {
    let template = template(&guarded());
    assert_eq!(property(&template, "Chat", "/ProtocolType"), "WEBSOCKET");
    assert_eq!(property(&template, "Chat", "/RouteSelectionExpression"), "$request.body.action");
    assert_eq!(property(&template, "ChatConnectRoute", "/AuthorizationType"), "CUSTOM");
    assert_eq!(property(&template, "ChatConnectRoute", "/AuthorizerId/Ref"), "ChatTokenAuthorizer");
    for id in ["ChatDefaultRoute", "ChatSendMessage"] {
        assert_eq!(property(&template, id, "/AuthorizationType"), "NONE", "{id}");
    }
    assert_eq!(property(&template, "ChatTokenAuthorizer", "/AuthorizerType"), "REQUEST");
    // API Gateway takes none of these for WebSocket APIs.
    for unknown in ["AuthorizerResultTtlInSeconds", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses"] {
        assert_eq!(property(&template, "ChatTokenAuthorizer", &format!("/{unknown}")), Json::Null);
    }
    let source = property(&template, "ChatTokenAuthorizerPermission", "/SourceArn/Fn::Sub");
    assert!(source.as_str().is_some_and(|arn| arn.ends_with("${Chat}/authorizers/${ChatTokenAuthorizer}")), "{source}");
}

#[test]
fn a_signature_is_asked_for_and_the_public_is_let_in_where_it_is_written() {
    let mut stack = Stack::default();
    let talk = stack.add("Talk", Function::from_crate("functions/chat"));
    let keys = WebSocketApi::default().authorizer("Keys", IamAuthorizer {});
    stack.add("Signed", keys.route("$connect", MessageRoute::new(&talk).authorizer("Keys")));
    stack.add("Open", WebSocketApi::default().route("$connect", MessageRoute::new(&talk).public()));
    let template = template(&stack);
    assert_eq!(property(&template, "SignedConnectRoute", "/AuthorizationType"), "AWS_IAM");
    assert_eq!(property(&template, "OpenConnectRoute", "/AuthorizationType"), "NONE");
    assert!(!template.resources.contains_key("SignedKeysAuthorizer"), "signatures need no resource");
}

#[test]
fn a_two_way_route_has_a_response() {
    let template = template(&guarded());
    assert_eq!(property(&template, "ChatDefaultRoute", "/RouteResponseSelectionExpression"), "$default");
    assert_eq!(property(&template, "ChatDefaultRouteResponse", "/RouteId/Ref"), "ChatDefaultRoute");
    assert_eq!(property(&template, "ChatSendMessage", "/RouteResponseSelectionExpression"), Json::Null);
    assert!(!template.resources.contains_key("ChatSendMessageResponse"));
}

#[test]
fn functions_are_invoked_by_this_api_alone() {
    let template = template(&guarded());
    let source = property(&template, "ChatTalkPermission", "/SourceArn/Fn::Sub");
    assert!(source.as_str().is_some_and(|arn| arn.ends_with(":${Chat}/*")), "{source}");
    let uri = property(&template, "ChatTalkIntegration", "/IntegrationUri/Fn::Sub");
    assert!(uri.as_str().is_some_and(|uri| uri.ends_with("functions/${Talk.Arn}/invocations")), "{uri}");
    assert_eq!(property(&template, "ChatTalkWithin1000Integration", "/TimeoutInMillis"), 1_000);
}

#[test]
fn a_stage_waits_for_its_routes_and_the_role_for_its_logs() {
    let template = template(&guarded());
    let waits: Vec<_> = template.resources["ChatProdStage"].depends_on.iter().collect();
    assert_eq!(waits, ["ApiGatewayAccount", "ChatConnectRoute", "ChatDefaultRoute", "ChatSendMessage"]);
    assert_eq!(property(&template, "ChatProdStage", "/RouteSettings/send/ThrottlingBurstLimit"), 10);
    let format = property(&template, "ChatProdStage", "/AccessLogSettings/Format");
    assert!(format.as_str().is_some_and(|format| format.contains("$context.connectionId")), "{format}");
    let mut stack = guarded();
    let existing =
        stack.web_socket_apis.remove("Chat").expect("it is there").cloud_watch_role(CloudWatchRole::Existing);
    stack.add("Chat", existing);
    assert!(!self::template(&stack).resources.contains_key("ApiGatewayAccount"));
}

#[test]
fn the_url_is_that_of_the_only_stage() {
    let url = |stack: &Stack| json!(template(stack).outputs["url"].value);
    assert_eq!(url(&guarded()), json!({ "Fn::Sub": "${Chat.ApiEndpoint}/prod" }));
    let mut stack = guarded();
    let two = stack.web_socket_apis.remove("Chat").expect("it is there").stage("beta", Stage::default());
    stack.add("Chat", two);
    let told = stack.check("test").iter().map(ToString::to_string).collect::<String>();
    assert!(told.contains("2 stages") && told.contains("Chat.beta"), "{told}");
}

#[test]
fn an_http_api_is_no_websocket_api() {
    let mut stack = Stack::default();
    let function = stack.add("F", Function::from_crate("functions/f"));
    stack.add("Api", HttpApi::default().route("GET /", Route::new(&function).public()));
    stack.add("Socket", WebSocketApi::default().route("$connect", MessageRoute::new(&function).public()));
    stack.output("http", Value::Url("Api".to_owned().into()));
    stack.output("socket", Value::Url("Socket".to_owned().into()));
    let template = template(&stack);
    assert_eq!(json!(template.outputs["http"].value), json!({ "Fn::GetAtt": ["Api", "ApiEndpoint"] }));
    assert_eq!(json!(template.outputs["socket"].value), json!({ "Fn::Sub": "${Socket.ApiEndpoint}/prod" }));
}

#[test]
fn a_grant_is_for_the_connections_of_the_stage_and_says_where_they_are() {
    let role = |access: &[Access]| {
        let mut stack = guarded();
        let mut grant = Grant::web_socket_api(Ref::new("Chat"), Access::Send);
        grant.access.0 = access.to_vec();
        let talk = stack.functions.remove("Talk").expect("it is there").grant(grant);
        stack.add("Talk", talk);
        template(&stack)
    };
    let statement = |template: &Template| property(template, "TalkRole", "/Policies/0/PolicyDocument/Statement/1");
    let arn = |method: &str| {
        let begin = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Chat}/prod";
        json!({ "Fn::Sub": format!("{begin}/{method}/@connections/*") })
    };
    let template = role(&[Access::Send]);
    assert_eq!(statement(&template)["Action"], json!(["execute-api:ManageConnections"]));
    assert_eq!(statement(&template)["Resource"], json!([arn("POST")]));
    let variable = property(&template, "Talk", "/Environment/Variables/CHAT_WEB_SOCKET_ENDPOINT/Fn::Sub");
    assert_eq!(variable, "https://${Chat}.execute-api.${AWS::Region}.${AWS::URLSuffix}/prod");
    assert_eq!(statement(&role(&[Access::Read]))["Resource"], json!([arn("GET")]));
    let all = json!([arn("DELETE"), arn("GET"), arn("POST")]);
    assert_eq!(statement(&role(&[Access::Manage]))["Resource"], all);
    assert_eq!(statement(&role(&[Access::Delete, Access::Read, Access::Send]))["Resource"], all);
}

/// Everything that a WebSocket API can have.
fn everything() -> Stack {
    let mut stack = guarded();
    let api = stack.web_socket_apis.remove("Chat").expect("it is there");
    let domain = CustomDomain {
        name: "chat.example.com".into(),
        certificate_arn: "arn:aws:acm:us-east-1:000000000000:certificate/6f3b2d1e-0a4c-4a7e-9d25-7c2f8b1f9f10".into(),
        mapping: Some("v1".to_owned()),
        stage: Some("beta".to_owned()),
    };
    let quiet = Stage::default().access_logs(AccessLogs { enabled: false, ..AccessLogs::default() });
    let talk = Ref::<Function>::new("Talk");
    let api = api
        .name("chat")
        .description("A chat.")
        .route_selection_expression("${request.body.service}/${request.body.action}")
        .route("$disconnect", MessageRoute::new(&talk).operation_name("Leave"))
        .route("chat/join", MessageRoute::new(&talk))
        .stage("beta", quiet)
        .custom_domain(domain)
        .disable_execute_api_endpoint(true);
    stack.outputs.clear();
    stack.add("Chat", api);
    stack
}

#[test]
fn cfn_lint_has_nothing_to_say() {
    let all = [("guarded", guarded()), ("everything", everything())];
    tools::lint(all.map(|(name, stack)| (name, template(&stack))));
}
