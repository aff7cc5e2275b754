//! The steps that commands share: what to judge with, from a snapshot to results, from results to files.
//!
//! Judgement itself is on the floors below; this only brings their answers together.

mod accounts;
mod coverage;
mod exceptions;
mod graph;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use rayon::prelude::*;

use crate::check::{self, CheckSet};
use crate::cli::args::{Global, Output, Rules, unreadable};
use crate::cli::exit::{Drawn, Exit, Refused};
use crate::cli::{gate as gate_command, out};
use crate::config::Config;
use crate::files::{self, RESULTS, SnapshotReader, SourceFile};
use crate::finding::Source;
use crate::gate;
use crate::inventory::organizations::Organization;
use crate::model::hash;
use crate::model::ids::{Arn, Partition};
use crate::model::observed::Observed;
use crate::model::time::Timestamp;
use crate::report::{self, Format, json, terminal};
use crate::results::{ConfigView, Coverage, Results, Run, SCHEMA_VERSION};
use crate::score::scenarios::{self, Scenario};
use crate::score::{self, AccountInput};

use accounts::Seen;

/// Everything a snapshot is judged with, besides the configuration.
pub struct Ruleset {
    pub checks: CheckSet,
    pub scenarios: Vec<Scenario>,
    /// SHA-256 over both.
    pub digest: String,
    /// Built-in checks and scenarios that a user's file replaced.
    pub replaced: Vec<String>,
    /// `--check` chose some of the checks.
    pub chosen: Vec<String>,
}

/// The built-in checks and scenarios with those of the folders given, or what is chosen of them.
///
/// # Errors
/// A folder cannot be read, any file in it is wrong (all of it is drawn), or a chosen check does not exist.
pub fn checks(args: &Rules) -> anyhow::Result<Ruleset> {
    let mut check_files = check::builtin_files();
    let mut scenario_files = Vec::new();
    for dir in &args.dirs {
        for SourceFile { name, text } in files::read_check_dir(dir).map_err(|e| unreadable(&e, "check --checks"))? {
            // As in the built-in folder: scenarios live in one of their own.
            if Path::new(&name).parent().is_some_and(|folder| folder.ends_with("scenarios")) {
                scenario_files.push((name, text));
            } else {
                check_files.push(check::SourceFile { name, text, builtin: false });
            }
        }
    }
    let loaded = scenarios::load(&scenario_files);
    let (all, scenarios) = match (check::load(&check_files), loaded) {
        (Ok(checks), Ok(scenarios)) => (checks, scenarios),
        (checks, scenarios) => {
            let drawn = [
                checks.err().map(|errors| check::diagnostic::render(&errors.0, false)),
                scenarios.err().map(|errors| errors.0.iter().map(|e| format!("error: {e}\n")).collect()),
            ];
            return Err(Drawn(drawn.into_iter().flatten().collect::<Vec<String>>().join("\n\n")).into());
        }
    };
    let checks = all.select(&args.only)?;
    let digest = checks.digest();
    let files: Vec<(String, String)> = scenarios::builtin_files().into_iter().chain(scenario_files).collect();
    let mut parts = vec![digest.as_str()];
    parts.extend(files.iter().map(|(_, text)| text.as_str()));
    let replaced = checks.replaced.iter().cloned().chain(scenarios.replaced).collect();
    Ok(Ruleset {
        digest: hash::of_parts(&parts, 32),
        chosen: args.only.clone(),
        scenarios: scenarios.scenarios,
        replaced,
        checks,
    })
}

/// Judges a snapshot: equal snapshot, rules, configuration and version give equal results. `as_of` decides which
/// exceptions hold; by default it is the start of collection.
///
/// # Errors
/// The snapshot cannot be read, or no account of it was entered.
pub fn judge(
    reader: &SnapshotReader,
    rules: &Ruleset,
    config: &Config,
    as_of: Option<Timestamp>,
) -> anyhow::Result<Results> {
    let manifest = reader.manifest();
    let as_of = as_of.unwrap_or(manifest.as_of);
    let organization = reader.organization()?;
    let partition = Partition::new(Arn::parse(&manifest.plan.caller).map_or("aws", |arn| arn.partition));
    let index = graph::index(reader)?;
    let seen: Vec<Seen> = accounts::all(&organization, reader)
        .into_par_iter()
        .map(|account| {
            let facts = reader.account(&account)?;
            let graph = graph::of_account(&index, &facts);
            let judged = check::evaluate::evaluate(&rules.checks, &graph, &config.requirements, &partition);
            Ok(Seen::new(&organization, &facts, graph, judged))
        })
        .collect::<Result<_, files::SnapshotError>>()?;
    accounts::any_entered(&seen)?;

    let mut findings: Vec<_> = seen.iter().flat_map(|seen| seen.judged.findings.iter().cloned()).collect();
    findings.sort_by(|a, b| {
        (&a.account, &a.region, &a.check, &a.resource).cmp(&(&b.account, &b.region, &b.check, &b.resource))
    });
    let exceptions = exceptions::apply(&config.exceptions, &mut findings, as_of);
    let infos: Vec<_> = rules.checks.checks.iter().map(|check| check.info()).collect();
    let inputs: Vec<AccountInput> = seen.iter().filter(|seen| seen.entered()).map(Seen::input).collect();
    let unentered = accounts::unentered(&seen, config);
    let scored = score::score(score::Input {
        accounts: &inputs,
        findings: &findings,
        checks: &infos,
        scenarios: &rules.scenarios,
        requirements: &config.requirements,
        excluded: &config.exclude_accounts,
        unentered: &unentered,
        as_of,
    });
    let entered = scored.accounts.values().filter(|account| account.scored).count() as u64;
    Ok(Results {
        schema_version: SCHEMA_VERSION.to_owned(),
        run: run(reader, rules, &organization, &seen, as_of),
        config: view(config),
        accounts: accounts::results(&seen, &scored, &unentered, &findings),
        not_applicable: not_applicable(&seen),
        scenarios: rules.scenarios.iter().map(Scenario::info).collect(),
        coverage: Coverage {
            share: gate::coverage(&findings, entered, unentered.len() as u64),
            not_looked_at: not_looked_at(rules),
            ..coverage::of(&seen)
        },
        score: scored.organization,
        checks: infos,
        findings,
        questions: scored.questions,
        sources: scored.sources,
        exceptions,
        fixes: scored.fixes,
        gate: None,
    })
}

/// Ends an audit or an evaluation: the gate if the configuration has one, the files, the summary, the exit code.
///
/// # Errors
/// A file cannot be written.
pub fn conclude(
    mut results: Results,
    config: &Config,
    dir: &Path,
    output: &Output,
    global: &Global,
) -> anyhow::Result<Exit> {
    results.gate = gate_command::asks(&config.gate).then(|| gate::judge(&results, &config.gate));
    let mut formats = vec![Format::Json];
    formats.extend(output.formats().into_iter().filter(|format| *format != Format::Json));
    for format in formats {
        files::write_run(dir, format.file_name(), &report::render(&results, format)?)?;
    }
    let verdict = results.gate.as_ref().map(|gate| gate.verdict.word());
    match (global.quiet, verdict) {
        (true, Some(verdict)) => out::print(&format!("gate {verdict}\n"))?,
        (true, None) => out::print(&format!("score {:.1} to {:.1}\n", results.score.low, results.score.high))?,
        (false, _) => {
            out::print(&terminal::terminal(&results, out::width()))?;
            if std::io::stderr().is_terminal() {
                out::say(&format!("Written to {}\n", dir.display()));
            }
        }
    }
    Ok(results.gate.as_ref().map_or(Exit::Done, gate_command::exit_of))
}

/// The results of a run: of its folder, or of the file itself.
///
/// # Errors
/// There are none, or not of a version this locard reads.
pub fn results(run: &Path) -> anyhow::Result<Results> {
    let path = if run.is_dir() { run.join(RESULTS) } else { run.to_path_buf() };
    if run.is_dir() && !path.exists() {
        let message = format!("{} is not the folder of a finished run: it has no {RESULTS}", run.display());
        return Err(Refused::no_result(message, "finish its audit with --resume, or judge its snapshot with `locard evaluate`"));
    }
    let bytes = files::read_bytes(&path)?;
    json::from_bytes(&bytes).with_context(|| format!("cannot read {}", path.display()))
}

fn run(
    reader: &SnapshotReader,
    rules: &Ruleset,
    organization: &Organization,
    seen: &[Seen],
    as_of: Timestamp,
) -> Run {
    let manifest = reader.manifest();
    let known = organization.organization.known().filter(|_| organization.listed.is_ok());
    let mode_reason = match (&organization.organization, &organization.listed) {
        (Observed::Known(_), Ok(())) => None,
        (Observed::Known(_), Err(unknown)) | (Observed::Unknown(unknown), _) => Some(unknown.sentence()),
        (Observed::Absent, _) => Some("the account is in no organization".to_owned()),
    };
    let partial_reasons = partial_reasons(reader, rules, seen);
    Run {
        id: manifest.run_id.clone(),
        as_of,
        started_at: manifest.as_of,
        finished_at: manifest.finished_at,
        locard_version: env!("CARGO_PKG_VERSION").to_owned(),
        ruleset_digest: rules.digest.clone(),
        snapshot_digest: reader.manifest_digest().to_owned(),
        caller_arn: manifest.plan.caller.clone(),
        role: manifest.plan.role.clone(),
        mode: if mode_reason.is_none() { "organization" } else { "single_account" }.to_owned(),
        mode_reason,
        organization_id: known.map(|organization| organization.id.clone()),
        management_account: known.map(|organization| organization.management_account.clone()),
        calls: manifest.calls.clone(),
        clock_skew_seconds: manifest.clock_skew_seconds,
        partial: !partial_reasons.is_empty(),
        partial_reasons,
        replaced_checks: rules.replaced.clone(),
    }
}

fn partial_reasons(reader: &SnapshotReader, rules: &Ruleset, seen: &[Seen]) -> Vec<String> {
    let plan = &reader.manifest().plan;
    let mut reasons = Vec::new();
    if !reader.manifest().complete {
        reasons.push("the run was interrupted before it had asked everything".to_owned());
    }
    let mut given = |option: &str, values: Vec<&str>| {
        if !values.is_empty() {
            reasons.push(format!("{option} {}", values.join(", ")));
        }
    };
    given("only accounts", plan.accounts.iter().map(|id| id.as_str()).collect());
    given("only organizational units", plan.organizational_units.iter().map(String::as_str).collect());
    given("only regions", plan.regions.iter().map(|region| region.as_str()).collect());
    given("only checks", rules.chosen.iter().map(String::as_str).collect());
    let narrowed = seen.iter().filter(|seen| !seen.skipped_regions().is_empty()).count();
    if narrowed > 0 && plan.regions.is_empty() {
        reasons.push(format!("enabled regions were left out in {narrowed} of {} accounts", seen.len()));
    }
    reasons
}

fn view(config: &Config) -> ConfigView {
    ConfigView {
        requirements: config.requirements.by_name(),
        excluded_accounts: config.exclude_accounts.clone(),
        regions: config.regions.clone(),
        declared_scope: config.gate.partial_scope.clone(),
    }
}

fn not_applicable(seen: &[Seen]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (check, count) in seen.iter().flat_map(|seen| &seen.judged.not_applicable) {
        *counts.entry(check.clone()).or_default() += count;
    }
    counts
}

/// Sources of evidence that none of the checks is about.
fn not_looked_at(rules: &Ruleset) -> Vec<String> {
    Source::ALL
        .into_iter()
        // Nobody can switch it off, so there is nothing to check.
        .filter(|source| *source != Source::EventHistory)
        .filter(|source| !rules.checks.checks.iter().any(|check| check.source == *source))
        .map(|source| source.title().to_owned())
        .collect()
}
