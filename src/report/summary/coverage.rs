//! What could not be read, folded by cause over accounts and regions.

use std::collections::{BTreeMap, BTreeSet};

use super::accounts::{Accounts, Number};
use super::{LISTED, Top, as_they_come};
use crate::model::ids::Region;
use crate::model::observed::Why;
use crate::results::{Failure, OpenPopulation, PermissionNeed, RegionCoverage};

pub(crate) struct CoverageLists {
    pub(crate) share: f64,
    pub(crate) denied: Failures,
    pub(crate) failed: Failures,
    /// Those with enabled regions left out first.
    pub(crate) regions: Top<RegionCoverage>,
    pub(crate) accounts_with_skips: usize,
    pub(crate) populations: Top<OpenPopulation>,
    /// All of them, by the call that failed and why.
    pub(crate) populations_by: BTreeMap<(String, Why), OpenGroup>,
    pub(crate) not_looked_at: Vec<String>,
    /// By action: answers that a permission would settle, by the accounts it is missing in.
    needs: BTreeMap<String, BTreeMap<Vec<Number>, usize>>,
}

/// By permission, or call where no permission helps, and reason.
#[derive(Default)]
pub(crate) struct Failures(pub(crate) BTreeMap<String, BTreeMap<Why, FailureGroup>>);

/// Failures of one cause.
#[derive(Default)]
pub(crate) struct FailureGroup {
    pub(crate) calls: BTreeSet<String>,
    pub(crate) accounts: BTreeSet<Number>,
    pub(crate) regions: BTreeSet<Region>,
    pub(crate) count: u64,
    /// The first there was.
    pub(crate) message: Option<String>,
}

/// Lists that one call left open.
#[derive(Default)]
pub(crate) struct OpenGroup {
    pub(crate) kinds: BTreeSet<String>,
    pub(crate) accounts: BTreeSet<Number>,
    pub(crate) regions: BTreeSet<Region>,
    pub(crate) count: usize,
}

impl Default for CoverageLists {
    fn default() -> Self {
        Self {
            share: 0.0,
            denied: Failures::default(),
            failed: Failures::default(),
            regions: Top::new(LISTED, |a, b| a.skipped.is_empty().cmp(&b.skipped.is_empty())),
            accounts_with_skips: 0,
            populations: Top::new(LISTED, as_they_come),
            populations_by: BTreeMap::new(),
            not_looked_at: Vec::new(),
            needs: BTreeMap::new(),
        }
    }
}

impl CoverageLists {
    pub(crate) fn add_regions(&mut self, regions: RegionCoverage) {
        self.accounts_with_skips += usize::from(!regions.skipped.is_empty());
        self.regions.add(regions);
    }

    pub(crate) fn add_population(&mut self, account: Number, open: OpenPopulation) {
        let group = self.populations_by.entry((open.unknown.call.clone(), open.unknown.why)).or_default();
        group.kinds.insert(open.kind.clone());
        group.accounts.insert(account);
        group.regions.extend(open.region.clone());
        group.count += 1;
        self.populations.add(open);
    }

    /// Counts an answer with the permissions that would settle it.
    pub(crate) fn add_needs(&mut self, accounts: &mut Accounts, permissions: &[PermissionNeed]) {
        let mut by_action: BTreeMap<&str, BTreeSet<Number>> = BTreeMap::new();
        for need in permissions {
            by_action.entry(&need.action).or_default().insert(accounts.number(&need.account));
        }
        for (action, missing_in) in by_action {
            if !self.needs.contains_key(action) {
                self.needs.insert(action.to_owned(), BTreeMap::new());
            }
            if let Some(answers) = self.needs.get_mut(action) {
                *answers.entry(missing_in.into_iter().collect()).or_default() += 1;
            }
        }
    }

    /// Answers that a permission in any of some accounts would settle.
    pub(crate) fn settles(&self, action: &str, accounts: &BTreeSet<Number>) -> usize {
        let answers = self.needs.get(action).into_iter().flatten();
        answers.filter(|(missing_in, _)| missing_in.iter().any(|a| accounts.contains(a))).map(|(_, n)| n).sum()
    }
}

impl Failures {
    pub(crate) fn add(&mut self, account: Number, failure: Failure) {
        let what = failure.action.unwrap_or_else(|| failure.call.clone());
        let group = self.0.entry(what).or_default().entry(failure.why).or_default();
        group.calls.insert(failure.call);
        group.accounts.insert(account);
        group.regions.extend(failure.region);
        group.count += failure.count;
        group.message = group.message.take().or(failure.message);
    }
}
