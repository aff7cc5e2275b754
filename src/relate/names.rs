//! How resources are named where several files must agree on it.

use crate::model::ids::{AccountId, Arn, Partition, Region, ResourceId};

pub(crate) fn account(account: &AccountId) -> ResourceId {
    ResourceId(format!("account:{account}"))
}

pub(crate) fn account_region(account: &AccountId, region: &Region) -> ResourceId {
    ResourceId(format!("account-region:{account}:{region}"))
}

pub(crate) fn bedrock(account: &AccountId, region: &Region) -> ResourceId {
    ResourceId(format!("bedrock-invocation-logging:{account}:{region}"))
}

pub(crate) fn mantle(account: &AccountId, region: &Region) -> ResourceId {
    ResourceId(format!("bedrock-mantle:{account}:{region}"))
}

pub(crate) fn aws_vpc(account: &AccountId, region: &Region) -> ResourceId {
    ResourceId(format!("aws-owned-vpc:{account}:{region}"))
}

pub(crate) fn bucket(partition: &Partition, name: &str) -> ResourceId {
    ResourceId(format!("arn:{partition}:s3:::{name}"))
}

pub(crate) fn vpc(partition: &Partition, region: &Region, account: &AccountId, id: &str) -> ResourceId {
    ResourceId(format!("arn:{partition}:ec2:{region}:{account}:vpc/{id}"))
}

pub(crate) fn log_group(partition: &Partition, region: &Region, account: &AccountId, name: &str) -> ResourceId {
    ResourceId(format!("arn:{partition}:logs:{region}:{account}:log-group:{name}"))
}

/// Account, region and name of a log group ARN, with or without `:*`.
pub(crate) fn log_group_of(arn: &str) -> Option<(AccountId, Region, String)> {
    let arn = Arn::parse(arn)?;
    let name = arn.resource.strip_prefix("log-group:")?.trim_end_matches(":*");
    (arn.service == "logs").then(|| (AccountId::from(arn.account), Region::from(arn.region), name.to_owned()))
}

/// A key as evidence names it, as an ARN: bare ids and aliases are of the account and region that use them.
pub(crate) fn key(partition: &Partition, region: &Region, account: &AccountId, reference: &str) -> String {
    if reference.starts_with("arn:") {
        reference.to_owned()
    } else if reference.starts_with("alias/") {
        format!("arn:{partition}:kms:{region}:{account}:{reference}")
    } else {
        format!("arn:{partition}:kms:{region}:{account}:key/{reference}")
    }
}

/// What the ARNs of all resources of an account and region begin with that emit data events of a type; none = not known.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html>
pub(crate) fn stem(partition: &Partition, region: &Region, account: &AccountId, resource_type: &str) -> Option<String> {
    let (service, kind) = match resource_type {
        "AWS::Bedrock::AgentAlias" => ("bedrock", "agent-alias/"),
        "AWS::Bedrock::FlowAlias" => ("bedrock", "flow/"),
        "AWS::Bedrock::Guardrail" => ("bedrock", "guardrail/"),
        "AWS::Bedrock::KnowledgeBase" => ("bedrock", "knowledge-base/"),
        "AWS::BedrockMantle::Project" => ("bedrock-mantle", "project/"),
        _ => return None,
    };
    Some(format!("arn:{partition}:{service}:{region}:{account}:{kind}"))
}

/// Log groups that SageMaker writes to for each kind of workload.
/// <https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html>
pub(crate) fn sagemaker_group(kind: crate::inventory::workload::WorkloadKind, name: &str) -> Option<String> {
    use crate::inventory::workload::WorkloadKind as K;
    Some(match kind {
        K::Endpoint => format!("/aws/sagemaker/Endpoints/{name}"),
        K::TrainingJob | K::TuningJob => "/aws/sagemaker/TrainingJobs".to_owned(),
        K::ProcessingJob => "/aws/sagemaker/ProcessingJobs".to_owned(),
        K::TransformJob => "/aws/sagemaker/TransformJobs".to_owned(),
        K::Notebook => "/aws/sagemaker/NotebookInstances".to_owned(),
        K::Domain => "/aws/sagemaker/studio".to_owned(),
        _ => return None,
    })
}
