//! The sweep: which account is read when, in two passes, and what is written as soon as it is known.
//!
//! How an account is entered is in `aws::session`, what is asked in a region in the file of each service, which names
//! the second pass reads in `relate::reach`; files and hashes are behind [`Sink`].

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::aws::client;
pub use crate::aws::client::Limits;
use crate::aws::session::{Caller, Entry, Role, Source, caller};
use crate::inventory::operations::{OPERATIONS, Session};
use crate::inventory::organizations::{Account, AccountEntry, Organization};
use crate::inventory::snapshot::{CallCount, Plan, SNAPSHOT_VERSION};
use crate::inventory::{Fact, Line, Read, not_collected};
use crate::model::ids::{AccountId, Partition, Region};
use crate::model::observed::{Told, Unknown, Why};
use crate::model::time::Timestamp;
use crate::relate::reach::{Reading, References, readings};

use super::listing::{malformed, required, sorted};
use super::organizations::{Selection, discover};
use super::progress::Progress;
use super::scope::{Answer, Frame, Scope};
use super::{bedrock, bedrockagent, cloudtrail, ec2, kms, listing, logs, s3, sagemaker};

/// The calls the runner itself makes in an account.
pub(crate) const CALLS: &[&str] = &["sts:GetCallerIdentity", "sts:AssumeRole", "ec2:DescribeRegions"];

/// What evidence refers to is read too, and what that refers to; chains of buckets are longer only by mistake.
const ROUNDS: usize = 3;

/// Where the results of a run go as soon as they are complete. Names are relative to the snapshot; a name written again
/// replaces what was there.
pub trait Sink: Send + Sync {
    /// Whether an earlier, interrupted run of the same plan, or this one, has completed the file.
    fn done(&self, file: &str) -> bool;
    /// The lines of a completed file.
    fn read(&self, file: &str) -> Result<Vec<Line>, String>;
    fn write_lines(&self, file: &str, lines: Vec<Line>) -> Result<(), String>;
    fn write_json(&self, file: &str, value: &serde_json::Value) -> Result<(), String>;
}

/// What a run is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub profile: Option<String>,
    /// Where requests go instead of AWS.
    pub endpoint_url: Option<String>,
    pub limits: Limits,
    /// Name of the audit role in every account, with its path if it has one.
    pub role: String,
    pub external_id: Option<String>,
    pub source_identity: Option<String>,
    /// Accounts and organizational units (ids, or paths of names) whose workloads are assessed; both empty = all.
    pub accounts: Vec<AccountId>,
    pub organizational_units: Vec<String>,
    /// Regions whose workloads are assessed; empty = all enabled.
    pub regions: Vec<Region>,
    /// Regions where nothing is asked.
    pub skip_regions: Vec<Region>,
    /// How far back finished jobs count.
    pub lookback_days: u32,
    /// Jobs of a kind described per account and region.
    pub max_described_jobs: u32,
    /// Accounts read at a time, and regions of one account at a time.
    pub accounts_in_flight: usize,
    pub regions_in_flight: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: None,
            endpoint_url: None,
            limits: Limits::default(),
            role: "LocardAudit".to_owned(),
            external_id: None,
            source_identity: None,
            accounts: Vec::new(),
            organizational_units: Vec::new(),
            regions: Vec::new(),
            skip_regions: Vec::new(),
            lookback_days: 365,
            max_described_jobs: 500,
            accounts_in_flight: 8,
            regions_in_flight: 6,
        }
    }
}

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// No credentials, or AWS does not take them.
    #[error("{0}")]
    Caller(String),
    /// The organization could not be listed for a reason that may pass, or nothing meets the selection.
    #[error("{0}")]
    Selection(String),
    /// The snapshot could not be written or read.
    #[error("cannot keep the snapshot: {0}")]
    Snapshot(String),
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct CollectOutcome {
    /// Accounts that could have been entered: those listed as active.
    pub accounts: usize,
    /// Accounts that were entered; with none there is no result.
    pub entered: usize,
    /// Accounts chosen by the selection.
    pub selected: usize,
    /// Only the caller's account, with the caller's own credentials.
    pub single_account: bool,
    /// Stopped before everything was read.
    pub interrupted: bool,
    pub calls: BTreeMap<String, CallCount>,
    pub clock_skew_seconds: Option<i64>,
}

/// A caller whose identity is known, ready to collect.
#[derive(Debug)]
pub struct Collection {
    options: Options,
    caller: Caller,
}

/// Finds out who is calling. Two calls at most leave the machine.
pub async fn connect(options: Options) -> Result<Collection, CollectError> {
    let source = Source {
        profile: options.profile.clone(),
        endpoint_url: options.endpoint_url.clone(),
        region: options.regions.first().cloned(),
        limits: options.limits,
    };
    let caller = caller(&source).await.map_err(CollectError::Caller)?;
    Ok(Collection { options, caller })
}

impl Collection {
    /// ARN of whoever is calling.
    pub fn caller(&self) -> &str {
        &self.caller.arn
    }

    /// What the run sets out to do; its digest decides whether a snapshot may be resumed.
    pub fn plan(&self) -> Plan {
        let mut operations: Vec<String> = OPERATIONS.iter().map(|op| format!("{}:{}", op.service, op.name)).collect();
        operations.sort();
        Plan {
            snapshot_version: SNAPSHOT_VERSION,
            caller: self.caller.arn.clone(),
            role: self.options.role.clone(),
            accounts: self.options.accounts.clone(),
            organizational_units: self.options.organizational_units.clone(),
            regions: self.options.regions.clone(),
            skip_regions: self.options.skip_regions.clone(),
            operations,
            ai_lookback_days: self.options.lookback_days,
            max_described_jobs: self.options.max_described_jobs,
        }
    }

    /// Reads the organization into the sink. `run_id` names the sessions, `as_of` is the start of the run; a resumed
    /// run has those of the run it continues.
    pub async fn run(
        &self,
        run_id: &str,
        as_of: Timestamp,
        sink: Arc<dyn Sink>,
        progress: Arc<Progress>,
    ) -> Result<CollectOutcome, CollectError> {
        let (stop, stopped) = watch::channel(false);
        let ledger = self.caller.common.ledger.clone();
        let watcher = tokio::spawn({
            let (progress, ledger) = (progress.clone(), ledger.clone());
            async move { watch_over(&progress, &ledger, &stop).await }
        });
        let outcome = self.sweep(run_id, as_of, sink, progress.clone(), stopped).await;
        watcher.abort();
        progress.end();
        outcome
    }

    /// What came of a run that was stopped before it knew the accounts.
    fn stopped_early(&self) -> CollectOutcome {
        CollectOutcome {
            accounts: 0,
            entered: 0,
            selected: 0,
            single_account: false,
            interrupted: true,
            calls: self.caller.common.ledger.calls(),
            clock_skew_seconds: self.caller.common.ledger.clock_skew_seconds(),
        }
    }

    async fn sweep(
        &self,
        run_id: &str,
        as_of: Timestamp,
        sink: Arc<dyn Sink>,
        progress: Arc<Progress>,
        stopped: watch::Receiver<bool>,
    ) -> Result<CollectOutcome, CollectError> {
        let frame = Frame {
            partition: self.caller.partition.clone(),
            as_of,
            lookback_days: self.options.lookback_days,
            max_jobs: usize::try_from(self.options.max_described_jobs).unwrap_or(usize::MAX),
        };
        let selection = Selection {
            accounts: self.options.accounts.clone(),
            organizational_units: self.options.organizational_units.clone(),
        };
        let found = tokio::select! {
            biased;
            () = stopping(&stopped) => return Ok(self.stopped_early()),
            found = discover(&self.caller, &frame, &selection) => found.map_err(CollectError::Selection)?,
        };
        write_organization(&sink, &found.organization).await?;

        let role = Role {
            name: self.options.role.clone(),
            external_id: self.options.external_id.clone(),
            source_identity: self.options.source_identity.clone(),
            run_id: run_id.to_owned(),
        };
        let management = found.organization.organization.known().map(|known| known.management_account.clone());
        let selected = found.organization.accounts.iter().filter(|account| account.selected).count();
        let accounts: Vec<Account> = found.organization.accounts.into_iter().filter(may_be_entered).collect();
        let sweep = Arc::new(Sweep {
            caller: self.caller.clone(),
            role: (!found.single_account).then_some(role),
            home: frame.partition.home_region(),
            frame,
            options: self.options.clone(),
            management,
            sink,
            progress,
            stopped,
            entries: Mutex::default(),
        });
        let census = sweep.first_pass(&accounts).await?;
        // A region that is nowhere enabled is a typing error, and "no AI" would be the answer to it.
        let nowhere = self.options.regions.iter().find(|region| !census.read.contains(region));
        if let (Some(region), false, false) = (nowhere, census.entered.is_empty(), sweep.is_stopped()) {
            let message = format!("region {region} is not enabled in any account that was entered");
            return Err(CollectError::Selection(message));
        }
        let (accounts, entered) = (accounts.len(), census.entered.len());
        if !sweep.is_stopped() {
            sweep.second_pass(census).await?;
        }
        Ok(CollectOutcome {
            accounts,
            entered,
            selected,
            single_account: found.single_account,
            interrupted: sweep.is_stopped(),
            calls: self.caller.common.ledger.calls(),
            clock_skew_seconds: self.caller.common.ledger.clock_skew_seconds(),
        })
    }
}

/// Waits until the run is to stop.
async fn stopping(stopped: &watch::Receiver<bool>) {
    let mut stopped = stopped.clone();
    if stopped.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Keeps progress moving and listens for the one who wants to stop. The listener outlives every tick: one that was made
/// anew for each would miss what is pressed at the same moment.
async fn watch_over(progress: &Progress, ledger: &crate::aws::ledger::Ledger, stop: &watch::Sender<bool>) {
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            biased;
            heard = &mut interrupt => {
                // Where the signal cannot be listened for, it ends the process as it would have anyway.
                if heard.is_err() {
                    std::future::pending::<()>().await;
                }
                progress.note("stopping: what is complete is kept; run again with --resume to go on");
                stop.send_replace(true);
                interrupt.set(tokio::signal::ctrl_c());
            }
            () = tokio::time::sleep(Duration::from_millis(250)) => progress.tick(ledger),
        }
    }
}

/// Accounts that AWS calls active, and those of which it says nothing.
fn may_be_entered(account: &Account) -> bool {
    account.state.as_deref().is_none_or(|state| state == "ACTIVE")
}

/// Everything the units of a run share.
struct Sweep {
    caller: Caller,
    /// None: single-account mode.
    role: Option<Role>,
    home: Region,
    frame: Frame,
    options: Options,
    management: Option<AccountId>,
    sink: Arc<dyn Sink>,
    progress: Arc<Progress>,
    stopped: watch::Receiver<bool>,
    /// Sessions live from the first pass into the second.
    entries: Mutex<BTreeMap<AccountId, Entry>>,
}

/// What the first pass leaves in memory: names, and who could be entered.
#[derive(Default)]
struct Census {
    references: References,
    entered: BTreeSet<AccountId>,
    /// Regions whose workloads were read in any account.
    read: BTreeSet<Region>,
    /// Entered accounts whose trails the first pass has read.
    trails_read: BTreeSet<AccountId>,
    /// Buckets that were listed without their region. AWS sends it; not every server does.
    unlocated: BTreeSet<(AccountId, String)>,
}

/// What one account's first pass adds to it.
struct Counted {
    references: References,
    entered: bool,
    read: Vec<Region>,
    trails_read: bool,
    unlocated: Vec<String>,
}

impl Sweep {
    fn entry(&self, account: &AccountId) -> Entry {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(account.clone()).or_insert_with(|| match &self.role {
            Some(role) => self.caller.entry(account, role),
            None => self.caller.own_entry(),
        });
        entry.clone()
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Workloads, trails and bucket names of every account; in accounts that were not selected, bucket names alone,
    /// which tell whose a bucket is.
    async fn first_pass(self: &Arc<Self>, accounts: &[Account]) -> Result<Census, CollectError> {
        self.progress.begin("inventory", accounts.len());
        let mut census = Census::default();
        let units = accounts.iter().cloned().map(|account| {
            let sweep = self.clone();
            async move {
                let counted = sweep.first_pass_of(&account).await?;
                Ok(counted.map(|counted| (account.id, counted)))
            }
        });
        self.each(units, |(account, counted)| {
            census.references.merge(counted.references);
            census.read.extend(counted.read);
            census.unlocated.extend(counted.unlocated.into_iter().map(|name| (account.clone(), name)));
            if counted.trails_read {
                census.trails_read.insert(account.clone());
            }
            if counted.entered {
                census.entered.insert(account);
            }
        })
        .await?;
        Ok(census)
    }

    /// Runs units, a few at a time, each as a task of its own; stops starting new ones when the run is to stop.
    async fn each<T: Send + 'static>(
        &self,
        units: impl Iterator<Item = impl Future<Output = Result<Option<T>, CollectError>> + Send + 'static>,
        mut take: impl FnMut(T),
    ) -> Result<(), CollectError> {
        let mut units = units;
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.options.accounts_in_flight.max(1) && !self.is_stopped() {
                match units.next() {
                    Some(unit) => drop(running.spawn(unit)),
                    None => break,
                }
            }
            let Some(done) = running.join_next().await else { return Ok(()) };
            match done {
                // An error drops the set, which ends what still runs: its results could not be kept either.
                Ok(result) => {
                    if let Some(value) = result? {
                        take(value);
                        self.progress.step();
                    }
                }
                Err(failed) => match failed.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(cancelled) => panic!("internal error: nobody cancels a unit: {cancelled}"),
                },
            }
        }
    }

    /// None when the run stopped before the account was complete.
    async fn first_pass_of(&self, account: &Account) -> Result<Option<Counted>, CollectError> {
        let file = format!("accounts/{}/inventory.jsonl.zst", account.id);
        if let Some(lines) = self.kept(&file).await {
            return Ok(Some(self.count(account, &lines)));
        }
        let lines = tokio::select! {
            biased;
            () = stopping(&self.stopped) => return Ok(None),
            lines = AssertUnwindSafe(self.inventory(account)).catch_unwind() => lines.unwrap_or_else(|panic| {
                let unknown = Unknown::new("sts:AssumeRole", Why::Failed).in_account(&account.id);
                vec![not_entered(account, unknown.saying(internal(panic.as_ref())))]
            }),
        };
        let counted = self.count(account, &lines);
        self.write(file, lines).await?;
        Ok(Some(counted))
    }

    fn count(&self, account: &Account, lines: &[Line]) -> Counted {
        let entered = lines.iter().any(|line| matches!(&line.fact, Fact::Account(entry) if entry.session.is_ok()));
        let unlocated = lines.iter().filter_map(|line| match &line.fact {
            Fact::BucketName(bucket) if bucket.region.is_none() => Some(bucket.name.clone()),
            _ => None,
        });
        let read = lines.iter().find_map(|line| match &line.fact {
            Fact::Account(entry) => Some(entry.read_regions.clone()),
            _ => None,
        });
        Counted {
            references: References::of(lines),
            entered,
            read: read.into_iter().flatten().collect(),
            trails_read: entered && self.reads_trails(account),
            unlocated: unlocated.collect(),
        }
    }

    /// The trails of the management account may record every member.
    fn reads_trails(&self, account: &Account) -> bool {
        account.selected || self.management.as_ref() == Some(&account.id)
    }

    async fn inventory(&self, account: &Account) -> Vec<Line> {
        let entry = self.entry(&account.id);
        let session = match entry.ready(Session::Evidence).await {
            Ok(session) => session,
            Err(unknown) => return vec![not_entered(account, unknown)],
        };
        let home = Scope::new(&self.frame, &entry, &self.home);
        let (enabled, reads) = if self.reads_trails(account) {
            enabled_regions(&home).await
        } else {
            (Err(not_collected("ec2:DescribeRegions").in_account(&account.id)), Vec::new())
        };
        let told = self.allowed(&enabled);
        let read: Vec<Region> = if account.selected { told.clone() } else { Vec::new() };
        let read: Vec<Region> = read.into_iter().filter(|region| self.chosen(region)).collect();
        let trails = if self.reads_trails(account) { told } else { Vec::new() };

        let regions: BTreeSet<&Region> = read.iter().chain(&trails).collect();
        let scopes: Vec<Scope> = regions.iter().map(|region| Scope::new(&self.frame, &entry, region)).collect();
        let mut units: Vec<BoxFuture<'_, Vec<Line>>> = vec![guarded(&home, "s3", s3::list(&home))];
        for scope in &scopes {
            let (workloads, trails) = (read.contains(&scope.region), trails.contains(&scope.region));
            units.push(region_inventory(scope, workloads, trails).boxed());
        }
        let mut lines = self.few_regions(units).await;
        let fact = AccountEntry {
            session: Ok(session),
            enabled_regions: enabled,
            read_regions: read,
            workloads: account.selected,
        };
        lines.push(Line::new(&account.id, None, account.id.as_str(), reads, Fact::Account(fact)));
        lines
    }

    /// Regions of an account where something may be asked. Where they could not be told: those the run was asked
    /// for, else the home region, which every account has.
    fn allowed(&self, enabled: &Told<Vec<Region>>) -> Vec<Region> {
        let mut regions = match enabled {
            Ok(regions) => regions.clone(),
            Err(_) if self.options.regions.is_empty() => vec![self.home.clone()],
            Err(_) => self.options.regions.clone(),
        };
        regions.retain(|region| !self.options.skip_regions.contains(region));
        regions
    }

    fn chosen(&self, region: &Region) -> bool {
        self.options.regions.is_empty() || self.options.regions.contains(region)
    }

    async fn few_regions(&self, units: Vec<BoxFuture<'_, Vec<Line>>>) -> Vec<Line> {
        let limit = self.options.regions_in_flight.max(1);
        stream::iter(units).buffer_unordered(limit).concat().await
    }

    /// What the inventory reaches, read by its owner, and what that reaches in turn.
    async fn second_pass(self: &Arc<Self>, mut census: Census) -> Result<(), CollectError> {
        let mut read = Done::default();
        let mut written: BTreeSet<AccountId> = BTreeSet::new();
        // What an interrupted run has read already says as much as what this one reads.
        for account in &census.entered {
            if let Some(lines) = self.kept(&reached_file(account)).await {
                read.mark_lines(account, &lines);
                written.insert(account.clone());
                census.references.merge(References::of(&lines));
            }
        }
        for _ in 0..ROUNDS {
            let mut by_account: BTreeMap<AccountId, Vec<Reading>> = BTreeMap::new();
            for reading in readings(&census.references, &self.home) {
                let skipped = self.options.skip_regions.contains(&reading.region);
                if skipped || !census.entered.contains(&reading.account) {
                    continue;
                }
                if let Some(reading) = read.left(reading) {
                    read.mark(&reading);
                    by_account.entry(reading.account.clone()).or_default().push(reading);
                }
            }
            if by_account.is_empty() || self.is_stopped() {
                break;
            }
            self.progress.begin("evidence", by_account.len());
            let units = by_account.into_iter().map(|(account, readings)| {
                // Buckets are judged by the trails of their owner, which may not have been selected.
                let buckets = readings.iter().any(|reading| !reading.buckets.is_empty());
                let unit = Unit {
                    trails: buckets && census.trails_read.insert(account.clone()),
                    unlocated: unlocated(&census.unlocated, &account, &readings),
                    before: written.contains(&account),
                    account,
                    readings,
                };
                let sweep = self.clone();
                async move { sweep.reached(unit).await }
            });
            let units: Vec<_> = units.collect();
            self.each(units.into_iter(), |(account, references, told)| {
                census.references.merge(references);
                // Buckets were read where they turned out to be, which is not where they were asked for.
                read.extend(told);
                written.insert(account);
            })
            .await?;
        }
        Ok(())
    }

    /// None when the run stopped before the account was complete.
    async fn reached(&self, unit: Unit) -> Result<Option<(AccountId, References, Done)>, CollectError> {
        let file = reached_file(&unit.account);
        let lines = tokio::select! {
            biased;
            () = stopping(&self.stopped) => return Ok(None),
            lines = self.read_reached(&unit) => lines,
        };
        let references = References::of(&lines);
        let mut told = Done::default();
        told.mark_lines(&unit.account, &lines);
        let lines = if unit.before { merged(self.read_file(&file).await?, lines) } else { lines };
        self.write(file, lines).await?;
        Ok(Some((unit.account, references, told)))
    }

    async fn read_reached(&self, unit: &Unit) -> Vec<Line> {
        let entry = self.entry(&unit.account);
        let home = Scope::new(&self.frame, &entry, &self.home);
        let (readings, mut lines) = locate(&home, unit).await;
        let mut regions: BTreeSet<&Region> = readings.keys().collect();
        if unit.trails {
            regions.insert(&self.home);
        }
        regions.retain(|region| !self.options.skip_regions.contains(region));
        let scopes: Vec<Scope> = regions.iter().map(|region| Scope::new(&self.frame, &entry, region)).collect();
        let mut units = Vec::new();
        for scope in &scopes {
            if let Some(reading) = readings.get(&scope.region) {
                units.push(region_reached(scope, reading).boxed());
            }
            if unit.trails {
                units.push(guarded(scope, "cloudtrail", cloudtrail::collect(scope)));
            }
        }
        lines.extend(self.few_regions(units).await);
        lines
    }

    /// The lines of a file that an interrupted run completed; none if there is something in it that may be read this
    /// time, or if it cannot be read back.
    async fn kept(&self, file: &str) -> Option<Vec<Line>> {
        if !self.sink.done(file) {
            return None;
        }
        match self.read_file(file).await {
            Ok(lines) if !lines.iter().any(worth_repeating) => Some(lines),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!("{file} is collected again: {error}");
                None
            }
        }
    }

    async fn read_file(&self, file: &str) -> Result<Vec<Line>, CollectError> {
        let (sink, file) = (self.sink.clone(), file.to_owned());
        on_disk(move || sink.read(&file)).await
    }

    async fn write(&self, file: String, lines: Vec<Line>) -> Result<(), CollectError> {
        let sink = self.sink.clone();
        on_disk(move || sink.write_lines(&file, sorted(lines))).await
    }
}

/// One account's share of a round of the second pass.
struct Unit {
    account: AccountId,
    readings: Vec<Reading>,
    /// Those of its buckets that must be located first.
    unlocated: BTreeSet<String>,
    /// Whether its trails are to be read too.
    trails: bool,
    /// An earlier round has written its file.
    before: bool,
}

async fn write_organization(sink: &Arc<dyn Sink>, organization: &Organization) -> Result<(), CollectError> {
    let value = serde_json::to_value(organization)
        .unwrap_or_else(|error| panic!("internal error: an organization is plain data: {error}"));
    let sink = sink.clone();
    on_disk(move || sink.write_json("organization.json", &value)).await
}

/// Files are compressed and synced; that must not hold up the calls under way.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, CollectError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(CollectError::Snapshot),
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => panic!("internal error: nobody cancels work on disk: {cancelled}"),
        },
    }
}

fn reached_file(account: &AccountId) -> String {
    format!("accounts/{account}/reached.jsonl.zst")
}

fn not_entered(account: &Account, unknown: Unknown) -> Line {
    let regions = Unknown::new("ec2:DescribeRegions", Why::NotEntered).in_account(&account.id);
    let fact = AccountEntry {
        session: Err(unknown),
        enabled_regions: Err(regions),
        read_regions: Vec::new(),
        workloads: account.selected,
    };
    Line::new(&account.id, None, account.id.as_str(), Vec::new(), Fact::Account(fact))
}

/// The regions enabled in an account, sorted, without those of other partitions.
async fn enabled_regions(home: &Scope) -> (Told<Vec<Region>>, Vec<Read>) {
    let call = "ec2:DescribeRegions";
    let request = client::ec2(&home.evidence).describe_regions().all_regions(true).send();
    let Answer { value, read } = match home.ask(call, request).await {
        Ok(answer) => answer,
        Err(unknown) => return (Err(unknown), Vec::new()),
    };
    let regions = required(home, call, "regionInfo", value.regions).and_then(|regions| {
        let mut enabled = BTreeSet::new();
        for region in regions {
            let name = required(home, call, "regionName", region.region_name)?;
            let status = required(home, call, "optInStatus", region.opt_in_status)?;
            let region = Region::new(name);
            if status != "not-opted-in" && Partition::of_region(&region) == home.partition {
                enabled.insert(region);
            }
        }
        if enabled.is_empty() {
            return Err(malformed(home, call, "no region is enabled"));
        }
        Ok(enabled.into_iter().collect())
    });
    (regions, vec![read])
}

async fn region_inventory(scope: &Scope, workloads: bool, trails: bool) -> Vec<Line> {
    let mut units = Vec::new();
    if workloads {
        units.push(guarded(scope, "sagemaker", sagemaker::collect(scope)));
        units.push(guarded(scope, "bedrock", bedrock::collect(scope)));
        units.push(guarded(scope, "bedrock-agent", bedrockagent::collect(scope)));
    }
    if trails {
        units.push(guarded(scope, "cloudtrail", cloudtrail::collect(scope)));
    }
    join_all(units).await.concat()
}

async fn region_reached(scope: &Scope, reading: &Reading) -> Vec<Line> {
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
    join_all(units).await.concat()
}

/// Runs a collector so that a bug in it costs only what it would have told: that is unknown then, not absent.
fn guarded<'a>(
    scope: &'a Scope,
    service: &'static str,
    collector: impl Future<Output = Vec<Line>> + Send + 'a,
) -> BoxFuture<'a, Vec<Line>> {
    let lines = AssertUnwindSafe(collector).catch_unwind();
    let or_unknown = move |lines: Result<Vec<Line>, Box<dyn Any + Send>>| {
        lines.unwrap_or_else(|panic| {
            let Some(first) = OPERATIONS.iter().find(|operation| operation.service == service) else {
                panic!("internal error: no operation of {service} is listed");
            };
            let call = format!("{}:{}", first.service, first.name);
            let unknown = scope.unknown(&call, Why::Failed).saying(internal(panic.as_ref()));
            vec![listing::listing(scope, &call, Err(unknown), 0, Vec::new())]
        })
    };
    lines.map(or_unknown).boxed()
}

fn internal(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    match text {
        Some(text) if text.starts_with("internal error") => text.to_owned(),
        Some(text) => format!("internal error: {text}"),
        None => "internal error".to_owned(),
    }
}

/// The buckets among readings that were listed without a region.
fn unlocated(all: &BTreeSet<(AccountId, String)>, account: &AccountId, readings: &[Reading]) -> BTreeSet<String> {
    let names = readings.iter().flat_map(|reading| &reading.buckets);
    names.filter(|name| all.contains(&(account.clone(), (*name).clone()))).cloned().collect()
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

/// What the second pass has read, or tried to: nothing is asked twice.
#[derive(Default)]
struct Done {
    buckets: BTreeSet<(AccountId, String)>,
    /// By region: what kind of thing, and its name.
    others: BTreeSet<(AccountId, Region, &'static str, String)>,
}

impl Done {
    /// What of a reading is still to be read; none if nothing is.
    fn left(&self, mut reading: Reading) -> Option<Reading> {
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

    fn mark(&mut self, reading: &Reading) {
        let Reading { account, region, buckets, probes, subnets, log_groups, deliveries, keys } = reading;
        self.buckets.extend(buckets.iter().map(|name| (account.clone(), name.clone())));
        for (kind, names) in [("probe", probes), ("subnet", subnets), ("log_group", log_groups), ("key", keys)] {
            self.others.extend(names.iter().map(|name| (account.clone(), region.clone(), kind, name.clone())));
        }
        if *deliveries {
            self.others.insert((account.clone(), region.clone(), "deliveries", String::new()));
        }
    }

    fn extend(&mut self, other: Self) {
        self.buckets.extend(other.buckets);
        self.others.extend(other.others);
    }

    /// Marks what the lines of a file tell of.
    fn mark_lines(&mut self, account: &AccountId, lines: &[Line]) {
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

/// The lines of two rounds. A later round may list again what an earlier one listed; the later word stands.
fn merged(before: Vec<Line>, after: Vec<Line>) -> Vec<Line> {
    let mut by_key = BTreeMap::new();
    for line in before.into_iter().chain(after) {
        by_key.insert((line.kind.clone(), line.id.clone(), line.region.clone()), line);
    }
    by_key.into_values().collect()
}

/// Whether a line holds an unknown that may be known when asked again.
fn worth_repeating(line: &Line) -> bool {
    fn passing(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Object(members) => {
                let why = members.get("call").and(members.get("why"));
                let why = why.and_then(|why| serde_json::from_value::<Why>(why.clone()).ok());
                why.is_some_and(Why::passing) || members.values().any(passing)
            }
            serde_json::Value::Array(values) => values.iter().any(passing),
            _ => false,
        }
    }
    let value = serde_json::to_value(&line.fact);
    passing(&value.unwrap_or_else(|error| panic!("internal error: a fact is plain data: {error}")))
}
