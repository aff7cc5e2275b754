//! What the run saw and what it did not: missing permissions, failed calls, regions, open populations.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{AccountRef, Context, score, text};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::Why;
use crate::results::Failure;

#[derive(Debug, Serialize)]
pub(crate) struct CoverageView {
    /// `93.1`, rounded down.
    pub(crate) percent: String,
    pub(crate) complete: bool,
    /// The permission that would settle most comes first.
    pub(crate) denied: Vec<FailureGroup>,
    pub(crate) failed: Vec<FailureGroup>,
    pub(crate) not_entered: Vec<NotEntered>,
    pub(crate) regions: Vec<RegionsView>,
    pub(crate) regions_more: usize,
    pub(crate) accounts_with_skips: usize,
    pub(crate) populations: Vec<PopulationView>,
    pub(crate) populations_more: usize,
    pub(crate) not_looked_at: Vec<String>,
}

/// Failures of one cause, over accounts and regions.
#[derive(Debug, Serialize)]
pub(crate) struct FailureGroup {
    /// The permission that is missing, or the call where no permission helps.
    pub(crate) what: String,
    pub(crate) calls: Vec<String>,
    pub(crate) why: &'static str,
    /// Granting the role more does not help.
    pub(crate) scp: bool,
    pub(crate) accounts: Vec<AccountRef>,
    pub(crate) accounts_count: usize,
    pub(crate) accounts_more: usize,
    pub(crate) regions: Vec<String>,
    pub(crate) count: u64,
    /// Questions, over accounts, that it would settle.
    pub(crate) questions: usize,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct NotEntered {
    pub(crate) account: AccountRef,
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RegionsView {
    pub(crate) account: AccountRef,
    pub(crate) read: Vec<String>,
    pub(crate) skipped: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PopulationView {
    pub(crate) kind: String,
    pub(crate) account: AccountRef,
    pub(crate) region: Option<String>,
    pub(crate) why: String,
}

/// Accounts named per cause.
const ACCOUNTS: usize = 12;

pub(crate) fn coverage(ctx: &Context<'_>) -> CoverageView {
    let coverage = &ctx.results.coverage;
    let limit = ctx.limits.listed;
    CoverageView {
        percent: score::down(coverage.share * 100.0),
        complete: coverage.share >= 1.0 - 1e-9,
        denied: groups(ctx, &coverage.denied),
        failed: groups(ctx, &coverage.failed),
        not_entered: not_entered(ctx),
        regions: coverage
            .regions
            .iter()
            .take(limit)
            .map(|r| RegionsView { account: ctx.account(&r.account), read: names(&r.read), skipped: names(&r.skipped) })
            .collect(),
        regions_more: coverage.regions.len().saturating_sub(limit),
        accounts_with_skips: coverage.regions.iter().filter(|r| !r.skipped.is_empty()).count(),
        populations: coverage
            .populations
            .iter()
            .take(limit)
            .map(|p| PopulationView {
                kind: p.kind.replace('_', " "),
                account: ctx.account(&p.account),
                region: p.region.as_ref().map(ToString::to_string),
                why: p.unknown.sentence(),
            })
            .collect(),
        populations_more: coverage.populations.len().saturating_sub(limit),
        not_looked_at: coverage.not_looked_at.clone(),
    }
}

/// Those that weigh in the score come first: closed accounts leave nothing to do.
fn not_entered(ctx: &Context<'_>) -> Vec<NotEntered> {
    let mut accounts: Vec<_> =
        ctx.results.accounts.iter().filter(|a| a.status == crate::results::AccountStatus::NotAssessed).collect();
    accounts.sort_by_key(|a| !a.scored);
    accounts.into_iter().map(|a| NotEntered { account: ctx.account(&a.id), reason: a.reason.clone() }).collect()
}

fn groups(ctx: &Context<'_>, failures: &[Failure]) -> Vec<FailureGroup> {
    let mut by_cause: BTreeMap<(&str, Why), Vec<&Failure>> = BTreeMap::new();
    for failure in failures {
        by_cause.entry((failure.action.as_deref().unwrap_or(&failure.call), failure.why)).or_default().push(failure);
    }
    let mut groups: Vec<FailureGroup> =
        by_cause.into_iter().map(|((what, why), failures)| group(ctx, what, why, &failures)).collect();
    // Stable: equals stay in the order of their names.
    groups.sort_by_key(|g| std::cmp::Reverse((g.questions, g.accounts_count, g.count)));
    groups
}

fn group(ctx: &Context<'_>, what: &str, why: Why, failures: &[&Failure]) -> FailureGroup {
    let accounts: BTreeSet<&AccountId> = failures.iter().map(|f| &f.account).collect();
    let calls: BTreeSet<&str> = failures.iter().map(|f| f.call.as_str()).filter(|c| *c != what).collect();
    let regions: BTreeSet<&Region> = failures.iter().filter_map(|f| f.region.as_ref()).collect();
    let needs = |q: &&crate::results::QuestionResult| {
        q.permissions.iter().any(|p| p.action == what && accounts.contains(&p.account))
    };
    FailureGroup {
        what: what.to_owned(),
        calls: calls.into_iter().map(str::to_owned).collect(),
        why: why.word(),
        scp: why == Why::DeniedByScp,
        accounts: accounts.iter().take(ACCOUNTS).map(|id| ctx.account(id)).collect(),
        accounts_count: accounts.len(),
        accounts_more: accounts.len().saturating_sub(ACCOUNTS),
        regions: regions.into_iter().map(ToString::to_string).collect(),
        count: failures.iter().map(|f| f.count).sum(),
        questions: ctx.results.questions.iter().filter(needs).count(),
        message: failures.iter().find_map(|f| f.message.as_deref()).map(|m| text::shorten(m, 200)),
    }
}

fn names(regions: &[Region]) -> Vec<String> {
    regions.iter().map(ToString::to_string).collect()
}
