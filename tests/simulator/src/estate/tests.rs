use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{Estate, Plan};

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn read(text: &str) -> Estate {
    Estate::from_yaml(text, now()).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn what_follows_need_not_be_written() {
    let estate = read(
        r#"
        templates:
          locked: {versioning: Enabled, object_lock: {ObjectLockEnabled: Enabled}}
        accounts:
          - id: "012345678901"
            buckets:
              logs-<account>: {like: locked, policy: {Resource: "arn:aws:s3:::logs-<account>/*"}, versioning: Suspended}
            resources:
              eu-west-1:
                sagemaker: {endpoints: [{EndpointName: Ranking, CreationTime: -2h}]}
                logs: {groups: [{logGroupName: /app, creationTime: "2026-11-25"}]}
                bedrock: {logging: {textDataDeliveryEnabled: true}, guardrails: [{guardrailId: g1, createdAt: -1d}]}
        "#,
    );
    assert!(estate.organization.is_none());
    let account = estate.account("012345678901").unwrap();
    let bucket = &account.buckets["logs-012345678901"];
    assert_eq!(bucket.policy.as_deref(), Some(r#"{"Resource":"arn:aws:s3:::logs-012345678901/*"}"#));
    assert_eq!(bucket.versioning, Some(json!({ "Status": "Suspended" })));
    assert_eq!(bucket.object_lock, Some(json!({ "ObjectLockEnabled": "Enabled" })));
    assert_eq!(estate.owner("logs-012345678901").unwrap().id, "012345678901");

    let endpoint = &account.all("eu-west-1", "sagemaker", "endpoints")[0];
    assert_eq!(endpoint["EndpointArn"], "arn:aws:sagemaker:eu-west-1:012345678901:endpoint/ranking");
    assert_eq!(endpoint["CreationTime"], json!(now().as_second() as f64 - 7200.0));
    assert_eq!(endpoint["EndpointStatus"], "InService");
    let midnight: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
    assert_eq!(account.all("eu-west-1", "logs", "groups")[0]["creationTime"], midnight.as_millisecond());
    assert_eq!(account.all("eu-west-1", "bedrock", "guardrails")[0]["createdAt"], "2026-11-24T12:00:00.000Z");
    assert_eq!(account.one("eu-west-1", "bedrock", "logging").unwrap()["textDataDeliveryEnabled"], true);
    assert!(account.all("us-east-1", "sagemaker", "endpoints").is_empty());
}

#[test]
fn all_problems_are_told_at_once() {
    let text = r#"
        organisation: {}
        accounts:
          - {id: 12, buckets: {a: {like: nothing}}}
          - {id: "111111111111", unit: Nowhere, state: GONE, resources: {mars-1: {sagemaker: {endpoint: []}}}}
          - {id: "111111111111", resources: {us-east-1: {sagemaker: {endpoints: [{Name: x}]}}}}
        "#;
    let problems = Estate::from_yaml(text, now()).err().unwrap().to_string();
    for wanted in [
        "organisation is not known",
        "accounts[0].id: a text is expected; put it into quotes",
        "no unit Nowhere",
        "state is one of",
        "mars-1: no such region",
        "mars-1.sagemaker.endpoint: not known; there are endpoints,",
        "endpoints[0]: EndpointName is missing",
        "111111111111 is written twice",
    ] {
        assert!(problems.contains(wanted), "{wanted} in\n{problems}");
    }
}

#[test]
fn what_aws_would_refuse_is_refused() {
    let text = r#"
        organization: {management: "111111111111", delegated: ["999999999999"]}
        regions: [us-east-1, eu-wst-1]
        accounts:
          - {id: "111111111111", regions: [us-east-1]}
          - id: "222222222222"
            regions: [us-east-1]
            joined_by: INVITDE
            buckets:
              B_A: {}
              one-222222222222: {region: eu-west-9, created: yesterday, versioning: Enabeld, object_lock: "yes"}
              one-<account>: {lifecycle: {Rules: [{Status: Enabled}, {Status: "On"}]}, like: nope}
            resources:
              eu-west-1: {}
              us-east-1:
                sagemakr: {}
                sagemaker:
                  models: [{ModelName: a, CreationTime: yesterday}]
                  endpoints: [{EndpointName: a}, {EndpointName: b, Steps: [{}, {StartTime: -2x}]}, {EndpointName: a}]
                cloudtrail: {trails: [{Name: all, IsOrganizationTrail: true}]}
                ec2: {flow_logs: [{FlowLogId: fl-1, TrafficType: SOME}]}
        "#;
    let problems = Estate::from_yaml(text, now()).err().unwrap().0;
    let account = "accounts[1] (222222222222)";
    let wanted = [
        ("estate.regions", "no such region: eu-wst-1; there are us-east-1, "),
        (account, "joined_by is one of INVITED, CREATED, not INVITDE"),
        (".buckets.B_A", "names of buckets have lower case letters, digits"),
        (".buckets.one-222222222222.region", "no such region: eu-west-9"),
        (".buckets.one-222222222222.created", "\"yesterday\" is no time; write 2026-11-25T12:00:00Z, "),
        (".buckets.one-222222222222", "versioning.Status is one of Enabled, Suspended, not \"Enabeld\""),
        (".buckets.one-222222222222.object_lock", "a mapping is expected"),
        (".buckets.one-<account>", "no template nope; there are none"),
        (".buckets.one-<account>", "lifecycle.Rules.Status is one of Enabled, Disabled, not \"On\""),
        (".buckets.one-<account>", "the bucket is written twice"),
        (".resources.eu-west-1", "the account does not have the region; it has us-east-1"),
        (".resources.us-east-1.sagemakr", "not known; there are sagemaker, bedrock, "),
        (".resources.us-east-1.sagemaker.models[0].CreationTime", "\"yesterday\" is no time"),
        (".resources.us-east-1.sagemaker.endpoints[1].Steps[1].StartTime", "\"-2x\" is no time"),
        (".resources.us-east-1.sagemaker.endpoints[2]", "a is written twice"),
        (".resources.us-east-1.ec2.flow_logs[0]", "TrafficType is one of ACCEPT, ALL, REJECT, not \"SOME\""),
        (".resources.us-east-1.cloudtrail.trails", "all: an organization's trail is written in its management account"),
        ("organization.delegated", "999999999999 is none of the accounts"),
    ];
    assert_eq!(problems.len(), wanted.len(), "{}", problems.join("\n"));
    for (problem, (path, what)) in problems.iter().zip(wanted) {
        let path = if path.starts_with('.') { format!("{account}{path}") } else { path.to_owned() };
        assert!(problem.starts_with(&format!("{path}: {what}")), "{path}: {what}, not\n{problem}");
    }
}

#[test]
fn what_is_not_of_aws_is_left_as_it_is() {
    let estate = read(
        r#"
        accounts:
          - id: "012345678901"
            buckets:
              kept: {object_lock: null, policy: {Condition: {DateLessThan: {"aws:CurrentTime": "${aws:EpochTime}"}}}}
            resources:
              us-east-1:
                sagemaker: {training_jobs: [{TrainingJobName: a, HyperParameters: {look_At: "-1d", StartTime: soon}}]}
                cloudwatch:
                  metrics:
                    - {Namespace: AWS/Bedrock, MetricName: Invocations, Dimensions: [{Name: ModelId, Value: a}]}
                    - {Namespace: AWS/Bedrock, MetricName: Invocations, Dimensions: [{Name: ModelId, Value: b}]}
        "#,
    );
    let account = estate.account("012345678901").unwrap();
    let bucket = &account.buckets["kept"];
    assert!(bucket.policy.as_ref().unwrap().contains("${aws:EpochTime}") && bucket.object_lock.is_none());
    let job = account.one("us-east-1", "sagemaker", "training_jobs").unwrap();
    assert_eq!(job["HyperParameters"], json!({"look_At": "-1d", "StartTime": "soon"}));
    assert_eq!(account.all("us-east-1", "cloudwatch", "metrics").len(), 2);
}

#[test]
fn a_generated_organization_is_the_one_its_yaml_says() {
    let plan = Plan { accounts: 60, regions: 5, seed: 7 };
    let generated = Estate::generate(plan, now());
    let text = generated.to_yaml().unwrap().unwrap();
    let read = read(&text);
    assert_eq!(read.organization, generated.organization);
    assert_eq!(read.listed(), generated.listed());
    for listed in generated.listed() {
        let account = generated.account(&listed.id).unwrap();
        assert_eq!(read.account(&listed.id).unwrap(), account);
        for bucket in account.buckets.keys() {
            assert_eq!(generated.owner(bucket).map(|owner| &owner.id), Some(&listed.id), "{bucket}");
        }
    }
    let later = Estate::generate(plan, now() + jiff::SignedDuration::from_hours(5));
    assert_eq!(later.listed(), generated.listed());
    assert_eq!(later.to_yaml().unwrap().unwrap(), text);
    let other = Estate::generate(Plan { seed: 8, ..plan }, now()).to_yaml().unwrap().unwrap();
    assert_ne!(other, text);
}

#[test]
fn a_generated_organization_is_mostly_without_ai_and_never_twice_the_same_account() {
    let plan = Plan { accounts: 2000, regions: 17, seed: 1 };
    let estate = Estate::generate(plan, now());
    let ids: BTreeSet<&str> = estate.listed().iter().map(|listed| listed.id.as_str()).collect();
    assert_eq!(ids.len(), 2000);
    let ai = ids.iter().filter(|id| {
        let account = estate.account(id).unwrap();
        account.everywhere("sagemaker", "endpoints").next().is_some()
            || account.everywhere("cloudwatch", "metrics").next().is_some()
    });
    let share = ai.count() as f64 / 2000.0;
    assert!((0.17..0.24).contains(&share), "{share}");
    let large = estate.account(&estate.listed()[5].id).unwrap();
    let jobs: Vec<_> = large.everywhere("sagemaker", "training_jobs").collect();
    assert!(jobs.len() >= 50, "{}", jobs.len());
}
