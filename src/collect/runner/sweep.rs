//! What all units of a run share: how accounts are entered, and in which order they have their turns.
//!
//! What a unit reads is in `first` and `second`.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::store::Store;
use super::{CollectError, Options};
use crate::aws::session::{Caller, Entry, Role};
use crate::aws::stop::Stop;
use crate::collect::listing;
use crate::collect::progress::Progress;
use crate::collect::scope::{Frame, Scope};
use crate::inventory::Line;
use crate::inventory::operations::OPERATIONS;
use crate::model::ids::{AccountId, Region};
use crate::model::observed::Why;

/// How units of a pass follow each other.
#[derive(Clone, Copy)]
pub(super) struct Order {
    /// Units under way at a time are at most so many times those of [`Options::accounts_in_flight`].
    pub wide: usize,
    /// A unit takes some round trips before it asks much; others are not started faster than this meanwhile.
    pub start_every: Duration,
}

/// Whole accounts.
pub(super) const ACCOUNTS: Order = Order { wide: 1, start_every: Duration::from_millis(2) };
/// Parts of accounts, that ask a few dozen things and hold little.
pub(super) const PARTS: Order = Order { wide: 4, start_every: Duration::from_millis(1) };

/// Near a server, accounts are under way for every so many requests at a time, but so many at least.
const TURNS_AN_ACCOUNT: usize = 16;
const FEWEST: usize = 6;

/// How often it is looked whether another account may start: near a server that answers at once, one is over in 13 ms.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Everything the units of a run share.
pub(super) struct Sweep {
    pub caller: Arc<Caller>,
    /// None: single-account mode.
    pub role: Option<Arc<Role>>,
    pub home: Region,
    pub frame: Frame,
    pub options: Options,
    pub management: Option<AccountId>,
    pub store: Store,
    pub progress: Arc<Progress>,
}

impl Sweep {
    /// An account, to be entered anew: sessions and what was learned of its regions are gone when its unit is.
    pub(super) fn entry(&self, account: &AccountId) -> Entry {
        match &self.role {
            Some(role) => self.caller.entry(account, role),
            None => self.caller.own_entry(),
        }
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.options.stop
    }

    /// Runs units, each as a task of its own, as many at a time as keep the requests of the process under way. When the
    /// run is to end, no unit is started any more, and those that do not end soon are given up.
    pub(super) async fn each<T, U>(
        &self,
        order: Order,
        units: impl Stream<Item = U>,
        mut take: impl FnMut(T),
    ) -> Result<(), CollectError>
    where
        T: Send + 'static,
        U: Future<Output = Result<Option<T>, CollectError>> + Send + 'static,
    {
        let mut units = pin!(units);
        let mut running = JoinSet::new();
        let mut more = true;
        let mut next_start = Instant::now();
        loop {
            let ends = self.stop().ends().map(Instant::from_std);
            more &= ends.is_none();
            if !more && running.is_empty() {
                return Ok(());
            }
            let room = more && self.has_room(order, running.len());
            tokio::select! {
                biased;
                Some(done) = running.join_next() => match done {
                    // An error drops the set, which ends what still runs: its results could not be kept either.
                    Ok(result) => if let Some(value) = result? {
                        take(value);
                        self.progress.step();
                    },
                    Err(failed) => match failed.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(cancelled) => panic!("internal error: nobody cancels a unit: {cancelled}"),
                    },
                },
                () = sleep_until(ends.unwrap_or_else(Instant::now)), if ends.is_some() => return Ok(()),
                () = self.stop().heard(), if ends.is_none() => {}
                unit = async { sleep_until(next_start).await; units.next().await }, if room => match unit {
                    Some(unit) => {
                        running.spawn(unit);
                        next_start = Instant::now() + order.start_every;
                    }
                    None => more = false,
                },
                () = sleep(LOOK_EVERY), if more && !room => {}
            }
        }
    }

    /// Whether one more account may be read: as long as requests could be under way that nobody asks for, up to a number
    /// that memory bears. Accounts that wait for AWS, and not for us, leave room for others. Beside a server that answers
    /// at once it is we who are waited for, or the disk: more accounts would only hold what they have read.
    fn has_room(&self, order: Order, running: usize) -> bool {
        let turns = &self.caller.common.turns;
        let enough = if turns.are_near() { (turns.size() / TURNS_AN_ACCOUNT).max(FEWEST) } else { usize::MAX };
        let most = self.options.accounts_in_flight.max(1).min(enough);
        running < most * order.wide && (running == 0 || turns.idle())
    }

    /// Whether a unit was cut short by the end of the run: something in it is unknown that might be known.
    pub(super) fn is_cut_short(&self, lines: &[Line]) -> bool {
        self.stop().is_set() && lines.iter().any(Line::may_tell_more)
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
