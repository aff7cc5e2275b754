//! Completing a snapshot that was put together from those of shards: what workloads of one reach in accounts of
//! another, which no shard could read.
//!
//! The inventories stay as they are; which names are reached is decided in `relate::reach`.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::store::Store;
use super::sweep::Sweep;
use super::{CollectError, CollectOutcome, Collection, Sink, may_be_entered};
use crate::collect::organizations::Chosen;
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
        let watcher = self.watch(&progress);
        let frame = self.frame(as_of);
        let sweep = Arc::new(Sweep {
            caller: self.caller.clone(),
            role: Some(Arc::new(self.role(run_id))),
            home: frame.partition.home_region(),
            frame,
            options: self.options.clone(),
            management: organization.organization.known().map(|known| known.management_account.clone()),
            store: Store::completing(sink),
            progress: progress.clone(),
        });
        let outcome = self.complete_with(&sweep, organization).await;
        // As for any run: what is still being written belongs to the snapshot.
        sweep.store.settle().await;
        watcher.abort();
        progress.end();
        outcome
    }

    async fn complete_with(
        &self,
        sweep: &Arc<Sweep>,
        organization: &Organization,
    ) -> Result<CollectOutcome, CollectError> {
        let accounts: Vec<&Account> = organization.accounts.iter().filter(|account| may_be_entered(account)).collect();
        sweep.progress.begin("inventory", Some(accounts.len()));
        let (give, given) = mpsc::unbounded_channel();
        for account in &accounts {
            // Nobody has closed the other end yet.
            let _ = give.send(Chosen { id: account.id.clone(), selected: account.selected });
        }
        drop(give);
        let census = sweep.first_pass(given).await?;
        let entered = census.entered.len();
        if !sweep.stop().is_set() {
            sweep.second_pass(census).await?;
        }
        Ok(CollectOutcome {
            accounts: accounts.len(),
            entered,
            selected: accounts.iter().filter(|account| account.selected).count(),
            ..self.outcome()
        })
    }
}
