//! The policy grants what CloudFormation's own schemas say that the handlers of a type call, as cfn-lint ships them: no
//! less, and no more, but for exceptions that are told with their reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use stackgen::access::deployer::{self, Holder, Place};
use stackgen::template::{Resource, Template};

use crate::tools::{python, run};

/// Prints the permissions of the handlers of each type and of its tagging.
const PERMISSIONS: &str = r#"
import cfnlint, glob, json, os, sys
found = {}
for path in glob.glob(os.path.join(os.path.dirname(cfnlint.__file__), "data/schemas/resources/*.json")):
    with open(path) as file:
        schema = json.load(file)
    if schema["typeName"] in sys.argv[1:]:
        handlers = schema.get("handlers", {})
        verbs = [handlers.get(verb, {}).get("permissions", []) for verb in ("create", "read", "update", "delete")]
        tagging = schema.get("tagging", {}).get("permissions") or []
        found[schema["typeName"]] = {"handlers": sum(verbs, []), "tagging": tagging}
print(json.dumps(found))
"#;

const ROLE: &str = "arn:aws:iam::123456789012:role/given";
const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/given";

/// Properties with which a type asks for everything that the policy can grant for it.
fn properties(kind: &str) -> Value {
    match kind {
        "AWS::ApiGateway::Account" => json!({ "CloudWatchRoleArn": ROLE }),
        "AWS::ApiGateway::Authorizer" => json!({ "AuthorizerCredentials": ROLE }),
        "AWS::ApiGateway::Method" => json!({ "Integration": { "Credentials": ROLE } }),
        "AWS::ApiGateway::RestApi" => json!({ "Policy": {} }),
        "AWS::ApiGateway::BasePathMapping"
        | "AWS::ApiGateway::DomainName"
        | "AWS::ApiGatewayV2::ApiMapping"
        | "AWS::ApiGatewayV2::DomainName" => json!({ "DomainName": "example.com" }),
        "AWS::ApiGatewayV2::Authorizer" => json!({ "AuthorizerCredentialsArn": ROLE }),
        "AWS::ApiGatewayV2::Integration" => json!({ "CredentialsArn": ROLE }),
        "AWS::ApiGatewayV2::Stage" => json!({ "AccessLogSettings": {} }),
        "AWS::Cognito::UserPool" => {
            json!({ "SmsConfiguration": { "SnsCallerArn": ROLE }, "EmailConfiguration": { "SourceArn": "given" } })
        }
        "AWS::Cognito::UserPoolDomain" => json!({ "CustomDomainConfig": {} }),
        "AWS::Cognito::UserPoolGroup" => json!({ "RoleArn": ROLE }),
        "AWS::DynamoDB::Table" => {
            json!({ "ContributorInsightsSpecification": {}, "SSESpecification": { "KMSMasterKeyId": KEY } })
        }
        "AWS::IAM::Role" => json!({ "ManagedPolicyArns": ["arn:aws:iam::aws:policy/x"], "PermissionsBoundary": "x" }),
        "AWS::Lambda::Function" => json!({
            "Role": ROLE, "Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:given:1"], "KmsKeyArn": KEY,
            "ReservedConcurrentExecutions": 1, "RecursiveLoop": "Allow", "RuntimeManagementConfig": {}, "VpcConfig": {},
            "Code": { "S3ObjectVersion": "given" },
        }),
        "AWS::Lambda::Permission" => json!({ "FunctionName": "given" }),
        "AWS::Lambda::Url" => json!({ "TargetFunctionArn": "given" }),
        "AWS::Logs::LogGroup" => json!({ "KmsKeyId": KEY, "DeletionProtectionEnabled": true }),
        "AWS::SES::EmailIdentity" => json!({ "EmailIdentity": "example.com" }),
        "AWS::SecretsManager::Secret" => json!({ "GenerateSecretString": {}, "KmsKeyId": KEY }),
        _ => json!({}),
    }
}

/// What handlers call that is not granted: the type, the beginning of the actions, and why.
const NOT_GRANTED: &[(&str, &[&str], &str)] = &[
    ("AWS::ApiGateway::RestApi", &["iam:PassRole", "s3:"], "only for an API from a document, which is refused"),
    ("AWS::ApiGatewayV2::Api", &["s3:"], "only for an API from a document, which is refused"),
    (
        "AWS::ApiGatewayV2::DomainName",
        &["apigateway:AddCertificate", "apigateway:RemoveCertificate", "s3:"],
        "only for mutual TLS, which is refused",
    ),
    ("AWS::Cognito::UserPool", &["kms:"], "only for the key of custom senders, which is refused"),
    ("AWS::Cognito::UserPoolClient", &["iam:"], "only for analytics, which is refused"),
    ("AWS::Cognito::UserPoolDomain", &["kms:"], "none of its properties names a key"),
    ("AWS::Cognito::UserPoolGroup", &["iam:PutRolePolicy"], "the role of a group is passed, and not written"),
    (
        "AWS::DynamoDB::Table",
        &["dynamodb:DescribeImport", "dynamodb:ImportTable", "logs:", "s3:"],
        "only for an import, which is refused",
    ),
    (
        "AWS::DynamoDB::Table",
        &["dynamodb:DisableKinesis", "dynamodb:EnableKinesis", "dynamodb:UpdateKinesis", "kinesis:"],
        "only for a stream to Kinesis, which is refused",
    ),
    (
        "AWS::DynamoDB::Table",
        &["dynamodb:DeleteResourcePolicy", "dynamodb:PutResourcePolicy"],
        "only for a policy of the table, which is refused",
    ),
    (
        "AWS::DynamoDB::Table",
        &[
            "dynamodb:AssociateTableReplica",
            "dynamodb:BatchWriteItem",
            "dynamodb:CreateTableReplica",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
            "iam:CreateServiceLinkedRole",
        ],
        "only for replicas, which this type does not make; a deployer has no business with items",
    ),
    ("AWS::DynamoDB::Table", &["kms:ListAliases"], "a key is named by its ARN"),
    ("AWS::Lambda::Function", &["elasticfilesystem:", "s3files:"], "only for file systems, which are refused"),
    (
        "AWS::Lambda::Function",
        &["lambda:DeleteFunctionCodeSigning", "lambda:GetCodeSigning", "lambda:PutFunctionCodeSigning"],
        "only for signed code, which is refused",
    ),
    (
        "AWS::Lambda::Function",
        &["lambda:PassCapacityProvider", "lambda:PublishVersion", "lambda:PutFunctionScalingConfig"],
        "only for capacity providers, which are refused",
    ),
    ("AWS::Lambda::Function", &["lambda:AssociateRuntimeAlias"], "IAM knows no such action"),
    (
        "AWS::Logs::LogGroup",
        &["firehose:", "logs:CreateLogDelivery", "logs:DeleteDataProtection", "logs:PutDataProtection", "s3:"],
        "only for data protection, which is refused",
    ),
    (
        "AWS::Logs::LogGroup",
        &["logs:DeleteIndexPolicy", "logs:PutIndexPolicy"],
        "only for indexes of fields, which are refused",
    ),
    (
        "AWS::Logs::LogGroup",
        &["logs:DeleteResourcePolicy", "logs:PutResourcePolicy"],
        "only for a policy of the group, which is refused",
    ),
    ("AWS::Logs::LogGroup", &["logs:PutBearerToken"], "only for bearer tokens, which are refused"),
    (
        "AWS::SecretsManager::Secret",
        &["secretsmanager:RemoveRegions", "secretsmanager:ReplicateSecret"],
        "only for replicas, which are refused",
    ),
];

/// What is granted that no handler lists: the type, the beginning of the actions, and why.
const GRANTED_BESIDES: &[(&str, &[&str], &str)] = &[
    ("AWS::ApiGateway::DomainName", &["iam:CreateServiceLinkedRole"], "an account's first domain makes the role"),
    ("AWS::ApiGatewayV2::DomainName", &["iam:CreateServiceLinkedRole"], "an account's first domain makes the role"),
    ("AWS::ApiGatewayV2::Stage", &["logs:"], "the user guide of HTTP APIs asks for it to have logs delivered"),
    ("AWS::SecretsManager::Secret", &["kms:"], "the service encrypts with the caller's rights to the key"),
];

fn is_told(exceptions: &[(&str, &[&str], &str)], kind: &str, action: &str) -> bool {
    let of_kind = exceptions.iter().filter(|(name, ..)| *name == kind);
    let mut beginnings = of_kind.flat_map(|(_, beginnings, _)| beginnings.iter());
    beginnings.any(|beginning| action.starts_with(&beginning.to_ascii_lowercase()))
}

/// The types that the policy knows.
fn kinds() -> Vec<String> {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/src/access/deployer/kinds.rs");
    let table = fs::read_to_string(table).expect("it is there");
    let names = table.split("name: \"AWS::").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0));
    names.map(|name| format!("AWS::{name}")).collect()
}

/// The actions that the policy grants for a resource, in lower case.
fn granted(kind: &str) -> BTreeSet<String> {
    let mut resource = Resource::new(kind);
    resource.properties = properties(kind).as_object().expect("properties are an object").clone();
    let mut template = Template::default();
    template.resources.insert("Thing".to_owned(), resource);
    let parameters = BTreeMap::new();
    let stack = deployer::Stack { name: "stack", template: &template, parameters: &parameters };
    let bucket = "bucket".to_owned();
    let (region, account) = ("us-east-1".to_owned(), "123456789012".to_owned());
    let place = Place { region, account, buckets: [bucket].into(), boundary: None };
    let statements = deployer::statements(&[stack], &place, Holder::ServiceRole).expect("all is known");
    statements.iter().flat_map(|one| &one.action).map(|action| action.to_ascii_lowercase()).collect()
}

#[test]
fn the_policy_grants_what_the_handlers_call() {
    let kinds = kinds();
    assert!(kinds.len() > 30, "{kinds:?}");
    let mut program = python(&["cfn-lint==1.58.0"]).program("python");
    let printed = run(program.args(["-c", PERMISSIONS]).args(&kinds));
    let schemas: BTreeMap<String, BTreeMap<String, Vec<String>>> = serde_json::from_str(&printed).expect("a document");
    let lower = |schema: &BTreeMap<String, Vec<String>>, member: &str| -> BTreeSet<String> {
        schema[member].iter().map(|action| action.to_ascii_lowercase()).collect()
    };
    let mut wrong = Vec::new();
    for kind in &kinds {
        let schema = schemas.get(kind).unwrap_or_else(|| panic!("{kind} has no schema"));
        let (called, granted) = (lower(schema, "handlers"), granted(kind));
        let missing = called.difference(&granted).filter(|action| !is_told(NOT_GRANTED, kind, action));
        wrong.extend(missing.map(|action| format!("{kind} needs {action}")));
        let known: BTreeSet<String> = &called | &lower(schema, "tagging");
        let surplus = granted.difference(&known).filter(|action| !is_told(GRANTED_BESIDES, kind, action));
        wrong.extend(surplus.map(|action| format!("{kind} does not need {action}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_type_that_stacks_become_is_known() {
    let kinds = kinds();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/synth");
    let mut folders = vec![std::path::PathBuf::from(folder)];
    let mut unknown = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the source tree is readable") {
            let path = entry.expect("the source tree is readable").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            let types = text.split("\"AWS::").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0));
            let types = types.filter(|rest| rest.contains("::")).map(|rest| format!("AWS::{rest}"));
            unknown.extend(types.filter(|kind| !kinds.contains(kind)));
        }
    }
    assert_eq!(unknown, BTreeSet::new());
}
