//! A chat, talked over by a foreign WebSocket client.

use serde_json::{Value, json};
use stackgen::deploy::store::BOOTSTRAP_STACK;
use url::form_urlencoded;

use super::{Cloud, Stage, remains};
use crate::websocket::world::Client;

/// The stack.
pub(super) const STACK: &str = "chat";

/// Runs the list.
pub(super) async fn run(stage: &Stage) {
    if stage.cloud == Cloud::Ministack {
        a_host_that_there_is(stage);
        // ministack does not know AWS::ApiGatewayV2::RouteResponse, and answers on every route.
        stage.project.edit("$default: { function: Talk, twoWay: true }", "$default: { function: Talk }");
        stage.project.edit("send: { function: Talk, twoWay: true, ", "send: { function: Talk, ");
    }
    let deployed = stage.project.deploy();
    assert_eq!(deployed.answer["stacks"][0]["result"], "created");
    let url = url(stage, &deployed.answer["stacks"][0]["outputs"]["chatUrl"]).await;
    let token = stage.secret("ApiToken").await;
    nobody_connects_without_the_token(&url).await;
    // ministack makes tokens with punctuation, which the stack asks it not to.
    let query: String =
        form_urlencoded::Serializer::for_suffix("?".to_owned(), 1).append_pair("token", &token).finish();
    let [mut alice, mut bob] = [connected(&url, &query).await, connected(&url, &query).await];
    let [at_alice, at_bob] = [address(&mut alice).await, address(&mut bob).await];
    a_message_goes_from_one_to_the_other(&mut alice, &mut bob, [&at_alice, &at_bob]).await;
    what_is_no_message_goes_nowhere(&mut alice).await;
    if stage.cloud == Cloud::Embedded {
        // ministack counts the messages of no route.
        who_is_too_fast_is_told_so(&mut alice).await;
    }
    bob.leave().await;
    nobody_is_there(stage, &mut alice, &at_bob).await;
    assert!(!stage.logged().await.iter().any(|line| line.contains(&token)), "a log holds the token");
    assert!(!stage.template().await.contains(&token), "the template holds the token");
    assert_eq!(stage.project.deploy().answer["stacks"][0]["result"], "unchanged");
    nothing_is_left(stage).await;
    if stage.cloud == Cloud::Embedded {
        // ministack leaves connections open whose API is gone.
        assert_eq!(alice.said().await, json!({ "closed": [1001, "Going away"] }));
    }
}

/// The function reaches connections at a host of AWS's, which ministack does not play for it.
fn a_host_that_there_is(stage: &Stage) {
    let endpoint = stage.config.endpoint_url().expect("the configuration is whole");
    let grant = "grants: [{ webSocketApi: Chat, access: send";
    let url = format!("{{ sub: \"{endpoint}/_aws/execute-api/${{Chat}}/prod\" }}");
    let environment = format!("environment: {{ CHAT_WEB_SOCKET_ENDPOINT: {url} }}");
    stage.project.edit(grant, &format!("{environment}\n    {grant}, variable: NOWHERE"));
}

async fn url(stage: &Stage, output: &Value) -> String {
    let output = output.as_str().expect("it is put out");
    match stage.cloud {
        Cloud::Embedded => output.to_owned(),
        // ministack puts out a name that resolves on some machines only.
        Cloud::Ministack => {
            let endpoint = stage.config.endpoint_url().expect("the configuration is whole");
            let api = stage.physical_id("Chat").await;
            format!("{}/_aws/execute-api/{api}/prod", endpoint.replacen("http", "ws", 1))
        }
    }
}

async fn nobody_connects_without_the_token(url: &str) {
    for (query, status) in [("", 401), ("?token=", 401), ("?other=1", 401), ("?token=wrong", 403)] {
        let said = connect(url, query).await.said().await;
        assert_eq!(said["refused"][0], status, "{query}: {said}");
    }
}

async fn connect(url: &str, query: &str) -> Client {
    Client::start(format!("{url}{query}"), "{}".to_owned()).await
}

async fn connected(url: &str, query: &str) -> Client {
    let mut client = connect(url, query).await;
    assert_eq!(client.said().await, json!({ "open": null }));
    client
}

async fn tell(client: &mut Client, message: &Value) {
    let text = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    client.tell(json!({ "send": text })).await;
}

/// The next message that a client receives.
async fn received(client: &mut Client) -> Value {
    let said = client.said().await;
    serde_json::from_str(said["message"].as_str().unwrap_or_else(|| panic!("{said}"))).expect("it is JSON")
}

/// What the function answers to a message.
async fn answer(client: &mut Client, message: Value) -> Value {
    tell(client, &message).await;
    received(client).await
}

/// The id of a connection, which it learns from what any message is answered with.
async fn address(client: &mut Client) -> String {
    let told = answer(client, json!("hello")).await;
    assert_eq!(told["text"], "hello");
    told["connectionId"].as_str().expect("it is told").to_owned()
}

async fn a_message_goes_from_one_to_the_other(from: &mut Client, to: &mut Client, [sender, addressee]: [&str; 2]) {
    let message = json!({ "action": "send", "to": addressee, "text": "good morning" });
    tell(from, &message).await;
    assert_eq!(received(to).await, json!({ "from": sender, "text": "good morning" }));
    assert_eq!(received(from).await, json!({ "message": "sent" }));
}

async fn what_is_no_message_goes_nowhere(client: &mut Client) {
    for wrong in [json!({}), json!({ "to": "x" }), json!({ "to": 1, "text": "x" }), json!({ "to": "x", "text": [] })] {
        let mut message = wrong.clone();
        message["action"] = "send".into();
        assert_eq!(answer(client, message).await, json!({ "message": "a message has `to` and `text`" }), "{wrong}");
    }
    let long = json!({ "action": "send", "to": "x", "text": "x".repeat(4_097) });
    assert_eq!(answer(client, long).await, json!({ "message": "a text has 4096 characters at most" }));
}

async fn nobody_is_there(stage: &Stage, client: &mut Client, addressee: &str) {
    let message = json!({ "action": "send", "to": addressee, "text": "good night" });
    // Who was too fast waits, and ministack knows a connection for half a second after it has ended.
    let passing = if stage.cloud == Cloud::Embedded { "Too Many Requests" } else { "sent" };
    for _ in 0..40 {
        let told = answer(client, message.clone()).await;
        if told["message"] != passing {
            assert_eq!(told, json!({ "message": "nobody is there" }));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it stays at `{passing}`");
}

/// The route takes ten messages a second, and twenty at the same moment.
async fn who_is_too_fast_is_told_so(client: &mut Client) {
    for _ in 0..60 {
        tell(client, &json!({ "action": "send" })).await;
    }
    let mut refused = 0;
    for _ in 0..60 {
        if received(client).await["message"] == "Too Many Requests" {
            refused += 1;
        }
    }
    assert!(refused > 0, "sixty at the same moment are too many");
}

async fn nothing_is_left(stage: &Stage) {
    let gone = stage.project.destroy();
    assert_eq!(gone.answer["stacks"], json!([{ "stack": STACK, "existed": true, "left": [] }]));
    assert_eq!(remains::all(&stage.config).await, [format!("stack {BOOTSTRAP_STACK}")]);
}
