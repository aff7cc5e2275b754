//! How every client is made: one connection pool, explicit timeouts and retries, the guarding interceptor.
//!
//! Collectors make clients only here; whose credentials they carry is decided in `session`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::RetryPartition;
use aws_sdk_sts::config::{SharedAsyncSleep, StalledStreamProtectionConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::pool::{Client as PooledClient, ConnectionPool};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use tokio::sync::Semaphore;

use crate::aws::imitation;
use crate::aws::interceptor::Guard;
use crate::aws::ledger::Ledger;
use crate::config::Timeouts;
use crate::model::ids::Region;

/// A sweep walks over hundreds of hosts; connections to those it has left are soon closed.
const IDLE: Duration = Duration::from_secs(20);
/// Requests under way at a time in the whole process; many systems allow a process about a thousand sockets.
pub(crate) const REQUESTS_AT_A_TIME: usize = 128;

/// How long a call may take and how often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// One request with its answer.
    pub attempt: Duration,
    /// All attempts of an operation and the pauses between them.
    pub operation: Duration,
    /// Requests an operation may cost, the first included.
    pub attempts: u32,
}

impl From<Timeouts> for Limits {
    fn from(Timeouts { connect, read, attempt, operation, attempts }: Timeouts) -> Self {
        Self { connect, read, attempt, operation, attempts }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(Timeouts::default())
    }
}

/// Everything the clients of a run share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub http: SharedHttpClient,
    pub limits: Limits,
    /// Where requests go instead of AWS.
    pub endpoint_url: Option<String>,
    pub use_fips: Option<bool>,
    pub use_dual_stack: Option<bool>,
    pub ledger: Arc<Ledger>,
    /// Requests under way at a time, so that a sweep over hundreds of hosts does not run out of sockets.
    pub turns: Arc<Semaphore>,
}

/// One session in one region: what its clients are made from.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    config: SdkConfig,
    /// Prefix of its retry partitions, `account/region/session`.
    name: String,
    /// One retry quota a service; the SDK's own would be shared by all accounts of the process, so that one throttled
    /// account would use up the retries of all.
    partitions: Arc<Mutex<BTreeMap<&'static str, RetryPartition>>>,
    ledger: Arc<Ledger>,
}

/// The process's connection pool. Hosts are per service and region, so that accounts share connections. `imitated`: it
/// is not AWS that answers.
pub(crate) fn http_client(imitated: bool) -> Result<SharedHttpClient, String> {
    let pool = ConnectionPool::builder()
        .idle_timeout(IDLE)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_https()
        .map_err(|e| format!("cannot set up HTTPS: {e}"))?;
    let client = PooledClient::new(&pool).map_err(|e| format!("cannot set up HTTPS: {e}"))?;
    let client = SharedHttpClient::new(client);
    Ok(if imitated { imitation::tolerant(client) } else { client })
}

/// The SDK behaviour this version was tested with; an update of the SDK must not change retries or timeouts.
pub(crate) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Names the tool in the user agent of every request, and so in CloudTrail. The SDK takes no slash in it.
pub(crate) fn app_name() -> AppName {
    AppName::new(concat!("locard-", env!("CARGO_PKG_VERSION")))
        .unwrap_or_else(|e| panic!("internal error: the version makes no app name: {e}"))
}

impl Limits {
    pub(crate) fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .read_timeout(self.read)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }
}

impl Access {
    /// `name` tells the account and the session apart; the provider is asked before every request, so it must cache.
    pub(crate) fn new(common: &Common, name: &str, region: &Region, provider: SharedCredentialsProvider) -> Self {
        let mut builder = SdkConfig::builder()
            .behavior_version(behavior())
            .region(aws_config::Region::new(region.as_str().to_owned()))
            .credentials_provider(provider)
            // The SDK's own cache holds 64 identities and refreshes ten seconds before expiry; ours does better.
            .identity_cache(IdentityCache::no_cache())
            .http_client(common.http.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(common.limits.attempts))
            .timeout_config(common.limits.timeouts())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(aws_smithy_async::time::SystemTimeSource::new())
            // Answers are small; the read timeout covers a stalled one without false alarms.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .app_name(app_name());
        builder.set_endpoint_url(common.endpoint_url.clone());
        builder.set_use_fips(common.use_fips);
        builder.set_use_dual_stack(common.use_dual_stack);
        Self {
            config: builder.build(),
            name: format!("{name}/{region}"),
            partitions: Arc::default(),
            ledger: common.ledger.clone(),
        }
    }

    fn partition(&self, service: &'static str) -> RetryPartition {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions
            .entry(service)
            .or_insert_with(|| RetryPartition::custom(format!("{}/{service}", self.name)).build())
            .clone()
    }
}

macro_rules! clients {
    ($($name:ident $sdk:ident),* $(,)?) => { $(
        pub(crate) fn $name(access: &Access) -> $sdk::Client {
            let config = $sdk::config::Builder::from(&access.config)
                .retry_partition(access.partition(stringify!($name)))
                .interceptor(Guard::new(access.ledger.clone()))
                .build();
            $sdk::Client::from_conf(config)
        }
    )* };
}

clients! {
    sts aws_sdk_sts,
    organizations aws_sdk_organizations,
    sagemaker aws_sdk_sagemaker,
    bedrock aws_sdk_bedrock,
    bedrockagent aws_sdk_bedrockagent,
    cloudtrail aws_sdk_cloudtrail,
    cloudwatch aws_sdk_cloudwatch,
    ec2 aws_sdk_ec2,
    logs aws_sdk_cloudwatchlogs,
    kms aws_sdk_kms,
}

/// S3 at an endpoint of its own is addressed by path: a bucket's name in the host would need DNS of its own.
pub(crate) fn s3(access: &Access) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(&access.config)
        .retry_partition(access.partition("s3"))
        .interceptor(Guard::new(access.ledger.clone()))
        .force_path_style(access.config.endpoint_url().is_some())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
