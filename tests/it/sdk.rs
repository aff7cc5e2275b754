//! The simulated organization, read by the clients of the AWS SDK for Rust: what locard makes of answers with codecs alone
//! must be what AWS's own clients make of them. boto3 reads it in `moto::bridge`.

#![expect(clippy::disallowed_methods, reason = "the clients are what is asked")]

use std::collections::BTreeSet;

use aws_credential_types::Credentials;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use locard_simulator::estate::Plan;
use locard_simulator::{Estate, Settings, start};

macro_rules! client {
    ($sdk:ident, $url:ident, $credentials:expr, $region:expr $(, $besides:ident)?) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .endpoint_url(&$url)
                .region(Region::new($region.to_owned()))
                .credentials_provider($credentials.clone())
                $(.$besides(true))?
                .build(),
        )
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_the_sdk_read_every_service() {
    let estate = Estate::generate(Plan { accounts: 45, regions: 2, seed: 11 }, jiff::Timestamp::now());
    let running = start(estate, Settings::default()).unwrap();
    let url = running.url();
    let own = running.credentials();
    let own = Credentials::new(own.access_key_id, own.secret_access_key, None, None, "simulated");

    let sts = client!(aws_sdk_sts, url, own, "us-east-1");
    let caller = sts.get_caller_identity().send().await.unwrap();
    assert!(caller.arn().unwrap().contains(caller.account().unwrap()));
    let organizations = client!(aws_sdk_organizations, url, own, "us-east-1");
    let pages = organizations.list_accounts().into_paginator().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(pages.len(), 3);
    let accounts: Vec<_> = pages.iter().flat_map(|page| page.accounts()).collect();
    let ids: BTreeSet<&str> = accounts.iter().filter_map(|account| account.id()).collect();
    assert_eq!(ids.len(), 45);

    // What is anywhere is read somewhere; an empty organization would prove nothing.
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for account in ids {
        let role = format!("arn:aws:iam::{account}:role/LocardAudit");
        let Ok(entered) = sts.assume_role().role_arn(role).role_session_name("reader").send().await else { continue };
        let given = entered.credentials().unwrap();
        let token = Some(given.session_token().to_owned());
        let inside = Credentials::new(given.access_key_id(), given.secret_access_key(), token, None, "assumed");
        let whose = client!(aws_sdk_sts, url, inside, "us-east-1").get_caller_identity().send().await.unwrap();
        assert_eq!(whose.account(), Some(account));

        let ec2 = client!(aws_sdk_ec2, url, inside, "us-east-1");
        let Ok(regions) = ec2.describe_regions().all_regions(true).send().await else { continue };
        let enabled = regions.regions().iter().filter(|region| region.opt_in_status() != Some("not-opted-in"));
        for region in enabled.filter_map(|region| region.region_name()) {
            let sagemaker = client!(aws_sdk_sagemaker, url, inside, region);
            let endpoints = sagemaker.list_endpoints().max_results(1).into_paginator().items().send();
            for endpoint in endpoints.collect::<Result<Vec<_>, _>>().await.into_iter().flatten() {
                let name = endpoint.endpoint_name().unwrap();
                let described = sagemaker.describe_endpoint().endpoint_name(name).send().await.unwrap();
                assert_eq!(described.endpoint_arn(), endpoint.endpoint_arn());
                seen.insert("endpoint");
            }
            let bedrock = client!(aws_sdk_bedrock, url, inside, region);
            let logging = bedrock.get_model_invocation_logging_configuration().send().await;
            seen.extend(logging.ok().and_then(|answer| answer.logging_config).map(|_| "invocation logging"));
            let guardrails = bedrock.list_guardrails().send().await;
            seen.extend(guardrails.into_iter().flat_map(|answer| answer.guardrails).map(|_| "guardrail"));
            let agents = client!(aws_sdk_bedrockagent, url, inside, region).list_knowledge_bases().send().await;
            seen.extend(
                agents.into_iter().flat_map(|answer| answer.knowledge_base_summaries).map(|_| "knowledge base"),
            );
            let ec2 = client!(aws_sdk_ec2, url, inside, region);
            let subnets = ec2.describe_subnets().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            seen.extend(subnets.into_iter().flatten().filter(|subnet| subnet.vpc_id().is_some()).map(|_| "subnet"));
            let metrics = client!(aws_sdk_cloudwatch, url, inside, region).list_metrics().namespace("AWS/Bedrock");
            let metrics = metrics.send().await.into_iter().flat_map(|answer| answer.metrics.unwrap_or_default());
            seen.extend(metrics.filter(|metric| !metric.dimensions().is_empty()).map(|_| "metric"));
            let trails = client!(aws_sdk_cloudtrail, url, inside, region).describe_trails().send().await;
            seen.extend(trails.into_iter().filter(|answer| !answer.trail_list().is_empty()).map(|_| "trail"));
            let logs = client!(aws_sdk_cloudwatchlogs, url, inside, region);
            let groups =
                logs.describe_log_groups().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            seen.extend(groups.into_iter().flatten().filter_map(|group| group.retention_in_days).map(|_| "log group"));
            let key = client!(aws_sdk_kms, url, inside, region).describe_key().key_id("alias/none").send().await;
            assert!(key.unwrap_err().code().is_some(), "an error of this protocol");

            let s3 = client!(aws_sdk_s3, url, inside, region, force_path_style);
            let buckets = s3.list_buckets().max_buckets(100).bucket_region(region).send().await;
            for bucket in buckets.into_iter().flat_map(|answer| answer.buckets.unwrap_or_default()) {
                let versioning = s3.get_bucket_versioning().bucket(bucket.name().unwrap()).send().await.unwrap();
                seen.extend(versioning.status().map(|_| "versioning"));
                match s3.get_object_lock_configuration().bucket(bucket.name().unwrap()).send().await {
                    Ok(lock) => seen.extend(lock.object_lock_configuration().map(|_| "object lock")),
                    Err(error) => assert_eq!(error.code(), Some("ObjectLockConfigurationNotFoundError")),
                }
            }
        }
    }
    let expected = [
        "endpoint",
        "guardrail",
        "invocation logging",
        "knowledge base",
        "log group",
        "metric",
        "object lock",
        "subnet",
        "trail",
        "versioning",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}
