//! Which details the second pass must read: names that facts refer to, and who owns them.
//!
//! It keeps names only, so that the sweep of a whole organization fits in memory between the passes.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::workload::Placement;
use crate::inventory::{Fact, Line};
use crate::model::hash;
use crate::model::ids::{AccountId, Arn, Partition, Region};

use super::done::Done;
use super::{location, names};

/// Names gathered from facts.
#[derive(Clone, Debug, Default)]
pub struct References {
    owners: Owners,
    /// Buckets something refers to, and from where: the place a probe can ask from, the first by account and region.
    buckets: BTreeMap<String, (AccountId, Region)>,
    /// Buckets that AI workloads use: their access logs may be delivered by CloudWatch Logs.
    ai_buckets: BTreeSet<String>,
    subnets: BTreeMap<(AccountId, Region), BTreeSet<String>>,
    log_groups: BTreeMap<(AccountId, Region), BTreeSet<String>>,
    keys: BTreeMap<(AccountId, Region), BTreeSet<String>>,
}

/// Who lists which bucket, and its region where told. An organization has a million buckets of which a few matter, and
/// which do is known last: a digest stands for each name, a number for account and region.
#[derive(Clone, Debug, Default)]
struct Owners {
    accounts: Vec<AccountId>,
    regions: Vec<Region>,
    by_account: BTreeMap<AccountId, u32>,
    buckets: BTreeMap<u128, (u32, Option<u16>)>,
}

impl Owners {
    /// A located region survives the listing that did not tell it; of two owners the first stands.
    fn add(&mut self, digest: u128, owner: &AccountId, region: Option<&Region>) {
        let account = match self.by_account.get(owner) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.accounts.len()).unwrap_or(u32::MAX);
                self.accounts.push(owner.clone());
                self.by_account.insert(owner.clone(), number);
                number
            }
        };
        let region = region.map(|region| {
            let at = self.regions.iter().position(|known| known == region).unwrap_or_else(|| {
                self.regions.push(region.clone());
                self.regions.len() - 1
            });
            u16::try_from(at).unwrap_or(u16::MAX)
        });
        let place = self.buckets.entry(digest).or_insert((account, None));
        place.1 = region.or(place.1);
    }

    fn get(&self, name: &str) -> Option<(&AccountId, Option<&Region>)> {
        let (account, region) = self.buckets.get(&hash::short(&[name]))?;
        let region = region.and_then(|region| self.regions.get(usize::from(region)));
        Some((self.accounts.get(*account as usize)?, region))
    }

    fn merge(&mut self, other: Self) {
        for (digest, (account, region)) in other.buckets {
            if let Some(owner) = other.accounts.get(account as usize) {
                self.add(digest, owner, region.and_then(|region| other.regions.get(usize::from(region))));
            }
        }
    }
}

/// What to read in one account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub account: AccountId,
    pub region: Region,
    /// Buckets of the account in the region, to be described. Those whose region no answer told yet stand with the
    /// partition's home region, to be located first.
    pub buckets: BTreeSet<String>,
    /// Buckets that nobody lists, to be asked for from outside.
    pub probes: BTreeSet<String>,
    pub subnets: BTreeSet<String>,
    pub log_groups: BTreeSet<String>,
    /// Whether vended log deliveries matter here: an AI bucket is in the region.
    pub deliveries: bool,
    /// Key ARNs.
    pub keys: BTreeSet<String>,
}

impl Reading {
    /// How many things it is about.
    pub fn things(&self) -> u64 {
        let named = [&self.buckets, &self.probes, &self.subnets, &self.log_groups, &self.keys];
        named.iter().map(|names| names.len() as u64).sum::<u64>() + u64::from(self.deliveries)
    }
}

impl References {
    /// The names that the lines of one account refer to.
    pub fn of(lines: &[Line]) -> Self {
        let mut all = Self::default();
        for line in lines {
            all.add(line);
        }
        all
    }

    pub fn merge(&mut self, other: Self) {
        self.owners.merge(other.owners);
        for (name, place) in other.buckets {
            self.refer(name, place);
        }
        self.ai_buckets.extend(other.ai_buckets);
        for (into, from) in
            [(&mut self.subnets, other.subnets), (&mut self.log_groups, other.log_groups), (&mut self.keys, other.keys)]
        {
            for (place, names) in from {
                into.entry(place).or_default().extend(names);
            }
        }
    }

    /// Drops the names that nothing is left to be read of; whose the buckets are stays. What names one again finds it
    /// among what is done.
    pub fn forget(&mut self, home: &Region, done: &Done) {
        let Self { owners, buckets, ai_buckets, subnets, log_groups, keys } = self;
        buckets.retain(|name, _| match owners.get(name) {
            Some((owner, region)) => {
                let deliveries = ai_buckets.contains(name) && !done.deliveries(owner, region.unwrap_or(home));
                deliveries || !done.bucket(owner, name)
            }
            None => !done.probe(name),
        });
        ai_buckets.retain(|name| buckets.contains_key(name));
        keep(subnets, |(account, region), name| !done.subnet(account, region, name));
        keep(log_groups, |(account, region), name| !done.log_group(account, region, name));
        keep(keys, |(account, region), name| !done.key(account, region, name));
    }

    fn bucket(&mut self, line: &Line, name: &str) {
        let region = line.region.clone().unwrap_or_else(|| partition(line).home_region());
        self.refer(name.to_owned(), (line.account.clone(), region));
    }

    /// The first place in order, not in time: a bucket is probed from the same account in every run.
    fn refer(&mut self, name: String, place: (AccountId, Region)) {
        let known = self.buckets.entry(name).or_insert_with(|| place.clone());
        if place < *known {
            *known = place;
        }
    }

    fn key(&mut self, line: &Line, region: &Region, reference: &str) {
        let arn = names::key(&partition(line), region, &line.account, reference);
        if let Some(parts) = Arn::parse(&arn) {
            let place = (AccountId::from(parts.account), Region::from(parts.region));
            self.keys.entry(place).or_default().insert(arn.clone());
        }
    }

    fn log_group(&mut self, account: &AccountId, region: &Region, name: &str) {
        self.log_groups.entry((account.clone(), region.clone())).or_default().insert(name.to_owned());
    }

    fn log_group_arn(&mut self, arn: &str) {
        if let Some((account, region, name)) = names::log_group_of(arn) {
            self.log_group(&account, &region, &name);
        }
    }

    fn add(&mut self, line: &Line) {
        let region = line.region.as_ref();
        match &line.fact {
            Fact::BucketName(bucket) => {
                self.owners.add(hash::short(&[&bucket.name]), &line.account, bucket.region.as_ref());
            }
            Fact::Trail(trail) => {
                if let Ok(bucket) = &trail.bucket {
                    self.bucket(line, bucket);
                }
                if let Some(arn) = &trail.log_group_arn {
                    self.log_group_arn(arn);
                }
                if let (Some(key), Some(region)) = (&trail.kms_key, region) {
                    self.key(line, region, key);
                }
            }
            Fact::Workload(workload) => {
                let Some(region) = region else { return };
                for used in workload.uses.iter().flatten() {
                    if let Some(place) = location::parse(&used.location) {
                        self.bucket(line, &place.bucket);
                        self.ai_buckets.insert(place.bucket);
                    }
                }
                // Where capture runs to is known whatever its configuration would add.
                let live = workload.endpoint.as_ref().and_then(|endpoint| endpoint.live_capture.known());
                if let Some(place) = live.and_then(|live| location::parse(&live.destination)) {
                    self.bucket(line, &place.bucket);
                }
                let subnets = workload.placement.as_ref().map_or(&[][..], Placement::subnets);
                if !subnets.is_empty() {
                    let place = (line.account.clone(), region.clone());
                    self.subnets.entry(place).or_default().extend(subnets.iter().cloned());
                }
                if let Some(group) = names::sagemaker_group(workload.kind, &workload.name) {
                    self.log_group(&line.account, region, &group);
                }
            }
            Fact::Bedrock(bedrock) => {
                let (Some(logging), Some(region)) = (bedrock.logging.known(), region) else { return };
                let large = logging.cloudwatch.as_ref().and_then(|c| c.large_bodies_s3.as_ref());
                for sink in logging.s3.iter().chain(large) {
                    self.bucket(line, &sink.bucket);
                    self.ai_buckets.insert(sink.bucket.clone());
                }
                if let Some(sink) = &logging.cloudwatch {
                    self.log_group(&line.account, region, &sink.log_group);
                }
            }
            Fact::Bucket(bucket) => {
                if let Ok(region) = &bucket.region {
                    self.owners.add(hash::short(&[&bucket.name]), &line.account, Some(region));
                    if let Some(key) = bucket.encryption.known().and_then(|e| e.kms_key.as_ref()) {
                        self.key(line, region, key);
                    }
                }
                if let Some(logging) = bucket.access_logging.known() {
                    self.bucket(line, &logging.target_bucket);
                }
                for rule in bucket.replication.known().into_iter().flatten().filter(|r| r.enabled) {
                    self.bucket(line, &rule.bucket);
                }
            }
            Fact::LogDeliveries(deliveries) => {
                for delivery in deliveries.s3_access.iter().flatten() {
                    self.destination(line, &delivery.destination_arn);
                }
            }
            Fact::FlowLog(log) => {
                if let (Some(group), Some(region)) = (&log.log_group, region) {
                    self.log_group(&line.account, region, group);
                }
                if let Some(arn) = &log.destination {
                    self.destination(line, arn);
                }
            }
            Fact::Subnet(subnet) => {
                // Flow logs of who shares it are seen by none but the sharer.
                if let (Ok(Some(place)), Some(region)) = (&subnet.place, region)
                    && place.owner != line.account
                {
                    let names = self.subnets.entry((place.owner.clone(), region.clone())).or_default();
                    names.insert(subnet.id.clone());
                }
            }
            Fact::LogGroup(group) => {
                let key = group.settings.as_ref().ok().and_then(|s| s.as_ref()).and_then(|s| s.kms_key.as_ref());
                if let (Some(key), Some(region)) = (key, region) {
                    self.key(line, region, key);
                }
            }
            Fact::Account(_) | Fact::Listing(_) | Fact::EndpointMetrics(_) | Fact::BucketProbe(_) | Fact::Key(_) => {}
        }
    }

    fn destination(&mut self, line: &Line, arn: &str) {
        if arn.contains(":log-group:") {
            self.log_group_arn(arn);
        } else if let Some(place) = location::parse(arn) {
            self.bucket(line, &place.bucket);
        }
    }
}

fn partition(line: &Line) -> Partition {
    line.region.as_ref().map_or_else(|| Partition::new("aws"), Partition::of_region)
}

/// What is still to be read, by owner and region, as far as names are known; asked again after each round with what it
/// found. Of a large organization that is little, and only that is put together. `probes`: also of buckets that no
/// account lists.
pub fn readings(references: &References, home: &Region, done: &Done, probes: bool) -> Vec<Reading> {
    let mut all: BTreeMap<(AccountId, Region), Reading> = BTreeMap::new();
    let mut at = |account: &AccountId, region: &Region, fill: &mut dyn FnMut(&mut Reading)| {
        let reading = all.entry((account.clone(), region.clone())).or_insert_with(|| Reading {
            account: account.clone(),
            region: region.clone(),
            buckets: BTreeSet::new(),
            probes: BTreeSet::new(),
            subnets: BTreeSet::new(),
            log_groups: BTreeSet::new(),
            deliveries: false,
            keys: BTreeSet::new(),
        });
        fill(reading);
    };
    for (name, (from, from_region)) in &references.buckets {
        match references.owners.get(name) {
            Some((owner, region)) => {
                let region = region.unwrap_or(home);
                if !done.bucket(owner, name) {
                    at(owner, region, &mut |r| _ = r.buckets.insert(name.clone()));
                }
                if references.ai_buckets.contains(name) && !done.deliveries(owner, region) {
                    at(owner, region, &mut |r| r.deliveries = true);
                }
            }
            None if probes && !done.probe(name) => {
                at(from, from_region, &mut |r| _ = r.probes.insert(name.clone()));
            }
            None => {}
        }
    }
    for ((account, region), subnet) in each(&references.subnets) {
        if !done.subnet(account, region, subnet) {
            at(account, region, &mut |r| _ = r.subnets.insert(subnet.clone()));
        }
    }
    for ((account, region), group) in each(&references.log_groups) {
        if !done.log_group(account, region, group) {
            at(account, region, &mut |r| _ = r.log_groups.insert(group.clone()));
        }
    }
    for ((account, region), key) in each(&references.keys) {
        if !done.key(account, region, key) {
            at(account, region, &mut |r| _ = r.keys.insert(key.clone()));
        }
    }
    all.into_values().collect()
}

/// Drops names, and places without any.
fn keep(
    names: &mut BTreeMap<(AccountId, Region), BTreeSet<String>>,
    one: impl Fn(&(AccountId, Region), &String) -> bool,
) {
    names.retain(|place, names| {
        names.retain(|name| one(place, name));
        !names.is_empty()
    });
}

/// Names with their place.
fn each(
    names: &BTreeMap<(AccountId, Region), BTreeSet<String>>,
) -> impl Iterator<Item = (&(AccountId, Region), &String)> {
    names.iter().flat_map(|(place, names)| names.iter().map(move |name| (place, name)))
}
