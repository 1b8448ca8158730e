//! The few shapes in which CloudFormation's properties differ from what a user would want to write.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::cognito::AuthFlow;
use super::lambda::Architecture;

/// `true` and `false` as CloudFormation's `ENABLED` and `LEGACY`.
pub(super) fn enabled_or_legacy<S: Serializer>(enabled: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *enabled { "ENABLED" } else { "LEGACY" })
}

/// `true` and `false` as CloudFormation's `ACTIVE` and `INACTIVE`.
pub(super) fn active<S: Serializer>(active: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *active { "ACTIVE" } else { "INACTIVE" })
}

/// Sign-in flows, with the refreshing of tokens that every one of them needs.
pub(super) fn with_refresh<S: Serializer>(flows: &[AuthFlow], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(flows.len() + 1))?;
    for flow in flows {
        list.serialize_element(flow)?;
    }
    list.serialize_element("ALLOW_REFRESH_TOKEN_AUTH")?;
    list.end()
}

/// `true` as a text; `false` is absent.
pub(super) fn text<S: Serializer>(truth: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    truth.then_some("true").serialize(serializer)
}

/// `true` as the only algorithm by which Cognito signs requests; `false` is absent.
pub(super) fn rsa_sha256<S: Serializer>(signed: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    signed.then_some("rsa-sha256").serialize(serializer)
}

/// A list as words with spaces between them.
pub(super) fn words<S: Serializer>(words: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&words.join(" "))
}

/// A list as words with commas between them.
pub(super) fn words_after_commas<S: Serializer>(words: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&words.join(","))
}

/// A function's only architecture as the list that CloudFormation wants.
pub(super) fn single<S: Serializer>(architecture: &Architecture, serializer: S) -> Result<S::Ok, S::Error> {
    [architecture].serialize(serializer)
}

/// Tags as the list that most of CloudFormation's older resources want.
pub(super) fn tags<S: Serializer>(tags: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    let tag = |(key, value): (&String, &String)| BTreeMap::from([("Key", key.clone()), ("Value", value.clone())]);
    tags.iter().map(tag).collect::<Vec<_>>().serialize(serializer)
}

/// A function's temporary storage, below `Size`.
pub(super) fn size<S: Serializer>(size: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    nested(serializer, "Size", size.as_ref())
}

fn nested<S: Serializer>(serializer: S, name: &str, value: Option<&impl Serialize>) -> Result<S::Ok, S::Error> {
    let Some(value) = value else { return serializer.serialize_none() };
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}
