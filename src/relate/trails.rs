//! Which trails record what, for whom: own trails, the organization's, and those members only see the shadow of.

use std::collections::BTreeSet;

use crate::finding::Source;
use crate::inventory::cloudtrail::Trail;
use crate::model::ids::{AccountId, Partition, Region, ResourceId};
use crate::model::observed::{Observed, Told, Unknown};
use crate::model::time::{Moment, Timestamp};
use crate::model::value::Judged;

use super::index::{Index, Seen};
use super::kinds::{AccountRegion, TrailView};
use super::kleene::{all, any, possible};
use super::names;
use super::selectors;
use super::subject::{Alternative, Carrier, Part};

/// Whether a trail sees what happens in a region of an account.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html>
fn reaches(index: &Index, trail: &Trail, account: &AccountId, region: &Region) -> Told<bool> {
    let home_here = || trail.home_region.clone().map(|home| home == *region);
    let in_region = any([trail.multi_region.clone(), home_here()]);
    if trail.owner == *account {
        return in_region;
    }
    // Members that have not enabled an opt-in home region send nothing.
    let home_enabled = trail.home_region.clone().and_then(|home| {
        if home == index.partition.home_region() {
            return Ok(true);
        }
        index.enabled_regions(account).map(|regions| regions.contains(&home))
    });
    all([trail.organization.clone(), in_region, home_enabled])
}

fn logging(trail: &Trail) -> Told<bool> {
    trail.status.as_ref().map(|s| s.is_logging).map_err(Clone::clone)
}

/// Accounts with AI, or possibly with AI, whose events a trail records.
pub(super) fn ai_accounts(index: &Index, trail: &Trail) -> BTreeSet<AccountId> {
    index.possibly_ai().filter(|account| **account == trail.owner || possible(&trail.organization)).cloned().collect()
}

/// What a question about recording comes down to for one trail.
struct Vote<'a> {
    seen: &'a Seen<Trail>,
    truth: Told<bool>,
}

/// Trails that may answer, and the union over them.
struct Union<'a> {
    votes: Vec<Vote<'a>>,
    truth: Told<bool>,
}

/// Asks all trails; trails that could not be listed keep a "no" from being certain.
fn union<'a>(
    index: &'a Index,
    account: &AccountId,
    region: &Region,
    records: impl Fn(&Trail) -> Told<bool>,
) -> Union<'a> {
    let votes: Vec<Vote<'a>> = index
        .trails
        .values()
        .map(|seen| {
            let trail = &seen.fact;
            let truth = all([reaches(index, trail, account, region), logging(trail), records(trail)]);
            Vote { seen, truth }
        })
        .filter(|vote| possible(&vote.truth))
        .collect();
    let known = any(votes.iter().map(|v| v.truth.clone()));
    let truth = any([known, unseen(index, account).map_or_else(Err, |()| Ok(false))]);
    Union { votes, truth }
}

/// Whether trails may exist that nobody could list.
fn unseen(index: &Index, account: &AccountId) -> Told<()> {
    if let Some(meta) = index.accounts.get(account) {
        meta.trails_listed.clone()?;
    }
    // A member sees the organization's trail as a shadow; what it sees is described from the management account.
    match &index.management {
        Some(management) if management != account => {
            let seen_shadow = index.trails.values().any(|t| t.fact.shadow && t.fact.owner == *management);
            match index.accounts.get(management) {
                Some(meta) if !seen_shadow => meta.trails_listed.clone(),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn management_of(trail: &Trail) -> Told<selectors::Management> {
    trail.selectors.as_ref().map(selectors::management).map_err(Clone::clone)
}

/// Management events of one region, as `account_region` shows them.
pub(super) fn account_region(index: &Index, account: &AccountId, region: &Region) -> AccountRegion {
    let read = union(index, account, region, |t| management_of(t).map(|m| m.read));
    let write = union(index, account, region, |t| management_of(t).map(|m| m.write));
    let home = Partition::of_region(region).home_region();
    // Reads and writes may be split over two trails, here as elsewhere.
    let global = |direction: fn(selectors::Management) -> bool| {
        union(index, account, &home, |t| all([t.global_service_events.clone(), management_of(t).map(direction)])).truth
    };
    let global = all([global(|m| m.read), global(|m| m.write)]);
    let recording: Vec<&Vote<'_>> = read.votes.iter().chain(&write.votes).filter(|v| v.truth == Ok(true)).collect();
    let excluded = recording
        .iter()
        .map(|v| management_of(&v.seen.fact).map(|m| m.excluded))
        .try_fold(None::<BTreeSet<String>>, |common, one| {
            let one = one?;
            Ok::<_, Unknown>(Some(common.map_or_else(|| one.clone(), |c| &c & &one)))
        })
        .map(|common| common.map_or_else(Vec::new, |c| c.into_iter().collect()));
    // Without a trail that certainly records, what it leaves out cannot be told either.
    let excluded = match (&read.truth, recording.is_empty()) {
        (Err(unknown), true) => Err(unknown.clone()),
        _ => excluded,
    };
    let trails: BTreeSet<String> = read.votes.iter().chain(&write.votes).map(|v| v.seen.fact.arn.clone()).collect();
    AccountRegion {
        region: region.clone(),
        read_recorded: read.truth,
        write_recorded: write.truth,
        excluded_sources: excluded,
        global_recorded: global,
        trails: trails.into_iter().collect(),
    }
}

/// Data events of a type, of the resources whose ARNs start with one of `arns` (empty: of all of the type), in a
/// region of the account that owns them.
pub(super) struct DataEvents<'a> {
    pub account: &'a AccountId,
    pub region: &'a Region,
    pub resource_type: &'a str,
    pub arns: &'a [String],
}

impl DataEvents<'_> {
    fn of(&self, trail: &Trail) -> Told<selectors::ReadWrite> {
        trail.selectors.as_ref().map(|s| selectors::data(s, self.resource_type, self.arns)).map_err(Clone::clone)
    }

    pub(super) fn reads(&self, index: &Index) -> Told<bool> {
        union(index, self.account, self.region, |t| self.of(t).map(|d| d.read)).truth
    }

    pub(super) fn writes(&self, index: &Index) -> Told<bool> {
        union(index, self.account, self.region, |t| self.of(t).map(|d| d.write)).truth
    }

    /// Alternatives that carry these events: each trail that records them whole, and all that record any together.
    pub(super) fn alternatives(&self, index: &Index, own: Carrier) -> Vec<Alternative> {
        let whole = union(index, self.account, self.region, |t| self.of(t).map(|d| d.read && d.write));
        let part = union(index, self.account, self.region, |t| self.of(t).map(|d| d.read || d.write));
        alternatives(index, &whole, &part, own)
    }
}

/// Alternatives that carry the management events of a region.
pub(super) fn management_part(index: &Index, account: &AccountId, region: &Region) -> Part {
    let own =
        Carrier { resource: names::account_region(account, region), judged_as: Source::ApiActivity, certain: true };
    let whole = union(index, account, region, |t| management_of(t).map(|m| m.read && m.write));
    let part = union(index, account, region, |t| management_of(t).map(|m| m.read || m.write));
    Part { label: region.to_string(), alternatives: alternatives(index, &whole, &part, own) }
}

fn alternatives(index: &Index, whole: &Union<'_>, part: &Union<'_>, own: Carrier) -> Vec<Alternative> {
    let mut found: Vec<Alternative> = whole
        .votes
        .iter()
        .map(|vote| Alternative {
            carriers: std::iter::once(own.clone()).chain(carriers(index, vote.seen, true)).collect(),
            certain: vote.truth == Ok(true),
            since: started(&vote.seen.fact),
        })
        .collect();
    if !found.iter().any(|a| a.certain) {
        // No trail is known to do it alone: together they may, or nothing does and the resource itself says so.
        let mut together = vec![own];
        let mut since: Option<Timestamp> = None;
        for vote in &part.votes {
            together.extend(carriers(index, vote.seen, vote.truth == Ok(true)));
            since = since.max(started(&vote.seen.fact));
        }
        together.sort();
        together.dedup();
        found.push(Alternative { carriers: together, certain: true, since });
    }
    found
}

/// A trail and the bucket it delivers to.
fn carriers(index: &Index, seen: &Seen<Trail>, certain: bool) -> Vec<Carrier> {
    let trail = &seen.fact;
    let mut carriers =
        vec![Carrier { resource: ResourceId::new(trail.arn.clone()), judged_as: Source::ApiActivity, certain }];
    if let Ok(bucket) = &trail.bucket {
        carriers.push(Carrier { resource: index.bucket_id(bucket), judged_as: Source::ApiActivity, certain });
    }
    carriers
}

fn started(trail: &Trail) -> Option<Timestamp> {
    trail.status.as_ref().ok().and_then(|s| s.started).map(|m| m.at)
}

/// A trail as checks see it.
pub(super) fn view(index: &Index, trail: &Trail) -> TrailView {
    let status = |pick: fn(&crate::inventory::cloudtrail::TrailStatus) -> Option<Moment>| match &trail.status {
        Ok(status) => Observed::from_option(pick(status)),
        Err(unknown) => Observed::Unknown(unknown.clone()),
    };
    let covers_ai =
        any(index.accounts.keys().filter(|account| **account == trail.owner || possible(&trail.organization)).map(
            |account| {
                let member = if *account == trail.owner { Ok(true) } else { trail.organization.clone() };
                all([member, index.has_ai(account)])
            },
        ));
    TrailView {
        name: trail.name.clone(),
        covers_ai,
        organization: trail.organization.clone(),
        logging: logging(trail),
        delivered: status(|s| s.latest_delivery.max(s.latest_digest_delivery)),
        delivery_error: match &trail.status {
            Ok(s) => Observed::from_option(
                s.latest_delivery_error
                    .clone()
                    .or_else(|| s.latest_digest_delivery_error.clone())
                    .filter(|e| !e.is_empty()),
            ),
            Err(unknown) => Observed::Unknown(unknown.clone()),
        },
        validation: trail.log_file_validation.clone(),
        bucket_exists: trail.bucket.clone().and_then(|bucket| index.bucket_exists(&bucket)),
        bucket: Observed::from_told(trail.bucket.clone().map(Some)),
        key_usable: match &trail.home_region {
            Ok(home) => index.key_usable(&trail.owner, home, trail.kms_key.as_deref()),
            Err(unknown) if trail.kms_key.is_some() => Observed::Unknown(unknown.clone()),
            Err(_) => Observed::Absent,
        },
        since: status(|s| s.started),
    }
}

/// The record of a trail, for the graph.
pub(super) fn value(index: &Index, trail: &Trail) -> crate::model::value::Value {
    view(index, trail).value()
}
