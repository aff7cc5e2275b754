//! What the facts of one account mean for other accounts: the buckets, groups, keys and subnets of others that it refers
//! to, and the trails that may record others too.
//!
//! How the answers of all accounts fit together is `shared`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::finding::Source;
use crate::inventory::ec2::FlowLog;
use crate::inventory::{AccountFacts, Fact, Line};
use crate::model::ids::{AccountId, Partition, Region};
use crate::model::observed::{Told, Unknown};

use super::kleene::possible;
use super::own::{Encrypted, GroupKey, Holder, Kept, Own, Use, UseRole};
use super::subject::MAX_PATHS;
use super::{discovery, location, names, network};

/// Uses of a bucket, put together over the accounts that use it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    pub users: BTreeSet<AccountId>,
    pub roles: BTreeSet<UseRole>,
    pub prefixes: BTreeSet<String>,
    /// How many chains lead to it.
    pub chains: u64,
    /// The first of them, at most [`MAX_PATHS`].
    pub first: BTreeSet<String>,
}

impl Uses {
    /// Those of one account.
    pub(crate) fn of(account: &AccountId, uses: &BTreeSet<Use>) -> Self {
        let chains: BTreeSet<&String> = uses.iter().map(|used| &used.chain).collect();
        Self {
            users: BTreeSet::from([account.clone()]),
            roles: uses.iter().map(|used| used.role).collect(),
            prefixes: uses.iter().map(|used| used.prefix.clone()).collect(),
            chains: chains.len() as u64,
            first: chains.into_iter().take(MAX_PATHS).cloned().collect(),
        }
    }

    /// Adds those of another account. No chain is in both: each names its account.
    pub(crate) fn merge(&mut self, other: Self) {
        self.users.extend(other.users);
        self.roles.extend(other.roles);
        self.prefixes.extend(other.prefixes);
        self.chains += other.chains;
        self.first.extend(other.first);
        while self.first.len() > MAX_PATHS {
            self.first.pop_last();
        }
    }
}

/// Whose evidence it is that lands in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whose {
    pub account: Option<AccountId>,
    /// And of every other account that uses this bucket.
    pub users_of: Option<String>,
}

impl Whose {
    pub(crate) fn account(account: &AccountId) -> Self {
        Self { account: Some(account.clone()), users_of: None }
    }
}

/// Evidence that lands in a bucket or log group of another account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lodged {
    pub source: Source,
    pub prefix: String,
    pub encrypted: Encrypted,
    pub whose: Whose,
    pub chain: String,
}

/// A bucket of another account, as one account refers to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    /// More than who owns it matters.
    pub described: bool,
    pub uses: Option<Uses>,
    pub lodged: Vec<Lodged>,
    /// A bucket of the account sends its access log there.
    pub logged_to: bool,
}

/// A subnet that another account shares with workloads of this one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Guest {
    pub owner: AccountId,
    pub region: Region,
    pub vpc: String,
    pub subnet: String,
}

impl Guest {
    /// Whether a flow log of the owner watches it.
    pub(crate) fn behind(&self, log: &FlowLog) -> bool {
        log.resource == self.vpc || log.resource == self.subnet
    }
}

/// All that others must know of an account.
#[derive(Debug)]
pub(crate) struct Outward {
    pub account: AccountId,
    pub has_ai: Told<bool>,
    pub session: Told<()>,
    pub trails_listed: Told<()>,
    pub buckets_listed: Told<()>,
    /// Digests of the names of its buckets, which are many and mostly of no concern to anyone.
    pub owned: Vec<u64>,
    /// Trails that record other accounts too, or may, and those of others that it sees.
    pub trails: Vec<Line>,
    pub buckets: BTreeMap<String, Named>,
    pub probes: Vec<(String, Told<bool>)>,
    pub groups: BTreeMap<GroupKey, Vec<Lodged>>,
    pub keys: BTreeSet<String>,
    pub guest_of: BTreeSet<Guest>,
}

/// A short stand-in for a name. Two names may have the same one, so it only says where to look.
pub(crate) fn digest(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Outward {
    pub(crate) fn of(facts: &AccountFacts, partition: &Partition) -> Self {
        let own = Own::of(facts);
        let mut outward = Self {
            account: facts.account.clone(),
            has_ai: discovery::has_ai(facts),
            session: facts.entry().and_then(|entry| entry.session.as_ref().map(|_| ()).map_err(Unknown::clone)),
            trails_listed: discovery::trails_listed(facts),
            buckets_listed: facts.listing("s3:ListBuckets", None).map(|_| ()),
            owned: own.owned.keys().map(|name| digest(name)).collect(),
            trails: Vec::new(),
            buckets: BTreeMap::new(),
            probes: own.probes.iter().map(|(name, exists)| ((*name).to_owned(), (*exists).clone())).collect(),
            groups: BTreeMap::new(),
            keys: BTreeSet::new(),
            guest_of: BTreeSet::new(),
        };
        for (name, uses) in &own.uses {
            if let Some(named) = outward.named(&own, name) {
                named.uses = Some(Uses::of(own.account, uses));
            }
        }
        let mine = || Whose::account(own.account);
        for Kept { holder, source, prefix, encrypted, chain } in own.kept.iter().cloned() {
            outward.lodge(&own, holder, Lodged { source, prefix, encrypted, whose: mine(), chain });
        }
        outward.captures(&own, facts, partition);
        outward.trails(&own, partition);
        outward.buckets(&own, partition);
        outward.deliveries(&own);
        outward.flow_logs(&own);
        outward.groups(&own, partition);
        outward
    }

    /// The entry of a bucket, unless the account owns it.
    fn named(&mut self, own: &Own<'_>, name: &str) -> Option<&mut Named> {
        (!own.owns(name)).then(|| self.buckets.entry(name.to_owned()).or_default())
    }

    /// Evidence that lands somewhere, which is of concern unless that is the account's own.
    fn lodge(&mut self, own: &Own<'_>, holder: Holder, lodged: Lodged) {
        match holder {
            Holder::Bucket(name) => {
                if let Some(named) = self.named(own, &name) {
                    named.lodged.push(lodged);
                }
            }
            Holder::Group(key) if key.0 != *own.account => self.groups.entry(key).or_default().push(lodged),
            Holder::Group(_) => {}
        }
    }

    /// The access log of a bucket is evidence of whoever uses it, the account or others.
    fn lodge_access(&mut self, own: &Own<'_>, holder: Holder, prefix: String, bucket: &str) {
        let account = own.uses.contains_key(bucket).then(|| own.account.clone());
        let whose = Whose { account, users_of: Some(bucket.to_owned()) };
        let chain = super::buckets::access_chain(bucket);
        let encrypted = Encrypted::AsBucket;
        self.lodge(own, holder, Lodged { source: Source::ObjectAccess, prefix, encrypted, whose, chain });
    }

    /// Refers to what is said of a holder, unless it is the account's own.
    fn refer(&mut self, own: &Own<'_>, holder: &Holder) {
        match holder {
            Holder::Bucket(name) => {
                if let Some(named) = self.named(own, name) {
                    named.described = true;
                }
            }
            Holder::Group(key) if key.0 != *own.account => {
                self.groups.entry(key.clone()).or_default();
            }
            Holder::Group(_) => {}
        }
    }

    fn key(&mut self, own: &Own<'_>, partition: &Partition, owner: &AccountId, region: &Region, key: Option<&str>) {
        let Some(reference) = key else { return };
        let arn = names::key(partition, region, owner, reference);
        if !own.keys.contains_key(arn.as_str()) {
            self.keys.insert(arn);
        }
    }

    fn captures(&mut self, own: &Own<'_>, facts: &AccountFacts, partition: &Partition) {
        for line in &facts.lines {
            let Fact::Workload(workload) = &line.fact else { continue };
            let Some(endpoint) = &workload.endpoint else { continue };
            let live = endpoint.live_capture.known().map(|capture| &capture.destination);
            let configured = endpoint.config.as_ref().ok().and_then(|c| c.capture.as_ref()).map(|c| &c.destination);
            let keys = [
                endpoint.live_capture.known().and_then(|capture| capture.kms_key.known()).map(String::as_str),
                endpoint
                    .config
                    .as_ref()
                    .ok()
                    .and_then(|c| c.capture.as_ref())
                    .and_then(|c| c.kms_key.known())
                    .map(String::as_str),
            ];
            if let Some(region) = &line.region {
                keys.into_iter().for_each(|key| self.key(own, partition, own.account, region, key));
            }
            for place in live.into_iter().chain(configured).filter_map(|uri| location::parse(uri)) {
                self.named(own, &place.bucket);
            }
        }
    }

    fn trails(&mut self, own: &Own<'_>, partition: &Partition) {
        for seen in own.trails.values() {
            let trail = seen.fact;
            if trail.shadow || trail.owner != *own.account || possible(&trail.organization) {
                self.trails.push(seen.line.clone());
                continue;
            }
            if let Ok(home) = &trail.home_region {
                self.key(own, partition, &trail.owner, home, trail.kms_key.as_deref());
            }
            if let Ok(bucket) = &trail.bucket {
                self.named(own, bucket);
            }
            if possible(&self.has_ai) {
                for (holder, prefix) in super::trails::destinations(trail) {
                    let (whose, chain) = (Whose::account(own.account), super::trails::chain(trail));
                    let (source, encrypted) = (Source::ApiActivity, super::trails::encrypted(trail));
                    self.lodge(own, holder, Lodged { source, prefix, encrypted, whose, chain });
                }
            }
        }
    }

    fn buckets(&mut self, own: &Own<'_>, partition: &Partition) {
        for (name, seen) in &own.buckets {
            let bucket = seen.fact;
            if let Some(logging) = bucket.access_logging.known() {
                let holder = Holder::Bucket(logging.target_bucket.clone());
                self.lodge_access(own, holder, logging.target_prefix.clone(), name);
                if let Some(target) = self.named(own, &logging.target_bucket) {
                    target.described = true;
                    target.logged_to = true;
                }
            }
            for rule in bucket.replication.known().into_iter().flatten() {
                if let Some(copy) = self.named(own, &rule.bucket) {
                    copy.described = true;
                }
            }
            let key = bucket.encryption.known().and_then(|encryption| encryption.kms_key.as_deref());
            if let Some(Some(region)) = own.owned.get(name) {
                self.key(own, partition, own.account, region, key);
            }
        }
    }

    fn deliveries(&mut self, own: &Own<'_>) {
        for seen in own.deliveries.values() {
            for delivery in seen.fact.s3_access.iter().flatten().filter(|delivery| delivery.active) {
                let Some(bucket) = location::parse(&delivery.bucket_arn).map(|place| place.bucket) else { continue };
                if let Some((holder, prefix)) = super::buckets::delivered_to(&delivery.destination_arn) {
                    self.lodge_access(own, holder, prefix, &bucket);
                }
            }
        }
    }

    fn flow_logs(&mut self, own: &Own<'_>) {
        for (region, logs) in &own.flow_logs {
            for log in logs.iter().map(|seen| seen.fact).filter(|log| possible(&log.active)) {
                let Some((holder, prefix)) = network::destination(own.account, region, log) else { continue };
                self.refer(own, &holder);
                if network::runs_behind(own, region, log) {
                    let (whose, chain) = (Whose::account(own.account), network::chain(log));
                    let (source, encrypted) = (Source::NetworkFlows, Encrypted::AsBucket);
                    self.lodge(own, holder, Lodged { source, prefix, encrypted, whose, chain });
                }
            }
        }
        for (region, subnet) in own.subnet_uses.keys() {
            let Some(seen) = own.subnets.get(&(*region, *subnet)) else { continue };
            if let Ok(Some(place)) = &seen.fact.place
                && place.owner != *own.account
            {
                self.guest_of.insert(Guest {
                    owner: place.owner.clone(),
                    region: (*region).clone(),
                    vpc: place.vpc.clone(),
                    subnet: (*subnet).to_owned(),
                });
            }
        }
    }

    fn groups(&mut self, own: &Own<'_>, partition: &Partition) {
        for ((region, _), seen) in &own.log_groups {
            let settings = seen.fact.settings.as_ref().ok().and_then(Option::as_ref);
            self.key(own, partition, own.account, region, settings.and_then(|settings| settings.kms_key.as_deref()));
        }
    }
}
