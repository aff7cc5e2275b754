//! What reports keep of results: counts of all there is, and of long lists the entries that rank first. It hardly grows
//! with the number of accounts.
//!
//! How it is shown is `view`'s business, and how much of it.

pub(crate) mod accounts;
pub(crate) mod coverage;
pub(crate) mod findings;
pub(crate) mod questions;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{Read, Seek};

use crate::gate::Tally;
use crate::results::stream::{self, Part, ReadError};
use crate::results::{
    CheckInfo, ConfigView, ExceptionResult, FixSuggestion, GateResult, OrganizationScore, Results, Run, ScenarioInfo,
};

use accounts::Accounts;
use coverage::CoverageLists;
use findings::Findings;
use questions::Answers;

/// Suggestions kept.
pub(crate) const FIXES: usize = 20;
/// Entries kept of a list of names.
pub(crate) const LISTED: usize = 100;

/// A run, as small as reports need it.
pub struct Summary {
    pub(crate) run: Run,
    pub(crate) config: ConfigView,
    pub(crate) score: OrganizationScore,
    pub(crate) gate: Option<GateResult>,
    /// What a gate is judged on.
    pub tally: Tally,
    pub(crate) lists: Lists,
}

/// What the lists of results come to.
pub(crate) struct Lists {
    pub(crate) accounts: Accounts,
    pub(crate) checks: BTreeMap<String, CheckInfo>,
    pub(crate) findings: Findings,
    /// Findings that are counted and not listed, by check.
    pub(crate) not_applicable: BTreeMap<String, u64>,
    pub(crate) scenarios: Vec<ScenarioInfo>,
    pub(crate) answers: Answers,
    pub(crate) exceptions: Vec<ExceptionResult>,
    pub(crate) coverage: CoverageLists,
    /// Best first, as they come.
    pub(crate) fixes: Top<FixSuggestion>,
}

impl Summary {
    /// Of `results.json`.
    ///
    /// # Errors
    /// The input is not that, see [`stream::read`].
    pub fn read(input: impl Read + Seek) -> Result<Self, ReadError> {
        let mut gathering = Gathering::default();
        stream::read(input, &mut |part| gathering.take(part))?;
        Ok(gathering.finish())
    }

    /// Of results in memory.
    pub fn of(results: Results) -> Self {
        let mut gathering = Gathering::default();
        results.into_parts(&mut |part| gathering.take(part));
        gathering.finish()
    }

    /// The same run with a gate's verdict.
    pub fn gated(self, gate: Option<GateResult>) -> Self {
        Self { gate, ..self }
    }

    pub fn score(&self) -> &OrganizationScore {
        &self.score
    }
}

/// A summary while parts come in.
#[derive(Default)]
struct Gathering {
    run: Option<Run>,
    config: Option<ConfigView>,
    score: Option<OrganizationScore>,
    gate: Option<GateResult>,
    tally: Tally,
    lists: Lists,
}

impl Gathering {
    fn take(&mut self, part: Part) {
        self.tally.add(&part);
        let lists = &mut self.lists;
        match part {
            Part::Run(run) => self.run = Some(*run),
            Part::Config(config) => self.config = Some(config),
            Part::Score(score) => self.score = Some(score),
            Part::Account(account) => lists.accounts.add(account),
            Part::Check(check) => {
                lists.checks.insert(check.id.clone(), check);
            }
            Part::Finding(finding) => lists.findings.add(lists.accounts.number(&finding.account), *finding),
            Part::NotApplicable(check, count) => *lists.not_applicable.entry(check).or_default() += count,
            Part::Scenario(scenario) => lists.scenarios.push(scenario),
            Part::Question(question) => {
                lists.coverage.add_needs(&mut lists.accounts, &question.permissions);
                lists.answers.add(lists.accounts.asked(&question.account), question);
            }
            Part::Source(source) => lists.accounts.add_source(&source),
            Part::Exception(exception) => lists.exceptions.push(exception),
            Part::Share(share) => lists.coverage.share = share,
            Part::Denied(failure) => lists.coverage.denied.add(lists.accounts.number(&failure.account), failure),
            Part::Failed(failure) => lists.coverage.failed.add(lists.accounts.number(&failure.account), failure),
            Part::Regions(regions) => lists.coverage.add_regions(regions),
            Part::Population(open) => lists.coverage.add_population(lists.accounts.number(&open.account), open),
            Part::NotLookedAt(text) => lists.coverage.not_looked_at.push(text),
            Part::Fix(fix) => {
                lists.fixes.add(fix);
            }
            Part::Gate(gate) => self.gate = Some(gate),
        }
    }

    fn finish(self) -> Summary {
        let Self { run: Some(run), config: Some(config), score: Some(score), gate, tally, lists } = self else {
            panic!("internal error: results were read that lack a required member");
        };
        Summary { run, config, score, gate, tally, lists }
    }
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            accounts: Accounts::default(),
            checks: BTreeMap::new(),
            findings: Findings::default(),
            not_applicable: BTreeMap::new(),
            scenarios: Vec::new(),
            answers: Answers::default(),
            exceptions: Vec::new(),
            coverage: CoverageLists::default(),
            fixes: Top::new(FIXES, as_they_come),
        }
    }
}

/// Those that rank first of many, equals in the order they came.
pub(crate) struct Top<T> {
    limit: usize,
    rank: fn(&T, &T) -> Ordering,
    kept: Vec<T>,
    /// How many there were.
    total: usize,
}

/// The rank of things whose order is their rank.
pub(crate) fn as_they_come<T>(_: &T, _: &T) -> Ordering {
    Ordering::Equal
}

impl<T> Top<T> {
    pub(crate) fn new(limit: usize, rank: fn(&T, &T) -> Ordering) -> Self {
        Self { limit, rank, kept: Vec::new(), total: 0 }
    }

    /// Gives back the one that there is no room for.
    pub(crate) fn add(&mut self, item: T) -> Option<T> {
        self.total += 1;
        let at = self.kept.partition_point(|kept| (self.rank)(kept, &item) != Ordering::Greater);
        if at == self.limit {
            return Some(item);
        }
        self.kept.insert(at, item);
        if self.kept.len() > self.limit { self.kept.pop() } else { None }
    }

    /// How many were added, kept or not.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Those kept.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_by_rank_are_kept_and_all_are_counted() {
        let mut top = Top::new(3, |a: &(u8, char), b| a.0.cmp(&b.0));
        let back: Vec<_> = [(5, 'a'), (2, 'b'), (9, 'c'), (2, 'd'), (7, 'e'), (2, 'f')]
            .into_iter()
            .filter_map(|item| top.add(item))
            .collect();
        assert_eq!(top.iter().copied().collect::<Vec<_>>(), [(2, 'b'), (2, 'd'), (2, 'f')]);
        assert_eq!((top.total(), back), (6, vec![(9, 'c'), (7, 'e'), (5, 'a')]));
    }
}
