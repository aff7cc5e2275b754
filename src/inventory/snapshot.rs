//! What a snapshot is made of on disk, as values: manifest, plan and journal. Reading and writing is `files`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::ids::{AccountId, Arn, Region};
use crate::model::shard::Shard;
use crate::model::time::Timestamp;

/// Version of the snapshot format; raised when an older locard could misread a newer snapshot.
pub const SNAPSHOT_VERSION: u32 = 1;

/// What a run set out to do. Its digest opens the journal, so that `--resume` refuses to mix two plans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub snapshot_version: u32,
    /// ARN of whoever started the run.
    pub caller: String,
    pub role: String,
    /// `--account`, as given.
    pub accounts: Vec<AccountId>,
    /// `--ou`, as given.
    pub organizational_units: Vec<String>,
    /// `--region`, as given; empty = all enabled.
    pub regions: Vec<Region>,
    /// Regions where nothing is asked, by the configuration.
    pub skip_regions: Vec<Region>,
    /// Calls the run makes, sorted.
    pub operations: Vec<String>,
    /// How far back finished jobs count, and how many of a kind are described per account and region.
    pub ai_lookback_days: u32,
    pub max_described_jobs: u32,
    /// `--shard`: only the accounts of it are entered. Left out where there is none, so that digests stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
}

impl Plan {
    /// SHA-256 of the plan as JSON.
    pub fn digest(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_else(|e| panic!("internal error: a plan is plain data: {e}"));
        crate::model::hash::sha256(text.as_bytes())
    }

    /// Whether the run was told to leave something out.
    pub fn filtered(&self) -> bool {
        !(self.accounts.is_empty()
            && self.organizational_units.is_empty()
            && self.regions.is_empty()
            && self.skip_regions.is_empty())
    }

    /// In which fields another plan differs, in words; none when it sets out to do the same. Sessions of one role are
    /// one caller: a job that is tried again has a session of its own.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let fields = |plan: &Self| {
            let plan = Self { caller: principal(&plan.caller).to_owned(), ..plan.clone() };
            match serde_json::to_value(plan) {
                Ok(serde_json::Value::Object(fields)) => fields,
                other => panic!("internal error: a plan is a record, not {other:?}"),
            }
        };
        let (before, now) = (fields(self), fields(other));
        let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let differing = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
        differing.map(|name| difference(name, before.get(name), now.get(name))).collect()
    }
}

/// The ARN of a role's session without the session's name; other ARNs as they are.
fn principal(arn: &str) -> &str {
    match Arn::parse(arn) {
        Some(parts) if parts.service == "sts" && parts.resource.starts_with("assumed-role/") => {
            arn.rsplit_once('/').map_or(arn, |(role, _)| role)
        }
        _ => arn,
    }
}

fn difference(name: &str, before: Option<&serde_json::Value>, now: Option<&serde_json::Value>) -> String {
    let name = name.replace('_', " ");
    let (Some(serde_json::Value::Array(before)), Some(serde_json::Value::Array(after))) = (before, now) else {
        let text = |value: Option<&serde_json::Value>| value.map_or("nothing".to_owned(), ToString::to_string);
        return format!("{name} was {}, is {}", text(before), text(now));
    };
    let missing_in = |from: &[serde_json::Value], other: &[serde_json::Value]| {
        from.iter().filter(|item| !other.contains(item)).map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match (missing_in(before, after), missing_in(after, before)) {
        (gone, new) if gone.is_empty() && new.is_empty() => format!("{name} are in another order"),
        (gone, new) if new.is_empty() => format!("{name} are without {gone}"),
        (gone, new) if gone.is_empty() => format!("{name} have {new} besides"),
        (gone, new) => format!("{name} have {new} instead of {gone}"),
    }
}

/// `manifest.json`: seals a snapshot. Its own SHA-256 is printed and stands in every report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub snapshot_version: u32,
    pub locard_version: String,
    pub run_id: String,
    pub plan: Plan,
    pub plan_digest: String,
    /// Start of collection: the instant the snapshot speaks of.
    pub as_of: Timestamp,
    pub finished_at: Timestamp,
    /// Seconds the host's clock was ahead of AWS's `Date` header at the first answer; negative when behind.
    pub clock_skew_seconds: Option<i64>,
    /// False when the run was interrupted: facts are missing that the plan asks for.
    pub complete: bool,
    /// Operations and attempts, by `service:Operation`.
    pub calls: BTreeMap<String, CallCount>,
    /// SHA-256 of every other file, by path relative to the snapshot.
    pub files: BTreeMap<String, String>,
    /// The snapshots it was put together from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Merged>,
}

/// Where a merged snapshot comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merged {
    /// Into how many shards the accounts were parted.
    pub of: u32,
    /// Those that were there, in order.
    pub shards: Vec<MergedShard>,
    /// ARN of whoever read what workloads of one shard reach in accounts of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_by: Option<String>,
    /// How many things are reached so and were not read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unread: u64,
}

/// One of the snapshots that a merged one was put together from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergedShard {
    pub shard: Shard,
    /// SHA-256 of its manifest.
    pub manifest_digest: String,
    /// Names its sessions in the CloudTrail of the accounts.
    pub run_id: String,
    pub caller: String,
    /// Whether it held all that its plan asks for.
    pub complete: bool,
}

impl Merged {
    /// Shards that were not there, counted from one.
    pub fn missing(&self) -> Vec<u32> {
        let there: BTreeSet<u32> = self.shards.iter().map(|merged| merged.shard.index()).collect();
        (1..=self.of).filter(|index| !there.contains(index)).collect()
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How often an operation was called, and how often a request left for it, retries included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallCount {
    pub operations: u64,
    pub attempts: u64,
    pub throttled: u64,
}

/// One line of `journal.jsonl` after the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum JournalEntry {
    /// The first line. It holds the plan itself too, so that a refused resume can name what differs.
    Plan {
        digest: String,
        run_id: String,
        as_of: Timestamp,
        plan: Box<Plan>,
        /// The snapshots whose files it begins with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        merged: Option<Merged>,
    },
    /// A file is complete on disk.
    Written { file: String, sha256: String, lines: u64 },
}
