//! What a run says of each account: whether it was entered, why not, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::evaluate::Judged;
use crate::cli::exit::Refused;
use crate::config::Config;
use crate::files::SnapshotReader;
use crate::finding::{Finding, Status, Truth};
use crate::inventory::AccountFacts;
use crate::inventory::organizations::{Account, AccountEntry, Organization};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Told, Unknown};
use crate::relate::subject::{AccountGraph, Open, Subject};
use crate::results::{AccountResult, AccountStatus, Failure, ScoreInterval};
use crate::score::{AccountInput, Scored};

use super::coverage;

/// What is kept of an account once it is judged; its facts and resources are not.
pub(super) struct Seen {
    pub id: AccountId,
    /// As Organizations lists it; none for one that only the snapshot names.
    pub listed: Option<Account>,
    pub entry: Told<AccountEntry>,
    pub has_ai: Told<bool>,
    pub subjects: Vec<Subject>,
    pub open: Vec<Open>,
    pub judged: Judged,
    pub failures: Vec<Failure>,
}

impl Seen {
    pub(super) fn new(
        organization: &Organization,
        facts: &AccountFacts,
        graph: AccountGraph,
        judged: Judged,
    ) -> Self {
        Self {
            id: facts.account.clone(),
            listed: organization.accounts.iter().find(|account| account.id == facts.account).cloned(),
            entry: facts.entry().cloned(),
            has_ai: graph.has_ai,
            subjects: graph.subjects,
            open: graph.open,
            judged,
            failures: coverage::failures(facts),
        }
    }

    /// Its workloads were read.
    pub(super) fn entered(&self) -> bool {
        self.entry.as_ref().is_ok_and(|entry| entry.session.is_ok() && entry.workloads)
    }

    pub(super) fn input(&self) -> AccountInput<'_> {
        AccountInput { account: &self.id, has_ai: &self.has_ai, subjects: &self.subjects, open: &self.open }
    }

    /// Regions enabled in the account that were left out.
    pub(super) fn skipped_regions(&self) -> Vec<Region> {
        let Ok(AccountEntry { enabled_regions: Ok(enabled), read_regions, .. }) = &self.entry else {
            return Vec::new();
        };
        enabled.iter().filter(|region| !read_regions.contains(region)).cloned().collect()
    }

    /// Should have been entered: active as far as anyone knows, and not filtered away.
    fn in_scope(&self) -> bool {
        self.listed.as_ref().is_none_or(|a| a.selected && a.state.as_deref().is_none_or(|state| state == "ACTIVE"))
    }

    /// Why it could not be entered.
    fn kept_out(&self) -> Option<&Unknown> {
        match &self.entry {
            Err(unknown) => Some(unknown),
            Ok(entry) => entry.session.as_ref().err(),
        }
    }

    fn status(&self) -> (AccountStatus, Option<String>) {
        if let Some(state) = self.listed.as_ref().and_then(|a| a.state.as_ref()).filter(|state| *state != "ACTIVE") {
            return (AccountStatus::NotAssessed, Some(format!("the account is {}", state.to_lowercase())));
        }
        if self.listed.as_ref().is_some_and(|account| !account.selected) {
            return (AccountStatus::NotAssessed, Some("outside the scope of this run".to_owned()));
        }
        if let Some(unknown) = self.kept_out() {
            return (AccountStatus::NotAssessed, Some(unknown.sentence()));
        }
        if !self.entered() {
            return (AccountStatus::NotAssessed, Some("entered only for evidence of other accounts".to_owned()));
        }
        let failed: u64 = self.failures.iter().map(|failure| failure.count).sum();
        match failed {
            0 => (AccountStatus::Assessed, None),
            1 => (AccountStatus::Partly, Some("1 call failed".to_owned())),
            n => (AccountStatus::Partly, Some(format!("{n} calls failed"))),
        }
    }
}

/// Every account that was in scope or that facts are there of, in order.
pub(super) fn all(organization: &Organization, reader: &SnapshotReader) -> Vec<AccountId> {
    let mut ids: BTreeSet<AccountId> = reader.accounts().into_iter().collect();
    ids.extend(organization.accounts.iter().map(|account| account.id.clone()));
    ids.into_iter().collect()
}

/// A run that entered no account says nothing about any.
pub(super) fn any_entered(seen: &[Seen]) -> anyhow::Result<()> {
    if seen.iter().any(Seen::entered) {
        return Ok(());
    }
    let reason = seen.iter().filter(|seen| seen.in_scope()).find_map(Seen::kept_out);
    let message = match reason {
        Some(unknown) => match &unknown.message {
            Some(said) => format!("no account could be entered: {}: {said}", unknown.sentence()),
            None => format!("no account could be entered: {}", unknown.sentence()),
        },
        None => "no account could be entered: none is active and in scope".to_owned(),
    };
    let help = "`locard role` prints the role every account needs, `locard role --document caller` what the caller needs";
    Err(Refused::no_result(message, help))
}

/// Accounts that should have been entered and were not.
pub(super) fn unentered(seen: &[Seen], config: &Config) -> Vec<(AccountId, Unknown)> {
    seen.iter()
        .filter(|seen| seen.in_scope() && !config.exclude_accounts.contains_key(&seen.id))
        .filter_map(|seen| Some((seen.id.clone(), seen.kept_out()?.clone())))
        .collect()
}

/// The accounts of the results, in order.
pub(super) fn results(
    seen: &[Seen],
    scored: &Scored,
    unentered: &[(AccountId, Unknown)],
    findings: &[Finding],
) -> Vec<AccountResult> {
    let mut tallies: BTreeMap<&AccountId, BTreeMap<Status, u64>> = BTreeMap::new();
    for finding in findings {
        *tallies.entry(&finding.account).or_default().entry(finding.status).or_default() += 1;
    }
    for account in seen {
        let count: u64 = account.judged.not_applicable.values().sum();
        if count > 0 {
            *tallies.entry(&account.id).or_default().entry(Status::NotApplicable).or_default() += count;
        }
    }
    seen.iter()
        .map(|account| {
            let (status, reason) = account.status();
            let unentered = unentered.iter().any(|(id, _)| *id == account.id);
            let score = scored.accounts.get(&account.id);
            AccountResult {
                id: account.id.clone(),
                name: account.listed.as_ref().and_then(|listed| listed.name.clone()),
                ou_path: account.listed.as_ref().and_then(|listed| listed.ou_path.as_ref().ok().cloned()),
                status,
                reason,
                has_ai: match account.has_ai {
                    _ if !account.entered() => Truth::Unknown,
                    Ok(true) => Truth::True,
                    Ok(false) => Truth::False,
                    Err(_) => Truth::Unknown,
                },
                scored: unentered || score.is_some_and(|score| score.scored),
                score: match score {
                    Some(score) => score.score,
                    None => unentered.then_some(ScoreInterval { low: 0.0, expected: None, high: 100.0 }),
                },
                tiers: score.map(|score| score.tiers.clone()).unwrap_or_else(BTreeMap::new),
                tally: tallies.remove(&account.id).unwrap_or_else(BTreeMap::new),
            }
        })
        .collect()
}
