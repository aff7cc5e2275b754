//! How fast one service of one account and region may be asked: a share of AWS's limits, less after throttles, and how
//! many retries it is worth.
//!
//! Arithmetic on instants it is given; who waits, and for what, is `call`'s.

use std::time::{Duration, Instant};

use crate::inventory::operations::Operation;
use crate::inventory::rates::rate;

/// A throttle halves the rate; throttles that arrive together are one sign.
const SLOWED: f64 = 0.5;
const ONE_SIGN: Duration = Duration::from_millis(500);
/// However often it is throttled, a service is asked at this share of its rate.
const SLOWEST: f64 = 0.02;
/// How much of the full rate comes back each second without a throttle.
const RECOVERS: f64 = 0.05;
/// Retries a service is worth in a row, and what every answer gives back: a service that fails whatever it is asked
/// must not cost five times the calls.
const RETRIES: f64 = 100.0;
const GIVEN_BACK: f64 = 0.25;

/// The pace of one service in one account and region.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Share of AWS's limits to use, above 0; above 1 where it is not AWS that is asked.
    share: f64,
    buckets: Vec<(&'static str, Bucket)>,
    /// The share of the rate at the last throttle, and when that was.
    slowed: Option<(f64, Instant)>,
    retries: f64,
}

impl Pace {
    pub(crate) fn new(share: f64) -> Self {
        Self { share, buckets: Vec::new(), slowed: None, retries: RETRIES }
    }

    /// Takes the next turn of an operation and tells how long it is until then.
    pub(crate) fn turn(&mut self, operation: &Operation, now: Instant) -> Duration {
        let speed = self.speed(now);
        self.bucket(operation, now).reserve(now, speed)
    }

    /// AWS asked for fewer requests.
    pub(crate) fn throttled(&mut self, operation: &Operation, now: Instant) {
        // Who throttles has limits after all; keeping to them may be enough.
        if self.share > 1.0 {
            self.share = 1.0;
            self.buckets.clear();
            self.bucket(operation, now).empty(now);
            return;
        }
        let speed = self.speed(now);
        let same = self.slowed.is_some_and(|(_, at)| now.saturating_duration_since(at) < ONE_SIGN);
        if !same {
            self.slowed = Some(((speed * SLOWED).max(SLOWEST), now));
        }
        self.bucket(operation, now).empty(now);
    }

    /// AWS answered, whatever it said.
    pub(crate) fn answered(&mut self) {
        self.retries = (self.retries + GIVEN_BACK).min(RETRIES);
    }

    /// Whether one more retry is worth it; it is spent then.
    pub(crate) fn retry(&mut self) -> bool {
        let worth = self.retries >= 1.0;
        if worth {
            self.retries -= 1.0;
        }
        worth
    }

    /// The share of the polite rate that holds now.
    fn speed(&self, now: Instant) -> f64 {
        let Some((speed, at)) = self.slowed else { return 1.0 };
        (speed + RECOVERS * now.saturating_duration_since(at).as_secs_f64()).min(1.0)
    }

    fn bucket(&mut self, operation: &Operation, now: Instant) -> &mut Bucket {
        let at = self.buckets.iter().position(|(name, _)| *name == operation.name).unwrap_or_else(|| {
            let limit = rate(operation);
            // AWS counts on arrival, and on the way calls come closer together: one less at once than it allows.
            let burst = limit.burst * self.share - 1.0;
            self.buckets.push((operation.name, Bucket::new(limit.per_second * self.share, burst, now)));
            self.buckets.len() - 1
        });
        &mut self.buckets[at].1
    }
}

/// A token bucket that gives out turns: whoever asks is told when, in the order of asking, and nobody asks twice.
#[derive(Debug)]
struct Bucket {
    /// Seconds between two turns at full speed.
    interval: f64,
    /// How far turns may run ahead of their times, in seconds at full speed.
    ahead: f64,
    /// When the next turn would be due if none had run ahead.
    due: Instant,
}

impl Bucket {
    fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        let interval = 1.0 / per_second;
        Self { interval, ahead: (burst.max(1.0) - 1.0) * interval, due: now }
    }

    fn reserve(&mut self, now: Instant, speed: f64) -> Duration {
        let due = self.due.max(now);
        self.due = due + Duration::from_secs_f64(self.interval / speed);
        (due.saturating_duration_since(now)).saturating_sub(Duration::from_secs_f64(self.ahead))
    }

    /// Leaves nothing to run ahead with.
    fn empty(&mut self, now: Instant) {
        self.due = self.due.max(now + Duration::from_secs_f64(self.ahead + self.interval));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::operations::find;

    fn operation(call: &str) -> &'static Operation {
        find(call).unwrap_or_else(|| panic!("{call} is listed"))
    }

    /// Seconds until each of so many turns asked for at once.
    fn turns(pace: &mut Pace, call: &str, now: Instant, count: usize) -> Vec<f64> {
        (0..count).map(|_| pace.turn(operation(call), now).as_secs_f64()).collect()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let now = Instant::now();
        // 8 a second, 12 at once less one.
        let mut pace = Pace::new(1.0);
        let first = turns(&mut pace, "organizations:ListAccounts", now, 20);
        assert!(first[..11].iter().all(|wait| *wait == 0.0), "{first:?}");
        assert!((first[11] - 0.125).abs() < 1e-6 && (first[18] - 1.0).abs() < 1e-6, "{first:?}");
        // Other operations have turns of their own.
        assert_eq!(turns(&mut pace, "organizations:ListRoots", now, 1), [0.0]);
        // What was not used is there later, and never more than the burst.
        let later = turns(&mut pace, "organizations:ListAccounts", now + Duration::from_secs(600), 13);
        assert_eq!(later.iter().filter(|wait| **wait == 0.0).count(), 11, "{later:?}");
    }

    #[test]
    fn half_the_limit_is_half_the_burst_and_half_the_rate() {
        let now = Instant::now();
        let mut pace = Pace::new(0.5);
        let waits = turns(&mut pace, "cloudtrail:DescribeTrails", now, 15);
        assert_eq!(waits.iter().filter(|wait| **wait == 0.0).count(), 4, "{waits:?}");
        assert!((waits[14] - 2.2).abs() < 1e-6, "eleven more at five a second: {waits:?}");
    }

    #[test]
    fn a_limit_of_less_than_one_at_once_still_gives_turns() {
        let mut pace = Pace::new(0.01);
        let waits = turns(&mut pace, "organizations:ListRoots", Instant::now(), 2);
        assert_eq!(waits, [0.0, 100.0]);
    }

    #[test]
    fn throttles_slow_all_of_the_service_and_wear_off() {
        let mut now = Instant::now();
        let mut pace = Pace::new(1.0);
        assert_eq!(turns(&mut pace, "logs:DescribeLogGroups", now, 1), [0.0]);
        for _ in 0..8 {
            pace.throttled(operation("logs:DescribeLogGroups"), now);
        }
        // Together they are one sign: five a second instead of ten, and no burst.
        let waits = turns(&mut pace, "logs:DescribeLogGroups", now, 3);
        assert!(waits[0] > 0.0, "{waits:?}");
        assert!((waits[2] - waits[1] - 0.2).abs() < 1e-6, "{waits:?}");
        // Its neighbours slow down too, and keep their burst.
        let others = turns(&mut pace, "logs:DescribeSubscriptionFilters", now, 7);
        assert_eq!(others.iter().filter(|wait| **wait == 0.0).count(), 2, "{others:?}");
        // After ten quiet seconds it is as before.
        now += Duration::from_secs(11);
        let waits = turns(&mut pace, "logs:DescribeLogGroups", now, 12);
        assert!((waits[11] - waits[10] - 0.1).abs() < 1e-6, "{waits:?}");
        // Throttled again and again it never stands still.
        for _ in 0..100 {
            now += Duration::from_secs(1);
            pace.throttled(operation("logs:DescribeLogGroups"), now);
        }
        let waits = turns(&mut pace, "logs:DescribeLogGroups", now, 2);
        assert!(waits[1] - waits[0] <= 0.1 / SLOWEST + 1e-6, "{waits:?}");
    }

    #[test]
    fn who_was_taken_for_unlimited_and_throttles_is_asked_as_aws_is() {
        let now = Instant::now();
        let mut pace = Pace::new(10_000.0);
        assert!(turns(&mut pace, "logs:DescribeLogGroups", now, 500).iter().all(|wait| *wait < 0.01));
        pace.throttled(operation("logs:DescribeLogGroups"), now);
        let waits = turns(&mut pace, "logs:DescribeLogGroups", now, 3);
        assert!(waits[0] > 0.0 && (waits[2] - waits[1] - 0.1).abs() < 1e-6, "{waits:?}");
    }

    #[test]
    fn retries_are_worth_so_many_and_come_back_with_answers() {
        let mut pace = Pace::new(1.0);
        let spent = std::iter::repeat_with(|| pace.retry()).take_while(|worth| *worth).count();
        assert_eq!(spent, 100);
        for _ in 0..8 {
            pace.answered();
        }
        assert!(pace.retry() && pace.retry() && !pace.retry());
    }
}
