//! The sweep: what a run is asked for, and how it goes, in two passes.
//!
//! How an account is entered is in `aws::session`, what is asked in a region in the file of each service, which names
//! the second pass reads in `relate::reach`; files and hashes are behind [`Sink`].

mod again;
mod complete;
mod first;
mod second;
mod store;
mod sweep;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

pub use crate::aws::client::Limits;
use crate::aws::ledger::Ledger;
use crate::aws::session::{Caller, NoCaller, Role, Source, caller};
use crate::aws::stop::GRACE;
pub use crate::aws::stop::{Cause, Stop};
use crate::aws::turns::Turns;
use crate::inventory::Line;
use crate::inventory::operations::OPERATIONS;
use crate::inventory::organizations::{Account, Organization};
use crate::inventory::snapshot::{CallCount, Plan, SNAPSHOT_VERSION};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::Unknown;
use crate::model::shard::Shard;
use crate::model::time::Timestamp;

use super::organizations::{Chosen, Feed, Selection, discover};
use super::progress::Progress;
use super::scope::Frame;
use store::Store;
use sweep::Sweep;

/// The calls the runner itself makes in an account.
pub(crate) const CALLS: &[&str] = &["sts:GetCallerIdentity", "sts:AssumeRole", "ec2:DescribeRegions"];

/// Where the results of a run go as soon as they are complete. Names are relative to the snapshot; a name written again
/// replaces what was there.
pub trait Sink: Send + Sync {
    /// Whether an earlier, interrupted run of the same plan, or this one, has completed the file.
    fn done(&self, file: &str) -> bool;
    /// The lines of a completed file.
    fn read(&self, file: &str) -> Result<Vec<Line>, String>;
    /// Who was in scope, if an earlier run has found out.
    fn organization(&self) -> Result<Option<Organization>, String>;
    fn write_lines(&self, file: &str, lines: Vec<Line>) -> Result<(), String>;
    fn write_organization(&self, organization: &Organization) -> Result<(), String>;
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
    /// Enter the accounts of this shard only.
    pub shard: Option<Shard>,
    /// Accounts read at a time, at most: what is known of them is in memory meanwhile.
    pub accounts_in_flight: usize,
    /// Ends the run early when told.
    pub stop: Stop,
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
            shard: None,
            accounts_in_flight: 80,
            stop: Stop::default(),
        }
    }
}

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// There are no credentials.
    #[error("{0}")]
    NoCredentials(String),
    /// AWS does not take them, or cannot be asked.
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
    /// Why it ended before everything was read; none if everything was.
    pub ended_early: Option<Cause>,
    /// Why the list of accounts is not whole; of a single account, why there is none.
    pub not_listed: Option<Unknown>,
    /// That of an earlier run was kept instead, so that accounts in it were not come to.
    pub list_kept: bool,
    /// Calls that came to nothing and might not another time.
    pub lost: u64,
    pub calls: BTreeMap<String, CallCount>,
    pub clock_skew_seconds: Option<i64>,
}

/// A caller whose identity is known, ready to collect.
#[derive(Debug)]
pub struct Collection {
    options: Options,
    caller: Arc<Caller>,
}

/// Finds out who is calling. Two calls at most leave the machine.
pub async fn connect(options: Options) -> Result<Collection, CollectError> {
    let source = Source {
        profile: options.profile.clone(),
        endpoint_url: options.endpoint_url.clone(),
        region: options.regions.first().cloned(),
        limits: options.limits,
        stop: options.stop.clone(),
    };
    let caller = caller(&source).await.map_err(|error| match error {
        NoCaller::NoCredentials(said) => CollectError::NoCredentials(said),
        NoCaller::Unidentified(said) => CollectError::Caller(said),
    })?;
    Ok(Collection { options, caller: Arc::new(caller) })
}

impl Collection {
    /// ARN of whoever is calling.
    pub fn caller(&self) -> &str {
        &self.caller.arn
    }

    /// What the run sets out to do; its digest decides whether a snapshot may be resumed.
    pub fn plan(&self) -> Plan {
        Plan {
            snapshot_version: SNAPSHOT_VERSION,
            caller: self.caller.arn.clone(),
            role: self.options.role.clone(),
            accounts: self.options.accounts.clone(),
            organizational_units: self.options.organizational_units.clone(),
            regions: self.options.regions.clone(),
            skip_regions: self.options.skip_regions.clone(),
            operations: operations(),
            ai_lookback_days: self.options.lookback_days,
            max_described_jobs: self.options.max_described_jobs,
            shard: self.options.shard,
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
        let watcher = self.watch(&progress);
        let outcome = self.sweep(run_id, as_of, Store::new(sink), progress.clone()).await;
        watcher.abort();
        progress.end();
        outcome
    }

    /// Keeps progress moving until it is aborted, and ends the run when it is to end.
    fn watch(&self, progress: &Arc<Progress>) -> JoinHandle<()> {
        let (progress, common, options) = (progress.clone(), self.caller.common.clone(), self.options.clone());
        tokio::spawn(async move {
            tokio::join!(watch_end(&progress, &options.stop, &common.turns), watch_calls(&progress, &common.ledger),);
        })
    }

    fn frame(&self, as_of: Timestamp) -> Frame {
        Frame {
            partition: self.caller.partition.clone(),
            as_of,
            lookback_days: self.options.lookback_days,
            max_jobs: usize::try_from(self.options.max_described_jobs).unwrap_or(usize::MAX),
        }
    }

    fn role(&self, run_id: &str) -> Role {
        Role {
            name: self.options.role.clone(),
            external_id: self.options.external_id.clone(),
            source_identity: self.options.source_identity.clone(),
            run_id: run_id.to_owned(),
        }
    }

    fn outcome(&self) -> CollectOutcome {
        CollectOutcome {
            accounts: 0,
            entered: 0,
            selected: 0,
            single_account: false,
            ended_early: self.options.stop.cause(),
            not_listed: None,
            list_kept: false,
            lost: self.caller.common.ledger.lost(),
            calls: self.caller.common.ledger.calls(),
            clock_skew_seconds: self.caller.common.ledger.clock_skew_seconds(),
        }
    }

    async fn sweep(
        &self,
        run_id: &str,
        as_of: Timestamp,
        store: Store,
        progress: Arc<Progress>,
    ) -> Result<CollectOutcome, CollectError> {
        let frame = self.frame(as_of);
        let selection = Selection {
            accounts: self.options.accounts.clone(),
            organizational_units: self.options.organizational_units.clone(),
            shard: self.options.shard,
        };
        progress.begin("inventory", None);
        let (feed, kind, accounts) = Feed::new(progress.clone(), self.options.shard);
        let (caller, stop) = (self.caller.clone(), self.options.stop.clone());
        let listed = tokio::spawn({
            let (frame, store) = (frame.clone(), store.clone());
            async move { list(&caller, &frame, &selection, feed, &store).await }
        });
        // What can go wrong with the list does so before the first account comes.
        let kind = match in_time(&stop, kind).await {
            None => return Ok(self.outcome()),
            Some(Ok(kind)) => kind,
            Some(Err(_)) => {
                return match joined(listed.await) {
                    Err(CollectError::Selection(_)) if stop.is_set() => Ok(self.outcome()),
                    Err(error) => Err(error),
                    Ok(_) => panic!("internal error: accounts were listed and not given on"),
                };
            }
        };
        let sweep = Arc::new(Sweep {
            caller: self.caller.clone(),
            role: (!kind.single_account).then(|| Arc::new(self.role(run_id))),
            home: frame.partition.home_region(),
            frame,
            options: self.options.clone(),
            management: kind.management,
            store,
            progress,
        });
        let swept = self.both_passes(&sweep, accounts).await;
        let listing = listed.abort_handle();
        let listed = in_time(&stop, listed).await;
        listing.abort();
        // Files that are still being written belong to the snapshot, and it must not be sealed without them.
        sweep.store.settle().await;
        let outcome = CollectOutcome { entered: swept?, single_account: kind.single_account, ..self.outcome() };
        let Some(listed) = listed else { return Ok(outcome) };
        let Listed { accounts, selected, not_listed, kept } = joined(listed)?;
        Ok(CollectOutcome { list_kept: kept, not_listed, accounts, selected, ..outcome })
    }

    /// How many accounts were entered.
    async fn both_passes(
        &self,
        sweep: &Arc<Sweep>,
        accounts: UnboundedReceiver<Chosen>,
    ) -> Result<usize, CollectError> {
        let census = sweep.first_pass(accounts).await?;
        let entered = census.entered.len();
        if sweep.stop().is_set() {
            return Ok(entered);
        }
        // A region that is nowhere enabled is a typing error, and "no AI" would be the answer to it. Of a shard's
        // accounts none may have it where others do; nor of those that could be entered this time.
        let nowhere = self.options.regions.iter().find(|region| !census.read.contains(region));
        let all_told = entered > 0 && self.options.shard.is_none() && !census.unsure_of_regions;
        if let (Some(region), true) = (nowhere, all_told) {
            let message = format!("region {region} is not enabled in any account that was entered");
            return Err(CollectError::Selection(message));
        }
        sweep.second_pass(census).await?;
        Ok(entered)
    }
}

/// Every call a run may make, sorted.
pub fn operations() -> Vec<String> {
    let mut all: Vec<String> = OPERATIONS.iter().map(|op| format!("{}:{}", op.service, op.name)).collect();
    all.sort();
    all
}

/// What is left of the list of accounts once it is on disk.
struct Listed {
    /// Those to be entered.
    accounts: usize,
    selected: usize,
    /// Why these are not all.
    not_listed: Option<Unknown>,
    /// The list of an earlier run stays there instead.
    kept: bool,
}

/// Lists the organization and puts it into the snapshot.
async fn list(
    caller: &Caller,
    frame: &Frame,
    selection: &Selection,
    feed: Feed,
    store: &Store,
) -> Result<Listed, CollectError> {
    let organization = discover(caller, frame, selection, feed).await.map_err(CollectError::Selection)?;
    let shard = selection.shard;
    let enters = |account: &&Account| may_be_entered(account) && shard.is_none_or(|shard| shard.holds(&account.id));
    let listed = Listed {
        accounts: organization.accounts.iter().filter(enters).count(),
        selected: organization.accounts.iter().filter(|account| account.selected).count(),
        not_listed: organization.listed.as_ref().err().cloned(),
        kept: organization.listed.is_err() && earlier_is_fuller(&organization, store).await,
    };
    if !listed.kept {
        store.write_organization(organization).await?;
    }
    Ok(listed)
}

/// Whether the list of an earlier run is to stay in place of one that broke off: it is whole, or holds more.
async fn earlier_is_fuller(organization: &Organization, store: &Store) -> bool {
    // One that cannot be read back is no loss.
    let Ok(Some(earlier)) = store.organization().await else { return false };
    earlier.listed.is_ok() || earlier.accounts.len() > organization.accounts.len()
}

/// What a future comes to; none if it does not soon after the run is to end.
async fn in_time<T>(stop: &Stop, future: impl Future<Output = T>) -> Option<T> {
    let too_late = async {
        stop.heard().await;
        tokio::time::sleep_until(stop.ends().map_or_else(Instant::now, Instant::from_std)).await;
    };
    tokio::select! {
        biased;
        output = future => Some(output),
        () = too_late => None,
    }
}

/// What a task came to; a panic in it goes on here.
fn joined<T>(done: Result<T, JoinError>) -> T {
    done.unwrap_or_else(|failed| match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => panic!("internal error: nobody cancels it: {cancelled}"),
    })
}

/// Ends a run in time: what is under way then must be finished or given up before the time is over, which begins when
/// this does.
pub async fn end_after(most: Duration, stop: Stop) {
    let lead = (GRACE + Duration::from_secs(1)).min(most / 4);
    tokio::time::sleep(most - lead).await;
    stop.stop_within(lead * 4 / 5, Cause::TimeUp);
}

/// Says why the run ends early, and lets nobody wait any more who wanted to ask.
async fn watch_end(progress: &Progress, stop: &Stop, turns: &Turns) {
    stop.heard().await;
    turns.close();
    progress.note(match stop.cause() {
        Some(Cause::TimeUp) => "time is up: what is complete is kept; run again with --resume to go on",
        Some(Cause::Credentials) => {
            "AWS no longer takes the caller's credentials: what is complete is kept; renew them and run again with --resume"
        }
        Some(Cause::Unreachable) => {
            "AWS does not answer any more: what is complete is kept; run again with --resume when the network is back"
        }
        Some(Cause::Interrupted) | None => {
            "stopping: what is complete is kept; run again with --resume to go on; once more to stop at once"
        }
    });
}

async fn watch_calls(progress: &Progress, ledger: &Ledger) {
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        progress.tick(ledger);
    }
}

/// Accounts that AWS calls active, and those of which it says nothing.
fn may_be_entered(account: &Account) -> bool {
    account.state.as_deref().is_none_or(|state| state == "ACTIVE")
}
