//! What a request to CloudFormation does, as far as IAM is concerned.

use crate::local::cloud::Account;
use crate::local::iam::authorize::Deed;
use crate::local::wire::{Form, Request};

/// The deed of a request: every operation is an action of the same name, on the stack that it names.
pub(crate) fn deed(account: &Account, request: &Request) -> Deed {
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
    Deed::new(format!("cloudformation:{}", form.get("Action").unwrap_or_default()), resource)
}
