//! What the second pass has read, or tried to, and what is reached and was not.
//!
//! Names only; what was read is on disk.

use std::collections::BTreeSet;

use crate::inventory::{Fact, Line};
use crate::model::ids::{AccountId, Region};

use super::reach::{Reading, References, readings};

/// What the second pass has read, or tried to: nothing is asked twice.
#[derive(Debug, Default)]
pub struct Done {
    buckets: BTreeSet<(AccountId, String)>,
    /// From whichever account: whether a bucket exists is asked once.
    probes: BTreeSet<String>,
    /// By region: what kind of thing, and its name.
    others: BTreeSet<(AccountId, Region, &'static str, String)>,
}

impl Done {
    /// What of a reading is still to be read; none if nothing is.
    pub fn left(&self, mut reading: Reading) -> Option<Reading> {
        let (account, region) = (reading.account.clone(), reading.region.clone());
        let others = |kind: &'static str, name: &str| {
            !self.others.contains(&(account.clone(), region.clone(), kind, name.to_owned()))
        };
        reading.buckets.retain(|name| !self.buckets.contains(&(account.clone(), name.clone())));
        reading.probes.retain(|name| !self.probes.contains(name));
        reading.subnets.retain(|name| others("subnet", name));
        reading.log_groups.retain(|name| others("log_group", name));
        reading.keys.retain(|name| others("key", name));
        reading.deliveries &= others("deliveries", "");
        let nothing = reading.buckets.is_empty()
            && reading.probes.is_empty()
            && reading.subnets.is_empty()
            && reading.log_groups.is_empty()
            && reading.keys.is_empty()
            && !reading.deliveries;
        (!nothing).then_some(reading)
    }

    pub fn mark(&mut self, reading: &Reading) {
        let Reading { account, region, buckets, probes, subnets, log_groups, deliveries, keys } = reading;
        self.buckets.extend(buckets.iter().map(|name| (account.clone(), name.clone())));
        self.probes.extend(probes.iter().cloned());
        for (kind, names) in [("subnet", subnets), ("log_group", log_groups), ("key", keys)] {
            self.others.extend(names.iter().map(|name| (account.clone(), region.clone(), kind, name.clone())));
        }
        if *deliveries {
            self.others.insert((account.clone(), region.clone(), "deliveries", String::new()));
        }
    }

    pub fn extend(&mut self, other: Self) {
        self.buckets.extend(other.buckets);
        self.probes.extend(other.probes);
        self.others.extend(other.others);
    }

    /// Marks what the lines of a file tell of.
    pub fn mark_lines(&mut self, account: &AccountId, lines: &[Line]) {
        for line in lines {
            let (kind, name) = match &line.fact {
                Fact::Bucket(bucket) => {
                    self.buckets.insert((account.clone(), bucket.name.clone()));
                    continue;
                }
                Fact::BucketProbe(probe) => {
                    self.probes.insert(probe.name.clone());
                    continue;
                }
                Fact::Subnet(subnet) => ("subnet", subnet.id.clone()),
                Fact::LogGroup(group) => ("log_group", group.name.clone()),
                Fact::Key(key) => ("key", key.reference.clone()),
                Fact::LogDeliveries(_) => ("deliveries", String::new()),
                _ => continue,
            };
            if let Some(region) = &line.region {
                self.others.insert((account.clone(), region.clone(), kind, name));
            }
        }
    }
}

/// What a snapshot's facts reach that is not in it, though its owner was entered.
#[derive(Debug, Default)]
pub struct Unread {
    references: References,
    done: Done,
    entered: BTreeSet<AccountId>,
}

impl Unread {
    /// Adds all lines of an account, both passes.
    pub fn add(&mut self, account: &AccountId, lines: &[Line]) {
        self.references.merge(References::of(lines));
        self.done.mark_lines(account, lines);
        if lines.iter().any(|line| matches!(&line.fact, Fact::Account(entry) if entry.session.is_ok())) {
            self.entered.insert(account.clone());
        }
    }

    /// Adds what another one was given.
    pub fn merge(&mut self, other: Self) {
        self.references.merge(other.references);
        self.done.extend(other.done);
        self.entered.extend(other.entered);
    }

    /// Accounts that were entered.
    pub fn entered(&self) -> usize {
        self.entered.len()
    }

    /// How many things are still to be read; what those lead to is not known yet. `home` is the partition's home
    /// region; nothing is asked in regions to skip.
    pub fn count(&self, home: &Region, skip: &[Region]) -> u64 {
        let all = readings(&self.references, home).into_iter();
        let asked = all.filter(|r| self.entered.contains(&r.account) && !skip.contains(&r.region));
        asked.filter_map(|reading| self.done.left(reading)).map(|left| left.things()).sum()
    }
}
