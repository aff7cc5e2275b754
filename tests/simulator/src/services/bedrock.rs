//! Bedrock: invocation logging, jobs, models and guardrails.
//!
//! What models are asked and answer is in no API of this service.

use serde_json::{Map, Value};

use super::listing::{self, BEDROCK, Describe, List};
use super::{Answer, AwsError, Call, Outcome};

/// Method, path and operation of everything answered here; `{name}` is an input member.
pub(crate) const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "/logging/modelinvocations", "GetModelInvocationLoggingConfiguration"),
    ("GET", "/model-customization-jobs", "ListModelCustomizationJobs"),
    ("GET", "/model-customization-jobs/{jobIdentifier}", "GetModelCustomizationJob"),
    ("GET", "/imported-models", "ListImportedModels"),
    ("GET", "/imported-models/{modelIdentifier}", "GetImportedModel"),
    ("GET", "/model-invocation-jobs", "ListModelInvocationJobs"),
    ("GET", "/evaluation-jobs", "ListEvaluationJobs"),
    ("GET", "/evaluation-jobs/{jobIdentifier}", "GetEvaluationJob"),
    ("GET", "/guardrails", "ListGuardrails"),
    ("POST", "/listTagsForResource", "ListTagsForResource"),
    ("GET", "/custom-models", "ListCustomModels"),
    ("GET", "/guardrails/{guardrailIdentifier}", "GetGuardrail"),
];

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    if call.operation == "GetModelInvocationLoggingConfiguration" {
        return Ok(logging(call));
    }
    listing::answer(call, LISTS, DESCRIPTIONS).unwrap_or_else(|| Err(AwsError::unknown_operation(call)))
}

/// Where nothing is logged AWS answers without the member.
fn logging(call: &Call<'_>) -> Answer {
    let account = call.world.estate.account(call.account);
    let config = account.and_then(|account| account.one(call.region, "bedrock", "logging"));
    let config = config.map(|config| ("loggingConfig".to_owned(), config.clone()));
    Answer::Json(Value::Object(Map::from_iter(config)))
}

const fn list(
    operation: &'static str,
    kind: &'static str,
    items: &'static str,
    [name, created, status]: [&'static str; 3],
    summary: &'static [&'static str],
) -> List {
    List {
        operation,
        kind,
        items,
        summary,
        pages: BEDROCK,
        name: Some(name),
        created: Some(created),
        modified: Some("lastModifiedTime"),
        status: Some(status),
        equal: &[],
    }
}

#[rustfmt::skip]
const LISTS: &[List] = &[
    list("ListModelCustomizationJobs", "customization_jobs", "modelCustomizationJobSummaries",
        ["jobName", "creationTime", "status"],
        &["jobArn", "baseModelArn", "jobName", "status", "lastModifiedTime", "creationTime", "endTime",
            "customModelArn=outputModelArn", "customModelName=outputModelName", "customizationType"]),
    list("ListImportedModels", "imported_models", "modelSummaries", ["modelName", "creationTime", "status"],
        &["modelArn", "modelName", "creationTime", "instructSupported", "modelArchitecture"]),
    list("ListModelInvocationJobs", "invocation_jobs", "invocationJobSummaries", ["jobName", "submitTime", "status"],
        &[]),
    list("ListEvaluationJobs", "evaluation_jobs", "jobSummaries", ["jobName", "creationTime", "status"],
        &["jobArn", "jobName", "status", "creationTime", "jobType",
            "evaluationTaskTypes=evaluationConfig.automated.datasetMetricConfigs.taskType", "modelIdentifiers",
            "applicationType"]),
    List { equal: &[("guardrailIdentifier", "guardrailId")],
        ..list("ListGuardrails", "guardrails", "guardrails", ["name", "createdAt", "status"],
            &["id=guardrailId", "arn=guardrailArn", "status", "name", "description", "version", "createdAt",
                "updatedAt"]) },
];

const fn describe(
    operation: &'static str,
    kind: &'static str,
    by: &'static [(&'static str, &'static [&'static str])],
    message: &'static str,
) -> Describe {
    Describe { operation, kind, by, wrapped: None, missing: ("ResourceNotFoundException", 404, message) }
}

#[rustfmt::skip]
const DESCRIPTIONS: &[Describe] = &[
    describe("GetModelCustomizationJob", "customization_jobs", &[("jobIdentifier", &["jobArn", "jobName"])],
        "The provided job identifier is not valid. Check the job identifier and retry your request."),
    describe("GetImportedModel", "imported_models", &[("modelIdentifier", &["modelArn", "modelName"])],
        "Could not find the imported model {}. Check the model identifier and retry your request."),
    describe("GetEvaluationJob", "evaluation_jobs", &[("jobIdentifier", &["jobArn", "jobName"])],
        "The evaluation job {} could not be found."),
    describe("GetGuardrail", "guardrails", &[("guardrailIdentifier", &["guardrailId", "guardrailArn"])],
        "Guardrail {} could not be found."),
];
