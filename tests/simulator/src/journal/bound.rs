//! How long a sweep with this journal has to take at least, and why: the largest of three terms.
//!
//! *Depth*: the longest chain of calls that had to follow one another, times the latency. A page follows the page that
//! gave its token; a description follows the first page of the list that named it; everything asked in an account
//! follows the AssumeRole that entered it, which follows the first page of the accounts; what is asked of regions
//! follows DescribeRegions. Calls made again after a failure count once. *Rates*: calls in one bucket, less its burst,
//! by its rate; those refused count, for the caller chose to make them. *CPU*: all calls by what one costs the caller,
//! over its cores.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Entry, Journal};
use crate::limits::{Limit, rate};

/// What the machinery around a journal was.
#[derive(Clone, Debug)]
pub struct Terms {
    pub latency: Duration,
    pub limits: Vec<Limit>,
    /// What a call costs its caller at least, as measured with a bare client.
    pub cpu_per_call: Duration,
    pub cores: u32,
}

/// A lower bound of wall time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bound {
    pub seconds: f64,
    /// `depth`, `rates` or `cpu`.
    pub binds: &'static str,
    pub calls: u64,
    /// Calls in the longest chain, the chain itself, and the account it is in.
    pub depth: u32,
    pub chain: Vec<String>,
    pub depth_seconds: f64,
    /// The fullest bucket, as account, region and operation.
    pub bucket: String,
    pub bucket_calls: u64,
    pub rate_seconds: f64,
    pub cpu_seconds: f64,
    /// From first arrival to last answer, for comparison.
    pub taken_seconds: f64,
}

/// The call whose answer names what a call asks about. Calls of the same account and region come first, then those
/// of the account.
const FOLLOWS: &[(&str, &str)] = &[
    ("sagemaker:DescribeEndpoint", "sagemaker:ListEndpoints"),
    ("sagemaker:DescribeEndpointConfig", "sagemaker:DescribeEndpoint"),
    ("sagemaker:DescribeModel", "sagemaker:ListModels"),
    ("sagemaker:DescribeTrainingJob", "sagemaker:ListTrainingJobs"),
    ("sagemaker:DescribeProcessingJob", "sagemaker:ListProcessingJobs"),
    ("sagemaker:DescribeTransformJob", "sagemaker:ListTransformJobs"),
    ("sagemaker:DescribeHyperParameterTuningJob", "sagemaker:ListHyperParameterTuningJobs"),
    ("sagemaker:DescribeAutoMLJobV2", "sagemaker:ListAutoMLJobs"),
    ("sagemaker:DescribeNotebookInstance", "sagemaker:ListNotebookInstances"),
    ("sagemaker:DescribeDomain", "sagemaker:ListDomains"),
    ("sagemaker:DescribeFeatureGroup", "sagemaker:ListFeatureGroups"),
    ("bedrock:GetModelCustomizationJob", "bedrock:ListModelCustomizationJobs"),
    ("bedrock:GetImportedModel", "bedrock:ListImportedModels"),
    ("bedrock:GetEvaluationJob", "bedrock:ListEvaluationJobs"),
    ("bedrock-agent:GetKnowledgeBase", "bedrock-agent:ListKnowledgeBases"),
    ("bedrock-agent:ListDataSources", "bedrock-agent:ListKnowledgeBases"),
    ("bedrock-agent:GetDataSource", "bedrock-agent:ListDataSources"),
    ("bedrock-agent:GetFlow", "bedrock-agent:ListFlows"),
    ("cloudtrail:GetTrailStatus", "cloudtrail:DescribeTrails"),
    ("cloudtrail:GetEventSelectors", "cloudtrail:DescribeTrails"),
    ("organizations:ListOrganizationalUnitsForParent", "organizations:ListRoots"),
    ("organizations:ListAccountsForParent", "organizations:ListRoots"),
];

/// A list, as far as its pages follow one another.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Asked {
    account: String,
    region: String,
    call: String,
    resource: String,
}

/// What is known of the calls of one kind in one account and region.
#[derive(Default)]
struct Group {
    /// Most pages of one list.
    pages: u32,
}

impl Journal {
    /// How long a sweep with these requests had to take at least.
    pub fn bound(&self, terms: &Terms) -> Bound {
        bound(&self.entries(), terms)
    }
}

impl Bound {
    /// The bound of a journal that was written.
    pub fn of(entries: &[Entry], terms: &Terms) -> Self {
        bound(entries, terms)
    }
}

fn bound(entries: &[Entry], terms: &Terms) -> Bound {
    let (chain, account) = longest(entries);
    let depth = chain.iter().map(|(_, pages)| pages).sum();
    let (bucket, bucket_calls, rate_seconds) = fullest(entries, &terms.limits);
    let calls = entries.len() as u64;
    let depth_seconds = f64::from(depth) * terms.latency.as_secs_f64();
    let cpu_seconds = calls as f64 * terms.cpu_per_call.as_secs_f64() / f64::from(terms.cores.max(1));
    let (mut seconds, mut binds) = (depth_seconds, "depth");
    for (term, name) in [(rate_seconds, "rates"), (cpu_seconds, "cpu")] {
        if term > seconds {
            (seconds, binds) = (term, name);
        }
    }
    let first = entries.iter().map(|entry| entry.arrived).min().unwrap_or(0);
    let last = entries.iter().map(|entry| entry.answered).max().unwrap_or(0);
    let mut words: Vec<String> =
        chain.into_iter().map(|(call, pages)| if pages > 1 { format!("{call} x {pages}") } else { call }).collect();
    words.push(format!("in {account}"));
    Bound {
        seconds,
        binds,
        calls,
        depth,
        chain: words,
        depth_seconds,
        bucket,
        bucket_calls,
        rate_seconds,
        cpu_seconds,
        taken_seconds: Duration::from_micros(last - first).as_secs_f64(),
    }
}

type Groups = HashMap<(String, String, String), Group>;

/// The longest chain, from its first call to its last, with the pages of each, and the account it is in.
fn longest(entries: &[Entry]) -> (Vec<(String, u32)>, String) {
    let mut pages: HashMap<Asked, std::collections::HashSet<&str>> = HashMap::new();
    let mut entered: HashMap<&str, (&str, &str)> = HashMap::new();
    for entry in entries {
        if let Some(account) = &entry.enters {
            entered.entry(account).or_insert((&entry.account, &entry.region));
        }
        let asked = Asked {
            account: entry.account.clone(),
            region: entry.region.clone(),
            call: format!("{}:{}", entry.service, entry.operation),
            resource: entry.resource.clone(),
        };
        pages.entry(asked).or_default().insert(&entry.page);
    }
    let mut groups = Groups::new();
    for (asked, tokens) in pages {
        let group = groups.entry((asked.account, asked.region, asked.call)).or_default();
        group.pages = group.pages.max(tokens.len() as u32);
    }
    let of = |key: &(String, String, String)| {
        let mut chain = vec![(key.2.clone(), groups[key].pages)];
        let mut before = parent(key, &groups, &entered);
        while let Some(key) = before {
            chain.push((key.2.clone(), 1));
            before = parent(&key, &groups, &entered);
        }
        chain.reverse();
        chain
    };
    let depth = |chain: &Vec<(String, u32)>| chain.iter().map(|(_, pages)| pages).sum::<u32>();
    let chains = groups.keys().map(|key| (of(key), key.0.clone()));
    chains.max_by_key(|(chain, account)| (depth(chain), std::cmp::Reverse(account.clone()))).unwrap_or_default()
}

/// The call that had to be answered before one of these could be made, if the journal has it.
fn parent(
    (account, region, call): &(String, String, String),
    groups: &Groups,
    entered: &HashMap<&str, (&str, &str)>,
) -> Option<(String, String, String)> {
    let there = |account: &str, region: &str, call: &str| {
        let key = (account.to_owned(), region.to_owned(), call.to_owned());
        groups.contains_key(&key).then_some(key)
    };
    let anywhere = |account: &str, wanted: &str| {
        groups.keys().filter(|(of, _, call)| of == account && call == wanted).min().cloned()
    };
    if let Some((_, list)) = FOLLOWS.iter().find(|(follows, _)| follows == call) {
        return there(account, region, list).or_else(|| anywhere(account, list));
    }
    match call.as_str() {
        "sts:GetCallerIdentity" => None,
        "organizations:DescribeOrganization" | "organizations:ListRoots" | "organizations:ListAccounts" => None,
        "sts:AssumeRole" => anywhere(account, "organizations:ListAccounts"),
        "ec2:DescribeRegions" => enter(account, entered, groups),
        _ => anywhere(account, "ec2:DescribeRegions").or_else(|| enter(account, entered, groups)),
    }
}

fn enter(account: &str, entered: &HashMap<&str, (&str, &str)>, groups: &Groups) -> Option<(String, String, String)> {
    let (from, region) = entered.get(account)?;
    let key = ((*from).to_owned(), (*region).to_owned(), "sts:AssumeRole".to_owned());
    groups.contains_key(&key).then_some(key)
}

/// The bucket that takes longest, the calls in it, and the seconds they take.
fn fullest(entries: &[Entry], limits: &[Limit]) -> (String, u64, f64) {
    let mut buckets: HashMap<(&str, &str, &str, &str), u64> = HashMap::new();
    for entry in entries {
        let region = if entry.service == "organizations" { "" } else { &entry.region };
        *buckets.entry((&entry.account, region, &entry.service, &entry.operation)).or_default() += 1;
    }
    let mut fullest = (String::new(), 0, 0.0);
    for ((account, region, service, operation), calls) in buckets {
        let Some(rate) = rate(limits, service, operation) else { continue };
        let seconds = (calls as f64 - rate.burst).max(0.0) / rate.per_second;
        if seconds > fullest.2 {
            fullest = (format!("{account} {region} {service}:{operation}"), calls, seconds);
        }
    }
    fullest
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "lower bound  {:8.2} s, by {}", self.seconds, self.binds)?;
        writeln!(f, "  depth      {:8.2} s  {} calls: {}", self.depth_seconds, self.depth, self.chain.join(" > "))?;
        writeln!(f, "  rates      {:8.2} s  {} calls: {}", self.rate_seconds, self.bucket_calls, self.bucket)?;
        writeln!(f, "  cpu        {:8.2} s  {} calls", self.cpu_seconds, self.calls)?;
        write!(f, "taken        {:8.2} s", self.taken_seconds)
    }
}
