//! What is declared of a pool and of a client: the shapes that the API and CloudFormation share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cognito::attribute::{Declared, Schema, is_email};
use crate::cognito::fault::invalid;
use crate::cognito::moment::{DAY, HOUR, MINUTE};
use crate::cognito::password::PasswordPolicy;
use crate::cognito::token::SELF_SERVICE;
use crate::wire::Fault;

/// Scopes that every pool has.
pub(crate) const STANDARD_SCOPES: [&str; 5] = ["phone", "email", "openid", "profile", SELF_SERVICE];

/// What is declared of a pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct PoolSettings {
    #[serde(alias = "PoolName", alias = "UserPoolName")]
    pub(crate) name: String,
    pub(crate) policies: Policies,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deletion_protection: Option<String>,
    pub(crate) lambda_config: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) auto_verified_attributes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alias_attributes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) username_attributes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sms_verification_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_verification_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_verification_subject: Option<String>,
    pub(crate) verification_message_template: VerificationMessages,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mfa_configuration: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) enabled_mfas: Vec<String>,
    pub(crate) user_attribute_update_settings: UpdateSettings,
    pub(crate) admin_create_user_config: AdminCreateUser,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) schema: Vec<Declared>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username_configuration: Option<UsernameConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account_recovery_setting: Option<AccountRecovery>,
    pub(crate) user_pool_tags: BTreeMap<String, Value>,
    /// What changes nothing here and is only handed back.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// Rules for passwords and factors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Policies {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_policy: Option<PasswordPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sign_in_policy: Option<Value>,
}

/// The messages that carry codes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct VerificationMessages {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_email_option: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_message_by_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_subject_by_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sms_message: Option<String>,
}

/// Which attributes keep their old value until the new one is verified.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct UpdateSettings {
    pub(crate) attributes_require_verification_before_update: Vec<String>,
}

/// How administrators create users.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct AdminCreateUser {
    pub(crate) allow_admin_create_user_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unused_account_validity_days: Option<i64>,
    pub(crate) invite_message_template: Invitation,
}

/// The message that invites.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Invitation {
    #[serde(rename = "SMSMessage", skip_serializing_if = "Option::is_none")]
    pub(crate) sms_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_subject: Option<String>,
}

/// Whether `Alice` and `alice` are two users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct UsernameConfiguration {
    pub(crate) case_sensitive: bool,
}

/// They are, where nothing is said.
impl Default for UsernameConfiguration {
    fn default() -> Self {
        Self { case_sensitive: true }
    }
}

/// How users come by a new password.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct AccountRecovery {
    pub(crate) recovery_mechanisms: Vec<RecoveryOption>,
}

/// One way, and its rank.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct RecoveryOption {
    pub(crate) priority: i64,
    pub(crate) name: String,
}

impl PoolSettings {
    /// The rules for passwords.
    pub(crate) fn password_policy(&self) -> PasswordPolicy {
        self.policies.password_policy.clone().unwrap_or_else(PasswordPolicy::of_a_new_pool)
    }

    /// Days for which a temporary password is good.
    pub(crate) fn temporary_password_days(&self) -> i64 {
        let policy = self.password_policy().temporary_password_validity_days;
        self.admin_create_user_config.unused_account_validity_days.filter(|days| *days > 0).unwrap_or(policy)
    }

    /// Whether names that differ in case are different names.
    pub(crate) fn case_sensitive(&self) -> bool {
        self.username_configuration.unwrap_or_default().case_sensitive
    }

    /// The attributes of this pool's users.
    pub(crate) fn attributes(&self) -> Schema {
        Schema::new(&self.schema)
    }

    /// `OFF`, `OPTIONAL` or `ON`.
    pub(crate) fn mfa(&self) -> &str {
        self.mfa_configuration.as_deref().unwrap_or("OFF")
    }

    /// Whether users may register an authenticator app.
    pub(crate) fn offers_totp(&self) -> bool {
        self.mfa() != "OFF" && self.enabled_mfas.iter().any(|factor| factor == "SOFTWARE_TOKEN_MFA")
    }

    /// The attributes to which a code for a new password may go, the best first. `None` when only administrators may help.
    pub(crate) fn recovery(&self) -> Option<Vec<&'static str>> {
        let Some(setting) = self.account_recovery_setting.as_ref().filter(|all| !all.recovery_mechanisms.is_empty())
        else {
            return Some(vec!["phone_number", "email"]);
        };
        let mut options: Vec<&RecoveryOption> = setting.recovery_mechanisms.iter().collect();
        options.sort_by_key(|option| option.priority);
        let attribute = |option: &RecoveryOption| match option.name.as_str() {
            "verified_email" => Some("email"),
            "verified_phone_number" => Some("phone_number"),
            _ => None,
        };
        let attributes: Vec<&'static str> = options.into_iter().filter_map(attribute).collect();
        (!attributes.is_empty()).then_some(attributes)
    }

    /// Checks what a schema cannot say.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if !self.alias_attributes.is_empty() && !self.username_attributes.is_empty() {
            return Err(invalid("Only one of the aliasAttributes or usernameAttributes can be set in a user pool."));
        }
        let minimum = self.password_policy().minimum_length;
        if !(6..=99).contains(&minimum) {
            let (bound, limit) = if minimum < 6 { ("greater", 6) } else { ("less", 99) };
            return Err(invalid(format!(
                "1 validation error detected: Value '{minimum}' at 'policies.passwordPolicy.minimumLength' failed to \
                 satisfy constraint: Member must have value {bound} than or equal to {limit}"
            )));
        }
        let factor = self.offers_totp() || self.rest.contains_key("SmsConfiguration");
        if self.mfa() != "OFF" && !factor {
            return Err(invalid(
                "SMS configuration and Auto verification for phone_number are required when MFA is required/optional",
            ));
        }
        self.check_together()?;
        self.check_schema()
    }

    /// Checks what Cognito refuses together, in its words: <https://github.com/aws/aws-cli/issues/7151>,
    /// <https://github.com/aws/aws-cdk/issues/9739>, <https://github.com/aws/aws-cdk/issues/11478>,
    /// <https://github.com/aws-amplify/amplify-backend/pull/1523>, <https://github.com/aws/aws-cdk/pull/33565>.
    fn check_together(&self) -> Result<(), Fault> {
        let stated =
            |member: &str, name: &str| self.rest.get(member).and_then(|it| it.get(name)).and_then(Value::as_str);
        let verified = |name: &String| self.auto_verified_attributes.contains(name);
        if !self.user_attribute_update_settings.attributes_require_verification_before_update.iter().all(verified) {
            return Err(invalid(
                "All attributes in AttributesRequireVerificationBeforeUpdate must exist in AutoVerifiedAttributes",
            ));
        }
        if stated("EmailConfiguration", "From").is_some() && stated("EmailConfiguration", "SourceArn").is_none() {
            return Err(invalid("Cannot configure From email address for default email configuration"));
        }
        let factor = |name: &str| self.enabled_mfas.iter().any(|factor| factor == name);
        let chosen = self.mfa() != "OFF" && !self.enabled_mfas.is_empty();
        if chosen && !factor("SMS_MFA") && self.rest.contains_key("SmsConfiguration") {
            return Err(invalid("Can't turn off SMS_MFA when SMS configuration is set for the user pool"));
        }
        if chosen && factor("SMS_MFA") && self.recovery().as_deref() == Some(&["phone_number"]) {
            return Err(invalid(
                "Invalid account recovery setting parameter. Account Recovery Setting cannot use verified_phone_number as a \
                 recovery mechanism when SMS MFA is configured.",
            ));
        }
        let tier = self.rest.get("UserPoolTier").and_then(Value::as_str).unwrap_or("ESSENTIALS");
        if stated("UserPoolAddOns", "AdvancedSecurityMode").is_some_and(|mode| mode != "OFF") && tier != "PLUS" {
            return Err(invalid(format!(
                "The following features need to be disabled for the {tier} pricing tier configured: Threat Protection"
            )));
        }
        Ok(())
    }

    fn check_schema(&self) -> Result<(), Fault> {
        let standard = Schema::new(&[]);
        for declared in &self.schema {
            let Some(known) = standard.get(&declared.name) else {
                if declared.required == Some(true) {
                    return Err(invalid("Required custom attributes are not supported currently."));
                }
                continue;
            };
            let kind = declared.attribute_data_type.unwrap_or(known.kind);
            if kind != known.kind || declared.developer_only_attribute == Some(true) {
                return Err(invalid(format!(
                    "You can not change AttributeDataType or set developerOnlyAttribute for standard schema attribute {}",
                    declared.name
                )));
            }
        }
        Ok(())
    }

    /// Checks that nothing changes that is fixed when a pool is made.
    pub(crate) fn check_successor(&self, next: &Self) -> Result<(), Fault> {
        let fixed = [
            (self.username_attributes == next.username_attributes, "UsernameAttributes"),
            (self.alias_attributes == next.alias_attributes, "AliasAttributes"),
            (self.case_sensitive() == next.case_sensitive(), "UsernameConfiguration"),
        ];
        if let Some((_, name)) = fixed.into_iter().find(|(same, _)| !same) {
            return Err(invalid(format!("Updates are not allowed for property - {name}.")));
        }
        let kept = next.attributes();
        if self.attributes().iter().any(|attribute| kept.get(&attribute.name) != Some(attribute)) {
            return Err(invalid("Existing schema attributes cannot be modified or deleted."));
        }
        next.check()
    }
}

/// What is declared of a client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct ClientSettings {
    pub(crate) client_name: String,
    #[serde(skip_serializing)]
    pub(crate) generate_secret: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token_validity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_token_validity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token_validity: Option<i64>,
    pub(crate) token_validity_units: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) read_attributes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) write_attributes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) explicit_auth_flows: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) supported_identity_providers: Vec<String>,
    #[serde(rename = "CallbackURLs", skip_serializing_if = "Vec::is_empty")]
    pub(crate) callback_urls: Vec<String>,
    #[serde(rename = "LogoutURLs", skip_serializing_if = "Vec::is_empty")]
    pub(crate) logout_urls: Vec<String>,
    #[serde(rename = "DefaultRedirectURI", skip_serializing_if = "Option::is_none")]
    pub(crate) default_redirect_uri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allowed_o_auth_flows: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allowed_o_auth_scopes: Vec<String>,
    pub(crate) allowed_o_auth_flows_user_pool_client: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prevent_user_existence_errors: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enable_token_revocation: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_session_validity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token_rotation: Option<Rotation>,
    /// What changes nothing here and is only handed back.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// Whether a refresh token is replaced when it is used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Rotation {
    pub(crate) feature: String,
    pub(crate) retry_grace_period_seconds: i64,
}

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The user's password, in clear.
    UserPassword,
    /// The user's password, sent by a server that holds the account's credentials.
    AdminPassword,
    /// The password exchange that never sends the password.
    Srp,
    /// Challenges that functions make up.
    Custom,
    /// A refresh token.
    Refresh,
}

impl Flow {
    const fn permission(self) -> &'static str {
        match self {
            Self::UserPassword => "ALLOW_USER_PASSWORD_AUTH",
            Self::AdminPassword => "ALLOW_ADMIN_USER_PASSWORD_AUTH",
            Self::Srp => "ALLOW_USER_SRP_AUTH",
            Self::Custom => "ALLOW_CUSTOM_AUTH",
            Self::Refresh => "ALLOW_REFRESH_TOKEN_AUTH",
        }
    }
}

/// How long a client's tokens are good, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) access: i64,
    pub(crate) id: i64,
    pub(crate) refresh: i64,
}

impl ClientSettings {
    /// Whether the client may use a flow. The names without `ALLOW_` are older ones, with which SRP and refreshing were always allowed.
    pub(crate) fn allows(&self, flow: Flow) -> bool {
        let flows = &self.explicit_auth_flows;
        let has = |name: &str| flows.iter().any(|flow| flow == name);
        if flows.iter().any(|name| name.starts_with("ALLOW_")) {
            return has(flow.permission());
        }
        match flow {
            Flow::UserPassword => has("USER_PASSWORD_AUTH"),
            Flow::AdminPassword => has("ADMIN_NO_SRP_AUTH"),
            Flow::Srp => !has("CUSTOM_AUTH_FLOW_ONLY"),
            Flow::Custom | Flow::Refresh => true,
        }
    }

    /// How long its tokens are good.
    pub(crate) fn validity(&self) -> Validity {
        let unit = |token: &str, default: i64| match self.token_validity_units.get(token).map(String::as_str) {
            Some("seconds") => 1,
            Some("minutes") => MINUTE,
            Some("hours") => HOUR,
            Some("days") => DAY,
            _ => default,
        };
        let of = |validity: Option<i64>, token: &str, default_unit: i64, default: i64| {
            validity.filter(|v| *v > 0).map_or(default, |v| v.saturating_mul(unit(token, default_unit)))
        };
        Validity {
            access: of(self.access_token_validity, "AccessToken", HOUR, HOUR),
            id: of(self.id_token_validity, "IdToken", HOUR, HOUR),
            refresh: of(self.refresh_token_validity, "RefreshToken", DAY, 30 * DAY),
        }
    }

    /// Seconds for which a challenge may be answered.
    pub(crate) fn challenge_validity(&self) -> i64 {
        self.auth_session_validity.unwrap_or(3).clamp(3, 15).saturating_mul(MINUTE)
    }

    /// Whether a stranger may learn who is a user. They may where nothing is said.
    pub(crate) fn hides_users(&self) -> bool {
        self.prevent_user_existence_errors.as_deref() == Some("ENABLED")
    }

    /// Whether refresh tokens can be revoked.
    pub(crate) fn revocation(&self) -> bool {
        self.enable_token_revocation.unwrap_or(true)
    }

    /// The grace period for a refresh token that was replaced, where they are replaced.
    pub(crate) fn rotation(&self) -> Option<i64> {
        let rotation = self.refresh_token_rotation.as_ref()?;
        (rotation.feature == "ENABLED").then_some(rotation.retry_grace_period_seconds)
    }

    /// Whether the client may read an attribute. All, where none are named; what is for developers only, never.
    pub(crate) fn reads(&self, attribute: &str) -> bool {
        !attribute.starts_with("dev:")
            && (self.read_attributes.is_empty()
                || attribute == "sub"
                || self.read_attributes.iter().any(|name| name == attribute))
    }

    /// Whether the client may write an attribute.
    pub(crate) fn writes(&self, attribute: &str) -> bool {
        !attribute.starts_with("dev:")
            && !matches!(attribute, "sub" | "email_verified" | "phone_number_verified")
            && (self.write_attributes.is_empty() || self.write_attributes.iter().any(|name| name == attribute))
    }

    /// Checks what a schema cannot say. `scopes` are those that the pool's resource servers define.
    pub(crate) fn check(&self, schema: &Schema, scopes: &[String]) -> Result<(), Fault> {
        let Validity { access, id, refresh } = self.validity();
        let short = 5 * MINUTE..=DAY;
        if !short.contains(&access) || !short.contains(&id) || !(HOUR..=3650 * DAY).contains(&refresh) {
            return Err(invalid("Invalid range for token validity."));
        }
        if self.read_attributes.iter().any(|name| schema.get(name).is_none()) {
            return Err(invalid("Invalid read attributes specified while creating a client"));
        }
        let writable = |name: &String| schema.get(name).is_some() && name != "sub" && !name.ends_with("_verified");
        if !self.write_attributes.iter().all(writable) {
            return Err(invalid("Invalid write attributes specified while creating a client"));
        }
        self.check_flows()?;
        self.check_redirects()?;
        self.check_oauth(scopes)
    }

    fn check_flows(&self) -> Result<(), Fault> {
        let flows = &self.explicit_auth_flows;
        if let Some(unknown) = flows.iter().find(|flow| !FLOWS.contains(&flow.as_str())) {
            return Err(invalid(format!(
                "1 validation error detected: Value '[{unknown}]' at 'explicitAuthFlows' failed to satisfy constraint: \
                 Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
                FLOWS.join(", ")
            )));
        }
        let (new, old): (Vec<&String>, Vec<&String>) = flows.iter().partition(|flow| flow.starts_with("ALLOW_"));
        match (new.first(), old.first()) {
            (Some(new), Some(old)) => Err(invalid(format!("ExplicitAuthFlows cannot hold both {new} and {old}."))),
            _ => Ok(()),
        }
    }

    fn check_redirects(&self) -> Result<(), Fault> {
        if let Some(wrong) = self.callback_urls.iter().find(|uri| !is_redirect(uri)) {
            return Err(invalid(format!(
                "{wrong} is no redirect URI: it must be absolute, without a fragment, and HTTP is for localhost only."
            )));
        }
        match self.default_redirect_uri.as_ref().filter(|uri| !self.callback_urls.contains(uri)) {
            Some(uri) => Err(invalid(format!("The default redirect URI {uri} must be one of the CallbackURLs."))),
            None => Ok(()),
        }
    }

    fn check_oauth(&self, scopes: &[String]) -> Result<(), Fault> {
        let flows = &self.allowed_o_auth_flows;
        let grants = |name: &str| flows.iter().any(|flow| flow == name);
        let refused = |message: &str| Err(Fault::new("InvalidOAuthFlowException", message));
        if self.allowed_o_auth_flows_user_pool_client && (flows.is_empty() || self.allowed_o_auth_scopes.is_empty()) {
            return refused(
                "AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth flows.",
            );
        }
        if grants("client_credentials") && (grants("code") || grants("implicit")) {
            return refused("client_credentials flow can not be selected along with code flow or implicit flow.");
        }
        if grants("client_credentials") && !self.generate_secret {
            return refused("client_credentials flow can not be selected if client does not have a client secret.");
        }
        let known = |scope: &&String| STANDARD_SCOPES.contains(&scope.as_str()) || scopes.contains(scope);
        let unknown: Vec<&str> =
            self.allowed_o_auth_scopes.iter().filter(|scope| !known(scope)).map(String::as_str).collect();
        if !unknown.is_empty() {
            let message = format!("Invalid scope requested: {}", unknown.join(", "));
            return Err(Fault::new("ScopeDoesNotExistException", message));
        }
        Ok(())
    }

    /// The first provider that the pool does not have.
    pub(crate) fn unknown_provider<T>(&self, known: &BTreeMap<String, T>) -> Option<&str> {
        let mut asked = self.supported_identity_providers.iter().map(String::as_str);
        asked.find(|provider| *provider != "COGNITO" && !known.contains_key(*provider))
    }

    /// Whether people may sign in with a provider, `COGNITO` for the pool's own users.
    pub(crate) fn supports(&self, provider: &str) -> bool {
        self.supported_identity_providers.iter().any(|known| known == provider)
    }
}

/// All that `ExplicitAuthFlows` may hold. The older ones, at the end, are not mixed with the others:
/// <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html>.
const FLOWS: [&str; 9] = [
    "ALLOW_USER_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ALLOW_CUSTOM_AUTH",
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
    "ADMIN_NO_SRP_AUTH",
    "CUSTOM_AUTH_FLOW_ONLY",
    "USER_PASSWORD_AUTH",
];

/// Whether people may be sent back there: the page of `CreateUserPoolClient` asks for an absolute URI without a fragment,
/// and for HTTPS in the place of HTTP, but on the user's own machine.
fn is_redirect(uri: &str) -> bool {
    let Ok(uri) = url::Url::parse(uri) else { return false };
    let is_own_machine = matches!(uri.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    uri.fragment().is_none() && (uri.scheme() != "http" || is_own_machine)
}

/// Whether a login looks like one of the attributes that serve as user names.
pub(crate) fn attribute_of(login: &str, candidates: &[String]) -> Option<&'static str> {
    let serves = |name: &str| candidates.iter().any(|candidate| candidate == name);
    if serves("email") && is_email(login) && !login.is_empty() {
        return Some("email");
    }
    let phone = login.starts_with('+') && super::attribute::is_phone(login);
    (serves("phone_number") && phone).then_some("phone_number")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client(value: Value) -> ClientSettings {
        serde_json::from_value(value).expect("a client's settings")
    }

    fn refusal(value: Value) -> String {
        let checked = client(value).check(&Schema::new(&[]), &["notes/read".to_owned()]);
        checked.map_or_else(|fault| fault.message, |()| String::new())
    }

    #[test]
    fn validities_have_units_and_bounds() {
        let units = json!({ "AccessToken": "minutes", "RefreshToken": "days" });
        let validity = client(json!({ "AccessTokenValidity": 10, "TokenValidityUnits": units })).validity();
        assert_eq!(validity, Validity { access: 600, id: 3600, refresh: 30 * DAY });
        assert_eq!(refusal(json!({ "AccessTokenValidity": 25 })), "Invalid range for token validity.");
        assert_eq!(refusal(json!({ "IdTokenValidity": i64::MAX })), "Invalid range for token validity.");
        assert_eq!(refusal(json!({ "RefreshTokenValidity": 1 })), "");
    }

    #[test]
    fn flows_that_are_not_named_are_closed() {
        let plain = client(json!({}));
        assert!(plain.allows(Flow::Srp) && plain.allows(Flow::Refresh) && !plain.allows(Flow::UserPassword));
        let named = client(json!({ "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"] }));
        assert!(named.allows(Flow::UserPassword) && !named.allows(Flow::Refresh) && !named.allows(Flow::Srp));
    }

    #[test]
    fn oauth_settings_must_make_sense() {
        let of = |flows: Value, scopes: Value| json!({ "AllowedOAuthFlows": flows, "AllowedOAuthScopes": scopes, "AllowedOAuthFlowsUserPoolClient": true });
        assert!(refusal(of(json!([]), json!([]))).contains("are required"));
        assert!(refusal(of(json!(["client_credentials"]), json!(["notes/read"]))).contains("client secret"));
        assert!(refusal(of(json!(["client_credentials", "code"]), json!(["notes/read"]))).contains("along with"));
        assert!(refusal(of(json!(["code"]), json!(["notes/write"]))).contains("notes/write"));
        assert_eq!(refusal(of(json!(["code"]), json!(["notes/read", "openid"]))), "");
    }

    #[test]
    fn people_are_sent_back_to_safe_places_only() {
        let of = |uri: &str| refusal(json!({ "CallbackURLs": [uri] }));
        for good in ["https://x.example/a?b=c", "http://localhost:3000", "http://127.0.0.1/cb", "myapp://example"] {
            assert_eq!(of(good), "", "{good}");
        }
        for bad in ["http://example.com", "foo", "https://x.example/#a", "http://localhost.example"] {
            assert!(of(bad).contains(bad), "{bad}");
        }
        let default = json!({ "CallbackURLs": ["https://a.example"], "DefaultRedirectURI": "https://b.example" });
        assert!(refusal(default).contains("https://b.example"));
    }

    #[test]
    fn ways_to_sign_in_are_known_and_of_one_kind() {
        let of = |flows: Value| refusal(json!({ "ExplicitAuthFlows": flows }));
        assert_eq!(of(json!(["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])), "");
        assert_eq!(of(json!(["ADMIN_NO_SRP_AUTH", "USER_PASSWORD_AUTH"])), "");
        assert!(of(json!(["NOPE"])).contains("NOPE"));
        assert!(of(json!(["ADMIN_NO_SRP_AUTH", "ALLOW_USER_SRP_AUTH"])).contains("ADMIN_NO_SRP_AUTH"));
    }

    #[test]
    fn what_is_fixed_stays() {
        let pool = |value: Value| serde_json::from_value::<PoolSettings>(value).expect("a pool's settings");
        let first =
            pool(json!({ "UserPoolName": "a", "UsernameAttributes": ["email"], "Schema": [{ "Name": "tenant" }] }));
        let renamed = PoolSettings { name: "b".to_owned(), ..first.clone() };
        assert_eq!(first.check_successor(&renamed), Ok(()));
        let other = PoolSettings { username_attributes: Vec::new(), ..first.clone() };
        assert!(first.check_successor(&other).is_err());
        let poorer = PoolSettings { schema: Vec::new(), ..first.clone() };
        let message = first.check_successor(&poorer).map_err(|fault| fault.message);
        assert_eq!(message, Err("Existing schema attributes cannot be modified or deleted.".to_owned()));
    }

    #[test]
    fn nonsense_is_refused() {
        let check = |value: Value| serde_json::from_value::<PoolSettings>(value).map(|pool| pool.check().is_ok()).ok();
        assert_eq!(check(json!({ "Policies": { "PasswordPolicy": { "MinimumLength": 5 } } })), Some(false));
        assert_eq!(check(json!({ "UsernameAttributes": ["email"], "AliasAttributes": ["email"] })), Some(false));
        assert_eq!(check(json!({ "MfaConfiguration": "ON" })), Some(false));
        assert_eq!(check(json!({ "MfaConfiguration": "ON", "EnabledMfas": ["SOFTWARE_TOKEN_MFA"] })), Some(true));
        assert_eq!(check(json!({ "Schema": [{ "Name": "email", "AttributeDataType": "Number" }] })), Some(false));
        assert_eq!(check(json!({ "Schema": [{ "Name": "tenant", "Required": true }] })), Some(false));
    }

    #[test]
    fn what_does_not_go_together_is_refused_as_cognito_words_it() {
        let refused = |value: Value| {
            let pool = serde_json::from_value::<PoolSettings>(value).expect("a pool's settings");
            pool.check().map_or_else(|fault| fault.message, |()| String::new())
        };
        let sms = json!({ "SnsCallerArn": "arn:aws:iam::000000000000:role/sms" });
        let phone = json!({ "RecoveryMechanisms": [{ "Name": "verified_phone_number", "Priority": 1 }] });
        let update = json!({ "AttributesRequireVerificationBeforeUpdate": ["email"] });
        let cases = [
            (json!({ "UserAttributeUpdateSettings": update }), "must exist in AutoVerifiedAttributes"),
            (json!({ "EmailConfiguration": { "From": "a@example.com" } }), "Cannot configure From email address"),
            (
                json!({ "MfaConfiguration": "OPTIONAL", "EnabledMfas": ["SOFTWARE_TOKEN_MFA"], "SmsConfiguration": sms }),
                "Can't turn off SMS_MFA",
            ),
            (
                json!({
                    "MfaConfiguration": "ON", "EnabledMfas": ["SMS_MFA"], "SmsConfiguration": sms,
                    "AccountRecoverySetting": phone,
                }),
                "cannot use verified_phone_number",
            ),
            (
                json!({ "UserPoolAddOns": { "AdvancedSecurityMode": "ENFORCED" } }),
                "need to be disabled for the ESSENTIALS pricing tier",
            ),
        ];
        for (pool, message) in cases {
            assert!(refused(pool.clone()).contains(message), "{pool}: {}", refused(pool.clone()));
        }
        let sound = json!({
            "AutoVerifiedAttributes": ["email"], "UserAttributeUpdateSettings": update, "UserPoolTier": "PLUS",
            "EmailConfiguration": { "From": "a@example.com", "SourceArn": "arn:aws:ses:us-east-1:000000000000:identity/a" },
            "MfaConfiguration": "ON", "EnabledMfas": ["SMS_MFA", "SOFTWARE_TOKEN_MFA"], "SmsConfiguration": sms,
            "UserPoolAddOns": { "AdvancedSecurityMode": "ENFORCED" },
        });
        assert_eq!(refused(sound), "");
    }
}
