//! `locard merge`: the snapshots of shards as one, completed by what they reach in each other's accounts.
//!
//! What makes them the shards of one run is decided in `merge`; the sealed snapshots themselves are only read.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Args;
use rayon::prelude::*;

#[cfg(feature = "aws")]
use crate::cli::args::AccessArgs;
use crate::cli::args::Global;
use crate::cli::exit::{Exit, Refused, visible};
use crate::cli::out;
use crate::cli::pipeline::{now, run_id};
use crate::cli::place::{Credentials, Place, Resume, RunFolder, Sources, StoreArgs};
use crate::config::Config;
use crate::files::{Ending, SNAPSHOT, SnapshotReader, SnapshotWriter};
use crate::inventory::Fact;
use crate::merge::{self, Part, Whole};
use crate::model::ids::{AccountId, Arn, Partition, Region};
use crate::relate::done::Unread;

#[derive(Args)]
pub(super) struct MergeArgs {
    /// Snapshots of the shards, the runs that left them, or a folder of such runs; each may be s3://bucket/prefix
    #[arg(value_name = "SHARD", required = true, value_parser = Place::parse)]
    shards: Vec<Place>,
    /// Folder of the merged run, or s3://bucket/prefix; the snapshot goes into DIR/snapshot
    #[arg(long, value_name = "DIR", default_value = "locard-out", value_parser = Place::parse, help_heading = "Result")]
    out: Place,
    /// Go on with the interrupted merge there; =if-begun: begin if there is none
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
    /// Merge what is there; the accounts of missing shards are unknown in every result
    #[arg(long, help_heading = "Result")]
    allow_missing: bool,
    /// Call nobody; what workloads of one shard reach in accounts of another stays unknown
    #[arg(long, help_heading = "Result")]
    offline: bool,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    access: AccessArgs,
    #[cfg(not(feature = "aws"))]
    #[command(flatten)]
    credentials: Credentials,
    #[command(flatten)]
    store: StoreArgs,
}

impl MergeArgs {
    fn credentials(&self) -> Credentials {
        #[cfg(feature = "aws")]
        return self.access.credentials();
        #[cfg(not(feature = "aws"))]
        self.credentials.clone()
    }
}

/// What the second pass of a merge came to.
#[derive(Default)]
struct Completion {
    /// Who read, if anybody did.
    by: Option<String>,
    calls: std::collections::BTreeMap<String, crate::inventory::snapshot::CallCount>,
    clock_skew_seconds: Option<i64>,
    /// Things that nobody read.
    unread: u64,
    interrupted: bool,
    /// Why AWS could no longer be asked.
    cut_off: Option<anyhow::Error>,
    /// A signal once listened for no longer ends the process by itself.
    #[cfg(feature = "aws")]
    listening: Option<crate::cli::collect::Listening>,
}

pub(super) fn run(global: &Global, args: MergeArgs) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let credentials = args.credentials();
    let sources = Sources::find(&args.shards, &args.store, &credentials, args.allow_missing)?;
    for unsealed in &sources.unsealed {
        out::say(&format!("warning: {} is not finished, and taken for missing\n", visible(unsealed)));
    }
    let readers = sources.all.par_iter().map(|source| source.open(None)).collect::<anyhow::Result<Vec<_>>>()?;
    let whole = whole(&sources, &readers, args.allow_missing)?;
    let mut reached = reached(&readers, &whole)?;
    let run = RunFolder::open(&args.out, &args.store, &credentials)?;
    let resume = run.begun(args.resume)?;
    let merged = assemble(&readers, &whole, &run, resume).and_then(|writer| {
        if resume {
            add_read(&writer, &mut reached)?;
        }
        let completion = complete(global, &config, &args, &whole, &reached, &run, &writer)?;
        let digest = seal(&whole, &completion, &run, &writer)?;
        Ok((completion, digest))
    });
    let (mut completion, digest) = merged.inspect_err(|_| run.rescue())?;
    #[cfg(feature = "aws")]
    if let Some(listening) = &completion.listening {
        listening.enter(crate::cli::collect::Phase::Judging);
    }
    for line in warnings(&whole, &completion) {
        out::say(&format!("warning: {}\n", visible(&line)));
    }
    out::print(&format!("{}\nsha256 {digest}\n", run.shown(SNAPSHOT)))?;
    #[cfg(feature = "aws")]
    if let Some(listening) = &completion.listening {
        listening.enter(crate::cli::collect::Phase::Delivered);
    }
    if let Some(error) = completion.cut_off.take() {
        return Err(error);
    }
    Ok(if completion.interrupted { Exit::Interrupted } else { Exit::Done })
}

/// What the shards make together, if they are those of one run.
fn whole(sources: &Sources, readers: &[SnapshotReader], allow_missing: bool) -> anyhow::Result<Whole> {
    let parts = sources.all.iter().zip(readers).map(|(source, reader)| {
        Ok(Part {
            place: source.shown.clone(),
            manifest: reader.manifest().clone(),
            digest: reader.manifest_digest().to_owned(),
            organization: reader.organization()?,
            accounts: reader.accounts(),
        })
    });
    let parts = parts.collect::<anyhow::Result<Vec<Part>>>()?;
    merge::whole(parts, allow_missing).map_err(|error| {
        let help = match error.only_missing {
            true => "collect them, or go without their accounts with --allow-missing",
            false => "name each shard of one run once",
        };
        Refused::usage(error.to_string(), help)
    })
}

/// What all shards together reach and none has read.
fn reached(readers: &[SnapshotReader], whole: &Whole) -> anyhow::Result<Unread> {
    let accounts: Vec<_> =
        readers.iter().flat_map(|reader| reader.accounts().into_iter().map(move |account| (reader, account))).collect();
    let each = accounts.par_iter().map(|(reader, account)| -> anyhow::Result<(Unread, BTreeSet<Region>)> {
        let facts = reader.account(account)?;
        let mut unread = Unread::default();
        unread.add(account, &facts.lines);
        let read = facts.lines.iter().filter_map(|line| match &line.fact {
            Fact::Account(entry) => Some(entry.read_regions.clone()),
            _ => None,
        });
        Ok((unread, read.flatten().collect()))
    });
    let (unread, read) = each.try_reduce(Default::default, |(mut unread, mut read), (other, regions)| {
        unread.merge(other);
        read.extend(regions);
        Ok((unread, read))
    })?;
    if unread.entered() == 0 {
        let message = format!("no account could be entered in {}", counted(whole.merged.shards.len(), "shard"));
        return Err(Refused::no_result(message, "`locard role` prints the role every account needs"));
    }
    // As for a run over all of them: it is a typing error, and "no AI" would be the answer to it.
    if let Some(region) = whole.plan.regions.iter().find(|region| !read.contains(region)) {
        let message = format!("region {region} is not enabled in any account that was entered");
        return Err(Refused::no_result(message, "collect the shards without that --region"));
    }
    Ok(unread)
}

/// Adds what an earlier attempt has read across shards.
fn add_read(writer: &SnapshotWriter, reached: &mut Unread) -> anyhow::Result<()> {
    let each = writer.files().into_par_iter().map(|file| -> anyhow::Result<Unread> {
        let mut read = Unread::default();
        if let Some(account) = file.strip_prefix("accounts/").and_then(|file| file.strip_suffix("/reached.jsonl.zst")) {
            read.add_read(&AccountId::new(account), &writer.read(&file)?);
        }
        Ok(read)
    });
    reached.merge(each.try_reduce(Unread::default, |mut all, one| {
        all.merge(one);
        Ok(all)
    })?);
    Ok(())
}

/// The files of all shards in one snapshot.
fn assemble(
    readers: &[SnapshotReader],
    whole: &Whole,
    run: &RunFolder,
    resume: bool,
) -> anyhow::Result<Arc<SnapshotWriter>> {
    let dir = run.snapshot();
    let writer = match resume {
        true => {
            // Before anything is touched: a seal is broken by going on.
            if SnapshotWriter::merged_from(&dir)?.map(|merged| merged.shards).as_ref() != Some(&whole.merged.shards) {
                let message = format!("{} was begun with other snapshots than these", run.shown(SNAPSHOT));
                return Err(Refused::usage(message, "repeat the command as it was, or choose another --out"));
            }
            SnapshotWriter::resume(&dir, &whole.plan)?
        }
        false => {
            SnapshotWriter::merge(&dir, &whole.plan, &run_id(&whole.plan, now()), whole.as_of, whole.merged.clone())?
        }
    };
    match run.remote() {
        Some(remote) if resume => remote.unseal()?,
        Some(remote) => remote.claim(run.dir())?,
        None => {}
    }
    writer.write_organization(&whole.organization)?;
    let mut files = Vec::new();
    for reader in readers {
        files.extend(reader.account_files()?.into_iter().map(|file| (reader, file)));
    }
    files.par_iter().try_for_each(|(reader, (file, lines))| writer.adopt(reader, file, *lines))?;
    Ok(Arc::new(writer))
}

fn seal(whole: &Whole, completion: &Completion, run: &RunFolder, writer: &SnapshotWriter) -> anyhow::Result<String> {
    let ending = Ending {
        finished_at: now(),
        clock_skew_seconds: merge::worst([whole.clock_skew_seconds, completion.clock_skew_seconds]),
        complete: whole.complete && completion.unread == 0 && !completion.interrupted,
        calls: merge::calls([&whole.calls, &completion.calls]),
    };
    let digest = writer.finish_merged(ending, completion.by.clone(), completion.unread)?;
    run.copy(writer, completion.interrupted || completion.cut_off.is_some())?;
    Ok(digest)
}

/// What must not be overlooked in a merged snapshot.
fn warnings(whole: &Whole, completion: &Completion) -> Vec<String> {
    let mut said = Vec::new();
    if let Some((first, last)) = whole.far_apart {
        said.push(format!(
            "the shards were begun between {first} and {last}: results are as of the first, and what is older may have \
             changed"
        ));
    }
    let missing = whole.merged.missing();
    if !missing.is_empty() {
        let listed = merge::listed(&missing);
        said.push(format!("{listed} of {} missing: their accounts are unknown in every result", whole.merged.of));
    }
    let cut: Vec<u32> =
        whole.merged.shards.iter().filter(|shard| !shard.complete).map(|shard| shard.shard.index()).collect();
    if !cut.is_empty() {
        said.push(format!("{} interrupted: what they did not come to is unknown", merge::listed(&cut)));
    }
    if completion.unread > 0 {
        said.push(format!(
            "{} that workloads of one shard reach in accounts of another was not read, and is unknown in every result; \
             the same command with --resume and credentials reads it",
            counted(usize::try_from(completion.unread).unwrap_or(usize::MAX), "thing")
        ));
    }
    said
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn home(whole: &Whole) -> Region {
    let partition =
        Arn::parse(&whole.plan.caller).map_or_else(|| Partition::new("aws"), |arn| Partition::new(arn.partition));
    partition.home_region()
}

/// Reads what is reached across shards, if anything is and somebody may.
#[cfg(feature = "aws")]
fn complete(
    global: &Global,
    config: &Config,
    args: &MergeArgs,
    whole: &Whole,
    reached: &Unread,
    run: &RunFolder,
    writer: &Arc<SnapshotWriter>,
) -> anyhow::Result<Completion> {
    use crate::cli::collect;
    use crate::collect::runner;

    let (unread, before) = (left(reached, whole), writer.completed_by().map(str::to_owned));
    if unread == 0 || args.offline {
        return Ok(Completion { unread, by: before, ..Completion::default() });
    }
    let options = options(config, args, whole)?;
    let runtime = collect::runtime()?;
    let stop = options.stop.clone();
    let listening = collect::Listening::begin(runtime, &stop, run);
    let runtime = listening.runtime();
    let Some(connected) = runtime.block_on(stop.or(runner::connect(options))) else {
        return Err(collect::nothing_read(&stop));
    };
    let collection = match connected {
        Ok(collection) => collection,
        Err(error) => {
            let nobody = matches!(error, runner::CollectError::NoCredentials(_));
            if nobody {
                out::say(&format!("warning: merging as with --offline: {}\n", visible(&error.to_string())));
            }
            // Whoever has credentials wanted it read.
            let cut_off = (!nobody).then(|| {
                let message = format!("{error}; the snapshot is sealed as incomplete");
                Refused::no_result(message, "go on with --resume, or merge with --offline")
            });
            return Ok(Completion { unread, by: before, cut_off, listening: Some(listening), ..Completion::default() });
        }
    };
    let (run_id, as_of) = (writer.run_id().to_owned(), writer.as_of());
    let sink = collect::sink(run, writer, &stop);
    let completing = collection.complete(&run_id, as_of, &whole.organization, sink, collect::progress(global));
    let outcome = runtime.block_on(completing).map_err(collect::explained)?;
    collect::warn_of_lost(outcome.lost, outcome.ended_early);
    if outcome.ended_early.is_some() {
        out::say("ended early: what is complete was kept; the same command with --resume goes on\n");
    }
    Ok(Completion {
        by: Some(collection.caller().to_owned()),
        calls: outcome.calls,
        clock_skew_seconds: outcome.clock_skew_seconds,
        // How much is left of it is not known, but something may be.
        unread: if outcome.ended_early.is_some() { unread } else { 0 },
        interrupted: outcome.ended_early == Some(runner::Cause::Interrupted),
        cut_off: collect::cut_off(outcome.ended_early),
        listening: Some(listening),
    })
}

#[cfg(not(feature = "aws"))]
fn complete(
    _global: &Global,
    _config: &Config,
    _args: &MergeArgs,
    whole: &Whole,
    reached: &Unread,
    _run: &RunFolder,
    writer: &Arc<SnapshotWriter>,
) -> anyhow::Result<Completion> {
    let by = writer.completed_by().map(str::to_owned);
    Ok(Completion { unread: left(reached, whole), by, ..Completion::default() })
}

fn left(reached: &Unread, whole: &Whole) -> u64 {
    reached.count(&home(whole), &whole.plan.skip_regions)
}

/// Everything as the shards were collected; only how to get in is told anew.
#[cfg(feature = "aws")]
fn options(config: &Config, args: &MergeArgs, whole: &Whole) -> anyhow::Result<crate::collect::runner::Options> {
    use crate::collect::runner;

    let plan = &whole.plan;
    if plan.operations != runner::operations() {
        let message = "the shards were collected by another version of locard, which makes other calls";
        return Err(Refused::usage(message, "merge them with that version, or with --offline"));
    }
    if let Some(role) = args.access.role.as_ref().filter(|role| **role != plan.role) {
        let message = format!("the shards were collected through role {}, not {role}", plan.role);
        return Err(Refused::usage(message, "leave --role out"));
    }
    Ok(runner::Options {
        profile: args.access.profile.clone(),
        endpoint_url: args.access.endpoint_url.clone(),
        role: plan.role.clone(),
        external_id: args.access.external_id.clone().or_else(|| config.external_id.clone()),
        source_identity: config.source_identity.clone(),
        accounts: plan.accounts.clone(),
        organizational_units: plan.organizational_units.clone(),
        regions: plan.regions.clone(),
        skip_regions: plan.skip_regions.clone(),
        lookback_days: plan.ai_lookback_days,
        max_described_jobs: plan.max_described_jobs,
        limits: runner::Limits { share: config.max_rate, ..runner::Limits::from(config.timeouts) },
        ..runner::Options::default()
    })
}
