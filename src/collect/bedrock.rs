//! Bedrock in one region: invocation logging, traces of use, and the models, jobs and guardrails that own resources.
//!
//! Agents, knowledge bases and flows are `bedrockagent`'s.

use aws_sdk_bedrock::operation::get_evaluation_job::GetEvaluationJobInput;
use aws_sdk_bedrock::operation::get_imported_model::GetImportedModelInput;
use aws_sdk_bedrock::operation::get_model_customization_job::GetModelCustomizationJobInput;
use aws_sdk_bedrock::operation::get_model_invocation_logging_configuration::GetModelInvocationLoggingConfigurationInput;
use aws_sdk_bedrock::operation::list_evaluation_jobs::ListEvaluationJobsInput;
use aws_sdk_bedrock::operation::list_guardrails::ListGuardrailsInput;
use aws_sdk_bedrock::operation::list_imported_models::ListImportedModelsInput;
use aws_sdk_bedrock::operation::list_model_customization_jobs::ListModelCustomizationJobsInput;
use aws_sdk_bedrock::operation::list_model_invocation_jobs::ListModelInvocationJobsInput;
use aws_sdk_bedrock::types::{
    EvaluationConfig, EvaluationDatasetLocation, EvaluationDatasetMetricConfig, InvocationLogSource, LoggingConfig,
    ModelDataSource, ModelInvocationJobInputDataConfig, ModelInvocationJobOutputDataConfig, ModelInvocationJobSummary,
    S3Config, SortJobsBy, SortOrder, VpcConfig,
};
use futures_util::FutureExt;

use crate::inventory::bedrock::{BedrockRegion, CloudWatchSink, InvocationLogging, S3Sink};
use crate::inventory::workload::{Placement, S3Role, WorkloadKind};
use crate::inventory::{Fact, Line, Read};
use crate::model::observed::{Observed, Told, Why};

use super::cloudwatch;
use super::listing::{ALL, Page, absent_service, malformed, pages, push_read, required_text, sorted, together};
use super::scope::{Answer, Scope};
use super::workloads::{self, Described, Found, Keys, Uses, created, describe_each, lookback};

/// The calls this collector makes.
pub(crate) const CALLS: &[&str] = &[
    "bedrock:GetModelInvocationLoggingConfiguration",
    "bedrock:ListModelCustomizationJobs",
    "bedrock:GetModelCustomizationJob",
    "bedrock:ListImportedModels",
    "bedrock:GetImportedModel",
    "bedrock:ListModelInvocationJobs",
    "bedrock:ListEvaluationJobs",
    "bedrock:GetEvaluationJob",
    "bedrock:ListGuardrails",
];

/// The list calls after the first.
const OTHER_LISTS: &[&str] = &[
    "bedrock:ListModelCustomizationJobs",
    "bedrock:ListImportedModels",
    "bedrock:ListModelInvocationJobs",
    "bedrock:ListEvaluationJobs",
];

/// Page size of the list calls.
const PAGE: i32 = 100;

/// Bedrock of the region. What is asked first tells whether the service is there; the rest goes side by side.
pub(crate) async fn collect(scope: &Scope) -> Vec<Line> {
    let (region, guardrails) = tokio::join!(region(scope), guardrails(scope));
    let absent = logging_absent(&region);
    let mut lines = vec![region];
    lines.extend(guardrails);
    // Parts of a service may reach a region at different times: the silence of one is not that of all.
    if absent && let Some(silent) = absent_service(scope, &lines, OTHER_LISTS) {
        lines.extend(silent);
        return sorted(lines);
    }
    let lists = vec![
        customization_jobs(scope).boxed(),
        imported_models(scope).boxed(),
        batch_jobs(scope).boxed(),
        evaluation_jobs(scope).boxed(),
    ];
    lines.extend(together(lists).await);
    sorted(lines)
}

fn logging_absent(region: &Line) -> bool {
    match &region.fact {
        Fact::Bedrock(BedrockRegion { logging: Observed::Unknown(unknown), .. }) => unknown.why == Why::ServiceAbsent,
        _ => false,
    }
}

async fn region(scope: &Scope) -> Line {
    let (mut reads, mut of_metrics, mut of_mantle) = (Vec::new(), Vec::new(), Vec::new());
    let (logging, metrics, mantle_metrics) = tokio::join!(
        logging(scope, &mut reads),
        cloudwatch::bedrock_metrics(scope, &mut of_metrics),
        cloudwatch::mantle_metrics(scope, &mut of_mantle),
    );
    let logging = Observed::from_told(logging);
    of_metrics.iter().chain(&of_mantle).for_each(|read| push_read(&mut reads, read));
    let id = format!("bedrock-invocation-logging:{}:{}", scope.account, scope.region);
    let fact = Fact::Bedrock(BedrockRegion { logging, metrics, mantle_metrics });
    Line::new(&scope.account, Some(&scope.region), id, reads, fact)
}

/// An answer without a configuration, or with one that names no destination, says that logging is off.
async fn logging(scope: &Scope, reads: &mut Vec<Read>) -> Told<Option<InvocationLogging>> {
    let call = "bedrock:GetModelInvocationLoggingConfiguration";
    let request = GetModelInvocationLoggingConfigurationInput::builder();
    let Answer { value, read } = scope.ask(&request).await?;
    reads.push(read);
    match value.logging_config {
        Some(config) if config.s3_config.is_some() || config.cloud_watch_config.is_some() => {
            invocation_logging(scope, call, config).map(Some)
        }
        Some(_) | None => Ok(None),
    }
}

fn invocation_logging(scope: &Scope, call: &str, config: LoggingConfig) -> Told<InvocationLogging> {
    let cloudwatch = config.cloud_watch_config.map(|cloudwatch| {
        Ok(CloudWatchSink {
            log_group: required_text(scope, call, "cloudWatchConfig.logGroupName", Some(cloudwatch.log_group_name))?,
            role_arn: cloudwatch.role_arn,
            large_bodies_s3: cloudwatch
                .large_data_delivery_s3_config
                .map(|s3| s3_sink(scope, call, "largeDataDeliveryS3Config.bucketName", s3))
                .transpose()?,
        })
    });
    Ok(InvocationLogging {
        s3: config.s3_config.map(|s3| s3_sink(scope, call, "s3Config.bucketName", s3)).transpose()?,
        cloudwatch: cloudwatch.transpose()?,
        text: config.text_data_delivery_enabled,
        image: config.image_data_delivery_enabled,
        embedding: config.embedding_data_delivery_enabled,
        video: config.video_data_delivery_enabled,
        audio: config.audio_data_delivery_enabled,
    })
}

fn s3_sink(scope: &Scope, call: &str, member: &str, s3: S3Config) -> Told<S3Sink> {
    let bucket = required_text(scope, call, member, Some(s3.bucket_name))?;
    // No prefix is the root of the bucket.
    Ok(S3Sink { bucket, prefix: s3.key_prefix.unwrap_or_default() })
}

/// Guardrails, each in its working draft.
async fn guardrails(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "bedrock:ListGuardrails", ALL, |token| async move {
        let request = ListGuardrailsInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: Some(value.guardrails), next: value.next_token, read })
    })
    .await
    .named(scope, |g, read| {
        let found = Found::new(Some(g.arn), Some(g.name), created(scope, Some(&g.created_at), read))?;
        Some(found.status(Some(g.status.as_str())))
    });
    describe_each(scope, WorkloadKind::Guardrail, listed, async |_| Ok(Described::bare())).await
}

async fn customization_jobs(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "bedrock:ListModelCustomizationJobs", scope.max_jobs, |token| async move {
        let request = ListModelCustomizationJobsInput::builder()
            .creation_time_after(lookback(scope))
            .sort_by(SortJobsBy::CreationTime)
            .sort_order(SortOrder::Descending)
            .max_results(PAGE)
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.model_customization_job_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |j, read| {
        let created = created(scope, Some(&j.creation_time), read);
        let found = Found::new(Some(j.job_arn.clone()), Some(j.job_name), created)?;
        Some(found.id(j.job_arn).status(Some(j.status.as_str())))
    });
    let kind = WorkloadKind::CustomizationJob;
    describe_each(scope, kind, listed, |found| describe_customization(scope, found)).await
}

async fn describe_customization(scope: &Scope, found: Found) -> Told<Described> {
    let call = "bedrock:GetModelCustomizationJob";
    let request = GetModelCustomizationJobInput::builder().job_identifier(found.id);
    let Answer { value: job, read } = scope.ask(&request).await?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    if let Some(training) = &job.training_data_config {
        uses.add(S3Role::Training, "trainingDataConfig.s3Uri", training.s3_uri.as_ref());
        match training.invocation_logs_config.as_ref().and_then(|logs| logs.invocation_log_source.as_ref()) {
            Some(InvocationLogSource::S3Uri(uri)) => {
                let field = "trainingDataConfig.invocationLogsConfig.invocationLogSource.s3Uri";
                uses.add(S3Role::Training, field, Some(uri));
            }
            Some(_) => return Err(unheard_of(scope, call, "invocationLogSource")),
            None => {}
        }
    }
    if let Some(validation) = &job.validation_data_config {
        for (i, validator) in validation.validators.iter().enumerate() {
            let field = format!("validationDataConfig.validators[{i}].s3Uri");
            uses.add(S3Role::Training, field, Some(&validator.s3_uri));
        }
    }
    let output = job.output_data_config.as_ref().map(|output| &output.s3_uri);
    uses.add(S3Role::Artifact, "outputDataConfig.s3Uri", output);
    keys.add(job.output_model_kms_key_arn.as_ref());
    let placement = placement(scope, call, job.vpc_config.as_ref());
    Ok(Described::new(uses, placement, keys, read))
}

async fn imported_models(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "bedrock:ListImportedModels", ALL, |token| async move {
        let request = ListImportedModelsInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.model_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |m, read| {
        let created = created(scope, Some(&m.creation_time), read);
        Some(Found::new(Some(m.model_arn.clone()), Some(m.model_name), created)?.id(m.model_arn))
    });
    let kind = WorkloadKind::ImportedModel;
    describe_each(scope, kind, listed, |found| describe_imported(scope, found)).await
}

async fn describe_imported(scope: &Scope, found: Found) -> Told<Described> {
    let call = "bedrock:GetImportedModel";
    let request = GetImportedModelInput::builder().model_identifier(found.id);
    let Answer { value: model, read } = scope.ask(&request).await?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    match &model.model_data_source {
        Some(ModelDataSource::S3DataSource(s3)) => {
            uses.add(S3Role::Artifact, "modelDataSource.s3DataSource.s3Uri", Some(&s3.s3_uri));
        }
        Some(_) => return Err(unheard_of(scope, call, "modelDataSource")),
        None => {}
    }
    keys.add(model.model_kms_key_arn.as_ref());
    Ok(Described::new(uses, Ok(Placement::Nowhere), keys, read))
}

/// Batch inference jobs; the list itself tells their buckets and network.
async fn batch_jobs(scope: &Scope) -> Vec<Line> {
    let call = "bedrock:ListModelInvocationJobs";
    let listed = pages(scope, call, scope.max_jobs, |token| async move {
        let request = ListModelInvocationJobsInput::builder()
            .submit_time_after(lookback(scope))
            .sort_by(SortJobsBy::CreationTime)
            .sort_order(SortOrder::Descending)
            .max_results(PAGE)
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.invocation_job_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |j, read| {
        let created = created(scope, Some(&j.submit_time), read);
        let found = Found::new(Some(j.job_arn.clone()), Some(j.job_name.clone()), created)?;
        Some((found.status(j.status.as_ref().map(|s| s.as_str())), batch_description(scope, call, &j)))
    })
    .once(|(found, _)| &found.arn);
    let mut lines = vec![listed.line(scope)];
    for ((found, description), read) in listed.items {
        lines.push(workloads::line(scope, WorkloadKind::BatchInferenceJob, found, read, description));
    }
    lines
}

fn batch_description(scope: &Scope, call: &str, job: &ModelInvocationJobSummary) -> Told<Described> {
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    match &job.input_data_config {
        Some(ModelInvocationJobInputDataConfig::S3InputDataConfig(s3)) => {
            uses.add(S3Role::AppData, "inputDataConfig.s3InputDataConfig.s3Uri", Some(&s3.s3_uri));
        }
        Some(_) => return Err(unheard_of(scope, call, "inputDataConfig")),
        None => return Err(malformed(scope, call, "the answer lacks inputDataConfig")),
    }
    match &job.output_data_config {
        Some(ModelInvocationJobOutputDataConfig::S3OutputDataConfig(s3)) => {
            uses.add(S3Role::AppData, "outputDataConfig.s3OutputDataConfig.s3Uri", Some(&s3.s3_uri));
            keys.add(s3.s3_encryption_key_id.as_ref());
        }
        Some(_) => return Err(unheard_of(scope, call, "outputDataConfig")),
        None => return Err(malformed(scope, call, "the answer lacks outputDataConfig")),
    }
    let placement = placement(scope, call, job.vpc_config.as_ref());
    Ok(Described { uses: uses.told(call), placement, keys: keys.sorted(), ..Described::bare() })
}

async fn evaluation_jobs(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "bedrock:ListEvaluationJobs", scope.max_jobs, |token| async move {
        let request = ListEvaluationJobsInput::builder()
            .creation_time_after(lookback(scope))
            .sort_by(SortJobsBy::CreationTime)
            .sort_order(SortOrder::Descending)
            .max_results(PAGE)
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.job_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |j, read| {
        let created = created(scope, Some(&j.creation_time), read);
        let found = Found::new(Some(j.job_arn.clone()), Some(j.job_name), created)?;
        Some(found.id(j.job_arn).status(Some(j.status.as_str())))
    });
    let kind = WorkloadKind::EvaluationJob;
    describe_each(scope, kind, listed, |found| describe_evaluation(scope, found)).await
}

/// An evaluation invokes models and has no network of its own.
async fn describe_evaluation(scope: &Scope, found: Found) -> Told<Described> {
    let call = "bedrock:GetEvaluationJob";
    let request = GetEvaluationJobInput::builder().job_identifier(found.id);
    let Answer { value: job, read } = scope.ask(&request).await?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    let (path, datasets): (&str, &[EvaluationDatasetMetricConfig]) = match &job.evaluation_config {
        Some(EvaluationConfig::Automated(config)) => ("evaluationConfig.automated", &config.dataset_metric_configs),
        Some(EvaluationConfig::Human(config)) => ("evaluationConfig.human", &config.dataset_metric_configs),
        Some(_) => return Err(unheard_of(scope, call, "evaluationConfig")),
        None => return Err(malformed(scope, call, "the answer lacks evaluationConfig")),
    };
    for (i, config) in datasets.iter().enumerate() {
        // A dataset without a location is one of AWS's own.
        match config.dataset.as_ref().and_then(|dataset| dataset.dataset_location.as_ref()) {
            Some(EvaluationDatasetLocation::S3Uri(uri)) => {
                let field = format!("{path}.datasetMetricConfigs[{i}].dataset.datasetLocation.s3Uri");
                uses.add(S3Role::AppData, field, Some(uri));
            }
            Some(_) => return Err(unheard_of(scope, call, "datasetLocation")),
            None => {}
        }
    }
    let output = job.output_data_config.as_ref().map(|output| &output.s3_uri);
    uses.add(S3Role::AppData, "outputDataConfig.s3Uri", output);
    keys.add(job.customer_encryption_key_id.as_ref());
    Ok(Described::new(uses, Ok(Placement::Nowhere), keys, read))
}

fn placement(scope: &Scope, call: &str, vpc: Option<&VpcConfig>) -> Told<Placement> {
    workloads::placement(scope, call, vpc.map(|vpc| Some(vpc.subnet_ids.as_slice())), Placement::AwsVpc)
}

/// AWS chose a form of a setting that this version does not know; it may name a bucket.
fn unheard_of(scope: &Scope, call: &str, member: &str) -> crate::model::observed::Unknown {
    scope.unknown(call, Why::Undecidable).saying(format!("a form of {member} that this version does not know"))
}
