//! What accounts of a made-up organization hold: archives, data lakes, and AI with more or less of its evidence.
//!
//! Which account holds what is decided above.

use serde_json::{Map, Value, json};

use super::Resources;
use super::dice::Dice;

/// How well the AI of an account is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Good,
    Mixed,
    Bad,
}

/// Accounts that others keep data in.
pub(super) struct Central {
    pub(super) archive: String,
    /// None in an organization too small for one.
    pub(super) lake: Option<String>,
}

/// The contents of one account, while they are made up.
pub(super) struct Content<'a> {
    account: &'a str,
    home: &'static str,
    buckets: Map<String, Value>,
    resources: Resources,
    /// Every kind of resource is there, whatever chance says.
    complete: bool,
}

/// Flow log fields that tell who talked to whom, beyond the default ones.
const FLOW_FORMAT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} \
    ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status} ${vpc-id} ${subnet-id} ${instance-id} \
    ${tcp-flags} ${type} ${pkt-srcaddr} ${pkt-dstaddr} ${region} ${az-id} ${pkt-src-aws-service} \
    ${pkt-dst-aws-service} ${flow-direction} ${traffic-path}";

/// The fields of a flow log nobody chose fields for.
const DEFAULT_FLOW_FORMAT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} \
    ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";

const MODELS: &[&str] = &[
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "amazon.titan-text-express-v1",
    "amazon.nova-pro-v1:0",
    "meta.llama3-1-70b-instruct-v1:0",
    "=cmd|' /C calc'!A0",
];

impl<'a> Content<'a> {
    pub(super) fn new(account: &'a str, home: &'static str) -> Self {
        Self { account, home, buckets: Map::new(), resources: Resources::new(), complete: false }
    }

    pub(super) fn finish(self) -> (Map<String, Value>, Map<String, Value>) {
        let mut resources = Map::new();
        for (region, services) in self.resources {
            let services = services.into_iter().map(|(service, kinds)| {
                let kinds = kinds.into_iter().map(|(kind, value)| (kind.to_owned(), value));
                (service.to_owned(), Value::Object(kinds.collect()))
            });
            resources.insert(region.to_owned(), Value::Object(services.collect()));
        }
        (self.buckets, resources)
    }

    fn add(&mut self, region: &'static str, service: &'static str, kind: &'static str, resource: Value) {
        let of_kind = self.resources.entry(region).or_default().entry(service).or_default().entry(kind);
        if let Value::Array(resources) = of_kind.or_insert_with(|| json!([])) {
            resources.push(resource);
        }
    }

    fn set(&mut self, region: &'static str, service: &'static str, kind: &'static str, resource: Value) {
        self.resources.entry(region).or_default().entry(service).or_default().insert(kind, resource);
    }

    /// Adds a bucket whose name ends in the account's id, and gives its name.
    fn bucket(&mut self, name: &str, region: &str, settings: Value) -> String {
        let name = format!("{name}-{}", self.account);
        let mut bucket = json!({ "region": region, "ownership": "BucketOwnerEnforced" });
        if let (Value::Object(bucket), Value::Object(settings)) = (&mut bucket, settings) {
            bucket.extend(settings);
        }
        self.buckets.insert(name.clone(), bucket);
        name
    }

    fn log_group(&mut self, region: &'static str, name: &str, days: Option<u64>) {
        let mut group = json!({ "logGroupName": name, "storedBytes": 1_048_576 });
        if let (Value::Object(group), Some(days)) = (&mut group, days) {
            group.insert("retentionInDays".to_owned(), days.into());
        }
        self.add(region, "logs", "groups", group);
    }

    /// The organization's trail, in the management account: management events of all accounts, calls of endpoints, and
    /// objects of the data lake.
    pub(super) fn organization_trail(&mut self, bucket: &str, lake: &str) {
        let home = self.home;
        let of_lake: Vec<String> = LAKE.iter().map(|name| format!("arn:aws:s3:::{name}-{lake}/")).collect();
        self.add(
            home,
            "cloudtrail",
            "trails",
            json!({
                "Name": "organization",
                "S3BucketName": bucket,
                "IsMultiRegionTrail": true,
                "IsOrganizationTrail": true,
                "LogFileValidationEnabled": true,
                "Status": {
                    "IsLogging": true, "LatestDeliveryTime": "-12m", "LatestDigestDeliveryTime": "-50m",
                        "StartLoggingTime": "-400d",
                },
                "AdvancedEventSelectors": [
                    { "Name": "management", "FieldSelectors": [{ "Field": "eventCategory",
                        "Equals": ["Management"] }] },
                    { "Name": "endpoints", "FieldSelectors": [
                        { "Field": "eventCategory", "Equals": ["Data"] },
                        { "Field": "resources.type", "Equals": ["AWS::SageMaker::Endpoint"] },
                    ] },
                    { "Name": "lake", "FieldSelectors": [
                        { "Field": "eventCategory", "Equals": ["Data"] },
                        { "Field": "resources.type", "Equals": ["AWS::S3::Object"] },
                        { "Field": "resources.ARN", "StartsWith": of_lake },
                    ] },
                ],
            }),
        );
    }

    /// Buckets that keep what arrives, for the organization's trail and for flow logs.
    pub(super) fn log_archive(&mut self) {
        let home = self.home;
        let key = self.key(home, "archive", "Enabled");
        for (name, service) in [("org-trail", "cloudtrail.amazonaws.com"), ("flow-logs", "delivery.logs.amazonaws.com")]
        {
            let policy = delivery(&format!("{name}-{}", self.account), service);
            let encryption = encrypted(&key);
            self.bucket(
                name,
                home,
                json!({
                    "versioning": "Enabled", "object_lock": lock("COMPLIANCE", 400), "policy": policy,
                        "encryption": encryption,
                }),
            );
        }
    }

    /// Data that other accounts train on.
    pub(super) fn data_lake(&mut self) {
        let home = self.home;
        let logs = self.access_logs(home);
        for name in LAKE {
            let logging = json!({ "TargetBucket": logs, "TargetPrefix": format!("{name}/") });
            let lifecycle = expiring(400);
            self.bucket(name, home, json!({ "versioning": "Enabled", "logging": logging, "lifecycle": lifecycle }));
        }
    }

    /// The target of server access logs, which cannot be locked.
    fn access_logs(&mut self, region: &str) -> String {
        let policy = delivery(&format!("access-logs-{region}-{}", self.account), "logging.s3.amazonaws.com");
        self.bucket(&format!("access-logs-{region}"), region, json!({ "versioning": "Enabled", "policy": policy }))
    }

    fn key(&mut self, region: &'static str, name: &str, state: &str) -> String {
        let id = format!("{}-{name}", self.account);
        self.add(region, "kms", "keys", json!({ "KeyId": id, "Description": name, "KeyState": state }));
        format!("arn:aws:kms:{region}:{}:key/{id}", self.account)
    }

    /// A bucket of anybody, with whatever settings.
    pub(super) fn ordinary_bucket(&mut self, number: u64, regions: &[&'static str], dice: &mut Dice) {
        let region = dice.pick(regions);
        let name = dice.pick(&["assets", "uploads", "backup", "terraform-state", "static", "exports"]);
        let settings = if dice.chance(50) { json!({ "versioning": "Enabled" }) } else { json!({}) };
        self.bucket(&format!("{name}-{number}"), region, settings);
    }

    /// Base models in use, of which only a metric tells.
    pub(super) fn base_models(&mut self, region: &'static str, dice: &mut Dice) {
        let model = dice.pick(MODELS);
        self.invoked(region, model);
        if dice.chance(40) {
            self.log_group(region, "/bedrock/invocations", Some(30));
            self.set(region, "bedrock", "logging", json!({
                "cloudWatchConfig": { "logGroupName": "/bedrock/invocations", "roleArn": self.role("BedrockLogging") },
                "textDataDeliveryEnabled": true, "imageDataDeliveryEnabled": false,
                    "embeddingDataDeliveryEnabled": false,
                "videoDataDeliveryEnabled": false,
            }));
        }
    }

    fn role(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.account)
    }

    fn invoked(&mut self, region: &'static str, model: &str) {
        for name in ["Invocations", "InvocationLatency", "InputTokenCount", "OutputTokenCount"] {
            let metric = json!({
                "Namespace": "AWS/Bedrock", "MetricName": name, "Dimensions": [{ "Name": "ModelId", "Value": model }],
            });
            self.add(region, "cloudwatch", "metrics", metric);
        }
    }

    /// AI of one region, recorded as well as `level` says.
    pub(super) fn ai(&mut self, region: &'static str, level: Level, central: &Central, large: bool, dice: &mut Dice) {
        self.complete = large;
        let network = self.network(region, level, central, dice);
        let stores = self.stores(region, level, central, dice);
        let scale = if large { 25 } else { 1 };
        for number in 0..scale * (1 + dice.below(3)) {
            self.endpoint(region, level, &network, &stores, number, dice);
        }
        for number in 0..scale * (2 + dice.below(9)) {
            self.training_job(region, level, &network, &stores, number, dice);
        }
        self.other_jobs(region, &network, &stores, dice);
        self.studio(region, level, &network, &stores, dice);
        if self.has(dice, 70) {
            self.bedrock(region, level, &stores, dice);
        }
        if self.has(dice, 10) {
            self.vended_logs(region, &stores);
        }
        let days = [Some(400), Some(30), None][level as usize];
        for kind in ["TrainingJobs", "ProcessingJobs", "TransformJobs"] {
            self.log_group(region, &format!("/aws/sagemaker/{kind}"), days);
        }
    }

    fn has(&self, dice: &mut Dice, percent: u64) -> bool {
        self.complete || dice.chance(percent)
    }

    /// Access logs of the artifacts, sent on by a delivery, and one log group copied elsewhere.
    fn vended_logs(&mut self, region: &'static str, stores: &Stores) {
        self.log_group(region, "/s3/access", Some(400));
        let group = format!("arn:aws:logs:{region}:{}:log-group:/s3/access", self.account);
        let destination = format!("arn:aws:logs:{region}:{}:delivery-destination:access", self.account);
        self.add(
            region,
            "logs",
            "delivery_sources",
            json!({
                "name": "artifacts", "resourceArns": [format!("arn:aws:s3:::{}", stores.artifacts)], "service": "s3",
                "logType": "S3_SERVER_ACCESS_LOGS", "status": "ACTIVE",
            }),
        );
        self.add(
            region,
            "logs",
            "delivery_destinations",
            json!({
                "name": "access", "deliveryDestinationType": "CWL", "outputFormat": "json",
                "deliveryDestinationConfiguration": { "destinationResourceArn": group },
            }),
        );
        self.add(region, "logs", "deliveries", json!({
            "id": format!("d{}", self.account), "deliverySourceName": "artifacts", "deliveryDestinationArn": destination,
            "deliveryDestinationType": "CWL",
        }));
        self.add(
            region,
            "logs",
            "subscription_filters",
            json!({
                "filterName": "copy", "logGroupName": "/aws/sagemaker/TrainingJobs",
                "destinationArn": format!("arn:aws:firehose:{region}:{}:deliverystream/copies", self.account),
            }),
        );
        let key = format!("{}-ml-{region}", self.account);
        self.add(region, "kms", "aliases", json!({ "AliasName": format!("alias/ml-{region}"), "TargetKeyId": key }));
    }

    fn network(&mut self, region: &'static str, level: Level, central: &Central, dice: &mut Dice) -> Network {
        let tail = format!(
            "{}{:02x}",
            &self.account[4..],
            region.bytes().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte))
        );
        let vpc = format!("vpc-0{tail}");
        let subnets: Vec<String> = (0..2).map(|number| format!("subnet-{number}{tail}")).collect();
        self.add(region, "ec2", "vpcs", json!({ "VpcId": vpc }));
        for subnet in &subnets {
            self.add(region, "ec2", "subnets", json!({ "SubnetId": subnet, "VpcId": vpc }));
        }
        let log = match level {
            Level::Good => Some(json!({
                "LogDestinationType": "s3", "LogDestination": format!("arn:aws:s3:::flow-logs-{}", central.archive),
                    "LogFormat": FLOW_FORMAT,
            })),
            Level::Mixed => {
                self.log_group(region, "/vpc/flow-logs", dice.pick(&[Some(14), Some(90), None]));
                Some(json!({
                    "LogDestinationType": "cloud-watch-logs", "LogGroupName": "/vpc/flow-logs",
                    "LogDestination": format!("arn:aws:logs:{region}:{}:log-group:/vpc/flow-logs", self.account),
                    "LogFormat": DEFAULT_FLOW_FORMAT,
                    "TrafficType": dice.pick(&["ALL", "REJECT"]),
                    "DeliverLogsStatus": dice.pick(&["SUCCESS", "SUCCESS", "SUCCESS", "FAILED"]),
                }))
            }
            Level::Bad => None,
        };
        if let Some(Value::Object(mut log)) = log {
            log.insert("FlowLogId".to_owned(), format!("fl-0{tail}").into());
            log.insert("ResourceId".to_owned(), vpc.into());
            self.add(region, "ec2", "flow_logs", Value::Object(log));
        }
        Network { subnets, security_group: format!("sg-0{tail}") }
    }

    fn stores(&mut self, region: &'static str, level: Level, central: &Central, dice: &mut Dice) -> Stores {
        let state = match level {
            Level::Good => "Enabled",
            Level::Mixed | Level::Bad => dice.pick(&["Enabled", "Enabled", "Enabled", "Disabled", "PendingDeletion"]),
        };
        let key = self.key(region, &format!("ml-{region}"), state);
        let (artifacts, capture) = match level {
            Level::Good => {
                let logs = self.access_logs(region);
                let logged = json!({ "TargetBucket": logs, "TargetPrefix": "ml/" });
                (
                    json!({ "versioning": "Enabled", "logging": logged, "lifecycle": expiring(400),
                        "encryption": encrypted(&key) }),
                    json!({ "versioning": "Enabled", "object_lock": lock("COMPLIANCE", 400),
                        "encryption": encrypted(&key) }),
                )
            }
            Level::Mixed => (
                json!({ "versioning": "Enabled", "lifecycle": expiring(30), "encryption": encrypted(&key) }),
                json!({ "versioning": "Enabled", "object_lock": { "ObjectLockEnabled": "Enabled" },
                    "encryption": encrypted(&key) }),
            ),
            Level::Bad => (json!({}), json!({ "versioning": "Suspended" })),
        };
        let artifacts = self.bucket(&format!("ml-artifacts-{region}"), region, artifacts);
        let capture = self.bucket(&format!("ml-capture-{region}"), region, capture);
        let training = match &central.lake {
            Some(lake) => format!("{}-{lake}", LAKE[0]),
            None => artifacts.clone(),
        };
        Stores { artifacts, capture, training, key }
    }

    fn endpoint(
        &mut self,
        region: &'static str,
        level: Level,
        network: &Network,
        stores: &Stores,
        number: u64,
        dice: &mut Dice,
    ) {
        let name = format!("{}-{number}", dice.pick(&["ranking", "fraud-score", "embeddings", "forecast", "ocr"]));
        let model = format!("{name}-model");
        let vpc = network.config();
        self.add(
            region,
            "sagemaker",
            "models",
            json!({
                "ModelName": model,
                "PrimaryContainer": { "Image": "registry.example.com/serve:1",
                    "ModelDataUrl": format!("s3://{}/models/{name}.tar.gz", stores.artifacts) },
                "VpcConfig": vpc,
            }),
        );
        let serverless = level != Level::Good && dice.chance(15);
        let variant = match serverless {
            true => {
                json!({ "VariantName": "all", "ModelName": model, "ServerlessConfig": { "MemorySizeInMB": 2048,
                    "MaxConcurrency": 5 } })
            }
            false => {
                json!({ "VariantName": "all", "ModelName": model, "InstanceType": "ml.g5.xlarge",
                    "InitialInstanceCount": 1 })
            }
        };
        let modes: &[&str] = if level == Level::Good || dice.chance(50) { &["Input", "Output"] } else { &["Output"] };
        let percent = if level == Level::Good { 100 } else { dice.pick(&[0, 5, 20, 100]) };
        let destination = format!("s3://{}/capture", stores.capture);
        let captured = !serverless && level != Level::Bad;
        let mut config = json!({ "EndpointConfigName": name, "ProductionVariants": [variant] });
        let mut endpoint = json!({ "EndpointName": name });
        if let (true, Value::Object(config), Value::Object(endpoint)) = (captured, &mut config, &mut endpoint) {
            let options: Vec<Value> = modes.iter().map(|mode| json!({ "CaptureMode": mode })).collect();
            let setting = json!({
                "EnableCapture": true, "InitialSamplingPercentage": percent, "DestinationS3Uri": destination,
                "KmsKeyId": stores.key, "CaptureOptions": options,
            });
            let stopped = level == Level::Mixed && dice.chance(20);
            let live = json!({
                "EnableCapture": true, "CaptureStatus": if stopped { "Stopped" } else { "Started" },
                "CurrentSamplingPercentage": percent, "DestinationS3Uri": destination, "KmsKeyId": stores.key,
            });
            config.insert("DataCaptureConfig".to_owned(), setting);
            endpoint.insert("DataCaptureConfig".to_owned(), live);
        }
        self.add(region, "sagemaker", "endpoint_configs", config);
        self.add(region, "sagemaker", "endpoints", endpoint);
        if dice.chance(80) {
            let days = [Some(400), Some(30), None][level as usize];
            self.log_group(region, &format!("/aws/sagemaker/Endpoints/{name}"), days);
            let dimensions =
                json!([{ "Name": "EndpointName", "Value": name }, { "Name": "VariantName", "Value": "all" }]);
            let metric = json!({ "Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": dimensions });
            self.add(region, "cloudwatch", "metrics", metric);
        }
    }

    fn training_job(
        &mut self,
        region: &'static str,
        level: Level,
        network: &Network,
        stores: &Stores,
        number: u64,
        dice: &mut Dice,
    ) {
        let name = format!("train-{number:04}");
        let age = 1 + dice.below(80);
        let mut job = json!({
            "TrainingJobName": name,
            "CreationTime": format!("-{age}d"),
            "LastModifiedTime": format!("-{age}d"),
            "TrainingJobStatus": dice.pick(&["Completed", "Completed", "Completed", "Failed", "InProgress"]),
            "RoleArn": self.role("SageMaker"),
            "AlgorithmSpecification": { "TrainingImage": "registry.example.com/train:1", "TrainingInputMode": "File" },
            "InputDataConfig": [channel("train", &stores.training), channel("validation", &stores.training)],
            "OutputDataConfig": { "S3OutputPath": format!("s3://{}/output", stores.artifacts), "KmsKeyId": stores.key },
            "ModelArtifacts": { "S3ModelArtifacts": format!("s3://{}/output/{name}/model.tar.gz", stores.artifacts) },
            "ResourceConfig": { "InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 100 },
            "StoppingCondition": { "MaxRuntimeInSeconds": 86400 },
        });
        if let (true, Value::Object(job)) = (level != Level::Bad, &mut job) {
            job.insert("VpcConfig".to_owned(), network.config());
        }
        self.add(region, "sagemaker", "training_jobs", job);
    }

    fn other_jobs(&mut self, region: &'static str, network: &Network, stores: &Stores, dice: &mut Dice) {
        let (input, output) = (format!("s3://{}/raw", stores.training), format!("s3://{}/features", stores.artifacts));
        if self.has(dice, 40) {
            self.add(region, "sagemaker", "processing_jobs", json!({
                "ProcessingJobName": "prepare",
                "ProcessingInputs": [{ "InputName": "raw", "S3Input": { "S3Uri": input, "S3DataType": "S3Prefix" } }],
                "ProcessingOutputConfig": { "Outputs": [{ "OutputName": "out", "S3Output": { "S3Uri": output,
                    "S3UploadMode": "EndOfJob" } }] },
                "ProcessingResources": { "ClusterConfig": { "InstanceCount": 1, "InstanceType": "ml.m5.large",
                    "VolumeSizeInGB": 30 } },
                "AppSpecification": { "ImageUri": "registry.example.com/prepare:1" },
                "NetworkConfig": { "VpcConfig": network.config() },
            }));
        }
        if self.has(dice, 30) {
            self.add(region, "sagemaker", "transform_jobs", json!({
                "TransformJobName": "nightly",
                "ModelName": "batch",
                "TransformInput": { "DataSource": { "S3DataSource": { "S3DataType": "S3Prefix", "S3Uri": input } } },
                "TransformOutput": { "S3OutputPath": output },
                "TransformResources": { "InstanceType": "ml.m5.large", "InstanceCount": 1 },
            }));
        }
        if self.has(dice, 15) {
            self.add(
                region,
                "sagemaker",
                "tuning_jobs",
                json!({
                    "HyperParameterTuningJobName": "search",
                    "TrainingJobStatusCounters": { "Completed": 20, "InProgress": 0 },
                    "ObjectiveStatusCounters": { "Succeeded": 20, "Pending": 0, "Failed": 0 },
                    "HyperParameterTuningJobConfig": { "Strategy": "Bayesian",
                        "ResourceLimits": { "MaxParallelTrainingJobs": 2 } },
                    "TrainingJobDefinition": {
                        "InputDataConfig": [channel("train", &stores.training)],
                        "OutputDataConfig": { "S3OutputPath": format!("s3://{}/tuning", stores.artifacts) },
                        "VpcConfig": network.config(),
                        "AlgorithmSpecification": { "TrainingInputMode": "File" }, "RoleArn": self.role("SageMaker"),
                        "StoppingCondition": { "MaxRuntimeInSeconds": 86400 },
                    },
                }),
            );
        }
        if self.has(dice, 10) {
            self.add(
                region,
                "sagemaker",
                "automl_jobs",
                json!({
                    "AutoMLJobName": "churn",
                    "AutoMLJobInputDataConfig": [{ "ChannelType": "training",
                        "DataSource": { "S3DataSource": { "S3DataType": "S3Prefix", "S3Uri": input } } }],
                    "OutputDataConfig": { "S3OutputPath": output },
                    "RoleArn": self.role("SageMaker"),
                }),
            );
        }
    }

    fn studio(&mut self, region: &'static str, level: Level, network: &Network, stores: &Stores, dice: &mut Dice) {
        if self.has(dice, 40) {
            let mut notebook = json!({ "NotebookInstanceName": "exploration", "RoleArn": self.role("SageMaker") });
            if let (true, Value::Object(notebook)) = (level != Level::Bad, &mut notebook) {
                notebook.insert("SubnetId".to_owned(), network.subnets[0].clone().into());
                let direct = if level == Level::Good { "Disabled" } else { "Enabled" };
                notebook.insert("DirectInternetAccess".to_owned(), direct.into());
            }
            self.add(region, "sagemaker", "notebooks", notebook);
        }
        if self.has(dice, 30) {
            let access = if level == Level::Good { "VpcOnly" } else { "PublicInternetOnly" };
            self.add(
                region,
                "sagemaker",
                "domains",
                json!({
                    "DomainId": format!("d-{}", &self.account[..10]),
                    "DomainName": "studio",
                    "AppNetworkAccessType": access,
                    "SubnetIds": network.subnets,
                    "DefaultUserSettings": { "SharingSettings": { "S3OutputPath": format!("s3://{}/shared",
                        stores.artifacts) } },
                }),
            );
        }
        if self.has(dice, 25) {
            self.add(region, "sagemaker", "feature_groups", json!({
                "FeatureGroupName": "customers",
                "RecordIdentifierFeatureName": "id", "EventTimeFeatureName": "at", "FeatureDefinitions": [],
                "OfflineStoreConfig": { "S3StorageConfig": { "S3Uri": format!("s3://{}/features", stores.artifacts) } },
            }));
        }
    }

    fn bedrock(&mut self, region: &'static str, level: Level, stores: &Stores, dice: &mut Dice) {
        let model = dice.pick(MODELS);
        self.invoked(region, model);
        let days = [Some(400), Some(7), None][level as usize];
        let logged = level != Level::Bad;
        if logged {
            self.log_group(region, "/bedrock/invocations", days);
            let cloudwatch = json!({ "logGroupName": "/bedrock/invocations", "roleArn": self.role("BedrockLogging") });
            let mut config = json!({
                "cloudWatchConfig": cloudwatch,
                "textDataDeliveryEnabled": true,
                "imageDataDeliveryEnabled": level == Level::Good,
                "embeddingDataDeliveryEnabled": level == Level::Good,
                "videoDataDeliveryEnabled": level == Level::Good,
                "audioDataDeliveryEnabled": level == Level::Good,
            });
            if let (true, Value::Object(config)) = (level == Level::Good, &mut config) {
                config.insert("s3Config".to_owned(), json!({ "bucketName": stores.capture, "keyPrefix": "bedrock" }));
            }
            self.set(region, "bedrock", "logging", config);
        } else if dice.chance(30) {
            let gone = format!("invocations-{}", self.account);
            let config = json!({ "s3Config": { "bucketName": gone }, "textDataDeliveryEnabled": true });
            self.set(region, "bedrock", "logging", config);
        }
        let tail = format!("{}{}", &self.account[4..], region.len() % 10);
        let id = |letter: char| format!("{letter}{tail}").to_uppercase().chars().take(10).collect::<String>();
        if self.has(dice, 50) {
            self.add(
                region,
                "bedrock",
                "guardrails",
                json!({ "guardrailId": format!("gr{}", tail), "name": "no-secrets" }),
            );
        }
        if self.has(dice, 40) {
            self.add(region, "bedrock-agent", "agents", json!({ "agentId": id('A'), "agentName": "support-agent" }));
        }
        if self.has(dice, 40) {
            let base = id('K');
            self.add(
                region,
                "bedrock-agent",
                "knowledge_bases",
                json!({
                    "knowledgeBaseId": base, "name": "articles",
                    "knowledgeBaseConfiguration": { "type": "VECTOR", "vectorKnowledgeBaseConfiguration": {
                        "embeddingModelArn": format!("arn:aws:bedrock:{region}::foundation-model/{}", MODELS[1]),
                    } },
                }),
            );
            self.add(
                region,
                "bedrock-agent",
                "data_sources",
                json!({
                    "knowledgeBaseId": base, "dataSourceId": id('S'), "name": "documents",
                    "dataSourceConfiguration": { "type": "S3",
                        "s3Configuration": { "bucketArn": format!("arn:aws:s3:::{}", stores.training) } },
                }),
            );
        }
        if self.has(dice, 20) {
            self.add(
                region,
                "bedrock-agent",
                "flows",
                json!({
                    "id": id('F'), "name": "triage",
                    "definition": { "nodes": [{ "name": "store", "type": "Storage", "configuration": { "storage": {
                        "serviceConfiguration": { "s3": { "bucketName": stores.artifacts } },
                    } } }], "connections": [] },
                }),
            );
        }
        let (input, output) =
            (format!("s3://{}/tune.jsonl", stores.training), format!("s3://{}/tuned", stores.artifacts));
        if self.has(dice, 25) {
            self.add(
                region,
                "bedrock",
                "customization_jobs",
                json!({
                    "jobName": "tone", "trainingDataConfig": { "s3Uri": input },
                        "validationDataConfig": { "validators": [] },
                    "outputDataConfig": { "s3Uri": output },
                }),
            );
        }
        if self.has(dice, 15) {
            self.add(
                region,
                "bedrock",
                "imported_models",
                json!({
                    "modelName": "own-llama", "modelArchitecture": "llama", "instructSupported": true,
                    "modelDataSource": { "s3DataSource": { "s3Uri": output } },
                }),
            );
        }
        if self.has(dice, 20) {
            self.add(
                region,
                "bedrock",
                "invocation_jobs",
                json!({
                    "jobName": "nightly-summaries",
                    "inputDataConfig": { "s3InputDataConfig": { "s3Uri": input } },
                    "outputDataConfig": { "s3OutputDataConfig": { "s3Uri": output } },
                }),
            );
        }
        if self.has(dice, 10) {
            self.add(
                region,
                "bedrock",
                "evaluation_jobs",
                json!({
                    "jobName": "regression",
                    "evaluationConfig": { "automated": { "datasetMetricConfigs": [{
                        "taskType": "Summarization", "metricNames": ["Builtin.Accuracy"],
                        "dataset": { "name": "cases", "datasetLocation": { "s3Uri": input } },
                    }] } },
                    "inferenceConfig": { "models": [{ "bedrockModel": {
                        "modelIdentifier": "amazon.titan-text-express-v1" } }] },
                    "outputDataConfig": { "s3Uri": output },
                }),
            );
        }
    }
}

/// Where AI of one region runs.
struct Network {
    subnets: Vec<String>,
    security_group: String,
}

impl Network {
    fn config(&self) -> Value {
        json!({ "Subnets": self.subnets, "SecurityGroupIds": [self.security_group] })
    }
}

/// Buckets that AI of one region uses, and its key.
struct Stores {
    artifacts: String,
    capture: String,
    training: String,
    key: String,
}

/// Buckets of the data lake, before the id of its account.
const LAKE: &[&str] = &["training-data", "curated"];

fn channel(name: &str, bucket: &str) -> Value {
    json!({
        "ChannelName": name,
        "DataSource": { "S3DataSource": { "S3DataType": "S3Prefix", "S3Uri": format!("s3://{bucket}/{name}") } },
    })
}

fn lock(mode: &str, days: u64) -> Value {
    json!({ "ObjectLockEnabled": "Enabled", "Rule": { "DefaultRetention": { "Mode": mode, "Days": days } } })
}

fn encrypted(key: &str) -> Value {
    json!({ "Rules": [{ "ApplyServerSideEncryptionByDefault": { "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key } }] })
}

/// Noncurrent versions kept so many days.
fn expiring(days: u64) -> Value {
    json!({ "Rules": [{
        "ID": "versions", "Status": "Enabled", "Filter": { "Prefix": "" },
            "NoncurrentVersionExpiration": { "NoncurrentDays": days },
    }] })
}

fn delivery(bucket: &str, service: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": service }, "Action": "s3:PutObject",
            "Resource": format!("arn:aws:s3:::{bucket}/*"),
    }] })
}
