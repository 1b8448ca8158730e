//! The stack `chat`, deployed by the program and talked over by a foreign client.

use serde_json::{Value, json};

use super::world::{Client, PINS};
use crate::project::Project;
use crate::tools;

/// The text of a secret, asked for by AWS's own SDK.
const TOKEN: &str = "
import boto3, sys
print(boto3.client('secretsmanager').get_secret_value(SecretId=sys.argv[1])['SecretString'])
";

fn token(project: &Project, arn: &str) -> String {
    let mut command = tools::python(&PINS).program("python");
    command
        .args(["-c", TOKEN, arn])
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    tools::run(command.envs(project.local_environment())).trim().to_owned()
}

async fn connect(url: &str, query: &str) -> Client {
    Client::start(format!("{url}{query}"), "{}".to_owned()).await
}

/// What the client's function answers to a message.
async fn answer(client: &mut Client, message: Value) -> Value {
    let text = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    client.tell(json!({ "send": text })).await;
    let said = client.said().await;
    serde_json::from_str(said["message"].as_str().unwrap_or_else(|| panic!("{said}"))).expect("it is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_lets_those_talk_who_know_the_token() {
    let project = Project::local_with("chat");
    let deployed = tokio::task::block_in_place(|| project.deploy());
    let outputs = &deployed.answer["stacks"][0]["outputs"];
    let output = |name: &str| outputs[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {outputs}")).to_owned();
    let (url, arn) = (output("chatUrl"), output("tokenArn"));
    let token = tokio::task::block_in_place(|| token(&project, &arn));
    for (query, status) in [("", 401), ("?token=", 401), ("?token=wrong", 403)] {
        let said = connect(&url, query).await.said().await;
        assert_eq!(said["refused"][0], status, "{query}: {said}");
    }
    let query = format!("?token={token}");
    let (mut alice, mut bob) = (connect(&url, &query).await, connect(&url, &query).await);
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.said().await, json!({ "open": null }));
    }
    let (first, second) = (answer(&mut alice, json!("hello")).await, answer(&mut bob, json!({ "action": "x" })).await);
    assert_eq!(first["text"], "hello");
    let message = json!({ "action": "send", "to": second["connectionId"], "text": "good morning" });
    assert_eq!(answer(&mut alice, message.clone()).await, json!({ "message": "sent" }));
    let received = bob.said().await;
    let received: Value = serde_json::from_str(received["message"].as_str().expect("a message")).expect("it is JSON");
    assert_eq!(received, json!({ "from": first["connectionId"], "text": "good morning" }));
    bob.leave().await;
    assert_eq!(answer(&mut alice, message).await, json!({ "message": "nobody is there" }));
    tokio::task::block_in_place(|| project.destroy());
    assert_eq!(alice.said().await, json!({ "closed": [1001, "Going away"] }));
}
