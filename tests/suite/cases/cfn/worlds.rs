//! What cases are given: a cloud and what is in it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::Unknown;
use super::query::{self, Answer};
use crate::support::TestCloud;

/// A change set that never was.
const NO_CHANGE_SET: &str =
    "arn:aws:cloudformation:us-east-1:000000000000:changeSet/none/00000000-0000-4000-8000-000000000000";

/// A cloud in the state that a case is given.
pub(super) struct World {
    cloud: TestCloud,
    /// The word for that state.
    pub(super) given: String,
    /// Name of the stack that the case is about.
    pub(super) stack: String,
    /// Its ARN, that of the first one where the name was used twice; empty while there is none.
    pub(super) stack_id: String,
    /// ARN of its first change set.
    pub(super) change_set: String,
    /// Its template.
    pub(super) template: String,
    /// The resource that fails.
    pub(super) failing: String,
}

/// A parameter resource with these properties.
pub(super) fn parameter(properties: Value) -> Value {
    let mut all = Map::from_iter([("Type".to_owned(), json!("String"))]);
    all.extend(properties.as_object().cloned().unwrap_or_default());
    all.entry("Value").or_insert_with(|| json!("v"));
    json!({ "Type": "AWS::SSM::Parameter", "Properties": all })
}

/// A template with one resource.
pub(super) fn only(logical_id: &str, resource: Value) -> String {
    json!({ "Resources": { logical_id: resource } }).to_string()
}

fn both(first: (&str, Value), second: (&str, Value)) -> String {
    json!({ "Resources": { first.0: first.1, second.0: second.1 } }).to_string()
}

/// One resource that fails and one, beside it, that does not.
pub(super) fn half_bad() -> String {
    both(("Bad", parameter(json!({"Type": "Wrong"}))), ("Good", parameter(json!({}))))
}

/// Two resources changed, one of them wrongly.
pub(super) fn half_bad_update() -> String {
    both(("P", parameter(json!({"Value": "other"}))), ("Q", parameter(json!({"Type": "Wrong"}))))
}

/// A resource whose name another one has.
pub(super) fn taken() -> String {
    only("P", parameter(json!({"Name": "taken"})))
}

/// A stack that exports `NAME`.
pub(super) fn exporter(value: &str) -> String {
    json!({
        "Resources": {"P": parameter(json!({"Value": value}))},
        "Outputs": {"O": {"Value": value, "Export": {"Name": "NAME"}}},
    })
    .to_string()
}

/// A role with an explicit name and this path, which cannot be changed.
pub(super) fn function_role(path: &str) -> Value {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }],
    });
    json!({
        "Type": "AWS::IAM::Role",
        "Properties": {"RoleName": "custom", "Path": path, "AssumeRolePolicyDocument": trust},
    })
}

/// A template whose role has an explicit name.
pub(super) fn named_role() -> String {
    only("R", function_role("/"))
}

/// A bucket.
pub(super) fn bucket(name: &str) -> Value {
    json!({ "Type": "AWS::S3::Bucket", "Properties": { "BucketName": name } })
}

/// A template with so many members in a section.
pub(super) fn many(section: &str, count: usize) -> String {
    let member = match section {
        "Resources" => parameter(json!({})),
        "Parameters" => json!({"Type": "String", "Default": "d"}),
        _ => json!({"a": {"b": "c"}}),
    };
    // As small as it can be, to stay below the limit of an inline template.
    let member =
        if section == "Resources" { json!({"Type": "AWS::CloudFormation::WaitConditionHandle"}) } else { member };
    let members: Map<String, Value> = (0..count).map(|index| (format!("M{index}"), member.clone())).collect();
    let mut template = Map::from_iter([("Resources".to_owned(), json!({"P": parameter(json!({}))}))]);
    template.insert(section.to_owned(), Value::Object(members));
    Value::Object(template).to_string()
}

/// Enough resources that an operation on them is still under way when the next request comes.
fn long(value: &str) -> String {
    let members: Map<String, Value> =
        (0..80).map(|index| (format!("P{index}"), parameter(json!({ "Value": value })))).collect();
    json!({ "Resources": members }).to_string()
}

/// The recordings were made with topics; here a parameter stands for them.
pub(super) fn topic(text: &str) -> String {
    text.replace("AWS::SNS::Topic", "AWS::SSM::Parameter")
}

impl World {
    /// Brings a cloud to the state that a word stands for.
    pub(super) async fn given(word: &str) -> Result<Self, Unknown> {
        let mut world = Self {
            cloud: TestCloud::start().await,
            given: word.to_owned(),
            stack: "case".to_owned(),
            stack_id: String::new(),
            change_set: String::new(),
            template: only("P", parameter(json!({}))),
            failing: "Bad".to_owned(),
        };
        world.prepare(word).await?;
        Ok(world)
    }

    async fn prepare(&mut self, word: &str) -> Result<(), Unknown> {
        match word {
            "nothing" => {}
            "any" => return Err(Unknown::new("it throttles only in a way that no test should")),
            "stack_one" => self.create(&[]).await,
            "stack_sam" => {
                self.template =
                    json!({"Transform": "AWS::LanguageExtensions", "Resources": {"P": parameter(json!({}))}})
                        .to_string();
                self.create(&[("Capabilities.member.1", "CAPABILITY_AUTO_EXPAND")]).await;
            }
            "stack_via_cs" => self.create_by_change_set().await,
            "changeset_deleted" => {
                self.create(&[]).await;
                let name = [("StackName", "case"), ("ChangeSetName", "cs")];
                let template = only("P", parameter(json!({"Value": "other"})));
                self.must("CreateChangeSet", &[name[0], name[1], ("TemplateBody", &template)]).await;
                self.must("DeleteChangeSet", &name).await;
            }
            "review" => self.review().await,
            "review_ref" => {
                self.template = both(("A", parameter(json!({}))), ("B", parameter(json!({"Value": {"Ref": "A"}}))));
                self.review().await;
            }
            "stack_deleted" => {
                self.create(&[]).await;
                self.delete().await;
            }
            "stack_recreated" => {
                self.create_by_change_set().await;
                self.delete().await;
                let old = (self.stack_id.clone(), self.change_set.clone());
                self.review().await;
                (self.stack_id, self.change_set) = old;
            }
            "stack_deleting" => {
                self.template = long("1");
                self.create(&[]).await;
                self.must("DeleteStack", &[("StackName", "case")]).await;
            }
            "stack_updating" => {
                self.template = long("1");
                self.create(&[]).await;
                self.must("UpdateStack", &[("StackName", "case"), ("TemplateBody", &long("2"))]).await;
            }
            "stack_named" => {
                self.template = only("P", parameter(json!({"Name": "named"})));
                self.create(&[]).await;
            }
            "stack_param_named" => {
                self.template = json!({
                    "Parameters": {"TopicName": {"Type": "String"}},
                    "Resources": {"P": parameter(json!({"Name": {"Ref": "TopicName"}}))},
                })
                .to_string();
                let value = [
                    ("Parameters.member.1.ParameterKey", "TopicName"),
                    ("Parameters.member.1.ParameterValue", "named"),
                ];
                self.create(&value).await;
            }
            "stack_custom_name" => {
                self.template = only("F", function_role("/"));
                self.create(&[("Capabilities.member.1", "CAPABILITY_NAMED_IAM")]).await;
            }
            "many_failed_cs" => self.pile_up().await,
            "name_taken" => {
                let client = aws_sdk_ssm::Client::new(&self.cloud.config());
                let kind = aws_sdk_ssm::types::ParameterType::String;
                client.put_parameter().name("taken").value("v").r#type(kind).send().await.expect("it is kept");
            }
            "stack_rollback_complete" => {
                self.template = half_bad();
                self.create(&[]).await;
            }
            "stack_create_failed" => {
                self.template = half_bad();
                self.create(&[("DisableRollback", "true")]).await;
            }
            "stack_two_buckets" => {
                self.template = both(("P", parameter(json!({}))), ("Q", parameter(json!({}))));
                self.create(&[]).await;
            }
            // Here it is a bucket with an object in it that cannot be deleted.
            "stack_bad_policy" | "stack_delete_failed" => {
                self.undeletable().await;
                if word == "stack_delete_failed" {
                    self.delete().await;
                }
            }
            "exporter_importer" => {
                self.template = exporter("first");
                self.create(&[]).await;
                let importer = only("P", parameter(json!({"Value": {"Fn::ImportValue": "NAME"}})));
                self.must("CreateStack", &[("StackName", "importer"), ("TemplateBody", &importer)]).await;
                self.settle("importer").await;
            }
            other => return Err(Unknown::new(format!("given `{other}`"))),
        }
        Ok(())
    }

    async fn create(&mut self, more: &[(&str, &str)]) {
        let template = self.template.clone();
        let mut parameters = vec![("StackName", "case"), ("TemplateBody", template.as_str())];
        parameters.extend_from_slice(more);
        self.stack_id = self.must("CreateStack", &parameters).await.text("StackId").unwrap_or_default();
        self.settle("case").await;
    }

    async fn review(&mut self) {
        let template = self.template.clone();
        let parameters =
            [("StackName", "case"), ("ChangeSetName", "cs"), ("ChangeSetType", "CREATE"), ("TemplateBody", &template)];
        let answer = self.must("CreateChangeSet", &parameters).await;
        self.stack_id = answer.text("StackId").unwrap_or_default();
        self.change_set = answer.text("Id").unwrap_or_default();
    }

    async fn create_by_change_set(&mut self) {
        self.review().await;
        self.must("ExecuteChangeSet", &[("ChangeSetName", &self.change_set)]).await;
        self.settle(&self.stack_id).await;
    }

    async fn delete(&self) {
        self.must("DeleteStack", &[("StackName", "case")]).await;
        self.settle(&self.stack_id).await;
    }

    async fn undeletable(&mut self) {
        self.failing = "BrokenPolicy".to_owned();
        self.template = only("BrokenPolicy", bucket("not-empty"));
        self.create(&[]).await;
        let config = aws_sdk_s3::config::Builder::from(&self.cloud.config()).force_path_style(true).build();
        let client = aws_sdk_s3::Client::from_conf(config);
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"x");
        client.put_object().bucket("not-empty").key("k").body(body).send().await.expect("it is kept");
    }

    async fn pile_up(&mut self) {
        self.create(&[]).await;
        for number in 0..2000 {
            let name = format!("pile{number}");
            let parameters = [("StackName", "case"), ("ChangeSetName", &name), ("TemplateBody", &self.template)];
            if self.call("CreateChangeSet", &parameters).await.status != 200 {
                return;
            }
        }
    }

    /// Sends one request.
    pub(super) async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        query::call(&self.cloud, action, parameters).await
    }

    async fn must(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let answer = self.call(action, parameters).await;
        assert_eq!(answer.status, 200, "{}: {action}: {}", self.given, answer.xml);
        answer
    }

    /// A stack as it is described; null when it is not there.
    pub(super) async fn describe(&self, stack: &str) -> Value {
        let answer = self.call("DescribeStacks", &[("StackName", stack)]).await;
        answer.body.pointer("/Stacks/0").cloned().unwrap_or_default()
    }

    /// Waits until the stack is worked on no more.
    pub(super) async fn settle(&self, stack: &str) {
        for _ in 0..3000 {
            let status = self.describe(stack).await["StackStatus"].as_str().unwrap_or_default().to_owned();
            if !status.ends_with("_IN_PROGRESS") || status == "REVIEW_IN_PROGRESS" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{}: {stack} does not settle", self.given);
    }

    /// Every event of a stack, the oldest first.
    pub(super) async fn events(&self, stack: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut token = None;
        loop {
            let mut parameters = vec![("StackName", stack)];
            parameters.extend(token.as_deref().map(|token| ("NextToken", token)));
            let page = self.call("DescribeStackEvents", &parameters).await;
            events.extend(page.body["StackEvents"].as_array().cloned().unwrap_or_default());
            token = page.text("NextToken");
            if token.is_none() {
                break;
            }
        }
        events.reverse();
        events
    }

    /// The words of a case that stand for names of this world.
    pub(super) fn filled(&self, text: &str) -> String {
        let change_set = if self.given == "changeset_deleted" { "cs" } else { "made" };
        let names = [
            ("<STACK_ARN>", self.stack_id.as_str()),
            ("<STACK>", &self.stack),
            ("<CS_ARN unknown>", NO_CHANGE_SET),
            ("<CS_ARN>", NO_CHANGE_SET),
            ("<CS>", change_set),
            ("<NAME>", "NAME"),
            ("<IMPORTER>", "importer"),
            ("<PHYS>", "custom"),
            ("<ACCOUNT>", "000000000000"),
            ("<REGION>", "us-east-1"),
            ("<bucket>", "bucket"),
        ];
        names.iter().fold(text.to_owned(), |text, (word, name)| text.replace(word, name))
    }

    /// Takes the cloud down.
    pub(super) async fn stop(self) {
        drop(self.cloud.stop().await);
    }
}
