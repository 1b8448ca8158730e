//! What a request to Cognito does, as far as IAM is concerned.

use serde_json::Value;

use crate::cloud::Account;
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
    let resource =
        match (body.get("UserPoolId").and_then(Value::as_str), body.get("ResourceArn").and_then(Value::as_str)) {
            (Some(pool), _) => format!("arn:aws:cognito-idp:{}:{}:userpool/{pool}", account.region, account.id),
            (None, Some(arn)) => arn.to_owned(),
            (None, None) => return None,
        };
    Some(vec![Deed::new(action, resource)])
}
