//! Working on many things at once and taking the results in their order, with few of them in memory.
//!
//! What the work is, callers say; threads are those of the pool it is called from.

use rayon::prelude::*;

/// Results that may wait to be taken, for each thread and in all; large ones have some MB.
const WAITING: usize = 16;
const MOST_WAITING: usize = 256;

/// Works on every item, in parallel, and hands the results over in the order of the items; while those of one window
/// are taken the next is worked on.
///
/// # Errors
/// The first of an item or of `take`, in that order.
pub fn in_order<'t, T: Sync, R: Send, E: Send>(
    items: &'t [T],
    work: impl Fn(&'t T) -> Result<R, E> + Sync,
    mut take: impl FnMut(R) -> Result<(), E> + Send,
) -> Result<(), E> {
    let window = (WAITING * rayon::current_num_threads()).clamp(2 * WAITING, MOST_WAITING);
    let mut waiting: Vec<Result<R, E>> = Vec::new();
    for next in items.chunks(window) {
        let (taken, worked) = rayon::join(
            || waiting.into_iter().try_for_each(|result| take(result?)),
            || next.par_iter().with_max_len(1).map(&work).collect(),
        );
        taken?;
        waiting = worked;
    }
    waiting.into_iter().try_for_each(|result| take(result?))
}
