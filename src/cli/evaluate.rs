//! `locard evaluate`: judge a snapshot without AWS.

use clap::Args;

use crate::assess::SOME_CHECKS;
use crate::cli::args::{Global, Output, Rules};
use crate::cli::exit::{Exit, Refused};
use crate::cli::pipeline;
use crate::cli::place::{Credentials, Place, RunFolder, Sources, StoreArgs};
use crate::files::SnapshotReader;
use crate::model::time::Timestamp;

#[derive(Args)]
pub(super) struct EvaluateArgs {
    /// Folder of the snapshot, or of the run that left it; or s3://bucket/prefix
    #[arg(value_name = "SNAPSHOT", value_parser = Place::parse)]
    snapshot: Place,
    /// Folder the results go to, or s3://bucket/prefix
    #[arg(long, value_name = "DIR", default_value = "locard-out", value_parser = Place::parse, help_heading = "Result")]
    out: Place,
    /// Replace the results of another run in that folder
    #[arg(long, help_heading = "Result")]
    force: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    credentials: Credentials,
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
    let (source, _fetched) = Sources::one(&args.snapshot, &args.store, &args.credentials)?;
    let reader = source.open(args.expect_digest.as_deref())?;
    let out = RunFolder::open(&args.out, &args.store, &args.credentials)?;
    if !args.force {
        keep_other_run(&out, &reader, &args.rules)?;
    }
    let draft = pipeline::judge(reader, &rules, &config, args.as_of, out.dir())?;
    pipeline::conclude(draft, &config, &out, &args.output, global)
}

/// Judging a snapshot again replaces its own results, which come out of it at any time; those of another are kept, and
/// those of all checks where only some are run.
fn keep_other_run(out: &RunFolder, reader: &SnapshotReader, rules: &Rules) -> anyhow::Result<()> {
    match out.judged()? {
        None => Ok(()),
        Some(Ok(run)) if run.snapshot_digest == reader.manifest_digest() => {
            if !rules.only.is_empty() && !run.partial_reasons.iter().any(|reason| reason == SOME_CHECKS) {
                let message = "the folder holds the results of all checks, and --check asks for some";
                return Err(Refused::usage(message, "choose another --out, or replace them with --force"));
            }
            Ok(())
        }
        Some(_) => Err(out.taken("choose another --out, or replace them with --force")),
    }
}
