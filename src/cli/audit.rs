//! `locard audit`: collect, judge, report.

use clap::Args;

use crate::cli::args::{Global, Output, Rules};
use crate::cli::collect::{self, Phase, SweepArgs};
use crate::cli::exit::Exit;
use crate::cli::pipeline;
use crate::files::SnapshotReader;

#[derive(Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    sweep: SweepArgs,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    rules: Rules,
}

/// Findings alone never fail an audit; if the configuration has a gate, its verdict is the exit code.
pub(super) fn run(global: &Global, args: AuditArgs) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let rules = pipeline::rules(&args.rules)?;
    let swept = collect::sweep(global, &config, &args.sweep)?;
    if swept.interrupted {
        return Ok(Exit::Interrupted);
    }
    // From disk, through the same door as `evaluate`: what is judged is what was sealed.
    let reader = SnapshotReader::open(&swept.run.snapshot(), Some(&swept.digest))?;
    let draft = pipeline::judge(reader, &rules, &config, None, swept.run.dir())?;
    let exit = pipeline::conclude(draft, &config, &swept.run, &args.output, global)?;
    swept.listening.enter(Phase::Delivered);
    Ok(exit)
}
