//! Rate limits: token buckets per account, region and operation, and what a service says when one is empty.
//!
//! Limits AWS does not publish are not made up: operations without a rule are unlimited unless settings say otherwise.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::hash::Fnv;
use crate::services::AwsError;
use crate::wire::Protocol;

/// A rate: so many requests a second after so many at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

/// One limit. The operation ends in `*` where it stands for all that begin so.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub service: String,
    pub operation: String,
    pub rate: Rate,
}

/// What AWS publishes:
/// <https://docs.aws.amazon.com/general/latest/gr/ct.html>,
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>,
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
const PUBLISHED: &[(&str, &str, f64, f64)] = &[
    ("organizations", "ListAccounts", 8.0, 12.0),
    ("organizations", "ListAccountsForParent", 5.0, 8.0),
    ("organizations", "ListOrganizationalUnitsForParent", 5.0, 8.0),
    ("organizations", "ListParents", 5.0, 8.0),
    ("organizations", "ListDelegatedAdministrators", 5.0, 8.0),
    ("organizations", "ListRoots", 1.0, 1.0),
    ("organizations", "DescribeOrganization", 1.0, 1.0),
    ("organizations", "ListDelegatedServicesForAccount", 1.0, 1.0),
    ("organizations", "ListTagsForResource", 10.0, 10.0),
    ("sts", "*", 600.0, 600.0),
    ("cloudtrail", "LookupEvents", 2.0, 2.0),
    ("cloudtrail", "DescribeTrails", 10.0, 10.0),
    ("cloudtrail", "GetTrailStatus", 10.0, 10.0),
    ("cloudtrail", "GetEventSelectors", 10.0, 10.0),
    ("cloudtrail", "GetInsightSelectors", 10.0, 10.0),
    ("cloudtrail", "ListEventDataStores", 10.0, 10.0),
    ("cloudtrail", "GetEventDataStore", 10.0, 10.0),
    ("cloudtrail", "ListChannels", 10.0, 10.0),
    ("ec2", "*", 20.0, 100.0),
    ("logs", "DescribeLogGroups", 10.0, 10.0),
    ("logs", "DescribeSubscriptionFilters", 5.0, 5.0),
    ("logs", "FilterLogEvents", 5.0, 5.0),
];

/// Ways to hold the buckets, so that requests do not wait for one lock.
const SHARDS: usize = 32;

/// The published limits.
pub fn published() -> Vec<Limit> {
    let limit = |&(service, operation, per_second, burst): &(&str, &str, f64, f64)| Limit {
        service: service.to_owned(),
        operation: operation.to_owned(),
        rate: Rate { per_second, burst },
    };
    PUBLISHED.iter().map(limit).collect()
}

/// The rate of an operation, if it has one: the first rule that is about it.
pub(crate) fn rate(limits: &[Limit], service: &str, operation: &str) -> Option<Rate> {
    let about = |limit: &&Limit| {
        (limit.service == service || limit.service == "*")
            && match limit.operation.strip_suffix('*') {
                Some(start) => operation.starts_with(start),
                None => limit.operation == operation,
            }
    };
    limits.iter().find(about).map(|limit| limit.rate)
}

/// The buckets of a running server.
pub(crate) struct Buckets {
    pub(crate) limits: Vec<Limit>,
    shards: Vec<Mutex<HashMap<u64, Bucket>>>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Buckets {
    pub(crate) fn new(limits: Vec<Limit>) -> Self {
        Self { limits, shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Takes a token; whether there was one. Organizations lives in one region.
    pub(crate) fn take(&self, account: &str, region: &str, service: &str, operation: &str) -> bool {
        let Some(rate) = rate(&self.limits, service, operation) else { return true };
        let region = if service == "organizations" { "" } else { region };
        let key = Fnv::of(&[account, region, service, operation]);
        let Some(shard) = self.shards.get(key as usize % SHARDS) else { return true };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let bucket = shard.entry(key).or_insert(Bucket { tokens: rate.burst, filled: now });
        let gained = now.saturating_duration_since(bucket.filled).as_secs_f64() * rate.per_second;
        bucket.tokens = (bucket.tokens + gained).min(rate.burst);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

/// How a service asks for fewer requests.
pub(crate) fn throttled(protocol: Protocol, service: &str) -> AwsError {
    const SLOWER: &str = "Rate exceeded";
    match (protocol, service) {
        (Protocol::Ec2, _) => AwsError::new("RequestLimitExceeded", 503, "Request limit exceeded."),
        (Protocol::S3, _) => AwsError::new("SlowDown", 503, "Please reduce your request rate."),
        (Protocol::Query, _) => AwsError::new("Throttling", 400, SLOWER),
        (_, "organizations") => AwsError::new("TooManyRequestsException", 400, SLOWER),
        (_, "account") => AwsError::new("TooManyRequestsException", 429, SLOWER),
        (Protocol::RestJson, _) => AwsError::new("ThrottlingException", 429, SLOWER),
        _ => AwsError::new("ThrottlingException", 400, SLOWER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_of_one_account_region_and_operation() {
        let buckets = Buckets::new(published());
        let taken =
            |account: &str, region: &str, operation: &str| buckets.take(account, region, "cloudtrail", operation);
        assert!(taken("1", "us-east-1", "LookupEvents") && taken("1", "us-east-1", "LookupEvents"));
        assert!(!taken("1", "us-east-1", "LookupEvents"));
        assert!(taken("2", "us-east-1", "LookupEvents"));
        assert!(taken("1", "eu-west-1", "LookupEvents"));
        assert!(taken("1", "us-east-1", "DescribeTrails"));
        assert!((0..1000).all(|_| buckets.take("1", "us-east-1", "sagemaker", "ListEndpoints")));
    }
}
