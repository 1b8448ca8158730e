//! User pools and what belongs to them.

use std::collections::{BTreeMap, BTreeSet};

use derive_setters::Setters;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;
use super::ids::{self, Derived};
use super::lambda::Function;
use super::raw::DataRemoval;
use super::{Arn, Declared, Ref, Resource, Stack, Value, check, properties};

mod provider;

pub use provider::{Apple, Facebook, IdentityProvider, Oidc, Provider, RequestMethod, Saml, Social, Voucher};

/// A directory of users who can sign in, with its groups, domain and resource servers.
///
/// Synthesis derives `AdminCreateUserConfig` (`selfSignUp`, `inviteMessage`), `UsernameConfiguration`
/// (`signInCaseSensitive`), `Policies` (`passwordPolicy`), `AccountRecoverySetting` (`accountRecovery`), `Schema`
/// (`standardAttributes`, `customAttributes`), `UserAttributeUpdateSettings` (`verifyBeforeUpdate`),
/// `UserPoolAddOns` (`advancedSecurity`), `SmsConfiguration` with its role (`<Id>SmsRole`) where
/// [`UserPool::sends_sms`] and `sms` names none, deletion and replacement policies (`removal`), one Lambda permission
/// for each function of `lambdaConfig` (`<Id><Function>Permission`), and the resources of `groups`, `domain` and
/// `resourceServers`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct UserPool {
    /// Name shown in the console; CloudFormation makes one up when it is absent.
    #[garde(inner(custom(check::text("a user pool's name", 1, 128, is_display_name))))]
    pub user_pool_name: Option<Value>,
    /// Whether people may sign up by themselves; otherwise only an administrator creates users.
    #[serde(skip_serializing)]
    pub self_sign_up: bool,
    /// What users sign in with instead of a user name.
    pub username_attributes: Vec<UsernameAttribute>,
    /// What users may sign in with besides their user name.
    pub alias_attributes: Vec<AliasAttribute>,
    /// Whether `Alice` and `alice` are two users; they are one unless this says so, though Cognito's own default is two.
    #[serde(skip_serializing)]
    pub sign_in_case_sensitive: bool,
    /// What is verified with a code that the user receives.
    pub auto_verified_attributes: Vec<VerifiedAttribute>,
    /// Attributes whose old value stays until the new one is verified.
    #[serde(skip_serializing)]
    pub verify_before_update: Vec<VerifiedAttribute>,
    /// Rules every password must satisfy; Cognito's own (8 characters of all classes) when absent.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub password_policy: Option<PasswordPolicy>,
    /// How users who forgot their password get back in; Cognito decides when absent.
    #[serde(skip_serializing)]
    pub account_recovery: Option<AccountRecovery>,
    /// Whether a second factor is asked for.
    #[serde(rename(serialize = "MfaConfiguration"))]
    pub mfa: Mfa,
    /// The second factors on offer.
    #[serde(rename(serialize = "EnabledMfas"))]
    pub mfa_methods: Vec<MfaMethod>,
    /// Standard attributes that are required or cannot be changed, by name; fixed once the pool exists.
    #[serde(skip_serializing)]
    pub standard_attributes: BTreeMap<StandardAttribute, Standard>,
    /// Attributes of the pool's own, by name without `custom:`; can be added later but never removed.
    #[serde(skip_serializing)]
    #[garde(length(max = 50), dive)]
    #[schemars(extend("maxProperties" = 50))]
    pub custom_attributes: BTreeMap<String, CustomAttribute>,
    /// Functions that Cognito invokes; it is given the permission to.
    #[garde(dive)]
    pub lambda_config: Option<LambdaConfig>,
    /// How mail is sent; Cognito's own sender, for a few messages a day, when absent.
    #[serde(rename(serialize = "EmailConfiguration"))]
    #[garde(dive)]
    pub email: Option<Email>,
    /// How text messages are sent; the role is derived when none is named.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub sms: Option<Sms>,
    /// What a user who must verify an address or number receives.
    #[serde(rename(serialize = "VerificationMessageTemplate"))]
    #[garde(dive)]
    pub verification_message: Option<VerificationMessage>,
    /// What a user whom an administrator created receives.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub invite_message: Option<InviteMessage>,
    /// The text message with the second factor; contains `{####}`.
    #[garde(inner(custom(check::holds_code)))]
    pub sms_authentication_message: Option<String>,
    /// Whether and how devices are remembered.
    pub device_configuration: Option<DeviceConfiguration>,
    /// The feature plan, and its price.
    pub user_pool_tier: Option<Tier>,
    /// Threat protection; needs the `plus` tier.
    #[serde(skip_serializing)]
    pub advanced_security: Option<AdvancedSecurity>,
    /// Whether the pool refuses to be deleted.
    #[serde(serialize_with = "properties::active")]
    pub deletion_protection: bool,
    /// Tags on the pool.
    #[schemars(extend("maxProperties" = check::MOST_TAGS))]
    pub user_pool_tags: BTreeMap<String, String>,
    /// What happens to the pool, and to its users, when it leaves the stack.
    #[serde(skip_serializing)]
    pub removal: DataRemoval,
    /// Groups of users, by name.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub groups: BTreeMap<String, Group>,
    /// Where the sign-in pages are.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub domain: Option<Domain>,
    /// APIs with scopes of their own, by identifier: scope `read` of `notes` is asked for as `notes/read`.
    #[serde(skip_serializing)]
    #[garde(dive)]
    pub resource_servers: BTreeMap<String, ResourceServer>,
}

impl UserPool {
    /// Adds a group.
    pub fn group(mut self, name: impl Into<String>, group: Group) -> Self {
        self.groups.insert(name.into(), group);
        self
    }

    /// Adds a resource server.
    pub fn resource_server(mut self, identifier: impl Into<String>, server: ResourceServer) -> Self {
        self.resource_servers.insert(identifier.into(), server);
        self
    }

    /// Whether the pool ever sends a text message, for which Cognito needs a role.
    pub fn sends_sms(&self) -> bool {
        let verifies = self.auto_verified_attributes.contains(&VerifiedAttribute::PhoneNumber);
        let challenges = self.mfa_methods.contains(&MfaMethod::Sms);
        verifies || challenges || self.sms.is_some()
    }

    /// Whether the role for text messages is derived: the pool sends some, and names none.
    pub fn needs_sms_role(&self) -> bool {
        self.sends_sms() && self.sms.as_ref().is_none_or(|sms| sms.sns_caller_arn.is_none())
    }
}

impl Resource for UserPool {
    const TYPE: &'static str = "AWS::Cognito::UserPool";
    const NAME: &'static str = "user pool";
    const ATTRIBUTES: &'static [&'static str] = &["Arn", "ProviderName", "ProviderURL", "UserPoolId"];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.user_pools
    }

    fn derived(&self, id: &str) -> Vec<Derived> {
        let groups = self.groups.keys().map(|name| Derived::group(ids::group(id, name)));
        let servers = self.resource_servers.keys().map(|name| Derived::resource_server(ids::resource_server(id, name)));
        let domain = self.domain.iter().map(|_| Derived::user_pool_domain(ids::user_pool_domain(id)));
        let role = self.needs_sms_role().then(|| Derived::role(ids::sms_role(id)));
        let functions = self.lambda_config.iter().flat_map(LambdaConfig::functions);
        let permissions: BTreeSet<_> =
            functions.map(|function| ids::permission(id, &ids::pointed(function.target()))).collect();
        groups
            .chain(servers)
            .chain(domain)
            .chain(role)
            .chain(permissions.into_iter().map(Derived::permission))
            .collect()
    }
}

/// What users sign in with instead of a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "snake_case"))]
pub enum UsernameAttribute {
    /// The e-mail address.
    Email,
    /// The telephone number.
    PhoneNumber,
}

/// What users may sign in with besides their user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "snake_case"))]
pub enum AliasAttribute {
    /// The e-mail address.
    Email,
    /// The telephone number.
    PhoneNumber,
    /// A name of the user's choice that may change.
    PreferredUsername,
}

/// What can be verified with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "snake_case"))]
pub enum VerifiedAttribute {
    /// The e-mail address.
    Email,
    /// The telephone number.
    PhoneNumber,
}

/// Rules every password must satisfy; serialized as CloudFormation's `PasswordPolicy`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(strip_option)]
pub struct PasswordPolicy {
    /// Fewest characters a password may have.
    #[garde(range(min = 6, max = 99))]
    pub minimum_length: u8,
    /// Whether a small letter is required.
    #[serde(default)]
    pub require_lowercase: bool,
    /// Whether a capital letter is required.
    #[serde(default)]
    pub require_uppercase: bool,
    /// Whether a digit is required.
    #[serde(default)]
    pub require_numbers: bool,
    /// Whether a character that is neither letter nor digit is required.
    #[serde(default)]
    pub require_symbols: bool,
    /// How many earlier passwords are refused; needs the `essentials` tier.
    #[serde(default)]
    #[garde(range(max = 24))]
    pub password_history_size: Option<u8>,
    /// Days for which the password of a user whom an administrator created is good.
    #[serde(default)]
    #[garde(range(max = 365))]
    pub temporary_password_validity_days: Option<u16>,
}

impl PasswordPolicy {
    /// Asks for a length, and for no class of characters.
    pub fn new(minimum_length: u8) -> Self {
        Self {
            minimum_length,
            require_lowercase: false,
            require_uppercase: false,
            require_numbers: false,
            require_symbols: false,
            password_history_size: None,
            temporary_password_validity_days: None,
        }
    }
}

/// How users who forgot their password get back in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AccountRecovery {
    /// By mail.
    EmailOnly,
    /// By text message.
    PhoneOnly,
    /// By mail, else by text message.
    EmailThenPhone,
    /// By text message, else by mail.
    PhoneThenEmail,
    /// Only an administrator can help.
    AdminOnly,
}

impl AccountRecovery {
    /// The mechanisms as Cognito names them, the first choice first.
    pub fn mechanisms(self) -> &'static [&'static str] {
        match self {
            Self::EmailOnly => &["verified_email"],
            Self::PhoneOnly => &["verified_phone_number"],
            Self::EmailThenPhone => &["verified_email", "verified_phone_number"],
            Self::PhoneThenEmail => &["verified_phone_number", "verified_email"],
            Self::AdminOnly => &["admin_only"],
        }
    }
}

/// Whether a second factor is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "UPPERCASE"))]
pub enum Mfa {
    /// Never.
    #[default]
    Off,
    /// Of users who set one up.
    Optional,
    /// Of everyone.
    #[serde(rename(serialize = "ON"))]
    Required,
}

/// A second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MfaMethod {
    /// A code from an authenticator app.
    #[serde(rename(serialize = "SOFTWARE_TOKEN_MFA"))]
    SoftwareToken,
    /// A code by text message.
    #[serde(rename(serialize = "SMS_MFA"))]
    Sms,
    /// A code by mail; needs the `essentials` tier and a sender of your own.
    #[serde(rename(serialize = "EMAIL_OTP"))]
    Email,
}

/// An attribute that OpenID Connect knows; serialized under its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "snake_case"))]
#[expect(missing_docs, reason = "the names are those of OpenID Connect")]
pub enum StandardAttribute {
    Address,
    Birthdate,
    Email,
    FamilyName,
    Gender,
    GivenName,
    Locale,
    MiddleName,
    Name,
    Nickname,
    PhoneNumber,
    Picture,
    PreferredUsername,
    Profile,
    UpdatedAt,
    Website,
    Zoneinfo,
}

impl StandardAttribute {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Address,
        Self::Birthdate,
        Self::Email,
        Self::FamilyName,
        Self::Gender,
        Self::GivenName,
        Self::Locale,
        Self::MiddleName,
        Self::Name,
        Self::Nickname,
        Self::PhoneNumber,
        Self::Picture,
        Self::PreferredUsername,
        Self::Profile,
        Self::UpdatedAt,
        Self::Website,
        Self::Zoneinfo,
    ];

    /// Its name in OpenID Connect.
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Birthdate => "birthdate",
            Self::Email => "email",
            Self::FamilyName => "family_name",
            Self::Gender => "gender",
            Self::GivenName => "given_name",
            Self::Locale => "locale",
            Self::MiddleName => "middle_name",
            Self::Name => "name",
            Self::Nickname => "nickname",
            Self::PhoneNumber => "phone_number",
            Self::Picture => "picture",
            Self::PreferredUsername => "preferred_username",
            Self::Profile => "profile",
            Self::UpdatedAt => "updated_at",
            Self::Website => "website",
            Self::Zoneinfo => "zoneinfo",
        }
    }
}

/// What is asked of a standard attribute; serialized as a part of CloudFormation's `SchemaAttribute`.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
pub struct Standard {
    /// Whether nobody can sign up without it.
    pub required: bool,
    /// Whether it can be changed later.
    pub mutable: bool,
}

impl Default for Standard {
    fn default() -> Self {
        Self { required: true, mutable: true }
    }
}

/// An attribute of the pool's own.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[setters(strip_option)]
pub struct CustomAttribute {
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// Whether it can be changed later.
    pub mutable: bool,
    /// Fewest characters, of a string.
    #[garde(range(max = 2_048))]
    pub min_length: Option<u32>,
    /// Most characters, of a string.
    #[garde(range(max = 2_048))]
    pub max_length: Option<u32>,
    /// The smallest value, of a number.
    pub min_value: Option<i64>,
    /// The largest value, of a number.
    pub max_value: Option<i64>,
}

impl Default for CustomAttribute {
    fn default() -> Self {
        Self {
            kind: AttributeType::String,
            mutable: true,
            min_length: None,
            max_length: None,
            min_value: None,
            max_value: None,
        }
    }
}

/// The type of an attribute's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
pub enum AttributeType {
    /// A text.
    #[default]
    String,
    /// A whole number.
    Number,
    /// A point in time.
    DateTime,
    /// Yes or no.
    Boolean,
}

/// Functions that Cognito invokes; serialized as CloudFormation's `LambdaConfig`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct LambdaConfig {
    /// Before a user signs up: may refuse, confirm, verify.
    #[garde(dive)]
    pub pre_sign_up: Option<Arn<Function>>,
    /// After a user confirmed the account or set a new password.
    #[garde(dive)]
    pub post_confirmation: Option<Arn<Function>>,
    /// Before a user signs in: may refuse.
    #[garde(dive)]
    pub pre_authentication: Option<Arn<Function>>,
    /// After a user signed in.
    #[garde(dive)]
    pub post_authentication: Option<Arn<Function>>,
    /// Before tokens are made: may change the claims of ID tokens.
    #[garde(dive)]
    pub pre_token_generation: Option<Arn<Function>>,
    /// The same with a version, for access tokens as well.
    #[garde(dive)]
    pub pre_token_generation_config: Option<PreTokenGeneration>,
    /// Writes the messages that users receive.
    #[garde(dive)]
    pub custom_message: Option<Arn<Function>>,
    /// Decides which challenge comes next in a sign-in flow of your own.
    #[garde(dive)]
    pub define_auth_challenge: Option<Arn<Function>>,
    /// Makes the challenge.
    #[garde(dive)]
    pub create_auth_challenge: Option<Arn<Function>>,
    /// Checks the answer to the challenge.
    #[garde(dive)]
    pub verify_auth_challenge_response: Option<Arn<Function>>,
    /// Finds users in an older directory when they first sign in.
    #[garde(dive)]
    pub user_migration: Option<Arn<Function>>,
}

impl LambdaConfig {
    /// The functions that it names, with repetitions.
    pub fn functions(&self) -> impl Iterator<Item = &Arn<Function>> {
        let versioned = self.pre_token_generation_config.as_ref().map(|config| &config.lambda_arn);
        let plain = [
            &self.pre_sign_up,
            &self.post_confirmation,
            &self.pre_authentication,
            &self.post_authentication,
            &self.pre_token_generation,
            &self.custom_message,
            &self.define_auth_challenge,
            &self.create_auth_challenge,
            &self.verify_auth_challenge_response,
            &self.user_migration,
        ];
        plain.into_iter().flatten().chain(versioned)
    }
}

/// A function that changes claims, with the version of its event.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields)]
pub struct PreTokenGeneration {
    /// The function.
    #[serde(rename(deserialize = "function", serialize = "LambdaArn"))]
    #[garde(dive)]
    pub lambda_arn: Arn<Function>,
    /// The version of the event.
    #[serde(rename(deserialize = "version", serialize = "LambdaVersion"))]
    pub lambda_version: TriggerVersion,
}

/// The version of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TriggerVersion {
    /// Claims of ID tokens.
    #[serde(rename = "V1_0")]
    V1,
    /// Claims and scopes of access tokens as well.
    #[serde(rename = "V2_0")]
    V2,
    /// The same, and for machines that sign in.
    #[serde(rename = "V3_0")]
    V3,
}

/// How mail is sent; serialized as CloudFormation's `EmailConfiguration`.
///
/// Synthesis adds `EmailSendingAccount`: `DEVELOPER` where `sourceArn` is given, else `COGNITO_DEFAULT`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Email {
    /// The sender, such as `Notes <no-reply@example.com>`.
    pub from: Option<String>,
    /// Where replies go.
    pub reply_to_email_address: Option<String>,
    /// The ARN of the SES identity that sends.
    #[garde(dive)]
    pub source_arn: Option<Value>,
    /// The SES configuration set.
    pub configuration_set: Option<String>,
}

/// How text messages are sent; serialized as CloudFormation's `SmsConfiguration`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Sms {
    /// The ARN of the role that may publish to SNS; derived when absent.
    #[garde(dive)]
    pub sns_caller_arn: Option<Value>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// The region whose SNS sends.
    pub sns_region: Option<String>,
}

/// What a user who must verify an address or number receives; serialized as CloudFormation's `VerificationMessageTemplate`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct VerificationMessage {
    /// Whether mail holds a code or a link.
    pub default_email_option: EmailOption,
    /// The mail with the code; contains `{####}`.
    #[garde(inner(custom(check::holds_code)))]
    pub email_message: Option<String>,
    /// The subject of the mail with the code.
    #[garde(length(min = 1, max = 140))]
    pub email_subject: Option<String>,
    /// The mail with the link; contains `{##Text of the link##}`.
    #[garde(inner(custom(check::holds_link)))]
    pub email_message_by_link: Option<String>,
    /// The subject of the mail with the link.
    #[garde(length(min = 1, max = 140))]
    pub email_subject_by_link: Option<String>,
    /// The text message; contains `{####}`.
    #[garde(inner(custom(check::holds_code)))]
    pub sms_message: Option<String>,
}

/// Whether mail holds a code or a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EmailOption {
    /// A code to type.
    #[default]
    #[serde(rename(serialize = "CONFIRM_WITH_CODE"))]
    Code,
    /// A link to follow; needs a domain.
    #[serde(rename(serialize = "CONFIRM_WITH_LINK"))]
    Link,
}

/// What a user whom an administrator created receives; serialized as CloudFormation's `InviteMessageTemplate`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct InviteMessage {
    /// The mail; contains `{username}` and `{####}`.
    #[garde(inner(custom(check::holds_invitation)))]
    pub email_message: Option<String>,
    /// The subject of the mail.
    #[garde(length(min = 1, max = 140))]
    pub email_subject: Option<String>,
    /// The text message; contains `{username}` and `{####}`.
    #[serde(rename(serialize = "SMSMessage"))]
    #[garde(inner(custom(check::holds_invitation)))]
    pub sms_message: Option<String>,
}

/// Whether and how devices are remembered; serialized as CloudFormation has it.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
pub struct DeviceConfiguration {
    /// Whether a new device asks for the second factor again.
    pub challenge_required_on_new_device: bool,
    /// Whether a device is remembered only if the user says so.
    pub device_only_remembered_on_user_prompt: bool,
}

/// The feature plan of a pool, and its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "UPPERCASE"))]
pub enum Tier {
    /// Sign-in as it was of old.
    Lite,
    /// With passkeys, one-time passwords and claims in access tokens.
    Essentials,
    /// With threat protection.
    Plus,
}

/// Threat protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "UPPERCASE"))]
pub enum AdvancedSecurity {
    /// None.
    Off,
    /// Risks are logged.
    Audit,
    /// Risks are answered.
    Enforced,
}

/// A group of users; serialized as the properties of `AWS::Cognito::UserPoolGroup`, to which synthesis adds
/// `GroupName` and `UserPoolId`.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct Group {
    /// What the group is for.
    #[garde(length(max = 2_048))]
    pub description: Option<String>,
    /// Which group's role counts for a user of several; the lowest number wins.
    #[setters(into = false)]
    pub precedence: Option<u32>,
    /// The ARN of the role of its users.
    #[garde(dive)]
    pub role_arn: Option<Value>,
}

/// Where the sign-in pages of a pool are; becomes an `AWS::Cognito::UserPoolDomain`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Domain {
    /// `https://<prefix>.auth.<region>.amazoncognito.com`.
    Prefix(#[garde(custom(check::text("a domain prefix", 1, 63, is_domain_label)))] Value),
    /// A domain of your own.
    Custom(#[garde(dive)] CustomUserPoolDomain),
}

/// A sign-in domain of your own.
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CustomUserPoolDomain {
    /// The name of the domain.
    #[garde(dive)]
    pub name: Value,
    /// The ARN of its certificate, which must be in us-east-1.
    #[garde(dive)]
    pub certificate_arn: Value,
}

/// An API with scopes of its own; becomes an `AWS::Cognito::UserPoolResourceServer` under its identifier.
#[derive(Debug, Clone, Default, PartialEq, Setters, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[setters(into, strip_option)]
pub struct ResourceServer {
    /// The name shown in the console; the identifier when absent.
    #[garde(length(min = 1, max = 256))]
    pub name: Option<String>,
    /// What each scope allows, by the scope's name.
    #[schemars(extend("maxProperties" = 100))]
    pub scopes: BTreeMap<String, String>,
}

impl ResourceServer {
    /// Adds a scope and says what it allows.
    pub fn scope(mut self, name: impl Into<String>, description: impl Into<String>) -> Self {
        self.scopes.insert(name.into(), description.into());
        self
    }
}

/// An application that signs users in.
///
/// Synthesis derives `AllowedOAuthFlowsUserPoolClient` (whether `allowedOAuthFlows` has any), `TokenValidityUnits`
/// (`seconds` for each validity that is given, since they serialize as seconds) and `SupportedIdentityProviders` (the
/// names of `identityProviders`, which exist before the client does).
#[derive(Debug, Clone, PartialEq, Setters, Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[garde(context(Declared))]
#[serde(deny_unknown_fields, rename_all(deserialize = "camelCase", serialize = "PascalCase"))]
#[setters(into, strip_option)]
pub struct UserPoolClient {
    /// The pool whose users sign in.
    #[serde(rename(serialize = "UserPoolId"))]
    #[setters(skip)]
    #[garde(dive)]
    pub user_pool: Ref<UserPool>,
    /// Name shown in the console; CloudFormation makes one up when it is absent.
    #[serde(default)]
    #[garde(inner(custom(check::text("a client's name", 1, 128, is_display_name))))]
    pub client_name: Option<Value>,
    /// How users sign in through the API; tokens can always be refreshed.
    #[serde(default = "default_auth_flows")]
    #[serde(rename(serialize = "ExplicitAuthFlows"), serialize_with = "properties::with_refresh")]
    pub auth_flows: Vec<AuthFlow>,
    /// Whether the client has a secret, as one on a server should.
    #[serde(default)]
    pub generate_secret: bool,
    /// OAuth flows through the sign-in pages; none unless asked for.
    #[serde(default, rename(deserialize = "allowedOAuthFlows", serialize = "AllowedOAuthFlows"))]
    pub allowed_oauth_flows: Vec<OAuthFlow>,
    /// OAuth scopes that the client may ask for: standard ones, or `server/scope`.
    #[serde(default, rename(deserialize = "allowedOAuthScopes", serialize = "AllowedOAuthScopes"))]
    #[schemars(length(max = 50))]
    pub allowed_oauth_scopes: Vec<String>,
    /// Where users may be sent after they signed in.
    #[serde(default, rename(serialize = "CallbackURLs"))]
    #[schemars(length(max = 100))]
    #[garde(dive)]
    pub callback_urls: Vec<Value>,
    /// Where users may be sent after they signed out.
    #[serde(default, rename(serialize = "LogoutURLs"))]
    #[schemars(length(max = 100))]
    #[garde(dive)]
    pub logout_urls: Vec<Value>,
    /// The callback URL where a request names none.
    #[serde(default, rename(serialize = "DefaultRedirectURI"))]
    #[garde(dive)]
    pub default_redirect_uri: Option<Value>,
    /// Who may vouch for users: `COGNITO` is the pool itself, the others are identity providers of the stack.
    #[serde(default = "default_identity_providers", skip_serializing)]
    #[setters(skip)]
    pub identity_providers: Vec<Voucher>,
    /// How long access tokens are good: 5 minutes to 1 day, 1 hour when absent.
    #[serde(default)]
    pub access_token_validity: Option<Duration>,
    /// How long ID tokens are good: 5 minutes to 1 day, 1 hour when absent.
    #[serde(default)]
    pub id_token_validity: Option<Duration>,
    /// How long users stay signed in: 1 hour to 10 years, 30 days when absent.
    #[serde(default)]
    pub refresh_token_validity: Option<Duration>,
    /// Minutes in which a sign-in must be completed: 3 to 15.
    #[serde(default)]
    #[setters(into = false)]
    #[garde(range(min = 3, max = 15))]
    pub auth_session_validity: Option<u8>,
    /// Whether a wrong user name is answered as a wrong password is, so that nobody learns who has an account.
    #[serde(default = "yes", serialize_with = "properties::enabled_or_legacy")]
    pub prevent_user_existence_errors: bool,
    /// Whether refresh tokens can be revoked.
    #[serde(default = "yes")]
    pub enable_token_revocation: bool,
    /// Attributes that the client may read; all when empty.
    #[serde(default)]
    pub read_attributes: Vec<String>,
    /// Attributes that the client may write; all when empty.
    #[serde(default)]
    pub write_attributes: Vec<String>,
}

fn yes() -> bool {
    true
}

fn default_auth_flows() -> Vec<AuthFlow> {
    vec![AuthFlow::UserSrp]
}

fn default_identity_providers() -> Vec<Voucher> {
    vec![Voucher::cognito()]
}

impl UserPoolClient {
    /// A client of a pool: sign-in by SRP, no OAuth, no secret.
    pub fn new(user_pool: impl Into<Ref<UserPool>>) -> Self {
        Self {
            user_pool: user_pool.into(),
            client_name: None,
            auth_flows: default_auth_flows(),
            generate_secret: false,
            allowed_oauth_flows: Vec::new(),
            allowed_oauth_scopes: Vec::new(),
            callback_urls: Vec::new(),
            logout_urls: Vec::new(),
            default_redirect_uri: None,
            identity_providers: default_identity_providers(),
            access_token_validity: None,
            id_token_validity: None,
            refresh_token_validity: None,
            auth_session_validity: None,
            prevent_user_existence_errors: true,
            enable_token_revocation: true,
            read_attributes: Vec::new(),
            write_attributes: Vec::new(),
        }
    }

    /// Chooses who may vouch for users: the pool itself and nobody else unless this says otherwise.
    pub fn identity_providers<P: Into<Voucher>>(mut self, providers: impl IntoIterator<Item = P>) -> Self {
        self.identity_providers = providers.into_iter().map(Into::into).collect();
        self
    }
}

impl Resource for UserPoolClient {
    const TYPE: &'static str = "AWS::Cognito::UserPoolClient";
    const NAME: &'static str = "user pool client";
    const ATTRIBUTES: &'static [&'static str] = &["ClientId", "ClientSecret", "Name"];

    fn section(stack: &mut Stack) -> &mut BTreeMap<String, Self> {
        &mut stack.user_pool_clients
    }

    fn derived(&self, _: &str) -> Vec<Derived> {
        Vec::new()
    }
}

/// How users sign in through the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthFlow {
    /// With a password that is proved but never sent.
    #[serde(rename(serialize = "ALLOW_USER_SRP_AUTH"))]
    UserSrp,
    /// With a password that is sent.
    #[serde(rename(serialize = "ALLOW_USER_PASSWORD_AUTH"))]
    UserPassword,
    /// With a password that a server sends with its own credentials.
    #[serde(rename(serialize = "ALLOW_ADMIN_USER_PASSWORD_AUTH"))]
    AdminUserPassword,
    /// With challenges that functions make.
    #[serde(rename(serialize = "ALLOW_CUSTOM_AUTH"))]
    Custom,
    /// With whatever factor the user chooses.
    #[serde(rename(serialize = "ALLOW_USER_AUTH"))]
    UserAuth,
}

/// An OAuth flow through the sign-in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase", serialize = "snake_case"))]
pub enum OAuthFlow {
    /// A code that the application exchanges for tokens; the one to use.
    Code,
    /// Tokens in the address of the page; no longer advised.
    Implicit,
    /// A machine signs in with its own secret.
    ClientCredentials,
}

fn is_display_name(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_+=,.@-".contains(c)
}

fn is_domain_label(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}
