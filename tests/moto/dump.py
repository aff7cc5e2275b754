#!/usr/bin/env python3
"""Read an organization as an auditor, and write it as an estate of the simulator.

Usage:
    AWS_SHARED_CREDENTIALS_FILE=auditor.ini python dump.py --endpoint-url http://127.0.0.1:5000 --region us-east-1

What locard reads is read here with boto3 alone: the organization, and through the audit role every account,
region and bucket. Standard output is JSON, which is YAML, as tests/simulator/src/estate describes it. The same
organization gives the same text on every run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HOME_REGION = "us-east-1"
CONFIG = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 3}, max_pool_connections=16)

Json = dict[str, Any]
Client = Callable[..., Any]


class Listed(NamedTuple):
    """How resources of one kind are read: listed, and, where the list gives summaries, described one by one."""

    service: str
    kind: str  # as an estate calls it
    operation: str
    member: str
    describe: str | None = None
    given: str = ""  # input member of `describe`
    source: str = ""  # member of the summary it takes; empty: of the same name
    wrapped: str | None = None  # output member that holds the resource


LISTS = (
    Listed("sagemaker", "endpoints", "list_endpoints", "Endpoints", "describe_endpoint", "EndpointName"),
    Listed(
        "sagemaker", "endpoint_configs", "list_endpoint_configs", "EndpointConfigs",
        "describe_endpoint_config", "EndpointConfigName",
    ),
    Listed("sagemaker", "models", "list_models", "Models", "describe_model", "ModelName"),
    Listed(
        "sagemaker", "training_jobs", "list_training_jobs", "TrainingJobSummaries",
        "describe_training_job", "TrainingJobName",
    ),
    Listed(
        "sagemaker", "processing_jobs", "list_processing_jobs", "ProcessingJobSummaries",
        "describe_processing_job", "ProcessingJobName",
    ),
    Listed(
        "sagemaker", "transform_jobs", "list_transform_jobs", "TransformJobSummaries",
        "describe_transform_job", "TransformJobName",
    ),
    Listed(
        "sagemaker", "tuning_jobs", "list_hyper_parameter_tuning_jobs", "HyperParameterTuningJobSummaries",
        "describe_hyper_parameter_tuning_job", "HyperParameterTuningJobName",
    ),
    Listed(
        "sagemaker", "automl_jobs", "list_auto_ml_jobs", "AutoMLJobSummaries",
        "describe_auto_ml_job_v2", "AutoMLJobName",
    ),
    Listed(
        "sagemaker", "notebooks", "list_notebook_instances", "NotebookInstances",
        "describe_notebook_instance", "NotebookInstanceName",
    ),
    Listed("sagemaker", "domains", "list_domains", "Domains", "describe_domain", "DomainId"),
    Listed(
        "sagemaker", "feature_groups", "list_feature_groups", "FeatureGroupSummaries",
        "describe_feature_group", "FeatureGroupName",
    ),
    Listed(
        "bedrock", "customization_jobs", "list_model_customization_jobs", "modelCustomizationJobSummaries",
        "get_model_customization_job", "jobIdentifier", "jobArn",
    ),
    Listed(
        "bedrock", "imported_models", "list_imported_models", "modelSummaries",
        "get_imported_model", "modelIdentifier", "modelArn",
    ),
    Listed("bedrock", "invocation_jobs", "list_model_invocation_jobs", "invocationJobSummaries"),
    Listed(
        "bedrock", "evaluation_jobs", "list_evaluation_jobs", "jobSummaries",
        "get_evaluation_job", "jobIdentifier", "jobArn",
    ),
    Listed("bedrock", "guardrails", "list_guardrails", "guardrails", "get_guardrail", "guardrailIdentifier", "id"),
    Listed("bedrock-agent", "agents", "list_agents", "agentSummaries", "get_agent", "agentId", wrapped="agent"),
    Listed(
        "bedrock-agent", "knowledge_bases", "list_knowledge_bases", "knowledgeBaseSummaries",
        "get_knowledge_base", "knowledgeBaseId", wrapped="knowledgeBase",
    ),
    Listed("bedrock-agent", "flows", "list_flows", "flowSummaries", "get_flow", "flowIdentifier", "id"),
    Listed("logs", "groups", "describe_log_groups", "logGroups"),
    Listed("logs", "delivery_sources", "describe_delivery_sources", "deliverySources"),
    Listed("logs", "deliveries", "describe_deliveries", "deliveries"),
    Listed("logs", "delivery_destinations", "describe_delivery_destinations", "deliveryDestinations"),
    Listed("kms", "keys", "list_keys", "Keys", "describe_key", "KeyId", wrapped="KeyMetadata"),
    Listed("kms", "aliases", "list_aliases", "Aliases"),
    Listed("ec2", "flow_logs", "describe_flow_logs", "FlowLogs"),
    Listed("ec2", "subnets", "describe_subnets", "Subnets"),
)

# Of resources whose answers are long, what an auditor may ask about.
ONLY = {
    "subnets": ("SubnetId", "SubnetArn", "VpcId", "OwnerId", "CidrBlock", "AvailabilityZone", "State"),
}

# What an estate takes for granted and not every imitation of AWS tells.
LEFT_OUT = {"groups": "logGroupClass", "keys": "KeyUsage"}

NAMESPACES = ("AWS/Bedrock", "AWS/BedrockMantle", "AWS/SageMaker")

# Setting in an estate, operation, output member (none: all of the output), and the error that says there is none.
BUCKET_SETTINGS: tuple[tuple[str, str, str | None, str | None], ...] = (
    ("versioning", "get_bucket_versioning", None, None),
    ("object_lock", "get_object_lock_configuration", "ObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"),
    ("logging", "get_bucket_logging", "LoggingEnabled", None),
    ("policy", "get_bucket_policy", "Policy", "NoSuchBucketPolicy"),
    (
        "encryption", "get_bucket_encryption", "ServerSideEncryptionConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
    ),
    ("lifecycle", "get_bucket_lifecycle_configuration", "Rules", "NoSuchLifecycleConfiguration"),
    ("replication", "get_bucket_replication", "ReplicationConfiguration", "ReplicationConfigurationNotFoundError"),
    ("ownership", "get_bucket_ownership_controls", "OwnershipControls", "OwnershipControlsNotFoundError"),
    ("acl", "get_bucket_acl", None, None),
)


class Organization:
    """An endpoint, and the session that all clients are made in, as each session parses service models anew."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._session = boto3.Session()
        self._lock = threading.Lock()  # making clients is not safe in threads
        # moto, where it checks IAM, verifies these signatures only if the hash of the body is signed as well.
        for service in ("bedrock", "bedrock-agent"):
            self._session.events.register(f"before-sign.{service}", sign_body_hash)

    def sign_in(self, **credentials: str) -> Client:
        """Return a function from service and, optionally, region to a client."""
        clients: dict[tuple[str, str], Any] = {}

        def client(service: str, region: str = HOME_REGION) -> Any:
            with self._lock:
                if (service, region) not in clients:
                    clients[service, region] = self._session.client(
                        service, region_name=region, endpoint_url=self._endpoint_url, config=CONFIG, **credentials
                    )
                return clients[service, region]

        return client

    def enter(self, caller: Client, account: str, role: str) -> Client | None:
        """Assume the audit role of an account; nothing if that is refused."""
        try:
            credentials = caller("sts").assume_role(
                RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="dump"
            )["Credentials"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return None
        return self.sign_in(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )


def sign_body_hash(request: Any, **_: Any) -> None:
    body = request.body or b""
    request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(
        body if isinstance(body, bytes) else body.encode()
    ).hexdigest()


def pages(client: Any, operation: str, member: str, **request: Any) -> list[Json]:
    """Return the items of all pages."""
    if client.can_paginate(operation):
        found = client.get_paginator(operation).paginate(**request)
        return [item for page in found for item in page.get(member, [])]
    answer = getattr(client, operation)(**request)
    return list(answer.get(member, []))


def plain(value: Any) -> Any:
    """Return an answer as an estate writes it: without what is of the request alone, and times as text."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if name != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def describe(client: Client) -> tuple[Json, list[Json]]:
    """Return the organization and its accounts, as an estate writes both."""
    organizations = client("organizations")
    described = organizations.describe_organization()["Organization"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    units: list[Json] = []
    unit_of: dict[str, str] = {}
    walk(organizations, root, "", units, unit_of)
    accounts = []
    for listed in pages(organizations, "list_accounts", "Accounts"):
        account = {
            "id": listed["Id"],
            "name": listed["Name"],
            "email": listed["Email"],
            "state": listed.get("State") or listed["Status"],
            "joined": plain(listed["JoinedTimestamp"]),
            "joined_by": listed["JoinedMethod"],
        }
        if unit_of.get(listed["Id"]):
            account["unit"] = unit_of[listed["Id"]]
        accounts.append(account)
    found = {"id": described["Id"], "root": root, "management": described["MasterAccountId"], "units": units}
    return found, sorted(accounts, key=lambda account: str(account["id"]))


def walk(organizations: Any, parent: str, above: str, units: list[Json], unit_of: dict[str, str]) -> None:
    """Note the units below a parent, and which accounts are right below it."""
    for account in pages(organizations, "list_accounts_for_parent", "Accounts", ParentId=parent):
        unit_of[account["Id"]] = above
    below = pages(organizations, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent)
    for unit in sorted(below, key=lambda unit: str(unit["Name"])):
        path = f"{above}/{unit['Name']}" if above else unit["Name"]
        units.append({"path": path, "id": unit["Id"]})
        walk(organizations, unit["Id"], path, units, unit_of)


def refused_by_policy(error: ClientError) -> bool:
    return "service control policy" in error.response["Error"].get("Message", "")


def enabled_regions(client: Client) -> list[str]:
    """Return the regions an account uses, those of other partitions left out."""
    regions = client("ec2").describe_regions(AllRegions=False)["Regions"]
    usable = (region["RegionName"] for region in regions if region.get("OptInStatus") != "not-opted-in")
    return sorted(region for region in usable if not region.startswith(("cn-", "us-gov-")))


def region_resources(client: Client, region: str) -> Json:
    """Return what lies in a region, by service and kind."""
    found: Json = {}

    def put(service: str, kind: str, value: Any) -> None:
        if value:
            found.setdefault(service, {})[kind] = value

    for listed in LISTS:
        service = client(listed.service, region)
        items = []
        for summary in pages(service, listed.operation, listed.member):
            resource = summary
            if listed.describe:
                answer = getattr(service, listed.describe)(**{listed.given: summary[listed.source or listed.given]})
                resource = answer[listed.wrapped] if listed.wrapped else answer
            items.append(told(listed.kind, plain(resource)))
        put(listed.service, listed.kind, items)

    logging = client("bedrock", region).get_model_invocation_logging_configuration()
    put("bedrock", "logging", plain(logging.get("loggingConfig")))
    sources = []
    for base in found.get("bedrock-agent", {}).get("knowledge_bases", []):
        sources.extend(data_sources(client("bedrock-agent", region), base["knowledgeBaseId"]))
    put("bedrock-agent", "data_sources", sources)
    filters = []
    for group in found.get("logs", {}).get("groups", []):
        logs = client("logs", region)
        name = group["logGroupName"]
        filters.extend(pages(logs, "describe_subscription_filters", "subscriptionFilters", logGroupName=name))
    put("logs", "subscription_filters", plain(filters))
    put("cloudtrail", "trails", trails(client("cloudtrail", region), region))
    metrics = []
    for namespace in NAMESPACES:
        metrics.extend(pages(client("cloudwatch", region), "list_metrics", "Metrics", Namespace=namespace))
    put("cloudwatch", "metrics", sorted(plain(metrics), key=json.dumps))
    return found


def told(kind: str, resource: Json) -> Json:
    """Return what an auditor may ask about; null where an estate would take the usual for granted."""
    if kind in LEFT_OUT:
        resource.setdefault(LEFT_OUT[kind], None)
    members = ONLY.get(kind)
    return {name: resource[name] for name in members if name in resource} if members else resource


def data_sources(client: Any, base: str) -> list[Json]:
    found = []
    for summary in pages(client, "list_data_sources", "dataSourceSummaries", knowledgeBaseId=base):
        answer = client.get_data_source(knowledgeBaseId=base, dataSourceId=summary["dataSourceId"])
        found.append(plain(answer["dataSource"]))
    return found


def trails(client: Any, region: str) -> list[Json]:
    """Return the trails whose home is the region, in the account that owns them."""
    found = []
    for trail in client.describe_trails(includeShadowTrails=False)["trailList"]:
        if trail["HomeRegion"] != region:
            continue
        arn = trail["TrailARN"]
        selectors = client.get_event_selectors(TrailName=arn)
        kept = {name: selectors[name] for name in ("EventSelectors", "AdvancedEventSelectors") if name in selectors}
        found.append(plain({**trail, "Status": client.get_trail_status(Name=arn), **kept}))
    return found


def buckets(client: Client) -> Json:
    """Return every bucket of an account with its settings."""
    found: Json = {}
    # moto truncates without a token; AWS tells regions only where this is asked for.
    for listed in client("s3").list_buckets(MaxBuckets=10000)["Buckets"]:
        name = listed["Name"]
        region = listed.get("BucketRegion")
        if not region:
            region = client("s3").get_bucket_location(Bucket=name).get("LocationConstraint") or HOME_REGION
        bucket: Json = {"region": region, "created": plain(listed["CreationDate"])}
        for setting, operation, member, absent in BUCKET_SETTINGS:
            value = bucket_setting(client("s3", region), name, operation, member, absent)
            if value or setting == "encryption":
                bucket[setting] = {"Rules": value} if setting == "lifecycle" else value
        found[name] = bucket
    return found


def bucket_setting(s3: Any, bucket: str, operation: str, member: str | None, absent: str | None) -> Any:
    try:
        answer = plain(getattr(s3, operation)(Bucket=bucket))
    except ClientError as error:
        if error.response["Error"]["Code"] != absent:
            raise
        return None
    return answer.get(member) if member else answer


def dump(endpoint_url: str, role: str, regions: Iterable[str]) -> Json:
    organization = Organization(endpoint_url)
    caller = organization.sign_in()
    found, accounts = describe(caller)
    whole: Json = {
        "organization": found,
        "caller": caller("sts").get_caller_identity()["Account"],
        "role": role,
        "accounts": accounts,
    }
    wanted = set(regions)
    with ThreadPoolExecutor(max_workers=8) as pool:
        reading = []
        for account in accounts:
            closed = account["state"] != "ACTIVE"
            client = None if closed else organization.enter(caller, account["id"], role)
            if client is None:
                account["role"] = {"missing": True}
                continue
            account["regions"] = enabled_regions(client)
            account["resources"] = {}
            account["buckets"] = pool.submit(buckets, client)
            for region in account["regions"]:
                if not wanted or region in wanted:
                    reading.append((account, region, pool.submit(region_resources, client, region)))
        for account, region, future in reading:
            try:
                account["resources"][region] = future.result()
            except ClientError as error:
                if not refused_by_policy(error):
                    raise
                account.setdefault("scps", {"regions": []})["regions"].append(region)
        for account in accounts:
            if "buckets" in account:
                account["buckets"] = account["buckets"].result()
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description="Write an organization as an estate of the simulator.")
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--role", default="LocardAudit", help="name of the audit role in every account")
    parser.add_argument("--region", action="append", default=[], help="only these regions; may be repeated")
    arguments = parser.parse_args()
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    estate = dump(arguments.endpoint_url, arguments.role, arguments.region)
    print(json.dumps(estate, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
