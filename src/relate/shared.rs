//! What accounts must know of each other to be judged: who owns the buckets others refer to, the trails of the
//! organization, and which evidence lands in whose holders.
//!
//! It is the only value of `relate` that spans the organization, and holds nothing of an account that concerns no
//! other. Facts come account by account and are let go: once for what they mean for others, again for what others want
//! to know of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Source;
use crate::inventory::cloudtrail::Trail;
use crate::inventory::ec2::FlowLog;
use crate::inventory::kms::KeyState;
use crate::inventory::logs::LogGroup;
use crate::inventory::organizations::Organization;
use crate::inventory::s3::Bucket;
use crate::inventory::workload::S3Role;
use crate::inventory::{AccountFacts, Fact, Line};
use crate::model::ids::{AccountId, Arn, Partition, Region};
use crate::model::observed::{Told, Unknown, Why};
use crate::model::ordered::in_order;
use crate::model::time::Timestamp;

use super::index::Index;
use super::kleene::possible;
use super::outward::{Guest, Lodged, Outward, Uses, Whose, digest};
use super::own::{Encrypted, GroupKey, Holder, Own, Seen, UseRole};
use super::subject::Alternative;
use super::{buckets, names, network, trails};

/// Regions by account, the place most facts hang on.
pub(crate) type Place = (AccountId, Region);

/// What others may ask of an account; an error is boxed, as there are few.
#[derive(Clone, Debug)]
struct Meta {
    name: Option<Box<str>>,
    has_ai: Result<bool, Box<Unknown>>,
    session: Result<(), Box<Unknown>>,
    closed: bool,
}

/// A bucket that accounts other than its owner refer to.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedBucket {
    /// None: no account of the sweep lists it.
    pub owner: Option<(AccountId, Option<Region>)>,
    pub probe: Option<Told<bool>>,
    /// More than who owns it matters to others.
    described: bool,
    details: Option<Line>,
    /// By all accounts, its owner among them.
    pub uses: Uses,
    /// Evidence of other accounts than its owner's.
    pub lodged: Vec<Lodged>,
    /// The access log of a bucket of another account goes there.
    pub logged_to: bool,
    /// An organization's trail goes there.
    records: bool,
    /// How its objects' events and accesses are carried, worked out by its owner's facts.
    pub lent: Option<Lent>,
    /// Asked of its owner: whether with its details.
    asked: Option<bool>,
}

/// What the owner of a bucket says to those who use it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lent {
    pub events: Vec<Alternative>,
    pub access: Vec<Alternative>,
}

/// A log group that accounts other than its owner refer to.
#[derive(Clone, Debug, Default)]
struct SharedGroup {
    line: Option<Line>,
    lodged: Vec<Lodged>,
    asked: bool,
}

/// Flow logs of an account, on what it shares with others.
#[derive(Clone, Debug, Default)]
struct SharedFlows {
    listed: Option<Told<()>>,
    logs: Vec<Line>,
    asked: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Shared {
    pub(crate) as_of: Timestamp,
    pub(crate) partition: Partition,
    pub(crate) management: Option<AccountId>,
    /// Id of the organization.
    pub(crate) organization: Option<String>,
    /// The run ended before all was read: what is not there was not asked for, rather than left out.
    pub ended: bool,
    accounts: BTreeMap<AccountId, Meta>,
    /// Accounts whose workloads are known, or may turn out, to exist.
    possibly_ai: Vec<AccountId>,
    /// Whether every bucket of every account there is, is known.
    pub(crate) buckets_listed: Told<()>,
    /// Whether the management account's own trails are all known.
    pub(crate) management_trails: Told<()>,
    /// Trails that record several accounts, or may, by ARN; the owner's own description wins over what members see.
    trails: BTreeMap<String, Line>,
    /// A member's view of a trail of the management account is among them.
    pub(crate) shadowed: bool,
    buckets: BTreeMap<String, SharedBucket>,
    groups: BTreeMap<GroupKey, SharedGroup>,
    keys: BTreeMap<String, Option<Told<KeyState>>>,
    flows: BTreeMap<Place, SharedFlows>,
    guests: BTreeMap<Place, BTreeSet<(AccountId, Guest)>>,
    /// Buckets by the account that owns them.
    owned: BTreeMap<AccountId, Vec<String>>,
    /// Buckets that nobody is known to own, by the accounts they concern.
    unowned: BTreeMap<AccountId, Vec<String>>,
    /// Groups of accounts outside the sweep, by the account whose graph they stand in.
    outside: BTreeMap<AccountId, Vec<GroupKey>>,
}

/// What is asked of one account on behalf of others.
#[derive(Debug, Default)]
struct Wanted {
    /// Whether with their details.
    buckets: BTreeMap<String, bool>,
    groups: BTreeSet<(Region, String)>,
    flows: BTreeSet<Region>,
    keys: BTreeSet<String>,
    trails: BTreeSet<String>,
}

/// What it answers.
struct Answered {
    account: AccountId,
    buckets: Vec<Described>,
    groups: Vec<((Region, String), Line)>,
    flows: Vec<(Region, SharedFlows)>,
    keys: Vec<(String, Told<KeyState>)>,
    trails: Vec<Line>,
}

/// A bucket, by the account that owns it.
struct Described {
    name: String,
    region: Option<Region>,
    line: Option<Line>,
    uses: Uses,
}

/// What was asked already, of what keeps no note of it.
#[derive(Default)]
struct Asked {
    keys: BTreeSet<String>,
    trails: BTreeSet<String>,
}

/// What is known only while it is put together.
#[derive(Default)]
struct Gathering {
    /// Accounts gone through so far.
    seen: u32,
    /// Digests of the names of all buckets, each with the position of an account that owns one of it.
    owners: Vec<(u64, u32)>,
    /// Accounts that were listed and not come to, with their names.
    pending: BTreeMap<AccountId, Option<Box<str>>>,
    /// Accounts whose buckets are not all listed.
    unlisted: BTreeMap<AccountId, Unknown>,
    management_trails: Option<Told<()>>,
}

impl Shared {
    /// Goes through the facts of every account, in the order given, which is that of their ids. Of one that is listed and
    /// not among them, `absent` says why nothing is known.
    ///
    /// # Errors
    /// Only where `load` fails.
    pub fn build<E: Send>(
        organization: &Organization,
        partition: Partition,
        as_of: Timestamp,
        accounts: &[AccountId],
        absent: impl Fn(&AccountId) -> Unknown,
        load: impl Fn(&AccountId) -> Result<AccountFacts, E> + Sync,
    ) -> Result<Self, E> {
        let mut shared = Self {
            as_of,
            partition,
            management: organization.organization.known().map(|o| o.management_account.clone()),
            organization: organization.organization.known().map(|o| o.id.clone()),
            ended: false,
            accounts: BTreeMap::new(),
            possibly_ai: Vec::new(),
            buckets_listed: Ok(()),
            management_trails: Ok(()),
            trails: BTreeMap::new(),
            shadowed: false,
            buckets: BTreeMap::new(),
            groups: BTreeMap::new(),
            keys: BTreeMap::new(),
            flows: BTreeMap::new(),
            guests: BTreeMap::new(),
            owned: BTreeMap::new(),
            unowned: BTreeMap::new(),
            outside: BTreeMap::new(),
        };
        let mut gathering = Gathering::default();
        shared.enlist(organization, &mut gathering, &absent);
        let (partition, closed) = (shared.partition.clone(), shared.closed());
        in_order(
            accounts,
            // Nothing runs in a closed account, and nobody else can own the names of its buckets.
            |id| if closed.contains(id) { Ok(None) } else { Ok(Some(Outward::of(&load(id)?, &partition))) },
            |outward| {
                shared.gather(outward, &mut gathering);
                Ok(())
            },
        )?;
        let Gathering { mut owners, .. } = shared.settle(gathering, organization, &absent);
        owners.sort_unstable();
        shared.resolve(&owners, accounts, &load)?;
        drop(owners);
        shared.place();
        shared.lend(&load)?;
        Ok(shared)
    }

    /// The accounts that are listed: closed, or still to come.
    fn enlist(
        &mut self,
        organization: &Organization,
        gathering: &mut Gathering,
        absent: &impl Fn(&AccountId) -> Unknown,
    ) {
        for account in &organization.accounts {
            let name = account.name.as_deref().map(Box::from);
            if account.state.as_deref().is_none_or(|state| state == "ACTIVE") {
                gathering.pending.insert(account.id.clone(), name);
            } else {
                let session = Err(Box::new(absent(&account.id)));
                self.accounts.insert(account.id.clone(), Meta { name, has_ai: Ok(false), session, closed: true });
            }
        }
    }

    fn closed(&self) -> BTreeSet<AccountId> {
        self.accounts.iter().filter(|(_, meta)| meta.closed).map(|(id, _)| id.clone()).collect()
    }

    /// Takes in what the next account says to others.
    fn gather(&mut self, outward: Option<Outward>, gathering: &mut Gathering) {
        let position = gathering.seen;
        gathering.seen += 1;
        let Some(outward) = outward else { return };
        let id = outward.account;
        let name = gathering.pending.remove(&id).flatten();
        gathering.owners.extend(outward.owned.into_iter().map(|name| (name, position)));
        if let Err(unknown) = outward.buckets_listed {
            gathering.unlisted.insert(id.clone(), unknown);
        }
        if self.management.as_ref() == Some(&id) {
            gathering.management_trails = Some(outward.trails_listed);
        }
        for line in outward.trails {
            self.add_trail(line);
        }
        for (name, named) in outward.buckets {
            let bucket = self.buckets.entry(name).or_default();
            bucket.described |= named.described;
            bucket.logged_to |= named.logged_to;
            bucket.lodged.extend(named.lodged);
            bucket.uses.merge(named.uses.unwrap_or_default());
        }
        for (name, exists) in outward.probes {
            let bucket = self.buckets.entry(name).or_default();
            if !bucket.probe.as_ref().is_some_and(Result::is_ok) {
                bucket.probe = Some(exists);
            }
        }
        for (key, lodged) in outward.groups {
            self.groups.entry(key).or_default().lodged.extend(lodged);
        }
        for key in outward.keys {
            self.keys.entry(key).or_insert(None);
        }
        for guest in outward.guest_of {
            let place = (guest.owner.clone(), guest.region.clone());
            self.flows.entry(place.clone()).or_default();
            self.guests.entry(place).or_default().insert((id.clone(), guest));
        }
        let meta = Meta {
            name,
            has_ai: outward.has_ai.map_err(Box::new),
            session: outward.session.map_err(Box::new),
            closed: false,
        };
        self.accounts.insert(id, meta);
    }

    fn add_trail(&mut self, mut line: Line) {
        let Fact::Trail(trail) = &mut line.fact else { return };
        match self.trails.get_mut(&trail.arn) {
            Some(Line { fact: Fact::Trail(known), reads, .. }) if known.shadow && trail.shadow => {
                // Members may ask for different things: CloudTrail's delegated administrator for the selectors too
                // (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-delegated-administrator.html).
                if known.status.is_err() {
                    std::mem::swap(&mut known.status, &mut trail.status);
                }
                if known.selectors.is_err() {
                    std::mem::swap(&mut known.selectors, &mut trail.selectors);
                }
                // Verdicts show the calls they rest on.
                line.reads.retain(|read| !reads.iter().any(|known| known.call == read.call));
                reads.append(&mut line.reads);
                reads.sort_by(|a, b| a.call.cmp(&b.call));
            }
            Some(Line { fact: Fact::Trail(known), .. }) if !known.shadow || trail.shadow => {}
            _ => _ = self.trails.insert(trail.arn.clone(), line),
        }
    }

    /// What is known when every account was gone through.
    fn settle(
        &mut self,
        mut gathering: Gathering,
        organization: &Organization,
        absent: &impl Fn(&AccountId) -> Unknown,
    ) -> Gathering {
        for (id, name) in std::mem::take(&mut gathering.pending) {
            let unknown = absent(&id);
            if self.management.as_ref() == Some(&id) {
                gathering.management_trails = Some(Err(unknown.clone()));
            }
            gathering.unlisted.insert(id.clone(), unknown.clone());
            let (has_ai, session) = (Err(Box::new(unknown.clone())), Err(Box::new(unknown)));
            self.accounts.insert(id, Meta { name, has_ai, session, closed: false });
        }
        self.management_trails = gathering.management_trails.take().unwrap_or(Ok(()));
        let unlisted = std::mem::take(&mut gathering.unlisted).into_values().next().map_or(Ok(()), Err);
        self.buckets_listed = organization.listed.clone().and(unlisted);
        self.possibly_ai =
            self.accounts.iter().filter(|(_, meta)| meta.has_ai != Ok(false)).map(|(id, _)| id.clone()).collect();
        gathering
    }

    /// Asks accounts for what others refer to, until nothing new comes up.
    fn resolve<E: Send>(
        &mut self,
        owners: &[(u64, u32)],
        accounts: &[AccountId],
        load: &(impl Fn(&AccountId) -> Result<AccountFacts, E> + Sync),
    ) -> Result<(), E> {
        let mut asked = Asked::default();
        loop {
            self.refer_onwards();
            let wanted: Vec<(AccountId, Wanted)> = self.wanted(&mut asked, owners, accounts).into_iter().collect();
            if wanted.is_empty() {
                return Ok(());
            }
            let guests = std::mem::take(&mut self.guests);
            let told = in_order(
                &wanted,
                |(id, wanted)| Ok(answer(&load(id)?, wanted, &guests)),
                |answered| {
                    self.learn(answered);
                    Ok(())
                },
            );
            self.guests = guests;
            told?;
        }
    }

    /// Where trails and shared flow logs lead, which is of concern to whoever they record.
    fn refer_onwards(&mut self) {
        let mut found: Vec<(Holder, bool)> = Vec::new();
        for line in self.trails.values() {
            let Fact::Trail(trail) = &line.fact else { continue };
            found.extend(trails::destinations(trail).into_iter().map(|(holder, _)| (holder, true)));
            if let (Ok(home), Some(reference)) = (&trail.home_region, &trail.kms_key) {
                let arn = names::key(&self.partition, home, &trail.owner, reference);
                self.keys.entry(arn).or_insert(None);
            }
        }
        for ((owner, region), flows) in &self.flows {
            let destinations = flow_logs(&flows.logs).filter_map(|seen| network::destination(owner, region, seen.fact));
            found.extend(destinations.map(|(holder, _)| (holder, false)));
        }
        for (holder, records) in found {
            match holder {
                Holder::Bucket(name) => {
                    let bucket = self.buckets.entry(name).or_default();
                    bucket.records |= records;
                    bucket.described |= !records;
                }
                Holder::Group(key) => {
                    self.groups.entry(key).or_default();
                }
            }
        }
    }

    /// What is still to be asked, and of whom.
    fn wanted(
        &mut self,
        asked: &mut Asked,
        owners: &[(u64, u32)],
        accounts: &[AccountId],
    ) -> BTreeMap<AccountId, Wanted> {
        let mut all: BTreeMap<AccountId, Wanted> = BTreeMap::new();
        for (name, bucket) in &mut self.buckets {
            if bucket.asked.is_some_and(|described| described || !bucket.described) {
                continue;
            }
            bucket.asked = Some(bucket.described);
            let key = digest(name);
            let from = owners.partition_point(|(other, _)| *other < key);
            for (_, position) in owners[from..].iter().take_while(|(other, _)| *other == key) {
                let Some(owner) = accounts.get(*position as usize) else { continue };
                all.entry(owner.clone()).or_default().buckets.insert(name.clone(), bucket.described);
            }
        }
        let told = |id: &AccountId| {
            self.accounts.get(id).is_some_and(|meta| !meta.closed) && accounts.binary_search(id).is_ok()
        };
        for ((owner, region, name), group) in &mut self.groups {
            if !std::mem::replace(&mut group.asked, true) && told(owner) {
                all.entry(owner.clone()).or_default().groups.insert((region.clone(), name.clone()));
            }
        }
        for ((owner, region), flows) in &mut self.flows {
            if !std::mem::replace(&mut flows.asked, true) && told(owner) {
                all.entry(owner.clone()).or_default().flows.insert(region.clone());
            }
        }
        for arn in self.keys.keys().filter(|arn| asked.keys.insert((*arn).clone())) {
            if let Some(owner) = Arn::parse(arn).map(|parts| AccountId::from(parts.account)).filter(told) {
                all.entry(owner).or_default().keys.insert(arn.clone());
            }
        }
        for seen in all_trails(&self.trails).filter(|seen| seen.fact.shadow) {
            let owner = &seen.fact.owner;
            if asked.trails.insert(seen.fact.arn.clone()) && told(owner) {
                all.entry(owner.clone()).or_default().trails.insert(seen.fact.arn.clone());
            }
        }
        all
    }

    fn learn(&mut self, answered: Answered) {
        let Answered { account, buckets, groups, flows, keys, trails } = answered;
        for Described { name, region, line, uses } in buckets {
            let bucket = self.buckets.entry(name).or_default();
            match &bucket.owner {
                None => {
                    bucket.owner = Some((account.clone(), region));
                    bucket.uses.merge(uses);
                    bucket.details = line;
                }
                Some((owner, _)) if *owner == account => bucket.details = line.or(bucket.details.take()),
                Some(_) => {}
            }
        }
        for ((region, name), line) in groups {
            self.groups.entry((account.clone(), region, name)).or_default().line = Some(line);
        }
        for (region, flows) in flows {
            self.flows.insert((account.clone(), region), flows);
        }
        self.keys.extend(keys.into_iter().map(|(arn, state)| (arn, Some(state))));
        for line in trails {
            self.add_trail(line);
        }
    }

    /// Of a trail that only members see, the management account in the sweep could have told more: that it did not is why
    /// the rest is not known.
    fn blame_owner(&mut self) {
        let Some(owner) = self.management.as_ref().filter(|owner| self.accounts.contains_key(*owner)) else { return };
        let vanished = || Unknown::new("cloudtrail:DescribeTrails", Why::Vanished).in_account(owner);
        let unknown = self.management_trails.clone().err().unwrap_or_else(vanished);
        for line in self.trails.values_mut() {
            let Fact::Trail(trail) = &mut line.fact else { continue };
            if !trail.shadow || trail.owner != *owner {
                continue;
            }
            if trail.status.as_ref().is_err_and(|told| told.why == Why::Foreign) {
                trail.status = Err(unknown.clone());
            }
            if trail.selectors.as_ref().is_err_and(|told| told.why == Why::Foreign) {
                trail.selectors = Err(unknown.clone());
            }
        }
    }

    /// Whom everything concerns, now that it is known who owns what.
    fn place(&mut self) {
        self.blame_owner();
        let mut lodged: Vec<(Holder, Lodged)> = Vec::new();
        for (place, flows) in &self.flows {
            let (owner, region) = place;
            for log in flow_logs(&flows.logs).map(|seen| seen.fact).filter(|log| possible(&log.active)) {
                let Some((holder, prefix)) = network::destination(owner, region, log) else { continue };
                // What lands with the owner of the flow log itself, its own facts tell.
                if self.owner_of(&holder) == Some(owner) {
                    continue;
                }
                let guests = self.guests.get(place).into_iter().flatten();
                let users: BTreeSet<&AccountId> =
                    guests.filter(|(_, guest)| guest.behind(log)).map(|(user, _)| user).collect();
                lodged.extend(users.into_iter().map(|user| {
                    let (source, prefix, encrypted) = (Source::NetworkFlows, prefix.clone(), Encrypted::AsBucket);
                    let (whose, chain) = (Whose::account(user), network::chain(log));
                    (holder.clone(), Lodged { source, prefix, encrypted, whose, chain })
                }));
            }
        }
        for (holder, lodged) in lodged {
            match holder {
                Holder::Bucket(name) => self.buckets.entry(name).or_default().lodged.push(lodged),
                Holder::Group(key) => self.groups.entry(key).or_default().lodged.push(lodged),
            }
        }
        self.shadowed =
            all_trails(&self.trails).any(|seen| seen.fact.shadow && Some(&seen.fact.owner) == self.management.as_ref());
        let mut recorded: BTreeMap<Holder, BTreeSet<AccountId>> = BTreeMap::new();
        for seen in all_trails(&self.trails) {
            for (holder, _) in trails::destinations(seen.fact) {
                if self.owner_of(&holder).is_none() {
                    recorded.entry(holder).or_default().extend(trails::ai_accounts(self, seen.fact));
                }
            }
        }
        let (mut owned, mut unowned, mut outside): (Names, Names, BTreeMap<AccountId, Vec<GroupKey>>) =
            Default::default();
        for (name, bucket) in &self.buckets {
            if let Some((owner, _)) = &bucket.owner {
                owned.entry(owner.clone()).or_default().push(name.clone());
                continue;
            }
            let holders = bucket.lodged.iter().flat_map(|lodged| self.accounts_of(&lodged.whose));
            let mut concerned: BTreeSet<AccountId> = holders.chain(bucket.uses.users.iter().cloned()).collect();
            concerned.extend(recorded.remove(&Holder::Bucket(name.clone())).into_iter().flatten());
            for account in concerned {
                unowned.entry(account).or_default().push(name.clone());
            }
        }
        for (key, group) in self.groups.iter().filter(|(key, _)| !self.accounts.contains_key(&key.0)) {
            let holders = group.lodged.iter().flat_map(|lodged| self.accounts_of(&lodged.whose));
            let recorded = recorded.remove(&Holder::Group(key.clone())).into_iter().flatten();
            // It stands with the first account whose evidence it holds.
            if let Some(first) = holders.chain(recorded).min() {
                outside.entry(first).or_default().push(key.clone());
            }
        }
        (self.owned, self.unowned, self.outside) = (owned, unowned, outside);
    }

    /// The account of the sweep that owns a bucket or log group.
    fn owner_of(&self, holder: &Holder) -> Option<&AccountId> {
        match holder {
            Holder::Bucket(name) => self.buckets.get(name)?.owner.as_ref().map(|(owner, _)| owner),
            Holder::Group((owner, ..)) => self.accounts.get_key_value(owner).map(|(owner, _)| owner),
        }
    }

    /// Has the owners of buckets that others train on, or put models into, say how access to them is recorded.
    fn lend<E: Send>(&mut self, load: &(impl Fn(&AccountId) -> Result<AccountFacts, E> + Sync)) -> Result<(), E> {
        let owners: Vec<(&AccountId, Vec<&String>)> = self
            .owned
            .iter()
            .map(|(owner, names)| (owner, names.iter().filter(|name| self.lends(owner, name)).collect()))
            .filter(|(_, names): &(_, Vec<&String>)| !names.is_empty())
            .collect();
        let mut lent: Vec<(String, Lent)> = Vec::new();
        in_order(
            &owners,
            |(owner, names)| {
                let facts = load(owner)?;
                let index = Index::of(self, &facts);
                let lent = names.iter().map(|name| ((*name).clone(), buckets::lent(&index, name)));
                Ok(lent.collect::<Vec<_>>())
            },
            |some| {
                lent.extend(some);
                Ok(())
            },
        )?;
        for (name, lent) in lent {
            if let Some(bucket) = self.buckets.get_mut(&name) {
                bucket.lent = Some(lent);
            }
        }
        Ok(())
    }

    fn lends(&self, owner: &AccountId, name: &str) -> bool {
        let data = [UseRole::Data(S3Role::Training), UseRole::Data(S3Role::Artifact)];
        self.buckets.get(name).is_some_and(|bucket| {
            bucket.uses.users.iter().any(|user| user != owner)
                && data.iter().any(|role| bucket.uses.roles.contains(role))
        })
    }

    /// Accounts that hold evidence of others, or whose trails record others.
    pub(crate) fn hubs(&self) -> BTreeSet<&AccountId> {
        let trails = all_trails(&self.trails).filter_map(|seen| trails::home(self, seen.fact));
        let buckets = self
            .buckets
            .values()
            .filter(|bucket| bucket.records || !bucket.lodged.is_empty() || bucket.lent.is_some() || bucket.logged_to);
        let buckets = buckets.filter_map(|bucket| bucket.owner.as_ref().map(|(owner, _)| owner));
        let groups = self.groups.keys().filter_map(|key| self.accounts.get_key_value(&key.0).map(|(id, _)| id));
        trails.chain(buckets).chain(groups).chain(self.outside.keys()).collect()
    }

    pub(crate) fn name(&self, account: &AccountId) -> Option<&str> {
        self.accounts.get(account)?.name.as_deref()
    }

    /// Whether an account is closed: nothing runs in it.
    pub(crate) fn is_closed(&self, account: &AccountId) -> bool {
        self.accounts.get(account).is_some_and(|meta| meta.closed)
    }

    /// Whether an account runs AI; unknown for one that is not in the sweep.
    pub(crate) fn has_ai(&self, account: &AccountId) -> Told<bool> {
        match self.accounts.get(account) {
            Some(meta) => meta.has_ai.clone().map_err(|unknown| *unknown),
            None => Err(Unknown::new("organizations:ListAccounts", Why::Foreign).in_account(account)),
        }
    }

    /// Accounts of the sweep whose workloads are known, or may turn out, to exist.
    pub(crate) fn possibly_ai(&self) -> &[AccountId] {
        &self.possibly_ai
    }

    /// Every account of the sweep.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.accounts.keys()
    }

    /// Why an account could not be entered; none where it was, or is not in the sweep.
    pub(crate) fn not_entered(&self, account: &AccountId) -> Option<Unknown> {
        self.accounts.get(account)?.session.as_ref().err().map(|unknown| (**unknown).clone())
    }

    /// Whether an account is one of the sweep.
    pub(crate) fn sweeps(&self, account: &AccountId) -> bool {
        self.accounts.contains_key(account)
    }

    pub(crate) fn trails(&self) -> impl Iterator<Item = Seen<'_, Trail>> {
        all_trails(&self.trails)
    }

    pub(crate) fn bucket(&self, name: &str) -> Option<&SharedBucket> {
        self.buckets.get(name)
    }

    pub(crate) fn group(&self, key: &GroupKey) -> Option<Seen<'_, LogGroup>> {
        let line = self.groups.get(key)?.line.as_ref()?;
        match &line.fact {
            Fact::LogGroup(fact) => Some(Seen { fact, line }),
            _ => None,
        }
    }

    pub(crate) fn key(&self, arn: &str) -> Option<&Told<KeyState>> {
        self.keys.get(arn)?.as_ref()
    }

    /// Flow logs of an account on what it shares with others; none where it shares nothing.
    pub(crate) fn flow_logs(&self, account: &AccountId, region: &Region) -> impl Iterator<Item = Seen<'_, FlowLog>> {
        self.flows.get(&(account.clone(), region.clone())).into_iter().flat_map(|flows| flow_logs(&flows.logs))
    }

    /// Whether they are all known; none where nobody asked.
    pub(crate) fn flow_logs_listed(&self, account: &AccountId, region: &Region) -> Option<&Told<()>> {
        self.flows.get(&(account.clone(), region.clone()))?.listed.as_ref()
    }

    /// Accounts whose workloads run behind what a flow log of another account watches.
    pub(crate) fn guests_behind<'a>(
        &'a self,
        owner: &AccountId,
        region: &Region,
        log: &FlowLog,
    ) -> impl Iterator<Item = &'a AccountId> {
        let guests = self.guests.get(&(owner.clone(), region.clone())).into_iter().flatten();
        guests.filter(|(_, guest)| guest.behind(log)).map(|(user, _)| user)
    }

    /// Buckets of an account that others refer to.
    pub(crate) fn owned_by(&self, account: &AccountId) -> impl Iterator<Item = &str> {
        self.owned.get(account).into_iter().flatten().map(String::as_str)
    }

    /// Buckets that nobody is known to own and that concern an account.
    pub(crate) fn unowned_of(&self, account: &AccountId) -> impl Iterator<Item = &str> {
        self.unowned.get(account).into_iter().flatten().map(String::as_str)
    }

    /// Log groups of an account that others refer to, and those outside the sweep that stand in its graph, with the
    /// evidence of others in them.
    pub(crate) fn groups_of(&self, account: &AccountId) -> impl Iterator<Item = (&GroupKey, &[Lodged])> {
        let from = (account.clone(), Region::new(""), String::new());
        let owned = self.groups.range(from.clone()..).take_while(move |(key, _)| key.0 == from.0);
        let outside = self.outside.get(account).into_iter().flatten().filter_map(|key| self.groups.get_key_value(key));
        owned.chain(outside).map(|(key, group)| (key, group.lodged.as_slice()))
    }

    /// The accounts whose evidence something is.
    pub(crate) fn accounts_of(&self, whose: &Whose) -> BTreeSet<AccountId> {
        let users = whose.users_of.as_ref().and_then(|name| self.buckets.get(name)).map(|bucket| &bucket.uses.users);
        whose.account.iter().chain(users.into_iter().flatten()).cloned().collect()
    }
}

impl SharedBucket {
    pub(crate) fn details(&self) -> Option<Seen<'_, Bucket>> {
        let line = self.details.as_ref()?;
        match &line.fact {
            Fact::Bucket(fact) => Some(Seen { fact, line }),
            _ => None,
        }
    }
}

type Names = BTreeMap<AccountId, Vec<String>>;

fn all_trails(trails: &BTreeMap<String, Line>) -> impl Iterator<Item = Seen<'_, Trail>> {
    trails.values().filter_map(|line| match &line.fact {
        Fact::Trail(trail) => Some(Seen { fact: &**trail, line }),
        _ => None,
    })
}

fn flow_logs(lines: &[Line]) -> impl Iterator<Item = Seen<'_, FlowLog>> {
    lines.iter().filter_map(|line| match &line.fact {
        Fact::FlowLog(fact) => Some(Seen { fact, line }),
        _ => None,
    })
}

/// What an account's facts say to what others want to know.
fn answer(facts: &AccountFacts, wanted: &Wanted, guests: &BTreeMap<Place, BTreeSet<(AccountId, Guest)>>) -> Answered {
    let own = Own::of(facts);
    let described = |(name, described): (&String, &bool)| {
        let region = own.owned.get(name.as_str())?;
        let line = own.buckets.get(name.as_str()).filter(|_| *described).map(|seen| seen.line.clone());
        let uses = own.uses.get(name).map(|uses| Uses::of(own.account, uses)).unwrap_or_default();
        Some(Described { name: name.clone(), region: region.cloned(), line, uses })
    };
    let group = |key: &(Region, String)| {
        let seen = own.log_groups.get(&(&key.0, key.1.as_str()))?;
        Some((key.clone(), seen.line.clone()))
    };
    let flows = |region: &Region| {
        let place = (own.account.clone(), region.clone());
        let guests: Vec<&Guest> = guests.get(&place).into_iter().flatten().map(|(_, guest)| guest).collect();
        let logs = own.flow_logs.get(region).into_iter().flatten();
        let watched = logs.filter(|seen| guests.iter().any(|guest| guest.behind(seen.fact)));
        let listed = own.flow_logs_listed.get(region).cloned();
        (region.clone(), SharedFlows { listed, logs: watched.map(|seen| seen.line.clone()).collect(), asked: true })
    };
    let key = |arn: &String| Some((arn.clone(), (*own.keys.get(arn.as_str())?).clone()));
    let trail = |arn: &String| own.trails.get(arn.as_str()).map(|seen| seen.line.clone());
    Answered {
        account: facts.account.clone(),
        buckets: wanted.buckets.iter().filter_map(described).collect(),
        groups: wanted.groups.iter().filter_map(group).collect(),
        flows: wanted.flows.iter().map(flows).collect(),
        keys: wanted.keys.iter().filter_map(key).collect(),
        trails: wanted.trails.iter().filter_map(trail).collect(),
    }
}
