//! What the run saw and what it did not: missing permissions, failed calls, regions, open populations.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{AccountRef, Context, score, text};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::Why;
use crate::report::summary::accounts::Number;
use crate::report::summary::coverage::{FailureGroup as Failures, Failures as ByCause};

#[derive(Debug, Serialize)]
pub(crate) struct CoverageView {
    /// `93.1`, rounded down.
    pub(crate) percent: String,
    pub(crate) complete: bool,
    /// The permission that would settle most comes first.
    pub(crate) denied: Vec<FailureGroup>,
    pub(crate) denied_more: usize,
    pub(crate) failed: Vec<FailureGroup>,
    pub(crate) failed_more: usize,
    pub(crate) not_entered: Vec<NotEntered>,
    pub(crate) not_entered_more: usize,
    pub(crate) regions: Vec<RegionsView>,
    pub(crate) regions_more: usize,
    pub(crate) accounts_with_skips: usize,
    /// Lists that are longer than was read, on purpose.
    pub(crate) capped: Option<CappedView>,
    pub(crate) populations: Vec<PopulationView>,
    pub(crate) populations_more: usize,
    /// All of them by cause, where they are too many to list.
    pub(crate) populations_by: Vec<OpenGroup>,
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

/// Open lists of one cause, over kinds, accounts and regions.
#[derive(Debug, Serialize)]
pub(crate) struct OpenGroup {
    pub(crate) kinds: Vec<String>,
    pub(crate) call: String,
    pub(crate) why: &'static str,
    pub(crate) accounts: usize,
    pub(crate) regions: usize,
    pub(crate) count: usize,
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
pub(crate) struct CappedView {
    pub(crate) calls: Vec<String>,
    pub(crate) accounts: usize,
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
    let coverage = &ctx.lists.coverage;
    let limit = ctx.limits.listed;
    let (denied, denied_more) = groups(ctx, &coverage.denied);
    let (failed, failed_more) = groups(ctx, &coverage.failed);
    let not_entered = &ctx.lists.accounts.not_entered;
    let more = |total: usize| total.saturating_sub(limit);
    CoverageView {
        percent: score::down(coverage.share * 100.0),
        complete: coverage.share >= 1.0 - 1e-9,
        denied,
        denied_more,
        failed,
        failed_more,
        not_entered: not_entered
            .iter()
            .take(limit)
            .map(|a| NotEntered { account: ctx.account(&a.id), reason: a.reason.clone() })
            .collect(),
        not_entered_more: more(not_entered.total()),
        regions: coverage
            .regions
            .iter()
            .take(limit)
            .map(|r| RegionsView { account: ctx.account(&r.account), read: names(&r.read), skipped: names(&r.skipped) })
            .collect(),
        regions_more: more(coverage.regions.total()),
        accounts_with_skips: coverage.accounts_with_skips,
        capped: capped(ctx),
        populations: coverage
            .populations
            .iter()
            .take(limit)
            .map(|p| PopulationView {
                kind: p.kind.replace('_', " "),
                account: ctx.account(&p.account),
                region: p.region.as_ref().map(ToString::to_string),
                why: super::said(&p.unknown),
            })
            .collect(),
        populations_more: more(coverage.populations.total()),
        populations_by: if more(coverage.populations.total()) > 0 { open_groups(ctx) } else { Vec::new() },
        not_looked_at: coverage.not_looked_at.clone(),
    }
}

fn capped(ctx: &Context<'_>) -> Option<CappedView> {
    let groups = ctx.lists.coverage.populations_by.iter().filter(|((_, why), _)| *why == Why::Capped);
    let (mut calls, mut accounts) = (Vec::new(), BTreeSet::<Number>::new());
    for ((call, _), group) in groups {
        calls.push(call.clone());
        accounts.extend(&group.accounts);
    }
    if calls.is_empty() { None } else { Some(CappedView { calls, accounts: accounts.len() }) }
}

fn open_groups(ctx: &Context<'_>) -> Vec<OpenGroup> {
    let mut groups: Vec<OpenGroup> = ctx
        .lists
        .coverage
        .populations_by
        .iter()
        .map(|((call, why), group)| OpenGroup {
            kinds: group.kinds.iter().map(|kind| kind.replace('_', " ")).collect(),
            call: call.clone(),
            why: why.word(),
            accounts: group.accounts.len(),
            regions: group.regions.len(),
            count: group.count,
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

/// What would settle most first, and how many have no place.
fn groups(ctx: &Context<'_>, failures: &ByCause) -> (Vec<FailureGroup>, usize) {
    let by_cause = failures.0.iter().flat_map(|(what, by_why)| by_why.iter().map(move |(why, f)| (what, *why, f)));
    let mut groups: Vec<FailureGroup> = by_cause.map(|(what, why, failures)| group(ctx, what, why, failures)).collect();
    // Stable: equals stay in the order of their names.
    groups.sort_by_key(|g| std::cmp::Reverse((g.questions, g.accounts_count, g.count)));
    let more = groups.len().saturating_sub(ctx.limits.listed);
    groups.truncate(ctx.limits.listed);
    (groups, more)
}

fn group(ctx: &Context<'_>, what: &str, why: Why, failures: &Failures) -> FailureGroup {
    let mut ids: Vec<&AccountId> = failures.accounts.iter().map(|a| &ctx.lists.accounts.get(*a).id).collect();
    ids.sort_unstable();
    let (accounts, accounts_more) = ctx.accounts(ids, ACCOUNTS);
    FailureGroup {
        what: what.to_owned(),
        calls: failures.calls.iter().filter(|call| *call != what).cloned().collect(),
        why: why.word(),
        scp: why == Why::DeniedByScp,
        accounts,
        accounts_count: failures.accounts.len(),
        accounts_more,
        regions: failures.regions.iter().map(ToString::to_string).collect(),
        count: failures.count,
        questions: ctx.lists.coverage.settles(what, &failures.accounts),
        message: failures.message.as_deref().map(|m| text::shorten(m, 200)),
    }
}

fn names(regions: &[Region]) -> Vec<String> {
    regions.iter().map(ToString::to_string).collect()
}
