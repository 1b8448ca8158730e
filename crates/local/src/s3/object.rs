//! Objects and their versions.

use std::collections::BTreeMap;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::checksum::Checksum;
use super::{Bucket, Versioning};
use crate::wire::Fault;

/// A version of an object: a content, or a marker that it was deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Version {
    /// `null` while the bucket keeps no versions.
    pub(super) id: String,
    /// None for a delete marker.
    pub(super) content: Option<Content>,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) modified: OffsetDateTime,
}

/// What is known of a content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) checksum: Option<Checksum>,
    /// Headers that come back with it.
    pub(super) headers: BTreeMap<String, String>,
}

/// Id of the one version of an object in a bucket that keeps none.
pub(super) const NULL: &str = "null";

/// What a deletion did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Deleted {
    /// Version that was removed, or id of the marker that was left.
    pub(super) version: Option<String>,
    /// Whether the version above is a delete marker.
    pub(super) marker: bool,
    /// Contents that nothing refers to any more.
    pub(super) files: Vec<String>,
}

impl Bucket {
    /// The current version of an object, or the one that is asked for.
    pub(super) fn version(&self, key: &str, id: Option<&str>) -> Result<&Version, Fault> {
        let versions = self.objects.get(key).map(Vec::as_slice).unwrap_or_default();
        match id {
            Some(id) => versions.iter().find(|version| version.id == id).ok_or_else(no_version),
            None => versions.last().ok_or_else(no_key),
        }
    }

    /// The content of an object's current version, or of the one that is asked for.
    pub(super) fn content(&self, key: &str, id: Option<&str>) -> Result<&Content, Fault> {
        let content = self.version(key, id)?.content.as_ref();
        content.ok_or_else(|| if id.is_some() { marker_is_no_object() } else { no_key() })
    }

    /// Makes a content the current version. Answers the version's id, if the bucket keeps versions, and contents that
    /// nothing refers to any more.
    pub(super) fn put(&mut self, key: &str, content: Content, now: OffsetDateTime) -> (Option<String>, Vec<String>) {
        let id = self.next_version();
        let files = self.push(key, Version { id: id.clone(), content: Some(content), modified: now });
        ((self.versioning != Versioning::Off).then_some(id), files)
    }

    /// Deletes an object: its version if one is named, else by a marker if the bucket keeps versions.
    pub(super) fn delete(&mut self, key: &str, id: Option<&str>, now: OffsetDateTime) -> Deleted {
        match id {
            Some(id) => self.delete_version(key, id),
            None if self.versioning == Versioning::Off => {
                Deleted { files: files(self.objects.remove(key).unwrap_or_default()), ..Deleted::default() }
            }
            None => {
                let id = self.next_version();
                let files = self.push(key, Version { id: id.clone(), content: None, modified: now });
                Deleted { version: Some(id), marker: true, files }
            }
        }
    }

    fn delete_version(&mut self, key: &str, id: &str) -> Deleted {
        let Some(versions) = self.objects.get_mut(key) else { return Deleted::default() };
        let gone: Vec<Version> = versions.extract_if(.., |version| version.id == id).collect();
        if versions.is_empty() {
            self.objects.remove(key);
        }
        let marker = gone.iter().any(|version| version.content.is_none());
        Deleted { version: Some(id.to_owned()), marker, files: files(gone) }
    }

    fn next_version(&self) -> String {
        match self.versioning {
            Versioning::Enabled => uuid::Uuid::new_v4().simple().to_string(),
            Versioning::Off | Versioning::Suspended => NULL.to_owned(),
        }
    }

    /// Adds a version as the current one, in the place of one with the same id.
    fn push(&mut self, key: &str, version: Version) -> Vec<String> {
        let versions = self.objects.entry(key.to_owned()).or_default();
        let replaced = versions.extract_if(.., |known| known.id == version.id).collect();
        versions.push(version);
        files(replaced)
    }
}

fn files(versions: Vec<Version>) -> Vec<String> {
    versions.into_iter().filter_map(|version| Some(version.content?.file)).collect()
}

/// Headers of an upload that come back with the object.
pub(super) fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    const KEPT: &[&str] = &["cache-control", "content-disposition", "content-language", "content-type", "expires"];
    let mut kept: BTreeMap<String, String> = headers
        .iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()) || name.as_str().starts_with("x-amz-meta-"))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let encodings = headers.get("content-encoding").and_then(|value| value.to_str().ok()).unwrap_or_default();
    // How the body travelled is not how the object is encoded.
    let encodings: Vec<&str> = encodings
        .split(',')
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && *encoding != "aws-chunked")
        .collect();
    if !encodings.is_empty() {
        kept.insert("content-encoding".to_owned(), encodings.join(","));
    }
    kept.entry("content-type".to_owned()).or_insert_with(|| "binary/octet-stream".to_owned());
    kept
}

/// The bytes that a `Range` header asks for, as start and length.
///
/// # Errors
/// `InvalidRange` when it lies beyond the end.
pub(super) fn range(header: &str, size: u64) -> Result<Option<(u64, u64)>, Fault> {
    let Some((start, end)) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let (start, end) = match (start.parse::<u64>(), end.parse::<u64>()) {
        (Ok(start), Ok(end)) if start <= end => (start, end.saturating_add(1).min(size)),
        (Ok(start), Err(_)) if end.is_empty() => (start, size),
        (Err(_), Ok(last)) if start.is_empty() && last > 0 => (size.saturating_sub(last), size),
        // What is no range is ignored, as HTTP demands.
        _ => return Ok(None),
    };
    if start >= size {
        let fault = Fault::new("InvalidRange", "The requested range is not satisfiable");
        return Err(fault.with_status(StatusCode::RANGE_NOT_SATISFIABLE));
    }
    Ok(Some((start, end - start)))
}

fn no_key() -> Fault {
    Fault::new("NoSuchKey", "The specified key does not exist.").with_status(StatusCode::NOT_FOUND)
}

fn no_version() -> Fault {
    Fault::new("NoSuchVersion", "The specified version does not exist.").with_status(StatusCode::NOT_FOUND)
}

fn marker_is_no_object() -> Fault {
    let message = "The specified method is not allowed against this resource.";
    Fault::new("MethodNotAllowed", message).with_status(StatusCode::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_object() {
        for (header, expected) in [
            ("bytes=0-4", Ok(Some((0, 5)))),
            ("bytes=5-", Ok(Some((5, 5)))),
            ("bytes=-3", Ok(Some((7, 3)))),
            ("bytes=-99", Ok(Some((0, 10)))),
            ("bytes=8-99", Ok(Some((8, 2)))),
            ("bytes=3-1", Ok(None)),
            ("bytes=0-18446744073709551615", Ok(Some((0, 10)))),
            ("items=0-1", Ok(None)),
            ("bytes=10-", Err(())),
        ] {
            assert_eq!(range(header, 10).map_err(drop), expected, "{header}");
        }
        assert!(range("bytes=0-", 0).is_err());
    }
}
