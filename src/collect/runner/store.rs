//! The files of the snapshot as the sweep uses them: what an earlier run completed, and what this one adds.
//!
//! Where files are and how they are sealed is behind [`Sink`].

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{CollectError, Sink};
use crate::inventory::Line;
use crate::inventory::organizations::Organization;
use crate::model::ids::AccountId;

/// Files compressed or read at a time: each takes memory of its own, and one disk is behind them all.
const AT_A_TIME: u32 = 4;

/// The sink, and who is at it.
#[derive(Clone)]
pub(super) struct Store {
    sink: Arc<dyn Sink>,
    /// What is there stays as it is: only what it reaches and nobody has read is read.
    pub completes: bool,
    room: Arc<Semaphore>,
}

impl Store {
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, completes: false, room: Arc::new(Semaphore::new(AT_A_TIME as usize)) }
    }

    /// The same for a run that completes another's snapshot.
    pub(super) fn completing(sink: Arc<dyn Sink>) -> Self {
        Self { completes: true, ..Self::new(sink) }
    }

    /// Whether the file is complete.
    pub(super) fn has(&self, file: &str) -> bool {
        self.sink.done(file)
    }

    /// The lines of a file that an interrupted run wrote; none if it cannot be read back, which is no loss.
    pub(super) async fn earlier(&self, file: &str) -> Option<Vec<Line>> {
        if !self.has(file) {
            return None;
        }
        match self.read(file).await {
            Ok(lines) => Some(lines),
            Err(error) => {
                tracing::warn!("{file} is collected again: {error}");
                None
            }
        }
    }

    pub(super) async fn read(&self, file: &str) -> Result<Vec<Line>, CollectError> {
        let file = file.to_owned();
        self.work(move |sink| sink.read(&file)).await
    }

    pub(super) async fn organization(&self) -> Result<Option<Organization>, CollectError> {
        self.work(|sink| sink.organization()).await
    }

    pub(super) async fn write(&self, file: String, lines: Vec<Line>) -> Result<(), CollectError> {
        self.work(move |sink| sink.write_lines(&file, lines)).await
    }

    pub(super) async fn write_organization(&self, organization: Organization) -> Result<(), CollectError> {
        self.work(move |sink| sink.write_organization(&organization)).await
    }

    /// Waits for whoever is still at it, those included whose results nobody waits for any more, and lets in nobody
    /// else: the snapshot is about to be sealed.
    pub(super) async fn settle(&self) {
        let _all = self.room.acquire_many(AT_A_TIME).await;
        self.room.close();
    }

    /// Files are compressed and synced; that must not hold up the calls under way.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Sink) -> Result<T, String> + Send + 'static,
    ) -> Result<T, CollectError> {
        let sink = self.sink.clone();
        let Ok(room) = self.room.clone().acquire_owned().await else {
            // Too late: whoever asks was given up.
            return std::future::pending().await;
        };
        let done = tokio::task::spawn_blocking(move || {
            let _room = room;
            work(sink.as_ref())
        });
        match done.await {
            Ok(result) => result.map_err(CollectError::Snapshot),
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(cancelled) => panic!("internal error: nobody cancels work on disk: {cancelled}"),
            },
        }
    }
}

pub(super) fn inventory_file(account: &AccountId) -> String {
    format!("accounts/{account}/inventory.jsonl.zst")
}

pub(super) fn reached_file(account: &AccountId) -> String {
    format!("accounts/{account}/reached.jsonl.zst")
}
