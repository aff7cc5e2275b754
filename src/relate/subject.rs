//! What questions are asked about, and which resources carry the evidence of each.
//!
//! `relate` says where evidence would be found; how good it is, findings say, and `score` puts the two together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::{Evidence, Source};
use crate::model::ids::{AccountId, Region, ResourceId};
use crate::model::observed::{Told, Unknown};
use crate::model::time::Timestamp;
use crate::model::value::Value;

/// The kinds a question may be asked of (`asks_of` of a scenario file).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// An account that runs AI.
    Account,
    /// A region whose models are invoked through bedrock-runtime.
    BedrockRegion,
    /// A region whose models are invoked through bedrock-mantle, of which AWS records no content.
    Mantle,
    /// A live SageMaker endpoint.
    Endpoint,
    /// A bucket holding training data.
    TrainingBucket,
    /// A bucket holding model artefacts.
    ArtifactBucket,
    /// A VPC workloads run in; the AWS-owned one too, of which no flow log can exist.
    Network,
}

impl SubjectKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::BedrockRegion => "bedrock_region",
            Self::Mantle => "mantle",
            Self::Endpoint => "endpoint",
            Self::TrainingBucket => "training_bucket",
            Self::ArtifactBucket => "artifact_bucket",
            Self::Network => "network",
        }
    }
}

/// Something a question is asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    pub kind: SubjectKind,
    pub id: ResourceId,
    /// The account whose question it is: the one whose workloads led here, whoever owns the resource.
    pub account: AccountId,
    pub region: Option<Region>,
    /// Where each source would hold evidence of it. A source that is not here cannot see this subject: paths through
    /// it do not count for it.
    pub sources: BTreeMap<Source, Carriage>,
}

/// How a source carries the evidence of a subject.
#[derive(Clone, Debug, PartialEq)]
pub enum Carriage {
    /// Every part must be carried; the source is as good as its worst part. An account's API activity has a part for
    /// each enabled region; most have one.
    Parts(Vec<Part>),
    /// AWS provides it, nobody can switch it off: event history.
    Inherent,
    /// AWS cannot record it, and why. No check fails; the path gives nothing.
    NotRecordable(String),
}

/// One part; any alternative suffices, so it is as good as its best one.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub label: String,
    /// Never empty: with nothing configured, the alternative is the resource that should have configured it.
    pub alternatives: Vec<Alternative>,
}

/// Resources that together carry the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    pub carriers: Vec<Carrier>,
    /// False when it is not known whether this alternative exists: at worst it gives nothing.
    pub certain: bool,
    /// Since when it is known to be in force, where AWS tells.
    pub since: Option<Timestamp>,
}

impl Alternative {
    /// One that may exist unseen: of it only the resource itself is known, and it may be as good as can be.
    pub fn unseen(own: Carrier) -> Self {
        Self { carriers: vec![own], certain: false, since: None }
    }
}

/// A resource whose findings of one source tell how good it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Carrier {
    pub resource: ResourceId,
    /// Findings of checks with this source count: a trail that carries data events is judged by the checks of
    /// api-activity.
    pub judged_as: Source,
    /// False when it is not known whether it takes part: its criteria count as unknown.
    pub certain: bool,
}

/// A population that could not be listed or described whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Kind as in `kinds`: each check on it gets one unknown finding.
    pub kind: &'static str,
    /// For carrier kinds, the source whose checks are meant.
    pub source: Option<Source>,
    /// Questions asked of these are between 0 and 1 for the account.
    pub subjects: Vec<SubjectKind>,
    pub account: AccountId,
    pub region: Option<Region>,
    pub unknown: Unknown,
}

/// A node of the evidence graph, ready to be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Name in `kinds::KINDS`.
    pub kind: &'static str,
    pub id: ResourceId,
    /// The owner.
    pub account: AccountId,
    pub region: Option<Region>,
    /// For carrier kinds, the source this instance is about.
    pub source: Option<Source>,
    /// A record of the kind's type.
    pub value: Value,
    /// Accounts whose workloads reach it, sorted.
    pub counts_for: Vec<AccountId>,
    /// Chains from a workload to it, sorted, at most [`MAX_PATHS`].
    pub ai_path: Vec<String>,
    pub ai_path_total: u64,
    /// The calls that told its facts.
    pub evidence: Vec<Evidence>,
}

/// How many chains a resource lists; the rest is counted.
pub const MAX_PATHS: usize = 5;

/// All that one account contributes: resources it owns, subjects its workloads raise, what could not be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountGraph {
    pub account: AccountId,
    /// `account` in expressions: a record of `kinds::AccountView`.
    pub view: Value,
    /// Whether it runs AI.
    pub has_ai: Told<bool>,
    pub resources: Vec<Resource>,
    pub subjects: Vec<Subject>,
    pub open: Vec<Open>,
}
