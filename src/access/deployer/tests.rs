use serde_json::{Value, json};

use super::*;
use crate::template::Resource;

fn place() -> Place {
    let bucket = "stackgen-bootstrap-assets-*".to_owned();
    Place { region: "eu-central-1".into(), account: "123456789012".into(), buckets: [bucket].into(), boundary: None }
}

fn told(template: &Template, holder: Holder) -> Result<Vec<Statement>, Refused> {
    let parameters = BTreeMap::new();
    statements(&[Stack { name: "notes", template, parameters: &parameters }], &place(), holder)
}

fn template(resources: impl IntoIterator<Item = (&'static str, Resource)>) -> Template {
    let mut template = Template::default();
    template.resources = resources.into_iter().map(|(id, resource)| (id.to_owned(), resource)).collect();
    template
}

fn granted(statements: &[Statement], action: &str) -> BTreeSet<String> {
    let with = statements.iter().filter(|statement| statement.action.contains(action));
    with.flat_map(|statement| statement.resource.clone()).collect()
}

#[test]
fn a_function_is_known_by_its_name_and_its_role_is_passed_to_lambda_only() {
    let function = Resource::new("AWS::Lambda::Function").property("Role", json!({ "Fn::GetAtt": ["GetRole", "Arn"] }));
    let role = Resource::new("AWS::IAM::Role");
    let statements =
        told(&template([("Get", function), ("GetRole", role)]), Holder::ServiceRole).expect("all is known");
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:notes-Get-*";
    assert_eq!(granted(&statements, "lambda:CreateFunction"), BTreeSet::from([arn.to_owned()]));
    let pass = statements.iter().find(|one| one.action.contains("iam:PassRole")).expect("the role is passed");
    assert_eq!(pass.resource, BTreeSet::from(["arn:aws:iam::123456789012:role/notes-GetRole-*".to_owned()]));
    assert_eq!(json!(pass.condition), json!({ "StringEquals": { "iam:PassedToService": ["lambda.amazonaws.com"] } }));
}

#[test]
fn nothing_is_granted_for_what_is_not_known() {
    let unknown = told(&template([("T", Resource::new("AWS::SNS::Topic"))]), Holder::Caller).expect_err("no such type");
    assert!(unknown.reasons[0].to_string().contains("`AWS::SNS::Topic` (`T` of stack `notes`)"), "{unknown:?}");
    let signed = Resource::new("AWS::Lambda::Function").property("CodeSigningConfigArn", "arn:aws:lambda:x");
    let unknown = told(&template([("F", signed)]), Holder::Caller).expect_err("no such property");
    assert!(unknown.reasons[0].to_string().contains("`CodeSigningConfigArn` of `F`"), "{unknown:?}");
    let named = Resource::new("AWS::DynamoDB::Table").property("TableName", json!({ "Fn::ImportValue": "x" }));
    let unknown = told(&template([("T", named)]), Holder::Caller).expect_err("the name is not known");
    assert!(unknown.reasons[0].to_string().contains("`TableName` of `T`"), "{unknown:?}");
}

#[test]
fn no_statement_grants_every_action_or_all_of_a_service() {
    let all: Vec<(&str, Resource)> = kinds::KINDS.iter().map(|kind| (kind.name, Resource::new(kind.name))).collect();
    for (id, mut resource) in all {
        // What some types are known by.
        for property in ["DomainName", "EmailIdentity", "FunctionName", "TargetFunctionArn"] {
            resource = resource.property(property, "example.com");
        }
        let statements = told(&template([(id, resource)]), Holder::Caller).expect("all is known");
        assert!(statements.iter().flat_map(|one| &one.action).all(|action| !action.contains('*')), "{id}");
        for statement in statements.iter().filter(|one| one.resource.contains("*")) {
            assert!(WITHOUT_RESOURCES.contains(&statement.sid.as_str()), "{id}: {statement:?}");
        }
    }
}

/// Statements whose actions IAM knows no resources for.
const WITHOUT_RESOURCES: &[&str] = &["NewPasswords", "NewUserPools", "ReadLogs", "UserPoolDomains"];

#[test]
fn a_policy_is_attached_only_if_it_is_declared() {
    let policy = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess";
    let role = Resource::new("AWS::IAM::Role").property("ManagedPolicyArns", json!([policy]));
    let statements = told(&template([("R", role)]), Holder::ServiceRole).expect("all is known");
    let attach = statements.iter().find(|one| one.action.contains("iam:AttachRolePolicy")).expect("one is declared");
    assert_eq!(json!(attach.condition), json!({ "ArnEquals": { "iam:PolicyARN": [policy] } }));
    let plain = told(&template([("R", Resource::new("AWS::IAM::Role"))]), Holder::ServiceRole).expect("all is known");
    assert_eq!(granted(&plain, "iam:AttachRolePolicy"), BTreeSet::new());
}

/// The conditions under which an action is granted.
fn conditions(statements: &[Statement], action: &str) -> Vec<Value> {
    let with = statements.iter().filter(|statement| statement.action.contains(action));
    with.map(|statement| json!(statement.condition)).collect()
}

#[test]
fn a_secret_is_read_by_its_own_stack_only() {
    for secret in [
        Resource::new("AWS::SecretsManager::Secret").property("Name", "n"),
        Resource::new("AWS::SecretsManager::Secret"),
    ] {
        let statements = told(&template([("Token", secret)]), Holder::ServiceRole).expect("all is known");
        for action in ["DeleteSecret", "DescribeSecret", "GetSecretValue", "UntagResource", "UpdateSecret"] {
            let tag = json!({ "StringEquals": { "aws:ResourceTag/aws:cloudformation:stack-name": ["notes"] } });
            assert_eq!(conditions(&statements, &format!("secretsmanager:{action}")), [tag], "{action}");
        }
        for action in ["CreateSecret", "TagResource"] {
            assert_eq!(conditions(&statements, &format!("secretsmanager:{action}")), [json!({})], "{action}");
        }
    }
}

#[test]
fn a_key_is_used_through_the_service_only_and_granted_to_no_other() {
    let key = "arn:aws:kms:eu-central-1:123456789012:key/k";
    let table = Resource::new("AWS::DynamoDB::Table").property("SSESpecification", json!({ "KMSMasterKeyId": key }));
    let function = Resource::new("AWS::Lambda::Function").property("KmsKeyArn", key);
    let secret = Resource::new("AWS::SecretsManager::Secret").property("KmsKeyId", key);
    for (resource, service, actions, grants) in [
        (
            table,
            "dynamodb",
            ["kms:Decrypt", "kms:Encrypt"].as_slice(),
            ["kms:CreateGrant", "kms:RevokeGrant"].as_slice(),
        ),
        (function, "lambda", &["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], &["kms:CreateGrant"]),
        (secret, "secretsmanager", &["kms:Decrypt", "kms:GenerateDataKey"], &[]),
    ] {
        let statements = told(&template([("R", resource)]), Holder::ServiceRole).expect("all is known");
        let via = json!({ "kms:ViaService": [format!("{service}.eu-central-1.amazonaws.com")] });
        for action in actions {
            assert_eq!(conditions(&statements, action), [json!({ "StringEquals": via })], "{service}, {action}");
        }
        for action in grants {
            let both = json!({ "StringEquals": via, "Bool": { "kms:GrantIsForAWSResource": ["true"] } });
            assert_eq!(conditions(&statements, action), [both], "{service}, {action}");
        }
    }
}

const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/bound";

/// The policy where every role has to carry a boundary.
fn told_bounded(role: Resource) -> Result<Vec<Statement>, Refused> {
    let (parameters, template) = (BTreeMap::new(), template([("Role", role)]));
    let place = Place { boundary: Some(BOUNDARY.to_owned()), ..place() };
    statements(&[Stack { name: "notes", template: &template, parameters: &parameters }], &place, Holder::Caller)
}

#[test]
fn a_role_is_made_and_changed_with_its_boundary_only() {
    let role = Resource::new("AWS::IAM::Role").property("PermissionsBoundary", BOUNDARY);
    let role = role.property("ManagedPolicyArns", json!(["arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"]));
    let statements = told_bounded(role).expect("all is known");
    for action in kinds::BOUNDED {
        for condition in conditions(&statements, action) {
            assert_eq!(condition["StringEquals"], json!({ "iam:PermissionsBoundary": [BOUNDARY] }), "{action}");
        }
        assert_eq!(conditions(&statements, action).len(), 1, "{action}");
    }
    assert_eq!(granted(&statements, "iam:DeleteRolePermissionsBoundary"), BTreeSet::new());
    let attach = conditions(&statements, "iam:AttachRolePolicy").remove(0);
    assert!(attach["ArnEquals"]["iam:PolicyARN"].is_array(), "{attach}");
}

#[test]
fn a_role_without_the_boundary_is_refused_by_name() {
    let other = "arn:aws:iam::123456789012:policy/other";
    let role = || Resource::new("AWS::IAM::Role");
    let either = json!({ "Fn::If": ["Prod", BOUNDARY, { "Ref": "AWS::NoValue" }] });
    for role in [role(), role().property("PermissionsBoundary", other), role().property("PermissionsBoundary", either)]
    {
        let refused = told_bounded(role).expect_err("it is not bounded");
        let message = format!("role `Role` of stack `notes` does not carry the permissions boundary `{BOUNDARY}`");
        assert_eq!(refused.reasons.iter().map(ToString::to_string).collect::<Vec<_>>(), [message]);
    }
    let reference = json!({ "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/bound" });
    told_bounded(role().property("PermissionsBoundary", reference)).expect("it is the same");
}

#[test]
fn nobody_writes_into_the_folder_of_another_stack() {
    let statements = told(&template([("F", Resource::new("AWS::Lambda::Function"))]), Holder::Caller).expect("known");
    let folder = |name: &str| format!("arn:aws:s3:::stackgen-bootstrap-assets-*/{name}/notes/*");
    for action in ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"] {
        assert_eq!(granted(&statements, action), BTreeSet::from([folder("code"), folder("templates")]), "{action}");
    }
}

#[test]
fn a_dynamic_reference_is_one_secret_to_read() {
    let secret = json!({ "Fn::Sub": "{{resolve:secretsmanager:${AWS::StackName}/google:SecretString:id}}" });
    let provider = Resource::new("AWS::Cognito::UserPoolIdentityProvider")
        .property("ProviderDetails", json!({ "client_secret": secret }));
    let statements = told(&template([("Google", provider)]), Holder::ServiceRole).expect("all is known");
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:notes/google-??????";
    assert_eq!(granted(&statements, "secretsmanager:GetSecretValue"), BTreeSet::from([arn.to_owned()]));
}

#[test]
fn the_logs_of_a_web_socket_api_are_not_delivered() {
    let stage = |kind: &str| {
        let api = Resource::new("AWS::ApiGatewayV2::Api").property("ProtocolType", kind);
        let stage = Resource::new("AWS::ApiGatewayV2::Stage")
            .property("ApiId", json!({ "Ref": "Api" }))
            .property("AccessLogSettings", json!({}));
        let statements = told(&template([("Api", api), ("Stage", stage)]), Holder::ServiceRole).expect("all is known");
        granted(&statements, "logs:CreateLogDelivery").contains("*")
    };
    assert_eq!((stage("HTTP"), stage("WEBSOCKET")), (true, false));
}

#[test]
fn a_service_role_gets_nothing_that_only_stackgen_asks() {
    let function = || Resource::new("AWS::Lambda::Function");
    let role = told(&template([("F", function())]), Holder::ServiceRole).expect("all is known");
    let actions: BTreeSet<&str> = role.iter().flat_map(|one| one.action.iter().copied()).collect();
    assert!(actions.iter().all(|action| !action.starts_with("cloudformation:")), "{actions:?}");
    assert!(!actions.contains("s3:PutObject") && actions.contains("s3:GetObject"), "{actions:?}");
    let caller = told(&template([("F", function())]), Holder::Caller).expect("all is known");
    assert!(granted(&caller, "cloudformation:CreateChangeSet").iter().all(|arn| arn.ends_with(":stack/notes/*")));
}

#[test]
fn a_stack_without_code_needs_no_bucket() {
    let statements = told(&template([("L", Resource::new("AWS::Logs::LogGroup"))]), Holder::Caller).expect("known");
    assert_eq!(granted(&statements, "s3:PutObject"), BTreeSet::new());
    assert!(statements.iter().all(|one| one.sid != "Bootstrap"));
}

#[test]
fn a_document_holds_as_much_as_iam_takes() {
    let many = (0..150).map(|number| (&*format!("Group{number}").leak(), Resource::new("AWS::Logs::LogGroup")));
    let statements = told(&template(many), Holder::Caller).expect("all is known");
    let documents = documents(statements.clone());
    assert!(documents.len() > 1 && documents.iter().all(|one| one.characters() <= MOST_CHARACTERS));
    let divided: Vec<Statement> = documents.into_iter().flat_map(|one| one.statement).collect();
    for action in ["cloudformation:CreateChangeSet", "logs:CreateLogGroup"] {
        assert_eq!(granted(&divided, action), granted(&statements, action));
    }
    let sids: BTreeSet<&str> = divided.iter().map(|one| one.sid.as_str()).collect();
    assert_eq!(sids.len(), divided.len(), "{sids:?}");
}

#[test]
fn a_document_is_one_that_iam_reads() {
    let documents =
        documents(told(&template([("L", Resource::new("AWS::Logs::LogGroup"))]), Holder::Caller).expect("known"));
    let document: Value = json!(documents[0]);
    assert_eq!(document["Version"], "2012-10-17");
    assert_eq!(document["Statement"][0]["Effect"], "Allow");
    assert!(document["Statement"][0]["Sid"].as_str().is_some_and(|sid| sid.bytes().all(|b| b.is_ascii_alphanumeric())));
}
