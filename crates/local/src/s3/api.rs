//! The wire face of S3, REST-XML.

use axum::body::Body;
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::checksum::{self, Algorithm};
use super::list::Listing;
use super::object::{Content, Deleted, Version, kept_headers, range};
use super::target::Target;
use super::{Bucket, Versioning, content, multipart, no_bucket};
use crate::cloud::Cloud;
use crate::iam::policy::Policy;
use crate::wire::{Fault, Request, Response, header_value, text, xml};

/// XML namespace of its answers.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// What `encoding-type=url` leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    let target = Target::of(&request);
    match answer(&cloud, &request, &target).await {
        Ok(response) => response,
        Err(fault) => fault.into_rest_xml(&request.id, &request.path),
    }
}

async fn answer(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    if target.bucket.is_empty() {
        return Ok(list_buckets(cloud));
    }
    if target.unknown_side(&request.method).is_some() {
        return Err(not_offered(request));
    }
    if request.method != Method::PUT || !target.key.is_empty() || target.setting().is_some() {
        cloud.read(|account| account.s3.bucket(&target.bucket).map(drop))?;
    }
    if target.key.is_empty() {
        on_bucket(cloud, request, target).await
    } else {
        on_object(cloud, request, target).await
    }
}

async fn on_bucket(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    if let Some((setting, _)) = target.setting() {
        return on_setting(cloud, request, target, setting);
    }
    match request.method {
        Method::PUT => create_bucket(cloud, request, target),
        Method::DELETE => {
            cloud.write(|account| account.s3.delete(&target.bucket))?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Method::HEAD => Ok(with_header(empty(StatusCode::OK), "x-amz-bucket-region", &region(cloud))),
        Method::POST if target.has("delete") => delete_many(cloud, request, target),
        Method::GET if target.has("location") => {
            // The oldest region answers with an empty element.
            let region = Some(region(cloud)).filter(|region| region != "us-east-1");
            Ok(document("LocationConstraint", &json!(region.unwrap_or_default())))
        }
        Method::GET if target.has("versions") => list_versions(cloud, target),
        Method::GET if target.has("uploads") => multipart::list(cloud, target),
        Method::GET => list_objects(cloud, target),
        _ => Err(not_offered(request)),
    }
}

async fn on_object(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    match request.method {
        Method::GET if target.has("uploadId") => multipart::list_parts(cloud, target),
        Method::GET | Method::HEAD => get(cloud, request, target).await,
        Method::PUT if target.has("uploadId") && request.headers.contains_key("x-amz-copy-source") => {
            multipart::copy_part(cloud, request, target).await
        }
        Method::PUT if target.has("uploadId") => multipart::upload_part(cloud, request, target).await,
        Method::PUT if request.headers.contains_key("x-amz-copy-source") => copy(cloud, request, target).await,
        Method::PUT => put(cloud, request, target).await,
        Method::POST if target.has("uploads") => multipart::create(cloud, request, target),
        Method::POST if target.has("uploadId") => multipart::complete(cloud, request, target).await,
        Method::DELETE if target.has("uploadId") => multipart::abort(cloud, target),
        Method::DELETE => delete(cloud, target),
        _ => Err(not_offered(request)),
    }
}

fn not_offered(request: &Request) -> Fault {
    let message = format!("the local cloud does not offer {} {}?{}", request.method, request.path, request.query);
    Fault::new("NotImplemented", message).with_status(StatusCode::NOT_IMPLEMENTED)
}

fn region(cloud: &Cloud) -> String {
    cloud.read(|account| account.region.clone())
}

fn list_buckets(cloud: &Cloud) -> Response {
    let content = cloud.read(|account| {
        let buckets = account.s3.buckets.iter();
        let buckets = buckets.map(|(name, bucket)| json!({ "Name": name, "CreationDate": stamp(bucket.created) }));
        json!({ "Owner": { "ID": account.id }, "Buckets": { "Bucket": buckets.collect::<Vec<_>>() } })
    });
    document("ListAllMyBucketsResult", &content)
}

fn create_bucket(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    refuse_acl(request)?;
    let now = cloud.now();
    cloud.write(|account| account.s3.create(&target.bucket, now).map(drop))?;
    Ok(with_header(empty(StatusCode::OK), "location", &format!("/{}", target.bucket)))
}

/// Buckets have no access lists, as AWS makes them by default.
fn refuse_acl(request: &Request) -> Result<(), Fault> {
    match request.header("x-amz-acl") {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => Err(Fault::new("AccessControlListNotSupported", "The bucket does not allow ACLs")),
    }
}

fn on_setting(cloud: &Cloud, request: &Request, target: &Target, setting: &str) -> Result<Response, Fault> {
    match request.method {
        Method::GET => cloud.read(|account| shown(account.s3.bucket(&target.bucket)?, setting)),
        Method::PUT => {
            cloud.write(|account| change(account.s3.bucket_mut(&target.bucket)?, setting, &request.body))?;
            Ok(empty(if setting == "policy" { StatusCode::NO_CONTENT } else { StatusCode::OK }))
        }
        Method::DELETE => {
            cloud.write(|account| {
                let bucket = account.s3.bucket_mut(&target.bucket)?;
                bucket.settings.remove(setting);
                if setting == "policy" {
                    bucket.policy = None;
                }
                Ok::<_, Fault>(())
            })?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(not_offered(request)),
    }
}

fn shown(bucket: &Bucket, setting: &str) -> Result<Response, Fault> {
    match (setting, &bucket.policy) {
        ("policy", Some(policy)) => return Ok(text(StatusCode::OK, "application/json", policy.to_string())),
        ("versioning", _) => {
            let status = match bucket.versioning {
                Versioning::Off => None,
                Versioning::Enabled => Some("Enabled"),
                Versioning::Suspended => Some("Suspended"),
            };
            return Ok(document("VersioningConfiguration", &json!({ "Status": status })));
        }
        _ => {}
    }
    match bucket.settings.get(setting) {
        Some(body) => Ok(text(StatusCode::OK, "application/xml", body.clone())),
        None => unset(setting),
    }
}

/// What a bucket answers for a setting that nobody has made.
fn unset(setting: &str) -> Result<Response, Fault> {
    let missing = |code: &str, message: &str| Err(Fault::new(code, message).with_status(StatusCode::NOT_FOUND));
    match setting {
        "policy" => missing("NoSuchBucketPolicy", "The bucket policy does not exist"),
        "lifecycle" => missing("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        "tagging" => missing("NoSuchTagSet", "The TagSet does not exist"),
        "cors" => missing("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        "website" => {
            missing("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
        }
        "encryption" => Ok(document(
            "ServerSideEncryptionConfiguration",
            &json!({
                "Rule": { "ApplyServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" }, "BucketKeyEnabled": false },
            }),
        )),
        "publicAccessBlock" => Ok(document(
            "PublicAccessBlockConfiguration",
            &json!({
                "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true,
            }),
        )),
        "ownershipControls" => {
            Ok(document("OwnershipControls", &json!({ "Rule": { "ObjectOwnership": "BucketOwnerEnforced" } })))
        }
        "logging" => Ok(document("BucketLoggingStatus", &json!({}))),
        "notification" => Ok(document("NotificationConfiguration", &json!({}))),
        "accelerate" => Ok(document("AccelerateConfiguration", &json!({}))),
        _ => missing("NoSuchConfiguration", "The specified configuration does not exist."),
    }
}

fn change(bucket: &mut Bucket, setting: &str, body: &[u8]) -> Result<(), Fault> {
    match setting {
        "policy" => {
            let policy: Value = serde_json::from_slice(body)
                .map_err(|_| malformed_policy("Policies must be valid JSON and the first byte must be '{'"))?;
            Policy::parse_resource(&policy).map_err(|fault| malformed_policy(&fault.message))?;
            bucket.policy = Some(policy);
        }
        "versioning" => {
            bucket.versioning = match xml::parse(body)?.child("Status") {
                Some("Enabled") => Versioning::Enabled,
                Some("Suspended") => Versioning::Suspended,
                _ => {
                    return Err(Fault::new(
                        "IllegalVersioningConfigurationException",
                        "The Versioning element must be specified",
                    ));
                }
            };
        }
        _ => {
            xml::parse(body)?;
            bucket.settings.insert(setting.to_owned(), String::from_utf8_lossy(body).into_owned());
        }
    }
    Ok(())
}

fn malformed_policy(message: &str) -> Fault {
    Fault::new("MalformedPolicy", message)
}

async fn put(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    refuse_acl(request)?;
    check_key(&target.key)?;
    let checksum = checksum::verified(&request.headers, &request.body, Algorithm::default())?;
    let content = Content {
        file: content::write(cloud.data(), request.body.clone()).await.map_err(unwritable)?,
        size: request.body.len() as u64,
        etag: checksum::etag(&request.body),
        checksum: Some(checksum),
        headers: kept_headers(&request.headers),
    };
    let mut response = headed(empty(StatusCode::OK), &content);
    if let Some(id) = store(cloud, &request.headers, target, content)? {
        response = with_header(response, "x-amz-version-id", &id);
    }
    response.headers_mut().remove("content-type");
    Ok(response)
}

/// Makes a content the current version of the object, if the conditions in the headers hold. A content that finds no
/// place is removed.
pub(super) fn store(
    cloud: &Cloud,
    headers: &HeaderMap,
    target: &Target,
    content: Content,
) -> Result<Option<String>, Fault> {
    let (file, now) = (content.file.clone(), cloud.now());
    let stored = cloud.write(|account| {
        let bucket = account.s3.bucket_mut(&target.bucket)?;
        check_conditions(headers, bucket.content(&target.key, None).ok())?;
        Ok::<_, Fault>(bucket.put(&target.key, content, now))
    });
    match stored {
        Ok((id, replaced)) => {
            replaced.iter().for_each(|file| content::remove(cloud.data(), file));
            Ok(id)
        }
        Err(fault) => {
            content::remove(cloud.data(), &file);
            Err(fault)
        }
    }
}

fn check_conditions(headers: &HeaderMap, current: Option<&Content>) -> Result<(), Fault> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_current = |etag: &str| current.is_some_and(|content| content.etag == etag.trim_matches('"'));
    let holds = match (header("if-none-match"), header("if-match")) {
        (Some("*"), _) => current.is_none(),
        (_, Some(etag)) => is_current(etag),
        _ => true,
    };
    if holds { Ok(()) } else { Err(precondition_failed()) }
}

fn precondition_failed() -> Fault {
    let message = "At least one of the pre-conditions you specified did not hold";
    Fault::new("PreconditionFailed", message).with_status(StatusCode::PRECONDITION_FAILED)
}

pub(super) fn check_key(key: &str) -> Result<(), Fault> {
    if key.len() > 1024 { Err(Fault::new("KeyTooLongError", "Your key is too long")) } else { Ok(()) }
}

pub(super) fn unwritable(error: std::io::Error) -> Fault {
    let message = format!("the object could not be written: {error}");
    Fault::new("InternalError", message).with_status(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The content that a copy is made of.
pub(super) fn source(cloud: &Cloud, request: &Request) -> Result<Content, Fault> {
    let source = request.header("x-amz-copy-source").unwrap_or_default().trim_start_matches('/');
    let (path, version) = source.split_once("?versionId=").map_or((source, None), |(path, id)| (path, Some(id)));
    let path = percent_decode_str(path).decode_utf8_lossy();
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    cloud.read(|account| account.s3.bucket(bucket)?.content(key, version).cloned())
}

async fn copy(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    check_key(&target.key)?;
    let mut content = source(cloud, request)?;
    content.file = content::link(cloud.data(), &content.file).await.map_err(unwritable)?;
    if request.header("x-amz-metadata-directive") == Some("REPLACE") {
        content.headers = kept_headers(&request.headers);
    }
    let result = json!({ "ETag": quoted(&content.etag), "LastModified": stamp(cloud.now()) });
    let id = store(cloud, &request.headers, target, content)?;
    let response = document("CopyObjectResult", &result);
    Ok(match id {
        Some(id) => with_header(response, "x-amz-version-id", &id),
        None => response,
    })
}

async fn get(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    let asked = target.get("versionId");
    let (version, versioning) = cloud.read(|account| {
        let bucket = account.s3.bucket(&target.bucket)?;
        bucket.content(&target.key, asked)?;
        Ok::<_, Fault>((bucket.version(&target.key, asked)?.clone(), bucket.versioning))
    })?;
    let Version { id, content: Some(content), modified } = version else { return Err(no_bucket()) };
    if let Some(response) = unchanged(request, &content)? {
        return Ok(response);
    }
    let piece = request.header("range").map(|header| range(header, content.size)).transpose()?.flatten();
    let (start, length) = piece.unwrap_or((0, content.size));
    let body = match request.method {
        Method::HEAD => Body::empty(),
        _ => content::stream(cloud.data(), &content.file, start, length).await.map_err(unwritable)?,
    };
    let mut response = headed(Response::new(body), &content);
    if piece.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = start.saturating_add(length).saturating_sub(1);
        response = with_header(response, "content-range", &format!("bytes {start}-{last}/{}", content.size));
        // A checksum of the whole would not match a part.
        content.checksum.iter().for_each(|checksum| drop(response.headers_mut().remove(checksum.algorithm.header())));
    }
    if request.header("x-amz-checksum-mode").is_none() {
        content.checksum.iter().for_each(|checksum| drop(response.headers_mut().remove(checksum.algorithm.header())));
    }
    if versioning != Versioning::Off {
        response = with_header(response, "x-amz-version-id", &id);
    }
    response = with_header(response, "content-length", &length.to_string());
    response = with_header(response, "accept-ranges", "bytes");
    Ok(with_header(response, "last-modified", &http_date(modified)))
}

/// The answer to a conditional request whose condition decides it.
fn unchanged(request: &Request, content: &Content) -> Result<Option<Response>, Fault> {
    let is_current = |etag: &str| etag == "*" || etag.trim_matches('"') == content.etag;
    if request.header("if-match").is_some_and(|etag| !is_current(etag)) {
        return Err(precondition_failed());
    }
    let is_known = request.header("if-none-match").is_some_and(is_current);
    Ok(is_known.then(|| with_header(empty(StatusCode::NOT_MODIFIED), "etag", &quoted(&content.etag))))
}

/// Adds what is known of a content.
pub(super) fn headed(mut response: Response, content: &Content) -> Response {
    for (name, value) in &content.headers {
        if let Ok(name) = http::HeaderName::try_from(name.as_str()) {
            response.headers_mut().insert(name, header_value(value));
        }
    }
    if let Some(checksum) = &content.checksum {
        response = with_header(response, &checksum.algorithm.header(), &checksum.value);
        response = with_header(response, "x-amz-checksum-type", checksum.kind());
    }
    response = with_header(response, "x-amz-server-side-encryption", "AES256");
    with_header(response, "etag", &quoted(&content.etag))
}

fn delete(cloud: &Cloud, target: &Target) -> Result<Response, Fault> {
    let now = cloud.now();
    let deleted = cloud.write(|account| {
        let bucket = account.s3.bucket_mut(&target.bucket)?;
        Ok::<_, Fault>(bucket.delete(&target.key, target.get("versionId"), now))
    })?;
    deleted.files.iter().for_each(|file| content::remove(cloud.data(), file));
    let mut response = empty(StatusCode::NO_CONTENT);
    if let Some(version) = &deleted.version {
        response = with_header(response, "x-amz-version-id", version);
    }
    if deleted.marker {
        response = with_header(response, "x-amz-delete-marker", "true");
    }
    Ok(response)
}

fn delete_many(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    let root = xml::parse(&request.body)?;
    let objects: Vec<(&str, Option<&str>)> =
        root.all("Object").map(|object| (object.child("Key").unwrap_or_default(), object.child("VersionId"))).collect();
    if objects.is_empty() || objects.len() > 1000 {
        return Err(Fault::new(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    let now = cloud.now();
    let deleted: Vec<Deleted> = cloud.write(|account| {
        let bucket = account.s3.bucket_mut(&target.bucket)?;
        Ok::<_, Fault>(objects.iter().map(|(key, version)| bucket.delete(key, *version, now)).collect())
    })?;
    deleted.iter().flat_map(|deleted| &deleted.files).for_each(|file| content::remove(cloud.data(), file));
    let quiet = root.child("Quiet") == Some("true");
    let shown = objects.iter().zip(&deleted).filter(|_| !quiet);
    let shown: Vec<Value> = shown.map(|((key, version), deleted)| described_deletion(key, *version, deleted)).collect();
    Ok(document("DeleteResult", &json!({ "Deleted": shown })))
}

fn described_deletion(key: &str, version: Option<&str>, deleted: &Deleted) -> Value {
    json!({
        "Key": key, "VersionId": version, "DeleteMarker": deleted.marker.then_some(true),
        "DeleteMarkerVersionId": deleted.version.as_ref().filter(|_| deleted.marker),
    })
}

fn list_objects(cloud: &Cloud, target: &Target) -> Result<Response, Fault> {
    let is_second = target.get("list-type") == Some("2");
    let after = if is_second {
        let token = target.get("continuation-token").map(decoded_token).transpose()?;
        token.unwrap_or_else(|| target.get("start-after").unwrap_or_default().to_owned())
    } else {
        target.get("marker").unwrap_or_default().to_owned()
    };
    let listing = Listing::of(target, &after);
    cloud.read(|account| {
        let bucket = account.s3.bucket(&target.bucket)?;
        let current = bucket.objects.iter().filter_map(|(key, versions)| {
            let version = versions.last()?;
            Some((key, (version.content.as_ref()?, version.modified)))
        });
        let listed = listing.page(current);
        let shown = |text: &str| encoded(target, text);
        let contents: Vec<Value> = listed
            .items
            .iter()
            .map(|(key, (content, modified))| {
                json!({
                    "Key": shown(key), "LastModified": stamp(*modified), "ETag": quoted(&content.etag),
                    "Size": content.size, "StorageClass": "STANDARD",
                    "ChecksumAlgorithm": content.checksum.as_ref().map(|checksum| checksum.algorithm.name()),
                    "ChecksumType": content.checksum.as_ref().map(checksum::Checksum::kind),
                })
            })
            .collect();
        let prefixes: Vec<Value> = listed.prefixes.iter().map(|prefix| json!({ "Prefix": shown(prefix) })).collect();
        let mut result = listing_head(target, &listing, listed.next.is_some());
        result["Contents"] = json!(contents);
        result["CommonPrefixes"] = json!(prefixes);
        if is_second {
            result["KeyCount"] = json!(listed.items.len() + listed.prefixes.len());
            result["ContinuationToken"] = json!(target.get("continuation-token"));
            result["NextContinuationToken"] = json!(listed.next.as_deref().map(hex::encode));
            result["StartAfter"] = json!(target.get("start-after").map(shown));
        } else {
            result["Marker"] = json!(shown(&after));
            result["NextMarker"] = json!(listed.next.as_deref().map(shown));
        }
        Ok(document("ListBucketResult", &result))
    })
}

fn decoded_token(token: &str) -> Result<String, Fault> {
    let bytes = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    bytes.ok_or_else(|| Fault::new("InvalidArgument", "The continuation token provided is incorrect"))
}

fn listing_head(target: &Target, listing: &Listing, is_truncated: bool) -> Value {
    json!({
        "Name": target.bucket, "Prefix": encoded(target, &listing.prefix), "MaxKeys": listing.limit,
        "Delimiter": listing.delimiter.as_deref().map(|delimiter| encoded(target, delimiter)),
        "EncodingType": target.get("encoding-type"), "IsTruncated": is_truncated,
    })
}

fn list_versions(cloud: &Cloud, target: &Target) -> Result<Response, Fault> {
    let listing = Listing::of(target, target.get("key-marker").unwrap_or_default());
    cloud.read(|account| {
        let bucket = account.s3.bucket(&target.bucket)?;
        let listed = listing.page(bucket.objects.iter());
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        for (key, held) in &listed.items {
            for (age, version) in held.iter().rev().enumerate() {
                let described = described_version(&encoded(target, key), version, age == 0);
                if version.content.is_some() { versions.push(described) } else { markers.push(described) }
            }
        }
        let prefixes: Vec<Value> =
            listed.prefixes.iter().map(|prefix| json!({ "Prefix": encoded(target, prefix) })).collect();
        let mut result = listing_head(target, &listing, listed.next.is_some());
        result["KeyMarker"] = json!(encoded(target, &listing.after));
        result["NextKeyMarker"] = json!(listed.next.as_deref().map(|next| encoded(target, next)));
        // All versions of a key are on one page, so that a key is enough to go on from.
        result["NextVersionIdMarker"] = json!(listed.next.is_some().then_some(""));
        result["Version"] = json!(versions);
        result["DeleteMarker"] = json!(markers);
        result["CommonPrefixes"] = json!(prefixes);
        Ok(document("ListVersionsResult", &result))
    })
}

fn described_version(key: &str, version: &Version, is_latest: bool) -> Value {
    let content = version.content.as_ref();
    json!({
        "Key": key, "VersionId": version.id, "IsLatest": is_latest, "LastModified": stamp(version.modified),
        "ETag": content.map(|content| quoted(&content.etag)), "Size": content.map(|content| content.size),
        "StorageClass": content.map(|_| "STANDARD"),
    })
}

fn encoded(target: &Target, text: &str) -> String {
    match target.get("encoding-type") {
        Some("url") => utf8_percent_encode(text, ENCODED).to_string(),
        _ => text.to_owned(),
    }
}

pub(super) fn document(root: &str, content: &Value) -> Response {
    text(StatusCode::OK, "application/xml", xml::document(root, Some(NAMESPACE), content, xml::Lists::Flat))
}

pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

pub(super) fn with_header(mut response: Response, name: &str, value: &str) -> Response {
    if let Ok(name) = http::HeaderName::try_from(name) {
        response.headers_mut().insert(name, header_value(value));
    }
    response
}

pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

pub(super) fn stamp(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}

fn http_date(time: OffsetDateTime) -> String {
    const FORM: &[BorrowedFormatItem<'_>] =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    time.format(FORM).unwrap_or_default()
}
