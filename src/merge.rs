//! What the snapshots of shards make together: one plan, one organization, and where each came from.
//!
//! Files are copied by `files`; what workloads of one shard reach in accounts of another is read by `collect`.

use std::collections::BTreeMap;

use crate::inventory::organizations::{Account, Organization, OrganizationId};
use crate::inventory::snapshot::{CallCount, Manifest, Merged, MergedShard, Plan};
use crate::model::ids::AccountId;
use crate::model::observed::Observed;
use crate::model::shard::Shard;
use crate::model::time::Timestamp;

/// Seconds between the beginnings of shards, above which they are hardly one run: a night, and a night to repeat it.
const ONE_RUN: i64 = 48 * 3600;

/// The snapshot of one shard.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where it lies, for people.
    pub place: String,
    pub manifest: Manifest,
    /// SHA-256 of the manifest.
    pub digest: String,
    pub organization: Organization,
    /// Accounts it holds facts of.
    pub accounts: Vec<AccountId>,
}

/// What parts make together.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// That of a run over all shards at once.
    pub plan: Plan,
    /// When the first of them began.
    pub as_of: Timestamp,
    /// When the first and the last began, if that is further apart than one run takes.
    pub far_apart: Option<(Timestamp, Timestamp)>,
    pub organization: Organization,
    pub merged: Merged,
    /// Whether every shard is there and held all that was asked of it.
    pub complete: bool,
    pub calls: BTreeMap<String, CallCount>,
    /// The worst of all.
    pub clock_skew_seconds: Option<i64>,
}

/// Why parts make no whole.
#[derive(Debug, thiserror::Error)]
#[error("these are not the shards of one run: {}", problems.join("; "))]
pub struct NotOne {
    /// Never empty.
    pub problems: Vec<String>,
    /// Shards that are not there, if that is all that is wrong.
    pub only_missing: bool,
}

/// Puts parts together. `allow_missing`: shards may be absent; their accounts are then not collected.
///
/// # Errors
/// Everything that keeps them from being the shards of one run.
pub fn whole(mut parts: Vec<Part>, allow_missing: bool) -> Result<Whole, NotOne> {
    parts.sort_by_key(|part| part.manifest.plan.shard);
    let mut problems: Vec<String> = parts.iter().filter_map(no_shard).collect();
    let Some((first, others)) = parts.split_first().filter(|_| problems.is_empty()) else {
        if problems.is_empty() {
            problems.push("there is none".to_owned());
        }
        return Err(NotOne { problems, only_missing: false });
    };
    problems.extend(others.iter().filter_map(|other| differs(first, other)));
    problems.extend(twice(&parts));
    problems.extend(parts.iter().filter_map(strays));
    problems.extend(organizations(&parts));
    let shards: Vec<(Shard, &Part)> =
        parts.iter().filter_map(|part| part.manifest.plan.shard.map(|shard| (shard, part))).collect();
    let merged = Merged {
        of: shards.first().map_or(1, |(shard, _)| shard.of()),
        shards: shards.iter().map(|(shard, part)| origin(*shard, part)).collect(),
        completed_by: None,
        unread: 0,
    };
    let missing = merged.missing();
    let only_missing = problems.is_empty();
    if problems.is_empty() && !allow_missing && !missing.is_empty() {
        problems.push(format!("{} of {} missing", listed(&missing), merged.of));
    }
    if !problems.is_empty() {
        return Err(NotOne { problems, only_missing });
    }
    Ok(Whole {
        plan: Plan { shard: None, ..first.manifest.plan.clone() },
        as_of: parts.iter().map(|part| part.manifest.as_of).min().unwrap_or(first.manifest.as_of),
        far_apart: far_apart(&parts),
        organization: organization(&parts),
        complete: missing.is_empty() && parts.iter().all(is_complete),
        calls: calls(parts.iter().map(|part| &part.manifest.calls)),
        clock_skew_seconds: worst(parts.iter().map(|part| part.manifest.clock_skew_seconds)),
        merged,
    })
}

/// `shard 3` or `shards 3, 5`, at most some of them.
pub fn listed(indices: &[u32]) -> String {
    const SHOWN: usize = 20;
    let mut text = indices.iter().take(SHOWN).map(u32::to_string).collect::<Vec<_>>().join(", ");
    if indices.len() > SHOWN {
        text.push_str(&format!(" and {} more", indices.len() - SHOWN));
    }
    format!("{} {text}", if indices.len() == 1 { "shard" } else { "shards" })
}

fn far_apart(parts: &[Part]) -> Option<(Timestamp, Timestamp)> {
    let begun = || parts.iter().map(|part| part.manifest.as_of);
    let (first, last) = (begun().min()?, begun().max()?);
    (last.since(first) > ONE_RUN).then_some((first, last))
}

/// Adds up what several runs called.
pub fn calls<'a>(all: impl IntoIterator<Item = &'a BTreeMap<String, CallCount>>) -> BTreeMap<String, CallCount> {
    let mut sum: BTreeMap<String, CallCount> = BTreeMap::new();
    for (call, count) in all.into_iter().flatten() {
        let entry = sum.entry(call.clone()).or_default();
        entry.operations += count.operations;
        entry.attempts += count.attempts;
        entry.throttled += count.throttled;
    }
    sum
}

/// The clock that was off most.
pub fn worst(skews: impl IntoIterator<Item = Option<i64>>) -> Option<i64> {
    skews.into_iter().flatten().max_by_key(|skew| skew.unsigned_abs())
}

/// Whether a shard came to all its accounts. One whose list of accounts broke off does not know them all.
fn is_complete(part: &Part) -> bool {
    part.manifest.complete && part.organization.listed.is_ok()
}

fn no_shard(part: &Part) -> Option<String> {
    let Part { place, manifest, .. } = part;
    if manifest.merged.is_some() {
        return Some(format!("{place} is merged already"));
    }
    manifest.plan.shard.is_none().then(|| format!("{place} was collected without --shard"))
}

/// In what the plan of a part is not that of the first.
fn differs(first: &Part, other: &Part) -> Option<String> {
    let (ours, theirs) = (&first.manifest.plan, &other.manifest.plan);
    let mut differences = Vec::new();
    if let (Some(a), Some(b)) = (ours.shard, theirs.shard)
        && a.of() != b.of()
    {
        differences.push(format!("it is a shard of {}, not of {}", b.of(), a.of()));
    }
    // As if it were the first's shard: which one it is is no difference.
    differences.extend(ours.differences(&Plan { shard: ours.shard, ..theirs.clone() }));
    let text = differences.join(", ");
    (!differences.is_empty()).then(|| format!("{} differs from {}: {text}", other.place, first.place))
}

fn twice(parts: &[Part]) -> Vec<String> {
    let neighbours = parts.windows(2).filter_map(|pair| match pair {
        [a, b] if a.manifest.plan.shard == b.manifest.plan.shard => {
            let shard = a.manifest.plan.shard?;
            Some(format!("shard {} is there twice: {} and {}", shard.index(), a.place, b.place))
        }
        _ => None,
    });
    neighbours.collect()
}

/// Accounts in a part that belong to another shard.
fn strays(part: &Part) -> Option<String> {
    let shard = part.manifest.plan.shard?;
    let stray = part.accounts.iter().find(|account| !shard.holds(account))?;
    let home = Shard::of_account(stray, shard.of());
    Some(format!("{} holds account {stray}, which is in shard {}", part.place, home.index()))
}

fn organizations(parts: &[Part]) -> Vec<String> {
    let known = |part: &Part| part.organization.organization.known().cloned();
    let Some((first, one)) = parts.iter().find_map(|part| Some((part, known(part)?))) else { return Vec::new() };
    let name = |known: &OrganizationId| format!("{} managed by {}", known.id, known.management_account);
    let others = parts.iter().filter_map(|part| Some((part, known(part)?))).filter(|(_, other)| *other != one);
    let said = |(part, other): (&Part, OrganizationId)| {
        format!("{} is of organization {}, {} of {}", part.place, name(&other), first.place, name(&one))
    };
    others.map(said).collect()
}

fn origin(shard: Shard, part: &Part) -> MergedShard {
    MergedShard {
        shard,
        manifest_digest: part.digest.clone(),
        run_id: part.manifest.run_id.clone(),
        caller: part.manifest.plan.caller.clone(),
        complete: is_complete(part),
    }
}

/// The organization as all parts saw it. Of an account, the part that entered it, or would have, knows best.
fn organization(parts: &[Part]) -> Organization {
    let mut accounts: BTreeMap<AccountId, (bool, Account)> = BTreeMap::new();
    for part in parts {
        for account in &part.organization.accounts {
            let own = part.manifest.plan.shard.is_some_and(|shard| shard.holds(&account.id));
            let better = accounts.get(&account.id).is_none_or(|(owned, _)| own && !owned);
            if better {
                accounts.insert(account.id.clone(), (own, account.clone()));
            }
        }
    }
    let organizations = || parts.iter().map(|part| &part.organization);
    let known = organizations().find(|organization| organization.organization.known().is_some());
    let listed = organizations().find(|organization| organization.listed.is_ok());
    let first = organizations().next();
    let absent = || Organization { organization: Observed::Absent, accounts: Vec::new(), listed: Ok(()) };
    Organization {
        organization: known.or(first).cloned().unwrap_or_else(absent).organization,
        accounts: accounts.into_values().map(|(_, account)| account).collect(),
        listed: listed.or(first).cloned().unwrap_or_else(absent).listed,
    }
}
