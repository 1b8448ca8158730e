//! The stack of `notes.yaml`, built in Rust.

use serde_json::json;
use stackgen::model::apigateway::{CloudWatchRole, LoggingLevel, Model, RestApi, Route, Stage, TokenAuthorizer};
use stackgen::model::dynamodb::{Key, Table};
use stackgen::model::lambda::{Access, Function, Grant};
use stackgen::model::raw::{DataRemoval, Output, Suppression};
use stackgen::model::secretsmanager::{Generate, Secret};
use stackgen::model::{Ref, Stack, Value};

use super::findings;

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
    findings::accept(stack, findings::FUNCTIONS);
    findings::accept(stack, findings::ENVIRONMENT);
    findings::accept(stack, findings::LOGS);
    findings::accept(stack, findings::REST_APIS);
    findings::accept(stack, findings::TOKENS);
    let mut say = |rule: &str, on: &str, reason: &str| stack.suppress(rule, Suppression::new([on], reason));
    say("CKV_AWS_119", "Notes", "DynamoDB encrypts with a key of its own, and IAM decides who reads.");
}
