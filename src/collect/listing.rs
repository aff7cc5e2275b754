//! Lists read over all their pages, and the `Listing` line each one leaves.
//!
//! What is listed, the services know; this knows only pages, tokens, caps and what went wrong on the way.

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::inventory::{Fact, Line, Listing, Read};
use crate::model::observed::{Told, Unknown, Why};

use super::scope::Scope;

/// How many resources of one account, region and service are described at the same time.
const IN_FLIGHT: usize = 8;

/// A list is read so far and no further; the longest that AWS's quotas allow are shorter. Servers that name a next page
/// for ever end here, in bounded time and memory.
const MAX_PAGES: usize = 2_000;
/// Filters leave pages empty, but not so many in a row.
const MAX_EMPTY_PAGES: usize = 50;

/// No cap on how many items a list may hold.
pub(crate) const ALL: usize = usize::MAX;

/// One answer of a list call.
pub(crate) struct Page<T> {
    /// None: the answer lacked the list, which is not the same as an empty one.
    pub items: Option<Vec<T>>,
    pub next: Option<String>,
    pub read: Read,
}

/// All pages of a list call, as far as they could be read.
pub(crate) struct Listed<T> {
    pub call: &'static str,
    /// Each item with the call that listed it; at most the cap.
    pub items: Vec<(T, Read)>,
    pub reads: Vec<Read>,
    /// How many items the pages held, those beyond the cap included.
    pub total: u64,
    /// Whether the pages were all there are.
    pub whole: Told<()>,
}

/// Reads page after page, empty ones too, until a page names no next one. Of the items the first `keep` are kept, the
/// others counted. A failing page ends the list, and so does one too many; what came before stays.
pub(crate) async fn pages<T, F, Fut>(scope: &Scope, call: &'static str, keep: usize, mut page: F) -> Listed<T>
where
    F: FnMut(Option<String>) -> Fut,
    Fut: Future<Output = Told<Page<T>>>,
{
    let mut listed = Listed { call, items: Vec::new(), reads: Vec::new(), total: 0, whole: Ok(()) };
    let mut tokens = BTreeSet::new();
    let mut token = None;
    let mut empty = 0;
    for _ in 0..MAX_PAGES {
        let Page { items, next, read } = match page(token).await {
            Ok(page) => page,
            Err(unknown) => return listed.broken(unknown),
        };
        push_read(&mut listed.reads, &read);
        let Some(items) = items else {
            return listed.broken(malformed(scope, call, "the answer holds no list"));
        };
        listed.total += items.len() as u64;
        empty = if items.is_empty() { empty + 1 } else { 0 };
        let room = keep.saturating_sub(listed.items.len());
        listed.items.extend(items.into_iter().take(room).map(|item| (item, read.clone())));
        match next.filter(|token| !token.is_empty()) {
            None => return listed,
            Some(next) if tokens.contains(&next) => {
                return listed.broken(malformed(scope, call, "the same page token came twice"));
            }
            Some(_) if empty == MAX_EMPTY_PAGES => {
                let what = format!("{MAX_EMPTY_PAGES} pages in a row were empty, and there are said to be more");
                return listed.broken(malformed(scope, call, &what));
            }
            Some(next) => {
                tokens.insert(next.clone());
                token = Some(next);
            }
        }
    }
    listed.broken(scope.unknown(call, Why::Capped).saying(format!("not read beyond {MAX_PAGES} pages")))
}

impl<T> Listed<T> {
    /// The same list as ended by a failure.
    fn broken(mut self, unknown: Unknown) -> Self {
        self.whole = Err(unknown);
        self
    }

    /// Converts the items. One that lacks what names it makes the list malformed: something is there that no line
    /// can stand for.
    pub(crate) fn named<U>(self, scope: &Scope, name: impl Fn(T, &Read) -> Option<U>) -> Listed<U> {
        let Listed { call, items, reads, total, mut whole } = self;
        let mut named = Vec::with_capacity(items.len());
        for (item, read) in items {
            match name(item, &read) {
                Some(item) => named.push((item, read)),
                None => whole = whole.and(Err(malformed(scope, call, "an item lacks its name"))),
            }
        }
        Listed { call, items: named, reads, total, whole }
    }

    /// The items, each once: what is made or deleted while pages are read may show on two of them.
    pub(crate) fn once(mut self, id: impl Fn(&T) -> &str) -> Self {
        let mut seen = BTreeSet::new();
        let before = self.items.len();
        self.items.retain(|(item, _)| seen.insert(id(item).to_owned()));
        self.total -= (before - self.items.len()) as u64;
        self
    }

    /// The items, known only when every page was read; `reads` gains the pages.
    pub(crate) fn all(self, reads: &mut Vec<Read>) -> Told<Vec<T>> {
        self.reads.iter().for_each(|read| push_read(reads, read));
        self.whole?;
        Ok(self.items.into_iter().map(|(item, _)| item).collect())
    }

    /// The line that says what came of the list in this region.
    pub(crate) fn line(&self, scope: &Scope) -> Line {
        let capped = self.total - self.items.len() as u64;
        let capped = if self.whole.is_ok() { capped } else { 0 };
        listing(scope, self.call, self.whole.clone().map(|()| self.total), capped, self.reads.clone())
    }
}

/// A `Listing` line of this account and region.
pub(crate) fn listing(scope: &Scope, call: &str, count: Told<u64>, capped: u64, reads: Vec<Read>) -> Line {
    let id = format!("{call}:{}:{}", scope.account, scope.region);
    let fact = Fact::Listing(Listing { call: call.to_owned(), count, capped });
    Line::new(&scope.account, Some(&scope.region), id, reads, fact)
}

/// Where every list so far told that the service does not exist in the region, the others are not tried: each would
/// spend all its attempts on a name that does not resolve.
pub(crate) fn absent_service(scope: &Scope, lines: &[Line], others: &[&'static str]) -> Option<Vec<Line>> {
    let mut absent = None;
    for line in lines {
        match &line.fact {
            Fact::Listing(Listing { count: Err(unknown), .. }) if unknown.why == Why::ServiceAbsent => {
                absent = Some(unknown);
            }
            Fact::Listing(_) => return None,
            _ => {}
        }
    }
    let unknown = absent?;
    let silent = others.iter().map(|call| {
        let unknown = Unknown { call: (*call).to_owned(), ..unknown.clone() };
        listing(scope, call, Err(unknown), 0, Vec::new())
    });
    Some(silent.collect())
}

/// All lines of lists and services that are asked side by side.
pub(crate) async fn together(units: Vec<BoxFuture<'_, Vec<Line>>>) -> Vec<Line> {
    units.into_iter().collect::<FuturesUnordered<_>>().concat().await
}

/// Runs the futures a few at a time and gives their results in order.
pub(crate) async fn few_at_a_time<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures = futures.into_iter().peekable();
    // Most lists are empty, and a stream of none costs almost what a call does.
    if futures.peek().is_none() {
        return Vec::new();
    }
    futures_util::stream::iter(futures).buffered(IN_FLIGHT).collect().await
}

/// The order of lines in a snapshot file.
pub(crate) fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
    lines
}

/// Appends a read; of pages the first stands for all, however long they took.
pub(crate) fn push_read(reads: &mut Vec<Read>, read: &Read) {
    if !reads.iter().any(|known| known.call == read.call) {
        reads.push(read.clone());
    }
}

/// The answer was given and lacks, or garbles, what it must hold.
pub(crate) fn malformed(scope: &Scope, call: &str, what: &str) -> Unknown {
    scope.unknown(call, Why::Malformed).saying(what)
}

/// A member that AWS always sends.
pub(crate) fn required<T>(scope: &Scope, call: &str, member: &str, value: Option<T>) -> Told<T> {
    value.ok_or_else(|| malformed(scope, call, &format!("the answer lacks {member}")))
}

/// A text that AWS always sends. The SDK stands an empty one in for some missing members.
pub(crate) fn required_text(scope: &Scope, call: &str, member: &str, value: Option<String>) -> Told<String> {
    required(scope, call, member, text(value))
}

/// A text that says something; none for an empty one.
pub(crate) fn text(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

/// A number that AWS always sends and that is never negative.
pub(crate) fn natural(scope: &Scope, call: &str, member: &str, value: Option<i32>) -> Told<u32> {
    let value = required(scope, call, member, value)?;
    u32::try_from(value).map_err(|_| malformed(scope, call, &format!("{member} is {value}")))
}
