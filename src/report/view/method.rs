//! The numbers of this run that explain how a score comes about.

use serde::Serialize;

use super::{AccountRef, Context, requirements, score};
use crate::report::summary::accounts::{Known, Number};
use crate::results::{QuestionInfo, Verdict};

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

pub(crate) fn method(ctx: &Context<'_>) -> MethodView {
    let config = &ctx.summary.config;
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
    let scored = ctx.lists.accounts.all().filter(|(_, a)| a.scored);
    let mut scored: Vec<(Number, &Known, f64)> = scored.filter_map(|(n, a)| Some((n, a, a.score?.low))).collect();
    scored.sort_by_key(|(_, a, low)| (*low <= 0.0 || *low >= 100.0, &a.id));
    scored.into_iter().find_map(|(number, account, low)| worked(ctx, number, account, low))
}

/// None when the sum does not reproduce the account's score: a wrong example is worse than none.
fn worked(ctx: &Context<'_>, number: Number, account: &Known, low: f64) -> Option<Example> {
    let of_scenarios = ctx.lists.scenarios.iter().flat_map(|s| s.questions.iter().map(move |q| (s, q)));
    let asked: Vec<(&QuestionInfo, Verdict, f64)> = of_scenarios
        .filter_map(|(s, q)| {
            let (verdict, low) = ctx.lists.answers.get(&s.id, &q.id)?.all.get(&number)?;
            Some((q, *verdict, *low))
        })
        .collect();
    let weighing: Vec<(&QuestionInfo, u32, f64)> = asked
        .iter()
        .filter(|(_, verdict, _)| !matches!(verdict, Verdict::NotApplicable | Verdict::NotJudged))
        .map(|(q, _, low)| (*q, if q.must_have { 2 } else { 1 }, *low))
        .collect();
    let sum: f64 = weighing.iter().map(|(_, weight, low)| low * f64::from(*weight)).sum();
    let weights: u32 = weighing.iter().map(|(_, weight, _)| weight).sum();
    if weights == 0 || (sum / f64::from(weights) * 100.0 - low).abs() > 0.05 {
        return None;
    }
    Some(Example {
        account: ctx.account(&account.id),
        terms: weighing
            .iter()
            .map(|(q, weight, low)| Term {
                question: q.id.clone(),
                weight: *weight,
                value: format!("{low:.2}"),
                product: format!("{:.2}", low * f64::from(*weight)),
            })
            .collect(),
        sum: format!("{sum:.2}"),
        weights,
        score: score::down(low),
        left_out: asked.len() - weighing.len(),
    })
}

fn mean(ctx: &Context<'_>) -> Option<Mean> {
    let mean = &ctx.lists.accounts.mean;
    let low = ctx.summary.score.low;
    if mean.count < 2 || (mean.sum / mean.count as f64 - low).abs() > 0.05 {
        return None;
    }
    Some(Mean {
        lows: mean.first.iter().map(|low| score::down(*low)).collect(),
        more: mean.count - mean.first.len(),
        accounts: mean.count,
        score: score::down(low),
    })
}
