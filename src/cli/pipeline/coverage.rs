//! What a run could not see: calls that failed, regions left out, populations left open.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::inventory::{AccountFacts, operations};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Unknown, Why};
use crate::results::{Coverage, Failure, OpenPopulation, RegionCoverage};

use super::accounts::Seen;

/// Everything but the share of criteria and what locard does not look at.
pub(super) fn of(seen: &[Seen]) -> Coverage {
    let failures = seen.iter().flat_map(|seen| seen.failures.iter().cloned());
    let (denied, failed) = failures.partition(|failure| matches!(failure.why, Why::Denied | Why::DeniedByScp));
    let regions = seen.iter().filter_map(|seen| {
        let entry = seen.entry.as_ref().ok().filter(|entry| entry.session.is_ok())?;
        let (account, read) = (seen.id.clone(), entry.read_regions.clone());
        Some(RegionCoverage { account, read, skipped: seen.skipped_regions() })
    });
    let populations = seen.iter().flat_map(|seen| &seen.open).map(|open| OpenPopulation {
        kind: open.kind.to_owned(),
        account: open.account.clone(),
        region: open.region.clone(),
        unknown: open.unknown.clone(),
    });
    Coverage {
        share: 0.0,
        denied,
        failed,
        regions: regions.collect(),
        populations: populations.collect(),
        not_looked_at: Vec::new(),
    }
}

/// The calls that failed in one account, folded over resources.
pub(super) fn failures(facts: &AccountFacts) -> Vec<Failure> {
    let mut folded: BTreeMap<(AccountId, Option<Region>, String, Why), (u64, Option<String>)> = BTreeMap::new();
    for line in &facts.lines {
        let fact = serde_json::to_value(&line.fact).unwrap_or_else(|e| panic!("internal error: a fact is data: {e}"));
        let mut unknowns = BTreeSet::new();
        gather(&fact, &mut unknowns);
        // One failed call leaves several fields of a line unknown, and counts once.
        let calls: BTreeMap<_, _> = unknowns
            .into_iter()
            .filter(|unknown| is_failure(unknown.why) && !unknown.call.is_empty())
            .map(|unknown| {
                let account = unknown.account.unwrap_or_else(|| line.account.clone());
                let region = unknown.region.or_else(|| line.region.clone());
                ((account, region, unknown.call, unknown.why), unknown.message)
            })
            .collect();
        for (key, message) in calls {
            let entry = folded.entry(key).or_default();
            entry.0 += 1;
            entry.1 = entry.1.take().or(message);
        }
    }
    folded
        .into_iter()
        .map(|((account, region, call, why), (count, message))| Failure {
            account,
            region,
            action: operations::action(&call).map(str::to_owned),
            call,
            why,
            message,
            count,
        })
        .collect()
}

/// An attempt that failed, as opposed to one that was never to be made or cannot tell.
fn is_failure(why: Why) -> bool {
    match why {
        Why::Denied
        | Why::DeniedByScp
        | Why::Throttled
        | Why::TimedOut
        | Why::RegionDisabled
        | Why::NotSubscribed
        | Why::ServiceAbsent
        | Why::Malformed
        | Why::Vanished
        | Why::Failed => true,
        Why::NotCollected | Why::Foreign | Why::NotEntered | Why::Capped | Why::Undecidable => false,
    }
}

/// Every unknown inside a fact, wherever its shape keeps it: `Told` and `Observed` write it as `{"unknown": ...}`.
fn gather(value: &Value, into: &mut BTreeSet<Unknown>) {
    match value {
        Value::Object(members) => {
            let unknown = members.get("unknown").filter(|_| members.len() == 1);
            match unknown.and_then(|unknown| serde_json::from_value(unknown.clone()).ok()) {
                Some(unknown) => drop(into.insert(unknown)),
                None => members.values().for_each(|member| gather(member, into)),
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, into)),
        _ => {}
    }
}
