//! Every operation locard may call: the allow-list that requests are made by, the role is generated from and missing
//! permissions are named by.
//!
//! All of them read. An operation that is not here cannot leave the process.

/// One AWS API operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Service as in call names: the IAM prefix of most of its actions, `bedrock-agent` and `cloudwatch` aside.
    pub service: &'static str,
    /// Operation name as the SDK's metadata has it.
    pub name: &'static str,
    /// The IAM action that permits it; names differ from the operation's for S3
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>).
    pub action: &'static str,
    /// The session it is called in.
    pub session: Session,
    /// Members an answer must hold: an answer without them is malformed, never empty. For XML protocols the element. One
    /// that begins with `?` may be missing from an answer without any member.
    pub required: &'static [&'static str],
    /// What it is for, shown by `locard role` and in the coverage of a report.
    pub purpose: &'static str,
}

/// Sessions of one account, each narrowed by a policy of its own: a session policy may hold 2,048 characters
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Session {
    /// The caller's own credentials, before any role is assumed.
    Caller,
    /// Workloads: SageMaker and Bedrock.
    Workloads,
    /// Where evidence is made and kept: trails, networks, metrics, buckets, log groups, keys.
    Evidence,
}

macro_rules! operations {
    ($($service:literal $name:literal $action:literal $session:ident [$($required:literal)*] $purpose:literal)*) => {
        &[$(Operation {
            service: $service, name: $name, action: $action, session: Session::$session,
            required: &[$($required),*], purpose: $purpose,
        }),*]
    };
}

/// The allow-list, by service.
pub static OPERATIONS: &[Operation] = operations! {
    "sts" "GetCallerIdentity" "sts:GetCallerIdentity" Caller ["Account"] "who is calling, and that a session is in the account it should be"
    "sts" "AssumeRole" "sts:AssumeRole" Caller ["Credentials"] "enter an account"
    "organizations" "DescribeOrganization" "organizations:DescribeOrganization" Caller ["Organization"] "whether there is an organization, and its management account"
    "organizations" "ListAccounts" "organizations:ListAccounts" Caller ["Accounts"] "the accounts to assess"
    "organizations" "ListRoots" "organizations:ListRoots" Caller ["Roots"] "organizational unit paths"
    "organizations" "ListOrganizationalUnitsForParent" "organizations:ListOrganizationalUnitsForParent" Caller ["OrganizationalUnits"] "organizational unit paths"
    "organizations" "ListAccountsForParent" "organizations:ListAccountsForParent" Caller ["Accounts"] "organizational unit paths"

    "sagemaker" "ListEndpoints" "sagemaker:ListEndpoints" Workloads ["Endpoints"] "live endpoints"
    "sagemaker" "DescribeEndpoint" "sagemaker:DescribeEndpoint" Workloads ["EndpointName"] "live data capture of an endpoint"
    "sagemaker" "DescribeEndpointConfig" "sagemaker:DescribeEndpointConfig" Workloads ["EndpointConfigName" "ProductionVariants"] "configured data capture and variants"
    "sagemaker" "ListModels" "sagemaker:ListModels" Workloads ["Models"] "models"
    "sagemaker" "DescribeModel" "sagemaker:DescribeModel" Workloads ["ModelName"] "artefact buckets and network of a model"
    "sagemaker" "ListTrainingJobs" "sagemaker:ListTrainingJobs" Workloads ["TrainingJobSummaries"] "training jobs"
    "sagemaker" "DescribeTrainingJob" "sagemaker:DescribeTrainingJob" Workloads ["TrainingJobName"] "data buckets and network of a training job"
    "sagemaker" "ListProcessingJobs" "sagemaker:ListProcessingJobs" Workloads ["ProcessingJobSummaries"] "processing jobs"
    "sagemaker" "DescribeProcessingJob" "sagemaker:DescribeProcessingJob" Workloads ["ProcessingJobName"] "data buckets and network of a processing job"
    "sagemaker" "ListTransformJobs" "sagemaker:ListTransformJobs" Workloads ["TransformJobSummaries"] "batch transform jobs"
    "sagemaker" "DescribeTransformJob" "sagemaker:DescribeTransformJob" Workloads ["TransformJobName"] "data buckets of a batch transform job"
    "sagemaker" "ListHyperParameterTuningJobs" "sagemaker:ListHyperParameterTuningJobs" Workloads ["HyperParameterTuningJobSummaries"] "tuning jobs"
    "sagemaker" "DescribeHyperParameterTuningJob" "sagemaker:DescribeHyperParameterTuningJob" Workloads ["HyperParameterTuningJobName"] "data buckets and network of a tuning job"
    "sagemaker" "ListAutoMLJobs" "sagemaker:ListAutoMLJobs" Workloads ["AutoMLJobSummaries"] "AutoML jobs"
    "sagemaker" "DescribeAutoMLJobV2" "sagemaker:DescribeAutoMLJobV2" Workloads ["AutoMLJobName" "AutoMLJobInputDataConfig"] "data buckets of an AutoML job"
    "sagemaker" "ListNotebookInstances" "sagemaker:ListNotebookInstances" Workloads ["NotebookInstances"] "notebooks"
    "sagemaker" "DescribeNotebookInstance" "sagemaker:DescribeNotebookInstance" Workloads ["NotebookInstanceName"] "network of a notebook"
    "sagemaker" "ListDomains" "sagemaker:ListDomains" Workloads ["Domains"] "Studio domains"
    "sagemaker" "DescribeDomain" "sagemaker:DescribeDomain" Workloads ["DomainId"] "network and shared output of a Studio domain"
    "sagemaker" "ListFeatureGroups" "sagemaker:ListFeatureGroups" Workloads ["FeatureGroupSummaries"] "feature groups"
    "sagemaker" "DescribeFeatureGroup" "sagemaker:DescribeFeatureGroup" Workloads ["FeatureGroupName"] "offline store of a feature group"
    "sagemaker" "Search" "sagemaker:Search" Workloads ["Results"] "jobs, models and feature groups, many at once instead of one by one"

    "bedrock" "GetModelInvocationLoggingConfiguration" "bedrock:GetModelInvocationLoggingConfiguration" Workloads ["?loggingConfig"] "whether prompts and answers are recorded"
    "bedrock" "ListModelCustomizationJobs" "bedrock:ListModelCustomizationJobs" Workloads ["modelCustomizationJobSummaries"] "customization jobs"
    "bedrock" "GetModelCustomizationJob" "bedrock:GetModelCustomizationJob" Workloads ["jobArn"] "data buckets and network of a customization job"
    "bedrock" "ListImportedModels" "bedrock:ListImportedModels" Workloads ["modelSummaries"] "imported models"
    "bedrock" "GetImportedModel" "bedrock:GetImportedModel" Workloads ["modelArn"] "artefact bucket of an imported model"
    "bedrock" "ListModelInvocationJobs" "bedrock:ListModelInvocationJobs" Workloads ["invocationJobSummaries"] "batch inference jobs, their buckets and network"
    "bedrock" "ListEvaluationJobs" "bedrock:ListEvaluationJobs" Workloads ["jobSummaries"] "evaluation jobs"
    "bedrock" "GetEvaluationJob" "bedrock:GetEvaluationJob" Workloads ["jobArn"] "data buckets of an evaluation job"
    "bedrock" "ListGuardrails" "bedrock:ListGuardrails" Workloads ["guardrails"] "guardrails"
    "bedrock-agent" "ListAgents" "bedrock:ListAgents" Workloads ["agentSummaries"] "agents"
    "bedrock-agent" "ListKnowledgeBases" "bedrock:ListKnowledgeBases" Workloads ["knowledgeBaseSummaries"] "knowledge bases"
    "bedrock-agent" "GetKnowledgeBase" "bedrock:GetKnowledgeBase" Workloads ["knowledgeBase"] "supplemental bucket of a knowledge base"
    "bedrock-agent" "ListDataSources" "bedrock:ListDataSources" Workloads ["dataSourceSummaries"] "data sources of a knowledge base"
    "bedrock-agent" "GetDataSource" "bedrock:GetDataSource" Workloads ["dataSource"] "buckets of a data source"
    "bedrock-agent" "ListFlows" "bedrock:ListFlows" Workloads ["flowSummaries"] "flows"
    "bedrock-agent" "GetFlow" "bedrock:GetFlow" Workloads ["id"] "buckets that nodes of a flow use"

    "ec2" "DescribeRegions" "ec2:DescribeRegions" Evidence ["regionInfo"] "regions enabled in the account"
    "ec2" "DescribeSubnets" "ec2:DescribeSubnets" Evidence ["subnetSet"] "the VPCs workloads run in"
    "ec2" "DescribeFlowLogs" "ec2:DescribeFlowLogs" Evidence ["flowLogSet"] "flow logs of those VPCs"
    "cloudtrail" "DescribeTrails" "cloudtrail:DescribeTrails" Evidence ["trailList"] "trails"
    "cloudtrail" "GetTrailStatus" "cloudtrail:GetTrailStatus" Evidence ["IsLogging"] "whether a trail logs and delivers"
    "cloudtrail" "GetEventSelectors" "cloudtrail:GetEventSelectors" Evidence [] "which events a trail records"
    "cloudwatch" "ListMetrics" "cloudwatch:ListMetrics" Evidence ["Metrics"] "traces of use and of log delivery"
    "logs" "DescribeLogGroups" "logs:DescribeLogGroups" Evidence ["logGroups"] "retention of the log groups evidence lands in"
    "logs" "DescribeSubscriptionFilters" "logs:DescribeSubscriptionFilters" Evidence ["subscriptionFilters"] "copies of log groups kept elsewhere"
    "logs" "DescribeAccountPolicies" "logs:DescribeAccountPolicies" Evidence ["accountPolicies"] "copies of all log groups kept elsewhere"
    "logs" "DescribeDeliverySources" "logs:DescribeDeliverySources" Evidence ["deliverySources"] "S3 access logs sent through vended deliveries"
    "logs" "DescribeDeliveries" "logs:DescribeDeliveries" Evidence ["deliveries"] "where those deliveries go"
    "logs" "DescribeDeliveryDestinations" "logs:DescribeDeliveryDestinations" Evidence ["deliveryDestinations"] "where those deliveries go"
    "kms" "DescribeKey" "kms:DescribeKey" Evidence ["KeyMetadata"] "whether the keys of evidence are usable"
    "s3" "ListBuckets" "s3:ListAllMyBuckets" Evidence ["Buckets"] "which account owns a bucket"
    "s3" "GetBucketLocation" "s3:GetBucketLocation" Evidence ["LocationConstraint"] "the region of a bucket"
    "s3" "GetBucketVersioning" "s3:GetBucketVersioning" Evidence ["VersioningConfiguration"] "history of objects"
    "s3" "GetObjectLockConfiguration" "s3:GetBucketObjectLockConfiguration" Evidence ["ObjectLockConfiguration"] "whether evidence can be deleted"
    "s3" "GetBucketLogging" "s3:GetBucketLogging" Evidence ["BucketLoggingStatus"] "server access logging"
    "s3" "GetBucketPolicy" "s3:GetBucketPolicy" Evidence [] "who may write and delete evidence"
    "s3" "GetBucketEncryption" "s3:GetEncryptionConfiguration" Evidence ["Rule"] "whether a log target can receive, and with which key"
    "s3" "GetBucketLifecycleConfiguration" "s3:GetLifecycleConfiguration" Evidence [] "how long objects are kept"
    "s3" "GetBucketReplication" "s3:GetReplicationConfiguration" Evidence [] "copies in another account"
    "s3" "GetBucketOwnershipControls" "s3:GetBucketOwnershipControls" Evidence [] "whether ACLs can admit log delivery"
    "s3" "GetBucketAcl" "s3:GetBucketAcl" Evidence ["AccessControlList"] "whether an ACL admits log delivery"
};

/// One operation on the bucket that locard was told to keep its own runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOperation {
    pub name: &'static str,
    pub action: &'static str,
    /// Whether it is about the bucket; else about objects in it.
    pub on_bucket: bool,
    pub purpose: &'static str,
}

/// All that locard asks of such a bucket, and the only writes it knows. None of it is part of an audit: it is asked with
/// the caller's own credentials, of the prefix that was named, and only when one was.
pub const STORE: &[StoreOperation] = &[
    StoreOperation {
        name: "ListObjectsV2",
        action: "s3:ListBucket",
        on_bucket: true,
        purpose: "what a run has kept under the prefix",
    },
    StoreOperation {
        name: "GetObject",
        action: "s3:GetObject",
        on_bucket: false,
        purpose: "a snapshot, to go on with it, to merge or to judge it",
    },
    StoreOperation {
        name: "PutObject",
        action: "s3:PutObject",
        on_bucket: false,
        purpose: "keep a snapshot and what was judged of it",
    },
];

/// The operation a call name, `service:Operation`, means.
pub fn find(call: &str) -> Option<&'static Operation> {
    let (service, name) = call.split_once(':')?;
    OPERATIONS.iter().find(|op| op.service == service && op.name == name)
}

/// The IAM action that would permit a call; none for a call that no permission settles.
pub fn action(call: &str) -> Option<&'static str> {
    find(call).map(|op| op.action)
}
