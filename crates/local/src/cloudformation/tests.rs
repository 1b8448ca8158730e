//! Stacks through the API, from their creation to their end.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::cloud::{Account, Cloud};
use crate::cloudformation::{Status, api, wait};
use crate::wire::{Caller, Request};

/// A cloud in a folder that goes when it does.
struct World {
    cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cloud = Cloud::new(Account::new("us-east-1"), folder.path().to_owned(), "http://127.0.0.1:4599".to_owned());
        Self { cloud, _folder: folder }
    }

    /// The same state in another process.
    fn restarted(self) -> Self {
        let saved = self.cloud.read(serde_json::to_vec).expect("plain data");
        let account: Account = serde_json::from_slice(&saved).expect("what was saved");
        let cloud = Cloud::new(account, self.cloud.data().to_owned(), self.cloud.endpoint().to_owned());
        Self { cloud, ..self }
    }

    /// A world in which operations are begun and never go on.
    fn stopped() -> Self {
        let world = Self::new();
        world.cloud.stopping().cancel();
        world
    }

    /// Sends one request and waits for the operation that it began.
    async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> (StatusCode, String) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", "2010-05-15").extend_pairs(parameters);
        let request = Request {
            id: "00000000-0000-4000-8000-000000000000".to_owned(),
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            spelling: Default::default(),
            body: Bytes::from(form.finish()),
            caller: Caller::Root,
        };
        let answer = api::handle(self.cloud.clone(), request).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
        self.cloud.tasks().close();
        self.cloud.tasks().wait().await;
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn ok(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let (status, body) = self.call(action, parameters).await;
        assert_eq!(status, StatusCode::OK, "{action}: {body}");
        body
    }

    /// The message of a refusal.
    async fn refused(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let (status, body) = self.call(action, parameters).await;
        assert!(status.is_client_error(), "{action}: {body}");
        element(&body, "Message")
    }

    async fn create(&self, name: &str, template: &Value) {
        let template = template.to_string();
        self.ok("CreateStack", &[("StackName", name), ("TemplateBody", &template)]).await;
    }

    async fn update(&self, name: &str, template: &Value) {
        let template = template.to_string();
        self.ok("UpdateStack", &[("StackName", name), ("TemplateBody", &template)]).await;
    }

    async fn status(&self, name: &str) -> String {
        element(&self.ok("DescribeStacks", &[("StackName", name)]).await, "StackStatus")
    }

    /// Events in the order in which they happened: logical id, status and reason.
    async fn events(&self, name: &str) -> Vec<String> {
        let body = self.ok("DescribeStackEvents", &[("StackName", name)]).await;
        let mut events: Vec<String> = body
            .split("<EventId>")
            .skip(1)
            .map(|event| {
                let reason = element(event, "ResourceStatusReason");
                let line =
                    format!("{} {} {reason}", element(event, "LogicalResourceId"), element(event, "ResourceStatus"));
                line.trim_end().to_owned()
            })
            .collect();
        // Members are written in the order of the alphabet, so that the first piece lost its client's token only.
        events.reverse();
        events
    }
}

/// Text of the first element of that name, empty when there is none.
fn element(xml: &str, name: &str) -> String {
    let inside = xml.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    let text = inside.map_or("", |(text, _)| text);
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn thing(properties: Value) -> Value {
    json!({"Type": "Test::Things::Thing", "Properties": properties})
}

fn resources(resources: Value) -> Value {
    json!({ "Resources": resources })
}

const VIA: [(&str, &str); 3] = [("StackName", "s"), ("ChangeSetName", "c"), ("ChangeSetType", "CREATE")];

#[tokio::test]
async fn a_stack_is_made_through_a_change_set() {
    let world = World::new();
    let template = json!({
        "Resources": {
            "A": thing(json!({"Value": "v"})),
            "B": thing(json!({"Value": {"Fn::Sub": "${A}-${A.Arn}"}})),
        },
        "Outputs": {"Id": {"Value": {"Ref": "B"}}},
    })
    .to_string();
    let mut parameters = VIA.to_vec();
    parameters.push(("TemplateBody", &template));
    world.ok("CreateChangeSet", &parameters).await;
    assert_eq!(world.status("s").await, "REVIEW_IN_PROGRESS");
    let shown = world.ok("DescribeChangeSet", &VIA[..2]).await;
    assert_eq!(element(&shown, "ExecutionStatus"), "AVAILABLE");
    assert!(!shown.contains("AfterContext"), "{shown}");
    world.ok("ExecuteChangeSet", &VIA[..2]).await;
    assert_eq!(
        world.events("s").await,
        [
            "s REVIEW_IN_PROGRESS User Initiated",
            "s CREATE_IN_PROGRESS User Initiated",
            "A CREATE_IN_PROGRESS",
            "A CREATE_IN_PROGRESS Resource creation Initiated",
            "A CREATE_COMPLETE",
            "B CREATE_IN_PROGRESS",
            "B CREATE_IN_PROGRESS Resource creation Initiated",
            "B CREATE_COMPLETE",
            "s CREATE_COMPLETE",
        ]
    );
    let shown = world.ok("DescribeStacks", &VIA[..1]).await;
    assert!(shown.contains("<ChangeSetId>") && shown.contains("<LastUpdatedTime>"), "{shown}");
    assert!(element(&shown, "OutputValue").starts_with("B-"), "{shown}");
}

#[tokio::test]
async fn rules_hold_or_nothing_is_made() {
    let world = World::new();
    let template = json!({
        "Parameters": { "Stage": { "Type": "String" }, "Sizes": { "Type": "CommaDelimitedList", "Default": "1,2" } },
        "Rules": {
            "OnlyKnownSizes": { "Assertions": [
                { "Assert": { "Fn::EachMemberIn": [{ "Ref": "Sizes" }, ["1", "2", "3"]] }, "AssertDescription": "known sizes" },
            ] },
            "ProductionIsBig": {
                "RuleCondition": { "Fn::Equals": [{ "Ref": "Stage" }, "prod"] },
                "Assertions": [{
                    "Assert": { "Fn::Not": [{ "Fn::Contains": [["1", "2"], { "Fn::Select": [0, { "Ref": "Sizes" }] }] }] },
                    "AssertDescription": "production needs size 3",
                }],
            },
        },
        "Resources": { "A": thing(json!({})) },
    })
    .to_string();
    let with = |stage: &'static str, sizes: &'static str| {
        let mut parameters = vec![("StackName", "s"), ("TemplateBody", template.as_str())];
        parameters
            .extend([("Parameters.member.1.ParameterKey", "Stage"), ("Parameters.member.1.ParameterValue", stage)]);
        parameters
            .extend([("Parameters.member.2.ParameterKey", "Sizes"), ("Parameters.member.2.ParameterValue", sizes)]);
        parameters
    };
    let told = world.refused("CreateStack", &with("prod", "1,3")).await;
    assert!(told.contains("production needs size 3"), "{told}");
    let told = world.refused("CreateStack", &with("test", "1,7")).await;
    assert!(told.contains("known sizes"), "{told}");
    world.ok("CreateStack", &with("prod", "3,1")).await;
    assert_eq!(world.status("s").await, "CREATE_COMPLETE");
}

/// The resources of a gate that waits for `count` signals.
fn gate(timeout: &str, count: u32) -> Value {
    resources(json!({
        "Handle": { "Type": "AWS::CloudFormation::WaitConditionHandle" },
        "Gate": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "Properties": { "Handle": { "Ref": "Handle" }, "Timeout": timeout, "Count": count },
        },
    }))
}

#[tokio::test]
async fn a_wait_condition_fails_when_nobody_signals() {
    let world = World::new();
    world.create("s", &gate("0", 1)).await;
    assert_eq!(world.status("s").await, "ROLLBACK_COMPLETE");
    let events = world.events("s").await.join("\n");
    assert!(events.contains("WaitCondition timed out. Received 0 conditions when expecting 1"), "{events}");
}

#[tokio::test]
async fn a_wait_condition_goes_on_once_it_was_told_so_often_enough() {
    let world = World::new();
    let tell = |id: &str, status: &str| {
        let signal = json!({ "Status": status, "UniqueId": id, "Data": format!("from {id}"), "Reason": "why not" });
        let handles = |account: &Account| account.cloudformation.signals.keys().next().cloned();
        let handle = world.cloud.read(handles)?;
        Some(wait::signal(&world.cloud, &handle, signal.to_string().as_bytes()).status())
    };
    let telling = async {
        while tell("a", "SUCCESS").is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(tell("a", "SUCCESS"), Some(StatusCode::OK), "the same again counts once");
        assert_eq!(tell("b", "MAYBE"), Some(StatusCode::BAD_REQUEST));
        tokio::time::sleep(std::time::Duration::from_millis(120)).await;
        let status = world.cloud.read(|account| account.cloudformation.find("s").map(|stack| stack.status));
        assert_eq!(status, Some(Status::CreateInProgress));
        assert_eq!(tell("b", "SUCCESS"), Some(StatusCode::OK));
    };
    let template = gate("60", 2);
    let mut declared = template.clone();
    declared["Outputs"] = json!({ "Data": { "Value": { "Fn::GetAtt": ["Gate", "Data"] } } });
    tokio::join!(world.create("s", &declared), telling);
    assert_eq!(world.status("s").await, "CREATE_COMPLETE");
    let shown = world.ok("DescribeStacks", &VIA[..1]).await;
    assert_eq!(element(&shown, "OutputValue"), r#"{"a":"from a","b":"from b"}"#);
    assert_eq!(wait::signal(&world.cloud, "unknown", b"{}").status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_failed_creation_rolls_back_and_cancels_what_was_under_way() {
    let world = World::new();
    let bad = resources(json!({
        "A": thing(json!({})),
        "Bad": {"Type": "Test::Things::Thing", "DependsOn": "A", "Properties": {"Fail": "create"}},
        "Side": {"Type": "Test::Things::Thing", "DependsOn": "A"},
    }));
    world.create("s", &bad).await;
    let events = world.events("s").await;
    for expected in [
        "Bad CREATE_FAILED the thing does not create",
        "Side CREATE_FAILED Resource creation cancelled",
        "s ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Bad, Side]. Rollback requested by user.",
        "A DELETE_COMPLETE",
        "s ROLLBACK_COMPLETE",
    ] {
        assert!(events.iter().any(|event| event == expected), "{expected}: {events:#?}");
    }
    assert!(world.ok("DescribeStackResources", &VIA[..1]).await.contains("<StackResources></StackResources>"));
    let template = bad.to_string();
    let told = world.refused("UpdateStack", &[("StackName", "s"), ("TemplateBody", &template)]).await;
    assert!(told.ends_with("is in ROLLBACK_COMPLETE state and can not be updated."), "{told}");
    world.ok("DeleteStack", &VIA[..1]).await;
    let told = world.refused("DescribeStacks", &VIA[..1]).await;
    assert_eq!(told, "Stack with id s does not exist");
}

#[tokio::test]
async fn an_update_changes_replaces_and_removes() {
    let world = World::new();
    let before = resources(json!({
        "Changed": thing(json!({"Value": "1"})),
        "Replaced": thing(json!({"Size": 1})),
        "User": thing(json!({"Value": {"Ref": "Replaced"}})),
        "Gone": {"Type": "Test::Things::Thing", "DependsOn": "Kept"},
        "Kept": thing(json!({})),
    }));
    world.create("s", &before).await;
    let after = resources(json!({
        "Changed": thing(json!({"Value": "2"})),
        "Replaced": thing(json!({"Size": "2"})),
        "User": thing(json!({"Value": {"Ref": "Replaced"}})),
        "Kept": thing(json!({})),
        "New": thing(json!({})),
    }));
    let template = after.to_string();
    let parameters = [("StackName", "s"), ("ChangeSetName", "u"), ("TemplateBody", &template)];
    world.ok("CreateChangeSet", &parameters).await;
    let shown = world.ok("DescribeChangeSet", &parameters[..2]).await;
    let actions: Vec<String> = shown
        .split("<ResourceChange>")
        .skip(1)
        .map(|change| {
            format!(
                "{} {} {}",
                element(change, "Action"),
                element(change, "LogicalResourceId"),
                element(change, "Replacement")
            )
        })
        .collect();
    let expected = ["Modify Changed False", "Remove Gone ", "Add New ", "Modify Replaced True", "Modify User False"];
    assert_eq!(actions, expected);
    world.ok("ExecuteChangeSet", &parameters[..2]).await;
    let events = world.events("s").await;
    let cleanup = events.iter().position(|event| event == "s UPDATE_COMPLETE_CLEANUP_IN_PROGRESS").expect("a cleanup");
    let gone = |name: &str| events.iter().position(|event| *event == format!("{name} DELETE_COMPLETE"));
    assert!(gone("Gone") > Some(cleanup) && gone("Replaced") > Some(cleanup), "{events:#?}");
    assert!(gone("Kept").is_none() && !events.iter().any(|event| event.starts_with("Kept UPDATE")));
    assert_eq!(events.last().map(String::as_str), Some("s UPDATE_COMPLETE"));
    assert_eq!(element(&world.ok("DescribeChangeSet", &parameters[..2]).await, "ExecutionStatus"), "EXECUTE_COMPLETE");
}

#[tokio::test]
async fn a_failed_update_goes_back() {
    let world = World::new();
    let before = resources(json!({"A": thing(json!({"Value": "1"})), "B": thing(json!({"Size": 1}))}));
    world.create("s", &before).await;
    let physical = |body: &str| {
        body.split("<PhysicalResourceId>")
            .skip(1)
            .map(|rest| rest.split('<').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let ids = physical(&world.ok("DescribeStackResources", &VIA[..1]).await);
    let bad = resources(json!({
        "A": thing(json!({"Value": "2"})),
        "B": thing(json!({"Size": 2})),
        "Bad": {"Type": "Test::Things::Thing", "DependsOn": ["A", "B"], "Properties": {"Fail": "create"}},
    }));
    world.update("s", &bad).await;
    assert_eq!(world.status("s").await, "UPDATE_ROLLBACK_COMPLETE");
    let told = world.ok("DescribeStackResources", &VIA[..1]).await;
    assert_eq!(physical(&told), ids);
    let body = world.ok("GetTemplate", &VIA[..1]).await;
    assert_eq!(element(&body, "TemplateBody"), before.to_string());
    let events = world.events("s").await;
    assert!(
        events.contains(&"s UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Bad].".to_owned()),
        "{events:#?}"
    );
    assert!(events.contains(&"Bad DELETE_COMPLETE".to_owned()));
}

#[tokio::test]
async fn a_rollback_that_fails_can_be_continued() {
    let world = World::new();
    world.create("s", &resources(json!({"X": thing(json!({"Value": "1"})), "Y": thing(json!({}))}))).await;
    let bad = resources(json!({
        "X": thing(json!({"Fail": "restore"})),
        "Y": {"Type": "Test::Things::Thing", "DependsOn": "X", "Properties": {"Fail": "update"}},
    }));
    world.update("s", &bad).await;
    assert_eq!(world.status("s").await, "UPDATE_ROLLBACK_FAILED");
    let template = bad.to_string();
    let told = world.refused("UpdateStack", &[("StackName", "s"), ("TemplateBody", &template)]).await;
    assert!(told.ends_with("is in UPDATE_ROLLBACK_FAILED state and can not be updated."), "{told}");
    world.ok("ContinueUpdateRollback", &[("StackName", "s")]).await;
    assert_eq!(world.status("s").await, "UPDATE_ROLLBACK_FAILED");
    world.ok("ContinueUpdateRollback", &[("StackName", "s"), ("ResourcesToSkip.member.1", "X")]).await;
    assert_eq!(world.status("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(world.events("s").await.contains(&"X UPDATE_COMPLETE".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_deleted_is_told_and_can_be_retained() {
    let world = World::new();
    let template = resources(json!({
        "Stuck": thing(json!({"Fail": "delete"})),
        "Bad": {"Type": "Test::Things::Thing", "DependsOn": "Stuck", "Properties": {"Fail": "create"}},
    }));
    world.create("s", &template).await;
    let shown = world.ok("DescribeStacks", &VIA[..1]).await;
    assert_eq!(element(&shown, "StackStatus"), "ROLLBACK_FAILED");
    assert_eq!(element(&shown, "StackStatusReason"), "The following resource(s) failed to delete: [Stuck]. ");
    assert!(shown.contains("<DeletionTime>"));
    world.ok("DeleteStack", &VIA[..1]).await;
    assert_eq!(world.status("s").await, "DELETE_FAILED");
    let stack_id = element(&world.ok("DescribeStacks", &VIA[..1]).await, "StackId");
    world.ok("DeleteStack", &[("StackName", "s"), ("RetainResources.member.1", "Stuck")]).await;
    assert_eq!(world.status(&stack_id).await, "DELETE_COMPLETE");
    assert!(world.events(&stack_id).await.contains(&"Stuck DELETE_SKIPPED".to_owned()));
}

#[tokio::test]
async fn without_rollback_what_was_made_stays() {
    let world = World::new();
    let template = resources(json!({"Bad": thing(json!({"Fail": "create"})), "Good": thing(json!({}))})).to_string();
    let parameters = [("StackName", "s"), ("TemplateBody", template.as_str()), ("DisableRollback", "true")];
    world.ok("CreateStack", &parameters).await;
    let shown = world.ok("DescribeStacks", &VIA[..1]).await;
    assert_eq!(element(&shown, "StackStatus"), "CREATE_FAILED");
    assert_eq!(element(&shown, "StackStatusReason"), "The following resource(s) failed to create: [Bad]. ");
    assert!(world.events("s").await.contains(&"Good CREATE_COMPLETE".to_owned()));
    let stack_id = element(&shown, "StackId");
    world.ok("RollbackStack", &VIA[..1]).await;
    assert_eq!(world.status(&stack_id).await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn an_update_without_rollback_can_be_rolled_back_later() {
    let world = World::new();
    world.create("s", &resources(json!({"A": thing(json!({"Value": "1"})), "B": thing(json!({}))}))).await;
    let bad = resources(json!({"A": thing(json!({"Value": "2"})), "B": thing(json!({"Fail": "update"}))})).to_string();
    let parameters = [("StackName", "s"), ("TemplateBody", bad.as_str()), ("DisableRollback", "true")];
    world.ok("UpdateStack", &parameters).await;
    assert_eq!(world.status("s").await, "UPDATE_FAILED");
    world.ok("RollbackStack", &VIA[..1]).await;
    assert_eq!(world.status("s").await, "UPDATE_ROLLBACK_COMPLETE");
}

#[tokio::test]
async fn exports_hold_stacks_together() {
    let world = World::new();
    let exporter = |value: &str| {
        json!({
            "Resources": {"A": thing(json!({}))},
            "Outputs": {"O": {"Value": value, "Export": {"Name": "NAME"}}},
        })
    };
    world.create("exporter", &exporter("1")).await;
    world.create("importer", &resources(json!({"B": thing(json!({"Value": {"Fn::ImportValue": "NAME"}}))}))).await;
    assert_eq!(world.status("importer").await, "CREATE_COMPLETE");
    let told = world.refused("DeleteStack", &[("StackName", "exporter")]).await;
    assert_eq!(told, "Export NAME cannot be deleted as it is in use by importer");
    world.update("exporter", &exporter("2")).await;
    assert_eq!(world.status("exporter").await, "UPDATE_ROLLBACK_COMPLETE");
    world.create("other", &exporter("3")).await;
    let reason = "other ROLLBACK_IN_PROGRESS Export with name NAME is already exported by stack exporter. Rollback requested by user.";
    assert!(world.events("other").await.contains(&reason.to_owned()));
    world.create("lost", &resources(json!({"B": thing(json!({"Value": {"Fn::ImportValue": "NONE"}}))}))).await;
    let reason = "lost ROLLBACK_IN_PROGRESS No export named NONE found. Rollback requested by user.";
    assert!(world.events("lost").await.contains(&reason.to_owned()));
    world.ok("DeleteStack", &[("StackName", "importer")]).await;
    world.ok("DeleteStack", &[("StackName", "exporter")]).await;
}

#[tokio::test]
async fn policies_keep_resources() {
    let world = World::new();
    let kept = |size: u64| json!({"Type": "Test::Things::Thing", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {"Size": size}});
    world.create("s", &resources(json!({"K": kept(1)}))).await;
    let stack_id = element(&world.ok("DescribeStacks", &VIA[..1]).await, "StackId");
    world.update("s", &resources(json!({"K": kept(2)}))).await;
    world.ok("DeleteStack", &VIA[..1]).await;
    let events = world.events(&stack_id).await;
    assert_eq!(events.iter().filter(|event| *event == "K DELETE_SKIPPED").count(), 2, "{events:#?}");
    assert!(!events.iter().any(|event| event == "K DELETE_COMPLETE"));
}

#[tokio::test]
async fn a_custom_name_stands_in_the_way_of_its_replacement() {
    let world = World::new();
    world.create("s", &resources(json!({"A": thing(json!({"Name": "mine", "Size": 1}))}))).await;
    world.update("s", &resources(json!({"A": thing(json!({"Name": "mine", "Size": 2}))}))).await;
    let reason = "A UPDATE_FAILED CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename \
                  mine and update the stack again.";
    assert!(world.events("s").await.contains(&reason.to_owned()));
    let template = resources(json!({"B": thing(json!({"Name": "mine"}))})).to_string();
    let parameters =
        [("StackName", "t"), ("ChangeSetName", "c"), ("ChangeSetType", "CREATE"), ("TemplateBody", template.as_str())];
    world.ok("CreateChangeSet", &parameters).await;
    let shown = world.ok("DescribeChangeSet", &parameters[..2]).await;
    assert_eq!(element(&shown, "Status"), "FAILED");
    assert!(element(&shown, "StatusReason").contains("AWS::EarlyValidation::ResourceExistenceCheck"));
    let set_id = element(&shown, "ChangeSetId");
    let told = world.ok("DescribeEvents", &[("ChangeSetName", set_id.as_str())]).await;
    assert_eq!(element(&told, "EventType"), "VALIDATION_ERROR");
    assert_eq!(element(&told, "ValidationPath"), "/Resources/B");
    let reason = "Resource of type 'Test::Things::Thing' with identifier 'mine' already exists.";
    assert_eq!(element(&told, "ValidationStatusReason"), reason);
}

/// The CDK asks for nested stacks with every change set.
#[tokio::test]
async fn only_a_template_with_nested_stacks_is_refused_for_them() {
    let world = World::new();
    let plain = resources(json!({"A": thing(json!({}))})).to_string();
    let asked = |template| VIA.iter().copied().chain([("IncludeNestedStacks", "true"), ("TemplateBody", template)]);
    world.ok("CreateChangeSet", &asked(&plain).collect::<Vec<_>>()).await;
    let nested = json!({"A": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}}});
    let nested = resources(nested).to_string();
    let told = world.refused("CreateStack", &[("StackName", "t"), ("TemplateBody", &nested)]).await;
    assert_eq!(told, "the embedded cloud does not offer nested stacks");
}

#[tokio::test]
async fn wrong_properties_fail_their_resource() {
    let world = World::new();
    world.create("s", &resources(json!({"A": thing(json!({"Sise": 1, "Size": "big"}))}))).await;
    let reason = "A CREATE_FAILED Properties validation failed for resource A with message:\n#: extraneous key [Sise] is not \
                  permitted\n#/Size: expected type: Integer, found: String";
    let events = world.events("s").await;
    assert!(events.contains(&reason.to_owned()), "{events:#?}");
}

#[tokio::test]
async fn an_update_without_changes_is_refused() {
    let world = World::new();
    let template = resources(json!({"A": thing(json!({"Value": "v"}))}));
    world.create("s", &template).await;
    let template = template.to_string();
    let told = world.refused("UpdateStack", &[("StackName", "s"), ("TemplateBody", &template)]).await;
    assert_eq!(told, "No updates are to be performed.");
    let parameters = [("StackName", "s"), ("ChangeSetName", "c"), ("TemplateBody", template.as_str())];
    world.ok("CreateChangeSet", &parameters).await;
    let shown = world.ok("DescribeChangeSet", &parameters[..2]).await;
    assert!(element(&shown, "StatusReason").starts_with("The submitted information didn't contain changes."));
    let told = world.refused("ExecuteChangeSet", &parameters[..2]).await;
    assert!(told.ends_with("cannot be executed in its current status of [FAILED]"), "{told}");
}

#[tokio::test]
async fn an_interrupted_operation_goes_on() {
    let world = World::stopped();
    let template = resources(json!({"A": thing(json!({})), "B": thing(json!({"Value": {"Ref": "A"}}))}));
    world.create("s", &template).await;
    assert_eq!(world.status("s").await, "CREATE_IN_PROGRESS");
    let body = template.to_string();
    let told = world.refused("UpdateStack", &[("StackName", "s"), ("TemplateBody", &body)]).await;
    assert!(told.ends_with("is in CREATE_IN_PROGRESS state and can not be updated."), "{told}");
    let world = world.restarted();
    super::resume(&world.cloud);
    world.ok("ListStacks", &[]).await;
    assert_eq!(world.status("s").await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn an_update_can_be_cancelled() {
    let world = World::new();
    let before = resources(json!({"A": thing(json!({"Value": "1"}))}));
    world.create("s", &before).await;
    let told = world.refused("CancelUpdateStack", &VIA[..1]).await;
    assert_eq!(told, "CancelUpdateStack cannot be called from current stack status");
    let halted = world.restarted();
    halted.cloud.stopping().cancel();
    halted.update("s", &resources(json!({"A": thing(json!({"Value": "2"}))}))).await;
    halted.ok("CancelUpdateStack", &VIA[..1]).await;
    let world = halted.restarted();
    super::resume(&world.cloud);
    world.ok("ListStacks", &[]).await;
    assert_eq!(world.status("s").await, "UPDATE_ROLLBACK_COMPLETE");
}

#[tokio::test]
async fn an_address_that_a_template_puts_together_is_the_local_one() {
    let world = World::new();
    let address = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/test";
    let joined = json!(["", ["https://", { "Ref": "Api" }, ".execute-api.", { "Ref": "AWS::Region" }, ".", { "Ref": "AWS::URLSuffix" }, "/test"]]);
    let mut template = json!({
        "Resources": { "Api": { "Type": "AWS::ApiGatewayV2::Api", "Properties": { "Name": "a", "ProtocolType": "HTTP" } } },
        "Outputs": {
            "Id": { "Value": { "Ref": "Api" } },
            "Sub": { "Value": { "Fn::Sub": address } },
            "Join": { "Value": { "Fn::Join": joined } },
            "Arn": { "Value": { "Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*" } },
            "Foreign": { "Value": { "Fn::Sub": "https://abc.execute-api.${AWS::Region}.${AWS::URLSuffix}/test" } },
        },
    });
    world.create("s", &template).await;
    let body = world.ok("DescribeStacks", &[("StackName", "s")]).await;
    let output = |key: &str| {
        let members = body.split("<member>").find(|it| it.contains(&format!("<OutputKey>{key}</OutputKey>")));
        element(members.unwrap_or_default(), "OutputValue")
    };
    let local = format!("http://127.0.0.1:4599/_aws/execute-api/{}/test", output("Id"));
    assert_eq!(output("Sub"), local);
    assert_eq!(output("Join"), local);
    assert_eq!(output("Arn"), format!("arn:aws:execute-api:us-east-1:000000000000:{}/*", output("Id")));
    assert_eq!(output("Foreign"), "https://abc.execute-api.us-east-1.amazonaws.com/test", "nobody's API here");

    let refused = world.refused("UpdateStack", &[("StackName", "s"), ("TemplateBody", &template.to_string())]).await;
    assert_eq!(refused, "No updates are to be performed.", "the address is the same when it is worked out again");
    template["Outputs"]["Twice"] = json!({ "Value": { "Fn::Sub": format!("{address},{address}") } });
    world.update("s", &template).await;
    let body = world.ok("DescribeStacks", &[("StackName", "s")]).await;
    assert!(body.contains(&format!("<OutputValue>{local},{local}</OutputValue>")), "{body}");
}

#[tokio::test]
async fn a_dynamic_reference_is_resolved_for_the_service_and_shown_to_nobody() {
    let world = World::new();
    let secret = json!({
        "Type": "AWS::SecretsManager::Secret", "Properties": { "Name": "token", "GenerateSecretString": {} },
    });
    let reference = json!({ "Fn::Sub": "{{resolve:secretsmanager:${Secret}:SecretString}}" });
    let parameter = json!({ "Type": "AWS::SSM::Parameter", "Properties": { "Name": "/copy", "Type": "String", "Value": reference } });
    world.create("dynamic", &resources(json!({ "Secret": secret, "Copy": parameter }))).await;
    assert_eq!(world.status("dynamic").await, "CREATE_COMPLETE");
    let (value, state) = world.cloud.read(|account| {
        let value = account.ssm.get("/copy").map(|held| held.value.to_string()).unwrap_or_default();
        (value, serde_json::to_string(&account.cloudformation).unwrap_or_default())
    });
    assert_eq!(value.chars().count(), 32, "{value}");
    let escaped = serde_json::to_string(&value).expect("text");
    assert!(!state.contains(escaped.trim_matches('"')), "{state}");
    for action in ["DescribeStackEvents", "DescribeStackResources", "GetTemplate", "DescribeStacks"] {
        assert!(!world.ok(action, &[("StackName", "dynamic")]).await.contains(&value), "{action}");
    }
    assert!(world.ok("DescribeStackEvents", &[("StackName", "dynamic")]).await.contains("{{resolve:secretsmanager:"));
}

#[tokio::test]
async fn what_a_parameter_hides_is_told_by_no_event_and_no_change_set() {
    let world = World::new();
    let mut template = resources(json!({
        "Plain": thing(json!({"Value": {"Ref": "Secret"}})),
        "Within": thing(json!({"Value": {"Fn::Sub": "before-${Secret}-after"}})),
        "Part": thing(json!({"Value": {"Fn::Select": [1, {"Fn::Split": ["-", {"Ref": "Secret"}]}]}})),
    }));
    template["Parameters"] = json!({"Secret": {"Type": "String", "NoEcho": true}});
    let template = template.to_string();
    let given = |value: &'static str| {
        [
            ("StackName", "s"),
            ("TemplateBody", template.as_str()),
            ("Parameters.member.1.ParameterKey", "Secret"),
            ("Parameters.member.1.ParameterValue", value),
        ]
    };
    world.ok("CreateStack", &given("first-hidden1")).await;
    assert_eq!(world.status("s").await, "CREATE_COMPLETE");
    let mut set = given("second-hidden2").to_vec();
    set.push(("ChangeSetName", "c"));
    world.ok("CreateChangeSet", &set).await;
    let values = [("StackName", "s"), ("ChangeSetName", "c"), ("IncludePropertyValues", "true")];
    let planned = world.ok("DescribeChangeSet", &values).await;
    let events = world.ok("DescribeStackEvents", &[("StackName", "s")]).await;
    for (what, told) in [("change set", &planned), ("events", &events)] {
        assert!(!told.contains("hidden") && !told.contains("first") && !told.contains("second"), "{what}: {told}");
        assert!(told.contains("before-****-after"), "{what}: {told}");
    }
    assert!(planned.contains("<LogicalResourceId>Part</LogicalResourceId>"), "{planned}");
    let logged = world.cloud.read(|account| format!("{account:?}"));
    for secret in ["first", "second", "hidden1", "hidden2"] {
        assert!(!logged.contains(secret), "{secret}: {logged}");
    }
    world.ok("ExecuteChangeSet", &values[..2]).await;
    assert_eq!(world.status("s").await, "UPDATE_COMPLETE");
}

#[tokio::test]
async fn a_reference_to_nothing_fails_the_resource() {
    let world = World::new();
    let thing = thing(json!({ "Value": "{{resolve:secretsmanager:gone}}", "Size": "{{resolve:ssm:/gone}}" }));
    world.create("gone", &resources(json!({ "T": thing }))).await;
    let events = world.events("gone").await;
    let told = events.iter().find(|event| event.starts_with("T CREATE_FAILED")).expect("it fails");
    assert!(
        told.contains("Unable to fetch parameters [/gone]") || told.contains("can't find the specified secret"),
        "{told}"
    );
}

#[tokio::test]
async fn secure_parameters_have_no_place_here() {
    let world = World::new();
    let template = resources(json!({ "T": thing(json!({ "Value": "{{resolve:ssm-secure:/p:1}}" })) })).to_string();
    let told = world.refused("CreateStack", &[("StackName", "s"), ("TemplateBody", &template)]).await;
    assert_eq!(told, "SSM Secure reference is not supported in: [Test::Things::Thing/Properties/Value]");
}

#[tokio::test]
async fn a_step_that_could_not_be_saved_is_tried_again() {
    let halted = World::stopped();
    halted.create("s", &resources(json!({"A": thing(json!({}))}))).await;
    let world = halted.restarted();
    // The state is written there before it takes its place.
    let fresh = world.cloud.data().join("account.json.new");
    std::fs::create_dir(&fresh).expect("the folder is ours");
    super::resume(&world.cloud);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let status =
        |account: &Account| account.cloudformation.stacks.values().map(|stack| stack.status).collect::<Vec<_>>();
    assert_eq!(world.cloud.read(status), [Status::CreateInProgress]);
    std::fs::remove_dir(&fresh).expect("the folder is ours");
    world.ok("ListStacks", &[]).await;
    assert_eq!(world.status("s").await, "CREATE_COMPLETE");
}
