//! How far a run is, for people who wait: a bar on a terminal, else a line now and then.
//!
//! What was found is no progress; it goes into the snapshot.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::aws::ledger::Ledger;

/// How often a line is written where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Over how long the rate of calls is taken.
const RATE_OVER: Duration = Duration::from_secs(3);

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
    /// Not all accounts of the phase are known yet.
    growing: bool,
    began: Instant,
    said: Instant,
    /// Requests counted at some moment a while ago, for the rate.
    earlier: (Instant, u64),
    rate: f64,
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
        let now = Instant::now();
        let state =
            State { phase: "", done: 0, total: 0, growing: false, began: now, said: now, earlier: (now, 0), rate: 0.0 };
        Self { bar, say: Box::new(say), state: Mutex::new(state) }
    }

    /// Begins a phase over so many accounts; over those still to be announced if none.
    pub(crate) fn begin(&self, phase: &'static str, total: Option<usize>) {
        let now = Instant::now();
        let mut state = self.state();
        let State { earlier, rate, .. } = *state;
        let (growing, total) = (total.is_none(), total.unwrap_or(0) as u64);
        *state = State { phase, done: 0, total, growing, began: now, said: now, earlier, rate };
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(phase);
                bar.set_length(total);
                bar.set_position(0);
            }
            None if growing => {}
            None => (self.say)(&format!("{phase}: {total} accounts")),
        }
    }

    /// So many accounts more are known to be in the phase.
    pub(crate) fn announce(&self, accounts: usize) {
        let mut state = self.state();
        state.total += accounts as u64;
        if let Some(bar) = &self.bar {
            bar.set_length(state.total);
        }
    }

    /// All accounts of the phase are announced.
    pub(crate) fn announced(&self) {
        let mut state = self.state();
        state.growing = false;
        if self.bar.is_none() && state.total > 0 {
            (self.say)(&format!("{}: {} accounts", state.phase, state.total));
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
        let now = Instant::now();
        let mut state = self.state();
        state.measure(total.attempts, now);
        let rate = state.rate.round();
        let left = state.left(now).map_or_else(String::new, |left| format!(", {} left", about(left)));
        let calls = format!("{} calls ({rate}/s), {} throttled{left}", total.operations, total.throttled);
        match &self.bar {
            Some(bar) => bar.set_message(calls),
            None if now.duration_since(state.said) >= LINE_EVERY => {
                state.said = now;
                let more = if state.growing { "+" } else { "" };
                (self.say)(&format!("{}: {} of {}{more} accounts, {calls}", state.phase, state.done, state.total));
            }
            None => {}
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

impl State {
    /// Requests a second, over the last few.
    fn measure(&mut self, requests: u64, now: Instant) {
        let (then, before) = self.earlier;
        let elapsed = now.saturating_duration_since(then);
        if elapsed >= RATE_OVER {
            self.rate = requests.saturating_sub(before) as f64 / elapsed.as_secs_f64();
            self.earlier = (now, requests);
        }
    }

    /// How long the rest of the phase takes if its accounts are like those that are done; none while too few are.
    fn left(&self, now: Instant) -> Option<Duration> {
        if self.growing || self.done < 10 || self.done * 20 < self.total {
            return None;
        }
        let each = now.saturating_duration_since(self.began).as_secs_f64() / self.done as f64;
        Some(Duration::from_secs_f64(each * self.total.saturating_sub(self.done) as f64))
    }
}

/// A duration as people say it.
fn about(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..90 => format!("{seconds} s"),
        seconds @ 90..5400 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_guessed_only_from_enough() {
        let began = Instant::now();
        let state = |done, total, growing| State {
            phase: "inventory",
            done,
            total,
            growing,
            began,
            said: began,
            earlier: (began, 0),
            rate: 0.0,
        };
        let now = began + Duration::from_secs(60);
        assert_eq!(state(50, 1000, false).left(now), Some(Duration::from_secs(1140)));
        assert_eq!(state(49, 1000, false).left(now), None);
        assert_eq!(state(9, 10, false).left(now), None);
        assert_eq!(state(50, 1000, true).left(now), None, "more accounts are coming");
        assert_eq!(
            [5, 89, 90, 600, 7200].map(|seconds| about(Duration::from_secs(seconds))),
            ["5 s", "89 s", "2 min", "10 min", "2.0 h"]
        );
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let began = Instant::now();
        let mut state =
            State { phase: "", done: 0, total: 0, growing: false, began, said: began, earlier: (began, 0), rate: 0.0 };
        state.measure(900, began + Duration::from_secs(3));
        assert!((state.rate - 300.0).abs() < 1e-9);
        state.measure(1000, began + Duration::from_millis(3200));
        assert!((state.rate - 300.0).abs() < 1e-9, "too soon to tell anew");
        state.measure(900, began + Duration::from_secs(8));
        assert!(state.rate.abs() < 1e-9);
    }
}
