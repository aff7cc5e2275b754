//! `locard gate`: whether a run is good enough, as an exit code.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::exit::{Exit, visible};
use crate::cli::{out, pipeline};
use crate::config::Gate;
use crate::gate::{self, Tally};
use crate::results::{GateResult, GateVerdict};

#[derive(Args)]
pub(super) struct GateArgs {
    /// Folder of a run, or its results.json
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Organization score the run must reach for certain, 0 to 100; overrides the configuration
    #[arg(long, value_name = "N", value_parser = score)]
    min_score: Option<f64>,
}

pub(super) fn run(global: &Global, args: GateArgs) -> anyhow::Result<Exit> {
    let mut wanted = global.config()?.gate;
    wanted.min_score = args.min_score.or(wanted.min_score);
    if !asks(&wanted) {
        out::say("warning: the gate asks for nothing: give --min-score, or set `gate` in the configuration\n");
    }
    let tally = pipeline::read(&args.run, Tally::read)?;
    let result = gate::judge(&tally, &wanted);
    out::print(&text(&result, global.quiet))?;
    Ok(exit_of(&result))
}

fn score(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(score) if (0.0..=100.0).contains(&score) => Ok(score),
        _ => Err("a score is a number from 0 to 100".to_owned()),
    }
}

/// Whether a gate has any condition.
pub(super) fn asks(gate: &Gate) -> bool {
    gate.min_score.is_some() || gate.fail_on.is_some() || gate.min_coverage.is_some() || !gate.allow_replaced_checks
}

/// What a gate's verdict ends the process with.
pub(super) fn exit_of(result: &GateResult) -> Exit {
    match result.verdict {
        GateVerdict::Passed => Exit::Done,
        GateVerdict::Failed => Exit::GateFailed,
        GateVerdict::Undecided => Exit::GateUndecided,
    }
}

/// Every condition with what was wanted, what was got and the verdict; then the verdict of all.
pub(super) fn text(result: &GateResult, quiet: bool) -> String {
    let verdict = format!("gate {}\n", result.verdict.word());
    if quiet {
        return verdict;
    }
    let header = ["condition".to_owned(), "wanted".to_owned(), "got".to_owned(), "verdict".to_owned()];
    let rows = result.conditions.iter().map(|c| [&c.name, &c.wanted, &c.got].map(|cell| visible(cell)));
    let rows =
        rows.zip(&result.conditions).map(|([name, wanted, got], c)| [name, wanted, got, c.verdict.word().into()]);
    let rows: Vec<[String; 4]> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(&row[3]);
        text.push('\n');
        let checks = index.checked_sub(1).map(|at| result.conditions[at].checks.as_slice()).unwrap_or(&[]);
        if !checks.is_empty() {
            text.push_str(&format!("  checks: {}\n", visible(&checks.join(", "))));
        }
    }
    text + &verdict
}
