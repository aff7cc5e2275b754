//! How far a run is, for people who wait: a bar on a terminal, else a line now and then.
//!
//! What was found is no progress; it goes into the snapshot.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::aws::ledger::Ledger;

/// How often a line is written where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows progress until dropped.
pub struct Progress {
    bar: Option<ProgressBar>,
    say: Box<dyn Fn(&str) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: &'static str,
    done: u64,
    total: u64,
    said: Instant,
}

impl Progress {
    /// A bar on standard error if someone watches it, else lines given to `say`.
    pub fn new(watched: bool, say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let bar = watched.then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} accounts  {msg}")
                .unwrap_or_else(|e| panic!("internal error: progress template: {e}"));
            bar.set_style(style);
            bar
        });
        let state = State { phase: "", done: 0, total: 0, said: Instant::now() };
        Self { bar, say: Box::new(say), state: Mutex::new(state) }
    }

    /// Begins a phase over so many accounts.
    pub(crate) fn begin(&self, phase: &'static str, total: usize) {
        *self.state() = State { phase, done: 0, total: total as u64, said: Instant::now() };
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(phase);
                bar.set_length(total as u64);
                bar.set_position(0);
            }
            None => (self.say)(&format!("{phase}: {total} accounts")),
        }
    }

    /// One account more is done.
    pub(crate) fn step(&self) {
        self.state().done += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Something the waiting person should read now, such as a terminal-safe word on stopping.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| (self.say)(text)),
            None => (self.say)(text),
        }
    }

    /// Called a few times a second.
    pub(crate) fn tick(&self, ledger: &Ledger) {
        let total = ledger.total();
        let calls = format!("{} calls, {} throttled", total.operations, total.throttled);
        match &self.bar {
            Some(bar) => bar.set_message(calls),
            None => {
                let mut state = self.state();
                if state.said.elapsed() >= LINE_EVERY {
                    state.said = Instant::now();
                    (self.say)(&format!("{}: {} of {} accounts, {calls}", state.phase, state.done, state.total));
                }
            }
        }
    }

    /// Takes the bar away, so that what follows starts on a clean line.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
