//! What a request to S3 is about: a bucket, a key, and which side of it.

use std::collections::BTreeMap;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::iam::authorize::Deed;
use crate::wire::{Request, xml};

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Empty for the account.
    pub(super) bucket: String,
    /// Empty for the bucket.
    pub(super) key: String,
    /// Query parameters.
    pub(super) query: BTreeMap<String, String>,
}

/// Settings of a bucket: query parameter, and what IAM calls it.
const SETTINGS: &[(&str, &str)] = &[
    ("accelerate", "AccelerateConfiguration"),
    ("acl", "BucketAcl"),
    ("cors", "BucketCORS"),
    ("encryption", "EncryptionConfiguration"),
    ("lifecycle", "LifecycleConfiguration"),
    ("logging", "BucketLogging"),
    ("notification", "BucketNotification"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("policy", "BucketPolicy"),
    ("publicAccessBlock", "BucketPublicAccessBlock"),
    ("tagging", "BucketTagging"),
    ("versioning", "BucketVersioning"),
    ("website", "BucketWebsite"),
];

/// Whether a query parameter names a setting of a bucket.
pub(crate) fn is_setting(parameter: &str) -> bool {
    SETTINGS.iter().any(|(setting, _)| *setting == parameter)
}

/// Other query parameters that belong to what is offered, of a bucket and of an object, by method.
fn parameters(method: &Method, is_bucket: bool) -> &'static [&'static str] {
    match (method.as_str(), is_bucket) {
        ("GET" | "HEAD", true) => &[
            "location",
            "versions",
            "uploads",
            "list-type",
            "prefix",
            "delimiter",
            "marker",
            "max-keys",
            "encoding-type",
            "continuation-token",
            "start-after",
            "fetch-owner",
            "key-marker",
            "version-id-marker",
            "max-uploads",
            "upload-id-marker",
        ],
        ("POST", true) => &["delete"],
        ("GET" | "HEAD", false) => &["versionId", "partNumber", "uploadId", "max-parts", "part-number-marker"],
        ("PUT", false) => &["uploadId", "partNumber"],
        ("POST", false) => &["uploads", "uploadId"],
        ("DELETE", false) => &["uploadId", "versionId"],
        _ => &[],
    }
}

/// Whether a query parameter says nothing about what is asked for: who signed, how long, and what headers to answer with.
fn is_aside(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("x-amz-")
        || name.starts_with("response-")
        || matches!(name.as_str(), "x-id" | "awsaccesskeyid" | "signature" | "expires")
}

impl Target {
    /// A query parameter that names a side of the bucket or object that is not offered. Whoever asks for a side must not get
    /// the whole: to delete a configuration is not to delete the bucket.
    ///
    /// Reading has parameters of anybody's own, which S3 takes no notice of; they have values, and sides have none.
    pub(super) fn unknown_side(&self, method: &Method) -> Option<&str> {
        let is_bucket = self.key.is_empty();
        let known = |name: &str| {
            is_aside(name) || parameters(method, is_bucket).contains(&name) || is_bucket && is_setting(name)
        };
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let mut unknown = self.query.iter().filter(|(name, _)| !known(name));
        unknown.find(|(_, value)| !reads || value.is_empty()).map(|(name, _)| name.as_str())
    }

    /// Reads the path, and the host where it names the bucket (`{bucket}.s3.localhost`, `{bucket}.localhost`).
    pub(super) fn of(request: &Request) -> Self {
        let path = request.path.strip_prefix('/').unwrap_or(&request.path);
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query = request.query_parameters().into_iter().collect();
        match bucket_of_host(request.header("host").unwrap_or_default()) {
            Some(bucket) => Self { bucket, key: decoded(path), query },
            None => {
                let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
                Self { bucket: decoded(bucket), key: decoded(key), query }
            }
        }
    }

    /// Whether the query string has a parameter, with or without a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    /// A query parameter that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The setting of the bucket that the request is about.
    pub(super) fn setting(&self) -> Option<(&'static str, &'static str)> {
        SETTINGS.iter().copied().find(|(name, _)| self.has(name))
    }

    /// What the request does, as far as IAM is concerned.
    pub(super) fn deeds(&self, request: &Request) -> Vec<Deed> {
        let bucket = format!("arn:aws:s3:::{}", self.bucket);
        if self.bucket.is_empty() {
            return vec![Deed::new("s3:ListAllMyBuckets", "*")];
        }
        if self.unknown_side(&request.method).is_some() {
            return Vec::new();
        }
        if request.method == Method::POST && self.has("delete") {
            return deletions(&bucket, request);
        }
        if self.key.is_empty() {
            return vec![Deed::new(format!("s3:{}", self.bucket_action(&request.method)), bucket)];
        }
        let object = format!("{bucket}/{}", self.key);
        let mut deeds = vec![Deed::new(format!("s3:{}", self.object_action(&request.method)), object)];
        if let Some(source) = request.header("x-amz-copy-source") {
            let source = percent_decode_str(source.trim_start_matches('/')).decode_utf8_lossy().into_owned();
            let object = source.split("?versionId=").next().unwrap_or_default();
            deeds.push(Deed::new("s3:GetObject", format!("arn:aws:s3:::{object}")));
        }
        deeds
    }

    fn bucket_action(&self, method: &Method) -> String {
        if let Some((_, name)) = self.setting() {
            let verb = match *method {
                Method::GET | Method::HEAD => "Get",
                Method::DELETE if name == "BucketPolicy" => "Delete",
                _ => "Put",
            };
            return format!("{verb}{name}");
        }
        let action = match *method {
            Method::PUT => "CreateBucket",
            Method::DELETE => "DeleteBucket",
            _ if self.has("location") => "GetBucketLocation",
            _ if self.has("versions") => "ListBucketVersions",
            _ if self.has("uploads") => "ListBucketMultipartUploads",
            _ => "ListBucket",
        };
        action.to_owned()
    }

    fn object_action(&self, method: &Method) -> &'static str {
        let (upload, version) = (self.has("uploadId"), self.has("versionId"));
        match *method {
            Method::GET if upload => "ListMultipartUploadParts",
            Method::DELETE if upload => "AbortMultipartUpload",
            Method::GET | Method::HEAD if self.has("tagging") => "GetObjectTagging",
            Method::GET | Method::HEAD if version => "GetObjectVersion",
            Method::GET | Method::HEAD => "GetObject",
            Method::DELETE if version => "DeleteObjectVersion",
            Method::DELETE => "DeleteObject",
            _ => "PutObject",
        }
    }
}

/// Deleting many objects at once is as many deeds. A body that cannot be read deletes nothing, and is refused later.
fn deletions(bucket: &str, request: &Request) -> Vec<Deed> {
    let Ok(root) = xml::parse(&request.body) else { return vec![Deed::new("s3:DeleteObject", bucket)] };
    let deed = |object: &xml::Element| {
        let action = if object.child("VersionId").is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        Deed::new(action, format!("{bucket}/{}", object.child("Key").unwrap_or_default()))
    };
    root.all("Object").map(deed).collect()
}

/// The bucket that a host names.
pub(crate) fn bucket_of_host(host: &str) -> Option<String> {
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let name = host.strip_suffix(".localhost")?;
    let labels: Vec<&str> = name.split('.').collect();
    let end = labels.iter().rposition(|label| *label == "s3").unwrap_or(labels.len());
    let bucket = labels.get(..end)?.join(".");
    if bucket.is_empty() { None } else { Some(bucket) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_is_not_offered_is_not_the_whole() {
        let side = |method: Method, key: &str, query: &str| {
            let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let target = Target { bucket: "b".to_owned(), key: key.to_owned(), query };
            target.unknown_side(&method).map(str::to_owned)
        };
        for (method, key, query, unknown) in [
            (Method::DELETE, "", "replication", Some("replication")),
            (Method::DELETE, "", "inventory&id=1", Some("id")),
            (Method::PUT, "", "replication", Some("replication")),
            (Method::GET, "", "list-type=2&metrics&id=1", Some("metrics")),
            (Method::GET, "k", "torrent", Some("torrent")),
            (Method::GET, "k", "v=1", None),
            (Method::GET, "k", "X-Amz-Signature=1&response-content-type=a&versionId=1", None),
            (Method::GET, "k", "AWSAccessKeyId=1&Expires=2&Signature=3", None),
            (Method::GET, "k", "acl", Some("acl")),
            (Method::GET, "", "acl", None),
            (Method::GET, "", "list-type=2&prefix=&delimiter=%2F", None),
            (Method::DELETE, "k", "attributes", Some("attributes")),
            (Method::DELETE, "k", "x-id=DeleteObject", None),
            (Method::PUT, "", "versioning", None),
            (Method::PUT, "k", "partNumber=1&uploadId=u", None),
        ] {
            assert_eq!(side(method.clone(), key, query).as_deref(), unknown, "{method} {key}?{query}");
        }
    }

    #[test]
    fn a_host_may_name_the_bucket() {
        for (host, bucket) in [
            ("localhost:4599", None),
            ("127.0.0.1:4599", None),
            ("s3.localhost", None),
            ("s3.us-east-1.localhost", None),
            ("my.bucket.localhost:1", Some("my.bucket")),
            ("b.s3.localhost", Some("b")),
            ("b.s3.us-east-1.localhost", Some("b")),
        ] {
            assert_eq!(bucket_of_host(host).as_deref(), bucket, "{host}");
        }
    }
}
