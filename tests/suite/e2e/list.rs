//! The list.

use aws_sdk_cognitoidentityprovider::types::{AuthFlowType, ExplicitAuthFlowsType};
use aws_sdk_cognitoidentityprovider::{Client as Cognito, error::ProvideErrorMetadata};
use serde_json::{Map, Value, json};
use stackgen::access::flaw::{Flaw, Guard};
use stackgen::deploy::store::BOOTSTRAP_STACK;

use super::{Cloud, Stage, assert_throttled, at_once, forgery, remains};
use crate::project::{STACK, Told, succeeded, told};

const EMAIL: &str = "alice@example.com";
const PASSWORD: &str = "secret";

/// What a deployment has told, as far as the list needs it.
struct Outputs {
    pool: String,
    client: String,
}

/// The tokens of a sign-in.
#[derive(Debug)]
struct Tokens {
    id: String,
    access: String,
}

/// Runs the list.
pub(super) async fn run(stage: &Stage) {
    let outputs = a_deployment_writes_its_outputs_as_the_cdk_does(stage);
    let tokens = a_user_signs_up_and_in(stage, &outputs).await;
    her_token_opens_the_route(stage, &tokens);
    nobody_else_gets_in(stage, &outputs, &tokens).await;
    users_are_made_and_used_by_name(stage);
    a_deployment_without_a_change_changes_nothing(stage).await;
    an_update_takes_effect(stage, &tokens).await;
    a_failed_update_is_rolled_back(stage, &tokens).await;
    if stage.cloud == Cloud::Embedded {
        // ministack does not throttle HTTP APIs.
        who_is_too_fast_is_told_so(stage, &tokens);
    }
    nothing_is_left(stage).await;
}

fn a_deployment_writes_its_outputs_as_the_cdk_does(stage: &Stage) -> Outputs {
    let file = stage.project.path().join("outputs.json");
    let mut command = stage.project.targeted(&["deploy", STACK, "--yes"]);
    let deployed = command.arg("--outputs-file").arg(&file).output().expect("the program runs");
    let deployed = succeeded(told(&deployed));
    let stack = &deployed.answer["stacks"][0];
    assert_eq!(stack["result"], "created");
    assert_eq!(stack["status"], "CREATE_COMPLETE");
    let words: Vec<&Value> = stack["changes"].as_array().expect("it lists").iter().map(|one| &one["action"]).collect();
    assert!(!words.is_empty() && words.iter().all(|word| **word == "added"), "{words:?}");
    assert!(deployed.said.contains("changes of protected-api"), "{}", deployed.said);

    let written = std::fs::read_to_string(file).expect("the file was written");
    let written: Map<String, Value> = serde_json::from_str(&written).expect("it is JSON");
    assert_eq!(written.keys().collect::<Vec<_>>(), [STACK]);
    assert_eq!(written[STACK], stack["outputs"]);
    let names: Vec<_> = written[STACK].as_object().expect("it has outputs").keys().cloned().collect();
    assert_eq!(names, ["apiUrl", "region", "userPoolClientId", "userPoolId"]);
    let output = |name: &str| written[STACK][name].as_str().expect("outputs are texts").to_owned();
    assert_eq!(output("region"), "us-east-1");
    assert!(output("userPoolId").starts_with("us-east-1_"));
    assert_eq!(stage.project.done(&["outputs", STACK])[STACK]["userPoolId"], output("userPoolId"));
    Outputs { pool: output("userPoolId"), client: output("userPoolClientId") }
}

async fn a_user_signs_up_and_in(stage: &Stage, outputs: &Outputs) -> Tokens {
    let cognito = Cognito::new(&stage.config);
    let sign_up = cognito.sign_up().client_id(&outputs.client).username(EMAIL).password(PASSWORD);
    let signed_up = sign_up.send().await.expect("everybody may sign up");
    assert!(!signed_up.user_confirmed());
    match stage.cloud {
        Cloud::Embedded => confirm_with_the_mailed_code(stage, &cognito, outputs).await,
        // ministack takes any code and sends none.
        Cloud::Ministack => {
            let confirm = cognito.admin_confirm_sign_up().user_pool_id(&outputs.pool).username(EMAIL);
            confirm.send().await.expect("she is confirmed");
        }
    }
    sign_in(&cognito, &outputs.client, EMAIL).await
}

async fn confirm_with_the_mailed_code(stage: &Stage, cognito: &Cognito, outputs: &Outputs) {
    let early = initiate(cognito, &outputs.client, EMAIL).await.expect_err("she is not confirmed");
    assert_eq!(early, "UserNotConfirmedException");
    let mail = stage.project.done(&["local", "mail", EMAIL]);
    let body = mail[0]["body"].as_str().expect("a message was sent");
    let code: String = body.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(code.len(), 6, "{body}");
    let confirm =
        |code: &str| cognito.confirm_sign_up().client_id(&outputs.client).username(EMAIL).confirmation_code(code);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let refused = confirm(wrong).send().await.expect_err("the code is wrong");
    assert_eq!(refused.code(), Some("CodeMismatchException"));
    confirm(&code).send().await.expect("the code is right");
}

async fn initiate(cognito: &Cognito, client: &str, name: &str) -> Result<Tokens, String> {
    let request = cognito.initiate_auth().client_id(client).auth_flow(AuthFlowType::UserPasswordAuth);
    let request = request.auth_parameters("USERNAME", name).auth_parameters("PASSWORD", PASSWORD);
    let answer = request.send().await.map_err(|error| error.code().unwrap_or_default().to_owned())?;
    let result = answer.authentication_result().expect("no challenge is asked");
    Ok(Tokens {
        id: result.id_token().expect("there is one").to_owned(),
        access: result.access_token().expect("there is one").to_owned(),
    })
}

async fn sign_in(cognito: &Cognito, client: &str, name: &str) -> Tokens {
    initiate(cognito, client, name).await.expect("the password is right")
}

fn her_token_opens_the_route(stage: &Stage, tokens: &Tokens) {
    let by_id = call(stage, "/protected", Some(&tokens.id));
    assert_eq!(by_id["status"], 200, "{by_id}");
    assert_eq!(by_id["body"]["claims"]["email"], EMAIL);
    assert_eq!(by_id["body"]["claims"]["sub"], forgery::claims(&tokens.id)["sub"]);
    assert_eq!(by_id["body"]["claims"]["token_use"], "id");
    let by_access = call(stage, "/protected", Some(&tokens.access));
    assert_eq!(by_access["status"], 200, "{by_access}");
    assert_eq!(by_access["body"]["claims"]["token_use"], "access");
}

/// The answer to `GET path` with a token.
fn call(stage: &Stage, path: &str, token: Option<&str>) -> Value {
    let mut command = stage.project.command(&["call", "GET", path]);
    if let Some(token) = token {
        let file = stage.project.path().join("token");
        std::fs::write(&file, token).expect("the folder is writable");
        command.arg("--token-file").arg(file);
    }
    let Told { answer, said, .. } = told(&command.output().expect("the program runs"));
    assert!(answer["status"].is_u64(), "{answer}\n{said}");
    answer
}

async fn nobody_else_gets_in(stage: &Stage, outputs: &Outputs, tokens: &Tokens) {
    let bare = call(stage, "/protected", None);
    assert_eq!(bare["status"], 401, "{bare}");
    assert_eq!(bare["body"], json!({ "message": "Unauthorized" }));
    // ministack answers without a challenge.
    if stage.cloud == Cloud::Embedded {
        assert_eq!(bare["headers"]["www-authenticate"], "Bearer");
    }
    refused(stage, "rubbish", "rubbish");
    refused(stage, "tampered signature", &forgery::with_broken_signature(&tokens.id));
    let mut mallory = forgery::claims(&tokens.id);
    mallory["email"] = json!("mallory@example.com");
    refused(stage, "tampered claims", &forgery::with_claims(&tokens.id, &mallory));
    a_bad_token_is_refused(stage, tokens);
    refused(stage, "another pool's", &token_of_another_pool(stage).await);
    for token in tokens_of_another_client(stage, outputs).await {
        refused(stage, "another audience's", &token);
    }
}

/// The embedded cloud makes every bad token that has a flag, and keeps none. Nobody has ministack's keys.
fn a_bad_token_is_refused(stage: &Stage, tokens: &Tokens) {
    match stage.cloud {
        Cloud::Embedded => {
            for flaw in Flaw::ALL.into_iter().filter(|flaw| flaw.answer(Guard::Jwt) == Some(401)) {
                for kind in ["--id", "--access"] {
                    let made = stage.project.command(&["token", EMAIL, kind]).args(flaw.flag().split(' ')).output();
                    let made = succeeded(told(&made.expect("the program runs")));
                    assert_eq!(made.answer["flaw"], flaw.name());
                    assert!(made.said.contains(flaw.wrong()), "{}", made.said);
                    refused(stage, flaw.name(), made.answer["token"].as_str().expect("it is one"));
                }
            }
            assert!(!stage.project.path().join(".stackgen/tokens").exists(), "bad tokens are not kept");
        }
        Cloud::Ministack => {
            let unmade = stage.project.command(&["token", EMAIL, "--expired"]).output();
            let unmade = told(&unmade.expect("the program runs"));
            assert_eq!(unmade.code, Some(2), "{}", unmade.said);
            assert_eq!(unmade.answer["error"]["code"], "stackgen::token::local_only");
            // Its clock is this machine's, so the signature is wrong as well.
            for token in [&tokens.id, &tokens.access] {
                let mut claims = forgery::claims(token);
                make_old(&mut claims);
                refused(stage, "expired and wrongly signed", &forgery::with_claims(token, &claims));
            }
        }
    }
}

/// Two hours older than it is.
fn make_old(claims: &mut Value) {
    for name in ["exp", "iat", "auth_time"] {
        let time = claims[name].as_i64().expect("it is a time");
        claims[name] = json!(time - 7200);
    }
}

fn refused(stage: &Stage, what: &str, token: &str) {
    let answer = call(stage, "/protected", Some(token));
    assert_eq!(answer["status"], 401, "{what}: {answer}");
    assert_eq!(answer["body"], json!({ "message": "Unauthorized" }), "{what}");
    // ministack answers without a challenge.
    if stage.cloud == Cloud::Embedded {
        let challenge = answer["headers"]["www-authenticate"].as_str().expect("there is a challenge");
        assert!(
            challenge.starts_with("Bearer") && challenge.contains(r#"error="invalid_token""#),
            "{what}: {challenge}"
        );
    }
}

/// A token that a pool signed which nothing is for.
pub(super) async fn token_of_another_pool(stage: &Stage) -> String {
    let cognito = Cognito::new(&stage.config);
    let pool = cognito.create_user_pool().pool_name("another").send().await.expect("it is made");
    let pool = pool.user_pool().and_then(|pool| pool.id()).expect("it has an id").to_owned();
    let client = client_of(&cognito, &pool).await;
    cognito.admin_create_user().user_pool_id(&pool).username("eve").send().await.expect("she is made");
    let password = cognito.admin_set_user_password().user_pool_id(&pool).username("eve").password("Secret-1234");
    password.permanent(true).send().await.expect("it is set");
    let request = cognito.initiate_auth().client_id(client).auth_flow(AuthFlowType::UserPasswordAuth);
    let request = request.auth_parameters("USERNAME", "eve").auth_parameters("PASSWORD", "Secret-1234");
    let answer = request.send().await.expect("the password is right");
    let token = answer.authentication_result().and_then(|result| result.id_token()).expect("there is one").to_owned();
    cognito.delete_user_pool().user_pool_id(&pool).send().await.expect("it goes");
    token
}

async fn client_of(cognito: &Cognito, pool: &str) -> String {
    let flows = ExplicitAuthFlowsType::AllowUserPasswordAuth;
    let client = cognito.create_user_pool_client().user_pool_id(pool).client_name("another");
    let client = client.explicit_auth_flows(flows).send().await.expect("it is made");
    client.user_pool_client().and_then(|client| client.client_id()).expect("it has an id").to_owned()
}

/// The same user, the same pool, and a client that the route does not know. Of the two tokens, one says so by `aud`, the
/// other by `client_id`.
async fn tokens_of_another_client(stage: &Stage, outputs: &Outputs) -> [String; 2] {
    let cognito = Cognito::new(&stage.config);
    let client = client_of(&cognito, &outputs.pool).await;
    let tokens = sign_in(&cognito, &client, EMAIL).await;
    let delete = cognito.delete_user_pool_client().user_pool_id(&outputs.pool).client_id(client);
    delete.send().await.expect("it goes");
    [tokens.id, tokens.access]
}

fn users_are_made_and_used_by_name(stage: &Stage) {
    let bob = "bob@example.com";
    stage.project.done(&["user", "create", bob]);
    let users = stage.project.done(&["user", "list"]);
    let states: Vec<_> = users["users"].as_array().expect("it lists").iter().map(|user| &user["status"]).collect();
    assert_eq!(states, ["CONFIRMED", "CONFIRMED"]);
    let answer = stage.project.done(&["call", "GET", "/protected", "--as", bob]);
    assert_eq!(answer["body"]["claims"]["email"], bob);
    stage.project.done(&["user", "delete", bob, "--yes"]);
}

async fn a_deployment_without_a_change_changes_nothing(stage: &Stage) {
    let before = events(stage).await;
    let again = stage.project.deploy();
    assert_eq!(again.answer["stacks"][0]["result"], "unchanged");
    assert_eq!(again.answer["stacks"][0]["changes"], json!([]));
    assert_eq!(events(stage).await, before, "CloudFormation was not bothered");
    let mut command = stage.project.plain(&["deploy", STACK]);
    let text = command.args(stage.project.target()).output().expect("the program runs");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("protected-api is deployed as it is; nothing to change"), "{text}");
}

/// Ids of the events of the stack.
async fn events(stage: &Stage) -> Vec<String> {
    let client = aws_sdk_cloudformation::Client::new(&stage.config);
    let events = client.describe_stack_events().stack_name(STACK).into_paginator().items().send();
    let events = events.collect::<Result<Vec<_>, _>>().await.expect("they are listed");
    events.into_iter().filter_map(|event| event.event_id).collect()
}

async fn an_update_takes_effect(stage: &Stage, tokens: &Tokens) {
    let project = &stage.project;
    assert_eq!(memory(stage).await, 128);
    project.edit("{ crate: functions/protected }", "{ crate: functions/protected, memorySize: 256 }");
    project.edit(
        "GET /protected: { function: Protected, authorizer: Members }",
        "GET /protected: { function: Protected, authorizer: Members, scopes: [aws.cognito.signin.user.admin] }\n      \
         GET /open: { function: Protected, public: true }",
    );
    let stopped = project.try_deploy();
    assert_eq!(stopped.code, Some(3), "a new door has to be accepted: {}", stopped.said);
    assert!(stopped.said.contains("GET /open is new and PUBLIC"), "{}", stopped.said);
    let changed = project.deploy_accepting("GET /open");
    let stack = &changed.answer["stacks"][0];
    assert_eq!((&stack["result"], &stack["status"]), (&json!("updated"), &json!("UPDATE_COMPLETE")));
    let changes = stack["changes"].as_array().expect("it lists");
    // ministack calls every change that another resource's may bring about `changed, perhaps replaced`.
    let count = |kind: &str, word: &str| {
        let is_it =
            |change: &&Value| change["type"] == kind && change["action"].as_str().unwrap_or_default().starts_with(word);
        changes.iter().filter(is_it).count()
    };
    assert_eq!(count("AWS::Lambda::Function", "changed"), 1, "{changes:?}");
    assert_eq!(count("AWS::ApiGatewayV2::Route", "changed"), 1, "{changes:?}");
    assert_eq!(count("AWS::ApiGatewayV2::Route", "added"), 1, "{changes:?}");
    for word in ["changed", "added", "Protected", "AWS::ApiGatewayV2::Route"] {
        assert!(changed.said.contains(word), "`{word}` in {}", changed.said);
    }

    assert_eq!(memory(stage).await, 256);
    scopes_are_asked_for(stage, tokens);
    the_public_route_reaches_the_function(stage);
}

fn scopes_are_asked_for(stage: &Stage, tokens: &Tokens) {
    let by_access = call(stage, "/protected", Some(&tokens.access));
    assert_eq!(by_access["status"], 200, "{by_access}");
    let by_id = call(stage, "/protected", Some(&tokens.id));
    assert_eq!(by_id["status"], 403, "an ID token carries no scopes: {by_id}");
    assert_eq!(by_id["body"], json!({ "message": "Forbidden" }));
    // ministack answers without a challenge.
    if stage.cloud == Cloud::Embedded {
        let challenge = by_id["headers"]["www-authenticate"].as_str().expect("there is a challenge");
        assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
    }
}

/// The route is not called `/health`, for which ministack answers itself, whatever the host.
///
/// The function itself refuses a call that no authorizer has vouched for; its answer has no challenge, and the gateway's
/// would come without a content type of its own.
fn the_public_route_reaches_the_function(stage: &Stage) {
    let answer = call(stage, "/open", None);
    assert_eq!(answer["status"], 401, "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert_eq!(answer["headers"]["www-authenticate"], Value::Null);
    let unknown = call(stage, "/nothing", None);
    assert_eq!(unknown["status"], 404, "{unknown}");
}

async fn memory(stage: &Stage) -> i64 {
    let client = aws_sdk_cloudformation::Client::new(&stage.config);
    let resource = client.describe_stack_resource().stack_name(STACK).logical_resource_id("Protected").send().await;
    let resource = resource.expect("the function is deployed");
    let name = resource.stack_resource_detail().and_then(|detail| detail.physical_resource_id());
    let function = remains::function(&stage.config, name.expect("it has a name")).await;
    function["MemorySize"].as_i64().expect("it is a number")
}

async fn a_failed_update_is_rolled_back(stage: &Stage, tokens: &Tokens) {
    let whole = std::fs::read_to_string(stage.project.stack_file()).expect("it is there");
    let ghost = "\nresources:\n  Ghost:\n    type: AWS::Cognito::UserPoolGroup\n    properties: { UserPoolId: \
                 us-east-1_nobody, GroupName: ghosts }\n";
    std::fs::write(stage.project.stack_file(), whole.replace("memorySize: 256", "memorySize: 512") + ghost)
        .expect("it is writable");
    let failed = stage.project.try_deploy();
    assert_eq!(failed.code, Some(1), "{}", failed.answer);
    let error = &failed.answer["error"];
    let message = error["message"].as_str().expect("it says why");
    // ministack calls whatever fails in an update an update.
    let status = if stage.cloud == Cloud::Embedded { "CREATE_FAILED" } else { "UPDATE_FAILED" };
    assert!(message.contains(&format!("`Ghost` (AWS::Cognito::UserPoolGroup) {status}: ")), "{message}");
    let line = whole.lines().count() + 3;
    assert_eq!(error["places"][0]["file"], format!("stacks/{STACK}.yaml"), "{error}");
    assert_eq!(error["places"][0]["line"], line, "{error}");
    let help = error["help"].as_str().expect("it says what to do");
    assert!(help.contains("went back to what was deployed before"), "{help}");

    assert_eq!(stage.project.done(&["list"])["stacks"][0]["status"], "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(memory(stage).await, 256);
    let answer = call(stage, "/protected", Some(&tokens.access));
    assert_eq!(answer["status"], 200, "{answer}");
    std::fs::write(stage.project.stack_file(), whole).expect("it is writable");
    assert_eq!(stage.project.deploy().answer["stacks"][0]["result"], "unchanged");
}

/// The stack's own limits are for hundreds of callers.
fn who_is_too_fast_is_told_so(stage: &Stage, tokens: &Tokens) {
    const LIMITS: &str = "stages: { $default: { throttle: { rate: 1, burst: 1 } } }";
    stage.project.edit("    name: my-api\n", &format!("    name: my-api\n    {LIMITS}\n"));
    assert_eq!(stage.project.deploy().answer["stacks"][0]["result"], "updated");
    assert_throttled(&at_once(8, || {
        stage.call("GET", "/protected", &[("Authorization", tokens.access.as_str())], None)
    }));
}

async fn nothing_is_left(stage: &Stage) {
    let gone = stage.project.destroy();
    assert_eq!(gone.answer["stacks"], json!([{ "stack": STACK, "existed": true, "left": [] }]));
    let client = aws_sdk_cloudformation::Client::new(&stage.config);
    let missing = client.describe_stacks().stack_name(STACK).send().await.expect_err("it is gone");
    assert_eq!(missing.code(), Some("ValidationError"));
    assert_eq!(remains::all(&stage.config).await, [format!("stack {BOOTSTRAP_STACK}")]);
    let again = stage.project.destroy();
    assert_eq!(again.answer["stacks"][0]["existed"], false);
    let bucket = stage.project.targeted(&["bootstrap", "--destroy", "--yes"]).output().expect("the program runs");
    succeeded(told(&bucket));
    assert_eq!(remains::all(&stage.config).await, Vec::<String>::new());
}
