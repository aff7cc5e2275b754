//! The facts of one account by the names that others ask for them with, and what its workloads use and hold evidence in.
//!
//! Nothing here looks beyond the account; what crosses accounts is `outward`'s and `shared`'s.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Evidence, Source};
use crate::inventory::bedrock::{BedrockRegion, S3Sink};
use crate::inventory::cloudtrail::Trail;
use crate::inventory::ec2::{FlowLog, Subnet};
use crate::inventory::kms::KeyState;
use crate::inventory::logs::{LogDeliveries, LogGroup};
use crate::inventory::s3::Bucket;
use crate::inventory::sagemaker::EndpointMetrics;
use crate::inventory::workload::{Placement, S3Role, Workload};
use crate::inventory::{AccountFacts, Fact, Line};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::Told;

use super::{location, names};

/// A fact and the line that tells it.
#[derive(Debug)]
pub(crate) struct Seen<'a, T> {
    pub fact: &'a T,
    pub line: &'a Line,
}

impl<T> Clone for Seen<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Seen<'_, T> {}

impl<'a, T> Seen<'a, T> {
    /// The calls that told it.
    pub(crate) fn evidence(self) -> impl Iterator<Item = Evidence> + use<'a, T> {
        let line = self.line;
        line.reads.iter().map(|read| Evidence { of: Some(line.id.clone()), ..Evidence::from(read) })
    }
}

/// A log group: who owns it, where, and its name.
pub(crate) type GroupKey = (AccountId, Region, String);

/// One use of a bucket by a workload of the account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    /// Where the workload runs.
    pub region: Region,
    pub role: UseRole,
    pub prefix: String,
    /// The chain, for people. It names account and region, so that no two accounts have the same.
    pub chain: String,
}

/// What a bucket is to AI workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UseRole {
    Data(S3Role),
    /// Bedrock writes prompts and answers into it.
    Log,
}

impl UseRole {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Data(role) => role.word(),
            Self::Log => "log",
        }
    }
}

/// Where evidence lands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    Bucket(String),
    Group(GroupKey),
}

/// By what an object of evidence is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encrypted {
    /// As the bucket encrypts what does not say.
    AsBucket,
    /// With a KMS key that its writer names.
    ByOwnKey,
    /// One or the other.
    Either,
}

/// Evidence of the account that lands somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub holder: Holder,
    pub source: Source,
    /// Key prefix in a bucket; empty for a log group.
    pub prefix: String,
    pub encrypted: Encrypted,
    pub chain: String,
}

/// One account's facts.
#[derive(Debug)]
pub(crate) struct Own<'f> {
    pub account: &'f AccountId,
    /// Buckets it owns, with their regions where told.
    pub owned: BTreeMap<&'f str, Option<&'f Region>>,
    pub buckets: BTreeMap<&'f str, Seen<'f, Bucket>>,
    pub probes: BTreeMap<&'f str, &'f Told<bool>>,
    /// By ARN; those of other accounts that it sees among them.
    pub trails: BTreeMap<&'f str, Seen<'f, Trail>>,
    pub log_groups: BTreeMap<(&'f Region, &'f str), Seen<'f, LogGroup>>,
    pub subnets: BTreeMap<(&'f Region, &'f str), Seen<'f, Subnet>>,
    pub flow_logs: BTreeMap<&'f Region, Vec<Seen<'f, FlowLog>>>,
    /// Outcome of `ec2:DescribeFlowLogs`; a region that is missing was not asked.
    pub flow_logs_listed: BTreeMap<&'f Region, Told<()>>,
    pub deliveries: BTreeMap<&'f Region, Seen<'f, LogDeliveries>>,
    pub endpoint_metrics: BTreeMap<&'f Region, Seen<'f, EndpointMetrics>>,
    pub keys: BTreeMap<&'f str, &'f Told<KeyState>>,
    /// Uses by its workloads, by bucket.
    pub uses: BTreeMap<String, BTreeSet<Use>>,
    /// Subnets its workloads name, with the chains.
    pub subnet_uses: BTreeMap<(&'f Region, &'f str), BTreeSet<String>>,
    /// Buckets that Bedrock writes the same records to as to a log group, by the group.
    pub beside: BTreeMap<(&'f Region, &'f str), &'f S3Sink>,
    /// What its workloads leave behind, wherever that is.
    pub kept: Vec<Kept>,
}

impl<'f> Own<'f> {
    pub(crate) fn none(account: &'f AccountId) -> Self {
        Self {
            account,
            owned: BTreeMap::new(),
            buckets: BTreeMap::new(),
            probes: BTreeMap::new(),
            trails: BTreeMap::new(),
            log_groups: BTreeMap::new(),
            subnets: BTreeMap::new(),
            flow_logs: BTreeMap::new(),
            flow_logs_listed: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            endpoint_metrics: BTreeMap::new(),
            keys: BTreeMap::new(),
            uses: BTreeMap::new(),
            subnet_uses: BTreeMap::new(),
            beside: BTreeMap::new(),
            kept: Vec::new(),
        }
    }

    pub(crate) fn of(facts: &'f AccountFacts) -> Self {
        let mut own = Self::none(&facts.account);
        for line in &facts.lines {
            own.add(line);
        }
        own
    }

    fn add(&mut self, line: &'f Line) {
        let region = line.region.as_ref();
        match (&line.fact, region) {
            (Fact::BucketName(bucket), _) => {
                let known = self.owned.entry(&bucket.name).or_insert(None);
                *known = bucket.region.as_ref().or(*known);
            }
            (Fact::Bucket(bucket), _) => {
                if let Ok(region) = &bucket.region {
                    self.owned.insert(&bucket.name, Some(region));
                }
                self.buckets.insert(&bucket.name, Seen { fact: bucket, line });
            }
            (Fact::BucketProbe(probe), _) => {
                if !self.probes.get(probe.name.as_str()).is_some_and(|exists| exists.is_ok()) {
                    self.probes.insert(&probe.name, &probe.exists);
                }
            }
            (Fact::Trail(trail), _) => {
                let better = self.trails.get(trail.arn.as_str()).is_none_or(|seen| seen.fact.shadow && !trail.shadow);
                if better {
                    self.trails.insert(&trail.arn, Seen { fact: trail, line });
                }
            }
            (Fact::LogGroup(group), Some(region)) => {
                self.log_groups.insert((region, &group.name), Seen { fact: group, line });
            }
            (Fact::Subnet(subnet), Some(region)) => {
                self.subnets.insert((region, &subnet.id), Seen { fact: subnet, line });
            }
            (Fact::FlowLog(log), Some(region)) => {
                self.flow_logs.entry(region).or_default().push(Seen { fact: log, line });
            }
            (Fact::LogDeliveries(deliveries), Some(region)) => {
                self.deliveries.insert(region, Seen { fact: deliveries, line });
            }
            (Fact::EndpointMetrics(metrics), Some(region)) => {
                self.endpoint_metrics.entry(region).or_insert(Seen { fact: metrics, line });
            }
            (Fact::Key(key), _) => {
                self.keys.insert(&key.reference, &key.state);
            }
            (Fact::Listing(listing), Some(region)) if listing.call == "ec2:DescribeFlowLogs" => {
                self.flow_logs_listed.insert(region, listing.count.clone().map(|_| ()));
            }
            (Fact::Workload(workload), Some(region)) => self.add_workload(region, workload),
            (Fact::Bedrock(bedrock), Some(region)) => self.add_bedrock(region, bedrock),
            (
                Fact::Account(_)
                | Fact::Listing(_)
                | Fact::EndpointMetrics(_)
                | Fact::LogGroup(_)
                | Fact::Subnet(_)
                | Fact::FlowLog(_)
                | Fact::LogDeliveries(_)
                | Fact::Workload(_)
                | Fact::Bedrock(_),
                _,
            ) => {}
        }
    }

    fn add_workload(&mut self, region: &'f Region, workload: &'f Workload) {
        let what = format!("{} {} in {}/{region}", workload.kind.word(), workload.name, self.account);
        for used in workload.uses.iter().flatten() {
            let Some(mut place) = location::parse(&used.location) else { continue };
            // SageMaker puts what it makes into folders of their own.
            if used.role == S3Role::Capture || used.field.ends_with("S3OutputPath") {
                place.prefix = location::folder(&place.prefix);
            }
            if used.role == S3Role::Capture {
                self.kept.push(Kept {
                    holder: Holder::Bucket(place.bucket.clone()),
                    source: Source::InferenceCapture,
                    prefix: place.prefix.clone(),
                    // Which of the keys it names is that of the capture is not kept.
                    encrypted: if workload.keys.is_empty() { Encrypted::AsBucket } else { Encrypted::Either },
                    chain: format!("capture of {what}"),
                });
            }
            let chain = format!("{} of {what}", used.field);
            let one = Use { region: region.clone(), role: UseRole::Data(used.role), prefix: place.prefix, chain };
            self.uses.entry(place.bucket).or_default().insert(one);
        }
        for subnet in workload.placement.iter().flat_map(Placement::subnets) {
            self.subnet_uses.entry((region, subnet)).or_default().insert(format!("subnet of {what}"));
        }
        if let Some(group) = names::sagemaker_group(workload.kind, &workload.name) {
            self.keep_in_group(region, &group, Source::ServiceLogs, format!("logs of {what}"));
        }
    }

    fn add_bedrock(&mut self, region: &'f Region, bedrock: &'f BedrockRegion) {
        let Some(logging) = bedrock.logging.known() else { return };
        let chain = format!("model invocations of {}/{region}", self.account);
        let large = logging.cloudwatch.as_ref().and_then(|c| c.large_bodies_s3.as_ref());
        for sink in logging.s3.iter().chain(large) {
            let prefix = location::invocation_records(sink, self.account);
            self.kept.push(Kept {
                holder: Holder::Bucket(sink.bucket.clone()),
                source: Source::ModelInvocations,
                prefix: prefix.clone(),
                encrypted: Encrypted::AsBucket,
                chain: chain.clone(),
            });
            let chain = format!("destination of {chain}");
            let one = Use { region: region.clone(), role: UseRole::Log, prefix, chain };
            self.uses.entry(sink.bucket.clone()).or_default().insert(one);
        }
        if let Some(sink) = &logging.cloudwatch {
            if let Some(bucket) = &logging.s3 {
                self.beside.insert((region, &sink.log_group), bucket);
            }
            self.keep_in_group(region, &sink.log_group, Source::ModelInvocations, chain);
        }
    }

    fn keep_in_group(&mut self, region: &Region, name: &str, source: Source, chain: String) {
        let holder = Holder::Group((self.account.clone(), region.clone(), name.to_owned()));
        let (prefix, encrypted) = (String::new(), Encrypted::AsBucket);
        self.kept.push(Kept { holder, source, prefix, encrypted, chain });
    }

    /// Whether the account owns a bucket of this name.
    pub(crate) fn owns(&self, bucket: &str) -> bool {
        self.owned.contains_key(bucket)
    }

    /// VPCs that its workloads run in, with the subnets they use.
    pub(crate) fn ai_vpcs(&self, region: &Region) -> BTreeMap<String, BTreeSet<String>> {
        let mut vpcs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, _) in self.subnet_uses_of(region) {
            if let Some(Ok(Some(place))) = self.subnets.get(&(region, id)).map(|seen| &seen.fact.place) {
                vpcs.entry(place.vpc.clone()).or_default().insert(id.to_owned());
            }
        }
        vpcs
    }

    /// Subnets of a region that its workloads name, with the chains.
    pub(crate) fn subnet_uses_of(&self, region: &Region) -> impl Iterator<Item = (&'f str, &BTreeSet<String>)> {
        let all = self.subnet_uses.iter();
        let region = region.clone();
        all.filter(move |((at, _), _)| **at == region).map(|((_, id), chains)| (*id, chains))
    }
}
