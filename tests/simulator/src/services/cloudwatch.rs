//! CloudWatch: which metrics exist.
//!
//! Their values are not simulated: whether something ran is told by the metric alone.

use serde_json::{Map, Value};

use super::listing::{self, Pages};
use super::{Answer, AwsError, Call, Outcome};

/// Pages of ListMetrics, whose size cannot be chosen.
const PAGES: Pages = Pages {
    size: "",
    token: "NextToken",
    next: "NextToken",
    default: 500,
    most: 500,
    refusal: "InvalidParameterValue",
    unknown: "InvalidParameterValue",
};

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    match call.operation {
        "ListMetrics" => list_metrics(call),
        _ => Err(AwsError::unknown_operation(call)),
    }
}

fn list_metrics(call: &Call<'_>) -> Outcome {
    let (offset, size) = listing::window(call, PAGES)?;
    let account = call.world.estate.account(call.account);
    let metrics = account.map_or(&[][..], |account| account.all(call.region, "cloudwatch", "metrics"));
    let is =
        |metric: &Value, member: &str| call.input.get(member).is_none_or(|wanted| metric.get(member) == Some(wanted));
    let found: Vec<&Value> = metrics
        .iter()
        .filter(|metric| is(metric, "Namespace") && is(metric, "MetricName") && has_dimensions(call, metric))
        .collect();
    let (page, next) = listing::page(call, &found, offset, size);
    let mut output = Map::new();
    output.insert("Metrics".to_owned(), page.iter().map(|metric| (*metric).clone()).collect());
    if let Some(next) = next {
        output.insert("NextToken".to_owned(), next.into());
    }
    Ok(Answer::Json(Value::Object(output)))
}

/// Every dimension asked for, by name, and by value where one is asked for.
fn has_dimensions(call: &Call<'_>, metric: &Value) -> bool {
    let list = |value: &Value| value.get("Dimensions").and_then(Value::as_array).cloned().unwrap_or_default();
    let dimensions = list(metric);
    list(&call.input).iter().all(|wanted| {
        dimensions.iter().any(|dimension| {
            dimension.get("Name") == wanted.get("Name")
                && wanted.get("Value").is_none_or(|value| dimension.get("Value") == Some(value))
        })
    })
}
