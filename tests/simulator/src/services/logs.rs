//! CloudWatch Logs: log groups, their subscriptions, and vended deliveries.
//!
//! Log events are not simulated.

use serde_json::{Map, Value};

use super::listing::{self, Describe, LOGS, List};
use super::{Answer, AwsError, Call, Outcome};

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    match call.operation {
        "DescribeLogGroups" => describe_log_groups(call),
        "DescribeSubscriptionFilters" => {
            listing::described(call, &GROUP)?;
            listing::answer(call, LISTS, &[]).unwrap_or_else(|| Err(AwsError::unknown_operation(call)))
        }
        // No group has any.
        "ListTagsForResource" => Ok(Answer::Json(serde_json::json!({"tags": {}}))),
        _ => listing::answer(call, LISTS, &[]).unwrap_or_else(|| Err(AwsError::unknown_operation(call))),
    }
}

/// The log group a call is about.
const GROUP: Describe = Describe {
    operation: "",
    kind: "groups",
    by: &[("logGroupName", &["logGroupName"])],
    wrapped: None,
    missing: ("ResourceNotFoundException", 400, "The specified log group does not exist."),
};

/// By name; a prefix and a pattern exclude each other.
fn describe_log_groups(call: &Call<'_>) -> Outcome {
    let (prefix, pattern) = (call.text("logGroupNamePrefix"), call.text("logGroupNamePattern"));
    if prefix.is_some() && pattern.is_some() {
        let message = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.";
        return Err(AwsError::new("InvalidParameterException", 400, message));
    }
    let (offset, size) = listing::window(call, LOGS)?;
    let class = call.text("logGroupClass");
    let account = call.world.estate.account(call.account);
    let groups = account.map_or(&[][..], |account| account.all(call.region, "logs", "groups"));
    let name = |group: &&Value| group.get("logGroupName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut found: Vec<&Value> = groups
        .iter()
        .filter(|group| {
            let name = name(group);
            prefix.is_none_or(|prefix| name.starts_with(prefix))
                && pattern.is_none_or(|pattern| name.contains(pattern))
                && class.is_none_or(|class| group.get("logGroupClass").and_then(Value::as_str) == Some(class))
        })
        .collect();
    found.sort_by_key(name);
    let (page, next) = listing::page(call, &found, offset, size);
    let mut output = Map::new();
    output.insert("logGroups".to_owned(), page.iter().map(|group| (*group).clone()).collect());
    if let Some(next) = next {
        output.insert("nextToken".to_owned(), next.into());
    }
    Ok(Answer::Json(Value::Object(output)))
}

const fn list(operation: &'static str, kind: &'static str, items: &'static str) -> List {
    List {
        operation,
        kind,
        items,
        summary: &[],
        pages: LOGS,
        name: None,
        created: None,
        modified: None,
        status: None,
        equal: &[],
    }
}

const LISTS: &[List] = &[
    List {
        equal: &[("logGroupName", "logGroupName")],
        ..list("DescribeSubscriptionFilters", "subscription_filters", "subscriptionFilters")
    },
    List {
        equal: &[("policyType", "policyType")],
        ..list("DescribeAccountPolicies", "account_policies", "accountPolicies")
    },
    list("DescribeDeliverySources", "delivery_sources", "deliverySources"),
    list("DescribeDeliveries", "deliveries", "deliveries"),
    list("DescribeDeliveryDestinations", "delivery_destinations", "deliveryDestinations"),
];
