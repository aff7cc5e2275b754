//! Starts the simulated organization, prints what it consists of, or works out what a journal had to take.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use locard_simulator::bare::{self, Load};
use locard_simulator::estate::{DEFAULT_REGIONS, Plan as Size};
use locard_simulator::faults::Plan;
use locard_simulator::journal::{Bound, Entry, Terms};
use locard_simulator::{Estate, Settings, limits, start};

/// An AWS organization in memory, to audit without AWS.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve an organization until interrupted; prints the URL and the caller's credentials as shell variables.
    Serve(Serve),
    /// Print a made-up organization as the YAML it could be read from.
    Generate(Organization),
    /// Work out how long a sweep with this journal had to take at least.
    Bound(BoundArgs),
    /// Make the calls of a sweep with a bare client, and say how many a second this machine can.
    Bare(Bare),
}

#[derive(Args)]
struct Organization {
    /// Read the organization from a YAML file instead of making one up
    #[arg(long, conflicts_with_all = ["accounts", "regions", "seed"])]
    estate: Option<PathBuf>,
    /// Accounts to make up
    #[arg(long, default_value_t = 12, value_parser = from_one)]
    accounts: usize,
    /// Regions each made-up account has
    #[arg(long, default_value_t = 17, value_parser = regions)]
    regions: usize,
    /// Which of the made-up organizations
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    organization: Organization,
    /// Address and port; port 0 is any that is free
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// From a request to the beginning of its answer: 60ms, 1s
    #[arg(long, default_value = "0ms", value_parser = duration)]
    latency: Duration,
    /// Rate limits to hold callers to
    #[arg(long, value_enum, default_value_t = Limits::None)]
    limits: Limits,
    /// What goes wrong: a YAML file, or the YAML itself
    #[arg(long)]
    faults: Option<String>,
    /// Longest a session lasts, whatever is asked for
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    session_seconds: Option<u64>,
    /// Seconds the server's clock is ahead
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    ahead: i64,
    /// Threads that answer
    #[arg(long, default_value_t = 2, value_parser = from_one)]
    threads: usize,
    /// Write every request to this file as JSON Lines, when interrupted
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Write requests down for `bare --replay`, until POST /_simulator/recorded
    #[arg(long)]
    record: Option<PathBuf>,
}

#[derive(Args)]
struct BoundArgs {
    journal: PathBuf,
    #[arg(long, default_value = "0ms", value_parser = duration)]
    latency: Duration,
    #[arg(long, value_enum, default_value_t = Limits::None)]
    limits: Limits,
    /// Microseconds of CPU a call costs its caller at least
    #[arg(long, default_value_t = 0)]
    cpu_us: u64,
    /// Cores the caller has
    #[arg(long, default_value_t = 1)]
    cores: u32,
}

#[derive(Args)]
struct Bare {
    /// Of the server: what `serve` printed
    #[arg(long)]
    endpoint_url: String,
    #[arg(long, default_value = "LocardAudit")]
    role: String,
    #[arg(long, default_value_t = 100)]
    accounts: usize,
    #[arg(long, default_value_t = 17)]
    regions: usize,
    /// Make the very requests that `serve --record` wrote down, on the same server
    #[arg(long, conflicts_with_all = ["role", "accounts", "regions"])]
    replay: Option<PathBuf>,
    /// Requests under way at a time
    #[arg(long, default_value_t = 64)]
    at_a_time: usize,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Limits {
    /// Those AWS publishes
    Published,
    None,
}

impl Limits {
    fn limits(self) -> Vec<limits::Limit> {
        match self {
            Self::Published => limits::published(),
            Self::None => Vec::new(),
        }
    }
}

fn from_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a number from 1".to_owned()),
        Ok(number) => Ok(number),
    }
}

fn regions(text: &str) -> Result<usize, String> {
    let most = DEFAULT_REGIONS.len();
    from_one(text).ok().filter(|number| *number <= most).ok_or_else(|| format!("a number from 1 to {most}"))
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve(&args),
        Command::Generate(args) => generate(&args),
        Command::Bound(args) => bound(&args),
        Command::Bare(args) => bare(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &Serve) -> Result<(), String> {
    let faults = match &args.faults {
        None => Plan::default(),
        Some(text) if text.trim_start().starts_with(['{', 's', 'r']) && text.contains(':') => Plan::parse(text)?,
        Some(path) => Plan::parse(&read(&PathBuf::from(path))?)?,
    };
    let settings = Settings {
        listen: args.listen,
        latency: args.latency,
        limits: args.limits.limits(),
        faults,
        longest_session: args.session_seconds.map(Duration::from_secs),
        ahead: args.ahead,
        threads: args.threads,
        record: args.record.clone(),
    };
    let estate = estate(&args.organization)?;
    let failed = |error, path: &Path| format!("cannot write {}: {error}", path.display());
    let journal = match &args.journal {
        Some(path) => Some((path, File::create(path).map_err(|error| failed(error, path))?)),
        None => None,
    };
    let running = start(estate, settings).map_err(|error| format!("cannot serve on {}: {error}", args.listen))?;
    let credentials = running.credentials();
    say(&format!(
        "AWS_ENDPOINT_URL={}\nAWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\nAWS_REGION=us-east-1\n",
        running.url(),
        credentials.access_key_id,
        credentials.secret_access_key
    ))?;
    until_interrupted()?;
    if let Some((path, file)) = journal {
        running.journal().write(&mut BufWriter::new(file)).map_err(|error| failed(error, path))?;
    }
    running.stop();
    Ok(())
}

/// Waits for Ctrl-C, or for a request to end.
fn until_interrupted() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot wait for signals: {error}"))?;
    runtime
        .block_on(async {
            #[cfg(unix)]
            {
                let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
                tokio::select! {
                    _ = ended.recv() => Ok(()),
                    interrupted = tokio::signal::ctrl_c() => interrupted,
                }
            }
            #[cfg(not(unix))]
            tokio::signal::ctrl_c().await
        })
        .map_err(|error: std::io::Error| format!("cannot wait for signals: {error}"))
}

fn generate(args: &Organization) -> Result<(), String> {
    let yaml = estate(args)?.to_yaml().ok_or("an estate that was read is already written down")?;
    say(&yaml?)
}

fn bound(args: &BoundArgs) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", args.journal.display());
    let file = File::open(&args.journal).map_err(|error| failed(&error))?;
    let mut entries: Vec<Entry> = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| failed(&error))?;
        entries.push(serde_json::from_str(&line).map_err(|error| failed(&error))?);
    }
    let terms = Terms {
        latency: args.latency,
        limits: args.limits.limits(),
        cpu_per_call: Duration::from_micros(args.cpu_us),
        cores: args.cores,
    };
    say(&format!("{}\n", Bound::of(&entries, &terms)))
}

fn bare(args: Bare) -> Result<(), String> {
    let Bare { endpoint_url: url, role, accounts, regions, replay, at_a_time, threads } = args;
    let measured = bare::run(&Load { url, role, accounts, regions, replay, at_a_time, threads })?;
    let seconds = measured.elapsed.as_secs_f64();
    let calls = measured.calls as f64;
    say(&format!("{calls} calls, {} without a 200, {seconds:.2} s, {:.0} calls/s", measured.failed, calls / seconds))?;
    match measured.cpu {
        Some(cpu) => say(&format!(", {:.0} us of CPU a call\n", cpu.as_secs_f64() * 1e6 / calls)),
        None => say("\n"),
    }
}

fn estate(args: &Organization) -> Result<Estate, String> {
    let now = Timestamp::now();
    match &args.estate {
        Some(path) => Estate::from_yaml(&read(path)?, now).map_err(|problems| problems.to_string()),
        None => Ok(Estate::generate(Size { accounts: args.accounts, regions: args.regions, seed: args.seed }, now)),
    }
}

fn read(path: &PathBuf) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn say(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| format!("cannot print: {error}"))
}

/// `60ms`, `1.5s`, `2m`
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let number: f64 = number.parse().map_err(|_| "must be a number and ms, s or m".to_owned())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        _ => return Err("must end in ms, s or m".to_owned()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
