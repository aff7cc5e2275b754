//! Facts: what AWS told us, in our own types, one file a service.
//!
//! A fact never judges. Fields a call could fail to give are `Told` or `Observed`; `Option` means AWS says none.

pub mod offered;
pub mod operations;
pub mod rates;

pub mod bedrock;
pub mod cloudtrail;
pub mod ec2;
pub mod kms;
pub mod logs;
pub mod organizations;
pub mod s3;
pub mod sagemaker;
pub mod snapshot;
pub mod workload;

use serde::{Deserialize, Serialize};

use crate::model::ids::{AccountId, Region, ResourceId};
use crate::model::observed::{Told, Unknown, told};
use crate::model::time::Timestamp;

/// One successful call that contributed to a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// `service:Operation`.
    pub call: String,
    /// When the answer arrived.
    pub at: Timestamp,
}

/// One line of a snapshot: a resource, or a call that told something about a whole account or region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Sort key with `id`: the variant name of `fact`.
    pub kind: String,
    pub id: ResourceId,
    /// The account whose session read it, which owns it unless the fact says otherwise.
    pub account: AccountId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The calls that told it, in order; empty when nothing could be read.
    pub reads: Vec<Read>,
    pub fact: Fact,
}

impl Line {
    pub fn new(
        account: &AccountId,
        region: Option<&Region>,
        id: impl Into<String>,
        reads: Vec<Read>,
        fact: Fact,
    ) -> Self {
        Self {
            kind: fact.kind().to_owned(),
            id: ResourceId::new(id),
            account: account.clone(),
            region: region.cloned(),
            reads,
            fact,
        }
    }

    /// Every unknown in it, wherever its fact keeps them.
    pub fn unknowns(&self) -> Vec<Unknown> {
        fn walk(value: &serde_json::Value, found: &mut Vec<Unknown>) {
            match value {
                serde_json::Value::Object(map) => {
                    for (key, inner) in map {
                        // `Told` and `Observed` are written as one-key objects with this key.
                        let unknown = (key == "unknown" && map.len() == 1)
                            .then(|| serde_json::from_value::<Unknown>(inner.clone()).ok())
                            .flatten();
                        match unknown {
                            Some(unknown) => found.push(unknown),
                            None => walk(inner, found),
                        }
                    }
                }
                serde_json::Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
                _ => {}
            }
        }
        let plain = "internal error: a fact is plain data";
        let mut found = Vec::new();
        // Most lines say nothing unknown, which their text tells soonest.
        let text = serde_json::to_string(&self.fact).unwrap_or_else(|e| panic!("{plain}: {e}"));
        if text.contains("\"unknown\"") {
            walk(&serde_json::from_str(&text).unwrap_or_else(|e| panic!("{plain}: {e}")), &mut found);
        }
        found
    }

    /// Whether it holds an unknown that may be known when asked again.
    pub fn may_tell_more(&self) -> bool {
        self.unknowns().iter().any(|unknown| unknown.why.passing())
    }
}

/// Everything a snapshot can hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    Account(organizations::AccountEntry),
    Listing(Listing),
    Trail(Box<cloudtrail::Trail>),
    BucketName(s3::BucketName),
    Workload(workload::Workload),
    Bedrock(bedrock::BedrockRegion),
    EndpointMetrics(sagemaker::EndpointMetrics),
    Bucket(Box<s3::Bucket>),
    BucketProbe(s3::BucketProbe),
    LogDeliveries(logs::LogDeliveries),
    LogGroup(logs::LogGroup),
    Subnet(ec2::Subnet),
    FlowLog(ec2::FlowLog),
    Key(kms::Key),
}

impl Fact {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Listing(_) => "listing",
            Self::Trail(_) => "trail",
            Self::BucketName(_) => "bucket_name",
            Self::Workload(_) => "workload",
            Self::Bedrock(_) => "bedrock",
            Self::EndpointMetrics(_) => "endpoint_metrics",
            Self::Bucket(_) => "bucket",
            Self::BucketProbe(_) => "bucket_probe",
            Self::LogDeliveries(_) => "log_deliveries",
            Self::LogGroup(_) => "log_group",
            Self::Subnet(_) => "subnet",
            Self::FlowLog(_) => "flow_log",
            Self::Key(_) => "key",
        }
    }
}

/// The outcome of one list call over all its pages; an unknown one leaves its population open.
///
/// Its line's id is `<call>:<account>[:<region>]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// `service:Operation`.
    pub call: String,
    /// How many items all pages held, after the look-back filter.
    #[serde(with = "told")]
    pub count: Told<u64>,
    /// Items that were listed and, because of the stated cap, not described.
    pub capped: u64,
}

/// All facts of one account, both passes.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountFacts {
    pub account: AccountId,
    pub lines: Vec<Line>,
}

impl AccountFacts {
    /// The outcome of entering the account. A snapshot without that line was not written by us: unknown.
    pub fn entry(&self) -> Told<&organizations::AccountEntry> {
        self.lines
            .iter()
            .find_map(|line| match &line.fact {
                Fact::Account(entry) => Some(entry),
                _ => None,
            })
            .ok_or_else(|| not_collected("sts:AssumeRole").in_account(&self.account))
    }

    /// What the list call told in this region; a listing nobody asked for is unknown, never empty. Of an account that was
    /// not entered the door is to blame.
    pub fn listing(&self, call: &str, region: Option<&Region>) -> Told<u64> {
        self.lines
            .iter()
            .find_map(|line| match &line.fact {
                Fact::Listing(listing) if listing.call == call && line.region.as_ref() == region => {
                    Some(listing.count.clone())
                }
                _ => None,
            })
            .unwrap_or_else(|| {
                self.entry()?.session.clone()?;
                let mut unknown = not_collected(call).in_account(&self.account);
                unknown.region = region.cloned();
                Err(unknown)
            })
    }
}

/// The unknown of a fact outside the plan.
pub fn not_collected(call: &str) -> Unknown {
    Unknown::new(call, crate::model::observed::Why::NotCollected)
}
