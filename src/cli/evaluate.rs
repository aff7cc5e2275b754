//! `locard evaluate`: judge a snapshot without AWS.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::args::{Global, Output, Rules};
use crate::cli::exit::{Exit, Refused};
use crate::cli::pipeline;
use crate::files::{MANIFEST, RESULTS, SNAPSHOT, SnapshotReader};
use crate::model::time::Timestamp;
use crate::results::stream;

#[derive(Args)]
pub(super) struct EvaluateArgs {
    /// Folder of the snapshot, or of the run that left it
    #[arg(value_name = "SNAPSHOT")]
    snapshot: PathBuf,
    /// Folder the results go to
    #[arg(long, value_name = "DIR", default_value = "locard-out", help_heading = "Result")]
    out: PathBuf,
    /// Replace the results of another run in that folder
    #[arg(long, help_heading = "Result")]
    force: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    rules: Rules,
    /// Judge exceptions as of this instant, such as 2026-01-31T00:00:00Z; default: start of collection
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    as_of: Option<Timestamp>,
    /// Refuse the snapshot unless its manifest has this SHA-256, as its run printed it
    #[arg(long, value_name = "SHA256")]
    expect_digest: Option<String>,
}

pub(super) fn run(global: &Global, args: EvaluateArgs) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let rules = pipeline::rules(&args.rules)?;
    if !args.snapshot.is_dir() {
        let message = format!("{} is no folder", args.snapshot.display());
        return Err(Refused::usage(message, "name a snapshot, or the run that holds one"));
    }
    let reader = SnapshotReader::open(&snapshot_in(&args.snapshot), args.expect_digest.as_deref())?;
    if !args.force {
        keep_other_run(&args.out, &reader)?;
    }
    let draft = pipeline::judge(&reader, &rules, &config, args.as_of, &args.out)?;
    pipeline::conclude(draft, &config, &args.out, &args.output, global)
}

/// A run's folder stands for the snapshot in it.
fn snapshot_in(path: &Path) -> PathBuf {
    let inner = path.join(SNAPSHOT);
    if !path.join(MANIFEST).exists() && inner.is_dir() { inner } else { path.to_path_buf() }
}

/// Judging a snapshot again replaces its own results, which come out of it at any time; those of another are kept.
fn keep_other_run(out: &Path, reader: &SnapshotReader) -> anyhow::Result<()> {
    if !out.join(RESULTS).exists() {
        return Ok(());
    }
    let same = pipeline::read(out, stream::read_run).is_ok_and(|run| run.snapshot_digest == reader.manifest_digest());
    if same {
        return Ok(());
    }
    let message = format!("{} already holds the results of another run", out.display());
    Err(Refused::usage(message, "choose another --out, or replace them with --force"))
}
