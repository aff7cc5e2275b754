//! S3: buckets and their settings.
//!
//! Objects are in `objects`. Nothing is served by virtual host, and no bucket policy admits anybody.

use serde_json::Value;

use super::objects::{self, timestamp};
use super::{Answer, AwsError, Call, Outcome};
use crate::estate::Bucket;
use crate::hash::Fnv;
use crate::wire::xml::{self, Element};

pub(super) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    match call.operation {
        "ListBuckets" => return list_buckets(call),
        "CreateBucket" => return objects::create_bucket(call),
        _ => {}
    }
    let name = call.text("Bucket").unwrap_or_default();
    let found = Found::find(call, name)?;
    if found.region != call.region && call.operation != "GetBucketLocation" {
        return Ok(redirect(call, name, found.region));
    }
    match call.operation {
        "HeadBucket" => {
            let headers = vec![
                ("x-amz-bucket-region", found.region.to_owned()),
                ("x-amz-bucket-arn", format!("arn:aws:s3:::{name}")),
            ];
            Ok(Answer::Bytes { status: 200, headers, body: bytes::Bytes::new() })
        }
        "GetBucketLocation" => {
            let region = if found.region == "us-east-1" { "" } else { found.region };
            Ok(Answer::Xml(Element::text("LocationConstraint", region).attribute("xmlns", NAMESPACE)))
        }
        _ => match setting(call, found.bucket.unwrap_or(&Bucket::default()), found.owner) {
            Some(outcome) => outcome,
            None => objects::answer(call, name),
        },
    }
}

/// A bucket that the caller may look at.
struct Found<'a> {
    owner: &'a str,
    region: &'a str,
    /// None for one that was made by a call and that no estate describes.
    bucket: Option<&'a Bucket>,
}

impl<'a> Found<'a> {
    fn find(call: &Call<'a>, name: &str) -> Result<Self, AwsError> {
        let (estate, objects) = (&call.world.estate, &call.world.objects);
        let described = estate.owner(name).and_then(|owner| Some((owner, owner.buckets.get(name)?)));
        let found = match (described, objects.created(name)) {
            (Some((owner, bucket)), _) => {
                Self { owner: owner.id.as_str(), region: bucket.region.as_str(), bucket: Some(bucket) }
            }
            // Only the account that made it can see it, so the two are the caller's.
            (None, Some((owner, region))) if owner == call.account => {
                let region = if region == call.region { call.region } else { "us-east-1" };
                Self { owner: call.account, region, bucket: None }
            }
            (None, Some(_)) => return Err(denied()),
            (None, None) => return Err(AwsError::new("NoSuchBucket", 404, "The specified bucket does not exist")),
        };
        let expected = call.text("ExpectedBucketOwner").is_none_or(|owner| owner == found.owner);
        if found.owner == call.account && expected { Ok(found) } else { Err(denied()) }
    }
}

fn denied() -> AwsError {
    AwsError::new("AccessDenied", 403, "Access Denied")
}

/// A bucket answers in its own region only.
fn redirect(call: &Call<'_>, name: &str, region: &str) -> Answer {
    let message = "The bucket you are attempting to access must be addressed using the specified endpoint. \
                   Please send all future requests to this endpoint.";
    let error = Element::new("Error")
        .with("Code", "PermanentRedirect")
        .with("Message", message)
        .with("Bucket", name)
        .with("Endpoint", format!("{name}.s3.{region}.amazonaws.com"));
    let headers = vec![("content-type", "application/xml".to_owned()), ("x-amz-bucket-region", region.to_owned())];
    let body = if call.operation.starts_with("Head") { String::new() } else { xml::document(&error) };
    Answer::Bytes { status: 301, headers, body: body.into() }
}

/// The region of a bucket is told only if the request has a parameter, and buckets of one region only by its own endpoint
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>).
fn list_buckets(call: &Call<'_>) -> Outcome {
    let Some(account) = call.world.estate.account(call.account) else { return Err(denied()) };
    let invalid = |message: &str| AwsError::new("InvalidArgument", 400, message);
    let size = call.integer("MaxBuckets")?;
    if size.is_some_and(|size| !(1..=10_000).contains(&size)) {
        return Err(invalid("max-buckets must be between 1 and 10000"));
    }
    let asked = ["MaxBuckets", "Prefix", "BucketRegion", "ContinuationToken"];
    let with_region = asked.iter().any(|member| call.input.get(*member).is_some());
    let token = |name: &str| format!("{:016x}-{name}", Fnv::of(&[&account.id, name]));
    let after = match call.text("ContinuationToken").filter(|token| !token.is_empty()) {
        None => "",
        Some(given) => {
            let name = given.split_once('-').map(|(_, name)| name).filter(|name| token(name) == given);
            name.ok_or_else(|| invalid("The continuation token provided is incorrect"))?
        }
    };
    let prefix = call.text("Prefix").unwrap_or("");
    let region = call.text("BucketRegion");
    if region.is_some_and(|region| region != call.region) {
        return Err(invalid("bucket-region must be the Region of the endpoint that the request is made to"));
    }
    let most = size.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX));
    let fits = |(name, bucket): &(&String, &Bucket)| {
        name.as_str() > after && name.starts_with(prefix) && region.is_none_or(|region| bucket.region == region)
    };
    let mut fitting = account.buckets.iter().filter(fits);
    let page: Vec<(&String, &Bucket)> = fitting.by_ref().take(most).collect();
    let last = fitting.next().and(page.last()).map(|(name, _)| token(name));
    let buckets = page.iter().map(|(name, bucket)| {
        let shown = Element::new("Bucket").with("Name", name.as_str()).with("CreationDate", bucket.created.as_str());
        if with_region {
            shown.with("BucketRegion", bucket.region.as_str()).with("BucketArn", format!("arn:aws:s3:::{name}"))
        } else {
            shown
        }
    });
    let owner = Element::new("Owner").with("ID", canonical(&account.id));
    let root = root("ListAllMyBucketsResult").child(owner).child(Element::new("Buckets").children(buckets));
    Ok(Answer::Xml(root.maybe("ContinuationToken", last)))
}

/// What S3 calls an account in ACLs.
fn canonical(account: &str) -> String {
    format!("{account:0>64}")
}

pub(super) fn root(name: &'static str) -> Element {
    Element::new(name).attribute("xmlns", NAMESPACE)
}

/// What there is of a setting that a call reads, and what AWS says where there is none; none for a call that reads
/// no setting.
fn setting(call: &Call<'_>, bucket: &Bucket, owner: &str) -> Option<Outcome> {
    const NO_LOCK: &str = "Object Lock configuration does not exist for this bucket";
    let told = |value: &Option<Value>, name: &'static str, code: &str, message: &str| match value {
        Some(value) => Ok(Answer::Xml(filled(root(name), value))),
        None => Err(AwsError::new(code, 404, message)),
    };
    let usual = |value: &Option<Value>, name: &'static str| {
        let element = root(name);
        Ok(Answer::Xml(value.iter().fold(element, filled)))
    };
    Some(match call.operation {
        "GetBucketVersioning" => usual(&bucket.versioning, "VersioningConfiguration"),
        "GetBucketAccelerateConfiguration" => usual(&None, "AccelerateConfiguration"),
        "GetBucketNotificationConfiguration" => usual(&None, "NotificationConfiguration"),
        "GetBucketLogging" => Ok(Answer::Xml(match &bucket.logging {
            Some(logging) => root("BucketLoggingStatus").child(filled(Element::new("LoggingEnabled"), logging)),
            None => root("BucketLoggingStatus"),
        })),
        "GetObjectLockConfiguration" => {
            told(&bucket.object_lock, "ObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", NO_LOCK)
        }
        "GetBucketEncryption" => match &bucket.encryption {
            None => Ok(Answer::Xml(filled(root(ENCRYPTION), &base_encryption()))),
            Some(Value::Null) => {
                told(&None, ENCRYPTION, NO_ENCRYPTION, "The server side encryption configuration was not found")
            }
            some => told(some, ENCRYPTION, "", ""),
        },
        "GetBucketLifecycleConfiguration" => told(
            &bucket.lifecycle,
            "LifecycleConfiguration",
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        ),
        "GetBucketReplication" => told(
            &bucket.replication,
            "ReplicationConfiguration",
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
        "GetBucketOwnershipControls" => told(
            &bucket.ownership,
            "OwnershipControls",
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
        ),
        "GetPublicAccessBlock" => told(
            &bucket.public_access_block,
            "PublicAccessBlockConfiguration",
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
        "GetBucketTagging" => told(&bucket.tags, "Tagging", "NoSuchTagSet", "The TagSet does not exist"),
        "GetBucketPolicy" => match &bucket.policy {
            Some(policy) => Ok(Answer::Bytes {
                status: 200,
                headers: vec![("content-type", "application/json".to_owned())],
                body: policy.clone().into(),
            }),
            None => Err(no_policy()),
        },
        "GetBucketPolicyStatus" => match &bucket.policy {
            Some(_) => Ok(Answer::Xml(root("PolicyStatus").with("IsPublic", "false"))),
            None => Err(no_policy()),
        },
        "GetBucketAcl" => Ok(Answer::Xml(acl(bucket, owner))),
        _ => return None,
    })
}

fn no_policy() -> AwsError {
    AwsError::new("NoSuchBucketPolicy", 404, "The bucket policy does not exist")
}

const ENCRYPTION: &str = "ServerSideEncryptionConfiguration";
const NO_ENCRYPTION: &str = "ServerSideEncryptionConfigurationNotFoundError";

/// What every bucket has since 2023
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html>).
fn base_encryption() -> Value {
    serde_json::json!({"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": false}]})
}

/// Without one of its own a bucket's owner has full control and nobody else any.
fn acl(bucket: &Bucket, account: &str) -> Element {
    let whole = serde_json::json!({"Grantee": {"Type": "CanonicalUser", "ID": canonical(account)}, "Permission": "FULL_CONTROL"});
    let written = bucket.acl.as_ref().and_then(|acl| acl.get("Grants")).and_then(Value::as_array);
    let grants = written.map_or_else(|| vec![&whole], |grants| grants.iter().collect());
    let owner = match bucket.acl.as_ref().and_then(|acl| acl.get("Owner")) {
        Some(owner) => filled(Element::new("Owner"), owner),
        None => Element::new("Owner").with("ID", canonical(account)),
    };
    let grants = grants.into_iter().map(|grant| {
        let grantee = grant.get("Grantee").cloned().unwrap_or_default();
        let kind = grantee.get("Type").and_then(Value::as_str).unwrap_or("CanonicalUser").to_owned();
        let mut shown = Element::new("Grantee")
            .attribute("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
            .attribute("xsi:type", kind);
        for member in ["ID", "DisplayName", "URI", "EmailAddress"] {
            shown = shown.maybe(member, grantee.get(member).and_then(Value::as_str));
        }
        let permission = grant.get("Permission").and_then(Value::as_str).unwrap_or_default();
        Element::new("Grant").child(shown).with("Permission", permission)
    });
    root("AccessControlPolicy").child(owner).child(Element::new("AccessControlList").children(grants))
}

/// Adds the members of a setting, as S3's XML has them: the items of a list stand side by side, under one name each.
fn filled(mut element: Element, value: &Value) -> Element {
    for (name, value) in value.as_object().into_iter().flatten() {
        element = match (name.as_str(), value) {
            // The one list with an element of its own around it.
            ("TagSet", Value::Array(tags)) => {
                let tags = tags.iter().map(|tag| filled(Element::new("Tag"), tag));
                element.child(Element::new("TagSet").children(tags))
            }
            (_, Value::Array(items)) => {
                let single = name.strip_suffix('s').unwrap_or(name).to_owned();
                element.children(items.iter().map(|item| member(&single, item)))
            }
            ("MFADelete", value) => element.child(member("MfaDelete", value)),
            (_, value) => element.child(member(name, value)),
        };
    }
    element
}

fn member(name: &str, value: &Value) -> Element {
    match value {
        Value::Object(_) => filled(Element::new(name.to_owned()), value),
        Value::String(text) if name.ends_with("Date") => {
            Element::text(name.to_owned(), text.parse().map_or_else(|_| text.clone(), timestamp))
        }
        Value::String(text) => Element::text(name.to_owned(), text.as_str()),
        other => Element::text(name.to_owned(), other.to_string()),
    }
}
