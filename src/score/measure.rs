//! How well one source is in place for one subject, as an interval: from criteria to shares, from shares to a source.
//!
//! Everything is worked out twice, with all that is unknown at its worst and at its best. Each step is monotone in
//! every criterion, so what is true lies between the two. What the numbers mean for a question is `question`'s part.

use std::collections::{BTreeMap, HashMap};

use crate::finding::{CriterionResult, Dimension, Finding, Source, Status, Truth};
use crate::model::time::Timestamp;
use crate::relate::subject::{Alternative, Carriage};
use crate::results::CheckInfo;

/// Days back that event history reaches, and that a `retention` check requires at least.
const INHERENT_DAYS: i64 = 90;

/// Which sources and dimensions the checks of the run judge.
pub(super) struct Ruleset {
    /// One bit a dimension, by source.
    dimensions: BTreeMap<Source, u8>,
}

const DIMENSIONS: [Dimension; 6] = [
    Dimension::Coverage,
    Dimension::Fidelity,
    Dimension::Delivery,
    Dimension::Retention,
    Dimension::Integrity,
    Dimension::Access,
];
const ALL_DIMENSIONS: u8 = 0b11_1111;

impl Ruleset {
    pub(super) fn of(checks: &[CheckInfo]) -> Self {
        let mut dimensions = BTreeMap::new();
        for check in checks {
            *dimensions.entry(check.source).or_insert(0) |= 1 << check.dimension as u8;
        }
        Self { dimensions }
    }

    /// Whether evidence of a source can be judged at all. Event history needs no check: nobody can switch it off.
    pub(super) fn judges(&self, source: Source) -> bool {
        source == Source::EventHistory || self.dimensions.contains_key(&source)
    }

    fn mask(&self, source: Source) -> u8 {
        self.dimensions.get(&source).copied().unwrap_or(0)
    }
}

/// What a finding says, small enough to go over many times.
pub(super) struct Summary {
    pub(super) dimension: Dimension,
    pub(super) fails: bool,
    pub(super) unknown: bool,
    trail: bool,
    /// It may turn out not to be applicable.
    doubtful: bool,
    /// It says nothing about its criteria, so that any number of them may fail.
    blank: bool,
    /// Required criteria met and not met, with all that is unknown at its worst.
    worst: Tally,
    /// The same at its best.
    best: Tally,
    /// The same of what is known.
    known: Tally,
    /// Criteria surely required, and possibly required.
    required: u32,
    possibly_required: u32,
    full_at_worst: bool,
    full_at_best: bool,
    any_unknown: bool,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    met: u32,
    unmet: u32,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.met += other.met;
        self.unmet += other.unmet;
    }

    fn count(&mut self, met: bool) {
        if met { self.met += 1 } else { self.unmet += 1 }
    }

    /// The share met; 1 of nothing, and exactly 1 only when nothing is unmet.
    fn share(self) -> f64 {
        if self.unmet == 0 { 1.0 } else { f64::from(self.met) / f64::from(self.met + self.unmet) }
    }
}

impl Summary {
    fn of(finding: &Finding) -> Self {
        let unknown = finding.status == Status::Unknown;
        // A status may be unknown although each criterion is decided: then it is unknown whether the check applies.
        let undecided = |c: &&CriterionResult| match c.required {
            Truth::True => c.status == Truth::Unknown,
            Truth::Unknown => c.status != Truth::True,
            Truth::False => false,
        };
        let required = |c: &&CriterionResult| c.required == Truth::True;
        let surely_fails = finding.criteria.iter().filter(required).any(|c| c.status == Truth::False);
        let doubtful = unknown
            && (surely_fails
                || finding.criteria.iter().filter(undecided).count() == 0
                || finding.criteria.iter().filter(required).count() == 0);

        let (mut worst, mut best, mut known) = (Tally::default(), Tally::default(), Tally::default());
        let (mut required, mut possibly_required) = (0, 0);
        for criterion in &finding.criteria {
            let surely = match criterion.required {
                Truth::False => continue,
                Truth::True => !doubtful,
                Truth::Unknown => false,
            };
            possibly_required += 1;
            required += u32::from(surely);
            // A criterion that may not be required is left out where counting it would flatter: the met one at
            // worst, the unmet one at best.
            match (criterion.status, surely) {
                (Truth::Unknown, _) => {
                    worst.count(false);
                    best.count(true);
                }
                (Truth::True, true) => {
                    worst.count(true);
                    best.count(true);
                    known.count(true);
                }
                (Truth::False, true) => {
                    worst.count(false);
                    best.count(false);
                    known.count(false);
                }
                (Truth::True, false) => best.count(true),
                (Truth::False, false) => worst.count(false),
            }
        }
        Self {
            dimension: finding.dimension,
            fails: finding.status == Status::Fail,
            unknown,
            trail: finding.resource_kind == "trail",
            doubtful,
            blank: unknown && finding.criteria.is_empty(),
            worst,
            best,
            known,
            required,
            possibly_required,
            full_at_worst: !doubtful && finding.points.low == finding.points.max,
            full_at_best: doubtful || finding.points.high == finding.points.max,
            any_unknown: unknown
                || finding.criteria.iter().any(|c| c.status == Truth::Unknown || c.required == Truth::Unknown),
        }
    }

    /// The same finding with each criterion holding.
    fn passed(&self) -> Self {
        let all = Tally { met: self.possibly_required, unmet: 0 };
        let sure = Tally { met: self.required, unmet: 0 };
        Self {
            fails: false,
            unknown: false,
            doubtful: false,
            blank: false,
            worst: sure,
            best: all,
            known: sure,
            full_at_worst: true,
            full_at_best: true,
            any_unknown: false,
            ..*self
        }
    }
}

/// Findings by the resource and source they are about. Those that do not apply say nothing and are not in it.
pub(super) struct Index<'a> {
    pub(super) findings: &'a [Finding],
    pub(super) summaries: Vec<Summary>,
    by_carrier: HashMap<(&'a str, Source), Vec<u32>>,
}

impl<'a> Index<'a> {
    pub(super) fn of(findings: &'a [Finding]) -> Self {
        let mut by_carrier: HashMap<(&str, Source), Vec<u32>> = HashMap::new();
        for (at, finding) in findings.iter().enumerate() {
            if finding.status != Status::NotApplicable {
                let at = u32::try_from(at).unwrap_or_else(|_| panic!("internal error: more than 2^32 findings"));
                by_carrier.entry((finding.resource.as_str(), finding.source)).or_default().push(at);
            }
        }
        Self { findings, summaries: findings.iter().map(Summary::of).collect(), by_carrier }
    }
}

/// What stands behind an alternative, looked up once.
pub(super) struct Backing {
    /// Finding, and whether its carrier surely takes part.
    pub(super) findings: Vec<(u32, bool)>,
    pub(super) certain: bool,
    /// Every carrier surely takes part.
    pub(super) settled: bool,
    since: Option<Timestamp>,
    judged: u8,
}

/// A source of a subject, looked up once.
pub(super) enum Carried {
    Parts(Vec<Vec<Backing>>),
    Inherent,
    NotRecordable,
    /// No check judges the source.
    NotJudged,
}

impl Carried {
    pub(super) fn of(source: Source, carriage: &Carriage, index: &Index, ruleset: &Ruleset) -> Self {
        match carriage {
            Carriage::Inherent => Self::Inherent,
            _ if !ruleset.judges(source) => Self::NotJudged,
            Carriage::NotRecordable(_) => Self::NotRecordable,
            Carriage::Parts(parts) => Self::Parts(
                parts
                    .iter()
                    .map(|part| part.alternatives.iter().map(|a| Backing::of(a, index, ruleset)).collect())
                    .collect(),
            ),
        }
    }

    /// Dimensions of a source that no check judges for one of the ways it is carried.
    pub(super) fn not_judged(&self) -> impl Iterator<Item = Dimension> + use<> {
        let mask = match self {
            Self::Parts(parts) => parts.iter().flatten().fold(ALL_DIMENSIONS, |mask, backing| mask & backing.judged),
            Self::Inherent | Self::NotRecordable => ALL_DIMENSIONS,
            Self::NotJudged => 0,
        };
        DIMENSIONS.into_iter().filter(move |dimension| mask & (1 << *dimension as u8) == 0)
    }
}

impl Backing {
    fn of(alternative: &Alternative, index: &Index, ruleset: &Ruleset) -> Self {
        let mut findings = Vec::new();
        let mut judged = 0;
        for carrier in &alternative.carriers {
            judged |= ruleset.mask(carrier.judged_as);
            if let Some(found) = index.by_carrier.get(&(carrier.resource.as_str(), carrier.judged_as)) {
                findings.extend(found.iter().map(|at| (*at, carrier.certain)));
            }
        }
        Self {
            findings,
            certain: alternative.certain,
            settled: alternative.carriers.iter().all(|carrier| carrier.certain),
            since: alternative.since,
            judged,
        }
    }
}

/// How far evidence goes: each rung includes those below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// Something is missing.
    Lacking,
    /// Whole, and kept 90 days: the answer is yes.
    Answers,
    /// Kept the required days, log files validated where they can be.
    Kept,
    /// Immutable and out of reach, everything known and judged.
    Sealed,
}

/// What stands between evidence and the next grade; bits, for messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lacks(pub(super) u8);

impl Lacks {
    pub(super) const PLACE: Self = Self(1);
    pub(super) const NINETY_DAYS: Self = Self(2);
    pub(super) const REQUIRED_DAYS: Self = Self(4);
    pub(super) const VALIDATION: Self = Self(8);
    pub(super) const PROTECTION: Self = Self(16);
    pub(super) const UNKNOWN: Self = Self(32);
    pub(super) const NOT_JUDGED: Self = Self(64);
    pub(super) const NOT_RECORDABLE: Self = Self(128);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn with(self, other: Self, holds: bool) -> Self {
        if holds { Self(self.0 | other.0) } else { self }
    }
}

/// How well something is in place, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    pub(super) low: f64,
    pub(super) high: f64,
    /// With what is unknown left out; none when nothing is known.
    pub(super) expected: Option<f64>,
    pub(super) grade_low: Grade,
    pub(super) grade_high: Grade,
    pub(super) lacks: Lacks,
    /// Since when it is known to be in force.
    pub(super) since: Option<Timestamp>,
    /// False when it may turn out that nothing judges it, and that it is left out.
    pub(super) sure: bool,
}

impl Measure {
    /// Nothing is there.
    pub(super) fn nothing(lacks: Lacks) -> Self {
        Self {
            low: 0.0,
            high: 0.0,
            expected: Some(0.0),
            grade_low: Grade::Lacking,
            grade_high: Grade::Lacking,
            lacks,
            since: None,
            sure: true,
        }
    }

    /// The part of an answer that evidence at its best gives; only primary evidence answers whole.
    pub(super) fn weakened(mut self, factor: f64) -> Self {
        self.low *= factor;
        self.high *= factor;
        self.expected = self.expected.map(|value| value * factor);
        if factor < 1.0 {
            self.grade_low = Grade::Lacking;
            self.grade_high = Grade::Lacking;
        }
        self
    }
}

/// A source of a subject, measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Measured {
    /// The source cannot see the subject.
    Blind,
    /// No finding tells about it.
    NotJudged,
    NotRecordable,
    By(Measure),
}

/// Measures a source; `fixed` says of a finding whether to take it as passed.
pub(super) fn source(carried: &Carried, index: &Index, as_of: Timestamp, fixed: impl Fn(u32) -> bool) -> Measured {
    let parts = match carried {
        Carried::NotJudged => return Measured::NotJudged,
        Carried::NotRecordable => return Measured::NotRecordable,
        Carried::Inherent => {
            return Measured::By(Measure {
                low: 1.0,
                high: 1.0,
                expected: Some(1.0),
                grade_low: Grade::Answers,
                grade_high: Grade::Answers,
                lacks: Lacks::REQUIRED_DAYS,
                since: Some(Timestamp::from_unix(as_of.unix() - INHERENT_DAYS * 86_400)),
                sure: true,
            });
        }
        Carried::Parts(parts) => parts,
    };
    let parts = parts.iter().map(|part| best(part.iter().filter_map(|backing| measure(backing, index, &fixed))));
    match worst_judged(parts) {
        Some(measure) => Measured::By(measure),
        None => Measured::NotJudged,
    }
}

/// One alternative; none when no finding tells about it.
fn measure(backing: &Backing, index: &Index, fixed: &impl Fn(u32) -> bool) -> Option<Measure> {
    if backing.findings.is_empty() {
        // If it turns out not to exist, nothing carries the evidence; if it exists, nothing judges it.
        return (!backing.certain).then(|| Measure { sure: false, ..Measure::nothing(Lacks::UNKNOWN) });
    }

    let mut shares = [Shares::default(); 6];
    let (mut sure, mut any_unknown) = (false, !backing.settled || !backing.certain);
    // Points of retention and integrity at their fullest, log file validation: at worst and at best.
    let (mut days, mut sealed, mut validated) = ((true, true), (true, true), (true, true));
    for (at, certain) in &backing.findings {
        let original = &index.summaries[*at as usize];
        let replaced = fixed(*at).then(|| original.passed());
        let summary = replaced.as_ref().map_or(original, |passed| passed);
        sure |= *certain && !summary.doubtful;
        any_unknown |= summary.any_unknown;
        shares[summary.dimension as usize].add(summary, *certain);
        let full = (*certain && summary.full_at_worst, !*certain || summary.full_at_best);
        match summary.dimension {
            Dimension::Retention => days = both(days, full),
            Dimension::Integrity => {
                sealed = both(sealed, full);
                if summary.trail {
                    let holds = !summary.blank && summary.worst.unmet == 0;
                    validated = both(validated, (*certain && holds, !*certain || summary.best.unmet == 0));
                }
            }
            _ => {}
        }
    }

    let has = |of: fn(&Shares) -> f64| HAS.iter().map(|d| of(&shares[*d as usize])).fold(1.0, f64::min);
    let value = |of: fn(&Shares) -> f64| {
        let retention = of(&shares[Dimension::Retention as usize]);
        let kept = if retention < 1.0 { 0.0 } else { of(&shares[Dimension::Integrity as usize]) };
        has(of) * (0.5 + 0.5 * kept)
    };
    let judged = backing.judged == ALL_DIMENSIONS;
    let grade = |of: fn(&Shares) -> f64, days: bool, validated: bool, sealed: bool| {
        if has(of) < 1.0 || of(&shares[Dimension::Retention as usize]) < 1.0 {
            Grade::Lacking
        } else if !days || !validated {
            Grade::Answers
        } else if !sealed || !judged {
            Grade::Kept
        } else {
            Grade::Sealed
        }
    };

    let (low, high) = (value(Shares::low), value(Shares::high));
    let lacks = Lacks::default()
        .with(Lacks::PLACE, has(Shares::low) < 1.0)
        .with(Lacks::NINETY_DAYS, shares[Dimension::Retention as usize].low() < 1.0)
        .with(Lacks::REQUIRED_DAYS, !days.0)
        .with(Lacks::VALIDATION, !validated.0)
        .with(Lacks::PROTECTION, !sealed.0)
        .with(Lacks::UNKNOWN, any_unknown)
        .with(Lacks::NOT_JUDGED, !judged);
    let mut measure = Measure {
        low,
        high,
        expected: expected(&shares).map(|value| value.clamp(low, high)),
        grade_low: grade(Shares::low, days.0, validated.0, sealed.0 && !any_unknown),
        grade_high: grade(Shares::high, days.1, validated.1, sealed.1),
        lacks,
        since: backing.since,
        sure,
    };
    if !backing.certain {
        measure.low = 0.0;
        measure.expected = None;
        measure.grade_low = Grade::Lacking;
        measure.since = None;
    }
    Some(measure)
}

/// The dimensions that say whether evidence is there; the others, whether it stays.
const HAS: [Dimension; 4] = [Dimension::Coverage, Dimension::Fidelity, Dimension::Delivery, Dimension::Access];

/// Required criteria of one dimension over all carriers of an alternative.
#[derive(Clone, Copy, Default)]
struct Shares {
    worst: Tally,
    best: Tally,
    known: Tally,
    blank: bool,
    /// There is something unknown about it.
    open: bool,
}

impl Shares {
    fn add(&mut self, summary: &Summary, certain: bool) {
        if certain {
            self.worst.add(summary.worst);
            self.best.add(summary.best);
            self.known.add(summary.known);
            self.open |= summary.unknown;
        } else {
            // It is not known whether the carrier takes part: its criteria count as unknown.
            self.worst.unmet += summary.possibly_required;
            self.best.met += summary.possibly_required;
            self.open = true;
        }
        self.blank |= summary.blank;
    }

    fn low(&self) -> f64 {
        if self.blank { 0.0 } else { self.worst.share() }
    }

    fn high(&self) -> f64 {
        self.best.share()
    }

    /// The share of what is known: none when all is unknown, and nothing to say when no criterion is required.
    fn expected(&self) -> Option<Option<f64>> {
        match (self.known.met + self.known.unmet, self.open) {
            (0, false) => None,
            (0, true) => Some(None),
            _ => Some(Some(self.known.share())),
        }
    }
}

fn expected(shares: &[Shares; 6]) -> Option<f64> {
    // The lowest of what is known; `Some(1)` when nothing is asked, none when all that is asked is unknown.
    let lowest = |dimensions: &[Dimension]| {
        let asked: Vec<_> = dimensions.iter().filter_map(|d| shares[*d as usize].expected()).collect();
        if asked.is_empty() { Some(1.0) } else { asked.into_iter().flatten().reduce(f64::min) }
    };
    let has = lowest(&HAS)?;
    let kept = match lowest(&[Dimension::Retention]) {
        Some(share) if share < 1.0 => Some(0.0),
        _ => lowest(&[Dimension::Retention, Dimension::Integrity]),
    };
    // What is not known of how it is kept is left out, as a dimension that nothing judges is.
    Some(has * kept.map_or(1.0, |kept| 0.5 + 0.5 * kept))
}

fn both(a: (bool, bool), b: (bool, bool)) -> (bool, bool) {
    (a.0 && b.0, a.1 && b.1)
}

/// The best of several ways, any of which suffices; none of nothing.
pub(super) fn best(ways: impl Iterator<Item = Measure>) -> Option<Measure> {
    let ways: Vec<Measure> = ways.collect();
    let chosen = ways.iter().reduce(|a, b| if better(b, a) { b } else { a })?;
    let sure = ways.iter().any(|way| way.sure);
    let high = ways.iter().map(|way| way.high).fold(0.0, f64::max);
    // A way that may be left out can raise the best, but is not there to be relied on.
    let (low, grade_low) = if sure {
        let relied = || ways.iter().filter(|way| way.sure);
        (relied().map(|way| way.low).fold(0.0, f64::max), relied().map(|way| way.grade_low).max()?)
    } else {
        (ways.iter().map(|way| way.low).fold(1.0, f64::min), ways.iter().map(|way| way.grade_low).min()?)
    };
    let expected = ways.iter().filter_map(|way| way.expected).reduce(f64::max);
    Some(Measure {
        low,
        high,
        expected: expected.map(|value| value.clamp(low, high)),
        grade_low,
        grade_high: ways.iter().map(|way| way.grade_high).max()?,
        lacks: chosen.lacks,
        since: chosen.since,
        sure,
    })
}

/// Whether `a` is the way one would rely on rather than `b`.
fn better(a: &Measure, b: &Measure) -> bool {
    let key = |m: &Measure| (m.sure, m.grade_low, m.low, m.grade_high, m.high, m.since.map(|since| -since.unix()));
    key(a).partial_cmp(&key(b)) == Some(std::cmp::Ordering::Greater)
}

/// The worst of parts that are all needed, those left out that nothing judges; none when that leaves none.
fn worst_judged(parts: impl Iterator<Item = Option<Measure>>) -> Option<Measure> {
    let parts: Vec<Option<Measure>> = parts.collect();
    let left_out = parts.iter().any(Option::is_none);
    let judged: Vec<Measure> = parts.into_iter().flatten().collect();
    let sure = judged.iter().any(|part| part.sure);
    let mut worst = all(judged.iter().copied())?;
    worst.sure = sure;
    worst.expected = judged.iter().filter_map(|part| part.expected).reduce(f64::min);
    // At best, what may be left out is.
    if sure {
        let relied = || judged.iter().filter(|part| part.sure);
        worst.high = relied().map(|part| part.high).fold(1.0, f64::min);
        worst.grade_high = relied().map(|part| part.grade_high).min()?;
    } else {
        worst.high = judged.iter().map(|part| part.high).fold(0.0, f64::max);
        worst.grade_high = judged.iter().map(|part| part.grade_high).max()?;
    }
    if left_out || judged.iter().any(|part| !part.sure) {
        worst.grade_low = worst.grade_low.min(Grade::Kept);
        worst.lacks = worst.lacks.with(Lacks::NOT_JUDGED, true);
    }
    if left_out {
        worst.grade_high = worst.grade_high.min(Grade::Kept);
    }
    worst.expected = worst.expected.map(|value| value.clamp(worst.low, worst.high));
    Some(worst)
}

/// The worst of several that are all needed; none of nothing. Known only where each is.
pub(super) fn all(needed: impl Iterator<Item = Measure>) -> Option<Measure> {
    needed.reduce(|a, b| Measure {
        low: a.low.min(b.low),
        high: a.high.min(b.high),
        expected: a.expected.zip(b.expected).map(|(a, b)| a.min(b)),
        grade_low: a.grade_low.min(b.grade_low),
        grade_high: a.grade_high.min(b.grade_high),
        lacks: Lacks(a.lacks.0 | b.lacks.0),
        since: a.since.zip(b.since).map(|(a, b)| a.max(b)),
        sure: a.sure && b.sure,
    })
}

/// Something that weighs in a mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighed {
    pub(super) weight: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) expected: Option<f64>,
    /// False when it may not weigh at all.
    pub(super) sure: bool,
}

/// A mean between bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mean {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) expected: Option<f64>,
    pub(super) sure: bool,
}

/// The mean, at worst with whatever may be left out where that lowers it, at best where that raises it. None of
/// nothing.
pub(super) fn mean(items: &[Weighed]) -> Option<Mean> {
    if items.is_empty() {
        return None;
    }
    let low = extreme(items, |item| item.low, false);
    let high = extreme(items, |item| item.high, true);
    let (sum, weight) = items
        .iter()
        .filter_map(|item| item.expected.map(|value| (value * item.weight, item.weight)))
        .fold((0.0, 0.0), |(s, w), (value, weight)| (s + value, w + weight));
    let expected = (weight > 0.0).then(|| (sum / weight).clamp(low, high));
    Some(Mean { low, high, expected, sure: items.iter().any(|item| item.sure) })
}

/// The lowest (or highest) mean over every choice of what may be left out: an item is taken while it pulls.
fn extreme(items: &[Weighed], of: impl Fn(&Weighed) -> f64, highest: bool) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for item in items.iter().filter(|item| item.sure) {
        sum += of(item) * item.weight;
        weight += item.weight;
    }
    let mut optional: Vec<&Weighed> = items.iter().filter(|item| !item.sure).collect();
    optional.sort_by(|a, b| if highest { of(b).total_cmp(&of(a)) } else { of(a).total_cmp(&of(b)) });
    for item in optional {
        let pulls = weight == 0.0 || if highest { of(item) > sum / weight } else { of(item) < sum / weight };
        if !pulls {
            break;
        }
        sum += of(item) * item.weight;
        weight += item.weight;
    }
    sum / weight
}
