//! Settings of a pool that Cognito refuses together, and tells of only when it makes the pool.

use crate::model::cognito::{
    AccountRecovery, AdvancedSecurity, AttributeType, CustomAttribute, Mfa, MfaMethod, Tier, UserPool,
    VerifiedAttribute,
};

use super::Complaint;

pub(super) fn check(id: &str, pool: &UserPool) -> Vec<Complaint> {
    let mut complaints = unverified(id, pool);
    complaints.extend(foreign_sender(id, pool));
    complaints.extend(text_messages(id, pool));
    complaints.extend(way_back(id, pool));
    complaints.extend(threat_protection(id, pool));
    complaints.extend(two_triggers(id, pool));
    complaints.extend(pool.custom_attributes.iter().flat_map(|(name, it)| foreign_bounds(id, name, it)));
    complaints
}

/// "All attributes in `AttributesRequireVerificationBeforeUpdate` must exist in `AutoVerifiedAttributes`":
/// <https://github.com/aws/aws-cli/issues/7151>
fn unverified(id: &str, pool: &UserPool) -> Vec<Complaint> {
    let asked = pool.verify_before_update.iter().enumerate();
    let missing = asked.filter(|(_, attribute)| !pool.auto_verified_attributes.contains(attribute));
    missing
        .map(|(index, attribute)| {
            let name = match attribute {
                VerifiedAttribute::Email => "email",
                VerifiedAttribute::PhoneNumber => "phoneNumber",
            };
            let path = ["userPools", id, "verifyBeforeUpdate", &index.to_string()];
            let message = format!("`{name}` is never verified");
            Complaint::new(&path, message, format!("add `{name}` to `autoVerifiedAttributes` as well"))
        })
        .collect()
}

/// "Cannot configure From email address for default email configuration":
/// <https://github.com/aws/aws-cdk/issues/9739>
fn foreign_sender(id: &str, pool: &UserPool) -> Option<Complaint> {
    let email = pool.email.as_ref()?;
    let message = "Cognito's own sender has an address of its own";
    let help = "add `sourceArn` with the SES identity that sends, or remove `from`";
    let is_foreign = email.from.is_some() && email.source_arn.is_none();
    is_foreign.then(|| Complaint::new(&["userPools", id, "email", "from"], message, help))
}

/// "Can't turn off SMS_MFA when SMS configuration is set for the user pool":
/// <https://github.com/aws-amplify/amplify-backend/pull/1523>
fn text_messages(id: &str, pool: &UserPool) -> Option<Complaint> {
    let is_off = pool.mfa == Mfa::Off || pool.mfa_methods.is_empty() || pool.mfa_methods.contains(&MfaMethod::Sms);
    let message = "a pool that sends text messages must offer them as a second factor too";
    let help = "add `sms` here, or remove `phoneNumber` from `autoVerifiedAttributes` and `sms` from the pool";
    (!is_off && pool.sends_sms()).then(|| Complaint::new(&["userPools", id, "mfaMethods"], message, help))
}

/// "Account Recovery Setting cannot use `verified_phone_number` as a recovery mechanism when SMS MFA is configured":
/// <https://github.com/aws/aws-cdk/issues/11478>. Where mail is a way back as well, it depends on more than is known here.
fn way_back(id: &str, pool: &UserPool) -> Option<Complaint> {
    let by_phone = pool.mfa != Mfa::Off && pool.mfa_methods.contains(&MfaMethod::Sms);
    let message = "the telephone cannot be the second factor and the only way back in";
    (by_phone && pool.account_recovery == Some(AccountRecovery::PhoneOnly)).then(|| {
        Complaint::new(
            &["userPools", id, "accountRecovery"],
            message,
            "use `emailOnly`, or `mfaMethods: [softwareToken]`",
        )
    })
}

/// "The following features need to be disabled for the ESSENTIALS pricing tier configured: Threat Protection":
/// <https://github.com/aws/aws-cdk/pull/33565>
fn threat_protection(id: &str, pool: &UserPool) -> Option<Complaint> {
    let is_on = pool.advanced_security.is_some_and(|mode| mode != AdvancedSecurity::Off);
    let message = "only the `plus` tier has threat protection";
    let help = "add `userPoolTier: plus`, which has its price, or remove this";
    (is_on && pool.user_pool_tier != Some(Tier::Plus))
        .then(|| Complaint::new(&["userPools", id, "advancedSecurity"], message, help))
}

/// <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_LambdaConfigType.html>
fn two_triggers(id: &str, pool: &UserPool) -> Option<Complaint> {
    let config = pool.lambda_config.as_ref()?;
    let (plain, versioned) = (config.pre_token_generation.as_ref()?, config.pre_token_generation_config.as_ref()?);
    let path = ["userPools", id, "lambdaConfig", "preTokenGeneration"];
    let message = "`preTokenGenerationConfig` names another function for the same trigger";
    (*plain != versioned.lambda_arn)
        .then(|| Complaint::new(&path, message, "remove `preTokenGeneration`, which is the older form"))
}

/// Bounds are of texts, or of numbers.
fn foreign_bounds(id: &str, name: &str, attribute: &CustomAttribute) -> Vec<Complaint> {
    let bounds = [
        ("minLength", attribute.min_length.is_some(), AttributeType::String),
        ("maxLength", attribute.max_length.is_some(), AttributeType::String),
        ("minValue", attribute.min_value.is_some(), AttributeType::Number),
        ("maxValue", attribute.max_value.is_some(), AttributeType::Number),
    ];
    let foreign = bounds.into_iter().filter(|(_, is_given, kind)| *is_given && *kind != attribute.kind);
    foreign
        .map(|(field, _, kind)| {
            let path = ["userPools", id, "customAttributes", name, field];
            let (what, kind) = match kind {
                AttributeType::String => ("texts", "string"),
                _ => ("numbers", "number"),
            };
            Complaint::new(
                &path,
                format!("only {what} have a `{field}`"),
                format!("remove it, or write `type: {kind}`"),
            )
            .at_key()
        })
        .collect()
}
