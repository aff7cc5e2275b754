//! Trails: what they record, where to, and whether it arrives.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/filtering-data-events.html>

use serde::{Deserialize, Serialize};

use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Told, told};
use crate::model::time::Moment;

/// A trail, described once in its home region by the account that owns it; or, with `shadow`, as a member account
/// sees an organization trail of which its owner could not be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trail {
    pub arn: String,
    pub name: String,
    /// From the ARN: the account the trail lives in.
    pub owner: AccountId,
    #[serde(with = "told")]
    pub home_region: Told<Region>,
    #[serde(with = "told")]
    pub multi_region: Told<bool>,
    #[serde(with = "told")]
    pub organization: Told<bool>,
    #[serde(with = "told")]
    pub global_service_events: Told<bool>,
    #[serde(with = "told")]
    pub log_file_validation: Told<bool>,
    /// Destination bucket; every trail has one.
    #[serde(with = "told")]
    pub bucket: Told<String>,
    pub prefix: Option<String>,
    pub kms_key: Option<String>,
    pub log_group_arn: Option<String>,
    #[serde(with = "told")]
    pub status: Told<TrailStatus>,
    #[serde(with = "told")]
    pub selectors: Told<Selectors>,
    /// Seen from an account that does not own it.
    pub shadow: bool,
}

/// `GetTrailStatus`. Times are absent when the event never happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrailStatus {
    pub is_logging: bool,
    pub latest_delivery: Option<Moment>,
    pub latest_delivery_error: Option<String>,
    pub latest_digest_delivery: Option<Moment>,
    pub latest_digest_delivery_error: Option<String>,
    /// When logging was last switched on.
    pub started: Option<Moment>,
    pub stopped: Option<Moment>,
}

/// Which events a trail records; a trail has one form or the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selectors {
    Basic(Vec<BasicSelector>),
    Advanced(Vec<AdvancedSelector>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicSelector {
    /// `ReadOnly`, `WriteOnly` or `All`; absent means All.
    pub read_write_type: Option<String>,
    /// Absent means true.
    pub management_events: Option<bool>,
    pub excluded_management_sources: Vec<String>,
    pub data_resources: Vec<DataResource>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataResource {
    /// `AWS::S3::Object` and the like.
    pub resource_type: String,
    pub values: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvancedSelector {
    pub name: Option<String>,
    /// All must hold.
    pub fields: Vec<FieldSelector>,
}

/// One of its values must be met by any of those to equal, start or end with, if there are any, and by none of those not to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldSelector {
    pub field: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equals: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts_with: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends_with: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_equals: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_starts_with: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_ends_with: Vec<String>,
}
