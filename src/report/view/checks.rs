//! Checks with their findings, and the controls of frameworks they speak to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{AccountRef, CheckRef, Context, SeverityView, anchor, name, status_class};
use crate::finding::{CriterionResult, Evidence, Source, Status, Truth};
use crate::model::ids::{AccountId, Region, ResourceId};
use crate::model::severity::Severity;
use crate::report::summary::findings::{Counts, Detailed, Named, OfCheck};
use crate::results::CheckInfo;

/// Longest value of a fact that is shown.
const VALUE: usize = 160;
/// Findings of low severity shown with evidence: a setting of every region must not drown the rest.
const DETAILED_LOW: usize = 3;
/// Facts of one call that are shown.
const FACTS: usize = 12;

#[derive(Debug, Serialize)]
pub(crate) struct CheckView {
    pub(crate) id: String,
    pub(crate) anchor: String,
    pub(crate) title: String,
    pub(crate) severity: SeverityView,
    pub(crate) source: &'static str,
    pub(crate) dimension: &'static str,
    pub(crate) resource_kind: String,
    pub(crate) builtin: bool,
    pub(crate) why: Option<String>,
    pub(crate) fixes: Vec<FixBlock>,
    pub(crate) frameworks: Vec<Controls>,
    pub(crate) references: Vec<Reference>,
    pub(crate) counts: Counts,
    /// Class and word of the worst status; none when nothing was judged.
    pub(crate) worst: Option<StatusView>,
    /// Failed and unknown findings with their evidence.
    pub(crate) rows: Vec<FindingView>,
    /// More of them, by name.
    pub(crate) listed: Vec<Brief>,
    /// Still more, only counted.
    pub(crate) more: usize,
    /// All of them by account, so that many alike read as a few lines; where most are first.
    pub(crate) by_account: Vec<AccountCount>,
    pub(crate) by_account_more: usize,
    pub(crate) passed: Vec<Brief>,
    pub(crate) passed_more: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct AccountCount {
    pub(crate) account: AccountRef,
    pub(crate) count: u32,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StatusView {
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct FixBlock {
    /// `cli`, `terraform` or `cloudformation`.
    pub(crate) kind: &'static str,
    pub(crate) language: &'static str,
    pub(crate) text: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Controls {
    pub(crate) framework: String,
    pub(crate) controls: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Reference {
    pub(crate) text: String,
    /// Only web addresses become links: a user's check could hold any scheme.
    pub(crate) link: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Brief {
    pub(crate) status: StatusView,
    pub(crate) resource: String,
    pub(crate) account: String,
    pub(crate) region: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FindingView {
    pub(crate) id: String,
    pub(crate) anchor: String,
    pub(crate) status: StatusView,
    pub(crate) resource: String,
    pub(crate) resource_kind: String,
    pub(crate) account: AccountRef,
    pub(crate) region: Option<String>,
    /// Accounts other than the owner it counts for.
    pub(crate) counts_for: Vec<AccountRef>,
    pub(crate) counts_for_more: usize,
    pub(crate) reason: String,
    /// `2–3 of 5`; none when the check gives no points.
    pub(crate) points: Option<String>,
    pub(crate) criteria: Vec<CriterionView>,
    pub(crate) evidence: Vec<EvidenceView>,
    pub(crate) ai_path: Vec<String>,
    pub(crate) ai_path_more: u64,
    pub(crate) exception: Option<ExceptionLink>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CriterionView {
    pub(crate) expect: String,
    pub(crate) required: &'static str,
    pub(crate) class: &'static str,
    pub(crate) holds: &'static str,
    pub(crate) points: u32,
    pub(crate) gap: Option<String>,
    pub(crate) unknown: Vec<String>,
    pub(crate) unknown_more: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct EvidenceView {
    pub(crate) call: String,
    pub(crate) at: String,
    pub(crate) of: Option<String>,
    pub(crate) facts: Vec<FactView>,
    pub(crate) facts_more: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct FactView {
    pub(crate) path: String,
    pub(crate) value: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct ExceptionLink {
    pub(crate) number: usize,
    pub(crate) anchor: Option<String>,
    pub(crate) active: bool,
    pub(crate) owner: Option<String>,
    pub(crate) expires: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FrameworkView {
    pub(crate) id: String,
    pub(crate) controls: Vec<ControlView>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ControlView {
    pub(crate) id: String,
    /// None when none of its checks found anything to judge.
    pub(crate) worst: Option<StatusView>,
    pub(crate) checks: Vec<ControlCheck>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ControlCheck {
    pub(crate) check: CheckRef,
    pub(crate) worst: Option<StatusView>,
}

/// All checks: what fails first, worst severity first; then what is unknown, then what passes, then what had nothing
/// to judge.
pub(crate) fn checks(ctx: &Context<'_>) -> Vec<CheckView> {
    let by_check = &ctx.lists.findings.by_check;
    let with_rows = by_check.values().filter(|of| of.detailed.total() > 0).count().max(1);
    let detailed = (ctx.limits.detailed / with_rows).max(3).min(ctx.limits.detailed_per_check);
    let mut keyed: Vec<_> = ctx
        .checks
        .iter()
        .map(|(id, info)| {
            let view = check(ctx, id, *info, by_check.get(*id), detailed);
            let severity = info.map_or(Severity::Low, |i| i.severity);
            (urgency(&view.counts), std::cmp::Reverse(severity), std::cmp::Reverse(view.counts.fail), *id, view)
        })
        .collect();
    keyed.sort_by(|a, b| (a.0, a.1, a.2, a.3).cmp(&(b.0, b.1, b.2, b.3)));
    keyed.into_iter().map(|(.., view)| view).collect()
}

fn urgency(counts: &Counts) -> u8 {
    counts.worst().map_or(4, |status| match status {
        Status::Fail => 0,
        Status::Unknown => 1,
        Status::Pass => 2,
        Status::NotApplicable => 3,
    })
}

fn check(
    ctx: &Context<'_>,
    id: &str,
    info: Option<&CheckInfo>,
    findings: Option<&OfCheck>,
    detailed: usize,
) -> CheckView {
    let mut counts = findings.map(|of| of.counts).unwrap_or_default();
    counts.add_status(Status::NotApplicable, ctx.lists.not_applicable.get(id).copied().unwrap_or(0));
    let listed = ctx.limits.listed;
    let severity = info.map(|i| i.severity).or(findings.map(|of| of.severity)).unwrap_or(Severity::Low);
    let detailed = if severity == Severity::Low { detailed.min(DETAILED_LOW) } else { detailed };
    let open = findings.map_or(0, |of| of.detailed.total());
    let in_full = || findings.into_iter().flat_map(|of| of.detailed.iter());
    let by_name = in_full().skip(detailed).map(|d| &d.finding);
    let by_name = by_name.map(|f| brief(f.status, &f.account, f.region.as_ref(), &f.resource));
    let by_name = by_name.chain(findings.into_iter().flat_map(|of| of.named.iter().map(brief_of)));
    let (by_account, by_account_more) = by_account(ctx, findings);
    CheckView {
        id: id.to_owned(),
        anchor: anchor("chk", &[id]),
        title: info.map_or(id, |i| i.title.as_str()).to_owned(),
        severity: super::severity(severity),
        source: info.map(|i| i.source).or(findings.map(|of| of.source)).map_or("", Source::title),
        dimension: info.map(|i| i.dimension).or(findings.map(|of| of.dimension)).map_or("", |d| d.word()),
        resource_kind: info.map_or("", |i| i.resource.as_str()).replace('_', " "),
        builtin: info.is_none_or(|i| i.builtin),
        why: info.map(|i| i.why.clone()).filter(|w| !w.is_empty()),
        fixes: info.map(fix_blocks).unwrap_or_default(),
        frameworks: info.map(controls).unwrap_or_default(),
        references: info.map(references).unwrap_or_default(),
        worst: counts.worst().map(status),
        counts,
        rows: in_full()
            .take(detailed)
            .enumerate()
            .map(|(number, f)| finding(ctx, f, number < ctx.limits.explained_findings))
            .collect(),
        listed: by_name.take(listed).collect(),
        more: open.saturating_sub(detailed + listed),
        by_account,
        by_account_more,
        passed: findings.into_iter().flat_map(|of| of.passed.iter().take(listed).map(brief_of)).collect(),
        passed_more: findings.map_or(0, |of| of.passed.total()).saturating_sub(listed),
    }
}

fn by_account(ctx: &Context<'_>, findings: Option<&OfCheck>) -> (Vec<AccountCount>, usize) {
    let mut counts: Vec<(&AccountId, u32)> = findings
        .into_iter()
        .flat_map(|of| of.by_account.iter().map(|(number, count)| (&ctx.lists.accounts.get(*number).id, *count)))
        .collect();
    counts.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
    let shown = counts.iter().take(ctx.limits.named);
    let shown = shown.map(|(id, count)| AccountCount { account: ctx.account(id), count: *count }).collect();
    (shown, counts.len().saturating_sub(ctx.limits.named))
}

fn fix_blocks(info: &CheckInfo) -> Vec<FixBlock> {
    [
        ("cli", "sh", &info.fix.cli),
        ("terraform", "hcl", &info.fix.terraform),
        ("cloudformation", "yaml", &info.fix.cloudformation),
    ]
    .into_iter()
    .filter_map(|(kind, language, text)| {
        let text = crate::report::text::block(text.as_deref()?.trim_end());
        (!text.is_empty()).then_some(FixBlock { kind, language, text })
    })
    .collect()
}

fn controls(info: &CheckInfo) -> Vec<Controls> {
    info.frameworks
        .iter()
        .map(|(framework, controls)| Controls { framework: framework_name(framework), controls: controls.clone() })
        .collect()
}

fn references(info: &CheckInfo) -> Vec<Reference> {
    info.references.iter().map(|text| Reference { text: text.clone(), link: text.starts_with("https://") }).collect()
}

fn brief_of(named: &Named) -> Brief {
    brief(named.status, &named.account, named.region.as_ref(), &named.resource)
}

fn brief(of: Status, account: &AccountId, region: Option<&Region>, resource: &ResourceId) -> Brief {
    Brief {
        status: status(of),
        resource: name(resource.as_str()),
        account: account.to_string(),
        region: region.map(ToString::to_string),
    }
}

/// One finding; explained, with what leads to it.
fn finding(ctx: &Context<'_>, detailed: &Detailed, explained: bool) -> FindingView {
    let f = &detailed.finding;
    let (criteria, evidence, ai_path): (&[_], &[_], &[_]) =
        if explained { (&f.criteria, &f.evidence, &f.ai_path) } else { (&[], &[], &[]) };
    FindingView {
        id: f.id.clone(),
        anchor: anchor("f", &[&f.id]),
        status: status(f.status),
        resource: name(f.resource.as_str()),
        resource_kind: f.resource_kind.replace('_', " "),
        account: ctx.account(&f.account),
        region: f.region.as_ref().map(ToString::to_string),
        counts_for: f.counts_for.iter().map(|id| ctx.account(id)).collect(),
        counts_for_more: detailed.counts_for_more,
        reason: f.reason.clone(),
        points: (f.points.max > 0).then(|| {
            if f.points.low == f.points.high {
                format!("{} of {}", f.points.low, f.points.max)
            } else {
                format!("{}–{} of {}", f.points.low, f.points.high, f.points.max)
            }
        }),
        criteria: criteria.iter().zip(&detailed.unknown_more).map(|(c, more)| criterion(c, *more)).collect(),
        evidence: evidence.iter().map(evidence_view).collect(),
        ai_path: ai_path.to_vec(),
        ai_path_more: f.ai_path_total.saturating_sub(f.ai_path.len() as u64),
        exception: f.exception.as_ref().map(|e| {
            let known = ctx.lists.exceptions.get(e.index);
            ExceptionLink {
                number: e.index + 1,
                anchor: ctx.exception_anchor(e.index),
                active: e.active,
                owner: known.map(|k| k.owner.clone()),
                expires: known.map(|k| k.expires.clone()),
            }
        }),
    }
}

fn criterion(c: &CriterionResult, unknown_more: usize) -> CriterionView {
    let (class, holds) = match c.status {
        Truth::True => ("pass", "holds"),
        Truth::False => ("fail", "does not hold"),
        Truth::Unknown => ("unknown", "unknown"),
    };
    CriterionView {
        expect: c.expect.clone(),
        required: match c.required {
            Truth::True => "required",
            Truth::False => "optional",
            Truth::Unknown => "required or not: unknown",
        },
        class,
        holds,
        points: c.points,
        gap: c.gap.clone().filter(|_| c.status != Truth::True),
        unknown: c.unknown.iter().map(super::said).collect(),
        unknown_more,
    }
}

fn evidence_view(e: &Evidence) -> EvidenceView {
    EvidenceView {
        call: e.call.clone(),
        at: e.at.to_string(),
        of: e.of.as_ref().map(|id| name(id.as_str())),
        facts: e
            .facts
            .iter()
            .take(FACTS)
            .map(|(path, value)| FactView {
                path: path.clone(),
                value: crate::report::text::shorten(&value.to_string(), VALUE),
            })
            .collect(),
        facts_more: e.facts.len().saturating_sub(FACTS),
    }
}

/// As its publisher writes it; one that is not known here keeps the id of the check file.
fn framework_name(id: &str) -> String {
    match id {
        "nist-800-53-r5" => "NIST SP 800-53 Rev. 5".to_owned(),
        _ => id.to_owned(),
    }
}

/// Controls by framework, with the worst status among their checks.
pub(crate) fn frameworks(ctx: &Context<'_>, checks: &[CheckView]) -> Vec<FrameworkView> {
    let mut table: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for check in ctx.lists.checks.values() {
        for (framework, controls) in &check.frameworks {
            for control in controls {
                table.entry(framework).or_default().entry(control).or_default().insert(&check.id);
            }
        }
    }
    let counts: BTreeMap<&str, Counts> = checks.iter().map(|c| (c.id.as_str(), c.counts)).collect();
    table
        .into_iter()
        .map(|(id, controls)| {
            let mut controls: Vec<_> = controls.into_iter().collect();
            controls.sort_by_key(|(control, _)| natural(control));
            FrameworkView {
                id: framework_name(id),
                controls: controls
                    .into_iter()
                    .map(|(control, ids)| control_view(ctx, control, &ids, &counts))
                    .collect(),
            }
        })
        .collect()
}

fn control_view(ctx: &Context<'_>, id: &str, ids: &BTreeSet<&str>, counts: &BTreeMap<&str, Counts>) -> ControlView {
    let worst = |id: &str| counts.get(id).and_then(|c| c.worst());
    ControlView {
        id: id.to_owned(),
        // `Status` is ordered worst first.
        worst: ids.iter().filter_map(|id| worst(id)).min().map(status),
        checks: ids.iter().map(|id| ControlCheck { check: ctx.check(id), worst: worst(id).map(status) }).collect(),
    }
}

/// Sorts AU-2 before AU-12.
fn natural(text: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut word = String::new();
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            parts.push((std::mem::take(&mut word), digits.parse().unwrap_or(u64::MAX)));
            digits.clear();
        }
        word.push(c);
    }
    parts.push((word, digits.parse().unwrap_or(0)));
    parts
}

pub(crate) fn status(status: Status) -> StatusView {
    StatusView { class: status_class(status), word: status.word() }
}
