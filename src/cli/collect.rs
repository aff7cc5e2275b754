//! `locard collect`: the snapshot alone; and the sweep that `locard audit` begins with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::cli::args::Global;
use crate::cli::exit::{Exit, Refused, visible};
use crate::cli::out;
use crate::collect::progress::Progress;
use crate::collect::runner::{self, Cause, CollectError, CollectOutcome, Limits, Options, Sink, Stop};
use crate::config::{self, Config};
use crate::files::{self, Ending, RESULTS, SNAPSHOT, SnapshotError, SnapshotWriter};
use crate::inventory::Line;
use crate::inventory::snapshot::Plan;
use crate::model::hash;
use crate::model::ids::{AccountId, Region};
use crate::model::time::Timestamp;

const ACCESS: &str = "Access";
const SCOPE: &str = "Scope";
const PACE: &str = "Pace";

#[derive(Args)]
pub(super) struct CollectArgs {
    #[command(flatten)]
    sweep: SweepArgs,
}

/// What to read, and how to get in.
#[derive(Args)]
pub(super) struct SweepArgs {
    /// Folder of the run; the snapshot goes into DIR/snapshot
    #[arg(long, value_name = "DIR", default_value = "locard-out", help_heading = "Result")]
    pub out: PathBuf,
    /// Go on with the interrupted run in that folder; what failed for passing reasons is asked again
    #[arg(long, help_heading = "Result")]
    resume: bool,
    /// Profile of the AWS configuration to start from
    #[arg(long, value_name = "NAME", help_heading = ACCESS)]
    profile: Option<String>,
    /// Name of the read-only role in every account; default as configured, else LocardAudit
    #[arg(long, value_name = "NAME", value_parser = role_name, help_heading = ACCESS)]
    role: Option<String>,
    /// External id the role asks for; default as configured
    #[arg(long, value_name = "ID", help_heading = ACCESS)]
    external_id: Option<String>,
    /// Send requests here instead of to AWS, such as http://127.0.0.1:5000
    #[arg(long, value_name = "URL", value_parser = endpoint_url, help_heading = ACCESS)]
    endpoint_url: Option<String>,
    /// Assess the workloads of this account only; repeatable
    #[arg(long = "account", value_name = "ID", value_parser = AccountId::parse, help_heading = SCOPE)]
    accounts: Vec<AccountId>,
    /// Assess the workloads of this organizational unit and those below it only, by id or path; repeatable
    #[arg(long = "ou", value_name = "OU", help_heading = SCOPE)]
    units: Vec<String>,
    /// Assess workloads in this region only; default as configured, else every enabled region; repeatable
    #[arg(long = "region", value_name = "REGION", help_heading = SCOPE)]
    regions: Vec<String>,
    /// Use at most this share of AWS's limits for each account, region and operation, such as 80%: others work there
    /// too; default as configured, else 50%
    #[arg(long, value_name = "SHARE", value_parser = config::share, help_heading = PACE)]
    max_rate: Option<f64>,
    /// End in time with what there is, such as 2h or 90m; the rest is unknown, and --resume goes on
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = PACE)]
    max_duration: Option<Duration>,
}

/// As people write it, `2h`, `1h 30m`, `45s`.
fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| "write it as `2h`, `1h 30m` or `45s`".to_owned())?;
    Duration::try_from(span)
        .ok()
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "it must be longer than nothing".to_owned())
}

/// The SDK would find out in the middle of a request, and in its own words.
fn endpoint_url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or_default();
    if host.is_empty() || host.starts_with('/') {
        return Err("a URL begins with http:// or https:// and names a host".to_owned());
    }
    Ok(text.to_owned())
}

/// What came of a sweep.
pub(super) struct Swept {
    pub snapshot: PathBuf,
    /// SHA-256 of the manifest.
    pub digest: String,
    /// By Ctrl-C or the like; the snapshot is sealed as incomplete.
    pub interrupted: bool,
    /// Listens for signals as long as it lives: one once listened for no longer ends the process by itself.
    _listening: tokio::runtime::Runtime,
}

pub(super) fn run(global: &Global, args: CollectArgs) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let swept = sweep(global, &config, &args.sweep)?;
    out::print(&format!("{}\nsha256 {}\n", swept.snapshot.display(), swept.digest))?;
    Ok(if swept.interrupted { Exit::Interrupted } else { Exit::Done })
}

/// Collects into a new snapshot, or goes on with one. What is wrong with arguments and folders is said before any call
/// leaves the machine.
pub(super) fn sweep(global: &Global, config: &Config, args: &SweepArgs) -> anyhow::Result<Swept> {
    let dir = args.out.join(SNAPSHOT);
    if !args.resume {
        files::vacant(&dir)?;
        if args.out.join(RESULTS).exists() {
            let message = format!("{} already holds the results of another run", args.out.display());
            return Err(Refused::usage(message, "choose another --out"));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // The SDK's endpoint rules for S3 take a megabyte of stack in builds that are not optimised.
        .thread_stack_size(8 << 20)
        .build()
        .context("cannot start the threads of the sweep")?;
    let options = options(config, args)?;
    let (stop, sweeping) = (options.stop.clone(), Arc::new(AtomicBool::new(true)));
    runtime.spawn(end_on_signals(stop, Arc::clone(&sweeping)));
    let (outcome, writer) = runtime.block_on(collect(global, options, &dir, args.resume))?;
    if outcome.entered == 0 && outcome.ended_early.is_none() {
        return Err(nobody_let_in(writer, &outcome, args.resume));
    }
    let digest = writer.finish(Ending {
        finished_at: now(),
        clock_skew_seconds: outcome.clock_skew_seconds,
        complete: outcome.ended_early.is_none(),
        calls: outcome.calls,
    })?;
    // The snapshot is sealed, and results are files that appear whole: nothing is left to tidy up.
    sweeping.store(false, Ordering::Relaxed);
    match outcome.ended_early {
        Some(Cause::Interrupted) => {
            out::say("interrupted: what is complete was kept; the same command with --resume goes on\n");
        }
        Some(Cause::Credentials) => {
            let message = "AWS no longer takes the caller's credentials; the snapshot is sealed as incomplete";
            let help = "renew them and go on with --resume; `locard evaluate` judges what there is";
            return Err(Refused::no_result(message, help));
        }
        Some(Cause::TimeUp) if outcome.entered == 0 => {
            return Err(Refused::no_result(
                "the time was up before any account was read",
                "allow more with --max-duration",
            ));
        }
        Some(Cause::TimeUp) | None => {}
    }
    let interrupted = outcome.ended_early == Some(Cause::Interrupted);
    Ok(Swept { snapshot: dir, digest, interrupted, _listening: runtime })
}

/// The first signal ends the sweep, another one, or one while nothing is swept, the process.
#[expect(clippy::exit, reason = "what runs on in other threads cannot be told to stop; the code is documented")]
async fn end_on_signals(stop: Stop, sweeping: Arc<AtomicBool>) {
    loop {
        signal().await;
        if stop.cause() == Some(Cause::Interrupted) || !sweeping.load(Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        stop.stop(Cause::Interrupted);
        // Whatever ended it before, whoever signals now does not want to wait.
        sweeping.store(stop.cause() == Some(Cause::Interrupted), Ordering::Relaxed);
    }
}

/// Waits for Ctrl-C, or for what service managers send.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        if let [Ok(mut interrupt), Ok(mut terminate)] = kinds {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Where no signal can be listened for, it ends the process as it would have anyway.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn collect(
    global: &Global,
    options: Options,
    dir: &Path,
    resume: bool,
) -> anyhow::Result<(CollectOutcome, Arc<SnapshotWriter>)> {
    let stop = options.stop.clone();
    let Some(connected) = stop.or(runner::connect(options)).await else {
        let (exit, message) = (Exit::Interrupted, "interrupted before anything was read".to_owned());
        return Err(Refused { exit, message, help: None }.into());
    };
    let collection = connected.map_err(explained)?;
    let plan = collection.plan();
    let writer = Arc::new(match resume {
        true => SnapshotWriter::resume(dir, &plan)?,
        false => {
            let as_of = now();
            SnapshotWriter::create(dir, &plan, &run_id(&plan, as_of), as_of)?
        }
    });
    let say: fn(&str) = if global.quiet { |_| {} } else { |text| out::say(&format!("{}\n", visible(text))) };
    let progress = Progress::new(!global.no_progress && !global.quiet && out::is_watched(), say);
    let (run_id, as_of) = (writer.run_id().to_owned(), writer.as_of());
    let sink = Arc::new(Disk(Arc::clone(&writer)));
    let outcome = collection.run(&run_id, as_of, sink, Arc::new(progress)).await.map_err(explained)?;
    Ok((outcome, writer))
}

/// The snapshot as the sweep sees it.
struct Disk(Arc<SnapshotWriter>);

impl Sink for Disk {
    fn done(&self, file: &str) -> bool {
        self.0.done(file)
    }

    fn read(&self, file: &str) -> Result<Vec<Line>, String> {
        self.0.read(file).map_err(whole_chain)
    }

    fn write_lines(&self, file: &str, lines: Vec<Line>) -> Result<(), String> {
        self.0.write_lines(file, lines).map_err(whole_chain)
    }

    fn write_json(&self, file: &str, value: &serde_json::Value) -> Result<(), String> {
        self.0.write_json(file, value).map_err(whole_chain)
    }
}

fn whole_chain(error: SnapshotError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

fn explained(error: CollectError) -> anyhow::Error {
    let help = match &error {
        CollectError::Caller(_) => {
            "check --profile, AWS_PROFILE, AWS_REGION and --endpoint-url; `aws sts get-caller-identity` should work"
        }
        CollectError::Selection(_) => {
            "check --account, --ou and --region, and what the caller may list; `locard role --document caller` prints it"
        }
        CollectError::Snapshot(_) => "what is complete was kept; the same command with --resume goes on",
    };
    Refused::no_result(error.to_string(), help)
}

/// Without any account there is nothing to judge, and nothing to keep of a new snapshot.
fn nobody_let_in(writer: Arc<SnapshotWriter>, outcome: &CollectOutcome, resumed: bool) -> anyhow::Error {
    let refusal = first_refusal(&writer);
    if !resumed
        && let Some(writer) = Arc::into_inner(writer)
        && let Err(error) = writer.discard()
    {
        return error.into();
    }
    let count = match outcome.accounts {
        0 => "no active account was found to enter".to_owned(),
        1 => "the account could not be entered".to_owned(),
        n => format!("none of {n} accounts could be entered"),
    };
    let message = format!("{count}{}", refusal.map_or_else(String::new, |said| format!(": {said}")));
    let help =
        "`locard role` prints the role every account needs, `locard role --document caller` what the caller needs";
    Refused::no_result(message, help)
}

/// Why the first of the accounts could not be entered.
fn first_refusal(writer: &SnapshotWriter) -> Option<String> {
    let files = writer.files();
    let lines = files.iter().filter(|file| file.starts_with("accounts/")).filter_map(|file| writer.read(file).ok());
    lines.flatten().find_map(|line| match line.fact {
        crate::inventory::Fact::Account(entry) => {
            let unknown = entry.session.err()?;
            let said = unknown.message.as_ref().map_or_else(String::new, |said| format!(": {said}"));
            Some(format!("{}{said}", unknown.sentence()))
        }
        _ => None,
    })
}

fn options(config: &Config, args: &SweepArgs) -> anyhow::Result<Options> {
    let regions = match args.regions.as_slice() {
        [] => config.regions.clone(),
        given => given.iter().map(|text| Region::from(text.as_str())).collect(),
    };
    if let Some(region) = regions.iter().find(|region| config.skip_regions.contains(region)) {
        return Err(Refused::usage(format!("{region} is asked for and under `skip_regions`"), "take it out of one"));
    }
    let bounded = |value: i64| u32::try_from(value).context("a requirement is out of bounds");
    Ok(Options {
        profile: args.profile.clone(),
        endpoint_url: args.endpoint_url.clone(),
        role: args.role.clone().unwrap_or_else(|| config.role.clone()),
        external_id: args.external_id.clone().or_else(|| config.external_id.clone()),
        source_identity: config.source_identity.clone(),
        accounts: args.accounts.clone(),
        organizational_units: args.units.clone(),
        regions,
        skip_regions: config.skip_regions.clone(),
        lookback_days: bounded(config.requirements.ai_lookback_days)?,
        max_described_jobs: bounded(config.requirements.max_described_jobs)?,
        limits: Limits { share: args.max_rate.unwrap_or(config.max_rate), ..Limits::default() },
        max_duration: args.max_duration,
        ..Options::default()
    })
}

fn role_name(text: &str) -> Result<String, String> {
    config::role_name(text).map(|()| text.to_owned())
}

fn now() -> Timestamp {
    Timestamp::from_unix(jiff::Timestamp::now().as_second())
}

/// Sorts by time, and differs between two runs begun in the same second: it names their sessions in CloudTrail.
fn run_id(plan: &Plan, as_of: Timestamp) -> String {
    let moment = jiff::Timestamp::now().as_nanosecond().to_string();
    let process = std::process::id().to_string();
    let day: String = as_of.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("{day}-{}", hash::of_parts(&[&plan.digest(), &moment, &process], 4))
}
