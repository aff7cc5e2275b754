//! Objects of S3, in memory: put whole or in parts, read whole or in part, listed, deleted. One version each.
//!
//! Whether the bucket is there and the caller's is decided in `s3`.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::s3::root;
use super::{Answer, AwsError, Call, Outcome};
use crate::access::sessions::hex;
use crate::wire::xml::Element;

/// What listings leave as it is when asked to encode keys.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The objects of all buckets, and buckets that were made by calls.
#[derive(Default)]
pub(crate) struct Objects {
    buckets: Mutex<HashMap<String, BTreeMap<String, Object>>>,
    /// Account and region.
    made: Mutex<HashMap<String, (String, String)>>,
    uploads: Mutex<HashMap<String, BTreeMap<u64, Bytes>>>,
    numbers: AtomicU64,
}

#[derive(Clone)]
struct Object {
    body: Bytes,
    tag: String,
    modified: Timestamp,
    /// Headers kept as they were sent: the type, metadata and checksums.
    headers: Vec<(String, String)>,
}

impl Objects {
    /// Account and region of a bucket that was made by a call.
    pub(crate) fn created(&self, bucket: &str) -> Option<(String, String)> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned()
    }
}

pub(super) fn create_bucket(call: &Call<'_>) -> Outcome {
    let name = call.text("Bucket").unwrap_or_default();
    let mut made = call.world.objects.made.lock().unwrap_or_else(PoisonError::into_inner);
    if call.world.estate.owner(name).is_some() || made.contains_key(name) {
        return Err(AwsError::new("BucketAlreadyExists", 409, "The requested bucket name is not available."));
    }
    made.insert(name.to_owned(), (call.account.to_owned(), call.region.to_owned()));
    Ok(headers(200, vec![("location", format!("/{name}"))]))
}

/// A call on the objects of a bucket.
pub(super) fn answer(call: &Call<'_>, bucket: &str) -> Outcome {
    let key = call.text("Key").unwrap_or_default();
    match call.operation {
        "PutObject" => put(call, bucket, key, Bytes::copy_from_slice(call.body)),
        "GetObject" | "HeadObject" => get(call, bucket, key),
        "DeleteObject" => {
            with(call, bucket, |objects| objects.remove(key));
            Ok(headers(204, Vec::new()))
        }
        "ListObjectsV2" => list(call, bucket),
        "CreateMultipartUpload" => {
            let id = format!("upload-{}", call.world.objects.numbers.fetch_add(1, Ordering::Relaxed));
            uploads(call).insert(id.clone(), BTreeMap::new());
            let result = root("InitiateMultipartUploadResult").with("Bucket", bucket).with("Key", key);
            Ok(Answer::Xml(result.with("UploadId", id)))
        }
        "UploadPart" => {
            let number = call.number("PartNumber").unwrap_or(0);
            let tag = tag(call.body);
            upload(call, |parts| parts.insert(number, Bytes::copy_from_slice(call.body)))?;
            Ok(headers(200, vec![("etag", tag)]))
        }
        "CompleteMultipartUpload" => {
            let parts = upload(call, std::mem::take)?;
            uploads(call).remove(call.text("UploadId").unwrap_or_default());
            let whole: Vec<u8> = parts.into_values().flatten().collect();
            put(call, bucket, key, whole.into())?;
            let tag = with(call, bucket, |objects| objects.get(key).map(|object| object.tag.clone()));
            let result = root("CompleteMultipartUploadResult").with("Bucket", bucket).with("Key", key);
            Ok(Answer::Xml(result.maybe("ETag", tag)))
        }
        "AbortMultipartUpload" => {
            uploads(call).remove(call.text("UploadId").unwrap_or_default());
            Ok(headers(204, Vec::new()))
        }
        _ => Err(AwsError::new("NotImplemented", 501, format!("{} is not simulated", call.operation))),
    }
}

fn with<T>(call: &Call<'_>, bucket: &str, run: impl FnOnce(&mut BTreeMap<String, Object>) -> T) -> T {
    let mut buckets = call.world.objects.buckets.lock().unwrap_or_else(PoisonError::into_inner);
    run(buckets.entry(bucket.to_owned()).or_default())
}

fn uploads<'a>(call: &Call<'a>) -> std::sync::MutexGuard<'a, HashMap<String, BTreeMap<u64, Bytes>>> {
    call.world.objects.uploads.lock().unwrap_or_else(PoisonError::into_inner)
}

fn upload<T>(call: &Call<'_>, run: impl FnOnce(&mut BTreeMap<u64, Bytes>) -> T) -> Result<T, AwsError> {
    let id = call.text("UploadId").unwrap_or_default();
    let gone = || AwsError::new("NoSuchUpload", 404, "The specified upload does not exist.");
    uploads(call).get_mut(id).map(run).ok_or_else(gone)
}

fn headers(status: u16, headers: Vec<(&'static str, String)>) -> Answer {
    Answer::Bytes { status, headers, body: Bytes::new() }
}

fn tag(body: &[u8]) -> String {
    let digest = hex(&Sha256::digest(body));
    format!("\"{}\"", digest.get(..32).unwrap_or_default())
}

/// `If-None-Match: *` and `If-Match` are honoured, all at once with the writing.
fn put(call: &Call<'_>, bucket: &str, key: &str, body: Bytes) -> Outcome {
    let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
    let kept =
        |name: &str| name == "content-type" || name.starts_with("x-amz-meta-") || name.starts_with("x-amz-checksum-");
    let sent = call.headers.iter().filter(|(name, _)| kept(name.as_str()));
    let headers_kept =
        sent.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let object = Object { tag: tag(&body), body, modified: call.world.now(), headers: headers_kept.collect() };
    let tag = object.tag.clone();
    with(call, bucket, |objects| {
        let there = objects.get(key).map(|object| object.tag.as_str());
        let fits = match (header("if-none-match"), header("if-match")) {
            (Some("*"), _) => there.is_none(),
            (_, Some(wanted)) => there == Some(wanted),
            _ => true,
        };
        if fits {
            objects.insert(key.to_owned(), object);
            Ok(headers(200, vec![("etag", tag)]))
        } else {
            let message = "At least one of the pre-conditions you specified did not hold";
            Err(AwsError::new("PreconditionFailed", 412, message))
        }
    })
}

fn get(call: &Call<'_>, bucket: &str, key: &str) -> Outcome {
    let Some(object) = with(call, bucket, |objects| objects.get(key).cloned()) else {
        return Err(AwsError::new("NoSuchKey", 404, "The specified key does not exist."));
    };
    let whole = object.body.len();
    let range = call.headers.get("range").and_then(|range| range.to_str().ok()).map(|range| part(range, whole));
    let mut sent = vec![
        ("etag", object.tag.clone()),
        ("last-modified", object.modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        ("accept-ranges", "bytes".to_owned()),
    ];
    for (name, value) in &object.headers {
        match name.as_str() {
            "content-type" => sent.push(("content-type", value.clone())),
            // A checksum is of the whole.
            "x-amz-checksum-crc32" if range.is_none() => sent.push(("x-amz-checksum-crc32", value.clone())),
            "x-amz-checksum-sha256" if range.is_none() => sent.push(("x-amz-checksum-sha256", value.clone())),
            _ => {}
        }
    }
    let (status, body) = match range {
        None => (200, object.body),
        Some(Some((from, to))) => {
            sent.push(("content-range", format!("bytes {from}-{}/{whole}", to - 1)));
            (206, object.body.slice(from..to))
        }
        Some(None) => return Err(AwsError::new("InvalidRange", 416, "The requested range is not satisfiable")),
    };
    if call.operation == "HeadObject" {
        sent.push(("content-length", body.len().to_string()));
        return Ok(Answer::Bytes { status, headers: sent, body: Bytes::new() });
    }
    Ok(Answer::Bytes { status, headers: sent, body })
}

/// The bytes a `bytes=` header asks for, the last one exclusive.
fn part(range: &str, whole: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) => (from, to.saturating_add(1).min(whole)),
        (Ok(from), Err(_)) => (from, whole),
        (Err(_), Ok(last)) => (whole.saturating_sub(last), whole),
        _ => return None,
    };
    (from < to).then_some((from, to))
}

fn list(call: &Call<'_>, bucket: &str) -> Outcome {
    let prefix = call.text("Prefix").unwrap_or("");
    let delimiter = call.text("Delimiter").filter(|delimiter| !delimiter.is_empty());
    let most = call.number("MaxKeys").unwrap_or(1000).min(1000) as usize;
    let after = call.text("ContinuationToken").or_else(|| call.text("StartAfter")).unwrap_or("");
    let encode = call.text("EncodingType") == Some("url");
    let written = |text: &str| if encode { utf8_percent_encode(text, PLAIN).to_string() } else { text.to_owned() };

    let mut contents = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut last = String::new();
    let mut more = false;
    with(call, bucket, |objects| {
        for (key, object) in objects.range::<str, _>((Bound::Excluded(after), Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            let end = delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
            let common = end.and_then(|end| Some(format!("{prefix}{}", rest.get(..end)?)));
            if common.is_some() && (common.as_ref() == prefixes.last() || common.as_deref() == Some(after)) {
                last.clone_from(key);
                continue;
            }
            if contents.len() + prefixes.len() == most {
                more = true;
                break;
            }
            last.clone_from(key);
            match common {
                Some(common) => prefixes.push(common),
                None => contents.push(
                    Element::new("Contents")
                        .with("Key", written(key))
                        .with("LastModified", timestamp(object.modified))
                        .with("ETag", object.tag.as_str())
                        .with("Size", object.body.len().to_string())
                        .with("StorageClass", "STANDARD"),
                ),
            }
        }
    });
    let count = contents.len() + prefixes.len();
    let common = prefixes.iter().map(|prefix| Element::new("CommonPrefixes").with("Prefix", written(prefix)));
    let result = root("ListBucketResult")
        .with("Name", bucket)
        .with("Prefix", written(prefix))
        .with("KeyCount", count.to_string())
        .with("MaxKeys", most.to_string())
        .maybe("Delimiter", delimiter.map(written))
        .maybe("EncodingType", encode.then_some("url"))
        .with("IsTruncated", more.to_string())
        .maybe("NextContinuationToken", more.then_some(last))
        .children(contents)
        .children(common);
    Ok(Answer::Xml(result))
}

/// As S3 writes times.
pub(super) fn timestamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}
