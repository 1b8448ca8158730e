//! The CloudFormation resource types of S3.

use serde_json::{Value, json};

use super::{Bucket, Versioning};
use crate::cloud::Account;
use crate::cloudformation::resource::{
    Change, Context, Kind, Properties, Provisioned, Refused, ResourceType, Tags, text,
};
use crate::iam::policy::Policy;
use crate::wire::xml;

/// The CloudFormation resource types of this service.
pub(crate) const RESOURCE_TYPES: &[&dyn ResourceType] = &[&BucketType, &BucketPolicyType];

/// What the handlers call this service.
const SERVICE: &str = "S3";

struct BucketType;
struct BucketPolicyType;

impl Kind for BucketType {
    const TYPE: &'static str = "AWS::S3::Bucket";
    const SCHEMA: &'static str = include_str!("bucket.schema.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn exists(account: &Account, properties: &Properties) -> bool {
        text(properties, "BucketName").is_some_and(|name| account.s3.buckets.contains_key(name))
    }

    fn create(account: &mut Account, context: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let named = text(&new, "BucketName").map(str::to_owned);
        let name = named.unwrap_or_else(|| context.physical_name(63).to_ascii_lowercase());
        if account.s3.buckets.contains_key(&name) {
            return Err(Refused::Handler(format!("{name} already exists")));
        }
        configure(account.s3.create(&name, context.now)?, context, &new);
        Ok(provisioned(account, &name))
    }

    fn update(
        account: &mut Account,
        context: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        configure(account.s3.bucket_mut(physical_id)?, context, &new);
        Ok(provisioned(account, physical_id))
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        let Some(bucket) = account.s3.buckets.get(physical_id) else { return Ok(()) };
        if bucket.versioning != Versioning::Off && !bucket.objects.is_empty() {
            let message = "The bucket you tried to delete is not empty. You must delete all versions in the bucket.";
            return Err(Refused::Handler(format!("{message} (Service: {SERVICE}, Status Code: 409)")));
        }
        Ok(account.s3.delete(physical_id)?)
    }
}

fn provisioned(account: &Account, name: &str) -> Provisioned {
    let region = &account.region;
    Provisioned::named(name)
        .with("Arn", format!("arn:aws:s3:::{name}"))
        .with("DomainName", format!("{name}.s3.amazonaws.com"))
        .with("DualStackDomainName", format!("{name}.s3.dualstack.{region}.amazonaws.com"))
        .with("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com"))
        .with("WebsiteURL", format!("http://{name}.s3-website-{region}.amazonaws.com"))
}

/// Brings a bucket to what the properties say, and its settings to the documents that its API shows.
fn configure(bucket: &mut Bucket, context: &Context, properties: &Properties) {
    bucket.versioning =
        match properties.get("VersioningConfiguration").and_then(|versioning| versioning["Status"].as_str()) {
            Some("Enabled") => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
            None if bucket.versioning == Versioning::Off => Versioning::Off,
            // Versions that are there stay there.
            None => Versioning::Suspended,
        };
    let settings = [
        ("encryption", encryption(properties)),
        ("publicAccessBlock", public_access_block(properties)),
        ("ownershipControls", ownership(properties)),
        ("lifecycle", lifecycle(properties)),
        ("tagging", tagging(context, properties)),
    ];
    for (setting, document) in settings {
        match document {
            Some(document) => drop(bucket.settings.insert(setting.to_owned(), document)),
            None => drop(bucket.settings.remove(setting)),
        }
    }
}

fn document(root: &str, content: &Value) -> Option<String> {
    Some(xml::document(root, Some("http://s3.amazonaws.com/doc/2006-03-01/"), content, xml::Lists::Flat))
}

fn encryption(properties: &Properties) -> Option<String> {
    let rules = properties.get("BucketEncryption")?.get("ServerSideEncryptionConfiguration")?.as_array()?;
    let rule = |rule: &Value| {
        json!({
            "ApplyServerSideEncryptionByDefault": rule.get("ServerSideEncryptionByDefault"),
            "BucketKeyEnabled": rule.get("BucketKeyEnabled"),
        })
    };
    document("ServerSideEncryptionConfiguration", &json!({ "Rule": rules.iter().map(rule).collect::<Vec<_>>() }))
}

fn public_access_block(properties: &Properties) -> Option<String> {
    let given = properties.get("PublicAccessBlockConfiguration")?;
    let flag = |name: &str| given.get(name).cloned().unwrap_or(Value::Bool(false));
    let names = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
    let flags: serde_json::Map<String, Value> = names.map(|name| (name.to_owned(), flag(name))).into_iter().collect();
    document("PublicAccessBlockConfiguration", &Value::Object(flags))
}

fn ownership(properties: &Properties) -> Option<String> {
    let rules = properties.get("OwnershipControls")?.get("Rules")?;
    document("OwnershipControls", &json!({ "Rule": rules }))
}

fn lifecycle(properties: &Properties) -> Option<String> {
    let rules = properties.get("LifecycleConfiguration")?.get("Rules")?.as_array()?;
    document("LifecycleConfiguration", &json!({ "Rule": rules.iter().map(lifecycle_rule).collect::<Vec<_>>() }))
}

/// CloudFormation's form of a rule in S3's: the names differ.
fn lifecycle_rule(rule: &Value) -> Value {
    let expiration = json!({
        "Days": rule.get("ExpirationInDays"), "Date": rule.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
    });
    let expires =
        ["ExpirationInDays", "ExpirationDate", "ExpiredObjectDeleteMarker"].iter().any(|name| rule.get(name).is_some());
    let noncurrent = rule
        .get("NoncurrentVersionExpiration")
        .cloned()
        .or_else(|| rule.get("NoncurrentVersionExpirationInDays").map(|days| json!({ "NoncurrentDays": days })));
    let transitions: Option<Vec<Value>> = rule.get("Transitions").and_then(Value::as_array).map(|transitions| {
        transitions
            .iter()
            .map(|transition| {
                json!({
                    "Days": transition.get("TransitionInDays"), "Date": transition.get("TransitionDate"),
                    "StorageClass": transition.get("StorageClass"),
                })
            })
            .collect()
    });
    json!({
        "ID": rule.get("Id"), "Status": rule.get("Status"),
        "Filter": { "Prefix": rule.get("Prefix").cloned().unwrap_or_else(|| json!("")) },
        "Expiration": expires.then_some(expiration), "NoncurrentVersionExpiration": noncurrent,
        "AbortIncompleteMultipartUpload": rule.get("AbortIncompleteMultipartUpload"), "Transition": transitions,
    })
}

fn tagging(context: &Context, properties: &Properties) -> Option<String> {
    let tags = context.tags_with(&Tags::of(properties));
    if tags.is_empty() {
        return None;
    }
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    document("Tagging", &json!({ "TagSet": { "Tag": tags } }))
}

impl Kind for BucketPolicyType {
    const TYPE: &'static str = "AWS::S3::BucketPolicy";
    const SCHEMA: &'static str = include_str!("bucket_policy.schema.json");
    const SERVICE: &'static str = SERVICE;
    type Properties = Properties;

    fn create(account: &mut Account, _: &Context, new: Properties) -> Result<Provisioned, Refused> {
        let bucket = text(&new, "Bucket").unwrap_or_default();
        if account.s3.bucket(bucket)?.policy.is_some() {
            return Err(Refused::Handler("The bucket policy already exists on bucket ".to_owned() + bucket + "."));
        }
        put_policy(account, bucket, &new)
    }

    fn update(
        account: &mut Account,
        _: &Context,
        physical_id: &str,
        Change { new, .. }: Change<Properties>,
    ) -> Result<Provisioned, Refused> {
        put_policy(account, physical_id, &new)
    }

    fn delete(account: &mut Account, _: &Context, physical_id: &str, _: &Properties) -> Result<(), Refused> {
        if let Some(bucket) = account.s3.buckets.get_mut(physical_id) {
            bucket.policy = None;
        }
        Ok(())
    }
}

fn put_policy(account: &mut Account, bucket: &str, properties: &Properties) -> Result<Provisioned, Refused> {
    let document = match properties.get("PolicyDocument") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        other => other.cloned().unwrap_or_default(),
    };
    Policy::parse_resource(&document)?;
    account.s3.bucket_mut(bucket)?.policy = Some(document);
    Ok(Provisioned::named(bucket))
}
