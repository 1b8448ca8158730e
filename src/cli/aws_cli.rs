//! Commands of the aws CLI that look where a stack is.

use stackgen::deploy::aws::Account;
use stackgen::deploy::shell::word;

use super::Target;

/// How the aws CLI is called, with the options of the target before its command.
pub(crate) fn call(target: &Target, account: &Account) -> String {
    if target.local {
        return format!("{}; aws", prelude(target, account));
    }
    let profile = target.profile.as_ref().map(|profile| format!(" --profile {}", word(profile)));
    let endpoint = account.endpoint.as_ref().map(|endpoint| format!(" --endpoint-url {}", word(endpoint)));
    format!("aws --region {}{}{}", account.region, profile.unwrap_or_default(), endpoint.unwrap_or_default())
}

/// What makes each command of the aws CLI look there.
pub(crate) fn prelude(target: &Target, account: &Account) -> String {
    if target.local {
        return "eval \"$(stackgen local env)\"".to_owned();
    }
    let profile = target.profile.as_ref().map(|profile| format!(" AWS_PROFILE={}", word(profile)));
    let endpoint = account.endpoint.as_ref().map(|endpoint| format!(" AWS_ENDPOINT_URL={}", word(endpoint)));
    format!("export AWS_REGION={}{}{}", account.region, profile.unwrap_or_default(), endpoint.unwrap_or_default())
}
