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
    let again = Estate::generate(plan, now()).to_yaml().unwrap().unwrap();
    assert_eq!(again, text);
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
