//! All checks on all that one account contributes.
//!
//! Accounts are independent of each other: callers judge them in parallel, in any order.

use std::collections::{BTreeMap, BTreeSet};

use super::expr::{Env, Root, requirements_value};
use super::judge::{self, Judgement};
use super::spec::{Check, CheckSet};
use crate::config::Requirements;
use crate::finding::{Evidence, Finding, Source, Status, finding_id};
use crate::model::ids::{AccountId, Partition, Region, ResourceId};
use crate::model::observed::Unknown;
use crate::model::value::Value;
use crate::relate::subject::{AccountGraph, Open, Resource};

/// What an account came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// Sorted by region, check and resource; none of them not applicable.
    pub findings: Vec<Finding>,
    /// How many resources each check did not apply to.
    pub not_applicable: BTreeMap<String, u64>,
}

/// Judges every resource of the account by every check on its kind. A population that could not be listed whole gives
/// each check on it one unknown finding.
pub fn evaluate(checks: &CheckSet, graph: &AccountGraph, requirements: &Requirements, partition: &Partition) -> Judged {
    let requirements = requirements_value(requirements);
    let mut by_kind: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
    for check in &checks.checks {
        by_kind.entry(check.kind.name).or_default().push(check);
    }
    let mut judged = Judged::default();
    for resource in &graph.resources {
        let env = Env { resource: &resource.value, account: &graph.view, requirements: &requirements };
        for check in by_kind.get(resource.kind).into_iter().flatten() {
            if check.kind.carrier && resource.source != Some(check.source) {
                continue;
            }
            let judgement = judge::judge(check, &env);
            if judgement.status == Status::NotApplicable {
                *judged.not_applicable.entry(check.id.clone()).or_default() += 1;
                continue;
            }
            judged.findings.push(found(check, resource, &env, judgement, partition));
        }
    }
    for (place, unknown) in fold(&graph.open) {
        let checks = by_kind.get(place.kind).into_iter().flatten();
        for check in checks.filter(|check| !check.kind.carrier || place.source == Some(check.source)) {
            judged.findings.push(open(check, &place, &unknown, partition));
        }
    }
    judged.findings.sort_by(|a, b| (&a.region, &a.check, &a.resource).cmp(&(&b.region, &b.check, &b.resource)));
    judged
}

fn found(check: &Check, resource: &Resource, env: &Env<'_>, judgement: Judgement, partition: &Partition) -> Finding {
    let mut evidence = resource.evidence.clone();
    if let Some(first) = evidence.first_mut() {
        first.facts.extend(facts(&check.looked_at, env));
    }
    let place = Place {
        kind: resource.kind,
        source: resource.source,
        account: &resource.account,
        region: resource.region.as_ref(),
    };
    Finding {
        counts_for: resource.counts_for.clone(),
        ai_path: resource.ai_path.clone(),
        ai_path_total: resource.ai_path_total,
        ..finding(check, &place, resource.id.clone(), judgement, evidence, partition)
    }
}

/// Where findings stand.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place<'g> {
    kind: &'static str,
    source: Option<Source>,
    account: &'g AccountId,
    region: Option<&'g Region>,
}

/// Open populations of one kind, account and region are one, with every cause.
fn fold(open: &[Open]) -> BTreeMap<Place<'_>, Vec<Unknown>> {
    let mut folded: BTreeMap<Place<'_>, Vec<Unknown>> = BTreeMap::new();
    for open in open {
        let Open { kind, source, account, region, .. } = open;
        let place = Place { kind, source: *source, account, region: region.as_ref() };
        let unknown = folded.entry(place).or_default();
        if !unknown.contains(&open.unknown) {
            unknown.push(open.unknown.clone());
        }
    }
    folded
}

fn open(check: &Check, place: &Place<'_>, unknown: &[Unknown], partition: &Partition) -> Finding {
    let id = match place.region {
        Some(region) => format!("{}:{}:{region}", place.kind, place.account),
        None => format!("{}:{}", place.kind, place.account),
    };
    let kind = place.kind.replace('_', " ");
    let reason = format!("Not every {kind} to judge could be found: {}.", judge::causes(unknown));
    let judgement = judge::undecided(check, unknown, reason);
    finding(check, place, ResourceId(id), judgement, Vec::new(), partition)
}

fn finding(
    check: &Check,
    place: &Place<'_>,
    resource: ResourceId,
    judgement: Judgement,
    evidence: Vec<Evidence>,
    partition: &Partition,
) -> Finding {
    Finding {
        id: finding_id(partition, &check.id, place.account, place.region, &resource),
        check: check.id.clone(),
        severity: check.severity,
        source: check.source,
        dimension: check.dimension,
        status: judgement.status,
        account: place.account.clone(),
        region: place.region.cloned(),
        resource,
        resource_kind: place.kind.to_owned(),
        counts_for: vec![place.account.clone()],
        points: judgement.points,
        criteria: judgement.criteria,
        reason: judgement.reason,
        evidence,
        ai_path: Vec::new(),
        ai_path_total: 0,
        exception: None,
    }
}

/// The fields looked at and what they held. A path that ends early, at a null or an unknown, is told up to there; a
/// record is told by its fields if those were looked at too. Thresholds are no facts.
fn facts(paths: &BTreeSet<(Root, Vec<&'static str>)>, env: &Env<'_>) -> BTreeMap<String, serde_json::Value> {
    let mut facts = BTreeMap::new();
    for (root, path) in paths.iter().filter(|(root, path)| *root != Root::Requirements && !path.is_empty()) {
        let (mut value, mut walked) = (env.root(*root), 0);
        for step in path {
            let Value::Record(fields) = value else { break };
            let Some(next) = fields.get(*step) else { break };
            (value, walked) = (next, walked + 1);
        }
        let told_below = || paths.iter().any(|(r, p)| r == root && p.len() > path.len() && p.starts_with(path));
        if walked == 0 || matches!(value, Value::Record(_)) && told_below() {
            continue;
        }
        let prefix = if *root == Root::Account { "account." } else { "" };
        facts.insert(format!("{prefix}{}", path[..walked].join(".")), value.to_json());
    }
    facts
}
