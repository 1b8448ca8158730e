//! The role with which API Gateway writes the logs of REST and WebSocket APIs: one for the account and region.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::Synthesis;
use super::super::lambda::{policy, trust};
use crate::model::apigateway::{CloudWatchRole, cloud_watch_role};
use crate::model::ids;
use crate::template::{Removal, Resource, function};

/// The account takes a role only if it may do all of these, whatever it is used for.
const ACTIONS: [&str; 7] = [
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
];

pub(in crate::synth) fn add(synthesis: &mut Synthesis) {
    let Some(wanted) = cloud_watch_role(synthesis.stack) else { return };
    synthesis.resource(ids::CLOUD_WATCH_ROLE, role(wanted));
    // API Gateway may refuse the setting in an account that never had an API.
    let stack = synthesis.stack;
    let apis: BTreeSet<String> = stack.rest_apis.keys().chain(stack.web_socket_apis.keys()).cloned().collect();
    let account = Resource::new("AWS::ApiGateway::Account")
        .depends_on(apis)
        .property("CloudWatchRoleArn", function::get_att(ids::CLOUD_WATCH_ROLE, "Arn"));
    synthesis.resource(ids::ACCOUNT, account);
}

fn role(wanted: CloudWatchRole) -> Resource {
    let logs = function::sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*");
    let statement = json!({ "Effect": "Allow", "Action": ACTIONS, "Resource": logs });
    let removal = if wanted == CloudWatchRole::Destroy { Removal::Delete } else { Removal::Retain };
    Resource::new("AWS::IAM::Role")
        .deletion_policy(removal)
        .update_replace_policy(removal)
        .property("AssumeRolePolicyDocument", policy([trust("apigateway.amazonaws.com")]))
        .property("Policies", json!([{ "PolicyName": "logs", "PolicyDocument": policy([statement]) }]))
}
