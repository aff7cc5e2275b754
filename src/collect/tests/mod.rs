//! What collectors make of answers that moto cannot give, and that they call what they say they call.

mod canned;

use std::collections::BTreeSet;

use canned::{ACCOUNT, REGION, run, scope};

use super::{bedrock, bedrockagent, cloudtrail, cloudwatch, ec2, kms, logs, s3, sagemaker};
use crate::inventory::cloudtrail::{Selectors, Trail};
use crate::inventory::operations::{self, OPERATIONS};
use crate::inventory::s3::Bucket;
use crate::inventory::workload::{Placement, Workload};
use crate::inventory::{Fact, Line, Listing};
use crate::model::observed::{Observed, Told, Unknown, Why};

/// Collectors and their source.
const COLLECTORS: &[(&[&str], &str)] = &[
    (bedrock::CALLS, include_str!("../bedrock.rs")),
    (bedrockagent::CALLS, include_str!("../bedrockagent.rs")),
    (cloudtrail::CALLS, include_str!("../cloudtrail.rs")),
    (cloudwatch::CALLS, include_str!("../cloudwatch.rs")),
    (ec2::CALLS, include_str!("../ec2.rs")),
    (kms::CALLS, include_str!("../kms.rs")),
    (logs::CALLS, include_str!("../logs.rs")),
    (s3::CALLS, include_str!("../s3.rs")),
    (
        sagemaker::CALLS,
        concat!(
            include_str!("../sagemaker/mod.rs"),
            include_str!("../sagemaker/endpoints.rs"),
            include_str!("../sagemaker/jobs.rs"),
            include_str!("../sagemaker/models.rs"),
            include_str!("../sagemaker/search.rs"),
            include_str!("../sagemaker/studio.rs"),
        ),
    ),
];

/// Each collector's code makes exactly the requests its constant lists, and all calls together are the allow-list:
/// nothing is permitted that nobody asks.
#[test]
fn calls_listed_are_the_calls_made() {
    for (calls, source) in COLLECTORS {
        let made: BTreeSet<String> = source
            .split("Input::builder()")
            .filter_map(|before| before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next())
            .filter(|shape| !shape.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        let name = |call: &&str| call.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
        assert_eq!(made, calls.iter().map(name).collect());
        assert!(calls.iter().all(|call| operations::find(call).is_some()));
    }
    let mut allowed: Vec<String> = OPERATIONS.iter().map(|op| format!("{}:{}", op.service, op.name)).collect();
    allowed.sort_unstable();
    assert_eq!(super::calls(), allowed);
}

fn listing(lines: &[Line], call: &str) -> Listing {
    let found = lines.iter().find_map(|line| match &line.fact {
        Fact::Listing(listing) if listing.call == call => Some(listing.clone()),
        _ => None,
    });
    found.expect("a listing")
}

fn workload<'a>(lines: &'a [Line], name: &str) -> &'a Workload {
    let found = lines.iter().find_map(|line| match &line.fact {
        Fact::Workload(workload) if workload.name == name => Some(workload),
        _ => None,
    });
    found.expect("a workload")
}

fn trail(lines: &[Line]) -> &Trail {
    let found = lines.iter().find_map(|line| match &line.fact {
        Fact::Trail(trail) => Some(trail),
        _ => None,
    });
    found.expect("a trail")
}

fn why<T: std::fmt::Debug>(told: &Told<T>) -> Why {
    told.as_ref().expect_err("an unknown").why
}

fn unknown<T: std::fmt::Debug>(observed: &Observed<T>) -> &Unknown {
    match observed {
        Observed::Unknown(unknown) => unknown,
        other => panic!("not unknown: {other:?}"),
    }
}

/// Locations of a workload as `role field location`.
fn uses(workload: &Workload) -> Vec<String> {
    let uses = workload.uses.as_ref().expect("uses");
    uses.iter().map(|u| format!("{} {} {}", u.role.word(), u.field, u.location)).collect()
}

#[test]
fn lists_are_read_to_the_end_over_empty_pages() {
    let scope = scope(&[
        ("ListModels", 200, r#"{"Models": [{"ModelName": "a", "ModelArn": "arn:a"}], "NextToken": "1"}"#),
        ("ListModels", 200, r#"{"Models": [], "NextToken": "2"}"#),
        // What was made meanwhile moves others to the next page.
        (
            "ListModels",
            200,
            r#"{"Models": [{"ModelName": "a", "ModelArn": "arn:a"}, {"ModelName": "b", "ModelArn": "arn:b"}]}"#,
        ),
        ("DescribeModel", 400, r#"{"__type": "ValidationException", "message": "Could not find model"}"#),
        ("DescribeModel", 400, r#"{"__type": "ValidationException", "message": "Could not find model"}"#),
        (
            "ListTrainingJobs",
            200,
            r#"{"TrainingJobSummaries": [{"TrainingJobName": "j", "TrainingJobArn": "arn:j", "CreationTime": 1.7e9, "TrainingJobStatus": "Failed"}], "NextToken": "1"}"#,
        ),
        ("ListTrainingJobs", 400, r#"{"__type": "AccessDeniedException", "message": "no"}"#),
        ("ListProcessingJobs", 200, r#"{"ProcessingJobSummaries": [], "NextToken": "1"}"#),
        ("ListProcessingJobs", 200, r#"{"ProcessingJobSummaries": [], "NextToken": "1"}"#),
        ("ListTransformJobs", 200, r#"{}"#),
        ("ListAutoMLJobs", 200, r#"{"AutoMLJobSummaries": [{"AutoMLJobName": "x"}, {"AutoMLJobName": "y"}]}"#),
        ("ListDomains", 200, r#"{"Domains": []}"#),
    ]);
    let lines = run(sagemaker::collect(&scope));
    let models = listing(&lines, "sagemaker:ListModels");
    assert_eq!((models.count, models.capped), (Ok(2), 0));
    assert_eq!(why(&workload(&lines, "a").uses), Why::Vanished);
    assert_eq!(why(&workload(&lines, "b").placement), Why::Vanished);
    // A failing page leaves what was listed, and opens the rest.
    assert_eq!(why(&listing(&lines, "sagemaker:ListTrainingJobs").count), Why::Denied);
    let job = workload(&lines, "j");
    assert_eq!((why(&job.uses), job.status.as_deref()), (Why::Failed, Some("Failed")));
    assert_eq!(why(&listing(&lines, "sagemaker:ListProcessingJobs").count), Why::Malformed);
    assert_eq!(why(&listing(&lines, "sagemaker:ListTransformJobs").count), Why::Malformed);
    assert_eq!(why(&listing(&lines, "sagemaker:ListAutoMLJobs").count), Why::Malformed);
    assert_eq!(why(&listing(&lines, "sagemaker:ListFeatureGroups").count), Why::Failed);
    assert_eq!(listing(&lines, "sagemaker:ListDomains").count, Ok(0));
}

#[test]
fn what_a_search_leaves_open_is_described() {
    let scope = scope(&[
        (
            "ListModels",
            200,
            r#"{"Models": [{"ModelName": "a", "ModelArn": "arn:a", "CreationTime": 1.7e9},
                {"ModelName": "b", "ModelArn": "arn:b", "CreationTime": 1.7e9}, {"ModelName": "c", "ModelArn": "arn:c"}]}"#,
        ),
        // The index is behind: it still has what is gone, and an earlier model by the name of one, and lacks what is new.
        (
            "Search",
            200,
            r#"{"Results": [
                {"Model": {"Model": {"ModelArn": "arn:gone", "PrimaryContainer": {"ModelDataUrl": "s3://gone/x"}}}},
                {"Model": {"Model": {"ModelArn": "arn:a", "CreationTime": 1.7e9, "PrimaryContainer": {"ModelDataUrl": "s3://a/x"},
                                     "VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}}},
                {"Model": {"Model": {"ModelArn": "arn:b", "CreationTime": 1.6e9, "PrimaryContainer": {"ModelDataUrl": "s3://old/x"}}}},
                {"Model": {}}, {}], "NextToken": "1"}"#,
        ),
        ("Search", 400, r#"{"__type": "AccessDeniedException", "message": "no"}"#),
        ("DescribeModel", 200, r#"{"ModelName": "x", "PrimaryContainer": {"ModelDataUrl": "s3://x/x"}}"#),
        ("DescribeModel", 400, r#"{"__type": "AccessDeniedException", "message": "no"}"#),
    ]);
    let lines = run(sagemaker::collect(&scope));
    assert_eq!(listing(&lines, "sagemaker:ListModels").count, Ok(3));
    let a = workload(&lines, "a");
    assert_eq!(uses(a), ["artifact PrimaryContainer.ModelDataUrl s3://a/x"]);
    assert_eq!(a.placement, Ok(Placement::Subnets(vec!["subnet-1".into()])));
    let described = ["b", "c"].map(|name| workload(&lines, name).uses.clone());
    assert_eq!(described.iter().filter(|uses| uses.is_ok()).count(), 1, "{described:?}");
    assert!(
        described.iter().any(|uses| uses.as_ref().is_err_and(|unknown| {
            (unknown.call.as_str(), unknown.why) == ("sagemaker:DescribeModel", Why::Denied)
        }))
    );
    assert!(lines.iter().all(|line| line.id.as_str() != "arn:gone"));
}

#[test]
fn jobs_beyond_the_cap_are_counted() {
    let scope = scope(&[
        (
            "ListTrainingJobs",
            200,
            r#"{"TrainingJobSummaries": [{"TrainingJobName": "new", "TrainingJobArn": "arn:new"}], "NextToken": "1"}"#,
        ),
        (
            "ListTrainingJobs",
            200,
            r#"{"TrainingJobSummaries": [{"TrainingJobName": "old", "TrainingJobArn": "arn:old"}]}"#,
        ),
        (
            "DescribeTrainingJob",
            200,
            r#"{"TrainingJobName": "new", "TrainingJobArn": "arn:new",
            "InputDataConfig": [{"DataSource": {"FileSystemDataSource": {"FileSystemId": "fs-1"}}},
                                {"DataSource": {"S3DataSource": {"S3Uri": "s3://data/x"}}}],
            "OutputDataConfig": {"S3OutputPath": "s3://models/", "KmsKeyId": "alias/m"},
            "CheckpointConfig": {"S3Uri": "s3://models/checkpoints"},
            "VpcConfig": {"Subnets": ["subnet-2", "subnet-1"], "SecurityGroupIds": ["sg-1"]}}"#,
        ),
    ]);
    let lines = run(sagemaker::collect(&scope));
    let jobs = listing(&lines, "sagemaker:ListTrainingJobs");
    assert_eq!((jobs.count, jobs.capped), (Ok(2), 1));
    let job = workload(&lines, "new");
    assert_eq!(job.placement, Ok(Placement::Subnets(vec!["subnet-1".into(), "subnet-2".into()])));
    assert_eq!(job.keys, ["alias/m"]);
    assert_eq!(
        uses(job),
        [
            "training InputDataConfig[1].DataSource.S3DataSource.S3Uri s3://data/x",
            "artifact OutputDataConfig.S3OutputPath s3://models/",
            "artifact CheckpointConfig.S3Uri s3://models/checkpoints",
        ]
    );
}

#[test]
fn capture_is_unknown_where_its_live_state_is_told_in_part() {
    let endpoint = |capture: &'static str, config: &'static str| {
        let list = r#"{"Endpoints": [{"EndpointName": "e", "EndpointArn": "arn:e", "EndpointStatus": "InService"}]}"#;
        let scope = scope(&[
            ("ListEndpoints", 200, list),
            ("DescribeEndpointConfig", 200, config),
            ("DescribeEndpoint", 200, capture),
        ]);
        let lines = run(sagemaker::collect(&scope));
        workload(&lines, "e").clone()
    };
    let one_sided = endpoint(
        r#"{"EndpointName": "e", "EndpointConfigName": "c", "DataCaptureConfig":
            {"EnableCapture": true, "CurrentSamplingPercentage": 100, "DestinationS3Uri": "s3://b/c"}}"#,
        r#"{"EndpointConfigName": "c",
            "ProductionVariants": [{"VariantName": "v", "ModelName": "m", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}],
            "ShadowProductionVariants": [{"VariantName": "s"}],
            "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://out/"}},
            "DataCaptureConfig": {"InitialSamplingPercentage": 0, "DestinationS3Uri": "s3://b/c", "CaptureOptions": [{"CaptureMode": "Input"}]}}"#,
    );
    let state = one_sided.endpoint.as_ref().expect("an endpoint");
    assert_eq!(unknown(&state.live_capture).why, Why::Malformed);
    let config = state.config.as_ref().expect("a configuration");
    let capture = config.capture.as_ref().expect("capture");
    // Without the flag AWS takes capture for switched on.
    assert_eq!((capture.enabled, capture.sampling_percentage, capture.input, capture.output), (true, 0, true, false));
    let variants: Vec<_> = config.variants.iter().map(|v| (v.name.as_str(), v.model.is_some(), v.serverless)).collect();
    assert_eq!((variants, config.asynchronous), (vec![("v", true, true), ("s", false, false)], true));
    assert_eq!(
        uses(&one_sided),
        [
            "capture DataCaptureConfig.DestinationS3Uri s3://b/c",
            "app_data EndpointConfig.AsyncInferenceConfig.OutputConfig.S3OutputPath s3://out/",
        ]
    );

    let denied = endpoint(
        r#"{"EndpointName": "e", "EndpointConfigName": "c"}"#,
        r#"{"EndpointConfigName": "c", "ProductionVariants": [{"VariantName": "v"}], "DataCaptureConfig": {}}"#,
    );
    let state = denied.endpoint.expect("an endpoint");
    assert_eq!(state.live_capture, Observed::Absent);
    assert_eq!(state.config.expect("a configuration").capture, None);
    assert_eq!((denied.placement, denied.status.as_deref()), (Ok(Placement::Nowhere), Some("InService")));
}

#[test]
fn a_notebook_with_direct_internet_access_is_not_in_its_subnet_alone() {
    let placement = |rest: &str| {
        let listed = r#"{"NotebookInstances": [{"NotebookInstanceName": "n", "NotebookInstanceArn": "arn:n"}]}"#;
        let described = format!(r#"{{"NotebookInstanceName": "n"{rest}}}"#).leak();
        let scope = scope(&[("ListNotebookInstances", 200, listed), ("DescribeNotebookInstance", 200, &*described)]);
        workload(&run(sagemaker::collect(&scope)), "n").placement.clone()
    };
    let subnet = || vec!["subnet-1".to_owned()];
    assert_eq!(placement(r#", "DirectInternetAccess": "Enabled""#), Ok(Placement::AwsVpc));
    let disabled = r#", "SubnetId": "subnet-1", "DirectInternetAccess": "Disabled""#;
    assert_eq!(placement(disabled), Ok(Placement::Subnets(subnet())));
    let enabled = r#", "SubnetId": "subnet-1", "DirectInternetAccess": "Enabled""#;
    assert_eq!(placement(enabled), Ok(Placement::Both(subnet())));
    assert_eq!(why(&placement(r#", "SubnetId": "subnet-1""#)), Why::Malformed);
}

#[test]
fn a_member_sees_of_an_organization_trail_what_it_may() {
    let described = |custom: &str| {
        let answer = format!(
            r#"{{"trailList": [{{"Name": "t", "TrailARN": "arn:aws:cloudtrail:us-east-1:222222222222:trail/t",
               "S3BucketName": "logs", "HomeRegion": "us-east-1", "IsMultiRegionTrail": true, {custom}
               "IsOrganizationTrail": true, "LogFileValidationEnabled": false}}]}}"#
        );
        let scope = scope(&[
            ("DescribeTrails", 200, answer.leak()),
            ("GetTrailStatus", 200, r#"{"IsLogging": true, "LatestDeliveryTime": 1.7e9}"#),
            ("GetEventSelectors", 400, r#"{"__type": "CloudTrailARNInvalidException", "message": "wrong account"}"#),
        ]);
        run(cloudtrail::collect(&scope))
    };
    let lines = described(r#""HasCustomEventSelectors": true,"#);
    let seen = trail(&lines);
    assert!(seen.shadow && seen.owner.as_str() == "222222222222");
    assert_eq!(why(&seen.selectors), Why::Foreign);
    assert_eq!(why(&seen.global_service_events), Why::Malformed);
    assert_eq!(seen.log_file_validation, Ok(false));
    let status = seen.status.as_ref().expect("a status");
    assert!(status.is_logging && status.latest_delivery.is_some());
    assert_eq!(listing(&lines, "cloudtrail:DescribeTrails").count, Ok(1));

    let lines = described(r#""HasCustomEventSelectors": false,"#);
    let Ok(Selectors::Basic(selectors)) = &trail(&lines).selectors else { panic!("{lines:?}") };
    assert_eq!((selectors.len(), selectors[0].management_events), (1, Some(true)));
    assert_eq!(why(&trail(&described("")).selectors), Why::Foreign);
}

#[test]
fn trails_at_home_elsewhere_are_read_from_the_home_of_the_partition() {
    let own = r#"{"trailList": [
        {"Name": "t", "TrailARN": "arn:aws:cloudtrail:eu-west-1:111111111111:trail/t", "HomeRegion": "eu-west-1",
         "HasCustomEventSelectors": true}, {"Name": "nameless"}]}"#;
    let scope = scope(&[
        ("DescribeTrails", 200, own),
        ("GetTrailStatus", 400, r#"{"__type": "AccessDeniedException"}"#),
        ("GetEventSelectors", 200, r#"{"EventSelectors": [], "AdvancedEventSelectors": []}"#),
    ]);
    let lines = run(cloudtrail::collect(&scope));
    assert!(!trail(&lines).shadow);
    assert_eq!(why(&trail(&lines).status), Why::Denied);
    assert_eq!(why(&trail(&lines).selectors), Why::Malformed);
    assert_eq!(why(&listing(&lines, "cloudtrail:DescribeTrails").count), Why::Malformed);
}

/// The SDK reads what is missing as empty, and what is empty as "all", "none" or "off".
#[test]
fn what_an_answer_lacks_is_neither_all_nor_none() {
    let described = r#"{"trailList": [{"Name": "t", "TrailARN": "arn:aws:cloudtrail:us-east-1:111111111111:trail/t",
        "HomeRegion": "us-east-1", "HasCustomEventSelectors": true}]}"#;
    let selectors = r#"{"AdvancedEventSelectors": [{"FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.ARN"}]}]}"#;
    let lines = run(cloudtrail::collect(&scope(&[
        ("DescribeTrails", 200, described),
        // Milliseconds where seconds are due are no time of our calendar.
        ("GetTrailStatus", 200, r#"{"IsLogging": true, "LatestDeliveryTime": 1764000000000000}"#),
        ("GetEventSelectors", 200, selectors),
    ])));
    assert_eq!(why(&trail(&lines).selectors), Why::Malformed);
    assert_eq!(why(&trail(&lines).status), Why::Malformed);

    let listed = r#"{"TrainingJobSummaries": [{"TrainingJobName": "j", "TrainingJobArn": "arn:j",
        "CreationTime": 1764000000000000}]}"#;
    let job = r#"{"TrainingJobName": "j", "InputDataConfig": [{"ChannelName": "c"}]}"#;
    let endpoint = r#"{"Endpoints": [{"EndpointName": "e", "EndpointArn": "arn:e"}]}"#;
    let lines = run(sagemaker::collect(&scope(&[
        ("ListTrainingJobs", 200, listed),
        ("DescribeTrainingJob", 200, job),
        ("ListEndpoints", 200, endpoint),
        ("DescribeEndpointConfig", 200, r#"{"EndpointConfigName": "c"}"#),
        ("DescribeEndpoint", 200, r#"{"EndpointName": "e", "EndpointConfigName": "c"}"#),
    ])));
    assert_eq!(why(&workload(&lines, "j").uses), Why::Malformed);
    assert_eq!(workload(&lines, "j").created, None);
    assert_eq!(why(&workload(&lines, "e").endpoint.as_ref().expect("an endpoint").config), Why::Malformed);

    let logging = |answer: &'static str| {
        let lines = run(bedrock::collect(&scope(&[("GET /logging/modelinvocations", 200, answer)])));
        lines.into_iter().find_map(|line| match line.fact {
            Fact::Bedrock(region) => Some(region.logging),
            _ => None,
        })
    };
    assert!(matches!(logging("{}"), Some(Observed::Absent)));
    assert_eq!(unknown(&logging(r#"{"message": "Internal server error"}"#).expect("a region")).why, Why::Malformed);
}

fn bucket(answers: &[canned::Canned]) -> Bucket {
    let scope = scope(answers);
    let lines = run(s3::read(&scope, &BTreeSet::from(["b".to_owned()])));
    match &lines[0].fact {
        Fact::Bucket(bucket) => (**bucket).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bucket_as_aws_words_it() {
    let bucket = bucket(&[
        ("GET /b/?versioning", 200, "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"),
        ("GET /b/?object-lock", 200, "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"),
        ("GET /b/?logging", 200, "<BucketLoggingStatus><LoggingEnabled><TargetBucket>t</TargetBucket><TargetPrefix/></LoggingEnabled></BucketLoggingStatus>"),
        ("GET /b/?policy", 404, "<Error><Code>NoSuchBucketPolicy</Code></Error>"),
        ("GET /b/?encryption", 403, "<Error><Code>AccessDenied</Code></Error>"),
        ("GET /b/?lifecycle", 200, "<LifecycleConfiguration>
            <Rule><Status>Enabled</Status><Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>
              <Expiration><Days>30</Days></Expiration></Rule>
            <Rule><Status>Disabled</Status><Prefix>old/</Prefix>
              <NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration></Rule>
            </LifecycleConfiguration>"),
        ("GET /b/?replication", 200, "<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Filter><Prefix>a/</Prefix></Filter>
            <Destination><Bucket>arn:aws:s3:::copy</Bucket><Account>222222222222</Account></Destination></Rule></ReplicationConfiguration>"),
        ("GET /b/?ownershipControls", 200, "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>"),
        ("GET /b/?acl", 200, r#"<AccessControlPolicy><AccessControlList><Grant>
            <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/s3/LogDelivery</URI></Grantee>
            <Permission>WRITE</Permission></Grant></AccessControlList></AccessControlPolicy>"#),
    ]);
    assert_eq!(bucket.versioning.known().map(|v| (v.status.as_str(), v.mfa_delete)), Some(("Suspended", false)));
    assert_eq!(bucket.object_lock.known().map(|lock| lock.default_retention.is_none()), Some(true));
    assert_eq!(bucket.access_logging.known().map(|log| log.target_bucket.as_str()), Some("t"));
    assert_eq!(bucket.policy, Observed::Absent);
    assert_eq!(unknown(&bucket.encryption).why, Why::Denied);
    let rules = bucket.lifecycle.known().expect("rules");
    let rules: Vec<_> = rules
        .iter()
        .map(|r| (r.enabled, r.prefix.as_str(), r.tag_or_size_filter, r.expiration_days, r.noncurrent_days))
        .collect();
    assert_eq!(rules, [(true, "a/", true, Some(30), None), (false, "old/", false, None, Some(7))]);
    let copies = bucket.replication.known().expect("rules");
    assert_eq!((copies[0].bucket.as_str(), copies[0].prefix.as_str(), copies[0].tag_filter), ("copy", "a/", false));
    assert_eq!(bucket.ownership.known().map(String::as_str), Some("ObjectWriter"));
    assert_eq!(bucket.acl_log_delivery, Ok(true));
}

#[test]
fn a_retention_in_years_counts_days() {
    let lock = |retention: &str| {
        let body = format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
             {retention}</DefaultRetention></Rule></ObjectLockConfiguration>"
        );
        bucket(&[("GET /b/?object-lock", 200, body.leak())]).object_lock
    };
    let days = |lock: Observed<crate::inventory::s3::ObjectLock>| {
        lock.known().and_then(|lock| lock.default_retention.as_ref()).map(|retention| retention.days)
    };
    assert_eq!(days(lock("<Mode>COMPLIANCE</Mode><Years>2</Years>")), Some(730));
    assert_eq!(days(lock("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>0</Years>")), Some(1));
    assert_eq!(unknown(&lock("<Mode>GOVERNANCE</Mode>")).why, Why::Malformed);
}

#[test]
fn a_subnet_that_no_page_holds_does_not_exist() {
    let subnets = BTreeSet::from(["subnet-1".to_owned(), "subnet-2".to_owned()]);
    let scope = scope(&[
        ("DescribeSubnets", 200, "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId>
            <vpcId>vpc-1</vpcId><ownerId>222222222222</ownerId></item></subnetSet></DescribeSubnetsResponse>"),
        ("DescribeFlowLogs", 200, "<DescribeFlowLogsResponse><flowLogSet><item><flowLogId>fl-1</flowLogId>
            <resourceId>vpc-1</resourceId><flowLogStatus>ACTIVE</flowLogStatus></item></flowLogSet></DescribeFlowLogsResponse>"),
    ]);
    let places = |lines: &[Line]| -> Vec<Told<Option<String>>> {
        let places = lines.iter().filter_map(|line| match &line.fact {
            Fact::Subnet(subnet) => {
                Some(subnet.place.clone().map(|place| place.map(|p| format!("{} {}", p.vpc, p.owner))))
            }
            _ => None,
        });
        places.collect()
    };
    let lines = run(ec2::collect(&scope, &subnets));
    assert_eq!(places(&lines), [Ok(Some("vpc-1 222222222222".to_owned())), Ok(None)]);
    let log = lines.iter().find_map(|line| match &line.fact {
        Fact::FlowLog(log) => Some(log),
        _ => None,
    });
    let log = log.expect("a flow log");
    assert_eq!((log.active.clone(), why(&log.traffic)), (Ok(true), Why::Malformed));

    let denied = "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>";
    let scope = canned::scope(&[("DescribeSubnets", 403, denied), ("DescribeFlowLogs", 403, denied)]);
    let lines = run(ec2::collect(&scope, &subnets));
    assert!(places(&lines).iter().all(|place| why(place) == Why::Denied));
    assert_eq!(why(&listing(&lines, "ec2:DescribeFlowLogs").count), Why::Denied);
}

#[test]
fn log_groups_and_deliveries() {
    let scope = scope(&[
        ("DescribeLogGroups", 200, r#"{"logGroups": [{"logGroupName": "/g2"}], "nextToken": "1"}"#),
        ("DescribeLogGroups", 200, r#"{"logGroups": [{"logGroupName": "/g", "logGroupClass": "DELIVERY"}]}"#),
        (
            "DescribeSubscriptionFilters",
            200,
            r#"{"subscriptionFilters": [
            {"filterPattern": "", "destinationArn": "arn:all"}, {"filterPattern": "ERROR", "destinationArn": "arn:some"},
            {"fieldSelectionCriteria": "@aws.account = 1", "destinationArn": "arn:one"}]}"#,
        ),
        (
            "DescribeAccountPolicies",
            200,
            r#"{"accountPolicies": [
            {"policyDocument": "{\"DestinationArn\": \"arn:account\", \"FilterPattern\": \"\"}",
             "selectionCriteria": "LogGroupName NOT IN [\"/other\"]"},
            {"policyDocument": "{\"DestinationArn\": \"arn:not-this\"}",
             "selectionCriteria": "LogGroupName NOT IN [\"/g\"]"},
            {"policyDocument": "{\"DestinationArn\": \"arn:errors\", \"FilterPattern\": \"ERROR\"}"}]}"#,
        ),
        (
            "DescribeDeliverySources",
            200,
            r#"{"deliverySources": [
            {"name": "s", "logType": "S3_SERVER_ACCESS_LOGS", "status": "ACTIVE", "resourceArns": ["arn:aws:s3:::b"]},
            {"name": "other", "logType": "APPLICATION_LOGS"}]}"#,
        ),
        (
            "DescribeDeliveries",
            200,
            r#"{"deliveries": [
            {"deliverySourceName": "s", "deliveryDestinationArn": "arn:d"},
            {"deliverySourceName": "s", "deliveryDestinationArn": "arn:elsewhere"},
            {"deliverySourceName": "other", "deliveryDestinationArn": "arn:d"}]}"#,
        ),
        (
            "DescribeDeliveryDestinations",
            200,
            r#"{"deliveryDestinations": [
            {"arn": "arn:d", "deliveryDestinationConfiguration": {"destinationResourceArn": "arn:group"}}]}"#,
        ),
    ]);
    let groups = BTreeSet::from(["/g".to_owned()]);
    // Nothing canned is left for the second look at deliveries: it is met by an error.
    let (lines, first, second) = run(async {
        (logs::collect(&scope, &groups).await, logs::deliveries(&scope).await, logs::deliveries(&scope).await)
    });
    let Fact::LogGroup(group) = &lines[0].fact else { panic!("{lines:?}") };
    assert_eq!(lines[0].id.as_str(), format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/g"));
    let settings = group.settings.as_ref().expect("settings").as_ref().expect("a group");
    assert_eq!((settings.retention_days, settings.class.as_deref()), (None, Some("DELIVERY")));
    assert_eq!(group.subscriptions, Ok(vec!["arn:all".to_owned()]));
    assert_eq!(group.account_subscriptions, Ok(vec!["arn:account".to_owned()]));

    let deliveries = |lines: &[Line]| match &lines[0].fact {
        Fact::LogDeliveries(deliveries) => deliveries.s3_access.clone(),
        other => panic!("{other:?}"),
    };
    let found = deliveries(&first).expect("deliveries");
    let found: Vec<_> = found.iter().map(|d| (d.bucket_arn.as_str(), d.active, d.destination_arn.as_str())).collect();
    assert_eq!(found, [("arn:aws:s3:::b", true, "arn:elsewhere"), ("arn:aws:s3:::b", true, "arn:group")]);
    assert_eq!(why(&deliveries(&second)), Why::Failed);
}

#[test]
fn bedrock_resources_and_what_they_use() {
    let scope = scope(&[
        ("GET /logging/modelinvocations", 200, r#"{"loggingConfig": {"textDataDeliveryEnabled": true}}"#),
        ("GET /guardrails", 200, r#"{}"#),
        (
            "GET /model-invocation-jobs",
            200,
            r#"{"invocationJobSummaries": [{"jobArn": "arn:job", "jobName": "batch", "modelId": "m",
            "roleArn": "r", "submitTime": "2026-01-01T00:00:00Z", "status": "Completed",
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://in/"}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://out/"}},
            "vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}}]}"#,
        ),
    ]);
    let lines = run(bedrock::collect(&scope));
    let region = lines.iter().find_map(|line| match &line.fact {
        Fact::Bedrock(region) => Some(region),
        _ => None,
    });
    let region = region.expect("the region");
    assert_eq!(region.logging, Observed::Absent);
    assert_eq!(why(&region.mantle_metrics), Why::Failed);
    assert_eq!(why(&listing(&lines, "bedrock:ListGuardrails").count), Why::Malformed);
    let batch = workload(&lines, "batch");
    assert_eq!(batch.placement, Ok(Placement::Subnets(vec!["subnet-1".to_owned()])));
    assert_eq!(
        uses(batch),
        [
            "app_data inputDataConfig.s3InputDataConfig.s3Uri s3://in/",
            "app_data outputDataConfig.s3OutputDataConfig.s3Uri s3://out/",
        ]
    );
}

#[test]
fn data_sources_of_a_knowledge_base_that_cannot_be_listed_stay_open() {
    let time = "2026-01-01T00:00:00Z";
    let bases = format!(
        r#"{{"knowledgeBaseSummaries": [{{"knowledgeBaseId": "K1", "name": "one", "status": "ACTIVE", "updatedAt": "{time}"}},
            {{"knowledgeBaseId": "K2", "name": "two", "status": "ACTIVE", "updatedAt": "{time}"}}]}}"#
    );
    let source = format!(
        r#"{{"dataSource": {{"knowledgeBaseId": "K1", "dataSourceId": "D1", "name": "docs", "status": "AVAILABLE",
            "createdAt": "{time}", "updatedAt": "{time}", "dataSourceConfiguration":
            {{"type": "S3", "s3Configuration": {{"bucketArn": "arn:aws:s3:::docs"}}}}}}}}"#
    );
    let sources = format!(
        r#"{{"dataSourceSummaries": [{{"knowledgeBaseId": "K1", "dataSourceId": "D1", "name": "docs", "status": "AVAILABLE", "updatedAt": "{time}"}}]}}"#
    );
    let flow = format!(
        r#"{{"name": "flow", "executionRoleArn": "r", "id": "F1", "arn": "arn:flow", "status": "Prepared", "createdAt": "{time}",
            "updatedAt": "{time}", "version": "DRAFT", "definition": {{"nodes": [{{"name": "loop", "type": "Loop", "configuration":
            {{"loop": {{"definition": {{"nodes": [{{"name": "save", "type": "Storage", "configuration": {{"storage":
            {{"serviceConfiguration": {{"s3": {{"bucketName": "saved"}}}}}}}}}}]}}}}}}}}]}}}}"#
    );
    let flows = format!(
        r#"{{"flowSummaries": [{{"name": "flow", "id": "F1", "arn": "arn:flow", "status": "Prepared", "createdAt": "{time}", "updatedAt": "{time}", "version": "DRAFT"}}]}}"#
    );
    let scope = scope(&[
        ("POST /agents", 200, r#"{"agentSummaries": []}"#),
        ("POST /knowledgebases/K1/datasources", 200, sources.leak()),
        ("POST /knowledgebases/K2/datasources", 403, r#"{"message": "no"}"#),
        ("GET /knowledgebases/K1/datasources/D1", 200, source.leak()),
        ("POST /knowledgebases ", 200, bases.leak()),
        ("GET /flows/F1", 200, flow.leak()),
        ("GET /flows?", 200, flows.leak()),
    ]);
    let lines = run(bedrockagent::collect(&scope));
    assert_eq!(listing(&lines, "bedrock-agent:ListKnowledgeBases").count, Ok(2));
    assert_eq!(why(&listing(&lines, "bedrock-agent:ListDataSources").count), Why::Denied);
    assert_eq!(
        uses(workload(&lines, "docs")),
        ["training dataSourceConfiguration.s3Configuration.bucketArn arn:aws:s3:::docs"]
    );
    assert_eq!(
        uses(workload(&lines, "flow")),
        [
            "app_data definition.nodes[0].configuration.loop.definition.nodes[0].configuration.storage.serviceConfiguration.s3.bucketName saved"
        ]
    );
    // Described by calls that found no answer.
    assert_eq!(why(&workload(&lines, "two").uses), Why::Failed);
}

#[test]
fn a_service_that_a_region_lacks_is_not_asked_on() {
    let absent = r#"{"__type": "UnknownOperationException"}"#;
    let models = r#"{"Models": []}"#;
    let scope = scope(&[("ListEndpoints", 400, absent), ("ListModels", 200, models)]);
    let lines = run(sagemaker::collect(&scope));
    assert_eq!(why(&listing(&lines, "sagemaker:ListModels").count), Why::ServiceAbsent);
    assert_eq!(lines.len(), 10);

    // One list that is absent does not speak for the service.
    let flows = r#"{"flowSummaries": []}"#;
    let scope = canned::scope(&[
        ("POST /agents", 404, r#"{"__type": "UnknownOperationException"}"#),
        ("POST /knowledgebases ", 200, r#"{"knowledgeBaseSummaries": []}"#),
        ("GET /flows?", 200, flows),
    ]);
    let lines = run(bedrockagent::collect(&scope));
    assert_eq!(why(&listing(&lines, "bedrock-agent:ListAgents").count), Why::ServiceAbsent);
    assert_eq!(listing(&lines, "bedrock-agent:ListFlows").count, Ok(0));
}

/// The SDK cannot read an error in a form that is not the protocol's, as gateways of AWS send it; the status still tells.
#[test]
fn errors_in_no_known_form_go_by_the_status() {
    let of_status = |status: u16| {
        let page = "<html>a gateway's page</html>";
        let scope = scope(&[
            ("ListEndpoints", 200, r#"{"Endpoints": [{"EndpointName": "e", "EndpointArn": "arn:e"}]}"#),
            ("DescribeEndpoint", status, page),
            ("ListModels", status, ""),
            ("ListDomains", status, page),
        ]);
        let lines = run(sagemaker::collect(&scope));
        let count = |call| why(&listing(&lines, call).count);
        [why(&workload(&lines, "e").uses), count("sagemaker:ListModels"), count("sagemaker:ListDomains")]
    };
    assert_eq!(of_status(403), [Why::Denied; 3]);
    assert_eq!(of_status(500), [Why::Failed; 3]);
}

#[test]
fn a_bucket_in_another_region_is_there() {
    let error = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
    let exists = |status, code: &str| {
        let scope = scope(&[("GET /b/?location", status, error(code).leak())]);
        match &run(s3::probe(&scope, &BTreeSet::from(["b".to_owned()])))[0].fact {
            Fact::BucketProbe(probe) => probe.exists.clone().map_err(|unknown| unknown.why),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(exists(301, "PermanentRedirect"), Ok(true));
    assert_eq!(exists(400, "IllegalLocationConstraintException"), Ok(true));
    assert_eq!(exists(404, "NoSuchBucket"), Ok(false));
    assert_eq!(exists(403, "AccessDenied"), Err(Why::Foreign));
}
