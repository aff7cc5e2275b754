//! Which trails record what, for whom: own trails, the organization's, and those members only see the shadow of.

use std::collections::BTreeSet;

use crate::finding::{Evidence, Source};
use crate::inventory::cloudtrail::Trail;
use crate::model::ids::{AccountId, Partition, Region, ResourceId};
use crate::model::observed::{Observed, Told, Unknown, Why};
use crate::model::time::{Moment, Timestamp};
use crate::model::value::Judged;

use super::index::Index;
use super::kinds::{AccountRegion, TrailView};
use super::kleene::{all, any, possible};
use super::names;
use super::own::{Encrypted, Holder, Seen};
use super::selectors::{self, Management, Services};
use super::shared::Shared;
use super::subject::{Alternative, Carrier, Part};

/// Whether a trail sees what happens in a region of an account.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html>
fn reaches(index: &Index<'_>, trail: &Trail, account: &AccountId, region: &Region) -> Told<bool> {
    let home_here = || trail.home_region.clone().map(|home| home == *region);
    let in_region = any([trail.multi_region.clone(), home_here()]);
    if trail.owner == *account {
        return in_region;
    }
    // Members that have not enabled an opt-in home region send nothing.
    let home_enabled = trail.home_region.clone().and_then(|home| {
        if home == index.shared.partition.home_region() {
            return Ok(true);
        }
        index.enabled_regions().map(|regions| regions.contains(&home))
    });
    all([trail.organization.clone(), in_region, home_enabled])
}

fn logging(trail: &Trail) -> Told<bool> {
    trail.status.as_ref().map(|s| s.is_logging).map_err(Clone::clone)
}

/// Accounts with AI, or possibly with AI, whose events a trail records.
pub(super) fn ai_accounts(shared: &Shared, trail: &Trail) -> BTreeSet<AccountId> {
    let all = shared.possibly_ai();
    if possible(&trail.organization) {
        return all.iter().cloned().collect();
    }
    all.binary_search(&trail.owner).map(|at| all[at].clone()).into_iter().collect()
}

/// The account in whose graph a trail stands. One that only members see stands with the first account it records.
pub(super) fn home<'s>(shared: &'s Shared, trail: &'s Trail) -> Option<&'s AccountId> {
    if !trail.shadow {
        return Some(&trail.owner);
    }
    let all = shared.possibly_ai();
    if possible(&trail.organization) {
        return all.first();
    }
    all.binary_search(&trail.owner).ok().map(|at| &all[at])
}

/// Where a trail delivers to, with the prefix in a bucket.
pub(super) fn destinations(trail: &Trail) -> Vec<(Holder, String)> {
    let prefix = trail.prefix.as_ref().map_or_else(String::new, |prefix| format!("{prefix}/"));
    // Logs, digests and insights have a folder each, those of an organization in one by its id, `o-...`
    // (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>).
    let below = match trail.organization {
        Ok(false) => format!("{prefix}AWSLogs/{}/CloudTrail", trail.owner),
        Ok(true) => format!("{prefix}AWSLogs/o-"),
        Err(_) => format!("{prefix}AWSLogs/"),
    };
    let bucket = trail.bucket.as_ref().ok().map(|bucket| (Holder::Bucket(bucket.clone()), below));
    let group = trail.log_group_arn.as_deref().and_then(names::log_group_of);
    bucket.into_iter().chain(group.map(|key| (Holder::Group(key), String::new()))).collect()
}

/// By what its files are encrypted.
pub(super) fn encrypted(trail: &Trail) -> Encrypted {
    if trail.kms_key.is_some() { Encrypted::ByOwnKey } else { Encrypted::AsBucket }
}

/// How evidence got where a trail delivers to, for people.
pub(super) fn chain(trail: &Trail) -> String {
    format!("trail {}", trail.name)
}

/// What a question about recording comes down to for one trail.
struct Vote<'a> {
    seen: Seen<'a, Trail>,
    truth: Told<bool>,
}

/// Trails that may answer, and the union over them.
struct Union<'a> {
    votes: Vec<Vote<'a>>,
    truth: Told<bool>,
    /// No trail can be missing from the votes.
    complete: bool,
}

/// Asks all trails; trails that could not be listed keep a "no" from being certain.
fn union<'a>(
    index: &Index<'a>,
    account: &AccountId,
    region: &Region,
    records: impl Fn(&Trail) -> Told<bool>,
) -> Union<'a> {
    let votes: Vec<Vote<'a>> = index
        .trails
        .values()
        .map(|&seen| {
            let trail = seen.fact;
            let truth = all([reaches(index, trail, account, region), logging(trail), records(trail)]);
            Vote { seen, truth }
        })
        .filter(|vote| possible(&vote.truth))
        .collect();
    let known = any(votes.iter().map(|v| v.truth.clone()));
    let truth = any([known, unseen(index, account).map_or_else(Err, |()| Ok(false))]);
    Union { votes, truth, complete: unseen(index, account).is_ok() }
}

/// Whether trails may exist that nobody could list.
fn unseen(index: &Index<'_>, account: &AccountId) -> Told<()> {
    index.trails_listed.clone()?;
    // A member sees the organization's trail as a shadow; what it sees is described from the management account.
    match &index.shared.management {
        Some(management) if management != account && !index.shared.shadowed => index.shared.management_trails.clone(),
        _ => Ok(()),
    }
}

fn management_of(trail: &Trail) -> Told<Management> {
    trail.selectors.as_ref().map(selectors::management).map_err(Clone::clone)
}

/// Services without whose events no question about AI workloads is answered: theirs, and those that hand out
/// credentials, hold the data and keep the records.
const NEEDED: &[&str] = &[
    "bedrock.amazonaws.com",
    "bedrock-agentcore.amazonaws.com",
    "bedrock-mantle.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "iam.amazonaws.com",
    "s3.amazonaws.com",
    "sagemaker.amazonaws.com",
    "sts.amazonaws.com",
];
const GLOBAL: &[&str] = &["iam.amazonaws.com", "sts.amazonaws.com"];

/// Whether services in general are recorded, and the needed ones among them.
fn enough(services: &Services, needed: &[&str]) -> bool {
    services.open_ended() && needed.iter().all(|source| services.has(source))
}

/// What trails that log record of management events in a region: what is known to be recorded, what at most could be,
/// and which trails those are.
struct Recorded<'a> {
    surely: Management,
    possibly: Told<Management>,
    /// Why a trail may or may not take part.
    doubt: Option<Unknown>,
    trails: Vec<Seen<'a, Trail>>,
}

fn recorded<'a>(
    index: &Index<'a>,
    account: &AccountId,
    region: &Region,
    counts: impl Fn(&Trail) -> Told<bool>,
) -> Recorded<'a> {
    let mut surely = Management::NONE;
    let mut possibly = unseen(index, account).map(|()| Management::NONE);
    let (mut doubt, mut trails) = (None, Vec::new());
    for &seen in index.trails.values() {
        let trail = seen.fact;
        let takes_part = all([reaches(index, trail, account, region), logging(trail), counts(trail)]);
        if takes_part == Ok(false) {
            continue;
        }
        let records = management_of(trail);
        if records.as_ref().is_ok_and(|records| *records == Management::NONE) {
            continue;
        }
        trails.push(seen);
        match (takes_part, records) {
            (Ok(_), Ok(records)) => {
                surely = surely.with(records.clone());
                possibly = possibly.map(|so_far| so_far.with(records));
            }
            (Err(unknown), Ok(records)) => {
                possibly = possibly.map(|so_far| so_far.with(records));
                doubt = doubt.or(Some(unknown));
            }
            (_, Err(unknown)) => possibly = possibly.and(Err(unknown)),
        }
    }
    Recorded { surely, possibly, doubt, trails }
}

impl Recorded<'_> {
    /// Why what is recorded in all is not known; only asked where it is not.
    fn open(&self) -> Unknown {
        match (&self.possibly, &self.doubt) {
            (Err(unknown), _) | (Ok(_), Some(unknown)) => unknown.clone(),
            (Ok(_), None) => Unknown::new("cloudtrail:GetEventSelectors", Why::Undecidable),
        }
    }

    fn has(&self, direction: fn(&Management) -> &Services, needed: &[&str]) -> Told<bool> {
        if enough(direction(&self.surely), needed) {
            return Ok(true);
        }
        match &self.possibly {
            Ok(possibly) if !enough(direction(possibly), needed) => Ok(false),
            _ => Err(self.open()),
        }
    }

    /// Services that are certainly left out of what is recorded otherwise.
    fn left_out(&self, direction: fn(&Management) -> &Services) -> Told<BTreeSet<String>> {
        match (direction(&self.surely), &self.possibly) {
            (Services::AllBut(out), _) if out.is_empty() => Ok(BTreeSet::new()),
            (services, Ok(possibly)) if services == direction(possibly) => match services {
                Services::AllBut(out) => Ok(out.clone()),
                Services::Only(_) => Ok(BTreeSet::new()),
            },
            _ => Err(self.open()),
        }
    }
}

/// Management events of one region, as `account_region` shows them.
pub(super) fn account_region(index: &Index<'_>, account: &AccountId, region: &Region) -> AccountRegion {
    let here = recorded(index, account, region, |_| Ok(true));
    let home = Partition::of_region(region).home_region();
    let global = recorded(index, account, &home, |t| t.global_service_events.clone());
    let excluded = here.left_out(|m| &m.read).and_then(|read| Ok(&read | &here.left_out(|m| &m.write)?));
    let trails: BTreeSet<String> = here.trails.iter().map(|seen| seen.fact.arn.clone()).collect();
    AccountRegion {
        region: region.clone(),
        read_recorded: here.has(|m| &m.read, NEEDED),
        write_recorded: here.has(|m| &m.write, NEEDED),
        excluded_sources: excluded.map(|out| out.into_iter().collect()),
        // Reads and writes may be split over two trails, here as elsewhere.
        global_recorded: all([global.has(|m| &m.read, GLOBAL), global.has(|m| &m.write, GLOBAL)]),
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
    fn of(&self, index: &Index<'_>, trail: &Trail, arns: &[String]) -> Told<selectors::ReadWrite> {
        let stem = || names::stem(&index.shared.partition, self.region, self.account, self.resource_type);
        let every = if arns.is_empty() { stem() } else { None };
        let arns = every.as_ref().map_or(arns, std::slice::from_ref);
        trail.selectors.as_ref().map(|s| selectors::data(s, self.resource_type, arns)).map_err(Clone::clone)
    }

    /// Each ARN on its own: one trail may record one prefix of a bucket, another the next.
    fn each(&self) -> Vec<&[String]> {
        if self.arns.is_empty() { vec![self.arns] } else { self.arns.chunks(1).collect() }
    }

    fn recorded(&self, index: &Index<'_>, direction: fn(selectors::ReadWrite) -> bool) -> Told<bool> {
        all(self
            .each()
            .into_iter()
            .map(|arns| union(index, self.account, self.region, |t| self.of(index, t, arns).map(direction)).truth))
    }

    pub(super) fn reads(&self, index: &Index<'_>) -> Told<bool> {
        self.recorded(index, |d| d.read)
    }

    pub(super) fn writes(&self, index: &Index<'_>) -> Told<bool> {
        self.recorded(index, |d| d.write)
    }

    /// Alternatives that carry these events: each trail that records them whole, and all that record any together.
    pub(super) fn alternatives(&self, index: &Index<'_>, own: Carrier) -> Vec<Alternative> {
        let whole =
            union(index, self.account, self.region, |t| self.of(index, t, self.arns).map(|d| d.read && d.write));
        alternatives(index, &whole, &self.partial(index), own)
    }

    fn partial<'a>(&self, index: &Index<'a>) -> Union<'a> {
        union(index, self.account, self.region, |t| {
            any(self.each().into_iter().map(|arns| self.of(index, t, arns).map(|d| d.read || d.write)))
        })
    }

    /// The calls that told of the trails that record any of it.
    pub(super) fn evidence(&self, index: &Index<'_>) -> Vec<Evidence> {
        self.partial(index).votes.iter().flat_map(|vote| vote.seen.evidence()).collect()
    }
}

/// Alternatives that carry the management events of a region.
pub(super) fn management_part(index: &Index<'_>, account: &AccountId, region: &Region) -> Part {
    let own =
        Carrier { resource: names::account_region(account, region), judged_as: Source::ApiActivity, certain: true };
    let both = |m: Management| enough(&m.read, NEEDED) && enough(&m.write, NEEDED);
    let whole = union(index, account, region, |t| management_of(t).map(both));
    let part = union(index, account, region, |t| management_of(t).map(|m| m != Management::NONE));
    Part { label: region.to_string(), alternatives: alternatives(index, &whole, &part, own) }
}

fn alternatives(index: &Index<'_>, whole: &Union<'_>, part: &Union<'_>, own: Carrier) -> Vec<Alternative> {
    let mut found: Vec<Alternative> = whole
        .votes
        .iter()
        .map(|vote| Alternative {
            carriers: std::iter::once(own.clone()).chain(carriers(index, vote.seen, true)).collect(),
            certain: vote.truth == Ok(true),
            since: started(vote.seen.fact),
        })
        .collect();
    if !found.iter().any(|a| a.certain) {
        // No trail is known to do it alone: together they may, or nothing does and the resource itself says so.
        let mut together = vec![own.clone()];
        let mut since: Option<Timestamp> = None;
        for vote in &part.votes {
            together.extend(carriers(index, vote.seen, vote.truth == Ok(true)));
            since = since.max(started(vote.seen.fact));
        }
        together.sort();
        together.dedup();
        found.push(Alternative { carriers: together, certain: true, since });
    }
    if !whole.complete {
        found.push(Alternative::unseen(own));
    }
    found
}

/// A trail and the bucket it delivers to.
fn carriers(index: &Index<'_>, seen: Seen<'_, Trail>, certain: bool) -> Vec<Carrier> {
    let trail = seen.fact;
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
pub(super) fn view(index: &Index<'_>, trail: &Trail) -> TrailView {
    let status = |pick: fn(&crate::inventory::cloudtrail::TrailStatus) -> Option<Moment>| match &trail.status {
        Ok(status) => Observed::from_option(pick(status)),
        Err(unknown) => Observed::Unknown(unknown.clone()),
    };
    let covers_ai =
        any(index.shared.accounts().filter(|account| **account == trail.owner || possible(&trail.organization)).map(
            |account| {
                let member = if *account == trail.owner { Ok(true) } else { trail.organization.clone() };
                all([member, index.shared.has_ai(account)])
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
pub(super) fn value(index: &Index<'_>, trail: &Trail) -> crate::model::value::Value {
    view(index, trail).value()
}
