//! Why findings of checkov and cdk-nag are as they should be, where several of these stacks have them.

use stackgen::model::Stack;
use stackgen::model::raw::Suppression;

/// A rule, what it is said of, and why that is as it should be.
pub(crate) type Finding = (&'static str, &'static str, &'static str);

/// About functions that an API calls.
pub(crate) const FUNCTIONS: &[Finding] = &[
    (
        "CKV_AWS_115",
        "AWS::Lambda::Function",
        "Concurrency is bounded by the API's throttle; a reservation would take it from the account's other functions.",
    ),
    (
        "CKV_AWS_116",
        "AWS::Lambda::Function",
        "Whoever calls waits for the answer and is told of a failure; nothing is invoked asynchronously.",
    ),
    (
        "CKV_AWS_117",
        "AWS::Lambda::Function",
        "The functions reach nothing inside a VPC, and IAM decides what they reach outside.",
    ),
];

/// About what functions find in their environment.
pub(crate) const ENVIRONMENT: &[Finding; 1] = &[(
    "CKV_AWS_173",
    "AWS::Lambda::Function",
    "Environment variables name resources and hold no secret; Lambda encrypts them with a key of its own.",
)];

/// About log groups.
pub(crate) const LOGS: &[Finding] = &[(
    "CKV_AWS_158",
    "AWS::Logs::LogGroup",
    "CloudWatch encrypts logs with a key of its own, and what is logged holds no secret.",
)];

/// About the stages of REST APIs and the role for their logs.
pub(crate) const REST_APIS: &[Finding] = &[
    (
        "AwsSolutions-APIG3",
        "AWS::ApiGateway::Stage",
        "A firewall is paid by the month and configured for an account; throttles and authorizers come first.",
    ),
    (
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:*]",
        "ApiGatewayCloudWatchRole",
        "API Gateway takes a role for the logs of the account's APIs only if it may write to all of its log groups.",
    ),
    (
        "CKV_AWS_120",
        "AWS::ApiGateway::Stage",
        "Answers belong to one caller and change with every write; a cache is paid by the hour.",
    ),
    ("CKV_AWS_73", "AWS::ApiGateway::Stage", "X-Ray is paid by the trace; `tracingEnabled` turns it on."),
];

/// About the user pool of a stack.
pub(crate) const USERS: &[Finding] = &[
    (
        "AwsSolutions-COG2",
        "Users",
        "One factor is enough for what is shown here; `mfa: required` asks for a second one.",
    ),
    ("AwsSolutions-COG8", "Users", "Threat protection is paid by the user; `userPoolTier: plus` turns it on."),
];

/// About REST APIs whose callers carry the stack's own token.
pub(crate) const TOKENS: &[Finding] = &[
    ("AwsSolutions-APIG2", "Api", "Each route has the validator that its own parameters and models need."),
    (
        "AwsSolutions-COG4",
        "AWS::ApiGateway::Method",
        "A function decides instead, about a token that is not a user pool's.",
    ),
    (
        "AwsSolutions-SMG4",
        "ApiToken",
        "Callers have to be told of a new token, so it is changed by hand and not by a schedule.",
    ),
    ("CKV_AWS_149", "ApiToken", "Secrets Manager encrypts with the account's own key, and IAM decides who reads."),
];

/// Gives the reasons for findings of a stack.
pub(crate) fn accept(stack: &mut Stack, findings: &[Finding]) {
    for &(rule, on, reason) in findings {
        stack.suppress(rule, Suppression::new([on], reason));
    }
}
