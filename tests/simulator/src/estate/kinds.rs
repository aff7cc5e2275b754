//! The kinds of resources an estate may hold, and what of each need not be written because it follows or is usual.
//!
//! A new kind is a row here; which calls tell of it is decided in `services`.

use serde_json::{Map, Value};

use super::moment::{self, Form, Unread};

/// One kind of resource of one service.
#[derive(Debug, PartialEq)]
pub(crate) struct Kind {
    pub service: &'static str,
    /// Key under the service in an estate.
    pub name: &'static str,
    /// Member that must be written and that names the resource; empty for a setting of which a region has at most one.
    pub id: &'static str,
    /// Member that holds its ARN, and the ARN after `arn:aws:`.
    arn: Option<(&'static str, &'static str)>,
    /// Members that are filled in when they are not written, `Name=value` by `Name=value`.
    usual: &'static str,
    /// Members besides the name that tell apart resources of one name.
    within: &'static [&'static str],
    form: Form,
}

const fn kind(service: &'static str, name: &'static str, id: &'static str, form: Form) -> Kind {
    Kind { service, name, id, arn: None, usual: "", within: &[], form }
}

impl Kind {
    const fn arn(mut self, member: &'static str, pattern: &'static str) -> Self {
        self.arn = Some((member, pattern));
        self
    }

    const fn usual(mut self, members: &'static str) -> Self {
        self.usual = members;
        self
    }

    const fn within(mut self, members: &'static [&'static str]) -> Self {
        self.within = members;
        self
    }

    /// What no other resource of the kind has in a region.
    pub(super) fn identity(&self, resource: &Map<String, Value>) -> String {
        let members = [self.id].into_iter().chain(self.within.iter().copied());
        let parts: Vec<String> = members.filter_map(|member| resource.get(member)).map(Value::to_string).collect();
        parts.join(" ")
    }

    /// Whether a region has at most one.
    pub(crate) fn single(&self) -> bool {
        self.id.is_empty()
    }
}

/// Every kind.
#[rustfmt::skip]
static KINDS: &[Kind] = &[
    kind("sagemaker", "endpoints", "EndpointName", Form::Seconds)
        .arn("EndpointArn", "sagemaker:<region>:<account>:endpoint/<id>")
        .usual("EndpointConfigName=<id> EndpointStatus=InService CreationTime=-60d LastModifiedTime=-60d"),
    kind("sagemaker", "endpoint_configs", "EndpointConfigName", Form::Seconds)
        .arn("EndpointConfigArn", "sagemaker:<region>:<account>:endpoint-config/<id>")
        .usual("CreationTime=-60d"),
    kind("sagemaker", "models", "ModelName", Form::Seconds)
        .arn("ModelArn", "sagemaker:<region>:<account>:model/<id>")
        .usual("CreationTime=-60d ExecutionRoleArn=arn:aws:iam::<account>:role/SageMaker"),
    kind("sagemaker", "training_jobs", "TrainingJobName", Form::Seconds)
        .arn("TrainingJobArn", "sagemaker:<region>:<account>:training-job/<id>")
        .usual("TrainingJobStatus=Completed SecondaryStatus=Completed CreationTime=-5d LastModifiedTime=-5d"),
    kind("sagemaker", "processing_jobs", "ProcessingJobName", Form::Seconds)
        .arn("ProcessingJobArn", "sagemaker:<region>:<account>:processing-job/<id>")
        .usual("ProcessingJobStatus=Completed CreationTime=-5d LastModifiedTime=-5d"),
    kind("sagemaker", "transform_jobs", "TransformJobName", Form::Seconds)
        .arn("TransformJobArn", "sagemaker:<region>:<account>:transform-job/<id>")
        .usual("TransformJobStatus=Completed CreationTime=-5d"),
    kind("sagemaker", "tuning_jobs", "HyperParameterTuningJobName", Form::Seconds)
        .arn("HyperParameterTuningJobArn", "sagemaker:<region>:<account>:hyper-parameter-tuning-job/<id>")
        .usual("HyperParameterTuningJobStatus=Completed CreationTime=-5d LastModifiedTime=-5d"),
    kind("sagemaker", "automl_jobs", "AutoMLJobName", Form::Seconds)
        .arn("AutoMLJobArn", "sagemaker:<region>:<account>:automl-job/<id>")
        .usual("AutoMLJobStatus=Completed AutoMLJobSecondaryStatus=Completed CreationTime=-5d LastModifiedTime=-5d"),
    kind("sagemaker", "notebooks", "NotebookInstanceName", Form::Seconds)
        .arn("NotebookInstanceArn", "sagemaker:<region>:<account>:notebook-instance/<id>")
        .usual("NotebookInstanceStatus=InService InstanceType=ml.t3.medium DirectInternetAccess=Enabled \
            RootAccess=Enabled CreationTime=-60d LastModifiedTime=-60d"),
    kind("sagemaker", "domains", "DomainId", Form::Seconds)
        .arn("DomainArn", "sagemaker:<region>:<account>:domain/<id>")
        .usual("DomainName=<id> Status=InService AppNetworkAccessType=PublicInternetOnly AuthMode=IAM \
            CreationTime=-60d LastModifiedTime=-60d"),
    kind("sagemaker", "feature_groups", "FeatureGroupName", Form::Seconds)
        .arn("FeatureGroupArn", "sagemaker:<region>:<account>:feature-group/<id>")
        .usual("FeatureGroupStatus=Created CreationTime=-60d"),

    kind("bedrock", "logging", "", Form::Text),
    kind("bedrock", "customization_jobs", "jobName", Form::Text)
        .arn("jobArn", "bedrock:<region>:<account>:model-customization-job/<id>")
        .within(&["jobArn"])
        .usual("status=Completed creationTime=-5d lastModifiedTime=-5d customizationType=FINE_TUNING \
            baseModelArn=arn:aws:bedrock:<region>::foundation-model/amazon.titan-text-express-v1 \
            outputModelName=<id> roleArn=arn:aws:iam::<account>:role/Bedrock"),
    kind("bedrock", "imported_models", "modelName", Form::Text)
        .arn("modelArn", "bedrock:<region>:<account>:imported-model/<id>")
        .usual("creationTime=-60d"),
    kind("bedrock", "invocation_jobs", "jobName", Form::Text)
        .arn("jobArn", "bedrock:<region>:<account>:model-invocation-job/<id>")
        .within(&["jobArn"])
        .usual("status=Completed submitTime=-5d lastModifiedTime=-5d modelId=amazon.titan-text-express-v1 \
            roleArn=arn:aws:iam::<account>:role/Bedrock"),
    kind("bedrock", "evaluation_jobs", "jobName", Form::Text)
        .arn("jobArn", "bedrock:<region>:<account>:evaluation-job/<id>")
        .within(&["jobArn"])
        .usual("status=Completed creationTime=-5d jobType=Automated roleArn=arn:aws:iam::<account>:role/Bedrock"),
    kind("bedrock", "guardrails", "guardrailId", Form::Text)
        .arn("guardrailArn", "bedrock:<region>:<account>:guardrail/<id>")
        .usual("name=<id> status=READY version=DRAFT createdAt=-60d updatedAt=-60d blockedInputMessaging=No. \
            blockedOutputsMessaging=No.")
        .within(&["version"]),

    kind("bedrock-agent", "agents", "agentId", Form::Text)
        .arn("agentArn", "bedrock:<region>:<account>:agent/<id>")
        .usual("agentName=<id> agentStatus=PREPARED agentVersion=DRAFT createdAt=-60d updatedAt=-60d \
            agentResourceRoleArn=arn:aws:iam::<account>:role/Bedrock"),
    kind("bedrock-agent", "knowledge_bases", "knowledgeBaseId", Form::Text)
        .arn("knowledgeBaseArn", "bedrock:<region>:<account>:knowledge-base/<id>")
        .usual("name=<id> status=ACTIVE createdAt=-60d updatedAt=-60d roleArn=arn:aws:iam::<account>:role/Bedrock"),
    kind("bedrock-agent", "data_sources", "dataSourceId", Form::Text)
        .usual("name=<id> status=AVAILABLE createdAt=-60d updatedAt=-60d")
        .within(&["knowledgeBaseId"]),
    kind("bedrock-agent", "flows", "id", Form::Text)
        .arn("arn", "bedrock:<region>:<account>:flow/<id>")
        .usual("name=<id> status=Prepared version=DRAFT createdAt=-60d updatedAt=-60d \
            executionRoleArn=arn:aws:iam::<account>:role/Bedrock"),

    kind("cloudtrail", "trails", "Name", Form::Seconds)
        .arn("TrailARN", "cloudtrail:<region>:<account>:trail/<id>")
        .usual("HomeRegion=<region>"),
    kind("cloudtrail", "events", "EventId", Form::Seconds),
    kind("cloudwatch", "metrics", "MetricName", Form::Text)
        .within(&["Namespace", "Dimensions"]),
    kind("logs", "groups", "logGroupName", Form::Millis)
        .arn("logGroupArn", "logs:<region>:<account>:log-group:<id>")
        .usual("arn=arn:aws:logs:<region>:<account>:log-group:<id>:* creationTime=-60d logGroupClass=STANDARD"),
    kind("logs", "subscription_filters", "filterName", Form::Millis)
        .usual("filterPattern= creationTime=-60d")
        .within(&["logGroupName"]),
    kind("logs", "account_policies", "policyName", Form::Millis)
        .usual("policyType=SUBSCRIPTION_FILTER_POLICY scope=ALL lastUpdatedTime=-60d")
        .within(&["policyType"]),
    kind("logs", "delivery_sources", "name", Form::Millis)
        .arn("arn", "logs:<region>:<account>:delivery-source:<id>"),
    kind("logs", "deliveries", "id", Form::Millis)
        .arn("arn", "logs:<region>:<account>:delivery:<id>"),
    kind("logs", "delivery_destinations", "name", Form::Millis)
        .arn("arn", "logs:<region>:<account>:delivery-destination:<id>"),
    kind("kms", "keys", "KeyId", Form::Seconds)
        .arn("Arn", "kms:<region>:<account>:key/<id>")
        .usual("AWSAccountId=<account> KeyState=Enabled KeyManager=CUSTOMER KeyUsage=ENCRYPT_DECRYPT \
            KeySpec=SYMMETRIC_DEFAULT Origin=AWS_KMS CreationDate=-60d"),
    kind("kms", "aliases", "AliasName", Form::Seconds)
        .arn("AliasArn", "kms:<region>:<account>:<id>"),

    kind("ec2", "vpcs", "VpcId", Form::Text)
        .usual("OwnerId=<account> State=available CidrBlock=10.0.0.0/16"),
    kind("ec2", "subnets", "SubnetId", Form::Text)
        .arn("SubnetArn", "ec2:<region>:<account>:subnet/<id>")
        .usual("OwnerId=<account> State=available CidrBlock=10.0.0.0/24 AvailabilityZone=<region>a"),
    kind("ec2", "flow_logs", "FlowLogId", Form::Text)
        .usual("FlowLogStatus=ACTIVE DeliverLogsStatus=SUCCESS TrafficType=ALL CreationTime=-60d"),
];

/// The kind of this name in a service.
pub(super) fn find(service: &str, name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.service == service && kind.name == name)
}

/// Whether there is a service of this name.
pub(super) fn is_service(name: &str) -> bool {
    KINDS.iter().any(|kind| kind.service == name)
}

/// The names a service, or an estate, may use, for people who misspelt one.
pub(super) fn names(service: Option<&str>) -> Vec<&'static str> {
    let mut names: Vec<&str> = match service {
        Some(service) => KINDS.iter().filter(|kind| kind.service == service).map(|kind| kind.name).collect(),
        None => KINDS.iter().map(|kind| kind.service).collect(),
    };
    names.dedup();
    names
}

/// Fills in what is not written and settles the times; returns those that cannot be read. What is written as null is
/// left out.
pub(super) fn complete(
    kind: &Kind,
    resource: &mut Map<String, Value>,
    account: &str,
    region: &str,
    now: jiff::Timestamp,
) -> Vec<Unread> {
    let id = resource.get(kind.id).and_then(Value::as_str).unwrap_or_default().to_owned();
    let fill = |text: &str| text.replace("<region>", region).replace("<account>", account).replace("<id>", &id);
    if let Some((member, pattern)) = kind.arn
        && !resource.contains_key(member)
    {
        // ARNs of SageMaker are in lower case, whatever the name.
        let id = if kind.service == "sagemaker" { id.to_lowercase() } else { id.clone() };
        let rest = pattern.replace("<region>", region).replace("<account>", account).replace("<id>", &id);
        resource.insert(member.to_owned(), Value::from(format!("arn:aws:{rest}")));
    }
    for (member, usual) in kind.usual.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        if !resource.contains_key(member) {
            resource.insert(member.to_owned(), Value::from(fill(usual)));
        }
    }
    resource.retain(|_, value| !value.is_null());
    moment::settle_members(resource, now, kind.form)
}
