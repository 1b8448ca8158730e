//! CloudFormation acts with the rights of the role that a stack is given, whoever gives it.

use std::time::Duration;

use aws_sdk_cloudformation::Client;
use serde_json::{Value, json};

use crate::support::TestCloud;

/// How a stack ends that a role makes which may do one thing: its status, and why.
async fn ended(name: &str, action: &str, resource: Value) -> (String, String) {
    let cloud = TestCloud::start().await;
    cloud.session("maker", action, "*");
    let client = Client::new(&cloud.config());
    let template = json!({ "Resources": { "Thing": resource } }).to_string();
    let role = "arn:aws:iam::000000000000:role/maker";
    let made = client.create_stack().stack_name(name).template_body(template).role_arn(role).send().await;
    made.expect("the account may do so");
    loop {
        let described = client.describe_stacks().stack_name(name).send().await.expect("it is there");
        let status = described.stacks()[0].stack_status().expect("it has one").as_str().to_owned();
        if !status.ends_with("_IN_PROGRESS") {
            let events = client.describe_stack_events().stack_name(name).send().await.expect("it is there");
            let failed = events.stack_events().iter().filter(|event| event.logical_resource_id() == Some("Thing"));
            let reason =
                failed.filter_map(|event| event.resource_status_reason()).find(|reason| reason.contains("User"));
            return (status, reason.unwrap_or_default().to_owned());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_stack_is_made_with_the_rights_of_its_role() {
    let group = || json!({ "Type": "AWS::Logs::LogGroup" });
    assert_eq!(ended("may", "logs:*", group()).await.0, "CREATE_COMPLETE");
    let (status, reason) = ended("may-not", "logs:Describe*", group()).await;
    assert_eq!(status, "ROLLBACK_COMPLETE");
    let user = "User: arn:aws:sts::000000000000:assumed-role/maker/AWSCloudFormation";
    assert!(reason.contains(&format!("{user} is not authorized to perform: logs:CreateLogGroup")), "{reason}");
    assert!(reason.contains("because no identity-based policy allows the logs:CreateLogGroup action"), "{reason}");
    assert!(reason.contains("HandlerErrorCode: AccessDenied"), "{reason}");
}

#[tokio::test]
async fn a_type_of_which_nothing_is_known_needs_everything_of_its_service() {
    let bucket = || json!({ "Type": "AWS::S3::Bucket" });
    assert_eq!(ended("may", "s3:*", bucket()).await.0, "CREATE_COMPLETE");
    let (status, reason) = ended("may-not", "s3:Create*", bucket()).await;
    assert_eq!(status, "ROLLBACK_COMPLETE");
    assert!(reason.contains("is not authorized to perform: s3:*"), "{reason}");
}

#[tokio::test]
async fn a_part_of_a_function_needs_rights_to_the_function() {
    let url =
        json!({ "Type": "AWS::Lambda::Url", "Properties": { "TargetFunctionArn": "mine", "AuthType": "AWS_IAM" } });
    let (status, reason) = ended("may-not", "lambda:GetFunctionUrlConfig", url).await;
    assert_eq!(status, "ROLLBACK_COMPLETE");
    let denied = "is not authorized to perform: lambda:CreateFunctionUrlConfig on resource: \
                  arn:aws:lambda:us-east-1:000000000000:function:mine";
    assert!(reason.contains(denied), "{reason}");
}
