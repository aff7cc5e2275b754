//! Readiness: how well the questions of an investigation could be answered, by account and for the organization.
//!
//! Findings and subjects go in, numbers and verdicts come out; all of them are intervals, whose low end takes what is
//! unknown at its worst and whose high end at its best. No input or output, no clock: `as_of` is a parameter.

pub mod scenarios;

mod combine;
mod fixes;
mod measure;
mod organization;
mod question;
mod tier;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::config::Requirements;
use crate::finding::{Finding, Source};
use crate::model::ids::AccountId;
use crate::model::observed::{Told, Unknown, Why};
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

pub use measure::Findings;
pub use organization::{Failing, MAX_SUGGESTIONS, Organization, Stake};

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

/// What every account is scored by.
#[derive(Debug)]
pub struct Scoring<'a> {
    checks: &'a [CheckInfo],
    scenarios: &'a [Scenario],
    requirements: &'a Requirements,
    /// Accounts left out by the configuration, and why.
    excluded: &'a BTreeMap<AccountId, String>,
    as_of: Timestamp,
    ruleset: Ruleset,
}

/// What came of one account.
#[derive(Debug)]
pub struct Answered {
    pub score: AccountScore,
    /// In the order of the scenarios.
    pub questions: Vec<QuestionResult>,
    pub sources: Vec<SourceResult>,
    pub stake: Stake,
}

impl<'a> Scoring<'a> {
    /// `checks` are those that were run: what they are not about is not judged.
    pub fn new(
        checks: &'a [CheckInfo],
        scenarios: &'a [Scenario],
        requirements: &'a Requirements,
        excluded: &'a BTreeMap<AccountId, String>,
        as_of: Timestamp,
    ) -> Self {
        Self { checks, scenarios, requirements, excluded, as_of, ruleset: Ruleset::of(checks) }
    }

    /// Whether an account counts in the score: it may run AI, and the configuration does not leave it out.
    pub fn counts(&self, account: &AccountId, has_ai: &Told<bool>) -> bool {
        *has_ai != Ok(false) && !self.excluded.contains_key(account)
    }

    /// Scores an account that counts by its own findings and by those of others about what they hold for it.
    pub fn account(&self, account: &AccountInput<'_>, own: &Findings, others: &Findings) -> Answered {
        let index = Index::of(own, others);
        let assessed = assess(account, self, &index);
        Answered {
            score: assessed.score(self),
            questions: assessed.questions(self, &index),
            sources: assessed.sources(self.scenarios),
            stake: Stake {
                changes: fixes::changes(self, &assessed.prepared, &assessed.measured, &assessed.answers, &index),
                mean: assessed.mean,
            },
        }
    }

    /// Scores an account that should have been entered and was not; none for one that the configuration leaves out.
    pub fn unentered(&self, account: &AccountId, unknown: &Unknown) -> Option<(AccountScore, Vec<QuestionResult>)> {
        let score = || unknown_score(self.scenarios, "the account was not entered");
        let left_out = self.excluded.contains_key(account);
        (!left_out).then(|| (score(), unentered_questions(account, unknown, self.scenarios)))
    }
}

/// Scores an organization whose accounts and findings are all at hand.
pub fn score(input: Input) -> Scored {
    let scoring = Scoring::new(input.checks, input.scenarios, input.requirements, input.excluded, input.as_of);
    let (findings, others) = (Findings::of(input.findings), Findings::default());
    let mut accounts: Vec<&AccountInput> = input.accounts.iter().collect();
    accounts.sort_by_key(|account| account.account);
    let answered: Vec<Option<Answered>> = accounts
        .par_iter()
        .map(|account| {
            let counts = scoring.counts(account.account, account.has_ai);
            counts.then(|| scoring.account(account, &findings, &others))
        })
        .collect();

    let mut organization = Organization::new(&scoring);
    organization.fail(&Failing::of(input.findings));
    let none = || AccountScore { scored: false, score: None, tiers: BTreeMap::new() };
    let mut scores: BTreeMap<AccountId, AccountScore> =
        input.excluded.keys().map(|account| (account.clone(), none())).collect();
    let (mut questions, mut sources) = (BTreeMap::new(), Vec::new());
    for (account, answered) in accounts.iter().zip(answered) {
        let id = account.account;
        let Some(Answered { score, questions: asked, sources: cells, stake }) = answered else {
            organization.add(id, account.has_ai, None);
            scores.insert(id.clone(), none());
            continue;
        };
        organization.add(id, account.has_ai, Some((&score, stake)));
        scores.insert(id.clone(), score);
        questions.insert(id, asked);
        sources.extend(cells);
    }
    let entered: BTreeSet<&AccountId> = accounts.iter().map(|account| account.account).collect();
    for (account, unknown) in input.unentered.iter().filter(|(account, _)| !entered.contains(account)) {
        if let Some((score, asked)) = scoring.unentered(account, unknown) {
            organization.add_unentered(&score);
            scores.insert(account.clone(), score);
            questions.insert(account, asked);
        }
    }
    let (organization, fixes) = organization.finish();
    Scored { organization, accounts: scores, questions: questions.into_values().flatten().collect(), sources, fixes }
}

/// An account that counts, worked out.
struct Assessed<'a> {
    prepared: Prepared<'a>,
    measured: Vec<Sources>,
    answers: Vec<Vec<Answer>>,
    /// Mean over its questions, 0 to 1.
    mean: Option<Mean>,
}

fn assess<'a>(account: &'a AccountInput<'a>, scoring: &Scoring, index: &Index) -> Assessed<'a> {
    let ruleset = &scoring.ruleset;
    let prepared = Prepared::of(account, index, ruleset);
    let measured: Vec<Sources> =
        prepared.subjects.iter().map(|subject| question::sources(subject, index, ruleset, scoring.as_of)).collect();
    let answers = question::answers(scoring.scenarios, &prepared, &measured, ruleset);
    let mean = question::account(scoring.scenarios, &answers);
    Assessed { prepared, measured, answers, mean }
}

impl Assessed<'_> {
    fn score(&self, input: &Scoring) -> AccountScore {
        if self.prepared.input.has_ai.is_err() {
            return unknown_score(input.scenarios, "it is not known whether the account runs AI");
        }
        let tiers = input.scenarios.iter().zip(&self.answers).filter_map(|(scenario, answers)| {
            let tier = tier::of(scenario, answers, input.requirements, input.as_of)?;
            Some((scenario.id.clone(), tier))
        });
        AccountScore { scored: true, score: self.mean.as_ref().map(percent), tiers: tiers.collect() }
    }

    fn questions(&self, input: &Scoring, index: &Index) -> Vec<QuestionResult> {
        let ruleset = &input.ruleset;
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

fn unentered_questions(account: &AccountId, unknown: &Unknown, scenarios: &[Scenario]) -> Vec<QuestionResult> {
    let mut why = unknown.clone();
    why.account = Some(account.clone());
    // Whatever kept us out, being let in settles it; a policy above the account is worth naming.
    let note = fixes::need(&why, account).and_then(|need| need.note);
    let permission = PermissionNeed { action: fixes::ENTER.to_owned(), account: account.clone(), note };
    // Nothing keeps us out of an account that nobody tried to enter.
    let tried = !matches!(why.why, Why::RunEnded | Why::NotCollected);
    let permissions: Vec<PermissionNeed> = tried.then_some(permission).into_iter().collect();
    let mut results = Vec::new();
    for scenario in scenarios {
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
            permissions: permissions.clone(),
        }));
    }
    results
}
