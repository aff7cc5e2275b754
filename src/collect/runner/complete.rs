//! Completing a snapshot that was put together from those of shards: what workloads of one reach in accounts of
//! another, which no shard could read.
//!
//! The inventories stay as they are; which names are reached is decided in `relate::reach`.

use std::sync::{Arc, Mutex};

use super::sweep::Sweep;
use super::{CollectError, CollectOutcome, Collection, Sink, may_be_entered};
use crate::collect::progress::Progress;
use crate::inventory::organizations::{Account, Organization};
use crate::model::time::Timestamp;

impl Collection {
    /// Reads what the facts in the sink reach and nobody has read. Accounts without an inventory are not entered. Run
    /// id and start are those of the merged snapshot.
    pub async fn complete(
        &self,
        run_id: &str,
        as_of: Timestamp,
        organization: &Organization,
        sink: Arc<dyn Sink>,
        progress: Arc<Progress>,
    ) -> Result<CollectOutcome, CollectError> {
        let (watcher, stopped) = self.watch(&progress);
        let frame = self.frame(as_of);
        let sweep = Arc::new(Sweep {
            caller: self.caller.clone(),
            role: Some(self.role(run_id)),
            home: frame.partition.home_region(),
            frame,
            options: self.options.clone(),
            management: organization.organization.known().map(|known| known.management_account.clone()),
            completes: true,
            sink,
            progress: progress.clone(),
            stopped,
            entries: Mutex::default(),
        });
        let outcome = self.complete_with(&sweep, organization).await;
        watcher.abort();
        progress.end();
        outcome
    }

    async fn complete_with(
        &self,
        sweep: &Arc<Sweep>,
        organization: &Organization,
    ) -> Result<CollectOutcome, CollectError> {
        let accounts: Vec<Account> = organization.accounts.iter().filter(|a| may_be_entered(a)).cloned().collect();
        let census = sweep.first_pass(&accounts).await?;
        let entered = census.entered.len();
        if !sweep.is_stopped() {
            sweep.second_pass(census).await?;
        }
        Ok(CollectOutcome {
            accounts: accounts.len(),
            entered,
            selected: accounts.iter().filter(|account| account.selected).count(),
            single_account: false,
            interrupted: sweep.is_stopped(),
            calls: self.caller.common.ledger.calls(),
            clock_skew_seconds: self.caller.common.ledger.clock_skew_seconds(),
        })
    }
}
