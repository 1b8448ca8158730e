//! What `stackgen` asks of AWS itself: every call of `deploy`, `destroy`, `list` and `outputs`.

use super::grant::{Condition, Grant};
use super::{Place, Stack, partition};
use crate::template::Template;
use crate::template::check::INLINE_BYTES;

/// On the stack itself. Everything that happens to it goes through a change set.
///
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html>
const STACK: &[&str] = &[
    "cloudformation:CancelUpdateStack",
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplate",
    "cloudformation:ListStackResources",
    "cloudformation:TagResource",
    "cloudformation:UntagResource",
    "cloudformation:UpdateTerminationProtection",
];

/// The stacks whose output names the bucket.
const BOOTSTRAP: &[&str] = &["CDKToolkit", "stackgen-bootstrap"];

/// Where each stack has a folder of its own for its code and its templates. What lies in another's is run by the other.
const FOLDERS: &[&str] = &["code", "templates"];

/// What is done in a folder: it is filled by a deployment and emptied when the stack is destroyed. Who deletes a version
/// needs both rights: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
const FOLDER: &[&str] = &["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"];

/// What the caller needs besides for one stack. Who one is may always be asked.
pub(super) fn grants(stack: &Stack<'_>, place: &Place) -> Vec<Grant> {
    let Place { region, account, .. } = place;
    let partition = partition(region);
    let stack_arn = |name: &str| format!("arn:{partition}:cloudformation:{region}:{account}:stack/{name}/*");
    let grant = |purpose, action, resource| Grant { purpose, action, resource, condition: None, besides: None };
    let mut grants: Vec<Grant> = STACK.iter().map(|action| grant("Stacks", *action, stack_arn(stack.name))).collect();
    // What destroying has left: log groups that Lambda made again.
    grants.push(grant("ReadLogs", "logs:DescribeLogGroups", "*".to_owned()));
    if goes_through_bucket(stack.template) {
        let look = "cloudformation:DescribeStacks";
        grants.extend(BOOTSTRAP.iter().map(|name| grant("Bootstrap", look, stack_arn(name))));
        grants.extend(uploads(stack.name, place));
    }
    grants
}

/// Whether anything of the stack is uploaded: code, or a template that is too large for a request.
fn goes_through_bucket(template: &Template) -> bool {
    let has_code = template.resources.values().any(|resource| resource.resource_type == "AWS::Lambda::Function");
    has_code || template.to_json().len() > INLINE_BYTES
}

fn uploads(stack: &str, place: &Place) -> Vec<Grant> {
    let Place { region, account, buckets, .. } = place;
    let partition = partition(region);
    let mut grants = Vec::new();
    // A bucket of that name in another account is none of ours.
    let ours = || Some(Condition::equals("aws:ResourceAccount", account));
    let mut grant = |purpose, action, resource| {
        grants.push(Grant { purpose, action, resource, condition: ours(), besides: None });
    };
    for bucket in buckets {
        let bucket = format!("arn:{partition}:s3:::{bucket}");
        grant("Assets", "s3:GetObject", format!("{bucket}/*"));
        for folder in FOLDERS {
            for action in FOLDER {
                grant("Uploads", action, format!("{bucket}/{folder}/{stack}/*"));
            }
        }
        // Without it S3 does not tell an object that is missing from one that is forbidden.
        grant("AssetBucket", "s3:ListBucket", bucket.clone());
        // What of the folders is to be removed, which takes any that S3 still keeps of it.
        grant("AssetBucket", "s3:ListBucketVersions", bucket);
    }
    grants
}
