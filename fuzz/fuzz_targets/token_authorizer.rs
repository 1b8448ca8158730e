//! Whatever API Gateway were to send, who knows the secret passes and nobody else, and nothing falls over.
//!
//! `cargo +nightly fuzz run token_authorizer`

#![no_main]

use std::sync::LazyLock;

use authorizer::{Event, Question, Settings};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_http_client::test_util::infallible_client_fn;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use token_authorizer::{Authorizer, Secret};
use tokio::runtime::{Builder, Runtime};

/// What callers have to know: short, so that the fuzzer comes upon it.
const TOKEN: &str = "sesame";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("it starts"));

static AUTHORIZERS: LazyLock<[(Settings, Authorizer); 2]> = LazyLock::new(|| {
    [(None, true), (Some("t".to_owned()), false)].map(|(query, simple)| {
        let settings = || Settings { header: Some("Authorization".to_owned()), query: query.clone(), simple };
        (settings(), Authorizer::new(settings(), Secret::new(secrets_manager(), "token")))
    })
});

/// Secrets Manager, as it answers without a network.
fn secrets_manager() -> Client {
    let answer = format!(r#"{{"Name":"token","SecretString":"{TOKEN}"}}"#);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "fuzz"))
        .http_client(infallible_client_fn(move |_| http::Response::new(answer.clone())));
    Client::from_conf(config.build())
}

/// Whether an answer lets the caller pass.
fn allows(answer: &Value) -> bool {
    answer["isAuthorized"] == true || answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
}

fuzz_target!(|event: &[u8]| {
    let Ok(event) = serde_json::from_slice::<Event>(event) else { return };
    for (settings, authorizer) in &*AUTHORIZERS {
        let question = Question::read(&event, settings);
        let knows = question.is_ok_and(|question| question.token() == Some(TOKEN));
        let answer = RUNTIME.block_on(authorizer.answer(&event));
        assert_eq!(answer.is_ok_and(|answer| allows(&answer)), knows);
    }
});
