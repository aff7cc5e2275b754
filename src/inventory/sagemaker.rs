//! What is special about SageMaker endpoints: data capture and the variants behind them.

use serde::{Deserialize, Serialize};

use crate::inventory::not_collected;
use crate::model::observed::{Observed, Told, told};

/// A live endpoint's state and the configuration it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `DescribeEndpointConfig` of the configuration in service.
    #[serde(with = "told")]
    pub config: Told<EndpointConfig>,
    /// `DescribeEndpoint.DataCaptureConfig`, the live state. Absent: capture was never configured.
    pub live_capture: Observed<LiveCapture>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    pub name: String,
    /// Absent: the configuration sets no data capture.
    pub capture: Option<CaptureConfig>,
    /// Production and shadow variants.
    pub variants: Vec<Variant>,
    /// Requests and answers of an asynchronous endpoint pass through S3 anyway.
    pub asynchronous: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureConfig {
    /// `EnableCapture`, which AWS takes for true when absent.
    pub enabled: bool,
    pub sampling_percentage: u32,
    pub input: bool,
    pub output: bool,
    /// `s3://bucket/prefix`.
    pub destination: String,
    /// `KmsKeyId`, the key captured data is encrypted with instead of the bucket's. Unknown in snapshots from before that
    /// was read.
    #[serde(default = "unread")]
    pub kms_key: Observed<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveCapture {
    pub enabled: bool,
    /// `CaptureStatus` is `Started`.
    pub started: bool,
    pub sampling_percentage: u32,
    pub destination: String,
    /// As in [`CaptureConfig`].
    #[serde(default = "unread")]
    pub kms_key: Observed<String>,
}

fn unread() -> Observed<String> {
    Observed::Unknown(not_collected("sagemaker:DescribeEndpoint"))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub name: String,
    /// Absent when inference components place the models.
    pub model: Option<String>,
    pub serverless: bool,
}

/// Endpoints of a region with `AWS/SageMaker` Invocations metrics in about the last two weeks
/// (`cloudwatch:ListMetrics`); its line's id is `endpoint-metrics:<account>:<region>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointMetrics {
    #[serde(with = "told")]
    pub invoked: Told<Vec<String>>,
}
