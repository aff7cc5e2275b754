//! Puts one account together: the resources it owns, ready to be judged, and the subjects its workloads raise.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Evidence, Source};
use crate::inventory::bedrock::{BedrockRegion, InvocationLogging, S3Sink};
use crate::inventory::offered::lacks;
use crate::inventory::sagemaker::Endpoint;
use crate::inventory::workload::{Placement, S3Role, Workload, WorkloadKind};
use crate::inventory::{AccountFacts, Fact, Line, not_collected};
use crate::model::ids::{AccountId, Region, ResourceId};
use crate::model::observed::{Observed, Told, Unknown, Why};
use crate::model::value::{Judged, Value};

use super::discovery::{self, Found, Gaps};
use super::index::{Held, Index, Owner, Used};
use super::kinds::{
    AccountView, BedrockView, CaptureView, DataEventType, EndpointView, InvocationLoggingView, NotebookView,
};
use super::kleene::{all, any, possible};
use super::location::Location;
use super::own::{Seen, UseRole};
use super::policy::{Role, Writer};
use super::shared::Shared;
use super::subject::{AccountGraph, Alternative, Carriage, Carrier, MAX_PATHS, Part, Resource, Subject, SubjectKind};
use super::trails::DataEvents;
use super::{buckets, groups, location, modalities, names, network, trails};

/// How many calls a finding shows as evidence.
const MAX_EVIDENCE: usize = 24;

/// The part of the evidence graph that belongs to one account.
pub fn account(shared: &Shared, facts: &AccountFacts) -> AccountGraph {
    let index = &Index::of(shared, facts);
    let found = discovery::found(facts);
    let id = &facts.account;
    let mut gaps = discovery::open(facts);
    let mut graph = empty(index);
    let entered = facts.entry().is_ok_and(|entry| entry.session.is_ok());
    if entered {
        let mut own = node("account", names::account(id), id, None, graph.view.clone());
        own.counts_for = vec![id.clone()];
        graph.resources.push(own);
        // What was entered only for the evidence it holds is not judged itself.
        if facts.entry().is_ok_and(|entry| entry.workloads) {
            regions(index, facts, &mut graph);
        }
        workloads(index, facts, &found, &mut graph, &mut gaps);
        networks(index, &found, &mut graph, &mut gaps);
    }
    bucket_subjects(index, &mut graph);
    add_holders(index, &mut graph, &mut gaps);
    graph.open = gaps.into_open();
    graph.resources.sort_by(|a, b| (a.kind, &a.region, &a.id, a.source).cmp(&(b.kind, &b.region, &b.id, b.source)));
    graph.subjects.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    graph
}

/// Of the part of one account only what other accounts' evidence may be in or recorded by: trails, buckets, log groups.
pub fn holders(shared: &Shared, facts: &AccountFacts) -> AccountGraph {
    let index = &Index::of(shared, facts);
    let mut graph = empty(index);
    add_holders(index, &mut graph, &mut discovery::open(facts));
    graph
}

fn empty(index: &Index<'_>) -> AccountGraph {
    let (id, has_ai) = (index.account, index.shared.has_ai(index.account));
    let name = index.shared.name(id).map(str::to_owned);
    AccountGraph {
        account: id.clone(),
        view: AccountView { id: id.clone(), name, has_ai: has_ai.clone() }.value(),
        has_ai,
        resources: Vec::new(),
        subjects: Vec::new(),
        open: Vec::new(),
    }
}

fn add_holders(index: &Index<'_>, graph: &mut AccountGraph, gaps: &mut Gaps) {
    add_trails(index, graph, gaps);
    ai_buckets(index, graph, gaps);
    evidence_buckets(index, graph);
    log_groups(index, graph);
}

fn node(kind: &'static str, id: ResourceId, account: &AccountId, region: Option<&Region>, value: Value) -> Resource {
    Resource {
        kind,
        id,
        account: account.clone(),
        region: region.cloned(),
        source: None,
        value,
        counts_for: Vec::new(),
        ai_path: Vec::new(),
        ai_path_total: 0,
        evidence: Vec::new(),
    }
}

fn paths(resource: &mut Resource, chains: impl IntoIterator<Item = String>) {
    let chains: BTreeSet<String> = chains.into_iter().collect();
    resource.ai_path_total = chains.len() as u64;
    resource.ai_path = chains.into_iter().take(MAX_PATHS).collect();
}

fn evidence(resource: &mut Resource, calls: impl IntoIterator<Item = Evidence>) {
    let calls: Vec<Evidence> = calls
        .into_iter()
        .map(|mut call| {
            if call.of.as_ref() == Some(&resource.id) {
                call.of = None;
            }
            call
        })
        .take(MAX_EVIDENCE)
        .collect();
    resource.evidence = calls;
}

fn reads(line: &Line) -> Vec<Evidence> {
    line.reads.iter().map(Evidence::from).collect()
}

/// One node an enabled region, whether or not AI runs there: attackers choose unused ones.
fn regions(index: &Index<'_>, facts: &AccountFacts, graph: &mut AccountGraph) {
    let id = &facts.account;
    let Ok(enabled) = index.enabled_regions() else { return };
    let mut parts = Vec::new();
    for region in enabled {
        let view = trails::account_region(index, id, region);
        let told =
            view.trails.iter().filter_map(|arn| index.trails.get(arn.as_str())).copied().flat_map(Seen::evidence);
        let told: Vec<Evidence> = told.take(MAX_EVIDENCE).collect();
        let mut resource = node("account_region", names::account_region(id, region), id, Some(region), view.value());
        resource.counts_for = vec![id.clone()];
        let listed = facts.lines.iter().filter(|line| {
            line.region.as_ref() == Some(region)
                && matches!(&line.fact, Fact::Listing(listing) if listing.call == "cloudtrail:DescribeTrails")
        });
        evidence(&mut resource, listed.flat_map(reads).chain(told).collect::<Vec<_>>());
        graph.resources.push(resource);
        parts.push(trails::management_part(index, id, region));
    }
    if graph.has_ai == Ok(true) && !parts.is_empty() {
        graph.subjects.push(Subject {
            kind: SubjectKind::Account,
            id: names::account(id),
            account: id.clone(),
            region: None,
            sources: BTreeMap::from([
                (Source::ApiActivity, Carriage::Parts(parts)),
                (Source::EventHistory, Carriage::Inherent),
            ]),
        });
    }
}

fn add_trails(index: &Index<'_>, graph: &mut AccountGraph, gaps: &mut Gaps) {
    for seen in index.trails.values() {
        let trail = seen.fact;
        if trails::home(index.shared, trail) != Some(index.account) {
            continue;
        }
        let accounts = trails::ai_accounts(index.shared, trail);
        let region = trail.home_region.as_ref().ok();
        let value = trails::value(index, trail);
        if let (false, Err(unknown)) = (accounts.is_empty(), &trail.bucket) {
            gaps.add_carriers(Source::ApiActivity, region, unknown);
        }
        let mut resource = node("trail", ResourceId::new(trail.arn.clone()), &trail.owner, region, value);
        paths(&mut resource, accounts.iter().map(|a| format!("records account {a}")));
        resource.counts_for = accounts.into_iter().collect();
        evidence(&mut resource, seen.evidence());
        graph.resources.push(resource);
    }
}

/// Whether a bucket's findings stand in this account's graph: it owns it, or nobody known does and it uses it.
fn belongs<'a>(index: &Index<'_>, bucket: &str, users: impl IntoIterator<Item = &'a AccountId>) -> bool {
    match index.owner(bucket) {
        Owner::In(owner, _) => owner == *index.account,
        Owner::Nobody | Owner::Aws | Owner::Unknown(_) => users.into_iter().any(|user| user == index.account),
    }
}

fn bucket_subjects(index: &Index<'_>, graph: &mut AccountGraph) {
    for (name, used) in &index.uses {
        for (role, kind) in
            [(S3Role::Training, SubjectKind::TrainingBucket), (S3Role::Artifact, SubjectKind::ArtifactBucket)]
        {
            if used.own.iter().any(|u| u.role == UseRole::Data(role)) {
                graph.subjects.extend(bucket_subject(index, name, used, kind));
            }
        }
    }
}

fn ai_buckets(index: &Index<'_>, graph: &mut AccountGraph, gaps: &mut Gaps) {
    for (name, used) in &index.uses {
        let uses = &*used.all;
        if !belongs(index, name, &uses.users) {
            continue;
        }
        let region = buckets::region_of(index, name);
        for unknown in buckets::access_unknown(index, name) {
            gaps.add_carriers(Source::ObjectAccess, region.as_ref(), &unknown);
        }
        let value = buckets::ai_view(index, name, uses).value();
        let mut resource = node("ai_bucket", index.bucket_id(name), index.account, region.as_ref(), value);
        resource.counts_for = uses.users.iter().cloned().collect();
        resource.ai_path = uses.first.iter().cloned().collect();
        resource.ai_path_total = uses.chains;
        let own = index.described(name).into_iter().flat_map(Seen::evidence);
        evidence(&mut resource, own.chain(buckets::told_elsewhere(index, name, uses)));
        graph.resources.push(resource);
    }
}

fn bucket_subject(index: &Index<'_>, name: &str, used: &Used<'_>, kind: SubjectKind) -> Option<Subject> {
    let id = index.account;
    let (events, access) = match index.owner(name) {
        // Nothing can be read from a bucket that is gone, and AWS's own samples are no secret.
        Owner::Nobody | Owner::Aws => return None,
        Owner::In(owner, _) if owner != *id => {
            let lent = index.shared.bucket(name).and_then(|bucket| bucket.lent.clone());
            let lent = lent.unwrap_or_else(|| panic!("internal error: the owner of bucket {name} was not asked"));
            (lent.events, lent.access)
        }
        Owner::In(..) | Owner::Unknown(_) => {
            (buckets::event_alternatives(index, name, &used.all), buckets::access_alternatives(index, name, &used.all))
        }
    };
    let resource = index.bucket_id(name);
    let own = Carrier { resource: resource.clone(), judged_as: Source::ObjectHistory, certain: true };
    let history = vec![Alternative { carriers: vec![own], certain: true, since: None }];
    let part = |alternatives| Carriage::Parts(vec![Part { label: name.to_owned(), alternatives }]);
    let regions: BTreeSet<&Region> = used.own.iter().map(|u| &u.region).collect();
    let jobs = regions.into_iter().map(|region| trails::management_part(index, id, region)).collect();
    Some(Subject {
        kind,
        id: resource,
        account: id.clone(),
        region: buckets::region_of(index, name),
        sources: BTreeMap::from([
            // Who ran the jobs that use it: the control plane of the account they run in.
            (Source::ApiActivity, Carriage::Parts(jobs)),
            (Source::EventHistory, Carriage::Inherent),
            (Source::DataEvents, part(events)),
            (Source::ObjectAccess, part(access)),
            (Source::ObjectHistory, part(history)),
        ]),
    })
}

fn evidence_buckets(index: &Index<'_>, graph: &mut AccountGraph) {
    for (name, holdings) in &index.held {
        if !belongs(index, name, holdings.iter().flat_map(|h| &h.counts_for)) {
            continue;
        }
        for (source, held) in by_source(holdings) {
            let region = buckets::region_of(index, name);
            let value = buckets::evidence_view(index, name, source, &held).value();
            let mut resource = node("evidence_bucket", index.bucket_id(name), index.account, region.as_ref(), value);
            let told = index.described(name).into_iter().flat_map(Seen::evidence);
            holds(&mut resource, source, &held, told);
            graph.resources.push(resource);
        }
    }
}

fn log_groups(index: &Index<'_>, graph: &mut AccountGraph) {
    for ((owner, region, name), holdings) in &index.held_groups {
        for (source, held) in by_source(holdings) {
            let value = groups::view(index, owner, region, name, source).value();
            let group = names::log_group(&index.shared.partition, region, owner, name);
            let mut resource = node("log_group", group, owner, Some(region), value);
            let told = index.log_group(owner, region, name).into_iter().flat_map(Seen::evidence);
            holds(&mut resource, source, &held, told);
            graph.resources.push(resource);
        }
    }
}

fn by_source(holdings: &[Held]) -> BTreeMap<Source, Vec<&Held>> {
    let mut by_source: BTreeMap<Source, Vec<&Held>> = BTreeMap::new();
    for held in holdings {
        by_source.entry(held.source).or_default().push(held);
    }
    by_source
}

/// What a holder of evidence is a holder of.
fn holds(resource: &mut Resource, source: Source, held: &[&Held], told: impl Iterator<Item = Evidence>) {
    resource.source = Some(source);
    let users: BTreeSet<&AccountId> = held.iter().flat_map(|h| &h.counts_for).collect();
    resource.counts_for = users.into_iter().cloned().collect();
    paths(resource, held.iter().map(|h| h.chain.clone()));
    evidence(resource, told);
}

fn workloads(index: &Index<'_>, facts: &AccountFacts, found: &Found<'_>, graph: &mut AccountGraph, gaps: &mut Gaps) {
    let id = &facts.account;
    for region in &found.regions {
        bedrock(index, facts, found, region, graph);
    }
    for (region, line, workload) in &found.workloads {
        match workload.kind {
            WorkloadKind::Endpoint => endpoint(index, facts, found, (region, line, workload), graph, gaps),
            WorkloadKind::Notebook => {
                let Some(group) = names::sagemaker_group(workload.kind, &workload.name) else { continue };
                let view = NotebookView {
                    name: workload.name.clone(),
                    status: workload.status.clone(),
                    in_customer_vpc: workload.placement.clone().map(|p| !p.in_aws_vpc()),
                    log_group_exists: groups::exists(index, id, region, &group),
                };
                let mut resource = node("notebook", line.id.clone(), id, Some(region), view.value());
                resource.counts_for = vec![id.clone()];
                evidence(&mut resource, reads(line));
                graph.resources.push(resource);
            }
            _ => {}
        }
    }
}

/// Whether a service control policy keeps everybody from Bedrock. It takes every call for that: one that is denied by
/// itself keeps nobody from invoking models.
fn denied_by_scp(
    facts: &AccountFacts,
    found: &Found<'_>,
    region: &Region,
    logging: &Observed<InvocationLogging>,
    in_use: &Told<bool>,
) -> Observed<bool> {
    match logging {
        Observed::Known(_) | Observed::Absent => return Observed::Known(false),
        Observed::Unknown(_) if *in_use == Ok(true) => return Observed::Known(false),
        Observed::Unknown(unknown) if unknown.why != Why::DeniedByScp => return Observed::Unknown(unknown.clone()),
        Observed::Unknown(_) => {}
    }
    let other = discovery::bedrock_listings(facts, found, region).find_map(|(call, listed)| match listed {
        Err(unknown) if unknown.why == Why::DeniedByScp => None,
        Err(unknown) => Some(unknown),
        // What the region does not have needs no denial.
        Ok(_) if found.lacks(call, region) => None,
        Ok(_) => Some(
            Unknown::new(call, Why::Undecidable)
                .in_account(&facts.account)
                .in_region(region)
                .saying("a service control policy denies some calls of Bedrock and not this one"),
        ),
    });
    other.map_or(Observed::Known(true), Observed::Unknown)
}

fn bedrock(index: &Index<'_>, facts: &AccountFacts, found: &Found<'_>, region: &Region, graph: &mut AccountGraph) {
    let id = &facts.account;
    let in_use = discovery::bedrock_in_use(facts, found, region);
    let mantle = discovery::mantle_in_use(facts, found, region);
    let line = facts.lines.iter().find(|l| l.region.as_ref() == Some(region) && matches!(l.fact, Fact::Bedrock(_)));
    let unread = not_collected("bedrock:GetModelInvocationLoggingConfiguration").in_account(id).in_region(region);
    let state = found.bedrock.get(region).copied();
    let logging = state.map_or_else(|| Observed::Unknown(unread.clone()), |s| s.logging.clone());
    // Where there is no Bedrock, nobody can use it.
    if matches!(&logging, Observed::Unknown(unknown) if lacks(region, unknown))
        && in_use == Ok(false)
        && mantle == Ok(false)
    {
        return;
    }
    let metrics = state.map_or_else(|| Err(unread.clone()), |s| s.metrics.clone());
    let delivery = metrics.clone().map(|m| delivery(&m.names, logging.known()));
    let either = || {
        Unknown::new("cloudwatch:ListMetrics", Why::Undecidable)
            .in_account(id)
            .in_region(region)
            .saying("deliveries succeeded and failed within two weeks; which came last the list does not tell")
    };
    let delivered = |what: fn(Delivery) -> Option<bool>| {
        Observed::from_told(delivery.clone().and_then(|delivery| what(delivery).ok_or_else(either)).map(Some))
    };
    let resource_id = names::bedrock(id, region);
    let delivery_succeeded = delivered(|d| d.succeeded);
    let view = BedrockView {
        region: region.clone(),
        in_use: in_use.clone(),
        in_use_window: Some("about two weeks ago, as far back as CloudWatch lists metrics".to_owned()),
        logging: logging
            .clone()
            .map(|l| logging_view(index, id, region, &l, metrics.as_ref().ok().map(|m| m.names.as_slice()))),
        modalities: metrics.clone().map(|m| modalities::of_models(&m.invoked_models)),
        delivery_succeeded,
        delivery_failed: delivered(|d| d.failed),
        data_events: data_events(index, facts, found, region, &mantle),
        denied_by_scp: denied_by_scp(facts, found, region, &logging, &in_use),
    };
    let mut resource = node("bedrock_region", resource_id.clone(), id, Some(region), view.value());
    resource.counts_for = vec![id.clone()];
    paths(&mut resource, bedrock_chains(state, found, region));
    let lists = facts.lines.iter().filter(|l| {
        l.region.as_ref() == Some(region)
            && matches!(&l.fact, Fact::Listing(listing) if listing.call.starts_with("bedrock"))
    });
    let told = line.map(reads).into_iter().flatten().chain(lists.flat_map(reads));
    let guardrails =
        DataEvents { account: id, region, resource_type: "AWS::Bedrock::Guardrail", arns: &[] }.evidence(index);
    evidence(&mut resource, told.chain(guardrails).collect::<Vec<_>>());
    graph.resources.push(resource);

    let own = |judged_as| Carrier { resource: resource_id.clone(), judged_as, certain: true };
    let part = |alternatives| Carriage::Parts(vec![Part { label: region.to_string(), alternatives }]);
    if in_use == Ok(true) {
        let mut sinks: Vec<Alternative> = Vec::new();
        if let Observed::Known(logging) = &logging {
            let with = |others: Vec<ResourceId>| Alternative {
                carriers: std::iter::once(own(Source::ModelInvocations))
                    .chain(others.into_iter().map(|resource| Carrier {
                        resource,
                        judged_as: Source::ModelInvocations,
                        certain: true,
                    }))
                    .collect(),
                certain: true,
                since: None,
            };
            // What cannot receive anything keeps nothing, however long it would.
            let receives = |s: &&S3Sink| buckets::receives(index, id, region, &s.bucket) != Ok(false);
            if let Some(sink) = logging.s3.as_ref().filter(receives) {
                sinks.push(with(vec![index.bucket_id(&sink.bucket)]));
            }
            let group_exists = |name: &str| groups::exists(index, id, region, name) != Ok(false);
            if let Some(sink) = logging.cloudwatch.as_ref().filter(|s| group_exists(&s.log_group)) {
                let mut kept = vec![names::log_group(&index.shared.partition, region, id, &sink.log_group)];
                kept.extend(sink.large_bodies_s3.iter().map(|s| index.bucket_id(&s.bucket)));
                sinks.push(with(kept));
            }
        }
        if sinks.is_empty() {
            let alone = vec![own(Source::ModelInvocations)];
            sinks.push(Alternative { carriers: alone, certain: true, since: None });
        }
        graph.subjects.push(Subject {
            kind: SubjectKind::BedrockRegion,
            id: resource_id.clone(),
            account: id.clone(),
            region: Some(region.clone()),
            sources: BTreeMap::from([
                (Source::ApiActivity, Carriage::Parts(vec![trails::management_part(index, id, region)])),
                (Source::EventHistory, Carriage::Inherent),
                (Source::ModelInvocations, part(sinks)),
            ]),
        });
    }
    if mantle == Ok(true) {
        let events = DataEvents { account: id, region, resource_type: "AWS::BedrockMantle::Project", arns: &[] };
        let why = "calls through bedrock-mantle are never in the model invocation log";
        graph.subjects.push(Subject {
            kind: SubjectKind::Mantle,
            id: names::mantle(id, region),
            account: id.clone(),
            region: Some(region.clone()),
            sources: BTreeMap::from([
                (Source::DataEvents, part(events.alternatives(index, own(Source::DataEvents)))),
                (Source::ModelInvocations, Carriage::NotRecordable(why.to_owned())),
            ]),
        });
    }
}

/// What the names of the metrics CloudWatch lists tell of deliveries to configured destinations. Each name is listed for
/// two weeks, so that of a destination that has both, none says how it is now; one that works does not speak for another.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/monitoring-runtime-metrics.html>
#[derive(Clone, Copy)]
struct Delivery {
    /// Records arrive; none where they may have stopped to.
    succeeded: Option<bool>,
    /// To one destination all fail; none where they may.
    failed: Option<bool>,
}

fn delivery(metrics: &[String], logging: Option<&InvocationLogging>) -> Delivery {
    let seen = |destination, end| ends_so(metrics, destination, end);
    let cloudwatch = logging.and_then(|l| l.cloudwatch.as_ref());
    let to_s3 = logging.is_some_and(|l| l.s3.is_some());
    let destinations = [
        ("LogsS3", to_s3),
        ("LogsCloudWatch", cloudwatch.is_some()),
        ("LargeDataS3", to_s3 || cloudwatch.is_some_and(|c| c.large_bodies_s3.is_some())),
    ];
    let ends: Vec<(bool, bool)> = destinations
        .iter()
        .filter(|(_, used)| *used)
        .map(|(destination, _)| (seen(destination, "Success"), seen(destination, "Failure")))
        .collect();
    if ends.contains(&(false, true)) {
        Delivery { succeeded: Some(false), failed: Some(true) }
    } else if ends.contains(&(true, true)) {
        Delivery { succeeded: None, failed: None }
    } else {
        Delivery { succeeded: Some(ends.contains(&(true, false))), failed: Some(false) }
    }
}

/// Whether deliveries to a destination are seen to end so, `Success` or `Failure`.
fn ends_so(metrics: &[String], destination: &str, end: &str) -> bool {
    metrics.contains(&format!("ModelInvocation{destination}Delivery{end}"))
}

fn bedrock_chains(state: Option<&BedrockRegion>, found: &Found<'_>, region: &Region) -> Vec<String> {
    let mut chains: Vec<String> = found
        .workloads
        .iter()
        .filter(|(at, _, w)| *at == region && !w.kind.is_sagemaker())
        .map(|(_, _, w)| format!("{} {}", w.kind.word(), w.name))
        .collect();
    if let Some(state) = state {
        let models = state.metrics.iter().flat_map(|m| &m.invoked_models);
        chains.extend(models.map(|model| format!("invocations of {model}")));
        if state.mantle_metrics == Ok(true) {
            chains.push("calls through bedrock-mantle".to_owned());
        }
        if state.logging.known().is_some() {
            chains.push("invocation logging configured".to_owned());
        }
    }
    chains
}

/// `metrics`: names of the metrics that tell of deliveries, where known.
fn logging_view(
    index: &Index<'_>,
    id: &AccountId,
    region: &Region,
    logging: &InvocationLogging,
    metrics: Option<&[String]>,
) -> InvocationLoggingView {
    let arrives = |destination: &str| {
        metrics.is_some_and(|seen| ends_so(seen, destination, "Success") && !ends_so(seen, destination, "Failure"))
    };
    let sink = |sink: &S3Sink, destination: &str| {
        let place = Location { bucket: sink.bucket.clone(), prefix: location::invocation_records(sink, id) };
        let mut view = buckets::sink(index, id, region, &place, &Writer::Service("bedrock.amazonaws.com", id));
        // What the policy says in words locard does not follow, deliveries tell.
        if arrives(destination)
            && matches!(&view.refused, Observed::Unknown(unknown) if unknown.why == Why::Undecidable)
        {
            view.refused = Observed::Known(false);
        }
        view
    };
    let cloudwatch = logging.cloudwatch.as_ref();
    InvocationLoggingView {
        s3: logging.s3.as_ref().map(|s3| sink(s3, "LogsS3")),
        cloudwatch: cloudwatch.map(|c| groups::sink(index, id, region, &c.log_group)),
        large_bodies_s3: cloudwatch.and_then(|c| c.large_bodies_s3.as_ref()).map(|s3| sink(s3, "LargeDataS3")),
        text: logging.text,
        image: logging.image,
        embedding: logging.embedding,
        video: logging.video,
        audio: logging.audio,
    }
}

/// Data event types that what is there can emit; one that may be there counts unless it is recorded anyway. Unknown where
/// nothing is known to be there and something may be. Where all that is there is known, what is recorded of it counts;
/// of agents and flows that would be their aliases, which nobody lists.
fn data_events(
    index: &Index<'_>,
    facts: &AccountFacts,
    found: &Found<'_>,
    region: &Region,
    mantle: &Told<bool>,
) -> Told<Vec<DataEventType>> {
    if !found.regions.contains(region) {
        return Ok(Vec::new());
    }
    // A list that broke off has shown some all the same.
    let seen = |kind: WorkloadKind| found.workloads.iter().any(|(at, _, w)| *at == region && w.kind == kind);
    let there = |kind: WorkloadKind, call: &str| match seen(kind) {
        true => Ok(true),
        false => found.listing(facts, call, region).map(|count| count > 0),
    };
    let types = [
        ("AWS::Bedrock::AgentAlias", there(WorkloadKind::Agent, "bedrock-agent:ListAgents")),
        ("AWS::Bedrock::FlowAlias", there(WorkloadKind::Flow, "bedrock-agent:ListFlows")),
        ("AWS::Bedrock::Guardrail", there(WorkloadKind::Guardrail, "bedrock:ListGuardrails")),
        ("AWS::Bedrock::KnowledgeBase", there(WorkloadKind::KnowledgeBase, "bedrock-agent:ListKnowledgeBases")),
        ("AWS::BedrockMantle::Project", mantle.clone()),
    ];
    if !any(types.iter().map(|(_, there)| there.clone()))? {
        return Ok(Vec::new());
    }
    let possible = types.into_iter().filter(|(_, there)| possible(there));
    let arns = |kind: WorkloadKind, call: &str| match found.listing(facts, call, region) {
        Ok(_) => {
            let of_kind = found.workloads.iter().filter(|(at, _, w)| *at == region && w.kind == kind);
            of_kind.map(|(_, line, _)| line.id.0.clone()).collect()
        }
        Err(_) => Vec::new(),
    };
    let events = possible.map(|(resource_type, there)| {
        let arns = match resource_type {
            "AWS::Bedrock::Guardrail" => arns(WorkloadKind::Guardrail, "bedrock:ListGuardrails"),
            "AWS::Bedrock::KnowledgeBase" => arns(WorkloadKind::KnowledgeBase, "bedrock-agent:ListKnowledgeBases"),
            _ => Vec::new(),
        };
        let events = DataEvents { account: &facts.account, region, resource_type, arns: &arns };
        let recorded = all([events.reads(index), events.writes(index)]);
        let recorded = match there {
            Ok(_) => recorded,
            Err(unknown) if recorded != Ok(true) => Err(unknown),
            Err(_) => recorded,
        };
        DataEventType { resource_type: resource_type.to_owned(), recorded }
    });
    Ok(events.collect())
}

fn endpoint(
    index: &Index<'_>,
    facts: &AccountFacts,
    found: &Found<'_>,
    (region, line, workload): (&Region, &Line, &Workload),
    graph: &mut AccountGraph,
    gaps: &mut Gaps,
) {
    let id = &facts.account;
    let Some(state) = &workload.endpoint else { return };
    let arns = [line.id.0.clone()];
    let events = DataEvents { account: id, region, resource_type: "AWS::SageMaker::Endpoint", arns: &arns };
    let Some(group) = names::sagemaker_group(workload.kind, &workload.name) else { return };
    let serverless = match &state.live_capture {
        // AWS captures nothing of serverless endpoints.
        Observed::Known(live) if live.started => Ok(false),
        _ => state.config.clone().map(|c| !c.variants.is_empty() && c.variants.iter().all(|v| v.serverless)),
    };
    let metrics = index.own.endpoint_metrics.get(region);
    let invoked = metrics
        .map(|seen| seen.fact.invoked.clone())
        .unwrap_or_else(|| Err(not_collected("cloudwatch:ListMetrics").in_account(id).in_region(region)));
    match serves(workload, &invoked) {
        Ok(true) => {}
        Ok(false) => return,
        Err(unknown) => {
            gaps.add(&["endpoint"], &[SubjectKind::Endpoint], Some(region), &unknown);
            return;
        }
    }
    models_lost(found, facts, region, workload, state, gaps);
    let capture = capture_view(index, id, region, state);
    let view = EndpointView {
        name: workload.name.clone(),
        status: workload.status.clone(),
        serverless: serverless.clone(),
        asynchronous: state.config.clone().map(|c| c.asynchronous),
        capture: capture.clone(),
        data_events: all([events.reads(index), events.writes(index)]),
        invoked: invoked.map(|names| names.contains(&workload.name)),
        log_group_exists: match groups::exists(index, id, region, &group) {
            Ok(false) if state.config.iter().flat_map(|c| &c.variants).any(|variant| variant.model.is_none()) => {
                Err(undecidable(id, region, "its inference components log to groups of their own"))
            }
            exists => exists,
        },
    };
    let mut resource = node("endpoint", line.id.clone(), id, Some(region), view.value());
    resource.counts_for = vec![id.clone()];
    let metrics = metrics.into_iter().flat_map(|seen| seen.evidence());
    let logs = index.log_group(id, region, &group).into_iter().flat_map(Seen::evidence);
    evidence(&mut resource, reads(line).into_iter().chain(metrics).chain(logs).chain(events.evidence(index)));
    graph.resources.push(resource);

    let own = |judged_as| Carrier { resource: line.id.clone(), judged_as, certain: true };
    let part = |alternatives| Carriage::Parts(vec![Part { label: workload.name.clone(), alternatives }]);
    let captured = if serverless == Ok(true) {
        Carriage::NotRecordable("AWS cannot capture serverless endpoints".to_owned())
    } else {
        let mut carriers = vec![own(Source::InferenceCapture)];
        let destination = capture.known().and_then(|c| c.destination.as_ref().ok());
        carriers.extend(destination.map(|d| Carrier {
            resource: index.bucket_id(&d.bucket),
            judged_as: Source::InferenceCapture,
            certain: true,
        }));
        part(vec![Alternative { carriers, certain: true, since: None }])
    };
    let logs = Carrier {
        resource: names::log_group(&index.shared.partition, region, id, &group),
        judged_as: Source::ServiceLogs,
        certain: true,
    };
    graph.subjects.push(Subject {
        kind: SubjectKind::Endpoint,
        id: line.id.clone(),
        account: id.clone(),
        region: Some(region.clone()),
        sources: BTreeMap::from([
            (Source::ApiActivity, Carriage::Parts(vec![trails::management_part(index, id, region)])),
            (Source::EventHistory, Carriage::Inherent),
            (Source::DataEvents, part(events.alternatives(index, own(Source::DataEvents)))),
            (Source::InferenceCapture, captured),
            (
                Source::ServiceLogs,
                part(vec![Alternative { carriers: vec![own(Source::ServiceLogs), logs], certain: true, since: None }]),
            ),
        ]),
    });
}

fn undecidable(account: &AccountId, region: &Region, said: &str) -> Unknown {
    let unknown = Unknown::new("sagemaker:DescribeEndpointConfig", Why::Undecidable);
    unknown.in_account(account).in_region(region).saying(said)
}

/// What stays open of a serving endpoint whose models cannot be followed: their artefacts, and the network they run in.
fn models_lost(
    found: &Found<'_>,
    facts: &AccountFacts,
    region: &Region,
    workload: &Workload,
    state: &Endpoint,
    gaps: &mut Gaps,
) {
    if let Err(unknown) = &state.config {
        gaps.add(&["ai_bucket"], &[SubjectKind::ArtifactBucket], Some(region), unknown);
        if !matches!(workload.placement, Ok(Placement::Subnets(_))) {
            gaps.add(&["ai_vpc"], &[SubjectKind::Network], Some(region), unknown);
        }
    }
    let all_listed = found.listing(facts, "sagemaker:ListModels", region).is_ok();
    let listed = |name: &String| {
        found.workloads.iter().any(|(at, _, w)| *at == region && w.kind == WorkloadKind::Model && w.name == *name)
    };
    for variant in state.config.iter().flat_map(|config| &config.variants) {
        let said = match &variant.model {
            None => "its inference components, which are not looked at, name their models".to_owned(),
            Some(model) if all_listed && !listed(model) => format!("model {model}, which it serves, is deleted"),
            Some(_) => continue,
        };
        let unknown = undecidable(&facts.account, region, &said);
        gaps.add(&["ai_bucket"], &[SubjectKind::ArtifactBucket], Some(region), &unknown);
        if !matches!(workload.placement, Ok(Placement::Subnets(_))) {
            gaps.add(&["ai_vpc"], &[SubjectKind::Network], Some(region), &unknown);
        }
    }
}

/// Whether an endpoint takes requests, or did so lately. One that is being made, has failed or is being deleted does
/// not, and neither captures nor logs.
fn serves(workload: &Workload, invoked: &Told<Vec<String>>) -> Told<bool> {
    match workload.status.as_deref() {
        Some("Creating" | "Failed" | "Deleting") => invoked.clone().map(|names| names.contains(&workload.name)),
        // One that could not be described was listed.
        _ => Ok(true),
    }
}

/// Data capture: what runs, and of what only the configuration tells, the configuration.
fn capture_view(index: &Index<'_>, id: &AccountId, region: &Region, state: &Endpoint) -> Observed<CaptureView> {
    let configured = state.config.as_ref().map(|c| c.capture.clone()).map_err(Clone::clone);
    let directions = |pick: fn(&crate::inventory::sagemaker::CaptureConfig) -> bool| match &configured {
        Ok(Some(config)) => Ok(pick(config)),
        Ok(None) => Ok(false),
        Err(unknown) => Err(unknown.clone()),
    };
    let destination = |uri: &str| -> Told<super::kinds::BucketSink> {
        let place = location::parse(uri).ok_or_else(|| {
            Unknown::new("sagemaker:DescribeEndpoint", Why::Undecidable)
                .in_account(id)
                .in_region(region)
                .saying("the destination is no bucket locard can follow")
        })?;
        let place = Location { prefix: location::folder(&place.prefix), ..place };
        let role = Role { arn: None, account: id, organization: index.shared.organization.as_deref() };
        Ok(buckets::sink(index, id, region, &place, &Writer::Role(role)))
    };
    let key_usable = |key: &Observed<String>| match key {
        Observed::Known(key) => index.key_usable(id, region, Some(key)),
        Observed::Absent => Observed::Absent,
        Observed::Unknown(unknown) => Observed::Unknown(unknown.clone().in_account(id).in_region(region)),
    };
    match (&state.live_capture, &configured) {
        (Observed::Known(live), _) => Observed::Known(CaptureView {
            enabled: Ok(live.enabled),
            started: Ok(live.started),
            sampling: Ok(i64::from(live.sampling_percentage)),
            input: directions(|c| c.input),
            output: directions(|c| c.output),
            destination: destination(&live.destination),
            key_usable: key_usable(&live.kms_key),
        }),
        // Configured, and the live endpoint says nothing of it: it does not run.
        (Observed::Absent, Ok(Some(config))) => Observed::Known(CaptureView {
            enabled: Ok(config.enabled),
            started: Ok(false),
            sampling: Ok(i64::from(config.sampling_percentage)),
            input: Ok(config.input),
            output: Ok(config.output),
            destination: destination(&config.destination),
            key_usable: key_usable(&config.kms_key),
        }),
        (Observed::Absent, Ok(None) | Err(_)) | (Observed::Unknown(_), Ok(None)) => Observed::Absent,
        (Observed::Unknown(unknown), Ok(Some(config))) => Observed::Known(CaptureView {
            enabled: Err(unknown.clone()),
            started: Err(unknown.clone()),
            sampling: Err(unknown.clone()),
            input: Ok(config.input),
            output: Ok(config.output),
            destination: destination(&config.destination),
            key_usable: key_usable(&config.kms_key),
        }),
        (Observed::Unknown(unknown), Err(_)) => Observed::Unknown(unknown.clone()),
    }
}

fn networks(index: &Index<'_>, found: &Found<'_>, graph: &mut AccountGraph, gaps: &mut Gaps) {
    let id = index.account;
    for region in &found.regions {
        for (subnet, _) in index.own.subnet_uses_of(region) {
            let place = index
                .subnet(region, subnet)
                .map(|seen| seen.fact.place.clone())
                .unwrap_or_else(|| Err(not_collected("ec2:DescribeSubnets").in_account(id).in_region(region)));
            if let Err(unknown) = place {
                gaps.add(&["ai_vpc"], &[SubjectKind::Network], Some(region), &unknown);
            }
        }
        let vpcs = index.own.ai_vpcs(region);
        if let (false, Err(unknown)) = (vpcs.is_empty(), network::listed(index, id, region)) {
            gaps.add_carriers(Source::NetworkFlows, Some(region), &unknown);
        }
        let interfaces = network::of_interfaces(index, region);
        for (vpc, subnets) in vpcs {
            let resource_id = names::vpc(&index.shared.partition, region, id, &vpc);
            let view = network::view(index, region, &vpc, &subnets, &interfaces);
            let mut resource = node("ai_vpc", resource_id.clone(), id, Some(region), view.value());
            resource.counts_for = vec![id.clone()];
            let chains = index
                .own
                .subnet_uses_of(region)
                .filter(|(subnet, _)| subnets.contains(*subnet))
                .flat_map(|(_, chains)| chains.iter().cloned());
            paths(&mut resource, chains);
            let logs = network::logs_of(index, region, &vpc, &subnets);
            if let Some(unknown) = network::destination_lost(region, &logs) {
                gaps.add_carriers(Source::NetworkFlows, Some(region), &unknown);
            }
            let told = subnets.iter().filter_map(|subnet| index.subnet(region, subnet)).flat_map(Seen::evidence);
            let told = told.chain(logs.iter().flat_map(|(_, seen)| seen.evidence()));
            let told = told.chain(network::destinations_told(index, region, &logs)).collect::<Vec<_>>();
            evidence(&mut resource, told);
            graph.resources.push(resource);
            let alternatives = network::alternatives(index, region, &vpc, &subnets);
            let carriage = Carriage::Parts(vec![Part { label: vpc.clone(), alternatives }]);
            graph.subjects.push(network_subject(id, region, resource_id, carriage));
        }
        if found.workloads.iter().any(|(at, _, w)| *at == region && runs_in_aws_vpc(found, region, w)) {
            let why =
                "workloads without a VPC configuration run in a VPC that AWS owns, of which no flow log can exist";
            let carriage = Carriage::NotRecordable(why.to_owned());
            graph.subjects.push(network_subject(id, region, names::aws_vpc(id, region), carriage));
        }
    }
}

fn network_subject(id: &AccountId, region: &Region, resource: ResourceId, carriage: Carriage) -> Subject {
    Subject {
        kind: SubjectKind::Network,
        id: resource,
        account: id.clone(),
        region: Some(region.clone()),
        sources: BTreeMap::from([(Source::NetworkFlows, carriage)]),
    }
}

/// Whether a workload that moves data does so in a VPC of AWS. A model does only behind an endpoint.
fn runs_in_aws_vpc(found: &Found<'_>, region: &Region, workload: &Workload) -> bool {
    match workload.kind {
        WorkloadKind::Model => false,
        WorkloadKind::Endpoint => {
            let Some(Ok(config)) = workload.endpoint.as_ref().map(|e| &e.config) else { return false };
            if matches!(workload.placement, Ok(Placement::Subnets(_))) {
                return false;
            }
            let models: BTreeSet<&String> = config.variants.iter().filter_map(|v| v.model.as_ref()).collect();
            found.workloads.iter().any(|(at, _, w)| {
                *at == region
                    && w.kind == WorkloadKind::Model
                    && models.contains(&w.name)
                    && w.placement == Ok(Placement::AwsVpc)
            })
        }
        _ => workload.placement.as_ref().is_ok_and(Placement::in_aws_vpc),
    }
}
