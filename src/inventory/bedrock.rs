//! Bedrock in one region: invocation logging and the traces of use.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html>

use serde::{Deserialize, Serialize};

use crate::model::observed::{Observed, Told, told};

/// Its line's id is `bedrock-invocation-logging:<account>:<region>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BedrockRegion {
    /// Absent: logging is not configured in the region.
    pub logging: Observed<InvocationLogging>,
    /// Metrics of namespace `AWS/Bedrock` listed in the region, which reach back about two weeks.
    #[serde(with = "told")]
    pub metrics: Told<BedrockMetrics>,
    /// Whether metrics of the OpenAI-compatible endpoint, bedrock-mantle, are listed.
    #[serde(with = "told")]
    pub mantle_metrics: Told<bool>,
}

/// `ListMetrics` of `AWS/Bedrock`, folded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BedrockMetrics {
    /// Values of dimension `ModelId` of metric `Invocations`; `*` stands for a metric without the dimension.
    pub invoked_models: Vec<String>,
    /// Every metric name listed.
    pub names: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvocationLogging {
    pub s3: Option<S3Sink>,
    pub cloudwatch: Option<CloudWatchSink>,
    /// Each flag absent in the answer counts as AWS's default, `None` here, judged as off.
    pub text: Option<bool>,
    pub image: Option<bool>,
    pub embedding: Option<bool>,
    pub video: Option<bool>,
    pub audio: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Sink {
    pub bucket: String,
    pub prefix: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudWatchSink {
    pub log_group: String,
    pub role_arn: String,
    /// Where bodies above 100 KB and binary data go; without it they are lost.
    pub large_bodies_s3: Option<S3Sink>,
}
