//! CloudWatch Logs: the log groups evidence lands in, and S3 access logs sent through vended deliveries.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatchlogs::operation::describe_account_policies::DescribeAccountPoliciesInput;
use aws_sdk_cloudwatchlogs::operation::describe_deliveries::DescribeDeliveriesInput;
use aws_sdk_cloudwatchlogs::operation::describe_delivery_destinations::DescribeDeliveryDestinationsInput;
use aws_sdk_cloudwatchlogs::operation::describe_delivery_sources::DescribeDeliverySourcesInput;
use aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsInput;
use aws_sdk_cloudwatchlogs::operation::describe_subscription_filters::DescribeSubscriptionFiltersInput;
use aws_sdk_cloudwatchlogs::types::{
    AccountPolicy, Delivery, DeliveryDestination, DeliverySource, DeliverySourceStatus, LogGroup as SdkLogGroup,
    PolicyType, SubscriptionFilter,
};
use aws_smithy_types::DateTime;
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::inventory::logs::{LogDeliveries, LogGroup, LogGroupSettings, S3AccessDelivery};
use crate::inventory::{Fact, Line, Read};
use crate::model::observed::{Told, Why};

use super::listing::{
    ALL, Page, few_at_a_time, malformed, natural, pages, push_read, required, required_text, sorted, text,
};
use super::scope::{Answer, Scope};

/// The calls this collector makes.
pub(crate) const CALLS: &[&str] = &[
    "logs:DescribeLogGroups",
    "logs:DescribeSubscriptionFilters",
    "logs:DescribeAccountPolicies",
    "logs:DescribeDeliverySources",
    "logs:DescribeDeliveries",
    "logs:DescribeDeliveryDestinations",
];

/// The largest page these calls take.
const PAGE: i32 = 50;

/// The vended log type of S3 server access logs
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html>).
const S3_ACCESS_LOGS: &str = "S3_SERVER_ACCESS_LOGS";

/// The log groups named, those that do not exist included.
pub(crate) async fn collect(scope: &Scope, groups: &BTreeSet<String>) -> Vec<Line> {
    let policies = OnceCell::new();
    sorted(few_at_a_time(groups.iter().cloned().map(|name| group(scope, name, &policies))).await)
}

async fn group(scope: &Scope, name: String, policies: &OnceCell<Policies>) -> Line {
    let mut reads = Vec::new();
    let settings = settings(scope, &name, &mut reads).await;
    let (subscriptions, account_subscriptions) = match &settings {
        Ok(Some(_)) => {
            let own = subscriptions(scope, &name, &mut reads).await;
            (own, account_subscriptions(scope, &name, policies, &mut reads).await)
        }
        Ok(None) => (Ok(Vec::new()), Ok(Vec::new())),
        Err(unknown) => (Err(unknown.clone()), Err(unknown.clone())),
    };
    let arn = scope.arn("logs", &format!("log-group:{name}"));
    let fact = Fact::LogGroup(LogGroup { name, settings, subscriptions, account_subscriptions });
    Line::new(&scope.account, Some(&scope.region), arn, reads, fact)
}

/// AWS looks groups up by prefix only. The group may be on a later page, so that its absence is known only when all
/// pages were read.
async fn settings(scope: &Scope, name: &str, reads: &mut Vec<Read>) -> Told<Option<LogGroupSettings>> {
    let listed = pages(scope, "logs:DescribeLogGroups", ALL, |token| async move {
        let request = DescribeLogGroupsInput::builder().log_group_name_prefix(name).limit(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.log_groups, next: value.next_token, read })
    })
    .await;
    listed.reads.iter().for_each(|read| push_read(reads, read));
    let nameless = listed.items.iter().any(|(group, _)| group.log_group_name.is_none());
    let found = listed.items.into_iter().find(|(group, _)| group.log_group_name.as_deref() == Some(name));
    match found {
        Some((group, read)) => group_settings(scope, group, &read).map(Some),
        None if nameless => Err(malformed(scope, "logs:DescribeLogGroups", "an item lacks its name")),
        None => listed.whole.map(|()| None),
    }
}

fn group_settings(scope: &Scope, group: SdkLogGroup, read: &Read) -> Told<LogGroupSettings> {
    let retention =
        group.retention_in_days.map(|days| natural(scope, "logs:DescribeLogGroups", "retentionInDays", Some(days)));
    Ok(LogGroupSettings {
        retention_days: retention.transpose()?,
        kms_key: text(group.kms_key_id),
        class: group.log_group_class.map(|class| class.as_str().to_owned()),
        deletion_protection: group.deletion_protection_enabled,
        stored_bytes: group.stored_bytes,
        created: group.creation_time.and_then(|millis| scope.moment(&DateTime::from_millis(millis), read)),
    })
}

/// Destinations that subscriptions of the account send every event of a group to.
async fn account_subscriptions(
    scope: &Scope,
    name: &str,
    policies: &OnceCell<Policies>,
    reads: &mut Vec<Read>,
) -> Told<Vec<String>> {
    let policies = policies.get_or_init(|| account_policies(scope)).await;
    policies.reads.iter().for_each(|read| push_read(reads, read));
    let policies = policies.all.as_ref().map_err(Clone::clone)?;
    let destinations: BTreeSet<String> = policies.iter().filter_map(|policy| policy.destination_for(name)).collect();
    Ok(destinations.into_iter().collect())
}

/// What the account says of the subscriptions of all groups in a region.
struct Policies {
    all: Told<Vec<AccountSubscription>>,
    reads: Vec<Read>,
}

/// A subscription of every group but some.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutAccountPolicy.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccountSubscription {
    destination_arn: String,
    #[serde(default)]
    filter_pattern: String,
    /// `LogGroupName NOT IN ["..."]`.
    #[serde(skip)]
    but: Option<String>,
}

impl AccountSubscription {
    /// Where every event of a group goes; none where only some do, or none.
    fn destination_for(&self, group: &str) -> Option<String> {
        let left_out = self.but.as_ref().is_some_and(|but| but.contains(&format!("\"{group}\"")));
        (self.filter_pattern.trim().is_empty() && !left_out).then(|| self.destination_arn.clone())
    }
}

async fn account_policies(scope: &Scope) -> Policies {
    let call = "logs:DescribeAccountPolicies";
    let mut reads = Vec::new();
    let listed = pages(scope, call, ALL, |token| async move {
        let request = DescribeAccountPoliciesInput::builder()
            .policy_type(PolicyType::SubscriptionFilterPolicy)
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.account_policies, next: value.next_token, read })
    });
    let listed = listed.await.all(&mut reads);
    let all = listed
        .and_then(|policies| policies.into_iter().map(|policy| account_subscription(scope, call, policy)).collect());
    Policies { all, reads }
}

fn account_subscription(scope: &Scope, call: &str, policy: AccountPolicy) -> Told<AccountSubscription> {
    let document = required_text(scope, call, "policyDocument", policy.policy_document)?;
    let read: Result<AccountSubscription, _> = serde_json::from_str(&document);
    let read = read.map_err(|error| malformed(scope, call, &format!("a subscription policy: {error}")))?;
    let but = policy.selection_criteria.filter(|criteria| !criteria.trim().is_empty());
    if but.as_ref().is_some_and(|criteria| !criteria.trim_start().starts_with("LogGroupName NOT IN")) {
        let unknown = scope.unknown(call, Why::Undecidable);
        return Err(unknown.saying("which groups a subscription of the account is for is not understood"));
    }
    Ok(AccountSubscription { but, ..read })
}

/// Destinations that filters of the group itself send every event to.
async fn subscriptions(scope: &Scope, name: &str, reads: &mut Vec<Read>) -> Told<Vec<String>> {
    let call = "logs:DescribeSubscriptionFilters";
    let listed = pages(scope, call, ALL, |token| async move {
        let request =
            DescribeSubscriptionFiltersInput::builder().log_group_name(name).limit(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.subscription_filters, next: value.next_token, read })
    })
    .await
    .all(reads)?;
    let unnarrowed = listed.into_iter().filter(receives_all);
    let destinations = unnarrowed.map(|filter| required_text(scope, call, "destinationArn", filter.destination_arn));
    destinations.collect::<Told<BTreeSet<_>>>().map(|destinations| destinations.into_iter().collect())
}

fn receives_all(filter: &SubscriptionFilter) -> bool {
    let blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
    blank(filter.filter_pattern.as_deref()) && blank(filter.field_selection_criteria.as_deref())
}

/// Buckets of this region whose access logs a delivery sends on, which `GetBucketLogging` does not tell.
pub(crate) async fn deliveries(scope: &Scope) -> Vec<Line> {
    let mut reads = Vec::new();
    let s3_access = s3_access(scope, &mut reads).await;
    let id = format!("log-deliveries:{}:{}", scope.account, scope.region);
    let fact = Fact::LogDeliveries(LogDeliveries { s3_access });
    vec![Line::new(&scope.account, Some(&scope.region), id, reads, fact)]
}

async fn s3_access(scope: &Scope, reads: &mut Vec<Read>) -> Told<Vec<S3AccessDelivery>> {
    let mut sources = sources(scope, reads).await?;
    sources.retain(|source| source.log_type.as_deref() == Some(S3_ACCESS_LOGS));
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let deliveries = all_deliveries(scope, reads).await?;
    let destinations: BTreeMap<String, String> = destinations(scope, reads)
        .await?
        .into_iter()
        .filter_map(|one| Some((one.arn?, one.delivery_destination_configuration?.destination_resource_arn)))
        .collect();

    let mut found = Vec::new();
    for source in sources {
        let call = "logs:DescribeDeliverySources";
        let name = required_text(scope, call, "name", source.name)?;
        let active = match required(scope, call, "status", source.status)? {
            DeliverySourceStatus::Active => true,
            DeliverySourceStatus::Inactive => false,
            other => return Err(malformed(scope, call, &format!("the status of a source is {}", other.as_str()))),
        };
        let buckets = required(scope, call, "resourceArns", source.resource_arns)?;
        for delivery in deliveries.iter().filter(|delivery| delivery.delivery_source_name.as_ref() == Some(&name)) {
            let call = "logs:DescribeDeliveries";
            let destination = delivery.delivery_destination_arn.clone();
            let destination = required_text(scope, call, "deliveryDestinationArn", destination)?;
            // A destination that another account shares is not listed here; its own ARN still says whose it is.
            let destination_arn = destinations.get(&destination).cloned().unwrap_or(destination);
            found.extend(buckets.iter().map(|bucket| S3AccessDelivery {
                bucket_arn: bucket.clone(),
                active,
                destination_arn: destination_arn.clone(),
            }));
        }
    }
    found.sort_by(|a, b| (&a.bucket_arn, &a.destination_arn).cmp(&(&b.bucket_arn, &b.destination_arn)));
    Ok(found)
}

async fn sources(scope: &Scope, reads: &mut Vec<Read>) -> Told<Vec<DeliverySource>> {
    let listed = pages(scope, "logs:DescribeDeliverySources", ALL, |token| async move {
        let request = DescribeDeliverySourcesInput::builder().limit(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.delivery_sources, next: value.next_token, read })
    });
    listed.await.all(reads)
}

async fn all_deliveries(scope: &Scope, reads: &mut Vec<Read>) -> Told<Vec<Delivery>> {
    let listed = pages(scope, "logs:DescribeDeliveries", ALL, |token| async move {
        let request = DescribeDeliveriesInput::builder().limit(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.deliveries, next: value.next_token, read })
    });
    listed.await.all(reads)
}

async fn destinations(scope: &Scope, reads: &mut Vec<Read>) -> Told<Vec<DeliveryDestination>> {
    let listed = pages(scope, "logs:DescribeDeliveryDestinations", ALL, |token| async move {
        let request = DescribeDeliveryDestinationsInput::builder().limit(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.delivery_destinations, next: value.next_token, read })
    });
    listed.await.all(reads)
}
