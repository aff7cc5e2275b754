//! Jobs, finished ones included: training, processing, batch transform, tuning and AutoML.
//!
//! They are listed newest first as far back as the configuration says; of each kind a stated number is described.

use aws_sdk_sagemaker::operation::describe_auto_ml_job_v2::DescribeAutoMlJobV2Input;
use aws_sdk_sagemaker::operation::describe_hyper_parameter_tuning_job::DescribeHyperParameterTuningJobInput;
use aws_sdk_sagemaker::operation::describe_processing_job::DescribeProcessingJobInput;
use aws_sdk_sagemaker::operation::describe_training_job::DescribeTrainingJobInput;
use aws_sdk_sagemaker::operation::describe_transform_job::DescribeTransformJobInput;
use aws_sdk_sagemaker::operation::list_auto_ml_jobs::ListAutoMlJobsInput;
use aws_sdk_sagemaker::operation::list_hyper_parameter_tuning_jobs::ListHyperParameterTuningJobsInput;
use aws_sdk_sagemaker::operation::list_processing_jobs::ListProcessingJobsInput;
use aws_sdk_sagemaker::operation::list_training_jobs::ListTrainingJobsInput;
use aws_sdk_sagemaker::operation::list_transform_jobs::ListTransformJobsInput;
use aws_sdk_sagemaker::types::{
    AutoMlSortBy, AutoMlSortOrder, Channel, CheckpointConfig, DataSource, HyperParameterTrainingJobDefinition,
    HyperParameterTuningJobSortByOptions, OutputDataConfig, ResourceConfig, ResourceType, SortBy, SortOrder,
};

use crate::collect::listing::{Page, pages};
use crate::collect::scope::{Answer, Scope};
use crate::collect::workloads::{Described, Found, Keys, Uses, created, describe_each, lookback};
use crate::inventory::workload::{Placement, S3Role, WorkloadKind};
use crate::inventory::{Line, Read};
use crate::model::observed::Told;

use super::search::{Record, Searched};
use super::{PAGE, SEARCH, placement};

/// Locations and keys of a training job. What describes one and what a search finds have the same members, and the SDK
/// two types.
macro_rules! training_uses {
    ($job:ident) => {{
        let mut uses = Uses::default();
        let mut keys = Keys::default();
        channel_uses(&mut uses, "", $job.input_data_config());
        let model = $job.model_artifacts.as_ref().and_then(|model| model.s3_model_artifacts.as_ref());
        uses.add(S3Role::Artifact, "ModelArtifacts.S3ModelArtifacts", model);
        output_uses(&mut uses, &mut keys, "", $job.output_data_config.as_ref(), $job.checkpoint_config.as_ref());
        if let Some(debug) = &$job.debug_hook_config {
            uses.add(S3Role::AppData, "DebugHookConfig.S3OutputPath", debug.s3_output_path.as_ref());
        }
        for (i, rule) in $job.debug_rule_configurations().iter().enumerate() {
            let field = format!("DebugRuleConfigurations[{i}].S3OutputPath");
            uses.add(S3Role::AppData, field, rule.s3_output_path.as_ref());
        }
        if let Some(board) = &$job.tensor_board_output_config {
            uses.add(S3Role::AppData, "TensorBoardOutputConfig.S3OutputPath", board.s3_output_path.as_ref());
        }
        if let Some(profiler) = &$job.profiler_config {
            uses.add(S3Role::AppData, "ProfilerConfig.S3OutputPath", profiler.s3_output_path.as_ref());
        }
        volume_key(&mut keys, $job.resource_config.as_ref());
        (uses, keys)
    }};
}

pub(super) async fn training(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListTrainingJobs", scope.max_jobs, |token| async move {
        let request = ListTrainingJobsInput::builder()
            .creation_time_after(lookback(scope))
            .sort_by(SortBy::CreationTime)
            .sort_order(SortOrder::Descending)
            .max_results(PAGE)
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.training_job_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |j, read| {
        let created = created(scope, j.creation_time.as_ref(), read);
        let status = j.training_job_status.as_ref().map(|s| s.as_str());
        Some(Found::new(j.training_job_arn, j.training_job_name, created)?.status(status))
    });
    let searched = Searched::of(scope, ResourceType::TrainingJob, &listed, |record, read| {
        let job = record.training_job.as_ref()?;
        // Rules of the profiler have outputs of their own, which Search leaves out.
        if job.profiler_config.is_some() {
            return None;
        }
        let placement = placement(scope, SEARCH, job.vpc_config.as_ref(), Placement::AwsVpc);
        let (uses, keys) = training_uses!(job);
        job.output_data_config.as_ref()?;
        Some(Record {
            arn: job.training_job_arn.as_deref(),
            created: job.creation_time.as_ref(),
            status: job.training_job_status.as_ref().map(|status| status.as_str()),
            described: Described::new(uses, placement, keys, read.clone()),
        })
    })
    .await;
    let describe = |found| searched.or(found, |found| describe_training(scope, found));
    describe_each(scope, WorkloadKind::TrainingJob, listed, describe).await
}

async fn describe_training(scope: &Scope, found: Found) -> Told<Described> {
    let call = "sagemaker:DescribeTrainingJob";
    let request = DescribeTrainingJobInput::builder().training_job_name(found.id);
    let Answer { value: job, read } = scope.ask(&request).await?;
    let (mut uses, keys) = training_uses!(job);
    for (i, rule) in job.profiler_rule_configurations().iter().enumerate() {
        let field = format!("ProfilerRuleConfigurations[{i}].S3OutputPath");
        uses.add(S3Role::AppData, field, rule.s3_output_path.as_ref());
    }
    let placement = placement(scope, call, job.vpc_config.as_ref(), Placement::AwsVpc);
    Ok(Described::new(uses, placement, keys, read))
}

pub(super) async fn processing(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListProcessingJobs", scope.max_jobs, |token| async move {
        let request = ListProcessingJobsInput::builder()
            .creation_time_after(lookback(scope))
            .sort_by(SortBy::CreationTime)
            .sort_order(SortOrder::Descending)
            .max_results(PAGE)
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.processing_job_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |j, read| {
        let created = created(scope, j.creation_time.as_ref(), read);
        let status = j.processing_job_status.as_ref().map(|s| s.as_str());
        Some(Found::new(j.processing_job_arn, j.processing_job_name, created)?.status(status))
    });
    describe_each(scope, WorkloadKind::ProcessingJob, listed, |found| describe_processing(scope, found)).await
}

async fn describe_processing(scope: &Scope, found: Found) -> Told<Described> {
    let call = "sagemaker:DescribeProcessingJob";
    let request = DescribeProcessingJobInput::builder().processing_job_name(found.id);
    let Answer { value: job, read } = scope.ask(&request).await?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    for (i, input) in job.processing_inputs().iter().enumerate() {
        if let Some(s3) = &input.s3_input {
            uses.add(S3Role::AppData, format!("ProcessingInputs[{i}].S3Input.S3Uri"), s3.s3_uri.as_ref());
        }
        let Some(dataset) = &input.dataset_definition else { continue };
        let path = format!("ProcessingInputs[{i}].DatasetDefinition");
        if let Some(athena) = &dataset.athena_dataset_definition {
            let field = format!("{path}.AthenaDatasetDefinition.OutputS3Uri");
            uses.add(S3Role::AppData, field, athena.output_s3_uri.as_ref());
            keys.add(athena.kms_key_id.as_ref());
        }
        if let Some(redshift) = &dataset.redshift_dataset_definition {
            let field = format!("{path}.RedshiftDatasetDefinition.OutputS3Uri");
            uses.add(S3Role::AppData, field, redshift.output_s3_uri.as_ref());
            keys.add(redshift.kms_key_id.as_ref());
        }
    }
    if let Some(config) = &job.processing_output_config {
        for (i, output) in config.outputs().iter().enumerate() {
            let field = format!("ProcessingOutputConfig.Outputs[{i}].S3Output.S3Uri");
            uses.add(S3Role::AppData, field, output.s3_output.as_ref().and_then(|s3| s3.s3_uri.as_ref()));
        }
        keys.add(config.kms_key_id.as_ref());
    }
    let cluster = job.processing_resources.as_ref().and_then(|resources| resources.cluster_config.as_ref());
    keys.add(cluster.and_then(|cluster| cluster.volume_kms_key_id.as_ref()));
    let vpc = job.network_config.as_ref().and_then(|network| network.vpc_config.as_ref());
    let placement = placement(scope, call, vpc, Placement::AwsVpc);
    Ok(Described::new(uses, placement, keys, read))
}

pub(super) async fn transform(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListTransformJobs", scope.max_jobs, |token| async move {
        let request = ListTransformJobsInput::builder()
            .creation_time_after(lookback(scope))
            .sort_by(SortBy::CreationTime)
            .sort_order(SortOrder::Descending)
            .max_results(PAGE)
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.transform_job_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |j, read| {
        let created = created(scope, j.creation_time.as_ref(), read);
        let status = j.transform_job_status.as_ref().map(|s| s.as_str());
        Some(Found::new(j.transform_job_arn, j.transform_job_name, created)?.status(status))
    });
    describe_each(scope, WorkloadKind::TransformJob, listed, |found| describe_transform(scope, found)).await
}

async fn describe_transform(scope: &Scope, found: Found) -> Told<Described> {
    let request = DescribeTransformJobInput::builder().transform_job_name(found.id);
    let Answer { value: job, read } = scope.ask(&request).await?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    let input = job
        .transform_input
        .as_ref()
        .and_then(|input| input.data_source.as_ref())
        .and_then(|source| source.s3_data_source.as_ref())
        .and_then(|s3| s3.s3_uri.as_ref());
    uses.must(S3Role::AppData, "TransformInput.DataSource.S3DataSource.S3Uri", input);
    if let Some(output) = &job.transform_output {
        uses.add(S3Role::AppData, "TransformOutput.S3OutputPath", output.s3_output_path.as_ref());
        keys.add(output.kms_key_id.as_ref());
    }
    if let Some(capture) = &job.data_capture_config {
        uses.add(S3Role::Capture, "DataCaptureConfig.DestinationS3Uri", capture.destination_s3_uri.as_ref());
        keys.add(capture.kms_key_id.as_ref());
    }
    keys.add(job.transform_resources.as_ref().and_then(|resources| resources.volume_kms_key_id.as_ref()));
    // A transform job runs in the network of its model, whose own line says which.
    Ok(Described::new(uses, Ok(Placement::Nowhere), keys, read))
}

pub(super) async fn tuning(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListHyperParameterTuningJobs", scope.max_jobs, |token| async move {
        let request = ListHyperParameterTuningJobsInput::builder()
            .creation_time_after(lookback(scope))
            .sort_by(HyperParameterTuningJobSortByOptions::CreationTime)
            .sort_order(SortOrder::Descending)
            .max_results(PAGE)
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.hyper_parameter_tuning_job_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |j, read| {
        let created = created(scope, j.creation_time.as_ref(), read);
        let status = j.hyper_parameter_tuning_job_status.as_ref().map(|s| s.as_str());
        let found = Found::new(j.hyper_parameter_tuning_job_arn, j.hyper_parameter_tuning_job_name, created)?;
        Some(found.status(status))
    });
    let searched = Searched::of(scope, ResourceType::HyperParameterTuningJob, &listed, |record, read| {
        let job = record.hyper_parameter_tuning_job.as_ref()?;
        let (one, many) = (job.training_job_definition.as_ref(), job.training_job_definitions());
        (one.is_some() || !many.is_empty()).then(|| Record {
            arn: job.hyper_parameter_tuning_job_arn.as_deref(),
            created: job.creation_time.as_ref(),
            status: job.hyper_parameter_tuning_job_status.as_ref().map(|status| status.as_str()),
            described: tuned(scope, SEARCH, one, many, read.clone()),
        })
    })
    .await;
    let describe = |found| searched.or(found, |found| describe_tuning(scope, found));
    describe_each(scope, WorkloadKind::TuningJob, listed, describe).await
}

async fn describe_tuning(scope: &Scope, found: Found) -> Told<Described> {
    let call = "sagemaker:DescribeHyperParameterTuningJob";
    let request = DescribeHyperParameterTuningJobInput::builder().hyper_parameter_tuning_job_name(found.id);
    let Answer { value: job, read } = scope.ask(&request).await?;
    Ok(tuned(scope, call, job.training_job_definition.as_ref(), job.training_job_definitions(), read))
}

/// A tuning job by the training jobs it defines: one, or several.
fn tuned(
    scope: &Scope,
    call: &str,
    one: Option<&HyperParameterTrainingJobDefinition>,
    many: &[HyperParameterTrainingJobDefinition],
    read: Read,
) -> Described {
    let one = one.into_iter().map(|definition| ("TrainingJobDefinition.".to_owned(), definition));
    let many = many.iter().enumerate();
    let many = many.map(|(i, definition)| (format!("TrainingJobDefinitions[{i}]."), definition));
    let definitions: Vec<_> = one.chain(many).collect();

    let mut uses = Uses::default();
    let mut keys = Keys::default();
    for (path, definition) in &definitions {
        definition_uses(&mut uses, &mut keys, path, definition);
    }
    let placement = tuning_placement(scope, call, definitions.iter().map(|(_, definition)| *definition));
    Described::new(uses, placement, keys, read)
}

fn definition_uses(uses: &mut Uses, keys: &mut Keys, path: &str, definition: &HyperParameterTrainingJobDefinition) {
    channel_uses(uses, path, definition.input_data_config());
    let (output, checkpoint) = (definition.output_data_config.as_ref(), definition.checkpoint_config.as_ref());
    output_uses(uses, keys, path, output, checkpoint);
    volume_key(keys, definition.resource_config.as_ref());
    let tuning = definition.hyper_parameter_tuning_resource_config.as_ref();
    keys.add(tuning.and_then(|resources| resources.volume_kms_key_id.as_ref()));
}

/// All subnets of all definitions, and the VPC of AWS if one names none.
fn tuning_placement<'a>(
    scope: &Scope,
    call: &str,
    definitions: impl Iterator<Item = &'a HyperParameterTrainingJobDefinition>,
) -> Told<Placement> {
    let (mut all, mut in_aws_vpc) = (Vec::new(), false);
    for definition in definitions {
        let placement = placement(scope, call, definition.vpc_config.as_ref(), Placement::AwsVpc)?;
        in_aws_vpc |= placement.in_aws_vpc();
        all.extend(placement.subnets().iter().cloned());
    }
    all.sort();
    all.dedup();
    Ok(match in_aws_vpc {
        _ if all.is_empty() => Placement::AwsVpc,
        true => Placement::Both(all),
        false => Placement::Subnets(all),
    })
}

pub(super) async fn automl(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListAutoMLJobs", scope.max_jobs, |token| async move {
        let request = ListAutoMlJobsInput::builder()
            .creation_time_after(lookback(scope))
            .sort_by(AutoMlSortBy::CreationTime)
            .sort_order(AutoMlSortOrder::Descending)
            .max_results(PAGE)
            .set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.auto_ml_job_summaries, next: value.next_token, read })
    })
    .await
    .named(scope, |j, read| {
        let created = created(scope, j.creation_time.as_ref(), read);
        let status = j.auto_ml_job_status.as_ref().map(|s| s.as_str());
        Some(Found::new(j.auto_ml_job_arn, j.auto_ml_job_name, created)?.status(status))
    });
    describe_each(scope, WorkloadKind::AutomlJob, listed, |found| describe_automl(scope, found)).await
}

/// The second version of the call describes jobs of the first as well.
async fn describe_automl(scope: &Scope, found: Found) -> Told<Described> {
    let call = "sagemaker:DescribeAutoMLJobV2";
    let request = DescribeAutoMlJobV2Input::builder().auto_ml_job_name(found.id);
    let Answer { value: job, read } = scope.ask(&request).await?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    for (i, channel) in job.auto_ml_job_input_data_config().iter().enumerate() {
        let s3 = channel.data_source.as_ref().and_then(|source| source.s3_data_source.as_ref());
        let field = format!("AutoMLJobInputDataConfig[{i}].DataSource.S3DataSource.S3Uri");
        uses.must(S3Role::Training, field, s3.and_then(|s3| s3.s3_uri.as_ref()));
    }
    if let Some(output) = &job.output_data_config {
        uses.add(S3Role::Artifact, "OutputDataConfig.S3OutputPath", output.s3_output_path.as_ref());
        keys.add(output.kms_key_id.as_ref());
    }
    if let Some(best) = &job.best_candidate {
        for (i, container) in best.inference_containers().iter().enumerate() {
            let field = format!("BestCandidate.InferenceContainers[{i}].ModelDataUrl");
            uses.add(S3Role::Artifact, field, container.model_data_url.as_ref());
        }
    }
    let security = job.security_config.as_ref();
    keys.add(security.and_then(|security| security.volume_kms_key_id.as_ref()));
    let vpc = security.and_then(|security| security.vpc_config.as_ref());
    let placement = placement(scope, call, vpc, Placement::AwsVpc);
    Ok(Described::new(uses, placement, keys, read))
}

fn channel_uses(uses: &mut Uses, path: &str, channels: &[Channel]) {
    for (i, channel) in channels.iter().enumerate() {
        let source = channel.data_source.as_ref().filter(|source| **source != DataSource::builder().build());
        let s3 = source.and_then(|source| source.s3_data_source.as_ref());
        // A file system, or what else data may come from.
        if source.is_some() && s3.is_none() {
            continue;
        }
        let field = format!("{path}InputDataConfig[{i}].DataSource.S3DataSource.S3Uri");
        uses.must(S3Role::Training, field, s3.and_then(|s3| s3.s3_uri.as_ref()));
    }
}

fn output_uses(
    uses: &mut Uses,
    keys: &mut Keys,
    path: &str,
    output: Option<&OutputDataConfig>,
    checkpoint: Option<&CheckpointConfig>,
) {
    if let Some(output) = output {
        uses.add(S3Role::Artifact, format!("{path}OutputDataConfig.S3OutputPath"), output.s3_output_path.as_ref());
        keys.add(output.kms_key_id.as_ref());
    }
    let checkpoint = checkpoint.and_then(|checkpoint| checkpoint.s3_uri.as_ref());
    uses.add(S3Role::Artifact, format!("{path}CheckpointConfig.S3Uri"), checkpoint);
}

fn volume_key(keys: &mut Keys, resources: Option<&ResourceConfig>) {
    keys.add(resources.and_then(|resources| resources.volume_kms_key_id.as_ref()));
}
