//! What all requests of a run share: one connection pool, the limits, the stop, the counts.
//!
//! Whose credentials a request carries is decided in `session`, how often and how fast is asked in `call`, and `wire`
//! makes it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_config::identity::IdentityCache;
use aws_config::{AppName, BehaviorVersion};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::{SharedAsyncSleep, StalledStreamProtectionConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder as HttpClientBuilder, Connector};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::aws::breaker::Breaker;
use crate::aws::imitation;
use crate::aws::ledger::Ledger;
use crate::aws::stop::Stop;
use crate::aws::store::Confined;
use crate::aws::turns::Turns;
use crate::aws::wire::{Endpoints, Wire};
use crate::config::Timeouts;
use crate::model::ids::Region;

/// A sweep walks over hundreds of hosts; connections to those it has left are soon closed.
const IDLE: Duration = Duration::from_secs(10);

/// How long a call may take, how often it is tried, and how much is asked at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until an answer begins.
    pub read: Duration,
    /// One request with its answer.
    pub attempt: Duration,
    /// All attempts of an operation and the pauses between them.
    pub operation: Duration,
    /// Requests an operation may cost, the first included.
    pub attempts: u32,
    /// Requests under way at a time in the whole process, at most.
    pub requests: usize,
    /// Share of AWS's limits a sweep may use, above 0 and at most 1, others work in the same accounts; more where it is
    /// not AWS that is asked.
    pub share: f64,
}

impl From<Timeouts> for Limits {
    fn from(Timeouts { connect, read, attempt, operation, attempts }: Timeouts) -> Self {
        Self { connect, read, attempt, operation, attempts, requests: REQUESTS, share: 0.5 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(Timeouts::default())
    }
}

/// Requests under way at a time: at the 60 ms that AWS takes to answer these are 34,000 a second, which is more than two
/// cores make. More take memory, and time too.
const REQUESTS: usize = 2048;

/// As many as the files bear that the system lets the process open, which is asked for as many as are needed: a
/// connection is one, and those that idle count too.
fn what_files_bear(requests: usize) -> usize {
    // Systems that do not tell allow 256 by default.
    let files = rlimit::increase_nofile_limit(3 * requests as u64).unwrap_or(256);
    requests.min(usize::try_from(files / 3).unwrap_or(usize::MAX).max(64))
}

/// Everything the requests of a run share.
#[derive(Debug)]
pub(crate) struct Common {
    pub limits: Limits,
    pub ledger: Arc<Ledger>,
    /// Ends the run early.
    pub stop: Stop,
    /// Requests under way at a time; no more when the run is to end.
    pub turns: Turns,
    pub wire: Wire,
    endpoints: Endpoints,
    /// Of the services that ever gave no answer.
    breakers: Mutex<BTreeMap<(&'static str, Region), Breaker>>,
    /// Whether there are any: as a rule there are none, and nobody need look.
    silences: AtomicBool,
    began: Instant,
    /// Microseconds from `began` to the last answer of anyone.
    answered: AtomicU64,
    /// The same to the end of the last time in which nobody answered for long.
    heard_again: AtomicU64,
}

/// AWS's clock as far as an answer has told it.
#[derive(Debug)]
struct TheirClock(Arc<Ledger>);

impl TimeSource for TheirClock {
    fn now(&self) -> SystemTime {
        self.0.on_their_clock(SystemTime::now())
    }
}

/// The process's connection pool. Hosts are per service and region, so that accounts share connections. `imitated`: it
/// is not AWS that answers.
pub(crate) fn connector(limits: &Limits, imitated: bool) -> SharedHttpConnector {
    let timeouts = HttpConnectorSettings::builder().connect_timeout(limits.connect).read_timeout(limits.read).build();
    let connector = SharedHttpConnector::new(connector_of(timeouts));
    if imitated { imitation::tolerant(connector) } else { connector }
}

/// Connections for the SDK's own clients, which have timeouts of their own: those that find the caller's credentials, and
/// that of the bucket that keeps runs.
pub(crate) fn http_client() -> SharedHttpClient {
    HttpClientBuilder::new().build_with_connector_fn(|settings, _| connector_of(settings.cloned().unwrap_or_default()))
}

fn connector_of(timeouts: HttpConnectorSettings) -> Connector {
    Connector::builder()
        .connector_settings(timeouts)
        .sleep_impl(TokioSleep::new())
        .pool_idle_timeout(IDLE)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build()
}

/// The SDK behaviour this version was tested with; an update of the SDK must not change retries or timeouts.
pub(crate) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Names the tool in the user agent of the SDK's own clients, as `wire` does in that of all other requests. The SDK takes
/// no slash in it.
pub(crate) fn app_name() -> AppName {
    AppName::new(concat!("locard-", env!("CARGO_PKG_VERSION")))
        .unwrap_or_else(|e| panic!("internal error: the version makes no app name: {e}"))
}

/// If nobody answers for so long it is the network; less where nobody is waited for as long.
const OUTAGE: Duration = Duration::from_secs(2);

impl Limits {
    /// What the SDK's own clients watch; attempts and whole operations of all other requests are `call`'s, because
    /// waiting for a turn counts for neither.
    pub(crate) fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder().connect_timeout(self.connect).read_timeout(self.read).build()
    }
}

impl Common {
    pub(crate) fn new(connector: SharedHttpConnector, limits: Limits, endpoints: Endpoints, stop: Stop) -> Self {
        let ledger: Arc<Ledger> = Arc::default();
        Self {
            turns: Turns::new(what_files_bear(limits.requests)),
            wire: Wire::new(connector, endpoints.clone(), ledger.clone()),
            endpoints,
            breakers: Mutex::default(),
            silences: AtomicBool::new(false),
            began: Instant::now(),
            answered: AtomicU64::new(0),
            heard_again: AtomicU64::new(0),
            limits,
            ledger,
            stop,
        }
    }

    /// Notes that somebody answered.
    pub(crate) fn note_answer(&self) {
        let elapsed = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let last = self.answered.swap(elapsed, Ordering::Relaxed);
        if Duration::from_micros(elapsed.saturating_sub(last)) > self.outage() {
            self.heard_again.store(elapsed, Ordering::Relaxed);
        }
    }

    fn outage(&self) -> Duration {
        OUTAGE.min(self.limits.attempt / 2)
    }

    /// Whether others were answered since, all the time: then who was not answered cannot blame the network.
    pub(crate) fn answers_since(&self, then: Instant) -> bool {
        let last = self.moment(&self.answered);
        last > then && last.elapsed() <= self.outage() && self.moment(&self.heard_again) <= then
    }

    /// Whether anybody answered since, or not long before; if not, it may be the network that is down.
    pub(crate) fn answered_lately(&self, then: Instant) -> bool {
        self.moment(&self.answered) + self.outage() > then
    }

    fn moment(&self, micros: &AtomicU64) -> Instant {
        self.began + Duration::from_micros(micros.load(Ordering::Relaxed))
    }

    /// The breaker of a service that gave no answer.
    pub(crate) fn trip<T>(&self, service: &'static str, region: &Region, act: impl FnOnce(&mut Breaker) -> T) -> T {
        self.silences.store(true, Ordering::Release);
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        act(breakers.entry((service, region.clone())).or_default())
    }

    /// The breaker of a service that once gave no answer; none of one that always did.
    pub(crate) fn breaker<T>(
        &self,
        service: &'static str,
        region: &Region,
        act: impl FnOnce(&mut Breaker) -> T,
    ) -> Option<T> {
        if !self.silences.load(Ordering::Acquire) {
            return None;
        }
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.get_mut(&(service, region.clone())).map(act)
    }
}

/// The SDK's client of S3 for the bucket that keeps locard's own runs; what it may do there its interceptor says.
/// Nobody else's turn waits for it, so that the SDK may try again by itself.
pub(crate) fn store(
    common: &Common,
    region: &Region,
    provider: SharedCredentialsProvider,
    confined: Confined,
) -> aws_sdk_s3::Client {
    let limits = Limits { attempt: Duration::from_secs(60), operation: Duration::from_secs(180), ..Limits::default() };
    let timeouts = limits.timeouts().to_builder();
    let timeouts = timeouts.operation_attempt_timeout(limits.attempt).operation_timeout(limits.operation).build();
    let Endpoints { url, use_fips, use_dual_stack } = common.endpoints.clone();
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(behavior())
        .region(aws_config::Region::new(region.as_str().to_owned()))
        .credentials_provider(provider)
        // The provider keeps them.
        .identity_cache(IdentityCache::no_cache())
        .http_client(http_client())
        .retry_config(RetryConfig::standard().with_max_attempts(limits.attempts))
        .timeout_config(timeouts)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(TheirClock(common.ledger.clone()))
        // Whoever reads an answer watches that it goes on.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .app_name(app_name())
        .interceptor(confined)
        .force_path_style(url.is_some());
    config.set_endpoint_url(url);
    if let Some(use_fips) = use_fips {
        config = config.use_fips(use_fips);
    }
    if let Some(use_dual_stack) = use_dual_stack {
        config = config.use_dual_stack(use_dual_stack);
    }
    #[expect(clippy::disallowed_methods, reason = "what it may do its interceptor says")]
    aws_sdk_s3::Client::from_conf(config.build())
}
