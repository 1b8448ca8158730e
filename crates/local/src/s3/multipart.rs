//! Uploads in parts.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::api::{check_key, document, empty, quoted, source, stamp, store, unwritable, with_header};
use super::checksum::{self, Algorithm, Checksum};
use super::content;
use super::object::{Content, kept_headers, range};
use super::target::Target;
use crate::cloud::{Account, Cloud};
use crate::wire::{Fault, Request, Response, xml};

/// An upload that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Upload {
    key: String,
    #[serde(with = "time::serde::rfc3339")]
    started: OffsetDateTime,
    headers: BTreeMap<String, String>,
    algorithm: Algorithm,
    /// Whether the checksum of the whole is one of checksums.
    composite: bool,
    parts: BTreeMap<u32, Part>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    file: String,
    size: u64,
    etag: String,
    checksum: Checksum,
    #[serde(with = "time::serde::rfc3339")]
    modified: OffsetDateTime,
}

/// Smallest size of every part but the last.
const SMALLEST_PART: u64 = 5 << 20;

impl Upload {
    pub(super) fn files(&self) -> impl Iterator<Item = String> {
        self.parts.values().map(|part| part.file.clone())
    }
}

fn find<'a>(account: &'a Account, target: &Target) -> Result<&'a Upload, Fault> {
    let uploads = &account.s3.bucket(&target.bucket)?.uploads;
    let upload = target.get("uploadId").and_then(|id| uploads.get(id));
    upload.filter(|upload| upload.key == target.key).ok_or_else(no_upload)
}

fn no_upload() -> Fault {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    Fault::new("NoSuchUpload", message).with_status(StatusCode::NOT_FOUND)
}

pub(super) fn create(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    check_key(&target.key)?;
    let asked = request.header("x-amz-checksum-algorithm").and_then(Algorithm::named);
    let algorithm = asked.unwrap_or_default();
    let whole = request.header("x-amz-checksum-type") == Some("FULL_OBJECT");
    let composite = algorithm != Algorithm::Crc64Nvme && !whole;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (headers, started) = (kept_headers(&request.headers), cloud.now());
    let upload = Upload { key: target.key.clone(), started, headers, algorithm, composite, parts: BTreeMap::new() };
    cloud.write(|account| {
        account.s3.bucket_mut(&target.bucket)?.uploads.insert(id.clone(), upload);
        Ok::<_, Fault>(())
    })?;
    let result = json!({ "Bucket": target.bucket, "Key": target.key, "UploadId": id });
    let response = document("InitiateMultipartUploadResult", &result);
    Ok(match asked {
        Some(algorithm) => {
            let response = with_header(response, "x-amz-checksum-algorithm", algorithm.name());
            with_header(response, "x-amz-checksum-type", if composite { "COMPOSITE" } else { "FULL_OBJECT" })
        }
        None => response,
    })
}

pub(super) async fn upload_part(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    let part = keep_part(cloud, request, target).await?;
    let response = with_header(empty(StatusCode::OK), "etag", &quoted(&part.etag));
    Ok(with_header(response, &part.checksum.algorithm.header(), &part.checksum.value))
}

/// Makes a part of another object, or of a range of it.
pub(super) async fn copy_part(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    let source = source(cloud, request)?;
    let piece = request.header("x-amz-copy-source-range").map(|header| range(header, source.size)).transpose()?;
    let (start, length) = piece.flatten().unwrap_or((0, source.size));
    let body = content::read(cloud.data(), &source.file, start, length).await.map_err(unwritable)?;
    let part = keep_part(cloud, &Request { body, ..request.clone() }, target).await?;
    let result = json!({ "ETag": quoted(&part.etag), "LastModified": stamp(part.modified) });
    Ok(document("CopyPartResult", &result))
}

async fn keep_part(cloud: &Cloud, request: &Request, target: &Target) -> Result<Part, Fault> {
    let number = target.get("partNumber").and_then(|number| number.parse().ok());
    let number: u32 = number.filter(|number| (1..=10_000).contains(number)).ok_or_else(|| {
        Fault::new("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    })?;
    let algorithm = cloud.read(|account| find(account, target).map(|upload| upload.algorithm))?;
    let stated = checksum::verified(&request.headers, &request.body, algorithm)?;
    let part = Part {
        file: content::write(cloud.data(), request.body.clone()).await.map_err(unwritable)?,
        size: request.body.len() as u64,
        etag: checksum::etag(&request.body),
        checksum: if stated.algorithm == algorithm { stated } else { algorithm.of(&request.body) },
        modified: cloud.now(),
    };
    let kept = cloud.write(|account| {
        find(account, target)?;
        let uploads = &mut account.s3.bucket_mut(&target.bucket)?.uploads;
        let upload = target.get("uploadId").and_then(|id| uploads.get_mut(id)).ok_or_else(no_upload)?;
        Ok::<_, Fault>(upload.parts.insert(number, part.clone()))
    });
    match kept {
        Ok(replaced) => {
            replaced.iter().for_each(|part| content::remove(cloud.data(), &part.file));
            Ok(part)
        }
        Err(fault) => {
            content::remove(cloud.data(), &part.file);
            Err(fault)
        }
    }
}

pub(super) async fn complete(cloud: &Cloud, request: &Request, target: &Target) -> Result<Response, Fault> {
    let upload = cloud.read(|account| find(account, target).cloned())?;
    let parts = chosen(&upload, &xml::parse(&request.body)?)?;
    let files = parts.iter().map(|part| part.file.clone()).collect();
    let etags: Vec<String> = parts.iter().map(|part| part.etag.clone()).collect();
    let checksums: Vec<(Checksum, u64)> = parts.iter().map(|part| (part.checksum.clone(), part.size)).collect();
    let content = Content {
        file: content::concatenate(cloud.data(), files).await.map_err(unwritable)?,
        size: parts.iter().map(|part| part.size).sum(),
        etag: checksum::etag_of_parts(&etags),
        checksum: upload.algorithm.of_parts(&checksums, upload.composite),
        headers: upload.headers.clone(),
    };
    let location = format!("{}/{}/{}", cloud.endpoint(), target.bucket, target.key);
    let mut result =
        json!({ "Location": location, "Bucket": target.bucket, "Key": target.key, "ETag": quoted(&content.etag) });
    if let Some(checksum) = &content.checksum {
        result[checksum.algorithm.element()] = json!(checksum.value);
        result["ChecksumType"] = json!(checksum.kind());
    }
    let version = store(cloud, &request.headers, target, content)?;
    remove(cloud, target)?;
    let response = document("CompleteMultipartUploadResult", &result);
    Ok(match version {
        Some(id) => with_header(response, "x-amz-version-id", &id),
        None => response,
    })
}

/// The parts that a client wants to be the object, in their order.
fn chosen(upload: &Upload, request: &xml::Element) -> Result<Vec<Part>, Fault> {
    let invalid = || {
        let message = "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
        Fault::new("InvalidPart", message)
    };
    let mut previous = 0;
    let mut parts: Vec<Part> = Vec::new();
    for asked in request.all("Part") {
        let number: u32 = asked.child("PartNumber").and_then(|number| number.parse().ok()).ok_or_else(invalid)?;
        if number <= previous {
            let message = "The list of parts was not in ascending order. The parts list must be specified in order by part number.";
            return Err(Fault::new("InvalidPartOrder", message));
        }
        previous = number;
        let part = upload.parts.get(&number).ok_or_else(invalid)?;
        if asked.child("ETag").is_some_and(|etag| etag.trim_matches('"') != part.etag) {
            return Err(invalid());
        }
        parts.push(part.clone());
    }
    match parts.split_last() {
        None => Err(Fault::new(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )),
        Some((_, others)) if others.iter().any(|part| part.size < SMALLEST_PART) => {
            Err(Fault::new("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"))
        }
        Some(_) => Ok(parts),
    }
}

pub(super) fn abort(cloud: &Cloud, target: &Target) -> Result<Response, Fault> {
    cloud.read(|account| find(account, target).map(drop))?;
    remove(cloud, target)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn remove(cloud: &Cloud, target: &Target) -> Result<(), Fault> {
    let upload = cloud.write(|account| {
        let uploads = &mut account.s3.bucket_mut(&target.bucket)?.uploads;
        Ok::<_, Fault>(target.get("uploadId").and_then(|id| uploads.remove(id)))
    })?;
    upload.iter().flat_map(Upload::files).for_each(|file| content::remove(cloud.data(), &file));
    Ok(())
}

pub(super) fn list_parts(cloud: &Cloud, target: &Target) -> Result<Response, Fault> {
    cloud.read(|account| {
        let upload = find(account, target)?;
        let parts: Vec<Value> = upload.parts.iter().map(|(number, part)| json!({
            "PartNumber": number, "ETag": quoted(&part.etag), "Size": part.size, "LastModified": stamp(part.modified),
            part.checksum.algorithm.element(): part.checksum.value,
        })).collect();
        Ok(document(
            "ListPartsResult",
            &json!({
                "Bucket": target.bucket, "Key": target.key, "UploadId": target.get("uploadId"),
                "MaxParts": 10_000, "IsTruncated": false, "Part": parts, "StorageClass": "STANDARD",
            }),
        ))
    })
}

pub(super) fn list(cloud: &Cloud, target: &Target) -> Result<Response, Fault> {
    cloud.read(|account| {
        let uploads = account.s3.bucket(&target.bucket)?.uploads.iter();
        let uploads: Vec<Value> = uploads
            .map(|(id, upload)| {
                json!({
                    "Key": upload.key, "UploadId": id, "Initiated": stamp(upload.started), "StorageClass": "STANDARD",
                })
            })
            .collect();
        let result = json!({ "Bucket": target.bucket, "MaxUploads": 1000, "IsTruncated": false, "Upload": uploads });
        Ok(document("ListMultipartUploadsResult", &result))
    })
}
