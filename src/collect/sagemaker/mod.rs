//! SageMaker: endpoints, models, jobs, notebooks, Studio domains and feature groups of one region.
//!
//! What is special about endpoints is in `endpoints`; the S3 fields of each resource follow the API reference of its
//! Describe operation (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/>).

mod endpoints;
mod jobs;
mod models;
mod search;
mod studio;

use aws_sdk_sagemaker::types::VpcConfig;
use futures_util::FutureExt;

use crate::inventory::workload::Placement;
use crate::inventory::{Fact, Line};
use crate::model::observed::Told;

use super::listing::{absent_service, sorted, together};
use super::scope::Scope;
use super::{cloudwatch, workloads};

/// The calls this collector makes.
pub(crate) const CALLS: &[&str] = &[
    "sagemaker:ListEndpoints",
    "sagemaker:DescribeEndpoint",
    "sagemaker:DescribeEndpointConfig",
    "sagemaker:ListModels",
    "sagemaker:DescribeModel",
    "sagemaker:ListTrainingJobs",
    "sagemaker:DescribeTrainingJob",
    "sagemaker:ListProcessingJobs",
    "sagemaker:DescribeProcessingJob",
    "sagemaker:ListTransformJobs",
    "sagemaker:DescribeTransformJob",
    "sagemaker:ListHyperParameterTuningJobs",
    "sagemaker:DescribeHyperParameterTuningJob",
    "sagemaker:ListAutoMLJobs",
    "sagemaker:DescribeAutoMLJobV2",
    "sagemaker:ListNotebookInstances",
    "sagemaker:DescribeNotebookInstance",
    "sagemaker:ListDomains",
    "sagemaker:DescribeDomain",
    "sagemaker:ListFeatureGroups",
    "sagemaker:DescribeFeatureGroup",
    SEARCH,
];

/// Tells the members of many resources at once.
const SEARCH: &str = "sagemaker:Search";

/// The list calls after the first.
const OTHER_LISTS: &[&str] = &[
    "sagemaker:ListModels",
    "sagemaker:ListTrainingJobs",
    "sagemaker:ListProcessingJobs",
    "sagemaker:ListTransformJobs",
    "sagemaker:ListHyperParameterTuningJobs",
    "sagemaker:ListAutoMLJobs",
    "sagemaker:ListNotebookInstances",
    "sagemaker:ListDomains",
    "sagemaker:ListFeatureGroups",
];

/// Every SageMaker workload of the region. The first list tells whether the service is there; the others go side by side.
pub(crate) async fn collect(scope: &Scope) -> Vec<Line> {
    let mut lines = endpoints::collect(scope).await;
    if let Some(silent) = absent_service(scope, &lines, OTHER_LISTS) {
        lines.extend(silent);
        return sorted(lines);
    }
    let mut lists = vec![
        models::collect(scope).boxed(),
        jobs::training(scope).boxed(),
        jobs::processing(scope).boxed(),
        jobs::transform(scope).boxed(),
        jobs::tuning(scope).boxed(),
        jobs::automl(scope).boxed(),
        studio::notebooks(scope).boxed(),
        studio::domains(scope).boxed(),
        studio::feature_groups(scope).boxed(),
    ];
    if lines.iter().any(|line| matches!(line.fact, Fact::Workload(_))) {
        lists.push(cloudwatch::endpoint_invocations(scope).map(|line| vec![line]).boxed());
    }
    lines.extend(together(lists).await);
    sorted(lines)
}

/// Page size of the list calls, the largest AWS takes.
const PAGE: i32 = 100;

/// In the subnets of a `VpcConfig`, else `elsewhere`.
fn placement(scope: &Scope, call: &str, vpc: Option<&VpcConfig>, elsewhere: Placement) -> Told<Placement> {
    // Some answers carry `{}` for a setting never made.
    let vpc = vpc.filter(|vpc| vpc.subnets.is_some() || vpc.security_group_ids.is_some());
    workloads::placement(scope, call, vpc.map(|vpc| vpc.subnets.as_deref()), elsewhere)
}
