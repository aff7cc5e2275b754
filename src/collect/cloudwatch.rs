//! CloudWatch metrics as traces of use: which exist tells what ran in about the last two weeks.
//!
//! Their values are not read. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html>

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::operation::list_metrics::ListMetricsInput;
use aws_sdk_cloudwatch::types::Metric;

use crate::inventory::bedrock::BedrockMetrics;
use crate::inventory::sagemaker::EndpointMetrics;
use crate::inventory::{Fact, Line, Read};
use crate::model::observed::Told;

use super::listing::{ALL, Page, pages};
use super::scope::{Answer, Scope};

/// The calls this collector makes.
pub(crate) const CALLS: &[&str] = &["cloudwatch:ListMetrics"];

/// Endpoints of the region that were invoked.
pub(crate) async fn endpoint_invocations(scope: &Scope) -> Line {
    let mut reads = Vec::new();
    let metrics = metrics(scope, "AWS/SageMaker", Some("Invocations"), &mut reads).await;
    let invoked = metrics.map(|metrics| {
        let names: BTreeSet<&str> = metrics.iter().filter_map(|metric| dimension(metric, "EndpointName")).collect();
        names.into_iter().map(str::to_owned).collect()
    });
    let id = format!("endpoint-metrics:{}:{}", scope.account, scope.region);
    Line::new(&scope.account, Some(&scope.region), id, reads, Fact::EndpointMetrics(EndpointMetrics { invoked }))
}

/// Names of all Bedrock metrics of the region, and the models invoked.
pub(crate) async fn bedrock_metrics(scope: &Scope, reads: &mut Vec<Read>) -> Told<BedrockMetrics> {
    let metrics = metrics(scope, "AWS/Bedrock", None, reads).await?;
    let names: BTreeSet<&str> = metrics.iter().filter_map(|metric| metric.metric_name.as_deref()).collect();
    let invocations: Vec<_> = metrics.iter().filter(|m| m.metric_name.as_deref() == Some("Invocations")).collect();
    let mut models: BTreeSet<&str> = invocations.iter().filter_map(|metric| dimension(metric, "ModelId")).collect();
    // The metric without a model is the sum over all; it says something only where no model is named.
    if models.is_empty() && !invocations.is_empty() {
        models.insert("*");
    }
    let owned = |texts: BTreeSet<&str>| texts.into_iter().map(str::to_owned).collect();
    Ok(BedrockMetrics { invoked_models: owned(models), names: owned(names) })
}

/// Whether the OpenAI-compatible endpoint was used in the region.
pub(crate) async fn mantle_metrics(scope: &Scope, reads: &mut Vec<Read>) -> Told<bool> {
    Ok(!metrics(scope, "AWS/BedrockMantle", None, reads).await?.is_empty())
}

/// All metrics of a namespace; known only when every page was read.
async fn metrics(
    scope: &Scope,
    namespace: &'static str,
    name: Option<&'static str>,
    reads: &mut Vec<Read>,
) -> Told<Vec<Metric>> {
    let listed = pages(scope, "cloudwatch:ListMetrics", ALL, |token| async move {
        let request = ListMetricsInput::builder()
            .namespace(namespace)
            .set_metric_name(name.map(str::to_owned))
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.metrics, next: value.next_token, read })
    });
    let named = listed.await.named(scope, |metric, _| metric.metric_name.is_some().then_some(metric));
    named.all(reads)
}

fn dimension<'a>(metric: &'a Metric, name: &str) -> Option<&'a str> {
    let dimension = metric.dimensions().iter().find(|dimension| dimension.name.as_deref() == Some(name))?;
    dimension.value.as_deref()
}
