//! The main job from end to end: one list of assertions, held over the embedded cloud and over an emulator that knows
//! nothing of stackgen, with and without a look at who is calling.

mod chat;
mod contact;
mod federated;
mod forgery;
mod google;
mod list;
mod members;
mod notes;
pub(crate) mod remains;

use aws_config::SdkConfig;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::project::{self, Project, STACK, told};
use crate::tools::{Auth, Ministack};

/// Who plays AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cloud {
    /// The one in the binary.
    Embedded,
    /// ministack 1.5.33. What it is known to do otherwise is said where it matters, with the word `ministack`.
    Ministack,
}

/// Where the list is run.
struct Stage {
    cloud: Cloud,
    /// Whether it looks at who is calling.
    auth: Auth,
    project: Project,
    /// What SDK clients are made from.
    config: SdkConfig,
    _emulator: Option<Ministack>,
}

impl Stage {
    fn embedded(stack: &'static str) -> Self {
        let project = Project::local_with(stack);
        let config = project.local_config();
        Self { cloud: Cloud::Embedded, auth: Auth::Enforced, project, config, _emulator: None }
    }

    fn ministack(stack: &'static str, auth: Auth) -> Self {
        let emulator = Ministack::start(auth);
        let project = Project::at(stack, &emulator);
        let config = project::config(&emulator.environment());
        Self { cloud: Cloud::Ministack, auth, project, config, _emulator: Some(emulator) }
    }
}

impl Stage {
    /// The answer to a request, by `stackgen call`.
    fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string);
        let options = body.iter().flat_map(|body| ["--data", body]);
        self.asked(method, path, headers, options)
    }

    /// The answer of one of several APIs that have such a route.
    fn call_api(&self, api: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Value {
        self.asked(method, path, headers, ["--api", api])
    }

    fn asked<'a>(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        options: impl IntoIterator<Item = &'a str>,
    ) -> Value {
        let mut command = self.project.command(&["call", method, path]);
        command.args(options);
        for (name, value) in headers {
            command.args(["--header", &format!("{name}: {value}")]);
        }
        let told = told(&command.output().expect("the program runs"));
        assert!(told.answer["status"].is_u64(), "{method} {path}: {}\n{}", told.answer, told.said);
        told.answer
    }

    /// The value of a secret of the stack.
    async fn secret(&self, id: &str) -> String {
        let asked = json!({ "SecretId": self.physical_id(id).await });
        let answer = remains::json(&self.config, "secretsmanager", "secretsmanager.GetSecretValue", &asked).await;
        answer["SecretString"].as_str().expect("it is a text").to_owned()
    }

    /// Puts another value into a secret of the stack.
    async fn change_secret(&self, id: &str, value: &str) {
        let asked = json!({
            "SecretId": self.physical_id(id).await, "SecretString": value, "ClientRequestToken": Uuid::new_v4().to_string(),
        });
        remains::json(&self.config, "secretsmanager", "secretsmanager.PutSecretValue", &asked).await;
    }

    async fn physical_id(&self, id: &str) -> String {
        let client = aws_sdk_cloudformation::Client::new(&self.config);
        let asked = client.describe_stack_resource().stack_name(self.project.stack()).logical_resource_id(id);
        let resource = asked.send().await.expect("the stack is deployed");
        let resource = resource.stack_resource_detail().and_then(|detail| detail.physical_resource_id());
        resource.expect("it has been made").to_owned()
    }

    /// All that the account's functions have logged.
    async fn logged(&self) -> Vec<String> {
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.config);
        let groups = client.describe_log_groups().send().await.expect("log groups are listed");
        let mut lines = Vec::new();
        for group in groups.log_groups().iter().filter_map(|group| group.log_group_name()) {
            lines.extend(self.logged_in(group).await);
        }
        lines
    }

    async fn logged_in(&self, group: &str) -> Vec<String> {
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.config);
        let pages = client.filter_log_events().log_group_name(group).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.expect("events are listed");
        pages.into_iter().flat_map(|page| page.events.unwrap_or_default()).filter_map(|event| event.message).collect()
    }

    /// How often a function of the stack has run.
    async fn runs(&self, function: &str) -> usize {
        let lines = self.logged_in(&self.physical_id(&format!("{function}LogGroup")).await).await;
        lines.iter().filter(|line| line.starts_with("START RequestId")).count()
    }

    /// The template that CloudFormation has.
    async fn template(&self) -> String {
        let client = aws_sdk_cloudformation::Client::new(&self.config);
        let template = client.get_template().stack_name(self.project.stack()).send().await.expect("it is deployed");
        template.template_body().expect("there is one").to_owned()
    }
}

/// The answers to so many calls at the same moment.
fn at_once(count: usize, call: impl Fn() -> Value + Sync) -> Vec<Value> {
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..count).map(|_| scope.spawn(&call)).collect();
        calls.into_iter().map(|call| call.join().expect("it answers")).collect()
    })
}

/// Some of these calls were too many, and told so.
fn assert_throttled(answers: &[Value]) {
    let refused = answers.iter().find(|answer| answer["status"] == 429);
    let refused = refused.unwrap_or_else(|| panic!("{} at the same moment are too many: {answers:?}", answers.len()));
    assert_eq!(refused["body"], json!({ "message": "Too Many Requests" }));
}

#[tokio::test]
async fn the_embedded_cloud_does_the_main_job() {
    list::run(&Stage::embedded(STACK)).await;
}

#[tokio::test]
async fn ministack_does_the_main_job() {
    list::run(&Stage::ministack(STACK, Auth::Off)).await;
}

#[tokio::test]
async fn ministack_that_looks_at_who_is_calling_does_the_main_job() {
    list::run(&Stage::ministack(STACK, Auth::Enforced)).await;
}

#[tokio::test]
async fn the_embedded_cloud_serves_federated() {
    federated::run(&Stage::embedded(federated::STACK)).await;
}

#[tokio::test]
async fn ministack_serves_federated() {
    federated::run(&Stage::ministack(federated::STACK, Auth::Off)).await;
}

#[tokio::test]
async fn ministack_that_looks_at_who_is_calling_serves_federated() {
    federated::run(&Stage::ministack(federated::STACK, Auth::Enforced)).await;
}

#[tokio::test]
async fn the_embedded_cloud_serves_notes() {
    notes::run(&Stage::embedded(notes::STACK)).await;
}

#[tokio::test]
async fn ministack_serves_notes() {
    notes::run(&Stage::ministack(notes::STACK, Auth::Off)).await;
}

#[tokio::test]
async fn ministack_that_looks_at_who_is_calling_serves_notes() {
    notes::run(&Stage::ministack(notes::STACK, Auth::Enforced)).await;
}

#[tokio::test]
async fn the_embedded_cloud_serves_contact() {
    contact::run(&Stage::embedded(contact::STACK)).await;
}

#[tokio::test]
async fn ministack_serves_contact() {
    contact::run(&Stage::ministack(contact::STACK, Auth::Off)).await;
}

#[tokio::test]
async fn ministack_that_looks_at_who_is_calling_serves_contact() {
    contact::run(&Stage::ministack(contact::STACK, Auth::Enforced)).await;
}

#[tokio::test]
async fn the_embedded_cloud_serves_chat() {
    chat::run(&Stage::embedded(chat::STACK)).await;
}

#[tokio::test]
async fn ministack_serves_chat() {
    chat::run(&Stage::ministack(chat::STACK, Auth::Off)).await;
}

#[tokio::test]
async fn ministack_that_looks_at_who_is_calling_serves_chat() {
    chat::run(&Stage::ministack(chat::STACK, Auth::Enforced)).await;
}

#[tokio::test]
async fn the_embedded_cloud_serves_members() {
    members::run(&Stage::embedded(members::STACK)).await;
}

#[tokio::test]
async fn ministack_serves_members() {
    members::run(&Stage::ministack(members::STACK, Auth::Off)).await;
}

#[tokio::test]
async fn ministack_that_looks_at_who_is_calling_serves_members() {
    members::run(&Stage::ministack(members::STACK, Auth::Enforced)).await;
}
