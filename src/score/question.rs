//! What the subjects of an account, their sources measured, make of each question: value, verdict, since when.
//!
//! Numbers and verdicts only; tiers are `tier`'s, fixes and permissions `fixes`'.

use std::collections::BTreeSet;

use crate::finding::Source;
use crate::model::time::Timestamp;
use crate::relate::subject::{Carriage, Subject, SubjectKind};
use crate::results::Verdict;

use super::AccountInput;
use super::combine::{self, Grade, Lacks, Mean, Measure, Weighed};
use super::measure::{self, Carried, Index, Measured, Ruleset};
use super::scenarios::{Path, Question, Scenario, Strength};

pub(super) const SOURCES: usize = Source::ALL.len();

/// An account with everything its score rests on looked up once.
pub(super) struct Prepared<'a> {
    pub(super) input: &'a AccountInput<'a>,
    pub(super) subjects: Vec<PreparedSubject<'a>>,
    /// Kinds of which there may be more subjects.
    pub(super) open: BTreeSet<SubjectKind>,
}

pub(super) struct PreparedSubject<'a> {
    pub(super) subject: &'a Subject,
    /// By `Source as usize`.
    pub(super) carried: Vec<Option<Carried>>,
}

impl<'a> Prepared<'a> {
    pub(super) fn of(input: &'a AccountInput<'a>, index: &Index, ruleset: &Ruleset) -> Self {
        let subjects = input.subjects.iter().map(|subject| PreparedSubject {
            subject,
            carried: Source::ALL
                .iter()
                .map(|source| subject.sources.get(source).map(|c| Carried::of(*source, c, index, ruleset)))
                .collect(),
        });
        let open = input.open.iter().flat_map(|open| open.subjects.iter().copied());
        Self { input, subjects: subjects.collect(), open: open.collect() }
    }
}

/// The sources of one subject, by `Source as usize`.
pub(super) type Sources = [Measured; SOURCES];

/// Measures one source of a subject.
pub(super) fn source(
    subject: &PreparedSubject,
    source: Source,
    index: &Index,
    ruleset: &Ruleset,
    as_of: Timestamp,
    fixed: impl Fn(u32) -> bool,
) -> Measured {
    match &subject.carried[source as usize] {
        Some(carried) => measure::source(carried, index, as_of, fixed),
        None if ruleset.judges(source) => Measured::Blind,
        None => Measured::Unjudgeable,
    }
}

/// Measures every source of a subject, as things are.
pub(super) fn sources(subject: &PreparedSubject, index: &Index, ruleset: &Ruleset, as_of: Timestamp) -> Sources {
    Source::ALL.map(|s| source(subject, s, index, ruleset, as_of, |_| false))
}

/// What one path gives of one subject.
pub(super) enum Seen {
    /// The path cannot see it.
    Blind,
    NotJudged,
    By(Measure),
}

pub(super) fn along(path: &Path, kind: SubjectKind, sources: &Sources) -> Seen {
    if !path.concerns(kind) {
        return Seen::Blind;
    }
    let of = |source: &Source| sources[*source as usize];
    // A path that no check can judge is left out for everything, also for what it could not see.
    if path.sources.iter().any(|s| matches!(of(s), Measured::Unjudgeable)) {
        return Seen::NotJudged;
    }
    if path.sources.iter().any(|s| matches!(of(s), Measured::Blind)) {
        return Seen::Blind;
    }
    if path.sources.iter().any(|s| matches!(of(s), Measured::NotJudged)) {
        return Seen::NotJudged;
    }
    let measures = path.sources.iter().filter_map(|source| match of(source) {
        Measured::By(measure) => Some(measure),
        Measured::NotRecordable => Some(Measure::nothing(Lacks::NOT_RECORDABLE)),
        Measured::Blind | Measured::Unjudgeable | Measured::NotJudged => None,
    });
    match combine::all(measures) {
        Some(measure) => Seen::By(measure.weakened(path.strength.factor())),
        None => Seen::Blind,
    }
}

/// A question of one subject; none when no path that could see it is judged.
pub(super) fn ask(question: &Question, kind: SubjectKind, sources: &Sources) -> Option<Measure> {
    let mut ways = Vec::with_capacity(question.paths.len());
    let mut left_out = false;
    for path in &question.paths {
        match along(path, kind, sources) {
            Seen::By(measure) => ways.push(measure),
            Seen::NotJudged => left_out = true,
            Seen::Blind => {}
        }
    }
    match combine::best(ways.into_iter()) {
        None if left_out => None,
        None => Some(Measure::nothing(Lacks::PLACE)),
        measure => measure,
    }
}

/// A question of one account.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    /// 0 to 1; 0 and 0 where it does not apply, 0 and 1 where nothing judges it.
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) expected: Option<f64>,
    pub(super) grade_low: Grade,
    pub(super) grade_high: Grade,
    pub(super) lacks: Lacks,
    pub(super) since: Option<Timestamp>,
    /// It surely weighs in the score of the account.
    pub(super) sure: bool,
    pub(super) open: bool,
    /// Position of the subject it is weakest for.
    pub(super) lowest: Option<usize>,
    /// Known subjects it is asked of.
    pub(super) subjects: u64,
}

impl Answer {
    /// What it brings to the mean of the account; none where it weighs nothing.
    pub(super) fn weighed(&self, question: &Question) -> Option<Weighed> {
        match self.verdict {
            Verdict::NotApplicable | Verdict::NotJudged => None,
            _ => Some(Weighed {
                weight: question.weight(),
                low: self.low,
                high: self.high,
                expected: self.expected,
                sure: self.sure,
            }),
        }
    }
}

/// Whether more subjects of the question may exist that some path could see.
fn open(question: &Question, account: &Prepared, ruleset: &Ruleset) -> bool {
    question.asks_of.iter().filter(|kind| account.open.contains(kind)).any(|kind| {
        question
            .paths
            .iter()
            .any(|path| path.concerns(*kind) && path.sources.iter().all(|source| ruleset.judges(*source)))
    })
}

/// Answers one question for an account, its subjects' sources measured.
pub(super) fn answer(question: &Question, account: &Prepared, measured: &[Sources], ruleset: &Ruleset) -> Answer {
    let mut subjects = 0;
    let mut asked: Vec<(usize, Measure)> = Vec::new();
    for (at, (prepared, sources)) in account.subjects.iter().zip(measured).enumerate() {
        if question.asks_of.contains(&prepared.subject.kind) {
            subjects += 1;
            asked.extend(ask(question, prepared.subject.kind, sources).map(|measure| (at, measure)));
        }
    }
    let left_out = subjects > asked.len() as u64;
    let open = open(question, account, ruleset);
    let items: Vec<Weighed> = asked.iter().map(|(_, measure)| measure.item()).collect();
    let answer = match combine::mean(&items) {
        Some(mean) => overall(&mean, &asked, left_out, open),
        None => unasked(left_out, open, question.asks_of.iter().any(|kind| account.open.contains(kind))),
    };
    let id = |at: usize| &account.subjects[at].subject.id;
    let lowest = asked.iter().min_by(|(a, x), (b, y)| {
        x.low.total_cmp(&y.low).then(x.high.total_cmp(&y.high)).then_with(|| id(*a).cmp(id(*b)))
    });
    Answer { lowest: lowest.map(|(at, _)| *at), subjects, ..answer }
}

/// The answer where no subject in sight is judged.
fn unasked(left_out: bool, open: bool, more: bool) -> Answer {
    let (verdict, high, grade_high, lacks) = match (open, left_out) {
        // Whatever is found could answer it wholly or not at all.
        (true, false) => (Verdict::CannotTell, 1.0, Grade::Sealed, Lacks::UNKNOWN),
        (true, true) => (Verdict::CannotTell, 1.0, Grade::Kept, Lacks::UNKNOWN.with(Lacks::NOT_JUDGED, true)),
        (false, _) if left_out || more => (Verdict::NotJudged, 1.0, Grade::Lacking, Lacks::NOT_JUDGED),
        (false, _) => (Verdict::NotApplicable, 0.0, Grade::Lacking, Lacks::default()),
    };
    Answer {
        verdict,
        low: 0.0,
        high,
        expected: None,
        grade_low: Grade::Lacking,
        grade_high,
        lacks,
        since: None,
        sure: false,
        open,
        lowest: None,
        subjects: 0,
    }
}

/// The answer over the subjects that are judged, their mean taken.
fn overall(mean: &Mean, asked: &[(usize, Measure)], left_out: bool, open: bool) -> Answer {
    let measures = || asked.iter().map(|(_, measure)| measure);
    let lacking = Grade::Lacking;
    let mut grade_low = measures().map(|m| m.grade_low).min().unwrap_or(lacking);
    // At best, those that may be left out are, unless that leaves none.
    let mut grade_high = if mean.sure {
        measures().filter(|m| m.sure).map(|m| m.grade_high).min().unwrap_or(lacking)
    } else {
        measures().map(|m| m.grade_high).max().unwrap_or(lacking)
    };
    let mut lacks = measures().fold(Lacks::default(), |lacks, m| lacks.with(m.lacks, true));
    if left_out || measures().any(|m| !m.sure) {
        grade_low = grade_low.min(Grade::Kept);
    }
    if left_out {
        grade_high = grade_high.min(Grade::Kept);
        lacks = lacks.with(Lacks::NOT_JUDGED, true);
    }
    let (mut low, mut high) = (mean.low, mean.high);
    if open {
        (low, high, grade_low) = (0.0, 1.0, lacking);
        lacks = lacks.with(Lacks::UNKNOWN, true);
        if !mean.sure {
            // Those in sight may be left out, and those not in sight answer it.
            grade_high = grade_high.max(Grade::Kept);
        }
    }
    let verdict = if grade_low >= Grade::Answers {
        Verdict::Yes
    } else if high == 0.0 {
        Verdict::No
    } else if grade_high >= Grade::Answers || low == 0.0 {
        Verdict::CannotTell
    } else {
        Verdict::Partly
    };
    // Known of every subject, or not known; and only of evidence that is surely there.
    let since = measures().map(|m| m.since.filter(|_| m.low > 0.0)).reduce(|a, b| Some(a?.max(b?))).flatten();
    Answer {
        verdict,
        low,
        high,
        expected: mean.expected.map(|value| value.clamp(low, high)),
        grade_low,
        grade_high,
        lacks,
        since: since.filter(|_| matches!(verdict, Verdict::Yes | Verdict::Partly)),
        sure: mean.sure,
        open,
        lowest: None,
        subjects: 0,
    }
}

/// Answers every question of every scenario, in their order.
pub(super) fn answers(
    scenarios: &[Scenario],
    account: &Prepared,
    measured: &[Sources],
    ruleset: &Ruleset,
) -> Vec<Vec<Answer>> {
    scenarios
        .iter()
        .map(|scenario| scenario.questions.iter().map(|q| answer(q, account, measured, ruleset)).collect())
        .collect()
}

/// The mean of an account over its questions, 0 to 1; none when no question weighs.
pub(super) fn account(scenarios: &[Scenario], answers: &[Vec<Answer>]) -> Option<Mean> {
    let items: Vec<Weighed> = scenarios
        .iter()
        .zip(answers)
        .flat_map(|(scenario, answers)| scenario.questions.iter().zip(answers))
        .filter_map(|(question, answer)| answer.weighed(question))
        .collect();
    combine::mean(&items)
}

/// Why AWS itself keeps an answer away from some subject, sorted.
pub(super) fn not_recordable(question: &Question, account: &Prepared, measured: &[Sources]) -> Vec<String> {
    let mut reasons = BTreeSet::new();
    for (prepared, sources) in account.subjects.iter().zip(measured) {
        let subject = prepared.subject;
        if !question.asks_of.contains(&subject.kind)
            || ask(question, subject.kind, sources).is_some_and(|m| m.grade_low >= Grade::Answers)
        {
            continue;
        }
        for source in question.paths.iter().filter(|p| p.concerns(subject.kind)).flat_map(|p| &p.sources) {
            if let Some(Carriage::NotRecordable(reason)) = subject.sources.get(source) {
                reasons.insert(reason.clone());
            }
        }
    }
    reasons.into_iter().collect()
}

/// Sources, and dimensions of sources, on the question's paths that nothing judges for some subject of it, sorted.
pub(super) fn not_judged(
    question: &Question,
    account: &Prepared,
    measured: &[Sources],
    ruleset: &Ruleset,
) -> Vec<String> {
    let mut left_out = BTreeSet::new();
    for (prepared, sources) in account.subjects.iter().zip(measured) {
        let kind = prepared.subject.kind;
        if !question.asks_of.contains(&kind) {
            continue;
        }
        for source in question.paths.iter().filter(|path| path.concerns(kind)).flat_map(|path| &path.sources) {
            match (&sources[*source as usize], &prepared.carried[*source as usize]) {
                (Measured::NotJudged | Measured::Unjudgeable, _) => {
                    left_out.insert(source.id().to_owned());
                }
                (Measured::By(_), Some(carried)) => {
                    left_out.extend(carried.not_judged().map(|d| format!("{}: {}", source.id(), d.word())));
                }
                _ => {}
            }
        }
    }
    if left_out.is_empty() {
        // Without subjects in sight, what is certain is which sources no check judges.
        let asked = account.subjects.iter().any(|prepared| question.asks_of.contains(&prepared.subject.kind));
        let sources = question.paths.iter().flat_map(|path| &path.sources);
        left_out.extend(sources.filter(|s| !asked && !ruleset.judges(**s)).map(|s| s.id().to_owned()));
    }
    left_out.into_iter().collect()
}

/// The paths that can make an answer whole.
pub(super) fn primary(question: &Question) -> impl Iterator<Item = &Path> {
    question.paths.iter().filter(|path| path.strength == Strength::Primary)
}
