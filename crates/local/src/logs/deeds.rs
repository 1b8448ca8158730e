//! What a request to CloudWatch Logs does, as far as IAM is concerned.

use serde_json::Value;

use crate::cloud::Account;
use crate::iam::authorize::Deed;
use crate::wire::Request;

/// Operations on a group, whose action has the same name.
const ON_GROUP: &[&str] = &[
    "CreateLogGroup",
    "CreateLogStream",
    "DeleteLogGroup",
    "DeleteRetentionPolicy",
    "DescribeLogStreams",
    "FilterLogEvents",
    "ListTagsForResource",
    "ListTagsLogGroup",
    "PutRetentionPolicy",
    "TagLogGroup",
    "TagResource",
    "UntagLogGroup",
    "UntagResource",
];

/// Operations on a stream of a group.
const ON_STREAM: &[&str] = &["DeleteLogStream", "GetLogEvents", "PutLogEvents"];

/// The deeds of a request; none for an operation that is not listed here.
pub(crate) fn deeds(account: &Account, request: &Request) -> Option<Vec<Deed>> {
    let body: Value = request.json().unwrap_or_default();
    let operation = request.operation().unwrap_or_default();
    let text = |member: &str| body.get(member).and_then(Value::as_str);
    let group = || {
        let name = text("logGroupName").or(text("logGroupIdentifier")).or(text("resourceArn")).unwrap_or_default();
        if name.starts_with("arn:") {
            name.trim_end_matches(":*").to_owned()
        } else {
            format!("arn:aws:logs:{}:{}:log-group:{name}", account.region, account.id)
        }
    };
    let resource = match operation {
        known if ON_STREAM.contains(&known) => {
            format!("{}:log-stream:{}", group(), text("logStreamName").unwrap_or_default())
        }
        // IAM knows a group by an ARN that ends so.
        known if ON_GROUP.contains(&known) => format!("{}:*", group()),
        "DescribeLogGroups" => format!("arn:aws:logs:{}:{}:log-group::log-stream:", account.region, account.id),
        _ => return None,
    };
    Some(vec![Deed::new(format!("logs:{operation}"), resource)])
}
