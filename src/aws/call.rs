//! How a call goes: it waits for its turn, is asked, and is asked again as long as that makes sense.
//!
//! While a call waits, between its attempts too, it holds nothing that calls to others need.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::sync::{MutexGuard, SemaphorePermit};

use crate::aws::classify::{Verdict, classify, verdict};
use crate::aws::ground::{Ground, Lane};
use crate::aws::ledger::Event;
use crate::aws::pace::Pace;
use crate::aws::request::Request;
use crate::aws::session::{Door, Keys};
use crate::aws::turns::Turn;
use crate::inventory::offered::offered;
use crate::inventory::operations::Operation;
use crate::model::observed::{Told, Unknown, Why};

/// The pause after the first throttle, and after the first fault; they double from there.
const AFTER_THROTTLE: Duration = Duration::from_millis(800);
const AFTER_FAULT: Duration = Duration::from_millis(150);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How long to wait for a service that has never answered here, and how often to knock.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
const KNOCKS: u32 = 2;
/// An answer that cannot be read is asked for once more.
const READINGS: u32 = 2;
/// Services that every region has.
const EVERYWHERE: &[&str] = &["cloudtrail", "cloudwatch", "ec2", "kms", "logs", "organizations", "s3", "sts"];
/// A session younger than this that is refused is not the one that is past its time.
const FRESH: Duration = Duration::from_secs(60);

/// Why a call came to nothing.
pub(crate) enum Failure<E> {
    /// The last attempt failed.
    Refused(SdkError<E, HttpResponse>),
    /// It was not made, or not answered.
    Unknown(Unknown),
}

impl<E: ProvideErrorMetadata + Error + 'static> Failure<E> {
    /// The reason as a fact.
    pub(crate) fn unknown(self, ground: &Ground, operation: &Operation) -> Unknown {
        match self {
            Self::Unknown(unknown) => unknown,
            Self::Refused(error) => told(ground, operation, classify(&error)),
        }
    }
}

/// Makes one call on a ground.
pub(crate) async fn call<R: Request>(
    ground: &Ground,
    keys: Keys<'_>,
    request: &R,
) -> Result<R::Output, Failure<R::Error>> {
    let operation = R::codec().operation;
    let lane = ground.lane(operation.service);
    let mut asking = Asking::begin(ground, &lane, keys, operation).await.map_err(Failure::Unknown)?;
    loop {
        let identity = asking.turn().await.map_err(Failure::Unknown)?;
        // Thousands of calls wait for each that is under way: only that has the room a request takes.
        let sent = Box::pin(ground.common.wire.send(&ground.region, &identity, &lane.last_key, request));
        let answer = tokio::time::timeout(asking.patience(), sent).await;
        asking.turn = None;
        ground.common.turns.note(asking.asked.elapsed());
        let (verdict, error) = match answer {
            Ok(Ok(value)) => {
                ground.answered(&lane);
                lane.with_pace(Pace::answered);
                return Ok(value);
            }
            Ok(Err(error)) => (verdict(&error, asking.ahead), Some(error)),
            Err(_elapsed) => (Verdict::Silent, None),
        };
        if asking.again(verdict, error.is_none()).await {
            continue;
        }
        let reason = error.as_ref().map_or_else(|| (Why::TimedOut, "no answer in time".to_owned()), classify);
        let unknown = told(ground, operation, reason);
        return Err(match (asking.settle(verdict, unknown), error) {
            (None, Some(error)) => Failure::Refused(error),
            (None, None) => panic!("internal error: an attempt failed without an error"),
            (Some(unknown), _) => Failure::Unknown(unknown),
        });
    }
}

fn told(ground: &Ground, operation: &Operation, (why, said): (Why, String)) -> Unknown {
    let mut unknown = ground.unknown(operation, why);
    // Where Bedrock is not, it may call any list invalid.
    let refused =
        why == Why::Failed && operation.service.starts_with("bedrock") && said.starts_with("ValidationException");
    if refused && !offered(&unknown.call, &ground.region) {
        unknown.why = Why::ServiceAbsent;
    }
    if said.is_empty() { unknown } else { unknown.saying(said) }
}

/// One call on its way.
struct Asking<'a> {
    ground: &'a Ground,
    lane: &'a Lane,
    keys: Keys<'a>,
    operation: &'static Operation,
    /// It is the probe of its ground.
    probing: Option<MutexGuard<'a, ()>>,
    /// One of the requests its service may be asked at a time, for as long as the call lasts.
    _room: SemaphorePermit<'a>,
    /// One of the requests of the process, while one is under way.
    turn: Option<Turn<'a>>,
    attempts: u32,
    /// When the first attempt was made, and the last.
    began: Instant,
    asked: Instant,
    /// How far the host's clock was taken to be ahead then, in seconds.
    ahead: i64,
    /// In attempts and the pauses after them; waiting for a turn is nobody's failure.
    spent: Duration,
    renewed: bool,
}

impl<'a> Asking<'a> {
    /// Waits for room, and for the probe if there has been none. The error is why not to ask at all.
    async fn begin(
        ground: &'a Ground,
        lane: &'a Arc<Lane>,
        keys: Keys<'a>,
        operation: &'static Operation,
    ) -> Told<Self> {
        let stop = &ground.common.stop;
        let probing = if ground.is_open(operation)? {
            None
        } else {
            let probing = stop.or(ground.probing.lock()).await.ok_or_else(|| ended(ground, operation))?;
            (!ground.is_open(operation)?).then_some(probing)
        };
        let room = match lane.room.try_acquire() {
            Ok(room) => room,
            // None is free.
            Err(_) => {
                let room = stop.or(lane.room.acquire()).await.ok_or_else(|| ended(ground, operation))?;
                room.unwrap_or_else(|closed| panic!("internal error: room is never closed: {closed}"))
            }
        };
        // It may have fallen silent meanwhile. At the door to all accounts, whoever may knock has room to.
        ground.heard(lane, operation).await?;
        let now = Instant::now();
        Ok(Self {
            ground,
            lane,
            keys,
            operation,
            probing,
            _room: room,
            turn: None,
            attempts: 0,
            began: now,
            asked: now,
            ahead: 0,
            spent: Duration::ZERO,
            renewed: false,
        })
    }

    /// Waits until the next attempt may be made: for the pace of the service, for a session, for a turn of the process.
    /// The identity to make it with.
    async fn turn(&mut self) -> Told<Identity> {
        let common = &self.ground.common;
        if common.stop.is_set() {
            return Err(self.ended());
        }
        let wait = self.lane.with_pace(|pace| pace.turn(self.operation, Instant::now()));
        if !wait.is_zero() && common.stop.or(tokio::time::sleep(wait)).await.is_none() {
            return Err(self.ended());
        }
        let identity = self.keys.identity().await.map_err(|unknown| unknown.in_region(&self.ground.region))?;
        let Some(turn) = common.turns.take().await else { return Err(self.ended()) };
        self.turn = Some(turn);
        self.asked = Instant::now();
        self.ahead = common.ledger.ahead();
        if self.attempts == 0 {
            self.began = self.asked;
            common.ledger.count(self.operation, Event::Operation);
        }
        self.attempts += 1;
        Ok(identity)
    }

    /// How long to wait for the answer of this attempt.
    fn patience(&self) -> Duration {
        let limits = &self.ground.common.limits;
        let left = limits.operation.saturating_sub(self.spent);
        let first = if self.lane.is_proven() { limits.attempt } else { limits.attempt.min(FIRST_ANSWER) };
        first.min(left)
    }

    /// Decides whether to ask again, and waits until then. `late`: it was waited for too long, not refused.
    async fn again(&mut self, verdict: Verdict, late: bool) -> bool {
        let limits = &self.ground.common.limits;
        self.spent += self.asked.elapsed();
        let proven = self.lane.is_proven();
        let weathered = self.is_weathered(verdict);
        match verdict {
            Verdict::Final
            | Verdict::Throttled
            | Verdict::Faulty
            | Verdict::Garbled
            | Verdict::OutOfTime(_)
            | Verdict::Forbidden
            | Verdict::Expired => {
                if !weathered {
                    self.ground.answered(self.lane);
                }
                self.probing = None;
            }
            Verdict::Silent | Verdict::Unrecognized | Verdict::Unsent => {}
        }
        let (most, first_pause) = match verdict {
            Verdict::Final | Verdict::Unsent => return false,
            Verdict::Expired => return self.renew(Duration::ZERO).await,
            Verdict::Unrecognized | Verdict::Forbidden => return self.renew(FRESH).await,
            Verdict::Throttled => {
                self.lane.with_pace(|pace| pace.throttled(self.operation, Instant::now()));
                (limits.attempts, AFTER_THROTTLE)
            }
            Verdict::Faulty => (limits.attempts, AFTER_FAULT),
            Verdict::OutOfTime(ahead) => {
                self.ground.common.ledger.set_ahead(ahead);
                (limits.attempts, AFTER_FAULT)
            }
            Verdict::Garbled => (limits.attempts.min(READINGS), AFTER_FAULT),
            Verdict::Silent if proven => (limits.attempts, AFTER_FAULT),
            Verdict::Silent if late => return false,
            Verdict::Silent => (limits.attempts.min(KNOCKS), AFTER_FAULT),
        };
        let pause = pause(first_pause, self.attempts);
        self.spent += pause;
        let worth = || weathered || self.lane.with_pace(Pace::retry);
        if self.attempts >= most || self.spent >= limits.operation || !worth() {
            return false;
        }
        self.ground.common.stop.or(tokio::time::sleep(pause)).await.is_some()
    }

    /// Whether a failure is one of the door to all accounts and says nothing of the one that is asked for: such spells
    /// are waited for like silence, or every account there is would be asked for once and given up.
    fn is_weathered(&self, verdict: Verdict) -> bool {
        self.ground.is_door() && matches!(verdict, Verdict::Throttled | Verdict::Faulty)
    }

    /// Whether the session was left for being old, so that the next attempt makes a new one; once a call.
    async fn renew(&mut self, old: Duration) -> bool {
        let Some(door) = self.door().filter(|_| !self.renewed) else { return false };
        self.renewed = true;
        door.leave(self.asked, old).await
    }

    /// What a failure that stands means for the calls to come; a reason where the error itself would mislead.
    fn settle(&mut self, verdict: Verdict, unknown: Unknown) -> Option<Unknown> {
        match verdict {
            Verdict::Silent => {
                let mut unknown = unknown;
                let known = offered(&unknown.call, &self.ground.region);
                if unknown.why == Why::ServiceAbsent && (known || !self.may_be_absent()) {
                    unknown.why = Why::Failed;
                }
                self.ground.unanswered(self.lane, &unknown, self.began);
                Some(unknown)
            }
            Verdict::Unrecognized => {
                // It is the caller who is not known any more; what follows from that the session decides.
                if matches!(self.keys, Keys::Caller(_)) {
                    return None;
                }
                // A region that knew the account before does not stop to: the session is what it refuses.
                if self.ground.is_known() {
                    return Some(Unknown { why: Why::Failed, ..unknown });
                }
                self.ground.close(unknown);
                None
            }
            Verdict::Expired => {
                if let Some(door) = self.door() {
                    door.refused(&self.ground.common.stop);
                }
                None
            }
            _ if self.is_weathered(verdict) => {
                self.ground.unanswered(self.lane, &unknown, self.began);
                Some(unknown)
            }
            Verdict::Final
            | Verdict::Throttled
            | Verdict::Faulty
            | Verdict::Garbled
            | Verdict::OutOfTime(_)
            | Verdict::Forbidden
            | Verdict::Unsent => None,
        }
    }

    /// Whether a name that does not resolve may mean that the region lacks the service. A resolver without a network may
    /// say the same of every name.
    fn may_be_absent(&self) -> bool {
        !EVERYWHERE.contains(&self.operation.service)
            && !self.lane.is_proven()
            && self.ground.common.answered_lately(self.began)
    }

    fn door(&self) -> Option<&'a Door> {
        match self.keys {
            Keys::Session(door) => Some(door),
            Keys::Caller(_) | Keys::Given(_) => None,
        }
    }

    fn ended(&self) -> Unknown {
        ended(self.ground, self.operation)
    }
}

fn ended(ground: &Ground, operation: &Operation) -> Unknown {
    ground.unknown(operation, Why::RunEnded)
}

/// Between half of a pause that doubles with each attempt and all of it: calls that failed together must not come
/// back together.
fn pause(first: Duration, attempts: u32) -> Duration {
    let longest = first.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    // Keyed anew by the system for each instance: as random as this needs.
    let random = RandomState::new().hash_one(attempts) % 1024;
    longest / 2 + longest.mul_f64(0.5 * random as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        for (attempts, most) in [(1, 800), (2, 1600), (5, 12_800), (9, 20_000), (40, 20_000)] {
            let most = Duration::from_millis(most);
            let pauses: Vec<Duration> = (0..50).map(|_| pause(AFTER_THROTTLE, attempts)).collect();
            assert!(pauses.iter().all(|pause| *pause >= most / 2 && *pause <= most), "{attempts}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }
}
