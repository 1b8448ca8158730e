//! What a request to CloudFormation does, as far as IAM is concerned.

use crate::cloud::Account;
use crate::cloudformation::source;
use crate::iam::authorize::Deed;
use crate::wire::{Form, Request};

/// The deeds of a request: every operation is an action of the same name, on the stack that it names. A template in S3 is
/// read, and a role handed over, with the rights of the caller.
pub(crate) fn deeds(account: &Account, request: &Request) -> Vec<Deed> {
    let form = Form::of(request);
    let stack = |name: &str| {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let known = account.cloudformation.stacks.values().find(|stack| stack.name == name);
        known.map_or_else(
            || format!("arn:aws:cloudformation:{}:{}:stack/{name}/*", account.region, account.id),
            |stack| stack.id.clone(),
        )
    };
    let resource = form.get("StackName").map_or_else(|| "*".to_owned(), stack);
    let operation = Deed::new(format!("cloudformation:{}", form.get("Action").unwrap_or_default()), resource);
    let template = form.get("TemplateURL").and_then(source::object_of);
    let template = template.map(|object| Deed::new("s3:GetObject", format!("arn:aws:s3:::{object}")));
    let role = form.get("RoleARN").map(|role| {
        Deed::new("iam:PassRole", role).knowing("iam:PassedToService", ["cloudformation.amazonaws.com".to_owned()])
    });
    [Some(operation), template, role].into_iter().flatten().collect()
}
