//! A user for tests, who may do what a few statements say.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Naming;
use super::authorize::authorize;
use crate::cloud::Account;
use crate::signature::Dialect;
use crate::wire::{Caller, Fault, Request};

/// Name of the user.
pub(crate) const USER: &str = "tester";

/// Whether a user to whom these statements are given may do what a request asks.
pub(crate) fn may(account: &mut Account, statements: &Value, service: &str, request: &Request) -> Result<(), Fault> {
    let now = OffsetDateTime::UNIX_EPOCH;
    if !account.iam.users.contains_key(USER) {
        let naming = Naming { name: USER.to_owned(), ..Naming::default() };
        account.iam.create_user(naming, now).expect("it is new");
    }
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    account.iam.user_mut(USER).expect("it was made").put_policy("own", document).expect("it is well-formed");
    let request = Request { caller: Caller::User { name: USER.to_owned() }, ..request.clone() };
    authorize(account, service, Dialect::Json, &request, now)
}

/// A statement about one action of one resource.
pub(crate) fn statement(effect: &str, action: &str, resource: &str) -> Value {
    json!({ "Effect": effect, "Action": action, "Resource": resource })
}
