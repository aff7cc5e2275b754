//! The second pass: what the inventory reaches, read by its owner, and what that reaches in turn.
//!
//! Which names those are is decided in `relate::reach`. Most of it is in the account that refers to it, and read while
//! that is entered; what refers to other accounts waits until all are known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};

use super::CollectError;
use super::again;
use super::first::Census;
use super::store::reached_file;
use super::sweep::{PARTS, Sweep, guarded};
use crate::aws::session::Entry;
use crate::collect::scope::Scope;
use crate::collect::{cloudtrail, ec2, kms, listing, logs, s3};
use crate::inventory::{Fact, Line};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::Told;
use crate::relate::done::{Done, settled};
use crate::relate::reach::{Reading, References, readings};

/// What evidence refers to is read too, and what that refers to, until nothing new is named. Chains of buckets are two
/// or three long; the limit is for whoever builds one to keep a sweep busy.
const ROUNDS: usize = 8;

/// Files of an interrupted run that are read back at a time.
const READ_BACK: usize = 4;

/// What came of a unit.
struct Reached {
    account: AccountId,
    references: References,
    told: Done,
    /// Where its trails were listed.
    trails: Vec<Region>,
}

/// One account's share of a round of the second pass.
struct Unit {
    account: AccountId,
    readings: Vec<Reading>,
    /// Those of its buckets that must be located first.
    unlocated: BTreeSet<String>,
    /// Its trails are to be read too, but in regions where they were.
    trails: Option<BTreeSet<Region>>,
    /// An earlier round, or run, has written its file.
    before: bool,
}

impl Sweep {
    /// What the inventory reaches, read by its owner, and what that reaches in turn.
    pub(super) async fn second_pass(self: &Arc<Self>, mut census: Census) -> Result<(), CollectError> {
        let mut read = std::mem::take(&mut census.read_already);
        let mut written = std::mem::take(&mut census.written);
        // What an interrupted run, a shard or this merge before has read says as much as what this one reads; what failed
        // in it may be read now.
        let mut kept = stream::iter(census.entered.difference(&written).cloned().collect::<Vec<_>>())
            .map(|account| async { (self.store.earlier(&reached_file(&account)).await, account) })
            .buffered(READ_BACK);
        // Where accounts have listed their trails that the first pass left out.
        let mut trails: BTreeMap<AccountId, BTreeSet<Region>> = BTreeMap::new();
        while let Some((lines, account)) = self.stop().or(kept.next()).await.flatten() {
            let Some(lines) = lines else { continue };
            let told = settled(&lines);
            trails.entry(account.clone()).or_default().extend(told.iter().copied().filter_map(lists_trails).cloned());
            read.mark_lines(&account, told);
            census.references.merge(References::of(&lines));
            written.insert(account);
        }
        drop(kept);
        census.references.forget(&self.home, &read);
        for _ in 0..ROUNDS {
            let mut by_account: BTreeMap<AccountId, Vec<Reading>> = BTreeMap::new();
            // Whose a bucket is that no account of a shard lists is known when all shards are merged.
            let probes = self.options.shard.is_none();
            for reading in readings(&census.references, &self.home, &read, probes) {
                let skipped = self.options.skip_regions.contains(&reading.region);
                if skipped || !census.entered.contains(&reading.account) {
                    continue;
                }
                read.mark(&reading);
                by_account.entry(reading.account.clone()).or_default().push(reading);
            }
            if by_account.is_empty() || self.stop().is_set() {
                break;
            }
            self.progress.begin("evidence", Some(by_account.len()));
            let units = by_account.into_iter().map(|(account, readings)| {
                // Buckets are judged by the trails of their owner, which may not have been selected.
                let buckets = readings.iter().any(|reading| !reading.buckets.is_empty());
                let unit = Unit {
                    trails: (buckets && !census.trails_read.contains(&account))
                        .then(|| trails.get(&account).cloned().unwrap_or_default()),
                    unlocated: unlocated(&readings, |name| {
                        census.unlocated.contains(&(account.clone(), name.to_owned()))
                    }),
                    before: written.contains(&account),
                    account,
                    readings,
                };
                let sweep = self.clone();
                async move { sweep.reached(unit).await }
            });
            let units: Vec<_> = units.collect();
            self.each(PARTS, stream::iter(units), |reached: Reached| {
                census.references.merge(reached.references);
                // Buckets were read where they turned out to be, which is not where they were asked for.
                read.extend(reached.told);
                trails.entry(reached.account.clone()).or_default().extend(reached.trails);
                written.insert(reached.account);
            })
            .await?;
        }
        Ok(())
    }

    /// What an earlier round or run read is bettered by whatever is added to it.
    async fn reached(&self, unit: Unit) -> Result<Option<Reached>, CollectError> {
        let file = reached_file(&unit.account);
        let lines = self.read_reached(&self.entry(&unit.account), &unit).await;
        let old = if unit.before { Some(self.store.read(&file).await?) } else { None };
        let lines = match &old {
            Some(old) => again::bettered(&unit.account, old.clone(), lines),
            None => lines,
        };
        let mut told = Done::default();
        told.mark_lines(&unit.account, &lines);
        let trails = lines.iter().filter_map(lists_trails).cloned().collect();
        let reached = Reached { references: References::of(&lines), told, trails, account: unit.account };
        // What is not written again changes no digest.
        if old.is_none_or(|old| old != lines) {
            self.store.write(file, lines).await?;
        }
        Ok(Some(reached))
    }

    /// What an account's inventory reaches in that account itself, round after round, into its file. What is `known` by
    /// reference grows by what that refers to; buckets `unplaced` must be located.
    pub(super) async fn own_reach(
        &self,
        entry: &Entry,
        known: &mut References,
        unplaced: &BTreeSet<String>,
    ) -> Result<Done, CollectError> {
        let mut read = Done::default();
        let mut lines = Vec::new();
        for _ in 0..ROUNDS {
            // Whose a bucket is that the account does not list, others may tell.
            let mut own = readings(known, &self.home, &read, false);
            own.retain(|reading| {
                reading.account == entry.account && !self.options.skip_regions.contains(&reading.region)
            });
            if own.is_empty() || self.stop().is_set() {
                break;
            }
            own.iter().for_each(|reading| read.mark(reading));
            let unit = Unit {
                account: entry.account.clone(),
                unlocated: unlocated(&own, |name| unplaced.contains(name)),
                readings: own,
                trails: None,
                before: false,
            };
            let more = self.read_reached(entry, &unit).await;
            read.mark_lines(&entry.account, &more);
            known.merge(References::of(&more));
            lines = again::bettered(&entry.account, lines, more);
        }
        if !lines.is_empty() {
            self.store.write(reached_file(&entry.account), lines).await?;
        }
        Ok(read)
    }

    async fn read_reached(&self, entry: &Entry, unit: &Unit) -> Vec<Line> {
        let home = Scope::new(&self.frame, entry, &self.home);
        let (readings, mut lines) = locate(&home, unit).await;
        let mut regions: BTreeSet<&Region> = readings.keys().collect();
        if unit.trails.is_some() {
            regions.insert(&self.home);
        }
        regions.retain(|region| !self.options.skip_regions.contains(region));
        let scopes: Vec<Scope> = regions.iter().map(|region| Scope::new(&self.frame, entry, region)).collect();
        let mut units = Vec::new();
        for scope in &scopes {
            if let Some(reading) = readings.get(&scope.region) {
                units.extend(region_reached(scope, reading));
            }
            if unit.trails.as_ref().is_some_and(|read| !read.contains(&scope.region)) {
                units.push(guarded(scope, "cloudtrail", cloudtrail::collect(scope)));
            }
        }
        lines.extend(listing::together(units).await);
        lines
    }
}

/// The region whose trails a line is the list of.
fn lists_trails(line: &Line) -> Option<&Region> {
    let lists = matches!(&line.fact, Fact::Listing(listing) if listing.call == "cloudtrail:DescribeTrails");
    line.region.as_ref().filter(|_| lists)
}

fn region_reached<'a>(scope: &'a Scope, reading: &'a Reading) -> Vec<BoxFuture<'a, Vec<Line>>> {
    let mut units = Vec::new();
    if !reading.buckets.is_empty() {
        units.push(guarded(scope, "s3", s3::read(scope, &reading.buckets)));
    }
    if !reading.probes.is_empty() {
        units.push(guarded(scope, "s3", s3::probe(scope, &reading.probes)));
    }
    if !reading.subnets.is_empty() {
        units.push(guarded(scope, "ec2", ec2::collect(scope, &reading.subnets)));
    }
    if !reading.log_groups.is_empty() {
        units.push(guarded(scope, "logs", logs::collect(scope, &reading.log_groups)));
    }
    if reading.deliveries {
        units.push(guarded(scope, "logs", logs::deliveries(scope)));
    }
    if !reading.keys.is_empty() {
        units.push(guarded(scope, "kms", kms::collect(scope, &reading.keys)));
    }
    units
}

/// The buckets among readings that were listed without a region.
fn unlocated(readings: &[Reading], is_one: impl Fn(&str) -> bool) -> BTreeSet<String> {
    readings.iter().flat_map(|reading| &reading.buckets).filter(|name| is_one(name.as_str())).cloned().collect()
}

/// The readings by the region they are to be made in, and lines for buckets whose region cannot be found out.
async fn locate(home: &Scope, unit: &Unit) -> (BTreeMap<Region, Reading>, Vec<Line>) {
    let mut by_region: BTreeMap<Region, Reading> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut asked = Vec::new();
    for name in &unit.unlocated {
        asked.push(s3::locate(home, name));
    }
    let answers = listing::few_at_a_time(asked).await;
    let places: BTreeMap<&str, Told<Region>> = unit.unlocated.iter().map(String::as_str).zip(answers).collect();
    for reading in &unit.readings {
        let mut moved = reading.clone();
        moved.buckets.retain(|name| !places.contains_key(name.as_str()));
        // Deliveries are asked for where buckets are; all of them may turn out to be elsewhere.
        moved.deliveries = reading.deliveries && (reading.buckets.is_empty() || !moved.buckets.is_empty());
        merge(
            by_region.entry(reading.region.clone()).or_insert_with(|| nothing(&reading.account, &reading.region)),
            moved,
        );
        for name in &reading.buckets {
            match places.get(name.as_str()) {
                None => {}
                Some(Ok(region)) => {
                    let place = by_region.entry(region.clone()).or_insert_with(|| nothing(&reading.account, region));
                    place.buckets.insert(name.clone());
                    place.deliveries |= reading.deliveries;
                }
                Some(Err(unknown)) => {
                    let fact = Fact::Bucket(Box::new(s3::unread(name, unknown)));
                    lines.push(Line::new(&unit.account, None, home.arn("s3", name), Vec::new(), fact));
                }
            }
        }
    }
    (by_region, lines)
}

fn nothing(account: &AccountId, region: &Region) -> Reading {
    Reading {
        account: account.clone(),
        region: region.clone(),
        buckets: BTreeSet::new(),
        probes: BTreeSet::new(),
        subnets: BTreeSet::new(),
        log_groups: BTreeSet::new(),
        deliveries: false,
        keys: BTreeSet::new(),
    }
}

fn merge(into: &mut Reading, other: Reading) {
    into.buckets.extend(other.buckets);
    into.probes.extend(other.probes);
    into.subnets.extend(other.subnets);
    into.log_groups.extend(other.log_groups);
    into.deliveries |= other.deliveries;
    into.keys.extend(other.keys);
}
