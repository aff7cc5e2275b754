//! Which AI an account is known to run, and what stays open when a list could not be read.

use std::collections::BTreeMap;

use crate::inventory::bedrock::BedrockRegion;
use crate::inventory::workload::{Workload, WorkloadKind};
use crate::inventory::{AccountFacts, Fact, Listing, not_collected};
use crate::model::ids::Region;
use crate::model::observed::{Observed, Told, Unknown, Why};

use super::index::shows_bedrock_use;
use super::kleene;
use super::subject::{Open, SubjectKind};

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
        kinds: &["endpoint", "ai_bucket"],
        subjects: &[Endpoint],
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
const ALL_KINDS: &[&str] = &["account_region", "bedrock_region", "endpoint", "notebook", "ai_bucket", "ai_vpc"];
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
    fn listing(&self, facts: &AccountFacts, call: &str, region: &Region) -> Told<u64> {
        match self.listings.get(&(call, Some(region))) {
            Some(listing) => listing.count.clone(),
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
    for discovery in DISCOVERIES.iter().filter(|d| shows_bedrock_use(d.workload)) {
        signs.push(found.listing(facts, discovery.call, region).map(|count| count > 0));
    }
    kleene::any(signs)
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
pub(crate) fn open(facts: &AccountFacts) -> Vec<Open> {
    let account = &facts.account;
    let whole = |unknown: Unknown| {
        ALL_KINDS
            .iter()
            .map(|kind| Open {
                kind,
                subjects: ALL_SUBJECTS.to_vec(),
                account: account.clone(),
                region: None,
                unknown: unknown.clone(),
            })
            .collect()
    };
    // An account that was not entered opens no populations: as a whole it scores 0 to 100, and coverage counts it.
    let Ok(entry) = facts.entry() else { return Vec::new() };
    if entry.session.is_err() || !entry.workloads {
        return Vec::new();
    }
    let mut open: Vec<Open> = Vec::new();
    if let Err(unknown) = &entry.enabled_regions {
        open.extend::<Vec<Open>>(whole(unknown.clone()));
    }
    let found = found(facts);
    for region in &found.regions {
        let mut add = |kinds: &[&'static str], subjects: &[SubjectKind], unknown: Unknown| {
            for kind in kinds {
                let (account, region) = (account.clone(), Some(region.clone()));
                open.push(Open { kind, subjects: subjects.to_vec(), account, region, unknown: unknown.clone() });
            }
        };
        for discovery in DISCOVERIES.iter().chain([&DATA_SOURCES]) {
            let listing = found.listings.get(&(discovery.call, Some(region)));
            match listing.map(|l| (&l.count, l.capped)) {
                Some((Err(unknown), _)) => add(discovery.kinds, discovery.subjects, unknown.clone()),
                Some((Ok(_), capped)) if capped > 0 => {
                    let unknown = Unknown::new(discovery.call, Why::Capped)
                        .in_account(account)
                        .in_region(region)
                        .saying(format!("{capped} older ones were not described"));
                    add(discovery.kinds, discovery.subjects, unknown);
                }
                Some(_) => {}
                // Data sources are only asked for where knowledge bases are.
                None if discovery.workload == WorkloadKind::DataSource => {}
                None => {
                    let unknown = not_collected(discovery.call).in_account(account).in_region(region);
                    add(discovery.kinds, discovery.subjects, unknown);
                }
            }
            // A workload that is listed and cannot be described hides the buckets and networks it uses.
            let undescribed = found.workloads.iter().filter(|(at, _, w)| *at == region && w.kind == discovery.workload);
            for (_, _, workload) in undescribed {
                let hidden = |kind: &str| discovery.kinds.iter().copied().find(|k| *k == kind);
                let subjects: Vec<SubjectKind> =
                    discovery.subjects.iter().copied().filter(|s| *s != Endpoint).collect();
                let (networks, buckets): (Vec<SubjectKind>, Vec<SubjectKind>) =
                    subjects.into_iter().partition(|s| *s == Network);
                if let (Err(unknown), Some(kind)) = (&workload.uses, hidden("ai_bucket")) {
                    add(&[kind], &buckets, unknown.clone());
                }
                if let (Err(unknown), Some(kind)) = (&workload.placement, hidden("ai_vpc")) {
                    add(&[kind], &networks, unknown.clone());
                }
            }
        }
        if let Err(unknown) = bedrock_in_use(facts, &found, region) {
            add(&["bedrock_use"], &[SubjectKind::BedrockRegion], unknown);
        }
        if let Err(unknown) = mantle_in_use(facts, &found, region) {
            add(&["mantle_use"], &[SubjectKind::Mantle], unknown);
        }
        if let Err(unknown) = found.listing(facts, "cloudtrail:DescribeTrails", region) {
            add(&["trail"], &[], unknown);
        }
    }
    open.sort_by(|a, b| (a.kind, &a.region, &a.unknown).cmp(&(b.kind, &b.region, &b.unknown)));
    open.dedup();
    open
}
