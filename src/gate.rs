//! The gate: whether a run is good enough for a pipeline to go on, condition by condition.
//!
//! A pure function of the results and the configured conditions. It never rounds in anyone's favour: the low end of
//! an interval passes, the high end fails, and between them nothing is decided. Exit codes are `cli`'s.

use std::collections::BTreeSet;

use crate::config::{Gate, UnknownPolicy};
use crate::finding::{Finding, Status, Truth};
use crate::model::severity::Severity;
use crate::model::time::Timestamp;
use crate::results::{AccountStatus, GateCondition, GateResult, GateVerdict, Results};

/// Exceptions that end within so many days are pointed out.
pub const EXPIRY_NOTICE_DAYS: i64 = 30;

/// What adding in floating point may lose of a score of 100.
const ROUNDING: f64 = 1e-9;

/// Judges a run. All conditions must pass; one that fails fails the gate, else one that is undecided leaves it so.
///
/// A gate that sets no condition passes and says that nothing was asked: `locard audit` without a gate must not fail
/// a pipeline, and a condition line keeps a forgotten configuration visible.
pub fn judge(results: &Results, gate: &Gate) -> GateResult {
    let mut conditions = Vec::new();
    conditions.extend(gate.min_score.map(|wanted| min_score(results, wanted, gate)));
    conditions.extend(gate.fail_on.map(|severity| fail_on(results, severity, gate.unknown)));
    conditions.extend(gate.min_coverage.map(|wanted| min_coverage(results, wanted)));
    if !gate.allow_replaced_checks {
        conditions.push(replaced_checks(results));
    }
    if conditions.is_empty() {
        conditions.push(condition("none", "nothing: no condition is set", &interval(results), GateVerdict::Passed));
    } else {
        // What the conditions were judged on must be what they were meant for.
        conditions.extend(whole(results, gate));
        conditions.extend(entered(results));
        conditions.extend(exceptions(results));
    }
    let verdict = match () {
        () if conditions.iter().any(|c| c.verdict == GateVerdict::Failed) => GateVerdict::Failed,
        () if conditions.iter().any(|c| c.verdict == GateVerdict::Undecided) => GateVerdict::Undecided,
        () => GateVerdict::Passed,
    };
    GateResult { verdict, conditions }
}

/// The share of required criteria that are known among all that apply, 0 to 1. An account that was not entered
/// counts as much as the mean entered one, none of it known.
pub fn coverage(findings: &[Finding], entered: u64, not_entered: u64) -> f64 {
    let (mut known, mut all) = (0_u64, 0_u64);
    for finding in findings.iter().filter(|finding| finding.status != Status::NotApplicable) {
        let before = all;
        for criterion in &finding.criteria {
            if criterion.required != Truth::False {
                all += 1;
                known += u64::from(criterion.required == Truth::True && criterion.status != Truth::Unknown);
            }
        }
        // A finding that says nothing of its criteria has at least one.
        if all == before && finding.status == Status::Unknown {
            all += 1;
        }
    }
    if entered == 0 && not_entered > 0 {
        return 0.0;
    }
    let of_entered = if all == 0 { 1.0 } else { known as f64 / all as f64 };
    if not_entered == 0 { of_entered } else { of_entered * entered as f64 / (entered + not_entered) as f64 }
}

fn condition(name: &str, wanted: &str, got: &str, verdict: GateVerdict) -> GateCondition {
    GateCondition { name: name.to_owned(), wanted: wanted.to_owned(), got: got.to_owned(), verdict, checks: Vec::new() }
}

/// The score, its low end rounded down and its high end up, so that the text never claims more than the number.
fn interval(results: &Results) -> String {
    let score = &results.score;
    if score.nothing_to_assess {
        return "nothing to assess: no account runs AI".to_owned();
    }
    let low = ((score.low + ROUNDING) * 10.0).floor() / 10.0;
    if score.high - score.low < ROUNDING {
        return format!("{low:.1}");
    }
    let high = ((score.high - ROUNDING) * 10.0).ceil() / 10.0;
    format!("{low:.1} to {high:.1}")
}

fn min_score(results: &Results, wanted: f64, gate: &Gate) -> GateCondition {
    let score = &results.score;
    let part = results.run.partial && gate.partial_scope.is_none();
    let verdict = if score.nothing_to_assess || score.low + ROUNDING >= wanted {
        GateVerdict::Passed
    } else if score.high + ROUNDING < wanted && !part {
        // The mean of a part says nothing certain about the mean of the whole.
        GateVerdict::Failed
    } else {
        GateVerdict::Undecided
    };
    let mut condition = condition("min_score", &format!("at least {wanted}"), &interval(results), verdict);
    if verdict != GateVerdict::Passed {
        let fixes: BTreeSet<&String> =
            results.fixes.iter().filter(|fix| fix.gain > 0.0).map(|fix| &fix.check).collect();
        condition.checks = fixes.into_iter().cloned().collect();
    }
    condition
}

fn fail_on(results: &Results, severity: Severity, policy: UnknownPolicy) -> GateCondition {
    let (mut failing, mut unknown, mut waived) = (Vec::new(), Vec::new(), 0_u64);
    for finding in results.findings.iter().filter(|finding| finding.severity >= severity) {
        let active = finding.exception.as_ref().is_some_and(|exception| exception.active);
        match finding.status {
            Status::Pass | Status::NotApplicable => {}
            Status::Fail | Status::Unknown if active => waived += 1,
            Status::Fail => failing.push(&finding.check),
            Status::Unknown => unknown.push(&finding.check),
        }
    }
    // An account nobody looked into has no findings, which does not mean it has no failures.
    let unseen = results.accounts.iter().filter(|a| a.scored && a.status == AccountStatus::NotAssessed).count();
    let blind = !unknown.is_empty() || unseen > 0;
    let verdict = match policy {
        _ if !failing.is_empty() => GateVerdict::Failed,
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
    let mut got = format!("{} failed, {} unknown, {waived} excepted", failing.len(), unknown.len());
    if unseen > 0 {
        got.push_str(&format!(", {unseen} {} not assessed", if unseen == 1 { "account" } else { "accounts" }));
    }
    let responsible: BTreeSet<&String> = match (verdict, policy) {
        (GateVerdict::Passed, _) => BTreeSet::new(),
        (GateVerdict::Failed, UnknownPolicy::Undecided | UnknownPolicy::Ignore) => failing.into_iter().collect(),
        (GateVerdict::Failed | GateVerdict::Undecided, _) => failing.into_iter().chain(unknown).collect(),
    };
    GateCondition { checks: responsible.into_iter().cloned().collect(), ..condition("fail_on", &wanted, &got, verdict) }
}

fn min_coverage(results: &Results, wanted: f64) -> GateCondition {
    let share = results.coverage.share;
    let verdict = if share + ROUNDING >= wanted { GateVerdict::Passed } else { GateVerdict::Undecided };
    let percent = |share: f64| format!("{:.1} %", (share * 1000.0 + ROUNDING).floor() / 10.0);
    let wanted = format!("at least {} of required criteria known", percent(wanted));
    let unknown: BTreeSet<&String> = results
        .findings
        .iter()
        .filter(|finding| finding.status == Status::Unknown && verdict != GateVerdict::Passed)
        .map(|finding| &finding.check)
        .collect();
    GateCondition {
        checks: unknown.into_iter().cloned().collect(),
        ..condition("min_coverage", &wanted, &percent(share), verdict)
    }
}

fn replaced_checks(results: &Results) -> GateCondition {
    let replaced = &results.run.replaced_checks;
    let (got, verdict) = match replaced.len() {
        0 => ("none replaced".to_owned(), GateVerdict::Passed),
        n => (format!("{n} replaced: {}", replaced.join(", ")), GateVerdict::Failed),
    };
    GateCondition {
        checks: replaced.clone(),
        ..condition("allow_replaced_checks", "built-in checks as they are", &got, verdict)
    }
}

/// A partial run decides nothing, unless the configuration says that this part is what is meant.
fn whole(results: &Results, gate: &Gate) -> Option<GateCondition> {
    if !results.run.partial {
        return None;
    }
    let why = match results.run.partial_reasons.as_slice() {
        [] => "a partial run".to_owned(),
        reasons => format!("a partial run: {}", reasons.join("; ")),
    };
    Some(match &gate.partial_scope {
        Some(scope) => condition("partial_scope", &format!("the scope declared: {scope}"), &why, GateVerdict::Passed),
        None => condition("partial_scope", "a whole run, or a declared scope", &why, GateVerdict::Undecided),
    })
}

fn entered(results: &Results) -> Option<GateCondition> {
    let mut accounts = results.accounts.iter();
    accounts.all(|account| account.status == AccountStatus::NotAssessed).then(|| {
        let got = match results.accounts.len() {
            0 => "no account in the run".to_owned(),
            n => format!("none of {n} entered"),
        };
        condition("accounts", "an account that was assessed", &got, GateVerdict::Undecided)
    })
}

/// Exceptions that have ended or soon will; a note, which decides nothing.
fn exceptions(results: &Results) -> Option<GateCondition> {
    let as_of = results.run.as_of;
    let (mut ended, mut ending) = (Vec::new(), Vec::new());
    for exception in results.exceptions.iter().filter(|exception| exception.matches > 0) {
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
