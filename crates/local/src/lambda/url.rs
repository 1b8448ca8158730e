//! Function URLs: addresses of their own that functions may have, beside every API.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html>.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Function, Functions, LATEST, Target, fault, invalid, not_found};
use crate::cloud::Account;
use crate::wire::Fault;

/// What precedes the id of a function URL in the path of the cloud's own URL.
pub(crate) const PATH: &str = "/_aws/lambda-url/";

/// The methods that pages of other origins may be let use.
const METHODS: [&str; 7] = ["GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"];

/// The longest that a browser may be told to remember what it was told, in seconds.
const LONGEST_AGE: i64 = 86_400;

/// The address of a function, or of one of its aliases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionUrl {
    /// Its id, thirty-two letters and digits.
    pub id: String,
    /// What may be changed of it.
    #[serde(flatten)]
    pub settings: UrlSettings,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it was changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub modified: OffsetDateTime,
}

/// What may be changed of a function URL.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UrlSettings {
    /// `NONE`, or `AWS_IAM` for callers who sign.
    pub auth_type: String,
    /// What pages of other origins may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<UrlCors>,
    /// `BUFFERED`: streams are not offered.
    pub invoke_mode: String,
}

/// What pages of other origins may do at a function URL.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UrlCors {
    /// Whether they may send cookies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    /// Headers that they may send.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_headers: Vec<String>,
    /// Methods that they may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_methods: Vec<String>,
    /// The origins; `*` is every one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_origins: Vec<String>,
    /// Headers of answers that they may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose_headers: Vec<String>,
    /// How many seconds a browser may remember all this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
}

impl UrlSettings {
    /// Reads the members of a request, or the properties of a resource.
    ///
    /// # Errors
    /// Whatever Lambda refuses, and streams, which this cloud does not offer.
    fn read(members: &Map<String, Value>) -> Result<Self, Fault> {
        let mut settings: Self = serde_json::from_value(Value::Object(members.clone()))
            .map_err(|error| Fault::new("SerializationException", error.to_string()))?;
        if settings.invoke_mode.is_empty() {
            "BUFFERED".clone_into(&mut settings.invoke_mode);
        }
        match settings.invoke_mode.as_str() {
            "BUFFERED" => {}
            "RESPONSE_STREAM" => {
                return Err(invalid("the local cloud streams no answers; InvokeMode BUFFERED is offered"));
            }
            other => return Err(unknown(other, "invokeMode", "[RESPONSE_STREAM, BUFFERED]")),
        }
        settings.cors = settings.cors.filter(|cors| *cors != UrlCors::default());
        settings.cors.iter().try_for_each(UrlCors::check)?;
        match settings.auth_type.as_str() {
            "NONE" | "AWS_IAM" => Ok(settings),
            other => Err(unknown(other, "authType", "[NONE, AWS_IAM]")),
        }
    }
}

impl UrlCors {
    /// Holds it against the limits of <https://docs.aws.amazon.com/lambda/latest/api/API_Cors.html>.
    fn check(&self) -> Result<(), Fault> {
        for (member, values, most, lengths) in [
            ("cors.allowHeaders", &self.allow_headers, 100, 0..=1_024),
            ("cors.allowMethods", &self.allow_methods, 6, 0..=6),
            ("cors.allowOrigins", &self.allow_origins, 100, 1..=253),
            ("cors.exposeHeaders", &self.expose_headers, 100, 0..=1_024),
        ] {
            check_list(member, values, most, &lengths)?;
        }
        if let Some(method) = self.allow_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return Err(unknown(method, "cors.allowMethods", &format!("[{}]", METHODS.join(", "))));
        }
        match self.max_age {
            Some(age) if age < 0 => Err(unmet(age, "cors.maxAge", "Member must have value greater than or equal to 0")),
            Some(age) if age > LONGEST_AGE => {
                let limit = format!("Member must have value less than or equal to {LONGEST_AGE}");
                Err(unmet(age, "cors.maxAge", &limit))
            }
            _ => Ok(()),
        }
    }
}

fn check_list(member: &str, values: &[String], most: usize, lengths: &RangeInclusive<usize>) -> Result<(), Fault> {
    let told = format!("[{}]", values.join(", "));
    if values.len() > most {
        return Err(unmet(told, member, &format!("Member must have length less than or equal to {most}")));
    }
    if values.iter().all(|value| lengths.contains(&value.chars().count())) {
        return Ok(());
    }
    let (least, longest) = (lengths.start(), lengths.end());
    let limits = format!(
        "Member must satisfy constraint: [Member must have length less than or equal to {longest}, Member must have length \
         greater than or equal to {least}]"
    );
    Err(unmet(told, member, &limits))
}

fn unknown(value: &str, member: &str, values: &str) -> Fault {
    unmet(value, member, &format!("Member must satisfy enum value set: {values}"))
}

fn unmet(value: impl Display, member: &str, constraint: &str) -> Fault {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    );
    Fault::new("ValidationException", message)
}

/// A function URL that a request is for.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The function, or the alias.
    pub(crate) target: Target,
    /// Its address.
    pub(crate) url: FunctionUrl,
}

impl Functions {
    /// The function behind the id of a URL.
    pub(crate) fn behind(&self, id: &str) -> Option<Found> {
        self.0.iter().find_map(|(name, function)| {
            let (qualifier, url) = function.urls.iter().find(|(_, url)| url.id == id)?;
            let qualifier = Some(qualifier.clone()).filter(|qualifier| qualifier != LATEST);
            Some(Found { target: Target { name: name.clone(), qualifier }, url: url.clone() })
        })
    }
}

/// Where a function answers: below the cloud's own URL, since names under `localhost` do not resolve everywhere.
pub(super) fn address(cloud: &str, url: &FunctionUrl) -> String {
    format!("{cloud}{PATH}{}/", url.id)
}

/// What the URL of a target is kept under.
fn key(target: &Target) -> &str {
    target.qualifier.as_deref().unwrap_or(LATEST)
}

/// Gives a function, or an alias of it, a URL.
///
/// # Errors
/// When there is one already, the target is a version or missing, or the settings are refused.
pub(super) fn create(
    account: &mut Account,
    target: &Target,
    members: &Map<String, Value>,
    now: OffsetDateTime,
) -> Result<FunctionUrl, Fault> {
    let settings = UrlSettings::read(members)?;
    let (missing, arn) = (target.missing(account), target.arn(account));
    let function = account.lambda.0.get_mut(&target.name).ok_or_else(|| missing.clone())?;
    match &target.qualifier {
        Some(name) if name == LATEST || function.version(name).is_some() => {
            return Err(unknown(name, "qualifier", "an alias: versions have no URL"));
        }
        Some(name) if !function.aliases.contains_key(name) => return Err(missing),
        _ => {}
    }
    if function.urls.contains_key(key(target)) {
        let message = format!(
            "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig exists for \
             this Lambda function"
        );
        return Err(fault(http::StatusCode::CONFLICT, "ResourceConflictException", message));
    }
    let url = FunctionUrl { id: Uuid::new_v4().simple().to_string(), settings, created: now, modified: now };
    function.urls.insert(key(target).to_owned(), url.clone());
    Ok(url)
}

/// Changes the members that are given; an empty `Cors` takes it away.
///
/// # Errors
/// When there is no URL, or the settings are refused.
pub(super) fn update(
    account: &mut Account,
    target: &Target,
    members: &Map<String, Value>,
    now: OffsetDateTime,
) -> Result<FunctionUrl, Fault> {
    let mut merged = match serde_json::to_value(&of(account, target)?.settings) {
        Ok(Value::Object(merged)) => merged,
        _ => Map::new(),
    };
    merged.extend(members.clone());
    replace(account, target, &merged, now)
}

/// Puts other settings in the place of all of them.
///
/// # Errors
/// As [`update`].
pub(super) fn replace(
    account: &mut Account,
    target: &Target,
    members: &Map<String, Value>,
    now: OffsetDateTime,
) -> Result<FunctionUrl, Fault> {
    let settings = UrlSettings::read(members)?;
    let url = FunctionUrl { settings, modified: now, ..of(account, target)?.clone() };
    if let Some(function) = account.lambda.0.get_mut(&target.name) {
        function.urls.insert(key(target).to_owned(), url.clone());
    }
    Ok(url)
}

/// Takes a URL away.
///
/// # Errors
/// When there is none.
pub(super) fn delete(account: &mut Account, target: &Target) -> Result<(), Fault> {
    of(account, target)?;
    if let Some(function) = account.lambda.0.get_mut(&target.name) {
        function.urls.remove(key(target));
    }
    Ok(())
}

/// The URL of a function, or of an alias.
///
/// # Errors
/// `ResourceNotFoundException`.
pub(super) fn of<'a>(account: &'a Account, target: &Target) -> Result<&'a FunctionUrl, Fault> {
    let function: &Function = Functions::function(account, target)?;
    function.urls.get(key(target)).ok_or_else(|| not_found("The resource you requested does not exist."))
}

/// A URL as every operation that tells it does.
pub(super) fn document(account: &Account, cloud: &str, target: &Target, url: &FunctionUrl) -> Value {
    let mut document = json!({
        "FunctionUrl": address(cloud, url),
        "FunctionArn": target.arn(account),
        "AuthType": url.settings.auth_type,
        "InvokeMode": url.settings.invoke_mode,
        "CreationTime": super::api::last_modified(url.created),
        "LastModifiedTime": super::api::last_modified(url.modified),
    });
    if let Some(cors) = &url.settings.cors {
        document["Cors"] = json!(cors);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::testing;

    fn members(text: Value) -> Map<String, Value> {
        text.as_object().expect("an object").clone()
    }

    #[test]
    fn a_function_has_one_address_until_it_is_taken_away() {
        let deployed = testing::deployed(&json!({}));
        deployed.cloud.write(one_address).expect("nothing is refused");
    }

    fn one_address(account: &mut Account) -> Result<(), Fault> {
        let target = Target::parse(account, "f")?;
        let none = members(json!({ "AuthType": "NONE", "Cors": { "AllowOrigins": ["*"] } }));
        let now = OffsetDateTime::UNIX_EPOCH;
        let url = create(account, &target, &none, now)?;
        assert_eq!(create(account, &target, &none, now).expect_err("it is taken").code, "ResourceConflictException");
        assert_eq!(account.lambda.behind(&url.id).expect("it leads there").target, target);
        let signed = members(json!({ "AuthType": "AWS_IAM", "Cors": {} }));
        let changed = update(account, &target, &signed, now)?;
        assert_eq!((changed.id, changed.settings.auth_type.as_str()), (url.id.clone(), "AWS_IAM"));
        assert_eq!(changed.settings.cors, None);
        delete(account, &target)?;
        assert!(account.lambda.behind(&url.id).is_none());
        assert_eq!(create(account, &target, &signed, now)?.settings.cors, None, "an empty one is none");
        delete(account, &target)?;
        assert_eq!(delete(account, &target).expect_err("it is gone").code, "ResourceNotFoundException");
        Ok(())
    }

    fn with_cors(cors: Value) -> Value {
        json!({ "AuthType": "NONE", "Cors": cors })
    }

    #[test]
    fn cors_reaches_as_far_as_the_limits_do() {
        let cors = json!({
            "AllowOrigins": ["*"], "AllowMethods": ["GET", "PUT", "HEAD", "POST", "PATCH", "DELETE"], "MaxAge": 86_400,
            "AllowHeaders": vec!["x".repeat(1_024); 100],
        });
        assert!(UrlSettings::read(&members(with_cors(cors))).is_ok());
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let deployed = testing::deployed(&json!({}));
        for (target, settings) in [
            ("f", json!({ "AuthType": "OPEN" })),
            ("f", json!({})),
            ("f", json!({ "AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM" })),
            ("f:$LATEST", json!({ "AuthType": "NONE" })),
            ("f:live", json!({ "AuthType": "NONE" })),
            ("g", json!({ "AuthType": "NONE" })),
            ("f", with_cors(json!({ "MaxAge": -5 }))),
            ("f", with_cors(json!({ "MaxAge": 86_401 }))),
            ("f", with_cors(json!({ "AllowMethods": ["BOGUS"] }))),
            ("f", with_cors(json!({ "AllowMethods": ["OPTIONS"] }))),
            ("f", with_cors(json!({ "AllowOrigins": vec!["https://a.example"; 101] }))),
            ("f", with_cors(json!({ "AllowOrigins": [""] }))),
            ("f", with_cors(json!({ "AllowHeaders": ["x".repeat(1_025)] }))),
            ("f", with_cors(json!({ "ExposeHeaders": vec!["x-a"; 101] }))),
        ] {
            let target = deployed.cloud.read(|account| Target::parse(account, target)).expect("a name");
            let members = members(settings.clone());
            let refused =
                deployed.cloud.write(|account| create(account, &target, &members, OffsetDateTime::UNIX_EPOCH));
            assert!(refused.is_err(), "{target:?} {settings}");
        }
    }
}
