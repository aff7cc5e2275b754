//! Findings counted by check and account; of each check those that rank first.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use super::accounts::Number;
use super::{LISTED, Top};
use crate::finding::{Dimension, Finding, Source, Status};
use crate::model::ids::{AccountId, Region, ResourceId};
use crate::model::severity::Severity;

/// Findings kept in full, of each check.
pub(crate) const DETAILED: usize = 50;
/// Accounts kept that a finding counts for.
const COUNTS_FOR: usize = 8;
/// Reasons kept of what a criterion could not read; there may be one for every region.
const UNKNOWNS: usize = 6;

/// Findings by status.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) fail: u64,
    pub(crate) unknown: u64,
    pub(crate) pass: u64,
    pub(crate) not_applicable: u64,
    /// Failed or unknown findings with an exception in force; they stay in the counts above.
    pub(crate) excepted: u64,
}

impl Counts {
    fn add(&mut self, finding: &Finding) {
        self.add_status(finding.status, 1);
        if is_open(finding.status) && excepted(finding) {
            self.excepted += 1;
        }
    }

    pub(crate) fn add_status(&mut self, status: Status, count: u64) {
        match status {
            Status::Fail => self.fail += count,
            Status::Unknown => self.unknown += count,
            Status::Pass => self.pass += count,
            Status::NotApplicable => self.not_applicable += count,
        }
    }

    /// The worst status anything came to; none when nothing was judged.
    pub(crate) fn worst(self) -> Option<Status> {
        [
            (self.fail, Status::Fail),
            (self.unknown, Status::Unknown),
            (self.pass, Status::Pass),
            (self.not_applicable, Status::NotApplicable),
        ]
        .into_iter()
        .find_map(|(count, status)| (count > 0).then_some(status))
    }
}

#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) counts: Counts,
    pub(crate) by_check: BTreeMap<String, OfCheck>,
}

/// The findings of a check.
pub(crate) struct OfCheck {
    pub(crate) counts: Counts,
    /// As its findings have them, for a check the run does not describe.
    pub(crate) severity: Severity,
    pub(crate) source: Source,
    pub(crate) dimension: Dimension,
    /// Failed and unknown ones, as many as have a place here, and after them those that have none.
    pub(crate) detailed: Top<Detailed>,
    pub(crate) named: Top<Named>,
    /// Failed and unknown ones by account.
    pub(crate) by_account: BTreeMap<Number, u32>,
    pub(crate) passed: Top<Named>,
}

/// A finding in full, but for most of the accounts it counts for (an organization's trail counts for all of them) and
/// of the reasons it is unknown for.
pub(crate) struct Detailed {
    pub(crate) finding: Finding,
    /// Besides its own account and those in `finding`.
    pub(crate) counts_for_more: usize,
    /// Of each criterion, besides those in `finding`.
    pub(crate) unknown_more: Vec<usize>,
}

/// A finding by what it is about.
pub(crate) struct Named {
    pub(crate) status: Status,
    excepted: bool,
    pub(crate) account: AccountId,
    pub(crate) region: Option<Region>,
    pub(crate) resource: ResourceId,
}

impl Findings {
    pub(crate) fn add(&mut self, account: Number, finding: Finding) {
        self.counts.add(&finding);
        if !self.by_check.contains_key(&finding.check) {
            self.by_check.insert(finding.check.clone(), OfCheck::like(&finding));
        }
        if let Some(of_check) = self.by_check.get_mut(&finding.check) {
            of_check.add(account, finding);
        }
    }
}

impl OfCheck {
    fn like(finding: &Finding) -> Self {
        Self {
            counts: Counts::default(),
            severity: finding.severity,
            source: finding.source,
            dimension: finding.dimension,
            detailed: Top::new(DETAILED, |a, b| key(&a.finding).cmp(&key(&b.finding))),
            named: Top::new(LISTED, by_key),
            by_account: BTreeMap::new(),
            passed: Top::new(LISTED, by_key),
        }
    }

    fn add(&mut self, account: Number, finding: Finding) {
        self.counts.add(&finding);
        match finding.status {
            Status::Fail | Status::Unknown => {
                *self.by_account.entry(account).or_default() += 1;
                if let Some(detailed) = self.detailed.add(Detailed::from(finding)) {
                    self.named.add(Named::from(detailed.finding));
                }
            }
            Status::Pass => {
                self.passed.add(Named::from(finding));
            }
            Status::NotApplicable => {}
        }
    }
}

impl From<Finding> for Detailed {
    fn from(mut finding: Finding) -> Self {
        finding.counts_for.retain(|account| *account != finding.account);
        let counts_for_more = cut(&mut finding.counts_for, COUNTS_FOR);
        let unknown_more = finding.criteria.iter_mut().map(|criterion| cut(&mut criterion.unknown, UNKNOWNS)).collect();
        Self { finding, counts_for_more, unknown_more }
    }
}

/// Keeps the first of a list, and says how many are left out.
fn cut<T>(list: &mut Vec<T>, keep: usize) -> usize {
    let more = list.len().saturating_sub(keep);
    list.truncate(keep);
    list.shrink_to_fit();
    more
}

impl From<Finding> for Named {
    fn from(finding: Finding) -> Self {
        Self {
            status: finding.status,
            excepted: excepted(&finding),
            account: finding.account,
            region: finding.region,
            resource: finding.resource,
        }
    }
}

/// Failed before unknown, what is waived last, then by place.
type Key<'a> = (Status, bool, &'a AccountId, Option<&'a Region>, &'a ResourceId);

fn key(finding: &Finding) -> Key<'_> {
    (finding.status, excepted(finding), &finding.account, finding.region.as_ref(), &finding.resource)
}

fn by_key(a: &Named, b: &Named) -> Ordering {
    let key = |named: &Named| (named.status, named.excepted);
    key(a).cmp(&key(b)).then_with(|| (&a.account, &a.region, &a.resource).cmp(&(&b.account, &b.region, &b.resource)))
}

fn is_open(status: Status) -> bool {
    matches!(status, Status::Fail | Status::Unknown)
}

fn excepted(finding: &Finding) -> bool {
    finding.exception.as_ref().is_some_and(|exception| exception.active)
}
