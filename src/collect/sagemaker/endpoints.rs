//! Endpoints: the live state of data capture, and the configuration each one runs.
//!
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html>

use aws_sdk_sagemaker::operation::describe_endpoint::DescribeEndpointInput;
use aws_sdk_sagemaker::operation::describe_endpoint_config::DescribeEndpointConfigInput;
use aws_sdk_sagemaker::operation::describe_endpoint_config::DescribeEndpointConfigOutput;
use aws_sdk_sagemaker::operation::list_endpoints::ListEndpointsInput;
use aws_sdk_sagemaker::types::{
    AsyncInferenceConfig, CaptureMode, CaptureStatus, DataCaptureConfig, DataCaptureConfigSummary, ProductionVariant,
};

use crate::collect::listing::{ALL, Page, malformed, natural, pages, required, required_text, text};
use crate::collect::scope::{Answer, Scope};
use crate::collect::workloads::{Described, Found, Keys, Uses, created, describe_each};
use crate::inventory::Line;
use crate::inventory::sagemaker::{CaptureConfig, Endpoint, EndpointConfig, LiveCapture, Variant};
use crate::inventory::workload::{Placement, S3Role, WorkloadKind};
use crate::model::observed::{Observed, Told};

use super::{PAGE, placement};

pub(super) async fn collect(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "sagemaker:ListEndpoints", ALL, |token| async move {
        let request = ListEndpointsInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.endpoints, next: value.next_token, read })
    })
    .await
    .named(scope, |e, read| {
        let created = created(scope, e.creation_time.as_ref(), read);
        let status = e.endpoint_status.as_ref().map(|s| s.as_str());
        Some(Found::new(e.endpoint_arn, e.endpoint_name, created)?.status(status))
    });
    describe_each(scope, WorkloadKind::Endpoint, listed, |found| describe(scope, found)).await
}

/// The live endpoint first; its configuration may be unknown while the live state is known.
async fn describe(scope: &Scope, found: Found) -> Told<Described> {
    let call = "sagemaker:DescribeEndpoint";
    let request = DescribeEndpointInput::builder().endpoint_name(found.id);
    let Answer { value: live, read } = scope.ask(&request).await?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    if let Some(capture) = &live.data_capture_config {
        uses.add(S3Role::Capture, "DataCaptureConfig.DestinationS3Uri", capture.destination_s3_uri.as_ref());
        keys.add(capture.kms_key_id.as_ref());
    }
    asynchronous_uses(&mut uses, &mut keys, "", live.async_inference_config.as_ref());
    let live_capture = Observed::from_told(
        live.data_capture_config.as_ref().map(|capture| live_capture(scope, call, capture)).transpose(),
    );
    let mut reads = vec![read];

    let config = match required_text(scope, call, "EndpointConfigName", live.endpoint_config_name) {
        Ok(name) => configuration(scope, name).await,
        Err(unknown) => Err(unknown),
    };
    let (config, placement, uses) = match config {
        Ok(Answer { value: output, read }) => {
            reads.push(read);
            configured_uses(&mut uses, &mut keys, &output);
            let call = "sagemaker:DescribeEndpointConfig";
            let placement = placement(scope, call, output.vpc_config.as_ref(), Placement::Nowhere);
            (endpoint_config(scope, call, &output), placement, uses.told(call))
        }
        Err(unknown) => (Err(unknown.clone()), Err(unknown.clone()), Err(unknown)),
    };
    Ok(Described {
        uses,
        placement,
        keys: keys.sorted(),
        endpoint: Some(Box::new(Endpoint { config, live_capture })),
        reads,
    })
}

async fn configuration(scope: &Scope, name: String) -> Told<Answer<DescribeEndpointConfigOutput>> {
    let request = DescribeEndpointConfigInput::builder().endpoint_config_name(name);
    scope.ask(&request).await
}

/// Every member is required here: one that is missing leaves the state of capture unknown, never off.
fn live_capture(scope: &Scope, call: &str, capture: &DataCaptureConfigSummary) -> Told<LiveCapture> {
    let member = |name: &str| format!("DataCaptureConfig.{name}");
    let status = required(scope, call, &member("CaptureStatus"), capture.capture_status.as_ref())?;
    let started = match status {
        CaptureStatus::Started => true,
        CaptureStatus::Stopped => false,
        other => return Err(malformed(scope, call, &format!("CaptureStatus is {}", other.as_str()))),
    };
    Ok(LiveCapture {
        enabled: required(scope, call, &member("EnableCapture"), capture.enable_capture)?,
        started,
        sampling_percentage: natural(
            scope,
            call,
            &member("CurrentSamplingPercentage"),
            capture.current_sampling_percentage,
        )?,
        destination: required_text(scope, call, &member("DestinationS3Uri"), capture.destination_s3_uri.clone())?,
        kms_key: Observed::from_option(text(capture.kms_key_id.clone())),
    })
}

fn endpoint_config(scope: &Scope, call: &str, output: &DescribeEndpointConfigOutput) -> Told<EndpointConfig> {
    let production = required(scope, call, "ProductionVariants", output.production_variants.as_ref())?;
    let variants = production.iter().chain(output.shadow_production_variants()).map(|variant| {
        Ok(Variant {
            name: required_text(scope, call, "VariantName", variant.variant_name.clone())?,
            model: variant.model_name.clone(),
            serverless: variant.serverless_config.is_some(),
        })
    });
    // Some answers carry `{}` for a setting never made.
    let capture = output.data_capture_config.as_ref().filter(|c| **c != DataCaptureConfig::builder().build());
    Ok(EndpointConfig {
        name: required_text(scope, call, "EndpointConfigName", output.endpoint_config_name.clone())?,
        capture: capture.map(|capture| capture_config(scope, call, capture)).transpose()?,
        variants: variants.collect::<Told<_>>()?,
        asynchronous: output.async_inference_config.is_some(),
    })
}

fn capture_config(scope: &Scope, call: &str, capture: &DataCaptureConfig) -> Told<CaptureConfig> {
    let member = |name: &str| format!("DataCaptureConfig.{name}");
    let (mut input, mut output) = (false, false);
    for option in required(scope, call, &member("CaptureOptions"), capture.capture_options.as_ref())? {
        match required(scope, call, &member("CaptureOptions[].CaptureMode"), option.capture_mode.as_ref())? {
            CaptureMode::Input => input = true,
            CaptureMode::Output => output = true,
            CaptureMode::InputAndOutput => (input, output) = (true, true),
            other => return Err(malformed(scope, call, &format!("CaptureMode is {}", other.as_str()))),
        }
    }
    Ok(CaptureConfig {
        // AWS takes a setting without the flag as switched on.
        enabled: capture.enable_capture != Some(false),
        sampling_percentage: natural(
            scope,
            call,
            &member("InitialSamplingPercentage"),
            capture.initial_sampling_percentage,
        )?,
        input,
        output,
        destination: required_text(scope, call, &member("DestinationS3Uri"), capture.destination_s3_uri.clone())?,
        kms_key: Observed::from_option(text(capture.kms_key_id.clone())),
    })
}

/// What the configuration names beyond the live endpoint; the same destination is not said twice.
fn configured_uses(uses: &mut Uses, keys: &mut Keys, output: &DescribeEndpointConfigOutput) {
    let mut configured = Uses::default();
    if let Some(capture) = &output.data_capture_config {
        configured.add(
            S3Role::Capture,
            "EndpointConfig.DataCaptureConfig.DestinationS3Uri",
            capture.destination_s3_uri.as_ref(),
        );
        keys.add(capture.kms_key_id.as_ref());
    }
    asynchronous_uses(&mut configured, keys, "EndpointConfig.", output.async_inference_config.as_ref());
    core_dump_uses(&mut configured, keys, "ProductionVariants", output.production_variants());
    core_dump_uses(&mut configured, keys, "ShadowProductionVariants", output.shadow_production_variants());
    let baseline = output
        .explainer_config
        .as_ref()
        .and_then(|explainer| explainer.clarify_explainer_config.as_ref())
        .and_then(|clarify| clarify.shap_config.as_ref())
        .and_then(|shap| shap.shap_baseline_config.as_ref())
        .and_then(|baseline| baseline.shap_baseline_uri.as_ref());
    configured.add(
        S3Role::AppData,
        "EndpointConfig.ExplainerConfig.ClarifyExplainerConfig.ShapConfig.ShapBaselineConfig.ShapBaselineUri",
        baseline,
    );
    keys.add(output.kms_key_id.as_ref());
    configured.all.retain(|new| !uses.all.iter().any(|old| old.location == new.location && old.role == new.role));
    uses.all.extend(configured.all);
}

fn asynchronous_uses(uses: &mut Uses, keys: &mut Keys, path: &str, asynchronous: Option<&AsyncInferenceConfig>) {
    let Some(output) = asynchronous.and_then(|config| config.output_config.as_ref()) else { return };
    let path = format!("{path}AsyncInferenceConfig.OutputConfig");
    uses.add(S3Role::AppData, format!("{path}.S3OutputPath"), output.s3_output_path.as_ref());
    uses.add(S3Role::AppData, format!("{path}.S3FailurePath"), output.s3_failure_path.as_ref());
    keys.add(output.kms_key_id.as_ref());
}

fn core_dump_uses(uses: &mut Uses, keys: &mut Keys, list: &str, variants: &[ProductionVariant]) {
    for (i, variant) in variants.iter().enumerate() {
        if let Some(dump) = &variant.core_dump_config {
            let field = format!("EndpointConfig.{list}[{i}].CoreDumpConfig.DestinationS3Uri");
            uses.add(S3Role::AppData, field, dump.destination_s3_uri.as_ref());
            keys.add(dump.kms_key_id.as_ref());
        }
    }
}
