//! What it means for a result that its snapshot is that of a shard, or was put together from those of shards.
//!
//! How that is done is in `merge`; here it is only said.

use crate::inventory::snapshot::{Manifest, Merged};
use crate::merge;
use crate::model::ids::AccountId;
use crate::model::observed::{Unknown, Why};
use crate::model::shard::Shard;

/// Why a snapshot does not hold all that a run over the whole organization would.
pub(super) fn partial(manifest: &Manifest) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(shard) = manifest.plan.shard {
        reasons.push(format!("only the accounts of shard {shard} were entered"));
    }
    if manifest.complete {
        return reasons;
    }
    let lacking: Vec<String> = manifest.merged.iter().flat_map(lacking).collect();
    if lacking.is_empty() {
        reasons.push("collection was interrupted before it was complete".to_owned());
    }
    reasons.extend(lacking);
    reasons
}

fn lacking(merged: &Merged) -> Vec<String> {
    let mut lacking = Vec::new();
    let missing = merged.missing();
    if !missing.is_empty() {
        lacking.push(format!("{} of {} missing from the merge", merge::listed(&missing), merged.of));
    }
    let cut: Vec<u32> = merged.shards.iter().filter(|m| !m.complete).map(|m| m.shard.index()).collect();
    if !cut.is_empty() {
        lacking.push(format!("{} of {} interrupted before complete", merge::listed(&cut), merged.of));
    }
    if merged.unread > 0 {
        lacking.push("what workloads of one shard reach in accounts of another was not read".to_owned());
    }
    lacking
}

/// Why nothing is known of an account that is listed and of which there is no file.
pub(super) fn absent(manifest: &Manifest, account: &AccountId) -> Unknown {
    let call = "sts:AssumeRole";
    let unknown = match elsewhere(manifest, account) {
        Some(why) => Unknown::new(call, Why::NotCollected).saying(why),
        None if manifest.complete => Unknown::new(call, Why::NotCollected),
        None => Unknown::new(call, Why::RunEnded),
    };
    unknown.in_account(account)
}

/// Why nobody tried to enter an account, where it is in a shard that is not there.
fn elsewhere(manifest: &Manifest, account: &AccountId) -> Option<String> {
    if let Some(shard) = manifest.plan.shard {
        let own = Shard::of_account(account, shard.of());
        return (own != shard).then(|| format!("it is in shard {own}, and this is shard {}", shard.index()));
    }
    let merged = manifest.merged.as_ref()?;
    let own = Shard::of_account(account, merged.of);
    merged.missing().contains(&own.index()).then(|| format!("its shard, {own}, is missing from the merge"))
}
