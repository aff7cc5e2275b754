//! The numbers of this run that explain how a score comes about.

use serde::Serialize;

use super::{AccountRef, Context, requirements, score};
use crate::results::{AccountResult, QuestionResult, Verdict};

#[derive(Debug, Serialize)]
pub(crate) struct MethodView {
    pub(crate) requirements: Vec<(String, i64)>,
    pub(crate) regions: Vec<String>,
    pub(crate) declared_scope: Option<String>,
    pub(crate) excluded: Vec<Excluded>,
    pub(crate) example: Option<Example>,
    pub(crate) mean: Option<Mean>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Excluded {
    pub(crate) account: AccountRef,
    pub(crate) reason: String,
}

/// How one account's low bound comes about from its questions.
#[derive(Debug, Serialize)]
pub(crate) struct Example {
    pub(crate) account: AccountRef,
    pub(crate) terms: Vec<Term>,
    pub(crate) sum: String,
    pub(crate) weights: u32,
    pub(crate) score: String,
    /// Questions that weigh nothing here.
    pub(crate) left_out: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Term {
    pub(crate) question: String,
    pub(crate) weight: u32,
    pub(crate) value: String,
    pub(crate) product: String,
}

/// How the organization's low bound comes about from its accounts.
#[derive(Debug, Serialize)]
pub(crate) struct Mean {
    pub(crate) lows: Vec<String>,
    pub(crate) more: usize,
    pub(crate) accounts: usize,
    pub(crate) score: String,
}

/// Accounts named in the worked mean.
const LOWS: usize = 8;

pub(crate) fn method(ctx: &Context<'_>) -> MethodView {
    let config = &ctx.results.config;
    MethodView {
        requirements: requirements(config),
        regions: config.regions.iter().map(ToString::to_string).collect(),
        declared_scope: config.declared_scope.clone(),
        excluded: config
            .excluded_accounts
            .iter()
            .map(|(id, reason)| Excluded { account: ctx.account(id), reason: reason.clone() })
            .collect(),
        example: example(ctx),
        mean: mean(ctx),
    }
}

/// An account whose score is neither nothing nor everything, so that the arithmetic shows something.
fn example(ctx: &Context<'_>) -> Option<Example> {
    let mut scored: Vec<(&AccountResult, f64)> =
        ctx.results.accounts.iter().filter(|a| a.scored).filter_map(|a| Some((a, a.score?.low))).collect();
    scored.sort_by_key(|(a, low)| (*low <= 0.0 || *low >= 100.0, &a.id));
    scored.into_iter().find_map(|(account, low)| worked(ctx, account, low))
}

/// None when the sum does not reproduce the account's score: a wrong example is worse than none.
fn worked(ctx: &Context<'_>, account: &AccountResult, low: f64) -> Option<Example> {
    let asked: Vec<&QuestionResult> = ctx.results.questions.iter().filter(|q| q.account == account.id).collect();
    let weighing: Vec<(&QuestionResult, u32)> = asked
        .iter()
        .filter(|q| !matches!(q.verdict, Verdict::NotApplicable | Verdict::NotJudged))
        .map(|q| Some((*q, weight(ctx, q)?)))
        .collect::<Option<_>>()?;
    let sum: f64 = weighing.iter().map(|(q, w)| q.low * f64::from(*w)).sum();
    let weights: u32 = weighing.iter().map(|(_, w)| w).sum();
    if weights == 0 || (sum / f64::from(weights) * 100.0 - low).abs() > 0.05 {
        return None;
    }
    Some(Example {
        account: ctx.account(&account.id),
        terms: weighing
            .iter()
            .map(|(q, w)| Term {
                question: q.id.clone(),
                weight: *w,
                value: format!("{:.2}", q.low),
                product: format!("{:.2}", q.low * f64::from(*w)),
            })
            .collect(),
        sum: format!("{sum:.2}"),
        weights,
        score: score::down(low),
        left_out: asked.len() - weighing.len(),
    })
}

fn weight(ctx: &Context<'_>, q: &QuestionResult) -> Option<u32> {
    let scenario = ctx.results.scenarios.iter().find(|s| s.id == q.scenario)?;
    let info = scenario.questions.iter().find(|i| i.id == q.id)?;
    Some(if info.must_have { 2 } else { 1 })
}

fn mean(ctx: &Context<'_>) -> Option<Mean> {
    let lows: Vec<f64> = ctx.results.accounts.iter().filter(|a| a.scored).filter_map(|a| Some(a.score?.low)).collect();
    let low = lows.iter().sum::<f64>() / lows.len() as f64;
    if lows.len() < 2 || (low - ctx.results.score.low).abs() > 0.05 {
        return None;
    }
    Some(Mean {
        lows: lows.iter().take(LOWS).map(|l| score::down(*l)).collect(),
        more: lows.len().saturating_sub(LOWS),
        accounts: lows.len(),
        score: score::down(ctx.results.score.low),
    })
}
