//! Which AI an account is known to run, and what stays open when a list could not be read.

use std::collections::BTreeMap;

use crate::finding::Source;
use crate::inventory::bedrock::BedrockRegion;
use crate::inventory::offered::lacks;
use crate::inventory::workload::{S3Role, Workload, WorkloadKind};
use crate::inventory::{AccountFacts, Fact, Listing, not_collected};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Observed, Told, Unknown, Why};

use super::index::shows_bedrock_use;
use super::kleene;
use super::subject::{Open, SubjectKind};
use super::{location, names};

/// A list call that finds workloads, and what it leaves open when it fails.
struct Discovery {
    call: &'static str,
    /// The kind of workload it finds, which describing may then fail for.
    workload: WorkloadKind,
    kinds: &'static [&'static str],
    subjects: &'static [SubjectKind],
}

use SubjectKind::{ArtifactBucket, Endpoint, Network, TrainingBucket};

const DISCOVERIES: &[Discovery] = &[
    Discovery {
        call: "sagemaker:ListEndpoints",
        workload: WorkloadKind::Endpoint,
        // Its configuration may place it in a VPC; whether models run in one of AWS its endpoints tell.
        kinds: &["endpoint", "ai_bucket", "ai_vpc"],
        subjects: &[Endpoint, Network],
    },
    Discovery {
        call: "sagemaker:ListModels",
        workload: WorkloadKind::Model,
        kinds: &["ai_bucket", "ai_vpc"],
        subjects: &[ArtifactBucket, Network],
    },
    Discovery {
        call: "sagemaker:ListTrainingJobs",
        workload: WorkloadKind::TrainingJob,
        kinds: &["ai_bucket", "ai_vpc"],
        subjects: &[TrainingBucket, ArtifactBucket, Network],
    },
    Discovery {
        call: "sagemaker:ListProcessingJobs",
        workload: WorkloadKind::ProcessingJob,
        kinds: &["ai_bucket", "ai_vpc"],
        subjects: &[Network],
    },
    Discovery {
        call: "sagemaker:ListTransformJobs",
        workload: WorkloadKind::TransformJob,
        kinds: &["ai_bucket"],
        subjects: &[],
    },
    Discovery {
        call: "sagemaker:ListHyperParameterTuningJobs",
        workload: WorkloadKind::TuningJob,
        kinds: &["ai_bucket", "ai_vpc"],
        subjects: &[TrainingBucket, ArtifactBucket, Network],
    },
    Discovery {
        call: "sagemaker:ListAutoMLJobs",
        workload: WorkloadKind::AutomlJob,
        kinds: &["ai_bucket", "ai_vpc"],
        subjects: &[TrainingBucket, ArtifactBucket, Network],
    },
    Discovery {
        call: "sagemaker:ListNotebookInstances",
        workload: WorkloadKind::Notebook,
        kinds: &["notebook", "ai_vpc"],
        subjects: &[Network],
    },
    Discovery {
        call: "sagemaker:ListDomains",
        workload: WorkloadKind::Domain,
        kinds: &["ai_bucket", "ai_vpc"],
        subjects: &[Network],
    },
    Discovery {
        call: "sagemaker:ListFeatureGroups",
        workload: WorkloadKind::FeatureGroup,
        kinds: &["ai_bucket"],
        subjects: &[TrainingBucket],
    },
    Discovery {
        call: "bedrock:ListModelCustomizationJobs",
        workload: WorkloadKind::CustomizationJob,
        kinds: &["ai_bucket", "ai_vpc"],
        subjects: &[TrainingBucket, ArtifactBucket, Network],
    },
    Discovery {
        call: "bedrock:ListImportedModels",
        workload: WorkloadKind::ImportedModel,
        kinds: &["ai_bucket"],
        subjects: &[ArtifactBucket],
    },
    Discovery {
        call: "bedrock:ListModelInvocationJobs",
        workload: WorkloadKind::BatchInferenceJob,
        kinds: &["ai_bucket", "ai_vpc"],
        subjects: &[Network],
    },
    Discovery {
        call: "bedrock:ListEvaluationJobs",
        workload: WorkloadKind::EvaluationJob,
        kinds: &["ai_bucket"],
        subjects: &[],
    },
    Discovery { call: "bedrock:ListGuardrails", workload: WorkloadKind::Guardrail, kinds: &[], subjects: &[] },
    Discovery { call: "bedrock-agent:ListAgents", workload: WorkloadKind::Agent, kinds: &[], subjects: &[] },
    Discovery {
        call: "bedrock-agent:ListKnowledgeBases",
        workload: WorkloadKind::KnowledgeBase,
        kinds: &["ai_bucket"],
        subjects: &[TrainingBucket],
    },
    Discovery { call: "bedrock-agent:ListFlows", workload: WorkloadKind::Flow, kinds: &["ai_bucket"], subjects: &[] },
];

/// Data sources are found through knowledge bases; a failed list of them leaves the same open as describing one.
const DATA_SOURCES: Discovery = Discovery {
    call: "bedrock-agent:ListDataSources",
    workload: WorkloadKind::DataSource,
    kinds: &["ai_bucket"],
    subjects: &[TrainingBucket],
};

/// Everything a region that could not be read might hide.
const ALL_KINDS: &[&str] =
    &["account_region", "trail", "bedrock_region", "endpoint", "notebook", "ai_bucket", "ai_vpc"];
const ALL_SUBJECTS: &[SubjectKind] = &[
    SubjectKind::Account,
    SubjectKind::BedrockRegion,
    SubjectKind::Mantle,
    Endpoint,
    TrainingBucket,
    ArtifactBucket,
    Network,
];

/// The facts of one account, by region, in the shape discovery needs.
pub(crate) struct Found<'a> {
    pub listings: BTreeMap<(&'a str, Option<&'a Region>), &'a Listing>,
    pub workloads: Vec<(&'a Region, &'a crate::inventory::Line, &'a Workload)>,
    pub bedrock: BTreeMap<&'a Region, &'a BedrockRegion>,
    pub regions: Vec<Region>,
}

pub(crate) fn found(facts: &AccountFacts) -> Found<'_> {
    let mut found = Found {
        listings: BTreeMap::new(),
        workloads: Vec::new(),
        bedrock: BTreeMap::new(),
        regions: match facts.entry() {
            Ok(entry) if entry.workloads => entry.read_regions.clone(),
            Ok(_) | Err(_) => Vec::new(),
        },
    };
    for line in &facts.lines {
        match (&line.fact, &line.region) {
            (Fact::Listing(listing), region) => {
                found.listings.insert((listing.call.as_str(), region.as_ref()), listing);
            }
            (Fact::Workload(workload), Some(region)) => found.workloads.push((region, line, workload)),
            (Fact::Bedrock(bedrock), Some(region)) => {
                found.bedrock.insert(region, bedrock);
            }
            _ => {}
        }
    }
    found
}

impl Found<'_> {
    /// Whether a list told that the region lacks its service.
    pub(crate) fn lacks(&self, call: &str, region: &Region) -> bool {
        let count = self.listings.get(&(call, Some(region))).map(|listing| &listing.count);
        count.is_some_and(|count| count.as_ref().is_err_and(|unknown| lacks(region, unknown)))
    }

    /// How many a list has shown; none where the region lacks the service.
    pub(crate) fn listing(&self, facts: &AccountFacts, call: &str, region: &Region) -> Told<u64> {
        match self.listings.get(&(call, Some(region))).map(|listing| &listing.count) {
            Some(Err(unknown)) if lacks(region, unknown) => Ok(0),
            Some(count) => count.clone(),
            None => Err(not_collected(call).in_account(&facts.account).in_region(region)),
        }
    }
}

/// Whether Bedrock models are used in a region: inventory, configured logging or metrics; false only when all of it
/// was readable and empty.
pub(crate) fn bedrock_in_use(facts: &AccountFacts, found: &Found<'_>, region: &Region) -> Told<bool> {
    let state = found.bedrock.get(region);
    let missing = || not_collected("cloudwatch:ListMetrics").in_account(&facts.account).in_region(region);
    let mut signs: Vec<Told<bool>> = vec![
        match state.map(|s| &s.logging) {
            Some(Observed::Known(_)) => Ok(true),
            Some(Observed::Absent) => Ok(false),
            Some(Observed::Unknown(unknown)) if lacks(region, unknown) => Ok(false),
            Some(Observed::Unknown(unknown)) => Err(unknown.clone()),
            None => Err(not_collected("bedrock:GetModelInvocationLoggingConfiguration")
                .in_account(&facts.account)
                .in_region(region)),
        },
        match state.map(|s| &s.metrics) {
            Some(metrics) => metrics.clone().map(|m| !m.invoked_models.is_empty()),
            None => Err(missing()),
        },
        Ok(found.workloads.iter().any(|(at, _, w)| *at == region && shows_bedrock_use(w.kind))),
    ];
    signs.extend(bedrock_listings(facts, found, region).map(|(_, listed)| listed.map(|count| count > 0)));
    kleene::any(signs)
}

/// The lists of Bedrock in a region: the call, and what came of it.
pub(crate) fn bedrock_listings(
    facts: &AccountFacts,
    found: &Found<'_>,
    region: &Region,
) -> impl Iterator<Item = (&'static str, Told<u64>)> {
    let lists = DISCOVERIES.iter().filter(|discovery| shows_bedrock_use(discovery.workload));
    lists.map(move |discovery| (discovery.call, found.listing(facts, discovery.call, region)))
}

/// Whether the OpenAI-compatible endpoint is used in a region.
pub(crate) fn mantle_in_use(facts: &AccountFacts, found: &Found<'_>, region: &Region) -> Told<bool> {
    match found.bedrock.get(region) {
        Some(state) => state.mantle_metrics.clone(),
        None => Err(not_collected("cloudwatch:ListMetrics").in_account(&facts.account).in_region(region)),
    }
}

/// Whether an account runs AI at all.
pub(crate) fn has_ai(facts: &AccountFacts) -> Told<bool> {
    let entry = facts.entry()?;
    let found = found(facts);
    let mut signs: Vec<Told<bool>> = vec![Ok(!found.workloads.is_empty())];
    signs.push(entry.session.clone().map(|_| false));
    if entry.session.is_ok() {
        if !entry.workloads {
            signs.push(Err(not_collected("sagemaker:ListEndpoints").in_account(&facts.account)));
        }
        signs.push(entry.enabled_regions.clone().map(|_| false));
        for region in &found.regions {
            signs.push(bedrock_in_use(facts, &found, region));
            signs.push(mantle_in_use(facts, &found, region));
            for discovery in DISCOVERIES.iter().filter(|d| d.workload.is_sagemaker()) {
                signs.push(found.listing(facts, discovery.call, region).map(|count| count > 0));
            }
        }
    }
    kleene::any(signs)
}

/// Whether the account's own trails are all known.
pub(crate) fn trails_listed(facts: &AccountFacts) -> Told<()> {
    let entry = facts.entry()?;
    entry.session.clone()?;
    // Trails are read in every enabled region, whichever regions the run reads workloads in.
    for region in entry.enabled_regions.as_ref().map_err(Clone::clone)? {
        facts.listing("cloudtrail:DescribeTrails", Some(region))?;
    }
    Ok(())
}

/// What could not be seen of an account's workloads.
pub(crate) fn open(facts: &AccountFacts) -> Gaps {
    let mut gaps = Gaps { account: facts.account.clone(), open: Vec::new() };
    // An account that was not entered opens no populations: as a whole it scores 0 to 100, and coverage counts it.
    let Ok(entry) = facts.entry() else { return gaps };
    if entry.session.is_err() || !entry.workloads {
        return gaps;
    }
    if let Err(unknown) = &entry.enabled_regions {
        gaps.add(ALL_KINDS, ALL_SUBJECTS, None, unknown);
        gaps.add_carriers(Source::ModelInvocations, None, unknown);
        gaps.add_kind("log_group", Some(Source::ServiceLogs), &[], None, unknown);
    }
    if let Err(unknown) = has_ai(facts) {
        gaps.add(&["ai_use"], &[SubjectKind::Account], None, &unknown);
    }
    let found = found(facts);
    for region in &found.regions {
        for discovery in DISCOVERIES.iter().chain([&DATA_SOURCES]) {
            listed(&mut gaps, discovery, facts, &found, region);
            described(&mut gaps, discovery, &found, region);
        }
        if let Some(Observed::Unknown(unknown)) = found.bedrock.get(region).map(|state| &state.logging)
            && !lacks(region, unknown)
        {
            gaps.add(&["ai_bucket"], &[], Some(region), unknown);
            gaps.add_carriers(Source::ModelInvocations, Some(region), unknown);
        }
        if let Err(unknown) = bedrock_in_use(facts, &found, region) {
            gaps.add(&["bedrock_use"], &[SubjectKind::BedrockRegion], Some(region), &unknown);
        }
        if let Err(unknown) = mantle_in_use(facts, &found, region) {
            gaps.add(&["mantle_use"], &[SubjectKind::Mantle], Some(region), &unknown);
        }
        if let Err(unknown) = found.listing(facts, "cloudtrail:DescribeTrails", region) {
            gaps.add(&["trail"], &[], Some(region), &unknown);
        }
    }
    gaps
}

/// What a list that failed, or was cut short, leaves open.
fn listed(gaps: &mut Gaps, discovery: &Discovery, facts: &AccountFacts, found: &Found<'_>, region: &Region) {
    let unknown = match found.listings.get(&(discovery.call, Some(region))).map(|l| (&l.count, l.capped)) {
        Some((Err(unknown), _)) if lacks(region, unknown) => return,
        Some((Err(unknown), _)) => unknown.clone(),
        Some((Ok(_), 0)) => return,
        Some((Ok(_), capped)) => Unknown::new(discovery.call, Why::Capped)
            .in_account(&facts.account)
            .in_region(region)
            .saying(format!("{capped} older ones were not described, see max_described_jobs")),
        // Data sources are only asked for where knowledge bases are.
        None if discovery.workload == WorkloadKind::DataSource => return,
        None => not_collected(discovery.call).in_account(&facts.account).in_region(region),
    };
    gaps.add(discovery.kinds, discovery.subjects, Some(region), &unknown);
    if names::sagemaker_group(discovery.workload, "").is_some() {
        gaps.add_kind("log_group", Some(Source::ServiceLogs), &[], Some(region), &unknown);
    }
}

/// What workloads hide that are listed and could not be described: the buckets and networks they use.
fn described(gaps: &mut Gaps, discovery: &Discovery, found: &Found<'_>, region: &Region) {
    let buckets: Vec<SubjectKind> =
        discovery.subjects.iter().copied().filter(|s| matches!(s, TrainingBucket | ArtifactBucket)).collect();
    for (_, _, workload) in found.workloads.iter().filter(|(at, _, w)| *at == region && w.kind == discovery.workload) {
        if let (Err(unknown), true) = (&workload.uses, discovery.kinds.contains(&"ai_bucket")) {
            gaps.add(&["ai_bucket"], &buckets, Some(region), unknown);
            if workload.kind == WorkloadKind::Endpoint {
                gaps.add_carriers(Source::InferenceCapture, Some(region), unknown);
            }
        }
        for used in workload.uses.iter().flatten() {
            if location::parse(&used.location).is_some() || location::is_elsewhere(&used.location) {
                continue;
            }
            let subjects: &[SubjectKind] = match used.role {
                S3Role::Training => &[TrainingBucket],
                S3Role::Artifact => &[ArtifactBucket],
                // What data capture is sent to, the endpoint itself says.
                S3Role::Capture => continue,
                S3Role::AppData => &[],
            };
            let unknown = Unknown::new(discovery.call, Why::Undecidable)
                .in_account(&gaps.account)
                .in_region(region)
                .saying(format!("{} is in no bucket that can be followed", used.field));
            gaps.add(&["ai_bucket"], subjects, Some(region), &unknown);
        }
        if let (Err(unknown), true) = (&workload.placement, discovery.kinds.contains(&"ai_vpc")) {
            gaps.add(&["ai_vpc"], &[Network], Some(region), unknown);
        }
    }
}

/// Open populations of one account, as they are found.
#[derive(Debug)]
pub(crate) struct Gaps {
    account: AccountId,
    open: Vec<Open>,
}

impl Gaps {
    /// Opens kinds, and what evidence of them would land in.
    pub(crate) fn add(
        &mut self,
        kinds: &[&'static str],
        subjects: &[SubjectKind],
        region: Option<&Region>,
        unknown: &Unknown,
    ) {
        for kind in kinds {
            self.add_kind(kind, None, subjects, region, unknown);
            let source = match *kind {
                "trail" => Source::ApiActivity,
                "endpoint" => Source::InferenceCapture,
                "ai_bucket" => Source::ObjectAccess,
                "ai_vpc" => Source::NetworkFlows,
                _ => continue,
            };
            self.add_carriers(source, region, unknown);
        }
    }

    /// Opens the buckets and log groups that hold a source.
    pub(crate) fn add_carriers(&mut self, source: Source, region: Option<&Region>, unknown: &Unknown) {
        for kind in ["evidence_bucket", "log_group"] {
            self.add_kind(kind, Some(source), &[], region, unknown);
        }
    }

    fn add_kind(
        &mut self,
        kind: &'static str,
        source: Option<Source>,
        subjects: &[SubjectKind],
        region: Option<&Region>,
        unknown: &Unknown,
    ) {
        let (account, region) = (self.account.clone(), region.cloned());
        self.open.push(Open { kind, source, subjects: subjects.to_vec(), account, region, unknown: unknown.clone() });
    }

    /// Sorted, each once.
    pub(crate) fn into_open(mut self) -> Vec<Open> {
        let key = |o: &Open| (o.kind, o.source, o.region.clone(), o.unknown.clone(), o.subjects.clone());
        self.open.sort_by_cached_key(key);
        self.open.dedup();
        self.open
    }
}
