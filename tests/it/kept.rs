//! How long evidence lives, what its copies are worth, and what keeps it from arriving: traps of S3's own rules.

use locard::finding::Source;
use locard::inventory::Fact;
use locard::inventory::kms::{Key, KeyState};
use locard::inventory::s3::{Bucket, DefaultRetention, LifecycleRule, ObjectLock, ReplicationRule};
use locard::inventory::sagemaker::LiveCapture;
use locard::model::observed::Observed;
use serde_json::{Value, json};

use crate::estate::{Estate, LAKE, PROD, copies_to, denied, judged, takes_copies};

const EVIDENCE: &str = "prod-evidence";

fn rule(expiration: Option<u32>, noncurrent: Option<u32>) -> LifecycleRule {
    LifecycleRule {
        id: None,
        enabled: true,
        prefix: String::new(),
        tag_or_size_filter: false,
        expiration_days: expiration,
        expiration_date: None,
        noncurrent_days: noncurrent,
        newer_noncurrent_versions: None,
    }
}

fn lock(mode: &str, days: u32) -> Observed<ObjectLock> {
    Observed::Known(ObjectLock { default_retention: Some(DefaultRetention { mode: mode.into(), days }) })
}

fn policy(statement: Value) -> Observed<String> {
    Observed::Known(json!({ "Statement": statement }).to_string())
}

/// A check on the bucket that captures and records land in, after a change to it.
fn evidence(check: &str, wanted: &str, change: impl Fn(&mut Bucket)) {
    judged(check, EVIDENCE, &[wanted], |e| e.edit_bucket(EVIDENCE, change));
}

#[test]
fn a_lock_counts_from_creation() {
    let short = "bedrock-log-bucket-short-lived";
    let kept = |days, rules: Vec<LifecycleRule>| {
        move |b: &mut Bucket| {
            b.object_lock = lock("COMPLIANCE", days);
            b.lifecycle = Observed::Known(rules.clone());
        }
    };
    evidence(short, "fail", kept(60, vec![rule(Some(31), Some(1))]));
    evidence(short, "pass", kept(100, vec![rule(Some(31), Some(1))]));
    evidence(short, "pass", kept(60, vec![rule(Some(60), Some(31))]));
    // A version may be as old as the lock when another takes its place.
    judged("bucket-history-short-lived", "prod-models", &["fail"], |e| {
        e.edit_bucket("prod-models", kept(400, vec![rule(None, Some(1))]));
    });
}

#[test]
fn the_newest_versions_outlive_their_rule() {
    let newest = LifecycleRule { newer_noncurrent_versions: Some(1), ..rule(Some(30), Some(30)) };
    let change = move |b: &mut Bucket| {
        b.object_lock = Observed::Absent;
        b.lifecycle = Observed::Known(vec![newest.clone()]);
    };
    evidence("bedrock-log-bucket-short-lived", "pass", change.clone());
    judged("bucket-history-short-lived", "prod-models", &["unknown"], |e| e.edit_bucket("prod-models", change));
}

#[test]
fn a_filter_leaves_unknown_only_what_it_may_decide() {
    let tagged = |days| LifecycleRule { tag_or_size_filter: true, ..rule(Some(days), Some(1)) };
    let short = "bedrock-log-bucket-short-lived";
    let kept = |rules: Vec<LifecycleRule>| {
        move |b: &mut Bucket| {
            b.object_lock = Observed::Absent;
            b.lifecycle = Observed::Known(rules.clone());
        }
    };
    evidence(short, "fail", kept(vec![rule(Some(10), Some(1)), tagged(400)]));
    evidence(short, "unknown", kept(vec![rule(Some(400), Some(1)), tagged(10)]));
}

#[test]
fn rules_on_other_logs_in_a_shared_bucket_leave_these_alone() {
    let expiring =
        |prefix: &str| Observed::Known(vec![LifecycleRule { prefix: prefix.into(), ..rule(Some(7), Some(1)) }]);
    for (prefix, wanted) in [("invocations/AWSLogs/333333333333/CloudTrail/", "pass"), ("invocations/AWSLogs/", "fail")]
    {
        evidence("bedrock-log-bucket-short-lived", wanted, |b| {
            b.object_lock = Observed::Absent;
            b.lifecycle = expiring(prefix);
        });
    }
    for (prefix, organization, wanted) in [
        ("AWSLogs/222222222222/vpcflowlogs/", true, "pass"),
        ("AWSLogs/o-abc/", true, "fail"),
        ("AWSLogs/333333333333/vpcflowlogs/", false, "pass"),
        ("AWSLogs/333333333333/CloudTrail-Digest/", false, "fail"),
    ] {
        judged("trail-bucket-short-lived", "org-trail", &[wanted], |e| {
            if !organization {
                e.second_trail(PROD, |trail| trail.organization = Ok(false));
            }
            e.edit_bucket("org-trail", |b| {
                b.object_lock = Observed::Absent;
                b.lifecycle = expiring(prefix);
            });
        });
    }
}

/// The evidence has no lock of its own, and is replicated by a rule.
fn replicated(e: &mut Estate, rule: &ReplicationRule) {
    e.edit_bucket("org-trail", |b| b.policy = takes_copies("org-trail"));
    e.edit_bucket(EVIDENCE, |b| {
        b.object_lock = Observed::Absent;
        b.replication = Observed::Known(vec![rule.clone()]);
    });
}

#[test]
fn copies_count_where_they_arrive() {
    let mutable = "bedrock-log-bucket-mutable";
    let with = |wanted: &str, rule: ReplicationRule, change: &dyn Fn(&mut Bucket)| {
        judged(mutable, EVIDENCE, &[wanted], |e| {
            replicated(e, &rule);
            e.edit_bucket("org-trail", change);
        });
    };
    let rule = || copies_to("org-trail", "");
    with("pass", rule(), &|_| {});
    with("fail", rule(), &|b| b.policy = Observed::Absent);
    with("unknown", rule(), &|b| b.policy = Observed::Unknown(denied("s3:GetBucketPolicy")));
    with("fail", rule(), &|b| b.versioning = Observed::Absent);
    with("fail", ReplicationRule { account: Some(LAKE.into()), ..rule() }, &|_| {});
    with("fail", ReplicationRule { role: Some(format!("arn:aws:iam::{PROD}:role/other")), ..rule() }, &|_| {});
    with("unknown", ReplicationRule { role: None, ..rule() }, &|_| {});
    let replicate = |more: Value| {
        let mut statement = json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{PROD}:root")},
            "Action": "s3:ReplicateObject", "Resource": "arn:aws:s3:::org-trail/*"});
        statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        statement
    };
    with("pass", rule(), &|b| b.policy = policy(replicate(json!({}))));
    with("pass", rule(), &|b| {
        b.policy = policy(replicate(json!({"Condition": {"StringEquals": {"aws:PrincipalAccount": PROD}}})));
    });
    for (condition, wanted) in [
        (json!({"StringEquals": {"aws:PrincipalOrgID": "o-example"}}), "pass"),
        (json!({"StringEquals": {"aws:PrincipalOrgID": "o-other"}}), "fail"),
        (json!({"StringEquals": {"aws:PrincipalTag/team": "data"}}), "unknown"),
    ] {
        with(wanted, rule(), &|b| {
            b.policy = policy(replicate(json!({"Principal": "*", "Condition": condition.clone()})));
        });
    }
    let session = format!("arn:aws:sts::{PROD}:assumed-role/replication/s3-replication");
    with("unknown", rule(), &|b| b.policy = policy(replicate(json!({"Principal": {"AWS": session.clone()}}))));
    with("fail", rule(), &|b| b.policy = policy(replicate(json!({"Action": "s3:ReplicateDelete"}))));
    with("fail", rule(), &|b| {
        b.policy = policy(json!([replicate(json!({})), replicate(json!({"Effect": "Deny", "Principal": "*"}))]));
    });
}

#[test]
fn copies_keep_the_lock_of_what_was_copied() {
    let locked = |mode: &'static str, days| {
        move |e: &mut Estate| {
            replicated(e, &copies_to("org-trail", ""));
            e.edit_bucket(EVIDENCE, |b| b.object_lock = lock(mode, days));
        }
    };
    judged("bedrock-log-bucket-mutable", EVIDENCE, &["fail"], locked("GOVERNANCE", 30));
    judged("bedrock-log-bucket-mutable", EVIDENCE, &["pass"], locked("COMPLIANCE", 400));
}

/// Within an account the role's own permissions suffice, and a policy may still refuse.
#[test]
fn a_bucket_beside_may_refuse_copies_too() {
    let with = |wanted: &str, document: Observed<String>| {
        judged("bedrock-log-bucket-mutable", EVIDENCE, &[wanted], |e| {
            let rule = ReplicationRule { account: None, ..copies_to("prod-models", "") };
            e.edit_bucket(EVIDENCE, |b| {
                b.object_lock = Observed::Absent;
                b.replication = Observed::Known(vec![rule.clone()]);
            });
            e.edit_bucket("prod-models", |b| b.policy = document.clone());
        });
    };
    with("pass", Observed::Absent);
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:Replicate*", "Resource": "*"});
    with("fail", policy(deny));
}

#[test]
fn what_expires_lives_on_in_its_copies() {
    let short = "bedrock-log-bucket-short-lived";
    let expires =
        |e: &mut Estate| e.edit_bucket(EVIDENCE, |b| b.lifecycle = Observed::Known(vec![rule(Some(7), Some(1))]));
    judged(short, EVIDENCE, &["pass"], |e| {
        replicated(e, &copies_to("org-trail", ""));
        expires(e);
    });
    judged(short, EVIDENCE, &["fail"], |e| {
        replicated(e, &copies_to("org-trail", "capture/"));
        expires(e);
    });
    judged(short, EVIDENCE, &["fail"], |e| {
        replicated(e, &copies_to("org-trail", ""));
        expires(e);
        e.edit_bucket("org-trail", |b| {
            b.object_lock = Observed::Absent;
            b.lifecycle = Observed::Known(vec![rule(Some(30), Some(1))]);
        });
    });
}

/// What is copied locked for a month is locked for a month elsewhere too, and gone then where rules say so.
#[test]
fn copies_live_as_long_as_the_lock_they_have() {
    let short = "bedrock-log-bucket-short-lived";
    for (days, wanted) in [(30, "fail"), (100, "pass")] {
        judged(short, EVIDENCE, &[wanted], |e| {
            replicated(e, &copies_to("org-trail", ""));
            e.edit_bucket(EVIDENCE, |b| {
                b.object_lock = lock("COMPLIANCE", days);
                b.lifecycle = Observed::Known(vec![rule(Some(7), Some(1))]);
            });
            e.edit_bucket("org-trail", |b| b.lifecycle = Observed::Known(vec![rule(Some(7), Some(1))]));
        });
    }
    // One that cannot be followed takes nothing from one that is kept for ever.
    judged(short, EVIDENCE, &["pass"], |e| {
        replicated(e, &copies_to("org-trail", ""));
        e.edit_bucket(EVIDENCE, |b| {
            b.lifecycle = Observed::Known(vec![rule(Some(7), Some(1))]);
            b.replication = Observed::Known(vec![copies_to("org-trail", ""), copies_to("of-somebody-else", "")]);
        });
    });
}

#[test]
fn a_policy_that_refuses_records_keeps_them_from_arriving() {
    let deny = |principal: Value, condition: Value| {
        policy(json!({"Effect": "Deny", "Principal": principal, "Action": "s3:Put*",
            "Resource": format!("arn:aws:s3:::{EVIDENCE}/*"), "Condition": condition}))
    };
    let insecure = json!({"Bool": {"aws:SecureTransport": "false"}});
    let header = json!({"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}});
    for (principal, condition, bedrock, capture) in [
        (json!("*"), json!({}), "fail", "fail"),
        (json!({"Service": "bedrock.amazonaws.com"}), json!({}), "fail", "pass"),
        (json!({"AWS": PROD}), json!({}), "pass", "fail"),
        (json!({"AWS": format!("arn:aws:iam::{PROD}:role/other")}), json!({}), "pass", "unknown"),
        (json!("*"), insecure, "pass", "pass"),
        // That records are seen to arrive tells the first.
        (json!("*"), header, "pass", "unknown"),
    ] {
        let change =
            |e: &mut Estate| e.edit_bucket(EVIDENCE, |b| b.policy = deny(principal.clone(), condition.clone()));
        judged("bedrock-logging-undeliverable", "us-east-1", &[bedrock], change);
        judged("capture-destination-missing", "ranking", &[capture], change);
    }
}

#[test]
fn data_capture_may_name_a_key_of_its_own() {
    let arn = format!("arn:aws:kms:us-east-1:{PROD}:key/capture");
    for (state, wanted) in [("Enabled", "pass"), ("PendingDeletion", "fail")] {
        judged("capture-key-unusable", "ranking", &[wanted], |e| {
            e.edit_live(|live| live.kms_key = Observed::Known("capture".into()));
            let state = KeyState { arn: arn.clone(), state: state.into(), manager: Some("CUSTOMER".into()) };
            let key = Fact::Key(Key { reference: arn.clone(), state: Ok(state) });
            e.add(PROD, Some("us-east-1"), &arn, "kms:DescribeKey", key);
        });
    }
    // A snapshot from before that was read does not say.
    let before = json!({"enabled": true, "started": true, "sampling_percentage": 100, "destination": "s3://b/c"});
    let before: LiveCapture = serde_json::from_value(before).unwrap();
    for key in [before.kms_key, Observed::Known("unread".into())] {
        judged("capture-key-unusable", "ranking", &["unknown"], |e| e.edit_live(|live| live.kms_key = key.clone()));
    }
}

/// No fix may lock a bucket that access logs go to, whoever sends them.
#[test]
fn a_bucket_open_to_access_logs_is_not_to_be_locked() {
    let change = |e: &mut Estate| {
        e.edit_bucket("org-trail", |b| {
            b.object_lock = Observed::Absent;
            b.policy = policy(json!({"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"},
                "Action": "s3:PutObject", "Resource": "*"}));
        });
    };
    judged("trail-bucket-mutable", "org-trail", &[], change);
    judged("trail-bucket-unlockable", "org-trail", &["fail"], change);
}

#[test]
fn a_flow_log_of_one_interface_may_be_that_of_a_workload() {
    judged("subnet-flows-unrecorded", "vpc-1", &["unknown"], |e| {
        e.edit_flow(|log| log.resource = "eni-1".into());
    });
    judged("subnet-flows-unrecorded", "vpc-1", &["fail"], |e| {
        e.edit_flow(|log| (log.resource, log.traffic) = ("eni-1".into(), Ok("NONE".into())));
    });
    judged("subnet-flows-unrecorded", "vpc-1", &["pass"], |e| e.flow_log("fl-eni", "eni-1", "ALL"));
}

#[test]
fn whom_a_deny_spares_must_be_someone() {
    let spares = |operator: &str, key: &str, value: Value, wanted: &str| {
        judged("access-log-bucket-mutable", "prod-access-logs", &[wanted], |e| {
            e.edit_bucket("prod-access-logs", |b| {
                let Observed::Known(text) = &b.policy else { panic!("no policy") };
                let mut document: Value = serde_json::from_str(text).unwrap();
                document["Statement"][1]["Condition"] = json!({ operator: { key: value } });
                b.policy = Observed::Known(document.to_string());
            });
        });
    };
    let arn = |resource: &str| json!(format!("arn:aws:iam::{PROD}:{resource}"));
    for (resource, wanted) in
        [("role/janitor-*", "pass"), ("role/*", "fail"), ("r*", "fail"), ("*role/*", "fail"), ("role/team/*", "pass")]
    {
        spares("ArnNotLike", "aws:PrincipalArn", arn(resource), wanted);
    }
    spares("StringNotLike", "aws:userid", json!(["AROA*", "AIDA*"]), "fail");
    spares("StringNotLike", "aws:userid", json!("AROAEXAMPLE:*"), "pass");
    spares("StringNotLike", "aws:userid", json!("*:breakglass"), "fail");
}

/// An answer that leaves out where evidence goes leaves open what is there.
#[test]
fn a_destination_that_was_not_told_opens_its_holders() {
    let open = |change: &dyn Fn(&mut Estate)| {
        let mut estate = Estate::healthy();
        change(&mut estate);
        let open = estate.graphs().into_iter().flat_map(|graph| graph.open);
        open.filter_map(|open| (open.kind == "evidence_bucket").then_some(open.source?)).collect::<Vec<_>>()
    };
    assert_eq!(open(&|_| {}), []);
    let lost = |e: &mut Estate| e.edit_trail(|trail| trail.bucket = Err(denied("cloudtrail:DescribeTrails")));
    assert_eq!(open(&lost), [Source::ApiActivity]);
    let lost = |e: &mut Estate| e.edit_flow(|log| (log.destination, log.log_group) = (None, None));
    assert_eq!(open(&lost), [Source::NetworkFlows]);
}
