//! The gate: whether a run is good enough for a pipeline to go on, condition by condition.
//!
//! A pure function of the results and the configured conditions. It never rounds in anyone's favour: the low end of
//! an interval passes, the high end fails, and between them nothing is decided. Exit codes are `cli`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use crate::config::{Gate, UnknownPolicy};
use crate::finding::{Finding, Status, Truth};
use crate::model::severity::Severity;
use crate::model::time::Timestamp;
use crate::results::stream::{self, Part, ReadError};
use crate::results::{AccountStatus, GateCondition, GateResult, GateVerdict, Results};

/// Exceptions that end within so many days are pointed out.
pub const EXPIRY_NOTICE_DAYS: i64 = 30;

/// What adding in floating point may lose of a score of 100.
const ROUNDING: f64 = 1e-9;

/// What of results a gate is judged on. It is gathered part by part, and does not grow with the accounts.
#[derive(Clone, Debug)]
pub struct Tally {
    low: f64,
    high: f64,
    nothing_to_assess: bool,
    as_of: Option<Timestamp>,
    /// Of the run, with the reasons.
    partial: Option<Vec<String>>,
    /// What was to be read was not: no declared scope covers that.
    incomplete: bool,
    replaced_checks: Vec<String>,
    /// Failed and unknown findings by check.
    open: BTreeMap<Kind, BTreeMap<String, u64>>,
    accounts: u64,
    not_assessed: u64,
    /// Accounts that count in the score and were not assessed.
    unseen: u64,
    /// Share of the required criteria that are known.
    coverage: f64,
    /// Checks that would gain points.
    gains: BTreeSet<String>,
    /// Exceptions that match something.
    exceptions: Vec<Waiver>,
}

/// Failed and unknown findings that a gate does not tell apart, but by check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    severity: Severity,
    failed: bool,
    /// An exception is in force.
    waived: bool,
}

#[derive(Clone, Debug)]
struct Waiver {
    check: String,
    expired: bool,
    expires: String,
}

impl Default for Tally {
    /// Of results nothing is known of yet.
    fn default() -> Self {
        Self {
            low: 0.0,
            high: 100.0,
            nothing_to_assess: false,
            as_of: None,
            partial: Some(Vec::new()),
            incomplete: false,
            replaced_checks: Vec::new(),
            open: BTreeMap::new(),
            accounts: 0,
            not_assessed: 0,
            unseen: 0,
            coverage: 0.0,
            gains: BTreeSet::new(),
            exceptions: Vec::new(),
        }
    }
}

impl Tally {
    /// Of `results.json`.
    ///
    /// # Errors
    /// The input is not that, see [`stream::read`].
    pub fn read(input: impl Read + Seek) -> Result<Self, ReadError> {
        let mut tally = Self::default();
        stream::read(input, &mut |part| tally.add(&part))?;
        Ok(tally)
    }

    /// Of results in memory.
    pub fn of(results: Results) -> Self {
        let mut tally = Self::default();
        results.into_parts(&mut |part| tally.add(&part));
        tally
    }

    /// Counts one part of results in.
    pub fn add(&mut self, part: &Part) {
        match part {
            Part::Run(run) => {
                self.as_of = Some(run.as_of);
                self.partial = run.partial.then(|| run.partial_reasons.clone());
                self.incomplete = run.partial && run.incomplete != Some(false);
                self.replaced_checks.clone_from(&run.replaced_checks);
            }
            Part::Score(score) => {
                (self.low, self.high) = (score.low, score.high);
                self.nothing_to_assess = score.nothing_to_assess;
            }
            Part::Account(account) => {
                self.accounts += 1;
                if account.status == AccountStatus::NotAssessed {
                    self.not_assessed += 1;
                    self.unseen += u64::from(account.scored);
                }
            }
            Part::Finding(finding) => self.add_finding(finding),
            Part::Exception(exception) if exception.matches > 0 => self.exceptions.push(Waiver {
                check: exception.check.clone(),
                expired: exception.expired,
                expires: exception.expires.clone(),
            }),
            Part::Share(share) => self.coverage = *share,
            Part::Fix(fix) if fix.gain > 0.0 => {
                self.gains.insert(fix.check.clone());
            }
            _ => {}
        }
    }

    fn add_finding(&mut self, finding: &Finding) {
        let failed = match finding.status {
            Status::Fail => true,
            Status::Unknown => false,
            Status::Pass | Status::NotApplicable => return,
        };
        let waived = finding.exception.as_ref().is_some_and(|exception| exception.active);
        let by_check = self.open.entry(Kind { severity: finding.severity, failed, waived }).or_default();
        match by_check.get_mut(&finding.check) {
            Some(count) => *count += 1,
            None => {
                by_check.insert(finding.check.clone(), 1);
            }
        }
    }

    /// How many findings there are of some kinds, and the checks they are of.
    fn open(&self, wanted: impl Fn(Kind) -> bool) -> (u64, BTreeSet<&String>) {
        let kinds = || self.open.iter().filter(|(kind, _)| wanted(**kind)).flat_map(|(_, by_check)| by_check);
        (kinds().map(|(_, count)| count).sum(), kinds().map(|(check, _)| check).collect())
    }
}

/// Judges a run. All conditions must pass; one that fails fails the gate, else one that is undecided leaves it so.
///
/// A gate that sets no condition passes and says that nothing was asked: `locard audit` without a gate must not fail
/// a pipeline, and a condition line keeps a forgotten configuration visible.
pub fn judge(tally: &Tally, gate: &Gate) -> GateResult {
    let mut conditions = Vec::new();
    conditions.extend(gate.min_score.map(|wanted| min_score(tally, wanted, gate)));
    conditions.extend(gate.fail_on.map(|severity| fail_on(tally, severity, gate.unknown)));
    conditions.extend(gate.min_coverage.map(|wanted| min_coverage(tally, wanted)));
    if !gate.allow_replaced_checks {
        conditions.push(replaced_checks(tally));
    }
    if conditions.is_empty() {
        conditions.push(condition("none", "nothing: no condition is set", &interval(tally, None), GateVerdict::Passed));
    } else {
        // What the conditions were judged on must be what they were meant for.
        conditions.extend(whole(tally, gate));
        conditions.extend(entered(tally));
        conditions.extend(exceptions(tally));
    }
    let verdict = match () {
        () if conditions.iter().any(|c| c.verdict == GateVerdict::Failed) => GateVerdict::Failed,
        () if conditions.iter().any(|c| c.verdict == GateVerdict::Undecided) => GateVerdict::Undecided,
        () => GateVerdict::Passed,
    };
    GateResult { verdict, conditions }
}

/// Required criteria that apply, and how many of them are known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Criteria {
    known: u64,
    all: u64,
}

impl Criteria {
    /// Counts those of a finding in.
    pub fn add(&mut self, finding: &Finding) {
        if finding.status == Status::NotApplicable {
            return;
        }
        let before = self.all;
        for criterion in &finding.criteria {
            if criterion.required != Truth::False {
                self.all += 1;
                self.known += u64::from(criterion.required == Truth::True && criterion.status != Truth::Unknown);
            }
        }
        // A finding that says nothing of its criteria has at least one.
        if self.all == before && finding.status == Status::Unknown {
            self.all += 1;
        }
    }

    /// Counts others in.
    pub fn merge(&mut self, other: Self) {
        self.known += other.known;
        self.all += other.all;
    }

    /// The share that is known, 0 to 1. An account that was not entered counts as much as the mean entered one, none
    /// of it known.
    pub fn share(self, entered: u64, not_entered: u64) -> f64 {
        if entered == 0 && not_entered > 0 {
            return 0.0;
        }
        let of_entered = if self.all == 0 { 1.0 } else { self.known as f64 / self.all as f64 };
        if not_entered == 0 { of_entered } else { of_entered * entered as f64 / (entered + not_entered) as f64 }
    }
}

/// The [`Criteria::share`] of some findings.
pub fn coverage(findings: &[Finding], entered: u64, not_entered: u64) -> f64 {
    let mut criteria = Criteria::default();
    findings.iter().for_each(|finding| criteria.add(finding));
    criteria.share(entered, not_entered)
}

fn condition(name: &str, wanted: &str, got: &str, verdict: GateVerdict) -> GateCondition {
    GateCondition { name: name.to_owned(), wanted: wanted.to_owned(), got: got.to_owned(), verdict, checks: Vec::new() }
}

/// The score, its low end rounded down and its high end up, so that the text never claims more than the number.
/// `below`: a bound that the high end is below, which the text is to show.
fn interval(tally: &Tally, below: Option<f64>) -> String {
    if tally.nothing_to_assess {
        return "nothing to assess: no account runs AI".to_owned();
    }
    let text = |digits: usize| {
        let unit = 10f64.powi(digits as i32);
        let low = ((tally.low + ROUNDING) * unit).floor() / unit;
        if tally.high - tally.low < ROUNDING {
            return (low, format!("{low:.digits$}"));
        }
        let high = ((tally.high - ROUNDING) * unit).ceil() / unit;
        (high, format!("{low:.digits$} to {high:.digits$}"))
    };
    let enough = |digits: &usize| below.is_none_or(|below| text(*digits).0 < below);
    text((1..8).find(enough).unwrap_or(8)).1
}

fn min_score(tally: &Tally, wanted: f64, gate: &Gate) -> GateCondition {
    let part = tally.partial.is_some() && (tally.incomplete || gate.partial_scope.is_none());
    let verdict = if tally.nothing_to_assess || tally.low + ROUNDING >= wanted {
        GateVerdict::Passed
    } else if tally.high + ROUNDING < wanted && !part {
        // The mean of a part says nothing certain about the mean of the whole.
        GateVerdict::Failed
    } else {
        GateVerdict::Undecided
    };
    let below = (verdict == GateVerdict::Failed).then_some(wanted);
    let mut condition = condition("min_score", &format!("at least {wanted}"), &interval(tally, below), verdict);
    if verdict != GateVerdict::Passed {
        condition.checks = tally.gains.iter().cloned().collect();
    }
    condition
}

fn fail_on(tally: &Tally, severity: Severity, policy: UnknownPolicy) -> GateCondition {
    let (failed, failing) = tally.open(|kind| kind.severity >= severity && kind.failed && !kind.waived);
    let (undecided, unknown) = tally.open(|kind| kind.severity >= severity && !kind.failed && !kind.waived);
    let (waived, _) = tally.open(|kind| kind.severity >= severity && kind.waived);
    // An account nobody looked into has no findings, which does not mean it has no failures.
    let unseen = tally.unseen;
    let blind = undecided > 0 || unseen > 0;
    let verdict = match policy {
        _ if failed > 0 => GateVerdict::Failed,
        UnknownPolicy::Fail if blind => GateVerdict::Failed,
        UnknownPolicy::Undecided if blind => GateVerdict::Undecided,
        UnknownPolicy::Fail | UnknownPolicy::Undecided | UnknownPolicy::Ignore => GateVerdict::Passed,
    };

    let mut wanted = format!("no failure of severity {}", severity.word());
    if severity < Severity::Critical {
        wanted.push_str(" or above");
    }
    wanted.push_str(match policy {
        UnknownPolicy::Undecided => ", nothing unknown",
        UnknownPolicy::Fail => ", nothing unknown, which counts as failed",
        UnknownPolicy::Ignore => "",
    });
    let mut got = format!("{failed} failed, {undecided} unknown, {waived} excepted");
    if unseen > 0 {
        got.push_str(&format!(", {unseen} {} not assessed", if unseen == 1 { "account" } else { "accounts" }));
    }
    let responsible: BTreeSet<&String> = match (verdict, policy) {
        (GateVerdict::Passed, _) => BTreeSet::new(),
        (GateVerdict::Failed, UnknownPolicy::Undecided | UnknownPolicy::Ignore) => failing,
        (GateVerdict::Failed | GateVerdict::Undecided, _) => failing.into_iter().chain(unknown).collect(),
    };
    GateCondition { checks: responsible.into_iter().cloned().collect(), ..condition("fail_on", &wanted, &got, verdict) }
}

fn min_coverage(tally: &Tally, wanted: f64) -> GateCondition {
    let share = tally.coverage;
    let verdict = if share + ROUNDING >= wanted { GateVerdict::Passed } else { GateVerdict::Undecided };
    let percent = |share: f64| format!("{:.1} %", (share * 1000.0 + ROUNDING).floor() / 10.0);
    let wanted = format!("at least {} of required criteria known", percent(wanted));
    let (_, unknown) = tally.open(|kind| !kind.failed && verdict != GateVerdict::Passed);
    GateCondition {
        checks: unknown.into_iter().cloned().collect(),
        ..condition("min_coverage", &wanted, &percent(share), verdict)
    }
}

fn replaced_checks(tally: &Tally) -> GateCondition {
    let replaced = &tally.replaced_checks;
    let (got, verdict) = match replaced.len() {
        0 => ("none replaced".to_owned(), GateVerdict::Passed),
        n => (format!("{n} replaced: {}", replaced.join(", ")), GateVerdict::Failed),
    };
    GateCondition {
        checks: replaced.clone(),
        ..condition("allow_replaced_checks", "built-in checks as they are", &got, verdict)
    }
}

/// A partial run decides nothing, unless the configuration says that this part is what is meant, and all of it was read.
fn whole(tally: &Tally, gate: &Gate) -> Option<GateCondition> {
    let why = match tally.partial.as_deref()? {
        [] => "a partial run".to_owned(),
        reasons => format!("a partial run: {}", reasons.join("; ")),
    };
    Some(match &gate.partial_scope {
        Some(_) if tally.incomplete => {
            condition("partial_scope", "all of the scope declared", &why, GateVerdict::Undecided)
        }
        Some(scope) => condition("partial_scope", &format!("the scope declared: {scope}"), &why, GateVerdict::Passed),
        None => condition("partial_scope", "a whole run, or a declared scope", &why, GateVerdict::Undecided),
    })
}

fn entered(tally: &Tally) -> Option<GateCondition> {
    (tally.not_assessed == tally.accounts).then(|| {
        let got = match tally.accounts {
            0 => "no account in the run".to_owned(),
            n => format!("none of {n} entered"),
        };
        condition("accounts", "an account that was assessed", &got, GateVerdict::Undecided)
    })
}

/// Exceptions that have ended or soon will; a note, which decides nothing.
fn exceptions(tally: &Tally) -> Option<GateCondition> {
    let as_of = tally.as_of?;
    let (mut ended, mut ending) = (Vec::new(), Vec::new());
    for exception in &tally.exceptions {
        if exception.expired {
            ended.push(&exception.check);
        } else if ends(&exception.expires).is_some_and(|end| end.since(as_of) <= EXPIRY_NOTICE_DAYS * 86_400) {
            ending.push(&exception.check);
        }
    }
    if ended.is_empty() && ending.is_empty() {
        return None;
    }
    let got = format!("{} expired, {} to expire within {EXPIRY_NOTICE_DAYS} days", ended.len(), ending.len());
    let checks: BTreeSet<&String> = ended.into_iter().chain(ending).collect();
    Some(GateCondition {
        checks: checks.into_iter().cloned().collect(),
        ..condition("exceptions", "a note: none that expires soon", &got, GateVerdict::Passed)
    })
}

/// The end of an exception, written as a day or an instant.
fn ends(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|_| Timestamp::parse(&format!("{text}T00:00:00Z"))).ok()
}
