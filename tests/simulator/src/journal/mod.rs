//! Every request, as it came and was answered: counted, kept in memory, written as JSON Lines if asked for.
//!
//! What a sweep with such a journal had to take at least is worked out in `bound`.

mod bound;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use bound::{Bound, Terms};

use crate::faults::Kind;

/// Ways to hold the entries, so that requests do not wait for one lock.
const SHARDS: usize = 16;

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// In the order of arrival.
    pub sequence: u64,
    /// When it had arrived whole and when its answer began to leave, in microseconds since the server started.
    pub arrived: u64,
    pub answered: u64,
    pub connection: u32,
    pub service: String,
    pub operation: String,
    /// The account of the credentials, empty if there were none.
    pub account: String,
    pub region: String,
    /// The account that an AssumeRole enters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enters: Option<String>,
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Kind>,
    /// What is asked for, pages apart.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The token of a page after the first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub page: String,
    /// Bytes of the answer's body.
    pub bytes: u32,
}

/// An entry in memory: texts that repeat are numbers.
struct Kept {
    sequence: u64,
    arrived: u64,
    answered: u64,
    connection: u32,
    operation: u32,
    account: u32,
    region: u32,
    enters: u32,
    error: u32,
    bytes: u32,
    status: u16,
    fault: Option<Kind>,
    /// Resource and page, with a zero byte between.
    detail: Box<str>,
}

/// The journal of a running server.
pub struct Journal {
    shards: Vec<Mutex<Vec<Kept>>>,
    names: RwLock<Names>,
    received: AtomicU64,
    in_flight: AtomicU64,
    most_in_flight: AtomicU64,
    connections: AtomicU64,
}

#[derive(Default)]
struct Names {
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
}

/// How often an operation was called, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counter {
    pub calls: u64,
    pub errors: u64,
    pub throttled: u64,
    pub faults: u64,
}

/// What a journal amounts to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counters {
    pub requests: u64,
    pub errors: u64,
    pub throttled: u64,
    pub faults: BTreeMap<&'static str, u64>,
    pub connections: u64,
    pub most_in_flight: u64,
    /// From the first arrival to the last answer.
    pub seconds: f64,
    /// By `service:Operation`.
    pub operations: BTreeMap<String, Counter>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            names: RwLock::default(),
            received: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            most_in_flight: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }
}

impl Journal {
    /// A request arrived; its number.
    pub(crate) fn arrive(&self) -> u64 {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(now, Ordering::Relaxed);
        self.received.fetch_add(1, Ordering::Relaxed)
    }

    /// A request was answered, or will never be.
    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn connect(&self) -> u32 {
        self.connections.fetch_add(1, Ordering::Relaxed) as u32
    }

    pub(crate) fn record(&self, entry: Entry) {
        let kept = Kept {
            sequence: entry.sequence,
            arrived: entry.arrived,
            answered: entry.answered,
            connection: entry.connection,
            operation: self.number(&format!("{}:{}", entry.service, entry.operation)),
            account: self.number(&entry.account),
            region: self.number(&entry.region),
            enters: self.number(entry.enters.as_deref().unwrap_or("")),
            error: self.number(entry.error.as_deref().unwrap_or("")),
            bytes: entry.bytes,
            status: entry.status,
            fault: entry.fault,
            detail: if entry.page.is_empty() && entry.resource.is_empty() {
                Box::from("")
            } else {
                format!("{}\0{}", entry.resource, entry.page).into()
            },
        };
        if let Some(shard) = self.shards.get(entry.connection as usize % SHARDS) {
            shard.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
    }

    fn number(&self, text: &str) -> u32 {
        if let Some(number) = self.names.read().unwrap_or_else(PoisonError::into_inner).numbers.get(text) {
            return *number;
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = names.numbers.get(text) {
            return *number;
        }
        let number = names.texts.len() as u32;
        names.texts.push(text.to_owned());
        names.numbers.insert(text.to_owned(), number);
        number
    }

    /// Every request so far that was answered, in the order of arrival.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.each(|entry| entries.push(entry));
        entries
    }

    /// Calls with every entry in the order of arrival, without holding all as texts.
    fn each(&self, mut with: impl FnMut(Entry)) {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner).texts.clone();
        let text = |number: u32| names.get(number as usize).cloned().unwrap_or_default();
        let maybe = |number: u32| Some(text(number)).filter(|text| !text.is_empty());
        let shards: Vec<_> =
            self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        let mut all: Vec<&Kept> = shards.iter().flat_map(|shard| shard.iter()).collect();
        all.sort_unstable_by_key(|kept| kept.sequence);
        for kept in all {
            let operation = text(kept.operation);
            let (service, operation) = operation.split_once(':').unwrap_or(("", ""));
            let (resource, page) = kept.detail.split_once('\0').unwrap_or(("", ""));
            with(Entry {
                sequence: kept.sequence,
                arrived: kept.arrived,
                answered: kept.answered,
                connection: kept.connection,
                service: service.to_owned(),
                operation: operation.to_owned(),
                account: text(kept.account),
                region: text(kept.region),
                enters: maybe(kept.enters),
                status: kept.status,
                error: maybe(kept.error),
                fault: kept.fault,
                resource: resource.to_owned(),
                page: page.to_owned(),
                bytes: kept.bytes,
            });
        }
    }

    /// How many requests arrived so far.
    pub fn requests(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// What it amounts to so far.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters {
            connections: self.connections.load(Ordering::Relaxed),
            most_in_flight: self.most_in_flight.load(Ordering::Relaxed),
            ..Counters::default()
        };
        let (mut first, mut last) = (u64::MAX, 0);
        self.each(|entry| {
            first = first.min(entry.arrived);
            last = last.max(entry.answered);
            counters.add(&entry);
        });
        counters.seconds = Duration::from_micros(last.saturating_sub(first)).as_secs_f64();
        counters
    }

    /// Forgets everything so far.
    pub fn clear(&self) {
        self.shards.iter().for_each(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).clear());
        self.most_in_flight.store(self.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
        self.connections.store(0, Ordering::Relaxed);
    }

    /// All entries as JSON Lines.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut written = Ok(());
        self.each(|entry| {
            if written.is_ok() {
                let line = serde_json::to_writer(&mut *out, &entry).map_err(io::Error::from);
                written = line.and_then(|()| out.write_all(b"\n"));
            }
        });
        written.and_then(|()| out.flush())
    }
}

impl Counters {
    fn add(&mut self, entry: &Entry) {
        let counter = self.operations.entry(format!("{}:{}", entry.service, entry.operation)).or_default();
        let error = entry.status >= 400 || entry.error.is_some();
        let throttled = entry.error.as_deref().is_some_and(throttles);
        counter.calls += 1;
        counter.errors += u64::from(error);
        counter.throttled += u64::from(throttled);
        counter.faults += u64::from(entry.fault.is_some());
        self.requests += 1;
        self.errors += u64::from(error);
        self.throttled += u64::from(throttled);
        if let Some(fault) = entry.fault {
            *self.faults.entry(fault.name()).or_default() += 1;
        }
    }
}

/// Codes by which this server asks for fewer requests.
fn throttles(code: &str) -> bool {
    matches!(
        code,
        "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded" | "SlowDown"
    )
}
