//! Audits a small AWS organization that lives in this process: no AWS account, no network, no cost.
//!
//! Each of its accounts, written down in `examples/estate.yaml`, tells one story. The report is left in `demo-out/`. With
//! arguments it is locard itself, so that `cargo run --example demo -- gate demo-out` works on the result.

#![expect(clippy::print_stderr, reason = "an example speaks to people")]

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, anyhow};
use locard_simulator::{Estate, Settings};

const OUT: &str = "demo-out";
const STORIES: &str = include_str!("estate.yaml");

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        return locard::cli::main();
    }
    demo().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn demo() -> anyhow::Result<ExitCode> {
    let estate = Estate::from_yaml(STORIES, jiff::Timestamp::now()).map_err(|problems| anyhow!("{problems}"))?;
    let simulator = locard_simulator::start(estate, Settings::default()).context("cannot start the simulator")?;
    make_room()?;
    let args = ["audit", "--endpoint-url", &simulator.url(), "--out", OUT];
    eprintln!("+ locard {}", args.join(" "));
    // Credentials reach the SDK through the environment, and only that of a new process can be chosen; so this program
    // starts itself once more, as locard. Nothing of the AWS configuration at hand may be used instead.
    let credentials = simulator.credentials();
    let mut locard = Command::new(std::env::current_exe().context("cannot find this program")?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        locard.env_remove(name);
    }
    let nowhere = Path::new(OUT).join("no-aws-configuration");
    let status = locard
        .args(args)
        .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", &nowhere)
        .env("AWS_SHARED_CREDENTIALS_FILE", &nowhere)
        .stdin(Stdio::null())
        .status()
        .context("cannot start locard")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    if code != 0 {
        return Ok(ExitCode::from(code));
    }
    let report = Path::new(OUT).join("report.html");
    let report = report.canonicalize().with_context(|| format!("locard left no {}", report.display()))?;
    eprintln!("the report: {}", report.display());
    Ok(ExitCode::SUCCESS)
}

/// Takes away the result of an earlier demo, and nothing else.
fn make_room() -> anyhow::Result<()> {
    let out = Path::new(OUT);
    if !out.exists() {
        return Ok(());
    }
    let entries = out.read_dir().with_context(|| format!("cannot read {OUT}"))?;
    for entry in entries {
        let name = entry.with_context(|| format!("cannot read {OUT}"))?.file_name();
        let ours = ["snapshot", "results.json", "report.html", "report.md"].iter().any(|known| name == **known);
        if !ours {
            return Err(anyhow!("{OUT} holds `{}`, which no demo left there; move it away", name.display()));
        }
    }
    std::fs::remove_dir_all(out).with_context(|| format!("cannot remove {OUT}"))
}
