//! Workloads: AI resources, whichever service they live in, with what they use.
//!
//! SDK shapes differ per resource; the S3 fields each one has are listed by AWS resource in `collect`.

use serde::{Deserialize, Serialize};

use crate::model::observed::{Observed, Told, told};
use crate::model::time::Moment;

use super::sagemaker::Endpoint;

/// An AI resource. Its line's id is its ARN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    pub kind: WorkloadKind,
    /// Hostile text: its owner chose it.
    pub name: String,
    pub created: Option<Moment>,
    /// As AWS words it, e.g. `InService`, `Completed`.
    pub status: Option<String>,
    /// S3 locations it names.
    #[serde(with = "told")]
    pub uses: Told<Vec<S3Use>>,
    /// Where its traffic flows.
    #[serde(with = "told")]
    pub placement: Told<Placement>,
    /// KMS keys it names.
    pub keys: Vec<String>,
    /// Only for endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Box<Endpoint>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    Endpoint,
    Model,
    TrainingJob,
    ProcessingJob,
    TransformJob,
    TuningJob,
    AutomlJob,
    Notebook,
    Domain,
    FeatureGroup,
    CustomizationJob,
    ImportedModel,
    BatchInferenceJob,
    EvaluationJob,
    Guardrail,
    Agent,
    KnowledgeBase,
    DataSource,
    Flow,
}

impl WorkloadKind {
    /// For people: `training job`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Model => "model",
            Self::TrainingJob => "training job",
            Self::ProcessingJob => "processing job",
            Self::TransformJob => "transform job",
            Self::TuningJob => "tuning job",
            Self::AutomlJob => "AutoML job",
            Self::Notebook => "notebook",
            Self::Domain => "Studio domain",
            Self::FeatureGroup => "feature group",
            Self::CustomizationJob => "customization job",
            Self::ImportedModel => "imported model",
            Self::BatchInferenceJob => "batch inference job",
            Self::EvaluationJob => "evaluation job",
            Self::Guardrail => "guardrail",
            Self::Agent => "agent",
            Self::KnowledgeBase => "knowledge base",
            Self::DataSource => "data source",
            Self::Flow => "flow",
        }
    }

    /// Lives in SageMaker, else in Bedrock.
    pub fn is_sagemaker(self) -> bool {
        matches!(
            self,
            Self::Endpoint
                | Self::Model
                | Self::TrainingJob
                | Self::ProcessingJob
                | Self::TransformJob
                | Self::TuningJob
                | Self::AutomlJob
                | Self::Notebook
                | Self::Domain
                | Self::FeatureGroup
        )
    }
}

/// One S3 location in a workload's configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Use {
    /// As written: `s3://bucket/key`, an https URL, an ARN or a bare bucket name.
    pub location: String,
    pub role: S3Role,
    /// The field it was read from, e.g. `InputDataConfig[0].DataSource.S3DataSource.S3Uri`.
    pub field: String,
}

/// What a bucket holds for a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum S3Role {
    Training,
    Artifact,
    Capture,
    AppData,
}

impl S3Role {
    pub fn word(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Artifact => "artifact",
            Self::Capture => "capture",
            Self::AppData => "app_data",
        }
    }
}

/// Where a workload's network interfaces are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// In these customer subnets, all of one region.
    Subnets(Vec<String>),
    /// In a VPC that AWS owns: no customer flow log can exist.
    AwsVpc,
    /// Some in these customer subnets, others in a VPC that AWS owns.
    Both(Vec<String>),
    /// It has no network of its own (a model, a guardrail, a knowledge base).
    Nowhere,
}

impl Placement {
    /// The customer subnets it has interfaces in.
    pub fn subnets(&self) -> &[String] {
        match self {
            Self::Subnets(subnets) | Self::Both(subnets) => subnets,
            Self::AwsVpc | Self::Nowhere => &[],
        }
    }

    /// Whether some of its traffic passes a VPC that AWS owns.
    pub fn in_aws_vpc(&self) -> bool {
        matches!(self, Self::AwsVpc | Self::Both(_))
    }
}

/// What is told of a workload when describing it failed.
pub fn undescribed(kind: WorkloadKind, name: String, unknown: crate::model::observed::Unknown) -> Workload {
    Workload {
        kind,
        name,
        created: None,
        status: None,
        uses: Err(unknown.clone()),
        placement: Err(unknown.clone()),
        keys: Vec::new(),
        endpoint: (kind == WorkloadKind::Endpoint)
            .then(|| Box::new(Endpoint { config: Err(unknown.clone()), live_capture: Observed::Unknown(unknown) })),
    }
}
