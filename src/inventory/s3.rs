//! Buckets: names for all of them, details only for those that AI workloads or evidence reach.

use serde::{Deserialize, Serialize};

use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Observed, Told, told};

/// A bucket an account owns, from `ListBuckets`; its line's id is the bucket ARN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketName {
    pub name: String,
    /// From `BucketRegion`, or `GetBucketLocation` when a reached bucket came without it.
    pub region: Option<Region>,
}

/// The configuration of a reached bucket, read by its owner in its own region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    pub name: String,
    #[serde(with = "told")]
    pub region: Told<Region>,
    /// Absent: versioning was never enabled.
    pub versioning: Observed<Versioning>,
    /// Absent: Object Lock is not enabled.
    pub object_lock: Observed<ObjectLock>,
    /// Absent: no server access logging to a bucket.
    pub access_logging: Observed<AccessLogging>,
    /// The bucket policy document as written. Absent: none.
    pub policy: Observed<String>,
    /// Default encryption. Absent: nothing set, which AWS treats as SSE-S3.
    pub encryption: Observed<Encryption>,
    /// Absent: no lifecycle configuration.
    pub lifecycle: Observed<Vec<LifecycleRule>>,
    /// Absent: no replication.
    pub replication: Observed<Vec<ReplicationRule>>,
    /// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`. Absent: never set, so ACLs work.
    pub ownership: Observed<String>,
    /// Whether the ACL lets the S3 log delivery group write, the legacy way.
    #[serde(with = "told")]
    pub acl_log_delivery: Told<bool>,
}

/// A bucket that workloads or evidence name and no account of the sweep lists, asked for from outside: AWS answers
/// `NoSuchBucket` for one that does not exist and a denial for another's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketProbe {
    pub name: String,
    /// Whether any account of the partition owns a bucket of this name.
    #[serde(with = "told")]
    pub exists: Told<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versioning {
    /// `Enabled` or `Suspended`.
    pub status: String,
    pub mfa_delete: bool,
}

/// Object Lock is enabled; without a default retention new objects are not locked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectLock {
    pub default_retention: Option<DefaultRetention>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultRetention {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub mode: String,
    /// Days; a year counts 365.
    pub days: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLogging {
    pub target_bucket: String,
    pub target_prefix: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// `AES256`, `aws:kms`, `aws:kms:dsse`.
    pub algorithm: String,
    /// Key id or ARN; absent with `aws:kms` means the AWS managed key.
    pub kms_key: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifecycleRule {
    pub id: Option<String>,
    pub enabled: bool,
    /// Keys the rule is limited to; empty is the whole bucket.
    pub prefix: String,
    /// A tag or object size also decides, so what it deletes cannot be told from outside.
    pub tag_or_size_filter: bool,
    pub expiration_days: Option<u32>,
    /// An absolute date: everything older goes then.
    pub expiration_date: Option<crate::model::time::Timestamp>,
    pub noncurrent_days: Option<u32>,
    /// So many newer noncurrent versions are kept besides.
    pub newer_noncurrent_versions: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicationRule {
    pub enabled: bool,
    pub prefix: String,
    /// A tag filter also decides.
    pub tag_filter: bool,
    /// Objects encrypted with KMS keys are replicated too; without it S3 leaves them out
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html>). None in
    /// snapshots from before that was read.
    #[serde(default)]
    pub kms_objects: Option<bool>,
    /// Destination bucket name.
    pub bucket: String,
    /// Destination account, when the rule names it.
    pub account: Option<AccountId>,
    /// ARN of the role that S3 takes for the configuration's rules. None in snapshots from before that was read.
    #[serde(default)]
    pub role: Option<String>,
}
