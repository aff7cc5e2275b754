//! SageMaker: endpoints, models, jobs, notebooks, domains and feature groups, and the search over them.
//!
//! Words of "not found" differ by operation
//! (<https://github.com/aws-controllers-k8s/sagemaker-controller/blob/main/generator.yaml> collects them).

use serde_json::{Value, json};

use super::listing::{self, Describe, List, SAGEMAKER};
use super::{Answer, AwsError, Call, Outcome};

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    match call.operation {
        "Search" => search(call),
        _ => listing::answer(call, LISTS, DESCRIPTIONS).unwrap_or_else(|| Err(AwsError::unknown_operation(call))),
    }
}

/// Kinds that can be searched, as the input names them, and the list that orders them. There are more.
const SEARCHED: &[(&str, &str)] = &[
    ("TrainingJob", "ListTrainingJobs"),
    ("HyperParameterTuningJob", "ListHyperParameterTuningJobs"),
    ("Model", "ListModels"),
    ("FeatureGroup", "ListFeatureGroups"),
];

/// Members that descriptions have and search records lack.
const UNSEARCHED: &[&str] = &["ProfilerRuleConfigurations"];

/// All resources of a kind with all their members, a page at a time. Expressions to filter them by are not simulated.
fn search(call: &Call<'_>) -> Outcome {
    if call.input.get("SearchExpression").is_some() {
        return Err(AwsError::new(INVALID, 400, "SearchExpression is not simulated"));
    }
    let kind = call.text("Resource").ok_or_else(|| listing::missing_parameter("Resource"))?;
    let list = SEARCHED.iter().find(|(name, _)| *name == kind);
    let list = list.and_then(|(_, operation)| LISTS.iter().find(|list| list.operation == *operation));
    let list = list.ok_or_else(|| AwsError::new(INVALID, 400, format!("Search of {kind} is not simulated")))?;
    let whole = List { items: "Results", summary: &[], ..*list };
    let Answer::Json(mut answer) = listing::listed(call, &whole)? else {
        return Err(AwsError::unknown_operation(call));
    };
    if let Some(Value::Array(results)) = answer.get_mut("Results") {
        for result in results {
            let mut record = result.take();
            if let Value::Object(members) = &mut record {
                members.retain(|name, _| !UNSEARCHED.contains(&name.as_str()));
            }
            *result = if kind == "Model" { json!({ kind: { "Model": record } }) } else { json!({ kind: record }) };
        }
    }
    Ok(Answer::Json(answer))
}

const fn list(
    operation: &'static str,
    kind: &'static str,
    items: &'static str,
    [name, status]: [&'static str; 2],
    summary: &'static [&'static str],
) -> List {
    let status = if status.is_empty() { None } else { Some(status) };
    List {
        operation,
        kind,
        items,
        summary,
        pages: SAGEMAKER,
        name: Some(name),
        created: Some("CreationTime"),
        modified: Some("LastModifiedTime"),
        status,
        equal: &[],
    }
}

#[rustfmt::skip]
const LISTS: &[List] = &[
    list("ListEndpoints", "endpoints", "Endpoints", ["EndpointName", "EndpointStatus"],
        &["EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus"]),
    list("ListEndpointConfigs", "endpoint_configs", "EndpointConfigs", ["EndpointConfigName", ""],
        &["EndpointConfigName", "EndpointConfigArn", "CreationTime"]),
    list("ListModels", "models", "Models", ["ModelName", ""],
        &["ModelName", "ModelArn", "CreationTime"]),
    list("ListTrainingJobs", "training_jobs", "TrainingJobSummaries", ["TrainingJobName", "TrainingJobStatus"],
        &["TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime",
            "TrainingJobStatus", "SecondaryStatus"]),
    list("ListProcessingJobs", "processing_jobs", "ProcessingJobSummaries",
        ["ProcessingJobName", "ProcessingJobStatus"],
        &["ProcessingJobName", "ProcessingJobArn", "CreationTime", "ProcessingEndTime", "LastModifiedTime",
            "ProcessingJobStatus", "FailureReason", "ExitMessage"]),
    list("ListTransformJobs", "transform_jobs", "TransformJobSummaries", ["TransformJobName", "TransformJobStatus"],
        &["TransformJobName", "TransformJobArn", "CreationTime", "TransformEndTime", "LastModifiedTime",
            "TransformJobStatus", "FailureReason"]),
    list("ListHyperParameterTuningJobs", "tuning_jobs", "HyperParameterTuningJobSummaries",
        ["HyperParameterTuningJobName", "HyperParameterTuningJobStatus"],
        &["HyperParameterTuningJobName", "HyperParameterTuningJobArn", "HyperParameterTuningJobStatus",
            "Strategy=HyperParameterTuningJobConfig.Strategy", "CreationTime", "HyperParameterTuningEndTime",
            "LastModifiedTime", "TrainingJobStatusCounters", "ObjectiveStatusCounters",
            "ResourceLimits=HyperParameterTuningJobConfig.ResourceLimits"]),
    list("ListAutoMLJobs", "automl_jobs", "AutoMLJobSummaries", ["AutoMLJobName", "AutoMLJobStatus"],
        &["AutoMLJobName", "AutoMLJobArn", "AutoMLJobStatus", "AutoMLJobSecondaryStatus", "CreationTime", "EndTime",
            "LastModifiedTime", "FailureReason"]),
    list("ListNotebookInstances", "notebooks", "NotebookInstances", ["NotebookInstanceName", "NotebookInstanceStatus"],
        &["NotebookInstanceName", "NotebookInstanceArn", "NotebookInstanceStatus", "Url", "InstanceType",
            "CreationTime", "LastModifiedTime"]),
    list("ListDomains", "domains", "Domains", ["DomainName", "Status"],
        &["DomainArn", "DomainId", "DomainName", "Status", "CreationTime", "LastModifiedTime", "Url"]),
    list("ListFeatureGroups", "feature_groups", "FeatureGroupSummaries", ["FeatureGroupName", "FeatureGroupStatus"],
        &["FeatureGroupName", "FeatureGroupArn", "CreationTime", "FeatureGroupStatus", "OfflineStoreStatus"]),
];

const fn describe(
    operation: &'static str,
    kind: &'static str,
    by: &'static [(&'static str, &'static [&'static str])],
    code: &'static str,
    message: &'static str,
) -> Describe {
    Describe { operation, kind, by, wrapped: None, missing: (code, 400, message) }
}

const INVALID: &str = "ValidationException";
const NOT_FOUND: &str = "ResourceNotFound";

#[rustfmt::skip]
const DESCRIPTIONS: &[Describe] = &[
    describe("DescribeEndpoint", "endpoints", &[("EndpointName", &["EndpointName"])], INVALID,
        "Could not find endpoint \"{arn}:endpoint/{}\"."),
    describe("DescribeEndpointConfig", "endpoint_configs", &[("EndpointConfigName", &["EndpointConfigName"])], INVALID,
        "Could not find endpoint configuration \"{arn}:endpoint-config/{}\"."),
    describe("DescribeModel", "models", &[("ModelName", &["ModelName"])], INVALID,
        "Could not find model \"{arn}:model/{}\"."),
    describe("DescribeTrainingJob", "training_jobs", &[("TrainingJobName", &["TrainingJobName"])], INVALID,
        "Requested resource not found."),
    describe("DescribeProcessingJob", "processing_jobs", &[("ProcessingJobName", &["ProcessingJobName"])], INVALID,
        "Could not find requested job with name: {}"),
    describe("DescribeTransformJob", "transform_jobs", &[("TransformJobName", &["TransformJobName"])], INVALID,
        "Could not find requested job with name: {}"),
    describe("DescribeHyperParameterTuningJob", "tuning_jobs", &[("HyperParameterTuningJobName",
        &["HyperParameterTuningJobName"])], NOT_FOUND,
        "Amazon SageMaker can't find a tuning job with the name {}."),
    describe("DescribeAutoMLJobV2", "automl_jobs", &[("AutoMLJobName", &["AutoMLJobName"])], NOT_FOUND,
        "Could not find requested job with name: {}"),
    describe("DescribeNotebookInstance", "notebooks", &[("NotebookInstanceName", &["NotebookInstanceName"])], INVALID,
        "RecordNotFound"),
    describe("DescribeDomain", "domains", &[("DomainId", &["DomainId"])], NOT_FOUND, "Domain [{}] does not exist."),
    describe("DescribeFeatureGroup", "feature_groups", &[("FeatureGroupName", &["FeatureGroupName",
        "FeatureGroupArn"])], NOT_FOUND,
        "Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {}"),
];
