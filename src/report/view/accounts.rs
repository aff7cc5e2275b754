//! The accounts of a run: one row each, and the heat map of accounts by sources.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{AccountRef, Context, questions, score};
use crate::finding::{Source, Truth};
use crate::report::summary::accounts::{Cell, Known};
use crate::report::summary::findings::Counts;
use crate::results::{AccountResult, AccountStatus, TierInterval};

#[derive(Debug, Serialize)]
pub(crate) struct HeatView {
    pub(crate) sources: Vec<&'static str>,
    /// Lowest score first.
    pub(crate) rows: Vec<HeatRow>,
    pub(crate) more: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct HeatRow {
    pub(crate) account: AccountRef,
    pub(crate) cells: Vec<Option<HeatCell>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct HeatCell {
    pub(crate) text: String,
    /// 0 to 4, by the low bound.
    pub(crate) ramp: u8,
    /// The bounds differ.
    pub(crate) open: bool,
    pub(crate) subjects: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct AccountsView {
    pub(crate) assessed: usize,
    pub(crate) partly: usize,
    pub(crate) not_assessed: usize,
    pub(crate) with_ai: usize,
    pub(crate) ai_unknown: usize,
    /// Scenario titles, in the order of `tiers` of a row.
    pub(crate) scenarios: Vec<ScenarioHead>,
    /// Accounts that run AI, or where it is not known; lowest score first.
    pub(crate) rows: Vec<AccountRow>,
    pub(crate) rows_more: usize,
    /// Accounts without AI; those with something amiss first.
    pub(crate) others: Vec<AccountRow>,
    pub(crate) others_more: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct ScenarioHead {
    /// `S1`.
    pub(crate) code: String,
    pub(crate) title: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct AccountRow {
    pub(crate) account: AccountRef,
    pub(crate) ou_path: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) class: &'static str,
    pub(crate) reason: Option<String>,
    /// `true`, `false` or `unknown`.
    pub(crate) has_ai: &'static str,
    pub(crate) scored: bool,
    /// Why the configuration leaves it out of the score.
    pub(crate) excluded: Option<String>,
    pub(crate) score: Option<String>,
    pub(crate) tiers: Vec<Option<TierView>>,
    pub(crate) counts: Counts,
}

#[derive(Debug, Serialize)]
pub(crate) struct TierView {
    pub(crate) scenario: String,
    pub(crate) low: &'static str,
    pub(crate) high: &'static str,
    pub(crate) design_only: bool,
    pub(crate) capped_by: Vec<String>,
    pub(crate) capped_more: usize,
}

/// Reasons listed under a tier.
const CAPPED: usize = 4;

pub(crate) fn heat(ctx: &Context<'_>) -> HeatView {
    let mut rows: Vec<(&Known, &[Cell])> = ctx.lists.accounts.sources().collect();
    let seen: BTreeSet<Source> = rows.iter().flat_map(|(_, cells)| cells.iter().map(|c| c.source)).collect();
    let sources: Vec<Source> = Source::ALL.into_iter().filter(|s| seen.contains(s)).collect();
    let low = |known: &Known| known.score.map_or(f64::INFINITY, |score| score.low);
    rows.sort_by(|(a, _), (b, _)| low(a).total_cmp(&low(b)).then_with(|| a.id.cmp(&b.id)));
    let more = rows.len().saturating_sub(ctx.limits.rows);
    let rows = rows
        .into_iter()
        .take(ctx.limits.rows)
        .map(|(account, cells)| HeatRow {
            account: ctx.account(&account.id),
            cells: sources.iter().map(|s| cells.iter().find(|c| c.source == *s).map(heat_cell)).collect(),
        })
        .collect();
    HeatView { sources: sources.into_iter().map(Source::title).collect(), rows, more }
}

fn heat_cell(cell: &Cell) -> HeatCell {
    let ramp = match cell.low {
        low if low >= 80.0 => 4,
        low if low >= 60.0 => 3,
        low if low >= 40.0 => 2,
        low if low >= 20.0 => 1,
        _ => 0,
    };
    HeatCell {
        text: score::whole_numbers(cell.low, cell.high),
        ramp,
        open: cell.high - cell.low >= 0.05,
        subjects: cell.subjects,
    }
}

pub(crate) fn accounts(ctx: &Context<'_>) -> AccountsView {
    let all = &ctx.lists.accounts;
    let rows: Vec<AccountRow> = all.with_ai.iter().take(ctx.limits.rows).map(|a| row(ctx, a)).collect();
    let others: Vec<AccountRow> = all.without_ai.iter().take(ctx.limits.listed).map(|a| row(ctx, a)).collect();
    AccountsView {
        assessed: all.counts.assessed,
        partly: all.counts.partly,
        not_assessed: all.counts.not_assessed,
        with_ai: all.counts.with_ai,
        ai_unknown: all.counts.ai_unknown,
        scenarios: ctx
            .lists
            .scenarios
            .iter()
            .map(|s| ScenarioHead { code: questions::code(s), title: s.title.clone() })
            .collect(),
        rows_more: all.with_ai.total() - rows.len(),
        rows,
        others_more: all.without_ai.total() - others.len(),
        others,
    }
}

fn row(ctx: &Context<'_>, a: &AccountResult) -> AccountRow {
    let (status, class) = match a.status {
        AccountStatus::Assessed => ("assessed", "pass"),
        AccountStatus::Partly => ("partly assessed", "unknown"),
        AccountStatus::NotAssessed => ("not assessed", "unknown"),
    };
    let mut counts = Counts::default();
    for (status, count) in &a.tally {
        counts.add_status(*status, *count);
    }
    AccountRow {
        account: ctx.account(&a.id),
        ou_path: a.ou_path.as_deref().map(super::name),
        status,
        class,
        reason: a.reason.clone(),
        has_ai: match a.has_ai {
            Truth::True => "true",
            Truth::False => "false",
            Truth::Unknown => "unknown",
        },
        scored: a.scored,
        excluded: ctx.summary.config.excluded_accounts.get(&a.id).cloned(),
        score: a.score.as_ref().map(score::text),
        tiers: ctx.lists.scenarios.iter().map(|s| a.tiers.get(&s.id).map(|t| tier(questions::code(s), t))).collect(),
        counts,
    }
}

fn tier(scenario: String, t: &TierInterval) -> TierView {
    TierView {
        scenario,
        low: t.low.word(),
        high: t.high.word(),
        design_only: t.design_only,
        capped_by: t.capped_by.iter().take(CAPPED).cloned().collect(),
        capped_more: t.capped_by.len().saturating_sub(CAPPED),
    }
}
