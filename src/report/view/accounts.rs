//! The accounts of a run: one row each, and the heat map of accounts by sources.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{AccountRef, Context, Counts, questions, score};
use crate::finding::{Source, Truth};
use crate::model::ids::AccountId;
use crate::results::{AccountResult, AccountStatus, SourceResult, TierInterval};

#[derive(Debug, Serialize)]
pub(crate) struct HeatView {
    pub(crate) sources: Vec<&'static str>,
    pub(crate) rows: Vec<HeatRow>,
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
    /// Accounts without AI.
    pub(crate) others: Vec<AccountRow>,
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
    let mut cells: BTreeMap<&AccountId, BTreeMap<Source, &SourceResult>> = BTreeMap::new();
    for cell in &ctx.results.sources {
        cells.entry(&cell.account).or_default().insert(cell.source, cell);
    }
    let seen: BTreeSet<Source> = ctx.results.sources.iter().map(|c| c.source).collect();
    let sources: Vec<Source> = Source::ALL.into_iter().filter(|s| seen.contains(s)).collect();
    let rows = cells
        .into_iter()
        .map(|(account, by_source)| HeatRow {
            account: ctx.account(account),
            cells: sources.iter().map(|s| by_source.get(s).map(|c| heat_cell(c))).collect(),
        })
        .collect();
    HeatView { sources: sources.into_iter().map(Source::title).collect(), rows }
}

fn heat_cell(cell: &SourceResult) -> HeatCell {
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
    let all = &ctx.results.accounts;
    let count = |status| all.iter().filter(|a| a.status == status).count();
    let mut with_ai: Vec<&AccountResult> = all.iter().filter(|a| a.has_ai != Truth::False).collect();
    with_ai.sort_by(|a, b| {
        let low = |a: &AccountResult| a.score.map_or(f64::INFINITY, |s| s.low);
        low(a).total_cmp(&low(b)).then_with(|| a.id.cmp(&b.id))
    });
    AccountsView {
        assessed: count(AccountStatus::Assessed),
        partly: count(AccountStatus::Partly),
        not_assessed: count(AccountStatus::NotAssessed),
        with_ai: all.iter().filter(|a| a.has_ai == Truth::True).count(),
        ai_unknown: all.iter().filter(|a| a.has_ai == Truth::Unknown).count(),
        scenarios: ctx
            .results
            .scenarios
            .iter()
            .map(|s| ScenarioHead { code: questions::code(s), title: s.title.clone() })
            .collect(),
        rows: with_ai.into_iter().map(|a| row(ctx, a)).collect(),
        others: all.iter().filter(|a| a.has_ai == Truth::False).map(|a| row(ctx, a)).collect(),
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
        excluded: ctx.results.config.excluded_accounts.get(&a.id).cloned(),
        score: a.score.as_ref().map(score::text),
        tiers: ctx.results.scenarios.iter().map(|s| a.tiers.get(&s.id).map(|t| tier(questions::code(s), t))).collect(),
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
