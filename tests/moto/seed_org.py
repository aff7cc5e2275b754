#!/usr/bin/env python3
"""Seed a moto server with an AWS organization whose AI workloads vary in forensic readiness.

Usage:
    MOTO_EC2_LOAD_DEFAULT_AMIS=false python server.py --port 5000 &
    python seed_org.py --endpoint-url http://127.0.0.1:5000 --scenario baseline

The server is reset first. Standard output is one JSON object mapping account id to purpose.
On a server started like this the same scenario always yields the same ids; only timestamps
differ.
"""

from __future__ import annotations

import argparse
import configparser
import functools
import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

MANAGEMENT_ID = "123456789012"  # moto's account for any access key it does not know
HOME_REGION = "us-east-1"
REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")

BASE_MODEL_ID = "anthropic.claude-3-5-sonnet-20241022-v2:0"

AUDIT_ROLE = "LocardAudit"
AUDITOR_USER = "locard-auditor"
BOOTSTRAP_ROLE = "OrganizationAccountAccessRole"  # moto, like AWS, creates it in each member

AUDIT_ACTIONS = [
    "bedrock:Get*",
    "bedrock:List*",
    "cloudtrail:Describe*",
    "cloudtrail:Get*",
    "cloudtrail:List*",
    "cloudwatch:ListMetrics",
    "config:Describe*",
    "ec2:Describe*",
    "guardduty:Get*",
    "guardduty:List*",
    "iam:Get*",
    "iam:List*",
    "kms:Describe*",
    "kms:List*",
    "logs:Describe*",
    "s3:GetBucket*",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListAllMyBuckets",
    "s3:ListBucket",
    "sagemaker:Describe*",
    "sagemaker:List*",
    "securityhub:Describe*",
    "securityhub:Get*",
]

CLIENT_CONFIG = Config(
    s3={"addressing_style": "path"},
    # A retried write would shift every later id, so fail loudly instead.
    retries={"total_max_attempts": 1},
)


@dataclass(frozen=True)
class Account:
    """One AWS account and the means to write to it."""

    id: str
    purpose: str
    client: Callable[..., Any]  # from MotoServer.sign_in

    def role_arn(self, name: str) -> str:
        return f"arn:aws:iam::{self.id}:role/{name}"

    def bucket_name(self, suffix: str, region: str = HOME_REGION) -> str:
        return f"{self.purpose}-{suffix}-{region}"


@dataclass(frozen=True)
class Network:
    """The VPC, subnet and security group that AI workloads of one region run in."""

    vpc_id: str
    subnet_id: str
    security_group_id: str

    @property
    def sagemaker_config(self) -> dict[str, list[str]]:
        return {"Subnets": [self.subnet_id], "SecurityGroupIds": [self.security_group_id]}


@dataclass(frozen=True)
class Retention:
    """An Object Lock default retention."""

    mode: str
    days: int


@dataclass(frozen=True)
class Capture:
    """A SageMaker data-capture setting."""

    bucket: str
    sampling_percentage: int
    modes: tuple[str, ...] = ("Input", "Output")
    enabled: bool = True

    @property
    def request(self) -> dict[str, Any]:
        return {
            "EnableCapture": self.enabled,
            "InitialSamplingPercentage": self.sampling_percentage,
            "DestinationS3Uri": f"s3://{self.bucket}/capture",
            "CaptureOptions": [{"CaptureMode": mode} for mode in self.modes],
        }


class MotoServer:
    """A moto server: its AWS side, and the control API that has no AWS counterpart."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url.rstrip("/")
        self._session = boto3.Session()  # shared, as each session parses service models anew

    def sign_in(self, **credentials: str) -> Callable[..., Any]:
        """Return a function from service and, optionally, region to a client."""

        @functools.cache
        def client(service: str, region: str = HOME_REGION) -> Any:
            return self._session.client(
                service,
                region_name=region,
                endpoint_url=self._endpoint_url,
                config=CLIENT_CONFIG,
                **credentials,
            )

        return client

    def reset(self) -> None:
        """Empty the server and stop IAM enforcement."""
        self._post("reset")
        self.stop_enforcing_iam()

    def fix_ids(self) -> None:
        """Make the ids created from now on the same in every run."""
        self._post("seed?a=1")

    def enforce_iam(self) -> None:
        self._post("reset-auth", "0")

    def stop_enforcing_iam(self) -> None:
        self._post("reset-auth", "inf")

    def _post(self, path: str, body: str = "") -> None:
        # moto reads the body only when it is not declared to be a form, urllib's default.
        request = urllib.request.Request(
            f"{self._endpoint_url}/moto-api/{path}",
            data=body.encode(),
            headers={"Content-Type": "text/plain"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()


# --- organization and identity ------------------------------------------------------------


def create_organizational_unit(management: Account, name: str) -> str:
    organizations = management.client("organizations")
    root_id = organizations.list_roots()["Roots"][0]["Id"]
    response = organizations.create_organizational_unit(ParentId=root_id, Name=name)
    unit_id: str = response["OrganizationalUnit"]["Id"]
    return unit_id


def create_member(server: MotoServer, management: Account, purpose: str, unit_id: str) -> Account:
    """Create a member account in an organizational unit and sign in to it."""
    organizations = management.client("organizations")
    created = organizations.create_account(AccountName=purpose, Email=f"{purpose}@aws.example.com")
    account_id = created["CreateAccountStatus"]["AccountId"]
    root_id = organizations.list_roots()["Roots"][0]["Id"]
    organizations.move_account(
        AccountId=account_id, SourceParentId=root_id, DestinationParentId=unit_id
    )
    credentials = management.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account_id}:role/{BOOTSTRAP_ROLE}", RoleSessionName="seed-org"
    )["Credentials"]
    client = server.sign_in(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    return Account(account_id, purpose, client)


def close_account(management: Account, account: Account) -> None:
    """Suspend an account; ListAccounts keeps returning it."""
    management.client("organizations").close_account(AccountId=account.id)


def delegate_guardduty(management: Account, delegate: Account) -> None:
    management.client("organizations").register_delegated_administrator(
        AccountId=delegate.id, ServicePrincipal="guardduty.amazonaws.com"
    )
    for region in REGIONS:
        management.client("guardduty", region).enable_organization_admin_account(
            AdminAccountId=delegate.id
        )


def create_audit_role(account: Account) -> None:
    """Create the read-only role that the auditor assumes."""
    auditor_arn = f"arn:aws:iam::{MANAGEMENT_ID}:user/{AUDITOR_USER}"
    iam = account.client("iam")
    iam.create_role(
        RoleName=AUDIT_ROLE,
        AssumeRolePolicyDocument=policy(
            {"Effect": "Allow", "Principal": {"AWS": auditor_arn}, "Action": "sts:AssumeRole"}
        ),
    )
    iam.put_role_policy(
        RoleName=AUDIT_ROLE,
        PolicyName="read-configuration",
        PolicyDocument=policy({"Effect": "Allow", "Action": AUDIT_ACTIONS, "Resource": "*"}),
    )


def create_auditor(management: Account, enrolled: list[Account]) -> dict[str, str]:
    """Create the auditor's user, allowed into the enrolled accounts only; return its key.

    moto does not check that a role in another account exists. Under IAM enforcement, listing
    the roles here is what makes AssumeRole fail for an account that was never enrolled.
    """
    iam = management.client("iam")
    iam.create_user(UserName=AUDITOR_USER)
    iam.put_user_policy(
        UserName=AUDITOR_USER,
        PolicyName="sweep-organization",
        PolicyDocument=policy(
            {
                "Effect": "Allow",
                "Action": ["organizations:Describe*", "organizations:List*", "ec2:DescribeRegions"],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": [account.role_arn(AUDIT_ROLE) for account in enrolled],
            },
        ),
    )
    key = iam.create_access_key(UserName=AUDITOR_USER)["AccessKey"]
    return {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }


def write_credentials(path: Path, key: dict[str, str]) -> None:
    """Write an access key where AWS_SHARED_CREDENTIALS_FILE can point."""
    credentials = configparser.ConfigParser()
    credentials["default"] = key
    with path.open("w") as file:
        credentials.write(file)


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


# --- storage ------------------------------------------------------------------------------


def create_bucket(
    account: Account,
    name: str,
    region: str = HOME_REGION,
    *,
    versioned: bool = False,
    retention: Retention | None = None,
) -> str:
    """Create a bucket; a retention turns on Object Lock and, with it, versioning."""
    s3 = account.client("s3", region)
    request: dict[str, Any] = {"Bucket": name, "ObjectLockEnabledForBucket": bool(retention)}
    if region != "us-east-1":
        request["CreateBucketConfiguration"] = {"LocationConstraint": region}
    s3.create_bucket(**request)
    if retention:
        s3.put_object_lock_configuration(
            Bucket=name,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": retention.mode, "Days": retention.days}},
            },
        )
    elif versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def harden_bucket(account: Account, name: str, region: str = HOME_REGION) -> None:
    """Encrypt a bucket with the account's S3 key and block public access to it."""
    s3 = account.client("s3", region)
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
    )
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )


def allow_delivery(account: Account, bucket: str, service: str, region: str = HOME_REGION) -> None:
    """Let an AWS service write to a bucket."""
    account.client("s3", region).put_bucket_policy(
        Bucket=bucket,
        Policy=policy(
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
            }
        ),
    )


def create_access_log_bucket(account: Account, region: str = HOME_REGION) -> str:
    """Create the target of server access logs, which must share account and region."""
    name = create_bucket(
        account, account.bucket_name("access-logs", region), region, versioned=True
    )
    allow_delivery(account, name, "logging.s3.amazonaws.com", region)
    return name


def create_evidence_bucket(
    account: Account, suffix: str, region: str, access_log_bucket: str
) -> str:
    """Create a bucket fit to hold evidence: write-once, encrypted, private and watched."""
    name = create_bucket(
        account,
        account.bucket_name(suffix, region),
        region,
        retention=Retention("COMPLIANCE", 400),
    )
    harden_bucket(account, name, region)
    log_access(account, name, access_log_bucket, region)
    return name


def log_access(account: Account, bucket: str, target: str, region: str = HOME_REGION) -> None:
    account.client("s3", region).put_bucket_logging(
        Bucket=bucket,
        BucketLoggingStatus={
            "LoggingEnabled": {"TargetBucket": target, "TargetPrefix": f"{bucket}/"}
        },
    )


# --- logging ------------------------------------------------------------------------------


def create_log_group(
    account: Account, region: str, name: str, retention_days: int | None = None
) -> str:
    """Create a log group, kept forever unless a retention is given."""
    logs = account.client("logs", region)
    logs.create_log_group(logGroupName=name)
    if retention_days:
        logs.put_retention_policy(logGroupName=name, retentionInDays=retention_days)
    return name


def create_org_trail(management: Account, bucket: str) -> None:
    """Create the organization trail, with data events for Bedrock, SageMaker and S3."""
    cloudtrail = management.client("cloudtrail")
    cloudtrail.create_trail(
        Name="org-trail",
        S3BucketName=bucket,
        IsMultiRegionTrail=True,
        IsOrganizationTrail=True,
        EnableLogFileValidation=True,
    )
    data_event_types = ("AWS::Bedrock::Model", "AWS::SageMaker::Endpoint", "AWS::S3::Object")
    cloudtrail.put_event_selectors(
        TrailName="org-trail",
        AdvancedEventSelectors=[
            {"Name": "management", "FieldSelectors": [equals("eventCategory", "Management")]},
            *(
                {
                    "Name": data_event_type,
                    "FieldSelectors": [
                        equals("eventCategory", "Data"),
                        equals("resources.type", data_event_type),
                    ],
                }
                for data_event_type in data_event_types
            ),
        ],
    )
    cloudtrail.start_logging(Name="org-trail")


def equals(name: str, value: str) -> dict[str, Any]:
    return {"Field": name, "Equals": [value]}


def log_invocations(
    account: Account, region: str, *, log_group: str | None = None, bucket: str | None = None
) -> None:
    """Send Bedrock invocation records of every modality to the destinations given."""
    logging_config: dict[str, Any] = {
        "textDataDeliveryEnabled": True,
        "imageDataDeliveryEnabled": True,
        "embeddingDataDeliveryEnabled": True,
        "videoDataDeliveryEnabled": True,
    }
    if log_group:
        logging_config["cloudWatchConfig"] = {
            "logGroupName": log_group,
            "roleArn": account.role_arn("bedrock-logging"),
        }
    if bucket:
        logging_config["s3Config"] = {"bucketName": bucket, "keyPrefix": "invocations"}
    account.client("bedrock", region).put_model_invocation_logging_configuration(
        loggingConfig=logging_config
    )


# --- networking ---------------------------------------------------------------------------


def create_network(account: Account, region: str) -> Network:
    ec2 = account.client("ec2", region)
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24")["Subnet"]
    group = ec2.create_security_group(
        GroupName="ai-workloads", Description="AI workloads", VpcId=vpc_id
    )
    return Network(vpc_id, subnet["SubnetId"], group["GroupId"])


def create_flow_log(
    account: Account, region: str, network: Network, traffic_type: str, log_group: str
) -> None:
    account.client("ec2", region).create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[network.vpc_id],
        TrafficType=traffic_type,
        LogGroupName=log_group,
        DeliverLogsPermissionArn=account.role_arn("vpc-flow-logs"),
    )


# --- AI workloads -------------------------------------------------------------------------


def deploy_endpoint(
    account: Account,
    region: str,
    name: str,
    *,
    capture: Capture | None = None,
    network: Network | None = None,
) -> None:
    """Deploy a model behind an endpoint, optionally in a VPC and with data capture."""
    sagemaker = account.client("sagemaker", region)
    model: dict[str, Any] = {
        "ModelName": name,
        "ExecutionRoleArn": account.role_arn("sagemaker-execution"),
        "PrimaryContainer": {"Image": f"registry.example.com/{name}:1"},
    }
    if network:
        model["VpcConfig"] = network.sagemaker_config
    sagemaker.create_model(**model)
    config: dict[str, Any] = {
        "EndpointConfigName": name,
        "ProductionVariants": [
            {
                "VariantName": "primary",
                "ModelName": name,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
    }
    if capture:
        config["DataCaptureConfig"] = capture.request
    sagemaker.create_endpoint_config(**config)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def run_training_job(
    account: Account,
    region: str,
    name: str,
    *,
    training_bucket: str,
    model_bucket: str,
    network: Network | None = None,
) -> None:
    """Run a training job; its channels are what marks a bucket as training data."""
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "RoleArn": account.role_arn("sagemaker-execution"),
        "AlgorithmSpecification": {
            "TrainingImage": f"registry.example.com/{name}:1",
            "TrainingInputMode": "File",
        },
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"s3://{training_bucket}/train",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{model_bucket}/models"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 50,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    if network:
        request["VpcConfig"] = network.sagemaker_config
    account.client("sagemaker", region).create_training_job(**request)


def create_notebook(account: Account, region: str, name: str) -> None:
    """Create a notebook instance that is reachable from, and can reach, the internet."""
    account.client("sagemaker", region).create_notebook_instance(
        NotebookInstanceName=name,
        InstanceType="ml.t3.medium",
        RoleArn=account.role_arn("sagemaker-execution"),
        DirectInternetAccess="Enabled",
        RootAccess="Enabled",
    )


def create_bedrock_inventory(account: Account, region: str, training_bucket: str) -> None:
    """Create a custom model, an agent and a knowledge base."""
    role_arn = account.role_arn("bedrock-service")
    account.client("bedrock", region).create_model_customization_job(
        jobName="support-tone",
        customModelName="support-tone",
        roleArn=role_arn,
        baseModelIdentifier="amazon.titan-text-express-v1",
        trainingDataConfig={"s3Uri": f"s3://{training_bucket}/fine-tune"},
        outputDataConfig={"s3Uri": f"s3://{training_bucket}/fine-tune-output"},
        hyperParameters={"epochCount": "1"},
    )
    bedrock_agent = account.client("bedrock-agent", region)
    bedrock_agent.create_agent(agentName="support-agent", agentResourceRoleArn=role_arn)
    bedrock_agent.create_knowledge_base(
        name="support-articles",
        roleArn=role_arn,
        knowledgeBaseConfiguration={"type": "VECTOR"},
        storageConfiguration={"type": "RDS"},
    )


def invoke_base_model(account: Account, region: str) -> None:
    """Leave the trace of a Bedrock base model in use, which owns no resource: its metric."""
    account.client("cloudwatch", region).put_metric_data(
        Namespace="AWS/Bedrock",
        MetricData=[
            {
                "MetricName": "Invocations",
                "Dimensions": [{"Name": "ModelId", "Value": BASE_MODEL_ID}],
                "Value": 1,
                "Unit": "Count",
            }
        ],
    )


# --- detection ----------------------------------------------------------------------------


def enable_guardduty(account: Account, region: str, *, enabled: bool = True) -> None:
    account.client("guardduty", region).create_detector(
        Enable=enabled, Features=[{"Name": "S3_DATA_EVENTS", "Status": "ENABLED"}]
    )


def enable_security_hub(account: Account, region: str) -> None:
    account.client("securityhub", region).enable_security_hub(EnableDefaultStandards=True)


def record_config(
    account: Account, region: str, delivery_bucket: str, *, recording: bool = True
) -> None:
    """Set up an AWS Config recorder for every resource type, and start it if `recording`."""
    config = account.client("config", region)
    config.put_configuration_recorder(
        ConfigurationRecorder={
            "name": "default",
            "roleARN": account.role_arn("config-recorder"),
            "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True},
        }
    )
    config.put_delivery_channel(
        DeliveryChannel={"name": "default", "s3BucketName": delivery_bucket}
    )
    if recording:
        config.start_configuration_recorder(ConfigurationRecorderName="default")


def aggregate_config(account: Account) -> None:
    account.client("config").put_configuration_aggregator(
        ConfigurationAggregatorName="organization",
        OrganizationAggregationSource={
            "RoleArn": account.role_arn("config-aggregator"),
            "AllAwsRegions": True,
        },
    )


# --- accounts -----------------------------------------------------------------------------


def build_log_archive(account: Account) -> str:
    """Write-once storage for the organization trail; returns the trail's bucket."""
    access_logs = create_access_log_bucket(account)
    trail_bucket = create_evidence_bucket(account, "org-trail", HOME_REGION, access_logs)
    allow_delivery(account, trail_bucket, "cloudtrail.amazonaws.com")
    return trail_bucket


def build_security(account: Account) -> None:
    """Detection everywhere, and an organization-wide view of AWS Config."""
    bucket = create_bucket(account, account.bucket_name("config"), versioned=True)
    for region in REGIONS:
        enable_guardduty(account, region)
        enable_security_hub(account, region)
        record_config(account, region, bucket)
    aggregate_config(account)


def build_ml_prod(account: Account, training_bucket: str) -> None:
    """Good posture: everything captured, retained for 400 days and locked, in two regions."""
    for region in ("us-east-1", "eu-west-1"):
        access_logs = create_access_log_bucket(account, region)
        evidence = create_evidence_bucket(account, "ai-evidence", region, access_logs)
        models = create_evidence_bucket(account, "model-artifacts", region, access_logs)
        network = create_network(account, region)
        flow_logs = create_log_group(account, region, "/vpc/flow-logs", 400)
        create_flow_log(account, region, network, "ALL", flow_logs)
        invocations = create_log_group(account, region, "/bedrock/invocations", 400)
        log_invocations(account, region, log_group=invocations, bucket=evidence)
        create_log_group(account, region, "/aws/sagemaker/Endpoints/ranking", 400)
        capture = Capture(evidence, sampling_percentage=100)
        deploy_endpoint(account, region, "ranking", capture=capture, network=network)
        run_training_job(
            account,
            region,
            "ranking-nightly",
            training_bucket=training_bucket,
            model_bucket=models,
            network=network,
        )
        enable_guardduty(account, region)
        enable_security_hub(account, region)
        # AWS Config does not deliver to a bucket with a default retention.
        config = create_bucket(
            account, account.bucket_name("config", region), region, versioned=True
        )
        record_config(account, region, config)


def build_ml_staging(account: Account, training_bucket: str) -> None:
    """Mixed posture: each control is present but falls short of what an inquiry needs."""
    region = "eu-west-1"
    capture_bucket = create_bucket(
        account, account.bucket_name("capture", region), region, versioned=True
    )
    network = create_network(account, region)
    flow_logs = create_log_group(account, region, "/vpc/flow-logs", 30)
    create_flow_log(account, region, network, "REJECT", flow_logs)
    invocations = create_log_group(account, region, "/bedrock/invocations", 30)
    log_invocations(account, region, log_group=invocations)
    capture = Capture(capture_bucket, sampling_percentage=10)
    deploy_endpoint(account, region, "ranking-canary", capture=capture, network=network)
    run_training_job(
        account,
        region,
        "ranking-experiment",
        training_bucket=training_bucket,
        model_bucket=capture_bucket,
        network=network,
    )
    enable_guardduty(account, region, enabled=False)
    record_config(account, region, capture_bucket, recording=False)


def build_ml_dev(account: Account) -> None:
    """Bad posture: AI workloads in two regions and no control at all."""
    for region in ("us-east-1", "ap-northeast-1"):
        data = create_bucket(account, account.bucket_name("scratch", region), region)
        network = create_network(account, region)
        create_log_group(account, region, "/aws/sagemaker/Endpoints/prototype")
        deploy_endpoint(account, region, "prototype", network=network)
        run_training_job(
            account,
            region,
            "prototype-fit",
            training_bucket=data,
            model_bucket=data,
            network=network,
        )
        create_notebook(account, region, "notebook")


def build_data_lake(account: Account) -> str:
    """Training data without access logging; returns the bucket other accounts train on."""
    corpus = create_bucket(account, account.bucket_name("training-corpus"), versioned=True)
    harden_bucket(account, corpus)
    create_bucket(account, account.bucket_name("training-images"))
    return corpus


def build_unenrolled(account: Account) -> None:
    """An AI workload that nobody can see, for want of the audit role."""
    deploy_endpoint(account, "us-east-1", "unseen")


# --- scenarios ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Organization:
    """The accounts every scenario starts from."""

    management: Account
    log_archive: Account
    security: Account
    ml_prod: Account
    ml_staging: Account
    ml_dev: Account
    data_lake: Account
    sandbox: Account
    unenrolled: Account
    suspended: Account

    @property
    def accounts(self) -> list[Account]:
        return list(vars(self).values())

    @property
    def enrolled(self) -> list[Account]:
        """The accounts that the auditor can get into."""
        return [
            account for account in self.accounts if account not in (self.unenrolled, self.suspended)
        ]


def found_organization(server: MotoServer) -> Organization:
    """Empty the server and create the organization on it."""
    server.reset()
    client = server.sign_in(aws_access_key_id="seed", aws_secret_access_key="seed")
    # Loading EC2 draws random numbers, once per process, so have it loaded by now.
    client("ec2").describe_regions()
    server.fix_ids()
    client("organizations").create_organization(FeatureSet="ALL")
    management = Account(MANAGEMENT_ID, "management", client)
    infrastructure = create_organizational_unit(management, "Infrastructure")
    workloads = create_organizational_unit(management, "Workloads")
    member = functools.partial(create_member, server, management)
    return Organization(
        management=management,
        log_archive=member("log-archive", infrastructure),
        security=member("security", infrastructure),
        ml_prod=member("ml-prod", workloads),
        ml_staging=member("ml-staging", workloads),
        ml_dev=member("ml-dev", workloads),
        data_lake=member("data-lake", workloads),
        sandbox=member("sandbox", workloads),
        unenrolled=member("unenrolled", workloads),
        suspended=member("suspended", workloads),
    )


def seed_empty(organization: Organization) -> None:
    """No AI workload and no control anywhere."""


def build_accounts(organization: Organization) -> None:
    """Give every account the posture its purpose suggests."""
    trail_bucket = build_log_archive(organization.log_archive)
    create_org_trail(organization.management, trail_bucket)
    build_security(organization.security)
    delegate_guardduty(organization.management, organization.security)
    training_bucket = build_data_lake(organization.data_lake)
    build_ml_prod(organization.ml_prod, training_bucket)
    build_ml_staging(organization.ml_staging, training_bucket)
    build_ml_dev(organization.ml_dev)
    build_unenrolled(organization.unenrolled)


def use_base_models(organization: Organization) -> None:
    """Have Bedrock used wherever an enrolled account runs AI workloads.

    Every request to moto draws random numbers, so this comes last, to leave all ids as they are.
    """
    for account, regions in (
        (organization.ml_prod, ("us-east-1", "eu-west-1")),
        (organization.ml_staging, ("eu-west-1",)),
        (organization.ml_dev, ("us-east-1", "ap-northeast-1")),
    ):
        for region in regions:
            invoke_base_model(account, region)


def seed_baseline(organization: Organization) -> None:
    """AI workloads, on resources and on base models, with controls from good to none."""
    build_accounts(organization)
    use_base_models(organization)


def seed_bedrock_inventory(organization: Organization) -> None:
    """The baseline, and resources whose timestamps stock moto sends in a form SDKs reject."""
    build_accounts(organization)
    training_bucket = organization.data_lake.bucket_name("training-corpus")
    for account in (organization.ml_prod, organization.ml_dev):
        create_bedrock_inventory(account, "us-east-1", training_bucket)
    use_base_models(organization)


def seed_every_kind(organization: Organization) -> None:
    """The baseline, and one of everything else that an auditor asks about and moto can hold."""
    build_accounts(organization)
    region = "eu-west-1"
    account = organization.ml_staging
    archive = create_bucket(
        organization.log_archive,
        organization.log_archive.bucket_name("copies", region),
        region,
        retention=Retention("GOVERNANCE", 30),
    )
    build_keys_and_stores(account, region, archive)
    build_trails(account, region, archive)
    build_vended_logs(account, region)
    build_many_jobs(account, region)
    use_base_models(organization)


def build_keys_and_stores(account: Account, region: str, archive: str) -> None:
    """Keys usable and not, and buckets with every setting, one of them captured into."""
    kms = account.client("kms", region)
    usable, disabled, doomed = (
        kms.create_key(Description=name)["KeyMetadata"] for name in ("usable", "disabled", "doomed")
    )
    kms.disable_key(KeyId=disabled["KeyId"])
    kms.schedule_key_deletion(KeyId=doomed["KeyId"], PendingWindowInDays=30)
    kms.create_alias(AliasName="alias/evidence", TargetKeyId=disabled["KeyId"])
    s3 = account.client("s3", region)
    targets = create_bucket(account, account.bucket_name("log-targets", region), region)
    s3.put_bucket_ownership_controls(
        Bucket=targets, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    )
    s3.put_bucket_acl(Bucket=targets, ACL="log-delivery-write")
    for suffix, key in (
        ("usable", usable["Arn"]),
        ("disabled", "alias/evidence"),
        ("doomed", doomed["KeyId"]),
    ):
        bucket = create_bucket(
            account, account.bucket_name(suffix, region), region, versioned=True
        )
        s3.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={
                "Rules": [
                    {
                        "ApplyServerSideEncryptionByDefault": {
                            "SSEAlgorithm": "aws:kms",
                            "KMSMasterKeyID": key,
                        }
                    }
                ]
            },
        )
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "expire",
                        "Status": "Enabled",
                        "Filter": {"Prefix": "capture/"},
                        "Expiration": {"Days": 120},
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                    }
                ]
            },
        )
        log_access(account, bucket, targets, region)
        deploy_endpoint(account, region, f"into-{suffix}", capture=Capture(bucket, 100, ("Input",)))
        create_log_group(account, region, f"/aws/sagemaker/Endpoints/into-{suffix}", 3653)
    s3.put_bucket_replication(
        Bucket=account.bucket_name("usable", region),
        ReplicationConfiguration={
            "Role": account.role_arn("replication"),
            "Rules": [
                {
                    "ID": "copies",
                    "Status": "Enabled",
                    "Priority": 1,
                    "Filter": {"Prefix": ""},
                    "DeleteMarkerReplication": {"Status": "Disabled"},
                    "Destination": {"Bucket": f"arn:aws:s3:::{archive}"},
                }
            ],
        },
    )


def build_trails(account: Account, region: str, bucket: str) -> None:
    """Trails of the account's own: one with classic selectors, one that is stopped."""
    cloudtrail = account.client("cloudtrail", region)
    cloudtrail.create_trail(Name="writes-here", S3BucketName=bucket, S3KeyPrefix="writes")
    cloudtrail.put_event_selectors(
        TrailName="writes-here",
        EventSelectors=[
            {
                "ReadWriteType": "WriteOnly",
                "IncludeManagementEvents": True,
                "ExcludeManagementEventSources": ["kms.amazonaws.com"],
                "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}],
            }
        ],
    )
    cloudtrail.start_logging(Name="writes-here")
    cloudtrail.create_trail(Name="stopped", S3BucketName=bucket, IsMultiRegionTrail=True)
    cloudtrail.start_logging(Name="stopped")
    cloudtrail.stop_logging(Name="stopped")


def build_vended_logs(account: Account, region: str) -> None:
    """Log groups by the page, a subscription, and a delivery."""
    logs = account.client("logs", region)
    for number in range(60):
        create_log_group(account, region, f"/aws/sagemaker/Endpoints/into-usable-{number:02}", 7)
    account.client("kinesis", region).create_stream(StreamName="copies", ShardCount=1)
    logs.put_subscription_filter(
        logGroupName="/aws/sagemaker/Endpoints/into-doomed",
        filterName="all",
        filterPattern="",
        destinationArn=f"arn:aws:kinesis:{region}:{account.id}:stream/copies",
        roleArn=account.role_arn("subscriptions"),
    )
    group = create_log_group(account, region, "/bedrock/knowledge-bases", 30)
    logs.put_delivery_source(
        name="articles",
        resourceArn=f"arn:aws:bedrock:{region}:{account.id}:knowledge-base/ARTICLES00",
        logType="APPLICATION_LOGS",
    )
    destination = logs.put_delivery_destination(
        name="application-logs",
        outputFormat="json",
        deliveryDestinationConfiguration={
            "destinationResourceArn": f"arn:aws:logs:{region}:{account.id}:log-group:{group}"
        },
    )["deliveryDestination"]["arn"]
    logs.create_delivery(deliverySourceName="articles", deliveryDestinationArn=destination)


def build_many_jobs(account: Account, region: str) -> None:
    """More training jobs than a page holds, and one job of every other kind."""
    bucket = account.bucket_name("usable", region)
    for number in range(105):
        run_training_job(
            account, region, f"many-{number:03}", training_bucket=bucket, model_bucket=bucket
        )
    sagemaker = account.client("sagemaker", region)
    role_arn = account.role_arn("sagemaker-execution")
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    sagemaker.create_processing_job(
        ProcessingJobName="prepare",
        ProcessingInputs=[
            {
                "InputName": "raw",
                "S3Input": {
                    "S3Uri": f"s3://{bucket}/raw",
                    "LocalPath": "/opt/ml/processing/input",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        ProcessingResources={"ClusterConfig": cluster},
        AppSpecification={"ImageUri": "registry.example.com/prepare:1"},
        RoleArn=role_arn,
    )
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/batch"}}
    sagemaker.create_transform_job(
        TransformJobName="nightly",
        ModelName="into-usable",
        TransformInput={"DataSource": source},
        TransformOutput={"S3OutputPath": f"s3://{bucket}/scored"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="search",
        HyperParameterTuningJobConfig={
            "Strategy": "Bayesian",
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        },
        TrainingJobDefinition={
            "AlgorithmSpecification": {"TrainingInputMode": "File"},
            "RoleArn": role_arn,
            "InputDataConfig": [{"ChannelName": "train", "DataSource": source}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/tuned"},
            "ResourceConfig": cluster,
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
    sagemaker.create_auto_ml_job_v2(
        AutoMLJobName="churn",
        AutoMLJobInputDataConfig=[{"ChannelType": "training", "DataSource": source}],
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/candidates"},
        AutoMLProblemTypeConfig={
            "TabularJobConfig": {
                "TargetAttributeName": "left",
                "ProblemType": "BinaryClassification",
                "CompletionCriteria": {"MaxCandidates": 4},
            }
        },
        RoleArn=role_arn,
    )
    sagemaker.create_domain(
        DomainName="studio",
        AuthMode="IAM",
        DefaultUserSettings={
            "ExecutionRole": role_arn,
            "SharingSettings": {"S3OutputPath": f"s3://{bucket}/shared"},
        },
        SubnetIds=["subnet-0studio"],
        VpcId="vpc-0studio",
        AppNetworkAccessType="PublicInternetOnly",
    )
    create_notebook(account, region, "exploration")


SCENARIOS: dict[str, Callable[[Organization], None]] = {
    "baseline": seed_baseline,
    "bedrock-inventory": seed_bedrock_inventory,
    "empty": seed_empty,
    "every-kind": seed_every_kind,
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Seed a moto server with an AWS organization.")
    parser.add_argument("--endpoint-url", required=True, help="where the moto server listens")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="baseline")
    parser.add_argument(
        "--credentials-file", type=Path, help="write the auditor's AWS credentials here"
    )
    parser.add_argument(
        "--enforce-iam", action="store_true", help="make moto check IAM policies from then on"
    )
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    server = MotoServer(arguments.endpoint_url)
    organization = found_organization(server)
    auditor_key = create_auditor(organization.management, organization.enrolled)
    for account in organization.enrolled:
        create_audit_role(account)
    SCENARIOS[arguments.scenario](organization)
    close_account(organization.management, organization.suspended)
    if arguments.credentials_file:
        write_credentials(arguments.credentials_file, auditor_key)
    if arguments.enforce_iam:
        server.enforce_iam()
    print(json.dumps({account.id: account.purpose for account in organization.accounts}, indent=2))


if __name__ == "__main__":
    main()
