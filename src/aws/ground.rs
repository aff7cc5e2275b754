//! One account in one region: whether it answers at all, and which of its services do.
//!
//! The first call to come is the probe that the others wait for. How a call goes is in `call`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::aws::breaker::Breaker;
use crate::aws::client::Common;
use crate::aws::pace::Pace;
use crate::aws::signature::LastKey;
use crate::aws::stop::Cause;
use crate::inventory::operations::Operation;
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Unknown, Why};

/// Requests one service of one account and region is asked at a time.
const ROOM: usize = 8;

/// So many calls may get nothing from a service that did answer before: of one account, and at the door to all.
const DOUBTS: u32 = 1;
const DOUBTS_AT_DOOR: u32 = 16;
/// How often the door to all accounts is knocked at while nobody answers there, at most.
const KNOCKS_EVERY: Duration = Duration::from_secs(20);
/// After so many of these the run ends: it is no account that does not answer, but the network.
const PATIENCE: u32 = 15;
/// How often those who wait there look whether it has been opened.
const LOOKS_EVERY: Duration = Duration::from_millis(200);

/// One account in one region.
#[derive(Debug)]
pub(crate) struct Ground {
    pub account: AccountId,
    pub region: Region,
    pub common: Arc<Common>,
    /// Whoever asks here asks for one of many accounts: that some of them get nothing says little of others.
    is_door: bool,
    /// The probe is over, and others may ask for themselves.
    open: AtomicBool,
    /// Some service answered here.
    known: AtomicBool,
    /// The region refuses the account, as the probe was told.
    closed: OnceLock<Unknown>,
    /// Held by the probe.
    pub probing: tokio::sync::Mutex<()>,
    lanes: Mutex<Vec<Arc<Lane>>>,
}

/// One service of one account and region.
#[derive(Debug)]
pub(crate) struct Lane {
    pub service: &'static str,
    pub room: Semaphore,
    pub last_key: LastKey,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    standing: Standing,
    /// Since when it is silent, and when it was last tried whether it still is.
    silent: Option<(Instant, Instant)>,
}

/// What is known of a service's answering, which is not what it answers.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    Untried,
    Answers,
    /// It did answer, and so many calls got nothing, the first of which ended then.
    Doubtful(u32, Instant),
    /// There is no point in asking.
    Silent(Unknown),
}

impl Ground {
    pub(crate) fn new(common: &Arc<Common>, account: &AccountId, region: &Region) -> Self {
        Self {
            account: account.clone(),
            region: region.clone(),
            common: common.clone(),
            is_door: false,
            open: AtomicBool::new(false),
            known: AtomicBool::new(false),
            closed: OnceLock::new(),
            probing: tokio::sync::Mutex::default(),
            lanes: Mutex::default(),
        }
    }

    /// The same for the door to all accounts.
    pub(crate) fn for_all(common: &Arc<Common>, account: &AccountId, region: &Region) -> Self {
        Self { is_door: true, ..Self::new(common, account, region) }
    }

    /// Whether calls need not wait for a probe; an error if there is nothing to be had here.
    pub(crate) fn is_open(&self, operation: &Operation) -> Result<bool, Unknown> {
        match self.closed.get() {
            Some(unknown) => Err(instead(unknown, operation)),
            None => Ok(self.open.load(Ordering::Acquire)),
        }
    }

    pub(crate) fn is_door(&self) -> bool {
        self.is_door
    }

    /// Whether the region knows the account: some service answered.
    pub(crate) fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    /// Lets nobody ask any more: the region told the probe that the account is unknown to it.
    pub(crate) fn close(&self, unknown: Unknown) {
        // The first word stands.
        let _ = self.closed.set(unknown);
    }

    pub(crate) fn lane(&self, service: &'static str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.iter().find(|lane| lane.service == service) {
            return lane.clone();
        }
        let state = State { pace: Pace::new(self.common.limits.share), standing: Standing::Untried, silent: None };
        let lane = Arc::new(Lane {
            service,
            room: Semaphore::new(ROOM),
            last_key: LastKey::default(),
            state: Mutex::new(state),
        });
        lanes.push(lane.clone());
        lane
    }

    /// An unknown of this account and region.
    pub(crate) fn unknown(&self, operation: &Operation, why: Why) -> Unknown {
        let call = format!("{}:{}", operation.service, operation.name);
        Unknown::new(&call, why).in_account(&self.account).in_region(&self.region)
    }

    /// Whether to ask a service that may not have answered lately. At the door to all accounts it is waited until
    /// somebody answers again: that nobody does says nothing of any account. One at a time tries.
    pub(crate) async fn heard(&self, lane: &Lane, operation: &Operation) -> Result<(), Unknown> {
        if !self.is_door {
            return self.silence(lane, operation);
        }
        let knocks_every = KNOCKS_EVERY.min(self.common.limits.attempt);
        loop {
            if self.common.stop.is_set() {
                return Err(self.unknown(operation, Why::RunEnded));
            }
            match lane.shut(knocks_every) {
                None => return Ok(()),
                Some(since) if since.elapsed() > knocks_every * PATIENCE => self.common.stop.stop(Cause::Unreachable),
                Some(_) => _ = self.common.stop.or(tokio::time::sleep(LOOKS_EVERY)).await,
            }
        }
    }

    /// Whether nobody answers at the door to all accounts.
    pub(crate) fn is_shut(&self, service: &'static str) -> bool {
        self.is_door && matches!(self.lane(service).standing(), Standing::Silent(_))
    }

    /// Why not to ask a service that did not answer lately, here or in other accounts.
    fn silence(&self, lane: &Lane, operation: &Operation) -> Result<(), Unknown> {
        match lane.standing() {
            Standing::Answers => return Ok(()),
            Standing::Silent(unknown) => return Err(instead(&unknown, operation)),
            Standing::Untried | Standing::Doubtful(..) => {}
        }
        let refusal = self.common.breaker(lane.service, &self.region, |breaker| breaker.refusal(Instant::now()));
        let Some((why, said)) = refusal.flatten() else { return Ok(()) };
        let unknown = self.unknown(operation, why).saying(said);
        lane.stand(Standing::Silent(unknown.clone()));
        Err(unknown)
    }

    /// A service answered, whatever it said.
    pub(crate) fn answered(&self, lane: &Lane) {
        self.common.note_answer();
        lane.stand(Standing::Answers);
        // Each answer counts: among thousands of answers a few calls that fail are no silence.
        self.common.breaker(lane.service, &self.region, Breaker::answered);
        if !self.is_known() {
            self.known.store(true, Ordering::Release);
            self.open.store(true, Ordering::Release);
        }
    }

    /// A service gave no answer to a call and its retries, the first of them at `began`. Others may all the same.
    pub(crate) fn unanswered(&self, lane: &Lane, unknown: &Unknown, began: Instant) {
        let now = Instant::now();
        let doubts = if self.is_door { DOUBTS_AT_DOOR } else { DOUBTS };
        let standing = match lane.standing() {
            Standing::Answers => Standing::Doubtful(1, now),
            // Calls that hung side by side hung once.
            Standing::Doubtful(calls, since) if !self.is_door && began <= since => Standing::Doubtful(calls, since),
            Standing::Doubtful(calls, since) if calls < doubts => Standing::Doubtful(calls + 1, since),
            _ => Standing::Silent(unknown.clone()),
        };
        lane.stand(standing);
        // With the network down every service is silent, and none of them is to blame. At the door it is waited.
        if !self.is_door && self.common.answers_since(began) {
            self.common.trip(lane.service, &self.region, |b| b.unanswered(unknown, &self.account, now));
        }
        self.open.store(true, Ordering::Release);
    }
}

impl Lane {
    pub(crate) fn with_pace<T>(&self, act: impl FnOnce(&mut Pace) -> T) -> T {
        act(&mut self.state().pace)
    }

    pub(crate) fn standing(&self) -> Standing {
        self.state().standing.clone()
    }

    /// Whether it ever answered.
    pub(crate) fn is_proven(&self) -> bool {
        matches!(self.state().standing, Standing::Answers | Standing::Doubtful(..))
    }

    fn stand(&self, standing: Standing) {
        let mut state = self.state();
        state.silent = match standing {
            Standing::Silent(_) => Some(state.silent.unwrap_or_else(|| (Instant::now(), Instant::now()))),
            Standing::Untried | Standing::Answers | Standing::Doubtful(..) => None,
        };
        state.standing = standing;
    }

    /// Since when it is silent; none if it is not, and to one caller every so often, who tries.
    fn shut(&self, knocks_every: Duration) -> Option<Instant> {
        let mut state = self.state();
        let (since, last_knock) = state.silent.as_mut()?;
        if last_knock.elapsed() < knocks_every {
            return Some(*since);
        }
        *last_knock = Instant::now();
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reason one call gave, for another that is not made because of it.
fn instead(unknown: &Unknown, operation: &Operation) -> Unknown {
    let call = format!("{}:{}", operation.service, operation.name);
    if call == unknown.call {
        return unknown.clone();
    }
    let said = unknown.message.as_ref().map_or_else(String::new, |said| format!(": {said}"));
    Unknown { message: Some(format!("as {} was told{said}", unknown.call)), call, ..unknown.clone() }
}
