//! What a snapshot is made of on disk, as values: manifest, plan and journal. Reading and writing is `files`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::ids::{AccountId, Region};
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
    Plan { digest: String, run_id: String, as_of: Timestamp, plan: Box<Plan> },
    /// A file is complete on disk.
    Written { file: String, sha256: String, lines: u64 },
}
