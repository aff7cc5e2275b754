//! How long a sweep with this journal has to take at least, and why: the largest of three terms.
//!
//! *Depth*: the longest chain of calls that had to follow one another, times the latency. A page follows the page that
//! gave its token; a description follows the first page of the list that named it; everything asked in an account
//! follows the AssumeRole that entered it, which follows the first page of the accounts; what is asked of regions
//! follows DescribeRegions. Calls made again after a failure count once. *Rates*: calls in one bucket, less its burst,
//! by its rate; those refused count, for the caller chose to make them. *CPU*: all calls by what one costs the caller,
//! over its cores.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
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
    // Most of what is searched for is training jobs.
    ("sagemaker:Search", "sagemaker:ListTrainingJobs"),
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

/// All calls of one operation in one account and region.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Group<'a> {
    account: &'a str,
    region: &'a str,
    /// `service:Operation`
    call: &'a str,
}

/// A journal, as far as calls follow one another.
#[derive(Default)]
struct Calls<'a> {
    /// Most pages of one list among the calls.
    pages: HashMap<Group<'a>, u32>,
    /// By account and operation, one of the groups.
    anywhere: HashMap<(&'a str, &'a str), Group<'a>>,
    /// By account, the AssumeRole that entered it first.
    entered: HashMap<&'a str, Group<'a>>,
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

/// The longest chain, from its first call to its last, with the pages of each, and the account it is in.
fn longest(entries: &[Entry]) -> (Vec<(String, u32)>, String) {
    let names: HashMap<(&str, &str), String> = entries
        .iter()
        .map(|entry| (entry.service.as_str(), entry.operation.as_str()))
        .collect::<HashSet<_>>()
        .into_iter()
        .map(|(service, operation)| ((service, operation), format!("{service}:{operation}")))
        .collect();
    let calls = Calls::of(entries, &names);
    let depth = |group: &Group<'_>| calls.chain(*group).iter().map(|(_, pages)| pages).sum::<u32>();
    let deepest = calls.pages.keys().max_by_key(|group| (depth(group), Reverse(**group)));
    let Some(group) = deepest else { return Default::default() };
    let chain = calls.chain(*group).into_iter().map(|(group, pages)| (group.call.to_owned(), pages)).collect();
    (chain, group.account.to_owned())
}

impl<'a> Calls<'a> {
    fn of(entries: &'a [Entry], names: &'a HashMap<(&str, &str), String>) -> Self {
        let mut calls = Self::default();
        let mut lists: HashMap<(Group<'a>, &str), HashSet<&str>> = HashMap::new();
        for entry in entries {
            let Some(call) = names.get(&(entry.service.as_str(), entry.operation.as_str())) else { continue };
            let group = Group { account: &entry.account, region: &entry.region, call };
            if let Some(account) = &entry.enters {
                calls.entered.entry(account).or_insert(group);
            }
            let first = calls.anywhere.entry((group.account, group.call)).or_insert(group);
            *first = (*first).min(group);
            lists.entry((group, &entry.resource)).or_default().insert(&entry.page);
        }
        for ((group, _), tokens) in lists {
            let pages = calls.pages.entry(group).or_default();
            *pages = (*pages).max(u32::try_from(tokens.len()).unwrap_or(u32::MAX));
        }
        calls
    }

    /// What had to come before the last of the calls, and they themselves. Of what comes before, one page is enough.
    fn chain(&self, last: Group<'a>) -> Vec<(Group<'a>, u32)> {
        let mut chain = vec![(last, self.pages.get(&last).copied().unwrap_or(0))];
        let mut before = self.parent(last);
        while let Some(group) = before {
            chain.push((group, 1));
            before = self.parent(group);
        }
        chain.reverse();
        chain
    }

    /// The call that had to be answered before one of these could be made, if the journal has it.
    fn parent(&self, group: Group<'a>) -> Option<Group<'a>> {
        let anywhere = |call: &'static str| self.anywhere.get(&(group.account, call)).copied();
        if let Some((_, list)) = FOLLOWS.iter().find(|(follows, _)| *follows == group.call) {
            let there = Group { call: list, ..group };
            return if self.pages.contains_key(&there) { Some(there) } else { anywhere(list) };
        }
        match group.call {
            "sts:GetCallerIdentity" | "organizations:DescribeOrganization" | "organizations:ListRoots" => None,
            "organizations:ListAccounts" => None,
            "sts:AssumeRole" => anywhere("organizations:ListAccounts"),
            "ec2:DescribeRegions" => self.entered.get(group.account).copied(),
            _ => anywhere("ec2:DescribeRegions").or_else(|| self.entered.get(group.account).copied()),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::published;

    fn entry(account: &str, call: &str, page: &str, enters: Option<&str>) -> Entry {
        let (service, operation) = call.split_once(':').unwrap();
        Entry {
            service: service.to_owned(),
            operation: operation.to_owned(),
            account: account.to_owned(),
            region: "us-east-1".to_owned(),
            page: page.to_owned(),
            enters: enters.map(str::to_owned),
            ..Entry::default()
        }
    }

    #[test]
    fn the_largest_term_binds() {
        let mut entries = vec![
            entry("1", "organizations:ListAccounts", "", None),
            entry("1", "sts:AssumeRole", "", Some("2")),
            entry("2", "ec2:DescribeRegions", "", None),
            entry("2", "sagemaker:ListEndpoints", "", None),
            entry("2", "sagemaker:ListEndpoints", "a", None),
            entry("2", "sagemaker:DescribeEndpoint", "", None),
            // The same again, after a failure.
            entry("2", "sagemaker:DescribeEndpoint", "", None),
        ];
        let terms = Terms {
            latency: Duration::from_millis(100),
            limits: published(),
            cpu_per_call: Duration::from_millis(1),
            cores: 2,
        };
        let bound = Bound::of(&entries, &terms);
        assert_eq!((bound.binds, bound.depth), ("depth", 5));
        assert_eq!(bound.chain.last().map(String::as_str), Some("in 2"));
        entries.extend((0..22).map(|_| entry("2", "cloudtrail:LookupEvents", "", None)));
        let bound = Bound::of(&entries, &terms);
        assert_eq!((bound.binds, bound.seconds), ("rates", 10.0));
    }
}
