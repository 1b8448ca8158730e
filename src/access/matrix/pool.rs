//! User pools: who can get a token at all.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::Setting;
use super::api::not;
use super::guard::DecidingFunction;
use super::resolve::spelled;
use super::resources::{Resource, Resources, digest, flag, member, names_only, number, texts, written};

/// A user pool.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pool {
    /// Whether people can make an account for themselves.
    pub self_sign_up: Setting<bool>,
    /// `OFF`, `OPTIONAL` or `ON`.
    pub mfa: String,
    /// The factors that count as a second one, and those that can be the first.
    pub factors: BTreeSet<String>,
    /// Fewest characters of a password.
    pub password_length: Setting<f64>,
    /// Kinds of characters that a password must have.
    pub password_classes: BTreeSet<String>,
    /// Passwords that may not be used again.
    pub password_history: Setting<f64>,
    /// Days for which a password that an administrator has set is good.
    pub temporary_password_days: Setting<f64>,
    /// By what a forgotten password is replaced.
    pub recovery: BTreeSet<String>,
    /// Attributes that are confirmed by a code, and those that may stand for the name.
    pub verified: BTreeSet<String>,
    /// Attributes that keep their old value until the new one is confirmed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub verified_before: BTreeSet<String>,
    /// What is done about attacks: `OFF`, `AUDIT` or `ENFORCED`.
    pub protection: String,
    /// Functions that decide or change what happens at sign-up and sign-in, by trigger.
    pub triggers: BTreeMap<String, String>,
    /// What those functions are called with and what stands in their environments, by trigger.
    #[serde(skip)]
    pub trigger_settings: BTreeMap<String, Digests>,
    /// Identity providers whose users are let in: the name, and a digest of their settings, which is not written.
    #[serde(serialize_with = "names_only")]
    pub providers: BTreeMap<String, String>,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Digests of what groups give to those who are in them, by name.
    #[serde(skip)]
    pub group_settings: BTreeMap<String, String>,
    /// Scopes of its resource servers.
    pub scopes: BTreeSet<String>,
    /// Its app clients by logical id.
    pub clients: BTreeMap<String, Client>,
    /// Digests of the other properties that may say who gets a token, by name.
    #[serde(skip)]
    pub others: BTreeMap<String, String>,
}

/// What is known of a trigger beside its function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests {
    /// How it is called, and what stands in its environment.
    pub settings: String,
    /// Which code it runs.
    pub code: Option<String>,
}

/// An app client of a user pool.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Ways to sign in by the API, such as `ALLOW_USER_SRP_AUTH`.
    pub auth_flows: BTreeSet<String>,
    /// Ways to sign in by pages, such as `code`; none where they are turned off.
    pub oauth_flows: BTreeSet<String>,
    /// Scopes that it may ask for by those.
    pub scopes: BTreeSet<String>,
    /// Addresses that get codes and tokens.
    pub callbacks: BTreeSet<String>,
    /// Identity providers that it lets in.
    pub providers: BTreeSet<String>,
    /// Whether it has a secret.
    pub secret: Setting<bool>,
    /// Whether tokens can be revoked.
    pub revocation: Setting<bool>,
    /// Whether it is hidden who is a user.
    pub hides_users: Setting<bool>,
    /// Seconds for which tokens are good, by kind: `access`, `id` and `refresh`.
    pub lifetimes: BTreeMap<String, Setting<f64>>,
    /// Attributes that its users may change; the standard ones where none is named.
    pub writable: BTreeSet<String>,
    /// Digests of the other properties that may say who gets a token, by name.
    #[serde(skip)]
    pub others: BTreeMap<String, String>,
}

/// Properties of a pool that are read, and those that say nothing about who gets a token: names, messages, and the
/// attributes that there are. Which of those a client may write is told of the client. What stands for a user's name
/// cannot change without another pool in the place of this one, which the rule `user-pool-changed` refuses.
const POOL: &[&str] = &[
    "AccountRecoverySetting",
    "AdminCreateUserConfig",
    "AliasAttributes",
    "AutoVerifiedAttributes",
    "DeletionProtection",
    "EmailAuthenticationMessage",
    "EmailAuthenticationSubject",
    "EmailConfiguration",
    "EmailVerificationMessage",
    "EmailVerificationSubject",
    "EnabledMfas",
    "LambdaConfig",
    "MfaConfiguration",
    "Policies",
    "Schema",
    "SmsAuthenticationMessage",
    "SmsConfiguration",
    "SmsVerificationMessage",
    "UserAttributeUpdateSettings",
    "UserPoolAddOns",
    "UserPoolName",
    "UserPoolTags",
    "UserPoolTier",
    "UsernameAttributes",
    "UsernameConfiguration",
    "VerificationMessageTemplate",
];

/// The same of a client.
const CLIENT: &[&str] = &[
    "AccessTokenValidity",
    "AllowedOAuthFlows",
    "AllowedOAuthFlowsUserPoolClient",
    "AllowedOAuthScopes",
    "AnalyticsConfiguration",
    "CallbackURLs",
    "ClientName",
    "DefaultRedirectURI",
    "EnableTokenRevocation",
    "ExplicitAuthFlows",
    "GenerateSecret",
    "IdTokenValidity",
    "LogoutURLs",
    "PreventUserExistenceErrors",
    "RefreshTokenValidity",
    "SupportedIdentityProviders",
    "TokenValidityUnits",
    "UserPoolId",
    "WriteAttributes",
];

/// Properties of a group that give nothing to those who are in it.
const GROUP: &[&str] = &["Description", "GroupName", "UserPoolId"];

/// The user pools by logical id. Clients of a pool of elsewhere make an entry for it.
pub(super) fn pools(resources: &Resources) -> BTreeMap<String, Pool> {
    let all = resources.of_type("AWS::Cognito::UserPool");
    let mut pools: BTreeMap<String, Pool> = all.map(|(id, pool)| (id.to_owned(), read(resources, pool))).collect();
    for (id, client) in resources.of_type("AWS::Cognito::UserPoolClient") {
        let pool = pools.entry(client.owner(OWNER)).or_insert_with(foreign);
        pool.clients.insert(id.to_owned(), read_client(client));
    }
    for (id, group) in resources.of_type("AWS::Cognito::UserPoolGroup") {
        if let Some(pool) = pools.get_mut(&group.owner(OWNER)) {
            group.note();
            let name = group.text("GroupName").unwrap_or_else(|| id.to_owned());
            let settings = pool.group_settings.entry(name.clone()).or_default();
            settings.push_str(&digest(&format!("{:?}", group.others(GROUP))));
            pool.groups.insert(name);
        }
    }
    for (id, provider) in resources.of_type("AWS::Cognito::UserPoolIdentityProvider") {
        let name = provider.text("ProviderName").unwrap_or_else(|| id.to_owned());
        // A second one of the same name, which only conditions can tell apart, is left unread.
        if let Some(pool) = pools.get_mut(&provider.owner(OWNER))
            && !pool.providers.contains_key(&name)
        {
            provider.note();
            let settings = ["ProviderType", "ProviderDetails", "AttributeMapping", "IdpIdentifiers"];
            let settings = settings.map(|name| spelled(provider.get(name)));
            pool.providers.insert(name, digest(&settings.join(" ")));
        }
    }
    for (_, server) in resources.of_type("AWS::Cognito::UserPoolResourceServer") {
        if let Some(pool) = pools.get_mut(&server.owner(OWNER)) {
            server.note();
            let identifier = server.text("Identifier").unwrap_or_default();
            let scopes = server.get("Scopes").as_array().into_iter().flatten();
            let names = scopes.filter_map(|scope| scope.get("ScopeName").and_then(written));
            pool.scopes.extend(names.map(|name| format!("{identifier}/{name}")));
        }
    }
    pools
}

/// The property that says which pool a part belongs to.
const OWNER: &str = "UserPoolId";

/// A pool that stands in another template: what can be known is known there.
fn foreign() -> Pool {
    let unknown = || "elsewhere".to_owned();
    Pool {
        self_sign_up: Setting::Unknown { unknown: unknown() },
        mfa: unknown(),
        factors: BTreeSet::new(),
        password_length: Setting::Unknown { unknown: unknown() },
        password_classes: BTreeSet::new(),
        password_history: Setting::Unknown { unknown: unknown() },
        temporary_password_days: Setting::Unknown { unknown: unknown() },
        recovery: BTreeSet::new(),
        verified: BTreeSet::new(),
        verified_before: BTreeSet::new(),
        protection: unknown(),
        triggers: BTreeMap::new(),
        trigger_settings: BTreeMap::new(),
        providers: BTreeMap::new(),
        groups: BTreeSet::new(),
        group_settings: BTreeMap::new(),
        scopes: BTreeSet::new(),
        clients: BTreeMap::new(),
        others: BTreeMap::new(),
    }
}

fn read(resources: &Resources, pool: &Resource) -> Pool {
    pool.note();
    let password = |name: &str| member(pool.part("/Policies/PasswordPolicy"), name);
    let class = |(property, class): (&str, &str)| is_on(password(property)).then(|| class.to_owned());
    let classes = [
        ("RequireLowercase", "lowercase"),
        ("RequireNumbers", "numbers"),
        ("RequireSymbols", "symbols"),
        ("RequireUppercase", "uppercase"),
    ];
    let said = |value: &Value, default: f64| number(value).unwrap_or(Setting::Known(default));
    let add_ons = written(pool.part("/UserPoolAddOns/AdvancedSecurityMode"));
    Pool {
        self_sign_up: not(flag(pool.part("/AdminCreateUserConfig/AllowAdminCreateUserOnly"), false)),
        mfa: pool.text("MfaConfiguration").unwrap_or_else(|| "OFF".to_owned()),
        factors: texts(pool.get("EnabledMfas"))
            .into_iter()
            .chain(texts(pool.part("/Policies/SignInPolicy/AllowedFirstAuthFactors")))
            .collect(),
        // Where a template says nothing of the policy, a password has eight characters of all kinds.
        password_length: said(password("MinimumLength"), 8.0),
        password_classes: if pool.part("/Policies/PasswordPolicy").is_null() {
            classes.iter().map(|(_, class)| (*class).to_owned()).collect()
        } else {
            classes.into_iter().filter_map(class).collect()
        },
        password_history: said(password("PasswordHistorySize"), 0.0),
        temporary_password_days: said(password("TemporaryPasswordValidityDays"), 7.0),
        recovery: recovery(pool.part("/AccountRecoverySetting/RecoveryMechanisms")),
        verified: texts(pool.get("AutoVerifiedAttributes")),
        verified_before: texts(pool.part("/UserAttributeUpdateSettings/AttributesRequireVerificationBeforeUpdate")),
        protection: add_ons.unwrap_or_else(|| "OFF".to_owned()),
        triggers: triggers(resources, pool.get("LambdaConfig")),
        trigger_settings: trigger_settings(resources, pool.get("LambdaConfig")),
        providers: BTreeMap::new(),
        groups: BTreeSet::new(),
        group_settings: BTreeMap::new(),
        scopes: BTreeSet::new(),
        clients: BTreeMap::new(),
        others: pool_others(pool),
    }
}

/// Digests of what is not read of a pool.
fn pool_others(pool: &Resource) -> BTreeMap<String, String> {
    let mut others = pool.others(POOL);
    let parts =
        [("UserPoolAddOns", "AdvancedSecurityAdditionalFlows"), ("AdminCreateUserConfig", "UnusedAccountValidityDays")];
    for (whole, part) in parts {
        let said = member(pool.get(whole), part);
        if !said.is_null() {
            others.insert(part.to_owned(), digest(&spelled(said)));
        }
    }
    others
}

/// Whether something is surely on.
fn is_on(value: &Value) -> bool {
    flag(value, false) == Setting::Known(true)
}

/// By what a forgotten password is replaced: by a code to a telephone or else by mail where nothing is said.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-cognito-userpool-accountrecoverysetting.html>
fn recovery(list: &Value) -> BTreeSet<String> {
    match list {
        Value::Null => ["verified_email", "verified_phone_number"].map(str::to_owned).into(),
        Value::Array(items) => items.iter().filter_map(|item| written(item.get("Name").unwrap_or(item))).collect(),
        other => texts(other),
    }
}

fn triggers(resources: &Resources, config: &Value) -> BTreeMap<String, String> {
    let Value::Object(members) = config else {
        return written(config).map(|expression| ("LambdaConfig".to_owned(), expression)).into_iter().collect();
    };
    let calls = members.iter().filter(|(_, value)| !value.is_null());
    calls.map(|(name, value)| (name.clone(), resources.function(&arn(value)))).collect()
}

/// The function that a trigger names, by itself or beside the version of its event.
fn arn(value: &Value) -> String {
    written(value.get("LambdaArn").unwrap_or(value)).unwrap_or_default()
}

fn trigger_settings(resources: &Resources, config: &Value) -> BTreeMap<String, Digests> {
    let calls = config.as_object().into_iter().flatten();
    calls.map(|(name, value)| (name.clone(), settings_of(resources, value))).collect()
}

fn settings_of(resources: &Resources, value: &Value) -> Digests {
    let (function, qualifier) = resources.qualified(&arn(value));
    let decider = DecidingFunction::of(resources, &function, qualifier.as_deref());
    let version = value.get("LambdaVersion").map(spelled);
    let said = [version, decider.any_of.clone(), Some(decider.environment())];
    Digests { settings: said.into_iter().flatten().collect::<Vec<_>>().join(" "), code: decider.code }
}

fn read_client(client: &Resource) -> Client {
    client.note();
    let oauth = flag(client.get("AllowedOAuthFlowsUserPoolClient"), false) != Setting::Known(false);
    Client {
        auth_flows: match texts(client.get("ExplicitAuthFlows")) {
            none if none.is_empty() => DEFAULT_FLOWS.iter().map(|flow| (*flow).to_owned()).collect(),
            flows => flows,
        },
        oauth_flows: if oauth { texts(client.get("AllowedOAuthFlows")) } else { BTreeSet::new() },
        scopes: if oauth { texts(client.get("AllowedOAuthScopes")) } else { BTreeSet::new() },
        callbacks: if oauth { texts(client.get("CallbackURLs")) } else { BTreeSet::new() },
        providers: texts(client.get("SupportedIdentityProviders")),
        secret: flag(client.get("GenerateSecret"), false),
        revocation: flag(client.get("EnableTokenRevocation"), true),
        hides_users: hides_users(client.text("PreventUserExistenceErrors")),
        lifetimes: lifetimes(client),
        writable: texts(client.get("WriteAttributes")),
        others: client.others(CLIENT),
    }
}

fn hides_users(said: Option<String>) -> Setting<bool> {
    match said.as_deref() {
        None | Some("LEGACY") => Setting::Known(false),
        Some("ENABLED") => Setting::Known(true),
        Some(unknown) => Setting::Unknown { unknown: unknown.to_owned() },
    }
}

/// Ways to sign in of a client that names none.
/// <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html>
const DEFAULT_FLOWS: &[&str] = &["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"];

/// How long tokens are good. Access and ID tokens count in hours and refresh tokens in days where nothing is said.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cognito-userpoolclient.html>
fn lifetimes(client: &Resource) -> BTreeMap<String, Setting<f64>> {
    let kinds = [
        ("access", "AccessToken", "hours", 1.0),
        ("id", "IdToken", "hours", 1.0),
        ("refresh", "RefreshToken", "days", 30.0),
    ];
    let lifetime = |(kind, property, unit, default): (&str, &str, &str, f64)| {
        let value = number(client.get(&format!("{property}Validity"))).unwrap_or(Setting::Known(default));
        let named = written(client.part(&format!("/TokenValidityUnits/{property}")));
        let unit = named.unwrap_or_else(|| unit.to_owned());
        let seconds = match (value, unit.as_str()) {
            // None, and nothing that is said, mean the same.
            (Setting::Known(0.0), _) if kind == "refresh" => Setting::Known(30.0 * 86_400.0),
            (Setting::Known(count), "seconds") => Setting::Known(count),
            (Setting::Known(count), "minutes") => Setting::Known(count * 60.0),
            (Setting::Known(count), "hours") => Setting::Known(count * 3_600.0),
            (Setting::Known(count), "days") => Setting::Known(count * 86_400.0),
            (Setting::Known(count), unit) => Setting::Unknown { unknown: format!("{count} {unit}") },
            (Setting::Unknown { unknown }, unit) => Setting::Unknown { unknown: format!("{unknown} {unit}") },
        };
        (kind.to_owned(), seconds)
    };
    kinds.into_iter().map(lifetime).collect()
}
