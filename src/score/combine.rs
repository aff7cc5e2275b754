//! Values between two bounds, and how they combine: any suffices, all are needed, the mean.
//!
//! Each may turn out not to be judged at all and be left out (`sure` is false then); the bounds contain that too. What
//! the values are of is not known here.

use crate::model::time::Timestamp;

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

impl Grade {
    pub(super) fn of(answers: bool, kept: bool, sealed: bool) -> Self {
        match (answers, kept, sealed) {
            (false, _, _) => Self::Lacking,
            (true, false, _) => Self::Answers,
            (true, true, false) => Self::Kept,
            (true, true, true) => Self::Sealed,
        }
    }
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
    /// As one of the items of a mean.
    pub(super) fn item(&self) -> Weighed {
        Weighed { weight: 1.0, low: self.low, high: self.high, expected: self.expected, sure: self.sure }
    }

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
pub(super) fn worst_judged(parts: impl Iterator<Item = Option<Measure>>) -> Option<Measure> {
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

impl Mean {
    /// As one of the items of a further mean.
    pub(super) fn item(&self) -> Weighed {
        Weighed { weight: 1.0, low: self.low, high: self.high, expected: self.expected, sure: self.sure }
    }
}

/// The mean, at worst with whatever may be left out where that lowers it, at best where that raises it. None of
/// nothing.
pub(super) fn mean(items: &[Weighed]) -> Option<Mean> {
    if items.is_empty() {
        return None;
    }
    let low = lowest(items.iter());
    let high = extreme(items.iter(), |item| item.high, true);
    let (sum, weight) = items
        .iter()
        .filter_map(|item| item.expected.map(|value| (value * item.weight, item.weight)))
        .fold((0.0, 0.0), |(s, w), (value, weight)| (s + value, w + weight));
    let expected = (weight > 0.0).then(|| (sum / weight).clamp(low, high));
    Some(Mean { low, high, expected, sure: items.iter().any(|item| item.sure) })
}

/// The low end of a mean alone, of at least one item.
pub(super) fn lowest<'a>(items: impl Iterator<Item = &'a Weighed>) -> f64 {
    extreme(items, |item| item.low, false)
}

/// The lowest (or highest) mean over every choice of what may be left out: an item is taken while it pulls.
fn extreme<'a>(items: impl Iterator<Item = &'a Weighed>, of: impl Fn(&Weighed) -> f64, highest: bool) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut optional: Vec<&Weighed> = Vec::new();
    for item in items {
        if item.sure {
            sum += of(item) * item.weight;
            weight += item.weight;
        } else {
            optional.push(item);
        }
    }
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
