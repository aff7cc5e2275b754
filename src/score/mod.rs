//! Readiness: how well the questions of an investigation could be answered, by account and for the organization.
//!
//! Findings and subjects go in, numbers and verdicts come out; all of them are intervals, whose low end takes what is
//! unknown at its worst and whose high end at its best. No input or output, no clock: `as_of` is a parameter.

pub mod scenarios;

mod combine;
mod fixes;
mod measure;
mod question;
mod tier;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::config::Requirements;
use crate::finding::{Finding, Source};
use crate::model::ids::AccountId;
use crate::model::observed::{Told, Unknown};
use crate::model::time::Timestamp;
use crate::relate::subject::{AccountGraph, Open, Subject, SubjectKind};
use crate::results::{
    CheckInfo, FixSuggestion, OrganizationScore, PermissionNeed, QuestionResult, ScoreInterval, SourceResult,
    SubjectScore, Tier, TierInterval, Verdict,
};

use combine::{Mean, Weighed};
use measure::{Index, Measured, Ruleset};
use question::{Answer, Prepared, Sources};
use scenarios::Scenario;

pub use fixes::MAX_SUGGESTIONS;

/// What one account brings to the score; the rest of its graph is not needed any more by then.
#[derive(Clone, Copy, Debug)]
pub struct AccountInput<'a> {
    pub account: &'a AccountId,
    pub has_ai: &'a Told<bool>,
    pub subjects: &'a [Subject],
    pub open: &'a [Open],
}

impl<'a> From<&'a AccountGraph> for AccountInput<'a> {
    fn from(graph: &'a AccountGraph) -> Self {
        Self { account: &graph.account, has_ai: &graph.has_ai, subjects: &graph.subjects, open: &graph.open }
    }
}

/// All that a score is worked out from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Accounts that were entered.
    pub accounts: &'a [AccountInput<'a>],
    /// Findings of all accounts; those that do not apply may be there or not.
    pub findings: &'a [Finding],
    /// The checks that were run: what they are not about is not judged.
    pub checks: &'a [CheckInfo],
    pub scenarios: &'a [Scenario],
    pub requirements: &'a Requirements,
    /// Accounts left out by the configuration, and why.
    pub excluded: &'a BTreeMap<AccountId, String>,
    /// Accounts that should have been entered and were not. Closed and suspended ones are not among them.
    pub unentered: &'a [(AccountId, Unknown)],
    pub as_of: Timestamp,
}

/// The score and everything said about it, in the shapes of results.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    pub organization: OrganizationScore,
    /// Every account of the input.
    pub accounts: BTreeMap<AccountId, AccountScore>,
    /// By account, in the order of the scenarios; accounts without AI and excluded ones have none.
    pub questions: Vec<QuestionResult>,
    pub sources: Vec<SourceResult>,
    pub fixes: Vec<FixSuggestion>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AccountScore {
    /// It counts in the score of the organization.
    pub scored: bool,
    /// None for an account that does not count, and where no question weighs.
    pub score: Option<ScoreInterval>,
    /// By scenario id; a scenario none of whose must-have questions applies is not there.
    pub tiers: BTreeMap<String, TierInterval>,
}

/// Scores the organization.
pub fn score(input: Input) -> Scored {
    let index = Index::of(input.findings);
    let ruleset = Ruleset::of(input.checks);
    let mut accounts: Vec<&AccountInput> = input.accounts.iter().collect();
    accounts.sort_by_key(|account| account.account);
    let counted: Vec<&AccountInput> = accounts
        .iter()
        .copied()
        .filter(|account| *account.has_ai != Ok(false) && !input.excluded.contains_key(account.account))
        .collect();
    let entered: BTreeSet<&AccountId> = accounts.iter().map(|account| account.account).collect();
    let unentered: BTreeMap<&AccountId, &Unknown> = input
        .unentered
        .iter()
        .filter(|(account, _)| !entered.contains(account) && !input.excluded.contains_key(account))
        .map(|(account, unknown)| (account, unknown))
        .collect();

    let assessed: Vec<Assessed> = counted.par_iter().map(|account| assess(account, &input, &index, &ruleset)).collect();
    let means = means(&assessed, &unentered);
    let rank: Vec<fixes::Scored> = assessed
        .iter()
        .zip(&means.of_assessed)
        .map(|(assessed, item)| fixes::Scored {
            prepared: &assessed.prepared,
            measured: &assessed.measured,
            answers: &assessed.answers,
            item: item.filter(|_| assessed.prepared.input.has_ai.is_ok()),
        })
        .collect();
    let fixes = fixes::suggestions(&fixes::Board {
        scenarios: input.scenarios,
        checks: input.checks,
        index: &index,
        ruleset: &ruleset,
        as_of: input.as_of,
        accounts: &rank,
        items: &means.items,
    });

    let mut scores: BTreeMap<AccountId, AccountScore> = BTreeMap::new();
    for account in entered.iter().chain(&input.excluded.keys().collect::<BTreeSet<_>>()) {
        let none = AccountScore { scored: false, score: None, tiers: BTreeMap::new() };
        scores.insert((*account).clone(), none);
    }
    for assessed in &assessed {
        scores.insert(assessed.prepared.input.account.clone(), assessed.score(&input));
    }
    for account in unentered.keys() {
        scores.insert((*account).clone(), unknown_score(input.scenarios, "the account was not entered"));
    }

    let mut questions: Vec<Vec<QuestionResult>> =
        assessed.par_iter().map(|assessed| assessed.questions(&input, &index, &ruleset)).collect();
    questions.extend(unentered.iter().map(|(account, unknown)| unentered_questions(account, unknown, &input)));
    questions.sort_by(|a, b| a.first().map(|q| &q.account).cmp(&b.first().map(|q| &q.account)));

    Scored {
        organization: organization(&input, &assessed, &means, &scores),
        accounts: scores,
        questions: questions.into_iter().flatten().collect(),
        sources: assessed.iter().flat_map(|assessed| assessed.sources(input.scenarios)).collect(),
        fixes,
    }
}

/// An account that counts, worked out.
struct Assessed<'a> {
    prepared: Prepared<'a>,
    measured: Vec<Sources>,
    answers: Vec<Vec<Answer>>,
    /// Mean over its questions, 0 to 1.
    mean: Option<Mean>,
}

fn assess<'a>(account: &'a AccountInput<'a>, input: &Input, index: &Index, ruleset: &Ruleset) -> Assessed<'a> {
    let prepared = Prepared::of(account, index, ruleset);
    let measured: Vec<Sources> =
        prepared.subjects.iter().map(|subject| question::sources(subject, index, ruleset, input.as_of)).collect();
    let answers = question::answers(input.scenarios, &prepared, &measured, ruleset);
    let mean = question::account(input.scenarios, &answers);
    Assessed { prepared, measured, answers, mean }
}

impl Assessed<'_> {
    fn score(&self, input: &Input) -> AccountScore {
        if self.prepared.input.has_ai.is_err() {
            return unknown_score(input.scenarios, "it is not known whether the account runs AI");
        }
        let tiers = input.scenarios.iter().zip(&self.answers).filter_map(|(scenario, answers)| {
            let tier = tier::of(scenario, answers, input.requirements, input.as_of)?;
            Some((scenario.id.clone(), tier))
        });
        AccountScore { scored: true, score: self.mean.as_ref().map(percent), tiers: tiers.collect() }
    }

    fn questions(&self, input: &Input, index: &Index, ruleset: &Ruleset) -> Vec<QuestionResult> {
        let mut results = Vec::new();
        for (scenario, answers) in input.scenarios.iter().zip(&self.answers) {
            for (question, answer) in scenario.questions.iter().zip(answers) {
                let asked = answer.verdict != Verdict::NotApplicable;
                let weighs = asked && answer.verdict != Verdict::NotJudged;
                let lowest = answer.lowest.map(|at| &self.measured[at]).zip(answer.lowest).and_then(|(sources, at)| {
                    let subject = self.prepared.subjects[at].subject;
                    let measure = question::ask(question, subject.kind, sources)?;
                    Some(SubjectScore {
                        kind: subject.kind.word().to_owned(),
                        id: subject.id.clone(),
                        low: measure.low,
                        high: measure.high,
                    })
                });
                let (prepared, measured) = (&self.prepared, &self.measured);
                let not_judged =
                    if asked { question::not_judged(question, prepared, measured, ruleset) } else { Vec::new() };
                let (fixes, permissions) = if weighs {
                    (
                        fixes::cheapest(question, prepared, measured, index),
                        fixes::permissions(question, answer, prepared, measured, index),
                    )
                } else {
                    (Vec::new(), Vec::new())
                };
                results.push(QuestionResult {
                    id: question.id.clone(),
                    scenario: scenario.id.clone(),
                    account: prepared.input.account.clone(),
                    low: answer.low,
                    high: answer.high,
                    verdict: answer.verdict,
                    since: answer.since,
                    lowest_subject: lowest,
                    subjects: answer.subjects,
                    not_recordable: question::not_recordable(question, prepared, measured),
                    not_judged,
                    fixes,
                    permissions,
                });
            }
        }
        results
    }

    /// A cell for each source that a subject has. A kind of which there may be more opens the sources that would be
    /// asked about them, except those that an account has as a whole.
    fn sources(&self, scenarios: &[Scenario]) -> Vec<SourceResult> {
        let mut opened: BTreeSet<Source> = BTreeSet::new();
        for question in scenarios.iter().flat_map(|scenario| &scenario.questions) {
            for kind in question.asks_of.iter().filter(|kind| self.prepared.open.contains(kind)) {
                let paths = question.paths.iter().filter(|path| path.concerns(*kind));
                opened.extend(paths.flat_map(|path| &path.sources).filter(|source| {
                    *kind == SubjectKind::Account || !matches!(source, Source::ApiActivity | Source::EventHistory)
                }));
            }
        }
        let mut cells = Vec::new();
        for source in Source::ALL {
            let items: Vec<Weighed> = self
                .measured
                .iter()
                .filter_map(|sources| match sources[source as usize] {
                    Measured::By(measure) => Some(measure.item()),
                    _ => None,
                })
                .collect();
            let open = opened.contains(&source);
            let (low, high) = match combine::mean(&items) {
                _ if open => (0.0, 100.0),
                Some(mean) => (mean.low * 100.0, mean.high * 100.0),
                None => continue,
            };
            let account = self.prepared.input.account.clone();
            cells.push(SourceResult { account, source, low, high, subjects: items.len() as u64 });
        }
        cells
    }
}

/// The items of the organization's mean, in the order of accounts, those not entered last.
struct Means {
    items: Vec<Weighed>,
    /// How many of the items are of accounts that were entered.
    entered: usize,
    /// For each assessed account its item, if a question of it weighs.
    of_assessed: Vec<Option<usize>>,
}

/// Nothing is known of it: anything between nothing and all.
const ANYTHING: Weighed = Weighed { weight: 1.0, low: 0.0, high: 1.0, expected: None, sure: true };

fn means(assessed: &[Assessed], unentered: &BTreeMap<&AccountId, &Unknown>) -> Means {
    let mut items = Vec::new();
    let mut of_assessed = Vec::new();
    for account in assessed {
        let item = match (account.prepared.input.has_ai, &account.mean) {
            (Err(_), _) => Some(ANYTHING),
            (Ok(_), None) => None,
            (Ok(_), Some(mean)) => {
                Some(Weighed { weight: 1.0, low: mean.low, high: mean.high, expected: mean.expected, sure: mean.sure })
            }
        };
        of_assessed.push(item.map(|_| items.len()));
        items.extend(item);
    }
    let entered = items.len();
    items.extend(unentered.iter().map(|_| ANYTHING));
    Means { items, entered, of_assessed }
}

fn percent(mean: &Mean) -> ScoreInterval {
    ScoreInterval { low: mean.low * 100.0, expected: mean.expected.map(|e| e * 100.0), high: mean.high * 100.0 }
}

fn unknown_score(scenarios: &[Scenario], why: &str) -> AccountScore {
    let anything = TierInterval { low: Tier::R0, high: Tier::R3, design_only: true, capped_by: vec![why.to_owned()] };
    AccountScore {
        scored: true,
        score: Some(ScoreInterval { low: 0.0, expected: None, high: 100.0 }),
        tiers: scenarios.iter().map(|scenario| (scenario.id.clone(), anything.clone())).collect(),
    }
}

fn unentered_questions(account: &AccountId, unknown: &Unknown, input: &Input) -> Vec<QuestionResult> {
    let mut why = unknown.clone();
    why.account = Some(account.clone());
    // Whatever kept us out, being let in settles it; a policy above the account is worth naming.
    let note = fixes::need(&why, account).and_then(|need| need.note);
    let permission = PermissionNeed { action: fixes::ENTER.to_owned(), account: account.clone(), note };
    let mut results = Vec::new();
    for scenario in input.scenarios {
        results.extend(scenario.questions.iter().map(|question| QuestionResult {
            id: question.id.clone(),
            scenario: scenario.id.clone(),
            account: account.clone(),
            low: 0.0,
            high: 1.0,
            verdict: Verdict::CannotTell,
            since: None,
            lowest_subject: None,
            subjects: 0,
            not_recordable: Vec::new(),
            not_judged: Vec::new(),
            fixes: Vec::new(),
            permissions: vec![permission.clone()],
        }));
    }
    results
}

fn organization(
    input: &Input,
    assessed: &[Assessed],
    means: &Means,
    scores: &BTreeMap<AccountId, AccountScore>,
) -> OrganizationScore {
    // With nothing to take a mean of, nothing is known; `nothing_to_assess` says when that is good news.
    let mean = combine::mean(&means.items);
    let score = mean.as_ref().map_or(ScoreInterval { low: 0.0, expected: None, high: 100.0 }, percent);
    let without_unentered = combine::mean(&means.items[..means.entered]).as_ref().map(percent);

    // An account of which nothing is known is not known to be the lowest.
    let known: Vec<(&AccountId, ScoreInterval)> = assessed
        .iter()
        .filter(|assessed| assessed.prepared.input.has_ai.is_ok())
        .filter_map(|assessed| Some((assessed.prepared.input.account, percent(assessed.mean.as_ref()?))))
        .collect();
    let lowest = known
        .iter()
        .min_by(|(a, x), (b, y)| x.low.total_cmp(&y.low).then(x.high.total_cmp(&y.high)).then_with(|| a.cmp(b)));
    let highs = || known.iter().map(|(_, score)| score.high);
    let spread = match (highs().reduce(f64::max), highs().reduce(f64::min)) {
        (Some(highest), Some(lowest)) => highest - lowest,
        _ => 0.0,
    };

    let tiers = || scores.values().filter(|account| account.scored).flat_map(|account| account.tiers.values());
    let nobody = !input.accounts.is_empty()
        && input.accounts.iter().all(|account| *account.has_ai == Ok(false))
        && means.items.is_empty();
    OrganizationScore {
        low: score.low,
        expected: score.expected,
        high: score.high,
        tier_low: tiers().map(|tier| tier.low).min().unwrap_or(Tier::R0),
        tier_high: tiers().map(|tier| tier.high).min().unwrap_or(Tier::R3),
        lowest_account: lowest.map(|(account, _)| (*account).clone()),
        spread,
        without_unentered,
        accounts: means.items.len() as u64,
        nothing_to_assess: nobody,
    }
}
