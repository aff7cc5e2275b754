//! `locard.yaml`: what a run is asked for. `raw` is what people write, `Config` what it means.

mod raw;
mod yaml;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::ids::{AccountId, Region};
use crate::model::severity::Severity;
use crate::model::time::Timestamp;

pub use raw::{ConfigErrors, Problem, parse, role_name, schema, share};

/// A valid configuration; every field has a default.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Name of the read-only role in every account.
    pub role: String,
    pub external_id: Option<String>,
    /// Put into CloudTrail as the source identity of the sessions.
    pub source_identity: Option<String>,
    /// Read only these regions; empty = all enabled.
    pub regions: Vec<Region>,
    /// Never read these.
    pub skip_regions: Vec<Region>,
    pub timeouts: Timeouts,
    /// Share of AWS's limits that a sweep may use, above 0 and at most 1.
    pub max_rate: f64,
    /// Left out of the score, by name and reason.
    pub exclude_accounts: BTreeMap<AccountId, String>,
    pub requirements: Requirements,
    pub exceptions: Vec<Exception>,
    pub gate: Gate,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            role: "LocardAudit".to_owned(),
            external_id: None,
            source_identity: None,
            regions: Vec::new(),
            skip_regions: Vec::new(),
            timeouts: Timeouts::default(),
            max_rate: 0.5,
            exclude_accounts: BTreeMap::new(),
            requirements: Requirements::default(),
            exceptions: Vec::new(),
            gate: Gate::default(),
        }
    }
}

/// How long a call to AWS may take, and how often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until an answer begins.
    pub read: Duration,
    /// One request with its answer.
    pub attempt: Duration,
    /// All attempts and the pauses between them.
    pub operation: Duration,
    /// Requests a call may cost, the first included.
    pub attempts: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            read: Duration::from_secs(15),
            attempt: Duration::from_secs(20),
            operation: Duration::from_secs(90),
            attempts: 5,
        }
    }
}

/// Thresholds; `requirements` in check expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Requirements {
    /// Days evidence should be kept for full points and tier R2.
    pub retention_days: i64,
    /// Days of Object Lock default retention that count as immutable.
    pub lock_days: i64,
    /// Hours within which a trail must have delivered.
    pub delivery_hours: i64,
    /// Finished jobs count as workloads for so many days.
    pub ai_lookback_days: i64,
    /// Jobs of a kind described per account and region, newest first; more open the population.
    pub max_described_jobs: i64,
}

impl Default for Requirements {
    fn default() -> Self {
        Self { retention_days: 365, lock_days: 365, delivery_hours: 24, ai_lookback_days: 365, max_described_jobs: 500 }
    }
}

impl Requirements {
    /// By field name, as published in results and seen by expressions.
    pub fn by_name(&self) -> BTreeMap<String, i64> {
        BTreeMap::from([
            ("retention_days".to_owned(), self.retention_days),
            ("lock_days".to_owned(), self.lock_days),
            ("delivery_hours".to_owned(), self.delivery_hours),
            ("ai_lookback_days".to_owned(), self.ai_lookback_days),
            ("max_described_jobs".to_owned(), self.max_described_jobs),
        ])
    }
}

/// An approved, owned, expiring waiver. It annotates findings and lets a gate pass them; it changes no status.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    pub check: String,
    /// Empty = every account.
    pub accounts: Vec<AccountId>,
    /// Empty = every region.
    pub regions: Vec<Region>,
    /// A resource id, `*` standing for any run of characters; none = every resource.
    pub resource: Option<String>,
    pub owner: String,
    pub approver: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    /// Midnight UTC that starts the day.
    pub created: Timestamp,
    /// First instant at which it no longer holds: the midnight UTC that ends the day written.
    pub expires: Timestamp,
    pub compensating_control: Option<String>,
}

/// What a gate demands; a condition that is not set is not asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Organization score, 0 to 100: passes on the low bound, fails on the high bound.
    pub min_score: Option<f64>,
    /// Any unexcepted failure at or above this severity fails the gate; an unknown one leaves it undecided.
    pub fail_on: Option<Severity>,
    pub unknown: UnknownPolicy,
    /// Share of required criteria that must be known, 0 to 1.
    pub min_coverage: Option<f64>,
    /// Refuse a run whose built-in checks were replaced.
    pub allow_replaced_checks: bool,
    /// The configuration declares a filtered scope, for this reason; without it a partial run is undecided.
    pub partial_scope: Option<String>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            min_score: None,
            fail_on: None,
            unknown: UnknownPolicy::Undecided,
            min_coverage: None,
            allow_replaced_checks: true,
            partial_scope: None,
        }
    }
}

/// What an unknown finding at or above `fail_on` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownPolicy {
    Undecided,
    Fail,
    Ignore,
}
