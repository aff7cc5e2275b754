//! What all units of a run share: sessions, the order of work, and files of the snapshot.
//!
//! What a unit reads is in `first` and `second`.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::aws::session::{Caller, Entry, Role};
use crate::inventory::Line;
use crate::inventory::operations::OPERATIONS;
use crate::model::ids::{AccountId, Region};
use crate::model::observed::Why;

use super::{CollectError, Options, Sink};
use crate::collect::listing::{self, sorted};
use crate::collect::progress::Progress;
use crate::collect::scope::{Frame, Scope};

/// Everything the units of a run share.
pub(super) struct Sweep {
    pub caller: Caller,
    /// None: single-account mode.
    pub role: Option<Role>,
    pub home: Region,
    pub frame: Frame,
    pub options: Options,
    pub management: Option<AccountId>,
    /// The inventory stays as it is, and only what it reaches and nobody has read is read.
    pub completes: bool,
    pub sink: Arc<dyn Sink>,
    pub progress: Arc<Progress>,
    pub stopped: watch::Receiver<bool>,
    /// Sessions live from the first pass into the second.
    pub entries: Mutex<BTreeMap<AccountId, Entry>>,
}

impl Sweep {
    pub(super) fn entry(&self, account: &AccountId) -> Entry {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(account.clone()).or_insert_with(|| match &self.role {
            Some(role) => self.caller.entry(account, role),
            None => self.caller.own_entry(),
        });
        entry.clone()
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Runs units, a few at a time, each as a task of its own; stops starting new ones when the run is to stop.
    pub(super) async fn each<T: Send + 'static>(
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

    pub(super) async fn few_regions(&self, units: Vec<BoxFuture<'_, Vec<Line>>>) -> Vec<Line> {
        let limit = self.options.regions_in_flight.max(1);
        stream::iter(units).buffer_unordered(limit).concat().await
    }

    /// The lines of a file that an interrupted run completed; none if there is something in it that this run may read,
    /// or if it cannot be read back.
    pub(super) async fn kept(&self, file: &str) -> Option<Vec<Line>> {
        if !self.sink.done(file) {
            return None;
        }
        match self.read_file(file).await {
            Ok(lines) if self.completes || !lines.iter().any(worth_repeating) => Some(lines),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!("{file} is collected again: {error}");
                None
            }
        }
    }

    pub(super) async fn read_file(&self, file: &str) -> Result<Vec<Line>, CollectError> {
        let (sink, file) = (self.sink.clone(), file.to_owned());
        on_disk(move || sink.read(&file)).await
    }

    pub(super) async fn write(&self, file: String, lines: Vec<Line>) -> Result<(), CollectError> {
        let sink = self.sink.clone();
        on_disk(move || sink.write_lines(&file, sorted(lines))).await
    }
}

/// Files are compressed and synced; that must not hold up the calls under way.
pub(super) async fn on_disk<T: Send + 'static>(
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

/// Runs a collector so that a bug in it costs only what it would have told: that is unknown then, not absent.
pub(super) fn guarded<'a>(
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

pub(super) fn internal(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    match text {
        Some(text) if text.starts_with("internal error") => text.to_owned(),
        Some(text) => format!("internal error: {text}"),
        None => "internal error".to_owned(),
    }
}

/// Whether a line holds an unknown that may be known when asked again.
pub(super) fn worth_repeating(line: &Line) -> bool {
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
