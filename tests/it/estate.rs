//! A clean estate that every built-in check passes, and what breaking one thing in it does.
//!
//! Facts go in, findings come out: `relate` and the built-in checks are tested together, over the traps that peers
//! fall into.

use std::collections::BTreeMap;
use std::convert::Infallible;

use locard::check::{self, CheckSet};
use locard::config::Requirements;
use locard::finding::{Finding, Source, Status, Truth};
use locard::inventory::bedrock::{BedrockMetrics, BedrockRegion, CloudWatchSink, InvocationLogging, S3Sink};
use locard::inventory::cloudtrail::{AdvancedSelector, BasicSelector, FieldSelector, Selectors, Trail, TrailStatus};
use locard::inventory::ec2::{FlowLog, Subnet, SubnetPlace};
use locard::inventory::logs::{LogDeliveries, LogGroup, LogGroupSettings, S3AccessDelivery};
use locard::inventory::organizations::{Account, AccountEntry, Organization, OrganizationId};
use locard::inventory::s3::{
    AccessLogging, Bucket, BucketName, BucketProbe, DefaultRetention, Encryption, LifecycleRule, ObjectLock,
    ReplicationRule, Versioning,
};
use locard::inventory::sagemaker::{CaptureConfig, Endpoint, EndpointConfig, EndpointMetrics, LiveCapture, Variant};
use locard::inventory::workload::{Placement, S3Role, S3Use, Workload, WorkloadKind};
use locard::inventory::{AccountFacts, Fact, Line, Listing, Read};
use locard::model::ids::{AccountId, Partition, Region};
use locard::model::observed::{Observed, Unknown, Why};
use locard::model::time::{Moment, Timestamp};
use locard::relate::graph;
use locard::relate::shared::Shared;
use locard::relate::subject::AccountGraph;
use rayon::prelude::*;

pub(crate) const MANAGEMENT: &str = "111111111111";
pub(crate) const ARCHIVE: &str = "222222222222";
pub(crate) const PROD: &str = "333333333333";
pub(crate) const LAKE: &str = "444444444444";
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const HOME: &str = "us-east-1";

fn now() -> Timestamp {
    Timestamp::parse("2026-11-01T12:00:00Z").expect("a constant")
}

fn ago(hours: i64) -> Moment {
    Moment { at: Timestamp::from_unix(now().unix() - hours * 3600), read: now() }
}

fn read(call: &str) -> Vec<Read> {
    vec![Read { call: call.to_owned(), at: now() }]
}

pub(crate) fn denied(call: &str) -> Unknown {
    Unknown::new(call, Why::Denied)
}

/// A rule that replicates what lies below a prefix of a bucket of [`PROD`] to the archive.
pub(crate) fn copies_to(bucket: &str, prefix: &str) -> ReplicationRule {
    ReplicationRule {
        enabled: true,
        prefix: prefix.into(),
        tag_filter: false,
        kms_objects: Some(false),
        bucket: bucket.into(),
        account: Some(ARCHIVE.into()),
        role: Some(format!("arn:aws:iam::{PROD}:role/replication")),
    }
}

/// The policy of a bucket that lets it do so.
pub(crate) fn takes_copies(bucket: &str) -> Observed<String> {
    let policy = serde_json::json!({"Statement": {"Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{PROD}:role/replication")},
        "Action": ["s3:ReplicateObject", "s3:ReplicateDelete"], "Resource": format!("arn:aws:s3:::{bucket}/*")}});
    Observed::Known(policy.to_string())
}

const LISTINGS: &[&str] = &[
    "sagemaker:ListEndpoints",
    "sagemaker:ListModels",
    "sagemaker:ListTrainingJobs",
    "sagemaker:ListProcessingJobs",
    "sagemaker:ListTransformJobs",
    "sagemaker:ListHyperParameterTuningJobs",
    "sagemaker:ListAutoMLJobs",
    "sagemaker:ListNotebookInstances",
    "sagemaker:ListDomains",
    "sagemaker:ListFeatureGroups",
    "bedrock:ListModelCustomizationJobs",
    "bedrock:ListImportedModels",
    "bedrock:ListModelInvocationJobs",
    "bedrock:ListEvaluationJobs",
    "bedrock:ListGuardrails",
    "bedrock-agent:ListAgents",
    "bedrock-agent:ListKnowledgeBases",
    "bedrock-agent:ListFlows",
    "cloudtrail:DescribeTrails",
    "ec2:DescribeFlowLogs",
];

/// An organization's facts, account by account.
#[derive(Clone)]
pub(crate) struct Estate {
    pub(crate) accounts: BTreeMap<AccountId, Vec<Line>>,
}

impl Estate {
    /// Everything as it should be.
    pub(crate) fn healthy() -> Self {
        let mut estate = Self { accounts: BTreeMap::new() };
        for account in [MANAGEMENT, ARCHIVE, PROD, LAKE] {
            estate.enter(account);
        }
        estate.trail();
        estate.buckets();
        estate.prod();
        estate
    }

    pub(crate) fn add(&mut self, account: &str, region: Option<&str>, id: &str, call: &str, fact: Fact) {
        let account = AccountId::from(account);
        let region = region.map(Region::from);
        let line = Line::new(&account, region.as_ref(), id, read(call), fact);
        self.accounts.entry(account).or_default().push(line);
    }

    fn enter(&mut self, account: &str) {
        let regions: Vec<Region> = REGIONS.map(Region::from).to_vec();
        let entry = AccountEntry {
            session: Ok(format!("arn:aws:sts::{account}:assumed-role/LocardAudit/locard-test")),
            enabled_regions: Ok(regions.clone()),
            read_regions: regions,
            workloads: true,
        };
        self.add(account, None, &format!("account:{account}"), "sts:AssumeRole", Fact::Account(entry));
        let listing = |call: &str, count| Fact::Listing(Listing { call: call.to_owned(), count: Ok(count), capped: 0 });
        self.add(account, None, &format!("s3:ListBuckets:{account}"), "s3:ListBuckets", listing("s3:ListBuckets", 1));
        for region in REGIONS {
            for call in LISTINGS {
                self.add(account, Some(region), &format!("{call}:{account}:{region}"), call, listing(call, 0));
            }
            let bedrock = BedrockRegion {
                logging: Observed::Absent,
                metrics: Ok(BedrockMetrics::default()),
                mantle_metrics: Ok(false),
            };
            let id = format!("bedrock-invocation-logging:{account}:{region}");
            self.add(
                account,
                Some(region),
                &id,
                "bedrock:GetModelInvocationLoggingConfiguration",
                Fact::Bedrock(bedrock),
            );
        }
    }

    fn trail(&mut self) {
        let of = |field: &str, value: &str| FieldSelector {
            field: field.into(),
            equals: vec![value.into()],
            ..FieldSelector::default()
        };
        let data = |resource_type: &str| AdvancedSelector {
            name: Some("whatever people call it".into()),
            fields: vec![of("eventCategory", "Data"), of("resources.type", resource_type)],
        };
        let management = AdvancedSelector { name: None, fields: vec![of("eventCategory", "Management")] };
        let selectors = Selectors::Advanced(vec![
            management,
            data("AWS::S3::Object"),
            data("AWS::SageMaker::Endpoint"),
            data("AWS::Bedrock::Guardrail"),
        ]);
        let arn = format!("arn:aws:cloudtrail:{HOME}:{MANAGEMENT}:trail/org");
        let trail = Trail {
            arn: arn.clone(),
            name: "org".into(),
            owner: MANAGEMENT.into(),
            home_region: Ok(HOME.into()),
            multi_region: Ok(true),
            organization: Ok(true),
            global_service_events: Ok(true),
            log_file_validation: Ok(true),
            bucket: Ok("org-trail".into()),
            prefix: None,
            kms_key: None,
            log_group_arn: None,
            status: Ok(TrailStatus {
                is_logging: true,
                latest_delivery: Some(ago(1)),
                latest_delivery_error: None,
                latest_digest_delivery: Some(ago(2)),
                latest_digest_delivery_error: None,
                started: Some(ago(24 * 500)),
                stopped: None,
            }),
            selectors: Ok(selectors),
            shadow: false,
        };
        self.add(MANAGEMENT, Some(HOME), &arn, "cloudtrail:GetTrailStatus", Fact::Trail(Box::new(trail)));
    }

    fn bucket(&mut self, account: &str, name: &str, lock: bool) {
        let arn = format!("arn:aws:s3:::{name}");
        let listed = BucketName { name: name.into(), region: Some(HOME.into()) };
        self.add(account, None, &arn, "s3:ListBuckets", Fact::BucketName(listed));
        let retention = DefaultRetention { mode: "COMPLIANCE".into(), days: 400 };
        let bucket = Bucket {
            name: name.into(),
            region: Ok(HOME.into()),
            versioning: Observed::Known(Versioning { status: "Enabled".into(), mfa_delete: false }),
            object_lock: if lock {
                Observed::Known(ObjectLock { default_retention: Some(retention) })
            } else {
                Observed::Absent
            },
            access_logging: Observed::Absent,
            policy: Observed::Absent,
            encryption: Observed::Absent,
            lifecycle: Observed::Absent,
            replication: Observed::Absent,
            ownership: Observed::Known("BucketOwnerEnforced".into()),
            acl_log_delivery: Ok(false),
        };
        self.add(account, Some(HOME), &arn, "s3:GetBucketVersioning", Fact::Bucket(Box::new(bucket)));
    }

    fn buckets(&mut self) {
        self.bucket(ARCHIVE, "org-trail", true);
        self.bucket(PROD, "prod-evidence", true);
        self.bucket(PROD, "prod-models", true);
        self.bucket(PROD, "prod-access-logs", false);
        self.bucket(LAKE, "corpus", false);
        for name in ["prod-evidence", "prod-models"] {
            self.edit_bucket(name, |b| {
                let (target_bucket, target_prefix) = ("prod-access-logs".into(), format!("{}/", b.name));
                b.access_logging = Observed::Known(AccessLogging { target_bucket, target_prefix });
            });
        }
        self.edit_bucket("prod-access-logs", |b| {
            b.policy = Observed::Known(
                serde_json::json!({"Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
                     "Resource": "arn:aws:s3:::prod-access-logs/*",
                     "Condition": {"StringEquals": {"aws:SourceAccount": PROD}}},
                    {"Effect": "Deny", "Principal": "*", "Action": ["s3:DeleteObject*"],
                     "Resource": "arn:aws:s3:::prod-access-logs/*",
                     "Condition": {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::333333333333:role/janitor"}}}
                ]})
                .to_string(),
            );
        });
        let deliveries = Fact::LogDeliveries(LogDeliveries { s3_access: Ok(Vec::new()) });
        for account in [PROD, LAKE, ARCHIVE] {
            let id = format!("log-deliveries:{account}:{HOME}");
            self.add(account, Some(HOME), &id, "logs:DescribeDeliverySources", deliveries.clone());
        }
    }

    fn group(&mut self, name: &str) {
        let group = LogGroup {
            name: name.into(),
            settings: Ok(Some(LogGroupSettings {
                retention_days: Some(400),
                kms_key: None,
                class: Some("STANDARD".into()),
                deletion_protection: Some(true),
                stored_bytes: Some(1),
                created: Some(ago(24 * 500)),
            })),
            subscriptions: Ok(Vec::new()),
            account_subscriptions: Ok(Vec::new()),
        };
        let id = format!("arn:aws:logs:{HOME}:{PROD}:log-group:{name}");
        self.add(PROD, Some(HOME), &id, "logs:DescribeLogGroups", Fact::LogGroup(group));
    }

    fn workload(&mut self, kind: WorkloadKind, name: &str, uses: Vec<S3Use>, placement: Placement) {
        let workload = Workload {
            kind,
            name: name.into(),
            created: Some(ago(24 * 30)),
            status: None,
            uses: Ok(uses),
            placement: Ok(placement),
            keys: Vec::new(),
            endpoint: None,
        };
        let id = format!("arn:aws:sagemaker:{HOME}:{PROD}:{kind:?}/{name}");
        self.add(PROD, Some(HOME), &id, "sagemaker:DescribeTrainingJob", Fact::Workload(workload));
    }

    fn prod(&mut self) {
        let used = |location: &str, role, field: &str| S3Use { location: location.into(), role, field: field.into() };
        let subnets = || Placement::Subnets(vec!["subnet-1".into()]);
        let uses = vec![
            used("s3://corpus/train", S3Role::Training, "InputDataConfig[0]"),
            used("s3://prod-models/out", S3Role::Artifact, "OutputDataConfig"),
        ];
        self.workload(WorkloadKind::TrainingJob, "nightly", uses, subnets());
        self.workload(WorkloadKind::Model, "ranking", Vec::new(), subnets());
        self.workload(WorkloadKind::Guardrail, "polite", Vec::new(), Placement::Nowhere);
        let capture = vec![used("s3://prod-evidence/capture", S3Role::Capture, "DataCaptureConfig.DestinationS3Uri")];
        self.workload(WorkloadKind::Endpoint, "ranking", capture, Placement::Nowhere);
        let destination = "s3://prod-evidence/capture".to_owned();
        self.edit(|_, line| {
            let Fact::Workload(workload) = &mut line.fact else { return };
            if workload.kind == WorkloadKind::Endpoint {
                workload.status = Some("InService".into());
                workload.endpoint = Some(Box::new(Endpoint {
                    config: Ok(EndpointConfig {
                        name: "ranking".into(),
                        capture: Some(CaptureConfig {
                            enabled: true,
                            sampling_percentage: 100,
                            input: true,
                            output: true,
                            destination: destination.clone(),
                            kms_key: Observed::Absent,
                        }),
                        variants: vec![Variant {
                            name: "main".into(),
                            model: Some("ranking".into()),
                            serverless: false,
                        }],
                        asynchronous: false,
                    }),
                    live_capture: Observed::Known(LiveCapture {
                        enabled: true,
                        started: true,
                        sampling_percentage: 100,
                        destination: destination.clone(),
                        kms_key: Observed::Absent,
                    }),
                }));
            }
        });
        let metrics = EndpointMetrics { invoked: Ok(vec!["ranking".into()]) };
        let id = format!("endpoint-metrics:{PROD}:{HOME}");
        self.add(PROD, Some(HOME), &id, "cloudwatch:ListMetrics", Fact::EndpointMetrics(metrics));
        self.edit_bedrock(|b| {
            b.metrics = Ok(BedrockMetrics {
                invoked_models: vec!["eu.anthropic.claude-3-5-sonnet-20241022-v2:0".into()],
                names: vec!["Invocations".into(), "ModelInvocationLogsS3DeliverySuccess".into()],
            });
            b.logging = Observed::Known(InvocationLogging {
                s3: Some(S3Sink { bucket: "prod-evidence".into(), prefix: "invocations".into() }),
                cloudwatch: Some(CloudWatchSink {
                    log_group: "/bedrock".into(),
                    role_arn: "arn:aws:iam::333333333333:role/b".into(),
                    large_bodies_s3: None,
                }),
                text: Some(true),
                image: Some(true),
                embedding: Some(true),
                video: Some(true),
                audio: Some(true),
            });
        });
        self.edit_listing("bedrock:ListGuardrails", |l| l.count = Ok(1));
        for group in ["/bedrock", "/flows", "/aws/sagemaker/Endpoints/ranking", "/aws/sagemaker/TrainingJobs"] {
            self.group(group);
        }
        let place = SubnetPlace { vpc: "vpc-1".into(), owner: PROD.into() };
        let subnet = Subnet { id: "subnet-1".into(), place: Ok(Some(place)) };
        self.add(PROD, Some(HOME), "subnet-1", "ec2:DescribeSubnets", Fact::Subnet(subnet));
        self.flow_log("fl-1", "vpc-1", "ALL");
    }

    pub(crate) fn flow_log(&mut self, id: &str, resource: &str, traffic: &str) {
        let log = FlowLog {
            id: id.into(),
            resource: resource.into(),
            active: Ok(true),
            deliver_status: Some("SUCCESS".into()),
            deliver_error: None,
            traffic: Ok(traffic.into()),
            destination_type: Some("cloud-watch-logs".into()),
            destination: Some(format!("arn:aws:logs:{HOME}:{PROD}:log-group:/flows")),
            log_group: Some("/flows".into()),
            hive: Some(false),
            format: None,
            created: Some(ago(24 * 500)),
        };
        self.add(PROD, Some(HOME), id, "ec2:DescribeFlowLogs", Fact::FlowLog(log));
    }

    pub(crate) fn edit(&mut self, mut change: impl FnMut(&AccountId, &mut Line)) {
        for (account, lines) in &mut self.accounts {
            for line in lines {
                change(account, line);
            }
        }
    }

    pub(crate) fn edit_bucket(&mut self, name: &str, change: impl Fn(&mut Bucket)) {
        self.edit(|_, line| {
            if let Fact::Bucket(bucket) = &mut line.fact
                && bucket.name == name
            {
                change(bucket);
            }
        });
    }

    pub(crate) fn edit_trail(&mut self, change: impl Fn(&mut Trail)) {
        self.edit(|_, line| {
            if let Fact::Trail(trail) = &mut line.fact {
                change(trail);
            }
        });
    }

    fn edit_status(&mut self, change: impl Fn(&mut TrailStatus)) {
        self.edit_trail(|t| {
            if let Ok(status) = &mut t.status {
                change(status);
            }
        });
    }

    fn edit_bedrock(&mut self, change: impl Fn(&mut BedrockRegion)) {
        self.edit(|account, line| {
            if let Fact::Bedrock(bedrock) = &mut line.fact
                && account.as_str() == PROD
                && line.region.as_ref().is_some_and(|r| r.as_str() == HOME)
            {
                change(bedrock);
            }
        });
    }

    fn edit_logging(&mut self, change: impl Fn(&mut InvocationLogging)) {
        self.edit_bedrock(|b| {
            if let Observed::Known(logging) = &mut b.logging {
                change(logging);
            }
        });
    }

    pub(crate) fn edit_endpoint(&mut self, change: impl Fn(&mut Endpoint)) {
        self.edit(|_, line| {
            if let Fact::Workload(workload) = &mut line.fact
                && let Some(endpoint) = &mut workload.endpoint
            {
                change(endpoint);
            }
        });
    }

    pub(crate) fn edit_live(&mut self, change: impl Fn(&mut LiveCapture)) {
        self.edit_endpoint(|e| {
            if let Observed::Known(live) = &mut e.live_capture {
                change(live);
            }
        });
    }

    pub(crate) fn edit_capture(&mut self, change: impl Fn(&mut CaptureConfig)) {
        self.edit_endpoint(|e| {
            if let Ok(config) = &mut e.config
                && let Some(capture) = &mut config.capture
            {
                change(capture);
            }
        });
    }

    fn edit_group(&mut self, name: &str, change: impl Fn(&mut LogGroup)) {
        self.edit(|_, line| {
            if let Fact::LogGroup(group) = &mut line.fact
                && group.name == name
            {
                change(group);
            }
        });
    }

    pub(crate) fn edit_flow(&mut self, change: impl Fn(&mut FlowLog)) {
        self.edit(|_, line| {
            if let Fact::FlowLog(log) = &mut line.fact {
                change(log);
            }
        });
    }

    fn edit_listing(&mut self, call: &str, change: impl Fn(&mut Listing)) {
        self.edit(|account, line| {
            if let Fact::Listing(listing) = &mut line.fact
                && account.as_str() == PROD
                && listing.call == call
                && line.region.as_ref().is_none_or(|r| r.as_str() == HOME)
            {
                change(listing);
            }
        });
    }

    /// Takes a bucket away as if it had been deleted: nobody lists it, and AWS says it does not exist.
    fn delete_bucket(&mut self, name: &str) {
        for lines in self.accounts.values_mut() {
            lines.retain(|line| match &line.fact {
                Fact::BucketName(bucket) => bucket.name != name,
                Fact::Bucket(bucket) => bucket.name != name,
                _ => true,
            });
        }
        self.probe(name, Ok(false));
    }

    /// Takes a bucket away as if an account outside the organization owned it.
    fn give_away(&mut self, name: &str) {
        self.delete_bucket(name);
        self.probe(name, Ok(true));
    }

    fn probe(&mut self, name: &str, exists: Result<bool, Unknown>) {
        for lines in self.accounts.values_mut() {
            lines.retain(|line| !matches!(&line.fact, Fact::BucketProbe(probe) if probe.name == name));
        }
        let probe = BucketProbe { name: name.into(), exists };
        self.add(PROD, Some(HOME), &format!("arn:aws:s3:::{name}"), "s3:GetBucketLocation", Fact::BucketProbe(probe));
    }

    pub(crate) fn organization(&self) -> Organization {
        Organization {
            organization: Observed::Known(OrganizationId {
                id: "o-example".into(),
                management_account: MANAGEMENT.into(),
            }),
            accounts: self
                .accounts
                .keys()
                .map(|id| Account {
                    id: id.clone(),
                    name: Some(format!("account {id}")),
                    state: Some("ACTIVE".into()),
                    ou_path: Ok("Root".into()),
                    ou_ids: Vec::new(),
                    selected: true,
                })
                .collect(),
            listed: Ok(()),
        }
    }

    pub(crate) fn graphs(&self) -> Vec<AccountGraph> {
        let accounts: Vec<AccountId> = self.accounts.keys().cloned().collect();
        let facts = |id: &AccountId| AccountFacts { account: id.clone(), lines: self.accounts[id].clone() };
        let load = |id: &AccountId| Ok::<_, Infallible>(facts(id));
        let absent = |id: &AccountId| Unknown::new("sts:AssumeRole", Why::NotCollected).in_account(id);
        let Ok(shared) = Shared::build(&self.organization(), Partition::from("aws"), now(), &accounts, absent, load);
        accounts.iter().map(|id| graph::account(&shared, &facts(id))).collect()
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings_of(&builtin())
    }

    fn findings_of(&self, checks: &CheckSet) -> Vec<Finding> {
        let partition = Partition::from("aws");
        self.graphs()
            .iter()
            .flat_map(|graph| check::evaluate::evaluate(checks, graph, &Requirements::default(), &partition).findings)
            .collect()
    }

    /// Every estate that differs from this one by a single fact, which is known here and denied there, with the name
    /// of the fact.
    fn with_one_fact_denied(&self) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        for (account, lines) in &self.accounts {
            for (at, line) in lines.iter().enumerate() {
                let whole = serde_json::to_value(line).expect("a line is plain data");
                let mut pointers = Vec::new();
                known(&whole, String::new(), &mut pointers);
                for pointer in pointers {
                    let mut changed = whole.clone();
                    let call = line.reads.first().map_or("s3:ListBuckets", |read| read.call.as_str());
                    let unknown = serde_json::json!({"unknown": {"call": call, "why": "denied"}});
                    *changed.pointer_mut(&pointer).expect("walked to") = unknown;
                    let mut estate = self.clone();
                    let lines = estate.accounts.get_mut(account).expect("the account");
                    lines[at] = serde_json::from_value(changed).expect("an unknown fits wherever a known does");
                    all.push((format!("{} of {} {}", pointer, line.kind, line.id), estate));
                }
            }
        }
        all
    }

    /// Findings that do not pass, as `status check resource-tail`, sorted.
    fn gaps(&self) -> Vec<String> {
        let mut gaps: Vec<String> = self
            .findings()
            .iter()
            .filter(|f| f.status != Status::Pass && f.check != "bedrock-unused-region-open")
            .map(|f| {
                let tail = f.resource.as_str().rsplit([':', '/']).next().unwrap_or("");
                format!("{} {} {tail}", f.status.word(), f.check)
            })
            .collect();
        gaps.sort();
        gaps.dedup();
        gaps
    }
}

/// JSON pointers to what AWS told: known or absent.
fn known(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
    use serde_json::Value;
    match value {
        Value::String(text) if text == "absent" => found.push(at),
        Value::Object(map) => {
            if map.len() == 1 && map.contains_key("known") {
                found.push(at.clone());
            }
            for (key, inner) in map {
                known(inner, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                known(inner, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn builtin() -> CheckSet {
    check::load(&check::builtin_files()).expect("built-in checks load")
}

fn gaps_of(change: impl FnOnce(&mut Estate)) -> Vec<String> {
    let mut estate = Estate::healthy();
    change(&mut estate);
    estate.gaps()
}

#[track_caller]
fn expect(gaps: &[&str], change: impl FnOnce(&mut Estate)) {
    assert_eq!(gaps_of(change), gaps);
}

#[test]
fn a_clean_estate_has_no_gaps() {
    expect(&[], |_| {});
}

#[test]
fn every_builtin_check_passes_somewhere_in_the_clean_estate_or_has_cases() {
    let findings = Estate::healthy().findings();
    for source in [Source::ApiActivity, Source::DataEvents, Source::ModelInvocations, Source::InferenceCapture] {
        assert!(findings.iter().any(|f| f.source == source && f.status == Status::Pass), "{source:?}");
    }
    assert!(findings.iter().all(|f| !f.counts_for.is_empty() || f.resource_kind == "trail"), "reach is told");
}

#[test]
fn a_stopped_trail_records_nothing() {
    let gaps = gaps_of(|e| e.edit_status(|s| s.is_logging = false));
    for gap in ["fail api-activity-unrecorded us-east-1", "fail api-activity-unrecorded eu-west-1"] {
        assert!(gaps.iter().any(|g| g == gap), "{gap} in {gaps:#?}");
    }
    assert!(gaps.iter().any(|g| g.starts_with("fail bucket-object-events-unrecorded corpus")), "{gaps:#?}");
    assert!(gaps.iter().any(|g| g.starts_with("fail endpoint-invocations-unrecorded")), "{gaps:#?}");
}

#[test]
fn a_write_only_trail_misses_invocations() {
    let gaps = gaps_of(|e| {
        e.edit_trail(|t| {
            t.selectors = Ok(Selectors::Basic(vec![BasicSelector {
                read_write_type: Some("WriteOnly".into()),
                management_events: Some(true),
                excluded_management_sources: Vec::new(),
                data_resources: Vec::new(),
            }]));
        });
    });
    assert!(gaps.contains(&"fail api-activity-unrecorded us-east-1".to_owned()), "{gaps:#?}");
}

#[test]
fn reads_and_writes_split_over_two_trails_are_whole() {
    let gaps = gaps_of(|e| {
        let half = |kind: &str| {
            Ok(Selectors::Basic(vec![BasicSelector {
                read_write_type: Some(kind.into()),
                management_events: Some(true),
                excluded_management_sources: Vec::new(),
                data_resources: Vec::new(),
            }]))
        };
        let mut second = None;
        e.edit_trail(|t| t.selectors = half("ReadOnly"));
        e.edit(|_, line| {
            if matches!(line.fact, Fact::Trail(_)) {
                second = Some(line.clone());
            }
        });
        let mut second = second.expect("the trail");
        if let Fact::Trail(trail) = &mut second.fact {
            trail.arn.push('2');
            trail.name.push('2');
            trail.selectors = half("WriteOnly");
        }
        second.id = locard::model::ids::ResourceId::new(format!("{}2", second.id));
        e.accounts.get_mut(&AccountId::from(MANAGEMENT)).expect("management").push(second);
    });
    assert!(!gaps.iter().any(|g| g.contains("api-activity-unrecorded")), "{gaps:#?}");
}

#[test]
fn selectors_of_an_organization_trail_that_may_not_be_read_leave_coverage_unknown() {
    let gaps = gaps_of(|e| e.edit_trail(|t| t.selectors = Err(denied("cloudtrail:GetEventSelectors"))));
    assert!(gaps.contains(&"unknown api-activity-unrecorded us-east-1".to_owned()), "{gaps:#?}");
    assert!(gaps.iter().any(|g| g.starts_with("unknown bucket-object-events-unrecorded corpus")), "{gaps:#?}");
    assert!(!gaps.iter().any(|g| g.starts_with("fail")), "{gaps:#?}");
}

/// CloudTrail tells a delegated administrator the selectors of the organization's trail, and other members not.
#[test]
fn of_several_members_who_see_the_organizations_trail_each_tells_what_it_may() {
    for knowing in [PROD, LAKE] {
        let gaps = gaps_of(|e| {
            let mut seen = None;
            for lines in e.accounts.values_mut() {
                let at = lines.iter().position(|line| matches!(line.fact, Fact::Trail(_)));
                seen = seen.or(at.map(|at| lines.remove(at)));
            }
            e.accounts.remove(&AccountId::from(MANAGEMENT));
            for account in [PROD, LAKE] {
                let mut line = seen.clone().expect("the trail");
                line.account = account.into();
                if let Fact::Trail(trail) = &mut line.fact {
                    trail.shadow = true;
                    let foreign = |call| Unknown::new(call, Why::Foreign);
                    match account == knowing {
                        true => trail.status = Err(foreign("cloudtrail:GetTrailStatus")),
                        false => trail.selectors = Err(foreign("cloudtrail:GetEventSelectors")),
                    }
                }
                e.accounts.get_mut(&AccountId::from(account)).expect("a member").push(line);
            }
        });
        let about = |check: &str| gaps.iter().filter(|gap| gap.contains(check)).collect::<Vec<_>>();
        assert!(about("api-activity-unrecorded").is_empty(), "{knowing}: {gaps:#?}");
        assert!(about("trail-delivery-stale").is_empty(), "{knowing}: {gaps:#?}");
    }
}

#[test]
fn a_bucket_that_was_gone_when_it_was_looked_at_may_be_there_or_not() {
    judged("capture-destination-missing", "ranking", &["pass"], |_| {});
    judged("capture-destination-missing", "ranking", &["unknown"], |e| {
        e.edit_bucket("prod-evidence", |b| {
            b.versioning = Observed::Unknown(Unknown::new("s3:GetBucketVersioning", Why::Vanished));
        });
    });
}

#[test]
fn a_trail_that_does_not_deliver() {
    expect(&["fail trail-delivery-stale org"], |e| {
        e.edit_status(|s| {
            s.latest_delivery = Some(ago(25));
            s.latest_digest_delivery = Some(ago(26));
        });
    });
    expect(&["fail trail-delivery-stale org"], |e| {
        e.edit_status(|s| s.latest_delivery_error = Some("AccessDenied".into()));
    });
    expect(&["fail trail-validation-off org"], |e| e.edit_trail(|t| t.log_file_validation = Ok(false)));
    let gaps = gaps_of(|e| e.delete_bucket("org-trail"));
    assert!(gaps.contains(&"fail trail-delivery-stale org".to_owned()), "{gaps:#?}");
    let gaps = gaps_of(|e| e.give_away("org-trail"));
    assert!(gaps.contains(&"unknown trail-delivery-stale org".to_owned()), "{gaps:#?}");
    assert!(gaps.contains(&"unknown trail-bucket-mutable org-trail".to_owned()), "{gaps:#?}");
    assert!(!gaps.iter().any(|g| g.starts_with("fail")), "{gaps:#?}");
}

#[test]
fn object_lock_must_hold_by_default_and_long_enough() {
    let lock = |retention: Option<(&str, u32)>| {
        let retention = retention.map(|(mode, days)| DefaultRetention { mode: mode.into(), days });
        move |b: &mut Bucket| b.object_lock = Observed::Known(ObjectLock { default_retention: retention.clone() })
    };
    expect(&["fail trail-bucket-mutable org-trail"], |e| e.edit_bucket("org-trail", lock(None)));
    expect(&["fail trail-bucket-mutable org-trail"], |e| e.edit_bucket("org-trail", lock(Some(("COMPLIANCE", 1)))));
    expect(&[], |e| e.edit_bucket("org-trail", lock(Some(("GOVERNANCE", 365)))));
    expect(&["unknown trail-bucket-mutable org-trail"], |e| {
        e.edit_bucket("org-trail", |b| b.object_lock = Observed::Unknown(denied("s3:GetObjectLockConfiguration")));
    });
}

#[test]
fn lifecycle_rules_cut_retention_only_where_they_meet_the_prefix() {
    let rule = |prefix: &str, days: u32| LifecycleRule {
        id: None,
        enabled: true,
        prefix: prefix.into(),
        tag_or_size_filter: false,
        expiration_days: Some(days),
        expiration_date: None,
        noncurrent_days: Some(1),
        newer_noncurrent_versions: None,
    };
    let unlocked = |e: &mut Estate, rule: LifecycleRule| {
        e.edit_bucket("prod-access-logs", |b| b.lifecycle = Observed::Known(vec![rule.clone()]));
    };
    expect(
        &["fail access-log-bucket-mutable prod-access-logs", "fail access-log-bucket-short-lived prod-access-logs"],
        |e| {
            unlocked(e, rule("prod-models/", 7));
        },
    );
    expect(&[], |e| unlocked(e, rule("elsewhere/", 7)));
    expect(&[], |e| unlocked(e, LifecycleRule { enabled: false, ..rule("", 7) }));
    let gaps = gaps_of(|e| unlocked(e, LifecycleRule { tag_or_size_filter: true, ..rule("", 7) }));
    assert!(gaps.contains(&"unknown access-log-bucket-short-lived prod-access-logs".to_owned()), "{gaps:#?}");
    // A lock outlives a lifecycle rule.
    expect(&[], |e| e.edit_bucket("org-trail", |b| b.lifecycle = Observed::Known(vec![rule("", 7)])));
}

#[test]
fn data_capture_must_run_whole() {
    let gap = &["fail endpoint-capture-incomplete ranking"];
    expect(gap, |e| e.edit_live(|c| c.started = false));
    expect(gap, |e| e.edit_live(|c| c.sampling_percentage = 0));
    expect(gap, |e| e.edit_live(|c| c.enabled = false));
    expect(gap, |e| e.edit_capture(|c| c.output = false));
    let gaps = gaps_of(|e| {
        e.edit_endpoint(|e| {
            e.live_capture = Observed::Unknown(denied("sagemaker:DescribeEndpoint"));
            e.config = Err(denied("sagemaker:DescribeEndpointConfig"));
        });
    });
    assert!(gaps.contains(&"unknown endpoint-capture-incomplete ranking".to_owned()), "{gaps:#?}");
    assert!(!gaps.iter().any(|g| g.starts_with("fail")), "{gaps:#?}");
    let gaps = gaps_of(|e| {
        e.edit_endpoint(|e| {
            if let Ok(config) = &mut e.config {
                config.variants[0].serverless = true;
            }
            e.live_capture = Observed::Absent;
        })
    });
    assert!(
        !gaps.iter().any(|g| g.contains("endpoint-capture-incomplete")),
        "AWS cannot capture serverless: {gaps:#?}"
    );
}

#[test]
fn access_logs_must_be_able_to_arrive() {
    // Without data events, so that access logs alone decide.
    let only_logs = |e: &mut Estate| {
        e.edit_trail(|t| {
            if let Ok(Selectors::Advanced(list)) = &mut t.selectors {
                list.retain(|s| !s.fields.iter().any(|f| f.equals.iter().any(|v| v == "AWS::S3::Object")));
            }
        });
    };
    let unlogged = |change: &dyn Fn(&mut Estate)| {
        let gaps = gaps_of(|e| {
            only_logs(e);
            change(e);
        });
        gaps.iter().find(|g| g.ends_with("bucket-access-unlogged prod-models")).cloned()
    };
    let fail = Some("fail bucket-access-unlogged prod-models".to_owned());
    let target = |e: &mut Estate, change: &dyn Fn(&mut Bucket)| e.edit_bucket("prod-access-logs", change);
    assert_eq!(unlogged(&|_| {}), None);
    assert_eq!(unlogged(&|e| e.delete_bucket("prod-access-logs")), fail);
    assert_eq!(unlogged(&|e| e.give_away("prod-access-logs")), fail, "AWS delivers to no other account");
    assert_eq!(unlogged(&|e| target(e, &|b| b.policy = Observed::Absent)), fail);
    assert_eq!(unlogged(&|e| target(e, &|b| b.region = Ok("eu-west-1".into()))), fail);
    let lock = ObjectLock { default_retention: Some(DefaultRetention { mode: "GOVERNANCE".into(), days: 1 }) };
    assert_eq!(unlogged(&|e| target(e, &|b| b.object_lock = Observed::Known(lock.clone()))), fail);
    let kms = Encryption { algorithm: "aws:kms".into(), kms_key: None };
    assert_eq!(unlogged(&|e| target(e, &|b| b.encryption = Observed::Known(kms.clone()))), fail);
    let itself = AccessLogging { target_bucket: "prod-models".into(), target_prefix: String::new() };
    assert_eq!(
        unlogged(&|e| e.edit_bucket("prod-models", |b| b.access_logging = Observed::Known(itself.clone()))),
        fail
    );
    let unknown = Some("unknown bucket-access-unlogged prod-models".to_owned());
    assert_eq!(unlogged(&|e| target(e, &|b| b.policy = Observed::Unknown(denied("s3:GetBucketPolicy")))), unknown);
    // By its ACL alone, which no policy may contradict.
    let granted = |policy: Observed<String>| {
        unlogged(&|e| {
            target(e, &|b| {
                b.policy = policy.clone();
                b.ownership = Observed::Known("ObjectWriter".into());
                b.acl_log_delivery = Ok(true);
            });
        })
    };
    let forbidding = |condition: &serde_json::Value| {
        let deny = serde_json::json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*",
            "Condition": condition});
        Observed::Known(serde_json::json!({"Statement": [deny]}).to_string())
    };
    let unencrypted = serde_json::json!({"Null": {"s3:x-amz-server-side-encryption": "true"}});
    assert_eq!(granted(Observed::Absent), None);
    assert_eq!(granted(Observed::Unknown(denied("s3:GetBucketPolicy"))), unknown, "it may deny");
    assert_eq!(granted(forbidding(&serde_json::json!({}))), fail, "what is denied no ACL grants");
    assert_eq!(granted(forbidding(&unencrypted)), unknown);
    assert_eq!(
        unlogged(&|e| e.edit_bucket("prod-models", |b| {
            b.access_logging = Observed::Unknown(denied("s3:GetBucketLogging"));
        })),
        unknown
    );
}

#[test]
fn flow_logs_must_cover_the_subnets_in_use() {
    let gaps = gaps_of(|e| e.edit_flow(|l| l.resource = "subnet-other".into()));
    assert!(gaps.contains(&"fail subnet-flows-unrecorded vpc-1".to_owned()), "{gaps:#?}");
    let gaps = gaps_of(|e| e.edit_flow(|l| l.traffic = Ok("REJECT".into())));
    assert!(gaps.contains(&"fail subnet-flows-unrecorded vpc-1".to_owned()), "{gaps:#?}");
    // Nothing says that records arrive before the first did.
    let undelivered = ["unknown flow-fields-missing vpc-1", "unknown flow-logs-undelivered vpc-1"];
    expect(&undelivered, |e| e.edit_flow(|l| l.deliver_status = None));
    // Split in two is whole.
    expect(&[], |e| {
        e.edit_flow(|l| l.traffic = Ok("REJECT".into()));
        e.flow_log("fl-2", "subnet-1", "ACCEPT");
    });
    let gaps = gaps_of(|e| e.edit_group("/flows", |g| g.settings = Ok(None)));
    assert!(gaps.contains(&"fail flow-logs-undelivered vpc-1".to_owned()), "{gaps:#?}");
    let gaps = gaps_of(|e| e.edit_listing("ec2:DescribeFlowLogs", |l| l.count = Err(denied("ec2:DescribeFlowLogs"))));
    assert!(!gaps.iter().any(|g| g.ends_with("vpc-1")), "what was seen before the denial suffices: {gaps:#?}");
    assert!(gaps.contains(&"unknown flow-log-group-short-lived us-east-1".to_owned()), "more may exist: {gaps:#?}");
    assert!(!gaps.iter().any(|g| g.starts_with("fail")), "{gaps:#?}");
    let gaps = gaps_of(|e| {
        e.edit_listing("ec2:DescribeFlowLogs", |l| l.count = Err(denied("ec2:DescribeFlowLogs")));
        e.edit_flow(|l| l.active = Ok(false));
    });
    assert!(gaps.contains(&"unknown subnet-flows-unrecorded vpc-1".to_owned()), "{gaps:#?}");
}

#[test]
fn retention_of_log_groups() {
    let days = |days: Option<u32>| {
        move |g: &mut LogGroup| {
            if let Ok(Some(settings)) = &mut g.settings {
                settings.retention_days = days;
            }
        }
    };
    expect(&["fail flow-log-group-short-lived flows"], |e| e.edit_group("/flows", days(Some(1))));
    expect(&[], |e| e.edit_group("/flows", days(None)));
    expect(&["fail service-log-group-short-lived ranking"], |e| {
        e.edit_group("/aws/sagemaker/Endpoints/ranking", days(Some(30)));
    });
    let gaps = gaps_of(|e| e.edit_group("/aws/sagemaker/Endpoints/ranking", |g| g.settings = Ok(None)));
    assert!(gaps.contains(&"fail endpoint-log-group-missing ranking".to_owned()), "{gaps:#?}");
}

#[test]
fn invocation_logging_must_be_whole_and_arrive() {
    let gap = &["fail bedrock-invocations-unlogged us-east-1"];
    expect(gap, |e| e.edit_logging(|l| l.text = Some(false)));
    expect(gap, |e| e.edit_logging(|l| l.image = None));
    // A model that takes no audio needs none recorded.
    expect(&[], |e| e.edit_logging(|l| l.audio = Some(false)));
    expect(&["fail bedrock-logging-undeliverable us-east-1"], |e| {
        e.edit_bedrock(|b| {
            if let Ok(metrics) = &mut b.metrics {
                metrics.names = vec!["Invocations".into(), "ModelInvocationLogsS3DeliveryFailure".into()];
            }
        });
    });
    // A destination that works does not speak for one that fails.
    expect(&["fail bedrock-logging-undeliverable us-east-1"], |e| {
        e.edit_bedrock(|b| {
            if let Ok(metrics) = &mut b.metrics {
                metrics.names = ["CloudWatchDeliverySuccess", "S3DeliveryFailure"]
                    .map(|end| format!("ModelInvocationLogs{end}"))
                    .to_vec();
            }
        });
    });
    // Nor does one that worked say that it still does, or the records that bodies beside them arrive.
    let seen = |names: [&str; 2], status: &str| {
        expect(&[&format!("{status} bedrock-logging-undeliverable us-east-1")], |e| {
            e.edit_bedrock(|b| {
                if let Ok(metrics) = &mut b.metrics {
                    metrics.names = names.map(|name| format!("ModelInvocation{name}")).to_vec();
                }
            });
        });
    };
    seen(["LogsS3DeliverySuccess", "LogsS3DeliveryFailure"], "unknown");
    seen(["LogsS3DeliverySuccess", "LargeDataS3DeliveryFailure"], "fail");
    let gaps = gaps_of(|e| {
        e.edit_bedrock(|b| {
            b.logging = Observed::Unknown(denied("bedrock:GetModelInvocationLoggingConfiguration"));
        })
    });
    assert!(gaps.contains(&"unknown bedrock-invocations-unlogged us-east-1".to_owned()), "{gaps:#?}");
    assert!(!gaps.iter().any(|g| g.starts_with("fail")), "{gaps:#?}");
}

#[test]
fn a_denied_list_opens_its_population() {
    let gaps = gaps_of(|e| {
        e.edit_listing("sagemaker:ListEndpoints", |l| l.count = Err(denied("sagemaker:ListEndpoints")));
        e.edit(|_, line| {
            if let Fact::Workload(w) = &mut line.fact {
                w.uses = w.uses.clone().map(|u| u.into_iter().filter(|u| u.role != S3Role::Capture).collect());
            }
        });
        for lines in e.accounts.values_mut() {
            lines.retain(|l| !matches!(&l.fact, Fact::Workload(w) if w.kind == WorkloadKind::Endpoint));
        }
    });
    for check in ["endpoint-capture-incomplete", "endpoint-invocations-unrecorded"] {
        let gap = format!("unknown {check} us-east-1");
        assert!(gaps.contains(&gap), "{gap} in {gaps:#?}");
    }
    assert!(!gaps.iter().any(|g| g.starts_with("fail")), "{gaps:#?}");
}

#[test]
fn a_region_without_a_service_has_nothing_of_it() {
    // Every account has one region more, where calls of a service find none.
    let absent = |region: &'static str, service: &'static str| {
        let lacks = move |call: &str| Unknown { why: Why::ServiceAbsent, ..denied(call) };
        move |e: &mut Estate| {
            for lines in e.accounts.values_mut() {
                let mut added = Vec::new();
                for line in lines.iter().filter(|line| line.region.as_ref().is_some_and(|r| r.as_str() == "eu-west-1"))
                {
                    let mut fact = line.fact.clone();
                    match &mut fact {
                        Fact::Listing(listing) if listing.call.starts_with(service) => {
                            listing.count = Err(lacks(&listing.call));
                        }
                        Fact::Bedrock(bedrock) if service == "bedrock" => {
                            let call = "bedrock:GetModelInvocationLoggingConfiguration";
                            bedrock.logging = Observed::Unknown(lacks(call));
                        }
                        Fact::Listing(_) | Fact::Bedrock(_) => {}
                        _ => continue,
                    }
                    added.push(Line { region: Some(region.into()), fact, ..line.clone() });
                }
                lines.extend(added);
                for line in lines {
                    if let Fact::Account(entry) = &mut line.fact {
                        entry.read_regions.push(region.into());
                        entry.enabled_regions = Ok(entry.read_regions.clone());
                    }
                }
            }
        }
    };
    expect(&[], absent("us-west-1", "bedrock-agent:"));
    expect(&[], absent("ap-east-1", "bedrock"));
    expect(&[], absent("ap-southeast-6", "sagemaker:"));
    // Nobody can use Bedrock where there is none.
    let unused = |region, service| {
        let mut estate = Estate::healthy();
        absent(region, service)(&mut estate);
        estate.status_of("bedrock-unused-region-open", &format!("{PROD}:{region}"))
    };
    assert_eq!(unused("ap-east-1", "bedrock"), [] as [&str; 0]);
    assert_eq!(unused("us-west-1", "bedrock-agent:"), ["fail"]);
    // Where AWS offers it, such an answer may be of anything between.
    let gaps = gaps_of(absent("ap-south-1", "bedrock-agent:"));
    assert!(!gaps.is_empty() && gaps.iter().all(|gap| gap.starts_with("unknown")), "{gaps:#?}");
}

#[test]
fn models_that_cannot_be_followed_leave_artefacts_and_network_open() {
    let open = |change: fn(&mut Variant)| {
        let mut estate = Estate::healthy();
        estate.edit_endpoint(|e| {
            if let Ok(config) = &mut e.config {
                config.variants.iter_mut().for_each(change);
            }
        });
        let graphs = estate.graphs();
        let open = graphs.iter().flat_map(|graph| &graph.open);
        open.map(|open| open.kind).collect::<std::collections::BTreeSet<_>>()
    };
    let both = |kinds: &std::collections::BTreeSet<&str>| kinds.contains("ai_bucket") && kinds.contains("ai_vpc");
    assert!(!both(&open(|_| {})));
    assert!(both(&open(|variant| variant.model = Some("deleted".into()))));
    assert!(both(&open(|variant| variant.model = None)));
}

#[test]
fn replication_to_a_locked_bucket_counts_as_immutable() {
    let rule = copies_to("org-trail", "");
    let unlocked = |e: &mut Estate| {
        e.edit_bucket("prod-evidence", |b| b.object_lock = Observed::Absent);
        e.edit_bucket("org-trail", |b| b.policy = takes_copies("org-trail"));
    };
    let gaps = gaps_of(unlocked);
    assert!(gaps.contains(&"fail capture-bucket-mutable prod-evidence".to_owned()), "{gaps:#?}");
    let gaps = gaps_of(|e| {
        unlocked(e);
        e.edit_bucket("prod-evidence", |b| b.replication = Observed::Known(vec![rule.clone()]));
    });
    assert_eq!(gaps, Vec::<String>::new());
    // S3 leaves out what is encrypted with KMS keys, unless told otherwise.
    let kms = Encryption { algorithm: "aws:kms".into(), kms_key: None };
    for (kms_objects, wanted) in [(Some(false), "fail"), (Some(true), "pass"), (None, "unknown")] {
        judged("capture-bucket-mutable", "prod-evidence", &[wanted], |e| {
            unlocked(e);
            e.edit_bucket("prod-evidence", |b| {
                b.encryption = Observed::Known(kms.clone());
                b.replication = Observed::Known(vec![ReplicationRule { kms_objects, ..rule.clone() }]);
            });
        });
    }
    judged("capture-bucket-mutable", "prod-evidence", &["unknown"], |e| {
        unlocked(e);
        e.edit_bucket("prod-evidence", |b| b.replication = Observed::Known(vec![rule.clone()]));
        e.edit_workload(WorkloadKind::Endpoint, |workload| workload.keys = vec!["alias/volume-or-capture".into()]);
    });
}

#[test]
fn data_in_no_bucket_that_can_be_followed_opens_the_question() {
    let mut estate = Estate::healthy();
    let open = |estate: &Estate| {
        let open = estate.graphs().into_iter().flat_map(|graph| graph.open);
        open.filter(|open| open.kind == "ai_bucket").map(|open| open.unknown.why).collect::<Vec<_>>()
    };
    assert_eq!(open(&estate), []);
    estate.edit_workload(WorkloadKind::TrainingJob, |workload| {
        let location = "arn:aws:s3:eu-central-1:333333333333:accesspoint/corpus".to_owned();
        let elsewhere = "https://example.com/corpus".to_owned();
        workload.uses = Ok([location, elsewhere]
            .map(|location| S3Use { location, role: S3Role::Training, field: "InputDataConfig[0]".into() })
            .to_vec());
    });
    assert_eq!(open(&estate), [Why::Undecidable], "the access point, and not the web site");
}

#[test]
fn one_call_that_a_service_control_policy_denies_keeps_nobody_from_bedrock() {
    let by_scp = |call: &str| Unknown { why: Why::DeniedByScp, ..denied(call) };
    let check = "bedrock-unused-region-open";
    let deny_logging = |e: &mut Estate| {
        e.edit_bedrock(|b| b.logging = Observed::Unknown(by_scp("bedrock:GetModelInvocationLoggingConfiguration")));
    };
    // Models are invoked here, whatever is denied.
    judged(check, &format!("{PROD}:{HOME}"), &[], deny_logging);
    let unused = |e: &mut Estate| {
        deny_logging(e);
        e.edit_bedrock(|b| b.metrics = Ok(BedrockMetrics { invoked_models: Vec::new(), names: Vec::new() }));
        e.edit_listing("bedrock:ListGuardrails", |l| l.count = Ok(0));
        e.edit(|_, line| {
            if let Fact::Workload(workload) = &mut line.fact
                && workload.kind == WorkloadKind::Guardrail
            {
                workload.kind = WorkloadKind::Model;
            }
        });
    };
    judged(check, &format!("{PROD}:{HOME}"), &["unknown"], unused);
    judged(check, &format!("{PROD}:{HOME}"), &["pass"], |e| {
        unused(e);
        e.edit(|_, line| {
            if let Fact::Listing(listing) = &mut line.fact
                && listing.call.starts_with("bedrock")
            {
                listing.count = Err(by_scp(&listing.call));
            }
        });
    });
}

#[test]
fn an_account_that_cannot_be_entered_stays_out_of_findings_and_its_buckets_unknown() {
    let gaps = gaps_of(|e| {
        let lake = e.accounts.get_mut(&AccountId::from(LAKE)).expect("lake");
        lake.retain(|line| matches!(line.fact, Fact::Account(_)));
        if let Fact::Account(entry) = &mut lake[0].fact {
            entry.session = Err(denied("sts:AssumeRole"));
            entry.enabled_regions = Err(denied("sts:AssumeRole"));
        }
    });
    assert!(gaps.contains(&"unknown bucket-access-unlogged corpus".to_owned()), "{gaps:#?}");
    assert!(!gaps.iter().any(|g| g.starts_with("fail")), "{gaps:#?}");
}

/// Takes every single known fact away, one at a time, and compares each finding, criterion by criterion.
#[track_caller]
fn nothing_flips_when_a_fact_is_denied(estate: &Estate) {
    let checks = builtin();
    // Not the region, which may be the fact that is denied.
    let key = |f: &Finding| (f.check.clone(), f.account.clone(), f.resource.clone());
    let before: BTreeMap<_, Finding> = estate.findings_of(&checks).into_iter().map(|f| (key(&f), f)).collect();
    let variants = estate.with_one_fact_denied();
    assert!(variants.len() > 200, "the walk finds facts: {}", variants.len());
    let mut flips: Vec<String> = variants
        .par_iter()
        .flat_map_iter(|(fact, variant)| {
            let mut flips = Vec::new();
            for after in variant.findings_of(&checks) {
                let Some(before) = before.get(&key(&after)) else {
                    // What may be there and is recorded either way passes.
                    if after.status == Status::Fail {
                        flips.push(format!("{} fails on {} out of {fact}", after.check, after.resource));
                    }
                    continue;
                };
                if before.status != after.status && after.status != Status::Unknown {
                    let (from, to) = (before.status.word(), after.status.word());
                    flips.push(format!("{from} to {to}: {} on {} by {fact}", after.check, after.resource));
                }
                if before.points.low < after.points.low || before.points.high > after.points.high {
                    flips.push(format!("points of {} on {} narrow by {fact}", after.check, after.resource));
                }
                for (one, other) in before.criteria.iter().zip(&after.criteria) {
                    if other.status != Truth::Unknown && one.status != other.status {
                        flips.push(format!("`{}` of {} on {} by {fact}", one.expect, after.check, after.resource));
                    }
                }
            }
            flips
        })
        .collect();
    flips.sort();
    assert!(flips.is_empty(), "{flips:#?}");
}

#[test]
fn a_denied_fact_turns_nothing_but_unknown_in_the_clean_estate() {
    nothing_flips_when_a_fact_is_denied(&Estate::healthy());
}

/// Much is wrong at once, in ways that meet.
fn broken() -> Estate {
    let mut e = Estate::healthy();
    e.edit_status(|s| s.latest_delivery_error = Some("AccessDenied".into()));
    e.edit_bucket("org-trail", |b| b.object_lock = Observed::Absent);
    e.edit_bucket("prod-models", |b| {
        b.versioning = Observed::Known(Versioning { status: "Suspended".into(), mfa_delete: false });
        b.object_lock = Observed::Absent;
        // It receives its neighbour's access logs.
        b.access_logging = Observed::Absent;
    });
    e.edit_bucket("prod-evidence", |b| {
        b.object_lock = Observed::Absent;
        b.access_logging =
            Observed::Known(AccessLogging { target_bucket: "prod-models".into(), target_prefix: String::new() });
        b.encryption = Observed::Known(Encryption { algorithm: "aws:kms".into(), kms_key: Some("gone".into()) });
    });
    e.edit_trail(|t| {
        if let Ok(Selectors::Advanced(list)) = &mut t.selectors {
            list.truncate(1);
        }
    });
    e.edit_live(|c| c.started = false);
    e.edit_logging(|l| l.text = Some(false));
    e.edit_flow(|l| {
        l.traffic = Ok("REJECT".into());
        l.deliver_status = Some("FAILED".into());
    });
    for group in ["/bedrock", "/flows", "/aws/sagemaker/Endpoints/ranking"] {
        e.edit_group(group, |g| {
            if let Ok(Some(settings)) = &mut g.settings {
                settings.retention_days = Some(7);
                settings.deletion_protection = Some(false);
            }
        });
    }
    e
}

#[test]
fn a_denied_fact_turns_nothing_but_unknown_in_a_broken_estate() {
    nothing_flips_when_a_fact_is_denied(&broken());
}

fn data_selector(fields: Vec<FieldSelector>) -> AdvancedSelector {
    let of = |field: &str, value: &str| FieldSelector {
        field: field.into(),
        equals: vec![value.into()],
        ..FieldSelector::default()
    };
    let mut all = vec![of("eventCategory", "Data"), of("resources.type", "AWS::S3::Object")];
    all.extend(fields);
    AdvancedSelector { name: None, fields: all }
}

fn management_selector(fields: Vec<FieldSelector>) -> AdvancedSelector {
    let category =
        FieldSelector { field: "eventCategory".into(), equals: vec!["Management".into()], ..FieldSelector::default() };
    AdvancedSelector { name: None, fields: std::iter::once(category).chain(fields).collect() }
}

fn starting(prefix: &str) -> FieldSelector {
    FieldSelector { field: "resources.ARN".into(), starts_with: vec![prefix.into()], ..FieldSelector::default() }
}

impl Estate {
    /// Adds a trail of an account that differs from the organization's.
    pub(crate) fn second_trail(&mut self, account: &str, change: impl FnOnce(&mut Trail)) {
        let mut found = None;
        self.edit(|_, line| {
            if let Fact::Trail(trail) = &line.fact {
                found = Some(trail.clone());
            }
        });
        let mut trail = found.expect("the trail");
        trail.name = "second".into();
        trail.owner = account.into();
        trail.arn = format!("arn:aws:cloudtrail:{HOME}:{account}:trail/second");
        change(&mut trail);
        let arn = trail.arn.clone();
        self.add(account, Some(HOME), &arn, "cloudtrail:GetTrailStatus", Fact::Trail(trail));
    }

    /// Replaces the selectors of every trail there is.
    fn select(&mut self, selectors: Vec<AdvancedSelector>) {
        self.edit_trail(|t| t.selectors = Ok(Selectors::Advanced(selectors.clone())));
    }

    fn edit_workload(&mut self, kind: WorkloadKind, change: impl Fn(&mut Workload)) {
        self.edit(|_, line| {
            if let Fact::Workload(workload) = &mut line.fact
                && workload.kind == kind
            {
                change(workload);
            }
        });
    }

    fn status_of(&self, check: &str, tail: &str) -> Vec<&'static str> {
        let findings = self.findings();
        let found = findings.iter().filter(|f| f.check == check && f.resource.as_str().ends_with(tail));
        found.map(|f| f.status.word()).collect()
    }
}

#[track_caller]
pub(crate) fn judged(check: &str, tail: &str, wanted: &[&str], change: impl FnOnce(&mut Estate)) {
    let mut estate = Estate::healthy();
    change(&mut estate);
    assert_eq!(estate.status_of(check, tail), wanted, "{check} on {tail}: {:#?}", estate.gaps());
}

#[test]
fn prefixes_of_a_bucket_split_over_trails_are_whole() {
    let two_uses = |e: &mut Estate| {
        e.edit_workload(WorkloadKind::TrainingJob, |w| {
            if let Ok(uses) = &mut w.uses {
                let mut other = uses[0].clone();
                other.location = "s3://corpus/labels".into();
                uses.push(other);
            }
        });
    };
    let objects = |prefix: &str| {
        Ok(Selectors::Advanced(vec![data_selector(vec![starting(&format!("arn:aws:s3:::corpus/{prefix}"))])]))
    };
    judged("bucket-object-events-unrecorded", "corpus", &["pass"], |e| {
        two_uses(e);
        e.edit_trail(|t| t.selectors = objects("train"));
        e.second_trail(LAKE, |t| {
            t.organization = Ok(false);
            t.selectors = objects("labels");
        });
    });
    judged("bucket-object-events-unrecorded", "corpus", &["fail"], |e| {
        two_uses(e);
        e.edit_trail(|t| t.selectors = objects("train"));
    });
    // A trail of another account that is none of the organization's records nothing here.
    judged("bucket-object-events-unrecorded", "corpus", &["fail"], |e| {
        two_uses(e);
        e.edit_trail(|t| t.selectors = objects("train"));
        e.second_trail(ARCHIVE, |t| {
            t.organization = Ok(false);
            t.selectors = objects("labels");
        });
    });
}

#[test]
fn a_selector_that_equals_a_folder_records_no_object_below_it() {
    let equals = |value: &str| FieldSelector {
        field: "resources.ARN".into(),
        equals: vec![value.into()],
        ..FieldSelector::default()
    };
    judged("bucket-object-events-unrecorded", "corpus", &["fail"], |e| {
        e.edit_workload(WorkloadKind::TrainingJob, |w| {
            if let Ok(uses) = &mut w.uses {
                uses[0].location = "s3://corpus/".into();
            }
        });
        e.select(vec![data_selector(vec![equals("arn:aws:s3:::corpus/")])]);
    });
}

#[test]
fn bedrock_events_of_all_guardrails_there_are_are_all_there_can_be() {
    let select = |field: FieldSelector| {
        move |e: &mut Estate| {
            e.edit_trail(|t| {
                let Ok(Selectors::Advanced(list)) = &mut t.selectors else { panic!("advanced selectors") };
                let of_guardrails =
                    |s: &&mut AdvancedSelector| s.fields.iter().any(|f| f.equals == ["AWS::Bedrock::Guardrail"]);
                let selector = list.iter_mut().find(of_guardrails).expect("a selector of guardrails");
                selector.fields.push(field.clone());
            });
        }
    };
    let arn = |set: fn(&mut FieldSelector, String), value: &str| {
        let mut field = FieldSelector { field: "resources.ARN".into(), ..FieldSelector::default() };
        set(&mut field, value.to_owned());
        field
    };
    let check = "bedrock-resource-events-unrecorded";
    let starts = |value: &str| select(arn(|f, value| f.starts_with.push(value), value));
    judged(check, &format!("{PROD}:{HOME}"), &["pass"], starts(&format!("arn:aws:sagemaker:{HOME}:{PROD}:")));
    judged(check, &format!("{PROD}:{HOME}"), &["fail"], starts("arn:aws:sagemaker:us-west-2:"));
}

#[test]
fn a_selector_that_leaves_out_another_endpoint_leaves_this_one_in() {
    let but = |name: &str| {
        let mut selector = data_selector(vec![FieldSelector {
            field: "resources.ARN".into(),
            not_equals: vec![format!("arn:aws:sagemaker:{HOME}:{PROD}:Endpoint/{name}")],
            ..FieldSelector::default()
        }]);
        selector.fields[1].equals = vec!["AWS::SageMaker::Endpoint".into()];
        selector
    };
    let check = "endpoint-invocations-unrecorded";
    judged(check, "ranking", &["pass"], |e| e.select(vec![but("ranking-2")]));
    judged(check, "ranking", &["pass"], |e| e.select(vec![but("rank")]));
    judged(check, "ranking", &["fail"], |e| e.select(vec![but("ranking")]));
}

#[test]
fn trails_that_leave_out_ai_services_do_not_record_them() {
    let but = |source: &str| FieldSelector {
        field: "eventSource".into(),
        not_equals: vec![source.into()],
        ..FieldSelector::default()
    };
    let only = |source: &str| FieldSelector {
        field: "eventSource".into(),
        equals: vec![source.into()],
        ..FieldSelector::default()
    };
    let check = "api-activity-unrecorded";
    let here = "333333333333:us-east-1";
    judged(check, here, &["pass"], |e| e.select(vec![management_selector(vec![but("kms.amazonaws.com")])]));
    for source in ["bedrock.amazonaws.com", "sagemaker.amazonaws.com", "sts.amazonaws.com"] {
        judged(check, here, &["fail"], |e| e.select(vec![management_selector(vec![but(source)])]));
    }
    let bedrock = "bedrock.amazonaws.com";
    // Another selector, or another trail, may take it in again.
    judged(check, here, &["pass"], |e| {
        e.select(vec![management_selector(vec![but(bedrock)]), management_selector(vec![only(bedrock)])]);
    });
    judged(check, here, &["pass"], |e| {
        e.select(vec![management_selector(vec![but(bedrock)])]);
        e.second_trail(PROD, |t| t.selectors = Ok(Selectors::Advanced(vec![management_selector(vec![only(bedrock)])])));
    });
    judged(check, here, &["unknown"], |e| {
        e.select(vec![management_selector(vec![but(bedrock)])]);
        e.second_trail(PROD, |t| t.selectors = Err(denied("cloudtrail:GetEventSelectors")));
    });
    // Reads whole, writes without it: the reads make up for nothing.
    let reads = |value: &str| FieldSelector {
        field: "readOnly".into(),
        equals: vec![value.into()],
        ..FieldSelector::default()
    };
    judged(check, here, &["fail"], |e| {
        e.select(vec![
            management_selector(vec![reads("true")]),
            management_selector(vec![reads("false"), but(bedrock)]),
        ]);
    });
}

#[test]
fn rules_on_the_folder_that_records_land_in_cover_them() {
    let rule = copies_to("org-trail", "invocations/");
    judged("bedrock-log-bucket-mutable", "prod-evidence", &["pass"], |e| {
        e.edit_bucket("org-trail", |b| b.policy = takes_copies("org-trail"));
        e.edit_bucket("prod-evidence", |b| {
            b.object_lock = Observed::Absent;
            b.replication = Observed::Known(vec![rule.clone()]);
        });
    });
    let expiring = LifecycleRule {
        id: None,
        enabled: true,
        prefix: "invocations-scratch/".into(),
        tag_or_size_filter: false,
        expiration_days: Some(3),
        expiration_date: None,
        noncurrent_days: Some(1),
        newer_noncurrent_versions: None,
    };
    judged("bedrock-log-bucket-short-lived", "prod-evidence", &["pass"], |e| {
        e.edit_bucket("prod-evidence", |b| {
            b.object_lock = Observed::Absent;
            b.lifecycle = Observed::Known(vec![expiring.clone()]);
        });
    });
    let below = vec![
        data_selector(vec![starting("arn:aws:s3:::prod-evidence/invocations/")]),
        data_selector(vec![starting("arn:aws:s3:::prod-evidence/capture/")]),
    ];
    judged("bucket-object-events-unrecorded", "prod-evidence", &["pass"], |e| e.select(below));
}

#[test]
fn a_bucket_that_cannot_receive_invocations_is_no_copy_of_the_log_group() {
    let short = |e: &mut Estate| {
        e.edit_group("/bedrock", |g| {
            if let Ok(Some(settings)) = &mut g.settings {
                settings.retention_days = Some(7);
            }
        });
    };
    judged("bedrock-log-group-short-lived", "/bedrock", &["pass"], short);
    judged("bedrock-log-group-short-lived", "/bedrock", &["fail"], |e| {
        short(e);
        // Of another account.
        e.edit_logging(|l| l.s3 = Some(S3Sink { bucket: "org-trail".into(), prefix: String::new() }));
    });
    judged("bedrock-log-group-short-lived", "/bedrock", &["fail"], |e| {
        short(e);
        e.edit_bucket("prod-evidence", |b| b.region = Ok("eu-west-1".into()));
    });
}

#[test]
fn endpoints_that_do_not_serve_are_not_judged() {
    for status in ["Creating", "Failed", "Deleting"] {
        let stopped = |e: &mut Estate| {
            e.edit_workload(WorkloadKind::Endpoint, |w| w.status = Some(status.into()));
            e.edit_live(|c| c.started = false);
        };
        judged("endpoint-capture-incomplete", "ranking", &["fail"], stopped);
        judged("endpoint-capture-incomplete", "ranking", &[], |e| {
            stopped(e);
            e.edit(|_, line| {
                if let Fact::EndpointMetrics(metrics) = &mut line.fact {
                    metrics.invoked = Ok(Vec::new());
                }
            });
        });
        judged("endpoint-capture-incomplete", "us-east-1", &["unknown"], |e| {
            stopped(e);
            e.edit(|_, line| {
                if let Fact::EndpointMetrics(metrics) = &mut line.fact {
                    metrics.invoked = Err(denied("cloudwatch:ListMetrics"));
                }
            });
        });
    }
    judged("endpoint-capture-incomplete", "ranking", &["fail"], |e| {
        e.edit_workload(WorkloadKind::Endpoint, |w| w.status = Some("UpdateRollbackFailed".into()));
        e.edit_live(|c| c.started = false);
    });
}

#[test]
fn every_direction_needs_its_fields_where_it_is_delivered() {
    let thin = |l: &mut FlowLog| l.format = Some("${interface-id} ${packets}".into());
    judged("flow-fields-missing", "vpc-1", &["fail"], |e| {
        e.edit_flow(|l| {
            l.traffic = Ok("ACCEPT".into());
            thin(l);
        });
        e.flow_log("fl-2", "vpc-1", "REJECT");
    });
    judged("flow-fields-missing", "vpc-1", &["fail"], |e| {
        e.edit_flow(|l| l.deliver_status = Some("FAILED".into()));
        e.flow_log("fl-2", "vpc-1", "ALL");
        e.edit_flow(|l| {
            if l.id == "fl-2" {
                thin(l);
            }
        });
    });
    judged("flow-fields-missing", "vpc-1", &["pass"], |e| {
        e.edit_flow(thin);
        e.flow_log("fl-2", "vpc-1", "ALL");
    });
}

#[test]
fn a_shared_subnet_is_judged_by_its_owners_flow_logs_where_they_are_seen() {
    let shared = |e: &mut Estate| {
        e.edit(|_, line| {
            if let Fact::Subnet(subnet) = &mut line.fact {
                subnet.place = Ok(Some(SubnetPlace { vpc: "vpc-1".into(), owner: LAKE.into() }));
            }
        });
        for lines in e.accounts.values_mut() {
            lines.retain(|l| !matches!(l.fact, Fact::FlowLog(_)));
        }
    };
    let check = "subnet-flows-unrecorded";
    judged(check, "vpc-1", &["fail"], shared);
    judged(check, "vpc-1", &["unknown"], |e| {
        shared(e);
        e.edit(|account, line| {
            if let Fact::Listing(listing) = &mut line.fact
                && account.as_str() == LAKE
                && listing.call == "ec2:DescribeFlowLogs"
            {
                listing.count = Err(denied("ec2:DescribeFlowLogs"));
            }
        });
    });
    judged(check, "vpc-1", &["pass"], |e| {
        shared(e);
        e.flow_log("fl-1", "vpc-1", "ALL");
        let mine = e.accounts.get_mut(&AccountId::from(PROD)).expect("prod");
        let at = mine.iter().position(|l| matches!(l.fact, Fact::FlowLog(_))).expect("the log");
        let mut line = mine.remove(at);
        line.account = LAKE.into();
        e.accounts.get_mut(&AccountId::from(LAKE)).expect("lake").push(line);
    });
}

#[test]
fn a_vended_delivery_of_access_logs_must_end_somewhere() {
    let only_delivery = |e: &mut Estate, destination: &str| {
        e.select(vec![management_selector(Vec::new())]);
        e.edit_bucket("prod-models", |b| b.access_logging = Observed::Absent);
        e.edit(|account, line| {
            if let Fact::LogDeliveries(deliveries) = &mut line.fact
                && account.as_str() == PROD
            {
                deliveries.s3_access = Ok(vec![S3AccessDelivery {
                    bucket_arn: "arn:aws:s3:::prod-models".into(),
                    active: true,
                    destination_arn: destination.into(),
                }]);
            }
        });
    };
    let check = "bucket-access-unlogged";
    let group = format!("arn:aws:logs:{HOME}:{PROD}:log-group:/flows");
    judged(check, "prod-models", &["pass"], |e| only_delivery(e, &group));
    judged(check, "prod-models", &["pass"], |e| only_delivery(e, "arn:aws:s3:::org-trail"));
    judged(check, "prod-models", &["fail"], |e| {
        only_delivery(e, &group);
        e.edit_group("/flows", |g| g.settings = Ok(None));
    });
    judged(check, "prod-models", &["fail"], |e| {
        only_delivery(e, "arn:aws:s3:::org-trail");
        e.delete_bucket("org-trail");
    });
    judged(check, "prod-models", &["unknown"], |e| {
        only_delivery(e, &group);
        e.edit_group("/flows", |g| g.settings = Err(denied("logs:DescribeLogGroups")));
    });
}

#[test]
fn deletion_is_denied_only_where_few_are_exempt_and_the_records_are_meant() {
    let policy = |resource: &str, exempt: &str| {
        serde_json::json!({"Statement": [
            {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
             "Resource": "arn:aws:s3:::prod-access-logs/*"},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject*", "Resource": resource,
             "Condition": {"ArnNotLike": {"aws:PrincipalArn": exempt}}}
        ]})
        .to_string()
    };
    let check = "access-log-bucket-mutable";
    let all = "arn:aws:s3:::prod-access-logs/*";
    let with = |wanted: &[&str], resource: &str, exempt: &str| {
        let document = policy(resource, exempt);
        judged(check, "prod-access-logs", wanted, |e| {
            e.edit_bucket("prod-access-logs", |b| b.policy = Observed::Known(document.clone()));
        });
    };
    with(&["pass"], all, "arn:aws:iam::333333333333:role/janitor");
    with(&["fail"], all, "*");
    with(&["fail"], all, "arn:aws:iam::*");
    with(&["fail"], all, "arn:aws:iam::333333333333:role/*");
    with(&["fail"], "arn:aws:s3:::prod-access-logs/prod-models/*", "arn:aws:iam::333333333333:role/janitor");
    let document = policy("arn:aws:s3:::prod-access-logs/prod-models/*", "arn:aws:iam::333333333333:role/janitor");
    judged(check, "prod-access-logs", &["pass"], |e| {
        e.edit_bucket("prod-access-logs", |b| b.policy = Observed::Known(document.clone()));
        e.edit_bucket("prod-evidence", |b| b.access_logging = Observed::Absent);
    });
}

#[test]
fn a_bucket_for_config_is_never_told_to_be_locked() {
    let config = serde_json::json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "config.amazonaws.com"},
        "Action": "s3:PutObject", "Resource": "arn:aws:s3:::org-trail/*"}]})
    .to_string();
    let change = |e: &mut Estate| {
        e.edit_bucket("org-trail", |b| {
            b.object_lock = Observed::Absent;
            b.policy = Observed::Known(config.clone());
        });
    };
    judged("trail-bucket-mutable", "org-trail", &[], change);
    judged("trail-bucket-unlockable", "org-trail", &["fail"], change);
}

#[test]
fn replicating_into_a_bucket_that_is_gone_makes_no_copy() {
    let rule = ReplicationRule { account: None, ..copies_to("gone", "") };
    judged("capture-bucket-mutable", "prod-evidence", &["fail"], |e| {
        e.edit_bucket("prod-evidence", |b| {
            b.object_lock = Observed::Absent;
            b.replication = Observed::Known(vec![rule.clone()]);
        });
        e.probe("gone", Ok(false));
    });
}

#[test]
fn accounts_entered_for_evidence_alone_are_not_judged_themselves() {
    let mut estate = Estate::healthy();
    estate.edit(|account, line| {
        if let Fact::Account(entry) = &mut line.fact {
            entry.workloads = account.as_str() == PROD;
        }
    });
    let others = [MANAGEMENT, ARCHIVE, LAKE];
    let findings = estate.findings();
    let own: Vec<_> = findings
        .iter()
        .filter(|f| others.contains(&f.account.as_str()) && f.resource_kind == "account_region")
        .map(|f| (&f.check, &f.account))
        .collect();
    assert!(own.is_empty(), "{own:?}");
    assert!(findings.iter().any(|f| f.resource.as_str().ends_with("corpus")), "what they hold is");
}

#[test]
fn every_verdict_shows_the_calls_it_rests_on() {
    for estate in [Estate::healthy(), broken()] {
        for finding in estate.findings() {
            if matches!(finding.status, Status::Pass | Status::Fail) {
                assert!(!finding.evidence.is_empty(), "{} on {}", finding.check, finding.resource);
            }
            let calls: Vec<&str> = finding.evidence.iter().map(|e| e.call.as_str()).collect();
            let trails =
                ["bucket-object-events-unrecorded", "endpoint-invocations-unrecorded", "api-activity-unrecorded"];
            if finding.status == Status::Pass && trails.contains(&finding.check.as_str()) {
                assert!(calls.contains(&"cloudtrail:GetTrailStatus"), "{}: {calls:?}", finding.check);
            }
            if finding.check == "endpoint-log-group-missing" {
                assert!(calls.contains(&"logs:DescribeLogGroups"), "{calls:?}");
                assert!(calls.contains(&"cloudwatch:ListMetrics"), "{calls:?}");
            }
            if finding.check == "flow-logs-undelivered" && finding.status == Status::Pass {
                assert!(calls.contains(&"logs:DescribeLogGroups"), "{calls:?}");
            }
        }
    }
}
