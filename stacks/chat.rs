//! The stack of `chat.yaml`, built in Rust.

use stackgen::model::apigateway::CloudWatchRole;
use stackgen::model::apigatewayv2::{MessageRoute, RequestAuthorizer, Stage, Throttle, WebSocketApi};
use stackgen::model::lambda::{Access, Function, Grant};
use stackgen::model::raw::{DataRemoval, Output, Suppression};
use stackgen::model::secretsmanager::{Generate, Secret};
use stackgen::model::{Ref, Stack, Value};

use super::findings;

/// A chat over WebSockets, for whoever knows a token.
pub fn stack() -> Stack {
    let mut stack = Stack::default().description("A chat over WebSockets, for whoever knows a token.");
    let token = stack.add("ApiToken", token());
    let authorizer = Function::from_crate("functions/token-authorizer").variable("TOKEN_QUERY", "token");
    let authorizer = stack.add("Authorizer", authorizer.grant(Grant::secret(&token, Access::Read)));
    // The API invokes the function, and the function reaches the API's clients.
    let chat = Ref::<WebSocketApi>::new("Chat");
    let talk = Function::from_crate("functions/chat").grant(Grant::web_socket_api(&chat, Access::Send));
    let talk = stack.add("Talk", talk);
    stack.add("Chat", api(&authorizer, &talk));
    stack.output("chatUrl", Value::url(&chat));
    stack.output("tokenArn", Output::from(&token).description("Where the token of the chat is kept."));
    stack.output("region", Value::pseudo("Region"));
    suppress(&mut stack);
    stack
}

fn token() -> Secret {
    Secret::generated(Generate::new(48).exclude_punctuation(true))
        .description("The token that clients of the chat carry.")
        .removal(DataRemoval::Destroy)
}

fn api(authorizer: &Ref<Function>, talk: &Ref<Function>) -> WebSocketApi {
    WebSocketApi::default()
        .name("chat")
        .authorizer("Token", RequestAuthorizer::new(authorizer, ["route.request.querystring.token"]))
        .route("$connect", MessageRoute::new(talk).authorizer("Token"))
        .route("$disconnect", MessageRoute::new(talk))
        .route("$default", MessageRoute::new(talk).two_way())
        .route("send", MessageRoute::new(talk).two_way().throttle(Throttle::new(10.0, 20)))
        .stage("prod", Stage::default().throttle(Throttle::new(100.0, 200)))
        .cloud_watch_role(CloudWatchRole::Destroy)
}

/// Findings of checkov and cdk-nag that are as they should be.
fn suppress(stack: &mut Stack) {
    const CONNECTIONS: &str = "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:execute-api:<AWS::Region>:\
                               <AWS::AccountId>:<Chat>/prod/POST/@connections/*]";
    const LOGS: &str = "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:*]";
    let decided = "Who may send messages is decided by the authorizer of $connect, the only route that can have one.";
    let open = ["ChatDefaultRoute", "ChatDisconnectRoute", "ChatSendMessage"];
    stack.suppress("AwsSolutions-APIG4", Suppression::new(open, decided));
    findings::accept(stack, findings::FUNCTIONS);
    findings::accept(stack, findings::ENVIRONMENT);
    findings::accept(stack, findings::LOGS);
    let mut say = |rule: &str, on: &str, reason: &str| stack.suppress(rule, Suppression::new([on], reason));
    say(CONNECTIONS, "TalkRole", "IAM tells connections of a stage apart by the method only.");
    say(
        LOGS,
        "ApiGatewayCloudWatchRole",
        "API Gateway takes a role for the logs of the account's APIs only if it may write to all of its log groups.",
    );
    say(
        "AwsSolutions-SMG4",
        "ApiToken",
        "Clients have to be told of a new token, so it is changed by hand and not by a schedule.",
    );
    say("CKV_AWS_149", "ApiToken", "Secrets Manager encrypts with the account's own key, and IAM decides who reads.");
}
