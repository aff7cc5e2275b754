//! The command line: arguments, one file a subcommand, and the only place that prints.
//!
//! What a command does is elsewhere; each `run` reads as the steps it takes.

mod args;
#[cfg(feature = "aws")]
mod audit;
mod checks;
#[cfg(feature = "aws")]
mod collect;
mod evaluate;
pub mod exit;
mod gate;
mod merge;
mod out;
mod pipeline;
mod place;
#[cfg(feature = "aws")]
mod remote;
#[cfg(not(feature = "aws"))]
#[path = "no_remote.rs"]
mod remote;
mod report;
mod role;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use args::Global;
use exit::{Exit, Refused};

/// Could you answer an investigator's questions about your AI workloads on AWS?
///
/// locard reads the configuration of an AWS organization through a read-only role, finds its AI workloads, and judges
/// the evidence they would leave. What could not be read is unknown, never passed nor failed.
#[derive(Parser)]
#[command(
    name = "locard",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done; a gate that was asked for passed
  1    no result could be produced, for instance no account could be entered
  2    wrong usage, configuration or check
  3    the gate failed
  4    the gate cannot be decided: too much is unknown
  5    verification failed: a snapshot is not what was sealed
  130  interrupted
Findings alone never fail an audit. Where several hold: 1 before 2, 5, 3, 4.";

#[derive(Subcommand)]
enum Command {
    /// Collect, judge and report
    #[cfg(feature = "aws")]
    Audit(audit::AuditArgs),
    /// Collect only: leave a snapshot to be judged later
    #[cfg(feature = "aws")]
    Collect(collect::CollectArgs),
    /// Judge a snapshot, offline
    Evaluate(evaluate::EvaluateArgs),
    /// Put the snapshots of shards together, and read what they reach in each other's accounts
    Merge(merge::MergeArgs),
    /// Write the results of a run in another format
    Report(report::ReportArgs),
    /// Decide whether a run is good enough, as an exit code
    Gate(gate::GateArgs),
    /// List, show, lint and test what is judged
    Checks(checks::ChecksArgs),
    /// Print the read-only role an audit needs
    Role(role::RoleArgs),
}

/// Parses the command line, runs it and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results; their pipe may be closed as any other.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Done.code() });
        }
    };
    cli.global.color.write_global();
    let exit = run(cli).unwrap_or_else(|error| {
        out::say(&exit::describe(&error));
        exit::of_error(&error)
    });
    ExitCode::from(exit.code())
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    start_log(&cli.global)?;
    let global = &cli.global;
    match cli.command {
        #[cfg(feature = "aws")]
        Command::Audit(args) => audit::run(global, args),
        #[cfg(feature = "aws")]
        Command::Collect(args) => collect::run(global, args),
        Command::Evaluate(args) => evaluate::run(global, args),
        Command::Merge(args) => merge::run(global, args),
        Command::Report(args) => report::run(args),
        Command::Gate(args) => gate::run(global, args),
        Command::Checks(args) => checks::run(args),
        Command::Role(args) => role::run(global, args),
    }
}

/// Diagnostics go to stderr. `LOCARD_LOG` holds filter directives as tracing-subscriber has them.
fn start_log(global: &Global) -> anyhow::Result<()> {
    // The SDK warns of each retry; what matters of it is counted in the snapshot.
    let default = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn,aws=error",
        (false, 1) => "warn,aws=error,locard=info",
        (false, 2) => "info,aws=warn,locard=debug",
        (false, _) => "debug",
    };
    let directives = match std::env::var("LOCARD_LOG") {
        Ok(text) if !text.trim().is_empty() => text,
        _ => default.to_owned(),
    };
    let filter = EnvFilter::try_new(&directives)
        .map_err(|e| Refused::usage(format!("LOCARD_LOG: {e}"), "write it as `warn` or `warn,locard=debug`"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(out::stderr_takes_colour())
        .with_target(global.verbose > 1)
        .without_time()
        .init();
    Ok(())
}
