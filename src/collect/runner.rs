//! The sweep: what a run is asked for, and how it goes, in two passes.
//!
//! How an account is entered is in `aws::session`, what is asked in a region in the file of each service, which names
//! the second pass reads in `relate::reach`; files and hashes are behind [`Sink`].

mod complete;
mod first;
mod second;
mod sweep;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use crate::aws::client::Limits;
use crate::aws::session::{Caller, Role, Source, caller};
use crate::inventory::Line;
use crate::inventory::operations::OPERATIONS;
use crate::inventory::organizations::{Account, Organization};
use crate::inventory::snapshot::{CallCount, Plan, SNAPSHOT_VERSION};
use crate::model::ids::{AccountId, Region};
use crate::model::shard::Shard;
use crate::model::time::Timestamp;

use super::organizations::{Selection, discover};
use super::progress::Progress;
use super::scope::Frame;
use sweep::{Sweep, on_disk};

/// The calls the runner itself makes in an account.
pub(crate) const CALLS: &[&str] = &["sts:GetCallerIdentity", "sts:AssumeRole", "ec2:DescribeRegions"];

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
    /// Enter the accounts of this shard only.
    pub shard: Option<Shard>,
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
            shard: None,
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
        let (watcher, stopped) = self.watch(&progress);
        let outcome = self.sweep(run_id, as_of, sink, progress.clone(), stopped).await;
        watcher.abort();
        progress.end();
        outcome
    }

    /// Keeps progress moving until it is aborted, and tells when the run is to stop.
    fn watch(&self, progress: &Arc<Progress>) -> (JoinHandle<()>, watch::Receiver<bool>) {
        let (stop, stopped) = watch::channel(false);
        let (progress, ledger) = (progress.clone(), self.caller.common.ledger.clone());
        let watcher = tokio::spawn(async move { watch_over(&progress, &ledger, &stop).await });
        (watcher, stopped)
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
        let frame = self.frame(as_of);
        let selection = Selection {
            accounts: self.options.accounts.clone(),
            organizational_units: self.options.organizational_units.clone(),
        };
        let found = tokio::select! {
            biased;
            () = stopping(&stopped) => return Ok(self.stopped_early()),
            found = discover(&self.caller, &frame, &selection) => found.map_err(CollectError::Selection)?,
        };
        if let (Some(shard), true) = (self.options.shard, found.single_account) {
            let message = format!("shard {shard} is a part of an organization, and there is none that can be listed");
            return Err(CollectError::Selection(message));
        }
        write_organization(&sink, &found.organization).await?;
        let management = found.organization.organization.known().map(|known| known.management_account.clone());
        let selected = found.organization.accounts.iter().filter(|account| account.selected).count();
        let mut accounts: Vec<Account> = found.organization.accounts.into_iter().filter(may_be_entered).collect();
        accounts.retain(|account| self.options.shard.is_none_or(|shard| shard.holds(&account.id)));
        let sweep = Arc::new(Sweep {
            caller: self.caller.clone(),
            role: (!found.single_account).then(|| self.role(run_id)),
            home: frame.partition.home_region(),
            frame,
            options: self.options.clone(),
            management,
            completes: false,
            sink,
            progress,
            stopped,
            entries: Mutex::default(),
        });
        let census = sweep.first_pass(&accounts).await?;
        // A region that is nowhere enabled is a typing error, and "no AI" would be the answer to it.
        // Of a shard's accounts none may have it where others do.
        let nowhere = self.options.regions.iter().find(|region| !census.read.contains(region));
        let tells = !census.entered.is_empty() && !sweep.is_stopped() && self.options.shard.is_none();
        if let (Some(region), true) = (nowhere, tells) {
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

/// Every call a run may make, sorted.
pub fn operations() -> Vec<String> {
    let mut all: Vec<String> = OPERATIONS.iter().map(|op| format!("{}:{}", op.service, op.name)).collect();
    all.sort();
    all
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

async fn write_organization(sink: &Arc<dyn Sink>, organization: &Organization) -> Result<(), CollectError> {
    let value = serde_json::to_value(organization)
        .unwrap_or_else(|error| panic!("internal error: an organization is plain data: {error}"));
    let sink = sink.clone();
    on_disk(move || sink.write_json("organization.json", &value)).await
}
