//! What must be known of the whole organization to judge any one account: who owns which bucket, all trails, all
//! reached resources. The only value that spans the organization.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Evidence, Source};
use crate::inventory::bedrock::{BedrockRegion, S3Sink};
use crate::inventory::cloudtrail::Trail;
use crate::inventory::ec2::{FlowLog, Subnet};
use crate::inventory::kms::KeyState;
use crate::inventory::logs::{LogDeliveries, LogGroup};
use crate::inventory::organizations::{AccountEntry, Organization};
use crate::inventory::s3::Bucket;
use crate::inventory::workload::{Placement, S3Role, Workload, WorkloadKind};
use crate::inventory::{AccountFacts, Fact, Line, not_collected};
use crate::model::ids::{AccountId, Partition, Region, ResourceId};
use crate::model::observed::{Observed, Told, Unknown, Why};
use crate::model::time::Timestamp;

use super::{kleene, location, names};

/// Regions by account, the place most facts hang on.
pub(crate) type Place = (AccountId, Region);

/// A fact and the calls that told it.
#[derive(Clone, Debug)]
pub(crate) struct Seen<T> {
    pub fact: T,
    pub evidence: Vec<Evidence>,
}

/// What is known of an account besides its resources.
#[derive(Clone, Debug)]
pub(crate) struct AccountMeta {
    pub name: Option<String>,
    pub entry: Told<AccountEntry>,
    pub has_ai: Told<bool>,
    /// Whether `cloudtrail:DescribeTrails` answered in every region it was asked in; the first that did not.
    pub trails_listed: Told<()>,
    pub buckets_listed: Told<()>,
}

/// Who a bucket belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    In(AccountId, Option<Region>),
    /// No account of the sweep lists it, and AWS says it exists nowhere.
    Nobody,
    /// An AWS bucket, by name, that no account of the sweep lists.
    Aws,
    /// Somebody else's, or not to be told.
    Unknown(Unknown),
}

/// One use of a bucket by a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub account: AccountId,
    /// Where the workload runs.
    pub region: Region,
    pub role: UseRole,
    pub prefix: String,
    /// The chain, for people.
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

/// Evidence that lands in a bucket or log group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pub source: Source,
    /// Key prefix in a bucket; empty for a log group.
    pub prefix: String,
    /// Accounts whose evidence it is.
    pub counts_for: BTreeSet<AccountId>,
    pub chain: String,
}

/// The organization as far as judging needs it at once.
#[derive(Clone, Debug)]
pub struct Index {
    pub(crate) as_of: Timestamp,
    pub(crate) partition: Partition,
    pub(crate) management: Option<AccountId>,
    /// Whether the accounts of the sweep are all accounts there are.
    pub(crate) accounts_listed: Told<()>,
    pub(crate) accounts: BTreeMap<AccountId, AccountMeta>,
    owners: BTreeMap<String, (AccountId, Option<Region>)>,
    probes: BTreeMap<String, Told<bool>>,
    pub(crate) buckets: BTreeMap<String, Seen<Bucket>>,
    /// By ARN; the owner's own description wins over what members see.
    pub(crate) trails: BTreeMap<String, Seen<Trail>>,
    pub(crate) log_groups: BTreeMap<(AccountId, Region, String), Seen<LogGroup>>,
    pub(crate) subnets: BTreeMap<(AccountId, Region, String), Seen<Subnet>>,
    pub(crate) flow_logs: BTreeMap<Place, Vec<Seen<FlowLog>>>,
    /// Outcome of `ec2:DescribeFlowLogs`; a place that is missing was not asked.
    pub(crate) flow_logs_listed: BTreeMap<Place, Told<()>>,
    pub(crate) deliveries: BTreeMap<Place, Seen<LogDeliveries>>,
    keys: BTreeMap<String, Told<KeyState>>,
    /// Uses by AI workloads, by bucket.
    pub(crate) uses: BTreeMap<String, BTreeSet<Use>>,
    /// Evidence by bucket, of every source.
    pub(crate) held: BTreeMap<String, BTreeSet<Held>>,
    /// Evidence by log group.
    pub(crate) held_groups: BTreeMap<(AccountId, Region, String), BTreeSet<Held>>,
    /// Buckets that Bedrock writes the same records to as to a log group, by the group.
    beside: BTreeMap<(AccountId, Region, String), S3Sink>,
    /// Buckets that receive server access logs of any reached bucket.
    pub(crate) access_log_targets: BTreeSet<String>,
    subnet_uses: BTreeMap<(AccountId, Region, String), BTreeSet<String>>,
}

impl Index {
    /// Builds the index from the facts of every account, one at a time.
    pub fn build<E>(
        organization: &Organization,
        partition: Partition,
        as_of: Timestamp,
        accounts: impl IntoIterator<Item = Result<AccountFacts, E>>,
    ) -> Result<Self, E> {
        let names: BTreeMap<&AccountId, Option<String>> =
            organization.accounts.iter().map(|a| (&a.id, a.name.clone())).collect();
        let mut index = Self {
            as_of,
            partition,
            management: organization.organization.known().map(|o| o.management_account.clone()),
            accounts_listed: organization.listed.clone(),
            accounts: BTreeMap::new(),
            owners: BTreeMap::new(),
            probes: BTreeMap::new(),
            buckets: BTreeMap::new(),
            trails: BTreeMap::new(),
            log_groups: BTreeMap::new(),
            subnets: BTreeMap::new(),
            flow_logs: BTreeMap::new(),
            flow_logs_listed: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            keys: BTreeMap::new(),
            uses: BTreeMap::new(),
            held: BTreeMap::new(),
            held_groups: BTreeMap::new(),
            beside: BTreeMap::new(),
            access_log_targets: BTreeSet::new(),
            subnet_uses: BTreeMap::new(),
        };
        // Nothing runs in a closed account, and nobody else can own the names of its buckets.
        let closed: BTreeSet<&AccountId> = organization
            .accounts
            .iter()
            .filter(|a| a.state.as_deref().is_some_and(|state| state != "ACTIVE"))
            .map(|a| &a.id)
            .collect();
        for facts in accounts {
            let facts = facts?;
            if closed.contains(&facts.account) {
                continue;
            }
            let meta = AccountMeta {
                name: names.get(&facts.account).cloned().flatten(),
                entry: facts.entry().cloned(),
                has_ai: super::discovery::has_ai(&facts),
                trails_listed: super::discovery::trails_listed(&facts),
                buckets_listed: facts.listing("s3:ListBuckets", None).map(|_| ()),
            };
            index.accounts.insert(facts.account.clone(), meta);
            for line in facts.lines {
                index.add(line);
            }
        }
        // Accounts that are listed and of which the snapshot holds nothing: closed, or the run was cut short.
        for account in &organization.accounts {
            if !index.accounts.contains_key(&account.id) {
                let unknown = Unknown::new("sts:AssumeRole", Why::NotEntered).in_account(&account.id);
                let closed = closed.contains(&account.id);
                let meta = AccountMeta {
                    name: account.name.clone(),
                    entry: Err(unknown.clone()),
                    has_ai: if closed { Ok(false) } else { Err(unknown.clone()) },
                    trails_listed: if closed { Ok(()) } else { Err(unknown.clone()) },
                    buckets_listed: if closed { Ok(()) } else { Err(unknown) },
                };
                index.accounts.insert(account.id.clone(), meta);
            }
        }
        index.derive();
        Ok(index)
    }

    fn add(&mut self, line: Line) {
        let Line { id, account, region, reads, fact, .. } = line;
        let evidence: Vec<Evidence> =
            reads.iter().map(|read| Evidence { of: Some(id.clone()), ..Evidence::from(read) }).collect();
        let place = region.clone().map(|r| (account.clone(), r));
        match fact {
            Fact::BucketName(bucket) => {
                let entry = self.owners.entry(bucket.name).or_insert((account, None));
                entry.1 = bucket.region.or(entry.1.take());
            }
            Fact::Bucket(bucket) => {
                if let Ok(region) = &bucket.region {
                    self.owners.insert(bucket.name.clone(), (account, Some(region.clone())));
                }
                self.buckets.insert(bucket.name.clone(), Seen { fact: *bucket, evidence });
            }
            Fact::BucketProbe(probe) => {
                let known = self.probes.get(&probe.name).is_some_and(|p| p.is_ok());
                if !known {
                    self.probes.insert(probe.name, probe.exists);
                }
            }
            Fact::Trail(trail) => {
                let better = self.trails.get(&trail.arn).is_none_or(|seen| seen.fact.shadow && !trail.shadow);
                if better {
                    self.trails.insert(trail.arn.clone(), Seen { fact: *trail, evidence });
                }
            }
            Fact::LogGroup(group) => {
                if let Some((account, region)) = place {
                    self.log_groups.insert((account, region, group.name.clone()), Seen { fact: group, evidence });
                }
            }
            Fact::Subnet(subnet) => {
                if let Some((account, region)) = place {
                    self.subnets.insert((account, region, subnet.id.clone()), Seen { fact: subnet, evidence });
                }
            }
            Fact::FlowLog(log) => {
                if let Some(place) = place {
                    self.flow_logs.entry(place).or_default().push(Seen { fact: log, evidence });
                }
            }
            Fact::LogDeliveries(deliveries) => {
                if let Some(place) = place {
                    self.deliveries.insert(place, Seen { fact: deliveries, evidence });
                }
            }
            Fact::Key(key) => {
                self.keys.insert(key.reference, key.state);
            }
            Fact::Listing(listing) if listing.call == "ec2:DescribeFlowLogs" => {
                if let Some(place) = place {
                    self.flow_logs_listed.insert(place, listing.count.map(|_| ()));
                }
            }
            Fact::Workload(workload) => {
                if let Some(place) = place {
                    self.add_workload(&place, &workload);
                }
            }
            Fact::Bedrock(bedrock) => {
                if let Some(place) = place {
                    self.add_bedrock(&place, &bedrock);
                }
            }
            Fact::Account(_) | Fact::Listing(_) | Fact::EndpointMetrics(_) => {}
        }
    }

    fn add_workload(&mut self, (account, region): &Place, workload: &Workload) {
        let what = format!("{} {} in {account}/{region}", workload.kind.word(), workload.name);
        for used in workload.uses.iter().flatten() {
            let Some(mut place) = location::parse(&used.location) else { continue };
            if used.role == S3Role::Capture {
                place.prefix = location::folder(&place.prefix);
            }
            let chain = format!("{} of {what}", used.field);
            if used.role == S3Role::Capture {
                self.hold(
                    &place.bucket,
                    Source::InferenceCapture,
                    &place.prefix,
                    account,
                    format!("capture of {what}"),
                );
            }
            let role = UseRole::Data(used.role);
            let one = Use { account: account.clone(), region: region.clone(), role, prefix: place.prefix, chain };
            self.uses.entry(place.bucket).or_default().insert(one);
        }
        if let Ok(Placement::Subnets(subnets)) = &workload.placement {
            for subnet in subnets {
                let key = (account.clone(), region.clone(), subnet.clone());
                self.subnet_uses.entry(key).or_default().insert(format!("subnet of {what}"));
            }
        }
        if let Some(group) = names::sagemaker_group(workload.kind, &workload.name) {
            self.hold_group((account, region, &group), Source::ServiceLogs, account, format!("logs of {what}"));
        }
    }

    fn add_bedrock(&mut self, (account, region): &Place, bedrock: &BedrockRegion) {
        let Some(logging) = bedrock.logging.known() else { return };
        let chain = format!("model invocations of {account}/{region}");
        let large = logging.cloudwatch.as_ref().and_then(|c| c.large_bodies_s3.as_ref());
        for sink in logging.s3.iter().chain(large) {
            let prefix = location::folder(&sink.prefix);
            self.hold(&sink.bucket, Source::ModelInvocations, &prefix, account, chain.clone());
            let one = Use {
                account: account.clone(),
                region: region.clone(),
                role: UseRole::Log,
                prefix,
                chain: format!("destination of {chain}"),
            };
            self.uses.entry(sink.bucket.clone()).or_default().insert(one);
        }
        if let Some(sink) = &logging.cloudwatch {
            if let Some(bucket) = &logging.s3 {
                self.beside.insert((account.clone(), region.clone(), sink.log_group.clone()), bucket.clone());
            }
            self.hold_group((account, region, &sink.log_group), Source::ModelInvocations, account, chain);
        }
    }

    fn hold(&mut self, bucket: &str, source: Source, prefix: &str, account: &AccountId, chain: String) {
        let held = Held { source, prefix: prefix.to_owned(), counts_for: BTreeSet::from([account.clone()]), chain };
        self.held.entry(bucket.to_owned()).or_default().insert(held);
    }

    fn hold_group(
        &mut self,
        (owner, region, name): (&AccountId, &Region, &str),
        source: Source,
        account: &AccountId,
        chain: String,
    ) {
        let held = Held { source, prefix: String::new(), counts_for: BTreeSet::from([account.clone()]), chain };
        self.held_groups.entry((owner.clone(), region.clone(), name.to_owned())).or_default().insert(held);
    }

    /// What follows from facts of several accounts together: where trails, access logs and flow logs land.
    fn derive(&mut self) {
        self.blame_owners();
        let trails: Vec<(Trail, BTreeSet<AccountId>)> = self
            .trails
            .values()
            .map(|seen| (seen.fact.clone(), super::trails::ai_accounts(self, &seen.fact)))
            .filter(|(_, accounts)| !accounts.is_empty())
            .collect();
        for (trail, counts_for) in trails {
            let held = |prefix: String| Held {
                source: Source::ApiActivity,
                prefix,
                counts_for: counts_for.clone(),
                chain: format!("trail {}", trail.name),
            };
            if let Ok(bucket) = &trail.bucket {
                let prefix = trail.prefix.as_ref().map_or_else(|| "AWSLogs/".into(), |p| format!("{p}/AWSLogs/"));
                self.held.entry(bucket.clone()).or_default().insert(held(prefix));
            }
            if let Some(key) = trail.log_group_arn.as_deref().and_then(names::log_group_of) {
                self.held_groups.entry(key).or_default().insert(held(String::new()));
            }
        }
        self.derive_access_logs();
        self.derive_flow_logs();
    }

    /// Of a trail that only members see, the owner in the sweep could have told more: that it did not is why the rest is
    /// not known.
    fn blame_owners(&mut self) {
        for seen in self.trails.values_mut().filter(|seen| seen.fact.shadow) {
            let trail = &mut seen.fact;
            let Some(owner) = self.accounts.get(&trail.owner) else { continue };
            let unknown =
                owner.trails_listed.clone().err().unwrap_or_else(|| {
                    Unknown::new("cloudtrail:DescribeTrails", Why::Vanished).in_account(&trail.owner)
                });
            if trail.status.as_ref().is_err_and(|told| told.why == Why::Foreign) {
                trail.status = Err(unknown.clone());
            }
            if trail.selectors.as_ref().is_err_and(|told| told.why == Why::Foreign) {
                trail.selectors = Err(unknown);
            }
        }
    }

    fn derive_access_logs(&mut self) {
        let mut found = Vec::new();
        for (name, seen) in &self.buckets {
            let Some(logging) = seen.fact.access_logging.known() else { continue };
            let used_by: BTreeSet<AccountId> =
                self.uses.get(name).into_iter().flatten().map(|u| u.account.clone()).collect();
            found.push((name.clone(), logging.clone(), used_by));
        }
        for (name, logging, used_by) in found {
            self.access_log_targets.insert(logging.target_bucket.clone());
            if used_by.is_empty() {
                continue;
            }
            let held = Held {
                source: Source::ObjectAccess,
                prefix: logging.target_prefix,
                counts_for: used_by,
                chain: format!("access log of bucket {name}"),
            };
            self.held.entry(logging.target_bucket).or_default().insert(held);
        }
        let mut delivered = Vec::new();
        for seen in self.deliveries.values() {
            for delivery in seen.fact.s3_access.iter().flatten().filter(|d| d.active) {
                let Some(name) = location::parse(&delivery.bucket_arn).map(|l| l.bucket) else { continue };
                let used_by: BTreeSet<AccountId> =
                    self.uses.get(&name).into_iter().flatten().map(|u| u.account.clone()).collect();
                if !used_by.is_empty() {
                    delivered.push((name, delivery.destination_arn.clone(), used_by));
                }
            }
        }
        for (name, destination, counts_for) in delivered {
            let chain = format!("access log of bucket {name}");
            if let Some(key) = names::log_group_of(&destination) {
                let held = Held { source: Source::ObjectAccess, prefix: String::new(), counts_for, chain };
                self.held_groups.entry(key).or_default().insert(held);
            } else if let Some(place) = location::parse(&destination) {
                let held = Held { source: Source::ObjectAccess, prefix: place.prefix, counts_for, chain };
                self.held.entry(place.bucket).or_default().insert(held);
            }
        }
    }

    fn derive_flow_logs(&mut self) {
        let mut found = Vec::new();
        for ((account, region), logs) in &self.flow_logs {
            for seen in logs.iter().filter(|seen| seen.fact.active != Ok(false)) {
                for user in self.flow_users(account, region, &seen.fact.resource) {
                    found.push((user, account.clone(), region.clone(), seen.fact.clone()));
                }
            }
        }
        for (user, account, region, log) in found {
            let chain = format!("flow log {} of {}", log.id, log.resource);
            match super::network::destination(&account, &region, &log) {
                Some(super::network::Destination::Group(owner, region, name)) => {
                    self.hold_group((&owner, &region, &name), Source::NetworkFlows, &user, chain);
                }
                Some(super::network::Destination::Bucket(place)) => {
                    self.hold(&place.bucket, Source::NetworkFlows, &place.prefix, &user, chain);
                }
                None => {}
            }
        }
    }

    /// Accounts whose workloads run in a VPC or subnet, in the eyes of whoever has a flow log on it: themselves, or the
    /// owner who shares it with them.
    fn flow_users(&self, logger: &AccountId, region: &Region, resource: &str) -> BTreeSet<AccountId> {
        let used = self.subnet_uses.keys().filter(|(_, at, _)| at == region);
        used.filter(|key| {
            let (user, _, subnet) = key;
            let Some(Ok(Some(place))) = self.subnets.get(key).map(|s| &s.fact.place) else { return false };
            (resource == place.vpc || resource == subnet) && (user == logger || place.owner == *logger)
        })
        .map(|(user, ..)| user.clone())
        .collect()
    }

    /// VPCs that workloads of this place run in, with the subnets they use.
    pub(crate) fn ai_vpcs(&self, account: &AccountId, region: &Region) -> BTreeMap<String, BTreeSet<String>> {
        let mut vpcs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (key @ (owner, at, id), _) in self.subnet_uses_of(account, region) {
            debug_assert!(owner == account && at == region);
            if let Some(Ok(Some(place))) = self.subnets.get(key).map(|s| s.fact.place.clone()) {
                vpcs.entry(place.vpc).or_default().insert(id.clone());
            }
        }
        vpcs
    }

    /// Subnets that workloads of this place name, with the chains.
    pub(crate) fn subnet_uses_of(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> impl Iterator<Item = (&(AccountId, Region, String), &BTreeSet<String>)> {
        let from = (account.clone(), region.clone(), String::new());
        self.subnet_uses.range(from..).take_while(move |((a, r, _), _)| a == account && r == region)
    }

    /// Who owns a bucket.
    pub(crate) fn owner(&self, bucket: &str) -> Owner {
        if let Some((account, region)) = self.owners.get(bucket) {
            return Owner::In(account.clone(), region.clone());
        }
        let listed = self
            .accounts_listed
            .clone()
            .and_then(|()| self.accounts.values().try_for_each(|meta| meta.buckets_listed.clone()));
        match (listed, self.probes.get(bucket)) {
            // Nobody at all has it, whoever could not be asked.
            (_, Some(Ok(false))) => Owner::Nobody,
            (Err(unknown), _) => Owner::Unknown(unknown),
            (Ok(()), _) if location::aws_owned_name(bucket) => Owner::Aws,
            (Ok(()), _) => Owner::Unknown(
                Unknown::new("s3:ListBuckets", Why::Foreign)
                    .saying(format!("no account of the sweep owns bucket {bucket}")),
            ),
        }
    }

    /// The details of a bucket, or why there are none.
    pub(crate) fn bucket(&self, name: &str) -> Result<&Seen<Bucket>, Unknown> {
        self.buckets.get(name).ok_or_else(|| match self.owner(name) {
            Owner::Unknown(unknown) => unknown,
            Owner::In(account, _) => match self.accounts.get(&account).map(|m| &m.entry) {
                Some(Ok(entry)) => match &entry.session {
                    Ok(_) => not_collected("s3:GetBucketVersioning").in_account(&account),
                    Err(unknown) => unknown.clone(),
                },
                Some(Err(unknown)) => unknown.clone(),
                None => not_collected("s3:GetBucketVersioning").in_account(&account),
            },
            Owner::Nobody | Owner::Aws => not_collected("s3:GetBucketVersioning"),
        })
    }

    /// The bucket that receives the same model invocations as a log group.
    pub(crate) fn bucket_beside(&self, account: &AccountId, region: &Region, group: &str) -> Option<&S3Sink> {
        self.beside.get(&(account.clone(), region.clone(), group.to_owned()))
    }

    /// Whether a bucket exists, as far as can be told.
    pub(crate) fn bucket_exists(&self, name: &str) -> Told<bool> {
        match self.owner(name) {
            Owner::In(..) | Owner::Aws => Ok(true),
            Owner::Nobody => Ok(false),
            Owner::Unknown(unknown) => Err(unknown),
        }
    }

    /// Whether server access logs of any reached bucket land in a bucket. AWS delivers only to the account and region
    /// they come from, so only buckets there can keep a "no" from being certain.
    pub(crate) fn receives_access_logs(&self, name: &str) -> Told<bool> {
        if self.access_log_targets.contains(name) {
            return Ok(true);
        }
        let Some((account, region)) = self.owners.get(name) else { return Ok(false) };
        for (other, seen) in &self.buckets {
            let near = self
                .owners
                .get(other)
                .is_some_and(|(owner, at)| owner == account && (at == region || at.is_none() || region.is_none()));
            if let (true, Observed::Unknown(unknown)) = (near, &seen.fact.access_logging) {
                return Err(unknown.clone());
            }
        }
        Ok(false)
    }

    /// Whether the key that evidence names can be used; absent when none is named.
    pub(crate) fn key_usable(&self, owner: &AccountId, region: &Region, reference: Option<&str>) -> Observed<bool> {
        let Some(reference) = reference else { return Observed::Absent };
        let arn = names::key(&self.partition, region, owner, reference);
        match self.keys.get(&arn) {
            Some(Ok(state)) => Observed::Known(state.state == "Enabled"),
            Some(Err(unknown)) => Observed::Unknown(unknown.clone()),
            None => Observed::Unknown(not_collected("kms:DescribeKey").in_account(owner).in_region(region)),
        }
    }

    /// Whether an account runs AI; unknown for one that is not in the sweep.
    pub(crate) fn has_ai(&self, account: &AccountId) -> Told<bool> {
        match self.accounts.get(account) {
            Some(meta) => meta.has_ai.clone(),
            None => Err(Unknown::new("organizations:ListAccounts", Why::Foreign).in_account(account)),
        }
    }

    /// Accounts of the sweep whose workloads are known, or may turn out, to exist.
    pub(crate) fn possibly_ai(&self) -> impl Iterator<Item = &AccountId> {
        self.accounts.iter().filter(|(_, meta)| kleene::possible(&meta.has_ai)).map(|(id, _)| id)
    }

    /// Regions enabled in an account.
    pub(crate) fn enabled_regions(&self, account: &AccountId) -> Told<Vec<Region>> {
        match self.accounts.get(account) {
            Some(meta) => meta.entry.clone().and_then(|entry| entry.enabled_regions),
            None => Err(Unknown::new("ec2:DescribeRegions", Why::Foreign).in_account(account)),
        }
    }

    pub(crate) fn bucket_id(&self, name: &str) -> ResourceId {
        names::bucket(&self.partition, name)
    }
}

/// Kinds of workload whose mere existence shows that models are invoked through Bedrock.
pub(crate) fn shows_bedrock_use(kind: WorkloadKind) -> bool {
    !kind.is_sagemaker()
}
