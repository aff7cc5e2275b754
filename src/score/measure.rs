//! How well one source is in place for one subject, as an interval: from criteria to shares, from shares to a source.
//!
//! Everything is worked out twice, with all that is unknown at its worst and at its best. Each step is monotone in
//! every criterion, so what is true lies between the two. How such intervals combine is `combine`'s part, what they mean for a question `question`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::finding::{Dimension, Finding, Source, Status, Truth};
use crate::model::time::Timestamp;
use crate::relate::subject::{Alternative, Carriage};
use crate::results::{CheckInfo, FixRef, PermissionNeed};

use super::combine::{self, Grade, Lacks, Measure};
use super::fixes;

/// Days back that event history reaches, and that a `retention` check requires at least.
const INHERENT_DAYS: i64 = 90;

/// Which sources and dimensions the checks of the run judge.
#[derive(Debug)]
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
#[derive(Debug)]
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

#[derive(Clone, Copy, Debug, Default)]
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
        // Where it is not known whether the check applies, no criterion is known to be required.
        let doubtful = unknown && finding.criteria.iter().all(|criterion| criterion.required != Truth::True);

        let (mut worst, mut best, mut known) = (Tally::default(), Tally::default(), Tally::default());
        let (mut required, mut possibly_required) = (0, 0);
        for criterion in &finding.criteria {
            let surely = match criterion.required {
                Truth::False => continue,
                Truth::True => true,
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

/// What scoring needs of a finding; the rest of it may be let go.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) summary: Summary,
    /// What to fix, where it fails.
    pub(super) fix: Option<Box<FixRef>>,
    pub(super) waived: bool,
    /// Permissions that would settle what is unknown about it.
    pub(super) needs: Vec<PermissionNeed>,
}

impl Entry {
    fn of(finding: &Finding) -> Self {
        let criteria = finding.criteria.iter().filter(|criterion| criterion.required != Truth::False);
        let unknown = criteria.flat_map(|criterion| &criterion.unknown);
        let needs: BTreeSet<PermissionNeed> =
            unknown.filter_map(|unknown| fixes::need(unknown, &finding.account)).collect();
        let fix = (finding.status == Status::Fail).then(|| {
            Box::new(FixRef {
                check: finding.check.clone(),
                account: finding.account.clone(),
                resource: finding.resource.clone(),
                finding: finding.id.clone(),
            })
        });
        Self {
            summary: Summary::of(finding),
            fix,
            waived: finding.exception.as_ref().is_some_and(|exception| exception.active),
            needs: needs.into_iter().collect(),
        }
    }
}

/// Findings by the resource and source they are about, as scores need them. Those that do not apply say nothing and are
/// not in it.
#[derive(Debug, Default)]
pub struct Findings {
    entries: Vec<Entry>,
    by_resource: HashMap<Box<str>, Vec<(Source, u32)>>,
}

impl Findings {
    pub fn of(findings: &[Finding]) -> Self {
        let mut all = Self::default();
        all.extend(findings);
        all
    }

    pub fn extend(&mut self, findings: &[Finding]) {
        for finding in findings.iter().filter(|finding| finding.status != Status::NotApplicable) {
            let at = u32::try_from(self.entries.len());
            let at = at.unwrap_or_else(|_| panic!("internal error: more than 2^32 findings"));
            self.entries.push(Entry::of(finding));
            match self.by_resource.get_mut(finding.resource.as_str()) {
                Some(found) => found.push((finding.source, at)),
                None => {
                    self.by_resource.insert(finding.resource.as_str().into(), vec![(finding.source, at)]);
                }
            }
        }
    }

    fn about<'a>(&'a self, resource: &str, source: Source) -> impl Iterator<Item = u32> + use<'a> {
        let found = self.by_resource.get(resource).into_iter().flatten();
        found.filter(move |(of, _)| *of == source).map(|(_, at)| *at)
    }
}

/// The findings that one account is scored by: its own, and of other accounts' those about what they hold for it.
pub(super) struct Index<'a> {
    own: &'a Findings,
    others: &'a Findings,
}

impl<'a> Index<'a> {
    pub(super) fn of(own: &'a Findings, others: &'a Findings) -> Self {
        Self { own, others }
    }

    pub(super) fn entry(&self, at: u32) -> &'a Entry {
        let at = at as usize;
        self.own.entries.get(at).unwrap_or_else(|| &self.others.entries[at - self.own.entries.len()])
    }

    /// Findings about a resource; those of others only where the account has none itself.
    fn about(&self, resource: &str, source: Source) -> Vec<u32> {
        let own: Vec<u32> = self.own.about(resource, source).collect();
        if !own.is_empty() {
            return own;
        }
        let before = self.own.entries.len() as u32;
        self.others.about(resource, source).map(|at| before + at).collect()
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
            let found = index.about(carrier.resource.as_str(), carrier.judged_as);
            findings.extend(found.into_iter().map(|at| (at, carrier.certain)));
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

/// A source of a subject, measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Measured {
    /// The source cannot see the subject.
    Blind,
    /// No check judges the source, of any subject.
    Unjudgeable,
    /// No finding tells about it.
    NotJudged,
    NotRecordable,
    By(Measure),
}

/// Measures a source; `fixed` says of a finding whether to take it as passed.
pub(super) fn source(carried: &Carried, index: &Index, as_of: Timestamp, fixed: impl Fn(u32) -> bool) -> Measured {
    let parts = match carried {
        Carried::NotJudged => return Measured::Unjudgeable,
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
    match combine::worst_judged(parts.iter().map(|part| of_part(part, index, &fixed))) {
        Some(measure) => Measured::By(measure),
        None => Measured::NotJudged,
    }
}

/// One part: its best alternative; none when nothing judges any of them.
fn of_part(part: &[Backing], index: &Index, fixed: &impl Fn(u32) -> bool) -> Option<Measure> {
    if part.is_empty() {
        // Nothing carries it, and that is known.
        return Some(Measure::nothing(Lacks::PLACE));
    }
    let mut ways: Vec<(bool, Option<Measure>)> =
        part.iter().map(|backing| (backing.certain, measure(backing, index, fixed))).collect();
    // An alternative that may not exist vouches for the part being judged only where every other one does too: gone,
    // it would leave the part to them.
    let all_sure = ways.iter().all(|(_, way)| way.is_some_and(|way| way.sure));
    for (certain, way) in &mut ways {
        if let Some(way) = way {
            way.sure &= *certain || all_sure;
        }
    }
    combine::best(ways.into_iter().filter_map(|(_, way)| way))
}

/// One alternative; none when no finding tells about it.
fn measure(backing: &Backing, index: &Index, fixed: &impl Fn(u32) -> bool) -> Option<Measure> {
    if backing.findings.is_empty() {
        // If it turns out not to exist, nothing carries the evidence; if it exists, nothing judges it.
        return (!backing.certain).then(|| Measure { sure: false, ..Measure::nothing(Lacks::UNKNOWN) });
    }

    let gathered = Gathered::of(backing, index, fixed);
    let measure = gathered.measure(backing);
    Some(if backing.certain {
        measure
    } else {
        // It may not exist: at worst it gives nothing, and nothing is expected of it.
        Measure { low: 0.0, expected: None, grade_low: Grade::Lacking, since: None, ..measure }
    })
}

/// What the findings behind an alternative say together; pairs are at worst and at best.
struct Gathered {
    /// By `Dimension as usize`.
    shares: [Shares; 6],
    /// Some finding surely applies to a carrier that surely takes part.
    sure: bool,
    any_unknown: bool,
    /// All points for retention: the required days.
    days: (bool, bool),
    /// Log file validation, where a trail takes part.
    validated: (bool, bool),
    /// All points for integrity: immutable and out of reach.
    sealed: (bool, bool),
}

impl Gathered {
    fn of(backing: &Backing, index: &Index, fixed: &impl Fn(u32) -> bool) -> Self {
        let mut gathered = Self {
            shares: [Shares::default(); 6],
            sure: false,
            any_unknown: !backing.settled || !backing.certain,
            days: (true, true),
            validated: (true, true),
            sealed: (true, true),
        };
        for (at, certain) in &backing.findings {
            let summary = &index.entry(*at).summary;
            if fixed(*at) {
                gathered.add(&summary.passed(), *certain);
            } else {
                gathered.add(summary, *certain);
            }
        }
        gathered
    }

    fn add(&mut self, summary: &Summary, certain: bool) {
        self.sure |= certain && !summary.doubtful;
        self.any_unknown |= summary.any_unknown;
        self.shares[summary.dimension as usize].add(summary, certain);
        // What holds on a carrier that may not take part is not relied on, and what does not may not matter.
        let on_carrier = |holds: (bool, bool)| (certain && holds.0, !certain || holds.1);
        let full = on_carrier((summary.full_at_worst, summary.full_at_best));
        match summary.dimension {
            Dimension::Retention => self.days = both(self.days, full),
            Dimension::Integrity => {
                self.sealed = both(self.sealed, full);
                if summary.trail {
                    let valid = (!summary.blank && summary.worst.unmet == 0, summary.best.unmet == 0);
                    self.validated = both(self.validated, on_carrier(valid));
                }
            }
            _ => {}
        }
    }

    fn share(&self, dimension: Dimension) -> &Shares {
        &self.shares[dimension as usize]
    }

    /// has x (1/2 + 1/2 kept), at one end.
    fn value(&self, end: fn(&Shares) -> f64) -> f64 {
        let has = HAS.iter().map(|dimension| end(self.share(*dimension))).fold(1.0, f64::min);
        let retention = end(self.share(Dimension::Retention));
        let kept = if retention < 1.0 { 0.0 } else { end(self.share(Dimension::Integrity)) };
        has * (0.5 + 0.5 * kept)
    }

    /// The same of what is known; none when nothing is.
    fn expected(&self) -> Option<f64> {
        // The lowest of what is known; 1 when nothing is asked, none when all that is asked is unknown.
        let lowest = |dimensions: &[Dimension]| {
            let asked: Vec<_> = dimensions.iter().filter_map(|d| self.share(*d).expected()).collect();
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

    fn measure(&self, backing: &Backing) -> Measure {
        let there = HAS.iter().map(|dimension| self.share(*dimension).whole()).fold((true, true), both);
        let retained = self.share(Dimension::Retention).whole();
        let judged = backing.judged == ALL_DIMENSIONS;
        let (answers, kept) = (both(there, retained), both(self.days, self.validated));
        let sealed = (self.sealed.0 && judged && !self.any_unknown, self.sealed.1 && judged);
        let (low, high) = (self.value(Shares::low), self.value(Shares::high));
        Measure {
            low,
            high,
            expected: self.expected().map(|value| value.clamp(low, high)),
            grade_low: Grade::of(answers.0, kept.0, sealed.0),
            grade_high: Grade::of(answers.1, kept.1, sealed.1),
            lacks: Lacks::default()
                .with(Lacks::PLACE, !there.0)
                .with(Lacks::NINETY_DAYS, !retained.0)
                .with(Lacks::REQUIRED_DAYS, !self.days.0)
                .with(Lacks::VALIDATION, !self.validated.0)
                .with(Lacks::PROTECTION, !self.sealed.0)
                .with(Lacks::UNKNOWN, self.any_unknown)
                .with(Lacks::NOT_JUDGED, !judged),
            since: backing.since,
            sure: self.sure,
        }
    }
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
        if self.blank { 1.0 } else { self.best.share() }
    }

    /// Whether each criterion holds, at worst and at best.
    fn whole(&self) -> (bool, bool) {
        (self.worst.unmet == 0 && !self.blank, self.best.unmet == 0)
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

fn both(a: (bool, bool), b: (bool, bool)) -> (bool, bool) {
    (a.0 && b.0, a.1 && b.1)
}
