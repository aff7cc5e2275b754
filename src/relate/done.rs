//! What the second pass has read, or tried to, and what is reached and was not: nothing is asked twice.
//!
//! Names only; what was read is on disk.

use std::collections::BTreeSet;

use crate::inventory::{Fact, Line};
use crate::model::hash;
use crate::model::ids::{AccountId, Region};

use super::reach::{Reading, References, readings};

/// Digests of what was read: of what kind it is, in which account and region, and its name. A bucket is read where it
/// turns out to be, and probed by whoever refers to it first; its region, and that account, make no other of it.
#[derive(Debug, Default)]
pub struct Done(BTreeSet<u128>);

const NOWHERE: &str = "";

fn bucket(account: &AccountId, name: &str) -> u128 {
    hash::short(&["bucket", account.as_str(), NOWHERE, name])
}

fn probe(name: &str) -> u128 {
    hash::short(&["probe", NOWHERE, NOWHERE, name])
}

fn other(kind: &str, account: &AccountId, region: &Region, name: &str) -> u128 {
    hash::short(&[kind, account.as_str(), region.as_str(), name])
}

impl Done {
    pub(crate) fn bucket(&self, account: &AccountId, name: &str) -> bool {
        self.0.contains(&bucket(account, name))
    }

    pub(crate) fn probe(&self, name: &str) -> bool {
        self.0.contains(&probe(name))
    }

    pub(crate) fn subnet(&self, account: &AccountId, region: &Region, name: &str) -> bool {
        self.0.contains(&other("subnet", account, region, name))
    }

    pub(crate) fn log_group(&self, account: &AccountId, region: &Region, name: &str) -> bool {
        self.0.contains(&other("log_group", account, region, name))
    }

    pub(crate) fn key(&self, account: &AccountId, region: &Region, name: &str) -> bool {
        self.0.contains(&other("key", account, region, name))
    }

    pub(crate) fn deliveries(&self, account: &AccountId, region: &Region) -> bool {
        self.0.contains(&other("deliveries", account, region, ""))
    }

    pub fn mark(&mut self, reading: &Reading) {
        let Reading { account, region, buckets, probes, subnets, log_groups, deliveries, keys } = reading;
        self.0.extend(buckets.iter().map(|name| bucket(account, name)));
        self.0.extend(probes.iter().map(|name| probe(name)));
        for (kind, names) in [("subnet", subnets), ("log_group", log_groups), ("key", keys)] {
            self.0.extend(names.iter().map(|name| other(kind, account, region, name)));
        }
        if *deliveries {
            self.0.insert(other("deliveries", account, region, ""));
        }
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Marks what the lines of a file tell of.
    pub fn mark_lines<'a>(&mut self, account: &AccountId, lines: impl IntoIterator<Item = &'a Line>) {
        self.0.extend(lines.into_iter().filter_map(|line| thing(account, line)));
    }
}

/// The lines of a file whose calls need not be made again. Flow logs are listed with subnets, and trails with buckets:
/// where those may tell more, these are asked for with them.
pub fn settled(lines: &[Line]) -> Vec<&Line> {
    let open: BTreeSet<(Option<&Region>, &str)> =
        lines.iter().filter(|line| line.may_tell_more()).filter_map(list_of).collect();
    let trails_open = open.iter().any(|(_, service)| *service == "cloudtrail");
    let is_settled = |line: &&Line| match &line.fact {
        Fact::Bucket(_) if trails_open => false,
        Fact::Subnet(_) => !open.contains(&(line.region.as_ref(), "ec2")),
        _ => list_of(line).is_none_or(|list| !open.contains(&list)),
    };
    lines.iter().filter(|line| !line.may_tell_more()).filter(is_settled).collect()
}

/// The list a line is of, or belongs to: its region and service; none of lines that stand for themselves.
fn list_of(line: &Line) -> Option<(Option<&Region>, &str)> {
    let service = match &line.fact {
        Fact::Listing(listing) => listing.call.split(':').next()?,
        Fact::Trail(_) => "cloudtrail",
        Fact::FlowLog(_) => "ec2",
        _ => return None,
    };
    Some((line.region.as_ref(), service))
}

/// What a line of the second pass tells of, as a digest; none of lines that anybody else reads.
pub fn thing(account: &AccountId, line: &Line) -> Option<u128> {
    let (kind, name) = match &line.fact {
        Fact::Bucket(fact) => return Some(bucket(account, &fact.name)),
        Fact::BucketProbe(fact) => return Some(probe(&fact.name)),
        Fact::Subnet(subnet) => ("subnet", subnet.id.as_str()),
        Fact::LogGroup(group) => ("log_group", group.name.as_str()),
        Fact::Key(key) => ("key", key.reference.as_str()),
        Fact::LogDeliveries(_) => ("deliveries", ""),
        _ => return None,
    };
    Some(other(kind, account, line.region.as_ref()?, name))
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

    /// Adds what a merge that is gone on with has read; what may be read now is still to be.
    pub fn add_read(&mut self, account: &AccountId, lines: &[Line]) {
        self.references.merge(References::of(lines));
        self.done.mark_lines(account, settled(lines));
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
        let all = readings(&self.references, home, &self.done, true).into_iter();
        let asked = all.filter(|r| self.entered.contains(&r.account) && !skip.contains(&r.region));
        asked.map(|reading| reading.things()).sum()
    }
}
