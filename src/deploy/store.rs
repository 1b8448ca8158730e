//! The bucket through which code and large templates go: the CDK's where it is, else one of our own.

use std::path::PathBuf;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures_util::{StreamExt, TryStreamExt, stream};
use miette::Diagnostic;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::aws::{Account, During, Error as AwsError};
use super::{Asset, Listener, Progress, Unit, stack};
use crate::synth::code::cdk_bucket;

/// Name of the stack that holds our own bucket.
pub const BOOTSTRAP_STACK: &str = "stackgen-bootstrap";

/// The stack of `cdk bootstrap`.
const CDK_STACK: &str = "CDKToolkit";

/// How many uploads run at a time.
const UPLOADS: usize = 8;

/// How many versions S3 deletes at once, and lists: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
pub(super) const AT_ONCE: usize = 1_000;

/// A bucket that can be deployed through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    bucket: String,
    owner: Owner,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    /// It has the name that templates derive by themselves.
    CdkByDefault,
    /// The CDK was bootstrapped with a qualifier or a bucket name of its own.
    Cdk,
    Stackgen,
}

/// What is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploads {
    /// What the bucket does not hold yet.
    Missing,
    /// All of it, though the bucket may hold some: what is there belongs to a stack of the same name that is gone, and whoever
    /// destroyed that may be about to remove it.
    All,
}

/// The versions below a folder, a thousand at a time.
struct Page {
    versions: Vec<ObjectIdentifier>,
    /// Key and version after which there are more.
    next: Option<(Option<String>, Option<String>)>,
}

/// Why something could not be stored.
#[derive(Debug, Error, Diagnostic)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Error {
    /// An asset's file is gone.
    #[error("`{}` cannot be read", path.display())]
    #[diagnostic(code(stackgen::asset::unreadable), help("bundle again with `stackgen bundle`"))]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// Some objects cannot be deleted.
    #[error("`{key}` in bucket `{bucket}` cannot be deleted: {reason}")]
    #[diagnostic(
        code(stackgen::bootstrap::not_emptied),
        help("remove it by hand, then repeat `stackgen bootstrap --destroy`")
    )]
    NotEmptied { bucket: String, key: String, reason: String },
    /// AWS refuses.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] AwsError),
}

impl Store {
    /// Our own bucket.
    #[must_use]
    pub fn own(bucket: &str) -> Self {
        Self { bucket: bucket.to_owned(), owner: Owner::Stackgen }
    }

    /// Name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Whether `stackgen bootstrap` made it, and not the CDK.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.owner == Owner::Stackgen
    }

    /// What a template's bucket parameter says: nothing for the bucket whose name it derives by itself.
    #[must_use]
    pub fn parameter(&self) -> &str {
        if self.owner == Owner::CdkByDefault { "" } else { &self.bucket }
    }

    /// The bucket of this account and region, the CDK's first.
    ///
    /// # Errors
    /// When AWS cannot be asked.
    pub async fn find(account: &Account) -> Result<Option<Self>, AwsError> {
        let (cdk, own) =
            tokio::try_join!(stack::describe(account, CDK_STACK), stack::describe(account, BOOTSTRAP_STACK))?;
        let bucket = |stack: Option<stack::Stack>| stack?.outputs.remove("BucketName");
        if let Some(bucket) = bucket(cdk) {
            let derived = cdk_bucket(&account.id, &account.region);
            let owner = if bucket == derived { Owner::CdkByDefault } else { Owner::Cdk };
            return Ok(Some(Self { bucket, owner }));
        }
        Ok(bucket(own).map(|bucket| Self::own(&bucket)))
    }

    /// Uploads code, several files at a time. Returns how many were uploaded.
    ///
    /// # Errors
    /// When a file cannot be read or AWS refuses.
    pub async fn publish(
        &self,
        account: &Account,
        (assets, uploads): (&[Asset], Uploads),
        listener: Listener<'_>,
    ) -> Result<usize, Error> {
        let s3 = account.s3();
        let uploads = assets.iter().map(async |asset| {
            if uploads == Uploads::Missing && self.holds(account, &s3, &asset.key).await? {
                return Ok(false);
            }
            self.upload(account, &s3, asset, listener).await.map(|()| true)
        });
        stream::iter(uploads)
            .buffer_unordered(UPLOADS)
            .try_fold(0, async |missing, uploaded| Ok(missing + usize::from(uploaded)))
            .await
    }

    async fn upload(
        &self,
        account: &Account,
        s3: &aws_sdk_s3::Client,
        asset: &Asset,
        listener: Listener<'_>,
    ) -> Result<(), Error> {
        let unreadable = |source| Error::Unreadable { path: asset.path.clone(), source };
        let size = tokio::fs::metadata(&asset.path).await.map_err(unreadable)?.len();
        listener(Progress::Uploading { name: asset.name.clone(), size });
        let body = ByteStream::from_path(&asset.path).await.map_err(|error| unreadable(error.into()))?;
        let put = s3.put_object().bucket(&self.bucket).key(&asset.key).content_type("application/zip").body(body);
        put.send().await.during("s3:PutObject", &account.config)?;
        listener(Progress::Uploaded { name: asset.name.clone() });
        Ok(())
    }

    async fn holds(&self, account: &Account, s3: &aws_sdk_s3::Client, key: &str) -> Result<bool, Error> {
        let answer = s3.head_object().bucket(&self.bucket).key(key).send().await;
        // The answer to HEAD has no body, so the status is all there is.
        if let Err(SdkError::ServiceError(context)) = &answer {
            match context.raw().status().as_u16() {
                404 => return Ok(false),
                403 => {
                    let message = format!("object `{key}` in bucket `{}` may not be looked at", self.bucket);
                    return Err(AwsError::Denied { operation: "s3:HeadObject".to_owned(), message }.into());
                }
                _ => (),
            }
        }
        Ok(answer.during("s3:HeadObject", &account.config).map(|_| true)?)
    }

    /// Uploads a template and returns the address by which CloudFormation reads it.
    pub(super) async fn put_template(&self, account: &Account, stack: &str, template: &str) -> Result<String, Error> {
        let key = format!("templates/{stack}/{}.json", digest(template.as_bytes()));
        let body = ByteStream::from(template.as_bytes().to_vec());
        let put = account.s3().put_object().bucket(&self.bucket).key(&key).content_type("application/json").body(body);
        put.send().await.during("s3:PutObject", &account.config)?;
        Ok(self.address(account, &key))
    }

    fn address(&self, account: &Account, key: &str) -> String {
        let (bucket, region) = (&self.bucket, &account.region);
        match &account.endpoint {
            Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
            None if region.starts_with("cn-") => format!("https://{bucket}.s3.{region}.amazonaws.com.cn/{key}"),
            None => format!("https://{bucket}.s3.{region}.amazonaws.com/{key}"),
        }
    }

    /// Deletes every object and every version of it; CloudFormation deletes only an empty bucket. Returns how many.
    ///
    /// # Errors
    /// When AWS refuses.
    pub async fn empty(&self, account: &Account) -> Result<usize, Error> {
        let mut deleted = 0;
        loop {
            let doomed = self.page_of_versions(account, "", None).await?.versions;
            if doomed.is_empty() {
                return Ok(deleted);
            }
            deleted += doomed.len();
            self.remove(account, doomed).await?;
        }
    }

    /// Deletes these versions.
    ///
    /// # Errors
    /// When AWS refuses.
    pub(super) async fn remove(&self, account: &Account, versions: Vec<ObjectIdentifier>) -> Result<(), Error> {
        let s3 = account.s3();
        for doomed in versions.chunks(AT_ONCE) {
            self.delete(account, &s3, doomed.to_vec()).await?;
        }
        Ok(())
    }

    /// Every version below a folder.
    ///
    /// # Errors
    /// When AWS refuses.
    pub(super) async fn versions(&self, account: &Account, folder: &str) -> Result<Vec<ObjectIdentifier>, AwsError> {
        let mut page = self.page_of_versions(account, folder, None).await?;
        let mut found = page.versions;
        while page.next.is_some() {
            page = self.page_of_versions(account, folder, page.next.take()).await?;
            found.append(&mut page.versions);
        }
        Ok(found)
    }

    /// The first versions below a folder, or the first after another; none where the bucket is gone.
    async fn page_of_versions(
        &self,
        account: &Account,
        folder: &str,
        after: Option<(Option<String>, Option<String>)>,
    ) -> Result<Page, AwsError> {
        let (key, version) = after.unwrap_or_default();
        let request = account.s3().list_object_versions().bucket(&self.bucket).prefix(folder).max_keys(1_000);
        let page = request.set_key_marker(key).set_version_id_marker(version).send().await;
        let page = match page {
            Err(SdkError::ServiceError(context)) if context.raw().status().as_u16() == 404 => {
                return Ok(Page { versions: Vec::new(), next: None });
            }
            other => other.during("s3:ListBucketVersions", &account.config)?,
        };
        let next = (page.is_truncated() == Some(true))
            .then(|| (page.next_key_marker.clone(), page.next_version_id_marker.clone()));
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let found = versions.chain(markers).filter_map(|(key, version)| {
            ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
        });
        Ok(Page { versions: found.collect(), next })
    }

    async fn delete(
        &self,
        account: &Account,
        s3: &aws_sdk_s3::Client,
        doomed: Vec<ObjectIdentifier>,
    ) -> Result<(), Error> {
        let doomed = Delete::builder().set_objects(Some(doomed)).quiet(true).build();
        let doomed = doomed.expect("the list of objects was set");
        let answer = s3.delete_objects().bucket(&self.bucket).delete(doomed).send().await;
        let answer = answer.during("s3:DeleteObjects", &account.config)?;
        let Some(failed) = answer.errors().first() else { return Ok(()) };
        Err(Error::NotEmptied {
            bucket: self.bucket.clone(),
            key: failed.key().unwrap_or_default().to_owned(),
            reason: failed.message().unwrap_or("no reason was given").to_owned(),
        })
    }
}

/// The folders of the bucket that only this stack makes use of: its code's and its templates'. A deployer's policy lets
/// nobody write into those of another.
pub(super) fn folders(stack: &str) -> [String; 2] {
    ["code", "templates"].map(|folder| format!("{folder}/{stack}/"))
}

/// The stack that holds our own bucket.
#[must_use]
pub fn bootstrap() -> Unit {
    let template: serde_json::Value =
        serde_yaml::from_str(include_str!("bootstrap.yaml")).expect("the checked-in template is YAML");
    Unit { stack: BOOTSTRAP_STACK.to_owned(), template: template.to_string(), ..Unit::default() }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::{Store, bootstrap, digest};

    #[test]
    fn the_bootstrap_bucket_is_private_encrypted_versioned_and_speaks_tls_only() {
        let template: serde_json::Value = serde_json::from_str(&bootstrap().template).expect("it is JSON");
        let at = |pointer: &str| template.pointer(pointer).cloned().unwrap_or_default();
        let bucket = "/Resources/Assets/Properties";
        for public in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
            assert_eq!(at(&format!("{bucket}/PublicAccessBlockConfiguration/{public}")), true);
        }
        let encryption = "BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault";
        assert_eq!(at(&format!("{bucket}/{encryption}/SSEAlgorithm")), "AES256");
        assert_eq!(at(&format!("{bucket}/VersioningConfiguration/Status")), "Enabled");
        let statement = "/Resources/AssetsPolicy/Properties/PolicyDocument/Statement/0";
        assert_eq!(at(&format!("{statement}/Effect")), "Deny");
        assert_eq!(at(&format!("{statement}/Condition/Bool/aws:SecureTransport")), "false");
        assert_eq!(at(&format!("{bucket}/BucketName")), serde_json::Value::Null, "a name could be guessed");
    }

    #[test]
    fn only_the_bucket_that_templates_derive_needs_no_name() {
        assert_eq!(Store::own("mine").parameter(), "mine");
        assert!(Store::own("mine").is_own());
    }

    #[test]
    fn a_digest_is_hexadecimal() {
        assert_eq!(digest(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
