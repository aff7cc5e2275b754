//! S3's own REST-XML, with the bucket in the path: the operation is in method, path and query.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use hyper::Method;
use serde_json::{Map, Value};

use super::xml::{self, Element};
use super::{Reply, Request, decoded, parameters};
use crate::services::AwsError;

/// Query parameters that choose an operation on a bucket read with GET.
const SUBRESOURCES: &[(&str, &str)] = &[
    ("accelerate", "GetBucketAccelerateConfiguration"),
    ("acl", "GetBucketAcl"),
    ("encryption", "GetBucketEncryption"),
    ("lifecycle", "GetBucketLifecycleConfiguration"),
    ("location", "GetBucketLocation"),
    ("logging", "GetBucketLogging"),
    ("notification", "GetBucketNotificationConfiguration"),
    ("object-lock", "GetObjectLockConfiguration"),
    ("ownershipControls", "GetBucketOwnershipControls"),
    ("policy", "GetBucketPolicy"),
    ("policyStatus", "GetBucketPolicyStatus"),
    ("publicAccessBlock", "GetPublicAccessBlock"),
    ("replication", "GetBucketReplication"),
    ("tagging", "GetBucketTagging"),
    ("versioning", "GetBucketVersioning"),
    ("versions", "ListObjectVersions"),
    ("uploads", "ListMultipartUploads"),
];

/// Headers and query parameters that are members of an input.
const MEMBERS: &[(&str, &str)] = &[
    ("bucket-region", "BucketRegion"),
    ("continuation-token", "ContinuationToken"),
    ("delimiter", "Delimiter"),
    ("encoding-type", "EncodingType"),
    ("max-buckets", "MaxBuckets"),
    ("max-keys", "MaxKeys"),
    ("part-number-marker", "PartNumberMarker"),
    ("partNumber", "PartNumber"),
    ("prefix", "Prefix"),
    ("start-after", "StartAfter"),
    ("uploadId", "UploadId"),
    ("versionId", "VersionId"),
];

pub(super) fn read(request: &Request) -> Result<(String, Value), AwsError> {
    let path = request.path.strip_prefix('/').unwrap_or(&request.path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query = parameters(request.query.as_bytes());
    let has = |name: &str| query.iter().any(|(given, _)| given == name);

    let operation = match (&request.method, bucket.is_empty(), key.is_empty()) {
        (&Method::GET, true, _) => "ListBuckets",
        (&Method::HEAD, false, true) => "HeadBucket",
        (&Method::PUT, false, true) if query.iter().all(|(name, _)| name.starts_with("x-")) => "CreateBucket",
        (&Method::GET, false, true) => match SUBRESOURCES.iter().find(|(name, _)| has(name)) {
            Some((_, operation)) => operation,
            None if query.iter().any(|(name, value)| name == "list-type" && value == "2") => "ListObjectsV2",
            None => "ListObjects",
        },
        (&Method::POST, false, true) if has("delete") => "DeleteObjects",
        (&Method::GET, false, false) if has("tagging") => "GetObjectTagging",
        (&Method::GET, false, false) if has("uploadId") => "ListParts",
        (&Method::GET, false, false) => "GetObject",
        (&Method::HEAD, false, false) => "HeadObject",
        (&Method::PUT, false, false) if has("uploadId") => "UploadPart",
        (&Method::PUT, false, false) if request.headers.contains_key("x-amz-copy-source") => "CopyObject",
        (&Method::PUT, false, false) => "PutObject",
        (&Method::DELETE, false, false) if has("uploadId") => "AbortMultipartUpload",
        (&Method::DELETE, false, false) => "DeleteObject",
        (&Method::POST, false, false) if has("uploads") => "CreateMultipartUpload",
        (&Method::POST, false, false) if has("uploadId") => "CompleteMultipartUpload",
        _ => return Err(AwsError::new("MethodNotAllowed", 405, "The specified method is not allowed")),
    };

    let mut input = Map::new();
    for (name, member) in [(bucket, "Bucket"), (key, "Key")] {
        if !name.is_empty() {
            input.insert(member.to_owned(), Value::from(decoded(name)));
        }
    }
    for (name, value) in query {
        if let Some((_, member)) = MEMBERS.iter().find(|(known, _)| *known == name) {
            input.insert((*member).to_owned(), Value::from(value));
        }
    }
    if let Some(owner) = request.header("x-amz-expected-bucket-owner") {
        input.insert("ExpectedBucketOwner".to_owned(), Value::from(owner));
    }
    Ok((operation.to_owned(), Value::Object(input)))
}

pub(super) fn failure(id: &str, error: &AwsError) -> Reply {
    let root = Element::new("Error")
        .with("Code", error.code.as_str())
        .with("Message", error.message.as_str())
        .with("RequestId", id)
        .with("HostId", id);
    let headers = vec![("content-type", "application/xml".to_owned())];
    Reply { status: error.status, headers, body: xml::document(&root).into() }
}

/// The payload of a body sent in signed or unsigned chunks, as SDKs do with streams
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>). Signatures of chunks are not verified.
pub(crate) fn unchunked(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = body;
    let mut payload = Vec::with_capacity(body.len());
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        rest = rest.get(end + 2..)?;
        if size == 0 {
            return Some(payload);
        }
        payload.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
