//! Making and changing functions: one way for CloudFormation and for the API.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::code::Object;
use super::{Code, Function, Settings, Target, Version, code, fault, invalid, revision, rules};
use crate::cloud::Account;
use crate::wire::Fault;

/// Where and when a function is deployed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    /// The cloud's folder.
    pub data: &'a Path,
    /// The cloud's clock.
    pub now: OffsetDateTime,
}

/// What an archive in a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZipFile {
    /// An archive in base64, as the API takes it.
    Archive,
    /// Source text, as CloudFormation takes it for interpreted runtimes.
    Source,
}

/// Makes a function.
///
/// # Errors
/// When there is one of that name, or its code or configuration is refused.
pub(super) fn create(
    account: &mut Account,
    site: Site<'_>,
    target: &Target,
    members: &Map<String, Value>,
    zip_file: ZipFile,
) -> Result<(), Fault> {
    if account.lambda.0.contains_key(&target.name) {
        let message = format!("Function already exist: {}", target.name);
        return Err(fault(StatusCode::CONFLICT, "ResourceConflictException", message));
    }
    let settings = Settings::read(account, members)?;
    let code = members.get("Code").and_then(Value::as_object).cloned().unwrap_or_default();
    let code = given_code(account, site, &code, zip_file)?;
    let latest = Version { settings, code, revision: revision(), modified: site.now };
    let function = Function {
        latest,
        versions: BTreeMap::new(),
        last_version: 0,
        aliases: BTreeMap::new(),
        policy: Vec::new(),
        reserved_concurrency: None,
        tags: BTreeMap::new(),
        urls: BTreeMap::new(),
    };
    account.lambda.0.insert(target.name.clone(), function);
    Ok(())
}

/// Changes the code or the configuration of a function; nothing happens when they are what they were.
///
/// # Errors
/// When there is no such function.
pub(super) fn change(
    account: &mut Account,
    site: Site<'_>,
    target: &Target,
    alter: impl FnOnce(&mut Version),
) -> Result<(), Fault> {
    let missing = target.missing(account);
    let function = account.lambda.0.get_mut(&target.name).ok_or(missing)?;
    let mut changed = function.latest.clone();
    alter(&mut changed);
    if (&changed.settings, &changed.code) != (&function.latest.settings, &function.latest.code) {
        function.latest = Version { revision: revision(), modified: site.now, ..changed };
    }
    Ok(())
}

/// The code that a `Code` member means, taken into the cloud's folder.
///
/// # Errors
/// When it is not there, or no archive.
pub(super) fn given_code(
    account: &Account,
    site: Site<'_>,
    members: &Map<String, Value>,
    zip_file: ZipFile,
) -> Result<Code, Fault> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    match (text("ZipFile"), text("S3Bucket"), text("S3Key")) {
        (Some(_), ..) if zip_file == ZipFile::Source => Err(invalid(
            "ZipFile can only be used when Runtime is set to a version of Node.js or Python; the local cloud runs \
             neither: give S3Bucket and S3Key",
        )),
        (Some(archive), ..) => {
            let archive =
                STANDARD.decode(archive).map_err(|error| Fault::new("SerializationException", error.to_string()))?;
            Code::of_bytes(site.data, &archive)
        }
        (None, Some(bucket), Some(key)) => {
            let object = Object { bucket, key, version: text("S3ObjectVersion") };
            Code::of_file(site.data, &code::stored(account, site.data, object)?)
        }
        _ => Err(invalid("Please provide a source for function code.")),
    }
}

/// Sets what is no part of a version: tags and reserved concurrency.
///
/// # Errors
/// When the function is missing or too much would be reserved.
pub(super) fn adorn(
    account: &mut Account,
    target: &Target,
    tags: BTreeMap<String, String>,
    reserved: Option<u32>,
) -> Result<(), Fault> {
    rules::reserve(account, target, reserved)?;
    if let Some(function) = account.lambda.0.get_mut(&target.name) {
        function.tags = tags;
    }
    Ok(())
}
