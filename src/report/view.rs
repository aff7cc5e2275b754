//! What a report shows: chosen, sorted, counted and formatted, so that templates only loop and ask whether.
//!
//! Words of reports live in templates; text from AWS stays as it came and is made harmless where it is written.

pub(crate) mod accounts;
pub(crate) mod checks;
pub(crate) mod coverage;
pub(crate) mod method;
pub(crate) mod questions;
pub(crate) mod score;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::finding::Status;
use crate::model::ids::AccountId;
use crate::model::observed::Unknown;
use crate::model::severity::Severity;
use crate::results::{CheckInfo, ConfigView, ExceptionResult, FixSuggestion, GateVerdict, SCHEMA_VERSION};

use super::summary::findings::Counts;
use super::summary::{Lists, Summary};
use super::text;

/// How much a format shows before it counts the rest instead; no more than a summary keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Accounts up to which the question matrix has a column each.
    pub(crate) matrix_columns: usize,
    /// Findings shown with status and reason, per check and in all.
    pub(crate) detailed_per_check: usize,
    pub(crate) detailed: usize,
    /// Of those, how many per check with criteria, evidence and what leads to them; the rest have a line.
    pub(crate) explained_findings: usize,
    /// Entries of any list of bare names.
    pub(crate) listed: usize,
    /// Accounts named in one line.
    pub(crate) named: usize,
    /// Accounts with a row in a table.
    pub(crate) rows: usize,
    /// Accounts a question is explained for, when there is no column for each.
    pub(crate) explained: usize,
}

/// Fix suggestions on the first screen.
const FIRST: usize = 3;
/// Accounts an exception is said to be for.
const EXCEPTED: usize = 12;
/// Longest message shown whole.
const SAID: usize = 160;
/// Longest name or ARN shown whole.
const NAME: usize = 240;

#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) run: RunView,
    pub(crate) score: score::ScoreView,
    pub(crate) gate: Option<GateView>,
    pub(crate) counts: Counts,
    pub(crate) first: Vec<FixView>,
    pub(crate) further: Vec<FixView>,
    pub(crate) further_more: usize,
    pub(crate) questions: questions::QuestionsView,
    pub(crate) heat: accounts::HeatView,
    pub(crate) accounts: accounts::AccountsView,
    pub(crate) checks: Vec<checks::CheckView>,
    pub(crate) checks_judged: usize,
    pub(crate) exceptions: Vec<ExceptionView>,
    pub(crate) exceptions_more: usize,
    pub(crate) coverage: coverage::CoverageView,
    pub(crate) frameworks: Vec<checks::FrameworkView>,
    pub(crate) method: method::MethodView,
}

#[derive(Debug, Serialize)]
pub(crate) struct RunView {
    pub(crate) id: String,
    /// `o-…`, or the account's id in single-account mode.
    pub(crate) subject: String,
    pub(crate) single_account: bool,
    pub(crate) mode_reason: Option<String>,
    pub(crate) management_account: Option<AccountRef>,
    pub(crate) as_of: String,
    pub(crate) as_of_date: String,
    pub(crate) started_at: String,
    pub(crate) finished_at: String,
    pub(crate) version: String,
    pub(crate) schema_version: String,
    pub(crate) ruleset_digest: String,
    pub(crate) snapshot_digest: String,
    pub(crate) caller: String,
    pub(crate) role: String,
    pub(crate) clock_skew: Option<i64>,
    pub(crate) partial: bool,
    pub(crate) partial_reasons: Vec<String>,
    pub(crate) replaced_checks: Vec<CheckRef>,
    pub(crate) calls: Vec<CallView>,
    pub(crate) operations: u64,
    pub(crate) attempts: u64,
    pub(crate) throttled: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct CallView {
    pub(crate) call: String,
    pub(crate) operations: u64,
    pub(crate) attempts: u64,
    pub(crate) throttled: u64,
}

/// An account, to be named and linked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct AccountRef {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// None for an account the run has no row for.
    pub(crate) anchor: Option<String>,
}

/// A check, to be linked where it has a section.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CheckRef {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) anchor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct GateView {
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
    pub(crate) conditions: Vec<ConditionView>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ConditionView {
    pub(crate) name: String,
    pub(crate) wanted: String,
    pub(crate) got: String,
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
    pub(crate) checks: Vec<CheckRef>,
    pub(crate) checks_more: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct FixView {
    pub(crate) check: CheckRef,
    pub(crate) severity: Option<SeverityView>,
    pub(crate) account: AccountRef,
    pub(crate) findings: u64,
    /// Points of the organization score, or none when it gains nothing by itself.
    pub(crate) gain: Option<String>,
    pub(crate) questions: Vec<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SeverityView {
    pub(crate) word: &'static str,
    pub(crate) letter: &'static str,
    /// 1 to 4, for the bar glyph.
    pub(crate) level: u8,
}

#[derive(Debug, Serialize)]
pub(crate) struct ExceptionView {
    pub(crate) anchor: String,
    pub(crate) number: usize,
    pub(crate) check: CheckRef,
    pub(crate) accounts: Vec<AccountRef>,
    pub(crate) accounts_more: usize,
    pub(crate) regions: Vec<String>,
    pub(crate) resource: Option<String>,
    pub(crate) owner: String,
    pub(crate) approver: Option<String>,
    pub(crate) reason: String,
    pub(crate) ticket: Option<String>,
    pub(crate) created: String,
    pub(crate) expires: String,
    /// Whole days from `as_of` to the end of the day it expires; none when the date cannot be read.
    pub(crate) days_left: Option<i64>,
    pub(crate) expired: bool,
    pub(crate) matches: u64,
    pub(crate) compensating_control: Option<String>,
}

/// What several parts of the view look up.
pub(crate) struct Context<'a> {
    pub(crate) summary: &'a Summary,
    pub(crate) lists: &'a Lists,
    pub(crate) limits: Limits,
    /// Accounts that have a row of their own, which can be linked to.
    rows: BTreeSet<&'a AccountId>,
    checks: BTreeMap<&'a str, Option<&'a CheckInfo>>,
    /// Exceptions that are shown, in their order, by position.
    exceptions: Vec<(usize, &'a ExceptionResult)>,
}

impl<'a> Context<'a> {
    fn new(summary: &'a Summary, limits: Limits) -> Self {
        let lists = &summary.lists;
        let mut checks: BTreeMap<&str, Option<&CheckInfo>> =
            lists.findings.by_check.keys().map(|id| (id.as_str(), None)).collect();
        checks.extend(lists.checks.values().map(|c| (c.id.as_str(), Some(c))));
        let with_ai = lists.accounts.with_ai.iter().take(limits.rows);
        let rows = with_ai.chain(lists.accounts.without_ai.iter().take(limits.listed)).map(|a| &a.id).collect();
        Self { summary, lists, limits, rows, checks, exceptions: in_order(&lists.exceptions, limits.rows) }
    }

    pub(crate) fn account(&self, id: &AccountId) -> AccountRef {
        AccountRef {
            id: text::shorten(id.as_str(), NAME),
            name: self.lists.accounts.find(id).and_then(|known| known.name.clone()),
            anchor: self.rows.contains(id).then(|| anchor("acct", &[id.as_str()])),
        }
    }

    /// The first of some accounts, and how many more there are.
    pub(crate) fn accounts<'b>(
        &self,
        ids: impl IntoIterator<Item = &'b AccountId>,
        limit: usize,
    ) -> (Vec<AccountRef>, usize) {
        let mut ids = ids.into_iter();
        let first = ids.by_ref().take(limit).map(|id| self.account(id)).collect();
        (first, ids.count())
    }

    /// Where an exception is shown, by its position.
    pub(crate) fn exception_anchor(&self, index: usize) -> Option<String> {
        self.exceptions.iter().any(|(shown, _)| *shown == index).then(|| exception_anchor(index))
    }

    pub(crate) fn check(&self, id: &str) -> CheckRef {
        let known = self.checks.get(id);
        CheckRef {
            id: id.to_owned(),
            title: known.and_then(|c| *c).map_or(id, |c| c.title.as_str()).to_owned(),
            anchor: known.map(|_| anchor("chk", &[id])),
        }
    }

    fn severity(&self, id: &str) -> Option<SeverityView> {
        self.checks.get(id).and_then(|c| *c).map(|c| severity(c.severity))
    }
}

/// Everything a report shows of a run.
pub(crate) fn build(summary: &Summary, limits: Limits) -> View {
    let ctx = Context::new(summary, limits);
    let checks = checks::checks(&ctx);
    let detailed: BTreeSet<&str> = checks.iter().flat_map(|c| c.rows.iter().map(|r| r.id.as_str())).collect();
    let questions = questions::questions(&ctx, &detailed);
    let fixes = &ctx.lists.fixes;
    View {
        run: run(&ctx),
        score: score::score(&ctx),
        gate: gate(&ctx),
        counts: counts(&ctx),
        first: fixes.iter().take(FIRST).map(|f| fix(&ctx, f)).collect(),
        further: fixes.iter().skip(FIRST).map(|f| fix(&ctx, f)).collect(),
        further_more: fixes.total() - fixes.iter().len(),
        questions,
        heat: accounts::heat(&ctx),
        accounts: accounts::accounts(&ctx),
        frameworks: checks::frameworks(&ctx, &checks),
        checks_judged: checks.iter().filter(|c| c.worst.is_some()).count(),
        checks,
        exceptions: ctx.exceptions.iter().map(|(index, e)| exception(&ctx, *index, e)).collect(),
        exceptions_more: ctx.lists.exceptions.len() - ctx.exceptions.len(),
        coverage: coverage::coverage(&ctx),
        method: method::method(&ctx),
    }
}

fn run(ctx: &Context<'_>) -> RunView {
    let run = &ctx.summary.run;
    let single_account = run.mode == "single_account";
    let subject = match (&run.organization_id, &ctx.lists.accounts.first) {
        (Some(id), _) if !single_account => id.clone(),
        (_, Some(account)) if single_account => account.to_string(),
        (id, _) => id.clone().unwrap_or_else(|| "whose id could not be read".to_owned()),
    };
    let sum = |of: fn(&CallView) -> u64, calls: &[CallView]| calls.iter().map(of).sum();
    let calls: Vec<CallView> = run
        .calls
        .iter()
        .map(|(call, n)| CallView {
            call: call.clone(),
            operations: n.operations,
            attempts: n.attempts,
            throttled: n.throttled,
        })
        .collect();
    RunView {
        id: run.id.clone(),
        subject,
        single_account,
        mode_reason: run.mode_reason.clone(),
        management_account: run.management_account.as_ref().map(|id| ctx.account(id)),
        as_of: run.as_of.to_string(),
        as_of_date: run.as_of.date(),
        started_at: run.started_at.to_string(),
        finished_at: run.finished_at.to_string(),
        version: run.locard_version.clone(),
        schema_version: SCHEMA_VERSION.to_owned(),
        ruleset_digest: run.ruleset_digest.clone(),
        snapshot_digest: run.snapshot_digest.clone(),
        caller: run.caller_arn.clone(),
        role: run.role.clone(),
        clock_skew: run.clock_skew_seconds,
        partial: run.partial,
        partial_reasons: run.partial_reasons.clone(),
        replaced_checks: run.replaced_checks.iter().map(|id| ctx.check(id)).collect(),
        operations: sum(|c| c.operations, &calls),
        attempts: sum(|c| c.attempts, &calls),
        throttled: sum(|c| c.throttled, &calls),
        calls,
    }
}

/// The findings of a run by status; those counted without a row are in.
fn counts(ctx: &Context<'_>) -> Counts {
    let mut counts = ctx.lists.findings.counts;
    counts.add_status(Status::NotApplicable, ctx.lists.not_applicable.values().sum());
    counts
}

fn gate(ctx: &Context<'_>) -> Option<GateView> {
    let gate = ctx.summary.gate.as_ref()?;
    let conditions = gate
        .conditions
        .iter()
        .map(|c| ConditionView {
            name: c.name.clone(),
            wanted: c.wanted.clone(),
            got: c.got.clone(),
            class: gate_class(c.verdict),
            word: c.verdict.word(),
            checks: c.checks.iter().take(ctx.limits.listed).map(|id| ctx.check(id)).collect(),
            checks_more: c.checks.len().saturating_sub(ctx.limits.listed),
        })
        .collect();
    Some(GateView { class: gate_class(gate.verdict), word: gate.verdict.word(), conditions })
}

fn gate_class(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Passed => "pass",
        GateVerdict::Failed => "fail",
        GateVerdict::Undecided => "unknown",
    }
}

fn fix(ctx: &Context<'_>, fix: &FixSuggestion) -> FixView {
    let mut check = ctx.check(&fix.check);
    check.title.clone_from(&fix.title);
    FixView {
        check,
        severity: ctx.severity(&fix.check),
        account: ctx.account(&fix.account),
        findings: fix.findings,
        gain: gain(fix.gain),
        questions: fix.questions.clone(),
    }
}

/// Points gained; in a large organization one account moves the mean by hundredths.
fn gain(points: f64) -> Option<String> {
    match points {
        p if p >= 0.95 => Some(score::decimal(p)),
        p if p >= 0.005 => Some(format!("{p:.2}")),
        _ => None,
    }
}

/// Expired and unmatched ones first: both are decisions somebody has to look at again.
fn in_order(exceptions: &[ExceptionResult], limit: usize) -> Vec<(usize, &ExceptionResult)> {
    let mut rows: Vec<_> = exceptions.iter().enumerate().collect();
    rows.sort_by_key(|(index, e)| (!e.expired, e.matches > 0, &e.expires, *index));
    rows.truncate(limit);
    rows
}

fn exception_anchor(index: usize) -> String {
    anchor("exc", &[&(index + 1).to_string()])
}

fn exception(ctx: &Context<'_>, index: usize, e: &ExceptionResult) -> ExceptionView {
    let (accounts, accounts_more) = ctx.accounts(&e.accounts, EXCEPTED);
    ExceptionView {
        anchor: exception_anchor(index),
        number: index + 1,
        check: ctx.check(&e.check),
        accounts,
        accounts_more,
        regions: e.regions.iter().map(ToString::to_string).collect(),
        resource: e.resource.clone(),
        owner: e.owner.clone(),
        approver: e.approver.clone(),
        reason: e.reason.clone(),
        ticket: e.ticket.clone(),
        created: e.created.clone(),
        expires: e.expires.clone(),
        days_left: end_of_day(&e.expires).map(|end| end.since(ctx.summary.run.as_of).div_euclid(86_400)),
        expired: e.expired,
        matches: e.matches,
        compensating_control: e.compensating_control.clone(),
    }
}

/// The midnight that ends a day written `YYYY-MM-DD`; an instant written in full is taken as it is.
fn end_of_day(text: &str) -> Option<crate::model::time::Timestamp> {
    use crate::model::time::Timestamp;
    match Timestamp::parse(text) {
        Ok(instant) => Some(instant),
        Err(_) => {
            let start = Timestamp::parse(&format!("{text}T00:00:00Z")).ok()?;
            Some(Timestamp::from_unix(start.unix() + 86_400))
        }
    }
}

pub(crate) fn severity(severity: Severity) -> SeverityView {
    let (letter, level) = match severity {
        Severity::Critical => ("C", 4),
        Severity::High => ("H", 3),
        Severity::Medium => ("M", 2),
        Severity::Low => ("L", 1),
    };
    SeverityView { word: severity.word(), letter, level }
}

/// The class a status is drawn in.
pub(crate) fn status_class(status: Status) -> &'static str {
    match status {
        Status::Fail => "fail",
        Status::Unknown => "unknown",
        Status::Pass => "pass",
        Status::NotApplicable => "na",
    }
}

/// A stable anchor: the parts in lower case, anything but letters and digits as one dash.
pub(crate) fn anchor(kind: &str, parts: &[&str]) -> String {
    let mut out = kind.to_owned();
    for part in parts {
        out.push('-');
        for c in part.chars().take(120) {
            if c.is_ascii_alphanumeric() {
                out.push(c.to_ascii_lowercase());
            } else if !out.ends_with('-') {
                out.push('-');
            }
        }
    }
    out
}

/// Why something is unknown, with what AWS or locard said of it.
pub(crate) fn said(unknown: &Unknown) -> String {
    match &unknown.message {
        Some(message) => format!("{} ({})", unknown.sentence(), text::shorten(message, SAID)),
        None => unknown.sentence(),
    }
}

/// A name or ARN at a length a page can take.
pub(crate) fn name(text: &str) -> String {
    text::shorten(text, NAME)
}

/// The configuration as run, by key.
pub(crate) fn requirements(config: &ConfigView) -> Vec<(String, i64)> {
    config.requirements.iter().map(|(k, v)| (k.clone(), *v)).collect()
}
