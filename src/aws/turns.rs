//! How many requests the process has under way: as many as whoever answers keeps up with, up to what the system bears.
//!
//! AWS keeps up with all of them; a proxy on the way, or a server that imitates AWS, may not, and would answer too late.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// So many are under way from the start.
const FIRST: usize = 64;
/// Answers that take longer on average are a sign that too much is asked.
const SLOW: Duration = Duration::from_millis(1500);
/// Below this there is room for more.
const BRISK: Duration = Duration::from_millis(1000);
/// An answer's weight in the average.
const WEIGHT: f64 = 1.0 / 32.0;
/// How much less is asked then, and for how long nothing is changed again.
const LESS: f64 = 0.8;
const SETTLES: Duration = Duration::from_secs(2);

/// The turns of a process. They are taken in the order of asking.
#[derive(Debug)]
pub(crate) struct Turns {
    free: Semaphore,
    window: Mutex<Window>,
    /// Turns that are taken and not to be given out again.
    owed: AtomicUsize,
}

/// A turn that is taken.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    /// Always there until it is dropped.
    permit: Option<SemaphorePermit<'a>>,
}

impl Turns {
    pub(crate) fn new(most: usize) -> Self {
        let window = Window::new(most.max(1));
        Self { free: Semaphore::new(window.size()), window: Mutex::new(window), owed: AtomicUsize::new(0) }
    }

    /// Waits for a turn; none when no more are given out.
    pub(crate) async fn take(&self) -> Option<Turn<'_>> {
        let permit = self.free.acquire().await.ok()?;
        Some(Turn { turns: self, permit: Some(permit) })
    }

    /// Whether turns are free that nobody waits for, so many that they will not be gone in a moment.
    pub(crate) fn idle(&self) -> bool {
        let free = self.free.available_permits();
        free > 0 && free > self.window().size() / 8
    }

    /// Gives out no more turns.
    pub(crate) fn close(&self) {
        self.free.close();
    }

    /// Takes note of how long an answer took, or of how long was waited for none.
    pub(crate) fn note(&self, took: Duration) {
        let mut window = self.window();
        let before = window.size();
        window.note(took, Instant::now());
        let after = window.size();
        drop(window);
        if after > before {
            self.grow(after - before);
        } else if after < before {
            let gone = self.free.forget_permits(before - after);
            self.owed.fetch_add(before - after - gone, Ordering::Relaxed);
        }
    }

    fn grow(&self, turns: usize) {
        let owed = |owed: usize| Some(owed.saturating_sub(turns));
        let forgiven = match self.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, owed) {
            Ok(before) | Err(before) => before.min(turns),
        };
        self.free.add_permits(turns - forgiven);
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let owes = |owed: usize| owed.checked_sub(1);
        if self.turns.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, owes).is_ok()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

/// How many turns there are: one more with each brisk answer until one time it was too much, then more slowly.
#[derive(Debug)]
struct Window {
    most: usize,
    size: f64,
    /// Below this the window grows by one with each answer, above it by one with each round of answers.
    known_good: f64,
    /// Seconds an answer takes, on average.
    average: f64,
    changed: Option<Instant>,
}

impl Window {
    fn new(most: usize) -> Self {
        let size = most.min(FIRST) as f64;
        Self { most, size, known_good: most as f64, average: 0.0, changed: None }
    }

    fn size(&self) -> usize {
        self.size as usize
    }

    fn note(&mut self, took: Duration, now: Instant) {
        self.average += WEIGHT * (took.as_secs_f64() - self.average);
        if self.average < BRISK.as_secs_f64() {
            let step = if self.size < self.known_good { 1.0 } else { 1.0 / self.size };
            self.size = (self.size + step).min(self.most as f64);
            return;
        }
        let settled = self.changed.is_none_or(|changed| now.saturating_duration_since(changed) >= SETTLES);
        if self.average > SLOW.as_secs_f64() && settled {
            self.size = (self.size * LESS).max(self.most.min(8) as f64);
            self.known_good = self.size;
            self.changed = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(60);
    const LATE: Duration = Duration::from_secs(5);

    #[test]
    fn the_window_doubles_each_round_up_to_the_most() {
        let mut window = Window::new(300);
        assert_eq!(window.size(), 64);
        for _ in 0..64 {
            window.note(QUICK, Instant::now());
        }
        assert_eq!(window.size(), 128);
        for _ in 0..1000 {
            window.note(QUICK, Instant::now());
        }
        assert_eq!(window.size(), 300);
        assert_eq!(Window::new(20).size(), 20);
    }

    #[test]
    fn late_answers_shrink_it_and_one_alone_does_not() {
        let mut now = Instant::now();
        let mut window = Window::new(256);
        for _ in 0..256 {
            window.note(QUICK, now);
        }
        window.note(Duration::from_secs(20), now);
        assert_eq!(window.size(), 256);
        for _ in 0..100 {
            window.note(LATE, now);
        }
        let once = window.size();
        assert_eq!(once, 204, "many at once are one sign");
        for _ in 0..30 {
            now += SETTLES;
            window.note(LATE, now);
        }
        assert_eq!(window.size(), 8, "and never to a standstill");
        for _ in 0..100 {
            window.note(QUICK, now);
        }
        assert!(window.size() > 8 && window.size() < 30, "it comes back slowly: {}", window.size());
    }

    #[test]
    fn turns_that_are_owed_are_not_given_out_again() {
        let turns = Turns::new(64);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap_or_else(|e| panic!("{e}"));
        runtime.block_on(async {
            let mut taken = Vec::new();
            for _ in 0..64 {
                taken.push(turns.take().await);
            }
            for _ in 0..100 {
                turns.note(LATE);
            }
            let size = turns.window().size();
            assert_eq!(size, 51);
            taken.clear();
            assert_eq!(turns.free.available_permits(), size);
            turns.close();
            assert!(turns.take().await.is_none());
        });
    }
}
