//! `results.json`: the canonical result of a run. Every report, gate and difference is a pure function of it.
//!
//! The schema is generated from these types (`locard report RUN --format schema`); fields are only ever added within
//! one `schema_version`.

pub mod stream;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::{Dimension, Finding, Source, Status};
use crate::inventory::snapshot::CallCount;
use crate::model::ids::{AccountId, Region, ResourceId};
use crate::model::observed::Unknown;
use crate::model::severity::Severity;
use crate::model::time::Timestamp;

pub const SCHEMA_VERSION: &str = "1.0";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Results {
    pub schema_version: String,
    pub run: Run,
    /// The configuration as run.
    pub config: ConfigView,
    pub score: OrganizationScore,
    pub accounts: Vec<AccountResult>,
    pub checks: Vec<CheckInfo>,
    pub findings: Vec<Finding>,
    /// Findings of status `not_applicable` that are counted and not listed, by check.
    pub not_applicable: BTreeMap<String, u64>,
    pub scenarios: Vec<ScenarioInfo>,
    pub questions: Vec<QuestionResult>,
    /// Sources by account, for the heat map.
    pub sources: Vec<SourceResult>,
    pub exceptions: Vec<ExceptionResult>,
    pub coverage: Coverage,
    /// What to do first, best first.
    pub fixes: Vec<FixSuggestion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateResult>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub id: String,
    pub as_of: Timestamp,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub locard_version: String,
    /// SHA-256 over the checks and scenarios used.
    pub ruleset_digest: String,
    /// SHA-256 of the snapshot's manifest.
    pub snapshot_digest: String,
    pub caller_arn: String,
    pub role: String,
    /// `organization` or `single_account`.
    pub mode: String,
    /// Why it is a single-account run, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_account: Option<AccountId>,
    pub calls: BTreeMap<String, CallCount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew_seconds: Option<i64>,
    /// The run was filtered, interrupted, or ran only some checks; `partial_reasons` says which.
    pub partial: bool,
    pub partial_reasons: Vec<String>,
    /// Something that was to be read was not, whatever was asked for: the run was ended early, shards are missing, or
    /// the list of accounts broke off.
    /// Not said in results from before that was told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<bool>,
    /// Ids of built-in checks that a user's check replaced.
    pub replaced_checks: Vec<String>,
}

/// What of the configuration decides results; secrets such as the external id are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigView {
    pub requirements: BTreeMap<String, i64>,
    /// Accounts left out by name and reason.
    pub excluded_accounts: BTreeMap<AccountId, String>,
    pub regions: Vec<Region>,
    /// Declared partial scope and its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_scope: Option<String>,
}

/// A number between two bounds, 0 to 100; `expected` leaves unknown points out and is none when nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreInterval {
    pub low: f64,
    pub expected: Option<f64>,
    pub high: f64,
}

/// Readiness tiers R0 to R3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Tier {
    R0,
    R1,
    R2,
    R3,
}

impl Tier {
    pub fn word(self) -> &'static str {
        match self {
            Self::R0 => "R0",
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationScore {
    pub low: f64,
    pub expected: Option<f64>,
    pub high: f64,
    pub tier_low: Tier,
    pub tier_high: Tier,
    /// The account with the lowest score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest_account: Option<AccountId>,
    /// Highest minus lowest `high` bound over accounts with AI.
    pub spread: f64,
    /// The same mean without accounts that could not be entered.
    pub without_unentered: Option<ScoreInterval>,
    /// Accounts the mean is over.
    pub accounts: u64,
    /// Set when no account runs AI and nothing is unknown: there is nothing to be ready for.
    pub nothing_to_assess: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    Assessed,
    /// Entered, with calls that failed.
    Partly,
    NotAssessed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountResult {
    pub id: AccountId,
    pub name: Option<String>,
    pub ou_path: Option<String>,
    pub status: AccountStatus,
    /// Why it is not, or only partly, assessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `true`, `false` or `unknown`.
    pub has_ai: crate::finding::Truth,
    /// Counts in the organization's score.
    pub scored: bool,
    pub score: Option<ScoreInterval>,
    /// By scenario id: lowest and highest tier, and whether "design only".
    pub tiers: BTreeMap<String, TierInterval>,
    /// Findings by status.
    pub tally: BTreeMap<Status, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TierInterval {
    pub low: Tier,
    pub high: Tier,
    /// The evidence has not been in force for the required days, or since when is not known.
    pub design_only: bool,
    /// What keeps it from being higher.
    pub capped_by: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckInfo {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    pub source: Source,
    pub dimension: Dimension,
    pub resource: String,
    pub why: String,
    pub fix: FixTexts,
    /// Framework id to control ids, e.g. `nist-800-53-r5` to `[AU-3, AU-12]`.
    pub frameworks: BTreeMap<String, Vec<String>>,
    pub references: Vec<String>,
    pub builtin: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixTexts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terraform: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloudformation: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioInfo {
    pub id: String,
    pub title: String,
    pub questions: Vec<QuestionInfo>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuestionInfo {
    /// `1.1`
    pub id: String,
    pub text: String,
    pub must_have: bool,
    pub plane: Plane,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    Control,
    Data,
    Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Yes,
    Partly,
    No,
    CannotTell,
    /// Nothing in the account the question could be asked about.
    NotApplicable,
    /// Every path needs a source that no check judges yet.
    NotJudged,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Partly => "partly",
            Self::No => "no",
            Self::CannotTell => "cannot tell",
            Self::NotApplicable => "not applicable",
            Self::NotJudged => "not judged",
        }
    }
}

/// A question asked of one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuestionResult {
    pub id: String,
    pub scenario: String,
    pub account: AccountId,
    /// 0 to 1.
    pub low: f64,
    pub high: f64,
    pub verdict: Verdict,
    /// Since when the evidence is known to be in force, where AWS tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The subject the answer is weakest for, and how many were asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest_subject: Option<SubjectScore>,
    pub subjects: u64,
    /// Why AWS itself keeps an answer away, e.g. serverless endpoints.
    pub not_recordable: Vec<String>,
    /// Sources and dimensions of its paths that nothing judges.
    pub not_judged: Vec<String>,
    /// The cheapest set of fixes that turns it to yes; finding ids with their check. Empty when nothing can.
    pub fixes: Vec<FixRef>,
    /// Permissions that would settle what is unknown, `action` with the accounts it is missing in.
    pub permissions: Vec<PermissionNeed>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectScore {
    pub kind: String,
    pub id: ResourceId,
    pub low: f64,
    pub high: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixRef {
    pub check: String,
    pub account: AccountId,
    pub resource: ResourceId,
    pub finding: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionNeed {
    /// IAM action, e.g. `s3:GetBucketPolicy`; or `enter the account`.
    pub action: String,
    pub account: AccountId,
    /// A service control policy or a region setting is in the way, not the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One thing to do: all findings of a check in an account, and what doing it gains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixSuggestion {
    pub check: String,
    pub title: String,
    pub account: AccountId,
    pub findings: u64,
    /// Points of the organization score, low bound, gained by fixing just this.
    pub gain: f64,
    /// Must-have questions turned to yes by fixing just this.
    pub questions: Vec<String>,
}

/// One cell of the heat map: how well a source is in place for an account's workloads, 0 to 100.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceResult {
    pub account: AccountId,
    pub source: Source,
    pub low: f64,
    pub high: f64,
    pub subjects: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionResult {
    pub check: String,
    /// Selectors as configured.
    pub accounts: Vec<AccountId>,
    pub regions: Vec<Region>,
    pub resource: Option<String>,
    pub owner: String,
    pub approver: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    pub created: String,
    pub expires: String,
    pub compensating_control: Option<String>,
    /// Expired at `as_of`.
    pub expired: bool,
    /// Findings it matches; 0 means it should be removed.
    pub matches: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Share of known required criteria among all that apply, 0 to 1.
    pub share: f64,
    pub denied: Vec<Failure>,
    /// Every other failed call.
    pub failed: Vec<Failure>,
    pub regions: Vec<RegionCoverage>,
    /// Populations that could not be listed whole.
    pub populations: Vec<OpenPopulation>,
    /// What locard does not look at (yet), in words.
    pub not_looked_at: Vec<String>,
}

/// Failed calls of one kind in one account, folded over resources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub account: AccountId,
    pub region: Option<Region>,
    pub call: String,
    /// The IAM action that permits the call.
    pub action: Option<String>,
    pub why: crate::model::observed::Why,
    pub message: Option<String>,
    pub count: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionCoverage {
    pub account: AccountId,
    pub read: Vec<Region>,
    /// Enabled in the account and left out of this run.
    pub skipped: Vec<Region>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenPopulation {
    pub kind: String,
    /// For holders of evidence, of which source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    pub account: AccountId,
    pub region: Option<Region>,
    pub unknown: Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    Passed,
    Failed,
    Undecided,
}

impl GateVerdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateResult {
    pub verdict: GateVerdict,
    pub conditions: Vec<GateCondition>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateCondition {
    /// The configuration key, e.g. `min_score`.
    pub name: String,
    pub wanted: String,
    pub got: String,
    pub verdict: GateVerdict,
    /// Checks responsible.
    pub checks: Vec<String>,
}
