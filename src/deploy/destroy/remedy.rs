//! The commands that remove what a deleted stack has left.

use serde_json::Value;

use super::{Doom, Leftover};
use crate::deploy::shell::word;
use crate::deploy::stack::Deployed;
use crate::deploy::store::AT_ONCE;

/// Types of which the reference of a resource is all that its removal asks for, and the command that takes it.
const PLAIN: &[(&str, &str)] = &[
    ("AWS::ApiGateway::ApiKey", "apigateway delete-api-key --api-key"),
    ("AWS::ApiGateway::RestApi", "apigateway delete-rest-api --rest-api-id"),
    ("AWS::ApiGateway::UsagePlan", "apigateway delete-usage-plan --usage-plan-id"),
    ("AWS::ApiGatewayV2::Api", "apigatewayv2 delete-api --api-id"),
    ("AWS::Cognito::UserPool", "cognito-idp delete-user-pool --user-pool-id"),
    ("AWS::DynamoDB::Table", "dynamodb delete-table --table-name"),
    ("AWS::IAM::Role", "iam delete-role --role-name"),
    ("AWS::Lambda::Function", "lambda delete-function --function-name"),
    ("AWS::Logs::LogGroup", "logs delete-log-group --log-group-name"),
    ("AWS::SES::ConfigurationSet", "sesv2 delete-configuration-set --configuration-set-name"),
    ("AWS::SES::EmailIdentity", "sesv2 delete-email-identity --email-identity"),
    ("AWS::SES::Template", "sesv2 delete-email-template --template-name"),
    ("AWS::SNS::Topic", "sns delete-topic --topic-arn"),
    ("AWS::SQS::Queue", "sqs delete-queue --queue-url"),
    ("AWS::SSM::Parameter", "ssm delete-parameter --name"),
    ("AWS::SecretsManager::Secret", "secretsmanager delete-secret --secret-id"),
];

/// Parts of a user pool, whose removal asks for the pool as well.
const OF_A_POOL: &[(&str, &str)] = &[
    ("AWS::Cognito::UserPoolClient", "cognito-idp delete-user-pool-client --client-id"),
    ("AWS::Cognito::UserPoolDomain", "cognito-idp delete-user-pool-domain --domain"),
    ("AWS::Cognito::UserPoolGroup", "cognito-idp delete-group --group-name"),
    ("AWS::Cognito::UserPoolIdentityProvider", "cognito-idp delete-identity-provider --provider-name"),
    ("AWS::Cognito::UserPoolResourceServer", "cognito-idp delete-resource-server --identifier"),
    ("AWS::Cognito::UserPoolUser", "cognito-idp admin-delete-user --username"),
];

/// Types of resources that go with another, as their names begin, and the property that says with which. Not those that only
/// name another: an event source mapping stays when its function goes, and a mapping of a domain when its API does.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html>
const OWNERS: &[(&str, &str)] = &[
    ("AWS::ApiGateway::Authorizer", "RestApiId"),
    ("AWS::ApiGateway::Deployment", "RestApiId"),
    ("AWS::ApiGateway::GatewayResponse", "RestApiId"),
    ("AWS::ApiGateway::Method", "RestApiId"),
    ("AWS::ApiGateway::Model", "RestApiId"),
    ("AWS::ApiGateway::RequestValidator", "RestApiId"),
    ("AWS::ApiGateway::Resource", "RestApiId"),
    ("AWS::ApiGateway::Stage", "RestApiId"),
    ("AWS::ApiGatewayV2::Authorizer", "ApiId"),
    ("AWS::ApiGatewayV2::Deployment", "ApiId"),
    ("AWS::ApiGatewayV2::Integration", "ApiId"),
    ("AWS::ApiGatewayV2::Model", "ApiId"),
    ("AWS::ApiGatewayV2::Route", "ApiId"),
    ("AWS::ApiGatewayV2::Stage", "ApiId"),
    ("AWS::Cognito::UserPool", "UserPoolId"),
    ("AWS::Lambda::Alias", "FunctionName"),
    ("AWS::Lambda::EventInvokeConfig", "FunctionName"),
    ("AWS::Lambda::Permission", "FunctionName"),
    ("AWS::Lambda::Url", "TargetFunctionArn"),
    ("AWS::Lambda::Version", "FunctionName"),
];

/// What stays, each with its command: parts before the whole, which some of them keep from being removed. A part of what is
/// gone is gone, and one that goes with the removal of its whole has no command of its own.
pub(super) fn retained(doom: &Doom) -> Vec<Leftover> {
    let is_of_a_pool = |resource: &Deployed| OF_A_POOL.iter().any(|(kind, _)| *kind == resource.kind);
    let goes_along = |resource: &&Deployed| {
        doom.owner(resource).is_some_and(|owner| doom.goes.contains(owner) || !is_of_a_pool(resource))
    };
    let mut stays: Vec<&Deployed> = doom.stays.iter().filter(|resource| !goes_along(resource)).collect();
    stays.sort_by_key(|resource| doom.owner(resource).is_none());
    stays.into_iter().map(|resource| left(doom, resource)).collect()
}

fn left(doom: &Doom, resource: &Deployed) -> Leftover {
    let what = format!("{} `{}` ({})", resource.kind, resource.physical_id, resource.logical_id);
    let note = if is_protected_pool(doom, resource) {
        "; lifting its protection sets what else it was set to back to defaults"
    } else {
        ""
    };
    let steps: Vec<String> = obstacles(doom, resource).into_iter().chain([removal(doom, resource)]).collect();
    Leftover { what: format!("{what}{note}"), command: steps.join(" && ") }
}

fn removal(doom: &Doom, resource: &Deployed) -> String {
    let id = word(&resource.physical_id);
    let of = |table: &[(&str, &'static str)]| {
        table.iter().find(|(kind, _)| *kind == resource.kind).map(|(_, command)| *command)
    };
    if let Some(command) = of(PLAIN) {
        return format!("aws {command} {id}");
    }
    if let (Some(command), Some(pool)) = (of(OF_A_POOL), doom.pool(resource)) {
        return format!("aws {command} {id} --user-pool-id {}", word(&pool));
    }
    let bucket = format!("aws s3 rb --force s3://{}", resource.physical_id);
    match resource.kind.as_str() {
        // `--force` removes no versions; and where there are none, S3 refuses to remove them.
        "AWS::S3::Bucket" if doom.property(resource, "VersioningConfiguration").is_some() => {
            format!("{}; {bucket}", empty(&resource.physical_id, ""))
        }
        "AWS::S3::Bucket" => bucket,
        kind => format!("aws cloudcontrol delete-resource --type-name {kind} --identifier {id}"),
    }
}

/// What must be done before a resource can be removed, by what the template says about it.
fn obstacles(doom: &Doom, resource: &Deployed) -> Vec<String> {
    let id = word(&resource.physical_id);
    let says = |property: &str| doom.property(resource, property);
    match resource.kind.as_str() {
        "AWS::Cognito::UserPool" if is_protected_pool(doom, resource) => {
            vec![format!("aws cognito-idp update-user-pool --user-pool-id {id} --deletion-protection INACTIVE")]
        }
        "AWS::DynamoDB::Table" if says("DeletionProtectionEnabled").is_some_and(is_true) => vec![
            format!("aws dynamodb update-table --table-name {id} --no-deletion-protection-enabled"),
            format!("aws dynamodb wait table-exists --table-name {id}"),
        ],
        "AWS::IAM::Role" => {
            let inline = ("Policies", "list-role-policies", "PolicyNames[]", "delete-role-policy", "--policy-name");
            let attached = "AttachedPolicies[].PolicyArn";
            let managed =
                ("ManagedPolicyArns", "list-attached-role-policies", attached, "detach-role-policy", "--policy-arn");
            // Their names may be expressions, so IAM is asked for them.
            let each = |(_, list, query, remove, option): (&str, &str, &str, &str, &str)| {
                format!(
                    "for policy in $(aws iam {list} --role-name {id} --query '{query}' --output text); do aws iam \
                     {remove} --role-name {id} {option} \"$policy\"; done"
                )
            };
            [inline, managed].into_iter().filter(|(property, ..)| says(property).is_some()).map(each).collect()
        }
        _ => Vec::new(),
    }
}

fn is_protected_pool(doom: &Doom, resource: &Deployed) -> bool {
    // What is not given to `update-user-pool` is reset:
    // https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html
    let protection = doom.property(resource, "DeletionProtection");
    resource.kind == "AWS::Cognito::UserPool" && protection.is_some_and(|protection| protection != "INACTIVE")
}

/// CloudFormation takes a truth as a text too; what an expression comes to is not known, and no harm is done by lifting it.
fn is_true(value: &Value) -> bool {
    *value != Value::Bool(false) && *value != "false"
}

impl Doom {
    fn property(&self, resource: &Deployed, name: &str) -> Option<&Value> {
        self.template.get("Resources")?.get(&resource.logical_id)?.get("Properties")?.get(name)
    }

    /// The resource of the stack that this one is a part of.
    fn owner(&self, resource: &Deployed) -> Option<&Deployed> {
        let mut properties = OWNERS.iter().filter(|(kind, _)| resource.kind.starts_with(kind));
        let named = properties.find_map(|(_, name)| self.property(resource, name))?;
        let attribute = named.get("Fn::GetAtt");
        let id = named.get("Ref").or_else(|| attribute?.get(0)).or(attribute)?.as_str()?;
        let id = id.split('.').next()?;
        self.goes
            .iter()
            .chain(&self.stays)
            .find(|owner| owner.logical_id == id && owner.logical_id != resource.logical_id)
    }

    /// The id of the user pool that a resource is a part of.
    fn pool(&self, resource: &Deployed) -> Option<String> {
        let named = || self.property(resource, "UserPoolId")?.as_str().map(str::to_owned);
        self.owner(resource).map(|owner| owner.physical_id.clone()).or_else(named)
    }
}

/// A log group that Lambda made again.
pub(super) fn log_group(name: &str) -> Leftover {
    Leftover {
        what: format!("log group `{name}`"),
        command: format!("aws logs delete-log-group --log-group-name {}", word(name)),
    }
}

/// What lies below a folder of the bucket.
pub(super) fn folder(bucket: &str, folder: &str, versions: usize) -> Leftover {
    let are = if versions == 1 { "1 version".to_owned() } else { format!("{versions} versions") };
    let times = versions.div_ceil(AT_ONCE);
    let again =
        if times > 1 { format!(", which the command removes when it is run {times} times") } else { String::new() };
    Leftover { what: format!("{are} below `{folder}` in bucket `{bucket}`{again}"), command: empty(bucket, folder) }
}

/// The command that removes a thousand versions below a folder: no more go at once.
pub(super) fn empty(bucket: &str, folder: &str) -> String {
    let bucket = word(bucket);
    let prefix = if folder.is_empty() { String::new() } else { format!(" --prefix {}", word(folder)) };
    let all = "{Objects: [Versions, DeleteMarkers][].{Key: Key, VersionId: VersionId}}";
    format!(
        "aws s3api delete-objects --bucket {bucket} --delete \"$(aws s3api list-object-versions --bucket \
         {bucket}{prefix} --max-items {AT_ONCE} --query '{all}' --output json)\""
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Deployed, Doom, folder, log_group, retained};

    fn resource(id: &str, kind: &str, physical_id: &str) -> Deployed {
        Deployed {
            logical_id: id.into(),
            physical_id: physical_id.into(),
            kind: kind.into(),
            status: "CREATE_COMPLETE".into(),
        }
    }

    /// The commands for resources that all stay, with the properties of each.
    fn commands(resources: &[(&str, &str, &str, Value)]) -> Vec<String> {
        let template = resources
            .iter()
            .map(|(id, kind, _, properties)| ((*id).to_owned(), json!({ "Type": kind, "Properties": properties })));
        let template = json!({ "Resources": template.collect::<serde_json::Map<_, _>>() });
        let stays = resources.iter().map(|(id, kind, physical_id, _)| resource(id, kind, physical_id)).collect();
        let doom = Doom { goes: Vec::new(), stays, template };
        retained(&doom).into_iter().map(|left| left.command).collect()
    }

    #[track_caller]
    fn is_removed_by(kind: &str, physical_id: &str, properties: Value, command: &str) {
        assert_eq!(commands(&[("Thing", kind, physical_id, properties)]), [command]);
    }

    #[test]
    fn each_leftover_comes_with_the_command_that_removes_it() {
        let none = || json!({});
        let pool = "aws cognito-idp delete-user-pool --user-pool-id us-east-1_abc";
        is_removed_by("AWS::Cognito::UserPool", "us-east-1_abc", none(), pool);
        let table = "aws dynamodb delete-table --table-name notesTable";
        is_removed_by("AWS::DynamoDB::Table", "notesTable", none(), table);
        let arn = "arn:aws:secretsmanager:us-east-1:1:secret:t-Ab";
        let secret = format!("aws secretsmanager delete-secret --secret-id {arn}");
        is_removed_by("AWS::SecretsManager::Secret", arn, none(), &secret);
        is_removed_by("AWS::SSM::Parameter", "/a", none(), "aws ssm delete-parameter --name /a");
        let other = "aws cloudcontrol delete-resource --type-name AWS::Events::Rule --identifier r";
        is_removed_by("AWS::Events::Rule", "r", none(), other);
        let group = log_group("/aws/lambda/notes-Get-1");
        assert_eq!(group.command, "aws logs delete-log-group --log-group-name /aws/lambda/notes-Get-1");
    }

    #[test]
    fn what_keeps_a_resource_from_being_removed_is_lifted_first() {
        let lift = "aws cognito-idp update-user-pool --user-pool-id p --deletion-protection INACTIVE && ";
        let pool = format!("{lift}aws cognito-idp delete-user-pool --user-pool-id p");
        is_removed_by("AWS::Cognito::UserPool", "p", json!({ "DeletionProtection": "ACTIVE" }), &pool);
        let table = "aws dynamodb update-table --table-name t --no-deletion-protection-enabled && aws dynamodb wait \
                     table-exists --table-name t && aws dynamodb delete-table --table-name t";
        is_removed_by("AWS::DynamoDB::Table", "t", json!({ "DeletionProtectionEnabled": true }), table);
        let free = json!({ "DeletionProtectionEnabled": false });
        is_removed_by("AWS::DynamoDB::Table", "t", free, "aws dynamodb delete-table --table-name t");
        let role = "for policy in $(aws iam list-role-policies --role-name r --query 'PolicyNames[]' --output text); do \
                    aws iam delete-role-policy --role-name r --policy-name \"$policy\"; done && aws iam delete-role \
                    --role-name r";
        is_removed_by("AWS::IAM::Role", "r", json!({ "Policies": [{ "PolicyName": "p" }] }), role);
    }

    #[test]
    fn versions_go_before_their_bucket_and_need_not_be_there() {
        is_removed_by("AWS::S3::Bucket", "b", json!({}), "aws s3 rb --force s3://b");
        let [command] = commands(&[("Thing", "AWS::S3::Bucket", "b", json!({ "VersioningConfiguration": {} }))])
            .try_into()
            .expect("there is one");
        assert!(command.starts_with("aws s3api delete-objects --bucket b "), "{command}");
        assert!(command.ends_with("; aws s3 rb --force s3://b"), "{command}");
    }

    #[test]
    fn parts_of_a_pool_are_removed_with_its_id_and_before_it() {
        let of = json!({ "UserPoolId": { "Ref": "Users" } });
        let commands = commands(&[
            ("Users", "AWS::Cognito::UserPool", "us-east-1_a", json!({})),
            ("Web", "AWS::Cognito::UserPoolClient", "web", of.clone()),
            ("Writers", "AWS::Cognito::UserPoolGroup", "writers", of),
            ("Desk", "AWS::Cognito::UserPoolClient", "desk", json!({ "UserPoolId": "us-east-1_b" })),
        ]);
        let wanted = [
            "aws cognito-idp delete-user-pool-client --client-id web --user-pool-id us-east-1_a",
            "aws cognito-idp delete-group --group-name writers --user-pool-id us-east-1_a",
            "aws cognito-idp delete-user-pool --user-pool-id us-east-1_a",
            "aws cognito-idp delete-user-pool-client --client-id desk --user-pool-id us-east-1_b",
        ];
        assert_eq!(commands, wanted);
    }

    #[test]
    fn what_goes_with_the_whole_is_not_left() {
        let template = json!({ "Resources": {
            "Writers": { "Properties": { "UserPoolId": { "Ref": "Users" } } },
            "May": { "Properties": { "FunctionName": { "Fn::GetAtt": ["Read", "Arn"] } } },
            "Feed": { "Properties": { "FunctionName": { "Ref": "Read" } } },
        } });
        let doom = Doom {
            goes: vec![
                resource("Users", "AWS::Cognito::UserPool", "us-east-1_a"),
                resource("Read", "AWS::Lambda::Function", "notes-Read-1"),
            ],
            stays: vec![
                resource("Writers", "AWS::Cognito::UserPoolGroup", "writers"),
                resource("May", "AWS::Lambda::Permission", "notes-May-1"),
                resource("Feed", "AWS::Lambda::EventSourceMapping", "f-1"),
            ],
            template,
        };
        let left: Vec<String> = retained(&doom).into_iter().map(|left| left.what).collect();
        assert_eq!(left, ["AWS::Lambda::EventSourceMapping `f-1` (Feed)"], "a mapping does not go with its function");
    }

    #[test]
    fn what_goes_with_the_removal_of_the_whole_has_no_command() {
        let of = json!({ "ApiId": { "Ref": "Api" } });
        let commands = commands(&[
            ("Route", "AWS::ApiGatewayV2::Route", "r", of.clone()),
            ("Api", "AWS::ApiGatewayV2::Api", "a", json!({})),
            ("Code", "AWS::ApiGatewayV2::Integration", "i", of),
        ]);
        assert_eq!(commands, ["aws apigatewayv2 delete-api --api-id a"]);
    }

    #[test]
    fn a_command_that_has_to_be_repeated_is_told_so() {
        assert_eq!(folder("b", "code/notes/", 1000).what, "1000 versions below `code/notes/` in bucket `b`");
        let many = folder("b", "code/notes/", 2001).what;
        assert!(many.ends_with(", which the command removes when it is run 3 times"), "{many}");
    }
}
