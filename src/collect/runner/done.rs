//! What the second pass has read, or tried to: nothing is asked twice.
//!
//! Names only; what was read is on disk.

use std::collections::BTreeSet;

use crate::inventory::{Fact, Line};
use crate::model::ids::{AccountId, Region};
use crate::relate::reach::Reading;

/// What the second pass has read, or tried to: nothing is asked twice.
#[derive(Default)]
pub(super) struct Done {
    buckets: BTreeSet<(AccountId, String)>,
    /// By region: what kind of thing, and its name.
    others: BTreeSet<(AccountId, Region, &'static str, String)>,
}

impl Done {
    /// What of a reading is still to be read; none if nothing is.
    pub(super) fn left(&self, mut reading: Reading) -> Option<Reading> {
        let (account, region) = (reading.account.clone(), reading.region.clone());
        let others = |kind: &'static str, name: &str| {
            !self.others.contains(&(account.clone(), region.clone(), kind, name.to_owned()))
        };
        reading.buckets.retain(|name| !self.buckets.contains(&(account.clone(), name.clone())));
        reading.probes.retain(|name| others("probe", name));
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

    pub(super) fn mark(&mut self, reading: &Reading) {
        let Reading { account, region, buckets, probes, subnets, log_groups, deliveries, keys } = reading;
        self.buckets.extend(buckets.iter().map(|name| (account.clone(), name.clone())));
        for (kind, names) in [("probe", probes), ("subnet", subnets), ("log_group", log_groups), ("key", keys)] {
            self.others.extend(names.iter().map(|name| (account.clone(), region.clone(), kind, name.clone())));
        }
        if *deliveries {
            self.others.insert((account.clone(), region.clone(), "deliveries", String::new()));
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.buckets.extend(other.buckets);
        self.others.extend(other.others);
    }

    /// Marks what the lines of a file tell of.
    pub(super) fn mark_lines(&mut self, account: &AccountId, lines: &[Line]) {
        for line in lines {
            let (kind, name) = match &line.fact {
                Fact::Bucket(bucket) => {
                    self.buckets.insert((account.clone(), bucket.name.clone()));
                    continue;
                }
                Fact::BucketProbe(probe) => ("probe", probe.name.clone()),
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
