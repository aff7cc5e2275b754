//! Judges a snapshot: facts to graph to findings to scores, put together as [`Results`].
//!
//! Pure, and the same bytes for the same snapshot, checks, configuration and version. Accounts are judged in parallel and
//! go to the output in order; only what they must know of each other, and what they bring to the score of the
//! organization, spans them.

mod coverage;
mod exceptions;
mod output;
mod shards;

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{CheckSet, evaluate};
use crate::config::Config;
use crate::finding::{Finding, Status, Truth};
use crate::gate;
use crate::inventory::AccountFacts;
use crate::inventory::organizations::{Account, AccountEntry, Organization};
use crate::inventory::snapshot::Manifest;
use crate::model::ids::{AccountId, Arn, Partition};
use crate::model::observed::{Observed, Told, Unknown, Why};
use crate::model::ordered::in_order;
use crate::model::time::Timestamp;
use crate::relate::graph;
use crate::relate::shared::Shared;
use crate::relate::subject::AccountGraph;
use crate::results::{
    AccountResult, AccountStatus, CheckInfo, ConfigView, Coverage, ExceptionResult, OpenPopulation, OrganizationScore,
    QuestionInfo, QuestionResult, Results, Run, SCHEMA_VERSION, ScenarioInfo, SourceResult,
};
use crate::score::scenarios::Scenario;
use crate::score::{self, AccountInput, AccountScore, Failing, Findings, Scoring, Stake};

pub use output::{Output, Portion};

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

/// Judges the facts that `load` gives for each account of the snapshot, all in memory; fails only where `load` does.
pub fn assess<E: Send>(
    input: &Input<'_>,
    accounts: &[AccountId],
    load: impl Fn(&AccountId) -> Result<AccountFacts, E> + Sync,
) -> Result<Results, E> {
    let mut collected = output::Collected::new();
    let results = stream(input, accounts, load, &mut collected)?;
    Ok(collected.into(results, input.organization.accounts.iter().map(|account| account.id.clone())))
}

/// Judges the facts that `load` gives for each account of the snapshot, whose ids are sorted. What portions hold goes to
/// the output account by account; the results returned hold the rest, those lists empty.
///
/// # Errors
/// Only where `load` or the output fails.
pub fn stream<O: Output + Send>(
    input: &Input<'_>,
    accounts: &[AccountId],
    load: impl Fn(&AccountId) -> Result<AccountFacts, O::Error> + Sync,
    output: &mut O,
) -> Result<Results, O::Error> {
    let checks: Vec<CheckInfo> = input.checks.checks.iter().map(|check| check.info()).collect();
    let config = input.config;
    let scoring = Scoring::new(&checks, input.scenarios, &config.requirements, &config.exclude_accounts, input.as_of);
    let partition = partition(input.manifest);
    let absent = |id: &AccountId| shards::absent(input.manifest, id);
    let mut shared =
        Shared::build(input.organization, partition.clone(), input.manifest.as_of, accounts, absent, &load)?;
    shared.ended = !input.manifest.complete;
    let mut judging = Judging {
        input,
        partition,
        shared,
        scoring: &scoring,
        listed: input.organization.accounts.iter().map(|account| (&account.id, account)).collect(),
        held: Findings::default(),
        elsewhere: BTreeMap::new(),
        caller: Arn::parse(&input.manifest.plan.caller).map(|arn| AccountId::from(arn.account)),
    };
    judging.holders(accounts, &load)?;

    let mut turns: BTreeSet<&AccountId> = accounts.iter().collect();
    turns.extend(judging.listed.keys());
    turns.extend(judging.elsewhere.keys());
    turns.extend(&judging.caller);
    let turns: Vec<&AccountId> = turns.into_iter().collect();
    let mut whole = Whole::new(input, &scoring);
    in_order(
        &turns,
        |id| {
            let known = accounts.binary_search(id).is_ok();
            let facts = if known { Some(load(id)?) } else { None };
            let (portion, share) = judging.turn(id, facts.as_ref());
            Ok((O::piece(portion), (*id).clone(), share))
        },
        |(piece, id, share)| {
            whole.add(&id, share);
            output.take(piece)
        },
    )?;
    Ok(whole.finish(checks.clone()))
}

/// What all accounts are judged with.
struct Judging<'a> {
    input: &'a Input<'a>,
    partition: Partition,
    shared: Shared,
    scoring: &'a Scoring<'a>,
    listed: BTreeMap<&'a AccountId, &'a Account>,
    /// Findings about what accounts hold for others.
    held: Findings,
    /// Findings by the account of the resource, where that is not the one in whose graph it stands.
    elsewhere: BTreeMap<AccountId, Vec<Finding>>,
    /// The account the organization was asked from.
    caller: Option<AccountId>,
}

/// Whether an account runs AI, and what it stands for where it counts.
type Entered = (Told<bool>, Option<(AccountScore, Stake)>);

/// What an account brings to the organization's numbers.
struct Share {
    /// Of an account whose workloads were collected.
    entered: Option<Entered>,
    /// An account that should have been entered and was not; the score where it counts.
    unentered: Option<Option<AccountScore>>,
    failing: Failing,
    criteria: gate::Criteria,
    not_applicable: BTreeMap<String, u64>,
    /// Findings that each exception matches.
    matches: Vec<u64>,
}

/// One account's graph, judged.
struct Judged {
    graph: AccountGraph,
    findings: Vec<Finding>,
    not_applicable: BTreeMap<String, u64>,
    matches: Vec<u64>,
}

impl Judging<'_> {
    /// Judges what holds or records evidence of several accounts, before anyone is scored by it.
    fn holders<E: Send>(
        &mut self,
        accounts: &[AccountId],
        load: &(impl Fn(&AccountId) -> Result<AccountFacts, E> + Sync),
    ) -> Result<(), E> {
        let hubs: Vec<AccountId> =
            self.shared.hubs().into_iter().filter(|id| accounts.binary_search(id).is_ok()).cloned().collect();
        let (mut held, mut elsewhere): (Findings, BTreeMap<AccountId, Vec<Finding>>) = Default::default();
        in_order(
            &hubs,
            |id| Ok((id, self.judge(graph::holders(&self.shared, &load(id)?)).findings)),
            |(id, findings)| {
                held.extend(&findings);
                for finding in findings.into_iter().filter(|finding| finding.account != *id) {
                    elsewhere.entry(finding.account.clone()).or_default().push(finding);
                }
                Ok(())
            },
        )?;
        (self.held, self.elsewhere) = (held, elsewhere);
        Ok(())
    }

    fn judge(&self, mut graph: AccountGraph) -> Judged {
        let config = self.input.config;
        let evaluate::Judged { mut findings, not_applicable } =
            evaluate::evaluate(self.input.checks, &graph, &config.requirements, &self.partition);
        // Findings hold what matters of them.
        graph.resources = Vec::new();
        let matches = exceptions::mark(&config.exceptions, &mut findings, self.input.as_of);
        Judged { graph, findings, not_applicable, matches }
    }

    /// One account: what it brings to the lists, and what to the numbers.
    fn turn(&self, id: &AccountId, facts: Option<&AccountFacts>) -> (Portion, Share) {
        let judged = facts.map(|facts| self.judge(graph::account(&self.shared, facts)));
        let entry: Told<&AccountEntry> = match facts {
            Some(facts) => facts.entry(),
            None => Err(shards::absent(self.input.manifest, id)),
        };
        let session = entry.as_ref().map_err(Unknown::clone).and_then(|e| e.session.as_ref().map_err(Unknown::clone));
        let account = self.listed.get(id).copied();

        let (mut findings, not_applicable, matches, graph) = match judged {
            Some(judged) => (judged.findings, judged.not_applicable, judged.matches, Some(judged.graph)),
            None => Default::default(),
        };
        let scored = self.scored(id, &entry, graph.as_ref(), &findings);
        let mut criteria = gate::Criteria::default();
        findings.iter().for_each(|finding| criteria.add(finding));
        let failing = Failing::of(&findings);
        self.stand_where_they_belong(id, &mut findings);

        let mut failures = coverage::Failures::default();
        if let Some(facts) = facts {
            failures.add(facts);
        }
        if self.caller.as_ref() == Some(id) {
            failures.add_organization(self.input.organization);
        }
        let missing = account.filter(|account| account.selected && is_active(account)).and(session.clone().err());
        let (unentered, asked) = match missing.map(|unknown| self.scoring.unentered(id, &unknown)) {
            Some(Some((score, questions))) => (Some(Some(score)), questions),
            Some(None) => (Some(None), Vec::new()),
            None => (None, Vec::new()),
        };
        let Scored { entered, questions, sources } = scored;
        let counted = entered.as_ref().and_then(|(_, counted)| counted.as_ref()).map(|(score, _)| score);
        let score = counted.or(unentered.as_ref().and_then(Option::as_ref));
        let result = account.map(|account| {
            let has_ai = graph.as_ref().map(|graph| &graph.has_ai);
            account_result(self.input, account, &session, has_ai, score, &failures, &findings)
        });
        let (denied, failed) = failures.split(id);
        let portion = Portion {
            account: id.clone(),
            result,
            findings,
            questions: questions.into_iter().chain(asked).collect(),
            sources,
            denied,
            failed,
            regions: entry.ok().and_then(|entry| coverage::regions(id, entry)),
            populations: graph.map(populations).unwrap_or_default(),
        };
        (portion, Share { entered, unentered, failing, criteria, not_applicable, matches })
    }

    /// Scores an account whose workloads were collected, by all findings of its graph.
    fn scored(
        &self,
        id: &AccountId,
        entry: &Told<&AccountEntry>,
        graph: Option<&AccountGraph>,
        findings: &[Finding],
    ) -> Scored {
        let mut scored = Scored::default();
        let collected = entry.as_ref().is_ok_and(|entry| entry.session.is_ok() && entry.workloads);
        let Some(graph) = graph.filter(|_| collected) else { return scored };
        let counted = self.scoring.counts(id, &graph.has_ai).then(|| {
            let answered = self.scoring.account(&AccountInput::from(graph), &Findings::of(findings), &self.held);
            (scored.questions, scored.sources) = (answered.questions, answered.sources);
            (answered.score, answered.stake)
        });
        scored.entered = Some((graph.has_ai.clone(), counted));
        scored
    }

    /// Leaves an account the findings about its own resources, in whosever graph they stand.
    fn stand_where_they_belong(&self, id: &AccountId, findings: &mut Vec<Finding>) {
        findings.retain(|finding| finding.account == *id);
        let Some(elsewhere) = self.elsewhere.get(id) else { return };
        findings.extend(elsewhere.iter().cloned());
        findings.sort_by(|a, b| (&a.region, &a.check, &a.resource).cmp(&(&b.region, &b.check, &b.resource)));
    }
}

/// What came of scoring one account.
#[derive(Default)]
struct Scored {
    entered: Option<Entered>,
    questions: Vec<QuestionResult>,
    sources: Vec<SourceResult>,
}

/// The organization's numbers, added up account by account.
struct Whole<'a> {
    input: &'a Input<'a>,
    organization: score::Organization<'a>,
    criteria: gate::Criteria,
    entered: u64,
    unentered: u64,
    not_applicable: BTreeMap<String, u64>,
    matches: Vec<u64>,
}

impl<'a> Whole<'a> {
    fn new(input: &'a Input<'a>, scoring: &'a Scoring<'a>) -> Self {
        Self {
            input,
            organization: score::Organization::new(scoring),
            criteria: gate::Criteria::default(),
            entered: 0,
            unentered: 0,
            not_applicable: BTreeMap::new(),
            matches: vec![0; input.config.exceptions.len()],
        }
    }

    fn add(&mut self, id: &AccountId, share: Share) {
        self.organization.fail(&share.failing);
        if let Some((has_ai, counted)) = share.entered {
            self.entered += 1;
            let (score, stake) = counted.unzip();
            self.organization.add(id, &has_ai, score.as_ref().zip(stake));
        }
        if let Some(score) = share.unentered {
            self.unentered += 1;
            if let Some(score) = score {
                self.organization.add_unentered(&score);
            }
        }
        self.criteria.merge(share.criteria);
        for (check, count) in share.not_applicable {
            *self.not_applicable.entry(check).or_insert(0) += count;
        }
        for (sum, count) in self.matches.iter_mut().zip(share.matches) {
            *sum += count;
        }
    }

    /// Everything but the lists that went to the output.
    fn finish(self, checks: Vec<CheckInfo>) -> Results {
        let input = self.input;
        let (score, fixes) = self.organization.finish();
        let exceptions: Vec<ExceptionResult> =
            exceptions::register(&input.config.exceptions, self.matches, input.as_of);
        Results {
            schema_version: SCHEMA_VERSION.to_owned(),
            run: run(input),
            config: config_view(input.config),
            // Of accounts that nobody listed nothing is known.
            score: OrganizationScore {
                nothing_to_assess: score.nothing_to_assess && broken_off(input.organization, input.manifest).is_none(),
                ..score
            },
            accounts: Vec::new(),
            checks,
            findings: Vec::new(),
            not_applicable: self.not_applicable,
            scenarios: input.scenarios.iter().map(scenario_info).collect(),
            questions: Vec::new(),
            sources: Vec::new(),
            exceptions,
            coverage: Coverage {
                share: self.criteria.share(self.entered, self.unentered),
                not_looked_at: coverage::NOT_LOOKED_AT.iter().map(|s| (*s).to_owned()).collect(),
                ..Coverage::default()
            },
            fixes,
            gate: None,
        }
    }
}

fn populations(graph: AccountGraph) -> Vec<OpenPopulation> {
    let open = graph.open.into_iter().map(|open| OpenPopulation {
        kind: open.kind.to_owned(),
        source: open.source,
        account: open.account,
        region: open.region,
        unknown: open.unknown,
    });
    let mut populations: Vec<OpenPopulation> = open.collect();
    populations
        .sort_by(|a, b| (&a.region, &a.kind, a.source, &a.unknown).cmp(&(&b.region, &b.kind, b.source, &b.unknown)));
    populations
}

fn partition(manifest: &Manifest) -> Partition {
    Arn::parse(&manifest.plan.caller).map_or_else(|| Partition::new("aws"), |arn| Partition::new(arn.partition))
}

fn is_active(account: &Account) -> bool {
    account.state.as_deref().is_none_or(|state| state == "ACTIVE")
}

fn account_result(
    input: &Input<'_>,
    account: &Account,
    session: &Told<&String>,
    has_ai: Option<&Told<bool>>,
    score: Option<&AccountScore>,
    failures: &coverage::Failures,
    findings: &[Finding],
) -> AccountResult {
    let (status, reason) = if !is_active(account) {
        let state = account.state.as_deref().unwrap_or("closed");
        (
            AccountStatus::NotAssessed,
            Some(format!("the account is {}, so it is not entered", state.to_lowercase().replace('_', " "))),
        )
    } else if !account.selected {
        (AccountStatus::NotAssessed, Some("left out by --account or --ou".to_owned()))
    } else if let Err(unknown) = session {
        (AccountStatus::NotAssessed, Some(not_entered(input, unknown)))
    } else if failures.any() {
        (AccountStatus::Partly, Some("some calls failed, see coverage".to_owned()))
    } else {
        (AccountStatus::Assessed, None)
    };
    let excluded = input.config.exclude_accounts.get(&account.id);
    let mut tally: BTreeMap<Status, u64> = BTreeMap::new();
    for finding in findings {
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
        has_ai: match has_ai {
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
    match (unknown.why, &unknown.message) {
        (Why::RunEnded, _) => return "the run ended before it was entered".to_owned(),
        // It is in another shard.
        (Why::NotCollected, Some(said)) => return said.clone(),
        (Why::NotCollected, None) => return "nobody tried to enter it".to_owned(),
        _ => {}
    }
    let role = &input.manifest.plan.role;
    let said = unknown.message.as_deref().map_or_else(String::new, |m| format!(" ({m})"));
    format!("role {role} could not be entered: {}{said}", unknown.why.word())
}

/// Why results are partial that only some checks were run for.
pub const SOME_CHECKS: &str = "only some checks were run";

fn run(input: &Input<'_>) -> Run {
    let manifest = input.manifest;
    let organization = &input.organization.organization;
    let broken_off = broken_off(input.organization, manifest);
    let (mode, mode_reason) = match (organization, &input.organization.listed) {
        (Observed::Absent, _) => ("single_account", Some("the caller's account is in no organization".to_owned())),
        (_, Err(unknown)) if broken_off.is_none() => ("single_account", Some(unknown.sentence())),
        _ => ("organization", None),
    };
    let mut partial_reasons = Vec::new();
    if manifest.plan.filtered() {
        partial_reasons.push("filtered by --account, --ou, --region or the configuration's regions".to_owned());
    }
    // One account of an organization says nothing of it.
    if let (Some(reason), false) = (&mode_reason, *organization == Observed::Absent) {
        partial_reasons.push(format!("the organization could not be listed, and this is one account of it: {reason}"));
    }
    if let Some(unknown) = broken_off {
        partial_reasons
            .push(format!("the list of accounts broke off, and those behind are missing: {}", unknown.sentence()));
    }
    partial_reasons.extend(shards::partial(manifest));
    if input.selected_checks {
        partial_reasons.push(SOME_CHECKS.to_owned());
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
        incomplete: Some(!manifest.complete || broken_off.is_some()),
        partial_reasons,
        replaced_checks: input.checks.replaced.clone(),
    }
}

/// Why the list of accounts ends where it does, if it broke off after some of them. Where it could not be had at all, the
/// account of the caller stands alone and nothing is said of others.
fn broken_off<'a>(organization: &'a Organization, manifest: &Manifest) -> Option<&'a Unknown> {
    let caller = Arn::parse(&manifest.plan.caller).map(|arn| AccountId::from(arn.account));
    let others = organization.accounts.iter().any(|account| Some(&account.id) != caller.as_ref());
    organization.listed.as_ref().err().filter(|_| others)
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
