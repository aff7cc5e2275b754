//! The network AI workloads run in: their subnets and the flow logs of their regions.

use serde::{Deserialize, Serialize};

use crate::model::ids::AccountId;
use crate::model::observed::{Told, told};
use crate::model::time::Moment;

/// A subnet a workload names; its line's id is the subnet's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    pub id: String,
    /// `Ok(None)`: it no longer exists.
    #[serde(with = "told")]
    pub place: Told<Option<SubnetPlace>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetPlace {
    pub vpc: String,
    /// Differs from the reading account for a shared VPC, whose owner's flow logs a participant cannot see.
    pub owner: AccountId,
}

/// A flow log; its line's id is the flow log's id.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowLog {
    pub id: String,
    /// VPC, subnet or network interface id.
    pub resource: String,
    #[serde(with = "told")]
    pub active: Told<bool>,
    /// `DeliverLogsStatus`: `SUCCESS` or `FAILED`; none until the first delivery.
    pub deliver_status: Option<String>,
    pub deliver_error: Option<String>,
    /// `ACCEPT`, `REJECT` or `ALL`.
    #[serde(with = "told")]
    pub traffic: Told<String>,
    /// `cloud-watch-logs`, `s3` or `kinesis-data-firehose`.
    pub destination_type: Option<String>,
    /// ARN of the destination, for S3 with its prefix.
    pub destination: Option<String>,
    pub log_group: Option<String>,
    /// Files lie in Hive-compatible folders in S3. None where AWS does not say, and in snapshots from before that was read.
    #[serde(default)]
    pub hive: Option<bool>,
    /// The record format as AWS returns it; none = the default, version 2 fields.
    pub format: Option<String>,
    pub created: Option<Moment>,
}
