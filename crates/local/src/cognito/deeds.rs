//! What a request to Cognito does, as far as IAM is concerned.

use serde_json::Value;

use crate::cloud::Account;
use crate::cognito::control::pool_arn;
use crate::iam::authorize::Deed;
use crate::wire::Request;

/// Operations that an app calls without credentials: a token in the body, or nothing, stands for them. No policy is
/// asked about them.
const OPEN: &[&str] = &[
    "AssociateSoftwareToken",
    "ChangePassword",
    "ConfirmDevice",
    "ConfirmForgotPassword",
    "ConfirmSignUp",
    "DeleteUser",
    "DeleteUserAttributes",
    "ForgetDevice",
    "ForgotPassword",
    "GetDevice",
    "GetTokensFromRefreshToken",
    "GetUser",
    "GetUserAttributeVerificationCode",
    "GetUserAuthFactors",
    "GlobalSignOut",
    "InitiateAuth",
    "ListDevices",
    "ResendConfirmationCode",
    "RespondToAuthChallenge",
    "RevokeToken",
    "SetUserMFAPreference",
    "SetUserSettings",
    "SignUp",
    "UpdateAuthEventFeedback",
    "UpdateDeviceStatus",
    "UpdateUserAttributes",
    "VerifySoftwareToken",
    "VerifyUserAttribute",
];

/// Operations on no pool in particular.
const ON_ALL: &[&str] = &["CreateUserPool", "DescribeUserPoolDomain", "ListUserPools"];

/// Operations that name their pool by its ARN, and by nothing else.
const BY_ARN: &[&str] = &["ListTagsForResource", "TagResource", "UntagResource"];

/// Whether an operation is one for callers without credentials.
pub(crate) fn is_open(operation: &str) -> bool {
    OPEN.contains(&operation)
}

/// The deeds of a request; none for an operation that is not listed here and names no pool. Every other operation of
/// Cognito is an action of the same name on its pool.
pub(crate) fn deeds(account: &Account, request: &Request) -> Option<Vec<Deed>> {
    let body: Value = request.json().unwrap_or_default();
    let operation = request.operation()?;
    let action = format!("cognito-idp:{operation}");
    if is_open(operation) {
        return Some(Vec::new());
    }
    if ON_ALL.contains(&operation) {
        return Some(vec![Deed::new(action, "*")]);
    }
    let member = |name: &str| body.get(name).and_then(Value::as_str);
    let resource = if BY_ARN.contains(&operation) {
        member("ResourceArn")?.to_owned()
    } else {
        pool_arn(account, member("UserPoolId")?)
    };
    Some(vec![Deed::new(action, resource)])
}
