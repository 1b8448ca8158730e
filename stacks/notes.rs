//! The stack of `notes.yaml`, built in Rust.

use serde_json::json;
use stackgen::model::apigateway::{CloudWatchRole, LoggingLevel, Model, RestApi, Route, Stage, TokenAuthorizer};
use stackgen::model::dynamodb::{Key, Table};
use stackgen::model::lambda::{Access, Function, Grant};
use stackgen::model::raw::{DataRemoval, Output, Suppression};
use stackgen::model::secretsmanager::{Generate, Secret};
use stackgen::model::{Ref, Stack, Value};

const USER_ID: &str = "method.request.querystring.userId";
const NOTE_ID: &str = "method.request.querystring.noteId";

/// Notes in a table, behind a REST API whose callers carry a token that a function knows.
pub fn stack() -> Stack {
    let mut stack = Stack::default()
        .description("Notes in a table, behind a REST API whose callers carry a token that a function knows.");
    let notes = stack.add("Notes", table());
    let token = stack.add("ApiToken", token());
    let authorizer = Function::from_crate("functions/token-authorizer").grant(Grant::secret(&token, Access::Read));
    let authorizer = stack.add("Authorizer", authorizer);
    let mut function = |id: &str, bin: &str, access: Access| {
        let function = Function::from_crate("functions/notes").bin(bin);
        stack.add(id, function.grant(Grant::table(&notes, access)))
    };
    let get = function("GetNotes", "get-notes", Access::Get);
    let put = function("PutNote", "put-note", Access::Put);
    let list = function("ListNotes", "list-notes", Access::Query);
    let delete = function("DeleteNote", "delete-note", Access::Delete);
    let api = stack.add("Api", api(&authorizer, [&get, &put, &list, &delete]));
    stack.output("apiUrl", Value::url(&api));
    stack.output("apiTokenArn", Output::from(&token).description("Where the token of the API is kept."));
    stack.output("region", Value::pseudo("Region"));
    suppress(&mut stack);
    stack
}

fn table() -> Table {
    Table::new(Key::string("userId"))
        .table_name("notesTable")
        .sort_key(Key::string("noteId"))
        .removal(DataRemoval::Destroy)
}

fn token() -> Secret {
    Secret::generated(Generate::new(48).exclude_punctuation(true))
        .description("The token that callers of the notes API carry.")
        .removal(DataRemoval::Destroy)
}

fn api(authorizer: &Ref<Function>, [get, put, list, delete]: [&Ref<Function>; 4]) -> RestApi {
    let protected = |function: &Ref<Function>| Route::new(function).authorizer("Token");
    let text = json!({ "type": "string" });
    let note = json!({
        "type": "object",
        "required": ["userId", "noteId", "note"],
        "properties": { "userId": text, "noteId": text, "note": text },
        "additionalProperties": false,
    });
    RestApi::default()
        .name("notes")
        .authorizer(
            "Token",
            TokenAuthorizer::new(authorizer).identity_source("method.request.header.authorizationToken"),
        )
        .model("Note", Model::new(note))
        .route("GET /notes", protected(get).requires(USER_ID).requires(NOTE_ID))
        .route("PUT /notes", protected(put).accepts("application/json", "Note"))
        .route("POST /notes", protected(put).accepts("application/json", "Note"))
        .route("DELETE /notes", protected(delete).requires(USER_ID).requires(NOTE_ID))
        .route("GET /notes/all", protected(list).requires(USER_ID))
        .only_stage("test", Stage::default().logging_level(LoggingLevel::Error))
        .cloud_watch_role(CloudWatchRole::Destroy)
}

/// Findings of checkov and cdk-nag that are as they should be.
fn suppress(stack: &mut Stack) {
    let mut say = |rule: &str, on: &str, reason: &str| stack.suppress(rule, Suppression::new([on], reason));
    say("AwsSolutions-APIG2", "Api", "Each route has the validator that its own parameters and models need.");
    say(
        "AwsSolutions-APIG3",
        "AWS::ApiGateway::Stage",
        "A firewall is paid by the month and configured for an account; throttles and authorizers come first.",
    );
    say(
        "AwsSolutions-COG4",
        "AWS::ApiGateway::Method",
        "A function decides instead, about a token that is not a user pool's.",
    );
    say(
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:*]",
        "ApiGatewayCloudWatchRole",
        "API Gateway takes a role for the logs of the account's APIs only if it may write to all of its log groups.",
    );
    say(
        "AwsSolutions-SMG4",
        "ApiToken",
        "Callers have to be told of a new token, so it is changed by hand and not by a schedule.",
    );
    say(
        "CKV_AWS_115",
        "AWS::Lambda::Function",
        "Concurrency is bounded by the API's throttle; a reservation would take it from the account's other functions.",
    );
    say(
        "CKV_AWS_116",
        "AWS::Lambda::Function",
        "Whoever calls waits for the answer and is told of a failure; nothing is invoked asynchronously.",
    );
    say(
        "CKV_AWS_117",
        "AWS::Lambda::Function",
        "The functions reach nothing inside a VPC, and IAM decides what they reach outside.",
    );
    say("CKV_AWS_119", "Notes", "DynamoDB encrypts with a key of its own, and IAM decides who reads.");
    say(
        "CKV_AWS_120",
        "AWS::ApiGateway::Stage",
        "Answers belong to one caller and change with every write; a cache is paid by the hour.",
    );
    say("CKV_AWS_149", "ApiToken", "Secrets Manager encrypts with the account's own key, and IAM decides who reads.");
    say(
        "CKV_AWS_158",
        "AWS::Logs::LogGroup",
        "CloudWatch encrypts logs with a key of its own, and what is logged holds no secret.",
    );
    say(
        "CKV_AWS_173",
        "AWS::Lambda::Function",
        "Environment variables name resources and hold no secret; Lambda encrypts them with a key of its own.",
    );
    say("CKV_AWS_73", "AWS::ApiGateway::Stage", "X-Ray is paid by the trace; `tracingEnabled` turns it on.");
}
