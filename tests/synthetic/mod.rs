//! A made-up organization of any size, as facts and as a snapshot on disk: what benchmarks and tests of size judge.
//!
//! It is shaped like real ones: most accounts run no AI and say so region by region, a fifth does in one or two regions,
//! an organization trail shows in every member, and a log archive and a data lake are shared. Equal size and number give
//! equal facts. What AWS would answer is the simulator's business, not this file's.

#![allow(dead_code, reason = "benchmarks and tests each use a part of it")]

use std::collections::BTreeMap;
use std::path::Path;

use locard::files::{Ending, SnapshotError, SnapshotWriter, inventory_file, reached_file};
use locard::inventory::bedrock::{BedrockMetrics, BedrockRegion, CloudWatchSink, InvocationLogging, S3Sink};
use locard::inventory::cloudtrail::{AdvancedSelector, FieldSelector, Selectors, Trail, TrailStatus};
use locard::inventory::ec2::{FlowLog, Subnet, SubnetPlace};
use locard::inventory::kms::{Key, KeyState};
use locard::inventory::logs::{LogDeliveries, LogGroup, LogGroupSettings, S3AccessDelivery};
use locard::inventory::organizations::{Account, AccountEntry, Organization, OrganizationId};
use locard::inventory::s3::{
    AccessLogging, Bucket, BucketName, BucketProbe, DefaultRetention, Encryption, LifecycleRule, ObjectLock,
    ReplicationRule, Versioning,
};
use locard::inventory::sagemaker::{CaptureConfig, Endpoint, EndpointConfig, EndpointMetrics, LiveCapture, Variant};
use locard::inventory::snapshot::{Manifest, Plan, SNAPSHOT_VERSION};
use locard::inventory::workload::{Placement, S3Role, S3Use, Workload, WorkloadKind};
use locard::inventory::{AccountFacts, Fact, Line, Listing, Read};
use locard::model::ids::{AccountId, Region};
use locard::model::observed::{Observed, Unknown, Why};
use locard::model::time::{Moment, Timestamp};
use rayon::prelude::*;

/// Regions in the order in which accounts have more of them.
const REGIONS: [&str; 17] = [
    "us-east-1",
    "eu-west-1",
    "eu-central-1",
    "us-west-2",
    "us-east-2",
    "us-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "sa-east-1",
];

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
];

/// Positions of the accounts that others lean on.
const MANAGEMENT: usize = 0;
const ARCHIVE: usize = 1;
const LAKE: usize = 2;
const NETWORK: usize = 4;
/// An account outside the organization, where some log groups are.
const OUTSIDE: &str = "999999999999";

/// A made-up organization.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Synthetic {
    pub(crate) accounts: usize,
    pub(crate) regions: usize,
    /// One account in so many runs AI.
    pub(crate) ai_one_in: usize,
    /// The management account could not be entered, so that its trail is known as members see it.
    pub(crate) management_locked: bool,
}

/// What an account is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    Idle,
    /// Runs AI, and keeps all, some or none of the evidence of it.
    Good,
    Mixed,
    Bad,
    /// The role could not be entered.
    Locked,
    /// A service control policy closes most of its regions.
    Fenced,
    Closed,
}

impl Synthetic {
    pub(crate) fn new(accounts: usize) -> Self {
        Self { accounts: accounts.max(5), regions: REGIONS.len(), ai_one_in: 5, management_locked: false }
    }

    pub(crate) fn as_of() -> Timestamp {
        Timestamp::parse("2026-11-01T12:00:00Z").unwrap_or_else(|e| panic!("internal error: a constant: {e}"))
    }

    /// Why nothing is known of an account that is not there.
    pub(crate) fn absent(id: &AccountId) -> Unknown {
        Unknown::new("sts:AssumeRole", Why::NotCollected).in_account(id)
    }

    /// In the order of their ids.
    pub(crate) fn ids(&self) -> Vec<AccountId> {
        (0..self.accounts).map(id).collect()
    }

    pub(crate) fn organization(&self) -> Organization {
        let units = ["Root/Infrastructure", "Root/Workloads/Prod", "Root/Workloads/Dev", "Root/Sandbox"];
        let accounts = (0..self.accounts).map(|at| Account {
            id: id(at),
            name: Some(format!("team-{at:05}")),
            state: Some(if self.nature(at) == Nature::Closed { "CLOSED" } else { "ACTIVE" }.to_owned()),
            ou_path: Ok(units[at % units.len()].to_owned()),
            ou_ids: vec!["r-ab12".to_owned(), format!("ou-ab12-{:08}", at % units.len())],
            selected: true,
        });
        Organization {
            organization: Observed::Known(OrganizationId {
                id: "o-a1b2c3d4e5".to_owned(),
                management_account: id(MANAGEMENT),
            }),
            accounts: accounts.collect(),
            listed: Ok(()),
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan {
            snapshot_version: SNAPSHOT_VERSION,
            caller: format!("arn:aws:iam::{}:user/auditor", id(ARCHIVE)),
            role: "LocardAudit".to_owned(),
            accounts: Vec::new(),
            organizational_units: Vec::new(),
            regions: Vec::new(),
            skip_regions: Vec::new(),
            operations: Vec::new(),
            ai_lookback_days: 365,
            max_described_jobs: 500,
            shard: None,
        }
    }

    pub(crate) fn manifest(&self) -> Manifest {
        let plan = self.plan();
        Manifest {
            snapshot_version: SNAPSHOT_VERSION,
            locard_version: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: "synthetic".to_owned(),
            plan_digest: plan.digest(),
            plan,
            merged: None,
            as_of: Self::as_of(),
            finished_at: Self::as_of(),
            clock_skew_seconds: Some(0),
            complete: true,
            calls: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    fn nature(&self, at: usize) -> Nature {
        match at {
            MANAGEMENT if self.management_locked => Nature::Locked,
            MANAGEMENT | ARCHIVE | LAKE | NETWORK => Nature::Idle,
            _ if at % self.ai_one_in == 3 % self.ai_one_in => {
                [Nature::Good, Nature::Mixed, Nature::Bad, Nature::Mixed][at / self.ai_one_in % 4]
            }
            _ if at % 101 == 7 => Nature::Locked,
            _ if at % 103 == 9 => Nature::Fenced,
            _ if at % 211 == 11 => Nature::Closed,
            _ => Nature::Idle,
        }
    }

    /// What the two passes would have read of an account.
    pub(crate) fn lines(&self, at: usize) -> (Vec<Line>, Vec<Line>) {
        let mut facts = Facts { id: id(at), at, ai_one_in: self.ai_one_in, inventory: Vec::new(), reached: Vec::new() };
        facts.account(self.nature(at), self.regions);
        (facts.inventory, facts.reached)
    }

    /// The same as a reader gives it.
    pub(crate) fn facts(&self, account: &AccountId) -> AccountFacts {
        let (mut lines, mut reached) = self.lines(position(account));
        for pass in [&mut lines, &mut reached] {
            pass.sort_by(|a, b| (&a.kind, &a.id, &a.region).cmp(&(&b.kind, &b.id, &b.region)));
        }
        lines.append(&mut reached);
        AccountFacts { account: account.clone(), lines }
    }

    /// Writes it as a run would have left it.
    pub(crate) fn write(&self, dir: &Path) -> Result<String, SnapshotError> {
        let writer = SnapshotWriter::create(dir, &self.plan(), "synthetic", Self::as_of())?;
        writer.write_organization(&self.organization())?;
        (0..self.accounts).into_par_iter().try_for_each(|at| {
            let (inventory, reached) = self.lines(at);
            if inventory.is_empty() {
                return Ok(());
            }
            writer.write_lines(&inventory_file(&id(at)), inventory)?;
            if reached.is_empty() { Ok(()) } else { writer.write_lines(&reached_file(&id(at)), reached) }
        })?;
        writer.finish(Ending {
            finished_at: Self::as_of(),
            clock_skew_seconds: Some(0),
            complete: true,
            calls: BTreeMap::new(),
        })
    }
}

fn id(at: usize) -> AccountId {
    AccountId::new(format!("{:012}", 100_000_000_000 + at as u64 * 7_001))
}

fn position(account: &AccountId) -> usize {
    account.as_str().parse::<usize>().map_or(0, |number| (number - 100_000_000_000) / 7_001)
}

fn ago(hours: i64) -> Moment {
    let read = Synthetic::as_of();
    Moment { at: Timestamp::from_unix(read.unix() - hours * 3_600), read }
}

fn read(call: &str) -> Read {
    Read { call: call.to_owned(), at: Synthetic::as_of() }
}

/// The facts of one account, as they are made up.
struct Facts {
    id: AccountId,
    at: usize,
    ai_one_in: usize,
    inventory: Vec<Line>,
    reached: Vec<Line>,
}

impl Facts {
    fn add(&mut self, region: Option<&str>, id: impl Into<String>, calls: &[&str], fact: Fact) {
        let reads = calls.iter().map(|call| read(call)).collect();
        let into = match &fact {
            Fact::Bucket(_)
            | Fact::BucketProbe(_)
            | Fact::LogDeliveries(_)
            | Fact::LogGroup(_)
            | Fact::Subnet(_)
            | Fact::FlowLog(_)
            | Fact::Key(_) => &mut self.reached,
            Fact::Listing(listing) if listing.call.starts_with("ec2:") => &mut self.reached,
            _ => &mut self.inventory,
        };
        into.push(Line::new(&self.id, region.map(Region::from).as_ref(), id, reads, fact));
    }

    fn account(&mut self, nature: Nature, regions: usize) {
        if nature == Nature::Closed {
            return;
        }
        let regions = &REGIONS[..regions.min(REGIONS.len())];
        self.entry(nature, regions);
        if nature == Nature::Locked {
            return;
        }
        let listed = Listing { call: "s3:ListBuckets".to_owned(), count: Ok(12), capped: 0 };
        self.add(None, format!("s3:ListBuckets:{}", self.id), &["s3:ListBuckets"], Fact::Listing(listed));
        for n in 0..6 + self.at % 9 {
            self.bucket_name(&format!("team-{:05}-bucket-{n}", self.at));
        }
        for (n, region) in regions.iter().enumerate() {
            self.region(region, nature == Nature::Fenced && n > 3);
        }
        self.organization_trail();
        match self.at {
            ARCHIVE => self.archive(),
            LAKE => self.lake(),
            NETWORK => self.shared_network(),
            _ => {}
        }
        if self.at % 10 == 3 {
            self.own_trail();
        }
        if matches!(nature, Nature::Good | Nature::Mixed | Nature::Bad) {
            for region in regions.iter().take(1 + self.at / self.ai_one_in % 2) {
                self.workloads(region, nature);
            }
            self.oddities(regions[0]);
        }
    }

    /// What some of the accounts that run AI do besides.
    fn oddities(&mut self, region: &str) {
        let name = format!("odd-{:05}", self.at);
        let used = |location: String| S3Use { location, role: S3Role::Training, field: "TrainingInput".to_owned() };
        let mut uses = Vec::new();
        match self.at / self.ai_one_in % 9 {
            1 => uses.push(used("s3://partner-corpus/shared".to_owned())),
            2 => uses.push(used(format!("s3://{name}-gone/train"))),
            3 => uses.push(used("s3://jumpstart-cache-prod-us-east-1/model".to_owned())),
            // Of the team before.
            4 => uses.push(used(format!("s3://team-{:05}-{region}-models/out", self.at - self.ai_one_in))),
            5 => {
                self.bucket(&name, region, |bucket| {
                    bucket.access_logging = Observed::Known(AccessLogging {
                        target_bucket: "archive-copies".to_owned(),
                        target_prefix: "misplaced/".to_owned(),
                    });
                });
                uses.push(used(format!("s3://{name}/train")));
            }
            6 => self.guest(region, &name),
            7 => {
                let log = self.flow_log(&format!("subnet-{:06}0", self.at));
                let group = format!("arn:aws:logs:{region}:{OUTSIDE}:log-group:/flows");
                self.add(
                    Some(region),
                    format!("{name}-fl"),
                    &["ec2:DescribeFlowLogs"],
                    Fact::FlowLog(FlowLog { destination: Some(group), ..log }),
                );
            }
            _ => {}
        }
        let probes: Vec<(String, bool)> = uses
            .iter()
            .filter_map(|used| used.location.strip_prefix("s3://")?.split('/').next().map(str::to_owned))
            .filter(|bucket| bucket.ends_with("-gone") || bucket == "partner-corpus")
            .map(|bucket| (bucket.clone(), !bucket.ends_with("-gone")))
            .collect();
        for (bucket, exists) in probes {
            let probe = BucketProbe { name: bucket.clone(), exists: Ok(exists) };
            self.add(
                Some(region),
                format!("arn:aws:s3:::{bucket}"),
                &["s3:GetBucketLocation"],
                Fact::BucketProbe(probe),
            );
        }
        if !uses.is_empty() {
            self.workload(region, WorkloadKind::TrainingJob, &name, uses, Placement::AwsVpc, None);
        }
    }

    /// Runs in a subnet that the network account shares.
    fn guest(&mut self, region: &str, name: &str) {
        let subnet = format!("subnet-shared-{}", self.at % 2);
        let place = SubnetPlace { vpc: "vpc-shared".to_owned(), owner: id(NETWORK) };
        let fact = Subnet { id: subnet.clone(), place: Ok(Some(place)) };
        self.add(Some(region), subnet.clone(), &["ec2:DescribeSubnets"], Fact::Subnet(fact));
        self.workload(region, WorkloadKind::ProcessingJob, name, Vec::new(), Placement::Subnets(vec![subnet]), None);
    }

    fn shared_network(&mut self) {
        let (region, call) = (REGIONS[0], "ec2:DescribeFlowLogs");
        let listing = Listing { call: call.to_owned(), count: Ok(2), capped: 0 };
        self.add(Some(region), format!("{call}:{}:{region}", self.id), &[call], Fact::Listing(listing));
        let to_archive = FlowLog {
            id: "fl-shared-s3".to_owned(),
            destination_type: Some("s3".to_owned()),
            destination: Some("arn:aws:s3:::archive-flows/shared/".to_owned()),
            log_group: None,
            ..self.flow_log("vpc-shared")
        };
        let to_group = FlowLog { id: "fl-shared-logs".to_owned(), ..self.flow_log("subnet-shared-1") };
        for log in [to_archive, to_group] {
            self.add(Some(region), log.id.clone(), &[call], Fact::FlowLog(log));
        }
        self.group(region, "/vpc/flows", Some(120));
    }

    fn flow_log(&self, resource: &str) -> FlowLog {
        FlowLog {
            id: format!("fl-{:06}", self.at),
            resource: resource.to_owned(),
            active: Ok(true),
            deliver_status: Some("SUCCESS".to_owned()),
            deliver_error: None,
            traffic: Ok("ALL".to_owned()),
            destination_type: Some("cloud-watch-logs".to_owned()),
            destination: None,
            log_group: Some("/vpc/flows".to_owned()),
            hive: Some(false),
            format: None,
            created: Some(ago(24 * 500)),
        }
    }

    fn entry(&mut self, nature: Nature, regions: &[&str]) {
        let regions: Vec<Region> = regions.iter().map(|region| Region::from(*region)).collect();
        let refused =
            Unknown::new("sts:AssumeRole", Why::Denied).in_account(&self.id).saying("is not authorized to perform");
        let locked = nature == Nature::Locked;
        let entry = AccountEntry {
            session: if locked {
                Err(refused)
            } else {
                Ok(format!("arn:aws:sts::{}:assumed-role/LocardAudit/locard-synthetic", self.id))
            },
            enabled_regions: if locked {
                Err(Unknown::new("ec2:DescribeRegions", Why::NotEntered).in_account(&self.id))
            } else {
                Ok(regions.clone())
            },
            read_regions: if locked { Vec::new() } else { regions },
            workloads: true,
        };
        self.add(None, format!("account:{}", self.id), &["sts:AssumeRole"], Fact::Account(entry));
    }

    /// What a region without AI says: every list is empty.
    fn region(&mut self, region: &str, fenced: bool) {
        let id = self.id.clone();
        let denied = |call: &str| {
            Unknown::new(call, Why::DeniedByScp)
                .in_account(&id)
                .in_region(&Region::from(region))
                .saying("with an explicit deny in a service control policy")
        };
        for call in LISTINGS {
            let count = match *call {
                "cloudtrail:DescribeTrails" => Ok(1),
                call if fenced => Err(denied(call)),
                _ => Ok(0),
            };
            let listing = Listing { call: (*call).to_owned(), count, capped: 0 };
            self.add(Some(region), format!("{call}:{id}:{region}"), &[call], Fact::Listing(listing));
        }
        let bedrock = BedrockRegion {
            logging: if fenced {
                Observed::Unknown(denied("bedrock:GetModelInvocationLoggingConfiguration"))
            } else {
                Observed::Absent
            },
            metrics: if fenced { Err(denied("cloudwatch:ListMetrics")) } else { Ok(BedrockMetrics::default()) },
            mantle_metrics: if fenced { Err(denied("cloudwatch:ListMetrics")) } else { Ok(false) },
        };
        let calls = ["bedrock:GetModelInvocationLoggingConfiguration", "cloudwatch:ListMetrics"];
        let id = format!("bedrock-invocation-logging:{id}:{region}");
        self.add(Some(region), id, &calls, Fact::Bedrock(bedrock));
    }

    fn trail(&mut self, name: &str, owner: usize, organization: bool, bucket: &str, data: bool) {
        let of = |field: &str, value: &str| FieldSelector {
            field: field.to_owned(),
            equals: vec![value.to_owned()],
            ..FieldSelector::default()
        };
        let mut selectors = vec![AdvancedSelector { name: None, fields: vec![of("eventCategory", "Management")] }];
        if data {
            selectors.extend(["AWS::S3::Object", "AWS::SageMaker::Endpoint"].map(|kind| AdvancedSelector {
                name: Some(format!("all of {kind}")),
                fields: vec![of("eventCategory", "Data"), of("resources.type", kind)],
            }));
        }
        let shadow = owner != self.at;
        let arn = format!("arn:aws:cloudtrail:{}:{}:trail/{name}", REGIONS[0], id(owner));
        let unasked = |call: &str| Unknown::new(call, Why::Foreign).in_account(&self.id);
        let trail = Trail {
            arn: arn.clone(),
            name: name.to_owned(),
            owner: id(owner),
            home_region: Ok(REGIONS[0].into()),
            multi_region: Ok(true),
            organization: Ok(organization),
            global_service_events: Ok(true),
            log_file_validation: Ok(organization),
            bucket: Ok(bucket.to_owned()),
            prefix: None,
            kms_key: (!data).then(|| format!("arn:aws:kms:{}:{}:key/trails", REGIONS[0], id(ARCHIVE))),
            log_group_arn: (self.at % 50 == 3)
                .then(|| format!("arn:aws:logs:{}:{OUTSIDE}:log-group:trails-{}", REGIONS[0], self.at % 100)),
            status: Ok(TrailStatus {
                is_logging: true,
                latest_delivery: Some(ago(1)),
                latest_delivery_error: None,
                latest_digest_delivery: organization.then(|| ago(2)),
                latest_digest_delivery_error: None,
                started: Some(ago(24 * 700)),
                stopped: None,
            }),
            selectors: if shadow {
                Err(unasked("cloudtrail:GetEventSelectors"))
            } else {
                Ok(Selectors::Advanced(selectors))
            },
            shadow,
        };
        let calls = ["cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors"];
        self.add(Some(REGIONS[0]), arn, &calls, Fact::Trail(Box::new(trail)));
    }

    /// Described by the management account, and seen by every member.
    fn organization_trail(&mut self) {
        self.trail("organization", MANAGEMENT, true, "archive-trail", true);
    }

    /// A trail of the account's own, into the archive or a bucket of its own.
    fn own_trail(&mut self) {
        if self.at % 20 == 3 {
            self.trail("own", self.at, false, "archive-trail", false);
        } else {
            let bucket = format!("team-{:05}-trail", self.at);
            self.bucket(&bucket, REGIONS[0], |_| {});
            self.trail("own", self.at, false, &bucket, false);
        }
    }

    fn bucket_name(&mut self, name: &str) {
        let bucket = BucketName { name: name.to_owned(), region: Some(REGIONS[0].into()) };
        self.add(None, format!("arn:aws:s3:::{name}"), &["s3:ListBuckets"], Fact::BucketName(bucket));
    }

    /// A bucket that something reaches: listed, and described.
    fn bucket(&mut self, name: &str, region: &str, edit: impl FnOnce(&mut Bucket)) {
        let listed = BucketName { name: name.to_owned(), region: Some(region.into()) };
        self.add(None, format!("arn:aws:s3:::{name}"), &["s3:ListBuckets"], Fact::BucketName(listed));
        let tls = serde_json::json!({"Version": "2012-10-17", "Statement": [{"Sid": "TransportOnly", "Effect": "Deny",
            "Principal": "*", "Action": "s3:*", "Resource": [format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]});
        let mut bucket = Bucket {
            name: name.to_owned(),
            region: Ok(region.into()),
            versioning: Observed::Absent,
            object_lock: Observed::Absent,
            access_logging: Observed::Absent,
            policy: Observed::Known(tls.to_string()),
            encryption: Observed::Known(Encryption { algorithm: "AES256".to_owned(), kms_key: None }),
            lifecycle: Observed::Absent,
            replication: Observed::Absent,
            ownership: Observed::Known("BucketOwnerEnforced".to_owned()),
            acl_log_delivery: Ok(false),
        };
        edit(&mut bucket);
        let calls = [
            "s3:GetBucketVersioning",
            "s3:GetObjectLockConfiguration",
            "s3:GetBucketLogging",
            "s3:GetBucketPolicy",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetReplicationConfiguration",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketAcl",
        ];
        self.add(Some(region), format!("arn:aws:s3:::{name}"), &calls, Fact::Bucket(Box::new(bucket)));
    }

    fn archive(&mut self) {
        self.group(REGIONS[0], "/lake/access", Some(90));
        let arn = format!("arn:aws:kms:{}:{}:key/trails", REGIONS[0], self.id);
        let state = KeyState { arn: arn.clone(), state: "Enabled".to_owned(), manager: Some("CUSTOMER".to_owned()) };
        let key = Key { reference: arn.clone(), state: Ok(state) };
        self.add(Some(REGIONS[0]), arn, &["kms:DescribeKey"], Fact::Key(key));
        for name in ["archive-trail", "archive-flows", "archive-copies"] {
            self.bucket(name, REGIONS[0], |bucket| {
                locked(bucket);
                let copies = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:ReplicateObject",
                    "Resource": "arn:aws:s3:::archive-copies/*"}}"#;
                bucket.policy = Observed::Known(copies.to_owned());
                bucket.lifecycle = Observed::Known(vec![LifecycleRule {
                    id: Some("keep two years".to_owned()),
                    enabled: true,
                    prefix: String::new(),
                    tag_or_size_filter: false,
                    expiration_days: Some(730),
                    expiration_date: None,
                    noncurrent_days: Some(30),
                    newer_noncurrent_versions: None,
                }]);
            });
        }
    }

    fn lake(&mut self) {
        self.bucket("lake-access-logs", REGIONS[0], |_| {});
        for n in 0..8 {
            self.bucket(&format!("lake-corpus-{n}"), REGIONS[0], |bucket| {
                if n % 2 == 0 {
                    bucket.versioning = Observed::Known(Versioning { status: "Enabled".to_owned(), mfa_delete: false });
                }
                bucket.access_logging = Observed::Known(AccessLogging {
                    target_bucket: "lake-access-logs".to_owned(),
                    target_prefix: format!("lake-corpus-{n}/"),
                });
            });
        }
        let delivery = |n: usize, destination_arn: String| S3AccessDelivery {
            bucket_arn: format!("arn:aws:s3:::lake-corpus-{n}"),
            active: true,
            destination_arn,
        };
        let group = format!("arn:aws:logs:{}:{}:log-group:/lake/access:*", REGIONS[0], id(ARCHIVE));
        let deliveries = vec![delivery(6, group), delivery(7, "arn:aws:s3:::archive-copies/lake".to_owned())];
        self.deliveries(REGIONS[0], deliveries);
        self.trail("lake", LAKE, false, "lake-access-logs", true);
    }

    fn deliveries(&mut self, region: &str, s3_access: Vec<S3AccessDelivery>) {
        let id = format!("log-deliveries:{}:{region}", self.id);
        let fact = Fact::LogDeliveries(LogDeliveries { s3_access: Ok(s3_access) });
        self.add(Some(region), id, &["logs:DescribeDeliverySources", "logs:DescribeDeliveries"], fact);
    }

    fn group(&mut self, region: &str, name: &str, days: Option<u32>) {
        let settings = LogGroupSettings {
            retention_days: days,
            kms_key: None,
            class: Some("STANDARD".to_owned()),
            deletion_protection: Some(days.is_none()),
            stored_bytes: Some(1_234_567),
            created: Some(ago(24 * 400)),
        };
        let group = LogGroup {
            name: name.to_owned(),
            settings: Ok(Some(settings)),
            subscriptions: Ok(Vec::new()),
            account_subscriptions: Ok(Vec::new()),
        };
        let id = format!("arn:aws:logs:{region}:{}:log-group:{name}", self.id);
        let calls = ["logs:DescribeLogGroups", "logs:DescribeSubscriptionFilters"];
        self.add(Some(region), id, &calls, Fact::LogGroup(group));
    }

    fn workload(
        &mut self,
        region: &str,
        kind: WorkloadKind,
        name: &str,
        uses: Vec<S3Use>,
        placement: Placement,
        endpoint: Option<Endpoint>,
    ) {
        let workload = Workload {
            kind,
            name: name.to_owned(),
            created: Some(ago(24 * 40)),
            status: Some(if endpoint.is_some() { "InService" } else { "Completed" }.to_owned()),
            uses: Ok(uses),
            placement: Ok(placement),
            keys: Vec::new(),
            endpoint: endpoint.map(Box::new),
        };
        let what = kind.word().replace(' ', "-");
        let service = if kind.is_sagemaker() { "sagemaker" } else { "bedrock" };
        let id = format!("arn:aws:{service}:{region}:{}:{what}/{name}", self.id);
        self.add(
            Some(region),
            id,
            &["sagemaker:ListTrainingJobs", "sagemaker:DescribeTrainingJob"],
            Fact::Workload(workload),
        );
    }

    fn workloads(&mut self, region: &str, nature: Nature) {
        let (team, good, bad) = (format!("team-{:05}", self.at), nature == Nature::Good, nature == Nature::Bad);
        let [data, models, evidence, logs] =
            ["data", "models", "evidence", "logs"].map(|what| format!("{team}-{region}-{what}"));
        let used = |location: String, role, field: &str| S3Use { location, role, field: field.to_owned() };
        let subnets: Vec<String> = (0..2).map(|n| format!("subnet-{:06}{n}", self.at)).collect();
        let inside = || Placement::Subnets(subnets.clone());

        for n in 0..4 {
            let corpus = if n % 2 == 0 { format!("lake-corpus-{}", (self.at + n) % 8) } else { data.clone() };
            let uses = vec![
                used(
                    format!("s3://{corpus}/train/{team}/"),
                    S3Role::Training,
                    "InputDataConfig[0].DataSource.S3DataSource.S3Uri",
                ),
                used(format!("s3://{models}/out/{n}"), S3Role::Artifact, "OutputDataConfig.S3OutputPath"),
            ];
            self.workload(region, WorkloadKind::TrainingJob, &format!("nightly-{n}"), uses, inside(), None);
        }
        for n in 0..2 {
            let uses = vec![used(
                format!("s3://{models}/out/{n}/model.tar.gz"),
                S3Role::Artifact,
                "PrimaryContainer.ModelDataUrl",
            )];
            self.workload(region, WorkloadKind::Model, &format!("ranking-{n}"), uses, inside(), None);
            self.endpoint(region, n, &evidence, nature);
        }
        self.workload(region, WorkloadKind::Notebook, "lab", Vec::new(), Placement::AwsVpc, None);
        self.workload(region, WorkloadKind::Guardrail, "polite", Vec::new(), Placement::Nowhere, None);
        let invoked = EndpointMetrics { invoked: Ok(vec!["ranking-0".to_owned()]) };
        let metrics = format!("endpoint-metrics:{}:{region}", self.id);
        self.add(Some(region), metrics, &["cloudwatch:ListMetrics"], Fact::EndpointMetrics(invoked));
        self.use_bedrock(region, (!bad).then_some(evidence.as_str()));

        self.bucket(&logs, region, |_| {});
        let role = format!("arn:aws:iam::{}:role/replication", self.id);
        for name in [&data, &models, &evidence] {
            self.bucket(name, region, |bucket| {
                let (target_bucket, target_prefix) = (logs.clone(), format!("{name}/"));
                if !bad {
                    bucket.versioning = Observed::Known(Versioning { status: "Enabled".to_owned(), mfa_delete: false });
                    bucket.access_logging = Observed::Known(AccessLogging { target_bucket, target_prefix });
                }
                if good && name == &evidence {
                    locked(bucket);
                    bucket.replication = Observed::Known(vec![ReplicationRule {
                        enabled: true,
                        prefix: String::new(),
                        tag_filter: false,
                        kms_objects: Some(false),
                        bucket: "archive-copies".to_owned(),
                        account: Some(id(ARCHIVE)),
                        role: Some(role.clone()),
                    }]);
                }
            });
        }
        self.deliveries(region, Vec::new());
        self.network(region, &subnets, nature);
        let days = if good { None } else { Some(30) };
        let mut groups = vec!["/aws/sagemaker/TrainingJobs", "/aws/sagemaker/NotebookInstances", "/vpc/flows"];
        groups.extend(["/aws/sagemaker/Endpoints/ranking-0", "/aws/sagemaker/Endpoints/ranking-1"]);
        if !bad {
            groups.push("/bedrock/invocations");
        }
        for group in groups {
            self.group(region, group, days);
        }
    }

    fn endpoint(&mut self, region: &str, n: usize, evidence: &str, nature: Nature) {
        let destination = format!("s3://{evidence}/capture");
        let captured = nature == Nature::Good || nature == Nature::Mixed && n == 0;
        let sampling = if nature == Nature::Good { 100 } else { 20 };
        let endpoint = Endpoint {
            config: Ok(EndpointConfig {
                name: format!("ranking-{n}-config"),
                capture: captured.then(|| CaptureConfig {
                    enabled: true,
                    sampling_percentage: sampling,
                    input: true,
                    output: true,
                    destination: destination.clone(),
                    kms_key: Observed::Absent,
                }),
                variants: vec![Variant {
                    name: "main".to_owned(),
                    model: Some(format!("ranking-{n}")),
                    serverless: false,
                }],
                asynchronous: false,
            }),
            live_capture: if captured {
                Observed::Known(LiveCapture {
                    enabled: true,
                    started: true,
                    sampling_percentage: sampling,
                    destination: destination.clone(),
                    kms_key: Observed::Absent,
                })
            } else {
                Observed::Absent
            },
        };
        let field = "DataCaptureConfig.DestinationS3Uri".to_owned();
        let uses = captured.then_some(S3Use { location: destination, role: S3Role::Capture, field });
        let name = format!("ranking-{n}");
        let uses = uses.into_iter().collect();
        self.workload(region, WorkloadKind::Endpoint, &name, uses, Placement::Nowhere, Some(endpoint));
    }

    /// Models are invoked in the region; logged into a bucket and a log group, or not at all.
    fn use_bedrock(&mut self, region: &str, bucket: Option<&str>) {
        for line in &mut self.inventory {
            let Fact::Bedrock(state) = &mut line.fact else { continue };
            if line.region != Some(Region::from(region)) {
                continue;
            }
            state.metrics = Ok(BedrockMetrics {
                invoked_models: vec!["eu.anthropic.claude-3-5-sonnet-20241022-v2:0".to_owned()],
                names: vec!["Invocations".to_owned(), "ModelInvocationLogsS3DeliverySuccess".to_owned()],
            });
            if let Some(bucket) = bucket {
                state.logging = Observed::Known(InvocationLogging {
                    s3: Some(S3Sink { bucket: bucket.to_owned(), prefix: "invocations".to_owned() }),
                    cloudwatch: Some(CloudWatchSink {
                        log_group: "/bedrock/invocations".to_owned(),
                        role_arn: format!("arn:aws:iam::{}:role/bedrock", self.id),
                        large_bodies_s3: None,
                    }),
                    text: Some(true),
                    image: Some(true),
                    embedding: None,
                    video: None,
                    audio: None,
                });
            }
        }
    }

    fn network(&mut self, region: &str, subnets: &[String], nature: Nature) {
        let vpc = format!("vpc-{:06}{region}", self.at);
        for subnet in subnets {
            let place = SubnetPlace { vpc: vpc.clone(), owner: self.id.clone() };
            let subnet_fact = Subnet { id: subnet.clone(), place: Ok(Some(place)) };
            self.add(Some(region), subnet.clone(), &["ec2:DescribeSubnets"], Fact::Subnet(subnet_fact));
        }
        let call = "ec2:DescribeFlowLogs";
        let count = u64::from(nature != Nature::Bad);
        let listing = Listing { call: call.to_owned(), count: Ok(count), capped: 0 };
        self.add(Some(region), format!("{call}:{}:{region}", self.id), &[call], Fact::Listing(listing));
        if nature == Nature::Bad {
            return;
        }
        let log = FlowLog { id: format!("fl-{:06}{region}", self.at), ..self.flow_log(&vpc) };
        let log = if nature == Nature::Good {
            FlowLog {
                destination_type: Some("s3".to_owned()),
                destination: Some("arn:aws:s3:::archive-flows/vpc".to_owned()),
                log_group: None,
                ..log
            }
        } else {
            FlowLog { traffic: Ok("REJECT".to_owned()), ..log }
        };
        self.add(Some(region), log.id.clone(), &[call], Fact::FlowLog(log));
    }
}

fn locked(bucket: &mut Bucket) {
    bucket.versioning = Observed::Known(Versioning { status: "Enabled".to_owned(), mfa_delete: false });
    let retention = DefaultRetention { mode: "COMPLIANCE".to_owned(), days: 400 };
    bucket.object_lock = Observed::Known(ObjectLock { default_retention: Some(retention) });
}
