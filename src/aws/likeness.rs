//! Whether requests are those that the SDK's clients would send: to the same address, with the same body and signed for
//! the same service and region. Real AWS is not needed to tell.

use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_sdk_sagemaker::types::ResourceType;
use aws_sdk_sts::config::{BehaviorVersion, Region as SdkRegion};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

use crate::aws::request::Request;
use crate::aws::signature::LastKey;
use crate::aws::wire::{Endpoints, Wire};
use crate::model::ids::Region;

/// Keeps what it is asked to send, and sends nothing.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<Sent>>>);

/// What of a request decides where it arrives and what is understood there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    method: String,
    uri: String,
    body: Vec<u8>,
    /// Those that say what the body is and what is asked.
    headers: Vec<(String, String)>,
    /// Region and service of the signature.
    scope: String,
}

impl HttpConnector for Kept {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
        let scope = header("authorization");
        let scope: Vec<&str> = scope.split(['/', ',']).collect();
        let named = ["content-type", "x-amz-target", "smithy-protocol", "accept", "x-amz-expected-bucket-owner"];
        let sent = Sent {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            body: request.body().bytes().unwrap_or_default().to_vec(),
            headers: named.iter().map(|name| ((*name).to_owned(), header(name))).collect(),
            scope: scope.get(2..5).unwrap_or_default().join("/"),
        };
        self.0.lock().expect("no poison").push(sent);
        HttpConnectorFuture::ready(Err(ConnectorError::user("nothing is sent".into())))
    }
}

impl Kept {
    fn take(&self) -> Option<Sent> {
        self.0.lock().expect("no poison").pop()
    }
}

/// Where both are told to ask.
struct Place {
    region: &'static str,
    endpoints: Endpoints,
    credentials: Credentials,
}

impl Place {
    async fn ours<R: Request>(&self, request: &R) -> Option<Sent> {
        let kept = Kept::default();
        let wire = Wire::new(SharedHttpConnector::new(kept.clone()), self.endpoints.clone(), Arc::default());
        let identity = Identity::from(self.credentials.clone());
        let _ = wire.send(&Region::new(self.region), &identity, &LastKey::default(), request).await;
        kept.take()
    }
}

macro_rules! alike {
    ($place:ident, $sdk:ident, $module:ident, $shape:ident $(, $set:ident ( $value:expr ))* $(; $configure:ident)?) => {{
        let kept = Kept::default();
        let connector = SharedHttpConnector::new(kept.clone());
        let mut config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(SdkRegion::new($place.region))
            .credentials_provider($place.credentials.clone())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .retry_config(aws_smithy_types::retry::RetryConfig::disabled())
            .use_fips($place.endpoints.use_fips.unwrap_or_default())
            .use_dual_stack($place.endpoints.use_dual_stack.unwrap_or_default());
        if let Some(url) = &$place.endpoints.url {
            config = config.endpoint_url(url)$(.$configure(true))?;
        }
        #[expect(clippy::disallowed_methods, reason = "held against")]
        let client = $sdk::Client::from_conf(config.build());
        let _ = client.$module()$(.$set($value))*.send().await;
        let theirs = kept.take();
        let request = $sdk::operation::$module::$shape::builder()$(.$set($value))*;
        let ours = $place.ours(&request).await;
        assert!(theirs.is_some() || ours.is_none(), "the SDK would not ask {} for {}", $place.region, stringify!($shape));
        assert_eq!(ours, theirs, "{} in {}", stringify!($shape), $place.region);
    }};
}

/// One operation of each protocol and endpoint rule, in every kind of region.
#[tokio::test]
async fn requests_are_those_of_the_sdk() {
    let odd = "models/a b+c%2F~é";
    let regions = ["us-east-1", "eu-south-2", "us-gov-west-1", "cn-north-1"];
    let url = Some("http://localhost:4999/below".to_owned());
    let endpoints = [
        Endpoints::default(),
        Endpoints { use_fips: Some(true), ..Endpoints::default() },
        Endpoints { use_dual_stack: Some(true), ..Endpoints::default() },
        Endpoints { url, ..Endpoints::default() },
    ];
    for (region, endpoints) in regions.iter().flat_map(|r| endpoints.iter().map(move |e| (*r, e.clone()))) {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "made up");
        let place = Place { region, endpoints, credentials };
        alike!(place, aws_sdk_sts, get_caller_identity, GetCallerIdentityInput);
        alike!(place, aws_sdk_sts, assume_role, AssumeRoleInput, role_arn(odd), role_session_name("s"), policy("{}"));
        alike!(place, aws_sdk_organizations, list_accounts, ListAccountsInput, next_token(odd));
        alike!(place, aws_sdk_organizations, list_roots, ListRootsInput);
        alike!(place, aws_sdk_sagemaker, list_models, ListModelsInput, max_results(5), next_token(odd));
        alike!(place, aws_sdk_sagemaker, describe_model, DescribeModelInput, model_name(odd));
        alike!(place, aws_sdk_sagemaker, search, SearchInput, resource(ResourceType::Model), max_results(5));
        alike!(place, aws_sdk_bedrock, list_guardrails, ListGuardrailsInput, next_token(odd));
        alike!(place, aws_sdk_bedrock, get_imported_model, GetImportedModelInput, model_identifier(odd));
        alike!(place, aws_sdk_bedrockagent, list_agents, ListAgentsInput, max_results(5));
        alike!(
            place,
            aws_sdk_bedrockagent,
            get_data_source,
            GetDataSourceInput,
            knowledge_base_id("a"),
            data_source_id("b/c d")
        );
        alike!(place, aws_sdk_ec2, describe_subnets, DescribeSubnetsInput, subnet_ids("s-1"), subnet_ids("s-2"));
        alike!(
            place,
            aws_sdk_cloudtrail,
            get_trail_status,
            GetTrailStatusInput,
            name("arn:aws:cloudtrail:x:1:trail/t")
        );
        alike!(place, aws_sdk_cloudwatch, list_metrics, ListMetricsInput, namespace("AWS/Bedrock"));
        alike!(place, aws_sdk_cloudwatchlogs, describe_log_groups, DescribeLogGroupsInput, log_group_name_prefix(odd));
        alike!(place, aws_sdk_kms, describe_key, DescribeKeyInput, key_id("alias/a"));
        alike!(place, aws_sdk_s3, list_buckets, ListBucketsInput, max_buckets(7); force_path_style);
        alike!(place, aws_sdk_s3, get_bucket_acl, GetBucketAclInput, bucket("plain-bucket"), expected_bucket_owner("1"); force_path_style);
        alike!(place, aws_sdk_s3, get_bucket_policy, GetBucketPolicyInput, bucket("dotted.bucket"); force_path_style);
        alike!(place, aws_sdk_s3, get_bucket_location, GetBucketLocationInput, bucket("Old_Bucket"); force_path_style);
    }
}
