//! How often each operation was called in this process, and how far its clock is off.
//!
//! Filled by `wire` and `call`, read by the manifest and the progress line.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::inventory::operations::{OPERATIONS, Operation};
use crate::inventory::snapshot::CallCount;
use crate::model::observed::Why;

/// Counts per operation of the allow-list; nothing else can leave the process.
#[derive(Debug)]
pub struct Ledger {
    /// In the order of [`OPERATIONS`].
    counts: Vec<Counts>,
    skew: OnceLock<i64>,
    /// Seconds the host's clock is taken to be ahead when requests are signed.
    ahead: AtomicI64,
    /// Calls that came to nothing and might not another time.
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Counts {
    operations: AtomicU64,
    attempts: AtomicU64,
    throttled: AtomicU64,
}

/// What the ledger counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// An operation began, however many requests it takes.
    Operation,
    /// A request left, retries included.
    Attempt,
    /// An answer asked for fewer requests.
    Throttle,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            counts: OPERATIONS.iter().map(|_| Counts::default()).collect(),
            skew: OnceLock::new(),
            ahead: AtomicI64::new(0),
            lost: AtomicU64::new(0),
        }
    }
}

impl Ledger {
    pub(crate) fn count(&self, operation: &Operation, event: Event) {
        // There is one of each: comparing the texts, twice a call, is work that shows.
        let position = OPERATIONS.iter().position(|listed| std::ptr::eq(listed, operation));
        let Some(counts) = position.and_then(|at| self.counts.get(at)) else {
            panic!("internal error: {}:{} is not on the allow-list", operation.service, operation.name);
        };
        let counter = match event {
            Event::Operation => &counts.operations,
            Event::Attempt => &counts.attempts,
            Event::Throttle => &counts.throttled,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a call came to nothing.
    pub(crate) fn note_lost(&self, why: Why) {
        // What has vanished will not come back, and whoever ends the run knows.
        if why.passing() && !matches!(why, Why::Vanished | Why::RunEnded) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Calls that came to nothing and might not another time.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Notes how many seconds the host's clock is ahead of AWS's; the first answer's word stands.
    pub(crate) fn note_skew(&self, seconds: i64) {
        // A later answer finds the cell filled, which is what "first" means.
        let _ = self.skew.set(seconds);
    }

    /// Seconds the host's clock was ahead of AWS's at the first answer; none before one arrived.
    pub fn clock_skew_seconds(&self) -> Option<i64> {
        self.skew.get().copied()
    }

    /// Seconds the host's clock is taken to be ahead of AWS's. Zero until AWS refuses a request for its time: as long as
    /// it takes them, one answer with a wrong date must not make all further ones wrong.
    pub(crate) fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Signs with another time from now on.
    pub(crate) fn set_ahead(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::Relaxed);
    }

    /// An instant AWS told, as the host's clock will show it.
    pub(crate) fn on_this_clock(&self, theirs: SystemTime) -> SystemTime {
        shifted(theirs, self.ahead())
    }

    /// An instant of the host's clock, as AWS's clock shows it.
    pub(crate) fn on_their_clock(&self, here: SystemTime) -> SystemTime {
        shifted(here, -self.ahead())
    }

    /// What was called, by `service:Operation`.
    pub fn calls(&self) -> BTreeMap<String, CallCount> {
        OPERATIONS
            .iter()
            .zip(&self.counts)
            .map(|(operation, counts)| (format!("{}:{}", operation.service, operation.name), counts.get()))
            .filter(|(_, count)| *count != CallCount::default())
            .collect()
    }

    /// All operations together.
    pub fn total(&self) -> CallCount {
        self.counts.iter().map(Counts::get).fold(CallCount::default(), |sum, one| CallCount {
            operations: sum.operations + one.operations,
            attempts: sum.attempts + one.attempts,
            throttled: sum.throttled + one.throttled,
        })
    }
}

fn shifted(at: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let shifted = if seconds < 0 { at.checked_sub(by) } else { at.checked_add(by) };
    shifted.unwrap_or(at)
}

impl Counts {
    fn get(&self) -> CallCount {
        CallCount {
            operations: self.operations.load(Ordering::Relaxed),
            attempts: self.attempts.load(Ordering::Relaxed),
            throttled: self.throttled.load(Ordering::Relaxed),
        }
    }
}
