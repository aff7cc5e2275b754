//! How many requests the process has under way: as many as make it faster, up to what the system bears.
//!
//! More than whoever answers keeps up with are no faster: each waits longer, takes memory meanwhile, and behind a proxy
//! may be answered too late.

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
/// How much less is asked then.
const LESS: f64 = 0.8;
/// Answers are counted to know how many there are in a second: so many times those under way, and for so long.
const ROUNDS: f64 = 2.0;
const LONG: Duration = Duration::from_millis(100);
/// And for so long where answers take less than this on average: there it is what else the machine does that makes them
/// more or fewer from one tenth of a second to the next.
const LONG_WHERE_NEAR: Duration = Duration::from_millis(500);
const NEAR: Duration = Duration::from_millis(20);
/// Whether it is near, the quickest of such times tells for so long: a machine that stands still for a moment, or has too
/// much to do, makes no server a distant one.
const TELLS: Duration = Duration::from_secs(30);
/// Near a server, so many times those that a rate and such a time make are enough: whoever is slower is we.
const PLENTY: f64 = 4.0;
/// So many times as many are tried, and are worth it if this share of the growth is that of answers a second too.
const MORE: f64 = 2.0;
const WORTH: f64 = 0.3;
/// After one change that did not prove itself, nothing is changed for so long.
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

    /// Whether whoever answers is near.
    pub(crate) fn are_near(&self) -> bool {
        self.window().is_near()
    }

    /// How many there are.
    pub(crate) fn size(&self) -> usize {
        self.window().size()
    }

    /// Whether turns are free that nobody waits for, so many that they will not be gone in a moment.
    pub(crate) fn idle(&self) -> bool {
        self.has_idle(self.window().size())
    }

    fn has_idle(&self, size: usize) -> bool {
        let free = self.free.available_permits();
        free > 0 && free > size / 8
    }

    /// Gives out no more turns.
    pub(crate) fn close(&self) {
        self.free.close();
    }

    /// Takes note of how long an answer took, or of how long was waited for none.
    pub(crate) fn note(&self, took: Duration) {
        let mut window = self.window();
        let before = window.size();
        window.note(took, self.has_idle(before), Instant::now());
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

/// How many turns there are: twice as many as long as that brings more answers, and fewer when answers are late.
#[derive(Debug)]
struct Window {
    most: usize,
    size: f64,
    /// Seconds an answer takes, on average.
    average: f64,
    /// The least that answers took on average while they were counted, and when.
    quickest: Option<(f64, Instant)>,
    /// Answers to what was asked before the last change come until then.
    changing: Option<Instant>,
    /// What is counted since the size last changed, or was last left as it is.
    count: Count,
    /// The size before the last change, and answers a second then, as long as that change has to prove itself.
    before: Option<(f64, f64)>,
    /// The last change that was taken back, or that late answers made.
    changed: Option<Instant>,
}

/// Answers since an instant, and how many of them came when turns were idle.
#[derive(Debug)]
struct Count {
    since: Option<Instant>,
    answers: f64,
    /// That they took, one by one.
    seconds: f64,
    idle: f64,
}

impl Count {
    const NONE: Self = Self { since: None, answers: 0.0, seconds: 0.0, idle: 0.0 };

    fn add(&mut self, took: Duration, idle: bool, now: Instant) {
        self.since.get_or_insert(now);
        self.answers += 1.0;
        self.seconds += took.as_secs_f64();
        self.idle += f64::from(u8::from(idle));
    }

    fn lasted(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Answers a second; none where fewer were asked for than could have been.
    fn rate(&self, now: Instant) -> Option<f64> {
        let seconds = self.lasted(now).as_secs_f64();
        (self.idle < self.answers / 2.0 && seconds > 0.0).then_some(self.answers / seconds)
    }
}

impl Window {
    fn new(most: usize) -> Self {
        Self {
            most,
            size: most.min(FIRST) as f64,
            average: 0.0,
            quickest: None,
            changing: None,
            count: Count::NONE,
            before: None,
            changed: None,
        }
    }

    fn is_near(&self) -> bool {
        self.quickest.map_or(self.average, |(quickest, _)| quickest) < NEAR.as_secs_f64()
    }

    fn size(&self) -> usize {
        self.size as usize
    }

    fn resize(&mut self, size: f64, now: Instant) {
        let size = size.clamp(self.most.min(8) as f64, self.most as f64);
        tracing::debug!(from = self.size, to = size, seconds = self.average, "requests at a time");
        self.size = size;
        self.changing = now.checked_add(Duration::from_secs_f64(self.average).min(SLOW));
        self.count = Count::NONE;
    }

    /// An answer came, or was waited for too long. `idle`: more could have been asked meanwhile.
    fn note(&mut self, took: Duration, idle: bool, now: Instant) {
        self.average += WEIGHT * (took.as_secs_f64() - self.average);
        if self.average > SLOW.as_secs_f64() {
            if self.is_settled(now) {
                self.before = None;
                self.changed = Some(now);
                self.resize(self.size * LESS, now);
            }
            return;
        }
        if self.changing.is_some_and(|until| now < until) {
            return;
        }
        self.changing = None;
        self.count.add(took, idle, now);
        let lasted = self.count.lasted(now);
        let long = if self.is_near() { LONG_WHERE_NEAR } else { LONG };
        if self.count.answers < ROUNDS * self.size || lasted < long {
            return;
        }
        let rate = self.count.rate(now);
        self.note_quickest(self.count.seconds / self.count.answers, now);
        self.count = Count::NONE;
        let Some(rate) = rate else { return };
        match self.before.take() {
            Some((size, before)) if rate / before - 1.0 < WORTH * (self.size / size - 1.0) => {
                self.changed = Some(now);
                self.resize(size, now);
            }
            _ if self.is_settled(now) && self.may_need_more(rate) => {
                self.before = Some((self.size, rate));
                self.resize(self.size * MORE, now);
            }
            _ => {}
        }
    }

    fn may_need_more(&self, rate: f64) -> bool {
        let enough = match self.quickest {
            Some((quickest, _)) if self.is_near() => PLENTY * rate * quickest,
            _ => f64::INFINITY,
        };
        self.average < BRISK.as_secs_f64() && self.size() < self.most && self.size * MORE <= enough
    }

    fn note_quickest(&mut self, took: f64, now: Instant) {
        let stands = |(quickest, at)| quickest <= took && now.saturating_duration_since(at) < TELLS;
        if !self.quickest.is_some_and(stands) {
            self.quickest = Some((took, now));
        }
    }

    fn is_settled(&self, now: Instant) -> bool {
        self.changed.is_none_or(|changed| now.saturating_duration_since(changed) >= SETTLES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(60);
    const LATE: Duration = Duration::from_secs(5);

    /// The window after so many seconds with a server that answers after 60 ms, and no more than so many a second.
    fn settled(window: &mut Window, capacity: f64, seconds: f64, now: &mut Instant) -> usize {
        let mut passed = 0.0;
        while passed < seconds {
            let rate = (window.size / QUICK.as_secs_f64()).min(capacity);
            let took = Duration::from_secs_f64(window.size / rate);
            *now += Duration::from_secs_f64(1.0 / rate);
            passed += 1.0 / rate;
            window.note(took, false, *now);
        }
        window.size()
    }

    #[test]
    fn the_window_doubles_as_long_as_that_brings_more() {
        let mut now = Instant::now();
        assert_eq!(settled(&mut Window::new(300), 1e9, 2.0, &mut now), 300);
        assert_eq!(settled(&mut Window::new(1536), 1e9, 2.0, &mut now), 1536);
        assert_eq!(settled(&mut Window::new(20), 1e9, 2.0, &mut now), 20);
        // 64 of them are answered 1,066 times a second, which is all this server can.
        let mut window = Window::new(1536);
        assert_eq!(settled(&mut window, 1_100.0, 1.9, &mut now), 64);
        // Later it can do more, and is tried again.
        assert_eq!(settled(&mut window, 10_000.0, 4.0, &mut now), 512);
        // A server that is near stays so when the machine has much else to do.
        let mut window = Window::new(64);
        for took in [Duration::from_millis(2), Duration::from_millis(200)] {
            for _ in 0..2_000 {
                now += Duration::from_millis(1);
                window.note(took, false, now);
            }
            assert!(window.is_near());
        }
        // There it is not requests that are missing.
        let mut busy = Window::new(1536);
        for _ in 0..20_000 {
            now += Duration::from_micros(200);
            busy.note(Duration::from_millis(2), false, now);
        }
        assert_eq!(busy.size(), 64);
        now += TELLS;
        assert!(settled(&mut window, 1e9, 2.0, &mut now) == 64 && !window.is_near());
        // Nobody asks for more than there are: it stays.
        let mut idle = Window::new(1536);
        for _ in 0..10_000 {
            now += Duration::from_millis(1);
            idle.note(QUICK, true, now);
        }
        assert_eq!(idle.size(), 64);
    }

    #[test]
    fn late_answers_shrink_it_and_one_alone_does_not() {
        let mut now = Instant::now();
        let mut window = Window::new(256);
        assert_eq!(settled(&mut window, 1e9, 2.0, &mut now), 256);
        window.note(Duration::from_secs(20), false, now);
        assert_eq!(window.size(), 256);
        for _ in 0..100 {
            window.note(LATE, false, now);
        }
        assert_eq!(window.size(), 204, "many at once are one sign");
        for _ in 0..30 {
            now += SETTLES;
            window.note(LATE, false, now);
        }
        assert_eq!(window.size(), 8, "and never to a standstill");
        for _ in 0..200 {
            window.note(QUICK, false, now);
        }
        assert!(settled(&mut window, 1e9, 4.0, &mut now) > 64, "it comes back");
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
