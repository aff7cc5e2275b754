//! Working on many things at once and taking the results in their order, with few of them in memory.
//!
//! What the work is, callers say; threads are those of the pool it is called from.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::ScopeFifo;

/// Items that may be worked on or wait to be taken, for each thread and in all; large results have some MB.
const UNDERWAY: usize = 16;
const MOST_UNDERWAY: usize = 256;

/// Works on every item, in parallel, and hands the results over in the order of the items, each as soon as those before
/// it are there.
///
/// # Errors
/// The first of an item or of `take`, in that order.
pub fn in_order<'t, T: Sync, R: Send, E: Send>(
    items: &'t [T],
    work: impl Fn(&'t T) -> Result<R, E> + Sync,
    take: impl FnMut(R) -> Result<(), E> + Send,
) -> Result<(), E> {
    let underway = (UNDERWAY * rayon::current_num_threads()).clamp(2 * UNDERWAY, MOST_UNDERWAY).min(items.len());
    let line = Line {
        items,
        work,
        results: Mutex::new(Results { waiting: BTreeMap::new(), next: 0 }),
        taker: Mutex::new(Taker { take, begun: underway, outcome: Ok(()) }),
    };
    // Those that come first are worked on first: no result waits for one that was put off.
    rayon::scope_fifo(|scope| (0..underway).for_each(|number| line.begin(number, scope)));
    line.taker.into_inner().unwrap_or_else(PoisonError::into_inner).outcome
}

/// Items on their way, by their numbers.
struct Line<'t, T, R, E, W, F> {
    items: &'t [T],
    work: W,
    results: Mutex<Results<R, E>>,
    taker: Mutex<Taker<F, E>>,
}

struct Results<R, E> {
    waiting: BTreeMap<usize, Result<R, E>>,
    /// The one to be taken next.
    next: usize,
}

/// What one thread at a time does, while others go on working.
struct Taker<F, E> {
    take: F,
    /// Items begun; those from here on are not.
    begun: usize,
    outcome: Result<(), E>,
}

impl<'t, T, R, E, W, F> Line<'t, T, R, E, W, F>
where
    T: Sync,
    R: Send,
    E: Send,
    W: Fn(&'t T) -> Result<R, E> + Sync,
    F: FnMut(R) -> Result<(), E> + Send,
{
    fn begin<'scope>(&'scope self, number: usize, scope: &ScopeFifo<'scope>) {
        let Some(item) = self.items.get(number) else { return };
        scope.spawn_fifo(move |scope| {
            let result = (self.work)(item);
            self.results().waiting.insert(number, result);
            // Whoever is taking looks again once it is done, so that none is left behind.
            while self.results().is_ready()
                && let Ok(mut taker) = self.taker.try_lock()
            {
                self.take_ready(&mut taker, scope);
            }
        });
    }

    /// Takes what is ready and begins as many anew; nothing after an error.
    fn take_ready<'scope>(&'scope self, taker: &mut Taker<F, E>, scope: &ScopeFifo<'scope>) {
        while let Some(result) = self.results().pop() {
            if taker.outcome.is_err() {
                continue;
            }
            taker.outcome = result.and_then(&mut taker.take);
            if taker.outcome.is_ok() {
                self.begin(taker.begun, scope);
                taker.begun += 1;
            }
        }
    }

    fn results(&self) -> MutexGuard<'_, Results<R, E>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R, E> Results<R, E> {
    fn is_ready(&self) -> bool {
        self.waiting.contains_key(&self.next)
    }

    fn pop(&mut self) -> Option<Result<R, E>> {
        let result = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_with_few_underway_and_none_after_an_error() {
        let items: Vec<usize> = (0..5_000).collect();
        let (begun, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("threads");
        let work = |item: &usize| {
            let underway = (begun.fetch_add(1, Ordering::SeqCst) + 1).saturating_sub(taken.load(Ordering::SeqCst));
            assert!(underway <= 4 * UNDERWAY, "{underway} underway");
            // The first of each hundred takes longest.
            std::thread::sleep(std::time::Duration::from_micros(if item.is_multiple_of(100) { 2_000 } else { 1 }));
            if *item == 4_000 { Err(*item) } else { Ok(*item) }
        };
        let mut seen = Vec::new();
        let outcome = pool.install(|| {
            in_order(&items, work, |item| {
                seen.push(item);
                taken.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        });
        assert_eq!((outcome, seen), (Err(4_000), items[..4_000].to_vec()));
        assert!(begun.into_inner() <= 4_000 + 4 * UNDERWAY, "work went on after the error");

        let refused =
            pool.install(|| in_order(&items, |item| Ok(*item), |item| if item < 7 { Ok(()) } else { Err(item) }));
        assert_eq!(refused, Err(7));
        assert_eq!(in_order(&[], |item: &u8| Ok::<_, ()>(*item), |_| Ok(())), Ok(()));
    }
}
