//! `locard collect`: the snapshot alone; and the sweep that `locard audit` begins with.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use tokio::runtime::Runtime;

use crate::cli::args::{AccessArgs, Global};
use crate::cli::exit::{Exit, Refused, visible};
use crate::cli::out;
use crate::cli::pipeline::{now, run_id};
use crate::cli::place::{Place, Resume, RunFolder, StoreArgs};
use crate::cli::remote::Remote;
use crate::collect::progress::Progress;
use crate::collect::runner::{self, Cause, CollectError, CollectOutcome, Limits, Options, Sink, Stop};
use crate::config::{self, Config};
use crate::files::{Ending, ORGANIZATION, SNAPSHOT, SnapshotError, SnapshotWriter};
use crate::inventory::Line;
use crate::inventory::organizations::Organization;
use crate::model::ids::{AccountId, Region};
use crate::model::shard::Shard;

/// After a file could not be copied to the bucket, others are not tried for so long.
const COPIED_AGAIN: Duration = Duration::from_secs(60);

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
    /// Folder of the run, or s3://bucket/prefix; the snapshot goes into DIR/snapshot
    #[arg(long, value_name = "DIR", default_value = "locard-out", value_parser = Place::parse, help_heading = "Result")]
    out: Place,
    /// Go on with the interrupted run there; what failed for passing reasons is asked again. =if-begun: begin if there
    /// is none, for jobs that are tried again
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "always",
        help_heading = "Result"
    )]
    resume: Option<Resume>,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Assess the workloads of this account only; repeatable
    #[arg(long = "account", value_name = "ID", value_parser = AccountId::parse, help_heading = SCOPE)]
    accounts: Vec<AccountId>,
    /// Assess the workloads of this organizational unit and those below it only, by id or path; repeatable
    #[arg(long = "ou", value_name = "OU", help_heading = SCOPE)]
    units: Vec<String>,
    /// Assess workloads in this region only; default as configured, else every enabled region; repeatable
    #[arg(long = "region", value_name = "REGION", help_heading = SCOPE)]
    regions: Vec<String>,
    /// Enter only the accounts of the I-th of N shards, each on a machine of its own; `locard merge` puts them together
    #[arg(long, value_name = "I/N", value_parser = Shard::parse, help_heading = SCOPE)]
    shard: Option<Shard>,
    /// Use at most this share of AWS's limits for each account, region and operation, such as 80%: others work there
    /// too; `unlimited` is for servers that imitate AWS; default as configured, else 50%
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

/// What came of a sweep.
pub(super) struct Swept {
    pub run: RunFolder,
    /// SHA-256 of the manifest.
    pub digest: String,
    /// By Ctrl-C or the like; the snapshot is sealed as incomplete.
    pub interrupted: bool,
    /// A signal once listened for no longer ends the process by itself.
    pub listening: Listening,
}

pub(super) fn run(global: &Global, args: CollectArgs) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let swept = sweep(global, &config, &args.sweep)?;
    out::print(&format!("{}\nsha256 {}\n", swept.run.shown(SNAPSHOT), swept.digest))?;
    swept.listening.enter(Phase::Delivered);
    Ok(if swept.interrupted { Exit::Interrupted } else { Exit::Done })
}

/// Collects into a new snapshot, or goes on with one. What is wrong with arguments and folders is said before any call
/// leaves the machine, but for those to the bucket that a run goes to.
pub(super) fn sweep(global: &Global, config: &Config, args: &SweepArgs) -> anyhow::Result<Swept> {
    let options = options(config, args)?;
    let runtime = runtime()?;
    // Whatever is waited for from here on counts.
    if let Some(most) = args.max_duration {
        runtime.spawn(runner::end_after(most, options.stop.clone()));
    }
    let run = RunFolder::open(&args.out, &args.store, &args.access.credentials())?;
    let resume = run.begun(args.resume)?;
    let listening = Listening::begin(runtime, &options.stop, &run);
    let collected = collect(global, options, &run, resume, listening.runtime());
    let (outcome, writer) = collected.inspect_err(|_| run.rescue())?;
    if outcome.entered == 0 && outcome.ended_early.is_none() {
        match args.shard {
            // Other shards may be let in, and the whole is judged when all are there.
            Some(shard) => say_nobody_let_in(&writer, &outcome, shard),
            None => return Err(nobody_let_in(writer, &outcome, resume || run.is_remote())),
        }
    }
    let ending = Ending {
        finished_at: now(),
        clock_skew_seconds: outcome.clock_skew_seconds,
        complete: outcome.ended_early.is_none() && !outcome.list_kept,
        calls: outcome.calls,
    };
    let digest = writer.finish(ending)?;
    run.copy(&writer, outcome.ended_early.is_some()).inspect_err(|_| run.rescue())?;
    listening.enter(Phase::Judging);
    if let Some(unknown) = &outcome.not_listed {
        let said = visible(&unknown.sentence());
        if outcome.single_account && !outcome.list_kept {
            out::say(&format!(
                "warning: the organization could not be listed ({said}): only the caller's account is assessed\n"
            ));
        }
        if !outcome.single_account && unknown.why.passing() && outcome.ended_early.is_none() {
            out::say(&format!(
                "warning: the list of accounts broke off ({said}): accounts behind are missing; the same command with \
                 --resume lists them\n"
            ));
        }
    }
    warn_of_lost(outcome.lost, outcome.ended_early);
    if let Some(error) = cut_off(outcome.ended_early) {
        return Err(error);
    }
    match outcome.ended_early {
        Some(Cause::Interrupted) => {
            out::say("interrupted: what is complete was kept; the same command with --resume goes on\n");
        }
        Some(Cause::TimeUp) if outcome.entered == 0 => {
            return Err(Refused::no_result(
                "the time was up before any account was read",
                "allow more with --max-duration",
            ));
        }
        Some(Cause::TimeUp | Cause::Credentials | Cause::Unreachable) | None => {}
    }
    let interrupted = outcome.ended_early == Some(Cause::Interrupted);
    Ok(Swept { run, digest, interrupted, listening })
}

/// Says how many calls another run might get answered.
pub(super) fn warn_of_lost(lost: u64, ended_early: Option<Cause>) {
    if lost > 0 && ended_early.is_none() {
        let calls = if lost == 1 { "1 call".to_owned() } else { format!("{lost} calls") };
        out::say(&format!(
            "warning: {calls} came to nothing for reasons that may pass, and what they would have told is unknown; the \
             same command with --resume asks again\n"
        ));
    }
}

/// What to say where a run ended because AWS could no longer be asked; the snapshot is sealed.
pub(super) fn cut_off(ended_early: Option<Cause>) -> Option<anyhow::Error> {
    let (message, help) = match ended_early? {
        Cause::Credentials => ("AWS no longer takes the caller's credentials", "renew them and go on with --resume"),
        Cause::Unreachable => ("AWS does not answer any more", "go on with --resume when the network is back"),
        Cause::Interrupted | Cause::TimeUp => return None,
    };
    let message = format!("{message}; the snapshot is sealed as incomplete");
    Some(Refused::no_result(message, format!("{help}; `locard evaluate` judges what there is")))
}

/// The threads of a sweep. Nobody waits for what they are still at when they go: a name server that does not answer holds
/// a look-up for half a minute.
pub(super) struct Threads(Option<Runtime>);

impl Deref for Threads {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().unwrap_or_else(|| panic!("internal error: the threads of a sweep are gone"))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

pub(super) fn runtime() -> anyhow::Result<Threads> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // The SDK's endpoint rules for S3 take a megabyte of stack in builds that are not optimised.
        .thread_stack_size(8 << 20)
        .build()
        .context("cannot start the threads of the sweep")?;
    Ok(Threads(Some(runtime)))
}

/// How far a run is, for whoever wants to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is a snapshot to be sealed first.
    Sweeping,
    /// It is where it belongs, and results are files that appear whole.
    Judging,
    /// And so are the results.
    Delivered,
}

/// Lets signals end a run, as long as it lives.
pub(super) struct Listening {
    threads: Threads,
    phase: Arc<AtomicU8>,
}

impl Listening {
    pub(super) fn begin(threads: Threads, stop: &Stop, run: &RunFolder) -> Self {
        let phase = Arc::new(AtomicU8::new(Phase::Sweeping as u8));
        threads.spawn(end_on_signals(stop.clone(), Arc::clone(&phase), run.scratch().map(Path::to_path_buf)));
        Self { threads, phase }
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.threads
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }
}

/// The first signal ends the sweep, another one, or one while results are made, the process; of a run that is over none
/// changes anything any more. `scratch`: where files of the run lie that go elsewhere.
#[expect(clippy::exit, reason = "what runs on in other threads cannot be told to stop; the code is documented")]
async fn end_on_signals(stop: Stop, phase: Arc<AtomicU8>, scratch: Option<PathBuf>) {
    let mut heard = false;
    loop {
        signal().await;
        let at = phase.load(Ordering::Relaxed);
        if at == Phase::Delivered as u8 {
            continue;
        }
        if at == Phase::Sweeping as u8 && !heard {
            heard = true;
            stop.stop(Cause::Interrupted);
            continue;
        }
        match scratch.as_deref().map(Path::display) {
            Some(dir) if at == Phase::Sweeping as u8 => out::say(&format!(
                "interrupted: what was collected is in {dir}: go on with --resume --work-dir {dir}\n"
            )),
            None if at == Phase::Sweeping as u8 => {}
            Some(_) | None => out::say("interrupted: the snapshot is sealed, `locard evaluate` judges it\n"),
        }
        if let Some(copy) = scratch.filter(|_| at == Phase::Judging as u8) {
            // If it cannot be removed, nothing but its room is lost.
            let _ = std::fs::remove_dir_all(copy);
        }
        std::process::exit(i32::from(Exit::Interrupted.code()));
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

fn collect(
    global: &Global,
    options: Options,
    run: &RunFolder,
    resume: bool,
    runtime: &Runtime,
) -> anyhow::Result<(CollectOutcome, Arc<SnapshotWriter>)> {
    let stop = options.stop.clone();
    let Some(connected) = runtime.block_on(stop.or(runner::connect(options))) else {
        return Err(nothing_read(&stop));
    };
    let collection = connected.map_err(explained)?;
    let plan = collection.plan();
    let writer = Arc::new(match resume {
        true => SnapshotWriter::resume(&run.snapshot(), &plan)?,
        false => {
            let as_of = now();
            SnapshotWriter::create(&run.snapshot(), &plan, &run_id(&plan, as_of), as_of)?
        }
    });
    match run.remote() {
        Some(remote) if resume => remote.unseal()?,
        Some(remote) => remote.claim(run.dir())?,
        None => {}
    }
    let (run_id, as_of) = (writer.run_id().to_owned(), writer.as_of());
    let sink = sink(run, &writer, &stop);
    match runtime.block_on(collection.run(&run_id, as_of, sink, progress(global))) {
        Ok(outcome) => Ok((outcome, writer)),
        Err(error) => {
            // The command as it should have been could not go on with it.
            if let (CollectError::Selection(_), false, None) = (&error, resume, run.remote())
                && let Some(writer) = Arc::into_inner(writer)
            {
                writer.discard()?;
            }
            Err(explained(error))
        }
    }
}

/// What to say of a run that was to end before it was known who is calling.
pub(super) fn nothing_read(stop: &Stop) -> anyhow::Error {
    match stop.cause() {
        Some(Cause::TimeUp) => {
            Refused::no_result("the time was up before anything was read", "allow more with --max-duration")
        }
        _ => {
            let (exit, message) = (Exit::Interrupted, "interrupted before anything was read".to_owned());
            Refused { exit, message, help: None }.into()
        }
    }
}

/// How far a run is, for whoever waits.
pub(super) fn progress(global: &Global) -> Arc<Progress> {
    let say: fn(&str) = if global.quiet { |_| {} } else { |text| out::say(&format!("{}\n", visible(text))) };
    Arc::new(Progress::new(!global.no_progress && !global.quiet && out::is_watched(), say))
}

/// The snapshot as the sweep sees it.
pub(super) fn sink(run: &RunFolder, writer: &Arc<SnapshotWriter>, stop: &Stop) -> Arc<dyn Sink> {
    let copies = run.remote().map(|remote| Copies {
        remote: Arc::clone(remote),
        dir: run.dir().to_path_buf(),
        stop: stop.clone(),
        failed: Mutex::default(),
    });
    Arc::new(Kept { writer: Arc::clone(writer), copies })
}

/// A snapshot on disk; each file is copied to the bucket that the run goes to, if it goes to one.
struct Kept {
    writer: Arc<SnapshotWriter>,
    copies: Option<Copies>,
}

/// Where its files are copied to.
struct Copies {
    remote: Arc<Remote>,
    /// Of the run.
    dir: PathBuf,
    stop: Stop,
    /// When a file could last not be copied.
    failed: Mutex<Option<Instant>>,
}

impl Copies {
    /// Copies a file that has just been completed, if it can be: what is left is copied when the snapshot is sealed. A
    /// bucket that does not answer for a while must not cost what lies on this machine.
    fn copy(&self, writer: &SnapshotWriter, file: &str) {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some_and(|at| at.elapsed() < COPIED_AGAIN) {
            return;
        }
        if let Err(error) = self.remote.put_completed(writer, &self.dir, file, &self.stop) {
            let before = self.failed.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now());
            if before.is_none() {
                let said = visible(&format!("{error:#}"));
                out::say(&format!("warning: {said}; files are kept in {} and copied later\n", self.dir.display()));
            }
        }
    }
}

impl Kept {
    fn copied(&self, file: &str) {
        if let Some(copies) = &self.copies {
            copies.copy(&self.writer, file);
        }
    }
}

impl Sink for Kept {
    fn done(&self, file: &str) -> bool {
        self.writer.done(file)
    }

    fn read(&self, file: &str) -> Result<Vec<Line>, String> {
        self.writer.read(file).map_err(whole_chain)
    }

    fn organization(&self) -> Result<Option<Organization>, String> {
        self.writer.organization().map_err(whole_chain)
    }

    fn write_lines(&self, file: &str, lines: Vec<Line>) -> Result<(), String> {
        self.writer.write_lines(file, lines).map_err(whole_chain)?;
        self.copied(file);
        Ok(())
    }

    fn write_organization(&self, organization: &Organization) -> Result<(), String> {
        self.writer.write_organization(organization).map_err(whole_chain)?;
        self.copied(ORGANIZATION);
        Ok(())
    }
}

fn whole_chain(error: SnapshotError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

pub(super) fn explained(error: CollectError) -> anyhow::Error {
    let help = match &error {
        CollectError::NoCredentials(_) | CollectError::Caller(_) => {
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
fn nobody_let_in(writer: Arc<SnapshotWriter>, outcome: &CollectOutcome, keep: bool) -> anyhow::Error {
    let message = nobody(&writer, outcome);
    if !keep
        && let Some(writer) = Arc::into_inner(writer)
        && let Err(error) = writer.discard()
    {
        return error.into();
    }
    let help =
        "`locard role` prints the role every account needs, `locard role --document caller` what the caller needs";
    Refused::no_result(message, help)
}

fn say_nobody_let_in(writer: &SnapshotWriter, outcome: &CollectOutcome, shard: Shard) {
    match outcome.accounts {
        0 => out::say(&format!("no active account is in shard {shard}: its snapshot is empty\n")),
        _ => out::say(&format!("warning: shard {shard}: {}\n", visible(&nobody(writer, outcome)))),
    }
}

/// That no account could be entered, and why not the first.
fn nobody(writer: &SnapshotWriter, outcome: &CollectOutcome) -> String {
    let refusal = first_refusal(writer);
    let count = match outcome.accounts {
        0 => "no active account was found to enter".to_owned(),
        1 => "the account could not be entered".to_owned(),
        n => format!("none of {n} accounts could be entered"),
    };
    format!("{count}{}", refusal.map_or_else(String::new, |said| format!(": {said}")))
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
        profile: args.access.profile.clone(),
        endpoint_url: args.access.endpoint_url.clone(),
        role: args.access.role.clone().unwrap_or_else(|| config.role.clone()),
        external_id: args.access.external_id.clone().or_else(|| config.external_id.clone()),
        source_identity: config.source_identity.clone(),
        accounts: args.accounts.clone(),
        organizational_units: args.units.clone(),
        regions,
        skip_regions: config.skip_regions.clone(),
        lookback_days: bounded(config.requirements.ai_lookback_days)?,
        max_described_jobs: bounded(config.requirements.max_described_jobs)?,
        shard: args.shard,
        limits: Limits { share: args.max_rate.unwrap_or(config.max_rate), ..Limits::from(config.timeouts) },
        ..Options::default()
    })
}
