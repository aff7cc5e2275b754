//! What one account is judged by: its own facts, and of others what concerns it.
//!
//! It lives as long as the account is judged; what outlives that is `shared`'s.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Source;
use crate::inventory::bedrock::S3Sink;
use crate::inventory::cloudtrail::Trail;
use crate::inventory::ec2::{FlowLog, Subnet};
use crate::inventory::logs::{LogDeliveries, LogGroup};
use crate::inventory::organizations::AccountEntry;
use crate::inventory::s3::Bucket;
use crate::inventory::workload::WorkloadKind;
use crate::inventory::{AccountFacts, not_collected};
use crate::model::ids::{AccountId, Arn, Region, ResourceId};
use crate::model::observed::{Observed, Told, Unknown, Why};

use super::outward::{Lodged, Uses};
use super::own::{Encrypted, GroupKey, Holder, Kept, Own, Seen, Use};
use super::shared::Shared;
use super::{buckets, discovery, kleene, location, names, network, trails};

/// Who a bucket belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    In(AccountId, Option<Region>),
    /// No account of the sweep lists it, and AWS says it exists nowhere.
    Nobody,
    /// An AWS bucket, by name, that no account of the sweep lists.
    Aws,
    /// Somebody else's, or not to be told.
    Unknown(Unknown),
}

/// A bucket that AI workloads use.
#[derive(Debug)]
pub(crate) struct Used<'a> {
    /// By workloads of the account itself.
    pub own: BTreeSet<Use>,
    /// By those of all accounts.
    pub all: Cow<'a, Uses>,
}

/// Evidence that lands in a bucket or log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub source: Source,
    /// Key prefix in a bucket; empty for a log group.
    pub prefix: String,
    pub encrypted: Encrypted,
    /// Accounts whose evidence it is.
    pub counts_for: BTreeSet<AccountId>,
    pub chain: String,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    pub shared: &'a Shared,
    pub account: &'a AccountId,
    pub own: Own<'a>,
    /// What came of entering the account.
    entry: Told<&'a AccountEntry>,
    /// Whether `cloudtrail:DescribeTrails` answered in every region it was asked in; the first that did not.
    pub trails_listed: Told<()>,
    pub buckets_listed: Told<()>,
    /// Trails that record the account, or may, by ARN.
    pub trails: BTreeMap<&'a str, Seen<'a, Trail>>,
    /// Buckets that its workloads use, and those of its own that others' use.
    pub uses: BTreeMap<String, Used<'a>>,
    /// Evidence by bucket, of every source: of its own buckets, and of those nobody is known to own that concern it.
    pub held: BTreeMap<String, Vec<Held>>,
    /// Evidence by log group: of its own, and of those outside the sweep that stand with it.
    pub held_groups: BTreeMap<GroupKey, Vec<Held>>,
    /// Buckets that receive server access logs of a reached bucket of its own.
    logged_to: BTreeSet<&'a str>,
    /// Of the reached buckets in a region, and of those in an unknown one, the first of which it is not known where its
    /// access log goes.
    logs_elsewhere: BTreeMap<Option<&'a Region>, (&'a str, &'a Unknown)>,
}

impl<'a> Index<'a> {
    pub(crate) fn of(shared: &'a Shared, facts: &'a AccountFacts) -> Self {
        let account = &facts.account;
        // Of a closed account nothing is known but that nothing runs in it.
        let closed = shared.is_closed(account);
        let own = if closed { Own::none(account) } else { Own::of(facts) };
        let mut trails: BTreeMap<&str, Seen<'_, Trail>> =
            own.trails.iter().filter(|(_, seen)| !seen.fact.shadow).map(|(arn, seen)| (*arn, *seen)).collect();
        trails.extend(shared.trails().map(|seen| (seen.fact.arn.as_str(), seen)));
        let mut index = Self {
            shared,
            account,
            entry: if closed {
                Err(Unknown::new("sts:AssumeRole", Why::NotEntered).in_account(account))
            } else {
                facts.entry()
            },
            trails_listed: if closed { Ok(()) } else { discovery::trails_listed(facts) },
            buckets_listed: if closed { Ok(()) } else { facts.listing("s3:ListBuckets", None).map(|_| ()) },
            trails,
            uses: BTreeMap::new(),
            held: BTreeMap::new(),
            held_groups: BTreeMap::new(),
            logged_to: BTreeSet::new(),
            logs_elsewhere: BTreeMap::new(),
            own,
        };
        index.gather_uses();
        index.gather_held();
        index
    }

    fn gather_uses(&mut self) {
        let mut own = std::mem::take(&mut self.own.uses);
        let lent = self.shared.owned_by(self.account);
        let lent = lent.filter(|name| self.shared.bucket(name).is_some_and(|bucket| !bucket.uses.users.is_empty()));
        let names: BTreeSet<String> = own.keys().cloned().chain(lent.map(str::to_owned)).collect();
        for name in names {
            let mine = own.remove(&name).unwrap_or_default();
            let all = match self.shared.bucket(&name) {
                Some(bucket) => Cow::Borrowed(&bucket.uses),
                None => Cow::Owned(Uses::of(self.account, &mine)),
            };
            self.uses.insert(name, Used { own: mine, all });
        }
    }

    /// Where the evidence of all accounts lands, as far as that is here.
    fn gather_held(&mut self) {
        let own = BTreeSet::from([self.account.clone()]);
        for kept in std::mem::take(&mut self.own.kept) {
            let Kept { holder, source, prefix, encrypted, chain } = kept;
            self.hold(holder, Held { source, prefix, encrypted, counts_for: own.clone(), chain });
        }
        for seen in self.trails.values().copied().collect::<Vec<_>>() {
            let destinations: Vec<_> =
                trails::destinations(seen.fact).into_iter().filter(|(holder, _)| self.concerned(holder)).collect();
            if destinations.is_empty() {
                continue;
            }
            let counts_for = trails::ai_accounts(self.shared, seen.fact);
            for (holder, prefix) in destinations {
                let (source, encrypted) = (Source::ApiActivity, trails::encrypted(seen.fact));
                let (counts_for, chain) = (counts_for.clone(), trails::chain(seen.fact));
                self.hold(holder, Held { source, prefix, encrypted, counts_for, chain });
            }
        }
        self.hold_access_logs();
        self.hold_flow_logs();
        let shared = self.shared;
        let names = shared.owned_by(self.account).chain(shared.unowned_of(self.account));
        for (name, bucket) in names.filter_map(|name| Some((name, shared.bucket(name)?))) {
            let held = self.held.entry(name.to_owned()).or_default();
            held.extend(bucket.lodged.iter().filter_map(|lodged| held_of(shared, lodged)));
        }
        for (key, lodged) in shared.groups_of(self.account) {
            let held = self.held_groups.entry(key.clone()).or_default();
            held.extend(lodged.iter().filter_map(|lodged| held_of(shared, lodged)));
        }
        self.held.retain(|_, held| !held.is_empty());
        self.held_groups.retain(|_, held| !held.is_empty());
    }

    fn hold_access_logs(&mut self) {
        for (name, seen) in self.own.buckets.clone() {
            if let (Observed::Unknown(unknown), Some(region)) = (&seen.fact.access_logging, self.own.owned.get(name)) {
                self.logs_elsewhere.entry(*region).or_insert((name, unknown));
            }
            let Some(logging) = seen.fact.access_logging.known() else { continue };
            self.logged_to.insert(&logging.target_bucket);
            self.hold_access(Holder::Bucket(logging.target_bucket.clone()), logging.target_prefix.clone(), name);
        }
        for seen in self.own.deliveries.values().copied().collect::<Vec<_>>() {
            for delivery in seen.fact.s3_access.iter().flatten().filter(|delivery| delivery.active) {
                let bucket = location::parse(&delivery.bucket_arn).map(|place| place.bucket);
                if let (Some(bucket), Some((holder, prefix))) =
                    (bucket, buckets::delivered_to(&delivery.destination_arn))
                {
                    self.hold_access(holder, prefix, &bucket);
                }
            }
        }
    }

    fn hold_access(&mut self, holder: Holder, prefix: String, bucket: &str) {
        let counts_for = match (self.uses.get(bucket), self.shared.bucket(bucket)) {
            (Some(used), _) => used.all.users.clone(),
            (None, Some(shared)) => shared.uses.users.clone(),
            (None, None) => BTreeSet::new(),
        };
        let (source, encrypted) = (Source::ObjectAccess, Encrypted::AsBucket);
        let chain = buckets::access_chain(bucket);
        self.hold(holder, Held { source, prefix, encrypted, counts_for, chain });
    }

    fn hold_flow_logs(&mut self) {
        for (region, logs) in self.own.flow_logs.clone() {
            for log in logs.iter().map(|seen| seen.fact).filter(|log| kleene::possible(&log.active)) {
                let Some((holder, prefix)) = network::destination(self.account, region, log) else { continue };
                let mut counts_for: BTreeSet<AccountId> =
                    self.shared.guests_behind(self.account, region, log).cloned().collect();
                if network::runs_behind(&self.own, region, log) {
                    counts_for.insert(self.account.clone());
                }
                let (source, encrypted) = (Source::NetworkFlows, Encrypted::AsBucket);
                let chain = network::chain(log);
                self.hold(holder, Held { source, prefix, encrypted, counts_for, chain });
            }
        }
    }

    /// Notes what lands in a holder, where that is of concern here.
    fn hold(&mut self, holder: Holder, held: Held) {
        if held.counts_for.is_empty() || !self.concerned(&holder) {
            return;
        }
        match holder {
            Holder::Bucket(name) => self.held.entry(name).or_default().push(held),
            Holder::Group(key) => self.held_groups.entry(key).or_default().push(held),
        }
    }

    /// Whether a holder is the account's, or one that no account of the sweep owns and that concerns it. What lands in
    /// the rest is told by whoever owns them.
    fn concerned(&self, holder: &Holder) -> bool {
        match holder {
            Holder::Bucket(name) => {
                self.own.owns(name) || self.shared.unowned_of(self.account).any(|other| other == name)
            }
            Holder::Group(key) => {
                key.0 == *self.account || self.shared.groups_of(self.account).any(|(other, _)| other == key)
            }
        }
    }

    /// What came of entering the account.
    pub(crate) fn enabled_regions(&self) -> Told<&'a [Region]> {
        let entry = self.entry.as_ref().map_err(Unknown::clone)?;
        entry.enabled_regions.as_deref().map_err(Unknown::clone)
    }

    /// Who owns a bucket.
    pub(crate) fn owner(&self, bucket: &str) -> Owner {
        if let Some(region) = self.own.owned.get(bucket) {
            return Owner::In(self.account.clone(), region.cloned());
        }
        let shared = self.shared.bucket(bucket);
        if let Some((account, region)) = shared.and_then(|shared| shared.owner.as_ref()) {
            return Owner::In(account.clone(), region.clone());
        }
        match (&self.shared.buckets_listed, shared.and_then(|shared| shared.probe.as_ref())) {
            // Nobody at all has it, whoever could not be asked.
            (_, Some(Ok(false))) => Owner::Nobody,
            (Err(unknown), _) => Owner::Unknown(unknown.clone()),
            (Ok(()), _) if shared.is_none() => {
                debug_assert!(false, "nobody was asked who owns bucket {bucket}");
                Owner::Unknown(not_collected("s3:ListBuckets"))
            }
            (Ok(()), _) if location::aws_owned_name(bucket) => Owner::Aws,
            (Ok(()), _) => Owner::Unknown(
                Unknown::new("s3:ListBuckets", Why::Foreign)
                    .saying(format!("no account of the sweep owns bucket {bucket}")),
            ),
        }
    }

    /// The details of a bucket, or why there are none.
    pub(crate) fn bucket(&self, name: &str) -> Told<Seen<'a, Bucket>> {
        let call = "s3:GetBucketVersioning";
        self.described(name).ok_or_else(|| match self.owner(name) {
            Owner::Unknown(unknown) => unknown,
            Owner::In(account, _) => self.unread(&account, call),
            Owner::Nobody | Owner::Aws => not_collected(call),
        })
    }

    /// Why something of an account is not in the snapshot: it could not be entered, is not in the sweep, or nobody asked.
    pub(crate) fn unread(&self, account: &AccountId, call: &'static str) -> Unknown {
        let own = || self.entry.as_ref().and_then(|entry| entry.session.as_ref()).err().cloned();
        let refused = if account == self.account { own() } else { self.shared.not_entered(account) };
        let unasked = || {
            if self.shared.ended {
                Unknown::new(call, Why::RunEnded)
            } else if account != self.account && !self.shared.sweeps(account) {
                Unknown::new(call, Why::Foreign)
            } else {
                not_collected(call)
            }
        };
        refused.unwrap_or_else(|| unasked().in_account(account))
    }

    /// The details of a bucket, if there are any.
    pub(crate) fn described(&self, name: &str) -> Option<Seen<'a, Bucket>> {
        let own = self.own.buckets.get(name).copied();
        own.or_else(|| self.shared.bucket(name).and_then(|bucket| bucket.details()))
    }

    pub(crate) fn log_group(&self, account: &AccountId, region: &Region, name: &str) -> Option<Seen<'a, LogGroup>> {
        if account == self.account {
            self.own.log_groups.get(&(region, name)).copied()
        } else {
            self.shared.group(&(account.clone(), region.clone(), name.to_owned()))
        }
    }

    pub(crate) fn subnet(&self, region: &Region, id: &str) -> Option<Seen<'a, Subnet>> {
        self.own.subnets.get(&(region, id)).copied()
    }

    pub(crate) fn flow_logs(&self, account: &AccountId, region: &Region) -> Vec<Seen<'a, FlowLog>> {
        if account == self.account {
            self.own.flow_logs.get(region).cloned().unwrap_or_default()
        } else {
            self.shared.flow_logs(account, region).collect()
        }
    }

    /// Outcome of `ec2:DescribeFlowLogs`; none where it was not asked.
    pub(crate) fn flow_logs_listed(&self, account: &AccountId, region: &Region) -> Option<&Told<()>> {
        if account == self.account {
            self.own.flow_logs_listed.get(region)
        } else {
            self.shared.flow_logs_listed(account, region)
        }
    }

    /// Vended log deliveries of the account.
    pub(crate) fn deliveries(&self, account: &AccountId, region: &Region) -> Option<Seen<'a, LogDeliveries>> {
        if account == self.account { self.own.deliveries.get(region).copied() } else { None }
    }

    /// The bucket that receives the same model invocations as a log group.
    pub(crate) fn bucket_beside(&self, account: &AccountId, region: &Region, group: &str) -> Option<&'a S3Sink> {
        if account == self.account { self.own.beside.get(&(region, group)).copied() } else { None }
    }

    /// Whether a bucket exists, as far as can be told.
    pub(crate) fn bucket_exists(&self, name: &str) -> Told<bool> {
        match self.owner(name) {
            Owner::In(..) => match self.described(name).map(|seen| &seen.fact.versioning) {
                // It was listed, and gone when it was looked at.
                Some(Observed::Unknown(unknown)) if unknown.why == Why::Vanished => Err(unknown.clone()),
                _ => Ok(true),
            },
            Owner::Aws => Ok(true),
            Owner::Nobody => Ok(false),
            Owner::Unknown(unknown) => Err(unknown),
        }
    }

    /// Whether server access logs of any reached bucket land in a bucket. AWS delivers only to the account and region
    /// they come from, so only buckets there can keep a "no" from being certain.
    pub(crate) fn receives_access_logs(&self, name: &str) -> Told<bool> {
        if self.logged_to.contains(name) || self.shared.bucket(name).is_some_and(|bucket| bucket.logged_to) {
            return Ok(true);
        }
        let Some(region) = self.own.owned.get(name) else { return Ok(false) };
        let near = self.logs_elsewhere.iter().filter(|(at, _)| *at == region || at.is_none() || region.is_none());
        if let Some((_, unknown)) = near.map(|(_, of)| of).min_by_key(|(name, _)| *name) {
            return Err((*unknown).clone());
        }
        if self.shared.ended {
            // Which buckets would have been reached is not known.
            return Err(Unknown::new("s3:GetBucketLogging", Why::RunEnded).in_account(self.account));
        }
        Ok(false)
    }

    /// Whether the key that evidence names can be used; absent when none is named.
    pub(crate) fn key_usable(&self, owner: &AccountId, region: &Region, reference: Option<&str>) -> Observed<bool> {
        let Some(reference) = reference else { return Observed::Absent };
        let arn = names::key(&self.shared.partition, region, owner, reference);
        match self.own.keys.get(arn.as_str()).copied().or_else(|| self.shared.key(&arn)) {
            Some(Ok(state)) => Observed::Known(state.state == "Enabled"),
            Some(Err(unknown)) => Observed::Unknown(unknown.clone()),
            None => {
                // Evidence may be encrypted with the key of another account.
                let place = Arn::parse(&arn).map(|arn| (AccountId::from(arn.account), Region::from(arn.region)));
                let (account, region) = place.unwrap_or_else(|| (owner.clone(), region.clone()));
                Observed::Unknown(self.unread(&account, "kms:DescribeKey").in_region(&region))
            }
        }
    }

    pub(crate) fn bucket_id(&self, name: &str) -> ResourceId {
        names::bucket(&self.shared.partition, name)
    }
}

/// Evidence of others, as it is held; none that is of nobody.
fn held_of(shared: &Shared, lodged: &Lodged) -> Option<Held> {
    let counts_for = shared.accounts_of(&lodged.whose);
    let Lodged { source, prefix, encrypted, chain, .. } = lodged.clone();
    (!counts_for.is_empty()).then_some(Held { source, prefix, encrypted, counts_for, chain })
}

/// Kinds of workload whose mere existence shows that models are invoked through Bedrock.
pub(crate) fn shows_bedrock_use(kind: WorkloadKind) -> bool {
    !kind.is_sagemaker()
}
