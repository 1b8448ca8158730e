//! How the code of functions comes into a template: through parameters, out of the bucket that one of them names or of
//! the CDK's own.

pub use crate::model::ids::{ASSET_BUCKET, USES_CDK_BUCKET, code_key};

/// What `cdk bootstrap` puts into the names of all that it makes, unless it is told another:
/// <https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html>
pub const CDK_QUALIFIER: &str = "hnb659fds";

/// The bucket that `cdk bootstrap` makes in an account and a region.
#[must_use]
pub fn cdk_bucket(account: &str, region: &str) -> String {
    format!("cdk-{CDK_QUALIFIER}-assets-{account}-{region}")
}

/// The same of whatever account and region a template is deployed to, for `Fn::Sub`.
#[must_use]
pub fn cdk_bucket_of_template() -> String {
    cdk_bucket("${AWS::AccountId}", "${AWS::Region}")
}
