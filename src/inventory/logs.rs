//! CloudWatch Logs: reached log groups, and S3 access logs delivered through vended log deliveries.

use serde::{Deserialize, Serialize};

use crate::inventory::not_collected;
use crate::model::observed::{Told, told};
use crate::model::time::Moment;

fn not_asked() -> Told<Vec<String>> {
    Err(not_collected("logs:DescribeAccountPolicies"))
}

/// A log group evidence lands in, existing or not; its line's id is the group's ARN without `:*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogGroup {
    pub name: String,
    /// `Ok(None)`: it does not exist.
    #[serde(with = "told")]
    pub settings: Told<Option<LogGroupSettings>>,
    /// ARNs that subscription filters without a narrowing pattern send every event to.
    #[serde(with = "told")]
    pub subscriptions: Told<Vec<String>>,
    /// The same by subscriptions that the account sets for all its groups; not known to older snapshots.
    #[serde(with = "told", default = "not_asked")]
    pub account_subscriptions: Told<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogGroupSettings {
    /// Days; none = events never expire.
    pub retention_days: Option<u32>,
    pub kms_key: Option<String>,
    /// `STANDARD`, `INFREQUENT_ACCESS`, `DELIVERY` (which keeps events one day whatever the retention says).
    pub class: Option<String>,
    pub deletion_protection: Option<bool>,
    pub stored_bytes: Option<i64>,
    pub created: Option<Moment>,
}

/// Buckets of a region whose access logs a vended delivery sends on; its line's id is
/// `log-deliveries:<account>:<region>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogDeliveries {
    #[serde(with = "told")]
    pub s3_access: Told<Vec<S3AccessDelivery>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3AccessDelivery {
    pub bucket_arn: String,
    /// The source is `ACTIVE`.
    pub active: bool,
    /// Where it goes: ARN of a log group, bucket or Firehose stream.
    pub destination_arn: String,
}
