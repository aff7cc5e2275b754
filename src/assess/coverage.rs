//! What the run saw and what it did not: failed calls, regions, open populations, and what locard does not look at.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::AccountFacts;
use crate::inventory::offered::lacks;
use crate::inventory::operations;
use crate::inventory::organizations::{AccountEntry, Organization};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Unknown, Why};
use crate::results::{Failure, RegionCoverage};

/// Said in every report, so that silence is never taken for absence.
pub(super) const NOT_LOOKED_AT: &[&str] = &[
    "AWS Config, GuardDuty and Security Hub: configuration history and threat findings are not judged yet.",
    "IAM: who may use AI services, who may delete evidence, and whether a responder can read it are not judged yet.",
    "CloudTrail Lake event data stores, which take no new customers since 2026-05-31.",
    "SageMaker labelling jobs, clusters, inference components and experiments, model packages, monitoring schedules, \
     MLflow and pipelines; Bedrock AgentCore, custom model imports in progress and prompt routers.",
    "Comprehend, Rekognition, Textract, Translate and Transcribe, which have no content log to judge.",
    "S3 access points and S3 Vectors buckets behind AI workloads.",
    "Use of Bedrock models that ended before CloudWatch's list of metrics, about two weeks.",
];

/// Calls that failed in one account, folded over resources.
#[derive(Default)]
pub(super) struct Failures {
    /// By region, call and reason.
    counts: BTreeMap<(Option<Region>, String, Why), Hit>,
}

/// The resources a kind of failure hit, and what AWS said the first time.
#[derive(Default)]
struct Hit {
    ids: BTreeSet<String>,
    message: Option<String>,
}

impl Failures {
    /// Adds what the facts of the account could not tell.
    pub(super) fn add(&mut self, facts: &AccountFacts) {
        for line in &facts.lines {
            for unknown in line.unknowns() {
                let region = unknown.region.clone().or_else(|| line.region.clone());
                self.note(region, line.id.as_str(), unknown);
            }
        }
    }

    /// Adds what the caller could not tell of the organization, where the account is the one it asked from.
    pub(super) fn add_organization(&mut self, organization: &Organization) {
        for account in &organization.accounts {
            if let Err(unknown) = &account.ou_path {
                self.note(unknown.region.clone(), account.id.as_str(), unknown.clone());
            }
        }
        let whole = [organization.organization.get().err(), organization.listed.clone().err()];
        for unknown in whole.into_iter().flatten() {
            self.note(unknown.region.clone(), "organization", unknown);
        }
    }

    fn note(&mut self, region: Option<Region>, id: &str, unknown: Unknown) {
        let nothing_there = region.as_ref().is_some_and(|region| lacks(region, &unknown));
        if failed_call(&unknown) && !nothing_there {
            let hit = self.counts.entry((region, unknown.call, unknown.why)).or_default();
            hit.ids.insert(id.to_owned());
            hit.message = hit.message.take().or(unknown.message);
        }
    }

    /// Denials first, then every other failure.
    pub(super) fn split(self, account: &AccountId) -> (Vec<Failure>, Vec<Failure>) {
        let all = self.counts.into_iter().map(|((region, call, why), hit)| Failure {
            account: account.clone(),
            region,
            action: operations::action(&call).map(str::to_owned),
            call,
            why,
            message: hit.message,
            count: hit.ids.len() as u64,
        });
        all.partition(|f| matches!(f.why, Why::Denied | Why::DeniedByScp))
    }

    /// Whether any concerns the account itself.
    pub(super) fn any(&self) -> bool {
        // What the caller could not ask of the organization says nothing of how its own account was read.
        self.counts.keys().any(|(_, call, _)| !call.starts_with("organizations:"))
    }
}

/// Whether somebody asked and AWS did not answer; the other reasons are about facts nobody could ask for.
fn failed_call(unknown: &Unknown) -> bool {
    !unknown.call.is_empty()
        && !matches!(unknown.why, Why::NotCollected | Why::Capped | Why::Foreign | Why::NotEntered | Why::Undecidable)
}

/// Regions read and left out in an account that was entered.
pub(super) fn regions(account: &AccountId, entry: &AccountEntry) -> Option<RegionCoverage> {
    entry.session.as_ref().ok()?;
    let enabled: BTreeSet<&Region> = entry.enabled_regions.iter().flatten().collect();
    let read: BTreeSet<&Region> = entry.read_regions.iter().collect();
    Some(RegionCoverage {
        account: account.clone(),
        skipped: enabled.difference(&read).map(|r| (*r).clone()).collect(),
        read: entry.read_regions.clone(),
    })
}
