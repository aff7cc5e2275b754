//! The score of the organization, account by account: its mean, its tiers, and the fixes that raise it most.
//!
//! Of each account it keeps some numbers, and of each failing check in an account what fixing it changes; what they are
//! worked out from may be let go.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

use crate::finding::{Finding, Status};
use crate::model::ids::AccountId;
use crate::model::observed::Told;
use crate::model::severity::Severity;
use crate::results::{FixSuggestion, OrganizationScore, ScoreInterval, Tier};

use super::combine::{self, Mean, Weighed};
use super::fixes::Change;
use super::{AccountScore, Scoring, percent};

/// Suggestions listed; the rest gains less.
pub const MAX_SUGGESTIONS: usize = 200;

/// Nothing is known of it: anything between nothing and all.
const ANYTHING: Weighed = Weighed { weight: 1.0, low: 0.0, high: 1.0, expected: None, sure: true };

/// What one account brings to the score of the organization.
#[derive(Debug)]
pub struct Stake {
    /// Over its questions, 0 to 1; none when no question weighs.
    pub(super) mean: Option<Mean>,
    pub(super) changes: Vec<Change>,
}

/// Failing findings of each check in each account, waived ones left out.
#[derive(Debug, Default)]
pub struct Failing(BTreeMap<(String, AccountId), (Severity, u64)>);

impl Failing {
    pub fn of(findings: &[Finding]) -> Self {
        let mut failing = Self::default();
        for finding in findings {
            let waived = finding.exception.as_ref().is_some_and(|exception| exception.active);
            if finding.status == Status::Fail && !waived {
                let key = (finding.check.clone(), finding.account.clone());
                failing.0.entry(key).or_insert((finding.severity, 0)).1 += 1;
            }
        }
        failing
    }
}

/// Numbers for things that are named over and over.
struct Numbers<T>(HashMap<T, u32>, Vec<T>);

impl<T: Clone + Eq + std::hash::Hash> Numbers<T> {
    fn of(&mut self, thing: &T) -> u32 {
        if let Some(number) = self.0.get(thing) {
            return *number;
        }
        let number = self.1.len() as u32;
        self.0.insert(thing.clone(), number);
        self.1.push(thing.clone());
        number
    }
}

/// The failing findings of one check in one account.
struct Group {
    check: u32,
    account: u32,
    severity: Severity,
    findings: u64,
    /// Positions of must-have questions that fixing them turns to yes somewhere.
    turned: BTreeSet<u16>,
}

/// See the module.
pub struct Organization<'a> {
    scoring: &'a Scoring<'a>,
    checks: Numbers<String>,
    accounts: Numbers<AccountId>,
    groups: Vec<Group>,
    by_key: HashMap<(u32, u32), u32>,
    /// For a group and the position of an account among the items, the mean of that account then.
    changes: Vec<(u32, u32, Mean)>,
    /// The items of the mean, of accounts that were entered, in their order.
    items: Vec<Weighed>,
    unentered: usize,
    entered: u64,
    /// Every account that was entered is known to run no AI.
    idle: bool,
    tier_low: Option<Tier>,
    tier_high: Option<Tier>,
    lowest: Option<(ScoreInterval, AccountId)>,
    /// Lowest and highest high bound.
    highs: Option<(f64, f64)>,
}

impl<'a> Organization<'a> {
    pub fn new(scoring: &'a Scoring<'a>) -> Self {
        Self {
            scoring,
            checks: Numbers(HashMap::new(), Vec::new()),
            accounts: Numbers(HashMap::new(), Vec::new()),
            groups: Vec::new(),
            by_key: HashMap::new(),
            changes: Vec::new(),
            items: Vec::new(),
            unentered: 0,
            entered: 0,
            idle: true,
            tier_low: None,
            tier_high: None,
            lowest: None,
            highs: None,
        }
    }

    /// Adds the failing findings that an account's judgement gave, whether or not it is scored.
    pub fn fail(&mut self, failing: &Failing) {
        for ((check, account), (severity, findings)) in &failing.0 {
            let number = self.group(check, account);
            let group = &mut self.groups[number as usize];
            group.severity = *severity;
            group.findings += findings;
        }
    }

    fn group(&mut self, check: &String, account: &AccountId) -> u32 {
        let (check, account) = (self.checks.of(check), self.accounts.of(account));
        *self.by_key.entry((check, account)).or_insert_with(|| {
            let group = Group { check, account, severity: Severity::Low, findings: 0, turned: BTreeSet::new() };
            self.groups.push(group);
            self.groups.len() as u32 - 1
        })
    }

    /// Adds an account that was entered, those with lower ids having been added; with its stake if it counts.
    pub fn add(&mut self, account: &AccountId, has_ai: &Told<bool>, counted: Option<(&AccountScore, Stake)>) {
        self.entered += 1;
        self.idle &= *has_ai == Ok(false);
        let Some((score, stake)) = counted else { return };
        self.tiers(score);
        if has_ai.is_err() {
            self.items.push(ANYTHING);
            return self.turn(stake.changes, None);
        }
        let item = stake.mean.as_ref().map(|mean| {
            self.items.push(mean.item());
            self.rank(account, percent(mean));
            self.items.len() as u32 - 1
        });
        self.turn(stake.changes, item);
    }

    /// Adds an account that should have been entered and was not.
    pub fn add_unentered(&mut self, score: &AccountScore) {
        self.unentered += 1;
        self.tiers(score);
    }

    fn tiers(&mut self, score: &AccountScore) {
        for tier in score.tiers.values().filter(|_| score.scored) {
            self.tier_low = Some(self.tier_low.map_or(tier.low, |low| low.min(tier.low)));
            self.tier_high = Some(self.tier_high.map_or(tier.high, |high| high.min(tier.high)));
        }
    }

    fn rank(&mut self, account: &AccountId, score: ScoreInterval) {
        // An account of which nothing is known is not known to be the lowest.
        let lower = self.lowest.as_ref().is_none_or(|(lowest, _)| {
            score.low.total_cmp(&lowest.low).then(score.high.total_cmp(&lowest.high)).is_lt()
        });
        if lower {
            self.lowest = Some((score, account.clone()));
        }
        let (least, most) = self.highs.unwrap_or((score.high, score.high));
        self.highs = Some((least.min(score.high), most.max(score.high)));
    }

    fn turn(&mut self, changes: Vec<Change>, item: Option<u32>) {
        for change in changes {
            let number = self.group(&change.check, &change.account);
            self.groups[number as usize].turned.extend(change.turned);
            if let (Some(item), Some(mean)) = (item, change.mean) {
                self.changes.push((number, item, mean));
            }
        }
    }

    /// The score, and what to do first.
    pub fn finish(mut self) -> (OrganizationScore, Vec<FixSuggestion>) {
        let entered = self.items.len();
        // With nothing to take a mean of, nothing is known; `nothing_to_assess` says when that is good news.
        let without_unentered = combine::mean(&self.items).as_ref().map(percent);
        self.items.extend(std::iter::repeat_n(ANYTHING, self.unentered));
        let mean = combine::mean(&self.items);
        let score = mean.as_ref().map_or(ScoreInterval { low: 0.0, expected: None, high: 100.0 }, percent);
        let fixes = self.suggestions(mean.map_or(0.0, |mean| mean.low));
        let organization = OrganizationScore {
            low: score.low,
            expected: score.expected,
            high: score.high,
            tier_low: self.tier_low.unwrap_or(Tier::R0),
            tier_high: self.tier_high.unwrap_or(Tier::R3),
            lowest_account: self.lowest.map(|(_, account)| account),
            spread: self.highs.map_or(0.0, |(least, most)| most - least),
            without_unentered,
            accounts: (entered + self.unentered) as u64,
            nothing_to_assess: self.entered > 0 && self.idle && entered + self.unentered == 0,
        };
        (organization, fixes)
    }

    /// For each failing check and account, what the organization gains when it passes there.
    fn suggestions(&mut self, before: f64) -> Vec<FixSuggestion> {
        self.changes.sort_by_key(|(group, item, _)| (*group, *item));
        let mut changed: HashMap<u32, &[(u32, u32, Mean)]> = HashMap::new();
        for of_group in self.changes.chunk_by(|a, b| a.0 == b.0) {
            changed.extend(of_group.first().map(|(group, ..)| (*group, of_group)));
        }
        let ids: Vec<&str> =
            self.scoring.scenarios.iter().flat_map(|scenario| &scenario.questions).map(|q| q.id.as_str()).collect();
        let mut ranked: Vec<(f64, &Group)> = self
            .groups
            .par_iter()
            .enumerate()
            .filter(|(_, group)| group.findings > 0)
            .map(|(number, group)| {
                let changes = changed.get(&(number as u32)).copied().unwrap_or_default();
                (gain(&self.items, changes, before), group)
            })
            .collect();
        let key = |group: &Group| (&self.checks.1[group.check as usize], &self.accounts.1[group.account as usize]);
        ranked.sort_by(|(a_gain, a), (b_gain, b)| {
            b_gain.total_cmp(a_gain).then(b.severity.cmp(&a.severity)).then_with(|| key(a).cmp(&key(b)))
        });
        let titles: HashMap<&str, &str> =
            self.scoring.checks.iter().map(|check| (check.id.as_str(), check.title.as_str())).collect();
        let suggestions = ranked.into_iter().take(MAX_SUGGESTIONS).map(|(gain, group)| {
            let (check, account) = key(group);
            let questions: BTreeSet<&str> = group.turned.iter().map(|at| ids[*at as usize]).collect();
            FixSuggestion {
                check: check.clone(),
                title: titles.get(check.as_str()).map_or(check.as_str(), |title| title).to_owned(),
                account: account.clone(),
                findings: group.findings,
                gain,
                questions: questions.into_iter().map(str::to_owned).collect(),
            }
        });
        suggestions.collect()
    }
}

/// Points gained when some accounts' means, by the order of the items, become others.
fn gain(items: &[Weighed], changes: &[(u32, u32, Mean)], before: f64) -> f64 {
    if changes.is_empty() {
        return 0.0;
    }
    let changed: Vec<(usize, Weighed)> = changes.iter().map(|(_, at, mean)| (*at as usize, mean.item())).collect();
    let mut next = changed.iter().peekable();
    let after = combine::lowest(
        items
            .iter()
            .enumerate()
            .map(|(at, item)| next.next_if(|(changed, _)| *changed == at).map_or(item, |(_, instead)| instead)),
    );
    let gain = (after - before) * 100.0;
    // What is left of rounding is no gain.
    if gain < 1e-9 { 0.0 } else { gain }
}
