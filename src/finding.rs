//! Findings: a check applied to a resource, and the words that go with it.
//!
//! Scores, gates and reports are built on these; how a finding came about is `check`'s business.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::Read;
use crate::model::hash;
use crate::model::ids::{AccountId, Partition, Region, ResourceId};
use crate::model::observed::Unknown;
use crate::model::severity::Severity;

/// What a check came to on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Fail,
    Unknown,
    Pass,
    NotApplicable,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Pass => "pass",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// A kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    ApiActivity,
    EventHistory,
    DataEvents,
    ModelInvocations,
    InferenceCapture,
    ObjectAccess,
    ObjectHistory,
    NetworkFlows,
    ServiceLogs,
    ConfigHistory,
    ThreatFindings,
    Identity,
    Responder,
}

impl Source {
    pub const ALL: [Source; 13] = [
        Self::ApiActivity,
        Self::EventHistory,
        Self::DataEvents,
        Self::ModelInvocations,
        Self::InferenceCapture,
        Self::ObjectAccess,
        Self::ObjectHistory,
        Self::NetworkFlows,
        Self::ServiceLogs,
        Self::ConfigHistory,
        Self::ThreatFindings,
        Self::Identity,
        Self::Responder,
    ];

    /// As written in checks and on disk: `api-activity`.
    pub fn id(self) -> &'static str {
        match self {
            Self::ApiActivity => "api-activity",
            Self::EventHistory => "event-history",
            Self::DataEvents => "data-events",
            Self::ModelInvocations => "model-invocations",
            Self::InferenceCapture => "inference-capture",
            Self::ObjectAccess => "object-access",
            Self::ObjectHistory => "object-history",
            Self::NetworkFlows => "network-flows",
            Self::ServiceLogs => "service-logs",
            Self::ConfigHistory => "config-history",
            Self::ThreatFindings => "threat-findings",
            Self::Identity => "identity",
            Self::Responder => "responder",
        }
    }

    /// For people: `API activity (CloudTrail)`.
    pub fn title(self) -> &'static str {
        match self {
            Self::ApiActivity => "API activity (CloudTrail)",
            Self::EventHistory => "Event history (90 days)",
            Self::DataEvents => "Data events (CloudTrail)",
            Self::ModelInvocations => "Model invocations (Bedrock)",
            Self::InferenceCapture => "Inference capture (SageMaker)",
            Self::ObjectAccess => "Object access (S3)",
            Self::ObjectHistory => "Object history (S3 versions)",
            Self::NetworkFlows => "Network flows (VPC)",
            Self::ServiceLogs => "Service logs (CloudWatch)",
            Self::ConfigHistory => "Configuration history (Config)",
            Self::ThreatFindings => "Threat findings (GuardDuty)",
            Self::Identity => "Identity",
            Self::Responder => "Responder access",
        }
    }
}

/// Which property of evidence a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    Coverage,
    Fidelity,
    Delivery,
    Retention,
    Integrity,
    Access,
}

impl Dimension {
    pub fn word(self) -> &'static str {
        match self {
            Self::Coverage => "coverage",
            Self::Fidelity => "fidelity",
            Self::Delivery => "delivery",
            Self::Retention => "retention",
            Self::Integrity => "integrity",
            Self::Access => "access",
        }
    }
}

/// A truth that may not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    True,
    False,
    Unknown,
}

/// One criterion of a check on one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CriterionResult {
    /// The expression as written.
    pub expect: String,
    /// Whether it decides status and readiness on this resource.
    pub required: Truth,
    pub status: Truth,
    /// Points it is worth in the displayed score.
    pub points: u32,
    /// What is missing, in words, when it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// What could not be read, when it cannot be decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Unknown>,
}

/// Points reached: an interval out of a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Points {
    pub low: u32,
    pub high: u32,
    pub max: u32,
}

/// A check applied to a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// 32 hex digits, see [`finding_id`].
    pub id: String,
    pub check: String,
    pub severity: Severity,
    pub source: Source,
    pub dimension: Dimension,
    pub status: Status,
    /// The owner of the resource.
    pub account: AccountId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    pub resource: ResourceId,
    pub resource_kind: String,
    /// Every account whose workloads reach the resource.
    pub counts_for: Vec<AccountId>,
    pub points: Points,
    pub criteria: Vec<CriterionResult>,
    /// One sentence for people.
    pub reason: String,
    pub evidence: Vec<Evidence>,
    /// The chains that led from a workload to the resource, capped; `ai_path_total` counts all.
    pub ai_path: Vec<String>,
    pub ai_path_total: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<ExceptionRef>,
}

/// A call that told something the finding rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub call: String,
    pub at: crate::model::time::Timestamp,
    /// The resource that was read, when it is not the finding's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<ResourceId>,
    /// Fields the criteria looked at and what they held, `path` to value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, serde_json::Value>,
}

impl From<&Read> for Evidence {
    fn from(read: &Read) -> Self {
        Self { call: read.call.clone(), at: read.at, of: None, facts: BTreeMap::new() }
    }
}

/// An approved exception that matches a finding. It changes neither status nor score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionRef {
    /// Position in the configuration, from 0, and in `exceptions` of the results.
    pub index: usize,
    /// It has not expired at `as_of`.
    pub active: bool,
}

/// The stable id of a finding: the first 16 bytes of a digest over length-prefixed parts, status and time left out,
/// so that trackers can follow it from run to run.
pub fn finding_id(
    partition: &Partition,
    check: &str,
    account: &AccountId,
    region: Option<&Region>,
    resource: &ResourceId,
) -> String {
    let region = region.map_or("", Region::as_str);
    hash::of_parts(&["locard/1", partition.as_str(), check, account.as_str(), region, resource.as_str()], 16)
}
