//! The requests locard can make, as types: one for each operation of the allow-list, and no others.
//!
//! Shapes, codecs and endpoint rules are the SDK's; how a request goes over the wire is in `wire`.

use std::error::Error;
use std::fmt::Debug;
use std::sync::LazyLock;

use aws_smithy_json::protocol::aws_json_rpc::AwsJsonRpcProtocol;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::endpoint::EndpointFuture;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_schema::protocol::{ServiceShapeName, ServiceShapeNamespace, SharedClientProtocol};
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer, Layer};
use aws_smithy_types::endpoint::Endpoint;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;
use futures_util::FutureExt;

use crate::aws::wire::Endpoints;
use crate::inventory::operations::{self, Operation};
use crate::model::ids::Region;

/// A request of the allow-list: the SDK's builder of its parameters.
pub(crate) trait Request: Clone + Send + Sync {
    /// The SDK's shape of the answer.
    type Output: Debug + Send + Sync + 'static;
    /// The SDK's shape of a refusal.
    type Error: ProvideErrorMetadata + Error + Send + Sync + 'static;

    fn codec() -> &'static Codec;

    /// The bucket it is about, which S3 has in the name of the host.
    fn bucket(&self) -> Option<&str> {
        None
    }

    /// The parameters; the error is one that AWS demands and nobody gave.
    fn input(&self) -> Result<Input, BuildError>;
}

/// What the SDK knows of an operation, and the table of operations of it.
#[derive(Debug)]
pub(crate) struct Codec {
    pub operation: &'static Operation,
    pub service: &'static Service,
    layer: FrozenLayer,
}

/// What the SDK knows of a service.
#[derive(Debug)]
pub(crate) struct Service {
    /// As the table of operations has it.
    pub name: &'static str,
    /// In the scope of a signature, unless the endpoint says otherwise.
    pub signs_as: &'static str,
    /// Its endpoint for a region and a bucket.
    pub endpoint: fn(&Endpoints, &Region, Option<&str>) -> Result<Endpoint, BoxError>,
    /// Its protocol, where the SDK leaves codecs to that.
    protocol: LazyLock<Option<FrozenLayer>>,
}

impl Codec {
    /// Panics for an operation that is not on the allow-list.
    fn new(service: &'static Service, operation: &impl RuntimePlugin) -> Self {
        let layer = operation.config().unwrap_or_else(|| panic!("internal error: the SDK keeps its codecs elsewhere"));
        let name = layer.load::<Metadata>().map_or("", Metadata::name);
        let operation = operations::find(&format!("{}:{name}", service.name));
        let operation = operation
            .unwrap_or_else(|| panic!("internal error: {}:{name} is not on the list of operations", service.name));
        Self { operation, service, layer }
    }

    /// What its codecs look up.
    pub(crate) fn settings(&self) -> ConfigBag {
        let mut settings = ConfigBag::base();
        if let Some(protocol) = &*self.service.protocol {
            settings.push_shared_layer(protocol.clone());
        }
        settings.push_shared_layer(self.layer.clone());
        settings
    }
}

/// AWS JSON 1.1 for the services whose shapes the SDK describes by schemas
/// (<https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>).
fn json(shape: &'static str, namespace: &'static str) -> FrozenLayer {
    let mut protocol = Layer::new("protocol");
    protocol.store_put(ServiceShapeName::new(shape));
    protocol.store_put(ServiceShapeNamespace::new(namespace));
    let json = AwsJsonRpcProtocol::aws_json_1_1().with_default_namespace(namespace);
    protocol.store_put(SharedClientProtocol::new(json));
    protocol.freeze()
}

/// The SDK's rules look nothing up, so that their answer is there at once.
fn resolved(endpoint: EndpointFuture<'_>) -> Result<Endpoint, BoxError> {
    endpoint.now_or_never().unwrap_or_else(|| Err("the rules of the endpoint wait for something".into()))
}

/// The parameters that the endpoint rules of all services know.
macro_rules! parameters {
    ($sdk:ident, $endpoints:ident, $region:ident) => {
        $sdk::config::endpoint::Params::builder()
            .region($region.as_str())
            .set_use_fips($endpoints.use_fips)
            .set_use_dual_stack($endpoints.use_dual_stack)
            .set_endpoint($endpoints.url.clone())
    };
}

macro_rules! requests {
    ($($name:literal as $signs_as:literal, $sdk:ident, $service:ident $(, $protocol:expr)? => {
        $($module:ident $operation:ident $(= $shape:ident)? $(about $bucket:ident)?,)*
    })*) => { $(
        fn $service(endpoints: &Endpoints, region: &Region, bucket: Option<&str>) -> Result<Endpoint, BoxError> {
            use $sdk::config::endpoint::{DefaultResolver, ResolveEndpoint};
            static RULES: LazyLock<DefaultResolver> = LazyLock::new(DefaultResolver::new);
            let parameters = parameters!($sdk, endpoints, region);
            resolved(RULES.resolve_endpoint(&about!($sdk, parameters, endpoints, bucket).build()?))
        }

        pastey::paste! {
            static [<$service:upper>]: Service = Service {
                name: $name,
                signs_as: $signs_as,
                endpoint: $service,
                protocol: LazyLock::new(|| [$($protocol)?].into_iter().next()),
            };
        }
        $(requests!(@shapes $sdk, $service, $module $operation $($shape)?, $($bucket)?);)*
    )*

        /// What can be asked.
        #[cfg(test)]
        pub(crate) fn all() -> Vec<&'static Operation> {
            vec![$($(requests!(@operation $sdk, $module $operation $($shape)?),)*)*]
        }
    };
    (@operation $sdk:ident, $module:ident $operation:ident) => {
        requests!(@operation $sdk, $module $operation $operation)
    };
    (@operation $sdk:ident, $module:ident $operation:ident $shape:ident) => { pastey::paste! {
        <$sdk::operation::$module::builders::[<$shape InputBuilder>]>::codec().operation
    } };
    (@shapes $sdk:ident, $service:ident, $module:ident $operation:ident, $($bucket:ident)?) => {
        requests!(@shapes $sdk, $service, $module $operation $operation, $($bucket)?);
    };
    (@shapes $sdk:ident, $service:ident, $module:ident $operation:ident $shape:ident, $($bucket:ident)?) => {
        pastey::paste! {
        impl Request for $sdk::operation::$module::builders::[<$shape InputBuilder>] {
            type Output = $sdk::operation::$module::[<$shape Output>];
            type Error = $sdk::operation::$module::[<$operation Error>];

            fn codec() -> &'static Codec {
                static CODEC: LazyLock<Codec> = LazyLock::new(|| {
                    Codec::new(&[<$service:upper>], &$sdk::operation::$module::$operation::new())
                });
                &CODEC
            }

            $(
                fn $bucket(&self) -> Option<&str> {
                    self.[<get_ $bucket>]().as_deref()
                }
            )?

            fn input(&self) -> Result<Input, BuildError> {
                self.clone().build().map(Input::erase)
            }
        }
    } };
}

/// What the rules of S3 want to know besides. At an endpoint of its own a bucket is addressed by path: its name in the
/// host would need DNS of its own.
macro_rules! about {
    (aws_sdk_s3, $parameters:ident, $endpoints:ident, $bucket:ident) => {
        $parameters
            .set_bucket($bucket.map(str::to_owned))
            .force_path_style($endpoints.url.is_some())
            .use_s3_express_control_endpoint($bucket.is_some())
    };
    ($sdk:ident, $parameters:ident, $endpoints:ident, $bucket:ident) => {{
        let _ = $bucket;
        $parameters
    }};
}

requests! {
    "sts" as "sts", aws_sdk_sts, sts => {
        get_caller_identity GetCallerIdentity,
        assume_role AssumeRole,
    }
    "organizations" as "organizations", aws_sdk_organizations, organizations,
        json("AWSOrganizationsV20161128", "com.amazonaws.organizations") => {
        describe_organization DescribeOrganization,
        list_accounts ListAccounts,
        list_roots ListRoots,
        list_organizational_units_for_parent ListOrganizationalUnitsForParent,
        list_accounts_for_parent ListAccountsForParent,
    }
    "sagemaker" as "sagemaker", aws_sdk_sagemaker, sagemaker, json("SageMaker", "com.amazonaws.sagemaker") => {
        list_endpoints ListEndpoints,
        describe_endpoint DescribeEndpoint,
        describe_endpoint_config DescribeEndpointConfig,
        list_models ListModels,
        describe_model DescribeModel,
        list_training_jobs ListTrainingJobs,
        describe_training_job DescribeTrainingJob,
        list_processing_jobs ListProcessingJobs,
        describe_processing_job DescribeProcessingJob,
        list_transform_jobs ListTransformJobs,
        describe_transform_job DescribeTransformJob,
        list_hyper_parameter_tuning_jobs ListHyperParameterTuningJobs,
        describe_hyper_parameter_tuning_job DescribeHyperParameterTuningJob,
        list_auto_ml_jobs ListAutoMLJobs = ListAutoMlJobs,
        describe_auto_ml_job_v2 DescribeAutoMLJobV2 = DescribeAutoMlJobV2,
        list_notebook_instances ListNotebookInstances,
        describe_notebook_instance DescribeNotebookInstance,
        list_domains ListDomains,
        describe_domain DescribeDomain,
        list_feature_groups ListFeatureGroups,
        describe_feature_group DescribeFeatureGroup,
        search Search,
    }
    "bedrock" as "bedrock", aws_sdk_bedrock, bedrock => {
        get_model_invocation_logging_configuration GetModelInvocationLoggingConfiguration,
        list_model_customization_jobs ListModelCustomizationJobs,
        get_model_customization_job GetModelCustomizationJob,
        list_imported_models ListImportedModels,
        get_imported_model GetImportedModel,
        list_model_invocation_jobs ListModelInvocationJobs,
        list_evaluation_jobs ListEvaluationJobs,
        get_evaluation_job GetEvaluationJob,
        list_guardrails ListGuardrails,
    }
    "bedrock-agent" as "bedrock", aws_sdk_bedrockagent, bedrockagent => {
        list_agents ListAgents,
        list_knowledge_bases ListKnowledgeBases,
        get_knowledge_base GetKnowledgeBase,
        list_data_sources ListDataSources,
        get_data_source GetDataSource,
        list_flows ListFlows,
        get_flow GetFlow,
    }
    "ec2" as "ec2", aws_sdk_ec2, ec2 => {
        describe_regions DescribeRegions,
        describe_subnets DescribeSubnets,
        describe_flow_logs DescribeFlowLogs,
    }
    "cloudtrail" as "cloudtrail", aws_sdk_cloudtrail, cloudtrail => {
        describe_trails DescribeTrails,
        get_trail_status GetTrailStatus,
        get_event_selectors GetEventSelectors,
    }
    "cloudwatch" as "monitoring", aws_sdk_cloudwatch, cloudwatch => {
        list_metrics ListMetrics,
    }
    "logs" as "logs", aws_sdk_cloudwatchlogs, logs => {
        describe_log_groups DescribeLogGroups,
        describe_subscription_filters DescribeSubscriptionFilters,
        describe_account_policies DescribeAccountPolicies,
        describe_delivery_sources DescribeDeliverySources,
        describe_deliveries DescribeDeliveries,
        describe_delivery_destinations DescribeDeliveryDestinations,
    }
    "kms" as "kms", aws_sdk_kms, kms => {
        describe_key DescribeKey,
    }
    "s3" as "s3", aws_sdk_s3, s3 => {
        list_buckets ListBuckets,
        get_bucket_location GetBucketLocation about bucket,
        get_bucket_versioning GetBucketVersioning about bucket,
        get_object_lock_configuration GetObjectLockConfiguration about bucket,
        get_bucket_logging GetBucketLogging about bucket,
        get_bucket_policy GetBucketPolicy about bucket,
        get_bucket_encryption GetBucketEncryption about bucket,
        get_bucket_lifecycle_configuration GetBucketLifecycleConfiguration about bucket,
        get_bucket_replication GetBucketReplication about bucket,
        get_bucket_ownership_controls GetBucketOwnershipControls about bucket,
        get_bucket_acl GetBucketAcl about bucket,
    }
}
