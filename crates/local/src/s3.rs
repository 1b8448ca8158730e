//! The buckets of an account. Buckets and what is known of objects are state; contents are files that never change.

pub(crate) mod api;
mod checksum;
mod content;
mod list;
mod multipart;
mod object;
mod resources;
mod target;

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::cloud::{Account, Cloud};
use crate::iam::authorize::Deed;
use crate::wire::{Fault, Request};
use object::Version;
pub(crate) use resources::RESOURCE_TYPES;
use target::Target;
pub(crate) use target::{bucket_of_host, is_setting};

/// The buckets of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Buckets {
    /// Buckets by name.
    pub buckets: BTreeMap<String, Bucket>,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created: OffsetDateTime,
    versioning: Versioning,
    /// Versions of each object, the current one last.
    objects: BTreeMap<String, Vec<Version>>,
    /// Uploads in parts that are under way.
    uploads: BTreeMap<String, multipart::Upload>,
    /// Other settings, as the documents that clients put and get, by the name of their query parameter.
    settings: BTreeMap<String, String>,
    policy: Option<Value>,
}

/// Whether a bucket keeps what is overwritten and deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Versioning {
    #[default]
    Off,
    Enabled,
    Suspended,
}

impl Buckets {
    pub(crate) fn create(&mut self, name: &str, now: OffsetDateTime) -> Result<&mut Bucket, Fault> {
        check_name(name)?;
        Ok(self.buckets.entry(name.to_owned()).or_insert_with(|| Bucket {
            created: now,
            versioning: Versioning::Off,
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            settings: BTreeMap::new(),
            policy: None,
        }))
    }

    fn bucket(&self, name: &str) -> Result<&Bucket, Fault> {
        self.buckets.get(name).ok_or_else(no_bucket)
    }

    fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, Fault> {
        self.buckets.get_mut(name).ok_or_else(no_bucket)
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<(), Fault> {
        if !self.bucket(name)?.objects.is_empty() {
            let message = "The bucket you tried to delete is not empty";
            return Err(Fault::new("BucketNotEmpty", message).with_status(StatusCode::CONFLICT));
        }
        self.buckets.remove(name);
        Ok(())
    }

    /// Files that hold contents.
    fn files(&self) -> BTreeSet<String> {
        let objects = self.buckets.values().flat_map(|bucket| bucket.objects.values().flatten());
        let contents = objects.filter_map(|version| Some(version.content.as_ref()?.file.clone()));
        let parts = self.buckets.values().flat_map(|bucket| bucket.uploads.values().flat_map(multipart::Upload::files));
        contents.chain(parts).collect()
    }
}

/// The policy of the bucket that a resource is or lies in.
pub(crate) fn policy_of(account: &Account, resource: &str) -> Option<Value> {
    let name = resource.strip_prefix("arn:aws:s3:::")?.split('/').next()?;
    account.s3.buckets.get(name)?.policy.clone()
}

/// Where the content of an object is below the cloud's data folder, its current version or another: what Lambda fetches
/// its code from.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchKey` or `NoSuchVersion`.
pub(crate) fn content_file(
    account: &Account,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<std::path::PathBuf, Fault> {
    let content = account.s3.bucket(bucket)?.content(key, version)?;
    Ok(content::relative(&content.file))
}

/// What a request to S3 does, as far as IAM is concerned.
///
/// S3 tells that an object is not there only to those who may list the bucket; to others it is forbidden:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>.
pub(crate) fn deeds(account: &Account, request: &Request) -> Vec<Deed> {
    let target = Target::of(request);
    let mut deeds = target.deeds(request);
    let looks = matches!(request.method, Method::GET | Method::HEAD) && !target.key.is_empty();
    let bucket = account.s3.buckets.get(&target.bucket);
    if looks && bucket.is_some_and(|bucket| bucket.version(&target.key, target.get("versionId")).is_err()) {
        deeds.push(Deed::new("s3:ListBucket", format!("arn:aws:s3:::{}", target.bucket)));
    }
    deeds
}

/// Removes contents that no object refers to, left behind by a process that was killed or a bucket that went.
pub(crate) fn sweep(cloud: &Cloud) {
    let known = cloud.read(|account| account.s3.files());
    for file in content::files(cloud.data()) {
        if !known.contains(&file) {
            content::remove(cloud.data(), &file);
        }
    }
}

fn no_bucket() -> Fault {
    Fault::new("NoSuchBucket", "The specified bucket does not exist").with_status(StatusCode::NOT_FOUND)
}

fn check_name(name: &str) -> Result<(), Fault> {
    let is_legal =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || ".-".contains(character);
    let is_edge = |character: Option<char>| character.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_address = name.parse::<std::net::Ipv4Addr>().is_ok();
    if (3..=63).contains(&name.len())
        && name.chars().all(is_legal)
        && is_edge(name.chars().next())
        && is_edge(name.chars().last())
        && !name.contains("..")
        && !is_address
    {
        return Ok(());
    }
    Err(Fault::new("InvalidBucketName", "The specified bucket is not valid."))
}
