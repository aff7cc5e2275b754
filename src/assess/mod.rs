//! Judges a snapshot: facts to graph to findings to scores, put together as [`Results`].
//!
//! Pure, and the same bytes for the same snapshot, checks, configuration and version. It streams account by account;
//! only the index of `relate`, the findings and the subjects span the organization.

mod coverage;
mod exceptions;

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::check::{CheckSet, evaluate};
use crate::config::Config;
use crate::finding::{Finding, Status, Truth};
use crate::gate;
use crate::inventory::AccountFacts;
use crate::inventory::organizations::{Account, AccountEntry, Organization};
use crate::inventory::snapshot::Manifest;
use crate::model::ids::{AccountId, Arn, Partition};
use crate::model::observed::{Observed, Told, Unknown};
use crate::model::time::Timestamp;
use crate::relate::graph;
use crate::relate::shared::Shared;
use crate::relate::subject::AccountGraph;
use crate::results::{
    AccountResult, AccountStatus, CheckInfo, ConfigView, Coverage, OpenPopulation, QuestionInfo, RegionCoverage,
    Results, Run, SCHEMA_VERSION, ScenarioInfo,
};
use crate::score::scenarios::Scenario;
use crate::score::{self, AccountInput, AccountScore};

/// What a snapshot is judged with.
pub struct Input<'a> {
    pub manifest: &'a Manifest,
    /// SHA-256 of the manifest.
    pub manifest_digest: &'a str,
    pub organization: &'a Organization,
    pub config: &'a Config,
    pub checks: &'a CheckSet,
    pub scenarios: &'a [Scenario],
    /// SHA-256 over checks and scenarios.
    pub ruleset_digest: &'a str,
    /// Only some of the checks run.
    pub selected_checks: bool,
    /// When exceptions are looked at; the start of collection unless told otherwise.
    pub as_of: Timestamp,
}

/// Judges the facts that `load` gives for each account of the snapshot; fails only where `load` does.
pub fn assess<E: Send>(
    input: &Input<'_>,
    accounts: &[AccountId],
    load: impl Fn(&AccountId) -> Result<AccountFacts, E> + Sync,
) -> Result<Results, E> {
    let partition = partition(input.manifest);
    let shared = Shared::build(input.organization, partition.clone(), input.manifest.as_of, accounts, &load)?;
    let mut judged: Vec<Judged> = accounts
        .par_iter()
        .map(|account| Ok(judge(input, &shared, &partition, &load(account)?)))
        .collect::<Result<_, E>>()?;

    let mut findings: Vec<Finding> = judged.iter_mut().flat_map(|j| std::mem::take(&mut j.findings)).collect();
    findings.sort_by(|a, b| {
        (&a.account, &a.region, &a.check, &a.resource).cmp(&(&b.account, &b.region, &b.check, &b.resource))
    });
    let mut not_applicable: BTreeMap<String, u64> = BTreeMap::new();
    for (check, count) in judged.iter().flat_map(|j| &j.not_applicable) {
        *not_applicable.entry(check.clone()).or_insert(0) += count;
    }
    let mut failures = coverage::Failures::default();
    for judged in &mut judged {
        failures.merge(std::mem::take(&mut judged.failures));
    }
    if let Some(caller) = Arn::parse(&input.manifest.plan.caller) {
        failures.add_organization(input.organization, &AccountId::from(caller.account));
    }
    let exceptions = exceptions::apply(&input.config.exceptions, &mut findings, input.as_of);

    let entries: BTreeMap<&AccountId, &Judged> = judged.iter().map(|j| (&j.graph.account, j)).collect();
    let unentered: Vec<(AccountId, Unknown)> = input
        .organization
        .accounts
        .iter()
        .filter(|account| account.selected && is_active(account))
        .filter_map(|account| session(&entries, account).err().map(|unknown| (account.id.clone(), unknown)))
        .collect();
    let scored_accounts: Vec<AccountInput<'_>> = judged
        .iter()
        .filter(|j| j.entry.as_ref().is_ok_and(|entry| entry.session.is_ok() && entry.workloads))
        .map(|j| AccountInput::from(&j.graph))
        .collect();
    let checks: Vec<CheckInfo> = input.checks.checks.iter().map(|check| check.info()).collect();
    let scored = score::score(score::Input {
        accounts: &scored_accounts,
        findings: &findings,
        checks: &checks,
        scenarios: input.scenarios,
        requirements: &input.config.requirements,
        excluded: &input.config.exclude_accounts,
        unentered: &unentered,
        as_of: input.as_of,
    });

    let account_results: Vec<AccountResult> = input
        .organization
        .accounts
        .iter()
        .map(|account| account_result(input, &entries, account, &failures, &findings, &scored.accounts))
        .collect();
    let regions: Vec<RegionCoverage> =
        judged.iter().filter_map(|j| coverage::regions(&j.graph.account, j.entry.as_ref().ok()?)).collect();
    let mut populations: Vec<OpenPopulation> = judged
        .iter()
        .flat_map(|j| &j.graph.open)
        .map(|open| OpenPopulation {
            kind: open.kind.to_owned(),
            source: open.source,
            account: open.account.clone(),
            region: open.region.clone(),
            unknown: open.unknown.clone(),
        })
        .collect();
    populations.sort_by(|a, b| {
        (&a.account, &a.region, &a.kind, a.source, &a.unknown)
            .cmp(&(&b.account, &b.region, &b.kind, b.source, &b.unknown))
    });
    let (denied, failed) = failures.split();
    Ok(Results {
        schema_version: SCHEMA_VERSION.to_owned(),
        run: run(input),
        config: config_view(input.config),
        score: scored.organization,
        accounts: account_results,
        checks,
        coverage: Coverage {
            share: gate::coverage(&findings, scored_accounts.len() as u64, unentered.len() as u64),
            denied,
            failed,
            regions,
            populations,
            not_looked_at: coverage::NOT_LOOKED_AT.iter().map(|s| (*s).to_owned()).collect(),
        },
        findings,
        not_applicable,
        scenarios: input.scenarios.iter().map(scenario_info).collect(),
        questions: scored.questions,
        sources: scored.sources,
        exceptions,
        fixes: scored.fixes,
        gate: None,
    })
}

/// One account, judged.
struct Judged {
    graph: AccountGraph,
    entry: Told<AccountEntry>,
    findings: Vec<Finding>,
    not_applicable: BTreeMap<String, u64>,
    failures: coverage::Failures,
}

fn judge(input: &Input<'_>, shared: &Shared, partition: &Partition, facts: &AccountFacts) -> Judged {
    let mut graph = graph::account(shared, facts);
    let evaluate::Judged { findings, not_applicable } =
        evaluate::evaluate(input.checks, &graph, &input.config.requirements, partition);
    // Findings hold what matters of them; a thousand accounts' resources need not stay in memory.
    graph.resources = Vec::new();
    let mut failures = coverage::Failures::default();
    failures.add(facts);
    Judged { graph, entry: facts.entry().cloned(), findings, not_applicable, failures }
}

fn partition(manifest: &Manifest) -> Partition {
    Arn::parse(&manifest.plan.caller).map_or_else(|| Partition::new("aws"), |arn| Partition::new(arn.partition))
}

fn is_active(account: &Account) -> bool {
    account.state.as_deref().is_none_or(|state| state == "ACTIVE")
}

fn session(entries: &BTreeMap<&AccountId, &Judged>, account: &Account) -> Told<()> {
    match entries.get(&account.id) {
        Some(judged) => judged.entry.clone()?.session.map(|_| ()),
        None => Err(Unknown::new("sts:AssumeRole", crate::model::observed::Why::NotCollected).in_account(&account.id)),
    }
}

fn account_result(
    input: &Input<'_>,
    entries: &BTreeMap<&AccountId, &Judged>,
    account: &Account,
    failures: &coverage::Failures,
    findings: &[Finding],
    scores: &BTreeMap<AccountId, AccountScore>,
) -> AccountResult {
    let judged = entries.get(&account.id);
    let (status, reason) = if !is_active(account) {
        let state = account.state.as_deref().unwrap_or("closed");
        (
            AccountStatus::NotAssessed,
            Some(format!("the account is {}, so it is not entered", state.to_lowercase().replace('_', " "))),
        )
    } else if !account.selected {
        (AccountStatus::NotAssessed, Some("left out by --account or --ou".to_owned()))
    } else if let Err(unknown) = session(entries, account) {
        (AccountStatus::NotAssessed, Some(not_entered(input, &unknown)))
    } else if failures.any_of(&account.id) {
        (AccountStatus::Partly, Some("some calls failed, see coverage".to_owned()))
    } else {
        (AccountStatus::Assessed, None)
    };
    let score = scores.get(&account.id);
    let excluded = input.config.exclude_accounts.get(&account.id);
    let mut tally: BTreeMap<Status, u64> = BTreeMap::new();
    for finding in findings.iter().filter(|f| f.account == account.id) {
        *tally.entry(finding.status).or_insert(0) += 1;
    }
    AccountResult {
        id: account.id.clone(),
        name: account.name.clone(),
        ou_path: account.ou_path.clone().ok(),
        status,
        reason: match (reason, excluded) {
            (Some(reason), Some(why)) => Some(format!("{reason}; excluded from the score: {why}")),
            (None, Some(why)) => Some(format!("excluded from the score: {why}")),
            (reason, None) => reason,
        },
        has_ai: match judged.map(|j| &j.graph.has_ai) {
            // Nothing runs in a closed account.
            _ if !is_active(account) => Truth::False,
            Some(Ok(true)) => Truth::True,
            Some(Ok(false)) => Truth::False,
            Some(Err(_)) | None => Truth::Unknown,
        },
        scored: score.is_some_and(|s| s.scored),
        score: score.and_then(|s| s.score),
        tiers: score.map_or_else(BTreeMap::new, |s| s.tiers.clone()),
        tally,
    }
}

fn not_entered(input: &Input<'_>, unknown: &Unknown) -> String {
    let role = &input.manifest.plan.role;
    let said = unknown.message.as_deref().map_or_else(String::new, |m| format!(" ({m})"));
    format!("role {role} could not be entered: {}{said}", unknown.why.word())
}

fn run(input: &Input<'_>) -> Run {
    let manifest = input.manifest;
    let organization = &input.organization.organization;
    let (mode, mode_reason) = match (organization, &input.organization.listed) {
        (Observed::Known(_), Ok(())) => ("organization", None),
        (Observed::Absent, _) => ("single_account", Some("the caller's account is in no organization".to_owned())),
        (Observed::Unknown(unknown), _) | (_, Err(unknown)) => ("single_account", Some(unknown.sentence())),
    };
    let mut partial_reasons = Vec::new();
    if manifest.plan.filtered() {
        partial_reasons.push("filtered by --account, --ou, --region or the configuration's regions".to_owned());
    }
    if !manifest.complete {
        partial_reasons.push("collection was interrupted before it was complete".to_owned());
    }
    if input.selected_checks {
        partial_reasons.push("only some checks were run".to_owned());
    }
    Run {
        id: manifest.run_id.clone(),
        as_of: input.as_of,
        started_at: manifest.as_of,
        finished_at: manifest.finished_at,
        locard_version: env!("CARGO_PKG_VERSION").to_owned(),
        ruleset_digest: input.ruleset_digest.to_owned(),
        snapshot_digest: input.manifest_digest.to_owned(),
        caller_arn: manifest.plan.caller.clone(),
        role: manifest.plan.role.clone(),
        mode: mode.to_owned(),
        mode_reason,
        organization_id: organization.known().map(|o| o.id.clone()),
        management_account: organization.known().map(|o| o.management_account.clone()),
        calls: manifest.calls.clone(),
        clock_skew_seconds: manifest.clock_skew_seconds,
        partial: !partial_reasons.is_empty(),
        partial_reasons,
        replaced_checks: input.checks.replaced.clone(),
    }
}

fn config_view(config: &Config) -> ConfigView {
    ConfigView {
        requirements: config.requirements.by_name(),
        excluded_accounts: config.exclude_accounts.clone(),
        regions: config.regions.clone(),
        declared_scope: config.gate.partial_scope.clone(),
    }
}

fn scenario_info(scenario: &Scenario) -> ScenarioInfo {
    ScenarioInfo {
        id: scenario.id.clone(),
        title: scenario.title.clone(),
        questions: scenario
            .questions
            .iter()
            .map(|q| QuestionInfo { id: q.id.clone(), text: q.text.clone(), must_have: q.must_have, plane: q.plane })
            .collect(),
    }
}
