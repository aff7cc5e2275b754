//! How often AWS lets an account call an operation in a region, as far as it says so.
//!
//! What share of that a sweep may use is decided by whoever runs it; keeping to it is `aws::pace`'s.

use super::operations::Operation;

/// A token bucket as AWS describes its own: so many calls at once, and so many a second after that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

/// What is assumed where AWS publishes nothing, as for SageMaker, most of Bedrock and the settings of buckets: little
/// enough to stay unnoticed beside whoever works in the account.
pub const UNPUBLISHED: Rate = Rate { per_second: 20.0, burst: 40.0 };

/// Service, operations (none named: all others of the service), a second, at once. Sources, by service:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html> (one quota for all of STS),
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>,
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>,
/// <https://docs.aws.amazon.com/general/latest/gr/ct.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>.
const PUBLISHED: &[(&str, &[&str], f64, f64)] = &[
    ("sts", &[], 600.0, 600.0),
    ("organizations", &["ListAccounts"], 8.0, 12.0),
    ("organizations", &["ListAccountsForParent", "ListOrganizationalUnitsForParent"], 5.0, 8.0),
    ("organizations", &["DescribeOrganization", "ListRoots"], 1.0, 1.0),
    ("ec2", &[], 20.0, 100.0),
    ("cloudtrail", &["DescribeTrails", "GetTrailStatus", "GetEventSelectors"], 10.0, 10.0),
    ("logs", &["DescribeLogGroups"], 10.0, 10.0),
    ("logs", &["DescribeSubscriptionFilters"], 5.0, 5.0),
];

/// The limit of an operation, published or assumed.
pub fn rate(operation: &Operation) -> Rate {
    let of = |(service, names, ..): &&(&str, &[&str], f64, f64)| {
        *service == operation.service && (names.is_empty() || names.contains(&operation.name))
    };
    let published = PUBLISHED.iter().find(of);
    published.map_or(UNPUBLISHED, |(_, _, per_second, burst)| Rate { per_second: *per_second, burst: *burst })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::operations::{OPERATIONS, find};

    #[test]
    fn every_published_limit_is_of_an_operation_that_is_called() {
        for (service, names, ..) in PUBLISHED {
            assert!(OPERATIONS.iter().any(|operation| operation.service == *service), "{service}");
            for name in *names {
                assert!(find(&format!("{service}:{name}")).is_some(), "{service}:{name}");
            }
        }
        let limit = |call| find(call).map(rate).map(|rate| (rate.per_second, rate.burst));
        assert_eq!(limit("organizations:ListAccounts"), Some((8.0, 12.0)));
        assert_eq!(limit("ec2:DescribeSubnets"), Some((20.0, 100.0)));
        assert_eq!(limit("sagemaker:ListModels"), Some((20.0, 40.0)));
    }
}
