//! Every account by a few numbers, and those that rank first in full.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::{LISTED, Top};
use crate::finding::{Source, Status, Truth};
use crate::model::ids::AccountId;
use crate::report::text;
use crate::results::{AccountResult, AccountStatus, ScoreInterval, SourceResult};

/// Accounts kept with all that is known of them.
pub(crate) const ROWS: usize = 500;
/// Scores that the worked mean names.
const LOWS: usize = 8;
/// Longest name shown.
const NAME: usize = 64;

/// Stands for an account where there is one entry for each: its id would take more memory than the entry.
pub(crate) type Number = u32;

/// The accounts of a run, and others it speaks of.
pub(crate) struct Accounts {
    numbers: HashMap<AccountId, Number>,
    all: Vec<Known>,
    pub(crate) counts: AccountCounts,
    /// The account of a single-account run.
    pub(crate) first: Option<AccountId>,
    /// They run AI, or may; lowest score first.
    pub(crate) with_ai: Top<AccountResult>,
    /// They run none; those with something amiss first.
    pub(crate) without_ai: Top<AccountResult>,
    /// They were not entered; those that weigh in the score first: closed accounts leave nothing to do.
    pub(crate) not_entered: Top<AccountResult>,
    pub(crate) mean: LowMean,
    sources: BTreeMap<Number, Vec<Cell>>,
}

/// An account, as little as every one is kept by.
pub(crate) struct Known {
    pub(crate) id: AccountId,
    pub(crate) name: Option<String>,
    /// The run has a row for it.
    pub(crate) listed: bool,
    pub(crate) scored: bool,
    pub(crate) score: Option<ScoreInterval>,
    /// It is scored and runs AI, or may.
    may_be_asked: bool,
    /// A question was asked of it.
    asked: bool,
}

#[derive(Default)]
pub(crate) struct AccountCounts {
    pub(crate) assessed: usize,
    pub(crate) partly: usize,
    pub(crate) not_assessed: usize,
    pub(crate) with_ai: usize,
    pub(crate) ai_unknown: usize,
}

/// The mean of the low bounds over scored accounts.
#[derive(Default)]
pub(crate) struct LowMean {
    pub(crate) sum: f64,
    pub(crate) count: usize,
    pub(crate) first: Vec<f64>,
}

/// How well a source is in place for an account.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) source: Source,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) subjects: u64,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            all: Vec::new(),
            counts: AccountCounts::default(),
            first: None,
            with_ai: Top::new(ROWS, by_low_bound),
            without_ai: Top::new(LISTED, by_trouble),
            not_entered: Top::new(LISTED, |a, b| b.scored.cmp(&a.scored)),
            mean: LowMean::default(),
            sources: BTreeMap::new(),
        }
    }
}

impl Accounts {
    pub(crate) fn add(&mut self, account: AccountResult) {
        let number = self.number(&account.id);
        let known = &mut self.all[number as usize];
        known.listed = true;
        known.name = account.name.as_deref().map(|name| text::shorten(name, NAME));
        known.scored = account.scored;
        known.score = account.score;
        known.may_be_asked = account.scored && account.has_ai != Truth::False;
        self.first.get_or_insert_with(|| account.id.clone());
        match account.status {
            AccountStatus::Assessed => self.counts.assessed += 1,
            AccountStatus::Partly => self.counts.partly += 1,
            AccountStatus::NotAssessed => {
                self.counts.not_assessed += 1;
                self.not_entered.add(account.clone());
            }
        }
        if let Some(score) = account.score.filter(|_| account.scored) {
            self.mean.sum += score.low;
            self.mean.count += 1;
            if self.mean.first.len() < LOWS {
                self.mean.first.push(score.low);
            }
        }
        match account.has_ai {
            Truth::True => self.counts.with_ai += 1,
            Truth::Unknown => self.counts.ai_unknown += 1,
            Truth::False => {
                self.without_ai.add(account);
                return;
            }
        }
        self.with_ai.add(account);
    }

    pub(crate) fn add_source(&mut self, source: &SourceResult) {
        let cell = Cell { source: source.source, low: source.low, high: source.high, subjects: source.subjects };
        let number = self.number(&source.account);
        self.sources.entry(number).or_default().push(cell);
    }

    /// The number of an account, a new one for one that was not spoken of yet.
    pub(crate) fn number(&mut self, id: &AccountId) -> Number {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = self.all.len() as Number;
        self.numbers.insert(id.clone(), number);
        self.all.push(Known {
            id: id.clone(),
            name: None,
            listed: false,
            scored: false,
            score: None,
            may_be_asked: false,
            asked: false,
        });
        number
    }

    /// The number of an account that a question was asked of.
    pub(crate) fn asked(&mut self, id: &AccountId) -> Number {
        let number = self.number(id);
        self.all[number as usize].asked = true;
        number
    }

    pub(crate) fn find(&self, id: &AccountId) -> Option<&Known> {
        self.numbers.get(id).map(|number| self.get(*number))
    }

    pub(crate) fn get(&self, number: Number) -> &Known {
        &self.all[number as usize]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Number, &Known)> {
        (0..).zip(&self.all)
    }

    /// Accounts that questions were asked of, and scored ones that may run AI although nothing could be asked; by id.
    pub(crate) fn questioned(&self) -> Vec<&AccountId> {
        let mut ids: Vec<_> = self.all.iter().filter(|a| a.asked || a.may_be_asked).map(|a| &a.id).collect();
        ids.sort_unstable();
        ids
    }

    /// The sources of each account that has any.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&Known, &[Cell])> {
        self.sources.iter().map(|(number, cells)| (self.get(*number), cells.as_slice()))
    }
}

/// Lowest low bound first, then by id; those without a score last.
fn by_low_bound(a: &AccountResult, b: &AccountResult) -> Ordering {
    let low = |account: &AccountResult| account.score.map_or(f64::INFINITY, |score| score.low);
    low(a).total_cmp(&low(b)).then_with(|| a.id.cmp(&b.id))
}

fn by_trouble(a: &AccountResult, b: &AccountResult) -> Ordering {
    let fine = |account: &AccountResult| {
        let open = |status| account.tally.get(&status).is_some_and(|count| *count > 0);
        !open(Status::Fail) && !open(Status::Unknown)
    };
    fine(a).cmp(&fine(b))
}
