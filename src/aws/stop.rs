//! Ending a run early: what for, and how everyone who waits hears of it.
//!
//! Signals are listened for in `cli`, clocks watched by the sweep; what was asked already is finished or given up there.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Why a run ends before everything was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody, or the system, asked for it.
    Interrupted,
    /// `--max-duration`.
    TimeUp,
    /// AWS no longer takes the caller's credentials: nothing more can be entered.
    Credentials,
    /// Nobody answers any more where accounts are entered.
    Unreachable,
}

/// What is under way when the run is to end may take so long to finish; then it is given up.
pub(crate) const GRACE: Duration = Duration::from_secs(4);

/// A request to end, shared by everyone who must hear of it. It is made once and never taken back.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// What for, and when what is under way is given up.
    cause: OnceLock<(Cause, Instant)>,
    heard: Notify,
}

impl Stop {
    /// Asks to end; the first cause stands.
    pub fn stop(&self, cause: Cause) {
        self.stop_within(GRACE, cause);
    }

    /// The same with so long for what is under way.
    pub(crate) fn stop_within(&self, grace: Duration, cause: Cause) {
        if self.0.cause.set((cause, Instant::now() + grace)).is_ok() {
            self.0.heard.notify_waiters();
        }
    }

    /// Why the run is to end; none while it is not.
    pub fn cause(&self) -> Option<Cause> {
        self.0.cause.get().map(|(cause, _)| *cause)
    }

    /// When what is under way is given up.
    pub(crate) fn ends(&self) -> Option<Instant> {
        self.0.cause.get().map(|(_, at)| *at)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.cause.get().is_some()
    }

    /// Waits until the run is to end.
    pub(crate) async fn heard(&self) {
        // Made before the look, so that it hears what is said after.
        let heard = self.0.heard.notified();
        if !self.is_set() {
            heard.await;
        }
    }

    /// The future's output, or none when the run is to end first.
    pub async fn or<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.heard() => None,
            output = future => Some(output),
        }
    }
}
