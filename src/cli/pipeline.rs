//! The steps that commands share: what to judge with, from a snapshot to results, from results to files and words.
//!
//! Judgement itself is `assess`; this feeds it and brings what it says to disk and to stdout.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::assess::{self, Input};
use crate::check::{self, CheckSet};
use crate::cli::args::{Global, Output, Rules, unreadable};
use crate::cli::exit::{Drawn, Exit, Refused};
use crate::cli::place::RunFolder;
use crate::cli::{gate as gate_command, out};
use crate::config::Config;
use crate::files::{self, Draft, RESULTS, SnapshotReader, SourceFile, Spool};
use crate::gate;
use crate::inventory::snapshot::Plan;
use crate::model::hash;
use crate::model::time::Timestamp;
use crate::report::{self, Format, Summary, json, terminal};
use crate::results::OrganizationScore;
use crate::results::stream::ReadError;
use crate::score::scenarios::{self, Scenario};

/// Everything a snapshot is judged with, besides the configuration.
pub(crate) struct Ruleset {
    /// `replaced` names scenarios too.
    pub checks: CheckSet,
    pub scenarios: Vec<Scenario>,
    /// SHA-256 over both.
    pub digest: String,
    /// `--check` chose some of the checks.
    pub selected: bool,
}

/// The built-in checks and scenarios with those of the folders given, or what is chosen of them.
///
/// # Errors
/// A folder cannot be read, any file in it is wrong (all of it is drawn), or a chosen check does not exist.
pub(crate) fn rules(args: &Rules) -> anyhow::Result<Ruleset> {
    let mut check_files = check::builtin_files();
    let mut own_scenarios = Vec::new();
    for dir in &args.dirs {
        let found = files::read_check_dir(dir).map_err(|e| unreadable(&e, "name a folder of check files"))?;
        if found.is_empty() {
            let message = format!("there is no check in {}", dir.display());
            return Err(Refused::usage(message, "checks are files named <id>.yaml, in the folder or below it"));
        }
        for SourceFile { name, text } in found {
            // As in the built-in folder: scenarios live in one of their own.
            if Path::new(&name).parent().is_some_and(|folder| folder.ends_with("scenarios")) {
                own_scenarios.push((name, text));
            } else {
                check_files.push(check::SourceFile { name, text, builtin: false });
            }
        }
    }
    let (all, loaded) = match (check::load(&check_files), scenarios::load(&own_scenarios)) {
        (Ok(checks), Ok(scenarios)) => (checks, scenarios),
        (checks, scenarios) => {
            let drawn = checks.err().map(|errors| check::diagnostic::render(&errors.0, out::stderr_takes_colour()));
            let listed = scenarios.err().map(|errors| errors.0.iter().map(|e| format!("error: {e}\n")).collect());
            return Err(Drawn(drawn.into_iter().chain(listed).collect::<Vec<String>>().join("\n\n")).into());
        }
    };
    let mut checks = all.select(&args.only)?;
    checks.replaced.extend(loaded.replaced);
    let digest = checks.digest();
    let texts = scenarios::builtin_files().into_iter().chain(own_scenarios);
    let parts: Vec<String> = std::iter::once(digest).chain(texts.map(|(_, text)| text)).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let selected = !args.only.is_empty();
    Ok(Ruleset { digest: hash::of_parts(&parts, 32), scenarios: loaded.scenarios, checks, selected })
}

/// Judges a snapshot: equal snapshot, rules, configuration and version give equal results. `as_of` decides which
/// exceptions hold; by default it is the start of collection. The results are written to a folder, not gated and
/// reported yet.
///
/// # Errors
/// The snapshot cannot be read, or the disk refuses.
pub(crate) fn judge(
    reader: SnapshotReader,
    rules: &Ruleset,
    config: &Config,
    as_of: Option<Timestamp>,
    dir: &Path,
) -> anyhow::Result<Draft> {
    for exception in config.exceptions.iter().filter(|exception| rules.checks.get(&exception.check).is_none()) {
        let chosen = if rules.selected { " among those of --check" } else { "" };
        tracing::warn!("an exception names check `{}`, and there is none{chosen}", exception.check);
    }
    let manifest = reader.manifest();
    let organization = reader.organization()?;
    let input = Input {
        manifest,
        manifest_digest: reader.manifest_digest(),
        organization: &organization,
        config,
        checks: &rules.checks,
        scenarios: &rules.scenarios,
        ruleset_digest: &rules.digest,
        selected_checks: rules.selected,
        as_of: as_of.unwrap_or(manifest.as_of),
    };
    let mut spool = Spool::begin(dir)?;
    // Threads of their own, which end here: what the allocator kept for them can then be used for the reports.
    let threads = rayon::ThreadPoolBuilder::new().build().context("cannot start threads to judge with")?;
    let results = threads
        .install(|| assess::stream(&input, &reader.accounts(), |account| reader.account(account), &mut spool))?;
    drop(threads);
    Ok(spool.assemble(&results, organization.accounts.iter().map(|account| &account.id))?)
}

/// Ends an audit or an evaluation whose results are written but for the gate: the gate if the configuration has one,
/// the reports, the summary, the exit code.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn conclude(
    mut draft: Draft,
    config: &Config,
    run: &RunFolder,
    output: &Output,
    global: &Global,
) -> anyhow::Result<Exit> {
    let summary = Summary::read(draft.read()?).context("cannot read the results just written")?;
    let verdict = gate_command::asks(&config.gate).then(|| gate::judge(&summary.tally, &config.gate));
    if let Some(verdict) = &verdict {
        draft.replace_end(json::END, &json::gated_end(verdict))?;
    }
    let summary = summary.gated(verdict.clone());
    let mut written = Vec::new();
    for format in output.formats() {
        let document = match format {
            Format::Schema => Some(json::schema_bytes()),
            _ => report::render(&summary, format)?.map(String::into_bytes),
        };
        if let Some(document) = document {
            files::write_run(run.dir(), format.file_name(), document.as_slice())?;
            run.put(format.file_name())?;
            written.push(run.shown(format.file_name()));
        }
    }
    // A report of what is replaced now would be taken for one of this.
    for format in [Format::Html, Format::Markdown].into_iter().filter(|format| !output.formats().contains(format)) {
        let name = run.shown(format.file_name());
        match (files::remove_run(run.dir(), format.file_name())?, run.is_remote()) {
            // What is in a bucket locard never deletes.
            (_, true) => out::say(&format!("not replaced: {name}; if it is there, it is of other results\n")),
            (true, false) => out::say(&format!("removed: {name}, of the results replaced\n")),
            (false, false) => {}
        }
    }
    // The canonical file last: its presence says that the run is finished.
    draft.keep()?;
    run.put(RESULTS)?;
    written.push(run.shown(RESULTS));
    match (&verdict, global.quiet) {
        (Some(gate), true) => out::print(&gate_command::text(gate, true))?,
        (None, true) => out::print(&format!("score {}\n", interval(summary.score())))?,
        (_, false) => {
            out::print(&terminal::terminal(&summary, out::width()))?;
            out::say(&format!("written: {}\n", written.join(", ")));
        }
    }
    Ok(verdict.as_ref().map_or(Exit::Done, gate_command::exit_of))
}

/// Rounded outwards, so that the text never claims more than is known.
fn interval(score: &OrganizationScore) -> String {
    if score.nothing_to_assess {
        return "none: nothing to assess".to_owned();
    }
    let tenths = |value: f64| value * 10.0;
    let low = (tenths(score.low) + 1e-9).floor() / 10.0;
    let high = (tenths(score.high) - 1e-9).ceil() / 10.0;
    format!("{low:.1} to {:.1}", high.max(low))
}

/// Reads the results of a run: of its folder, or of the file itself.
///
/// # Errors
/// There are none, or not of a version this locard reads.
pub(crate) fn read<T>(run: &Path, read: impl FnOnce(File) -> Result<T, ReadError>) -> anyhow::Result<T> {
    understood(run, read(open(run)?))
}

/// Opens the results of a run.
///
/// # Errors
/// There are none.
pub(crate) fn open(run: &Path) -> anyhow::Result<File> {
    if run.starts_with("s3:") && !run.exists() {
        let message = format!("{} is not on this machine, and reports and gates read no other place", run.display());
        return Err(Refused::usage(message, format!("copy its {RESULTS} here first, as with `aws s3 cp`")));
    }
    let path = results_in(run);
    if run.is_dir() && !path.exists() {
        let message = format!("{} is not the folder of a finished run: it has no {RESULTS}", run.display());
        let help = "finish its audit with --resume, or judge its snapshot with `locard evaluate`";
        return Err(Refused::no_result(message, help));
    }
    Ok(files::open(&path)?)
}

/// What was read of the results of a run, or which file it is that could not be understood.
///
/// # Errors
/// There was one.
pub(crate) fn understood<T>(run: &Path, read: Result<T, ReadError>) -> anyhow::Result<T> {
    read.with_context(|| format!("cannot read {}", results_in(run).display()))
}

fn results_in(run: &Path) -> PathBuf {
    if run.is_dir() { run.join(RESULTS) } else { run.to_path_buf() }
}

/// The host's clock, in whole seconds.
pub(super) fn now() -> Timestamp {
    Timestamp::from_unix(jiff::Timestamp::now().as_second())
}

/// Sorts by time, and differs between two runs begun in the same second: it names their sessions in CloudTrail.
pub(super) fn run_id(plan: &Plan, as_of: Timestamp) -> String {
    let moment = jiff::Timestamp::now().as_nanosecond().to_string();
    let process = std::process::id().to_string();
    let day: String = as_of.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("{day}-{}", hash::of_parts(&[&plan.digest(), &moment, &process], 4))
}
